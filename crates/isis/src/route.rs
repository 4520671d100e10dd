//! Routes: where each prefix is reached, over which neighbours, with which label.
//!
//! A prefix belongs to the nearest of the routers that announce it, and to several where they are
//! equally near. The label of a hop is what the neighbour there takes the SID index for: every
//! router has label ranges of its own.
//!
//! Standards: RFC 8667 §2.1 (prefix-SID and its flags), RFC 8660 §2.4 and §2.5 (two prefixes
//! of one index), RFC 5305 §4, RFC 7775 (order of preference, for what level 2 alone sees).
//! Not implemented: SIDs of other algorithms, absolute labels as prefix-SIDs, mapping servers.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use base::{Label, PortId, Prefix, SystemId};

use crate::codepoints::PATH_METRIC_MAX;
use crate::config::Config;
use crate::spf::{FirstHop, Reached};
use crate::topology::{Node, PrefixSid};

/// As many equal paths as are used: more would hardly spread the load better.
pub(crate) const HOPS_MAX: usize = 8;

/// Where a prefix is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub prefix: Prefix,
    /// The metric of the whole way.
    pub metric: u32,
    /// The neighbours on shortest paths, in order of ports, at most eight; none where it is local.
    pub hops: Vec<Hop>,
    /// The label that this router expects for it: its SID in our own SRGB.
    pub local_label: Option<Label>,
    /// It is one of our own.
    pub local: bool,
}

/// A neighbour on a shortest path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The port towards it.
    pub port: PortId,
    /// The neighbour.
    pub neighbour: SystemId,
    /// Its IPv4 address on the link.
    pub v4: Option<Ipv4Addr>,
    /// Its IPv6 link-local address.
    pub v6: Option<Ipv6Addr>,
    /// The label that it expects.
    pub label: HopLabel,
}

/// The label that a neighbour expects for a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopLabel {
    /// None: the prefix has no SID, or the neighbour no segment routing.
    Unlabelled,
    /// None: the neighbour is the destination and asks for it without (penultimate-hop popping).
    Implicit,
    /// This one.
    Label(Label),
}

/// What is known when routes are computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) config: &'a Config,
    pub(crate) first_hops: &'a [FirstHop],
    pub(crate) nodes: &'a BTreeMap<SystemId, Node>,
    pub(crate) paths: &'a BTreeMap<SystemId, Reached>,
}

/// The routers nearest to which a prefix is.
struct Best<'a> {
    /// Leaked prefixes after others, then by metric: RFC 7775.
    rank: (bool, u32),
    origins: Vec<(SystemId, &'a Reached, Option<PrefixSid>)>,
}

/// Every prefix that is reached, in order, and how many of them lost their SID to another.
pub(crate) fn routes(inputs: Inputs<'_>) -> (Vec<Route>, u64) {
    let mut best: BTreeMap<Prefix, Best<'_>> = BTreeMap::new();
    for (system_id, reached) in inputs.paths {
        let Some(node) = inputs.nodes.get(system_id) else { continue };
        for announced in &node.prefixes {
            let metric = reached.distance.saturating_add(announced.metric);
            if metric > PATH_METRIC_MAX {
                continue;
            }
            let rank = (announced.down, metric);
            let entry =
                best.entry(announced.prefix).or_insert_with(|| Best { rank, origins: Vec::new() });
            if rank < entry.rank {
                *entry = Best { rank, origins: Vec::new() };
            }
            if rank == entry.rank {
                entry.origins.push((*system_id, reached, announced.sid));
            }
        }
    }
    let mut routes: BTreeMap<Prefix, Route> = BTreeMap::new();
    for (prefix, best) in &best {
        routes.insert(*prefix, remote(inputs, *prefix, best));
    }
    for loopback in &inputs.config.loopbacks {
        let local_label = loopback.sid_index.and_then(|index| inputs.config.srgb.label(index));
        let prefix = loopback.prefix;
        let local = Route { prefix, metric: 0, hops: Vec::new(), local_label, local: true };
        routes.insert(prefix, local);
    }
    let mut routes = routes.into_values().collect();
    let conflicts = resolve_conflicts(&mut routes);
    (routes, conflicts)
}

fn remote(inputs: Inputs<'_>, prefix: Prefix, best: &Best<'_>) -> Route {
    let mut hops: BTreeMap<usize, Hop> = BTreeMap::new();
    for (origin, reached, sid) in &best.origins {
        for index in &reached.hops {
            let Some(first) = inputs.first_hops.get(*index) else { continue };
            let label = || {
                let sid = sid.as_ref();
                sid.map_or(HopLabel::Unlabelled, |sid| label(inputs, first, *origin, prefix, sid))
            };
            hops.entry(*index).or_insert_with(|| Hop {
                port: first.port,
                neighbour: first.neighbour,
                v4: first.v4,
                v6: first.v6,
                label: label(),
            });
        }
    }
    let index = best.origins.iter().find_map(|(_, _, sid)| sid.map(|sid| sid.index));
    Route {
        prefix,
        metric: best.rank.1,
        hops: hops.into_values().take(HOPS_MAX).collect(),
        local_label: index.and_then(|index| inputs.config.srgb.label(index)),
        local: false,
    }
}

fn label(
    inputs: Inputs<'_>,
    hop: &FirstHop,
    origin: SystemId,
    prefix: Prefix,
    sid: &PrefixSid,
) -> HopLabel {
    let Some(neighbour) = inputs.nodes.get(&hop.neighbour) else { return HopLabel::Unlabelled };
    let (capable, explicit_null) = match prefix {
        Prefix::V4(_) => (neighbour.sr_v4, Label::EXPLICIT_NULL_V4),
        Prefix::V6(_) => (neighbour.sr_v6, Label::EXPLICIT_NULL_V6),
    };
    if !capable {
        return HopLabel::Unlabelled;
    }
    if hop.neighbour == origin && !sid.no_php {
        return HopLabel::Implicit;
    }
    if hop.neighbour == origin && sid.explicit_null {
        return HopLabel::Label(explicit_null);
    }
    neighbour.label(sid.index).map_or(HopLabel::Unlabelled, HopLabel::Label)
}

/// RFC 8660 §2.5.1: of several prefixes that would use one incoming label only one may. Routes are
/// in order of family, address and length, and the first one keeps it; our own go before all.
fn resolve_conflicts(routes: &mut Vec<Route>) -> u64 {
    let mut owners: BTreeMap<Label, Prefix> = BTreeMap::new();
    for local in [true, false] {
        for route in routes.iter().filter(|route| route.local == local) {
            if let Some(label) = route.local_label {
                owners.entry(label).or_insert(route.prefix);
            }
        }
    }
    let mut conflicts = 0;
    for route in routes {
        let lost = |label| owners.get(label).is_some_and(|owner| *owner != route.prefix);
        if route.local_label.as_ref().is_some_and(lost) {
            route.local_label = None;
            conflicts += 1;
        }
    }
    conflicts
}

#[cfg(test)]
mod tests {
    use super::{HopLabel, Inputs, Route, routes};
    use crate::config::{Config, LabelRange};
    use crate::spf::{FirstHop, shortest_paths};
    use crate::topology::{Link, Node, NodePrefix, PrefixSid};
    use base::{Duration, Label, PortId, Prefix, RouterId, SystemId};
    use core::net::Ipv4Addr;
    use std::collections::BTreeMap;

    fn id(number: u8) -> SystemId {
        SystemId([0, 0, 0, 0, 0, number])
    }

    fn range(first: u32) -> LabelRange {
        LabelRange { first: Label::masked(first), count: 100 }
    }

    fn node(neighbours: &[u8]) -> Node {
        let link = |neighbour: &u8| Link {
            neighbour: id(*neighbour),
            metric: 10,
            v4: None,
            neighbour_v4: None,
            adjacency_sid: None,
        };
        let links = neighbours.iter().map(link).collect();
        Node { sr_v4: true, srgb: vec![range(20_000)], links, ..Node::default() }
    }

    /// The routes of router 1 in the line 1, 2, 3.
    fn of_line(nodes: &BTreeMap<SystemId, Node>) -> Vec<Route> {
        let config = Config {
            system_id: id(1),
            area: vec![0x49],
            hostname: String::new(),
            router_id: RouterId(Ipv4Addr::LOCALHOST),
            loopbacks: Vec::new(),
            srgb: range(16_000),
            srlb: range(15_000),
            authentication: None,
            overload: false,
            lsp_lifetime: Duration::from_secs(1200),
            lsp_refresh: Duration::from_secs(900),
            spf_delay: Duration::ZERO,
            spf_hold: Duration::ZERO,
            circuits: Vec::new(),
        };
        let hop = FirstHop { port: PortId(0), neighbour: id(2), metric: 10, v4: None, v6: None };
        let paths = shortest_paths(id(1), &[hop], nodes);
        let first_hops = &[hop];
        routes(Inputs { config: &config, first_hops, nodes, paths: &paths }).0
    }

    fn line() -> BTreeMap<SystemId, Node> {
        [(id(1), node(&[2])), (id(2), node(&[1, 3])), (id(3), node(&[2]))].into()
    }

    fn announce(node: &mut Node, prefix: &str, sid: Option<PrefixSid>) {
        let prefix = prefix.parse().unwrap();
        node.prefixes.push(NodePrefix { prefix, metric: 0, down: false, sid });
    }

    fn sid(no_php: bool, explicit_null: bool) -> Option<PrefixSid> {
        Some(PrefixSid { index: 7, no_php, explicit_null })
    }

    #[test]
    fn the_label_of_a_hop_follows_the_flags_of_the_prefix_sid() {
        let label = |value| HopLabel::Label(Label::masked(value));
        let v4 = "10.0.0.7/32";
        let cases = [
            (2, v4, None, HopLabel::Unlabelled),
            (2, v4, sid(false, false), HopLabel::Implicit),
            (2, v4, sid(true, false), label(20_007)),
            (2, v4, sid(true, true), label(0)),
            (3, v4, sid(false, false), label(20_007)),
            (3, v4, sid(true, true), label(20_007)),
            (2, "fd00::7/128", sid(true, true), label(2)),
            (3, "fd00::7/128", sid(false, false), label(20_007)),
        ];
        for (origin, prefix, sid, expected) in cases {
            let mut nodes = line();
            for node in nodes.values_mut() {
                node.sr_v6 = true;
            }
            announce(nodes.get_mut(&id(origin)).unwrap(), prefix, sid);
            let routes = of_line(&nodes);
            assert_eq!(routes[0].hops[0].label, expected, "{origin} {prefix} {sid:?}");
        }
    }

    #[test]
    fn a_neighbour_without_segment_routing_for_the_family_gets_no_label() {
        let mut nodes = line();
        nodes.get_mut(&id(2)).unwrap().sr_v4 = false;
        announce(nodes.get_mut(&id(3)).unwrap(), "10.0.0.7/32", sid(false, false));
        assert_eq!(of_line(&nodes)[0].hops[0].label, HopLabel::Unlabelled);
    }

    #[test]
    fn indexes_run_through_the_ranges_of_an_srgb() {
        let mut two = node(&[]);
        two.srgb = vec![range(20_000), range(500)];
        let label = |index| two.label(index).map(Label::value);
        assert_eq!((label(99), label(100), label(200)), (Some(20_099), Some(500), None));
    }

    #[test]
    fn what_was_not_leaked_is_preferred_whatever_its_metric() {
        let prefix: Prefix = "10.0.0.0/8".parse().unwrap();
        let mut nodes = line();
        for (router, down) in [(2, true), (3, false)] {
            let announced = NodePrefix { prefix, metric: 0, down, sid: None };
            nodes.get_mut(&id(router)).unwrap().prefixes.push(announced);
        }
        let routes = of_line(&nodes);
        assert_eq!((routes.len(), routes[0].metric), (1, 20));
    }
}
