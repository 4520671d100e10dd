//! Answers of a lab.

use serde::Serialize;
use serde_json::{Value, json};

use crate::control::request::{self, Cut, Mend, Request, Show, Status};
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::lab::Lab;
use crate::lab::routers::Process;
use crate::lan;
use crate::network::names::{Thing, find, find_router};
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
        Request::Ping(_) | Request::Trace(_) => Err(Failure::network("a lab has real hosts")
            .hint("run the real thing on one: `weald shell H1 -- ping 10.1.1.1`")),
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
        Show::Routes(asked) => Some(&asked.router),
        Show::Global(named) | Show::Labels(named) | Show::Neighbours(named) => Some(&named.router),
        Show::Events(asked) => asked.router.as_ref(),
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
        Show::Events(asked) => asked.router = Some(name.clone()),
    }
    ask_router(lab, &name, &Request::Show(show))
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
        if lab.processes.get(&number).is_some_and(|process| process.number().is_none()) {
            let process = lab.start_router(number)?;
            lab.processes.insert(number, process);
        }
    }
    let what = asked.name.as_deref().unwrap_or("everything");
    Ok(Answer::new(&json!({ "mended": what }), format!("{what} is mended\n")))
}
