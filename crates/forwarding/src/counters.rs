//! What the lane counts, per port: packets and octets in both directions, and drops by reason.

use std::collections::BTreeMap;

use base::PortId;

use crate::DropReason;

/// Packets and octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Octets, link headers included.
    pub octets: u64,
}

impl Count {
    pub(crate) const fn add(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }
}

/// The counters of one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortCounters {
    /// What arrived.
    pub received: Count,
    /// What was sent.
    pub sent: Count,
    drops: [u64; DropReason::COUNT],
}

impl Default for PortCounters {
    fn default() -> Self {
        Self { received: Count::default(), sent: Count::default(), drops: [0; DropReason::COUNT] }
    }
}

impl PortCounters {
    /// How many packets from this port were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.get(reason as usize).copied().unwrap_or(0)
    }

    /// The reasons for which packets from this port were dropped, and how many.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        let pairs = DropReason::ALL.iter().copied().zip(self.drops);
        pairs.filter(|(_, count)| *count > 0)
    }
}

/// The counters of all ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    ports: BTreeMap<PortId, PortCounters>,
    own: PortCounters,
}

impl Counters {
    /// The counters of one port, where it has carried anything.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&PortCounters> {
        self.ports.get(&id)
    }

    /// The counters of every port, in order.
    pub fn ports(&self) -> impl Iterator<Item = (PortId, &PortCounters)> {
        self.ports.iter().map(|(id, counters)| (*id, counters))
    }

    /// Drops among what the router itself sent.
    #[must_use]
    pub const fn own(&self) -> &PortCounters {
        &self.own
    }

    /// Drops for a reason, over all ports and what the router itself sent.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        let ports = self.ports.values().map(|counters| counters.dropped(reason));
        ports.sum::<u64>() + self.own.dropped(reason)
    }

    pub(crate) fn port_mut(&mut self, id: PortId) -> &mut PortCounters {
        self.ports.entry(id).or_default()
    }

    pub(crate) fn drop(&mut self, port: Option<PortId>, reason: DropReason) {
        let counters = match port {
            Some(id) => self.ports.entry(id).or_default(),
            None => &mut self.own,
        };
        if let Some(count) = counters.drops.get_mut(reason as usize) {
            *count += 1;
        }
    }
}
