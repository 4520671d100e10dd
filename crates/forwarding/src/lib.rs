//! The forwarding lane: frames in, frames out, at once and without memory of flows.
//!
//! The control lane publishes [`Tables`] (ports, VRFs, labels, transports, the region's own
//! routes, neighbours); the [`Forwarder`] reads them and never changes them. What it keeps itself
//! is small: counters, rate limits and the seed of its path choice. A frame that it cannot settle
//! alone comes back as a [`Verdict`]: to be transmitted, handed to the control lane, held until a
//! neighbour is resolved, or dropped for a typed reason.
//!
//! A port that goes down needs no new tables: whether a hop, a transport or a path is usable is
//! decided per packet from [`Port::up`], so backups that were published before take over with the
//! next packet.
//!
//! The way of one packet: [`Forwarder::forward`] reads the link header and turns by kind of port
//! ([`PortKind`]); `vrf` checks the source, looks the destination up and asks the access rules;
//! `label` swaps, pops and delivers; `global` carries the region's own traffic; `send` puts
//! labels on, fits the packet to the link and picks the hop; `link` writes the link header;
//! `icmp_reply` makes echoes and errors.
//!
//! Time to live follows the short pipe model (RFC 3443 §3.2): labels start at 255 whatever the
//! packet beneath says; the packet's own is taken down by the routers that look into it, once
//! where it enters the region and once where it leaves.
//!
//! Standards: RFC 3031, RFC 3032, RFC 3443, RFC 3270, RFC 4364 §5, RFC 791, RFC 8200, RFC 1812,
//! RFC 792, RFC 4443, RFC 4950; each file says which part.
//! Not implemented: multicast, queueing by class (the egress port's), 802.1Q tags, entropy labels
//! (RFC 6790), path MTU discovery on behalf of senders.

pub mod access;
pub mod classes;

mod counters;
mod drop_reason;
mod ecmp;
mod fragment;
mod global;
mod icmp_reply;
mod label;
mod lane;
mod link;
mod rate;
mod send;
mod tables;
#[cfg(test)]
mod tests;
mod vrf;

pub use counters::{Count, Counters, PortCounters};
pub use drop_reason::DropReason;
pub use lane::{Forwarder, PuntKind, Verdict};
pub use link::LinkProtocol;
pub use tables::{
    GlobalRoute, HOP_LABELS_MAX, HOPS_MAX, Hop, LabelAction, Medium, PATHS_MAX, Path, Port,
    PortKind, Tables, Transport, TransportId, Vrf, VrfRoute,
};
