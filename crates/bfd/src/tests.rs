//! Two sessions and a wire between them, in virtual time, and single sessions fed by hand.

use base::{Deadline, Duration, Instant};

use crate::packet::{self, ControlPacket};
use crate::{
    Config, DecodeError, Diagnostic, DiscardReason, Hint, NotUpReason, Output, PACKET_LENGTH,
    Session, State,
};

const WIRE_DELAY: Duration = Duration::from_millis(1);
const INTERVAL: Duration = Duration::from_millis(50);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn config(discriminator: u32) -> Config {
    Config {
        discriminator,
        desired_min_tx: INTERVAL,
        required_min_rx: INTERVAL,
        detect_multiplier: 3,
    }
}

/// One end: a session, when it sent, and every change of state.
struct End {
    session: Session,
    sent: Vec<(Instant, ControlPacket)>,
    states: Vec<(Instant, State, Diagnostic)>,
    inbox: Vec<(Instant, [u8; PACKET_LENGTH])>,
    deaf: bool,
}

impl End {
    fn new(now: Instant, seed: u64, config: Config) -> Self {
        Self {
            session: Session::new(now, seed, config),
            sent: Vec::new(),
            states: Vec::new(),
            inbox: Vec::new(),
            deaf: false,
        }
    }

    fn next(&self) -> Instant {
        let arrival = self.inbox.iter().map(|(at, _)| Deadline { at: *at, why: "" }).min();
        Deadline::earlier(arrival, self.session.poll_timeout()).map_or(Instant::MAX, |d| d.at)
    }

    /// Handles what is due and returns what it sends.
    fn advance(&mut self, now: Instant) -> Vec<[u8; PACKET_LENGTH]> {
        let due: Vec<_> = self.inbox.extract_if(.., |(at, _)| *at <= now).collect();
        let mut sent = Vec::new();
        for (_, bytes) in due {
            self.session.handle_packet(now, &bytes);
            self.drain(now, &mut sent);
        }
        if self.session.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
            self.session.handle_timeout(now);
        }
        self.drain(now, &mut sent);
        sent
    }

    fn drain(&mut self, now: Instant, sent: &mut Vec<[u8; PACKET_LENGTH]>) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Packet(bytes) => {
                    self.sent.push((now, packet::decode(&bytes).unwrap()));
                    sent.push(bytes);
                }
                Output::State { state, diagnostic } => self.states.push((now, state, diagnostic)),
            }
        }
    }
}

struct Pair {
    now: Instant,
    a: End,
    b: End,
}

impl Pair {
    fn new(seed: u64, a: Config, b: Config) -> Self {
        let now = Instant::ZERO;
        Self { now, a: End::new(now, seed, a), b: End::new(now, seed + 1, b) }
    }

    fn up(seed: u64) -> Self {
        let mut pair = Self::new(seed, config(1), config(2));
        pair.run(ms(1_500));
        assert_eq!((pair.a.session.state(), pair.b.session.state()), (State::Up, State::Up));
        pair
    }

    /// Runs for `duration`, jumping from one thing due to the next.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        // The first round drains what the test itself has caused.
        let mut next = self.now;
        while next <= end {
            self.now = next;
            let arrival = next + WIRE_DELAY;
            for bytes in self.a.advance(next) {
                if !self.b.deaf {
                    self.b.inbox.push((arrival, bytes));
                }
            }
            for bytes in self.b.advance(next) {
                if !self.a.deaf {
                    self.a.inbox.push((arrival, bytes));
                }
            }
            next = self.a.next().min(self.b.next()).max(self.now);
        }
        self.now = end;
    }
}

fn gaps(sent: &[(Instant, ControlPacket)], from: Instant) -> Vec<Duration> {
    let at: Vec<Instant> = sent.iter().map(|(at, _)| *at).filter(|at| *at >= from).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// A packet of the neighbour `2` for session `1`.
fn from_neighbour(state: State) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        final_bit: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: 2,
        your_discriminator: 1,
        desired_min_tx_micros: 50_000,
        required_min_rx_micros: 50_000,
        required_min_echo_rx_micros: 0,
    }
}

fn outputs(session: &mut Session) -> Vec<Output> {
    core::iter::from_fn(|| session.poll_output()).collect()
}

fn packets(session: &mut Session) -> Vec<ControlPacket> {
    outputs(session)
        .into_iter()
        .filter_map(|output| match output {
            Output::Packet(bytes) => Some(packet::decode(&bytes).unwrap()),
            Output::State { .. } => None,
        })
        .collect()
}

/// A session that came up at time zero and has had its poll answered.
fn up_session() -> Session {
    let mut session = Session::new(Instant::ZERO, 1, config(1));
    session.handle_packet(Instant::ZERO, &from_neighbour(State::Init).encode());
    let answer = ControlPacket { final_bit: true, ..from_neighbour(State::Up) };
    session.handle_packet(Instant::ZERO, &answer.encode());
    outputs(&mut session);
    assert_eq!(session.state(), State::Up);
    assert!(!session.view().polling);
    session
}

#[test]
fn two_ends_come_up_in_three_crossings_and_then_send_at_the_fast_rate() {
    let pair = Pair::up(1);
    for end in [&pair.a, &pair.b] {
        let (at, state, _) = *end.states.last().unwrap();
        assert_eq!(state, State::Up);
        assert!(at <= Instant::ZERO + 3 * WIRE_DELAY, "{at}");
        assert!(!end.session.view().polling);
        assert_eq!(end.session.view().transmit_interval, Some(INTERVAL));
        assert_eq!(end.session.view().detection_time, Some(3 * INTERVAL));
        assert_eq!(end.session.hint(), Hint::Alive);
        assert_eq!(end.session.counters().polls_answered, 1);
    }
}

#[test]
fn the_sequence_of_packets_is_that_of_another_implementation() {
    let pair = Pair::up(1);
    let seen: Vec<_> = pair.a.sent.iter().take(4).map(|(_, p)| (p.state, p.poll)).collect();
    assert_eq!(seen[0], (State::Down, false));
    assert_eq!(pair.a.sent[0].1.your_discriminator, 0);
    assert_eq!(pair.a.sent[0].1.desired_min_tx_micros, 1_000_000);
    let poll = pair.a.sent.iter().find(|(_, p)| p.poll).unwrap().1;
    assert_eq!((poll.state, poll.desired_min_tx_micros), (State::Up, 50_000));
    assert!(pair.a.sent.iter().any(|(_, p)| p.final_bit));
    assert!(pair.a.sent.iter().all(|(_, p)| !(p.poll && p.final_bit)));
}

#[test]
fn a_link_without_neighbour_costs_one_packet_a_second() {
    let mut pair = Pair::new(1, config(1), config(2));
    pair.b.deaf = true;
    pair.a.deaf = true;
    pair.run(Duration::from_secs(60));
    for gap in gaps(&pair.a.sent, Instant::ZERO) {
        assert!(gap >= ms(750) && gap <= ms(1_000), "{gap:?}");
    }
    assert_eq!(pair.a.session.view().not_up, Some(NotUpReason::NothingReceived));
    assert_eq!(pair.a.session.hint(), Hint::NoOpinion);
}

#[test]
fn cut_link_is_detected_within_three_intervals() {
    for seed in 0..50 {
        let mut pair = Pair::up(seed);
        pair.run(ms(seed));
        let cut = pair.now;
        (pair.a.deaf, pair.b.deaf) = (true, true);
        pair.run(ms(400));
        for end in [&pair.a, &pair.b] {
            let (at, state, why) = *end.states.last().unwrap();
            assert_eq!((state, why), (State::Down, Diagnostic::DetectionTimeExpired));
            let taken = at - cut;
            assert!(taken <= 3 * INTERVAL + WIRE_DELAY, "seed {seed}: {taken:?}");
            assert!(taken >= 2 * INTERVAL, "seed {seed}: {taken:?}");
            assert_eq!(end.session.hint(), Hint::Failed);
            assert_eq!(end.session.view().not_up, Some(NotUpReason::DetectionTimeExpired));
        }
    }
}

#[test]
fn one_deaf_end_brings_both_down_and_they_come_back() {
    let mut pair = Pair::up(3);
    let cut = pair.now;
    pair.a.deaf = true;
    pair.run(ms(250));
    let (at, state, why) = *pair.b.states.last().unwrap();
    assert_eq!((state, why), (State::Down, Diagnostic::NeighborSignaledDown));
    assert!(at - cut <= 3 * INTERVAL + 2 * WIRE_DELAY);
    pair.a.deaf = false;
    pair.run(ms(2_500));
    assert_eq!((pair.a.session.state(), pair.b.session.state()), (State::Up, State::Up));
    assert_eq!(pair.a.session.hint(), Hint::Alive);
}

#[test]
fn two_lost_packets_in_a_row_do_not_matter() {
    let mut pair = Pair::up(5);
    pair.a.deaf = true;
    pair.run(2 * INTERVAL - ms(25));
    pair.a.deaf = false;
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.a.session.counters().went_down, 0);
    assert_eq!(pair.b.session.counters().went_down, 0);
}

#[test]
fn intervals_are_shortened_by_up_to_a_quarter_and_by_a_tenth_at_least_for_multiplier_one() {
    for (multiplier, longest) in [(3, INTERVAL), (1, INTERVAL / 10 * 9)] {
        let with = |id| Config { detect_multiplier: multiplier, ..config(id) };
        let mut pair = Pair::new(9, with(1), with(2));
        pair.run(ms(1_500));
        let settled = pair.now;
        pair.run(Duration::from_secs(20));
        assert_eq!(pair.a.session.counters().went_down, 0);
        let gaps = gaps(&pair.a.sent, settled);
        assert!(gaps.iter().all(|gap| *gap >= INTERVAL / 4 * 3 && *gap <= longest));
        assert!(gaps.iter().any(|gap| *gap < INTERVAL / 5 * 4));
        assert!(gaps.iter().any(|gap| *gap > longest - INTERVAL / 20));
    }
}

#[test]
fn the_slower_wish_of_the_two_ends_decides() {
    let slow = Config { required_min_rx: ms(200), ..config(2) };
    let mut pair = Pair::new(2, config(1), slow);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.a.session.view().transmit_interval, Some(ms(200)));
    assert_eq!(pair.b.session.view().transmit_interval, Some(INTERVAL));
    assert_eq!(pair.a.session.view().detection_time, Some(ms(150)));
    assert_eq!(pair.b.session.view().detection_time, Some(ms(600)));
}

#[test]
fn an_administrator_is_not_a_failure_at_either_end() {
    let mut pair = Pair::up(4);
    pair.a.session.set_admin_down(pair.now, true);
    pair.run(ms(20));
    let (_, state, why) = *pair.b.states.last().unwrap();
    assert_eq!((state, why), (State::Down, Diagnostic::NeighborSignaledDown));
    assert_eq!(pair.b.session.hint(), Hint::NoOpinion);
    assert_eq!(pair.b.session.view().not_up, Some(NotUpReason::RemoteAdminDown));
    assert_eq!(pair.b.session.view().remote_diagnostic, Diagnostic::AdministrativelyDown);
    assert_eq!(pair.a.session.hint(), Hint::NoOpinion);
    assert_eq!(pair.a.session.view().not_up, Some(NotUpReason::AdminDown));

    pair.run(Duration::from_secs(10));
    assert_eq!(pair.a.session.state(), State::AdminDown);
    assert_eq!(pair.b.session.hint(), Hint::NoOpinion);
    assert!(pair.a.session.counters().discarded(DiscardReason::AdminDown) > 5);

    pair.a.session.set_admin_down(pair.now, false);
    pair.run(ms(50));
    assert_eq!((pair.a.session.state(), pair.b.session.state()), (State::Up, State::Up));
}

#[test]
fn an_administrator_who_says_so_once_is_remembered_through_the_silence() {
    let mut session = up_session();
    session.handle_packet(Instant::ZERO, &from_neighbour(State::AdminDown).encode());
    let mut now = Instant::ZERO;
    while now < Instant::ZERO + Duration::from_secs(60) {
        now = session.poll_timeout().unwrap().at;
        session.handle_timeout(now);
        outputs(&mut session);
        assert_eq!(session.view().not_up, Some(NotUpReason::RemoteAdminDown), "{now:?}");
        assert_eq!(session.hint(), Hint::NoOpinion, "{now:?}");
    }
    session.handle_packet(now, &from_neighbour(State::Down).encode());
    assert_eq!(session.state(), State::Init);
    assert_eq!(session.view().not_up, Some(NotUpReason::NotHeardByRemote));
}

#[test]
fn a_failure_that_turns_out_to_be_an_administrator_is_withdrawn() {
    let mut session = up_session();
    session.handle_packet(Instant::ZERO, &from_neighbour(State::Down).encode());
    outputs(&mut session);
    assert_eq!(session.hint(), Hint::Failed);
    session.handle_packet(Instant::ZERO, &from_neighbour(State::AdminDown).encode());
    assert_eq!(session.hint(), Hint::NoOpinion);
    assert!(matches!(session.poll_output(), Some(Output::State { state: State::Down, .. })));
}

#[test]
fn new_intervals_are_agreed_by_a_poll_without_losing_the_session() {
    let mut pair = Pair::up(6);
    for (tx, rx) in [(200, 200), (20, 20), (500, 20), (20, 500), (50, 50)] {
        let new = Config { desired_min_tx: ms(tx), required_min_rx: ms(rx), ..config(1) };
        pair.a.session.set_config(pair.now, new);
        assert!(pair.a.session.view().polling);
        pair.run(Duration::from_secs(2));
        assert!(!pair.a.session.view().polling);
        let (a, b) = (pair.a.session.view(), pair.b.session.view());
        assert_eq!(a.transmit_interval, Some(ms(tx.max(50))));
        assert_eq!(b.transmit_interval, Some(ms(rx.max(50))));
    }
    assert_eq!(pair.a.session.counters().went_down, 0);
    assert_eq!(pair.b.session.counters().went_down, 0);
}

#[test]
fn sending_slower_waits_for_the_answer_and_expecting_more_does_too() {
    let mut session = up_session();
    let new = Config { desired_min_tx: ms(400), required_min_rx: ms(10), ..config(1) };
    session.set_config(Instant::ZERO, new);
    let sent = packets(&mut session);
    assert!(sent[0].poll);
    assert_eq!((sent[0].desired_min_tx_micros, sent[0].required_min_rx_micros), (400_000, 10_000));
    assert_eq!(session.view().transmit_interval, Some(ms(50)));
    assert_eq!(session.view().detection_time, Some(ms(150)));

    let fast = ControlPacket { desired_min_tx_micros: 10_000, ..from_neighbour(State::Up) };
    session.handle_packet(Instant::ZERO, &fast.encode());
    assert_eq!(session.view().detection_time, Some(ms(150)));
    session.handle_packet(Instant::ZERO, &ControlPacket { final_bit: true, ..fast }.encode());
    assert_eq!(session.view().transmit_interval, Some(ms(400)));
    assert_eq!(session.view().detection_time, Some(ms(30)));
}

#[test]
fn an_answer_to_an_older_poll_does_not_end_the_newer_one() {
    let mut session = up_session();
    let answer = ControlPacket { final_bit: true, ..from_neighbour(State::Up) }.encode();
    for tx in [400, 300] {
        session.set_config(Instant::ZERO, Config { desired_min_tx: ms(tx), ..config(1) });
    }
    packets(&mut session);
    session.handle_packet(Instant::ZERO, &answer);
    assert!(packets(&mut session)[0].poll);
    assert_eq!(session.view().transmit_interval, Some(ms(50)));
    session.handle_packet(Instant::ZERO, &answer);
    assert!(!session.view().polling);
    assert_eq!(session.view().transmit_interval, Some(ms(300)));
}

#[test]
fn a_neighbour_that_can_take_more_gets_it_at_once() {
    let mut session = up_session();
    let slow = ControlPacket { required_min_rx_micros: 10_000_000, ..from_neighbour(State::Up) };
    session.handle_packet(Instant::ZERO, &slow.encode());
    assert_eq!(session.view().transmit_interval, Some(ms(10_000)));
    let now = Instant::ZERO + ms(100);
    session.handle_packet(now, &from_neighbour(State::Up).encode());
    assert_eq!(session.poll_timeout().map(|deadline| deadline.at), Some(now));
}

#[test]
fn a_restarted_neighbour_is_noticed_at_once_and_comes_up_under_its_new_name() {
    let mut pair = Pair::up(7);
    let restart = pair.now;
    pair.b = End::new(restart, 99, config(77));
    pair.run(ms(100));
    let fell = pair.a.states.iter().rev().find(|(_, state, _)| *state == State::Down).unwrap();
    assert!(fell.0 - restart <= 2 * WIRE_DELAY);
    assert_eq!(fell.2, Diagnostic::NeighborSignaledDown);
    pair.run(ms(1_500));
    assert_eq!(pair.a.session.state(), State::Up);
    assert_eq!(pair.a.session.view().remote_discriminator, 77);
}

#[test]
fn a_port_going_down_is_a_failure_at_once_and_sends_nothing() {
    let mut session = up_session();
    session.handle_port(Instant::ZERO, false);
    let state = Output::State { state: State::Down, diagnostic: Diagnostic::PathDown };
    assert_eq!(outputs(&mut session), [state]);
    assert_eq!(session.hint(), Hint::Failed);
    assert_eq!(session.view().not_up, Some(NotUpReason::PortDown));

    session.handle_packet(Instant::ZERO, &from_neighbour(State::Up).encode());
    assert_eq!(session.counters().discarded(DiscardReason::PortDown), 1);
    let mut wakes = 0;
    while let Some(deadline) = session.poll_timeout() {
        session.handle_timeout(deadline.at);
        wakes += 1;
        assert_eq!(outputs(&mut session), []);
    }
    assert!(wakes <= 1);

    assert_eq!(session.hint(), Hint::Failed);
    session.handle_port(Instant::ZERO + ms(900), true);
    assert_eq!(session.hint(), Hint::NoOpinion);
    let sent = packets(&mut session);
    assert_eq!(
        (sent.len(), sent[0].state, sent[0].diagnostic),
        (1, State::Down, Diagnostic::PathDown)
    );
}

#[test]
fn a_new_discriminator_starts_the_session_again() {
    let mut pair = Pair::up(8);
    pair.a.session.set_config(pair.now, config(11));
    pair.run(ms(1_500));
    assert_eq!((pair.a.session.state(), pair.b.session.state()), (State::Up, State::Up));
    assert_eq!(pair.b.session.view().remote_discriminator, 11);
    assert_eq!(pair.a.session.counters().went_down, 1);
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let mut session = up_session();
    let before = session.view();
    session.set_config(Instant::ZERO, config(1));
    assert_eq!(outputs(&mut session), []);
    assert_eq!(session.view(), before);
}

#[test]
fn packets_that_must_be_discarded_are_and_each_says_why() {
    let good = from_neighbour(State::Up);
    let mut multipoint = good.encode();
    multipoint[1] |= 1;
    let wrong = ControlPacket { your_discriminator: 5, ..good }.encode();
    let missing = ControlPacket { your_discriminator: 0, ..good }.encode();
    let cases = [
        (wrong.as_slice(), DiscardReason::WrongDiscriminator),
        (missing.as_slice(), DiscardReason::MissingDiscriminator),
        (multipoint.as_slice(), DiscardReason::Malformed(DecodeError::Multipoint)),
        (&[], DiscardReason::Malformed(DecodeError::Truncated)),
    ];
    for (bytes, reason) in cases {
        let mut session = up_session();
        let before = session.view();
        session.handle_packet(Instant::ZERO + ms(40), bytes);
        assert_eq!(session.counters().discarded(reason), 1);
        assert_eq!(session.view(), before);
        session.handle_timeout(Instant::ZERO + ms(150));
        assert_eq!(session.state(), State::Down, "a discarded packet kept the session up");
    }
}

#[test]
fn demand_mode_is_not_granted_and_is_counted() {
    let mut session = up_session();
    session.handle_packet(
        Instant::ZERO,
        &ControlPacket { demand: true, ..from_neighbour(State::Up) }.encode(),
    );
    assert_eq!(session.counters().demand_ignored, 1);
    assert_eq!(session.view().transmit_interval, Some(INTERVAL));
}

#[test]
fn a_neighbour_that_wants_no_packets_gets_none_but_answers() {
    let mut session = up_session();
    let quiet = ControlPacket { required_min_rx_micros: 0, ..from_neighbour(State::Up) };
    session.handle_packet(Instant::ZERO, &quiet.encode());
    assert_eq!(session.view().transmit_interval, None);
    session.handle_timeout(Instant::ZERO + ms(100));
    assert_eq!(outputs(&mut session), []);
    session.handle_packet(Instant::ZERO, &ControlPacket { poll: true, ..quiet }.encode());
    let sent = packets(&mut session);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].final_bit && !sent[0].poll);
}

#[test]
fn same_seed_same_packets() {
    let (mut a, mut b) = (Pair::up(42), Pair::up(42));
    a.run(Duration::from_secs(3));
    b.run(Duration::from_secs(3));
    assert_eq!(a.a.sent, b.a.sent);
    assert_eq!(a.b.sent, b.b.sent);
    let mut other = Pair::up(43);
    other.run(Duration::from_secs(3));
    assert_ne!(a.a.sent, other.a.sent);
}
