//! `weald lab`: a region on this machine with real interfaces.

use std::time::Instant;

use host::{Signals, rights};
use serde_json::json;

use crate::arguments;
use crate::control::listener::Listener;
use crate::control::socket;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::lab::{Folder, Lab};
use crate::load::load;
use crate::output;
use crate::screen::count;

/// The number of the plan: routers that start anew have no older one.
const GENERATION: u64 = 1;

pub(crate) fn run(arguments: &arguments::Lab, json: bool) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let loaded = load(&arguments.folder, GENERATION, arguments.date.or_else(day::today))?;
    loaded.tell_remarks();
    if !rights::is_root() {
        return Err(Failure::network("a lab makes network namespaces, which only root may")
            .hint(format!("sudo weald lab {}", arguments.folder.display())));
    }
    // Before any thread starts: those that start later do not hear signals either.
    let signals = Signals::hear()
        .map_err(|error| Failure::network(format!("the kernel refuses signals: {error}")))?;
    let path = socket::chosen(arguments.socket.path.clone())
        .unwrap_or_else(|| socket::default_path(&loaded.intent.region.name));
    let (listener, bell, _asker) = Listener::with_bell(&path)?;
    let folder = Folder::make(&path)?;
    let routers = count(loaded.plan.routers.len(), "router", "routers");
    output::note(&format!("{}: starting {routers}", loaded.plan.region));
    let result = Lab::start(loaded.plan, folder);
    let mut lab = result.inspect_err(|_| crate::control::listener::remove(&path))?;
    let unwell = lab.wait_until_up();
    let took = start.elapsed();
    let said = json!({
        "region": lab.plan().region,
        "routers": lab.plan().routers.len(),
        "not_well": unwell,
        "wall_time_s": took.as_secs_f64(),
    });
    let mut text = format!("{routers} up after {:.1} s\n", took.as_secs_f64());
    if !unwell.is_empty() {
        text = format!("not well after {:.1} s: {}\n", took.as_secs_f64(), unwell.join(", "));
    }
    output::either(json, &said, &text);
    if !arguments.once {
        listener.open();
        output::note(&format!("the lab runs and listens at {}", path.display()));
        output::note(
            "hint: run programs on a LAN with `weald shell SITE`, stop it with `weald down`",
        );
        lab.serve(&listener, bell, &signals)?;
    }
    drop(lab);
    crate::control::listener::remove(&path);
    Ok(Outcome::from(unwell.is_empty()))
}
