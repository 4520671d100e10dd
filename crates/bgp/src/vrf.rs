//! VRFs: what each imports, and which ways to a prefix it is given.
//!
//! A VRF imports every VPN route that carries one of its import targets, whatever the route
//! distinguisher; here routes with different route distinguishers meet and are compared. It is
//! given the best way and, where there is one, a second way that leads to another next hop: what
//! forwarding switches to when the first fails, without waiting for this speaker.
//!
//! What a VRF exports itself it does not import. What another VRF of this router exports it does:
//! such a path leads [`Source::Vrf`] and not over a label-switched path.
//!
//! What a router inside the VRF announced ([`crate::customer`]) it takes whatever the targets, and
//! before everything else; another VRF of this router imports it by target like any route.
//!
//! Standards: RFC 4364 §4.1 (several route distinguishers for one prefix), §4.3.1 (import by route
//! target), §4.3.6 (routes between VRFs of one router).
//! Not implemented: load sharing over equal paths.

use std::collections::{BTreeMap, BTreeSet};

use base::{Label, Prefix, RouteDistinguisher};
use core::iter;
use core::ops::Bound;

use crate::config::{NeighbourId, Vrf};
use crate::decision::{self, Candidate};
use crate::rib::{Entry, Path, Source};
use crate::route::{LabelledNextHop, VpnPrefix};

/// The most ways to one prefix that a VRF is given: one in use, one in reserve.
pub const PATHS_MAX: usize = 2;

/// One way to a prefix of a VRF. Where `via` is a neighbour of kind
/// [`crate::NeighbourKind::Customer`], that neighbour's attachment is the way, under no label
/// ([`Label::IMPLICIT_NULL`]), and the next hop is an address on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VrfPath {
    /// The label to push and the next hop to send to; where `via` is a VRF, its own label.
    pub to: LabelledNextHop,
    /// Who announced it: a neighbour, or another VRF of this router.
    pub via: Source,
    /// The route distinguisher under which it came.
    pub rd: RouteDistinguisher,
}

/// One VRF's imports.
#[derive(Debug)]
pub(crate) struct VrfTable {
    pub(crate) config: Vrf,
    /// `None` where the block had no label left: nothing is exported then.
    pub(crate) label: Option<Label>,
    /// What it exports, under every route distinguisher.
    pub(crate) exported: BTreeSet<VpnPrefix>,
    /// The prefixes of it.
    pub(crate) own: BTreeSet<Prefix>,
    /// The routers inside the VRF.
    pub(crate) customers: BTreeSet<NeighbourId>,
    /// The route distinguishers under which a prefix is imported.
    rds: BTreeMap<Prefix, BTreeSet<RouteDistinguisher>>,
    /// What the driver was last told.
    delivered: BTreeMap<Prefix, Vec<VrfPath>>,
}

impl VrfTable {
    pub(crate) const fn new(config: Vrf, label: Option<Label>) -> Self {
        Self {
            config,
            label,
            exported: BTreeSet::new(),
            own: BTreeSet::new(),
            customers: BTreeSet::new(),
            rds: BTreeMap::new(),
            delivered: BTreeMap::new(),
        }
    }

    /// Whether the VRF imports this path to a VPN prefix.
    pub(crate) fn imports(&self, key: VpnPrefix, path: &Path) -> bool {
        if path.refused.is_some() || path.source == Source::Vrf(self.config.id) {
            return false;
        }
        if self.is_attached(path.source) {
            // It stands under every route distinguisher of the VRF; once is enough.
            return key.rd == self.config.rd;
        }
        path.attributes.route_targets().any(|target| self.config.import.contains(&target))
    }

    /// Whether it is a router inside the VRF.
    pub(crate) fn is_attached(&self, source: Source) -> bool {
        matches!(source, Source::Neighbour(id) if self.customers.contains(&id))
    }

    /// Takes note that the paths to a VPN prefix changed; whether that may matter here.
    pub(crate) fn touch(&mut self, key: VpnPrefix, entry: Option<&Entry>) -> bool {
        let mut paths = entry.into_iter().flat_map(Entry::paths);
        let imported = paths.any(|path| self.imports(key, path));
        if imported {
            self.rds.entry(key.prefix).or_default().insert(key.rd);
            return true;
        }
        let Some(rds) = self.rds.get_mut(&key.prefix) else { return false };
        let was_imported = rds.remove(&key.rd);
        if rds.is_empty() {
            self.rds.remove(&key.prefix);
        }
        was_imported
    }

    /// The VPN prefixes that are imported as `prefix`.
    pub(crate) fn keys(&self, prefix: Prefix) -> impl Iterator<Item = VpnPrefix> {
        self.rds.get(&prefix).into_iter().flatten().map(move |&rd| VpnPrefix { rd, prefix })
    }

    /// Every imported prefix.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.rds.keys().copied()
    }

    /// Every prefix that there may be a way to, the own ones included, in order from `start` on.
    pub(crate) fn reachable(&self, start: Bound<Prefix>) -> impl Iterator<Item = Prefix> {
        let range = (start, Bound::Unbounded);
        let mut own = self.own.range(range).copied().peekable();
        let mut imported = self.rds.range(range).map(|(&prefix, _)| prefix).peekable();
        iter::from_fn(move || {
            let next = own.peek().into_iter().chain(imported.peek()).min().copied();
            own.next_if(|&prefix| Some(prefix) == next);
            imported.next_if(|&prefix| Some(prefix) == next);
            next
        })
    }

    /// Whether there may be a way to the prefix.
    pub(crate) fn reaches(&self, prefix: Prefix) -> bool {
        self.own.contains(&prefix) || self.rds.contains_key(&prefix)
    }

    /// What the driver was last told.
    pub(crate) const fn delivered(&self) -> &BTreeMap<Prefix, Vec<VrfPath>> {
        &self.delivered
    }

    /// Notes what the driver is told; `false` where that is nothing new.
    pub(crate) fn deliver(&mut self, prefix: Prefix, paths: &[VrfPath]) -> bool {
        let former = self.delivered.get(&prefix).map_or(&[][..], Vec::as_slice);
        if former == paths {
            return false;
        }
        if paths.is_empty() {
            self.delivered.remove(&prefix);
        } else {
            self.delivered.insert(prefix, paths.to_vec());
        }
        true
    }
}

/// A usable way to a prefix of a VRF, and the path that it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) way: VrfPath,
    pub(crate) candidate: Candidate<'a>,
    pub(crate) path: &'a Path,
}

/// The best of several ways.
pub(crate) fn best<'w, 'a>(ways: &'w [Way<'a>]) -> Option<&'w Way<'a>> {
    let ladder: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate).collect();
    decision::best(&ladder).and_then(|position| ways.get(position))
}

/// The way to use and the way in reserve.
pub(crate) fn choose(ways: &[Way<'_>]) -> Vec<VrfPath> {
    let Some(Way { way: first, .. }) = best(ways) else { return Vec::new() };
    let mut chosen = vec![*first];
    // A reserve that leads to the same next hop falls with the first; it is the last resort.
    let differs = |way: &Way<'_>| way.way.to.next_hop != first.to.next_hop;
    let reserves = ways.iter().copied().filter(|way| way.way.to != first.to);
    let (apart, beside): (Vec<_>, Vec<_>) = reserves.partition(differs);
    let reserves = if apart.is_empty() { beside } else { apart };
    chosen.extend(best(&reserves).map(|reserve| reserve.way));
    chosen.truncate(PATHS_MAX);
    chosen
}
