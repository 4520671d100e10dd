//! Link-state PDUs: what one router says of itself and its links, flooded unchanged to all.
//!
//! The body is opaque to flooding; only the remaining lifetime changes on the way, and neither the
//! checksum nor the signature covers it. A purge is a link-state PDU with no lifetime left.
//!
//! Standards: ISO 10589 §9.9 (level 2 link-state PDU) and §7.3.16.2 (which of two is newer).
//! Not implemented: the attached bits (level 1 alone uses them) and partition repair.

use crate::codepoints as cp;
use crate::error::DecodeError;
use crate::pdu::{finish, put_header};
use crate::reader::Reader;
use crate::snp::LspId;
use crate::tlv::{self, Tlv};

/// A link-state PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lsp {
    /// Seconds that it remains valid; 0: a purge.
    pub lifetime: u16,
    /// Which.
    pub id: LspId,
    /// Its version.
    pub sequence: u32,
    /// Its checksum, as it is on the wire.
    pub checksum: u16,
    /// Partition repair, attached, overload and type.
    pub flags: u8,
    /// Everything else.
    pub tlvs: Vec<Tlv>,
}

/// Where the remaining lifetime is.
pub(crate) const LIFETIME_AT: usize = 10;

impl Lsp {
    pub(crate) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        reader.u16()?;
        let lifetime = reader.u16()?;
        let id = LspId::decode(&mut reader)?;
        let sequence = reader.u32()?;
        let checksum = reader.u16()?;
        let flags = reader.u8()?;
        Ok(Self { lifetime, id, sequence, checksum, flags, tlvs: tlv::decode(reader)? })
    }

    /// The PDU's octets, with the checksum as given.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_header(&mut out, cp::PDU_LSP_L2, cp::LSP_HEADER_LEN);
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.lifetime.to_be_bytes());
        self.id.encode(&mut out);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.checksum.to_be_bytes());
        out.push(self.flags);
        tlv::encode(&self.tlvs, &mut out);
        finish(out, 8)
    }

    /// Whether the router asks for no transit traffic.
    #[must_use]
    pub const fn overload(&self) -> bool {
        self.flags & cp::LSP_OVERLOAD != 0
    }
}

/// What decides which of two versions of a link-state PDU is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) sequence: u32,
    pub(crate) expired: bool,
    pub(crate) checksum: u16,
}

/// How a version heard of relates to the one in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    Newer,
    Older,
    /// Same number, both alive, different contents.
    Conflict,
}

/// ISO 10589 §7.3.16.2: the higher sequence number; then the one that has expired; versions alike
/// in both differ only where the checksum of live ones does.
pub(crate) const fn compare(heard: Version, held: Version) -> Comparison {
    if heard.sequence > held.sequence {
        return Comparison::Newer;
    }
    if heard.sequence < held.sequence {
        return Comparison::Older;
    }
    match (heard.expired, held.expired) {
        (true, false) => Comparison::Newer,
        (false, true) => Comparison::Older,
        (true, true) => Comparison::Same,
        (false, false) if heard.checksum == held.checksum => Comparison::Same,
        (false, false) => Comparison::Conflict,
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Lsp, Version, compare};
    use crate::capability::CapabilitySubTlv;
    use crate::config::LabelRange;
    use crate::golden;
    use crate::pdu::{Pdu, decode};
    use crate::reachability::{IsSubTlv, PrefixReach, PrefixSubTlv, Sid};
    use crate::tlv::Tlv;
    use base::{Label, SystemId};

    fn captured(hex: &str) -> Lsp {
        let Pdu::Lsp(lsp) = decode(&golden::bytes(hex)).unwrap() else { panic!("not an LSP") };
        lsp
    }

    fn label(value: u32) -> Label {
        Label::new(value).unwrap()
    }

    #[test]
    fn captured_link_state_pdu_has_every_part_of_segment_routing() {
        let lsp = captured(golden::LSP_R1);
        assert_eq!(lsp.id.to_string(), "0000.0000.0001.00-00");
        assert_eq!((lsp.lifetime, lsp.sequence, lsp.checksum), (1181, 2, 0x79e9));
        assert!(!lsp.overload());
        assert!(lsp.tlvs.contains(&Tlv::Hostname("vm".to_owned())));
        assert!(lsp.tlvs.contains(&Tlv::AreaAddresses(vec![vec![0x49, 0, 1]])));
        let capability = lsp.tlvs.iter().find_map(|tlv| {
            if let Tlv::Capability(capability) = tlv { Some(capability) } else { None }
        });
        let capability = capability.unwrap();
        assert_eq!(capability.router_id.to_string(), "10.255.0.1");
        let srgb = vec![LabelRange { first: label(16_000), count: 8000 }];
        let srlb = vec![LabelRange { first: label(15_000), count: 1000 }];
        assert_eq!(
            capability.sub_tlvs,
            [
                CapabilitySubTlv::SegmentRouting { flags: 0xc0, srgb },
                CapabilitySubTlv::Algorithms(vec![0]),
                CapabilitySubTlv::Srlb(srlb),
                CapabilitySubTlv::Other { kind: 23, value: vec![1, 10] },
            ]
        );
    }

    #[test]
    fn captured_link_state_pdu_has_its_link_and_its_prefixes() {
        let lsp = captured(golden::LSP_R1);
        let links = lsp
            .tlvs
            .iter()
            .find_map(|tlv| if let Tlv::IsReach(links) = tlv { Some(links) } else { None });
        let link = &links.unwrap()[0];
        assert_eq!((link.neighbour, link.metric), (SystemId([0, 0, 0, 0, 0, 2]), 10));
        assert_eq!(
            link.sub_tlvs,
            [
                IsSubTlv::Ipv4Neighbour("10.0.12.2".parse().unwrap()),
                IsSubTlv::AdjacencySid { flags: 0x30, weight: 0, sid: Sid::Label(label(15_000)) },
            ]
        );
        let prefixes = lsp.tlvs.iter().find_map(|tlv| {
            if let Tlv::PrefixReach(prefixes) = tlv { Some(prefixes) } else { None }
        });
        let prefixes = prefixes.unwrap();
        assert_eq!(prefixes[0].prefix.to_string(), "10.255.0.1/32");
        assert_eq!(
            prefixes[0].sub_tlvs,
            [PrefixSubTlv::PrefixSid { flags: 0x40, algorithm: 0, sid: Sid::Index(1) }]
        );
        assert_eq!(prefixes[1].prefix.to_string(), "10.0.12.0/24");
        assert_eq!((prefixes[1].metric, prefixes[1].sub_tlvs.len()), (10, 0));
    }

    #[test]
    fn captured_link_state_pdus_encode_back() {
        for hex in [
            golden::LSP_SMALL,
            golden::LSP_R1,
            golden::LSP_R2,
            golden::LSP_SIGNED,
            golden::LSP_EXPLICIT_NULL,
        ] {
            assert_eq!(captured(hex).encode(), golden::bytes(hex));
        }
    }

    #[test]
    fn which_of_two_versions_is_newer() {
        let live = |sequence, checksum| Version { sequence, expired: false, checksum };
        let gone = |sequence, checksum| Version { sequence, expired: true, checksum };
        let cases = [
            (live(2, 7), live(1, 9), Comparison::Newer),
            (live(1, 7), live(2, 7), Comparison::Older),
            (gone(1, 7), live(2, 7), Comparison::Older),
            (live(3, 7), gone(2, 7), Comparison::Newer),
            (gone(2, 7), live(2, 7), Comparison::Newer),
            (live(2, 7), gone(2, 7), Comparison::Older),
            (gone(2, 7), gone(2, 8), Comparison::Same),
            (live(2, 7), live(2, 7), Comparison::Same),
            (live(2, 7), live(2, 8), Comparison::Conflict),
        ];
        for (heard, held, expected) in cases {
            assert_eq!(compare(heard, held), expected, "{heard:?} {held:?}");
        }
    }

    #[test]
    fn captured_prefix_sid_has_the_flags_of_explicit_null() {
        let lsp = captured(golden::LSP_EXPLICIT_NULL);
        let prefixes = lsp.tlvs.iter().find_map(|tlv| {
            if let Tlv::PrefixReach(prefixes) = tlv { Some(prefixes) } else { None }
        });
        // RFC 8667 §2.1: N, P and E.
        let sid = PrefixSubTlv::PrefixSid { flags: 0x70, algorithm: 0, sid: Sid::Index(2) };
        assert_eq!(prefixes.unwrap()[0].sub_tlvs, [sid]);
    }

    #[test]
    fn captured_ipv6_prefix_has_its_sid() {
        let lsp = captured(golden::LSP_SIGNED);
        let last = lsp.tlvs.last().unwrap();
        let sid = Sid::Index(101);
        let prefix = PrefixReach {
            prefix: "fd00::1/128".parse().unwrap(),
            metric: 10,
            down: false,
            external: false,
            sub_tlvs: vec![PrefixSubTlv::PrefixSid { flags: 0x40, algorithm: 0, sid }],
        };
        assert_eq!(*last, Tlv::PrefixReach(vec![prefix]));
    }
}
