//! The UDP header.
//!
//! Standards: RFC 768, RFC 8200 §8.1 (over IPv6 the checksum is mandatory).
//! Not implemented: zero checksums over IPv6 for tunnels (RFC 6935).

use core::net::IpAddr;

use crate::DecodeError;
use crate::checksum::Checksum;
use crate::error::{number16, rest};

/// The length of the header.
pub const HEADER_LEN: usize = 8;
/// The protocol number in IP.
pub const PROTOCOL: u8 = 17;

/// A UDP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// The length of header and payload.
    pub length: u16,
    /// The checksum; zero where the sender made none.
    pub checksum: u16,
}

impl Header {
    /// Reads the header and returns the payload, trimmed to the length; the checksum is left to
    /// [`checksum_is_right`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let header = Self {
            source_port: number16(bytes, 0)?,
            destination_port: number16(bytes, 2)?,
            length: number16(bytes, 4)?,
            checksum: number16(bytes, 6)?,
        };
        let payload_len = usize::from(header.length).checked_sub(HEADER_LEN);
        let payload = rest(bytes, HEADER_LEN)?;
        let payload = payload_len.and_then(|len| payload.get(..len));
        Ok((header, payload.ok_or(DecodeError::Length { at: 4 })?))
    }

    /// The octets of the header.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        let [a, b] = self.source_port.to_be_bytes();
        let [c, d] = self.destination_port.to_be_bytes();
        let [e, f] = self.length.to_be_bytes();
        let [g, h] = self.checksum.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// Whether the checksum of a datagram is right or, over IPv4, absent.
#[must_use]
pub fn checksum_is_right(source: IpAddr, destination: IpAddr, datagram: &[u8]) -> bool {
    let Ok((header, payload)) = Header::decode(datagram) else { return false };
    if header.checksum == 0 {
        return source.is_ipv4();
    }
    let len = usize::from(header.length);
    let mut checksum = Checksum::pseudo(source, destination, PROTOCOL, len);
    checksum.add(&header.encode());
    checksum.add(payload);
    checksum.value() == 0
}

/// A datagram: header with checksum, and payload, which is cut at 65,527 octets.
#[must_use]
pub fn encode(
    (source, source_port): (IpAddr, u16),
    (destination, destination_port): (IpAddr, u16),
    payload: &[u8],
) -> Vec<u8> {
    let payload = payload.get(..usize::from(u16::MAX) - HEADER_LEN).unwrap_or(payload);
    let length = u16::try_from(HEADER_LEN + payload.len()).unwrap_or(u16::MAX);
    let mut header = Header { source_port, destination_port, length, checksum: 0 };
    let mut checksum = Checksum::pseudo(source, destination, PROTOCOL, usize::from(length));
    checksum.add(&header.encode());
    checksum.add(payload);
    // RFC 768: a computed zero is sent as all ones.
    header.checksum = if checksum.value() == 0 { 0xffff } else { checksum.value() };
    let mut datagram = header.encode().to_vec();
    datagram.extend(payload);
    datagram
}

#[cfg(test)]
mod tests {
    use super::{Header, checksum_is_right, encode};
    use crate::DecodeError;
    use proptest::prelude::*;
    use std::net::IpAddr;

    // The UDP header of frame 11 of an FRR 8.4.4 capture: a BFD packet of 24 octets.
    const BFD: [u8; 8] = [0xc0, 0x00, 0x0e, 0xc8, 0x00, 0x20, 0x2c, 0x34];

    #[test]
    fn header_of_frr_is_read_and_written_alike() {
        let mut datagram = BFD.to_vec();
        datagram.resize(40, 0);
        let (header, payload) = Header::decode(&datagram).unwrap();
        assert_eq!((header.source_port, header.destination_port), (49_152, 3784));
        assert_eq!((header.length, payload.len()), (32, 24));
        assert_eq!(header.encode(), BFD);
    }

    #[test]
    fn truncation_and_wrong_lengths_are_refused() {
        for len in 0..8 {
            assert_eq!(Header::decode(&BFD[..len]), Err(DecodeError::Truncated { at: len }));
        }
        assert_eq!(Header::decode(&BFD), Err(DecodeError::Length { at: 4 }));
        let short = [0, 1, 0, 2, 0, 7, 0, 0];
        assert_eq!(Header::decode(&short), Err(DecodeError::Length { at: 4 }));
    }

    #[test]
    fn absent_checksum_is_right_over_ipv4_alone() {
        let datagram = [0, 1, 0, 2, 0, 8, 0, 0];
        let (v4, v6): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        assert!(checksum_is_right(v4, v4, &datagram));
        assert!(!checksum_is_right(v6, v6, &datagram));
    }

    proptest! {
        #[test]
        fn round_trip(
            source: IpAddr, destination: IpAddr, ports: (u16, u16), payload: Vec<u8>, at: usize,
        ) {
            let mut datagram = encode((source, ports.0), (destination, ports.1), &payload);
            prop_assert!(checksum_is_right(source, destination, &datagram));
            let (header, read) = Header::decode(&datagram).unwrap();
            prop_assert_eq!((header.source_port, header.destination_port), ports);
            prop_assert_eq!(read, payload);
            let at = at % datagram.len();
            datagram[at] ^= 0x10;
            prop_assert!(!checksum_is_right(source, destination, &datagram));
        }
    }
}
