//! A site router that lies: what it says is refused for a stated reason, and nobody else notices.

#![expect(
    clippy::indexing_slicing,
    reason = "a plan without routers or attachments fails the test"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::region::{converged, plan};
use base::{Label, LabelSpace, MacAddr, PortId, Prefix, RouteTarget};
use model::config::{ExportedRoute, Medium, NeighbourKind, PortKind, RouterConfig};
use model::plan::Plan;
use packet::mpls::LabelEntry;
use packet::{ethernet, icmp, ip, udp};
use twin::Twin;
use twin::survey::Extent;

/// The plan with one site router's configuration changed behind everybody's back.
fn with_liar(change: impl Fn(&mut RouterConfig)) -> (Plan, String) {
    let mut plan = plan("six-sites");
    let name = plan.attachments[0].router.clone();
    let router = plan.routers.iter_mut().find(|router| router.name == name);
    change(router.expect("the router of an attachment exists"));
    (plan, name)
}

/// How often core routers refused something of this router, by reason.
fn refused(twin: &Twin, liar: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for router in twin.plan().routers.iter().filter_map(|config| twin.router(&config.name)) {
        for session in router.view().sessions {
            if session.neighbour == liar {
                all.extend(session.refused);
            }
        }
    }
    all
}

/// Everything works as if nothing had been said, and nothing leaked.
fn nobody_notices(twin: &mut Twin) {
    let survey = twin.survey(Extent::Full);
    assert!(survey.kept(), "{survey:#?}");
    assert!(survey.same_network.tested > 0 && survey.community.tested > 0);
    assert!(twin.breaches().is_empty(), "{:?}", twin.breaches());
    assert_eq!(twin::checker::labels::check(twin), Vec::<String>::new());
}

fn refused_for(change: impl Fn(&mut RouterConfig), reason: &str) {
    let (plan, liar) = with_liar(change);
    let mut twin = converged(plan, 1);
    let refused = refused(&twin, &liar);
    assert!(refused.iter().any(|(why, count)| why.contains(reason) && *count > 0), "{refused:?}");
    nobody_notices(&mut twin);
}

fn export(router: &mut RouterConfig, prefix: Prefix, targets: BTreeSet<RouteTarget>) {
    let vrf = &mut router.vrfs[0];
    let port = vrf.export[0].port;
    vrf.export.push(ExportedRoute { prefix, port, next_hop: None, targets });
}

#[test]
fn a_route_outside_a_sites_prefixes_is_refused() {
    let change = |router: &mut RouterConfig| {
        let targets = router.vrfs[0].export[0].targets.clone();
        export(router, "0.0.0.0/0".parse().unwrap(), targets);
    };
    refused_for(change, "prefix");
}

#[test]
fn a_route_target_that_a_site_may_not_use_is_refused() {
    let plan = plan("six-sites");
    let own = plan.routers.iter().find(|r| r.name == plan.attachments[0].router).unwrap();
    let foreign = plan
        .routers
        .iter()
        .flat_map(|router| &router.vrfs)
        .filter(|vrf| vrf.virtual_network != own.vrfs[0].virtual_network)
        .flat_map(|vrf| vrf.import.iter().copied())
        .find(|target| !own.vrfs[0].import.contains(target))
        .unwrap();
    // The site keeps announcing its LAN as it should over one VRF, and adds a copy of the route
    // into another virtual network: the whole announcement of that prefix is refused, so only
    // prefixes that nobody is promised are used here.
    let change = |router: &mut RouterConfig| {
        let prefix = Prefix::new(router.vrfs[0].export[0].prefix.addr(), 28).unwrap();
        export(router, prefix, BTreeSet::from([foreign]));
    };
    refused_for(change, "prefix");
    let (plan, liar) = with_liar(|router| {
        for route in &mut router.vrfs[0].export {
            route.targets.insert(foreign);
        }
    });
    let mut twin = converged(plan, 1);
    let refused = refused(&twin, &liar);
    assert!(refused.iter().any(|(why, count)| why.contains("target") && *count > 0), "{refused:?}");
    twin.survey(Extent::Full);
    assert!(twin.breaches().is_empty(), "{:?}", twin.breaches());
}

#[test]
fn more_routes_than_the_maximum_close_the_session_of_that_site_alone() {
    let (plan, liar) = with_liar(|router| {
        let targets = router.vrfs[0].export[0].targets.clone();
        for third in 0..200_u8 {
            let prefix = Prefix::new([172, 30, third, 0].into(), 24).unwrap();
            export(router, prefix, targets.clone());
        }
    });
    let mut twin = Twin::new(plan, 1).unwrap();
    twin.run_for(base::Duration::from_secs(5));
    let liar_number = twin.router_number(&liar).unwrap();
    for (number, config) in twin.plan().routers.iter().enumerate() {
        let view = twin.router(&config.name).unwrap().view();
        for session in view.sessions {
            let concerns_liar = number == liar_number || session.neighbour == liar;
            assert_eq!(session.up, !concerns_liar, "{} {session:?}", config.name);
        }
    }
    let refused = refused(&twin, &liar);
    assert!(refused.iter().any(|(why, _)| why.contains("many")), "{refused:?}");
    let survey = twin.survey(Extent::Full);
    let others = survey.failures.iter().all(|failure| failure.contains(&site_of(&twin, &liar)));
    assert!(others, "{survey:#?}");
    assert!(survey.same_network.delivered > 0 && twin.breaches().is_empty());
}

fn site_of(twin: &Twin, router: &str) -> String {
    let attachment = twin.plan().attachments.iter().find(|one| one.router == router);
    attachment.map(|one| one.site.clone()).unwrap_or_default()
}

/// A datagram under these labels, as a frame on an Ethernet uplink.
fn forged(to: MacAddr, labels: &[Label], ends: (IpAddr, IpAddr)) -> Vec<u8> {
    let datagram = udp::encode((ends.0, 1), (ends.1, 9), b"forged");
    let inner = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).expect("one family");
    under(to, labels, &inner)
}

/// A packet under these labels, as a frame on an Ethernet uplink.
fn under(to: MacAddr, labels: &[Label], inner: &[u8]) -> Vec<u8> {
    let kind = ethernet::Kind::Type(ethernet::TYPE_MPLS);
    let header = ethernet::Header { destination: to, source: MacAddr([2, 0, 0, 0, 0, 9]), kind };
    let mut frame = header.encode().to_vec();
    for (index, label) in labels.iter().enumerate() {
        let bottom = index + 1 == labels.len();
        frame.extend(LabelEntry { label: *label, traffic_class: 0, bottom, ttl: 64 }.encode());
    }
    frame.extend(inner);
    frame
}

#[test]
fn a_forged_label_on_an_uplink_is_dropped_and_counted() {
    let mut twin = converged(plan("six-sites"), 1);
    let (number, port, mac) = twin
        .plan()
        .routers
        .iter()
        .enumerate()
        .find_map(|(number, router)| {
            let (id, port) = router.ports().find(|(_, port)| {
                matches!(port.kind, PortKind::Uplink { .. })
                    && port.medium == Medium::Ethernet
                    && router.isis.is_some()
            })?;
            Some((number, id, port.mac))
        })
        .unwrap();
    let name = twin.plan().routers[number].name.clone();
    let known: BTreeSet<Label> = twin
        .router(&name)
        .unwrap()
        .tables()
        .labels()
        .filter(|(space, ..)| *space == LabelSpace::Port(port))
        .map(|(_, label, _)| label)
        .collect();
    assert!(!known.is_empty());
    // Every label that the router knows elsewhere, and the region's own segments.
    let elsewhere: Vec<Label> = twin
        .router(&name)
        .unwrap()
        .tables()
        .labels()
        .map(|(_, label, _)| label)
        .filter(|label| !known.contains(label))
        .collect();
    assert!(elsewhere.len() > 4);
    let victim = twin.plan().attachments.iter().position(|lan| lan.router != name).unwrap();
    let ends = (twin.host(0, false).unwrap(), twin.host(victim, false).unwrap());
    for label in &elsewhere {
        twin.inject(number, port, forged(mac, &[*label], ends));
        twin.inject(number, port, forged(mac, &[*label, *known.first().unwrap()], ends));
    }
    twin.run_for(base::Duration::from_secs(1));
    let view = twin.router(&name).unwrap().view();
    let drops = &view.ports.iter().find(|one| one.port == port).unwrap().drops;
    let counted: u64 =
        drops.iter().filter(|(reason, _)| reason.contains("label")).map(|(_, count)| *count).sum();
    assert_eq!(counted, 2 * elsewhere.len() as u64, "{drops:?}");
    nobody_notices(&mut twin);
}

/// What an uplink accepts: its core router, port, Ethernet address and one label.
struct Way {
    core: usize,
    port: PortId,
    mac: MacAddr,
    label: Label,
}

/// Every label that the site router of this name was told on any of its uplinks.
fn ways(twin: &Twin, site: &str) -> Vec<Way> {
    let mut ways = Vec::new();
    for (core, config) in twin.plan().routers.iter().enumerate() {
        let wanted = format!("to-{site}");
        let Some((port, planned)) = config.ports().find(|(_, port)| port.name == wanted) else {
            continue;
        };
        let Some(router) = twin.router(&config.name) else { continue };
        let labels = router.tables().labels();
        let labels = labels.filter(|(space, ..)| *space == LabelSpace::Port(port));
        let mac = planned.mac;
        ways.extend(labels.map(|(_, label, _)| Way { core, port, mac, label }));
    }
    ways
}

/// Frames that left for a LAN so far.
fn frames_to(twin: &Twin, lan: usize) -> u64 {
    let attachment = &twin.plan().attachments[lan];
    let view = twin.router(&attachment.router).map(router::Router::view);
    let ports = view.map(|view| view.ports).unwrap_or_default();
    ports.iter().find(|port| port.port == attachment.port).map_or(0, |port| port.traffic.frames_out)
}

/// Pairs of LANs of virtual networks that the site router serves no LAN of, and whose addresses it
/// does not have itself in a network of its own.
fn foreign_pairs(twin: &Twin, site: &str) -> Vec<(usize, usize)> {
    let lans = &twin.plan().attachments;
    let foreign = |lan: &usize| {
        let (network, prefixes) = (&lans[*lan].virtual_network, &lans[*lan].prefixes);
        !lans.iter().filter(|one| one.router == site).any(|own| {
            own.virtual_network == *network
                || own.prefixes.iter().any(|own| prefixes.iter().any(|p| p.overlaps(*own)))
        })
    };
    let foreign: Vec<usize> = (0..lans.len()).filter(foreign).collect();
    let pairs = foreign.iter().flat_map(|&a| foreign.iter().map(move |&b| (a, b)));
    pairs.filter(|(a, b)| a != b && lans[*a].virtual_network == lans[*b].virtual_network).collect()
}

/// Every site router sends `packet(from, to)` under every label it was told, with addresses of
/// every virtual network that is not its own: nothing arrives anywhere.
fn nothing_arrives(packet: impl Fn(IpAddr, IpAddr) -> Vec<u8>) {
    let mut twin = converged(plan("six-sites"), 1);
    let sites: BTreeSet<String> =
        twin.plan().attachments.iter().map(|lan| lan.router.clone()).collect();
    let before: Vec<u64> =
        (0..twin.plan().attachments.len()).map(|l| frames_to(&twin, l)).collect();
    let mut sent = 0;
    for site in sites {
        for way in ways(&twin, &site) {
            for (from, to) in foreign_pairs(&twin, &site) {
                let Some(ends) = twin.host(from, false).zip(twin.host(to, false)) else { continue };
                let frame = under(way.mac, &[way.label], &packet(ends.0, ends.1));
                twin.inject(way.core, way.port, frame);
                sent += 1;
            }
        }
    }
    twin.run_for(base::Duration::from_secs(2));
    let after: Vec<u64> = (0..twin.plan().attachments.len()).map(|l| frames_to(&twin, l)).collect();
    assert!(sent > 20 && before == after, "{sent} sent: {before:?} {after:?}");
    nobody_notices(&mut twin);
}

#[test]
fn a_site_router_reaches_no_foreign_network_with_forged_sources_under_community_labels() {
    nothing_arrives(|from, to| {
        let datagram = udp::encode((from, 1), (to, 9), b"forged");
        ip::encode((from, to), udp::PROTOCOL, (0, 64), &datagram).expect("one family")
    });
}

#[test]
fn a_site_router_reaches_no_foreign_network_with_forged_errors() {
    nothing_arrives(|from, to| {
        let datagram = udp::encode((to, 1), (from, 9), b"quoted");
        let quoted = ip::encode((to, from), udp::PROTOCOL, (0, 64), &datagram).expect("one family");
        let cause = icmp::Cause::Unreachable(icmp::Unreachable::Host);
        let error = icmp::Message::Error(icmp::Report { cause, quoted, extensions: Vec::new() });
        let error = error.encode(from, to);
        ip::encode((from, to), icmp::PROTOCOL_V4, (0, 64), &error).expect("one family")
    });
}

#[test]
fn a_flood_at_a_gateway_from_afar_leaves_that_sites_uplinks_alone() {
    let mut twin = converged(plan("six-sites"), 1);
    let lans = twin.plan().attachments.clone();
    let victim = lans.iter().position(|lan| lan.site == "G1").unwrap();
    let flooder = lans.iter().position(|lan| lan.site == "G2").unwrap();
    let ends = (twin.host(flooder, false).unwrap(), lans[victim].gateways[0]);
    let ways = ways(&twin, &lans[flooder].router);
    twin.take_told();
    for _ in 0..8_000 {
        for way in &ways {
            twin.inject(way.core, way.port, forged(way.mac, &[way.label], ends));
        }
        twin.run_for(base::Duration::from_micros(100));
    }
    let told = twin.take_told();
    assert!(told.is_empty(), "{told:?}");
    nobody_notices(&mut twin);
}

#[test]
fn a_packet_that_nobody_sent_is_a_breach_wherever_it_comes_out() {
    let mut twin = converged(plan("six-sites"), 1);
    let attachment = twin.plan().attachments[0].clone();
    let number = twin.router_number(&attachment.router).unwrap();
    let other = twin
        .plan()
        .attachments
        .iter()
        .position(|lan| {
            lan.virtual_network == attachment.virtual_network && lan.site != attachment.site
        })
        .unwrap();
    let ends = (twin.host(0, false).unwrap(), twin.host(other, false).unwrap());
    let index = usize::try_from(attachment.port.0).unwrap();
    let mac = twin.plan().routers[number].ports[index].mac;
    let mut frame = forged(mac, &[], ends);
    frame[12..14].copy_from_slice(&ethernet::TYPE_IPV4.to_be_bytes());
    twin.inject(number, attachment.port, frame);
    twin.run_for(base::Duration::from_secs(1));
    assert_eq!(twin.breach_count(), 1);
    assert_eq!(twin.breaches()[0].from, None);
}

#[test]
fn a_core_router_never_sends_a_site_what_the_plan_does_not_let_it_import() {
    let twin = converged(plan("six-sites"), 1);
    for config in &twin.plan().routers {
        let router = twin.router(&config.name).unwrap();
        for neighbour in &config.neighbours {
            let NeighbourKind::Core { .. } = neighbour.kind else { continue };
            for vrf in router.vrf_routes(None) {
                for path in vrf.paths {
                    let imports = config.vrfs.iter().flat_map(|vrf| &vrf.import);
                    let imports: BTreeSet<_> = imports.collect();
                    assert!(path.targets.iter().any(|target| imports.contains(target)));
                }
            }
        }
    }
}
