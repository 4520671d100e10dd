//! What a router's devices were opened for, and which configurations they fit.
//!
//! Devices are opened once, with rights that the process gives up afterwards. So a configuration
//! that would have opened others cannot come into force while the process runs: a link that is to
//! be sealed would go on in clear, frames would be longer than there is room for, and a wire would
//! be in another virtual network. A port that is used no more is no harm: nothing goes over it.

use core::net::IpAddr;

use base::PortId;
use model::config::{Medium, Port, PortKind, RouterConfig};

use crate::daemon::ports::{Opening, Openings, inner};

/// What one device was opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct One {
    id: PortId,
    name: String,
    medium: Medium,
    mtu: u16,
    /// The ends inside a secure link, where these are the port's addresses.
    inner: Option<[IpAddr; 2]>,
}

/// What a router's devices were opened for.
#[derive(Debug, Default)]
pub(crate) struct Opened(Vec<One>);

impl Opened {
    /// What will be opened for a configuration.
    pub(crate) fn of(openings: &Openings, config: &RouterConfig) -> Self {
        let one = |(id, opening): &(PortId, Opening)| {
            let port = port(config, *id)?;
            let inner = inner(port).filter(|ends| match opening {
                Opening::Secure(secure) => *ends == [secure.inner_local, secure.inner_remote],
                Opening::Interface(_) | Opening::Tap(_) => false,
            });
            let (name, medium, mtu) = (port.name.clone(), port.medium, port.mtu);
            Some(One { id: *id, name, medium, mtu, inner })
        };
        Self(openings.iter().filter_map(one).collect())
    }

    /// Why a configuration does not fit the devices, for every port that is concerned.
    pub(crate) fn misfits(&self, config: &RouterConfig) -> Vec<String> {
        self.0.iter().filter_map(|one| one.misfit(port(config, one.id)?)).collect()
    }

    /// Ports of a configuration that have no device, and that the one before did not have.
    pub(crate) fn unopened(&self, before: &RouterConfig, config: &RouterConfig) -> Vec<String> {
        let is_used = |port: &Port| !matches!(port.kind, PortKind::Unused);
        let was_there = |id: PortId, name: &str| {
            port(before, id).is_some_and(|port| is_used(port) && port.name == name)
        };
        let ports = config.ports().filter(|(id, port)| {
            let has_device = self.0.iter().any(|one| one.id == *id);
            is_used(port) && !has_device && !was_there(*id, &port.name)
        });
        ports.map(|(_, port)| port.name.clone()).collect()
    }
}

fn port(config: &RouterConfig, id: PortId) -> Option<&Port> {
    config.ports().find(|(other, _)| *other == id).map(|(_, port)| port)
}

const fn in_words(medium: Medium) -> &'static str {
    match medium {
        Medium::Ethernet => "Ethernet",
        Medium::Secure => "secure",
    }
}

impl One {
    fn misfit(&self, port: &Port) -> Option<String> {
        if matches!(port.kind, PortKind::Unused) {
            return None;
        }
        let name = &self.name;
        if port.name != *name {
            return Some(format!("`{name}` would be `{}`", port.name));
        }
        if port.medium != self.medium {
            let [was, would] = [self.medium, port.medium].map(in_words);
            return Some(format!("`{name}` is {was} and would be {would}"));
        }
        if port.mtu > self.mtu {
            let (room, mtu) = (self.mtu, port.mtu);
            return Some(format!("`{name}` has room for packets of {room} octets, not {mtu}"));
        }
        if self.inner.is_some() && inner(port) != self.inner {
            return Some(format!("`{name}` would have other ends inside its secure link"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Opened;
    use crate::daemon::config;
    use crate::daemon::ports::{Opening, Openings, inner};
    use base::PortId;
    use host::secure::{PrivateKey, SecureConfig};
    use model::config::{Medium, Port, PortKind, RouterConfig};
    use std::net::IpAddr;

    /// A site's router with an interface behind every port.
    fn opened() -> (RouterConfig, Opened) {
        let config = config("site-h1");
        let openings: Openings =
            config.ports().map(|(id, port)| (id, Opening::Interface(port.name.clone()))).collect();
        assert!(openings.len() > 1);
        let opened = Opened::of(&openings, &config);
        (config, opened)
    }

    /// What is said of a configuration whose first port is another.
    fn said(change: impl FnOnce(&mut Port)) -> Vec<String> {
        let (mut config, opened) = opened();
        change(config.ports.first_mut().unwrap());
        opened.misfits(&config)
    }

    #[test]
    fn configurations_that_would_have_opened_the_same_fit() {
        let none: [String; 0] = [];
        assert_eq!(said(|_| {}), none);
        assert_eq!(said(|port| port.mtu -= 100), none);
        assert_eq!(said(|port| port.kind = PortKind::Unused), none);
        assert_eq!(
            said(|port| {
                "unused-0".clone_into(&mut port.name);
                port.kind = PortKind::Unused;
            }),
            none
        );
    }

    #[test]
    fn every_port_that_does_not_fit_is_named() {
        let (before, opened) = opened();
        let mut config = before.clone();
        let names: Vec<String> = config.ports.iter().map(|port| port.name.clone()).collect();
        for port in &mut config.ports {
            port.mtu += 1;
        }
        let misfits = opened.misfits(&config);
        assert_eq!(misfits.len(), names.len());
        assert!(misfits.iter().zip(&names).all(|(said, name)| said.contains(name.as_str())));
        let [name, ..] = names.as_slice() else { panic!() };
        assert_eq!(
            said(|port| port.medium = Medium::Secure),
            [format!("`{name}` is Ethernet and would be secure")]
        );
        assert_eq!(
            said(|port| "other".clone_into(&mut port.name)),
            [format!("`{name}` would be `other`")]
        );
        let mtu = before.ports.first().unwrap().mtu;
        assert_eq!(
            said(|port| port.mtu = 9_000),
            [format!("`{name}` has room for packets of {mtu} octets, not 9000")]
        );
    }

    #[test]
    fn ports_that_came_without_a_device_are_told_once() {
        let (before, opened) = opened();
        let mut config = before.clone();
        let added = Port { name: "lan-new".to_owned(), ..before.ports.last().unwrap().clone() };
        config.ports.push(added);
        assert_eq!(opened.unopened(&before, &config), ["lan-new"]);
        assert_eq!(opened.unopened(&config, &config), [""; 0]);
        assert_eq!(opened.unopened(&before, &before), [""; 0]);
        assert!(opened.misfits(&config).is_empty());
        let last = PortId(u32::try_from(config.ports.len() - 1).unwrap());
        let openings = vec![(last, Opening::Tap("lan0".to_owned()))];
        assert_eq!(Opened::of(&openings, &config).unopened(&before, &config), [""; 0]);
    }

    #[test]
    fn secure_link_whose_ends_were_the_ports_does_not_fit_others() {
        let config = config("site-g1");
        let (id, port) = config.ports().find(|(_, port)| port.medium == Medium::Secure).unwrap();
        let [inner_local, inner_remote] = inner(port).unwrap();
        let (private_key, listen) = (PrivateKey::generate(), "127.0.0.1:0".parse().unwrap());
        let secure = |ends: [IpAddr; 2]| SecureConfig {
            peer_public_key: private_key.public(),
            private_key: private_key.clone(),
            preshared_key: None,
            listen,
            endpoint: None,
            inner_local: ends[0],
            inner_remote: ends[1],
            keepalive_s: None,
        };
        let opened = |ends| {
            let openings = vec![(id, Opening::Secure(Box::new(secure(ends))))];
            Opened::of(&openings, &config)
        };
        let mut changed = config.clone();
        let place = usize::try_from(id.0).unwrap();
        let own = &mut changed.ports.get_mut(place).unwrap().addresses;
        own.iter_mut().find(|own| own.address.is_ipv4()).unwrap().address = inner_remote;
        let ends = [inner_local, inner_remote];
        assert_eq!(opened(ends).misfits(&config), [""; 0]);
        let said = format!("`{}` would have other ends inside its secure link", port.name);
        assert_eq!(opened(ends).misfits(&changed), [said]);
        let named = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        assert_eq!(opened(named).misfits(&changed), [""; 0], "the file of ports names its ends");
    }
}
