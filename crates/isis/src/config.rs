//! What an instance is told: who it is, what it announces, over which circuits.
//!
//! The values are taken as they are: whoever makes the configuration checks it. Durations that
//! would make a router spin are raised to a floor where they are used.
//!
//! Standards: ISO 10589 §7.3 (level 2: identifiers, lifetimes, metrics), RFC 5301 (host name),
//! RFC 5305 §4.3 and RFC 7981 (router id), RFC 8667 §2 and §3 (SIDs, SRGB, SRLB), RFC 5304 and
//! RFC 5310 (keys).
//! Not implemented: values per level, several keys at once, an SRGB of several ranges.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use base::{Duration, Label, PortId, Prefix, RouterId, SystemId};

/// The whole configuration of one IS-IS instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// This router's system identifier, unique in the region.
    pub system_id: SystemId,
    /// The area address, 1 to 13 octets; neighbours at level 2 need not share it.
    pub area: Vec<u8>,
    /// The name announced in TLV 137, for people.
    pub hostname: String,
    /// The router id announced in TLV 134 and TLV 242.
    pub router_id: RouterId,
    /// The prefixes announced, each perhaps with a node SID.
    pub loopbacks: Vec<Loopback>,
    /// The labels that SID indexes are taken from: index `i` is `first + i`.
    pub srgb: LabelRange,
    /// The labels that adjacency SIDs are taken from.
    pub srlb: LabelRange,
    /// How PDUs are signed and checked; `None`: not at all.
    pub authentication: Option<Authentication>,
    /// Ask others not to send transit traffic through this router.
    pub overload: bool,
    /// How long others keep our link-state PDUs without hearing a refresh.
    pub lsp_lifetime: Duration,
    /// How often our link-state PDUs are sent anew.
    pub lsp_refresh: Duration,
    /// From a change to the computation of paths.
    pub spf_delay: Duration,
    /// The least time between two computations.
    pub spf_hold: Duration,
    /// The point-to-point links that IS-IS runs on.
    pub circuits: Vec<Circuit>,
}

/// One point-to-point link.
#[derive(Debug, Clone, PartialEq)]
pub struct Circuit {
    /// The port it uses.
    pub port: PortId,
    /// Our IPv4 address on it.
    pub v4: Option<Ipv4Addr>,
    /// Our IPv6 link-local address on it.
    pub v6_link_local: Option<Ipv6Addr>,
    /// Its metric, 24 bits.
    pub metric: u32,
    /// The octets that a frame of it carries, LLC header included (1500 on Ethernet).
    pub mtu: u16,
    /// From one hello to the next.
    pub hello_interval: Duration,
    /// Hellos that may be lost before the neighbour gives up.
    pub hello_multiplier: u16,
    /// The label that sends a packet over this link whatever its destination.
    pub adjacency_sid: Option<Label>,
}

/// A prefix that this router announces as its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loopback {
    /// The prefix, usually one address.
    pub prefix: Prefix,
    /// Its node SID as an index into every router's SRGB.
    pub sid_index: Option<u32>,
}

/// A range of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelRange {
    /// The first label.
    pub first: Label,
    /// The number of labels, 24 bits.
    pub count: u32,
}

impl LabelRange {
    /// The label at `index`; `None` outside the range or the label space.
    #[must_use]
    pub fn label(self, index: u32) -> Option<Label> {
        if index >= self.count {
            return None;
        }
        Label::new(self.first.value().checked_add(index)?)
    }
}

/// A key that all routers of the region share.
#[derive(Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The keyed hash.
    pub algorithm: Algorithm,
    /// The key's number, sent with [`Algorithm::HmacSha256`] only.
    pub key_id: u16,
    /// The key.
    pub key: Vec<u8>,
}

/// The keyed hash that signs PDUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 5304: for interoperation; what most routers do.
    HmacMd5,
    /// RFC 5310.
    HmacSha256,
}

/// Does not show the key.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Authentication, LabelRange};
    use base::Label;

    #[test]
    fn a_key_is_never_printed() {
        let authentication =
            Authentication { algorithm: Algorithm::HmacMd5, key_id: 1, key: b"secret".to_vec() };
        let text = format!("{authentication:?}");
        assert!(!text.contains("secret") && !text.contains("115"), "{text}");
    }

    #[test]
    fn a_range_ends_with_its_count_and_with_the_label_space() {
        let range = LabelRange { first: Label::masked(16_000), count: 8 };
        assert_eq!(range.label(7), Label::new(16_007));
        assert_eq!(range.label(8), None);
        let edge = LabelRange { first: Label::MAX, count: 8 };
        assert_eq!(edge.label(1), None);
    }
}
