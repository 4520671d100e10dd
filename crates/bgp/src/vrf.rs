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
//! Standards: RFC 4364 §4.1 (several route distinguishers for one prefix), §4.3.1 (import by route
//! target), §4.3.6 (routes between VRFs of one router).
//! Not implemented: load sharing over equal paths.

use std::collections::{BTreeMap, BTreeSet};

use base::{Label, Prefix, RouteDistinguisher};

use crate::config::Vrf;
use crate::decision::{self, Candidate};
use crate::rib::{Entry, Path, Source};
use crate::route::{LabelledNextHop, VpnPrefix};

/// The most ways to one prefix that a VRF is given: one in use, one in reserve.
pub const PATHS_MAX: usize = 2;

/// One way to a prefix of a VRF.
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
            rds: BTreeMap::new(),
            delivered: BTreeMap::new(),
        }
    }

    /// Whether the VRF imports this path.
    pub(crate) fn imports(&self, path: &Path) -> bool {
        path.refused.is_none()
            && path.source != Source::Vrf(self.config.id)
            && path.attributes.route_targets().any(|target| self.config.import.contains(&target))
    }

    /// Takes note that the paths to a VPN prefix changed; whether that may matter here.
    pub(crate) fn touch(&mut self, key: VpnPrefix, entry: Option<&Entry>) -> bool {
        let imported = entry.is_some_and(|entry| entry.paths().iter().any(|p| self.imports(p)));
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

/// The way to use and the way in reserve, among usable candidates.
pub(crate) fn choose(candidates: &[(VrfPath, Candidate<'_>)]) -> Vec<VrfPath> {
    let ladder: Vec<Candidate<'_>> = candidates.iter().map(|(_, candidate)| *candidate).collect();
    let best = decision::best(&ladder).and_then(|position| candidates.get(position));
    let Some((best, _)) = best else { return Vec::new() };
    let mut chosen = vec![*best];
    // A reserve that leads to the same next hop falls with the first; it is the last resort.
    let differs = |path: &VrfPath| path.to.next_hop != best.to.next_hop;
    let reserves = candidates.iter().filter(|(path, _)| path.to != best.to);
    let (apart, beside): (Vec<_>, Vec<_>) = reserves.partition(|(path, _)| differs(path));
    let reserves = if apart.is_empty() { beside } else { apart };
    let ladder: Vec<Candidate<'_>> = reserves.iter().map(|(_, candidate)| *candidate).collect();
    let reserve = decision::best(&ladder).and_then(|position| reserves.get(position));
    chosen.extend(reserve.map(|(path, _)| *path));
    chosen.truncate(PATHS_MAX);
    chosen
}
