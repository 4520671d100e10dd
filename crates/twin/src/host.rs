//! What a simulated host says to real programs.
//!
//! It keeps no connections: to an echo request it gives the echo, a connection to what an
//! application listens on is accepted and then reset with the first segment that follows, any
//! other one is refused, and a datagram to a port without a listener is answered by an ICMP error.
//! That is enough for `ping`, `traceroute` and whoever looks whether a port is open.

use packet::ip::Fragment;
use packet::{icmp, ip, tcp, udp};

use crate::probe;

/// As much of a packet as an error quotes (RFC 1812 §4.3.2.3: the error has at most 576 octets).
const QUOTED_LEN_MAX: usize = 512;

/// The IP packet that answers one for this host; `listens` says whether an application does so on
/// the packet's protocol and port.
pub(crate) fn answer(packet: &[u8], listens: bool) -> Option<Vec<u8>> {
    let header = ip::Packet::decode(packet).ok()?;
    if header.fragment != Fragment::Whole {
        return None;
    }
    let upper = header.payload(packet);
    let (host, asker) = (header.destination, header.source);
    let (protocol, answer) = match header.protocol {
        tcp::PROTOCOL => (tcp::PROTOCOL, segment(&header, upper, listens)?),
        udp::PROTOCOL => {
            if listens {
                return None;
            }
            let quoted = packet.get(..header.len.min(QUOTED_LEN_MAX))?.to_vec();
            let cause = icmp::Cause::Unreachable(icmp::Unreachable::Port);
            let report = icmp::Report { cause, quoted, extensions: Vec::new() };
            let error = icmp::Message::Error(report).encode(host, asker);
            (probe::icmp_protocol(host), error)
        }
        icmp if icmp == probe::icmp_protocol(host) => {
            let icmp::Message::EchoRequest(echo) =
                icmp::Message::decode(asker, host, upper).ok()?
            else {
                return None;
            };
            (icmp, icmp::Message::EchoReply(echo).encode(host, asker))
        }
        _ => return None,
    };
    ip::encode((host, asker), protocol, (header.traffic_class & 0xfc, probe::TTL), &answer)
}

/// The segment that answers one: of a host that accepts connections and forgets them.
fn segment(header: &ip::Packet, upper: &[u8], listens: bool) -> Option<Vec<u8>> {
    let (heard, data) = tcp::Header::decode(upper).ok()?;
    let has = |flag| heard.flags.intersects(flag);
    let control = u32::from(has(tcp::Flags::SYN)) + u32::from(has(tcp::Flags::FIN));
    let len = u32::try_from(data.len()).ok()? + control;
    let next = heard.sequence.wrapping_add(len);
    let with_ack = |flag: tcp::Flags| tcp::Flags(flag.0 | tcp::Flags::ACK.0);
    let (flags, sequence, acknowledgement) = match (has(tcp::Flags::ACK), listens) {
        _ if has(tcp::Flags::RST) => return None,
        (false, true) if has(tcp::Flags::SYN) => {
            (with_ack(tcp::Flags::SYN), 0, heard.sequence.wrapping_add(1))
        }
        // RFC 9293 §3.10.7.1: what belongs to no connection is reset.
        (false, _) => (with_ack(tcp::Flags::RST), 0, next),
        // The last step of the handshake is left alone, or nobody would see it succeed.
        (true, true) if len == 0 => return None,
        (true, _) => (tcp::Flags::RST, heard.acknowledgement, 0),
    };
    let answer = tcp::Header {
        source_port: heard.destination_port,
        destination_port: heard.source_port,
        sequence,
        acknowledgement,
        flags,
        window: 1024,
        checksum: 0,
        urgent: 0,
    };
    Some(probe::segment((header.destination, header.source), &answer, &[]))
}

#[cfg(test)]
mod tests {
    use super::answer;
    use packet::{icmp, ip, tcp, udp};
    use std::net::IpAddr;

    fn ends(v6: bool) -> (IpAddr, IpAddr) {
        let [asker, host] = if v6 { ["fd00::7", "fd01::8"] } else { ["10.1.0.7", "10.2.0.8"] };
        (asker.parse().unwrap(), host.parse().unwrap())
    }

    fn packet(v6: bool, protocol: u8, upper: &[u8]) -> Vec<u8> {
        ip::encode(ends(v6), protocol, (0, 60), upper).unwrap()
    }

    #[test]
    fn an_echo_request_is_answered_with_the_very_same_echo() {
        for (v6, protocol) in [(false, 1), (true, 58)] {
            let (asker, host) = ends(v6);
            let echo = icmp::Echo { identifier: 77, sequence: 3, data: b"as sent".to_vec() };
            let request = icmp::Message::EchoRequest(echo.clone()).encode(asker, host);
            let reply = answer(&packet(v6, protocol, &request), false).unwrap();
            let header = ip::Packet::decode(&reply).unwrap();
            assert_eq!((header.source, header.destination), (host, asker));
            let message = icmp::Message::decode(host, asker, header.payload(&reply));
            assert_eq!(message, Ok(icmp::Message::EchoReply(echo)));
            assert_eq!(answer(&reply, true), None, "an echo is the last word");
        }
    }

    fn heard(flags: u8, data: &[u8], listens: bool) -> Option<(u8, u32, u32)> {
        let header = tcp::Header {
            source_port: 50_000,
            destination_port: 443,
            sequence: 1000,
            acknowledgement: 2000,
            flags: tcp::Flags(flags),
            window: 1,
            checksum: 0,
            urgent: 0,
        };
        let segment = crate::probe::segment(ends(false), &header, data);
        let reply = answer(&packet(false, tcp::PROTOCOL, &segment), listens)?;
        let outer = ip::Packet::decode(&reply).unwrap();
        let (header, _) = tcp::Header::decode(outer.payload(&reply)).unwrap();
        assert_eq!((header.source_port, header.destination_port), (443, 50_000));
        Some((header.flags.0, header.sequence, header.acknowledgement))
    }

    #[test]
    fn segments_are_answered_as_by_a_host_that_forgets_its_connections() {
        let (fin, syn, rst, ack) = (1, 2, 4, 16);
        // What is heard, with how much data, and what is said where nobody and where somebody
        // listens.
        let cases = [
            (syn, 0, Some((rst | ack, 0, 1001)), Some((syn | ack, 0, 1001))),
            (ack, 0, Some((rst, 2000, 0)), None),
            (ack, 5, Some((rst, 2000, 0)), Some((rst, 2000, 0))),
            (fin | ack, 0, Some((rst, 2000, 0)), Some((rst, 2000, 0))),
            (syn | ack, 0, Some((rst, 2000, 0)), Some((rst, 2000, 0))),
            (fin, 5, Some((rst | ack, 0, 1006)), Some((rst | ack, 0, 1006))),
            (rst, 0, None, None),
            (rst | ack, 0, None, None),
        ];
        for (flags, len, refused, accepted) in cases {
            let data = vec![7; len];
            assert_eq!(heard(flags, &data, false), refused, "{flags:#x}, nobody listens");
            assert_eq!(heard(flags, &data, true), accepted, "{flags:#x}, somebody listens");
        }
    }

    #[test]
    fn a_datagram_to_a_port_without_a_listener_is_answered_by_an_error_that_quotes_it() {
        let (asker, host) = ends(false);
        let datagram = udp::encode((asker, 40_000), (host, 33_434), &[1; 1000]);
        let packet = packet(false, udp::PROTOCOL, &datagram);
        assert_eq!(answer(&packet, true), None);
        let error = answer(&packet, false).unwrap();
        assert!(error.len() <= 576);
        let header = ip::Packet::decode(&error).unwrap();
        let message = icmp::Message::decode(host, asker, header.payload(&error)).unwrap();
        let icmp::Message::Error(report) = message else { panic!("{message:?}") };
        assert_eq!(report.cause, icmp::Cause::Unreachable(icmp::Unreachable::Port));
        assert!(packet.starts_with(&report.quoted) && report.quoted.len() >= 28);
        assert_eq!(answer(&error, false), None, "no error about an error");
    }

    #[test]
    fn every_truncation_and_other_protocols_are_left_unanswered() {
        let (asker, host) = ends(false);
        let echo = icmp::Echo { identifier: 1, sequence: 1, data: vec![0; 8] };
        let request = icmp::Message::EchoRequest(echo).encode(asker, host);
        let whole = packet(false, 1, &request);
        for len in 0..whole.len() {
            assert_eq!(answer(&whole[..len], true), None, "{len} octets");
        }
        assert_eq!(answer(&packet(false, 89, &request), false), None);
    }
}
