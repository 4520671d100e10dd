//! Core routers, the links between them, IS-IS, and interior BGP.
//!
//! Two routers of one PoP are joined whether or not the intent says so. Every core router has a
//! session with every reflector: reflectors treat each other as non-clients and everyone else as
//! clients (RFC 4456 §6), each in a cluster of its own (RFC 4456 §7), so that losing one leaves all
//! routes with the other. Without a reflector every core router has a session with every other.
//! Of two ends the one with the lower loopback address waits and the other connects.
//!
//! Core links carry IP packets of 9,000 octets: far above what a LAN sends, whatever the repair
//! paths push on top.

use std::collections::BTreeMap;

use base::{Label, PortId};
use core::net::Ipv4Addr;
use intent::{Intent, Lock};
use model::config::{
    Bgp, InterfaceAddress, Isis, LabelRange, Medium, Neighbour, NeighbourKind, Port, PortKind,
    Role, RouterConfig,
};
use model::plan::{Link, LinkEnd, LinkKind};

use crate::compile::Scene;
use crate::numbers::{CoreNumbers, Numbers, SRGB_SIZE, SRLB_SIZE};
use crate::ports;

/// The largest IP packet of a core link.
const CORE_MTU: u16 = 9000;
/// A link within a PoP is a patch cord: the fastest thing there.
const POP_LINK_MBPS: u32 = 100_000;
/// What the intent gives a link of no length.
const POP_LINK_METRIC: u32 = 1;
/// What the intent gives a link of no length.
const POP_LINK_DELAY_US: u32 = 10;
/// The first label of the region's global block, the one that other routers have by default.
const SRGB_FIRST: u32 = 16_000;
/// The first label of every local block.
const SRLB_FIRST: u32 = 15_000;
/// Labels for VRFs and for routes passed on: above both blocks, to just below the largest label.
const DYNAMIC_FIRST: u32 = 24_000;
const DYNAMIC_COUNT: u32 = 1_000_000;

/// A core router.
#[derive(Debug)]
pub(crate) struct CoreRouter {
    pub(crate) name: String,
    pub(crate) pop: String,
    numbers: CoreNumbers,
    reflector: bool,
}

/// A link between core routers.
#[derive(Debug)]
struct CoreLink {
    name: String,
    ends: [CoreEnd; 2],
    rate_kbps: u32,
    metric: u32,
    delay_us: u32,
    shared_risks: Vec<String>,
}

#[derive(Debug)]
struct CoreEnd {
    router: String,
    port: PortId,
    port_name: String,
    address: Ipv4Addr,
}

/// The core: routers and links, by name.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) routers: Vec<CoreRouter>,
    links: Vec<CoreLink>,
}

/// What a link is before it has numbers.
struct Wanted<'a> {
    ends: [&'a str; 2],
    rate_mbps: u32,
    metric: u32,
    delay_us: u32,
    shared_risks: &'a [String],
}

impl Core {
    /// Numbers the core routers and the links between them, in the order of the intent.
    pub(crate) fn allot(intent: &Intent, numbers: &mut Numbers<'_>) -> Self {
        let mut routers = Vec::new();
        for pop in &intent.pops {
            for (index, name) in pop.router_names().enumerate() {
                let Some(numbers) = numbers.core_router(&name) else { continue };
                let reflector = pop.reflector && index == 0;
                routers.push(CoreRouter { name, pop: pop.name.clone(), numbers, reflector });
            }
        }
        let names: Vec<[String; 2]> = pairs(intent);
        let mut links = Vec::new();
        let mut parallel: BTreeMap<[&str; 2], u32> = BTreeMap::new();
        for wanted in wanted_links(intent, &names) {
            let count = parallel.entry(wanted.ends).or_default();
            *count += 1;
            links.extend(allot_link(&wanted, *count, numbers));
        }
        routers.sort_by(|a, b| a.name.cmp(&b.name));
        links.sort_by(|a, b| a.name.cmp(&b.name));
        Self { routers, links }
    }

    /// The core links as the plan has them.
    pub(crate) fn plan_links(&self) -> impl Iterator<Item = Link> {
        self.links.iter().map(|link| Link {
            name: link.name.clone(),
            kind: LinkKind::Core,
            ends: link
                .ends
                .each_ref()
                .map(|end| LinkEnd { router: end.router.clone(), port: end.port }),
            medium: Medium::Ethernet,
            delay_us: link.delay_us,
            rate_kbps: link.rate_kbps,
            rate_back_kbps: link.rate_kbps,
            shared_risks: link.shared_risks.clone(),
        })
    }
}

/// The routers of every PoP that has two.
fn pairs(intent: &Intent) -> Vec<[String; 2]> {
    let pair = |pop: &intent::Pop| {
        let mut names = pop.router_names();
        Some([names.next()?, names.next()?])
    };
    intent.pops.iter().filter_map(pair).collect()
}

/// The intent's links, and one between the routers of every PoP where the intent has none; the ends
/// of each in the order of their names.
fn wanted_links<'a>(intent: &'a Intent, pairs: &'a [[String; 2]]) -> Vec<Wanted<'a>> {
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    for link in &intent.links {
        let mut ends = link.ends.each_ref().map(String::as_str);
        ends.sort_unstable();
        wanted.push(Wanted {
            ends,
            rate_mbps: link.rate_mbps,
            metric: link.metric,
            delay_us: link.delay_us,
            shared_risks: &link.shared_risks,
        });
    }
    for pair in pairs {
        let ends = pair.each_ref().map(String::as_str);
        if wanted.iter().all(|link| link.ends != ends) {
            wanted.push(Wanted {
                ends,
                rate_mbps: POP_LINK_MBPS,
                metric: POP_LINK_METRIC,
                delay_us: POP_LINK_DELAY_US,
                shared_risks: &[],
            });
        }
    }
    wanted
}

/// Numbers a link; `count` tells parallel links apart.
fn allot_link(wanted: &Wanted<'_>, count: u32, numbers: &mut Numbers<'_>) -> Option<CoreLink> {
    let suffix = if count > 1 { format!("-{count}") } else { String::new() };
    let [a, b] = wanted.ends;
    let name = format!("{a}--{b}{suffix}");
    let addresses = numbers.core_link(&name);
    let ports = [numbers.core_link_port(a, &name), numbers.core_link_port(b, &name)];
    let ([at_a, at_b], [Some(port_a), Some(port_b)]) = (addresses?, ports) else { return None };
    let end = |router: &str, peer: &str, port, address| CoreEnd {
        router: router.to_owned(),
        port,
        port_name: format!("to-{peer}{suffix}"),
        address,
    };
    Some(CoreLink {
        ends: [end(a, b, port_a, at_a), end(b, a, port_b, at_b)],
        name,
        rate_kbps: wanted.rate_mbps.saturating_mul(1000),
        metric: wanted.metric,
        delay_us: wanted.delay_us,
        shared_risks: wanted.shared_risks.to_vec(),
    })
}

/// The configuration of a core router.
pub(crate) fn config(router: &CoreRouter, scene: &Scene<'_>, lock: &Lock) -> RouterConfig {
    let number = router.numbers.number;
    let mac_of = |port| ports::mac(Role::Core, number, port);
    let mut in_use = link_ports(router, scene);
    let mut neighbours = internal_neighbours(router, scene);
    let mut uplinks: Vec<_> = scene.access.at_core(&router.name).collect();
    uplinks.sort_by_key(|(_, uplink)| uplink.core.port);
    for (site, uplink) in uplinks {
        in_use.push((uplink.core.port, uplink.core_port(site, mac_of, scene)));
        neighbours.push(uplink.core_neighbour(site, scene));
    }
    let router_id = router.numbers.router_id;
    RouterConfig {
        name: router.name.clone(),
        generation: scene.generation,
        role: Role::Core,
        router_id,
        as_number: scene.intent.region.as_number,
        loopback: Some(router.numbers.loopback.clone()),
        ports: ports::with_holes(&router.name, mac_of, in_use, lock),
        isis: Some(isis(router, scene)),
        labels: dynamic_labels(),
        bgp: Bgp { cluster_id: router.reflector.then_some(router_id), ..bgp(scene) },
        neighbours,
        vrfs: Vec::new(),
    }
}

/// The labels that a router hands out for VRFs and for routes that it passes on.
pub(crate) const fn dynamic_labels() -> LabelRange {
    LabelRange { first: Label::masked(DYNAMIC_FIRST), count: DYNAMIC_COUNT }
}

/// BGP parameters of a router that reflects for nobody.
pub(crate) fn bgp(scene: &Scene<'_>) -> Bgp {
    let timers = scene.intent.timers;
    Bgp {
        hold_time_s: timers.bgp_hold_s,
        connect_retry_ms: timers.bgp_connect_retry_ms,
        cluster_id: None,
    }
}

fn isis(router: &CoreRouter, scene: &Scene<'_>) -> Isis {
    let block = |first, count| LabelRange { first: Label::masked(first), count };
    Isis {
        system_id: router.numbers.system_id,
        area: scene.intent.isis.area.clone(),
        srgb: block(SRGB_FIRST, SRGB_SIZE),
        srlb: block(SRLB_FIRST, SRLB_SIZE),
        authentication: scene.intent.isis.authentication.clone(),
        overload: false,
        hello_interval_ms: scene.intent.timers.isis_hello_ms,
        hello_multiplier: scene.intent.timers.isis_hello_multiplier,
    }
}

/// The ports of the links that end on a router.
fn link_ports(router: &CoreRouter, scene: &Scene<'_>) -> Vec<(PortId, Port)> {
    let mut ports = Vec::new();
    for link in &scene.core.links {
        let [a, b] = &link.ends;
        for (near, far) in [(a, b), (b, a)] {
            if near.router == router.name {
                ports.push((near.port, link_port(router, link, near, far, scene)));
            }
        }
    }
    ports
}

fn link_port(
    router: &CoreRouter,
    link: &CoreLink,
    near: &CoreEnd,
    far: &CoreEnd,
    scene: &Scene<'_>,
) -> Port {
    Port {
        name: near.port_name.clone(),
        medium: Medium::Ethernet,
        mac: ports::mac(Role::Core, router.numbers.number, near.port),
        mtu: CORE_MTU,
        addresses: vec![InterfaceAddress { address: near.address.into(), length: 31 }],
        kind: PortKind::CoreLink {
            peer: far.address,
            metric: link.metric,
            adjacency_sid: Label::masked(SRLB_FIRST + near.port.0),
            bfd: scene.intent.timers.core_bfd,
            shared_risks: link.shared_risks.clone(),
        },
    }
}

/// The core routers that a router has a session with, by name.
fn internal_neighbours(router: &CoreRouter, scene: &Scene<'_>) -> Vec<Neighbour> {
    let routers = &scene.core.routers;
    let mesh = routers.iter().all(|other| !other.reflector);
    let peers = routers
        .iter()
        .filter(|peer| peer.name != router.name && (mesh || router.reflector || peer.reflector));
    let local_address = router.numbers.loopback.v4;
    let neighbour = |peer: &CoreRouter| Neighbour {
        name: peer.name.clone(),
        address: peer.numbers.loopback.v4,
        local_address,
        as_number: scene.intent.region.as_number,
        passive: local_address < peer.numbers.loopback.v4,
        kind: NeighbourKind::Internal { client: router.reflector && !peer.reflector },
    };
    peers.map(neighbour).collect()
}
