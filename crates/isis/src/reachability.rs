//! Links to neighbours and prefixes: the extended reachability TLVs and what hangs below them.
//!
//! Both are lists of entries with sub-TLVs of their own: addresses and adjacency-SIDs of a link,
//! the prefix-SID of a prefix. Sub-TLVs that are not known, or not of their form, are kept as they
//! came.
//!
//! Standards: RFC 5305 §3 and §4, RFC 5308 §2, RFC 5302 (up/down bit, read only: level 2 alone
//! never leaks), RFC 8667 §2.1 and §2.2.
//! Not implemented: traffic-engineering sub-TLVs other than addresses, LAN adjacency-SIDs, prefix
//! attributes (RFC 7794).

use core::net::Ipv4Addr;

use base::{Ipv4Prefix, Ipv6Prefix, Label, Prefix, SystemId};

use crate::codepoints as cp;
use crate::error::{DecodeError, DecodeReason};
use crate::reader::{Reader, put_tlv, put_u24};

/// A link to a neighbour: an entry of TLV 22.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsReach {
    /// The neighbour.
    pub neighbour: SystemId,
    /// Not 0 where the neighbour is a broadcast link.
    pub pseudonode: u8,
    /// The metric, 24 bits.
    pub metric: u32,
    /// More about the link.
    pub sub_tlvs: Vec<IsSubTlv>,
}

/// More about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsSubTlv {
    /// The sender's address on it.
    Ipv4Interface(Ipv4Addr),
    /// The neighbour's address on it.
    Ipv4Neighbour(Ipv4Addr),
    /// A label or index that sends packets over it.
    AdjacencySid {
        /// Flags F, B, V, L, S, P.
        flags: u8,
        /// The share of load.
        weight: u8,
        /// The segment.
        sid: Sid,
    },
    /// A type that this router does not know, or a value not of its type's form.
    Other {
        /// The type.
        kind: u8,
        /// The value as it came.
        value: Vec<u8>,
    },
}

/// A segment identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sid {
    /// A label of the router that announces it.
    Label(Label),
    /// An index into a range of labels.
    Index(u32),
}

/// A prefix: an entry of TLV 135 or 236.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixReach {
    /// The prefix, of either family.
    pub prefix: Prefix,
    /// The metric from the router that announces it.
    pub metric: u32,
    /// It came down from a higher level, or across from another area.
    pub down: bool,
    /// It came from another protocol; IPv6 only, IPv4 cannot say.
    pub external: bool,
    /// More about the prefix.
    pub sub_tlvs: Vec<PrefixSubTlv>,
}

/// More about a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrefixSubTlv {
    /// Its segment.
    PrefixSid {
        /// Flags R, N, P, E, V, L.
        flags: u8,
        /// 0: shortest path.
        algorithm: u8,
        /// The segment.
        sid: Sid,
    },
    /// A type that this router does not know, or a value not of its type's form.
    Other {
        /// The type.
        kind: u8,
        /// The value as it came.
        value: Vec<u8>,
    },
}

impl Sid {
    /// Reads three octets as a label, four as an index, and nothing else.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.len() {
            3 => Ok(Self::Label(Label::masked(reader.u24()?))),
            4 => reader.u32().map(Self::Index),
            _ => Err(reader.error(DecodeReason::Value)),
        }
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Label(label) => put_u24(out, label.value()),
            Self::Index(index) => out.extend_from_slice(&index.to_be_bytes()),
        }
    }

    /// RFC 8667 §2.1.1: flags V and L are both set with a label, and neither with an index.
    const fn agrees_with(self, flags: u8, label_flags: u8) -> bool {
        match self {
            Self::Label(_) => flags & label_flags == label_flags,
            Self::Index(_) => flags & label_flags == 0,
        }
    }
}

/// Reads sub-TLVs to the end; a value that `known` has no use for is kept by `other`.
pub(crate) fn sub_tlvs<'a, T>(
    mut reader: Reader<'a>,
    known: impl Fn(u8, &mut Reader<'a>) -> Result<Option<T>, DecodeError>,
    other: impl Fn(u8, Vec<u8>) -> T,
) -> Result<Vec<T>, DecodeError> {
    let mut all = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8()?;
        let len = reader.u8()?;
        let value = reader.part(usize::from(len))?;
        let mut rest = value;
        let one = known(kind, &mut rest).ok().flatten().filter(|_| rest.is_empty());
        all.push(one.unwrap_or_else(|| other(kind, value.clone().rest().to_vec())));
    }
    Ok(all)
}

/// Appends a length octet and what `value` writes; an empty list where it is too long.
fn put_sub_tlvs(out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(0);
    value(out);
    match (u8::try_from(out.len() - start - 1), out.get_mut(start)) {
        (Ok(len), Some(slot)) => *slot = len,
        (Err(_), _) | (_, None) => out.truncate(start + 1),
    }
}

impl IsReach {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let neighbour = reader.system_id()?;
        let pseudonode = reader.u8()?;
        let metric = reader.u24()?;
        let len = reader.u8()?;
        let part = reader.part(usize::from(len))?;
        let other = |kind, value| IsSubTlv::Other { kind, value };
        let sub_tlvs = sub_tlvs(part, IsSubTlv::decode, other)?;
        Ok(Self { neighbour, pseudonode, metric, sub_tlvs })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.neighbour.0);
        out.push(self.pseudonode);
        put_u24(out, self.metric);
        put_sub_tlvs(out, |out| {
            for sub_tlv in &self.sub_tlvs {
                sub_tlv.encode(out);
            }
        });
    }
}

impl IsSubTlv {
    fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(match kind {
            cp::IS_SUB_IPV4_INTERFACE => Some(Self::Ipv4Interface(reader.ipv4()?)),
            cp::IS_SUB_IPV4_NEIGHBOUR => Some(Self::Ipv4Neighbour(reader.ipv4()?)),
            cp::IS_SUB_ADJACENCY_SID => {
                let (flags, weight, sid) = (reader.u8()?, reader.u8()?, Sid::decode(reader)?);
                sid.agrees_with(flags, cp::ADJACENCY_SID_VALUE | cp::ADJACENCY_SID_LOCAL)
                    .then_some(Self::AdjacencySid { flags, weight, sid })
            }
            _ => None,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ipv4Interface(addr) => put_tlv(out, cp::IS_SUB_IPV4_INTERFACE, |out| {
                out.extend_from_slice(&addr.octets());
            }),
            Self::Ipv4Neighbour(addr) => put_tlv(out, cp::IS_SUB_IPV4_NEIGHBOUR, |out| {
                out.extend_from_slice(&addr.octets());
            }),
            Self::AdjacencySid { flags, weight, sid } => {
                put_tlv(out, cp::IS_SUB_ADJACENCY_SID, |out| {
                    out.extend_from_slice(&[*flags, *weight]);
                    sid.encode(out);
                });
            }
            Self::Other { kind, value } => put_tlv(out, *kind, |out| out.extend_from_slice(value)),
        }
    }
}

/// Up/down, in the control octet of IPv4 and in the flags of IPv6.
const DOWN: u8 = 0x80;
/// Sub-TLVs follow, in the control octet of IPv4.
const IPV4_SUB_TLVS: u8 = 0x40;
/// External, in the flags of IPv6.
const IPV6_EXTERNAL: u8 = 0x40;
/// Sub-TLVs follow, in the flags of IPv6.
const IPV6_SUB_TLVS: u8 = 0x20;

impl PrefixReach {
    /// Reads an entry of TLV 135.
    pub(crate) fn decode_v4(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let metric = reader.u32()?;
        let control = reader.u8()?;
        let len = control & 0x3f;
        let addr = prefix_octets(reader, len)?;
        let prefix = Ipv4Prefix::new(Ipv4Addr::from(addr), len);
        let prefix = prefix.ok_or(reader.error(DecodeReason::Value))?.into();
        let sub_tlvs = PrefixSubTlv::decode_all(reader, control & IPV4_SUB_TLVS != 0)?;
        Ok(Self { prefix, metric, down: control & DOWN != 0, external: false, sub_tlvs })
    }

    /// Reads an entry of TLV 236.
    pub(crate) fn decode_v6(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let metric = reader.u32()?;
        let flags = reader.u8()?;
        let len = reader.u8()?;
        let addr: [u8; 16] = prefix_octets(reader, len)?;
        let prefix = Ipv6Prefix::new(addr.into(), len);
        let prefix = prefix.ok_or(reader.error(DecodeReason::Value))?.into();
        let sub_tlvs = PrefixSubTlv::decode_all(reader, flags & IPV6_SUB_TLVS != 0)?;
        let external = flags & IPV6_EXTERNAL != 0;
        Ok(Self { prefix, metric, down: flags & DOWN != 0, external, sub_tlvs })
    }

    /// The TLV that an entry of this family belongs to.
    pub(crate) const fn kind(&self) -> u8 {
        match self.prefix {
            Prefix::V4(_) => cp::TLV_IPV4_REACHABILITY,
            Prefix::V6(_) => cp::TLV_IPV6_REACHABILITY,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.metric.to_be_bytes());
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let down = flag(self.down, DOWN);
        let with_sub_tlvs = !self.sub_tlvs.is_empty();
        let octets = usize::from(self.prefix.len().div_ceil(8));
        match self.prefix {
            Prefix::V4(prefix) => {
                out.push(down | flag(with_sub_tlvs, IPV4_SUB_TLVS) | prefix.len());
                out.extend(prefix.addr().octets().into_iter().take(octets));
            }
            Prefix::V6(prefix) => {
                let external = flag(self.external, IPV6_EXTERNAL);
                let flags = down | external | flag(with_sub_tlvs, IPV6_SUB_TLVS);
                out.extend_from_slice(&[flags, prefix.len()]);
                out.extend(prefix.addr().octets().into_iter().take(octets));
            }
        }
        if with_sub_tlvs {
            put_sub_tlvs(out, |out| {
                for sub_tlv in &self.sub_tlvs {
                    sub_tlv.encode(out);
                }
            });
        }
    }
}

/// The octets of an address of which only the first `len` bits are on the wire.
fn prefix_octets<const N: usize>(reader: &mut Reader<'_>, len: u8) -> Result<[u8; N], DecodeError> {
    let octets = reader.take(usize::from(len.div_ceil(8)))?;
    let mut addr = [0; N];
    let slots = addr.get_mut(..octets.len()).ok_or(reader.error(DecodeReason::Value))?;
    slots.copy_from_slice(octets);
    Ok(addr)
}

impl PrefixSubTlv {
    fn decode_all(reader: &mut Reader<'_>, present: bool) -> Result<Vec<Self>, DecodeError> {
        if !present {
            return Ok(Vec::new());
        }
        let len = reader.u8()?;
        let part = reader.part(usize::from(len))?;
        sub_tlvs(part, Self::decode, |kind, value| Self::Other { kind, value })
    }

    fn decode(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        if kind != cp::PREFIX_SUB_SID {
            return Ok(None);
        }
        let (flags, algorithm, sid) = (reader.u8()?, reader.u8()?, Sid::decode(reader)?);
        Ok(sid
            .agrees_with(flags, cp::PREFIX_SID_VALUE | cp::PREFIX_SID_LOCAL)
            .then_some(Self::PrefixSid { flags, algorithm, sid }))
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::PrefixSid { flags, algorithm, sid } => {
                put_tlv(out, cp::PREFIX_SUB_SID, |out| {
                    out.extend_from_slice(&[*flags, *algorithm]);
                    sid.encode(out);
                });
            }
            Self::Other { kind, value } => put_tlv(out, *kind, |out| out.extend_from_slice(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{IsReach, IsSubTlv, PrefixReach, PrefixSubTlv, Sid};
    use crate::error::DecodeReason;
    use crate::reader::Reader;
    use crate::tlv::{Tlv, decode};

    fn one(bytes: &[u8]) -> Tlv {
        decode(Reader::new(bytes, 0)).unwrap().remove(0)
    }

    #[test]
    fn prefixes_use_only_the_octets_that_they_need() {
        for (text, octets) in [("0.0.0.0/0", 0), ("10.0.0.0/8", 1), ("10.64.0.0/10", 2)] {
            let entry = PrefixReach {
                prefix: text.parse().unwrap(),
                metric: 1,
                down: true,
                external: false,
                sub_tlvs: Vec::new(),
            };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            assert_eq!(bytes.len(), 5 + octets, "{text}");
            assert_eq!(PrefixReach::decode_v4(&mut Reader::new(&bytes, 0)), Ok(entry));
        }
    }

    #[test]
    fn prefixes_longer_than_an_address_are_malformed() {
        let bytes = [0, 0, 0, 1, 33, 1, 2, 3, 4, 5];
        let error = PrefixReach::decode_v4(&mut Reader::new(&bytes, 0)).unwrap_err();
        assert_eq!(error.reason, DecodeReason::Value);
        let mut bytes = vec![0, 0, 0, 1, 0, 129];
        bytes.extend([0; 17]);
        assert!(PrefixReach::decode_v6(&mut Reader::new(&bytes, 0)).is_err());
    }

    #[test]
    fn a_sid_whose_flags_contradict_its_length_is_kept_unread() {
        // V and L set with an index of four octets.
        let bytes = [135, 17, 0, 0, 0, 0, 0x60, 10, 0, 0, 1, 8, 3, 6, 0x4c, 0, 0, 0, 0, 1, 0];
        let Tlv::Other { kind: 135, .. } = one(&bytes[..19]) else { panic!("trailing octet") };
        let bytes = [135, 18, 0, 0, 0, 0, 0x60, 10, 0, 0, 1, 8, 3, 6, 0x4c, 0, 0, 0, 0, 1];
        let Tlv::PrefixReach(entries) = one(&bytes) else { panic!("not reachability") };
        assert!(matches!(entries[0].sub_tlvs[0], PrefixSubTlv::Other { kind: 3, .. }));
    }

    #[test]
    fn sub_tlvs_not_known_are_written_back() {
        let link = IsReach {
            neighbour: base::SystemId([7; 6]),
            pseudonode: 0,
            metric: 10,
            sub_tlvs: vec![
                IsSubTlv::Other { kind: 250, value: vec![1, 2] },
                IsSubTlv::AdjacencySid { flags: 0, weight: 3, sid: Sid::Index(9) },
            ],
        };
        let mut bytes = Vec::new();
        link.encode(&mut bytes);
        assert_eq!(IsReach::decode(&mut Reader::new(&bytes, 0)), Ok(link));
    }
}
