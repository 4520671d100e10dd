//! Label switching: every action, the time to live, and the label space of each uplink.

use super::{
    Bench, CORE, CORE_B, LAN, TO_CORE, TO_NEIGHBOUR, TUNNEL, UPLINK, UPLINK_B, datagram, frame_of,
    label, labelled, our_mac, reason, sent, values,
};
use crate::tables::{Hop, LabelAction, Transport};
use crate::{DropReason, LinkProtocol, PuntKind, Verdict};
use base::LabelSpace;
use packet::ethernet::{self, TYPE_IPV4, TYPE_IPV6, TYPE_MPLS};

const CORE_TO_HERE: (&str, &str) = ("10.255.0.9", "10.255.0.1");

#[test]
fn transit_label_is_swapped_and_its_ttl_and_class_carried_on() {
    let mut bench = Bench::new();
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let out = bench.receive_labelled(CORE_B, &[(16_002, 9), (24_001, 255)], &inner);
    let (port, kind, stack, beneath) = sent(&out);
    assert_eq!((port, kind), (CORE, TYPE_MPLS));
    assert_eq!(values(&stack), [(16_002, 8), (24_001, 255)]);
    assert_eq!((stack[0].traffic_class, stack[0].bottom, stack[1].bottom), (3, false, true));
    assert_eq!(beneath, inner, "pipe model: the packet beneath is not touched");
}

#[test]
fn penultimate_hop_pops_and_leaves_what_is_beneath_alone() {
    let mut bench = Bench::new();
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let out = bench.receive_labelled(CORE, &[(16_004, 9), (24_001, 177)], &inner);
    let (_, kind, stack, _) = sent(&out);
    assert_eq!((kind, values(&stack)), (TYPE_MPLS, vec![(24_001, 177)]));
    let out = bench.receive_labelled(CORE, &[(16_004, 9)], &inner);
    let (_, kind, stack, beneath) = sent(&out);
    assert_eq!((kind, stack.len(), beneath), (TYPE_IPV4, 0, inner));
    let inner = datagram("fd00::9", "fd00::8", 17, 40);
    let (_, kind, _, beneath) = sent(&bench.receive_labelled(CORE, &[(16_004, 9)], &inner));
    assert_eq!((kind, beneath), (TYPE_IPV6, inner));
}

#[test]
fn a_label_that_began_low_is_uncovered_with_what_the_one_above_had_left() {
    let mut bench = Bench::new();
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    for (above, beneath, left) in [(2, 5, 1), (9, 5, 5), (9, 127, 8), (9, 128, 128)] {
        let labels = [(16_004, above), (24_001, beneath)];
        let (_, _, stack, packet) = sent(&bench.receive_labelled(CORE, &labels, &inner));
        assert_eq!((values(&stack), packet), (vec![(24_001, left)], inner.clone()));
    }
    let (_, _, stack, _) =
        sent(&bench.receive_labelled(CORE_B, &[(16_002, 2), (24_001, 5)], &inner));
    assert_eq!(values(&stack), [(16_002, 1), (24_001, 5)], "what stays covered is left alone");
}

#[test]
fn own_segment_and_explicit_nulls_are_popped_to_what_is_beneath() {
    let inner = datagram(CORE_TO_HERE.0, CORE_TO_HERE.1, 200, 8);
    for labels in [&[(16_001, 1)][..], &[(0, 5)], &[(2, 5)], &[(16_001, 5), (16_001, 5), (0, 1)]] {
        let out = Bench::new().receive_labelled(CORE, labels, &inner);
        let [Verdict::Punt { port: CORE, vrf: None, kind: PuntKind::Local, packet, .. }] = &out[..]
        else {
            panic!("{out:?}")
        };
        assert_eq!(packet.bytes(), inner, "the time to live shows how far it came");
    }
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let out = Bench::new().receive_labelled(CORE_B, &[(16_001, 5), (16_002, 9)], &inner);
    assert_eq!(values(&sent(&out).2), [(16_002, 8)]);
}

#[test]
fn service_label_leads_to_the_vrf_and_takes_one_off_the_packets_ttl() {
    for (from, to, host) in
        [("10.1.2.9", "10.1.0.2", TYPE_IPV4), ("fd00:1:0:2::9", "fd00:1::2", TYPE_IPV6)]
    {
        let inner = datagram(from, to, 17, 40);
        let out = Bench::new().receive_labelled(CORE, &[(24_100, 200)], &inner);
        let (port, kind, stack, beneath) = sent(&out);
        assert_eq!((port, kind, stack.len()), (LAN, host, 0));
        let found = packet::ip::Packet::decode(&beneath).unwrap();
        assert_eq!(found.ttl, 16);
    }
}

#[test]
fn service_label_of_another_router_is_swapped_on_the_way_to_it() {
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let mut bench = Bench::new();
    let out = bench.receive_labelled(CORE, &[(24_200, 200)], &inner);
    let (port, _, stack, beneath) = sent(&out);
    assert_eq!((port, values(&stack)), (UPLINK, vec![(30_000, 199)]));
    assert_eq!(beneath, inner);
    let out = bench.receive_labelled(UPLINK, &[(24_500, 255)], &inner);
    assert_eq!(values(&sent(&out).2), [(16_002, 254), (24_600, 254)]);
}

#[test]
fn each_uplink_has_a_label_space_of_its_own() {
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    for (port, value, passes) in [
        (UPLINK, 24_500, true),
        (UPLINK_B, 24_500, false),
        (UPLINK_B, 24_502, true),
        (UPLINK, 24_502, false),
        (UPLINK, 16_002, false),
        (UPLINK, 24_100, false),
        (UPLINK, 0, false),
        (UPLINK, 2, false),
        (CORE, 24_500, false),
    ] {
        let mut bench = Bench::new();
        let out = bench.receive_labelled(port, &[(value, 255)], &inner);
        if passes {
            assert_eq!(values(&sent(&out).2), [(16_002, 254), (24_600, 254)]);
        } else {
            assert_eq!(reason(&out), DropReason::LabelNotAdvertised, "{port} {value}");
            let counted = bench.lane.counters().port(port).unwrap();
            assert_eq!(counted.dropped(DropReason::LabelNotAdvertised), 1);
        }
    }
}

#[test]
fn nothing_hides_beneath_a_label_of_an_uplink() {
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let out = Bench::new().receive_labelled(UPLINK, &[(24_500, 255), (24_100, 255)], &inner);
    assert_eq!(reason(&out), DropReason::LabelBeneathService);
    let mut bench = Bench::new();
    let space = LabelSpace::Port(UPLINK);
    bench.tables.set_label(space, label(24_503), LabelAction::Transit(TO_NEIGHBOUR));
    let out = bench.receive_labelled(UPLINK, &[(24_503, 255), (24_100, 255)], &inner);
    assert_eq!(reason(&out), DropReason::LabelBeneathService, "a popped label shows none either");
    let out = bench.receive_labelled(CORE, &[(24_100, 255), (24_101, 255)], &inner);
    assert_eq!(reason(&out), DropReason::LabelBeneathService);
}

#[test]
fn tunnel_carries_the_same_packets_behind_gre() {
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let mut bench = Bench::new();
    let out = bench.receive_labelled(CORE, &[(16_005, 9)], &inner);
    let (port, kind, stack, _) = sent(&out);
    assert_eq!((port, kind, values(&stack)), (TUNNEL, TYPE_MPLS, vec![(16_005, 8)]));
    let mut frame = vec![0, 0, 0x88, 0x47];
    frame.extend(labelled(&[(16_002, 9)], &inner));
    assert_eq!(values(&sent(&bench.raw(TUNNEL, &frame)).2), [(16_002, 8)]);
    let out = bench.raw(TUNNEL, &[0, 0, 0, 0xfe, 0x83, 0x14]);
    let [Verdict::Punt { port: TUNNEL, kind: PuntKind::Iso, packet, .. }] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!(packet.bytes(), [0x83, 0x14]);
}

#[test]
fn longest_stack_of_a_hop_fits_and_a_longer_one_does_not() {
    let mut bench = Bench::new();
    let labels: Vec<_> = (16_100..16_107).map(label).collect();
    let hops = vec![Hop { port: CORE, neighbour: super::neighbour(CORE), labels }];
    bench.tables.set_transport(TO_CORE, Transport { hops, backups: vec![] });
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let deep = [(16_002, 9), (1, 9), (2, 9), (3, 9)];
    let (_, _, stack, _) = sent(&bench.receive_labelled(CORE_B, &deep, &inner));
    assert_eq!((stack.len(), stack[0].label.value(), stack[0].ttl), (10, 16_100, 8));
    let deeper = [(16_002, 9), (1, 9), (2, 9), (3, 9), (4, 9)];
    let out = bench.receive_labelled(CORE_B, &deeper, &inner);
    assert_eq!(reason(&out), DropReason::StackTooDeep);
}

#[test]
fn packet_is_switched_in_the_memory_it_came_in() {
    let mut bench = Bench::new();
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let packet = labelled(&[(16_002, 9), (24_001, 255)], &inner);
    let frame = packet::PacketBuf::from_slice(&frame_of(CORE_B, TYPE_MPLS, &packet));
    let before = frame.bytes().as_ptr();
    let (mut batch, mut out) = (vec![(CORE_B, frame)], Vec::new());
    bench.lane.forward(bench.now, &bench.tables, &mut batch, &mut out);
    let [Verdict::Transmit { frame, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(frame.bytes().as_ptr(), before);
}

#[test]
fn neighbour_that_is_not_resolved_holds_the_packet_until_it_is() {
    let mut bench = Bench::new();
    bench.tables.set_neighbour(CORE, super::neighbour(CORE), None);
    let inner = datagram("10.9.9.9", "10.8.8.8", 17, 40);
    let mut out = bench.receive_labelled(CORE_B, &[(16_002, 9)], &inner);
    let Some(Verdict::Resolve {
        port: CORE, address, protocol: LinkProtocol::Mpls, packet, ..
    }) = out.pop()
    else {
        panic!("{out:?}")
    };
    assert_eq!(address, super::neighbour(CORE));
    let protocol = LinkProtocol::Mpls;
    let resend = |bench: &mut Bench| {
        let mut out = Vec::new();
        let to = (CORE, address);
        bench.lane.resend(&bench.tables, to, protocol, packet.clone(), &mut out);
        out
    };
    assert!(matches!(resend(&mut bench)[..], [Verdict::Resolve { .. }]));
    bench.tables.set_neighbour(CORE, address, Some(super::their_mac(CORE)));
    assert_eq!(values(&sent(&resend(&mut bench)).2), [(16_002, 8)]);
}

#[test]
fn hello_of_frr_is_handed_over_from_its_first_octet() {
    // Frame 1 of an FRR 8.4.4 IS-IS capture, a hello padded to 1497 octets, up to its padding.
    let mut frame = vec![
        0x09, 0x00, 0x2b, 0x00, 0x00, 0x05, 0x0a, 0x96, 0xa4, 0xd2, 0x15, 0x4c, 0x05, 0xdc, 0xfe,
        0xfe, 0x03, 0x83, 0x14, 0x01, 0x00, 0x11, 0x01, 0x00, 0x00, 0x02,
    ];
    frame.resize(1514, 0);
    let out = Bench::new().raw(CORE, &frame);
    let [Verdict::Punt { kind: PuntKind::Iso, vrf: None, source_mac, packet, .. }] = &out[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(source_mac.unwrap().to_string(), "0a:96:a4:d2:15:4c");
    assert_eq!((packet.len(), packet.bytes()[0]), (1497, 0x83));
    let mut bench = Bench::new();
    let mut again = Vec::new();
    let to = (CORE, base::MacAddr::ALL_IS);
    bench.lane.originate_link(&bench.tables, to, LinkProtocol::Iso, packet.clone(), &mut again);
    let [Verdict::Transmit { frame: sent, .. }] = &again[..] else { panic!("{again:?}") };
    frame[6..12].copy_from_slice(&our_mac(CORE).0);
    assert_eq!(sent.bytes(), frame);
    assert_eq!(ethernet::HEADER_LEN + 3 + 1497, sent.len());
}
