//! Access rules as a table: both roles, both directions, both IP versions.

use super::{address, datagram, fragmentable, prefix};
use crate::access::{Access, Direction, Grant, Refusal, Role, Rule, check};
use packet::icmp::{Cause, Echo, Message, Report, Unreachable};
use packet::ip::{self, Packet};
use packet::tcp::{self, Flags};
use packet::udp;

use Direction::{Inbound, Outbound};

/// Own 10.1/16 and fd00:1::/32. Rule 0: we use TCP 443 of 10.2.0.0/24 and fd00:2::/64. Rule 1:
/// we offer UDP 53 at 10.1.0.53 to 10.2/16. Rule 2: we ping 10.2.0.0/24 and fd00:2::/64. Rule 3:
/// ESP with 10.2.0.50.
fn access() -> Access {
    let all = |texts: &[&str]| texts.iter().copied().map(prefix).collect::<Vec<_>>();
    let own = all(&["10.1.0.0/16", "fd00:1::/32"]);
    let servers = all(&["10.2.0.0/24", "fd00:2::/64"]);
    let rule = |remote: &[base::Prefix], local: &[base::Prefix], protocol, ports, role| Rule {
        name: "records".into(),
        remote: remote.to_vec(),
        local: local.to_vec(),
        protocol,
        ports,
        role,
    };
    let rules = vec![
        rule(&servers, &own, tcp::PROTOCOL, 443..=443, Role::Consumer),
        rule(&all(&["10.2.0.0/16"]), &all(&["10.1.0.53/32"]), 17, 53..=53, Role::Provider),
        rule(&servers, &own, 1, 0..=0, Role::Consumer),
        rule(&all(&["10.2.0.50/32"]), &own, 50, 0..=0, Role::Consumer),
    ];
    Access { own, infrastructure: all(&["10.255.0.0/16"]), rules }
}

fn judge(direction: Direction, bytes: &[u8]) -> Result<Grant, Refusal> {
    check(&access(), direction, &Packet::decode(bytes).unwrap(), bytes)
}

fn tcp(from: (&str, u16), to: (&str, u16), flags: Flags) -> Vec<u8> {
    super::segment(from, to, flags)
}

fn udp(from: (&str, u16), to: (&str, u16)) -> Vec<u8> {
    let (source, destination) = (address(from.0), address(to.0));
    let upper = udp::encode((source, from.1), (destination, to.1), b"x");
    ip::encode((source, destination), 17, (0, 64), &upper).unwrap()
}

fn icmp(from: &str, to: &str, message: &Message) -> Vec<u8> {
    let (from, to) = (address(from), address(to));
    let protocol = if from.is_ipv6() { 58 } else { 1 };
    ip::encode((from, to), protocol, (0, 64), &message.encode(from, to)).unwrap()
}

fn echo(reply: bool) -> Message {
    let echo = Echo { identifier: 1, sequence: 1, data: vec![] };
    if reply { Message::EchoReply(echo) } else { Message::EchoRequest(echo) }
}

fn error(quoted: &[u8]) -> Message {
    let cause = Cause::Unreachable(Unreachable::Port);
    Message::Error(Report { cause, quoted: quoted.to_vec(), extensions: vec![] })
}

const SYN_ACK: Flags = Flags(Flags::SYN.0 | Flags::ACK.0);

#[test]
fn own_addresses_talk_freely_in_both_versions() {
    for direction in [Inbound, Outbound] {
        assert_eq!(judge(direction, &udp(("10.1.0.1", 1), ("10.1.9.9", 2))), Ok(Grant::Own));
        assert_eq!(judge(direction, &udp(("fd00:1::1", 1), ("fd00:1:9::9", 2))), Ok(Grant::Own));
        let mut later = datagram("10.1.0.1", "10.1.0.2", 9, 8);
        later[6..8].copy_from_slice(&[0, 9]);
        packet::ipv4::refresh_checksum(&mut later);
        assert_eq!(judge(direction, &later), Ok(Grant::Own));
    }
}

#[test]
fn consumer_opens_and_is_answered() {
    for (us, them) in [("10.1.0.7", "10.2.0.9"), ("fd00:1::7", "fd00:2::9")] {
        let no = Err(Refusal::NotPermitted(0));
        let yes = Ok(Grant::Rule(0));
        let table = [
            (Outbound, tcp((us, 5000), (them, 443), Flags::SYN), yes),
            (Outbound, tcp((us, 5000), (them, 443), Flags::ACK), yes),
            (Outbound, tcp((us, 5000), (them, 444), Flags::SYN), no),
            (Outbound, tcp((us, 443), (them, 5000), SYN_ACK), no),
            (Outbound, udp((us, 5000), (them, 443)), no),
            (Inbound, tcp((them, 443), (us, 5000), SYN_ACK), yes),
            (Inbound, tcp((them, 443), (us, 5000), Flags::RST), yes),
            (Inbound, tcp((them, 443), (us, 5000), Flags::SYN), no),
            (Inbound, tcp((them, 443), (us, 5000), Flags::FIN), no),
            (Inbound, tcp((them, 80), (us, 5000), SYN_ACK), no),
            (Inbound, tcp((them, 5000), (us, 443), Flags::SYN), no),
        ];
        for (index, (direction, bytes, expected)) in table.iter().enumerate() {
            assert_eq!(judge(*direction, bytes), *expected, "{us} row {index}");
        }
    }
}

#[test]
fn provider_is_asked_and_answers() {
    let (server, them) = ("10.1.0.53", "10.2.8.8");
    let table = [
        (Inbound, udp((them, 9), (server, 53)), Ok(Grant::Rule(1))),
        (Outbound, udp((server, 53), (them, 9)), Ok(Grant::Rule(1))),
        (Inbound, udp((them, 53), (server, 9)), Err(Refusal::NotPermitted(1))),
        (Outbound, udp((server, 9), (them, 53)), Err(Refusal::NotPermitted(1))),
        (Inbound, udp((them, 9), ("10.1.0.54", 53)), Err(Refusal::NoRule)),
        (Inbound, udp(("10.3.0.1", 9), (server, 53)), Err(Refusal::NoRule)),
        (Outbound, udp((them, 9), (server, 53)), Err(Refusal::NoRule)),
    ];
    for (index, (direction, bytes, expected)) in table.iter().enumerate() {
        assert_eq!(judge(*direction, bytes), *expected, "row {index}");
    }
}

#[test]
fn echo_passes_only_by_a_rule_for_icmp_and_only_from_its_user() {
    for (us, them) in [("10.1.0.7", "10.2.0.9"), ("fd00:1::7", "fd00:2::9")] {
        assert_eq!(judge(Outbound, &icmp(us, them, &echo(false))), Ok(Grant::Rule(2)));
        assert_eq!(judge(Inbound, &icmp(them, us, &echo(true))), Ok(Grant::Rule(2)));
        let refused = Err(Refusal::NotPermitted(0));
        assert_eq!(judge(Inbound, &icmp(them, us, &echo(false))), refused);
        assert_eq!(judge(Outbound, &icmp(us, them, &echo(true))), refused);
    }
    let other = icmp("10.2.8.8", "10.1.0.53", &echo(false));
    assert_eq!(judge(Inbound, &other), Err(Refusal::NotPermitted(1)));
}

#[test]
fn icmp_of_the_other_version_is_not_icmp() {
    let pair = (address("10.1.0.7"), address("10.2.0.9"));
    let packet = ip::encode(pair, 58, (0, 64), &[128, 0, 0, 0, 0, 0, 0, 0]).unwrap();
    assert_eq!(judge(Outbound, &packet), Err(Refusal::NotPermitted(0)));
}

#[test]
fn errors_pass_where_the_packet_they_quote_went_the_other_way() {
    for (us, them) in [("10.1.0.7", "10.2.0.9"), ("fd00:1::7", "fd00:2::9")] {
        let went = tcp((us, 5000), (them, 443), Flags::SYN);
        let related = Ok(Grant::Related(Some(0)));
        assert_eq!(judge(Inbound, &icmp(them, us, &error(&went))), related);
        let header = if us.contains(':') { 40 } else { 20 };
        let short = error(&went[..header + 8]);
        assert_eq!(judge(Inbound, &icmp(them, us, &short)), related, "64 bits suffice");
        let came = tcp((them, 443), (us, 5000), SYN_ACK);
        assert_eq!(judge(Outbound, &icmp(us, them, &error(&came))), related);
        let never = tcp((us, 5000), (them, 80), Flags::SYN);
        let refused = Err(Refusal::NotPermitted(0));
        assert_eq!(judge(Inbound, &icmp(them, us, &error(&never))), refused);
        let shorter = error(&went[..header + 3]);
        assert_eq!(judge(Inbound, &icmp(them, us, &shorter)), Err(Refusal::Unreadable));
    }
}

#[test]
fn errors_must_go_to_the_sender_of_what_they_quote() {
    let went = tcp(("10.1.0.7", 5000), ("10.2.0.9", 443), Flags::SYN);
    let elsewhere = icmp("10.2.0.9", "10.1.0.8", &error(&went));
    assert_eq!(judge(Inbound, &elsewhere), Err(Refusal::NotPermitted(0)));
}

#[test]
fn errors_about_own_traffic_come_from_inside_or_from_the_regions_routers() {
    let went = udp(("10.1.0.7", 1), ("10.1.9.9", 2));
    let from = |source| icmp(source, "10.1.0.7", &error(&went));
    assert_eq!(judge(Inbound, &from("10.1.9.1")), Ok(Grant::Own));
    assert_eq!(judge(Inbound, &from("10.255.0.3")), Ok(Grant::Related(None)));
    assert_eq!(judge(Outbound, &from("10.255.0.3")), Err(Refusal::NoRule));
    assert_eq!(judge(Inbound, &from("10.2.0.9")), Err(Refusal::NoRule));
}

#[test]
fn protocols_without_ports_pass_both_ways_by_name() {
    for (direction, from, to) in
        [(Outbound, "10.1.0.7", "10.2.0.50"), (Inbound, "10.2.0.50", "10.1.0.7")]
    {
        let pair = (address(from), address(to));
        let esp = ip::encode(pair, 50, (0, 64), &[0; 8]).unwrap();
        assert_eq!(judge(direction, &esp), Ok(Grant::Rule(3)));
        let gre = ip::encode(pair, 47, (0, 64), &[0; 8]).unwrap();
        assert_eq!(judge(direction, &gre), Err(Refusal::NotPermitted(0)));
    }
}

#[test]
fn fragments_cross_only_where_they_carry_the_ports() {
    let mut packet = fragmentable(tcp(("10.1.0.7", 5000), ("10.2.0.9", 443), Flags::SYN));
    packet[6] = 0x20;
    packet::ipv4::refresh_checksum(&mut packet);
    assert_eq!(judge(Outbound, &packet), Ok(Grant::Rule(0)));
    packet[6..8].copy_from_slice(&[0x20, 1]);
    packet::ipv4::refresh_checksum(&mut packet);
    assert_eq!(judge(Outbound, &packet), Err(Refusal::Fragment));
    let pair = (address("fd00:1::7"), address("fd00:2::9"));
    let later = ip::encode(pair, 44, (0, 64), &[6, 0, 0, 9, 0, 0, 0, 1, 0, 0]).unwrap();
    assert_eq!(judge(Outbound, &later), Err(Refusal::Fragment));
}

#[test]
fn headers_cut_before_the_flags_and_source_routes_are_refused() {
    let pair = (address("10.1.0.7"), address("10.2.0.9"));
    let tiny = ip::encode(pair, 6, (0, 64), &[0x13, 0x88, 1, 0xbb, 0, 0, 0, 0]).unwrap();
    assert_eq!(judge(Outbound, &tiny), Err(Refusal::Unreadable));
    let pair = (address("fd00:1::7"), address("fd00:2::9"));
    let routed = ip::encode(pair, 43, (0, 64), &[6, 0, 0, 1, 0, 0, 0, 0]).unwrap();
    assert_eq!(judge(Outbound, &routed), Err(Refusal::SourceRoute));
}
