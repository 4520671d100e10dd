//! Site routers and their uplinks.
//!
//! An uplink is a /31 with the core router at the even address. It carries one eBGP session, over
//! which the core router waits and the site router connects, so that nobody can reach a site
//! router's BGP port from outside. The core router prefers what comes over a first uplink
//! (`LOCAL_PREF` 200) to what comes over a second (100), and so does the site router. Over a second
//! uplink the site also prepends its AS once, for whoever sees the paths without that preference.
//!
//! An access type's MTU is what its line carries. An Ethernet line carries labels on top of that;
//! a secure tunnel does not, and its MTU includes them. So that no LAN sends what an uplink cannot
//! carry, a LAN's MTU is 1500, or less where one of its router's uplinks has less to offer:
//!
//! | medium | access type says | uplink's ports | LAN |
//! |---|---|---|---|
//! | Ethernet | 1500 | 1512 | 1500 |
//! | secure | 1400 | 1400 | 1388 |
//!
//! What WireGuard and GRE leave of a line's 1500 octets is 1416 over IPv4 (20 for IP, 8 for UDP, 32
//! for WireGuard; 20 for IP and 4 for GRE inside) and 1396 over IPv6. 1400 and 1380 leave room for
//! PPPoE, and 1424 and 1404 octets within WireGuard fit after it has filled them up to a multiple
//! of 16.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{AsNumber, MacAddr, PortId};
use intent::{Access as AccessType, Intent};
use model::config::{InterfaceAddress, Medium, Neighbour, NeighbourKind, Port, PortKind};
use model::plan::{Link, LinkEnd, LinkKind};

use crate::compile::Scene;
use crate::core_router::Core;
use crate::homing;
use crate::numbers::{Numbers, site_as_number};

/// What three labels take: one for the service, two for whatever is put above it.
const LABELS_OCTETS: u16 = 12;
/// What every LAN's equipment sends.
const LAN_MTU: u16 = 1500;
/// What every link carries that carries IPv6 (RFC 8200 §5).
const IPV6_MTU: u16 = 1280;

/// Every site router, by name.
#[derive(Debug)]
pub(crate) struct Access<'a> {
    pub(crate) routers: Vec<SiteRouter<'a>>,
}

/// A site router.
#[derive(Debug)]
pub(crate) struct SiteRouter<'a> {
    pub(crate) name: String,
    pub(crate) number: u32,
    /// The preferred one first.
    pub(crate) uplinks: Vec<Uplink<'a>>,
}

/// A site router's link to a PoP.
#[derive(Debug)]
pub(crate) struct Uplink<'a> {
    /// The key of its numbers: `site-g81001/uplink-1`.
    pub(crate) key: String,
    /// 0 for the preferred one.
    rank: u8,
    access: &'a AccessType,
    shared_risks: &'a [String],
    pub(crate) core: UplinkEnd,
    pub(crate) site: UplinkEnd,
}

/// One end of an uplink.
#[derive(Debug)]
pub(crate) struct UplinkEnd {
    router: String,
    pub(crate) port: PortId,
    pub(crate) address: Ipv4Addr,
}

impl<'a> Access<'a> {
    /// Decides where uplinks go and numbers them, in the order of the intent's sites.
    pub(crate) fn allot(intent: &'a Intent, core: &Core, numbers: &mut Numbers<'_>) -> Self {
        let types: BTreeMap<&str, &AccessType> =
            intent.access.iter().map(|access| (access.name.as_str(), access)).collect();
        let homes = homing::homes(intent, core, numbers);
        let mut routers = Vec::new();
        for site in intent.sites.iter().filter(|site| site.router_of.is_none()) {
            let name = site.router_name();
            let number = numbers.site_router(&name);
            let cores = homes.get(&name).map_or(&[][..], Vec::as_slice);
            let stated = [
                Some((&site.access, &site.shared_risks)),
                site.backup.as_ref().map(|access| (access, &site.backup_shared_risks)),
            ];
            let wanted = stated.into_iter().flatten().zip(cores).zip(0_u8..);
            let uplinks: Vec<_> = wanted
                .filter_map(|(((access, risks), core), rank)| {
                    let line = Line { access: types.get(access.as_str())?, risks };
                    allot_uplink(&name, core, line, rank, numbers)
                })
                .collect();
            let Some(number) = number else { continue };
            let router = SiteRouter { name, number, uplinks };
            if router.lan_mtu() < IPV6_MTU {
                let message = format!("uplinks of site `{}` leave its LANs too little", site.code);
                numbers.problem("network.toml", message);
            }
            routers.push(router);
        }
        routers.sort_by(|a, b| a.name.cmp(&b.name));
        Self { routers }
    }

    /// The site router of that name.
    pub(crate) fn router(&self, name: &str) -> Option<&SiteRouter<'a>> {
        let index = self.routers.binary_search_by(|router| router.name.as_str().cmp(name)).ok()?;
        self.routers.get(index)
    }

    /// The uplinks that go to a core router.
    pub(crate) fn at_core(
        &self,
        core: &str,
    ) -> impl Iterator<Item = (&SiteRouter<'a>, &Uplink<'a>)> {
        let all = self.routers.iter();
        all.flat_map(|router| router.uplinks.iter().map(move |uplink| (router, uplink)))
            .filter(move |(_, uplink)| uplink.core.router == core)
    }

    /// The uplinks as the plan has them.
    pub(crate) fn plan_links(&self) -> impl Iterator<Item = Link> {
        self.routers.iter().flat_map(|router| &router.uplinks).map(Uplink::plan_link)
    }
}

/// What an uplink runs over.
struct Line<'a> {
    access: &'a AccessType,
    risks: &'a [String],
}

fn allot_uplink<'a>(
    router: &str,
    core: &str,
    line: Line<'a>,
    rank: u8,
    numbers: &mut Numbers<'_>,
) -> Option<Uplink<'a>> {
    let name = format!("uplink-{}", rank + 1);
    let key = format!("{router}/{name}");
    let addresses = numbers.uplink(&key);
    let core_port = numbers.port(core, &key);
    let site_port = numbers.port(router, &name);
    let [core_address, site_address] = addresses?;
    let end = |router: &str, port, address| UplinkEnd { router: router.to_owned(), port, address };
    Some(Uplink {
        key,
        rank,
        access: line.access,
        shared_risks: line.risks,
        core: end(core, core_port?, core_address),
        site: end(router, site_port?, site_address),
    })
}

impl SiteRouter<'_> {
    pub(crate) fn as_number(&self) -> AsNumber {
        site_as_number(self.number)
    }

    /// The largest IP packet that its LANs send.
    pub(crate) fn lan_mtu(&self) -> u16 {
        let unlabelled = |uplink: &Uplink<'_>| uplink.mtu().saturating_sub(LABELS_OCTETS);
        self.uplinks.iter().map(unlabelled).fold(LAN_MTU, u16::min)
    }
}

impl Uplink<'_> {
    /// The largest packet of the link, labels included.
    fn mtu(&self) -> u16 {
        match self.access.medium {
            Medium::Ethernet => self.access.mtu.saturating_add(LABELS_OCTETS),
            Medium::Secure => self.access.mtu,
        }
    }

    fn local_pref(&self) -> u32 {
        if self.rank == 0 { 200 } else { 100 }
    }

    fn plan_link(&self) -> Link {
        let end = |end: &UplinkEnd| LinkEnd { router: end.router.clone(), port: end.port };
        Link {
            name: format!("{}--{}", self.core.router, self.site.router),
            kind: LinkKind::Uplink,
            ends: [end(&self.core), end(&self.site)],
            medium: self.access.medium,
            delay_us: self.access.delay_ms.saturating_mul(1000),
            rate_kbps: self.access.down_mbps.saturating_mul(1000),
            rate_back_kbps: self.access.up_mbps.saturating_mul(1000),
            shared_risks: self.shared_risks.to_vec(),
        }
    }

    fn port(&self, name: String, mac: MacAddr, ends: [&UplinkEnd; 2], scene: &Scene<'_>) -> Port {
        let [near, far] = ends;
        Port {
            name,
            medium: self.access.medium,
            mac,
            mtu: self.mtu(),
            addresses: vec![InterfaceAddress { address: near.address.into(), length: 31 }],
            kind: PortKind::Uplink { peer: far.address, bfd: scene.intent.timers.uplink_bfd },
        }
    }

    /// The core router's port.
    pub(crate) fn core_port(
        &self,
        site: &SiteRouter<'_>,
        mac_of: impl Fn(PortId) -> MacAddr,
        scene: &Scene<'_>,
    ) -> Port {
        let mac = mac_of(self.core.port);
        self.port(format!("to-{}", site.name), mac, [&self.core, &self.site], scene)
    }

    /// The site router's port.
    pub(crate) fn site_port(&self, mac_of: impl Fn(PortId) -> MacAddr, scene: &Scene<'_>) -> Port {
        let mac = mac_of(self.site.port);
        self.port(format!("uplink-{}", self.rank + 1), mac, [&self.site, &self.core], scene)
    }

    /// The site router as the core router's neighbour.
    pub(crate) fn core_neighbour(&self, site: &SiteRouter<'_>, scene: &Scene<'_>) -> Neighbour {
        let services = scene.services.get(site.name.as_str());
        let accept = services.map_or_else(Vec::new, |all| all.announced(self.rank.into()));
        let vrfs = services.map_or(&[][..], |all| all.vrfs.as_slice());
        let most = u32::try_from(accept.len()).unwrap_or(u32::MAX);
        Neighbour {
            name: site.name.clone(),
            address: self.site.address,
            local_address: self.core.address,
            as_number: site.as_number(),
            passive: true,
            kind: NeighbourKind::Site {
                port: self.core.port,
                local_pref: self.local_pref(),
                // Twice what the plan gives it, so that a change that is under way on one side
                // only closes no session; a leak of many routes still does.
                max_routes: most.saturating_mul(2).saturating_add(8),
                accept,
                send: vrfs.iter().flat_map(|vrf| vrf.import.iter().copied()).collect(),
            },
        }
    }

    /// The core router as the site router's neighbour.
    pub(crate) fn site_neighbour(&self, scene: &Scene<'_>) -> Neighbour {
        Neighbour {
            name: self.core.router.clone(),
            address: self.core.address,
            local_address: self.site.address,
            as_number: scene.intent.region.as_number,
            passive: false,
            kind: NeighbourKind::Core {
                port: self.site.port,
                local_pref: self.local_pref(),
                prepend: self.rank,
            },
        }
    }
}
