//! The boundary to the real world: ports of the twin that real frames enter and leave by.
//!
//! Two things lie outside. A LAN that is attached ([`Twin::attach_lan`]) loses its simulated hosts
//! and gets those of its driver: a site router's port leads to a real network. A link to a router
//! that a partial twin leaves out ([`Twin::partial`]) leads to that router, which runs elsewhere.
//! Both look alike: what a router sends there is queued for the driver ([`Twin::take_outside`]),
//! what the driver brings enters the router's port at once ([`Twin::handle_outside`]), and the
//! driver says whether there is carrier ([`Twin::set_outside_carrier`]). The twin does no I/O.
//!
//! A driver in real time repeats: [`Twin::run_until`] now, hand over what came in, take what goes
//! out, sleep until [`Twin::next_at`] or the next frame. What waits for something in virtual time
//! (convergence, a survey, a sweep, a search, [`Twin::trace`]) runs ahead of the world outside,
//! which then seems to be silent: with an outside, wait in steps of real time instead
//! ([`Twin::progress`], [`Twin::start_trace`]).
//!
//! The real link has its own delay and rate, so none are added here, and no impairments; a cut of
//! the link in the twin works all the same.

use std::collections::BTreeSet;

use base::Instant;
use model::plan::Plan;
use router::ConfigErrors;

use crate::Twin;

/// Frames that wait for the driver: a tenth of a second at a gigabit per second, and a margin. A
/// driver that takes more seldom loses the rest.
const FRAMES_MAX: usize = 16_384;

/// A port of the twin that leads to the real world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// The LAN of this number among the plan's attachments.
    Lan(usize),
    /// The link of this number among the plan's links, one end of which is elsewhere.
    Link(usize),
}

/// Frames on their way out.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    frames: Vec<(Outside, Vec<u8>)>,
    lost: u64,
}

impl Outbox {
    pub(crate) fn push(&mut self, outside: Outside, frame: Vec<u8>) {
        if self.frames.len() < FRAMES_MAX {
            self.frames.push((outside, frame));
        } else {
            self.lost += 1;
        }
    }
}

impl Twin {
    /// Builds a part of the network: routers named in `absent` run elsewhere. Names that the plan
    /// does not have are passed over.
    ///
    /// A link with one end here is an [`Outside::Link`]: without carrier until the driver says
    /// otherwise. A link with both ends elsewhere is taken to work, and routers elsewhere to run:
    /// that is what [`Twin::progress`] expects of the routers here. Surveys, sweeps, searches and
    /// the checker of labels are for whole networks.
    ///
    /// # Errors
    /// A configuration that a router refuses, with everything that is wrong with it.
    pub fn partial(plan: Plan, seed: u64, absent: &BTreeSet<String>) -> Result<Self, ConfigErrors> {
        Self::build(plan, seed, absent)
    }

    /// Puts real hosts in the place of a LAN's simulated ones: from now on its frames go to the
    /// driver, and come from it. The simulated hosts are gone, for two hosts with one address
    /// would quarrel, and surveys and probes leave the LAN out. There is carrier.
    pub fn attach_lan(&mut self, lan: usize) {
        self.engine.attach_lan(lan);
    }

    /// Whether real hosts are in the place of a LAN's simulated ones.
    #[must_use]
    pub fn is_attached(&self, lan: usize) -> bool {
        self.engine.lans.get(lan).is_some_and(|lan| !lan.is_simulated())
    }

    /// The links that lead outside: those with one end at a router that runs elsewhere.
    pub fn outside_links(&self) -> impl Iterator<Item = usize> {
        let links = self.engine.links().iter().enumerate();
        links.filter(|(_, link)| link.leads_outside()).map(|(number, _)| number)
    }

    /// The plug of an outside port is put in or pulled out, at the present moment of the twin.
    pub fn set_outside_carrier(&mut self, outside: Outside, up: bool) {
        self.engine.set_outside_carrier(outside, up);
    }

    /// A frame comes in from outside at `now`: everything that was due before happens first. Where
    /// the twin has run ahead, the frame is late and comes in at the twin's own time. What comes in
    /// where nothing is attached, or where there is no carrier, is dropped.
    pub fn handle_outside(&mut self, now: Instant, outside: Outside, frame: &[u8]) {
        self.run_until(now);
        self.engine.handle_outside(outside, frame);
        self.note_arrivals();
    }

    /// Frames for the world outside since this was last called, in order.
    pub fn take_outside(&mut self) -> Vec<(Outside, Vec<u8>)> {
        core::mem::take(&mut self.engine.outbox.frames)
    }

    /// Frames that were lost because too many waited for [`Twin::take_outside`].
    #[must_use]
    pub const fn outside_lost(&self) -> u64 {
        self.engine.outbox.lost
    }
}

#[cfg(test)]
mod tests {
    use super::{FRAMES_MAX, Outbox, Outside};

    #[test]
    fn frames_that_nobody_takes_are_lost_and_counted() {
        let mut outbox = Outbox::default();
        for number in 0..FRAMES_MAX + 3 {
            outbox.push(Outside::Lan(number), Vec::new());
        }
        assert_eq!((outbox.frames.len(), outbox.lost), (FRAMES_MAX, 3));
        assert_eq!(outbox.frames.first(), Some(&(Outside::Lan(0), Vec::new())));
    }
}
