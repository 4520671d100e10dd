//! Network layer reachability information: the routes in a message, read in place.
//!
//! A route on the wire is a length in bits and as many octets as that takes. [`Nlri`] is a field of
//! such routes of one family as it stands in the receive buffer; its iterators yield one plain
//! value per route and allocate nothing. Host bits are cleared, a label's traffic class and
//! bottom-of-stack bit are dropped.
//!
//! The label of a labelled route is part of what is said about it, not of its key (RFC 8277 §2).
//! Exactly one label is read, whatever its bottom-of-stack bit (RFC 8277 §2.2). In a withdrawal the
//! label field says nothing (RFC 8277 §2.4): peers send 0x800000, 0x000000, 0x000001, or repeat what
//! they announced; where it cannot be a single field, it is taken for a repeated stack and skipped.
//!
//! Standards: RFC 4271 §4.3 (prefixes), RFC 4364 §4.3.4, RFC 4659 §3.2, RFC 8277 §2.2 and §2.4
//! (labelled VPN routes), RFC 4684 §4 (route target membership), RFC 7606 §5.3 (syntax).
//! Not implemented: RFC 7911 (path identifiers), the multiple labels capability of RFC 8277 §2.1.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use base::{AsNumber, Ipv4Prefix, Ipv6Prefix, Label, Prefix, RouteDistinguisher, RouteTarget};

use crate::error::NlriError;
use crate::route::{Family, VpnPrefix};

/// The label field of a withdrawal (RFC 8277 §2.4).
pub const WITHDRAWN_LABEL: [u8; 3] = [0x80, 0, 0];

const LABEL_BITS: u8 = 24;
const RD_BITS: u8 = 64;

/// A labelled VPN route as a message carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpnNlri {
    /// What the route is known by.
    pub key: VpnPrefix,
    /// Its label; `None` in a withdrawal.
    pub label: Option<Label>,
}

/// Which route targets an AS wants routes of (RFC 4684 §4): a prefix of origin AS and route target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    octets: [u8; 12],
    len: u8,
}

impl Membership {
    /// Every route target of every AS.
    pub const DEFAULT: Self = Self { octets: [0; 12], len: 0 };
    /// The length of a membership in one route target.
    pub const WIDTH: u8 = 96;
    /// The origin AS is not a prefix: a shorter length than this is 0 (RFC 4684 §4).
    pub const LEN_MIN: u8 = 32;

    /// Membership of the AS in one route target.
    #[must_use]
    pub fn new(origin_as: AsNumber, target: RouteTarget) -> Self {
        Self::with_octets(origin_as, target.0, Self::WIDTH)
    }

    /// Membership of the AS in the route targets that begin with the first `len - 32` bits of
    /// these octets; `None` where `len` is neither 0 nor 32 to 96.
    #[must_use]
    pub fn with_prefix(origin_as: AsNumber, target: [u8; 8], len: u8) -> Option<Self> {
        match len {
            0 => Some(Self::DEFAULT),
            Self::LEN_MIN..=Self::WIDTH => Some(Self::with_octets(origin_as, target, len)),
            _ => None,
        }
    }

    fn with_octets(origin_as: AsNumber, target: [u8; 8], len: u8) -> Self {
        let mut octets = [0; 12];
        let (origin, rest) = octets.split_at_mut(4);
        origin.copy_from_slice(&origin_as.0.to_be_bytes());
        let kept = u64::from_be_bytes(target) & target_mask(len);
        rest.copy_from_slice(&kept.to_be_bytes());
        Self { octets, len }
    }

    /// The length in bits: 0, or 32 to 96.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a prefix length, not a count")]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// The AS that wants the routes; `None` in the default membership.
    #[must_use]
    pub const fn origin_as(self) -> Option<AsNumber> {
        let [a, b, c, d, ..] = self.octets;
        if self.len == 0 { None } else { Some(AsNumber(u32::from_be_bytes([a, b, c, d]))) }
    }

    /// The route target; `None` where the membership covers many, or a community of another kind.
    #[must_use]
    pub const fn target(self) -> Option<RouteTarget> {
        if self.len == Self::WIDTH {
            RouteTarget::from_community(self.target_octets())
        } else {
            None
        }
    }

    /// Whether routes with this route target are wanted.
    #[must_use]
    pub const fn covers(self, target: RouteTarget) -> bool {
        let wanted = u64::from_be_bytes(self.target_octets());
        u64::from_be_bytes(target.0) & target_mask(self.len) == wanted
    }

    const fn target_octets(self) -> [u8; 8] {
        let [_, _, _, _, a, b, c, d, e, f, g, h] = self.octets;
        [a, b, c, d, e, f, g, h]
    }
}

/// The bits of a route target that a membership of `len` bits fixes.
const fn target_mask(len: u8) -> u64 {
    match len.saturating_sub(Membership::LEN_MIN) {
        0 => 0,
        bits => u64::MAX << (64 - if bits > 64 { 64 } else { bits }),
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.origin_as(), self.target()) {
            (None, _) => f.write_str("default"),
            (Some(origin), Some(target)) => write!(f, "{origin}:{target}"),
            (Some(origin), None) => {
                write!(f, "{origin}:{:#018x}", u64::from_be_bytes(self.target_octets()))?;
                write!(f, "/{}", self.len)
            }
        }
    }
}

/// Routes of one family in a receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nlri<'a> {
    /// Their family.
    pub family: Family,
    /// The field as received.
    pub bytes: &'a [u8],
    /// Whether they are withdrawn: their label fields say nothing.
    pub withdrawn: bool,
}

/// The routes of a field, by what they are.
#[derive(Debug, Clone)]
pub enum Routes<'a> {
    /// Of [`Family::VpnIpv4`] and [`Family::VpnIpv6`].
    Vpn(VpnRoutes<'a>),
    /// Of [`Family::Ipv4Unicast`] and [`Family::Ipv6Unicast`].
    Unicast(UnicastRoutes<'a>),
    /// Of [`Family::RouteTargetConstrain`].
    Membership(MembershipRoutes<'a>),
}

impl<'a> Nlri<'a> {
    /// The routes, one by one.
    #[must_use]
    pub const fn routes(self) -> Routes<'a> {
        let Self { family, bytes, withdrawn } = self;
        match family {
            Family::Ipv4Unicast => Routes::Unicast(UnicastRoutes { bytes, version: Version::V4 }),
            Family::Ipv6Unicast => Routes::Unicast(UnicastRoutes { bytes, version: Version::V6 }),
            Family::VpnIpv4 => Routes::Vpn(VpnRoutes { bytes, version: Version::V4, withdrawn }),
            Family::VpnIpv6 => Routes::Vpn(VpnRoutes { bytes, version: Version::V6, withdrawn }),
            Family::RouteTargetConstrain => Routes::Membership(MembershipRoutes { bytes }),
        }
    }

    /// Whether there is no route.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Looks for the first route that cannot be read (RFC 7606 §5.3), and counts them.
    ///
    /// # Errors
    ///
    /// The first such route's fault.
    pub fn check(self) -> Result<usize, NlriError> {
        fn count<T>(
            routes: impl Iterator<Item = Result<T, NlriError>>,
        ) -> Result<usize, NlriError> {
            let mut counted = 0;
            for route in routes {
                route?;
                counted += 1;
            }
            Ok(counted)
        }
        match self.routes() {
            Routes::Vpn(routes) => count(routes),
            Routes::Unicast(routes) => count(routes),
            Routes::Membership(routes) => count(routes),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V4,
    V6,
}

/// Iterates over labelled VPN routes.
#[derive(Debug, Clone)]
pub struct VpnRoutes<'a> {
    bytes: &'a [u8],
    version: Version,
    withdrawn: bool,
}

/// Iterates over unicast prefixes.
#[derive(Debug, Clone)]
pub struct UnicastRoutes<'a> {
    bytes: &'a [u8],
    version: Version,
}

/// Iterates over route target memberships.
#[derive(Debug, Clone)]
pub struct MembershipRoutes<'a> {
    bytes: &'a [u8],
}

/// Cuts the next route off: its length in bits and its octets. After an error nothing is left.
#[inline]
fn next_route<'a>(bytes: &mut &'a [u8]) -> Option<Result<(u8, &'a [u8]), NlriError>> {
    let (&bits, rest) = bytes.split_first()?;
    let Some((route, rest)) = rest.split_at_checked(usize::from(bits).div_ceil(8)) else {
        *bytes = &[];
        return Some(Err(NlriError::Truncated));
    };
    *bytes = rest;
    Some(Ok((bits, route)))
}

impl Iterator for VpnRoutes<'_> {
    type Item = Result<VpnNlri, NlriError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let route = next_route(&mut self.bytes)?;
        let nlri = route.and_then(|(bits, octets)| {
            if self.withdrawn {
                withdrawn_vpn(self.version, bits, octets)
            } else {
                announced_vpn(self.version, bits, octets)
            }
        });
        if nlri.is_err() {
            self.bytes = &[];
        }
        Some(nlri)
    }
}

impl Iterator for UnicastRoutes<'_> {
    type Item = Result<Prefix, NlriError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let route = next_route(&mut self.bytes)?;
        let prefix = route.and_then(|(bits, octets)| {
            prefix(self.version, bits, octets).ok_or(NlriError::Length(bits))
        });
        if prefix.is_err() {
            self.bytes = &[];
        }
        Some(prefix)
    }
}

impl Iterator for MembershipRoutes<'_> {
    type Item = Result<Membership, NlriError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let route = next_route(&mut self.bytes)?;
        let membership = route.and_then(|(bits, octets)| {
            let [a, b, c, d, target @ ..] = padded::<12>(octets);
            let origin_as = AsNumber(u32::from_be_bytes([a, b, c, d]));
            Membership::with_prefix(origin_as, target, bits).ok_or(NlriError::Length(bits))
        });
        if membership.is_err() {
            self.bytes = &[];
        }
        Some(membership)
    }
}

/// The octets, and zeros after them; what is over `N` is left out.
fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    if let Some(all) = octets.first_chunk::<N>() {
        return *all;
    }
    let mut out = [0; N];
    for (slot, &octet) in out.iter_mut().zip(octets) {
        *slot = octet;
    }
    out
}

/// The same for an IPv4 address, of which most prefixes have three octets.
#[inline]
const fn padded_v4(octets: &[u8]) -> [u8; 4] {
    match octets {
        [] => [0; 4],
        [a] => [*a, 0, 0, 0],
        [a, b] => [*a, *b, 0, 0],
        [a, b, c] => [*a, *b, *c, 0],
        [a, b, c, d, ..] => [*a, *b, *c, *d],
    }
}

#[inline]
fn prefix(version: Version, len: u8, octets: &[u8]) -> Option<Prefix> {
    match version {
        Version::V4 => {
            Ipv4Prefix::new(Ipv4Addr::from_octets(padded_v4(octets)), len).map(Prefix::V4)
        }
        Version::V6 => Ipv6Prefix::new(Ipv6Addr::from_octets(padded(octets)), len).map(Prefix::V6),
    }
}

/// A label, a route distinguisher and a prefix in `bits` bits; `None` where they do not fit.
#[inline]
fn labelled(version: Version, bits: u8, octets: &[u8]) -> Option<([u8; 3], VpnPrefix)> {
    let len = bits.checked_sub(LABEL_BITS + RD_BITS)?;
    let ([a, b, c, rd @ ..], rest) = octets.split_first_chunk::<11>()?;
    let prefix = prefix(version, len, rest)?;
    Some(([*a, *b, *c], VpnPrefix { rd: RouteDistinguisher(*rd), prefix }))
}

const fn is_bottom_of_stack(label: [u8; 3]) -> bool {
    label[2] & 1 != 0
}

/// Whether the route distinguisher is of a type that exists (RFC 4364 §4.2).
const fn is_known(rd: RouteDistinguisher) -> bool {
    rd.0[0] == 0 && rd.0[1] <= 2
}

#[inline]
fn announced_vpn(version: Version, bits: u8, octets: &[u8]) -> Result<VpnNlri, NlriError> {
    let (label, key) = labelled(version, bits, octets).ok_or(NlriError::Length(bits))?;
    if !is_bottom_of_stack(label) && !is_known(key.rd) {
        return Err(NlriError::LabelStack);
    }
    let [a, b, c] = label;
    let label = Label::masked(u32::from_be_bytes([0, a, b, c]) >> 4);
    Ok(VpnNlri { key, label: Some(label) })
}

fn withdrawn_vpn(version: Version, bits: u8, octets: &[u8]) -> Result<VpnNlri, NlriError> {
    let length_error = NlriError::Length(bits);
    let (mut rest_bits, mut rest) = (bits, octets);
    loop {
        let (&label, below) = rest.split_first_chunk::<3>().ok_or(length_error)?;
        let is_last = is_bottom_of_stack(label) || matches!(label, WITHDRAWN_LABEL | [0, 0, 0]);
        match labelled(version, rest_bits, rest) {
            Some((_, key)) if is_last || is_known(key.rd) => {
                return Ok(VpnNlri { key, label: None });
            }
            _ if is_last => return Err(length_error),
            _ => {}
        }
        rest_bits = rest_bits.checked_sub(LABEL_BITS).ok_or(length_error)?;
        rest = below;
    }
}

/// Appends a prefix: its length and the octets that takes.
pub(crate) fn encode_prefix(prefix: Prefix, out: &mut Vec<u8>) {
    out.push(prefix.len());
    encode_prefix_octets(prefix, out);
}

fn encode_prefix_octets(prefix: Prefix, out: &mut Vec<u8>) {
    let octets = usize::from(prefix.len()).div_ceil(8);
    match prefix {
        Prefix::V4(prefix) => {
            out.extend_from_slice(prefix.addr().octets().get(..octets).unwrap_or_default());
        }
        Prefix::V6(prefix) => {
            out.extend_from_slice(prefix.addr().octets().get(..octets).unwrap_or_default());
        }
    }
}

/// Appends a labelled VPN route; without a label, as a withdrawal.
pub(crate) fn encode_vpn(nlri: &VpnNlri, out: &mut Vec<u8>) {
    let label = nlri.label.map_or(WITHDRAWN_LABEL, |label| {
        let [_, a, b, c] = (label.value() << 4 | 1).to_be_bytes();
        [a, b, c]
    });
    out.push(LABEL_BITS + RD_BITS + nlri.key.prefix.len());
    out.extend_from_slice(&label);
    out.extend_from_slice(&nlri.key.rd.0);
    encode_prefix_octets(nlri.key.prefix, out);
}

/// Appends a route target membership.
pub(crate) fn encode_membership(membership: Membership, out: &mut Vec<u8>) {
    let octets = usize::from(membership.len).div_ceil(8);
    out.push(membership.len);
    out.extend_from_slice(membership.octets.get(..octets).unwrap_or_default());
}
