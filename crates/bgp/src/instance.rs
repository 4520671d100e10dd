//! One whole speaker: its sessions and its tables, driven by whoever has the sockets and the clock.
//!
//! The driver carries bytes, says what time it is, which neighbours may be spoken to and which next
//! hops can be reached. After every call it drains [`Instance::poll_output`] to `None` and sets its
//! timer by [`Instance::poll_timeout`].
//!
//! Sending is pulled: after [`Output::Transmit`] the driver calls [`Instance::transmit`] as soon as
//! the connection has room, and gets what is newest at that moment. [`Output::Close`] comes after
//! a last [`Output::Transmit`] where there are last words.
//!
//! A neighbour that announces more routes than it may is told so (Cease, maximum number of prefixes
//! reached), its session ends, and it may come back after [`PENALTY_FIRST`], twice as long each time
//! that it does not behave for as long as it was kept out.
//!
//! A connection that is lost without a word may leave routes behind for a while
//! ([`crate::graceful_restart`]); every other end of a session leaves none.
//!
//! Standards: RFC 4271 §6.7 and RFC 4486 (Cease), RFC 9384 (BFD down).
//! Not implemented: see the files of each part.

use std::collections::BTreeMap;

use base::{Deadline, Duration, Instant, Label, LabelSpace, Prefix, Rng, VrfId};
use core::net::IpAddr;

use crate::config::{Config, Neighbour, NeighbourId, NeighbourKind};
use crate::labels::LabelTable;
use crate::neighbour::Link;
use crate::notification::CeaseSubcode;
use crate::policy::{Identity, RejectReason};
use crate::route::{Family, FamilySet, VpnPrefix};
use crate::session::{self, DownReason, Event, Session};
use crate::tables::Tables;

pub use crate::labels::LabelBinding;
pub use crate::rib::Source;
pub use crate::vrf::VrfPath;

/// How long a neighbour that went over its limit is kept out the first time: long enough that its
/// operator notices, short enough for a mistake that was mended.
pub const PENALTY_FIRST: Duration = Duration::from_secs(30);

/// The longest that it is kept out.
pub const PENALTY_MAX: Duration = Duration::from_secs(960);

/// What the driver is to do, or to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Make a connection to this neighbour.
    Connect(NeighbourId),
    /// Send what was given for this neighbour, then close its connection or stop making it.
    Close(NeighbourId),
    /// Something waits for this neighbour: call [`Instance::transmit`] when there is room. Said
    /// again after a call that did not take everything.
    Transmit(NeighbourId),
    /// What a VRF is to do with a prefix.
    Vrf {
        /// The VRF.
        vrf: VrfId,
        /// The prefix.
        prefix: Prefix,
        /// The way to use first, then the way in reserve; empty: none any more.
        paths: Vec<VrfPath>,
    },
    /// What an incoming label means.
    Label {
        /// Where it came in.
        space: LabelSpace,
        /// The label.
        label: Label,
        /// Its meaning; `None`: none any more.
        binding: Option<LabelBinding>,
    },
    /// A session came up or went down, for people.
    Session {
        /// With whom.
        neighbour: NeighbourId,
        /// Whether it is up now.
        up: bool,
        /// Why it is down.
        reason: Option<DownReason>,
    },
    /// Routes are refused, for people; not more often than
    /// [`crate::neighbour::REJECTED_EVENT_INTERVAL`] per neighbour and reason.
    Rejected {
        /// Whose.
        neighbour: NeighbourId,
        /// Which route, where it is about one.
        key: Option<VpnPrefix>,
        /// Why.
        reason: RejectReason,
    },
}

/// One speaker.
#[derive(Debug)]
pub struct Instance {
    pub(crate) config: Config,
    pub(crate) peers: BTreeMap<NeighbourId, Peer>,
    pub(crate) tables: Tables,
    rng: Rng,
    /// The last words of sessions that are no longer configured.
    farewells: BTreeMap<NeighbourId, Vec<u8>>,
}

/// The session side of a neighbour.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) session: Session,
    /// When the session last came up or went down.
    pub(crate) since: Instant,
    allowed: bool,
    /// How long it was last kept out, and until when it is.
    penalty: Duration,
    pub(crate) kept_out_until: Option<Instant>,
    /// What the session itself wants sent.
    outbox: Vec<u8>,
    announced: bool,
}

/// What an event asks for once the session is no longer lent out.
enum Step {
    Nothing,
    Connect,
    Close,
    Established,
    Down(DownReason),
    EndOfRib(Family),
    Refresh(Family),
    Breach,
}

impl Instance {
    /// A speaker that begins to speak at once, to every neighbour.
    #[must_use]
    pub fn new(now: Instant, seed: u64, config: Config) -> Self {
        let mut rng = Rng::new(seed);
        let labels = LabelTable::new(config.labels, rng.fork());
        let mut instance = Self {
            tables: Tables::new(Identity::from(&config), labels),
            peers: BTreeMap::new(),
            rng,
            farewells: BTreeMap::new(),
            config: Config { neighbours: Vec::new(), vrfs: Vec::new(), ..config.clone() },
        };
        instance.set_config(now, config);
        instance
    }

    /// Takes over another configuration. Sessions whose parameters did not change stay up; policy is
    /// applied to the routes that are already there.
    pub fn set_config(&mut self, now: Instant, config: Config) {
        let restart = !same_speaker(&self.config, &config);
        let mut allowed = BTreeMap::new();
        for former in core::mem::take(&mut self.config.neighbours) {
            let wanted = config.neighbours.iter().find(|wanted| wanted.id == former.id);
            if wanted.is_some_and(|wanted| !restart && same_session(&former, wanted)) {
                continue;
            }
            let cease = match wanted {
                Some(_) => CeaseSubcode::ConfigurationChange,
                None => CeaseSubcode::PeerDeconfigured,
            };
            if let Some(peer) = self.remove_peer(now, former.id, cease) {
                allowed.insert(former.id, peer.allowed);
            }
        }
        self.tables.own = Identity::from(&config);
        let mut over_limit = Vec::new();
        for neighbour in &config.neighbours {
            if !self.peers.contains_key(&neighbour.id) {
                let allowed = allowed.get(&neighbour.id).copied().unwrap_or(true);
                self.add_peer(now, &config, neighbour.clone(), allowed);
            } else if !self.tables.set_policy(now, neighbour.clone()) {
                over_limit.push(neighbour.id);
            }
        }
        self.tables.configure(now, &config);
        self.config = config;
        for id in over_limit {
            self.keep_out(now, id);
        }
        let ids: Vec<NeighbourId> = self.peers.keys().copied().collect();
        for id in ids {
            self.pump(now, id);
        }
        self.finish(now);
    }

    fn add_peer(&mut self, now: Instant, config: &Config, neighbour: Neighbour, allowed: bool) {
        let (may_speak, graceful_restart) = match neighbour.kind {
            NeighbourKind::Internal { .. } => (FamilySet::ALL, true),
            NeighbourKind::Customer(_) => (FamilySet::UNICAST, true),
            NeighbourKind::Site(_) | NeighbourKind::Core { .. } => (FamilySet::ALL, false),
        };
        let families = neighbour.families.iter().copied();
        let settings = session::Config {
            local_as: config.as_number,
            peer_as: neighbour.as_number,
            router_id: config.router_id,
            hold_time: config.hold_time,
            connect_retry: config.connect_retry,
            families: families.filter(|&family| may_speak.contains(family)).collect(),
            passive: neighbour.passive,
            graceful_restart,
        };
        let mut session = Session::new(settings, self.rng.fork());
        if allowed {
            session.start(now);
        }
        let peer = Peer {
            session,
            since: now,
            allowed,
            penalty: Duration::ZERO,
            kept_out_until: None,
            outbox: Vec::new(),
            announced: false,
        };
        self.peers.insert(neighbour.id, peer);
        self.tables.add_neighbour(neighbour);
    }

    fn remove_peer(&mut self, now: Instant, id: NeighbourId, cease: CeaseSubcode) -> Option<Peer> {
        self.peers.get_mut(&id)?.session.stop(now, cease);
        self.pump(now, id);
        self.tables.remove_neighbour(now, id);
        let mut peer = self.peers.remove(&id)?;
        if !peer.outbox.is_empty() {
            self.farewells.insert(id, core::mem::take(&mut peer.outbox));
        }
        Some(peer)
    }

    /// Whether the neighbour may be spoken to: its port is up and BFD does not say that the path is
    /// dead. Neighbours are allowed until said otherwise.
    pub fn set_allowed(&mut self, now: Instant, id: NeighbourId, allowed: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if core::mem::replace(&mut peer.allowed, allowed) == allowed {
            return;
        }
        if !allowed {
            peer.session.stop(now, CeaseSubcode::BfdDown);
            self.tables.drop_stale(now, id, FamilySet::ALL);
        } else if peer.kept_out_until.is_none() {
            peer.session.start(now);
        }
        self.pump(now, id);
        self.finish(now);
    }

    /// Ends every session with a word, for good: the router is shut down.
    pub fn stop(&mut self, now: Instant) {
        let ids: Vec<NeighbourId> = self.peers.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.allowed = false;
            peer.session.stop(now, CeaseSubcode::AdministrativeShutdown);
            self.tables.drop_stale(now, id, FamilySet::ALL);
            self.pump(now, id);
        }
        self.finish(now);
    }

    /// The connection to a neighbour is up, whoever made it.
    pub fn handle_connected(&mut self, now: Instant, id: NeighbourId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.session.state().is_open() {
            // What was meant for an earlier connection must not reach this one.
            peer.outbox.clear();
            peer.announced = false;
            self.farewells.remove(&id);
        }
        peer.session.handle_connected(now);
        self.pump(now, id);
        self.finish(now);
    }

    /// The connection to a neighbour is gone, or could not be made.
    pub fn handle_closed(&mut self, now: Instant, id: NeighbourId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.session.handle_closed(now);
        self.pump(now, id);
        self.finish(now);
    }

    /// Bytes from a neighbour, any number of them.
    pub fn handle_bytes(&mut self, now: Instant, id: NeighbourId, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            // After a pump only a part of one message is left; there is always room.
            let room = peer.session.receive_room().clamp(1, rest.len());
            let (chunk, after) = rest.split_at(room);
            peer.session.receive(now, chunk);
            self.pump(now, id);
            rest = after;
        }
        self.finish(now);
    }

    /// Asks a neighbour to send its routes of a family again (RFC 2918). Nothing here needs that; it
    /// is for operators who doubt.
    pub fn request_refresh(&mut self, now: Instant, id: NeighbourId, family: Family) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.session.request_refresh(family);
        self.collect(id);
        self.finish(now);
    }

    /// The complete set of next hops that the IGP reaches, with their metrics.
    pub fn handle_next_hops(&mut self, now: Instant, reachable: BTreeMap<IpAddr, u32>) {
        for next_hop in self.tables.next_hops.set_igp(reachable) {
            self.tables.decide_next_hop(now, next_hop);
        }
        self.finish(now);
    }

    /// Acts on the timers that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let ids: Vec<NeighbourId> = self.peers.keys().copied().collect();
        for id in ids {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.session.handle_timeout(now);
            if peer.kept_out_until.take_if(|until| *until <= now).is_some() && peer.allowed {
                peer.session.start(now);
            }
            self.pump(now, id);
        }
        self.tables.handle_timeout(now);
        self.finish(now);
    }

    /// When [`Self::handle_timeout`] is to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let sessions = self.peers.values().flat_map(|peer| {
            let why = "bgp neighbour may come back";
            [peer.session.poll_timeout(), peer.kept_out_until.map(|at| Deadline { at, why })]
        });
        sessions.fold(self.tables.poll_timeout(), Deadline::earlier)
    }

    /// What the driver is to do or to know next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.tables.outputs.pop_front()
    }

    /// Appends what waits for a neighbour: whole messages, while `out` is shorter than `limit`. It
    /// may be exceeded by one batch (at most a few hundred routes), so leave some slack.
    ///
    /// Labels that the bytes mention are in [`Self::poll_output`] afterwards: drain it before the
    /// bytes are sent, and nobody uses a label that does not work yet.
    pub fn transmit(&mut self, now: Instant, id: NeighbourId, out: &mut Vec<u8>, limit: usize) {
        if let Some(mut farewell) = self.farewells.remove(&id) {
            out.append(&mut farewell);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.announced = false;
        out.append(&mut peer.outbox);
        if peer.session.negotiated().is_some() {
            self.tables.fill(now, id, out, limit);
        }
        if let Some(neighbour) = self.tables.neighbours.get_mut(&id) {
            neighbour.announce(now);
        }
        self.finish(now);
    }

    /// Whether nothing is under way: every established session has exchanged all its routes, and
    /// nothing waits to be sent.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let quiet = self.peers.values().all(|peer| peer.outbox.is_empty());
        quiet && self.farewells.is_empty() && self.tables.is_settled()
    }

    /// Acts on what a session has to say until it has nothing more.
    fn pump(&mut self, now: Instant, id: NeighbourId) {
        loop {
            let Some(peer) = self.peers.get_mut(&id) else { return };
            let step = match peer.session.poll_event(now) {
                None => break,
                Some(Event::Update(update)) => match self.tables.handle_update(now, id, &update) {
                    Ok(()) => Step::Nothing,
                    Err(_) => Step::Breach,
                },
                Some(Event::Connect) => Step::Connect,
                Some(Event::Close) => Step::Close,
                Some(Event::Established) => Step::Established,
                Some(Event::Down(reason)) => Step::Down(reason),
                Some(Event::EndOfRib(family)) => Step::EndOfRib(family),
                Some(Event::Refresh(family)) => Step::Refresh(family),
            };
            self.act(now, id, step);
        }
        self.collect(id);
    }

    fn act(&mut self, now: Instant, id: NeighbourId, step: Step) {
        match step {
            Step::Nothing => {}
            Step::Connect => self.tables.outputs.push_back(Output::Connect(id)),
            Step::Close => {
                self.collect(id);
                self.tables.outputs.push_back(Output::Close(id));
            }
            Step::Established => {
                let Some(peer) = self.peers.get_mut(&id) else { return };
                let Some(negotiated) = peer.session.negotiated() else { return };
                let link = Link::from(negotiated);
                peer.since = now;
                self.tables.handle_up(now, id, link);
                let event = Output::Session { neighbour: id, up: true, reason: None };
                self.tables.outputs.push_back(event);
            }
            Step::Down(reason) => {
                let Some(peer) = self.peers.get_mut(&id) else { return };
                peer.since = now;
                self.tables.handle_down(now, id, reason == DownReason::ConnectionLost);
                let event = Output::Session { neighbour: id, up: false, reason: Some(reason) };
                self.tables.outputs.push_back(event);
            }
            Step::EndOfRib(family) => self.tables.handle_end_of_rib(now, id, family),
            Step::Refresh(family) => self.tables.handle_refresh(now, id, family),
            Step::Breach => self.keep_out(now, id),
        }
    }

    /// Ends the session of a neighbour that went over its limit.
    fn keep_out(&mut self, now: Instant, id: NeighbourId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let behaved = now.since(peer.since) >= peer.penalty;
        peer.penalty = if peer.penalty.is_zero() || behaved {
            PENALTY_FIRST
        } else {
            (peer.penalty * 2).min(PENALTY_MAX)
        };
        peer.kept_out_until = Some(now + peer.penalty);
        peer.session.stop(now, CeaseSubcode::MaximumPrefixes);
        self.tables.drop_stale(now, id, FamilySet::ALL);
    }

    /// Takes over what a session wants sent.
    fn collect(&mut self, id: NeighbourId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.session.take_transmit(&mut peer.outbox);
        if !peer.outbox.is_empty() && !peer.announced {
            peer.announced = true;
            self.tables.outputs.push_back(Output::Transmit(id));
        }
    }

    /// What every input ends with.
    fn finish(&mut self, now: Instant) {
        self.tables.settle(now);
        self.tables.announce_due(now);
    }
}

/// Whether nothing changed that every session depends on.
fn same_speaker(a: &Config, b: &Config) -> bool {
    Identity::from(a) == Identity::from(b)
        && a.hold_time == b.hold_time
        && a.connect_retry == b.connect_retry
}

/// Whether nothing changed that this session depends on.
fn same_session(a: &Neighbour, b: &Neighbour) -> bool {
    a.address == b.address
        && a.local_address == b.local_address
        && a.as_number == b.as_number
        && a.families == b.families
        && a.passive == b.passive
        && core::mem::discriminant(&a.kind) == core::mem::discriminant(&b.kind)
}
