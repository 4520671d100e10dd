//! Every identifier, from the intent's pools through the lock.
//!
//! The lock gives out numbers by kind and key; here a number becomes what it stands for. Asking
//! twice gives the same answer. Kinds:
//!
//! | kind | key | becomes |
//! |---|---|---|
//! | `loopback` | core router | loopback addresses, prefix-SID index, system identifier |
//! | `core_link` | core link | a /31 |
//! | `site_router` | site router | AS number, Ethernet addresses |
//! | `uplink` | uplink | a /31 |
//! | `port/ROUTER` | what ends there | port number, adjacency-SID |
//! | `vn_v6` | virtual network | its /48 |
//! | `lan/NETWORK` | site | IPv4 prefix, and the /64 of the same number |
//! | `host/NETWORK/SITE` | application | its host address on that LAN |
//! | `rd` | VRF and uplink | route distinguisher |
//! | `target` | virtual network, or community and side | route target |
//!
//! `lan` and `host` numbers are handed out in `lan.rs`.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{
    AsNumber, Ipv4Prefix, Ipv6Prefix, PortId, RouteDistinguisher, RouteTarget, RouterId, SystemId,
};
use intent::files::LOCK;
use intent::{Intent, Lock, Problem, SITE_AS_NUMBERS, Site, VirtualNetwork};
use model::config::Loopback;

use crate::lan::Claims;
use crate::ports;

/// Prefix-SID indexes: what the region's global block holds.
pub(crate) const SRGB_SIZE: u32 = 8000;
/// Adjacency-SIDs: what a router's local block holds, one per port number.
pub(crate) const SRLB_SIZE: u32 = 1000;
/// Port numbers of one router: what two octets of an Ethernet address hold.
const PORTS_MAX: u32 = 1 << 16;
/// Site routers: what three octets of an Ethernet address hold.
const SITE_ROUTERS_MAX: u32 = 1 << 24;

/// Hands out identifiers and keeps what went wrong.
#[derive(Debug)]
pub(crate) struct Numbers<'a> {
    pub(crate) lock: Lock,
    pools: &'a intent::Pools,
    intent: &'a Intent,
    pub(crate) networks: BTreeMap<&'a str, &'a VirtualNetwork>,
    /// What stands against LANs, by virtual network.
    pub(crate) claims: BTreeMap<&'a str, Claims<'a>>,
    as_number: u16,
    problems: Vec<Problem>,
    /// Kinds with too few numbers: how many there are, and how many more are wanted.
    exhausted: BTreeMap<String, Exhausted>,
}

#[derive(Debug)]
struct Exhausted {
    capacity: u32,
    wanted: Vec<String>,
}

/// A core router's own numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreNumbers {
    pub(crate) number: u32,
    pub(crate) loopback: Loopback,
    pub(crate) router_id: RouterId,
    pub(crate) system_id: SystemId,
}

impl<'a> Numbers<'a> {
    pub(crate) fn new(intent: &'a Intent, lock: Lock) -> Self {
        let networks = intent.virtual_networks.iter().map(|vn| (vn.name.as_str(), vn)).collect();
        let mut numbers = Self {
            lock,
            pools: &intent.pools,
            intent,
            networks,
            claims: Claims::by_network(intent),
            as_number: 0,
            problems: Vec::new(),
            exhausted: BTreeMap::new(),
        };
        match u16::try_from(intent.region.as_number.0) {
            Ok(asn) => numbers.as_number = asn,
            Err(_) => numbers.problem(
                "network.toml",
                format!("AS number {} does not fit two octets", intent.region.as_number),
            ),
        }
        numbers
    }

    /// Notes a finding that stands against the plan.
    pub(crate) fn problem(&mut self, file: &str, message: String) {
        let problem = Problem::error(file, None, message);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// The lock with everything allotted, or all findings.
    pub(crate) fn finish(mut self) -> Result<Lock, Vec<Problem>> {
        for (kind, Exhausted { capacity, wanted }) in core::mem::take(&mut self.exhausted) {
            let more = wanted.len();
            let first = wanted.first().map_or("", String::as_str);
            let message = format!("`{kind}` is exhausted: {more} more wanted, first by `{first}`");
            let mut problem = Problem::error(LOCK, None, message);
            problem.allowed = Some(format!("{capacity} numbers"));
            problem.hint = Some("widen the pool they come from".to_owned());
            self.problems.push(problem);
        }
        if self.problems.is_empty() { Ok(self.lock) } else { Err(self.problems) }
    }

    /// The number of a key, where it is below the pool's size and below `limit`.
    pub(crate) fn number(&mut self, kind: &str, key: &str, limit: u32) -> Option<u32> {
        let number = self.lock.allot(kind, key);
        let capacity = self.intent.capacity(kind).map_or(limit, |pool| pool.min(limit));
        if number < capacity {
            return Some(number);
        }
        let exhausted = self.exhausted.entry(kind.to_owned());
        let wanted = &mut exhausted.or_insert(Exhausted { capacity, wanted: Vec::new() }).wanted;
        if !wanted.iter().any(|other| other == key) {
            wanted.push(key.to_owned());
        }
        None
    }

    pub(crate) fn core_router(&mut self, router: &str) -> Option<CoreNumbers> {
        // Index 0 is left free, so that index and the last octets of the loopback agree.
        let number = self.number("loopback", router, SRGB_SIZE - 1)? + 1;
        let v4 = self.pools.loopbacks.nth(number.into())?;
        let v6 = self.pools.loopbacks_v6.nth(number.into());
        Some(CoreNumbers {
            number,
            loopback: Loopback { v4, v4_sid: number, v6 },
            router_id: RouterId(v4),
            system_id: system_id(v4),
        })
    }

    pub(crate) fn core_link(&mut self, link: &str) -> Option<[Ipv4Addr; 2]> {
        let number = self.number("core_link", link, u32::MAX)?;
        ends(self.pools.core_links.subnet(31, number.into())?)
    }

    pub(crate) fn site_router(&mut self, router: &str) -> Option<u32> {
        self.number("site_router", router, SITE_ROUTERS_MAX)
    }

    /// The addresses of an uplink's core end and site end.
    pub(crate) fn uplink(&mut self, uplink: &str) -> Option<[Ipv4Addr; 2]> {
        let number = self.number("uplink", uplink, u32::MAX)?;
        ends(self.pools.uplinks.subnet(31, number.into())?)
    }

    pub(crate) fn port(&mut self, router: &str, key: &str) -> Option<PortId> {
        self.number(&ports::kind(router), key, PORTS_MAX).map(PortId)
    }

    /// A port that needs an adjacency-SID of the local block.
    pub(crate) fn core_link_port(&mut self, router: &str, link: &str) -> Option<PortId> {
        self.number(&ports::kind(router), link, SRLB_SIZE).map(PortId)
    }

    /// The port of a site's LAN in a virtual network.
    pub(crate) fn lan_port(&mut self, site: &Site, network: &str) -> Option<PortId> {
        self.port(&site.router_name(), &format!("lan/{}/{network}", site.code))
    }

    pub(crate) fn network_v6(&mut self, network: &str) -> Option<Ipv6Prefix> {
        let number = self.number("vn_v6", network, u32::MAX)?;
        self.pools.virtual_networks_v6.subnet(48, number.into())
    }

    pub(crate) fn route_distinguisher(
        &mut self,
        network: &str,
        uplink: &str,
    ) -> Option<RouteDistinguisher> {
        let number = self.number("rd", &format!("{network}/{uplink}"), u32::MAX)? + 1;
        Some(RouteDistinguisher::with_as(self.as_number, number))
    }

    /// The route target that a virtual network's own routes carry.
    pub(crate) fn network_target(&mut self, network: &str) -> Option<RouteTarget> {
        self.target(&format!("virtual_network/{network}"))
    }

    /// The route target that members' LANs carry and providers import.
    pub(crate) fn consumers_target(&mut self, community: &str) -> Option<RouteTarget> {
        self.target(&format!("community/{community}/consumers"))
    }

    /// The route target that applications' addresses carry and members import.
    pub(crate) fn providers_target(&mut self, community: &str) -> Option<RouteTarget> {
        self.target(&format!("community/{community}/providers"))
    }

    fn target(&mut self, key: &str) -> Option<RouteTarget> {
        let number = self.number("target", key, u32::MAX)? + 1;
        Some(RouteTarget::with_as(self.as_number, number))
    }
}

/// The two addresses of a /31 (RFC 3021), the even one first.
fn ends(link: Ipv4Prefix) -> Option<[Ipv4Addr; 2]> {
    Some([link.nth(0)?, link.nth(1)?])
}

/// A site router's AS number.
pub(crate) const fn site_as_number(number: u32) -> AsNumber {
    AsNumber(*SITE_AS_NUMBERS.start() + number)
}

/// An address as a system identifier, in the customary form: its twelve decimal digits, so that
/// 100.64.0.1 is 1000.6400.0001.
fn system_id(address: Ipv4Addr) -> SystemId {
    let [a, b, c, d] = address.octets().map(|octet| [octet / 100, octet / 10 % 10, octet % 10]);
    let digits = [a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2], d[0], d[1], d[2]];
    let (pairs, _) = digits.as_chunks::<2>();
    let mut octets = [0; 6];
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        *octet = high << 4 | low;
    }
    SystemId(octets)
}

#[cfg(test)]
mod tests {
    use intent::SITE_AS_NUMBERS;

    use super::{SITE_ROUTERS_MAX, site_as_number, system_id};

    #[test]
    fn every_site_router_has_an_as_number_of_those_set_apart() {
        assert_eq!(site_as_number(0).0, *SITE_AS_NUMBERS.start());
        assert_eq!(site_as_number(SITE_ROUTERS_MAX - 1).0, *SITE_AS_NUMBERS.end());
    }

    #[test]
    fn system_identifier_is_the_loopback_in_decimal_digits() {
        let text = |address: [u8; 4]| system_id(address.into()).to_string();
        assert_eq!(text([100, 64, 0, 1]), "1000.6400.0001");
        assert_eq!(text([192, 168, 255, 20]), "1921.6825.5020");
    }
}
