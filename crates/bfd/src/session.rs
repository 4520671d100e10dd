//! One session: the timers and variables around the state machine.
//!
//! A session has three clocks. The transmit clock is the slower of what we want to send and what
//! the neighbour wants to receive, shortened at random; the detection clock is the neighbour's
//! multiplier times the slower of what it sends and what we receive; and a poll sequence tells the
//! neighbour of new intervals and ends when it answers. Until then the session goes by whichever
//! value is safe for both ends.
//!
//! Outputs are flags, not a queue: a session can owe its owner at most one change of state, one
//! answer to a poll and one packet, whatever comes in, so its memory is bounded by its type.
//! Between two drains only the last state is kept.
//!
//! Standards: RFC 5880 §6.8.1 (variables), §6.8.2 and §6.8.3 (intervals), §6.8.4 (detection),
//! §6.8.6 (reception), §6.8.7 (transmission), §6.8.16 (administrative control), §6.5 (poll).
//! Not implemented: demand mode and the echo function; the passive role (RFC 5880 §6.1).

use base::{Deadline, Duration, Instant, Rng};

use crate::config::{interval, micros};
use crate::machine::{Event, transition};
use crate::packet::{self, ControlPacket, PACKET_LENGTH};
use crate::{
    Config, Counters, Diagnostic, DiscardReason, Hint, NotUpReason, SLOW_INTERVAL, State, View,
};

/// What a session wants its owner to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send this as the payload of a UDP datagram.
    Packet([u8; PACKET_LENGTH]),
    /// The state has changed, or what may be concluded from it ([`Session::hint`]).
    State {
        /// The state now.
        state: State,
        /// Why it was changed.
        diagnostic: Diagnostic,
    },
}

/// What is known of the neighbour. It is dropped whole after a detection time of silence.
#[derive(Debug, Clone, Copy)]
struct Remote {
    discriminator: u32,
    state: State,
    diagnostic: Diagnostic,
    detect_multiplier: u8,
    desired_min_tx: Duration,
    required_min_rx: Duration,
    heard_at: Instant,
}

/// Where a poll sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Poll {
    Idle,
    /// Packets carry the poll bit until one comes with the final bit.
    Outstanding,
    /// The intervals changed again meanwhile: the answer may be to the old ones, so ask once more.
    OutstandingAndStale,
}

/// One session with one neighbour.
#[derive(Debug)]
pub struct Session {
    config: Config,
    rng: Rng,
    state: State,
    diagnostic: Diagnostic,
    remote: Option<Remote>,
    /// The neighbour's last word was that its administrator holds it down: some say so once, and
    /// then nothing.
    shut_by_remote: bool,
    port_up: bool,
    failed: bool,
    poll: Poll,
    /// The value that transmission goes by; it lags behind the advertised one during a poll.
    desired_min_tx: Duration,
    /// The value that detection goes by; it lags behind the advertised one during a poll.
    required_min_rx: Duration,
    transmit_interval: Option<Duration>,
    sent_at: Instant,
    transmit_at: Instant,
    owes_state: bool,
    owes_final: bool,
    owes_packet: bool,
    counters: Counters,
}

impl Session {
    /// A session in `Down` on a port that is up. It sends its first packet at once.
    #[must_use]
    pub fn new(now: Instant, seed: u64, config: Config) -> Self {
        let config = config.normalized();
        let desired_min_tx = config.desired_min_tx.max(SLOW_INTERVAL);
        Self {
            config,
            rng: Rng::new(seed),
            state: State::Down,
            diagnostic: Diagnostic::None,
            remote: None,
            shut_by_remote: false,
            port_up: true,
            failed: false,
            poll: Poll::Idle,
            desired_min_tx,
            required_min_rx: config.required_min_rx,
            transmit_interval: Some(desired_min_tx),
            sent_at: now,
            transmit_at: now,
            owes_state: false,
            owes_final: false,
            owes_packet: false,
            counters: Counters::new(),
        }
    }

    /// Takes a new configuration; a session that is up stays up and tells its neighbour by a poll.
    pub fn set_config(&mut self, now: Instant, config: Config) {
        let (old, new) = (self.config, config.normalized());
        if old == new {
            return;
        }
        if old.discriminator != new.discriminator {
            self.apply(now, Event::PathDown);
            self.remote = None;
        }
        self.config = new;
        if (old.desired_min_tx, old.required_min_rx) != (new.desired_min_tx, new.required_min_rx) {
            self.advertise_intervals();
        }
        self.settle(now);
        self.transmit(now);
    }

    /// Takes the payload of a datagram that came through the session's port with the right TTL.
    pub fn handle_packet(&mut self, now: Instant, bytes: &[u8]) {
        self.counters.received += 1;
        let packet = match self.admit(bytes) {
            Ok(packet) => packet,
            Err(reason) => return self.counters.discard(reason),
        };
        self.remote = Some(Remote {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diagnostic: packet.diagnostic,
            detect_multiplier: packet.detect_multiplier,
            desired_min_tx: interval(packet.desired_min_tx_micros),
            required_min_rx: interval(packet.required_min_rx_micros),
            heard_at: now,
        });
        self.shut_by_remote = packet.state == State::AdminDown;
        if self.state == State::AdminDown {
            self.counters.discard(DiscardReason::AdminDown);
            return self.settle(now);
        }
        if packet.demand {
            // Deviation from RFC 5880 §6.8.7: periodic packets go on although the neighbour asks
            // for demand mode, because without them it has no means to see this direction fail.
            self.counters.demand_ignored += 1;
        }
        if packet.final_bit {
            self.poll_answered(now);
        }
        if packet.state == State::AdminDown && self.failed {
            self.failed = false;
            self.owes_state = true;
        }
        self.apply(now, Event::Received(packet.state));
        if packet.poll {
            self.owes_final = true;
        }
        self.settle(now);
    }

    /// Holds the session down, or lets it go. The neighbour is told, so that it does not take the
    /// silence for a failure.
    pub fn set_admin_down(&mut self, now: Instant, admin_down: bool) {
        self.apply(now, if admin_down { Event::Disable } else { Event::Enable });
    }

    /// The port went up or down. On a port that is down nothing is sent, and no packet is awaited.
    pub fn handle_port(&mut self, now: Instant, up: bool) {
        if self.port_up == up {
            return;
        }
        self.port_up = up;
        self.owes_packet = false;
        self.owes_final = false;
        if up {
            // RFC 5882 §3.2: nothing is known yet of the path that came back with the port.
            self.failed = false;
            self.shut_by_remote = false;
        } else {
            self.apply(now, Event::PathDown);
        }
        self.settle(now);
        self.transmit(now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.detection_deadline().is_some_and(|at| now >= at) {
            // RFC 5880 §6.8.1: a neighbour that is silent for the detection time loses its name.
            self.remote = None;
            self.apply(now, Event::DetectionExpired);
            self.settle(now);
        }
        if self.transmit_interval.is_some() && now >= self.transmit_at {
            self.transmit(now);
        }
    }

    /// When the session wants [`Session::handle_timeout`], and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let transmit = self
            .transmit_interval
            .map(|_| Deadline { at: self.transmit_at, why: "bfd: send a control packet" });
        let detection = self
            .detection_deadline()
            .map(|at| Deadline { at, why: "bfd: declare the neighbour lost" });
        Deadline::earlier(detection, transmit)
    }

    /// The next thing that the owner has to do. Drain after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        if core::mem::take(&mut self.owes_state) {
            return Some(Output::State { state: self.state, diagnostic: self.diagnostic });
        }
        let polling = self.poll != Poll::Idle;
        if core::mem::take(&mut self.owes_final) {
            // Poll and final exclude each other in one packet (RFC 5880 §4.1); where we do not
            // poll, the answer says everything that the packet owed would have said.
            self.owes_packet &= polling;
            return Some(self.packet(false, true));
        }
        if core::mem::take(&mut self.owes_packet) {
            return Some(self.packet(polling, false));
        }
        None
    }

    /// The state of the session.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What a client may conclude about the path (RFC 5882 §3.2, §4.2).
    #[must_use]
    pub fn hint(&self) -> Hint {
        match self.state {
            State::Up => Hint::Alive,
            State::AdminDown => Hint::NoOpinion,
            State::Down | State::Init if self.failed || !self.port_up => Hint::Failed,
            State::Down | State::Init => Hint::NoOpinion,
        }
    }

    /// The session as people see it.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            state: self.state,
            remote_state: self.remote.map_or(State::Down, |remote| remote.state),
            diagnostic: self.diagnostic,
            remote_diagnostic: self.remote.map_or(Diagnostic::None, |remote| remote.diagnostic),
            discriminator: self.config.discriminator,
            remote_discriminator: self.remote.map_or(0, |remote| remote.discriminator),
            transmit_interval: self.transmit_interval,
            detection_time: self.remote.map(|remote| self.detection_time(&remote)),
            polling: self.poll != Poll::Idle,
            hint: self.hint(),
            not_up: self.not_up(),
        }
    }

    /// What the session has counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// RFC 5880 §6.8.6: the checks that a packet has to pass before it is believed.
    fn admit(&self, bytes: &[u8]) -> Result<ControlPacket, DiscardReason> {
        let packet = packet::decode(bytes).map_err(DiscardReason::Malformed)?;
        if !self.port_up {
            return Err(DiscardReason::PortDown);
        }
        if packet.your_discriminator == 0 {
            if matches!(packet.state, State::Init | State::Up) {
                return Err(DiscardReason::MissingDiscriminator);
            }
        } else if packet.your_discriminator != self.config.discriminator {
            return Err(DiscardReason::WrongDiscriminator);
        }
        Ok(packet)
    }

    /// Moves the state machine; the only place where the state changes.
    fn apply(&mut self, now: Instant, event: Event) {
        let Some((state, diagnostic)) = transition(self.state, event) else {
            return;
        };
        let (was_up, advertised) = (self.state == State::Up, self.advertised_min_tx());
        self.state = state;
        self.diagnostic = diagnostic;
        self.owes_state = true;
        if state == State::Up {
            self.failed = false;
            self.counters.went_up += 1;
        } else if was_up {
            // RFC 5882 §4.2: what an administrator does at either end is not a failed path.
            self.failed = !matches!(event, Event::Disable | Event::Received(State::AdminDown));
            self.counters.went_down += 1;
        } else if state == State::AdminDown {
            self.failed = false;
        }
        if state != State::Up || advertised != self.advertised_min_tx() {
            self.advertise_intervals();
        }
        self.settle(now);
        // RFC 5880 §6.8.7: a change is worth a packet before the next periodic one.
        self.transmit(now);
    }

    /// The intervals that packets carry have changed, or the rule by which they are used.
    fn advertise_intervals(&mut self) {
        let (tx, rx) = (self.advertised_min_tx(), self.config.required_min_rx);
        if self.state != State::Up {
            // Deviation from RFC 5880 §6.8.3: no poll outside of `Up`, because nothing has been
            // agreed that a change could break, and every packet carries the values anyway.
            self.poll = Poll::Idle;
            self.desired_min_tx = tx;
            self.required_min_rx = rx;
            return;
        }
        self.poll = match self.poll {
            Poll::Idle => Poll::Outstanding,
            Poll::Outstanding | Poll::OutstandingAndStale => Poll::OutstandingAndStale,
        };
        // RFC 5880 §6.8.3: sending slower, and expecting more, have to wait for the answer.
        self.desired_min_tx = self.desired_min_tx.min(tx);
        self.required_min_rx = self.required_min_rx.max(rx);
    }

    fn poll_answered(&mut self, now: Instant) {
        match self.poll {
            Poll::Idle => {}
            Poll::Outstanding => {
                self.poll = Poll::Idle;
                self.counters.polls_answered += 1;
                self.desired_min_tx = self.advertised_min_tx();
                self.required_min_rx = self.config.required_min_rx;
            }
            Poll::OutstandingAndStale => {
                self.poll = Poll::Outstanding;
                self.transmit(now);
            }
        }
    }

    /// RFC 5880 §6.8.3: never faster than the slow rate while the session is not up.
    fn advertised_min_tx(&self) -> Duration {
        match self.state {
            State::Up => self.config.desired_min_tx,
            State::AdminDown | State::Down | State::Init => {
                self.config.desired_min_tx.max(SLOW_INTERVAL)
            }
        }
    }

    /// RFC 5880 §6.8.2 and §6.8.7: the slower of the two wishes; nothing where the neighbour wants
    /// nothing.
    fn agreed_transmit_interval(&self) -> Option<Duration> {
        let wanted = self.remote.map(|remote| remote.required_min_rx);
        if !self.port_up || wanted == Some(Duration::ZERO) {
            return None;
        }
        Some(self.desired_min_tx.max(wanted.unwrap_or_default()))
    }

    /// RFC 5880 §6.8.3: a new transmit interval counts from the last packet sent, at once.
    fn settle(&mut self, now: Instant) {
        let interval = self.agreed_transmit_interval();
        if interval == self.transmit_interval {
            return;
        }
        self.transmit_interval = interval;
        if let Some(interval) = interval {
            self.transmit_at = (self.sent_at + self.jittered(interval)).max(now);
        }
    }

    /// Owes a packet now, and the next one an interval later.
    fn transmit(&mut self, now: Instant) {
        if !self.port_up {
            return;
        }
        self.owes_packet = true;
        self.sent_at = now;
        if let Some(interval) = self.transmit_interval {
            self.transmit_at = now + self.jittered(interval);
        }
    }

    /// RFC 5880 §6.8.7: 75 to 100 % of the interval, or to 90 % where one lost packet is enough to
    /// lose the session.
    fn jittered(&mut self, interval: Duration) -> Duration {
        let percent = u64::try_from(interval.as_nanos() / 100).unwrap_or(u64::MAX / 100);
        let spread = if self.config.detect_multiplier == 1 { 15 } else { 25 };
        Duration::from_nanos(percent * 75 + self.rng.below(percent * spread + 1))
    }

    /// RFC 5880 §6.8.4: the neighbour's multiplier times the interval agreed for its packets.
    fn detection_time(&self, remote: &Remote) -> Duration {
        self.required_min_rx.max(remote.desired_min_tx) * u32::from(remote.detect_multiplier)
    }

    fn detection_deadline(&self) -> Option<Instant> {
        self.remote.map(|remote| remote.heard_at + self.detection_time(&remote))
    }

    fn not_up(&self) -> Option<NotUpReason> {
        if !self.port_up && self.state != State::AdminDown {
            return Some(NotUpReason::PortDown);
        }
        match (self.state, self.remote.map(|remote| remote.state)) {
            (State::Up, _) => None,
            (State::AdminDown, _) => Some(NotUpReason::AdminDown),
            (State::Down | State::Init, _) if self.shut_by_remote => {
                Some(NotUpReason::RemoteAdminDown)
            }
            (State::Down, Some(State::Up)) => Some(NotUpReason::RemoteNotRestarted),
            (State::Down | State::Init, Some(_)) => Some(NotUpReason::NotHeardByRemote),
            (State::Down | State::Init, None) => Some(match self.diagnostic {
                Diagnostic::DetectionTimeExpired => NotUpReason::DetectionTimeExpired,
                Diagnostic::None
                | Diagnostic::EchoFailed
                | Diagnostic::NeighborSignaledDown
                | Diagnostic::ForwardingPlaneReset
                | Diagnostic::PathDown
                | Diagnostic::ConcatenatedPathDown
                | Diagnostic::AdministrativelyDown
                | Diagnostic::ReverseConcatenatedPathDown
                | Diagnostic::Reserved(_) => NotUpReason::NothingReceived,
            }),
        }
    }

    fn packet(&mut self, poll: bool, final_bit: bool) -> Output {
        self.counters.sent += 1;
        let packet = ControlPacket {
            diagnostic: self.diagnostic,
            state: self.state,
            poll,
            final_bit,
            control_plane_independent: false,
            demand: false,
            detect_multiplier: self.config.detect_multiplier,
            my_discriminator: self.config.discriminator,
            your_discriminator: self.remote.map_or(0, |remote| remote.discriminator),
            desired_min_tx_micros: micros(self.advertised_min_tx()),
            required_min_rx_micros: micros(self.config.required_min_rx),
            required_min_echo_rx_micros: 0,
        };
        Output::Packet(packet.encode())
    }
}
