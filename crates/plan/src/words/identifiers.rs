//! Identifiers: which moved, which are new.
//!
//! An identifier belongs to an owner that has a name: a port, a VRF towards a neighbour, a site's LAN.
//! Where an owner is in both plans, its identifiers should be the same. Route targets have no owner
//! in a configuration, and are known by where they stand: one that left all its places has moved to
//! the one that came to exactly these places.

use std::collections::{BTreeMap, BTreeSet};

use base::RouteTarget;
use model::config::{Neighbour, NeighbourKind, PortKind, RouterConfig};
use model::plan::Plan;

/// An identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identifier {
    /// The kind: `loopback`, `label`, `route distinguisher`, …
    pub kind: &'static str,
    /// Whose it is.
    pub owner: String,
    /// What it is.
    pub value: String,
}

/// An identifier that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// The kind.
    pub kind: &'static str,
    /// Whose it is.
    pub owner: String,
    /// What it was.
    pub old: String,
    /// What it is.
    pub new: String,
}

/// Values by kind and owner.
type Values = BTreeMap<(&'static str, String), String>;

/// Those that moved, and those of owners that are new.
pub(crate) fn identifiers(old: &Plan, new: &Plan) -> (Vec<Moved>, Vec<Identifier>) {
    let mut found = Found::default();
    let before: BTreeMap<&str, &RouterConfig> =
        old.routers.iter().map(|router| (router.name.as_str(), router)).collect();
    for router in &new.routers {
        let was = before.get(router.name.as_str()).map(|old| of_router(old)).unwrap_or_default();
        found.compare(&was, of_router(router));
    }
    found.compare(&of_promises(old), of_promises(new));
    found.targets(&targets(old), &targets(new));
    let Found { mut moved, mut allotted } = found;
    moved.sort();
    allotted.sort();
    (moved, allotted)
}

#[derive(Debug, Default)]
struct Found {
    moved: Vec<Moved>,
    allotted: Vec<Identifier>,
}

impl Found {
    fn compare(&mut self, was: &Values, is: Values) {
        for ((kind, owner), value) in is {
            let key = (kind, owner);
            match was.get(&key) {
                Some(old) if *old == value => {}
                Some(old) => {
                    let (kind, owner) = key;
                    self.moved.push(Moved { kind, owner, old: old.clone(), new: value });
                }
                None => {
                    let (kind, owner) = key;
                    self.allotted.push(Identifier { kind, owner, value });
                }
            }
        }
    }

    fn targets(&mut self, was: &Targets<'_>, is: &Targets<'_>) {
        const KIND: &str = "route target";
        let left = |target: &RouteTarget, standing: &Standing<'_>| {
            is.get(target).is_none_or(|now| now.is_disjoint(standing))
        };
        let gone = was.iter().filter(|(target, standing)| left(target, standing));
        let mut gone: BTreeMap<&Standing<'_>, RouteTarget> =
            gone.map(|(target, standing)| (standing, *target)).collect();
        let came = |target: &RouteTarget, standing: &Standing<'_>| {
            was.get(target).is_none_or(|before| before.is_disjoint(standing))
        };
        for (target, standing) in is.iter().filter(|(target, standing)| came(target, standing)) {
            let value = target.to_string();
            let owner = standing.first().map_or_else(String::new, |(router, vrf, _)| {
                format!("{vrf} at {router} and wherever that one is used")
            });
            match gone.remove(standing) {
                Some(old) => {
                    let old = old.to_string();
                    self.moved.push(Moved { kind: KIND, owner, old, new: value });
                }
                None => self.allotted.push(Identifier { kind: KIND, owner, value }),
            }
        }
    }
}

/// Where a route target stands: router, VRF, and whether it is imported there.
type Standing<'a> = BTreeSet<(&'a str, &'a str, bool)>;

type Targets<'a> = BTreeMap<RouteTarget, Standing<'a>>;

fn targets(plan: &Plan) -> Targets<'_> {
    let mut targets = Targets::new();
    for router in &plan.routers {
        for vrf in &router.vrfs {
            let exported = vrf.export.iter().flat_map(|route| &route.targets);
            let both = exported.map(|one| (one, false));
            for (target, imported) in both.chain(vrf.import.iter().map(|one| (one, true))) {
                let standing = (router.name.as_str(), vrf.name.as_str(), imported);
                targets.entry(*target).or_default().insert(standing);
            }
        }
    }
    targets
}

/// What a router is known by.
fn of_router(router: &RouterConfig) -> Values {
    let mut values = Values::new();
    let name = &router.name;
    let mut add = |kind, owner: String, value: String| values.insert((kind, owner), value);
    add("router id", name.clone(), router.router_id.to_string());
    add("AS number", name.clone(), router.as_number.to_string());
    if let Some(loopback) = &router.loopback {
        add("loopback", name.clone(), loopback.v4.to_string());
        add("label of a router", name.clone(), format!("index {}", loopback.v4_sid));
        if let Some(v6) = loopback.v6 {
            add("IPv6 loopback", name.clone(), v6.to_string());
        }
    }
    if let Some(isis) = &router.isis {
        add("system id", name.clone(), isis.system_id.to_string());
    }
    for (id, port) in router.ports() {
        let owner = || format!("{} of {name}", port.name);
        match &port.kind {
            PortKind::Unused => continue,
            PortKind::CoreLink { adjacency_sid, .. } => {
                add("label of a link", owner(), adjacency_sid.to_string());
            }
            PortKind::Uplink { .. } | PortKind::Attachment { .. } => {}
        }
        add("port", owner(), id.to_string());
        add("Ethernet address", owner(), port.mac.to_string());
        let addresses: Vec<String> =
            port.addresses.iter().map(|one| format!("{}/{}", one.address, one.length)).collect();
        add("addresses of a port", owner(), addresses.join(" "));
    }
    for (id, vrf) in router.vrfs() {
        add("VRF", format!("{} of {name}", vrf.name), id.to_string());
        for rd in &vrf.rds {
            let place = usize::try_from(rd.neighbour).unwrap_or(usize::MAX);
            let Some(neighbour) = router.neighbours.get(place) else { continue };
            let owner = format!("{} of {name} on {}", vrf.name, session(router, neighbour));
            add("route distinguisher", owner, rd.rd.to_string());
        }
    }
    values
}

/// What a session is known by: its port, else its neighbour.
pub(crate) fn session(router: &RouterConfig, neighbour: &Neighbour) -> String {
    let port = match &neighbour.kind {
        NeighbourKind::Internal { .. } => None,
        NeighbourKind::Site { port, .. } | NeighbourKind::Core { port, .. } => Some(port),
        // Several may be on one LAN.
        NeighbourKind::Customer { .. } => None,
    };
    let port = port.and_then(|port| router.ports.get(usize::try_from(port.0).ok()?));
    port.map_or_else(|| neighbour.name.clone(), |port| port.name.clone())
}

/// What people know the network by.
fn of_promises(plan: &Plan) -> Values {
    let mut values = Values::new();
    let text =
        |all: &[base::Prefix]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    for lan in &plan.attachments {
        let owner = format!("{} at {}", lan.virtual_network, lan.site);
        values.insert(("LAN", owner.clone()), text(&lan.prefixes));
        let gateways: Vec<String> = lan.gateways.iter().map(ToString::to_string).collect();
        values.insert(("gateway", owner), gateways.join(" "));
    }
    for network in &plan.virtual_networks {
        let key = ("addresses of a virtual network", network.name.clone());
        values.insert(key, text(&network.addresses));
    }
    for application in &plan.applications {
        let addresses: Vec<String> =
            application.addresses.iter().map(ToString::to_string).collect();
        let key = ("addresses of an application", application.name.clone());
        values.insert(key, addresses.join(" "));
    }
    values
}
