//! Changes rehearsed: who loses packets, what is open when, and that nothing else ever is.

use std::path::Path;

use base::{Duration, Rng};
use intent::{Intent, Lock};
use model::plan::{Listen, Plan};
use twin::rehearsal::{Rehearsal, Report, Ring};

fn example(name: &str) -> Intent {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    match intent::load(&folder) {
        Ok(intent) => intent,
        Err(problems) => panic!("{problems}"),
    }
}

/// The plans before and after a change.
fn plans(before: &Intent, change: impl FnOnce(&mut Intent)) -> (Plan, Plan) {
    let mut lock = Lock::default();
    let mut compile = |intent: &Intent, generation| {
        plan::compile(intent, &mut lock, generation, None).unwrap_or_else(|p| panic!("{p:?}"))
    };
    let old = compile(before, 1);
    let mut after = before.clone();
    change(&mut after);
    (old, compile(&after, 2))
}

fn rings(old: &Plan, new: &Plan) -> Vec<Ring> {
    let of = |ring: plan::Ring| Ring {
        stage: ring.stage.name().to_owned(),
        steps: ring.steps.into_iter().map(|step| (step.router, step.config)).collect(),
    };
    plan::rings(old, new).into_iter().map(of).collect()
}

fn run(old: Plan, new: &Plan, rings: Vec<Ring>, seed: u64) -> Report {
    let rehearsal = Rehearsal::new(old, new, rings, seed).unwrap_or_else(|why| panic!("{why}"));
    rehearsal.run(&mut |_, _| {}).unwrap_or_else(|why| panic!("{why}"))
}

fn rehearse_from(before: &Intent, change: impl FnOnce(&mut Intent)) -> Report {
    let (old, new) = plans(before, change);
    let rings = rings(&old, &new);
    let report = run(old, &new, rings, 1);
    assert!(report.holds(), "{report:#?}");
    report
}

/// A change of the example that keeps every promise and costs nobody a packet.
fn rehearse(change: impl FnOnce(&mut Intent)) -> Report {
    let report = rehearse_from(&example("six-sites"), change);
    assert!(report.is_good(), "{report:#?}");
    assert!(report.kept.tested >= 8 && report.forbidden.tested >= 20, "{report:#?}");
    report
}

fn concerned(report: &Report) -> Vec<&str> {
    let networks = report.networks.iter().filter(|network| network.concerned);
    networks.map(|network| network.name.as_str()).collect()
}

fn tcp(port: u16) -> Listen {
    Listen { protocol: 6, port_first: port, port_last: port }
}

fn remove(intent: &mut Intent, code: &str) {
    intent.sites.retain(|site| site.code != code);
    for network in &mut intent.virtual_networks {
        network.sites.retain(|site| site != code);
    }
}

fn add_site(intent: &mut Intent, model: &str, code: &str) {
    let mut site = intent.sites.iter().find(|site| site.code == model).cloned();
    if let Some(site) = &mut site {
        site.code = code.to_owned();
    }
    intent.sites.extend(site);
    for network in &mut intent.virtual_networks {
        if network.sites.iter().any(|code| code == model) {
            network.sites.push(code.to_owned());
        }
    }
}

#[test]
fn a_new_site_is_reached_and_interrupts_nobody() {
    let report = rehearse(|intent| add_site(intent, "G1", "G9"));
    assert!(report.gained.tested >= 16 && report.withdrawn.tested == 0);
    assert_eq!(concerned(&report), ["lewes-practices"]);
}

#[test]
fn a_removed_site_is_cut_off_and_interrupts_nobody() {
    for code in ["G1", "G2"] {
        let report = rehearse(|intent| remove(intent, code));
        assert!(report.withdrawn.tested >= 16 && report.gained.tested == 0, "{code}");
        assert_eq!(concerned(&report), ["lewes-practices"]);
    }
    for code in ["P1", "P2"] {
        let report = rehearse(|intent| remove(intent, code));
        assert!(report.withdrawn.tested >= 2 && report.gained.tested == 0, "{code}");
        assert_eq!(concerned(&report), Vec::<&str>::new(), "the other one is alone now");
    }
}

/// It is the first in every configuration that it is in, and all others move up.
#[test]
fn a_site_in_front_of_all_others_comes_and_goes_and_interrupts_nobody() {
    rehearse(|intent| add_site(intent, "G2", "A1"));
    let mut with = example("six-sites");
    add_site(&mut with, "G2", "A1");
    let report = rehearse_from(&with, |intent| remove(intent, "A1"));
    assert!(report.is_good(), "{report:#?}");
}

#[test]
fn a_new_virtual_network_works_and_interrupts_nobody() {
    let report = rehearse(|intent| {
        let mut network = intent.virtual_networks[0].clone();
        network.name = "guests".to_owned();
        intent.virtual_networks.push(network);
    });
    assert_eq!((report.gained.tested, report.withdrawn.tested), (4, 0));
    assert_eq!(concerned(&report), Vec::<&str>::new(), "those that were there before");
}

#[test]
fn the_first_of_two_virtual_networks_of_a_site_goes_and_does_not_interrupt_the_second() {
    let before = example("six-sites");
    let mut with = before.clone();
    let mut network = with.virtual_networks[0].clone();
    network.name = "guests".to_owned();
    with.virtual_networks.insert(0, network);
    let (old, new) = plans(&with, |intent| *intent = before);
    let names = |plan: &Plan| {
        let site = plan.routers.iter().find(|router| router.name == "site-h1");
        let vrfs = site.into_iter().flat_map(|site| &site.vrfs);
        vrfs.map(|vrf| vrf.virtual_network.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&old), names(&new)),
        (vec!["guests".to_owned(), "hospitals".to_owned()], vec!["hospitals".to_owned()])
    );
    let rings = rings(&old, &new);
    let report = run(old, &new, rings, 1);
    assert!(report.is_good() && report.withdrawn.tested == 4, "{report:#?}");
}

#[test]
fn a_community_that_comes_opens_and_one_that_goes_closes() {
    let mut closed = example("six-sites");
    let communities = core::mem::take(&mut closed.communities);
    let opened = rehearse_from(&closed, |intent| intent.communities = communities);
    assert!(opened.is_good() && opened.gained.tested >= 24, "{opened:#?}");
    assert_eq!(opened.withdrawn_until, None);
    let report = rehearse(|intent| intent.communities.clear());
    assert_eq!(report.withdrawn.tested, opened.gained.tested);
    assert_eq!(concerned(&report), ["hospitals", "lewes-practices"]);
    let until = report.withdrawn_until.unwrap();
    assert!(until > report.span.0 && until < report.span.1, "{until}");
}

#[test]
fn a_community_is_widened_and_narrowed_at_once() {
    let report = rehearse(|intent| intent.applications[1].listens = vec![tcp(104), tcp(8443)]);
    assert!(report.gained.tested > 0 && report.withdrawn.tested > 0);
    let stages: Vec<&str> = report.rings.iter().map(|ring| ring.stage.as_str()).collect();
    assert_eq!(stages, ["sites", "sites"], "routes are as they were");
}

#[test]
fn one_member_takes_the_place_of_another() {
    let report = rehearse(|intent| {
        intent.communities[0].members = vec!["crawley-practices".to_owned()];
    });
    assert!(report.gained.tested >= 24 && report.withdrawn.tested >= 24);
}

#[test]
fn another_metric_interrupts_nobody() {
    let report = rehearse(|intent| intent.links[0].metric *= 50);
    assert_eq!(concerned(&report), Vec::<&str>::new());
    assert!(report.rings.iter().all(|ring| ring.stage == "widen"));
}

#[test]
fn a_link_is_drained_before_it_goes() {
    let report = rehearse(|intent| {
        intent.links.remove(0);
    });
    let stages: Vec<&str> = report.rings.iter().map(|ring| ring.stage.as_str()).collect();
    assert_eq!(stages, ["widen", "widen", "narrow", "narrow"]);
}

#[test]
fn a_second_uplink_is_moved_without_loss() {
    let report = rehearse(|intent| {
        intent.sites[2].pops = vec!["lewes".to_owned(), "crawley".to_owned()];
    });
    assert_eq!(concerned(&report), ["lewes-practices"]);
    assert_eq!(report.rings.len(), 3);
}

#[test]
fn an_application_gets_another_address() {
    let report = rehearse(|intent| intent.applications[0].address = "10.1.0.77".parse().ok());
    assert!(report.gained.tested > 0 && report.withdrawn.tested > 0);
}

/// Both uplinks of a site change places: it is off the network while they do, and nobody else.
#[test]
fn who_is_interrupted_is_told_with_the_time() {
    let before = example("six-sites");
    let report = rehearse_from(&before, |intent| intent.sites[2].pops.reverse());
    assert!(!report.is_good());
    for network in &report.networks {
        let is_it = network.name == "lewes-practices";
        assert_eq!(network.lost > 0, is_it, "{network:?}");
        assert!(network.longest < Duration::from_millis(200), "{network:?}");
    }
    let worst = report.interruptions.first().unwrap();
    assert!(worst.from.0 == "G1" || worst.to.0 == "G1", "{worst}");
    assert!(worst.longest >= Duration::from_millis(20) && !worst.lasting, "{worst:?}");
    assert_eq!(report.rings[worst.ring - 1].routers, ["site-g1"]);
}

#[test]
fn a_point_of_presence_comes_and_goes_and_interrupts_nobody() {
    // One among the others by its name, one in front of them.
    for name in ["hastings", "ashdown"] {
        let add = |intent: &mut Intent| {
            let mut pop = intent.pops[1].clone();
            pop.name = name.to_owned();
            intent.pops.push(pop);
            for other in ["brighton-1", "crawley-1"] {
                let mut link = intent.links[0].clone();
                link.ends = [other.to_owned(), format!("{name}-1")];
                intent.links.push(link);
            }
        };
        let before = example("six-sites");
        let report = rehearse_from(&before, add);
        assert_eq!(report.rings[0].routers, [format!("{name}-1")]);
        assert!(report.is_good(), "{report:#?}");
        let mut with = before.clone();
        add(&mut with);
        let report = rehearse_from(&with, |intent| *intent = before);
        assert!(report.is_good(), "{report:#?}");
        let last = report.rings.last().unwrap();
        assert_eq!((last.stage.as_str(), last.routers.len()), ("remove", 1));
    }
}

/// Core routers that hear of a member's new routes last refuse them while they wait.
#[test]
fn sites_before_their_core_routers_lose_what_they_had() {
    let mut before = example("six-sites");
    let communities = core::mem::take(&mut before.communities);
    let (old, new) = plans(&before, |intent| intent.communities = communities);
    let mut rings = rings(&old, &new);
    rings.sort_by(|a, b| a.stage.cmp(&b.stage));
    assert_eq!(rings[0].stage, "sites");
    let report = run(old, &new, rings, 1);
    assert!(report.holds() && report.lost() > 0, "{report:#?}");
    let practices = report.networks.iter().find(|one| one.name == "lewes-practices").unwrap();
    assert!(practices.longest > Duration::from_millis(500), "{practices:?}");
}

/// For one ring, a network is a member that it is neither before nor after.
#[test]
fn what_is_open_for_one_ring_is_a_breach() {
    let before = example("six-sites");
    let mut lock = Lock::default();
    let mut compile =
        |intent: &Intent, generation| plan::compile(intent, &mut lock, generation, None).unwrap();
    let old = compile(&before, 1);
    let mut open = before.clone();
    open.communities[0].members = vec!["crawley-practices".to_owned()];
    let wrong = compile(&open, 2);
    let new = compile(&before, 3);
    let mut there = rings(&old, &wrong);
    let count = there.len();
    there.extend(rings(&wrong, &new));
    let report = run(old, &new, there, 1);
    assert!(!report.holds() && report.breaches_total > 0, "{report:#?}");
    for breach in &report.breaches {
        let ring = &report.rings[breach.ring - 1];
        assert!(breach.ring >= count.min(3) && ring.at <= breach.at, "{breach:?}");
        let (from, to) = (breach.from.as_ref().unwrap(), &breach.to);
        let mut networks = [from.1.as_str(), to.1.as_str()];
        networks.sort_unstable();
        assert_eq!(networks, ["crawley-practices", "hospitals"], "{breach:?}");
    }
    let last = report.breaches.iter().map(|breach| breach.at).max().unwrap();
    assert!(last < report.span.1, "it is closed in the end: {last}");
}

#[test]
fn a_plan_that_does_not_keep_its_promise_is_found_in_the_end() {
    let (old, mut new) = plans(&example("six-sites"), |intent| add_site(intent, "G1", "G9"));
    let rings = rings(&old, &new);
    // Promised, and in no configuration.
    new.communities[0].members.push("crawley-practices".to_owned());
    let report = run(old, &new, rings, 1);
    assert!(report.gained.held < report.gained.tested && !report.holds());
    assert!(report.broken.iter().all(|one| one.contains("does not arrive")), "{report:#?}");
}

#[test]
fn the_same_seed_rehearses_the_same_and_another_seed_something_else() {
    let hash = |seed| {
        let (old, new) = plans(&example("six-sites"), |intent| add_site(intent, "P1", "P9"));
        let rings = rings(&old, &new);
        let report = run(old, &new, rings, seed);
        assert!(report.is_good(), "{report:#?}");
        report.trace_hash
    };
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}

/// Random changes, one after the other: whoever loses what, nothing is ever out of place, and in
/// the end every promise holds.
#[test]
fn random_changes_never_leak_and_end_as_promised() {
    let mut rng = Rng::new(4);
    let mut before = example("six-sites");
    for step in 0..8 {
        let seed = rng.next_u64();
        let change = |intent: &mut Intent| {
            for edit in 0..=seed % 3 {
                random(intent, &mut Rng::new(seed + edit), step * 4 + edit);
            }
        };
        rehearse_from(&before, change);
        change(&mut before);
    }
}

fn pick<'a, T>(rng: &mut Rng, items: &'a mut [T]) -> Option<&'a mut T> {
    let index = rng.below(items.len().max(1) as u64);
    items.get_mut(usize::try_from(index).ok()?)
}

fn random(intent: &mut Intent, rng: &mut Rng, step: u64) {
    match rng.below(6) {
        0 => {
            if let Some(model) = pick(rng, &mut ["G1", "P1"]) {
                add_site(intent, model, &format!("N{step}"));
            }
        }
        1 => {
            let codes = intent.sites.iter().map(|site| site.code.clone());
            let mut added: Vec<String> = codes.filter(|code| code.starts_with('N')).collect();
            if let Some(code) = pick(rng, &mut added) {
                remove(intent, code);
            }
        }
        2 => {
            for community in &mut intent.communities {
                // Both use the same addresses, so never both.
                let is_lewes = community.members == ["lewes-practices"];
                let member = if is_lewes { "crawley-practices" } else { "lewes-practices" };
                community.members = vec![member.to_owned()];
            }
        }
        3 => {
            let metric = 1 + u32::try_from(rng.below(2000)).unwrap_or(0);
            if let Some(link) = pick(rng, &mut intent.links) {
                link.metric = metric;
            }
        }
        4 => {
            let port = u16::try_from(1000 + rng.below(9000)).unwrap_or(443);
            if let Some(application) = pick(rng, &mut intent.applications) {
                application.listens = vec![tcp(443), tcp(port)];
            }
        }
        _ => {
            let mut pops: Vec<String> = intent.pops.iter().map(|pop| pop.name.clone()).collect();
            let turns = usize::try_from(rng.below(4)).unwrap_or(0);
            pops.rotate_left(turns);
            if rng.chance(500_000) {
                pops.swap(1, 2);
            }
            pops.truncate(2);
            if let Some(site) = pick(rng, &mut intent.sites) {
                site.pops = pops;
            }
        }
    }
}
