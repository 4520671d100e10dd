//! Faults: links that are cut or swallow frames, routers that lose power, lines that misbehave.

use core::fmt;

use base::PortId;
use model::config::RouterConfig;
use router::ConfigErrors;

use crate::Twin;
use crate::link::{Impairment, LinkState};

/// One fault, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A link by number changes what it carries.
    Link(usize, LinkState),
    /// A router by number loses its power.
    RouterDown(usize),
    /// A router by number gets its power back and starts with nothing but its configuration.
    RouterUp(usize),
    /// A link by number treats frames so.
    Impair(usize, Impairment),
}

impl Twin {
    /// Makes a fault happen now.
    ///
    /// # Errors
    /// A router that is started refuses its configuration.
    pub fn strike(&mut self, fault: Fault) -> Result<(), ConfigErrors> {
        match fault {
            Fault::Link(number, state) => self.engine.set_link(number, state),
            Fault::RouterDown(number) => self.engine.stop(number),
            Fault::RouterUp(number) => self.engine.start(number)?,
            Fault::Impair(number, impairment) => {
                if let Some(link) = self.engine.link_mut(number) {
                    link.impairment = impairment;
                }
            }
        }
        Ok(())
    }

    /// Ends every fault: all links carry frames undisturbed and all routers run.
    ///
    /// # Errors
    /// A router that is started refuses its configuration.
    pub fn mend_everything(&mut self) -> Result<(), ConfigErrors> {
        for number in 0..self.plan().links.len() {
            self.strike(Fault::Impair(number, Impairment::default()))?;
            self.strike(Fault::Link(number, LinkState::Up))?;
        }
        for number in 0..self.plan().routers.len() {
            self.strike(Fault::RouterUp(number))?;
        }
        Ok(())
    }

    /// Gives a router a new configuration.
    ///
    /// # Errors
    /// The router refuses it and keeps what it has.
    pub fn set_config(&mut self, number: usize, config: RouterConfig) -> Result<(), ConfigErrors> {
        self.engine.set_config(number, config)
    }

    /// Puts a frame into a router's port as if it came off the wire: what an intruder on a line
    /// could do.
    pub fn inject(&mut self, number: usize, port: PortId, frame: Vec<u8>) {
        self.engine.inject(number, port, &frame);
    }

    /// A fault in words, with the names of the plan.
    #[must_use]
    pub fn describe_fault(&self, fault: Fault) -> String {
        let link = |number: usize| self.plan().links.get(number).map_or("?", |l| l.name.as_str());
        let router =
            |number: usize| self.plan().routers.get(number).map_or("?", |r| r.name.as_str());
        match fault {
            Fault::Link(number, LinkState::Up) => format!("mend link {}", link(number)),
            Fault::Link(number, LinkState::Cut) => format!("cut link {}", link(number)),
            Fault::Link(number, LinkState::Silent) => format!("silence link {}", link(number)),
            Fault::RouterDown(number) => format!("stop router {}", router(number)),
            Fault::RouterUp(number) => format!("start router {}", router(number)),
            Fault::Impair(number, impairment) => {
                format!("impair link {}: {impairment}", link(number))
            }
        }
    }
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "loss {} ppm, duplicates {} ppm, reordering {} ppm, jitter {:?}",
            self.loss, self.duplicate, self.reorder, self.jitter
        )
    }
}
