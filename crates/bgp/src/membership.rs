//! Route target memberships: which routes a neighbour wants to hear of at all.
//!
//! A core router says which route targets its VRFs import and its sites may be told; a reflector
//! passes on what others said, so that each router gets the routes it needs and no others. What a
//! neighbour asked for is [`Asked`]; what it is told is computed anew whenever something that it
//! depends on changes, one membership at a time.
//!
//! A neighbour is told a membership if this router wants the routes itself, or if another internal
//! neighbour asked for them and the rules of reflection allow to pass that on. What only the
//! neighbour itself asked for is not repeated to it: nobody else needs its routes.
//!
//! An internal neighbour that does not speak this family wants everything; what it would be
//! reflected is asked for with the default membership.
//!
//! Routes wait for the End-of-RIB of memberships, so that ours behind them means that all is said.
//! RFC 4684 §6 leaves it to us whether to wait at all. An internal neighbour that does not speak of
//! restarts is not waited for: some, GoBGP for one, then send no such marker though that section
//! wants it regardless, and none has a use for ours. It gets what it asks for as it asks, and
//! nothing else.
//!
//! Standards: RFC 4684 §3.2 (distribution, originator towards clients), §4 (NLRI), §6 (End-of-RIB
//! before VPN routes, bounded by [`END_OF_RIB_WAIT`]).
//! Not implemented: RFC 4684 §3.1 across ASes, except to and from a site where configured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Duration, Instant, RouteTarget};

use crate::adj_out::BATCH_WINDOW;
use crate::config::NeighbourId;
use crate::neighbour::Neighbour;
use crate::nlri::Membership;
use crate::policy::{LOCAL_PREF_DEFAULT, Policy, RejectReason, Transform};
use crate::route::{Family, PathAttributes, VpnPrefix};
use crate::tables::Tables;

/// How long a neighbour may take to say all it wants before it is sent routes anyway: RFC 4684 §6
/// wants a bound and suggests this order of magnitude.
pub const END_OF_RIB_WAIT: Duration = Duration::from_secs(60);

/// The most memberships of one neighbour: more than a region has virtual networks.
pub const MEMBERSHIPS_MAX: usize = 100_000;

/// What one neighbour asked for.
#[derive(Debug, Default)]
pub struct Asked {
    memberships: BTreeMap<Membership, Arc<PathAttributes>>,
    /// Memberships in one route target, counted: several ASes may ask for the same.
    exact: BTreeMap<RouteTarget, u32>,
    /// Memberships in many: the default, and prefixes of route targets.
    wide: BTreeSet<Membership>,
}

impl Asked {
    /// Whether a route with this target is wanted.
    #[must_use]
    pub fn wants(&self, target: RouteTarget) -> bool {
        self.exact.contains_key(&target) || self.wide.iter().any(|wide| wide.covers(target))
    }

    /// The attributes with which the membership came.
    #[must_use]
    pub fn attributes(&self, membership: Membership) -> Option<&Arc<PathAttributes>> {
        self.memberships.get(&membership)
    }

    /// Every membership.
    pub fn iter(&self) -> impl Iterator<Item = Membership> {
        self.memberships.keys().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.memberships.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memberships.is_empty()
    }

    /// Notes a membership; returns the attributes that it had before.
    pub fn insert(
        &mut self,
        membership: Membership,
        attributes: Arc<PathAttributes>,
    ) -> Option<Arc<PathAttributes>> {
        let former = self.memberships.insert(membership, attributes);
        if former.is_none() {
            match membership.target() {
                Some(target) => *self.exact.entry(target).or_default() += 1,
                None => {
                    self.wide.insert(membership);
                }
            }
        }
        former
    }

    /// Forgets a membership; returns its attributes.
    pub fn remove(&mut self, membership: Membership) -> Option<Arc<PathAttributes>> {
        let former = self.memberships.remove(&membership)?;
        match membership.target() {
            Some(target) => {
                if let Some(count) = self.exact.get_mut(&target) {
                    *count -= 1;
                    if *count == 0 {
                        self.exact.remove(&target);
                    }
                }
            }
            None => {
                self.wide.remove(&membership);
            }
        }
        Some(former)
    }
}

/// The attributes of a membership and what is made of them; `None`: this router originates it.
pub(crate) type MembershipOffer = (Option<Arc<PathAttributes>>, Transform);

impl Tables {
    /// A neighbour asks for routes.
    pub(crate) fn add_membership(
        &mut self,
        now: Instant,
        id: NeighbourId,
        membership: Membership,
        attributes: &Arc<PathAttributes>,
    ) -> Result<(), RejectReason> {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return Ok(()) };
        neighbour.forget_stale_membership(membership);
        if neighbour.asked.len() >= MEMBERSHIPS_MAX
            && neighbour.asked.attributes(membership).is_none()
        {
            self.count_rejected(now, id, None, RejectReason::TooManyMemberships);
            return Err(RejectReason::TooManyMemberships);
        }
        let former = neighbour.asked.insert(membership, Arc::clone(attributes));
        match &former {
            Some(former) => self.rib.attributes.release(former),
            None => self.reconsider_routes(now, id, membership),
        }
        if former.as_ref() != Some(attributes) {
            self.tell_membership(now, membership);
        }
        Ok(())
    }

    /// A neighbour asks for routes no longer.
    pub(crate) fn withdraw_membership(
        &mut self,
        now: Instant,
        id: NeighbourId,
        membership: Membership,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        neighbour.forget_stale_membership(membership);
        let Some(former) = neighbour.asked.remove(membership) else { return };
        self.rib.attributes.release(&former);
        self.reconsider_routes(now, id, membership);
        self.tell_membership(now, membership);
    }

    /// The session that memberships came over is gone.
    pub(crate) fn forget_memberships(&mut self, now: Instant, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        let asked = core::mem::take(&mut neighbour.asked);
        for (membership, attributes) in asked.memberships {
            self.rib.attributes.release(&attributes);
            self.tell_membership(now, membership);
        }
    }

    /// The neighbour is owed the routes that the membership decides about.
    fn reconsider_routes(&mut self, now: Instant, id: NeighbourId, membership: Membership) {
        let target = membership.target();
        let keys: Vec<VpnPrefix> =
            target.map(|target| self.rib.with_target(target).collect()).unwrap_or_default();
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        if neighbour.link.is_none() {
            return;
        }
        match target {
            Some(_) => keys.into_iter().for_each(|key| neighbour.out.mark(key)),
            None => neighbour.out.walk_again(None),
        }
        neighbour.announce(now + BATCH_WINDOW);
    }

    /// Every neighbour is told anew about one membership.
    pub(crate) fn tell_membership(&mut self, now: Instant, membership: Membership) {
        for neighbour in self.neighbours.values_mut() {
            if neighbour.speaks(Family::RouteTargetConstrain) {
                neighbour.out.memberships_dirty.insert(membership);
                neighbour.announce(now + BATCH_WINDOW);
            }
        }
    }

    /// Whether everything is wanted may have changed: an internal neighbour that cannot ask came or
    /// went.
    pub(crate) fn tell_default_membership(&mut self, now: Instant) {
        self.tell_membership(now, Membership::DEFAULT);
    }

    /// A new session: the neighbour is told everything.
    pub(crate) fn owe_all_memberships(&mut self, now: Instant, id: NeighbourId) {
        let own_as = self.own.as_number;
        let mut all: BTreeSet<Membership> = self
            .neighbours
            .values()
            .filter(|neighbour| neighbour.config.id != id)
            .flat_map(|neighbour| neighbour.asked.iter())
            .collect();
        all.insert(Membership::DEFAULT);
        all.extend(self.interest.iter().map(|&target| Membership::new(own_as, target)));
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        if let Policy::Site(site) = &neighbour.policy {
            let targets = site.accepted_targets.iter();
            all.extend(targets.map(|&target| Membership::new(own_as, target)));
        }
        if neighbour.speaks(Family::RouteTargetConstrain) {
            neighbour.out.memberships_dirty.append(&mut all);
            neighbour.announce(now);
        }
    }

    /// Whether and how a neighbour is told a membership.
    pub(crate) fn membership_offer(
        &self,
        id: NeighbourId,
        membership: Membership,
    ) -> Option<MembershipOffer> {
        let to = self.neighbours.get(&id)?;
        if self.asks_itself(to, membership) {
            let transform = if to.config.kind.is_internal() {
                Transform::Internal { local_pref: LOCAL_PREF_DEFAULT }
            } else {
                Transform::External { prepend: 0 }
            };
            return Some((None, transform));
        }
        let Policy::Internal { client: to_client } = to.policy else { return None };
        let (from, attributes) = self
            .reflected_to(to)
            .filter_map(|from| Some((from, from.asked.attributes(membership)?)))
            .min_by_key(|(from, attributes)| (attributes.cluster_list.len(), from.config.id))?;
        let transform = if to_client {
            Transform::Vouch
        } else {
            Transform::Reflect { originator: from.router_id()? }
        };
        Some((Some(Arc::clone(attributes)), transform))
    }

    /// The internal neighbours whose routes and wishes are reflected to this one (RFC 4456 §6).
    fn reflected_to(&self, to: &Neighbour) -> impl Iterator<Item = &Neighbour> {
        let (id, to_client) = (to.config.id, client(&to.policy));
        self.neighbours.values().filter(move |from| {
            let either = client(&from.policy).zip(to_client).is_some_and(|(from, to)| from || to);
            either && from.config.id != id && from.router_id().is_some()
        })
    }

    /// Whether this router wants the routes from that neighbour, whoever else does.
    fn asks_itself(&self, to: &Neighbour, membership: Membership) -> bool {
        let rtc = Family::RouteTargetConstrain;
        if membership == Membership::DEFAULT {
            // Who cannot ask gets everything, and so everything is asked for.
            return self.reflected_to(to).any(|from| from.link.is_some() && !from.speaks(rtc));
        }
        if membership.origin_as() != Some(self.own.as_number) {
            return false;
        }
        let Some(target) = membership.target() else { return false };
        match &to.policy {
            Policy::Site(site) => site.accepted_targets.contains(&target),
            Policy::Internal { .. } | Policy::Core { .. } => self.interest.contains(&target),
            Policy::Customer(_) => false,
        }
    }
}

/// Whether an internal neighbour is a client; `None` for all others.
const fn client(policy: &Policy) -> Option<bool> {
    match policy {
        Policy::Internal { client } => Some(*client),
        Policy::Site(_) | Policy::Core { .. } | Policy::Customer(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;
    use crate::nlri::Membership;
    use crate::route::PathAttributes;
    use base::{AsNumber, RouteTarget};
    use std::sync::Arc;

    #[test]
    fn a_target_is_wanted_until_the_last_membership_that_covers_it_is_gone() {
        let attributes = Arc::new(PathAttributes::originated());
        let target = RouteTarget::with_as(65000, 7);
        let mut asked = Asked::default();
        let all = [
            Membership::new(AsNumber(1), target),
            Membership::new(AsNumber(2), target),
            Membership::with_prefix(AsNumber(1), target.0, 64).unwrap(),
            Membership::DEFAULT,
        ];
        assert!(!asked.wants(target));
        for membership in all {
            assert!(asked.insert(membership, Arc::clone(&attributes)).is_none());
        }
        assert!(asked.wants(RouteTarget::with_as(1, 1)));
        for membership in all {
            assert!(asked.wants(target));
            assert!(asked.remove(membership).is_some());
        }
        assert!(!asked.wants(target) && asked.is_empty());
        assert!(asked.remove(Membership::DEFAULT).is_none());
    }
}
