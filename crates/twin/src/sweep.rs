//! Every single failure of the core: each link, each router, each point of presence, one after the
//! other.
//!
//! For each: strike, wait until the network has converged, test every pair that the remaining
//! topology can connect, mend, wait again. Probes between random hosts run all the while, so that
//! isolation is watched during convergence too.

use base::Duration;
use model::config::{Role, RouterConfig};
use model::plan::LinkKind;
use router::ConfigErrors;
use serde::Serialize;

use crate::Twin;
use crate::fault::Fault;
use crate::link::LinkState;
use crate::survey::{Extent, Survey};

/// How long the network may take to converge after one fault: a hold time and several retries.
pub const CONVERGENCE_MAX: Duration = Duration::from_secs(240);

/// What one failure did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The failure in words.
    pub failure: String,
    /// Virtual milliseconds from the failure until everything that is left was up and quiet.
    pub converged_ms: Option<u64>,
    /// What arrived then.
    pub survey: Survey,
    /// Packets that came out where none may, at any instant so far.
    pub breaches: u64,
}

impl Outcome {
    /// Whether the network did what it should.
    #[must_use]
    pub const fn good(&self) -> bool {
        self.converged_ms.is_some() && self.survey.kept() && self.breaches == 0
    }
}

/// A failure and how it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happens, all at once.
    pub strikes: Vec<Fault>,
    /// What undoes it.
    pub mends: Vec<Fault>,
}

impl Failure {
    fn of_routers(numbers: impl Iterator<Item = usize> + Clone) -> Self {
        Self {
            strikes: numbers.clone().map(Fault::RouterDown).collect(),
            mends: numbers.map(Fault::RouterUp).collect(),
        }
    }
}

impl Twin {
    /// Every single failure of the core: links, routers, and points of presence with more than
    /// one router.
    #[must_use]
    pub fn single_failures(&self) -> Vec<Failure> {
        let plan = self.plan();
        let core = |router: &RouterConfig| router.role == Role::Core;
        let links = plan.links.iter().enumerate().filter(|(_, link)| link.kind == LinkKind::Core);
        let links = links.map(|(number, _)| Failure {
            strikes: vec![Fault::Link(number, LinkState::Cut)],
            mends: vec![Fault::Link(number, LinkState::Up)],
        });
        let routers = plan.routers.iter().enumerate().filter(|(_, router)| core(router));
        let routers = routers.map(|(number, _)| Failure::of_routers([number].into_iter()));
        let pops = plan.pops.iter().filter(|pop| pop.routers.len() > 1).map(|pop| {
            Failure::of_routers(pop.routers.iter().filter_map(|name| self.router_number(name)))
        });
        links.chain(routers).chain(pops).collect()
    }

    /// Strikes, lets the network converge, tests, mends, and lets it converge again.
    ///
    /// # Errors
    /// A router refuses its configuration when it is started again.
    pub fn fail_and_mend(
        &mut self,
        failure: &Failure,
        extent: Extent,
    ) -> Result<Outcome, ConfigErrors> {
        self.set_patrol(true);
        let Failure { strikes, mends } = failure;
        let words: Vec<String> = strikes.iter().map(|&one| self.describe_fault(one)).collect();
        let start = self.now();
        for &fault in strikes {
            self.strike(fault)?;
        }
        let converged = self.run_until_converged(CONVERGENCE_MAX, &mut |_| {});
        let converged_ms = converged
            .is_ok()
            .then(|| u64::try_from((self.now() - start).as_millis()).unwrap_or(u64::MAX));
        let survey = self.survey(extent);
        for &fault in mends {
            self.strike(fault)?;
        }
        let mended = self.run_until_converged(CONVERGENCE_MAX, &mut |_| {});
        self.set_patrol(false);
        let breaches = self.breach_count();
        let converged_ms = if mended.is_ok() { converged_ms } else { None };
        Ok(Outcome { failure: words.join(", "), converged_ms, survey, breaches })
    }
}
