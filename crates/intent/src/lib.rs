//! The operator's and organisations' files, their validation, and the lock.
//!
//! An intent is a folder that a person can keep in git: `network.toml` (region, PoPs, links, access
//! types, classes), `sites.csv` (one row per site) and `services.toml` (virtual networks,
//! applications, routers of others, communities). [`check`] reads their texts into an [`Intent`], in
//! which every name is resolved, or says everything that is wrong with them at once: file, line,
//! what was found, what is allowed. The [`Lock`] holds the numbers already allotted, so that adding
//! or removing one thing never renumbers another.
//!
//! [`files`] is the only module that touches a file system.

pub mod files;

mod attached;
mod date;
mod demand;
mod intent;
mod lock;
mod names;
mod network;
mod overlap;
mod pools;
mod position;
mod problem;
mod services;
mod shape;
mod sites;
mod source;
mod topology;

pub use date::{Date, ParseDateError};
pub use files::load;
pub use intent::{
    Access, Application, AttachedRouter, Class, ClassName, Community, Demand, Intent, Isis, Kind,
    Link, Pools, Pop, Region, Routing, SITE_AS_NUMBERS, Site, Timers, Traffic, VirtualNetwork,
    router_name,
};
pub use lock::{Lock, Numbers};
pub use position::{ParseCoordinateError, Position};
pub use problem::{Problem, Problems, Severity};
pub use shape::{schema_network, schema_services};
pub use source::{Line, Source, Sources};

use std::collections::BTreeMap;

use crate::network::Network;
use crate::problem::Report;
use crate::services::Services;
use crate::sites::Sites;

/// A file's text with the name that problems show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name, with its folder: `examples/sussex/sites.csv`.
    pub name: String,
    /// The text.
    pub text: String,
}

/// The texts of an intent.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    /// Region, PoPs, links, access types, classes.
    pub network: File,
    /// One row per site.
    pub sites: File,
    /// Virtual networks, applications, routers of others, communities.
    pub services: File,
    /// What the `*.key` files beside them hold, by file name: secrets.
    pub keys: BTreeMap<String, String>,
}

impl core::fmt::Debug for Files {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Files")
            .field("network", &self.network.name)
            .field("sites", &self.sites.name)
            .field("services", &self.services.name)
            .finish_non_exhaustive()
    }
}

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The intent; none where there is an error.
    pub intent: Option<Intent>,
    /// Errors, warnings and notes, by file and line.
    pub problems: Problems,
    /// Where the intent's things are written.
    pub sources: Sources,
}

/// Reads the texts of an intent.
///
/// # Errors
///
/// Everything that is wrong with them.
pub fn parse(files: &Files) -> Result<Intent, Problems> {
    let checked = check(files, None);
    checked.intent.ok_or(checked.problems)
}

/// Reads the texts of an intent and keeps warnings and notes. With a date given, communities that
/// have expired on it are noted.
#[must_use]
pub fn check(files: &Files, as_of: Option<Date>) -> Checked {
    let Files { network: network_file, sites: sites_file, services: services_file, .. } = files;
    let mut of_network = Report::new(&network_file.name, &network_file.text);
    let read = shape::read(&mut of_network, network_file, &schema_network());
    let network = Network::read(&mut of_network, files, read);
    topology::check(&mut of_network, &network);

    let mut of_sites = Report::new(&sites_file.name, &sites_file.text);
    let sites = Sites::read(&mut of_sites, sites_file, &network);

    let mut of_services = Report::new(&services_file.name, &services_file.text);
    let read = shape::read(&mut of_services, services_file, &schema_services());
    let services = Services::read(&mut of_services, read, &network, &sites, as_of);
    overlap::check(&mut of_services, &services);
    pools::check_sizes(&mut of_network, &network, &sites, &services);

    let mut sources = Sources::default();
    for (place, site) in &sites.sites.items {
        sources.add(&of_sites, &sites_file.name, *place, Source::Site(site.code.clone()));
    }
    for (place, source) in services.places() {
        sources.add(&of_services, &services_file.name, place, source);
    }
    let reports = [of_network, of_sites, of_services];
    let mut problems = Problems(reports.into_iter().flat_map(Report::finish).collect());
    problems.sort();
    let intent = if problems.has_errors() { None } else { assemble(network, sites, services) };
    Checked { intent, problems, sources }
}

/// The intent of files without an error, in which the region and the pools are always there.
fn assemble(network: Network, sites: Sites, services: Services) -> Option<Intent> {
    Some(Intent {
        region: network.region?,
        pools: network.pools?,
        timers: network.timers,
        isis: network.isis,
        pops: network.pops.into_items(),
        links: network.links.into_items(),
        access: network.access.into_items(),
        kinds: network.kinds.into_items(),
        classes: network.classes.into_items(),
        sites: sites.sites.into_items(),
        virtual_networks: services.virtual_networks.into_items(),
        applications: services.applications.into_items(),
        attached_routers: services.attached_routers.into_items(),
        communities: services.communities.into_items(),
        demands: services.demands,
    })
}
