//! The state machine: a pure table of states and events.
//!
//! The handshake is a three-way one. Two systems in `Down` that hear each other go to `Init`; one
//! that hears `Init` knows that it is heard, and goes to `Up`. A system in `Up` that hears `Down`
//! falls at once, so both ends always agree within one packet.
//!
//! Standards: RFC 5880 §6.2 (states), §6.8.6 (received states), §6.8.4 (detection), §6.8.16
//! (administrative control), §6.8.17 (path down from outside).
//! Not implemented: none.

use crate::{Diagnostic, State};

/// What may change the state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A valid packet, and the neighbour's state in it.
    Received(State),
    /// Nothing came for the detection time.
    DetectionExpired,
    /// Something other than BFD knows that the path is gone.
    PathDown,
    /// An administrator holds the session down.
    Disable,
    /// An administrator lets the session go.
    Enable,
}

/// The state that follows, and why; `None` where nothing changes.
#[must_use]
pub const fn transition(state: State, event: Event) -> Option<(State, Diagnostic)> {
    match (state, event) {
        (State::Down, Event::Received(State::Down)) => Some((State::Init, Diagnostic::None)),

        (State::Down, Event::Received(State::Init))
        | (State::Init, Event::Received(State::Init | State::Up)) => {
            Some((State::Up, Diagnostic::None))
        }

        (State::Init, Event::Received(State::AdminDown))
        | (State::Up, Event::Received(State::AdminDown | State::Down)) => {
            Some((State::Down, Diagnostic::NeighborSignaledDown))
        }

        (State::Init | State::Up, Event::DetectionExpired) => {
            Some((State::Down, Diagnostic::DetectionTimeExpired))
        }

        (State::Init | State::Up, Event::PathDown) => Some((State::Down, Diagnostic::PathDown)),

        (State::Down | State::Init | State::Up, Event::Disable) => {
            Some((State::AdminDown, Diagnostic::AdministrativelyDown))
        }

        (State::AdminDown, Event::Enable) => Some((State::Down, Diagnostic::None)),

        (State::Down, Event::Received(State::AdminDown | State::Up))
        | (State::Init, Event::Received(State::Down))
        | (State::Up, Event::Received(State::Init | State::Up))
        | (State::Down, Event::DetectionExpired | Event::PathDown)
        | (State::Down | State::Init | State::Up, Event::Enable)
        | (
            State::AdminDown,
            Event::Received(_) | Event::DetectionExpired | Event::PathDown | Event::Disable,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, transition};
    use crate::{Diagnostic, State};

    const ADMIN_DOWN: State = State::AdminDown;
    const DOWN: State = State::Down;
    const INIT: State = State::Init;
    const UP: State = State::Up;

    /// One row per event; one column per state, in the order of [`State::ALL`].
    const TABLE: [(Event, [State; 4]); 8] = [
        (Event::Received(ADMIN_DOWN), [ADMIN_DOWN, DOWN, DOWN, DOWN]),
        (Event::Received(DOWN), [ADMIN_DOWN, INIT, INIT, DOWN]),
        (Event::Received(INIT), [ADMIN_DOWN, UP, UP, UP]),
        (Event::Received(UP), [ADMIN_DOWN, DOWN, UP, UP]),
        (Event::DetectionExpired, [ADMIN_DOWN, DOWN, DOWN, DOWN]),
        (Event::PathDown, [ADMIN_DOWN, DOWN, DOWN, DOWN]),
        (Event::Disable, [ADMIN_DOWN, ADMIN_DOWN, ADMIN_DOWN, ADMIN_DOWN]),
        (Event::Enable, [DOWN, DOWN, INIT, UP]),
    ];

    #[test]
    fn every_event_in_every_state_leads_where_the_standard_says() {
        for (event, row) in TABLE {
            for (from, to) in State::ALL.into_iter().zip(row) {
                let expected = (from != to).then_some(to);
                let found = transition(from, event).map(|(state, _)| state);
                assert_eq!(found, expected, "{event:?} in {from:?}");
            }
        }
    }

    #[test]
    fn every_fall_says_why() {
        let falls = [
            (Event::Received(ADMIN_DOWN), Diagnostic::NeighborSignaledDown),
            (Event::Received(DOWN), Diagnostic::NeighborSignaledDown),
            (Event::DetectionExpired, Diagnostic::DetectionTimeExpired),
            (Event::PathDown, Diagnostic::PathDown),
            (Event::Disable, Diagnostic::AdministrativelyDown),
        ];
        for (event, diagnostic) in falls {
            assert_eq!(transition(UP, event).map(|(_, why)| why), Some(diagnostic));
        }
    }
}
