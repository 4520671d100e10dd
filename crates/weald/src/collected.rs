//! What runs: the plan of a running network, and the tables that its routers forward by, as they say
//! themselves over their control sockets.
//!
//! `weald up` and `weald lab` know the plan and answer for every router; a `weald router` answers for
//! itself and knows nothing of the promises, which then come from a folder. The plan comes without
//! the region's keys: they are of use to nobody who only looks.

use std::path::PathBuf;

use model::config::Authentication;
use model::plan::Plan;
use model::tables::RouterTables;
use serde::de::DeserializeOwned;

use crate::commands::compile::number_after;
use crate::control::client;
use crate::control::request::{OneOrAll, Request, Show};
use crate::failure::Failure;
use crate::output;
use crate::screen::{count, list};

/// Where the tables come from, as certificates say it: whoever verifies one cannot get them again.
pub(crate) const SOURCE: &str = "collected from running routers";

/// What runs.
#[derive(Debug)]
pub(crate) struct Running {
    /// Of each socket that knows it.
    plans: Vec<Plan>,
    pub(crate) tables: Vec<RouterTables>,
}

/// Replaces every key of a plan by nothing.
pub(crate) fn remove_keys(plan: &mut Plan) {
    for router in &mut plan.routers {
        let authentication = router.isis.as_mut().and_then(|isis| isis.authentication.as_mut());
        if let Some(Authentication { key, .. }) = authentication {
            key.clear();
        }
    }
}

fn ask<T: DeserializeOwned>(socket: Option<PathBuf>, show: Show) -> Result<T, Failure> {
    let answer = client::ask(socket, &Request::Show(show))?;
    serde_json::from_value(answer.data).map_err(|error| {
        Failure::network(format!("answer cannot be read: {error}"))
            .hint("the running network may be of another version of weald")
    })
}

/// The plan of the network that runs, without its keys; none: a router alone answers.
pub(crate) fn plan(socket: Option<PathBuf>) -> Result<Option<Plan>, Failure> {
    ask(socket, Show::Plan)
}

impl Running {
    /// Asks at these sockets; without one, where a network is by default.
    pub(crate) fn ask(sockets: &[PathBuf]) -> Result<Self, Failure> {
        let sockets: Vec<Option<PathBuf>> = if sockets.is_empty() {
            vec![None]
        } else {
            sockets.iter().cloned().map(Some).collect()
        };
        let (mut plans, mut tables) = (Vec::new(), Vec::new());
        for socket in sockets {
            plans.extend(plan(socket.clone())?);
            let all: Vec<RouterTables> = ask(socket, Show::Tables(OneOrAll { router: None }))?;
            tables.extend(all);
        }
        Ok(Self { plans, tables })
    }

    /// The plan that runs and the tables, where the promises come from nowhere else.
    pub(crate) fn alone(self) -> Result<(Plan, Vec<RouterTables>), Failure> {
        let Self { mut plans, tables } = self;
        let (Some(plan), true) = (plans.pop(), plans.is_empty()) else {
            return Err(Failure::input("routers alone do not know what was promised")
                .hint("name the folder of the intent: `weald prove DIR --live`"));
        };
        Ok((plan, tables))
    }

    /// Holds the plan of a folder against what runs: of the same region, and with the number that
    /// it would have there, unless it has one already.
    pub(crate) fn take_promises(&self, plan: &mut Plan, is_numbered: bool) -> Result<(), Failure> {
        if let Some(other) = self.plans.iter().find(|running| running.region != plan.region) {
            let (running, wanted) = (&other.region, &plan.region);
            let message = format!("what runs is region {running}, and the intent is of {wanted}");
            return Err(Failure::input(message).hint("choose another network with `--socket`"));
        }
        if is_numbered {
            return Ok(());
        }
        if let Some(running) = self.plans.first() {
            let mut bare = plan.clone();
            remove_keys(&mut bare);
            number_after(plan, running, &plan::difference(running, &bare));
        } else if let Some(newest) = self.tables.iter().map(|one| one.generation).max() {
            // Routers refuse an older plan: the newest one is the one in force.
            plan.generation = newest;
            plan.routers.iter_mut().for_each(|router| router.generation = newest);
        }
        Ok(())
    }

    /// Tells the person whose tables these are, and whose are missing.
    pub(crate) fn tell(tables: &[RouterTables], plan: &Plan) {
        let told = |name: &str| tables.iter().any(|one| one.router == name);
        let names = plan.routers.iter().map(|router| router.name.as_str());
        let missing: Vec<&str> = names.filter(|name| !told(name)).collect();
        let routers = count(tables.len(), "router", "routers");
        output::note(&format!("{}: the tables of {routers} are {SOURCE}", plan.region));
        if !missing.is_empty() {
            output::note(&format!("nobody gives the tables of {}", list(&missing)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Running, remove_keys};
    use crate::load::load;
    use crate::proving::{prove, prove_collected};
    use model::plan::Plan;

    fn plan() -> Plan {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/two-pops");
        load(&folder, 1, "2026-06-01".parse().ok()).unwrap().plan
    }

    fn bare() -> Plan {
        let mut plan = plan();
        remove_keys(&mut plan);
        plan
    }

    #[test]
    fn no_key_is_left_of_a_plan_that_is_shown() {
        assert!(serde_json::to_string(&plan()).unwrap().contains("example-key-do-not-use"));
        assert!(!serde_json::to_string(&bare()).unwrap().contains("example-key-do-not-use"));
    }

    #[test]
    fn tables_of_two_generations_are_refused_with_the_reason() {
        let plan = plan();
        let mut tables = prove(&plan).tables;
        tables.iter_mut().for_each(|one| one.generation = 7);
        let last = tables.last_mut().unwrap();
        last.generation = 6;
        let name = last.router.clone();
        let running = Running { plans: Vec::new(), tables };
        let mut numbered = plan;
        running.take_promises(&mut numbered, false).unwrap();
        assert_eq!((numbered.generation, numbered.routers[0].generation), (7, 7));
        let proved = prove_collected(&numbered, running.tables);
        assert!(!proved.is_good());
        let told: Vec<_> = proved.isolation.violations.iter().map(ToString::to_string).collect();
        assert_eq!(told, [format!("{name}, the router: its tables are of plan 6, not 7")]);
    }

    #[test]
    fn the_plan_of_a_folder_has_the_number_that_it_would_have_there() {
        let running = |plan| Running { plans: vec![plan], tables: Vec::new() };
        let mut old = bare();
        old.generation = 4;
        old.routers.iter_mut().for_each(|router| router.generation = 4);
        let mut same = plan();
        running(old.clone()).take_promises(&mut same, false).unwrap();
        assert_eq!(same.generation, 4);
        let mut other = plan();
        other.routers[0].bgp.hold_time_s += 1;
        running(old.clone()).take_promises(&mut other, false).unwrap();
        assert_eq!((other.generation, other.routers[0].generation), (5, 5));
        let mut numbered = plan();
        running(old.clone()).take_promises(&mut numbered, true).unwrap();
        assert_eq!(numbered.generation, 1);
        let elsewhere = Plan { region: "kent".to_owned(), ..old };
        let refused = running(elsewhere).take_promises(&mut plan(), true).unwrap_err();
        assert_eq!(refused.code(), 2);
        assert!(refused.message.contains("region kent"), "{refused}");
    }

    #[test]
    fn routers_alone_do_not_know_what_was_promised() {
        let running = Running { plans: Vec::new(), tables: Vec::new() };
        assert_eq!(running.alone().unwrap_err().code(), 2);
        let running = Running { plans: vec![bare()], tables: Vec::new() };
        assert_eq!(running.alone().unwrap().0, bare());
    }
}
