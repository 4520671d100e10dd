//! The Internet checksum: the ones' complement of the ones' complement sum of 16-bit words.
//!
//! IPv4, UDP, TCP, ICMP, GRE and the ICMP extension structure use it; UDP, TCP and ICMPv6 cover
//! a pseudo-header as well.
//!
//! Standards: RFC 1071 (Internet checksum), RFC 1624 (incremental update), RFC 8200 §8.1 (the
//! IPv6 pseudo-header).
//! Not implemented: none.

use core::net::IpAddr;

/// A running sum; parts may have any length.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checksum {
    sum: u64,
    odd: bool,
}

impl Checksum {
    /// The sum of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { sum: 0, odd: false }
    }

    /// The sum of the pseudo-header of UDP, TCP and ICMPv6; addresses of two families, which no
    /// packet has, are summed as they are.
    #[must_use]
    pub fn pseudo(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> Self {
        let mut checksum = Self::new();
        for address in [source, destination] {
            match address {
                IpAddr::V4(address) => checksum.add(&address.octets()),
                IpAddr::V6(address) => checksum.add(&address.octets()),
            }
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        checksum.add(&len.to_be_bytes());
        checksum.add(&[0, protocol]);
        checksum
    }

    /// Takes in octets.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if self.odd
            && let Some((first, after)) = bytes.split_first()
        {
            self.sum += u64::from(*first);
            self.odd = false;
            bytes = after;
        }
        let (words, last) = bytes.as_chunks::<2>();
        for word in words {
            self.sum += u64::from(u16::from_be_bytes(*word));
        }
        if let [last] = last {
            self.sum += u64::from(*last) << 8;
            self.odd = true;
        }
    }

    /// The checksum: zero exactly where a correct one was among what was summed.
    #[must_use]
    pub const fn value(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let [.., high, low] = sum.to_be_bytes();
        !u16::from_be_bytes([high, low])
    }
}

/// The checksum of one run of octets.
#[must_use]
pub fn of(bytes: &[u8]) -> u16 {
    let mut checksum = Checksum::new();
    checksum.add(bytes);
    checksum.value()
}

/// The checksum after one 16-bit word under it changed (RFC 1624 §3, equation 3).
#[must_use]
pub fn updated(checksum: u16, before: u16, after: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!before) + u32::from(after);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [.., high, low] = sum.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::{Checksum, of, updated};
    use proptest::prelude::*;

    #[test]
    fn example_of_rfc_1071() {
        // RFC 1071 §3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
        assert_eq!(of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn examples_of_rfc_1624() {
        // RFC 1624 §4: 5555 becomes 3285 under the checksum dd2f, which becomes 0000.
        assert_eq!(updated(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    proptest! {
        #[test]
        fn parts_of_any_length_sum_like_the_whole(bytes: Vec<u8>, cut in 0_usize..64) {
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut parts = Checksum::new();
            parts.add(head);
            parts.add(tail);
            prop_assert_eq!(parts.value(), of(&bytes));
        }

        #[test]
        fn octets_with_their_checksum_sum_to_zero(words: Vec<u16>) {
            let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let checksum = of(&bytes);
            bytes.extend(checksum.to_be_bytes());
            prop_assert_eq!(of(&bytes), 0);
        }
    }
}
