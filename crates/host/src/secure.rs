//! A secure link: a WireGuard tunnel over any IP underlay that carries GRE.
//!
//! One link has one peer and one UDP socket. A frame of the router is a GRE header and what it
//! names; it goes under an IP header between two addresses of the link's own, which is what
//! WireGuard carries, and comes out so at a stock Linux box with a GRE interface over a WireGuard
//! interface. The cryptography and the messages are those of the library `boringtun`, which does
//! no I/O; the socket, the policy and the counting are here.
//!
//! The link brings itself up: where it knows an endpoint it begins a handshake at once, goes on
//! asking, renews the session in good time whether or not frames flow, and keeps the state of
//! translators on the way alive. Where it knows none it waits for the peer. The endpoint is
//! wherever the peer was last heard from under a seal, so that either end may move; a handshake
//! that the peer begins is answered to where it came from, but moves nothing until the peer has
//! used the session, because a recording could have begun it. However many recordings are answered
//! so, the session in use stays (`slots`).
//!
//! Anybody may send datagrams to the socket. What is not the peer's costs a hash or an
//! authentication at most, changes nothing, and is counted by its reason; handshakes beyond ten a
//! second are worked out only for senders that show that they are where they say they are.
//!
//! Standards: WireGuard (J. Donenfeld, NDSS 2017), RFC 2784 (GRE), RFC 4023 §4 (MPLS in GRE).
//! Not implemented: padding of sealed packets to 16 octets, which hides lengths and which no
//! receiver asks for; discovery of the path's MTU; more than one peer on a socket.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use boringtun::noise::{Packet, Tunn, TunnResult};

use crate::device::{Counters, Device};
use crate::ffi;

mod encapsulation;
#[cfg(test)]
mod hostile;
mod key;
mod refused;
mod session;
mod slots;
#[cfg(test)]
mod tests;

pub use key::{KeyError, PresharedKey, PrivateKey, PublicKey};
pub use refused::RefusedReason;

use encapsulation::Encapsulation;
use refused::Refusals;
use session::Session;
use slots::sender_index;

/// Octets of the longest frame: a GRE header and a jumbo frame's payload.
pub const FRAME_MAX: usize = 9_216;
/// Frames that wait for a handshake: what a router says in the first moments, and no flood.
pub const WAITING_MAX: usize = 64;
/// Seconds between packets that keep translators' state alive, where the configuration says
/// nothing: shorter than the 30 seconds of the hastiest of them.
pub const KEEPALIVE_DEFAULT_S: u16 = 25;

/// Octets that an IP header and the seal add at most, and a padding of the peer's.
const OVERHEAD_MAX: usize = 40 + 32 + 16;
const DATAGRAM_MAX: usize = FRAME_MAX + OVERHEAD_MAX;
/// What the kernel may keep until we read it, as it counts: anybody can send to the port, and what
/// is not the peer's must not keep out what is before a busy loop comes round. It counts some 800
/// octets for the shortest datagram, so that this is 50 ms of 100,000 of them a second.
const RECEIVE_BUFFER: i32 = 4 << 20;
/// How often the library's timers are looked at: they count in seconds.
const TICK: Duration = Duration::from_millis(250);
/// REJECT-AFTER-MESSAGES: a session's counter goes no further. The library does not look.
const COUNTER_END: u64 = u64::MAX - (1 << 13);
/// Messages that the library may hold back for a session, all of them empty.
const HELD_BACK_MAX: usize = 256;
/// A message's type: the first octet of four.
const TYPE_COOKIE: u8 = 3;

/// What a secure link is made from.
#[derive(Debug, Clone)]
pub struct SecureConfig {
    /// Our key.
    pub private_key: PrivateKey,
    /// Who the peer is.
    pub peer_public_key: PublicKey,
    /// What both ends were given beforehand, if anything.
    pub preshared_key: Option<PresharedKey>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the peer is at first; where there is none, the peer begins.
    pub endpoint: Option<SocketAddr>,
    /// Our address under the tunnel, from which GRE comes.
    pub inner_local: IpAddr,
    /// The peer's address under the tunnel, of the same family.
    pub inner_remote: IpAddr,
    /// Seconds between packets that keep translators' state alive; 0 for none, and
    /// [`KEEPALIVE_DEFAULT_S`] where nothing is said.
    pub keepalive_s: Option<u16>,
}

impl SecureConfig {
    /// Opens the socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// The address is not this machine's, or is taken.
    pub fn open(&self) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(self.listen)?;
        // A packet of the link's size may be too long for a link on the way, sealed.
        ffi::allow_fragments(socket.as_fd(), self.listen.is_ipv6())?;
        ffi::make_room(socket.as_fd(), RECEIVE_BUFFER);
        Ok(socket)
    }
}

/// A secure link behind a port.
pub struct SecureLink {
    socket: UdpSocket,
    tunnel: Tunn,
    encapsulation: Encapsulation,
    endpoint: Option<SocketAddr>,
    session: Session,
    waiting: VecDeque<Vec<u8>>,
    next_tick: Instant,
    /// What was received last.
    datagram: Box<[u8]>,
    /// Where the library writes.
    scratch: Box<[u8]>,
    /// The packet to be sealed.
    packet: Vec<u8>,
    counters: Counters,
    /// What the kernel had counted as lost when it was last asked.
    lost: u32,
    refusals: Refusals,
    /// What was last said of the carrier.
    was_up: bool,
}

impl fmt::Debug for SecureLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureLink")
            .field("endpoint", &self.endpoint)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// What a message is, once it is found well-formed.
#[derive(Debug, Clone, Copy)]
enum Message {
    Initiation,
    Response { index: u32 },
    Cookie,
    Data { index: u32 },
}

impl Message {
    fn of(datagram: &[u8]) -> Result<Self, RefusedReason> {
        match Tunn::parse_incoming_packet(datagram) {
            Ok(Packet::HandshakeInit(_)) => Ok(Self::Initiation),
            Ok(Packet::HandshakeResponse(answer)) => {
                Ok(Self::Response { index: answer.receiver_idx })
            }
            Ok(Packet::PacketCookieReply(_)) => Ok(Self::Cookie),
            Ok(Packet::PacketData(data)) => {
                let counter = datagram.get(8..).and_then(|rest| rest.first_chunk());
                if counter.is_none_or(|octets| u64::from_le_bytes(*octets) >= COUNTER_END) {
                    return Err(RefusedReason::Replayed);
                }
                Ok(Self::Data { index: data.receiver_idx })
            }
            Err(_) => Err(RefusedReason::Malformed),
        }
    }
}

/// The error that says what is wrong with a configuration.
fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Whether an error of receiving says something of one datagram or of the moment, not of the
/// socket.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
    )
}

/// An address in the form that a socket of this family takes.
fn for_socket(endpoint: SocketAddr, local: SocketAddr) -> io::Result<SocketAddr> {
    match (endpoint.ip(), local.ip()) {
        (IpAddr::V4(ip), IpAddr::V6(_)) => {
            Ok(SocketAddr::new(ip.to_ipv6_mapped().into(), endpoint.port()))
        }
        (IpAddr::V6(_), IpAddr::V4(_)) => Err(invalid("an IPv6 endpoint, but an IPv4 socket")),
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => Ok(endpoint),
    }
}

impl SecureLink {
    /// A link over a socket that is already open, in whichever network namespace. It begins a
    /// handshake at the first [`Device::handle_timeout`], which is due at once.
    ///
    /// # Errors
    /// The inner addresses are of two families, the endpoint is of a family that the socket does
    /// not speak, or what the kernel says of the socket.
    pub fn new(config: &SecureConfig, socket: UdpSocket) -> io::Result<Self> {
        let encapsulation = Encapsulation::new(config.inner_local, config.inner_remote)
            .ok_or_else(|| invalid("the inner addresses are of two families"))?;
        let local = socket.local_addr()?;
        let endpoint = config.endpoint.map(|endpoint| for_socket(endpoint, local)).transpose()?;
        socket.set_nonblocking(true)?;
        let keepalive = config.keepalive_s.unwrap_or(KEEPALIVE_DEFAULT_S);
        let tunnel = Tunn::new(
            config.private_key.secret(),
            config.peer_public_key.point(),
            config.preshared_key.as_ref().map(PresharedKey::octets),
            (keepalive > 0).then_some(keepalive),
            0,
            None,
        );
        Ok(Self {
            socket,
            tunnel,
            encapsulation,
            endpoint,
            session: Session::default(),
            waiting: VecDeque::with_capacity(WAITING_MAX),
            next_tick: Instant::now(),
            datagram: vec![0; DATAGRAM_MAX].into_boxed_slice(),
            scratch: vec![0; DATAGRAM_MAX].into_boxed_slice(),
            packet: Vec::with_capacity(DATAGRAM_MAX),
            counters: Counters::default(),
            lost: 0,
            refusals: Refusals::default(),
            was_up: false,
        })
    }

    /// Where the peer is, as far as we know.
    #[must_use]
    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint.map(|endpoint| SocketAddr::new(endpoint.ip().to_canonical(), endpoint.port()))
    }

    /// When the last handshake was completed.
    #[must_use]
    pub fn last_handshake(&self) -> Option<Instant> {
        self.session.last_handshake()
    }

    /// What was refused so far, and how often.
    pub fn refusals(&self) -> impl Iterator<Item = (RefusedReason, u64)> {
        self.refusals.iter()
    }

    /// Brings the library's clock up to date and does what is due. What the library does next is
    /// dated by this clock, so that a session made after a long pause would be born old without.
    fn tick(&mut self, now: Instant) {
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        self.session.ticked();
        match self.tunnel.update_timers(&mut self.scratch) {
            TunnResult::WriteToNetwork(message) => {
                self.session.wrote(message);
                tell(&self.socket, self.endpoint, message);
            }
            // The library has given up. What waited so long is of no use any more.
            TunnResult::Err(_) => {
                for _ in self.waiting.drain(..) {
                    self.counters.lost_out += 1;
                }
            }
            TunnResult::Done
            | TunnResult::WriteToTunnelV4(..)
            | TunnResult::WriteToTunnelV6(..) => {}
        }
        if self.tunnel.time_since_last_handshake().is_none() {
            self.session.ended();
        }
        if self.endpoint.is_some() && self.session.wants_handshake(now) {
            self.begin_handshake(false);
        }
    }

    /// Begins a handshake, where none is under way or another is wanted.
    fn begin_handshake(&mut self, another: bool) {
        let message = self.tunnel.format_handshake_initiation(&mut self.scratch, another);
        if let TunnResult::WriteToNetwork(message) = message {
            self.session.wrote(message);
            tell(&self.socket, self.endpoint, message);
        }
    }

    /// Takes the datagram of this length that is in the buffer, and says whether it held a frame.
    fn take(
        &mut self,
        len: usize,
        from: SocketAddr,
        now: Instant,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, RefusedReason> {
        let datagram = self.datagram.get(..len).unwrap_or_default();
        let message = Message::of(datagram)?;
        let initiation = matches!(message, Message::Initiation);
        if initiation && self.session.is_next_in_use() {
            self.begin_handshake(true);
        }
        let datagram = self.datagram.get(..len).unwrap_or_default();
        match self.tunnel.decapsulate(Some(from.ip()), datagram, &mut self.scratch) {
            TunnResult::Err(error) => {
                Err(RefusedReason::of(&error, matches!(message, Message::Data { .. })))
            }
            TunnResult::WriteToNetwork(reply) if reply.first() == Some(&TYPE_COOKIE) => {
                tell(&self.socket, Some(from), reply);
                Err(RefusedReason::UnderLoad)
            }
            TunnResult::WriteToNetwork(reply) => {
                self.session.wrote(reply);
                tell(&self.socket, Some(from), reply);
                match message {
                    Message::Initiation => self.session.answered(sender_index(reply), now),
                    Message::Response { index } => {
                        self.session.completed(index, now);
                        self.endpoint = Some(from);
                    }
                    // The library has nothing to say to these.
                    Message::Cookie | Message::Data { .. } => {}
                }
                Ok(false)
            }
            TunnResult::Done => {
                // A cookie is sealed with what everybody may know; it says nothing of the peer.
                if let Message::Data { index } = message {
                    self.session.heard(index, now);
                    self.endpoint = Some(from);
                }
                Ok(false)
            }
            TunnResult::WriteToTunnelV4(packet, _) | TunnResult::WriteToTunnelV6(packet, _) => {
                if let Message::Data { index } = message {
                    self.session.heard(index, now);
                    self.endpoint = Some(from);
                }
                each(self.encapsulation.unwrap(packet)?);
                Ok(true)
            }
        }
    }

    /// Sends what waited for a session.
    fn release(&mut self) {
        for _ in 0..HELD_BACK_MAX {
            match self.tunnel.decapsulate(None, &[], &mut self.scratch) {
                TunnResult::WriteToNetwork(message) => {
                    self.session.wrote(message);
                    tell(&self.socket, self.endpoint, message);
                }
                TunnResult::Done
                | TunnResult::Err(_)
                | TunnResult::WriteToTunnelV4(..)
                | TunnResult::WriteToTunnelV6(..) => break,
            }
        }
        while let Some(frame) = self.waiting.pop_front() {
            self.seal(&frame);
        }
    }

    /// Seals a frame and gives it to the kernel.
    fn seal(&mut self, frame: &[u8]) {
        self.encapsulation.wrap(frame, &mut self.packet);
        let sealed = self.tunnel.encapsulate(&self.packet, &mut self.scratch);
        let sent = match (sealed, self.endpoint) {
            (TunnResult::WriteToNetwork(message), Some(endpoint)) => {
                self.session.wrote(message);
                self.socket.send_to(message, endpoint).is_ok()
            }
            (_, Some(_) | None) => false,
        };
        if sent {
            self.counters.sent += 1;
        } else {
            self.counters.lost_out += 1;
        }
    }

    /// Keeps a frame until the handshake is done, where one can be.
    fn wait(&mut self, frame: &[u8]) {
        if self.endpoint.is_some() && self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(frame.to_vec());
        } else {
            self.counters.lost_out += 1;
        }
    }
}

/// Sends a message of the protocol. One that is lost is sent again when its time comes.
fn tell(socket: &UdpSocket, to: Option<SocketAddr>, message: &[u8]) {
    if let Some(to) = to {
        let _ = socket.send_to(message, to);
    }
}

impl Device for SecureLink {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, budget: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        let now = Instant::now();
        self.tick(now);
        let was_usable = self.session.is_usable();
        let mut taken = 0;
        while taken < budget {
            let (len, from) = match self.socket.recv_from(&mut self.datagram) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_passing(&error) => {
                    taken += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            taken += 1;
            match self.take(len, from, now, each) {
                Ok(true) => self.counters.received += 1,
                Ok(false) => {}
                Err(reason) => self.refusals.count(reason),
            }
        }
        if self.session.is_usable() && !was_usable {
            self.release();
        }
        Ok(taken)
    }

    fn send(&mut self, frame: &[u8]) {
        if frame.len() > FRAME_MAX {
            self.counters.lost_out += 1;
        } else if self.session.is_usable() {
            self.seal(frame);
        } else {
            self.wait(frame);
        }
    }

    fn flush(&mut self) {}

    fn carrier(&mut self) -> bool {
        self.was_up = self.session.is_up(Instant::now());
        self.was_up
    }

    fn has_news(&self) -> bool {
        self.was_up != self.session.is_up(Instant::now())
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next_tick)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
    }

    fn counters(&mut self) -> Counters {
        let lost = ffi::datagrams_lost(self.socket.as_fd()).unwrap_or(self.lost);
        self.counters.lost_in += u64::from(lost.wrapping_sub(self.lost));
        self.lost = lost;
        Counters { refused: self.refusals.total(), ..self.counters }
    }
}
