//! The NOTIFICATION message: why a session ends, said to the other side before it closes.
//!
//! An error is a code, a subcode and data whose meaning depends on both. Codes that this speaker
//! knows have a type, so that counters, people and checkers read the same word; others are kept as
//! numbers.
//!
//! Standards: RFC 4271 §4.5 and §6, RFC 4486 (Cease subcodes), RFC 5492 §5, RFC 6608 (state machine
//! subcodes), RFC 7313 §5 (code 7, named only), RFC 8538 §3.1 (hard reset, named only), RFC 9003
//! (shutdown communication), RFC 9384 (BFD down).
//! Not implemented: RFC 8538's notification support for graceful restart.

use core::fmt;

use crate::codepoints::message_type;
use crate::message;

/// The longest shutdown communication in octets (RFC 9003 §2).
pub const SHUTDOWN_TEXT_MAX: usize = 255;

macro_rules! subcodes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $value:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The number on the wire.
            #[must_use]
            pub const fn value(self) -> u8 {
                match self {
                    $(Self::$variant => $value,)+
                }
            }

            const fn from_value(value: u8) -> Option<Self> {
                match value {
                    $($value => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }
    };
}

subcodes! {
    /// Faults of the message header (RFC 4271 §6.1).
    HeaderSubcode {
        /// No particular fault.
        Unspecific = 0, "unspecific";
        /// The marker is not all ones.
        ConnectionNotSynchronized = 1, "connection not synchronized";
        /// The length does not fit the type.
        BadMessageLength = 2, "bad message length";
        /// Not a known type.
        BadMessageType = 3, "bad message type";
    }
}

subcodes! {
    /// Faults of an OPEN message (RFC 4271 §6.2, RFC 5492 §5).
    OpenSubcode {
        /// No particular fault.
        Unspecific = 0, "unspecific";
        /// Not version 4.
        UnsupportedVersion = 1, "unsupported version number";
        /// Not the AS number that was configured.
        BadPeerAs = 2, "bad peer AS";
        /// Zero, or the receiver's own.
        BadBgpIdentifier = 3, "bad BGP identifier";
        /// An optional parameter that is not known.
        UnsupportedOptionalParameter = 4, "unsupported optional parameter";
        /// One or two seconds.
        UnacceptableHoldTime = 6, "unacceptable hold time";
        /// A capability without which the session is of no use.
        UnsupportedCapability = 7, "unsupported capability";
    }
}

subcodes! {
    /// Faults of an UPDATE message (RFC 4271 §6.3).
    UpdateSubcode {
        /// No particular fault.
        Unspecific = 0, "unspecific";
        /// Lengths that contradict each other, or an attribute twice.
        MalformedAttributeList = 1, "malformed attribute list";
        /// A well-known attribute that is not known.
        UnrecognizedWellKnownAttribute = 2, "unrecognized well-known attribute";
        /// A mandatory attribute is absent.
        MissingWellKnownAttribute = 3, "missing well-known attribute";
        /// Flags that contradict the attribute's definition.
        AttributeFlagsError = 4, "attribute flags error";
        /// A length that contradicts the attribute's definition.
        AttributeLengthError = 5, "attribute length error";
        /// An undefined origin.
        InvalidOrigin = 6, "invalid ORIGIN attribute";
        /// Not an address.
        InvalidNextHop = 8, "invalid NEXT_HOP attribute";
        /// A fault inside an optional attribute.
        OptionalAttributeError = 9, "optional attribute error";
        /// Routes that cannot be read.
        InvalidNetworkField = 10, "invalid network field";
        /// A path that cannot be read.
        MalformedAsPath = 11, "malformed AS_PATH";
    }
}

subcodes! {
    /// A message that the state does not expect (RFC 6608 §3).
    FsmSubcode {
        /// No particular fault.
        Unspecific = 0, "unspecific";
        /// Unexpected in OpenSent.
        OpenSent = 1, "unexpected message in OpenSent";
        /// Unexpected in OpenConfirm.
        OpenConfirm = 2, "unexpected message in OpenConfirm";
        /// Unexpected in Established.
        Established = 3, "unexpected message in Established";
    }
}

subcodes! {
    /// Why a session ends without a fault in a message (RFC 4486, RFC 8538, RFC 9384).
    CeaseSubcode {
        /// No particular reason.
        Unspecific = 0, "unspecific";
        /// More routes than the receiver takes.
        MaximumPrefixes = 1, "maximum number of prefixes reached";
        /// Switched off by its operator.
        AdministrativeShutdown = 2, "administrative shutdown";
        /// No longer configured.
        PeerDeconfigured = 3, "peer de-configured";
        /// Restarted by its operator.
        AdministrativeReset = 4, "administrative reset";
        /// Not wanted after all.
        ConnectionRejected = 5, "connection rejected";
        /// Another parameter changed.
        ConfigurationChange = 6, "other configuration change";
        /// The other of two connections was kept.
        CollisionResolution = 7, "connection collision resolution";
        /// Memory, or another limit.
        OutOfResources = 8, "out of resources";
        /// Not to be survived by graceful restart.
        HardReset = 9, "hard reset";
        /// BFD says that the path is dead.
        BfdDown = 10, "BFD down";
    }
}

/// What went wrong: error code and subcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorCode {
    /// Code 1.
    Header(HeaderSubcode),
    /// Code 2.
    Open(OpenSubcode),
    /// Code 3.
    Update(UpdateSubcode),
    /// Code 4.
    HoldTimerExpired,
    /// Code 5.
    Fsm(FsmSubcode),
    /// Code 6.
    Cease(CeaseSubcode),
    /// A code or subcode that the speaker does not know.
    Other {
        /// Error code.
        code: u8,
        /// Error subcode.
        subcode: u8,
    },
}

impl ErrorCode {
    /// Code and subcode on the wire.
    #[must_use]
    pub const fn octets(self) -> [u8; 2] {
        match self {
            Self::Header(subcode) => [1, subcode.value()],
            Self::Open(subcode) => [2, subcode.value()],
            Self::Update(subcode) => [3, subcode.value()],
            Self::HoldTimerExpired => [4, 0],
            Self::Fsm(subcode) => [5, subcode.value()],
            Self::Cease(subcode) => [6, subcode.value()],
            Self::Other { code, subcode } => [code, subcode],
        }
    }

    /// The error of this code and subcode.
    #[must_use]
    pub fn from_octets(code: u8, subcode: u8) -> Self {
        let known = match code {
            1 => HeaderSubcode::from_value(subcode).map(Self::Header),
            2 => OpenSubcode::from_value(subcode).map(Self::Open),
            3 => UpdateSubcode::from_value(subcode).map(Self::Update),
            4 if subcode == 0 => Some(Self::HoldTimerExpired),
            5 => FsmSubcode::from_value(subcode).map(Self::Fsm),
            6 => CeaseSubcode::from_value(subcode).map(Self::Cease),
            _ => None,
        };
        known.unwrap_or(Self::Other { code, subcode })
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(subcode) => write!(f, "message header error: {subcode}"),
            Self::Open(subcode) => write!(f, "OPEN message error: {subcode}"),
            Self::Update(subcode) => write!(f, "UPDATE message error: {subcode}"),
            Self::HoldTimerExpired => f.write_str("hold timer expired"),
            Self::Fsm(subcode) => write!(f, "finite state machine error: {subcode}"),
            Self::Cease(subcode) => write!(f, "cease: {subcode}"),
            Self::Other { code, subcode } => write!(f, "error {code}/{subcode}"),
        }
    }
}

/// A NOTIFICATION message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// What went wrong.
    pub error: ErrorCode,
    /// Data that helps to find it.
    pub data: Vec<u8>,
}

impl Notification {
    /// A notification without data.
    #[must_use]
    pub const fn new(error: ErrorCode) -> Self {
        Self { error, data: Vec::new() }
    }

    /// A notification with data.
    #[must_use]
    pub fn with_data(error: ErrorCode, data: &[u8]) -> Self {
        Self { error, data: data.to_vec() }
    }

    /// The end of a session for a reason outside its messages.
    #[must_use]
    pub const fn cease(subcode: CeaseSubcode) -> Self {
        Self::new(ErrorCode::Cease(subcode))
    }

    /// A shutdown or reset with a word for the other side's operator, cut to 255 octets.
    #[must_use]
    pub fn cease_with_text(subcode: CeaseSubcode, text: &str) -> Self {
        let text = text.get(..text.floor_char_boundary(SHUTDOWN_TEXT_MAX)).unwrap_or(text);
        let mut data = vec![u8::try_from(text.len()).unwrap_or(0)];
        data.extend_from_slice(text.as_bytes());
        Self { error: ErrorCode::Cease(subcode), data }
    }

    /// What the other side's operator says about a shutdown or reset (RFC 9003 §2).
    #[must_use]
    pub fn shutdown_text(&self) -> Option<&str> {
        let ErrorCode::Cease(
            CeaseSubcode::AdministrativeShutdown | CeaseSubcode::AdministrativeReset,
        ) = self.error
        else {
            return None;
        };
        let (&len, text) = self.data.split_first()?;
        core::str::from_utf8(text.get(..usize::from(len))?).ok().filter(|text| !text.is_empty())
    }

    /// Reads the body of a NOTIFICATION message; an incomplete one is an unknown error.
    #[must_use]
    pub fn decode(body: &[u8]) -> Self {
        match body {
            [code, subcode, data @ ..] => {
                Self::with_data(ErrorCode::from_octets(*code, *subcode), data)
            }
            _ => Self::new(ErrorCode::Other { code: 0, subcode: 0 }),
        }
    }

    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let room = message::BODY_MAX - 2;
        let data = self.data.get(..room).unwrap_or(&self.data);
        let start = message::begin(message_type::NOTIFICATION, out);
        out.extend_from_slice(&self.error.octets());
        out.extend_from_slice(data);
        message::finish(start, out);
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match self.shutdown_text() {
            Some(text) => write!(f, " ({text:?})"),
            None => Ok(()),
        }
    }
}
