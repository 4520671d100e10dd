//! What a session tells people and its clients.
//!
//! Standards: RFC 5882 §3.2 (an administrative shutdown is no failure of the path), §4.2 (what a
//! client concludes from a session).
//! Not implemented: none.

use core::fmt;

use base::Duration;

use crate::{Diagnostic, State};

/// What a client may conclude about the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Both directions work.
    Alive,
    /// The path worked and has failed: act on it.
    Failed,
    /// The session says nothing about the path: it never was up, or one end holds it down.
    NoOpinion,
}

/// Why a session is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotUpReason {
    /// This system's administrator holds it down.
    AdminDown,
    /// The port is down.
    PortDown,
    /// The neighbour was heard before and has fallen silent.
    DetectionTimeExpired,
    /// The neighbour has not been heard yet.
    NothingReceived,
    /// The neighbour's administrator holds it down.
    RemoteAdminDown,
    /// The neighbour is heard, and has not said that it hears us.
    NotHeardByRemote,
    /// The neighbour still clings to the session that failed.
    RemoteNotRestarted,
}

impl fmt::Display for NotUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "administratively down",
            Self::PortDown => "port is down",
            Self::DetectionTimeExpired => "neighbour has fallen silent",
            Self::NothingReceived => "neighbour has not been heard",
            Self::RemoteAdminDown => "neighbour is administratively down",
            Self::NotHeardByRemote => "neighbour is heard but does not hear us",
            Self::RemoteNotRestarted => "neighbour has not restarted its session yet",
        })
    }
}

/// A session as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// This system's state.
    pub state: State,
    /// The neighbour's state as it last said; `Down` where nothing is known.
    pub remote_state: State,
    /// Why this system last changed its state.
    pub diagnostic: Diagnostic,
    /// Why the neighbour last changed its state.
    pub remote_diagnostic: Diagnostic,
    /// This system's name for the session.
    pub discriminator: u32,
    /// The neighbour's name for the session; zero where it is not known.
    pub remote_discriminator: u32,
    /// The interval at which packets are sent, before jitter; `None` where none are.
    pub transmit_interval: Option<Duration>,
    /// How long the neighbour may be silent; `None` where it is not heard.
    pub detection_time: Option<Duration>,
    /// A change of intervals waits for the neighbour's answer.
    pub polling: bool,
    /// What a client may conclude.
    pub hint: Hint,
    /// Why the session is not up, where it is not.
    pub not_up: Option<NotUpReason>,
}
