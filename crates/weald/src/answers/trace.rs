//! `weald trace`: the routers and label stacks of a packet's way, there and back.

use serde::Serialize;
use twin::trace::{Hop, Trace};

use crate::answers::ping::{self, Packet};
use crate::control::request::Probe;
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::Network;
use crate::network::explain;
use crate::screen::{Align, Table, milliseconds};

#[derive(Debug, Serialize)]
struct Traced {
    #[serde(flatten)]
    trace: Trace,
    /// The virtual network of the sender.
    network: String,
    /// The site where it came out, where that is not the one that was meant.
    astray: Option<String>,
    /// Why no promise lets the packet pass; none where one does.
    refusal: Option<String>,
    /// Which of the two sites is cut off, and how.
    disconnected: Vec<String>,
}

/// Sends a packet and follows it and its answer.
pub(crate) fn answer(network: &mut Network, probe: &Probe) -> Result<Answer, Failure> {
    let aim = network.aim(probe)?;
    let trace = network.trace(aim.lan, aim.flow);
    let refusal = explain::refusal(network.plan(), &aim.wanted());
    let mut text = format!("{}\n", aim.words());
    text.push_str(&way("there", &trace.there));
    if !trace.back.is_empty() {
        text.push_str(&way("back", &trace.back));
    }
    let packet = Packet::new(&aim, trace.clone());
    text.push_str(&format!("{}\n", ping::outcome(&packet, &aim.from.network)));
    let disconnected = network.disconnected(&aim);
    let told = if packet.answered { &[][..] } else { &disconnected };
    text.push_str(&ping::why(trace.dropped.iter(), refusal.as_deref(), told));
    let (good, astray) = (packet.answered, packet.astray);
    let traced = Traced { trace, network: aim.from.network, astray, refusal, disconnected };
    Ok(Answer::new(&traced, text).judged(good))
}

fn way(name: &str, hops: &[Hop]) -> String {
    if hops.is_empty() {
        return format!("{name}: no router passed it on\n");
    }
    let columns = [
        ("after", Align::Right),
        ("router", Align::Left),
        ("onto", Align::Left),
        ("labels, outermost first", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for hop in hops {
        let labels: Vec<_> = hop.labels.iter().map(ToString::to_string).collect();
        let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(" ") };
        table.row([milliseconds(hop.after_us), hop.router.clone(), hop.onto.clone(), labels]);
    }
    format!("{name}\n{}", table.text())
}
