//! `weald up`: a whole region on this machine.

use std::time::Instant;

use serde_json::Value;
use twin::survey::Survey;

use crate::arguments::Up;
use crate::control::listener::Listener;
use crate::control::{serve, socket};
use crate::day;
use crate::failure::{Failure, Outcome};
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
        let path = socket::chosen(arguments.socket.path.clone())
            .unwrap_or_else(|| socket::default_path(&loaded.intent.region.name));
        Some(Listener::start(&path)?)
    };
    let result = bring_up(arguments, loaded, start);
    let Some(listener) = listener else {
        let (_, report) = result?;
        print(&report, json);
        return Ok(Outcome::from(report.kept));
    };
    let (mut network, report) = match result {
        Ok(up) => up,
        Err(failure) => {
            crate::control::listener::remove(listener.path());
            return Err(failure);
        }
    };
    print(&report, json);
    listener.open();
    let path = listener.path().display().to_string();
    output::note(&format!("the network runs and listens at {path}"));
    output::note("hint: ask it with `weald status` in another terminal, stop it with `weald down`");
    serve::serve(&mut network, &listener);
    listener.finish();
    Ok(Outcome::Good)
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
