//! `weald plan`: what an intent would change, in words, and whether a proof refuses it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use intent::Date;
use model::plan::Plan;
use plan::words::{self, Changes, RouterChange, Step};
use serde_json::{Value, json};

use crate::arguments;
use crate::collected;
use crate::commands::compile::{FIRST_GENERATION, existing_plan, number_after};
use crate::control::socket;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::load::{Loaded, load};
use crate::output;
use crate::proving;
use crate::screen::{count, list, number, wrapped};
use crate::verdict;

/// Lines of one part; there is always `--json`.
const LINES_MAX: usize = 30;

/// Routers that are named together.
const NAMED_MAX: usize = 3;

pub(crate) fn run(arguments: &arguments::Plan, json: bool) -> Result<Outcome, Failure> {
    let as_of = arguments.date.or_else(day::today);
    let mut loaded = load(&arguments.folder, FIRST_GENERATION, as_of)?;
    loaded.tell_remarks();
    let (old, is_running) = match &arguments.from {
        Some(path) => (Some(previous(path, as_of)?), false),
        None => {
            let running = running(arguments.socket.path.clone(), &loaded.plan.region)?;
            let is_running = running.is_some();
            (running, is_running)
        }
    };
    if is_running {
        // What runs does not tell its keys, and a plan without them says so.
        collected::remove_keys(&mut loaded.plan);
    }
    if let Some(old) = &old {
        if old.region != loaded.plan.region {
            let (old, new) = (&old.region, &loaded.plan.region);
            return Err(Failure::input(format!("region {old} cannot become region {new}"))
                .hint("name a plan or an intent of the same region with --from"));
        }
        let difference = plan::difference(old, &loaded.plan);
        number_after(&mut loaded.plan, old, &difference);
    }
    let changes = words::changes(old.as_ref(), &loaded.plan);
    let proved = proving::prove(&loaded.plan);
    let outcome = outcome(proved.is_good(), changes.is_empty() && loaded.allotted().is_empty());
    let told = Told { old: old.as_ref(), is_running, loaded: &loaded, changes: &changes, outcome };
    let verdict = verdict::text(&loaded.plan, &proved);
    let mut data = told.value();
    if let Some(map) = data.as_object_mut() {
        map.insert("proofs".to_owned(), verdict::value(&loaded.plan, &proved));
    }
    output::either(json, &data, &wrapped(&told.text(&verdict)));
    Ok(outcome)
}

/// What a proof refuses is refused, whether or not it is a change.
const fn outcome(holds: bool, is_nothing: bool) -> Outcome {
    match (holds, is_nothing) {
        (true, true) => Outcome::Good,
        (true, false) => Outcome::Change,
        (false, _) => Outcome::Bad,
    }
}

/// The plan of the network that runs, without its keys: of the one at the socket that was named,
/// which then has to answer, else of the one at the default place, where there is one of this region.
fn running(socket: Option<PathBuf>, region: &str) -> Result<Option<Plan>, Failure> {
    let is_named = socket::is_chosen(socket.as_ref());
    if !is_named && !socket::any_runs() {
        return Ok(None);
    }
    let why_not = match collected::plan(socket) {
        Ok(Some(plan)) if is_named || plan.region == region => return Ok(Some(plan)),
        Ok(Some(plan)) => format!("it is region {}", plan.region),
        Ok(None) if is_named => {
            return Err(Failure::input("a router knows nothing of the plan but its own part")
                .hint("name the plan in force with --from"));
        }
        Ok(None) => "it is one router".to_owned(),
        Err(failure) if is_named => return Err(failure),
        Err(failure) => failure.message,
    };
    output::note(&format!("what runs is not compared with: {why_not}"));
    Ok(None)
}

/// The plan that was named.
fn previous(path: &Path, as_of: Option<Date>) -> Result<Plan, Failure> {
    if !path.is_dir() {
        let plan = existing_plan(path)?;
        is_whole(&plan).map_err(|what| {
            Failure::input(format!("`{}` is no plan as it was written: {what}", path.display()))
                .hint("it was edited by hand: compile it anew")
        })?;
        return Ok(plan);
    }
    let loaded = load(path, FIRST_GENERATION, as_of)?;
    if loaded.lock_changed() {
        output::note(&format!(
            "the lock of `{}` lacks {}: what they would be may not be what routers have",
            path.display(),
            count(loaded.allotted().len(), "number", "numbers")
        ));
    }
    Ok(loaded.plan)
}

/// Whether the parts of a plan belong together.
fn is_whole(plan: &Plan) -> Result<(), String> {
    let mut routers = BTreeMap::new();
    for router in &plan.routers {
        if router.generation != plan.generation {
            let (found, wanted) = (router.generation, plan.generation);
            return Err(format!("router {} is of plan {found}, not {wanted}", router.name));
        }
        if routers.insert(router.name.as_str(), router.ports.len()).is_some() {
            return Err(format!("router {} is there twice", router.name));
        }
    }
    let has_port = |router: &str, port: base::PortId| {
        let place = usize::try_from(port.0).unwrap_or(usize::MAX);
        routers.get(router).is_some_and(|ports| place < *ports)
    };
    for link in &plan.links {
        if let Some(end) = link.ends.iter().find(|end| !has_port(&end.router, end.port)) {
            return Err(format!("link {} ends nowhere at {}", link.name, end.router));
        }
    }
    let sites: BTreeSet<&str> = plan.sites.iter().map(|site| site.code.as_str()).collect();
    if let Some(site) = plan.sites.iter().find(|site| !routers.contains_key(site.router.as_str())) {
        return Err(format!("site {} has no router", site.code));
    }
    for lan in &plan.attachments {
        if !has_port(&lan.router, lan.port) || !sites.contains(lan.site.as_str()) {
            return Err(format!("the LAN of {} in {} is nowhere", lan.site, lan.virtual_network));
        }
    }
    Ok(())
}

/// What is told.
#[derive(Debug)]
struct Told<'a> {
    old: Option<&'a Plan>,
    /// Whether that is the plan of a network that runs.
    is_running: bool,
    loaded: &'a Loaded,
    changes: &'a Changes,
    outcome: Outcome,
}

/// Lines under a heading; none where there are none.
fn part(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("{heading}\n");
    for line in lines.iter().take(LINES_MAX) {
        text.push_str(&format!("  {line}\n"));
    }
    let hidden = lines.len().saturating_sub(LINES_MAX);
    if hidden > 0 {
        text.push_str(&format!("  and {} more; --json has all\n", number(hidden as u64)));
    }
    text
}

/// How many there are of each kind.
fn by_kind<'a>(kinds: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut many: BTreeMap<&str, u64> = BTreeMap::new();
    for kind in kinds {
        *many.entry(kind).or_default() += 1;
    }
    many.into_iter().map(|(kind, many)| format!("{kind} {}", number(many))).collect()
}

/// Routers to which the same happens, in one line.
fn together(changes: &[RouterChange]) -> Vec<String> {
    let mut groups: BTreeMap<(Step, &[String]), Vec<&str>> = BTreeMap::new();
    for RouterChange { router, step, parts } in changes {
        groups.entry((*step, parts)).or_default().push(router);
    }
    let line = |((step, parts), routers): ((Step, &[String]), Vec<&str>)| {
        let sign = match step {
            Step::Added => "+",
            Step::Changed => "~",
            Step::Removed => "-",
        };
        let named: Vec<&str> = routers.iter().take(NAMED_MAX).copied().collect();
        let more = match routers.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {} more", number(more as u64)),
        };
        format!("{sign} {}{more}: {}", named.join(", "), parts.join("; "))
    };
    groups.into_iter().map(line).collect()
}

impl Told<'_> {
    const fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Good => "nothing_to_do",
            Outcome::Bad => "refused",
            Outcome::Change => "safe",
        }
    }

    fn text(&self, verdict: &str) -> String {
        let Self { old, is_running, loaded, changes, outcome } = self;
        let with = if *is_running { ", compared with what runs" } else { "" };
        let (region, generation) = (&loaded.plan.region, loaded.plan.generation);
        let mut text = match old {
            None => format!("{region}: plan {generation}, compared with nothing\n"),
            Some(old) if old.generation == generation => {
                format!("{region}: plan {generation}{with}\n")
            }
            Some(old) => {
                format!("{region}: plan {} becomes {generation}{with}\n", old.generation)
            }
        };
        if !changes.is_empty() {
            let rights: Vec<String> =
                changes.rights.iter().map(|right| right.sentence.clone()).collect();
            text.push_str(&part("who gains and loses what", &rights));
            text.push_str(&format!("  {}\n", changes.closing()));
        }
        let things: Vec<String> = changes.things.iter().map(|one| one.sentence.clone()).collect();
        text.push_str(&part("what comes, goes, and becomes something else", &things));
        let moved = changes.moved.iter();
        let moved: Vec<String> = moved
            .map(|one| format!("{} of {}: {} becomes {}", one.kind, one.owner, one.old, one.new))
            .collect();
        text.push_str(&part("identifiers that MOVE", &moved));
        let new = by_kind(changes.allotted.iter().map(|one| one.kind));
        let new = if new.is_empty() { Vec::new() } else { vec![new.join(", ")] };
        text.push_str(&part("identifiers that are new", &new));
        text.push_str(&part("numbers that would be allotted in the lock", &self.numbers()));
        text.push_str(&part("routers", &together(&changes.routers)));
        text.push_str("proofs\n");
        for line in verdict.lines() {
            text.push_str(&format!("  {line}\n"));
        }
        text.push_str(match outcome {
            Outcome::Good => "nothing to do\n",
            Outcome::Bad => "REFUSED: a proof does not hold\n",
            Outcome::Change => "safe: no proof refuses it\n",
        });
        text
    }

    fn numbers(&self) -> Vec<String> {
        let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (kind, key, number) in self.loaded.allotted() {
            by_kind.entry(kind).or_default().push(format!("{key} = {number}"));
        }
        by_kind.iter().map(|(kind, numbers)| format!("{kind}: {}", list(numbers))).collect()
    }

    fn value(&self) -> Value {
        let changes = self.changes;
        let right = |one: &words::Right| {
            let services = one.services.iter().map(|service| {
                json!({
                    "application": service.application,
                    "virtual_network": service.virtual_network,
                    "listens": service.listens,
                })
            });
            let consumers = one
                .consumers
                .iter()
                .map(|(network, site)| json!({ "virtual_network": network, "site": site }));
            json!({
                "gained": one.gained,
                "consumers": consumers.collect::<Vec<_>>(),
                "communities": one.communities,
                "services": services.collect::<Vec<_>>(),
                "sentence": one.sentence,
            })
        };
        let thing = |one: &words::Thing| json!({ "kind": one.kind.name(), "names": one.names, "sentence": one.sentence });
        let moved = |one: &words::Moved| json!({ "kind": one.kind, "owner": one.owner, "old": one.old, "new": one.new });
        let new = |one: &words::Identifier| json!({ "kind": one.kind, "owner": one.owner, "value": one.value });
        let router = |one: &RouterChange| {
            let step = match one.step {
                Step::Added => "added",
                Step::Changed => "changed",
                Step::Removed => "removed",
            };
            json!({ "router": one.router, "step": step, "parts": one.parts })
        };
        let allotted = self.loaded.allotted();
        let number = |(kind, key, number): &(String, String, u32)| json!({ "kind": kind, "key": key, "number": number });
        json!({
            "region": self.loaded.plan.region,
            "result": self.word(),
            "compared_with": match self.old {
                None => "nothing",
                Some(_) if self.is_running => "running",
                Some(_) => "named",
            },
            "old_generation": self.old.map(|old| old.generation),
            "generation": self.loaded.plan.generation,
            "rights": changes.rights.iter().map(right).collect::<Vec<_>>(),
            "closing": changes.closing(),
            "things": changes.things.iter().map(thing).collect::<Vec<_>>(),
            "moved": changes.moved.iter().map(moved).collect::<Vec<_>>(),
            "new": changes.allotted.iter().map(new).collect::<Vec<_>>(),
            "would_be_allotted": allotted.iter().map(number).collect::<Vec<_>>(),
            "routers": changes.routers.iter().map(router).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, outcome, part, together};
    use crate::failure::Outcome;
    use plan::words::{RouterChange, Step};

    #[test]
    fn what_a_proof_refuses_is_refused_even_if_nothing_changes() {
        assert_eq!(outcome(false, true), Outcome::Bad);
        assert_eq!(outcome(false, false), Outcome::Bad);
        assert_eq!(outcome(true, true), Outcome::Good);
        assert_eq!(outcome(true, false), Outcome::Change);
    }

    #[test]
    fn a_long_part_says_how_much_more_there_is() {
        let lines = vec!["a".to_owned(); LINES_MAX + 1200];
        assert!(part("b", &lines).ends_with("  a\n  and 1,200 more; --json has all\n"));
        assert_eq!(part("b", &[]), "");
    }

    #[test]
    fn routers_to_which_the_same_happens_share_a_line() {
        let change = |router: &str, step, part: &str| RouterChange {
            router: router.to_owned(),
            step,
            parts: vec![part.to_owned()],
        };
        let changes = [
            change("a", Step::Changed, "x"),
            change("b", Step::Changed, "x"),
            change("c", Step::Changed, "x"),
            change("d", Step::Changed, "x"),
            change("e", Step::Added, "x"),
        ];
        assert_eq!(together(&changes), ["+ e: x", "~ a, b, c and 1 more: x"]);
    }
}
