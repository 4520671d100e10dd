//! `weald lab`: a region on this machine with real interfaces.

use std::collections::BTreeSet;
use std::time::Instant;

use host::{Signals, rights};
use model::plan::Plan;
use serde_json::json;

use crate::arguments;
use crate::control::listener::Listener;
use crate::control::socket;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::lab::{Folder, Lab};
use crate::load::load;
use crate::network::names::{SITES, site_number, unknown};
use crate::output;
use crate::screen::count;

/// The number of the plan: routers that start anew have no older one.
const GENERATION: u64 = 1;
/// Sites of a region that is small enough for a process for each.
const SITES_MAX: usize = 20;

pub(crate) fn run(arguments: &arguments::Lab, json: bool) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let loaded = load(&arguments.folder, GENERATION, arguments.date.or_else(day::today))?;
    loaded.tell_remarks();
    let sites = sites(arguments, &loaded.plan)?;
    if !rights::is_root() {
        return Err(Failure::network("a lab makes network namespaces, which only root may")
            .hint(format!("sudo weald lab {}", arguments.folder.display())));
    }
    // Before any thread starts: those that start later do not hear signals either.
    let signals = Signals::hear()
        .map_err(|error| Failure::network(format!("the kernel refuses signals: {error}")))?;
    let path = socket::place(arguments.socket.path.clone(), &loaded.intent.region.name)?;
    let (listener, bell, _asker) = Listener::start(&path)?;
    let routers = count(loaded.plan.routers.len(), "router", "routers");
    output::note(&format!("{}: starting {routers}", loaded.plan.region));
    let result = Folder::make(&path).and_then(|folder| Lab::start(loaded.plan, folder, &sites));
    let mut lab = match result {
        Ok(lab) => lab,
        Err(failure) => {
            listener.finish();
            return Err(failure);
        }
    };
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
        lab.serve(&listener, bell, &signals);
    }
    drop(lab);
    listener.finish();
    Ok(Outcome::from(unwell.is_empty()))
}

/// The sites whose routers have processes of their own: those that were named, or all of a small
/// region.
fn sites(arguments: &arguments::Lab, plan: &Plan) -> Result<BTreeSet<String>, Failure> {
    if arguments.site.is_empty() && plan.sites.len() <= SITES_MAX {
        return Ok(plan.sites.iter().map(|site| site.code.clone()).collect());
    }
    let code = |name: &String| {
        let site = site_number(plan, name).and_then(|number| plan.sites.get(number));
        site.map(|site| site.code.clone()).ok_or_else(|| {
            unknown("site", name, plan.sites.iter().map(|site| site.code.as_str()), SITES)
        })
    };
    arguments.site.iter().map(code).collect()
}
