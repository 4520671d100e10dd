//! Namespaces, interfaces and addresses of a lab.
//!
//! In a router's namespace port N is the interface `pN`; on a secure link `uN` is what the tunnel
//! runs over. Routers without a process of their own share a namespace, where link N is `lN`. On a
//! LAN there is one host, with the interface `lan0`.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use base::{MacAddr, PortId};
use host::device::Device;
use host::ethernet::Ethernet;
use host::namespace::Namespace;
use host::secure::{PrivateKey, SecureConfig, SecureLink};
use model::config::{Medium, PortKind, RouterConfig};
use model::plan::{Link, Plan};

use crate::daemon::ports::{self, Entry, Ports, Secure};
use crate::failure::Failure;
use crate::lab::Folder;
use crate::lan::{self, Host, ip};

/// Underlays of secure links have addresses of the block for measuring devices (RFC 2544 §C.2.2).
const UNDERLAY: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// The UDP port of secure links' ends.
const SECURE_PORT: u16 = 51_820;

/// Everything that is made of the kernel.
pub(crate) struct Wiring {
    /// Of routers with a process of their own, by their places in the plan.
    routers: BTreeMap<usize, Namespace>,
    /// Of all others.
    rest: Namespace,
    /// By the attachments' places in the plan.
    lans: BTreeMap<usize, Host>,
    /// Keys of secure links' ends, by the links' places in the plan.
    keys: Vec<Option<[PrivateKey; 2]>>,
}

/// The place of a router in the plan.
fn router_number(plan: &Plan, name: &str) -> Option<usize> {
    plan.routers.iter().position(|router| router.name == name)
}

fn refuse(what: &str, error: &dyn core::fmt::Display) -> Failure {
    Failure::network(format!("{what}: {error}"))
        .hint("a lab needs root and `ip` of the package iproute2")
}

/// One end of a link in the kernel.
struct End<'a> {
    namespace: &'a Namespace,
    interface: String,
}

impl Wiring {
    /// Makes every namespace, interface and address that is needed for routers that have a process
    /// of their own.
    pub(crate) fn build(plan: &Plan, is_real: &dyn Fn(usize) -> bool) -> Result<Self, Failure> {
        let here = Namespace::current().map_err(|error| refuse("no namespace", &error))?;
        let make = || Namespace::new().map_err(|error| refuse("no namespace", &error));
        let mut routers = BTreeMap::new();
        for number in (0..plan.routers.len()).filter(|number| is_real(*number)) {
            routers.insert(number, make()?);
        }
        let mut lans = BTreeMap::new();
        for (number, attachment) in plan.attachments.iter().enumerate() {
            if router_number(plan, &attachment.router).is_some_and(is_real) {
                let (namespace, addresses) = (make()?, lan::addresses(plan, attachment));
                lans.insert(number, Host { namespace, addresses });
            }
        }
        let keys = plan.links.iter().map(|link| {
            let pair = || [PrivateKey::generate(), PrivateKey::generate()];
            (link.medium == Medium::Secure).then(pair)
        });
        let wiring = Self { routers, rest: make()?, lans, keys: keys.collect() };
        wiring.silence().map_err(|error| refuse("`/proc/sys` cannot be written", &error))?;
        let script = wiring.interfaces(plan);
        ip(&here, &script).map_err(|error| refuse("interfaces cannot be made", &error))?;
        for namespace in wiring.routers.values().chain([&wiring.rest]) {
            ip(namespace, &wiring.set_up(plan, namespace))
                .map_err(|error| refuse("interfaces cannot be set up", &error))?;
        }
        for (number, host) in &wiring.lans {
            let Some(attachment) = plan.attachments.get(*number) else { continue };
            host.set_up(attachment, plan)
                .map_err(|error| refuse("a host cannot be set up", &error))?;
        }
        Ok(wiring)
    }

    /// The namespace of a router with a process of its own.
    pub(crate) fn router(&self, number: usize) -> Option<&Namespace> {
        self.routers.get(&number)
    }

    /// The host of a LAN.
    pub(crate) fn lan(&self, number: usize) -> Option<&Host> {
        self.lans.get(&number)
    }

    /// Has the kernel say nothing by itself on interfaces that no router has taken for a port yet or
    /// secure links run over, and take hosts' addresses at once.
    fn silence(&self) -> io::Result<()> {
        const FOLDER: &str = "/proc/sys/net/ipv6/conf/default";
        let write = |name: &str, value: &str| std::fs::write(Path::new(FOLDER).join(name), value);
        for namespace in self.routers.values().chain([&self.rest]) {
            namespace.run(|| write("disable_ipv6", "1"))?;
        }
        for lan in self.lans.values() {
            lan.namespace.run(|| write("accept_dad", "0"))?;
        }
        Ok(())
    }

    /// An end of a link; none where both ends are of routers without a process of their own.
    fn end(&self, plan: &Plan, number: usize, side: usize) -> Option<End<'_>> {
        let link = plan.links.get(number)?;
        let namespace =
            |end: &model::plan::LinkEnd| self.routers.get(&router_number(plan, &end.router)?);
        let [near, far] = &link.ends;
        namespace(near).or_else(|| namespace(far))?;
        let end = link.ends.get(side)?;
        Some(match namespace(end) {
            Some(namespace) => End { namespace, interface: interface(link, end.port) },
            None => End { namespace: &self.rest, interface: format!("l{number}") },
        })
    }

    /// A script that makes every pair of interfaces, each end where it belongs.
    fn interfaces(&self, plan: &Plan) -> String {
        let mut script = String::new();
        let mut pair = |near: &End<'_>, far: &End<'_>| {
            script.push_str(&format!(
                "link add {} netns {} type veth peer name {} netns {}\n",
                near.interface,
                near.namespace.path().display(),
                far.interface,
                far.namespace.path().display()
            ));
        };
        for number in 0..plan.links.len() {
            if let Some((near, far)) = self.end(plan, number, 0).zip(self.end(plan, number, 1)) {
                pair(&near, &far);
            }
        }
        for (number, host) in &self.lans {
            let Some(attachment) = plan.attachments.get(*number) else { continue };
            let router = router_number(plan, &attachment.router);
            if let Some(namespace) = router.and_then(|number| self.routers.get(&number)) {
                let near = End { namespace, interface: format!("p{}", attachment.port.0) };
                let interface = lan::INTERFACE.to_owned();
                pair(&near, &End { namespace: &host.namespace, interface });
            }
        }
        script
    }

    /// A script that brings the interfaces of a namespace of routers up.
    fn set_up(&self, plan: &Plan, namespace: &Namespace) -> String {
        let mut script = String::new();
        for (number, link) in plan.links.iter().enumerate() {
            for side in 0..link.ends.len() {
                let end = self.end(plan, number, side);
                let Some(end) = end.filter(|end| core::ptr::eq(end.namespace, namespace)) else {
                    continue;
                };
                if link.medium == Medium::Secure {
                    let (own, peer) = (underlay(number, side), underlay(number, 1 - side));
                    let (own_mac, mac) = (station(number, side), station(number, 1 - side));
                    let device = &end.interface;
                    // The kernel keeps a thousand neighbours for all namespaces together; those
                    // that it is told of do not count.
                    script.push_str(&format!(
                        "link set {device} address {own_mac}\n\
                         addr add {own}/31 dev {device}\n\
                         neigh add {peer} lladdr {mac} dev {device} nud permanent\n"
                    ));
                }
                script.push_str(&format!("link set {} up\n", end.interface));
            }
        }
        for attachment in &plan.attachments {
            let router = router_number(plan, &attachment.router);
            let router = router.and_then(|number| self.routers.get(&number));
            if router.is_some_and(|router| core::ptr::eq(router, namespace)) {
                script.push_str(&format!("link set p{} up\n", attachment.port.0));
            }
        }
        script
    }

    /// The device at the end of a link that is of a router without a process of its own.
    pub(crate) fn device(&self, plan: &Plan, number: usize) -> Result<Box<dyn Device>, Failure> {
        let nothing = || Failure::network("the link does not lead outside");
        let link = plan.links.get(number).ok_or_else(nothing)?;
        let is_rest = |end: &model::plan::LinkEnd| {
            router_number(plan, &end.router).is_some_and(|n| !self.routers.contains_key(&n))
        };
        let side = link.ends.iter().position(is_rest).ok_or_else(nothing)?;
        let end = link.ends.get(side).ok_or_else(nothing)?;
        let router = plan.routers.iter().find(|router| router.name == end.router);
        let port = router.and_then(|router| router.ports().find(|(id, _)| *id == end.port));
        let (_, port) = port.ok_or_else(nothing)?;
        let interface = format!("l{number}");
        let open = || -> io::Result<Box<dyn Device + Send>> {
            let Some(keys) = self.keys.get(number).and_then(Option::as_ref) else {
                return Ok(Box::new(Ethernet::open(&interface, port.mtu)?));
            };
            let [inner_local, inner_remote] =
                ports::inner(port).ok_or(io::ErrorKind::InvalidInput)?;
            let [first, second] = keys;
            let (own, peer) = if side == 0 { (first, second) } else { (second, first) };
            let config = SecureConfig {
                private_key: own.to_text().parse().map_err(io::Error::other)?,
                peer_public_key: peer.public(),
                preshared_key: None,
                listen: underlay_end(number, side),
                endpoint: Some(underlay_end(number, 1 - side)),
                inner_local,
                inner_remote,
                keepalive_s: None,
            };
            Ok(Box::new(SecureLink::new(&config, config.open()?)?))
        };
        let device = self.rest.run(open);
        device.map(|device| device as _).map_err(|error| refuse("a port cannot be opened", &error))
    }

    /// What stands behind a router's ports.
    pub(crate) fn ports(&self, plan: &Plan, number: usize) -> PortsAndKeys {
        let mut all = PortsAndKeys::default();
        let Some(router) = plan.routers.get(number) else { return all };
        for (index, link) in plan.links.iter().enumerate() {
            for (side, end) in link.ends.iter().enumerate() {
                if end.router != router.name {
                    continue;
                }
                let Some(name) = port_name(router, end.port) else { continue };
                let entry = match self.keys.get(index).and_then(Option::as_ref) {
                    None => {
                        Entry { interface: Some(interface(link, end.port)), ..Entry::default() }
                    }
                    Some(keys) => {
                        let file = format!("{}-{}.key", router.name, end.port.0);
                        let (key, entry) = secure_end(index, side, keys, &file);
                        all.keys.push((file, key));
                        entry
                    }
                };
                all.ports.port.insert(name, entry);
            }
        }
        for (id, port) in router.ports() {
            if matches!(port.kind, PortKind::Attachment { .. }) {
                let entry = Entry { interface: Some(format!("p{}", id.0)), ..Entry::default() };
                all.ports.port.insert(port.name.clone(), entry);
            }
        }
        all
    }

    /// Takes the carrier of a link, or gives it back.
    pub(crate) fn set_link(&self, plan: &Plan, number: usize, up: bool) -> Result<(), Failure> {
        let end = self.end(plan, number, 0).ok_or_else(|| {
            Failure::network("both ends of the link are in one process")
                .hint("`weald lab --site` gives a site's router a process of its own")
        })?;
        let state = if up { "up" } else { "down" };
        ip(end.namespace, &format!("link set {} {state}\n", end.interface))
            .map_err(|error| refuse("the link cannot be set", &error))
    }
}

/// One end of a secure link: its private key, and what stands behind the port.
fn secure_end(link: usize, side: usize, keys: &[PrivateKey; 2], file: &str) -> (String, Entry) {
    let [first, second] = keys;
    let (own, peer) = if side == 0 { (first, second) } else { (second, first) };
    let secure = Secure {
        listen: underlay_end(link, side),
        endpoint: Some(underlay_end(link, 1 - side)),
        private_key_file: file.into(),
        peer: peer.public().to_string(),
        preshared_key_file: None,
        inner: None,
        keepalive_s: None,
    };
    (own.to_text(), Entry { secure: Some(secure), ..Entry::default() })
}

/// A router's ports, and the keys that they name.
#[derive(Default)]
pub(crate) struct PortsAndKeys {
    pub(crate) ports: Ports,
    keys: Vec<(String, String)>,
}

impl PortsAndKeys {
    /// Writes the keys beside the file of the ports.
    pub(crate) fn write_keys(&self, folder: &Folder) -> Result<(), Failure> {
        for (name, text) in &self.keys {
            folder.write(name, text)?;
        }
        Ok(())
    }
}

/// The interface of a link at a port.
fn interface(link: &Link, port: PortId) -> String {
    match link.medium {
        Medium::Ethernet => format!("p{}", port.0),
        Medium::Secure => format!("u{}", port.0),
    }
}

/// The underlay's address of one end of a secure link.
fn underlay(link: usize, side: usize) -> Ipv4Addr {
    let offset = u32::try_from(2 * link + side).unwrap_or(0);
    Ipv4Addr::from(UNDERLAY + offset)
}

/// The Ethernet address of one end of a secure link's underlay.
fn station(link: usize, side: usize) -> MacAddr {
    let number = u32::try_from(2 * link + side).unwrap_or(0);
    let [a, b, c, d] = number.to_be_bytes();
    // Locally administered.
    MacAddr([0x02, 0x00, a, b, c, d])
}

/// The address and UDP port of one end of a secure link.
fn underlay_end(link: usize, side: usize) -> SocketAddr {
    SocketAddr::new(underlay(link, side).into(), SECURE_PORT)
}

fn port_name(router: &RouterConfig, id: PortId) -> Option<String> {
    router.ports().find(|(port, _)| *port == id).map(|(_, port)| port.name.clone())
}
