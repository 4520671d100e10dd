//! What a name means: a router, a site, a link, a virtual network, a point of presence.

use model::plan::Plan;

use crate::failure::Failure;

/// What is written in front of the name of a point of presence.
const POP: &str = "pop:";

/// Names in a list of all there are; more would hide the message.
const LIST_MAX: usize = 8;

/// Where the codes of sites are.
pub(crate) const SITES: &str = "codes of sites are in `sites.csv`";

/// What a name means; numbers are positions in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Router(usize),
    Site(usize),
    Link(usize),
    VirtualNetwork(String),
    /// A point of presence, by the numbers of its routers.
    Pop(String, Vec<usize>),
}

/// Finds what a name means.
pub(crate) fn find(plan: &Plan, name: &str) -> Result<Thing, Failure> {
    if let Some(pop) = name.strip_prefix(POP) {
        let routers = routers_of_pop(plan, pop);
        if routers.is_empty() {
            let pops: Vec<_> = plan.pops.iter().map(|pop| format!("{POP}{}", pop.name)).collect();
            let pops = pops.iter().map(String::as_str);
            return Err(unknown("point of presence", pop, pops, "they are in `network.toml`"));
        }
        return Ok(Thing::Pop(pop.to_owned(), routers));
    }
    let router = plan.routers.iter().position(|router| router.name == name).map(Thing::Router);
    let site = || site_number(plan, name).map(Thing::Site);
    let link = || link_number(plan, name).map(Thing::Link);
    let network = || {
        let known = plan.attachments.iter().any(|lan| lan.virtual_network == name);
        known.then(|| Thing::VirtualNetwork(name.to_owned()))
    };
    router.or_else(site).or_else(link).or_else(network).ok_or_else(|| {
        let names = plan
            .routers
            .iter()
            .map(|router| router.name.as_str())
            .chain(plan.sites.iter().map(|site| site.code.as_str()))
            .chain(plan.links.iter().map(|link| link.name.as_str()))
            .chain(plan.attachments.iter().map(|lan| lan.virtual_network.as_str()));
        unknown("router, site, link or virtual network", name, names, &whereabouts(plan))
    })
}

/// The position of the site of that code, in whatever case it is written.
pub(crate) fn site_number(plan: &Plan, code: &str) -> Option<usize> {
    plan.sites.iter().position(|site| site.code.eq_ignore_ascii_case(code))
}

/// The position of the link of that name, whichever of its ends is named first.
fn link_number(plan: &Plan, name: &str) -> Option<usize> {
    let turned = name.split_once("--").map(|(a, b)| format!("{b}--{a}"));
    plan.links
        .iter()
        .position(|link| link.name == name || turned.as_ref().is_some_and(|t| *t == link.name))
}

/// The name of the router that is meant: its own, or that of a site that it serves.
pub(crate) fn find_router<'a>(plan: &'a Plan, name: &str) -> Result<&'a str, Failure> {
    if let Some(router) = plan.routers.iter().find(|router| router.name == name) {
        return Ok(&router.name);
    }
    let site = site_number(plan, name).and_then(|number| plan.sites.get(number));
    site.map(|site| site.router.as_str()).ok_or_else(|| {
        let routers = plan.routers.iter().map(|router| router.name.as_str());
        let sites = plan.sites.iter().map(|site| site.code.as_str());
        unknown("router or site", name, routers.chain(sites), &whereabouts(plan))
    })
}

/// Where names are.
fn whereabouts(plan: &Plan) -> String {
    let Some((pop, router)) = plan.pops.iter().find_map(|pop| Some((pop, pop.routers.first()?)))
    else {
        return SITES.to_owned();
    };
    let pop = &pop.name;
    format!("{SITES}, routers in `weald status {POP}{pop}`, links in `weald status {router}`")
}

/// The failure of a name that nothing has: with the nearest one, else with all of a few, else with
/// where they are.
pub(crate) fn unknown<'n>(
    what: &str,
    found: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    whereabouts: &str,
) -> Failure {
    let failure = Failure::network(format!("no {what} `{found}`"));
    if let Some(name) = nearest(found, names.clone()) {
        return failure.hint(format!("did you mean `{name}`?"));
    }
    let few: Vec<_> = names.take(LIST_MAX + 1).map(|name| format!("`{name}`")).collect();
    if few.is_empty() || few.len() > LIST_MAX {
        return failure.hint(whereabouts);
    }
    failure.hint(format!("there is {}", few.join(", ")))
}

/// The numbers of the routers of a point of presence.
fn routers_of_pop(plan: &Plan, name: &str) -> Vec<usize> {
    let pop = plan.pops.iter().find(|pop| pop.name == name);
    let numbers = (0..).zip(&plan.routers);
    numbers
        .filter(|(_, router)| pop.is_some_and(|pop| pop.routers.contains(&router.name)))
        .map(|(number, _)| number)
        .collect()
}

/// The name that `found` was probably meant to be: at most a third of its letters differ.
fn nearest<'n>(found: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (found.chars().count() / 3).clamp(1, 4);
    names
        .map(|name| (edits(found, name.strip_prefix(POP).unwrap_or(name)), name))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|letter| letter.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.chars().map(|letter| letter.to_ascii_lowercase()).enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (other, (corner, above)) in b.iter().zip(row.iter().zip(row.iter().skip(1))) {
            left = (corner + usize::from(letter != *other)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{LIST_MAX, edits, nearest, unknown};

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        let names = ["lewes-1", "lewes-2", "brighton-1", "pop:worthing"];
        assert_eq!(nearest("lewis-1", names.into_iter()), Some("lewes-1"));
        assert_eq!(nearest("worthin", names.into_iter()), Some("pop:worthing"));
        assert_eq!(nearest("G81001", names.into_iter()), None);
    }

    #[test]
    fn an_unknown_name_is_told_where_names_are() {
        let names = ["lewes-1"; LIST_MAX + 1];
        let hint = |found: &str, names: &[&'static str]| {
            unknown("router", found, names.iter().copied(), "in the file").hint.unwrap()
        };
        assert_eq!(hint("lewis-1", &names), "did you mean `lewes-1`?");
        assert_eq!(hint("nope", &names[..2]), "there is `lewes-1`, `lewes-1`");
        assert_eq!(hint("nope", &names), "in the file");
        assert_eq!(hint("nope", &[]), "in the file");
    }
}
