//! Whatever arrives, at whatever tables: the lane answers, and its answers are sound.

use super::{
    Bench, CORE, LAN, NARROW_LAN, OTHER_LAN, TUNNEL, UPLINK, UPLINK_B, datagram, frame, frame_of,
    labelled, segment,
};
use crate::Verdict;
use crate::access::is_icmp_error;
use crate::tables::{PortKind, Tables};
use base::{PortId, VrfId};
use packet::ethernet::TYPE_MPLS;
use packet::icmp::{Cause, Message, Report};
use packet::ip::Packet;
use packet::mpls::decode_stack;
use packet::tcp::Flags;
use proptest::prelude::*;

/// Right frames, to be made wrong.
fn frames() -> Vec<(PortId, Vec<u8>)> {
    let inner = datagram("10.7.0.1", "10.8.0.1", 64, 30);
    let delivered = datagram("10.1.2.9", "10.1.0.2", 64, 600);
    let mut gre = vec![0, 0, 0x88, 0x47];
    gre.extend(labelled(&[(16_002, 9)], &inner));
    vec![
        (LAN, frame(LAN, &datagram("10.1.0.2", "10.1.2.9", 64, 30))),
        (LAN, frame(LAN, &datagram("10.1.0.2", "10.1.1.2", 64, 900))),
        (LAN, frame(LAN, &datagram("fd00:1::2", "fd00:1:0:2::9", 1, 30))),
        (LAN, frame(LAN, &segment(("10.1.0.2", 1), ("10.2.0.2", 443), Flags::SYN))),
        (OTHER_LAN, frame(OTHER_LAN, &segment(("10.2.0.2", 443), ("10.1.0.2", 1), Flags::ACK))),
        (CORE, frame_of(CORE, TYPE_MPLS, &labelled(&[(16_002, 9), (24_001, 9)], &inner))),
        (CORE, frame_of(CORE, TYPE_MPLS, &labelled(&[(16_001, 9), (24_100, 9)], &delivered))),
        (CORE, frame_of(CORE, TYPE_MPLS, &labelled(&[(24_200, 1)], &inner))),
        (UPLINK, frame_of(UPLINK, TYPE_MPLS, &labelled(&[(24_500, 9)], &inner))),
        (UPLINK, frame(UPLINK, &datagram("10.0.2.1", "10.0.2.0", 255, 30))),
        (TUNNEL, gre),
    ]
}

/// Labels and links of the router turned into one another.
fn shuffle(tables: &mut Tables, edits: &[(u8, u8, bool)]) {
    let all: Vec<_> =
        tables.labels().map(|(space, label, action)| (space, label, action.clone())).collect();
    for (from, to, up) in edits {
        let (space, label, _) = &all[usize::from(*from) % all.len()];
        let (_, _, action) = &all[usize::from(*to) % all.len()];
        tables.set_label(*space, *label, action.clone());
        tables.set_port_up(PortId(u32::from(*to) % 9), *up);
        let port = PortId(u32::from(*from) % 8);
        if let Some(mut found) = tables.port(port).cloned() {
            found.mtu = u16::from(*to) * 8;
            found.mpls_mtu = u16::from(*from) * 8;
            tables.set_port(port, found);
        }
    }
}

/// What must hold of every answer.
fn sound(tables: &Tables, out: &[Verdict]) -> Result<(), TestCaseError> {
    prop_assert!(!out.is_empty(), "a frame is never forgotten");
    prop_assert!(out.len() <= 1400, "an answer is bounded");
    for verdict in out {
        let Verdict::Transmit { port, frame } = verdict else { continue };
        let kind = tables.port(*port).map(|port| &port.kind);
        if matches!(kind, Some(PortKind::Attachment { .. })) {
            let kind = &frame.bytes()[12..14];
            prop_assert!(kind == [8, 0] || kind == [0x86, 0xdd], "a LAN sees no label");
        }
    }
    Ok(())
}

/// The service labels behind which vrf 0 has routes.
const LABELS_OF_VRF_0: [u32; 5] = [24_001, 24_004, 24_005, 24_007, 24_009];

/// Whether a packet on a LAN that came from outside its virtual network is what the community
/// allows: TCP with this port at the server's end, or an error about it.
fn is_granted(bytes: &[u8], server_is_source: bool) -> bool {
    let Ok(packet) = Packet::decode(bytes) else { return false };
    let (source, destination) = packet.ports(bytes).unwrap_or((0, 0));
    let port = if server_is_source { source } else { destination };
    (packet.protocol == 6 && port == 443) || is_icmp_error(&packet, bytes)
}

/// No packet that came from this port under this label crosses a boundary.
fn isolated(from: PortId, label: Option<u32>, out: &[Verdict]) -> Result<(), TestCaseError> {
    for verdict in out {
        let (port, payload) = match verdict {
            Verdict::Transmit { port, frame } => {
                let header_len = if *port == TUNNEL { 4 } else { 14 };
                (port, frame.bytes().get(header_len..).unwrap())
            }
            Verdict::Resolve { port, packet, .. } => (port, packet.bytes()),
            Verdict::Punt { .. } | Verdict::Drop { .. } => continue,
        };
        if *port == from {
            continue;
        }
        match *port {
            OTHER_LAN => prop_assert!(is_granted(payload, false), "{from} to {port}"),
            LAN | NARROW_LAN if from == OTHER_LAN => prop_assert!(is_granted(payload, true)),
            LAN | NARROW_LAN => {
                let by_label = matches!(label, Some(24_501)) && from == UPLINK;
                prop_assert!(by_label || matches!(from, LAN | NARROW_LAN), "{from} to {port}");
            }
            _ => {
                let (stack, _) = decode_stack(payload).unwrap();
                let service = stack.last().unwrap().label.value();
                let allowed = match (from, label) {
                    (LAN | NARROW_LAN, _) | (UPLINK, Some(24_501)) => {
                        LABELS_OF_VRF_0.contains(&service)
                    }
                    (UPLINK, Some(24_500)) | (UPLINK_B, Some(24_502)) => service == 24_600,
                    (_, _) => false,
                };
                prop_assert!(allowed, "{from} sent under {service}");
            }
        }
    }
    Ok(())
}

const NETS: &[&str] =
    &["10.1.0", "10.1.1", "10.1.2", "10.1.4", "10.2.0", "10.9.0", "10.255.0", "10.0.2"];
const HOSTS_V6: &[&str] =
    &["fd00:1::2", "fd00:1:0:2::9", "fd00:2::2", "fd00:ff::1", "fe80::1", "ff02::1"];

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (prop::sample::select(NETS), prop::sample::select(&[1_u8, 2, 2, 9][..]))
            .prop_map(|(net, n)| format!("{net}.{n}")),
        1 => prop::sample::select(HOSTS_V6).prop_map(String::from),
    ]
}

/// A packet of any protocol that rules know, between any of the addresses that matter.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let ports = prop::sample::select(&[80_u16, 443, 5000][..]);
    let quoted = (host(), host(), ports.clone(), ports.clone());
    let fields = (host(), host(), ports.clone(), ports, 0_u8..32, 0_u8..4, 1_u8..4);
    (fields, quoted).prop_map(|((from, to, a, b, flags, kind, ttl), quoted)| {
        let pair = (super::address(&from), super::address(&to));
        if pair.0.is_ipv4() != pair.1.is_ipv4() {
            return datagram("10.1.0.2", "10.2.0.2", ttl, 8);
        }
        let mut bytes = match kind {
            0 => return datagram(&from, &to, ttl, 8),
            1 if super::address(&quoted.0).is_ipv4() == super::address(&quoted.1).is_ipv4() => {
                let about = segment((&quoted.0, quoted.2), (&quoted.1, quoted.3), Flags::ACK);
                let cause = Cause::TimeExceeded { code: 0 };
                let report = Report { cause, quoted: about, extensions: vec![] };
                let body = Message::Error(report).encode(pair.0, pair.1);
                packet::ip::encode(pair, if pair.0.is_ipv6() { 58 } else { 1 }, (0, ttl), &body)
                    .unwrap()
            }
            _ => segment((&from, a), (&to, b), Flags(flags)),
        };
        if pair.0.is_ipv4() {
            bytes[8] = ttl;
            packet::ipv4::refresh_checksum(&mut bytes);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn mutated_frames_at_shuffled_tables_are_answered_soundly(
        which: usize,
        changes in prop::collection::vec((any::<u16>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<u16>()),
        edits in prop::collection::vec(any::<(u8, u8, bool)>(), 0..6),
        refresh: bool,
    ) {
        let frames = frames();
        let (port, mut bytes) = frames[which % frames.len()].clone();
        let start = bytes.len().min(14);
        for (at, value) in changes {
            let at = usize::from(at) % bytes.len().min(90);
            bytes[at] = value;
        }
        if refresh && bytes.len() > 34 {
            packet::ipv4::refresh_checksum(&mut bytes[start..]);
        }
        if let Some(cut) = cut {
            bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        }
        let mut bench = Bench::new();
        shuffle(&mut bench.tables, &edits);
        let out = bench.raw(port, &bytes);
        sound(&bench.tables, &out)?;
    }

    #[test]
    fn random_octets_are_answered_soundly(port in 0_u32..9, kind in 0_usize..8, bytes: Vec<u8>) {
        let port = PortId(port);
        let kinds = [0x0800, 0x86dd, 0x8847, 0x0806, 0x8100, 3];
        let framed = match kinds.get(kind) {
            Some(kind) => frame_of(port, *kind, &bytes),
            None => bytes,
        };
        let mut bench = Bench::new();
        let out = bench.raw(port, &framed);
        sound(&bench.tables, &out)?;
        let mut own = Vec::new();
        let packet = packet::PacketBuf::from_slice(&framed);
        bench.lane.originate_global(bench.now, &bench.tables, packet.clone(), &mut own);
        bench.lane.originate_vrf(bench.now, &bench.tables, VrfId(0), packet.clone(), &mut own);
        let to = (port, super::neighbour(port));
        bench.lane.originate_port(bench.now, &bench.tables, to, packet, &mut own);
        prop_assert!(own.len() >= 3);
    }

    #[test]
    fn no_packet_crosses_a_boundary_whatever_it_looks_like(
        packet in any_packet(),
        from in prop::sample::select(&[LAN, NARROW_LAN, OTHER_LAN, UPLINK, UPLINK_B][..]),
        label in prop::option::of(prop::sample::select(
            &[0_u32, 2, 16_001, 16_002, 24_100, 24_101, 24_200, 24_500, 24_501, 24_502][..],
        )),
        beneath in prop::option::of(prop::sample::select(&[16_001_u32, 24_101, 24_500][..])),
    ) {
        let mut bench = Bench::new();
        let out = match (label, beneath) {
            (None, _) => bench.receive(from, &packet),
            (Some(label), None) => bench.receive_labelled(from, &[(label, 9)], &packet),
            (Some(label), Some(beneath)) => {
                bench.receive_labelled(from, &[(label, 9), (beneath, 9)], &packet)
            }
        };
        sound(&bench.tables, &out)?;
        isolated(from, label, &out)?;
    }
}
