//! The bodies of the fuzz targets, and a test that replays their corpus.
//!
//! A target is a function from octets that must not panic. Most say more: what was read, written
//! and read again is the same. The binaries in `targets/` are one line each around these; the
//! seeds in `corpus/` are named after where they came from (`frr`, `gobgp`: from the wire).

mod lane;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base::{AsNumber, Duration, Instant, TraceHash};
use bgp::error::Verdict;
use bgp::message::Kind;
use bgp::nlri::{Nlri, Routes};
use bgp::route::{Family, FamilySet, PathAttributes};
use bgp::update::{Context, Reach, Update, Writer};
use intent::Lock;
use isis::Pdu;
use packet::router_discovery::{Advertisement, Solicitation};

/// A target by the name of its binary and of its folder in `corpus/`.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("bfd_packet", bfd_packet),
    ("bfd_session", bfd_session),
    ("bgp_message", bgp_message),
    ("bgp_open", bgp_open),
    ("bgp_update", bgp_update),
    ("dhcp_message", dhcp_message),
    ("forwarding_frame", forwarding_frame),
    ("intent_files", intent_files),
    ("intent_lock", intent_lock),
    ("isis_pdu", isis_pdu),
    ("packet_headers", packet_headers),
];

/// Addresses for a decoder that wants some where the octets have none.
const V4: (IpAddr, IpAddr) =
    (IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

/// A BFD control packet: what is read is written back the same.
pub fn bfd_packet(data: &[u8]) {
    if let Ok(packet) = bfd::packet::decode(data) {
        assert_eq!(bfd::packet::decode(&packet.encode()), Ok(packet));
    }
}

/// A BFD session that hears anything at any time: it owes little and always has a way on.
///
/// Each record is an octet for the time that passes, one for what happens, and 24 for a packet.
pub fn bfd_session(data: &[u8]) {
    let config = bfd::Config {
        discriminator: 1,
        desired_min_tx: Duration::from_millis(50),
        required_min_rx: Duration::from_millis(50),
        detect_multiplier: 3,
    };
    let mut now = Instant::ZERO;
    let mut session = bfd::Session::new(now, 1, config);
    for record in data.chunks(26) {
        let [passed, what, packet @ ..] = record else { continue };
        now = now + Duration::from_millis(u64::from(*passed) * 4);
        match what & 7 {
            0 => session.handle_port(now, what & 8 != 0),
            1 => session.set_admin_down(now, what & 8 != 0),
            2 => session.set_config(
                now,
                bfd::Config { desired_min_tx: Duration::from_millis(u64::from(*what)), ..config },
            ),
            3 => session.handle_timeout(now),
            _ => session.handle_packet(now, packet),
        }
        let owed = core::iter::from_fn(|| session.poll_output()).count();
        assert!(owed <= 3, "{owed} outputs after one input");
        let view = session.view();
        assert_eq!(view.not_up.is_none(), view.state == bfd::State::Up);
    }
}

/// A stream of BGP messages, each read as what it says it is.
pub fn bgp_message(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some(message)) = bgp::message::split(rest) {
        match message.kind {
            Kind::Open => bgp_open(message.body),
            Kind::Update => bgp_update(message.body),
            Kind::Notification => {
                let _ = bgp::notification::Notification::decode(message.body).shutdown_text();
            }
            Kind::RouteRefresh => {
                let _ = bgp::message::decode_refresh(message.body);
            }
            Kind::Keepalive => {}
        }
        rest = rest.get(message.len_on_wire()..).unwrap_or_default();
    }
}

/// The body of an OPEN message: what is read is written to what reads the same, but for what only
/// the peer can do; a refusal can be sent.
pub fn bgp_open(data: &[u8]) {
    let mut out = Vec::new();
    match bgp::open::decode(data) {
        Ok(mut open) => {
            open.other_capabilities.clear();
            open.encode(&mut out);
            // An offer of no known family cannot be written: none at all means IPv4.
            if !open.families.is_empty() {
                let body = out.get(bgp::message::HEADER_LEN..).unwrap_or_default();
                assert_eq!(bgp::open::decode(body), Ok(open));
            }
        }
        Err(notification) => notification.encode(&mut out),
    }
}

/// The body of an UPDATE message, within an AS and between two: whatever is handed on as a route
/// can be read, and written to what reads the same.
pub fn bgp_update(data: &[u8]) {
    let families = Family::ALL.into_iter().fold(FamilySet::EMPTY, FamilySet::with);
    for (peer_as, four_octet_as) in [(64_512, true), (64_513, true), (64_513, false)] {
        let context = Context {
            local_as: AsNumber(64_512),
            peer_as: AsNumber(peer_as),
            four_octet_as,
            families,
        };
        match bgp::update::decode(data, &context) {
            Ok(update) => {
                assert!(update.announced().all(|reach| reach.nlri.check().is_ok()));
                assert!(update.withdrawn().all(|nlri| nlri.check().is_ok()));
                assert!(update.attributes.is_some() || update.announced().count() == 0);
                update.announced().for_each(|reach| announce_again(&update, &reach, &context));
            }
            Err(notification) => notification.encode(&mut Vec::new()),
        }
    }
}

/// Writes what was announced and reads it once more.
fn announce_again(update: &Update<'_>, reach: &Reach<'_>, context: &Context) {
    let Some(attributes) = update.attributes.clone() else { return };
    let (family, next_hop) = (reach.nlri.family, reach.next_hop);
    let mut stream = Vec::new();
    let writer =
        Writer::announce(family, &attributes, next_hop, context.four_octet_as, &mut stream);
    // What leaves no room for a route when it is written in this speaker's way is not announced.
    let Ok(mut writer) = writer else { return };
    match reach.nlri.routes() {
        Routes::Vpn(routes) => routes.flatten().for_each(|route| writer.push_vpn(&route)),
        Routes::Unicast(routes) => routes.flatten().for_each(|route| writer.push_prefix(route)),
        Routes::Membership(routes) => {
            routes.flatten().for_each(|route| writer.push_membership(route));
        }
    }
    writer.finish();
    let (mut routes, mut rest) = (Vec::new(), stream.as_slice());
    while let Ok(Some(message)) = bgp::message::split(rest) {
        let again = bgp::update::decode(message.body, context).expect("no reset");
        assert_eq!(again.verdict, Verdict::Accept);
        assert_eq!(again.attributes.clone().map(passed_on), Some(passed_on(attributes.clone())));
        for again in again.announced() {
            assert_eq!((again.next_hop, again.nlri.family), (next_hop, family));
            routes.extend(each_route(again.nlri));
        }
        rest = rest.get(message.len_on_wire()..).unwrap_or_default();
    }
    assert!(rest.is_empty(), "an incomplete message was written");
    assert_eq!(routes, each_route(reach.nlri));
}

/// The routes of a field, as text that tells them apart.
fn each_route(nlri: Nlri<'_>) -> Vec<String> {
    match nlri.routes() {
        Routes::Vpn(routes) => routes.flatten().map(|it| format!("{it:?}")).collect(),
        Routes::Unicast(routes) => routes.flatten().map(|it| it.to_string()).collect(),
        Routes::Membership(routes) => routes.flatten().map(|it| format!("{it:?}")).collect(),
    }
}

/// The attributes as they are after one more speaker: unknown ones are marked partial, and have a
/// length of as many octets as it needs.
fn passed_on(mut attributes: PathAttributes) -> PathAttributes {
    for unknown in &mut attributes.unknown {
        unknown.flags = unknown.flags & 0xef | 0x20;
    }
    attributes
}

/// An IS-IS PDU: what is read is written to what reads the same.
pub fn isis_pdu(data: &[u8]) {
    let Ok(pdu) = isis::decode(data) else { return };
    let bytes = match &pdu {
        Pdu::Hello(hello) => hello.encode(None),
        Pdu::Lsp(lsp) => lsp.encode(),
        Pdu::Csnp(csnp) => csnp.encode(),
        Pdu::Psnp(psnp) => psnp.encode(),
    };
    assert_eq!(isis::decode(&bytes), Ok(pdu));
}

/// A message of DHCP: what is read is written and read again the same.
pub fn dhcp_message(data: &[u8]) {
    if let Ok(message) = packet::dhcp::Message::decode(data) {
        assert_eq!(packet::dhcp::Message::decode(&message.encode()), Ok(message));
    }
}

/// A frame, read down to its innermost header, and every decoder on the same octets.
pub fn packet_headers(data: &[u8]) {
    if let Ok((header, payload)) = packet::ethernet::Header::decode(data) {
        assert_eq!(data.get(..header.encode().len()), Some(header.encode().as_slice()));
        match header.kind {
            packet::ethernet::Kind::Length(_) => {
                let _ = packet::llc::decode(payload);
            }
            packet::ethernet::Kind::Type(_) => every_header(payload),
        }
    }
    every_header(data);
}

fn every_header(data: &[u8]) {
    if let Ok(arp) = packet::arp::Packet::decode(data) {
        assert_eq!(packet::arp::Packet::decode(&arp.encode()), Ok(arp));
    }
    if let Ok((stack, payload)) = packet::mpls::decode_stack(data) {
        let octets: Vec<u8> = stack.iter().flat_map(packet::mpls::LabelEntry::encode).collect();
        assert_eq!(data, [octets.as_slice(), payload].concat());
        ip(payload);
    }
    if let Ok((header, payload)) = packet::gre::Header::decode(data) {
        assert_eq!(packet::gre::Header::decode(&header.encode()).map(|it| it.0), Ok(header));
        ip(payload);
    }
    ip(data);
    upper(V4, data);
}

fn ip(data: &[u8]) {
    let _ = packet::ip::Packet::decode_quoted(data);
    let Ok(header) = packet::ip::Packet::decode(data) else { return };
    let _ = header.ports(data);
    upper((header.source, header.destination), header.payload(data));
}

fn upper((source, destination): (IpAddr, IpAddr), data: &[u8]) {
    if let Ok((header, _)) = packet::udp::Header::decode(data) {
        assert_eq!(data.get(..8), Some(header.encode().as_slice()));
        let _ = packet::udp::checksum_is_right(source, destination, data);
    }
    let _ = packet::tcp::Header::decode(data);
    if let Ok(message) = packet::icmp::Message::decode(source, destination, data) {
        let bytes = message.encode(source, destination);
        assert!(packet::icmp::Message::decode(source, destination, &bytes).is_ok());
    }
    if let (IpAddr::V6(source), IpAddr::V6(destination)) = (source, destination) {
        neighbour(source, destination, data);
    }
}

fn neighbour(source: Ipv6Addr, destination: Ipv6Addr, data: &[u8]) {
    if let Ok(message) = packet::ndp::Message::decode(source, destination, data) {
        let bytes = message.encode(source, destination);
        assert_eq!(packet::ndp::Message::decode(source, destination, &bytes), Ok(message));
    }
    if let Ok(message) = Solicitation::decode(source, destination, data) {
        let bytes = message.encode(source, destination);
        assert_eq!(Solicitation::decode(source, destination, &bytes), Ok(message));
    }
    if let Ok(message) = Advertisement::decode(source, destination, data) {
        let bytes = message.encode(source, destination);
        assert!(Advertisement::decode(source, destination, &bytes).is_ok());
    }
}

/// The three files of an intent, separated by zero octets: any text gives an intent or problems.
pub fn intent_files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\0');
    let mut file = |name: &str| intent::File {
        name: name.to_owned(),
        text: parts.next().unwrap_or_default().to_owned(),
    };
    let files = intent::Files {
        network: file("network.toml"),
        sites: file("sites.csv"),
        services: file("services.toml"),
        keys: Default::default(),
    };
    let checked = intent::check(&files, None);
    assert!(checked.intent.is_some() || checked.problems.has_errors());
}

/// What stands beneath the checksum of a lock, given the right one: what is read is written to what
/// reads the same.
pub fn intent_lock(data: &[u8]) {
    let body = String::from_utf8_lossy(data);
    let mut hash = TraceHash::new();
    hash.bytes(body.as_bytes());
    let text = format!("version = 1\nchecksum = \"{:016x}\"\n{body}", hash.value());
    if let Ok(lock) = Lock::parse("weald.lock", &text) {
        let written = lock.to_text();
        let again = Lock::parse("weald.lock", &written).map(|lock| lock.to_text());
        assert_eq!(again, Ok(written));
    }
}

/// A frame that arrives at a router with two virtual networks: see the module `lane`.
pub fn forwarding_frame(data: &[u8]) {
    lane::frame(data);
}

#[cfg(test)]
mod tests {
    use super::TARGETS;
    use std::fs;
    use std::path::Path;

    fn here() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_corpus_of_every_target_is_replayed() {
        for (name, target) in TARGETS {
            let folder = here().join("corpus").join(name);
            let mut seeds: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            seeds.sort();
            assert!(!seeds.is_empty(), "no seeds for `{name}`");
            for seed in seeds {
                println!("{}", seed.display());
                target(&fs::read(seed).unwrap());
            }
        }
    }

    #[test]
    fn truncated_seeds_are_replayed_too() {
        for (name, target) in TARGETS {
            for entry in fs::read_dir(here().join("corpus").join(name)).unwrap() {
                let seed = fs::read(entry.unwrap().path()).unwrap();
                // Longer seeds are mostly padding or text; the first octets are what matters.
                for length in 0..seed.len().min(200) {
                    target(&seed[..length]);
                }
            }
        }
    }

    #[test]
    fn every_target_has_a_binary_and_every_binary_a_target() {
        let mut files: Vec<String> = fs::read_dir(here().join("targets"))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(files, TARGETS.map(|(name, _)| name));
        let manifest = fs::read_to_string(here().join("Cargo.toml")).unwrap();
        for name in files {
            assert!(manifest.contains(&format!("[[bin]]\nname = \"{name}\"\n")), "{name}");
        }
    }
}
