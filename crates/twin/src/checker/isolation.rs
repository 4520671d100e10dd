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
    /// The LAN it was sent from.
    pub from: usize,
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
            "at {} a packet from LAN {} came out at LAN {}: {source} port {source_port} to \
             {destination} port {destination_port}, protocol {protocol}",
            self.at, self.from, self.to
        )
    }
}

/// Watches every arrival.
#[derive(Debug, Default)]
pub(crate) struct Isolation {
    breaches: Vec<Breach>,
    /// How many packets were looked at.
    pub(crate) examined: u64,
}

impl Isolation {
    pub(crate) fn check(
        &mut self,
        promises: &Promises,
        at: Instant,
        from: usize,
        to: usize,
        flow: &Flow,
    ) {
        self.examined += 1;
        if !promises.permit(from, to, flow) && self.breaches.len() < BREACHES_MAX {
            self.breaches.push(Breach { at, from, to, flow: *flow });
        }
    }

    pub(crate) fn breaches(&self) -> &[Breach] {
        &self.breaches
    }
}
