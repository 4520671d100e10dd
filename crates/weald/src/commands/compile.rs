//! `weald compile`: the plan of an intent, and the lock that keeps its numbers.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use model::plan::Plan;
use plan::Difference;
use serde_json::json;

use crate::arguments::Compile;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::load::{Loaded, load};
use crate::output;
use crate::screen::{count, list};

/// The number of a region's first plan.
pub(super) const FIRST_GENERATION: u64 = 1;

pub(crate) fn run(arguments: &Compile, json: bool) -> Result<Outcome, Failure> {
    let as_of = arguments.date.or_else(day::today);
    let mut loaded = load(&arguments.folder, FIRST_GENERATION, as_of)?;
    loaded.tell_remarks();
    let previous = match &arguments.out {
        Some(path) => read_plan(path)?,
        None => None,
    };
    let difference = previous.as_ref().map(|old| plan::difference(old, &loaded.plan));
    if let Some((old, difference)) = previous.as_ref().zip(difference.as_ref()) {
        number_after(&mut loaded.plan, old, difference);
    }
    loaded.write_lock(&arguments.folder)?;
    tell_allotted(&loaded);
    let text = serde_json::to_string_pretty(&loaded.plan)
        .map_err(|error| Failure::network(format!("the plan cannot be written: {error}")))?;
    let Some(path) = &arguments.out else {
        output::data(&text);
        return Ok(Outcome::Good);
    };
    write_whole(path, &text, OWNER_ONLY).map_err(|error| {
        Failure::input(format!("`{}` cannot be written: {error}", path.display()))
    })?;
    if let Some(folder) = &arguments.routers {
        write_routers(folder, &loaded.plan)?;
    }
    let generation = loaded.plan.generation;
    let said = format!("plan {generation} is in `{}`", path.display());
    if !json {
        output::note(&said);
        tell_difference(difference.as_ref(), loaded.plan.routers.len());
        return Ok(Outcome::Good);
    }
    let changes = difference.unwrap_or_default();
    output::json(&json!({
        "generation": generation,
        "routers": loaded.plan.routers.len(),
        "allotted": loaded.allotted().iter().map(|(kind, key, number)| json!({
            "kind": kind, "key": key, "number": number,
        })).collect::<Vec<_>>(),
        "added": changes.added,
        "changed": changes.changed,
        "removed": changes.removed,
    }));
    Ok(Outcome::Good)
}

/// Numbers a plan after the one that it takes the place of: a router refuses an older one, and
/// needs no new one where nothing changed.
pub(crate) fn number_after(plan: &mut Plan, old: &Plan, difference: &Difference) {
    let step = u64::from(!difference.is_empty());
    plan.generation = old.generation.saturating_add(step);
    for router in &mut plan.routers {
        router.generation = plan.generation;
    }
}

/// The plan that a file has; none where there is no file yet.
fn read_plan(path: &Path) -> Result<Option<Plan>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let shown = path.display();
            return Err(Failure::input(format!("`{shown}` cannot be read: {error}")));
        }
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Failure::input(format!("`{}` is no plan: {error}", path.display()))
            .hint("write to another file, or remove this one")
    })
}

/// The plan that a file has to have.
pub(super) fn existing_plan(path: &Path) -> Result<Plan, Failure> {
    read_plan(path)?.ok_or_else(|| {
        Failure::input(format!("no file `{}`", path.display()))
            .hint("`weald compile DIR --out FILE` writes a plan")
    })
}

/// Who may read a file that has keys in it.
const OWNER_ONLY: u32 = 0o600;

/// Writes a file of that mode; there is either the old one or the new.
pub(super) fn write_whole(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // What is left of the attempt is of no use.
        let _ = fs::remove_file(&temporary);
    })
}

/// Writes each router's configuration to a file of its own.
fn write_routers(folder: &Path, plan: &Plan) -> Result<(), Failure> {
    let refuse = |path: &Path, error: &dyn core::fmt::Display| {
        Failure::input(format!("`{}` cannot be written: {error}", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| refuse(folder, &error))?;
    for router in &plan.routers {
        let path = folder.join(format!("{}.json", router.name));
        let text = serde_json::to_string_pretty(router).map_err(|error| refuse(&path, &error))?;
        write_whole(&path, &text, OWNER_ONLY).map_err(|error| refuse(&path, &error))?;
    }
    let files = count(plan.routers.len(), "configuration", "configurations");
    output::note(&format!("{files} in `{}`", folder.display()));
    Ok(())
}

fn tell_allotted(loaded: &Loaded) {
    let allotted = loaded.allotted();
    if allotted.is_empty() {
        let said = if loaded.lock_changed() { "lock is written" } else { "lock is unchanged" };
        output::note(said);
        return;
    }
    output::note(&format!("newly allotted: {}", count(allotted.len(), "number", "numbers")));
    let mut rest = allotted.as_slice();
    while let Some((kind, ..)) = rest.first() {
        let of_kind = rest.iter().take_while(|(other, ..)| other == kind).count();
        let (these, others) = rest.split_at(of_kind);
        let named: Vec<_> = these.iter().map(|(_, key, n)| format!("{key} = {n}")).collect();
        output::note(&format!("  {kind}: {}", list(&named)));
        rest = others;
    }
}

fn tell_difference(difference: Option<&Difference>, routers: usize) {
    let Some(difference) = difference else {
        output::note(&format!("it configures {}", count(routers, "router", "routers")));
        return;
    };
    if difference.is_empty() {
        output::note("no router needs a new configuration");
        return;
    }
    for (what, names) in [
        ("added", &difference.added),
        ("changed", &difference.changed),
        ("removed", &difference.removed),
    ] {
        if !names.is_empty() {
            let routers = count(names.len(), "router", "routers");
            output::note(&format!("{routers} {what}: {}", list(names)));
        }
    }
}
