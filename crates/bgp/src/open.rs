//! The OPEN message: who speaks, and what it can do.
//!
//! Capabilities travel as optional parameters. Those that this speaker uses become fields; the
//! codes of the others are kept for people to see. A peer that offers no multiprotocol capability
//! speaks IPv4 unicast alone (RFC 4760 §8 leaves RFC 4271's behaviour as it is).
//!
//! Standards: RFC 4271 §4.2 and §6.2, RFC 5492 (capabilities), RFC 4760 §8, RFC 2918 §2, RFC 6793
//! §3 and §4 (four-octet AS), RFC 6286 (identifier), RFC 7607 (AS 0), RFC 9072 (extended parameter
//! length, read only: what this speaker offers always fits), RFC 4724 §3 (see
//! [`crate::graceful_restart`]).
//! Not implemented: every other capability, RFC 8950 (IPv6 next hops for IPv4) among them.

use core::net::Ipv4Addr;

use base::{AsNumber, RouterId};

use crate::codepoints::{AS_TRANS, VERSION, afi_safi, capability, family, message_type, parameter};
use crate::graceful_restart::GracefulRestart;
use crate::message;
use crate::notification::{ErrorCode, Notification, OpenSubcode};
use crate::route::{Family, FamilySet};

/// The shortest hold time that is not zero (RFC 4271 §4.2).
pub const HOLD_TIME_MIN: u16 = 3;

/// An OPEN message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The speaker's AS: from the four-octet capability where there is one.
    pub local_as: AsNumber,
    /// Seconds without a message after which the session ends; 0 for never.
    pub hold_time: u16,
    /// The speaker's identifier.
    pub router_id: RouterId,
    /// The families it offers, as far as this speaker knows them.
    pub families: FamilySet,
    /// Whether it answers ROUTE-REFRESH messages.
    pub route_refresh: bool,
    /// Whether it writes AS numbers in four octets.
    pub four_octet_as: bool,
    /// What it says about its restarts, and about those of others that it outlives.
    pub graceful_restart: Option<GracefulRestart>,
    /// Capability codes that this speaker does not use, in order of appearance.
    pub other_capabilities: Vec<u8>,
}

/// What the optional parameters say.
#[derive(Debug, Default)]
struct Capabilities {
    families: FamilySet,
    multiprotocol: bool,
    route_refresh: bool,
    four_octet_as: Option<AsNumber>,
    graceful_restart: Option<GracefulRestart>,
    other: Vec<u8>,
}

/// Reads the body of an OPEN message.
///
/// # Errors
///
/// The NOTIFICATION message to send (RFC 4271 §6.2).
pub fn decode(body: &[u8]) -> Result<Open, Notification> {
    let [version, as_high, as_low, hold_high, hold_low, id @ ..] = body else {
        return Err(open_error(OpenSubcode::Unspecific));
    };
    let Some((id, parameters)) = id.split_first_chunk::<4>() else {
        return Err(open_error(OpenSubcode::Unspecific));
    };
    if *version != VERSION {
        let supported = u16::from(VERSION).to_be_bytes();
        let error = ErrorCode::Open(OpenSubcode::UnsupportedVersion);
        return Err(Notification::with_data(error, &supported));
    }
    let mut capabilities = Capabilities::default();
    read_parameters(parameters, &mut capabilities)?;
    let two_octet_as = u16::from_be_bytes([*as_high, *as_low]);
    let local_as = capabilities.four_octet_as.unwrap_or(AsNumber(two_octet_as.into()));
    if local_as.0 == 0 {
        return Err(open_error(OpenSubcode::BadPeerAs));
    }
    let hold_time = u16::from_be_bytes([*hold_high, *hold_low]);
    if (1..HOLD_TIME_MIN).contains(&hold_time) {
        return Err(open_error(OpenSubcode::UnacceptableHoldTime));
    }
    let router_id = RouterId(Ipv4Addr::from_octets(*id));
    if router_id.0.is_unspecified() {
        return Err(open_error(OpenSubcode::BadBgpIdentifier));
    }
    let families = if capabilities.multiprotocol {
        capabilities.families
    } else {
        FamilySet::EMPTY.with(Family::Ipv4Unicast)
    };
    Ok(Open {
        local_as,
        hold_time,
        router_id,
        families,
        route_refresh: capabilities.route_refresh,
        four_octet_as: capabilities.four_octet_as.is_some(),
        graceful_restart: capabilities.graceful_restart,
        other_capabilities: capabilities.other,
    })
}

const fn open_error(subcode: OpenSubcode) -> Notification {
    Notification::new(ErrorCode::Open(subcode))
}

/// Cuts `[length, value]` off, with a length of one octet or two.
fn split_value<'a>(bytes: &mut &'a [u8], extended: bool) -> Option<&'a [u8]> {
    let (len, rest) = if extended {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(*len)), rest)
    } else {
        let (&len, rest) = bytes.split_first()?;
        (usize::from(len), rest)
    };
    let (value, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    Some(value)
}

fn read_parameters(bytes: &[u8], out: &mut Capabilities) -> Result<(), Notification> {
    let malformed = || open_error(OpenSubcode::Unspecific);
    let mut rest = bytes;
    // RFC 9072 §2: a first parameter of type 255 announces lengths of two octets.
    let extended = matches!(bytes, [len, parameter::EXTENDED_LENGTH, ..] if *len != 0);
    if extended {
        rest = rest.get(2..).unwrap_or_default();
    }
    let mut parameters = split_value(&mut rest, extended).ok_or_else(malformed)?;
    if !rest.is_empty() {
        return Err(malformed());
    }
    while let Some((&kind, after)) = parameters.split_first() {
        parameters = after;
        let value = split_value(&mut parameters, extended).ok_or_else(malformed)?;
        if kind != parameter::CAPABILITIES {
            return Err(open_error(OpenSubcode::UnsupportedOptionalParameter));
        }
        read_capabilities(value, out).ok_or_else(malformed)?;
    }
    Ok(())
}

/// `None` where a capability is malformed.
fn read_capabilities(mut bytes: &[u8], out: &mut Capabilities) -> Option<()> {
    while let Some((&code, after)) = bytes.split_first() {
        bytes = after;
        let value = split_value(&mut bytes, false)?;
        match (code, value) {
            (capability::MULTIPROTOCOL, [high, low, _, safi]) => {
                out.multiprotocol = true;
                if let Some(family) = family(u16::from_be_bytes([*high, *low]), *safi) {
                    out.families = out.families.with(family);
                }
            }
            (capability::ROUTE_REFRESH, []) => out.route_refresh = true,
            (capability::FOUR_OCTET_AS, [a, b, c, d]) => {
                out.four_octet_as = Some(AsNumber(u32::from_be_bytes([*a, *b, *c, *d])));
            }
            (
                capability::MULTIPROTOCOL | capability::ROUTE_REFRESH | capability::FOUR_OCTET_AS,
                _,
            ) => return None,
            // RFC 4724 §3: of several, the last counts. One that cannot be read is as good as none:
            // the session does without.
            (capability::GRACEFUL_RESTART, value) => {
                out.graceful_restart = GracefulRestart::decode(value);
            }
            _ => out.other.push(code),
        }
    }
    Some(())
}

impl Open {
    /// Appends the whole message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut capabilities = Vec::with_capacity(64);
        for family in self.families.iter() {
            encode_multiprotocol(family, &mut capabilities);
        }
        if self.route_refresh {
            capabilities.extend_from_slice(&[capability::ROUTE_REFRESH, 0]);
        }
        if self.four_octet_as {
            capabilities.extend_from_slice(&[capability::FOUR_OCTET_AS, 4]);
            capabilities.extend_from_slice(&self.local_as.0.to_be_bytes());
        }
        if let Some(restart) = &self.graceful_restart {
            restart.encode(&mut capabilities);
        }
        let two_octet_as = u16::try_from(self.local_as.0).unwrap_or(AS_TRANS);
        let start = message::begin(message_type::OPEN, out);
        out.push(VERSION);
        out.extend_from_slice(&two_octet_as.to_be_bytes());
        out.extend_from_slice(&self.hold_time.to_be_bytes());
        out.extend_from_slice(&self.router_id.0.octets());
        match u8::try_from(capabilities.len()) {
            Ok(0) | Err(_) => out.push(0),
            Ok(len) => {
                out.extend_from_slice(&[len + 2, parameter::CAPABILITIES, len]);
                out.extend_from_slice(&capabilities);
            }
        }
        message::finish(start, out);
    }
}

/// Appends the multiprotocol capability for one family (RFC 4760 §8).
pub(crate) fn encode_multiprotocol(family: Family, out: &mut Vec<u8>) {
    let (afi, safi) = afi_safi(family);
    let [high, low] = afi.to_be_bytes();
    out.extend_from_slice(&[capability::MULTIPROTOCOL, 4, high, low, 0, safi]);
}
