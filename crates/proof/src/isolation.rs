//! No entry of any table leads a packet where its virtual network has no right to be, and every
//! promise has a way.

use std::collections::{BTreeMap, BTreeSet};

use base::{LabelSpace, Prefix};
use model::plan::Plan;
use model::tables::{Accepts, LabelAction, LabelEntry, RouterTables, VrfRoute};

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
    /// Pairs of a VRF and a destination that were promised and looked up.
    pub promises: usize,
    /// What breaks a rule, in order, as far as it is kept.
    pub violations: Vec<Violation>,
    /// How many there are.
    pub violations_total: usize,
}

/// Proves the isolation of every virtual network over every entry of these tables.
#[must_use]
pub fn isolation(plan: &Plan, tables: &[RouterTables]) -> Isolation {
    let mut violations = Vec::new();
    let region = Region::new(plan, tables, &mut violations);
    let mut prover = Prover::new(&region);
    let mut whole = Part { violations, ..Part::default() };
    for (id, unit) in units(&region) {
        whole.add(prover.part(id, unit));
    }
    whole.finish(region.routers.len())
}

/// A part of the tables that is proved by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    /// What ports let in.
    Ports,
    /// The labels of one space.
    Labels(LabelSpace),
    /// The VRF at this place among the router's.
    Vrf(usize),
}

/// Every part of a region.
pub(crate) fn units<'r>(region: &'r Region<'_>) -> impl Iterator<Item = (RouterId, Unit)> + 'r {
    region.routers.iter().enumerate().flat_map(|(number, router)| {
        let spaces = router.labels.chunk_by(|a, b| a.space == b.space);
        let labels = spaces.filter_map(|of_space| Some(Unit::Labels(of_space.first()?.space)));
        let vrfs = (0..router.vrfs.len()).map(Unit::Vrf);
        let all = core::iter::once(Unit::Ports).chain(labels).chain(vrfs);
        all.map(move |unit| (RouterId(number), unit))
    })
}

/// What was found in one part, or in several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Part {
    pub(crate) entries: usize,
    pub(crate) labels: usize,
    pub(crate) promises: usize,
    pub(crate) violations: Vec<Violation>,
}

impl Part {
    pub(crate) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.labels += other.labels;
        self.promises += other.promises;
        self.violations.extend(other.violations);
    }

    pub(crate) fn finish(self, routers: usize) -> Isolation {
        let Self { entries, labels, promises, mut violations } = self;
        let violations_total = violations.len();
        violations.sort_unstable();
        violations.truncate(VIOLATIONS_MAX);
        Isolation { routers, entries, labels, promises, violations, violations_total }
    }
}

/// Proves one part after the other.
pub(crate) struct Prover<'r, 'a> {
    region: &'r Region<'a>,
    walker: Walker<'r, 'a>,
    found: Part,
    /// Of each virtual network a VRF whose access rules are what was published, by the sites there
    /// that have applications: most of the others have the same.
    exact: BTreeMap<(Network, BTreeSet<&'a str>), &'r VrfTable<'a>>,
}

impl<'r, 'a> Prover<'r, 'a> {
    pub(crate) fn new(region: &'r Region<'a>) -> Self {
        let walker = Walker::new(region);
        Self { region, walker, found: Part::default(), exact: BTreeMap::new() }
    }

    /// What is found in one part.
    pub(crate) fn part(&mut self, id: RouterId, unit: Unit) -> Part {
        let Some(router) = self.region.router(id) else { return Part::default() };
        match unit {
            Unit::Ports => self.ports(id, router),
            Unit::Labels(space) => {
                let from = router.labels.partition_point(|entry| entry.space < space);
                let rest = router.labels.get(from..).unwrap_or_default().iter();
                self.labels(id, router, rest.take_while(|entry| entry.space == space));
            }
            Unit::Vrf(place) => {
                if let Some(vrf) = router.vrfs.get(place) {
                    self.vrf(id, router, vrf);
                }
            }
        }
        core::mem::take(&mut self.found)
    }

    fn violate(
        &mut self,
        router: RouterId,
        place: Place,
        breach: Breach,
        witness: Option<Witness>,
    ) {
        let router = self.region.router_name(router).to_owned();
        self.found.violations.push(Violation { router, place, breach, witness });
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
                    let network = router.vrf(*vrf).and_then(|table| table.network);
                    let is_promised = router.lans.iter().any(|lan| lan.port == port.id);
                    if network.is_none() || !is_promised {
                        self.violate(id, Place::Port(port.id), Breach::Stranger, None);
                        continue;
                    }
                    (network.into_iter().collect(), sources)
                }
                Accepts::Uplink { sources: Some(sources), .. } => {
                    let far = router.far(port.id).and_then(|(far, _)| self.region.router(far));
                    let vrfs = far.into_iter().flat_map(|far| &far.vrfs);
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
    fn labels(
        &mut self,
        id: RouterId,
        router: &RouterTable<'a>,
        entries: impl Iterator<Item = &'r LabelEntry>,
    ) {
        for entry in entries {
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
            self.found.labels += 1;
            let number = self.walker.service(id, entry.space, entry.label);
            let outcome = self.walker.outcome(number);
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
        let networks = self.region.router(far).into_iter().flat_map(|far| &far.vrfs);
        let into = self.region.router(at).and_then(|router| router.vrf(vrf)?.network);
        let may = |from| into.is_some_and(|into| self.region.rights.may_meet(from, into));
        if networks.filter_map(|vrf| vrf.network).any(may) {
            return None;
        }
        let into = into.map(|into| self.region.rights.name(into).to_owned());
        Some(Breach::Leak { at: self.region.router_name(at).to_owned(), into })
    }

    /// Follows every entry of a VRF, compares its rules, and looks for what was promised.
    fn vrf(&mut self, id: RouterId, router: &RouterTable<'a>, vrf: &'r VrfTable<'a>) {
        // Nothing comes in where nobody has a LAN; what ends there is told where it comes from.
        let Some(network) = vrf.network else { return };
        let own = router.lans.iter().filter(|lan| router.network_of(lan.port) == Some(network));
        let sites: BTreeSet<&str> = own.map(|lan| lan.site.as_str()).collect();
        let from = From { network, sites: &sites };
        let mut ends = Vec::new();
        for (place, entry) in vrf.routes.iter().enumerate() {
            self.found.entries += 1;
            let mut breaches = Vec::new();
            match &entry.to {
                VrfRoute::Local => {}
                VrfRoute::Attached { port, .. } => {
                    let into = router.network_of(*port);
                    breaches.extend(self.leaves(from, (id, into), entry.prefix));
                }
                VrfRoute::Remote(paths) => {
                    ends.clear();
                    for path in paths {
                        let number = self.walker.path(id, *path);
                        let outcome = self.walker.outcome(number);
                        breaches.extend(outcome.faults.iter().cloned().map(Breach::Way));
                        ends.extend(&outcome.ends);
                    }
                    ends.sort_unstable();
                    ends.dedup();
                    for end in &ends {
                        self.ends(from, *end, (entry.prefix, place), &mut breaches);
                    }
                }
            }
            if breaches.is_empty() {
                continue;
            }
            breaches.sort_unstable();
            breaches.dedup();
            for breach in breaches {
                let place = Place::Route { vrf: vrf.vrf.name.clone(), prefix: entry.prefix };
                let witness = self.witness(id, network, entry.prefix);
                self.violate(id, place, breach, witness);
            }
        }
        self.access(id, vrf, (network, sites));
        self.promised(id, vrf, network);
    }

    /// What is wrong with packets to these addresses that leave to a LAN of a virtual network.
    fn leaves(
        &self,
        from: From<'_>,
        (at, into): (RouterId, Option<Network>),
        prefix: Prefix,
    ) -> Option<Breach> {
        let rights = &self.region.rights;
        if into.is_some_and(|into| rights.may_lead((from.network, into), prefix, from.sites)) {
            return None;
        }
        let at = self.region.router_name(at).to_owned();
        Some(Breach::Leak { at, into: into.map(|into| rights.name(into).to_owned()) })
    }

    /// What is wrong with the end of a way.
    fn ends(
        &self,
        from: From<'_>,
        (at, vrf): End,
        (prefix, near): (Prefix, usize),
        breaches: &mut Vec<Breach>,
    ) {
        let Some(router) = self.region.router(at) else { return };
        let lost = || Breach::NotDelivered { at: self.region.router_name(at).to_owned() };
        let Some(vrf) = router.vrf(vrf) else {
            breaches.push(lost());
            return;
        };
        breaches.extend(self.leaves(from, (at, vrf.network), prefix));
        // Every atom: what is longer than the prefix, and what remains.
        let (routes, is_whole) = vrf.taken(prefix, near);
        if !is_whole {
            breaches.push(lost());
        }
        for to in routes {
            match to {
                VrfRoute::Local => {}
                VrfRoute::Attached { port, .. } => {
                    breaches.extend(self.leaves(from, (at, router.network_of(*port)), prefix));
                }
                // It is not sent back into the core.
                VrfRoute::Remote(_) => breaches.push(lost()),
            }
        }
    }

    /// Whether access rules admit exactly what was published.
    fn access(
        &mut self,
        id: RouterId,
        vrf: &'r VrfTable<'a>,
        (network, sites): (Network, BTreeSet<&'a str>),
    ) {
        let place = || Place::Access { vrf: vrf.vrf.name.clone() };
        let own = self.region.rights.addresses(network);
        let is_own = |prefix: &Prefix| within(own, *prefix);
        if !vrf.vrf.own.iter().all(is_own) {
            self.violate(id, place(), Breach::Wider, None);
        }
        if !own.iter().all(|prefix| within(&vrf.vrf.own, *prefix)) {
            self.violate(id, place(), Breach::Narrower, None);
        }
        let grants = || self.region.rights.given_by(network).map(|grant| grant.site);
        let sites: BTreeSet<&str> = grants().filter(|site| sites.contains(site)).collect();
        let like = self.exact.get(&(network, sites.clone()));
        if like.is_some_and(|like| like.vrf.rules == vrf.vrf.rules) {
            return;
        }
        let wanted = self.region.rights.crossings(network, &sites);
        let differences = differences(&admitted(&vrf.vrf.rules), &wanted);
        if differences.is_empty() {
            self.exact.insert((network, sites), vrf);
        }
        for difference in differences {
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
    fn promised(&mut self, id: RouterId, vrf: &VrfTable<'a>, network: Network) {
        let wanted = self.region.reached.get(network.0).map_or(&[][..], Vec::as_slice);
        self.found.promises += wanted.len();
        let missing = vrf.missing(wanted.iter().copied());
        for prefix in missing {
            let place = Place::Route { vrf: vrf.vrf.name.clone(), prefix };
            let witness = self.witness(id, network, prefix);
            self.violate(id, place, Breach::Missing, witness);
        }
    }
}

/// Where packets come from: a virtual network, at these sites.
#[derive(Clone, Copy)]
struct From<'s> {
    network: Network,
    sites: &'s BTreeSet<&'s str>,
}
