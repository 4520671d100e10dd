//! The address resolution protocol: which Ethernet address has this IPv4 address?
//!
//! Standards: RFC 826 (Ethernet and IPv4 only), RFC 5227 §1.1 (probes have a sender of 0.0.0.0).
//! Not implemented: other hardware and protocol types, reverse ARP.

use core::net::Ipv4Addr;

use base::MacAddr;

use crate::DecodeError;
use crate::error::{number16, octets};

/// The length of a packet.
pub const LEN: usize = 28;

/// What a packet asks or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender's address.
    Reply,
}

/// An ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Asked or answered.
    pub operation: Operation,
    /// The sender's Ethernet address.
    pub sender_mac: MacAddr,
    /// The sender's IPv4 address.
    pub sender: Ipv4Addr,
    /// The target's Ethernet address; without meaning in a request.
    pub target_mac: MacAddr,
    /// The target's IPv4 address.
    pub target: Ipv4Addr,
}

impl Packet {
    /// Reads a packet; padding behind it is passed over.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        for (at, expected) in [(0, 1_u16), (2, 0x0800), (4, 0x0604)] {
            if number16(bytes, at)? != expected {
                return Err(DecodeError::Value { at });
            }
        }
        let operation = match number16(bytes, 6)? {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(DecodeError::Value { at: 6 }),
        };
        Ok(Self {
            operation,
            sender_mac: MacAddr(octets(bytes, 8)?),
            sender: Ipv4Addr::from(octets(bytes, 14)?),
            target_mac: MacAddr(octets(bytes, 18)?),
            target: Ipv4Addr::from(octets(bytes, 24)?),
        })
    }

    /// The octets of the packet.
    #[must_use]
    pub fn encode(&self) -> [u8; LEN] {
        let operation = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        let parts: [&[u8]; 5] = [
            &[0, 1, 8, 0, 6, 4, 0, operation],
            &self.sender_mac.0,
            &self.sender.octets(),
            &self.target_mac.0,
            &self.target.octets(),
        ];
        let mut octets = [0; LEN];
        for (slot, octet) in octets.iter_mut().zip(parts.iter().copied().flatten()) {
            *slot = *octet;
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::{LEN, Operation, Packet};
    use crate::DecodeError;
    use base::MacAddr;
    use proptest::prelude::*;

    // A request as Linux 6.18 broadcasts it.
    const REQUEST: [u8; LEN] = [
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0xf6, 0xd8, 0x12, 0x82, 0xac, 0x76, 0x0a,
        0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x09, 0x00, 0x02,
    ];

    #[test]
    fn request_of_linux_is_read_and_written_alike() {
        let packet = Packet::decode(&REQUEST).unwrap();
        assert_eq!(packet.operation, Operation::Request);
        assert_eq!(packet.sender_mac.to_string(), "f6:d8:12:82:ac:76");
        assert_eq!(packet.sender.to_string(), "10.9.0.1");
        assert_eq!(packet.target_mac, MacAddr([0; 6]));
        assert_eq!(packet.target.to_string(), "10.9.0.2");
        assert_eq!(packet.encode(), REQUEST);
    }

    #[test]
    fn every_truncation_and_other_types_are_refused() {
        for len in 0..LEN {
            assert_eq!(Packet::decode(&REQUEST[..len]), Err(DecodeError::Truncated { at: len }));
        }
        for at in [0, 2, 4, 6] {
            let mut packet = REQUEST;
            packet[at] = 9;
            assert_eq!(Packet::decode(&packet), Err(DecodeError::Value { at }));
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            reply: bool,
            (sender_mac, target_mac) in any::<([u8; 6], [u8; 6])>(),
            (sender, target) in any::<(u32, u32)>(),
        ) {
            let packet = Packet {
                operation: if reply { Operation::Reply } else { Operation::Request },
                sender_mac: MacAddr(sender_mac),
                sender: sender.into(),
                target_mac: MacAddr(target_mac),
                target: target.into(),
            };
            prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
        }
    }
}
