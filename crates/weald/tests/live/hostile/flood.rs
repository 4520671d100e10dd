//! Frames at a rate, and what goes into them.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use base::{MacAddr, Rng};
use model::config::{Port, PortKind};

use super::trial::Stop;
use crate::frames::{self, Wire};
use crate::region::Region;

/// Frames that are handed to the kernel at a time.
const BURST: u64 = 64;
/// Between two looks at the clock.
const PACE: Duration = Duration::from_micros(300);
/// The same every time, so that what has failed once fails again.
const SEED: u64 = 0x5eed;

/// An attacker at the far end of a port.
#[derive(Debug)]
pub(crate) struct Attacker {
    pub(crate) wire: Wire,
    pub(crate) rng: Rng,
    /// The attacked port.
    pub(crate) mac: MacAddr,
    pub(crate) own: Ipv4Addr,
    /// What the far end's frames come from.
    pub(crate) far_mac: MacAddr,
    pub(crate) far: Ipv4Addr,
}

fn v4(port: &Port) -> Ipv4Addr {
    let mut addresses = port.addresses.iter();
    let found = addresses.find_map(|one| match one.address {
        std::net::IpAddr::V4(address) => Some(address),
        std::net::IpAddr::V6(_) => None,
    });
    found.expect("an IPv4 address")
}

impl Attacker {
    /// In the place of whatever the far end of a port is.
    pub(crate) fn new(region: &Region, router: &str, port: &str) -> Self {
        let (space, interface) = region.far_end(router, port);
        let (_, port) = region.port(router, port);
        let own = v4(port);
        let (far, far_mac) = match &port.kind {
            PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. } => {
                (*peer, MacAddr([2, 0x66, 0, 0, 0, 1]))
            }
            PortKind::Attachment { .. } | PortKind::Unused => {
                // A neighbour of the host that the LAN has.
                let [a, b, c, _] = own.octets();
                (Ipv4Addr::new(a, b, c, 77), MacAddr([2, 0x66, 0, 0, 0, 2]))
            }
        };
        let wire = Wire::open(&region.net, &space, &interface);
        Self { wire, rng: Rng::new(SEED), mac: port.mac, own, far_mac, far }
    }

    /// Sends what `make` makes, so many frames a second, until it is over; returns how many.
    pub(crate) fn flood(
        &mut self,
        stop: &Stop<'_>,
        rate: u64,
        mut make: impl FnMut(&mut Self, u64) -> Vec<u8>,
    ) -> u64 {
        paced(stop, rate, |burst| {
            for number in burst {
                let frame = make(self, number);
                self.wire.send(&frame);
            }
            self.wire.flush();
        })
    }

    /// A frame of the far end's.
    pub(crate) fn frame(&self, kind: u16, payload: &[u8]) -> Vec<u8> {
        frames::ethernet(self.mac, self.far_mac, kind, payload)
    }

    pub(crate) fn octets(&mut self, count: usize) -> Vec<u8> {
        octets(&mut self.rng, count)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.rng.below(bound)).unwrap_or(0)
    }

    /// Some station's address.
    pub(crate) fn station(&mut self) -> MacAddr {
        let octets = self.octets(5);
        octets
            .first_chunk()
            .map_or(self.far_mac, |[b, c, d, e, f]| MacAddr([2, *b, *c, *d, *e, *f]))
    }

    pub(crate) fn port(&mut self) -> u16 {
        let octets = self.rng.next_u64().to_be_bytes();
        let [high, low, ..] = octets;
        u16::from_be_bytes([high | 0x40, low])
    }

    /// The same with a few octets changed, from `first` on, and now and then cut short.
    pub(crate) fn mutated(&mut self, octets: &[u8], first: usize) -> Vec<u8> {
        let mut octets = changed(&mut self.rng, octets.to_vec(), first);
        if self.below(8) == 0 {
            let len = first + self.below(octets.len().saturating_sub(first));
            octets.truncate(len);
        }
        octets
    }

    /// Something for the router itself: one of everything in turn.
    pub(crate) fn punt(&mut self, number: u64) -> Vec<u8> {
        let (own, far) = (self.own, self.far);
        let packet = match number % 6 {
            0 => {
                let request = frames::arp((self.far_mac, far), own);
                return frames::ethernet(MacAddr::BROADCAST, self.far_mac, frames::ARP, &request);
            }
            1 => frames::echo((far, own), 64, 1, &[0x55; 56]),
            // To somebody else, but its time is up here.
            2 => frames::udp((far, 5_000), (Ipv4Addr::new(10, 1, 1, 10), 33_434), 1, &[0; 32]),
            3 => frames::udp((far, self.port()), (own, self.port()), 255, &[0; 64]),
            4 => frames::tcp((far, self.port()), (own, 179), (2, 1)),
            _ => frames::udp((far, self.port()), (own, frames::BFD), 255, &[0x20; 24]),
        };
        self.frame(frames::IPV4, &packet)
    }
}

/// Has so many frames a second sent, some at a time, until it is over; returns how many.
pub(crate) fn paced(stop: &Stop<'_>, rate: u64, mut send: impl FnMut(Range<u64>)) -> u64 {
    let (start, mut sent) = (Instant::now(), 0);
    while !stop.is_wanted() {
        let elapsed = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = elapsed.saturating_mul(rate) / 1_000_000;
        if due <= sent {
            thread::park_timeout(PACE);
            continue;
        }
        let until = due.min(sent + BURST);
        send(sent..until);
        sent = until;
    }
    sent
}

/// Octets without a pattern.
pub(crate) fn octets(rng: &mut Rng, count: usize) -> Vec<u8> {
    (0..count.div_ceil(8)).flat_map(|_| rng.next_u64().to_be_bytes()).take(count).collect()
}

/// The same with one octet to six changed, from `first` on.
pub(crate) fn changed(rng: &mut Rng, mut octets: Vec<u8>, first: usize) -> Vec<u8> {
    let span = u64::try_from(octets.len().saturating_sub(first)).unwrap_or(0);
    for _ in 0..=rng.below(6) {
        let place = first + usize::try_from(rng.below(span)).unwrap_or(0);
        let [value, ..] = rng.next_u64().to_be_bytes();
        if let Some(octet) = octets.get_mut(place) {
            *octet = value;
        }
    }
    octets
}
