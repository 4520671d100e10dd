//! What is heard of hosts that have no address yet, and what is told about those that do not answer.

use base::{PortId, VrfId};
use packet::icmp::{Cause, Message, Unreachable};
use packet::{dhcp, ip, udp};

use super::{Bench, CORE, LAN, OTHER_LAN, UPLINK, address, datagram, frame, reason};
use crate::{DropReason, PuntKind, Verdict};

/// A datagram of this source to this address and port, in a broadcast frame.
fn broadcast(port: PortId, source: &str, destination: &str, to: u16) -> Vec<u8> {
    let ends = (address(source), address(destination));
    let upper = udp::encode((ends.0, dhcp::CLIENT_PORT), (ends.1, to), &[7; 300]);
    let mut frame = frame(port, &ip::encode(ends, udp::PROTOCOL, (0, 64), &upper).unwrap());
    frame[..6].fill(0xff);
    frame
}

#[test]
fn a_host_that_asks_everybody_for_an_address_is_heard_on_attachments() {
    let all = "255.255.255.255";
    for source in ["0.0.0.0", "10.1.0.2"] {
        let out = Bench::new().raw(LAN, &broadcast(LAN, source, all, 67));
        let [Verdict::Punt { port, vrf, kind, packet, .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!((*port, *vrf, *kind), (LAN, Some(VrfId(0)), PuntKind::Dhcp));
        assert_eq!(packet.len(), 328);
    }
    for (port, source, destination, to, why) in [
        (LAN, "0.0.0.0", all, 68, DropReason::InvalidAddress),
        (LAN, "10.9.9.9", all, 67, DropReason::Multicast),
        (LAN, "0.0.0.0", "10.1.0.255", 67, DropReason::InvalidAddress),
        (LAN, "0.0.0.0", "10.1.0.1", 67, DropReason::InvalidAddress),
        (OTHER_LAN, "10.1.0.2", all, 67, DropReason::Multicast),
        (CORE, "0.0.0.0", all, 67, DropReason::InvalidAddress),
        (UPLINK, "0.0.0.0", all, 67, DropReason::InvalidAddress),
    ] {
        let out = Bench::new().raw(port, &broadcast(port, source, destination, to));
        assert_eq!(reason(&out), why, "{source} to {destination} port {to}");
    }
    let mut unicast = broadcast(LAN, "0.0.0.0", all, 67);
    unicast[..6].copy_from_slice(&super::our_mac(LAN).0);
    assert_eq!(reason(&Bench::new().raw(LAN, &unicast)), DropReason::InvalidAddress);
}

#[test]
fn a_flood_of_hosts_that_ask_is_limited() {
    let mut bench = Bench::new();
    let request = broadcast(LAN, "0.0.0.0", "255.255.255.255", 67);
    let punted = |out: &Vec<Verdict>| matches!(out[..], [Verdict::Punt { .. }]);
    let heard = (0..600).map(|_| bench.raw(LAN, &request)).filter(punted).count();
    assert_eq!(heard, 500);
    assert_eq!(reason(&bench.raw(LAN, &request)), DropReason::PuntLimited);
}

#[test]
fn whoever_sends_to_a_host_that_does_not_answer_is_told_within_the_rate_of_errors() {
    let mut bench = Bench::new();
    for (source, destination) in [("10.1.0.2", "10.1.0.77"), ("fd00:1::2", "fd00:1::77")] {
        let out = bench.receive(LAN, &datagram(source, destination, 64, 8));
        let [Verdict::Resolve { packet, sender, .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!(*sender, Some((LAN, VrfId(0))));
        let mut told = Vec::new();
        for _ in 0..30 {
            let sender = (LAN, VrfId(0));
            bench.lane.undeliverable(bench.now, &bench.tables, sender, packet, &mut told);
        }
        assert!((20..=30).contains(&told.len()), "{}", told.len());
        let (_, _, _, error) = super::sent(&told[..1]);
        let header = ip::Packet::decode(&error).unwrap();
        assert_eq!(header.destination, address(source));
        let message = Message::decode(header.source, header.destination, header.payload(&error));
        let Ok(Message::Error(report)) = message else { panic!("{message:?}") };
        assert_eq!(report.cause, Cause::Unreachable(Unreachable::Host));
    }
}

#[test]
fn nobody_is_told_about_what_the_router_sent_itself() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    let packet = packet::PacketBuf::from_slice(&datagram("10.1.0.1", "10.1.0.77", 64, 8));
    bench.lane.originate_vrf(bench.now, &bench.tables, VrfId(0), packet, &mut out);
    assert!(matches!(out[..], [Verdict::Resolve { sender: None, .. }]), "{out:?}");
}
