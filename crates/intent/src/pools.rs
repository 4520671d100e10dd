//! The region's own address pools: that they do not overlap, and are large enough for what is to be
//! numbered from them.

use base::{Ipv4Prefix, Ipv6Prefix};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Pools;
use crate::intent::{subnets, subnets_v6};
use crate::names::shown;
use crate::network::Network;
use crate::problem::{Place, Report};
use crate::services::Services;
use crate::shape::At;
use crate::sites::Sites;

/// Where addresses come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pools")]
pub(crate) struct PoolsShape {
    /// IPv4 prefix: one address per core router.
    loopbacks: At<String>,
    /// IPv6 prefix: one address per core router.
    loopbacks_v6: At<String>,
    /// IPv4 prefix: a /31 per core link.
    core_links: At<String>,
    /// IPv4 prefix: a /31 per uplink.
    uplinks: At<String>,
    /// IPv6 prefix: a /48 per virtual network.
    virtual_networks_v6: At<String>,
}

/// An address pool with where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pool<P> {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) prefix: P,
}

/// The pools, as far as they could be read.
#[derive(Debug, Default)]
pub(crate) struct PoolPlaces {
    pub(crate) v4: Vec<Pool<Ipv4Prefix>>,
    pub(crate) v6: Vec<Pool<Ipv6Prefix>>,
}

impl PoolPlaces {
    /// Takes in those that are prefixes.
    pub(crate) fn read(&mut self, report: &mut Report<'_>, shape: &PoolsShape) {
        let v4 = [
            ("loopbacks", &shape.loopbacks),
            ("core_links", &shape.core_links),
            ("uplinks", &shape.uplinks),
        ];
        for (name, text) in v4 {
            if let Some(prefix) = prefix(report, text, "an IPv4 prefix: `100.64.0.0/20`") {
                self.v4.push(Pool { name, place: text.place(), prefix });
            }
        }
        let v6 = [
            ("loopbacks_v6", &shape.loopbacks_v6),
            ("virtual_networks_v6", &shape.virtual_networks_v6),
        ];
        for (name, text) in v6 {
            if let Some(prefix) = prefix(report, text, "an IPv6 prefix: `fd00:64::/32`") {
                self.v6.push(Pool { name, place: text.place(), prefix });
            }
        }
    }

    /// All of them; `None` where one is missing.
    pub(crate) fn pools(&self) -> Option<Pools> {
        let v4 = |name| self.v4.iter().find(|pool| pool.name == name).map(|pool| pool.prefix);
        let v6 = |name| self.v6.iter().find(|pool| pool.name == name).map(|pool| pool.prefix);
        Some(Pools {
            loopbacks: v4("loopbacks")?,
            loopbacks_v6: v6("loopbacks_v6")?,
            core_links: v4("core_links")?,
            uplinks: v4("uplinks")?,
            virtual_networks_v6: v6("virtual_networks_v6")?,
        })
    }

    /// Reports pools that have addresses in common.
    pub(crate) fn check_overlaps(&self, report: &mut Report<'_>) {
        let mut v4 = self.v4.as_slice();
        while let [rest @ .., pool] = v4 {
            for other in rest.iter().filter(|other| other.prefix.overlaps(pool.prefix)) {
                let message = format!("pool `{}` overlaps pool `{}`", pool.name, other.name);
                report.error(pool.place, message);
            }
            v4 = rest;
        }
        if let [other, pool] = self.v6.as_slice()
            && other.prefix.overlaps(pool.prefix)
        {
            let message = format!("pool `{}` overlaps pool `{}`", pool.name, other.name);
            report.error(pool.place, message);
        }
    }
}

/// Reports pools that are too small.
pub(crate) fn check_sizes(
    report: &mut Report<'_>,
    network: &Network,
    sites: &Sites,
    services: &Services,
) {
    let own_router = sites.sites.items.iter().filter(|(_, site)| site.router_of.is_none());
    let uplinks = own_router.map(|(_, site)| 1 + u64::from(site.backup.is_some())).sum::<u64>();
    for pool in &network.pool_places.v4 {
        let (holds, needed, what) = match pool.name {
            // The first and the last address stay free: equipment takes them for broadcast.
            "loopbacks" => (
                subnets(pool.prefix, 32).saturating_sub(2),
                network.routers.len() as u64,
                "core routers",
            ),
            "core_links" => {
                (subnets(pool.prefix, 31), network.links.items.len() as u64, "core links")
            }
            _ => (subnets(pool.prefix, 31), uplinks, "uplinks"),
        };
        if holds < needed {
            let (name, prefix) = (pool.name, pool.prefix);
            let message = format!("pool `{name}` ({prefix}) is enough for {holds} {what}");
            report.error(pool.place, message).allow(format!("a pool for {needed}"));
        }
    }
    for pool in &network.pool_places.v6 {
        let (holds, needed, what) = match pool.name {
            "loopbacks_v6" => (
                subnets_v6(pool.prefix, 128).saturating_sub(1),
                network.routers.len() as u64,
                "core routers",
            ),
            _ => (
                subnets_v6(pool.prefix, 48),
                services.virtual_networks.items.len() as u64,
                "virtual networks",
            ),
        };
        if holds < needed {
            let (name, prefix) = (pool.name, pool.prefix);
            let message = format!("pool `{name}` ({prefix}) is enough for {holds} {what}");
            report.error(pool.place, message).allow(format!("a pool for {needed}"));
        }
    }
}

/// A text that is to be a prefix.
pub(crate) fn prefix<P: core::str::FromStr>(
    report: &mut Report<'_>,
    text: &At<String>,
    allowed: &str,
) -> Option<P> {
    let prefix = text.value.parse().ok();
    if prefix.is_none() {
        report
            .error(text.place(), format!("`{}` is not a prefix", shown(&text.value)))
            .allow(format!("{allowed}, with no bits set beyond its length"));
    }
    prefix
}
