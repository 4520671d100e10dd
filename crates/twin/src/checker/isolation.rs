//! No packet ever comes out where no promise lets it, not for one moment.

use core::fmt;

use base::Instant;

use crate::probe::Flow;
use crate::promises::Promises;

/// How many breaches are kept; all are counted.
const BREACHES_MAX: usize = 100;

/// A packet that came out where no promise lets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach {
    /// When.
    pub at: Instant,
    /// The LAN it was sent from; none where no host had sent it.
    pub from: Option<usize>,
    /// The LAN it came out at.
    pub to: usize,
    /// The packet.
    pub flow: Flow,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Flow { source, destination, protocol, source_port, destination_port } = self.flow;
        write!(
            f,
            "at {} a packet from {} came out at LAN {}: {source} port {source_port} to \
             {destination} port {destination_port}, protocol {protocol}",
            self.at,
            self.from.map_or_else(|| "no host".to_owned(), |from| format!("LAN {from}")),
            self.to
        )
    }
}

/// Watches every arrival.
#[derive(Debug, Default)]
pub(crate) struct Isolation {
    breaches: Vec<Breach>,
    count: u64,
}

impl Isolation {
    pub(crate) fn check(
        &mut self,
        promises: &[Promises],
        at: Instant,
        from: usize,
        to: usize,
        flow: &Flow,
    ) {
        if !promises.iter().any(|promises| promises.permit(from, to, flow)) {
            self.add(Breach { at, from: Some(from), to, flow: *flow });
        }
    }

    /// A packet that no host sent came out at a LAN.
    pub(crate) fn unknown(&mut self, at: Instant, to: usize, flow: &Flow) {
        self.add(Breach { at, from: None, to, flow: *flow });
    }

    fn add(&mut self, breach: Breach) {
        self.count += 1;
        if self.breaches.len() < BREACHES_MAX {
            self.breaches.push(breach);
        }
    }

    /// How many there were.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn breaches(&self) -> &[Breach] {
        &self.breaches
    }
}
