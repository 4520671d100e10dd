//! The router's own probes: echo requests, and what comes back of each.
//!
//! A probe leaves from the address that the router has where it is sent: the gateway's in a VRF, the
//! loopback's in the region's own table, this end's towards the far end of one of its own links. It
//! ends with one [`Outcome`]: the echo, an error of a router or host on the way, or nothing in time.
//! Only what matches an outstanding probe is taken for its answer: realm, both addresses, and the
//! identifier, which is random for each, with the sequence number, in the echo or in what an error
//! quotes.
//!
//! The labels of customers' packets hide the core from them. A probe has a time to live for its
//! labels besides its own: where that ends, the core router answers, by way of the far end, with the
//! labels that it saw.
//!
//! Standards: RFC 792 and RFC 4443 §4 (echo), RFC 3443 §3.1 (labels that take over a time to live,
//! for probes alone), RFC 4950 (the labels that an error names).
//! Not implemented: probes of label-switched paths (RFC 8029), probes by UDP or TCP, reassembly of
//! answers.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeMap;

use base::{Deadline, Duration, Instant, PortId, Rng, VrfId};
use forwarding::Verdict;
use model::config::PortKind;
use packet::icmp::{self, Cause, Echo, Extension, Message, Report};
use packet::{PacketBuf, ip};

use crate::timers::Timer;
use crate::{Router, translate};

pub use forwarding::DropReason;
pub use packet::icmp::Unreachable;
pub use packet::mpls::LabelEntry;

/// How long an answer may take: much longer than any way through a region.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// Probes whose outcome was not taken yet: some people at once, each with a ping or a trace.
pub const OUTSTANDING_MAX: usize = 64;
/// The longest payload: what fits the longest packets that links carry (jumbo frames of 9000
/// octets).
pub const PAYLOAD_LEN_MAX: u16 = 8900;

/// A probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Where it is sent.
    pub realm: Realm,
    /// To whom.
    pub destination: IpAddr,
    /// Its own time to live, which routers at both ends of the core take from.
    pub ttl: u8,
    /// The time to live of its labels, which core routers take from; 255 as for customers' packets.
    pub label_ttl: u8,
    /// How many octets it carries.
    pub payload_len: u16,
}

/// Where a probe is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realm {
    /// Between the region's routers.
    Global,
    /// In the VRF at this place of the configuration.
    Vrf(VrfId),
}

impl Realm {
    const fn vrf(self) -> Option<VrfId> {
        match self {
            Self::Global => None,
            Self::Vrf(vrf) => Some(vrf),
        }
    }
}

/// A probe that was started, one number for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeId(u64);

/// Why a probe is not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeError {
    /// The VRF does not exist.
    UnknownVrf,
    /// The router has no address of the destination's family there.
    NoAddress,
    /// The destination is a group, or nobody.
    NotOneHost,
    /// A time to live is zero.
    NoTimeToLive,
    /// The payload is longer than [`PAYLOAD_LEN_MAX`].
    TooLong,
    /// [`OUTSTANDING_MAX`] are not answered or not taken yet.
    TooMany,
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownVrf => "the vrf does not exist",
            Self::NoAddress => "the router has no address of that family there",
            Self::NotOneHost => "the destination is not one host",
            Self::NoTimeToLive => "a time to live of zero leads nowhere",
            Self::TooLong => "the payload is too long",
            Self::TooMany => "too many probes are under way",
        })
    }
}

impl core::error::Error for ProbeError {}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub from: IpAddr,
    /// When it came.
    pub at: Instant,
    /// How long after the probe.
    pub rtt: Duration,
}

/// What became of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination sent the echo.
    Reply(Heard),
    /// A time to live ended on the way; the labels that the probe had there, outermost first.
    Expired(Heard, Vec<LabelEntry>),
    /// Somebody on the way could not deliver it.
    Unreachable(Heard, Unreachable),
    /// It was too long for a link on the way, which carries this much.
    TooBig(Heard, u32),
    /// Nothing came in time.
    TimedOut,
    /// The router did not send it.
    NotSent(DropReason),
}

/// A probe that waits for its answer.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    realm: Realm,
    source: IpAddr,
    destination: IpAddr,
    identifier: u16,
    sequence: u16,
    sent: Instant,
}

/// All probes of a router.
#[derive(Debug)]
pub(crate) struct Probes {
    rng: Rng,
    started: u64,
    /// In the order in which they were sent.
    outstanding: BTreeMap<ProbeId, Outstanding>,
    finished: Vec<(ProbeId, Outcome)>,
}

impl Probes {
    pub(crate) const fn new(rng: Rng) -> Self {
        Self { rng, started: 0, outstanding: BTreeMap::new(), finished: Vec::new() }
    }

    /// When the first one is given up.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let first = self.outstanding.values().next()?;
        Some(Deadline { at: first.sent + TIMEOUT, why: "a probe is not answered" })
    }

    /// Gives up those whose answer is late.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(first) = self.outstanding.first_entry()
            && first.get().sent + TIMEOUT <= now
        {
            self.finished.push((first.remove_entry().0, Outcome::TimedOut));
        }
    }

    fn is_full(&self) -> bool {
        self.outstanding.len() + self.finished.len() >= OUTSTANDING_MAX
    }

    /// The probe that an ICMP message from `from` to `to` answers, and what became of it.
    fn answered(
        &self,
        now: Instant,
        vrf: Option<VrfId>,
        (from, to): (IpAddr, IpAddr),
        message: Message,
    ) -> Option<(ProbeId, Outcome)> {
        let (about, report) = match message {
            Message::EchoRequest(_) => return None,
            Message::EchoReply(Echo { identifier, sequence, .. }) => {
                ((to, from, identifier, sequence), None)
            }
            Message::Error(report) => (asked(&report.quoted)?, Some(report)),
        };
        let (&id, probe) = self.outstanding.iter().find(|(_, one)| {
            (one.source, one.destination, one.identifier, one.sequence) == about
                && (one.realm.vrf(), one.source) == (vrf, to)
        })?;
        let heard = Heard { from, at: now, rtt: now.since(probe.sent) };
        Some((id, outcome(heard, report)))
    }
}

/// The addresses, identifier and sequence number of the echo request that an error quotes.
fn asked(quoted: &[u8]) -> Option<(IpAddr, IpAddr, u16, u16)> {
    let about = ip::Packet::decode_quoted(quoted).ok()?;
    let (protocol, request) = kinds(about.source);
    let [kind, _, _, _, a, b, c, d] = *about.payload(quoted).first_chunk()?;
    let (identifier, sequence) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    (about.protocol == protocol && kind == request).then_some((
        about.source,
        about.destination,
        identifier,
        sequence,
    ))
}

/// The protocol of ICMP and the type of an echo request, in the version of an address.
const fn kinds(address: IpAddr) -> (u8, u8) {
    match address {
        IpAddr::V4(_) => (icmp::PROTOCOL_V4, 8),
        IpAddr::V6(_) => (icmp::PROTOCOL_V6, 128),
    }
}

fn outcome(heard: Heard, report: Option<Report>) -> Outcome {
    let Some(Report { cause, extensions, .. }) = report else { return Outcome::Reply(heard) };
    match cause {
        Cause::Unreachable(why) => Outcome::Unreachable(heard, why),
        Cause::PacketTooBig { mtu } => Outcome::TooBig(heard, mtu),
        Cause::TimeExceeded { .. } => {
            let stack = extensions.into_iter().find_map(|extension| match extension {
                Extension::LabelStack(stack) => Some(stack),
                Extension::Other { .. } => None,
            });
            Outcome::Expired(heard, stack.unwrap_or_default())
        }
    }
}

impl Router {
    /// Sends an echo request. What becomes of it is told by [`Router::take_probes`], at the latest
    /// [`TIMEOUT`] later.
    ///
    /// # Errors
    /// Why none can be sent.
    pub fn start_probe(&mut self, now: Instant, probe: Probe) -> Result<ProbeId, ProbeError> {
        let Probe { realm, destination, ttl, label_ttl, payload_len } = probe;
        if ttl == 0 || label_ttl == 0 {
            return Err(ProbeError::NoTimeToLive);
        }
        if payload_len > PAYLOAD_LEN_MAX {
            return Err(ProbeError::TooLong);
        }
        if self.probes.is_full() {
            return Err(ProbeError::TooMany);
        }
        let realm = self.numbered(realm)?;
        let (source, link) = self.probe_source(realm, destination)?;
        let id = ProbeId(self.probes.started);
        self.probes.started += 1;
        let low = |number: u64| u16::try_from(number & 0xffff).unwrap_or(0);
        let (identifier, sequence) = (low(self.probes.rng.next_u64()), low(id.0));
        let data = vec![0x55; usize::from(payload_len)];
        let request = Message::EchoRequest(Echo { identifier, sequence, data });
        let ends = (source, destination);
        let request = request.encode(source, destination);
        let packet = ip::encode(ends, kinds(source).0, (0, ttl), &request);
        let packet = PacketBuf::from_slice(&packet.ok_or(ProbeError::TooLong)?);
        let (tables, out) = (&self.install.tables, &mut self.verdicts);
        match link {
            Some(port) => {
                self.lane.originate_port(now, tables, (port, destination), packet, out);
            }
            None => {
                let realm = (realm.vrf(), label_ttl);
                self.lane.originate_probe(now, tables, realm, packet, out);
            }
        }
        match dropped(&self.verdicts) {
            Some(reason) => self.probes.finished.push((id, Outcome::NotSent(reason))),
            None => {
                let sent = now;
                let waiting =
                    Outstanding { realm, source, destination, identifier, sequence, sent };
                self.probes.outstanding.insert(id, waiting);
            }
        }
        self.act_on_verdicts(now);
        self.arm(Timer::Probes);
        Ok(id)
    }

    /// The probes that have ended since this was last asked, and what became of each.
    pub fn take_probes(&mut self) -> Vec<(ProbeId, Outcome)> {
        core::mem::take(&mut self.probes.finished)
    }

    /// The address that a probe is sent from.
    ///
    /// # Errors
    /// Why none can be sent.
    pub fn probe_address(&self, realm: Realm, destination: IpAddr) -> Result<IpAddr, ProbeError> {
        self.probe_source(self.numbered(realm)?, destination).map(|(source, _)| source)
    }

    /// The realm as the tables know it.
    fn numbered(&self, realm: Realm) -> Result<Realm, ProbeError> {
        match realm {
            Realm::Global => Ok(realm),
            Realm::Vrf(place) => {
                let number = self.numbers.vrf_at(place);
                number.map(Realm::Vrf).ok_or(ProbeError::UnknownVrf)
            }
        }
    }

    /// The same, and the link that a probe to its far end takes whatever routes there are.
    fn probe_source(
        &self,
        realm: Realm,
        destination: IpAddr,
    ) -> Result<(IpAddr, Option<PortId>), ProbeError> {
        let broadcast = IpAddr::V4(Ipv4Addr::BROADCAST);
        if destination.is_multicast() || destination.is_unspecified() || destination == broadcast {
            return Err(ProbeError::NotOneHost);
        }
        let v6 = destination.is_ipv6();
        if let Realm::Vrf(vrf) = realm {
            let vrf = self.tables().vrf(vrf).ok_or(ProbeError::UnknownVrf)?;
            return vrf.gateway(v6).map(|own| (own, None)).ok_or(ProbeError::NoAddress);
        }
        let mut links = self.config.ports().filter_map(|(id, port)| {
            let peer = translate::port_peer(port).map(IpAddr::V4);
            let own = translate::port_v4(port).filter(|_| peer == Some(destination))?;
            Some((IpAddr::V4(own), Some(id)))
        });
        let uplink = || {
            let is_uplink = |kind: &PortKind| matches!(kind, PortKind::Uplink { .. });
            let mut uplinks = self.config.ports.iter().filter(|port| is_uplink(&port.kind));
            uplinks.find_map(|port| {
                if v6 {
                    translate::port_v6(port).map(IpAddr::V6)
                } else {
                    translate::port_v4(port).map(IpAddr::V4)
                }
            })
        };
        let own = || {
            // Without a loopback the uplink is all that the region knows of the router.
            let loopback = self.tables().loopback(v6);
            if self.config.loopback.is_some() { loopback } else { uplink() }
        };
        links.next().or_else(|| Some((own()?, None))).ok_or(ProbeError::NoAddress)
    }

    /// Takes a packet for an answer to a probe; false where it is none.
    pub(crate) fn handle_probe_answer(
        &mut self,
        now: Instant,
        vrf: Option<VrfId>,
        header: &ip::Packet,
        packet: &[u8],
    ) -> bool {
        let ends = (header.source, header.destination);
        let is_icmp = header.protocol == kinds(header.source).0;
        if !is_icmp || header.fragment != ip::Fragment::Whole {
            return false;
        }
        let Ok(message) = Message::decode(ends.0, ends.1, header.payload(packet)) else {
            return false;
        };
        let Some((id, outcome)) = self.probes.answered(now, vrf, ends, message) else {
            return false;
        };
        self.probes.outstanding.remove(&id);
        self.probes.finished.push((id, outcome));
        self.arm(Timer::Probes);
        true
    }
}

/// Why what the router just sent itself did not leave, where it did not.
fn dropped(verdicts: &[Verdict]) -> Option<DropReason> {
    verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Drop { reason, .. } => Some(*reason),
        Verdict::Transmit { .. } | Verdict::Punt { .. } | Verdict::Resolve { .. } => None,
    })
}
