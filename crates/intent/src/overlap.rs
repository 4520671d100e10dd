//! Which virtual networks may not have overlapping addresses.
//!
//! Overlaps are normal as long as no routing table holds both sides. A community puts its members'
//! routes into the tables of the networks that offer its applications, and theirs into the members'.
//! So a table holds its own network and everybody that it shares a community with on the other
//! side, through whichever communities: no two of these may overlap. Two members of one community
//! do not meet in each other's tables, but they meet in the provider's.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Place, Report};
use crate::services::Services;
use crate::{Community, VirtualNetwork};

/// Reports every pair of networks that would meet in a table and overlap, at the community that
/// brings them together.
pub(crate) fn check(report: &mut Report<'_>, services: &Services) {
    let mut tables: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut reported = BTreeSet::new();
    for (place, community) in &services.communities.items {
        for (table, enters) in exchanges(services, community) {
            let held = tables.entry(table).or_insert_with(|| BTreeSet::from([table]));
            let new = if held.contains(enters) { None } else { Some(&*held) };
            for other in new.into_iter().flatten() {
                let pair = (enters.min(other), enters.max(other));
                if !reported.contains(&pair)
                    && meet(report, *place, services, (enters, other, table))
                {
                    reported.insert(pair);
                }
            }
            held.insert(enters);
        }
    }
}

/// Which network's routes enter whose table through a community: table first.
fn exchanges<'s>(
    services: &'s Services,
    community: &'s Community,
) -> impl Iterator<Item = (&'s str, &'s str)> {
    let applications = community.applications.iter();
    let providers = applications
        .filter_map(|name| services.applications.find(name))
        .map(|application| application.virtual_network.as_str());
    providers.flat_map(|provider| {
        let members = community.members.iter().map(String::as_str);
        members.flat_map(move |member| [(provider, member), (member, provider)])
    })
}

/// Whether two networks that meet in a table overlap; says so where they do.
fn meet(
    report: &mut Report<'_>,
    place: Place,
    services: &Services,
    (enters, other, table): (&str, &str, &str),
) -> bool {
    let find = |name| services.virtual_networks.find(name);
    let (Some(first), Some(second)) = (find(enters), find(other)) else { return false };
    let Some((a, b)) = overlap(first, second) else { return false };
    let (first, second) = (&first.name, &second.name);
    let message =
        format!("members with overlapping addresses: `{a}` of `{first}`, `{b}` of `{second}`");
    report
        .error(place, message)
        .help(format!("both would be in the routing table of `{table}`; one must be renumbered"));
    true
}

fn overlap(first: &VirtualNetwork, second: &VirtualNetwork) -> Option<(String, String)> {
    let pairs = first.addresses.iter().flat_map(|a| second.addresses.iter().map(move |b| (a, b)));
    let mut pairs = pairs.filter(|(a, b)| a.overlaps(**b));
    pairs.next().map(|(a, b)| (a.to_string(), b.to_string()))
}
