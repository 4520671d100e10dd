//! After any history of faults and changes, a network that is left alone looks like one that was
//! just started with the same configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{Duration, LabelSpace, Prefix, Rng, RouteDistinguisher, VrfId};
use bgp::labels::LINGER;
use bgp::nlri::Membership;
use bgp::route::{PathAttributes, VpnPrefix};
use bgp::views::PathState;
use bgp::{LabelBinding, NeighbourId, Source};

use super::network::Network;
use super::region::{Region, site, vrf};

/// A way to a prefix, without its label.
type Way = (Source, IpAddr, RouteDistinguisher);

/// Everything that two equal networks agree on: all but the values of labels and the clock.
#[derive(Debug, PartialEq)]
struct Picture {
    routes: BTreeMap<VpnPrefix, Vec<(Source, IpAddr, PathAttributes, PathState)>>,
    vrfs: BTreeMap<(VrfId, Prefix), Vec<Way>>,
    ends: BTreeMap<(VrfId, Prefix), Vec<(usize, VrfId)>>,
    sent: BTreeMap<(NeighbourId, VpnPrefix), IpAddr>,
    labels: BTreeMap<(LabelSpace, Option<VrfId>, Option<IpAddr>), usize>,
    memberships: BTreeSet<(NeighbourId, Membership)>,
    attributes: usize,
}

fn picture(network: &Network, router: usize) -> Picture {
    let bgp = &network.routers[router].bgp;
    let routes = bgp.routes().map(|route| {
        let paths = route.paths.iter().map(|(path, state)| {
            (path.source, path.to.next_hop, path.attributes.as_ref().clone(), *state)
        });
        (route.key, paths.collect())
    });
    let vrfs = &network.routers[router].vrfs;
    let ways = vrfs.iter().map(|(&key, paths)| {
        (key, paths.iter().map(|path| (path.via, path.to.next_hop, path.rd)).collect())
    });
    let ends = vrfs.iter().map(|(&key, paths)| {
        (key, paths.iter().map(|path| network.walk(router, path).unwrap()).collect())
    });
    let sent = bgp.neighbours().flat_map(|view| {
        let id = view.config.id;
        bgp.sent(id).map(move |(key, to)| ((id, key), to.next_hop))
    });
    let mut labels = BTreeMap::new();
    for (space, _, binding) in bgp.labels() {
        let (vrf, hop) = match binding {
            LabelBinding::Vrf(vrf) => (Some(vrf), None),
            LabelBinding::Swap(to) => (None, Some(to.next_hop)),
        };
        *labels.entry((space, vrf, hop)).or_default() += 1;
    }
    Picture {
        routes: routes.collect(),
        vrfs: ways.collect(),
        ends: ends.collect(),
        sent: sent.collect(),
        labels,
        memberships: bgp.memberships().collect(),
        attributes: bgp.sizes().attributes,
    }
}

/// Two reflectors, three core routers (one with a VRF), five sites, three networks.
fn region() -> Region {
    let sites = vec![
        site(&[2], vec![vrf(1, &["10.1.0.0/24", "fd00:1::/64"])]),
        site(&[2, 3], vec![vrf(1, &["10.2.0.0/24"]), vrf(2, &["10.1.0.0/24"])]),
        site(&[3, 4], vec![vrf(2, &["10.3.0.0/24", "10.3.1.0/24"])]),
        site(&[4, 2], vec![vrf(3, &["10.4.0.0/24"]), vrf(1, &["10.4.0.0/24"])]),
        site(&[4], vec![vrf(3, &["10.5.0.0/24"])]),
    ];
    let mut region = Region::new(2, 3, sites);
    region.attached.insert(3, vec![vrf(2, &["10.66.0.0/16"])]);
    region
}

struct Churn {
    rng: Rng,
    region: Region,
    network: Network,
    cut: BTreeSet<(usize, usize)>,
    /// What each VRF ever announced.
    announced: BTreeSet<(usize, VrfId, Prefix)>,
}

impl Churn {
    fn new(seed: u64) -> Self {
        let region = region();
        let mut churn = Self {
            rng: Rng::new(seed),
            network: Network::new(seed, region.configs()),
            region,
            cut: BTreeSet::new(),
            announced: BTreeSet::new(),
        };
        churn.note_announced();
        churn
    }

    fn note_announced(&mut self) {
        for (router, config) in self.region.configs().into_iter().enumerate() {
            for vrf in config.vrfs {
                let prefixes = vrf.export.iter().map(|export| (router, vrf.id, export.prefix));
                self.announced.extend(prefixes);
            }
        }
    }

    /// At any moment: labels may lead nowhere, but never to a VRF that did not announce the prefix.
    fn check_no_stray(&self) {
        for (router, state) in self.network.routers.iter().enumerate() {
            for (&(vrf, prefix), paths) in &state.vrfs {
                let ends = paths.iter().filter_map(|path| self.network.walk(router, path).ok());
                for (end, into) in ends {
                    assert!(
                        self.announced.contains(&(end, into, prefix)),
                        "{prefix} of router {router} {vrf} led to router {end} {into}"
                    );
                }
            }
        }
    }
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(u64::try_from(bound).unwrap())).unwrap()
    }

    fn links(&self) -> Vec<(usize, usize)> {
        let neighbours = self.network.routers.iter().enumerate().flat_map(|(router, state)| {
            state.config.neighbours.iter().map(move |neighbour| (router, neighbour.id.0))
        });
        let numbers = neighbours.map(|(a, b)| (a, usize::try_from(b).unwrap()));
        numbers.filter(|(a, b)| a < b).collect()
    }

    fn step(&mut self) {
        match self.below(8) {
            0 | 1 => {
                let links = self.links();
                let link = links[self.below(links.len())];
                let up = self.cut.remove(&link);
                if !up {
                    self.cut.insert(link);
                }
                self.network.set_link(link.0, link.1, up);
            }
            2 => {
                let links = self.links();
                let link = links[self.below(links.len())];
                self.network.reset_connection(link.0, link.1);
            }
            3 => {
                let router = self.below(5);
                let mut reachable = self.network.routers[router].reachable.clone();
                let hops: Vec<IpAddr> = reachable.keys().copied().collect();
                if hops.is_empty() || self.rng.chance(300_000) {
                    self.network.reach_all(router);
                } else {
                    let hop = hops[self.below(hops.len())];
                    if self.rng.chance(500_000) {
                        reachable.remove(&hop);
                    } else {
                        reachable.insert(hop, 5);
                    }
                    self.network.set_reachable(router, reachable);
                }
            }
            _ => self.change(),
        }
    }

    /// Another plan: what a site announces or imports; applied to a random part of the routers, the
    /// rest follow later.
    fn change(&mut self) {
        let site = self.below(self.region.sites.len());
        let vrfs = self.region.sites[site].vrfs.len();
        let chosen = self.below(vrfs);
        let number = self.below(6);
        let plan = &mut self.region.sites[site].vrfs[chosen];
        let network = u32::try_from(number % 3).unwrap() + 1;
        let prefix = format!("10.{}.{number}.0/24", 100 + site);
        match number {
            0 | 1 if plan.prefixes.len() > 1 => drop(plan.prefixes.pop()),
            0..=2 if !plan.prefixes.contains(&prefix) => plan.prefixes.push(prefix),
            3 => plan.imports = vec![network],
            4 => plan.exports = vec![network],
            _ => {
                plan.imports.clear();
                plan.exports.clear();
            }
        }
        self.note_announced();
        for (router, config) in self.region.configs().into_iter().enumerate() {
            if self.rng.chance(700_000) {
                self.network.set_config(router, config);
            }
        }
    }

    fn heal(&mut self) {
        for (a, b) in std::mem::take(&mut self.cut) {
            self.network.set_link(a, b, true);
        }
        for (router, config) in self.region.configs().into_iter().enumerate() {
            self.network.set_config(router, config);
        }
        for router in 0..5 {
            self.network.reach_all(router);
        }
        self.network.run(Duration::from_secs(150));
        self.network.settle();
        self.network.run(LINGER * 2);
    }
}

fn history_is_forgotten(seed: u64, steps: u32) {
    let mut churn = Churn::new(seed);
    for _ in 0..steps {
        churn.step();
        let wait = [1, 4, 30, 700, 8000][churn.below(5)];
        churn.network.run(Duration::from_millis(wait));
        churn.check_no_stray();
    }
    churn.heal();
    let mut fresh = Network::new(seed + 1000, churn.region.configs());
    fresh.settle();
    fresh.run(LINGER * 2);
    for router in 0..fresh.routers.len() {
        let (left, right) = (picture(&churn.network, router), picture(&fresh, router));
        assert_eq!(left, right, "seed {seed}, router {router}");
    }
}

#[test]
fn a_network_that_is_left_alone_looks_like_a_new_one() {
    for seed in 0..20 {
        history_is_forgotten(seed, 40);
    }
}

#[test]
fn a_long_history_is_forgotten_too() {
    history_is_forgotten(4711, 400);
}
