//! LANs and the addresses of applications on them.
//!
//! A site's LAN in a virtual network is the prefix of its number in the network's pools, and the
//! /64 of the same number in the network's /48. An application's address is the one it was given,
//! or the next host of its site's LAN.
//!
//! A given address decides for its site: where it can, the site gets the LAN that the address is on,
//! and no other site gets that LAN. Numbers that would clash with a given address are set aside in
//! the lock, under the key `reserved/NUMBER`.

use core::net::{IpAddr, Ipv4Addr};

use base::{Ipv4Prefix, Ipv6Prefix, Prefix};
use intent::files::LOCK;
use intent::{Application, VirtualNetwork};

use crate::numbers::Numbers;

/// Applications get addresses from here: the first few of a LAN are the gateway's and the site's.
const HOST_FIRST: u32 = 10;
/// LANs beyond this number are not sought out for a given address: reaching one takes a step per
/// number below it.
const PLACE_MAX: u32 = 1024;

/// A LAN of one site in one virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lan {
    pub(crate) v4: Ipv4Prefix,
    pub(crate) v6: Ipv6Prefix,
}

impl Lan {
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
        u32::MAX.checked_shr(self.v4.len().into()).unwrap_or(0)
    }
}

impl<'a> Numbers<'a> {
    /// A site's LAN in a virtual network.
    pub(crate) fn lan(&mut self, network: &'a VirtualNetwork, site: &str) -> Option<Lan> {
        let kind = format!("lan/{}", network.name);
        let given = self.given.get(network.name.as_str()).cloned().unwrap_or_default();
        if self.lock.number(&kind, site).is_none() {
            let own = given.iter().find(|(_, application)| application.site == site);
            if let Some(number) = own.and_then(|(address, _)| lan_number(network, *address)) {
                self.place(&kind, site, number);
            }
        }
        let elsewhere = |number: u32| {
            let lan = network.lan(number)?;
            given.iter().find(|(address, app)| lan.contains(*address) && app.site != site)
        };
        let number = self.unless(&kind, site, u32::MAX, |number| elsewhere(number).is_some())?;
        if let Some((address, application)) = elsewhere(number) {
            let (name, vn) = (&application.name, &network.name);
            let message =
                format!("application `{name}` has {address}, which site `{site}` of `{vn}` has");
            self.problem("services.toml", message);
            return None;
        }
        let v4 = network.lan(number)?;
        let v6 = self.network_v6(&network.name)?.subnet(64, number.into());
        if v6.is_none() {
            self.problem(LOCK, format!("LAN {number} of `{}` is beyond its /48", network.name));
        }
        Some(Lan { v4, v6: v6? })
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

    /// The next host of a LAN that no application was given by name. An application whose given
    /// address is not on its site's LAN takes one too, for its IPv6 address.
    fn host(&mut self, application: &Application, lan: Lan) -> Option<u32> {
        let given = self.given.get(application.virtual_network.as_str());
        let given: Vec<u32> =
            given.into_iter().flatten().filter_map(|(address, _)| lan.offset(*address)).collect();
        let kind = format!("host/{}/{}", application.virtual_network, application.site);
        let hosts = lan.last().saturating_sub(HOST_FIRST);
        let taken = |number: u32| given.contains(&(number.saturating_add(HOST_FIRST)));
        let number = self.unless(&kind, &application.name, hosts, taken)?;
        Some(number + HOST_FIRST)
    }

    /// Like `number`, but a number that `refused` says no to is set aside, unless the key has it
    /// already.
    fn unless(
        &mut self,
        kind: &str,
        key: &str,
        limit: u32,
        refused: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        if self.lock.number(kind, key).is_none() {
            // Ends: only numbers of given addresses are refused, and none twice.
            loop {
                let number = self.lock.allot(kind, key);
                if !refused(number) {
                    break;
                }
                self.lock.release(kind, key);
                self.lock.allot(kind, &reserved(number));
            }
        }
        self.number(kind, key, limit)
    }

    /// Allots `number` to the key where nobody has it: the lock gives the smallest free number, so
    /// those below are held for a moment.
    fn place(&mut self, kind: &str, key: &str, number: u32) {
        let holder = self.lock.numbers(kind).and_then(|numbers| numbers.key(number));
        if number > PLACE_MAX || holder.is_some_and(|holder| holder != reserved(number)) {
            return;
        }
        self.lock.release(kind, &reserved(number));
        let mut held = Vec::new();
        while self.lock.allot(kind, key) < number {
            self.lock.release(kind, key);
            let filler = format!("held/{}", held.len());
            self.lock.allot(kind, &filler);
            held.push(filler);
        }
        for filler in held {
            self.lock.release(kind, &filler);
        }
    }
}

fn reserved(number: u32) -> String {
    format!("reserved/{number}")
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
