//! One neighbour as the routing tables see it: its policy, what it sent, what it is owed.
//!
//! The connection is elsewhere ([`crate::session`]); here a neighbour either has a [`Link`], with
//! what was agreed on, or none. Without one it was told nothing and is owed nothing, and has no
//! routes but those that outlived their session ([`crate::graceful_restart`]).
//!
//! A route is known here by the name that the neighbour gave it: for a router inside a VRF that is
//! the prefix alone ([`VpnPrefix::plain`]).
//!
//! Standards: none of its own; see [`crate::policy`], [`crate::adj_out`] and
//! [`crate::membership`].
//! Not implemented: none.

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant, RouterId};

use crate::adj_out::AdjOut;
use crate::config;
use crate::customer::Heard;
use crate::graceful_restart::{GracefulRestart, Stale};
use crate::membership::Asked;
use crate::policy::{Policy, RejectReason};
use crate::route::{Family, FamilySet, VpnPrefix};
use crate::session::Negotiated;

/// The most routes from a neighbour inside the trust boundary: above every region that is planned,
/// and still finite.
pub const ROUTES_MAX: usize = 2_000_000;

/// How often a router outside the trust boundary may announce each of its routes within
/// [`CHANGES_WINDOW`]: far more than repairs and restarts take, and so little that one site cannot
/// use up the labels of all others, each of which rests for a while after use.
pub const CHANGES_PER_ROUTE: u64 = 20;

/// See [`CHANGES_PER_ROUTE`].
pub const CHANGES_WINDOW: Duration = Duration::from_secs(60);

/// How often people are told that routes of one neighbour are refused for one reason.
pub const REJECTED_EVENT_INTERVAL: Duration = Duration::from_secs(10);

/// An established session, as far as routes depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The families that both speak.
    pub families: FamilySet,
    /// Whether AS numbers take four octets on the wire.
    pub four_octet_as: bool,
    /// The neighbour's BGP identifier.
    pub router_id: RouterId,
    /// What outlives the session, and for how long.
    pub graceful_restart: Option<GracefulRestart>,
}

impl From<&Negotiated> for Link {
    fn from(negotiated: &Negotiated) -> Self {
        Self {
            families: negotiated.families,
            four_octet_as: negotiated.four_octet_as,
            router_id: negotiated.peer_router_id,
            graceful_restart: negotiated.graceful_restart,
        }
    }
}

/// What was counted since the neighbour was configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Announcements received.
    pub announcements_received: u64,
    /// Withdrawals received.
    pub withdrawals_received: u64,
    /// Announcements sent.
    pub announcements_sent: u64,
    /// Withdrawals sent.
    pub withdrawals_sent: u64,
    /// Routes refused on the way in, or not sent on the way out, by reason.
    pub rejected: BTreeMap<RejectReason, u64>,
}

/// One neighbour.
#[derive(Debug)]
pub(crate) struct Neighbour {
    pub(crate) config: config::Neighbour,
    pub(crate) policy: Policy,
    pub(crate) link: Option<Link>,
    /// Every route that it announced, accepted or not.
    pub(crate) received: BTreeSet<VpnPrefix>,
    /// The memberships that it announced.
    pub(crate) asked: Asked,
    /// What of all that outlived its session; never empty.
    pub(crate) stale: Option<Stale>,
    /// What it announced from inside a VRF, and where that stands.
    pub(crate) heard: Heard,
    /// Families whose End-of-RIB it has not sent yet.
    pub(crate) ends_awaited: FamilySet,
    pub(crate) out: AdjOut,
    pub(crate) counters: Counters,
    /// When the current window of changes began, and how many there were in it.
    changes: (Instant, u64),
    /// When people were last told, by reason.
    told: BTreeMap<RejectReason, Instant>,
}

impl Neighbour {
    pub(crate) fn new(config: config::Neighbour) -> Self {
        Self {
            policy: Policy::new(&config.kind),
            config,
            link: None,
            received: BTreeSet::new(),
            asked: Asked::default(),
            stale: None,
            heard: Heard::default(),
            ends_awaited: FamilySet::EMPTY,
            out: AdjOut::default(),
            counters: Counters::default(),
            changes: (Instant::ZERO, 0),
            told: BTreeMap::new(),
        }
    }

    /// Takes note of an announcement; why there are too many.
    pub(crate) fn note_announcement(
        &mut self,
        now: Instant,
        key: VpnPrefix,
    ) -> Result<(), RejectReason> {
        self.counters.announcements_received += 1;
        let routes_max = self.routes_max();
        if !self.received.contains(&key) || self.is_stale(key) {
            // What it announced before a restart does not count against what it announces after.
            if self.received.len() - self.stale_routes() >= routes_max {
                return Err(RejectReason::TooManyRoutes);
            }
            self.received.insert(key);
            self.forget_stale(key);
        }
        let (since, changes) = &mut self.changes;
        if now.since(*since) >= CHANGES_WINDOW {
            (*since, *changes) = (now, 0);
        }
        *changes += 1;
        let changes_max = CHANGES_PER_ROUTE.saturating_mul(routes_max as u64);
        let limited = matches!(self.policy, Policy::Site(_) | Policy::Customer(_));
        if limited && *changes > changes_max {
            return Err(RejectReason::TooManyChanges);
        }
        Ok(())
    }

    /// Whether it is a router inside a VRF.
    pub(crate) const fn is_customer(&self) -> bool {
        matches!(self.policy, Policy::Customer(_))
    }

    /// Whether it is its own next hop, at the other end of an uplink.
    pub(crate) const fn is_uplink(&self) -> bool {
        matches!(self.policy, Policy::Site(_) | Policy::Core { .. })
    }

    /// The family in which it announces a route of this name.
    pub(crate) const fn family_of(&self, key: VpnPrefix) -> Family {
        if self.is_customer() { Family::unicast(key.prefix) } else { Family::vpn(key.prefix) }
    }

    /// Its BGP identifier, as long as it has a session or routes that outlived one.
    pub(crate) fn router_id(&self) -> Option<RouterId> {
        let link = self.link.map(|link| link.router_id);
        link.or_else(|| self.stale.as_ref().map(|stale| stale.router_id))
    }

    /// Whether the family is spoken on an established session.
    pub(crate) fn speaks(&self, family: Family) -> bool {
        self.link.is_some_and(|link| link.families.contains(family))
    }

    pub(crate) const fn routes_max(&self) -> usize {
        match &self.policy {
            Policy::Site(site) => site.max_routes,
            Policy::Customer(customer) => customer.max_routes,
            Policy::Internal { .. } | Policy::Core { .. } => ROUTES_MAX,
        }
    }

    /// Counts a refusal; says whether people are to be told.
    pub(crate) fn count_rejected(&mut self, now: Instant, reason: RejectReason) -> bool {
        *self.counters.rejected.entry(reason).or_default() += 1;
        if reason.is_ordinary() {
            return false;
        }
        let last = self.told.get(&reason);
        if last.is_some_and(|&last| now.since(last) < REJECTED_EVENT_INTERVAL) {
            return false;
        }
        self.told.insert(reason, now);
        true
    }

    /// Whether it asked for a route with one of these targets, or could not ask.
    pub(crate) fn wants(&self, attributes: &crate::route::PathAttributes) -> bool {
        !self.speaks(Family::RouteTargetConstrain)
            || attributes.route_targets().any(|target| self.asked.wants(target))
    }

    /// Something is owed: the driver hears of it at `at`, unless it hears of something earlier.
    pub(crate) fn announce(&mut self, at: Instant) {
        if !self.out.announced && self.out.has_work() {
            let earlier = self.out.announce_at.filter(|&set| set <= at);
            self.out.announce_at = earlier.or(Some(at));
        }
    }
}

/// `set` without `family`.
pub(crate) fn without(set: FamilySet, family: Family) -> FamilySet {
    set.iter().filter(|&other| other != family).collect()
}
