//! The MPLS label stack: entries of four octets between the link header and the packet.
//!
//! An entry is a label of 20 bits, a traffic class of three, the bottom-of-stack flag and a time
//! to live. The stack says where it ends, not what is beneath: that follows from the label.
//!
//! Standards: RFC 3032 §2.1 (encoding), RFC 5462 (traffic class).
//! Not implemented: upstream-assigned labels (RFC 5332).

use base::Label;

use crate::DecodeError;
use crate::error::{number32, rest};

/// The length of a label stack entry.
pub const ENTRY_LEN: usize = 4;

/// The deepest stack that is read: a service label, an explicit null and a transport or repair
/// stack of eight, which no link in a region needs more than.
pub const STACK_DEPTH_MAX: usize = 10;

/// A label stack entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelEntry {
    /// The label.
    pub label: Label,
    /// The traffic class, 0 to 7.
    pub traffic_class: u8,
    /// Whether this is the last entry of the stack.
    pub bottom: bool,
    /// The time to live.
    pub ttl: u8,
}

impl LabelEntry {
    /// Reads the outermost entry and returns what is beneath.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let word = number32(bytes, 0)?;
        Ok((Self::from_word(word), rest(bytes, ENTRY_LEN)?))
    }

    /// The entry that is written as this number of 32 bits.
    #[must_use]
    pub const fn from_word(word: u32) -> Self {
        let [_, _, low, ttl] = word.to_be_bytes();
        Self {
            label: Label::masked(word >> 12),
            traffic_class: (low >> 1) & 7,
            bottom: low & 1 != 0,
            ttl,
        }
    }

    /// The octets of the entry.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let class = u32::from(self.traffic_class & 7) << 9;
        let bottom = u32::from(self.bottom) << 8;
        (self.label.value() << 12 | class | bottom | u32::from(self.ttl)).to_be_bytes()
    }
}

/// Reads a whole stack and returns what is beneath it.
pub fn decode_stack(bytes: &[u8]) -> Result<(Vec<LabelEntry>, &[u8]), DecodeError> {
    let (mut stack, mut beneath) = (Vec::new(), bytes);
    loop {
        if stack.len() == STACK_DEPTH_MAX {
            return Err(DecodeError::TooDeep { at: STACK_DEPTH_MAX * ENTRY_LEN });
        }
        let Ok((entry, after)) = LabelEntry::decode(beneath) else {
            return Err(DecodeError::Truncated { at: bytes.len() });
        };
        stack.push(entry);
        beneath = after;
        if entry.bottom {
            return Ok((stack, beneath));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LabelEntry, STACK_DEPTH_MAX, decode_stack};
    use crate::DecodeError;
    use base::Label;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = LabelEntry> {
        (0..=Label::MAX.value(), 0_u8..8, any::<bool>(), any::<u8>()).prop_map(
            |(label, traffic_class, bottom, ttl)| LabelEntry {
                label: Label::masked(label),
                traffic_class,
                bottom,
                ttl,
            },
        )
    }

    #[test]
    fn fields_are_where_the_figure_of_rfc_3032_has_them() {
        // Label 16001 (0x03e81), class 5, bottom, ttl 255: 0x03e81 | 101 | 1 | 0xff.
        let entry =
            LabelEntry { label: Label::masked(16_001), traffic_class: 5, bottom: true, ttl: 255 };
        assert_eq!(entry.encode(), [0x03, 0xe8, 0x1b, 0xff]);
        assert_eq!(LabelEntry::decode(&[0x03, 0xe8, 0x1b, 0xff, 0x45]), Ok((entry, &[0x45][..])));
    }

    #[test]
    fn endless_and_truncated_stacks_are_refused() {
        let endless = vec![0; 4 * (STACK_DEPTH_MAX + 1)];
        assert_eq!(decode_stack(&endless), Err(DecodeError::TooDeep { at: 40 }));
        for len in 0..8 {
            let stack = [0, 1, 0, 64, 0, 1, 1, 64];
            assert_eq!(decode_stack(&stack[..len]), Err(DecodeError::Truncated { at: len }));
        }
    }

    proptest! {
        #[test]
        fn round_trip(entry in entry()) {
            let octets = entry.encode();
            prop_assert_eq!(LabelEntry::decode(&octets), Ok((entry, &[][..])));
            prop_assert_eq!(LabelEntry::from_word(u32::from_be_bytes(octets)), entry);
        }

        #[test]
        fn stacks_round_trip(entries in prop::collection::vec(entry(), 1..STACK_DEPTH_MAX)) {
            let mut entries = entries;
            let depth = entries.len();
            for (index, entry) in entries.iter_mut().enumerate() {
                entry.bottom = index + 1 == depth;
            }
            let mut octets: Vec<u8> = entries.iter().flat_map(LabelEntry::encode).collect();
            octets.push(0x60);
            prop_assert_eq!(decode_stack(&octets), Ok((entries, &[0x60][..])));
        }
    }
}
