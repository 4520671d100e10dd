//! Sequence-numbers PDUs: a database in short.
//!
//! A complete one (CSNP) lists everything that the sender has between two identifiers, so that the
//! receiver sees what either side lacks. A partial one (PSNP) lists some: on a point-to-point link
//! it acknowledges what it names, or asks for it where it names an older version.
//!
//! Standards: ISO 10589 §9.11 (level 2 CSNP) and §9.13 (level 2 PSNP).
//! Not implemented: level 1.

use core::fmt;

use base::SystemId;

use crate::codepoints as cp;
use crate::error::DecodeError;
use crate::pdu::{finish, put_header};
use crate::reader::Reader;
use crate::tlv::{self, Tlv};

/// The identifier of one link-state PDU: a router's, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LspId {
    /// The router that originated it.
    pub system_id: SystemId,
    /// Not 0 where it speaks for a broadcast link.
    pub pseudonode: u8,
    /// The fragment, from 0.
    pub fragment: u8,
}

/// As `0000.0000.0001.00-00`.
impl fmt::Display for LspId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02x}-{:02x}", self.system_id, self.pseudonode, self.fragment)
    }
}

impl LspId {
    /// Before every other.
    pub const FIRST: Self = Self { system_id: SystemId([0; 6]), pseudonode: 0, fragment: 0 };
    /// After every other.
    pub const LAST: Self =
        Self { system_id: SystemId([0xff; 6]), pseudonode: 0xff, fragment: 0xff };

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let system_id = reader.system_id()?;
        Ok(Self { system_id, pseudonode: reader.u8()?, fragment: reader.u8()? })
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.system_id.0);
        out.extend_from_slice(&[self.pseudonode, self.fragment]);
    }

    /// The identifier that comes next in order; the last has none.
    pub(crate) fn next(self) -> Option<Self> {
        let [a, b, c, d, e, f] = self.system_id.0;
        let number = u64::from_be_bytes([a, b, c, d, e, f, self.pseudonode, self.fragment]);
        let [a, b, c, d, e, f, pseudonode, fragment] = number.checked_add(1)?.to_be_bytes();
        Some(Self { system_id: SystemId([a, b, c, d, e, f]), pseudonode, fragment })
    }
}

/// One link-state PDU in short: an entry of TLV 9.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LspEntry {
    /// Seconds that it remains valid; 0: purged.
    pub lifetime: u16,
    /// Which.
    pub id: LspId,
    /// Its version.
    pub sequence: u32,
    /// Its checksum.
    pub checksum: u16,
}

/// The octets of an entry on the wire.
pub(crate) const ENTRY_LEN: usize = 16;

impl LspEntry {
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let lifetime = reader.u16()?;
        let id = LspId::decode(reader)?;
        Ok(Self { lifetime, id, sequence: reader.u32()?, checksum: reader.u16()? })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.lifetime.to_be_bytes());
        self.id.encode(out);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.checksum.to_be_bytes());
    }
}

/// A complete sequence-numbers PDU of level 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csnp {
    /// The sender.
    pub source: SystemId,
    /// The octet after the sender's identifier: 0, but some put a circuit's number there.
    pub circuit: u8,
    /// Everything from here …
    pub start: LspId,
    /// … to here is listed.
    pub end: LspId,
    /// The entries, in TLVs.
    pub tlvs: Vec<Tlv>,
}

impl Csnp {
    pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let source = reader.system_id()?;
        let circuit = reader.u8()?;
        let (start, end) = (LspId::decode(&mut reader)?, LspId::decode(&mut reader)?);
        Ok(Self { source, circuit, start, end, tlvs: tlv::decode(reader)? })
    }

    /// The PDU's octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_header(&mut out, cp::PDU_CSNP_L2, cp::CSNP_HEADER_LEN);
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.source.0);
        out.push(self.circuit);
        self.start.encode(&mut out);
        self.end.encode(&mut out);
        tlv::encode(&self.tlvs, &mut out);
        finish(out, 8)
    }
}

/// A partial sequence-numbers PDU of level 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Psnp {
    /// The sender.
    pub source: SystemId,
    /// The octet after the sender's identifier: 0, but some put a circuit's number there.
    pub circuit: u8,
    /// The entries, in TLVs.
    pub tlvs: Vec<Tlv>,
}

impl Psnp {
    pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let source = reader.system_id()?;
        let circuit = reader.u8()?;
        Ok(Self { source, circuit, tlvs: tlv::decode(reader)? })
    }

    /// The PDU's octets.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        put_header(&mut out, cp::PDU_PSNP_L2, cp::PSNP_HEADER_LEN);
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.source.0);
        out.push(self.circuit);
        tlv::encode(&self.tlvs, &mut out);
        finish(out, 8)
    }
}

/// The entries among a sequence-numbers PDU's TLVs.
pub(crate) fn entries(tlvs: &[Tlv]) -> Vec<LspEntry> {
    let mut all = Vec::new();
    for tlv in tlvs {
        if let Tlv::LspEntries(entries) = tlv {
            all.extend_from_slice(entries);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{LspEntry, LspId, entries};
    use crate::golden;
    use crate::pdu::{Pdu, decode};
    use base::SystemId;

    #[test]
    fn captured_csnp_lists_both_routers_and_encodes_back() {
        let bytes = golden::bytes(golden::CSNP);
        let Pdu::Csnp(csnp) = decode(&bytes).unwrap() else { panic!("not a CSNP") };
        assert_eq!(csnp.source, SystemId([0, 0, 0, 0, 0, 1]));
        assert_eq!((csnp.start, csnp.end), (LspId::FIRST, LspId::LAST));
        let listed = entries(&csnp.tlvs);
        let ids: Vec<String> = listed.iter().map(|entry| entry.id.to_string()).collect();
        assert_eq!(ids, ["0000.0000.0001.00-00", "0000.0000.0002.00-00"]);
        assert_eq!((listed[0].lifetime, listed[0].sequence), (0x4ab, 1));
        assert_eq!((listed[1].sequence, listed[1].checksum), (0, 0xe8f8));
        assert_eq!(csnp.encode(), bytes);
    }

    #[test]
    fn captured_psnp_acknowledges_and_encodes_back() {
        let bytes = golden::bytes(golden::PSNP);
        let Pdu::Psnp(psnp) = decode(&bytes).unwrap() else { panic!("not a PSNP") };
        let id = LspId { system_id: SystemId([0, 0, 0, 0, 0, 2]), pseudonode: 0, fragment: 0 };
        let entry = LspEntry { lifetime: 0x484, id, sequence: 1, checksum: 0xe8f8 };
        assert_eq!(entries(&psnp.tlvs), [entry]);
        assert_eq!(psnp.encode(), bytes);
    }

    #[test]
    fn identifiers_follow_each_other_in_order_and_end() {
        assert!(LspId::FIRST.next().unwrap() > LspId::FIRST);
        let id = LspId { system_id: SystemId([0; 6]), pseudonode: 0, fragment: 255 };
        assert_eq!(id.next().unwrap().pseudonode, 1);
        assert_eq!(LspId::LAST.next(), None);
    }
}
