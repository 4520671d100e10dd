//! Demands as traffic between core routers.
//!
//! A plan's demands name applications, kinds of sites and virtual networks; who may reach what
//! follows from the promises alone. Here they become pairs of core routers: a site counts at the
//! core router that its uplink leads to, and sites there are told apart no more. So a region of a
//! hundred thousand sites has as many flows as its core has pairs, and a failure that moves a few
//! sites to other uplinks changes a few counts.
#![expect(clippy::indexing_slicing, reason = "numbers of demands, sites and site routers")]

use std::collections::{BTreeMap, BTreeSet};

use model::plan::{Application, Plan, Traffic};

use crate::routing::Flows;
use crate::topology::{RouterIs, Topology};

/// Bits in a kilobit.
const KILO: u64 = 1000;

/// The nodes that a site router sends to and is reached by; none where it is cut off.
pub(crate) type Home = Option<[usize; 2]>;

/// What every core router is sent.
pub(crate) type Matrix = BTreeMap<usize, Flows>;

/// A demand between site routers, each with how many of its sites count.
#[derive(Debug)]
struct Use {
    class: usize,
    pattern: Pattern,
}

#[derive(Debug)]
enum Pattern {
    /// Everybody with the site router of an application, in bits per second and site.
    Star { hub: usize, down: u64, up: u64 },
    /// Everybody with everybody else: each site sends this much to the others together, which are
    /// this many in all.
    Mesh { sent: u64, others: u64 },
}

/// What is asked of the network.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    uses: Vec<Use>,
    /// The uses of each site router, with how many of its sites count.
    of: Vec<Vec<(usize, u64)>>,
    /// Demands that name what the plan does not have.
    pub(crate) unplaced: usize,
}

/// How many sites of one use are at each node.
#[derive(Debug, Clone, Default)]
struct Tally {
    /// By the node that they send to, and by the node that they are reached by.
    sites: [BTreeMap<usize, u64>; 2],
    /// For each pair of these, pairs of sites with one site router: their traffic stays there.
    local: BTreeMap<[usize; 2], u64>,
}

/// How many sites of each use are at each node.
#[derive(Debug, Clone)]
pub(crate) struct Tallies(Vec<Tally>);

impl Demands {
    pub(crate) fn new(plan: &Plan, topology: &Topology<'_>, classes: &[String]) -> Self {
        let mut demands =
            Self { of: vec![Vec::new(); topology.site_routers.len()], ..Self::default() };
        let members = Members::new(plan, topology);
        let applications: BTreeMap<&str, &Application> =
            plan.applications.iter().map(|one| (one.name.as_str(), one)).collect();
        for demand in &plan.demands {
            let class = classes.iter().position(|name| *name == demand.class);
            let Some(class) = class else { continue };
            let placed = match &demand.traffic {
                Traffic::Towards { application, kind, down_kbps, up_kbps } => {
                    let application = applications.get(application.as_str());
                    application.and_then(|application| {
                        let (hub, users) = members.users(application, kind.as_deref())?;
                        let [down, up] = [down_kbps, up_kbps].map(|kbps| u64::from(*kbps) * KILO);
                        Some((Pattern::Star { hub, down, up }, users))
                    })
                }
                Traffic::Within { virtual_network, kbps } => {
                    members.of(virtual_network).map(|members| {
                        let count: u64 = members.values().sum();
                        let (sent, others) = (u64::from(*kbps) * KILO, count.saturating_sub(1));
                        (Pattern::Mesh { sent, others }, members)
                    })
                }
            };
            let Some((pattern, users)) = placed else {
                demands.unplaced += 1;
                continue;
            };
            for (site_router, count) in users {
                demands.of[site_router].push((demands.uses.len(), count));
            }
            demands.uses.push(Use { class, pattern });
        }
        demands
    }

    /// The site routers behind which applications are.
    pub(crate) fn hubs(&self) -> BTreeSet<usize> {
        let hub = |one: &Use| match one.pattern {
            Pattern::Star { hub, .. } => Some(hub),
            Pattern::Mesh { .. } => None,
        };
        self.uses.iter().filter_map(hub).collect()
    }

    pub(crate) fn tallies(&self, homes: &[Home]) -> Tallies {
        let mut tallies = Tallies(vec![Tally::default(); self.uses.len()]);
        for (site_router, home) in homes.iter().enumerate() {
            self.add(&mut tallies, site_router, *home);
        }
        tallies
    }

    /// A site router has this home now.
    pub(crate) fn add(&self, tallies: &mut Tallies, site_router: usize, home: Home) {
        self.change(tallies, site_router, home, |number, by| *number += by);
    }

    /// A site router has this home no more.
    pub(crate) fn remove(&self, tallies: &mut Tallies, site_router: usize, home: Home) {
        self.change(tallies, site_router, home, |number, by| *number -= by);
    }

    fn change(
        &self,
        tallies: &mut Tallies,
        site_router: usize,
        home: Home,
        by: impl Fn(&mut u64, u64),
    ) {
        let Some(nodes) = home else { return };
        for (number, count) in &self.of[site_router] {
            let tally = &mut tallies.0[*number];
            for (sites, node) in tally.sites.iter_mut().zip(nodes) {
                by(sites.entry(node).or_default(), *count);
            }
            if matches!(self.uses[*number].pattern, Pattern::Mesh { .. }) {
                by(tally.local.entry(nodes).or_default(), count * count);
            }
        }
    }

    /// What every node is sent by every other one.
    pub(crate) fn matrix(&self, tallies: &Tallies, home: impl Fn(usize) -> Home) -> Matrix {
        let mut matrix = Matrix::new();
        for (one, tally) in self.uses.iter().zip(&tallies.0) {
            let mut add = |from: usize, to: usize, amount: u64| {
                if from != to && amount > 0 {
                    let flow = matrix.entry(to).or_default().entry((from, one.class)).or_default();
                    *flow = flow.saturating_add(amount);
                }
            };
            let [senders, receivers] = &tally.sites;
            match one.pattern {
                Pattern::Star { hub, down, up } => {
                    let Some([sends, receives]) = home(hub) else { continue };
                    for (node, count) in senders {
                        add(*node, receives, count.saturating_mul(up));
                    }
                    for (node, count) in receivers {
                        add(sends, *node, count.saturating_mul(down));
                    }
                }
                Pattern::Mesh { sent, others } => {
                    let pairs =
                        senders.iter().flat_map(|from| receivers.iter().map(move |to| (from, to)));
                    for ((from, senders), (to, receivers)) in pairs {
                        let local = tally.local.get(&[*from, *to]).copied().unwrap_or(0);
                        add(*from, *to, shared(sent, senders * receivers - local, others));
                    }
                }
            }
        }
        matrix
    }

    /// What each site router sends and is sent over its uplinks, by class.
    pub(crate) fn totals(&self, homes: &[Home], classes: usize) -> Vec<Vec<[u64; 2]>> {
        let mut present = vec![0_u64; self.uses.len()];
        for (uses, _) in self.of.iter().zip(homes).filter(|(_, home)| home.is_some()) {
            uses.iter().for_each(|(number, count)| present[*number] += count);
        }
        let mut totals = vec![vec![[0, 0]; classes]; homes.len()];
        for (site_router, uses) in self.of.iter().enumerate() {
            if homes[site_router].is_none() {
                continue;
            }
            for (number, count) in uses {
                let Use { class, pattern } = &self.uses[*number];
                let [sent, received] = match pattern {
                    Pattern::Star { hub, .. } if homes[*hub].is_none() => continue,
                    Pattern::Star { down, up, .. } => {
                        [up, down].map(|each| count.saturating_mul(*each))
                    }
                    Pattern::Mesh { sent, others } => {
                        [shared(*sent, count * (present[*number] - count), *others); 2]
                    }
                };
                add(&mut totals[site_router][*class], [sent, received]);
            }
        }
        for (Use { class, pattern }, present) in self.uses.iter().zip(present) {
            if let Pattern::Star { hub, down, up } = pattern
                && homes[*hub].is_some()
            {
                let both = [down, up].map(|each| present.saturating_mul(*each));
                add(&mut totals[*hub][*class], both);
            }
        }
        totals
    }
}

fn add(total: &mut [u64; 2], both: [u64; 2]) {
    for (total, amount) in total.iter_mut().zip(both) {
        *total = total.saturating_add(amount);
    }
}

/// What this many pairs exchange, if a site sends so much to so many others.
fn shared(sent: u64, pairs: u64, others: u64) -> u64 {
    let all = u128::from(sent) * u128::from(pairs);
    all.checked_div(others.into()).map_or(0, |all| u64::try_from(all).unwrap_or(u64::MAX))
}

/// Who is in which virtual network.
struct Members<'a> {
    plan: &'a Plan,
    /// Places of sites.
    sites: BTreeMap<&'a str, usize>,
    /// The number of each site's router.
    routers: Vec<Option<usize>>,
    networks: BTreeMap<&'a str, BTreeSet<usize>>,
}

impl<'a> Members<'a> {
    fn new(plan: &'a Plan, topology: &Topology<'_>) -> Self {
        let sites: BTreeMap<&str, usize> = plan
            .sites
            .iter()
            .enumerate()
            .map(|(place, site)| (site.code.as_str(), place))
            .collect();
        let router = |name: &str| match topology.routers[*topology.places.get(name)?] {
            RouterIs::SiteRouter(number) => Some(number),
            RouterIs::Node(_) => None,
        };
        let routers = plan.sites.iter().map(|site| router(&site.router)).collect();
        let mut networks: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for lan in &plan.attachments {
            if let Some(site) = sites.get(lan.site.as_str()) {
                networks.entry(&lan.virtual_network).or_default().insert(*site);
            }
        }
        Self { plan, sites, routers, networks }
    }

    /// The site routers of a virtual network, with how many of its sites are there.
    fn of(&self, network: &str) -> Option<BTreeMap<usize, u64>> {
        Some(self.count(self.networks.get(network)?.iter().copied()))
    }

    /// The site router of an application, and those of the sites that may reach it and do not share
    /// its router.
    fn users(
        &self,
        application: &Application,
        kind: Option<&str>,
    ) -> Option<(usize, BTreeMap<usize, u64>)> {
        let own = *self.sites.get(application.site.as_str())?;
        let hub = self.routers[own]?;
        let communities = self.plan.communities.iter();
        let giving = communities.filter(|one| one.applications.contains(&application.name));
        let members = giving.flat_map(|community| &community.members);
        let networks = members.chain([&application.virtual_network]).map(String::as_str);
        let sites: BTreeSet<usize> =
            networks.filter_map(|name| self.networks.get(name)).flatten().copied().collect();
        let counts = |site: &usize| {
            let is_of_kind = kind.is_none_or(|kind| self.plan.sites[*site].kind == kind);
            is_of_kind && self.routers[*site] != Some(hub)
        };
        Some((hub, self.count(sites.into_iter().filter(counts))))
    }

    fn count(&self, sites: impl Iterator<Item = usize>) -> BTreeMap<usize, u64> {
        let mut counts = BTreeMap::new();
        for site_router in sites.filter_map(|site| self.routers[site]) {
            *counts.entry(site_router).or_default() += 1;
        }
        counts
    }
}
