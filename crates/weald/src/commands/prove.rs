//! `weald prove`: isolation, over every forwarding entry of a region that has come up.

use std::time::Instant;

use model::tables::RouterTables;
use proof::{Isolation, Violation};
use serde_json::{Value, json};
use twin::Twin;
use twin::sweep::CONVERGENCE_MAX;

use crate::arguments::Prove;
use crate::failure::{Failure, Outcome};
use crate::load::load;
use crate::output;
use crate::screen::{count, number};

const GENERATION: u64 = 1;
/// Violations that fit on a screen.
const SHOWN: usize = 20;

pub(crate) fn run(arguments: &Prove, json: bool) -> Result<Outcome, Failure> {
    let plan = load(&arguments.folder, GENERATION, None)?.plan;
    let refused = |errors: &dyn core::fmt::Display| Failure::network(errors.to_string());
    let routers = count(plan.routers.len(), "router", "routers");
    output::note(&format!("{}: {routers} find their routes", plan.region));
    let mut twin = Twin::new(plan, arguments.seed).map_err(|errors| refused(&errors))?;
    twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {}).map_err(|error| refused(&error))?;
    let plan = twin.plan();
    let running = plan.routers.iter().filter_map(|config| twin.router(&config.name));
    let tables: Vec<RouterTables> = running.map(router::Router::forwarding_tables).collect();
    let start = Instant::now();
    let proved = proof::isolation(plan, &tables);
    let time_ms = start.elapsed().as_secs_f64() * 1e3;
    let good = proved.violations_total == 0;
    output::either(json, &value(&proved, time_ms), &text(&proved, time_ms));
    Ok(Outcome::from(good))
}

fn value(proved: &Isolation, time_ms: f64) -> Value {
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
        "time_ms": time_ms,
        "good": proved.violations_total == 0,
    })
}

fn text(proved: &Isolation, time_ms: f64) -> String {
    let many = |value: usize| number(value as u64);
    let mut text = format!(
        "{} routers: {} routes and {} labels followed, {} promises looked up, in {time_ms:.1} ms\n",
        many(proved.routers),
        many(proved.entries),
        many(proved.labels),
        many(proved.promises),
    );
    if proved.violations_total == 0 {
        text.push_str(
            "isolated: no entry leads a packet out of its virtual network but as communities allow, \
             and every promise has a way\n",
        );
        return text;
    }
    for violation in proved.violations.iter().take(SHOWN) {
        text.push_str(&format!("{violation}\n"));
    }
    let hidden = proved.violations_total.saturating_sub(SHOWN);
    if hidden > 0 {
        text.push_str(&format!("and {} more\n", many(hidden)));
    }
    text.push_str(&format!(
        "NOT isolated: {}\n",
        count(proved.violations_total, "violation", "violations")
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::{text, value};
    use proof::{Breach, Isolation, Place, Violation, Witness};

    #[test]
    fn a_violation_is_told_with_its_packet() {
        let violation = Violation {
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
        };
        let proved = Isolation {
            routers: 6,
            violations: vec![violation],
            violations_total: 1,
            ..Isolation::default()
        };
        let told = text(&proved, 1.0);
        assert!(told.ends_with(
            "site-h1, access rules of hospitals: more may cross than was published (from H1 in \
             hospitals: 10.1.0.2 to 10.2.0.2, protocol 6, port 444)\nNOT isolated: 1 violation\n"
        ));
        assert_eq!(value(&proved, 1.0)["violations"][0]["witness"]["port"], 444);
    }
}
