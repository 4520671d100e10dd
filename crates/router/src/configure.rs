//! Taking over a configuration: only what differs is touched.
//!
//! Ports are known by their places, neighbours and VRFs by what they are ([`crate::numbers`]).
//! What is as before stays up and takes over its new policy, whatever moved beside it; what is not
//! is vacated under the old configuration and set up under the new one, alone. So a site that comes
//! or goes costs the other sites of its core router nothing. Neighbours that go are told first of
//! all, while ports and routes still lead to them. A router that becomes another one (its identity,
//! its own addresses, its blocks of labels) says goodbye and starts anew, with the ports as they
//! are.

use core::net::IpAddr;

use base::{Instant, PortId, Rng};
use model::config::{self, Medium, PortKind, RouterConfig};

use crate::connection::Connection;
use crate::error;
use crate::numbers::Numbers;
use crate::resolver::Interface;
use crate::timers::Timer;
use crate::{ConfigErrors, Router, Touched, translate};

impl Router {
    /// Puts a new configuration into force.
    ///
    /// # Errors
    /// Everything that is wrong with it, a lower generation included; the old one stays in force.
    pub fn set_config(&mut self, now: Instant, config: RouterConfig) -> Result<(), ConfigErrors> {
        error::check(&config, Some(self.config.generation))?;
        if !is_same_router(&self.config, &config) {
            return self.start_anew(now, config);
        }
        let numbers = self.numbers.renumbered(&config);
        self.part_with_neighbours(now, &numbers);
        let changed = changed_ports(&self.config, &config);
        let reopened: Vec<PortId> =
            changed.into_iter().filter(|port| self.vacate(now, *port)).collect();
        self.bgp.set_config(now, translate::bgp(&config, &numbers));
        self.touched = Touched { isis: true, bgp: true };
        self.dispatch_all(now);
        (self.config, self.numbers) = (config, numbers);
        self.occupy(now);
        for port in reopened {
            self.handle_port(now, port, true);
        }
        self.dispatch_all(now);
        Ok(())
    }

    /// Says goodbye to everybody and becomes the router of another configuration.
    fn start_anew(&mut self, now: Instant, config: RouterConfig) -> Result<(), ConfigErrors> {
        let mut successor = Self::new(now, self.seed, config)?;
        for port in self.config.ports().map(|(id, _)| id).collect::<Vec<_>>() {
            self.cease_advertising(now, port);
        }
        self.part_with_neighbours(now, &Numbers::default());
        core::mem::swap(&mut successor.outputs, &mut self.outputs);
        successor.outputs.append(&mut self.outputs);
        successor.install.follow(&self.install);
        // Hosts keep what they were lent, as far as it is still theirs to have.
        core::mem::swap(&mut successor.pools, &mut self.pools);
        successor.occupy_hosts(now);
        core::mem::swap(&mut successor.probes, &mut self.probes);
        let carrier = core::mem::take(&mut self.carrier);
        *self = successor;
        self.arm(Timer::Probes);
        for (port, up) in carrier {
            self.handle_port(now, port, up);
        }
        self.dispatch_all(now);
        Ok(())
    }

    /// Ends the sessions of all neighbours that do not stay, with a word (RFC 4486 §4).
    fn part_with_neighbours(&mut self, now: Instant, staying: &Numbers) {
        let mut config = translate::bgp(&self.config, &self.numbers);
        let count = config.neighbours.len();
        config.neighbours.retain(|one| staying.has_neighbour(one.id));
        if config.neighbours.len() < count {
            self.bgp.set_config(now, config);
            self.touched.bgp = true;
            self.dispatch_all(now);
        }
    }

    /// Says goodbye to everybody, because the router is shut down: sessions end with a word, hosts
    /// hear that they have no router here any more. What is left is to drain what it says.
    pub fn stop(&mut self, now: Instant) {
        for port in self.config.ports().map(|(id, _)| id).collect::<Vec<_>>() {
            self.cease_advertising(now, port);
        }
        self.bgp.stop(now);
        self.dispatch_all(now);
    }

    /// Takes down what is at a port, whose link stays as it is; says whether that is up.
    fn vacate(&mut self, now: Instant, port: PortId) -> bool {
        let carrier = self.carrier.get(&port).copied().unwrap_or(false);
        self.cease_advertising(now, port);
        if carrier {
            self.handle_port(now, port, false);
            self.dispatch_all(now);
        }
        self.bfd.remove(&port);
        self.timers.arm(Timer::Bfd(port), None);
        self.resolver.remove_interface(port);
        if let Some(planned) = translate::port(&self.config, port) {
            self.install.vacate_port(port, &planned.kind);
        }
        carrier
    }

    /// Sets up, or brings up to date, everything that the configuration asks for; ports that were
    /// not there before are down.
    pub(crate) fn occupy(&mut self, now: Instant) {
        let mut rng = Rng::new(self.seed);
        self.install.set_config(&self.config, &self.numbers);
        if let (Some(isis), Some(config)) = (&mut self.isis, translate::isis(&self.config)) {
            isis.set_config(now, config);
        }
        self.occupy_ports(now, &mut rng);
        self.occupy_neighbours(now, &mut rng);
        self.occupy_hosts(now);
        self.deliver_vrf_routes();
        self.seed = rng.next_u64();
        self.touched = Touched { isis: true, bgp: true };
    }

    fn occupy_ports(&mut self, now: Instant, rng: &mut Rng) {
        let mut sessions = Vec::new();
        for (id, port) in self.config.ports() {
            let up = self.carrier.get(&id).copied().unwrap_or(false);
            if let Some(bfd) = translate::port_bfd(port) {
                let (config, seed) = (translate::bfd(id, bfd), rng.next_u64());
                let new = || {
                    let mut session = bfd::Session::new(now, seed, config);
                    session.handle_port(now, up);
                    session
                };
                self.bfd.entry(id).or_insert_with(new).set_config(now, config);
                sessions.push(id);
            }
            if port.medium == Medium::Ethernet && !matches!(port.kind, PortKind::Unused) {
                let interface = Interface {
                    mac: port.mac,
                    addresses: translate::port_addresses(port),
                    peer: translate::port_peer(port).map(IpAddr::V4),
                    up,
                };
                self.resolver.set_interface(id, interface);
            }
        }
        for port in sessions {
            self.bfd_says(now, port);
        }
    }

    fn occupy_neighbours(&mut self, now: Instant, rng: &mut Rng) {
        let mut former = core::mem::take(&mut self.connections);
        self.sessions.clear();
        for (id, neighbour) in self.numbers.neighbours(&self.config) {
            let ends = translate::ends(neighbour);
            let place = translate::neighbour_realm(&self.config, neighbour);
            let realm = place.and_then(|place| self.numbers.vrf_at(place));
            self.sessions.insert((realm, ends.local, ends.remote), id);
            let rng = rng.fork();
            let same = former.remove(&id).filter(|connection| connection.ends() == ends);
            let connection = same.unwrap_or_else(|| Connection::new(now, ends, rng));
            self.connections.insert(id, connection);
        }
        for (gone, _) in former {
            self.timers.arm(Timer::Connection(gone), None);
        }
        for (id, neighbour) in self.numbers.neighbours(&self.config) {
            let port = translate::neighbour_port(neighbour);
            let allowed = port.is_none_or(|port| self.port_is_usable(port));
            self.bgp.set_allowed(now, id, allowed);
        }
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.arm(Timer::Connection(id));
        }
    }

    /// The VRF routes that BGP knows, once more: what hid behind an attachment that is gone comes
    /// forth, and what leads to another VRF follows that to its port.
    fn deliver_vrf_routes(&mut self) {
        for (id, _) in self.numbers.vrfs(&self.config) {
            let routes = self.bgp.vrf(id).map(|vrf| vrf.routes).unwrap_or_default();
            for route in routes {
                self.install.set_vrf_route(id, route.prefix, &route.delivered);
            }
        }
    }
}

/// Whether everything that all parts depend on is as it was.
fn is_same_router(old: &RouterConfig, new: &RouterConfig) -> bool {
    let blocks = |config: &RouterConfig| config.isis.as_ref().map(|isis| (isis.srgb, isis.srlb));
    old.name == new.name
        && old.role == new.role
        && old.router_id == new.router_id
        && old.as_number == new.as_number
        && old.loopback == new.loopback
        && old.labels == new.labels
        && blocks(old) == blocks(new)
}

/// The ports that are not what they were, those that are gone or new included.
fn changed_ports(old: &RouterConfig, new: &RouterConfig) -> Vec<PortId> {
    let count = old.ports.len().max(new.ports.len());
    (0..).map(PortId).take(count).filter(|port| !is_same_port(old, new, *port)).collect()
}

fn is_same_port(old: &RouterConfig, new: &RouterConfig, id: PortId) -> bool {
    let (Some(before), Some(after)) = (translate::port(old, id), translate::port(new, id)) else {
        return false;
    };
    let shape = |port: &config::Port| (port.medium, port.mac, port.mtu, port.addresses.clone());
    let sid = |port: &config::Port| match port.kind {
        PortKind::CoreLink { adjacency_sid, .. } => Some(adjacency_sid),
        PortKind::Uplink { .. } | PortKind::Attachment { .. } | PortKind::Unused => None,
    };
    shape(before) == shape(after)
        && core::mem::discriminant(&before.kind) == core::mem::discriminant(&after.kind)
        && translate::port_peer(before) == translate::port_peer(after)
        && sid(before) == sid(after)
        && vrf_name(old, before) == vrf_name(new, after)
}

fn vrf_name<'a>(config: &'a RouterConfig, port: &config::Port) -> Option<&'a str> {
    translate::vrf_name(config, translate::port_vrf(port)?)
}
