//! The engine: routers, links and LANs, moved from event to event.
//!
//! One queue orders everything. A frame that leaves a router goes onto a link or into a LAN; a
//! deadline becomes a wake-up. What leads outside (an attached LAN, a link to a router elsewhere) has
//! no delay here: frames go to the driver's outbox and come in by the port. [`Engine::step`] takes the next event, and whoever drives the engine
//! decides whether virtual time jumps or waits for the wall clock. Every event is folded into the
//! trace hash before it is acted on.

use std::collections::{BTreeMap, BTreeSet};

use base::{Instant, PortId, Rng, TraceHash};
use model::config::RouterConfig;
use model::plan::{Link as PlannedLink, Plan};
use packet::PacketBuf;
use router::{ConfigErrors, Event as RouterEvent, Input, Output, Router};

use crate::lan::{Arrival, Hosts, Lan};
use crate::link::{Link, LinkState, Place};
use crate::outside::{Outbox, Outside};
use crate::queue::Queue;
use crate::topology::{Alive, Behind, Expected, Topology, wiring};

/// What a router is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterState {
    /// It runs.
    Running,
    /// It has lost its power: nothing is kept.
    Down,
}

#[derive(Debug)]
enum Event {
    Frame { router: usize, port: PortId, bytes: PacketBuf },
    Lan { lan: usize, bytes: PacketBuf },
    Wake { router: usize },
}

/// A router, and what the engine keeps about it.
#[derive(Debug)]
struct Node {
    config: RouterConfig,
    router: Option<Router>,
    /// It runs elsewhere, never here.
    absent: bool,
    armed: Option<Instant>,
    /// The router's table version when it was last looked at.
    version: u64,
}

/// Something that a router told people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Instant,
    /// Which router.
    pub router: usize,
    /// What.
    pub event: RouterEvent,
}

/// A frame as it left a router.
#[derive(Debug)]
pub(crate) struct Tapped {
    pub(crate) at: Instant,
    pub(crate) router: usize,
    pub(crate) port: PortId,
    pub(crate) bytes: Vec<u8>,
}

/// The longest frame that carries a probe: an ICMP error over IPv6 with 128 octets quoted and as
/// many labels as any stack has.
const TAPPED_LEN_MAX: usize = 512;
/// Frames noted while somebody traces: more than a large region sends in two seconds of quiet.
const TAPPED_MAX: usize = 200_000;
/// How many events for people are kept.
const TOLD_MAX: usize = 10_000;

/// Routers, links and LANs under one clock.
#[derive(Debug)]
pub(crate) struct Engine {
    now: Instant,
    queue: Queue<Event>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    pub(crate) lans: Vec<Lan>,
    wiring: Vec<Vec<Behind>>,
    topology: Topology,
    rng: Rng,
    trace: TraceHash,
    /// When a table of any router last changed.
    changed_at: Instant,
    events: u64,
    /// What arrived in a LAN since it was last taken.
    pub(crate) arrivals: Vec<(usize, Arrival)>,
    /// What routers told people since it was last taken.
    pub(crate) told: Vec<Told>,
    /// Frames for the world outside.
    pub(crate) outbox: Outbox,
    /// Whether something leads outside.
    open: bool,
    /// Every frame short enough for a probe that leaves a router is noted here while somebody
    /// traces.
    pub(crate) tap: Option<Vec<Tapped>>,
}

impl Engine {
    /// Builds the plan's network and starts every router but those that are absent.
    pub(crate) fn new(
        plan: &Plan,
        seed: u64,
        absent: &BTreeSet<String>,
    ) -> Result<Self, ConfigErrors> {
        let numbers: BTreeMap<&str, usize> =
            plan.routers.iter().enumerate().map(|(i, r)| (r.name.as_str(), i)).collect();
        let links: Vec<Link> = plan
            .links
            .iter()
            .map(|link| {
                let ends = link.ends.each_ref().map(|end| {
                    (numbers.get(end.router.as_str()).copied().unwrap_or(usize::MAX), end.port)
                });
                Link::new(link, ends, place(link, absent))
            })
            .collect();
        let lans = plan
            .attachments
            .iter()
            .map(|attachment| {
                let router = numbers.get(attachment.router.as_str()).copied();
                Lan::new(plan, attachment, router.unwrap_or(usize::MAX))
            })
            .collect();
        let nodes = plan
            .routers
            .iter()
            .map(|config| Node {
                config: config.clone(),
                router: None,
                absent: absent.contains(&config.name),
                armed: None,
                version: 0,
            })
            .collect();
        let open = links.iter().any(Link::leads_outside);
        let mut engine = Self {
            now: Instant::ZERO,
            queue: Queue::new(),
            nodes,
            links,
            lans,
            wiring: wiring(plan),
            topology: Topology::new(&plan.routers.iter().collect::<Vec<_>>(), &plan.links),
            rng: Rng::new(seed),
            trace: TraceHash::new(),
            changed_at: Instant::ZERO,
            events: 0,
            arrivals: Vec::new(),
            told: Vec::new(),
            outbox: Outbox::default(),
            open,
            tap: None,
        };
        for router in 0..engine.nodes.len() {
            engine.start(router)?;
        }
        Ok(engine)
    }

    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    pub(crate) const fn trace(&self) -> u64 {
        self.trace.value()
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) const fn changed_at(&self) -> Instant {
        self.changed_at
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    pub(crate) fn router(&self, number: usize) -> Option<&Router> {
        self.nodes.get(number)?.router.as_ref()
    }

    pub(crate) fn routers(&self) -> impl Iterator<Item = (usize, &Router)> {
        self.nodes.iter().enumerate().filter_map(|(i, node)| Some((i, node.router.as_ref()?)))
    }

    /// How many routers belong to this twin, whether they run or not.
    pub(crate) fn present(&self) -> usize {
        self.nodes.iter().filter(|node| !node.absent).count()
    }

    /// Whether something leads outside.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    pub(crate) fn router_state(&self, number: usize) -> RouterState {
        match self.router(number) {
            Some(_) => RouterState::Running,
            None => RouterState::Down,
        }
    }

    pub(crate) fn config(&self, number: usize) -> Option<&RouterConfig> {
        Some(&self.nodes.get(number)?.config)
    }

    pub(crate) fn link_state(&self, number: usize) -> LinkState {
        self.links.get(number).map_or(LinkState::Cut, |link| link.state)
    }

    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    pub(crate) fn link_mut(&mut self, number: usize) -> Option<&mut Link> {
        self.links.get_mut(number)
    }

    /// The router and port at the far end of the link behind a port.
    pub(crate) fn far_end(&self, router: usize, port: PortId) -> Option<(usize, PortId)> {
        let index = usize::try_from(port.0).ok()?;
        let Behind::Link(link, side) = *self.wiring.get(router)?.get(index)? else { return None };
        self.links.get(link)?.ends.get(1 - side.min(1)).copied()
    }

    /// What should be up now.
    pub(crate) fn expected(&self) -> Expected {
        let is_absent = |router: usize| self.nodes.get(router).is_some_and(|node| node.absent);
        self.topology.expected(&Alive {
            here: &|router| !is_absent(router),
            routers: &|router| is_absent(router) || self.router(router).is_some(),
            links: &|link| match self.links.get(link) {
                Some(Link { place: Place::Outside { carrier: false, .. }, .. }) => LinkState::Cut,
                Some(Link { state, .. }) => *state,
                None => LinkState::Cut,
            },
        })
    }

    /// Starts a router that does not run.
    pub(crate) fn start(&mut self, number: usize) -> Result<(), ConfigErrors> {
        // Drawn for absent routers too: the parts of a network then start as the whole does.
        let seed = self.rng.next_u64();
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return Ok(()) };
        if node.router.is_some() || node.absent {
            return Ok(());
        }
        node.router = Some(Router::new(now, seed, node.config.clone())?);
        node.armed = None;
        let ports = self.wiring.get(number).cloned().unwrap_or_default();
        for (port, behind) in (0..).map(PortId).zip(ports) {
            let up = match behind {
                Behind::Link(link, side) => {
                    let up = self.link_has_carrier(link);
                    if up {
                        self.signal_far_end(link, side, true);
                    }
                    up
                }
                Behind::Lan(lan) => self.lans.get(lan).is_some_and(Lan::has_carrier),
                Behind::Nothing => continue,
            };
            self.signal(number, port, up);
        }
        self.changed_at = now;
        Ok(())
    }

    /// Takes a router's power away.
    pub(crate) fn stop(&mut self, number: usize) {
        let Some(node) = self.nodes.get_mut(number) else { return };
        if node.router.take().is_none() {
            return;
        }
        node.armed = None;
        for behind in self.wiring.get(number).cloned().unwrap_or_default() {
            if let Behind::Link(link, side) = behind {
                self.signal_far_end(link, side, false);
            }
        }
        self.changed_at = self.now;
    }

    /// Gives a running router a new configuration.
    pub(crate) fn set_config(
        &mut self,
        number: usize,
        config: RouterConfig,
    ) -> Result<(), ConfigErrors> {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return Ok(()) };
        node.config = config.clone();
        if let Some(router) = &mut node.router {
            router.set_config(now, config)?;
        }
        self.changed_at = now;
        self.settle(number);
        Ok(())
    }

    /// Adds a router that does not run yet, and says its number.
    pub(crate) fn add_router(&mut self, config: RouterConfig) -> usize {
        let ports = config.ports.len();
        self.nodes.push(Node { config, router: None, absent: false, armed: None, version: 0 });
        self.wiring.push(vec![Behind::Nothing; ports]);
        self.nodes.len() - 1
    }

    /// Adds a link that is plugged in nowhere yet.
    pub(crate) fn add_link(&mut self, planned: &PlannedLink, ends: [(usize, PortId); 2]) {
        let mut link = Link::new(planned, ends, Place::Here);
        link.state = LinkState::Cut;
        self.links.push(link);
    }

    /// What is behind a port is something else from now on; says what was.
    fn wire(&mut self, router: usize, port: PortId, behind: Behind) -> Option<Behind> {
        let ports = self.wiring.get_mut(router)?;
        let index = usize::try_from(port.0).ok()?;
        // A port that the configuration does not have is no port.
        let count = self.nodes.get(router)?.config.ports.len();
        if ports.len() < count {
            ports.resize(count, Behind::Nothing);
        }
        Some(core::mem::replace(ports.get_mut(index)?, behind))
    }

    fn behind(&self, router: usize, port: PortId) -> Option<Behind> {
        self.wiring.get(router)?.get(usize::try_from(port.0).ok()?).copied()
    }

    /// Plugs a link in at both ends.
    pub(crate) fn plug_link(&mut self, number: usize) {
        let Some(ends) = self.links.get(number).map(|link| link.ends) else { return };
        for (side, (router, port)) in ends.into_iter().enumerate() {
            self.wire(router, port, Behind::Link(number, side));
        }
        self.set_link(number, LinkState::Up);
    }

    /// Pulls a link out at both ends.
    pub(crate) fn unplug_link(&mut self, number: usize) {
        self.set_link(number, LinkState::Cut);
        let Some(ends) = self.links.get(number).map(|link| link.ends) else { return };
        for (side, (router, port)) in ends.into_iter().enumerate() {
            if self.behind(router, port) == Some(Behind::Link(number, side)) {
                self.wire(router, port, Behind::Nothing);
            }
        }
    }

    /// Plugs a LAN into its port.
    pub(crate) fn plug_lan(&mut self, number: usize) {
        let Some((router, port)) = self.lans.get(number).map(|lan| (lan.router, lan.port)) else {
            return;
        };
        self.wire(router, port, Behind::Lan(number));
        self.signal(router, port, true);
    }

    /// Pulls a LAN out of its port.
    pub(crate) fn unplug_lan(&mut self, number: usize) {
        let Some((router, port)) = self.lans.get(number).map(|lan| (lan.router, lan.port)) else {
            return;
        };
        if self.behind(router, port) == Some(Behind::Lan(number)) {
            self.wire(router, port, Behind::Nothing);
            self.signal(router, port, false);
        }
    }

    /// What should be up follows the configurations and links of now.
    pub(crate) fn set_topology(&mut self, links: &[PlannedLink]) {
        let configs: Vec<&RouterConfig> = self.nodes.iter().map(|node| &node.config).collect();
        self.topology = Topology::new(&configs, links);
        self.changed_at = self.now;
    }

    /// Changes what a link carries; the ports at both ends see carrier come and go.
    pub(crate) fn set_link(&mut self, number: usize, state: LinkState) {
        let Some(link) = self.links.get_mut(number) else { return };
        if link.state == state {
            return;
        }
        link.state = state;
        let ends = link.ends;
        let up = self.link_has_carrier(number);
        for (router, port) in ends {
            self.signal(router, port, up);
        }
        self.changed_at = self.now;
    }

    /// A link has carrier while it is not cut and both its routers have power; the one outside has
    /// it if the driver says so.
    fn link_has_carrier(&self, number: usize) -> bool {
        self.links.get(number).is_some_and(|link| {
            let both = || link.ends.iter().all(|(router, _)| self.router(*router).is_some());
            let plugged = match link.place {
                Place::Here => both(),
                Place::Outside { carrier, .. } => carrier,
                Place::Elsewhere => false,
            };
            link.state != LinkState::Cut && plugged
        })
    }

    /// Real hosts take the place of a LAN's simulated ones.
    pub(crate) fn attach_lan(&mut self, number: usize) {
        let Some(lan) = self.lans.get_mut(number) else { return };
        if !lan.is_simulated() {
            return;
        }
        lan.hosts = Hosts::Outside { carrier: true };
        self.open = true;
        // Replugged, so that the router forgets the Ethernet addresses of the simulated hosts.
        let (router, port) = (lan.router, lan.port);
        self.signal(router, port, false);
        self.signal(router, port, true);
    }

    /// Carrier comes or goes at an outside port.
    pub(crate) fn set_outside_carrier(&mut self, outside: Outside, up: bool) {
        let (router, port, up) = match outside {
            Outside::Lan(number) => {
                let Some(lan) = self.lans.get_mut(number) else { return };
                if lan.is_simulated() || lan.has_carrier() == up {
                    return;
                }
                lan.hosts = Hosts::Outside { carrier: up };
                (lan.router, lan.port, up)
            }
            Outside::Link(number) => {
                let Some(link) = self.links.get_mut(number) else { return };
                let Place::Outside { end, carrier } = &mut link.place else { return };
                if *carrier == up {
                    return;
                }
                *carrier = up;
                let Some(&(router, port)) = link.ends.get(*end) else { return };
                (router, port, self.link_has_carrier(number))
            }
        };
        self.signal(router, port, up);
        self.changed_at = self.now;
    }

    /// A frame comes in by an outside port, now.
    pub(crate) fn handle_outside(&mut self, outside: Outside, frame: &[u8]) {
        let end = match outside {
            Outside::Lan(number) => self
                .lans
                .get(number)
                .filter(|lan| !lan.is_simulated() && lan.has_carrier())
                .map(|lan| (lan.router, lan.port)),
            Outside::Link(number) => self.links.get(number).and_then(Link::outside_end),
        };
        if let Some((router, port)) = end {
            self.frame(router, port, frame);
        }
    }

    fn signal_far_end(&mut self, link: usize, side: usize, up: bool) {
        let far = self.links.get(link).and_then(|link| link.ends.get(1 - side.min(1)).copied());
        if let Some((router, port)) = far {
            self.signal(router, port, up);
        }
    }

    fn signal(&mut self, number: usize, port: PortId, up: bool) {
        self.trace.number(self.now.nanos());
        self.trace.number(number as u64 ^ u64::from(port.0) << 32 ^ u64::from(up) << 63);
        let now = self.now;
        if let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) {
            router.handle_input(now, Input::Port { port, up });
            self.settle(number);
        }
    }

    /// Puts a frame into a router's port as if it came off the wire.
    pub(crate) fn inject(&mut self, number: usize, port: PortId, bytes: &[u8]) {
        let now = self.now;
        let bytes = PacketBuf::with_headroom(0, bytes);
        self.queue.push(now, Event::Frame { router: number, port, bytes });
    }

    /// Puts a simulated host's frame into a LAN's router port at `at`.
    pub(crate) fn inject_from_lan(&mut self, lan: usize, at: Instant, bytes: &[u8]) {
        if let Some(lan) = self.lans.get(lan).filter(|lan| lan.is_simulated()) {
            let bytes = PacketBuf::with_headroom(0, bytes);
            let event = Event::Frame { router: lan.router, port: lan.port, bytes };
            self.queue.push(at.max(self.now), event);
        }
    }

    /// Takes the next event, if it is not later than `until`, and says whether there was one.
    /// Without one, the clock moves to `until`.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        if self.queue.next_at().is_none_or(|at| at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some((at, event)) = self.queue.pop() else { return false };
        self.now = at;
        match event {
            Event::Frame { router, port, bytes } => self.frame(router, port, bytes.bytes()),
            Event::Lan { lan, bytes } => self.lan_frame(lan, bytes),
            Event::Wake { router } => self.wake(router),
        }
        true
    }

    fn record(&mut self, kind: u64, number: usize, bytes: &[u8]) {
        self.events += 1;
        self.trace.number(self.now.nanos());
        self.trace.number(kind << 56 | number as u64);
        if self.open {
            // What comes from outside is never repeated, and taking in all of it would cost as
            // much as carrying it.
            self.trace.number(bytes.len() as u64);
        } else {
            self.trace.bytes(bytes);
        }
    }

    fn frame(&mut self, number: usize, port: PortId, bytes: &[u8]) {
        self.record(1 + u64::from(port.0) * 4, number, bytes);
        let now = self.now;
        let Some(router) = self.nodes.get_mut(number).and_then(|node| node.router.as_mut()) else {
            return;
        };
        router.handle_input(now, Input::Frame { port, bytes });
        self.settle(number);
    }

    fn lan_frame(&mut self, number: usize, bytes: PacketBuf) {
        self.record(2, number, bytes.bytes());
        let now = self.now;
        let Some(lan) = self.lans.get(number) else { return };
        if !lan.is_simulated() {
            // It was on its way when the real hosts came.
            return self.onto_lan(number, bytes);
        }
        let (arrival, answer) = lan.receive(bytes.bytes(), self.open);
        if let Some(arrival) = arrival {
            self.arrivals.push((number, arrival));
        }
        if let Some(answer) = answer {
            self.inject_from_lan(number, now + crate::lan::DELAY, &answer);
        }
    }

    fn wake(&mut self, number: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(number) else { return };
        if node.armed != Some(now) {
            return;
        }
        node.armed = None;
        let Some(router) = &mut node.router else { return };
        router.handle_timeout(now);
        self.record(3, number, &[]);
        self.settle(number);
    }

    /// Carries away what a router sends and says, and arms its next wake-up.
    fn settle(&mut self, number: usize) {
        let now = self.now;
        loop {
            let Some(node) = self.nodes.get_mut(number) else { return };
            let Some(router) = &mut node.router else { return };
            match router.poll_output() {
                Some(Output::Frame { port, bytes }) => {
                    self.transmit(number, port, bytes);
                }
                Some(Output::Event(event)) => {
                    if self.told.len() < TOLD_MAX {
                        self.told.push(Told { at: now, router: number, event });
                    }
                }
                None => {
                    if node.version != router.version() {
                        node.version = router.version();
                        self.changed_at = now;
                    }
                    let deadline = router.poll_timeout().map(|deadline| deadline.at.max(now));
                    if let Some(at) = deadline
                        && node.armed.is_none_or(|armed| at < armed)
                    {
                        node.armed = Some(at);
                        self.queue.push(at, Event::Wake { router: number });
                    }
                    return;
                }
            }
        }
    }

    fn transmit(&mut self, number: usize, port: PortId, bytes: PacketBuf) {
        if let Some(tap) = &mut self.tap
            && bytes.len() <= TAPPED_LEN_MAX
            && tap.len() < TAPPED_MAX
        {
            let bytes = bytes.bytes().to_vec();
            tap.push(Tapped { at: self.now, router: number, port, bytes });
        }
        let behind = self
            .wiring
            .get(number)
            .and_then(|ports| ports.get(usize::try_from(port.0).unwrap_or(usize::MAX)))
            .copied();
        match behind {
            Some(Behind::Link(link, side)) => self.onto_link(link, side, bytes),
            Some(Behind::Lan(lan)) => self.onto_lan(lan, bytes),
            Some(Behind::Nothing) | None => {}
        }
    }

    fn onto_lan(&mut self, number: usize, bytes: PacketBuf) {
        let Some(lan) = self.lans.get(number) else { return };
        if lan.is_simulated() {
            let at = self.now + crate::lan::DELAY;
            self.queue.push(at, Event::Lan { lan: number, bytes });
            return;
        }
        if let Some(arrival) = lan.overhear(bytes.bytes()) {
            self.arrivals.push((number, arrival));
        }
        if lan.has_carrier() {
            self.outbox.push(Outside::Lan(number), bytes.into_vec());
        }
    }

    fn onto_link(&mut self, number: usize, side: usize, bytes: PacketBuf) {
        let Some(link) = self.links.get_mut(number) else { return };
        if link.leads_outside() {
            if link.outside_end().is_some() {
                self.outbox.push(Outside::Link(number), bytes.into_vec());
            }
            return;
        }
        let Some(&(router, port)) = link.ends.get(1 - side.min(1)) else { return };
        let [first, second] = link.send(self.now, side, bytes.len(), &mut self.rng);
        if let Some(at) = second {
            self.queue.push(at, Event::Frame { router, port, bytes: bytes.clone() });
        }
        if let Some(at) = first {
            self.queue.push(at, Event::Frame { router, port, bytes });
        }
    }
}

/// Where the ends of a link are while these routers are absent.
fn place(link: &PlannedLink, absent: &BTreeSet<String>) -> Place {
    match link.ends.each_ref().map(|end| absent.contains(&end.router)) {
        [false, false] => Place::Here,
        [true, true] => Place::Elsewhere,
        [far_is_here, _] => Place::Outside { end: usize::from(far_is_here), carrier: false },
    }
}
