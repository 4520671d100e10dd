//! Frames made by hand: what other stations say to our router, octet by octet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::MacAddr;
use host::device::Device as _;
use host::ethernet::Ethernet;

use crate::net::Net;

pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
/// The protocol type of ISO in GRE (RFC 1701).
pub(crate) const ISO: u16 = 0x00fe;
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const GRE: u8 = 47;
pub(crate) const ICMP_V6: u8 = 58;
/// The port of single-hop BFD (RFC 5881 §4).
pub(crate) const BFD: u16 = 3784;

/// The longest frame that a wire is asked for.
const MTU: u16 = 1_500;

/// A station on an interface: hears everything there, and sends what it likes.
#[derive(Debug)]
pub(crate) struct Wire(Ethernet);

impl Wire {
    pub(crate) fn open(net: &Net, space: &str, interface: &str) -> Self {
        let opened = net.space(space).run(|| Ethernet::beside(interface, MTU));
        Self(opened.unwrap_or_else(|error| panic!("{interface} in {space}: {error}")))
    }

    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.0.send(frame);
    }

    /// Gives what was queued to the kernel.
    pub(crate) fn flush(&mut self) {
        self.0.flush();
    }

    /// What has come since the last call, as far as there was room for it.
    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let all: io::Result<usize> = self.0.receive(usize::MAX, &mut |frame| {
            frames.push(frame.to_vec());
        });
        all.expect("the interface is there");
        frames
    }
}

/// The Internet checksum over parts, each of an even length but the last.
pub(crate) fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words
        .map(|word| match word {
            [a, b] => u32::from(u16::from_be_bytes([*a, *b])),
            [a] => u32::from(*a) << 8,
            _ => 0,
        })
        .sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    [high, low]
}

/// A length as the headers have it.
fn length(octets: usize) -> [u8; 2] {
    u16::try_from(octets).expect("a packet's length").to_be_bytes()
}

pub(crate) fn ethernet(to: MacAddr, from: MacAddr, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from.0, &kind.to_be_bytes(), payload].concat()
}

/// An ISO protocol data unit in an 802.3 frame.
pub(crate) fn iso(to: MacAddr, from: MacAddr, pdu: &[u8]) -> Vec<u8> {
    const LLC: [u8; 3] = [0xfe, 0xfe, 3];
    [&to.0[..], &from.0, &length(LLC.len() + pdu.len()), &LLC, pdu].concat()
}

/// An IPv4 packet.
pub(crate) fn ipv4(
    (from, to): (Ipv4Addr, Ipv4Addr),
    (protocol, ttl): (u8, u8),
    payload: &[u8],
) -> Vec<u8> {
    let [high, low] = length(20 + payload.len());
    let first = [0x45, 0, high, low, 0, 0, 0, 0, ttl, protocol];
    let sum = checksum(&[&first, &from.octets(), &to.octets()]);
    [&first[..], &sum, &from.octets(), &to.octets(), payload].concat()
}

/// An IPv6 packet with a hop limit of 255.
pub(crate) fn ipv6((from, to): (Ipv6Addr, Ipv6Addr), protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = length(payload.len());
    let first = [0x60, 0, 0, 0, high, low, protocol, 255];
    [&first[..], &from.octets(), &to.octets(), payload].concat()
}

/// The checksum over a payload with a pseudo-header.
fn sum_above((from, to): (IpAddr, IpAddr), protocol: u8, payload: &[u8]) -> [u8; 2] {
    let octets = |address| match address {
        IpAddr::V4(address) => Ipv4Addr::octets(&address).to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let end = [&[0, protocol][..], &length(payload.len())].concat();
    checksum(&[&octets(from), &octets(to), &end, payload])
}

/// Puts a checksum into a payload that has zeroes at its place.
fn summed(ends: (IpAddr, IpAddr), protocol: u8, mut payload: Vec<u8>, at: usize) -> Vec<u8> {
    let sum = sum_above(ends, protocol, &payload);
    if let Some(place) = payload.get_mut(at..at + 2) {
        place.copy_from_slice(&sum);
    }
    payload
}

/// A UDP datagram in an IPv4 packet.
pub(crate) fn udp(
    (from, source): (Ipv4Addr, u16),
    (to, destination): (Ipv4Addr, u16),
    ttl: u8,
    payload: &[u8],
) -> Vec<u8> {
    let (source, destination) = (source.to_be_bytes(), destination.to_be_bytes());
    let head = [&source[..], &destination, &length(8 + payload.len()), &[0, 0]].concat();
    let datagram = summed((from.into(), to.into()), UDP, [&head, payload].concat(), 6);
    ipv4((from, to), (UDP, ttl), &datagram)
}

/// A TCP segment without data in an IPv4 packet: `flags` 2 asks for a connection.
pub(crate) fn tcp(
    (from, source): (Ipv4Addr, u16),
    (to, destination): (Ipv4Addr, u16),
    (flags, sequence): (u8, u32),
) -> Vec<u8> {
    let (source, destination) = (source.to_be_bytes(), destination.to_be_bytes());
    let ports = [source, destination].concat();
    let rest = [0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    let segment = [&ports[..], &sequence.to_be_bytes(), &rest].concat();
    let segment = summed((from.into(), to.into()), TCP, segment, 16);
    ipv4((from, to), (TCP, 255), &segment)
}

/// An ICMP echo request in an IPv4 packet.
pub(crate) fn echo(ends: (Ipv4Addr, Ipv4Addr), ttl: u8, sequence: u16, data: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut message = [&[8, 0, 0, 0, 0x57, 0x57, high, low], data].concat();
    let sum = checksum(&[&message]);
    if let Some(place) = message.get_mut(2..4) {
        place.copy_from_slice(&sum);
    }
    ipv4(ends, (ICMP, ttl), &message)
}

/// An ARP request of a station.
pub(crate) fn arp((mac, from): (MacAddr, Ipv4Addr), to: Ipv4Addr) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    [&head[..], &mac.0, &from.octets(), &[0; 6], &to.octets()].concat()
}

/// A neighbour solicitation of a station.
pub(crate) fn solicitation((mac, from): (MacAddr, Ipv6Addr), target: Ipv6Addr) -> Vec<u8> {
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), &[1, 1], &mac.0].concat();
    let message = summed((from.into(), target.into()), ICMP_V6, message, 2);
    ipv6((from, target), ICMP_V6, &message)
}

/// A router's advertisement to everybody on the link that it is a default router for half an hour.
pub(crate) fn advertisement((mac, from): (MacAddr, Ipv6Addr)) -> Vec<u8> {
    let everybody = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let head = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    let message = [&head[..], &mac.0].concat();
    let message = summed((from.into(), everybody.into()), ICMP_V6, message, 2);
    ipv6((from, everybody), ICMP_V6, &message)
}

/// What a DHCP client asks of everybody.
pub(crate) fn discover(mac: MacAddr, transaction: u32) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0];
    message.extend(transaction.to_be_bytes());
    message.extend([0; 20]);
    message.extend(mac.0);
    message.resize(236, 0);
    // The cookie, and the option that says what the message is.
    message.extend([99, 130, 83, 99, 53, 1, 1, 255]);
    message.resize(300, 0);
    let (nobody, everybody) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    udp((nobody, 68), (everybody, 67), 64, &message)
}

/// A packet in GRE (RFC 2784).
pub(crate) fn gre(protocol: u16, payload: &[u8]) -> Vec<u8> {
    [&[0, 0][..], &protocol.to_be_bytes(), payload].concat()
}
