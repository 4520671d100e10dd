//! The traffic of a rehearsal: streams of probes between pairs that matter.
//!
//! Few pairs are all taken, in both families. Where there are many, a seeded choice takes their
//! place, that still has every LAN of every virtual network as a source and as a destination, and
//! every application with its first port, asked and answering:
//! - within a virtual network, its LANs in a ring of random order, both ways round; LANs that come
//!   or go, with a few of the others;
//! - for every application and every network that either plan lets reach it, some of its LANs, and
//!   more of them where the right comes or goes;
//! - what neither plan lets pass: one virtual network towards another and towards others'
//!   applications, ports beside those that are published, echo requests.
//!
//! A stream sends its next probe whether or not the last one arrived.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Duration, Instant, Rng};
use model::plan::{Application, LinkKind, Listen};
use packet::{tcp, udp};

use super::union::Union;
use crate::Twin;
use crate::probe::{Flow, icmp_protocol};
use crate::promises::Promises;

/// A virtual network with so many LANs is tested in all pairs.
const LANS_FEW: usize = 6;
/// LANs of a network that ask one application, where they are many.
const ASKERS: usize = 4;
/// The same where the right comes or goes.
const ASKERS_MOVED: usize = 24;
/// Networks that try an application which neither plan lets them reach.
const OUTSIDERS: usize = 4;
/// LANs of a network that a LAN that comes or goes is paired with.
const COMPANIONS: usize = 3;
/// LANs that come or go and are paired like that, per virtual network.
const MOVED_MAX: usize = 32;
/// Pairs of virtual networks with nothing between them.
const STRANGERS_MAX: usize = 300;
/// Where datagrams within a virtual network go.
const DISCARD: u16 = 9;
/// What a probe or its answer takes on a line, labels and tunnel included.
const PROBE_BITS: u64 = 8 * 192;
/// Probes may take one part in so many of a line.
const LINE_SHARE: u64 = 4;
/// The port that hosts send from.
const SOURCE_PORT: u16 = 49_152;

/// Probes of one flow, one after the other.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) flow: Flow,
    /// The application that it asks, and that must answer.
    pub(crate) application: Option<String>,
    /// Whether the old plan promises it, and the new one.
    pub(crate) promised: [bool; 2],
    /// Probes whose end is not known yet, with the times that they were sent at.
    waiting: VecDeque<(Instant, u64)>,
    next: Option<Instant>,
    pub(crate) sent: u64,
    pub(crate) lost: u64,
    /// The first that was lost.
    pub(crate) first_lost: Option<Instant>,
    /// The first lost since the last that arrived.
    pub(crate) silent_since: Option<Instant>,
    /// The longest time from one that was lost to one that arrived.
    pub(crate) longest: Duration,
    pub(crate) total: Duration,
    /// Since when it has arrived without a loss, and the last that did.
    pub(crate) last_arrived: Option<Instant>,
    /// When the last one was sent.
    pub(crate) last_sent: Option<Instant>,
}

impl Stream {
    fn new(from: usize, to: usize, flow: Flow, promised: [bool; 2]) -> Self {
        Self {
            from,
            to,
            flow,
            application: None,
            promised,
            waiting: VecDeque::new(),
            next: None,
            sent: 0,
            lost: 0,
            first_lost: None,
            silent_since: None,
            longest: Duration::ZERO,
            total: Duration::ZERO,
            last_arrived: None,
            last_sent: None,
        }
    }

    /// The next probe is sent at `at`.
    pub(crate) const fn begin_at(&mut self, at: Instant) {
        self.next = Some(at);
    }

    /// Sends the probes of before `until`.
    pub(crate) fn send(
        &mut self,
        twin: &mut Twin,
        union: &Union,
        (offset, period): (Duration, Duration),
        until: Instant,
    ) {
        let now = twin.now();
        let mut at = self.next.unwrap_or(now + offset);
        while at < until {
            if union.has_lan(self.from) && at >= now {
                let number = twin.send_probe(self.from, self.flow, at);
                self.waiting.push_back((at, number));
                self.sent += 1;
                self.last_sent = Some(at);
            }
            at = at + period;
        }
        self.next = Some(at);
    }

    /// Judges the probes that were sent before `until`.
    pub(crate) fn settle(&mut self, twin: &Twin, until: Instant) {
        while let Some(&(at, number)) = self.waiting.front()
            && at < until
        {
            self.waiting.pop_front();
            let state = twin.probe(number);
            let arrived =
                state.is_some_and(|state| state.arrived.is_some_and(|(lan, _)| lan == self.to));
            let answered =
                state.is_some_and(|state| state.answered.is_some_and(|(refused, _)| !refused));
            if arrived && (answered || self.application.is_none()) {
                if let Some(since) = self.silent_since.take() {
                    self.longest = self.longest.max(at - since);
                    self.total += at - since;
                }
                self.last_arrived = Some(at);
            } else {
                self.lost += 1;
                self.first_lost.get_or_insert(at);
                self.silent_since.get_or_insert(at);
            }
        }
    }
}

/// The shortest time between two probes of every stream that leaves the lines of sites most of
/// their rate: what is lost is then lost by the change, and not by the rehearsal.
pub(crate) fn period_min(twin: &Twin, streams: &[Stream]) -> Duration {
    let mut bits: BTreeMap<usize, u64> = BTreeMap::new();
    for lan in streams.iter().flat_map(|stream| [stream.from, stream.to]) {
        if let Some(lan) = twin.engine.lans.get(lan) {
            *bits.entry(lan.router).or_default() += PROBE_BITS;
        }
    }
    let uplinks = twin.plan().links.iter().zip(twin.engine.links());
    let uplinks = uplinks.filter(|(planned, _)| planned.kind == LinkKind::Uplink);
    let slowest = uplinks.map(|(planned, link)| {
        let kbps = u64::from(planned.rate_kbps.min(planned.rate_back_kbps).max(1));
        let [_, (site, _)] = link.ends;
        // Bits by kilobits per second are milliseconds.
        Duration::from_millis(bits.get(&site).copied().unwrap_or(0) * LINE_SHARE / kbps)
    });
    slowest.max().unwrap_or_default()
}

/// All streams of a change.
pub(crate) fn select(twin: &Twin, union: &Union, rng: &mut Rng) -> Vec<Stream> {
    let mut selection = Selection {
        twin,
        union,
        promises: [union.promises(0), union.promises(1)],
        networks: BTreeMap::new(),
        streams: Vec::new(),
        seen: BTreeSet::new(),
    };
    for (number, lan) in union.plan().attachments.iter().enumerate() {
        selection.networks.entry(lan.virtual_network.as_str()).or_default().push(number);
    }
    selection.within(rng);
    selection.applications(rng);
    selection.strangers(rng);
    selection.streams
}

struct Selection<'a> {
    twin: &'a Twin,
    union: &'a Union,
    promises: [Promises; 2],
    networks: BTreeMap<&'a str, Vec<usize>>,
    streams: Vec<Stream>,
    seen: BTreeSet<(usize, usize, Flow)>,
}

/// Which family a stream is of.
#[derive(Debug, Clone, Copy)]
enum Family {
    Both,
    /// IPv6 where it is true.
    One(bool),
}

impl Family {
    /// One of the two, in turn.
    const fn in_turn(turn: usize) -> Self {
        Self::One(turn % 2 == 1)
    }

    const fn has(self, v6: bool) -> bool {
        match self {
            Self::Both => true,
            Self::One(only) => only == v6,
        }
    }
}

impl Selection<'_> {
    fn add(&mut self, from: usize, to: usize, flow: Flow, application: Option<&str>) {
        let promised = self.promises.each_ref().map(|plan| plan.permit(from, to, &flow));
        let is_promised = promised.contains(&true);
        if application.is_some() && !is_promised || !self.seen.insert((from, to, flow)) {
            return;
        }
        let application = application.map(str::to_owned);
        self.streams.push(Stream { application, ..Stream::new(from, to, flow, promised) });
    }

    fn add_hosts(&mut self, from: usize, to: usize, family: Family, (protocol, port): (u8, u16)) {
        for v6 in [false, true] {
            if family.has(v6)
                && let Some(source) = self.twin.host(from, v6)
                && let Some(destination) = self.twin.host(to, v6)
            {
                self.add(from, to, flow(source, destination, protocol, port), None);
            }
        }
    }

    fn within(&mut self, rng: &mut Rng) {
        for lans in self.networks.values().cloned().collect::<Vec<_>>() {
            let discard = (udp::PROTOCOL, DISCARD);
            if lans.len() <= LANS_FEW {
                let pairs = lans.iter().flat_map(|from| lans.iter().map(move |to| (*from, *to)));
                pairs.for_each(|(from, to)| self.add_within(from, to, Family::Both, discard));
                continue;
            }
            let (mut stay, mut moved): (Vec<usize>, Vec<usize>) =
                lans.into_iter().partition(|&lan| self.union.stays(lan));
            shuffle(&mut stay, rng);
            shuffle(&mut moved, rng);
            let next = stay.iter().cycle().skip(1);
            for (turn, (&one, &other)) in stay.iter().zip(next).enumerate() {
                self.add_within(one, other, Family::in_turn(turn), discard);
                self.add_within(other, one, Family::in_turn(turn + 1), discard);
            }
            let mut companions = stay.iter().chain(&moved).cycle();
            for &lan in moved.iter().take(MOVED_MAX) {
                for &other in companions.by_ref().take(COMPANIONS) {
                    self.add_within(lan, other, Family::Both, discard);
                    self.add_within(other, lan, Family::Both, discard);
                }
            }
        }
    }

    /// A LAN that goes and one that comes are never there together.
    fn add_within(&mut self, from: usize, to: usize, family: Family, what: (u8, u16)) {
        if from != to && (self.union.stays(from) || self.union.stays(to) || self.meet(from, to)) {
            self.add_hosts(from, to, family, what);
        }
    }

    fn meet(&self, from: usize, to: usize) -> bool {
        self.union.has_lan(from) == self.union.has_lan(to)
    }

    fn applications(&mut self, rng: &mut Rng) {
        let plan = self.union.plan();
        let mut rights: BTreeSet<(usize, &str)> = BTreeSet::new();
        for (number, application) in plan.applications.iter().enumerate() {
            for community in &plan.communities {
                if community.applications.contains(&application.name) {
                    let members = community.members.iter().map(String::as_str);
                    rights.extend(members.map(|member| (number, member)));
                }
            }
        }
        for &(number, member) in &rights {
            let Some(application) = plan.applications.get(number) else { continue };
            if member != application.virtual_network {
                self.right(application, member, rng);
            }
        }
        for application in &plan.applications {
            let mut others: Vec<usize> =
                self.networks.values().filter_map(|lans| lans.first().copied()).collect();
            shuffle(&mut others, rng);
            for &to in &self.lans_of(application) {
                for &from in others.iter().filter(|from| **from != to).take(OUTSIDERS) {
                    self.ask_outside(from, to, application);
                }
            }
        }
    }

    /// The LANs that an application is on: another one in the new plan, where it moves.
    fn lans_of(&self, application: &Application) -> Vec<usize> {
        let lans = self.union.plan().attachments.iter().enumerate();
        lans.filter(|(_, lan)| {
            lan.site == application.site && lan.virtual_network == application.virtual_network
        })
        .map(|(number, _)| number)
        .collect()
    }

    /// What an application publishes, asked for by a network that neither plan lets reach it.
    fn ask_outside(&mut self, from: usize, to: usize, application: &Application) {
        for &address in &application.addresses {
            let Some(source) = self.twin.host(from, address.is_ipv6()) else { continue };
            for listen in &application.listens {
                let flow = flow(source, address, listen.protocol, listen.port_first);
                self.add_forbidden(from, to, flow);
            }
        }
    }

    /// Streams of the members of one network to one application.
    fn right(&mut self, application: &Application, member: &str, rng: &mut Rng) {
        let mut lans = self.networks.get(member).cloned().unwrap_or_default();
        let few = lans.len() <= LANS_FEW;
        shuffle(&mut lans, rng);
        for to in self.lans_of(application) {
            let moves = lans.first().is_some_and(|&from| self.moves(from, to, application));
            let askers = if moves { ASKERS_MOVED } else { ASKERS };
            // Those that come or go come first.
            lans.sort_by_key(|&lan| self.union.stays(lan));
            let count = if few { lans.len() } else { askers };
            for (turn, &from) in lans.iter().take(count).enumerate() {
                let family = if few { Family::Both } else { Family::in_turn(turn) };
                self.ask(from, to, application, family);
            }
            if let Some(&from) = lans.last() {
                self.ask_beside(from, to, application);
            }
        }
    }

    /// Whether one plan gives a right to an application and the other does not.
    fn moves(&self, from: usize, to: usize, application: &Application) -> bool {
        let address = application.addresses.first().copied();
        let source = address.and_then(|address| self.twin.host(from, address.is_ipv6()));
        let (Some(address), Some(source)) = (address, source) else { return false };
        application.listens.iter().any(|listen| {
            let flow = flow(source, address, listen.protocol, listen.port_first);
            let [old, new] = self.promises.each_ref().map(|plan| plan.permit(from, to, &flow));
            old != new
        })
    }

    fn ask(&mut self, from: usize, to: usize, application: &Application, family: Family) {
        for &address in application.addresses.iter().filter(|one| family.has(one.is_ipv6())) {
            let Some(source) = self.twin.host(from, address.is_ipv6()) else { continue };
            for &Listen { protocol, port_first, port_last } in &application.listens {
                for port in BTreeSet::from([port_first, port_last]) {
                    let flow = flow(source, address, protocol, port);
                    self.add(from, to, flow, Some(&application.name));
                }
            }
        }
    }

    /// What is not published, if neither plan says otherwise.
    fn ask_beside(&mut self, from: usize, to: usize, application: &Application) {
        let Some(&address) = application.addresses.first() else { return };
        let Some(source) = self.twin.host(from, address.is_ipv6()) else { return };
        let mut beside = vec![(icmp_protocol(address), 0)];
        for &Listen { protocol, port_first, port_last } in &application.listens {
            let other = if protocol == tcp::PROTOCOL { udp::PROTOCOL } else { tcp::PROTOCOL };
            beside.push((other, port_first));
            beside.extend(port_first.checked_sub(1).map(|port| (protocol, port)));
            beside.extend(port_last.checked_add(1).map(|port| (protocol, port)));
        }
        for (protocol, port) in beside {
            self.add_forbidden(from, to, flow(source, address, protocol, port));
        }
    }

    fn add_forbidden(&mut self, from: usize, to: usize, flow: Flow) {
        if !self.promises.iter().any(|plan| plan.permit(from, to, &flow)) {
            self.add(from, to, flow, None);
        }
    }

    /// One virtual network towards another: all pairs, or each with some others.
    fn strangers(&mut self, rng: &mut Rng) {
        let mut all: Vec<Vec<usize>> = self.networks.values().cloned().collect();
        shuffle(&mut all, rng);
        let each = (STRANGERS_MAX / all.len().max(1)).clamp(1, all.len().saturating_sub(1).max(1));
        for (place, lans) in all.iter().enumerate() {
            for step in 1..=each {
                let Some(others) = all.get((place + step) % all.len()) else { continue };
                if let (Some(&from), Some(&to)) = (lans.first(), others.last()) {
                    self.add_stranger(from, to, (false, udp::PROTOCOL, DISCARD));
                    self.add_stranger(from, to, (true, tcp::PROTOCOL, 443));
                }
            }
        }
    }

    fn add_stranger(&mut self, from: usize, to: usize, (v6, protocol, port): (bool, u8, u16)) {
        if let Some((source, destination)) = self.twin.host(from, v6).zip(self.twin.host(to, v6)) {
            self.add_forbidden(from, to, flow(source, destination, protocol, port));
        }
    }
}

const fn flow(source: IpAddr, destination: IpAddr, protocol: u8, port: u16) -> Flow {
    let (source_port, destination_port) = match protocol {
        tcp::PROTOCOL | udp::PROTOCOL => (SOURCE_PORT, port),
        _ => (0, 0),
    };
    Flow { source, destination, protocol, source_port, destination_port }
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        let other = usize::try_from(rng.below(last as u64 + 1)).unwrap_or(last);
        items.swap(last, other);
    }
}
