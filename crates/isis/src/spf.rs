//! Shortest paths from this router to every other, by Dijkstra's algorithm, all of equal cost.
//!
//! A link counts only if both ends announce it. A router that asks for no transit traffic is
//! reached and not passed through.
//!
//! Standards: ISO 10589 Annex C.2, RFC 5305 §3 (the largest metric is never used), RFC 1195 §3.10.
//! Not implemented: multiple topologies, incremental computation.

use core::cmp::Reverse;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BinaryHeap};

use base::{PortId, SystemId};

use crate::codepoints::METRIC_UNUSABLE;
use crate::topology::Node;

/// A neighbour that packets can be handed to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstHop {
    pub(crate) port: PortId,
    pub(crate) neighbour: SystemId,
    pub(crate) metric: u32,
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
}

/// How a router is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) distance: u32,
    /// Indexes into the first hops, in order, each once.
    pub(crate) hops: Vec<usize>,
}

/// The least distance and the first hops to every router that can be reached from `root`.
pub(crate) fn shortest_paths(
    root: SystemId,
    first_hops: &[FirstHop],
    nodes: &BTreeMap<SystemId, Node>,
) -> BTreeMap<SystemId, Reached> {
    let mut search = Search { candidates: BTreeMap::new(), queue: BinaryHeap::new() };
    for (index, hop) in first_hops.iter().enumerate() {
        if hop.metric < METRIC_UNUSABLE && announces(nodes, hop.neighbour, root) {
            search.offer(hop.neighbour, hop.metric, &[index]);
        }
    }
    let mut reached = BTreeMap::new();
    while let Some(Reverse((distance, system_id))) = search.queue.pop() {
        if reached.contains_key(&system_id) {
            continue;
        }
        let Some(found) = search.candidates.remove(&system_id) else { continue };
        debug_assert_eq!(found.distance, distance, "the nearest candidate comes first");
        if let Some(node) = nodes.get(&system_id).filter(|node| !node.overload) {
            for link in &node.links {
                let known = link.neighbour == root || reached.contains_key(&link.neighbour);
                if known
                    || link.metric >= METRIC_UNUSABLE
                    || !announces(nodes, link.neighbour, system_id)
                {
                    continue;
                }
                search.offer(link.neighbour, distance.saturating_add(link.metric), &found.hops);
            }
        }
        reached.insert(system_id, found);
    }
    reached
}

/// The two-way check: whether `from` announces a link to `to`.
fn announces(nodes: &BTreeMap<SystemId, Node>, from: SystemId, to: SystemId) -> bool {
    nodes.get(&from).is_some_and(|node| node.links.iter().any(|link| link.neighbour == to))
}

struct Search {
    candidates: BTreeMap<SystemId, Reached>,
    queue: BinaryHeap<Reverse<(u32, SystemId)>>,
}

impl Search {
    /// Offers a way to a router: taken where it is shorter, added where it is as short.
    fn offer(&mut self, system_id: SystemId, distance: u32, hops: &[usize]) {
        let candidate = self.candidates.entry(system_id);
        let known = candidate.or_insert(Reached { distance: u32::MAX, hops: Vec::new() });
        if distance < known.distance {
            *known = Reached { distance, hops: hops.to_vec() };
            self.queue.push(Reverse((distance, system_id)));
        } else if distance == known.distance {
            known.hops.extend_from_slice(hops);
            known.hops.sort_unstable();
            known.hops.dedup();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FirstHop, Reached, shortest_paths};
    use crate::topology::{Link, Node};
    use base::{PortId, SystemId};
    use std::collections::BTreeMap;

    fn id(number: u8) -> SystemId {
        SystemId([0, 0, 0, 0, 0, number])
    }

    fn nodes(links: &[(u8, u8, u32)]) -> BTreeMap<SystemId, Node> {
        let mut nodes: BTreeMap<SystemId, Node> = BTreeMap::new();
        for (from, to, metric) in links {
            nodes.entry(id(*to)).or_default();
            nodes.entry(id(*from)).or_default().links.push(Link {
                neighbour: id(*to),
                metric: *metric,
                v4: None,
                neighbour_v4: None,
                adjacency_sid: None,
            });
        }
        nodes
    }

    fn both_ways(links: &[(u8, u8, u32)]) -> BTreeMap<SystemId, Node> {
        let back = links.iter().map(|(from, to, metric)| (*to, *from, *metric));
        nodes(&links.iter().copied().chain(back).collect::<Vec<_>>())
    }

    fn hop(port: u32, neighbour: u8, metric: u32) -> FirstHop {
        FirstHop { port: PortId(port), neighbour: id(neighbour), metric, v4: None, v6: None }
    }

    fn reached(distance: u32, hops: &[usize]) -> Option<Reached> {
        Some(Reached { distance, hops: hops.to_vec() })
    }

    #[test]
    fn equal_paths_share_and_shorter_ones_win() {
        let nodes = both_ways(&[(1, 2, 10), (1, 3, 10), (2, 4, 10), (3, 4, 10), (4, 5, 1)]);
        let paths = shortest_paths(id(1), &[hop(0, 2, 10), hop(1, 3, 10)], &nodes);
        assert_eq!(paths.get(&id(4)).cloned(), reached(20, &[0, 1]));
        assert_eq!(paths.get(&id(5)).cloned(), reached(21, &[0, 1]));
        let paths = shortest_paths(id(1), &[hop(0, 2, 11), hop(1, 3, 10)], &nodes);
        assert_eq!(paths.get(&id(4)).cloned(), reached(20, &[1]));
        assert_eq!(paths.get(&id(1)), None);
    }

    #[test]
    fn parallel_links_are_hops_of_their_own() {
        let nodes = both_ways(&[(1, 2, 10), (2, 3, 10)]);
        let hops = [hop(0, 2, 10), hop(1, 2, 10), hop(2, 2, 20)];
        let paths = shortest_paths(id(1), &hops, &nodes);
        assert_eq!(paths.get(&id(3)).cloned(), reached(20, &[0, 1]));
    }

    #[test]
    fn a_link_that_one_end_does_not_announce_is_not_used() {
        let nodes = nodes(&[(1, 2, 10), (2, 1, 10), (2, 3, 10)]);
        let paths = shortest_paths(id(1), &[hop(0, 2, 10)], &nodes);
        assert_eq!(paths.keys().copied().collect::<Vec<_>>(), [id(2)]);
    }

    #[test]
    fn an_overloaded_router_is_reached_and_not_passed_through() {
        let mut nodes = both_ways(&[(1, 2, 10), (2, 3, 10)]);
        nodes.get_mut(&id(2)).unwrap().overload = true;
        let paths = shortest_paths(id(1), &[hop(0, 2, 10)], &nodes);
        assert_eq!(paths.keys().copied().collect::<Vec<_>>(), [id(2)]);
    }

    #[test]
    fn a_link_of_the_largest_metric_is_never_used() {
        let nodes = both_ways(&[(1, 2, 10), (2, 3, 0xff_ffff)]);
        let paths = shortest_paths(id(1), &[hop(0, 2, 10)], &nodes);
        assert_eq!(paths.get(&id(3)), None);
        let paths = shortest_paths(id(1), &[hop(0, 2, 0xff_ffff)], &nodes);
        assert!(paths.is_empty());
    }
}
