//! The adjacency with the neighbour at the far end of a circuit: three-way handshake.
//!
//! A hello says what its sender sees. Only when each side has heard that the other hears it is the
//! adjacency up, so a link that carries packets one way never is. The table of RFC 5303 is one pure
//! function; what follows from a change is done where hellos are handled.
//!
//! Standards: RFC 5303 §3.2, ISO 10589 §8.2.4.
//! Not implemented: neighbours without the three-way TLV.
//!
//! Deviation from RFC 5303 §3.2: a neighbour that does not send the TLV is refused instead of being
//! taken up without a handshake, because every router of this century sends it.

use core::net::{Ipv4Addr, Ipv6Addr};

use base::{Instant, PortId, SystemId};

use crate::error::{NotUpReason, RejectReason};
use crate::tlv::{AdjacencyState, ThreeWay};

/// What a hello does to the adjacency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The neighbour does not hear us yet, or no longer.
    Initialize,
    /// Both hear each other now.
    Up,
    /// The neighbour takes for up what is not: it will find out by our next hello.
    Down,
    /// As before.
    Accept,
}

/// RFC 5303 §3.2: what a hello in state `heard` does to an adjacency in state `ours`.
pub(crate) const fn transition(ours: AdjacencyState, heard: AdjacencyState) -> Action {
    use AdjacencyState as S;
    match (ours, heard) {
        (S::Down | S::Initializing | S::Up, S::Down) => Action::Initialize,
        (S::Down, S::Initializing) => Action::Up,
        (S::Down, S::Up) => Action::Down,
        (S::Initializing, S::Initializing | S::Up) => Action::Up,
        (S::Up, S::Initializing | S::Up) => Action::Accept,
    }
}

/// RFC 5303 §3.2: a hello that says that its sender sees somebody else at our end is not for us.
pub(crate) fn is_for_us(
    three_way: &ThreeWay,
    system_id: SystemId,
    circuit: u32,
) -> Result<(), RejectReason> {
    if three_way.neighbour.is_some_and(|neighbour| neighbour != system_id) {
        return Err(RejectReason::OtherNeighbour);
    }
    if three_way.neighbour_circuit.is_some_and(|theirs| theirs != circuit) {
        return Err(RejectReason::OtherCircuit);
    }
    Ok(())
}

/// A neighbour that is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Adjacency {
    pub(crate) neighbour: SystemId,
    /// Initializing or up; a neighbour that is down is not kept.
    pub(crate) up: bool,
    /// The neighbour's number of the circuit.
    pub(crate) circuit: Option<u32>,
    pub(crate) v4: Option<Ipv4Addr>,
    pub(crate) v6: Option<Ipv6Addr>,
    pub(crate) holds_until: Instant,
}

/// An adjacency, or the lack of one, as people are shown it: one for each circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjacencyView {
    /// The circuit's port.
    pub port: PortId,
    /// The neighbour, where one is heard.
    pub neighbour: Option<SystemId>,
    /// How far the handshake has come.
    pub state: AdjacencyState,
    /// The neighbour's IPv4 address on the link.
    pub v4: Option<Ipv4Addr>,
    /// The neighbour's IPv6 link-local address.
    pub v6: Option<Ipv6Addr>,
    /// The neighbour's name, where its link-state PDU is known.
    pub hostname: Option<String>,
    /// Why it is not up; `None` where it is.
    pub not_up: Option<NotUpReason>,
    /// When it came to this state.
    pub since: Instant,
}

#[cfg(test)]
mod tests {
    use super::{Action, is_for_us, transition};
    use crate::error::RejectReason;
    use crate::tlv::{AdjacencyState as S, ThreeWay};
    use base::SystemId;

    #[test]
    fn three_way_state_table() {
        let table = [
            (S::Down, S::Down, Action::Initialize),
            (S::Down, S::Initializing, Action::Up),
            (S::Down, S::Up, Action::Down),
            (S::Initializing, S::Down, Action::Initialize),
            (S::Initializing, S::Initializing, Action::Up),
            (S::Initializing, S::Up, Action::Up),
            (S::Up, S::Down, Action::Initialize),
            (S::Up, S::Initializing, Action::Accept),
            (S::Up, S::Up, Action::Accept),
        ];
        for (ours, heard, action) in table {
            assert_eq!(transition(ours, heard), action, "{ours:?} {heard:?}");
        }
    }

    #[test]
    fn a_hello_that_names_another_router_or_circuit_is_refused() {
        let us = SystemId([1; 6]);
        let hello = |neighbour, neighbour_circuit| ThreeWay {
            state: S::Initializing,
            circuit: Some(1),
            neighbour,
            neighbour_circuit,
        };
        assert_eq!(is_for_us(&hello(None, None), us, 5), Ok(()));
        assert_eq!(is_for_us(&hello(Some(us), Some(5)), us, 5), Ok(()));
        assert_eq!(is_for_us(&hello(Some(us), None), us, 5), Ok(()));
        let other = Some(SystemId([2; 6]));
        assert_eq!(is_for_us(&hello(other, Some(5)), us, 5), Err(RejectReason::OtherNeighbour));
        assert_eq!(is_for_us(&hello(Some(us), Some(6)), us, 5), Err(RejectReason::OtherCircuit));
    }
}
