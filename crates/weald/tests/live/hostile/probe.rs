//! A steady stream between two hosts, and what becomes of it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::region::Region;

/// Between two packets.
const PACE: Duration = Duration::from_millis(2);
/// How long an echo may be on its way before it is lost.
const LATE: Duration = Duration::from_millis(300);
/// The port that echoes.
const PORT: u16 = 7_007;
/// Octets of a packet: what a call sends.
const LENGTH: usize = 200;

/// What became of a stream of packets and their echoes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) sent: usize,
    pub(crate) lost: usize,
    pub(crate) median: Duration,
    /// 99 of 100 came back within this.
    pub(crate) most: Duration,
    pub(crate) worst: Duration,
}

impl Figures {
    /// What bystanders would complain of: a packet lost, half of them or one in a hundred late.
    pub(crate) fn faults(&self, half_within: Duration, most_within: Duration) -> Option<String> {
        let well = self.lost == 0 && self.median <= half_within && self.most <= most_within;
        (!well).then(|| format!("packets are lost or late: {self:?}"))
    }
}

/// Milliseconds to two places.
fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, most, worst] = [self.median, self.most, self.worst].map(millis);
        write!(f, "{:>5} {:>4}  {median:>6} {most:>6} {worst:>7}", self.sent, self.lost)
    }
}

/// Two hosts.
#[derive(Debug)]
pub(crate) struct Probe {
    near: UdpSocket,
    far: UdpSocket,
}

impl Probe {
    /// Between the hosts of two sites in the virtual network that all sites have.
    pub(crate) fn new(region: &Region, from: &str, to: &str) -> Self {
        let open = |site: &str, port| {
            let address: IpAddr = region.host(site, "one");
            let bind = || UdpSocket::bind(SocketAddr::new(address, port));
            let socket: io::Result<UdpSocket> = region.net.space(&format!("{site}/one")).run(bind);
            let socket = socket.expect("the host has the address");
            socket.set_read_timeout(Some(LATE)).expect("a socket");
            socket
        };
        let (near, far) = (open(from, 0), open(to, PORT));
        near.connect(far.local_addr().expect("an address")).expect("a route");
        let probe = Self { near, far };
        // The first packets only find out who is where.
        let warm = probe.run(Duration::from_millis(500));
        assert!(warm.lost < warm.sent, "{from} reaches {to}");
        probe
    }

    /// Sends for this long.
    pub(crate) fn run(&self, time: Duration) -> Figures {
        let over = AtomicBool::new(false);
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| self.echo(&over));
            let sender = scope.spawn(|| self.send(start, time));
            let delays = self.receive(start, time);
            over.store(true, Ordering::Relaxed);
            figures(sender.join().expect("a thread that ends"), delays)
        })
    }

    /// Sends everything back until it is over.
    fn echo(&self, over: &AtomicBool) {
        let mut packet = [0; LENGTH];
        while !over.load(Ordering::Relaxed) {
            if let Ok((length, from)) = self.far.recv_from(&mut packet) {
                let _ = self.far.send_to(packet.get(..length).unwrap_or_default(), from);
            }
        }
    }

    /// Sends numbered packets that say when they left.
    fn send(&self, start: Instant, time: Duration) -> usize {
        let mut packet = [0; LENGTH];
        let mut sent = 0;
        while start.elapsed() < time {
            let next = PACE * u32::try_from(sent).unwrap_or(u32::MAX);
            let early = next.saturating_sub(start.elapsed());
            if !early.is_zero() {
                thread::park_timeout(early);
            }
            let stamp = [number(sent), number(start.elapsed().as_nanos())].concat();
            if let Some(place) = packet.get_mut(..stamp.len()) {
                place.copy_from_slice(&stamp);
            }
            let _ = self.near.send(&packet);
            sent += 1;
        }
        sent
    }

    /// How long each packet was on its way there and back.
    fn receive(&self, start: Instant, time: Duration) -> Vec<Duration> {
        let mut packet = [0; LENGTH];
        let (mut seen, mut delays) = (BTreeSet::new(), Vec::new());
        while start.elapsed() < time + LATE {
            if self.near.recv(&mut packet).is_err() {
                continue;
            }
            let words = packet.first_chunk::<16>().expect("a stamp");
            let [sequence, left] = [&words[..8], &words[8..]]
                .map(|word| word.try_into().map_or(0, u64::from_be_bytes));
            // Packets of an earlier run come from its future.
            let delay = start.elapsed().checked_sub(Duration::from_nanos(left));
            if let Some(delay) = delay.filter(|_| seen.insert(sequence)) {
                delays.push(delay);
            }
        }
        delays
    }
}

fn number(value: impl TryInto<u64>) -> [u8; 8] {
    value.try_into().unwrap_or(u64::MAX).to_be_bytes()
}

fn figures(sent: usize, mut delays: Vec<Duration>) -> Figures {
    delays.sort();
    let at = |hundredth: usize| {
        let place = delays.len().saturating_sub(1) * hundredth / 100;
        delays.get(place).copied().unwrap_or(Duration::MAX)
    };
    let lost = sent.saturating_sub(delays.len());
    Figures { sent, lost, median: at(50), most: at(99), worst: at(100) }
}
