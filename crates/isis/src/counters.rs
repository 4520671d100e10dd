//! What was sent, heard, refused and computed, counted.

use std::collections::BTreeMap;

use crate::error::RejectReason;
use crate::pdu::Pdu;

/// PDUs by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PduCounters {
    /// Point-to-point hellos.
    pub hellos: u64,
    /// Link-state PDUs.
    pub lsps: u64,
    /// Complete sequence-numbers PDUs.
    pub csnps: u64,
    /// Partial sequence-numbers PDUs.
    pub psnps: u64,
}

/// The counters of an instance, from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// PDUs that were decoded and rightly signed.
    pub received: PduCounters,
    /// PDUs sent.
    pub sent: PduCounters,
    /// Link-state PDUs among those sent that had been sent before and not been acknowledged.
    pub lsps_retransmitted: u64,
    /// Link-state PDUs that were not sent as they are larger than the circuit.
    pub lsps_too_large: u64,
    /// Our own link-state PDUs made anew.
    pub lsps_originated: u64,
    /// Entries left out of our link-state PDUs for want of fragments.
    pub entries_left_out: u64,
    /// Link-state PDUs of our own that came back newer than we had made them.
    pub own_lsps_exceeded: u64,
    /// Purges that this router started.
    pub purges: u64,
    /// Computations of paths.
    pub spf_runs: u64,
    /// Prefixes that share a SID index with another in the latest computation.
    pub sid_conflicts: u64,
    rejected: BTreeMap<RejectReason, u64>,
}

impl PduCounters {
    pub(crate) const fn count(&mut self, pdu: &Pdu) {
        match pdu {
            Pdu::Hello(_) => self.hellos += 1,
            Pdu::Lsp(_) => self.lsps += 1,
            Pdu::Csnp(_) => self.csnps += 1,
            Pdu::Psnp(_) => self.psnps += 1,
        }
    }
}

impl Counters {
    pub(crate) fn reject(&mut self, reason: RejectReason) {
        *self.rejected.entry(reason).or_insert(0) += 1;
    }

    /// How many PDUs were not acted on for this reason.
    #[must_use]
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.rejected.get(&reason).copied().unwrap_or(0)
    }

    /// Every reason for which a PDU was not acted on, and how often.
    pub fn rejections(&self) -> impl Iterator<Item = (RejectReason, u64)> {
        self.rejected.iter().map(|(reason, count)| (*reason, *count))
    }
}
