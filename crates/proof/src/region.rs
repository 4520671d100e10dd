//! A plan and the tables of its routers, joined: what is at the other end of a port, and whose a
//! VRF is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use model::plan::{Attachment, Plan};
use model::tables::{
    Accepts, LabelAction, LabelEntry, Port, RouterTables, Transport, Vrf, VrfEntry, VrfRoute,
};

use crate::rights::{Network, Rights};
use crate::violation::{Breach, Place, Violation};

/// A router, by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RouterId(pub(crate) usize);

/// A VRF with its routes by address.
#[derive(Debug)]
pub(crate) struct VrfTable<'a> {
    pub(crate) vrf: &'a Vrf,
    /// Whose it is; none: of nobody's LAN.
    pub(crate) network: Option<Network>,
    /// In order, so that longer prefixes follow what covers them.
    pub(crate) routes: Cow<'a, [VrfEntry]>,
    /// Whether each prefix is there once.
    is_strict: bool,
    /// For each route the longest of those that cover it, one up; 0: none does.
    above: Vec<u32>,
}

impl<'a> VrfTable<'a> {
    fn new(vrf: &'a Vrf) -> Self {
        let mut routes = Cow::Borrowed(vrf.routes.as_slice());
        let mut is_strict = routes.is_sorted_by(|a, b| a.prefix.cmp(&b.prefix).is_lt());
        if !is_strict {
            routes.to_mut().sort_by_key(|entry| entry.prefix);
            is_strict = routes.is_sorted_by(|a, b| a.prefix.cmp(&b.prefix).is_lt());
        }
        let mut above = Vec::with_capacity(routes.len());
        let mut open: Vec<(Prefix, u32)> = Vec::new();
        for (number, entry) in (1..).zip(routes.iter()) {
            while open.last().is_some_and(|(prefix, _)| !prefix.covers(entry.prefix)) {
                open.pop();
            }
            above.push(open.last().map_or(0, |(_, number)| *number));
            open.push((entry.prefix, number));
        }
        Self { vrf, network: None, routes, is_strict, above }
    }

    /// The first route that is not before this prefix.
    fn first(&self, prefix: Prefix) -> usize {
        self.routes.partition_point(|entry| entry.prefix.cmp(&prefix).is_lt())
    }

    /// Every route that packets to this prefix may take: those to it and to everything within it,
    /// and where none is to all of it, the longest that covers it. The second value says whether
    /// every packet has one. VRFs of one virtual network are alike: the route is looked for first
    /// near the place that the other one has it at.
    pub(crate) fn taken(
        &self,
        prefix: Prefix,
        near: usize,
    ) -> (impl Iterator<Item = &VrfRoute>, bool) {
        let is_here = |place: &usize| self.routes.get(*place).is_some_and(|e| e.prefix == prefix);
        let around = near.saturating_sub(2)..near.saturating_add(3);
        let first = around.into_iter().find(is_here).unwrap_or_else(|| self.first(prefix));
        let within = self.routes.get(first..).unwrap_or_default().iter();
        let within = within.take_while(move |entry| prefix.covers(entry.prefix));
        let is_whole = self.routes.get(first).is_some_and(|entry| entry.prefix == prefix);
        let rest = if is_whole { None } else { self.above(first, prefix) };
        (within.chain(rest).map(|entry| &entry.to), is_whole || rest.is_some())
    }

    /// Those of these prefixes, which are in order, that no route leads to all of.
    pub(crate) fn missing(&self, wanted: impl Iterator<Item = Prefix>) -> Vec<Prefix> {
        let mut missing = Vec::new();
        let mut place = 0;
        for prefix in wanted {
            while self.routes.get(place).is_some_and(|entry| entry.prefix.cmp(&prefix).is_lt()) {
                place += 1;
            }
            let is_here = self.routes.get(place).is_some_and(|entry| entry.prefix == prefix);
            if !is_here && self.above(place, prefix).is_none() {
                missing.push(prefix);
            }
        }
        missing
    }

    /// The route of the longest prefix that covers this one and more, which is among the first
    /// routes of this number.
    fn above(&self, mut number: usize, prefix: Prefix) -> Option<&VrfEntry> {
        while number > 0 {
            let entry = self.routes.get(number - 1)?;
            if entry.prefix.covers(prefix) {
                return Some(entry);
            }
            number = usize::try_from(*self.above.get(number - 1)?).ok()?;
        }
        None
    }
}

/// A router's tables, ready to be looked into.
#[derive(Debug)]
pub(crate) struct RouterTable<'a> {
    pub(crate) tables: &'a RouterTables,
    ports: Vec<&'a Port>,
    pub(crate) vrfs: Vec<VrfTable<'a>>,
    /// By space and label.
    pub(crate) labels: Cow<'a, [LabelEntry]>,
    /// Of each space its labels: where they begin, and the labels alone, packed, because they are
    /// what is searched most of all.
    spaces: Vec<(LabelSpace, usize)>,
    numbers: Vec<u32>,
    /// Where its labels and transports begin among those of all routers.
    pub(crate) labels_from: usize,
    pub(crate) transports_from: usize,
    far: Vec<(PortId, (RouterId, PortId))>,
    /// Its LANs as they were promised.
    pub(crate) lans: Vec<&'a Attachment>,
}

impl<'a> RouterTable<'a> {
    fn new(tables: &'a RouterTables, (labels_from, transports_from): (usize, usize)) -> Self {
        let mut ports: Vec<&Port> = tables.ports.iter().collect();
        ports.sort_by_key(|port| port.id);
        let mut vrfs: Vec<_> = tables.vrfs.iter().map(VrfTable::new).collect();
        vrfs.sort_by_key(|table| table.vrf.id);
        let mut labels = Cow::Borrowed(tables.labels.as_slice());
        if !labels.is_sorted_by_key(|entry| (entry.space, entry.label)) {
            labels.to_mut().sort_by_key(|entry| (entry.space, entry.label));
        }
        let numbers = labels.iter().map(|entry| entry.label.value()).collect();
        let mut spaces: Vec<(LabelSpace, usize)> = Vec::new();
        for (place, entry) in labels.iter().enumerate() {
            if spaces.last().is_none_or(|(space, _)| *space != entry.space) {
                spaces.push((entry.space, place));
            }
        }
        let (far, lans) = (Vec::new(), Vec::new());
        Self {
            tables,
            ports,
            vrfs,
            labels,
            spaces,
            numbers,
            labels_from,
            transports_from,
            far,
            lans,
        }
    }

    pub(crate) fn port(&self, id: PortId) -> Option<&'a Port> {
        let at = self.ports.binary_search_by_key(&id, |port| port.id).ok()?;
        self.ports.get(at).copied()
    }

    pub(crate) fn vrf(&self, id: VrfId) -> Option<&VrfTable<'a>> {
        let at = self.vrfs.binary_search_by_key(&id, |table| table.vrf.id).ok()?;
        self.vrfs.get(at)
    }

    pub(crate) fn transport(&self, number: u32) -> Option<&'a Transport> {
        self.tables.transports.get(usize::try_from(number).ok()?)
    }

    /// The place of a label among the router's labels.
    pub(crate) fn label(&self, space: LabelSpace, label: Label) -> Option<usize> {
        let at = self.spaces.binary_search_by_key(&space, |(space, _)| *space).ok()?;
        let (_, from) = *self.spaces.get(at)?;
        let to = self.spaces.get(at + 1).map_or(self.numbers.len(), |(_, next)| *next);
        let numbers = self.numbers.get(from..to)?;
        // Labels are handed out one after the other: most are where they are expected.
        let ahead = label.value().checked_sub(*numbers.first()?)?;
        let expected = usize::try_from(ahead).ok()?;
        if numbers.get(expected) == Some(&label.value()) {
            return Some(from + expected);
        }
        numbers.binary_search(&label.value()).ok().map(|place| from + place)
    }

    pub(crate) fn action(&self, place: usize) -> Option<&LabelAction> {
        self.labels.get(place).map(|entry| &entry.action)
    }

    /// What is at the other end of a port's link.
    pub(crate) fn far(&self, port: PortId) -> Option<(RouterId, PortId)> {
        let at = self.far.binary_search_by_key(&port, |(near, _)| *near).ok()?;
        self.far.get(at).map(|(_, far)| *far)
    }

    /// The virtual network of an attachment.
    pub(crate) fn network_of(&self, port: PortId) -> Option<Network> {
        match &self.port(port)?.accepts {
            Accepts::Attachment { vrf, .. } => self.vrf(*vrf)?.network,
            Accepts::Core | Accepts::Uplink { .. } => None,
        }
    }

    /// Whether nothing is said twice, as is usual.
    fn is_strict(&self) -> bool {
        self.ports.is_sorted_by(|a, b| a.id < b.id)
            && self.vrfs.is_sorted_by(|a, b| a.vrf.id < b.vrf.id && a.is_strict)
            && self.vrfs.last().is_none_or(|last| last.is_strict)
            && self.labels.is_sorted_by(|a, b| (a.space, a.label) < (b.space, b.label))
    }

    /// What its tables say twice: nobody knows which of the two holds.
    fn said_twice(&self) -> Vec<Place> {
        let mut places = Vec::new();
        let ports = self.ports.windows(2).filter(|two| same(two, |port| port.id));
        places.extend(ports.filter_map(|two| Some(Place::Port(two.first()?.id))));
        let vrfs = self.vrfs.windows(2).filter(|two| same(two, |table| table.vrf.id));
        let name = |two: &[VrfTable<'a>]| Some(two.first()?.vrf.name.clone());
        places.extend(vrfs.filter_map(|two| Some(Place::Access { vrf: name(two)? })));
        let labels = self.labels.windows(2).filter(|two| same(two, |one| (one.space, one.label)));
        let label = |one: &LabelEntry| Place::Label { space: one.space, label: one.label };
        places.extend(labels.filter_map(|two| Some(label(two.first()?))));
        for table in &self.vrfs {
            let routes = table.routes.windows(2).filter(|two| same(two, |entry| entry.prefix));
            let prefixes = routes.filter_map(|two| Some(two.first()?.prefix));
            let vrf = &table.vrf.name;
            places.extend(prefixes.map(|prefix| Place::Route { vrf: vrf.clone(), prefix }));
        }
        places
    }
}

fn same<T, K: PartialEq>(two: &[T], key: impl Fn(&T) -> K) -> bool {
    matches!(two, [a, b] if key(a) == key(b))
}

/// Everything that is proved over.
#[derive(Debug)]
pub(crate) struct Region<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) rights: Rights<'a>,
    pub(crate) routers: Vec<RouterTable<'a>>,
    /// What each virtual network was promised to reach, by [`Network`], in order.
    pub(crate) reached: Vec<Vec<Prefix>>,
    pub(crate) labels: usize,
    pub(crate) transports: usize,
}

impl<'a> Region<'a> {
    /// Joins them, as far as they fit; where they do not, that is a violation.
    pub(crate) fn new(
        plan: &'a Plan,
        tables: &'a [RouterTables],
        violations: &mut Vec<Violation>,
    ) -> Self {
        let rights = Rights::new(plan);
        let mut by_name: BTreeMap<&str, &RouterTables> = BTreeMap::new();
        for one in tables {
            if by_name.insert(&one.router, one).is_some() {
                violations.push(Violation::at(&one.router, Place::Router, Breach::Twice));
            }
        }
        let numbers: BTreeMap<&str, RouterId> = plan
            .routers
            .iter()
            .enumerate()
            .map(|(number, router)| (router.name.as_str(), RouterId(number)))
            .collect();
        let strangers = by_name.keys().filter(|name| !numbers.contains_key(*name));
        violations
            .extend(strangers.map(|name| Violation::at(name, Place::Router, Breach::Stranger)));
        let mut region = Self {
            plan,
            rights,
            routers: Vec::with_capacity(plan.routers.len()),
            reached: Vec::new(),
            labels: 0,
            transports: 0,
        };
        for config in &plan.routers {
            let known = by_name.get(config.name.as_str()).copied();
            if known.is_none() {
                violations.push(Violation::at(&config.name, Place::Router, Breach::NoTables));
            }
            region.add(&config.name, known.unwrap_or(&NOTHING), known.is_some(), violations);
        }
        region.join_links(&numbers);
        region.own_vrfs(&numbers, violations);
        region.set_reached();
        region
    }

    fn add(
        &mut self,
        name: &str,
        tables: &'a RouterTables,
        is_known: bool,
        violations: &mut Vec<Violation>,
    ) {
        if is_known && tables.generation != self.plan.generation {
            let (found, wanted) = (tables.generation, self.plan.generation);
            let breach = Breach::Generation { found, wanted };
            violations.push(Violation::at(name, Place::Router, breach));
        }
        let table = RouterTable::new(tables, (self.labels, self.transports));
        let twice = if table.is_strict() { Vec::new() } else { table.said_twice() };
        let twice = twice.into_iter();
        violations.extend(twice.map(|place| Violation::at(name, place, Breach::Twice)));
        self.labels += table.labels.len();
        self.transports += tables.transports.len();
        self.routers.push(table);
    }

    fn join_links(&mut self, numbers: &BTreeMap<&str, RouterId>) {
        for link in &self.plan.links {
            let [near, far] = &link.ends;
            let (Some(&a), Some(&b)) =
                (numbers.get(near.router.as_str()), numbers.get(far.router.as_str()))
            else {
                continue;
            };
            for ((own, port), (other, at)) in
                [((a, near.port), (b, far.port)), ((b, far.port), (a, near.port))]
            {
                if let Some(router) = self.routers.get_mut(own.0) {
                    router.far.push((port, (other, at)));
                }
            }
        }
        for router in &mut self.routers {
            router.far.sort_unstable();
        }
    }

    pub(crate) fn router(&self, id: RouterId) -> Option<&RouterTable<'a>> {
        self.routers.get(id.0)
    }

    pub(crate) fn router_name(&self, id: RouterId) -> &'a str {
        self.plan.routers.get(id.0).map_or("", |router| &router.name)
    }

    /// Says whose each VRF is: that of the LANs whose ports lead into it.
    fn own_vrfs(&mut self, numbers: &BTreeMap<&str, RouterId>, violations: &mut Vec<Violation>) {
        for lan in &self.plan.attachments {
            let network = self.rights.network(&lan.virtual_network);
            let router = numbers.get(lan.router.as_str()).and_then(|id| self.routers.get_mut(id.0));
            let (Some(network), Some(router)) = (network, router) else { continue };
            router.lans.push(lan);
            let into = match router.port(lan.port).map(|port| &port.accepts) {
                Some(Accepts::Attachment { vrf, .. }) => {
                    router.vrfs.binary_search_by_key(vrf, |table| table.vrf.id).ok()
                }
                Some(Accepts::Core | Accepts::Uplink { .. }) | None => None,
            };
            let place = || Place::Lan { site: lan.site.clone(), port: lan.port };
            let Some(vrf) = into.and_then(|at| router.vrfs.get_mut(at)) else {
                violations.push(Violation::at(&lan.router, place(), Breach::NoLan));
                continue;
            };
            match vrf.network {
                None => vrf.network = Some(network),
                Some(other) if other == network => {}
                Some(other) => {
                    let networks = [other, network].map(|one| self.rights.name(one).to_owned());
                    let breach = Breach::Mixed { networks };
                    violations.push(Violation::at(&lan.router, place(), breach));
                }
            }
        }
    }
}

impl Region<'_> {
    /// The LANs of each virtual network, and the applications that communities give it.
    fn set_reached(&mut self) {
        let mut reached = vec![Vec::new(); self.plan.virtual_networks.len()];
        for lan in &self.plan.attachments {
            let network = self.rights.network(&lan.virtual_network);
            let all: Option<&mut Vec<Prefix>> = network.and_then(|one| reached.get_mut(one.0));
            all.into_iter().for_each(|all| all.extend(&lan.prefixes));
        }
        for (place, all) in reached.iter_mut().enumerate() {
            all.extend(self.rights.reached(Network(place)));
            all.sort_unstable();
            all.dedup();
        }
        self.reached = reached;
    }
}

/// Stands for a router that has told nothing.
pub(crate) static NOTHING: RouterTables = RouterTables {
    router: String::new(),
    generation: 0,
    ports: Vec::new(),
    vrfs: Vec::new(),
    labels: Vec::new(),
    global: Vec::new(),
    transports: Vec::new(),
};

/// Whether a prefix lies within one of these.
pub(crate) fn within(prefixes: &[Prefix], prefix: Prefix) -> bool {
    prefixes.iter().any(|outer| outer.covers(prefix))
}
