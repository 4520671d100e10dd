//! What the forwarding lane reads: published by the control lane, never changed by a packet.
//!
//! Everything is addressed by number: a port by its [`PortId`], a VRF by its [`VrfId`], a way
//! through the core by its [`TransportId`]. A transport is a set of equal hops and a set of
//! backups; routes and labels that share a way share the transport, so one edit repairs them all.
//!
//! Usable means: the port of a hop is up; one of a transport's hops or backups is usable; a path
//! carries a label that is not reserved and a usable transport. Nothing is recomputed when a port
//! goes down, it is looked at per packet.
//!
//! Iteration is ordered everywhere, for views and proofs.
//!
//! Standards: RFC 3031 §3.10 to §3.12 (what a label or a destination leads to), §3.14 (label spaces
//! per platform and per interface), RFC 4364 §5 (routes of a VRF), §10 option B (labels that are
//! swapped).
//! Not implemented: finding backups (RFC 9855), which is for whoever fills the tables.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use base::{Label, LabelSpace, MacAddr, PortId, Prefix, PrefixMap, VrfId};

use crate::access::Access;

/// The most hops of a transport, and the most backups: as many equal ways as a region's core
/// has, and a bound on the work per packet.
pub const HOPS_MAX: usize = 8;
/// The most labels that a hop pushes: a transport label and a repair stack of six
/// (RFC 9855 finds that two nearly always suffice).
pub const HOP_LABELS_MAX: usize = 7;
/// The most paths of a route: the primary and the backup.
pub const PATHS_MAX: usize = 2;

/// A transport of the tables, numbered by [`Tables::add_transport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportId(pub u32);

/// What is on the other side of a port, and so what is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortKind {
    /// A core router: labels of the platform's space, IP and IS-IS.
    Core,
    /// The other end of a site's access: one label of this space, or IP to this port itself.
    Uplink {
        /// The labels that were advertised on this uplink.
        space: LabelSpace,
        /// Where labelled packets may come from: what the site on the other side may announce. A
        /// label that a community gave opens a whole VRF there, whose access rules believe source
        /// addresses. `None` on the site's own side, where the core is trusted.
        sources: Option<Vec<Prefix>>,
    },
    /// A LAN or a router of a customer: IP alone, from these sources, in this VRF.
    Attachment {
        /// The VRF.
        vrf: VrfId,
        /// The prefixes from which packets are accepted, the link's own among them.
        sources: Vec<Prefix>,
    },
}

/// How packets are framed on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Ethernet.
    Ethernet,
    /// A tunnel: a frame is a GRE header and the packet.
    Gre,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// What is on the other side.
    pub kind: PortKind,
    /// How packets are framed.
    pub medium: Medium,
    /// This end's Ethernet address; without meaning in a tunnel.
    pub mac: MacAddr,
    /// The longest IP packet.
    pub mtu: u16,
    /// The longest labelled packet, its label stack included.
    pub mpls_mtu: u16,
    /// Whether routes may use the port. What arrives is handled and what the control lane sends
    /// to the port itself leaves regardless, so that hellos and BFD can bring it up again.
    pub up: bool,
    /// This end's IPv4 address.
    pub v4: Option<Ipv4Addr>,
    /// This end's IPv6 addresses, the link-local one among them.
    pub v6: Vec<Ipv6Addr>,
}

impl Port {
    /// Whether the address is one of this end's.
    #[must_use]
    pub fn owns(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4 == Some(address),
            IpAddr::V6(address) => self.v6.contains(&address),
        }
    }
}

/// A way to another router: equal hops, and what is used when none of them is usable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transport {
    /// The hops among which flows are spread; at most [`HOPS_MAX`].
    pub hops: Vec<Hop>,
    /// The hops used while no other is usable (TI-LFA, or another uplink); at most [`HOPS_MAX`].
    pub backups: Vec<Hop>,
}

/// One hop: through which port, to whom, under which labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The port.
    pub port: PortId,
    /// The neighbour on the port.
    pub neighbour: IpAddr,
    /// The labels to push, outermost first; implicit null stands for none. At most
    /// [`HOP_LABELS_MAX`].
    pub labels: Vec<Label>,
}

/// A label to push and the way to the router that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The service label. A reserved one makes the path unusable: beneath a null label the far
    /// router would look the packet up outside every VRF.
    pub label: Label,
    /// The way.
    pub via: TransportId,
}

/// A route of the region's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobalRoute {
    /// An address of this router.
    Local,
    /// Through the core.
    Via(TransportId),
}

/// A route of a VRF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VrfRoute {
    /// Out of an attachment of this router.
    Attached {
        /// The attachment.
        port: PortId,
        /// The router behind which the prefix is; `None` where it is on the link itself.
        neighbour: Option<IpAddr>,
    },
    /// An address of this router in the VRF.
    Local,
    /// At another router: the first usable path is used. At most [`PATHS_MAX`].
    Remote {
        /// The paths, best first.
        paths: Vec<Path>,
    },
}

/// What is done with a packet under a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelAction {
    /// The router's own node segment: take it off and look at what is beneath.
    Pop,
    /// A service label of this router: take it off and look the packet up in the VRF.
    Vrf(VrfId),
    /// A service label of another router (RFC 4364 §10 option B): put that router's label in its
    /// place, by the first usable path. At most [`PATHS_MAX`].
    Swap {
        /// The paths, best first.
        paths: Vec<Path>,
    },
    /// A transport label: take it off and push the labels of a hop, which may be none
    /// (penultimate-hop popping) or the next router's (swap).
    Transit(TransportId),
}

/// A VRF.
#[derive(Debug, Clone, Default)]
pub struct Vrf {
    /// The address from which the router speaks IPv4 in this VRF.
    pub gateway_v4: Option<Ipv4Addr>,
    /// The address from which the router speaks IPv6 in this VRF.
    pub gateway_v6: Option<Ipv6Addr>,
    /// Who may talk with whom.
    pub access: Access,
    /// The routes.
    pub routes: PrefixMap<VrfRoute>,
}

impl Vrf {
    /// The address from which the router speaks in this VRF.
    #[must_use]
    pub fn gateway(&self, v6: bool) -> Option<IpAddr> {
        if v6 { self.gateway_v6.map(Into::into) } else { self.gateway_v4.map(Into::into) }
    }
}

/// Everything that the forwarding lane reads.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    ports: BTreeMap<PortId, Port>,
    vrfs: BTreeMap<VrfId, Vrf>,
    transports: Vec<Option<Transport>>,
    free_transports: Vec<TransportId>,
    labels: BTreeMap<(LabelSpace, Label), LabelAction>,
    global: PrefixMap<GlobalRoute>,
    neighbours: BTreeMap<(PortId, IpAddr), MacAddr>,
    loopback_v4: Option<Ipv4Addr>,
    loopback_v6: Option<Ipv6Addr>,
}

impl Tables {
    /// Tables without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the addresses from which the router speaks in the region's own table. Routes of kind
    /// [`GlobalRoute::Local`] are what makes it answer to them.
    pub const fn set_loopback(&mut self, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) {
        self.loopback_v4 = v4;
        self.loopback_v6 = v6;
    }

    /// The address from which the router speaks in the region's own table.
    #[must_use]
    pub fn loopback(&self, v6: bool) -> Option<IpAddr> {
        if v6 { self.loopback_v6.map(Into::into) } else { self.loopback_v4.map(Into::into) }
    }

    /// Sets a port.
    pub fn set_port(&mut self, id: PortId, port: Port) {
        self.ports.insert(id, port);
    }

    /// Removes a port and its neighbours.
    pub fn remove_port(&mut self, id: PortId) -> Option<Port> {
        self.neighbours.retain(|(port, _), _| *port != id);
        self.ports.remove(&id)
    }

    /// Says whether routes may use a port; nothing else needs to change for backups to be used.
    pub fn set_port_up(&mut self, id: PortId, up: bool) {
        if let Some(port) = self.ports.get_mut(&id) {
            port.up = up;
        }
    }

    /// A port.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(&id)
    }

    /// Every port, in order.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &Port)> {
        self.ports.iter().map(|(id, port)| (*id, port))
    }

    /// Sets the addresses and the access rules of a VRF, and keeps its routes.
    pub fn set_vrf(
        &mut self,
        id: VrfId,
        gateway_v4: Option<Ipv4Addr>,
        gateway_v6: Option<Ipv6Addr>,
        access: Access,
    ) {
        let vrf = self.vrfs.entry(id).or_default();
        vrf.gateway_v4 = gateway_v4;
        vrf.gateway_v6 = gateway_v6;
        vrf.access = access;
    }

    /// Removes a VRF and its routes.
    pub fn remove_vrf(&mut self, id: VrfId) -> Option<Vrf> {
        self.vrfs.remove(&id)
    }

    /// A VRF.
    #[must_use]
    pub fn vrf(&self, id: VrfId) -> Option<&Vrf> {
        self.vrfs.get(&id)
    }

    /// Every VRF, in order.
    pub fn vrfs(&self) -> impl Iterator<Item = (VrfId, &Vrf)> {
        self.vrfs.iter().map(|(id, vrf)| (*id, vrf))
    }

    /// Sets a route of a VRF and returns the one before; makes the VRF where there is none.
    pub fn set_vrf_route(
        &mut self,
        id: VrfId,
        prefix: Prefix,
        route: VrfRoute,
    ) -> Option<VrfRoute> {
        if let VrfRoute::Remote { paths } = &route {
            assert!(paths.len() <= PATHS_MAX, "a route has a primary and a backup");
        }
        self.vrfs.entry(id).or_default().routes.insert(prefix, route)
    }

    /// Removes a route of a VRF and returns it.
    pub fn remove_vrf_route(&mut self, id: VrfId, prefix: Prefix) -> Option<VrfRoute> {
        self.vrfs.get_mut(&id)?.routes.remove(prefix)
    }

    /// Sets what is done under a label and returns what was before.
    pub fn set_label(
        &mut self,
        space: LabelSpace,
        label: Label,
        action: LabelAction,
    ) -> Option<LabelAction> {
        if let LabelAction::Swap { paths } = &action {
            assert!(paths.len() <= PATHS_MAX, "a label has a primary and a backup");
        }
        self.labels.insert((space, label), action)
    }

    /// Removes a label and returns what was done under it.
    pub fn remove_label(&mut self, space: LabelSpace, label: Label) -> Option<LabelAction> {
        self.labels.remove(&(space, label))
    }

    /// What is done under a label.
    #[must_use]
    pub fn label(&self, space: LabelSpace, label: Label) -> Option<&LabelAction> {
        self.labels.get(&(space, label))
    }

    /// Every label, by space and value.
    pub fn labels(&self) -> impl Iterator<Item = (LabelSpace, Label, &LabelAction)> {
        self.labels.iter().map(|((space, label), action)| (*space, *label, action))
    }

    /// Sets a route of the region's own table and returns the one before.
    pub fn set_global(&mut self, prefix: Prefix, route: GlobalRoute) -> Option<GlobalRoute> {
        self.global.insert(prefix, route)
    }

    /// Removes a route of the region's own table and returns it.
    pub fn remove_global(&mut self, prefix: Prefix) -> Option<GlobalRoute> {
        self.global.remove(prefix)
    }

    /// The region's own table.
    #[must_use]
    pub const fn global(&self) -> &PrefixMap<GlobalRoute> {
        &self.global
    }

    /// Makes a transport without hops, which is not usable yet.
    pub fn add_transport(&mut self) -> TransportId {
        if let Some(id) = self.free_transports.pop() {
            if let Some(slot) = self.slot(id) {
                *slot = Some(Transport::default());
            }
            return id;
        }
        let id = u32::try_from(self.transports.len()).unwrap_or(u32::MAX);
        assert!(id != u32::MAX, "fewer than 2^32 transports");
        self.transports.push(Some(Transport::default()));
        TransportId(id)
    }

    /// Sets the hops of a transport that was added and not removed.
    pub fn set_transport(&mut self, id: TransportId, transport: Transport) {
        let sets = [&transport.hops, &transport.backups];
        assert!(sets.iter().all(|hops| hops.len() <= HOPS_MAX), "at most `HOPS_MAX` hops");
        let deep = |hop: &Hop| hop.labels.len() > HOP_LABELS_MAX;
        assert!(!sets.iter().any(|hops| hops.iter().any(deep)), "at most `HOP_LABELS_MAX` labels");
        if let Some(slot) = self.slot(id)
            && slot.is_some()
        {
            *slot = Some(transport);
        }
    }

    /// Removes a transport; its number is given out again, so routes over it go first.
    pub fn remove_transport(&mut self, id: TransportId) -> Option<Transport> {
        let removed = self.slot(id)?.take()?;
        self.free_transports.push(id);
        Some(removed)
    }

    /// A transport.
    #[must_use]
    pub fn transport(&self, id: TransportId) -> Option<&Transport> {
        self.transports.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    /// Every transport, in order.
    pub fn transports(&self) -> impl Iterator<Item = (TransportId, &Transport)> {
        (0..).map(TransportId).zip(&self.transports).filter_map(|(id, t)| Some((id, t.as_ref()?)))
    }

    fn slot(&mut self, id: TransportId) -> Option<&mut Option<Transport>> {
        self.transports.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Sets or forgets the Ethernet address of a neighbour.
    pub fn set_neighbour(&mut self, port: PortId, address: IpAddr, mac: Option<MacAddr>) {
        match mac {
            Some(mac) => self.neighbours.insert((port, address), mac),
            None => self.neighbours.remove(&(port, address)),
        };
    }

    /// The Ethernet address of a neighbour.
    #[must_use]
    pub fn neighbour(&self, port: PortId, address: IpAddr) -> Option<MacAddr> {
        self.neighbours.get(&(port, address)).copied()
    }

    /// Every neighbour, by port and address.
    pub fn neighbours(&self) -> impl Iterator<Item = (PortId, IpAddr, MacAddr)> {
        self.neighbours.iter().map(|((port, address), mac)| (*port, *address, *mac))
    }

    /// Whether a hop's port is up.
    #[must_use]
    pub fn hop_is_usable(&self, hop: &Hop) -> bool {
        self.port(hop.port).is_some_and(|port| port.up)
    }

    /// The hops among which a transport spreads flows now: those that are usable, or else the
    /// backups that are.
    pub fn usable_hops(&self, id: TransportId) -> impl Iterator<Item = &Hop> {
        let transport = self.transport(id);
        let hops = transport.map_or(&[][..], |transport| &transport.hops);
        let backups = transport.map_or(&[][..], |transport| &transport.backups);
        let primary = hops.iter().any(|hop| self.hop_is_usable(hop));
        let chosen = if primary { hops } else { backups };
        chosen.iter().filter(|hop| self.hop_is_usable(hop))
    }

    /// Whether a path can carry a packet now.
    #[must_use]
    pub fn path_is_usable(&self, path: &Path) -> bool {
        path.label >= Label::FIRST_FREE && self.usable_hops(path.via).next().is_some()
    }

    /// The first usable path.
    #[must_use]
    pub fn usable_path(&self, paths: &[Path]) -> Option<Path> {
        paths.iter().copied().find(|path| self.path_is_usable(path))
    }
}
