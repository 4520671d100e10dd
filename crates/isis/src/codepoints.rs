//! Numbers that the standards assign: PDU types, TLV and sub-TLV codes, flags.
//!
//! Standards: ISO 10589 §9, IANA "IS-IS TLV Codepoints" registries.
//! Not implemented: codes that level 2 on point-to-point links has no use for.

/// The first octet of every IS-IS PDU (ISO 9577).
pub(crate) const DISCRIMINATOR: u8 = 0x83;
/// The only version there is, in both version fields.
pub(crate) const VERSION: u8 = 1;

pub(crate) const PDU_HELLO_P2P: u8 = 17;
pub(crate) const PDU_LSP_L2: u8 = 20;
pub(crate) const PDU_CSNP_L2: u8 = 25;
pub(crate) const PDU_PSNP_L2: u8 = 27;

pub(crate) const HELLO_HEADER_LEN: u8 = 20;
pub(crate) const LSP_HEADER_LEN: u8 = 27;
pub(crate) const CSNP_HEADER_LEN: u8 = 33;
pub(crate) const PSNP_HEADER_LEN: u8 = 17;

pub(crate) const TLV_AREA_ADDRESSES: u8 = 1;
pub(crate) const TLV_INSTANCE_ID: u8 = 7;
pub(crate) const TLV_PADDING: u8 = 8;
pub(crate) const TLV_LSP_ENTRIES: u8 = 9;
pub(crate) const TLV_AUTHENTICATION: u8 = 10;
pub(crate) const TLV_SEQUENCE_NUMBER: u8 = 11;
pub(crate) const TLV_PURGE_ORIGINATOR: u8 = 13;
pub(crate) const TLV_FINGERPRINT: u8 = 15;
pub(crate) const TLV_IS_REACHABILITY: u8 = 22;
pub(crate) const TLV_PROTOCOLS: u8 = 129;
pub(crate) const TLV_IPV4_ADDRESSES: u8 = 132;
pub(crate) const TLV_ROUTER_ID: u8 = 134;
pub(crate) const TLV_IPV4_REACHABILITY: u8 = 135;
pub(crate) const TLV_HOSTNAME: u8 = 137;
pub(crate) const TLV_IPV6_ADDRESSES: u8 = 232;
pub(crate) const TLV_IPV6_REACHABILITY: u8 = 236;
pub(crate) const TLV_THREE_WAY: u8 = 240;
pub(crate) const TLV_CAPABILITY: u8 = 242;

pub(crate) const IS_SUB_IPV4_INTERFACE: u8 = 6;
pub(crate) const IS_SUB_IPV4_NEIGHBOUR: u8 = 8;
pub(crate) const IS_SUB_ADJACENCY_SID: u8 = 31;

pub(crate) const PREFIX_SUB_SID: u8 = 3;

pub(crate) const CAPABILITY_SUB_SR: u8 = 2;
pub(crate) const CAPABILITY_SUB_ALGORITHMS: u8 = 19;
pub(crate) const CAPABILITY_SUB_SRLB: u8 = 22;
/// The SID/Label sub-TLV inside a range (RFC 8667 §2.3).
pub(crate) const SUB_SID_LABEL: u8 = 1;

/// The protocol identifier of IPv4 in TLV 129 (ISO 9577).
pub(crate) const NLPID_IPV4: u8 = 0xcc;
/// The protocol identifier of IPv6 in TLV 129 (RFC 5308 §4).
pub(crate) const NLPID_IPV6: u8 = 0x8e;

pub(crate) const AUTHENTICATION_GENERIC: u8 = 3;
pub(crate) const AUTHENTICATION_HMAC_MD5: u8 = 54;

/// Level 2 in a hello's circuit type.
pub(crate) const CIRCUIT_TYPE_L2: u8 = 2;
/// "Level 2 intermediate system" in an LSP's flags.
pub(crate) const LSP_IS_TYPE_L2: u8 = 3;
/// The overload bit in an LSP's flags.
pub(crate) const LSP_OVERLOAD: u8 = 0x04;

/// SR capabilities: this router forwards IPv4 by label (RFC 8667 §3.1).
pub(crate) const SR_IPV4: u8 = 0x80;
/// SR capabilities: this router forwards IPv6 by label (RFC 8667 §3.1).
pub(crate) const SR_IPV6: u8 = 0x40;

/// Prefix-SID: names a node (RFC 8667 §2.1).
pub(crate) const PREFIX_SID_NODE: u8 = 0x40;
/// Prefix-SID: the neighbour must not pop the label (RFC 8667 §2.1).
pub(crate) const PREFIX_SID_NO_PHP: u8 = 0x20;
/// Prefix-SID: the neighbour swaps to explicit null (RFC 8667 §2.1).
pub(crate) const PREFIX_SID_EXPLICIT_NULL: u8 = 0x10;
/// Prefix-SID and, shifted, adjacency-SID: a label value, not an index.
pub(crate) const PREFIX_SID_VALUE: u8 = 0x08;
/// Prefix-SID: of local significance only.
pub(crate) const PREFIX_SID_LOCAL: u8 = 0x04;

/// Adjacency-SID: the adjacency forwards IPv6 (RFC 8667 §2.2.1).
pub(crate) const ADJACENCY_SID_IPV6: u8 = 0x80;
/// Adjacency-SID: a label value, not an index.
pub(crate) const ADJACENCY_SID_VALUE: u8 = 0x20;
/// Adjacency-SID: of local significance only.
pub(crate) const ADJACENCY_SID_LOCAL: u8 = 0x10;

/// A link of this metric is never used for paths (RFC 5305 §3).
pub(crate) const METRIC_UNUSABLE: u32 = 0xff_ffff;
/// A prefix of a larger metric is not considered (RFC 5305 §4).
pub(crate) const PATH_METRIC_MAX: u32 = 0xfe00_0000;
/// The algorithm of ordinary shortest paths (RFC 8667 §3.2).
pub(crate) const ALGORITHM_SPF: u8 = 0;
/// The largest sequence number of an LSP (ISO 10589 §7.3.16.1).
pub(crate) const SEQUENCE_MAX: u32 = u32::MAX;
