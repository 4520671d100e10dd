//! What the control lane knows, written into the forwarding tables.
//!
//! Routes of VRFs and swapped labels lead to a *next hop*; how a next hop is reached is one
//! transport per next hop, shared by all of them. So when the interior routes change, a few
//! transports are rewritten and thousands of routes follow. Where a VRF has a prefix attached, an
//! imported route of the same prefix waits behind it. What a third party's router announces leads
//! out of its attachment, to the next hop that it named.
//!
//! Standards: RFC 8402 §3.1 and §3.4 (prefix and adjacency segments), RFC 8660 §2.5 (incoming
//! labels of prefix segments), RFC 4364 §5 (routes to the next hop through the tunnel to it).
//! Not implemented: RFC 8660 §2.5 incoming-label collision reports.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Label, LabelSpace, MacAddr, PortId, Prefix, VrfId};
use bgp::{LabelBinding, NeighbourId, Source, VrfPath};
use forwarding::access::{Access, Role as AccessRole, Rule};
use forwarding::{
    GlobalRoute, Hop, LabelAction, Medium, PATHS_MAX, Path, Port, PortKind, Tables, Transport,
    TransportId, VrfRoute,
};
use model::config::{self, ExportedRoute, NeighbourKind, Role, RouterConfig, Side};

use crate::numbers::Numbers;
use crate::translate;

/// The forwarding tables, and what is needed to keep them true.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) tables: Tables,
    transports: BTreeMap<Target, TransportId>,
    /// Third parties' routers, and what they are on.
    customers: BTreeMap<NeighbourId, PortId>,
    /// Far ends of uplinks, and the port that leads there.
    uplinks: BTreeMap<IpAddr, PortId>,
    /// The interior routes in force.
    interior: BTreeMap<Target, Vec<Hop>>,
    /// Prefix-segment labels in force.
    segments: BTreeSet<Label>,
    /// The router's own addresses in the region's table: no route to them is taken from others.
    own: BTreeSet<IpAddr>,
    /// The VRFs in force.
    vrfs: BTreeSet<VrfId>,
    /// Own addresses and prefixes in VRFs; imported routes to the same prefixes wait behind them.
    attached: BTreeSet<(VrfId, Prefix)>,
    /// Counts changes, for whoever waits for quiet.
    version: u64,
}

/// The attachments of third parties' routers.
fn customers(config: &RouterConfig, numbers: &Numbers) -> BTreeMap<NeighbourId, PortId> {
    let all = numbers.neighbours(config);
    all.filter_map(|(id, neighbour)| match neighbour.kind {
        NeighbourKind::Customer { port, .. } => Some((id, port)),
        NeighbourKind::Internal { .. }
        | NeighbourKind::Site { .. }
        | NeighbourKind::Core { .. } => None,
    })
    .collect()
}

/// Where a transport leads, and what it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    address: IpAddr,
    /// What goes there carries a label of that router's, so every hop but the last must be
    /// labelled too: otherwise a router on the way would take the label for one of its own.
    service: bool,
}

impl Target {
    const fn service(address: IpAddr) -> Self {
        Self { address, service: true }
    }

    const fn plain(address: IpAddr) -> Self {
        Self { address, service: false }
    }
}

fn access(access: &config::Access) -> Access {
    let rules = access
        .rules
        .iter()
        .map(|rule| Rule {
            name: format!("{}/{}", rule.community, rule.application),
            remote: rule.remote.clone(),
            local: rule.local.clone(),
            protocol: rule.protocol,
            ports: rule.port_first..=rule.port_last,
            role: match rule.side {
                Side::Provider => AccessRole::Provider,
                Side::Consumer => AccessRole::Consumer,
            },
        })
        .collect();
    let (own, infrastructure) = (access.own.clone(), access.infrastructure.clone());
    Access { own, infrastructure, rules }
}

/// Where labelled packets of an uplink may come from: what its site may announce.
fn uplink_sources(config: &RouterConfig, uplink: PortId) -> Vec<Prefix> {
    let mut sources = BTreeSet::new();
    for neighbour in &config.neighbours {
        if let NeighbourKind::Site { port, accept, .. } = &neighbour.kind
            && *port == uplink
        {
            sources.extend(accept.iter().map(|route| route.prefix));
        }
    }
    sources.into_iter().collect()
}

fn port_kind(
    config: &RouterConfig,
    numbers: &Numbers,
    (id, port): (PortId, &config::Port),
) -> Option<PortKind> {
    match &port.kind {
        config::PortKind::CoreLink { .. } => Some(PortKind::Core),
        config::PortKind::Uplink { .. } => {
            // Inside the boundary each uplink has labels and sources of its own; a site router
            // trusts the core.
            let (space, sources) = match config.role {
                Role::Core => (LabelSpace::Port(id), Some(uplink_sources(config, id))),
                Role::Site => (LabelSpace::Platform, None),
            };
            Some(PortKind::Uplink { space, sources })
        }
        config::PortKind::Attachment { vrf, sources, .. } => {
            Some(PortKind::Attachment { vrf: numbers.vrf_at(*vrf)?, sources: sources.clone() })
        }
        config::PortKind::Unused => None,
    }
}

fn port(
    config: &RouterConfig,
    numbers: &Numbers,
    (id, port): (PortId, &config::Port),
) -> Option<Port> {
    let v6 = translate::port_addresses(port)
        .into_iter()
        .filter_map(|address| match address {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        })
        .collect();
    Some(Port {
        kind: port_kind(config, numbers, (id, port))?,
        medium: match port.medium {
            config::Medium::Ethernet => Medium::Ethernet,
            config::Medium::Secure => Medium::Gre,
        },
        mac: port.mac,
        mtu: port.mtu,
        // The plan makes a link's limit large enough for the labels on top of a LAN's.
        mpls_mtu: port.mtu,
        up: false,
        v4: translate::port_v4(port),
        v6,
    })
}

impl Install {
    pub(crate) fn new() -> Self {
        Self {
            tables: Tables::new(),
            transports: BTreeMap::new(),
            customers: BTreeMap::new(),
            uplinks: BTreeMap::new(),
            interior: BTreeMap::new(),
            segments: BTreeSet::new(),
            own: BTreeSet::new(),
            vrfs: BTreeSet::new(),
            attached: BTreeSet::new(),
            version: 0,
        }
    }

    /// Counts on from the tables that were there before.
    pub(crate) const fn follow(&mut self, former: &Self) {
        self.version += former.version + 1;
    }

    /// Counts every change of the tables.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Ports, VRFs, own addresses and adjacency segments, as configured.
    pub(crate) fn set_config(&mut self, config: &RouterConfig, numbers: &Numbers) {
        self.version += 1;
        if let Some(loopback) = &config.loopback {
            self.tables.set_loopback(Some(loopback.v4), loopback.v6);
        }
        let own = translate::own_addresses(config);
        for gone in self.own.difference(&own) {
            self.tables.remove_global(Prefix::host(*gone));
        }
        for address in &own {
            self.tables.set_global(Prefix::host(*address), GlobalRoute::Local);
        }
        self.own = own;
        for (id, planned) in config.ports() {
            let Some(mut port) = port(config, numbers, (id, planned)) else { continue };
            port.up = self.tables.port(id).is_some_and(|old| old.up);
            self.tables.set_port(id, port);
            self.set_link(id, planned);
        }
        self.customers = customers(config, numbers);
        self.set_vrfs(config, numbers);
        if let (Some(isis), Some(loopback)) = (&config.isis, &config.loopback) {
            let own = Label::new(isis.srgb.first.value().saturating_add(loopback.v4_sid));
            if let Some(own) = own {
                self.tables.set_label(LabelSpace::Platform, own, LabelAction::Pop);
            }
        }
    }

    /// Removes a port, which is to be another one or none, and the labels and ways that end there.
    pub(crate) fn vacate_port(&mut self, id: PortId, kind: &config::PortKind) {
        self.version += 1;
        self.tables.remove_port(id);
        match kind {
            config::PortKind::CoreLink { adjacency_sid, .. } => {
                let former = self.tables.remove_label(LabelSpace::Platform, *adjacency_sid);
                if let Some(LabelAction::Transit(transport)) = former {
                    self.tables.remove_transport(transport);
                }
            }
            config::PortKind::Uplink { peer, .. } => {
                let peer = IpAddr::V4(*peer);
                self.uplinks.remove(&peer);
                self.refresh_transport(Target::service(peer));
                self.refresh_transport(Target::plain(peer));
            }
            config::PortKind::Attachment { .. } | config::PortKind::Unused => {}
        }
    }

    fn set_link(&mut self, id: PortId, planned: &config::Port) {
        let Some(peer) = translate::port_peer(planned).map(IpAddr::V4) else { return };
        match planned.kind {
            config::PortKind::CoreLink { adjacency_sid, .. } => {
                let hop = Hop { port: id, neighbour: peer, labels: Vec::new() };
                let old = self.tables.label(LabelSpace::Platform, adjacency_sid);
                let transport = match old {
                    Some(LabelAction::Transit(transport)) => *transport,
                    Some(_) | None => self.tables.add_transport(),
                };
                let transit = LabelAction::Transit(transport);
                self.tables
                    .set_transport(transport, Transport { hops: vec![hop], backups: vec![] });
                self.tables.set_label(LabelSpace::Platform, adjacency_sid, transit);
            }
            config::PortKind::Uplink { .. } => {
                self.uplinks.insert(peer, id);
                self.refresh_transport(Target::service(peer));
            }
            config::PortKind::Attachment { .. } | config::PortKind::Unused => {}
        }
    }

    /// Ends the VRFs that are gone, with all their routes.
    fn end_vrfs(&mut self, config: &RouterConfig, numbers: &Numbers) {
        let vrfs = numbers.vrfs(config).map(|(id, _)| id).collect();
        let former = core::mem::replace(&mut self.vrfs, vrfs);
        for id in former.difference(&self.vrfs) {
            self.tables.remove_vrf(*id);
            self.attached.retain(|(of, _)| of != id);
        }
    }

    fn set_vrfs(&mut self, config: &RouterConfig, numbers: &Numbers) {
        self.end_vrfs(config, numbers);
        let mut attached = BTreeMap::new();
        for ((place, _), (id, vrf)) in config.vrfs().zip(numbers.vrfs(config)) {
            let own: Vec<_> = own_addresses(config, place).collect();
            for &(port, address, length) in &own {
                let route = VrfRoute::Attached { port, neighbour: None };
                attached.extend(Prefix::new(address, length).map(|prefix| ((id, prefix), route)));
                attached.insert((id, Prefix::host(address)), VrfRoute::Local);
            }
            for ExportedRoute { prefix, port, next_hop, .. } in &vrf.export {
                attached
                    .entry((id, *prefix))
                    .or_insert(VrfRoute::Attached { port: *port, neighbour: *next_hop });
            }
            let gateway_v4 = own.iter().find_map(|(_, address, _)| match address {
                IpAddr::V4(v4) => Some(*v4),
                IpAddr::V6(_) => None,
            });
            let gateway_v6 = own.iter().find_map(|(_, address, _)| match address {
                IpAddr::V6(v6) => Some(*v6),
                IpAddr::V4(_) => None,
            });
            self.tables.set_vrf(id, gateway_v4, gateway_v6, access(&vrf.access));
        }
        for (vrf, prefix) in core::mem::take(&mut self.attached) {
            if !attached.contains_key(&(vrf, prefix)) {
                self.tables.remove_vrf_route(vrf, prefix);
            }
        }
        for ((vrf, prefix), route) in attached {
            self.tables.set_vrf_route(vrf, prefix, route);
            self.attached.insert((vrf, prefix));
        }
    }

    /// A port came up or went down, for packets.
    pub(crate) fn set_port_up(&mut self, port: PortId, up: bool) {
        if self.tables.port(port).is_some_and(|old| old.up != up) {
            self.version += 1;
            self.tables.set_port_up(port, up);
        }
    }

    /// A neighbour's Ethernet address is known, or not any more.
    pub(crate) fn set_neighbour(&mut self, port: PortId, address: IpAddr, mac: Option<MacAddr>) {
        self.tables.set_neighbour(port, address, mac);
    }

    /// The transport to a target, made when it is first asked for.
    fn transport(&mut self, target: Target) -> TransportId {
        if let Some(&id) = self.transports.get(&target) {
            return id;
        }
        let id = self.tables.add_transport();
        self.transports.insert(target, id);
        self.refresh_transport(target);
        id
    }

    fn refresh_transport(&mut self, target: Target) {
        let Some(&id) = self.transports.get(&target) else { return };
        let hops = match self.uplinks.get(&target.address) {
            Some(&port) => {
                vec![Hop { port, neighbour: target.address, labels: Vec::new() }]
            }
            None => self.interior.get(&target).cloned().unwrap_or_default(),
        };
        self.tables.set_transport(id, Transport { hops, backups: Vec::new() });
    }

    /// The interior routes changed; returns the metric of every loopback that labelled packets
    /// can reach (RFC 4364 §5).
    pub(crate) fn set_interior(&mut self, routes: &[isis::Route]) -> BTreeMap<IpAddr, u32> {
        self.version += 1;
        let mut metrics = BTreeMap::new();
        let mut interior = BTreeMap::new();
        for route in routes.iter().filter(|route| !route.local) {
            let address = route.prefix.addr();
            let is_taken = self.own.contains(&address) || self.uplinks.contains_key(&address);
            if route.prefix != Prefix::host(address) || is_taken {
                continue;
            }
            let labelled = interior_hops(route, true);
            if !labelled.is_empty() {
                metrics.insert(address, route.metric);
                interior.insert(Target::service(address), labelled);
            }
            interior.insert(Target::plain(address), interior_hops(route, false));
        }
        let old = core::mem::replace(&mut self.interior, interior);
        let changed: BTreeSet<Target> = old
            .keys()
            .chain(self.interior.keys())
            .filter(|target| old.get(target) != self.interior.get(target))
            .copied()
            .collect();
        for target in changed {
            self.refresh_transport(target);
            if target.service {
                continue;
            }
            let prefix = Prefix::host(target.address);
            if self.interior.contains_key(&target) {
                let transport = self.transport(target);
                self.tables.set_global(prefix, GlobalRoute::Via(transport));
            } else if !self.own.contains(&target.address) {
                self.tables.remove_global(prefix);
            }
        }
        self.set_segments(routes);
        metrics
    }

    /// The labels of the region's prefix segments, as far as this router passes them on.
    fn set_segments(&mut self, routes: &[isis::Route]) {
        let mut segments = BTreeSet::new();
        for route in routes {
            let target = Target::service(route.prefix.addr());
            if let Some(label) = route.local_label
                && self.interior.contains_key(&target)
            {
                let transit = LabelAction::Transit(self.transport(target));
                self.tables.set_label(LabelSpace::Platform, label, transit);
                segments.insert(label);
            }
        }
        for gone in self.segments.difference(&segments) {
            self.tables.remove_label(LabelSpace::Platform, *gone);
        }
        self.segments = segments;
    }

    /// A route of a VRF changed; without paths it is gone.
    pub(crate) fn set_vrf_route(&mut self, vrf: VrfId, prefix: Prefix, paths: &[VrfPath]) {
        if self.attached.contains(&(vrf, prefix)) {
            return;
        }
        self.version += 1;
        if let Some(route) = paths.first().and_then(|path| self.attachment(prefix, path)) {
            self.tables.set_vrf_route(vrf, prefix, route);
            return;
        }
        let is_remote = |path: &&VrfPath| match path.via {
            Source::Neighbour(id) => !self.customers.contains_key(&id),
            Source::Vrf(_) => false,
        };
        let remote: Vec<&VrfPath> = paths.iter().filter(is_remote).collect();
        let paths: Vec<Path> = remote
            .into_iter()
            .take(PATHS_MAX)
            .map(|path| Path {
                label: path.to.label,
                via: self.transport(Target::service(path.to.next_hop)),
            })
            .collect();
        if paths.is_empty() {
            self.tables.remove_vrf_route(vrf, prefix);
        } else {
            self.tables.set_vrf_route(vrf, prefix, VrfRoute::Remote { paths });
        }
    }

    /// The way out of an attachment of this router, where a path leads there: where another VRF has
    /// the prefix, or to a third party's router.
    fn attachment(&self, prefix: Prefix, path: &VrfPath) -> Option<VrfRoute> {
        match path.via {
            Source::Vrf(other) => match self.tables.vrf(other)?.routes.get(prefix)? {
                route @ VrfRoute::Attached { .. } => Some(route.clone()),
                VrfRoute::Local | VrfRoute::Remote { .. } => None,
            },
            Source::Neighbour(id) => Some(VrfRoute::Attached {
                port: *self.customers.get(&id)?,
                neighbour: Some(path.to.next_hop),
            }),
        }
    }

    /// A label was bound, bound anew, or freed.
    pub(crate) fn set_label(
        &mut self,
        space: LabelSpace,
        label: Label,
        binding: Option<LabelBinding>,
    ) {
        self.version += 1;
        let action = match binding {
            Some(LabelBinding::Vrf(vrf)) => LabelAction::Vrf(vrf),
            Some(LabelBinding::Swap(to)) => {
                let via = self.transport(Target::service(to.next_hop));
                LabelAction::Swap { paths: vec![Path { label: to.label, via }] }
            }
            None => {
                self.tables.remove_label(space, label);
                return;
            }
        };
        self.tables.set_label(space, label, action);
    }
}

/// The router's own addresses in the VRF at a place, with the attachment and the length of the
/// prefix there.
fn own_addresses(
    config: &RouterConfig,
    place: VrfId,
) -> impl Iterator<Item = (PortId, IpAddr, u8)> {
    config
        .ports()
        .filter(move |(_, port)| translate::port_vrf(port) == Some(place))
        .flat_map(|(id, port)| port.addresses.iter().map(move |own| (id, own.address, own.length)))
        .filter(|(_, address, _)| !is_link_local(*address))
}

/// Whether an address has no meaning beyond its link, and so none in a VRF's table.
const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The hops of an interior route under the labels of its prefix segment; for labelled packets
/// only those that keep the label beneath for the far router.
fn interior_hops(route: &isis::Route, service: bool) -> Vec<Hop> {
    route
        .hops
        .iter()
        .filter_map(|hop| {
            let neighbour = hop.v4.map(IpAddr::V4).or(hop.v6.map(IpAddr::V6))?;
            let labels = match hop.label {
                isis::HopLabel::Label(label) => vec![label],
                isis::HopLabel::Implicit => Vec::new(),
                isis::HopLabel::Unlabelled if service => return None,
                isis::HopLabel::Unlabelled => Vec::new(),
            };
            Some(Hop { port: hop.port, neighbour, labels })
        })
        .collect()
}
