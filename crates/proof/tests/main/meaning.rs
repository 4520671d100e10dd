//! What tables mean, whatever numbers their labels and transports have.

use std::collections::{BTreeMap, BTreeSet};

use base::{LabelSpace, PortId, Prefix};
use model::config::RouterConfig;
use model::plan::Plan;
use model::tables::{
    Accepts, GlobalEntry, Hop, LabelAction, LabelEntry, Path, Port, RouterTables, Rule, VrfRoute,
};

#[derive(Debug, PartialEq, Eq)]
struct Vrf {
    name: String,
    own: Vec<Prefix>,
    rules: Vec<Rule>,
    routes: Vec<(Prefix, String)>,
}

/// A router's tables in words: two routers with the same do the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    ports: Vec<Port>,
    global: Vec<String>,
    vrfs: Vec<Vrf>,
    labels: BTreeSet<(LabelSpace, String)>,
}

impl Meaning {
    /// What only this one has, and what only the other one has; none where they are the same.
    pub(crate) fn difference(&self, other: &Self) -> Option<(Vec<String>, Vec<String>)> {
        if self == other {
            return None;
        }
        let (own, others) = (self.words(), other.words());
        let only = |a: &BTreeSet<String>, b| a.difference(b).cloned().collect();
        Some((only(&own, &others), only(&others, &own)))
    }

    fn words(&self) -> BTreeSet<String> {
        let ports = self.ports.iter().map(|port| format!("{port:?}"));
        let labels = self.labels.iter().map(|label| format!("{label:?}"));
        let routes = self.vrfs.iter().flat_map(|Vrf { name, own, rules, routes }| {
            let routes = routes.iter().map(move |route| format!("{name}: {route:?}"));
            routes.chain([format!("{name}: {own:?}, {rules:?}")])
        });
        ports.chain(self.global.iter().cloned()).chain(labels).chain(routes).collect()
    }
}

/// Knows where links and segments lead.
pub(crate) struct Reader<'a> {
    tables: BTreeMap<&'a str, &'a RouterTables>,
    far: BTreeMap<(&'a str, PortId), (&'a str, PortId)>,
    segments: BTreeMap<u32, &'a str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(plan: &'a Plan, tables: &'a [RouterTables]) -> Self {
        let mut far = BTreeMap::new();
        for link in &plan.links {
            let [a, b] = &link.ends;
            far.insert((a.router.as_str(), a.port), (b.router.as_str(), b.port));
            far.insert((b.router.as_str(), b.port), (a.router.as_str(), a.port));
        }
        let segment = |router: &'a RouterConfig| {
            let first = router.isis.as_ref()?.srgb.first.value();
            Some((first + router.loopback.as_ref()?.v4_sid, router.name.as_str()))
        };
        let segments = plan.routers.iter().filter_map(segment).collect();
        let tables = tables.iter().map(|one| (one.router.as_str(), one)).collect();
        Self { tables, far, segments }
    }

    pub(crate) fn meaning(&self, router: &RouterTables) -> Meaning {
        let route = |to: &VrfRoute| match to {
            VrfRoute::Remote(paths) => {
                let paths = paths.iter().map(|path| self.path(router, *path, 0));
                paths.collect::<Vec<_>>().join(" or ")
            }
            VrfRoute::Attached { .. } | VrfRoute::Local => format!("{to:?}"),
        };
        let vrf = |vrf: &model::tables::Vrf| {
            let routes = vrf.routes.iter().map(|entry| (entry.prefix, route(&entry.to)));
            let (name, own, rules) = (vrf.name.clone(), vrf.own.clone(), vrf.rules.clone());
            Vrf { name, own, rules, routes: routes.collect() }
        };
        let global = |entry: &GlobalEntry| {
            let way = entry.via.map(|via| self.hops(router, via));
            format!("{} by {way:?}", entry.prefix)
        };
        let label = |entry: &LabelEntry| match &entry.action {
            LabelAction::Pop | LabelAction::Transit(_) => {
                let way = self.action(router, &entry.action, 0);
                (entry.space, format!("{}: {way}", entry.label))
            }
            LabelAction::Vrf(_) | LabelAction::Swap(_) => {
                (entry.space, self.action(router, &entry.action, 0))
            }
        };
        Meaning {
            ports: router.ports.clone(),
            global: router.global.iter().map(global).collect(),
            vrfs: router.vrfs.iter().map(vrf).collect(),
            labels: router.labels.iter().map(label).collect(),
        }
    }

    fn hops(&self, router: &RouterTables, via: u32) -> Vec<Hop> {
        let transport = router.transports.get(via as usize).expect("a transport");
        transport.hops.clone()
    }

    fn action(&self, router: &RouterTables, action: &LabelAction, depth: usize) -> String {
        match action {
            LabelAction::Pop => "pop".to_owned(),
            LabelAction::Vrf(vrf) => format!("{vrf:?} of {}", router.router),
            LabelAction::Transit(via) => format!("{:?}", self.hops(router, *via)),
            LabelAction::Swap(paths) => {
                let paths = paths.iter().map(|path| self.path(router, *path, depth + 1));
                paths.collect::<Vec<_>>().join(" or ")
            }
        }
    }

    fn path(&self, router: &RouterTables, path: Path, depth: usize) -> String {
        const DEPTH_MAX: usize = 8;
        assert!(depth < DEPTH_MAX, "{}: a loop", router.router);
        let hops = self.hops(router, path.via);
        let Some(first) = hops.first() else { return "nowhere".to_owned() };
        let far = self.far.get(&(router.router.as_str(), first.port));
        let (near, port) = *far.expect("a link");
        let end = match first.labels.last() {
            Some(segment) => self.segments.get(&segment.value()).expect("a segment"),
            None => near,
        };
        let Some(end) = self.tables.get(end) else { return format!("{end}, which is gone") };
        let accepts = end.ports.iter().find(|own| own.id == port).map(|own| &own.accepts);
        let space = match (first.labels.is_empty(), accepts) {
            (true, Some(Accepts::Uplink { space, .. })) => *space,
            _ => LabelSpace::Platform,
        };
        let found = end.labels.iter().find(|one| one.space == space && one.label == path.label);
        let meaning = found.map(|found| self.action(end, &found.action, depth + 1));
        format!("{hops:?} to {}: {}", end.router, meaning.as_deref().unwrap_or("a dead label"))
    }
}
