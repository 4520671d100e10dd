//! A proof that is kept, and renewed where a change touches it.
//!
//! Every part of the tables ([`Unit`]) is proved by itself, and it is remembered what its answer
//! rests on ([`crate::trail`]). After a change the old plan and tables are compared with the new
//! ones, and only the parts that rest on something different are proved again. The answer is the
//! one that a proof from the beginning would give.

use std::collections::{BTreeMap, BTreeSet};

use base::{PortId, Prefix};
use model::plan::{Attachment, Plan};
use model::tables::{Accepts, LabelEntry, RouterTables};

use crate::isolation::{Isolation, Part, Prover, Unit, units};
use crate::region::{NOTHING, Region, RouterId};
use crate::rights::{Grant, Network, Rights};
use crate::trail::{Thing, trail};

/// Names, by numbers that last.
#[derive(Debug, Default)]
struct Names {
    numbers: BTreeMap<String, u32>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// A thing by numbers that last from change to change.
type Lasting = Thing<u32, u32>;
/// A part of the tables, by its router's number.
type Place = (u32, Unit);

/// The answer for one part.
#[derive(Debug)]
struct Answer {
    part: Part,
    rests_on: BTreeSet<Lasting>,
}

/// The isolation of a region, kept up to date.
#[derive(Debug)]
pub struct Incremental {
    plan: Plan,
    tables: Vec<RouterTables>,
    kept: Kept,
}

impl Incremental {
    /// Proves a region from the beginning.
    #[must_use]
    pub fn new(plan: Plan, tables: Vec<RouterTables>) -> Self {
        let mut kept = Kept::default();
        kept.renew(&plan, &tables, &BTreeSet::new());
        Self { plan, tables, kept }
    }

    /// What is proved of the region as it stands.
    #[must_use]
    pub const fn isolation(&self) -> &Isolation {
        &self.kept.isolation
    }

    /// How many parts the last change had proved again, and of how many.
    #[must_use]
    pub fn renewed(&self) -> (usize, usize) {
        (self.kept.renewed, self.kept.answers.len())
    }

    /// Proves the region after a change.
    pub fn update(&mut self, plan: Plan, tables: Vec<RouterTables>) -> &Isolation {
        let (old, new) = ((&self.plan, &*self.tables), (&plan, &*tables));
        let changed = self.kept.changed(old, new);
        self.kept.renew(&plan, &tables, &changed);
        (self.plan, self.tables) = (plan, tables);
        &self.kept.isolation
    }
}

/// The answers, and what they rest on.
#[derive(Debug, Default)]
struct Kept {
    names: Names,
    answers: BTreeMap<Place, Answer>,
    /// Which answers rest on a thing.
    holds: BTreeMap<Lasting, BTreeSet<Place>>,
    isolation: Isolation,
    renewed: usize,
}

impl Kept {
    /// Proves again what is new and what rests on something that changed.
    fn renew(&mut self, plan: &Plan, tables: &[RouterTables], changed: &BTreeSet<Lasting>) {
        let mut violations = Vec::new();
        let region = Region::new(plan, tables, &mut violations);
        let stale: BTreeSet<Place> =
            changed.iter().filter_map(|thing| self.holds.get(thing)).flatten().copied().collect();
        let mut former: BTreeSet<Place> = self.answers.keys().copied().collect();
        let mut prover = Prover::new(&region);
        self.renewed = 0;
        for (id, unit) in units(&region) {
            let place = (self.names.number(region.router_name(id)), unit);
            if former.remove(&place) && !stale.contains(&place) {
                continue;
            }
            self.forget(place);
            let part = prover.part(id, unit);
            self.remember(&region, place, (id, unit), part);
            self.renewed += 1;
        }
        former.into_iter().for_each(|place| self.forget(place));
        let mut whole = Part { violations, ..Part::default() };
        self.answers.values().for_each(|answer| whole.add(answer.part.clone()));
        self.isolation = whole.finish(region.routers.len());
    }

    fn forget(&mut self, place: Place) {
        let Some(answer) = self.answers.remove(&place) else { return };
        for thing in answer.rests_on {
            let Some(places) = self.holds.get_mut(&thing) else { continue };
            places.remove(&place);
            if places.is_empty() {
                self.holds.remove(&thing);
            }
        }
    }

    fn remember(
        &mut self,
        region: &Region<'_>,
        place: Place,
        (id, unit): (RouterId, Unit),
        part: Part,
    ) {
        let found = trail(region, id, unit);
        let rests_on: BTreeSet<Lasting> =
            found.into_iter().map(|thing| self.lasting(region, thing)).collect();
        for thing in &rests_on {
            self.holds.entry(*thing).or_default().insert(place);
        }
        self.answers.insert(place, Answer { part, rests_on });
    }

    fn lasting(&mut self, region: &Region<'_>, thing: Thing<RouterId, Network>) -> Lasting {
        let mut router = |id| self.names.number(region.router_name(id));
        match thing {
            Thing::Label(id, space, label) => Thing::Label(router(id), space, label),
            Thing::Space(id, space) => Thing::Space(router(id), space),
            Thing::Transport(id, number) => Thing::Transport(router(id), number),
            Thing::Port(id, port) => Thing::Port(router(id), port),
            Thing::Ports(id) => Thing::Ports(router(id)),
            Thing::Vrf(id, vrf) => Thing::Vrf(router(id), vrf),
            Thing::Lans(id) => Thing::Lans(router(id)),
            Thing::Network(network) => {
                Thing::Network(self.names.number(region.rights.name(network)))
            }
        }
    }

    /// Everything that is not as it was.
    fn changed(
        &mut self,
        (old, old_tables): (&Plan, &[RouterTables]),
        (new, new_tables): (&Plan, &[RouterTables]),
    ) -> BTreeSet<Lasting> {
        let mut changed = BTreeSet::new();
        let names = &mut self.names;
        let by_name = |tables| -> BTreeMap<_, _> {
            let tables: &[RouterTables] = tables;
            tables.iter().map(|one| (one.router.clone(), one)).collect()
        };
        let (a, b) = (by_name(old_tables), by_name(new_tables));
        for router in differences(&a, &b) {
            let of = |all: &BTreeMap<String, _>| all.get(&router).copied().unwrap_or(&NOTHING);
            tables_changed(names.number(&router), of(&a), of(&b), &mut changed);
        }
        for (router, port) in differences(&links(old), &links(new)) {
            changed.insert(Thing::Port(names.number(router), port));
        }
        for router in differences(&lans(old), &lans(new)) {
            changed.insert(Thing::Lans(names.number(router)));
        }
        for network in differences(&networks(old), &networks(new)) {
            changed.insert(Thing::Network(names.number(network)));
        }
        changed
    }
}

/// The keys whose values are not the same in both.
fn differences<K: Ord + Clone, V: PartialEq>(a: &BTreeMap<K, V>, b: &BTreeMap<K, V>) -> Vec<K> {
    let all: BTreeSet<&K> = a.keys().chain(b.keys()).collect();
    all.into_iter().filter(|key| a.get(*key) != b.get(*key)).cloned().collect()
}

/// What each key has, in order; a table may say two things of one.
fn grouped<K: Ord, V>(all: impl Iterator<Item = (K, V)>) -> BTreeMap<K, Vec<V>> {
    let mut groups: BTreeMap<K, Vec<V>> = BTreeMap::new();
    for (key, value) in all {
        groups.entry(key).or_default().push(value);
    }
    groups
}

fn tables_changed(
    router: u32,
    a: &RouterTables,
    b: &RouterTables,
    changed: &mut BTreeSet<Lasting>,
) {
    let labels = |one: &RouterTables| {
        let labels = one.labels.iter();
        grouped(labels.map(|entry: &LabelEntry| ((entry.space, entry.label), entry.action.clone())))
    };
    for (space, label) in differences(&labels(a), &labels(b)) {
        changed.extend([Thing::Label(router, space, label), Thing::Space(router, space)]);
    }
    let transports = |one: &RouterTables| -> BTreeMap<u32, _> {
        (0..).zip(one.transports.iter().cloned()).collect()
    };
    let of_transports = differences(&transports(a), &transports(b)).into_iter();
    changed.extend(of_transports.map(|number| Thing::Transport(router, number)));
    let ports =
        |one: &RouterTables| grouped(one.ports.iter().map(|port| (port.id, port.accepts.clone())));
    for port in differences(&ports(a), &ports(b)) {
        changed.extend([Thing::Port(router, port), Thing::Ports(router)]);
        let is_lan = |one: &RouterTables| {
            let mut of_port = one.ports.iter().filter(|own| own.id == port);
            of_port.any(|own| matches!(own.accepts, Accepts::Attachment { .. }))
        };
        if is_lan(a) || is_lan(b) {
            changed.insert(Thing::Lans(router));
        }
    }
    let vrfs = |one: &RouterTables| grouped(one.vrfs.iter().map(|vrf| (vrf.id, vrf.clone())));
    let (old, new) = (vrfs(a), vrfs(b));
    for vrf in differences(&old, &new) {
        changed.insert(Thing::Vrf(router, vrf));
        if old.contains_key(&vrf) != new.contains_key(&vrf) {
            // Whose the LANs are that lead into it, and which place each VRF has.
            changed.insert(Thing::Lans(router));
        }
    }
}

/// Where the link of each port leads.
fn links(plan: &Plan) -> BTreeMap<(&str, PortId), Vec<(&str, PortId)>> {
    let both = plan.links.iter().flat_map(|link| {
        let [a, b] = &link.ends;
        let (a, b) = ((a.router.as_str(), a.port), (b.router.as_str(), b.port));
        [(a, b), (b, a)]
    });
    grouped(both)
}

/// The LANs of each router, and whether there is the virtual network that each is in.
fn lans(plan: &Plan) -> BTreeMap<&str, Vec<(&Attachment, bool)>> {
    let rights = Rights::new(plan);
    let is_there = |lan: &Attachment| rights.network(&lan.virtual_network).is_some();
    grouped(plan.attachments.iter().map(|lan| (lan.router.as_str(), (lan, is_there(lan)))))
}

/// A virtual network's name and addresses.
type Side<'a> = (&'a str, &'a [Prefix]);

/// Everything that is promised to a virtual network: its own addresses and LANs, and each grant
/// with the names and addresses of both sides.
#[derive(Debug, PartialEq)]
struct Promised<'a> {
    addresses: &'a [Prefix],
    lans: Vec<&'a Attachment>,
    grants: Vec<([Side<'a>; 2], Grant<'a>)>,
}

fn networks(plan: &Plan) -> BTreeMap<&str, Promised<'_>> {
    let rights = Rights::new(plan);
    let mut lans = grouped(plan.attachments.iter().map(|lan| (lan.virtual_network.as_str(), lan)));
    let mut networks = BTreeMap::new();
    for (place, network) in plan.virtual_networks.iter().enumerate() {
        let side = |network| (rights.name(network), rights.addresses(network));
        let all = rights.used_by(Network(place)).chain(rights.given_by(Network(place)));
        let grants = all.map(|grant| {
            // Places among the networks of a plan mean nothing in another plan.
            let nowhere = Network(usize::MAX);
            let one = Grant { consumer: nowhere, provider: nowhere, ..grant.clone() };
            ([side(grant.consumer), side(grant.provider)], one)
        });
        let promised = Promised {
            addresses: &network.addresses,
            lans: lans.remove(network.name.as_str()).unwrap_or_default(),
            grants: grants.collect(),
        };
        networks.insert(network.name.as_str(), promised);
    }
    networks
}
