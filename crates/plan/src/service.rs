//! Virtual networks, applications and communities: what site routers' VRFs import, export and let
//! pass.
//!
//! A virtual network has one VRF on every site router that serves one of its sites. All of them
//! export their LANs with the network's own route target and import it.
//!
//! A community is a hub and spokes. It has two route targets. The LANs of its members carry the
//! consumers' one, which only the VRFs that have one of its applications import. The addresses of
//! its applications carry the providers' one, which its members' VRFs import. So members never see
//! each other through it, and an application's network shows them the application's addresses and
//! nothing else. What routes make reachable, access rules narrow down to the application's protocol
//! and ports.
//!
//! What is behind a router of somebody else ([`attached`]) has the LAN's targets. What the site
//! router does for hosts is in [`hosts`].
//!
//! No configuration depends on how many sites a network has: rules name networks' pools and
//! applications' addresses, never other sites' LANs.

mod attached;
mod hosts;

use std::collections::{BTreeMap, BTreeSet};

use base::{MacAddr, PortId, Prefix, RouteDistinguisher, RouteTarget, VrfId};
use intent::{
    Application, AttachedRouter, Community, Date, Intent, Site, VirtualNetwork, router_name,
};
use model::config::{
    self, AccessRule, ExportedRoute, InterfaceAddress, Medium, NeighbourRd, Port, PortKind, Side,
    Vrf,
};

use crate::access::{Access, SiteRouter};
use crate::lan::Lan;
use crate::numbers::Numbers;

pub(crate) use self::attached::SiteServices;

/// Everything that site routers offer.
#[derive(Debug)]
pub(crate) struct Services<'a> {
    /// The VRFs of every site router, by its name.
    routers: BTreeMap<String, Vec<SiteVrf<'a>>>,
    /// The addresses of every virtual network.
    pools: BTreeMap<&'a str, Vec<Prefix>>,
    /// The addresses of the region's routers.
    infrastructure: Vec<Prefix>,
    applications: BTreeMap<&'a str, Offer<'a>>,
    /// The communities in force, by name.
    communities: Vec<&'a Community>,
    network_targets: BTreeMap<&'a str, RouteTarget>,
    consumers_targets: BTreeMap<&'a str, RouteTarget>,
    providers_targets: BTreeMap<&'a str, RouteTarget>,
}

/// A VRF of a site router.
#[derive(Debug)]
struct SiteVrf<'a> {
    network: &'a VirtualNetwork,
    /// One per uplink.
    rds: Vec<RouteDistinguisher>,
    lans: Vec<SiteLan<'a>>,
    /// Names of the applications at its sites.
    applications: Vec<&'a str>,
}

/// A LAN of a VRF.
#[derive(Debug)]
struct SiteLan<'a> {
    site: &'a Site,
    port: PortId,
    port_name: String,
    lan: Lan,
    /// Routers of others on it, by name.
    routers: Vec<&'a AttachedRouter>,
}

/// An application and its addresses.
#[derive(Debug)]
struct Offer<'a> {
    application: &'a Application,
    hosts: Vec<Prefix>,
}

impl<'a> Services<'a> {
    /// Numbers everything that virtual networks, applications and communities need.
    pub(crate) fn allot(
        intent: &'a Intent,
        as_of: Option<Date>,
        access: &Access<'_>,
        numbers: &mut Numbers<'a>,
    ) -> Self {
        let over = |community: &Community| community.expires.zip(as_of).is_some_and(|(e, d)| d > e);
        let mut communities: Vec<&Community> =
            intent.communities.iter().filter(|community| !over(community)).collect();
        communities.sort_by(|a, b| a.name.cmp(&b.name));
        let mut services = Self {
            routers: BTreeMap::new(),
            pools: BTreeMap::new(),
            infrastructure: vec![intent.pools.loopbacks.into(), intent.pools.loopbacks_v6.into()],
            applications: BTreeMap::new(),
            communities,
            network_targets: BTreeMap::new(),
            consumers_targets: BTreeMap::new(),
            providers_targets: BTreeMap::new(),
        };
        let sites: BTreeMap<&str, &Site> =
            intent.sites.iter().map(|site| (site.code.as_str(), site)).collect();
        for network in &intent.virtual_networks {
            services.allot_network(network, &sites, access, numbers);
        }
        for application in &intent.applications {
            services.allot_application(application, &sites, numbers);
        }
        for router in &intent.attached_routers {
            services.allot_attached(router, &sites, numbers);
        }
        services.allot_communities(numbers);
        for vrfs in services.routers.values_mut() {
            // By their first distinguisher: one more VRF comes after those that are there.
            vrfs.sort_by(|a, b| a.rds.cmp(&b.rds));
            name_ports(vrfs);
        }
        services
    }

    fn allot_network(
        &mut self,
        network: &'a VirtualNetwork,
        sites: &BTreeMap<&str, &'a Site>,
        access: &Access<'_>,
        numbers: &mut Numbers<'a>,
    ) {
        let name = network.name.as_str();
        let v4 = network.addresses.iter().map(|pool| Prefix::V4(*pool));
        let v6 = numbers.network_v6(name).map(Prefix::V6);
        self.pools.insert(name, v4.chain(v6).collect());
        self.network_targets.extend(numbers.network_target(name).map(|target| (name, target)));
        let mut lans: BTreeMap<String, Vec<SiteLan<'a>>> = BTreeMap::new();
        for code in &network.sites {
            let Some(site) = sites.get(code.as_str()).copied() else { continue };
            let (lan, port) = (numbers.lan(network, code), numbers.lan_port(site, name));
            if let (Some(lan), Some(port)) = (lan, port) {
                let (port_name, routers) = (String::new(), Vec::new());
                let lan = SiteLan { site, port, port_name, lan, routers };
                lans.entry(site.router_name()).or_default().push(lan);
            }
        }
        for (router, mut lans) in lans {
            lans.sort_by_key(|lan| lan.port);
            let uplinks = access.router(&router).into_iter().flat_map(|router| &router.uplinks);
            let rds = uplinks.filter_map(|up| numbers.route_distinguisher(name, &up.key)).collect();
            let vrf = SiteVrf { network, rds, lans, applications: Vec::new() };
            self.routers.entry(router).or_default().push(vrf);
        }
    }

    fn allot_application(
        &mut self,
        application: &'a Application,
        sites: &BTreeMap<&str, &'a Site>,
        numbers: &mut Numbers<'a>,
    ) {
        let Some(addresses) = numbers.application(application) else { return };
        let hosts = addresses.into_iter().map(Prefix::host).collect();
        self.applications.insert(&application.name, Offer { application, hosts });
        let site = sites.get(application.site.as_str());
        let vrfs = site.and_then(|site| self.routers.get_mut(&site.router_name()));
        let network = &application.virtual_network;
        for vrf in vrfs.into_iter().flatten().filter(|vrf| vrf.network.name == *network) {
            vrf.applications.push(&application.name);
            vrf.applications.sort_unstable();
        }
    }

    fn allot_communities(&mut self, numbers: &mut Numbers<'a>) {
        for community in &self.communities {
            let name = community.name.as_str();
            let consumers = numbers.consumers_target(name);
            self.consumers_targets.extend(consumers.map(|target| (name, target)));
            let providers = numbers.providers_target(name);
            self.providers_targets.extend(providers.map(|target| (name, target)));
        }
    }

    /// The addresses of a virtual network.
    fn pools(&self, network: &str) -> &[Prefix] {
        self.pools.get(network).map_or(&[], Vec::as_slice)
    }

    /// The applications of other networks that a network reaches through a community, by name.
    fn reached(&self, network: &str, community: &Community) -> impl Iterator<Item = &Offer<'a>> {
        let member = community.members.iter().any(|member| member == network);
        let names: BTreeSet<&str> =
            community.applications.iter().filter(|_| member).map(String::as_str).collect();
        let offers = names.into_iter().filter_map(|name| self.applications.get(name));
        offers.filter(move |offer| offer.application.virtual_network != network)
    }

    /// The applications of a VRF that other networks reach through a community, by name.
    fn offered<'s>(
        &'s self,
        vrf: &'s SiteVrf<'a>,
        community: &'s Community,
    ) -> impl Iterator<Item = &'s Offer<'a>> {
        let wanted = consumers(vrf.network, community).next().is_some();
        let names = vrf.applications.iter().filter(move |_| wanted);
        names
            .filter(|name| community.applications.iter().any(|offered| offered == *name))
            .filter_map(|name| self.applications.get(name))
    }

    fn vrf(&self, vrf: &SiteVrf<'a>) -> Vrf {
        let rds = (0..).zip(&vrf.rds).map(|(neighbour, rd)| NeighbourRd { neighbour, rd: *rd });
        let own = self.pools(&vrf.network.name).to_vec();
        Vrf {
            name: vrf.network.name.clone(),
            virtual_network: vrf.network.name.clone(),
            rds: rds.collect(),
            import: self.imports(vrf),
            export: self.exports(vrf),
            access: config::Access {
                own,
                infrastructure: self.infrastructure.clone(),
                rules: self.rules(vrf),
            },
        }
    }

    fn imports(&self, vrf: &SiteVrf<'a>) -> BTreeSet<RouteTarget> {
        let network = vrf.network.name.as_str();
        let mut targets: BTreeSet<_> =
            self.network_targets.get(network).copied().into_iter().collect();
        for community in &self.communities {
            let name = community.name.as_str();
            if self.reached(network, community).next().is_some() {
                targets.extend(self.providers_targets.get(name));
            }
            if self.offered(vrf, community).next().is_some() {
                targets.extend(self.consumers_targets.get(name));
            }
        }
        targets
    }

    /// The targets of the routes of a VRF's LANs: the network's own, and those by which the
    /// providers of what it reaches have the way back.
    fn lan_targets(&self, vrf: &SiteVrf<'a>) -> BTreeSet<RouteTarget> {
        let network = vrf.network.name.as_str();
        let consumed =
            self.communities.iter().filter(|c| self.reached(network, c).next().is_some());
        let consumers = consumed.filter_map(|c| self.consumers_targets.get(c.name.as_str()));
        self.network_targets.get(network).into_iter().chain(consumers).copied().collect()
    }

    fn exports(&self, vrf: &SiteVrf<'a>) -> Vec<ExportedRoute> {
        let network = vrf.network.name.as_str();
        let own: BTreeSet<_> = self.network_targets.get(network).copied().into_iter().collect();
        let lan_targets = self.lan_targets(vrf);
        let mut routes = BTreeMap::new();
        let route = |prefix, port, targets: &BTreeSet<_>| {
            (prefix, ExportedRoute { prefix, port, next_hop: None, targets: targets.clone() })
        };
        for lan in &vrf.lans {
            let prefixes = lan.lan.prefixes().into_iter();
            routes.extend(prefixes.map(|prefix| route(prefix, lan.port, &lan_targets)));
            for (prefix, next_hop) in attached::static_routes(lan) {
                let (_, onward) = route(prefix, lan.port, &lan_targets);
                routes.insert(prefix, ExportedRoute { next_hop: Some(next_hop), ..onward });
            }
        }
        for (lan, offer) in self.offers(vrf) {
            let mut targets = own.clone();
            let name = &offer.application.name;
            for community in &self.communities {
                if self.offered(vrf, community).any(|other| other.application.name == *name) {
                    targets.extend(self.providers_targets.get(community.name.as_str()));
                }
            }
            for host in &offer.hosts {
                let (_, none) = route(*host, lan.port, &BTreeSet::new());
                let route = routes.entry(*host).or_insert(none);
                route.targets.extend(&targets);
                if !lan.lan.prefixes().iter().any(|prefix| prefix.covers(*host)) {
                    // Not behind the LAN's own route: its answers need the way back, too.
                    route.targets.extend(&lan_targets);
                }
            }
        }
        routes.into_values().collect()
    }

    /// The applications of a VRF with the LANs that they are on.
    fn offers<'s>(
        &'s self,
        vrf: &'s SiteVrf<'a>,
    ) -> impl Iterator<Item = (&'s SiteLan<'a>, &'s Offer<'a>)> {
        let offers = vrf.applications.iter().filter_map(|name| self.applications.get(name));
        offers.filter_map(|offer| {
            let site = &offer.application.site;
            Some((vrf.lans.iter().find(|lan| lan.site.code == *site)?, offer))
        })
    }

    /// By community, then application, the provider's side first.
    fn rules(&self, vrf: &SiteVrf<'a>) -> Vec<AccessRule> {
        let network = vrf.network.name.as_str();
        let mut rules = Vec::new();
        for community in &self.communities {
            for offer in self.offered(vrf, community) {
                let members = consumers(vrf.network, community);
                let remote: BTreeSet<_> = members.flat_map(|name| self.pools(name)).collect();
                let remote: Vec<Prefix> = remote.into_iter().copied().collect();
                let ends = [offer.hosts.clone(), remote];
                rules.extend(rules_of(community, offer, Side::Provider, &ends));
            }
            for offer in self.reached(network, community) {
                let ends = [self.pools(network).to_vec(), offer.hosts.clone()];
                rules.extend(rules_of(community, offer, Side::Consumer, &ends));
            }
        }
        rules
    }

    /// The ports of a router's LANs.
    pub(crate) fn ports(
        &self,
        router: &SiteRouter<'_>,
        mac_of: impl Fn(PortId) -> MacAddr,
    ) -> Vec<(PortId, Port)> {
        let vrfs = self.routers.get(&router.name).map_or(&[][..], Vec::as_slice);
        let mut ports = Vec::new();
        for (id, vrf) in (0..).map(VrfId).zip(vrfs) {
            for lan in &vrf.lans {
                let mac = mac_of(lan.port);
                ports.push((lan.port, self.port(router, (id, vrf), lan, mac)));
            }
        }
        ports
    }

    fn port(
        &self,
        router: &SiteRouter<'_>,
        (id, vrf): (VrfId, &SiteVrf<'a>),
        lan: &SiteLan<'a>,
        mac: MacAddr,
    ) -> Port {
        let prefixes = lan.lan.prefixes();
        let here = self.offers(vrf).filter(|(other, _)| other.port == lan.port);
        let offered: BTreeSet<Prefix> = here.flat_map(|(_, offer)| offer.hosts.clone()).collect();
        let elsewhere = |host: &&Prefix| !prefixes.iter().any(|prefix| prefix.covers(**host));
        let behind = lan.routers.iter().flat_map(|router| &router.prefixes);
        let sources = prefixes.iter().chain(offered.iter().filter(elsewhere)).chain(behind);
        let gateways = lan.lan.gateways().into_iter().zip(prefixes);
        let address =
            |(address, prefix): (_, Prefix)| InterfaceAddress { address, length: prefix.len() };
        let sources = sources.copied().collect();
        let hosts = Some(hosts::service(vrf.network, lan, &offered));
        Port {
            name: lan.port_name.clone(),
            medium: Medium::Ethernet,
            mac,
            mtu: router.lan_mtu(),
            addresses: gateways.map(address).collect(),
            kind: PortKind::Attachment { vrf: id, sources, hosts },
        }
    }
}

/// The members of a community but the network itself.
fn consumers<'a>(
    network: &'a VirtualNetwork,
    community: &'a Community,
) -> impl Iterator<Item = &'a str> {
    community.members.iter().map(String::as_str).filter(|member| *member != network.name)
}

/// One rule for everything that an application listens on; `ends` is this side and the other.
fn rules_of(
    community: &Community,
    offer: &Offer<'_>,
    side: Side,
    [local, remote]: &[Vec<Prefix>; 2],
) -> Vec<AccessRule> {
    let listens: BTreeSet<_> = offer.application.listens.iter().collect();
    let rule = |listen: &model::plan::Listen| AccessRule {
        community: community.name.clone(),
        application: offer.application.name.clone(),
        side,
        local: local.clone(),
        remote: remote.clone(),
        protocol: listen.protocol,
        port_first: listen.port_first,
        port_last: listen.port_last,
    };
    listens.into_iter().map(rule).collect()
}

/// Names a router's LAN ports: `lan-g81001` for a site's first, `lan-g81001-imaging` for those of
/// further virtual networks.
fn name_ports(vrfs: &mut [SiteVrf<'_>]) {
    let mut first: BTreeMap<String, PortId> = BTreeMap::new();
    for lan in vrfs.iter().flat_map(|vrf| &vrf.lans) {
        let port = first.entry(lan.site.code.clone()).or_insert(lan.port);
        *port = lan.port.min(*port);
    }
    for vrf in vrfs {
        for lan in &mut vrf.lans {
            let router = router_name(&lan.site.code);
            let slug = router.strip_prefix("site-").unwrap_or(&router);
            lan.port_name = if first.get(&lan.site.code) == Some(&lan.port) {
                format!("lan-{slug}")
            } else {
                format!("lan-{slug}-{}", vrf.network.name)
            };
        }
    }
}
