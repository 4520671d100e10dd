//! `weald ping`: packets and their round-trip times, or why there is no answer.

use base::Duration;
use serde::Serialize;
use twin::trace::{Dropped, Trace};

use crate::control::request::{self, COUNT_MAX};
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::Network;
use crate::network::explain;
use crate::network::probe::Aim;
use crate::screen::milliseconds;

/// Between two packets of one request.
const INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Serialize)]
struct Ping {
    from: String,
    to: String,
    application: Option<String>,
    /// The virtual network of the sender.
    network: String,
    source: String,
    destination: String,
    sent: usize,
    answered: usize,
    packets: Vec<Packet>,
    /// Why no promise lets the packets pass; none where one does.
    refusal: Option<String>,
    /// Which of the two sites is cut off, and how.
    disconnected: Vec<String>,
}

/// What became of one packet.
#[derive(Debug, Serialize)]
pub(crate) struct Packet {
    /// Whether it came out where it was meant to.
    delivered: bool,
    pub(crate) answered: bool,
    /// Whether the host said no: nothing listens on the port.
    refused: bool,
    round_trip_us: Option<u64>,
    /// The site where it came out, where that is not the one that was meant.
    pub(crate) astray: Option<String>,
    dropped: Vec<Dropped>,
}

impl Packet {
    pub(crate) fn new(aim: &Aim, trace: Trace) -> Self {
        let astray = aim.astray(&trace).map(str::to_owned);
        Self {
            delivered: trace.delivered && astray.is_none(),
            answered: trace.round_trip_us.is_some() && astray.is_none(),
            refused: trace.refused,
            round_trip_us: trace.round_trip_us,
            astray,
            dropped: trace.dropped,
        }
    }
}

/// Sends packets and waits for their answers.
pub(crate) fn answer(network: &mut Network, asked: &request::Ping) -> Result<Answer, Failure> {
    let request::Ping { probe, count } = asked;
    if *count == 0 || i64::from(*count) > COUNT_MAX {
        return Err(Failure::input(format!("`count` is {count}"))
            .hint(format!("1 to {COUNT_MAX} packets can be sent")));
    }
    let aim = network.aim(probe)?;
    let mut packets: Vec<Packet> = Vec::new();
    for position in 0..*count {
        if position > 0 {
            network.pass(INTERVAL);
        }
        let trace = network.trace(aim.lan, aim.flow);
        packets.push(Packet::new(&aim, trace));
    }
    let ping = Ping {
        from: aim.from.site.clone(),
        to: aim.to.as_ref().map_or_else(|| probe.to.clone(), |place| place.site.clone()),
        application: aim.application.clone(),
        network: aim.from.network.clone(),
        source: aim.flow.source.to_string(),
        destination: aim.flow.destination.to_string(),
        sent: packets.len(),
        answered: packets.iter().filter(|packet| packet.answered).count(),
        packets,
        refusal: explain::refusal(network.plan(), &aim.wanted()),
        disconnected: network.disconnected(&aim),
    };
    Ok(Answer::new(&ping, text(&aim, &ping)).judged(ping.answered > 0))
}

fn text(aim: &Aim, ping: &Ping) -> String {
    let mut text = format!("{}\n", aim.words());
    for (number, packet) in (1..).zip(&ping.packets) {
        let outcome = outcome(packet, &ping.network);
        text.push_str(&format!("{number:>3}  {outcome}\n"));
    }
    text.push_str(&format!("{} of {} answered\n", ping.answered, ping.sent));
    if ping.answered == 0 {
        let dropped = ping.packets.iter().flat_map(|packet| &packet.dropped);
        text.push_str(&why(dropped, ping.refusal.as_deref(), &ping.disconnected));
    }
    text
}

/// What became of a packet, in words.
pub(crate) fn outcome(packet: &Packet, network: &str) -> String {
    match (&packet.astray, packet.round_trip_us) {
        (Some(site), _) => format!("came out at {site}: `{network}` has that address itself"),
        (None, Some(micros)) if packet.refused => {
            format!("refused by the host in {}: nothing listens there", milliseconds(micros))
        }
        (None, Some(micros)) => format!("answered in {}", milliseconds(micros)),
        (None, None) if packet.delivered => "delivered, but not answered".to_owned(),
        (None, None) => "not delivered".to_owned(),
    }
}

/// Why there was no answer, in words.
pub(crate) fn why<'a>(
    dropped: impl Iterator<Item = &'a Dropped>,
    refusal: Option<&str>,
    disconnected: &[String],
) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Dropped { router, reason } in dropped {
        let line = format!("dropped at `{router}`: {reason}\n");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let reasons = disconnected.iter().map(String::as_str).chain(refusal);
    lines.extend(reasons.map(|reason| format!("{reason}\n")));
    lines.concat()
}
