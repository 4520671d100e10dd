//! What one neighbour was told, and what it is still owed: its Adj-RIB-Out (RFC 4271 §3.2).
//!
//! Updates are not queued. A neighbour is owed *prefixes*, and what is said about a prefix is
//! decided when there is room in its connection: however often a route changes meanwhile, only its
//! newest state is sent, and a slow neighbour costs a set of prefixes and no more.
//!
//! Owed prefixes come from two places: a *walk* over the whole table, begun when the session comes
//! up or the neighbour asks for a refresh, and the *dirty* set of what changed behind the walk.
//! What was sent before is compared, so that an unchanged route is not repeated.
//!
//! A label that was advertised is held by the record of what was sent, and let go of as soon as the
//! decision falls, not when the neighbour reads the withdrawal: a site that stops reading must not
//! keep what it may no longer reach.
//!
//! Standards: RFC 4271 §3.2, §9.2 (only changes are sent), RFC 2918 §4 (refresh), RFC 4724 §2
//! (End-of-RIB when all was sent).
//! Not implemented: RFC 7313 (enhanced refresh).
//!
//! Deviation from RFC 4271 §9.2.1.1: MinRouteAdvertisementInterval is a short [`BATCH_WINDOW`] for
//! all prefixes together, because a change is to be known everywhere within seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Duration, Instant, LabelSpace};
use core::ops::Bound;

use crate::nlri::Membership;
use crate::policy::Transform;
use crate::rib::Rib;
use crate::route::{Family, FamilySet, LabelledNextHop, PathAttributes, VpnPrefix};

/// How long announcements wait for company, so that they share messages; withdrawals do not wait.
pub const BATCH_WINDOW: Duration = Duration::from_millis(5);

/// The most prefixes that are decided in one go: enough to fill messages, few enough to keep
/// close to the room that the connection has.
pub const BATCH_MAX: usize = 512;

/// A route as it was last sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The attributes as they were received.
    pub attributes: Arc<PathAttributes>,
    /// What was made of them.
    pub transform: Transform,
    /// Next hop and label.
    pub to: LabelledNextHop,
    /// Where a reference to that label is held.
    pub held: Option<LabelSpace>,
}

impl Sent {
    /// Whether the neighbour would notice a difference.
    #[must_use]
    pub fn reads_like(&self, other: &Self) -> bool {
        self.to == other.to
            && self.transform == other.transform
            && (Arc::ptr_eq(&self.attributes, &other.attributes)
                || self.attributes == other.attributes)
    }
}

/// A membership as it was last sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentMembership {
    /// The attributes as they were received, or originated.
    pub attributes: Arc<PathAttributes>,
    /// What was made of them.
    pub transform: Transform,
}

/// What one neighbour was told and is owed.
#[derive(Debug, Default)]
pub struct AdjOut {
    /// Where the walk goes on; `None` when it is over.
    walk: Option<Bound<VpnPrefix>>,
    /// Families that the walk repeats even if nothing changed.
    repeat: FamilySet,
    dirty: BTreeSet<VpnPrefix>,
    /// What could not be sent for want of a label.
    starved: BTreeSet<VpnPrefix>,
    /// What was sent.
    pub sent: BTreeMap<VpnPrefix, Sent>,
    /// Memberships to look at.
    pub memberships_dirty: BTreeSet<Membership>,
    /// Memberships that were sent; `None`: to be repeated.
    pub memberships_sent: BTreeMap<Membership, Option<SentMembership>>,
    /// Families whose End-of-RIB is owed.
    pub ends_owed: FamilySet,
    /// Until when the neighbour may say what it wants before it is sent VPN routes.
    pub waits_for_memberships: Option<Instant>,
    /// When the driver is told that something waits.
    pub announce_at: Option<Instant>,
    /// The driver was told, and has not taken everything.
    pub announced: bool,
}

/// A prefix that is owed, and whether it is sent even if it reads as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// The prefix.
    pub key: VpnPrefix,
    /// Whether the neighbour asked for a repetition.
    pub repeat: bool,
}

impl AdjOut {
    /// Everything is owed, and an End-of-RIB for each of these families after it.
    #[must_use]
    pub fn established(families: FamilySet) -> Self {
        Self { walk: Some(Bound::Unbounded), ends_owed: families, ..Self::default() }
    }

    /// Walks the whole table again; `repeat`: and sends its routes whether they changed or not.
    pub fn walk_again(&mut self, repeat: Option<Family>) {
        self.walk = Some(Bound::Unbounded);
        if let Some(family) = repeat {
            self.repeat = self.repeat.with(family);
        }
    }

    /// A prefix changed.
    pub fn mark(&mut self, key: VpnPrefix) {
        let ahead = match self.walk {
            Some(Bound::Unbounded) => true,
            Some(Bound::Excluded(done)) => key > done,
            Some(Bound::Included(next)) => key >= next,
            None => false,
        };
        // The walk comes by; but a prefix that left the table meanwhile it would not find.
        if !ahead || self.sent.contains_key(&key) {
            self.dirty.insert(key);
        }
    }

    /// A route could not be sent because no label was left.
    pub fn starve(&mut self, key: VpnPrefix) {
        self.starved.insert(key);
    }

    /// Labels are left again; says whether something waited for one.
    pub fn feed(&mut self) -> bool {
        let any = !self.starved.is_empty();
        self.dirty.append(&mut self.starved);
        any
    }

    /// The next owed prefixes, at most `limit`: first what changed, then what the walk finds.
    pub fn take(&mut self, rib: &Rib, limit: usize) -> Vec<Owed> {
        let mut owed = Vec::new();
        while owed.len() < limit
            && let Some(key) = self.dirty.pop_first()
        {
            owed.push(Owed { key, repeat: false });
        }
        let Some(start) = self.walk else { return owed };
        let room = limit - owed.len();
        let mut last = None;
        for (key, _) in rib.range(start).take(room) {
            let repeat = self.repeat.contains(family_of(key));
            owed.push(Owed { key, repeat });
            last = Some(key);
        }
        if room > 0 && owed.len() < limit {
            self.walk = None;
            self.repeat = FamilySet::EMPTY;
        } else if let Some(key) = last {
            self.walk = Some(Bound::Excluded(key));
        }
        owed
    }

    /// Whether VPN routes are owed.
    #[must_use]
    pub fn owes_routes(&self) -> bool {
        self.walk.is_some() || !self.dirty.is_empty()
    }

    /// Whether anything can be sent now.
    #[must_use]
    pub fn has_work(&self) -> bool {
        if !self.memberships_dirty.is_empty()
            || self.ends_owed.contains(Family::RouteTargetConstrain)
        {
            return true;
        }
        self.waits_for_memberships.is_none() && (self.owes_routes() || !self.ends_owed.is_empty())
    }

    /// Whether nothing is owed, now or later.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.has_work() && self.waits_for_memberships.is_none() && self.starved.is_empty()
    }
}

/// The family that carries a VPN prefix.
#[must_use]
pub const fn family_of(key: VpnPrefix) -> Family {
    match key.prefix {
        base::Prefix::V4(_) => Family::VpnIpv4,
        base::Prefix::V6(_) => Family::VpnIpv6,
    }
}

#[cfg(test)]
mod tests {
    use super::AdjOut;
    use crate::config::NeighbourId;
    use crate::rib::{Path, Rib, Source};
    use crate::route::{Family, FamilySet, LabelledNextHop, PathAttributes, VpnPrefix};
    use base::{Label, RouteDistinguisher};
    use core::net::{IpAddr, Ipv4Addr};

    fn key(number: u32) -> VpnPrefix {
        let prefix = "10.0.0.0/8".parse().unwrap();
        VpnPrefix { rd: RouteDistinguisher::with_as(1, number), prefix }
    }

    fn rib(keys: core::ops::Range<u32>) -> Rib {
        let mut rib = Rib::default();
        for number in keys {
            let attributes = rib.attributes.intern(PathAttributes::originated());
            let next_hop = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let path = Path {
                source: Source::Neighbour(NeighbourId(0)),
                attributes,
                to: LabelledNextHop { next_hop, label: Label::FIRST_FREE },
                local_pref: 100,
                refused: None,
            };
            rib.insert(key(number), path);
        }
        rib
    }

    fn taken(out: &mut AdjOut, rib: &Rib, limit: usize) -> Vec<VpnPrefix> {
        out.take(rib, limit).into_iter().map(|owed| owed.key).collect()
    }

    #[test]
    fn the_walk_goes_over_everything_once_and_changes_behind_it_come_again() {
        let rib = rib(0..5);
        let mut out = AdjOut::established(FamilySet::EMPTY);
        assert_eq!(taken(&mut out, &rib, 2), [key(0), key(1)]);
        out.mark(key(1));
        out.mark(key(3));
        assert_eq!(taken(&mut out, &rib, 2), [key(1), key(2)]);
        assert_eq!(taken(&mut out, &rib, 9), [key(3), key(4)]);
        assert!(!out.has_work());
        out.mark(key(3));
        out.mark(key(3));
        assert_eq!(taken(&mut out, &rib, 9), [key(3)]);
    }

    #[test]
    fn a_refresh_repeats_its_family_alone() {
        let rib = rib(0..2);
        let mut out = AdjOut::established(FamilySet::EMPTY);
        out.take(&rib, 9);
        out.walk_again(Some(Family::VpnIpv6));
        assert!(out.take(&rib, 9).iter().all(|owed| !owed.repeat));
        out.walk_again(Some(Family::VpnIpv4));
        assert!(out.take(&rib, 9).iter().all(|owed| owed.repeat));
        out.walk_again(None);
        assert!(out.take(&rib, 9).iter().all(|owed| !owed.repeat));
    }
}
