//! Every single failure of the core: each link, each router, one after the other.
//!
//! For each: strike, wait until the network has converged, test every pair that the remaining
//! topology can connect, mend, wait again. Probes between random hosts run all the while, so that
//! isolation is watched during convergence too.

use base::Duration;
use model::config::Role;
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
    pub breaches: usize,
}

impl Outcome {
    /// Whether the network did what it should.
    #[must_use]
    pub const fn good(&self) -> bool {
        self.converged_ms.is_some() && self.survey.kept() && self.breaches == 0
    }
}

impl Twin {
    /// Every single failure of the core.
    #[must_use]
    pub fn single_failures(&self) -> Vec<(Fault, Fault)> {
        let plan = self.plan();
        let links = plan.links.iter().enumerate().filter(|(_, l)| l.kind == LinkKind::Core).map(
            |(number, _)| (Fault::Link(number, LinkState::Cut), Fault::Link(number, LinkState::Up)),
        );
        let routers = plan
            .routers
            .iter()
            .enumerate()
            .filter(|(_, router)| router.role == Role::Core)
            .map(|(number, _)| (Fault::RouterDown(number), Fault::RouterUp(number)));
        links.chain(routers).collect()
    }

    /// Strikes, lets the network converge, tests, mends, and lets it converge again.
    ///
    /// # Errors
    /// A router refuses its configuration when it is started again.
    pub fn fail_and_mend(
        &mut self,
        strikes: &[Fault],
        mends: &[Fault],
        extent: Extent,
    ) -> Result<Outcome, ConfigErrors> {
        self.set_patrol(true);
        let failure =
            strikes.iter().map(|&fault| self.describe_fault(fault)).collect::<Vec<_>>().join(", ");
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
        let breaches = self.breaches().len();
        let converged_ms = if mended.is_ok() { converged_ms } else { None };
        Ok(Outcome { failure, converged_ms, survey, breaches })
    }
}
