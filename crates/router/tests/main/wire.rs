//! Frames by hand, and reading those that leave.

use std::net::{IpAddr, Ipv6Addr};

use base::MacAddr;
use packet::tcp::{Flags, Header as Tcp};
use packet::{arp, ethernet, icmp, ip, ndp, tcp, udp};

use crate::plan::address;

/// A station that is no router.
pub(crate) const HOST: MacAddr = MacAddr([0x06, 0, 0, 0, 0, 1]);
pub(crate) const OTHER_HOST: MacAddr = MacAddr([0x06, 0, 0, 0, 0, 2]);

pub(crate) fn frame(to: MacAddr, from: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    let kind = ethernet::Kind::Type(kind);
    let mut frame = ethernet::Header { destination: to, source: from, kind }.encode().to_vec();
    frame.extend_from_slice(payload);
    frame
}

/// An IP packet as a frame.
pub(crate) fn ip_frame(to: MacAddr, from: MacAddr, packet: &[u8]) -> Vec<u8> {
    let kind = if packet.first().is_some_and(|first| first >> 4 == 4) {
        ethernet::TYPE_IPV4
    } else {
        ethernet::TYPE_IPV6
    };
    frame(to, from, kind, packet)
}

/// A datagram between two addresses.
pub(crate) fn datagram(from: &str, to: &str, ports: (u16, u16), ttl: u8, data: &[u8]) -> Vec<u8> {
    let ends = (address(from), address(to));
    let datagram = udp::encode((ends.0, ports.0), (ends.1, ports.1), data);
    ip::encode(ends, udp::PROTOCOL, (0, ttl), &datagram).expect("one family")
}

/// A TCP segment between two addresses.
pub(crate) fn segment(from: &str, to: &str, ports: (u16, u16), ttl: u8, flags: u8) -> Vec<u8> {
    let ends = (address(from), address(to));
    let mut header = Tcp {
        source_port: ports.0,
        destination_port: ports.1,
        sequence: 1000,
        acknowledgement: 0,
        flags: Flags(flags),
        window: 4096,
        checksum: 0,
        urgent: 0,
    };
    let mut sum = packet::checksum::Checksum::pseudo(ends.0, ends.1, tcp::PROTOCOL, 20);
    sum.add(&header.encode());
    header.checksum = sum.value();
    ip::encode(ends, tcp::PROTOCOL, (0, ttl), &header.encode()).expect("one family")
}

/// The IP packet of a frame, if it is one.
pub(crate) fn ip_of(frame: &[u8]) -> Option<(ip::Packet, &[u8])> {
    let (header, payload) = ethernet::Header::decode(frame).ok()?;
    match header.kind {
        ethernet::Kind::Type(ethernet::TYPE_IPV4 | ethernet::TYPE_IPV6) => {
            Some((ip::Packet::decode(payload).ok()?, payload))
        }
        ethernet::Kind::Type(_) | ethernet::Kind::Length(_) => None,
    }
}

/// The TCP segments among frames, with their times to live.
pub(crate) fn segments(frames: &[Vec<u8>]) -> Vec<(u8, Tcp)> {
    let ips = frames.iter().filter_map(|frame| ip_of(frame));
    ips.filter(|(ip, _)| ip.protocol == tcp::PROTOCOL)
        .filter_map(|(ip, bytes)| Some((ip.ttl, Tcp::decode(ip.payload(bytes)).ok()?.0)))
        .collect()
}

/// What the datagrams among frames carry.
pub(crate) fn data(frames: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let ips = frames.iter().filter_map(|frame| ip_of(frame));
    ips.filter(|(ip, _)| ip.protocol == udp::PROTOCOL)
        .filter_map(|(ip, bytes)| Some(udp::Header::decode(ip.payload(bytes)).ok()?.1.to_vec()))
        .collect()
}

fn arp_frame(
    operation: arp::Operation,
    to: MacAddr,
    (sender_mac, sender): (MacAddr, &str),
    (target_mac, target): (MacAddr, &str),
) -> Vec<u8> {
    let v4 = |text: &str| text.parse().expect("an IPv4 address");
    let packet =
        arp::Packet { operation, sender_mac, sender: v4(sender), target_mac, target: v4(target) };
    frame(to, sender_mac, ethernet::TYPE_ARP, &packet.encode())
}

/// A broadcast question.
pub(crate) fn arp_request(from: MacAddr, sender: &str, target: &str) -> Vec<u8> {
    let nobody = MacAddr([0; 6]);
    let request = arp::Operation::Request;
    arp_frame(request, MacAddr::BROADCAST, (from, sender), (nobody, target))
}

/// An answer to a router's port.
pub(crate) fn arp_reply(from: (MacAddr, &str), to: (MacAddr, &str)) -> Vec<u8> {
    arp_frame(arp::Operation::Reply, to.0, from, to)
}

/// The ARP packets among frames.
pub(crate) fn arps(frames: &[Vec<u8>]) -> Vec<arp::Packet> {
    let all = frames.iter().filter_map(|frame| ethernet::Header::decode(frame).ok());
    all.filter(|(header, _)| header.kind == ethernet::Kind::Type(ethernet::TYPE_ARP))
        .filter_map(|(_, payload)| arp::Packet::decode(payload).ok())
        .collect()
}

/// A message of neighbour discovery as a frame.
pub(crate) fn ndp_frame(
    to: MacAddr,
    from: MacAddr,
    ends: (&str, &str),
    message: &ndp::Message,
) -> Vec<u8> {
    let v6 = |text: &str| -> Ipv6Addr { text.parse().expect("an IPv6 address") };
    let (source, destination) = (v6(ends.0), v6(ends.1));
    let upper = message.encode(source, destination);
    let ends = (IpAddr::V6(source), IpAddr::V6(destination));
    let packet = ip::encode(ends, icmp::PROTOCOL_V6, (0, ndp::HOP_LIMIT), &upper);
    ip_frame(to, from, &packet.expect("one family"))
}

/// The messages of neighbour discovery among frames, with the stations that they are sent to.
pub(crate) fn ndps(frames: &[Vec<u8>]) -> Vec<(MacAddr, ndp::Message)> {
    frames
        .iter()
        .filter_map(|frame| {
            let (header, _) = ethernet::Header::decode(frame).ok()?;
            let (ip, bytes) = ip_of(frame)?;
            let (IpAddr::V6(source), IpAddr::V6(destination)) = (ip.source, ip.destination) else {
                return None;
            };
            let message = ndp::Message::decode(source, destination, ip.payload(bytes)).ok()?;
            Some((header.destination, message))
        })
        .collect()
}
