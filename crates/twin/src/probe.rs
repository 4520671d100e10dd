//! Probes: real packets that carry a number, so that their arrival anywhere is noticed.
//!
//! A probe is a UDP datagram, the first segment of a TCP connection, or an ICMP echo request from
//! a host on one LAN to an address. Its payload names it; whatever LAN it comes out at, the twin
//! knows who sent it, also where two organisations use the same addresses.

use core::net::IpAddr;

use packet::{icmp, ip, tcp, udp};

/// What every probe's payload begins with.
const MARK: [u8; 8] = *b"weald/1\0";
/// The time to live of a host's packets.
pub(crate) const TTL: u8 = 64;

/// Addresses, protocol and ports of a packet; ports are zero where the protocol has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// From whom.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
}

impl Flow {
    /// The flow of the answer.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            protocol: self.protocol,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

/// What a packet says about the sender's intention, for TCP and ICMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Asks: a datagram, a SYN, an echo request.
    Ask,
    /// Agrees: a SYN with ACK, an echo reply, an answered datagram.
    Accept,
    /// Refuses: a reset, an ICMP error.
    Refuse,
}

/// The payload of a probe.
pub(crate) fn payload(probe: u64) -> [u8; 16] {
    let mut payload = [0; 16];
    payload[..8].copy_from_slice(&MARK);
    payload[8..].copy_from_slice(&probe.to_be_bytes());
    payload
}

/// The probe whose payload is at the end of an IP packet; link padding behind it is passed over.
pub(crate) fn number(packet: &[u8]) -> Option<u64> {
    let header = ip::Packet::decode(packet).ok()?;
    let (mark, number) = header.payload(packet).last_chunk::<16>()?.split_first_chunk::<8>()?;
    let number = number.first_chunk::<8>()?;
    (*mark == MARK).then(|| u64::from_be_bytes(*number))
}

/// A TCP segment with its checksum.
pub(crate) fn segment(
    (source, destination): (IpAddr, IpAddr),
    header: &tcp::Header,
    data: &[u8],
) -> Vec<u8> {
    let mut segment = header.encode().to_vec();
    segment.extend_from_slice(data);
    let mut sum =
        packet::checksum::Checksum::pseudo(source, destination, tcp::PROTOCOL, segment.len());
    sum.add(&segment);
    let checksum = sum.value().to_be_bytes();
    if let Some(field) = segment.get_mut(16..18) {
        field.copy_from_slice(&checksum);
    }
    segment
}

/// The IP packet of one turn of a probe; nothing where the addresses are of two families.
pub(crate) fn packet(flow: &Flow, turn: Turn, probe: u64) -> Option<Vec<u8>> {
    let data = payload(probe);
    let upper = match flow.protocol {
        tcp::PROTOCOL => {
            let flags = match turn {
                Turn::Ask => tcp::Flags::SYN,
                Turn::Accept => tcp::Flags(tcp::Flags::SYN.0 | tcp::Flags::ACK.0),
                Turn::Refuse => tcp::Flags(tcp::Flags::RST.0 | tcp::Flags::ACK.0),
            };
            let header = tcp::Header {
                source_port: flow.source_port,
                destination_port: flow.destination_port,
                sequence: 1,
                acknowledgement: u32::from(turn != Turn::Ask) * 2,
                flags,
                window: 1024,
                checksum: 0,
                urgent: 0,
            };
            segment((flow.source, flow.destination), &header, &data)
        }
        udp::PROTOCOL => udp::encode(
            (flow.source, flow.source_port),
            (flow.destination, flow.destination_port),
            &data,
        ),
        _ => {
            let echo = icmp::Echo { identifier: 0, sequence: 0, data: data.to_vec() };
            let message = match turn {
                Turn::Ask => icmp::Message::EchoRequest(echo),
                Turn::Accept | Turn::Refuse => icmp::Message::EchoReply(echo),
            };
            message.encode(flow.source, flow.destination)
        }
    };
    ip::encode((flow.source, flow.destination), flow.protocol, (0, TTL), &upper)
}

/// The protocol number of ICMP in the family of an address.
pub(crate) const fn icmp_protocol(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 58,
    }
}

/// The flow and turn of an IP packet, as far as a host can tell.
pub(crate) fn read(bytes: &[u8]) -> Option<(Flow, Turn)> {
    let header = ip::Packet::decode(bytes).ok()?;
    let upper = header.payload(bytes);
    let (source_port, destination_port) = header.ports(bytes).unwrap_or((0, 0));
    let flow = Flow {
        source: header.source,
        destination: header.destination,
        protocol: header.protocol,
        source_port,
        destination_port,
    };
    let turn = match header.protocol {
        tcp::PROTOCOL => {
            let flags = tcp::Header::decode(upper).ok()?.0.flags;
            match (flags.intersects(tcp::Flags::RST), flags.intersects(tcp::Flags::ACK)) {
                (true, _) => Turn::Refuse,
                (false, true) => Turn::Accept,
                (false, false) => Turn::Ask,
            }
        }
        1 | 58 => match (header.protocol, upper.first()?) {
            (1, 8) | (58, 128) => Turn::Ask,
            (1, 0) | (58, 129) => Turn::Accept,
            _ => Turn::Refuse,
        },
        // A datagram has no turn: whoever listens on the port is asked.
        _ => Turn::Ask,
    };
    Some((flow, turn))
}
