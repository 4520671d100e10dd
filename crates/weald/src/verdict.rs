//! What was proved of a plan, for people and for programs.

use model::plan::Plan;
use proof::{Capacity, Isolation, Lack, Pair, Repairs, Served, Survival, Violation};
use serde_json::{Value, json};

use crate::proving::{Promises, Proved, capacity_figures};
use crate::report::peak_memory_mib;
use crate::screen::{count, list, number};

/// Lines of one part that fit on a screen.
const SHOWN: usize = 20;

fn many(value: usize) -> String {
    number(value as u64)
}

/// For people, a paragraph for each proof.
pub(crate) fn text(plan: &Plan, proved: &Proved) -> String {
    let time = |what: &str| {
        let time = proved.times.iter().find(|(name, _)| *name == what);
        time.map_or_else(String::new, |(_, ms)| format!(" ({ms:.1} ms)"))
    };
    let mut text = String::new();
    for (what, (is_good, lines)) in [
        ("isolation", isolation(&proved.isolation)),
        ("promises", promises(plan, &proved.promises)),
        ("survival", survival(plan, &proved.survival)),
        ("repairs", repairs(plan, &proved.repairs)),
        ("capacity", capacity(plan, &proved.capacity)),
    ] {
        if !proved.has(what) {
            continue;
        }
        let verdict = if is_good { "proved" } else { "REFUSED" };
        text.push_str(&format!("{what}: {verdict}{}\n", time(what)));
        for line in lines.iter().take(SHOWN) {
            text.push_str(&format!("  {line}\n"));
        }
        if lines.len() > SHOWN {
            let hidden = many(lines.len() - SHOWN);
            text.push_str(&format!("  and {hidden} more; --json has all\n"));
        }
    }
    text
}

fn isolation(proved: &Isolation) -> (bool, Vec<String>) {
    let mut lines = vec![format!(
        "{} routers: {} routes and {} labels followed, {} promises looked up",
        many(proved.routers),
        many(proved.entries),
        many(proved.labels),
        many(proved.promises),
    )];
    if proved.violations_total == 0 {
        lines.push(
            "no entry leads a packet out of its virtual network but as communities allow, and \
             every promise has a way"
                .to_owned(),
        );
        return (true, lines);
    }
    lines.push(count(proved.violations_total, "violation", "violations"));
    lines.extend(proved.violations.iter().map(ToString::to_string));
    (false, lines)
}

fn survival(plan: &Plan, proved: &Survival) -> (bool, Vec<String>) {
    let examined = proved.examined;
    let mut lines = vec![format!(
        "every single one of {} core links, {} uplinks, {} core routers, {} site routers, {} \
         points of presence and {} shared risks fails: {} cut somebody off",
        many(examined.core_links),
        many(examined.uplinks),
        many(examined.core_routers),
        many(examined.site_routers),
        many(examined.pops),
        many(examined.shared_risks),
        many(proved.cuts.len()),
    )];
    let name = |site: usize| plan.sites.get(site).map_or("", |site| site.code.as_str());
    for one in &proved.not_resilient {
        let failures: Vec<_> = one.failures.iter().map(|failure| failure.name(plan)).collect();
        lines.push(format!("{} is NOT resilient: {}", name(one.site), list(&failures)));
    }
    if proved.not_resilient.is_empty() {
        lines.push("every site that was promised as resilient is".to_owned());
    }
    if !proved.standing.sites.is_empty() {
        let codes: Vec<_> = proved.standing.site_codes(plan).map(str::to_owned).collect();
        lines.push(format!("cut off already: {}", list(&codes)));
    }
    let mut worst: Vec<_> = proved.cuts.iter().filter(|cut| is_grave(cut)).collect();
    worst
        .sort_by_key(|cut| core::cmp::Reverse((cut.loss.sites.len(), cut.loss.applications.len())));
    for cut in worst {
        let sites = count(cut.loss.sites.len(), "site", "sites");
        let applications: Vec<_> = cut.loss.application_names(plan).map(str::to_owned).collect();
        let of = match applications.as_slice() {
            [] => String::new(),
            names => format!(" and {}", list(names)),
        };
        let islands: Vec<_> = cut.loss.island_names(plan).map(str::to_owned).collect();
        let split = match islands.as_slice() {
            [] => String::new(),
            names => format!("; {} are left to themselves", list(names)),
        };
        lines.push(format!("{} cuts off {sites}{of}{split}", cut.failure.name(plan)));
    }
    (proved.not_resilient.is_empty() && proved.standing.sites.is_empty(), lines)
}

fn promises(plan: &Plan, proved: &Promises) -> (bool, Vec<String>) {
    if proved.states == 0 {
        return (true, vec!["the region is too large to look at every pair of LANs".to_owned()]);
    }
    let states = match proved.states {
        1 => "as the network stands (--deep looks at every single failure too)".to_owned(),
        states => format!("as the network stands and in {} failures", many(states - 1)),
    };
    if proved.unkept.is_empty() {
        return (true, vec![format!("every promise is kept, {states}")]);
    }
    let mut lines = vec![format!("{} not kept, {states}", count_unkept(proved))];
    for (failure, lacks) in &proved.unkept {
        let when = match failure {
            None => "now".to_owned(),
            Some(failure) => format!("without {}", failure.name(plan)),
        };
        let first: Vec<String> = lacks.iter().take(SHOWN).map(|one| lack(plan, one)).collect();
        lines.push(format!("{when}: {} ({} in all)", list(&first), many(lacks.len())));
    }
    (false, lines)
}

fn count_unkept(proved: &Promises) -> String {
    count(proved.unkept(), "promise is", "promises are")
}

/// A promise that is not kept, in words.
fn lack(plan: &Plan, lack: &Lack) -> String {
    let lan = |place: usize| {
        let lan = plan.attachments.get(place);
        lan.map_or_else(String::new, |lan| format!("{} in {}", lan.site, lan.virtual_network))
    };
    match lack {
        Lack::Pair(Pair { from, to, v6 }) => {
            let family = if *v6 { " over IPv6" } else { "" };
            format!("{} to {}{family}", lan(*from), lan(*to))
        }
        Lack::Served(Served { from, application, .. }) => {
            let name = plan.applications.get(*application).map_or("", |one| &one.name);
            format!("{} to {name}", lan(*from))
        }
    }
}

fn promises_value(plan: &Plan, proved: &Promises) -> Value {
    let unkept = proved.unkept.iter().map(|(failure, lacks)| {
        json!({
            "failure": failure.as_ref().map(|one| one.name(plan)),
            "promises": lacks.iter().map(|one| lack(plan, one)).collect::<Vec<_>>(),
        })
    });
    json!({ "states": proved.states, "unkept": unkept.collect::<Vec<_>>() })
}

/// Whether a failure is worth a line of its own: more than one site, or an application.
fn is_grave(cut: &proof::Cut) -> bool {
    cut.loss.sites.len() > 1 || !cut.loss.applications.is_empty() || !cut.loss.islands.is_empty()
}

fn repairs(plan: &Plan, proved: &Repairs) -> (bool, Vec<String>) {
    let mut lines = vec![format!(
        "of {} ways over a core link that has an alternative, {} have a repair installed; {} have \
         no alternative",
        many(proved.repairable()),
        many(proved.protected),
        many(proved.no_alternative),
    )];
    lines.extend(proved.faults.iter().map(|fault| fault.in_words(plan)));
    (proved.faulty == 0, lines)
}

fn capacity(plan: &Plan, proved: &Capacity) -> (bool, Vec<String>) {
    let figures = capacity_figures(proved);
    if plan.demands.is_empty() {
        return (true, vec!["no demands are declared".to_owned()]);
    }
    let assumed = if proved.assumed { ", some of them assumed" } else { "" };
    let mut lines = vec![format!(
        "{} routed normally and in {} failures{assumed}: {} loaded above 75 %, {} above 100 %",
        count(plan.demands.len(), "demand", "demands"),
        many(proved.examined),
        count(figures.above_75, "link", "links"),
        many(figures.above_100),
    )];
    lines.extend(proved.overloads.iter().map(|overload| overload.in_words(plan, proved)));
    (figures.above_100 == 0, lines)
}

/// For programs.
pub(crate) fn value(plan: &Plan, proved: &Proved) -> Value {
    let peak_memory_mib = peak_memory_mib();
    let survival = &proved.survival;
    let name = |site: usize| plan.sites.get(site).map_or("", |site| site.code.as_str());
    let cuts = survival.cuts.iter().map(|cut| {
        json!({
            "failure": cut.failure.name(plan),
            "sites": cut.loss.site_codes(plan).collect::<Vec<_>>(),
            "applications": cut.loss.application_names(plan).collect::<Vec<_>>(),
            "routers": cut.loss.island_names(plan).collect::<Vec<_>>(),
        })
    });
    let not_resilient = survival.not_resilient.iter().map(|one| {
        let failures: Vec<_> = one.failures.iter().map(|failure| failure.name(plan)).collect();
        json!({ "site": name(one.site), "failures": failures })
    });
    let times = proved.times.iter().map(|(what, ms)| (format!("{what}_ms"), json!(ms)));
    json!({
        "good": proved.is_good(),
        "tables": proved.source,
        "times": Value::Object(times.collect()),
        "peak_memory_mib": peak_memory_mib,
        "isolation": isolation_value(&proved.isolation),
        "survival": {
            "failures": survival.examined.total(),
            "cuts": cuts.collect::<Vec<_>>(),
            "not_resilient": not_resilient.collect::<Vec<_>>(),
        },
        "promises": proved.has("promises").then(|| promises_value(plan, &proved.promises)),
        "repairs": proved.has("repairs").then(|| repairs_value(plan, &proved.repairs)),
        "capacity": proved.has("capacity").then(|| capacity_value(plan, &proved.capacity)),
    })
}

fn repairs_value(plan: &Plan, repairs: &Repairs) -> Value {
    json!({
        "repairable": repairs.repairable(),
        "protected": repairs.protected,
        "no_alternative": repairs.no_alternative,
        "faulty": repairs.faulty,
        "faults": repairs.faults.iter().map(|one| one.in_words(plan)).collect::<Vec<_>>(),
    })
}

fn capacity_value(plan: &Plan, capacity: &Capacity) -> Value {
    let figures = capacity_figures(capacity);
    let overloads = capacity.overloads.iter().map(|one| one.in_words(plan, capacity));
    json!({
        "failures": capacity.examined,
        "assumed": capacity.assumed,
        "above_75": figures.above_75,
        "above_100": figures.above_100,
        "overloads": overloads.collect::<Vec<_>>(),
    })
}

fn isolation_value(proved: &Isolation) -> Value {
    let violation = |one: &Violation| {
        let witness = one.witness.as_ref().map(|packet| {
            json!({
                "site": packet.site,
                "virtual_network": packet.virtual_network,
                "source": packet.source,
                "destination": packet.destination,
                "protocol": packet.protocol,
                "port": packet.port,
            })
        });
        let (place, rule) = (one.place.to_string(), one.breach.to_string());
        json!({ "router": one.router, "place": place, "rule": rule, "witness": witness })
    };
    json!({
        "routers": proved.routers,
        "entries": proved.entries,
        "labels": proved.labels,
        "promises": proved.promises,
        "violations_total": proved.violations_total,
        "violations": proved.violations.iter().map(violation).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{isolation, isolation_value};
    use proof::{Breach, Isolation, Place, Violation, Witness};

    pub(crate) fn violation() -> Violation {
        Violation {
            router: "site-h1".to_owned(),
            place: Place::Access { vrf: "hospitals".to_owned() },
            breach: Breach::Wider,
            witness: Some(Witness {
                site: "H1".to_owned(),
                virtual_network: "hospitals".to_owned(),
                source: "10.1.0.2".parse().expect("an address"),
                destination: "10.2.0.2".parse().expect("an address"),
                protocol: Some(6),
                port: Some(444),
            }),
        }
    }

    #[test]
    fn a_violation_is_told_with_its_packet() {
        let violations = vec![violation()];
        let proved = Isolation { violations, violations_total: 1, ..Isolation::default() };
        let (holds, lines) = isolation(&proved);
        assert!(!holds);
        assert_eq!(
            lines[1..],
            [
                "1 violation",
                "site-h1, access rules of hospitals: more may cross than was published (from H1 in \
                 hospitals: 10.1.0.2 to 10.2.0.2, protocol 6, port 444)"
            ]
        );
        assert_eq!(isolation_value(&proved)["violations"][0]["witness"]["port"], 444);
    }
}
