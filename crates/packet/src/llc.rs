//! Logical link control: the three octets in front of an ISO protocol data unit on Ethernet.
//!
//! IS-IS is sent in 802.3 frames to the service access point 0xfe as unnumbered information;
//! the protocol data unit that follows begins with 0x83.
//!
//! Standards: IEEE 802.2 (type 1 unnumbered information), ISO 10589 §8.4.8.
//! Not implemented: every other service access point and SNAP.

use crate::DecodeError;
use crate::error::{octets, rest};

/// The header in front of every ISO protocol data unit.
pub const ISO: [u8; 3] = [0xfe, 0xfe, 0x03];

/// The ISO protocol data unit behind the header.
pub fn decode(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let header: [u8; 3] = octets(bytes, 0)?;
    match header.iter().zip(ISO).position(|(found, expected)| *found != expected) {
        Some(at) => Err(DecodeError::Value { at }),
        None => rest(bytes, ISO.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::{ISO, decode};
    use crate::DecodeError;

    // The first octets behind the Ethernet header of frame 1 of an FRR 8.4.4 IS-IS capture.
    const HELLO: [u8; 6] = [0xfe, 0xfe, 0x03, 0x83, 0x14, 0x01];

    #[test]
    fn header_of_frr_is_read_and_every_truncation_refused() {
        assert_eq!(decode(&HELLO), Ok(&HELLO[3..]));
        for len in 0..ISO.len() {
            assert_eq!(decode(&HELLO[..len]), Err(DecodeError::Truncated { at: len }));
        }
    }

    #[test]
    fn only_the_iso_service_access_point_is_read() {
        assert_eq!(decode(&[0xfe, 0xfe, 0x03]), Ok(&[][..]));
        assert_eq!(decode(&[0xaa, 0xaa, 0x03]), Err(DecodeError::Value { at: 0 }));
        assert_eq!(decode(&[0xfe, 0xfe, 0x13]), Err(DecodeError::Value { at: 2 }));
    }
}
