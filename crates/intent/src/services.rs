//! `services.toml`: virtual networks, applications, communities. Routers of others, which it also
//! names, are in [`crate::attached`], demands in [`crate::demand`].
//!
//! The types here are the file's shape, from which the JSON Schema is made; what they do not say is
//! checked below them. Addresses of different virtual networks may overlap, until a community would
//! put both into one routing table: see [`crate::overlap`].

use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, BTreeSet};

use base::Ipv4Prefix;
use model::plan::Listen;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::attached::{AttachedRouterShape, Behind};
use crate::demand::{DemandShape, Stated};
use crate::intent::subnets;
use crate::names::{Named, check_slug, shown};
use crate::network::Network;
use crate::pools::prefix;
use crate::problem::{Place, Report, Severity, list};
use crate::shape::{At, Read, SitesShape};
use crate::sites::Sites;
use crate::{
    Application, AttachedRouter, ClassName, Community, Date, Demand, Site, Source, VirtualNetwork,
};

/// Virtual networks, applications, routers of others, communities, and demands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "services.toml")]
pub(crate) struct ServicesFile {
    /// Virtual networks.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    virtual_network: Vec<At<VirtualNetworkShape>>,
    /// Published applications.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    application: Vec<At<ApplicationShape>>,
    /// Routers of others on sites' LANs.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    attached_router: Vec<At<AttachedRouterShape>>,
    /// Communities.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    community: Vec<At<CommunityShape>>,
    /// Traffic that is expected.
    #[serde(default)]
    #[schemars(length(max = 100_000))]
    demand: Vec<At<DemandShape>>,
}

/// A virtual network: one organisation's private network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "VirtualNetwork")]
struct VirtualNetworkShape {
    /// A slug.
    name: At<String>,
    /// The organisation that owns it, as `sites.csv` names it.
    organisation: At<String>,
    /// IPv4 prefixes that its LANs' addresses come from; those of another may overlap.
    #[schemars(length(min = 1, max = 64))]
    addresses: Vec<At<String>>,
    /// Its sites.
    sites: At<SitesShape>,
    /// Whether site routers lend IPv4 addresses to hosts, from the upper half of each LAN but what
    /// applications and routers have there; the lower half stays for hosts with an address of their
    /// own. True by default.
    dhcp: Option<bool>,
    /// Resolvers of names that hosts are told of.
    #[serde(default)]
    #[schemars(length(max = 8))]
    dns: Vec<At<String>>,
}

/// A published application: a service at one site, that communities can give access to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Application")]
struct ApplicationShape {
    /// A slug.
    name: At<String>,
    /// The virtual network that offers it.
    virtual_network: At<String>,
    /// The code of the site that it is at.
    site: At<String>,
    /// Its class of service.
    class: At<ClassName>,
    /// Its IPv4 address; one of its site's LAN is allotted by default.
    address: Option<At<String>>,
    /// What it listens on: `tcp/443`, `udp/5000-5010`.
    #[schemars(length(min = 1, max = 64))]
    listen: Vec<At<String>>,
}

/// A community: lets its members' virtual networks reach named applications, and nothing else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Community")]
struct CommunityShape {
    /// A slug.
    name: At<String>,
    /// What it is for.
    purpose: String,
    /// Names of the applications that its members reach.
    #[schemars(length(min = 1, max = 500))]
    applications: Vec<At<String>>,
    /// Names of the member virtual networks.
    #[schemars(length(min = 1, max = 5000))]
    members: Vec<At<String>>,
    /// The last day it is in force, `YYYY-MM-DD`; for ever by default.
    expires: Option<At<String>>,
    /// The organisations that agreed, and the day: every owner of a member and of an application.
    #[serde(default)]
    consents: BTreeMap<At<String>, At<String>>,
}

/// `services.toml`, as far as it could be read.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) virtual_networks: Named<VirtualNetwork>,
    pub(crate) applications: Named<Application>,
    pub(crate) attached_routers: Named<AttachedRouter>,
    /// What is behind attached routers.
    pub(crate) behind: Behind,
    pub(crate) communities: Named<Community>,
    pub(crate) demands: Vec<Demand>,
    /// Where communities say who is a member, who agreed and until when.
    agreed: Vec<(Place, Source)>,
}

/// Addresses that no LAN can have: of this host, loopback, link-local, multicast and reserved.
const UNUSABLE: [(&str, &str); 5] = [
    ("0.0.0.0/8", "this host"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
];

impl Services {
    /// Checks what was read of the file.
    pub(crate) fn read(
        report: &mut Report<'_>,
        read: Option<Read<ServicesFile>>,
        network: &Network,
        sites: &Sites,
        as_of: Option<Date>,
    ) -> Self {
        let complete = |key: &str| read.as_ref().is_some_and(|read| read.is_complete(key));
        let mut services = Self {
            virtual_networks: Named::new("virtual network", complete("virtual_network")),
            applications: Named::new("application", complete("application")),
            attached_routers: Named::new("attached router", complete("attached_router")),
            behind: Behind::new(),
            communities: Named::new("community", complete("community")),
            demands: Vec::new(),
            agreed: Vec::new(),
        };
        let Some(Read { content: file, .. }) = read else { return services };
        for shape in file.virtual_network {
            services.add_virtual_network(report, network, sites, &shape.value);
        }
        for shape in file.application {
            services.add_application(report, network, sites, &shape.value);
        }
        for shape in file.attached_router {
            services.add_attached_router(report, network, sites, &shape.value);
        }
        services.check_addresses(report);
        for shape in file.community {
            services.add_community(report, sites, &shape.value, as_of);
        }
        let mut stated = Stated::new();
        for shape in &file.demand {
            services.add_demand(report, network, sites, shape, &mut stated);
        }
        services
    }

    fn add_virtual_network(
        &mut self,
        report: &mut Report<'_>,
        network: &Network,
        sites: &Sites,
        shape: &VirtualNetworkShape,
    ) {
        let place = shape.name.place();
        if !check_slug(report, place, "virtual network", &shape.name.value) {
            self.virtual_networks.complete = false;
            return;
        }
        let owner = &shape.organisation;
        sites.organisations.resolve(report, owner.place(), &shown(&owner.value));
        let members = resolve_sites(report, network, sites, shape);
        let virtual_network = VirtualNetwork {
            name: shape.name.value.clone(),
            organisation: owner.value.clone(),
            addresses: addresses(report, &shape.addresses),
            lan_length: lan_length(report, network, shape, &members),
            sites: members.iter().map(|site| site.code.clone()).collect(),
            dhcp: shape.dhcp.unwrap_or(true),
            dns: shape.dns.iter().filter_map(|text| resolver(report, text)).collect(),
        };
        check_twice(report, "resolver", &shape.dns);
        let pools = &virtual_network.addresses;
        let lans = pools.iter().map(|pool| subnets(*pool, virtual_network.lan_length)).sum::<u64>();
        if pools.len() == shape.addresses.len() && lans < members.len() as u64 {
            let (count, length) = (members.len(), virtual_network.lan_length);
            let place = shape.addresses.first().map_or(place, At::place);
            report.error(
                place,
                format!("addresses for {lans} LANs of length /{length}, and {count} sites"),
            );
        }
        self.virtual_networks.add(report, place, &shape.name.value, virtual_network);
    }

    fn add_application(
        &mut self,
        report: &mut Report<'_>,
        network: &Network,
        sites: &Sites,
        shape: &ApplicationShape,
    ) {
        let place = shape.name.place();
        if !check_slug(report, place, "application", &shape.name.value) {
            self.applications.complete = false;
            return;
        }
        let (vn, site) = (&shape.virtual_network, &shape.site);
        let owner = self.member(report, sites, vn, site);
        network.classes.resolve(report, shape.class.place(), &shape.class.value.to_string());
        let address = shape.address.as_ref().and_then(|text| address(report, owner, text));
        let listens = shape.listen.iter().filter_map(|text| listen(report, text)).collect();
        let application = Application {
            name: shape.name.value.clone(),
            virtual_network: vn.value.clone(),
            site: site.value.clone(),
            class: shape.class.value,
            address,
            listens,
        };
        self.applications.add(report, place, &shape.name.value, application);
    }

    /// The virtual network of that name, of which the site is to be a part.
    pub(crate) fn member(
        &self,
        report: &mut Report<'_>,
        sites: &Sites,
        network: &At<String>,
        site: &At<String>,
    ) -> Option<&VirtualNetwork> {
        let name = shown(&network.value);
        let owner = self.virtual_networks.resolve(report, network.place(), &name);
        let known = sites.sites.resolve(report, site.place(), &shown(&site.value));
        if let (Some(owner), Some(known)) = (owner, known)
            && self.virtual_networks.complete
            && !owner.sites.contains(&known.code)
        {
            let message =
                format!("site `{}` is not in virtual network `{}`", known.code, owner.name);
            let allowed = list(owner.sites.iter().map(String::as_str));
            report.error(site.place(), message).allow(allowed);
        }
        owner
    }

    fn add_community(
        &mut self,
        report: &mut Report<'_>,
        sites: &Sites,
        shape: &CommunityShape,
        as_of: Option<Date>,
    ) {
        let place = shape.name.place();
        if !check_slug(report, place, "community", &shape.name.value) {
            self.communities.complete = false;
            return;
        }
        let expires = shape.expires.as_ref().and_then(|text| date(report, text));
        if let (Some(text), Some(expires), Some(as_of)) = (&shape.expires, expires, as_of)
            && expires < as_of
        {
            let name = &shape.name.value;
            let message = format!("community `{name}` expired on {expires} and is not in force");
            report.add(Severity::Note, text.place(), message);
        }
        check_twice(report, "application", &shape.applications);
        check_twice(report, "member", &shape.members);
        let owners = self.owners(report, shape);
        let community = Community {
            name: shape.name.value.clone(),
            purpose: shape.purpose.clone(),
            applications: shape.applications.iter().map(|name| name.value.clone()).collect(),
            members: shape.members.iter().map(|name| name.value.clone()).collect(),
            expires,
            consents: consents(report, sites, shape, &owners),
        };
        self.note_places(shape);
        self.communities.add(report, place, &shape.name.value, community);
    }

    fn note_places(&mut self, shape: &CommunityShape) {
        let community = || shape.name.value.clone();
        let member = |name: &At<String>| {
            let (community, member) = (community(), name.value.clone());
            (name.place(), Source::Member { community, member })
        };
        let consent = |name: &At<String>| {
            let (community, organisation) = (community(), name.value.clone());
            (name.place(), Source::Consent { community, organisation })
        };
        self.agreed.extend(shape.members.iter().map(member));
        self.agreed.extend(shape.consents.keys().map(consent));
        let expires = shape.expires.as_ref();
        self.agreed.extend(expires.map(|text| (text.place(), Source::Expiry(community()))));
    }

    /// Where everything is written that has a name, and what communities say.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Place, Source)> {
        fn named<T>(
            all: &Named<T>,
            source: impl Fn(&T) -> Source,
        ) -> impl Iterator<Item = (Place, Source)> {
            all.items.iter().map(move |(place, item)| (*place, source(item)))
        }
        named(&self.virtual_networks, |one| Source::VirtualNetwork(one.name.clone()))
            .chain(named(&self.applications, |one| Source::Application(one.name.clone())))
            .chain(named(&self.attached_routers, |one| Source::AttachedRouter(one.name.clone())))
            .chain(named(&self.communities, |one| Source::Community(one.name.clone())))
            .chain(self.agreed.iter().cloned())
    }

    /// The organisations whose consent a community needs, each with the reason.
    fn owners(&self, report: &mut Report<'_>, shape: &CommunityShape) -> BTreeMap<String, String> {
        let mut owners = BTreeMap::new();
        let members: BTreeSet<&str> =
            shape.members.iter().map(|name| name.value.as_str()).collect();
        for name in &shape.applications {
            let found = self.applications.resolve(report, name.place(), &shown(&name.value));
            let Some(application) = found else { continue };
            let provider = &application.virtual_network;
            if members.contains(provider.as_str()) {
                let application = &application.name;
                let message =
                    format!("member `{provider}` is the network of application `{application}`");
                report
                    .error(name.place(), message)
                    .help("a network reaches its own without a community");
            }
            if let Some(owner) = self.virtual_networks.find(provider) {
                let reason = format!("application `{}`", application.name);
                owners.entry(owner.organisation.clone()).or_insert(reason);
            }
        }
        for name in &shape.members {
            let found = self.virtual_networks.resolve(report, name.place(), &shown(&name.value));
            if let Some(member) = found {
                let reason = format!("member `{}`", member.name);
                owners.entry(member.organisation.clone()).or_insert(reason);
            }
        }
        owners
    }
}

fn resolve_sites<'s>(
    report: &mut Report<'_>,
    network: &Network,
    sites: &'s Sites,
    shape: &VirtualNetworkShape,
) -> Vec<&'s Site> {
    let owner = &shape.organisation.value;
    let all = || sites.sites.items.iter().map(|(_, site)| site);
    let owned = || sites.owned(owner);
    match &shape.sites.value {
        SitesShape::All => owned().collect(),
        SitesShape::Kinds(kinds) => {
            for kind in kinds {
                network.kinds.resolve(report, kind.place(), &shown(&kind.value));
            }
            let members: Vec<_> =
                owned().filter(|site| kinds.iter().any(|kind| kind.value == site.kind)).collect();
            if members.is_empty() && sites.sites.complete {
                let message = format!("`{}` has no site of these kinds", shown(owner));
                report.error(shape.sites.place(), message);
            }
            members
        }
        SitesShape::Codes(codes) => {
            check_twice(report, "site", codes);
            for code in codes {
                let site = sites.sites.resolve(report, code.place(), &shown(&code.value));
                if let Some(site) = site.filter(|site| site.organisation != *owner) {
                    let other = &site.organisation;
                    let message = format!("site `{}` belongs to `{other}`", site.code);
                    report
                        .error(code.place(), message)
                        .allow(format!("sites of `{}`", shown(owner)));
                }
            }
            let listed: BTreeSet<&str> = codes.iter().map(|code| code.value.as_str()).collect();
            all().filter(|site| listed.contains(site.code.as_str())).collect()
        }
    }
}

/// The one length that all LANs of a virtual network have: numbers of its LANs count through its
/// pools, and would collide if they were of different sizes.
fn lan_length(
    report: &mut Report<'_>,
    network: &Network,
    shape: &VirtualNetworkShape,
    members: &[&Site],
) -> u8 {
    let mut kinds = BTreeMap::new();
    for site in members {
        if let Some(kind) = network.kinds.find(&site.kind) {
            kinds.entry(kind.lan_length).or_insert(kind.name.as_str());
        }
    }
    if kinds.len() > 1 {
        let kinds: Vec<_> =
            kinds.iter().map(|(length, kind)| format!("`{kind}` /{length}")).collect();
        let message =
            format!("sites whose kinds have LANs of different sizes: {}", kinds.join(", "));
        report
            .error(shape.sites.place(), message)
            .help("give the kinds one `lan_length`, or make a virtual network for each size");
    }
    kinds.keys().next().copied().unwrap_or(24)
}

fn addresses(report: &mut Report<'_>, texts: &[At<String>]) -> Vec<Ipv4Prefix> {
    let mut pools: Vec<Ipv4Prefix> = Vec::new();
    for text in texts {
        let Some(pool) = prefix::<Ipv4Prefix>(report, text, "an IPv4 prefix: `10.1.0.0/16`") else {
            continue;
        };
        for (unusable, what) in UNUSABLE {
            if unusable.parse().is_ok_and(|unusable| pool.overlaps(unusable)) {
                let message = format!("`{pool}` has {what} addresses in it: {unusable}");
                report.error(text.place(), message);
            }
        }
        if let Some(other) = pools.iter().find(|other| other.overlaps(pool)) {
            let message = format!("`{pool}` overlaps `{other}` of the same virtual network");
            report.error(text.place(), message);
        }
        pools.push(pool);
    }
    pools
}

/// A text that is to be an address of a virtual network; it need not be within one that is unknown.
pub(crate) fn address(
    report: &mut Report<'_>,
    owner: Option<&VirtualNetwork>,
    text: &At<String>,
) -> Option<Ipv4Addr> {
    let Ok(address) = text.value.parse() else {
        let message = format!("`{}` is not an IPv4 address", shown(&text.value));
        report.error(text.place(), message);
        return None;
    };
    let pools = owner.map(|owner| &owner.addresses);
    if let Some(pools) = pools.filter(|pools| !pools.iter().any(|pool| pool.contains(address))) {
        let pools: Vec<_> = pools.iter().map(Ipv4Prefix::to_string).collect();
        let message = format!("`{address}` is outside the virtual network");
        report.error(text.place(), message).allow(list(pools.iter().map(String::as_str)));
    }
    Some(address)
}

/// A resolver of names that hosts are told of.
fn resolver(report: &mut Report<'_>, text: &At<String>) -> Option<IpAddr> {
    let address: Option<IpAddr> = text.value.parse().ok();
    let good = address.filter(|address| {
        !(address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || *address == IpAddr::V4(Ipv4Addr::BROADCAST))
    });
    if good.is_none() {
        let message = format!("`{}` cannot be a resolver's address", shown(&text.value));
        report.error(text.place(), message).allow("an IPv4 or IPv6 address of one host");
    }
    good
}

/// `tcp/443`, `udp/5000-5010`.
fn listen(report: &mut Report<'_>, text: &At<String>) -> Option<Listen> {
    let listen = parse_listen(&text.value);
    if listen.is_none() {
        report
            .error(text.place(), format!("`{}` is not something to listen on", shown(&text.value)))
            .allow("`tcp/PORT`, `udp/PORT`, or `tcp/FIRST-LAST`, with ports from 1 to 65535");
    }
    listen
}

fn parse_listen(text: &str) -> Option<Listen> {
    let (protocol, ports) = text.split_once('/')?;
    let protocol = match protocol {
        "tcp" => 6,
        "udp" => 17,
        _ => return None,
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let (port_first, port_last) = (first.parse().ok()?, last.parse().ok()?);
    (1 <= port_first && port_first <= port_last).then_some(Listen {
        protocol,
        port_first,
        port_last,
    })
}

fn date(report: &mut Report<'_>, text: &At<String>) -> Option<Date> {
    let date = text.value.parse().ok();
    if date.is_none() {
        let message = format!("`{}` is not a date", shown(&text.value));
        report.error(text.place(), message).allow("a day of the calendar as `YYYY-MM-DD`");
    }
    date
}

fn check_twice(report: &mut Report<'_>, what: &str, names: &[At<String>]) {
    let mut seen = BTreeSet::new();
    for name in names.iter().filter(|name| !seen.insert(name.value.as_str())) {
        let message = format!("{what} `{}` is listed twice", shown(&name.value));
        report.error(name.place(), message);
    }
}

fn consents(
    report: &mut Report<'_>,
    sites: &Sites,
    shape: &CommunityShape,
    owners: &BTreeMap<String, String>,
) -> BTreeMap<String, Date> {
    let mut consents = BTreeMap::new();
    for (name, text) in &shape.consents {
        sites.organisations.resolve(report, name.place(), &shown(&name.value));
        if let Some(date) = date(report, text) {
            consents.insert(name.value.clone(), date);
        }
    }
    let given = |owner: &str| shape.consents.keys().any(|name| name.value == owner);
    for (owner, reason) in owners.iter().filter(|(owner, _)| !given(owner)) {
        let community = &shape.name.value;
        let message =
            format!("community `{community}` has no consent of `{owner}`, owner of {reason}");
        report
            .error(shape.name.place(), message)
            .help(format!("under `[community.consents]`: \"{owner}\" = the day they agreed"));
    }
    consents
}

#[cfg(test)]
mod tests {
    use super::parse_listen;

    #[test]
    fn ports_are_from_1_to_65535_and_in_order() {
        for (text, found) in [
            ("tcp/443", Some((6, 443, 443))),
            ("udp/161-162", Some((17, 161, 162))),
            ("tcp/65535", Some((6, 65535, 65535))),
            ("tcp/0", None),
            ("tcp/65536", None),
            ("tcp/20-10", None),
            ("tcp/", None),
            ("tcp/-5", None),
            ("tcp/1-", None),
            ("tcp/+5", None),
            ("sctp/5", None),
            ("443", None),
            ("TCP/443", None),
        ] {
            let listen = parse_listen(text);
            let listen = listen.map(|found| (found.protocol, found.port_first, found.port_last));
            assert_eq!(listen, found, "{text}");
        }
    }
}
