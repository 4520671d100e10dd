//! Single failures: what can fail at once, and what is gone then.
//!
//! A failure is one link, one router, one PoP with all its routers, or everything that shares a
//! risk: a duct, a bridge, a building's power. They are named by places in the plan, so that a
//! hundred thousand of them cost little.

use std::collections::{BTreeMap, BTreeSet};

use model::config::Role;
use model::plan::{LinkKind, Plan, Pop};

/// What fails at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The link at this place of [`Plan::links`].
    Link(usize),
    /// The router at this place of [`Plan::routers`].
    Router(usize),
    /// All routers of the PoP at this place of [`Plan::pops`].
    Pop(usize),
    /// All links of the shared-risk group of this name, and all routers of its PoPs.
    SharedRisk(String),
}

/// What does not work any more. The links of a router that is gone are gone with it and are not
/// named besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gone {
    /// Places in [`Plan::routers`].
    pub routers: BTreeSet<usize>,
    /// Places in [`Plan::links`].
    pub links: BTreeSet<usize>,
}

impl Failure {
    /// Every single failure: links, uplinks among them; routers, site routers among them; PoPs; and
    /// the shared-risk groups that links and PoPs name.
    #[must_use]
    pub fn all(plan: &Plan) -> Vec<Self> {
        let of_pops = plan.pops.iter().flat_map(|pop| &pop.shared_risks);
        let of_links = plan.links.iter().flat_map(|link| &link.shared_risks);
        let risks: BTreeSet<&String> = of_links.chain(of_pops).collect();
        let links = (0..plan.links.len()).map(Self::Link);
        let routers = (0..plan.routers.len()).map(Self::Router);
        let pops = (0..plan.pops.len()).map(Self::Pop);
        let risks = risks.into_iter().cloned().map(Self::SharedRisk);
        links.chain(routers).chain(pops).chain(risks).collect()
    }

    /// What is gone in this failure.
    #[must_use]
    pub fn gone(&self, plan: &Plan) -> Gone {
        match self {
            Self::Link(place) => Gone { links: BTreeSet::from([*place]), ..Gone::default() },
            Self::Router(place) => Gone { routers: BTreeSet::from([*place]), ..Gone::default() },
            Self::Pop(place) => {
                let routers = routers_of(plan, plan.pops.get(*place).into_iter());
                Gone { routers, ..Gone::default() }
            }
            Self::SharedRisk(name) => {
                let pops = plan.pops.iter().filter(|pop| pop.shared_risks.contains(name));
                let links = plan.links.iter().enumerate();
                let links = links.filter(|(_, link)| link.shared_risks.contains(name));
                let links = links.map(|(place, _)| place).collect();
                Gone { routers: routers_of(plan, pops), links }
            }
        }
    }

    /// The failure in words.
    #[must_use]
    pub fn name(&self, plan: &Plan) -> String {
        match self {
            Self::Link(place) => match plan.links.get(*place) {
                Some(link) if link.kind == LinkKind::Uplink => format!("uplink {}", link.name),
                Some(link) => format!("link {}", link.name),
                None => format!("link number {place}"),
            },
            Self::Router(place) => match plan.routers.get(*place) {
                Some(router) if router.role == Role::Site => format!("site router {}", router.name),
                Some(router) => format!("core router {}", router.name),
                None => format!("router number {place}"),
            },
            Self::Pop(place) => plan
                .pops
                .get(*place)
                .map_or_else(|| format!("PoP number {place}"), |pop| format!("PoP {}", pop.name)),
            Self::SharedRisk(name) => format!("everything that shares risk {name}"),
        }
    }
}

/// The places of all routers of some PoPs.
fn routers_of<'a>(plan: &Plan, pops: impl Iterator<Item = &'a Pop>) -> BTreeSet<usize> {
    let names: BTreeSet<&String> = pops.flat_map(|pop| &pop.routers).collect();
    let routers = plan.routers.iter().enumerate();
    let routers = routers.filter(|(_, router)| names.contains(&router.name));
    routers.map(|(place, _)| place).collect()
}

/// What PoPs and shared-risk groups consist of, found once for all failures of a plan.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    pops: Vec<BTreeSet<usize>>,
    risks: BTreeMap<&'a str, Gone>,
}

impl<'a> Groups<'a> {
    /// Takes the places of routers by name.
    pub(crate) fn new(plan: &'a Plan, routers: &BTreeMap<&str, usize>) -> Self {
        let place = |name: &String| routers.get(name.as_str()).copied();
        let routers = |pop: &Pop| pop.routers.iter().filter_map(place).collect();
        let pops: Vec<BTreeSet<usize>> = plan.pops.iter().map(routers).collect();
        let mut risks: BTreeMap<&str, Gone> = BTreeMap::new();
        for (place, link) in plan.links.iter().enumerate() {
            for risk in &link.shared_risks {
                risks.entry(risk).or_default().links.insert(place);
            }
        }
        for (pop, routers) in plan.pops.iter().zip(&pops) {
            for risk in &pop.shared_risks {
                risks.entry(risk).or_default().routers.extend(routers);
            }
        }
        Self { pops, risks }
    }

    /// The same as [`Failure::gone`], without looking through the plan.
    pub(crate) fn gone(&self, failure: &Failure) -> Gone {
        let nothing = Gone::default();
        match failure {
            Failure::Link(place) => Gone { links: BTreeSet::from([*place]), ..nothing },
            Failure::Router(place) => Gone { routers: BTreeSet::from([*place]), ..nothing },
            Failure::Pop(place) => {
                Gone { routers: self.pops.get(*place).cloned().unwrap_or_default(), ..nothing }
            }
            Failure::SharedRisk(name) => self.risks.get(name.as_str()).cloned().unwrap_or_default(),
        }
    }
}
