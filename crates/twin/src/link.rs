//! A link between two ports: rate, delay, jitter, loss, reordering, duplication, and cuts.
//!
//! Each direction is a queue with a tail drop in front of a line of the committed rate. A cut with
//! carrier is seen by both ports; a silent cut only swallows frames, and is for BFD to notice.

use base::{Duration, Instant, Rng};
use model::plan::Link as PlannedLink;

/// Octets that may wait for the line, per direction: 100 full-size frames.
const QUEUE_OCTETS_MAX: u64 = 150_000;

/// How a link treats frames beyond what the plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Impairment {
    /// Frames lost, per million.
    pub loss: u32,
    /// Frames delivered twice, per million.
    pub duplicate: u32,
    /// Frames held back for up to [`Impairment::jitter`] so that others overtake, per million.
    pub reorder: u32,
    /// The most that is added to the delay of a frame.
    pub jitter: Duration,
}

/// Whether a link carries frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// It does.
    Up,
    /// It does not, and the ports know.
    Cut,
    /// It does not, and the ports do not know.
    Silent,
}

/// Where the ends of a link are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Both at routers of this twin.
    Here,
    /// One here, the other at a router that runs elsewhere.
    Outside {
        /// Which end is here.
        end: usize,
        /// What the driver says of the way there.
        carrier: bool,
    },
    /// Both elsewhere.
    Elsewhere,
}

/// One link of the twin.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    /// Router and port numbers of the two ends.
    pub(crate) ends: [(usize, base::PortId); 2],
    pub(crate) place: Place,
    pub(crate) state: LinkState,
    pub(crate) impairment: Impairment,
    delay: Duration,
    nanos_per_octet: [u64; 2],
    busy_until: [Instant; 2],
    latest: [Instant; 2],
    /// Frames that the line's queue or an impairment lost.
    pub(crate) lost: u64,
}

/// When copies of a frame arrive: none, one, or two.
pub(crate) type Arrivals = [Option<Instant>; 2];

const fn nanos_per_octet(kbps: u32) -> u64 {
    if kbps == 0 { 0 } else { 8_000_000 / kbps as u64 }
}

impl Link {
    pub(crate) fn new(
        planned: &PlannedLink,
        ends: [(usize, base::PortId); 2],
        place: Place,
    ) -> Self {
        Self {
            name: planned.name.clone(),
            ends,
            place,
            state: LinkState::Up,
            impairment: Impairment::default(),
            delay: Duration::from_micros(planned.delay_us.into()),
            nanos_per_octet: [
                nanos_per_octet(planned.rate_kbps),
                nanos_per_octet(planned.rate_back_kbps),
            ],
            busy_until: [Instant::ZERO; 2],
            latest: [Instant::ZERO; 2],
            lost: 0,
        }
    }

    /// The line is another one; what is on it arrives as it would have.
    pub(crate) fn retune(&mut self, planned: &PlannedLink) {
        let new = Self::new(planned, self.ends, self.place);
        (self.delay, self.nanos_per_octet) = (new.delay, new.nanos_per_octet);
    }

    pub(crate) const fn leads_outside(&self) -> bool {
        matches!(self.place, Place::Outside { .. })
    }

    /// The router and port here that frames of an outside link come in by, while it carries any.
    pub(crate) fn outside_end(&self) -> Option<(usize, base::PortId)> {
        match self.place {
            Place::Outside { end, carrier: true } if self.state == LinkState::Up => {
                self.ends.get(end).copied()
            }
            Place::Outside { .. } | Place::Here | Place::Elsewhere => None,
        }
    }

    /// Sends a frame of `octets` from one end, and says when it arrives at the other.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        from: usize,
        octets: usize,
        rng: &mut Rng,
    ) -> Arrivals {
        let (Some(busy), Some(latest), Some(&per_octet)) = (
            self.busy_until.get_mut(from),
            self.latest.get_mut(from),
            self.nanos_per_octet.get(from),
        ) else {
            return [None; 2];
        };
        let start = now.max(*busy);
        let waiting = start.since(now).as_nanos();
        let backlog_max = u128::from(per_octet * QUEUE_OCTETS_MAX);
        let unlucky = self.impairment.loss > 0 && rng.chance(self.impairment.loss);
        if self.state != LinkState::Up || waiting > backlog_max || unlucky {
            self.lost += 1;
            return [None; 2];
        }
        *busy = start + Duration::from_nanos(per_octet * octets as u64);
        let mut arrival = *busy + self.delay;
        if !self.impairment.jitter.is_zero() {
            arrival = arrival + rng.jitter(self.impairment.jitter, 100);
        }
        let overtaken = self.impairment.reorder > 0 && rng.chance(self.impairment.reorder);
        if overtaken {
            arrival = arrival + self.impairment.jitter;
        } else {
            arrival = arrival.max(*latest);
            *latest = arrival;
        }
        let twice = self.impairment.duplicate > 0 && rng.chance(self.impairment.duplicate);
        [Some(arrival), twice.then_some(arrival)]
    }
}

#[cfg(test)]
mod tests {
    use super::{Impairment, Link, LinkState, Place};
    use base::{Duration, Instant, PortId, Rng};
    use model::config::Medium;
    use model::plan::{Link as PlannedLink, LinkEnd, LinkKind};

    fn link(rate_kbps: u32) -> Link {
        let end = |router: &str| LinkEnd { router: router.to_owned(), port: PortId(0) };
        let planned = PlannedLink {
            name: "a--b".to_owned(),
            kind: LinkKind::Core,
            ends: [end("a"), end("b")],
            medium: Medium::Ethernet,
            delay_us: 100,
            rate_kbps,
            rate_back_kbps: rate_kbps,
            shared_risks: Vec::new(),
        };
        Link::new(&planned, [(0, PortId(0)), (1, PortId(0))], Place::Here)
    }

    #[test]
    fn a_frame_takes_its_serialisation_and_the_delay() {
        let mut link = link(8_000);
        let arrivals = link.send(Instant::ZERO, 0, 1000, &mut Rng::new(1));
        assert_eq!(arrivals, [Some(Instant::ZERO + Duration::from_micros(1100)), None]);
        let second = link.send(Instant::ZERO, 0, 1000, &mut Rng::new(1));
        assert_eq!(second[0], Some(Instant::ZERO + Duration::from_micros(2100)));
        let other_way = link.send(Instant::ZERO, 1, 1000, &mut Rng::new(1));
        assert_eq!(other_way, arrivals);
    }

    #[test]
    fn a_full_queue_drops_the_tail() {
        let mut link = link(8);
        let mut rng = Rng::new(1);
        let delivered =
            (0..1000).filter(|_| link.send(Instant::ZERO, 0, 1500, &mut rng)[0].is_some()).count();
        assert_eq!(delivered, 101);
        assert_eq!(link.lost, 899);
    }

    #[test]
    fn cut_links_and_total_loss_deliver_nothing() {
        let mut link = link(8_000);
        link.state = LinkState::Silent;
        assert_eq!(link.send(Instant::ZERO, 0, 100, &mut Rng::new(1)), [None; 2]);
        link.state = LinkState::Up;
        link.impairment = Impairment { loss: 1_000_000, ..Impairment::default() };
        assert_eq!(link.send(Instant::ZERO, 0, 100, &mut Rng::new(1)), [None; 2]);
    }

    #[test]
    fn jitter_without_reordering_keeps_order() {
        let mut link = link(1_000_000);
        link.impairment.jitter = Duration::from_millis(5);
        let mut rng = Rng::new(1);
        let mut last = Instant::ZERO;
        for _ in 0..100 {
            let at = link.send(Instant::ZERO, 0, 100, &mut rng)[0].unwrap();
            assert!(at >= last);
            last = at;
        }
    }
}
