//! What a site router does for the hosts of a LAN, so that they need no settings of their own.
//!
//! In IPv6 it advertises itself and the LAN's /64, from which hosts make their addresses. In IPv4
//! it lends them addresses out of one block in the upper half of the LAN. The lower half is for
//! whatever has an address of its own: the gateway, applications, printers. An application or an
//! attached router may have one in the upper half all the same; the block is then the longest run
//! without any of them, the lowest of equally long ones.

use core::net::{IpAddr, Ipv4Addr};
use std::collections::BTreeSet;

use base::{Ipv4Prefix, Prefix};
use intent::VirtualNetwork;
use model::config::{DhcpPool, HostService};

use super::SiteLan;

/// Addresses that are lent at once on one LAN: more hosts are on no LAN, and a router keeps what it
/// lends in memory.
const POOL_MAX: u32 = 1000;
/// Seconds that an address is lent for: a day, so that who comes every day keeps the same one.
const LEASE_S: u32 = 86_400;
/// The length of prefix from which hosts make addresses (RFC 4862 §5.5.3, RFC 4291 §2.5.1).
const SELF_MADE_LENGTH: u8 = 64;

/// What is done for the hosts of a LAN; `offered` is where its applications are.
pub(super) fn service(
    network: &VirtualNetwork,
    lan: &SiteLan<'_>,
    offered: &BTreeSet<Prefix>,
) -> HostService {
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    let mut taken: BTreeSet<Ipv4Addr> = offered.iter().filter_map(|host| v4(host.addr())).collect();
    taken.extend(lan.routers.iter().map(|router| router.address));
    HostService {
        dhcp: if network.dhcp { pool(lan.lan.v4, &taken) } else { None },
        advertise: lan.lan.v6.len() == SELF_MADE_LENGTH,
        dns: network.dns.clone(),
    }
}

/// The longest run of addresses in the upper half of a LAN in which nobody has one.
fn pool(lan: Ipv4Prefix, taken: &BTreeSet<Ipv4Addr>) -> Option<DhcpPool> {
    // Without room for a network address, a gateway, a host and a broadcast address.
    if lan.len() > 30 {
        return None;
    }
    let hosts = u32::MAX.checked_shr(lan.len().into())?;
    let broadcast = lan.addr().to_bits() | hosts;
    let mut first = lan.addr().to_bits() + hosts / 2 + 1;
    let mut best: Option<(u32, u32)> = None;
    let upper = Ipv4Addr::from_bits(first)..Ipv4Addr::from_bits(broadcast);
    let ends = taken.range(upper).map(|address| address.to_bits());
    for end in ends.chain([broadcast]) {
        let count = (end - first).min(POOL_MAX);
        if count > best.map_or(0, |(_, longest)| longest) {
            best = Some((first, count));
        }
        first = end.saturating_add(1);
    }
    let (first, count) = best?;
    let last = Ipv4Addr::from_bits(first + count - 1);
    Some(DhcpPool { first: Ipv4Addr::from_bits(first), last, lease_s: LEASE_S })
}

#[cfg(test)]
mod tests {
    use super::pool;

    fn found(lan: &str, taken: &[&str]) -> Option<(String, String)> {
        let taken = taken.iter().map(|address| address.parse().unwrap()).collect();
        let pool = pool(lan.parse().unwrap(), &taken)?;
        assert_eq!(pool.lease_s, 86_400);
        Some((pool.first.to_string(), pool.last.to_string()))
    }

    #[test]
    fn pool_is_the_longest_free_run_of_the_upper_half() {
        for (lan, taken, first, last) in [
            ("10.1.0.0/24", &[][..], "10.1.0.128", "10.1.0.254"),
            ("10.1.0.0/24", &["10.1.0.1", "10.1.0.127", "10.1.1.200"], "10.1.0.128", "10.1.0.254"),
            ("10.1.0.0/24", &["10.1.0.128"], "10.1.0.129", "10.1.0.254"),
            ("10.1.0.0/24", &["10.1.0.254"], "10.1.0.128", "10.1.0.253"),
            ("10.1.0.0/24", &["10.1.0.180", "10.1.0.200"], "10.1.0.201", "10.1.0.254"),
            ("10.1.0.0/24", &["10.1.0.191"], "10.1.0.128", "10.1.0.190"),
            ("10.1.0.0/29", &[], "10.1.0.4", "10.1.0.6"),
            ("10.1.0.0/29", &["10.1.0.5"], "10.1.0.4", "10.1.0.4"),
            ("10.1.0.8/30", &[], "10.1.0.10", "10.1.0.10"),
            ("10.1.0.0/16", &[], "10.1.128.0", "10.1.131.231"),
            ("10.1.0.0/16", &["10.1.128.9"], "10.1.128.10", "10.1.131.241"),
        ] {
            let expected = Some((first.to_owned(), last.to_owned()));
            assert_eq!(found(lan, taken), expected, "{lan} {taken:?}");
        }
    }

    #[test]
    fn lan_without_room_has_no_pool() {
        for (lan, taken) in [
            ("10.1.0.0/31", &[][..]),
            ("10.1.0.0/32", &[]),
            ("10.1.0.8/30", &["10.1.0.10"]),
            ("10.1.0.0/29", &["10.1.0.4", "10.1.0.5", "10.1.0.6"]),
        ] {
            assert_eq!(found(lan, taken), None, "{lan}");
        }
    }
}
