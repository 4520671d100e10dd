//! What came back of probes: data for programs and text for people, as a router knows it and as a
//! lab, which knows the names, tells it.

use core::net::IpAddr;

use base::Duration;
use router::probes::{Heard, LabelEntry, Outcome, Unreachable};
use serde::{Deserialize, Serialize};

use crate::screen::{Align, Table, milliseconds};

/// From where to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// The router that sends, or its site.
    pub(crate) from: String,
    /// Who was meant, where that is known by a name.
    pub(crate) to: Option<String>,
    pub(crate) application: Option<String>,
    /// The virtual network of the sender; none in the region's own table.
    pub(crate) network: Option<String>,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// Why no promise lets the packets pass, where that is known.
    pub(crate) refusal: Option<String>,
}

impl Way {
    /// From where to where, in words.
    pub(crate) fn words(&self) -> String {
        let Self { from, source, destination, network, .. } = self;
        let network =
            network.as_ref().map_or_else(|| "the region".to_owned(), |name| format!("`{name}`"));
        format!("{from} {source} to {destination}, icmp echo, in {network}")
    }

    /// Why there was no answer, as far as that is known.
    fn why(&self) -> String {
        self.refusal.as_ref().map_or_else(String::new, |refusal| format!("{refusal}\n"))
    }
}

/// What came back of a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinged {
    #[serde(flatten)]
    pub(crate) way: Way,
    sent: usize,
    answered: usize,
    packets: Vec<Packet>,
}

/// What became of one packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Packet {
    answered: bool,
    /// Who sent what came back.
    by: Option<IpAddr>,
    round_trip_us: Option<u64>,
    /// In words.
    outcome: String,
}

impl Pinged {
    pub(crate) fn new(way: Way, outcomes: &[Outcome]) -> Self {
        let packets: Vec<Packet> = outcomes.iter().map(packet).collect();
        let answered = packets.iter().filter(|packet| packet.answered).count();
        Self { way, sent: packets.len(), answered, packets }
    }

    pub(crate) const fn is_good(&self) -> bool {
        self.answered > 0
    }

    /// For people, under a line that says from where to where.
    pub(crate) fn text(&self, words: &str) -> String {
        let mut text = format!("{words}\n");
        for (number, packet) in (1..).zip(&self.packets) {
            text.push_str(&format!("{number:>3}  {}\n", packet.outcome));
        }
        text.push_str(&format!("{} of {} answered\n", self.answered, self.sent));
        if self.answered == 0 {
            text.push_str(&self.way.why());
        }
        text
    }
}

fn packet(outcome: &Outcome) -> Packet {
    let heard = heard(outcome);
    Packet {
        answered: matches!(outcome, Outcome::Reply(_)),
        by: heard.map(|heard| heard.from),
        round_trip_us: heard.map(|heard| micros(heard.rtt)),
        outcome: in_words(outcome),
    }
}

/// What came back of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traced {
    #[serde(flatten)]
    pub(crate) way: Way,
    pub(crate) hops: Vec<Hop>,
    answered: bool,
    round_trip_us: Option<u64>,
    /// How it ended, in words.
    outcome: String,
}

/// Somebody on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hop {
    /// None where nobody answered.
    pub(crate) address: Option<IpAddr>,
    /// Who has that address, where that is known.
    pub(crate) name: Option<String>,
    round_trip_us: Option<u64>,
    /// The labels that the packet came with, outermost first.
    labels: Vec<QuotedLabel>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct QuotedLabel {
    label: u32,
    ttl: u8,
}

impl Hop {
    const SILENT: Self =
        Self { address: None, name: None, round_trip_us: None, labels: Vec::new() };

    fn new(heard: &Heard, stack: &[LabelEntry]) -> Self {
        let quoted =
            |entry: &LabelEntry| QuotedLabel { label: entry.label.value(), ttl: entry.ttl };
        Self {
            address: Some(heard.from),
            name: None,
            round_trip_us: Some(micros(heard.rtt)),
            labels: stack.iter().map(quoted).collect(),
        }
    }
}

/// Whether whoever is further away is not asked any more.
pub(crate) const fn is_end(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Reply(_)
        | Outcome::Unreachable(..)
        | Outcome::TooBig(..)
        | Outcome::NotSent(_) => true,
        Outcome::Expired(..) | Outcome::TimedOut => false,
    }
}

impl Traced {
    /// Joins what is seen as the time to live of the labels grows, which is whoever looks at them,
    /// with what is seen as the packet's own does: whoever looks at that.
    pub(crate) fn new(way: Way, by_labels: &[Outcome], by_packet: &[Outcome]) -> Self {
        let mut hops: Vec<Hop> = Vec::new();
        for outcome in by_labels {
            match outcome {
                Outcome::Expired(heard, stack) => hops.push(Hop::new(heard, stack)),
                Outcome::TimedOut => hops.push(Hop::SILENT),
                Outcome::Reply(_)
                | Outcome::Unreachable(..)
                | Outcome::TooBig(..)
                | Outcome::NotSent(_) => {}
            }
        }
        if !by_labels.iter().any(is_end) {
            let seen = hops.iter().rposition(|hop| hop.address.is_some());
            hops.truncate(seen.map_or(0, |last| last + 1));
        }
        for outcome in by_packet {
            if let Outcome::Expired(heard, stack) = outcome
                && !hops.iter().any(|hop| hop.address == Some(heard.from))
            {
                hops.push(Hop::new(heard, stack));
            }
        }
        let end = by_packet.iter().chain(by_labels).find(|outcome| is_end(outcome));
        let end = end.unwrap_or(&Outcome::TimedOut);
        if let Some(heard) = heard(end) {
            match hops.last_mut().filter(|last| last.address == Some(heard.from)) {
                Some(last) => last.round_trip_us = Some(micros(heard.rtt)),
                None => hops.push(Hop::new(heard, &[])),
            }
        }
        Self {
            way,
            hops,
            answered: matches!(end, Outcome::Reply(_)),
            round_trip_us: heard(end).map(|heard| micros(heard.rtt)),
            outcome: in_words(end),
        }
    }

    pub(crate) const fn is_good(&self) -> bool {
        self.answered
    }

    /// For people, under a line that says from where to where.
    pub(crate) fn text(&self, words: &str) -> String {
        let columns = [
            ("hop", Align::Right),
            ("who", Align::Left),
            ("address", Align::Left),
            ("round trip", Align::Right),
            ("labels it came with, outermost first", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for (number, hop) in (1..).zip(&self.hops) {
            let labels = hop.labels.iter().map(|one| format!("{} (ttl {})", one.label, one.ttl));
            let address = hop.address.map(|address| address.to_string());
            table.row([
                u64::to_string(&number),
                hop.name.clone().unwrap_or_default(),
                address.unwrap_or_else(|| "no answer".to_owned()),
                hop.round_trip_us.map_or_else(String::new, milliseconds),
                labels.collect::<Vec<_>>().join(" "),
            ]);
        }
        let table = if table.is_empty() { String::new() } else { table.text() };
        let why = if self.answered { String::new() } else { self.way.why() };
        format!("{words}\n{table}{}\n{why}", self.outcome)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

const fn heard(outcome: &Outcome) -> Option<&Heard> {
    match outcome {
        Outcome::Reply(heard)
        | Outcome::Expired(heard, _)
        | Outcome::Unreachable(heard, _)
        | Outcome::TooBig(heard, _) => Some(heard),
        Outcome::TimedOut | Outcome::NotSent(_) => None,
    }
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reply(heard) => format!("answered in {}", milliseconds(micros(heard.rtt))),
        Outcome::Expired(Heard { from, .. }, _) => format!("time to live ran out at {from}"),
        Outcome::Unreachable(Heard { from, .. }, why) => match why {
            Unreachable::NoRoute => format!("not delivered: {from} has no route"),
            Unreachable::Host => format!("not delivered: {from} has no answer from the host"),
            Unreachable::Port => format!("not delivered: nothing listens at {from}"),
            Unreachable::Prohibited => format!("not delivered: {from} forbids it"),
            Unreachable::Other(code) => format!("not delivered: {from} says code {code}"),
        },
        Outcome::TooBig(Heard { from, .. }, mtu) => {
            format!("not delivered: beyond {from} a link carries {mtu} octets at most")
        }
        Outcome::TimedOut => "not answered".to_owned(),
        Outcome::NotSent(reason) => format!("not sent: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Pinged, Traced, Way};
    use base::{Duration, Instant};
    use router::probes::{DropReason, Heard, LabelEntry, Outcome, Unreachable};
    use std::net::IpAddr;

    fn heard(last: u8) -> Heard {
        let from = IpAddr::from([10, 0, 0, last]);
        Heard { from, at: Instant::ZERO, rtt: Duration::from_micros(u64::from(last) * 100) }
    }

    fn expired(last: u8) -> Outcome {
        Outcome::Expired(heard(last), vec![LabelEntry::from_word((24_000 << 12) | 1)])
    }

    fn way() -> Way {
        Way {
            from: "site-g1".to_owned(),
            to: None,
            application: None,
            network: Some("practices".to_owned()),
            source: IpAddr::from([10, 2, 0, 1]),
            destination: IpAddr::from([10, 0, 0, 9]),
            refusal: Some("no community".to_owned()),
        }
    }

    /// Who is listed: the last octet of the address, zero for nobody.
    fn listed(by_labels: &[Outcome], by_packet: &[Outcome]) -> Vec<u8> {
        let traced = Traced::new(way(), by_labels, by_packet);
        let last = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(_) => 255,
        };
        traced.hops.iter().map(|hop| hop.address.map_or(0, last)).collect()
    }

    #[test]
    fn what_two_walks_saw_is_one_way() {
        let (reply, silent) = (Outcome::Reply(heard(9)), Outcome::TimedOut);
        let refused = Outcome::Unreachable(heard(8), Unreachable::Host);
        let not_sent = Outcome::NotSent(DropReason::NoRoute);
        let (reply, silent) = (|| reply.clone(), || silent.clone());
        let cases = [
            // The far router shows itself in both walks.
            (vec![expired(1), expired(8), reply()], vec![expired(8), reply()], vec![1, 8, 9]),
            // Only the packet's own time to live ends there.
            (vec![expired(1), reply()], vec![expired(8), reply()], vec![1, 8, 9]),
            // It is the destination itself.
            (vec![expired(1), expired(9), reply()], vec![reply()], vec![1, 9]),
            (vec![silent(), expired(2), reply()], vec![reply()], vec![0, 2, 9]),
            (vec![expired(1), silent(), silent()], vec![silent()], vec![1]),
            (vec![silent(), silent()], vec![expired(8), refused], vec![8]),
            (vec![silent()], vec![silent()], vec![]),
            (vec![not_sent.clone()], vec![not_sent], vec![]),
        ];
        for (by_labels, by_packet, expected) in cases {
            assert_eq!(listed(&by_labels, &by_packet), expected, "{by_labels:?} {by_packet:?}");
        }
    }

    #[test]
    fn a_trace_is_told_hop_by_hop_and_says_how_it_ended() {
        let reply = Outcome::Reply(heard(9));
        let traced = Traced::new(way(), &[expired(1), reply.clone()], &[reply]);
        assert!(traced.is_good());
        let expected = "\
from here to there
hop  who  address   round trip  labels it came with, outermost first
  1       10.0.0.1    0.100 ms  24000 (ttl 1)
  2       10.0.0.9    0.900 ms
answered in 0.900 ms
";
        assert_eq!(traced.text("from here to there"), expected);
        let nowhere = [Outcome::NotSent(DropReason::NoRoute)];
        let traced = Traced::new(way(), &nowhere, &nowhere);
        assert!(!traced.is_good());
        let words = way().words();
        assert_eq!(words, "site-g1 10.2.0.1 to 10.0.0.9, icmp echo, in `practices`");
        let expected = format!("{words}\nnot sent: no route to the destination\nno community\n");
        assert_eq!(traced.text(&words), expected);
    }

    #[test]
    fn a_ping_is_good_where_anything_was_answered() {
        let (reply, silent) = (Outcome::Reply(heard(9)), Outcome::TimedOut);
        let pinged = Pinged::new(way(), &[silent.clone(), reply]);
        assert!(pinged.is_good());
        let expected = "x\n  1  not answered\n  2  answered in 0.900 ms\n1 of 2 answered\n";
        assert_eq!(pinged.text("x"), expected);
        let pinged = Pinged::new(way(), &[silent]);
        assert!(!pinged.is_good());
        let expected = "x\n  1  not answered\n0 of 1 answered\nno community\n";
        assert_eq!(pinged.text("x"), expected);
    }

    #[test]
    fn what_is_told_to_programs_is_read_again() {
        let reply = Outcome::Reply(heard(9));
        let pinged = Pinged::new(way(), &[reply.clone(), Outcome::TimedOut]);
        let text = serde_json::to_string(&pinged).unwrap();
        assert_eq!(serde_json::from_str::<Pinged>(&text).unwrap(), pinged);
        let traced = Traced::new(way(), &[expired(1), reply.clone()], &[reply]);
        let text = serde_json::to_string(&traced).unwrap();
        assert_eq!(serde_json::from_str::<Traced>(&text).unwrap(), traced);
    }
}
