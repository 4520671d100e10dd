//! A site router's configuration: uplinks, LANs, VRFs, routers of others, and nothing of the core.

use base::{PortId, RouterId};
use core::net::Ipv4Addr;
use intent::Lock;
use model::config::{Role, RouterConfig};

use crate::access::SiteRouter;
use crate::compile::Scene;
use crate::core_router::{bgp, dynamic_labels};
use crate::ports;
use crate::service::Services;

/// The configuration of a site router. Its identifier is its address on its first uplink.
pub(crate) fn config(
    router: &SiteRouter<'_>,
    scene: &Scene<'_>,
    services: &Services<'_>,
    lock: &Lock,
) -> RouterConfig {
    let mac_of = |port: PortId| ports::mac(Role::Site, router.number, port);
    let uplinks = router.uplinks.iter();
    let mut in_use: Vec<_> =
        uplinks.map(|uplink| (uplink.site.port, uplink.site_port(mac_of, scene))).collect();
    in_use.extend(services.ports(router, mac_of));
    let at_site = scene.services.get(router.name.as_str());
    // Positions of neighbours are what distinguishers go by: uplinks stay in front.
    let mut neighbours: Vec<_> =
        router.uplinks.iter().map(|uplink| uplink.site_neighbour(scene)).collect();
    let customers = at_site.into_iter().flat_map(|all| &all.customers);
    neighbours.extend(customers.map(|(_, customer)| customer.clone()));
    let first = router.uplinks.first().map_or(Ipv4Addr::UNSPECIFIED, |uplink| uplink.site.address);
    RouterConfig {
        name: router.name.clone(),
        generation: scene.generation,
        role: Role::Site,
        router_id: RouterId(first),
        as_number: router.as_number(),
        loopback: None,
        ports: ports::with_holes(&router.name, mac_of, in_use, lock),
        isis: None,
        labels: dynamic_labels(),
        bgp: bgp(scene),
        neighbours,
        vrfs: at_site.map_or_else(Vec::new, |all| all.vrfs.clone()),
    }
}
