//! Regions drawn with a few lines: core routers, links, sites with uplinks. Enough of a plan for
//! what looks at its topology alone.

use core::net::Ipv4Addr;

use base::{AsNumber, Label, MacAddr, PortId, RouterId};
use model::config::{
    Bfd, Bgp, LabelRange, Medium, Neighbour, NeighbourKind, Port, PortKind, Role, RouterConfig,
};
use model::plan::{Application, Attachment, Link, LinkEnd, LinkKind, Plan, Pop, Site};

/// A core link.
#[derive(Debug, Clone)]
pub(crate) struct Core {
    pub(crate) ends: [usize; 2],
    pub(crate) metric: u32,
    pub(crate) rate_kbps: u32,
    pub(crate) risks: Vec<u8>,
}

/// A site with a router of its own: its core routers, the preferred one first, each with the risks
/// of the uplink.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) uplinks: Vec<(usize, Vec<u8>)>,
    pub(crate) resilient: bool,
}

/// A region: names are `c0`, `c1`, … for core routers, `S0`, `S1`, … for sites.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sketch {
    /// Core routers of each PoP.
    pub(crate) pops: Vec<Vec<usize>>,
    /// Shared-risk groups of each PoP; none where there are fewer.
    pub(crate) pop_risks: Vec<Vec<u8>>,
    pub(crate) cores: usize,
    pub(crate) links: Vec<Core>,
    pub(crate) homes: Vec<Home>,
    /// Sites of applications `A0`, `A1`, …
    pub(crate) applications: Vec<usize>,
    /// Virtual networks `V0`, `V1`, …: their sites.
    pub(crate) networks: Vec<Vec<usize>>,
}

/// Uplinks carry this in both directions.
pub(crate) const UPLINK_KBPS: u32 = 100_000;

impl Sketch {
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = empty();
        let cores = (0..self.cores).map(|core| router(format!("c{core}"), Role::Core));
        let sites = (0..self.homes.len()).map(|site| router(format!("s{site}"), Role::Site));
        plan.routers = cores.chain(sites).collect();
        for (number, pop) in self.pops.iter().enumerate() {
            let routers = pop.iter().map(|core| format!("c{core}")).collect();
            let risks = self.pop_risks.get(number).map_or(&[][..], Vec::as_slice);
            plan.pops.push(Pop {
                name: format!("p{number}"),
                routers,
                position: None,
                shared_risks: ducts(risks),
            });
        }
        for link in &self.links {
            let ends = link.ends.map(|end| port(&mut plan.routers, end, Some(link.metric)));
            let risks = &link.risks;
            plan.links.push(joined(LinkKind::Core, ends, link.rate_kbps, risks));
        }
        for (site, home) in self.homes.iter().enumerate() {
            for (rank, (core, risks)) in (0_u32..).zip(&home.uplinks) {
                let local_pref = 200 - rank;
                let ends = [*core, self.cores + site].map(|end| port(&mut plan.routers, end, None));
                let [at_core, at_site] = ends.each_ref().map(|end| end.port);
                let of_site = NeighbourKind::Site {
                    port: at_core,
                    local_pref,
                    accept: Vec::new(),
                    max_routes: 0,
                    send: std::collections::BTreeSet::new(),
                };
                let of_core = NeighbourKind::Core { port: at_site, local_pref, prepend: 0 };
                peer(&mut plan.routers, *core, of_site);
                peer(&mut plan.routers, self.cores + site, of_core);
                plan.links.push(joined(LinkKind::Uplink, ends, UPLINK_KBPS, risks));
            }
            plan.sites.push(Site {
                code: format!("S{site}"),
                name: String::new(),
                kind: if site % 2 == 0 { "even" } else { "odd" }.to_owned(),
                organisation: String::new(),
                router: format!("s{site}"),
                resilient: home.resilient,
                position: None,
            });
        }
        self.promise(&mut plan);
        plan
    }

    fn promise(&self, plan: &mut Plan) {
        for (network, sites) in self.networks.iter().enumerate() {
            plan.attachments.extend(sites.iter().map(|site| Attachment {
                site: format!("S{site}"),
                virtual_network: format!("V{network}"),
                router: format!("s{site}"),
                port: PortId(99),
                prefixes: Vec::new(),
                gateways: Vec::new(),
            }));
        }
        for (number, site) in self.applications.iter().enumerate() {
            plan.applications.push(Application {
                name: format!("A{number}"),
                virtual_network: "V0".to_owned(),
                site: format!("S{site}"),
                addresses: Vec::new(),
                listens: Vec::new(),
            });
        }
    }
}

/// A plan of nothing.
pub(crate) fn empty() -> Plan {
    Plan {
        region: "drawn".to_owned(),
        generation: 1,
        pops: Vec::new(),
        routers: Vec::new(),
        links: Vec::new(),
        sites: Vec::new(),
        virtual_networks: Vec::new(),
        attachments: Vec::new(),
        applications: Vec::new(),
        communities: Vec::new(),
        classes: Vec::new(),
        demands: Vec::new(),
    }
}

fn router(name: String, role: Role) -> RouterConfig {
    RouterConfig {
        name,
        generation: 1,
        role,
        router_id: RouterId(Ipv4Addr::LOCALHOST),
        as_number: AsNumber(65_000),
        loopback: None,
        ports: Vec::new(),
        isis: None,
        labels: LabelRange { first: Label::FIRST_FREE, count: 1 },
        bgp: Bgp { hold_time_s: 90, connect_retry_ms: 1000, cluster_id: None },
        neighbours: Vec::new(),
        vrfs: Vec::new(),
    }
}

/// A new port of a router: of a core link where there is a metric.
fn port(routers: &mut [RouterConfig], place: usize, metric: Option<u32>) -> LinkEnd {
    let router = routers.get_mut(place).expect("an end that is there");
    let (peer, bfd) = (Ipv4Addr::LOCALHOST, Bfd { interval_ms: 50, multiplier: 3 });
    let kind = match metric {
        Some(metric) => PortKind::CoreLink {
            peer,
            metric,
            adjacency_sid: Label::FIRST_FREE,
            bfd,
            shared_risks: Vec::new(),
        },
        None => PortKind::Uplink { peer, bfd },
    };
    let number = u32::try_from(router.ports.len()).expect("few ports");
    router.ports.push(Port {
        name: format!("p{number}"),
        medium: Medium::Ethernet,
        mac: MacAddr([0; 6]),
        mtu: 9000,
        addresses: Vec::new(),
        kind,
    });
    LinkEnd { router: router.name.clone(), port: PortId(number) }
}

fn peer(routers: &mut [RouterConfig], place: usize, kind: NeighbourKind) {
    routers.get_mut(place).expect("an end that is there").neighbours.push(Neighbour {
        name: String::new(),
        address: Ipv4Addr::LOCALHOST,
        local_address: Ipv4Addr::LOCALHOST,
        as_number: AsNumber(65_000),
        passive: false,
        kind,
    });
}

fn joined(kind: LinkKind, ends: [LinkEnd; 2], rate_kbps: u32, risks: &[u8]) -> Link {
    Link {
        name: format!("{}--{}", ends[0].router, ends[1].router),
        kind,
        ends,
        medium: Medium::Ethernet,
        delay_us: 10,
        rate_kbps,
        rate_back_kbps: rate_kbps,
        shared_risks: ducts(risks),
    }
}

fn ducts(risks: &[u8]) -> Vec<String> {
    risks.iter().map(|risk| format!("duct-{risk}")).collect()
}
