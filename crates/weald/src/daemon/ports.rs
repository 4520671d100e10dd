//! What stands behind each port of a router: a file of its own, because it is about one machine
//! and not about the plan.
//!
//! ```toml
//! [port.uplink-1]
//! interface = "eth0"
//!
//! [port.uplink-2.secure]
//! listen = "0.0.0.0:51820"
//! endpoint = "203.0.113.7:51820"
//! private_key_file = "uplink-2.key"
//! peer = "mhjEAYLvXO4/xWXsU7yQ3DO0LPTTeDgKpbKWCVMGeyk="
//!
//! [port.lan-practices]
//! tap = "lan0"
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base::PortId;
use host::device::Device;
use host::ethernet::Ethernet;
use host::secure::{KeyError, PresharedKey, PrivateKey, PublicKey, SecureConfig, SecureLink};
use host::tap::Tap;
use model::config::{Medium, Port, PortKind, RouterConfig};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::failure::Failure;
use intent::Problem;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    port: BTreeMap<Spanned<String>, Entry>,
}

/// A file to be written.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ports {
    pub(crate) port: BTreeMap<String, Entry>,
}

/// What stands behind one port.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// An Ethernet interface of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    /// A TAP, which is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tap: Option<String>,
    /// A secure link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secure: Option<Secure>,
}

/// One end of a secure link.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secure {
    /// The address and UDP port of this end.
    pub(crate) listen: SocketAddr,
    /// Those of the far end; left out, this end waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<SocketAddr>,
    /// A file with this end's key, relative to this one.
    pub(crate) private_key_file: PathBuf,
    /// The far end's public key.
    pub(crate) peer: String,
    /// A file with a key that both ends share beside their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preshared_key_file: Option<PathBuf>,
    /// Addresses of the two ends inside the tunnel; those of the link where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inner: Option<[IpAddr; 2]>,
    /// Seconds between signs of life; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keepalive_s: Option<u16>,
}

/// What is to be opened for one port.
#[derive(Debug)]
pub(crate) enum Opening {
    Interface(String),
    Tap(String),
    Secure(Box<SecureConfig>),
}

/// What is to be opened, by port.
pub(crate) type Openings = Vec<(PortId, Opening)>;

/// What was opened, by port.
pub(crate) type Devices = Vec<(PortId, Box<dyn Device>)>;

/// Collects what is wrong with a file.
struct Findings<'a> {
    path: &'a Path,
    text: &'a str,
    problems: Vec<Problem>,
    /// What stands behind a port already: a wire is in one place only.
    taken: BTreeMap<String, String>,
}

impl Findings<'_> {
    fn add(&mut self, at: Option<usize>, what: String) {
        let line = at.map(|at| 1 + self.text.get(..at).unwrap_or_default().matches('\n').count());
        let line = line.and_then(|line| u32::try_from(line).ok());
        let path = self.path.display().to_string();
        self.problems.push(Problem::error(&path, line, what));
    }

    /// What stands behind a port.
    fn take(&mut self, at: usize, what: String, port: &str) {
        match self.taken.get(&what) {
            Some(other) => {
                let what = format!("{what} stands behind `{other}` already, not behind `{port}`");
                self.add(Some(at), what);
            }
            None => {
                self.taken.insert(what, port.to_owned());
            }
        }
    }
}

/// Reads the file of a router's ports; every error at once.
pub(crate) fn read(path: &Path, config: &RouterConfig) -> Result<Openings, Failure> {
    let shown = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::input(format!("`{shown}` cannot be read: {error}")))?;
    let mut findings = Findings { path, text: &text, problems: Vec::new(), taken: BTreeMap::new() };
    let mut openings = Vec::new();
    match toml::from_str::<File>(&text) {
        Err(error) => {
            findings.add(error.span().map(|span| span.start), error.message().to_owned());
        }
        Ok(file) => {
            let mut entries: Vec<_> = file.port.into_iter().collect();
            entries.sort_by_key(|(name, _)| name.span().start);
            for (name, entry) in entries {
                let at = name.span().start;
                let port = config.ports().find(|(_, port)| port.name == *name.get_ref());
                let Some((id, port)) = port else {
                    let names: Vec<_> = config.ports.iter().map(|p| p.name.as_str()).collect();
                    let what = format!("`{}` has no port `{}`", config.name, name.get_ref());
                    findings.add(Some(at), format!("{what}: its ports are {}", names.join(", ")));
                    continue;
                };
                if let Some(opening) = opening(&mut findings, at, entry, port) {
                    openings.push((id, opening));
                }
            }
        }
    }
    if findings.problems.is_empty() {
        return Ok(openings);
    }
    Err(Failure::problems(&shown, intent::Problems(findings.problems)))
}

fn opening(findings: &mut Findings<'_>, at: usize, entry: Entry, port: &Port) -> Option<Opening> {
    const ALLOWED: &str = "an Ethernet port has `interface` or `tap`, a secure one `secure`";
    let name = &port.name;
    match (entry, port.medium) {
        (Entry { interface: Some(interface), tap: None, secure: None }, Medium::Ethernet) => {
            findings.take(at, format!("interface `{interface}`"), name);
            Some(Opening::Interface(interface))
        }
        // A TAP is an interface.
        (Entry { interface: None, tap: Some(tap), secure: None }, Medium::Ethernet) => {
            findings.take(at, format!("interface `{tap}`"), name);
            Some(Opening::Tap(tap))
        }
        (Entry { interface: None, tap: None, secure: Some(secure) }, Medium::Secure) => {
            // The kernel gives out a port of its own for each 0.
            if secure.listen.port() != 0 {
                findings.take(at, format!("the address `{}`", secure.listen), name);
            }
            secure_config(findings, at, &secure, port).map(|one| Opening::Secure(Box::new(one)))
        }
        (_, medium) => {
            let medium = match medium {
                Medium::Ethernet => "an Ethernet",
                Medium::Secure => "a secure",
            };
            findings.add(Some(at), format!("`{name}` is {medium} port: {ALLOWED}"));
            None
        }
    }
}

fn read_key<K>(findings: &mut Findings<'_>, at: usize, file: &Path) -> Option<K>
where
    K: FromStr<Err = KeyError>,
{
    let path = findings.path.parent().unwrap_or(Path::new("")).join(file);
    let shown = path.display().to_string();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            findings.add(Some(at), format!("`{shown}` cannot be read: {error}"));
            return None;
        }
    };
    match text.trim().parse() {
        Ok(key) => Some(key),
        Err(error) => {
            findings.add(Some(at), format!("`{shown}` has no key: {error}"));
            None
        }
    }
}

/// Addresses of the two ends inside a tunnel, where nobody says otherwise: those of the link.
pub(crate) fn inner(port: &Port) -> Option<[IpAddr; 2]> {
    let (PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. }) = &port.kind else {
        return None;
    };
    let own = port.addresses.iter().find(|own| own.address.is_ipv4())?;
    Some([own.address, IpAddr::V4(*peer)])
}

fn secure_config(
    findings: &mut Findings<'_>,
    at: usize,
    secure: &Secure,
    port: &Port,
) -> Option<SecureConfig> {
    let private_key = read_key::<PrivateKey>(findings, at, &secure.private_key_file);
    let preshared_key = match &secure.preshared_key_file {
        Some(file) => Some(read_key::<PresharedKey>(findings, at, file)?),
        None => None,
    };
    let peer = match secure.peer.parse::<PublicKey>() {
        Ok(peer) => Some(peer),
        Err(error) => {
            findings.add(Some(at), format!("`peer` of `{}` is no key: {error}", port.name));
            None
        }
    };
    let Some([inner_local, inner_remote]) = secure.inner.or_else(|| inner(port)) else {
        findings.add(Some(at), format!("`{}` has no far end: `inner` is wanted", port.name));
        return None;
    };
    Some(SecureConfig {
        private_key: private_key?,
        peer_public_key: peer?,
        preshared_key,
        listen: secure.listen,
        endpoint: secure.endpoint,
        inner_local,
        inner_remote,
        keepalive_s: secure.keepalive_s,
    })
}

/// Opens every device; every error at once.
pub(crate) fn open(openings: Openings, config: &RouterConfig) -> Result<Devices, Failure> {
    let (mut devices, mut problems) = (Vec::new(), Vec::new());
    for (id, opening) in openings {
        let port = config.ports().find(|(of, _)| *of == id).map(|(_, port)| port);
        let Some(port) = port else { continue };
        let what = match &opening {
            Opening::Interface(name) => format!("interface `{name}`"),
            Opening::Tap(name) => format!("tap `{name}`"),
            Opening::Secure(config) => format!("secure link at `{}`", config.listen),
        };
        let device: std::io::Result<Box<dyn Device>> = match opening {
            Opening::Interface(name) => {
                Ethernet::open(&name, port.mtu).map(|device| Box::new(device) as _)
            }
            Opening::Tap(name) => Tap::open(&name).map(|device| Box::new(device) as _),
            Opening::Secure(config) => config
                .open()
                .and_then(|socket| SecureLink::new(&config, socket))
                .map(|device| Box::new(device) as _),
        };
        match device {
            Ok(device) => devices.push((id, device)),
            Err(error) => problems.push(format!("{what} of `{}`: {error}", port.name)),
        }
    }
    if problems.is_empty() {
        return Ok(devices);
    }
    Err(Failure::network(problems.join("\n"))
        .hint("opening ports needs `CAP_NET_RAW` and `CAP_NET_ADMIN`: run it as root"))
}
