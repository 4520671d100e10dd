//! Shortest paths between core routers, and who hears whose routes.

use core::cmp::Reverse;
use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use base::{Label, PortId};
use model::config::{NeighbourKind, PortKind, RouterConfig};
use model::tables::{Hop, Transport};

use super::net::{Net, port};

/// As many equal hops as routers use.
const HOPS_MAX: usize = 8;

/// A link from a core router to another one.
#[derive(Debug, Clone, Copy)]
struct Arc {
    port: PortId,
    /// The far router, by its place among core routers.
    to: usize,
    metric: u32,
    neighbour: Ipv4Addr,
}

/// The first hops from one router to every other one: few sets, which many share.
#[derive(Debug, Default)]
struct FirstHops {
    /// Positions in `arcs`.
    sets: Vec<Vec<usize>>,
    /// Which set leads to each router.
    to: Vec<usize>,
}

impl FirstHops {
    /// The number of the set of both, which are numbers of sets.
    fn union(&mut self, a: usize, b: usize) -> usize {
        if a == b {
            return a;
        }
        let of = |number: usize| self.sets.get(number).into_iter().flatten().copied();
        let mut both: Vec<usize> = of(a).chain(of(b)).collect();
        both.sort_unstable();
        both.dedup();
        self.sets.iter().position(|set| *set == both).unwrap_or_else(|| {
            self.sets.push(both);
            self.sets.len() - 1
        })
    }
}

/// The core routers and the ways between them. They are numbered by their place among themselves.
#[derive(Debug)]
pub(super) struct Interior {
    /// The place in the plan of each.
    pub(super) places: Vec<usize>,
    numbers: Vec<Option<usize>>,
    loopbacks: BTreeMap<Ipv4Addr, usize>,
    arcs: Vec<Vec<Arc>>,
    overload: Vec<bool>,
    /// The first hops from each to each.
    first_hops: Vec<FirstHops>,
    /// From whom each hears routes.
    hears: Vec<BTreeSet<usize>>,
    is_reflected: Vec<bool>,
}

impl Interior {
    pub(super) fn new(net: &Net<'_>) -> Self {
        let is_core = |config: &RouterConfig| config.isis.is_some() && config.loopback.is_some();
        let all = net.plan.routers.iter().enumerate();
        let places: Vec<usize> = all
            .filter(|(place, config)| net.is_there(*place) && is_core(config))
            .map(|(place, _)| place)
            .collect();
        let mut numbers = vec![None; net.plan.routers.len()];
        for (number, place) in places.iter().enumerate() {
            if let Some(slot) = numbers.get_mut(*place) {
                *slot = Some(number);
            }
        }
        let overload = places.iter().map(|place| {
            net.config(*place).and_then(|config| config.isis.as_ref()).is_some_and(|i| i.overload)
        });
        let overload = overload.collect();
        let arcs = places.iter().map(|place| arcs(net, &numbers, *place)).collect();
        let loopback = |(number, place): (usize, &usize)| {
            Some((net.config(*place)?.loopback.as_ref()?.v4, number))
        };
        let loopbacks = places.iter().enumerate().filter_map(loopback).collect();
        let mut interior = Self {
            is_reflected: vec![false; places.len()],
            first_hops: Vec::new(),
            hears: Vec::new(),
            places,
            numbers,
            loopbacks,
            arcs,
            overload,
        };
        interior.first_hops =
            (0..interior.places.len()).map(|from| interior.paths_from(from)).collect();
        interior.set_sessions(net);
        interior
    }

    /// The number of a core router.
    pub(super) fn core(&self, place: usize) -> Option<usize> {
        self.numbers.get(place).copied().flatten()
    }

    pub(super) fn reaches(&self, from: usize, to: usize) -> bool {
        from == to || self.first_hops(from, to).is_some()
    }

    /// The core routers in the order of their loopback addresses.
    pub(super) fn by_address(&self) -> impl Iterator<Item = (Ipv4Addr, usize)> {
        self.loopbacks.iter().map(|(address, core)| (*address, *core))
    }

    /// The number of the set of first hops to another core router; none where there is no way.
    pub(super) fn first_hops(&self, from: usize, to: usize) -> Option<usize> {
        let set = *self.first_hops.get(from)?.to.get(to)?;
        (set > 0).then_some(set)
    }

    /// Whether a core router hears the routes that another one has from its sites.
    pub(super) fn hears(&self, at: usize, from: usize) -> bool {
        at == from
            || (self.reaches(at, from) && self.hears.get(at).is_some_and(|all| all.contains(&from)))
    }

    /// Whether what a core router asks for comes to another one; where somebody reflects for it, its
    /// own questions come back to it.
    pub(super) fn asks(&self, at: usize, from: usize) -> bool {
        if at == from { self.is_reflected.get(at) == Some(&true) } else { self.hears(at, from) }
    }

    fn hops(&self, from: usize, to: usize) -> impl Iterator<Item = &Arc> {
        let arcs = self.arcs.get(from);
        let set = self.first_hops.get(from).and_then(|all| all.sets.get(*all.to.get(to)?));
        let first = set.into_iter().flatten().take(HOPS_MAX);
        first.filter_map(move |position| arcs?.get(*position))
    }

    /// The way to another core router; with the label of its segment, or without any.
    pub(super) fn transport(
        &self,
        net: &Net<'_>,
        (from, to): (usize, usize),
        labelled: bool,
    ) -> Transport {
        let hop = |arc: &Arc| {
            let labels = if arc.to == to || !labelled {
                Vec::new()
            } else {
                vec![segment(net.config(*self.places.get(arc.to)?)?, self.sid(net, to)?)?]
            };
            Some(Hop { port: arc.port, neighbour: arc.neighbour.into(), labels })
        };
        Transport { hops: self.hops(from, to).filter_map(hop).collect(), backups: Vec::new() }
    }

    pub(super) fn config<'a>(&self, net: &Net<'a>, core: usize) -> Option<&'a RouterConfig> {
        net.config(*self.places.get(core)?)
    }

    /// The segment index of a core router.
    pub(super) fn sid(&self, net: &Net<'_>, core: usize) -> Option<u32> {
        Some(self.config(net, core)?.loopback.as_ref()?.v4_sid)
    }

    /// The first hops on every shortest path from a router to every other one. The first set is
    /// empty; the next ones are of one link each.
    fn paths_from(&self, from: usize) -> FirstHops {
        let links = self.arcs.get(from).map_or(0, Vec::len);
        let sets = core::iter::once(Vec::new()).chain((0..links).map(|link| vec![link]));
        let mut hops = FirstHops { sets: sets.collect(), to: vec![0; self.places.len()] };
        let mut distance = vec![u32::MAX; self.places.len()];
        let mut queue = BinaryHeap::from([Reverse((0, from))]);
        if let Some(own) = distance.get_mut(from) {
            *own = 0;
        }
        while let Some(Reverse((far, at))) = queue.pop() {
            let is_old = distance.get(at).is_some_and(|best| *best < far);
            let is_end = at != from && self.overload.get(at) == Some(&true);
            if is_old || is_end {
                continue;
            }
            let inherited = hops.to.get(at).copied().unwrap_or(0);
            for (link, arc) in self.arcs.get(at).into_iter().flatten().enumerate() {
                let to = far.saturating_add(arc.metric);
                let Some(best) = distance.get_mut(arc.to).filter(|best| to <= **best) else {
                    continue;
                };
                let by = if at == from { link + 1 } else { inherited };
                let known = hops.to.get(arc.to).copied().unwrap_or(0);
                let set = if to < *best { by } else { hops.union(known, by) };
                if to < *best {
                    *best = to;
                    queue.push(Reverse((to, arc.to)));
                }
                if let Some(slot) = hops.to.get_mut(arc.to).filter(|_| arc.to != from) {
                    *slot = set;
                }
            }
        }
        hops
    }

    /// Who hears whom: a router tells all its interior neighbours what its sites announce; one that
    /// reflects tells on what clients told it to all, and what others told it to its clients.
    fn set_sessions(&mut self, net: &Net<'_>) {
        let talks: Vec<Vec<(usize, bool)>> =
            (0..self.places.len()).map(|core| self.neighbours(net, core)).collect();
        self.hears = vec![BTreeSet::new(); self.places.len()];
        // Many routers have the same neighbours, and what they tell goes the same ways.
        let mut known: BTreeMap<Vec<(usize, bool)>, BTreeSet<usize>> = BTreeMap::new();
        for (from, neighbours) in talks.iter().enumerate() {
            let told = neighbours.iter().map(|(to, _)| (*to, is_client(&talks, *to, from)));
            let told: Vec<(usize, bool)> = told.collect();
            if let Some(is_reflected) = self.is_reflected.get_mut(from) {
                *is_reflected = told.iter().any(|(_, is_client)| *is_client);
            }
            let heard_by =
                known.entry(told).or_insert_with_key(|told| heard_by(told.clone(), &talks));
            for at in heard_by.iter().filter(|at| **at != from) {
                if let Some(all) = self.hears.get_mut(*at) {
                    all.insert(from);
                }
            }
        }
    }

    /// The interior neighbours that a router has a session with, and whether they are its clients.
    fn neighbours(&self, net: &Net<'_>, core: usize) -> Vec<(usize, bool)> {
        let Some(config) = self.config(net, core) else { return Vec::new() };
        let mut all = Vec::new();
        for neighbour in &config.neighbours {
            let NeighbourKind::Internal { client } = neighbour.kind else { continue };
            let Some(&far) = self.loopbacks.get(&neighbour.address) else { continue };
            let back = self.config(net, far).is_some_and(|other| {
                let mut back = other.neighbours.iter();
                back.any(|one| {
                    matches!(one.kind, NeighbourKind::Internal { .. })
                        && one.address == neighbour.local_address
                        && one.local_address == neighbour.address
                })
            });
            if back && self.reaches(core, far) {
                all.push((far, client));
            }
        }
        all.sort_unstable();
        all
    }
}

/// The label of a segment in the block of a router.
pub(super) fn segment(at: &RouterConfig, sid: u32) -> Option<Label> {
    let block = at.isis.as_ref()?.srgb;
    (sid < block.count).then(|| Label::new(block.first.value().checked_add(sid)?))?
}

fn arcs(net: &Net<'_>, numbers: &[Option<usize>], place: usize) -> Vec<Arc> {
    let Some(config) = net.config(place) else { return Vec::new() };
    let arc = |(id, own): (PortId, &model::config::Port)| {
        let PortKind::CoreLink { metric, peer, .. } = own.kind else { return None };
        let (far, far_port) = net.far(place, id)?;
        let to = numbers.get(far).copied().flatten()?;
        let is_link = |port: &model::config::Port| matches!(port.kind, PortKind::CoreLink { .. });
        let other = port(net.config(far)?, far_port)?;
        is_link(other).then_some(Arc { port: id, to, metric, neighbour: peer })
    };
    config.ports().filter_map(arc).collect()
}

/// Whether a router has another one as its client.
fn is_client(talks: &[Vec<(usize, bool)>], at: usize, of: usize) -> bool {
    talks.get(at).into_iter().flatten().any(|(far, client)| *far == of && *client)
}

/// Who hears what is told to these, who have it from a client or not.
fn heard_by(mut open: Vec<(usize, bool)>, talks: &[Vec<(usize, bool)>]) -> BTreeSet<usize> {
    let mut seen: BTreeSet<(usize, bool)> = BTreeSet::new();
    while let Some((at, from_client)) = open.pop() {
        if !seen.insert((at, from_client)) {
            continue;
        }
        for (to, client) in talks.get(at).into_iter().flatten() {
            if from_client || *client {
                open.push((*to, is_client(talks, *to, at)));
            }
        }
    }
    seen.into_iter().map(|(at, _)| at).collect()
}
