//! Messages in a stream of bytes: the header, and the two messages that are little else.
//!
//! TCP carries no boundaries, so each message begins with a marker of sixteen octets of ones, its
//! length and its type. [`split`] cuts the first complete message off a receive buffer. A header
//! that is wrong leaves the stream without a boundary to go on from: the answer is always the
//! NOTIFICATION message that ends the session.
//!
//! Standards: RFC 4271 §4.1 and §6.1 (header), §4.4 (KEEPALIVE), RFC 2918 §3 (ROUTE-REFRESH).
//! Not implemented: RFC 8654 (messages over 4,096 octets), RFC 7313 (begin and end of a refresh:
//! its subtype is RFC 2918's reserved octet, which a receiver ignores).

use crate::codepoints::{afi_safi, family, message_type};
use crate::notification::{ErrorCode, HeaderSubcode, Notification};
use crate::route::Family;

/// Octets in a header: marker, length, type (RFC 4271 §4.1).
pub const HEADER_LEN: usize = 19;
/// The longest message (RFC 4271 §4.1).
pub const MESSAGE_MAX: usize = 4096;
/// The longest body.
pub const BODY_MAX: usize = MESSAGE_MAX - HEADER_LEN;

const MARKER: [u8; 16] = [0xff; 16];

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// OPEN.
    Open,
    /// UPDATE.
    Update,
    /// NOTIFICATION.
    Notification,
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh,
}

impl Kind {
    const fn from_code(code: u8) -> Option<Self> {
        match code {
            message_type::OPEN => Some(Self::Open),
            message_type::UPDATE => Some(Self::Update),
            message_type::NOTIFICATION => Some(Self::Notification),
            message_type::KEEPALIVE => Some(Self::Keepalive),
            message_type::ROUTE_REFRESH => Some(Self::RouteRefresh),
            _ => None,
        }
    }

    /// Whether a message of this type can be so long, header included (RFC 4271 §6.1).
    const fn permits(self, len: usize) -> bool {
        match self {
            Self::Open => len >= 29,
            Self::Update => len >= 23,
            Self::Notification => len >= 21,
            Self::Keepalive => len == HEADER_LEN,
            Self::RouteRefresh => len == 23,
        }
    }
}

/// One complete message in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: Kind,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Message<'_> {
    /// Octets that the message takes in the stream, header included.
    #[must_use]
    pub const fn len_on_wire(&self) -> usize {
        HEADER_LEN + self.body.len()
    }
}

/// The first message of a receive buffer; `None` where it is not complete yet. The caller goes on
/// after [`Message::len_on_wire`] octets.
///
/// # Errors
///
/// The NOTIFICATION message to send where the header is wrong (RFC 4271 §6.1).
pub fn split(bytes: &[u8]) -> Result<Option<Message<'_>>, Notification> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Ok(None);
    };
    let [marker @ .., high, low, code] = header;
    if *marker != MARKER {
        return Err(header_error(HeaderSubcode::ConnectionNotSynchronized, &[]));
    }
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    let bad_length = || header_error(HeaderSubcode::BadMessageLength, &[*high, *low]);
    if !(HEADER_LEN..=MESSAGE_MAX).contains(&len) {
        return Err(bad_length());
    }
    let Some(kind) = Kind::from_code(*code) else {
        return Err(header_error(HeaderSubcode::BadMessageType, &[*code]));
    };
    if !kind.permits(len) {
        return Err(bad_length());
    }
    Ok(rest.get(..len - HEADER_LEN).map(|body| Message { kind, body }))
}

fn header_error(subcode: HeaderSubcode, data: &[u8]) -> Notification {
    Notification::with_data(ErrorCode::Header(subcode), data)
}

/// Appends a header whose length [`finish`] fills in; returns where the message begins.
pub(crate) fn begin(code: u8, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0, 0, code]);
    start
}

/// Fills in the length of the message that begins at `start` and ends where the buffer does.
pub(crate) fn finish(start: usize, out: &mut [u8]) {
    let len = out.len() - start;
    debug_assert!(len <= MESSAGE_MAX, "message of {len} octets");
    put_u16(start + MARKER.len(), len, out);
}

/// Overwrites two octets with a length.
pub(crate) fn put_u16(at: usize, value: usize, out: &mut [u8]) {
    let octets = u16::try_from(value).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(slot) = out.get_mut(at..at + 2) {
        slot.copy_from_slice(&octets);
    }
}

/// Appends a KEEPALIVE message.
pub fn encode_keepalive(out: &mut Vec<u8>) {
    let start = begin(message_type::KEEPALIVE, out);
    finish(start, out);
}

/// Appends a ROUTE-REFRESH message.
pub fn encode_refresh(family: Family, out: &mut Vec<u8>) {
    let (afi, safi) = afi_safi(family);
    let [high, low] = afi.to_be_bytes();
    let start = begin(message_type::ROUTE_REFRESH, out);
    out.extend_from_slice(&[high, low, 0, safi]);
    finish(start, out);
}

/// Reads the body of a ROUTE-REFRESH message; `None` where it asks for a family that the speaker
/// does not know, or for something other than a refresh.
#[must_use]
pub fn decode_refresh(body: &[u8]) -> Option<Family> {
    match body {
        [high, low, _, safi] => family(u16::from_be_bytes([*high, *low]), *safi),
        _ => None,
    }
}
