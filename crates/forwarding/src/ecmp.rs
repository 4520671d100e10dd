//! Which of several equal hops a flow takes.
//!
//! A flow is the two addresses, the protocol and the ports of the packet beneath all labels, so
//! that a flow keeps its way whatever labels it wears. Fragments of one packet keep together:
//! none of them is asked for ports. Each hop draws a number from the flow and its own place, and
//! the highest wins (rendezvous hashing): when a hop goes away, only its flows move.
//!
//! The hash depends on the router's seed, so that two routers in a row do not split alike.
//!
//! Standards: RFC 2991 §3 (choice by hash of the flow, highest random weight).
//! Not implemented: entropy labels (RFC 6790), the IPv6 flow label (RFC 6438).

use core::net::IpAddr;

use base::TraceHash;
use packet::ip::{Fragment, Packet};
use packet::mpls::{LabelEntry, STACK_DEPTH_MAX};

use crate::tables::{Hop, Tables, TransportId};

/// The hop of a transport for the flow of a packet, which has labels on or not.
pub(crate) fn choose<'a>(
    tables: &'a Tables,
    via: TransportId,
    seed: u64,
    bytes: &[u8],
    labelled: bool,
) -> Option<&'a Hop> {
    let mut hops = tables.usable_hops(via);
    let first = hops.next()?;
    let Some(second) = hops.next() else { return Some(first) };
    let flow = flow(seed, bytes, labelled);
    let draw = |hop: &Hop| {
        let mut draw = flow;
        draw.number(hop.port.0.into());
        number_address(&mut draw, hop.neighbour);
        for label in &hop.labels {
            draw.number(label.value().into());
        }
        draw.value()
    };
    [first, second].into_iter().chain(hops).max_by_key(|hop| draw(hop))
}

fn number_address(hash: &mut TraceHash, address: IpAddr) {
    match address {
        IpAddr::V4(address) => hash.number(u64::from(address.to_bits())),
        IpAddr::V6(address) => hash.bytes(&address.octets()),
    }
}

/// The hash of a packet's flow; of what is no IP packet, of its label stack.
fn flow(seed: u64, bytes: &[u8], labelled: bool) -> TraceHash {
    let mut hash = TraceHash::new();
    hash.number(seed);
    let mut beneath = bytes;
    let mut labels = TraceHash::new();
    for _ in 0..if labelled { STACK_DEPTH_MAX } else { 0 } {
        let Ok((entry, after)) = LabelEntry::decode(beneath) else { break };
        labels.number(entry.label.value().into());
        beneath = after;
        if entry.bottom {
            break;
        }
    }
    let Ok(packet) = Packet::decode_quoted(beneath) else {
        hash.number(labels.value());
        return hash;
    };
    number_address(&mut hash, packet.source);
    number_address(&mut hash, packet.destination);
    hash.number(packet.protocol.into());
    if packet.fragment == Fragment::Whole
        && let Some((source, destination)) = packet.ports(beneath)
    {
        hash.number(u64::from(source) << 16 | u64::from(destination));
    }
    hash
}
