//! Answers of a lab.

use core::net::IpAddr;

use model::config::RouterConfig;
use model::plan::Plan;
use router::Router;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answers::show::{self, Inspect as _};
use crate::control::request::{self, Cut, Mend, OneOrAll, Request, Show, Status};
use crate::control::response::Answer;
use crate::daemon::probed::{Pinged, Traced, Way};
use crate::failure::Failure;
use crate::lab::Lab;
use crate::lab::routers::Process;
use crate::lan;
use crate::network::explain;
use crate::network::names::{Thing, find, find_router};
use crate::network::probe::{Aim, aim};
use crate::screen::{Align, Table, count, number};

/// Answers a request, or passes it on to the router that it is about.
pub(crate) fn answer(lab: &mut Lab, request: &Request) -> Result<Answer, Failure> {
    match request {
        Request::Status(asked) => match &asked.name {
            Some(name) => router_status(lab, name),
            None => Ok(status(lab)),
        },
        Request::Show(show) => passed_on(lab, show),
        Request::Lan(asked) => lan(lab, asked),
        Request::Cut(asked) => cut(lab, asked),
        Request::Mend(asked) => mend(lab, asked),
        Request::Ping(asked) => ping(lab, asked),
        Request::Trace(asked) => trace(lab, asked),
        Request::Metrics => Err(Failure::network("figures are given by the routers themselves")
            .hint("their sockets are in the lab's folder: `weald status` says where")),
        Request::Down => Err(Failure::input("the lab cannot be stopped from within")),
    }
}

#[derive(Debug, Serialize)]
struct RouterLine {
    router: String,
    process: Option<u32>,
    well: bool,
    /// What the router itself says.
    #[serde(skip_serializing_if = "Value::is_null")]
    says: Value,
}

fn router_line(process: &Process, request: &Request) -> RouterLine {
    let says = process.ask(request).ok();
    RouterLine {
        router: process.name().to_owned(),
        process: process.number(),
        well: says.as_ref().is_some_and(|answer| answer.good),
        says: says.map_or(Value::Null, |answer| answer.data),
    }
}

/// The lab at a glance. It is well while every router is.
pub(crate) fn status(lab: &mut Lab) -> Answer {
    let request = Request::Status(Status { name: None });
    let processes = &lab.processes;
    let lines: Vec<RouterLine> = lab
        .rest
        .meanwhile(|| processes.values().map(|process| router_line(process, &request)).collect());
    let rest = lab.rest.progress();
    let good = lines.iter().all(|line| line.well) && rest.sessions.0 == rest.sessions.1;
    let plan = &lab.plan;
    let cut: Vec<&str> =
        lab.cut.iter().filter_map(|n| Some(plan.links.get(*n)?.name.as_str())).collect();
    let mut text = format!(
        "{}, plan {}: {} and {}\n",
        plan.region,
        plan.generation,
        count(plan.routers.len(), "router", "routers"),
        count(plan.links.len(), "link", "links")
    );
    text.push_str(&table(&lines));
    if rest.routers.0 > 0 {
        text.push_str(&format!(
            "the rest: {} in this process, {} of {} sessions\n",
            count(rest.routers.0, "router", "routers"),
            number(rest.sessions.0 as u64),
            number(rest.sessions.1 as u64)
        ));
    }
    for link in &cut {
        text.push_str(&format!("{link} is cut\n"));
    }
    let folder = lab.folder.file("").display().to_string();
    text.push_str(&format!("configurations, logs and sockets are in {folder}\n"));
    let data = json!({
        "region": plan.region, "generation": plan.generation, "routers": lines, "cut": cut,
        "folder": folder,
    });
    Answer::new(&data, text).judged(good)
}

fn table(lines: &[RouterLine]) -> String {
    let columns = [
        ("router", Align::Left),
        ("process", Align::Right),
        ("state", Align::Left),
        ("adjacencies", Align::Left),
        ("sessions", Align::Left),
        ("routes", Align::Right),
        ("memory KiB", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for line in lines {
        let state = match (line.process, line.well) {
            (None, _) => "no power",
            (Some(_), true) => "well",
            (Some(_), false) => "not well",
        };
        let process = line.process.map_or_else(String::new, |process| process.to_string());
        table.row([
            line.router.clone(),
            process,
            state.to_owned(),
            up(&line.says, "adjacencies"),
            up(&line.says, "sessions"),
            figure(&line.says, "/sizes/vrf_routes"),
            figure(&line.says, "/resident_kib"),
        ]);
    }
    table.text()
}

/// How many of a router's adjacencies or sessions are up, of how many.
fn up(says: &Value, what: &str) -> String {
    let Some(all) = says.get(what).and_then(Value::as_array) else { return String::new() };
    let up = all.iter().filter(|one| one.get("up") == Some(&Value::Bool(true))).count();
    format!("{up} of {}", all.len())
}

fn figure(says: &Value, pointer: &str) -> String {
    says.pointer(pointer).and_then(Value::as_u64).map_or_else(String::new, number)
}

fn router_status(lab: &mut Lab, name: &str) -> Result<Answer, Failure> {
    ask_router(lab, name, &Request::Status(Status { name: None }))
}

fn ask_router(lab: &mut Lab, name: &str, request: &Request) -> Result<Answer, Failure> {
    let name = find_router(&lab.plan, name)?;
    let process = lab.processes.values().find(|process| process.name() == name);
    let process = process.ok_or_else(|| {
        Failure::network(format!("`{name}` has no process of its own"))
            .hint("`weald lab --site` gives one to a site's router")
    })?;
    lab.rest.meanwhile(|| process.ask(request))
}

/// A table of one router, by the name that it knows itself.
fn passed_on(lab: &mut Lab, show: &Show) -> Result<Answer, Failure> {
    let asked = match show {
        Show::Plan => return Ok(show::plan(Some(&lab.plan))),
        Show::Tables(OneOrAll { router: None }) => return Ok(all_tables(lab)),
        Show::Routes(asked) => Some(&asked.router),
        Show::Global(named) | Show::Labels(named) | Show::Neighbours(named) => Some(&named.router),
        Show::Events(asked) | Show::Tables(asked) => asked.router.as_ref(),
    };
    let Some(asked) = asked else {
        return Err(Failure::input("in a lab each router keeps its own events")
            .hint("name one: `weald show events lewes-1`"));
    };
    let name = find_router(&lab.plan, asked)?.to_owned();
    let mut show = show.clone();
    match &mut show {
        Show::Routes(asked) => asked.router.clone_from(&name),
        Show::Global(named) | Show::Labels(named) | Show::Neighbours(named) => {
            named.router.clone_from(&name);
        }
        Show::Events(asked) | Show::Tables(asked) => asked.router = Some(name.clone()),
        Show::Plan => {}
    }
    ask_router(lab, &name, &Request::Show(show))
}

/// The tables of every router that gives them: of processes and of those that run in this one.
fn all_tables(lab: &mut Lab) -> Answer {
    let of_own = Request::Show(Show::Tables(OneOrAll { router: None }));
    let processes = &lab.processes;
    let mut all: Vec<Value> = lab.rest.meanwhile(|| {
        let answers = processes.values().filter_map(|process| process.ask(&of_own).ok());
        answers.flat_map(|answer| answer.data.as_array().cloned().unwrap_or_default()).collect()
    });
    let here = lab.plan.routers.iter().filter_map(|config| lab.rest.router(&config.name));
    let value = |router: &Router| serde_json::to_value(router.forwarding_tables()).ok();
    all.extend(here.filter_map(value));
    let text = show::all_in_numbers(all.len());
    Answer::new(&all, text)
}

/// A router that is to probe, and what was meant by it.
struct Meant {
    router: String,
    /// The same for the router, which knows addresses alone.
    probe: request::Probe,
    /// Of a site; none between core routers.
    aim: Option<Aim>,
}

fn meant(lab: &Lab, asked: &request::Probe) -> Result<Meant, Failure> {
    let plan = &lab.plan;
    if asked.port.is_some() {
        let failure = Failure::input("a lab's routers send echo requests, and none to a port");
        let aim = aim(plan, asked, &|lan, v6| host_address(lab, lan, v6))?;
        return Err(failure.hint(real_thing(&aim)));
    }
    let named = |name: &str| plan.routers.iter().find(|router| router.name == name);
    if let Some(from) = named(&asked.from) {
        let loopback = named(&asked.to).and_then(|to| to.loopback.as_ref());
        let loopback = loopback.and_then(|own| {
            if asked.v6 { own.v6.map(IpAddr::V6) } else { Some(IpAddr::V4(own.v4)) }
        });
        let to = loopback.map_or_else(|| asked.to.clone(), |own| own.to_string());
        let probe = request::Probe { to, ..asked.clone() };
        return Ok(Meant { router: from.name.clone(), probe, aim: None });
    }
    let aim = aim(plan, asked, &|lan, v6| host_address(lab, lan, v6))?;
    let router = plan.attachments.get(aim.lan).map(|lan| lan.router.clone()).unwrap_or_default();
    let probe = request::Probe {
        from: router.clone(),
        to: aim.flow.destination.to_string(),
        network: Some(aim.from.network.clone()),
        ..asked.clone()
    };
    Ok(Meant { router, probe, aim: Some(aim) })
}

/// How to reach what was meant with a program.
fn real_thing(aim: &Aim) -> String {
    let (site, to) = (&aim.from.site, aim.flow.destination);
    let host = if to.is_ipv6() { format!("[{to}]") } else { to.to_string() };
    format!("try the real thing, as `weald shell {site} -- curl https://{host}/`")
}

/// The address of a LAN's host, real or simulated.
fn host_address(lab: &Lab, lan: usize, v6: bool) -> Option<IpAddr> {
    match lab.wiring.lan(lan) {
        Some(host) => host.addresses.iter().copied().find(|address| address.is_ipv6() == v6),
        None => lab.rest.host_address(lan, v6),
    }
}

/// Says of a router's answer what the plan knows; the words are from where to where.
fn explained(plan: &Plan, aim: Option<Aim>, way: &mut Way) -> (Option<Aim>, String) {
    let Some(aim) = aim.map(|aim| aim.by_echo(way.source)) else { return (None, way.words()) };
    way.from.clone_from(&aim.from.site);
    way.to = aim.to.as_ref().map(|to| to.site.clone());
    way.application.clone_from(&aim.application);
    way.refusal = explain::refusal(plan, &aim.wanted());
    let words = aim.words();
    (Some(aim), words)
}

fn ping(lab: &mut Lab, asked: &request::Ping) -> Result<Answer, Failure> {
    let Meant { router, probe, aim } = meant(lab, &asked.probe)?;
    let request = Request::Ping(request::Ping { probe, count: asked.count });
    let answer = ask_router(lab, &router, &request)?;
    let Ok(mut pinged) = serde_json::from_value::<Pinged>(answer.data.clone()) else {
        return Ok(answer);
    };
    let (aim, words) = explained(&lab.plan, aim, &mut pinged.way);
    let text = pinged.text(&words) + &hint(aim.as_ref(), pinged.is_good());
    Ok(Answer::new(&pinged, text).judged(pinged.is_good()))
}

fn trace(lab: &mut Lab, asked: &request::Trace) -> Result<Answer, Failure> {
    let Meant { router, probe, aim } = meant(lab, &asked.probe)?;
    let answer = ask_router(lab, &router, &Request::Trace(request::Trace { probe }))?;
    let Ok(mut traced) = serde_json::from_value::<Traced>(answer.data.clone()) else {
        return Ok(answer);
    };
    let (aim, words) = explained(&lab.plan, aim, &mut traced.way);
    for hop in &mut traced.hops {
        hop.name = hop.address.and_then(|address| name_of(&lab.plan, aim.as_ref(), address));
    }
    let text = traced.text(&words) + &hint(aim.as_ref(), traced.is_good());
    Ok(Answer::new(&traced, text).judged(traced.is_good()))
}

/// An application need not answer echo requests.
fn hint(aim: Option<&Aim>, is_good: bool) -> String {
    let asked = aim.filter(|aim| !is_good && aim.application.is_some());
    asked.map_or_else(String::new, |aim| format!("hint: {}\n", real_thing(aim)))
}

/// Who has an address that shows itself on the way: a core router, a site's router, or whoever was
/// meant.
fn name_of(plan: &Plan, aim: Option<&Aim>, address: IpAddr) -> Option<String> {
    let has = |router: &&RouterConfig| {
        let own = router.loopback.as_ref();
        own.is_some_and(|own| own.v4 == address || own.v6.is_some_and(|v6| v6 == address))
    };
    if let Some(router) = plan.routers.iter().find(has) {
        return Some(router.name.clone());
    }
    let Aim { from, to, flow, application, .. } = aim?;
    let networks = [to.as_ref().map_or(&from.network, |to| &to.network), &from.network];
    let router = networks.into_iter().find_map(|network| {
        let here = plan.attachments.iter().filter(|lan| lan.virtual_network == *network);
        let lan = here.into_iter().find(|lan| lan.gateways.contains(&address))?;
        Some(lan.router.clone())
    });
    let target = || application.clone().or_else(|| Some(to.as_ref()?.site.clone()));
    router.or_else(|| if address == flow.destination { target() } else { None })
}

fn lan(lab: &Lab, asked: &request::Lan) -> Result<Answer, Failure> {
    let number = lan::find(&lab.plan, asked)?;
    let host = lab.wiring.lan(number).zip(lab.plan.attachments.get(number));
    let (host, attachment) = host.ok_or_else(|| Failure::network("there is no such LAN"))?;
    Ok(host.answer(attachment))
}

/// What can be cut: links, by their carrier, and routers, by their power.
enum Victims {
    Link(usize),
    Routers(Vec<usize>),
}

fn victims(lab: &Lab, name: &str) -> Result<Victims, Failure> {
    let plan = &lab.plan;
    let of_site = |number: usize| {
        let router = plan.sites.get(number).map(|site| site.router.as_str());
        plan.routers.iter().position(|config| Some(config.name.as_str()) == router)
    };
    match find(plan, name)? {
        Thing::Link(number) => Ok(Victims::Link(number)),
        Thing::Router(number) => Ok(Victims::Routers(vec![number])),
        Thing::Site(number) => Ok(Victims::Routers(of_site(number).into_iter().collect())),
        Thing::Pop(_, routers) => Ok(Victims::Routers(routers)),
        Thing::VirtualNetwork(_) => Err(Failure::input(format!("`{name}` is a virtual network"))
            .hint("what can be cut is a link, a router, a site or `pop:NAME`")),
    }
}

fn cut(lab: &mut Lab, asked: &Cut) -> Result<Answer, Failure> {
    if asked.silent {
        return Err(Failure::network("a lab cuts links by their carrier")
            .hint("`weald up` has links that swallow everything"));
    }
    match victims(lab, &asked.name)? {
        Victims::Link(number) => {
            lab.wiring.set_link(&lab.plan, number, false)?;
            if !lab.cut.contains(&number) {
                lab.cut.push(number);
            }
        }
        Victims::Routers(numbers) => {
            for number in numbers {
                if let Some(process) = lab.processes.get_mut(&number) {
                    process.kill();
                }
            }
        }
    }
    let text = format!("{} is cut\nhint: `weald mend {0}`\n", asked.name);
    Ok(Answer::new(&json!({ "cut": asked.name }), text))
}

fn mend(lab: &mut Lab, asked: &Mend) -> Result<Answer, Failure> {
    let (links, routers) = match &asked.name {
        Some(name) => match victims(lab, name)? {
            Victims::Link(number) => (vec![number], Vec::new()),
            Victims::Routers(numbers) => (Vec::new(), numbers),
        },
        None => (lab.cut.clone(), lab.processes.keys().copied().collect()),
    };
    for number in links {
        lab.wiring.set_link(&lab.plan, number, true)?;
        lab.cut.retain(|cut| *cut != number);
    }
    for number in routers {
        let Some(process) = lab.processes.get_mut(&number) else { continue };
        if lab.rest.meanwhile(|| process.is_gone()) {
            let process = lab.start_router(number)?;
            lab.processes.insert(number, process);
        }
    }
    let what = asked.name.as_deref().unwrap_or("everything");
    Ok(Answer::new(&json!({ "mended": what }), format!("{what} is mended\n")))
}
