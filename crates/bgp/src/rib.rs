//! The table of all routes: for each VPN prefix every path that was heard or is exported here.
//!
//! One table serves as Adj-RIB-In of every neighbour and as Loc-RIB (RFC 4271 §3.2): an [`Entry`]
//! holds one [`Path`] per source, as received, beside what policy said about it, and names the
//! best. Attributes are shared: equal ones exist once in [`AttributeTable`].
//!
//! Two indices keep work in proportion to what changed: routes by route target (a membership or an
//! import list changes) and by next hop (reachability changes). Refused paths are in neither.
//!
//! Standards: RFC 4271 §3.2, §9.1 (phases 1 and 2), RFC 4364 §4.1 (routes with different route
//! distinguishers are never compared here; VRFs do that).
//! Not implemented: none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{RouteTarget, VrfId};
use core::fmt;
use core::net::IpAddr;

use crate::config::NeighbourId;
use crate::policy::RejectReason;
use crate::route::{LabelledNextHop, PathAttributes, VpnPrefix};

/// Where a path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A VRF of this router exports it.
    Vrf(VrfId),
    /// A neighbour announced it.
    Neighbour(NeighbourId),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vrf(vrf) => vrf.fmt(f),
            Self::Neighbour(neighbour) => neighbour.fmt(f),
        }
    }
}

/// One way to a VPN prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Where it comes from.
    pub source: Source,
    /// Its attributes, as received.
    pub attributes: Arc<PathAttributes>,
    /// Where it leads.
    pub to: LabelledNextHop,
    /// The degree of preference that policy gave it.
    pub local_pref: u32,
    /// Why policy refused it.
    pub refused: Option<RejectReason>,
}

/// Attributes that are in use, each once.
#[derive(Debug, Default)]
pub struct AttributeTable(BTreeSet<Arc<PathAttributes>>);

impl AttributeTable {
    /// The shared form of these attributes.
    pub fn intern(&mut self, attributes: PathAttributes) -> Arc<PathAttributes> {
        if let Some(known) = self.0.get(&attributes) {
            return Arc::clone(known);
        }
        let shared = Arc::new(attributes);
        self.0.insert(Arc::clone(&shared));
        shared
    }

    /// Lets go of one use; the last one frees them.
    pub fn release(&mut self, attributes: &Arc<PathAttributes>) {
        // The table's own reference, and the one about to be dropped.
        if Arc::strong_count(attributes) <= 2 {
            self.0.remove(attributes);
        }
    }

    /// How many different ones there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All paths to one VPN prefix.
#[derive(Debug, Default)]
pub struct Entry {
    paths: Vec<Path>,
    best: Option<Source>,
}

impl Entry {
    /// Every path, by source.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The path of this source.
    #[must_use]
    pub fn path(&self, source: Source) -> Option<&Path> {
        self.paths.iter().find(|path| path.source == source)
    }

    /// The path that the decision process chose.
    #[must_use]
    pub fn best(&self) -> Option<&Path> {
        self.path(self.best?)
    }

    /// Whose path the decision process chose.
    #[must_use]
    pub const fn best_source(&self) -> Option<Source> {
        self.best
    }

    fn position(&self, source: Source) -> Result<usize, usize> {
        self.paths.binary_search_by_key(&source, |path| path.source)
    }

    fn has_target(&self, target: RouteTarget) -> bool {
        let mut usable = self.paths.iter().filter(|path| path.refused.is_none());
        usable.any(|path| path.attributes.route_targets().any(|other| other == target))
    }

    fn has_next_hop(&self, next_hop: IpAddr) -> bool {
        let mut usable = self.paths.iter().filter(|path| path.refused.is_none());
        usable.any(|path| path.to.next_hop == next_hop)
    }
}

/// The table.
#[derive(Debug, Default)]
pub struct Rib {
    entries: BTreeMap<VpnPrefix, Entry>,
    by_target: BTreeMap<RouteTarget, BTreeSet<VpnPrefix>>,
    by_next_hop: BTreeMap<IpAddr, BTreeSet<VpnPrefix>>,
    /// The attributes of all paths, and of what was announced onward.
    pub attributes: AttributeTable,
}

impl Rib {
    /// The paths to a prefix.
    #[must_use]
    pub fn entry(&self, key: VpnPrefix) -> Option<&Entry> {
        self.entries.get(&key)
    }

    /// Every prefix in order, from `start` on.
    pub fn range(
        &self,
        start: core::ops::Bound<VpnPrefix>,
    ) -> impl Iterator<Item = (VpnPrefix, &Entry)> {
        let range = (start, core::ops::Bound::Unbounded);
        self.entries.range(range).map(|(&key, entry)| (key, entry))
    }

    /// The number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The prefixes that have a path with this route target.
    pub fn with_target(&self, target: RouteTarget) -> impl Iterator<Item = VpnPrefix> {
        self.by_target.get(&target).into_iter().flatten().copied()
    }

    /// The prefixes that have a path over this next hop.
    pub fn with_next_hop(&self, next_hop: IpAddr) -> impl Iterator<Item = VpnPrefix> {
        self.by_next_hop.get(&next_hop).into_iter().flatten().copied()
    }

    /// Puts a path in the place of its source's former one; `false` where it is the same.
    pub fn insert(&mut self, key: VpnPrefix, path: Path) -> bool {
        let entry = self.entries.entry(key).or_default();
        match entry.position(path.source) {
            Ok(position) => {
                let Some(slot) = entry.paths.get_mut(position) else { return false };
                if *slot == path {
                    return false;
                }
                let former = core::mem::replace(slot, path.clone());
                self.unindex(key, &former);
            }
            Err(position) => {
                // Most prefixes have one path; growing by doubling would cost four.
                entry.paths.reserve_exact(1);
                entry.paths.insert(position, path.clone());
            }
        }
        self.index(key, &path);
        true
    }

    /// Removes the path of a source; `false` where there was none.
    pub fn remove(&mut self, key: VpnPrefix, source: Source) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        let Ok(position) = entry.position(source) else { return false };
        let former = entry.paths.remove(position);
        self.unindex(key, &former);
        true
    }

    /// Notes which path is the best, and forgets a prefix without paths.
    pub fn set_best(&mut self, key: VpnPrefix, best: Option<Source>) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.best = best;
        if entry.paths.is_empty() {
            self.entries.remove(&key);
        }
    }

    fn index(&mut self, key: VpnPrefix, path: &Path) {
        if path.refused.is_some() {
            return;
        }
        for target in path.attributes.route_targets() {
            self.by_target.entry(target).or_default().insert(key);
        }
        self.by_next_hop.entry(path.to.next_hop).or_default().insert(key);
    }

    fn unindex(&mut self, key: VpnPrefix, former: &Path) {
        if former.refused.is_none() {
            let entry = self.entries.get(&key);
            for target in former.attributes.route_targets() {
                if !entry.is_some_and(|entry| entry.has_target(target)) {
                    forget(&mut self.by_target, target, key);
                }
            }
            if !entry.is_some_and(|entry| entry.has_next_hop(former.to.next_hop)) {
                forget(&mut self.by_next_hop, former.to.next_hop, key);
            }
        }
        self.attributes.release(&former.attributes);
    }
}

fn forget<K: Ord>(index: &mut BTreeMap<K, BTreeSet<VpnPrefix>>, under: K, key: VpnPrefix) {
    if let Some(keys) = index.get_mut(&under) {
        keys.remove(&key);
        if keys.is_empty() {
            index.remove(&under);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Rib, Source};
    use crate::config::NeighbourId;
    use crate::policy::RejectReason;
    use crate::route::{LabelledNextHop, PathAttributes, VpnPrefix};
    use base::{Label, RouteDistinguisher, RouteTarget};
    use core::net::{IpAddr, Ipv4Addr};

    fn key(last: u32) -> VpnPrefix {
        let rd = RouteDistinguisher::with_as(65000, last);
        VpnPrefix { rd, prefix: "10.0.0.0/8".parse().unwrap() }
    }

    fn path(rib: &mut Rib, neighbour: u32, target: u32, hop: u8) -> Path {
        let mut attributes = PathAttributes::originated();
        attributes.extended_communities = vec![RouteTarget::with_as(65000, target).0];
        Path {
            source: Source::Neighbour(NeighbourId(neighbour)),
            attributes: rib.attributes.intern(attributes),
            to: LabelledNextHop {
                next_hop: IpAddr::V4(Ipv4Addr::new(192, 0, 2, hop)),
                label: Label::FIRST_FREE,
            },
            local_pref: 100,
            refused: None,
        }
    }

    #[test]
    fn indices_follow_the_paths_and_nothing_is_left_of_removed_ones() {
        let mut rib = Rib::default();
        let (one, two) = (RouteTarget::with_as(65000, 1), RouteTarget::with_as(65000, 2));
        let first = path(&mut rib, 1, 1, 1);
        let second = path(&mut rib, 2, 1, 2);
        let (hop, source) = (first.to.next_hop, first.source);
        assert!(rib.insert(key(1), first));
        assert!(rib.insert(key(1), second));
        assert_eq!(rib.attributes.len(), 1);
        assert_eq!(rib.with_target(one).count(), 1);
        let changed = path(&mut rib, 1, 2, 1);
        assert!(rib.insert(key(1), changed.clone()));
        assert!(!rib.insert(key(1), changed));
        assert_eq!((rib.with_target(one).count(), rib.with_target(two).count()), (1, 1));
        assert!(rib.remove(key(1), source));
        assert_eq!((rib.with_target(two).count(), rib.with_next_hop(hop).count()), (0, 0));
        assert!(rib.remove(key(1), Source::Neighbour(NeighbourId(2))));
        assert!(!rib.remove(key(1), Source::Neighbour(NeighbourId(2))));
        rib.set_best(key(1), None);
        assert!(rib.is_empty() && rib.attributes.is_empty());
        assert!(rib.by_target.is_empty() && rib.by_next_hop.is_empty());
    }

    #[test]
    fn refused_paths_are_kept_and_not_found_by_target() {
        let mut rib = Rib::default();
        let accepted = path(&mut rib, 1, 1, 1);
        let refused = Path { refused: Some(RejectReason::AsLoop), ..accepted.clone() };
        rib.insert(key(1), accepted);
        rib.insert(key(1), refused);
        assert_eq!(rib.with_target(RouteTarget::with_as(65000, 1)).count(), 0);
        assert_eq!(rib.entry(key(1)).unwrap().paths().len(), 1);
    }
}
