//! The dynamic host configuration protocol: how a host gets its IPv4 address and what goes with it.
//!
//! A message is the fixed part of BOOTP, a cookie, and options, of which a dozen are what hosts and
//! routers live on. [`Message`] holds those; all others are passed over. A message without a type
//! is BOOTP's and is refused, and so is hardware other than Ethernet. An option that comes twice
//! counts the first time.
//!
//! Standards: RFC 2131 §2 (format, cookie, overload), RFC 2132 §3.3, §3.5, §3.8, §5.1, §9 (options),
//! RFC 951 and RFC 1542 §2.1 (fixed part, 300 octets at least).
//! Not implemented: BOOTP without DHCP, options longer than 255 octets (RFC 3396), relay agent
//! information (RFC 3046), boot file and server name.

use core::net::Ipv4Addr;

use base::MacAddr;

use crate::DecodeError;
use crate::error::{number16, number32, octet, octets};

/// The UDP port of servers.
pub const SERVER_PORT: u16 = 67;
/// The UDP port of clients.
pub const CLIENT_PORT: u16 = 68;

/// What a message is at least padded to (RFC 1542 §2.1).
const LEN_MIN: usize = 300;
const FIXED_LEN: usize = 236;
const OPTIONS_AT: usize = 240;
const COOKIE: u32 = 0x6382_5363;
const SERVER_NAME: core::ops::Range<usize> = 44..108;
const BOOT_FILE: core::ops::Range<usize> = 108..236;
/// The flag by which a client asks for answers to everybody.
const BROADCAST_FLAG: u16 = 0x8000;
/// Addresses that one option holds.
const ADDRESSES_MAX: usize = 63;

mod code {
    pub(super) const PAD: u8 = 0;
    pub(super) const SUBNET_MASK: u8 = 1;
    pub(super) const ROUTER: u8 = 3;
    pub(super) const DNS: u8 = 6;
    pub(super) const MTU: u8 = 26;
    pub(super) const REQUESTED: u8 = 50;
    pub(super) const LEASE: u8 = 51;
    pub(super) const OVERLOAD: u8 = 52;
    pub(super) const MESSAGE_TYPE: u8 = 53;
    pub(super) const SERVER: u8 = 54;
    pub(super) const WANTED: u8 = 55;
    pub(super) const SIZE_MAX: u8 = 57;
    pub(super) const RENEWAL: u8 = 58;
    pub(super) const REBINDING: u8 = 59;
    pub(super) const CLIENT: u8 = 61;
    pub(super) const END: u8 = 255;
}

/// What a message asks or says (RFC 2131 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client takes an offer, or asks to keep what it has.
    Request,
    /// A client says that somebody else has the address.
    Decline,
    /// A server gives, or tells.
    Ack,
    /// A server refuses.
    Nak,
    /// A client gives back.
    Release,
    /// A client that has an address asks for the rest.
    Inform,
}

impl Kind {
    /// Every kind, in order of their numbers, which begin with 1.
    pub const ALL: [Self; 8] = [
        Self::Discover,
        Self::Offer,
        Self::Request,
        Self::Decline,
        Self::Ack,
        Self::Nak,
        Self::Release,
        Self::Inform,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    const fn number(self) -> u8 {
        match self {
            Self::Discover => 1,
            Self::Offer => 2,
            Self::Request => 3,
            Self::Decline => 4,
            Self::Ack => 5,
            Self::Nak => 6,
            Self::Release => 7,
            Self::Inform => 8,
        }
    }

    /// Whether it is a server's to say.
    #[must_use]
    pub const fn is_reply(self) -> bool {
        matches!(self, Self::Offer | Self::Ack | Self::Nak)
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it asks or says.
    pub kind: Kind,
    /// The client's number for the exchange.
    pub transaction: u32,
    /// Seconds since the client began.
    pub seconds: u16,
    /// Whether answers are to go to everybody, because the client hears nothing else yet.
    pub broadcast: bool,
    /// The address that the client has and answers for (`ciaddr`).
    pub client_address: Ipv4Addr,
    /// The address that the client is given (`yiaddr`).
    pub your_address: Ipv4Addr,
    /// The server to boot from (`siaddr`).
    pub boot_server: Ipv4Addr,
    /// The relay through which it came (`giaddr`).
    pub relay: Ipv4Addr,
    /// The client's Ethernet address (`chaddr`).
    pub hardware: MacAddr,
    /// What else it says.
    pub options: Options,
}

/// The options that are read here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The mask of the prefix on the link.
    pub subnet_mask: Option<Ipv4Addr>,
    /// Routers on the link, best first.
    pub routers: Vec<Ipv4Addr>,
    /// Resolvers of names, best first.
    pub dns: Vec<Ipv4Addr>,
    /// The largest IP packet on the link.
    pub mtu: Option<u16>,
    /// The address that the client would like.
    pub requested: Option<Ipv4Addr>,
    /// Seconds that the address is lent for.
    pub lease: Option<u32>,
    /// The server that speaks, or is spoken to.
    pub server: Option<Ipv4Addr>,
    /// The options that the client would like, by their codes.
    pub wanted: Vec<u8>,
    /// The longest message that the client takes.
    pub size_max: Option<u16>,
    /// Seconds until the client asks the same server for more time.
    pub renewal: Option<u32>,
    /// Seconds until it asks any server.
    pub rebinding: Option<u32>,
    /// The client's name for itself; empty where it gave none.
    pub client: Vec<u8>,
}

impl Message {
    /// Reads the payload of a datagram.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let reply = match octet(bytes, 0)? {
            1 => false,
            2 => true,
            _ => return Err(DecodeError::Value { at: 0 }),
        };
        // Ethernet, and an address of six octets.
        for (at, expected) in [(1, 1), (2, 6)] {
            if octet(bytes, at)? != expected {
                return Err(DecodeError::Value { at });
            }
        }
        let address = |at| octets::<4>(bytes, at).map(Ipv4Addr::from);
        let hardware = MacAddr(octets(bytes, 28)?);
        if number32(bytes, FIXED_LEN)? != COOKIE {
            return Err(DecodeError::Value { at: FIXED_LEN });
        }
        let (kind, options) = read_options(bytes)?;
        let kind = kind.ok_or(DecodeError::Value { at: OPTIONS_AT })?;
        if kind.is_reply() != reply {
            return Err(DecodeError::Value { at: 0 });
        }
        Ok(Self {
            kind,
            transaction: number32(bytes, 4)?,
            seconds: number16(bytes, 8)?,
            broadcast: number16(bytes, 10)? & BROADCAST_FLAG != 0,
            client_address: address(12)?,
            your_address: address(16)?,
            boot_server: address(20)?,
            relay: address(24)?,
            hardware,
            options,
        })
    }

    /// The octets of the message, padded to the shortest that every client takes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN_MIN);
        bytes.extend([if self.kind.is_reply() { 2 } else { 1 }, 1, 6, 0]);
        bytes.extend(self.transaction.to_be_bytes());
        bytes.extend(self.seconds.to_be_bytes());
        bytes.extend(if self.broadcast { BROADCAST_FLAG } else { 0 }.to_be_bytes());
        let addresses = [self.client_address, self.your_address, self.boot_server, self.relay];
        bytes.extend(addresses.iter().flat_map(Ipv4Addr::octets));
        bytes.extend(self.hardware.0);
        bytes.resize(FIXED_LEN, 0);
        bytes.extend(COOKIE.to_be_bytes());
        put(&mut bytes, code::MESSAGE_TYPE, &[self.kind.number()]);
        self.options.write(&mut bytes);
        bytes.push(code::END);
        bytes.resize(bytes.len().max(LEN_MIN), code::PAD);
        bytes
    }
}

impl Options {
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut optional = |kind, value: Option<Vec<u8>>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                put(bytes, kind, &value);
            }
        };
        let address = |address: Ipv4Addr| address.octets().to_vec();
        let addresses = |list: &[Ipv4Addr]| {
            Some(list.iter().take(ADDRESSES_MAX).flat_map(Ipv4Addr::octets).collect())
        };
        let number = |number: u32| number.to_be_bytes().to_vec();
        optional(code::SERVER, self.server.map(address));
        optional(code::REQUESTED, self.requested.map(address));
        optional(code::LEASE, self.lease.map(number));
        optional(code::RENEWAL, self.renewal.map(number));
        optional(code::REBINDING, self.rebinding.map(number));
        optional(code::SUBNET_MASK, self.subnet_mask.map(address));
        optional(code::ROUTER, addresses(&self.routers));
        optional(code::DNS, addresses(&self.dns));
        optional(code::MTU, self.mtu.map(|mtu| mtu.to_be_bytes().to_vec()));
        optional(code::SIZE_MAX, self.size_max.map(|size| size.to_be_bytes().to_vec()));
        optional(code::WANTED, Some(self.wanted.clone()));
        optional(code::CLIENT, Some(self.client.clone()));
    }

    /// Takes over the option that begins at `at`, unless there was one of its kind before.
    fn take(&mut self, at: usize, kind: u8, value: &[u8]) -> Result<(), DecodeError> {
        match kind {
            code::SUBNET_MASK => first(&mut self.subnet_mask, address(at, value)?),
            code::ROUTER => first_of_many(&mut self.routers, addresses(at, value)?),
            code::DNS => first_of_many(&mut self.dns, addresses(at, value)?),
            code::MTU => first(&mut self.mtu, u16::from_be_bytes(exactly(at, value)?)),
            code::REQUESTED => first(&mut self.requested, address(at, value)?),
            code::LEASE => first(&mut self.lease, u32::from_be_bytes(exactly(at, value)?)),
            code::SERVER => first(&mut self.server, address(at, value)?),
            code::WANTED => first_of_many(&mut self.wanted, value.to_vec()),
            code::SIZE_MAX => first(&mut self.size_max, u16::from_be_bytes(exactly(at, value)?)),
            code::RENEWAL => first(&mut self.renewal, u32::from_be_bytes(exactly(at, value)?)),
            code::REBINDING => {
                first(&mut self.rebinding, u32::from_be_bytes(exactly(at, value)?));
            }
            code::CLIENT => first_of_many(&mut self.client, value.to_vec()),
            _ => {}
        }
        Ok(())
    }
}

/// Puts one option behind; what it cannot hold is cut off.
fn put(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = value.get(..usize::from(u8::MAX)).unwrap_or(value);
    bytes.extend([kind, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
    bytes.extend(value);
}

fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn first_of_many<T>(slot: &mut Vec<T>, values: Vec<T>) {
    if slot.is_empty() {
        *slot = values;
    }
}

/// The value of an option that has one length only.
fn exactly<const N: usize>(at: usize, value: &[u8]) -> Result<[u8; N], DecodeError> {
    value.try_into().map_err(|_| DecodeError::Length { at: at + 1 })
}

fn address(at: usize, value: &[u8]) -> Result<Ipv4Addr, DecodeError> {
    exactly::<4>(at, value).map(Ipv4Addr::from)
}

fn addresses(at: usize, value: &[u8]) -> Result<Vec<Ipv4Addr>, DecodeError> {
    let (addresses, rest) = value.as_chunks::<4>();
    if addresses.is_empty() || !rest.is_empty() {
        return Err(DecodeError::Length { at: at + 1 });
    }
    Ok(addresses.iter().copied().map(Ipv4Addr::from).collect())
}

/// What was read from one area of options.
#[derive(Default)]
struct Area {
    kind: Option<Kind>,
    /// Which other fields hold options as well: 1 the boot file's, 2 the server name's.
    overload: u8,
    ended: bool,
}

fn read_options(bytes: &[u8]) -> Result<(Option<Kind>, Options), DecodeError> {
    let mut options = Options::default();
    let main = read_area(bytes, OPTIONS_AT..bytes.len(), &mut options)?;
    // RFC 2131 §4.1: the last option is the end; without it something is missing.
    if !main.ended {
        return Err(DecodeError::Truncated { at: bytes.len() });
    }
    let mut kind = main.kind;
    for (bit, area) in [(1, BOOT_FILE), (2, SERVER_NAME)] {
        if main.overload & bit != 0 {
            kind = kind.or(read_area(bytes, area, &mut options)?.kind);
        }
    }
    Ok((kind, options))
}

fn read_area(
    bytes: &[u8],
    area: core::ops::Range<usize>,
    options: &mut Options,
) -> Result<Area, DecodeError> {
    let (mut read, mut at) = (Area::default(), area.start);
    while at < area.end {
        let kind = octet(bytes, at)?;
        if kind == code::PAD {
            at += 1;
            continue;
        }
        if kind == code::END {
            read.ended = true;
            break;
        }
        let next = at + 2 + usize::from(octet(bytes, at + 1)?);
        let value = bytes.get(at + 2..next).filter(|_| next <= area.end);
        let value = value.ok_or(DecodeError::Truncated { at: area.end.min(bytes.len()) })?;
        match kind {
            code::MESSAGE_TYPE => {
                let [number] = exactly(at, value)?;
                let found = Kind::of(number).ok_or(DecodeError::Value { at: at + 2 })?;
                read.kind.get_or_insert(found);
            }
            code::OVERLOAD => [read.overload] = exactly(at, value)?,
            _ => options.take(at, kind, value)?,
        }
        at = next;
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::{BOOT_FILE, Kind, Message, OPTIONS_AT, Options};
    use crate::DecodeError;
    use base::MacAddr;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
    }

    /// A message of which the fixed part begins and the options follow the cookie like this, and
    /// which is nothing but zero else.
    fn message(fixed: &str, options: &str) -> Vec<u8> {
        let mut bytes = hex(fixed);
        bytes.resize(super::FIXED_LEN, 0);
        bytes.extend(hex("63825363"));
        bytes.extend(hex(options));
        bytes.resize(bytes.len().max(300), 0);
        bytes
    }

    // An exchange of BusyBox 1.35 (udhcpc) with dnsmasq 2.90, as it went over the wire.
    const CLIENT: &str = "0101060076e2c11800000000000000000000000000000000000000000600 00000d01";
    const DISCOVER: &str = "3501013902024037080103060c0f1a1c2a3c0c756468637020312e33352e30
        3d0701060000000d01ff";
    const REQUEST: &str = "35010332040a01013636040a0101013902024037080103060c0f1a1c2a
        3c0c756468637020312e33352e303d0701060000000d01ff";
    const SERVER: &str = "0201060076e2c11800000000000000000a0101360a010101000000000600 00000d01";
    const ACK: &str = "35010536040a010101330400000e103a04000007083b0400000c4e0104ffffff00
        1c040a0101ff03040a0101011a02058c06080a0900350a090036ff";

    fn v4(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn hardware() -> MacAddr {
        "06:00:00:00:0d:01".parse().unwrap()
    }

    #[test]
    fn discover_and_request_of_busybox_are_read() {
        let discover = Message::decode(&message(CLIENT, DISCOVER)).unwrap();
        assert_eq!((discover.kind, discover.transaction), (Kind::Discover, 0x76e2_c118));
        assert_eq!((discover.hardware, discover.broadcast), (hardware(), false));
        assert_eq!(discover.client_address, Ipv4Addr::UNSPECIFIED);
        assert_eq!(discover.options.client, hex("01 060000000d01"));
        assert_eq!(discover.options.size_max, Some(576));
        assert_eq!(discover.options.wanted, [1, 3, 6, 12, 15, 26, 28, 42]);
        let request = Message::decode(&message(CLIENT, REQUEST)).unwrap();
        assert_eq!(request.kind, Kind::Request);
        let options = request.options;
        assert_eq!(options.requested, Some(v4("10.1.1.54")));
        assert_eq!(options.server, Some(v4("10.1.1.1")));
    }

    #[test]
    fn acknowledgement_of_dnsmasq_is_read_and_written_to_the_same_effect() {
        let ack = Message::decode(&message(SERVER, ACK)).unwrap();
        let expected = Message {
            kind: Kind::Ack,
            transaction: 0x76e2_c118,
            seconds: 0,
            broadcast: false,
            client_address: Ipv4Addr::UNSPECIFIED,
            your_address: v4("10.1.1.54"),
            boot_server: v4("10.1.1.1"),
            relay: Ipv4Addr::UNSPECIFIED,
            hardware: hardware(),
            options: Options {
                subnet_mask: Some(v4("255.255.255.0")),
                routers: vec![v4("10.1.1.1")],
                dns: vec![v4("10.9.0.53"), v4("10.9.0.54")],
                mtu: Some(1420),
                lease: Some(3600),
                server: Some(v4("10.1.1.1")),
                renewal: Some(1800),
                rebinding: Some(3150),
                ..Options::default()
            },
        };
        assert_eq!(ack, expected);
        let octets = ack.encode();
        assert_eq!(octets.len(), 300);
        assert_eq!(octets[..super::FIXED_LEN], message(SERVER, ACK)[..super::FIXED_LEN]);
        assert_eq!(Message::decode(&octets), Ok(ack));
    }

    #[test]
    fn every_truncation_is_refused() {
        for options in [DISCOVER, REQUEST, ACK] {
            let fixed = if options == ACK { SERVER } else { CLIENT };
            let octets = message(fixed, options);
            for len in 0..OPTIONS_AT + hex(options).len() {
                let found = Message::decode(&octets[..len]);
                assert!(matches!(found, Err(DecodeError::Truncated { .. })), "{len}: {found:?}");
            }
        }
    }

    #[test]
    fn what_is_no_dhcp_over_ethernet_is_refused() {
        for (at, value) in [(0, 3), (0, 2), (1, 6), (2, 16), (236, 0), (242, 0), (242, 9)] {
            let mut octets = message(CLIENT, DISCOVER);
            octets[at] = value;
            let found = Message::decode(&octets);
            assert!(matches!(found, Err(DecodeError::Value { .. })), "{at}: {found:?}");
        }
        let bootp = message(CLIENT, "3d0701060000000d01ff");
        assert_eq!(Message::decode(&bootp), Err(DecodeError::Value { at: OPTIONS_AT }));
        for bad in ["350101 3202 0a01 ff", "350101 0300 ff", "350101 0605 0a01010101 ff"] {
            let found = Message::decode(&message(CLIENT, bad));
            assert_eq!(found, Err(DecodeError::Length { at: 244 }), "{bad}");
        }
    }

    #[test]
    fn options_go_on_in_the_boot_files_field_where_the_message_says_so() {
        let mut octets = message(CLIENT, "350101 340101 ff");
        octets[BOOT_FILE.start..BOOT_FILE.start + 7].copy_from_slice(&hex("32040a01014dff"));
        let found = Message::decode(&octets).unwrap();
        assert_eq!(found.options.requested, Some(v4("10.1.1.77")));
        octets[BOOT_FILE.start + 1] = 200;
        assert!(Message::decode(&octets).is_err());
    }

    fn options() -> impl Strategy<Value = Options> {
        let address = || any::<u32>().prop_map(Ipv4Addr::from);
        let list = || proptest::collection::vec(any::<u32>().prop_map(Ipv4Addr::from), 0..9);
        let optional = || proptest::option::of(address());
        let octets = || proptest::collection::vec(any::<u8>(), 0..256);
        let times = any::<(Option<u32>, Option<u32>, Option<u32>)>();
        let sizes = any::<(Option<u16>, Option<u16>)>();
        (optional(), list(), list(), sizes, optional(), times, optional(), octets(), octets())
            .prop_map(|(subnet_mask, routers, dns, sizes, requested, times, server, a, b)| {
                Options {
                    subnet_mask,
                    routers,
                    dns,
                    mtu: sizes.0,
                    requested,
                    lease: times.0,
                    server,
                    wanted: a,
                    size_max: sizes.1,
                    renewal: times.1,
                    rebinding: times.2,
                    client: b,
                }
            })
    }

    proptest! {
        #[test]
        fn round_trip(
            kind in 0_usize..8, numbers: (u32, u16, bool), hosts: [u32; 4], mac: [u8; 6],
            options in options(),
        ) {
            let [client_address, your_address, boot_server, relay] = hosts.map(Ipv4Addr::from);
            let message = Message {
                kind: Kind::ALL[kind],
                transaction: numbers.0,
                seconds: numbers.1,
                broadcast: numbers.2,
                client_address,
                your_address,
                boot_server,
                relay,
                hardware: MacAddr(mac),
                options,
            };
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn random_octets_are_survived(tail in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut octets = message(CLIENT, "");
            octets.truncate(OPTIONS_AT);
            octets.extend(tail);
            let _ = Message::decode(&octets);
        }
    }
}
