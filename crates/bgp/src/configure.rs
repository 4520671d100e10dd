//! Taking over a configuration: only what differs is touched.
//!
//! Sessions whose parameters did not change stay up. A neighbour whose policy changed has what it
//! announced checked again (refused routes are kept for this), loses the labels that it is no
//! longer offered at once, and is owed a comparison of everything. A VRF is known by its name: one
//! that gets another id keeps its label and its routes; the labels that named the old id on
//! uplinks are revoked first, so that none of them ever means another VRF.
//!
//! Standards: RFC 4364 §4.3.1 (VRF import and export), RFC 4684 §3.2 (own memberships).
//! Not implemented: none; asking the neighbour again (RFC 2918) is never needed.

use std::collections::{BTreeMap, BTreeSet};

use base::{Instant, RouteDistinguisher, RouteTarget, VrfId};
use core::net::{IpAddr, Ipv4Addr};

use crate::adj_out::BATCH_WINDOW;
use crate::config::{self, Config, NeighbourId, NeighbourKind, Vrf};
use crate::instance::Output;
use crate::labels::LabelBinding;
use crate::neighbour::Neighbour;
use crate::nlri::Membership;
use crate::policy::{Identity, LOCAL_PREF_DEFAULT, Policy};
use crate::rib::{Path, Source};
use crate::route::{Family, LabelledNextHop, PathAttributes, VpnPrefix};
use crate::tables::Tables;
use crate::vrf::VrfTable;

impl From<&Config> for Identity {
    fn from(config: &Config) -> Self {
        Self {
            as_number: config.as_number,
            router_id: config.router_id,
            cluster: config.cluster(),
            loopback: config.local_address.map(IpAddr::V4),
        }
    }
}

impl Tables {
    pub(crate) fn add_neighbour(&mut self, config: config::Neighbour) {
        self.neighbours.insert(config.id, Neighbour::new(config));
    }

    pub(crate) fn remove_neighbour(&mut self, now: Instant, id: NeighbourId) {
        self.handle_down(now, id, false);
        self.neighbours.remove(&id);
    }

    /// A neighbour's name or policy may have changed. `false`: it has announced more routes than it
    /// now may, and its session is to be ended.
    pub(crate) fn set_policy(&mut self, now: Instant, config: config::Neighbour) -> bool {
        let id = config.id;
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return true };
        let former_kind = core::mem::replace(&mut neighbour.config, config).kind;
        let kind = &neighbour.config.kind;
        if former_kind == *kind {
            return true;
        }
        let role_changed = matches!(kind, NeighbourKind::Internal { .. });
        let former = core::mem::replace(&mut neighbour.policy, Policy::new(kind));
        if neighbour.router_id().is_none() {
            return true;
        }
        if neighbour.speaks(Family::RouteTargetConstrain) {
            let targets = [&former, &neighbour.policy].map(accepted_targets);
            let own_as = self.own.as_number;
            let asked = targets.into_iter().flatten().flatten();
            let asked = asked.map(|&target| Membership::new(own_as, target));
            neighbour.out.memberships_dirty.extend(asked);
        }
        if neighbour.link.is_some() {
            neighbour.out.walk_again(None);
            neighbour.announce(now + BATCH_WINDOW);
        }
        let fits = neighbour.received.len() <= neighbour.routes_max();
        self.check_again(now, id);
        self.drop_stale_labels(now, id);
        if role_changed {
            self.compare_everything(now);
        }
        fits
    }

    /// Every neighbour is owed a comparison of everything: who is reflected to whom has changed.
    fn compare_everything(&mut self, now: Instant) {
        let ids: Vec<NeighbourId> = self.neighbours.keys().copied().collect();
        for id in ids {
            self.owe_all_memberships(now, id);
            if let Some(neighbour) = self.neighbours.get_mut(&id)
                && neighbour.link.is_some()
            {
                neighbour.out.walk_again(None);
                neighbour.announce(now + BATCH_WINDOW);
            }
        }
    }

    /// Takes over VRFs and what follows from all policies together.
    pub(crate) fn configure(&mut self, now: Instant, config: &Config) {
        self.labels.set_block(config.labels);
        self.displace_customers(now, &config.vrfs);
        let kept = self.detach_vrfs(now, &config.vrfs);
        self.attach_vrfs(now, &config.vrfs, kept);
        for vrf in &config.vrfs {
            self.configure_exports(now, vrf, &config.neighbours);
        }
        self.place_customers(now);
        self.configure_interest(now);
    }

    /// Ends VRFs that are gone or get another id; those of the latter kind are returned by name.
    fn detach_vrfs(&mut self, now: Instant, wanted: &[Vrf]) -> BTreeMap<String, VrfTable> {
        let stays = |table: &VrfTable| {
            let mut same = wanted.iter().filter(|vrf| vrf.name == table.config.name);
            same.any(|vrf| vrf.id == table.config.id)
        };
        let leaving: Vec<VrfId> =
            self.vrfs.iter().filter(|(_, table)| !stays(table)).map(|(&id, _)| id).collect();
        let mut kept = BTreeMap::new();
        for id in leaving {
            let Some(table) = self.vrfs.remove(&id) else { continue };
            for &key in &table.exported {
                self.rib.remove(key, Source::Vrf(id));
                self.decide(now, key, Source::Vrf(id));
            }
            for &prefix in table.delivered().keys() {
                self.outputs.push_back(Output::Vrf { vrf: id, prefix, paths: Vec::new() });
            }
            self.labels.revoke(now, LabelBinding::Vrf(id));
            if wanted.iter().any(|vrf| vrf.name == table.config.name) {
                kept.insert(table.config.name.clone(), table);
            } else if let Some(label) = table.label {
                self.labels.unfix(now, label);
            }
        }
        kept
    }

    fn attach_vrfs(&mut self, now: Instant, wanted: &[Vrf], mut kept: BTreeMap<String, VrfTable>) {
        for vrf in wanted {
            let binding = LabelBinding::Vrf(vrf.id);
            let former = self.vrfs.remove(&vrf.id);
            let stays = former.is_some();
            let mut table = match former.or_else(|| self.reattach(kept.remove(&vrf.name)?, vrf.id))
            {
                Some(table) => table,
                None => VrfTable::new(vrf.clone(), self.labels.fix(now, vrf.label, binding)),
            };
            if table.config.label != vrf.label {
                if let Some(label) = table.label {
                    self.labels.unfix(now, label);
                }
                table.label = self.labels.fix(now, vrf.label, binding);
            }
            let imports = if stays {
                vrf.import.symmetric_difference(&table.config.import).copied().collect()
            } else {
                vrf.import.clone()
            };
            let moved = table.config.rd != vrf.rd || table.config.rds != vrf.rds;
            table.config = vrf.clone();
            table.customers = self.customers_of(vrf.id);
            let own = vrf.export.iter().map(|export| export.prefix).collect();
            let former = core::mem::replace(&mut table.own, own);
            let changed = former.symmetric_difference(&table.own);
            self.vrfs_dirty.extend(changed.map(|&prefix| (vrf.id, prefix)));
            let exported: Vec<VpnPrefix> = table.exported.iter().copied().collect();
            self.vrfs.insert(vrf.id, table);
            self.import_again(vrf.id, &imports);
            if moved {
                exported.into_iter().for_each(|key| self.mark(now, key));
            }
        }
    }

    /// Puts a VRF's label under its new id.
    fn reattach(&mut self, table: VrfTable, id: VrfId) -> Option<VrfTable> {
        if let Some(label) = table.label {
            let old = LabelBinding::Vrf(table.config.id);
            self.labels.refix(label, old, LabelBinding::Vrf(id));
        }
        Some(VrfTable::new(table.config, table.label))
    }

    /// Looks again at every route that carries one of these targets.
    fn import_again(&mut self, id: VrfId, targets: &BTreeSet<RouteTarget>) {
        let Some(table) = self.vrfs.get_mut(&id) else { return };
        for &target in targets {
            for key in self.rib.with_target(target) {
                if table.touch(key, self.rib.entry(key)) {
                    self.vrfs_dirty.insert((id, key.prefix));
                }
            }
        }
    }

    fn configure_exports(&mut self, now: Instant, vrf: &Vrf, neighbours: &[config::Neighbour]) {
        let source = Source::Vrf(vrf.id);
        let Some(table) = self.vrfs.get_mut(&vrf.id) else { return };
        let wanted = match table.label {
            Some(label) => exports(vrf, neighbours).into_iter().map(|e| (e, label)).collect(),
            None => Vec::new(),
        };
        let keys = wanted.iter().map(|((key, _), _)| *key).collect();
        let former = core::mem::replace(&mut table.exported, keys);
        let gone: Vec<VpnPrefix> = former.difference(&table.exported).copied().collect();
        for key in gone {
            self.rib.remove(key, source);
            self.decide(now, key, source);
        }
        let next_hop = self.own.loopback.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        for ((key, targets), label) in wanted {
            let mut attributes = PathAttributes::originated();
            attributes.extended_communities = targets.into_iter().map(|target| target.0).collect();
            let path = Path {
                source,
                attributes: self.rib.attributes.intern(attributes),
                to: LabelledNextHop { next_hop, label },
                local_pref: LOCAL_PREF_DEFAULT,
                refused: None,
            };
            if self.rib.insert(key, path) {
                self.decide(now, key, source);
            }
        }
    }

    fn configure_interest(&mut self, now: Instant) {
        let mut interest: BTreeSet<RouteTarget> = BTreeSet::new();
        for table in self.vrfs.values() {
            interest.extend(&table.config.import);
        }
        for neighbour in self.neighbours.values() {
            if let Policy::Site(site) = &neighbour.policy {
                interest.extend(&site.send);
            }
        }
        let former = core::mem::replace(&mut self.interest, interest);
        let changed: Vec<RouteTarget> =
            former.symmetric_difference(&self.interest).copied().collect();
        for target in changed {
            self.tell_membership(now, Membership::new(self.own.as_number, target));
        }
    }
}

/// What a site may announce; `None` for other neighbours.
const fn accepted_targets(policy: &Policy) -> Option<&BTreeSet<RouteTarget>> {
    match policy {
        Policy::Site(site) => Some(&site.accepted_targets),
        Policy::Internal { .. } | Policy::Core { .. } | Policy::Customer(_) => None,
    }
}

/// What a VRF exports, under every route distinguisher that some neighbour knows it by.
fn exports(
    vrf: &Vrf,
    neighbours: &[config::Neighbour],
) -> BTreeMap<VpnPrefix, BTreeSet<RouteTarget>> {
    let told = neighbours.iter().filter(|one| !matches!(one.kind, NeighbourKind::Customer(_)));
    let mut rds: BTreeSet<RouteDistinguisher> =
        told.map(|neighbour| vrf.rd_towards(neighbour.id)).collect();
    if rds.is_empty() {
        rds.insert(vrf.rd);
    }
    let mut exports: BTreeMap<VpnPrefix, BTreeSet<RouteTarget>> = BTreeMap::new();
    for export in &vrf.export {
        for &rd in &rds {
            let key = VpnPrefix { rd, prefix: export.prefix };
            exports.entry(key).or_default().extend(&export.targets);
        }
    }
    exports
}
