//! The router capability TLV, and in it what a router says of segment routing: the labels that SID
//! indexes map to, the algorithms, the labels for local segments.
//!
//! Standards: RFC 7981, RFC 8667 §3.1 (SRGB), §3.2 (algorithms), §3.3 (SRLB).
//! Not implemented: SRMS preference, maximum SID depth (RFC 8491; kept unread), flexible
//! algorithms.

use core::net::Ipv4Addr;

use base::RouterId;

use crate::codepoints as cp;
use crate::config::LabelRange;
use crate::error::{DecodeError, DecodeReason};
use crate::reachability::{Sid, sub_tlvs};
use crate::reader::{Reader, put_tlv, put_u24};

/// The contents of TLV 242.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// The router that it speaks of.
    pub router_id: RouterId,
    /// Flags S and D: how far it is leaked.
    pub flags: u8,
    /// The capabilities.
    pub sub_tlvs: Vec<CapabilitySubTlv>,
}

/// One capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapabilitySubTlv {
    /// Segment routing, with the SRGB.
    SegmentRouting {
        /// Flags I and V: which families.
        flags: u8,
        /// The SRGB: ranges that indexes run through one after the other.
        srgb: Vec<LabelRange>,
    },
    /// The algorithms that the router computes paths by.
    Algorithms(Vec<u8>),
    /// The labels that local segments are taken from.
    Srlb(Vec<LabelRange>),
    /// A type that this router does not know, or a value not of its type's form.
    Other {
        /// The type.
        kind: u8,
        /// The value as it came.
        value: Vec<u8>,
    },
}

impl Capability {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let router_id = RouterId(Ipv4Addr::from(reader.array::<4>()?));
        let flags = reader.u8()?;
        let part = reader.part(reader.len())?;
        let other = |kind, value| CapabilitySubTlv::Other { kind, value };
        let sub_tlvs = sub_tlvs(part, CapabilitySubTlv::decode, other)?;
        Ok(Self { router_id, flags, sub_tlvs })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.router_id.0.octets());
        out.push(self.flags);
        for sub_tlv in &self.sub_tlvs {
            sub_tlv.encode(out);
        }
    }
}

impl CapabilitySubTlv {
    fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(match kind {
            cp::CAPABILITY_SUB_SR => {
                let flags = reader.u8()?;
                Some(Self::SegmentRouting { flags, srgb: ranges(reader)? })
            }
            cp::CAPABILITY_SUB_ALGORITHMS => Some(Self::Algorithms(reader.rest().to_vec())),
            cp::CAPABILITY_SUB_SRLB => {
                // RFC 8667 §3.3: no flag is defined; they are ignored.
                reader.u8()?;
                Some(Self::Srlb(ranges(reader)?))
            }
            _ => None,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::SegmentRouting { flags, srgb } => put_tlv(out, cp::CAPABILITY_SUB_SR, |out| {
                out.push(*flags);
                put_ranges(out, srgb);
            }),
            Self::Algorithms(algorithms) => put_tlv(out, cp::CAPABILITY_SUB_ALGORITHMS, |out| {
                out.extend_from_slice(algorithms);
            }),
            Self::Srlb(ranges) => put_tlv(out, cp::CAPABILITY_SUB_SRLB, |out| {
                out.push(0);
                put_ranges(out, ranges);
            }),
            Self::Other { kind, value } => put_tlv(out, *kind, |out| out.extend_from_slice(value)),
        }
    }
}

fn ranges(reader: &mut Reader<'_>) -> Result<Vec<LabelRange>, DecodeError> {
    let mut ranges = Vec::new();
    while !reader.is_empty() {
        let count = reader.u24()?;
        let (kind, len) = (reader.u8()?, reader.u8()?);
        let sid = Sid::decode(&mut reader.part(usize::from(len))?)?;
        match (kind, sid) {
            (cp::SUB_SID_LABEL, Sid::Label(first)) => ranges.push(LabelRange { first, count }),
            (_, Sid::Label(_) | Sid::Index(_)) => return Err(reader.error(DecodeReason::Value)),
        }
    }
    Ok(ranges)
}

fn put_ranges(out: &mut Vec<u8>, ranges: &[LabelRange]) {
    for range in ranges {
        put_u24(out, range.count);
        put_tlv(out, cp::SUB_SID_LABEL, |out| Sid::Label(range.first).encode(out));
    }
}
