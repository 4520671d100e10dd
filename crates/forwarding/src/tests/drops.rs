//! Every reason to drop a packet, by a packet that is dropped for it.

use super::{
    Bench, CORE, LAN, NARROW_LAN, OTHER_LAN, UPLINK, datagram, frame, frame_of, label, labelled,
    reason, segment,
};
use crate::{DropReason, LabelAction};
use base::{LabelSpace, PortId, VrfId};
use packet::ethernet::{TYPE_IPV4, TYPE_MPLS};
use packet::tcp::Flags;
use packet::{PacketBuf, ip};
use std::collections::BTreeSet;

fn inner() -> Vec<u8> {
    datagram("10.7.0.1", "10.8.0.1", 64, 8)
}

fn mpls(labels: &[(u32, u8)]) -> Vec<u8> {
    frame_of(CORE, TYPE_MPLS, &labelled(labels, &inner()))
}

fn lan(from: &str, to: &str) -> Vec<u8> {
    frame(LAN, &datagram(from, to, 64, 8))
}

/// A packet of the community with something about its header changed.
fn community(change: fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut packet = segment(("10.1.0.2", 1), ("10.2.0.2", 443), Flags::SYN);
    change(&mut packet);
    packet::ipv4::refresh_checksum(&mut packet);
    frame(LAN, &packet)
}

fn link_frames() -> Vec<(DropReason, PortId, Vec<u8>)> {
    let mut elsewhere = lan("10.1.0.2", "10.1.2.9");
    elsewhere[5] = 0x99;
    let mut iso = super::frame_of(UPLINK, 3, &[0xfe, 0xfe, 0x03]);
    iso[0] = 0x09;
    let pair = (super::address("fd00:1::2"), super::address("fd00:1::1"));
    let far = ip::encode(pair, 58, (0, 64), &[135; 32]).unwrap();
    vec![
        (DropReason::UnknownPort, PortId(99), mpls(&[(16_002, 9)])),
        (DropReason::MalformedFrame, CORE, vec![0; 13]),
        (DropReason::NotAddressedToUs, LAN, elsewhere),
        (DropReason::UnknownProtocol, CORE, frame_of(CORE, 0x8100, &[0; 50])),
        (DropReason::UnknownProtocol, CORE, frame_of(CORE, 4, &[0xaa, 0xaa, 3, 0])),
        (DropReason::UnknownProtocol, super::TUNNEL, vec![0, 0, 0x08, 0x06]),
        (DropReason::MalformedFrame, super::TUNNEL, vec![0xff; 8]),
        (DropReason::IsoNotAllowed, UPLINK, iso),
        (DropReason::MplsNotAllowed, LAN, frame_of(LAN, TYPE_MPLS, &labelled(&[(16_002, 9)], &[]))),
        (DropReason::NotOnLink, LAN, frame(LAN, &far)),
        (DropReason::Multicast, CORE, frame(CORE, &datagram("10.0.0.1", "224.0.0.5", 1, 8))),
    ]
}

fn label_frames() -> Vec<(DropReason, PortId, Vec<u8>)> {
    vec![
        (DropReason::MalformedStack, CORE, frame_of(CORE, TYPE_MPLS, &[0, 1, 0, 9])),
        (DropReason::StackTooDeep, CORE, frame_of(CORE, TYPE_MPLS, &[0; 44])),
        (DropReason::LabelNotAdvertised, CORE, mpls(&[(999, 9)])),
        (DropReason::ReservedLabel, CORE, mpls(&[(3, 9)])),
        (DropReason::ReservedLabel, CORE, mpls(&[(7, 9), (16_002, 9)])),
        (DropReason::ReservedLabel, CORE, mpls(&[(14, 9)])),
        (DropReason::RouterAlertLabel, CORE, mpls(&[(1, 9), (16_002, 9)])),
        (DropReason::LabelBeneathService, CORE, mpls(&[(24_200, 9), (16_002, 9)])),
        (DropReason::TtlExpired, CORE, mpls(&[(16_002, 1)])),
        (DropReason::TtlExpired, CORE, mpls(&[(16_002, 0)])),
        (DropReason::UnknownVrf, CORE, mpls(&[(24_199, 9)])),
        (DropReason::NoRoute, CORE, mpls(&[(24_100, 9)])),
        (
            DropReason::NoListener,
            CORE,
            frame_of(
                CORE,
                TYPE_MPLS,
                &labelled(&[(24_100, 9)], &datagram("10.1.3.9", "10.1.0.1", 64, 8)),
            ),
        ),
        (DropReason::Multicast, CORE, {
            let mut frame = mpls(&[(16_002, 9)]);
            frame[0] |= 1;
            frame
        }),
        (
            DropReason::MalformedPacket,
            CORE,
            frame_of(CORE, TYPE_MPLS, &labelled(&[(16_004, 9)], &[0x99])),
        ),
        (
            DropReason::Hairpin,
            CORE,
            frame_of(
                CORE,
                TYPE_MPLS,
                &labelled(&[(24_100, 9)], &datagram("10.1.3.9", "10.1.2.9", 64, 8)),
            ),
        ),
    ]
}

fn packet_frames() -> Vec<(DropReason, PortId, Vec<u8>)> {
    let too_long = frame(LAN, &datagram("10.1.0.2", "10.1.2.9", 64, 1505));
    vec![
        (DropReason::MalformedPacket, LAN, frame_of(LAN, TYPE_IPV4, &[0x60; 60])),
        (DropReason::MalformedPacket, LAN, frame_of(LAN, TYPE_IPV4, &[])),
        (DropReason::SpoofedSource, LAN, lan("10.3.0.2", "10.1.2.9")),
        (DropReason::InvalidAddress, LAN, lan("127.0.0.1", "10.1.2.9")),
        (DropReason::InvalidAddress, LAN, lan("0.0.0.0", "10.1.2.9")),
        (DropReason::InvalidAddress, LAN, lan("224.0.0.1", "10.1.2.9")),
        (DropReason::InvalidAddress, LAN, lan("10.1.0.2", "127.0.0.1")),
        (DropReason::InvalidAddress, LAN, lan("::", "fd00:1:0:2::9")),
        (DropReason::InvalidAddress, LAN, lan("::ffff:10.1.0.2", "fd00:1:0:2::9")),
        (DropReason::Multicast, LAN, lan("10.1.0.2", "255.255.255.255")),
        (DropReason::LinkLocal, LAN, lan("fe80::9", "fd00:1:0:2::9")),
        (DropReason::LinkLocal, LAN, lan("10.1.0.2", "169.254.0.9")),
        (DropReason::UplinkTransit, UPLINK, frame(UPLINK, &inner())),
        (DropReason::NoRoute, CORE, frame(CORE, &inner())),
        (DropReason::NoRoute, LAN, lan("10.1.0.2", "10.1.9.9")),
        (DropReason::NoUsablePath, LAN, lan("10.1.0.2", "10.1.3.9")),
        (DropReason::NoUsablePath, CORE, frame(CORE, &datagram("10.255.0.9", "10.255.3.9", 64, 8))),
        (DropReason::AccessNoRule, LAN, lan("10.1.0.2", "10.3.0.2")),
        (DropReason::AccessNotPermitted, LAN, lan("10.1.0.2", "10.2.0.2")),
        (DropReason::AccessFragment, LAN, community(|packet| packet[7] = 9)),
        (
            DropReason::AccessUnreadable,
            LAN,
            community(|packet| {
                packet.truncate(30);
                packet[3] = 30;
            }),
        ),
        (
            DropReason::AccessSourceRoute,
            LAN,
            community(|packet| {
                packet.splice(20..20, [131, 3, 4, 0]);
                packet[0] = 0x46;
                packet[3] += 4;
            }),
        ),
        (DropReason::MtuExceeded, LAN, too_long),
        (DropReason::TtlExpired, CORE, frame(CORE, &datagram("10.255.0.9", "10.255.0.8", 1, 8))),
    ]
}

#[test]
fn every_reason_has_a_packet_and_every_packet_its_one_reason() {
    let mut seen = BTreeSet::new();
    let frames = [link_frames(), label_frames(), packet_frames()].concat();
    for (expected, port, bytes) in frames {
        let mut bench = Bench::new();
        assert_eq!(reason(&bench.raw(port, &bytes)), expected, "{port}");
        let counters = bench.lane.counters();
        assert_eq!(counters.port(port).unwrap().dropped(expected), 1);
        assert_eq!(counters.dropped(expected), 1 + counters.own().dropped(expected));
        seen.insert(expected);
    }
    let mut bench = Bench::new();
    bench.tables.set_port_up(OTHER_LAN, false);
    let packet = segment(("10.1.0.2", 1), ("10.2.0.2", 443), Flags::SYN);
    seen.insert(reason(&bench.receive(LAN, &packet)));
    let mut out = Vec::new();
    let own = PacketBuf::from_slice(&datagram("10.255.0.1", "10.255.0.1", 64, 8));
    bench.lane.originate_global(bench.now, &bench.tables, own, &mut out);
    seen.insert(reason(&out));
    assert_eq!(bench.lane.counters().own().dropped(DropReason::OwnDestination), 1);
    let flood = datagram("10.1.1.2", "10.1.1.1", 64, 8);
    let last = (0..501).map(|_| bench.receive(NARROW_LAN, &flood)).last().unwrap();
    seen.insert(reason(&last));
    let echoes = super::answers::ping("10.1.1.2", "10.1.1.1");
    let last = (0..201).map(|_| bench.receive(NARROW_LAN, &echoes)).last().unwrap();
    seen.insert(reason(&last));
    let missing: Vec<_> = DropReason::ALL.iter().filter(|reason| !seen.contains(reason)).collect();
    assert_eq!(missing, [&DropReason::PortDown; 0]);
}

#[test]
fn reasons_have_names_and_texts_of_their_own() {
    let names: BTreeSet<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
    let texts: BTreeSet<_> = DropReason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!((names.len(), texts.len()), (DropReason::COUNT, DropReason::COUNT));
    assert!(texts.iter().all(|text| !text.contains(char::is_uppercase)));
}

#[test]
fn counters_tell_packets_octets_and_reasons_per_port() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.2.9", 64, 8);
    bench.receive(LAN, &packet);
    bench.receive(LAN, &datagram("10.3.0.2", "10.1.2.9", 64, 8));
    let counters = bench.lane.counters();
    let lan = counters.port(LAN).unwrap();
    assert_eq!((lan.received.packets, lan.received.octets), (2, 2 * (14 + 36)));
    assert_eq!(lan.drops().collect::<Vec<_>>(), [(DropReason::SpoofedSource, 1)]);
    let core = counters.port(CORE).unwrap();
    assert_eq!((core.sent.packets, core.sent.octets), (1, 14 + 8 + 36));
}

#[test]
fn what_was_removed_from_the_tables_is_gone() {
    let mut bench = Bench::new();
    let tables = &mut bench.tables;
    let platform = LabelSpace::Platform;
    assert!(tables.remove_label(platform, label(24_100)).is_some());
    assert!(tables.remove_vrf_route(VrfId(0), super::prefix("10.1.2.0/24")).is_some());
    assert!(tables.remove_global(super::prefix("10.255.0.0/24")).is_some());
    assert!(tables.remove_transport(super::TO_SITE).is_some());
    assert_eq!(tables.remove_transport(super::TO_SITE), None);
    assert!(tables.labels().all(|(_, value, _)| value != label(24_100)));
    let out = bench.receive_labelled(CORE, &[(24_100, 9)], &inner());
    assert_eq!(reason(&out), DropReason::LabelNotAdvertised);
    assert_eq!(reason(&bench.raw(LAN, &lan("10.1.0.2", "10.1.2.9"))), DropReason::NoRoute);
    let packet = datagram("10.255.0.9", "10.255.0.8", 9, 8);
    assert_eq!(reason(&bench.receive(CORE, &packet)), DropReason::NoRoute);
    bench.tables.set_label(platform, label(24_100), LabelAction::Transit(super::TO_SITE));
    let out = bench.receive_labelled(CORE, &[(24_100, 9)], &inner());
    assert_eq!(reason(&out), DropReason::NoUsablePath);
    assert_eq!(bench.tables.add_transport(), super::TO_SITE, "numbers are used again");
    bench.tables.remove_port(LAN);
    assert_eq!(reason(&bench.raw(LAN, &lan("10.1.0.2", "10.1.2.9"))), DropReason::UnknownPort);
    assert!(bench.tables.neighbours().all(|(port, ..)| port != LAN));
    bench.tables.remove_vrf(VrfId(1));
    assert_eq!(bench.tables.vrfs().count(), 1);
}
