//! Links over loopback sockets, and a wire between them that can be watched and moved.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::{
    FRAME_MAX, PresharedKey, PrivateKey, PublicKey, RefusedReason, SecureConfig, SecureLink,
    WAITING_MAX, for_socket,
};
use crate::device::Device as _;

/// Datagrams sent before the receiver has its turn: they fit into any socket's buffer.
pub(super) const ROUND: usize = 32;
/// How long a test waits for what is to come at once.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn config(
    private_key: PrivateKey,
    peer: PublicKey,
    endpoint: Option<SocketAddr>,
) -> SecureConfig {
    SecureConfig {
        private_key,
        peer_public_key: peer,
        preshared_key: None,
        listen: "127.0.0.1:0".parse().unwrap(),
        endpoint,
        inner_local: "10.255.0.1".parse().unwrap(),
        inner_remote: "10.255.0.2".parse().unwrap(),
        keepalive_s: None,
    }
}

/// The configuration of the far end, with its addresses the other way round.
pub(super) fn far(config: SecureConfig) -> SecureConfig {
    let SecureConfig { inner_local, inner_remote, .. } = config;
    SecureConfig { inner_local: inner_remote, inner_remote: inner_local, ..config }
}

pub(super) fn link(config: &SecureConfig) -> SecureLink {
    SecureLink::new(config, config.open().unwrap()).unwrap()
}

pub(super) fn address(link: &SecureLink) -> SocketAddr {
    link.socket.local_addr().unwrap()
}

pub(super) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Tries until there is something.
pub(super) fn soon<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let found = what();
        if found.is_some() {
            return found;
        }
        std::thread::yield_now();
    }
    None
}

/// What a link hands over now.
pub(super) fn received(link: &mut SecureLink) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    link.handle_timeout(Instant::now());
    link.receive(ROUND, &mut |frame| frames.push(frame.to_vec())).unwrap();
    frames
}

/// The next frame of a link.
pub(super) fn next(link: &mut SecureLink) -> Option<Vec<u8>> {
    soon(|| received(link).pop())
}

/// Lets two links run until both are up, and says whether that happened.
pub(super) fn come_up(one: &mut SecureLink, other: &mut SecureLink) -> bool {
    let up = soon(|| {
        assert!(received(one).is_empty() && received(other).is_empty());
        (one.carrier() && other.carrier()).then_some(())
    });
    up.is_some()
}

/// An end that waits for the other to begin, and that other.
pub(super) fn pair() -> (SecureLink, SecureLink) {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let waiting = link(&far(config(there.clone(), here.public(), None)));
    let beginning = link(&config(here, there.public(), Some(address(&waiting))));
    (beginning, waiting)
}

pub(super) fn pair_up() -> (SecureLink, SecureLink) {
    let (mut one, mut other) = pair();
    assert!(come_up(&mut one, &mut other));
    (one, other)
}

pub(super) fn frame(number: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 0x88, 0x47];
    frame.extend([number; 100]);
    frame
}

/// Whether a link carries frames both ways.
pub(super) fn works(one: &mut SecureLink, other: &mut SecureLink) -> bool {
    one.send(&frame(1));
    other.send(&frame(2));
    next(other) == Some(frame(1)) && next(one) == Some(frame(2))
}

/// Somebody between two links: datagrams pass through and are written down.
struct Wire {
    near: UdpSocket,
    far: UdpSocket,
    links: (SocketAddr, SocketAddr),
    record: Vec<Vec<u8>>,
}

impl Wire {
    /// A link that is up over a wire: the end that began is on the near side.
    fn up() -> (SecureLink, SecureLink, Self) {
        let (near, far_side) = (socket(), socket());
        let middle = near.local_addr().unwrap();
        let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
        let mut one = link(&config(here.clone(), there.public(), Some(middle)));
        let mut other = link(&far(config(there, here.public(), None)));
        let links = (address(&one), address(&other));
        let mut wire = Self { near, far: far_side, links, record: Vec::new() };
        let up = soon(|| {
            wire.carry();
            assert!(received(&mut one).is_empty() && received(&mut other).is_empty());
            (one.carrier() && other.carrier()).then_some(())
        });
        assert!(up.is_some());
        (one, other, wire)
    }

    /// Carries what waits.
    fn carry(&mut self) {
        let mut buffer = vec![0; 65_536];
        let ways = [(&self.near, &self.far, self.links.1), (&self.far, &self.near, self.links.0)];
        for (from, to, link) in ways {
            while let Ok(len) = from.recv(&mut buffer) {
                self.record.push(buffer[..len].to_vec());
                to.send_to(&buffer[..len], link).unwrap();
            }
        }
    }

    /// The next frame that a link hands over.
    fn next(&mut self, link: &mut SecureLink) -> Option<Vec<u8>> {
        soon(|| {
            self.carry();
            received(link).pop()
        })
    }
}

#[test]
fn link_comes_up_by_itself_and_carries_frames_both_ways() {
    let (mut one, mut other) = pair();
    assert!(!one.carrier() && !other.carrier());
    assert_eq!(other.endpoint(), None);
    assert!(come_up(&mut one, &mut other));
    assert_eq!(other.endpoint(), Some(address(&one)));
    assert!(one.last_handshake().is_some() && other.last_handshake().is_some());
    for _ in 0..3 {
        assert!(works(&mut one, &mut other));
    }
    for link in [&mut one, &mut other] {
        let counters = link.counters();
        assert_eq!((counters.sent, counters.received, counters.refused), (3, 3, 0));
        assert_eq!((counters.lost_in, counters.lost_out), (0, 0));
    }
}

#[test]
fn link_comes_up_where_both_ends_begin_at_once() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let (near, away) = (socket(), socket());
    let one = config(here.clone(), there.public(), Some(away.local_addr().unwrap()));
    let other = far(config(there, here.public(), Some(near.local_addr().unwrap())));
    let mut one = SecureLink::new(&one, near).unwrap();
    let mut other = SecureLink::new(&other, away).unwrap();
    one.handle_timeout(Instant::now());
    other.handle_timeout(Instant::now());
    assert!(come_up(&mut one, &mut other));
    assert!(works(&mut one, &mut other));
}

#[test]
fn link_that_comes_up_is_news_until_it_is_asked_for() {
    let (mut one, mut other) = pair();
    assert!(!one.has_news(), "a link that is not up is none");
    let news = soon(|| {
        assert!(received(&mut one).is_empty() && received(&mut other).is_empty());
        one.has_news().then_some(())
    });
    assert!(news.is_some());
    assert!(one.carrier());
    assert!(!one.has_news());
}

#[test]
fn preshared_keys_must_agree() {
    let shared = PresharedKey::generate();
    for (theirs, agree) in [(shared.clone(), true), (PresharedKey::generate(), false)] {
        let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
        let waiting = config(there.clone(), here.public(), None);
        let mut other = link(&far(SecureConfig { preshared_key: Some(theirs), ..waiting }));
        let beginning = config(here, there.public(), Some(address(&other)));
        let mut one = link(&SecureConfig { preshared_key: Some(shared.clone()), ..beginning });
        let settled = soon(|| {
            assert!(received(&mut one).is_empty() && received(&mut other).is_empty());
            let refused = one.refusals().next() == Some((RefusedReason::NotAuthentic, 1));
            (refused || one.carrier() && other.carrier()).then_some(())
        });
        assert!(settled.is_some());
        assert_eq!((one.carrier(), other.carrier()), (agree, agree));
    }
}

#[test]
fn ipv6_serves_under_the_tunnel() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let inner = |config| SecureConfig {
        inner_local: "fd00::1".parse().unwrap(),
        inner_remote: "fd00::2".parse().unwrap(),
        ..config
    };
    let mut other = link(&far(inner(config(there.clone(), here.public(), None))));
    let mut one = link(&inner(config(here, there.public(), Some(address(&other)))));
    assert!(come_up(&mut one, &mut other));
    assert!(works(&mut one, &mut other));
}

#[test]
fn frames_wait_for_the_handshake_up_to_their_bound() {
    let (mut one, mut other) = pair();
    let over = 3;
    for number in 0..WAITING_MAX + over {
        one.send(&frame(u8::try_from(number).unwrap()));
    }
    assert_eq!((one.waiting.len(), one.counters().lost_out), (WAITING_MAX, 3));
    other.send(&frame(0));
    assert_eq!(other.counters().lost_out, 1, "there is nowhere to send to");
    let mut frames = Vec::new();
    let all = soon(|| {
        assert!(received(&mut one).is_empty());
        frames.extend(received(&mut other));
        (frames.len() >= WAITING_MAX).then_some(())
    });
    assert!(all.is_some());
    let expected: Vec<_> = (0..u8::try_from(WAITING_MAX).unwrap()).map(frame).collect();
    assert_eq!(frames, expected);
    assert!(one.waiting.is_empty());
}

#[test]
fn longest_frame_passes_and_a_longer_one_is_lost() {
    let (mut one, mut other) = pair_up();
    let longest = vec![7; FRAME_MAX];
    one.send(&longest);
    assert_eq!(next(&mut other), Some(longest));
    one.send(&vec![7; FRAME_MAX + 1]);
    let counters = one.counters();
    assert_eq!((counters.sent, counters.lost_out), (1, 1));
}

#[test]
fn nothing_of_a_frame_is_seen_on_the_wire() {
    let (mut one, mut other, mut wire) = Wire::up();
    let secret = b"patient record 485 777 3456 of G81001";
    let frame: Vec<u8> = [&[0, 0, 0x08, 0x00], secret.as_slice()].concat();
    one.send(&frame);
    assert_eq!(wire.next(&mut other), Some(frame));
    assert!(wire.record.len() >= 4, "two messages of the handshake, its confirmation, the frame");
    for datagram in &wire.record {
        for part in secret.chunks_exact(8) {
            assert!(!datagram.windows(part.len()).any(|octets| octets == part));
        }
    }
}

#[test]
fn peer_is_followed_to_where_it_was_last_heard_from() {
    let (mut one, mut other, mut wire) = Wire::up();
    assert_eq!(other.endpoint(), wire.far.local_addr().ok());
    wire.far = socket();
    one.send(&frame(1));
    assert_eq!(wire.next(&mut other), Some(frame(1)));
    assert_eq!(other.endpoint(), wire.far.local_addr().ok());
    other.send(&frame(2));
    assert_eq!(wire.next(&mut one), Some(frame(2)));
}

#[test]
fn endpoint_that_was_configured_is_followed_too() {
    let (mut one, mut other, mut wire) = Wire::up();
    assert_eq!(one.endpoint(), wire.near.local_addr().ok());
    wire.near = socket();
    other.send(&frame(1));
    assert_eq!(wire.next(&mut one), Some(frame(1)));
    assert_eq!(one.endpoint(), wire.near.local_addr().ok());
    one.send(&frame(2));
    assert_eq!(wire.next(&mut other), Some(frame(2)));
}

#[test]
fn peer_that_restarts_is_taken_up_at_once() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let mut other = link(&far(config(there.clone(), here.public(), None)));
    let beginning = config(here, there.public(), Some(address(&other)));
    for _ in 0..3 {
        let mut one = link(&beginning);
        assert!(
            soon(|| {
                assert!(received(&mut one).is_empty() && received(&mut other).is_empty());
                (other.endpoint() == Some(address(&one))).then_some(())
            })
            .is_some()
        );
        assert!(works(&mut one, &mut other));
    }
}

#[test]
fn configuration_that_cannot_be_is_refused() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate().public());
    let mixed = config(here.clone(), there, None);
    let mixed = SecureConfig { inner_remote: "fd00::2".parse().unwrap(), ..mixed };
    let foreign = config(here, there, Some("[::1]:51820".parse().unwrap()));
    for config in [mixed, foreign] {
        let error = SecureLink::new(&config, config.open().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn endpoint_takes_the_form_of_the_socket() {
    let v4: SocketAddr = "192.0.2.1:51820".parse().unwrap();
    let v6: SocketAddr = "[2001:db8::1]:51820".parse().unwrap();
    assert_eq!(for_socket(v4, v4).unwrap(), v4);
    assert_eq!(for_socket(v6, v6).unwrap(), v6);
    assert_eq!(for_socket(v4, v6).unwrap().to_string(), "[::ffff:192.0.2.1]:51820");
    assert!(for_socket(v6, v4).is_err());
}
