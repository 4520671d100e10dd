//! The TCP connection of one BGP session, inside the router.
//!
//! Each session has a `smoltcp` interface with one socket, so that a packet wakes one session and
//! not all of them. IP packets come in by [`Connection::deliver`] and leave by
//! [`Connection::take_packet`]; the router decides which way they travel. The side that waits
//! listens whenever it has no connection.
//!
//! Standards: RFC 9293 (by `smoltcp`), RFC 5082 (time to live 255 between adjacent routers).
//! Not implemented: RFC 5925 (TCP-AO), RFC 2385 (TCP MD5).

use core::net::Ipv4Addr;
use std::collections::VecDeque;

use base::{Deadline, Duration, Instant, Rng};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration as TcpDuration, Instant as TcpInstant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

/// The port that BGP listens on (RFC 4271 §4).
const BGP_PORT: u16 = 179;
/// Octets of each socket's receive and send buffer: four messages of the largest size.
const BUFFER_SIZE: usize = 16 * 1024;
/// Octets of the largest IP packet: fits every access type, secure links included.
const MTU: usize = 1360;
/// How many packets may wait for a session: more than a full window of small segments.
const QUEUE_LENGTH_MAX: usize = 64;
/// How long a closed connection may take to deliver its last message.
const LINGER: Duration = Duration::from_secs(1);
/// How long a peer may leave data unacknowledged before the connection is given up.
const SILENCE_MAX: TcpDuration = TcpDuration::from_secs(30);

/// Octets of the message that only shows that its sender lives (RFC 4271 §4.4).
const KEEPALIVE_LEN: usize = 19;

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Bytes can flow.
    Opened,
    /// The connection is gone, or could not be made.
    Closed,
}

/// Which ends a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Our address.
    pub(crate) local: Ipv4Addr,
    /// The neighbour's address.
    pub(crate) remote: Ipv4Addr,
    /// Wait for the neighbour to connect.
    pub(crate) passive: bool,
    /// The neighbour is on the same link: its packets have an untouched time to live.
    pub(crate) adjacent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing, or listening.
    Idle,
    /// Asked to connect.
    Opening,
    /// Bytes flow.
    Open,
    /// Told to close; the last bytes are on their way until then.
    Lingering(Instant),
}

/// The TCP connection of one BGP session.
pub(crate) struct Connection {
    ends: Ends,
    rng: Rng,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    device: Queue,
    phase: Phase,
    wake: Option<Instant>,
    /// Bytes to be sent that the socket has no room for yet.
    backlog: Vec<u8>,
    /// More than a sign of life is on its way.
    owes: bool,
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection")
            .field("ends", &self.ends)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

fn tcp_time(now: Instant) -> TcpInstant {
    TcpInstant::from_micros(i64::try_from(now.nanos() / 1000).unwrap_or(i64::MAX))
}

fn own_time(at: TcpInstant) -> Instant {
    let micros = u64::try_from(at.total_micros()).unwrap_or(0);
    Instant::from_nanos(micros.saturating_mul(1000))
}

impl Connection {
    /// A connection that is not made yet; the waiting side listens at once.
    pub(crate) fn new(now: Instant, ends: Ends, mut rng: Rng) -> Self {
        let mut device = Queue::default();
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = rng.next_u64();
        let mut interface = Interface::new(config, &mut device, tcp_time(now));
        interface.update_ip_addrs(|addresses| {
            // Length 0: the interface sends to anyone, the router finds the way.
            let own = IpCidr::new(IpAddress::Ipv4(ends.local), 0);
            assert!(addresses.push(own).is_ok(), "an interface has room for one address");
        });
        let buffer = || SocketBuffer::new(vec![0; BUFFER_SIZE]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_nagle_enabled(false);
        socket.set_timeout(Some(SILENCE_MAX));
        socket.set_hop_limit(ends.adjacent.then_some(255));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        let phase = Phase::Idle;
        let mut connection = Self {
            ends,
            rng,
            interface,
            sockets,
            handle,
            device,
            phase,
            wake: None,
            backlog: vec![],
            owes: false,
        };
        connection.listen();
        connection
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn listen(&mut self) {
        if self.ends.passive {
            let local = (IpAddress::Ipv4(self.ends.local), BGP_PORT);
            let listening = self.socket().listen(local);
            debug_assert!(listening.is_ok(), "a closed socket can listen");
        }
    }

    /// The ends, as configured.
    pub(crate) const fn ends(&self) -> Ends {
        self.ends
    }

    /// Starts to connect; the waiting side only waits.
    pub(crate) fn connect(&mut self, now: Instant) {
        if self.ends.passive {
            return;
        }
        self.abandon(now);
        let (local, remote) = (self.ends.local, self.ends.remote);
        let port = 49_152 + u16::try_from(self.rng.below(16_384)).unwrap_or(0);
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        let started = socket.connect(
            self.interface.context(),
            (IpAddress::Ipv4(remote), BGP_PORT),
            (IpAddress::Ipv4(local), port),
        );
        self.phase = if started.is_ok() { Phase::Opening } else { Phase::Idle };
        self.poll(now);
    }

    /// Closes after the bytes that wait; the far end is told.
    pub(crate) fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Opening => self.abandon(now),
            Phase::Open => {
                self.socket().close();
                self.phase = Phase::Lingering(now + LINGER);
                self.poll(now);
            }
            Phase::Idle | Phase::Lingering(_) => {}
        }
    }

    /// Drops the connection at once and is ready for the next.
    pub(crate) fn abandon(&mut self, now: Instant) {
        if self.phase != Phase::Idle {
            self.socket().abort();
            self.backlog.clear();
            self.owes = false;
            self.phase = Phase::Idle;
            self.poll(now);
            self.listen();
        }
    }

    /// Takes in an IP packet of this session.
    pub(crate) fn deliver(&mut self, now: Instant, packet: Vec<u8>) {
        if matches!(self.phase, Phase::Lingering(_)) && is_connection_request(&packet) {
            self.abandon(now);
        }
        if self.device.incoming.len() < QUEUE_LENGTH_MAX {
            self.device.incoming.push_back(packet);
        }
        self.poll(now);
    }

    /// Acts on what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Lingering(until) = self.phase
            && until <= now
        {
            self.abandon(now);
        }
        self.poll(now);
    }

    /// When the connection wants to be woken.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let lingering = match self.phase {
            Phase::Lingering(until) => Some(Deadline { at: until, why: "tcp linger" }),
            Phase::Idle | Phase::Opening | Phase::Open => None,
        };
        let wake = self.wake.map(|at| Deadline { at, why: "tcp" });
        Deadline::earlier(lingering, wake)
    }

    fn poll(&mut self, now: Instant) {
        let time = tcp_time(now);
        self.flush_backlog();
        self.interface.poll(time, &mut self.device, &mut self.sockets);
        self.wake = self.interface.poll_at(time, &self.sockets).map(own_time);
        let socket = self.sockets.get::<Socket<'_>>(self.handle);
        self.owes &= !self.backlog.is_empty() || socket.send_queue() > 0;
    }

    /// What changed since the last call.
    pub(crate) fn poll_change(&mut self, now: Instant) -> Option<Change> {
        let (state, unread) = (self.socket().state(), self.socket().recv_queue());
        match self.phase {
            Phase::Idle | Phase::Opening if state == State::Established => {
                self.phase = Phase::Open;
                Some(Change::Opened)
            }
            Phase::Idle if self.ends.passive && !is_waiting(state) => {
                // It began and ended without ever being open: a handshake that was not finished.
                self.socket().abort();
                self.listen();
                None
            }
            Phase::Opening if state == State::Closed => {
                self.phase = Phase::Idle;
                Some(Change::Closed)
            }
            Phase::Open if state != State::Established && unread == 0 => {
                self.abandon(now);
                Some(Change::Closed)
            }
            Phase::Lingering(_) if matches!(state, State::Closed | State::TimeWait) => {
                self.abandon(now);
                None
            }
            Phase::Idle | Phase::Opening | Phase::Open | Phase::Lingering(_) => None,
        }
    }

    /// Takes received bytes, in order, into `into`; true where there were some.
    pub(crate) fn receive(&mut self, into: &mut Vec<u8>) -> bool {
        let before = into.len();
        while self.socket().can_recv() {
            let taken = self.socket().recv(|bytes| {
                into.extend_from_slice(bytes);
                (bytes.len(), bytes.len())
            });
            if !matches!(taken, Ok(1..)) {
                break;
            }
        }
        into.len() > before
    }

    /// Octets that can be sent now; none while earlier ones wait.
    pub(crate) fn room(&mut self) -> usize {
        if self.phase != Phase::Open || !self.backlog.is_empty() {
            return 0;
        }
        let socket = self.socket();
        if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 }
    }

    /// Sends bytes; what there is no room for waits.
    pub(crate) fn send(&mut self, now: Instant, bytes: Vec<u8>) {
        self.owes |= bytes.len() > KEEPALIVE_LEN;
        self.backlog.extend(bytes);
        self.poll(now);
    }

    /// Whether the far end has acknowledged everything that it was sent, signs of life aside.
    pub(crate) const fn is_delivered(&self) -> bool {
        !self.owes
    }

    fn flush_backlog(&mut self) {
        if self.backlog.is_empty() {
            return;
        }
        let socket = self.sockets.get_mut::<Socket<'_>>(self.handle);
        if socket.can_send()
            && let Ok(sent) = socket.send_slice(&self.backlog)
        {
            self.backlog.drain(..sent);
        }
    }

    /// The next IP packet to be sent to the neighbour.
    pub(crate) fn take_packet(&mut self) -> Option<Vec<u8>> {
        self.device.outgoing.pop_front()
    }
}

/// Whether a socket listens, or is about to open.
const fn is_waiting(state: State) -> bool {
    matches!(state, State::Listen | State::SynReceived)
}

/// Whether a packet has the SYN flag alone: a new connection of a neighbour that started anew.
fn is_connection_request(packet: &[u8]) -> bool {
    let header = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    packet.get(header + 13).is_some_and(|flags| flags & 0x17 == 0x02)
}

/// The interface's device: two queues of IP packets.
#[derive(Debug, Default)]
struct Queue {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Incoming(Vec<u8>);

struct Outgoing<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Queue {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _: TcpInstant) -> Option<(Incoming, Outgoing<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Incoming(packet), Outgoing(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: TcpInstant) -> Option<Outgoing<'_>> {
        (self.outgoing.len() < QUEUE_LENGTH_MAX).then_some(Outgoing(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities.checksum.tcp = Checksum::Both;
        capabilities
    }
}
