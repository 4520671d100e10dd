//! VRFs: ingress, egress, classes, sources, and who is asked for permission where.

use super::{
    Bench, CORE, LAN, NARROW_LAN, OTHER_LAN, UPLINK, datagram, frame_of, reason, segment, sent,
    values,
};
use crate::{DropReason, LinkProtocol, PuntKind, Verdict};
use base::VrfId;
use packet::ethernet::{TYPE_ARP, TYPE_IPV4};
use packet::tcp::Flags;
use packet::{PacketBuf, ip};

#[test]
fn ingress_pushes_service_and_transport_labels_with_a_full_ttl() {
    for (from, to) in [("10.1.0.2", "10.1.2.9"), ("fd00:1::2", "fd00:1:0:2::9")] {
        let out = Bench::new().receive(LAN, &datagram(from, to, 17, 40));
        let (port, _, stack, beneath) = sent(&out);
        assert_eq!((port, values(&stack)), (CORE, vec![(16_002, 255), (24_001, 255)]));
        assert_eq!((stack[0].bottom, stack[1].bottom), (false, true));
        let found = ip::Packet::decode(&beneath).unwrap();
        assert_eq!(found.ttl, 16, "one hop and a right checksum");
    }
}

#[test]
fn code_point_chooses_the_class_of_every_label() {
    for (code_point, class) in [(46, 5), (34, 4), (26, 3), (18, 2), (10, 1), (0, 0)] {
        let mut packet = datagram("10.1.0.2", "10.1.2.9", 17, 40);
        packet[1] = code_point << 2;
        packet::ipv4::refresh_checksum(&mut packet);
        let (_, _, stack, beneath) = sent(&Bench::new().receive(LAN, &packet));
        assert!(stack.iter().all(|entry| entry.traffic_class == class), "{stack:?}");
        assert_eq!(beneath[1], code_point << 2, "the packet keeps its own");
    }
}

#[test]
fn attachments_of_one_vrf_talk_at_one_hop() {
    let out = Bench::new().receive(LAN, &datagram("10.1.0.2", "10.1.1.2", 17, 40));
    let (port, kind, stack, beneath) = sent(&out);
    assert_eq!((port, kind, stack.len()), (NARROW_LAN, TYPE_IPV4, 0));
    assert_eq!(ip::Packet::decode(&beneath).unwrap().ttl, 16);
}

#[test]
fn padding_of_short_frames_does_not_travel() {
    let mut packet = datagram("10.1.0.2", "10.1.2.9", 17, 1);
    let len = packet.len();
    packet.resize(46, 0);
    let (_, _, _, beneath) = sent(&Bench::new().receive(LAN, &packet));
    assert_eq!(beneath.len(), len);
}

#[test]
fn community_passes_its_application_both_ways_and_nothing_else() {
    let (client, server) = (("10.1.0.2", 5000), ("10.2.0.2", 443));
    let cases = [
        (LAN, segment(client, server, Flags::SYN), Some(OTHER_LAN)),
        (OTHER_LAN, segment(server, client, Flags(Flags::SYN.0 | Flags::ACK.0)), Some(LAN)),
        (OTHER_LAN, segment(server, client, Flags::RST), Some(LAN)),
        (OTHER_LAN, segment(server, client, Flags::SYN), None),
        (OTHER_LAN, segment(("10.2.0.2", 5000), ("10.1.0.2", 443), Flags::SYN), None),
        (LAN, segment(client, ("10.2.0.2", 80), Flags::SYN), None),
        (LAN, datagram("10.1.0.2", "10.2.0.2", 64, 8), None),
    ];
    for (from, packet, to) in cases {
        let out = Bench::new().receive(from, &packet);
        match to {
            Some(to) => assert_eq!(sent(&out).0, to),
            None => assert_eq!(reason(&out), DropReason::AccessNotPermitted, "{out:?}"),
        }
    }
}

#[test]
fn egress_asks_the_rules_again() {
    let mut bench = Bench::new();
    let packet = segment(("10.9.0.9", 80), ("10.1.0.2", 5000), Flags::ACK);
    let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
    assert_eq!(reason(&out), DropReason::AccessNotPermitted);
    let packet = segment(("10.9.0.9", 443), ("10.1.0.2", 5000), Flags::ACK);
    let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
    assert_eq!(sent(&out).0, LAN);
    let packet = segment(("10.7.0.9", 443), ("10.1.0.1", 5000), Flags::ACK);
    let out = bench.receive_labelled(CORE, &[(24_100, 255)], &packet);
    assert_eq!(reason(&out), DropReason::AccessNoRule, "the gateway is inside too");
}

#[test]
fn rules_of_the_attachment_hold_whichever_vrf_led_to_it() {
    let mut bench = Bench::new();
    let access =
        crate::access::Access { own: vec![super::prefix("0.0.0.0/0")], ..Default::default() };
    bench.tables.set_vrf(VrfId(0), None, None, access);
    let out = bench.receive(LAN, &segment(("10.1.0.2", 1), ("10.2.0.2", 80), Flags::SYN));
    assert_eq!(reason(&out), DropReason::AccessNotPermitted, "vrf 0 is open, vrf 1 is not");
}

#[test]
fn source_must_belong_to_the_attachment() {
    for (from, to) in [
        ("10.1.1.2", "10.1.2.9"),
        ("10.2.0.2", "10.1.2.9"),
        ("10.0.0.1", "10.1.2.9"),
        ("fd00:1:0:2::2", "fd00:1:0:2::9"),
        ("10.1.1.2", "10.1.0.1"),
    ] {
        let out = Bench::new().receive(LAN, &datagram(from, to, 17, 40));
        assert_eq!(reason(&out), DropReason::SpoofedSource, "{from}");
        assert_eq!(out.len(), 1, "the one who is spoofed is not told");
    }
}

#[test]
fn broadcast_and_multicast_never_leave_their_link() {
    for to in ["255.255.255.255", "224.0.0.5", "239.1.1.1"] {
        let out = Bench::new().receive(LAN, &datagram("10.1.0.2", to, 17, 40));
        assert_eq!(reason(&out), DropReason::Multicast);
    }
    let out = Bench::new().receive(LAN, &datagram("fd00:1::2", "ff02::fb", 17, 40));
    assert_eq!(reason(&out), DropReason::Multicast);
    let mut frame = super::frame(LAN, &datagram("10.1.0.2", "10.1.2.9", 17, 40));
    frame[..6].fill(0xff);
    assert_eq!(reason(&Bench::new().raw(LAN, &frame)), DropReason::Multicast);
}

#[test]
fn packets_to_the_gateway_are_handed_over_in_their_vrf() {
    let packet = segment(("10.1.0.2", 5000), ("10.1.0.1", 179), Flags::SYN);
    let out = Bench::new().receive(LAN, &packet);
    let [
        Verdict::Punt {
            port: LAN, vrf: Some(VrfId(0)), kind: PuntKind::Local, packet: found, ..
        },
    ] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(found.bytes(), packet);
    let out = Bench::new().receive(LAN, &datagram("fe80::9", "fe80::1", 255, 8));
    assert!(matches!(out[..], [Verdict::Punt { kind: PuntKind::Local, .. }]), "{out:?}");
}

#[test]
fn arp_and_neighbour_discovery_are_handed_over_with_their_vrf() {
    let mut frame = frame_of(LAN, TYPE_ARP, &[7; 28]);
    frame[..6].fill(0xff);
    let out = Bench::new().raw(LAN, &frame);
    let [Verdict::Punt { vrf: Some(VrfId(0)), kind: PuntKind::Arp, source_mac, packet, .. }] =
        &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!((source_mac, packet.bytes()), (&Some(super::their_mac(LAN)), &[7; 28][..]));
    let pair = (super::address("fd00:1::2"), super::address("ff02::1:ff00:1"));
    for (ttl, on_link) in [(255, true), (254, false)] {
        let solicitation = ip::encode(pair, 58, (0, ttl), &[135; 32]).unwrap();
        let mut frame = super::frame(LAN, &solicitation);
        frame[..6].copy_from_slice(&[0x33, 0x33, 0xff, 0, 0, 1]);
        let out = Bench::new().raw(LAN, &frame);
        if on_link {
            assert!(matches!(out[..], [Verdict::Punt { kind: PuntKind::Ndp, .. }]), "{out:?}");
        } else {
            assert_eq!(reason(&out), DropReason::NotOnLink);
        }
    }
}

#[test]
fn uplink_hears_only_what_is_for_itself() {
    let mut bench = Bench::new();
    let out = bench.receive(UPLINK, &datagram("10.0.2.1", "10.0.2.0", 255, 8));
    assert!(matches!(out[..], [Verdict::Punt { vrf: None, kind: PuntKind::Local, .. }]));
    let out = bench.receive(UPLINK, &datagram("fe80::2", "fe80::1", 255, 8));
    assert!(matches!(out[..], [Verdict::Punt { vrf: None, kind: PuntKind::Local, .. }]));
    for to in ["10.255.0.1", "10.255.0.9", "10.0.3.0", "10.1.0.2"] {
        let out = bench.receive(UPLINK, &datagram("10.0.2.1", to, 255, 8));
        assert_eq!(reason(&out), DropReason::UplinkTransit);
        assert_eq!(out.len(), 1, "a site is told nothing");
    }
}

#[test]
fn labelled_packet_is_not_sent_back_into_the_core() {
    let packet = datagram("10.1.3.9", "10.1.2.9", 64, 8);
    let out = Bench::new().receive_labelled(CORE, &[(24_100, 255)], &packet);
    assert_eq!(reason(&out), DropReason::Hairpin);
}

#[test]
fn router_speaks_in_a_vrf_in_the_region_and_on_a_port() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let packet = PacketBuf::from_slice(&datagram("10.1.0.1", "10.1.2.9", 64, 8));
    bench.lane.originate_vrf(bench.now, &bench.tables, VrfId(0), packet, &mut out);
    let (_, _, stack, beneath) = sent(&out);
    assert_eq!(values(&stack), [(16_002, 255), (24_001, 255)]);
    assert_eq!(ip::Packet::decode(&beneath).unwrap().ttl, 64, "our own is as we made it");
    out.clear();
    let packet = PacketBuf::from_slice(&datagram("10.1.0.1", "10.1.0.2", 64, 8));
    bench.lane.originate_vrf(bench.now, &bench.tables, VrfId(0), packet, &mut out);
    assert_eq!(sent(&out).0, LAN);
    out.clear();
    let packet = PacketBuf::from_slice(&datagram("10.255.0.1", "10.255.0.9", 64, 8));
    bench.lane.originate_global(bench.now, &bench.tables, packet, &mut out);
    assert_eq!(values(&sent(&out).2), [(16_002, 255)]);
    out.clear();
    bench.tables.set_port_up(CORE, false);
    let packet = PacketBuf::from_slice(&datagram("10.0.0.0", "10.0.0.1", 255, 8));
    let to = (CORE, super::neighbour(CORE));
    bench.lane.originate_port(bench.now, &bench.tables, to, packet, &mut out);
    assert_eq!(sent(&out).0, CORE, "a port that is down is how it comes up");
    out.clear();
    let packet = PacketBuf::from_slice(&datagram("fe80::1", "ff02::1", 255, 8));
    let to = (CORE, super::address("ff02::1"));
    bench.lane.originate_port(bench.now, &bench.tables, to, packet, &mut out);
    let [Verdict::Transmit { frame, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(frame.bytes()[..6], [0x33, 0x33, 0, 0, 0, 1]);
}

#[test]
fn route_behind_a_customers_router_goes_to_that_router() {
    let mut bench = Bench::new();
    let neighbour = Some(super::address("10.1.0.2"));
    let route = crate::VrfRoute::Attached { port: LAN, neighbour };
    bench.tables.set_vrf_route(VrfId(0), super::prefix("10.1.8.0/24"), route);
    let out = bench.receive(NARROW_LAN, &datagram("10.1.1.2", "10.1.8.8", 64, 8));
    assert_eq!(sent(&out).0, LAN);
    let out = bench.receive(NARROW_LAN, &datagram("10.1.1.2", "10.1.0.77", 64, 8));
    let [Verdict::Resolve { port: LAN, address, protocol: LinkProtocol::Ipv4, .. }] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(*address, super::address("10.1.0.77"));
}
