//! What single failures cut off is what a search finds that removes and looks.
#![expect(clippy::indexing_slicing, reason = "places in a plan that the plan itself gave")]

use std::collections::{BTreeMap, BTreeSet};

use model::config::Role;
use model::plan::Plan;
use proof::{Failure, Gone, Loss, NAMED_MAX, survival};
use proptest::prelude::*;

use crate::sketch::{Core, Home, Sketch};
use crate::topologies;

/// The routers that core links join to a router, when these are gone.
fn part<'a>(plan: &'a Plan, gone: &Gone, start: &'a str) -> BTreeSet<&'a str> {
    let core: BTreeSet<&str> = cores(plan, gone).into_iter().map(|(_, name)| name).collect();
    let mut part = BTreeSet::from([start]);
    loop {
        let before = part.len();
        for (place, link) in plan.links.iter().enumerate() {
            let [a, b] = link.ends.each_ref().map(|end| end.router.as_str());
            let alive = !gone.links.contains(&place) && core.contains(a) && core.contains(b);
            if alive && (part.contains(a) || part.contains(b)) {
                part.extend([a, b]);
            }
        }
        if part.len() == before {
            return part;
        }
    }
}

fn cores<'a>(plan: &'a Plan, gone: &Gone) -> Vec<(usize, &'a str)> {
    let routers = plan.routers.iter().enumerate();
    let left = routers
        .filter(|(place, router)| router.role == Role::Core && !gone.routers.contains(place));
    left.map(|(place, router)| (place, router.name.as_str())).collect()
}

/// Site routers with an uplink into this part.
fn attached<'a>(plan: &'a Plan, gone: &Gone, part: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let dead: BTreeSet<&str> =
        gone.routers.iter().map(|place| plan.routers[*place].name.as_str()).collect();
    let links = plan.links.iter().enumerate().filter(|(place, _)| !gone.links.contains(place));
    let joined = links.filter(|(_, link)| part.contains(link.ends[0].router.as_str()));
    let far = joined.map(|(_, link)| link.ends[1].router.as_str());
    far.filter(|name| name.starts_with('s') && !dead.contains(name)).collect()
}

/// All parts of the core and the place of the main one.
fn parts<'a>(plan: &'a Plan, gone: &Gone) -> (Vec<BTreeSet<&'a str>>, usize) {
    let mut parts: Vec<BTreeSet<&str>> = Vec::new();
    for (_, name) in cores(plan, gone) {
        if !parts.iter().any(|part| part.contains(name)) {
            parts.push(part(plan, gone, name));
        }
    }
    let weights = parts.iter().map(|part| attached(plan, gone, part).len());
    let heaviest = weights.enumerate().max_by_key(|(at, weight)| (*weight, usize::MAX - at));
    let main = heaviest.map_or(0, |(at, _)| at);
    (parts, main)
}

/// The main part of the core: what it was, where the core is as it was.
pub(crate) fn main_part<'a>(plan: &'a Plan, gone: &Gone) -> BTreeSet<&'a str> {
    let (parts, main) = parts_after(plan, gone);
    parts.into_iter().nth(main).unwrap_or_default()
}

/// All parts of the core after a failure and the place of the main one.
fn parts_after<'a>(plan: &'a Plan, gone: &Gone) -> (Vec<BTreeSet<&'a str>>, usize) {
    let of_core = |place: &usize| plan.routers[*place].role == Role::Core;
    let of_core_link = |place: &usize| plan.links[*place].ends[1].router.starts_with('c');
    let is_whole = !gone.routers.iter().any(of_core) && !gone.links.iter().any(of_core_link);
    parts(plan, if is_whole { &NOTHING } else { gone })
}

static NOTHING: Gone = Gone { routers: BTreeSet::new(), links: BTreeSet::new() };

/// Who is cut off, and the parts besides the main one.
fn cut_off(plan: &Plan, gone: &Gone) -> (BTreeSet<usize>, Vec<Vec<usize>>) {
    let (parts, main) = parts_after(plan, gone);
    let reached = parts.get(main).map(|part| attached(plan, gone, part)).unwrap_or_default();
    let sites = plan.sites.iter().enumerate();
    let lost = sites.filter(|(_, site)| !reached.contains(site.router.as_str()));
    let place = |name: &&str| plan.routers.iter().position(|router| router.name == **name);
    let islands = parts.iter().enumerate().filter(|(at, _)| *at != main);
    let islands = islands.map(|(_, part)| {
        let mut places: Vec<usize> = part.iter().filter_map(place).collect();
        places.sort_unstable();
        places
    });
    (lost.map(|(place, _)| place).collect(), islands.collect())
}

/// Removes each, searches, and compares.
fn agrees(plan: &Plan) -> Result<(), TestCaseError> {
    let found = survival(plan);
    let (anyway, islands) = cut_off(plan, &Gone::default());
    prop_assert_eq!(found.standing.sites.clone(), Vec::from_iter(anyway.clone()));
    prop_assert_eq!(&found.standing.islands, &islands);
    let cuts: BTreeMap<&Failure, &Loss> =
        found.cuts.iter().map(|cut| (&cut.failure, &cut.loss)).collect();
    let mut broken: BTreeMap<usize, Vec<Failure>> = BTreeMap::new();
    let resilient = |site: usize| plan.sites[site].resilient;
    broken.extend(anyway.iter().filter(|site| resilient(**site)).map(|site| (*site, Vec::new())));
    let all = Failure::all(plan);
    prop_assert_eq!(found.examined.total(), all.len());
    for failure in all {
        let (lost, islands) = cut_off(plan, &failure.gone(plan));
        let lost: Vec<usize> = lost.difference(&anyway).copied().collect();
        let cut = cuts.get(&failure);
        let told = cut.map(|loss| loss.sites.clone()).unwrap_or_default();
        prop_assert_eq!(&told, &lost, "{}", failure.name(plan));
        if let Some(told) = cut.filter(|loss| !loss.islands.is_empty()) {
            prop_assert_eq!(&told.islands, &islands, "{}", failure.name(plan));
        } else if found.standing.islands.is_empty() {
            prop_assert!(islands.is_empty(), "{} splits the core", failure.name(plan));
        }
        let applications = plan.applications.iter().enumerate();
        let lost_with = applications
            .filter(|(_, one)| lost.iter().any(|site| plan.sites[*site].code == one.site));
        let lost_with: Vec<usize> = lost_with.map(|(place, _)| place).collect();
        prop_assert_eq!(cut.map(|loss| loss.applications.clone()).unwrap_or_default(), lost_with);
        let own = |site: usize| match &failure {
            Failure::Router(place) => plan.routers[*place].name == plan.sites[site].router,
            Failure::Link(_) | Failure::Pop(_) | Failure::SharedRisk(_) => false,
        };
        for site in lost.into_iter().filter(|site| resilient(*site) && !own(*site)) {
            broken.entry(site).or_default().push(failure.clone());
        }
    }
    let told: BTreeMap<usize, Vec<Failure>> =
        found.not_resilient.into_iter().map(|one| (one.site, one.failures)).collect();
    prop_assert_eq!(told, broken);
    Ok(())
}

/// Regions of up to a dozen core routers; in pieces at times, unless they are to be whole.
pub(crate) fn sketches(whole: bool) -> impl Strategy<Value = Sketch> {
    (1_usize..12).prop_flat_map(move |cores| {
        let risks = || prop::collection::vec(0_u8..4, 0..2);
        let link = ([0..cores, 0..cores], 1_u32..4, risks())
            .prop_map(|(ends, metric, risks)| Core { ends, metric, rate_kbps: 1000, risks });
        let uplinks = prop::collection::vec((0..cores, risks()), 0..3);
        let home =
            (uplinks, any::<bool>()).prop_map(|(uplinks, resilient)| Home { uplinks, resilient });
        let links = prop::collection::vec(link, 0..20);
        let homes = prop::collection::vec(home, 1..12);
        let pop_risks = prop::collection::vec(risks(), 5);
        let pops = (prop::collection::vec(0_usize..5, cores), pop_risks);
        (links, homes, pops, any::<bool>()).prop_map(
            move |(mut links, homes, (pops, pop_risks), joined)| {
                links.retain(|link| link.ends[0] != link.ends[1]);
                if joined || whole {
                    links.extend((1..cores).map(|core| Core {
                        ends: [core / 2, core],
                        metric: 1,
                        rate_kbps: 1000,
                        risks: Vec::new(),
                    }));
                }
                let members = |pop| (0..cores).filter(|core| pops[*core] == pop).collect();
                Sketch {
                    pops: (0..5).map(members).collect(),
                    pop_risks,
                    cores,
                    links,
                    applications: vec![0, homes.len() / 2],
                    networks: Vec::new(),
                    homes,
                }
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cuts_are_what_a_search_finds_on_random_regions(sketch in sketches(false)) {
        agrees(&sketch.plan())?;
    }
}

#[test]
fn cuts_are_what_a_search_finds_on_research_networks() {
    for (name, sketch) in topologies::all() {
        agrees(&sketch.plan()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Four core routers in a ring, and a fifth that hangs on one link.
fn ring() -> Sketch {
    let link = |a, b| Core { ends: [a, b], metric: 1, rate_kbps: 1000, risks: Vec::new() };
    let home = |a, b| Home { uplinks: vec![(a, vec![]), (b, vec![])], resilient: true };
    Sketch {
        pops: vec![vec![0], vec![1, 2]],
        pop_risks: Vec::new(),
        cores: 5,
        links: vec![link(0, 1), link(1, 2), link(2, 3), link(3, 0), link(3, 4)],
        homes: vec![
            home(0, 1),
            home(2, 0),
            Home { uplinks: vec![(4, vec![])], resilient: false },
            home(1, 2),
        ],
        applications: vec![2],
        networks: Vec::new(),
    }
}

fn told(sketch: &Sketch) -> Vec<String> {
    let plan = sketch.plan();
    let cuts = survival(&plan).cuts;
    let own = |failure: &Failure| failure.name(&plan).starts_with("site router");
    cuts.iter().filter(|cut| !own(&cut.failure)).map(|cut| cut.in_words(&plan)).collect()
}

#[test]
fn bridge_cut_node_and_pop_are_told_with_sites_and_applications() {
    assert_eq!(
        told(&ring()),
        [
            "link c3--c4 cuts off sites S2; applications A0; core routers c4",
            "uplink c4--s2 cuts off sites S2; applications A0",
            "core router c3 cuts off sites S2; applications A0; core routers c4",
            "core router c4 cuts off sites S2; applications A0",
            "PoP p1 cuts off sites S3",
        ]
    );
}

#[test]
fn two_uplinks_in_one_duct_are_not_resilient() {
    let mut sketch = ring();
    sketch.homes[1].uplinks.iter_mut().for_each(|(_, risks)| risks.push(7));
    let plan = sketch.plan();
    let found = survival(&plan);
    let broken: Vec<_> = found.not_resilient.iter().map(|one| one.site).collect();
    // Site 3 has its uplinks to two routers of one PoP.
    assert_eq!(broken, [1, 3]);
    assert_eq!(found.not_resilient[0].failures, [Failure::SharedRisk("duct-7".to_owned())]);
    assert_eq!(found.not_resilient[1].failures, [Failure::Pop(1)]);
    assert!(told(&sketch).contains(&"everything that shares risk duct-7 cuts off sites S1".into()));
}

#[test]
fn a_risk_of_two_pops_takes_down_the_routers_of_both() {
    let mut sketch = ring();
    sketch.pops = vec![vec![0], vec![1], vec![2]];
    sketch.pop_risks = vec![vec![9], vec![9]];
    // Site 1 has an uplink to a PoP that stands and one that does not.
    sketch.homes[1].uplinks[0].1.push(9);
    let plan = sketch.plan();
    let flood = Failure::SharedRisk("duct-9".to_owned());
    assert!(Failure::all(&plan).contains(&flood));
    let gone = flood.gone(&plan);
    assert_eq!(gone.routers, BTreeSet::from([0, 1]));
    assert_eq!(gone.links.len(), 1);
    let found = survival(&plan);
    assert_eq!(found.examined.shared_risks, 1);
    let cut = found.cuts.iter().find(|cut| cut.failure == flood).map(|cut| &cut.loss.sites);
    assert_eq!(cut, Some(&vec![0, 1]));
    let broken: Vec<_> = found.not_resilient.iter().map(|one| one.site).collect();
    assert_eq!(broken, [0, 1]);
}

#[test]
fn a_duct_of_both_uplinks_is_found_at_every_site_of_an_example() {
    for (example, plan) in crate::region::small() {
        let resilient = plan.sites.iter().enumerate().filter(|(_, site)| site.resilient);
        for (place, site) in resilient {
            let mut dug = plan.clone();
            let own = |name: &str| name == site.router;
            let links = dug.links.iter_mut().filter(|link| own(&link.ends[1].router));
            links.for_each(|link| link.shared_risks.push("one duct".to_owned()));
            let duct = Failure::SharedRisk("one duct".to_owned());
            let found = survival(&dug);
            let told = found.not_resilient.iter().find(|one| one.site == place);
            assert!(told.is_some_and(|one| one.failures.contains(&duct)), "{example}: {site:?}");
        }
    }
}

#[test]
fn parallel_links_are_no_bridge() {
    let mut sketch = ring();
    sketch.links.push(Core { ends: [4, 3], metric: 9, rate_kbps: 1000, risks: Vec::new() });
    assert!(!told(&sketch).iter().any(|cut| cut.contains("c3--c4") || cut.contains("c4--c3")));
}

/// A chain of core routers with a site at each of these.
fn chain(cores: usize, sites: impl Iterator<Item = usize>) -> Sketch {
    let link = |core| Core { ends: [core - 1, core], metric: 1, rate_kbps: 1, risks: Vec::new() };
    let home = |core| Home { uplinks: vec![(core, Vec::new())], resilient: false };
    let links = (1..cores).map(link).collect();
    Sketch { cores, links, homes: sites.map(home).collect(), ..Sketch::default() }
}

#[test]
fn chain_of_many_routers_is_examined_without_deep_recursion() {
    let cores = 3000;
    let found = survival(&chain(cores, [0, 0, cores - 1].into_iter()).plan());
    let links = found.cuts.iter().filter(|cut| matches!(cut.failure, Failure::Link(_)));
    // Every core link cuts off the far site, and every uplink its own.
    assert_eq!(links.count(), cores - 1 + 3);
}

#[test]
fn names_are_bounded_and_what_is_left_out_is_counted() {
    let cores = 2200;
    let found = survival(&chain(cores, 0..cores).plan());
    let names = |loss: &Loss| loss.sites.len() + loss.islands.iter().map(Vec::len).sum::<usize>();
    let named: usize = found.cuts.iter().map(|cut| names(&cut.loss)).sum();
    assert_eq!(named, NAMED_MAX);
    assert!(found.unnamed > 0);
    // Every core link, core router, uplink and site router cuts off somebody.
    assert_eq!(found.cuts.len(), cores - 1 + 3 * cores);
}
