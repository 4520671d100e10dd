//! What each single failure cuts off.
//!
//! The real topology is taken apart, one failure at a time: every link, every router, every PoP,
//! every shared-risk group. A site is cut off when none of its uplinks leads into the main part of
//! the core any more, or its own router is gone; an application is cut off with its site. What was
//! promised as resilient must survive every single failure but that of its own router.
//!
//! This is about whether a way is left, not about how soon it is found: see [`crate::repairs`] for
//! repairs that are there beforehand. Uplinks and site routers, which are most of all failures,
//! concern only their own sites; the core is searched only where its loss can split it.
//!
//! Left out: two failures at once that share no risk.
#![expect(
    clippy::indexing_slicing,
    reason = "site routers and links are places in the topology's vectors"
)]

use core::fmt::Write as _;
use std::collections::BTreeMap;

use model::plan::Plan;

use crate::failure::{Failure, Gone, Groups};
use crate::topology::{After, LinkIs, RouterIs, Topology, WeakPoints};

/// How many sites, applications and core routers are named in all, over all failures: a core that
/// is one long chain would name each of its sites for each of its links.
pub const NAMED_MAX: usize = 4_000_000;

/// The sites and applications that every single failure cuts off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survival {
    /// How many failures were examined.
    pub examined: Examined,
    /// What is cut off although nothing has failed.
    pub standing: Loss,
    /// Failures that cut off somebody who is not cut off anyway, or that split the core; in the
    /// order of [`Failure::all`].
    pub cuts: Vec<Cut>,
    /// Sites that were promised as resilient and are not, by place in [`Plan::sites`].
    pub not_resilient: Vec<NotResilient>,
    /// How many more would have been named but for [`NAMED_MAX`].
    pub unnamed: usize,
}

/// How many failures of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Examined {
    /// Links between core routers.
    pub core_links: usize,
    /// All other links.
    pub uplinks: usize,
    /// Core routers.
    pub core_routers: usize,
    /// Site routers.
    pub site_routers: usize,
    /// PoPs.
    pub pops: usize,
    /// Shared-risk groups.
    pub shared_risks: usize,
}

/// A failure and what it cuts off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The failure.
    pub failure: Failure,
    /// What it cuts off.
    pub loss: Loss,
}

/// What is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    /// Places in [`Plan::sites`].
    pub sites: Vec<usize>,
    /// Places in [`Plan::applications`].
    pub applications: Vec<usize>,
    /// Parts of the core without a way to the main part: places in [`Plan::routers`].
    pub islands: Vec<Vec<usize>>,
}

/// A site that was promised as resilient and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotResilient {
    /// Its place in [`Plan::sites`].
    pub site: usize,
    /// The failures that cut it off, as far as [`NAMED_MAX`] goes; none where it is cut off already.
    pub failures: Vec<Failure>,
}

impl Examined {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> usize {
        let links = self.core_links + self.uplinks;
        links + self.core_routers + self.site_routers + self.pops + self.shared_risks
    }
}

impl Loss {
    /// The codes of the sites.
    pub fn site_codes<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        self.sites.iter().filter_map(|site| Some(plan.sites.get(*site)?.code.as_str()))
    }

    /// The names of the applications.
    pub fn application_names<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        self.applications.iter().filter_map(|at| Some(plan.applications.get(*at)?.name.as_str()))
    }

    /// The names of the core routers on islands.
    pub fn island_names<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a str> {
        let routers = self.islands.iter().flatten();
        routers.filter_map(|router| Some(plan.routers.get(*router)?.name.as_str()))
    }
}

impl Cut {
    /// The cut in words: `link a--b cuts off sites G1, G2; applications records; routers c`.
    #[must_use]
    pub fn in_words(&self, plan: &Plan) -> String {
        let mut words = format!("{} cuts off", self.failure.name(plan));
        let mut next = "";
        let mut add = |what: &str, names: Vec<&str>| {
            if !names.is_empty() {
                let _ = write!(words, "{next} {what} {}", names.join(", "));
                next = ";";
            }
        };
        add("sites", self.loss.site_codes(plan).collect());
        add("applications", self.loss.application_names(plan).collect());
        add("core routers", self.loss.island_names(plan).collect());
        words
    }
}

/// Examines every single failure.
#[must_use]
pub fn survival(plan: &Plan) -> Survival {
    let topology = Topology::new(plan);
    let groups = Groups::new(plan, &topology.places);
    let mut survey = Survey::new(plan, &topology);
    for failure in Failure::all(plan) {
        survey.examine(failure, &groups);
    }
    survey.finish()
}

struct Survey<'t, 'a> {
    plan: &'a Plan,
    topology: &'t Topology<'a>,
    weak: WeakPoints,
    intact: After,
    /// Site routers that are cut off anyway.
    cut_off: Vec<bool>,
    /// Applications by their site.
    applications: BTreeMap<usize, Vec<usize>>,
    broken: BTreeMap<usize, Vec<Failure>>,
    named: usize,
    found: Survival,
}

impl<'t, 'a> Survey<'t, 'a> {
    fn new(plan: &'a Plan, topology: &'t Topology<'a>) -> Self {
        let (intact, nothing) = (topology.intact(), Gone::default());
        let leads = |number| topology.leading(number, &nothing, &intact).next().is_some();
        let cut_off: Vec<bool> =
            (0..topology.site_routers.len()).map(|number| !leads(number)).collect();
        let sites: BTreeMap<&str, usize> = plan
            .sites
            .iter()
            .enumerate()
            .map(|(place, site)| (site.code.as_str(), place))
            .collect();
        let mut applications: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, application) in plan.applications.iter().enumerate() {
            if let Some(site) = sites.get(application.site.as_str()) {
                applications.entry(*site).or_default().push(place);
            }
        }
        let weak = topology.weak_points();
        let (broken, found) = (BTreeMap::new(), Survival::default());
        let mut survey =
            Self { plan, topology, weak, intact, cut_off, applications, broken, named: 0, found };
        survey.stand();
        survey
    }

    /// What is cut off although nothing has failed.
    fn stand(&mut self) {
        let topology = self.topology;
        let lost = self.cut_off.iter().zip(&topology.site_routers).filter(|(cut, _)| **cut);
        let served = lost.flat_map(|(_, router)| &router.sites);
        let sites: Vec<usize> = served.chain(&topology.homeless).copied().collect();
        let promised = |site: &&usize| self.plan.sites[**site].resilient;
        self.broken.extend(sites.iter().filter(promised).map(|site| (*site, Vec::new())));
        self.found.standing = self.loss(sites, topology.islands(&self.intact));
    }

    fn examine(&mut self, failure: Failure, groups: &Groups<'_>) {
        let topology = self.topology;
        let examined = &mut self.found.examined;
        match failure {
            Failure::Link(place) => match topology.links[place] {
                LinkIs::Core(link) => {
                    examined.core_links += 1;
                    if self.intact.is_whole() && !self.weak.bridges[link] {
                        return;
                    }
                }
                LinkIs::Uplink(uplink) => {
                    examined.uplinks += 1;
                    let number = topology.uplinks[uplink].site_router;
                    return self.examine_site_router(failure, number, Some(place));
                }
                LinkIs::Nothing => {
                    examined.uplinks += 1;
                    return;
                }
            },
            Failure::Router(place) => match topology.routers[place] {
                RouterIs::Node(_) => examined.core_routers += 1,
                RouterIs::SiteRouter(number) => {
                    examined.site_routers += 1;
                    return self.examine_site_router(failure, number, None);
                }
            },
            Failure::Pop(_) => examined.pops += 1,
            Failure::SharedRisk(_) => examined.shared_risks += 1,
        }
        let gone = groups.gone(&failure);
        self.examine_core(failure, &gone);
    }

    /// A site router without one of its uplinks, or without itself: the core is as it was.
    fn examine_site_router(&mut self, failure: Failure, number: usize, without: Option<usize>) {
        let (topology, nothing) = (self.topology, Gone::default());
        let mut left = topology.leading(number, &nothing, &self.intact);
        let survives =
            without.is_some_and(|lost| left.any(|uplink| topology.uplinks[uplink].place != lost));
        if self.cut_off[number] || survives {
            return;
        }
        drop(left);
        self.add(failure, topology.site_routers[number].sites.clone(), Vec::new());
    }

    fn examine_core(&mut self, failure: Failure, gone: &Gone) {
        let topology = self.topology;
        let after = topology.after(gone, &self.intact, &self.weak);
        let is_lost = |number: &&usize| {
            !self.cut_off[**number] && topology.leading(**number, gone, &after).next().is_none()
        };
        let lost = after.touched.iter().filter(is_lost);
        let sites = lost.flat_map(|number| &topology.site_routers[*number].sites);
        let sites: Vec<usize> = sites.copied().collect();
        let splits = after.splits(&self.intact);
        if splits || !sites.is_empty() {
            let islands = if splits { topology.islands(&after) } else { Vec::new() };
            self.add(failure, sites, islands);
        }
    }

    fn add(&mut self, failure: Failure, sites: Vec<usize>, islands: Vec<Vec<usize>>) {
        if sites.is_empty() && islands.is_empty() {
            return;
        }
        let plan = self.plan;
        let own = match failure {
            Failure::Router(place) => plan.routers.get(place).map(|router| &router.name),
            Failure::Link(_) | Failure::Pop(_) | Failure::SharedRisk(_) => None,
        };
        let is_broken = |site: &&usize| {
            let promised = &plan.sites[**site];
            promised.resilient && own != Some(&promised.router)
        };
        for site in sites.iter().filter(is_broken) {
            self.broken.entry(*site).or_default();
        }
        let loss = self.loss(sites, islands);
        for site in loss.sites.iter().filter(is_broken) {
            self.broken.entry(*site).or_default().push(failure.clone());
        }
        self.found.cuts.push(Cut { failure, loss });
    }

    /// Names what goes with these sites.
    fn loss(&mut self, mut sites: Vec<usize>, mut islands: Vec<Vec<usize>>) -> Loss {
        sites.sort_unstable();
        let with = sites.iter().filter_map(|site| self.applications.get(site)).flatten();
        let mut applications: Vec<usize> = with.copied().collect();
        applications.sort_unstable();
        self.name(&mut sites);
        self.name(&mut applications);
        islands.iter_mut().for_each(|island| self.name(island));
        Loss { sites, applications, islands }
    }

    /// Takes away what would be beyond [`NAMED_MAX`].
    fn name(&mut self, places: &mut Vec<usize>) {
        let left = NAMED_MAX - self.named;
        self.found.unnamed += places.len().saturating_sub(left);
        places.truncate(left);
        self.named += places.len();
    }

    fn finish(mut self) -> Survival {
        let broken = self.broken.into_iter();
        self.found.not_resilient =
            broken.map(|(site, failures)| NotResilient { site, failures }).collect();
        self.found
    }
}
