//! Echoes and errors.

use super::{
    Bench, CORE, CORE_B, LAN, NARROW_LAN, OTHER_LAN, UPLINK, address, datagram, label, reason,
    segment, sent, unframed, values,
};
use crate::{DropReason, PortKind, PuntKind, Verdict};
use base::{Duration, LabelSpace, VrfId};
use packet::PacketBuf;
use packet::icmp::{Cause, Echo, Extension, Message, Report, Unreachable};
use packet::ip::{self, Packet};
use packet::mpls::LabelEntry;
use packet::tcp::Flags;
use std::net::IpAddr;

fn echo() -> Echo {
    Echo { identifier: 7, sequence: 1, data: b"weald".to_vec() }
}

pub(super) fn ping(from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (address(from), address(to));
    let request = Message::EchoRequest(echo()).encode(from, to);
    ip::encode((from, to), if from.is_ipv6() { 58 } else { 1 }, (0, 64), &request).unwrap()
}

fn message(bytes: &[u8]) -> (IpAddr, IpAddr, Message) {
    let packet = Packet::decode(bytes).unwrap();
    let message = Message::decode(packet.source, packet.destination, packet.payload(bytes));
    (packet.source, packet.destination, message.unwrap())
}

/// The error that was sent beside the drop: its way out, labels, source, destination, content.
fn error(out: &[Verdict]) -> (base::PortId, Vec<(u32, u8)>, IpAddr, IpAddr, Report) {
    let (port, _, stack, beneath) = sent(&out[..1]);
    let (source, destination, message) = message(&beneath);
    let Message::Error(report) = message else { panic!("{message:?}") };
    (port, values(&stack), source, destination, report)
}

#[test]
fn gateways_loopbacks_and_links_answer_pings_to_where_they_came_from() {
    let cases = [
        (LAN, "10.1.0.2", "10.1.0.1", LAN, vec![]),
        (LAN, "fd00:1::2", "fd00:1::1", LAN, vec![]),
        (CORE, "10.255.0.9", "10.255.0.1", CORE, vec![(16_002, 255)]),
        (CORE, "fd00:ff::9", "fd00:ff::1", CORE, vec![(16_002, 255)]),
        (CORE, "10.0.0.1", "10.0.0.0", CORE, vec![]),
        (UPLINK, "10.0.2.1", "10.0.2.0", UPLINK, vec![]),
    ];
    for (port, from, to, back, labels) in cases {
        let (sent_by, _, stack, beneath) = sent(&Bench::new().receive(port, &ping(from, to)));
        assert_eq!((sent_by, values(&stack)), (back, labels), "{from}");
        let expected = (address(to), address(from), Message::EchoReply(echo()));
        assert_eq!(message(&beneath), expected);
    }
}

#[test]
fn gateway_answers_its_own_network_from_afar_and_nobody_else() {
    let mut bench = Bench::new();
    let request = ping("10.1.2.9", "10.1.0.1");
    let (_, _, stack, beneath) = sent(&bench.receive_labelled(CORE, &[(24_100, 255)], &request));
    assert_eq!(values(&stack), [(16_002, 255), (24_001, 255)]);
    assert!(matches!(message(&beneath).2, Message::EchoReply(_)));
    let out = bench.receive_labelled(CORE, &[(24_100, 255)], &ping("10.9.0.9", "10.1.0.1"));
    assert_eq!((reason(&out), out.len()), (DropReason::AccessNotPermitted, 1));
}

#[test]
fn ping_with_a_wrong_checksum_is_not_answered() {
    let mut request = ping("10.1.0.2", "10.1.0.1");
    *request.last_mut().unwrap() ^= 1;
    assert_eq!(reason(&Bench::new().receive(LAN, &request)), DropReason::MalformedPacket);
}

#[test]
fn traceroute_sees_the_gateway_where_the_packet_enters_and_leaves() {
    for (from, to, gateway) in [
        ("10.1.0.2", "10.1.2.9", "10.1.0.1"),
        ("10.1.0.2", "10.1.1.2", "10.1.0.1"),
        ("fd00:1::2", "fd00:1:0:2::9", "fd00:1::1"),
    ] {
        let packet = datagram(from, to, 1, 8);
        let out = Bench::new().receive(LAN, &packet);
        assert_eq!(reason(&out), DropReason::TtlExpired);
        let (port, _, source, destination, report) = error(&out);
        assert_eq!((port, source, destination), (LAN, address(gateway), address(from)));
        assert_eq!(report.cause, Cause::TimeExceeded { code: 0 });
        assert_eq!((report.quoted, report.extensions), (packet, vec![]));
    }
    let packet = datagram("10.1.2.9", "10.1.0.2", 1, 8);
    let out = Bench::new().receive_labelled(CORE, &[(24_100, 254)], &packet);
    let (port, labels, source, destination, report) = error(&out);
    assert_eq!((port, labels), (CORE, vec![(16_002, 255), (24_001, 255)]));
    assert_eq!((source, destination), (address("10.1.0.1"), address("10.1.2.9")));
    let stack = vec![LabelEntry { label: label(24_100), traffic_class: 3, bottom: true, ttl: 254 }];
    assert_eq!(report.extensions, [Extension::LabelStack(stack)]);
    assert_eq!(report.quoted[..packet.len()], packet);
}

#[test]
fn time_exceeded_in_transit_goes_on_along_the_path_with_the_stack_it_came_with() {
    let packet = datagram("10.7.0.1", "10.8.0.1", 50, 8);
    let out = Bench::new().receive_labelled(CORE_B, &[(16_002, 1), (24_001, 250)], &packet);
    assert_eq!(reason(&out), DropReason::TtlExpired);
    let (port, labels, source, destination, report) = error(&out);
    assert_eq!((port, labels), (CORE, vec![(16_002, 254), (24_001, 255)]));
    assert_eq!((source, destination), (address("10.255.0.1"), address("10.7.0.1")));
    let entry =
        |value, bottom, ttl| LabelEntry { label: label(value), traffic_class: 3, bottom, ttl };
    let stack = vec![entry(16_002, false, 1), entry(24_001, true, 250)];
    assert_eq!(report.extensions, [Extension::LabelStack(stack)]);
    let out = Bench::new().receive_labelled(CORE, &[(24_200, 1)], &packet);
    let (port, labels, ..) = error(&out);
    assert_eq!((port, labels), (UPLINK, vec![(30_000, 254)]));
}

#[test]
fn label_whose_time_is_up_is_not_popped_to_let_the_packet_go_on() {
    let mut bench = Bench::new();
    let inside = datagram("10.1.2.9", "10.1.0.2", 50, 8);
    let out = bench.receive_labelled(CORE, &[(24_100, 1)], &inside);
    assert_eq!(reason(&out), DropReason::TtlExpired);
    let onward = datagram("10.255.0.9", "10.255.0.8", 50, 8);
    let out = bench.receive_labelled(CORE, &[(16_001, 1)], &onward);
    assert_eq!(reason(&out), DropReason::TtlExpired);
    let out = bench.receive_labelled(CORE, &[(16_001, 1), (16_002, 50)], &onward);
    assert_eq!(reason(&out), DropReason::TtlExpired);
    let out = bench.receive_labelled(CORE, &[(16_001, 2), (16_002, 50)], &onward);
    assert_eq!(values(&sent(&out).2), [(16_002, 49)]);
}

#[test]
fn far_end_sends_errors_of_the_core_back_and_their_sender_is_believed() {
    let mut bench = Bench::new();
    let quoted = datagram("10.1.2.9", "10.1.0.2", 50, 8);
    let cause = Cause::PacketTooBig { mtu: 1400 };
    let report = Report { cause, quoted, extensions: vec![] };
    let (core, sender) = (address("10.255.0.7"), address("10.1.2.9"));
    let body = Message::Error(report.clone()).encode(core, sender);
    let packet = ip::encode((core, sender), 1, (0, 64), &body).unwrap();
    let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
    assert_eq!(values(&sent(&out).2), [(16_002, 255), (24_001, 255)]);
    let sender = address("10.1.0.2");
    let quoted = datagram("10.1.0.2", "10.1.2.9", 50, 8);
    for (core, passes) in [("10.255.0.7", true), ("10.66.0.7", false)] {
        let core = address(core);
        let report = Report { quoted: quoted.clone(), ..report.clone() };
        let body = Message::Error(report).encode(core, sender);
        let packet = ip::encode((core, sender), 1, (0, 64), &body).unwrap();
        let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
        if passes {
            assert_eq!(sent(&out).0, LAN);
        } else {
            assert_eq!(reason(&out), DropReason::AccessNoRule);
        }
    }
}

/// An error of `from` about a datagram.
fn error_about(from: &str, (source, destination): (&str, &str)) -> Vec<u8> {
    let cause = Cause::TimeExceeded { code: 0 };
    let quoted = datagram(source, destination, 50, 8);
    let pair = (address(from), address(source));
    let body = Message::Error(Report { cause, quoted, extensions: vec![] }).encode(pair.0, pair.1);
    ip::encode(pair, 1, (0, 64), &body).unwrap()
}

#[test]
fn a_site_sends_back_errors_of_the_core_about_what_was_for_it_and_no_others() {
    let mut bench = Bench::new();
    let mut uplink = bench.tables.port(UPLINK).unwrap().clone();
    let sources = Some(vec![super::prefix("10.1.0.0/24")]);
    uplink.kind = PortKind::Uplink { space: LabelSpace::Port(UPLINK), sources };
    bench.tables.set_port(UPLINK, uplink);
    let asked = ("10.1.2.9", "10.1.0.2");
    for (packet, passes) in [
        (error_about("10.255.0.7", asked), true),
        (error_about("10.255.0.1", asked), true),
        (error_about("10.1.0.1", asked), true),
        (error_about("10.255.0.7", ("10.1.2.9", "10.1.3.2")), false),
        (error_about("10.66.0.7", asked), false),
        (datagram("10.255.0.7", "10.1.2.9", 64, 8), false),
        (ping("10.255.0.7", "10.1.2.9"), false),
    ] {
        let out = bench.receive_labelled(UPLINK, &[(24_500, 255)], &packet);
        if passes {
            assert_eq!(values(&sent(&out).2), [(16_002, 254), (24_600, 254)]);
        } else {
            assert_eq!(reason(&out), DropReason::SpoofedSource);
        }
    }
}

#[test]
fn answers_from_afar_are_handed_over_at_a_rate_of_their_own_and_nothing_else() {
    let mut bench = Bench::new();
    let pair = (address("10.1.2.9"), address("10.1.0.1"));
    let reply = Message::EchoReply(echo()).encode(pair.0, pair.1);
    let reply = ip::encode(pair, 1, (0, 64), &reply).unwrap();
    let error = error_about("10.1.2.9", ("10.1.0.1", "10.1.2.9"));
    let mut first = reply.clone();
    first[6..8].copy_from_slice(&[0x20, 0]);
    packet::ipv4::refresh_checksum(&mut first);
    for (packet, taken) in [
        (reply.clone(), true),
        (error, true),
        (first, false),
        (datagram("10.1.2.9", "10.1.0.1", 64, 8), false),
    ] {
        let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
        if taken {
            let [Verdict::Punt { port: CORE, vrf, kind: PuntKind::Local, packet: found, .. }] =
                &out[..]
            else {
                panic!("{out:?}")
            };
            assert_eq!((*vrf, found.bytes()), (Some(VrfId(0)), &packet[..]));
        } else {
            assert_eq!(reason(&out), DropReason::NoListener);
        }
    }
    let flood = (0..60_000).map(|_| bench.receive_labelled(CORE, &[(24_100, 255)], &reply));
    let last = flood.last().unwrap();
    assert_eq!(reason(&last), DropReason::PuntLimited);
    let out = bench.receive(CORE, &datagram("10.255.0.9", "10.255.0.1", 255, 8));
    assert!(matches!(out[..], [Verdict::Punt { .. }]), "sessions are not crowded out: {out:?}");
}

#[test]
fn a_probes_labels_end_where_it_says() {
    let mut bench = Bench::new();
    for (vrf, (from, to), expected) in [
        (Some(VrfId(0)), ("10.1.0.1", "10.1.2.9"), vec![(16_002, 7), (24_001, 7)]),
        (None, ("10.255.0.1", "10.255.0.9"), vec![(16_002, 7)]),
    ] {
        let mut out = Vec::new();
        let packet = PacketBuf::from_slice(&datagram(from, to, 64, 8));
        bench.lane.originate_probe(bench.now, &bench.tables, (vrf, 7), packet, &mut out);
        let (_, _, stack, beneath) = sent(&out);
        assert_eq!(values(&stack), expected);
        assert_eq!(ip::Packet::decode(&beneath).unwrap().ttl, 64);
    }
}

#[test]
fn sender_is_told_what_fits_a_link_too_narrow() {
    let mut bench = Bench::new();
    for (from, to, len, mtu, out_by) in [
        (LAN, ("10.1.0.2", "10.1.1.2"), 800, 600, LAN),
        (LAN, ("10.1.0.2", "10.1.2.9"), 1505, 1532, LAN),
        (LAN, ("fd00:1::2", "fd00:1:0:2::9"), 1505, 1532, LAN),
    ] {
        let packet = datagram(to.0, to.1, 64, len);
        let out = bench.receive(from, &packet);
        assert_eq!(reason(&out), DropReason::MtuExceeded);
        let (port, _, _, destination, report) = error(&out);
        assert_eq!((port, destination), (out_by, address(to.0)));
        assert_eq!(report.cause, Cause::PacketTooBig { mtu });
    }
    let packet = datagram("10.7.0.1", "10.8.0.1", 50, 1510);
    let out = bench.receive_labelled(CORE_B, &[(16_002, 9)], &packet);
    let (port, labels, source, destination, report) = error(&out);
    assert_eq!((port, labels), (CORE, vec![(16_002, 254)]));
    assert_eq!((source, destination), (address("10.255.0.1"), address("10.7.0.1")));
    assert_eq!(report.cause, Cause::PacketTooBig { mtu: 1536 });
}

#[test]
fn errors_are_no_longer_than_their_version_allows() {
    let mut bench = Bench::new();
    for (from, to, len_max) in
        [("10.1.2.9", "10.1.9.2", 576), ("fd00:1:0:2::9", "fd00:1:0:9::2", 1280)]
    {
        let packet = datagram(from, to, 64, 1400);
        let out = bench.receive_labelled(CORE, &[(24_100, 254)], &packet);
        assert_eq!(reason(&out), DropReason::NoRoute);
        let (_, _, _, beneath) = sent(&out[..1]);
        assert!(beneath.len() <= len_max && beneath.len() > len_max - 16, "{}", beneath.len());
        let Message::Error(report) = message(&beneath).2 else { panic!("an error") };
        assert_eq!(report.cause, Cause::Unreachable(Unreachable::NoRoute));
        assert_eq!(report.extensions.len(), 1);
    }
}

#[test]
fn no_error_is_sent_about_errors_later_fragments_or_refused_packets() {
    let mut bench = Bench::new();
    let quoted = datagram("10.1.2.9", "10.1.0.2", 1, 8);
    let cause = Cause::TimeExceeded { code: 0 };
    let pair = (address("10.1.0.2"), address("10.1.2.9"));
    let body = Message::Error(Report { cause, quoted, extensions: vec![] }).encode(pair.0, pair.1);
    let about_error = ip::encode(pair, 1, (0, 1), &body).unwrap();
    let mut later = datagram("10.1.0.2", "10.1.2.9", 1, 8);
    later[6..8].copy_from_slice(&[0, 9]);
    packet::ipv4::refresh_checksum(&mut later);
    for packet in [about_error, later] {
        let out = bench.receive(LAN, &packet);
        assert_eq!((reason(&out), out.len()), (DropReason::TtlExpired, 1));
    }
    let refused = segment(("10.1.0.2", 1), ("10.2.0.2", 80), Flags::SYN);
    assert_eq!(bench.receive(LAN, &refused).len(), 1);
}

#[test]
fn errors_are_limited_by_time_and_come_back_with_it() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.2.9", 1, 8);
    let errors =
        |bench: &mut Bench| (0..200).filter(|_| bench.receive(LAN, &packet).len() == 2).count();
    assert_eq!(errors(&mut bench), 50);
    bench.now = bench.now + Duration::from_millis(100);
    assert_eq!(errors(&mut bench), 10);
}

#[test]
fn packets_for_the_router_are_limited_per_port() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.0.1", 64, 8);
    let punted = |bench: &mut Bench| {
        let out: Vec<_> = (0..600).map(|_| bench.receive(LAN, &packet)).collect();
        out.iter().filter(|out| matches!(out[..], [Verdict::Punt { .. }])).count()
    };
    assert_eq!(punted(&mut bench), 500);
    assert_eq!(reason(&bench.receive(LAN, &packet)), DropReason::PuntLimited);
    let request = ping("10.1.0.2", "10.1.0.1");
    let answered = (0..300).filter(|_| bench.receive(LAN, &request).len() == 1).count();
    assert!(answered == 300, "every echo request is settled");
    assert_eq!(reason(&bench.receive(LAN, &request)), DropReason::EchoLimited);
    let packet = datagram("10.2.0.2", "10.2.0.1", 64, 8);
    let out = bench.receive(OTHER_LAN, &packet);
    assert!(matches!(out[..], [Verdict::Punt { .. }]), "one port's worst costs that port alone");
}

#[test]
fn ping_crosses_a_narrow_lan_in_a_frame_with_right_addresses() {
    let out = Bench::new().receive(NARROW_LAN, &ping("10.1.1.2", "10.1.1.1"));
    let [Verdict::Transmit { port, frame }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((*port, unframed(*port, frame).0), (NARROW_LAN, 0x0800));
}
