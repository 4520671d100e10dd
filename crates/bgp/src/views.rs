//! What people, checkers and proofs may look at: borrowed, never a second copy kept in step.
//!
//! Everything that is not used says why: a session that is not up, a route that was refused, a
//! path that is not the best.
//!
//! Standards: none of its own.
//! Not implemented: none.

use base::{Instant, Label, LabelSpace, Prefix, VrfId};
use core::fmt;
use core::ops::Bound;

use crate::config::{self, NeighbourId, Vrf};
use crate::decision::{self, Candidate, Reason};
use crate::instance::Instance;
use crate::labels::LabelBinding;
use crate::neighbour::Counters;
use crate::nlri::Membership;
use crate::policy::RejectReason;
use crate::rib::{Path, Source};
use crate::route::{FamilySet, LabelledNextHop, VpnPrefix};
use crate::session::{self, NotUpReason};
use crate::vrf::{VrfPath, Way};

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathState {
    /// It is used.
    Best,
    /// Another is better by this step of the decision process.
    NotBest(Reason),
    /// Its session is lost, and it is kept for a while: best, or not for this reason.
    Stale(Option<Reason>),
    /// It may not or cannot be used.
    Refused(RejectReason),
}

impl PathState {
    const fn of(reason: Option<Reason>, stale: bool) -> Self {
        match (reason, stale) {
            (_, true) => Self::Stale(reason),
            (Some(reason), false) => Self::NotBest(reason),
            (None, false) => Self::Best,
        }
    }
}

impl fmt::Display for PathState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("best"),
            Self::NotBest(reason) => reason.fmt(f),
            Self::Stale(None) => f.write_str("best, stale"),
            Self::Stale(Some(reason)) => write!(f, "{reason}, stale"),
            Self::Refused(reason) => reason.fmt(f),
        }
    }
}

/// One neighbour.
#[derive(Debug, Clone)]
pub struct NeighbourView<'a> {
    /// What was configured.
    pub config: &'a config::Neighbour,
    /// The state of the session.
    pub state: session::State,
    /// When it last came up or went down.
    pub since: Instant,
    /// Why it is not up.
    pub not_up: Option<NotUpReason>,
    /// Until when it is kept out because it announced too much.
    pub kept_out_until: Option<Instant>,
    /// The families that both speak.
    pub families: FamilySet,
    /// How many routes it announces, accepted or not.
    pub received: usize,
    /// How many of them are accepted.
    pub accepted: usize,
    /// How many of them outlived their session and were not announced again.
    pub stale: usize,
    /// When those end.
    pub stale_until: Option<Instant>,
    /// How many routes it was sent.
    pub sent: usize,
    /// What was counted about routes.
    pub counters: &'a Counters,
    /// What was counted about messages.
    pub session: &'a session::Counters,
}

/// One VPN prefix and its paths.
#[derive(Debug, Clone)]
pub struct RouteView<'a> {
    /// The prefix.
    pub key: VpnPrefix,
    /// The paths, by source.
    pub paths: Vec<(&'a Path, PathState)>,
}

/// One prefix of a VRF and the ways to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VrfRouteView {
    /// The prefix.
    pub prefix: Prefix,
    /// What the driver was given: the way in use, then the one in reserve.
    pub delivered: Vec<VrfPath>,
    /// Every usable way, and why all but one are not the best.
    pub paths: Vec<(VrfPath, PathState)>,
}

/// One VRF.
#[derive(Debug, Clone)]
pub struct VrfView<'a> {
    /// What was configured.
    pub config: &'a Vrf,
    /// Its label.
    pub label: Option<Label>,
    /// What it imports.
    pub routes: Vec<VrfRouteView>,
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// VPN prefixes.
    pub prefixes: usize,
    /// Different sets of path attributes.
    pub attributes: usize,
    /// Labels that mean something.
    pub labels: usize,
}

impl Instance {
    /// Every neighbour.
    pub fn neighbours(&self) -> impl Iterator<Item = NeighbourView<'_>> {
        self.tables.neighbours.keys().filter_map(|&id| self.neighbour(id))
    }

    /// One neighbour.
    #[must_use]
    pub fn neighbour(&self, id: NeighbourId) -> Option<NeighbourView<'_>> {
        let (neighbour, peer) = (self.tables.neighbours.get(&id)?, self.peers.get(&id)?);
        let accepted = neighbour.received.iter().filter(|&&key| {
            let path = if neighbour.is_customer() {
                self.tables.heard_path(id, key.prefix)
            } else {
                let entry = self.tables.rib.entry(key);
                entry.and_then(|entry| entry.path(Source::Neighbour(id)))
            };
            path.is_some_and(|path| path.refused.is_none())
        });
        Some(NeighbourView {
            config: &neighbour.config,
            state: peer.session.state(),
            since: peer.since,
            not_up: peer.session.not_up_reason(),
            kept_out_until: peer.kept_out_until,
            families: neighbour.link.map_or(FamilySet::EMPTY, |link| link.families),
            received: neighbour.received.len(),
            accepted: accepted.count(),
            stale: neighbour.stale_routes(),
            stale_until: neighbour.stale.as_ref().map(|stale| stale.until),
            sent: neighbour.out.sent.len(),
            counters: &neighbour.counters,
            session: peer.session.counters(),
        })
    }

    /// Every VPN prefix.
    pub fn routes(&self) -> impl Iterator<Item = RouteView<'_>> {
        let keys = self.tables.rib.range(Bound::Unbounded).map(|(key, _)| key);
        keys.filter_map(|key| self.route(key))
    }

    /// One VPN prefix.
    #[must_use]
    pub fn route(&self, key: VpnPrefix) -> Option<RouteView<'_>> {
        let entry = self.tables.rib.entry(key)?;
        let usable: Vec<(usize, Candidate<'_>)> = entry
            .paths()
            .iter()
            .enumerate()
            .filter_map(|(position, path)| Some((position, self.tables.candidate(key, path)?)))
            .collect();
        let ladder: Vec<Candidate<'_>> = usable.iter().map(|(_, candidate)| *candidate).collect();
        let (_, reasons) = decision::rank(&ladder);
        let mut paths: Vec<(&Path, PathState)> = entry
            .paths()
            .iter()
            .map(|path| {
                let reason = path.refused.unwrap_or(RejectReason::NextHopUnreachable);
                (path, PathState::Refused(reason))
            })
            .collect();
        for ((position, _), reason) in usable.iter().zip(reasons) {
            if let Some((path, state)) = paths.get_mut(*position) {
                *state = PathState::of(reason, self.tables.is_stale(key, path));
            }
        }
        Some(RouteView { key, paths })
    }

    /// Every VRF.
    pub fn vrfs(&self) -> impl Iterator<Item = VrfView<'_>> {
        self.tables.vrfs.keys().filter_map(|&id| self.vrf(id))
    }

    /// One VRF.
    #[must_use]
    pub fn vrf(&self, id: VrfId) -> Option<VrfView<'_>> {
        let table = self.tables.vrfs.get(&id)?;
        let route = |prefix| {
            let ways = self.tables.ways(table, prefix);
            let ladder: Vec<Candidate<'_>> = ways.iter().map(|way| way.candidate).collect();
            let (_, reasons) = decision::rank(&ladder);
            let states = ways.iter().zip(reasons).map(|(Way { way, path, .. }, reason)| {
                let key = VpnPrefix { rd: way.rd, prefix };
                (*way, PathState::of(reason, self.tables.is_stale(key, path)))
            });
            VrfRouteView {
                prefix,
                delivered: table.delivered().get(&prefix).cloned().unwrap_or_default(),
                paths: states.collect(),
            }
        };
        let routes = table.prefixes().map(route).collect();
        Some(VrfView { config: &table.config, label: table.label, routes })
    }

    /// What a neighbour was sent: the prefix (to a router inside a VRF, without route
    /// distinguisher), and the next hop and label that it was told.
    pub fn sent(&self, id: NeighbourId) -> impl Iterator<Item = (VpnPrefix, LabelledNextHop)> {
        let neighbour = self.tables.neighbours.get(&id);
        let sent = neighbour.into_iter().flat_map(|neighbour| &neighbour.out.sent);
        sent.map(|(&key, sent)| (key, sent.to))
    }

    /// Every label that means something here.
    pub fn labels(&self) -> impl Iterator<Item = (LabelSpace, Label, LabelBinding)> {
        self.tables.labels.bindings()
    }

    /// What each neighbour asked for.
    pub fn memberships(&self) -> impl Iterator<Item = (NeighbourId, Membership)> {
        self.tables.neighbours.iter().flat_map(|(&id, neighbour)| {
            neighbour.asked.iter().map(move |membership| (id, membership))
        })
    }

    /// How much there is of everything.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            prefixes: self.tables.rib.len(),
            attributes: self.tables.rib.attributes.len(),
            labels: self.labels().count(),
        }
    }
}
