//! The type-length-value fields that follow every PDU's header.
//!
//! All PDUs share one list of TLVs. One that is not known, or not of its form, is kept as it came:
//! link-state PDUs are flooded whole whether or not this router understands their contents
//! (RFC 8918), and a fault in one TLV must not hide the others. Only a TLV that reaches past the
//! end makes a PDU malformed. Lists too long for one TLV are written as several of one type.
//!
//! Standards: ISO 10589 §9, RFC 1195 §5.3 (TLV 129, 132), RFC 5301 (137), RFC 5303 (240), RFC 5304
//! and RFC 5310 (10), RFC 5305 (22, 134, 135), RFC 5308 (232, 236), RFC 6232 (13), RFC 7981 (242),
//! RFC 8918 (TLVs that are not understood).
//! Not implemented: narrow metrics (TLV 2, 128, 130), multiple topologies (222, 229, 235, 237),
//! restart signalling (211), SRLG and link delay.

use core::net::{Ipv4Addr, Ipv6Addr};

use base::{RouterId, SystemId};

use crate::capability::Capability;
use crate::codepoints as cp;
use crate::error::{DecodeError, DecodeReason};
use crate::reachability::{IsReach, PrefixReach};
use crate::reader::{Reader, put_tlv};
use crate::snp::LspEntry;

/// One TLV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tlv {
    /// The area addresses of the sender.
    AreaAddresses(Vec<Vec<u8>>),
    /// Octets that only make a hello longer.
    Padding(u8),
    /// Link-state PDUs of a database, in short.
    LspEntries(Vec<LspEntry>),
    /// A signature.
    Authentication {
        /// How it is made.
        kind: u8,
        /// Key number, where there is one, and digest.
        value: Vec<u8>,
    },
    /// The router that started a purge, and the one it got the PDU from.
    PurgeOriginator(SystemId, Option<SystemId>),
    /// Links to other routers.
    IsReach(Vec<IsReach>),
    /// The network protocols that the sender forwards, by their identifiers.
    Protocols(Vec<u8>),
    /// IPv4 addresses of the sender: in a hello, of this interface.
    Ipv4Addresses(Vec<Ipv4Addr>),
    /// IPv6 addresses of the sender: in a hello, link-local ones of this interface.
    Ipv6Addresses(Vec<Ipv6Addr>),
    /// The sender's router id for traffic engineering.
    RouterId(RouterId),
    /// Prefixes reached through the sender, of both families.
    PrefixReach(Vec<PrefixReach>),
    /// The sender's name, of printable ASCII characters.
    Hostname(String),
    /// The state of the three-way handshake.
    ThreeWay(ThreeWay),
    /// What the sender is capable of.
    Capability(Capability),
    /// A type that this router does not know, or a value not of its type's form.
    Other {
        /// The type.
        kind: u8,
        /// The value as it came.
        value: Vec<u8>,
    },
}

/// The state of an adjacency on a point-to-point circuit (RFC 5303 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjacencyState {
    /// The neighbour is not heard.
    Down,
    /// The neighbour is heard and is not known to hear us.
    Initializing,
    /// Both hear each other.
    Up,
}

/// The contents of the three-way adjacency TLV (RFC 5303 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreeWay {
    /// The adjacency as the sender sees it.
    pub state: AdjacencyState,
    /// The sender's number of this circuit.
    pub circuit: Option<u32>,
    /// The router that the sender hears.
    pub neighbour: Option<SystemId>,
    /// That router's number of this circuit.
    pub neighbour_circuit: Option<u32>,
}

impl ThreeWay {
    fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let state = match reader.u8()? {
            0 => AdjacencyState::Up,
            1 => AdjacencyState::Initializing,
            2 => AdjacencyState::Down,
            _ => return Err(reader.error(DecodeReason::Value)),
        };
        let mut three_way = Self { state, circuit: None, neighbour: None, neighbour_circuit: None };
        if !reader.is_empty() {
            three_way.circuit = Some(reader.u32()?);
        }
        if !reader.is_empty() {
            three_way.neighbour = Some(reader.system_id()?);
        }
        if !reader.is_empty() {
            three_way.neighbour_circuit = Some(reader.u32()?);
        }
        // RFC 5303 §3.1: octets after the fields that are known are ignored.
        Ok(three_way)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.state {
            AdjacencyState::Up => 0,
            AdjacencyState::Initializing => 1,
            AdjacencyState::Down => 2,
        });
        let Some(circuit) = self.circuit else { return };
        out.extend_from_slice(&circuit.to_be_bytes());
        let Some(neighbour) = self.neighbour else { return };
        out.extend_from_slice(&neighbour.0);
        let Some(circuit) = self.neighbour_circuit else { return };
        out.extend_from_slice(&circuit.to_be_bytes());
    }
}

/// Reads TLVs to the end of the PDU.
pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Vec<Tlv>, DecodeError> {
    let mut tlvs = Vec::new();
    while !reader.is_empty() {
        let at = reader;
        let past_end = |_| at.error(DecodeReason::TlvLength);
        let kind = reader.u8().map_err(past_end)?;
        let len = reader.u8().map_err(past_end)?;
        let value = reader.part(usize::from(len)).map_err(past_end)?;
        tlvs.push(
            decode_value(kind, len, value)
                .unwrap_or_else(|_| Tlv::Other { kind, value: value.clone().rest().to_vec() }),
        );
    }
    Ok(tlvs)
}

/// Appends TLVs.
pub(crate) fn encode(tlvs: &[Tlv], out: &mut Vec<u8>) {
    for tlv in tlvs {
        tlv.encode(out);
    }
}

fn decode_value(kind: u8, len: u8, mut reader: Reader<'_>) -> Result<Tlv, DecodeError> {
    let tlv = match kind {
        cp::TLV_AREA_ADDRESSES => Tlv::AreaAddresses(list(&mut reader, area)?),
        cp::TLV_PADDING => return Ok(Tlv::Padding(len)),
        cp::TLV_LSP_ENTRIES => Tlv::LspEntries(list(&mut reader, LspEntry::decode)?),
        cp::TLV_AUTHENTICATION => {
            Tlv::Authentication { kind: reader.u8()?, value: reader.rest().to_vec() }
        }
        cp::TLV_PURGE_ORIGINATOR => purge_originator(&mut reader)?,
        cp::TLV_IS_REACHABILITY => Tlv::IsReach(list(&mut reader, IsReach::decode)?),
        cp::TLV_PROTOCOLS => Tlv::Protocols(reader.rest().to_vec()),
        cp::TLV_IPV4_ADDRESSES => Tlv::Ipv4Addresses(list(&mut reader, Reader::ipv4)?),
        cp::TLV_IPV6_ADDRESSES => Tlv::Ipv6Addresses(list(&mut reader, Reader::ipv6)?),
        cp::TLV_ROUTER_ID => Tlv::RouterId(RouterId(reader.ipv4()?)),
        cp::TLV_IPV4_REACHABILITY => Tlv::PrefixReach(list(&mut reader, PrefixReach::decode_v4)?),
        cp::TLV_IPV6_REACHABILITY => Tlv::PrefixReach(list(&mut reader, PrefixReach::decode_v6)?),
        cp::TLV_HOSTNAME => Tlv::Hostname(hostname(&mut reader)?),
        cp::TLV_THREE_WAY => return ThreeWay::decode(reader).map(Tlv::ThreeWay),
        cp::TLV_CAPABILITY => Tlv::Capability(Capability::decode(&mut reader)?),
        _ => Tlv::Other { kind, value: reader.rest().to_vec() },
    };
    if reader.is_empty() { Ok(tlv) } else { Err(reader.error(DecodeReason::Value)) }
}

fn list<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = Vec::new();
    while !reader.is_empty() {
        items.push(item(reader)?);
    }
    // An empty list would be written as nothing at all.
    if items.is_empty() { Err(reader.error(DecodeReason::Value)) } else { Ok(items) }
}

fn area(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let len = reader.u8()?;
    reader.take(usize::from(len)).map(<[u8]>::to_vec)
}

fn purge_originator(reader: &mut Reader<'_>) -> Result<Tlv, DecodeError> {
    match reader.u8()? {
        1 => Ok(Tlv::PurgeOriginator(reader.system_id()?, None)),
        2 => Ok(Tlv::PurgeOriginator(reader.system_id()?, Some(reader.system_id()?))),
        _ => Err(reader.error(DecodeReason::Value)),
    }
}

// RFC 5301 §3: seven-bit ASCII. Others are refused, as names end up on people's terminals.
fn hostname(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let error = reader.error(DecodeReason::Value);
    let text = core::str::from_utf8(reader.rest()).map_err(|_| error)?;
    let printable = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if printable { Ok(text.to_owned()) } else { Err(error) }
}

impl Tlv {
    /// Appends the TLV; a list too long for one is written as several, an item too long for any
    /// is left out.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::AreaAddresses(areas) => put_list(out, areas, |out, area| {
                if let Ok(len) = u8::try_from(area.len()) {
                    out.push(len);
                    out.extend_from_slice(area);
                }
                cp::TLV_AREA_ADDRESSES
            }),
            Self::Padding(len) => {
                out.extend_from_slice(&[cp::TLV_PADDING, *len]);
                out.resize(out.len() + usize::from(*len), 0);
            }
            Self::LspEntries(entries) => put_list(out, entries, |out, entry| {
                entry.encode(out);
                cp::TLV_LSP_ENTRIES
            }),
            Self::Authentication { kind, value } => put_tlv(out, cp::TLV_AUTHENTICATION, |out| {
                out.push(*kind);
                out.extend_from_slice(value);
            }),
            Self::PurgeOriginator(by, from) => put_tlv(out, cp::TLV_PURGE_ORIGINATOR, |out| {
                out.push(1 + u8::from(from.is_some()));
                out.extend_from_slice(&by.0);
                out.extend(from.iter().flat_map(|from| from.0));
            }),
            Self::IsReach(links) => put_list(out, links, |out, link| {
                link.encode(out);
                cp::TLV_IS_REACHABILITY
            }),
            Self::Protocols(protocols) => {
                put_tlv(out, cp::TLV_PROTOCOLS, |out| out.extend_from_slice(protocols));
            }
            Self::Ipv4Addresses(addrs) => put_list(out, addrs, |out, addr| {
                out.extend_from_slice(&addr.octets());
                cp::TLV_IPV4_ADDRESSES
            }),
            Self::Ipv6Addresses(addrs) => put_list(out, addrs, |out, addr| {
                out.extend_from_slice(&addr.octets());
                cp::TLV_IPV6_ADDRESSES
            }),
            Self::RouterId(id) => {
                put_tlv(out, cp::TLV_ROUTER_ID, |out| out.extend_from_slice(&id.0.octets()));
            }
            Self::PrefixReach(prefixes) => put_list(out, prefixes, |out, prefix| {
                prefix.encode(out);
                prefix.kind()
            }),
            Self::Hostname(name) => {
                put_tlv(out, cp::TLV_HOSTNAME, |out| out.extend_from_slice(name.as_bytes()));
            }
            Self::ThreeWay(state) => put_tlv(out, cp::TLV_THREE_WAY, |out| state.encode(out)),
            Self::Capability(capability) => {
                put_tlv(out, cp::TLV_CAPABILITY, |out| capability.encode(out));
            }
            Self::Other { kind, value } => {
                put_tlv(out, *kind, |out| out.extend_from_slice(value));
            }
        }
    }

    /// Whether a signed purge may carry it.
    pub(crate) const fn is_allowed_in_purge(&self) -> bool {
        match self {
            Self::Authentication { .. } | Self::PurgeOriginator(..) | Self::Hostname(_) => true,
            // RFC 6233 §2 and the registry's column "Purge".
            Self::Other { kind, .. } => matches!(
                *kind,
                cp::TLV_INSTANCE_ID
                    | cp::TLV_SEQUENCE_NUMBER
                    | cp::TLV_PURGE_ORIGINATOR
                    | cp::TLV_FINGERPRINT
                    | cp::TLV_HOSTNAME
            ),
            Self::AreaAddresses(_)
            | Self::Padding(_)
            | Self::LspEntries(_)
            | Self::IsReach(_)
            | Self::Protocols(_)
            | Self::Ipv4Addresses(_)
            | Self::Ipv6Addresses(_)
            | Self::RouterId(_)
            | Self::PrefixReach(_)
            | Self::ThreeWay(_)
            | Self::Capability(_) => false,
        }
    }
}

/// Writes items into as few TLVs as keep their order; `item` tells the type that it belongs to.
fn put_list<T>(out: &mut Vec<u8>, items: &[T], item: impl Fn(&mut Vec<u8>, &T) -> u8) {
    let mut open: Option<(u8, usize)> = None;
    let mut scratch = Vec::new();
    for one in items {
        scratch.clear();
        let kind = item(&mut scratch, one);
        let Ok(len) = u8::try_from(scratch.len()) else { continue };
        let room = open.and_then(|(of, at)| {
            let so_far = *out.get(at)?;
            (of == kind).then_some((at, so_far.checked_add(len)?))
        });
        let (at, total) = room.unwrap_or_else(|| {
            out.extend_from_slice(&[kind, 0]);
            (out.len() - 1, len)
        });
        out.extend_from_slice(&scratch);
        if let Some(slot) = out.get_mut(at) {
            *slot = total;
        }
        open = Some((kind, at));
    }
}

#[cfg(test)]
mod tests {
    use super::{AdjacencyState, ThreeWay, Tlv, decode, encode};
    use crate::error::DecodeReason;
    use crate::reader::Reader;
    use base::SystemId;
    use core::net::Ipv4Addr;

    fn decode_all(bytes: &[u8]) -> Vec<Tlv> {
        decode(Reader::new(bytes, 0)).unwrap()
    }

    #[test]
    fn long_lists_are_split_into_several_tlvs() {
        let addrs: Vec<Ipv4Addr> = (0..100).map(Ipv4Addr::from_bits).collect();
        let mut bytes = Vec::new();
        Tlv::Ipv4Addresses(addrs.clone()).encode(&mut bytes);
        let tlvs = decode_all(&bytes);
        assert_eq!(
            tlvs,
            [Tlv::Ipv4Addresses(addrs[..63].to_vec()), Tlv::Ipv4Addresses(addrs[63..].to_vec())]
        );
    }

    #[test]
    fn a_malformed_value_is_kept_as_it_came_and_hides_no_other() {
        let bytes = [132, 3, 1, 2, 3, 129, 1, 0xcc, 137, 2, 0x1b, b'c'];
        let tlvs = decode_all(&bytes);
        assert_eq!(
            tlvs,
            [
                Tlv::Other { kind: 132, value: vec![1, 2, 3] },
                Tlv::Protocols(vec![0xcc]),
                Tlv::Other { kind: 137, value: vec![0x1b, b'c'] },
            ]
        );
        let mut again = Vec::new();
        encode(&tlvs, &mut again);
        assert_eq!(again, bytes);
    }

    #[test]
    fn a_tlv_past_the_end_is_an_error_at_its_type() {
        let error = decode(Reader::new(&[129, 1, 0xcc, 1, 2, 0], 27)).unwrap_err();
        assert_eq!((error.reason, error.offset), (DecodeReason::TlvLength, 30));
    }

    #[test]
    fn the_three_way_tlv_may_end_after_each_field() {
        let neighbour = Some(SystemId([1; 6]));
        let full = ThreeWay {
            state: AdjacencyState::Initializing,
            circuit: Some(7),
            neighbour,
            neighbour_circuit: Some(9),
        };
        let shorter = [
            ThreeWay { neighbour_circuit: None, ..full },
            ThreeWay { neighbour_circuit: None, neighbour: None, ..full },
            ThreeWay { neighbour_circuit: None, neighbour: None, circuit: None, ..full },
        ];
        for three_way in [full].into_iter().chain(shorter) {
            let mut bytes = Vec::new();
            Tlv::ThreeWay(three_way).encode(&mut bytes);
            assert_eq!(decode_all(&bytes), [Tlv::ThreeWay(three_way)]);
        }
    }
}
