//! Routers of others on sites' LANs: how what is behind them is known, and what may come from them.
//!
//! With BGP, the router is a neighbour of the site router ([`NeighbourKind::Customer`]) that may
//! announce exactly what the intent says is behind it. Without, the site router's own routes lead
//! there. Either way core routers accept it from the site, and the LAN's port lets packets from it
//! in.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Prefix, RouteTarget, VrfId};
use intent::{AttachedRouter, Routing, Site};
use model::config::{AcceptedRoute, Neighbour, NeighbourKind, Vrf};

use super::{Services, SiteLan, SiteVrf};
use crate::access::SiteRouter;
use crate::lan::Lan;
use crate::numbers::Numbers;

/// What a site router's configuration has of virtual networks.
#[derive(Debug)]
pub(crate) struct SiteServices {
    pub(crate) vrfs: Vec<Vrf>,
    /// Routers of others that speak BGP, with their VRFs, by name.
    pub(crate) customers: Vec<(VrfId, Neighbour)>,
}

impl SiteServices {
    /// What a site announces to its neighbour at that position, sorted.
    pub(crate) fn announced(&self, neighbour: u32) -> Vec<AcceptedRoute> {
        let mut routes = BTreeSet::new();
        for (id, vrf) in (0..).map(VrfId).zip(&self.vrfs) {
            let Some(rd) = vrf.rds.iter().find(|rd| rd.neighbour == neighbour) else { continue };
            let own = vrf.export.iter().map(|route| (route.prefix, &route.targets));
            let customers = self.customers.iter().filter(|(of, _)| *of == id);
            let heard = customers.flat_map(|(_, customer)| heard(customer));
            routes.extend(own.chain(heard).map(|(prefix, targets)| AcceptedRoute {
                rd: rd.rd,
                prefix,
                targets: targets.clone(),
            }));
        }
        routes.into_iter().collect()
    }
}

/// What is heard from a third party's router, each prefix with its targets.
fn heard(customer: &Neighbour) -> impl Iterator<Item = (Prefix, &BTreeSet<RouteTarget>)> {
    let policy = if let NeighbourKind::Customer { accept, targets, .. } = &customer.kind {
        Some((accept, targets))
    } else {
        None
    };
    policy.into_iter().flat_map(|(accept, targets)| accept.iter().map(move |p| (*p, targets)))
}

/// Prefixes behind the routers of a LAN that speak no BGP, with where they lead.
pub(super) fn static_routes(lan: &SiteLan<'_>) -> Vec<(Prefix, IpAddr)> {
    let mut routes = Vec::new();
    for router in &lan.routers {
        let Routing::Static { address_v6 } = router.routing else { continue };
        let next_hop = |prefix: &Prefix| match prefix {
            Prefix::V4(_) => Some(IpAddr::V4(router.address)),
            Prefix::V6(_) => address_v6.map(IpAddr::V6),
        };
        let prefixes = router.prefixes.iter();
        routes.extend(prefixes.filter_map(|prefix| Some((*prefix, next_hop(prefix)?))));
    }
    routes
}

impl<'a> Services<'a> {
    pub(super) fn allot_attached(
        &mut self,
        router: &'a AttachedRouter,
        sites: &BTreeMap<&str, &'a Site>,
        numbers: &mut Numbers<'a>,
    ) {
        self.check_addresses(router, numbers);
        let site = sites.get(router.site.as_str());
        let vrfs = site.and_then(|site| self.routers.get_mut(&site.router_name()));
        let network = &router.virtual_network;
        let vrfs = vrfs.into_iter().flatten().filter(|vrf| vrf.network.name == *network);
        for lan in vrfs.flat_map(|vrf| &mut vrf.lans).filter(|lan| lan.site.code == router.site) {
            check_lan(router, lan.lan, numbers);
            lan.routers.push(router);
            lan.routers.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }

    /// What numbers decide: applications' addresses and the network's /48.
    fn check_addresses(&self, router: &AttachedRouter, numbers: &mut Numbers<'a>) {
        let AttachedRouter { name, virtual_network: network, .. } = router;
        let own = addresses(router);
        let offers = self.applications.values();
        for offer in offers.filter(|offer| offer.application.virtual_network == *network) {
            let application = &offer.application.name;
            for host in offer.hosts.iter().filter(|host| own.contains(&host.addr())) {
                let address = host.addr();
                let message = format!(
                    "attached router `{name}` has {address}, which application `{application}` has"
                );
                numbers.problem("services.toml", message);
            }
        }
        for prefix in &router.prefixes {
            if !self.pools(network).iter().any(|pool| pool.covers(*prefix)) {
                let pools: Vec<_> = self.pools(network).iter().map(Prefix::to_string).collect();
                let pools = pools.join(", ");
                let message = format!(
                    "attached router `{name}` has {prefix} behind it, and `{network}` has {pools}"
                );
                numbers.problem("services.toml", message);
            }
        }
    }

    /// What a site router's configuration has of virtual networks.
    pub(crate) fn of_site(&self, router: &SiteRouter<'_>) -> SiteServices {
        let vrfs = self.routers.get(&router.name).map_or(&[][..], Vec::as_slice);
        let mut customers = Vec::new();
        for (id, vrf) in (0..).map(VrfId).zip(vrfs) {
            let lans = vrf.lans.iter();
            let routers = lans.flat_map(|lan| lan.routers.iter().map(move |router| (lan, router)));
            let found = routers.filter_map(|(lan, router)| self.customer(vrf, lan, router));
            customers.extend(found.map(|customer| (id, customer)));
        }
        customers.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        SiteServices { vrfs: vrfs.iter().map(|vrf| self.vrf(vrf)).collect(), customers }
    }

    /// An attached router as the site router's neighbour, where it is one.
    fn customer(
        &self,
        vrf: &SiteVrf<'a>,
        lan: &SiteLan<'a>,
        router: &AttachedRouter,
    ) -> Option<Neighbour> {
        let Routing::Bgp { as_number, max_routes } = router.routing else { return None };
        Some(Neighbour {
            name: router.name.clone(),
            address: router.address,
            local_address: lan.lan.v4.nth(1)?,
            as_number,
            passive: false,
            kind: NeighbourKind::Customer {
                port: lan.port,
                accept: router.prefixes.iter().copied().collect(),
                targets: self.lan_targets(vrf),
                max_routes,
            },
        })
    }
}

/// An attached router's own addresses.
fn addresses(router: &AttachedRouter) -> Vec<IpAddr> {
    let v6 = match router.routing {
        Routing::Static { address_v6 } => address_v6,
        Routing::Bgp { .. } => None,
    };
    [Some(IpAddr::V4(router.address)), v6.map(IpAddr::V6)].into_iter().flatten().collect()
}

/// An attached router is a host of its LAN; the first of each prefix is the site router.
fn check_lan(router: &AttachedRouter, lan: Lan, numbers: &mut Numbers<'_>) {
    for address in addresses(router) {
        let near = lan.prefixes().into_iter().filter(|prefix| prefix.contains(address));
        let mut hosts =
            near.filter(|prefix| ![prefix.nth(0), prefix.nth(1)].contains(&Some(address)));
        if hosts.next().is_none() {
            let AttachedRouter { name, site, virtual_network: network, .. } = router;
            let (v4, v6) = (lan.v4, lan.v6);
            let message = format!(
                "attached router `{name}` has {address}, which is no host of the LAN of site `{site}` in `{network}`: {v4}, {v6}"
            );
            numbers.problem("services.toml", message);
        }
    }
}
