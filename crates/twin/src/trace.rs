//! A packet's way: which routers it met, through which ports it left, under which labels.
//!
//! A probe is sent and every frame that carries it is looked at as it leaves a router, there and
//! back. Where it is dropped, the router and the reason are found from the counters.
//!
//! [`Twin::trace`] waits in virtual time. Whoever must not run ahead of real time starts with
//! [`Twin::start_trace`], lets time pass, and ends with [`Twin::finish_trace`].

use std::collections::{BTreeMap, BTreeSet};

use core::net::IpAddr;

use base::{Duration, Instant, Label};
use model::config::Medium;
use packet::{ethernet, gre, ip, mpls};
use serde::Serialize;

use crate::Twin;
use crate::engine::Tapped;
use crate::probe::{self, Flow};

/// How long a packet and its answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked whether the answer is there.
const LOOK: Duration = Duration::from_millis(1);

/// One router on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Microseconds since the packet was sent.
    pub after_us: u64,
    /// The router.
    pub router: String,
    /// The port that it left through.
    pub port: String,
    /// What is behind the port: a link or a site's LAN.
    pub onto: String,
    /// The label stack that it left under, outermost first.
    pub labels: Vec<Label>,
}

/// A dropped packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The router that dropped it.
    pub router: String,
    /// Why.
    pub reason: String,
}

/// The way of one packet and of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// The way there.
    pub there: Vec<Hop>,
    /// The way back.
    pub back: Vec<Hop>,
    /// Whether the packet came out at a LAN that has the destination.
    pub delivered: bool,
    /// The site it came out at.
    pub site: Option<String>,
    /// Microseconds until the answer was back; none without an answer.
    pub round_trip_us: Option<u64>,
    /// Whether the answer was a refusal.
    pub refused: bool,
    /// What the routers that met it dropped meanwhile, if it did not arrive or was not answered.
    pub dropped: Vec<Dropped>,
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A packet that is being followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    number: u64,
    from: usize,
    flow: Flow,
    sent: Instant,
    /// What had been dropped before.
    drops: BTreeMap<(usize, String), u64>,
}

impl Twin {
    /// Sends one packet from a LAN and follows it and its answer.
    pub fn trace(&mut self, from: usize, flow: Flow) -> Trace {
        let tracing = self.start_trace(from, flow);
        while !self.is_traced(&tracing) {
            self.run_for(LOOK);
        }
        self.finish_trace(&tracing)
    }

    /// Sends one packet from a LAN, to be followed; one at a time.
    pub fn start_trace(&mut self, from: usize, flow: Flow) -> Tracing {
        let drops = self.drops();
        self.engine.tap = Some(Vec::new());
        let sent = self.now();
        Tracing { number: self.send_probe(from, flow, sent), from, flow, sent, drops }
    }

    /// Whether the answer is there, or too late to wait for.
    #[must_use]
    pub fn is_traced(&self, tracing: &Tracing) -> bool {
        let answered = self.probe(tracing.number).is_some_and(|state| state.answered.is_some());
        answered || self.now() >= tracing.sent + PATIENCE
    }

    /// The way of a packet and of its answer, as far as they came.
    pub fn finish_trace(&mut self, tracing: &Tracing) -> Trace {
        let &Tracing { number, from, flow, sent, ref drops } = tracing;
        let seen = self.engine.tap.take().unwrap_or_default();
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let mut met: BTreeSet<usize> =
            self.engine.lans.get(from).map(|lan| lan.router).into_iter().collect();
        for Tapped { at, router, port, bytes } in &seen {
            let Some((labels, carried, hop_flow)) = self.read_frame(*router, *port, bytes) else {
                continue;
            };
            if carried != number {
                continue;
            }
            met.insert(*router);
            met.extend(self.engine.far_end(*router, *port).map(|(next, _)| next));
            let list = if hop_flow == flow { &mut there } else { &mut back };
            list.push(self.hop(micros(*at - sent), *router, *port, labels));
        }
        let state = self.probe(number).copied();
        let arrived = state.and_then(|state| state.arrived);
        let answered = state.and_then(|state| state.answered);
        let dropped = if answered.is_some() { Vec::new() } else { self.drops_since(drops, &met) };
        Trace {
            source: flow.source,
            destination: flow.destination,
            there,
            back,
            delivered: arrived.is_some(),
            site: arrived.and_then(|(lan, _)| Some(self.engine.lans.get(lan)?.site.clone())),
            round_trip_us: answered.map(|(_, at)| micros(at - sent)),
            refused: answered.is_some_and(|(refused, _)| refused),
            dropped,
        }
    }

    fn hop(&self, after_us: u64, router: usize, port: base::PortId, labels: Vec<Label>) -> Hop {
        let config = self.engine.config(router);
        let planned = config.and_then(|c| c.ports.get(usize::try_from(port.0).ok()?));
        let onto = self
            .engine
            .links()
            .iter()
            .find(|link| link.ends.contains(&(router, port)))
            .map(|link| format!("link {}", link.name))
            .or_else(|| {
                let mut lans = self.engine.lans.iter();
                let lan = lans.find(|lan| (lan.router, lan.port) == (router, port))?;
                Some(format!("site {}", lan.site))
            });
        Hop {
            after_us,
            router: config.map_or_else(String::new, |config| config.name.clone()),
            port: planned.map_or_else(String::new, |port| port.name.clone()),
            onto: onto.unwrap_or_default(),
            labels,
        }
    }

    /// The labels of a frame that carries a probe, the probe, and its flow.
    fn read_frame(
        &self,
        router: usize,
        port: base::PortId,
        frame: &[u8],
    ) -> Option<(Vec<Label>, u64, Flow)> {
        let index = usize::try_from(port.0).ok()?;
        let medium = self.engine.config(router)?.ports.get(index)?.medium;
        let (kind, payload) = match medium {
            Medium::Ethernet => match ethernet::Header::decode(frame).ok()? {
                (ethernet::Header { kind: ethernet::Kind::Type(kind), .. }, payload) => {
                    (kind, payload)
                }
                _ => return None,
            },
            Medium::Secure => {
                let (header, payload) = gre::Header::decode(frame).ok()?;
                (header.protocol, payload)
            }
        };
        let (stack, packet) = if kind == ethernet::TYPE_MPLS {
            mpls::decode_stack(payload).ok()?
        } else {
            (Vec::new(), payload)
        };
        let labels = stack.iter().map(|entry| entry.label).collect();
        ip::Packet::decode(packet).ok()?;
        Some((labels, probe::number(packet)?, probe::read(packet)?.0))
    }

    /// Packets dropped so far, by router and reason.
    fn drops(&self) -> BTreeMap<(usize, String), u64> {
        let routers = self.engine.routers();
        routers
            .flat_map(|(number, router)| {
                router.drops().map(move |(reason, count)| ((number, reason), count))
            })
            .collect()
    }

    /// What the routers that met the packet have dropped since.
    fn drops_since(
        &self,
        before: &BTreeMap<(usize, String), u64>,
        met: &BTreeSet<usize>,
    ) -> Vec<Dropped> {
        self.drops()
            .into_iter()
            .filter(|((router, _), _)| met.contains(router))
            .filter(|(key, count)| before.get(key).copied().unwrap_or(0) < *count)
            .map(|((router, reason), _)| Dropped {
                router: self.engine.config(router).map_or_else(String::new, |c| c.name.clone()),
                reason,
            })
            .collect()
    }
}
