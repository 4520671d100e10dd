//! The UPDATE message: routes that share their attributes, and routes that are gone.
//!
//! [`decode`] reads a message in place: the routes stay in the receive buffer and are read by the
//! iterators of [`crate::nlri`], so nothing is allocated per route. What RFC 7606 makes of a faulty
//! message is decided here: [`Update::announced`] and [`Update::withdrawn`] already say what is to be
//! done, with the routes of a message that is treated as withdrawn on the withdrawn side.
//!
//! [`Writer`] packs routes that share their attributes into as few messages as they fit in.
//!
//! Standards: RFC 4271 §4.3, §6.3 and §9.2, RFC 4760 §5, RFC 7606 §3, §5.1 and §5.2, RFC 4724 §2
//! (End-of-RIB).
//! Not implemented: see [`crate::attributes`].

use core::net::IpAddr;

use base::{AsNumber, Prefix};

use crate::attributes::{self, Decoded};
use crate::codepoints::{AS_TRANS, attribute, flag, message_type};
use crate::error::{AttributeError, AttributeFault, EncodeError, Verdict};
use crate::message::{self, HEADER_LEN, MESSAGE_MAX};
use crate::nlri::{self, Membership, Nlri, VpnNlri};
use crate::notification::{ErrorCode, Notification, UpdateSubcode};
use crate::route::{Family, FamilySet, PathAttributes};

/// What the session agreed on, as far as reading an UPDATE message depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// This speaker's AS.
    pub local_as: AsNumber,
    /// The sender's AS.
    pub peer_as: AsNumber,
    /// Whether AS numbers take four octets.
    pub four_octet_as: bool,
    /// The families that were negotiated.
    pub families: FamilySet,
}

impl Context {
    /// Whether the sender is in another AS.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.local_as != self.peer_as
    }

    /// The sender's AS as it writes it into a path.
    pub(crate) fn peer_as_on_wire(&self) -> AsNumber {
        if self.four_octet_as || self.peer_as.0 <= u16::MAX.into() {
            self.peer_as
        } else {
            AsNumber(AS_TRANS.into())
        }
    }
}

/// Routes that are announced, and where they lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach<'a> {
    /// The next hop; an IPv4-mapped one as IPv4.
    pub next_hop: IpAddr,
    /// The routes.
    pub nlri: Nlri<'a>,
}

/// An UPDATE message, read in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update<'a> {
    /// What RFC 7606 makes of it.
    pub verdict: Verdict,
    /// The attributes of the announced routes; `None` where none is announced.
    pub attributes: Option<PathAttributes>,
    mp_reach: Option<Reach<'a>>,
    reach: Option<Reach<'a>>,
    /// MP_UNREACH_NLRI, the Withdrawn Routes field, and what is treated as withdrawn.
    unreach: [Option<Nlri<'a>>; 4],
    end_of_rib: Option<Family>,
}

impl<'a> Update<'a> {
    /// What is announced; every route has [`Update::attributes`].
    pub fn announced(&self) -> impl Iterator<Item = Reach<'a>> + use<'a> {
        [self.mp_reach, self.reach].into_iter().flatten()
    }

    /// What is withdrawn, routes that RFC 7606 treats so included; to be done before what is
    /// announced (RFC 4271 §4.3: a route in both counts as announced).
    pub fn withdrawn(&self) -> impl Iterator<Item = Nlri<'a>> + use<'a> {
        self.unreach.into_iter().flatten()
    }

    /// The family of whose routes the sender has now sent all (RFC 4724 §2).
    #[must_use]
    pub const fn end_of_rib(&self) -> Option<Family> {
        self.end_of_rib
    }
}

/// Reads the body of an UPDATE message.
///
/// # Errors
///
/// The NOTIFICATION message to send where RFC 7606 leaves nothing but a reset.
pub fn decode<'a>(body: &'a [u8], context: &Context) -> Result<Update<'a>, Notification> {
    let (withdrawn, rest) = split_field(body).ok_or_else(malformed_list)?;
    let (field, announced) = split_field(rest).ok_or_else(malformed_list)?;
    let withdrawn = Nlri { family: Family::Ipv4Unicast, bytes: withdrawn, withdrawn: true };
    let announced = Nlri { family: Family::Ipv4Unicast, bytes: announced, withdrawn: false };
    // RFC 7606 §3 i and §5.3.
    if withdrawn.check().is_err() || announced.check().is_err() {
        return Err(update_error(UpdateSubcode::InvalidNetworkField));
    }
    let mut decoded = attributes::decode(field, context)?;
    let has_routes = !announced.is_empty() || decoded.has_reach;
    if has_routes {
        decoded.check_mandatory(!announced.is_empty());
    } else if let Verdict::TreatAsWithdraw(error) = decoded.verdict
        && decoded.has_others
    {
        // RFC 7606 §5.2: the routes may have been in what could not be read.
        return Err(update_error(subcode(error.fault)));
    }
    let is_empty = body.len() == 4;
    Ok(assemble(decoded, withdrawn, announced, is_empty, context))
}

fn assemble<'a>(
    decoded: Decoded<'a>,
    withdrawn: Nlri<'a>,
    announced: Nlri<'a>,
    is_empty: bool,
    context: &Context,
) -> Update<'a> {
    let Decoded { attributes, next_hop, reach, unreach, has_others, mut verdict, .. } = decoded;
    let unicast = context.families.contains(Family::Ipv4Unicast);
    let classic_is_empty = withdrawn.is_empty() && announced.is_empty();
    if verdict == Verdict::Accept && !unicast && !classic_is_empty {
        let fault = AttributeFault::Family;
        verdict = Verdict::AttributeDiscard(AttributeError { code: 0, offset: 0, fault });
    }
    let end_of_rib = match unreach {
        _ if is_empty => unicast.then_some(Family::Ipv4Unicast),
        Some(nlri) if nlri.is_empty() && !has_others && classic_is_empty => Some(nlri.family),
        _ => None,
    };
    let present = |nlri: Nlri<'a>| (unicast && !nlri.is_empty()).then_some(nlri);
    let mp_reach = reach.map(|(next_hop, nlri)| Reach { next_hop, nlri });
    let announced = present(announced);
    let reach =
        next_hop.zip(announced).map(|(next_hop, nlri)| Reach { next_hop: next_hop.into(), nlri });
    let unreach = unreach.filter(|nlri| !nlri.is_empty());
    let (mp_reach, reach, treated) = match verdict {
        Verdict::TreatAsWithdraw(_) => (None, None, [mp_reach.map(|reach| reach.nlri), announced]),
        Verdict::Accept | Verdict::AttributeDiscard(_) => (mp_reach, reach, [None, None]),
    };
    let [mp_treated, treated] =
        treated.map(|nlri| nlri.map(|nlri| Nlri { withdrawn: true, ..nlri }));
    Update {
        verdict,
        attributes: (mp_reach.is_some() || reach.is_some()).then_some(attributes),
        mp_reach,
        reach,
        unreach: [unreach, present(withdrawn), mp_treated, treated],
        end_of_rib,
    }
}

/// Cuts `[length, value]` off, with a length of two octets.
fn split_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

const fn malformed_list() -> Notification {
    update_error(UpdateSubcode::MalformedAttributeList)
}

const fn update_error(subcode: UpdateSubcode) -> Notification {
    Notification::new(ErrorCode::Update(subcode))
}

/// How RFC 4271 §6.3 reports a fault.
const fn subcode(fault: AttributeFault) -> UpdateSubcode {
    match fault {
        AttributeFault::Flags => UpdateSubcode::AttributeFlagsError,
        AttributeFault::Length => UpdateSubcode::AttributeLengthError,
        AttributeFault::Missing => UpdateSubcode::MissingWellKnownAttribute,
        AttributeFault::Value => UpdateSubcode::InvalidOrigin,
        AttributeFault::SegmentType
        | AttributeFault::SegmentLength
        | AttributeFault::AsZero
        | AttributeFault::FirstAs => UpdateSubcode::MalformedAsPath,
        AttributeFault::NextHop => UpdateSubcode::InvalidNextHop,
        AttributeFault::UnknownWellKnown => UpdateSubcode::UnrecognizedWellKnownAttribute,
        AttributeFault::Nlri(_) => UpdateSubcode::OptionalAttributeError,
        AttributeFault::Overrun
        | AttributeFault::Duplicate
        | AttributeFault::FromExternal
        | AttributeFault::FromNewSpeaker
        | AttributeFault::Family => UpdateSubcode::MalformedAttributeList,
    }
}

/// Appends the End-of-RIB marker of a family (RFC 4724 §2).
pub fn encode_end_of_rib(family: Family, out: &mut Vec<u8>) {
    let start = message::begin(message_type::UPDATE, out);
    if family == Family::Ipv4Unicast {
        out.extend_from_slice(&[0; 4]);
    } else {
        out.extend_from_slice(&[0, 0, 0, 6, flag::OPTIONAL, attribute::MP_UNREACH_NLRI, 3]);
        attributes::encode_afi_safi(family, out);
    }
    message::finish(start, out);
}

/// Where the routes stand in the messages of a [`Writer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The NLRI field.
    Field,
    /// The Withdrawn Routes field.
    WithdrawnField,
    /// MP_REACH_NLRI or MP_UNREACH_NLRI.
    Attribute,
}

/// Offset of the Withdrawn Routes Length in a message.
const WITHDRAWN_LEN_AT: usize = HEADER_LEN;
/// Offset of the Total Path Attribute Length in a message without withdrawn routes.
const ATTRIBUTES_LEN_AT: usize = HEADER_LEN + 2;
/// Offset of the first attribute in such a message.
const ATTRIBUTES_AT: usize = HEADER_LEN + 4;
/// The longest route of any family: a labelled VPNv6 host route and its length octet.
const ROUTE_MAX: usize = 1 + 3 + 8 + 16;

/// Packs routes of one family that share their attributes, or that are withdrawn, into messages.
#[derive(Debug)]
#[must_use = "the last message is complete only after `finish`"]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    family: Family,
    place: Place,
    withdrawing: bool,
    /// What precedes the routes in every message, lengths still zero.
    before: Vec<u8>,
    /// What follows them.
    after: Vec<u8>,
    /// Where the message that is being filled begins.
    start: Option<usize>,
}

impl<'o> Writer<'o> {
    /// Announces routes of the family with these attributes; whole messages are appended to `out`.
    ///
    /// # Errors
    ///
    /// Nothing can be announced where the attributes leave no room for a route, or where the family
    /// cannot carry the next hop.
    pub fn announce(
        family: Family,
        attributes: &PathAttributes,
        next_hop: IpAddr,
        four_octet_as: bool,
        out: &'o mut Vec<u8>,
    ) -> Result<Self, EncodeError> {
        let mut before = template();
        let mut after = Vec::new();
        let place = match (family, next_hop) {
            (Family::Ipv4Unicast, IpAddr::V4(addr)) => {
                attributes::encode(attributes, Some(addr), four_octet_as, &mut before);
                let len = before.len() - ATTRIBUTES_AT;
                message::put_u16(ATTRIBUTES_LEN_AT, len, &mut before);
                Place::Field
            }
            _ => {
                // RFC 7606 §5.1: the attribute with the routes comes first.
                put_attribute_head(attribute::MP_REACH_NLRI, &mut before);
                attributes::encode_reach_head(family, next_hop, &mut before)
                    .ok_or(EncodeError::NextHopFamily)?;
                attributes::encode(attributes, None, four_octet_as, &mut after);
                Place::Attribute
            }
        };
        if before.len() + after.len() + ROUTE_MAX > MESSAGE_MAX {
            return Err(EncodeError::AttributesTooLong);
        }
        Ok(Self { out, family, place, withdrawing: false, before, after, start: None })
    }

    /// Withdraws routes of the family; whole messages are appended to `out`.
    pub fn withdraw(family: Family, out: &'o mut Vec<u8>) -> Self {
        let mut before = template();
        let mut after = Vec::new();
        let place = if family == Family::Ipv4Unicast {
            before.truncate(ATTRIBUTES_LEN_AT);
            after.extend_from_slice(&[0; 2]);
            Place::WithdrawnField
        } else {
            put_attribute_head(attribute::MP_UNREACH_NLRI, &mut before);
            attributes::encode_afi_safi(family, &mut before);
            Place::Attribute
        };
        Self { out, family, place, withdrawing: true, before, after, start: None }
    }

    /// Adds a VPN route; its label is left out where routes are withdrawn.
    pub fn push_vpn(&mut self, nlri: &VpnNlri) {
        debug_assert!(matches!(
            (self.family, nlri.key.prefix),
            (Family::VpnIpv4, Prefix::V4(_)) | (Family::VpnIpv6, Prefix::V6(_))
        ));
        let label = if self.withdrawing { None } else { nlri.label };
        debug_assert!(self.withdrawing || label.is_some(), "announced without a label");
        self.open();
        nlri::encode_vpn(&VpnNlri { key: nlri.key, label }, self.out);
    }

    /// Adds a unicast route.
    pub fn push_prefix(&mut self, prefix: Prefix) {
        debug_assert!(matches!(
            (self.family, prefix),
            (Family::Ipv4Unicast, Prefix::V4(_)) | (Family::Ipv6Unicast, Prefix::V6(_))
        ));
        self.open();
        nlri::encode_prefix(prefix, self.out);
    }

    /// Adds a route target membership.
    pub fn push_membership(&mut self, membership: Membership) {
        debug_assert!(self.family == Family::RouteTargetConstrain);
        self.open();
        nlri::encode_membership(membership, self.out);
    }

    /// Completes the last message.
    pub fn finish(mut self) {
        self.close();
    }

    /// Makes room for one route: in the message that is being filled, or in a new one.
    fn open(&mut self) {
        if let Some(start) = self.start {
            let len = self.out.len() - start;
            if len + ROUTE_MAX + self.after.len() <= MESSAGE_MAX {
                return;
            }
            self.close();
        }
        self.start = Some(self.out.len());
        self.out.extend_from_slice(&self.before);
    }

    fn close(&mut self) {
        let Some(start) = self.start.take() else {
            return;
        };
        let end_of_routes = self.out.len();
        self.out.extend_from_slice(&self.after);
        let body = self.out.len() - start;
        let routes = end_of_routes - start - self.before.len();
        match self.place {
            Place::Field => {}
            Place::WithdrawnField => message::put_u16(start + WITHDRAWN_LEN_AT, routes, self.out),
            Place::Attribute => {
                message::put_u16(start + ATTRIBUTES_LEN_AT, body - ATTRIBUTES_AT, self.out);
                let value = end_of_routes - start - ATTRIBUTES_AT - 4;
                message::put_u16(start + ATTRIBUTES_AT + 2, value, self.out);
            }
        }
        message::finish(start, self.out);
    }
}

/// A header and two lengths, all still zero.
fn template() -> Vec<u8> {
    let mut before = Vec::with_capacity(128);
    message::begin(message_type::UPDATE, &mut before);
    before.extend_from_slice(&[0; 4]);
    before
}

/// Appends the head of an attribute that carries routes, its length still zero.
fn put_attribute_head(code: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[flag::OPTIONAL | flag::EXTENDED_LENGTH, code, 0, 0]);
}
