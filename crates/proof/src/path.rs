//! The way of one packet through forwarding tables, router by router.
//!
//! Where [`crate::isolation`] looks at every entry and every way, this follows one packet as routers
//! forward it: let in at a site's LAN, judged by access rules, routed in a VRF, carried under labels,
//! swapped, taken off, judged again and delivered, or refused at some router for a [`Refusal`]. Of
//! several usable ways the first is followed; equal ones are listed, since routers spread flows among
//! them. The entries that decide are kept with each [`Step`], for people who ask why.
//!
//! A packet is what a host sends, so a [`Witness`] of a violation is one too ([`Packet::of`]).
//!
//! Standards: RFC 4364 §5 (forwarding), RFC 3031 §3.10 (what labels lead to), RFC 3704 (sources).
//! Not implemented: fragments, errors that routers send, time to live but as a limit of steps.

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use model::config::Side;
use model::plan::{Attachment, Link, Plan};
use model::tables::{
    Accepts, Hop, LabelAction, Path as Way, Port, RouterTables, Rule, Transport, Vrf, VrfRoute,
};

use crate::violation::Witness;

/// Routers on a way: a packet's time to live ends then.
const STEPS_MAX: usize = 64;
/// Labels under a packet, as many as a router reads (`packet::mpls::STACK_DEPTH_MAX`).
const LABELS_MAX: usize = 10;

/// IP protocol numbers that access rules know the parts of.
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP_V6: u8 = 58;

/// A packet that a host of a LAN sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The code of the site.
    pub site: String,
    /// The virtual network.
    pub virtual_network: String,
    /// Its source.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// Its IP protocol; ICMP is taken for an echo.
    pub protocol: u8,
    /// Its source port; 0 where the protocol has none.
    pub source_port: u16,
    /// Its destination port; 0 where the protocol has none.
    pub destination_port: u16,
    /// Whether it says that it answers: an echo reply, a TCP segment that does not open a connection.
    pub is_answer: bool,
}

impl Packet {
    /// The packet of a witness, as one that asks or as one that answers: its port is that of the
    /// application, which is at the destination of who asks and at the source of who answers.
    #[must_use]
    pub fn of(witness: &Witness, is_answer: bool) -> Self {
        let port = witness.port.unwrap_or(0);
        let (source_port, destination_port) = if is_answer { (port, 0) } else { (0, port) };
        let echo = if witness.destination.is_ipv6() { ICMP_V6 } else { ICMP };
        Self {
            site: witness.site.clone(),
            virtual_network: witness.virtual_network.clone(),
            source: witness.source,
            destination: witness.destination,
            protocol: witness.protocol.unwrap_or(echo),
            source_port,
            destination_port,
            is_answer,
        }
    }

    /// The answer to it, from a LAN.
    #[must_use]
    pub fn answered_from(&self, lan: &Lan) -> Self {
        Self {
            site: lan.site.clone(),
            virtual_network: lan.virtual_network.clone(),
            source: self.destination,
            destination: self.source,
            protocol: self.protocol,
            source_port: self.destination_port,
            destination_port: self.source_port,
            is_answer: true,
        }
    }
}

/// A LAN of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lan {
    /// The code of the site.
    pub site: String,
    /// The virtual network.
    pub virtual_network: String,
}

/// The way of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The routers that it meets, in order.
    pub steps: Vec<Step>,
    /// What becomes of it.
    pub end: End,
}

/// One router on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The router.
    pub router: String,
    /// The labels under which the packet comes, outermost first.
    pub under: Vec<Label>,
    /// What the router's tables say of it, in the order in which they are asked.
    pub entries: Vec<Entry>,
    /// How it leaves; none where it ends.
    pub leaves: Option<Leave>,
}

/// An entry of a table that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A port lets such sources in.
    Source {
        /// The port's name.
        port: String,
        /// The sources.
        prefix: Prefix,
    },
    /// Access rules let it pass.
    Access {
        /// The VRF's name.
        vrf: String,
        /// The rule's name; none: both addresses are the virtual network's own.
        rule: Option<String>,
    },
    /// A route of a VRF.
    Route {
        /// The VRF's name.
        vrf: String,
        /// The prefix.
        prefix: Prefix,
        /// The label of the path that is used; none: it does not lead to another router.
        label: Option<Label>,
    },
    /// What is done under a label.
    Label {
        /// Where the label has its meaning.
        space: LabelSpace,
        /// The label.
        label: Label,
        /// What is done, in words.
        does: String,
    },
}

/// How a packet leaves a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// The port's name.
    pub port: String,
    /// The name of the link behind it; none: a LAN.
    pub link: Option<String>,
    /// The labels under which it leaves, outermost first.
    pub labels: Vec<Label>,
    /// Names of other ports that it might leave by as well.
    pub equal: Vec<String>,
    /// Whether the hop is one that stands in for others.
    pub is_backup: bool,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It leaves to a LAN.
    Delivered {
        /// The router.
        router: String,
        /// The LAN; none: one that nobody was promised.
        lan: Option<Lan>,
    },
    /// It is for a router itself.
    Router(String),
    /// It is dropped.
    Refused {
        /// The router; where there is none, the site.
        at: String,
        /// Why.
        why: Refusal,
    },
}

/// Why a packet is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The plan has no such LAN.
    NoLan,
    /// The router's tables are missing.
    NoTables,
    /// The port of the LAN is not an attachment.
    NotAttached,
    /// Its source does not belong to the port on which it comes.
    ForeignSource,
    /// There is no such VRF.
    NoVrf,
    /// No access rule of this VRF joins its addresses.
    NoRule(String),
    /// An access rule of this name joins its addresses, and none allows its protocol and ports.
    NotPermitted(String),
    /// The VRF of this name has no route to it.
    NoRoute(String),
    /// No way to where it is to go is usable.
    NoWay,
    /// It came from the core and would be sent back there.
    Hairpin,
    /// Its label means nothing here.
    DeadLabel(Label),
    /// A label stands where none may.
    Stack(Label),
    /// Its labels end without leading into a VRF.
    FallsOut,
    /// The port of this name leads nowhere, or is down.
    NoLink(String),
    /// It is under way for too long.
    TooFar,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLan => f.write_str("there is no such LAN"),
            Self::NoTables => f.write_str("its tables are missing"),
            Self::NotAttached => f.write_str("the port of the LAN is not an attachment"),
            Self::ForeignSource => f.write_str("the source does not belong there"),
            Self::NoVrf => f.write_str("there is no such VRF"),
            Self::NoRule(vrf) => write!(f, "no access rule of {vrf} joins these addresses"),
            Self::NotPermitted(rule) => {
                write!(f, "access rule `{rule}` joins these addresses, and not on this port")
            }
            Self::NoRoute(vrf) => write!(f, "{vrf} has no route to it"),
            Self::NoWay => f.write_str("no way there is usable"),
            Self::Hairpin => f.write_str("it would be sent back into the core"),
            Self::DeadLabel(label) => write!(f, "label {label} means nothing here"),
            Self::Stack(label) => write!(f, "label {label} stands where none may"),
            Self::FallsOut => f.write_str("its labels end outside of every VRF"),
            Self::NoLink(port) => write!(f, "port `{port}` leads nowhere"),
            Self::TooFar => f.write_str("it goes round and round"),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { port, prefix } => write!(f, "port {port} lets {prefix} in"),
            Self::Access { vrf, rule: None } => {
                write!(f, "access rules of {vrf}: both addresses are its own")
            }
            Self::Access { vrf, rule: Some(rule) } => {
                write!(f, "access rules of {vrf}: {rule}")
            }
            Self::Route { vrf, prefix, label: None } => write!(f, "route {prefix} of {vrf}: here"),
            Self::Route { vrf, prefix, label: Some(label) } => {
                write!(f, "route {prefix} of {vrf}: under label {label}")
            }
            Self::Label { space: LabelSpace::Platform, label, does } => {
                write!(f, "label {label}: {does}")
            }
            Self::Label { space: LabelSpace::Port(port), label, does } => {
                write!(f, "label {label} of port {}: {does}", port.0)
            }
        }
    }
}

impl Path {
    /// The LAN that it ends in, where it does.
    #[must_use]
    pub const fn lan(&self) -> Option<&Lan> {
        match &self.end {
            End::Delivered { lan, .. } => lan.as_ref(),
            End::Router(_) | End::Refused { .. } => None,
        }
    }
}

/// Follows a packet through these tables.
#[must_use]
pub fn path(plan: &Plan, tables: &[RouterTables], packet: &Packet) -> Path {
    let region = Region {
        plan,
        tables: tables.iter().map(|one| (one.router.as_str(), one)).collect(),
        packet,
    };
    let mut steps = Vec::new();
    let end = region.follow(&mut steps).unwrap_or_else(|why| {
        let at = steps.last().map_or_else(|| packet.site.clone(), |step| step.router.clone());
        End::Refused { at, why }
    });
    Path { steps, end }
}

/// What a packet is followed through.
struct Region<'a> {
    plan: &'a Plan,
    tables: BTreeMap<&'a str, &'a RouterTables>,
    packet: &'a Packet,
}

/// Where a packet comes to next.
enum Next<'a> {
    /// By a link, under labels.
    Router {
        router: &'a str,
        port: PortId,
        labels: Vec<Label>,
    },
    End(End),
}

/// How a packet came to be looked up in a VRF.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Lan,
    Core,
}

impl<'a> Region<'a> {
    fn follow(&self, steps: &mut Vec<Step>) -> Result<End, Refusal> {
        let Packet { site, virtual_network, .. } = self.packet;
        let fits = |lan: &&Attachment| lan.site == *site && lan.virtual_network == *virtual_network;
        let lan = self.plan.attachments.iter().find(fits).ok_or(Refusal::NoLan)?;
        let mut next = self.enter(lan, steps)?;
        loop {
            match next {
                Next::End(end) => return Ok(end),
                Next::Router { .. } if steps.len() >= STEPS_MAX => return Err(Refusal::TooFar),
                Next::Router { router, port, labels } => {
                    next = self.labelled((router, port), labels, steps)?;
                }
            }
        }
    }

    fn tables(&self, router: &str) -> Result<&'a RouterTables, Refusal> {
        self.tables.get(router).copied().ok_or(Refusal::NoTables)
    }

    /// From a LAN.
    fn enter(&self, lan: &'a Attachment, steps: &mut Vec<Step>) -> Result<Next<'a>, Refusal> {
        let mut at = At::new(&lan.router, Vec::new(), steps);
        let tables = self.tables(&lan.router)?;
        let port = port(tables, lan.port).ok_or(Refusal::NotAttached)?;
        let Accepts::Attachment { vrf, sources } = &port.accepts else {
            return Err(Refusal::NotAttached);
        };
        let prefix = covering(sources, self.packet.source).ok_or(Refusal::ForeignSource)?;
        at.note(Entry::Source { port: port.name.clone(), prefix });
        let vrf = vrf_of(tables, *vrf)?;
        at.note(self.access(vrf, From::Lan)?);
        self.route(tables, vrf, From::Lan, &mut at)
    }

    /// From a link, under labels.
    fn labelled(
        &self,
        (router, port_id): (&'a str, PortId),
        mut labels: Vec<Label>,
        steps: &mut Vec<Step>,
    ) -> Result<Next<'a>, Refusal> {
        let mut at = At::new(router, labels.clone(), steps);
        let tables = self.tables(router)?;
        let port = port(tables, port_id);
        let (space, on_uplink) = match port.map(|port| &port.accepts) {
            Some(Accepts::Core) => (LabelSpace::Platform, false),
            Some(Accepts::Uplink { space, sources }) => {
                let source = self.packet.source;
                if sources.as_ref().is_some_and(|sources| covering(sources, source).is_none()) {
                    return Err(Refusal::ForeignSource);
                }
                (*space, true)
            }
            Some(Accepts::Attachment { .. }) | None => {
                return Err(labels.first().map_or(Refusal::FallsOut, |top| Refusal::Stack(*top)));
            }
        };
        let depth = labels.len();
        loop {
            let top = if labels.is_empty() { None } else { Some(labels.remove(0)) };
            let top = top.ok_or(Refusal::FallsOut)?;
            let mut all = tables.labels.iter();
            let entry = all.find(|one| (one.space, one.label) == (space, top));
            let action = match entry {
                Some(entry) => &entry.action,
                None if is_null(space, top) => &LabelAction::Pop,
                None => return Err(Refusal::DeadLabel(top)),
            };
            let is_service = matches!(action, LabelAction::Vrf(_) | LabelAction::Swap(_));
            if (on_uplink && depth > 1) || (is_service && !labels.is_empty()) {
                return Err(Refusal::Stack(top));
            }
            let mut note = |does| at.note(Entry::Label { space, label: top, does });
            match action {
                LabelAction::Pop => note("taken off".to_owned()),
                LabelAction::Vrf(vrf) => {
                    let vrf = vrf_of(tables, *vrf)?;
                    note(format!("into VRF {}", vrf.name));
                    return self.route(tables, vrf, From::Core, &mut at);
                }
                LabelAction::Swap(paths) => {
                    let way = usable(tables, paths).ok_or(Refusal::NoWay)?;
                    note(format!("becomes {}", way.label));
                    return self.send(tables, way.via, vec![way.label], &mut at);
                }
                LabelAction::Transit(via) => {
                    note("on its way".to_owned());
                    return self.send(tables, *via, labels, &mut at);
                }
            }
        }
    }

    fn route(
        &self,
        tables: &'a RouterTables,
        vrf: &'a Vrf,
        from: From,
        at: &mut At<'_>,
    ) -> Result<Next<'a>, Refusal> {
        let to = self.packet.destination;
        let holding = vrf.routes.iter().filter(|entry| entry.prefix.contains(to));
        let entry = holding.max_by_key(|entry| entry.prefix.len());
        let entry = entry.ok_or_else(|| Refusal::NoRoute(vrf.name.clone()))?;
        let mut note = |label| {
            at.note(Entry::Route { vrf: vrf.name.clone(), prefix: entry.prefix, label });
        };
        match &entry.to {
            VrfRoute::Local => {
                note(None);
                if from == From::Core {
                    at.note(self.access(vrf, from)?);
                }
                Ok(Next::End(End::Router(tables.router.clone())))
            }
            VrfRoute::Attached { port, .. } => {
                note(None);
                self.leave(tables, *port, at)
            }
            VrfRoute::Remote(_) if from == From::Core => {
                note(None);
                Err(Refusal::Hairpin)
            }
            VrfRoute::Remote(paths) => {
                let way = usable(tables, paths);
                note(way.map(|way| way.label));
                let way = way.ok_or(Refusal::NoWay)?;
                self.send(tables, way.via, vec![way.label], at)
            }
        }
    }

    /// Out to a LAN, judged by the rules of the VRF that the LAN is in.
    fn leave(
        &self,
        tables: &'a RouterTables,
        id: PortId,
        at: &mut At<'_>,
    ) -> Result<Next<'a>, Refusal> {
        let port = port(tables, id).ok_or_else(|| Refusal::NoLink(id.0.to_string()))?;
        let Accepts::Attachment { vrf, .. } = &port.accepts else {
            return Err(Refusal::NotAttached);
        };
        at.note(self.access(vrf_of(tables, *vrf)?, From::Core)?);
        if !port.up {
            return Err(Refusal::NoLink(port.name.clone()));
        }
        let name = port.name.clone();
        let (equal, labels) = (Vec::new(), Vec::new());
        at.leave(Leave { port: name, link: None, labels, equal, is_backup: false });
        let fits = |lan: &&Attachment| lan.router == tables.router && lan.port == id;
        let lan = self.plan.attachments.iter().find(fits).map(|lan| Lan {
            site: lan.site.clone(),
            virtual_network: lan.virtual_network.clone(),
        });
        Ok(Next::End(End::Delivered { router: tables.router.clone(), lan }))
    }

    /// By a transport to the next router, above what is beneath.
    fn send(
        &self,
        tables: &'a RouterTables,
        via: u32,
        beneath: Vec<Label>,
        at: &mut At<'_>,
    ) -> Result<Next<'a>, Refusal> {
        let transport = transport(tables, via).ok_or(Refusal::NoWay)?;
        let (hops, is_backup) = usable_hops(tables, transport);
        let (hop, others) = hops.split_first().ok_or(Refusal::NoWay)?;
        let name = |hop: &Hop| {
            port(tables, hop.port).map_or_else(|| hop.port.0.to_string(), |one| one.name.clone())
        };
        let pushed = hop.labels.iter().copied().filter(|label| *label != Label::IMPLICIT_NULL);
        let labels: Vec<Label> = pushed.chain(beneath).collect();
        if let (Some(top), true) = (labels.first(), labels.len() > LABELS_MAX) {
            return Err(Refusal::Stack(*top));
        }
        let (link, next) =
            self.far(&tables.router, hop.port).ok_or_else(|| Refusal::NoLink(name(hop)))?;
        at.leave(Leave {
            port: name(hop),
            link: Some(link.name.clone()),
            labels: labels.clone(),
            equal: others.iter().map(|hop| name(hop)).collect(),
            is_backup,
        });
        Ok(Next::Router { router: &next.router, port: next.port, labels })
    }

    /// The link of a port, and its other end.
    fn far(&self, router: &str, port: PortId) -> Option<(&'a Link, &'a model::plan::LinkEnd)> {
        self.plan.links.iter().find_map(|link| {
            let [near, far] = &link.ends;
            let is = |end: &model::plan::LinkEnd| end.router == router && end.port == port;
            if is(near) {
                return Some((link, far));
            }
            is(far).then_some((link, near))
        })
    }

    /// What lets the packet cross the boundary of a VRF: out where it comes from a LAN, in where it
    /// comes from the core.
    fn access(&self, vrf: &Vrf, from: From) -> Result<Entry, Refusal> {
        let Packet { source, destination, .. } = *self.packet;
        let is_own = |address| covering(&vrf.own, address).is_some();
        if is_own(source) && is_own(destination) {
            return Ok(Entry::Access { vrf: vrf.name.clone(), rule: None });
        }
        let (local, remote) = match from {
            From::Lan => (source, destination),
            From::Core => (destination, source),
        };
        let joins = |rule: &&Rule| {
            covering(&rule.local, local).is_some() && covering(&rule.remote, remote).is_some()
        };
        let mut joining = vrf.rules.iter().filter(joins).peekable();
        let first = joining.peek().ok_or_else(|| Refusal::NoRule(vrf.name.clone()))?;
        let refusal = Refusal::NotPermitted(first.name.clone());
        let rule = joining.find(|rule| self.permits(rule, from)).ok_or(refusal)?;
        Ok(Entry::Access { vrf: vrf.name.clone(), rule: Some(rule.name.clone()) })
    }

    /// Whether a rule that joins the addresses allows the packet. The consumer asks, the provider
    /// answers.
    fn permits(&self, rule: &Rule, from: From) -> bool {
        let &Packet { protocol, source_port, destination_port, is_answer, .. } = self.packet;
        let plain = |protocol| if protocol == ICMP_V6 { ICMP } else { protocol };
        if plain(protocol) != plain(rule.protocol) {
            return false;
        }
        let asks = match (rule.side, from) {
            (Side::Provider, From::Core) | (Side::Consumer, From::Lan) => true,
            (Side::Provider, From::Lan) | (Side::Consumer, From::Core) => false,
        };
        let ports = rule.port_first..=rule.port_last;
        match protocol {
            TCP | UDP if asks => ports.contains(&destination_port),
            // A datagram does not say whether it answers.
            TCP | UDP => (is_answer || protocol == UDP) && ports.contains(&source_port),
            ICMP | ICMP_V6 => asks != is_answer,
            _ => true,
        }
    }
}

/// The step that is being taken.
struct At<'s> {
    steps: &'s mut Vec<Step>,
}

impl<'s> At<'s> {
    fn new(router: &str, under: Vec<Label>, steps: &'s mut Vec<Step>) -> Self {
        let router = router.to_owned();
        steps.push(Step { router, under, entries: Vec::new(), leaves: None });
        Self { steps }
    }

    fn note(&mut self, entry: Entry) {
        self.steps.last_mut().into_iter().for_each(|step| step.entries.push(entry.clone()));
    }

    fn leave(&mut self, leave: Leave) {
        if let Some(step) = self.steps.last_mut() {
            step.leaves = Some(leave);
        }
    }
}

fn covering(prefixes: &[Prefix], address: IpAddr) -> Option<Prefix> {
    prefixes.iter().copied().find(|prefix| prefix.contains(address))
}

fn port(tables: &RouterTables, id: PortId) -> Option<&Port> {
    tables.ports.iter().find(|port| port.id == id)
}

fn vrf_of(tables: &RouterTables, id: VrfId) -> Result<&Vrf, Refusal> {
    tables.vrfs.iter().find(|vrf| vrf.id == id).ok_or(Refusal::NoVrf)
}

fn transport(tables: &RouterTables, number: u32) -> Option<&Transport> {
    tables.transports.get(usize::try_from(number).ok()?)
}

/// The hops of a transport that are usable, and whether they stand in for others.
fn usable_hops<'t>(tables: &RouterTables, transport: &'t Transport) -> (Vec<&'t Hop>, bool) {
    let is_up = |hop: &&Hop| port(tables, hop.port).is_some_and(|port| port.up);
    let hops: Vec<&Hop> = transport.hops.iter().filter(is_up).collect();
    if hops.is_empty() {
        return (transport.backups.iter().filter(is_up).collect(), true);
    }
    (hops, false)
}

/// The first usable path.
fn usable(tables: &RouterTables, paths: &[Way]) -> Option<Way> {
    paths.iter().copied().find(|way| {
        let transport = transport(tables, way.via);
        transport.is_some_and(|transport| !usable_hops(tables, transport).0.is_empty())
    })
}

/// RFC 4182: a null label is taken off wherever it is; on an uplink none is understood.
fn is_null(space: LabelSpace, label: Label) -> bool {
    space == LabelSpace::Platform
        && [Label::EXPLICIT_NULL_V4, Label::EXPLICIT_NULL_V6].contains(&label)
}
