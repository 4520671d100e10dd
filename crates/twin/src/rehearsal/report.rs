//! What a rehearsal showed.

use core::fmt;
use std::collections::BTreeMap;

use base::{Duration, Instant};

use super::Rehearsal;
use super::streams::Stream;
use crate::checker::isolation;
use crate::probe::Flow;

/// How many interruptions and broken promises are described; all are counted.
const DESCRIBED_MAX: usize = 100;
/// How long a packet is on its way at most: far less than from one ring to the next.
const ON_ITS_WAY: Duration = Duration::from_millis(100);

/// A ring that was rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingReport {
    /// What it was for.
    pub stage: String,
    /// Its routers.
    pub routers: Vec<String>,
    /// When they got their configurations.
    pub at: Instant,
    /// How long until everything was up and nothing moved any more; none: it never came to that.
    pub converged: Option<Duration>,
}

/// What became of the packets of a virtual network's sites that both plans promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The virtual network.
    pub name: String,
    /// Whether it gains or loses a LAN, an application, a right, or an uplink by the change.
    pub concerned: bool,
    /// Pairs with traffic.
    pub pairs: u64,
    /// Pairs that lost a packet.
    pub pairs_interrupted: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets lost.
    pub lost: u64,
    /// The longest interruption of any pair: from the first packet lost to the next that arrived.
    pub longest: Duration,
    /// The most that the interruptions of one pair come to.
    pub total: Duration,
}

/// A pair that lost packets that both plans promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// Site and virtual network that it was sent from.
    pub from: (String, String),
    /// Site and virtual network that it was sent to.
    pub to: (String, String),
    /// The application that was asked.
    pub application: Option<String>,
    /// The packets.
    pub flow: Flow,
    /// How many were lost.
    pub lost: u64,
    /// When the first was sent.
    pub first: Instant,
    /// The ring that it came after, counted from 1; 0: before the first.
    pub ring: usize,
    /// The longest interruption.
    pub longest: Duration,
    /// All of them together.
    pub total: Duration,
    /// Whether it lasted to the end.
    pub lasting: bool,
}

/// How many pairs there were, and how many did in the end what they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Promised {
    /// Pairs with probes in the end.
    pub tested: u64,
    /// Those that did what they should.
    pub held: u64,
}

/// A packet that came out where neither plan lets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// When.
    pub at: Instant,
    /// The ring that it came after, counted from 1; 0: before the first.
    pub ring: usize,
    /// Site and virtual network that it was sent from; none where no host had sent it.
    pub from: Option<(String, String)>,
    /// Site and virtual network that it came out at.
    pub to: (String, String),
    /// The packet.
    pub flow: Flow,
}

/// What a rehearsal showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The rings, in their order.
    pub rings: Vec<RingReport>,
    /// Every virtual network with traffic that both plans promise, by name.
    pub networks: Vec<Network>,
    /// The first pairs that lost packets, the longest interruption first.
    pub interruptions: Vec<Interruption>,
    /// How many there were.
    pub interruptions_total: usize,
    /// Pairs that both plans promise, and that arrive in the end.
    pub kept: Promised,
    /// Pairs that the new plan gives, and that arrive in the end.
    pub gained: Promised,
    /// Pairs that the new plan takes, and that do not arrive in the end.
    pub withdrawn: Promised,
    /// Pairs that neither plan allows, and that never arrived.
    pub forbidden: Promised,
    /// The last moment that a packet arrived which only the old plan allows.
    pub withdrawn_until: Option<Instant>,
    /// The first promises that do not hold in the end, in words.
    pub broken: Vec<String>,
    /// The first packets that came out where they must not.
    pub breaches: Vec<Breach>,
    /// How many there were.
    pub breaches_total: u64,
    /// Labels that ended where they should not, and rings that did not converge, in words.
    pub problems: Vec<String>,
    /// Packets sent.
    pub packets: u64,
    /// Between two probes of one pair, just after a ring and otherwise: shorter interruptions can
    /// be missed.
    pub periods: [Duration; 2],
    /// When the first ring was rolled out, and when the network was at rest after the last one.
    pub span: (Instant, Instant),
    /// The hash of everything that happened.
    pub trace_hash: u64,
    /// How much happened.
    pub events: u64,
}

impl Report {
    /// Packets lost that both plans promise.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.networks.iter().map(|network| network.lost).sum()
    }

    /// Whether nobody was interrupted, nothing came out where it must not, and the new plan holds
    /// in the end.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.lost() == 0 && self.holds()
    }

    /// Whether nothing came out where it must not, and the new plan holds in the end, whatever was
    /// lost on the way.
    #[must_use]
    pub fn holds(&self) -> bool {
        let all = [self.kept, self.gained, self.withdrawn, self.forbidden];
        all.iter().all(|promised| promised.tested == promised.held)
            && self.breaches_total == 0
            && self.problems.is_empty()
    }
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, application, flow, lost, longest, .. } = self;
        write!(f, "{} in {} to ", from.0, from.1)?;
        match application {
            Some(application) => write!(f, "{application} at {}", to.0)?,
            None => write!(f, "{}", to.0)?,
        }
        let family = if flow.source.is_ipv6() { "IPv6" } else { "IPv4" };
        write!(f, " ({family}): {lost} lost, for up to {longest:?} at a time")
    }
}

/// What the streams of a rehearsal that has ended say; `end` is when the last probes began.
pub(crate) fn report(rehearsal: &Rehearsal, end: Instant) -> Report {
    let twin = &rehearsal.twin;
    let rings = &rehearsal.told;
    let mut judged = Judged {
        rehearsal,
        end,
        networks: BTreeMap::new(),
        interruptions: Vec::new(),
        ends: [Promised::default(); 4],
        broken: Vec::new(),
        withdrawn_until: None,
    };
    for stream in &rehearsal.streams {
        judged.judge(stream);
    }
    let Judged { networks, mut interruptions, ends, broken, withdrawn_until, .. } = judged;
    interruptions.sort_by(|a, b| (b.longest, b.lost, a.first).cmp(&(a.longest, a.lost, b.first)));
    let interruptions_total = interruptions.len();
    interruptions.truncate(DESCRIBED_MAX);
    let [forbidden, withdrawn, gained, kept] = ends;
    Report {
        networks: networks.into_values().collect(),
        interruptions,
        interruptions_total,
        kept,
        gained,
        withdrawn,
        forbidden,
        withdrawn_until,
        broken,
        breaches: twin.breaches().iter().map(|one| breach(rehearsal, one)).collect(),
        breaches_total: twin.breach_count(),
        problems: rehearsal.labels.clone(),
        packets: rehearsal.streams.iter().map(|stream| stream.sent).sum(),
        periods: rehearsal.periods,
        span: (rings.first().map_or(end, |ring| ring.at), end),
        trace_hash: twin.trace_hash(),
        events: twin.events(),
        rings: rings.clone(),
    }
}

fn place(rehearsal: &Rehearsal, lan: usize) -> (String, String) {
    let lan = rehearsal.union.plan().attachments.get(lan);
    lan.map_or_else(Default::default, |lan| (lan.site.clone(), lan.virtual_network.clone()))
}

/// The last ring of before a moment, counted from 1.
fn ring_of(rehearsal: &Rehearsal, at: Instant) -> usize {
    rehearsal.told.iter().filter(|ring| ring.at <= at).count()
}

fn breach(rehearsal: &Rehearsal, one: &isolation::Breach) -> Breach {
    Breach {
        at: one.at,
        ring: ring_of(rehearsal, one.at),
        from: one.from.map(|lan| place(rehearsal, lan)),
        to: place(rehearsal, one.to),
        flow: one.flow,
    }
}

struct Judged<'a> {
    rehearsal: &'a Rehearsal,
    end: Instant,
    networks: BTreeMap<String, Network>,
    interruptions: Vec<Interruption>,
    /// Of what neither plan promises, the old one, the new one, both.
    ends: [Promised; 4],
    broken: Vec<String>,
    withdrawn_until: Option<Instant>,
}

impl Judged<'_> {
    fn judge(&mut self, stream: &Stream) {
        let [old, new] = stream.promised;
        if old && new {
            self.count(stream);
        }
        if old && !new {
            self.withdrawn_until = self.withdrawn_until.max(stream.last_arrived);
        }
        let arrives = stream.last_arrived.is_some_and(|at| at >= self.end);
        let silent = stream.silent_since.is_some();
        let held = match (old, new) {
            (_, true) => arrives && !silent,
            (true, false) => !arrives,
            (false, false) => stream.last_arrived.is_none(),
        };
        let index = usize::from(old) + 2 * usize::from(new);
        if let Some(promised) = self.ends.get_mut(index) {
            promised.tested += 1;
            promised.held += u64::from(held);
        }
        if !held && self.broken.len() < DESCRIBED_MAX {
            let what = match (old, new) {
                (true, true) => "no longer arrives",
                (false, true) => "is promised by the new plan and does not arrive",
                (true, false) => "still arrives and is no longer promised",
                (false, false) => "arrived and must not",
            };
            self.broken.push(self.describe(stream, what));
        }
    }

    fn describe(&self, stream: &Stream, what: &str) -> String {
        let lan = |lan| {
            let (site, network) = place(self.rehearsal, lan);
            format!("{site} in {network}")
        };
        let Flow { source, destination, protocol, destination_port, .. } = stream.flow;
        let (from, to) = (lan(stream.from), lan(stream.to));
        format!(
            "{from} to {to}: {source} to {destination}, protocol {protocol}, port \
             {destination_port} {what}"
        )
    }

    fn count(&mut self, stream: &Stream) {
        let from = place(self.rehearsal, stream.from);
        let silent = stream.silent_since.zip(stream.last_sent).map(|(since, last)| last - since);
        let silent = silent.map(|silent| silent + self.rehearsal.periods[1]);
        let longest = stream.longest.max(silent.unwrap_or_default());
        let total = stream.total + silent.unwrap_or_default();
        let name = from.1.clone();
        let network = self.networks.entry(name.clone()).or_insert_with(|| Network {
            concerned: self.rehearsal.union.is_concerned(&name),
            name,
            pairs: 0,
            pairs_interrupted: 0,
            sent: 0,
            lost: 0,
            longest: Duration::ZERO,
            total: Duration::ZERO,
        });
        network.pairs += 1;
        network.pairs_interrupted += u64::from(stream.lost > 0);
        network.sent += stream.sent;
        network.lost += stream.lost;
        network.longest = network.longest.max(longest);
        network.total = network.total.max(total);
        if let Some(first) = stream.first_lost {
            self.interruptions.push(Interruption {
                from,
                to: place(self.rehearsal, stream.to),
                application: stream.application.clone(),
                flow: stream.flow,
                lost: stream.lost,
                first,
                // It was on its way when the ring came.
                ring: ring_of(self.rehearsal, first + ON_ITS_WAY),
                longest,
                total,
                lasting: silent.is_some(),
            });
        }
    }
}
