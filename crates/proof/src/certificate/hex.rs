//! Octets written as lower-case hexadecimal digits, two for each, and in no other way.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// Why a text is not such octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseHexError {
    /// It has another length.
    Length {
        /// The digits it has.
        found: usize,
        /// The digits it should have.
        wanted: usize,
    },
    /// Something that is not one of `0` to `9` and `a` to `f`.
    Digit {
        /// Its place, counted from 1.
        place: usize,
    },
}

impl fmt::Display for ParseHexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, wanted } => write!(f, "{found} digits instead of {wanted}"),
            Self::Digit { place } => write!(f, "character {place} is not one of 0-9 and a-f"),
        }
    }
}

impl core::error::Error for ParseHexError {}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if let Some(place) = text.chars().position(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(ParseHexError::Digit { place: place + 1 });
        }
        let (found, wanted) = (text.len(), 2 * N);
        if found != wanted {
            return Err(ParseHexError::Length { found, wanted });
        }
        let mut octets = [0; N];
        let (pairs, _) = text.as_bytes().as_chunks::<2>();
        for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
            *octet = digit(*high).unwrap_or_default() << 4 | digit(*low).unwrap_or_default();
        }
        Ok(Self(octets))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Hex, ParseHexError};

    #[test]
    fn octets_have_one_text_only() {
        let octets = Hex([0x00, 0x9f, 0xff]);
        assert_eq!(octets.to_string(), "009fff");
        assert_eq!("009fff".parse(), Ok(octets));
        let refused = |text: &str| text.parse::<Hex<3>>().unwrap_err();
        assert_eq!(refused("009FFF"), ParseHexError::Digit { place: 4 });
        assert_eq!(refused("009ff "), ParseHexError::Digit { place: 6 });
        assert_eq!(refused("009ff"), ParseHexError::Length { found: 5, wanted: 6 });
        assert_eq!(refused("009fff00"), ParseHexError::Length { found: 8, wanted: 6 });
        assert_eq!(refused(""), ParseHexError::Length { found: 0, wanted: 6 });
    }
}
