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
    /// Whether it is told of the prefixes of a VRF, in the families without route distinguishers.
    pub plain: bool,
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
    pub fn established(families: FamilySet, plain: bool) -> Self {
        Self { plain, walk: Some(Bound::Unbounded), ends_owed: families, ..Self::default() }
    }

    /// The family in which the neighbour is told of a prefix.
    #[must_use]
    pub const fn family_of(&self, key: VpnPrefix) -> Family {
        if self.plain { Family::unicast(key.prefix) } else { Family::vpn(key.prefix) }
    }

    /// Everything that was sent is to be looked at again.
    pub fn mark_sent(&mut self) {
        self.dirty.extend(self.sent.keys());
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

    /// The next owed prefixes, at most `limit`: first what changed, then what the walk finds in the
    /// table, whose prefixes `table` gives in order from some point on.
    pub fn take<K>(&mut self, limit: usize, table: impl FnOnce(Bound<VpnPrefix>) -> K) -> Vec<Owed>
    where
        K: Iterator<Item = VpnPrefix>,
    {
        let mut owed = Vec::new();
        while owed.len() < limit
            && let Some(key) = self.dirty.pop_first()
        {
            owed.push(Owed { key, repeat: false });
        }
        let Some(start) = self.walk else { return owed };
        let room = limit - owed.len();
        let mut last = None;
        for key in table(start).take(room) {
            let repeat = self.repeat.contains(self.family_of(key));
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

#[cfg(test)]
mod tests {
    use super::{AdjOut, Bound, Owed};
    use crate::route::{Family, FamilySet, VpnPrefix};
    use base::RouteDistinguisher;
    use std::collections::BTreeSet;

    fn key(number: u32) -> VpnPrefix {
        let prefix = "10.0.0.0/8".parse().unwrap();
        VpnPrefix { rd: RouteDistinguisher::with_as(1, number), prefix }
    }

    type Table = BTreeSet<VpnPrefix>;

    fn owed(out: &mut AdjOut, table: &Table, limit: usize) -> Vec<Owed> {
        out.take(limit, |start| table.range((start, Bound::Unbounded)).copied())
    }

    fn taken(out: &mut AdjOut, table: &Table, limit: usize) -> Vec<VpnPrefix> {
        owed(out, table, limit).into_iter().map(|owed| owed.key).collect()
    }

    #[test]
    fn the_walk_goes_over_everything_once_and_changes_behind_it_come_again() {
        let rib: Table = (0..5).map(key).collect();
        let mut out = AdjOut::established(FamilySet::EMPTY, false);
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
        let rib: Table = (0..2).map(key).collect();
        for (plain, own, other) in [
            (false, Family::VpnIpv4, Family::VpnIpv6),
            (true, Family::Ipv4Unicast, Family::Ipv6Unicast),
        ] {
            let mut out = AdjOut::established(FamilySet::EMPTY, plain);
            owed(&mut out, &rib, 9);
            out.walk_again(Some(other));
            assert!(owed(&mut out, &rib, 9).iter().all(|owed| !owed.repeat));
            out.walk_again(Some(own));
            assert!(owed(&mut out, &rib, 9).iter().all(|owed| owed.repeat));
            out.walk_again(None);
            assert!(owed(&mut out, &rib, 9).iter().all(|owed| !owed.repeat));
        }
    }
}
