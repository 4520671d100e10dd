//! Namespaces, interfaces and addresses of a lab.
//!
//! In a router's namespace port N is the interface `pN`, on a secure link `uN` is what the tunnel
//! runs over. On a LAN there is one host, with the interface `lan0`: it has the addresses of the
//! site's applications, and one of its own.

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use base::{PortId, Prefix};
use host::ethernet;
use host::namespace::Namespace;
use host::secure::PrivateKey;
use model::config::{Medium, PortKind, RouterConfig};
use model::plan::{Attachment, Link, LinkEnd, Plan};

use crate::daemon::ports::{Entry, Ports, Secure};
use crate::failure::Failure;
use crate::lab::Folder;

/// Underlays of secure links have addresses of the block for measuring devices (RFC 2544 §C.2.2).
const UNDERLAY: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// The UDP port of a secure link's ends.
const SECURE_PORT: u16 = 51_820;

/// Everything that is made of the kernel.
pub(crate) struct Wiring {
    /// By the routers' places in the plan.
    routers: Vec<Namespace>,
    /// By the attachments' places in the plan.
    lans: Vec<Lan>,
    /// Keys of secure links' ends, by the links' places in the plan.
    keys: Vec<Option<[PrivateKey; 2]>>,
}

/// A LAN's host.
pub(crate) struct Lan {
    pub(crate) namespace: Namespace,
    /// Its addresses, its own first.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The place of a router in the plan.
fn router_number(plan: &Plan, name: &str) -> Option<usize> {
    plan.routers.iter().position(|router| router.name == name)
}

fn refuse(what: &str, error: &dyn core::fmt::Display) -> Failure {
    Failure::network(format!("{what}: {error}"))
        .hint("a lab needs root and `ip` of the package iproute2")
}

/// Runs `ip` on a script, in a namespace.
fn ip(namespace: &Namespace, script: &str) -> io::Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    namespace.lend(&mut command);
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

impl Wiring {
    /// Makes every namespace, interface and address that a plan needs.
    pub(crate) fn build(plan: &Plan) -> Result<Self, Failure> {
        let here = Namespace::current().map_err(|error| refuse("no namespace", &error))?;
        let make = |_: &_| Namespace::new().map_err(|error| refuse("no namespace", &error));
        let routers = plan.routers.iter().map(make).collect::<Result<Vec<_>, _>>()?;
        let lans = plan.attachments.iter().map(|lan| {
            let namespace = Namespace::new().map_err(|error| refuse("no namespace", &error))?;
            Ok(Lan { namespace, addresses: addresses(plan, lan) })
        });
        let lans = lans.collect::<Result<Vec<_>, Failure>>()?;
        let keys = plan.links.iter().map(|link| {
            let pair = || [PrivateKey::generate(), PrivateKey::generate()];
            (link.medium == Medium::Secure).then(pair)
        });
        let wiring = Self { routers, lans, keys: keys.collect() };
        wiring.silence().map_err(|error| refuse("`/proc/sys` cannot be written", &error))?;
        let script = wiring.interfaces(plan);
        ip(&here, &script).map_err(|error| refuse("interfaces cannot be made", &error))?;
        for (number, namespace) in wiring.routers.iter().enumerate() {
            ip(namespace, &wiring.router_script(plan, number))
                .map_err(|error| refuse("interfaces cannot be set up", &error))?;
        }
        for (lan, attachment) in wiring.lans.iter().zip(&plan.attachments) {
            set_up_host(lan, attachment, plan)
                .map_err(|error| refuse("a host cannot be set up", &error))?;
        }
        Ok(wiring)
    }

    /// The namespace of a router.
    pub(crate) fn router(&self, number: usize) -> Option<&Namespace> {
        self.routers.get(number)
    }

    /// The host of a LAN.
    pub(crate) fn lan(&self, number: usize) -> Option<&Lan> {
        self.lans.get(number)
    }

    /// Has the kernel say nothing by itself on the routers' ports, and take hosts' addresses at
    /// once.
    fn silence(&self) -> io::Result<()> {
        const FOLDER: &str = "/proc/sys/net/ipv6/conf/default";
        let write = |name: &str, value: &str| std::fs::write(Path::new(FOLDER).join(name), value);
        for namespace in &self.routers {
            namespace.run(|| write("disable_ipv6", "1"))?;
        }
        for lan in &self.lans {
            lan.namespace.run(|| write("accept_dad", "0"))?;
        }
        Ok(())
    }

    /// A script that makes every pair of interfaces, each end where it belongs.
    fn interfaces(&self, plan: &Plan) -> String {
        let mut script = String::new();
        let mut pair = |name: &str, at: &Namespace, far_name: &str, far: &Namespace| {
            script.push_str(&format!(
                "link add {name} netns {} type veth peer name {far_name} netns {}\n",
                at.path().display(),
                far.path().display()
            ));
        };
        for link in &plan.links {
            let [near, far] = &link.ends;
            let at = |end: &LinkEnd| self.routers.get(router_number(plan, &end.router)?);
            if let (Some(here), Some(there)) = (at(near), at(far)) {
                pair(&interface(link, near.port), here, &interface(link, far.port), there);
            }
        }
        for (lan, attachment) in self.lans.iter().zip(&plan.attachments) {
            let router = router_number(plan, &attachment.router);
            if let Some(router) = router.and_then(|number| self.routers.get(number)) {
                pair(&format!("p{}", attachment.port.0), router, "lan0", &lan.namespace);
            }
        }
        script
    }

    /// A script that brings a router's interfaces up.
    fn router_script(&self, plan: &Plan, number: usize) -> String {
        let mut script = String::new();
        let name = plan.routers.get(number).map(|router| router.name.as_str());
        for (index, link) in plan.links.iter().enumerate() {
            for (side, end) in link.ends.iter().enumerate() {
                if Some(end.router.as_str()) != name {
                    continue;
                }
                let interface = interface(link, end.port);
                if link.medium == Medium::Secure {
                    let own = underlay(index, side);
                    script.push_str(&format!("addr add {own}/31 dev {interface}\n"));
                }
                script.push_str(&format!("link set {interface} up\n"));
            }
        }
        for attachment in plan.attachments.iter().filter(|lan| Some(lan.router.as_str()) == name) {
            script.push_str(&format!("link set p{} up\n", attachment.port.0));
        }
        script
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
        let link = plan.links.get(number);
        let Some((link, [near, _])) = link.map(|link| (link, &link.ends)) else { return Ok(()) };
        let router = router_number(plan, &near.router).and_then(|number| self.routers.get(number));
        let Some(router) = router else { return Ok(()) };
        let state = if up { "up" } else { "down" };
        ip(router, &format!("link set {} {state}\n", interface(link, near.port)))
            .map_err(|error| refuse("the link cannot be set", &error))
    }
}

/// One end of a secure link: its private key, and what stands behind the port.
fn secure_end(link: usize, side: usize, keys: &[PrivateKey; 2], file: &str) -> (String, Entry) {
    let [first, second] = keys;
    let (own, peer) = if side == 0 { (first, second) } else { (second, first) };
    let at = |side| SocketAddr::new(underlay(link, side).into(), SECURE_PORT);
    let secure = Secure {
        listen: at(side),
        endpoint: Some(at(1 - side)),
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

fn port_name(router: &RouterConfig, id: PortId) -> Option<String> {
    router.ports().find(|(port, _)| *port == id).map(|(_, port)| port.name.clone())
}

/// The addresses of a LAN's host: one of its own for each prefix, and those of the applications
/// that are at the site.
fn addresses(plan: &Plan, lan: &Attachment) -> Vec<IpAddr> {
    let here = plan.applications.iter().filter(|application| {
        application.site == lan.site && application.virtual_network == lan.virtual_network
    });
    let served: Vec<IpAddr> = here.flat_map(|application| application.addresses.clone()).collect();
    let own = lan.prefixes.iter().filter_map(|prefix| {
        let taken = |address: &IpAddr| served.contains(address) || lan.gateways.contains(address);
        own_address(*prefix, &taken)
    });
    own.chain(served.iter().copied()).collect()
}

/// An address in the lower half of a prefix, which is not handed out to others.
fn own_address(prefix: Prefix, taken: &dyn Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    /// Out of the way of gateways and of what people number by hand.
    const PLACE_MAX: u64 = 20;
    let in_lower_half = |place: &u64| prefix.nth(2 * place + 1).is_some();
    let places = (1..=PLACE_MAX).rev().filter(in_lower_half);
    places.filter_map(|place| prefix.nth(place)).find(|address| !taken(address))
}

/// Gives a LAN's host its addresses, and the gateway as its way to everybody else.
fn set_up_host(lan: &Lan, attachment: &Attachment, plan: &Plan) -> io::Result<()> {
    let router = router_number(plan, &attachment.router).and_then(|n| plan.routers.get(n));
    let port = router.and_then(|r| r.ports().find(|(id, _)| *id == attachment.port));
    let mtu = port.map_or(1500, |(_, port)| port.mtu);
    let mut script = format!("link set lan0 mtu {mtu} up\n");
    for address in &lan.addresses {
        let prefix = attachment.prefixes.iter().find(|prefix| prefix.contains(*address));
        let len = prefix.map_or(32, |prefix| prefix.len());
        let nodad = if address.is_ipv6() { " nodad" } else { "" };
        script.push_str(&format!("addr add {address}/{len} dev lan0{nodad}\n"));
    }
    for gateway in &attachment.gateways {
        let everybody = if gateway.is_ipv6() { "::/0" } else { "0.0.0.0/0" };
        script.push_str(&format!("route add {everybody} via {gateway} dev lan0\n"));
    }
    ip(&lan.namespace, &script)?;
    lan.namespace.run(|| ethernet::send_whole_frames("lan0"))
}
