//! A plan and the tables of its routers, joined: what is at the other end of a port, and whose a
//! VRF is.

use std::collections::BTreeMap;

use base::{Label, LabelSpace, PortId, Prefix, PrefixMap, VrfId};
use model::plan::{Attachment, Plan};
use model::tables::{Accepts, LabelAction, Port, RouterTables, Transport, Vrf, VrfRoute};

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
    pub(crate) routes: PrefixMap<&'a VrfRoute>,
    /// The same in order, so that longer prefixes follow what covers them.
    in_order: Vec<(Prefix, &'a VrfRoute)>,
}

impl<'a> VrfTable<'a> {
    /// The routes to this prefix and to everything within it.
    pub(crate) fn within(&self, prefix: Prefix) -> impl Iterator<Item = &'a VrfRoute> {
        let first = self.in_order.partition_point(|(other, _)| *other < prefix);
        let rest = self.in_order.get(first..).unwrap_or_default().iter();
        rest.take_while(move |(other, _)| prefix.covers(*other)).map(|(_, route)| *route)
    }
}

/// A router's tables, ready to be looked into.
#[derive(Debug)]
pub(crate) struct RouterTable<'a> {
    pub(crate) tables: &'a RouterTables,
    ports: BTreeMap<PortId, &'a Port>,
    vrfs: BTreeMap<VrfId, VrfTable<'a>>,
    far: BTreeMap<PortId, (RouterId, PortId)>,
    /// Its LANs as they were promised.
    pub(crate) lans: Vec<&'a Attachment>,
}

impl<'a> RouterTable<'a> {
    pub(crate) fn port(&self, id: PortId) -> Option<&'a Port> {
        self.ports.get(&id).copied()
    }

    pub(crate) fn vrf(&self, id: VrfId) -> Option<&VrfTable<'a>> {
        self.vrfs.get(&id)
    }

    pub(crate) fn vrfs(&self) -> impl Iterator<Item = &VrfTable<'a>> {
        self.vrfs.values()
    }

    pub(crate) fn transport(&self, number: u32) -> Option<&'a Transport> {
        self.tables.transports.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn label(&self, space: LabelSpace, label: Label) -> Option<&'a LabelAction> {
        let labels = &self.tables.labels;
        let at = labels.binary_search_by_key(&(space, label), |one| (one.space, one.label)).ok()?;
        labels.get(at).map(|entry| &entry.action)
    }

    /// What is at the other end of a port's link.
    pub(crate) fn far(&self, port: PortId) -> Option<(RouterId, PortId)> {
        self.far.get(&port).copied()
    }

    /// The virtual network of an attachment.
    pub(crate) fn network_of(&self, port: PortId) -> Option<Network> {
        match &self.port(port)?.accepts {
            Accepts::Attachment { vrf, .. } => self.vrf(*vrf)?.network,
            Accepts::Core | Accepts::Uplink { .. } => None,
        }
    }
}

/// Everything that is proved over.
#[derive(Debug)]
pub(crate) struct Region<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) rights: Rights<'a>,
    pub(crate) routers: Vec<RouterTable<'a>>,
    /// The LANs of each virtual network, by [`Network`].
    pub(crate) lans: Vec<Vec<&'a Attachment>>,
}

impl<'a> Region<'a> {
    /// Joins them, as far as they fit; where they do not, that is a violation.
    pub(crate) fn new(
        plan: &'a Plan,
        tables: &'a [RouterTables],
        violations: &mut Vec<Violation>,
    ) -> Self {
        let rights = Rights::new(plan);
        let by_name: BTreeMap<&str, &RouterTables> =
            tables.iter().map(|one| (one.router.as_str(), one)).collect();
        let numbers: BTreeMap<&str, RouterId> = plan
            .routers
            .iter()
            .enumerate()
            .map(|(number, router)| (router.name.as_str(), RouterId(number)))
            .collect();
        let mut routers = Vec::with_capacity(plan.routers.len());
        for config in &plan.routers {
            let Some(tables) = by_name.get(config.name.as_str()) else {
                violations.push(Violation::at(&config.name, Place::Router, Breach::NoTables));
                routers.push(RouterTable::of(&NOTHING));
                continue;
            };
            if tables.generation != plan.generation {
                let (found, wanted) = (tables.generation, plan.generation);
                let breach = Breach::Generation { found, wanted };
                violations.push(Violation::at(&config.name, Place::Router, breach));
            }
            routers.push(RouterTable::of(tables));
        }
        for link in &plan.links {
            let [near, far] = &link.ends;
            let (Some(&a), Some(&b)) =
                (numbers.get(near.router.as_str()), numbers.get(far.router.as_str()))
            else {
                continue;
            };
            for ((own, port), (other, at)) in
                [((a, near.port), (b, far.port)), ((b, far.port), (a, near.port))]
            {
                if let Some(router) = routers.get_mut(own.0) {
                    router.far.insert(port, (other, at));
                }
            }
        }
        let lans = vec![Vec::new(); plan.virtual_networks.len()];
        let mut region = Self { plan, rights, routers, lans };
        region.own_vrfs(&numbers, violations);
        region
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
            self.lans.get_mut(network.0).into_iter().for_each(|all| all.push(lan));
            let place = || Place::Lan { site: lan.site.clone(), port: lan.port };
            let Some(Accepts::Attachment { vrf, .. }) =
                router.ports.get(&lan.port).map(|port| &port.accepts)
            else {
                violations.push(Violation::at(&lan.router, place(), Breach::NoLan));
                continue;
            };
            let Some(vrf) = router.vrfs.get_mut(vrf) else {
                violations.push(Violation::at(&lan.router, place(), Breach::NoLan));
                continue;
            };
            match vrf.network {
                None => vrf.network = Some(network),
                Some(other) if other == network => {}
                Some(other) => {
                    let networks = [other, network].map(|one| self.rights.name(one).to_owned());
                    violations.push(Violation::at(
                        &lan.router,
                        place(),
                        Breach::Mixed { networks },
                    ));
                }
            }
        }
    }
}

/// Stands for a router that has told nothing.
static NOTHING: RouterTables = RouterTables {
    router: String::new(),
    generation: 0,
    ports: Vec::new(),
    vrfs: Vec::new(),
    labels: Vec::new(),
    global: Vec::new(),
    transports: Vec::new(),
};

impl<'a> RouterTable<'a> {
    fn of(tables: &'a RouterTables) -> Self {
        let vrf = |vrf: &'a Vrf| {
            let mut routes = PrefixMap::new();
            for entry in &vrf.routes {
                routes.insert(entry.prefix, &entry.to);
            }
            let in_order = routes.iter().map(|(prefix, route)| (prefix, *route)).collect();
            (vrf.id, VrfTable { vrf, network: None, routes, in_order })
        };
        Self {
            tables,
            ports: tables.ports.iter().map(|port| (port.id, port)).collect(),
            vrfs: tables.vrfs.iter().map(vrf).collect(),
            far: BTreeMap::new(),
            lans: Vec::new(),
        }
    }
}

/// Whether a prefix lies within one of these.
pub(crate) fn within(prefixes: &[Prefix], prefix: Prefix) -> bool {
    prefixes.iter().any(|outer| outer.covers(prefix))
}
