//! The same in, the same out; a small change in, a small change out.

use intent::{Intent, Lock};
use model::config::PortKind;
use plan::difference;

use crate::invariants;
use crate::support::{EXAMPLES, add_site_like, compile, example, grown, json, remove_site, router};

#[test]
fn same_intent_and_lock_give_the_same_bytes() {
    for name in EXAMPLES {
        let intent = example(name);
        let (mut lock, mut again) = (Lock::default(), Lock::default());
        let plan = compile(&intent, &mut lock);
        assert_eq!(json(&plan), json(&compile(&intent, &mut again)), "{name}");
        assert_eq!(lock.to_text(), again.to_text(), "{name}");
        let allotted = lock.clone();
        assert_eq!(json(&plan), json(&compile(&intent, &mut lock)), "{name}");
        assert_eq!(lock, allotted, "{name}");
    }
}

#[test]
fn lock_written_and_read_back_gives_the_same_plan() {
    for name in EXAMPLES {
        let intent = example(name);
        let mut lock = Lock::default();
        let plan = compile(&intent, &mut lock);
        let mut read = Lock::parse("weald.lock", &lock.to_text()).unwrap();
        read.check("weald.lock", &intent).unwrap();
        assert_eq!(json(&plan), json(&compile(&intent, &mut read)), "{name}");
        assert_eq!(read, lock, "{name}");
    }
}

#[test]
fn plan_reads_back_what_it_writes() {
    let plan = compile(&example("six-sites"), &mut Lock::default());
    let read: model::plan::Plan = serde_json::from_str(&json(&plan)).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn order_of_the_files_does_not_matter_once_everything_is_numbered() {
    for name in EXAMPLES {
        let mut intent = example(name);
        let mut lock = Lock::default();
        let plan = compile(&intent, &mut lock);
        intent.pops.reverse();
        intent.links.reverse();
        intent.sites.reverse();
        intent.virtual_networks.reverse();
        intent.applications.reverse();
        intent.communities.reverse();
        assert_eq!(json(&plan), json(&compile(&intent, &mut lock)), "{name}");
    }
}

/// The routers that an edit touches, with the numbers of before.
fn touched(before: &Intent, edit: impl FnOnce(&mut Intent)) -> plan::Difference {
    let mut lock = Lock::default();
    let old = compile(before, &mut lock);
    let mut after = before.clone();
    edit(&mut after);
    let new = compile(&after, &mut lock);
    invariants::check(&new);
    difference(&old, &new)
}

#[test]
fn added_site_touches_its_router_and_its_core_routers_only() {
    let difference = touched(&example("six-sites"), |intent| add_site_like(intent, "G1", "G9"));
    assert_eq!(difference.added, ["site-g9"]);
    assert_eq!(difference.changed, ["brighton-1", "lewes-1"]);
    assert!(difference.removed.is_empty());
}

#[test]
fn added_site_touches_three_routers_in_a_region_of_any_size() {
    for before in [example("sussex"), grown(400)] {
        let model = before.virtual_networks[0].sites[0].clone();
        let difference = touched(&before, |intent| add_site_like(intent, &model, "ZZ1"));
        assert_eq!(difference.added, ["site-zz1"]);
        assert!(difference.changed.len() <= 2, "{difference}");
        assert!(difference.removed.is_empty());
    }
}

#[test]
fn removed_site_leaves_a_hole_and_gets_its_numbers_back() {
    let intent = example("six-sites");
    let mut lock = Lock::default();
    let first = compile(&intent, &mut lock);
    let mut without = intent.clone();
    remove_site(&mut without, "G1");
    let second = compile(&without, &mut lock);
    invariants::check(&second);
    let gone = difference(&first, &second);
    assert_eq!(gone.removed, ["site-g1"]);
    assert_eq!(gone.changed, ["brighton-1", "lewes-1"]);
    let lewes = router(&second, "lewes-1");
    let holes = lewes.ports.iter().filter(|port| port.kind == PortKind::Unused);
    assert_eq!(holes.count(), 1);
    assert_eq!(lewes.ports.len(), router(&first, "lewes-1").ports.len());
    assert_eq!(json(&first), json(&compile(&intent, &mut lock)));
}

#[test]
fn moving_a_site_to_another_organisation_touches_no_other_site() {
    let difference = touched(&example("six-sites"), |intent| {
        let site = intent.sites.iter_mut().find(|site| site.code == "G2").unwrap();
        site.organisation = "Crawley Practices".to_owned();
        for network in &mut intent.virtual_networks {
            network.sites.retain(|code| code != "G2");
            if network.name == "crawley-practices" {
                network.sites.push("G2".to_owned());
            }
        }
    });
    assert!(difference.added.is_empty() && difference.removed.is_empty());
    assert_eq!(difference.changed, ["crawley-1", "site-g2", "worthing-1"]);
}

#[test]
fn new_community_touches_members_providers_and_their_core_routers_only() {
    let mut before = example("six-sites");
    before.communities.clear();
    let wanted = example("six-sites").communities;
    let difference = touched(&before, |intent| intent.communities = wanted);
    for site in ["site-p1", "site-p2"] {
        assert!(!difference.changed.iter().any(|name| name == site), "{site}");
    }
    for site in ["site-g1", "site-g2", "site-h1", "site-h2"] {
        assert!(difference.changed.iter().any(|name| name == site), "{site}");
    }
}

#[test]
fn another_generation_alone_touches_no_router() {
    let intent = example("six-sites");
    let mut lock = Lock::default();
    let first = plan::compile(&intent, &mut lock, 1, None).unwrap();
    let second = plan::compile(&intent, &mut lock, 2, None).unwrap();
    assert_ne!(first, second);
    assert!(difference(&first, &second).is_empty());
}

#[test]
fn difference_prints_one_router_per_line() {
    let difference = touched(&example("six-sites"), |intent| {
        remove_site(intent, "P2");
        add_site_like(intent, "G1", "G9");
    });
    assert_eq!(
        difference.to_string(),
        "+ site-g9\n~ brighton-1\n~ lewes-1\n~ worthing-1\n- site-p2\n"
    );
}
