//! A secure link whose far end is somebody else's WireGuard: `wireguard-go`, set up by `wg`.
//!
//! The far end's GRE is read and written here, octet by octet, on the peer's own interface.
//!
//! Above each test stands what it said when something was broken on purpose.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use host::secure::{PresharedKey, PrivateKey};
use model::config::{Medium, RouterConfig};
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::frames::{self, Wire};
use crate::net::Net;
use crate::plan;
use crate::wait::{Package, holds_for, last_words, need, wait_for};

const PACKAGES: [Package; 2] = [
    Package { name: "wireguard-go", programs: &["wireguard-go"] },
    Package { name: "wireguard-tools", programs: &["wg"] },
];
/// Addresses inside the tunnel: ours and the peer's.
const INNER: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 254, 0, 1), Ipv4Addr::new(10, 254, 0, 2)];
const PORT: u16 = 51_820;
/// A handshake is tried again after five seconds, and a lost one is to cost no more than that.
const PATIENCE: Duration = Duration::from_secs(8);
/// Two attempts, and the moment until the first.
const TWO_ATTEMPTS: Duration = Duration::from_secs(11);

/// Both ends of the link in words: what each is told of itself and of the other.
struct Link {
    own: PrivateKey,
    far: PrivateKey,
    shared: PresharedKey,
    /// The ends' addresses under the tunnel.
    under: [IpAddr; 2],
}

impl Link {
    fn new(under: [&str; 2]) -> Self {
        Self {
            own: PrivateKey::generate(),
            far: PrivateKey::generate(),
            shared: PresharedKey::generate(),
            under: under.map(|address| address.parse().expect("an address")),
        }
    }

    fn over_ipv4() -> Self {
        Self::new(["192.0.2.1", "192.0.2.2"])
    }

    /// Two namespaces and what the tunnel runs over.
    fn net(&self) -> Net {
        let net = Net::new(&["router", "peer"]);
        net.link(("router", "under"), ("peer", "under"));
        for (space, address) in ["router", "peer"].into_iter().zip(self.under) {
            let (length, nodad) = if address.is_ipv6() { (64, "nodad") } else { (24, "") };
            net.run(space, &format!("ip addr add {address}/{length} dev under {nodad}"));
        }
        net
    }

    /// Starts our router. It waits for the peer to begin, unless `calls`.
    fn router(&self, net: &Net, calls: bool, shares: bool) -> Daemon {
        let [own, far] = self.under.map(|address| shown(address, PORT));
        let mut ports = format!(
            "[port.to-r2.secure]\nlisten = \"{own}\"\nprivate_key_file = \"own.key\"\n\
             peer = \"{}\"\ninner = [\"{}\", \"{}\"]\n",
            self.far.public(),
            INNER[0],
            INNER[1]
        );
        if calls {
            ports.push_str(&format!("endpoint = \"{far}\"\n"));
        }
        if shares {
            ports.push_str("preshared_key_file = \"shared.key\"\n");
        }
        let (own, shared) = (self.own.to_text(), self.shared.to_text());
        let files = [("own.key", own.as_str()), ("shared.key", shared.as_str())];
        Daemon::start_with(net, "router", &config(), &ports, &files)
    }
}

/// An address and a port as they are written.
fn shown(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

/// A core router whose one link is secure.
fn config() -> RouterConfig {
    let mut link = plan::core_link(1, 2, 10);
    (link.medium, link.mtu) = (Medium::Secure, 1_400);
    RouterConfig { ports: vec![link], ..plan::core(1) }
}

/// The peer, until this is dropped.
struct Peer {
    child: Child,
    interface: String,
    keys: TempDir,
}

impl Peer {
    /// Starts it: who it is, whom it takes for us, and whatever else `wg` is to be told of us.
    fn start(net: &Net, own: &PrivateKey, us: &PrivateKey, more: &str) -> Self {
        need(&PACKAGES);
        /// The names of interfaces are the machine's, because `wg` finds them in one folder.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let interface = format!("wg{}n{number}", std::process::id());
        let keys = TempDir::with_prefix("wg-").expect("a folder");
        let mut command = net.command("peer", "wireguard-go");
        command.env("LOG_LEVEL", "verbose").args(["-f", &interface]).stdin(Stdio::null());
        let said = fs::File::create(keys.path().join("messages")).expect("a file");
        command.stdout(said.try_clone().expect("a descriptor")).stderr(said);
        let child = command.spawn().expect("wireguard-go starts");
        let peer = Self { child, interface, keys };
        let socket = peer.socket();
        wait_for("the peer's socket", PATIENCE, || if socket.exists() { Ok(()) } else { Err(()) });
        let key = peer.keys.path().join("own.key");
        fs::write(&key, own.to_text()).expect("a file");
        let (key, ours) = (key.display(), us.public());
        peer.set(net, &format!("private-key {key} listen-port {PORT}"));
        peer.set(net, &format!("peer {ours} allowed-ips {}/32 {more}", INNER[0]));
        net.run("peer", &format!("ip link set {} mtu 1420 up", peer.interface));
        peer
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/var/run/wireguard/{}.sock", self.interface))
    }

    fn set(&self, net: &Net, what: &str) {
        net.run("peer", &format!("wg set {} {what}", self.interface));
    }

    /// When its last handshake was, in seconds of Unix; 0 for never.
    fn last_handshake(&self, net: &Net) -> u64 {
        let shown = net.run("peer", &format!("wg show {} latest-handshakes", self.interface));
        let last = shown.split_whitespace().last().expect("a peer");
        last.parse().expect("a number of seconds")
    }

    /// Whether it has ever had a handshake.
    fn has_shaken_hands(&self, net: &Net) -> Result<(), &'static str> {
        if self.last_handshake(net) > 0 { Ok(()) } else { Err("no handshake") }
    }

    /// Its end inside the tunnel.
    fn wire(&self, net: &Net) -> Wire {
        Wire::open(net, "peer", &self.interface)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        last_words(|| {
            let said = fs::read_to_string(self.keys.path().join("messages")).unwrap_or_default();
            format!("{}\n{said}", self.interface)
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(self.socket());
    }
}

/// Whether our router takes the link for usable; what it says instead where it does not.
fn port_is_up(daemon: &Daemon) -> Result<(), Option<String>> {
    let mut view = daemon.view();
    let port = view.ports.pop().expect("a port");
    if port.up { Ok(()) } else { Err(port.reason) }
}

/// The payloads in GRE of this protocol type that our router has sent since the last call.
fn payloads(wire: &mut Wire, wanted: u16) -> Vec<Vec<u8>> {
    let heard = wire.heard();
    let payload = |packet: &Vec<u8>| {
        let (ends, gre) = (packet.get(9..20)?, packet.get(20..)?);
        let [protocol, _, _, inner @ ..] = ends else { return None };
        let own = [INNER[0].octets(), INNER[1].octets()].concat();
        let (head, payload) = gre.split_first_chunk::<4>()?;
        let [0, 0, high, low] = *head else { return None };
        let fits = *protocol == frames::GRE && *inner == *own;
        (fits && u16::from_be_bytes([high, low]) == wanted).then(|| payload.to_vec())
    };
    heard.iter().filter_map(payload).collect()
}

/// Waits for a payload in GRE.
fn expect_payload(
    wire: &mut Wire,
    what: &str,
    protocol: u16,
    is_it: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    wait_for(what, PATIENCE, || {
        let mut heard = payloads(wire, protocol);
        match heard.iter().position(|payload| is_it(payload)) {
            Some(place) => Ok(heard.swap_remove(place)),
            None => Err(heard),
        }
    })
}

/// Asks our router's address on the link for an echo, again and again until one comes back: what is
/// sent before there is a way is lost.
fn expect_echo(wire: &mut Wire) {
    static SEQUENCE: AtomicU16 = AtomicU16::new(0);
    let (far, own) = (plan::on_link(2, 1), plan::on_link(1, 2));
    let ends = [own.octets(), far.octets()].concat();
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let request = frames::echo((far, own), 255, sequence, b"from the far end of a tunnel");
    let gre = frames::gre(frames::IPV4, &request);
    wait_for("echo", PATIENCE, || {
        wire.send(&frames::ipv4((INNER[1], INNER[0]), (frames::GRE, 64), &gre));
        wire.flush();
        let heard = payloads(wire, frames::IPV4);
        let is_reply = |packet: &Vec<u8>| {
            let (protocol, kind) = (packet.get(9), packet.get(20));
            (protocol, kind) == (Some(&frames::ICMP), Some(&0))
                && packet.get(12..20) == Some(&ends)
                && packet.get(24..) == request.get(24..)
        };
        if heard.iter().any(is_reply) { Ok(()) } else { Err(heard) }
    });
}

/// The peer was given another key: "no handshake within 8s".
#[test]
fn stock_peer_is_heard_and_answered_in_gre_over_ipv4_and_ipv6() {
    for link in [Link::over_ipv4(), Link::new(["fd00:2::1", "fd00:2::2"])] {
        let net = link.net();
        let router = link.router(&net, false, false);
        let endpoint = shown(link.under[0], PORT);
        let more = format!("endpoint {endpoint} persistent-keepalive 25");
        let peer = Peer::start(&net, &link.far, &link.own, &more);
        let mut wire = peer.wire(&net);
        wait_for("handshake", PATIENCE, || peer.has_shaken_hands(&net));
        wait_for("link", PATIENCE, || port_is_up(&router));
        expect_echo(&mut wire);
        let bfd = expect_payload(&mut wire, "bfd", frames::IPV4, |packet| {
            packet.get(9) == Some(&frames::UDP)
                && packet.get(22..24) == Some(&frames::BFD.to_be_bytes())
        });
        assert_eq!(bfd.get(8), Some(&255), "the time to live says that it is from the link");
        let hello =
            expect_payload(&mut wire, "hello", frames::ISO, |pdu| pdu.first() == Some(&0x83));
        assert_eq!(hello.get(4), Some(&17), "a hello of a point-to-point link");
    }
}

/// The peer was given another preshared key: "no handshake within 8s".
#[test]
fn our_router_calls_a_stock_peer_that_only_listens() {
    let link = Link::over_ipv4();
    let net = link.net();
    let router = link.router(&net, true, true);
    let keys = TempDir::with_prefix("wg-").expect("a folder");
    let shared = keys.path().join("shared.key");
    fs::write(&shared, link.shared.to_text()).expect("a file");
    let more = format!("preshared-key {}", shared.display());
    let peer = Peer::start(&net, &link.far, &link.own, &more);
    wait_for("handshake", PATIENCE, || peer.has_shaken_hands(&net));
    wait_for("link", PATIENCE, || port_is_up(&router));
    expect_echo(&mut peer.wire(&net));
}

/// Our end did not follow the peer to where its packets come from: "no echo within 8s".
#[test]
fn stock_peer_that_starts_anew_or_moves_is_found_again() {
    let link = Link::over_ipv4();
    let net = link.net();
    let router = link.router(&net, false, false);
    let endpoint = shown(link.under[0], PORT);
    let more = format!("endpoint {endpoint} persistent-keepalive 25");
    let peer = Peer::start(&net, &link.far, &link.own, &more);
    expect_echo(&mut peer.wire(&net));
    drop(peer);
    let peer = Peer::start(&net, &link.far, &link.own, &more);
    expect_echo(&mut peer.wire(&net));
    // Its packets come from another address and another port from now on.
    net.run("peer", "ip addr del 192.0.2.2/24 dev under");
    net.run("peer", "ip addr add 192.0.2.77/24 dev under");
    peer.set(&net, "listen-port 51999");
    expect_echo(&mut peer.wire(&net));
    port_is_up(&router).expect("the link was never down");
}

/// Nobody shakes hands, and our port stays down.
fn expect_nothing(net: &Net, router: &Daemon, peer: &Peer) {
    holds_for("without a handshake", TWO_ATTEMPTS, || {
        match (peer.has_shaken_hands(net), port_is_up(router)) {
            (Err(_), Err(_)) => Ok(()),
            (shaken, up) => Err((shaken.is_ok(), up.is_ok())),
        }
    });
    let refused = router.ask("status");
    let refused = refused.pointer("/devices/0/refused").and_then(serde_json::Value::as_u64);
    assert!(refused > Some(0), "somebody was refused: {refused:?}");
}

/// The stranger was given the peer's key: "not without a handshake after 5.198733ms".
#[test]
fn stranger_with_a_key_of_its_own_gets_no_handshake() {
    let link = Link::over_ipv4();
    let net = link.net();
    let router = link.router(&net, true, false);
    let endpoint = shown(link.under[0], PORT);
    let more = format!("endpoint {endpoint} persistent-keepalive 1");
    let peer = Peer::start(&net, &PrivateKey::generate(), &link.own, &more);
    expect_nothing(&net, &router, &peer);
}

/// Neither end was given the key: "not without a handshake after 4.326692ms".
#[test]
fn key_that_only_one_end_was_given_makes_no_handshake() {
    let link = Link::over_ipv4();
    let net = link.net();
    let router = link.router(&net, true, true);
    let endpoint = shown(link.under[0], PORT);
    let more = format!("endpoint {endpoint} persistent-keepalive 1");
    let peer = Peer::start(&net, &link.far, &link.own, &more);
    expect_nothing(&net, &router, &peer);
}
