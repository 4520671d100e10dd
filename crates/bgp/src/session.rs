//! A session with one peer: the connection's life from the first call to the last word.
//!
//! TCP lives outside: the owner is told when to connect and to close ([`Event::Connect`],
//! [`Event::Close`]), says what became of it, feeds the bytes that arrive to [`Session::receive`],
//! and drains [`Session::poll_event`] and [`Session::take_transmit`] after every call. An UPDATE
//! message is handed on as it stands in the receive buffer. UPDATE messages to the peer are the
//! owner's: they go out after the bytes of [`Session::take_transmit`], and only while Established.
//!
//! A session that fails tries again by itself: the first time soon, then after one second, doubled
//! each time up to a limit, and shortened at random so that peers do not call in step (RFC 4271
//! §8.1.1, DampPeerOscillations). The passive side waits half as long, so that it listens when the
//! other calls. A session that was up for long starts over.
//!
//! Standards: RFC 4271 §4.4, §6.2, §6.5, §8 and §10 (timers, jitter), RFC 5492 §3, RFC 2918 §4,
//! RFC 6286 §2, RFC 6608.
//! Not implemented: connection collision detection (RFC 4271 §6.8): one side of each session is
//! configured as passive, and of two connections the owner of the sockets keeps one; RFC 9687 (send
//! hold timer).

use core::fmt;
use core::mem;
use core::ops::Range;
use std::collections::VecDeque;

use base::{AsNumber, Deadline, Duration, Instant, Rng, RouterId};

use crate::error::Verdict;
pub use crate::fsm::State;
use crate::fsm::{Action, Input, transition};
use crate::graceful_restart::GracefulRestart;
use crate::message::{self, HEADER_LEN, Kind};
use crate::notification::{CeaseSubcode, ErrorCode, FsmSubcode, Notification, OpenSubcode};
use crate::open::{self, Open};
use crate::route::{Family, FamilySet};
use crate::update::{self, Context, Update};

/// The wait before the first new attempt: long enough not to spin, short enough not to be noticed.
pub const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
/// The wait before the second new attempt; it doubles from here.
pub const BACK_OFF_SECOND: Duration = Duration::from_secs(1);
/// The longest wait: an operator who has mended a peer sees it come up within a minute.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// A session that was up for so long is taken for sound, and its failure for the first.
pub const STABLE_AFTER: Duration = Duration::from_secs(60);
/// The spread of the first call, so that the sessions of one router do not all start at once.
pub const START_SPREAD: Duration = Duration::from_millis(100);
/// How long the peer's OPEN is awaited (RFC 4271 §8.2.2 suggests four minutes).
pub const OPEN_HOLD_TIME: Duration = Duration::from_secs(240);
/// Timers are shortened by up to so many per cent (RFC 4271 §10).
pub const JITTER_PERCENT: u32 = 25;
/// The receive buffer: sixteen of the longest messages.
pub const RECEIVE_MAX: usize = 16 * message::MESSAGE_MAX;

/// What a session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// This speaker's AS.
    pub local_as: AsNumber,
    /// The AS that the peer must be in.
    pub peer_as: AsNumber,
    /// This speaker's identifier.
    pub router_id: RouterId,
    /// Seconds without a message after which the session ends: 0 for never, or at least 3.
    pub hold_time: u16,
    /// How long a connection may take to be made, and the longest wait after one that was refused.
    pub connect_retry: Duration,
    /// The families to offer.
    pub families: Vec<Family>,
    /// Whether the peer is to connect.
    pub passive: bool,
    /// Whether to offer that the peer's routes outlive its restart (RFC 4724).
    pub graceful_restart: bool,
}

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    /// The families that both offer.
    pub families: FamilySet,
    /// Whether the peer answers ROUTE-REFRESH messages.
    pub route_refresh: bool,
    /// The shorter of both hold times in seconds; 0 for never.
    pub hold_time: u16,
    /// Whether AS numbers take four octets.
    pub four_octet_as: bool,
    /// The peer's identifier.
    pub peer_router_id: RouterId,
    /// What the peer says about its restarts, as far as families of this session go; `None` where
    /// one of both does not speak of it.
    pub graceful_restart: Option<GracefulRestart>,
}

/// Why a session ended, or was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DownReason {
    /// It was stopped here.
    Stopped(CeaseSubcode),
    /// No connection could be made.
    ConnectFailed,
    /// The connection went away.
    ConnectionLost,
    /// This speaker ended it.
    NotificationSent(ErrorCode),
    /// The peer ended it.
    NotificationReceived(ErrorCode),
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(subcode) => write!(f, "stopped: {subcode}"),
            Self::ConnectFailed => f.write_str("no connection could be made"),
            Self::ConnectionLost => f.write_str("connection lost"),
            Self::NotificationSent(error) => write!(f, "ended here: {error}"),
            Self::NotificationReceived(error) => write!(f, "ended by the peer: {error}"),
        }
    }
}

/// Why a session is not up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotUpReason {
    /// It was never started.
    NotStarted,
    /// The peer has not answered the call yet.
    Connecting,
    /// The peer has not called yet.
    AwaitingConnection,
    /// The peer has not sent OPEN yet.
    AwaitingOpen,
    /// The peer has not confirmed yet.
    AwaitingKeepalive,
    /// It failed, for this reason the last time.
    Failed(DownReason),
}

impl fmt::Display for NotUpReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "not started",
            Self::Connecting => "the peer has not answered yet",
            Self::AwaitingConnection => "the peer has not connected yet",
            Self::AwaitingOpen => "the peer has not sent OPEN yet",
            Self::AwaitingKeepalive => "the peer has not confirmed yet",
            Self::Failed(reason) => return reason.fmt(f),
        })
    }
}

/// What the owner of a session is to do or to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time; a box would cost an allocation each")]
pub enum Event<'a> {
    /// Make a connection to the peer.
    Connect,
    /// Send what waits, then close the connection or give up making it.
    Close,
    /// Routes may be exchanged.
    Established,
    /// The routes of the session are void; only after [`Event::Established`].
    Down(DownReason),
    /// Routes from the peer.
    Update(Update<'a>),
    /// The peer has sent all its routes of the family.
    EndOfRib(Family),
    /// The peer wants all routes of the family again.
    Refresh(Family),
}

/// What a session has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Connections made.
    pub connections: u64,
    /// Times that the session came up.
    pub established: u64,
    /// Times that it failed, or could not be made.
    pub failures: u64,
    /// Messages received.
    pub messages_received: u64,
    /// UPDATE messages received.
    pub updates_received: u64,
    /// UPDATE messages that counted without some attribute (RFC 7606 §2).
    pub attribute_discards: u64,
    /// UPDATE messages whose routes were treated as withdrawn (RFC 7606 §2).
    pub treated_as_withdraw: u64,
    /// ROUTE-REFRESH messages received.
    pub refreshes_received: u64,
    /// KEEPALIVE messages sent.
    pub keepalives_sent: u64,
    /// NOTIFICATION messages sent.
    pub notifications_sent: u64,
    /// NOTIFICATION messages received.
    pub notifications_received: u64,
}

/// A session with one peer.
#[derive(Debug)]
pub struct Session {
    inbox: Inbox,
    core: Core,
}

/// The received bytes: apart from the rest, so that an UPDATE message can be lent out of them.
#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    read: usize,
}

/// All of a session but its receive buffer.
#[derive(Debug)]
struct Core {
    config: Config,
    families: FamilySet,
    rng: Rng,
    state: State,
    timers: Timers,
    negotiated: Option<Negotiated>,
    events: VecDeque<Event<'static>>,
    transmit: Vec<u8>,
    counters: Counters,
    last_failure: Option<DownReason>,
    last_notification: Option<Notification>,
    established_at: Option<Instant>,
    failed_connects: u32,
    failed_sessions: u32,
}

#[derive(Debug, Default)]
struct Timers {
    start: Option<Instant>,
    connect_retry: Option<Instant>,
    hold: Option<Instant>,
    keepalive: Option<Instant>,
}

impl Session {
    /// A session that waits to be started.
    #[must_use]
    pub fn new(config: Config, rng: Rng) -> Self {
        let core = Core {
            families: config.families.iter().copied().collect(),
            config,
            rng,
            state: State::Idle,
            timers: Timers::default(),
            negotiated: None,
            events: VecDeque::new(),
            transmit: Vec::new(),
            counters: Counters::default(),
            last_failure: None,
            last_notification: None,
            established_at: None,
            failed_connects: 0,
            failed_sessions: 0,
        };
        Self { inbox: Inbox::default(), core }
    }

    /// Lets the session come up: the active side calls after a random short while, the passive side
    /// accepts at once.
    pub fn start(&mut self, now: Instant) {
        let core = &mut self.core;
        if core.state != State::Idle {
            return;
        }
        core.last_failure = None;
        core.failed_connects = 0;
        core.failed_sessions = 0;
        core.timers.start = None;
        if core.config.passive {
            core.apply(now, Input::StartPassive, None);
        } else {
            let wait = core.rng.jitter(START_SPREAD, 100);
            core.timers.start = Some(now + wait);
        }
    }

    /// Ends the session until it is started again.
    pub fn stop(&mut self, now: Instant, cease: CeaseSubcode) {
        self.core.apply(now, Input::Stop, Some(Notification::cease(cease)));
    }

    /// Ends the session with this word; it comes back by itself after a while.
    pub fn reset(&mut self, now: Instant, notification: Notification) {
        self.core.apply(now, Input::Reset, Some(notification));
    }

    /// Takes note that the connection is up, whoever made it.
    pub fn handle_connected(&mut self, now: Instant) {
        if !self.core.state.is_open() {
            self.inbox.clear();
        }
        self.core.apply(now, Input::Connected, None);
    }

    /// Takes note that the connection is gone, or could not be made. What was received before and
    /// not drained from [`Session::poll_event`] is lost.
    pub fn handle_closed(&mut self, now: Instant) {
        self.core.apply(now, Input::Disconnected, None);
    }

    /// Octets that [`Session::receive`] has room for.
    #[must_use]
    pub const fn receive_room(&self) -> usize {
        RECEIVE_MAX - self.inbox.unread()
    }

    /// Takes bytes from the connection. An owner that feeds more than [`Session::receive_room`]
    /// ends the session: bytes cannot be skipped.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        if !self.core.state.is_open() {
            return;
        }
        if bytes.len() > self.receive_room() {
            let error = Notification::cease(CeaseSubcode::OutOfResources);
            self.core.apply(now, Input::Reset, Some(error));
            return;
        }
        self.inbox.push(bytes);
    }

    /// The next thing to do or to know; reads received messages until there is one. To be drained
    /// to `None` after every call.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event<'_>> {
        let Self { inbox, core } = self;
        let body = loop {
            if let Some(event) = core.events.pop_front() {
                return Some(event);
            }
            if !core.state.is_open() {
                inbox.clear();
                return None;
            }
            match inbox.next_message() {
                Ok(None) => return None,
                Ok(Some((Kind::Update, body))) if core.take_update(now) => break body,
                Ok(Some((Kind::Update, _))) => {}
                Ok(Some((kind, body))) => core.take_message(now, kind, inbox.slice(body)),
                Err(error) => core.apply(now, Input::Malformed, Some(error)),
            }
        };
        match update::decode(inbox.slice(body), &core.context()) {
            Ok(update) => Some(core.deliver(update)),
            Err(error) => {
                core.apply(now, Input::Malformed, Some(error));
                core.events.pop_front()
            }
        }
    }

    /// Acts on the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let core = &mut self.core;
        let due = |timer: &mut Option<Instant>| timer.take_if(|at| *at <= now).is_some();
        if due(&mut core.timers.start) {
            let input = if core.config.passive { Input::StartPassive } else { Input::Start };
            core.apply(now, input, None);
        }
        if due(&mut core.timers.connect_retry) {
            core.apply(now, Input::ConnectRetryExpired, None);
        }
        if due(&mut core.timers.hold) {
            let error = Notification::new(ErrorCode::HoldTimerExpired);
            core.apply(now, Input::HoldExpired, Some(error));
        }
        if due(&mut core.timers.keepalive) {
            core.apply(now, Input::KeepaliveDue, None);
        }
    }

    /// When [`Session::handle_timeout`] is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let Timers { start, connect_retry, hold, keepalive } = &self.core.timers;
        [
            (start, "bgp start"),
            (connect_retry, "bgp connect retry"),
            (hold, "bgp hold"),
            (keepalive, "bgp keepalive"),
        ]
        .into_iter()
        .filter_map(|(timer, why)| timer.map(|at| Deadline { at, why }))
        .fold(None, |earliest, deadline| Deadline::earlier(earliest, Some(deadline)))
    }

    /// Appends the messages that wait to be sent; they go before any UPDATE message. Returns whether
    /// there were any.
    pub fn take_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let waiting = !self.core.transmit.is_empty();
        out.append(&mut self.core.transmit);
        waiting
    }

    /// Asks the peer for all its routes of the family again, if it answers such requests.
    pub fn request_refresh(&mut self, family: Family) {
        let core = &mut self.core;
        let answers = core.negotiated().is_some_and(|negotiated| {
            negotiated.route_refresh && negotiated.families.contains(family)
        });
        if answers {
            message::encode_refresh(family, &mut core.transmit);
        }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.core.state
    }

    /// What was agreed on; `None` unless Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.core.negotiated()
    }

    /// The counters.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// What the session is to be.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.core.config
    }

    /// The peer's last NOTIFICATION message, for its operator's words.
    #[must_use]
    pub const fn last_notification(&self) -> Option<&Notification> {
        self.core.last_notification.as_ref()
    }

    /// Why the session is not up; `None` if it is.
    #[must_use]
    pub fn not_up_reason(&self) -> Option<NotUpReason> {
        if let Some(failure) = self.core.last_failure {
            return Some(NotUpReason::Failed(failure));
        }
        match self.core.state {
            State::Idle if self.core.timers.start.is_none() => Some(NotUpReason::NotStarted),
            State::Idle | State::Connect => Some(NotUpReason::Connecting),
            State::Active => Some(NotUpReason::AwaitingConnection),
            State::OpenSent => Some(NotUpReason::AwaitingOpen),
            State::OpenConfirm => Some(NotUpReason::AwaitingKeepalive),
            State::Established => None,
        }
    }
}

impl Inbox {
    fn clear(&mut self) {
        self.bytes.clear();
        self.read = 0;
    }

    const fn unread(&self) -> usize {
        self.bytes.len() - self.read
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..mem::take(&mut self.read));
        self.bytes.extend_from_slice(bytes);
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Steps over the next complete message, and tells where its body is.
    fn next_message(&mut self) -> Result<Option<(Kind, Range<usize>)>, Notification> {
        let unread = self.bytes.get(self.read..).unwrap_or_default();
        Ok(message::split(unread)?.map(|message| {
            let start = self.read;
            self.read += message.len_on_wire();
            (message.kind, start + HEADER_LEN..self.read)
        }))
    }
}

impl Core {
    fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref().filter(|_| self.state == State::Established)
    }

    fn context(&self) -> Context {
        Context {
            local_as: self.config.local_as,
            peer_as: self.config.peer_as,
            four_octet_as: self.negotiated.is_some_and(|negotiated| negotiated.four_octet_as),
            families: self.negotiated.map_or(FamilySet::EMPTY, |negotiated| negotiated.families),
        }
    }

    /// Notes an UPDATE message; false where the state does not expect one.
    fn take_update(&mut self, now: Instant) -> bool {
        self.counters.messages_received += 1;
        self.counters.updates_received += 1;
        self.apply(now, Input::Update, None);
        self.state == State::Established
    }

    fn deliver<'a>(&mut self, update: Update<'a>) -> Event<'a> {
        match update.verdict {
            Verdict::Accept => {}
            Verdict::AttributeDiscard(_) => self.counters.attribute_discards += 1,
            Verdict::TreatAsWithdraw(_) => self.counters.treated_as_withdraw += 1,
        }
        match update.end_of_rib() {
            Some(family) => Event::EndOfRib(family),
            None => Event::Update(update),
        }
    }

    /// Acts on a message other than UPDATE.
    fn take_message(&mut self, now: Instant, kind: Kind, body: &[u8]) {
        self.counters.messages_received += 1;
        match kind {
            Kind::Open if self.state == State::OpenSent => self.take_open(now, body),
            Kind::Open => self.apply(now, Input::Open, None),
            Kind::Update => self.apply(now, Input::Update, None),
            Kind::Keepalive => self.apply(now, Input::Keepalive, None),
            Kind::Notification => {
                self.counters.notifications_received += 1;
                let notification = Notification::decode(body);
                self.apply(now, Input::Notification, Some(notification));
            }
            Kind::RouteRefresh => {
                self.counters.refreshes_received += 1;
                self.apply(now, Input::Refresh, None);
                if let Some(family) = message::decode_refresh(body)
                    && self.negotiated().is_some_and(|agreed| agreed.families.contains(family))
                {
                    self.events.push_back(Event::Refresh(family));
                }
            }
        }
    }

    fn take_open(&mut self, now: Instant, body: &[u8]) {
        let agreed =
            open::decode(body).and_then(|open| negotiate(&self.config, self.families, &open));
        match agreed {
            Ok(negotiated) => {
                self.negotiated = Some(negotiated);
                self.apply(now, Input::Open, None);
            }
            Err(error) => self.apply(now, Input::Malformed, Some(error)),
        }
    }

    /// Moves to the next state and does what belongs to it. `notification` is what an ending session
    /// says, or what the peer said.
    fn apply(&mut self, now: Instant, input: Input, notification: Option<Notification>) {
        let before = self.state;
        let (after, action) = transition(before, input);
        self.state = after;
        match action {
            Action::Connect => self.connect(now),
            Action::Reconnect => {
                self.events.push_back(Event::Close);
                self.connect(now);
            }
            Action::Nothing | Action::Listen => {}
            Action::Refuse => self.events.push_back(Event::Close),
            Action::SendOpen => self.send_open(now),
            Action::Confirm => {
                self.send_keepalive(now);
                self.restart_hold(now);
            }
            Action::Establish => self.establish(now),
            Action::NoteAlive | Action::Deliver => self.restart_hold(now),
            Action::SendKeepalive => self.send_keepalive(now),
            Action::Drop => self.drop_connection(now, before, notification),
            Action::Notify => {
                let error = notification.unwrap_or(Notification::cease(CeaseSubcode::Unspecific));
                self.notify(now, before, &error);
            }
            Action::NotifyUnexpected => {
                let error = Notification::new(ErrorCode::Fsm(fsm_subcode(before)));
                self.notify(now, before, &error);
            }
            Action::Halt => self.halt(now, before, notification),
        }
    }

    fn connect(&mut self, now: Instant) {
        let wait = self.rng.jitter(self.config.connect_retry, JITTER_PERCENT);
        self.timers.connect_retry = Some(now + wait);
        self.events.push_back(Event::Connect);
    }

    fn send_open(&mut self, now: Instant) {
        self.counters.connections += 1;
        self.failed_connects = 0;
        // What was meant for an earlier connection must not reach this one.
        self.transmit.clear();
        self.timers = Timers { hold: Some(now + OPEN_HOLD_TIME), ..Timers::default() };
        let open = Open {
            local_as: self.config.local_as,
            hold_time: self.config.hold_time,
            router_id: self.config.router_id,
            families: self.families,
            route_refresh: true,
            four_octet_as: true,
            graceful_restart: self.config.graceful_restart.then_some(GracefulRestart::HELPER),
            other_capabilities: Vec::new(),
        };
        open.encode(&mut self.transmit);
    }

    fn establish(&mut self, now: Instant) {
        self.counters.established += 1;
        self.established_at = Some(now);
        self.last_failure = None;
        self.restart_hold(now);
        self.events.push_back(Event::Established);
    }

    fn hold_time(&self) -> Option<Duration> {
        let seconds = self.negotiated?.hold_time;
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    fn restart_hold(&mut self, now: Instant) {
        self.timers.hold = self.hold_time().map(|hold_time| now + hold_time);
    }

    /// RFC 4271 §4.4: a third of the hold time is a reasonable interval.
    fn send_keepalive(&mut self, now: Instant) {
        self.counters.keepalives_sent += 1;
        message::encode_keepalive(&mut self.transmit);
        let interval = self.hold_time().map(|hold_time| hold_time / 3);
        self.timers.keepalive =
            interval.map(|interval| now + self.rng.jitter(interval, JITTER_PERCENT));
    }

    fn send_notification(&mut self, before: State, notification: &Notification) {
        if before.is_open() {
            self.counters.notifications_sent += 1;
            notification.encode(&mut self.transmit);
        }
    }

    /// Ends a session without a word: the connection is gone, or the peer has said the last one.
    fn drop_connection(&mut self, now: Instant, before: State, heard: Option<Notification>) {
        let reason = match &heard {
            Some(heard) if before.is_open() => DownReason::NotificationReceived(heard.error),
            _ if before.is_open() => DownReason::ConnectionLost,
            _ => DownReason::ConnectFailed,
        };
        self.last_notification = heard.or(self.last_notification.take());
        self.close(now, before, reason);
        self.back_off(now, reason);
    }

    fn notify(&mut self, now: Instant, before: State, notification: &Notification) {
        self.send_notification(before, notification);
        let reason = DownReason::NotificationSent(notification.error);
        self.close(now, before, reason);
        self.back_off(now, reason);
    }

    fn halt(&mut self, now: Instant, before: State, notification: Option<Notification>) {
        let notification = notification.unwrap_or(Notification::cease(CeaseSubcode::Unspecific));
        self.send_notification(before, &notification);
        let subcode = match notification.error {
            ErrorCode::Cease(subcode) => subcode,
            ErrorCode::Header(_)
            | ErrorCode::Open(_)
            | ErrorCode::Update(_)
            | ErrorCode::HoldTimerExpired
            | ErrorCode::Fsm(_)
            | ErrorCode::Other { .. } => CeaseSubcode::Unspecific,
        };
        self.close(now, before, DownReason::Stopped(subcode));
    }

    /// What every end of a session has in common.
    fn close(&mut self, now: Instant, before: State, reason: DownReason) {
        self.timers = Timers::default();
        self.negotiated = None;
        // A peer that is shut down may take calls still, and end them without a word: its last word
        // says more.
        let is_mute = reason == DownReason::ConnectionLost && before != State::Established;
        let heard = matches!(self.last_failure, Some(DownReason::NotificationReceived(_)));
        if !(is_mute && heard) {
            self.last_failure = Some(reason);
        }
        let was_up = self.established_at.take();
        if was_up.is_some_and(|since| now.since(since) >= STABLE_AFTER) {
            self.failed_sessions = 0;
        }
        // What the peer has not been told to do yet, it need not be told any more.
        self.events.retain(|event| !matches!(event, Event::Connect | Event::Refresh(_)));
        if before == State::Established {
            self.events.push_back(Event::Down(reason));
        }
        if before != State::Idle {
            self.events.push_back(Event::Close);
        }
    }

    /// Sets the time of the next attempt.
    fn back_off(&mut self, now: Instant, reason: DownReason) {
        self.counters.failures += 1;
        let (failures, limit) = if reason == DownReason::ConnectFailed {
            (&mut self.failed_connects, self.config.connect_retry.min(BACK_OFF_MAX))
        } else {
            (&mut self.failed_sessions, BACK_OFF_MAX)
        };
        let wait = match failures.checked_sub(1) {
            None => BACK_OFF_FIRST,
            Some(doublings) => BACK_OFF_SECOND.saturating_mul(1 << doublings.min(16)),
        };
        *failures = failures.saturating_add(1);
        let wait = self.rng.jitter(wait.min(limit), JITTER_PERCENT);
        let wait = if self.config.passive { wait / 2 } else { wait };
        self.timers.start = Some(now + wait);
    }
}

const fn fsm_subcode(state: State) -> FsmSubcode {
    match state {
        State::OpenSent => FsmSubcode::OpenSent,
        State::OpenConfirm => FsmSubcode::OpenConfirm,
        State::Established => FsmSubcode::Established,
        State::Idle | State::Connect | State::Active => FsmSubcode::Unspecific,
    }
}

/// Compares the peer's OPEN with what was configured (RFC 4271 §6.2).
fn negotiate(config: &Config, offered: FamilySet, open: &Open) -> Result<Negotiated, Notification> {
    let refused = |subcode| Notification::new(ErrorCode::Open(subcode));
    if open.local_as != config.peer_as {
        return Err(refused(OpenSubcode::BadPeerAs));
    }
    // RFC 6286 §2.2: unique inside an AS only.
    if config.local_as == config.peer_as && open.router_id == config.router_id {
        return Err(refused(OpenSubcode::BadBgpIdentifier));
    }
    let families = offered.intersection(open.families);
    if families.is_empty() {
        // RFC 5492 §3: the data lists the capabilities that are missed.
        let mut notification = refused(OpenSubcode::UnsupportedCapability);
        for family in offered.iter() {
            open::encode_multiprotocol(family, &mut notification.data);
        }
        return Err(notification);
    }
    Ok(Negotiated {
        families,
        route_refresh: open.route_refresh,
        hold_time: open.hold_time.min(config.hold_time),
        four_octet_as: open.four_octet_as,
        peer_router_id: open.router_id,
        graceful_restart: open
            .graceful_restart
            .filter(|_| config.graceful_restart)
            .map(|restart| restart.limited_to(families)),
    })
}
