//! What an answer rests on: everything in the tables that a walk looks at, found or not.
//!
//! While none of it changes, the answer stays.

use std::collections::{BTreeMap, BTreeSet};

use base::{Label, LabelSpace, PortId, VrfId};
use model::tables::{Accepts, LabelAction, Path, VrfRoute};

use crate::isolation::Unit;
use crate::region::{Region, RouterId, RouterTable, VrfTable};
use crate::rights::Network;
use crate::walk::Arrival;

/// Something that an answer may rest on; `R` says which router, `N` which virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Thing<R, N> {
    /// What is done under a label.
    Label(R, LabelSpace, Label),
    /// All labels of a space.
    Space(R, LabelSpace),
    /// A way to another router.
    Transport(R, u32),
    /// What a port takes in, and where its link leads.
    Port(R, PortId),
    /// All ports of a router.
    Ports(R),
    /// Routes and rules of a VRF.
    Vrf(R, VrfId),
    /// The LANs of a router, and so whose its VRFs are.
    Lans(R),
    /// Addresses, LANs and rights of a virtual network.
    Network(N),
}

type Found = Thing<RouterId, Network>;

/// Everything that the answer for a part rests on.
pub(crate) fn trail(region: &Region<'_>, id: RouterId, unit: Unit) -> BTreeSet<Found> {
    let mut trail = Trail {
        region,
        found: BTreeSet::new(),
        transports: BTreeMap::new(),
        ends: BTreeMap::new(),
    };
    let Some(router) = region.router(id) else { return trail.found };
    trail.found.insert(Thing::Lans(id));
    match unit {
        Unit::Ports => {
            trail.lans(id);
            trail.found.insert(Thing::Ports(id));
            for port in &router.tables.ports {
                trail.found.insert(Thing::Port(id, port.id));
                router.far(port.id).into_iter().for_each(|(far, _)| trail.lans(far));
            }
        }
        Unit::Labels(space) => {
            trail.found.insert(Thing::Space(id, space));
            if let LabelSpace::Port(port) = space {
                trail.found.insert(Thing::Port(id, port));
                router.far(port).into_iter().for_each(|(far, _)| trail.lans(far));
            }
            for entry in router.labels.iter().filter(|entry| entry.space == space) {
                trail.service((id, space), entry.label);
            }
        }
        Unit::Vrf(place) => {
            if let Some(vrf) = router.vrfs.get(place) {
                trail.vrf(id, router, vrf);
            }
        }
    }
    trail.found
}

struct Trail<'r, 'a> {
    region: &'r Region<'a>,
    found: BTreeSet<Found>,
    /// Where each transport that was seen sets down what it carries.
    transports: BTreeMap<(RouterId, u32), BTreeSet<Arrival>>,
    ends: BTreeMap<(Arrival, Label), BTreeSet<Arrival>>,
}

impl<'a> Trail<'_, 'a> {
    /// Which virtual networks a router has, and what they may.
    fn lans(&mut self, id: RouterId) {
        self.found.insert(Thing::Lans(id));
        let vrfs = self.region.router(id).into_iter().flat_map(|router| &router.vrfs);
        self.found.extend(vrfs.filter_map(|vrf| vrf.network).map(Thing::Network));
    }

    fn vrf(&mut self, id: RouterId, router: &RouterTable<'a>, vrf: &VrfTable<'a>) {
        self.found.insert(Thing::Vrf(id, vrf.vrf.id));
        self.found.extend(vrf.network.map(Thing::Network));
        for entry in vrf.routes.iter() {
            match &entry.to {
                VrfRoute::Local => {}
                VrfRoute::Attached { port, .. } => {
                    self.found.insert(Thing::Port(id, *port));
                }
                VrfRoute::Remote(paths) => paths.iter().for_each(|path| self.path(id, *path)),
            }
        }
        for lan in &router.lans {
            self.found.insert(Thing::Port(id, lan.port));
        }
    }

    fn path(&mut self, router: RouterId, path: Path) {
        for arrival in self.transport(router, path.via) {
            self.service(arrival, path.label);
        }
    }

    fn transport(&mut self, router: RouterId, number: u32) -> BTreeSet<Arrival> {
        if let Some(known) = self.transports.get(&(router, number)) {
            return known.clone();
        }
        self.found.insert(Thing::Transport(router, number));
        self.transports.insert((router, number), BTreeSet::new());
        let transport = self.region.router(router).and_then(|one| one.transport(number));
        let hops = transport.into_iter().flat_map(|one| one.hops.iter().chain(&one.backups));
        let mut arrivals = BTreeSet::new();
        for hop in hops {
            let mut at: BTreeSet<Arrival> = self.next(router, hop.port).into_iter().collect();
            for label in &hop.labels {
                at = at.into_iter().flat_map(|arrival| self.label(arrival, *label)).collect();
            }
            arrivals.extend(at);
        }
        self.transports.insert((router, number), arrivals.clone());
        arrivals
    }

    fn next(&mut self, router: RouterId, port: PortId) -> Option<Arrival> {
        self.found.insert(Thing::Port(router, port));
        let (far, far_port) = self.region.router(router)?.far(port)?;
        self.found.insert(Thing::Port(far, far_port));
        match &self.region.router(far)?.port(far_port)?.accepts {
            Accepts::Core => Some((far, LabelSpace::Platform)),
            Accepts::Uplink { space, .. } => Some((far, *space)),
            Accepts::Attachment { .. } => None,
        }
    }

    /// What is done under a label, wherever it is met.
    fn action(&mut self, (router, space): Arrival, label: Label) -> Option<LabelAction> {
        self.found.insert(Thing::Label(router, space, label));
        let table = self.region.router(router)?;
        table.action(table.label(space, label)?).cloned()
    }

    fn label(&mut self, at: Arrival, label: Label) -> BTreeSet<Arrival> {
        if let Some(known) = self.ends.get(&(at, label)) {
            return known.clone();
        }
        self.ends.insert((at, label), BTreeSet::new());
        let arrivals = match self.action(at, label) {
            Some(LabelAction::Pop) => BTreeSet::from([at]),
            Some(LabelAction::Transit(via)) => self.transport(at.0, via),
            Some(LabelAction::Vrf(_) | LabelAction::Swap(_)) | None => BTreeSet::new(),
        };
        self.ends.insert((at, label), arrivals.clone());
        arrivals
    }

    fn service(&mut self, at: Arrival, label: Label) {
        if self.found.contains(&Thing::Label(at.0, at.1, label)) {
            return;
        }
        match self.action(at, label) {
            Some(LabelAction::Vrf(vrf)) => self.end(at.0, vrf),
            Some(LabelAction::Swap(paths)) => {
                paths.into_iter().for_each(|path| self.path(at.0, path));
            }
            Some(LabelAction::Pop | LabelAction::Transit(_)) | None => {}
        }
    }

    /// Where packets come out of labels: the VRF, its attachments, and whose they are.
    fn end(&mut self, at: RouterId, vrf: VrfId) {
        self.found.insert(Thing::Vrf(at, vrf));
        self.found.insert(Thing::Ports(at));
        self.found.insert(Thing::Lans(at));
    }
}
