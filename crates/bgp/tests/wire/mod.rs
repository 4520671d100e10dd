//! The wire: messages and the session that carries them.

mod golden;
pub(crate) mod golden_customer;
mod hostile;
mod rfc7606;
mod round_trip;
mod session;

pub(crate) use round_trip::{attributes, membership, vpnv4, vpnv6};

use base::AsNumber;
use bgp::message::{self, Kind};
use bgp::nlri::{Membership, Nlri, Routes, VpnNlri};
use bgp::route::{Family, FamilySet};
use bgp::update::{self, Context, Update};

/// The region's AS in every test.
pub(crate) const LOCAL_AS: AsNumber = AsNumber(65000);
/// The external peer's AS.
pub(crate) const PEER_AS: AsNumber = AsNumber(65001);

/// Octets from hexadecimal text; spaces and line breaks are skipped.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("hexadecimal digit"))
        .collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
        .map(|octet| u8::try_from(octet).expect("two digits"))
        .collect()
}

/// A message of this type and body, with its header.
pub(crate) fn framed(code: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message::HEADER_LEN + body.len()).expect("a short body");
    let mut out = vec![0xff; 16];
    out.extend_from_slice(&len.to_be_bytes());
    out.push(code);
    out.extend_from_slice(body);
    out
}

/// What an internal peer that speaks every family sends is read with.
pub(crate) fn internal() -> Context {
    Context {
        local_as: LOCAL_AS,
        peer_as: LOCAL_AS,
        four_octet_as: true,
        families: Family::ALL.into_iter().collect::<FamilySet>(),
    }
}

/// The same for an external peer.
pub(crate) fn external() -> Context {
    Context { peer_as: PEER_AS, ..internal() }
}

/// The bodies of the UPDATE messages in a stream that holds nothing else.
pub(crate) fn update_bodies(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while let Some(message) = message::split(stream).expect("sound header") {
        assert_eq!(message.kind, Kind::Update);
        bodies.push(message.body);
        stream = stream.get(message.len_on_wire()..).unwrap_or_default();
    }
    assert!(stream.is_empty(), "an incomplete message");
    bodies
}

/// The labelled VPN routes of a field.
pub(crate) fn vpn_routes(nlri: Nlri<'_>) -> Vec<VpnNlri> {
    match nlri.routes() {
        Routes::Vpn(routes) => routes.map(|route| route.expect("sound route")).collect(),
        Routes::Unicast(_) | Routes::Membership(_) => Vec::new(),
    }
}

/// The memberships of a field.
pub(crate) fn memberships(nlri: Nlri<'_>) -> Vec<Membership> {
    match nlri.routes() {
        Routes::Membership(routes) => routes.map(|route| route.expect("sound route")).collect(),
        Routes::Vpn(_) | Routes::Unicast(_) => Vec::new(),
    }
}

/// Reads a body that must be readable.
pub(crate) fn decode<'a>(body: &'a [u8], context: &Context) -> Update<'a> {
    update::decode(body, context).expect("an UPDATE message that does not reset the session")
}
