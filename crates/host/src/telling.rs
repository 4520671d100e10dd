//! How often people are told of the same thing.
//!
//! A neighbour that has gone mad makes its adjacency or its session come and go thousands of times
//! a second. Whoever reads the log is helped by the first times and by how things stand now, and
//! the log is not to be what such a neighbour fills. So every thing that happens to one port or one
//! neighbour is told a number of times; after that only the latest is kept, and told when some time
//! is over, until it has been quiet for as long.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Instant;
use router::Event;

/// How often one thing is told before the rest is told together: links that flap by themselves do
/// so every few seconds.
const TOLD_MAX: u32 = 20;
/// After how long the rest is told, and how long it is quiet before everything is told again.
const WINDOW: Duration = Duration::from_secs(10);

/// What is counted: a kind of event, and the port or neighbour that it is about.
type Subject = (&'static str, String);

#[derive(Debug)]
struct Count {
    ends: Instant,
    told: u32,
    /// The latest that was not told.
    kept: Option<Event>,
    /// Others that never will be.
    left_out: u64,
}

/// What people were told lately. There is one entry for each thing that happens to a port or a
/// neighbour, and those are the configuration's.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    counts: BTreeMap<Subject, Count>,
}

fn subject(event: &Event) -> Subject {
    let (kind, name) = match event {
        Event::Adjacency { port, .. } => ("adjacency", port),
        Event::Session { neighbour, .. } => ("session", neighbour),
        Event::Bfd { port, .. } => ("bfd", port),
        Event::RouteRefused { neighbour, .. } => ("route", neighbour),
        Event::PoolExhausted { port } => ("pool", port),
    };
    (kind, name.clone())
}

impl Telling {
    /// Gives an event back where it is to be told now.
    pub(crate) fn take(&mut self, now: Instant, event: Event) -> Option<Event> {
        let fresh = Count { ends: now + WINDOW, told: 0, kept: None, left_out: 0 };
        let count = self.counts.entry(subject(&event)).or_insert(fresh);
        if count.told < TOLD_MAX {
            count.told += 1;
            return Some(event);
        }
        count.left_out += u64::from(count.kept.replace(event).is_some());
        None
    }

    /// What is to be told by now of what was kept, and how many others were left out for it.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(Event, u64)> {
        let mut due = Vec::new();
        self.counts.retain(|_, count| {
            if count.ends > now {
                return true;
            }
            let Some(event) = count.kept.take() else { return false };
            due.push((event, count.left_out));
            (count.ends, count.told, count.left_out) = (now + WINDOW, TOLD_MAX, 0);
            true
        });
        due
    }

    /// When [`Self::due`] is wanted.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.counts.values().map(|count| count.ends).min()
    }
}

#[cfg(test)]
mod tests {
    use super::{TOLD_MAX, Telling, WINDOW};
    use base::Instant;
    use router::Event;
    use std::time::Duration;

    fn session(neighbour: &str, up: bool) -> Event {
        Event::Session { neighbour: neighbour.to_owned(), up, reason: String::new() }
    }

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// Has a session come and go a thousand times, and counts what is told at once.
    fn flap(telling: &mut Telling, now: Instant) -> usize {
        let events = (0..1_000).map(|number| session("mad", number % 2 == 0));
        events.filter_map(|event| telling.take(now, event)).count()
    }

    #[test]
    fn first_times_are_told_at_once_and_the_last_when_the_window_is_over() {
        let mut telling = Telling::default();
        assert_eq!(flap(&mut telling, at(0)), 20);
        assert!(telling.due(at(9_999)).is_empty());
        assert_eq!(telling.deadline(), Some(at(10_000)));
        assert_eq!(telling.due(at(10_000)), [(session("mad", false), 979)]);
        assert!(telling.due(at(10_001)).is_empty());
    }

    #[test]
    fn what_goes_on_is_told_once_a_window_and_what_has_been_quiet_at_once() {
        let mut telling = Telling::default();
        flap(&mut telling, at(0));
        telling.due(at(10_000));
        assert_eq!(flap(&mut telling, at(11_000)), 0);
        assert_eq!(telling.due(at(20_000)), [(session("mad", false), 999)]);
        assert!(telling.due(at(30_000)).is_empty());
        assert_eq!(telling.deadline(), None, "nothing is remembered");
        assert_eq!(flap(&mut telling, at(30_001)), usize::try_from(TOLD_MAX).unwrap());
    }

    #[test]
    fn one_that_has_gone_mad_does_not_silence_others() {
        let mut telling = Telling::default();
        flap(&mut telling, at(0));
        assert!(telling.take(at(1), session("sane", false)).is_some());
        let bfd =
            Event::Bfd { port: "mad".to_owned(), state: "up".to_owned(), reason: String::new() };
        assert!(telling.take(at(1), bfd).is_some(), "another thing of the same name");
        assert_eq!(telling.due(at(0) + WINDOW).len(), 1);
    }
}
