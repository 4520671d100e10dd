//! What crosses the border of a virtual network, and what does not.
//!
//! Whatever is refused is looked for where it would have arrived: on the server's LAN.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use host::namespace::Namespace;

use crate::scene::{Lab, Witness};
use crate::servers::{Database, Web};
use crate::wait::wait_for;

/// How long a connection that may be made takes at the very most, a lost packet included.
const PATIENCE: Duration = Duration::from_secs(3);
/// The community's application.
const RECORDS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 10));
const RECORDS_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0, 0xa));

const fn host(site: &str) -> IpAddr {
    let [kind, number, ..] = site.as_bytes() else { panic!("no site") };
    let network = if *kind == b'H' { 1 } else { 2 };
    IpAddr::V4(Ipv4Addr::new(10, network, *number - b'1', 20))
}

const fn host_v6(site: &str) -> IpAddr {
    let [kind, number, ..] = site.as_bytes() else { panic!("no site") };
    let network = if *kind == b'H' { 0 } else { 1 };
    let place = if *number == b'1' { 0 } else { 1 };
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, network, place, 0, 0, 0, 0x14))
}

#[test]
fn nothing_of_one_virtual_network_reaches_another() {
    let lab = Lab::start("two-pops");
    refuses(&lab, "H2", "H1", "G1", ["10.2.", "fd00:100:1:"]);
    refuses(&lab, "G1", "G2", "H2", ["10.1.", "fd00:100:0:1:"]);
}

/// A server answers a friend of its own virtual network, and sees nothing of a stranger.
fn refuses(lab: &Lab, server: &str, friend: &str, stranger: &str, theirs: [&str; 2]) {
    let address = host(server);
    let database = Database::start(lab, server, address);
    let web = Web::start(lab, server, (address, 443), &[("note", b"hello")]);
    let witness = Witness::on(lab, server, "not arp");
    let (v4, v6) = (address.to_string(), host_v6(server).to_string());
    let fetch = web.curl("note", &["--max-time", "3"]);
    let target = database.target();
    let attempts: [Vec<&str>; 4] = [
        fetch.iter().map(String::as_str).collect(),
        vec!["psql", "-XAtq", &target, "-c", "select 1"],
        vec!["ping", "-n", "-c", "2", "-i", "0.5", "-W", "1", &v4],
        vec!["ping", "-n", "-c", "2", "-i", "0.5", "-W", "1", &v6],
    ];
    let outcome = |from: &str| {
        let start = |words: &Vec<&str>| {
            let mut command = lab.command(from, words);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
        };
        let running: Vec<_> = attempts.iter().map(start).collect();
        let ended = running.into_iter().map(|child| child.wait_with_output().expect("it ends"));
        ended.collect::<Vec<_>>()
    };
    for output in outcome(stranger) {
        assert!(!output.status.success(), "{stranger} to {server}: {output:?}");
    }
    for output in outcome(friend) {
        assert!(output.status.success(), "{friend} to {server}: {output:?}");
    }
    let friend = host(friend).to_string();
    let seen = witness.seen_until(&format!("{friend} > {v4}: ICMP echo request"));
    let (asked, connected) = (web.asked(), database.asked());
    for place in [&seen, &asked, &connected] {
        assert!(place.contains(&friend), "{friend} is missing: {place}");
        assert!(!theirs.iter().any(|their| place.contains(their)), "{place}");
    }
}

/// Listens on a site's host.
fn listen(space: &Namespace, address: IpAddr, port: u16) -> TcpListener {
    let listen = || TcpListener::bind(SocketAddr::new(address, port));
    space.run(listen).unwrap_or_else(|error| panic!("{address} port {port}: {error}"))
}

/// Whether a host can open a connection.
fn connects(space: &Namespace, to: SocketAddr) -> bool {
    space.run(|| TcpStream::connect_timeout(&to, PATIENCE)).is_ok()
}

/// What a host is answered to a datagram.
fn asks(space: &Namespace, to: SocketAddr) -> io::Result<usize> {
    space.run(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send_to(b"question", to)?;
        socket.recv(&mut [0; 16])
    })
}

/// Answers one datagram.
fn answer(socket: &UdpSocket) -> io::Result<usize> {
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut datagram = [0; 16];
    let (len, from) = socket.recv_from(&mut datagram)?;
    socket.send_to(datagram.get(..len).unwrap_or_default(), from)
}

#[test]
fn a_community_offers_its_application_and_nothing_else() {
    const OFFERED: [(IpAddr, u16); 5] = [
        (RECORDS, 33_962),
        (RECORDS, 33_964),
        (RECORDS_V6, 443),
        (RECORDS_V6, 33_963),
        (RECORDS_V6, 33_964),
    ];
    const REFUSED: [(IpAddr, u16); 9] = [
        (RECORDS, 22),
        (RECORDS, 80),
        (RECORDS, 5432),
        (RECORDS, 33_961),
        (RECORDS, 33_965),
        (RECORDS_V6, 80),
        (RECORDS_V6, 33_965),
        (host("H1"), 443),
        (host("H1"), 33_962),
    ];
    let lab = Lab::start("two-pops");
    let (provider, member, own) = (lab.lan("H1"), lab.lan("G1"), lab.lan("H2"));
    let web = Web::start(&lab, "H1", (RECORDS, 443), &[("note", b"hello")]);
    let all = OFFERED.iter().chain(&REFUSED);
    let listeners: Vec<_> = all.map(|(to, port)| listen(&provider, *to, *port)).collect();
    let udp = provider.run(|| UdpSocket::bind((RECORDS, 443))).expect("a socket");
    let witness = Witness::on(&lab, "H1", "src net 10.2.0.0/16 or src net fd00:100:1::/48");
    let member = &member;
    thread::scope(|scope| {
        scope.spawn(|| answer(&udp));
        let note = lab.succeed("G1", &web.curl("note", &["--max-time", "5"]));
        assert_eq!(note, "hello");
        let refused = REFUSED.map(|to| (to, scope.spawn(move || connects(member, to.into()))));
        for (to, connected) in refused {
            assert!(!connected.join().expect("it ends"), "a practice reaches {to:?}");
        }
        for to in OFFERED {
            assert!(connects(member, to.into()), "a practice does not reach {to:?}");
        }
        for to in OFFERED.iter().chain(&REFUSED) {
            assert!(connects(&own, (*to).into()), "a hospital does not reach {to:?}");
        }
        assert!(asks(member, (RECORDS, 443).into()).is_err());
        assert_eq!(asks(&own, (RECORDS, 443).into()).ok(), Some(8));
        for to in [RECORDS, RECORDS_V6].map(|address| address.to_string()) {
            let ping = ["ping", "-n", "-c", "2", "-i", "0.3", "-W", "1", &to];
            assert!(!lab.run("G1", &ping).status.success(), "a practice's ping reaches {to}");
            lab.succeed("H2", &ping);
        }
    });
    drop(listeners);
    assert!(!connects(member, (RECORDS, 33_963).into()), "nobody listens there");
    let seen = witness.seen_until("10.1.0.10.33963:");
    for (to, port) in REFUSED {
        let words = format!("> {to}.{port}:");
        assert!(!seen.contains(&words), "{words} {seen}");
    }
    for never in ["UDP", "ICMP", "ICMP6"] {
        assert!(!seen.contains(never), "{never}: {seen}");
    }
}

#[test]
fn an_application_answers_members_but_does_not_call_them() {
    let lab = Lab::start("two-pops");
    let (provider, member, own) = (lab.lan("H1"), lab.lan("G1"), lab.lan("G2"));
    let (called, answered) =
        (listen(&member, host("G1"), 8080), listen(&provider, RECORDS, 33_962));
    let same_port = listen(&member, host("G1"), 443);
    let witness = Witness::on(&lab, "G1", "tcp and src net 10.0.0.0/8 and dst host 10.2.0.20");
    assert!(connects(&member, (RECORDS, 33_962).into()), "the application answers");
    for port in ["8080", "443"] {
        let url = format!("http://{}:{port}/", host("G1"));
        for from in ["40000", "33963", "443"] {
            let words = ["curl", "-sS", "--max-time", "1", "--interface", "10.1.0.10"];
            let output = lab.run("H1", &[&words[..], &["--local-port", from, &url]].concat());
            assert_eq!(output.status.code(), Some(28), "from port {from} to {url}: {output:?}");
        }
    }
    called.set_nonblocking(true).expect("a socket");
    same_port.set_nonblocking(true).expect("a socket");
    for listener in [&called, &same_port] {
        let refused = listener.accept().map_err(|error| error.kind());
        assert!(matches!(refused, Err(io::ErrorKind::WouldBlock)), "{refused:?}");
    }
    assert!(connects(&own, (host("G1"), 8080).into()), "a practice calls another");
    let seen = witness.seen_until("10.2.1.20.");
    let from_records = |line: &&str| line.contains("10.1.0.10.") && line.contains(" > ");
    let calls: Vec<&str> = seen.lines().filter(from_records).collect();
    assert!(calls.iter().any(|line| line.contains("Flags [S.]")), "the answer is seen: {seen}");
    assert!(calls.iter().all(|line| line.contains("10.1.0.10.33962 >")), "{calls:#?}");
    assert!(!calls.iter().any(|line| line.contains("Flags [S],")), "{calls:#?}");
    drop(answered);
}

/// Octets that go each way.
const TRANSFER: usize = 5_000_000;

/// Sends a lot over a connection both ways, and compares what comes with what went.
fn transfer(from: &Namespace, listener: &TcpListener) -> io::Result<()> {
    let octet = |place: usize| u8::try_from(place % 251).unwrap_or_default();
    let there: Vec<u8> = (0..TRANSFER).map(octet).collect();
    let back: Vec<u8> = there.iter().rev().copied().collect();
    let patient = |stream: TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        io::Result::Ok(stream)
    };
    let arrived = |mut stream: &TcpStream, expected: &[u8]| {
        let mut got = vec![0; expected.len()];
        stream.read_exact(&mut got)?;
        if got == expected { Ok(()) } else { Err(io::Error::other("it came otherwise")) }
    };
    let to = listener.local_addr()?;
    thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let mut stream = patient(listener.accept()?.0)?;
            arrived(&stream, &there)?;
            stream.write_all(&back)
        });
        let mut stream = patient(from.run(|| TcpStream::connect_timeout(&to, PATIENCE))?)?;
        stream.write_all(&there)?;
        arrived(&stream, &back)?;
        serving.join().unwrap_or_else(|_| Err(io::Error::other("panicked")))
    })
}

#[test]
fn large_transfers_pass_a_smaller_mtu_without_fragments() {
    let lab = Lab::start("two-pops");
    let (provider, member) = (lab.lan("H1"), lab.lan("G1"));
    let said = lab.succeed("G1", &["ip", "-o", "link", "show", "lan0"]);
    assert!(said.contains("mtu 1388"), "{said}");
    let listener = listen(&provider, RECORDS, 33_962);
    let fragments = "ip[6:2] & 0x3fff != 0 or (tcp and ip[6] & 0x40 = 0)";
    let witness = Witness::on(&lab, "H1", &format!("icmp or {fragments}"));
    transfer(&member, &listener).expect("a transfer");
    lab.succeed("H2", &["ping", "-n", "-c", "1", "-W", "2", "10.1.0.20"]);
    let seen = witness.seen_until("ICMP echo request");
    assert!(!seen.contains(" proto TCP "), "a fragment, or one that may become one: {seen}");
}

#[test]
fn hosts_that_send_too_much_are_told_the_mtu_of_the_path() {
    let lab = Lab::start("two-pops");
    let (provider, member) = (lab.lan("H1"), lab.lan("G1"));
    lab.succeed("G1", &["ip", "link", "set", "lan0", "mtu", "1500"]);
    let listener = listen(&provider, RECORDS, 33_962);
    let witness = Witness::on(&lab, "H1", "icmp");
    transfer(&member, &listener).expect("a transfer");
    let said = witness.seen_until("need to frag");
    assert!(said.contains("10.1.0.10: ICMP 10.2.0.20 unreachable - need to frag"), "{said}");
    let cached = || {
        let routes = [("G1", RECORDS), ("H1", host("G1"))].map(|(site, to)| {
            let from = if site == "H1" { "10.1.0.10" } else { "10.2.0.20" };
            lab.succeed(site, &["ip", "route", "get", &to.to_string(), "from", from])
        });
        if routes.iter().all(|route| route.contains("mtu 13")) { Ok(()) } else { Err(routes) }
    };
    wait_for("path MTU at both ends", PATIENCE, cached);
}
