//! A fast 64-bit hash with the same value on every machine, for comparing traces.
//!
//! It is not cryptographic: it tells two runs of the same program apart, not an honest run from a
//! forged one.

/// A running hash of a trace: the same bytes in the same order give the same value anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceHash(u64);

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Default for TraceHash {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceHash {
    /// The hash of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0x243f_6a88_85a3_08d3)
    }

    /// Takes in one number.
    pub fn number(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(MULTIPLIER);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// Takes in a string of bytes and its length, so that `ab` + `c` differs from `a` + `bc`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let mut last = 0_u64;
        for &byte in rest {
            last = (last << 8) | u64::from(byte);
        }
        self.number(last);
    }

    /// The hash of what was taken in so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::TraceHash;

    fn hash(parts: &[&[u8]]) -> u64 {
        let mut hash = TraceHash::new();
        for part in parts {
            hash.bytes(part);
        }
        hash.value()
    }

    #[test]
    fn boundaries_order_and_content_all_matter() {
        let whole = hash(&[b"abc"]);
        assert_eq!(whole, hash(&[b"abc"]));
        assert_ne!(whole, hash(&[b"ab", b"c"]));
        assert_ne!(hash(&[b"x", b"y"]), hash(&[b"y", b"x"]));
        assert_ne!(hash(&[b"123456789"]), hash(&[b"123456780"]));
    }

    #[test]
    fn value_is_fixed_across_machines() {
        assert_eq!(hash(&[b"weald"]), hash(&[b"weald"]));
        let mut numbers = TraceHash::new();
        numbers.number(1);
        assert_ne!(numbers.value(), TraceHash::new().value());
    }
}
