//! Two sessions on a wire, and one against a script.

use core::net::Ipv4Addr;

use base::{AsNumber, Duration, Instant, Rng, RouterId};
use bgp::message;
use bgp::notification::{CeaseSubcode, ErrorCode, FsmSubcode, Notification, OpenSubcode};
use bgp::open::Open;
use bgp::route::{Family, FamilySet};
use bgp::session::{
    BACK_OFF_MAX, Config, DownReason, Event, NotUpReason, RECEIVE_MAX, Session, State,
};
use bgp::update;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{LOCAL_AS, PEER_AS, framed, hex};

fn config(local: u8, passive: bool) -> Config {
    Config {
        local_as: LOCAL_AS,
        peer_as: LOCAL_AS,
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, local)),
        hold_time: 9,
        connect_retry: Duration::from_secs(5),
        families: vec![Family::VpnIpv4, Family::VpnIpv6],
        passive,
        graceful_restart: true,
    }
}

fn session(config: Config) -> Session {
    Session::new(config, Rng::new(7))
}

/// An event without what it borrows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Connect,
    Close,
    Established,
    Down(DownReason),
    Update { announced: usize, withdrawn: usize },
    EndOfRib(Family),
    Refresh(Family),
}

fn next_event(session: &mut Session, now: Instant) -> Option<Seen> {
    session.poll_event(now).map(|event| match event {
        Event::Connect => Seen::Connect,
        Event::Close => Seen::Close,
        Event::Established => Seen::Established,
        Event::Down(reason) => Seen::Down(reason),
        Event::Update(update) => Seen::Update {
            announced: update.announced().count(),
            withdrawn: update.withdrawn().count(),
        },
        Event::EndOfRib(family) => Seen::EndOfRib(family),
        Event::Refresh(family) => Seen::Refresh(family),
    })
}

fn events(session: &mut Session, now: Instant) -> Vec<Seen> {
    core::iter::from_fn(|| next_event(session, now)).collect()
}

fn transmitted(session: &mut Session) -> Vec<u8> {
    let mut out = Vec::new();
    session.take_transmit(&mut out);
    out
}

/// Two sessions and the connection between them; time jumps to the next wake-up.
struct Pair {
    now: Instant,
    sessions: [Session; 2],
    seen: [Vec<Seen>; 2],
    connected: bool,
    /// The link swallows everything.
    cut: bool,
    /// Sides that hear of the connection's end once they have read what came before it.
    closing: [bool; 2],
}

impl Pair {
    fn new(active: Config, passive: Config) -> Self {
        let now = Instant::ZERO;
        let mut sessions = [session(active), session(passive)];
        sessions.iter_mut().for_each(|session| session.start(now));
        let seen = [Vec::new(), Vec::new()];
        Self { now, sessions, seen, connected: false, cut: false, closing: [false; 2] }
    }

    /// Carries bytes and acts on events until nothing moves.
    fn settle(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for side in [0, 1] {
                moved |= self.drain(side);
            }
            if moved {
                continue;
            }
            for (session, closing) in self.sessions.iter_mut().zip(&mut self.closing) {
                if core::mem::take(closing) {
                    session.handle_closed(self.now);
                    moved = true;
                }
            }
        }
    }

    fn drain(&mut self, side: usize) -> bool {
        let now = self.now;
        let (Some(session), Some(seen)) = (self.sessions.get_mut(side), self.seen.get_mut(side))
        else {
            return false;
        };
        let news = events(session, now);
        let bytes = transmitted(session);
        let moved = !news.is_empty() || !bytes.is_empty();
        seen.extend(news.iter().cloned());
        let [a, b] = &mut self.sessions;
        let other = if side == 0 { b } else { a };
        if self.connected && !self.cut && !bytes.is_empty() {
            // One octet at a time: boundaries must not matter.
            bytes.iter().for_each(|byte| other.receive(now, &[*byte]));
        }
        for event in news {
            self.act(side, &event);
        }
        moved
    }

    fn act(&mut self, side: usize, event: &Seen) {
        let now = self.now;
        let [a, b] = &mut self.sessions;
        let (this, other) = if side == 0 { (a, b) } else { (b, a) };
        match event {
            Seen::Connect if self.cut || other.state() == State::Idle => this.handle_closed(now),
            Seen::Connect => {
                self.connected = true;
                self.closing = [false; 2];
                this.handle_connected(now);
                other.handle_connected(now);
            }
            Seen::Close if self.connected => {
                self.connected = false;
                self.closing = [side == 1 && !self.cut, side == 0 && !self.cut];
            }
            Seen::Close
            | Seen::Established
            | Seen::Down(_)
            | Seen::Update { .. }
            | Seen::EndOfRib(_)
            | Seen::Refresh(_) => {}
        }
    }

    /// Lets time pass up to this moment.
    fn run_until(&mut self, end: Instant) {
        self.settle();
        while let Some(next) =
            self.sessions.iter().filter_map(Session::poll_timeout).map(|deadline| deadline.at).min()
            && next <= end
        {
            assert!(next >= self.now, "time does not go back");
            self.now = next;
            let now = self.now;
            self.sessions.iter_mut().for_each(|session| session.handle_timeout(now));
            self.settle();
        }
        self.now = end;
    }

    fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    fn states(&self) -> [State; 2] {
        self.sessions.each_ref().map(Session::state)
    }
}

const UP: [State; 2] = [State::Established, State::Established];

fn pair() -> Pair {
    let mut pair = Pair::new(config(1, false), config(2, true));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.states(), UP);
    pair
}

/// A passive session that is connected and has sent its OPEN, which is dropped.
fn open_sent(config: Config) -> Session {
    let mut session = session(config);
    session.start(Instant::ZERO);
    session.handle_connected(Instant::ZERO);
    assert_eq!(session.state(), State::OpenSent);
    transmitted(&mut session);
    session
}

fn peer_open() -> Open {
    Open {
        local_as: LOCAL_AS,
        hold_time: 30,
        router_id: RouterId(Ipv4Addr::new(10, 0, 0, 9)),
        families: FamilySet::EMPTY.with(Family::VpnIpv4),
        route_refresh: true,
        four_octet_as: true,
        graceful_restart: None,
        other_capabilities: Vec::new(),
    }
}

fn encoded(open: &Open) -> Vec<u8> {
    let mut out = Vec::new();
    open.encode(&mut out);
    out
}

const KEEPALIVE: [u8; 3] = [0, 19, 4];

fn keepalive() -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend_from_slice(&KEEPALIVE);
    out
}

fn established(config: Config) -> Session {
    let mut session = open_sent(config);
    session.receive(Instant::ZERO, &encoded(&peer_open()));
    session.receive(Instant::ZERO, &keepalive());
    assert_eq!(events(&mut session, Instant::ZERO), [Seen::Established]);
    transmitted(&mut session);
    session
}

/// The only NOTIFICATION message that waits.
fn said(session: &mut Session) -> Notification {
    let out = transmitted(session);
    let message = message::split(&out).expect("sound header").expect("a message");
    assert_eq!(message.kind, message::Kind::Notification);
    assert_eq!(message.len_on_wire(), out.len(), "one message only");
    Notification::decode(message.body)
}

#[test]
fn sessions_come_up_and_agree() {
    let pair = pair();
    let agreed = pair.sessions[0].negotiated().unwrap();
    assert_eq!(agreed.families, FamilySet::EMPTY.with(Family::VpnIpv4).with(Family::VpnIpv6));
    assert_eq!((agreed.hold_time, agreed.four_octet_as, agreed.route_refresh), (9, true, true));
    assert_eq!(agreed.peer_router_id, RouterId(Ipv4Addr::new(10, 0, 0, 2)));
    assert_eq!(pair.seen[0], [Seen::Connect, Seen::Established]);
    assert_eq!(pair.seen[1], [Seen::Established]);
    assert_eq!(pair.sessions[0].not_up_reason(), None);
}

#[test]
fn keepalives_keep_an_idle_session_up() {
    let mut pair = pair();
    pair.run_for(Duration::from_secs(600));
    assert_eq!(pair.states(), UP);
    let sent = pair.sessions[0].counters().keepalives_sent;
    assert!((200..=268).contains(&sent), "{sent}: every 3 s less up to a quarter");
}

#[test]
fn silent_peer_is_given_up_after_the_hold_time() {
    let mut pair = pair();
    pair.cut = true;
    pair.run_for(Duration::from_secs(10));
    let expired = DownReason::NotificationSent(ErrorCode::HoldTimerExpired);
    for side in [0, 1] {
        assert!(pair.seen[side].contains(&Seen::Down(expired)), "{side}");
        assert_eq!(pair.sessions[side].negotiated(), None);
    }
    pair.cut = false;
    pair.run_for(Duration::from_secs(70));
    assert_eq!(pair.states(), UP, "and comes back");
}

#[test]
fn hold_time_of_zero_needs_no_keepalives() {
    let zero = |config: Config| Config { hold_time: 0, ..config };
    let mut pair = Pair::new(zero(config(1, false)), config(2, true));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.states(), UP);
    assert_eq!(pair.sessions.each_ref().map(Session::poll_timeout), [None, None]);
}

#[test]
fn stop_says_why_and_stays() {
    let mut pair = pair();
    pair.sessions[0].stop(pair.now, CeaseSubcode::AdministrativeShutdown);
    pair.run_for(Duration::from_secs(600));
    assert_eq!(pair.sessions[0].state(), State::Idle);
    let cease = CeaseSubcode::AdministrativeShutdown;
    let reason = pair.sessions[0].not_up_reason();
    assert_eq!(reason, Some(NotUpReason::Failed(DownReason::Stopped(cease))));
    let heard = DownReason::NotificationReceived(ErrorCode::Cease(cease));
    assert!(pair.seen[1].contains(&Seen::Down(heard)));
    let last = pair.sessions[1].last_notification().unwrap();
    assert_eq!(last.error, ErrorCode::Cease(cease));
    pair.sessions[0].start(pair.now);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.states(), UP);
}

#[test]
fn reset_session_comes_back_at_once_and_later_not_so_soon() {
    let mut pair = pair();
    let mut waits = Vec::new();
    for _ in 0..4 {
        let from = pair.now;
        pair.sessions[0].reset(from, Notification::cease(CeaseSubcode::MaximumPrefixes));
        while pair.states() != UP {
            pair.run_for(Duration::from_millis(10));
        }
        waits.push(pair.now.since(from));
    }
    assert!(waits[0] <= Duration::from_millis(120), "{waits:?}");
    for (wait, seconds) in waits[1..].iter().zip([1, 2, 4]) {
        let longest = Duration::from_secs(seconds);
        assert!(*wait > longest * 7 / 10 && *wait <= longest * 11 / 10, "{waits:?}");
    }
}

#[test]
fn session_that_was_sound_for_long_comes_back_at_once() {
    let mut pair = pair();
    for _ in 0..5 {
        pair.run_for(Duration::from_secs(61));
        assert_eq!(pair.states(), UP);
        pair.sessions[1].reset(pair.now, Notification::cease(CeaseSubcode::AdministrativeReset));
        pair.run_for(Duration::from_millis(200));
        assert_eq!(pair.states(), UP);
    }
}

#[test]
fn last_word_of_a_peer_outlives_calls_that_it_ends_without_one() {
    let mut session = session(config(1, false));
    session.start(Instant::ZERO);
    let call = |session: &mut Session| {
        let now = session.poll_timeout().unwrap().at;
        session.handle_timeout(now);
        assert_eq!(events(session, now), [Seen::Connect]);
        now
    };
    let mut now = call(&mut session);
    session.handle_connected(now);
    session.receive(now, &encoded(&peer_open()));
    session.receive(now, &keepalive());
    let word = ErrorCode::Cease(CeaseSubcode::AdministrativeShutdown);
    let mut bytes = Vec::new();
    Notification::new(word).encode(&mut bytes);
    session.receive(now, &bytes);
    let down = DownReason::NotificationReceived(word);
    assert_eq!(events(&mut session, now)[1], Seen::Down(down));
    for _ in 0..3 {
        assert_eq!(session.not_up_reason(), Some(NotUpReason::Failed(down)));
        now = call(&mut session);
        session.handle_connected(now);
        session.handle_closed(now);
        events(&mut session, now);
    }
    assert_eq!(session.not_up_reason(), Some(NotUpReason::Failed(down)));
    // Who takes no calls any more is not there any more.
    now = call(&mut session);
    session.handle_closed(now);
    let gone = NotUpReason::Failed(DownReason::ConnectFailed);
    assert_eq!(session.not_up_reason(), Some(gone));
}

#[test]
fn attempts_become_rare_but_never_cease() {
    let mut session = session(Config { connect_retry: BACK_OFF_MAX * 2, ..config(1, false) });
    session.start(Instant::ZERO);
    let mut attempts = Vec::new();
    while attempts.len() < 12 {
        let now = session.poll_timeout().unwrap().at;
        session.handle_timeout(now);
        assert_eq!(events(&mut session, now), [Seen::Connect]);
        attempts.push(now);
        session.handle_closed(now);
        assert_eq!(events(&mut session, now), [Seen::Close]);
    }
    let waits: Vec<_> = attempts.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(waits[0] <= Duration::from_millis(100), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= BACK_OFF_MAX), "{waits:?}");
    assert!(waits[8..].iter().all(|wait| *wait >= BACK_OFF_MAX * 3 / 4), "{waits:?}");
    let reason = session.not_up_reason().unwrap();
    assert_eq!(reason.to_string(), "no connection could be made");
}

#[test]
fn refused_connections_are_retried_within_the_connect_retry_time() {
    let mut session = session(config(1, false));
    session.start(Instant::ZERO);
    let mut last = Instant::ZERO;
    for _ in 0..20 {
        let now = session.poll_timeout().unwrap().at;
        assert!(now.since(last) <= Duration::from_secs(5));
        last = now;
        session.handle_timeout(now);
        session.handle_closed(now);
        events(&mut session, now);
    }
}

#[test]
fn unanswered_call_is_made_again() {
    let mut session = session(config(1, false));
    session.start(Instant::ZERO);
    let now = session.poll_timeout().unwrap().at;
    session.handle_timeout(now);
    assert_eq!(session.not_up_reason(), Some(NotUpReason::Connecting));
    events(&mut session, now);
    let retry = session.poll_timeout().unwrap();
    assert_eq!(retry.why, "bgp connect retry");
    session.handle_timeout(retry.at);
    assert_eq!(events(&mut session, retry.at), [Seen::Close, Seen::Connect]);
    assert_eq!(session.state(), State::Connect);
}

#[test]
fn passive_session_never_calls() {
    let mut session = session(config(2, true));
    assert_eq!(session.not_up_reason(), Some(NotUpReason::NotStarted));
    session.start(Instant::ZERO);
    assert_eq!(session.state(), State::Active);
    assert_eq!(session.not_up_reason(), Some(NotUpReason::AwaitingConnection));
    assert_eq!(session.poll_timeout(), None);
    assert_eq!(events(&mut session, Instant::ZERO), []);
}

#[test]
fn connection_is_refused_while_idle() {
    let mut session = session(config(2, true));
    session.handle_connected(Instant::ZERO);
    assert_eq!(events(&mut session, Instant::ZERO), [Seen::Close]);
    assert_eq!(session.state(), State::Idle);
}

#[test]
fn unacceptable_open_is_answered_with_its_fault() {
    let own_id = RouterId(Ipv4Addr::new(10, 0, 0, 2));
    let unicast = FamilySet::EMPTY.with(Family::Ipv4Unicast);
    let cases = [
        (Open { local_as: PEER_AS, ..peer_open() }, OpenSubcode::BadPeerAs),
        (Open { local_as: AsNumber(0), ..peer_open() }, OpenSubcode::BadPeerAs),
        (Open { router_id: own_id, ..peer_open() }, OpenSubcode::BadBgpIdentifier),
        (Open { hold_time: 1, ..peer_open() }, OpenSubcode::UnacceptableHoldTime),
        (Open { families: unicast, ..peer_open() }, OpenSubcode::UnsupportedCapability),
    ];
    for (open, subcode) in cases {
        let mut session = open_sent(config(2, true));
        session.receive(Instant::ZERO, &encoded(&open));
        assert_eq!(next_event(&mut session, Instant::ZERO), Some(Seen::Close), "{subcode}");
        let notification = said(&mut session);
        assert_eq!(notification.error, ErrorCode::Open(subcode));
        if subcode == OpenSubcode::UnsupportedCapability {
            assert_eq!(notification.data, hex("0104 00010080 0104 00020080"));
        }
        let reason = DownReason::NotificationSent(ErrorCode::Open(subcode));
        assert_eq!(session.not_up_reason(), Some(NotUpReason::Failed(reason)));
        assert!(session.poll_timeout().is_some(), "and tries again");
    }
}

#[test]
fn identifier_of_an_external_peer_may_be_ours() {
    let mut session = open_sent(Config { peer_as: PEER_AS, ..config(2, true) });
    let router_id = RouterId(Ipv4Addr::new(10, 0, 0, 2));
    session.receive(Instant::ZERO, &encoded(&Open { local_as: PEER_AS, router_id, ..peer_open() }));
    assert_eq!(events(&mut session, Instant::ZERO), []);
    assert_eq!(session.state(), State::OpenConfirm);
}

#[test]
fn unexpected_message_names_the_state() {
    let update = framed(2, &[0; 4]);
    let mut session = open_sent(config(2, true));
    session.receive(Instant::ZERO, &update);
    assert_eq!(events(&mut session, Instant::ZERO), [Seen::Close]);
    assert_eq!(said(&mut session).error, ErrorCode::Fsm(FsmSubcode::OpenSent));

    let mut session = open_sent(config(2, true));
    session.receive(Instant::ZERO, &[encoded(&peer_open()), update].concat());
    assert_eq!(events(&mut session, Instant::ZERO), [Seen::Close]);
    let out = transmitted(&mut session);
    assert!(out.starts_with(&keepalive()), "the OPEN message was accepted first");
    assert_eq!(&out[38..], [5, 2], "unexpected in OpenConfirm");

    let mut session = established(config(2, true));
    session.receive(Instant::ZERO, &encoded(&peer_open()));
    let error = ErrorCode::Fsm(FsmSubcode::Established);
    let down = Seen::Down(DownReason::NotificationSent(error));
    assert_eq!(events(&mut session, Instant::ZERO), [down, Seen::Close]);
    assert_eq!(said(&mut session).error, error);
}

#[test]
fn peer_that_never_opens_is_given_up() {
    let mut session = open_sent(config(2, true));
    assert_eq!(session.not_up_reason(), Some(NotUpReason::AwaitingOpen));
    let at = session.poll_timeout().unwrap().at;
    assert_eq!(at, Instant::ZERO + Duration::from_secs(240));
    session.handle_timeout(at);
    assert_eq!(said(&mut session).error, ErrorCode::HoldTimerExpired);
}

#[test]
fn routes_end_of_rib_and_refresh_are_handed_on_in_order() {
    let mut session = established(config(2, true));
    let mut stream = Vec::new();
    let route = "0000 0035 800e20 000180 0c 0000000000000000 0aff0001 00 70 003e91 0000fde800000001
        c0a801 400101 00 400200 400504 00000064 800404 00000000";
    let len = hex(route).len() - 4;
    let mut body = hex(route);
    body[3] = u8::try_from(len).unwrap();
    stream.extend(framed(2, &body));
    update::encode_end_of_rib(Family::VpnIpv4, &mut stream);
    message::encode_refresh(Family::VpnIpv4, &mut stream);
    message::encode_refresh(Family::Ipv4Unicast, &mut stream);
    stream.extend(framed(2, &hex("0000 0000")));
    session.receive(Instant::ZERO, &stream);
    assert_eq!(
        events(&mut session, Instant::ZERO),
        [
            Seen::Update { announced: 1, withdrawn: 0 },
            Seen::EndOfRib(Family::VpnIpv4),
            Seen::Refresh(Family::VpnIpv4),
            Seen::Update { announced: 0, withdrawn: 0 },
        ]
    );
    let counters = session.counters();
    assert_eq!((counters.updates_received, counters.refreshes_received), (3, 2));
}

#[test]
fn faulty_attribute_withdraws_and_keeps_the_session() {
    let mut session = established(config(2, true));
    let body = hex("0000 002e 800e20 000180 0c 0000000000000000 0aff0001 00 70 003e91
        0000fde800000001 c0a801 400101 07 400200 800400");
    let len = u8::try_from(body.len() - 4).unwrap();
    let body = [&body[..3], &[len], &body[4..]].concat();
    session.receive(Instant::ZERO, &framed(2, &body));
    let seen = events(&mut session, Instant::ZERO);
    assert_eq!(seen, [Seen::Update { announced: 0, withdrawn: 1 }]);
    assert_eq!(session.counters().treated_as_withdraw, 1);
    assert_eq!(session.state(), State::Established);
}

#[test]
fn malformed_update_ends_the_session_with_routes_void() {
    let mut session = established(config(2, true));
    session.receive(Instant::ZERO, &framed(2, &hex("0000 0009 00")));
    let seen = events(&mut session, Instant::ZERO);
    let error = said(&mut session).error;
    assert_eq!(seen, [Seen::Down(DownReason::NotificationSent(error)), Seen::Close]);
    assert_eq!(error.to_string(), "UPDATE message error: malformed attribute list");
    session.receive(Instant::ZERO, &keepalive());
    assert_eq!(events(&mut session, Instant::ZERO), [], "what follows is not read");
}

#[test]
fn routes_before_a_malformed_message_still_count() {
    let mut session = established(config(2, true));
    let mut stream = Vec::new();
    update::encode_end_of_rib(Family::VpnIpv4, &mut stream);
    stream.extend(framed(9, &[]));
    session.receive(Instant::ZERO, &stream);
    let seen = events(&mut session, Instant::ZERO);
    assert_eq!(seen[0], Seen::EndOfRib(Family::VpnIpv4));
    assert_eq!(seen.len(), 3);
}

#[test]
fn refresh_is_asked_of_those_who_answer() {
    let mut session = established(config(2, true));
    session.request_refresh(Family::VpnIpv4);
    session.request_refresh(Family::VpnIpv6);
    assert_eq!(
        transmitted(&mut session),
        framed(5, &hex("00010080")),
        "the other family is not up"
    );

    let mut session = open_sent(config(2, true));
    session.receive(Instant::ZERO, &encoded(&Open { route_refresh: false, ..peer_open() }));
    session.receive(Instant::ZERO, &keepalive());
    events(&mut session, Instant::ZERO);
    transmitted(&mut session);
    session.request_refresh(Family::VpnIpv4);
    assert!(!session.take_transmit(&mut Vec::new()));
}

#[test]
fn owner_that_does_not_drain_loses_the_session_not_the_memory() {
    let mut session = established(config(2, true));
    let mut fed = 0;
    while session.state() == State::Established {
        assert!(fed <= RECEIVE_MAX);
        let bytes = keepalive();
        fed += bytes.len();
        session.receive(Instant::ZERO, &bytes);
    }
    assert_eq!(said(&mut session).error, ErrorCode::Cease(CeaseSubcode::OutOfResources));
}

#[test]
fn lost_connection_is_told_and_a_new_one_starts_clean() {
    let mut session = established(config(2, true));
    session.receive(Instant::ZERO, &keepalive()[..10]);
    session.handle_closed(Instant::ZERO);
    let lost = Seen::Down(DownReason::ConnectionLost);
    assert_eq!(events(&mut session, Instant::ZERO), [lost, Seen::Close]);
    let at = session.poll_timeout().unwrap().at;
    session.handle_timeout(at);
    session.handle_connected(at);
    transmitted(&mut session);
    session.receive(at, &encoded(&peer_open()));
    session.receive(at, &keepalive());
    assert_eq!(events(&mut session, at), [Seen::Established]);
}

#[test]
fn same_seed_same_life() {
    let life = || {
        let mut pair = pair();
        pair.cut = true;
        pair.run_for(Duration::from_secs(100));
        pair.cut = false;
        pair.run_for(Duration::from_secs(100));
        (pair.seen, pair.sessions.map(|session| *session.counters()))
    };
    assert_eq!(life(), life());
}

proptest! {
    #[test]
    fn noise_ends_a_session_and_nothing_else(
        chunks in vec(vec(any::<u8>(), 0..200), 1..10),
        up: bool,
    ) {
        let mut session =
            if up { established(config(2, true)) } else { open_sent(config(2, true)) };
        for chunk in &chunks {
            session.receive(Instant::ZERO, chunk);
            events(&mut session, Instant::ZERO);
        }
        let noisy = chunks.iter().map(Vec::len).sum::<usize>() >= 19;
        prop_assert!(!noisy || !session.state().is_open());
    }

    /// Any order of calls keeps the promises: a session that is not up carries no routes, and one
    /// that was started always has something to wait for.
    #[test]
    fn any_order_of_calls_keeps_the_promises(calls in vec((0..9_u8, 0..400_u64), 0..120)) {
        let mut session = session(config(1, false));
        session.start(Instant::ZERO);
        let mut now = Instant::ZERO;
        let mut up = false;
        for (call, millis) in calls {
            now = now + Duration::from_millis(millis);
            match call {
                0 => session.handle_connected(now),
                1 => session.handle_closed(now),
                2 => session.receive(now, &encoded(&peer_open())),
                3 => session.receive(now, &keepalive()),
                4 => session.receive(now, &framed(2, &[0; 4])),
                5 => session.receive(now, &framed(3, &[6, 4])),
                6 => session.reset(now, Notification::cease(CeaseSubcode::AdministrativeReset)),
                7 => now = session.poll_timeout().map_or(now, |deadline| deadline.at.max(now)),
                _ => session.request_refresh(Family::VpnIpv4),
            }
            session.handle_timeout(now);
            for seen in events(&mut session, now) {
                match seen {
                    Seen::Established => up = true,
                    Seen::Down(_) => {
                        prop_assert!(up);
                        up = false;
                    }
                    Seen::Update { .. } | Seen::EndOfRib(_) | Seen::Refresh(_) => prop_assert!(up),
                    Seen::Connect | Seen::Close => {}
                }
            }
            transmitted(&mut session);
            prop_assert_eq!(session.state() == State::Established, up);
            prop_assert_eq!(session.negotiated().is_some(), up);
            prop_assert_eq!(session.not_up_reason().is_none(), up);
            prop_assert!(session.poll_timeout().is_some());
        }
    }
}
