//! What changes, in words.

use intent::{Intent, Lock};
use model::plan::Plan;
use plan::words::{Changes, Step, ThingKind, changes};

use crate::support::{EXAMPLES, add_site_like, compile, example, remove_application, remove_site};

/// The plan before and after an edit, with one lock.
fn edited(name: &str, edit: impl Fn(&mut Intent)) -> (Plan, Plan, Changes) {
    let (mut intent, mut lock) = (example(name), Lock::default());
    let before = compile(&intent, &mut lock);
    edit(&mut intent);
    let after = compile(&intent, &mut lock);
    let changes = changes(Some(&before), &after);
    (before, after, changes)
}

fn rights(changes: &Changes) -> Vec<&str> {
    changes.rights.iter().map(|right| right.sentence.as_str()).collect()
}

fn things(changes: &Changes) -> Vec<&str> {
    changes.things.iter().map(|thing| thing.sentence.as_str()).collect()
}

#[test]
fn the_same_plan_changes_nothing() {
    for name in EXAMPLES {
        let plan = compile(&example(name), &mut Lock::default());
        assert!(changes(Some(&plan), &plan).is_empty(), "{name}");
        let next = Plan { generation: 2, ..plan.clone() };
        assert!(changes(Some(&plan), &next).is_empty(), "{name}");
    }
}

#[test]
fn a_new_site_gains_what_its_virtual_network_has_and_nothing_moves() {
    let (_, _, changes) = edited("six-sites", |intent| add_site_like(intent, "G1", "G3"));
    assert_eq!(
        rights(&changes),
        [
            "Station Surgery (G3) gains imaging on TCP 104, 443 and 11112 and records on TCP 443 and \
          33962-33964 by community shared-records"
        ]
    );
    let closing = "nobody else gains anything; nobody loses anything; no address or label moves";
    assert_eq!(changes.closing(), closing);
    assert_eq!(
        things(&changes)[..2],
        [
            "Station Surgery (G3) is added, a GP practice of Lewes Practices",
            "Station Surgery (G3) joins virtual network lewes-practices, with its 2 other sites",
        ]
    );
    let added: Vec<_> = changes.routers.iter().filter(|one| one.step == Step::Added).collect();
    assert_eq!(added.len(), 1);
    assert_eq!(added[0].router, "site-g3");
    assert!(changes.allotted.iter().any(|one| one.kind == "route distinguisher"));
}

#[test]
fn a_removed_site_loses_it_all_again() {
    let (_, _, changes) = edited("six-sites", |intent| remove_site(intent, "G2"));
    let told = rights(&changes);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("Seaside Surgery (G2) loses imaging on TCP 104,"), "{told:?}");
    assert!(changes.allotted.is_empty() && changes.moved.is_empty());
    assert!(
        things(&changes).contains(&"Seaside Surgery (G2) leaves virtual network lewes-practices")
    );
}

#[test]
fn many_sites_are_counted_by_kind_and_organisation() {
    let (before, _, changes) = edited("sussex", |intent| {
        for community in &mut intent.communities {
            community.members.retain(|member| member != "gp-crawley");
        }
    });
    let lans = before.attachments.iter().filter(|lan| lan.virtual_network == "gp-crawley").count();
    assert!(lans > 10 && !changes.rights.is_empty());
    for right in &changes.rights {
        assert!(!right.gained && right.consumers.len() == lans, "{right:?}");
        assert!(right.sentence.len() < 300, "{}", right.sentence);
        assert!(right.sentence.contains(" of NHS Crawley CCG "), "{}", right.sentence);
    }
    assert!(changes.closing().starts_with("nobody gains anything; nobody else loses anything"));
    let member = "member gp-crawley is removed";
    assert!(things(&changes).iter().all(|told| told.ends_with(member)), "{:?}", things(&changes));
}

#[test]
fn other_ports_are_gained_and_lost_and_the_rest_stays() {
    let (_, _, changes) = edited("six-sites", |intent| {
        let imaging = intent.applications.iter_mut().find(|one| one.name == "imaging");
        let listens = &mut imaging.unwrap().listens;
        listens.retain(|listen| listen.port_first != 443);
        listens.last_mut().unwrap().port_last = 11_120;
    });
    let who = "Station Surgery (G1) and Seaside Surgery (G2)";
    assert_eq!(
        rights(&changes),
        [
            format!("{who} gain imaging on TCP 11113-11120 by community shared-records"),
            format!("{who} lose imaging on TCP 443 by community shared-records"),
        ]
    );
    assert!(changes.allotted.is_empty());
}

#[test]
fn an_application_that_two_communities_give_is_lost_with_the_last() {
    let twice = |intent: &mut Intent| {
        let mut other = intent.communities[0].clone();
        other.name = "more-records".to_owned();
        other.applications = vec!["records".to_owned()];
        intent.communities.push(other);
    };
    let (_, _, changes) = edited("six-sites", twice);
    assert_eq!(rights(&changes), Vec::<&str>::new());
    assert_eq!(changes.things.len(), 1);
    assert_eq!(changes.things[0].kind, ThingKind::Community);
    let (_, _, changes) = edited("six-sites", |intent| remove_application(intent, "records"));
    assert_eq!(rights(&changes).len(), 1);
    assert!(things(&changes).contains(&"application records of hospitals is no longer published"));
}

#[test]
fn a_rename_and_a_new_owner_are_told_and_reach_no_router() {
    let (_, _, changes) = edited("six-sites", |intent| {
        for site in intent.sites.iter_mut().filter(|site| site.kind == "gp_practice") {
            site.organisation = "Sussex Practices".to_owned();
        }
        intent.sites[0].name = "Royal Hospital".to_owned();
    });
    assert!(changes.rights.is_empty() && changes.routers.is_empty());
    assert_eq!(
        things(&changes),
        [
            "Royal Hospital (H1): name Brighton General becomes Royal Hospital",
            "Weald Practice (P1) and Downs Practice (P2): organisation Crawley Practices becomes \
             Sussex Practices",
            "Station Surgery (G1) and Seaside Surgery (G2): organisation Lewes Practices becomes \
             Sussex Practices",
        ]
    );
}

#[test]
fn numbers_that_a_lost_lock_gave_anew_are_told_as_moved() {
    let mut intent = example("six-sites");
    let mut lock = Lock::default();
    let before = compile(&intent, &mut lock);
    intent.virtual_networks.reverse();
    intent.sites.reverse();
    let after = compile(&intent, &mut Lock::default());
    let changes = changes(Some(&before), &after);
    let kinds: Vec<_> = changes.moved.iter().map(|one| one.kind).collect();
    for kind in ["LAN", "route distinguisher", "route target", "AS number", "port"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    assert!(changes.closing().ends_with(" MOVE"), "{}", changes.closing());
    assert!(changes.rights.is_empty());
}

#[test]
fn a_first_plan_is_all_new_and_still_fits_a_page() {
    let plan = compile(&example("sussex"), &mut Lock::default());
    let changes = changes(None, &plan);
    assert!(changes.moved.is_empty());
    assert_eq!(changes.routers.len(), plan.routers.len());
    assert!(changes.rights.len() < 60, "{}", changes.rights.len());
    assert!(changes.rights.iter().all(|right| right.gained));
}

#[test]
fn no_key_is_ever_in_a_sentence() {
    let (_, _, changes) = edited("six-sites", |intent| {
        let authentication = intent.isis.authentication.as_mut();
        authentication.unwrap().key = "correct horse battery staple".to_owned();
    });
    assert!(!format!("{changes:?}").contains("horse"));
    let told = |one: &plan::words::RouterChange| one.parts == ["its IS-IS key changes"];
    assert!(changes.routers.len() == 4 && changes.routers.iter().all(told), "{changes:?}");
}

#[test]
fn a_site_that_moves_and_a_risk_of_an_uplink_are_told() {
    let (before, after, changes) = edited("six-sites", |intent| {
        for site in intent.sites.iter_mut().filter(|site| site.code == "G1") {
            site.position.latitude_e6 += 1;
            site.shared_risks.push("station-road".to_owned());
        }
        intent.pops[0].shared_risks.push("power".to_owned());
    });
    assert_eq!(
        things(&changes),
        [
            "Station Surgery (G1): place on the map 50.873740, 0.014290 becomes 50.873741, 0.014290",
            "uplink lewes-1--site-g1: shared risk station-road is added",
            "point of presence brighton: shared risk power is added",
        ]
    );
    // Neither is anything that a router is told.
    assert_eq!(before.routers, after.routers);
    let pop = after.pops.iter().find(|pop| pop.name == "brighton").unwrap();
    assert_eq!(pop.position.map(|at| at.latitude_e6), Some(50_829_000));
}

#[test]
fn a_plan_without_places_gains_them_in_one_sentence() {
    let after = compile(&example("six-sites"), &mut Lock::default());
    let mut before = after.clone();
    before.sites.iter_mut().for_each(|site| site.position = None);
    let changes = changes(Some(&before), &after);
    assert_eq!(changes.things.len(), 1);
    assert!(changes.things[0].sentence.ends_with("the place on the map is known"));
}

#[test]
fn risks_are_those_of_each_uplink() {
    let mut intent = example("six-sites");
    for site in intent.sites.iter_mut().filter(|site| site.code == "G1") {
        site.shared_risks = vec!["first".to_owned()];
        site.backup_shared_risks = vec!["second".to_owned(), "both".to_owned()];
    }
    let plan = compile(&intent, &mut Lock::default());
    let risks = |name: &str| {
        let link = plan.links.iter().find(|link| link.name == name).unwrap();
        link.shared_risks.clone()
    };
    assert_eq!(risks("lewes-1--site-g1"), ["first"]);
    assert_eq!(risks("brighton-1--site-g1"), ["second", "both"]);
    let named = plan.links.iter().filter(|link| !link.shared_risks.is_empty());
    assert_eq!(named.count(), 2);
}
