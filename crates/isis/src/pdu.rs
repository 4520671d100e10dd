//! The header that all PDUs share, and the way from bytes to one of the four kinds used here.
//!
//! Standards: ISO 10589 §9.5 (common fixed part).
//! Not implemented: LAN hellos, level 1 PDUs, ES-IS, flooding-scope PDUs (RFC 7356).

use crate::codepoints as cp;
use crate::error::{DecodeError, DecodeReason};
use crate::hello::Hello;
use crate::lsp::Lsp;
use crate::reader::Reader;
use crate::snp::{Csnp, Psnp};

/// A decoded PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pdu {
    /// A point-to-point hello.
    Hello(Hello),
    /// A link-state PDU.
    Lsp(Lsp),
    /// A complete sequence-numbers PDU.
    Csnp(Csnp),
    /// A partial sequence-numbers PDU.
    Psnp(Psnp),
}

/// The octets before the PDU type's own fields.
const COMMON_LEN: usize = 8;

/// The PDU at the start of `bytes`, without whatever a link layer added after its end.
pub(crate) fn trim(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let mut reader = Reader::new(bytes, 0);
    let at = reader;
    if reader.u8()? != cp::DISCRIMINATOR {
        return Err(at.error(DecodeReason::Discriminator));
    }
    let [header_len, version, id_len, kind, version_again, _, _] = reader.array()?;
    let error = |reason, offset| Err(DecodeError { reason, offset });
    if version != cp::VERSION {
        return error(DecodeReason::Version, 2);
    }
    // ISO 10589 §9.5: 0 stands for six octets.
    if !matches!(id_len, 0 | 6) {
        return error(DecodeReason::IdLength, 3);
    }
    if version_again != cp::VERSION {
        return error(DecodeReason::Version, 5);
    }
    let (len, length_at) = match kind & 0x1f {
        cp::PDU_HELLO_P2P => (cp::HELLO_HEADER_LEN, 17),
        cp::PDU_LSP_L2 => (cp::LSP_HEADER_LEN, 8),
        cp::PDU_CSNP_L2 => (cp::CSNP_HEADER_LEN, 8),
        cp::PDU_PSNP_L2 => (cp::PSNP_HEADER_LEN, 8),
        _ => return error(DecodeReason::PduType, 4),
    };
    if header_len != len {
        return error(DecodeReason::HeaderLength, 1);
    }
    let header = Reader::new(bytes, 0).take(usize::from(len))?;
    let mut length = Reader::new(header.get(length_at..).unwrap_or_default(), length_at);
    let pdu_length = usize::from(length.u16()?);
    match bytes.get(..pdu_length) {
        Some(pdu) if pdu_length >= usize::from(len) => Ok(pdu),
        Some(_) | None => error(DecodeReason::PduLength, length_at),
    }
}

/// Decodes one PDU; octets after its end are ignored.
///
/// # Errors
///
/// Where the bytes are not a PDU of the four kinds, or its TLVs do not fit into it.
pub fn decode(bytes: &[u8]) -> Result<Pdu, DecodeError> {
    let pdu = trim(bytes)?;
    let mut reader = Reader::new(pdu, 0);
    let [_, _, _, _, kind, ..] = reader.array::<COMMON_LEN>()?;
    match kind & 0x1f {
        cp::PDU_HELLO_P2P => Hello::decode(reader).map(Pdu::Hello),
        cp::PDU_LSP_L2 => Lsp::decode(reader).map(Pdu::Lsp),
        cp::PDU_CSNP_L2 => {
            reader.u16()?;
            Csnp::decode(reader).map(Pdu::Csnp)
        }
        _ => {
            reader.u16()?;
            Psnp::decode(reader).map(Pdu::Psnp)
        }
    }
}

pub(crate) fn put_header(out: &mut Vec<u8>, kind: u8, header_len: u8) {
    let version = cp::VERSION;
    out.extend_from_slice(&[cp::DISCRIMINATOR, header_len, version, 0, kind, version, 0, 0]);
}

/// Writes the PDU's length where its type has it.
pub(crate) fn finish(mut out: Vec<u8>, length_at: usize) -> Vec<u8> {
    let len = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(slot) = out.get_mut(length_at..length_at + 2) {
        slot.copy_from_slice(&len);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Pdu, decode};
    use crate::error::DecodeReason;
    use crate::golden;
    use proptest::prelude::*;

    fn captured() -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> =
            [golden::HELLO_DOWN, golden::HELLO_UP].into_iter().map(golden::hello).collect();
        let others = [
            golden::LSP_SMALL,
            golden::LSP_R1,
            golden::LSP_R2,
            golden::LSP_SIGNED,
            golden::CSNP,
            golden::PSNP,
        ];
        all.extend(others.into_iter().map(golden::bytes));
        all
    }

    fn encode(pdu: &Pdu) -> Vec<u8> {
        match pdu {
            Pdu::Hello(hello) => hello.encode(None),
            Pdu::Lsp(lsp) => lsp.encode(),
            Pdu::Csnp(csnp) => csnp.encode(),
            Pdu::Psnp(psnp) => psnp.encode(),
        }
    }

    #[test]
    fn captured_pdus_cut_at_any_length_are_refused() {
        for bytes in captured() {
            for len in 0..bytes.len() {
                assert!(decode(&bytes[..len]).is_err(), "{len} octets");
            }
        }
    }

    #[test]
    fn captured_pdus_that_say_they_are_shorter_never_panic_and_mostly_fail() {
        for bytes in captured() {
            let at = if bytes[4] == 17 { 17 } else { 8 };
            for len in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at..at + 2].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
                let header = usize::from(bytes[1]);
                let refused = decode(&bytes).is_err();
                assert!(refused || len >= header, "{len} octets");
            }
        }
    }

    #[test]
    fn octets_after_the_end_are_ignored() {
        for mut bytes in captured() {
            let pdu = decode(&bytes).unwrap();
            bytes.extend([0xaa; 20]);
            assert_eq!(decode(&bytes), Ok(pdu));
        }
    }

    #[test]
    fn each_field_of_the_header_has_its_reason() {
        let good = golden::bytes(golden::PSNP);
        let cases = [
            (0, 0x82, DecodeReason::Discriminator),
            (1, 18, DecodeReason::HeaderLength),
            (2, 2, DecodeReason::Version),
            (3, 8, DecodeReason::IdLength),
            (4, 26, DecodeReason::PduType),
            (5, 0, DecodeReason::Version),
            (8, 1, DecodeReason::PduLength),
            (9, 16, DecodeReason::PduLength),
        ];
        for (at, value, reason) in cases {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(decode(&bytes).unwrap_err().reason, reason, "octet {at}");
        }
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_what_decodes_alike(
            which in 0..8_usize,
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = captured().swap_remove(which);
            // Hellos are mostly padding: edit the part before it.
            let len = bytes.len().min(120);
            for (at, value) in edits {
                bytes[at.index(len)] = value;
            }
            if let Ok(pdu) = decode(&bytes) {
                prop_assert_eq!(decode(&encode(&pdu)), Ok(pdu));
            }
        }
    }
}
