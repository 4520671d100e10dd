//! The rings of random changes: what no ring may have, and what holds after each of them.

use std::collections::{BTreeMap, BTreeSet};

use base::{Prefix, Rng, RouteTarget};
use intent::{Intent, Lock};
use model::config::{NeighbourKind, PortKind, Role, RouterConfig};
use model::plan::{LinkKind, Plan};
use plan::{Ring, Stage, difference, rings};

use crate::random::edit;
use crate::support::{add_pop, add_site_like, compile, example, grown, remove_site};

type Routers = BTreeMap<String, RouterConfig>;

fn routers(plan: &Plan) -> Routers {
    plan.routers.iter().map(|config| (config.name.clone(), config.clone())).collect()
}

fn second(intent: &Intent, lock: &mut Lock) -> Plan {
    match plan::compile(intent, lock, 2, None) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems:?}"),
    }
}

/// The plans before and after an edit.
fn plans(before: &Intent, change: impl FnOnce(&mut Intent)) -> (Plan, Plan) {
    let mut lock = Lock::default();
    let old = compile(before, &mut lock);
    let mut after = before.clone();
    change(&mut after);
    (old, second(&after, &mut lock))
}

/// Everything that holds of any change's rings.
fn check(old: &Plan, new: &Plan) -> Vec<Ring> {
    let rings = rings(old, new);
    check_apart(old, new, &rings);
    check_shares(old, new, &rings);
    let stages: Vec<Stage> = rings.iter().map(|ring| ring.stage).collect();
    assert!(stages.is_sorted(), "{stages:?}");
    assert!(rings.first().is_none_or(|ring| ring.steps.len() == 1));
    let mut sites =
        rings.iter().filter(|ring| [Stage::Withdraw, Stage::Sites].contains(&ring.stage));
    assert!(sites.next().is_none_or(|ring| ring.steps.len() == 1));
    let mut now = routers(old);
    let allowed = &clashes(&now) | &clashes(&routers(new));
    for ring in &rings {
        for step in &ring.steps {
            match &step.config {
                Some(config) => {
                    assert_eq!(config.name, step.router);
                    assert_eq!(config.generation, new.generation);
                    now.insert(step.router.clone(), config.clone());
                }
                None => {
                    assert_eq!(ring.stage, Stage::Remove);
                    now.remove(&step.router);
                }
            }
        }
        check_uplinks(&now, old, new);
        let clashing = clashes(&now);
        assert!(clashing.iter().all(|one| allowed.contains(one)), "{clashing:?}");
    }
    let generation = new.generation;
    let plain = |routers: Routers| -> Vec<RouterConfig> {
        routers.into_values().map(|config| RouterConfig { generation, ..config }).collect()
    };
    assert_eq!(plain(now), plain(routers(new)));
    assert_eq!(rings.is_empty(), difference(old, new).is_empty());
    rings
}

fn check_apart(old: &Plan, new: &Plan, rings: &[Ring]) {
    for ring in rings {
        let has = |name: &String| ring.steps.iter().any(|step| step.router == *name);
        for plan in [old, new] {
            for pop in &plan.pops {
                assert!(pop.routers.iter().filter(|name| has(name)).count() < 2, "{ring:?}");
            }
            let reflectors = plan.routers.iter().filter(|one| one.bgp.cluster_id.is_some());
            assert!(reflectors.filter(|one| has(&one.name)).count() < 2, "{ring:?}");
            let mut above: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for link in plan.links.iter().filter(|link| link.kind == LinkKind::Uplink) {
                let [core, site] = &link.ends;
                if has(&core.router) {
                    above.entry(&site.router).or_default().insert(&core.router);
                }
            }
            assert!(above.values().all(|cores| cores.len() < 2), "{above:?}");
        }
    }
}

fn check_shares(old: &Plan, new: &Plan, rings: &[Ring]) {
    let lans = || old.attachments.iter().chain(&new.attachments);
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for lan in lans() {
        all.entry(&lan.virtual_network).or_default().insert(&lan.site);
    }
    for ring in rings {
        let names: BTreeSet<&str> = ring.steps.iter().map(|step| step.router.as_str()).collect();
        let mut here: BTreeMap<&str, [BTreeSet<&str>; 2]> = BTreeMap::new();
        for lan in lans().filter(|lan| names.contains(lan.router.as_str())) {
            let [sites, routers] = here.entry(&lan.virtual_network).or_default();
            sites.insert(&lan.site);
            routers.insert(&lan.router);
        }
        for (network, [sites, routers]) in here {
            let most = all.get(network).map_or(0, BTreeSet::len) / 4;
            assert!(sites.len() <= most || routers.len() == 1, "{network}: {sites:?}");
        }
    }
}

/// Core routers accept whatever their sites announce at this moment, and send what they import.
fn check_uplinks(now: &Routers, old: &Plan, new: &Plan) {
    let both: BTreeSet<_> = old.links.iter().map(|link| &link.ends).collect();
    let links = new.links.iter().filter(|link| link.kind == LinkKind::Uplink);
    for link in links.filter(|link| both.contains(&link.ends)) {
        let [core, site] = link.ends.each_ref().map(|end| now.get(&end.router));
        let (Some(core), Some(site)) = (core, site) else { panic!("{} has no end", link.name) };
        let port = link.ends[0].port;
        let policy = core.neighbours.iter().find_map(|neighbour| match &neighbour.kind {
            NeighbourKind::Site { port: at, accept, send, .. } if *at == port => {
                Some((accept, send))
            }
            NeighbourKind::Site { .. }
            | NeighbourKind::Internal { .. }
            | NeighbourKind::Core { .. }
            | NeighbourKind::Customer { .. } => None,
        });
        let Some((accept, send)) = policy else { panic!("{} is not configured", link.name) };
        let place = site.neighbours.iter().position(|one| one.name == core.name);
        let place = place.and_then(|place| u32::try_from(place).ok());
        for vrf in &site.vrfs {
            assert!(vrf.import.is_subset(send), "{}: {}", link.name, vrf.name);
            let Some(rd) = vrf.rds.iter().find(|rd| Some(rd.neighbour) == place) else { continue };
            for route in &vrf.export {
                let of = accept.iter().find(|one| one.rd == rd.rd && one.prefix == route.prefix);
                assert!(
                    of.is_some_and(|one| route.targets.is_subset(&one.targets)),
                    "{}: {} of {} is refused",
                    link.name,
                    route.prefix,
                    vrf.name
                );
            }
        }
    }
}

/// Virtual networks that announce the same addresses under one target: whoever imports it sends to
/// either.
fn clashes(now: &Routers) -> BTreeSet<(RouteTarget, String, String)> {
    let mut seen: BTreeMap<(RouteTarget, Prefix), BTreeSet<&str>> = BTreeMap::new();
    for vrf in now.values().flat_map(|router| &router.vrfs) {
        for (route, target) in vrf.export.iter().flat_map(|r| r.targets.iter().map(move |t| (r, t)))
        {
            seen.entry((*target, route.prefix)).or_default().insert(&vrf.virtual_network);
        }
    }
    let mut clashes = BTreeSet::new();
    for ((target, _), networks) in seen.iter().filter(|(_, networks)| networks.len() > 1) {
        for (one, other) in networks.iter().zip(networks.iter().skip(1)) {
            clashes.insert((*target, (*one).to_owned(), (*other).to_owned()));
        }
    }
    clashes
}

#[test]
fn a_member_with_the_same_addresses_comes_when_the_other_has_gone() {
    let (old, new) = plans(&example("six-sites"), |intent| {
        intent.communities[0].members = vec!["crawley-practices".to_owned()];
    });
    let rings = check(&old, &new);
    let of = |stage| {
        let rings = rings.iter().filter(move |ring| ring.stage == stage);
        rings.flat_map(|ring| &ring.steps).map(|step| step.router.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(Stage::Withdraw), ["site-g1", "site-g2"]);
    let mut after = of(Stage::Sites);
    after.sort_unstable();
    assert_eq!(after, ["site-h1", "site-h2", "site-p1", "site-p2"]);
}

#[test]
fn two_members_with_the_same_addresses_change_places_by_way_of_neither() {
    let mut before = example("six-sites");
    let mut other = before.communities[0].clone();
    other.name = "other".to_owned();
    other.applications.truncate(1);
    other.members = vec!["crawley-practices".to_owned()];
    before.communities[0].applications.truncate(1);
    before.communities.push(other);
    let (old, new) = plans(&before, |intent| {
        let [one, other] = intent.communities.as_mut_slice() else { return };
        core::mem::swap(&mut one.members, &mut other.members);
    });
    let rings = check(&old, &new);
    for site in ["site-g1", "site-p1"] {
        let has = |ring: &&Ring| ring.steps.iter().any(|step| step.router == site);
        let stages: Vec<Stage> = rings.iter().filter(has).map(|ring| ring.stage).collect();
        assert_eq!(stages, [Stage::Withdraw, Stage::Sites], "{site}");
    }
}

#[test]
fn rings_of_random_changes_keep_every_rule() {
    for seed in 0..24 {
        let mut rng = Rng::new(seed);
        let mut intent = if seed % 2 == 0 { example("six-sites") } else { grown(40) };
        let mut lock = Lock::default();
        let mut old = compile(&intent, &mut lock);
        for step in 0..12 {
            for one in 0..=rng.below(4) {
                edit(&mut intent, &mut rng, step * 8 + u32::try_from(one).unwrap());
            }
            let new = second(&intent, &mut lock);
            check(&old, &new);
            old = first(new);
        }
    }
}

/// A plan that is the first again, so that the next is its second.
fn first(mut plan: Plan) -> Plan {
    plan.generation = 1;
    for router in &mut plan.routers {
        router.generation = 1;
    }
    plan
}

fn names(rings: &[Ring]) -> Vec<(&'static str, Vec<&str>)> {
    let of = |ring: &'_ Ring| ring.stage.name();
    rings
        .iter()
        .map(|ring| (of(ring), ring.steps.iter().map(|step| step.router.as_str()).collect()))
        .collect()
}

#[test]
fn nothing_changes_in_no_ring() {
    let (old, new) = plans(&example("six-sites"), |_| {});
    assert_eq!(check(&old, &new), Vec::new());
}

#[test]
fn a_new_site_comes_after_the_core_routers_that_accept_it() {
    let (old, new) = plans(&example("six-sites"), |intent| add_site_like(intent, "G1", "G9"));
    let rings = check(&old, &new);
    let expected =
        [("widen", vec!["lewes-1"]), ("widen", vec!["brighton-1"]), ("sites", vec!["site-g9"])];
    assert_eq!(names(&rings), expected);
}

#[test]
fn a_removed_site_is_forgotten_before_it_is_switched_off() {
    let (old, new) = plans(&example("six-sites"), |intent| remove_site(intent, "G1"));
    let rings = check(&old, &new);
    let expected =
        [("narrow", vec!["lewes-1"]), ("narrow", vec!["brighton-1"]), ("remove", vec!["site-g1"])];
    assert_eq!(names(&rings), expected);
}

#[test]
fn a_member_in_anothers_place_is_accepted_before_and_the_other_forgotten_after() {
    let (old, new) = plans(&example("six-sites"), |intent| {
        intent.communities[0].members = vec!["crawley-practices".to_owned()];
    });
    let rings = check(&old, &new);
    let of = |stage| rings.iter().filter(move |ring| ring.stage == stage);
    assert!(of(Stage::Widen).count() >= 2 && of(Stage::Narrow).count() >= 2, "{rings:?}");
    let sites = of(Stage::Withdraw).chain(of(Stage::Sites));
    assert_eq!(sites.map(|ring| ring.steps.len()).sum::<usize>(), 6);
}

#[test]
fn a_core_router_is_drained_before_it_is_taken_away() {
    let mut before = example("six-sites");
    let position = before.sites[0].position;
    add_pop(&mut before, "zeaford", position, 1);
    let (old, new) = plans(&before, |intent| {
        intent.pops.retain(|pop| pop.name != "zeaford");
        intent.links.retain(|link| !link.ends.iter().any(|end| end.starts_with("zeaford")));
    });
    let rings = check(&old, &new);
    let widen = rings.iter().filter(|ring| ring.stage == Stage::Widen);
    let configs: Vec<&RouterConfig> =
        widen.flat_map(|ring| &ring.steps).filter_map(|step| step.config.as_ref()).collect();
    let drained = configs.iter().find(|config| config.name == "zeaford-1").unwrap();
    assert!(drained.isis.as_ref().is_some_and(|isis| isis.overload));
    let last = |config: &&&RouterConfig| {
        let mut ports = config.ports.iter();
        ports.any(|p| matches!(p.kind, PortKind::CoreLink { metric, .. } if metric > 16_000_000))
    };
    assert_eq!(configs.iter().filter(last).count(), 2);
    let gone = rings.last().unwrap();
    assert_eq!((gone.stage, gone.steps[0].router.as_str()), (Stage::Remove, "zeaford-1"));
}

#[test]
fn sites_of_one_network_change_a_quarter_at_a_time() {
    let (old, new) = plans(&grown(120), |intent| {
        for network in &mut intent.virtual_networks {
            network.sites.retain(|code| code != "X9");
        }
        intent.communities[0].members.push("crawley-practices".to_owned());
    });
    let rings = check(&old, &new);
    let sites: Vec<usize> = rings
        .iter()
        .filter(|ring| [Stage::Withdraw, Stage::Sites].contains(&ring.stage))
        .map(|ring| ring.steps.len())
        .collect();
    assert!(sites.len() >= 5 && sites[0] == 1 && sites.iter().all(|&count| count <= 100));
    let core = |ring: &&Ring| {
        ring.steps.iter().any(|step| step.config.as_ref().is_some_and(|c| c.role == Role::Core))
    };
    assert!(rings.iter().filter(core).all(|ring| ring.steps.len() == 1), "{sites:?}");
}
