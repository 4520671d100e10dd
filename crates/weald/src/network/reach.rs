//! Whom a fault cuts off, worked out from the plan's links and what is alive alone.
//!
//! The core may fall apart. Its main part is the one with a route reflector that most site routers
//! hang on; a site is connected while one of its uplinks leads to it.

use std::collections::BTreeMap;

use model::config::Role;
use model::plan::{LinkKind, Plan};
use serde::Serialize;

/// How a site is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// Over all of its uplinks.
    Whole,
    /// Over one uplink less than it has.
    OneUplinkLess,
    /// To a part of the core that is cut off from the main one.
    Apart,
    /// Not at all: no uplink is left.
    CutOff,
    /// Not at all: its router has no power.
    NoPower,
}

impl Standing {
    /// Whether the site reaches the network.
    pub(crate) const fn is_connected(self) -> bool {
        matches!(self, Self::Whole | Self::OneUplinkLess)
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Whole => "connected over every uplink",
            Self::OneUplinkLess => "connected over one uplink less",
            Self::Apart => "in a part of the core that is cut off",
            Self::CutOff => "no uplink is left",
            Self::NoPower => "its router has no power",
        }
    }

    /// Why a site so connected reaches nothing; none where it reaches the network.
    pub(crate) fn obstacle(self, site: &str) -> Option<String> {
        let why = match self {
            Self::Whole | Self::OneUplinkLess => return None,
            Self::Apart => "is in a part of the core that is cut off",
            Self::CutOff => "has no live uplink",
            Self::NoPower => "has no power",
        };
        Some(format!("router of {site} {why}"))
    }
}

/// What is alive.
pub(crate) struct Alive<'a> {
    pub(crate) router: &'a dyn Fn(usize) -> bool,
    pub(crate) link: &'a dyn Fn(usize) -> bool,
}

/// A site that is not connected as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Affected {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) organisation: String,
    pub(crate) standing: Standing,
}

/// How every site is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    /// By name of the site router.
    standings: BTreeMap<String, Standing>,
}

impl Reach {
    pub(crate) fn new(plan: &Plan, alive: &Alive<'_>) -> Self {
        let numbers: BTreeMap<&str, usize> =
            plan.routers.iter().enumerate().map(|(i, r)| (r.name.as_str(), i)).collect();
        let links: Vec<_> = plan
            .links
            .iter()
            .enumerate()
            .filter_map(|(number, link)| {
                let [a, b] = &link.ends;
                let a = *numbers.get(a.router.as_str())?;
                let b = *numbers.get(b.router.as_str())?;
                let lives = (alive.link)(number) && (alive.router)(a) && (alive.router)(b);
                Some((link.kind, a, b, lives))
            })
            .collect();
        let mut parts: Vec<usize> = (0..plan.routers.len()).collect();
        for &(kind, a, b, lives) in &links {
            if kind == LinkKind::Core && lives {
                join(&mut parts, a, b);
            }
        }
        let part = |router: usize| parts.get(router).copied().unwrap_or(router);
        let mut uplinks: BTreeMap<usize, Vec<Option<usize>>> = BTreeMap::new();
        for &(kind, core, site, lives) in &links {
            if kind == LinkKind::Uplink {
                uplinks.entry(site).or_default().push(lives.then(|| part(core)));
            }
        }
        let main = main_part(plan, alive, &part, &uplinks);
        let routers = plan.routers.iter().enumerate();
        let standings = routers
            .filter(|(_, router)| router.role == Role::Site)
            .map(|(number, router)| {
                let over = uplinks.get(&number).map_or(&[][..], Vec::as_slice);
                (router.name.clone(), standing((alive.router)(number), over, main))
            })
            .collect();
        Self { standings }
    }

    /// How a site router is connected.
    pub(crate) fn standing(&self, router: &str) -> Standing {
        self.standings.get(router).copied().unwrap_or(Standing::CutOff)
    }

    /// The sites that are not connected as they should be, in the order of the plan.
    pub(crate) fn affected(&self, plan: &Plan) -> Vec<Affected> {
        let sites = plan.sites.iter().map(|site| Affected {
            code: site.code.clone(),
            name: site.name.clone(),
            organisation: site.organisation.clone(),
            standing: self.standing(&site.router),
        });
        sites.filter(|site| site.standing != Standing::Whole).collect()
    }
}

/// Joins the parts that two routers are in.
fn join(parts: &mut [usize], a: usize, b: usize) {
    let (Some(&a), Some(&b)) = (parts.get(a), parts.get(b)) else { return };
    let (low, high) = (a.min(b), a.max(b));
    for part in parts.iter_mut().filter(|part| **part == high) {
        *part = low;
    }
}

/// The part with a live reflector that most site routers hang on.
fn main_part(
    plan: &Plan,
    alive: &Alive<'_>,
    part: &dyn Fn(usize) -> usize,
    uplinks: &BTreeMap<usize, Vec<Option<usize>>>,
) -> Option<usize> {
    let mut sites: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, router) in plan.routers.iter().enumerate() {
        if router.bgp.cluster_id.is_some() && (alive.router)(number) {
            sites.insert(part(number), 0);
        }
    }
    for over in uplinks.values() {
        let mut parts: Vec<usize> = over.iter().flatten().copied().collect();
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            if let Some(count) = sites.get_mut(&part) {
                *count += 1;
            }
        }
    }
    let most = sites.iter().max_by_key(|(part, count)| (**count, core::cmp::Reverse(**part)));
    most.map(|(part, _)| *part)
}

fn standing(has_power: bool, uplinks: &[Option<usize>], main: Option<usize>) -> Standing {
    let to_main = uplinks.iter().flatten().filter(|part| Some(**part) == main).count();
    if !has_power {
        Standing::NoPower
    } else if to_main == uplinks.len() && to_main > 0 {
        Standing::Whole
    } else if to_main > 0 {
        Standing::OneUplinkLess
    } else if uplinks.iter().any(Option::is_some) {
        Standing::Apart
    } else {
        Standing::CutOff
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, join, standing};

    #[test]
    fn every_way_to_be_connected_is_told_apart() {
        let main = Some(0);
        let cases: [(bool, &[Option<usize>], Standing); 7] = [
            (true, &[Some(0), Some(0)], Standing::Whole),
            (true, &[Some(0), None], Standing::OneUplinkLess),
            (true, &[Some(3), Some(0)], Standing::OneUplinkLess),
            (true, &[Some(3), None], Standing::Apart),
            (true, &[None, None], Standing::CutOff),
            (true, &[], Standing::CutOff),
            (false, &[Some(0)], Standing::NoPower),
        ];
        for (has_power, uplinks, expected) in cases {
            assert_eq!(standing(has_power, uplinks, main), expected, "{uplinks:?}");
            assert_eq!(
                expected.is_connected(),
                matches!(expected, Standing::Whole | Standing::OneUplinkLess)
            );
            assert_eq!(expected.obstacle("G1").is_none(), expected.is_connected());
        }
        assert_eq!(standing(true, &[Some(0)], None), Standing::Apart);
    }

    #[test]
    fn parts_that_are_joined_are_one() {
        let mut parts: Vec<usize> = (0..5).collect();
        join(&mut parts, 3, 4);
        join(&mut parts, 1, 0);
        join(&mut parts, 4, 1);
        assert_eq!(parts, [0, 0, 2, 0, 0]);
    }
}
