//! Bidirectional forwarding detection: one session per link, asynchronous mode, single hop.
//!
//! Two neighbours send each other small packets at an agreed rate; where one of them hears nothing
//! for a multiple of that interval, the path is declared failed. What is to be done about it is
//! the owner's affair.
//!
//! A [`Session`] is a pure machine: payloads, port changes and the time go in, payloads of exactly
//! 24 octets and state changes come out, and [`Session::poll_timeout`] says when it wants to be
//! woken. Nothing allocates, so that a router can hold thousands of sessions.
//!
//! The parts: [`packet`] turns octets into a [`ControlPacket`] and back, [`machine`] is the pure
//! table of states, [`Session`] owns the timers, [`Counters`] and [`View`] are for people.
//!
//! The owner wraps a payload in UDP and IP and unwraps it: destination port [`UDP_PORT`], a source
//! port from [`SOURCE_PORT_MIN`] that no other session uses, TTL or hop limit [`TTL`] on sending,
//! and anything that arrives with another TTL is dropped before it gets here. Single-hop sessions
//! are told apart by the port that a packet came in on, so a session checks that the packet names
//! its own discriminator, and there is no table of discriminators.
//!
//! Standards: RFC 5880 (asynchronous mode), RFC 5881 (single hop), RFC 5882 (what a client may
//! conclude from a session, as [`Hint`]).
//! Not implemented: demand mode, the echo function, authentication (RFC 5880 §6.7), multihop
//! (RFC 5883), seamless BFD (RFC 7880), link aggregates (RFC 7130).

mod codepoints;
mod config;
mod counters;
mod error;
pub mod machine;
pub mod packet;
mod session;
mod view;

pub use codepoints::{Diagnostic, State};
pub use config::{Config, INTERVAL_MIN, SLOW_INTERVAL};
pub use counters::{Counters, DiscardReason};
pub use error::DecodeError;
pub use packet::{ControlPacket, PACKET_LENGTH};
pub use session::{Output, Session};
pub use view::{Hint, NotUpReason, View};

/// The UDP destination port of single-hop control packets (RFC 5881 §4).
pub const UDP_PORT: u16 = 3784;

/// The lowest source port that a session may send from (RFC 5881 §4).
pub const SOURCE_PORT_MIN: u16 = 49152;

/// The TTL or hop limit that a packet is sent with and must arrive with (RFC 5881 §5).
pub const TTL: u8 = 255;

#[cfg(test)]
mod tests;
