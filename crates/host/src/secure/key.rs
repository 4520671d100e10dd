//! Keys of secure links, written as `wg` writes them: 44 characters of base64.
//!
//! A private key prints only when asked to by name, and its memory is overwritten when it is
//! dropped. What a key's text is refused for names the place and never the text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boringtun::x25519;
use rand_core::OsRng;

/// Octets of every kind of key.
const KEY_LEN: usize = 32;
/// Characters of a key's text, of which the last is `=`.
const TEXT_LEN: usize = 44;

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It has another length.
    Length {
        /// The characters it has.
        found: usize,
    },
    /// A character that base64 does not use.
    Character {
        /// Its place, counted from 1.
        place: usize,
    },
    /// It does not end with `=`.
    End,
    /// Its last digit stands for more bits than a key has.
    Excess,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => write!(f, "has {found} characters; a key has {TEXT_LEN}"),
            Self::Character { place } => write!(f, "character {place} is not one of base64"),
            Self::End => f.write_str("does not end with `=`, as a key does"),
            Self::Excess => f.write_str("the last character before `=` is not one a key ends with"),
        }
    }
}

impl std::error::Error for KeyError {}

fn decode(text: &str) -> Result<[u8; KEY_LEN], KeyError> {
    let digits = text.strip_suffix('=').unwrap_or(text);
    let foreign = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/'));
    if let Some(at) = digits.chars().position(foreign) {
        return Err(KeyError::Character { place: at + 1 });
    }
    if text.len() != TEXT_LEN {
        return Err(KeyError::Length { found: text.len() });
    }
    if digits.len() == TEXT_LEN {
        return Err(KeyError::End);
    }
    // The decoder wants room for what the text could hold at most.
    let mut octets = [0; KEY_LEN + 4];
    match STANDARD.decode_slice(text, &mut octets) {
        Ok(KEY_LEN) => octets.first_chunk().copied().ok_or(KeyError::Excess),
        Ok(_) | Err(_) => Err(KeyError::Excess),
    }
}

/// The key that makes us who we are to the peer.
#[derive(Clone)]
pub struct PrivateKey(x25519::StaticSecret);

impl PrivateKey {
    /// A new key of the kernel's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let mut octets = x25519::StaticSecret::random_from_rng(OsRng).to_bytes();
        // RFC 7748 §5: these bits are fixed. Every user of a key sees to that, but `wg` also shows
        // a key so, and a key should look the same everywhere.
        let [first, .., last] = &mut octets;
        *first &= 0xf8;
        *last = *last & 0x7f | 0x40;
        Self(octets.into())
    }

    /// The key that the peer is given.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(x25519::PublicKey::from(&self.0))
    }

    /// The text, for the file that keeps it.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    pub(super) fn secret(&self) -> x25519::StaticSecret {
        self.0.clone()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl FromStr for PrivateKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|octets| Self(octets.into()))
    }
}

/// The key that says who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(x25519::PublicKey);

impl PublicKey {
    pub(super) const fn point(self) -> x25519::PublicKey {
        self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|octets| Self(octets.into()))
    }
}

/// A key that both ends were given beforehand, and that protects what is recorded today from who
/// can undo the other keys one day.
#[derive(Clone)]
pub struct PresharedKey(x25519::StaticSecret);

impl PresharedKey {
    /// A new key of the kernel's randomness.
    #[must_use]
    pub fn generate() -> Self {
        Self(x25519::StaticSecret::random_from_rng(OsRng))
    }

    /// The text, for the file that keeps it.
    #[must_use]
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    pub(super) fn octets(&self) -> [u8; KEY_LEN] {
        self.0.to_bytes()
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresharedKey(..)")
    }
}

impl FromStr for PresharedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        decode(text).map(|octets| Self(octets.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, PresharedKey, PrivateKey, PublicKey};

    // Made by `wg genkey` and `wg pubkey` of wireguard-tools 1.0.20210914.
    const PRIVATE: &str = "eE040pIh3aPnFb5D1VziKpx9ZM9rG7pdGTWvuwJmN2w=";
    const PUBLIC: &str = "6IJufM/c4cNFz+pqVNUqcEenR9cJEd2+MUJG63b0e0Y=";

    #[test]
    fn public_key_is_the_one_that_wg_derives() {
        let key: PrivateKey = PRIVATE.parse().unwrap();
        assert_eq!(key.public().to_string(), PUBLIC);
        assert_eq!(PUBLIC.parse(), Ok(key.public()));
        assert_eq!(key.to_text(), PRIVATE);
    }

    #[test]
    fn generated_keys_differ_and_read_back_as_they_print() {
        let (one, other) = (PrivateKey::generate(), PrivateKey::generate());
        assert_ne!(one.to_text(), other.to_text());
        let again: PrivateKey = one.to_text().parse().unwrap();
        assert_eq!(again.public(), one.public());
        let shared = PresharedKey::generate();
        let again: PresharedKey = shared.to_text().parse().unwrap();
        assert_eq!(again.octets(), shared.octets());
    }

    #[test]
    fn generated_private_keys_have_the_bits_that_wg_sets() {
        for _ in 0..32 {
            let octets = PrivateKey::generate().0.to_bytes();
            assert_eq!((octets[0] & 7, octets[31] & 0xc0), (0, 0x40));
        }
    }

    #[test]
    fn secret_keys_do_not_print() {
        let key: PrivateKey = PRIVATE.parse().unwrap();
        let shared: PresharedKey = PRIVATE.parse().unwrap();
        assert_eq!(format!("{key:?} {shared:?}"), "PrivateKey(..) PresharedKey(..)");
    }

    #[test]
    fn every_fault_of_a_text_is_told() {
        let digits = &PUBLIC[..43];
        let unlike = |from: &str, to: &str| PUBLIC.replacen(from, to, 1);
        let cases = [
            (String::new(), KeyError::Length { found: 0 }),
            (PUBLIC[..40].to_owned(), KeyError::Length { found: 40 }),
            (format!("{PUBLIC}="), KeyError::Character { place: 44 }),
            (format!("{digits}A"), KeyError::End),
            (format!("{PUBLIC}\n"), KeyError::Character { place: 44 }),
            (unlike(&PUBLIC[..1], "-"), KeyError::Character { place: 1 }),
            (unlike(&PUBLIC[4..5], "\u{e9}"), KeyError::Character { place: 5 }),
            (format!("{}B=", &PUBLIC[..42]), KeyError::Excess),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<PublicKey>(), Err(error), "{text:?}");
            assert!(!error.to_string().is_empty());
        }
    }
}
