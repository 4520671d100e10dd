//! Demands, in `services.toml`: how much traffic is expected, for whoever works out whether links
//! are wide enough.
//!
//! A demand is towards an application, from every site that may reach it, or within a virtual
//! network, between all of its sites. Demands add up. They change no configuration: nothing is
//! reserved or limited by them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::names::shown;
use crate::network::Network;
use crate::problem::{Place, Report, Severity};
use crate::services::Services;
use crate::shape::At;
use crate::sites::Sites;
use crate::{ClassName, Demand, Traffic};

/// Traffic that is expected: towards an application (`application`, `down_kbps`, `up_kbps`, and
/// `kind` where it is of sites of one kind alone), or within a virtual network (`virtual_network`,
/// `class`, `kbps`). Demands add up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Demand")]
pub(crate) struct DemandShape {
    /// The application that sites use; its class is the traffic's.
    application: Option<At<String>>,
    /// Only sites of this kind; all that may reach the application by default.
    kind: Option<At<String>>,
    /// What each site takes from the application in the busy hour, in kilobits per second.
    #[schemars(range(min = 0, max = 100_000_000))]
    down_kbps: Option<At<u32>>,
    /// What each site sends to the application in the busy hour, in kilobits per second.
    #[schemars(range(min = 0, max = 100_000_000))]
    up_kbps: Option<At<u32>>,
    /// The virtual network whose sites talk with each other.
    virtual_network: Option<At<String>>,
    /// The class of traffic within a virtual network.
    class: Option<At<ClassName>>,
    /// What each site sends in the busy hour, spread evenly over the others, in kilobits per second.
    #[schemars(range(min = 1, max = 100_000_000))]
    kbps: Option<At<u32>>,
    /// Whether it is assumed rather than measured; to be shown wherever it is. False by default.
    assumed: Option<bool>,
}

/// A demand's keys, for telling which do not belong to it.
type Keys = [(&'static str, Option<Place>); 7];

/// What has been asked of one application and kind, or of one network and class, and where.
pub(crate) type Stated = BTreeMap<(String, Option<String>), Place>;

impl Services {
    pub(crate) fn add_demand(
        &mut self,
        report: &mut Report<'_>,
        network: &Network,
        sites: &Sites,
        shape: &At<DemandShape>,
        stated: &mut Stated,
    ) {
        let (place, shape) = (shape.place(), &shape.value);
        let demand = match (&shape.application, &shape.virtual_network) {
            (Some(application), None) => {
                let needed = ["application", "down_kbps", "up_kbps"];
                check_keys(report, place, shape, "towards an application", &needed, &["kind"]);
                self.towards(report, network, sites, shape, application)
            }
            (None, Some(vn)) => {
                let needed = ["virtual_network", "class", "kbps"];
                check_keys(report, place, shape, "within a virtual network", &needed, &[]);
                self.within(report, network, shape, vn)
            }
            (Some(_), Some(_)) => {
                let message = "a demand towards an application and within a virtual network";
                report.error(place, message).allow("`application` or `virtual_network`");
                None
            }
            (None, None) => {
                let message = "a demand without `application` or `virtual_network`";
                report.error(place, message).allow("one of the two");
                None
            }
        };
        let Some(demand) = demand else { return };
        let key = demand.key();
        if let Some(first) = stated.get(&key) {
            let line = report.line(*first).unwrap_or(0);
            let message = format!("the same demand twice, first in line {line}");
            report.error(place, message).help("add them up");
            return;
        }
        stated.insert(key, place);
        self.demands.push(demand);
    }

    fn towards(
        &self,
        report: &mut Report<'_>,
        network: &Network,
        sites: &Sites,
        shape: &DemandShape,
        name: &At<String>,
    ) -> Option<Demand> {
        let found = self.applications.resolve(report, name.place(), &shown(&name.value));
        if let Some(kind) = &shape.kind {
            network.kinds.resolve(report, kind.place(), &shown(&kind.value));
        }
        let application = found?;
        let kind = shape.kind.as_ref().map(|kind| kind.value.clone());
        let counts = |code: &&String| {
            let is_of_kind =
                |kind: &String| sites.sites.find(code).is_some_and(|site| site.kind == *kind);
            **code != application.site && kind.as_ref().is_none_or(is_of_kind)
        };
        let is_known = self.virtual_networks.complete && self.communities.complete;
        if is_known && !self.reaching(&application.name).any(|code| counts(&code)) {
            let message = format!("no such site may reach application `{}`", application.name);
            report.add(Severity::Warning, name.place(), message);
        }
        Some(Demand {
            traffic: Traffic::Towards {
                application: application.name.clone(),
                kind,
                down_kbps: shape.down_kbps.as_ref()?.value,
                up_kbps: shape.up_kbps.as_ref()?.value,
            },
            class: application.class,
            assumed: shape.assumed.unwrap_or(false),
        })
    }

    fn within(
        &self,
        report: &mut Report<'_>,
        network: &Network,
        shape: &DemandShape,
        name: &At<String>,
    ) -> Option<Demand> {
        let found = self.virtual_networks.resolve(report, name.place(), &shown(&name.value));
        if let Some(class) = &shape.class {
            network.classes.resolve(report, class.place(), &class.value.to_string());
        }
        let vn = found?;
        if vn.sites.len() < 2 {
            let message = format!("virtual network `{}` has no two sites", vn.name);
            report.add(Severity::Warning, name.place(), message);
        }
        Some(Demand {
            traffic: Traffic::Within {
                virtual_network: vn.name.clone(),
                kbps: shape.kbps.as_ref()?.value,
            },
            class: shape.class.as_ref()?.value,
            assumed: shape.assumed.unwrap_or(false),
        })
    }

    /// The codes of sites in networks that may reach an application.
    fn reaching(&self, application: &str) -> impl Iterator<Item = &String> {
        let provider = self.applications.find(application).map(|one| one.virtual_network.as_str());
        let communities = self.communities.items.iter().map(|(_, community)| community);
        let giving = communities.filter(|one| one.applications.iter().any(|a| a == application));
        let members = giving.flat_map(|community| &community.members).map(String::as_str);
        let networks: BTreeSet<&str> = members.chain(provider).collect();
        networks
            .into_iter()
            .filter_map(|name| self.virtual_networks.find(name))
            .flat_map(|vn| &vn.sites)
    }
}

/// Reports keys that are missing in a demand of this form, and keys of the other form.
fn check_keys(
    report: &mut Report<'_>,
    place: Place,
    shape: &DemandShape,
    form: &str,
    needed: &[&str],
    optional: &[&str],
) {
    let keys: Keys = [
        ("application", shape.application.as_ref().map(At::place)),
        ("kind", shape.kind.as_ref().map(At::place)),
        ("down_kbps", shape.down_kbps.as_ref().map(At::place)),
        ("up_kbps", shape.up_kbps.as_ref().map(At::place)),
        ("virtual_network", shape.virtual_network.as_ref().map(At::place)),
        ("class", shape.class.as_ref().map(At::place)),
        ("kbps", shape.kbps.as_ref().map(At::place)),
    ];
    let allowed: Vec<String> =
        needed.iter().chain(optional).map(|name| format!("`{name}`")).collect();
    for (name, found) in keys {
        match found {
            None if needed.contains(&name) => {
                report.error(place, format!("a demand {form} without `{name}`"));
            }
            Some(place) if !needed.contains(&name) && !optional.contains(&name) => {
                let message = format!("`{name}` in a demand {form}");
                report.error(place, message).allow(allowed.join(", "));
            }
            Some(_) | None => {}
        }
    }
}

impl Demand {
    /// What no two demands have in common.
    fn key(&self) -> (String, Option<String>) {
        match &self.traffic {
            Traffic::Towards { application, kind, .. } => {
                (format!("application {application}"), kind.clone())
            }
            Traffic::Within { virtual_network, .. } => {
                (format!("network {virtual_network}"), Some(self.class.to_string()))
            }
        }
    }
}
