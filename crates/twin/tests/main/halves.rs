//! One network in two twins: routers that are absent from one run in the other.

#![expect(
    clippy::indexing_slicing,
    reason = "a plan without routers or attachments fails the test"
)]

use std::collections::BTreeSet;

use crate::outside::{RealHost, STEP, lan};
use crate::region::{converged, plan};
use base::Duration;
use model::plan::Plan;
use packet::{ip, udp};
use twin::fault::Fault;
use twin::probe::Flow;
use twin::{LinkState, Outside, Twin};

/// Two partial twins, and the links between them.
struct Halves {
    twins: [Twin; 2],
    links: Vec<usize>,
}

impl Halves {
    /// The network of a plan, with the routers for which `first` holds in one twin, and the others
    /// in the other.
    fn new(plan: &Plan, first: impl Fn(&str) -> bool) -> Self {
        let names = || plan.routers.iter().map(|router| router.name.clone());
        let (here, there): (BTreeSet<String>, BTreeSet<String>) =
            names().partition(|name| first(name));
        let half = |absent| match Twin::partial(plan.clone(), 1, absent) {
            Ok(twin) => twin,
            Err(errors) => panic!("{errors}"),
        };
        let twins = [half(&there), half(&here)];
        let links: Vec<usize> = twins[0].outside_links().collect();
        assert!(links.iter().copied().eq(twins[1].outside_links()) && !links.is_empty());
        Self { twins, links }
    }

    fn set_carrier(&mut self, up: bool) {
        for twin in &mut self.twins {
            for &link in &self.links {
                twin.set_outside_carrier(Outside::Link(link), up);
            }
        }
    }

    /// One step of time: what one half sent in the last step comes in at the other.
    fn step(&mut self) {
        let now = self.twins[0].now() + STEP;
        let [a, b] = &mut self.twins;
        let (to_b, to_a) = (a.take_outside(), b.take_outside());
        for (twin, frames) in [(a, to_a), (b, to_b)] {
            for (outside, frame) in frames {
                assert!(matches!(outside, Outside::Link(_)));
                twin.handle_outside(now, outside, &frame);
            }
            twin.run_until(now);
        }
    }

    fn run_for(&mut self, duration: Duration) {
        let end = self.twins[0].now() + duration;
        while self.twins[0].now() < end {
            self.step();
        }
    }

    fn converge(&mut self) {
        let within = self.twins[0].now() + Duration::from_secs(60);
        while !self.twins.iter().all(|twin| twin.progress().converged()) {
            let progress = self.twins.each_ref().map(Twin::progress);
            assert!(self.twins[0].now() < within, "{progress:#?}");
            self.run_for(Duration::from_millis(50));
        }
    }

    /// Whether an echo request from a LAN of one half to a LAN of the other is answered.
    fn pings(&mut self, from_half: usize, from: usize, to: usize, v6: bool) -> bool {
        let twin = &mut self.twins[from_half];
        let host = |lan| twin.host(lan, v6).expect("both families are everywhere");
        let flow = Flow {
            source: host(from),
            destination: host(to),
            protocol: if v6 { 58 } else { 1 },
            source_port: 0,
            destination_port: 0,
        };
        let number = twin.send_probe(from, flow, twin.now());
        self.run_for(Duration::from_millis(100));
        let state = self.twins[from_half].probe(number).and_then(|state| state.answered);
        state.is_some_and(|(refused, _)| !refused)
    }

    /// The half that runs a LAN's site router.
    fn half_of(&self, lan: usize) -> usize {
        let router = &self.twins[0].plan().attachments[lan].router;
        usize::from(self.twins[0].router(router).is_none())
    }

    /// How many pings between every two LANs in different halves were answered: all in one virtual
    /// network, and none into another one, unless its addresses are also in the sender's own.
    fn ping_across(&mut self) -> usize {
        let lans = self.twins[0].plan().attachments.clone();
        let mut answered = 0;
        let pairs = (0..lans.len()).flat_map(|from| (0..lans.len()).map(move |to| (from, to)));
        for (from, to) in pairs {
            let half = self.half_of(from);
            if half == self.half_of(to) {
                continue;
            }
            for v6 in [false, true] {
                let address = self.twins[half].host(to, v6).expect("both families are everywhere");
                let own = lans.iter().any(|lan| {
                    lan.virtual_network == lans[from].virtual_network
                        && lan.prefixes.iter().any(|prefix| prefix.contains(address))
                });
                assert_eq!(self.pings(half, from, to, v6), own, "{from} to {to}");
                answered += usize::from(own);
            }
        }
        answered
    }
}

/// Everything that routers of the plan learned: their VRF routes, by name.
fn routes<'a>(plan: &Plan, find: impl Fn(&str) -> Option<&'a router::Router>) -> Vec<String> {
    let routers = plan.routers.iter();
    let routes = routers.flat_map(|config| {
        let router = find(&config.name).expect("it runs");
        let routes = router.vrf_routes(None);
        let prefix = |route: &model::view::VrfRouteView| format!("{} {}", route.vrf, route.prefix);
        routes.iter().map(|route| format!("{} {}", config.name, prefix(route))).collect::<Vec<_>>()
    });
    routes.collect()
}

/// Two partial twins joined by their links are the network that one whole twin is.
fn are_one_network(example: &str, first: impl Fn(&str) -> bool) -> Halves {
    let plan = plan(example);
    let mut halves = Halves::new(&plan, first);
    halves.set_carrier(true);
    halves.converge();
    let whole = converged(plan.clone(), 1);
    let (expected, found) = (whole.progress(), halves.twins.each_ref().map(Twin::progress));
    let sum = |count: fn(&twin::Progress) -> usize| found.iter().map(count).sum::<usize>();
    assert_eq!(sum(|half| half.routers.1), expected.routers.1);
    assert_eq!(sum(|half| half.adjacencies.0), expected.adjacencies.0);
    assert_eq!(sum(|half| half.sessions.0), expected.sessions.0);
    assert_eq!(sum(|half| half.sizes.vrf_routes), expected.sizes.vrf_routes);
    assert_eq!(sum(|half| half.sizes.global_routes), expected.sizes.global_routes);
    let found = routes(&plan, |name| halves.twins.iter().find_map(|twin| twin.router(name)));
    assert_eq!(found, routes(&plan, |name| whole.router(name)));
    assert!(halves.ping_across() > 0);
    for twin in &halves.twins {
        assert_eq!(twin.breaches(), []);
    }
    halves
}

#[test]
fn two_halves_joined_by_a_core_link_are_one_network() {
    let plan = plan("two-pops");
    // A site belongs to the half of its first uplink's core router.
    let in_brighton = |name: &str| {
        let uplink = plan.links.iter().find(|link| link.ends[1].router == name);
        let core = uplink.map_or(name, |link| &link.ends[0].router);
        core.starts_with("brighton")
    };
    are_one_network("two-pops", in_brighton);
}

#[test]
fn a_dual_homed_site_router_that_runs_elsewhere_is_part_of_the_network() {
    let plan = plan("six-sites");
    let site = plan.attachments[0].router.clone();
    let mut halves = are_one_network("six-sites", |name| name == site);
    assert!(halves.links.len() > 1, "an uplink to each of two PoPs");
    // One uplink's plug is pulled: the other one carries everything.
    let first = Outside::Link(halves.links[0]);
    for twin in &mut halves.twins {
        twin.set_outside_carrier(first, false);
    }
    halves.converge();
    assert!(halves.ping_across() > 0);
}

#[test]
fn a_link_outside_counts_only_while_it_has_carrier() {
    let plan = plan("two-pops");
    let core = plan.pops[0].routers[0].clone();
    let mut halves = Halves::new(&plan, |name| name == core);
    halves.converge();
    let alone = halves.twins[0].progress();
    assert_eq!((alone.routers, alone.adjacencies, alone.sessions), ((1, 1), (0, 0), (0, 0)));
    assert!(halves.twins.iter_mut().all(|twin| twin.take_outside().is_empty()));
    halves.set_carrier(true);
    halves.converge();
    let joined = halves.twins[0].progress();
    assert_eq!(joined.adjacencies, (1, 1));
    assert!(joined.sessions.1 > 1 && joined.sessions.0 == joined.sessions.1, "{joined:?}");
    // A cut in one twin is a cut.
    let link = halves.links[0];
    halves.twins[0].strike(Fault::Link(link, LinkState::Cut)).unwrap();
    assert!(
        halves.twins[0].progress().adjacencies.1 + halves.twins[0].progress().sessions.1
            < joined.adjacencies.1 + joined.sessions.1
    );
    halves.twins[0].mend_everything().unwrap();
    halves.converge();
    assert_eq!(halves.twins[0].progress().routers, (1, 1), "absent routers are never started");
}

#[test]
fn an_ordinary_datagram_across_the_halves_is_no_breach() {
    let plan = plan("two-pops");
    let core = plan.pops[0].routers[0].clone();
    let mut halves = Halves::new(&plan, |name| name == core);
    halves.set_carrier(true);
    halves.converge();
    let (from, to) = (lan(&plan, "G1", "practices"), lan(&plan, "G2", "practices"));
    let mut host = RealHost::plug(&mut halves.twins[1], from);
    let ends = (host.address.into(), halves.twins[1].host(to, false).unwrap());
    let datagram = udp::encode((ends.0, 40_000), (ends.1, 33_434), b"where to?");
    let datagram = ip::encode(ends, udp::PROTOCOL, (0, 64), &datagram).unwrap();
    host.send_ip(&mut halves.twins[1], &datagram);
    for _ in 0..200 {
        halves.twins[1].run_for(STEP);
        let frames = halves.twins[1].take_outside();
        let now = halves.twins[1].now();
        for (outside, frame) in frames {
            match outside {
                Outside::Lan(_) => host.hear(&mut halves.twins[1], frame),
                Outside::Link(_) => halves.twins[0].handle_outside(now, outside, &frame),
            }
        }
        halves.twins[0].run_until(now);
        for (outside, frame) in halves.twins[0].take_outside() {
            halves.twins[1].handle_outside(now, outside, &frame);
        }
    }
    let errors = host.heard.iter().filter(|packet| packet.get(9) == Some(&1));
    assert_eq!(errors.count(), 1, "nobody listens on the port");
    assert!(halves.twins.iter().all(|twin| twin.breach_count() == 0));
}
