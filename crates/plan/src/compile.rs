//! From intent and lock to plan.
//!
//! Everything is numbered first and built afterwards: a router's configuration names numbers of its
//! neighbours. Whatever cannot be numbered is reported, all of it at once, and then the lock is left
//! as it was.

use std::collections::BTreeMap;

use intent::{Date, Intent, Lock, Problem};
use model::plan::{Plan, Pop};

use crate::access::Access;
use crate::core_router::Core;
use crate::numbers::Numbers;
use crate::service::{Services, SiteServices};
use crate::{core_router, promises, site};

/// Compiles an intent, with the numbers in `lock`, to the plan of number `generation`. What has no
/// number yet is allotted one in `lock`. With a date given, communities that have expired on it are
/// left out; without one, all are in force.
///
/// # Errors
///
/// Everything that stands against it and that the intent alone does not show: pools that are
/// exhausted, sites with no PoP left to go to, given addresses that are in use. The lock is then as
/// it was.
pub fn compile(
    intent: &Intent,
    lock: &mut Lock,
    generation: u64,
    as_of: Option<Date>,
) -> Result<Plan, Vec<Problem>> {
    let mut numbers = Numbers::new(intent, lock.clone());
    let core = Core::allot(intent, &mut numbers);
    let access = Access::allot(intent, &core, &mut numbers);
    let services = Services::allot(intent, as_of, &access, &mut numbers);
    let promises = promises::promises(intent, as_of, &mut numbers);
    let lock_after = numbers.finish()?;

    let of_site = |router| services.of_site(router);
    let at_sites: BTreeMap<&str, SiteServices> =
        access.routers.iter().map(|router| (router.name.as_str(), of_site(router))).collect();
    let scene = Scene { intent, generation, core: &core, access: &access, services: &at_sites };
    let cores = core.routers.iter().map(|router| core_router::config(router, &scene, &lock_after));
    let sites = access.routers.iter();
    let sites = sites.map(|router| site::config(router, &scene, &services, &lock_after));
    let routers = cores.chain(sites).collect();
    let mut links: Vec<_> = core.plan_links().chain(access.plan_links()).collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    let pop = |pop: &intent::Pop| Pop {
        name: pop.name.clone(),
        routers: pop.router_names().collect(),
        position: Some(pop.position.into()),
        shared_risks: pop.shared_risks.clone(),
    };
    let mut pops: Vec<_> = intent.pops.iter().map(pop).collect();
    pops.sort_by(|a, b| a.name.cmp(&b.name));
    *lock = lock_after;
    Ok(Plan {
        region: intent.region.name.clone(),
        generation,
        pops,
        routers,
        links,
        sites: promises.sites,
        virtual_networks: promises.virtual_networks,
        attachments: promises.attachments,
        applications: promises.applications,
        communities: promises.communities,
        classes: promises.classes,
        demands: promises.demands,
    })
}

/// What building a configuration looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) intent: &'a Intent,
    pub(crate) generation: u64,
    pub(crate) core: &'a Core,
    pub(crate) access: &'a Access<'a>,
    /// What every site router has of virtual networks, by its name.
    pub(crate) services: &'a BTreeMap<&'a str, SiteServices>,
}
