//! BFD with FRR's `bfdd`, at whose end IS-IS asks for the session.

use std::time::{Duration, Instant};

use model::config::{Bfd, PortKind};
use serde_json::Value;

use crate::capture::Capture;
use crate::daemon::{Daemon, interfaces};
use crate::frr::Frr;
use crate::net::Net;
use crate::plan;
use crate::wait::{holds_for, wait_for};

/// How long a session may take to come up: both begin with a packet a second.
const UP: Duration = Duration::from_secs(10);
/// What our end asks for: 100 ms, three times.
const OURS: Bfd = Bfd { interval_ms: 100, multiplier: 3 };
/// What FRR is told: to send every 300 ms and to take a packet every 200 ms, four times.
const PROFILE: &str = "bfd
 profile slow
  transmit-interval 300
  receive-interval 200
  detect-multiplier 4
 exit
exit
";
/// RFC 5880 §6.8.4: its multiplier times the larger of what it sends and what we take.
const OUR_DETECTION: Duration = Duration::from_millis(4 * 300);
/// Our multiplier times the larger of what we send and what it takes.
const ITS_DETECTION: Duration = Duration::from_millis(3 * 200);

/// Our router and FRR with IS-IS and BFD on one link.
struct Pair {
    net: Net,
    daemon: Daemon,
    frr: Frr,
}

/// The link, and our router at one end of it.
fn our_end() -> (Net, Daemon) {
    let net = Net::new(&["r1", "r2"]);
    net.link(("r1", "to-r2"), ("r2", "to-r1"));
    let daemon = start(&net);
    (net, daemon)
}

fn start(net: &Net) -> Daemon {
    let mut config = plan::core(1);
    let mut link = plan::core_link(1, 2, 10);
    if let PortKind::CoreLink { bfd, .. } = &mut link.kind {
        *bfd = OURS;
    }
    config.ports.push(link);
    Daemon::start(net, "r1", &config, &interfaces(&[("to-r2", "to-r2")]))
}

/// FRR's session.
fn peer_of(frr: &Frr) -> Value {
    frr.json("show bfd peers json").get(0).cloned().unwrap_or_default()
}

fn is(frr: &Frr, status: &str) -> Result<(), Value> {
    let peer = peer_of(frr);
    if peer.get("status") == Some(&status.into()) { Ok(()) } else { Err(peer) }
}

impl Pair {
    fn up() -> Self {
        let (net, daemon) = our_end();
        let link = plan::frr_link(2, 1, 10, "isis bfd\n isis bfd profile slow");
        let frr = format!("{PROFILE}{}{link}", plan::frr_isis(2, "", ""));
        let frr = Frr::start(&net, "r2", &["bfdd", "isisd"], &frr);
        let pair = Self { net, daemon, frr };
        pair.wait_until_up();
        pair
    }

    fn wait_until_up(&self) {
        wait_for("bfd", UP, || match self.daemon.bfd("to-r2") {
            (state, None) if state == "up" => Ok(()),
            other => Err(other),
        });
        wait_for("bfd at FRR", UP, || is(&self.frr, "up"));
        wait_for("adjacency", UP, || self.daemon.adjacency("to-r2"));
    }

    /// Packets that FRR has heard.
    fn heard(&self) -> u64 {
        let counters = self.frr.json("show bfd peers counters json");
        let heard = counters.pointer("/0/control-packet-input").and_then(Value::as_u64);
        heard.expect("a count")
    }
}

/// The peers agree on: the three-way handshake, each other's intervals and multiplier (RFC 5880
/// §6.8.1 to §6.8.4), and who sends how often: the slower of what one wants to send and what the
/// other wants to take.
///
/// Can fail: the intervals of the two ends differ in every place, so that any two that are taken
/// for one another show.
#[test]
fn both_ends_use_the_slower_interval_in_each_direction() {
    let pair = Pair::up();
    let _capture = Capture::start(&pair.net, "r2", "to-r1", "bfd-intervals");
    let polled = |peer: &Value| peer["remote-transmit-interval"] == 100;
    let peer = wait_for("end of the poll", UP, || {
        let peer = peer_of(&pair.frr);
        if polled(&peer) { Ok(peer) } else { Err(peer) }
    });
    for (what, value) in [
        ("remote-receive-interval", 100),
        ("remote-transmit-interval", 100),
        ("remote-detect-multiplier", 3),
        ("receive-interval", 200),
        ("transmit-interval", 300),
        ("remote-id", 1),
    ] {
        assert_eq!(peer[what], value, "{what}: {peer:#}");
    }
    let (start, before) = (Instant::now(), pair.heard());
    holds_for("up", Duration::from_secs(3), || is(&pair.frr, "up"));
    let (heard, elapsed) = (pair.heard() - before, start.elapsed());
    // RFC 5880 §6.8.7: every packet comes up to a quarter of the interval early.
    let interval = elapsed.as_millis() / u128::from(heard);
    assert!((145..=205).contains(&interval), "{heard} in {elapsed:?}: one per {interval} ms");
    assert_eq!(pair.daemon.bfd("to-r2"), ("up".to_owned(), None));
}

/// The peers agree on: what `AdminDown` means (RFC 5880 §6.8.16, RFC 5882 §3.2). FRR's
/// administrator takes the session down: both are down, nobody takes it for a failure, and the
/// adjacency stays. Taken up again, it comes up.
///
/// Can fail: [`silence_is_noticed_within_the_detection_time`] has the same session end by a
/// failure, which does end the adjacency.
#[test]
fn a_session_that_is_shut_down_is_no_failure() {
    let pair = Pair::up();
    let _capture = Capture::start(&pair.net, "r2", "to-r1", "bfd-admin-down");
    let shut = Instant::now();
    pair.frr.configure("bfd\n profile slow\n  shutdown\n exit\nexit\n");
    let down = pair.daemon.event(shut, UP, "bfd", &[("state", "down")]);
    assert!(down.is("bfd", &[("reason", "neighbor signaled session down")]), "{down:?}");
    let says_so = || match pair.daemon.bfd("to-r2") {
        (state, Some(why)) if state == "down" && why == "neighbour is administratively down" => {
            pair.daemon.adjacency("to-r2").map(drop).map_err(|why| ("adjacency".to_owned(), why))
        }
        other => Err(other),
    };
    let peer = peer_of(&pair.frr);
    assert_eq!(peer["status"], "shutdown", "{peer:#}");
    // Longer than hellos may stay away, so the adjacency is not only left over; and FRR says once
    // that it is shut, and then nothing.
    holds_for("adjacent, and known why", Duration::from_secs(5), says_so);
    let lines = pair.daemon.lines();
    let lost = lines.iter().find(|line| line.is("adjacency", &[("up", "false")]));
    assert!(lost.is_none(), "{lost:?}");
    pair.frr.configure("bfd\n profile slow\n  no shutdown\n exit\nexit\n");
    pair.wait_until_up();
}

/// The peers agree on: how long silence may last. `bfdd` ends from one moment to the next; we
/// notice after the detection time, not before and hardly later, and end the adjacency.
///
/// Can fail: the bounds are narrower than the difference to every other product of the
/// intervals and multipliers in play but FRR's own.
#[test]
fn silence_is_noticed_within_the_detection_time() {
    let mut pair = Pair::up();
    let _capture = Capture::start(&pair.net, "r2", "to-r1", "bfd-silence");
    let killed = Instant::now();
    pair.frr.kill("bfdd");
    let down = pair.daemon.event(killed, UP, "bfd", &[("state", "down")]);
    assert!(down.is("bfd", &[("reason", "control detection time expired")]), "{down:?}");
    let taken = down.at - killed;
    // The last packet came up to one interval before the end.
    let early = OUR_DETECTION - Duration::from_millis(310);
    let late = OUR_DETECTION + Duration::from_millis(200);
    assert!((early..late).contains(&taken), "noticed after {taken:?}");
    let lost = pair.daemon.event(killed, UP, "adjacency", &[("up", "false")]);
    assert!(lost.is("adjacency", &[("reason", "BFD is down")]), "{lost:?}");
    assert!(lost.at - down.at < Duration::from_millis(50), "{lost:?}");
}

/// The peers agree on: how long our silence may last. Our router ends as by a fault; FRR notices
/// within the detection time, and says that this was why. Started again, with another session
/// beside what FRR remembers of the first, it is up again.
///
/// Can fail: the bounds are narrower than the difference to other products of intervals and
/// multipliers, and FRR shows another reason for every other end of a session.
#[test]
fn our_end_is_noticed_within_the_detection_time() {
    let (net, mut daemon) = our_end();
    let peer = "interface to-r1\n ip address 10.1.2.2/24\nexit
bfd\n peer 10.1.2.1 interface to-r1\n  profile slow\n exit\nexit\n";
    let frr = Frr::start(&net, "r2", &["bfdd"], &format!("{PROFILE}{peer}"));
    wait_for("bfd at FRR", UP, || is(&frr, "up"));
    wait_for("slower packets", UP, || {
        let peer = peer_of(&frr);
        if peer["remote-transmit-interval"] == 100 { Ok(()) } else { Err(peer) }
    });
    let _capture = Capture::start(&net, "r2", "to-r1", "bfd-our-end");
    let killed = Instant::now();
    daemon.kill();
    wait_for("failure at FRR", UP, || is(&frr, "down"));
    let taken = killed.elapsed();
    let early = ITS_DETECTION - Duration::from_millis(210);
    let late = ITS_DETECTION + Duration::from_millis(400);
    assert!((early..late).contains(&taken), "noticed after {taken:?}");
    let peer = peer_of(&frr);
    assert_eq!(peer["diagnostic"], "control detection time expired", "{peer:#}");
    let daemon = start(&net);
    wait_for("bfd at FRR", UP, || is(&frr, "up"));
    assert_eq!(daemon.bfd("to-r2").0, "up");
}
