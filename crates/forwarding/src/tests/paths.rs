//! Which way: backups, equal hops, and links too narrow.

use super::{
    Bench, CORE, CORE_B, LAN, NARROW_LAN, TO_CORE, TUNNEL, UPLINK, datagram, fragmentable, reason,
    sent, unframed, values,
};
use crate::tables::{Hop, Transport};
use crate::{DropReason, Verdict};
use base::PortId;
use packet::ipv4::Header;
use packet::mpls::decode_stack;
use std::collections::BTreeMap;

#[test]
fn backup_hop_takes_over_with_the_next_packet() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.2.9", 64, 8);
    assert_eq!(sent(&bench.receive(LAN, &packet)).0, CORE);
    bench.tables.set_port_up(CORE, false);
    let (port, _, stack, _) = sent(&bench.receive(LAN, &packet));
    assert_eq!(port, CORE_B);
    assert_eq!(values(&stack), [(16_003, 255), (16_002, 255), (24_001, 255)]);
    bench.tables.set_port_up(CORE_B, false);
    assert_eq!(reason(&bench.receive(LAN, &packet)), DropReason::NoUsablePath);
    bench.tables.set_port_up(CORE, true);
    assert_eq!(sent(&bench.receive(LAN, &packet)).0, CORE);
}

#[test]
fn backup_path_takes_over_for_routes_and_for_labels() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.4.9", 64, 8);
    assert_eq!(values(&sent(&bench.receive(LAN, &packet)).2), [(24_004, 255)]);
    let out = bench.receive_labelled(CORE, &[(24_200, 9)], &packet);
    assert_eq!(sent(&out).0, UPLINK);
    bench.tables.set_port_up(UPLINK, false);
    let (port, _, stack, _) = sent(&bench.receive(LAN, &packet));
    assert_eq!((port, values(&stack)), (CORE, vec![(16_002, 255), (24_005, 255)]));
    let out = bench.receive_labelled(CORE, &[(24_200, 9)], &packet);
    assert_eq!(values(&sent(&out).2), [(16_002, 8), (24_300, 8)]);
}

#[test]
fn path_under_a_reserved_label_is_not_used() {
    let out = Bench::new().receive(LAN, &datagram("10.1.0.2", "10.1.5.9", 64, 8));
    assert_eq!(reason(&out), DropReason::NoUsablePath);
}

fn spread(bench: &mut Bench, labelled: bool) -> BTreeMap<u16, PortId> {
    let mut ways = BTreeMap::new();
    for host in 0..200_u16 {
        let from = format!("10.1.0.{}", 2 + host % 100);
        let to = format!("10.1.2.{}", 1 + host / 100);
        let packet = datagram(&from, &to, 64, 8);
        let out = if labelled {
            bench.receive_labelled(UPLINK, &[(24_500, 255)], &packet)
        } else {
            bench.receive(LAN, &packet)
        };
        ways.insert(host, sent(&out).0);
    }
    ways
}

fn with_three_hops() -> Bench {
    let mut bench = Bench::new();
    let hop = |port| Hop { port, neighbour: super::neighbour(port), labels: vec![] };
    let hops = vec![hop(CORE), hop(CORE_B), hop(TUNNEL)];
    bench.tables.set_transport(TO_CORE, Transport { hops, backups: vec![] });
    bench
}

#[test]
fn flows_spread_over_equal_hops_and_stay_where_they_are() {
    let mut bench = with_three_hops();
    let ways = spread(&mut bench, false);
    for port in [CORE, CORE_B, TUNNEL] {
        let share = ways.values().filter(|way| **way == port).count();
        assert!((45..=90).contains(&share), "{port}: {share} of 200");
    }
    assert_eq!(spread(&mut bench, false), ways);
    assert_eq!(spread(&mut bench, true), ways, "labels above a flow do not move it");
    bench.lane = crate::Forwarder::new(2);
    assert_ne!(spread(&mut bench, false), ways, "another router splits another way");
}

#[test]
fn only_the_flows_of_a_lost_hop_move() {
    let mut bench = with_three_hops();
    let before = spread(&mut bench, false);
    bench.tables.set_port_up(CORE_B, false);
    let after = spread(&mut bench, false);
    for (flow, way) in before {
        assert!(way == CORE_B || after[&flow] == way);
        assert_ne!(after[&flow], CORE_B);
    }
}

/// Labels, header and data of a fragment.
type Piece = (Vec<(u32, u8)>, Header, Vec<u8>);

fn fragments(out: &[Verdict], mtu: usize) -> Vec<Piece> {
    out.iter()
        .map(|verdict| {
            let Verdict::Transmit { port, frame } = verdict else { panic!("{verdict:?}") };
            let (kind, payload) = unframed(*port, frame);
            assert!(payload.len() <= mtu, "{} octets", payload.len());
            let (stack, beneath) = if kind == 0x8847 {
                let (stack, beneath) = decode_stack(&payload).unwrap();
                (values(&stack), beneath.to_vec())
            } else {
                (Vec::new(), payload)
            };
            let (header, data) = Header::decode(&beneath).unwrap();
            (stack, header, data.to_vec())
        })
        .collect()
}

fn narrow(bench: &mut Bench, port: PortId, mtu: u16) {
    let narrowed = crate::Port { mtu, mpls_mtu: mtu, ..bench.tables.port(port).unwrap().clone() };
    bench.tables.set_port(port, narrowed);
}

#[test]
fn packets_that_may_be_fragmented_are_at_ingress_in_transit_and_at_egress() {
    let mut bench = Bench::new();
    narrow(&mut bench, CORE, 600);
    let packet = fragmentable(datagram("10.1.0.2", "10.1.2.9", 64, 1000));
    let pieces = fragments(&bench.receive(LAN, &packet), 600);
    assert_eq!(pieces.len(), 2);
    for (stack, header, _) in &pieces {
        assert_eq!(*stack, [(16_002, 255), (24_001, 255)]);
        assert_eq!(header.ttl, 63);
    }
    let joined: Vec<u8> = pieces.iter().flat_map(|(_, _, data)| data.clone()).collect();
    assert_eq!(joined, packet[20..]);
    let out = bench.receive_labelled(CORE_B, &[(16_002, 9), (24_001, 255)], &packet);
    let pieces = fragments(&out, 600);
    assert!(pieces.iter().all(|(stack, ..)| *stack == [(16_002, 8), (24_001, 255)]));
    let joined: Vec<u8> = pieces.iter().flat_map(|(_, _, data)| data.clone()).collect();
    assert_eq!(joined, packet[20..]);
    let packet = fragmentable(datagram("10.1.2.9", "10.1.1.2", 64, 1000));
    let out = bench.receive_labelled(CORE, &[(24_100, 9)], &packet);
    assert_eq!(fragments(&out, 600).len(), 2);
}

#[test]
fn labelled_packets_may_be_longer_than_ip_packets_by_their_stack() {
    let mut bench = Bench::new();
    let packet = datagram("10.1.0.2", "10.1.2.9", 64, 1472);
    assert_eq!(packet.len(), 1500);
    assert_eq!(values(&sent(&bench.receive(LAN, &packet)).2).len(), 2);
}

#[test]
fn port_that_is_down_is_not_sent_to() {
    let mut bench = Bench::new();
    bench.tables.set_port_up(NARROW_LAN, false);
    let out = bench.receive(LAN, &datagram("10.1.0.2", "10.1.1.2", 64, 8));
    assert_eq!(reason(&out), DropReason::PortDown);
    assert_eq!(out.len(), 2, "and the sender is told");
}
