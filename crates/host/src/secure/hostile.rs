//! Tests with somebody who wants the link no good: noise, forgeries, recordings, floods, and a peer
//! that seals what a link does not carry.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Instant;

use boringtun::noise::{Tunn, TunnResult};
use packet::{ip, ipv4};

use super::tests::{
    ROUND, address, come_up, config, far, frame, link, next, pair_up, received, socket, soon, works,
};
use super::{PrivateKey, PublicKey, RefusedReason, SecureLink, TYPE_COOKIE};
use crate::device::Device as _;

fn count(link: &SecureLink, reason: RefusedReason) -> u64 {
    link.refusals().find(|(one, _)| *one == reason).map_or(0, |(_, count)| count)
}

/// Sends datagrams to a link, which hands over nothing, and says how many it has refused.
fn refused_of(link: &mut SecureLink, from: &UdpSocket, datagrams: &[Vec<u8>]) -> usize {
    let mut refused = 0;
    for round in datagrams.chunks(ROUND) {
        let before = link.counters().refused;
        for datagram in round {
            from.send_to(datagram, address(link)).unwrap();
        }
        let all = u64::try_from(round.len()).unwrap();
        let counted = soon(|| {
            assert!(received(link).is_empty());
            (link.counters().refused - before == all).then_some(round.len())
        });
        refused += counted.unwrap_or_default();
    }
    refused
}

/// The next datagram of a socket.
fn datagram(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (len, from) = soon(|| socket.recv_from(&mut buffer).ok()).unwrap();
    (buffer[..len].to_vec(), from)
}

/// Octets without a pattern.
fn noise(seed: &mut u64, len: usize) -> Vec<u8> {
    let mut octet = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        seed.to_le_bytes()[0]
    };
    (0..len).map(|_| octet()).collect()
}

/// The message that the library wrote.
fn written(result: TunnResult<'_>) -> Vec<u8> {
    let TunnResult::WriteToNetwork(message) = result else { panic!("{result:?}") };
    message.to_vec()
}

/// The library without the link around it, and its socket.
struct Bare {
    tunnel: Tunn,
    socket: UdpSocket,
    scratch: Vec<u8>,
}

impl Bare {
    fn new(key: &PrivateKey, peer: PublicKey) -> Self {
        let tunnel = Tunn::new(key.secret(), peer.point(), None, None, 0, None);
        Self { tunnel, socket: socket(), scratch: vec![0; 2048] }
    }

    fn initiation(&mut self) -> Vec<u8> {
        written(self.tunnel.format_handshake_initiation(&mut self.scratch, true))
    }

    fn seal(&mut self, packet: &[u8]) -> Vec<u8> {
        written(self.tunnel.encapsulate(packet, &mut self.scratch))
    }

    /// Takes an answer to our handshake and says what confirms it.
    fn confirmation(&mut self, answer: &[u8]) -> Vec<u8> {
        written(self.tunnel.decapsulate(None, answer, &mut self.scratch))
    }

    fn send(&self, message: &[u8], link: &SecureLink) {
        self.socket.send_to(message, address(link)).unwrap();
    }
}

/// A link that waits, and a bare peer that it expects.
fn bare_pair() -> (Bare, SecureLink) {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let bare = Bare::new(&here, there.public());
    (bare, link(&far(config(there, here.public(), None))))
}

/// The same after a handshake, with the messages that the peer sent for it.
fn bare_pair_up() -> (Bare, SecureLink, [Vec<u8>; 2]) {
    let (mut bare, mut link) = bare_pair();
    let initiation = bare.initiation();
    bare.send(&initiation, &link);
    let answer = soon(|| {
        assert!(received(&mut link).is_empty());
        let mut buffer = [0; 2048];
        bare.socket.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec())
    });
    assert!(!link.carrier(), "the peer has not used the session");
    let confirmation = bare.confirmation(&answer.unwrap());
    bare.send(&confirmation, &link);
    let up = soon(|| {
        assert!(received(&mut link).is_empty());
        link.carrier().then_some(())
    });
    assert!(up.is_some());
    (bare, link, [initiation, confirmation])
}

/// A GRE packet from the peer's address to the link's.
fn gre(frame: &[u8]) -> Vec<u8> {
    ip::encode(ends("10.255.0.1", "10.255.0.2"), 47, (0, 64), frame).unwrap()
}

fn ends(from: &str, to: &str) -> (IpAddr, IpAddr) {
    (from.parse().unwrap(), to.parse().unwrap())
}

#[test]
fn noise_is_refused_by_reason_and_changes_nothing() {
    let (mut one, mut other) = pair_up();
    let (stranger, mut seed) = (socket(), 0x5eed);
    let mut datagrams: Vec<Vec<u8>> = (0..512).map(|len| noise(&mut seed, len)).collect();
    let shaped = [(1, 148, RefusedReason::WrongMac), (2, 92, RefusedReason::WrongMac)];
    let shapes = [(3, 64, RefusedReason::NoSession), (4, 120, RefusedReason::NoSession)];
    for (kind, len, _) in shaped.into_iter().chain(shapes) {
        for _ in 0..64 {
            let mut datagram = noise(&mut seed, len);
            datagram[..4].copy_from_slice(&[kind, 0, 0, 0]);
            // A random counter is now and then one that no session reaches.
            datagram[15] = 0;
            datagrams.push(datagram);
        }
    }
    let endpoint = other.endpoint();
    assert_eq!(refused_of(&mut other, &stranger, &datagrams), datagrams.len());
    assert_eq!(count(&other, RefusedReason::Malformed), 512);
    assert_eq!(count(&other, RefusedReason::WrongMac), 128);
    assert_eq!(count(&other, RefusedReason::NoSession), 128);
    assert_eq!(other.endpoint(), endpoint);
    assert!(other.waiting.is_empty());
    assert!(works(&mut one, &mut other));
}

#[test]
fn every_truncation_of_a_handshake_is_refused() {
    let (mut bare, mut link) = bare_pair();
    let initiation = bare.initiation();
    let cut: Vec<_> = (0..initiation.len()).map(|len| initiation[..len].to_vec()).collect();
    assert_eq!(refused_of(&mut link, &bare.socket, &cut), cut.len());
    assert_eq!(count(&link, RefusedReason::Malformed), u64::try_from(cut.len()).unwrap());
}

#[test]
fn handshake_with_any_octet_changed_is_refused() {
    let (mut bare, mut link) = bare_pair();
    let initiation = bare.initiation();
    // The last 16 octets are a second MAC, which counts only for who was given a cookie.
    let changed = |at: usize| {
        let mut changed = initiation.clone();
        changed[at] ^= 0x10;
        changed
    };
    let changed: Vec<_> = (0..initiation.len() - 16).map(changed).collect();
    assert_eq!(refused_of(&mut link, &bare.socket, &changed), changed.len());
    assert_eq!(count(&link, RefusedReason::Malformed), 4, "the type");
    assert_eq!(count(&link, RefusedReason::WrongMac), 128);
}

#[test]
fn frame_with_any_octet_changed_is_refused_and_the_frame_itself_then_taken() {
    let (mut bare, mut link, _) = bare_pair_up();
    let sealed = bare.seal(&gre(&frame(5)));
    let changed = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 0x10;
        changed
    };
    let changed: Vec<_> = (0..sealed.len()).map(changed).collect();
    assert_eq!(refused_of(&mut link, &bare.socket, &changed), changed.len());
    assert!(count(&link, RefusedReason::NotAuthentic) >= 100);
    bare.send(&sealed, &link);
    assert_eq!(next(&mut link), Some(frame(5)));
}

#[test]
fn whatever_was_recorded_is_refused_when_it_comes_again() {
    let (mut bare, mut link, handshake) = bare_pair_up();
    let sealed: Vec<_> = (0..40).map(|number| bare.seal(&gre(&frame(number)))).collect();
    for (number, sealed) in (0..).zip(&sealed) {
        bare.send(sealed, &link);
        assert_eq!(next(&mut link), Some(frame(number)));
    }
    let thief = socket();
    let endpoint = link.endpoint();
    let record = [handshake.as_slice(), &sealed].concat();
    assert_eq!(refused_of(&mut link, &thief, &record), record.len());
    assert_eq!(count(&link, RefusedReason::Replayed), u64::try_from(record.len()).unwrap());
    assert_eq!(link.endpoint(), endpoint);
    let sealed = bare.seal(&gre(&frame(50)));
    bare.send(&sealed, &link);
    assert_eq!(next(&mut link), Some(frame(50)));
}

#[test]
fn frame_beyond_the_end_of_the_counter_is_refused() {
    let (mut bare, mut link, _) = bare_pair_up();
    let mut sealed = bare.seal(&gre(&frame(1)));
    sealed[8..16].fill(0xff);
    assert_eq!(refused_of(&mut link, &bare.socket, &[sealed]), 1);
    assert_eq!(count(&link, RefusedReason::Replayed), 1);
}

#[test]
fn recorded_handshake_neither_brings_a_restarted_link_up_nor_moves_it() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let mut bare = Bare::new(&here, there.public());
    let recorded = bare.initiation();
    let home = bare.socket.local_addr().ok();
    let mut link = link(&far(config(there, here.public(), home)));
    let thief = socket();
    thief.send_to(&recorded, address(&link)).unwrap();
    let answer = soon(|| {
        assert!(received(&mut link).is_empty());
        let mut buffer = [0; 2048];
        thief.recv(&mut buffer).ok()
    });
    assert_eq!(answer, Some(92), "it cannot be told from the peer's");
    assert_eq!((link.carrier(), link.endpoint()), (false, home));
}

/// What the peer makes of the next frame of the link, whatever handshakes come before it.
fn opened_by(bare: &mut Bare, link: &mut SecureLink) -> Option<Vec<u8>> {
    link.send(&frame(9));
    let sealed = soon(|| {
        assert!(received(link).is_empty());
        let mut buffer = [0; 2048];
        let len = bare.socket.recv(&mut buffer).ok()?;
        // A frame, not a handshake or a sign of life.
        (buffer[0] == 4 && len > 32).then(|| buffer[..len].to_vec())
    });
    match bare.tunnel.decapsulate(None, &sealed?, &mut bare.scratch) {
        TunnResult::WriteToTunnelV4(packet, _) => Some(packet[20..].to_vec()),
        TunnResult::Done
        | TunnResult::Err(_)
        | TunnResult::WriteToNetwork(_)
        | TunnResult::WriteToTunnelV6(..) => None,
    }
}

/// Able to fail: the eighth answer took the place of the session in use, and the peer could open
/// nothing any more.
#[test]
fn recorded_handshakes_do_not_cost_a_restarted_link_its_session() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let mut bare = Bare::new(&here, there.public());
    // As many as are answered within a second.
    let recorded: Vec<_> = (0..9).map(|_| bare.initiation()).collect();
    bare = Bare { tunnel: Bare::new(&here, there.public()).tunnel, ..bare };
    let home = bare.socket.local_addr().ok();
    let mut link = link(&far(config(there, here.public(), home)));
    assert!(received(&mut link).is_empty());
    let (initiation, _) = datagram(&bare.socket);
    let answer = bare.confirmation(&initiation);
    bare.send(&answer, &link);
    let up = soon(|| received(&mut link).is_empty().then(|| link.carrier()).filter(|up| *up));
    assert!(up.is_some());
    assert_eq!(opened_by(&mut bare, &mut link), Some(frame(9)));

    let thief = socket();
    for recording in &recorded {
        thief.send_to(recording, address(&link)).unwrap();
        let answer = soon(|| {
            assert!(received(&mut link).is_empty());
            thief.recv(&mut [0; 2048]).ok()
        });
        assert_eq!(answer, Some(92), "it cannot be told from the peer's");
        assert_eq!(opened_by(&mut bare, &mut link), Some(frame(9)));
    }
    assert_eq!((link.carrier(), link.endpoint()), (true, home));
}

#[test]
fn wrong_keys_never_come_up() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let somebody = PrivateKey::generate().public();
    let cases = [
        (there.public(), somebody, RefusedReason::NotThePeer),
        (somebody, here.public(), RefusedReason::WrongMac),
    ];
    for (expected_there, expected_here, reason) in cases {
        let mut other = link(&far(config(there.clone(), expected_here, None)));
        let mut one = link(&config(here.clone(), expected_there, Some(address(&other))));
        let refused = soon(|| {
            assert!(received(&mut one).is_empty() && received(&mut other).is_empty());
            (count(&other, reason) == 1).then_some(())
        });
        assert!(refused.is_some(), "{reason:?}");
        assert_eq!((one.carrier(), other.carrier(), other.endpoint()), (false, false, None));
    }
}

#[test]
fn flood_of_handshakes_is_asked_for_cookies_and_the_peer_still_gets_in() {
    let (here, there) = (PrivateKey::generate(), PrivateKey::generate());
    let mut other = link(&far(config(there.clone(), here.public(), None)));
    let mut one = link(&config(here, there.public(), Some(address(&other))));
    let mut flooder = Bare::new(&PrivateKey::generate(), there.public());
    let flood: Vec<_> = (0..100).map(|_| flooder.initiation()).collect();
    assert_eq!(refused_of(&mut other, &flooder.socket, &flood), flood.len());
    let (worked_out, asked) =
        (count(&other, RefusedReason::NotThePeer), count(&other, RefusedReason::UnderLoad));
    assert!(worked_out <= 50 && worked_out + asked == 100, "{worked_out} worked out");
    let (cookie, _) = datagram(&flooder.socket);
    assert_eq!((cookie.first(), cookie.len()), (Some(&TYPE_COOKIE), 64));

    // The peer is asked for a cookie like everybody, and comes back with it five seconds later:
    // here at once.
    let answered = soon(|| {
        one.handle_timeout(Instant::now());
        assert!(received(&mut other).is_empty());
        one.socket.peek_from(&mut [0; 1]).ok()
    });
    assert!(answered.is_some() && received(&mut one).is_empty());
    if count(&other, RefusedReason::UnderLoad) > asked {
        let again = one.tunnel.format_handshake_initiation(&mut one.scratch, true);
        one.socket.send_to(&written(again), address(&other)).unwrap();
    }
    assert!(come_up(&mut one, &mut other) && works(&mut one, &mut other));
}

#[test]
fn peer_that_seals_what_a_link_does_not_carry_is_refused_by_reason() {
    let (mut bare, mut link, _) = bare_pair_up();
    let right = ends("10.255.0.1", "10.255.0.2");
    let packet = |ends, protocol| ip::encode(ends, protocol, (0, 64), &frame(1)).unwrap();
    let mut fragment = packet(right, 47);
    fragment[6] = 0x20;
    ipv4::refresh_checksum(&mut fragment);
    let cases = [
        (packet(right, 1), RefusedReason::NotGre),
        (packet(ends("10.255.0.2", "10.255.0.1"), 47), RefusedReason::WrongAddress),
        (packet(ends("10.255.0.1", "10.255.0.3"), 47), RefusedReason::WrongAddress),
        (packet(ends("fd00::1", "fd00::2"), 47), RefusedReason::WrongAddress),
        (fragment, RefusedReason::Fragment),
        (b"neither IPv4 nor IPv6".to_vec(), RefusedReason::NotIp),
        (packet(right, 47)[..60].to_vec(), RefusedReason::NotIp),
    ];
    for (packet, reason) in cases {
        let before = count(&link, reason);
        let sealed = bare.seal(&packet);
        assert_eq!(refused_of(&mut link, &bare.socket, &[sealed]), 1, "{reason:?}");
        assert_eq!(count(&link, reason), before + 1, "{reason:?}");
    }
    let sealed = bare.seal(&gre(&frame(5)));
    bare.send(&sealed, &link);
    assert_eq!(next(&mut link), Some(frame(5)));
}

#[test]
fn noise_uses_up_the_budget_as_frames_do() {
    let (_, mut link) = bare_pair();
    let stranger = socket();
    for _ in 0..3 {
        stranger.send_to(&[9; 40], address(&link)).unwrap();
    }
    let taken = soon(|| {
        let taken = link.receive(2, &mut |frame| panic!("{frame:?}")).unwrap();
        (taken > 0).then_some(taken)
    });
    assert_eq!(taken, Some(2), "more may wait");
    assert_eq!(link.counters().refused, 2);
    assert_eq!(link.receive(2, &mut |frame| panic!("{frame:?}")).unwrap(), 1, "no more wait");
}

#[test]
fn datagrams_that_find_no_room_are_counted_once() {
    let (_, mut link) = bare_pair();
    let stranger = socket();
    // One socket's send buffer is not asked to hold them: the loopback delivers at once.
    let sent = 40_000_u64;
    for _ in 0..sent {
        stranger.send_to(&[9; 40], address(&link)).unwrap();
    }
    let lost = link.counters().lost_in;
    assert!(lost > 0 && lost < sent, "{lost} of {sent}");
    assert_eq!(link.counters().lost_in, lost, "nothing was lost meanwhile");
    let all = soon(|| {
        assert!(received(&mut link).is_empty());
        (link.counters().refused == sent - lost).then_some(())
    });
    assert!(all.is_some(), "what is not lost is read: {:?}", link.counters());
}
