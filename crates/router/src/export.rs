//! The forwarding tables as data that others can walk through ([`model::tables`]), VRFs by their
//! places in the configuration.

use base::VrfId;
use forwarding::access::{Access, Role};
use forwarding::{GlobalRoute, LabelAction, PortKind, TransportId, VrfRoute};
use model::config::Side;
use model::tables;

use crate::Router;

fn path(path: &forwarding::Path) -> tables::Path {
    tables::Path { label: path.label, via: path.via.0 }
}

fn route(route: &VrfRoute) -> tables::VrfRoute {
    match route {
        VrfRoute::Attached { port, neighbour } => {
            tables::VrfRoute::Attached { port: *port, neighbour: *neighbour }
        }
        VrfRoute::Local => tables::VrfRoute::Local,
        VrfRoute::Remote { paths } => tables::VrfRoute::Remote(paths.iter().map(path).collect()),
    }
}

fn action(action: &LabelAction, place: impl Fn(VrfId) -> VrfId) -> tables::LabelAction {
    match action {
        LabelAction::Pop => tables::LabelAction::Pop,
        LabelAction::Vrf(vrf) => tables::LabelAction::Vrf(place(*vrf)),
        LabelAction::Swap { paths } => tables::LabelAction::Swap(paths.iter().map(path).collect()),
        LabelAction::Transit(via) => tables::LabelAction::Transit(via.0),
    }
}

fn accepts(kind: &PortKind, place: impl Fn(VrfId) -> VrfId) -> tables::Accepts {
    match kind {
        PortKind::Core => tables::Accepts::Core,
        PortKind::Uplink { space, sources } => {
            tables::Accepts::Uplink { space: *space, sources: sources.clone() }
        }
        PortKind::Attachment { vrf, sources } => {
            tables::Accepts::Attachment { vrf: place(*vrf), sources: sources.clone() }
        }
    }
}

fn rules(access: &Access) -> Vec<tables::Rule> {
    let rule = |rule: &forwarding::access::Rule| tables::Rule {
        name: rule.name.clone(),
        side: match rule.role {
            Role::Provider => Side::Provider,
            Role::Consumer => Side::Consumer,
        },
        local: rule.local.clone(),
        remote: rule.remote.clone(),
        protocol: rule.protocol,
        port_first: *rule.ports.start(),
        port_last: *rule.ports.end(),
    };
    access.rules.iter().map(rule).collect()
}

fn hops(hops: &[forwarding::Hop]) -> Vec<tables::Hop> {
    let hop = |hop: &forwarding::Hop| tables::Hop {
        port: hop.port,
        neighbour: hop.neighbour,
        labels: hop.labels.clone(),
    };
    hops.iter().map(hop).collect()
}

impl Router {
    /// The forwarding tables as they stand, in full.
    #[must_use]
    pub fn forwarding_tables(&self) -> tables::RouterTables {
        let all = self.tables();
        let config = self.config();
        // Of a number that is nobody's any more there is nothing in the tables.
        let place = |number| self.numbers.vrf_place(number).unwrap_or(VrfId(u32::MAX));
        let name = |id| config.ports().find(|(port, _)| *port == id);
        let ports = all.ports().map(|(id, port)| tables::Port {
            id,
            name: name(id).map_or_else(String::new, |(_, port)| port.name.clone()),
            up: port.up,
            accepts: accepts(&port.kind, place),
        });
        let vrfs = all.vrfs().map(|(number, vrf)| tables::Vrf {
            id: place(number),
            name: self.vrf_of(number).map_or_else(String::new, |vrf| vrf.name.clone()),
            own: vrf.access.own.clone(),
            infrastructure: vrf.access.infrastructure.clone(),
            rules: rules(&vrf.access),
            routes: vrf
                .routes
                .iter()
                .map(|(prefix, to)| tables::VrfEntry { prefix, to: route(to) })
                .collect(),
        });
        let mut vrfs: Vec<_> = vrfs.collect();
        vrfs.sort_by_key(|vrf| vrf.id);
        let labels = all.labels().map(|(space, label, what)| tables::LabelEntry {
            space,
            label,
            action: action(what, place),
        });
        let global = all.global().iter().map(|(prefix, route)| tables::GlobalEntry {
            prefix,
            via: match route {
                GlobalRoute::Local => None,
                GlobalRoute::Via(TransportId(via)) => Some(*via),
            },
        });
        let mut transports = Vec::new();
        for (TransportId(number), transport) in all.transports() {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            transports.resize_with(transports.len().max(number), tables::Transport::default);
            let (hops, backups) = (hops(&transport.hops), hops(&transport.backups));
            transports.push(tables::Transport { hops, backups });
        }
        tables::RouterTables {
            router: config.name.clone(),
            generation: config.generation,
            ports: ports.collect(),
            vrfs,
            labels: labels.collect(),
            global: global.collect(),
            transports,
        }
    }
}
