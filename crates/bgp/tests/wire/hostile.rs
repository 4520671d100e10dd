//! Broken input: cut at every length, one octet changed, or nothing but noise.

use bgp::message;
use bgp::nlri::{Nlri, Routes};
use bgp::notification::{ErrorCode, HeaderSubcode, Notification, OpenSubcode};
use bgp::open;
use bgp::route::Family;
use bgp::update;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{external, framed, hex, internal};

const OPEN: &str = "04fde8005a0aff0003 2a 0228 0200 490402766d00 010400010080 010400010084
    41040000fde8 050c000100800002000100840002";
const UPDATE: &str = "0004 180a0000 0045 900e0020 000180 0c 0000000000000000 0aff0001 00
    70 003e91 0000fde800000001 c0a801 400101 00 500200 00 800404 00000000 400504 00000064
    c01008 0002fde800000064 180a0100";

/// Reads every route, so that a fault in an iterator shows.
fn exhaust(nlri: Nlri<'_>) -> usize {
    match nlri.routes() {
        Routes::Vpn(routes) => routes.count(),
        Routes::Unicast(routes) => routes.count(),
        Routes::Membership(routes) => routes.count(),
    }
}

fn read_update(body: &[u8]) {
    for context in [internal(), external(), update::Context { four_octet_as: false, ..external() }]
    {
        if let Ok(update) = update::decode(body, &context) {
            let routes = update.announced().map(|reach| exhaust(reach.nlri)).sum::<usize>()
                + update.withdrawn().map(exhaust).sum::<usize>();
            assert!(routes <= body.len(), "every route takes an octet at least");
        }
    }
}

#[test]
fn open_cut_anywhere_is_refused() {
    let body = hex(OPEN);
    assert!(open::decode(&body).is_ok());
    for len in 0..body.len() {
        let cut = open::decode(&body[..len]).unwrap_err();
        assert_eq!(cut.error, ErrorCode::Open(OpenSubcode::Unspecific), "{len}");
    }
}

#[test]
fn update_cut_anywhere_is_refused_or_withdraws() {
    let body = hex(UPDATE);
    assert!(update::decode(&body, &internal()).is_ok());
    let fields = 2 + 4 + 2 + 0x45;
    for len in 0..fields {
        assert!(update::decode(&body[..len], &internal()).is_err(), "{len}");
    }
    for len in fields + 1..body.len() {
        assert!(update::decode(&body[..len], &internal()).is_err(), "{len}");
    }
    // The attributes field itself cut, with a length that says so.
    for len in 0..0x45_u8 {
        let mut cut = body[..6].to_vec();
        cut.extend_from_slice(&[0, len]);
        cut.extend_from_slice(&body[8..8 + usize::from(len)]);
        read_update(&cut);
        if let Ok(update) = update::decode(&cut, &internal()) {
            assert!(update.announced().next().is_none() || len > 36, "{len}");
        }
    }
}

#[test]
fn stream_cut_anywhere_waits_for_more() {
    let mut stream = framed(2, &hex(UPDATE));
    message::encode_keepalive(&mut stream);
    let first = message::split(&stream).unwrap().unwrap();
    assert_eq!(first.body, hex(UPDATE));
    for len in 0..first.len_on_wire() {
        assert_eq!(message::split(&stream[..len]), Ok(None), "{len}");
    }
}

#[test]
fn notification_and_refresh_cut_anywhere_are_read_without_harm() {
    assert_eq!(Notification::decode(&[]).error, Notification::decode(&[6]).error);
    for len in 0..4 {
        assert_eq!(message::decode_refresh(&hex("00010080")[..len]), None);
    }
}

#[test]
fn routes_cut_anywhere_end_with_a_fault() {
    let vpnv6 = hex("88 003ea1 0000fde800000001 20010db80001 58 003ea1 0000fde800000001");
    let boundaries = [0, 18, vpnv6.len()];
    for len in 0..=vpnv6.len() {
        let nlri = Nlri { family: Family::VpnIpv6, bytes: &vpnv6[..len], withdrawn: false };
        assert_eq!(nlri.check().is_ok(), boundaries.contains(&len), "{len}");
        let nlri = Nlri { withdrawn: true, ..nlri };
        assert_eq!(nlri.check().is_ok(), boundaries.contains(&len), "{len}");
    }
}

#[test]
fn headers_are_judged_as_the_standard_says() {
    let header = |len: u16, code: u8| {
        let mut header = vec![0xff; 16];
        header.extend_from_slice(&len.to_be_bytes());
        header.push(code);
        header
    };
    let refused = |bytes: &[u8]| message::split(bytes).unwrap_err();
    let bad_length = ErrorCode::Header(HeaderSubcode::BadMessageLength);
    for (len, code) in [(18, 4), (4097, 2), (20, 4), (28, 1), (22, 2), (20, 3), (24, 5), (0, 2)] {
        let notification = refused(&header(len, code));
        assert_eq!(notification.error, bad_length, "{len} {code}");
        assert_eq!(notification.data, len.to_be_bytes());
    }
    for code in [0, 6, 255] {
        let notification = refused(&header(19, code));
        assert_eq!(notification.error, ErrorCode::Header(HeaderSubcode::BadMessageType));
        assert_eq!(notification.data, [code]);
    }
    let mut unsynchronized = header(19, 4);
    unsynchronized[3] = 0;
    let error = ErrorCode::Header(HeaderSubcode::ConnectionNotSynchronized);
    assert_eq!(refused(&unsynchronized).error, error);
    for (len, code) in [(29, 1), (4096, 2), (21, 3), (19, 4), (23, 5)] {
        assert!(message::split(&header(len, code)).is_ok(), "{len} {code}");
    }
}

#[test]
fn faults_of_open_are_told_apart() {
    let cases = [
        ("03fde8005a0aff000300", OpenSubcode::UnsupportedVersion),
        ("040000005a0aff000300", OpenSubcode::BadPeerAs),
        ("04fde800020aff000300", OpenSubcode::UnacceptableHoldTime),
        ("04fde8005a0000000000", OpenSubcode::BadBgpIdentifier),
        ("04fde8005a0aff0003 03 010100", OpenSubcode::UnsupportedOptionalParameter),
        ("04fde8005a0aff0003 08 0206 4104 00000000", OpenSubcode::BadPeerAs),
        ("04fde8005a0aff0003 07 0205 4103 000001", OpenSubcode::Unspecific),
        ("04fde8005a0aff0003 05 0203 010100", OpenSubcode::Unspecific),
        ("04fde8005a0aff0003 05 0203 0200", OpenSubcode::Unspecific),
        ("04fde8005a0aff0003 02 0200 00", OpenSubcode::Unspecific),
    ];
    for (text, subcode) in cases {
        let error = open::decode(&hex(text)).unwrap_err().error;
        assert_eq!(error, ErrorCode::Open(subcode), "{text}");
    }
    let version = open::decode(&hex("05fde8005a0aff000300")).unwrap_err();
    assert_eq!(version.data, [0, 4]);
}

#[test]
fn open_without_multiprotocol_offers_ipv4_unicast() {
    let open = open::decode(&hex("04fde8005a0aff0003 02 0200")).unwrap();
    assert_eq!(open.families.iter().collect::<Vec<_>>(), [Family::Ipv4Unicast]);
    assert!(!open.four_octet_as && !open.route_refresh);
}

/// RFC 9072 §2: type 255 first, then lengths of two octets.
#[test]
fn extended_parameters_of_open_are_read() {
    let text = "04fde8005a0aff0003 ff ff 0011 02 0006 010400010080 02 0002 0200 02 0000";
    let open = open::decode(&hex(text)).unwrap();
    assert_eq!(open.families.iter().collect::<Vec<_>>(), [Family::VpnIpv4]);
    assert!(open.route_refresh);
}

proptest! {
    #[test]
    fn noise_is_never_taken_amiss(bytes in vec(any::<u8>(), 0..600)) {
        read_update(&bytes);
        let _ = open::decode(&bytes);
        let _ = message::split(&bytes);
        let _ = Notification::decode(&bytes).to_string();
        for family in Family::ALL {
            for withdrawn in [false, true] {
                exhaust(Nlri { family, bytes: &bytes, withdrawn });
            }
        }
    }

    #[test]
    fn one_wrong_octet_is_never_taken_amiss(at in 0..200_usize, octet: u8) {
        for text in [OPEN, UPDATE] {
            let mut body = hex(text);
            let at = at % body.len();
            body[at] = octet;
            read_update(&body);
            let _ = open::decode(&body);
        }
    }

    /// Attributes of sound framing and any value: deeper than noise gets.
    #[test]
    fn any_value_of_any_attribute_is_never_taken_amiss(
        attributes in vec((any::<u8>(), 0..40_u8, vec(any::<u8>(), 0..40)), 0..8),
    ) {
        let mut field = Vec::new();
        for (flags, code, value) in attributes {
            field.extend_from_slice(&[flags & 0xef, code, u8::try_from(value.len()).unwrap()]);
            field.extend_from_slice(&value);
        }
        let mut body = vec![0, 0];
        body.extend_from_slice(&u16::try_from(field.len()).unwrap().to_be_bytes());
        body.extend_from_slice(&field);
        read_update(&body);
    }
}
