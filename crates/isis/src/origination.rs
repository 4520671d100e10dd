//! What this router says of itself: its own link-state PDUs.
//!
//! Fragment 0 carries who it is and what it is capable of; links and prefixes follow in as many
//! fragments as they need. Only fragments whose contents differ are made anew, soon after a change
//! and not more often than a hold time allows, and every one again before its lifetime runs out.
//!
//! Standards: ISO 10589 §7.3.5 to §7.3.8 (generation), §7.3.16.1 (sequence numbers), RFC 5301,
//! RFC 5305, RFC 5308, RFC 7981, RFC 8667.
//! Not implemented: more than 256 fragments (RFC 5311), interface addresses as prefixes of their
//! own (core links need none).

use std::collections::BTreeMap;

use base::{Duration, Instant, Prefix, SystemId};

use crate::authentication;
use crate::capability::{Capability, CapabilitySubTlv};
use crate::circuit::ActiveCircuit;
use crate::codepoints as cp;
use crate::config::{Config, Loopback};
use crate::reachability::{IsReach, IsSubTlv, PrefixReach, PrefixSubTlv, Sid};
use crate::tlv::Tlv;

/// From a change to the new link-state PDU: changes that come together go out together.
pub(crate) const GENERATION_DELAY: Duration = Duration::from_millis(10);
/// ISO 10589 §7.3.6, `minimumLSPGenerationInterval`: less than its 30 s so that a second failure
/// is told soon, and still a bound on what a flapping link costs everybody.
pub(crate) const GENERATION_HOLD: Duration = Duration::from_millis(200);
/// Refreshes are early by up to this share, so that those of many routers do not align.
pub(crate) const REFRESH_JITTER_PERCENT: u32 = 25;
/// ISO 10589 §7.3.4.2, `originatingLSPBufferSize`.
const LSP_LEN_MAX: usize = 1492;
/// A link too small for this is no link for IS-IS; link-state PDUs are not made smaller.
const LSP_LEN_MIN: usize = 256;
/// Fragment numbers are one octet.
const FRAGMENTS_MAX: usize = 256;

/// One fragment of our own.
#[derive(Debug, Clone)]
pub(crate) struct Fragment {
    /// The number of the version that is out, or that is to be exceeded.
    pub(crate) sequence: u32,
    /// What it says; `None`: it is not used (any more).
    pub(crate) contents: Option<(u8, Vec<Tlv>)>,
    pub(crate) refresh_at: Instant,
    /// Another version came back: it is made anew even if it says the same.
    pub(crate) exceed: bool,
    /// ISO 10589 §7.3.16.1: after the last sequence number it stays silent until then.
    pub(crate) silent_until: Option<Instant>,
}

/// All of our own fragments.
pub(crate) type Fragments = BTreeMap<u8, Fragment>;

/// What each fragment is to say, and how many entries found no room.
pub(crate) fn contents<'a>(
    config: &Config,
    circuits: impl Iterator<Item = &'a ActiveCircuit>,
) -> (Vec<(u8, Vec<Tlv>)>, u64) {
    let mut len_max = LSP_LEN_MAX;
    let mut links = Vec::new();
    for circuit in circuits {
        len_max = len_max.min(circuit.pdu_len_max());
        links.extend(link(circuit));
    }
    let mut packer = Packer::new(config, len_max.max(LSP_LEN_MIN));
    for tlv in identity(config) {
        packer.push(tlv);
    }
    for reach in links {
        packer.push(Tlv::IsReach(vec![reach]));
    }
    for loopback in &config.loopbacks {
        packer.push(Tlv::PrefixReach(vec![prefix(loopback)]));
    }
    let overload = if config.overload { cp::LSP_OVERLOAD } else { 0 };
    let flags = |at| cp::LSP_IS_TYPE_L2 | if at == 0 { overload } else { 0 };
    let fragments = packer.fragments.into_iter().enumerate();
    (fragments.map(|(at, tlvs)| (flags(at), tlvs)).collect(), packer.left_out)
}

/// The protocols that this router forwards.
fn protocols(config: &Config) -> Vec<u8> {
    let v4 = config.circuits.iter().any(|circuit| circuit.v4.is_some())
        || config.loopbacks.iter().any(|loopback| matches!(loopback.prefix, Prefix::V4(_)));
    let v6 = config.circuits.iter().any(|circuit| circuit.v6_link_local.is_some())
        || config.loopbacks.iter().any(|loopback| matches!(loopback.prefix, Prefix::V6(_)));
    let mut protocols = Vec::new();
    protocols.extend(v4.then_some(cp::NLPID_IPV4));
    protocols.extend(v6.then_some(cp::NLPID_IPV6));
    protocols
}

fn identity(config: &Config) -> Vec<Tlv> {
    let mut tlvs = vec![
        Tlv::AreaAddresses(vec![config.area.clone()]),
        Tlv::Protocols(protocols(config)),
        Tlv::Hostname(config.hostname.clone()),
        Tlv::Capability(Capability {
            router_id: config.router_id,
            flags: 0,
            sub_tlvs: vec![
                CapabilitySubTlv::SegmentRouting {
                    flags: cp::SR_IPV4 | cp::SR_IPV6,
                    srgb: vec![config.srgb],
                },
                CapabilitySubTlv::Algorithms(vec![cp::ALGORITHM_SPF]),
                CapabilitySubTlv::Srlb(vec![config.srlb]),
            ],
        }),
        Tlv::RouterId(config.router_id),
    ];
    // RFC 1195 §5.3.7, RFC 5308 §3: one address of each family suffices.
    let v4 = config.loopbacks.iter().find_map(|loopback| match loopback.prefix {
        Prefix::V4(prefix) => (prefix.len() == 32).then_some(prefix.addr()),
        Prefix::V6(_) => None,
    });
    let v6 = config.loopbacks.iter().find_map(|loopback| match loopback.prefix {
        Prefix::V6(prefix) => (prefix.len() == 128).then_some(prefix.addr()),
        Prefix::V4(_) => None,
    });
    tlvs.extend(v4.map(|addr| Tlv::Ipv4Addresses(vec![addr])));
    tlvs.extend(v6.map(|addr| Tlv::Ipv6Addresses(vec![addr])));
    tlvs
}

fn link(circuit: &ActiveCircuit) -> Option<IsReach> {
    let adjacency = circuit.adjacency.as_ref().filter(|adjacency| adjacency.up)?;
    let config = &circuit.config;
    let mut sub_tlvs = Vec::new();
    sub_tlvs.extend(config.v4.map(IsSubTlv::Ipv4Interface));
    sub_tlvs.extend(adjacency.v4.map(IsSubTlv::Ipv4Neighbour));
    sub_tlvs.extend(config.adjacency_sid.map(|label| {
        let family = if config.v4.is_some() { 0 } else { cp::ADJACENCY_SID_IPV6 };
        let flags = family | cp::ADJACENCY_SID_VALUE | cp::ADJACENCY_SID_LOCAL;
        IsSubTlv::AdjacencySid { flags, weight: 0, sid: Sid::Label(label) }
    }));
    let metric = config.metric.min(cp::METRIC_UNUSABLE);
    Some(IsReach { neighbour: adjacency.neighbour, pseudonode: 0, metric, sub_tlvs })
}

fn prefix(loopback: &Loopback) -> PrefixReach {
    // RFC 8667 §2.1.1: only the SID of one address can name a node.
    let is_host = matches!(
        (loopback.prefix, loopback.prefix.len()),
        (Prefix::V4(_), 32) | (Prefix::V6(_), 128)
    );
    let sid = loopback.sid_index.map(|index| PrefixSubTlv::PrefixSid {
        flags: if is_host { cp::PREFIX_SID_NODE } else { 0 },
        algorithm: cp::ALGORITHM_SPF,
        sid: Sid::Index(index),
    });
    let sub_tlvs = sid.into_iter().collect();
    PrefixReach { prefix: loopback.prefix, metric: 0, down: false, external: false, sub_tlvs }
}

/// What stays of a purged link-state PDU: RFC 6232 §3 and RFC 6233 §2.
pub(crate) fn purge_contents(config: &Config, system_id: SystemId) -> Vec<Tlv> {
    let signature = config.authentication.as_ref().map(authentication::placeholder);
    let mut tlvs: Vec<Tlv> = signature.into_iter().collect();
    tlvs.push(Tlv::PurgeOriginator(system_id, None));
    tlvs.push(Tlv::Hostname(config.hostname.clone()));
    tlvs
}

/// Fills fragments one after the other.
struct Packer {
    fragments: Vec<Vec<Tlv>>,
    signature: Option<Tlv>,
    len_max: usize,
    /// Octets of the fragment that is being filled, and of the value of its last TLV.
    len: usize,
    last_value_len: usize,
    left_out: u64,
    scratch: Vec<u8>,
}

impl Packer {
    fn new(config: &Config, len_max: usize) -> Self {
        let signature = config.authentication.as_ref().map(authentication::placeholder);
        let mut packer = Self {
            fragments: Vec::new(),
            signature,
            len_max,
            len: 0,
            last_value_len: 0,
            left_out: 0,
            scratch: Vec::new(),
        };
        packer.open();
        packer
    }

    fn open(&mut self) {
        self.len = usize::from(cp::LSP_HEADER_LEN);
        self.last_value_len = 0;
        self.fragments.push(Vec::new());
        if let Some(signature) = self.signature.clone() {
            self.len += self.encoded_len(&signature);
            self.fragments.last_mut().into_iter().for_each(|last| last.push(signature.clone()));
        }
    }

    fn encoded_len(&mut self, tlv: &Tlv) -> usize {
        self.scratch.clear();
        tlv.encode(&mut self.scratch);
        self.scratch.len()
    }

    /// Adds a TLV that holds one thing: to the last one where it is of the same type and has
    /// room, as one of its own otherwise, in a new fragment where this one is full.
    fn push(&mut self, tlv: Tlv) {
        let len = self.encoded_len(&tlv);
        let value_len = len.saturating_sub(2);
        let fits_value = self.last_value_len + value_len <= usize::from(u8::MAX);
        if fits_value && self.len + value_len <= self.len_max {
            let last = self.fragments.last_mut().and_then(|fragment| fragment.last_mut());
            if last.is_some_and(|last| join(last, &tlv)) {
                self.len += value_len;
                self.last_value_len += value_len;
                return;
            }
        }
        if self.len + len > self.len_max {
            if self.fragments.len() == FRAGMENTS_MAX {
                self.left_out += 1;
                return;
            }
            self.open();
        }
        self.len += len;
        self.last_value_len = value_len;
        self.fragments.last_mut().into_iter().for_each(|last| last.push(tlv.clone()));
    }
}

/// Moves the entries of one TLV to the end of another of its type.
fn join(last: &mut Tlv, tlv: &Tlv) -> bool {
    match (last, tlv) {
        (Tlv::IsReach(all), Tlv::IsReach(more)) => all.extend_from_slice(more),
        (Tlv::PrefixReach(all), Tlv::PrefixReach(more))
            if all.last().map(PrefixReach::kind) == more.first().map(PrefixReach::kind) =>
        {
            all.extend_from_slice(more);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Packer, contents};
    use crate::config::{Config, LabelRange, Loopback};
    use crate::tlv::{Tlv, encode};
    use base::{Duration, Ipv4Prefix, Label, RouterId, SystemId};
    use core::net::Ipv4Addr;

    fn config(loopbacks: u32) -> Config {
        let loopback = |index| Loopback {
            prefix: Ipv4Prefix::host(Ipv4Addr::from_bits(0x0aff_0000 + index)).into(),
            sid_index: Some(index),
        };
        let range = |first| LabelRange { first: Label::masked(first), count: 1000 };
        Config {
            system_id: SystemId([1; 6]),
            area: vec![0x49, 0, 1],
            hostname: "r1".to_owned(),
            router_id: RouterId(Ipv4Addr::new(10, 255, 0, 1)),
            loopbacks: (0..loopbacks).map(loopback).collect(),
            srgb: range(16_000),
            srlb: range(15_000),
            authentication: None,
            overload: true,
            lsp_lifetime: Duration::from_secs(1200),
            lsp_refresh: Duration::from_secs(900),
            spf_delay: Duration::from_millis(20),
            spf_hold: Duration::from_millis(200),
            circuits: Vec::new(),
        }
    }

    fn prefixes(tlvs: &[Tlv]) -> usize {
        let count = |tlv: &Tlv| if let Tlv::PrefixReach(all) = tlv { all.len() } else { 0 };
        tlvs.iter().map(count).sum()
    }

    #[test]
    fn fragments_are_full_and_none_is_too_long() {
        let (fragments, left_out) = contents(&config(400), core::iter::empty());
        assert_eq!(left_out, 0);
        let total: usize = fragments.iter().map(|(_, tlvs)| prefixes(tlvs)).sum();
        assert_eq!(total, 400);
        let (last, others) = fragments.split_last().unwrap();
        for (_, tlvs) in others {
            let mut bytes = Vec::new();
            encode(tlvs, &mut bytes);
            assert!((1440..=1492 - 27).contains(&bytes.len()), "{}", bytes.len());
        }
        assert!(!last.1.is_empty());
        // The overload bit is in fragment 0 alone.
        assert_eq!(fragments.iter().map(|(flags, _)| *flags).collect::<Vec<_>>()[..2], [7, 3]);
    }

    #[test]
    fn more_than_fits_256_fragments_is_counted() {
        let mut packer = Packer::new(&config(0), 256);
        for _ in 0..257 {
            packer.push(Tlv::Other { kind: 250, value: vec![0; 220] });
        }
        assert_eq!((packer.fragments.len(), packer.left_out), (256, 1));
    }
}
