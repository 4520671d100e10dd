//! No entry of any table leads a packet where its virtual network has no right to be, and every
//! promise has a way.

use std::collections::BTreeSet;

use base::{LabelSpace, Prefix};
use model::plan::Plan;
use model::tables::{Accepts, LabelAction, RouterTables, VrfRoute};

use crate::crossing::{Difference, admitted, differences};
use crate::region::{Region, RouterId, RouterTable, VrfTable, within};
use crate::rights::Network;
use crate::violation::{Breach, Place, Violation, Witness};
use crate::walk::{End, Walker};

/// How many violations are kept; the others are counted.
pub const VIOLATIONS_MAX: usize = 1_000;

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Isolation {
    /// Routers whose tables were read.
    pub routers: usize,
    /// Entries of VRFs that were followed.
    pub entries: usize,
    /// Service labels that were followed.
    pub labels: usize,
    /// Ways of labels that were walked for them.
    pub ways: usize,
    /// Pairs of a VRF and a destination that were promised and looked up.
    pub promises: usize,
    /// What breaks a rule, as far as it is kept.
    pub violations: Vec<Violation>,
    /// How many there are.
    pub violations_total: usize,
}

/// Proves the isolation of every virtual network over every entry of these tables.
#[must_use]
pub fn isolation(plan: &Plan, tables: &[RouterTables]) -> Isolation {
    let mut violations = Vec::new();
    let region = Region::new(plan, tables, &mut violations);
    let mut prover = Prover { region: &region, violations, entries: 0, labels: 0, promises: 0 };
    let mut walker = Walker::new(&region);
    for (number, router) in region.routers.iter().enumerate() {
        let id = RouterId(number);
        prover.ports(id, router);
        prover.labels(id, router, &mut walker);
        for vrf in router.vrfs() {
            prover.routes(id, router, vrf, &mut walker);
            prover.access(id, router, vrf);
            prover.promised(id, vrf);
        }
    }
    let Prover { mut violations, entries, labels, promises, .. } = prover;
    let violations_total = violations.len();
    violations.truncate(VIOLATIONS_MAX);
    Isolation {
        routers: region.routers.len(),
        entries,
        labels,
        ways: walker.walked(),
        promises,
        violations,
        violations_total,
    }
}

struct Prover<'r, 'a> {
    region: &'r Region<'a>,
    violations: Vec<Violation>,
    entries: usize,
    labels: usize,
    promises: usize,
}

impl<'r, 'a> Prover<'r, 'a> {
    fn violate(
        &mut self,
        router: RouterId,
        place: Place,
        breach: Breach,
        witness: Option<Witness>,
    ) {
        let router = self.region.router_name(router).to_owned();
        self.violations.push(Violation { router, place, breach, witness });
    }

    /// A packet from a LAN of this VRF to an address.
    fn witness(&self, router: RouterId, network: Network, to: Prefix) -> Option<Witness> {
        let network = self.region.rights.name(network);
        let lans = self.region.router(router).into_iter().flat_map(|one| &one.lans);
        let mut own = lans.filter(|lan| lan.virtual_network == network);
        let source = |prefix: &Prefix| {
            (prefix.addr().is_ipv4() == to.addr().is_ipv4()).then(|| prefix.nth(2))?
        };
        own.find_map(|lan| {
            Some(Witness {
                site: lan.site.clone(),
                virtual_network: network.to_owned(),
                source: lan.prefixes.iter().find_map(source)?,
                destination: to.nth(2).unwrap_or_else(|| to.addr()),
                protocol: None,
                port: None,
            })
        })
    }

    /// Every attachment was promised to somebody, and lets in that one's addresses alone.
    fn ports(&mut self, id: RouterId, router: &RouterTable<'a>) {
        for port in &router.tables.ports {
            let (networks, sources): (BTreeSet<Network>, _) = match &port.accepts {
                Accepts::Core | Accepts::Uplink { sources: None, .. } => continue,
                Accepts::Attachment { vrf, sources } => {
                    let network = router.vrf(*vrf).and_then(|vrf| vrf.network);
                    let is_promised = router.lans.iter().any(|lan| lan.port == port.id);
                    if network.is_none() || !is_promised {
                        self.violate(id, Place::Port(port.id), Breach::Stranger, None);
                        continue;
                    }
                    (network.into_iter().collect(), sources)
                }
                Accepts::Uplink { sources: Some(sources), .. } => {
                    let far = router.far(port.id).and_then(|(far, _)| self.region.router(far));
                    let vrfs = far.into_iter().flat_map(RouterTable::vrfs);
                    (vrfs.filter_map(|vrf| vrf.network).collect(), sources)
                }
            };
            let own = |prefix: &Prefix| {
                networks.iter().any(|one| within(self.region.rights.addresses(*one), *prefix))
            };
            if !sources.iter().all(own) {
                self.violate(id, Place::Port(port.id), Breach::ForeignSource, None);
            }
        }
    }

    /// Every service label leads somewhere, whether an entry uses it or not; and one that was given
    /// to a site leads where one of that site's virtual networks may be.
    fn labels(&mut self, id: RouterId, router: &RouterTable<'a>, walker: &mut Walker<'r, 'a>) {
        for entry in &router.tables.labels {
            let far = match entry.space {
                LabelSpace::Platform => None,
                LabelSpace::Port(port) => router.far(port),
            };
            let is_service = match entry.action {
                LabelAction::Vrf(_) | LabelAction::Swap(_) => true,
                LabelAction::Pop | LabelAction::Transit(_) => far.is_some(),
            };
            if !is_service {
                continue;
            }
            self.labels += 1;
            let outcome = walker.service(id, entry.space, entry.label);
            let faults = outcome.faults.iter().cloned();
            let mut breaches: BTreeSet<Breach> = faults.map(Breach::Way).collect();
            if let Some((far, _)) = far {
                let ends = outcome.ends.iter();
                breaches.extend(ends.filter_map(|end| self.given_to(far, *end)));
            }
            for breach in breaches {
                let place = Place::Label { space: entry.space, label: entry.label };
                self.violate(id, place, breach, None);
            }
        }
    }

    /// What is wrong with a label given to a router that ends here.
    fn given_to(&self, far: RouterId, (at, vrf): End) -> Option<Breach> {
        let networks = self.region.router(far).into_iter().flat_map(RouterTable::vrfs);
        let into = self.region.router(at).and_then(|router| router.vrf(vrf)?.network);
        let may = |from| into.is_some_and(|into| self.region.rights.may_meet(from, into));
        if networks.filter_map(|vrf| vrf.network).any(may) {
            return None;
        }
        let into = into.map(|into| self.region.rights.name(into).to_owned());
        Some(Breach::Leak { at: self.region.router_name(at).to_owned(), into })
    }

    /// Follows every entry of a VRF.
    fn routes(
        &mut self,
        id: RouterId,
        router: &RouterTable<'a>,
        vrf: &VrfTable<'a>,
        walker: &mut Walker<'r, 'a>,
    ) {
        // Nothing comes in where nobody has a LAN; what ends there is told where it comes from.
        let Some(network) = vrf.network else { return };
        for entry in &vrf.vrf.routes {
            self.entries += 1;
            let place = || Place::Route { vrf: vrf.vrf.name.clone(), prefix: entry.prefix };
            let mut breaches = BTreeSet::new();
            match &entry.to {
                VrfRoute::Local => {}
                VrfRoute::Attached { port, .. } => {
                    breaches.extend(self.leaves(
                        network,
                        (id, router.network_of(*port)),
                        entry.prefix,
                    ));
                }
                VrfRoute::Remote(paths) => {
                    for path in paths {
                        let outcome = walker.path(id, *path);
                        breaches.extend(outcome.faults.iter().cloned().map(Breach::Way));
                        let ends = outcome.ends.iter();
                        breaches
                            .extend(ends.flat_map(|end| self.ends(network, *end, entry.prefix)));
                    }
                }
            }
            for breach in breaches {
                let witness = self.witness(id, network, entry.prefix);
                self.violate(id, place(), breach, witness);
            }
        }
    }

    /// What is wrong with packets to these addresses that leave to a LAN of a virtual network.
    fn leaves(
        &self,
        from: Network,
        (at, into): (RouterId, Option<Network>),
        prefix: Prefix,
    ) -> Option<Breach> {
        let rights = &self.region.rights;
        if into.is_some_and(|into| rights.may_lead(from, into, prefix)) {
            return None;
        }
        let at = self.region.router_name(at).to_owned();
        Some(Breach::Leak { at, into: into.map(|into| rights.name(into).to_owned()) })
    }

    /// What is wrong with the end of a way.
    fn ends(&self, from: Network, (at, vrf): End, prefix: Prefix) -> BTreeSet<Breach> {
        let mut breaches = BTreeSet::new();
        let Some(router) = self.region.router(at) else { return breaches };
        let lost = || Breach::NotDelivered { at: self.region.router_name(at).to_owned() };
        let Some(vrf) = router.vrf(vrf) else {
            breaches.insert(lost());
            return breaches;
        };
        breaches.extend(self.leaves(from, (at, vrf.network), prefix));
        // Every atom: what is longer than the prefix, and what remains.
        let whole = vrf.routes.get(prefix).is_some();
        let rest = (!whole).then(|| vrf.routes.longest_match(prefix.addr())).flatten();
        let rest = rest.filter(|(shorter, _)| shorter.covers(prefix));
        if !whole && rest.is_none() {
            breaches.insert(lost());
        }
        for to in vrf.within(prefix).chain(rest.map(|(_, to)| *to)) {
            match to {
                VrfRoute::Local => {}
                VrfRoute::Attached { port, .. } => {
                    breaches.extend(self.leaves(from, (at, router.network_of(*port)), prefix));
                }
                // It is not sent back into the core.
                VrfRoute::Remote(_) => {
                    breaches.insert(lost());
                }
            }
        }
        breaches
    }

    /// Whether access rules admit exactly what was published.
    fn access(&mut self, id: RouterId, router: &RouterTable<'a>, vrf: &VrfTable<'a>) {
        let Some(network) = vrf.network else { return };
        let place = || Place::Access { vrf: vrf.vrf.name.clone() };
        let own = self.region.rights.addresses(network);
        let is_own = |prefix: &Prefix| within(own, *prefix);
        if !vrf.vrf.own.iter().all(is_own) {
            self.violate(id, place(), Breach::Wider, None);
        }
        if !own.iter().all(|prefix| within(&vrf.vrf.own, *prefix)) {
            self.violate(id, place(), Breach::Narrower, None);
        }
        let here: BTreeSet<&str> = router
            .lans
            .iter()
            .filter(|lan| router.network_of(lan.port) == Some(network))
            .map(|lan| lan.site.as_str())
            .collect();
        let wanted = self.region.rights.crossings(network, |site| here.contains(site));
        for difference in differences(&admitted(&vrf.vrf.rules), &wanted) {
            let breach = if difference.first { Breach::Wider } else { Breach::Narrower };
            let witness = self.crossing_witness(id, network, &difference);
            self.violate(id, place(), breach, witness);
        }
    }

    fn crossing_witness(
        &self,
        id: RouterId,
        network: Network,
        difference: &Difference,
    ) -> Option<Witness> {
        let witness = self.witness(id, network, difference.remote)?;
        Some(Witness {
            source: difference.local.addr(),
            destination: difference.remote.addr(),
            protocol: Some(difference.protocol),
            port: Some(difference.port),
            ..witness
        })
    }

    /// Whether every promised destination has a route.
    fn promised(&mut self, id: RouterId, vrf: &VrfTable<'a>) {
        let Some(network) = vrf.network else { return };
        let lans = self.region.lans.get(network.0).into_iter().flatten();
        let wanted = lans
            .flat_map(|lan| lan.prefixes.iter().copied())
            .chain(self.region.rights.reached(network));
        let mut missing = Vec::new();
        for prefix in wanted {
            self.promises += 1;
            let found = vrf.routes.get(prefix).is_some()
                || vrf.routes.longest_match(prefix.addr()).is_some_and(|(by, _)| by.covers(prefix));
            if !found {
                missing.push(prefix);
            }
        }
        for prefix in missing {
            let place = Place::Route { vrf: vrf.vrf.name.clone(), prefix };
            let witness = self.witness(id, network, prefix);
            self.violate(id, place, Breach::Missing, witness);
        }
    }
}
