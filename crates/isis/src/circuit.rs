//! One circuit at work: its adjacency, and what is still to be told to the neighbour.
//!
//! For each circuit the standard has two flags per link-state PDU: SRM, "send it", and SSN, "name
//! it in a PSNP". Here they are two maps that hold only what is flagged: with all in step both are
//! empty. SRM stays until the neighbour acknowledges; each entry knows when it is next sent.
//!
//! Standards: ISO 10589 §7.3.15.5 (SRM and SSN on point-to-point circuits), RFC 5882 §4.1 (BFD
//! that has never been up does not hold an adjacency back).
//! Not implemented: none.

use std::collections::BTreeMap;

use base::{Duration, Instant};

use crate::adjacency::Adjacency;
use crate::config::Circuit;
use crate::error::NotUpReason;
use crate::pending::Pending;
use crate::snp::{LspEntry, LspId};
use crate::tlv::AdjacencyState;

/// ISO 10589 §7.3.15.5, `minimumLSPTransmissionInterval`: an LSP is sent again after this long
/// without an acknowledgement.
pub(crate) const RETRANSMIT_INTERVAL: Duration = Duration::from_secs(5);
/// Acknowledgements are gathered this long: far less than anybody's retransmission interval.
pub(crate) const PSNP_DELAY: Duration = Duration::from_millis(100);
/// A whole database is sent in bursts, so that the neighbour's queue of control packets holds it.
pub(crate) const BURST_LEN: usize = 32;
/// From one burst to the next.
pub(crate) const BURST_INTERVAL: Duration = Duration::from_millis(10);
/// A second line of defence behind retransmission: both sides compare databases this often.
pub(crate) const CSNP_INTERVAL: Duration = Duration::from_secs(30);
/// A hello sooner than this after the last would only be load.
const HELLO_INTERVAL_MIN: Duration = Duration::from_millis(10);
/// The octets of an LLC header, which a frame carries before the PDU.
const LLC_LEN: u16 = 3;
/// After BFD went down, hellos are not believed for this long unless it comes back: a neighbour
/// that gave up BFD would otherwise never be taken up again.
pub(crate) const BFD_HOLD_BACK: Duration = Duration::from_secs(30);

/// What BFD says of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bfd {
    NeverUp,
    Up,
    Down { hold_back_until: Instant },
}

/// A circuit at work.
#[derive(Debug, Clone)]
pub(crate) struct ActiveCircuit {
    pub(crate) config: Circuit,
    pub(crate) port_up: bool,
    pub(crate) bfd: Bfd,
    pub(crate) adjacency: Option<Adjacency>,
    pub(crate) not_up: NotUpReason,
    pub(crate) since: Instant,
    pub(crate) hello_at: Option<Instant>,
    pub(crate) csnp_at: Option<Instant>,
    pub(crate) psnp_at: Option<Instant>,
    pub(crate) srm: Pending,
    pub(crate) ssn: BTreeMap<LspId, LspEntry>,
}

impl ActiveCircuit {
    pub(crate) const fn new(now: Instant, config: Circuit) -> Self {
        Self {
            config,
            port_up: false,
            bfd: Bfd::NeverUp,
            adjacency: None,
            not_up: NotUpReason::PortDown,
            since: now,
            hello_at: None,
            csnp_at: None,
            psnp_at: None,
            srm: Pending::new(),
            ssn: BTreeMap::new(),
        }
    }

    /// Our number of this circuit, never 0.
    pub(crate) const fn id(&self) -> u32 {
        self.config.port.0.wrapping_add(1)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.adjacency.as_ref().is_some_and(|adjacency| adjacency.up)
    }

    pub(crate) fn state(&self) -> AdjacencyState {
        match &self.adjacency {
            None => AdjacencyState::Down,
            Some(adjacency) if adjacency.up => AdjacencyState::Up,
            Some(_) => AdjacencyState::Initializing,
        }
    }

    pub(crate) fn hello_interval(&self) -> Duration {
        self.config.hello_interval.max(HELLO_INTERVAL_MIN)
    }

    /// Whole seconds, at least one.
    pub(crate) fn holding_time(&self) -> u16 {
        let interval = self.hello_interval().as_nanos();
        let nanos = interval.saturating_mul(u128::from(self.config.hello_multiplier.max(1)));
        u16::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u16::MAX)
    }

    /// The largest PDU that a frame carries.
    pub(crate) fn pdu_len_max(&self) -> usize {
        usize::from(self.config.mtu.saturating_sub(LLC_LEN))
    }

    /// Forgets what the neighbour was still to be told.
    pub(crate) fn forget(&mut self) {
        self.srm.clear();
        self.ssn.clear();
        self.psnp_at = None;
        self.csnp_at = None;
    }

    /// Sets SRM: the PDU is sent at `at`, and not later than it would have been.
    pub(crate) fn send_at(&mut self, id: LspId, at: Instant) {
        if self.is_up() {
            self.srm.set(id, at, false);
        }
    }

    /// Sets SSN: the entry goes into the next PSNP.
    pub(crate) fn report(&mut self, now: Instant, entry: LspEntry) {
        self.ssn.insert(entry.id, entry);
        self.psnp_at = self.psnp_at.or(Some(now + PSNP_DELAY));
    }
}
