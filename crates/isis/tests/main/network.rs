//! Routers joined by links with a delay, driven from event to event.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use base::{Duration, Instant, Ipv4Prefix, Ipv6Prefix, Label, PortId, Prefix, RouterId, SystemId};
use isis::{Circuit, Config, Hop, Instance, LabelRange, Loopback, NotUpReason, Output, Pdu, Route};

/// The delay of every link.
pub(crate) const DELAY: Duration = Duration::from_millis(1);

/// A link between two routers; its number is the port of both.
pub(crate) struct Link {
    pub(crate) ends: [usize; 2],
    pub(crate) carries: bool,
}

/// What happened to an adjacency: when, which router, which port, up, why not.
pub(crate) type Change = (Instant, usize, PortId, bool, Option<NotUpReason>);

/// Whether a PDU from a router over a link is lost.
pub(crate) type Loss = Box<dyn FnMut(usize, usize, &Pdu) -> bool>;

pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) routers: Vec<Instance>,
    pub(crate) configs: Vec<Config>,
    pub(crate) links: Vec<Link>,
    pub(crate) changes: Vec<Change>,
    pub(crate) route_changes: usize,
    pub(crate) loss: Option<Loss>,
    pub(crate) sent: usize,
    /// A digest of everything that was sent, for comparing runs.
    pub(crate) trace: base::TraceHash,
    flying: BTreeMap<(Instant, u64), (usize, PortId, Vec<u8>)>,
    number: u64,
    seed: u64,
}

pub(crate) fn port(link: usize) -> PortId {
    PortId(u32::try_from(link).unwrap_or(u32::MAX))
}

pub(crate) fn system_id(router: usize) -> SystemId {
    SystemId([0, 0, 0, 0, 0, octet(router)])
}

pub(crate) fn octet(router: usize) -> u8 {
    u8::try_from(router + 1).unwrap_or(u8::MAX)
}

pub(crate) fn loopback(router: usize) -> Prefix {
    Prefix::V4(Ipv4Prefix::host(Ipv4Addr::new(10, 255, 0, octet(router))))
}

pub(crate) fn loopback_v6(router: usize) -> Prefix {
    let addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(octet(router)));
    Prefix::V6(Ipv6Prefix::host(addr))
}

pub(crate) fn label(value: u32) -> Label {
    Label::masked(value)
}

pub(crate) fn config(router: usize, links: &[(usize, usize, u32)]) -> Config {
    let number = octet(router);
    let range = |first, count| LabelRange { first: label(first), count };
    let ours = links.iter().enumerate().filter(|(_, (a, b, _))| *a == router || *b == router);
    let circuits = ours.map(|(link, (a, _, metric))| Circuit {
        port: port(link),
        v4: Some(Ipv4Addr::new(10, 0, octet(link), if *a == router { 1 } else { 2 })),
        v6_link_local: Some(Ipv6Addr::new(
            0xfe80,
            0,
            0,
            0,
            0,
            0,
            octet(link).into(),
            number.into(),
        )),
        metric: *metric,
        mtu: 1500,
        hello_interval: Duration::from_secs(3),
        hello_multiplier: 3,
        adjacency_sid: Some(label(15_000 + u32::from(octet(link)))),
    });
    Config {
        system_id: system_id(router),
        area: vec![0x49, 0, 1],
        hostname: format!("r{number}"),
        router_id: RouterId(Ipv4Addr::new(10, 255, 0, number)),
        loopbacks: vec![
            Loopback { prefix: loopback(router), sid_index: Some(number.into()) },
            Loopback { prefix: loopback_v6(router), sid_index: Some(100 + u32::from(number)) },
        ],
        srgb: range(16_000, 8000),
        srlb: range(15_000, 1000),
        authentication: None,
        overload: false,
        lsp_lifetime: Duration::from_secs(1200),
        lsp_refresh: Duration::from_secs(900),
        spf_delay: Duration::from_millis(20),
        spf_hold: Duration::from_millis(200),
        circuits: circuits.collect(),
    }
}

impl Network {
    /// Routers 0 to `routers - 1` and links (from, to, metric), with all ports up.
    pub(crate) fn new(
        routers: usize,
        links: &[(usize, usize, u32)],
        tweak: impl Fn(usize, &mut Config),
    ) -> Self {
        Self::with_seed(routers, links, 1, tweak)
    }

    pub(crate) fn with_seed(
        routers: usize,
        links: &[(usize, usize, u32)],
        seed: u64,
        tweak: impl Fn(usize, &mut Config),
    ) -> Self {
        let mut network = Self {
            now: Instant::ZERO,
            routers: Vec::new(),
            configs: Vec::new(),
            links: Vec::new(),
            changes: Vec::new(),
            route_changes: 0,
            loss: None,
            sent: 0,
            trace: base::TraceHash::new(),
            flying: BTreeMap::new(),
            number: 0,
            seed,
        };
        for router in 0..routers {
            let mut config = config(router, links);
            tweak(router, &mut config);
            let seed = network.next_seed();
            network.routers.push(Instance::new(network.now, seed, config.clone()));
            network.configs.push(config);
        }
        for (a, b, _) in links {
            network.links.push(Link { ends: [*a, *b], carries: true });
        }
        for link in 0..links.len() {
            network.set_ports(link, true);
        }
        network
    }

    fn next_seed(&mut self) -> u64 {
        self.seed += 1;
        self.seed
    }

    fn set_ports(&mut self, link: usize, up: bool) {
        for end in self.link(link).ends {
            let now = self.now;
            self.router(end).handle_port(now, port(link), up);
            self.drain(end);
        }
    }

    pub(crate) fn link(&mut self, link: usize) -> &mut Link {
        self.links.get_mut(link).expect("a link of the network")
    }

    pub(crate) fn router(&mut self, router: usize) -> &mut Instance {
        self.routers.get_mut(router).expect("a router of the network")
    }

    pub(crate) fn config(&mut self, router: usize) -> &mut Config {
        self.configs.get_mut(router).expect("a router of the network")
    }

    /// Gives a router its changed configuration.
    pub(crate) fn configure(&mut self, router: usize, change: impl FnOnce(&mut Config)) {
        change(self.config(router));
        let (now, config) = (self.now, self.config(router).clone());
        self.router(router).set_config(now, config);
        self.drain(router);
    }

    /// Both ends see the link go down.
    pub(crate) fn cut(&mut self, link: usize) {
        self.link(link).carries = false;
        self.set_ports(link, false);
    }

    pub(crate) fn mend(&mut self, link: usize) {
        self.link(link).carries = true;
        self.set_ports(link, true);
    }

    /// A router forgets everything; its neighbours do not notice.
    pub(crate) fn restart(&mut self, router: usize) {
        let (seed, config) = (self.next_seed(), self.config(router).clone());
        let ports: Vec<PortId> = config.circuits.iter().map(|circuit| circuit.port).collect();
        let now = self.now;
        *self.router(router) = Instance::new(now, seed, config);
        for port in ports {
            self.router(router).handle_port(now, port, true);
        }
        self.drain(router);
    }

    pub(crate) fn bfd(&mut self, router: usize, link: usize, up: bool) {
        let now = self.now;
        self.router(router).handle_bfd(now, port(link), up);
        self.drain(router);
    }

    /// Hands a router a PDU as if it had come over a link.
    pub(crate) fn inject(&mut self, router: usize, link: usize, bytes: &[u8]) {
        let now = self.now;
        self.router(router).handle_pdu(now, port(link), bytes);
        self.drain(router);
    }

    fn drain(&mut self, router: usize) {
        while let Some(output) = self.router(router).poll_output() {
            match output {
                Output::Pdu { port, bytes } => self.fly(router, port, bytes),
                Output::Adjacency { port, up, reason, .. } => {
                    self.changes.push((self.now, router, port, up, reason));
                }
                Output::RoutesChanged => self.route_changes += 1,
            }
        }
    }

    fn fly(&mut self, router: usize, port: PortId, bytes: Vec<u8>) {
        self.sent += 1;
        self.trace.bytes(&bytes);
        let number = usize::try_from(port.0).expect("a small number");
        let link = self.link(number);
        let carries = link.carries;
        let to = link.ends.iter().copied().find(|end| *end != router).expect("two ends");
        let pdu = isis::decode(&bytes).expect("what is sent decodes");
        let lost = self.loss.as_mut().is_some_and(|loss| loss(router, number, &pdu));
        if carries && !lost {
            self.number += 1;
            self.flying.insert((self.now + DELAY, self.number), (to, port, bytes));
        }
    }

    /// Runs until nothing is left to happen before `end`.
    pub(crate) fn run_until(&mut self, end: Instant) {
        loop {
            let timer = (0..self.routers.len())
                .filter_map(|router| Some((self.routers.get(router)?.poll_timeout()?.at, router)))
                .min();
            let frame = self.flying.keys().next().copied();
            let timer_at = timer.map_or(Instant::MAX, |(at, _)| at);
            let frame_at = frame.map_or(Instant::MAX, |(at, _)| at);
            if timer_at.min(frame_at) > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(timer_at.min(frame_at));
            let now = self.now;
            if let Some(key) = frame.filter(|_| frame_at <= timer_at) {
                let (to, port, bytes) = self.flying.remove(&key).expect("it is there");
                self.router(to).handle_pdu(now, port, &bytes);
                self.drain(to);
            } else if let Some((_, router)) = timer {
                self.router(router).handle_timeout(now);
                let next = self.router(router).poll_timeout();
                assert!(next.is_none_or(|next| next.at > now), "{next:?} at {now} spins");
                self.drain(router);
            }
        }
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(end);
    }

    pub(crate) fn millis(&mut self, millis: u64) {
        self.run_for(Duration::from_millis(millis));
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.run_for(Duration::from_secs(seconds));
    }

    pub(crate) fn route(&self, router: usize, prefix: Prefix) -> Option<&Route> {
        let routes = self.routers.get(router)?.routes();
        routes.iter().find(|route| route.prefix == prefix)
    }

    /// The ports that a router reaches another's loopback over.
    pub(crate) fn ports(&self, router: usize, to: usize) -> Vec<u32> {
        let route = self.route(router, loopback(to));
        route.map_or_else(Vec::new, |route| route.hops.iter().map(|hop| hop.port.0).collect())
    }

    pub(crate) fn hops(&self, router: usize, prefix: Prefix) -> Vec<Hop> {
        self.route(router, prefix).map_or_else(Vec::new, |route| route.hops.clone())
    }

    /// Whether all routers hold the same versions of the same link-state PDUs.
    pub(crate) fn in_step(&self) -> bool {
        let database = |router: &Instance| -> Vec<_> {
            let live = router.database(self.now).filter(|lsp| lsp.lifetime > 0);
            live.map(|lsp| (lsp.id, lsp.sequence, lsp.checksum)).collect()
        };
        let mut databases = self.routers.iter().map(database);
        let first = databases.next();
        databases.all(|other| Some(other) == first)
    }
}

pub(crate) const RING: [(usize, usize, u32); 4] = [(0, 1, 10), (1, 2, 10), (2, 3, 10), (3, 0, 10)];
pub(crate) const PAIR: [(usize, usize, u32); 1] = [(0, 1, 10)];
