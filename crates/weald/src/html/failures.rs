//! What each single failure cuts off, on maps and by name.
//!
//! Failures that cut off the same share a row and a map: a point of presence with one router is that
//! router. What fails at a site, its uplinks and its router, is summed up.

use core::cmp::Reverse;
use std::collections::BTreeMap;

use model::config::Role;
use model::plan::{LinkKind, Plan};
use proof::{Cut, Failure, Loss, Survival};

use super::map::Map;
use super::markup::Markup;
use super::table::{Cell, Table, folded, verdict};
use crate::screen::{count, list};

/// Failures that have a map of their own: as many as fit on two pages.
const MAPS_MAX: usize = 12;
/// Failures in one row that are named: a chain of a thousand routers cuts off one site a thousand ways.
const NAMED_MAX: usize = 6;

/// Failures that cut off the same.
struct Grave<'a> {
    failures: Vec<&'a Failure>,
    loss: &'a Loss,
}

impl Grave<'_> {
    fn name(&self, plan: &Plan) -> String {
        let mut names: Vec<String> =
            self.failures.iter().take(NAMED_MAX).map(|failure| failure.name(plan)).collect();
        let hidden = self.failures.len() - names.len();
        if hidden > 0 {
            names.push(count(hidden, "other", "others"));
        }
        names.join(", or ")
    }
}

/// Whether it is more than a site's own equipment that fails.
fn is_shared(plan: &Plan, failure: &Failure) -> bool {
    match failure {
        Failure::Link(place) => {
            plan.links.get(*place).is_some_and(|link| link.kind == LinkKind::Core)
        }
        Failure::Router(place) => {
            plan.routers.get(*place).is_some_and(|router| router.role == Role::Core)
        }
        Failure::Pop(_) | Failure::SharedRisk(_) => true,
    }
}

/// The gravest first.
fn grave<'a>(plan: &Plan, survival: &'a Survival) -> Vec<Grave<'a>> {
    let mut same: BTreeMap<(&[usize], &[Vec<usize>]), Grave<'a>> = BTreeMap::new();
    for Cut { failure, loss } in survival.cuts.iter().filter(|cut| is_shared(plan, &cut.failure)) {
        let grave = same
            .entry((&loss.sites, &loss.islands))
            .or_insert_with(|| Grave { failures: Vec::new(), loss });
        grave.failures.push(failure);
    }
    let mut all: Vec<Grave<'_>> = same.into_values().collect();
    all.sort_by_key(|one| Reverse((one.loss.sites.len(), one.loss.applications.len())));
    all
}

fn site_name(plan: &Plan, site: usize) -> String {
    plan.sites.get(site).map_or_else(String::new, |site| format!("{} ({})", site.name, site.code))
}

fn site_names(plan: &Plan, sites: &[usize]) -> Vec<String> {
    sites.iter().map(|site| site_name(plan, *site)).collect()
}

pub(super) fn write(markup: &mut Markup, plan: &Plan, survival: &Survival) {
    markup.leaf("h2", &[("id", "survival")], "What survives a failure");
    markup.element("p", &[], |markup| {
        let broken = survival.not_resilient.len();
        let words = match broken {
            0 => "Every site promised as resilient is.".to_owned(),
            _ => format!("{} promised as resilient not.", count(broken, "site is", "sites are")),
        };
        verdict(markup, broken == 0, &words);
        markup.text(
            " Everything that can fail alone was made to fail, one thing after the other. A site is \
             cut off when none of its uplinks leads into the main part of the core any more, or its \
             own router is gone; its applications are cut off with it.",
        );
    });
    examined(markup, plan, survival);
    promised(markup, plan, survival);
    let grave = grave(plan, survival);
    let map = Map::new(plan);
    if let Some(map) = &map {
        main_map(markup, plan, survival, (map, &grave));
    }
    shared(markup, plan, &grave);
    if let Some(map) = map.filter(|_| !grave.is_empty()) {
        maps(markup, plan, &map, &grave);
    }
    own(markup, plan, survival);
}

fn examined(markup: &mut Markup, plan: &Plan, survival: &Survival) {
    let mut cutting = [0_usize; 6];
    for cut in &survival.cuts {
        let kind = match &cut.failure {
            failure @ Failure::Link(_) => usize::from(!is_shared(plan, failure)),
            failure @ Failure::Router(_) => 2 + usize::from(!is_shared(plan, failure)),
            Failure::Pop(_) => 4,
            Failure::SharedRisk(_) => 5,
        };
        cutting.iter_mut().skip(kind).take(1).for_each(|count| *count += 1);
    }
    let examined = survival.examined;
    let tried = [
        ("Core links", examined.core_links),
        ("Uplinks of sites", examined.uplinks),
        ("Core routers", examined.core_routers),
        ("Site routers", examined.site_routers),
        ("Points of presence", examined.pops),
        ("Shared risks, such as a duct or a building", examined.shared_risks),
    ];
    let mut table = Table::new(
        "examined",
        "Single failures that were examined, and how many cut off somebody",
        &["What fails", "Examined", "Cut off somebody"],
    );
    for ((what, tried), cutting) in tried.into_iter().zip(cutting) {
        table.row([what.into(), Cell::count(tried), Cell::count(cutting)]);
    }
    table.write(markup);
}

fn promised(markup: &mut Markup, plan: &Plan, survival: &Survival) {
    let promised: Vec<String> = plan
        .sites
        .iter()
        .filter(|site| site.resilient)
        .map(|site| format!("{} ({})", site.name, site.code))
        .collect();
    markup.leaf("h3", &[("id", "resilient")], "Sites promised as resilient");
    let sites = count(promised.len(), "site was promised", "sites were promised");
    markup.paragraph(&format!(
        "{sites} to survive every single failure but that of the router in the building."
    ));
    if !promised.is_empty() {
        folded(markup, "Their names", &promised);
    }
    let mut table = Table::new(
        "not-resilient",
        "Sites that were promised as resilient and are not",
        &["Site", "Cut off by"],
    );
    for one in &survival.not_resilient {
        let failures: Vec<String> = one.failures.iter().map(|one| one.name(plan)).collect();
        let lead = count(failures.len(), "failure", "failures");
        let by = match failures.is_empty() {
            true => "cut off already".into(),
            false => Cell::Names(lead, failures),
        };
        table.row([site_name(plan, one.site).into(), by]);
    }
    if !table.is_empty() {
        table.write(markup);
    }
    let standing = &survival.standing.sites;
    if !standing.is_empty() {
        let words = count(standing.len(), "site is cut off", "sites are cut off");
        folded(
            markup,
            &format!("{words} although nothing has failed"),
            &site_names(plan, standing),
        );
    }
}

fn main_map(
    markup: &mut Markup,
    plan: &Plan,
    survival: &Survival,
    (map, grave): (&Map<'_>, &[Grave<'_>]),
) {
    let mut weak = vec![false; plan.sites.len()];
    for site in grave.iter().flat_map(|one| &one.loss.sites) {
        weak.iter_mut().skip(*site).take(1).for_each(|weak| *weak = true);
    }
    let hollow = weak.iter().filter(|weak| **weak).count();
    markup.leaf("h3", &[("id", "map")], "Map of the network");
    markup.element("figure", &[("class", "main")], |markup| {
        let around = [
            ("class", "scroll"),
            ("role", "group"),
            ("aria-labelledby", "map-caption"),
            ("tabindex", "0"),
        ];
        markup.element("div", &around, |markup| {
            map.write(markup, &weak, &survival.standing.sites);
        });
        let mut words = format!(
            "{}, {} and {}. {} hollow: each is named below with the failures in the core that \
             cut it off.",
            count(plan.pops.len(), "point of presence", "points of presence"),
            count(map.lines(), "core link between them", "core links between them"),
            count(plan.sites.len() - map.unknown(), "site", "sites"),
            count(hollow, "site is", "sites are"),
        );
        if map.unknown() > 0 {
            let unknown = count(map.unknown(), "site is", "sites are");
            words.push_str(&format!(" {unknown} not on the map: nobody has said where."));
        }
        markup.leaf("figcaption", &[("id", "map-caption")], &words);
    });
}

fn shared(markup: &mut Markup, plan: &Plan, grave: &[Grave<'_>]) {
    markup.leaf("h3", &[("id", "failures")], "Failures in the core and of shared risks");
    if grave.is_empty() {
        markup.paragraph("None of them cuts anybody off.");
        return;
    }
    markup.paragraph(
        "The gravest first; failures that cut off the same are in one row. All others cut nobody off.",
    );
    let has_islands = grave.iter().any(|one| !one.loss.islands.is_empty());
    let mut table = Table::new(
        "cut-off",
        "What each failure cuts off",
        &["What fails", "Sites cut off", "Applications cut off"],
    );
    for one in grave {
        let sites = site_names(plan, &one.loss.sites);
        let applications = one.loss.application_names(plan).map(str::to_owned).collect::<Vec<_>>();
        let islands: Vec<&str> = one.loss.island_names(plan).collect();
        let mut what = one.name(plan);
        if has_islands && !islands.is_empty() {
            what.push_str(&format!(" (left to themselves: {})", list(&islands)));
        }
        table.row([
            what.into(),
            Cell::Names(count(sites.len(), "site", "sites"), sites),
            Cell::Names(count(applications.len(), "application", "applications"), applications),
        ]);
    }
    table.write(markup);
}

fn maps(markup: &mut Markup, plan: &Plan, map: &Map<'_>, grave: &[Grave<'_>]) {
    markup.leaf("h3", &[("id", "maps")], "The gravest failures on maps");
    markup.paragraph(
        "What fails is crossed out and framed; each site that it cuts off has a small cross. The \
         table above names them.",
    );
    markup.element("ol", &[("class", "maps")], |markup| {
        for (number, one) in (1..).zip(grave.iter().take(MAPS_MAX)) {
            let id = format!("map-{number}");
            markup.element("li", &[], |markup| {
                markup.element("figure", &[("class", "small")], |markup| {
                    map.write_failure(markup, &id, &one.failures, one.loss);
                    let sites = count(one.loss.sites.len(), "site", "sites");
                    let name = one.name(plan);
                    let words = format!("{number}. Without {name}: {sites} cut off");
                    markup.leaf("figcaption", &[("id", &id)], &words);
                });
            });
        }
    });
}

/// What fails at sites themselves.
fn own(markup: &mut Markup, plan: &Plan, survival: &Survival) {
    let is_uplink = |cut: &&Cut| matches!(cut.failure, Failure::Link(_));
    let alone = survival.cuts.iter().filter(|cut| !is_shared(plan, &cut.failure));
    let mut sites: Vec<usize> =
        alone.filter(is_uplink).flat_map(|cut| cut.loss.sites.iter().copied()).collect();
    sites.sort_unstable();
    sites.dedup();
    markup.leaf("h3", &[("id", "own")], "A site's own uplinks and router");
    markup.paragraph(
        "A site router that fails cuts off the sites in its building, resilient or not, and the \
         applications there.",
    );
    if sites.is_empty() {
        markup.paragraph("No site hangs on one uplink.");
    } else {
        let words = count(sites.len(), "site hangs", "sites hang");
        folded(markup, &format!("{words} on one uplink"), &site_names(plan, &sites));
    }
    let mut table = Table::new(
        "application-sites",
        "Applications and the site whose router each needs",
        &["Application", "Site", "Promised as resilient"],
    );
    for one in &plan.applications {
        let site = plan.sites.iter().find(|site| site.code == one.site);
        let name =
            site.map_or_else(|| one.site.clone(), |site| format!("{} ({})", site.name, site.code));
        let resilient = if site.is_some_and(|site| site.resilient) { "yes" } else { "no" };
        table.row([one.name.as_str().into(), name.into(), resilient.into()]);
    }
    if !table.is_empty() {
        table.write(markup);
    }
}
