//! Third parties' routers on attachments: sessions in VRFs, whoever calls, and what may be in the
//! way.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a configuration without the part that is changed fails the test"
)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use base::{AsNumber, Duration, Instant, MacAddr, PortId, VrfId};
use model::config::{Neighbour, NeighbourKind, NeighbourRd, PortKind, RouterConfig};
use packet::tcp::Flags;
use router::Router;
use router::tables::VrfRoute;

use crate::lab::{Lab, SITE_1, SITE_2};
use crate::plan::{self, LAN, LAN_B, UPLINK, address, mac, prefix, rd, site, target, vrf};
use crate::wire::{HOST, OTHER_HOST, arp_reply, data, datagram, ip_frame, segment, segments};

const SITE: usize = 0;
const CE: usize = 1;
const OTHER_CE: usize = 2;
const BGP: u16 = 179;
const SYN: u8 = 0x02;
const RST_ACK: u8 = 0x14;

fn as_number(site: u8) -> AsNumber {
    AsNumber(4_200_000_000 + u32::from(site))
}

/// A router on a LAN as the one at the other end sees it; addresses are 10.1.1.`own` and so on.
fn neighbour(port: PortId, (own, other): (u8, u8), of: u8, passive: bool) -> Neighbour {
    let accept = [prefix("10.2.2.0/24"), prefix("fd00:2:2::/64"), prefix("10.2.1.0/24")];
    Neighbour {
        name: format!("ce-{of}"),
        address: Ipv4Addr::new(10, 1, 1, other),
        local_address: Ipv4Addr::new(10, 1, 1, own),
        as_number: as_number(of),
        passive,
        kind: NeighbourKind::Customer {
            port,
            accept: BTreeSet::from(accept),
            targets: BTreeSet::from([target(1)]),
            max_routes: 10,
        },
    }
}

/// Moves a port to this LAN, from which hosts of the customer's other networks are let in too.
fn join(config: &mut RouterConfig, port: PortId, own: u8) {
    let port = &mut config.ports[usize::try_from(port.0).unwrap()];
    port.addresses[0].address = address(&format!("10.1.1.{own}"));
    port.addresses[1].address = address(&format!("fd00:1:1::{own}"));
    if let PortKind::Attachment { sources, .. } = &mut port.kind {
        let all = ["10.1.0.0/16", "fd00:1::/32", "10.2.0.0/16", "fd00:2::/32"];
        *sources = all.map(prefix).to_vec();
    }
}

/// Site 1 with a third party's router on its LAN.
fn provider(passive: bool) -> RouterConfig {
    let mut config = site(1);
    config.neighbours.push(neighbour(LAN, (1, 2), 2, passive));
    join(&mut config, LAN, 1);
    config
}

/// That router: another site's, which is at 10.1.1.2 and has 10.2.2.0/24 behind it.
fn customer(passive: bool) -> RouterConfig {
    let mut config = site(2);
    config.neighbours = vec![neighbour(LAN, (2, 1), 1, passive)];
    config.vrfs[0].export.retain(|route| route.port == LAN_B);
    join(&mut config, LAN, 2);
    config
}

/// Both on one LAN.
fn pair(seed: u64, passive: (bool, bool)) -> Lab {
    let mut lab = Lab::new(seed, vec![provider(passive.0), customer(passive.1)]);
    lab.wire((SITE, LAN), (CE, LAN));
    lab.port(CE, LAN_B, true);
    lab
}

const WAYS: [(bool, bool); 3] = [(true, false), (false, true), (false, false)];

fn is_up(lab: &Lab) -> bool {
    lab.session(SITE, 1) && lab.session(CE, 0)
}

/// What was said about sessions since this was last asked.
fn take_session_news(lab: &mut Lab) -> Vec<String> {
    let told = core::mem::take(&mut lab.told).into_iter().map(|told| told.event.to_string());
    told.filter(|text| text.starts_with("session")).collect()
}

#[test]
fn a_session_comes_up_whoever_calls_and_stays_up() {
    for way in WAYS {
        for seed in 0..10 {
            let mut lab = pair(seed, way);
            lab.run_until(Duration::from_secs(10), is_up);
            lab.told.clear();
            lab.run_for(Duration::from_secs(300));
            assert_eq!(take_session_news(&mut lab), Vec::<String>::new(), "{way:?} {seed}");
            assert!(is_up(&lab));
        }
    }
}

#[test]
fn calls_that_cross_on_their_way_end_in_one_session() {
    for seed in 0..50 {
        let mut lab = pair(seed, (false, false));
        // Both call at about the same time, again and again.
        for round in 1..5 {
            lab.port(SITE, LAN, false);
            lab.port(CE, LAN, false);
            lab.run_for(Duration::from_millis(round));
            lab.port(SITE, LAN, true);
            lab.port(CE, LAN, true);
            lab.run_for(Duration::from_millis(40 * round));
        }
        let took = lab.run_until(Duration::from_secs(30), is_up);
        assert!(took < Duration::from_secs(10), "seed {seed}: {took:?}");
    }
}

#[test]
fn a_session_comes_up_on_a_lan_that_loses_a_fifth_of_everything() {
    for way in WAYS {
        for seed in 0..4 {
            let mut lab = pair(seed, way);
            lab.loss_per_million = 200_000;
            lab.run_until(Duration::from_secs(120), is_up);
        }
    }
}

#[test]
fn a_restarted_router_is_back_soon_whoever_calls() {
    for way in WAYS {
        for router in [SITE, CE] {
            for seed in 0..3 {
                let mut lab = pair(seed, way);
                lab.run_until(Duration::from_secs(10), is_up);
                lab.run_for(Duration::from_secs(5));
                lab.restart(router);
                assert!(!is_up(&lab));
                let took = lab.run_until(Duration::from_secs(60), is_up);
                assert!(took < Duration::from_secs(20), "{way:?} {router} {seed}: {took:?}");
            }
        }
    }
}

#[test]
fn a_session_goes_with_its_carrier_at_once() {
    let mut lab = pair(1, (false, false));
    lab.run_until(Duration::from_secs(10), is_up);
    lab.port(SITE, LAN, false);
    assert!(!lab.session(SITE, 1));
}

#[test]
fn a_call_in_the_neighbours_name_ends_nothing() {
    for way in WAYS {
        let mut lab = pair(3, way);
        lab.run_until(Duration::from_secs(10), is_up);
        lab.run_for(Duration::from_secs(1));
        lab.told.clear();
        for port in 40_000..40_100 {
            let packet = segment("10.1.1.2", "10.1.1.1", (port, BGP), 64, SYN);
            lab.inject(SITE, LAN, &ip_frame(mac(11, 1), OTHER_HOST, &packet));
            let packet = segment("10.1.1.1", "10.1.1.2", (port, BGP), 64, SYN);
            lab.inject(CE, LAN, &ip_frame(mac(12, 1), OTHER_HOST, &packet));
        }
        lab.run_for(Duration::from_secs(60));
        assert_eq!(take_session_news(&mut lab), Vec::<String>::new(), "{way:?}");
        assert!(is_up(&lab));
    }
}

/// Site 1 as it is configured, alone on its LAN, with a customer's router at 10.1.1.2 that is known.
fn alone(mut config: RouterConfig) -> Lab {
    config.bgp.connect_retry_ms = 60_000;
    let own = config.ports[1].addresses[0].address.to_string();
    let mut lab = Lab::new(1, vec![config]);
    lab.port(SITE, LAN, true);
    lab.port(SITE, LAN_B, true);
    // A SYN, or a SYN that waits to be known, is on its way after 100 ms.
    lab.run_for(Duration::from_millis(150));
    lab.inject(SITE, LAN, &arp_reply((HOST, "10.1.1.2"), (mac(11, 1), &own)));
    lab
}

/// What is answered to a segment from 10.1.1.2.
fn answers(lab: &mut Lab, to: &str, ports: (u16, u16), ttl: u8, flags: u8) -> Vec<(u8, Flags)> {
    lab.left.clear();
    let packet = segment("10.1.1.2", to, ports, ttl, flags);
    lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    let left = lab.take_left(SITE, LAN);
    segments(&left).into_iter().map(|(ttl, header)| (ttl, header.flags)).collect()
}

const OPEN: Flags = Flags(0x12);

#[test]
fn a_router_that_never_answers_calls_is_let_in_when_it_calls_itself() {
    // 10.1.1.1 makes way at once for 10.1.1.2, and 10.1.1.9 when its own call goes unanswered.
    for (own, waits) in [(1, false), (9, true)] {
        let mut config = provider(false);
        join(&mut config, LAN, own);
        config.neighbours[1].local_address = Ipv4Addr::new(10, 1, 1, own);
        let to = format!("10.1.1.{own}");
        let mut lab = alone(config);
        let calls = segments(&lab.take_left(SITE, LAN));
        assert!(calls.iter().all(|(ttl, call)| *ttl == 255 && call.flags == Flags::SYN));
        assert_eq!(calls.len(), 1);
        let early = answers(&mut lab, &to, (50_000, BGP), 1, SYN);
        assert_eq!(early.contains(&(255, OPEN)), !waits, "{early:?}");
        lab.run_for(Duration::from_secs(1));
        let late = answers(&mut lab, &to, (50_000, BGP), 1, SYN);
        assert!(late.contains(&(255, OPEN)) || !waits, "{late:?}");
    }
}

#[test]
fn a_router_that_refuses_calls_is_let_in_when_it_calls_itself() {
    let mut lab = alone(provider(false));
    let (_, call) = segments(&lab.take_left(SITE, LAN))[0];
    let mut refusal = segment("10.1.1.2", "10.1.1.1", (BGP, call.source_port), 64, RST_ACK);
    // Sequence 0, and what is acknowledged is the call.
    refusal[24..28].fill(0);
    refusal[28..32].copy_from_slice(&(call.sequence + 1).to_be_bytes());
    refusal[36..38].fill(0);
    let mut sum =
        packet::checksum::Checksum::pseudo(address("10.1.1.2"), address("10.1.1.1"), 6, 20);
    sum.add(&refusal[20..]);
    refusal[36..38].copy_from_slice(&sum.value().to_be_bytes());
    lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &refusal));
    lab.run_for(Duration::from_secs(1));
    assert_eq!(lab.router(SITE).view().sessions[1].state, "connect", "it listens on");
    assert_eq!(answers(&mut lab, "10.1.1.1", (50_000, BGP), 1, SYN), [(255, OPEN)]);
}

#[test]
fn a_session_is_reached_on_its_own_attachment_and_from_its_neighbour_alone() {
    let mut lab = alone(provider(true));
    // Whatever is answered has the neighbour asked for first.
    let packet = segment("10.1.1.2", "10.1.1.1", (50_001, BGP), 1, SYN);
    lab.inject(SITE, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    lab.inject(SITE, LAN, &arp_reply((HOST, "10.1.1.2"), (mac(11, 1), "10.1.1.1")));
    assert_eq!(answers(&mut lab, "10.1.1.1", (50_000, 22), 1, SYN), []);
    assert_eq!(answers(&mut lab, "10.1.1.1", (BGP, 50_000), 1, SYN), []);
    assert_eq!(answers(&mut lab, "10.2.1.1", (50_000, BGP), 1, SYN), []);
    for (port, source, to) in [(LAN, "10.1.1.3", mac(11, 1)), (LAN_B, "10.1.1.2", mac(11, 2))] {
        let packet = segment(source, "10.1.1.1", (50_000, BGP), 255, SYN);
        lab.inject(SITE, port, &ip_frame(to, OTHER_HOST, &packet));
    }
    assert_eq!(segments(&lab.left.iter().map(|one| one.2.clone()).collect::<Vec<_>>()), []);
    let answers = answers(&mut lab, "10.1.1.1", (50_000, BGP), 1, SYN);
    assert_eq!(answers.last(), Some(&(255, OPEN)), "{answers:?}");
}

/// Sends a datagram into the first LAN of site 1 and answers for both stations there; to whom it
/// goes.
fn passes(lab: &mut Lab, (port, own): (PortId, MacAddr), ends: (&str, &str)) -> Vec<MacAddr> {
    lab.left.clear();
    let packet = datagram(ends.0, ends.1, (4000, 7), 64, b"through");
    lab.inject(SITE, port, &ip_frame(own, HOST, &packet));
    for (host, address) in [(HOST, "10.1.1.9"), (OTHER_HOST, "10.1.1.2")] {
        lab.inject(SITE, LAN, &arp_reply((host, address), (mac(11, 1), "10.1.1.1")));
    }
    let left = lab.take_left(SITE, LAN);
    let through = left.iter().filter(|frame| !data(&[frame.to_vec()]).is_empty());
    through.map(|frame| MacAddr(*frame.first_chunk().unwrap())).collect()
}

#[test]
fn what_is_behind_a_third_partys_router_goes_to_it_and_comes_from_it() {
    let mut config = provider(true);
    let mut behind = plan::export(LAN, prefix("10.2.2.0/24"), target(1));
    behind.next_hop = Some(address("10.1.1.2"));
    config.vrfs[0].export.push(behind);
    let mut lab = alone(config);
    let ports = [(LAN_B, mac(11, 2)), (LAN, mac(11, 1))];
    // From another LAN, and from a host of the same one, which knows the site's router only.
    for (port, source) in ports.into_iter().zip(["10.2.1.9", "10.1.1.9"]) {
        assert_eq!(passes(&mut lab, port, (source, "10.2.2.9")), [OTHER_HOST], "{source}");
    }
    assert_eq!(passes(&mut lab, ports[1], ("10.2.2.9", "10.1.1.9")), [HOST], "and back");
    assert_eq!(passes(&mut lab, ports[1], ("10.3.3.3", "10.1.1.9")), [], "not what is not its own");
    let routes = lab.router(SITE).vrf_routes(None);
    let route = routes.iter().find(|one| one.prefix == prefix("10.2.2.0/24")).unwrap();
    assert_eq!(route.forwarding, "attached lan via 10.1.1.2");
}

type Mistake = fn(&mut RouterConfig);

const MISTAKES: [(&str, Mistake); 9] = [
    ("neighbours[1].kind.port", |c| {
        if let NeighbourKind::Customer { port, .. } = &mut c.neighbours[1].kind {
            *port = UPLINK;
        }
    }),
    ("neighbours[1].local_address", |c| c.neighbours[1].local_address = [10, 1, 1, 7].into()),
    ("neighbours[1].address", |c| c.neighbours[1].address = [10, 1, 1, 1].into()),
    ("neighbours[1].address", |c| c.neighbours[1].address = [10, 2, 1, 2].into()),
    ("neighbours[1].as_number", |c| c.neighbours[1].as_number = c.as_number),
    ("neighbours[2].address", |c| c.neighbours.push(c.neighbours[1].clone())),
    ("vrfs[0].export[0].next_hop", |c| {
        c.vrfs[0].export[0].next_hop = Some(address("10.1.1.1"));
    }),
    ("vrfs[0].export[0].next_hop", |c| {
        c.vrfs[0].export[0].next_hop = Some(address("10.2.1.2"));
    }),
    ("vrfs[0].export[0].next_hop", |c| {
        c.vrfs[0].export[0].next_hop = Some(address("fd00:1:1::2"));
    }),
];

#[test]
fn a_third_partys_router_that_cannot_be_reached_is_refused_by_the_path_of_its_field() {
    for config in [provider(true), provider(false), twofold()] {
        assert_eq!(Router::new(Instant::ZERO, 1, config).err(), None);
    }
    for (field, make) in MISTAKES {
        let mut config = provider(true);
        make(&mut config);
        let errors = Router::new(Instant::ZERO, 1, config).unwrap_err().errors;
        assert!(errors.iter().any(|one| one.field == field), "{field}: {errors:?}");
    }
}

/// Site 1 with a third party's router at the same address in each of two VRFs.
fn twofold() -> RouterConfig {
    let mut config = provider(true);
    join(&mut config, LAN_B, 1);
    if let PortKind::Attachment { vrf, .. } = &mut config.ports[2].kind {
        *vrf = VrfId(1);
    }
    config.neighbours.push(neighbour(LAN_B, (1, 2), 3, true));
    config.vrfs[0].export.clear();
    let mut other = vrf("vn-b", 7, Vec::new());
    other.rds = vec![NeighbourRd { neighbour: 0, rd: rd(7) }];
    other.import = BTreeSet::from([target(7)]);
    config.vrfs.push(other);
    if let NeighbourKind::Customer { targets, .. } = &mut config.neighbours[2].kind {
        *targets = BTreeSet::from([target(7)]);
    }
    config
}

#[test]
fn two_customers_with_the_same_addresses_have_a_session_each() {
    let mut other = customer(false);
    other.name = "site-3".to_owned();
    other.as_number = as_number(3);
    let mut lab = Lab::new(5, vec![twofold(), customer(false), other]);
    lab.wire((SITE, LAN), (CE, LAN));
    lab.wire((SITE, LAN_B), (OTHER_CE, LAN));
    let both = |lab: &Lab| is_up(lab) && lab.session(SITE, 2) && lab.session(OTHER_CE, 0);
    lab.run_until(Duration::from_secs(10), both);
    lab.told.clear();
    lab.run_for(Duration::from_secs(100));
    assert_eq!(take_session_news(&mut lab), Vec::<String>::new());
    assert!(both(&lab));
    // Both announce the same prefix, and each VRF has its own customer's.
    for (vrf, port) in [(VrfId(0), LAN), (VrfId(1), LAN_B)] {
        assert_eq!(way(&lab, vrf, "10.2.2.0/24"), Some((port, "10.1.1.2".to_owned())));
    }
    // One falls, the other does not notice.
    lab.port(SITE, LAN_B, false);
    lab.run_for(Duration::from_secs(60));
    assert!(is_up(&lab) && !lab.session(SITE, 2));
    assert_eq!(way(&lab, VrfId(1), "10.2.2.0/24"), None);
    assert!(way(&lab, VrfId(0), "10.2.2.0/24").is_some());
}

#[test]
fn a_customer_does_not_notice_that_the_vrf_in_front_of_its_own_goes() {
    let mut other = customer(false);
    other.name = "site-3".to_owned();
    other.as_number = as_number(3);
    let mut lab = Lab::new(5, vec![twofold(), customer(false), other]);
    lab.wire((SITE, LAN), (CE, LAN));
    lab.wire((SITE, LAN_B), (OTHER_CE, LAN));
    let both = |lab: &Lab| is_up(lab) && lab.session(SITE, 2) && lab.session(OTHER_CE, 0);
    lab.run_until(Duration::from_secs(10), both);
    lab.run_for(Duration::from_secs(10));
    lab.told.clear();
    let mut alone = twofold();
    alone.vrfs.remove(0);
    alone.neighbours.remove(1);
    alone.ports[1].kind = PortKind::Unused;
    alone.ports[1].addresses.clear();
    if let PortKind::Attachment { vrf, .. } = &mut alone.ports[2].kind {
        *vrf = VrfId(0);
    }
    let its_way = |lab: &Lab| {
        let number = lab.router(SITE).vrf_number("vn-b").unwrap();
        way(lab, number, "10.2.2.0/24")
    };
    let before = its_way(&lab);
    assert!(before.is_some());
    lab.set_config(SITE, alone);
    assert_eq!(its_way(&lab), before);
    lab.run_for(Duration::from_secs(100));
    assert_eq!(its_way(&lab), before);
    assert!(lab.session(SITE, 1) && lab.session(OTHER_CE, 0));
    let told = lab.told_by(OTHER_CE);
    assert_eq!(told, Vec::<String>::new());
    let told = take_session_news(&mut lab);
    assert!(told.iter().all(|one| one.contains("ce-2") || one.contains("ce-1")), "{told:?}");
    assert!(!lab.session(CE, 0));
}

/// The attachment and the router to which a prefix leads at site 1.
fn way(lab: &Lab, vrf: VrfId, of: &str) -> Option<(PortId, String)> {
    match lab.router(SITE).tables().vrf(vrf)?.routes.get(prefix(of))? {
        VrfRoute::Attached { port, neighbour } => Some((*port, (*neighbour)?.to_string())),
        VrfRoute::Local | VrfRoute::Remote { .. } => None,
    }
}

#[test]
fn what_a_third_partys_router_announces_leads_to_it_until_it_is_gone() {
    let mut lab = pair(1, (true, false));
    let routes =
        |lab: &Lab| (way(lab, VrfId(0), "10.2.2.0/24"), way(lab, VrfId(0), "fd00:2:2::/64"));
    lab.run_until(Duration::from_secs(10), |lab| routes(lab).1.is_some());
    let to = |address: &str| Some((LAN, address.to_owned()));
    assert_eq!(routes(&lab), (to("10.1.1.2"), to("fd00:1:1::2")));
    lab.port(SITE, LAN, false);
    assert_eq!(routes(&lab), (None, None));
}

#[test]
fn another_site_reaches_what_is_behind_a_third_partys_router_of_this_one() {
    // 10.2.1.0/24 is not on site 1's own LAN, but behind the router on its first one.
    let mut provider = provider(true);
    provider.vrfs[0].export.retain(|route| route.port == LAN);
    provider.ports.truncate(2);
    let accept = plan::lan_prefixes(2, 1).into_iter().collect();
    if let NeighbourKind::Customer { accept: all, .. } = &mut provider.neighbours[1].kind {
        *all = accept;
    }
    let mut customer = customer(false);
    customer.name = "ce".to_owned();
    customer.as_number = as_number(5);
    provider.neighbours[1].as_number = as_number(5);
    customer.ports[2] = plan::lan("lan-b", mac(12, 2), 0, 2, 1);
    customer.vrfs[0].export = plan::exports(&[(LAN_B, 2, 1)], target(1));
    if let NeighbourKind::Customer { accept, .. } = &mut customer.neighbours[0].kind {
        accept.extend(plan::lan_prefixes(1, 2));
    }
    let ce = 4;
    let configs = vec![plan::core(1), plan::core(2), provider, site(2), customer];
    let mut lab = Lab::region_of(6, configs);
    lab.wire((SITE_1, LAN), (ce, LAN));
    lab.port(ce, LAN_B, true);
    lab.run_for(Duration::from_secs(20));
    let crosses =
        |lab: &mut Lab, from: (usize, MacAddr, &str), to: (usize, PortId, MacAddr, &str)| {
            lab.left.clear();
            let packet = datagram(from.2, to.3, (4000, 7), 64, b"across");
            lab.inject(
                from.0,
                if from.0 == ce { LAN_B } else { LAN },
                &ip_frame(from.1, HOST, &packet),
            );
            lab.run_for(Duration::from_millis(100));
            let own = if to.0 == ce { "10.2.1.1" } else { "10.1.2.1" };
            lab.inject(to.0, to.1, &arp_reply((HOST, to.3), (to.2, own)));
            data(&lab.take_left(to.0, to.1)) == [b"across".to_vec()]
        };
    let (there, here) = ("10.1.2.9", "10.2.1.9");
    assert!(crosses(&mut lab, (SITE_2, mac(12, 1), there), (ce, LAN_B, mac(12, 2), here)));
    assert!(crosses(&mut lab, (ce, mac(12, 2), here), (SITE_2, LAN, mac(12, 1), there)));
}
