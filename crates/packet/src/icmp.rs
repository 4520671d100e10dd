//! ICMP for both IP versions: echo, and the errors that a router sends.
//!
//! One message type serves both; the addresses say which version is written, and ICMPv6 covers
//! them with its checksum. An error quotes the packet it is about and may carry extension
//! objects behind the quotation, of which the label stack is the one that is understood: it
//! shows with which labels the packet had arrived.
//!
//! Standards: RFC 792, RFC 1191 §4 (MTU in fragmentation needed), RFC 4443, RFC 4884 (extension
//! structure and length field), RFC 4950 (label stack object).
//! Not implemented: redirect, parameter problem and information messages; extensions of senders
//! that predate RFC 4884 and leave the length field zero.

use core::net::IpAddr;

use crate::DecodeError;
use crate::checksum::{self, Checksum};
use crate::error::{number16, number32, octet, octets, rest};
use crate::mpls::{LabelEntry, decode_stack};

/// The protocol number of ICMP in IPv4.
pub const PROTOCOL_V4: u8 = 1;
/// The protocol number of ICMP in IPv6.
pub const PROTOCOL_V6: u8 = 58;
/// The length of the fixed part of every message read here.
pub const HEADER_LEN: usize = 8;

/// RFC 4884 §3: in front of extensions at least this much is quoted, padded with zeros.
const QUOTED_LEN_MIN: usize = 128;
const EXTENSION_VERSION: u8 = 2;
const CLASS_LABEL_STACK: u8 = 1;
const KIND_INCOMING_STACK: u8 = 1;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Asks for an echo.
    EchoRequest(Echo),
    /// The echo.
    EchoReply(Echo),
    /// Reports a fault about a packet.
    Error(Report),
}

/// What an echo repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// Tells one asker from another.
    pub identifier: u16,
    /// Tells one request from another.
    pub sequence: u16,
    /// What is repeated.
    pub data: Vec<u8>,
}

/// An error about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What happened to it.
    pub cause: Cause,
    /// As much of it as is quoted, from its IP header on.
    pub quoted: Vec<u8>,
    /// The extension objects; never in packet too big over IPv6 (RFC 4884 §4.6).
    pub extensions: Vec<Extension>,
}

/// What happened to the packet that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be delivered.
    Unreachable(Unreachable),
    /// It is too long for the next link (in IPv4: and must not be fragmented).
    PacketTooBig {
        /// What the next link carries.
        mtu: u32,
    },
    /// Its time to live ran out on the way (0) or in reassembly (1).
    TimeExceeded {
        /// Which of the two.
        code: u8,
    },
}

/// Why a packet cannot be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// There is no route.
    NoRoute,
    /// The destination does not answer on its link.
    Host,
    /// Nobody listens on the port.
    Port,
    /// A rule forbids it.
    Prohibited,
    /// Another code of the version at hand.
    Other(u8),
}

impl Unreachable {
    const fn code(self, v6: bool) -> u8 {
        match (self, v6) {
            (Self::NoRoute, _) => 0,
            (Self::Host, false) | (Self::Prohibited, true) => 1,
            (Self::Host, true) | (Self::Port, false) => 3,
            (Self::Port, true) => 4,
            (Self::Prohibited, false) => 13,
            (Self::Other(code), _) => code,
        }
    }

    const fn from_code(code: u8, v6: bool) -> Self {
        match (code, v6) {
            (0, _) => Self::NoRoute,
            (1, false) | (3, true) => Self::Host,
            (3, false) | (4, true) => Self::Port,
            (13, false) | (1, true) => Self::Prohibited,
            (code, _) => Self::Other(code),
        }
    }
}

/// An extension object (RFC 4884 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extension {
    /// The label stack with which the packet had arrived, outermost first (RFC 4950 §2).
    LabelStack(Vec<LabelEntry>),
    /// One that is not understood.
    Other {
        /// Its class number.
        class: u8,
        /// Its type within the class.
        kind: u8,
        /// Its payload.
        data: Vec<u8>,
    },
}

/// Whether messages of this type are errors, about which no error is ever sent.
#[must_use]
pub const fn is_error(v6: bool, kind: u8) -> bool {
    if v6 { kind < 128 } else { matches!(kind, 3 | 4 | 5 | 11 | 12) }
}

const ECHO_V4: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);

const fn echo_kinds(v6: bool) -> (u8, u8) {
    if v6 { ECHO_V6 } else { ECHO_V4 }
}

impl Message {
    /// Reads a message; the addresses of its packet say which version it is and are under the
    /// checksum of ICMPv6.
    pub fn decode(source: IpAddr, destination: IpAddr, bytes: &[u8]) -> Result<Self, DecodeError> {
        let body = rest(bytes, HEADER_LEN)?;
        let v6 = source.is_ipv6();
        let mut checksum = covering(source, destination, bytes.len());
        checksum.add(bytes);
        if checksum.value() != 0 {
            return Err(DecodeError::Checksum { at: 2 });
        }
        let (kind, code) = (octet(bytes, 0)?, octet(bytes, 1)?);
        let (request, reply) = echo_kinds(v6);
        if kind == request || kind == reply {
            let identifier = number16(bytes, 4)?;
            let echo = Echo { identifier, sequence: number16(bytes, 6)?, data: body.to_vec() };
            return Ok(if kind == request {
                Self::EchoRequest(echo)
            } else {
                Self::EchoReply(echo)
            });
        }
        let cause = match (v6, kind, code) {
            (false, 3, 4) => Cause::PacketTooBig { mtu: u32::from(number16(bytes, 6)?) },
            (true, 2, _) => Cause::PacketTooBig { mtu: number32(bytes, 4)? },
            (false, 3, _) | (true, 1, _) => Cause::Unreachable(Unreachable::from_code(code, v6)),
            (false, 11, _) | (true, 3, _) => Cause::TimeExceeded { code },
            (_, _, _) => return Err(DecodeError::Value { at: 0 }),
        };
        let quoted_len = match (v6, cause) {
            (false, _) => usize::from(octet(bytes, 5)?) * 4,
            (true, Cause::PacketTooBig { .. }) => 0,
            (true, Cause::Unreachable(_) | Cause::TimeExceeded { .. }) => {
                usize::from(octet(bytes, 4)?) * 8
            }
        };
        if quoted_len == 0 {
            let quoted = body.to_vec();
            return Ok(Self::Error(Report { cause, quoted, extensions: Vec::new() }));
        }
        let at = if v6 { 4 } else { 5 };
        let (quoted, after) =
            body.split_at_checked(quoted_len).ok_or(DecodeError::Length { at })?;
        let extensions = decode_extensions(after, HEADER_LEN + quoted_len)?;
        Ok(Self::Error(Report { cause, quoted: quoted.to_vec(), extensions }))
    }

    /// The octets of the message with its checksum, in the version of the addresses.
    #[must_use]
    pub fn encode(&self, source: IpAddr, destination: IpAddr) -> Vec<u8> {
        let v6 = source.is_ipv6();
        let (request, reply) = echo_kinds(v6);
        let mut bytes = match self {
            Self::EchoRequest(echo) => encode_echo(request, echo),
            Self::EchoReply(echo) => encode_echo(reply, echo),
            Self::Error(report) => encode_report(v6, report),
        };
        let mut checksum = covering(source, destination, bytes.len());
        checksum.add(&bytes);
        if let Some(field) = bytes.get_mut(2..4) {
            field.copy_from_slice(&checksum.value().to_be_bytes());
        }
        bytes
    }
}

fn covering(source: IpAddr, destination: IpAddr, len: usize) -> Checksum {
    if source.is_ipv6() {
        return Checksum::pseudo(source, destination, PROTOCOL_V6, len);
    }
    Checksum::new()
}

fn encode_echo(kind: u8, echo: &Echo) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend(echo.identifier.to_be_bytes());
    bytes.extend(echo.sequence.to_be_bytes());
    bytes.extend(&echo.data);
    bytes
}

fn encode_report(v6: bool, report: &Report) -> Vec<u8> {
    let (kind, code, parameter) = match (report.cause, v6) {
        (Cause::Unreachable(reason), _) => (if v6 { 1 } else { 3 }, reason.code(v6), 0),
        (Cause::PacketTooBig { mtu }, true) => (2, 0, mtu),
        (Cause::PacketTooBig { mtu }, false) => (3, 4, mtu.min(0xffff)),
        (Cause::TimeExceeded { code }, _) => (if v6 { 3 } else { 11 }, code, 0),
    };
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(parameter.to_be_bytes());
    bytes.extend(&report.quoted);
    let extensible = !(v6 && kind == 2);
    if report.extensions.is_empty() || !extensible {
        return bytes;
    }
    // RFC 4884 §4: the length counts words of 32 bits in ICMP and of 64 bits in ICMPv6.
    let (unit, at) = if v6 { (8, 4) } else { (4, 5) };
    let quoted_len_max = usize::from(u8::MAX) * unit;
    let quoted_len = report.quoted.len().max(QUOTED_LEN_MIN).next_multiple_of(unit);
    let quoted_len = quoted_len.min(quoted_len_max);
    bytes.resize(HEADER_LEN + quoted_len, 0);
    if let Some(length) = bytes.get_mut(at) {
        *length = u8::try_from(quoted_len / unit).unwrap_or(u8::MAX);
    }
    bytes.extend(encode_extensions(&report.extensions));
    bytes
}

fn encode_extensions(extensions: &[Extension]) -> Vec<u8> {
    let mut bytes = vec![EXTENSION_VERSION << 4, 0, 0, 0];
    for extension in extensions {
        let (class, kind, data) = match extension {
            Extension::LabelStack(stack) => (
                CLASS_LABEL_STACK,
                KIND_INCOMING_STACK,
                stack.iter().flat_map(LabelEntry::encode).collect(),
            ),
            Extension::Other { class, kind, data } => (*class, *kind, data.clone()),
        };
        let len = u16::try_from(data.len() + 4).unwrap_or(u16::MAX);
        bytes.extend(len.to_be_bytes());
        bytes.extend([class, kind]);
        bytes.extend(data);
    }
    let checksum = checksum::of(&bytes);
    if let Some(field) = bytes.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

/// Reads the extension structure, which begins at offset `base` of the message.
fn decode_extensions(bytes: &[u8], base: usize) -> Result<Vec<Extension>, DecodeError> {
    let mut extensions = Vec::new();
    if bytes.is_empty() {
        return Ok(extensions);
    }
    let truncated = DecodeError::Truncated { at: base + bytes.len() };
    let [version, _, high, low] = octets(bytes, 0).map_err(|_| truncated)?;
    if version >> 4 != EXTENSION_VERSION {
        return Err(DecodeError::Version { at: base });
    }
    // RFC 4884 §7: a checksum of zero means that none was made.
    if (high, low) != (0, 0) && checksum::of(bytes) != 0 {
        return Err(DecodeError::Checksum { at: base + 2 });
    }
    let mut at = 4;
    while at < bytes.len() {
        let [high, low, class, kind] = octets(bytes, at).map_err(|_| truncated)?;
        let len = usize::from(u16::from_be_bytes([high, low]));
        let data = bytes.get(at + 4..at + len).ok_or(DecodeError::Length { at: base + at })?;
        extensions.push(match (class, kind) {
            (CLASS_LABEL_STACK, KIND_INCOMING_STACK) => {
                let (stack, beneath) =
                    decode_stack(data).map_err(|error| shifted(error, base + at + 4))?;
                if !beneath.is_empty() {
                    return Err(DecodeError::Length { at: base + at });
                }
                Extension::LabelStack(stack)
            }
            (_, _) => Extension::Other { class, kind, data: data.to_vec() },
        });
        at += len;
    }
    Ok(extensions)
}

/// The same error with its offset counted from `base` octets before.
const fn shifted(error: DecodeError, base: usize) -> DecodeError {
    match error {
        DecodeError::Truncated { at } => DecodeError::Truncated { at: at + base },
        DecodeError::Length { at } => DecodeError::Length { at: at + base },
        DecodeError::Version { at } => DecodeError::Version { at: at + base },
        DecodeError::Checksum { at } => DecodeError::Checksum { at: at + base },
        DecodeError::Value { at } => DecodeError::Value { at: at + base },
        DecodeError::TooDeep { at } => DecodeError::TooDeep { at: at + base },
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Echo, Extension, Message, Report, Unreachable, is_error};
    use crate::DecodeError;
    use crate::mpls::LabelEntry;
    use base::Label;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn pair(v6: bool) -> (IpAddr, IpAddr) {
        let (a, b) = if v6 { ("fd00:9::1", "fd00:9::2") } else { ("10.9.0.1", "10.9.0.2") };
        (a.parse().unwrap(), b.parse().unwrap())
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
    }

    fn golden(v6: bool, (from, to): (IpAddr, IpAddr), text: &str, message: &Message) {
        let octets = hex(text);
        assert_eq!(Message::decode(from, to, &octets).as_ref(), Ok(message), "v6: {v6}");
        assert_eq!(message.encode(from, to), octets, "v6: {v6}");
        for len in 0..octets.len() {
            assert!(Message::decode(from, to, &octets[..len]).is_err(), "{len} octets");
        }
    }

    // What follows went between two Linux 6.18 hosts, 10.9.0.1 and 10.9.0.2, fd00:9::1 and ::2.

    #[test]
    fn echoes_of_linux_are_read_and_written_alike() {
        let echo = Echo { identifier: 0x1234, sequence: 1, data: b"weald!!!".to_vec() };
        let request = Message::EchoRequest(echo.clone());
        let reply = Message::EchoReply(echo);
        let (a, b) = pair(false);
        golden(false, (a, b), "0800 87b6 1234 0001 7765616c64212121", &request);
        golden(false, (b, a), "0000 8fb6 1234 0001 7765616c64212121", &reply);
        let (a, b) = pair(true);
        golden(true, (a, b), "8000 1555 1234 0001 7765616c64212121", &request);
        golden(true, (b, a), "8100 1455 1234 0001 7765616c64212121", &reply);
    }

    #[test]
    fn port_unreachable_of_linux_is_read_and_written_alike() {
        let cause = Cause::Unreachable(Unreachable::Port);
        let quoted = "4500001f04374000401122830a0900010a0900028bb9270f000b1431616263";
        let report = Report { cause, quoted: hex(quoted), extensions: Vec::new() };
        let (a, b) = pair(false);
        golden(false, (b, a), &format!("0303719500000000{quoted}"), &Message::Error(report));
        let quoted = "600961a9000b1140fd000009000000000000000000000001fd00000900000000000000000000\
                      0002c074270f000bfa32616263";
        let report = Report { cause, quoted: hex(quoted), extensions: Vec::new() };
        let (a, b) = pair(true);
        golden(true, (b, a), &format!("0104913600000000{quoted}"), &Message::Error(report));
    }

    fn stack() -> Vec<LabelEntry> {
        let entry = |label, bottom, ttl| LabelEntry {
            label: Label::masked(label),
            traffic_class: 0,
            bottom,
            ttl,
        };
        vec![entry(16_002, false, 1), entry(24_001, true, 255)]
    }

    #[test]
    fn label_stack_object_is_laid_out_as_the_figure_of_rfc_4950() {
        let report = Report {
            cause: Cause::TimeExceeded { code: 0 },
            quoted: vec![0x45; 28],
            extensions: vec![Extension::LabelStack(stack())],
        };
        for (v6, length_at, length) in [(false, 5, 32), (true, 4, 16)] {
            let (a, b) = pair(v6);
            let octets = Message::Error(report.clone()).encode(a, b);
            assert_eq!(octets[length_at], length, "128 octets are quoted");
            assert_eq!(octets[36..136], [0; 100], "the quotation is padded with zeros");
            // Version 2; length 12, class 1, type 1; label, class and bottom flag, ttl, twice.
            let expected = hex("2000 ffff 000c 01 01 03e82 0 01 05dc1 1 ff");
            assert_eq!(octets[136..138], expected[..2]);
            assert_eq!(octets[140..], expected[4..]);
            assert_eq!(crate::checksum::of(&octets[136..]), 0);
        }
    }

    #[test]
    fn malformed_extensions_are_refused_at_their_offset() {
        let extensions = vec![Extension::LabelStack(stack())];
        let cause = Cause::TimeExceeded { code: 0 };
        let report = Report { cause, quoted: vec![0x45; 128], extensions };
        let (a, b) = pair(false);
        let octets = Message::Error(report).encode(a, b);
        let cases = [
            (136, 0x10, DecodeError::Version { at: 136 }),
            (141, 0x0d, DecodeError::Checksum { at: 138 }),
        ];
        for (at, value, error) in cases {
            let mut octets = octets.clone();
            octets[at] = value;
            octets[2..4].fill(0);
            let sum = crate::checksum::of(&octets);
            octets[2..4].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(Message::decode(a, b, &octets), Err(error));
        }
        for (at, value, error) in [
            (141, 0x0d, DecodeError::Length { at: 140 }),
            (141, 0x03, DecodeError::Length { at: 140 }),
            (141, 0x08, DecodeError::Truncated { at: 148 }),
        ] {
            let mut octets = octets.clone();
            octets[at] = value;
            octets[138..140].fill(0);
            octets[2..4].fill(0);
            let sum = crate::checksum::of(&octets);
            octets[2..4].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(Message::decode(a, b, &octets), Err(error));
        }
    }

    #[test]
    fn other_types_are_refused_and_errors_are_told_apart() {
        let (a, b) = pair(false);
        let redirect = hex("0501 fafe 0000 0000");
        assert_eq!(Message::decode(a, b, &redirect), Err(DecodeError::Value { at: 0 }));
        assert!(is_error(false, 3) && is_error(false, 11) && !is_error(false, 8));
        assert!(is_error(true, 1) && is_error(true, 127) && !is_error(true, 128));
    }

    fn cause() -> impl Strategy<Value = Cause> {
        prop_oneof![
            Just(Cause::Unreachable(Unreachable::NoRoute)),
            Just(Cause::Unreachable(Unreachable::Host)),
            Just(Cause::Unreachable(Unreachable::Prohibited)),
            Just(Cause::Unreachable(Unreachable::Other(9))),
            any::<u16>().prop_map(|mtu| Cause::PacketTooBig { mtu: mtu.into() }),
            any::<u8>().prop_map(|code| Cause::TimeExceeded { code }),
        ]
    }

    proptest! {
        #[test]
        fn errors_round_trip(v6: bool, cause in cause(), words in 16_usize..31, kind: u8) {
            let extensions = if v6 && matches!(cause, Cause::PacketTooBig { .. }) {
                Vec::new()
            } else {
                let other = Extension::Other { class: 9, kind, data: vec![kind; 8] };
                vec![Extension::LabelStack(stack()), other]
            };
            let report = Report { cause, quoted: vec![0x45; words * 8], extensions };
            let message = Message::Error(report);
            let (a, b) = pair(v6);
            prop_assert_eq!(Message::decode(a, b, &message.encode(a, b)), Ok(message));
        }

        #[test]
        fn any_octets_are_read_or_refused(v6: bool, kind: u8, bytes: Vec<u8>) {
            let (a, b) = pair(v6);
            let mut bytes = bytes;
            bytes.splice(0..0, [kind, 0, 0, 0, 16, 32, 0, 0]);
            let mut checksum = super::covering(a, b, bytes.len());
            checksum.add(&bytes);
            bytes[2..4].copy_from_slice(&checksum.value().to_be_bytes());
            let _ = Message::decode(a, b, &bytes);
        }
    }
}
