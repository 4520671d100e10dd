//! `weald show`: a router's tables, and why each path is used or not.

use core::net::IpAddr;

use base::{LabelSpace, Prefix};
use model::config::RouterConfig;
use model::plan::Plan;
use model::tables::RouterTables;
use model::view::{HopView, LabelView, RouterView, VrfRouteView};

use router::Router;
use serde_json::Value;

use crate::collected;
use crate::control::request::{Routes, Show};
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::Event;
use crate::network::names::unknown;
use crate::screen::{Align, Table, count, moment, number};

/// Whoever has routers to look into: a whole network, or one router alone.
pub(crate) trait Inspect {
    /// The name of the router that is meant.
    fn find<'a>(&'a self, name: &str) -> Result<&'a str, Failure>;
    /// The names of all routers.
    fn names(&self) -> Vec<&str>;
    /// The plan, where it is known.
    fn plan(&self) -> Option<&Plan>;
    /// A router's configuration.
    fn config(&self, router: &str) -> Option<&RouterConfig>;
    /// A router; none where it does not run.
    fn router(&self, name: &str) -> Option<&Router>;
    /// What happened lately, the oldest first.
    fn happened(&self) -> Vec<&Event>;
}

/// Shows a table.
pub(crate) fn answer(network: &impl Inspect, show: &Show) -> Result<Answer, Failure> {
    match show {
        Show::Routes(asked) => routes(network, asked),
        Show::Global(named) => global(network, &named.router),
        Show::Labels(named) => labels(network, &named.router),
        Show::Neighbours(named) => {
            let view = running(network, &named.router)?.view();
            Ok(Answer::new(&view, neighbours(&view)))
        }
        Show::Tables(asked) => match &asked.router {
            Some(name) => {
                let tables = running(network, name)?.forwarding_tables();
                Ok(Answer::new(&tables, in_numbers(&tables)))
            }
            None => {
                let names = network.names();
                let running = names.into_iter().filter_map(|name| network.router(name));
                let all: Vec<RouterTables> = running.map(Router::forwarding_tables).collect();
                Ok(Answer::new(&all, all_in_numbers(all.len())))
            }
        },
        Show::Plan => Ok(plan(network.plan())),
        Show::Events(asked) => events(network, asked.router.as_deref()),
    }
}

/// The failure of asking a router that does not run.
fn without_power(router: &str) -> Failure {
    Failure::network(format!("`{router}` has no power")).hint(format!("weald mend {router}"))
}

/// What a route must have to do with.
enum Wanted {
    All,
    Holding(IpAddr),
    Within(Prefix),
}

impl Wanted {
    fn read(text: Option<&str>) -> Result<Self, Failure> {
        let Some(text) = text else { return Ok(Self::All) };
        if let Ok(address) = text.parse() {
            return Ok(Self::Holding(address));
        }
        text.parse().map(Self::Within).map_err(|_| {
            Failure::input(format!("`{text}` is no address and no prefix"))
                .hint("write `10.2.0.7` or `10.2.0.0/16`, without host bits")
        })
    }

    fn fits(&self, prefix: Prefix) -> bool {
        match self {
            Self::All => true,
            Self::Holding(address) => prefix.contains(*address),
            Self::Within(wanted) => {
                (wanted.len() <= prefix.len() && wanted.contains(prefix.addr()))
                    || (prefix.len() <= wanted.len() && prefix.contains(wanted.addr()))
            }
        }
    }
}

/// The router that is meant, where it runs.
fn running<'a>(network: &'a impl Inspect, name: &str) -> Result<&'a Router, Failure> {
    let name = network.find(name)?;
    network.router(name).ok_or_else(|| without_power(name))
}

/// How much there is in a router's tables.
fn in_numbers(tables: &RouterTables) -> String {
    let mut table = Table::new(&[("table", Align::Left), ("entries", Align::Right)]);
    for vrf in &tables.vrfs {
        table.row([format!("vrf {}", vrf.name), number(vrf.routes.len() as u64)]);
        table.row([format!("access rules of {}", vrf.name), number(vrf.rules.len() as u64)]);
    }
    for (name, entries) in [
        ("labels", tables.labels.len()),
        ("global", tables.global.len()),
        ("transports", tables.transports.len()),
    ] {
        table.row([name.to_owned(), number(entries as u64)]);
    }
    format!("{}hint: `--json` prints them\n", table.text())
}

/// How many routers have told their tables.
pub(crate) fn all_in_numbers(routers: usize) -> String {
    let routers = count(routers, "router", "routers");
    format!("the forwarding tables of {routers}\nhint: `--json` prints them\n")
}

/// The plan, without its keys; a router alone does not know it.
pub(crate) fn plan(plan: Option<&Plan>) -> Answer {
    let Some(plan) = plan else {
        let text = "a router knows nothing of the plan but its own configuration\n";
        return Answer::new(&Value::Null, text).judged(false);
    };
    let mut bare = plan.clone();
    collected::remove_keys(&mut bare);
    let text = format!(
        "{}, plan {}: {} and {}\nhint: `--json` prints it, without its keys\n",
        plan.region,
        plan.generation,
        count(plan.routers.len(), "router", "routers"),
        count(plan.links.len(), "link", "links")
    );
    Answer::new(&bare, text)
}

fn routes(network: &impl Inspect, asked: &Routes) -> Result<Answer, Failure> {
    let name = network.find(&asked.router)?;
    let wanted = Wanted::read(asked.prefix.as_deref())?;
    let config = network.config(name);
    let vrfs = config.map_or(&[][..], |config| config.vrfs.as_slice());
    if let Some(vrf) = &asked.vrf {
        let known = vrfs.iter().any(|one| one.name == *vrf || one.virtual_network == *vrf);
        if !known {
            let names = vrfs.iter().map(|vrf| vrf.name.as_str());
            let hint = format!("`{name}` has no vrf: virtual networks end at site routers");
            return Err(unknown(&format!("vrf of `{name}`"), vrf, names, &hint));
        }
    }
    let mut routes = running(network, name)?.vrf_routes(asked.vrf.as_deref());
    routes.retain(|route| wanted.fits(route.prefix));
    let text = if vrfs.is_empty() {
        format!("`{name}` has no vrf: virtual networks end at site routers\n")
    } else {
        routes_text(&routes)
    };
    Ok(Answer::new(&routes, text))
}

fn routes_text(routes: &[VrfRouteView]) -> String {
    let mut text = String::new();
    let mut vrf = "";
    for route in routes {
        if route.vrf != vrf {
            vrf = &route.vrf;
            text.push_str(&format!("vrf {vrf}\n"));
        }
        text.push_str(&format!("  {}  {}\n", route.prefix, route.forwarding));
        for path in &route.paths {
            let mark = if path.used { '*' } else { ' ' };
            text.push_str(&format!(
                "   {mark} from {} next hop {} label {} rd {}\n",
                path.neighbour, path.next_hop, path.label, path.rd
            ));
            let via = if path.as_path.is_empty() { "no AS" } else { &path.as_path };
            text.push_str(&format!("       {}; as path: {via}\n", path.reason));
        }
    }
    text.push_str(&format!("{} routes; `*` marks the path in use\n", number(routes.len() as u64)));
    text
}

fn hops(hops: &[HopView]) -> String {
    let one = |hop: &HopView| {
        let labels: Vec<_> = hop.labels.iter().map(ToString::to_string).collect();
        let under =
            if labels.is_empty() { String::new() } else { format!(" under {}", labels.join(" ")) };
        format!("{} {}{under}", hop.port, hop.neighbour)
    };
    hops.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn global(network: &impl Inspect, router: &str) -> Result<Answer, Failure> {
    let name = network.find(router)?;
    let routes = running(network, name)?.global_routes();
    let mut table =
        Table::new(&[("prefix", Align::Left), ("metric", Align::Right), ("via", Align::Left)]);
    for route in &routes {
        table.row([route.prefix.to_string(), route.metric.to_string(), hops(&route.hops)]);
    }
    let text = if table.is_empty() {
        format!("`{name}` has no routes of the region: it is not in the core\n")
    } else {
        table.text()
    };
    Ok(Answer::new(&routes, text))
}

fn labels(network: &impl Inspect, router: &str) -> Result<Answer, Failure> {
    let name = network.find(router)?;
    let labels = running(network, name)?.label_views();
    let config = network.config(name);
    let space = |label: &LabelView| match label.space {
        LabelSpace::Platform => "platform".to_owned(),
        LabelSpace::Port(port) => {
            let index = usize::try_from(port.0).unwrap_or(usize::MAX);
            let port = config.and_then(|config| config.ports.get(index));
            port.map_or_else(String::new, |port| port.name.clone())
        }
    };
    let columns = [
        ("label", Align::Right),
        ("space", Align::Left),
        ("action", Align::Left),
        ("via", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for label in &labels {
        let (action, via) = (label.action.clone(), hops(&label.hops));
        table.row([label.label.to_string(), space(label), action, via]);
    }
    let text = format!("{}{} labels\n", table.text(), number(labels.len() as u64));
    Ok(Answer::new(&labels, text))
}

/// A router's adjacencies and sessions as tables.
pub(crate) fn neighbours(view: &RouterView) -> String {
    let mut text = String::new();
    if !view.adjacencies.is_empty() {
        let columns = ["adjacency with", "on port", "state", "since", "why not"];
        let mut table = Table::of_words(&columns);
        for one in &view.adjacencies {
            let port = view.ports.iter().find(|port| port.port == one.port);
            table.row([
                one.neighbour.clone(),
                port.map_or_else(String::new, |port| port.name.clone()),
                one.state.clone(),
                moment(one.since),
                one.reason.clone().unwrap_or_default(),
            ]);
        }
        text.push_str(&table.text());
    }
    for (reason, count) in &view.refusals {
        text.push_str(&format!("{} messages refused: {reason}\n", number(*count)));
    }
    if !view.sessions.is_empty() {
        let columns = [
            ("session with", Align::Left),
            ("address", Align::Left),
            ("state", Align::Left),
            ("since", Align::Right),
            ("accepted", Align::Right),
            ("sent", Align::Right),
            ("refused", Align::Right),
            ("why not", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for one in &view.sessions {
            table.row([
                one.neighbour.clone(),
                one.address.to_string(),
                one.state.clone(),
                moment(one.since),
                one.accepted.to_string(),
                one.sent.to_string(),
                one.refused.values().sum::<u64>().to_string(),
                one.reason.clone().unwrap_or_default(),
            ]);
        }
        text.push_str(&table.text());
        for one in &view.sessions {
            if let Some(until) = one.stale_until {
                text.push_str(&format!(
                    "{} routes of {} are kept while it restarts, until {}\n",
                    one.stale,
                    one.neighbour,
                    moment(until)
                ));
            }
            for (reason, count) in &one.refused {
                text.push_str(&format!(
                    "{count} routes from {} refused: {reason}\n",
                    one.neighbour
                ));
            }
        }
    }
    text
}

fn events(network: &impl Inspect, router: Option<&str>) -> Result<Answer, Failure> {
    /// What fits on a screen.
    const SHOWN: usize = 40;
    let router = router.map(|name| network.find(name)).transpose()?;
    let is_wanted = |event: &&Event| router.is_none_or(|router| event.router == router);
    let events: Vec<&Event> = network.happened().into_iter().filter(is_wanted).collect();
    let mut table =
        Table::new(&[("at", Align::Right), ("router", Align::Left), ("what", Align::Left)]);
    for event in events.iter().skip(events.len().saturating_sub(SHOWN)) {
        table.row([moment(event.at), event.router.clone(), event.text.clone()]);
    }
    let text = match router {
        Some(router) if events.is_empty() => format!("nothing is known of `{router}`\n"),
        _ => table.text(),
    };
    Ok(Answer::new(&events, text))
}

#[cfg(test)]
mod tests {
    use super::Wanted;

    #[test]
    fn routes_are_found_by_address_by_what_holds_them_and_by_what_they_hold() {
        let route = "10.2.0.0/24".parse().unwrap();
        let cases = [
            (None, true),
            (Some("10.2.0.7"), true),
            (Some("10.2.1.7"), false),
            (Some("10.2.0.0/16"), true),
            (Some("10.2.0.0/24"), true),
            (Some("10.2.0.128/25"), true),
            (Some("10.3.0.0/16"), false),
            (Some("fd00::/8"), false),
        ];
        for (text, fits) in cases {
            assert_eq!(Wanted::read(text).ok().unwrap().fits(route), fits, "{text:?}");
        }
        assert_eq!(Wanted::read(Some("10.2.0.7/16")).err().unwrap().code(), 2);
    }
}
