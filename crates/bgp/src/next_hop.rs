//! Next hops: which can be reached, and how far they are.
//!
//! Inside the AS the IGP says so: whoever drives the speaker hands over the complete set with
//! metrics whenever it changes. A neighbour on an uplink is its own next hop, reached over the very
//! link of its session: it is reachable while that session is established. The next hops of routers
//! inside VRFs are not here: their addresses mean something in their VRF alone.
//!
//! Standards: RFC 4271 §9.1.2.1 (resolvability), §9.1.2.2 e (metric).
//! Not implemented: resolving one BGP route by another.

use std::collections::BTreeMap;

use core::net::IpAddr;

/// The metric to the other end of an uplink.
const METRIC_DIRECT: u32 = 0;

/// All next hops that can be reached.
#[derive(Debug, Default)]
pub struct NextHops {
    igp: BTreeMap<IpAddr, u32>,
    /// Uplinks' far ends, with the number of sessions to each.
    direct: BTreeMap<IpAddr, u32>,
}

impl NextHops {
    /// How far the next hop is; `None` where nothing leads to it.
    #[must_use]
    pub fn metric(&self, next_hop: IpAddr) -> Option<u32> {
        if self.direct.contains_key(&next_hop) {
            return Some(METRIC_DIRECT);
        }
        self.igp.get(&next_hop).copied()
    }

    /// Takes over the IGP's complete set; returns the next hops that changed.
    pub fn set_igp(&mut self, reachable: BTreeMap<IpAddr, u32>) -> Vec<IpAddr> {
        let former = core::mem::replace(&mut self.igp, reachable);
        let gone = former.keys().filter(|hop| !self.igp.contains_key(hop)).copied();
        let changed = self.igp.iter().filter(|(hop, metric)| former.get(hop) != Some(metric));
        gone.chain(changed.map(|(&hop, _)| hop)).collect()
    }

    /// A session over an uplink came up.
    pub fn add_direct(&mut self, peer: IpAddr) {
        *self.direct.entry(peer).or_default() += 1;
    }

    /// A session over an uplink went down.
    pub fn remove_direct(&mut self, peer: IpAddr) {
        if let Some(sessions) = self.direct.get_mut(&peer) {
            *sessions -= 1;
            if *sessions == 0 {
                self.direct.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NextHops;
    use core::net::{IpAddr, Ipv4Addr};

    #[test]
    fn only_changed_next_hops_are_reported() {
        let hop = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        let mut hops = NextHops::default();
        assert_eq!(hops.set_igp([(hop(1), 1), (hop(2), 2)].into()), [hop(1), hop(2)]);
        assert_eq!(hops.set_igp([(hop(1), 1), (hop(3), 3)].into()), [hop(2), hop(3)]);
        assert_eq!(hops.set_igp([(hop(1), 9), (hop(3), 3)].into()), [hop(1)]);
        hops.add_direct(hop(1));
        assert_eq!((hops.metric(hop(1)), hops.metric(hop(2))), (Some(0), None));
        hops.remove_direct(hop(1));
        assert_eq!(hops.metric(hop(1)), Some(9));
    }
}
