//! Signed PDUs: one key for the whole region, a keyed hash over every PDU.
//!
//! The digest is computed over the PDU with the digest's own octets set to a filler: zeros for
//! MD5, a fixed pattern for SHA-256. A link-state PDU is signed once, by the router that makes it,
//! and checked by all: its remaining lifetime and its checksum, which is computed afterwards,
//! count as zero.
//!
//! A PDU that is signed is taken by a router that has no key.
//!
//! Standards: RFC 5304 §2 and §3 (HMAC-MD5), RFC 5310 §3 (HMAC-SHA-256), RFC 6233 (contents of
//! signed purges).
//! Not implemented: clear-text passwords, several keys at once (a key is changed by configuring
//! all routers within a holding time, or one after another with adjacencies lost meanwhile), the
//! other hashes of RFC 5310, replay protection (RFC 7602).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::codepoints as cp;
use crate::config::{Algorithm, Authentication};
use crate::error::RejectReason;
use crate::tlv::Tlv;

/// RFC 5304 §2: what stands where the digest will be.
const FILLER_MD5: [u8; 16] = [0; 16];
/// RFC 5310 §3.3: what stands where the digest will be.
const FILLER_SHA256: [u8; 32] = {
    let mut filler = [0; 32];
    let mut rest: &mut [u8] = &mut filler;
    while let [a, b, c, d, tail @ ..] = rest {
        [*a, *b, *c, *d] = [0x87, 0x8f, 0xe1, 0xf3];
        rest = tail;
    }
    filler
};

impl Algorithm {
    const fn kind(self) -> u8 {
        match self {
            Self::HmacMd5 => cp::AUTHENTICATION_HMAC_MD5,
            Self::HmacSha256 => cp::AUTHENTICATION_GENERIC,
        }
    }

    const fn filler(self) -> &'static [u8] {
        match self {
            Self::HmacMd5 => &FILLER_MD5,
            Self::HmacSha256 => &FILLER_SHA256,
        }
    }

    /// The octets of the key number before the digest.
    const fn key_id_len(self) -> usize {
        match self {
            Self::HmacMd5 => 0,
            Self::HmacSha256 => 2,
        }
    }
}

/// The TLV that a PDU to be signed must carry; [`sign`] fills it in.
pub(crate) fn placeholder(authentication: &Authentication) -> Tlv {
    let algorithm = authentication.algorithm;
    let key_id = authentication.key_id.to_be_bytes();
    let mut value = Vec::with_capacity(algorithm.key_id_len() + algorithm.filler().len());
    value.extend(key_id.into_iter().take(algorithm.key_id_len()));
    value.extend_from_slice(algorithm.filler());
    Tlv::Authentication { kind: algorithm.kind(), value }
}

/// Fills in the signature of a PDU that carries [`placeholder`].
pub(crate) fn sign(pdu: &mut [u8], authentication: &Authentication) {
    let Some((value_at, _)) = find(pdu) else { return };
    let at = value_at + 1 + authentication.algorithm.key_id_len();
    match authentication.algorithm {
        Algorithm::HmacMd5 => {
            let digest = mac::<Hmac<Md5>>(authentication, pdu, at).finalize().into_bytes();
            put(pdu, at, &digest);
        }
        Algorithm::HmacSha256 => {
            let digest = mac::<Hmac<Sha256>>(authentication, pdu, at).finalize().into_bytes();
            put(pdu, at, &digest);
        }
    }
}

fn put(pdu: &mut [u8], at: usize, digest: &[u8]) {
    if let Some(slot) = pdu.get_mut(at..at + digest.len()) {
        slot.copy_from_slice(digest);
    }
}

/// Whether a PDU carries the right signature, and if not, why.
pub(crate) fn verify(pdu: &[u8], authentication: &Authentication) -> Result<(), RejectReason> {
    let algorithm = authentication.algorithm;
    let (at, len) = find(pdu).ok_or(RejectReason::AuthenticationMissing)?;
    let value = pdu.get(at..at + len).unwrap_or_default();
    let (kind, value) = value.split_first().ok_or(RejectReason::AuthenticationMissing)?;
    // RFC 5310 §3.1: the type covers several hashes, which differ in length.
    if *kind != algorithm.kind() || value.len() != algorithm.key_id_len() + algorithm.filler().len()
    {
        return Err(RejectReason::AuthenticationType);
    }
    let (key_id, digest) = value.split_at(algorithm.key_id_len());
    if !key_id.is_empty() && key_id != authentication.key_id.to_be_bytes() {
        return Err(RejectReason::AuthenticationKeyId);
    }
    let at = at + 1 + algorithm.key_id_len();
    // `verify_slice` takes the same time wherever the first difference is.
    let right = match algorithm {
        Algorithm::HmacMd5 => mac::<Hmac<Md5>>(authentication, pdu, at).verify_slice(digest),
        Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(authentication, pdu, at).verify_slice(digest),
    };
    right.map_err(|_| RejectReason::AuthenticationDigest)
}

/// Where the value of the first authentication TLV is, and how long.
fn find(pdu: &[u8]) -> Option<(usize, usize)> {
    let mut at = usize::from(*pdu.get(1)?);
    loop {
        let (kind, len) = (*pdu.get(at)?, usize::from(*pdu.get(at + 1)?));
        if kind == cp::TLV_AUTHENTICATION {
            return Some((at + 2, len));
        }
        at += 2 + len;
    }
}

/// The keyed hash over a PDU whose digest is at `digest_at`.
fn mac<M: Mac + KeyInit>(authentication: &Authentication, pdu: &[u8], digest_at: usize) -> M {
    let algorithm = authentication.algorithm;
    let hashed;
    let key = match algorithm {
        // RFC 5310 §3.3: a key longer than the digest is hashed first, where plain HMAC would
        // do so only from the block size on.
        Algorithm::HmacSha256 if authentication.key.len() > FILLER_SHA256.len() => {
            hashed = Sha256::digest(&authentication.key);
            hashed.as_slice()
        }
        Algorithm::HmacMd5 | Algorithm::HmacSha256 => &authentication.key,
    };
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length")
    };
    let part = |from: usize, to: usize| pdu.get(from..to).unwrap_or_default();
    let is_lsp = pdu.get(4).is_some_and(|kind| kind & 0x1f == cp::PDU_LSP_L2);
    if is_lsp {
        // RFC 5304 §2: the remaining lifetime at 10 and the checksum at 24 count as zero.
        for piece in [part(0, 10), &[0; 2], part(12, 24), &[0; 2], part(26, digest_at)] {
            mac.update(piece);
        }
    } else {
        mac.update(part(0, digest_at));
    }
    mac.update(algorithm.filler());
    mac.update(part(digest_at + algorithm.filler().len(), pdu.len()));
    mac
}

#[cfg(test)]
mod tests {
    use super::{placeholder, sign, verify};
    use crate::config::{Algorithm, Authentication};
    use crate::error::RejectReason;
    use crate::golden;
    use crate::hello::Hello;
    use crate::pdu::{Pdu, decode};
    use hmac::{Hmac, KeyInit, Mac};
    use md5::Md5;
    use sha2::{Digest, Sha256};

    fn key(algorithm: Algorithm, key: &[u8]) -> Authentication {
        Authentication { algorithm, key_id: 7, key: key.to_vec() }
    }

    fn hello(authentication: &Authentication) -> Vec<u8> {
        let captured = decode(&golden::hello(golden::HELLO_UP)).unwrap();
        let Pdu::Hello(Hello { circuit_type, source, holding_time, circuit_id, tlvs }) = captured
        else {
            panic!("not a hello")
        };
        let tlvs = [placeholder(authentication)].into_iter().chain(tlvs).collect();
        let hello = Hello { circuit_type, source, holding_time, circuit_id, tlvs };
        let mut bytes = hello.encode(None);
        sign(&mut bytes, authentication);
        bytes
    }

    fn lsp(authentication: &Authentication) -> Vec<u8> {
        let Pdu::Lsp(mut lsp) = decode(&golden::bytes(golden::LSP_R1)).unwrap() else {
            panic!("not an LSP")
        };
        lsp.tlvs.insert(0, placeholder(authentication));
        let mut bytes = lsp.encode();
        sign(&mut bytes, authentication);
        bytes
    }

    #[test]
    fn signed_pdus_verify_and_any_other_octet_does_not() {
        for algorithm in [Algorithm::HmacMd5, Algorithm::HmacSha256] {
            let authentication = key(algorithm, b"a key");
            let bytes = hello(&authentication);
            assert_eq!(verify(&bytes, &authentication), Ok(()));
            for at in (8..60).filter(|at| !(17..19).contains(at)) {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                assert!(verify(&altered, &authentication).is_err(), "octet {at}");
            }
        }
    }

    #[test]
    fn lifetime_and_checksum_of_link_state_pdus_are_not_signed_and_the_rest_is() {
        for algorithm in [Algorithm::HmacMd5, Algorithm::HmacSha256] {
            let authentication = key(algorithm, b"a key");
            let bytes = lsp(&authentication);
            for at in 8..bytes.len() {
                let mut altered = bytes.clone();
                altered[at] ^= 1;
                let unsigned = (10..12).contains(&at) || (24..26).contains(&at);
                assert_eq!(verify(&altered, &authentication).is_ok(), unsigned, "octet {at}");
            }
        }
    }

    #[test]
    fn every_fault_has_its_reason() {
        let md5 = key(Algorithm::HmacMd5, b"a key");
        let sha = key(Algorithm::HmacSha256, b"a key");
        let plain = golden::hello(golden::HELLO_UP);
        assert_eq!(verify(&plain, &md5), Err(RejectReason::AuthenticationMissing));
        assert_eq!(verify(&hello(&md5), &sha), Err(RejectReason::AuthenticationType));
        assert_eq!(verify(&hello(&sha), &md5), Err(RejectReason::AuthenticationType));
        let other_number = Authentication { key_id: 8, ..sha.clone() };
        assert_eq!(verify(&hello(&sha), &other_number), Err(RejectReason::AuthenticationKeyId));
        let other_key = Authentication { key: b"another".to_vec(), ..md5.clone() };
        assert_eq!(verify(&hello(&md5), &other_key), Err(RejectReason::AuthenticationDigest));
    }

    #[test]
    fn captured_signatures_are_right_and_made_alike() {
        for (bytes, secret) in [
            (golden::hello(golden::HELLO_SIGNED), golden::KEY),
            (golden::bytes(golden::LSP_SIGNED), golden::KEY),
            (golden::bytes(golden::CSNP_SIGNED), golden::KEY_CSNP),
        ] {
            let authentication = key(Algorithm::HmacMd5, secret);
            assert_eq!(verify(&bytes, &authentication), Ok(()));
            let (at, len) = super::find(&bytes).unwrap();
            let mut again = bytes.clone();
            again[at + 1..at + len].fill(0);
            sign(&mut again, &authentication);
            assert_eq!(again, bytes);
        }
    }

    #[test]
    fn md5_is_over_the_pdu_with_a_digest_of_zeros() {
        let authentication = key(Algorithm::HmacMd5, b"a key");
        let bytes = hello(&authentication);
        // The TLV comes first: type, length, kind, digest.
        let digest = bytes[23..39].to_vec();
        let mut blank = bytes;
        blank[23..39].fill(0);
        let mut mac = Hmac::<Md5>::new_from_slice(b"a key").unwrap();
        mac.update(&blank);
        assert_eq!(mac.finalize().into_bytes().to_vec(), digest);
    }

    #[test]
    fn sha_is_over_the_pdu_with_the_apad_of_rfc_5310() {
        // Made with Python's `hmac` from the captured link-state PDU: length raised by the TLV,
        // lifetime and checksum zero, 0x878fe1f3 eight times in place of the digest.
        let expected = "3e05763ca552c21c0b15713bd10e8a1c660bfcf19492fad0ef13508d34d26ad0";
        let bytes = lsp(&key(Algorithm::HmacSha256, b"a key"));
        // The TLV comes first: type, length, kind, key id, digest.
        assert_eq!(bytes[27..32], [10, 35, 3, 0, 7]);
        assert_eq!(bytes[32..64], golden::bytes(expected));
    }

    #[test]
    fn sha_keys_longer_than_the_digest_are_hashed_first() {
        let long = [0x5a; 40];
        let short = Sha256::digest(long);
        let (long, short) = (key(Algorithm::HmacSha256, &long), key(Algorithm::HmacSha256, &short));
        assert_eq!(verify(&hello(&long), &short), Ok(()));
    }
}
