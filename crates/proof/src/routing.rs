//! Flows through the core by its metrics, split evenly where ways are equal.
//!
//! All flows towards one core router are routed together: nodes are visited from the farthest to the
//! nearest, and each passes on what it has. Amounts are whole bits per second; what does not divide
//! goes to the first ways, so that nothing is lost or made.
#![expect(clippy::indexing_slicing, reason = "nodes and links are places in the topology")]

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use base::PortId;
use model::config::{PortKind, RouterConfig};
use model::plan::Plan;

use crate::failure::Gone;
use crate::topology::Topology;

/// What one core router is sent: bits per second by where they come from and class.
pub(crate) type Flows = BTreeMap<(usize, usize), u64>;

/// What one direction of a core link carries of one class: [`Routing::place`], bits per second.
pub(crate) type Load = (usize, u64);

/// Metrics of the core.
#[derive(Debug)]
pub(crate) struct Routing {
    /// By core link and end; none where the port has none, and nobody uses the link.
    metrics: Vec<Option<[u64; 2]>>,
    /// Nodes that take no transit traffic.
    overloaded: Vec<bool>,
    classes: usize,
}

/// Nodes and core links that are gone.
#[derive(Debug)]
pub(crate) struct Dead {
    nodes: Vec<bool>,
    pub(crate) links: Vec<bool>,
}

impl Dead {
    pub(crate) fn new(topology: &Topology<'_>, gone: &Gone) -> Self {
        let is_gone = |place: &usize| gone.routers.contains(place);
        let nodes: Vec<bool> = topology.nodes.iter().map(is_gone).collect();
        let links = topology.core_links.iter().map(|link| {
            gone.links.contains(&link.place) || link.ends.iter().any(|end| nodes[*end])
        });
        Self { links: links.collect(), nodes }
    }
}

impl Routing {
    pub(crate) fn new(plan: &Plan, topology: &Topology<'_>, classes: usize) -> Self {
        let metrics = topology.core_links.iter().map(|link| {
            let router = |end: usize| &plan.routers[topology.nodes[link.ends[end]]];
            let port = |end: usize| plan.links[link.place].ends[end].port;
            Some([metric(router(0), port(0))?, metric(router(1), port(1))?])
        });
        let is_overloaded =
            |place: &usize| plan.routers[*place].isis.as_ref().is_some_and(|isis| isis.overload);
        let overloaded = topology.nodes.iter().map(is_overloaded);
        Self { metrics: metrics.collect(), overloaded: overloaded.collect(), classes }
    }

    /// The number of a link's direction, from this end on, and class.
    pub(crate) const fn place(&self, link: usize, end: usize, class: usize) -> usize {
        (link * 2 + end) * self.classes + class
    }

    /// Routes what one node is sent; sources without a way are left out.
    pub(crate) fn route(
        &self,
        topology: &Topology<'_>,
        to: usize,
        flows: &Flows,
        dead: &Dead,
    ) -> Vec<Load> {
        let (order, distances) = self.distances(topology, to, flows, dead);
        let mut waiting = vec![0_u64; topology.nodes.len() * self.classes];
        for (&(from, class), amount) in flows {
            waiting[from * self.classes + class] = *amount;
        }
        let mut loads = Vec::new();
        for node in order.into_iter().rev().filter(|node| *node != to) {
            let amounts = node * self.classes..(node + 1) * self.classes;
            if waiting[amounts.clone()].iter().all(|amount| *amount == 0) {
                continue;
            }
            let ways = self.ways(topology, node, to, &distances, dead);
            for (class, place) in amounts.enumerate() {
                let amount = core::mem::take(&mut waiting[place]);
                let parts = shares(amount, ways.len());
                for (&(far, link, end), part) in
                    ways.iter().zip(parts).filter(|(_, part)| *part > 0)
                {
                    loads.push((self.place(link, end, class), part));
                    let waiting = &mut waiting[far * self.classes + class];
                    *waiting = waiting.saturating_add(part);
                }
            }
        }
        loads
    }

    /// How far nodes are from one, the nearest first, as far as the farthest source.
    fn distances(
        &self,
        topology: &Topology<'_>,
        to: usize,
        flows: &Flows,
        dead: &Dead,
    ) -> (Vec<usize>, Vec<u64>) {
        let mut distances = vec![u64::MAX; topology.nodes.len()];
        let mut settled = vec![false; topology.nodes.len()];
        let mut sources: Vec<usize> = flows.keys().map(|(from, _)| *from).collect();
        sources.dedup();
        let mut missing = sources.len();
        let mut order = Vec::new();
        let mut heap = BinaryHeap::from([Reverse((0, to))]);
        distances[to] = 0;
        while let Some(Reverse((distance, node))) = heap.pop() {
            if core::mem::replace(&mut settled[node], true) {
                continue;
            }
            order.push(node);
            missing -= usize::from(sources.binary_search(&node).is_ok());
            if missing == 0 {
                break;
            }
            if node != to && self.overloaded[node] {
                continue;
            }
            for &(far, link) in &topology.neighbours[node] {
                let Some(metrics) = self.metrics[link].filter(|_| !dead.links[link]) else {
                    continue;
                };
                let end = usize::from(topology.core_links[link].ends[0] != far);
                let through = distance + metrics[end];
                if !dead.nodes[far] && through < distances[far] {
                    distances[far] = through;
                    heap.push(Reverse((through, far)));
                }
            }
        }
        // What was seen and not settled is farther than every source.
        for (node, distance) in distances.iter_mut().enumerate() {
            if !settled[node] {
                *distance = u64::MAX;
            }
        }
        (order, distances)
    }

    /// The equal ways on from a node: the next node, the link, and the end it is entered by.
    fn ways(
        &self,
        topology: &Topology<'_>,
        node: usize,
        to: usize,
        distances: &[u64],
        dead: &Dead,
    ) -> Vec<(usize, usize, usize)> {
        let all = topology.neighbours[node].iter().filter_map(|&(far, link)| {
            let metrics = self.metrics[link].filter(|_| !dead.links[link])?;
            let end = usize::from(topology.core_links[link].ends[0] != node);
            let passes = far == to || !self.overloaded[far];
            let is_on_way = distances[far].checked_add(metrics[end]) == Some(distances[node]);
            (passes && is_on_way).then_some((far, link, end))
        });
        all.collect()
    }
}

/// An amount in so many parts; the first ones are larger by one where it does not divide.
fn shares(amount: u64, parts: usize) -> impl Iterator<Item = u64> {
    let count = (parts as u64).max(1);
    let (each, rest) = (amount / count, amount % count);
    (0..).map(move |number| each + u64::from(number < rest))
}

/// The metric of a port; at least 1, as IS-IS has it.
fn metric(router: &RouterConfig, port: PortId) -> Option<u64> {
    let place = usize::try_from(port.0).ok()?;
    match router.ports.get(place)?.kind {
        PortKind::CoreLink { metric, .. } => Some(u64::from(metric).max(1)),
        PortKind::Uplink { .. } | PortKind::Attachment { .. } | PortKind::Unused => None,
    }
}
