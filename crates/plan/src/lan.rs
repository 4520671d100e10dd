//! LANs and the addresses of applications on them.
//!
//! A site's LAN in a virtual network is the prefix of its number in the network's pools, and the
//! /64 of the same number in the network's /48. An application's address is the one it was given,
//! or the next host of its site's LAN.
//!
//! A given address, of an application or of an attached router, decides for its site: where it can,
//! the site gets the LAN that the address is on, and no other site gets that LAN. No site gets a
//! LAN of which something is behind an attached router. Such numbers are passed over.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use base::{Ipv4Prefix, Ipv6Prefix, Prefix};
use intent::files::LOCK;
use intent::{Application, Intent, VirtualNetwork};

use crate::numbers::Numbers;

/// Applications get addresses from here: the first few of a LAN are the gateway's and the site's.
const HOST_FIRST: u32 = 10;

/// A LAN of one site in one virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lan {
    pub(crate) v4: Ipv4Prefix,
    pub(crate) v6: Ipv6Prefix,
}

impl Lan {
    /// The LAN of that number in a network whose /48 is `v6`.
    fn new(network: &VirtualNetwork, v6: Ipv6Prefix, number: u32) -> Option<Self> {
        Some(Self { v4: network.lan(number)?, v6: v6.subnet(64, number.into())? })
    }

    pub(crate) fn prefixes(self) -> [Prefix; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The site router's own addresses: the first host of each prefix.
    pub(crate) fn gateways(self) -> Vec<IpAddr> {
        self.prefixes().into_iter().filter_map(|prefix| prefix.nth(1)).collect()
    }

    /// Which address of the LAN this is, counted from 0.
    fn offset(self, address: Ipv4Addr) -> Option<u32> {
        let offset = || address.to_bits().checked_sub(self.v4.addr().to_bits());
        self.v4.contains(address).then(offset).flatten()
    }

    /// The offset of the broadcast address.
    fn last(self) -> u32 {
        last_v4(self.v4).to_bits() - self.v4.addr().to_bits()
    }
}

/// What stands against the LANs of a virtual network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Claims<'a> {
    /// Addresses that were given by name.
    given: Vec<Given<'a>>,
    /// What is behind attached routers, with their names.
    behind: Vec<(Prefix, &'a str)>,
}

/// An address that was given by name.
#[derive(Debug, Clone, Copy)]
struct Given<'a> {
    address: Ipv4Addr,
    site: &'a str,
    /// `application` or `attached router`.
    what: &'static str,
    name: &'a str,
}

impl<'a> Claims<'a> {
    /// The claims of an intent, by virtual network.
    pub(crate) fn by_network(intent: &'a Intent) -> BTreeMap<&'a str, Self> {
        let mut claims: BTreeMap<&str, Self> = BTreeMap::new();
        for application in &intent.applications {
            let Some(address) = application.address else { continue };
            let (site, name) = (application.site.as_str(), application.name.as_str());
            let of_network = claims.entry(application.virtual_network.as_str()).or_default();
            of_network.given.push(Given { address, site, what: "application", name });
        }
        for router in &intent.attached_routers {
            let (address, site, name) = (router.address, router.site.as_str(), &router.name);
            let of_network = claims.entry(router.virtual_network.as_str()).or_default();
            of_network.given.push(Given { address, site, what: "attached router", name });
            let prefixes = router.prefixes.iter();
            of_network.behind.extend(prefixes.map(|prefix| (*prefix, name.as_str())));
        }
        claims
    }

    /// Why a site may not have a LAN, and the number of the first LAN that this does not concern.
    fn against(
        &self,
        network: &VirtualNetwork,
        site: &str,
        lan: Lan,
        number: u32,
    ) -> Option<(u32, String)> {
        let mut given = self.given.iter();
        if let Some(given) = given.find(|g| g.site != site && lan.v4.contains(g.address)) {
            let Given { address, what, name, .. } = given;
            let why = format!(
                "{what} `{name}` has {address}, which site `{site}` of `{}` has",
                network.name
            );
            return Some((number.saturating_add(1), why));
        }
        let overlap = |prefix: Prefix| lan.prefixes().iter().any(|own| own.overlaps(prefix));
        let (prefix, name) = self.behind.iter().find(|(prefix, _)| overlap(*prefix))?;
        let last = match prefix {
            Prefix::V4(prefix) => lan_number(network, last_v4(*prefix)),
            Prefix::V6(prefix) => Some(lan_number_v6(last_v6(*prefix))),
        };
        let why = format!(
            "attached router `{name}` has {prefix} behind it, of which site `{site}` of `{}` has a LAN",
            network.name
        );
        Some((last.unwrap_or(number).max(number).saturating_add(1), why))
    }
}

impl<'a> Numbers<'a> {
    /// A site's LAN in a virtual network.
    pub(crate) fn lan(&mut self, network: &'a VirtualNetwork, site: &str) -> Option<Lan> {
        let kind = format!("lan/{}", network.name);
        let block = self.network_v6(&network.name)?;
        let claims = self.claims.get(network.name.as_str()).cloned().unwrap_or_default();
        let against =
            |number: u32| claims.against(network, site, Lan::new(network, block, number)?, number);
        if self.lock.number(&kind, site).is_none() {
            let own = claims.given.iter().find(|given| given.site == site);
            let own = own.and_then(|given| lan_number(network, given.address));
            let free = |number: &u32| {
                Lan::new(network, block, *number).is_some() && against(*number).is_none()
            };
            if let Some(number) = own.filter(free) {
                self.place(&kind, site, number);
            }
        }
        let pass_over = |number: u32| Some(against(number)?.0);
        let number = self.number_unless(&kind, site, u32::MAX, pass_over)?;
        if let Some((_, why)) = against(number) {
            self.problem("services.toml", why);
            return None;
        }
        let lan = Lan::new(network, block, number);
        if lan.is_none() {
            self.problem(LOCK, format!("LAN {number} of `{}` is beyond its /48", network.name));
        }
        lan
    }

    /// The addresses of an application, IPv4 first.
    pub(crate) fn application(&mut self, application: &'a Application) -> Option<[IpAddr; 2]> {
        let network = *self.networks.get(application.virtual_network.as_str())?;
        let lan = self.lan(network, &application.site)?;
        let offset = match application.address.and_then(|address| lan.offset(address)) {
            Some(offset) => self.usable(application, lan, offset)?,
            None => self.host(application, lan)?,
        };
        let v4 = application.address.or_else(|| lan.v4.nth(offset.into()))?;
        Some([v4.into(), lan.v6.nth(offset.into())?.into()])
    }

    /// An address by name is neither the gateway's nor one that no host can have.
    fn usable(&mut self, application: &Application, lan: Lan, offset: u32) -> Option<u32> {
        if offset > 1 && offset < lan.last() {
            return Some(offset);
        }
        let (name, lan) = (&application.name, lan.v4);
        let message = format!("application `{name}` has an address of the network itself: {lan}");
        self.problem("services.toml", message);
        None
    }

    /// The next host of a LAN that was not given by name. An application whose given address is not
    /// on its site's LAN takes one too, for its IPv6 address.
    fn host(&mut self, application: &Application, lan: Lan) -> Option<u32> {
        let claims = self.claims.get(application.virtual_network.as_str());
        let given: Vec<u32> = claims
            .into_iter()
            .flat_map(|claims| &claims.given)
            .filter_map(|given| lan.offset(given.address))
            .collect();
        let kind = format!("host/{}/{}", application.virtual_network, application.site);
        let hosts = lan.last().saturating_sub(HOST_FIRST);
        let pass_over = |number: u32| {
            given.contains(&number.saturating_add(HOST_FIRST)).then(|| number.saturating_add(1))
        };
        let number = self.number_unless(&kind, &application.name, hosts, pass_over)?;
        Some(number + HOST_FIRST)
    }

    /// Like `number`, but numbers for which `pass_over` has a later one to go on with are not
    /// allotted.
    fn number_unless(
        &mut self,
        kind: &str,
        key: &str,
        limit: u32,
        pass_over: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        if self.lock.number(kind, key).is_none() {
            let mut number = self.lock.allot(kind, key);
            // Ends: every step goes further, and beyond the pool nothing is passed over.
            while let Some(next) = pass_over(number).filter(|next| *next > number) {
                self.lock.release(kind, key);
                number = self.lock.allot_from(kind, key, next);
            }
        }
        self.number(kind, key, limit)
    }

    /// Allots `number` to the key where nobody has it.
    fn place(&mut self, kind: &str, key: &str, number: u32) {
        if self.lock.numbers(kind).is_none_or(|numbers| numbers.key(number).is_none()) {
            self.lock.allot_from(kind, key, number);
        }
    }
}

/// The number of the LAN that an address is on.
fn lan_number(network: &VirtualNetwork, address: Ipv4Addr) -> Option<u32> {
    let mut before = 0_u32;
    for pool in &network.addresses {
        let bits = u32::from(network.lan_length.checked_sub(pool.len())?);
        if pool.contains(address) {
            let offset = address.to_bits() - pool.addr().to_bits();
            let step = u32::from(Ipv4Prefix::WIDTH.checked_sub(network.lan_length)?);
            return before.checked_add(offset.checked_shr(step)?);
        }
        before = before.checked_add(1_u32.checked_shl(bits)?)?;
    }
    None
}

/// The number of the LAN whose /64 an address of its network's /48 is in.
fn lan_number_v6(address: Ipv6Addr) -> u32 {
    let [_, _, _, number, ..] = address.segments();
    number.into()
}

fn last_v4(prefix: Ipv4Prefix) -> Ipv4Addr {
    let hosts = u32::MAX.checked_shr(prefix.len().into()).unwrap_or(0);
    Ipv4Addr::from_bits(prefix.addr().to_bits() | hosts)
}

fn last_v6(prefix: Ipv6Prefix) -> Ipv6Addr {
    let hosts = u128::MAX.checked_shr(prefix.len().into()).unwrap_or(0);
    Ipv6Addr::from_bits(prefix.addr().to_bits() | hosts)
}
