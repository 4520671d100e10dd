//! `weald rehearse`: a change on the twin, ring by ring, under traffic, before it ships.
//!
//! The old folder is the network that runs, the new one what it shall become. Numbers never change,
//! so the new lock must have everything that the old one has; a new folder without a lock goes on
//! from the old one. Communities are all taken to be in force, so that a rehearsal shows the same
//! on any day. Nothing is written.

use std::path::Path;

use base::Duration;
use intent::{Lock, Problems, files};
use model::plan::Plan;
use serde_json::{Value, json};
use twin::probe::Flow;
use twin::rehearsal::{
    Breach, Interruption, Moment, Network, Promised, Rehearsal, Report, Ring, RingReport,
};

use crate::arguments::Rehearse;
use crate::failure::{Failure, Outcome};
use crate::load::{Loaded, load};
use crate::output;
use crate::progress::Shown;
use crate::screen::{Align, Table, count, list, number, seconds, wrapped};

/// The number of the plan that the network has.
const OLD: u64 = 1;
/// The number of the plan that it shall have.
const NEW: u64 = 2;
/// Interruptions, breaches and problems that fit on a screen.
const SHOWN: usize = 10;

pub(crate) fn run(arguments: &Rehearse, json: bool) -> Result<Outcome, Failure> {
    let (old, new) = plans(&arguments.old, &arguments.new)?;
    let rings: Vec<Ring> = plan::rings(&old, &new).into_iter().map(ring).collect();
    let all = rings.len();
    output::note(&format!(
        "{}: {} of the old plan, then {}",
        old.region,
        count(old.routers.len(), "router", "routers"),
        count(all, "ring", "rings"),
    ));
    let refused = |why: &dyn core::fmt::Display| Failure::network(why.to_string());
    let rehearsal =
        Rehearsal::new(old, &new, rings, arguments.seed).map_err(|why| refused(&why))?;
    let mut shown = Shown::new();
    let mut last = Moment::Start;
    let report = rehearsal.run(&mut |moment, progress| {
        if last != moment && all <= SHOWN {
            output::note(&match moment {
                Moment::Start => String::new(),
                Moment::Ring(number) => format!("ring {} of {all}", number + 1),
                Moment::End => "testing what holds in the end".to_owned(),
            });
        }
        last = moment;
        shown.update(progress);
    });
    shown.finish();
    let report = report.map_err(|why| refused(&why))?;
    output::either(json, &value(&report), &wrapped(&text(&report)));
    Ok(Outcome::from(report.is_good()))
}

fn ring(ring: plan::Ring) -> Ring {
    let steps = ring.steps.into_iter().map(|step| (step.router, step.config)).collect();
    Ring { stage: ring.stage.name().to_owned(), steps }
}

/// The plans of both folders, with numbers that go on from the old ones.
fn plans(old: &Path, new: &Path) -> Result<(Plan, Plan), Failure> {
    let before = load(old, OLD, None)?;
    let after = load(new, NEW, None)?;
    let (shown_old, shown_new) = (old.display(), new.display());
    if before.plan.region != after.plan.region {
        let regions = format!("`{}` and `{}`", before.plan.region, after.plan.region);
        return Err(Failure::input(format!("these are two regions: {regions}"))
            .hint("rehearse a copy of the old folder, with changes"));
    }
    match (&before.lock_before, &after.lock_before) {
        (Some(lock), Some(extended)) => {
            if let Some(difference) = difference(lock, extended) {
                let message =
                    format!("the lock of `{shown_new}` does not go on from that of `{shown_old}`");
                return Err(Failure::input(format!("{message}: {difference}")).hint(format!(
                    "copy {shown_old}/weald.lock to {shown_new} and compile that again"
                )));
            }
            Ok((before.plan, after.plan))
        }
        (None, Some(_)) => {
            Err(Failure::input(format!("`{shown_old}` has no lock, and `{shown_new}` has one"))
                .hint(format!("compile {shown_old} before it is copied: `weald compile DIR`")))
        }
        (_, None) => {
            let plan = recompiled(new, &after, &before.lock)?;
            Ok((before.plan, plan))
        }
    }
}

/// The plan of a folder without a lock, with numbers that go on from `lock`.
fn recompiled(folder: &Path, loaded: &Loaded, lock: &Lock) -> Result<Plan, Failure> {
    let shown = folder.display().to_string();
    let refuse = |problems| Failure::problems(&shown, problems);
    let mut lock = lock.clone();
    lock.check(files::LOCK, &loaded.intent).map_err(refuse)?;
    plan::compile(&loaded.intent, &mut lock, NEW, None)
        .map_err(|problems| refuse(Problems(problems)))
}

/// The first number of a lock that another one does not have.
fn difference(lock: &Lock, other: &Lock) -> Option<String> {
    for kind in lock.kinds() {
        for (key, number) in lock.numbers(kind).into_iter().flat_map(|numbers| numbers.iter()) {
            match other.number(kind, key) {
                Some(same) if same == number => {}
                Some(changed) => {
                    return Some(format!("{kind} of `{key}` was {number} and is {changed}"));
                }
                None => return Some(format!("{kind} of `{key}` was {number} and is missing")),
            }
        }
    }
    None
}

fn value(report: &Report) -> Value {
    let start = report.span.0;
    let at = |at: base::Instant| milliseconds(at.since(start));
    let ring = |ring: &RingReport| {
        json!({
            "stage": ring.stage,
            "routers": ring.routers,
            "at_ms": at(ring.at),
            "settled_ms": ring.converged.map(milliseconds),
        })
    };
    let network = |network: &Network| {
        json!({
            "virtual_network": network.name,
            "concerned": network.concerned,
            "pairs": network.pairs,
            "pairs_interrupted": network.pairs_interrupted,
            "sent": network.sent,
            "lost": network.lost,
            "longest_ms": milliseconds(network.longest),
            "total_ms": milliseconds(network.total),
        })
    };
    let place =
        |(site, network): &(String, String)| json!({ "site": site, "virtual_network": network });
    let interruption = |one: &Interruption| {
        json!({
            "from": place(&one.from),
            "to": place(&one.to),
            "application": one.application,
            "packet": packet(&one.flow),
            "lost": one.lost,
            "ring": one.ring,
            "at_ms": at(one.first),
            "longest_ms": milliseconds(one.longest),
            "total_ms": milliseconds(one.total),
            "lasting": one.lasting,
        })
    };
    let breach = |one: &Breach| {
        json!({
            "ring": one.ring,
            "at_ms": milliseconds(one.at.since(start)),
            "from": one.from.as_ref().map(place),
            "to": place(&one.to),
            "packet": packet(&one.flow),
        })
    };
    let promised = |one: Promised| json!({ "tested": one.tested, "held": one.held });
    json!({
        "rings": report.rings.iter().map(ring).collect::<Vec<_>>(),
        "virtual_networks": report.networks.iter().map(network).collect::<Vec<_>>(),
        "interruptions": report.interruptions.iter().map(interruption).collect::<Vec<_>>(),
        "interruptions_total": report.interruptions_total,
        "kept": promised(report.kept),
        "gained": promised(report.gained),
        "withdrawn": promised(report.withdrawn),
        "forbidden": promised(report.forbidden),
        "withdrawn_until_ms": report.withdrawn_until.map(at),
        "broken": report.broken,
        "breaches": report.breaches.iter().map(breach).collect::<Vec<_>>(),
        "breaches_total": report.breaches_total,
        "problems": report.problems,
        "packets": report.packets,
        "lost": report.lost(),
        "probe_periods_ms": report.periods.map(milliseconds),
        "virtual_time_ms": at(report.span.1),
        "events": report.events,
        "trace_hash": format!("{:016x}", report.trace_hash),
        "good": report.is_good(),
    })
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn packet(flow: &Flow) -> Value {
    json!({
        "source": flow.source,
        "destination": flow.destination,
        "protocol": flow.protocol,
        "port": flow.destination_port,
    })
}

fn text(report: &Report) -> String {
    let mut text = rings(report);
    text.push_str(&networks(report));
    text.push_str(&interruptions(report));
    let promised = |what: &str, one: Promised, how: &str| {
        format!("{what}: {} of {} {how}\n", number(one.held), number(one.tested))
    };
    text.push_str(&promised("promised before and after", report.kept, "pairs arrive in the end"));
    if report.gained.tested > 0 {
        text.push_str(&promised("new", report.gained, "pairs arrive in the end"));
    }
    if report.withdrawn.tested > 0 {
        text.push_str(&promised("withdrawn", report.withdrawn, "pairs are refused in the end"));
    }
    text.push_str(&promised("never promised", report.forbidden, "pairs never arrived"));
    text.push_str(&wrong(report));
    text.push_str(&verdict(report));
    text
}

fn rings(report: &Report) -> String {
    if report.rings.is_empty() {
        return "no router needs a new configuration\n".to_owned();
    }
    let columns = [
        ("ring", Align::Right),
        ("stage", Align::Left),
        ("at", Align::Right),
        ("settled in", Align::Right),
        ("routers", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for (position, ring) in (1..).zip(&report.rings) {
        table.row([
            number(position),
            ring.stage.clone(),
            seconds(ring.at.since(report.span.0)),
            ring.converged.map_or_else(|| "never".to_owned(), seconds),
            list(&ring.routers),
        ]);
    }
    format!("{}\n", table.text())
}

fn networks(report: &Report) -> String {
    let columns = [
        ("virtual network", Align::Left),
        ("the change", Align::Left),
        ("pairs", Align::Right),
        ("packets", Align::Right),
        ("lost", Align::Right),
        ("longest", Align::Right),
        ("in all", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for network in &report.networks {
        let time = |duration: Duration| {
            if duration.is_zero() { "-".to_owned() } else { seconds(duration) }
        };
        table.row([
            network.name.clone(),
            if network.concerned { "concerns it" } else { "is not about it" }.to_owned(),
            number(network.pairs),
            number(network.sent),
            number(network.lost),
            time(network.longest),
            time(network.total),
        ]);
    }
    format!("{}\n", table.text())
}

fn interruptions(report: &Report) -> String {
    if report.interruptions.is_empty() {
        return String::new();
    }
    let mut text = String::from("interrupted, the longest first:\n");
    for one in report.interruptions.iter().take(SHOWN) {
        let ring = match one.ring {
            0 => "before the first ring".to_owned(),
            ring => format!("ring {ring}"),
        };
        let lasting = if one.lasting { ", and to the end" } else { "" };
        text.push_str(&format!("  {ring}: {one}{lasting}\n"));
    }
    text.push_str(&hidden(report.interruptions_total));
    text.push('\n');
    text
}

fn hidden(total: usize) -> String {
    match total.saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("  and {} more\n", number(more as u64)),
    }
}

/// Whatever must not be.
fn wrong(report: &Report) -> String {
    let mut text = String::new();
    for broken in report.broken.iter().take(SHOWN) {
        text.push_str(&format!("broken: {broken}\n"));
    }
    text.push_str(&hidden(report.broken.len()));
    for breach in report.breaches.iter().take(SHOWN) {
        let place = |(site, network): &(String, String)| format!("{site} in {network}");
        let from = breach.from.as_ref().map_or_else(|| "nobody known".to_owned(), place);
        let Flow { source, destination, protocol, destination_port, .. } = breach.flow;
        text.push_str(&format!(
            "BREACH in ring {} at {}: a packet of {from} came out at {}: {source} to \
             {destination}, protocol {protocol}, port {destination_port}\n",
            breach.ring,
            seconds(breach.at.since(report.span.0)),
            place(&breach.to),
        ));
    }
    text.push_str(&hidden(usize::try_from(report.breaches_total).unwrap_or(usize::MAX)));
    for problem in report.problems.iter().take(SHOWN) {
        text.push_str(&format!("problem: {problem}\n"));
    }
    text.push_str(&hidden(report.problems.len()));
    text
}

fn verdict(report: &Report) -> String {
    let [busy, calm] = report.periods.map(|period| format!("{:.0} ms", period.as_secs_f64() * 1e3));
    let sent = format!(
        "{} packets, of each pair one in {busy} after each ring and one in {calm} otherwise",
        number(report.packets)
    );
    if report.is_good() {
        return format!("{sent}\ngood: none lost that was promised all along, none out of place\n");
    }
    let mut faults = Vec::new();
    if report.lost() > 0 {
        let packets = if report.lost() == 1 { "packet" } else { "packets" };
        let pairs = count(report.interruptions_total, "pair", "pairs");
        faults.push(format!("{} {packets} of {pairs} lost", number(report.lost())));
    }
    let counted = |count: u64, one: &str, many: &str| {
        (count > 0).then(|| format!("{} {}", number(count), if count == 1 { one } else { many }))
    };
    let all = [report.kept, report.gained, report.withdrawn, report.forbidden];
    let broken = all.iter().map(|promised| promised.tested - promised.held).sum();
    faults.extend(counted(broken, "promise broken", "promises broken"));
    faults.extend(counted(report.breaches_total, "breach", "breaches"));
    faults.extend(counted(report.problems.len() as u64, "problem", "problems"));
    format!("{sent}\nNOT good: {}\n", faults.join(", "))
}
