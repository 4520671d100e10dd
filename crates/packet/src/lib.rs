//! Bytes to plain structs and back.
//!
//! One file per header: [`ethernet`] and [`llc`], [`mpls`], [`ipv4`] and [`ipv6`], [`udp`],
//! [`tcp`], [`icmp`], [`gre`], [`arp`], [`ndp`], [`router_discovery`], [`dhcp`]. A decoder takes a slice, checks everything that
//! the header says about itself, and returns the header and what follows it, trimmed to the
//! length the header states; an encoder returns octets. [`ip`] reads a packet of either family
//! as deep as forwarding needs. [`PacketBuf`] is the owned packet with room in front.
//!
//! Nothing here forwards, answers or remembers.

pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod ethernet;
pub mod gre;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod llc;
pub mod mpls;
pub mod ndp;
pub mod router_discovery;
pub mod tcp;
pub mod udp;

mod buffer;
mod error;

pub use buffer::{HEADROOM, PacketBuf};
pub use error::DecodeError;
