//! Which routers there are, and what is at the other end of each port.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{LabelSpace, PortId};
use model::config::{NeighbourKind, Port, PortKind, RouterConfig};
use model::plan::Plan;
use model::tables::{self, Accepts};

use crate::failure::Gone;

/// What remains of a plan's network.
#[derive(Debug)]
pub(super) struct Net<'a> {
    pub(super) plan: &'a Plan,
    is_there: Vec<bool>,
    /// The other end of every port with a link, by router.
    far: Vec<BTreeMap<PortId, (usize, PortId)>>,
}

impl<'a> Net<'a> {
    pub(super) fn new(plan: &'a Plan, gone: &Gone) -> Self {
        let places: BTreeMap<&str, usize> = plan
            .routers
            .iter()
            .enumerate()
            .map(|(place, one)| (one.name.as_str(), place))
            .collect();
        let is_there = (0..plan.routers.len()).map(|place| !gone.routers.contains(&place));
        let is_there: Vec<bool> = is_there.collect();
        let mut far = vec![BTreeMap::new(); plan.routers.len()];
        for (number, link) in plan.links.iter().enumerate() {
            if gone.links.contains(&number) {
                continue;
            }
            let [a, b] = &link.ends;
            for (near, other) in [(a, b), (b, a)] {
                let place = |name: &str| places.get(name).copied();
                let (Some(near_at), Some(far_at)) = (place(&near.router), place(&other.router))
                else {
                    continue;
                };
                if is_there.get(far_at) == Some(&true)
                    && let Some(ports) = far.get_mut(near_at)
                {
                    ports.insert(near.port, (far_at, other.port));
                }
            }
        }
        Self { plan, is_there, far }
    }

    pub(super) fn is_there(&self, router: usize) -> bool {
        self.is_there.get(router) == Some(&true)
    }

    pub(super) fn config(&self, router: usize) -> Option<&'a RouterConfig> {
        self.plan.routers.get(router)
    }

    pub(super) fn far(&self, router: usize, port: PortId) -> Option<(usize, PortId)> {
        self.far.get(router)?.get(&port).copied()
    }

    /// The ports of a router as its tables have them.
    pub(super) fn ports(&self, router: usize) -> Vec<tables::Port> {
        let Some(config) = self.config(router) else { return Vec::new() };
        let one = |(id, port): (PortId, &Port)| {
            let accepts = accepts(config, id, &port.kind)?;
            let is_link = !matches!(accepts, Accepts::Attachment { .. });
            let up = !is_link || self.far(router, id).is_some();
            Some(tables::Port { id, name: port.name.clone(), up, accepts })
        };
        config.ports().filter_map(one).collect()
    }
}

fn accepts(config: &RouterConfig, id: PortId, kind: &PortKind) -> Option<Accepts> {
    Some(match kind {
        PortKind::CoreLink { .. } => Accepts::Core,
        PortKind::Uplink { .. } if config.isis.is_none() => {
            Accepts::Uplink { space: LabelSpace::Platform, sources: None }
        }
        PortKind::Uplink { .. } => {
            let mut sources = Vec::new();
            for neighbour in &config.neighbours {
                if let NeighbourKind::Site { port, accept, .. } = &neighbour.kind
                    && *port == id
                {
                    sources.extend(accept.iter().map(|route| route.prefix));
                }
            }
            sources.sort_unstable();
            sources.dedup();
            Accepts::Uplink { space: LabelSpace::Port(id), sources: Some(sources) }
        }
        PortKind::Attachment { vrf, sources, .. } => {
            Accepts::Attachment { vrf: *vrf, sources: sources.clone() }
        }
        PortKind::Unused => return None,
    })
}

/// The port of this number.
pub(super) fn port(config: &RouterConfig, id: PortId) -> Option<&Port> {
    config.ports.get(usize::try_from(id.0).ok()?)
}

/// The far end's address on a link.
pub(super) fn peer(config: &RouterConfig, id: PortId) -> Option<Ipv4Addr> {
    match port(config, id)?.kind {
        PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. } => Some(peer),
        PortKind::Attachment { .. } | PortKind::Unused => None,
    }
}
