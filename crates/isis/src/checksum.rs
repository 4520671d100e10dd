//! The checksum of link-state PDUs: Fletcher's, over the octets from the LSP ID to the end.
//!
//! Two sums modulo 255, one of the octets and one of the running sums. The two check octets are
//! chosen so that both sums over the whole come out as zero; neither is ever zero, as zero would
//! mean "no checksum".
//!
//! Standards: ISO 8473 Annex C, ISO 10589 §7.3.11.
//! Not implemented: the optional checksum TLV of RFC 3358 for hellos and sequence-numbers PDUs.

use crate::codepoints::LSP_HEADER_LEN;

/// Where the covered octets begin in a link-state PDU: after length and remaining lifetime.
const COVERED_FROM: usize = 12;
/// Where the checksum is in a link-state PDU.
const CHECKSUM_AT: usize = 24;

fn sums(bytes: &[u8]) -> (u32, u32) {
    let (mut c0, mut c1) = (0_u32, 0_u32);
    // The sums of this many octets stay far below 2^32.
    for chunk in bytes.chunks(4096) {
        for octet in chunk {
            c0 += u32::from(*octet);
            c1 += c0;
        }
        c0 %= 255;
        c1 %= 255;
    }
    (c0, c1)
}

/// Whether a link-state PDU's checksum is right.
pub(crate) fn verify(lsp: &[u8]) -> bool {
    let checksum = lsp.get(CHECKSUM_AT..CHECKSUM_AT + 2);
    let covered = lsp.get(COVERED_FROM..).unwrap_or_default();
    checksum.is_some_and(|octets| !octets.contains(&0)) && sums(covered) == (0, 0)
}

/// Writes the checksum of a link-state PDU into it and returns it.
pub(crate) fn set(lsp: &mut [u8]) -> u16 {
    debug_assert!(lsp.len() >= usize::from(LSP_HEADER_LEN), "a whole header");
    put(lsp, [0, 0]);
    let covered = lsp.get(COVERED_FROM..).unwrap_or_default();
    let (c0, c1) = sums(covered);
    let after = covered.len().saturating_sub(CHECKSUM_AT - COVERED_FROM + 1);
    let after = u32::try_from(after % 255).unwrap_or(0);
    let x = (after * c0 + 255 - c1) % 255;
    let y = (510 - c0 - x) % 255;
    let octets =
        [x, y].map(|sum| u8::try_from(sum).unwrap_or(0)).map(|o| if o == 0 { 255 } else { o });
    put(lsp, octets);
    u16::from_be_bytes(octets)
}

fn put(lsp: &mut [u8], octets: [u8; 2]) {
    if let Some(slot) = lsp.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        slot.copy_from_slice(&octets);
    }
}

#[cfg(test)]
mod tests {
    use super::{set, verify};
    use crate::golden;
    use proptest::prelude::*;

    #[test]
    fn checksums_of_captured_link_state_pdus_are_right_and_recomputed_alike() {
        for hex in [golden::LSP_SMALL, golden::LSP_R1, golden::LSP_R2, golden::LSP_SIGNED] {
            let bytes = golden::bytes(hex);
            assert!(verify(&bytes));
            let mut again = bytes.clone();
            set(&mut again);
            assert_eq!(again, bytes);
        }
    }

    proptest! {
        #[test]
        fn what_is_set_verifies_and_any_altered_octet_shows(
            mut lsp in proptest::collection::vec(any::<u8>(), 27..1492),
            at in any::<prop::sample::Index>(),
            flip in 1_u8..255,
        ) {
            set(&mut lsp);
            prop_assert!(verify(&lsp));
            let at = 12 + at.index(lsp.len() - 12);
            let was = lsp[at];
            lsp[at] = was.wrapping_add(flip);
            // 0x00 and 0xff are one and the same number modulo 255.
            prop_assume!(u16::from(was) % 255 != u16::from(lsp[at]) % 255);
            prop_assert!(!verify(&lsp));
        }
    }
}
