//! `weald status NAME`: one router, site, link, virtual network or point of presence.

use base::PortId;
use model::config::{PortKind, Role, RouterConfig};
use model::plan::{Attachment, Link, LinkEnd, LinkKind};
use model::view::RouterView;
use router::Router;
use serde_json::json;
use twin::LinkState;

use crate::answers::show::Inspect as _;
use crate::answers::{cut, show};
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::Network;
use crate::network::explain::listens;
use crate::network::names::{self, Thing};
use crate::network::reach::{Affected, Reach, Standing};
use crate::screen::{Table, count, list};

/// Says how the thing of that name is.
pub(crate) fn answer(network: &Network, name: &str) -> Result<Answer, Failure> {
    let nothing = || Failure::network(format!("`{name}` is not in the plan"));
    match names::find(network.plan(), name)? {
        Thing::Router(number) => {
            let config = network.plan().routers.get(number).ok_or_else(nothing)?;
            Ok(router(network, number, config))
        }
        Thing::Site(number) => site(network, number).ok_or_else(nothing),
        Thing::Link(number) => {
            let plan_link = network.plan().links.get(number).ok_or_else(nothing)?;
            Ok(link(network, number, plan_link))
        }
        Thing::VirtualNetwork(name) => Ok(virtual_network(network, &name)),
        Thing::Pop(name, routers) => Ok(pop(network, &name, &routers)),
    }
}

/// The sites that would be cut off by a failure and are not now.
fn would_be_cut_off(network: &Network, after: &Reach) -> Vec<Affected> {
    let now = network.reach();
    let mut affected = after.affected(network.plan());
    affected.retain(|site| {
        let of_site = |one: &&model::plan::Site| one.code == site.code;
        let router = network.plan().sites.iter().find(of_site).map(|site| site.router.as_str());
        !site.standing.is_connected() && router.is_some_and(|r| now.standing(r).is_connected())
    });
    affected
}

fn if_it_fails(affected: &[Affected]) -> String {
    if affected.is_empty() {
        return "if it fails: no site is cut off\n".to_owned();
    }
    let codes: Vec<_> = affected.iter().map(|site| site.code.as_str()).collect();
    let sites = count(affected.len(), "site", "sites");
    format!("if it fails: {sites} cut off: {}\n", list(&codes))
}

fn router(network: &Network, number: usize, config: &RouterConfig) -> Answer {
    let name = &config.name;
    let role = match config.role {
        Role::Core => "core router",
        Role::Site => "site router",
    };
    let sites: Vec<_> = network.sites_of(name).map(|site| site.code.as_str()).collect();
    let affected = would_be_cut_off(network, &network.reach_without(&[number], &[]));
    let view = network.router(name).map(Router::view);
    let mut text = format!("{name}: {role}, plan {}\n", config.generation);
    if !sites.is_empty() {
        text.push_str(&format!("serves: {}\n", list(&sites)));
    }
    match &view {
        Some(view) => {
            let sizes = view.sizes;
            text.push_str(&format!(
                "tables: {} routes of virtual networks, {} of the region, {} labels, {} paths\n",
                sizes.vrf_routes, sizes.global_routes, sizes.labels, sizes.bgp_paths
            ));
            text.push_str(&ports(network, config, view));
            text.push_str(&show::neighbours(view));
            text.push_str(&if_it_fails(&affected));
        }
        None => text.push_str(&format!("it has no power\nhint: `weald mend {name}`\n")),
    }
    let good = view.as_ref().is_some_and(is_well);
    let data = json!({
        "router": name,
        "role": config.role,
        "running": view.is_some(),
        "sites": sites,
        "view": view,
        "if_it_fails_cut_off": affected,
    });
    Answer::new(&data, text).judged(good)
}

fn is_well(view: &RouterView) -> bool {
    view.adjacencies.iter().all(|one| one.up) && view.sessions.iter().all(|one| one.up)
}

fn ports(network: &Network, config: &RouterConfig, view: &RouterView) -> String {
    let mut table = Table::of_words(&["port", "onto", "link", "bfd", "why not", "dropped"]);
    for (planned, port) in config.ports.iter().zip(&view.ports) {
        if matches!(planned.kind, PortKind::Unused) {
            continue;
        }
        let drops: u64 = port.drops.values().sum();
        table.row([
            port.name.clone(),
            onto(network, &config.name, port.port),
            if port.up { "up" } else { "down" }.to_owned(),
            port.bfd.clone().unwrap_or_default(),
            port.reason.clone().unwrap_or_default(),
            drops.to_string(),
        ]);
    }
    let mut text = table.text();
    for port in &view.ports {
        for (reason, packets) in &port.drops {
            text.push_str(&format!("{packets} packets from {} dropped: {reason}\n", port.name));
        }
    }
    text
}

/// What is behind a port.
fn onto(network: &Network, router: &str, port: PortId) -> String {
    let plan = network.plan();
    let is_here = |end: &LinkEnd| end.router == router && end.port == port;
    if let Some(link) = plan.links.iter().find(|link| link.ends.iter().any(is_here)) {
        return link.name.clone();
    }
    let lan = plan.attachments.iter().find(|lan| lan.router == router && lan.port == port);
    lan.map_or_else(String::new, |lan| format!("{} in {}", lan.site, lan.virtual_network))
}

fn state_words(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Cut => "cut",
        LinkState::Silent => "cut silently: it swallows everything",
    }
}

fn link(network: &Network, number: usize, link: &Link) -> Answer {
    let state = state_words(network.link_state(number));
    let affected = would_be_cut_off(network, &network.reach_without(&[], &[number]));
    let kind = match link.kind {
        LinkKind::Core => "core link",
        LinkKind::Uplink => "uplink",
    };
    let [a, b] = &link.ends;
    let mut text = format!("{}: {kind}, {state}\n", link.name);
    text.push_str(&format!("between {} and {}\n", a.router, b.router));
    text.push_str(&format!(
        "{} ms one way, {} Mbit/s there, {} Mbit/s back\n",
        f64::from(link.delay_us) / 1e3,
        f64::from(link.rate_kbps) / 1e3,
        f64::from(link.rate_back_kbps) / 1e3,
    ));
    if !link.shared_risks.is_empty() {
        text.push_str(&format!("shares its risk with: {}\n", list(&link.shared_risks)));
    }
    let mut table = Table::of_words(&["router", "port", "link", "bfd", "why not"]);
    for end in &link.ends {
        let [port, state, bfd, reason] = end_cells(network, end);
        table.row([end.router.clone(), port, state, bfd, reason]);
    }
    text.push_str(&table.text());
    let good = network.link_state(number) == LinkState::Up;
    if good {
        text.push_str(&if_it_fails(&affected));
    }
    let data = json!({ "link": link, "state": state, "if_it_fails_cut_off": affected });
    Answer::new(&data, text).judged(good)
}

/// A link's end as its router sees it: port, link, BFD, why not.
fn end_cells(network: &Network, end: &LinkEnd) -> [String; 4] {
    let view = network.router(&end.router).map(Router::view);
    let port = view.and_then(|view| view.ports.into_iter().find(|port| port.port == end.port));
    match port {
        Some(port) => [
            port.name,
            if port.up { "up" } else { "down" }.to_owned(),
            port.bfd.unwrap_or_default(),
            port.reason.unwrap_or_default(),
        ],
        None => {
            let reason = format!("`{}` has no power", end.router);
            [String::new(), "down".to_owned(), String::new(), reason]
        }
    }
}

fn prefixes(lan: &Attachment) -> String {
    lan.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn site(network: &Network, number: usize) -> Option<Answer> {
    let plan = network.plan();
    let site = plan.sites.get(number)?;
    let standing = network.reach().standing(&site.router);
    let mut text = format!("{}: {}, {}\n", site.code, site.name, site.kind);
    text.push_str(&format!("of {}; router {}\n", site.organisation, site.router));
    text.push_str(&format!("{}\n", standing.words()));
    let lans: Vec<_> = plan.attachments.iter().filter(|lan| lan.site == site.code).collect();
    let mut table = Table::of_words(&["virtual network", "addresses"]);
    for lan in &lans {
        table.row([lan.virtual_network.clone(), prefixes(lan)]);
    }
    text.push_str(&table.text());
    let applications: Vec<_> =
        plan.applications.iter().filter(|one| one.site == site.code).collect();
    for application in &applications {
        text.push_str(&format!(
            "application `{}`: {}\n",
            application.name,
            listens(&application.listens)
        ));
    }
    let uplinks = plan.links.iter().enumerate().filter(|(_, link)| {
        link.kind == LinkKind::Uplink && link.ends.iter().any(|end| end.router == site.router)
    });
    let uplinks: Vec<_> =
        uplinks.map(|(number, link)| (link, state_words(network.link_state(number)))).collect();
    let view = network.router(&site.router).map(Router::view);
    let mut table = Table::of_words(&["uplink", "fault", "link", "bfd", "why not"]);
    for (link, state) in &uplinks {
        let fault = if *state == "up" { "none" } else { state };
        let [_, site_end] = &link.ends;
        let [_, link_state, bfd, reason] = end_cells(network, site_end);
        table.row([link.name.clone(), fault.to_owned(), link_state, bfd, reason]);
    }
    text.push_str(&table.text());
    text.push_str(&view.as_ref().map(show::neighbours).unwrap_or_default());
    let data = json!({
        "site": site,
        "standing": standing,
        "lans": lans,
        "applications": applications,
        "uplinks": uplinks.iter().map(|(link, state)| json!({
            "link": link.name, "state": state,
        })).collect::<Vec<_>>(),
        "sessions": view.map(|view| view.sessions),
    });
    Some(Answer::new(&data, text).judged(standing.is_connected()))
}

fn virtual_network(network: &Network, name: &str) -> Answer {
    let plan = network.plan();
    let reach = network.reach();
    let lans: Vec<_> = plan.attachments.iter().filter(|lan| lan.virtual_network == name).collect();
    let applications: Vec<_> =
        plan.applications.iter().filter(|one| one.virtual_network == name).collect();
    let communities: Vec<_> = plan
        .communities
        .iter()
        .filter(|community| {
            let offers = applications.iter().any(|one| community.applications.contains(&one.name));
            offers || community.members.iter().any(|member| member == name)
        })
        .collect();
    let mut text = format!("{name}: virtual network, {}\n", count(lans.len(), "site", "sites"));
    for application in &applications {
        text.push_str(&format!(
            "application `{}` at {}: {}\n",
            application.name,
            application.site,
            listens(&application.listens)
        ));
    }
    for community in &communities {
        let expires = community.expires.as_deref().unwrap_or("never");
        text.push_str(&format!(
            "community `{}`: {} reach {}; expires {expires}\n",
            community.name,
            list(&community.members),
            list(&community.applications),
        ));
    }
    let mut table = Table::of_words(&["site", "addresses", "connected"]);
    let mut good = true;
    for lan in &lans {
        let standing = reach.standing(&lan.router);
        good &= standing.is_connected();
        table.row([lan.site.clone(), prefixes(lan), standing_in_table(standing).to_owned()]);
    }
    text.push_str(&table.text());
    let data = json!({
        "virtual_network": name,
        "lans": lans,
        "applications": applications,
        "communities": communities,
        "cut_off": lans.iter().filter(|lan| !reach.standing(&lan.router).is_connected())
            .map(|lan| lan.site.as_str()).collect::<Vec<_>>(),
    });
    Answer::new(&data, text).judged(good)
}

const fn standing_in_table(standing: Standing) -> &'static str {
    match standing {
        Standing::Whole => "yes",
        Standing::OneUplinkLess => "yes, over one uplink less",
        Standing::Apart => "no: its part of the core is cut off",
        Standing::CutOff => "no: no uplink is left",
        Standing::NoPower => "no: its router has no power",
    }
}

fn pop(network: &Network, name: &str, routers: &[usize]) -> Answer {
    let plan = network.plan();
    let affected = would_be_cut_off(network, &network.reach_without(routers, &[]));
    let mut table = Table::of_words(&["router", "state", "uplinks", "core links"]);
    let mut rows = Vec::new();
    for &number in routers {
        let Some(router) = plan.routers.get(number) else { continue };
        let links = |kind: LinkKind| {
            let ends_here = |link: &&Link| link.ends.iter().any(|end| end.router == router.name);
            plan.links.iter().filter(|link| link.kind == kind).filter(ends_here).count()
        };
        let runs = network.router_runs(number);
        let (uplinks, core_links) = (links(LinkKind::Uplink), links(LinkKind::Core));
        let state = if runs { "running" } else { "without power" };
        let (up, core) = (uplinks.to_string(), core_links.to_string());
        table.row([router.name.clone(), state.to_owned(), up, core]);
        rows.push(json!({
            "router": router.name,
            "running": runs,
            "uplinks": uplinks,
            "core_links": core_links,
        }));
    }
    let good = routers.iter().all(|&number| network.router_runs(number));
    let mut text = format!("{name}: point of presence\n{}", table.text());
    if good {
        text.push_str(&if_it_fails(&affected));
    } else {
        let now = network.reach().affected(plan);
        let cut_off: Vec<_> =
            now.into_iter().filter(|site| !site.standing.is_connected()).collect();
        text.push_str(&cut::affected(&cut_off, &[]));
    }
    let data = json!({ "pop": name, "routers": rows, "if_it_fails_cut_off": affected });
    Answer::new(&data, text).judged(good)
}
