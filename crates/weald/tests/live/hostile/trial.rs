//! One hostile stream on one port, and what it costs everybody else.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::probe::{Figures, Probe};
use crate::daemon::{Daemon, Line};
use crate::region::Region;

/// How long a stream goes on.
const TIME: Duration = Duration::from_secs(1);
/// Between two looks at the router.
const LOOK: Duration = Duration::from_millis(250);
/// What bystanders may notice: no packet lost, one in two there and back within `HALF_WITHIN`, all
/// but one in a hundred within `MOST_WITHIN`, no link and no session down.
///
/// The machine has two processors for the attacker, the routers and the hosts. There and back a
/// packet waits for a processor six times, now and then for two others that have one for a slice of
/// 3 ms each: that is `MOST_WITHIN`. Half of the packets wait for nobody: they take 0.2 ms where
/// nothing else runs, and `HALF_WITHIN` is two slices. A router that needs more than 100 µs for a
/// frame of the stream brings everybody else's packets after a batch of 64 of those, and half of
/// them are late; one that stands still for as long as a computation takes is late with the rest.
const HALF_WITHIN: Duration = Duration::from_millis(6);
const MOST_WITHIN: Duration = Duration::from_millis(36);
/// How often bystanders may notice before it is held against the router: the machine does other
/// things too, and what a router does wrong it does every time.
const ATTEMPTS: usize = 3;
/// A machine on which a thread that only looks at the clock had to wait for so long says nothing of
/// a router: the trial is repeated, and not counted.
const STOOD_STILL: Duration = Duration::from_millis(60);
/// How often that may be, one time after the other.
const REPEATS: usize = 12;
/// For how long a neighbour may be kept out that has gone over its limits: half a minute, and the
/// time until it is heard again. The next trial waits for it.
const KEPT_OUT: Duration = Duration::from_secs(45);
/// How long that thread sleeps.
const NAP: Duration = Duration::from_millis(2);
/// Lines of the log that a stream of this length may cause: each of the few things that can happen
/// to a port and its neighbour is told twenty times.
const LINES_MAX: usize = 150;
const KIB_PER_MIB: u64 = 1_024;
/// Reasons that a row has room for.
const SHOWN: usize = 3;

/// When a stream is to end, and how much it has sent.
pub(crate) struct Stop<'a>(&'a AtomicBool);

impl<'a> Stop<'a> {
    pub(crate) const fn new(over: &'a AtomicBool) -> Self {
        Self(over)
    }

    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which router is attacked on which port, and who suffers with it by right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) router: &'a str,
    pub(crate) port: &'a str,
    /// The router at the far end, whose place the attacker has.
    pub(crate) far: Option<&'a str>,
    /// Whether the port itself is to go through it unharmed.
    pub(crate) spared: bool,
}

/// What is asked of a trial.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Mebibytes that the router may grow by.
    pub(crate) growth_mib: u64,
    /// A reason for which packets are to have been dropped.
    pub(crate) reason: Option<&'a str>,
    /// A kind of event that the router is to tell.
    pub(crate) told: Option<&'a str>,
    /// Whether there is no stream: this is what the others are compared with.
    pub(crate) quiet: bool,
}

/// What a router says of itself.
#[derive(Debug, Clone, Default)]
struct Look {
    up_s: f64,
    resident_kib: u64,
    /// On the port, by reason; what its device did not take, and what the router does not count
    /// by port, among them.
    drops: BTreeMap<String, u64>,
}

impl Look {
    fn at(daemon: &Daemon, port: &str) -> Self {
        let status = daemon.ask("status");
        let is_it = |key: &str, one: &&Value| one.get(key).and_then(Value::as_str) == Some(port);
        let list = |name: &str| status.get(name).and_then(Value::as_array).into_iter().flatten();
        let found = list("ports").find(|one| is_it("name", one));
        let drops = found.and_then(|port| port.get("drops")?.as_object()).into_iter().flatten();
        let mut drops: BTreeMap<String, u64> =
            drops.map(|(reason, count)| (reason.clone(), count.as_u64().unwrap_or(0))).collect();
        let device = list("devices").find(|one| is_it("port", one));
        for (key, name) in [("lost_in", "ring full"), ("refused", "refused by the link")] {
            let count = device.and_then(|device| device.get(key)?.as_u64()).unwrap_or(0);
            drops.insert(name.to_owned(), count);
        }
        // What the router counts for itself alone.
        for list in ["drops", "refusals"] {
            let counts = status.get(list).and_then(Value::as_object).into_iter().flatten();
            for (reason, count) in counts {
                drops.entry(reason.clone()).or_insert(count.as_u64().unwrap_or(0));
            }
        }
        let number = |key: &str| status.get(key).cloned().unwrap_or_default();
        Self {
            up_s: number("up_s").as_f64().expect("seconds"),
            resident_kib: number("resident_kib").as_u64().expect("kibibytes"),
            drops,
        }
    }
}

/// What a trial has shown.
struct Outcome {
    sent: u64,
    /// Each second.
    rate: u64,
    figures: Figures,
    /// Kibibytes before, at most, and after.
    memory: [u64; 3],
    drops: BTreeMap<String, u64>,
    /// Of the router's log.
    lines: Vec<Line>,
    /// Of one processor, in hundredths.
    processor: u64,
    /// The machine, for one thread at least.
    stood_still: Duration,
}

/// Prints what the columns of the rows are.
pub(crate) fn head(title: &str) {
    println!(
        "\n{title}\n{:<26} {:>8}  {:>5} {:>4}  {:>6} {:>6} {:>7}  {:>5}  {:>4}  {:>6} {:>6} {:>6}  {:>5}  dropped",
        "stream",
        "sent/s",
        "probe",
        "lost",
        "p50 ms",
        "p99 ms",
        "max ms",
        "stood",
        "cpu%",
        "KiB",
        "peak",
        "after",
        "lines"
    );
}

fn row(name: &str, outcome: &Outcome) {
    let [before, peak, after] = outcome.memory;
    let mut drops: Vec<_> = outcome.drops.iter().collect();
    drops.sort_by_key(|(_, count)| Reverse(**count));
    let others: u64 =
        drops.split_off(drops.len().min(SHOWN)).iter().map(|(_, count)| **count).sum();
    let mut drops: Vec<_> =
        drops.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    drops.extend((others > 0).then(|| format!("{others} others")));
    println!(
        "{name:<26} {:>8}  {}  {:>5}  {:>4}  {before:>6} {peak:>6} {after:>6}  {:>5}  {}",
        outcome.rate,
        outcome.figures,
        outcome.stood_still.as_millis(),
        outcome.processor,
        outcome.lines.len(),
        drops.join(" · ")
    );
}

/// Sends a stream while the probe runs, and prints and judges what that has cost.
pub(crate) fn trial(
    region: &Region,
    probe: &Probe,
    target: Target<'_>,
    (name, wanted): (&str, Wanted<'_>),
    mut stream: impl FnMut(&Stop<'_>) -> u64 + Send,
) {
    let (mut noticed, mut left, mut heard) = (Vec::new(), REPEATS, Instant::now());
    while left > 0 {
        region.wait_until_well();
        let since = Instant::now();
        let outcome = run(region, probe, target, &mut stream);
        let is_kept_out = outcome.sent == 0 && !wanted.quiet;
        if is_kept_out && heard.elapsed() < KEPT_OUT {
            continue;
        }
        (left, heard) = (left - 1, Instant::now());
        row(name, &outcome);
        if is_kept_out {
            continue;
        }
        outcome.judge(name, wanted);
        let mut found = flaps(region, target, since);
        found.extend(outcome.figures.faults(HALF_WITHIN, MOST_WITHIN));
        if found.is_empty() {
            return;
        }
        if outcome.stood_still < STOOD_STILL {
            noticed.push(found);
        }
        assert!(noticed.len() < ATTEMPTS, "{name}: bystanders notice: {noticed:#?}");
    }
    panic!("{name}: the machine has no time for this: {noticed:#?}");
}

impl Outcome {
    /// Judges what does not depend on what else the machine does.
    fn judge(&self, name: &str, wanted: Wanted<'_>) {
        let [before, peak, after] = self.memory;
        let growth = peak.max(after).saturating_sub(before);
        assert!(growth <= wanted.growth_mib * KIB_PER_MIB, "{name}: memory is bounded");
        assert!(self.lines.len() <= LINES_MAX, "{name}: the log is not flooded");
        if let Some(event) = wanted.told {
            assert!(self.lines.iter().any(|line| line.is(event, &[])), "{name}: {event} is told");
        }
        if let Some(reason) = wanted.reason {
            let found = self.drops.keys().any(|one| one.contains(reason));
            assert!(found, "{name}: `{reason}` is counted: {:?}", self.drops);
        }
    }
}

/// The longest time for which a thread had to wait for a processor, until it is over.
fn longest_wait(over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let asleep = Instant::now();
        thread::park_timeout(NAP);
        longest = longest.max(asleep.elapsed().saturating_sub(NAP));
    }
    longest
}

fn run(
    region: &Region,
    probe: &Probe,
    target: Target<'_>,
    stream: &mut (impl FnMut(&Stop<'_>) -> u64 + Send),
) -> Outcome {
    let daemon = region.router(target.router);
    let (before, lines) = (Look::at(daemon, target.port), daemon.lines().len());
    let process = region.process(target.router);
    let (start, used, over) = (Instant::now(), process.processor(), AtomicBool::new(false));
    let (sent, took, figures, peak, stood_still) = thread::scope(|scope| {
        let attack = scope.spawn(|| stream(&Stop(&over)));
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !over.load(Ordering::Relaxed) {
                peak = peak.max(Look::at(daemon, target.port).resident_kib);
                thread::park_timeout(LOOK);
            }
            peak
        });
        let clock = scope.spawn(|| longest_wait(&over));
        let figures = probe.run(TIME);
        over.store(true, Ordering::Relaxed);
        let sent = attack.join().expect("a stream that ends");
        let took = millis(start.elapsed());
        let peak = watch.join().expect("the router answers");
        (sent, took, figures, peak, clock.join().expect("a thread that ends"))
    });
    let rate = sent * 1_000 / took;
    let processor = millis(process.processor() - used) * 100 / millis(start.elapsed());
    let after = Look::at(daemon, target.port);
    let ran = after.up_s - before.up_s;
    assert!(ran >= start.elapsed().as_secs_f64() - 1.0, "the same process runs: {ran} s");
    let mut drops = after.drops;
    for (reason, count) in before.drops {
        drops.entry(reason).and_modify(|now| *now -= count);
    }
    drops.retain(|_, count| *count > 0);
    Outcome {
        sent,
        rate,
        figures,
        memory: [before.resident_kib, peak, after.resident_kib],
        drops,
        lines: daemon.lines().split_off(lines),
        processor,
        stood_still,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// What happened to links and sessions that have nothing to do with the attacked port.
fn flaps(region: &Region, target: Target<'_>, since: Instant) -> Vec<String> {
    let concerned = |name: &str, line: &Line| {
        if Some(name) == target.far {
            return true;
        }
        let is =
            |key: &str, value: &str| line.fields.get(key).and_then(Value::as_str) == Some(value);
        let far = target.far.unwrap_or_default();
        name == target.router && !target.spared && (is("port", target.port) || is("neighbour", far))
    };
    let mut told = Vec::new();
    for (name, daemon) in region.routers() {
        let lines = daemon.lines().into_iter().filter(|line| line.at >= since);
        let kind = |line: &Line| line.fields.get("event").cloned().unwrap_or_default();
        let flaps = lines.filter(|line| {
            let is_flap = ["adjacency", "session", "bfd"].iter().any(|flap| kind(line) == *flap);
            is_flap && !concerned(name, line)
        });
        told.extend(flaps.map(|line| format!("{name}: {}", line.fields)));
    }
    told
}
