//! Who can reach what: a table for each application, and the virtual networks.

use std::collections::BTreeMap;

use model::plan::{Application, Community, Listen, Plan, VirtualNetwork};

use super::markup::Markup;
use super::table::{Cell, Table};
use crate::screen::count;

/// What is looked up in a plan again and again.
struct Lookup<'a> {
    plan: &'a Plan,
    networks: BTreeMap<&'a str, &'a VirtualNetwork>,
    /// Names of the sites of each virtual network.
    sites: BTreeMap<&'a str, Vec<String>>,
    names: BTreeMap<&'a str, String>,
}

impl<'a> Lookup<'a> {
    fn new(plan: &'a Plan) -> Self {
        let names: BTreeMap<&str, String> = plan
            .sites
            .iter()
            .map(|site| (site.code.as_str(), format!("{} ({})", site.name, site.code)))
            .collect();
        let mut sites: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for lan in &plan.attachments {
            let name = names.get(lan.site.as_str()).cloned().unwrap_or_else(|| lan.site.clone());
            sites.entry(&lan.virtual_network).or_default().push(name);
        }
        let networks = plan.virtual_networks.iter().map(|one| (one.name.as_str(), one)).collect();
        Self { plan, networks, sites, names }
    }

    fn sites_of(&self, network: &str) -> &[String] {
        self.sites.get(network).map_or(&[], Vec::as_slice)
    }

    fn owner(&self, network: &str) -> &'a str {
        self.networks.get(network).map_or("", |network| network.organisation.as_str())
    }
}

pub(super) fn write(markup: &mut Markup, plan: &Plan) {
    let lookup = Lookup::new(plan);
    markup.leaf("h2", &[("id", "reach")], "Who can reach what");
    markup.paragraph(
        "Inside a virtual network all of its sites reach each other. Between virtual networks only \
         what is listed here can be reached: the application's addresses, on its ports, by members \
         of a community to which every owner has agreed. Members of a community do not reach each \
         other by it.",
    );
    if plan.applications.is_empty() {
        markup.paragraph("No application is published.");
    }
    for (number, application) in plan.applications.iter().enumerate() {
        of_application(markup, &lookup, number, application);
    }
    networks(markup, &lookup);
}

fn of_application(markup: &mut Markup, lookup: &Lookup<'_>, number: usize, one: &Application) {
    let id = format!("application-{number}");
    markup.leaf("h3", &[("id", &id)], &format!("Application {}", one.name));
    let addresses: Vec<String> = one.addresses.iter().map(ToString::to_string).collect();
    let site = lookup.names.get(one.site.as_str()).unwrap_or(&one.site);
    let owner = lookup.owner(&one.virtual_network);
    pairs(
        markup,
        &[
            ("Offered by", &format!("{owner}, virtual network {}", one.virtual_network)),
            ("At site", site),
            ("Addresses", &addresses.join(", ")),
            ("Ports", &ports(&one.listens)),
        ],
    );
    let mut table = Table::new(
        &format!("{id}-members"),
        format!("Who reaches {} besides its own virtual network", one.name),
        &["Virtual network", "Organisation", "Sites"],
    );
    for community in &lookup.plan.communities {
        if community.applications.contains(&one.name) {
            members(&mut table, lookup, one, community);
        }
    }
    if table.is_empty() {
        let network = &one.virtual_network;
        markup.paragraph(&format!("No community has it: nobody outside {network} reaches it."));
    } else {
        table.write(markup);
    }
}

fn members(table: &mut Table, lookup: &Lookup<'_>, one: &Application, community: &Community) {
    let until = match &community.expires {
        Some(day) => format!("until {day}"),
        None => "without an end".to_owned(),
    };
    let ports = ports(&one.listens);
    let Community { name, purpose, .. } = community;
    table.group(format!("By community {name}, on {ports}, {until}: {purpose}"));
    for member in community.members.iter().filter(|member| **member != one.virtual_network) {
        table.row([
            member.as_str().into(),
            lookup.owner(member).into(),
            Cell::count(lookup.sites_of(member).len()),
        ]);
    }
}

fn networks(markup: &mut Markup, lookup: &Lookup<'_>) {
    markup.leaf("h3", &[("id", "networks")], "Virtual networks");
    let mut table = Table::new(
        "virtual-networks",
        "Every virtual network: its owner, its addresses and its sites",
        &["Virtual network", "Owner", "Addresses", "Sites"],
    );
    for network in &lookup.plan.virtual_networks {
        let addresses: Vec<String> = network.addresses.iter().map(ToString::to_string).collect();
        let sites = lookup.sites_of(&network.name);
        table.row([
            network.name.as_str().into(),
            network.organisation.as_str().into(),
            addresses.join(", ").into(),
            Cell::Names(count(sites.len(), "site", "sites"), sites.to_vec()),
        ]);
    }
    table.write(markup);
}

/// Terms and what they mean.
pub(super) fn pairs(markup: &mut Markup, pairs: &[(&str, &str)]) {
    markup.element("dl", &[], |markup| {
        for (term, meaning) in pairs {
            markup.leaf("dt", &[], term);
            markup.leaf("dd", &[], meaning);
        }
    });
}

/// Ports by protocol: `TCP 104, 443 and 11112`.
fn ports(listens: &[Listen]) -> String {
    let mut by_protocol: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for Listen { protocol, port_first, port_last } in listens {
        let range = match port_first == port_last {
            true => port_first.to_string(),
            false => format!("{port_first}–{port_last}"),
        };
        by_protocol.entry(*protocol).or_default().push(range);
    }
    let named = by_protocol.into_iter().map(|(protocol, ranges)| {
        let name = match protocol {
            6 => "TCP".to_owned(),
            17 => "UDP".to_owned(),
            other => format!("protocol {other}"),
        };
        let ranges = match ranges.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            Some((last, _)) => last.clone(),
            None => String::new(),
        };
        format!("{name} {ranges}")
    });
    named.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::ports;
    use model::plan::Listen;

    #[test]
    fn ports_are_told_by_protocol() {
        let listen = |protocol, port_first, port_last| Listen { protocol, port_first, port_last };
        let all = [listen(17, 53, 53), listen(6, 53, 53), listen(6, 636, 640), listen(6, 9, 9)];
        assert_eq!(ports(&all), "TCP 53, 636–640 and 9; UDP 53");
        assert_eq!(ports(&[]), "");
    }
}
