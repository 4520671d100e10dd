//! Whether the core holds together: every core router reaches every other, and in a resilient
//! region still does when any one router, PoP or link has failed.
//!
//! Each failure is tried in turn, because the answer must name what it cuts off. A group of links
//! and PoPs that share a risk is tried too; what it cuts off is a warning, because two lines in one
//! duct may be all that a town has.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::Network;
use crate::problem::{Place, Report, Severity, list};

/// What has failed.
#[derive(Default)]
struct Failure<'n> {
    routers: BTreeSet<&'n str>,
    /// Positions in the list of links.
    links: BTreeSet<usize>,
}

/// The core as a graph.
struct Core<'n> {
    routers: Vec<&'n str>,
    links: Vec<[&'n str; 2]>,
    /// Positions of each router's links.
    links_of: BTreeMap<&'n str, Vec<usize>>,
}

/// Reports what is not connected, and reflectors that are missing.
pub(crate) fn check(report: &mut Report<'_>, network: &Network) {
    if !network.pops.complete || network.pops.items.is_empty() {
        return;
    }
    let resilient = network.region.as_ref().is_none_or(|region| region.resilient);
    let reflectors = network.pops.items.iter().filter(|(_, pop)| pop.reflector).count();
    if reflectors == 0 {
        report
            .error(Place::File, "no route reflector")
            .help("give one PoP, better two that are far apart, `reflector = true`");
    } else if reflectors == 1 && resilient {
        report
            .error(Place::File, "only one route reflector in a resilient region")
            .help("give a second PoP, far from the first, `reflector = true`");
    }
    if !network.links.complete {
        return;
    }
    let core = Core::new(network);
    let apart = core.cut_off(&Failure::default());
    if !apart.is_empty() {
        let first = core.routers.first().copied().unwrap_or_default();
        report
            .error(Place::File, format!("core routers that no link joins to `{first}`"))
            .allow(format!("a path; there is none to {}", list(apart.iter().copied())));
        return;
    }
    let severity = if resilient { Severity::Error } else { Severity::Warning };
    check_routers(report, network, &core, severity);
    check_links(report, network, &core, severity);
    check_shared_risks(report, network, &core);
}

fn check_routers(report: &mut Report<'_>, network: &Network, core: &Core<'_>, severity: Severity) {
    for (place, pop) in &network.pops.items {
        let names: Vec<String> = pop.router_names().collect();
        let mut failures: Vec<(String, Failure<'_>)> = Vec::new();
        for name in &names {
            let routers = BTreeSet::from([name.as_str()]);
            failures
                .push((format!("core router `{name}`"), Failure { routers, ..Failure::default() }));
        }
        if names.len() > 1 {
            let routers = names.iter().map(String::as_str).collect();
            failures
                .push((format!("PoP `{}`", pop.name), Failure { routers, ..Failure::default() }));
        }
        for (what, failure) in failures {
            state(report, *place, severity, &what, &core.cut_off(&failure));
        }
    }
}

fn check_links(report: &mut Report<'_>, network: &Network, core: &Core<'_>, severity: Severity) {
    for (index, (place, link)) in network.links.items.iter().enumerate() {
        let failure = Failure { links: BTreeSet::from([index]), ..Failure::default() };
        let what = format!("link `{}--{}`", link.ends[0], link.ends[1]);
        state(report, *place, severity, &what, &core.cut_off(&failure));
    }
}

fn check_shared_risks(report: &mut Report<'_>, network: &Network, core: &Core<'_>) {
    let mut risks: BTreeMap<&str, (Place, Failure<'_>)> = BTreeMap::new();
    for (place, pop) in &network.pops.items {
        let routers = core
            .routers
            .iter()
            .filter(|router| network.routers.get(**router).is_some_and(|name| *name == pop.name));
        for risk in &pop.shared_risks {
            let (_, failure) = risks.entry(risk).or_insert((*place, Failure::default()));
            failure.routers.extend(routers.clone().copied());
        }
    }
    for (index, (place, link)) in network.links.items.iter().enumerate() {
        for risk in &link.shared_risks {
            let (_, failure) = risks.entry(risk).or_insert((*place, Failure::default()));
            failure.links.insert(index);
        }
    }
    for (risk, (place, failure)) in &risks {
        let what = format!("everything that shares risk `{risk}`");
        state(report, *place, Severity::Warning, &what, &core.cut_off(failure));
    }
}

fn state(
    report: &mut Report<'_>,
    place: Place,
    severity: Severity,
    what: &str,
    cut_off: &BTreeSet<&str>,
) {
    if !cut_off.is_empty() {
        let names = list(cut_off.iter().copied());
        report.add(severity, place, format!("without {what} these are cut off: {names}"));
    }
}

impl<'n> Core<'n> {
    fn new(network: &'n Network) -> Self {
        let routers: Vec<&str> = network.routers.keys().map(String::as_str).collect();
        let mut links = Vec::new();
        let mut links_of: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, (_, link)) in network.links.items.iter().enumerate() {
            let [from, to] = &link.ends;
            links.push([from.as_str(), to.as_str()]);
            for end in &link.ends {
                links_of.entry(end).or_default().push(index);
            }
        }
        Self { routers, links, links_of }
    }

    /// The routers that are alive and not in the largest part that still holds together.
    fn cut_off(&self, failure: &Failure<'_>) -> BTreeSet<&'n str> {
        let mut rest: BTreeSet<&str> = self
            .routers
            .iter()
            .copied()
            .filter(|router| !failure.routers.contains(router))
            .collect();
        let mut parts: Vec<BTreeSet<&str>> = Vec::new();
        while let Some(start) = rest.first().copied() {
            let part = self.reached_from(start, failure);
            rest.retain(|router| !part.contains(router));
            parts.push(part);
        }
        parts.sort_by_key(|part| core::cmp::Reverse(part.len()));
        parts.into_iter().skip(1).flatten().collect()
    }

    fn reached_from(&self, start: &'n str, failure: &Failure<'_>) -> BTreeSet<&'n str> {
        let mut reached = BTreeSet::from([start]);
        let mut waiting = vec![start];
        while let Some(router) = waiting.pop() {
            let indices = self.links_of.get(router).into_iter().flatten();
            let alive = indices.filter(|index| !failure.links.contains(index));
            for end in alive.filter_map(|index| self.links.get(*index)).flatten() {
                if !failure.routers.contains(end) && reached.insert(end) {
                    waiting.push(end);
                }
            }
        }
        reached
    }
}
