//! A small region: what is wanted of it, and the configurations that follow.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use base::{
    AsNumber, Duration, Label, PortId, Prefix, RouteDistinguisher, RouteTarget, RouterId, VrfId,
};
use bgp::route::{Family, VpnPrefix};
use bgp::{Accept, Config, Export, LabelBlock, Neighbour, NeighbourKind, SiteFilter, Vrf};

use super::network::id;

pub(crate) const REGION: AsNumber = AsNumber(65000);
pub(crate) const VPN: [Family; 2] = [Family::VpnIpv4, Family::VpnIpv6];

/// A VRF at a site or a core router.
#[derive(Clone)]
pub(crate) struct VrfPlan {
    /// The virtual network: its number is that of its route target.
    pub(crate) network: u32,
    pub(crate) prefixes: Vec<String>,
    /// More route targets to import, and to export.
    pub(crate) imports: Vec<u32>,
    pub(crate) exports: Vec<u32>,
}

/// What the region is to be: reflectors first, then core routers with uplinks, then sites.
#[derive(Clone)]
pub(crate) struct Region {
    pub(crate) reflectors: usize,
    pub(crate) cores: usize,
    pub(crate) sites: Vec<SitePlan>,
    /// VRFs of core routers, by router number.
    pub(crate) attached: BTreeMap<usize, Vec<VrfPlan>>,
    pub(crate) constrain: bool,
}

#[derive(Clone)]
pub(crate) struct SitePlan {
    /// Core routers' numbers, the preferred one first.
    pub(crate) uplinks: Vec<usize>,
    pub(crate) vrfs: Vec<VrfPlan>,
    pub(crate) max_routes: usize,
}

pub(crate) fn target(network: u32) -> RouteTarget {
    RouteTarget::with_as(65000, network)
}

pub(crate) fn vrf(network: u32, prefixes: &[&str]) -> VrfPlan {
    let prefixes = prefixes.iter().map(|&prefix| prefix.to_owned()).collect();
    VrfPlan { network, prefixes, imports: Vec::new(), exports: Vec::new() }
}

pub(crate) fn site(uplinks: &[usize], vrfs: Vec<VrfPlan>) -> SitePlan {
    SitePlan { uplinks: uplinks.to_vec(), vrfs, max_routes: 100 }
}

impl VrfPlan {
    pub(crate) fn import_targets(&self) -> BTreeSet<RouteTarget> {
        self.imports.iter().chain([&self.network]).map(|&network| target(network)).collect()
    }

    pub(crate) fn export_targets(&self) -> BTreeSet<RouteTarget> {
        self.exports.iter().chain([&self.network]).map(|&network| target(network)).collect()
    }
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

pub(crate) fn loopback(router: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 255, 0, small(router + 1))
}

/// The addresses of an uplink: the core router's and the site's.
pub(crate) fn uplink(core: usize, router: usize) -> (IpAddr, IpAddr) {
    let address = |last| IpAddr::V4(Ipv4Addr::new(100, small(64 + core), small(router), last));
    (address(1), address(2))
}

pub(crate) fn site_as(router: usize) -> AsNumber {
    AsNumber(4_200_000_000 + u32::try_from(router).unwrap())
}

/// The route distinguisher of a VRF of a router, over its first, second, … uplink.
pub(crate) fn rd(router: usize, vrf: usize, uplink: usize) -> RouteDistinguisher {
    RouteDistinguisher::with_as(65000, u32::try_from(router * 1000 + vrf * 10 + uplink).unwrap())
}

fn block() -> LabelBlock {
    LabelBlock { first: Label::new(1000).unwrap(), last: Label::new(90_000).unwrap() }
}

impl Region {
    pub(crate) fn new(reflectors: usize, cores: usize, sites: Vec<SitePlan>) -> Self {
        Self { reflectors, cores, sites, attached: BTreeMap::new(), constrain: true }
    }

    /// The router number of a site.
    pub(crate) fn site_router(&self, site: usize) -> usize {
        self.reflectors + self.cores + site
    }

    pub(crate) fn configs(&self) -> Vec<Config> {
        let core = (0..self.reflectors + self.cores).map(|router| self.core_config(router));
        core.chain((0..self.sites.len()).map(|site| self.site_config(site))).collect()
    }

    fn config(&self, router: usize, as_number: AsNumber) -> Config {
        Config {
            as_number,
            router_id: RouterId(loopback(router)),
            cluster_id: None,
            hold_time: 90,
            connect_retry: Duration::from_secs(5),
            local_address: None,
            labels: block(),
            neighbours: Vec::new(),
            vrfs: Vec::new(),
        }
    }

    pub(crate) fn core_config(&self, router: usize) -> Config {
        let mut config = self.config(router, REGION);
        config.local_address = Some(loopback(router));
        let mut families = VPN.to_vec();
        if self.constrain {
            families.push(Family::RouteTargetConstrain);
        }
        for other in (0..self.reflectors + self.cores).filter(|&other| other != router) {
            let (mine, theirs) = (router < self.reflectors, other < self.reflectors);
            if mine || theirs {
                config.neighbours.push(Neighbour {
                    id: id(other),
                    name: format!("core {other}"),
                    address: IpAddr::V4(loopback(other)),
                    local_address: IpAddr::V4(loopback(router)),
                    as_number: REGION,
                    families: families.clone(),
                    passive: router > other,
                    kind: NeighbourKind::Internal { client: mine && !theirs },
                });
            }
        }
        for (site, plan) in self.sites.iter().enumerate() {
            if let Some(uplink) = plan.uplinks.iter().position(|&core| core == router) {
                config.neighbours.push(self.uplink_of_core(router, site, uplink));
            }
        }
        let attached = self.attached.get(&router).map_or(&[][..], Vec::as_slice);
        config.vrfs = (0..).zip(attached).map(|(n, plan)| attachment(router, n, plan)).collect();
        config
    }

    fn uplink_of_core(&self, router: usize, site: usize, number: usize) -> Neighbour {
        let (plan, other) = (&self.sites[site], self.site_router(site));
        let (here, there) = uplink(router, other);
        let mut accept = Vec::new();
        for (n, vrf) in plan.vrfs.iter().enumerate() {
            for prefix in &vrf.prefixes {
                let key = VpnPrefix { rd: rd(other, n, number), prefix: prefix.parse().unwrap() };
                accept.push(Accept { key, targets: vrf.export_targets().into_iter().collect() });
            }
        }
        let filter = SiteFilter {
            port: PortId(u32::try_from(other).unwrap()),
            local_pref: if number == 0 { 200 } else { 100 },
            accept,
            max_routes: plan.max_routes,
            send: plan.vrfs.iter().flat_map(VrfPlan::import_targets).collect(),
        };
        Neighbour {
            id: id(other),
            name: format!("site {site}"),
            address: there,
            local_address: here,
            as_number: site_as(other),
            families: VPN.to_vec(),
            passive: true,
            kind: NeighbourKind::Site(filter),
        }
    }

    pub(crate) fn site_config(&self, site: usize) -> Config {
        let (plan, router) = (&self.sites[site], self.site_router(site));
        let mut config = self.config(router, site_as(router));
        for (number, &core) in plan.uplinks.iter().enumerate() {
            let (there, here) = uplink(core, router);
            config.neighbours.push(Neighbour {
                id: id(core),
                name: format!("uplink {number}"),
                address: there,
                local_address: here,
                as_number: REGION,
                families: VPN.to_vec(),
                passive: false,
                kind: NeighbourKind::Core {
                    local_pref: 200 - u32::try_from(number).unwrap(),
                    prepend: small(number),
                },
            });
        }
        config.vrfs = (0_u32..)
            .zip(&plan.vrfs)
            .map(|(n, vrf)| {
                let index = usize::try_from(n).unwrap();
                let rds = plan.uplinks.iter().enumerate();
                let rds = rds.map(|(number, &core)| (id(core), rd(router, index, number)));
                Vrf { rds: rds.collect(), ..attachment(router, n, vrf) }
            })
            .collect();
        config
    }
}

fn attachment(router: usize, number: u32, plan: &VrfPlan) -> Vrf {
    let export = plan.prefixes.iter().map(|prefix| Export {
        prefix: prefix.parse::<Prefix>().unwrap(),
        targets: plan.export_targets(),
    });
    Vrf {
        id: VrfId(number),
        name: format!("network {}", plan.network),
        label: None,
        import: plan.import_targets(),
        export: export.collect(),
        rds: BTreeMap::new(),
        rd: rd(router, usize::try_from(number).unwrap(), 9),
    }
}
