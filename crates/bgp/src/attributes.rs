//! Path attributes on the wire, and what is done about each fault in them.
//!
//! `decode` reads the attributes field of an UPDATE message once, front to back. Every fault is an
//! [`AttributeError`], and every fault has its place on the ladder of RFC 7606 §2: the attribute is
//! discarded, the routes are treated as withdrawn, or the session is reset. The strongest wins; the
//! first of that strength is the one that is reported (RFC 7606 §3 h).
//!
//! The attributes that carry routes stay where they are: `Decoded` refers to their octets. The
//! communities are sets, so they are sorted and duplicates removed: two routes with the same
//! attributes compare equal.
//!
//! Standards: RFC 4271 §4.3, §5 and §6.3, RFC 4760 §3 and §4, RFC 7606 §3 to §7, RFC 1997, RFC 4360,
//! RFC 8092, RFC 4456 §8, RFC 6793 §4, RFC 7607, RFC 4364 §4.3.2, RFC 4659 §3.2.1 and RFC 2545 §3 (next
//! hops).
//! Not implemented: AS4_PATH and AS4_AGGREGATOR (RFC 6793 §4.2.3): they are neither merged into what
//! a two-octet peer sends nor sent to it, so such a path shows AS_TRANS; RFC 5065 (confederation
//! segments are malformed here, as its §5 asks of a speaker outside any confederation); RFC 9774 (an
//! AS_SET is still accepted); every attribute that [`PathAttributes`] has no field for, passed on
//! where it is transitive.
//!
//! Deviation from RFC 4271 §5: the Partial bit of an attribute that the speaker knows is not kept,
//! because nothing is ever decided by it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{AsNumber, RouterId};

use crate::codepoints::{AS_TRANS, afi_safi, attribute, family, flag, segment};
use crate::error::{AttributeError, AttributeFault, Verdict};
use crate::nlri::Nlri;
use crate::notification::{ErrorCode, Notification, UpdateSubcode};
use crate::route::{AsSegment, Family, Origin, PathAttributes, UnknownAttribute};
use crate::update::Context;

/// The attributes field of an UPDATE message.
#[derive(Debug)]
pub(crate) struct Decoded<'a> {
    /// The attributes that are no routes.
    pub(crate) attributes: PathAttributes,
    /// NEXT_HOP.
    pub(crate) next_hop: Option<Ipv4Addr>,
    /// MP_REACH_NLRI of a negotiated family: next hop and routes.
    pub(crate) reach: Option<(IpAddr, Nlri<'a>)>,
    /// MP_UNREACH_NLRI of a negotiated family.
    pub(crate) unreach: Option<Nlri<'a>>,
    /// Whether there was an MP_REACH_NLRI attribute, of whatever family.
    pub(crate) has_reach: bool,
    /// Whether there is an attribute other than MP_UNREACH_NLRI.
    pub(crate) has_others: bool,
    /// The outcome so far.
    pub(crate) verdict: Verdict,
    seen: Seen,
}

/// Which attribute codes have appeared.
#[derive(Debug, Default)]
struct Seen([u128; 2]);

impl Seen {
    /// Notes the code; false where it was noted before.
    fn insert(&mut self, code: u8) -> bool {
        let [low, high] = &mut self.0;
        let (half, bit) = if code < 128 { (low, code) } else { (high, code - 128) };
        let mask = 1 << bit;
        let first = *half & mask == 0;
        *half |= mask;
        first
    }

    const fn contains(&self, code: u8) -> bool {
        let [low, high] = self.0;
        if code < 128 { low >> code & 1 == 1 } else { high >> (code - 128) & 1 == 1 }
    }
}

/// One attribute as it stands in the message.
#[derive(Debug, Clone, Copy)]
struct Raw<'a> {
    flags: u8,
    code: u8,
    value: &'a [u8],
}

/// What is done about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Discard,
    Withdraw,
    Reset(UpdateSubcode),
}

type Outcome = Result<(), (Action, AttributeFault)>;

const fn discard(fault: AttributeFault) -> Outcome {
    Err((Action::Discard, fault))
}

const fn withdraw(fault: AttributeFault) -> Outcome {
    Err((Action::Withdraw, fault))
}

const fn reset(subcode: UpdateSubcode, fault: AttributeFault) -> Outcome {
    Err((Action::Reset(subcode), fault))
}

/// Reads the attributes field.
///
/// # Errors
///
/// The NOTIFICATION message to send where nothing short of a reset will do.
pub(crate) fn decode<'a>(field: &'a [u8], context: &Context) -> Result<Decoded<'a>, Notification> {
    let mut decoded = Decoded {
        attributes: PathAttributes::originated(),
        next_hop: None,
        reach: None,
        unreach: None,
        has_reach: false,
        has_others: false,
        verdict: Verdict::Accept,
        seen: Seen::default(),
    };
    let mut rest = field;
    while !rest.is_empty() {
        let offset = u16::try_from(field.len() - rest.len()).unwrap_or(u16::MAX);
        let before = rest;
        let Some(raw) = split_attribute(&mut rest) else {
            decoded.has_others = true;
            let code = before.get(1).copied().unwrap_or(0);
            let error = AttributeError { code, offset, fault: AttributeFault::Overrun };
            decoded.note(Action::Withdraw, error);
            break;
        };
        decoded.has_others |= raw.code != attribute::MP_UNREACH_NLRI;
        if let Err((action, fault)) = decoded.take(raw, context) {
            if let Action::Reset(subcode) = action {
                let octets = before.get(..before.len() - rest.len()).unwrap_or_default();
                return Err(Notification::with_data(ErrorCode::Update(subcode), octets));
            }
            decoded.note(action, AttributeError { code: raw.code, offset, fault });
        }
    }
    Ok(decoded)
}

/// Cuts the next attribute off; `None` where it does not fit (RFC 7606 §4).
fn split_attribute<'a>(bytes: &mut &'a [u8]) -> Option<Raw<'a>> {
    let (&[flags, code], rest) = bytes.split_first_chunk::<2>()?;
    let (len, rest) = if flags & flag::EXTENDED_LENGTH == 0 {
        let (&len, rest) = rest.split_first()?;
        (usize::from(len), rest)
    } else {
        let (&len, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_be_bytes(len)), rest)
    };
    let (value, rest) = rest.split_at_checked(len)?;
    *bytes = rest;
    Some(Raw { flags, code, value })
}

/// The Optional and Transitive flags that a known attribute must have.
const fn defined_flags(code: u8) -> Option<u8> {
    match code {
        attribute::ORIGIN
        | attribute::AS_PATH
        | attribute::NEXT_HOP
        | attribute::LOCAL_PREF
        | attribute::ATOMIC_AGGREGATE => Some(flag::TRANSITIVE),
        attribute::MULTI_EXIT_DISC
        | attribute::ORIGINATOR_ID
        | attribute::CLUSTER_LIST
        | attribute::MP_REACH_NLRI
        | attribute::MP_UNREACH_NLRI => Some(flag::OPTIONAL),
        attribute::AGGREGATOR
        | attribute::COMMUNITIES
        | attribute::EXTENDED_COMMUNITIES
        | attribute::AS4_PATH
        | attribute::AS4_AGGREGATOR
        | attribute::LARGE_COMMUNITY => Some(flag::OPTIONAL | flag::TRANSITIVE),
        _ => None,
    }
}

impl<'a> Decoded<'a> {
    fn note(&mut self, action: Action, error: AttributeError) {
        match (action, self.verdict) {
            (Action::Discard, Verdict::Accept) => self.verdict = Verdict::AttributeDiscard(error),
            (Action::Withdraw, Verdict::Accept | Verdict::AttributeDiscard(_)) => {
                self.verdict = Verdict::TreatAsWithdraw(error);
            }
            (Action::Discard | Action::Withdraw | Action::Reset(_), _) => {}
        }
    }

    /// Notes the mandatory attributes that are not there (RFC 7606 §3 d).
    pub(crate) fn check_mandatory(&mut self, needs_next_hop: bool) {
        let mandatory: &[u8] = if needs_next_hop {
            &[attribute::ORIGIN, attribute::AS_PATH, attribute::NEXT_HOP]
        } else {
            &[attribute::ORIGIN, attribute::AS_PATH]
        };
        for &code in mandatory {
            if !self.seen.contains(code) {
                let error = AttributeError { code, offset: 0, fault: AttributeFault::Missing };
                self.note(Action::Withdraw, error);
            }
        }
    }

    fn take(&mut self, raw: Raw<'a>, context: &Context) -> Outcome {
        if !self.seen.insert(raw.code) {
            return match raw.code {
                attribute::MP_REACH_NLRI | attribute::MP_UNREACH_NLRI => {
                    reset(UpdateSubcode::MalformedAttributeList, AttributeFault::Duplicate)
                }
                _ => discard(AttributeFault::Duplicate),
            };
        }
        let flags = raw.flags & (flag::OPTIONAL | flag::TRANSITIVE);
        let Some(defined) = defined_flags(raw.code) else {
            return self.take_unknown(raw);
        };
        // RFC 7606 §3 c. The attributes of routes are read all the same: the routes in them must be
        // known to be withdrawn (§3 j).
        let outcome = match raw.code {
            attribute::MP_REACH_NLRI => self.take_reach(raw, context),
            attribute::MP_UNREACH_NLRI => self.take_unreach(raw, context),
            _ if flags != defined => Ok(()),
            _ => self.take_plain(raw, context),
        };
        if flags == defined || matches!(outcome, Err((Action::Reset(_), _))) {
            return outcome;
        }
        match raw.code {
            // RFC 7606 §3 f and §7.6: never worth more than the attribute itself.
            attribute::ATOMIC_AGGREGATE
            | attribute::AGGREGATOR
            | attribute::AS4_PATH
            | attribute::AS4_AGGREGATOR => discard(AttributeFault::Flags),
            _ => withdraw(AttributeFault::Flags),
        }
    }

    fn take_unknown(&mut self, raw: Raw<'a>) -> Outcome {
        if raw.flags & flag::OPTIONAL == 0 {
            // RFC 4271 §6.3: not softened by RFC 7606.
            return reset(
                UpdateSubcode::UnrecognizedWellKnownAttribute,
                AttributeFault::UnknownWellKnown,
            );
        }
        if raw.flags & flag::TRANSITIVE != 0 {
            let value = raw.value.to_vec();
            let unknown = UnknownAttribute { flags: raw.flags, code: raw.code, value };
            self.attributes.unknown.push(unknown);
        }
        Ok(())
    }

    fn take_plain(&mut self, raw: Raw<'a>, context: &Context) -> Outcome {
        let attributes = &mut self.attributes;
        match raw.code {
            attribute::ORIGIN => attributes.origin = origin(raw.value)?,
            attribute::AS_PATH => attributes.as_path = as_path(raw.value, context)?,
            attribute::NEXT_HOP => self.next_hop = Some(next_hop(raw.value)?),
            attribute::MULTI_EXIT_DISC => attributes.med = Some(number(raw.value)?),
            attribute::LOCAL_PREF if context.is_external() => {
                return discard(AttributeFault::FromExternal);
            }
            attribute::LOCAL_PREF => attributes.local_pref = Some(number(raw.value)?),
            attribute::ATOMIC_AGGREGATE if raw.value.is_empty() => {
                attributes.atomic_aggregate = true;
            }
            attribute::ATOMIC_AGGREGATE => return discard(AttributeFault::Length),
            attribute::AGGREGATOR => attributes.aggregator = Some(aggregator(raw.value, context)?),
            attribute::COMMUNITIES => {
                attributes.communities = set_of(raw.value, u32::from_be_bytes)?;
            }
            attribute::EXTENDED_COMMUNITIES => {
                attributes.extended_communities = set_of(raw.value, |octets: [u8; 8]| octets)?;
            }
            attribute::LARGE_COMMUNITY => {
                attributes.large_communities = set_of(raw.value, large_community)?;
            }
            attribute::ORIGINATOR_ID | attribute::CLUSTER_LIST if context.is_external() => {
                return discard(AttributeFault::FromExternal);
            }
            attribute::ORIGINATOR_ID => {
                let id = RouterId(Ipv4Addr::from_bits(number(raw.value)?));
                attributes.originator_id = Some(id);
            }
            attribute::CLUSTER_LIST => {
                let clusters =
                    list_of(raw.value, |octets| RouterId(Ipv4Addr::from_octets(octets)))?;
                attributes.cluster_list = clusters;
            }
            // RFC 6793 §6: not between speakers of four-octet AS numbers.
            attribute::AS4_PATH | attribute::AS4_AGGREGATOR if context.four_octet_as => {
                return discard(AttributeFault::FromNewSpeaker);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_reach(&mut self, raw: Raw<'a>, context: &Context) -> Outcome {
        const MALFORMED: UpdateSubcode = UpdateSubcode::OptionalAttributeError;
        self.has_reach = true;
        let [high, low, safi, next_hop_len, rest @ ..] = raw.value else {
            return reset(MALFORMED, AttributeFault::Length);
        };
        // RFC 7606 §7.11: without a sound next hop length the routes cannot be found.
        let Some((next_hop, [_reserved, routes @ ..])) =
            rest.split_at_checked(usize::from(*next_hop_len))
        else {
            return reset(MALFORMED, AttributeFault::Length);
        };
        let Some(family) = negotiated(*high, *low, *safi, context) else {
            return discard(AttributeFault::Family);
        };
        let Some(next_hop) = mp_next_hop(family, next_hop) else {
            return reset(MALFORMED, AttributeFault::Length);
        };
        let nlri = Nlri { family, bytes: routes, withdrawn: false };
        if let Err(error) = nlri.check() {
            return reset(MALFORMED, AttributeFault::Nlri(error));
        }
        self.reach = Some((next_hop, nlri));
        if is_usable(next_hop) { Ok(()) } else { withdraw(AttributeFault::NextHop) }
    }

    fn take_unreach(&mut self, raw: Raw<'a>, context: &Context) -> Outcome {
        const MALFORMED: UpdateSubcode = UpdateSubcode::OptionalAttributeError;
        let [high, low, safi, routes @ ..] = raw.value else {
            return reset(MALFORMED, AttributeFault::Length);
        };
        let Some(family) = negotiated(*high, *low, *safi, context) else {
            return discard(AttributeFault::Family);
        };
        let nlri = Nlri { family, bytes: routes, withdrawn: true };
        if let Err(error) = nlri.check() {
            return reset(MALFORMED, AttributeFault::Nlri(error));
        }
        self.unreach = Some(nlri);
        Ok(())
    }
}

fn negotiated(high: u8, low: u8, safi: u8, context: &Context) -> Option<Family> {
    let family = family(u16::from_be_bytes([high, low]), safi)?;
    context.families.contains(family).then_some(family)
}

/// The next hop of MP_REACH_NLRI; `None` where its length does not fit the family.
fn mp_next_hop(family: Family, octets: &[u8]) -> Option<IpAddr> {
    // The route distinguisher before a VPN next hop is zero, and says nothing (RFC 4364 §4.3.2).
    let octets = match family {
        Family::VpnIpv4 | Family::VpnIpv6 => octets.get(8..)?,
        Family::Ipv4Unicast | Family::Ipv6Unicast | Family::RouteTargetConstrain => octets,
    };
    let two_addresses = match family {
        // A second route distinguisher precedes the link-local address (RFC 4659 §3.2.1.1).
        Family::VpnIpv4 | Family::VpnIpv6 => 40,
        Family::Ipv4Unicast | Family::Ipv6Unicast => 32,
        Family::RouteTargetConstrain => 16,
    };
    let v6_only = matches!(family, Family::Ipv6Unicast | Family::VpnIpv6);
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        return (!v6_only).then_some(IpAddr::V4(Ipv4Addr::from_octets(octets)));
    }
    let first = Ipv6Addr::from_octets(*octets.first_chunk::<16>()?);
    if octets.len() != 16 && octets.len() != two_addresses {
        return None;
    }
    let last = octets.last_chunk::<16>().filter(|_| first.is_unspecified());
    // RFC 2545 §3 wants a global address first; a router without one may leave it out.
    let addr = last.map_or(first, |link_local| Ipv6Addr::from_octets(*link_local));
    Some(IpAddr::V6(addr).to_canonical())
}

/// Whether packets can be sent to the address (RFC 4271 §6.3: a valid host address).
const fn is_usable(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => {
            let [first, ..] = addr.octets();
            first != 0 && first != 127 && first < 224
        }
        IpAddr::V6(addr) => !addr.is_unspecified() && !addr.is_loopback() && !addr.is_multicast(),
    }
}

type Faulty<T> = Result<T, (Action, AttributeFault)>;

const LENGTH: (Action, AttributeFault) = (Action::Withdraw, AttributeFault::Length);

fn origin(value: &[u8]) -> Faulty<Origin> {
    match value {
        [0] => Ok(Origin::Igp),
        [1] => Ok(Origin::Egp),
        [2] => Ok(Origin::Incomplete),
        [_] => Err((Action::Withdraw, AttributeFault::Value)),
        _ => Err(LENGTH),
    }
}

fn next_hop(value: &[u8]) -> Faulty<Ipv4Addr> {
    let addr = Ipv4Addr::from_bits(number(value)?);
    if is_usable(IpAddr::V4(addr)) {
        Ok(addr)
    } else {
        Err((Action::Withdraw, AttributeFault::NextHop))
    }
}

fn number(value: &[u8]) -> Faulty<u32> {
    <[u8; 4]>::try_from(value).map(u32::from_be_bytes).map_err(|_| LENGTH)
}

/// Values of `N` octets each, at least one.
fn list_of<const N: usize, T>(value: &[u8], read: impl Fn([u8; N]) -> T) -> Faulty<Vec<T>> {
    let (chunks, rest) = value.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(LENGTH);
    }
    Ok(chunks.iter().copied().map(read).collect())
}

/// The same, sorted and without duplicates.
fn set_of<const N: usize, T: Ord>(value: &[u8], read: impl Fn([u8; N]) -> T) -> Faulty<Vec<T>> {
    let mut values = list_of(value, read)?;
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

const fn large_community([a, b, c, d, e, f, g, h, i, j, k, l]: [u8; 12]) -> [u32; 3] {
    [
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
        u32::from_be_bytes([i, j, k, l]),
    ]
}

fn aggregator(value: &[u8], context: &Context) -> Faulty<(AsNumber, Ipv4Addr)> {
    let (number, addr) = match (context.four_octet_as, value) {
        (true, [a, b, c, d, addr @ ..]) => (u32::from_be_bytes([*a, *b, *c, *d]), addr),
        (false, [a, b, addr @ ..]) => (u32::from(u16::from_be_bytes([*a, *b])), addr),
        _ => return Err((Action::Discard, AttributeFault::Length)),
    };
    let addr = <[u8; 4]>::try_from(addr).map_err(|_| (Action::Discard, AttributeFault::Length))?;
    if number == 0 {
        return Err((Action::Discard, AttributeFault::AsZero));
    }
    Ok((AsNumber(number), Ipv4Addr::from_octets(addr)))
}

fn as_path(value: &[u8], context: &Context) -> Faulty<Vec<AsSegment>> {
    let number_len = if context.four_octet_as { 4 } else { 2 };
    let malformed = |fault| (Action::Withdraw, fault);
    let mut path = Vec::new();
    let mut rest = value;
    while let Some((&kind, after)) = rest.split_first() {
        let (octets, after) = match after.split_first() {
            Some((&count, after)) if count > 0 => after
                .split_at_checked(usize::from(count) * number_len)
                .ok_or_else(|| malformed(AttributeFault::SegmentLength))?,
            _ => return Err(malformed(AttributeFault::SegmentLength)),
        };
        rest = after;
        let numbers = as_numbers(octets, context.four_octet_as);
        if numbers.contains(&AsNumber(0)) {
            return Err(malformed(AttributeFault::AsZero));
        }
        path.push(match kind {
            segment::SET => AsSegment::Set(numbers),
            segment::SEQUENCE => AsSegment::Sequence(numbers),
            _ => return Err(malformed(AttributeFault::SegmentType)),
        });
    }
    if context.is_external() && first_as(&path) != Some(context.peer_as_on_wire()) {
        return Err(malformed(AttributeFault::FirstAs));
    }
    Ok(path)
}

fn as_numbers(octets: &[u8], four_octet_as: bool) -> Vec<AsNumber> {
    if four_octet_as {
        let (numbers, _) = octets.as_chunks::<4>();
        numbers.iter().map(|&number| AsNumber(u32::from_be_bytes(number))).collect()
    } else {
        let (numbers, _) = octets.as_chunks::<2>();
        numbers.iter().map(|&number| AsNumber(u16::from_be_bytes(number).into())).collect()
    }
}

fn first_as(path: &[AsSegment]) -> Option<AsNumber> {
    match path.first()? {
        AsSegment::Sequence(numbers) => numbers.first().copied(),
        AsSegment::Set(_) => None,
    }
}

/// Appends one attribute.
fn put(flags: u8, code: u8, value: &[u8], out: &mut Vec<u8>) {
    if let Ok(len) = u8::try_from(value.len()) {
        out.extend_from_slice(&[flags & !flag::EXTENDED_LENGTH, code, len]);
    } else {
        let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
        out.extend_from_slice(&[flags | flag::EXTENDED_LENGTH, code, high, low]);
    }
    out.extend_from_slice(value);
}

/// Appends the attributes that are no routes, in order of their codes.
pub(crate) fn encode(
    attributes: &PathAttributes,
    next_hop: Option<Ipv4Addr>,
    four_octet_as: bool,
    out: &mut Vec<u8>,
) {
    let mut put_known = |code, value: &[u8]| {
        put(defined_flags(code).unwrap_or(flag::OPTIONAL), code, value, out);
    };
    let origin = match attributes.origin {
        Origin::Igp => 0,
        Origin::Egp => 1,
        Origin::Incomplete => 2,
    };
    put_known(attribute::ORIGIN, &[origin]);
    put_known(attribute::AS_PATH, &as_path_octets(&attributes.as_path, four_octet_as));
    if let Some(addr) = next_hop {
        put_known(attribute::NEXT_HOP, &addr.octets());
    }
    if let Some(med) = attributes.med {
        put_known(attribute::MULTI_EXIT_DISC, &med.to_be_bytes());
    }
    if let Some(local_pref) = attributes.local_pref {
        put_known(attribute::LOCAL_PREF, &local_pref.to_be_bytes());
    }
    if attributes.atomic_aggregate {
        put_known(attribute::ATOMIC_AGGREGATE, &[]);
    }
    if let Some((number, addr)) = attributes.aggregator {
        let mut value = Vec::with_capacity(8);
        put_as(number, four_octet_as, &mut value);
        value.extend_from_slice(&addr.octets());
        put_known(attribute::AGGREGATOR, &value);
    }
    let mut put_list = |code, value: Vec<u8>| {
        if !value.is_empty() {
            put_known(code, &value);
        }
    };
    put_list(attribute::COMMUNITIES, octets_of(&attributes.communities, |c| c.to_be_bytes()));
    let originator = attributes.originator_id.map_or_else(Vec::new, |id| id.0.octets().to_vec());
    put_list(attribute::ORIGINATOR_ID, originator);
    put_list(attribute::CLUSTER_LIST, octets_of(&attributes.cluster_list, |id| id.0.octets()));
    put_list(attribute::EXTENDED_COMMUNITIES, attributes.extended_communities.concat());
    let large = attributes.large_communities.as_flattened();
    put_list(attribute::LARGE_COMMUNITY, octets_of(large, |part| part.to_be_bytes()));
    for unknown in &attributes.unknown {
        // RFC 4271 §5: passed on by a speaker that does not know it.
        put(unknown.flags | flag::PARTIAL, unknown.code, &unknown.value, out);
    }
}

fn octets_of<T, const N: usize>(values: &[T], octets: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(octets).collect()
}

fn put_as(number: AsNumber, four_octet_as: bool, out: &mut Vec<u8>) {
    if four_octet_as {
        out.extend_from_slice(&number.0.to_be_bytes());
    } else {
        let number = u16::try_from(number.0).unwrap_or(AS_TRANS);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn as_path_octets(path: &[AsSegment], four_octet_as: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for part in path {
        let (kind, numbers) = match part {
            AsSegment::Set(numbers) => (segment::SET, numbers),
            AsSegment::Sequence(numbers) => (segment::SEQUENCE, numbers),
        };
        for chunk in numbers.chunks(usize::from(u8::MAX)) {
            out.extend_from_slice(&[kind, u8::try_from(chunk.len()).unwrap_or(u8::MAX)]);
            for &number in chunk {
                put_as(number, four_octet_as, &mut out);
            }
        }
    }
    out
}

/// Appends what precedes the routes in MP_REACH_NLRI; `None` where the family cannot carry the
/// next hop.
pub(crate) fn encode_reach_head(family: Family, next_hop: IpAddr, out: &mut Vec<u8>) -> Option<()> {
    encode_afi_safi(family, out);
    let (rd, addr): (&[u8], Vec<u8>) = match (family, next_hop) {
        (Family::VpnIpv4, IpAddr::V4(addr)) => (&[0; 8], addr.octets().to_vec()),
        (Family::VpnIpv6, addr) => (&[0; 8], v6_octets(addr)),
        (Family::Ipv6Unicast, addr) => (&[], v6_octets(addr)),
        (Family::RouteTargetConstrain, IpAddr::V6(addr)) => (&[], addr.octets().to_vec()),
        (Family::RouteTargetConstrain | Family::Ipv4Unicast, IpAddr::V4(addr)) => {
            (&[], addr.octets().to_vec())
        }
        (Family::VpnIpv4 | Family::Ipv4Unicast, IpAddr::V6(_)) => return None,
    };
    out.push(u8::try_from(rd.len() + addr.len()).unwrap_or(0));
    out.extend_from_slice(rd);
    out.extend_from_slice(&addr);
    out.push(0);
    Some(())
}

/// An IPv4 next hop of IPv6 routes is written as an IPv4-mapped address (RFC 4659 §3.2.1.2).
fn v6_octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// Appends the identifiers of a family.
pub(crate) fn encode_afi_safi(family: Family, out: &mut Vec<u8>) {
    let (afi, safi) = afi_safi(family);
    let [high, low] = afi.to_be_bytes();
    out.extend_from_slice(&[high, low, safi]);
}
