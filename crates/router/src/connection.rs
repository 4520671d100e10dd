//! The TCP connection of one BGP session, inside the router.
//!
//! Each session has a `smoltcp` interface with one socket, so that a packet wakes one session and
//! not all of them. IP packets come in by [`Connection::deliver`] and leave by
//! [`Connection::take_packet`]; the router decides which way they travel. The side that waits
//! listens whenever it has no connection.
//!
//! A neighbour that started anew knows nothing of the connection that this side still holds. Where
//! it is the one that connects, its request ends the old connection at once; where it waits, it
//! answers the next keep-alive with a reset.
//!
//! On a LAN, third parties' routers call as they are called, and other stations can write their
//! address on a packet. There one socket is caller and listener in turn:
//! - Both ends call: theirs is taken and ours given up, unless ours began less than
//!   [`COLLISION_PATIENCE`] ago and we have the higher address. Callers repeat after a second, so
//!   ours has been answered by then, or theirs is taken after all.
//! - A call that fails leaves the socket listening until the session calls again.
//! - A call while a connection is open ends nothing: the open connection's far end is asked for a
//!   sign of life. If it lost its memory it answers with a reset, and its next call is taken.
//! - A call while no connection is wanted, or last words are on their way, is not answered and so
//!   comes again.
//!
//! Deviation from RFC 4271 §6.8: of two connections one is chosen before OPEN and not by BGP
//! identifiers, because only one ever exists here; whatever rule the far end follows finds nothing
//! to decide.
//!
//! Deviation from RFC 4271 §6.8: on uplinks and in the interior a second connection replaces the
//! first even when that is established, because nobody but the neighbour can get a packet here: an
//! uplink's far end is known by its port and its time to live, and the core forwards no one else's
//! packets to a loopback.
//!
//! Deviation from RFC 5082 §3: on a LAN any time to live is accepted, because third parties' routers
//! send 1 as they come; that a packet came in on the neighbour's own port shows as much. 255 is
//! sent, for those that look.
//!
//! Standards: RFC 9293 (by `smoltcp`), RFC 1122 §4.2.3.6 (keep-alives), RFC 5961 §4 (a call is no
//! reason to end a connection), RFC 5082 (time to live 255 between adjacent routers), RFC 4594 §3.2 (class of routing).
//! Not implemented: RFC 5925 (TCP-AO), RFC 2385 (TCP MD5).

use core::net::Ipv4Addr;
use std::collections::VecDeque;

use base::{Deadline, Duration, Instant, Rng};
use packet::checksum::Checksum;
use packet::tcp::{self, Flags};
use packet::{ip, ipv4};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum as Verify, Device, DeviceCapabilities, Medium, RxToken, TxToken};
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
/// How long a peer may be silent before the connection is given up.
const SILENCE_MAX: TcpDuration = TcpDuration::from_secs(30);
/// How long a connection may be quiet before the peer is asked whether it still knows of it: thrice
/// within [`SILENCE_MAX`], so that neither a loss nor a long hold time ends a sound connection.
const KEEP_ALIVE: TcpDuration = TcpDuration::from_secs(10);
/// The soonest that a connection is woken again: whatever it says, time goes on.
const WAKE_MIN: Duration = Duration::from_millis(1);
/// How long a call may be unanswered on a LAN before one from the other end is taken instead: many
/// times longer than a LAN takes, and shorter than callers wait before they repeat (RFC 6298 §2).
const COLLISION_PATIENCE: Duration = Duration::from_millis(500);
/// Octets of the message that only shows that its sender lives (RFC 4271 §4.4).
const KEEPALIVE_LEN: usize = 19;
/// The traffic class of routing: CS6 (RFC 4594 §3.2).
pub(crate) const ROUTING_CLASS: u8 = 48 << 2;
/// The time to live that shows that a packet comes from the next router (RFC 5082 §3).
pub(crate) const TTL_ADJACENT: u8 = 255;

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
    /// What is between us and the neighbour.
    pub(crate) reach: Reach,
}

/// What is between the two ends of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The core.
    Core,
    /// A link that nobody else is on.
    Link,
    /// A LAN with others on it.
    Lan,
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
    /// The open connection had to make way for a new one, and nobody was told yet.
    replaced: bool,
    /// When this side called last.
    called_at: Instant,
    /// The last segment that was sent on a LAN, without what it carried.
    last_sent: Option<tcp::Header>,
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
        socket.set_keep_alive(Some(KEEP_ALIVE));
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        let mut connection = Self {
            ends,
            rng,
            interface,
            sockets,
            handle,
            device,
            phase: Phase::Idle,
            wake: None,
            backlog: vec![],
            owes: false,
            replaced: false,
            called_at: now,
            last_sent: None,
        };
        connection.listen();
        connection
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Whether a call would be taken, if there is no connection.
    fn is_listener(&self) -> bool {
        match self.phase {
            Phase::Idle => self.ends.passive,
            Phase::Opening => self.ends.reach == Reach::Lan,
            Phase::Open | Phase::Lingering(_) => false,
        }
    }

    fn listen(&mut self) {
        if self.is_listener() {
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
        self.called_at = now;
        self.poll(now);
    }

    /// Closes after the bytes that wait; the far end is told.
    pub(crate) fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Opening => self.abandon(now),
            Phase::Open => {
                self.phase = Phase::Lingering(now + LINGER);
                self.poll(now);
            }
            Phase::Idle | Phase::Lingering(_) => {}
        }
    }

    /// Drops the connection at once and is ready for the next.
    fn abandon(&mut self, now: Instant) {
        self.socket().abort();
        self.backlog.clear();
        self.owes = false;
        self.last_sent = None;
        self.phase = Phase::Idle;
        self.poll(now);
    }

    /// Whether a segment between these ports, source first, can belong to the session: one side
    /// connects, to one port.
    pub(crate) const fn is_between(&self, (source, destination): (u16, u16)) -> bool {
        let (their_call, our_call) = (destination == BGP_PORT, source == BGP_PORT);
        match (self.ends.passive, self.ends.reach) {
            (true, _) => their_call,
            (false, Reach::Lan) => their_call || our_call,
            (false, Reach::Core | Reach::Link) => our_call,
        }
    }

    /// Takes in an IP packet of this session.
    pub(crate) fn deliver(&mut self, now: Instant, packet: Vec<u8>) {
        if let Some(port) = connection_request(&packet) {
            if self.ends.reach == Reach::Lan {
                if !self.takes_call(now, port) {
                    return self.poll(now);
                }
            } else if self.ends.passive {
                self.make_way(now, port);
            }
        }
        if self.device.incoming.len() < QUEUE_LENGTH_MAX {
            self.device.incoming.push_back(packet);
        }
        self.poll(now);
    }

    /// The neighbour on the LAN, or somebody in its name, calls from this port: whether that is heard
    /// now.
    fn takes_call(&mut self, now: Instant, port: u16) -> bool {
        if self.phase == Phase::Open {
            self.challenge();
        }
        if !self.is_listener() {
            return false;
        }
        let (state, former) = (self.socket().state(), self.socket().remote_endpoint());
        let ours_is_fresh = now.since(self.called_at) < COLLISION_PATIENCE;
        if state == State::SynSent && ours_is_fresh && self.ends.local > self.ends.remote {
            return false;
        }
        let is_repeated = former.is_some_and(|former| former.port == port);
        if state != State::Listen && !(state == State::SynReceived && is_repeated) {
            let phase = self.phase;
            self.abandon(now);
            self.phase = phase;
            if self.socket().state() == State::Closed {
                self.listen();
            }
        }
        true
    }

    /// Asks the far end of the open connection whether it still knows of it: a repeated
    /// acknowledgement is nothing to one that does, and is reset by one that does not.
    fn challenge(&mut self) {
        let Some(last) = self.last_sent else { return };
        let ends = (self.ends.local.into(), self.ends.remote.into());
        let mut header = tcp::Header { flags: Flags::ACK, checksum: 0, ..last };
        let len = header.encode().len();
        let mut sum = Checksum::pseudo(ends.0, ends.1, tcp::PROTOCOL, len);
        sum.add(&header.encode());
        header.checksum = sum.value();
        let class = (ROUTING_CLASS, TTL_ADJACENT);
        self.device.outgoing.extend(ip::encode(ends, tcp::PROTOCOL, class, &header.encode()));
    }

    /// The neighbour connects from this port: it has given up whatever was there before.
    fn make_way(&mut self, now: Instant, port: u16) {
        let former = self.socket().remote_endpoint();
        let lingers = matches!(self.phase, Phase::Lingering(_));
        if lingers || former.is_some_and(|former| former.port != port) {
            self.replaced |= self.phase == Phase::Open;
            self.abandon(now);
        }
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
        // One acknowledgement may make room for all that waits, and none come after it.
        loop {
            self.flush_backlog();
            if matches!(self.phase, Phase::Lingering(_)) && self.backlog.is_empty() {
                self.socket().close();
            }
            self.interface.poll(time, &mut self.device, &mut self.sockets);
            if self.backlog.is_empty() || !self.socket().can_send() {
                break;
            }
        }
        // A handshake that was never finished ends here too.
        if self.socket().state() == State::Closed {
            self.listen();
        }
        let wake = self.interface.poll_at(time, &self.sockets).map(own_time);
        self.wake = wake.map(|at| at.max(now + WAKE_MIN));
        let queued = self.socket().send_queue();
        self.owes &= !self.backlog.is_empty() || queued > 0;
    }

    /// What changed since the last call.
    pub(crate) fn poll_change(&mut self, now: Instant) -> Option<Change> {
        if core::mem::take(&mut self.replaced) {
            return Some(Change::Closed);
        }
        let (state, unread) = (self.socket().state(), self.socket().recv_queue());
        match self.phase {
            // The far end may have said its last word with its first.
            Phase::Idle | Phase::Opening
                if matches!(state, State::Established | State::CloseWait) =>
            {
                self.phase = Phase::Open;
                Some(Change::Opened)
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

    /// Sends bytes, if the connection is open; what there is no room for waits.
    pub(crate) fn send(&mut self, now: Instant, bytes: Vec<u8>) {
        if self.phase == Phase::Open {
            self.owes |= bytes.len() > KEEPALIVE_LEN;
            self.backlog.extend(bytes);
            self.poll(now);
        }
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
        let mut packet = self.device.outgoing.pop_front()?;
        // Marked here and not by the socket, which does not send every reset and acknowledgement.
        if let Some([_, class, _, _, _, _, _, _, ttl]) = packet.get_mut(..9) {
            *class = ROUTING_CLASS;
            *ttl = if self.ends.reach == Reach::Core { *ttl } else { TTL_ADJACENT };
        }
        ipv4::refresh_checksum(&mut packet);
        if self.ends.reach == Reach::Lan {
            let is_sound = |sent: &tcp::Header| {
                sent.flags.intersects(Flags::ACK) && !sent.flags.intersects(Flags::RST)
            };
            self.last_sent = segment(&packet).filter(is_sound).or(self.last_sent);
        }
        Some(packet)
    }
}

fn segment(packet: &[u8]) -> Option<tcp::Header> {
    let header = ip::Packet::decode(packet).ok()?;
    Some(tcp::Header::decode(header.payload(packet)).ok()?.0)
}

/// The port from which a packet asks for a new connection: its flags are SYN alone.
fn connection_request(packet: &[u8]) -> Option<u16> {
    let segment = segment(packet)?;
    let others = Flags(Flags::ACK.0 | Flags::RST.0 | Flags::FIN.0);
    let asks = segment.flags.intersects(Flags::SYN) && !segment.flags.intersects(others);
    asks.then_some(segment.source_port)
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
        capabilities.checksum.tcp = Verify::Both;
        capabilities
    }
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_SIZE, Change, Connection, Ends, Reach};
    use base::{Duration, Instant, Rng};
    use core::net::Ipv4Addr;

    const DELAY: Duration = Duration::from_millis(1);

    /// Two ends of one session, and what is on its way between them.
    struct Pair {
        now: Instant,
        ends: [Connection; 2],
        received: [Vec<u8>; 2],
        changes: [Vec<Change>; 2],
    }

    impl Pair {
        /// The first end waits for the second.
        fn new() -> Self {
            let address = |last| Ipv4Addr::new(192, 0, 2, last);
            let end = |own, other, passive, seed| {
                let (local, remote) = (address(own), address(other));
                let ends = Ends { local, remote, passive, reach: Reach::Link };
                Connection::new(Instant::ZERO, ends, Rng::new(seed))
            };
            Self {
                now: Instant::ZERO,
                ends: [end(1, 2, true, 1), end(2, 1, false, 2)],
                received: [Vec::new(), Vec::new()],
                changes: [Vec::new(), Vec::new()],
            }
        }

        fn open() -> Self {
            let mut pair = Self::new();
            pair.ends[1].connect(pair.now);
            pair.run(10, |_| false);
            assert_eq!(pair.changes, [[Change::Opened], [Change::Opened]]);
            pair
        }

        /// Lets that many milliseconds pass; packets of which `lost` says so do not arrive.
        fn run(&mut self, millis: u32, mut lost: impl FnMut(&[u8]) -> bool) {
            for _ in 0..millis {
                self.carry(0, 1, &mut lost);
                self.carry(1, 0, &mut lost);
                self.now = self.now + DELAY;
                self.wake(0);
                self.wake(1);
            }
        }

        fn carry(&mut self, from: usize, to: usize, lost: &mut impl FnMut(&[u8]) -> bool) {
            while let Some(packet) = self.ends[from].take_packet() {
                if !lost(&packet) {
                    self.ends[to].deliver(self.now, packet);
                    self.collect(to);
                }
            }
        }

        fn wake(&mut self, end: usize) {
            let due = |end: &Connection, now| end.poll_timeout().is_some_and(|at| at.at <= now);
            if due(&self.ends[end], self.now) {
                self.ends[end].handle_timeout(self.now);
                self.collect(end);
            }
            assert!(!due(&self.ends[end], self.now), "time goes on");
        }

        fn collect(&mut self, end: usize) {
            loop {
                match self.ends[end].poll_change(self.now) {
                    Some(change) => self.changes[end].push(change),
                    None if self.ends[end].receive(&mut self.received[end]) => {}
                    None => return,
                }
            }
        }
    }

    #[test]
    fn bytes_that_come_with_the_end_of_the_handshake_come_after_the_opening() {
        let mut pair = Pair::new();
        pair.ends[1].connect(pair.now);
        // The acknowledgement that ends the handshake is lost, and the first bytes stand for it.
        let mut seen = 0;
        pair.run(3, |packet| {
            seen += usize::from(packet.len() < 48);
            packet.len() < 48
        });
        assert!(seen > 0 && pair.changes[0].is_empty());
        pair.ends[1].send(pair.now, b"open".to_vec());
        pair.collect(0);
        pair.run(50, |_| false);
        assert_eq!(pair.changes[0], [Change::Opened]);
        assert_eq!(pair.received[0], b"open");
    }

    #[test]
    fn last_words_behind_a_full_buffer_still_arrive() {
        let mut pair = Pair::open();
        let bulk = vec![7; 3 * BUFFER_SIZE];
        pair.ends[0].send(pair.now, bulk.clone());
        assert_eq!(pair.ends[0].room(), 0);
        pair.ends[0].send(pair.now, b"goodbye".to_vec());
        pair.ends[0].close(pair.now);
        pair.run(200, |_| false);
        assert_eq!(pair.received[1], [bulk, b"goodbye".to_vec()].concat());
        assert_eq!(pair.changes[1], [Change::Opened, Change::Closed]);
    }

    #[test]
    fn what_waits_goes_on_after_one_acknowledgement_for_everything() {
        let mut pair = Pair::open();
        pair.ends[0].send(pair.now, vec![7; BUFFER_SIZE + 5000]);
        let is_bare = |packet: &[u8]| packet.len() < 60;
        pair.run(50, is_bare);
        assert_eq!(pair.received[1].len(), BUFFER_SIZE);
        let mut passed = false;
        pair.run(3000, |packet| is_bare(packet) && core::mem::replace(&mut passed, true));
        assert_eq!(pair.received[1].len(), BUFFER_SIZE + 5000);
    }

    #[test]
    fn a_far_end_that_connects_again_replaces_its_former_connection() {
        let mut pair = Pair::open();
        let fresh = Ends { ..pair.ends[1].ends() };
        pair.ends[1] = Connection::new(pair.now, fresh, Rng::new(77));
        for _ in 0..3 {
            pair.ends[1].connect(pair.now);
            pair.run(100, |_| false);
        }
        let open = [Change::Opened, Change::Closed, Change::Opened];
        assert_eq!(pair.changes[0][..3], open);
        assert_eq!(pair.changes[0].last(), Some(&Change::Opened));
    }
}
