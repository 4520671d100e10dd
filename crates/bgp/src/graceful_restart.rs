//! Graceful restart, as the one that stays: a peer's routes outlive the loss of its connection.
//!
//! A peer whose control plane restarts while it goes on forwarding says so beforehand, in
//! [`GracefulRestart`]. When its connection is then lost, and nothing was said about why, its
//! routes are kept as *stale*: used, announced and compared as before, for at most the time that
//! the peer asked for. When the session is back, what the peer did not keep is dropped at once,
//! what it announces again is fresh, and its End-of-RIB ends the rest.
//!
//! Stale routes are ordinary routes with a note beside them (`Stale`). So a new policy, another
//! route target or the end of a VRF acts on them as on all others, and there is no way in which one
//! could be overlooked. They end at once when
//! - the driver says that the neighbour may not be spoken to: its port or path is down;
//! - the session is not configured any more, or otherwise;
//! - the connection is lost a second time, or ended with a word;
//! - another router answers in the peer's place.
//!
//! Only neighbours of kinds `Internal` and `Customer` are offered this. On an uplink the router at
//! the other end forwards with the very program that restarts.
//!
//! Standards: RFC 4724 §3 (capability), §4.2 (procedures of the receiving speaker).
//! Not implemented: RFC 4724 §4.1 (restarting speaker: this one forwards nothing while it restarts,
//! and says so with a restart time of zero and no families), RFC 8538 (a NOTIFICATION message
//! always ends the routes), RFC 9494.
//!
//! Deviation from RFC 4724 §3: routes for a peer that has the Restart State bit set still wait for
//! its memberships (RFC 4684 §6), because without them nothing would be sent before End-of-RIB; the
//! wait is bounded all the same.

use std::collections::BTreeSet;

use base::{Duration, Instant, RouterId};

use crate::codepoints::{afi_safi, capability, family};
use crate::config::NeighbourId;
use crate::neighbour::{Link, Neighbour};
use crate::nlri::Membership;
use crate::rib::{Path, Source};
use crate::route::{Family, FamilySet, VpnPrefix};
use crate::tables::Tables;

/// The longest that routes wait for their peer's return, whatever it asks for: what most routers
/// ask for, and no longer, because a peer that does not return may have lost its state too.
pub const RESTART_TIME_MAX: Duration = Duration::from_secs(120);

/// The longest that they wait for End-of-RIB after that: enough for the whole table of a region,
/// with the peer's own wait for its other neighbours before.
pub const STALE_TIME_MAX: Duration = Duration::from_secs(180);

const RESTART_STATE: u16 = 0x8000;
const TIME_MASK: u16 = 0x0fff;
const FORWARDING_STATE: u8 = 0x80;

/// The graceful restart capability (RFC 4724 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// Restart State: the speaker comes from a restart.
    pub restarting: bool,
    /// Seconds until it is back after a restart; below 4,096.
    pub time: u16,
    /// The families in which it goes on forwarding meanwhile, as far as this speaker knows them.
    pub families: FamilySet,
    /// Those of them in which it did so over its last restart (Forwarding State).
    pub preserved: FamilySet,
}

impl GracefulRestart {
    /// What a speaker says that outlives restarts of others and has none of its own.
    pub const HELPER: Self = Self {
        restarting: false,
        time: 0,
        families: FamilySet::EMPTY,
        preserved: FamilySet::EMPTY,
    };

    /// Reads the capability's value; `None` where it is malformed.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (&head, rest) = value.split_first_chunk::<2>()?;
        let head = u16::from_be_bytes(head);
        let (entries, []) = rest.as_chunks::<4>() else { return None };
        let mut restart =
            Self { restarting: head & RESTART_STATE != 0, time: head & TIME_MASK, ..Self::HELPER };
        for &[high, low, safi, flags] in entries {
            let Some(family) = family(u16::from_be_bytes([high, low]), safi) else { continue };
            restart.families = restart.families.with(family);
            if flags & FORWARDING_STATE != 0 {
                restart.preserved = restart.preserved.with(family);
            }
        }
        Some(restart)
    }

    /// Appends the whole capability.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let len = 2 + 4 * self.families.iter().count();
        let state = if self.restarting { RESTART_STATE } else { 0 };
        out.extend_from_slice(&[capability::GRACEFUL_RESTART, u8::try_from(len).unwrap_or(2)]);
        out.extend_from_slice(&(state | self.time & TIME_MASK).to_be_bytes());
        for family in self.families.iter() {
            let (afi, safi) = afi_safi(family);
            let [high, low] = afi.to_be_bytes();
            let flags = if self.preserved.contains(family) { FORWARDING_STATE } else { 0 };
            out.extend_from_slice(&[high, low, safi, flags]);
        }
    }

    /// The same, about these families alone.
    pub(crate) const fn limited_to(self, families: FamilySet) -> Self {
        Self {
            families: self.families.intersection(families),
            preserved: self.preserved.intersection(families),
            ..self
        }
    }
}

/// What a neighbour announced before its connection was lost, and has not announced again.
#[derive(Debug)]
pub(crate) struct Stale {
    /// Its routes.
    pub(crate) routes: BTreeSet<VpnPrefix>,
    /// Its memberships.
    pub(crate) memberships: BTreeSet<Membership>,
    /// Who it was.
    pub(crate) router_id: RouterId,
    /// When all of it ends.
    pub(crate) until: Instant,
}

impl Neighbour {
    /// Notes as stale what the neighbour asked to keep when its connection was lost.
    pub(crate) fn retain(&mut self, now: Instant, link: &Link) {
        let Some(restart) = link.graceful_restart else { return };
        let wait = Duration::from_secs(restart.time.into()).min(RESTART_TIME_MAX);
        // RFC 4724 §4.2: every family of the capability, whatever its Forwarding State bit: that
        // bit speaks of the restart before.
        let kept = |key: &&VpnPrefix| restart.families.contains(self.family_of(**key));
        let asked = restart.families.contains(Family::RouteTargetConstrain);
        let stale = Stale {
            routes: self.received.iter().filter(kept).copied().collect(),
            memberships: self.asked.iter().filter(|_| asked).collect(),
            router_id: link.router_id,
            until: now + wait,
        };
        let is_empty = stale.routes.is_empty() && stale.memberships.is_empty();
        self.stale = Some(stale).filter(|_| !is_empty && !wait.is_zero());
    }

    /// A route was announced again, or is gone.
    pub(crate) fn forget_stale(&mut self, key: VpnPrefix) {
        if let Some(stale) = &mut self.stale {
            stale.routes.remove(&key);
            self.end_staleness();
        }
    }

    /// A membership was announced again, or is gone.
    pub(crate) fn forget_stale_membership(&mut self, membership: Membership) {
        if let Some(stale) = &mut self.stale {
            stale.memberships.remove(&membership);
            self.end_staleness();
        }
    }

    fn end_staleness(&mut self) {
        self.stale.take_if(|stale| stale.routes.is_empty() && stale.memberships.is_empty());
    }

    /// Whether what is known by this key outlived its session.
    pub(crate) fn is_stale(&self, key: VpnPrefix) -> bool {
        self.stale.as_ref().is_some_and(|stale| stale.routes.contains(&key))
    }

    /// How many routes outlived their session.
    pub(crate) fn stale_routes(&self) -> usize {
        self.stale.as_ref().map_or(0, |stale| stale.routes.len())
    }
}

impl Tables {
    /// The session is back: what the peer did not preserve is void, the rest waits for End-of-RIB.
    pub(crate) fn resume(&mut self, now: Instant, id: NeighbourId, link: &Link) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        let Some(stale) = &mut neighbour.stale else { return };
        stale.until = now + STALE_TIME_MAX;
        let preserved = match link.graceful_restart {
            Some(restart) if stale.router_id == link.router_id => restart.preserved,
            Some(_) | None => FamilySet::EMPTY,
        };
        self.drop_stale(now, id, FamilySet::ALL.difference(preserved));
    }

    /// Ends what is still stale in these families.
    pub(crate) fn drop_stale(&mut self, now: Instant, id: NeighbourId, families: FamilySet) {
        let Some(neighbour) = self.neighbours.get(&id) else { return };
        let Some(stale) = &neighbour.stale else { return };
        let is_over = |key: &VpnPrefix| families.contains(neighbour.family_of(*key));
        let routes: Vec<VpnPrefix> = stale.routes.iter().copied().filter(is_over).collect();
        let memberships: Vec<Membership> = if families.contains(Family::RouteTargetConstrain) {
            stale.memberships.iter().copied().collect()
        } else {
            Vec::new()
        };
        for key in routes {
            self.forget(now, id, key);
        }
        for membership in memberships {
            self.withdraw_membership(now, id, membership);
        }
    }

    /// Whether a path in the table outlived the session that it came over.
    pub(crate) fn is_stale(&self, key: VpnPrefix, path: &Path) -> bool {
        let Source::Neighbour(id) = path.source else { return false };
        self.neighbours.get(&id).is_some_and(|neighbour| {
            let plain = VpnPrefix::plain(key.prefix);
            neighbour.is_stale(if neighbour.is_customer() { plain } else { key })
        })
    }

    /// Ends what has been stale for too long.
    pub(crate) fn drop_overdue(&mut self, now: Instant) {
        let overdue = self.neighbours.iter().filter(|(_, neighbour)| {
            neighbour.stale.as_ref().is_some_and(|stale| stale.until <= now)
        });
        let overdue: Vec<NeighbourId> = overdue.map(|(&id, _)| id).collect();
        for id in overdue {
            self.drop_stale(now, id, FamilySet::ALL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GracefulRestart;
    use crate::route::{Family, FamilySet};

    fn encoded(restart: &GracefulRestart) -> Vec<u8> {
        let mut out = Vec::new();
        restart.encode(&mut out);
        out
    }

    #[test]
    fn a_speaker_that_only_outlives_others_says_nothing_but_that() {
        assert_eq!(encoded(&GracefulRestart::HELPER), [64, 2, 0, 0]);
        assert_eq!(GracefulRestart::decode(&[0, 0]), Some(GracefulRestart::HELPER));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let preserved = FamilySet::EMPTY.with(Family::VpnIpv6);
        let families = preserved.with(Family::Ipv4Unicast);
        let restart = GracefulRestart { restarting: true, time: 4095, families, preserved };
        let octets = encoded(&restart);
        assert_eq!(octets, [64, 10, 0x8f, 0xff, 0, 1, 1, 0, 0, 2, 128, 0x80]);
        assert_eq!(GracefulRestart::decode(&octets[2..]), Some(restart));
    }

    #[test]
    fn unknown_families_and_reserved_bits_are_skipped() {
        let restart = GracefulRestart::decode(&[0x70, 1, 0, 25, 65, 0x80, 0, 1, 128, 0x7f]);
        let families = FamilySet::EMPTY.with(Family::VpnIpv4);
        let expected = GracefulRestart { time: 1, families, ..GracefulRestart::HELPER };
        assert_eq!(restart, Some(expected));
    }

    #[test]
    fn a_value_cut_anywhere_but_between_families_is_malformed() {
        let value = [0x80, 120, 0, 1, 1, 0x80, 0, 2, 1, 0];
        for len in 0..value.len() {
            let whole = len >= 2 && (len - 2) % 4 == 0;
            assert_eq!(GracefulRestart::decode(&value[..len]).is_some(), whole, "{len}");
        }
    }
}
