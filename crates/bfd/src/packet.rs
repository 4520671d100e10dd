//! The control packet: 24 octets, the same in both directions.
//!
//! Decoding makes the checks of RFC 5880 §6.8.6 that need no session; those that do are made by
//! [`crate::Session`]. Octets after the length that the packet states are padding.
//!
//! Standards: RFC 5880 §4.1 (format), §6.8.6 (reception checks).
//! Not implemented: the authentication section (RFC 5880 §4.2 to §4.4); a packet that has one is
//! refused.

use crate::{DecodeError, Diagnostic, State};

/// The length of every control packet that is sent.
pub const PACKET_LENGTH: usize = 24;

const VERSION: u8 = 1;
const LENGTH: u8 = 24;

const POLL: u8 = 0b10_0000;
const FINAL: u8 = 0b01_0000;
const CONTROL_PLANE_INDEPENDENT: u8 = 0b00_1000;
const AUTHENTICATION: u8 = 0b00_0100;
const DEMAND: u8 = 0b00_0010;
const MULTIPOINT: u8 = 0b00_0001;

/// A control packet. Intervals are in microseconds, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPacket {
    /// Why the sender last changed its state.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// The sender wants an answer with `final_bit` set.
    pub poll: bool,
    /// The answer to a poll.
    pub final_bit: bool,
    /// The sender's BFD does not share fate with its control plane.
    pub control_plane_independent: bool,
    /// The sender is in demand mode and wants no periodic packets.
    pub demand: bool,
    /// How many intervals of silence mean that the sender is lost.
    pub detect_multiplier: u8,
    /// The sender's name for the session.
    pub my_discriminator: u32,
    /// The receiver's name for the session, as far as the sender knows it; else zero.
    pub your_discriminator: u32,
    /// The shortest interval that the sender wants to send at.
    pub desired_min_tx_micros: u32,
    /// The shortest interval that the sender can receive at; zero: it wants no periodic packets.
    pub required_min_rx_micros: u32,
    /// The shortest interval of echo packets that the sender can loop; zero: none.
    pub required_min_echo_rx_micros: u32,
}

/// Reads a control packet.
///
/// # Errors
///
/// Where RFC 5880 §6.8.6 tells every receiver to discard the octets.
pub fn decode(bytes: &[u8]) -> Result<ControlPacket, DecodeError> {
    let (header, _) = bytes.split_first_chunk::<PACKET_LENGTH>().ok_or(DecodeError::Truncated)?;
    let [first, flags, detect_multiplier, length, words @ ..] = *header;
    let [m0, m1, m2, m3, y0, y1, y2, y3, intervals @ ..] = words;
    let [t0, t1, t2, t3, r0, r1, r2, r3, e0, e1, e2, e3] = intervals;
    let my_discriminator = u32::from_be_bytes([m0, m1, m2, m3]);

    if first >> 5 != VERSION {
        return Err(DecodeError::Version);
    }
    if length < LENGTH {
        return Err(DecodeError::LengthTooSmall);
    }
    if usize::from(length) > bytes.len() {
        return Err(DecodeError::LengthTooLarge);
    }
    if detect_multiplier == 0 {
        return Err(DecodeError::ZeroMultiplier);
    }
    if flags & MULTIPOINT != 0 {
        return Err(DecodeError::Multipoint);
    }
    if my_discriminator == 0 {
        return Err(DecodeError::ZeroDiscriminator);
    }
    if flags & AUTHENTICATION != 0 {
        return Err(DecodeError::Authenticated);
    }
    Ok(ControlPacket {
        diagnostic: Diagnostic::from_bits(first),
        state: State::from_bits(flags >> 6),
        poll: flags & POLL != 0,
        final_bit: flags & FINAL != 0,
        control_plane_independent: flags & CONTROL_PLANE_INDEPENDENT != 0,
        demand: flags & DEMAND != 0,
        detect_multiplier,
        my_discriminator,
        your_discriminator: u32::from_be_bytes([y0, y1, y2, y3]),
        desired_min_tx_micros: u32::from_be_bytes([t0, t1, t2, t3]),
        required_min_rx_micros: u32::from_be_bytes([r0, r1, r2, r3]),
        required_min_echo_rx_micros: u32::from_be_bytes([e0, e1, e2, e3]),
    })
}

impl ControlPacket {
    /// Writes the packet.
    #[must_use]
    pub fn encode(&self) -> [u8; PACKET_LENGTH] {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | bit(self.poll, POLL)
            | bit(self.final_bit, FINAL)
            | bit(self.control_plane_independent, CONTROL_PLANE_INDEPENDENT)
            | bit(self.demand, DEMAND);
        let [m0, m1, m2, m3] = self.my_discriminator.to_be_bytes();
        let [y0, y1, y2, y3] = self.your_discriminator.to_be_bytes();
        let [t0, t1, t2, t3] = self.desired_min_tx_micros.to_be_bytes();
        let [r0, r1, r2, r3] = self.required_min_rx_micros.to_be_bytes();
        let [e0, e1, e2, e3] = self.required_min_echo_rx_micros.to_be_bytes();
        let first = VERSION << 5 | self.diagnostic.bits();
        [
            first,
            flags,
            self.detect_multiplier,
            LENGTH, //
            m0,
            m1,
            m2,
            m3,
            y0,
            y1,
            y2,
            y3, //
            t0,
            t1,
            t2,
            t3,
            r0,
            r1,
            r2,
            r3,
            e0,
            e1,
            e2,
            e3,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{ControlPacket, PACKET_LENGTH, decode};
    use crate::{DecodeError, Diagnostic, State};
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// Frames 11 to 19 of a session between two FRR 8.4.4 routers coming up.
    const GOLDEN: [&str; 6] = [
        "20400318dc7ebec300000000000f4240000f42400000c350",
        "20800318becf0cf5dc7ebec3000f4240000f42400000c350",
        "20e00318dc7ebec3becf0cf5000186a0000186a00000c350",
        "20e00318becf0cf5dc7ebec3000186a0000186a00000c350",
        "20d00318becf0cf5dc7ebec3000186a0000186a00000c350",
        "20c00318becf0cf5dc7ebec3000186a0000186a00000c350",
    ];

    #[test]
    fn packets_of_another_implementation_read_as_sent_and_write_back_the_same() {
        let plain = ControlPacket {
            diagnostic: Diagnostic::None,
            state: State::Up,
            poll: false,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            detect_multiplier: 3,
            my_discriminator: 0xbecf_0cf5,
            your_discriminator: 0xdc7e_bec3,
            desired_min_tx_micros: 100_000,
            required_min_rx_micros: 100_000,
            required_min_echo_rx_micros: 50_000,
        };
        let slow = |packet: ControlPacket| ControlPacket {
            desired_min_tx_micros: 1_000_000,
            required_min_rx_micros: 1_000_000,
            ..packet
        };
        let (far, near) = (0xbecf_0cf5, 0xdc7e_bec3);
        let other = ControlPacket { my_discriminator: near, your_discriminator: far, ..plain };
        let expected = [
            slow(ControlPacket { state: State::Down, your_discriminator: 0, ..other }),
            slow(ControlPacket { state: State::Init, ..plain }),
            ControlPacket { poll: true, ..other },
            ControlPacket { poll: true, ..plain },
            ControlPacket { final_bit: true, ..plain },
            plain,
        ];
        for (text, expected) in GOLDEN.iter().zip(expected) {
            let bytes = hex(text);
            assert_eq!(decode(&bytes), Ok(expected), "{text}");
            assert_eq!(expected.encode().as_slice(), bytes, "{text}");
        }
    }

    /// FRR 8.4.4 beside this router: shut down by its administrator, which it says once, without a
    /// diagnostic; and after silence, still with the interval of a session that is up.
    const GOLDEN_ENDS: [&str; 2] = [
        "20000418f2f334ba00000001000493e000030d400000c350",
        "2140041807fe665500000000000493e000030d400000c350",
    ];

    #[test]
    fn packets_of_another_implementations_ends_read_as_sent_and_write_back_the_same() {
        let shut = ControlPacket {
            diagnostic: Diagnostic::None,
            state: State::AdminDown,
            poll: false,
            final_bit: false,
            control_plane_independent: false,
            demand: false,
            detect_multiplier: 4,
            my_discriminator: 0xf2f3_34ba,
            your_discriminator: 1,
            desired_min_tx_micros: 300_000,
            required_min_rx_micros: 200_000,
            required_min_echo_rx_micros: 50_000,
        };
        let silent = ControlPacket {
            diagnostic: Diagnostic::DetectionTimeExpired,
            state: State::Down,
            my_discriminator: 0x07fe_6655,
            your_discriminator: 0,
            ..shut
        };
        for (text, expected) in GOLDEN_ENDS.iter().zip([shut, silent]) {
            let bytes = hex(text);
            assert_eq!(decode(&bytes), Ok(expected), "{text}");
            assert_eq!(expected.encode().as_slice(), bytes, "{text}");
        }
    }

    #[test]
    fn a_packet_cut_at_any_length_is_refused() {
        let bytes = hex(GOLDEN[5]);
        for length in 0..PACKET_LENGTH {
            assert_eq!(decode(&bytes[..length]), Err(DecodeError::Truncated), "{length}");
        }
    }

    #[test]
    fn padding_after_the_packet_is_ignored() {
        let mut bytes = hex(GOLDEN[5]);
        let alone = decode(&bytes);
        bytes.extend([0xff; 9]);
        assert_eq!(decode(&bytes), alone);
    }

    #[test]
    fn every_fault_has_its_own_reason() {
        let faults: [(usize, u8, DecodeError); 9] = [
            (0, 0x00, DecodeError::Version),
            (0, 0x40, DecodeError::Version),
            (1, 0xc1, DecodeError::Multipoint),
            (1, 0xc4, DecodeError::Authenticated),
            (2, 0, DecodeError::ZeroMultiplier),
            (3, 23, DecodeError::LengthTooSmall),
            (3, 0, DecodeError::LengthTooSmall),
            (3, 25, DecodeError::LengthTooLarge),
            (3, 255, DecodeError::LengthTooLarge),
        ];
        for (offset, value, error) in faults {
            let mut bytes = hex(GOLDEN[5]);
            bytes[offset] = value;
            assert_eq!(decode(&bytes), Err(error));
            assert_eq!(error.offset(), offset);
        }
        let mut bytes = hex(GOLDEN[5]);
        bytes[4..8].fill(0);
        assert_eq!(decode(&bytes), Err(DecodeError::ZeroDiscriminator));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(bytes in proptest::array::uniform24(any::<u8>())) {
            let mut bytes = bytes;
            bytes[0] = 0x20 | bytes[0] & 0x1f;
            bytes[1] &= 0xfa;
            bytes[2] |= 1;
            bytes[3] = 24;
            bytes[7] |= 1;
            prop_assert_eq!(decode(&bytes).map(|packet| packet.encode()), Ok(bytes));
        }

        #[test]
        fn no_octets_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packet) = decode(&bytes) {
                prop_assert_eq!(decode(&packet.encode()), Ok(packet));
            }
        }
    }
}
