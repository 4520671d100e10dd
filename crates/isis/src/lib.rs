//! IS-IS level 2 on point-to-point links, with segment routing.
//!
//! The interior routing protocol of the core: hellos find neighbours, every router floods what it
//! sees of its links and prefixes to all, and each computes shortest paths over the same database.
//! With it travel the identifiers of segment routing, so that every path is a label-switched path
//! without another protocol.
//!
//! [`Instance`] is the whole of it, pure: PDUs and time in, PDUs and routes out. The PDUs begin at
//! their first octet 0x83; framing is the caller's. [`decode`] reads one PDU on its own.
//!
//! Standards: ISO 10589, RFC 1195, RFC 5301, RFC 5303, RFC 5304, RFC 5305, RFC 5308, RFC 5310,
//! RFC 6232, RFC 6233, RFC 7981, RFC 8667; each file says which parts.
//! Not implemented: level 1, broadcast links, multiple topologies, graceful restart, TI-LFA (left
//! to the caller, which [`Instance::nodes`] gives the topology).

mod adjacency;
mod authentication;
mod capability;
mod checksum;
mod circuit;
mod codepoints;
mod config;
mod counters;
mod database;
mod error;
mod flooding;
mod generation;
#[cfg(test)]
mod golden;
mod hello;
mod instance;
mod lsp;
mod neighbour;
mod origination;
mod pdu;
mod pending;
mod reachability;
mod reader;
mod route;
mod snp;
mod spf;
mod throttle;
mod tlv;
mod topology;

pub use adjacency::AdjacencyView;
pub use capability::{Capability, CapabilitySubTlv};
pub use config::{Algorithm, Authentication, Circuit, Config, LabelRange, Loopback};
pub use counters::{Counters, PduCounters};
pub use database::LspView;
pub use error::{DecodeError, DecodeReason, NotUpReason, RejectReason};
pub use hello::Hello;
pub use instance::{Instance, Output};
pub use lsp::Lsp;
pub use pdu::{Pdu, decode};
pub use reachability::{IsReach, IsSubTlv, PrefixReach, PrefixSubTlv, Sid};
pub use route::{Hop, HopLabel, Route};
pub use snp::{Csnp, LspEntry, LspId, Psnp};
pub use tlv::{AdjacencyState, ThreeWay, Tlv};
pub use topology::{Link, Node, NodePrefix, PrefixSid};
