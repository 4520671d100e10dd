//! Pings and traces that are under way.
//!
//! Who asks for one is answered when it has ended; meanwhile the loop goes on. A ping sends at a
//! steady pace, whether answers come or not. A trace walks twice at once: with the time to live of
//! the labels growing it sees the core, with the packet's own growing it sees who looks at that,
//! which is the edge, and every router where there are no labels. A few steps are tried at once, so
//! that silence does not take long.

use core::net::IpAddr;
use std::sync::mpsc::Sender;

use base::{Duration, Instant};
use host::Driver;
use model::config::{Role, RouterConfig};
use router::Router;
use router::probes::{Outcome, Probe, ProbeId, Realm};

use crate::control::listener::{Asked, CONNECTIONS_MAX};
use crate::control::request::{self, COUNT_MAX, Request};
use crate::control::response::{Answer, Response};
use crate::daemon::answer::own_name;
use crate::daemon::probed::{Pinged, Traced, Way, is_end};
use crate::failure::Failure;

/// Between two packets of a ping.
const INTERVAL: Duration = Duration::from_millis(200);
/// What a packet carries, as that of `ping` does.
const PAYLOAD_LEN: u16 = 56;
/// Farther than any host is.
const TTL: u8 = 64;
/// The time to live of labels that hide the core.
const LABEL_TTL: u8 = 255;
/// Steps of a trace: more than any region has routers in a row.
const STEPS_MAX: usize = 30;
/// Steps that are tried at once: a whole small region, and few enough for the rate at which routers
/// send errors.
const STEPS_AT_ONCE: usize = 5;
/// Silent steps in a row after which nobody further is asked.
const SILENT_MAX: usize = 3;
/// Pings and traces at one time: few enough for the router's own limit of probes.
const UNDER_WAY_MAX: usize = 4;
const _: () = assert!(UNDER_WAY_MAX < CONNECTIONS_MAX, "others are answered meanwhile");

/// Everything that is under way.
#[derive(Debug, Default)]
pub(crate) struct Probing {
    under_way: Vec<UnderWay>,
}

/// A ping or a trace, and who wants to know.
#[derive(Debug)]
struct UnderWay {
    reply: Sender<Response>,
    realm: Realm,
    way: Way,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Ping(Ping),
    Trace([Walk; 2]),
}

/// A probe that was sent, and what became of it.
#[derive(Debug)]
struct Sent {
    id: ProbeId,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Ping {
    count: usize,
    sent: Vec<Sent>,
    /// When the next one is to be sent.
    next: Instant,
}

/// Which time to live grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growing {
    Labels,
    Packet,
}

#[derive(Debug)]
struct Walk {
    growing: Growing,
    sent: Vec<Sent>,
}

impl Probing {
    /// Begins what is asked for, or says at once why not.
    pub(crate) fn begin(&mut self, router: &Router, asked: Asked) {
        let Asked { request, reply } = asked;
        let begun = if self.under_way.len() < UNDER_WAY_MAX {
            begun(router, &request)
        } else {
            Err(Failure::network("too many pings and traces are under way")
                .hint("ask again in a moment"))
        };
        match begun {
            Ok((realm, way, work)) => self.under_way.push(UnderWay { reply, realm, way, work }),
            Err(failure) => {
                // Who asked may have gone away.
                let _ = reply.send(Response::Error(failure.into()));
            }
        }
    }

    /// Takes in what came back, sends what is due, and answers what has ended; says when something
    /// is due next.
    pub(crate) fn round(&mut self, driver: &mut Driver) -> Option<Instant> {
        if self.under_way.is_empty() {
            return None;
        }
        driver.with(|router, now| self.turn(router, now))
    }

    fn turn(&mut self, router: &mut Router, now: Instant) -> Option<Instant> {
        let mut ended = router.take_probes();
        loop {
            let next = self.advance(router, now, &ended);
            // What is not sent has ended at once.
            ended = router.take_probes();
            if ended.is_empty() {
                return next;
            }
        }
    }

    fn advance(
        &mut self,
        router: &mut Router,
        now: Instant,
        ended: &[(ProbeId, Outcome)],
    ) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        self.under_way.retain_mut(|one| {
            let response = match one.advance(router, now, ended) {
                Ok(Progress::Goes(due)) => {
                    next = next.into_iter().chain(due).min();
                    return true;
                }
                Ok(Progress::Ended(answer)) => answer.into(),
                Err(failure) => Response::Error(failure.into()),
            };
            // As above.
            let _ = one.reply.send(response);
            false
        });
        next
    }
}

/// How far something has come.
enum Progress {
    /// It goes on; by itself at this time.
    Goes(Option<Instant>),
    Ended(Answer),
}

impl UnderWay {
    fn advance(
        &mut self,
        router: &mut Router,
        now: Instant,
        ended: &[(ProbeId, Outcome)],
    ) -> Result<Progress, Failure> {
        let probe = Probe {
            realm: self.realm,
            destination: self.way.destination,
            ttl: TTL,
            label_ttl: LABEL_TTL,
            payload_len: PAYLOAD_LEN,
        };
        match &mut self.work {
            Work::Ping(ping) => {
                hear(&mut ping.sent, ended);
                ping.send_due(router, now, probe)?;
                if ping.sent.len() < ping.count {
                    return Ok(Progress::Goes(Some(ping.next)));
                }
                let Some(outcomes) = outcomes(&ping.sent) else { return Ok(Progress::Goes(None)) };
                let pinged = Pinged::new(self.way.clone(), &outcomes);
                let text = pinged.text(&self.way.words());
                Ok(Progress::Ended(Answer::new(&pinged, text).judged(pinged.is_good())))
            }
            Work::Trace([by_labels, by_packet]) => {
                for walk in [&mut *by_labels, &mut *by_packet] {
                    hear(&mut walk.sent, ended);
                    walk.send_due(router, now, probe)?;
                }
                let (Some(labels), Some(packet)) = (by_labels.seen(), by_packet.seen()) else {
                    return Ok(Progress::Goes(None));
                };
                let traced = Traced::new(self.way.clone(), &labels, &packet);
                let text = traced.text(&self.way.words());
                Ok(Progress::Ended(Answer::new(&traced, text).judged(traced.is_good())))
            }
        }
    }
}

fn hear(sent: &mut [Sent], ended: &[(ProbeId, Outcome)]) {
    for (id, outcome) in ended {
        if let Some(one) = sent.iter_mut().find(|one| one.id == *id) {
            one.outcome = Some(outcome.clone());
        }
    }
}

/// What became of all; none while one is on its way.
fn outcomes(sent: &[Sent]) -> Option<Vec<Outcome>> {
    sent.iter().map(|one| one.outcome.clone()).collect()
}

fn send(router: &mut Router, now: Instant, probe: Probe) -> Result<Sent, Failure> {
    let id = router.start_probe(now, probe);
    let id = id.map_err(|error| Failure::network(format!("nothing can be sent: {error}")))?;
    Ok(Sent { id, outcome: None })
}

impl Ping {
    fn send_due(&mut self, router: &mut Router, now: Instant, probe: Probe) -> Result<(), Failure> {
        if self.sent.len() < self.count && self.next <= now {
            self.sent.push(send(router, now, probe)?);
            self.next = now + INTERVAL;
        }
        Ok(())
    }
}

impl Walk {
    const fn new(growing: Growing) -> Self {
        Self { growing, sent: Vec::new() }
    }

    /// Sends the next few, once it is known what became of those before.
    fn send_due(&mut self, router: &mut Router, now: Instant, probe: Probe) -> Result<(), Failure> {
        let Some(outcomes) = outcomes(&self.sent) else { return Ok(()) };
        if is_over(&outcomes) {
            return Ok(());
        }
        for step in (outcomes.len() + 1..=STEPS_MAX).take(STEPS_AT_ONCE) {
            let grown = u8::try_from(step).unwrap_or(TTL);
            let probe = match self.growing {
                Growing::Labels => Probe { label_ttl: grown, ..probe },
                Growing::Packet => Probe { ttl: grown, ..probe },
            };
            self.sent.push(send(router, now, probe)?);
        }
        Ok(())
    }

    /// What was seen, up to the end; none while nobody knows.
    fn seen(&self) -> Option<Vec<Outcome>> {
        let mut outcomes = outcomes(&self.sent).filter(|outcomes| is_over(outcomes))?;
        if let Some(end) = outcomes.iter().position(is_end) {
            outcomes.truncate(end + 1);
        }
        Some(outcomes)
    }
}

/// Whether nobody further is asked.
fn is_over(outcomes: &[Outcome]) -> bool {
    let is_silent = |outcome: &Outcome| *outcome == Outcome::TimedOut;
    outcomes.len() >= STEPS_MAX
        || outcomes.iter().any(is_end)
        || outcomes.windows(SILENT_MAX).any(|some| some.iter().all(is_silent))
}

/// What is to be done for a request.
fn begun(router: &Router, request: &Request) -> Result<(Realm, Way, Work), Failure> {
    match request {
        Request::Ping(request::Ping { probe, count }) => {
            let (realm, way) = way(router, probe)?;
            let allowed = (1..=COUNT_MAX).contains(&i64::from(*count));
            let count = usize::try_from(*count).ok().filter(|_| allowed).ok_or_else(|| {
                Failure::input(format!("`count` is {count}"))
                    .hint(format!("1 to {COUNT_MAX} packets can be sent"))
            })?;
            let ping = Ping { count, sent: Vec::new(), next: Instant::ZERO };
            Ok((realm, way, Work::Ping(ping)))
        }
        Request::Trace(request::Trace { probe }) => {
            let (realm, way) = way(router, probe)?;
            let walks = [Growing::Labels, Growing::Packet].map(Walk::new);
            Ok((realm, way, Work::Trace(walks)))
        }
        Request::Status(_)
        | Request::Show(_)
        | Request::Cut(_)
        | Request::Mend(_)
        | Request::Lan(_)
        | Request::Metrics
        | Request::Down => Err(Failure::input("nothing is to be sent for that")),
    }
}

/// From where to where, and in which table.
fn way(router: &Router, asked: &request::Probe) -> Result<(Realm, Way), Failure> {
    let config = router.config();
    let from = own_name(config, &asked.from)?.to_owned();
    if asked.port.is_some() {
        return Err(Failure::input("a router sends echo requests, and none to a port")
            .hint("in a lab, run the real thing: `weald shell G1 -- curl https://10.1.0.10/`"));
    }
    let destination: IpAddr = asked.to.parse().map_err(|_| {
        Failure::input(format!("`{}` is no address", asked.to))
            .hint("one router does not know of sites and applications; `weald lab` does")
    })?;
    if asked.v6 && destination.is_ipv4() {
        return Err(Failure::input(format!("`{destination}` is no IPv6 address")));
    }
    let (realm, network) = realm(config, asked.network.as_deref())?;
    let source = router
        .probe_address(realm, destination)
        .map_err(|error| Failure::network(format!("nothing can be sent: {error}")))?;
    let (to, application, refusal) = (None, None, None);
    Ok((realm, Way { from, to, application, network, source, destination, refusal }))
}

/// The VRF that is meant: the one of that name or of that virtual network, else a site router's only
/// one, else none.
fn realm(config: &RouterConfig, name: Option<&str>) -> Result<(Realm, Option<String>), Failure> {
    let listed = || {
        let names: Vec<_> = config.vrfs.iter().map(|vrf| vrf.name.as_str()).collect();
        names.join(", ")
    };
    let found = match (name, config.role, config.vrfs.as_slice()) {
        (Some(name), _, _) => {
            let of_name = config.vrfs().find(|(_, vrf)| vrf.name == name);
            let found = of_name.or_else(|| config.vrfs().find(|(_, v)| v.virtual_network == name));
            Some(found.ok_or_else(|| {
                let failure = Failure::network(format!("`{}` is not in `{name}`", config.name));
                if config.vrfs.is_empty() {
                    failure
                } else {
                    failure.hint(format!("it is in {}", listed()))
                }
            })?)
        }
        (None, Role::Site, [_]) => config.vrfs().next(),
        (None, Role::Site, [_, _, ..]) => {
            return Err(Failure::input(format!("`{}` is in several", config.name))
                .hint(format!("choose one with `--network`: {}", listed())));
        }
        (None, Role::Core, _) | (None, Role::Site, []) => None,
    };
    Ok(found.map_or((Realm::Global, None), |(id, vrf)| {
        (Realm::Vrf(id), Some(vrf.virtual_network.clone()))
    }))
}

#[cfg(test)]
mod tests {
    use super::{Probing, STEPS_AT_ONCE, is_over, realm};
    use crate::control::listener::Asked;
    use crate::control::request::{Ping, Probe, Request, Service, Trace};
    use crate::control::response::{Answer, Response};
    use crate::daemon::config;
    use base::{Duration, Instant};
    use router::probes::{DropReason, Heard, Outcome, Realm, TIMEOUT};
    use router::{Input, Router};
    use std::net::IpAddr;
    use std::sync::mpsc::{self, Receiver};

    /// A router without links, with its LANs up.
    fn alone(name: &str) -> Router {
        let config = config(name);
        let lans: Vec<_> = config.ports().map(|(id, _)| id).collect();
        let mut router = Router::new(Instant::ZERO, 1, config).unwrap();
        for port in lans {
            router.handle_input(Instant::ZERO, Input::Port { port, up: true });
        }
        router
    }

    fn probe(from: &str, to: &str) -> Probe {
        let (from, to) = (from.to_owned(), to.to_owned());
        Probe { from, to, network: None, v6: false, port: None }
    }

    fn begin(probing: &mut Probing, router: &Router, request: Request) -> Receiver<Response> {
        let (reply, answer) = mpsc::channel();
        probing.begin(router, Asked { request, reply });
        answer
    }

    /// Lets time pass until there is an answer; how long it took.
    fn answered(
        probing: &mut Probing,
        router: &mut Router,
        answer: &Receiver<Response>,
    ) -> (Duration, Answer) {
        let mut now = Instant::ZERO;
        loop {
            router.handle_timeout(now);
            while router.poll_output().is_some() {}
            probing.turn(router, now);
            match answer.try_recv() {
                Ok(Response::Answer(answer)) => return (now - Instant::ZERO, answer),
                Ok(Response::Error(refusal)) => panic!("{refusal:?}"),
                Err(_) => now = now + Duration::from_millis(10),
            }
            assert!(now < Instant::ZERO + Duration::from_secs(60), "it never ends");
        }
    }

    #[test]
    fn a_ping_that_nobody_answers_ends_after_its_last_packet_has_timed_out() {
        let (mut probing, mut router) = (Probing::default(), alone("site-h1"));
        let ping = Ping { probe: probe("site-h1", "10.1.0.77"), count: 3 };
        let answer = begin(&mut probing, &router, Request::Ping(ping));
        let (took, answer) = answered(&mut probing, &mut router, &answer);
        assert_eq!(took, Duration::from_millis(400) + TIMEOUT);
        assert!(!answer.good);
        let first = "site-h1 10.1.0.1 to 10.1.0.77, icmp echo, in `hospitals`\n  1  not answered\n";
        assert!(answer.text.starts_with(first), "{}", answer.text);
        assert!(answer.text.ends_with("0 of 3 answered\n"), "{}", answer.text);
    }

    #[test]
    fn a_trace_through_silence_ends_after_its_first_steps() {
        let (mut probing, mut router) = (Probing::default(), alone("site-h1"));
        let trace = || Request::Trace(Trace { probe: probe("site-h1", "10.1.0.77") });
        let answer = begin(&mut probing, &router, trace());
        let (took, answer) = answered(&mut probing, &mut router, &answer);
        assert_eq!(took, TIMEOUT);
        assert!(!answer.good && answer.text.ends_with("\nnot answered\n"), "{}", answer.text);
    }

    #[test]
    fn what_is_not_sent_is_said_at_once() {
        let (mut probing, mut router) = (Probing::default(), alone("site-h1"));
        let trace = Trace { probe: probe("site-h1", "10.1.1.20") };
        let answer = begin(&mut probing, &router, Request::Trace(trace));
        let (took, answer) = answered(&mut probing, &mut router, &answer);
        assert_eq!(took, Duration::ZERO);
        assert!(!answer.good && answer.text.contains("\nnot sent: no route"), "{}", answer.text);
    }

    #[test]
    fn what_a_router_cannot_probe_is_refused_with_a_hint() {
        let mut probing = Probing::default();
        let router = alone("site-h1");
        let good = probe("site-h1", "10.1.1.1");
        let network = |name: &str| Some(name.to_owned());
        let port = Some(Service { protocol: 6, port: 443 });
        for (probe, words) in [
            (probe("site-h2", "10.1.1.1"), "this router is `site-h1`"),
            (probe("site-h1", "records"), "`records` is no address"),
            (Probe { network: network("practices"), ..good.clone() }, "not in `practices`"),
            (Probe { port, ..good.clone() }, "none to a port"),
            (Probe { v6: true, ..good.clone() }, "no IPv6 address"),
            (probe("site-h1", "255.255.255.255"), "not one host"),
        ] {
            let answer = begin(&mut probing, &router, Request::Trace(Trace { probe }));
            let Ok(Response::Error(refusal)) = answer.try_recv() else { panic!("{words}") };
            assert!(refusal.message.contains(words), "{refusal:?}");
        }
        for number in 0..5 {
            let ping = Request::Ping(Ping { probe: good.clone(), count: 1 });
            let answer = begin(&mut probing, &router, ping);
            assert_eq!(answer.try_recv().is_ok(), number >= 4, "{number}");
        }
    }

    #[test]
    fn a_site_router_probes_its_only_network_and_a_core_router_the_region() {
        let (mut site, core) = (config("site-h1"), config("lewes-1"));
        assert_eq!(realm(&core, None), Ok((Realm::Global, None)));
        assert!(realm(&core, Some("hospitals")).is_err());
        let hospitals = || Some("hospitals".to_owned());
        assert_eq!(realm(&site, None).unwrap().1, hospitals());
        assert_eq!(realm(&site, Some("hospitals")).unwrap().1, hospitals());
        let mut other = site.vrfs.first().unwrap().clone();
        "other".clone_into(&mut other.name);
        "other".clone_into(&mut other.virtual_network);
        site.vrfs.push(other);
        let failure = realm(&site, None).unwrap_err();
        assert!(failure.hint.unwrap().ends_with("hospitals, other"));
        assert_eq!(realm(&site, Some("other")).unwrap().1, Some("other".to_owned()));
    }

    #[test]
    fn a_walk_is_over_at_its_end_or_in_silence() {
        let heard = Heard {
            from: IpAddr::from([10, 0, 0, 1]),
            at: Instant::ZERO,
            rtt: Duration::from_millis(1),
        };
        let (silent, seen) = (Outcome::TimedOut, Outcome::Expired(heard, Vec::new()));
        let not_over = [silent.clone(), silent.clone(), seen.clone(), silent.clone(), seen];
        assert!(!is_over(&not_over) && not_over.len() == STEPS_AT_ONCE);
        assert!(is_over(&[silent.clone(), silent.clone(), silent]));
        assert!(is_over(&[Outcome::Reply(heard)]));
        assert!(is_over(&[Outcome::NotSent(DropReason::NoRoute)]));
    }
}
