//! Writing updates: what a neighbour is owed becomes messages while there is room.
//!
//! Memberships go first, then their End-of-RIB; VPN routes wait until the neighbour has said what
//! it wants. They are decided in batches, withdrawals before announcements, and routes that leave
//! with equal attributes share messages. When all is said the End-of-RIB of each family follows.
//!
//! Standards: RFC 4271 §9.2, RFC 4760 §3 and §4, RFC 4684 §6, RFC 4724 §2 (End-of-RIB).
//! Not implemented: see [`crate::adj_out`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Instant;
use core::net::IpAddr;
use core::ops::Bound;

use crate::adj_out::{AdjOut, BATCH_MAX, Owed, Sent, SentMembership};
use crate::config::NeighbourId;
use crate::neighbour::{Link, Neighbour, without};
use crate::nlri::{Membership, VpnNlri};
use crate::policy::{RejectReason, Transform};
use crate::route::{Family, FamilySet, LabelledNextHop, PathAttributes, VpnPrefix};
use crate::tables::Tables;
use crate::update::{Writer, encode_end_of_rib};

/// The share of the room that one prefix is counted with, so that a batch about fills it: a VPNv6
/// route, or a VPNv4 route with a part of its attributes.
const OCTETS_PER_ROUTE: usize = 32;

/// What shares messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    family: Family,
    next_hop: IpAddr,
    transform: Transform,
    attributes: Arc<PathAttributes>,
}

/// What was decided and is to be written.
#[derive(Debug, Default)]
struct Batch {
    withdrawn: Vec<VpnPrefix>,
    announced: BTreeMap<Group, Vec<VpnNlri>>,
}

/// Adds a route as its family carries it.
fn push(writer: &mut Writer<'_>, family: Family, route: &VpnNlri) {
    match family {
        Family::Ipv4Unicast | Family::Ipv6Unicast => writer.push_prefix(route.key.prefix),
        Family::VpnIpv4 | Family::VpnIpv6 | Family::RouteTargetConstrain => writer.push_vpn(route),
    }
}

impl Tables {
    /// Appends what the neighbour is owed, as long as `out` is shorter than `limit`; the last batch
    /// may reach beyond it.
    pub(crate) fn fill(&mut self, now: Instant, id: NeighbourId, out: &mut Vec<u8>, limit: usize) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        let Some(link) = neighbour.link else { return };
        neighbour.out.announced = false;
        neighbour.out.announce_at = None;
        let mut adj = core::mem::take(&mut neighbour.out);
        self.fill_memberships(id, link, &mut adj, out, limit);
        while adj.waits_for_memberships.is_none() && adj.owes_routes() && out.len() < limit {
            let room = (limit - out.len()) / OCTETS_PER_ROUTE;
            let owed = self.take_owed(id, &mut adj, room.clamp(1, BATCH_MAX));
            self.fill_batch(now, id, link, &mut adj, owed, out);
        }
        if adj.waits_for_memberships.is_none() && !adj.owes_routes() {
            for family in adj.ends_owed.iter() {
                encode_end_of_rib(family, out);
            }
            adj.ends_owed = FamilySet::EMPTY;
        }
        if let Some(neighbour) = self.neighbours.get_mut(&id) {
            neighbour.out = adj;
        }
    }

    /// The next prefixes that the neighbour is owed: of the table of VPN routes, or of its VRF.
    fn take_owed(&self, id: NeighbourId, adj: &mut AdjOut, limit: usize) -> Vec<Owed> {
        if !adj.plain {
            return adj.take(limit, |start| self.rib.range(start).map(|(key, _)| key));
        }
        let vrf = self.neighbours.get(&id).and_then(|neighbour| neighbour.heard.vrf());
        let table = vrf.and_then(|vrf| self.vrfs.get(&vrf));
        adj.take(limit, |start: Bound<VpnPrefix>| {
            let start = start.map(|key| key.prefix);
            let prefixes = table.into_iter().flat_map(move |table| table.reachable(start));
            prefixes.map(VpnPrefix::plain)
        })
    }

    fn fill_batch(
        &mut self,
        now: Instant,
        id: NeighbourId,
        link: Link,
        adj: &mut AdjOut,
        owed: Vec<Owed>,
        out: &mut Vec<u8>,
    ) {
        let mut batch = Batch::default();
        for owed in owed {
            self.decide_owed(now, id, adj, owed, &mut batch);
        }
        self.write_withdrawn(id, adj, &batch.withdrawn, out);
        let mut too_large = Vec::new();
        for (group, routes) in &batch.announced {
            let attributes = group.transform.apply(&self.own, &group.attributes);
            let writer = Writer::announce(
                group.family,
                &attributes,
                group.next_hop,
                link.four_octet_as,
                out,
            );
            let Ok(mut writer) = writer else {
                too_large.extend(routes.iter().map(|route| route.key));
                continue;
            };
            for route in routes {
                push(&mut writer, group.family, route);
            }
            writer.finish();
            self.count_sent(id, routes.len(), 0);
        }
        drop(batch);
        for &key in &too_large {
            self.count_rejected(now, id, Some(key), RejectReason::TooLarge);
            if let Some(sent) = adj.sent.remove(&key) {
                self.let_go(now, sent);
            }
        }
        self.write_withdrawn(id, adj, &too_large, out);
    }

    fn count_sent(&mut self, id: NeighbourId, announcements: usize, withdrawals: usize) {
        if let Some(neighbour) = self.neighbours.get_mut(&id) {
            neighbour.counters.announcements_sent += announcements as u64;
            neighbour.counters.withdrawals_sent += withdrawals as u64;
        }
    }

    fn write_withdrawn(
        &mut self,
        id: NeighbourId,
        adj: &AdjOut,
        withdrawn: &[VpnPrefix],
        out: &mut Vec<u8>,
    ) {
        let families: BTreeSet<Family> = withdrawn.iter().map(|&key| adj.family_of(key)).collect();
        for family in families {
            let mut writer = Writer::withdraw(family, out);
            for &key in withdrawn.iter().filter(|&&key| adj.family_of(key) == family) {
                push(&mut writer, family, &VpnNlri { key, label: None });
            }
            writer.finish();
        }
        self.count_sent(id, 0, withdrawn.len());
    }

    /// What is said about one prefix, if anything.
    fn decide_owed(
        &mut self,
        now: Instant,
        id: NeighbourId,
        adj: &mut AdjOut,
        owed: Owed,
        batch: &mut Batch,
    ) {
        let key = owed.key;
        let Some(fresh) = self.decide_form(now, id, adj, key) else {
            if let Some(former) = adj.sent.remove(&key) {
                batch.withdrawn.push(key);
                self.let_go(now, former);
            }
            return;
        };
        let unchanged = adj.sent.get(&key).is_some_and(|former| former.reads_like(&fresh));
        if !unchanged || owed.repeat {
            let LabelledNextHop { next_hop, label } = fresh.to;
            let group = Group {
                family: adj.family_of(key),
                next_hop,
                transform: fresh.transform,
                attributes: Arc::clone(&fresh.attributes),
            };
            let nlri = VpnNlri { key, label: Some(label) };
            batch.announced.entry(group).or_default().push(nlri);
        }
        // Only now, so that a label that stays is not let go of in between.
        if let Some(former) = adj.sent.insert(key, fresh) {
            self.let_go(now, former);
        }
    }

    fn decide_form(
        &mut self,
        now: Instant,
        id: NeighbourId,
        adj: &mut AdjOut,
        key: VpnPrefix,
    ) -> Option<Sent> {
        if adj.plain {
            return self.decide_plain_form(id, key.prefix);
        }
        let (offer, path) = self.offer(self.neighbours.get(&id)?, key)?;
        let (attributes, received) = (Arc::clone(&path.attributes), path.to);
        let Some((to, held)) = self.relabel(now, offer.relabel, received) else {
            adj.starve(key);
            self.count_rejected(now, id, Some(key), RejectReason::NoLabel);
            return None;
        };
        Some(Sent { attributes, transform: offer.transform, to, held })
    }

    fn fill_memberships(
        &mut self,
        id: NeighbourId,
        link: Link,
        adj: &mut AdjOut,
        out: &mut Vec<u8>,
        limit: usize,
    ) {
        let family = Family::RouteTargetConstrain;
        if !link.families.contains(family) {
            return;
        }
        let mut groups: BTreeMap<(Transform, Arc<PathAttributes>), Vec<Membership>> =
            BTreeMap::new();
        let mut withdrawn = Vec::new();
        let mut room = limit.saturating_sub(out.len());
        while room > 0
            && let Some(membership) = adj.memberships_dirty.pop_first()
        {
            room = room.saturating_sub(OCTETS_PER_ROUTE);
            let fresh = self.decide_membership(id, membership);
            let former = adj.memberships_sent.remove(&membership);
            match &fresh {
                Some(fresh) if former != Some(Some(fresh.clone())) => {
                    let group = (fresh.transform, Arc::clone(&fresh.attributes));
                    groups.entry(group).or_default().push(membership);
                }
                None if former.is_some() => withdrawn.push(membership),
                Some(_) | None => {}
            }
            if let Some(fresh) = fresh {
                adj.memberships_sent.insert(membership, Some(fresh));
            }
            if let Some(former) = former.flatten() {
                self.rib.attributes.release(&former.attributes);
            }
        }
        let mut writer = Writer::withdraw(family, out);
        for membership in withdrawn {
            writer.push_membership(membership);
        }
        writer.finish();
        self.write_memberships(id, link, groups, out);
        if adj.memberships_dirty.is_empty() && adj.ends_owed.contains(family) {
            encode_end_of_rib(family, out);
            adj.ends_owed = without(adj.ends_owed, family);
        }
    }

    fn write_memberships(
        &self,
        id: NeighbourId,
        link: Link,
        groups: BTreeMap<(Transform, Arc<PathAttributes>), Vec<Membership>>,
        out: &mut Vec<u8>,
    ) {
        let Some(neighbour) = self.neighbours.get(&id) else { return };
        let next_hop = self.own_next_hop(neighbour);
        for ((transform, attributes), memberships) in groups {
            let attributes = transform.apply(&self.own, &attributes);
            let family = Family::RouteTargetConstrain;
            let four = link.four_octet_as;
            // An originated membership always fits; a reflected one that does not is not passed on.
            let Ok(mut writer) = Writer::announce(family, &attributes, next_hop, four, out) else {
                continue;
            };
            for membership in memberships {
                writer.push_membership(membership);
            }
            writer.finish();
        }
    }

    fn own_next_hop(&self, neighbour: &Neighbour) -> IpAddr {
        let local = neighbour.config.local_address;
        if neighbour.config.kind.is_internal() { self.own.loopback.unwrap_or(local) } else { local }
    }

    fn decide_membership(
        &mut self,
        id: NeighbourId,
        membership: Membership,
    ) -> Option<SentMembership> {
        let (attributes, transform) = self.membership_offer(id, membership)?;
        let attributes = match attributes {
            Some(shared) => shared,
            None => self.rib.attributes.intern(PathAttributes::originated()),
        };
        Some(SentMembership { attributes, transform })
    }
}
