//! A network of speakers in virtual time: in-memory connections, link cuts, an IGP that says who is
//! reached, and the labels and VRF tables as a driver would have installed them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{Duration, Instant, Label, LabelSpace, PortId, Prefix, VrfId};
use bgp::{Config, Instance, LabelBinding, NeighbourId, NeighbourKind, Output, Source, VrfPath};

/// How long bytes take over a connection.
const DELAY: Duration = Duration::from_millis(1);
/// How much is pulled at once.
const PULL: usize = 16 * 1024;

pub(crate) struct Router {
    pub(crate) bgp: Instance,
    pub(crate) config: Config,
    pub(crate) vrfs: BTreeMap<(VrfId, Prefix), Vec<VrfPath>>,
    pub(crate) labels: BTreeMap<(LabelSpace, Label), LabelBinding>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) reachable: BTreeMap<IpAddr, u32>,
}

enum What {
    Connected(usize, usize),
    Bytes(Vec<u8>),
    Closed,
}

struct Event {
    to: usize,
    from: usize,
    connection: u64,
    what: What,
}

/// Routers are numbered; a neighbour's id is the number of its router.
pub(crate) struct Network {
    pub(crate) now: Instant,
    pub(crate) routers: Vec<Router>,
    events: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    /// The connection between two routers, lower number first.
    connections: BTreeMap<(usize, usize), u64>,
    cut: BTreeSet<(usize, usize)>,
    /// Neighbours whose connection takes no bytes at the moment: they do not read.
    pub(crate) deaf: BTreeSet<(usize, usize)>,
}

pub(crate) fn id(router: usize) -> NeighbourId {
    NeighbourId(u32::try_from(router).unwrap())
}

fn number(id: NeighbourId) -> usize {
    usize::try_from(id.0).unwrap()
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Network {
    /// Starts all routers at once; the IGP reaches every loopback.
    pub(crate) fn new(seed: u64, configs: Vec<Config>) -> Self {
        let now = Instant::ZERO;
        let routers: Vec<Router> = configs
            .into_iter()
            .zip(seed..)
            .map(|(config, seed)| Router {
                bgp: Instance::new(now, seed, config.clone()),
                config,
                vrfs: BTreeMap::new(),
                labels: BTreeMap::new(),
                outputs: Vec::new(),
                reachable: BTreeMap::new(),
            })
            .collect();
        let mut network = Self {
            now,
            routers,
            events: BTreeMap::new(),
            sequence: 0,
            connections: BTreeMap::new(),
            cut: BTreeSet::new(),
            deaf: BTreeSet::new(),
        };
        for router in 0..network.routers.len() {
            network.reach_all(router);
        }
        network
    }

    pub(crate) fn reach_all(&mut self, router: usize) {
        let loopbacks = self.routers.iter().enumerate().filter(|(other, _)| *other != router);
        let reachable = loopbacks
            .filter_map(|(_, other)| Some((IpAddr::V4(other.config.local_address?), 10)))
            .collect();
        self.set_reachable(router, reachable);
    }

    pub(crate) fn set_reachable(&mut self, router: usize, reachable: BTreeMap<IpAddr, u32>) {
        let now = self.now;
        self.routers[router].reachable = reachable.clone();
        self.routers[router].bgp.handle_next_hops(now, reachable);
        self.drain(router);
    }

    pub(crate) fn set_config(&mut self, router: usize, config: Config) {
        let now = self.now;
        self.routers[router].config = config.clone();
        self.routers[router].bgp.set_config(now, config);
        self.drain(router);
    }

    /// Cuts the link, or mends it; both ends notice at once, as with BFD.
    pub(crate) fn set_link(&mut self, a: usize, b: usize, up: bool) {
        if up {
            self.cut.remove(&pair(a, b));
        } else {
            self.cut.insert(pair(a, b));
            self.connections.remove(&pair(a, b));
        }
        let now = self.now;
        for (router, other) in [(a, b), (b, a)] {
            self.routers[router].bgp.set_allowed(now, id(other), up);
            self.drain(router);
            if !up {
                self.routers[router].bgp.handle_closed(now, id(other));
                self.drain(router);
            }
        }
    }

    /// Breaks the connection without cutting the link.
    pub(crate) fn reset_connection(&mut self, a: usize, b: usize) {
        if self.connections.remove(&pair(a, b)).is_some() {
            let now = self.now;
            for (router, other) in [(a, b), (b, a)] {
                self.routers[router].bgp.handle_closed(now, id(other));
                self.drain(router);
            }
        }
    }

    fn post(&mut self, from: usize, to: usize, connection: u64, what: What) {
        self.sequence += 1;
        let event = Event { to, from, connection, what };
        self.events.insert((self.now + DELAY, self.sequence), event);
    }

    /// Does what the router wants done.
    fn drain(&mut self, router: usize) {
        while let Some(output) = self.routers[router].bgp.poll_output() {
            match output.clone() {
                Output::Connect(to) => self.connect(router, number(to)),
                Output::Close(to) => self.close(router, number(to)),
                Output::Transmit(to) => self.transmit(router, number(to)),
                Output::Vrf { vrf, prefix, paths } => {
                    let table = &mut self.routers[router].vrfs;
                    if paths.is_empty() {
                        assert!(table.remove(&(vrf, prefix)).is_some(), "nothing to remove");
                    } else {
                        assert_ne!(table.insert((vrf, prefix), paths.clone()), Some(paths));
                    }
                }
                Output::Label { space, label, binding } => {
                    let table = &mut self.routers[router].labels;
                    let former = match binding {
                        Some(binding) => table.insert((space, label), binding),
                        None => table.remove(&(space, label)),
                    };
                    assert!(binding.is_some() || former.is_some(), "{label} was not bound");
                }
                Output::Session { .. } | Output::Rejected { .. } => {}
            }
            self.routers[router].outputs.push(output);
        }
    }

    fn connect(&mut self, from: usize, to: usize) {
        let configured =
            self.routers[to].config.neighbours.iter().any(|neighbour| neighbour.id == id(from));
        if self.cut.contains(&pair(from, to)) || !configured {
            self.post(to, from, 0, What::Closed);
        } else {
            self.sequence += 1;
            let connection = self.sequence;
            self.connections.insert(pair(from, to), connection);
            self.post(from, to, connection, What::Connected(from, to));
        }
    }

    fn close(&mut self, from: usize, to: usize) {
        if let Some(connection) = self.connections.get(&pair(from, to)).copied() {
            self.post(from, to, connection, What::Closed);
        }
    }

    pub(crate) fn transmit(&mut self, from: usize, to: usize) {
        if self.deaf.contains(&(from, to)) {
            return;
        }
        let mut bytes = Vec::new();
        let now = self.now;
        self.routers[from].bgp.transmit(now, id(to), &mut bytes, PULL);
        let Some(connection) = self.connections.get(&pair(from, to)).copied() else { return };
        if !bytes.is_empty() {
            self.post(from, to, connection, What::Bytes(bytes));
        }
    }

    fn handle(&mut self, event: Event) {
        let Event { to, from, connection, what } = event;
        let now = self.now;
        let current = self.connections.get(&pair(from, to)) == Some(&connection);
        match what {
            What::Closed if connection == 0 => {
                self.routers[to].bgp.handle_closed(now, id(from));
                self.drain(to);
            }
            _ if !current => {}
            What::Connected(a, b) => {
                for (router, other) in [(a, b), (b, a)] {
                    self.routers[router].bgp.handle_connected(now, id(other));
                    self.drain(router);
                }
            }
            What::Bytes(bytes) => {
                self.routers[to].bgp.handle_bytes(now, id(from), &bytes);
                self.drain(to);
            }
            What::Closed => {
                self.connections.remove(&pair(from, to));
                for (router, other) in [(to, from), (from, to)] {
                    self.routers[router].bgp.handle_closed(now, id(other));
                    self.drain(router);
                }
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timers = self.routers.iter().filter_map(|router| router.bgp.poll_timeout());
            let timer = timers.map(|deadline| deadline.at).min();
            let event = self.events.first_key_value().map(|(&(at, _), _)| at);
            let next = timer.into_iter().chain(event).min().unwrap_or(end);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.events.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let event = entry.remove();
                self.handle(event);
            }
            for router in 0..self.routers.len() {
                let due = self.routers[router].bgp.poll_timeout();
                if due.is_some_and(|deadline| deadline.at <= self.now) {
                    let now = self.now;
                    self.routers[router].bgp.handle_timeout(now);
                    self.drain(router);
                }
            }
        }
        self.now = end;
    }

    /// Lets time pass until nothing is under way; fails if that takes more than a minute.
    pub(crate) fn settle(&mut self) {
        for _ in 0..60 {
            self.run(Duration::from_secs(1));
            let quiet = self.events.is_empty();
            if quiet && self.routers.iter().all(|router| router.bgp.is_settled()) {
                self.check_driver_state();
                return;
            }
        }
        panic!("not settled at {}", self.now);
    }

    /// What outputs said adds up to what the views show.
    fn check_driver_state(&self) {
        for router in &self.routers {
            let labels: BTreeMap<(LabelSpace, Label), LabelBinding> = router
                .bgp
                .labels()
                .map(|(space, label, binding)| ((space, label), binding))
                .collect();
            assert_eq!(labels, router.labels);
            let mut vrfs = BTreeMap::new();
            for vrf in router.bgp.vrfs() {
                for route in vrf.routes.into_iter().filter(|route| !route.delivered.is_empty()) {
                    vrfs.insert((vrf.config.id, route.prefix), route.delivered);
                }
            }
            assert_eq!(vrfs, router.vrfs);
        }
    }

    /// Whose address this is, seen from a router, and the label space in which packets arrive.
    fn owner(&self, router: usize, next_hop: IpAddr) -> Option<(usize, LabelSpace)> {
        let loopback = self
            .routers
            .iter()
            .position(|other| other.config.local_address.map(IpAddr::V4) == Some(next_hop));
        if let Some(owner) = loopback {
            return Some((owner, LabelSpace::Platform));
        }
        let neighbours = &self.routers[router].config.neighbours;
        let neighbour = neighbours.iter().find(|neighbour| neighbour.address == next_hop)?;
        let owner = number(neighbour.id);
        let back = &self.routers[owner].config.neighbours;
        let back = back.iter().find(|neighbour| neighbour.id == id(router))?;
        let space = match &back.kind {
            NeighbourKind::Site(filter) => LabelSpace::Port(filter.port),
            NeighbourKind::Internal { .. }
            | NeighbourKind::Core { .. }
            | NeighbourKind::Customer(_) => LabelSpace::Platform,
        };
        Some((owner, space))
    }

    /// Follows the labels from a router over a path to the VRF where they end.
    pub(crate) fn walk(&self, router: usize, path: &VrfPath) -> Result<(usize, VrfId), String> {
        if let Source::Vrf(vrf) = path.via {
            return Ok((router, vrf));
        }
        let (mut at, mut to) = (router, path.to);
        for _ in 0..8 {
            let (owner, space) = self
                .owner(at, to.next_hop)
                .ok_or_else(|| format!("router {at}: nobody has {}", to.next_hop))?;
            match self.routers[owner].labels.get(&(space, to.label)) {
                None => return Err(format!("router {owner}: {} means nothing", to.label)),
                Some(LabelBinding::Vrf(vrf)) => return Ok((owner, *vrf)),
                Some(LabelBinding::Swap(next)) => (at, to) = (owner, *next),
            }
        }
        Err("the labels go in a circle".to_owned())
    }

    /// Where the ways to a prefix end, best first.
    pub(crate) fn ends(&self, router: usize, vrf: u32, prefix: &str) -> Vec<(usize, VrfId)> {
        let key = (VrfId(vrf), prefix.parse().unwrap());
        let paths = self.routers[router].vrfs.get(&key).cloned().unwrap_or_default();
        paths.iter().map(|path| self.walk(router, path).unwrap()).collect()
    }

    pub(crate) fn labels_of_port(&self, router: usize, port: u32) -> usize {
        let space = LabelSpace::Port(PortId(port));
        self.routers[router].labels.keys().filter(|(other, _)| *other == space).count()
    }
}
