//! Everything that a speaker knows about routes, and what follows when a route changes.
//!
//! One change runs through here once, at once and in proportion to itself: a path is stored or
//! removed ([`Tables::handle_update`]), its prefix is decided again, the VRFs that import it are
//! noted, and every neighbour that might have to hear of it owes itself the prefix. What is said to
//! a neighbour is decided in [`crate::announce`] when there is room in its connection.
//!
//! Sessions are not known here: a neighbour has a link or none.
//!
//! Standards: RFC 4271 §9.1 and §9.2, RFC 7606 §2 (treat-as-withdraw), RFC 4456 §6.
//! Not implemented: route flap damping (RFC 2439).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use base::{Deadline, Instant, Label, LabelSpace, Prefix, RouteTarget, RouterId, VrfId};
use core::net::{IpAddr, Ipv4Addr};

use crate::adj_out::{AdjOut, BATCH_WINDOW, Sent};
use crate::config::NeighbourId;
use crate::decision::{self, Candidate, Nearness};
use crate::error::{AttributeFault, Verdict};
use crate::instance::Output;
use crate::labels::LabelTable;
use crate::membership::END_OF_RIB_WAIT;
use crate::neighbour::{Link, Neighbour, without};
use crate::next_hop::NextHops;
use crate::nlri::{Nlri, Routes, VpnNlri};
use crate::policy::{Identity, Offer, Policy, Provenance, RejectReason, Relabel};
use crate::rib::{Path, Rib, Source};
use crate::route::{Family, FamilySet, LabelledNextHop, PathAttributes, VpnPrefix};
use crate::update::Update;
use crate::vrf::{VrfPath, VrfTable, Way, choose};

/// The tables of one speaker.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) own: Identity,
    pub(crate) neighbours: BTreeMap<NeighbourId, Neighbour>,
    pub(crate) rib: Rib,
    pub(crate) vrfs: BTreeMap<VrfId, VrfTable>,
    /// Prefixes of VRFs whose paths are to be chosen again.
    pub(crate) vrfs_dirty: BTreeSet<(VrfId, Prefix)>,
    pub(crate) labels: LabelTable,
    pub(crate) next_hops: NextHops,
    /// The route targets that this router wants for itself and its sites.
    pub(crate) interest: BTreeSet<RouteTarget>,
    pub(crate) outputs: VecDeque<Output>,
}

/// What all routes of one announcement have in common.
pub(crate) struct Announced<'a> {
    pub(crate) next_hop: IpAddr,
    pub(crate) attributes: &'a Arc<PathAttributes>,
    pub(crate) verdict: Result<(), RejectReason>,
}

impl Tables {
    pub(crate) fn new(own: Identity, labels: LabelTable) -> Self {
        Self {
            own,
            neighbours: BTreeMap::new(),
            rib: Rib::default(),
            vrfs: BTreeMap::new(),
            vrfs_dirty: BTreeSet::new(),
            labels,
            next_hops: NextHops::default(),
            interest: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// A session came up.
    pub(crate) fn handle_up(&mut self, now: Instant, id: NeighbourId, link: Link) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        neighbour.link = Some(link);
        neighbour.ends_awaited = link.families;
        if !neighbour.is_uplink() && link.graceful_restart.is_none() {
            // RFC 4724 §2 makes End-of-RIB nobody's duty who does not speak of restarts; nor does
            // such a neighbour draw conclusions from ours.
            neighbour.ends_awaited = FamilySet::EMPTY;
        }
        neighbour.out = AdjOut::established(link.families, neighbour.is_customer());
        if neighbour.ends_awaited.contains(Family::RouteTargetConstrain) {
            neighbour.out.waits_for_memberships = Some(now + END_OF_RIB_WAIT);
        }
        let address = neighbour.config.address;
        if neighbour.is_uplink() {
            self.next_hops.add_direct(address);
            self.decide_next_hop(now, address);
        }
        self.resume(now, id, &link);
        self.owe_all_memberships(now, id);
        self.tell_default_membership(now);
        if let Some(neighbour) = self.neighbours.get_mut(&id) {
            neighbour.announce(now);
        }
    }

    /// A session went down: what came over it is void, and so is what was sent. Where no more is
    /// known than that the connection is `lost`, its routes may be kept for a while.
    pub(crate) fn handle_down(&mut self, now: Instant, id: NeighbourId, lost: bool) {
        // RFC 4724 §4.2: what a second loss finds stale is not kept any longer.
        self.drop_stale(now, id, FamilySet::ALL);
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        let Some(link) = neighbour.link.take() else { return };
        if lost {
            neighbour.retain(now, &link);
        }
        let stale = neighbour.stale.as_ref();
        let keeps_memberships = stale.is_some_and(|stale| !stale.memberships.is_empty());
        let void = match stale {
            Some(stale) => neighbour.received.difference(&stale.routes).copied().collect(),
            None => core::mem::take(&mut neighbour.received),
        };
        let out = core::mem::take(&mut neighbour.out);
        let address = neighbour.config.address;
        let uplink = neighbour.is_uplink();
        for (_, sent) in out.sent {
            self.let_go(now, sent);
        }
        for (_, sent) in out.memberships_sent {
            if let Some(sent) = sent {
                self.rib.attributes.release(&sent.attributes);
            }
        }
        if !keeps_memberships {
            self.forget_memberships(now, id);
        }
        for key in void {
            self.forget(now, id, key);
        }
        if uplink {
            self.next_hops.remove_direct(address);
            self.decide_next_hop(now, address);
        }
        self.tell_default_membership(now);
    }

    /// A neighbour has sent all its routes of a family.
    pub(crate) fn handle_end_of_rib(&mut self, now: Instant, id: NeighbourId, family: Family) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        neighbour.ends_awaited = without(neighbour.ends_awaited, family);
        if family == Family::RouteTargetConstrain {
            neighbour.out.waits_for_memberships = None;
            neighbour.announce(now);
        }
        self.drop_stale(now, id, FamilySet::EMPTY.with(family));
    }

    /// A neighbour wants everything again.
    pub(crate) fn handle_refresh(&mut self, now: Instant, id: NeighbourId, family: Family) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        if family == Family::RouteTargetConstrain {
            for (&membership, sent) in &mut neighbour.out.memberships_sent {
                if let Some(sent) = sent.take() {
                    self.rib.attributes.release(&sent.attributes);
                }
                neighbour.out.memberships_dirty.insert(membership);
            }
        } else {
            neighbour.out.walk_again(Some(family));
        }
        neighbour.announce(now + BATCH_WINDOW);
    }

    /// Routes from a neighbour.
    ///
    /// The error is a limit that the neighbour went over: its session is to be ended.
    pub(crate) fn handle_update(
        &mut self,
        now: Instant,
        id: NeighbourId,
        update: &Update<'_>,
    ) -> Result<(), RejectReason> {
        match update.verdict {
            Verdict::Accept | Verdict::AttributeDiscard(_) => {}
            Verdict::TreatAsWithdraw(error) => {
                let first_as = error.fault == AttributeFault::FirstAs;
                let reason = if first_as { RejectReason::FirstAs } else { RejectReason::Malformed };
                self.count_rejected(now, id, None, reason);
            }
        }
        for nlri in update.withdrawn() {
            self.handle_withdrawn(now, id, nlri);
        }
        let Some(attributes) = &update.attributes else { return Ok(()) };
        let Some(neighbour) = self.neighbours.get(&id) else { return Ok(()) };
        let verdict = neighbour.policy.check_attributes(&self.own, &neighbour.config, attributes);
        let shared = self.rib.attributes.intern(attributes.clone());
        let mut result = Ok(());
        for reach in update.announced() {
            let next_hop = reach.next_hop;
            let announced = Announced { next_hop, attributes: &shared, verdict };
            result = result.and(self.handle_announced(now, id, reach.nlri, &announced));
        }
        self.rib.attributes.release(&shared);
        result
    }

    fn handle_withdrawn(&mut self, now: Instant, id: NeighbourId, nlri: Nlri<'_>) {
        let customer = self.neighbours.get(&id).is_some_and(Neighbour::is_customer);
        match nlri.routes() {
            Routes::Vpn(routes) if !customer => {
                for route in routes.flatten() {
                    self.withdraw(now, id, route.key);
                }
            }
            Routes::Unicast(routes) if customer => {
                for prefix in routes.flatten() {
                    self.withdraw(now, id, VpnPrefix::plain(prefix));
                }
            }
            Routes::Membership(routes) => {
                for membership in routes.flatten() {
                    self.withdraw_membership(now, id, membership);
                }
            }
            Routes::Vpn(_) | Routes::Unicast(_) => {}
        }
    }

    fn handle_announced(
        &mut self,
        now: Instant,
        id: NeighbourId,
        nlri: Nlri<'_>,
        announced: &Announced<'_>,
    ) -> Result<(), RejectReason> {
        let customer = self.neighbours.get(&id).is_some_and(Neighbour::is_customer);
        match nlri.routes() {
            Routes::Vpn(routes) if !customer => {
                for route in routes.flatten() {
                    self.announce(now, id, route, announced)?;
                }
            }
            Routes::Unicast(routes) if customer => {
                for prefix in routes.flatten() {
                    self.hear(now, id, prefix, announced)?;
                }
            }
            Routes::Membership(routes) => {
                for membership in routes.flatten() {
                    match announced.verdict {
                        Ok(()) => {
                            self.add_membership(now, id, membership, announced.attributes)?;
                        }
                        Err(reason) => {
                            self.count_rejected(now, id, None, reason);
                            self.withdraw_membership(now, id, membership);
                        }
                    }
                }
            }
            Routes::Vpn(_) | Routes::Unicast(_) => {}
        }
        Ok(())
    }

    fn announce(
        &mut self,
        now: Instant,
        id: NeighbourId,
        route: VpnNlri,
        announced: &Announced<'_>,
    ) -> Result<(), RejectReason> {
        let (key, Some(label)) = (route.key, route.label) else { return Ok(()) };
        let to = LabelledNextHop { next_hop: announced.next_hop, label };
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return Ok(()) };
        if let Err(reason) = neighbour.note_announcement(now, key) {
            self.count_rejected(now, id, Some(key), reason);
            return Err(reason);
        }
        let policy = &neighbour.policy;
        let (own, config, attributes) = (&self.own, &neighbour.config, announced.attributes);
        let route_verdict = || policy.check_route(own, config, key, attributes, to);
        let refused = announced.verdict.and_then(|()| route_verdict()).err();
        let path = Path {
            source: Source::Neighbour(id),
            attributes: Arc::clone(attributes),
            to,
            local_pref: policy.local_pref(attributes),
            refused,
        };
        if let Some(reason) = refused {
            self.count_rejected(now, id, Some(key), reason);
        }
        if self.rib.insert(key, path) {
            self.decide(now, key, Source::Neighbour(id));
        }
        Ok(())
    }

    fn withdraw(&mut self, now: Instant, id: NeighbourId, key: VpnPrefix) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        neighbour.counters.withdrawals_received += 1;
        if neighbour.received.contains(&key) {
            self.forget(now, id, key);
        }
    }

    /// Forgets a route that the neighbour announced.
    pub(crate) fn forget(&mut self, now: Instant, id: NeighbourId, key: VpnPrefix) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        neighbour.received.remove(&key);
        neighbour.forget_stale(key);
        if neighbour.is_customer() {
            self.forget_heard(now, id, key.prefix);
        } else {
            self.rib.remove(key, Source::Neighbour(id));
            self.decide(now, key, Source::Neighbour(id));
        }
    }

    /// Checks again, under changed policy, what the neighbour announced before.
    pub(crate) fn check_again(&mut self, now: Instant, id: NeighbourId) {
        let source = Source::Neighbour(id);
        let keys: Vec<VpnPrefix> = match self.neighbours.get(&id) {
            // What was heard in a VRF is checked when the VRFs are as configured.
            Some(neighbour) if !neighbour.is_customer() => {
                neighbour.received.iter().copied().collect()
            }
            Some(_) | None => return,
        };
        for key in keys {
            let Some(neighbour) = self.neighbours.get(&id) else { return };
            let Some(path) = self.rib.entry(key).and_then(|entry| entry.path(source)) else {
                continue;
            };
            let (own, policy, config) = (&self.own, &neighbour.policy, &neighbour.config);
            let attributes = &path.attributes;
            let refused = policy
                .check_attributes(own, config, attributes)
                .and_then(|()| policy.check_route(own, config, key, attributes, path.to))
                .err();
            let newly_refused = refused.filter(|_| path.refused.is_none());
            let local_pref = policy.local_pref(attributes);
            let path = Path { local_pref, refused, ..path.clone() };
            if let Some(reason) = newly_refused {
                self.count_rejected(now, id, Some(key), reason);
            }
            if self.rib.insert(key, path) {
                self.decide(now, key, source);
            }
        }
    }

    pub(crate) fn count_rejected(
        &mut self,
        now: Instant,
        id: NeighbourId,
        key: Option<VpnPrefix>,
        reason: RejectReason,
    ) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        if neighbour.count_rejected(now, reason) {
            self.outputs.push_back(Output::Rejected { neighbour: id, key, reason });
        }
    }

    /// What the decision process sees of a path; `None` where it cannot be used.
    pub(crate) fn candidate<'a>(&self, key: VpnPrefix, path: &'a Path) -> Option<Candidate<'a>> {
        if path.refused.is_some() {
            return None;
        }
        let mut candidate = Candidate {
            nearness: Nearness::Attached,
            attributes: &path.attributes,
            local_pref: path.local_pref,
            external: false,
            metric: 0,
            router_id: RouterId(Ipv4Addr::UNSPECIFIED),
            peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            rd: key.rd,
            vrf: 0,
        };
        match path.source {
            Source::Vrf(vrf) => candidate.vrf = vrf.0,
            Source::Neighbour(id) => {
                let neighbour = self.neighbours.get(&id)?;
                candidate.external = !neighbour.config.kind.is_internal();
                candidate.router_id = neighbour.router_id()?;
                candidate.peer = neighbour.config.address;
                if !neighbour.is_customer() {
                    candidate.nearness = Nearness::Away;
                    candidate.metric = self.next_hops.metric(path.to.next_hop)?;
                }
            }
        }
        Some(candidate)
    }

    fn best_of(&self, key: VpnPrefix) -> Option<Source> {
        let paths = self.rib.entry(key)?.paths();
        if let [only] = paths {
            return self.candidate(key, only).map(|_| only.source);
        }
        let usable: Vec<(Source, Candidate<'_>)> = paths
            .iter()
            .filter_map(|path| Some((path.source, self.candidate(key, path)?)))
            .collect();
        let ladder: Vec<Candidate<'_>> = usable.iter().map(|(_, candidate)| *candidate).collect();
        usable.get(decision::best(&ladder)?).map(|(source, _)| *source)
    }

    /// Decides a prefix again after the path of `touched` changed, and passes on what follows.
    pub(crate) fn decide(&mut self, now: Instant, key: VpnPrefix, touched: Source) {
        let former = self.rib.entry(key).and_then(|entry| entry.best_source());
        let best = self.best_of(key);
        self.rib.set_best(key, best);
        self.touch_vrfs(key);
        if best != former || best == Some(touched) {
            self.mark(now, key);
        }
    }

    /// Decides every prefix with a path over this next hop, whose reachability changed.
    pub(crate) fn decide_next_hop(&mut self, now: Instant, next_hop: IpAddr) {
        let keys: Vec<VpnPrefix> = self.rib.with_next_hop(next_hop).collect();
        for key in keys {
            let former = self.rib.entry(key).and_then(|entry| entry.best_source());
            let best = self.best_of(key);
            self.rib.set_best(key, best);
            self.touch_vrfs(key);
            if best != former {
                self.mark(now, key);
            }
        }
    }

    fn touch_vrfs(&mut self, key: VpnPrefix) {
        let entry = self.rib.entry(key);
        for (&id, vrf) in &mut self.vrfs {
            if vrf.touch(key, entry) {
                self.vrfs_dirty.insert((id, key.prefix));
            }
        }
    }

    /// Every neighbour that speaks the family is owed the prefix.
    pub(crate) fn mark(&mut self, now: Instant, key: VpnPrefix) {
        let family = Family::vpn(key.prefix);
        let gone = self.rib.entry(key).is_none_or(|entry| entry.best().is_none());
        let mut stale = Vec::new();
        for (&id, neighbour) in &self.neighbours {
            if self.holds_stale_label(neighbour, key) {
                stale.push(id);
            }
        }
        for id in stale {
            self.drop_label(now, id, key);
        }
        for neighbour in self.neighbours.values_mut() {
            if !neighbour.speaks(family) || neighbour.is_customer() {
                continue;
            }
            neighbour.out.mark(key);
            let urgent = gone && neighbour.out.sent.contains_key(&key);
            neighbour.announce(if urgent { now } else { now + BATCH_WINDOW });
        }
    }

    /// Lets go of the labels that this neighbour was told and that policy no longer offers it.
    pub(crate) fn drop_stale_labels(&mut self, now: Instant, id: NeighbourId) {
        let Some(neighbour) = self.neighbours.get(&id) else { return };
        let keys = neighbour.out.sent.keys().copied();
        let stale: Vec<VpnPrefix> =
            keys.filter(|&key| self.holds_stale_label(neighbour, key)).collect();
        for key in stale {
            self.drop_label(now, id, key);
        }
    }

    fn holds_stale_label(&self, neighbour: &Neighbour, key: VpnPrefix) -> bool {
        let Some(sent) = neighbour.out.sent.get(&key) else { return false };
        let Some(held) = sent.held else { return false };
        match self.offer(neighbour, key).map(|(offer, _)| offer.relabel) {
            Some(Relabel::Bind { space, binding, .. }) => {
                space != held || self.labels.binding(held, sent.to.label) != Some(binding)
            }
            Some(Relabel::Unchanged | Relabel::Own(_)) | None => true,
        }
    }

    fn drop_label(&mut self, now: Instant, id: NeighbourId, key: VpnPrefix) {
        let Some(neighbour) = self.neighbours.get_mut(&id) else { return };
        let Some(sent) = neighbour.out.sent.get_mut(&key) else { return };
        if let Some(space) = sent.held.take() {
            self.labels.release(now, space, sent.to.label);
        }
    }

    /// Forgets what was sent, and the label that was held for it.
    pub(crate) fn let_go(&mut self, now: Instant, sent: Sent) {
        if let Some(space) = sent.held {
            self.labels.release(now, space, sent.to.label);
        }
        self.rib.attributes.release(&sent.attributes);
    }

    /// Whether and how the best path to a prefix is offered to a neighbour.
    pub(crate) fn offer(&self, to: &Neighbour, key: VpnPrefix) -> Option<(Offer, &Path)> {
        if !to.speaks(Family::vpn(key.prefix)) {
            return None;
        }
        let path = self.rib.entry(key)?.best()?;
        let in_vrf = |vrf: VrfId| {
            let table = self.vrfs.get(&vrf)?;
            let rd_fits = table.config.rd_towards(to.config.id) == key.rd;
            Some(Provenance::Vrf { vrf, label: table.label?, rd_fits })
        };
        let provenance = match path.source {
            Source::Vrf(vrf) => in_vrf(vrf)?,
            Source::Neighbour(id) => {
                let from = self.neighbours.get(&id)?;
                match from.policy {
                    Policy::Internal { client } => {
                        Provenance::Internal { client, router_id: from.router_id()? }
                    }
                    Policy::Site(_) | Policy::Core { .. } => Provenance::External,
                    Policy::Customer(_) => in_vrf(from.heard.vrf()?)?,
                }
            }
        };
        let offer = to.policy.offer(&self.own, &to.config, provenance, path)?;
        to.wants(&path.attributes).then_some((offer, path))
    }

    /// Chooses the paths of VRFs again where that was put off, and tells the driver what changed.
    pub(crate) fn settle(&mut self, now: Instant) {
        while let Some((id, prefix)) = self.vrfs_dirty.pop_first() {
            let Some(vrf) = self.vrfs.get(&id) else { continue };
            let paths = choose(&self.ways(vrf, prefix));
            let deliver = self.vrfs.get_mut(&id).is_some_and(|vrf| vrf.deliver(prefix, &paths));
            if deliver {
                self.outputs.push_back(Output::Vrf { vrf: id, prefix, paths });
            }
            self.mark_customers(now, id, prefix);
        }
        while let Some(change) = self.labels.poll_change() {
            self.outputs.push_back(Output::Label {
                space: change.space,
                label: change.label,
                binding: change.binding,
            });
        }
    }

    /// Tells the driver about neighbours whose time to be sent something has come.
    pub(crate) fn announce_due(&mut self, now: Instant) {
        for (&id, neighbour) in &mut self.neighbours {
            if neighbour.out.announce_at.take_if(|at| *at <= now).is_some() {
                neighbour.out.announced = true;
                self.outputs.push_back(Output::Transmit(id));
            }
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.drop_overdue(now);
        let labels_left = self.labels.handle_timeout(now);
        for neighbour in self.neighbours.values_mut() {
            let waited = &mut neighbour.out.waits_for_memberships;
            let over = waited.take_if(|until| *until <= now).is_some();
            if over || (labels_left && neighbour.out.feed()) {
                neighbour.announce(now);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let deadline = |at: Option<Instant>, why| at.map(|at| Deadline { at, why });
        let due = self.neighbours.values().flat_map(|neighbour| {
            let out = &neighbour.out;
            [
                deadline(out.announce_at, "bgp updates"),
                deadline(out.waits_for_memberships, "bgp memberships awaited"),
                deadline(neighbour.stale.as_ref().map(|stale| stale.until), "bgp stale routes"),
            ]
        });
        due.fold(self.labels.poll_timeout(), Deadline::earlier)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.neighbours.values().all(|n| {
            let quiet = n.link.is_none() || (n.ends_awaited.is_empty() && n.out.is_settled());
            quiet && n.stale.is_none()
        })
    }

    /// The usable ways to a prefix of a VRF.
    pub(crate) fn ways(&self, vrf: &VrfTable, prefix: Prefix) -> Vec<Way<'_>> {
        let mut ways = Vec::new();
        for key in vrf.keys(prefix) {
            let paths = self.rib.entry(key).map_or(&[][..], |entry| entry.paths());
            for path in paths.iter().filter(|path| vrf.imports(key, path)) {
                let Some(mut candidate) = self.candidate(key, path) else { continue };
                if candidate.nearness == Nearness::Attached && !vrf.is_attached(path.source) {
                    candidate.nearness = Nearness::Here;
                }
                let way = VrfPath { to: path.to, via: path.source, rd: key.rd };
                ways.push(Way { way, candidate, path });
            }
        }
        ways
    }

    /// The label that stands for a binding in a space, for one more holder.
    pub(crate) fn relabel(
        &mut self,
        now: Instant,
        relabel: Relabel,
        received: LabelledNextHop,
    ) -> Option<(LabelledNextHop, Option<LabelSpace>)> {
        match relabel {
            Relabel::Unchanged => Some((received, None)),
            Relabel::Own(to) => Some((to, None)),
            Relabel::Bind { next_hop, space, binding } => {
                let label: Label = self.labels.acquire(now, space, binding)?;
                Some((LabelledNextHop { next_hop, label }, Some(space)))
            }
        }
    }
}
