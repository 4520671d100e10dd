//! The router's state as people, checkers and programs read it.

use std::collections::BTreeMap;

use base::{PortId, VrfId};
use bgp::Source;
use bgp::session::State;
use forwarding::{Hop, LabelAction, Path, Transport, TransportId, VrfRoute};
use model::view::{
    AdjacencyView, GlobalRouteView, HopView, LabelView, PathView, PortView, RouterView,
    SessionView, Traffic, VrfRouteView,
};

use crate::Router;

impl Router {
    /// The router at a glance.
    #[must_use]
    pub fn view(&self) -> RouterView {
        RouterView {
            name: self.config.name.clone(),
            generation: self.config.generation,
            ports: self.config.ports().map(|(id, _)| self.port_view(id)).collect(),
            adjacencies: self.adjacency_views(),
            refusals: self
                .refusals()
                .into_iter()
                .map(|((protocol, reason), count)| (format!("{protocol}: {reason}"), count))
                .collect(),
            sessions: self
                .numbers
                .neighbours(&self.config)
                .filter_map(|(id, _)| self.bgp.neighbour(id))
                .map(|one| session_view(&one))
                .collect(),
            sizes: self.sizes(),
        }
    }

    fn port_view(&self, port: PortId) -> PortView {
        let bfd = self.bfd.get(&port).map(bfd::Session::view);
        let carrier = self.carrier.get(&port).copied().unwrap_or(false);
        let up = self.tables().port(port).is_some_and(|port| port.up);
        let not_up = bfd.as_ref().and_then(|bfd| bfd.not_up).map(|reason| reason.to_string());
        let counters = self.lane.counters().port(port);
        let traffic = counters.map_or_else(Traffic::default, |counters| Traffic {
            frames_in: counters.received.packets,
            octets_in: counters.received.octets,
            frames_out: counters.sent.packets,
            octets_out: counters.sent.octets,
        });
        PortView {
            port,
            name: self.port_name(port),
            up,
            bfd: bfd.map(|bfd| bfd.state.to_string()),
            reason: if carrier { not_up } else { Some("no carrier".to_owned()) },
            traffic,
            drops: counters.map_or_else(BTreeMap::new, |counters| {
                counters.drops().map(|(reason, count)| (reason.to_string(), count)).collect()
            }),
        }
    }

    fn adjacency_views(&self) -> Vec<AdjacencyView> {
        let adjacencies = self.isis.iter().flat_map(isis::Instance::adjacencies);
        adjacencies
            .map(|one| AdjacencyView {
                port: one.port,
                neighbour: one
                    .hostname
                    .or_else(|| one.neighbour.map(|id| id.to_string()))
                    .unwrap_or_else(|| "nobody".to_owned()),
                up: one.state == isis::AdjacencyState::Up,
                state: adjacency_state(one.state).to_owned(),
                since: one.since,
                reason: one.not_up.map(|reason| reason.to_string()),
            })
            .collect()
    }

    fn vrf_name(&self, number: VrfId) -> &str {
        self.vrf_of(number).map_or("?", |vrf| vrf.name.as_str())
    }

    fn source_name(&self, source: Source) -> String {
        match source {
            Source::Neighbour(id) => self.neighbour_name(id),
            Source::Vrf(vrf) => {
                format!("vrf {}", self.vrf_name(vrf))
            }
        }
    }

    /// The routes of all VRFs, or of the one of this name, with every path that was considered.
    #[must_use]
    pub fn vrf_routes(&self, name: Option<&str>) -> Vec<VrfRouteView> {
        let mut views = Vec::new();
        for (id, config) in self.numbers.vrfs(&self.config) {
            if name.is_some_and(|name| name != config.name && name != config.virtual_network) {
                continue;
            }
            let Some(vrf) = self.tables().vrf(id) else { continue };
            let imported = self.bgp.vrf(id);
            let imported: BTreeMap<_, _> = imported
                .iter()
                .flat_map(|vrf| vrf.routes.iter().map(|route| (route.prefix, route)))
                .collect();
            for (prefix, route) in vrf.routes.iter() {
                let paths = imported.get(&prefix).map(|known| self.path_views(known));
                views.push(VrfRouteView {
                    vrf: config.name.clone(),
                    prefix,
                    forwarding: self.route_in_words(route),
                    paths: paths.unwrap_or_default(),
                });
            }
        }
        views
    }

    fn route_in_words(&self, route: &VrfRoute) -> String {
        match route {
            VrfRoute::Attached { port, neighbour: None } => {
                format!("attached {}", self.port_name(*port))
            }
            VrfRoute::Attached { port, neighbour: Some(neighbour) } => {
                format!("attached {} via {neighbour}", self.port_name(*port))
            }
            VrfRoute::Local => "local".to_owned(),
            VrfRoute::Remote { paths } => self.tables().usable_path(paths).map_or_else(
                || "remote, no usable path".to_owned(),
                |Path { label, via }| {
                    let hops = self.tables().usable_hops(via).map(|hop| self.hop_in_words(hop));
                    format!("label {label} via {}", hops.collect::<Vec<_>>().join(", "))
                },
            ),
        }
    }

    fn hop_in_words(&self, hop: &Hop) -> String {
        let port = self.port_name(hop.port);
        let labels: Vec<String> = hop.labels.iter().map(ToString::to_string).collect();
        if labels.is_empty() { port } else { format!("{port} under {}", labels.join("/")) }
    }

    fn path_views(&self, route: &bgp::views::VrfRouteView) -> Vec<PathView> {
        let used = route.delivered.first();
        route
            .paths
            .iter()
            .map(|(path, state)| {
                let key = bgp::route::VpnPrefix { rd: path.rd, prefix: route.prefix };
                let attributes = self.bgp.route(key).and_then(|known| {
                    let mut paths = known.paths.iter();
                    let (found, _) = paths.find(|(one, _)| one.source == path.via)?;
                    Some(found.attributes.clone())
                });
                let backup = route.delivered.get(1) == Some(path);
                PathView {
                    rd: path.rd,
                    next_hop: path.to.next_hop,
                    label: path.to.label,
                    neighbour: self.source_name(path.via),
                    targets: attributes.iter().flat_map(|a| a.route_targets()).collect(),
                    as_path: attributes.map(|a| as_path(&a)).unwrap_or_default(),
                    reason: if backup { format!("backup: {state}") } else { state.to_string() },
                    used: used == Some(path),
                }
            })
            .collect()
    }

    /// The routes of the region's own addresses.
    #[must_use]
    pub fn global_routes(&self) -> Vec<GlobalRouteView> {
        let routes = self.isis.as_ref().map(isis::Instance::routes).unwrap_or_default();
        routes
            .iter()
            .map(|route| GlobalRouteView {
                prefix: route.prefix,
                metric: route.metric,
                hops: route
                    .hops
                    .iter()
                    .filter_map(|hop| {
                        let labels = match hop.label {
                            isis::HopLabel::Label(label) => vec![label],
                            isis::HopLabel::Implicit | isis::HopLabel::Unlabelled => Vec::new(),
                        };
                        let neighbour = hop.v4?.into();
                        Some(HopView { port: self.port_name(hop.port), neighbour, labels })
                    })
                    .collect(),
            })
            .collect()
    }

    /// What the router does with every label it knows.
    #[must_use]
    pub fn label_views(&self) -> Vec<LabelView> {
        let tables = self.tables();
        tables
            .labels()
            .map(|(space, label, action)| {
                let (action, via) = match action {
                    LabelAction::Pop => ("pop".to_owned(), None),
                    LabelAction::Vrf(vrf) => (format!("vrf {}", self.vrf_name(*vrf)), None),
                    LabelAction::Transit(via) => ("transit".to_owned(), Some(*via)),
                    LabelAction::Swap { paths } => match paths.first() {
                        Some(path) => (format!("swap {}", path.label), Some(path.via)),
                        None => ("swap without a path".to_owned(), None),
                    },
                };
                LabelView { space, label, action, hops: self.hop_views(via) }
            })
            .collect()
    }

    fn hop_views(&self, via: Option<TransportId>) -> Vec<HopView> {
        let transport = via.and_then(|via| self.tables().transport(via));
        let hops = transport.map_or(&[][..], |Transport { hops, .. }| hops);
        hops.iter()
            .map(|hop| HopView {
                port: self.port_name(hop.port),
                neighbour: hop.neighbour,
                labels: hop.labels.clone(),
            })
            .collect()
    }

    /// Whether the session with the neighbour at a place of the configuration is established.
    #[must_use]
    pub fn session_is_up(&self, place: u32) -> bool {
        self.numbers.neighbour_at(place).is_some_and(|id| self.sessions_up.contains(&id))
    }
}

const fn adjacency_state(state: isis::AdjacencyState) -> &'static str {
    match state {
        isis::AdjacencyState::Up => "up",
        isis::AdjacencyState::Initializing => "initializing",
        isis::AdjacencyState::Down => "down",
    }
}

fn as_path(attributes: &bgp::route::PathAttributes) -> String {
    use bgp::route::AsSegment;
    let numbers = |numbers: &[base::AsNumber]| {
        numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let segments = attributes.as_path.iter().map(|segment| match segment {
        AsSegment::Set(set) => format!("{{{}}}", numbers(set)),
        AsSegment::Sequence(sequence) => numbers(sequence),
    });
    segments.collect::<Vec<_>>().join(" ")
}

fn session_view(one: &bgp::views::NeighbourView<'_>) -> SessionView {
    let rejected = one.counters.rejected.iter();
    SessionView {
        neighbour: one.config.name.clone(),
        address: one.config.address,
        up: one.state == State::Established,
        state: one.state.to_string(),
        since: one.since,
        reason: one.not_up.map(|reason| reason.to_string()),
        accepted: one.accepted,
        stale: one.stale,
        stale_until: one.stale_until,
        sent: one.sent,
        refused: rejected.map(|(reason, count)| (reason.to_string(), *count)).collect(),
    }
}
