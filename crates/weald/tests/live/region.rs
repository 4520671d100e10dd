//! A small region of real routers: two PoPs, five sites, every router a process of its own.
//!
//! East, which most tests are about, has a core link to west, uplinks to the sites A, B and
//! C, and a secure one to S. A has two LANs in two virtual networks; D is behind west. A router
//! that is left out leaves its namespace and its interfaces to whoever takes its place.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use base::PortId;
use host::ethernet;
use host::secure::{PrivateKey, PublicKey, SecureConfig};
use model::config::{Medium, Port, PortKind, RouterConfig};
use model::plan::{Link, Plan};

use crate::daemon::Daemon;
use crate::frames::Wire;
use crate::net::Net;
use crate::plan;
use crate::wait::{succeed, wait_for};

/// Until every adjacency and session is there, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);
/// The UDP port of the secure link's ends.
const SECURE_PORT: u16 = 51_820;
/// The underlay's addresses, of the core router's end and of the site's.
pub(crate) const UNDERLAY: [&str; 2] = ["198.18.0.0", "198.18.0.1"];

const NETWORK: &str = r#"
[region]
name = "besieged"
as_number = 65000
resilient = false

[pools]
loopbacks = "100.64.0.0/24"
loopbacks_v6 = "fd00:64::/64"
core_links = "100.64.16.0/24"
uplinks = "100.64.32.0/24"
virtual_networks_v6 = "fd00:100::/32"

[timers]
bgp_connect_retry_ms = 500
isis_hello_ms = 1000

[[pop]]
name = "east"
latitude = 50.8
longitude = 0.3
reflector = true

[[pop]]
name = "west"
latitude = 50.8
longitude = -0.8
reflector = true

[[link]]
between = ["east", "west"]
rate_mbps = 1000

[access.line]
medium = "ethernet"
down_mbps = 1000
up_mbps = 1000
delay_ms = 1

[access.tunnel]
medium = "secure"
down_mbps = 1000
up_mbps = 1000
delay_ms = 1
mtu = 1400

[kind.wired]
access = "line"

[kind.tunnelled]
access = "tunnel"
"#;

const AUTHENTICATION: &str = r#"
[isis]
authentication = { algorithm = "hmac-sha-256", key_id = 1, key = "the region's" }
"#;

const SITES: &str = "ods_code,name,kind,organisation,postcode,lat,lon,pops
A,Site A,wired,Trust,BN1 1AA,50.8,0.3,east
B,Site B,wired,Trust,BN1 1AB,50.8,0.3,east
C,Site C,wired,Trust,BN1 1AC,50.8,0.3,east
D,Site D,wired,Trust,BN1 1AD,50.8,-0.8,west
S,Site S,tunnelled,Trust,BN1 1AE,50.8,0.3,east
";

const SERVICES: &str = r#"
[[virtual_network]]
name = "one"
organisation = "Trust"
addresses = ["10.1.0.0/16"]
sites = "all"

[[virtual_network]]
name = "two"
organisation = "Trust"
addresses = ["10.2.0.0/16"]
sites = ["A"]
"#;

/// A running region.
#[derive(Debug)]
pub(crate) struct Region {
    /// Dropped before the namespaces that they are in.
    routers: BTreeMap<String, Daemon>,
    pub(crate) net: Net,
    plan: Plan,
    /// Of the secure link's ends, the core router's first.
    keys: [PrivateKey; 2],
    /// Frames that east heard on its core link while that came up.
    pub(crate) overheard: Vec<Vec<u8>>,
    /// Locked while the region is there.
    _alone: File,
}

/// Waits until no other region is there, in whichever process: their figures would tell of each
/// other.
fn alone() -> File {
    let lock = File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/region")).expect("a file");
    lock.lock().expect("a lock");
    lock
}

/// The plan of a region whose core is signed, or is not.
fn compiled(signed: bool) -> Plan {
    let network = if signed { format!("{NETWORK}{AUTHENTICATION}") } else { NETWORK.to_owned() };
    plan::compile(&network, SITES, SERVICES)
}

/// The name of a LAN's namespace.
fn lan_name(site: &str, virtual_network: &str) -> String {
    format!("{site}/{virtual_network}")
}

/// The interface of a router's port, or what its secure link runs over.
fn interface(medium: Medium, port: PortId) -> String {
    match medium {
        Medium::Ethernet => format!("p{}", port.0),
        Medium::Secure => format!("u{}", port.0),
    }
}

impl Region {
    /// Starts every router but those left out, and waits until the others are well.
    pub(crate) fn start(signed: bool, left_out: &[&str]) -> Self {
        Self::start_with(signed, left_out, |_| {})
    }

    /// The same after changes to the configurations.
    pub(crate) fn start_with(
        signed: bool,
        left_out: &[&str],
        change: impl FnMut(&mut RouterConfig),
    ) -> Self {
        let alone = alone();
        let mut plan = compiled(signed);
        plan.routers.iter_mut().for_each(change);
        let lans = plan.attachments.iter().map(|lan| lan_name(&lan.site, &lan.virtual_network));
        let names: Vec<String> =
            plan.routers.iter().map(|router| router.name.clone()).chain(lans).collect();
        let net = Net::new(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let keys = [PrivateKey::generate(), PrivateKey::generate()];
        let (routers, overheard) = (BTreeMap::new(), Vec::new());
        let mut region = Self { routers, net, plan, keys, overheard, _alone: alone };
        region.wire();
        let mut recorder = Wire::open(&region.net, "east-1", "p0");
        for config in &region.plan.routers {
            if !left_out.contains(&config.name.as_str()) {
                let daemon = region.router_in_its_place(config);
                region.routers.insert(config.name.clone(), daemon);
            }
        }
        region.wait_until_well();
        region.overheard = recorder.heard();
        region
    }

    /// Makes links and LANs.
    fn wire(&self) {
        for config in &self.plan.routers {
            // The kernel says nothing by itself on a router's ports.
            let path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
            let silenced = self.net.space(&config.name).run(|| fs::write(path, "1"));
            silenced.expect("the kernel is told");
        }
        for link in &self.plan.links {
            let [near, far] = &link.ends;
            let (at_near, at_far) =
                (interface(link.medium, near.port), interface(link.medium, far.port));
            self.net.link((&near.router, &at_near), (&far.router, &at_far));
            if link.medium == Medium::Secure {
                for (end, address) in link.ends.iter().zip(UNDERLAY) {
                    let interface = interface(link.medium, end.port);
                    self.net.address(&end.router, &interface, &format!("{address}/31"));
                }
            }
        }
        for lan in &self.plan.attachments {
            let space = lan_name(&lan.site, &lan.virtual_network);
            self.net.link((&lan.router, &interface(Medium::Ethernet, lan.port)), (&space, "lan0"));
            for (prefix, gateway) in lan.prefixes.iter().zip(&lan.gateways) {
                let (own, everybody, nodad) = match prefix.nth(10).expect("room on the LAN") {
                    own @ IpAddr::V4(_) => (own, "0.0.0.0/0", ""),
                    own @ IpAddr::V6(_) => (own, "::/0", "nodad"),
                };
                let length = prefix.len();
                self.net.run(&space, &format!("ip addr add {own}/{length} dev lan0 {nodad}"));
                self.net.run(&space, &format!("ip route add {everybody} via {gateway} dev lan0"));
            }
            let whole = self.net.space(&space).run(|| ethernet::send_whole_frames("lan0"));
            whole.expect("the kernel is told");
        }
    }

    /// Starts a router on its interfaces.
    fn router_in_its_place(&self, config: &RouterConfig) -> Daemon {
        let mut ports = String::new();
        let side = usize::from(config.name.starts_with("site-"));
        let [core, site] = &self.keys;
        let (own, far) = if side == 0 { (core, site) } else { (site, core) };
        for (id, port) in config.ports() {
            match (port.medium, &port.kind) {
                (_, PortKind::Unused) => {}
                (Medium::Ethernet, _) => {
                    let interface = interface(port.medium, id);
                    ports.push_str(&format!("[port.{}]\ninterface = \"{interface}\"\n", port.name));
                }
                (Medium::Secure, _) => {
                    let [listen, endpoint] =
                        if side == 0 { UNDERLAY } else { [UNDERLAY[1], UNDERLAY[0]] };
                    ports.push_str(&format!(
                        "[port.{}.secure]\nlisten = \"{listen}:{SECURE_PORT}\"\n\
                         endpoint = \"{endpoint}:{SECURE_PORT}\"\n\
                         private_key_file = \"own.key\"\npeer = \"{}\"\n",
                        port.name,
                        far.public()
                    ));
                }
            }
        }
        let key = own.to_text();
        Daemon::start_with(&self.net, &config.name, config, &ports, &[("own.key", &key)])
    }

    /// Waits until every adjacency and every session is up, but for those with routers that were
    /// left out.
    pub(crate) fn wait_until_well(&self) {
        wait_for("region that is well", PATIENCE, || {
            let mut missing = Vec::new();
            for (name, daemon) in &self.routers {
                let view = daemon.view();
                let adjacencies = view.adjacencies.iter().filter(|one| !one.up);
                missing.extend(adjacencies.map(|one| format!("{name}: {:?}", one.reason)));
                let sessions = view.sessions.iter().filter(|one| !one.up);
                let running = sessions.filter(|one| self.routers.contains_key(&one.neighbour));
                missing.extend(running.map(|one| format!("{name} with {}", one.neighbour)));
            }
            if missing.is_empty() { Ok(()) } else { Err(missing) }
        });
    }

    /// The routers that run, by name.
    pub(crate) fn routers(&self) -> impl Iterator<Item = (&str, &Daemon)> {
        self.routers.iter().map(|(name, daemon)| (name.as_str(), daemon))
    }

    /// A router that runs.
    pub(crate) fn router(&self, name: &str) -> &Daemon {
        self.routers.get(name).expect("a router that runs")
    }

    /// The process of a router that runs.
    pub(crate) fn process(&self, name: &str) -> Process {
        Process(self.router(name).number())
    }

    /// Who the core router's end of the secure link is.
    pub(crate) fn secure_key(&self) -> PublicKey {
        let [core, _] = &self.keys;
        core.public()
    }

    /// What the site's end of the secure link is made from.
    pub(crate) fn secure_far_end(&self) -> SecureConfig {
        let [core, site] = &self.keys;
        let [near, own] = UNDERLAY.map(|address| format!("{address}:{SECURE_PORT}"));
        let (_, port) = self.port("east-1", "to-site-s");
        let PortKind::Uplink { peer, .. } = port.kind else { panic!("an uplink: {port:?}") };
        let mut addresses = port.addresses.iter().map(|one| one.address);
        let core_address = addresses.find(IpAddr::is_ipv4).expect("an address");
        SecureConfig {
            private_key: site.clone(),
            peer_public_key: core.public(),
            preshared_key: None,
            listen: own.parse().expect("an address"),
            endpoint: Some(near.parse().expect("an address")),
            inner_local: peer.into(),
            inner_remote: core_address,
            keepalive_s: None,
        }
    }

    /// A port by its name: its number and what it is.
    pub(crate) fn port(&self, router: &str, name: &str) -> (PortId, &Port) {
        let config = self.plan.routers.iter().find(|config| config.name == router);
        let mut ports = config.expect("a router").ports();
        ports.find(|(_, port)| port.name == name).expect("a port")
    }

    /// Where the far end of a port is: its namespace and its interface.
    pub(crate) fn far_end(&self, router: &str, name: &str) -> (String, String) {
        let (id, _) = self.port(router, name);
        let is_this = |end: &model::plan::LinkEnd| end.router == router && end.port == id;
        for Link { ends: [near, far], medium, .. } in &self.plan.links {
            if is_this(near) {
                return (far.router.clone(), interface(*medium, far.port));
            }
            if is_this(far) {
                return (near.router.clone(), interface(*medium, near.port));
            }
        }
        let mut lans = self.plan.attachments.iter();
        let lan = lans.find(|lan| lan.router == router && lan.port == id).expect("a far end");
        (lan_name(&lan.site, &lan.virtual_network), "lan0".to_owned())
    }

    /// The address of a LAN's host, of IPv4.
    pub(crate) fn host(&self, site: &str, virtual_network: &str) -> IpAddr {
        let mut lans = self.plan.attachments.iter();
        let lan = lans.find(|lan| lan.site == site && lan.virtual_network == virtual_network);
        let mut prefixes = lan.expect("a LAN").prefixes.iter();
        let v4 = prefixes.find_map(|prefix| prefix.nth(10).filter(IpAddr::is_ipv4));
        v4.expect("an IPv4 prefix")
    }
}

/// A router's process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    /// Keeps it from running for a while.
    pub(crate) fn stand_still(self, time: Duration) {
        let signal = |name: &str| {
            succeed(Command::new("kill").args(["-s", name, &self.0.to_string()]));
        };
        signal("STOP");
        thread::park_timeout(time);
        signal("CONT");
    }

    /// For how long it has had a processor.
    pub(crate) fn processor(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("a process");
        let (_, behind) = stat.rsplit_once(')').expect("a name in parentheses");
        let ticks = behind.split_whitespace().skip(11).take(2);
        let ticks = ticks.filter_map(|word| word.parse::<u64>().ok());
        // The kernel's unit for programs is a hundredth of a second, wherever it runs.
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }
}
