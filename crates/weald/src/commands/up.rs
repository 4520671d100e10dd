//! `weald up`: a whole region on this machine.

use std::time::Instant;

use host::namespace::Namespace;
use host::tap::Tap;
use serde_json::Value;
use twin::Outside;
use twin::survey::Survey;

use crate::arguments::{Attach, Up};
use crate::control::listener::Listener;
use crate::control::{serve, socket};
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::lan::{self, Host};
use crate::load::{Loaded, load};
use crate::network::{self, Network};
use crate::output;
use crate::progress::Shown;
use crate::report::{Report, Run};
use crate::screen::count;

/// The number of the plan: a network that starts anew has no older one.
const GENERATION: u64 = 1;

pub(crate) fn run(arguments: &Up, json: bool) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let as_of = arguments.date.or_else(day::today);
    let loaded = load(&arguments.folder, GENERATION, as_of)?;
    loaded.tell_remarks();
    if let Err(failure) = loaded.write_lock(&arguments.folder) {
        // The network comes up all the same; the next start will allot the same numbers, unless
        // the intent changes before they are kept.
        for problem in &failure.problems {
            output::note(&problem.to_string());
        }
        output::note("warning: the numbers that were allotted are not kept");
    }
    let listener = if arguments.once {
        None
    } else {
        let path = socket::place(arguments.socket.path.clone(), &loaded.intent.region.name)?;
        Some(Listener::start(&path)?)
    };
    let result = bring_up(arguments, loaded, start);
    let Some((listener, bell, _asker)) = listener else {
        let (_, report) = result?;
        print(&report, json);
        return Ok(Outcome::from(report.kept));
    };
    let (mut network, report) = match result {
        Ok(up) => up,
        Err(failure) => {
            listener.finish();
            return Err(failure);
        }
    };
    print(&report, json);
    if let Err(failure) = attach(&mut network, &arguments.attach) {
        listener.finish();
        return Err(failure);
    }
    listener.open();
    let path = listener.path().display().to_string();
    output::note(&format!("the network runs and listens at {path}"));
    output::note("hint: ask it with `weald status` in another terminal, stop it with `weald down`");
    serve::serve(&mut network, &listener, bell);
    listener.finish();
    Ok(Outcome::Good)
}

/// Gives LANs of sites to this machine.
fn attach(network: &mut Network, wanted: &[Attach]) -> Result<(), Failure> {
    for Attach { lan, tap } in wanted {
        let number = lan::find(network.plan(), lan)?;
        let Some(attachment) = network.plan().attachments.get(number) else { continue };
        let refuse = |error: std::io::Error| {
            Failure::network(format!("the LAN of {} cannot be attached: {error}", lan.site))
                .hint("only root may: run it with sudo")
        };
        let (device, host) = match tap {
            Some(tap) => (Tap::open(tap).map_err(refuse)?, None),
            None => {
                let namespace = Namespace::new().map_err(refuse)?;
                let device = namespace.run(|| Tap::open(lan::INTERFACE)).map_err(refuse)?;
                let addresses = lan::addresses(network.plan(), attachment);
                let host = Host { namespace, addresses };
                host.set_up(attachment, network.plan()).map_err(refuse)?;
                (device, Some(host))
            }
        };
        let (site, name) = (attachment.site.clone(), attachment.virtual_network.clone());
        network.attach_lan(number);
        network.join(Outside::Lan(number), Box::new(device), host);
        output::note(&match tap {
            Some(tap) => format!("the LAN of {site} in `{name}` is at the interface {tap}"),
            None => format!("the LAN of {site} in `{name}` is yours: `weald shell {site}`"),
        });
    }
    Ok(())
}

fn print(report: &Report, json: bool) {
    let value = serde_json::to_value(report).unwrap_or(Value::Null);
    output::either(json, &value, &report.text());
}

/// Starts every router, waits until nothing moves, and tests every promise.
fn bring_up(arguments: &Up, loaded: Loaded, start: Instant) -> Result<(Network, Report), Failure> {
    let Loaded { plan, took: compile_time, .. } = loaded;
    output::note(&format!(
        "{}: starting {} and {}",
        plan.region,
        count(plan.routers.len(), "router", "routers"),
        count(plan.links.len(), "link", "links"),
    ));
    let mut network = Network::start(plan, arguments.seed)?;
    let mut shown = Shown::new();
    let converged = network.converge(&mut |progress| shown.update(progress));
    shown.finish();
    network.take_events();
    let extent = network::extent(network.plan(), arguments.quick);
    let mut failures = Vec::new();
    let (converged, survey) = match converged {
        Ok(progress) => {
            output::note(&crate::progress::line(&progress));
            output::note("testing every promise with packets");
            (Some(progress), network.survey(extent))
        }
        Err(why) => {
            failures.push(why);
            (None, Survey::default())
        }
    };
    network.take_events();
    let wall_time = start.elapsed();
    let run = Run { converged, survey: &survey, extent, failures, compile_time, wall_time };
    let report = Report::new(&network, run);
    Ok((network, report))
}
