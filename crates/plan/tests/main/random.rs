//! Random edits, one after another: whatever comes and goes, no number ever changes.

use base::Rng;
use intent::{Intent, Lock};

use crate::invariants;
use crate::support::{
    add_pop, add_site_like, application, compile, example, json, remove_application, remove_site,
};

const SEEDS: u64 = 12;
const EDITS: u32 = 25;

fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> Option<&'a T> {
    let bound = u64::try_from(items.len()).unwrap_or(0);
    items.get(usize::try_from(rng.below(bound)).unwrap_or(0))
}

pub(crate) fn edit(intent: &mut Intent, rng: &mut Rng, step: u32) {
    let site = pick(rng, &intent.sites).cloned();
    let Some(site) = site else { return };
    match rng.below(9) {
        0 | 1 => add_site_like(intent, &site.code, &format!("N{step}")),
        2 if intent.sites.len() > 3 => remove_site(intent, &site.code),
        3 => add_pop(
            intent,
            &format!("pop{step}"),
            site.position,
            1 + u8::from(step.is_multiple_of(2)),
        ),
        4 if intent.pops.len() > 4 => remove_pop(intent, rng),
        5 => toggle_backup(intent, &site.code),
        6 => toggle_application(intent, rng, step),
        7 => toggle_membership(intent, rng, &site.code),
        _ => toggle_member(intent, rng),
    }
}

fn remove_pop(intent: &mut Intent, rng: &mut Rng) {
    let Some(pop) = pick(rng, &intent.pops).cloned() else { return };
    let routers: Vec<String> = pop.router_names().collect();
    intent.pops.retain(|other| other.name != pop.name);
    intent.links.retain(|link| !link.ends.iter().any(|end| routers.contains(end)));
    for site in &mut intent.sites {
        site.pops.retain(|name| *name != pop.name);
    }
}

fn toggle_backup(intent: &mut Intent, code: &str) {
    for site in intent.sites.iter_mut().filter(|site| site.code == code) {
        site.pops.truncate(1);
        site.backup = match site.backup {
            Some(_) => None,
            None => Some("broadband".to_owned()),
        };
    }
}

fn toggle_application(intent: &mut Intent, rng: &mut Rng, step: u32) {
    if rng.chance(500_000) {
        if let Some(gone) = pick(rng, &intent.applications).map(|other| other.name.clone()) {
            remove_application(intent, &gone);
        }
        return;
    }
    let network = intent.virtual_networks.first().map(|network| network.name.clone());
    let site = intent.virtual_networks.first().and_then(|network| pick(rng, &network.sites));
    let (Some(network), Some(site)) = (network, site.cloned()) else { return };
    let name = format!("app{step}");
    let mut new = application(&name, &network, &site);
    if rng.chance(300_000) {
        new.address = format!("10.1.{}.77", 100 + step).parse().ok();
    }
    intent.applications.push(new);
    for community in &mut intent.communities {
        community.applications.push(name.clone());
    }
}

fn toggle_membership(intent: &mut Intent, rng: &mut Rng, code: &str) {
    let used = intent.applications.iter().any(|application| application.site == code);
    let count = u64::try_from(intent.virtual_networks.len()).unwrap_or(0);
    let chosen = usize::try_from(rng.below(count)).unwrap_or(0);
    let Some(network) = intent.virtual_networks.get_mut(chosen) else { return };
    if !network.sites.iter().any(|site| site == code) {
        network.sites.push(code.to_owned());
    } else if !used {
        network.sites.retain(|site| site != code);
    }
}

fn toggle_member(intent: &mut Intent, rng: &mut Rng) {
    let names = ["lewes-practices", "crawley-practices"];
    let Some(name) = pick(rng, &names) else { return };
    for community in &mut intent.communities {
        if community.members.iter().any(|member| member == name) {
            community.members.retain(|member| member != name);
        } else {
            community.members.push((*name).to_owned());
        }
    }
}

/// Every number of before is still the number of what it was given to.
fn assert_kept(before: &Lock, after: &Lock) {
    for kind in before.kinds() {
        for (key, number) in before.numbers(kind).into_iter().flat_map(|numbers| numbers.iter()) {
            assert_eq!(after.number(kind, key), Some(number), "{kind} {key}");
        }
    }
}

#[test]
fn numbers_never_change_whatever_is_edited() {
    for seed in 0..SEEDS {
        let mut rng = Rng::new(seed);
        let mut intent = example("six-sites");
        let mut lock = Lock::default();
        let mut first = compile(&intent, &mut lock);
        for step in 0..EDITS {
            let before = lock.clone();
            edit(&mut intent, &mut rng, step);
            let plan = compile(&intent, &mut lock);
            invariants::check(&plan);
            assert_kept(&before, &lock);
            first = plan;
        }
        assert_eq!(json(&first), json(&compile(&intent, &mut lock)), "seed {seed}");
    }
}
