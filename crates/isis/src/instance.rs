//! One IS-IS instance: PDUs, port changes and time in; PDUs, adjacency changes and routes out.
//!
//! Drive it like this: after every `handle_*`, take outputs until there are none and wake it at
//! [`Instance::poll_timeout`]. Nothing that a neighbour sends makes a call fail; what is not acted
//! on is counted with its reason.
//!
//! How the parts hang together: hellos make adjacencies (here); a change of an adjacency makes new
//! link-state PDUs of our own (`origination`), which go to the database and from there to the
//! neighbours (`flooding`), as do those of others; a change of the database makes new paths (`spf`)
//! and routes (`route`).
//!
//! Standards: ISO 10589 (level 2, point-to-point circuits), RFC 1195, RFC 5882 §4.
//! Not implemented: level 1, broadcast circuits, graceful restart (RFC 8706), multiple topologies
//! (RFC 5120): IPv4 and IPv6 share one, so every core link carries both or the same one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base::{Deadline, Instant, PortId, Rng, SystemId};

use crate::adjacency::AdjacencyView;
use crate::circuit::{ActiveCircuit, Bfd};
use crate::config::Config;
use crate::counters::Counters;
use crate::database::{Database, LspView};
use crate::error::{NotUpReason, RejectReason};
use crate::origination::{Fragments, GENERATION_DELAY, GENERATION_HOLD};
use crate::pdu::{self, Pdu};
use crate::route::{self, Route};
use crate::snp::LspId;
use crate::spf::{FirstHop, shortest_paths};
use crate::throttle::Throttle;
use crate::topology::{self, Node};
use crate::{authentication, tlv::Tlv};

/// What an instance wants done or known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this, from its first octet 0x83 on, to all intermediate systems.
    Pdu {
        /// Over this port.
        port: PortId,
        /// The PDU.
        bytes: Vec<u8>,
    },
    /// An adjacency came up or went down.
    Adjacency {
        /// The circuit's port.
        port: PortId,
        /// The neighbour.
        neighbour: SystemId,
        /// Whether it is up now.
        up: bool,
        /// Why it is down; `None` where it is up.
        reason: Option<NotUpReason>,
    },
    /// [`Instance::routes`] differs from before.
    RoutesChanged,
}

/// An IS-IS instance.
#[derive(Debug)]
pub struct Instance {
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) circuits: BTreeMap<PortId, ActiveCircuit>,
    /// Known also for ports without a circuit, which may get one.
    ports_up: BTreeSet<PortId>,
    pub(crate) database: Database,
    pub(crate) own: Fragments,
    pub(crate) generation: Throttle,
    spf: Throttle,
    nodes: BTreeMap<SystemId, Node>,
    routes: Vec<Route>,
    pub(crate) counters: Counters,
    pub(crate) outputs: VecDeque<Output>,
}

impl Instance {
    /// An instance all of whose ports are down.
    #[must_use]
    pub fn new(now: Instant, seed: u64, config: Config) -> Self {
        let circuits = config.circuits.iter().cloned();
        let circuits = circuits.map(|c| (c.port, ActiveCircuit::new(now, c))).collect();
        let mut instance = Self {
            config,
            rng: Rng::new(seed),
            circuits,
            ports_up: BTreeSet::new(),
            database: Database::default(),
            own: Fragments::new(),
            generation: Throttle::default(),
            spf: Throttle::default(),
            nodes: BTreeMap::new(),
            routes: Vec::new(),
            counters: Counters::default(),
            outputs: VecDeque::new(),
        };
        instance.generate(now, false);
        instance.request_spf(now);
        instance
    }

    /// Takes a new configuration; adjacencies and database stay where it does not concern them.
    pub fn set_config(&mut self, now: Instant, config: Config) {
        if config == self.config {
            return;
        }
        if config.system_id != self.config.system_id {
            self.change_identity(now);
        }
        let resign = config.authentication != self.config.authentication;
        self.config = config;
        let configured: BTreeMap<PortId, _> =
            self.config.circuits.iter().map(|c| (c.port, c.clone())).collect();
        let gone: Vec<PortId> =
            self.circuits.keys().filter(|port| !configured.contains_key(port)).copied().collect();
        for port in gone {
            self.lose_adjacency(now, port, NotUpReason::ConfigChanged);
            self.circuits.remove(&port);
        }
        for (port, circuit) in configured {
            if let Some(active) = self.circuits.get_mut(&port) {
                active.config = circuit;
                active.hello_at = active.hello_at.map(|_| now);
            } else {
                self.circuits.insert(port, ActiveCircuit::new(now, circuit));
                if self.ports_up.contains(&port) {
                    self.start_circuit(now, port);
                }
            }
        }
        if resign {
            self.generate(now, true);
        }
        self.request_generation(now);
        self.request_spf(now);
        self.flush(now);
    }

    /// Leaves the region under the old system identifier.
    fn change_identity(&mut self, now: Instant) {
        let used = self.own.iter().filter(|(_, fragment)| fragment.contents.is_some());
        let fragments: Vec<u8> = used.map(|(number, _)| *number).collect();
        for fragment in fragments {
            self.withdraw(now, fragment);
        }
        self.flush(now);
        let ports: Vec<PortId> = self.circuits.keys().copied().collect();
        for port in ports {
            self.lose_adjacency(now, port, NotUpReason::ConfigChanged);
        }
        self.database.clear();
        self.own.clear();
    }

    /// A PDU came in over a port; octets after its end are ignored.
    pub fn handle_pdu(&mut self, now: Instant, port: PortId, bytes: &[u8]) {
        if let Err(reason) = self.accept_pdu(now, port, bytes) {
            self.counters.reject(reason);
        }
        self.flush(now);
    }

    fn accept_pdu(&mut self, now: Instant, port: PortId, bytes: &[u8]) -> Result<(), RejectReason> {
        let circuit = self.circuits.get_mut(&port).ok_or(RejectReason::UnknownCircuit)?;
        if !circuit.port_up {
            return Err(RejectReason::PortDown);
        }
        let malformed = |error: crate::DecodeError| RejectReason::Malformed(error.reason);
        let bytes = pdu::trim(bytes).map_err(malformed)?;
        let is_hello =
            bytes.get(4).is_some_and(|kind| kind & 0x1f == crate::codepoints::PDU_HELLO_P2P);
        let checked = match &self.config.authentication {
            Some(authentication) => authentication::verify(bytes, authentication),
            None => Ok(()),
        };
        let decoded = checked.and_then(|()| pdu::decode(bytes).map_err(malformed));
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(reason) => {
                if is_hello {
                    circuit.refuse_hello(reason);
                }
                return Err(reason);
            }
        };
        self.counters.received.count(&decoded);
        match decoded {
            Pdu::Hello(hello) => self.handle_hello(now, port, &hello),
            Pdu::Lsp(lsp) => self.handle_lsp(now, port, bytes, lsp),
            Pdu::Csnp(csnp) => self.handle_csnp(now, port, &csnp),
            Pdu::Psnp(psnp) => self.handle_psnp(now, port, &psnp),
        }
    }

    /// A port came up or went down; those that nothing was heard of are down.
    pub fn handle_port(&mut self, now: Instant, port: PortId, up: bool) {
        let was_up = if up { !self.ports_up.insert(port) } else { self.ports_up.remove(&port) };
        if was_up == up || !self.circuits.contains_key(&port) {
            return;
        }
        if up {
            self.start_circuit(now, port);
        } else {
            self.lose_adjacency(now, port, NotUpReason::PortDown);
            if let Some(circuit) = self.circuits.get_mut(&port) {
                circuit.stop(now);
            }
        }
        self.flush(now);
    }

    fn start_circuit(&mut self, now: Instant, port: PortId) {
        if let Some(circuit) = self.circuits.get_mut(&port) {
            circuit.start(now);
        }
        self.send_hello(now, port);
    }

    /// BFD's session over a port came up or went down. A session that was never up does not hold
    /// an adjacency back, and one that its user takes down on purpose should not be told of.
    pub fn handle_bfd(&mut self, now: Instant, port: PortId, up: bool) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        if !circuit.set_bfd(now, up) {
            return;
        }
        if up {
            // The neighbour may be waiting for what we refused to hear.
            circuit.hello_at = circuit.hello_at.map(|_| now);
        } else {
            self.lose_adjacency(now, port, NotUpReason::BfdDown);
            self.send_hello(now, port);
        }
        self.flush(now);
    }

    /// Does whatever is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let ports: Vec<PortId> = self.circuits.keys().copied().collect();
        for port in &ports {
            self.expire_adjacency(now, *port);
        }
        self.expire_lsps(now);
        if self.generation_due().is_some_and(|due| due <= now) {
            self.generation.take(now);
            self.generate(now, false);
        }
        for port in &ports {
            self.send_due(now, *port);
        }
        self.flush(now);
        if self.spf.take(now) {
            self.run_spf();
        }
    }

    /// When [`Self::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let deadline = |at: Option<Instant>, why| at.map(|at| Deadline { at, why });
        let mut next = deadline(self.spf.due(), "isis path computation");
        next = Deadline::earlier(next, deadline(self.generation_due(), "isis own link-state PDU"));
        let end = deadline(self.database.next_end(), "isis link-state PDU expires");
        next = Deadline::earlier(next, end);
        for circuit in self.circuits.values() {
            let adjacency = circuit.adjacency.as_ref().map(|adjacency| adjacency.holds_until);
            next = Deadline::earlier(next, deadline(adjacency, "isis holding time"));
            next = Deadline::earlier(next, deadline(circuit.hello_at, "isis hello"));
            next = Deadline::earlier(next, deadline(circuit.psnp_at, "isis acknowledgement"));
            next = Deadline::earlier(next, deadline(circuit.csnp_at, "isis database comparison"));
            next = Deadline::earlier(next, deadline(circuit.srm.next(), "isis flooding"));
        }
        next
    }

    /// The next thing to send or to tell; `None` once all is told.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The result of the latest computation of paths, in order of prefixes.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Every router that the latest computation of paths knew, reachable or not.
    #[must_use]
    pub const fn nodes(&self) -> &BTreeMap<SystemId, Node> {
        &self.nodes
    }

    /// Every circuit with its adjacency, in order of ports.
    pub fn adjacencies(&self) -> impl Iterator<Item = AdjacencyView> {
        self.circuits.values().map(|circuit| {
            let neighbour = circuit.adjacency.as_ref().map(|adjacency| adjacency.neighbour);
            AdjacencyView {
                port: circuit.config.port,
                neighbour,
                state: circuit.state(),
                v4: circuit.adjacency.as_ref().and_then(|adjacency| adjacency.v4),
                v6: circuit.adjacency.as_ref().and_then(|adjacency| adjacency.v6),
                hostname: neighbour.and_then(|id| self.hostname(id)).map(str::to_owned),
                not_up: (!circuit.is_up()).then_some(circuit.not_up),
                since: circuit.since,
            }
        })
    }

    /// The link-state database, in order of identifiers.
    pub fn database(&self, now: Instant) -> impl Iterator<Item = LspView> {
        self.database.iter().map(move |(id, entry)| LspView {
            id: *id,
            sequence: entry.lsp.sequence,
            checksum: entry.lsp.checksum,
            lifetime: entry.remaining(now),
            len: entry.len(),
            overload: entry.lsp.overload(),
            hostname: self.hostname(id.system_id).map(str::to_owned),
        })
    }

    /// The contents of one link-state PDU in the database.
    #[must_use]
    pub fn lsp(&self, id: LspId) -> Option<&[Tlv]> {
        self.database.get(id).map(|entry| entry.lsp.tlvs.as_slice())
    }

    /// What was counted since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn hostname(&self, system_id: SystemId) -> Option<&str> {
        self.database.get(LspId { system_id, pseudonode: 0, fragment: 0 })?.hostname()
    }

    pub(crate) fn request_spf(&mut self, now: Instant) {
        self.spf.request(now, self.config.spf_delay, self.config.spf_hold);
    }

    pub(crate) fn request_generation(&mut self, now: Instant) {
        self.generation.request(now, GENERATION_DELAY, GENERATION_HOLD);
    }

    fn run_spf(&mut self) {
        self.counters.spf_runs += 1;
        self.nodes = topology::nodes(&self.database);
        let mut first_hops = Vec::new();
        for circuit in self.circuits.values() {
            let Some(adjacency) = circuit.adjacency.as_ref().filter(|adjacency| adjacency.up)
            else {
                continue;
            };
            first_hops.push(FirstHop {
                port: circuit.config.port,
                neighbour: adjacency.neighbour,
                metric: circuit.config.metric,
                v4: adjacency.v4,
                v6: adjacency.v6,
            });
        }
        let paths = shortest_paths(self.config.system_id, &first_hops, &self.nodes);
        let inputs = route::Inputs {
            config: &self.config,
            first_hops: &first_hops,
            nodes: &self.nodes,
            paths: &paths,
        };
        let (routes, conflicts) = route::routes(inputs);
        self.counters.sid_conflicts = conflicts;
        if routes != self.routes {
            self.routes = routes;
            self.outputs.push_back(Output::RoutesChanged);
        }
    }
}

impl ActiveCircuit {
    fn start(&mut self, now: Instant) {
        self.port_up = true;
        self.bfd = Bfd::NeverUp;
        self.not_up = NotUpReason::NoHello;
        self.since = now;
        self.hello_at = Some(now);
    }

    fn stop(&mut self, now: Instant) {
        self.port_up = false;
        self.bfd = Bfd::NeverUp;
        self.not_up = NotUpReason::PortDown;
        self.since = now;
        self.hello_at = None;
    }

    pub(crate) const fn refuse_hello(&mut self, reason: RejectReason) {
        // Another router's hello does not say why the adjacency that there is would go down.
        if self.adjacency.is_none() {
            self.not_up = NotUpReason::HelloRejected(reason);
        }
    }
}
