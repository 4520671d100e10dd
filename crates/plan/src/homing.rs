//! Which core routers a site's uplinks go to.
//!
//! The first uplink goes to the nearest PoP, the second to the nearest other one, unless the site's
//! row names PoPs. Within a PoP the router with the fewest uplinks of that rank gets it, then the
//! one with the fewest uplinks. What was decided is in the lock and stays, however near a new PoP
//! is: moving a site is its operator's decision. It is decided anew only where it cannot stay,
//! because the router is gone, the row names another PoP, or both uplinks would share one.

use std::collections::BTreeMap;

use intent::{Intent, Pop, Site};

use crate::core_router::Core;
use crate::numbers::Numbers;

/// The core routers that every site router's uplinks go to, the preferred one first.
pub(crate) type Homes = BTreeMap<String, Vec<String>>;

/// Decides for every site that has a router, and records it in the lock.
pub(crate) fn homes(intent: &Intent, core: &Core, numbers: &mut Numbers<'_>) -> Homes {
    let mut homing = Homing { intent, core, uplinks: BTreeMap::new() };
    let sites: Vec<&Site> = intent.sites.iter().filter(|site| site.router_of.is_none()).collect();
    let mut kept = Vec::new();
    for site in &sites {
        let recorded = numbers.lock.homing.get(&site.router_name());
        let homes = homing.kept(site, recorded.map_or(&[], Vec::as_slice));
        for (rank, router) in homes.iter().enumerate() {
            if let Some(router) = router {
                homing.count(router, rank);
            }
        }
        kept.push(homes);
    }
    let mut homes = Homes::new();
    for (site, kept) in sites.iter().zip(kept) {
        let Some(chosen) = homing.completed(site, kept, numbers) else { continue };
        let name = site.router_name();
        homes.insert(name, chosen);
    }
    numbers.lock.homing.extend(homes.clone());
    homes
}

struct Homing<'a> {
    intent: &'a Intent,
    core: &'a Core,
    /// How many first and second uplinks each core router has.
    uplinks: BTreeMap<String, [u32; 2]>,
}

impl<'a> Homing<'a> {
    fn count(&mut self, router: &str, rank: usize) {
        let counts = self.uplinks.entry(router.to_owned()).or_default();
        if let Some(count) = counts.get_mut(rank) {
            *count += 1;
        }
    }

    fn pop_of(&self, router: &str) -> Option<&'a str> {
        let found = self.core.routers.iter().find(|known| known.name == router)?;
        Some(found.pop.as_str())
    }

    /// What was recorded, as far as it may stay: one entry per uplink.
    fn kept(&self, site: &Site, recorded: &[String]) -> Vec<Option<String>> {
        let mut kept: Vec<Option<String>> = Vec::new();
        let mut pops: Vec<&str> = Vec::new();
        for rank in 0..ranks(site) {
            let router = recorded.get(rank).filter(|router| {
                self.pop_of(router).is_some_and(|pop| {
                    let stated = site.pops.get(rank).is_none_or(|stated| stated == pop);
                    let elsewhere = site
                        .pops
                        .iter()
                        .enumerate()
                        .any(|(other, stated)| other != rank && stated == pop);
                    stated && !elsewhere && !pops.contains(&pop)
                })
            });
            pops.extend(router.and_then(|router| self.pop_of(router)));
            kept.push(router.cloned());
        }
        kept
    }

    /// Decides what is not kept; none where there is no PoP to go to.
    fn completed(
        &mut self,
        site: &Site,
        kept: Vec<Option<String>>,
        numbers: &mut Numbers<'_>,
    ) -> Option<Vec<String>> {
        let mut homes: Vec<Option<String>> = kept;
        for rank in 0..homes.len() {
            if homes.get(rank).is_some_and(Option::is_some) {
                continue;
            }
            let pops: Vec<&str> = homes.iter().flatten().filter_map(|r| self.pop_of(r)).collect();
            let Some(router) = self.choice(site, rank, &pops) else {
                let (code, uplink) = (&site.code, rank + 1);
                let message = format!("site `{code}` has no PoP for its uplink {uplink}");
                numbers.problem("sites.csv", message);
                return None;
            };
            self.count(&router, rank);
            if let Some(home) = homes.get_mut(rank) {
                *home = Some(router);
            }
        }
        homes.into_iter().collect()
    }

    /// The router for an uplink of that rank, not at one of the PoPs of `taken`.
    fn choice(&self, site: &Site, rank: usize, taken: &[&str]) -> Option<String> {
        let suitable = |pop: &&Pop| match site.pops.get(rank) {
            Some(stated) => *stated == pop.name,
            None => !site.pops.contains(&pop.name),
        };
        let free = self.intent.pops.iter().filter(suitable);
        let nearest = free
            .filter(|pop| !taken.contains(&pop.name.as_str()))
            .min_by_key(|pop| (pop.position.distance_m(site.position), pop.name.as_str()))?;
        let routers = self.core.routers.iter().filter(|router| router.pop == nearest.name);
        let load = |name: &str| {
            let counts = self.uplinks.get(name).copied().unwrap_or_default();
            (counts.get(rank).copied().unwrap_or(0), counts.iter().sum::<u32>())
        };
        routers
            .map(|router| router.name.as_str())
            .min_by_key(|name| (load(name), *name))
            .map(str::to_owned)
    }
}

/// How many uplinks a site's router has.
fn ranks(site: &Site) -> usize {
    if site.backup.is_some() { 2 } else { 1 }
}
