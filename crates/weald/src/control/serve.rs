//! The loop that keeps a network in step with the wall clock and answers requests.
//!
//! Virtual time follows the wall clock: whatever is due is run, and then the thread sleeps until
//! the next event or the next request. A request may run ahead (a ping waits for its answer in
//! virtual time, at once in real time); the network then stands until the wall clock has caught
//! up. A machine that is too slow for the network lags behind; beyond a second the lag is forgiven
//! and virtual time is slower than real time.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant as WallInstant};

use base::Instant;

use crate::answers;
use crate::control::listener::{Asked, Listener};
use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::network::Network;
use crate::output;

/// The shortest sleep: a large region has an event every few microseconds, and nobody who looks at
/// it needs them apart.
const NAP_MIN: Duration = Duration::from_millis(5);
/// The longest sleep, so that events which appear meanwhile are not late by more.
const NAP_MAX: Duration = Duration::from_secs(1);
/// The most virtual time that is run before requests are looked at again.
const SLICE: Duration = Duration::from_millis(100);
/// The lag beyond which the clock is set anew.
const LAG_MAX: Duration = Duration::from_secs(1);

/// Ties virtual time to the wall clock.
#[derive(Debug)]
struct Pace {
    wall: WallInstant,
    at: Instant,
}

impl Pace {
    fn from_now(at: Instant) -> Self {
        Self { wall: WallInstant::now(), at }
    }

    /// What virtual time should be now.
    fn now(&self) -> Instant {
        self.at + self.wall.elapsed()
    }
}

/// Serves until somebody says `down`.
pub(crate) fn serve(network: &mut Network, listener: &Listener) {
    let mut pace = Pace::from_now(network.now());
    let mut breaches = network.breaches().len();
    loop {
        let due = pace.now();
        network.run_until(due.min(network.now() + SLICE));
        network.take_events();
        if due.since(network.now()) > LAG_MAX {
            pace = Pace::from_now(network.now());
        }
        for breach in network.breaches().iter().skip(breaches) {
            output::note(&format!("breach: {breach}"));
        }
        breaches = network.breaches().len();
        match listener.asked.recv_timeout(nap(network, &pace)) {
            Ok(asked) => {
                if answer(network, asked) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// How long nothing is to be done.
fn nap(network: &Network, pace: &Pace) -> Duration {
    let now = pace.now();
    if now > network.now() + SLICE {
        return Duration::ZERO;
    }
    let next = network.next_at().map_or(Instant::MAX, |at| at.max(network.now()));
    next.since(now).clamp(NAP_MIN, NAP_MAX)
}

/// Answers, and says whether that was the last request.
fn answer(network: &mut Network, asked: Asked) -> bool {
    let is_last = asked.request == Request::Down;
    let response: Response = if is_last {
        Answer::new(&serde_json::json!({ "stopped": true }), "stopped").into()
    } else {
        answers::answer(network, &asked.request).into()
    };
    // Who asked may have gone away.
    let _ = asked.reply.send(response);
    is_last
}
