//! The state machine of a session: what each state makes of each event, and nothing else.
//!
//! [`transition`] is RFC 4271 §8.2.2 as a table without effects: the state that follows, and the one
//! [`Action`] that the session carries out. Timers, messages and back-off are in
//! [`crate::session`].
//!
//! A second connection in OpenSent or later changes nothing here: whoever owns the sockets keeps one
//! of them (§6.8).
//!
//! Standards: RFC 4271 §8 (the mandatory attributes and events, PassiveTcpEstablishment,
//! DampPeerOscillations), RFC 6608.
//! Not implemented: DelayOpen, TrackTcpState, CollisionDetectEstablishedState (RFC 4271 §8.1.1).
//!
//! Deviation from RFC 4271 §8.2.2: a connection that is lost in OpenSent (event 18) leads to Idle,
//! not to Active, because every failure is to back off alike.
//!
//! Deviation from RFC 4271 §8.2.2: a passive speaker's ConnectRetryTimer does not run, because it
//! never connects by itself.

use core::fmt;

/// The state of a session (RFC 4271 §8.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No connection is wanted or accepted.
    Idle,
    /// A connection is being made.
    Connect,
    /// The peer is to connect.
    Active,
    /// OPEN is sent, the peer's is awaited.
    OpenSent,
    /// OPEN is accepted, the peer's KEEPALIVE is awaited.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Connect,
        Self::Active,
        Self::OpenSent,
        Self::OpenConfirm,
        Self::Established,
    ];

    /// Whether there is a connection on which messages travel.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::OpenSent | Self::OpenConfirm | Self::Established)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Active => "active",
            Self::OpenSent => "open-sent",
            Self::OpenConfirm => "open-confirm",
            Self::Established => "established",
        })
    }
}

/// What happens to a session (RFC 4271 §8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// It is to connect (events 1, 3, 6).
    Start,
    /// It is to wait for the peer (events 4, 5, 7).
    StartPassive,
    /// It is to end, and stay so (event 2).
    Stop,
    /// It is to end, and try again (event 8).
    Reset,
    /// The connection is made (events 16, 17).
    Connected,
    /// The connection is gone or could not be made (event 18).
    Disconnected,
    /// ConnectRetryTimer (event 9).
    ConnectRetryExpired,
    /// HoldTimer (event 10).
    HoldExpired,
    /// KeepaliveTimer (event 11).
    KeepaliveDue,
    /// An acceptable OPEN message (event 19).
    Open,
    /// A KEEPALIVE message (event 26).
    Keepalive,
    /// An UPDATE message (event 27).
    Update,
    /// A ROUTE-REFRESH message (RFC 2918).
    Refresh,
    /// A NOTIFICATION message (events 24, 25).
    Notification,
    /// A message that is to be answered with NOTIFICATION (events 21, 22, 28).
    Malformed,
}

impl Input {
    /// Every input, in order.
    pub const ALL: [Self; 15] = [
        Self::Start,
        Self::StartPassive,
        Self::Stop,
        Self::Reset,
        Self::Connected,
        Self::Disconnected,
        Self::ConnectRetryExpired,
        Self::HoldExpired,
        Self::KeepaliveDue,
        Self::Open,
        Self::Keepalive,
        Self::Update,
        Self::Refresh,
        Self::Notification,
        Self::Malformed,
    ];
}

/// What the session does on the way to the next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Ask for a connection, and for another if none is made in time.
    Connect,
    /// Give the connection up that is being made, and ask for another.
    Reconnect,
    /// Wait for the peer.
    Listen,
    /// Close a connection that is not wanted.
    Refuse,
    /// Send OPEN, and wait for the peer's for a limited time.
    SendOpen,
    /// Accept the peer's OPEN: send KEEPALIVE, start the negotiated timers.
    Confirm,
    /// Let routes be exchanged.
    Establish,
    /// Note that the peer is alive.
    NoteAlive,
    /// Note that the peer is alive, and hand its message on.
    Deliver,
    /// Send KEEPALIVE.
    SendKeepalive,
    /// Close without a word, and try again later.
    Drop,
    /// Say why in a NOTIFICATION message if there is a connection, close, and try again later.
    Notify,
    /// The same, the reason being that the message was not expected (RFC 6608).
    NotifyUnexpected,
    /// Say why in a NOTIFICATION message if there is a connection, close, and stay so.
    Halt,
}

/// The state that follows, and what is done on the way.
#[must_use]
pub const fn transition(state: State, input: Input) -> (State, Action) {
    match state {
        State::Idle => idle(input),
        State::Connect => connect(input),
        State::Active => active(input),
        State::OpenSent => open_sent(input),
        State::OpenConfirm => open_confirm(input),
        State::Established => established(input),
    }
}

const fn idle(input: Input) -> (State, Action) {
    match input {
        Input::Start => (State::Connect, Action::Connect),
        Input::StartPassive => (State::Active, Action::Listen),
        Input::Stop => (State::Idle, Action::Halt),
        Input::Connected => (State::Idle, Action::Refuse),
        Input::Reset
        | Input::Disconnected
        | Input::ConnectRetryExpired
        | Input::HoldExpired
        | Input::KeepaliveDue
        | Input::Open
        | Input::Keepalive
        | Input::Update
        | Input::Refresh
        | Input::Notification
        | Input::Malformed => (State::Idle, Action::Nothing),
    }
}

const fn connect(input: Input) -> (State, Action) {
    match input {
        Input::Start | Input::StartPassive => (State::Connect, Action::Nothing),
        Input::Stop => (State::Idle, Action::Halt),
        Input::Connected => (State::OpenSent, Action::SendOpen),
        Input::ConnectRetryExpired => (State::Connect, Action::Reconnect),
        Input::Reset => (State::Idle, Action::Notify),
        Input::Disconnected
        | Input::HoldExpired
        | Input::KeepaliveDue
        | Input::Open
        | Input::Keepalive
        | Input::Update
        | Input::Refresh
        | Input::Notification
        | Input::Malformed => (State::Idle, Action::Drop),
    }
}

const fn active(input: Input) -> (State, Action) {
    match input {
        Input::Start | Input::StartPassive => (State::Active, Action::Nothing),
        Input::Stop => (State::Idle, Action::Halt),
        Input::Connected => (State::OpenSent, Action::SendOpen),
        Input::ConnectRetryExpired => (State::Connect, Action::Connect),
        Input::Reset => (State::Idle, Action::Notify),
        Input::Disconnected
        | Input::HoldExpired
        | Input::KeepaliveDue
        | Input::Open
        | Input::Keepalive
        | Input::Update
        | Input::Refresh
        | Input::Notification
        | Input::Malformed => (State::Idle, Action::Drop),
    }
}

const fn open_sent(input: Input) -> (State, Action) {
    match input {
        Input::Start | Input::StartPassive | Input::Connected => (State::OpenSent, Action::Nothing),
        Input::Stop => (State::Idle, Action::Halt),
        Input::Disconnected | Input::Notification => (State::Idle, Action::Drop),
        Input::Reset | Input::HoldExpired | Input::Malformed => (State::Idle, Action::Notify),
        Input::Open => (State::OpenConfirm, Action::Confirm),
        Input::ConnectRetryExpired
        | Input::KeepaliveDue
        | Input::Keepalive
        | Input::Update
        | Input::Refresh => (State::Idle, Action::NotifyUnexpected),
    }
}

const fn open_confirm(input: Input) -> (State, Action) {
    match input {
        Input::Start | Input::StartPassive | Input::Connected => {
            (State::OpenConfirm, Action::Nothing)
        }
        Input::Stop => (State::Idle, Action::Halt),
        Input::Disconnected | Input::Notification => (State::Idle, Action::Drop),
        Input::Reset | Input::HoldExpired | Input::Malformed => (State::Idle, Action::Notify),
        Input::KeepaliveDue => (State::OpenConfirm, Action::SendKeepalive),
        Input::Keepalive => (State::Established, Action::Establish),
        Input::ConnectRetryExpired | Input::Open | Input::Update | Input::Refresh => {
            (State::Idle, Action::NotifyUnexpected)
        }
    }
}

const fn established(input: Input) -> (State, Action) {
    match input {
        Input::Start | Input::StartPassive | Input::Connected => {
            (State::Established, Action::Nothing)
        }
        Input::Stop => (State::Idle, Action::Halt),
        Input::Disconnected | Input::Notification => (State::Idle, Action::Drop),
        Input::Reset | Input::HoldExpired | Input::Malformed => (State::Idle, Action::Notify),
        Input::KeepaliveDue => (State::Established, Action::SendKeepalive),
        Input::Keepalive => (State::Established, Action::NoteAlive),
        Input::Update | Input::Refresh => (State::Established, Action::Deliver),
        Input::ConnectRetryExpired | Input::Open => (State::Idle, Action::NotifyUnexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Input, State, transition};

    /// One row per input, one column per state, in the order of [`State::ALL`]: the state that
    /// follows (`I C A S O E`) and the action.
    const TABLE: [(Input, [&str; 6]); 15] = [
        (Input::Start, ["C Connect", "C -", "A -", "S -", "O -", "E -"]),
        (Input::StartPassive, ["A Listen", "C -", "A -", "S -", "O -", "E -"]),
        (Input::Stop, ["I Halt", "I Halt", "I Halt", "I Halt", "I Halt", "I Halt"]),
        (Input::Reset, ["I -", "I Notify", "I Notify", "I Notify", "I Notify", "I Notify"]),
        (Input::Connected, ["I Refuse", "S SendOpen", "S SendOpen", "S -", "O -", "E -"]),
        (Input::Disconnected, ["I -", "I Drop", "I Drop", "I Drop", "I Drop", "I Drop"]),
        (Input::ConnectRetryExpired, ["I -", "C Reconnect", "C Connect", "I ?", "I ?", "I ?"]),
        (Input::HoldExpired, ["I -", "I Drop", "I Drop", "I Notify", "I Notify", "I Notify"]),
        (
            Input::KeepaliveDue,
            ["I -", "I Drop", "I Drop", "I ?", "O SendKeepalive", "E SendKeepalive"],
        ),
        (Input::Open, ["I -", "I Drop", "I Drop", "O Confirm", "I ?", "I ?"]),
        (Input::Keepalive, ["I -", "I Drop", "I Drop", "I ?", "E Establish", "E NoteAlive"]),
        (Input::Update, ["I -", "I Drop", "I Drop", "I ?", "I ?", "E Deliver"]),
        (Input::Refresh, ["I -", "I Drop", "I Drop", "I ?", "I ?", "E Deliver"]),
        (Input::Notification, ["I -", "I Drop", "I Drop", "I Drop", "I Drop", "I Drop"]),
        (Input::Malformed, ["I -", "I Drop", "I Drop", "I Notify", "I Notify", "I Notify"]),
    ];

    fn cell(state: State, action: Action) -> String {
        let letter = match state {
            State::Idle => 'I',
            State::Connect => 'C',
            State::Active => 'A',
            State::OpenSent => 'S',
            State::OpenConfirm => 'O',
            State::Established => 'E',
        };
        match action {
            Action::Nothing => format!("{letter} -"),
            Action::NotifyUnexpected => format!("{letter} ?"),
            named @ (Action::Connect
            | Action::Reconnect
            | Action::Listen
            | Action::Refuse
            | Action::SendOpen
            | Action::Confirm
            | Action::Establish
            | Action::NoteAlive
            | Action::Deliver
            | Action::SendKeepalive
            | Action::Drop
            | Action::Notify
            | Action::Halt) => format!("{letter} {named:?}"),
        }
    }

    #[test]
    fn every_state_takes_every_input_as_the_table_says() {
        assert_eq!(TABLE.map(|(input, _)| input), Input::ALL);
        for (input, cells) in TABLE {
            for (state, expected) in State::ALL.into_iter().zip(cells) {
                let (after, action) = transition(state, input);
                assert_eq!(cell(after, action), expected, "{input:?} in {state}");
            }
        }
    }

    #[test]
    fn nothing_but_a_keepalive_leads_to_established() {
        for state in State::ALL.into_iter().filter(|&state| state != State::Established) {
            for input in Input::ALL {
                let (after, _) = transition(state, input);
                let up = after == State::Established;
                assert_eq!(up, (state, input) == (State::OpenConfirm, Input::Keepalive));
            }
        }
    }
}
