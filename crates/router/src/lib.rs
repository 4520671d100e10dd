//! One whole router: frames in, frames out.
//!
//! [`Router`] joins the forwarding lane with IS-IS, BGP, BFD, the TCP connections of BGP and
//! address resolution, under one configuration. It is single-threaded and has no I/O and no clock:
//! the twin and the daemon give it frames and the time, and carry away what it sends. What a frame
//! is about is decided by the lane; what it hands up is routed here to the part concerned, and what
//! the parts say is translated into frames, table entries and events.
//!
//! - `dispatch`: frames and timeouts to the parts, and what the parts say to their effect;
//! - `connection`, `resolver`: TCP for BGP, ARP and neighbour discovery;
//! - `hosts`, `dhcp`, `advertiser`: addresses and advertisements for the hosts of attachments;
//! - [`probes`]: echo requests of the router's own;
//! - `install`: forwarding tables;
//! - `configure`: from one configuration to the next; `numbers`: what neighbours and VRFs are known
//!   by meanwhile; `translate`: to the configurations of the parts; [`ConfigErrors`]: what is wrong
//!   with one;
//! - `show`: the state as people and checkers read it.
//!
//! Standards: RFC 5881 §4–§5 (BFD over UDP, time to live 255), RFC 5082 (BGP between adjacent
//! routers), RFC 5882 §3–§4 (BFD and its clients).
//! Not implemented: management by SNMP or NETCONF.

mod advertiser;
mod configure;
mod connection;
mod dhcp;
mod dispatch;
mod error;
mod event;
mod export;
mod hosts;
mod install;
mod numbers;
pub mod probes;
mod resolver;
mod show;
mod timers;
mod translate;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::net::Ipv4Addr;

use base::{Deadline, Instant, PortId, Rng, VrfId};
use bgp::NeighbourId;
use forwarding::{Forwarder, Tables, Verdict};
use model::config::{self, NeighbourKind, RouterConfig};
use model::view::TableSizes;
use packet::PacketBuf;

use crate::advertiser::Advertiser;
use crate::connection::Connection;
use crate::dhcp::Pool;
use crate::install::Install;
use crate::numbers::Numbers;
use crate::probes::Probes;
use crate::resolver::Resolver;
use crate::timers::{Timer, Timers};

pub use crate::error::{ConfigError, ConfigErrors};
pub use crate::event::Event;

/// Why packets are dropped that waited for a neighbour's Ethernet address.
const GIVEN_UP: &str = "next address on the link does not answer";
/// Why packets for the router itself are dropped.
const UNINVITED: &str = "for the router itself, from nobody that it speaks with";

/// The forwarding tables as proofs and checkers read them.
pub mod tables {
    pub use forwarding::{
        GlobalRoute, Hop, LabelAction, Path, Port, PortKind, Tables, Transport, TransportId, Vrf,
        VrfRoute,
    };
}

/// What happens to a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A frame came in.
    Frame {
        /// Through this port.
        port: PortId,
        /// Its octets.
        bytes: &'a [u8],
    },
    /// A port's link came up or went down; ports are down until told otherwise.
    Port {
        /// The port.
        port: PortId,
        /// Whether it is up now.
        up: bool,
    },
}

/// What a router does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A frame goes out.
    Frame {
        /// Through this port.
        port: PortId,
        /// Its octets.
        bytes: PacketBuf,
    },
    /// Something that people want to know.
    Event(Event),
}

/// One router. Single-threaded; no I/O and no clock of its own.
#[derive(Debug)]
pub struct Router {
    config: RouterConfig,
    /// What its neighbours and VRFs are known by.
    numbers: Numbers,
    seed: u64,
    lane: Forwarder,
    install: Install,
    isis: Option<isis::Instance>,
    bgp: bgp::Instance,
    bfd: BTreeMap<PortId, bfd::Session>,
    connections: BTreeMap<NeighbourId, Connection>,
    /// Which neighbour a TCP packet belongs to: by the VRF, none for the region's own, by our
    /// address and by the neighbour's.
    sessions: BTreeMap<(Option<VrfId>, Ipv4Addr, Ipv4Addr), NeighbourId>,
    resolver: Resolver,
    advertiser: Advertiser,
    /// The addresses that attachments with DHCP lend.
    pools: BTreeMap<PortId, Pool>,
    probes: Probes,
    carrier: BTreeMap<PortId, bool>,
    timers: Timers,
    outputs: VecDeque<Output>,
    batch: Vec<(PortId, PacketBuf)>,
    verdicts: Vec<Verdict>,
    adjacencies_up: usize,
    sessions_up: BTreeSet<NeighbourId>,
    /// Packets for the router itself that are not from a neighbour that it speaks with.
    uninvited: u64,
    /// Parts that were given something since their timers were armed.
    touched: Touched,
}

/// Which of the large parts have to be asked for their deadline again.
#[derive(Debug, Clone, Copy, Default)]
struct Touched {
    isis: bool,
    bgp: bool,
}

impl Router {
    /// A router whose ports are all down.
    ///
    /// # Errors
    /// Everything that is wrong with the configuration.
    pub fn new(now: Instant, seed: u64, config: RouterConfig) -> Result<Self, ConfigErrors> {
        error::check(&config, None)?;
        let mut rng = Rng::new(seed);
        let isis =
            translate::isis(&config).map(|isis| isis::Instance::new(now, rng.next_u64(), isis));
        let numbers = Numbers::default().renumbered(&config);
        let bgp = bgp::Instance::new(now, rng.next_u64(), translate::bgp(&config, &numbers));
        let mut router = Self {
            seed: rng.next_u64(),
            lane: Forwarder::new(rng.next_u64()),
            install: Install::new(),
            isis,
            bgp,
            bfd: BTreeMap::new(),
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            resolver: Resolver::default(),
            // A stream of its own: who has no hosts to serve draws nothing from the others'.
            advertiser: Advertiser::new(Rng::new(!seed)),
            pools: BTreeMap::new(),
            // And who is not asked for a probe, nothing of these.
            probes: Probes::new(Rng::new(!seed).fork()),
            carrier: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            batch: Vec::new(),
            verdicts: Vec::new(),
            adjacencies_up: 0,
            sessions_up: BTreeSet::new(),
            uninvited: 0,
            touched: Touched { isis: true, bgp: true },
            numbers,
            config,
        };
        router.occupy(now);
        router.dispatch_all(now);
        Ok(router)
    }

    /// Takes in what happened. What a peer can cause never fails upward: it is acted on, counted
    /// and explained.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Frame { port, bytes } => self.handle_frame(now, port, bytes),
            Input::Port { port, up } => self.handle_port(now, port, up),
        }
        self.dispatch_all(now);
    }

    /// Acts on everything that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            self.handle_timer(now, timer);
        }
        self.dispatch_all(now);
    }

    /// The next thing to do; after every input, drain to `None` and arm the timer anew.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Router::handle_timeout`] is wanted, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.first()
    }

    /// The forwarding tables. VRFs go by numbers that outlast the configuration in which they had
    /// those places: see [`Router::vrf_number`].
    #[must_use]
    pub const fn tables(&self) -> &Tables {
        &self.install.tables
    }

    /// The configuration in force.
    #[must_use]
    pub const fn config(&self) -> &RouterConfig {
        &self.config
    }

    /// The number by which the forwarding tables know the VRF of a name.
    #[must_use]
    pub fn vrf_number(&self, name: &str) -> Option<VrfId> {
        let mut vrfs = self.numbers.vrfs(&self.config);
        vrfs.find(|(_, vrf)| vrf.name == name).map(|(number, _)| number)
    }

    /// The VRF that the forwarding tables know by a number.
    #[must_use]
    pub fn vrf_of(&self, number: VrfId) -> Option<&config::Vrf> {
        self.numbers.vrf(&self.config, number)
    }

    /// Changes whenever a table does.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.install.version()
    }

    /// IS-IS adjacencies that are up.
    #[must_use]
    pub const fn adjacencies_up(&self) -> usize {
        self.adjacencies_up
    }

    /// BGP sessions that are established with routers of the region; third parties' are not
    /// counted: whether they run is not the region's doing.
    #[must_use]
    pub fn sessions_up(&self) -> usize {
        let is_own = |neighbour: &&NeighbourId| {
            let neighbour = self.numbers.neighbour(&self.config, **neighbour);
            !neighbour.is_some_and(|one| matches!(one.kind, NeighbourKind::Customer { .. }))
        };
        self.sessions_up.iter().filter(is_own).count()
    }

    /// Whether BGP has nothing left to say and nothing to wait for, and its neighbours have
    /// everything it said.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.bgp.is_settled() && self.connections.values().all(Connection::is_delivered)
    }

    /// Packets that ran out of time to live here.
    #[must_use]
    pub fn packets_expired(&self) -> u64 {
        self.lane.counters().dropped(forwarding::DropReason::TtlExpired)
    }

    /// Packets dropped so far, by reason in words.
    pub fn drops(&self) -> impl Iterator<Item = (String, u64)> {
        let counters = self.lane.counters();
        let dropped = forwarding::DropReason::ALL
            .iter()
            .map(|reason| (reason.to_string(), counters.dropped(*reason)));
        let own = [(GIVEN_UP, self.resolver.given_up()), (UNINVITED, self.uninvited)];
        let own = own.map(|(reason, count)| (reason.to_owned(), count));
        dropped.chain(own).filter(|(_, count)| *count > 0)
    }

    /// Messages of neighbours that were not acted on so far: of which protocol, why, and how many.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<(&'static str, String), u64> {
        let isis = self.isis.iter().flat_map(|isis| isis.counters().rejections());
        let isis = isis.map(|(reason, count)| (("is-is", reason.to_string()), count));
        let bfd = self.bfd.values().flat_map(|session| session.counters().discards());
        let bfd = bfd.map(|(reason, count)| (("bfd", reason.to_string()), count));
        let mut all = BTreeMap::new();
        for (why, count) in isis.chain(bfd).filter(|(_, count)| *count > 0) {
            *all.entry(why).or_default() += count;
        }
        all
    }

    /// How many entries the tables have.
    #[must_use]
    pub fn sizes(&self) -> TableSizes {
        let tables = self.tables();
        TableSizes {
            vrf_routes: tables.vrfs().map(|(_, vrf)| vrf.routes.len()).sum(),
            global_routes: tables.global().len(),
            labels: tables.labels().count(),
            bgp_paths: self.bgp.sizes().prefixes,
        }
    }

    fn arm(&mut self, timer: Timer) {
        let deadline = match timer {
            Timer::Bfd(port) => self.bfd.get(&port).and_then(bfd::Session::poll_timeout),
            Timer::Isis => self.isis.as_ref().and_then(isis::Instance::poll_timeout),
            Timer::Bgp => self.bgp.poll_timeout(),
            Timer::Connection(id) => self.connections.get(&id).and_then(Connection::poll_timeout),
            Timer::Resolver => self.resolver.poll_timeout(),
            Timer::Advertiser => self.advertiser.poll_timeout(),
            Timer::Probes => self.probes.poll_timeout(),
        };
        self.timers.arm(timer, deadline);
    }
}
