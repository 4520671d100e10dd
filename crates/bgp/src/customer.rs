//! A third party's router inside a VRF: what it announces there, and what it is told.
//!
//! Its routes carry no route distinguisher, no label and no route targets of its own choosing. What
//! it announces is kept as it came (`Heard`) and, beside that, stands in the table of VPN routes
//! under every route distinguisher of the VRF, with the route targets of the plan: from there it is
//! imported, reflected and announced under the VRF's label like any route that the VRF exports.
//! What the plan does not give it stands there refused, as with a site.
//!
//! - Whatever the router says about route targets, origins or tunnels of VPNs is taken off: only the
//!   plan says into which virtual networks a route goes.
//! - Its own VRF takes a route of it whatever the targets, and prefers it to what comes from
//!   elsewhere; the way there is its next hop on the attachment, under no label.
//! - Its next hops are addresses in the VRF, where they may mean something else than outside. They
//!   count as reachable while the session lives, or while its routes outlive it.
//!
//! Many routers, FRR for one, say everything that they are told back to whom they have it from. Such
//! an echo, with the own AS in its path, is refused without being kept, and counts against no limit:
//! else the size of the region would end its session.
//!
//! It is told the VRF's own prefixes and the best route to every other, as a border router of the
//! region tells another AS: next hop self, the own AS in front, nothing of what is the region's
//! business. It is not told what it announced itself, here or at another attachment.
//!
//! Standards: RFC 4364 §7 (exchange with routers of customers) and §10 option A, RFC 4271 §5.1.3
//! (next hop self), §6.3 and §9.1.2, RFC 2545 (IPv6).
//! Not implemented: the site of origin community (RFC 4364 §7) for one AS at several sites without
//! path loops; OSPF, RIP and static routes are not of BGP.
//!
//! Deviation from RFC 4271 §5: the transitive attributes in [`PROVIDER_ATTRIBUTES`] are taken off,
//! because they would steer the region's own routers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{Instant, Label, Prefix, RouteDistinguisher, RouteTarget, VrfId};
use core::net::IpAddr;

use crate::adj_out::{BATCH_WINDOW, Sent};
use crate::codepoints::attribute;
use crate::config::{NeighbourId, Vrf};
use crate::policy::{LOCAL_PREF_DEFAULT, Policy, RejectReason, Transform};
use crate::rib::{Path, Source};
use crate::route::{Family, LabelledNextHop, PathAttributes, VpnPrefix};
use crate::tables::{Announced, Tables};
use crate::vrf::{VrfTable, best};

/// Attributes that mean something to providers' routers alone: nobody outside may set them, and
/// nobody outside is told of them.
pub const PROVIDER_ATTRIBUTES: [u8; 4] = [
    attribute::PMSI_TUNNEL,
    attribute::TUNNEL_ENCAPSULATION,
    attribute::PREFIX_SID,
    attribute::ATTR_SET,
];

/// What a router inside a VRF announced, and where that stands.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    routes: BTreeMap<Prefix, Plain>,
    place: Option<Place>,
}

/// A route as it came.
#[derive(Debug)]
struct Plain {
    attributes: Arc<PathAttributes>,
    next_hop: IpAddr,
}

/// The VRF that the routes are in, as far as they depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    vrf: VrfId,
    label: Option<Label>,
    rd: RouteDistinguisher,
    rds: BTreeMap<NeighbourId, RouteDistinguisher>,
}

impl Place {
    fn of(table: &VrfTable) -> Self {
        let Vrf { id, rd, rds, .. } = &table.config;
        Self { vrf: *id, label: table.label, rd: *rd, rds: rds.clone() }
    }

    /// Every key that a prefix has there.
    fn keys(&self, prefix: Prefix) -> impl Iterator<Item = VpnPrefix> {
        let rds: BTreeSet<RouteDistinguisher> =
            self.rds.values().copied().chain([self.rd]).collect();
        rds.into_iter().map(move |rd| VpnPrefix { rd, prefix })
    }
}

impl Heard {
    /// The VRF that the router is in; `None` where there is no such.
    pub(crate) fn vrf(&self) -> Option<VrfId> {
        self.place.as_ref().map(|place| place.vrf)
    }

    /// The key under which the VRF itself takes a prefix.
    pub(crate) fn key(&self, prefix: Prefix) -> Option<VpnPrefix> {
        self.place.as_ref().map(|place| VpnPrefix { rd: place.rd, prefix })
    }
}

/// The attributes with which a route goes through the region.
fn carried(heard: &PathAttributes, targets: &BTreeSet<RouteTarget>) -> PathAttributes {
    let mut out = heard.clone();
    out.extended_communities = targets.iter().map(|target| target.0).collect();
    out.unknown.retain(|attribute| !PROVIDER_ATTRIBUTES.contains(&attribute.code));
    out
}

/// The attributes as far as they are no business of the region alone.
fn told(carried: &PathAttributes) -> PathAttributes {
    let mut out = carried.clone();
    out.extended_communities.clear();
    out.unknown.retain(|attribute| !PROVIDER_ATTRIBUTES.contains(&attribute.code));
    (out.local_pref, out.med, out.originator_id) = (None, None, None);
    out.cluster_list.clear();
    out
}

impl Tables {
    /// A route from a router inside a VRF.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        id: NeighbourId,
        prefix: Prefix,
        announced: &Announced<'_>,
    ) -> Result<(), RejectReason> {
        let key = VpnPrefix::plain(prefix);
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return Ok(()) };
        if announced.verdict == Err(RejectReason::AsLoop) {
            neighbour.counters.announcements_received += 1;
            // Counted and not told: such a neighbour is no trouble.
            *neighbour.counters.rejected.entry(RejectReason::AsLoop).or_default() += 1;
            if neighbour.received.contains(&key) {
                self.forget(now, id, key);
            }
            return Ok(());
        }
        if let Err(reason) = neighbour.note_announcement(now, key) {
            self.count_rejected(now, id, Some(key), reason);
            return Err(reason);
        }
        let attributes = Arc::clone(announced.attributes);
        let plain = Plain { attributes, next_hop: announced.next_hop };
        if let Some(former) = neighbour.heard.routes.insert(prefix, plain) {
            self.rib.attributes.release(&former.attributes);
        }
        if let Err(reason) = self.place_heard(now, id, prefix, false) {
            self.count_rejected(now, id, Some(key), reason);
        }
        Ok(())
    }

    /// Forgets a route that a router inside a VRF announced.
    pub(crate) fn forget_heard(&mut self, now: Instant, id: NeighbourId, prefix: Prefix) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        if let Some(former) = neighbour.heard.routes.remove(&prefix) {
            self.rib.attributes.release(&former.attributes);
        }
        let place = neighbour.heard.place.as_ref();
        let keys: Vec<VpnPrefix> =
            place.map(|place| place.keys(prefix).collect()).unwrap_or_default();
        self.displace(now, id, keys);
    }

    fn displace(&mut self, now: Instant, id: NeighbourId, keys: Vec<VpnPrefix>) {
        let source = Source::Neighbour(id);
        for key in keys {
            self.rib.remove(key, source);
            self.decide(now, key, source);
        }
    }

    /// Puts what was heard about a prefix where it belongs; `again`: the place has changed.
    ///
    /// The error says why it is not used.
    fn place_heard(
        &mut self,
        now: Instant,
        id: NeighbourId,
        prefix: Prefix,
        again: bool,
    ) -> Result<(), RejectReason> {
        let Some(neighbour) = self.neighbours.get(&id) else { return Ok(()) };
        let Policy::Customer(filter) = &neighbour.policy else { return Ok(()) };
        let Some(plain) = neighbour.heard.routes.get(&prefix) else { return Ok(()) };
        let Some(place) = &neighbour.heard.place else { return Err(RejectReason::NoVrf) };
        let (policy, config, heard) = (&neighbour.policy, &neighbour.config, &plain.attributes);
        let to = LabelledNextHop { next_hop: plain.next_hop, label: Label::IMPLICIT_NULL };
        let key = VpnPrefix::plain(prefix);
        let verdict = policy
            .check_attributes(&self.own, config, heard)
            .and_then(|()| policy.check_route(&self.own, config, key, heard, to));
        let source = Source::Neighbour(id);
        let path = Path {
            source,
            attributes: match verdict {
                Ok(()) => self.rib.attributes.intern(carried(heard, &filter.targets)),
                Err(_) => Arc::clone(heard),
            },
            to,
            local_pref: LOCAL_PREF_DEFAULT,
            refused: verdict.err(),
        };
        let keys: Vec<VpnPrefix> = place.keys(prefix).collect();
        for key in keys {
            if self.rib.insert(key, path.clone()) || again {
                self.decide(now, key, source);
            }
        }
        verdict
    }

    /// The routers inside VRFs, by VRF.
    pub(crate) fn customers_of(&self, vrf: VrfId) -> BTreeSet<NeighbourId> {
        let inside = |policy: &Policy| matches!(policy, Policy::Customer(f) if f.vrf == vrf);
        let inside = self.neighbours.iter().filter(|(_, neighbour)| inside(&neighbour.policy));
        inside.map(|(&id, _)| id).collect()
    }

    fn customers(&self) -> Vec<NeighbourId> {
        let inside = self.neighbours.iter().filter(|(_, neighbour)| neighbour.is_customer());
        inside.map(|(&id, _)| id).collect()
    }

    /// Takes what was heard away from under route distinguishers that its VRF will not have any
    /// more.
    pub(crate) fn displace_customers(&mut self, now: Instant, wanted: &[Vrf]) {
        for id in self.customers() {
            let Some(neighbour) = self.neighbours.get(&id) else { continue };
            let Policy::Customer(filter) = &neighbour.policy else { continue };
            let Some(place) = &neighbour.heard.place else { continue };
            let stays = |key: &VpnPrefix| {
                let mut vrfs = wanted.iter().filter(|vrf| vrf.id == filter.vrf);
                vrfs.any(|vrf| vrf.rd == key.rd || vrf.rds.values().any(|&rd| rd == key.rd))
            };
            let keys = neighbour.heard.routes.keys().flat_map(|&prefix| place.keys(prefix));
            let gone: Vec<VpnPrefix> = keys.filter(|key| !stays(key)).collect();
            self.displace(now, id, gone);
        }
    }

    /// Puts what was heard where it belongs under the VRFs and policies that are now in force.
    pub(crate) fn place_customers(&mut self, now: Instant) {
        for id in self.customers() {
            let Some(neighbour) = self.neighbours.get_mut(&id) else { continue };
            let Policy::Customer(filter) = &neighbour.policy else { continue };
            let place = self.vrfs.get(&filter.vrf).map(Place::of);
            let moved = neighbour.heard.place != place;
            neighbour.heard.place = place;
            if moved && neighbour.link.is_some() {
                neighbour.out.mark_sent();
                neighbour.out.walk_again(None);
                neighbour.announce(now + BATCH_WINDOW);
            }
            let prefixes: Vec<Prefix> = neighbour.heard.routes.keys().copied().collect();
            for prefix in prefixes {
                let former = self.heard_path(id, prefix).and_then(|path| path.refused);
                let verdict = self.place_heard(now, id, prefix, moved);
                if let Err(reason) = verdict
                    && former.is_none()
                    && (moved || reason != RejectReason::NoVrf)
                {
                    self.count_rejected(now, id, Some(VpnPrefix::plain(prefix)), reason);
                }
            }
        }
    }

    /// What stands in the table for what a router inside a VRF announced.
    pub(crate) fn heard_path(&self, id: NeighbourId, prefix: Prefix) -> Option<&Path> {
        let key = self.neighbours.get(&id)?.heard.key(prefix)?;
        self.rib.entry(key)?.path(Source::Neighbour(id))
    }

    /// Every router inside the VRF is owed the prefix.
    pub(crate) fn mark_customers(&mut self, now: Instant, vrf: VrfId, prefix: Prefix) {
        let Some(table) = self.vrfs.get(&vrf) else { return };
        let (key, gone) = (VpnPrefix::plain(prefix), !table.reaches(prefix));
        for id in &table.customers {
            let Some(neighbour) = self.neighbours.get_mut(id) else { continue };
            if !neighbour.speaks(Family::unicast(prefix)) {
                continue;
            }
            neighbour.out.mark(key);
            let urgent = gone && neighbour.out.sent.contains_key(&key);
            neighbour.announce(if urgent { now } else { now + BATCH_WINDOW });
        }
    }

    /// What a router inside a VRF is told of a prefix, if anything.
    pub(crate) fn decide_plain_form(&mut self, id: NeighbourId, prefix: Prefix) -> Option<Sent> {
        let (attributes, next_hop) = self.plain_offer(id, prefix)?;
        Some(Sent {
            attributes: self.rib.attributes.intern(attributes),
            transform: Transform::External { prepend: 0 },
            to: LabelledNextHop { next_hop, label: Label::IMPLICIT_NULL },
            held: None,
        })
    }

    fn plain_offer(&self, id: NeighbourId, prefix: Prefix) -> Option<(PathAttributes, IpAddr)> {
        let to = self.neighbours.get(&id)?;
        let Policy::Customer(filter) = &to.policy else { return None };
        if !to.speaks(Family::unicast(prefix)) {
            return None;
        }
        let next_hop = match prefix {
            Prefix::V4(_) => Some(to.config.local_address).filter(IpAddr::is_ipv4)?,
            Prefix::V6(_) => IpAddr::V6(filter.local_v6?),
        };
        let table = self.vrfs.get(&to.heard.vrf()?)?;
        if table.own.contains(&prefix) {
            return Some((PathAttributes::originated(), next_hop));
        }
        let ways = self.ways(table, prefix);
        let path = best(&ways)?.path;
        let attributes = &path.attributes;
        let is_its_own = path.source == Source::Neighbour(id)
            || attributes.as_path_contains(to.config.as_number);
        if is_its_own || !to.policy.communities_allow(attributes) {
            return None;
        }
        Some((told(attributes), next_hop))
    }
}
