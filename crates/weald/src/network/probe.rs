//! Where packets are sent from and to, chosen from the names that people use.

use core::net::IpAddr;

use model::plan::{Application, Attachment, Plan};
use twin::probe::Flow;
use twin::trace::Trace;

use crate::control::request::{Probe, Service, protocol_name};
use crate::failure::Failure;
use crate::network::Network;
use crate::network::explain::Wanted;
use crate::network::names::{SITES, site_number, unknown};

/// IP protocol number of ICMP, in either family.
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;

/// The sender's port, of the range that hosts take theirs from (RFC 6335 §6).
const SOURCE_PORT: u16 = 49_152;

/// Packets of one flow, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The number of the LAN that sends.
    pub(crate) lan: usize,
    pub(crate) flow: Flow,
    pub(crate) from: Place,
    /// Where the destination is, as far as its name says.
    pub(crate) to: Option<Place>,
    /// The application that is meant.
    pub(crate) application: Option<String>,
}

/// A LAN by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) site: String,
    pub(crate) network: String,
}

impl Place {
    fn of(lan: &Attachment) -> Self {
        Self { site: lan.site.clone(), network: lan.virtual_network.clone() }
    }
}

impl Aim {
    /// What the packets ask for.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            network: &self.from.network,
            to_network: self.to.as_ref().map(|place| place.network.as_str()),
            destination: self.flow.destination,
            protocol: self.flow.protocol,
            port: self.flow.destination_port,
        }
    }

    /// The same by ICMP echo from this address.
    pub(crate) fn by_echo(self, source: IpAddr) -> Self {
        let protocol = if source.is_ipv6() { ICMP_V6 } else { ICMP };
        let destination = self.flow.destination;
        let flow = Flow { source, destination, protocol, source_port: 0, destination_port: 0 };
        Self { flow, ..self }
    }

    /// The site where a packet came out that is not the one that was meant: the sender's virtual
    /// network has the same address.
    pub(crate) fn astray<'a>(&self, trace: &'a Trace) -> Option<&'a str> {
        let came_out = trace.site.as_deref()?;
        self.to.as_ref().is_some_and(|place| place.site != came_out).then_some(came_out)
    }

    /// From where to where, in words.
    pub(crate) fn words(&self) -> String {
        let to = match (&self.application, &self.to) {
            (Some(application), Some(place)) => format!("`{application}` at {} ", place.site),
            (None, Some(place)) => format!("{} ", place.site),
            _ => String::new(),
        };
        let across = match &self.to {
            Some(to) if to.network != self.from.network => {
                format!("from `{}` to `{}`", self.from.network, to.network)
            }
            _ => format!("in `{}`", self.from.network),
        };
        let Flow { source, destination, protocol, destination_port, .. } = self.flow;
        let service = match protocol {
            ICMP | ICMP_V6 => "icmp echo".to_owned(),
            _ => format!("{}/{destination_port}", protocol_name(protocol)),
        };
        format!("{} {source} to {to}{destination}, {service}, {across}", self.from.site)
    }
}

/// Where packets go.
enum Target<'a> {
    Application(&'a Application),
    Site(&'a str),
    Address(IpAddr),
}

fn find_target<'a>(plan: &'a Plan, name: &str) -> Result<Target<'a>, Failure> {
    const WHERE: &str = "sites are in `sites.csv`, applications in `services.toml`";
    if let Some(site) = site_number(plan, name).and_then(|number| plan.sites.get(number)) {
        return Ok(Target::Site(&site.code));
    }
    if let Some(application) = plan.applications.iter().find(|one| one.name == name) {
        return Ok(Target::Application(application));
    }
    if let Ok(address) = name.parse() {
        return Ok(Target::Address(address));
    }
    let sites = plan.sites.iter().map(|site| site.code.as_str());
    let applications = plan.applications.iter().map(|application| application.name.as_str());
    Err(unknown("site, application or address", name, sites.chain(applications), WHERE))
}

/// The LANs of a site with their numbers.
fn lans<'a>(plan: &'a Plan, site: &'a str) -> impl Iterator<Item = (usize, &'a Attachment)> {
    plan.attachments.iter().enumerate().filter(move |(_, lan)| lan.site == site)
}

/// The address of a LAN's host, of IPv6 or of IPv4, where there is one.
pub(crate) type HostAddress<'a> = dyn Fn(usize, bool) -> Option<IpAddr> + 'a;

/// Chooses LANs, addresses, protocol and port for what was asked.
pub(crate) fn aim(plan: &Plan, probe: &Probe, host: &HostAddress<'_>) -> Result<Aim, Failure> {
    let from = site_number(plan, &probe.from).and_then(|number| plan.sites.get(number));
    let from = from.ok_or_else(|| {
        unknown("site", &probe.from, plan.sites.iter().map(|site| site.code.as_str()), SITES)
    })?;
    let target = find_target(plan, &probe.to)?;
    let senders = senders(plan, &from.code, probe.network.as_deref())?;
    let (lan, to) = choose(plan, &senders, &target);
    let sender = plan.attachments.get(lan);
    let sender = sender.ok_or_else(|| Failure::network("the site has no LAN"))?;
    let v6 = probe.v6 || matches!(target, Target::Address(IpAddr::V6(_)));
    let receiver = to.and_then(|number| plan.attachments.get(number));
    let family = if v6 { "IPv6" } else { "IPv4" };
    let no_host = |site: &str| {
        Failure::network(format!("`{site}` has no simulated host with an {family} address"))
            .hint(format!("if its LAN is attached, run programs on it with `weald shell {site}`"))
    };
    let source = host(lan, v6).ok_or_else(|| no_host(&from.code))?;
    let destination = match target {
        Target::Application(application) => {
            application.addresses.iter().copied().find(|address| address.is_ipv6() == v6)
        }
        Target::Site(_) => to.and_then(|number| host(number, v6)),
        Target::Address(address) => (address.is_ipv6() == v6).then_some(address),
    };
    let destination = destination.ok_or_else(|| match target {
        Target::Site(site) => no_host(site),
        Target::Application(_) | Target::Address(_) => {
            Failure::network(format!("`{}` has no {family} address", probe.to))
        }
    })?;
    if to == Some(lan) {
        return Err(Failure::input(format!("`{}` is on the same LAN", probe.to))
            .hint("what is on one LAN is reached without the network"));
    }
    let (protocol, destination_port) = service(probe.port, &target, v6);
    let source_port = if destination_port == 0 { 0 } else { SOURCE_PORT };
    let application = match target {
        Target::Application(application) => Some(application.name.clone()),
        Target::Site(_) | Target::Address(_) => None,
    };
    Ok(Aim {
        lan,
        flow: Flow { source, destination, protocol, source_port, destination_port },
        from: Place::of(sender),
        to: receiver.map(Place::of),
        application,
    })
}

impl Network {
    /// Chooses LANs, addresses, protocol and port for what was asked.
    pub(crate) fn aim(&self, probe: &Probe) -> Result<Aim, Failure> {
        aim(self.plan(), probe, &|lan, v6| self.host_address(lan, v6))
    }

    /// The address of a simulated host of a LAN.
    pub(crate) fn host_address(&self, lan: usize, v6: bool) -> Option<IpAddr> {
        self.twin.host(lan, v6)
    }

    /// Which of the two sites is cut off, and how.
    pub(crate) fn disconnected(&self, aim: &Aim) -> Vec<String> {
        let reach = self.reach();
        let to = aim.to.as_ref().filter(|to| to.site != aim.from.site);
        let places = core::iter::once(&aim.from).chain(to);
        let obstacle = |place: &Place| {
            let site = self.plan().sites.iter().find(|site| site.code == place.site)?;
            reach.standing(&site.router).obstacle(&site.code)
        };
        places.filter_map(obstacle).collect()
    }
}

/// The LANs that may send: those of the site, in the virtual network where one is named.
fn senders(plan: &Plan, site: &str, network: Option<&str>) -> Result<Vec<usize>, Failure> {
    let fits = |lan: &Attachment| network.is_none_or(|name| lan.virtual_network == name);
    let senders: Vec<usize> =
        lans(plan, site).filter(|(_, lan)| fits(lan)).map(|(number, _)| number).collect();
    if !senders.is_empty() {
        return Ok(senders);
    }
    let networks: Vec<String> =
        lans(plan, site).map(|(_, lan)| format!("`{}`", lan.virtual_network)).collect();
    Err(match network {
        Some(network) if !networks.is_empty() => {
            Failure::network(format!("`{site}` is not in the virtual network `{network}`"))
                .hint(format!("it is in {}", networks.join(", ")))
        }
        _ => Failure::network(format!("`{site}` is in no virtual network")),
    })
}

/// The LAN that sends and the one that receives: in one virtual network where there is one, joined
/// by a community where there is none.
fn choose(plan: &Plan, senders: &[usize], target: &Target<'_>) -> (usize, Option<usize>) {
    let first = senders.first().copied().unwrap_or(usize::MAX);
    let network = |lan: usize| plan.attachments.get(lan).map(|lan| lan.virtual_network.as_str());
    let in_network =
        |wanted: &str| senders.iter().copied().find(|&lan| network(lan) == Some(wanted));
    match target {
        Target::Address(address) => {
            let holds = |lan: &Attachment| lan.prefixes.iter().any(|p| p.contains(*address));
            let to = senders.iter().find_map(|&from| {
                let mut all = plan.attachments.iter();
                let to =
                    all.position(|lan| network(from) == Some(&lan.virtual_network) && holds(lan))?;
                Some((from, Some(to)))
            });
            to.unwrap_or((first, None))
        }
        Target::Site(site) => {
            let shared = lans(plan, site)
                .find_map(|(to, lan)| Some((in_network(&lan.virtual_network)?, Some(to))));
            shared.unwrap_or((first, lans(plan, site).next().map(|(to, _)| to)))
        }
        Target::Application(application) => {
            let to = lans(plan, &application.site)
                .find(|(_, lan)| lan.virtual_network == application.virtual_network)
                .map(|(to, _)| to);
            let offering = plan
                .communities
                .iter()
                .filter(|community| community.applications.contains(&application.name));
            let member =
                || offering.flat_map(|community| &community.members).find_map(|m| in_network(m));
            let from = in_network(&application.virtual_network).or_else(member);
            (from.unwrap_or(first), to)
        }
    }
}

/// The protocol and port: what was asked for, else the application's first, else an echo.
fn service(asked: Option<Service>, target: &Target<'_>, v6: bool) -> (u8, u16) {
    let echo = if v6 { ICMP_V6 } else { ICMP };
    match (asked, target) {
        (Some(service), _) => (service.protocol, service.port),
        (None, Target::Application(application)) => application
            .listens
            .first()
            .map_or((echo, 0), |listen| (listen.protocol, listen.port_first)),
        (None, Target::Site(_) | Target::Address(_)) => (echo, 0),
    }
}
