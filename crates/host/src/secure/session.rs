//! Whether there is a session with the peer, and when to ask for the next.
//!
//! The library renews a session only where data flows, gives up when nobody answers, and, where
//! both ends let a session run out, has both ask at once. A link of a network is to be there
//! whether or not somebody talks on it, so the asking is decided here: at once where there is no
//! session, and in good time before one ends. An end that answered the last handshake asks later
//! than the one that began it, so that one of the two asks.
//!
//! A session that we answered for counts from the moment the peer uses it: until then the peer
//! may not have our answer, or may be a recording of the peer. More answers do not put off the
//! asking either.
//!
//! Standards: WireGuard (J. Donenfeld, NDSS 2017) §6.1 and §6.2 (timers).
//! Not implemented: jitter between attempts, which the library spaces by five seconds.

use std::time::{Duration, Instant};

use super::slots::Slots;

/// REKEY-AFTER-TIME: the end that began the last handshake begins the next after it.
const REKEY_AFTER: Duration = Duration::from_secs(120);
/// REJECT-AFTER-TIME: no session is used for longer.
const REJECT_AFTER: Duration = Duration::from_secs(180);
/// When the end that answered begins the next handshake itself: three attempts before the end.
const REKEY_AFTER_ANSWERED: Duration = Duration::from_secs(165);
/// REKEY-TIMEOUT: for how long the peer may take to use what we answered before we ask ourselves.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

/// Who began a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Here,
    There,
}

/// An answer of ours to a handshake, until the peer uses the session.
#[derive(Debug, Clone, Copy)]
struct Answer {
    index: u32,
    /// When the first was given of those that the peer has done nothing about.
    since: Instant,
}

/// What is known of the session with the peer.
#[derive(Debug, Default)]
pub(super) struct Session {
    usable: bool,
    last: Option<(Instant, Begun)>,
    answer: Option<Answer>,
    slots: Slots,
}

impl Session {
    /// The library has read the clock.
    pub(super) const fn ticked(&mut self) {
        self.slots.ticked();
    }

    /// The library wrote this message.
    pub(super) fn wrote(&mut self, message: &[u8]) {
        self.slots.wrote(message);
    }

    /// We answered the peer's handshake; the session is to have this index.
    pub(super) fn answered(&mut self, index: u32, now: Instant) {
        self.slots.made(index);
        let last = self.last_handshake();
        let waits = self.answer.filter(|answer| last.is_none_or(|last| last < answer.since));
        self.answer = Some(Answer { index, since: waits.map_or(now, |answer| answer.since) });
    }

    /// The peer answered our handshake; the session has this index.
    pub(super) fn completed(&mut self, index: u32, now: Instant) {
        self.slots.made(index);
        self.slots.used(index);
        self.usable = true;
        self.last = Some((now, Begun::Here));
    }

    /// The peer used the session of this index.
    pub(super) fn heard(&mut self, index: u32, now: Instant) {
        self.slots.used(index);
        self.usable = true;
        if self.last.is_none() || self.answer.is_some_and(|answer| answer.index == index) {
            self.last = Some((now, Begun::There));
            self.answer = None;
        }
    }

    /// No session is left.
    pub(super) const fn ended(&mut self) {
        self.usable = false;
    }

    /// Whether frames can be sealed.
    pub(super) const fn is_usable(&self) -> bool {
        self.usable
    }

    /// Whether answering a handshake would cost us the session that we use.
    pub(super) const fn is_next_in_use(&self) -> bool {
        self.usable && self.slots.is_next_in_use()
    }

    /// Whether the peer is there, as far as we can tell.
    pub(super) fn is_up(&self, now: Instant) -> bool {
        self.usable && self.age(now).is_some_and(|(age, _)| age < REJECT_AFTER)
    }

    /// Whether it is on us to begin a handshake.
    pub(super) fn wants_handshake(&self, now: Instant) -> bool {
        let fresh = |answer: Answer| now.saturating_duration_since(answer.since) < CONFIRM_WITHIN;
        if self.answer.is_some_and(fresh) {
            return false;
        }
        match self.age(now) {
            Some((age, Begun::Here)) if self.usable => age >= REKEY_AFTER,
            Some((age, Begun::There)) if self.usable => age >= REKEY_AFTER_ANSWERED,
            Some(_) | None => true,
        }
    }

    /// When the last handshake was completed.
    pub(super) fn last_handshake(&self) -> Option<Instant> {
        self.last.map(|(at, _)| at)
    }

    fn age(&self, now: Instant) -> Option<(Duration, Begun)> {
        self.last.map(|(at, begun)| (now.saturating_duration_since(at), begun))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Session;

    fn second(start: Instant, second: u64) -> Instant {
        start + Duration::from_secs(second)
    }

    #[test]
    fn there_is_something_to_ask_for_until_the_peer_answers() {
        let start = Instant::now();
        let mut session = Session::default();
        assert!(session.wants_handshake(start) && !session.is_up(start));
        session.completed(1, second(start, 3));
        assert!(session.is_up(second(start, 3)) && session.is_usable());
        assert!(!session.wants_handshake(second(start, 122)));
        assert!(session.wants_handshake(second(start, 123)));
    }

    #[test]
    fn answered_session_counts_when_the_peer_uses_it() {
        let start = Instant::now();
        let mut session = Session::default();
        session.answered(7, start);
        assert!(!session.is_up(start) && !session.is_usable());
        assert!(!session.wants_handshake(second(start, 4)), "the peer is to use it first");
        assert!(session.wants_handshake(second(start, 5)), "the answer was lost");
        session.heard(7, second(start, 1));
        assert!(session.is_up(second(start, 1)));
        assert_eq!(session.last_handshake(), Some(second(start, 1)));
    }

    #[test]
    fn answers_that_nobody_uses_do_not_put_off_the_asking() {
        let start = Instant::now();
        let mut session = Session::default();
        for at in [0, 4] {
            session.answered(1, second(start, at));
        }
        assert!(session.wants_handshake(second(start, 5)));
        session.completed(2, second(start, 6));
        session.answered(3, second(start, 125));
        assert!(!session.wants_handshake(second(start, 126)), "the peer may be renewing");
        session.answered(4, second(start, 129));
        assert!(session.wants_handshake(second(start, 130)));
    }

    #[test]
    fn end_that_answered_leaves_the_renewal_to_the_other_at_first() {
        let start = Instant::now();
        let mut session = Session::default();
        session.answered(7, start);
        session.heard(7, start);
        assert!(!session.wants_handshake(second(start, 164)));
        assert!(session.wants_handshake(second(start, 165)));
    }

    #[test]
    fn packets_of_an_older_session_do_not_renew() {
        let start = Instant::now();
        let mut session = Session::default();
        session.completed(1, start);
        session.heard(1, second(start, 100));
        assert_eq!(session.last_handshake(), Some(start));
        session.answered(8, second(start, 110));
        session.heard(1, second(start, 111));
        assert_eq!(session.last_handshake(), Some(start));
        session.heard(8, second(start, 112));
        assert_eq!(session.last_handshake(), Some(second(start, 112)));
    }

    #[test]
    fn link_is_down_three_minutes_after_the_last_handshake_and_when_the_session_ends() {
        let start = Instant::now();
        let mut session = Session::default();
        session.completed(1, start);
        assert!(session.is_up(second(start, 179)));
        assert!(!session.is_up(second(start, 180)));
        session.ended();
        assert!(!session.is_up(second(start, 1)) && session.wants_handshake(second(start, 1)));
    }
}
