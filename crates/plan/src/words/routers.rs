//! What is different in each router's configuration, in words and counts.

use std::collections::{BTreeMap, BTreeSet};

use model::config::{Isis, Neighbour, NeighbourKind, Port, PortKind, RouterConfig, Vrf};
use model::plan::Plan;

use crate::words::identifiers::session;
use crate::words::text::{count, few};

/// What happens to a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// It is new.
    Added,
    /// It gets another configuration.
    Changed,
    /// It is needed no more.
    Removed,
}

/// A router that needs another configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterChange {
    /// Its name.
    pub router: String,
    /// What happens to it.
    pub step: Step,
    /// What is different, one phrase each.
    pub parts: Vec<String>,
}

/// All routers that need another configuration, by name. The plan's number makes no difference.
pub(crate) fn routers(old: &Plan, new: &Plan) -> Vec<RouterChange> {
    let of = |plan: &'_ Plan| -> BTreeMap<String, RouterConfig> {
        let anew = |router: &RouterConfig| RouterConfig { generation: 0, ..router.clone() };
        plan.routers.iter().map(|router| (router.name.clone(), anew(router))).collect()
    };
    let (before, after) = (of(old), of(new));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for name in names {
        let (step, parts) = match (before.get(name), after.get(name)) {
            (None, Some(router)) => (Step::Added, size(router)),
            (Some(router), None) => (Step::Removed, size(router)),
            (Some(old), Some(new)) if old != new => (Step::Changed, differences(old, new)),
            (Some(_), Some(_)) | (None, None) => continue,
        };
        changes.push(RouterChange { router: name.clone(), step, parts });
    }
    changes
}

fn is_used(port: &&Port) -> bool {
    !matches!(port.kind, PortKind::Unused)
}

fn size(router: &RouterConfig) -> Vec<String> {
    let rules: usize = router.vrfs.iter().map(|vrf| vrf.access.rules.len()).sum();
    let ports = router.ports.iter().filter(is_used).count();
    vec![
        count(ports, "port", "ports"),
        count(router.neighbours.len(), "neighbour", "neighbours"),
        count(router.vrfs.len(), "VRF", "VRFs"),
        count(rules, "access rule", "access rules"),
    ]
}

/// What comes, goes, and is different among things with names.
#[derive(Debug, Default)]
struct Names {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Names {
    fn of<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Self {
        let mut names = Self::default();
        for (name, one) in new {
            match old.get(name) {
                None => names.added.push(name.clone()),
                Some(old) if old != one => names.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        names.removed = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        names
    }

    /// `port a is added`, `12 ports are removed`.
    fn tell(names: &[String], (singular, plural): (&str, &str), verb: &str) -> Option<String> {
        let is = if names.len() == 1 { "is" } else { "are" };
        (!names.is_empty()).then(|| format!("{} {is} {verb}", few(names, singular, plural)))
    }

    fn comes_and_goes(&self, noun: (&str, &str)) -> Vec<String> {
        let added = Self::tell(&self.added, noun, "added");
        added.into_iter().chain(Self::tell(&self.removed, noun, "removed")).collect()
    }

    /// `neighbours a and b: 1 route target more`: those that differ in the same way together.
    fn alike<T>(
        &self,
        (singular, plural): (&str, &str),
        old: &BTreeMap<String, T>,
        new: &BTreeMap<String, T>,
        differences: impl Fn(&T, &T) -> Vec<String>,
    ) -> Vec<String> {
        let mut groups: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for name in &self.changed {
            let Some((old, new)) = old.get(name).zip(new.get(name)) else { continue };
            let mut parts = differences(old, new);
            if parts.is_empty() {
                parts.push("other settings".to_owned());
            }
            groups.entry(parts.join(", ")).or_default().push(name);
        }
        let tell = |(parts, names): (String, Vec<&String>)| {
            format!("{}: {parts}", few(&names, singular, plural))
        };
        groups.into_iter().map(tell).collect()
    }
}

const PORT: (&str, &str) = ("port", "ports");
const NEIGHBOUR: (&str, &str) = ("neighbour", "neighbours");
const VRF: (&str, &str) = ("VRF", "VRFs");

fn differences(old: &RouterConfig, new: &RouterConfig) -> Vec<String> {
    let mut parts = Vec::new();
    let (ports_old, ports_new) = (ports(old), ports(new));
    let names = Names::of(&ports_old, &ports_new);
    parts.extend(names.comes_and_goes(PORT));
    parts.extend(Names::tell(&names.changed, PORT, "changed"));

    let (before, after) = (neighbours(old), neighbours(new));
    let names = Names::of(&before, &after);
    parts.extend(names.comes_and_goes(NEIGHBOUR));
    parts.extend(names.alike(NEIGHBOUR, &before, &after, neighbour));

    let (before, after) = (vrfs(old), vrfs(new));
    let names = Names::of(&before, &after);
    parts.extend(names.comes_and_goes(VRF));
    parts.extend(names.alike(VRF, &before, &after, vrf));
    parts.extend(own(old, new));
    if parts.is_empty() {
        parts.push("the order of its ports, neighbours or VRFs changes".to_owned());
    }
    parts
}

fn ports(router: &RouterConfig) -> BTreeMap<String, Port> {
    router.ports.iter().filter(is_used).map(|port| (port.name.clone(), port.clone())).collect()
}

/// By name; with its port where a name is there twice.
fn neighbours(router: &RouterConfig) -> BTreeMap<String, Neighbour> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &router.neighbours {
        *named.entry(&one.name).or_default() += 1;
    }
    let key = |one: &Neighbour| match named.get(one.name.as_str()) {
        Some(1) => one.name.clone(),
        _ => format!("{} on {}", one.name, session(router, one)),
    };
    router.neighbours.iter().map(|one| (key(one), one.clone())).collect()
}

fn vrfs(router: &RouterConfig) -> BTreeMap<String, Vrf> {
    router.vrfs.iter().map(|vrf| (vrf.name.clone(), vrf.clone())).collect()
}

/// `2 access rules changed`, `1 more`: those in one and not in the other, as far as they pair up taken
/// for changed.
fn more_and_fewer<'a, T: PartialEq + 'a>(
    (singular, plural): (&str, &str),
    old: impl IntoIterator<Item = &'a T>,
    new: impl IntoIterator<Item = &'a T>,
) -> Vec<String> {
    let (old, new): (Vec<&T>, Vec<&T>) = (old.into_iter().collect(), new.into_iter().collect());
    let added = new.iter().filter(|one| !old.contains(one)).count();
    let removed = old.iter().filter(|one| !new.contains(one)).count();
    let tell = |many: usize, how: &str| {
        (many > 0).then(|| format!("{} {how}", count(many, singular, plural)))
    };
    let changed = added.min(removed);
    let parts =
        [tell(changed, "changed"), tell(added - changed, "more"), tell(removed - changed, "fewer")];
    parts.into_iter().flatten().collect()
}

const TARGET: (&str, &str) = ("route target", "route targets");

fn neighbour(old: &Neighbour, new: &Neighbour) -> Vec<String> {
    match (&old.kind, &new.kind) {
        (
            NeighbourKind::Site { accept: was, send: sent, .. },
            NeighbourKind::Site { accept: is, send, .. },
        ) => {
            let mut parts = more_and_fewer(("accepted route", "accepted routes"), was, is);
            parts.extend(more_and_fewer(TARGET, sent, send));
            parts
        }
        (
            NeighbourKind::Customer { accept: was, targets: sent, .. },
            NeighbourKind::Customer { accept: is, targets: send, .. },
        ) => {
            let mut parts = more_and_fewer(("accepted prefix", "accepted prefixes"), was, is);
            parts.extend(more_and_fewer(TARGET, sent, send));
            parts
        }
        (_, _) => Vec::new(),
    }
}

fn vrf(old: &Vrf, new: &Vrf) -> Vec<String> {
    let rules = ("access rule", "access rules");
    let mut parts = more_and_fewer(rules, &old.access.rules, &new.access.rules);
    parts.extend(more_and_fewer(("import", "imports"), &old.import, &new.import));
    parts.extend(more_and_fewer(("announced route", "announced routes"), &old.export, &new.export));
    parts.extend(more_and_fewer(("own prefix", "own prefixes"), &old.access.own, &new.access.own));
    if old.rds != new.rds {
        parts.push("other distinguishers".to_owned());
    }
    parts
}

/// What is the router's own and no port's, neighbour's or VRF's.
fn own(old: &RouterConfig, new: &RouterConfig) -> Vec<String> {
    let without_key =
        |isis: &Option<Isis>| isis.clone().map(|isis| Isis { authentication: None, ..isis });
    let key = |isis: &Option<Isis>| isis.as_ref().and_then(|isis| isis.authentication.clone());
    let checks = [
        (old.role != new.role, "its role changes"),
        (old.router_id != new.router_id, "its router id changes"),
        (old.as_number != new.as_number, "its AS number changes"),
        (old.loopback != new.loopback, "its loopback changes"),
        (old.labels != new.labels, "its labels change"),
        (old.bgp != new.bgp, "its BGP settings change"),
        (without_key(&old.isis) != without_key(&new.isis), "its IS-IS settings change"),
        (key(&old.isis) != key(&new.isis), "its IS-IS key changes"),
    ];
    checks.into_iter().filter(|(differs, _)| *differs).map(|(_, told)| told.to_owned()).collect()
}
