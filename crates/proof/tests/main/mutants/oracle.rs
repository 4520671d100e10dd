//! Which packets tables deliver, and where: one packet at a time, label by label, as a router
//! would. It shares nothing with the prover.
//!
//! A packet has a source, a destination, a protocol and ports. Where flows are spread it goes all
//! ways; the first usable path is taken.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use model::config::Side;
use model::plan::Plan;
use model::tables::{Accepts, LabelAction, Path, Port, RouterTables, Vrf, VrfRoute};

/// LANs between which packets are sent: all of a small network, and of a county as many, evenly.
const LANS_MAX: usize = 48;
/// More than any way has.
const STEPS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    source_port: u16,
    destination_port: u16,
}

/// For every packet and the LAN that it is sent from, the LANs that it comes out at (`None`: it is
/// lost).
pub(crate) type Deliveries = BTreeMap<String, BTreeSet<Option<usize>>>;

/// A packet that is not treated alike.
pub(crate) fn difference(a: &Deliveries, b: &Deliveries) -> Option<String> {
    let other = a.iter().find(|(packet, ends)| b.get(*packet) != Some(*ends));
    other.map(|(packet, ends)| format!("{packet}: {ends:?} before, {:?} now", b.get(packet)))
}

/// What becomes of packets from every LAN to hosts of every other one, and on and beside the ports
/// of every application, with the answers.
pub(crate) fn deliveries(plan: &Plan, tables: &[RouterTables]) -> Deliveries {
    let network = Network::new(plan, tables);
    let host = |prefix: &Prefix| prefix.nth(100).or_else(|| prefix.nth(2));
    let mut found = Deliveries::new();
    let mut send = |from: usize, packet: Packet| {
        found.insert(format!("LAN {from}: {packet:?}"), network.send(from, packet));
    };
    let share = plan.attachments.len().div_ceil(LANS_MAX).max(1);
    let hosts = plan.attachments.iter().step_by(share);
    let hosts: BTreeSet<IpAddr> =
        hosts.flat_map(|to| to.prefixes.iter().filter_map(host)).collect();
    for (from, lan) in plan.attachments.iter().enumerate().step_by(share) {
        let sources: Vec<IpAddr> = lan.prefixes.iter().filter_map(host).collect();
        for source in &sources {
            let same = |to: &&IpAddr| to.is_ipv4() == source.is_ipv4();
            for destination in hosts.iter().filter(same).copied() {
                let (source_port, destination_port) = (40_000, 9);
                let source = *source;
                send(
                    from,
                    Packet { source, destination, protocol: 17, source_port, destination_port },
                );
            }
            for (to, ask) in asked(plan, *source) {
                let answer = Packet {
                    source: ask.destination,
                    destination: ask.source,
                    source_port: ask.destination_port,
                    destination_port: ask.source_port,
                    ..ask
                };
                send(from, ask);
                to.into_iter().for_each(|to| send(to, answer));
            }
        }
    }
    found
}

/// What somebody may ask applications, with the LAN that each is on.
fn asked(plan: &Plan, source: IpAddr) -> Vec<(Option<usize>, Packet)> {
    let mut all = Vec::new();
    for application in &plan.applications {
        let to = plan.attachments.iter().position(|to| {
            to.site == application.site && to.virtual_network == application.virtual_network
        });
        let same = |to: &&IpAddr| to.is_ipv4() == source.is_ipv4();
        for destination in application.addresses.iter().filter(same).copied() {
            let ask = |(protocol, destination_port)| {
                let source_port = 40_000;
                (to, Packet { source, destination, protocol, source_port, destination_port })
            };
            all.extend(beside(&application.listens).into_iter().map(ask));
        }
    }
    all
}

/// The ends of every range, and the ports beside them.
fn beside(listens: &[model::plan::Listen]) -> BTreeSet<(u8, u16)> {
    let of_one = |one: &model::plan::Listen| {
        let ports = [
            one.port_first.saturating_sub(1),
            one.port_first,
            one.port_last,
            one.port_last.saturating_add(1),
        ];
        let protocol = one.protocol;
        ports.map(|port| (protocol, port)).into_iter().chain([(23 - protocol, one.port_first)])
    };
    listens.iter().filter(|one| one.protocol < 23).flat_map(of_one).collect()
}

struct Network<'a> {
    plan: &'a Plan,
    tables: BTreeMap<&'a str, &'a RouterTables>,
    labels: BTreeMap<(&'a str, LabelSpace, Label), &'a LabelAction>,
    links: BTreeMap<(&'a str, PortId), (&'a str, PortId)>,
    lans: BTreeMap<(&'a str, PortId), usize>,
}

/// Where a packet is: a router, the port it came by, and its labels, the outermost last.
type At<'a> = (&'a str, PortId, Vec<Label>);

impl<'a> Network<'a> {
    fn new(plan: &'a Plan, tables: &'a [RouterTables]) -> Self {
        let ends = plan.links.iter().flat_map(|link| {
            let [a, b] = &link.ends;
            [(a, b), (b, a)]
        });
        let links = ends.map(|(near, far)| {
            ((near.router.as_str(), near.port), (far.router.as_str(), far.port))
        });
        let lans = plan.attachments.iter().enumerate();
        let labels = tables.iter().flat_map(|one| {
            let entries = one.labels.iter();
            entries.map(|entry| ((one.router.as_str(), entry.space, entry.label), &entry.action))
        });
        Self {
            plan,
            tables: tables.iter().map(|one| (one.router.as_str(), one)).collect(),
            labels: labels.collect(),
            links: links.collect(),
            lans: lans.map(|(at, lan)| ((lan.router.as_str(), lan.port), at)).collect(),
        }
    }

    fn port(&self, router: &str, id: PortId) -> Option<&'a Port> {
        self.tables.get(router)?.ports.iter().find(|port| port.id == id)
    }

    fn vrf(&self, router: &str, id: VrfId) -> Option<&'a Vrf> {
        self.tables.get(router)?.vrfs.iter().find(|vrf| vrf.id == id)
    }

    /// Where a packet comes out that a host of a LAN sends.
    fn send(&self, from: usize, packet: Packet) -> BTreeSet<Option<usize>> {
        let mut ends = BTreeSet::new();
        let Some(lan) = self.plan.attachments.get(from) else { return ends };
        let router = lan.router.as_str();
        let Some(mut open) = self.enter(router, lan.port, packet, &mut ends) else {
            return BTreeSet::from([None]);
        };
        for _ in 0..STEPS_MAX {
            let mut next = Vec::new();
            for at in open {
                match self.step(at, packet, &mut ends) {
                    Some(ways) => next.extend(ways),
                    None => {
                        ends.insert(None);
                    }
                }
            }
            if next.is_empty() {
                return ends;
            }
            next.sort();
            next.dedup();
            open = next;
        }
        // It goes around in circles.
        ends.insert(None);
        ends
    }

    fn enter(
        &self,
        router: &'a str,
        port: PortId,
        packet: Packet,
        ends: &mut BTreeSet<Option<usize>>,
    ) -> Option<Vec<At<'a>>> {
        let Accepts::Attachment { vrf, sources } = &self.port(router, port)?.accepts else {
            return None;
        };
        let vrf = self.vrf(router, *vrf)?;
        let may = sources.iter().any(|prefix| prefix.contains(packet.source))
            && passes(vrf, packet, true);
        match route(vrf, packet.destination).filter(|_| may)? {
            VrfRoute::Local => None,
            VrfRoute::Attached { port, .. } => {
                ends.insert(Some(self.leave(router, *port, packet)?));
                Some(Vec::new())
            }
            VrfRoute::Remote(paths) => self.ways(router, paths),
        }
    }

    /// What a router does with a packet; none: it drops it.
    fn step(
        &self,
        (router, port, mut labels): At<'a>,
        packet: Packet,
        ends: &mut BTreeSet<Option<usize>>,
    ) -> Option<Vec<At<'a>>> {
        let (space, is_uplink) = match &self.port(router, port)?.accepts {
            Accepts::Core => (LabelSpace::Platform, false),
            Accepts::Uplink { space, sources } => {
                let mut all = sources.iter().flatten();
                let is_own = sources.is_none() || all.any(|one| one.contains(packet.source));
                (Some(*space).filter(|_| is_own)?, true)
            }
            Accepts::Attachment { .. } => return None,
        };
        if is_uplink && labels.len() > 1 {
            return None;
        }
        let label = labels.pop()?;
        match *self.labels.get(&(router, space, label))? {
            // The rest of the stack is looked at by the same router.
            LabelAction::Pop if labels.is_empty() => None,
            LabelAction::Pop => Some(vec![(router, port, labels)]),
            LabelAction::Vrf(vrf) if labels.is_empty() => {
                match route(self.vrf(router, *vrf)?, packet.destination)? {
                    VrfRoute::Attached { port, .. } => {
                        ends.insert(Some(self.leave(router, *port, packet)?));
                        Some(Vec::new())
                    }
                    VrfRoute::Local | VrfRoute::Remote(_) => None,
                }
            }
            LabelAction::Swap(paths) if labels.is_empty() => self.ways(router, paths),
            LabelAction::Vrf(_) | LabelAction::Swap(_) => None,
            LabelAction::Transit(via) => self.over(router, *via, &labels),
        }
    }

    fn leave(&self, router: &str, id: PortId, packet: Packet) -> Option<usize> {
        let port = self.port(router, id).filter(|port| port.up)?;
        let Accepts::Attachment { vrf, .. } = &port.accepts else { return None };
        passes(self.vrf(router, *vrf)?, packet, false).then_some(())?;
        self.lans.get(&(router, id)).copied()
    }

    fn ways(&self, router: &'a str, paths: &[Path]) -> Option<Vec<At<'a>>> {
        let usable = paths.iter().filter(|path| path.label >= Label::FIRST_FREE);
        usable.filter_map(|path| self.over(router, path.via, &[path.label])).next()
    }

    /// Every hop that a transport may take, with these labels beneath its own.
    fn over(&self, router: &'a str, via: u32, beneath: &[Label]) -> Option<Vec<At<'a>>> {
        let transport = self.tables.get(router)?.transports.get(usize::try_from(via).ok()?)?;
        let is_up = |port: PortId| self.port(router, port).is_some_and(|port| port.up);
        let hops = [&transport.hops, &transport.backups]
            .into_iter()
            .find(|hops| hops.iter().any(|hop| is_up(hop.port)))?;
        let mut ways = Vec::new();
        for hop in hops.iter().filter(|hop| is_up(hop.port)) {
            let mut labels = beneath.to_vec();
            labels.extend(hop.labels.iter().rev().filter(|label| **label != Label::IMPLICIT_NULL));
            // A hop through a port without a link is as good as a router that drops.
            let (far, port) =
                self.links.get(&(router, hop.port)).copied().unwrap_or(("", hop.port));
            ways.push((far, port, labels));
        }
        Some(ways)
    }
}

fn route(vrf: &Vrf, to: IpAddr) -> Option<&VrfRoute> {
    let fits = vrf.routes.iter().filter(|entry| entry.prefix.contains(to));
    fits.max_by_key(|entry| entry.prefix.len()).map(|entry| &entry.to)
}

fn passes(vrf: &Vrf, packet: Packet, is_outbound: bool) -> bool {
    let covers = |all: &[Prefix], one: IpAddr| all.iter().any(|prefix| prefix.contains(one));
    let Packet { source, destination, protocol, source_port, destination_port } = packet;
    let is_own = covers(&vrf.own, source) && covers(&vrf.own, destination);
    let (local, remote) = if is_outbound { (source, destination) } else { (destination, source) };
    is_own
        || vrf.rules.iter().any(|rule| {
            let asks = match rule.side {
                Side::Consumer => is_outbound,
                Side::Provider => !is_outbound,
            };
            let port = if asks { destination_port } else { source_port };
            covers(&rule.local, local)
                && covers(&rule.remote, remote)
                && rule.protocol == protocol
                && (rule.port_first..=rule.port_last).contains(&port)
        })
}
