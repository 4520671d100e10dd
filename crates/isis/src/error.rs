//! Every "no" with its reason: why bytes are no PDU, why a PDU is not acted on, why an adjacency
//! is not up.

use core::fmt;

/// Why bytes are not a PDU that this router understands, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub reason: DecodeReason,
    /// The octet of the PDU at which it was noticed.
    pub offset: usize,
}

/// What is wrong with bytes that should be a PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DecodeReason {
    /// They end too early.
    Truncated,
    /// The first octet is not that of IS-IS.
    Discriminator,
    /// A version other than 1.
    Version,
    /// System identifiers that are not six octets long.
    IdLength,
    /// A header length that is not the PDU type's.
    HeaderLength,
    /// A PDU type that level 2 on point-to-point links does not have.
    PduType,
    /// A PDU length shorter than the header or longer than the frame.
    PduLength,
    /// A TLV that reaches past the end of the PDU.
    TlvLength,
    /// A value that is not of its TLV's form.
    Value,
}

impl fmt::Display for DecodeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "ends too early",
            Self::Discriminator => "not an IS-IS PDU",
            Self::Version => "unknown version",
            Self::IdLength => "system identifiers are not six octets",
            Self::HeaderLength => "header length does not fit the PDU type",
            Self::PduType => "PDU type not used at level 2 on point-to-point links",
            Self::PduLength => "PDU length does not fit the frame",
            Self::TlvLength => "TLV reaches past the end of the PDU",
            Self::Value => "malformed value",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octet {}", self.reason, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// Why a PDU was not acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// It came over a port without IS-IS.
    UnknownCircuit,
    /// It came over a port that is down.
    PortDown,
    /// It is no PDU that this router understands.
    Malformed(DecodeReason),
    /// It carries no signature and must.
    AuthenticationMissing,
    /// It is signed by another algorithm.
    AuthenticationType,
    /// It is signed with a key of another number.
    AuthenticationKeyId,
    /// Its signature is wrong: another key, or altered on the way.
    AuthenticationDigest,
    /// A hello for level 1 only.
    WrongLevel,
    /// A hello with our own system identifier: a loop, or two routers of one identity.
    OwnSystemId,
    /// A hello that would be outdated at once.
    HoldingTimeZero,
    /// A hello without a protocol that this circuit carries.
    NoCommonProtocol,
    /// A hello without the three-way adjacency TLV.
    ThreeWayMissing,
    /// A hello whose sender sees another router at this end of the link.
    OtherNeighbour,
    /// A hello whose sender sees another of our circuits at this end of the link.
    OtherCircuit,
    /// A hello while BFD says that the link does not carry packets.
    BfdDown,
    /// A database PDU without an adjacency.
    NoAdjacency,
    /// A sequence-numbers PDU from a router that is not the neighbour.
    NotFromNeighbour,
    /// A link-state PDU whose checksum is wrong.
    LspChecksum,
    /// A link-state PDU with the reserved sequence number 0.
    SequenceZero,
    /// A signed purge with contents that a purge must not have.
    PurgeContents,
    /// A link-state PDU for which the database has no room.
    DatabaseFull,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownCircuit => "no IS-IS on this port",
            Self::PortDown => "port is down",
            Self::Malformed(reason) => return write!(f, "malformed: {reason}"),
            Self::AuthenticationMissing => "not signed",
            Self::AuthenticationType => "signed by another algorithm",
            Self::AuthenticationKeyId => "signed with a key of another number",
            Self::AuthenticationDigest => "wrong signature",
            Self::WrongLevel => "neighbour runs level 1 only",
            Self::OwnSystemId => "our own system identifier",
            Self::HoldingTimeZero => "holding time is zero",
            Self::NoCommonProtocol => "no protocol in common",
            Self::ThreeWayMissing => "no three-way adjacency TLV",
            Self::OtherNeighbour => "neighbour sees another router",
            Self::OtherCircuit => "neighbour sees another of our circuits",
            Self::BfdDown => "BFD is down",
            Self::NoAdjacency => "no adjacency",
            Self::NotFromNeighbour => "not from the neighbour",
            Self::LspChecksum => "wrong link-state PDU checksum",
            Self::SequenceZero => "sequence number is zero",
            Self::PurgeContents => "purge with forbidden contents",
            Self::DatabaseFull => "link-state database is full",
        })
    }
}

/// Why an adjacency is not up, or why it went down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUpReason {
    /// The port is down.
    PortDown,
    /// No hello has been heard.
    NoHello,
    /// The neighbour's last hello was refused.
    HelloRejected(RejectReason),
    /// The neighbour is heard and does not yet hear us.
    OneWay,
    /// The neighbour was not heard for its holding time.
    HoldingTimeExpired,
    /// The neighbour started anew.
    NeighbourRestarted,
    /// Another router is at the far end now.
    NeighbourChanged,
    /// BFD says that the link does not carry packets.
    BfdDown,
    /// Our configuration no longer has the circuit, or our identity changed.
    ConfigChanged,
}

impl fmt::Display for NotUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PortDown => "port is down",
            Self::NoHello => "no hello heard",
            Self::HelloRejected(reason) => return write!(f, "hello refused: {reason}"),
            Self::OneWay => "neighbour does not hear us yet",
            Self::HoldingTimeExpired => "holding time expired",
            Self::NeighbourRestarted => "neighbour restarted",
            Self::NeighbourChanged => "another neighbour",
            Self::BfdDown => "BFD is down",
            Self::ConfigChanged => "configuration changed",
        })
    }
}
