//! The hello of point-to-point links: finds the neighbour and keeps the adjacency.
//!
//! Besides its header it carries what the adjacency is judged by: protocols, addresses, the state
//! of the three-way handshake. Until the adjacency is up it is padded to the size of the link, so
//! that a link too small for link-state PDUs never gets one.
//!
//! Standards: ISO 10589 §8.2.3 and §9.7, RFC 1195 §3.3, RFC 3719 §6 (padding only while coming
//! up), RFC 5303.
//! Not implemented: broadcast links, level 1, BFD-enabled TLV (RFC 6213), restart signalling.

use core::net::{Ipv4Addr, Ipv6Addr};

use base::SystemId;

use crate::codepoints as cp;
use crate::error::DecodeError;
use crate::pdu::{finish, put_header};
use crate::reader::Reader;
use crate::tlv::{self, ThreeWay, Tlv};

/// A point-to-point hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Bit 0: level 1, bit 1: level 2.
    pub circuit_type: u8,
    /// The sender.
    pub source: SystemId,
    /// Seconds after which the sender is to be taken for gone.
    pub holding_time: u16,
    /// The sender's number of this circuit, lower octet.
    pub circuit_id: u8,
    /// Everything else.
    pub tlvs: Vec<Tlv>,
}

impl Hello {
    pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        // ISO 10589 §9.7: the upper six bits are reserved and ignored.
        let circuit_type = reader.u8()? & 3;
        let source = reader.system_id()?;
        let holding_time = reader.u16()?;
        reader.u16()?;
        let circuit_id = reader.u8()?;
        let tlvs = tlv::decode(reader)?;
        Ok(Self { circuit_type, source, holding_time, circuit_id, tlvs })
    }

    /// The PDU's octets; padded to `len` where it is shorter.
    #[must_use]
    pub fn encode(&self, len: Option<usize>) -> Vec<u8> {
        let mut out = Vec::with_capacity(len.unwrap_or(128));
        put_header(&mut out, cp::PDU_HELLO_P2P, cp::HELLO_HEADER_LEN);
        out.push(self.circuit_type);
        out.extend_from_slice(&self.source.0);
        out.extend_from_slice(&self.holding_time.to_be_bytes());
        out.extend_from_slice(&[0, 0, self.circuit_id]);
        tlv::encode(&self.tlvs, &mut out);
        pad(&mut out, len.unwrap_or(0));
        finish(out, 17)
    }

    pub(crate) fn three_way(&self) -> Option<ThreeWay> {
        self.tlvs.iter().find_map(|tlv| {
            let Tlv::ThreeWay(state) = tlv else { return None };
            Some(*state)
        })
    }

    pub(crate) fn ipv4(&self) -> Option<Ipv4Addr> {
        let first = |tlv: &Tlv| {
            let Tlv::Ipv4Addresses(addrs) = tlv else { return None };
            addrs.first().copied()
        };
        self.tlvs.iter().find_map(first)
    }

    pub(crate) fn ipv6(&self) -> Option<Ipv6Addr> {
        let first = |tlv: &Tlv| {
            let Tlv::Ipv6Addresses(addrs) = tlv else { return None };
            addrs.first().copied()
        };
        self.tlvs.iter().find_map(first)
    }

    /// Whether the sender forwards one of `protocols`.
    pub(crate) fn shares_protocol(&self, protocols: &[u8]) -> bool {
        self.tlvs.iter().any(|tlv| {
            let Tlv::Protocols(theirs) = tlv else { return false };
            theirs.iter().any(|protocol| protocols.contains(protocol))
        })
    }
}

/// Fills up to `len` with padding TLVs; one octet short where a TLV would not fit.
fn pad(out: &mut Vec<u8>, len: usize) {
    while let Some(room) = len.saturating_sub(out.len()).checked_sub(2) {
        // One octet alone could not be filled afterwards.
        let value = if room == 256 { 254 } else { room.min(255) };
        Tlv::Padding(u8::try_from(value).unwrap_or(u8::MAX)).encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::{Hello, pad};
    use crate::golden;
    use crate::pdu::{Pdu, decode};
    use crate::tlv::{AdjacencyState, ThreeWay, Tlv};
    use base::SystemId;

    fn captured(hex: &str) -> Hello {
        let Pdu::Hello(hello) = decode(&golden::hello(hex)).unwrap() else { panic!("not a hello") };
        hello
    }

    #[test]
    fn captured_hellos_show_the_three_states_of_the_handshake() {
        let (r1, r2) = (SystemId([0, 0, 0, 0, 0, 1]), SystemId([0, 0, 0, 0, 0, 2]));
        let first = captured(golden::HELLO_DOWN);
        assert_eq!((first.circuit_type, first.source, first.holding_time), (2, r1, 3));
        assert_eq!(first.ipv4().unwrap().to_string(), "10.0.12.1");
        assert!(first.shares_protocol(&[0xcc]) && !first.shares_protocol(&[0x8e]));
        let state = |hex| captured(hex).three_way().unwrap();
        assert_eq!(
            state(golden::HELLO_DOWN),
            ThreeWay {
                state: AdjacencyState::Down,
                circuit: Some(1),
                neighbour: None,
                neighbour_circuit: None
            }
        );
        let seen = |state, neighbour| ThreeWay {
            state,
            circuit: Some(1),
            neighbour: Some(neighbour),
            neighbour_circuit: Some(1),
        };
        assert_eq!(state(golden::HELLO_INITIALIZING), seen(AdjacencyState::Initializing, r2));
        assert_eq!(state(golden::HELLO_UP), seen(AdjacencyState::Up, r1));
    }

    #[test]
    fn captured_hellos_encode_back_with_the_same_padding() {
        for hex in
            [golden::HELLO_DOWN, golden::HELLO_INITIALIZING, golden::HELLO_UP, golden::HELLO_SIGNED]
        {
            let mut hello = captured(hex);
            assert_eq!(hello.encode(None), golden::hello(hex));
            hello.tlvs.retain(|tlv| !matches!(tlv, Tlv::Padding(_)));
            assert_eq!(hello.encode(Some(1497)), golden::hello(hex));
        }
    }

    #[test]
    fn padding_reaches_every_length_but_one_octet_more() {
        for len in 40..1500 {
            let mut out = vec![0; 40];
            pad(&mut out, len);
            assert_eq!(out.len(), if len == 41 { 40 } else { len });
        }
    }
}
