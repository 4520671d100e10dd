//! Loads of links are what every flow adds up to, one by one.
#![expect(clippy::indexing_slicing, reason = "places in a plan that the plan itself gave")]

use std::collections::{BTreeMap, BTreeSet};

use model::plan::{Class, Community, Demand, Plan, Traffic};
use proof::{Capacity, Excess, Failure, Gone, Overload, capacity};
use proptest::prelude::*;

use crate::sketch::{Core, Home, Sketch, UPLINK_KBPS};
use crate::survival::{main_part, sketches};
use crate::topologies;

fn towards(number: usize, kind: Option<&str>, down_kbps: u32, up_kbps: u32, class: &str) -> Demand {
    let (application, kind) = (format!("A{number}"), kind.map(str::to_owned));
    let traffic = Traffic::Towards { application, kind, down_kbps, up_kbps };
    Demand { class: class.to_owned(), assumed: false, traffic }
}

fn within(number: usize, kbps: u32, class: &str) -> Demand {
    let traffic = Traffic::Within { virtual_network: format!("V{number}"), kbps };
    Demand { class: class.to_owned(), assumed: true, traffic }
}

/// A plan with two classes, a community that lets `V1` reach application `A0`, and demands.
fn plan(sketch: &Sketch, demands: Vec<Demand>) -> Plan {
    let mut plan = sketch.plan();
    let class = |name: &str, share_percent| Class { name: name.to_owned(), share_percent };
    plan.classes = vec![class("EF", 10), class("AF2", 30)];
    plan.communities = vec![Community {
        name: "all".to_owned(),
        purpose: String::new(),
        applications: vec!["A0".to_owned()],
        members: vec!["V1".to_owned()],
        expires: None,
    }];
    plan.demands = demands;
    plan
}

/// One flow between two sites: from, to, class, bits per second.
type Flow = (usize, usize, usize, f64);

/// Every flow of a plan of [`plan`]; every site has a router of its own.
fn flows(plan: &Plan) -> Vec<Flow> {
    let site = |code: &str| plan.sites.iter().position(|site| site.code == code);
    let sites_of = |network: &str| -> BTreeSet<usize> {
        let lans = plan.attachments.iter().filter(|lan| lan.virtual_network == network);
        lans.filter_map(|lan| site(&lan.site)).collect()
    };
    let mut flows = Vec::new();
    for demand in &plan.demands {
        let class = usize::from(demand.class != "EF");
        match &demand.traffic {
            Traffic::Towards { application, kind, down_kbps, up_kbps } => {
                let hub = plan.applications.iter().find(|one| one.name == *application);
                let hub = hub.and_then(|one| site(&one.site)).expect("an application");
                let mut users = sites_of("V0");
                if application == "A0" {
                    users.extend(sites_of("V1"));
                }
                let is_of_kind =
                    |user: &usize| kind.as_ref().is_none_or(|kind| plan.sites[*user].kind == *kind);
                for user in users.into_iter().filter(|user| *user != hub).filter(is_of_kind) {
                    flows.push((hub, user, class, f64::from(*down_kbps) * 1000.0));
                    flows.push((user, hub, class, f64::from(*up_kbps) * 1000.0));
                }
            }
            Traffic::Within { virtual_network, kbps } => {
                let sites = sites_of(virtual_network);
                let others = f64::from(u32::try_from(sites.len()).expect("few sites")) - 1.0;
                let pairs = sites.iter().flat_map(|a| sites.iter().map(move |b| (*a, *b)));
                let pairs = pairs.filter(|(a, b)| a != b);
                flows.extend(pairs.map(|(a, b)| (a, b, class, f64::from(*kbps) * 1000.0 / others)));
            }
        }
    }
    flows
}

/// What each direction of each link carries of each class.
type Loads = BTreeMap<(usize, usize, usize), f64>;

/// A region after a failure, flow by flow.
struct Region<'a> {
    plan: &'a Plan,
    sketch: &'a Sketch,
    gone: Gone,
    main: BTreeSet<&'a str>,
    loads: Loads,
}

impl Region<'_> {
    /// The first uplink of a site that leads into the main part: link and core router.
    fn uplink(&self, site: usize) -> Option<(usize, usize)> {
        let before: usize = self.sketch.homes[..site].iter().map(|home| home.uplinks.len()).sum();
        let first = self.sketch.links.len() + before;
        let uplinks = self.sketch.homes[site].uplinks.iter().enumerate();
        let mut uplinks = uplinks.map(|(rank, (core, _))| (first + rank, *core));
        let router = self.sketch.cores + site;
        uplinks.find(|(link, core)| {
            let far = self.main.contains(format!("c{core}").as_str());
            far && !self.gone.links.contains(link) && !self.gone.routers.contains(&router)
        })
    }

    /// How far every core router is from one, by repeated relaxation.
    fn distances(&self, to: usize) -> Vec<f64> {
        let mut distances = vec![f64::INFINITY; self.sketch.cores];
        distances[to] = 0.0;
        for _ in 0..self.sketch.cores {
            let links = self.sketch.links.iter().enumerate();
            let both = |ends: [usize; 2]| [ends, [ends[1], ends[0]]];
            let ways = links
                .filter(|(place, _)| self.is_alive(*place))
                .flat_map(|(_, link)| both(link.ends).map(|ends| (ends, link.metric)));
            for ([a, b], metric) in ways {
                distances[a] = distances[a].min(distances[b] + f64::from(metric));
            }
        }
        distances
    }

    fn is_alive(&self, place: usize) -> bool {
        let ends = self.sketch.links[place].ends;
        !self.gone.links.contains(&place) && !ends.iter().any(|end| self.gone.routers.contains(end))
    }

    /// Sends a part of a flow on from a core router.
    fn send(&mut self, at: usize, to: usize, distances: &[f64], class: usize, amount: f64) {
        if at == to {
            return;
        }
        let links = self.sketch.links.iter().enumerate();
        let ways: Vec<(usize, usize, usize)> = links
            .filter(|(place, _)| self.is_alive(*place))
            .flat_map(|(place, link)| {
                let ends =
                    [(0, link.ends, link.metric), (1, [link.ends[1], link.ends[0]], link.metric)];
                ends.into_iter().filter_map(move |(from, [near, far], metric)| {
                    let is_on_way = distances[near] == distances[far] + f64::from(metric);
                    (near == at && is_on_way).then_some((place, from, far))
                })
            })
            .collect();
        let part = amount / f64::from(u32::try_from(ways.len()).expect("few ways"));
        for (place, from, far) in ways {
            *self.loads.entry((place, from, class)).or_default() += part;
            self.send(far, to, distances, class, part);
        }
    }

    fn carry(&mut self, (from, to, class, amount): Flow) {
        let (Some(first), Some(last)) = (self.uplink(from), self.uplink(to)) else { return };
        *self.loads.entry((first.0, 1, class)).or_default() += amount;
        *self.loads.entry((last.0, 0, class)).or_default() += amount;
        let distances = self.distances(last.1);
        self.send(first.1, last.1, &distances, class, amount);
    }
}

/// Loads after a failure, one flow after the other.
fn loads_after(plan: &Plan, sketch: &Sketch, gone: Gone) -> Loads {
    let main = main_part(plan, &gone);
    let mut region = Region { plan, sketch, gone, main, loads: Loads::new() };
    for flow in flows(region.plan) {
        region.carry(flow);
    }
    region.loads
}

/// What rounding to whole bits may add up to.
const ROUNDING: f64 = 200.0;

fn is_near(found: u64, wanted: f64) -> bool {
    let found = found.to_string().parse::<f64>().expect("a number");
    (found - wanted).abs() <= ROUNDING
}

/// Adds up every flow in every failure, and compares.
fn agrees(plan: &Plan, sketch: &Sketch) -> Result<Capacity, TestCaseError> {
    let found = capacity(plan);
    let asked = |name: &str| {
        plan.demands.iter().any(|demand| match &demand.traffic {
            Traffic::Towards { application, .. } => application == name,
            Traffic::Within { .. } => false,
        })
    };
    let hub = |router: &str| {
        plan.applications.iter().any(|one| one.site.to_lowercase() == router && asked(&one.name))
    };
    let of_core = |link: usize| link < sketch.links.len();
    let mut peaks = loads_after(plan, sketch, Gone::default());
    for load in &found.links {
        for (class, bps) in load.normal.iter().enumerate() {
            let wanted = peaks.get(&(load.link, load.from, class)).copied().unwrap_or(0.0);
            prop_assert!(is_near(*bps, wanted), "{load:?} of {class}: {wanted}");
        }
    }
    for failure in Failure::all(plan) {
        let counts_for_core = match &failure {
            Failure::Link(link) => of_core(*link) || hub(&plan.links[*link].ends[1].router),
            Failure::Router(router) => *router < sketch.cores,
            Failure::Pop(_) | Failure::SharedRisk(_) => true,
        };
        for (place, load) in loads_after(plan, sketch, failure.gone(plan)) {
            if counts_for_core || !of_core(place.0) {
                let peak = peaks.entry(place).or_default();
                *peak = peak.max(load);
            }
        }
    }
    for load in &found.links {
        for (class, peak) in load.peaks.iter().enumerate() {
            let wanted = peaks.get(&(load.link, load.from, class)).copied().unwrap_or(0.0);
            prop_assert!(is_near(peak.bps, wanted), "{load:?} of {class}: {wanted}");
        }
    }
    Ok(found)
}

/// What flows into every core router flows out of it again.
fn is_conserved(plan: &Plan, found: &Capacity) -> Result<(), TestCaseError> {
    let mut sums: BTreeMap<(&str, usize), [u64; 2]> = BTreeMap::new();
    for load in &found.links {
        let ends = &plan.links[load.link].ends;
        for (class, bps) in load.normal.iter().enumerate() {
            let sides = [&ends[load.from].router, &ends[1 - load.from].router];
            for (side, router) in sides.into_iter().enumerate() {
                sums.entry((router, class)).or_default()[side] += bps;
            }
        }
    }
    for ((router, class), [out, into]) in sums {
        let apart = out.abs_diff(into);
        // A share of a virtual network's traffic is rounded where it begins and where it ends.
        prop_assert!(
            !router.starts_with('c') || apart <= 100,
            "{router}: {out} out, {into} in, of {class}"
        );
    }
    Ok(())
}

fn demands() -> impl Strategy<Value = Vec<Demand>> {
    let class = || prop::sample::select(vec!["EF", "AF2"]);
    let kind = prop::sample::select(vec![None, Some("even"), Some("odd")]);
    let star = (0_usize..2, kind, 0_u32..500, 0_u32..500, class())
        .prop_map(|(number, kind, down, up, class)| towards(number, kind, down, up, class));
    let mesh = (0_usize..3, 1_u32..500, class())
        .prop_map(|(number, kbps, class)| within(number, kbps, class));
    prop::collection::vec(prop_oneof![star, mesh], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loads_are_the_sum_of_all_flows_on_random_regions(
        mut sketch in sketches(true),
        demands in demands(),
        members in prop::collection::vec(prop::collection::vec(any::<bool>(), 12), 3),
    ) {
        let joins = |flags: &Vec<bool>| (0..sketch.homes.len()).filter(|at| flags[*at]).collect();
        sketch.networks = members.iter().map(joins).collect();
        // Everybody is in one of them, so that no demand is without a network.
        sketch.networks.iter_mut().for_each(|sites: &mut Vec<usize>| {
            if !sites.contains(&0) {
                sites.insert(0, 0);
            }
        });
        let plan = plan(&sketch, demands);
        let found = agrees(&plan, &sketch)?;
        is_conserved(&plan, &found)?;
        prop_assert_eq!(found.unplaced, 0);
    }
}

#[test]
fn loads_are_the_sum_of_all_flows_on_research_networks() {
    for (name, mut sketch) in topologies::all() {
        let all: Vec<usize> = (0..sketch.homes.len()).collect();
        sketch.networks = vec![all.iter().copied().step_by(4).collect(), all];
        let demands = vec![towards(0, None, 900, 100, "AF2"), within(0, 64, "EF")];
        let plan = plan(&sketch, demands);
        let found = agrees(&plan, &sketch).unwrap_or_else(|error| panic!("{name}: {error}"));
        is_conserved(&plan, &found).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// An application behind `c0`, ten sites behind `c2`, and two ways between: over `c1`, and a longer
/// one over `c3`. All links carry 10 Mbit/s.
fn two_ways() -> Sketch {
    let link = |ends, metric| Core { ends, metric, rate_kbps: 10_000, risks: Vec::new() };
    let single = |core| Home { uplinks: vec![(core, Vec::new())], resilient: false };
    let mut homes = vec![single(0)];
    homes.extend((0..10).map(|_| single(2)));
    Sketch {
        cores: 4,
        links: vec![link([0, 1], 1), link([1, 2], 1), link([0, 3], 2), link([3, 2], 2)],
        applications: vec![0],
        networks: vec![(0..homes.len()).collect()],
        homes,
        ..Sketch::default()
    }
}

fn words(plan: &Plan) -> Vec<String> {
    let found = capacity(plan);
    found.overloads.iter().map(|one| one.in_words(plan, &found)).collect()
}

#[test]
fn traffic_moves_to_the_longer_way_and_overloads_are_told() {
    let plan = plan(&two_ways(), vec![towards(0, None, 800, 80, "AF2")]);
    assert_eq!(
        words(&plan),
        [
            "link c0--c1 from c0 carries 80 % of its rate normally",
            "link c1--c2 from c1 carries 80 % of its rate normally",
            "link c0--c3 from c0 carries 80 % of its rate without link c0--c1",
            "link c3--c2 from c3 carries 80 % of its rate without link c0--c1",
        ]
    );
    let found = capacity(&plan);
    let back = found.links.iter().find(|load| load.link == 0 && load.from == 1);
    assert_eq!(back.map(|load| load.normal.clone()), Some(vec![0, 800_000]));
}

#[test]
fn equal_ways_share_and_one_carries_all_when_the_other_fails() {
    let mut sketch = two_ways();
    sketch.links.iter_mut().for_each(|link| link.metric = 1);
    let plan = plan(&sketch, vec![towards(0, None, 1100, 0, "AF2")]);
    let found = capacity(&plan);
    let normal: Vec<u64> = found.links.iter().take(8).map(proof::LinkLoad::normal_total).collect();
    assert_eq!(normal, [5_500_000, 0, 5_500_000, 0, 5_500_000, 0, 5_500_000, 0]);
    assert_eq!(
        words(&plan).first().map(String::as_str),
        Some("link c0--c1 from c0 carries 110 % of its rate without link c0--c3")
    );
    let rates = found.overloads.iter().filter(|one| one.excess == Excess::Rate);
    assert_eq!(rates.count(), 4);
}

#[test]
fn voice_above_its_share_is_told_on_a_link_that_is_not_full() {
    let plan = plan(&two_ways(), vec![towards(0, None, 120, 120, "EF")]);
    let found = capacity(&plan);
    let share = Excess::Share("EF".to_owned());
    let told = Overload {
        link: 0,
        from: 0,
        excess: share.clone(),
        bps: 1_200_000,
        percent: 120,
        failure: None,
    };
    assert_eq!(found.overloads.first(), Some(&told));
    assert!(found.overloads.iter().all(|one| one.excess == share));
}

#[test]
fn second_uplink_carries_all_when_the_first_fails() {
    let mut sketch = two_ways();
    sketch.homes[3].uplinks.push((3, Vec::new()));
    let plan = plan(&sketch, vec![towards(0, None, 800, 80, "AF2")]);
    let found = capacity(&plan);
    let [first, second] = ["c2--s3", "c3--s3"]
        .map(|name| plan.links.iter().position(|link| link.name == name).unwrap());
    let load = &found.links[second * 2];
    assert_eq!((load.normal_total(), load.peak.bps), (0, 800_000));
    assert_eq!(load.peak.failure, Some(first));
    assert_eq!(load.rate_kbps, UPLINK_KBPS);
}

#[test]
fn demands_that_name_nothing_and_huge_ones_do_no_harm() {
    let mut demands = vec![towards(9, None, 1, 1, "AF2"), within(9, 1, "EF")];
    demands.extend((0..20).map(|_| towards(0, None, u32::MAX, u32::MAX, "none")));
    let found = capacity(&plan(&two_ways(), demands));
    assert_eq!((found.unplaced, found.classes.len()), (2, 3));
    assert_eq!(capacity(&crate::sketch::empty()).links, Vec::new());
}
