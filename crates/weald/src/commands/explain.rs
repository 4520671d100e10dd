//! `weald explain`: why somebody can reach something, or cannot.

use model::tables::RouterTables;
use proof::path::{Entry, Leave, Path, Step};
use proof::{Gone, converged};
use serde_json::{Value, json};

use crate::arguments::Explain;
use crate::chain::{self, Chain, Reason, Stage};
use crate::collected::Running;
use crate::commands::compile::FIRST_GENERATION;
use crate::control::request::Probe;
use crate::day;
use crate::failure::{Cause, Failure, Outcome};
use crate::load::{Loaded, load};
use crate::network::probe::{Aim, aim};
use crate::output;
use crate::screen::wrapped;

pub(crate) fn run(arguments: &Explain, json: bool) -> Result<Outcome, Failure> {
    let as_of = arguments.date.or_else(day::today);
    let mut loaded = load(&arguments.folder, FIRST_GENERATION, as_of)?;
    let aim = meant(&loaded, &arguments.probe)?;
    let tables = tables(&mut loaded, arguments)?;
    let chain = chain::chain(&loaded, &tables, &aim);
    output::either(json, &value(&aim, &chain), &wrapped(&text(&aim, &chain)));
    Ok(Outcome::from(chain.is_good()))
}

/// What is asked about. Nothing runs that could be at fault for a name that nobody has.
fn meant(loaded: &Loaded, probe: &Probe) -> Result<Aim, Failure> {
    let plan = &loaded.plan;
    let of_router = plan.sites.iter().find(|site| site.router == probe.from);
    let from = of_router.map_or_else(|| probe.from.clone(), |site| site.code.clone());
    let probe = Probe { from, ..probe.clone() };
    let host = |lan, v6| chain::host_address(plan, lan, v6);
    aim(plan, &probe, &host).map_err(|failure| Failure { cause: Cause::Input, ..failure })
}

fn tables(loaded: &mut Loaded, arguments: &Explain) -> Result<Vec<RouterTables>, Failure> {
    if !arguments.running.live {
        return Ok(converged(&loaded.plan, &Gone::default()));
    }
    let running = Running::ask(&arguments.running.sockets)?;
    running.take_promises(&mut loaded.plan, false)?;
    Running::tell(&running.tables, &loaded.plan);
    let wanted = loaded.plan.generation;
    if running.tables.iter().any(|one| one.generation != wanted) {
        output::note(&format!("not all of what runs is plan {wanted}, which the intent makes"));
    }
    Ok(running.tables)
}

/// The answer in one line.
fn verdict(aim: &Aim, chain: &Chain) -> String {
    let from = &aim.from.site;
    let to = aim.application.clone().map(|name| format!("`{name}`"));
    let to = to.or_else(|| aim.to.as_ref().map(|to| to.site.clone()));
    let to = to.unwrap_or_else(|| aim.flow.destination.to_string());
    match (chain.arrives, chain.agreed) {
        (true, true) => format!("yes: {from} can reach {to}"),
        (true, false) => format!("BREACH: {from} can reach {to} although nobody agreed to it"),
        (false, _) => format!("no: {from} cannot reach {to}"),
    }
}

fn text(aim: &Aim, chain: &Chain) -> String {
    let mut text = format!("{}\n", aim.words());
    for (heading, stage) in [("intent", Stage::Intent), ("plan", Stage::Plan)] {
        let of_stage: Vec<_> = chain.reasons.iter().filter(|one| one.stage == stage).collect();
        if !of_stage.is_empty() {
            text.push_str(&format!("{heading}\n"));
        }
        text.extend(of_stage.into_iter().map(line));
    }
    let mut ends = chain.reasons.iter().filter(|one| one.stage == Stage::Tables);
    let ways = [("there", Some(&chain.there)), ("back", chain.back.as_ref())];
    for (heading, path) in ways {
        let Some(path) = path else { continue };
        text.push_str(&format!("{heading}\n"));
        text.extend(path.steps.iter().map(step));
        text.extend(ends.next().map(line));
    }
    text.push_str(&format!("{}\n", verdict(aim, chain)));
    if let Some(missing) = chain.missing() {
        text.push_str(&format!("  {}\n", missing.words));
        if let Some(needs) = &missing.needs {
            text.push_str(&format!("  it takes {needs}\n"));
        }
    }
    text
}

fn line(reason: &Reason) -> String {
    let sign = if reason.holds { ' ' } else { '!' };
    let at = reason.line.as_ref().map_or_else(String::new, |line| format!("{line}: "));
    format!("{sign} {at}{}\n", reason.words)
}

fn step(step: &Step) -> String {
    let mut parts: Vec<String> = step.entries.iter().map(Entry::to_string).collect();
    if let Some(Leave { port, link, labels, equal, is_backup }) = &step.leaves {
        let labels: Vec<_> = labels.iter().map(ToString::to_string).collect();
        let under =
            if labels.is_empty() { String::new() } else { format!(" under {}", labels.join(" ")) };
        let spare = if *is_backup { ", a repair" } else { "" };
        let or = if equal.is_empty() {
            String::new()
        } else {
            format!(", or as well by {}", equal.join(", "))
        };
        let onto = link.as_ref().map_or_else(String::new, |link| format!(" onto {link}"));
        parts.push(format!("leaves by {port}{onto}{under}{spare}{or}"));
    }
    format!("  {}: {}\n", step.router, parts.join("; "))
}

fn value(aim: &Aim, chain: &Chain) -> Value {
    let flow = aim.flow;
    let missing = chain.missing();
    json!({
        "can": chain.arrives,
        "agreed": chain.agreed,
        "good": chain.is_good(),
        "from": { "site": aim.from.site, "virtual_network": aim.from.network },
        "to": aim.to.as_ref().map(|to| json!({ "site": to.site, "virtual_network": to.network })),
        "application": aim.application,
        "source": flow.source,
        "destination": flow.destination,
        "protocol": flow.protocol,
        "port": flow.destination_port,
        "chain": chain.reasons,
        "missing": missing.map(|one| json!({ "words": one.words, "needs": one.needs })),
        "there": way(&chain.there),
        "back": chain.back.as_ref().map(way),
    })
}

fn way(path: &Path) -> Value {
    let steps = path.steps.iter().map(|step| {
        let leaves = step.leaves.as_ref().map(|leave| {
            json!({
                "port": leave.port,
                "link": leave.link,
                "labels": leave.labels,
                "equal": leave.equal,
                "is_backup": leave.is_backup,
            })
        });
        json!({
            "router": step.router,
            "under": step.under,
            "entries": step.entries.iter().map(Entry::to_string).collect::<Vec<_>>(),
            "leaves": leaves,
        })
    });
    json!(steps.collect::<Vec<_>>())
}
