//! What a router tells people.

use core::fmt;

/// Something that happened, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An IS-IS adjacency came up or went down.
    Adjacency {
        /// The port's name.
        port: String,
        /// The neighbour.
        neighbour: String,
        /// Whether it is up now.
        up: bool,
        /// Why.
        reason: String,
    },
    /// A BGP session came up or went down.
    Session {
        /// The neighbour's name.
        neighbour: String,
        /// Whether it is up now.
        up: bool,
        /// Why.
        reason: String,
    },
    /// A BFD session changed its state.
    Bfd {
        /// The port's name.
        port: String,
        /// The new state.
        state: String,
        /// Why.
        reason: String,
    },
    /// A route was refused.
    RouteRefused {
        /// The neighbour that sent it.
        neighbour: String,
        /// The route.
        route: String,
        /// Why.
        reason: String,
    },
    /// A host found no free address; not said again for five minutes.
    PoolExhausted {
        /// The attachment's name.
        port: String,
    },
}

/// `up` alone, or `down` and why.
fn up_or_down(up: bool, reason: &str) -> String {
    match (up, reason) {
        (true, _) => "up".to_owned(),
        (false, "") => "down".to_owned(),
        (false, reason) => format!("down: {reason}"),
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adjacency { port, neighbour, up, reason } => {
                let state = up_or_down(*up, reason);
                write!(f, "adjacency with {neighbour} on {port} is {state}")
            }
            Self::Session { neighbour, up, reason } => {
                write!(f, "session with {neighbour} is {}", up_or_down(*up, reason))
            }
            Self::Bfd { port, state, reason } => {
                write!(f, "bfd on {port} is {state}")?;
                if state == "down" { write!(f, ": {reason}") } else { Ok(()) }
            }
            Self::RouteRefused { neighbour, route, reason } => {
                write!(f, "route {route} from {neighbour} is refused: {reason}")
            }
            Self::PoolExhausted { port } => {
                write!(f, "a host on {port} found no free address")
            }
        }
    }
}
