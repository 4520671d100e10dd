//! Routers of others on sites' LANs, in `services.toml`.
//!
//! A council or a provider may have a router of its own on a site's LAN, with more networks behind
//! it (RFC 4364 §10 a). What is behind it is as much part of the virtual network as the LANs are: it
//! is within the virtual network's addresses, so that access rules and communities hold for it
//! without naming it, and nothing else has the same addresses. The site router either knows it from
//! the plan and routes it there, or hears it by BGP and takes exactly that.
//!
//! Which addresses the LANs have is known only when they are numbered: that they keep out of what
//! is behind routers is the planner's part.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use base::{AsNumber, Ipv4Prefix, Prefix};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::names::{check_slug, shown};
use crate::network::Network;
use crate::problem::{Place, Report, list};
use crate::services::{Services, address};
use crate::shape::At;
use crate::sites::Sites;
use crate::{AttachedRouter, Routing, SITE_AS_NUMBERS, VirtualNetwork};

/// AS numbers that no network has: of RFC 6793 §9 and of RFC 7300.
const AS_RESERVED: [u32; 2] = [23_456, 65_535];

/// A router of somebody else on a site's LAN. What is behind it belongs to the virtual network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AttachedRouter")]
pub(crate) struct AttachedRouterShape {
    /// A slug; not one of Weald's own routers.
    name: At<String>,
    /// The code of the site whose LAN it is on.
    site: At<String>,
    /// The virtual network of that LAN.
    virtual_network: At<String>,
    /// Its IPv4 address on that LAN.
    address: At<String>,
    /// Its IPv6 address on that LAN: only, and then always, with a static route to an IPv6 prefix.
    address_v6: Option<At<String>>,
    /// Its AS number: it speaks BGP with the site router and announces `prefixes`. Left out: static
    /// routes lead to it. Two routers of one AS do not take each other's routes, unless they are
    /// told to.
    #[schemars(range(min = 1, max = 4_294_967_294_u32))]
    as_number: Option<At<u32>>,
    /// What is behind it: prefixes within the virtual network's IPv4 addresses, or within the
    /// IPv6 /48 that the plan gives it. With BGP, exactly these are taken. No LAN and no other
    /// router has anything of them.
    #[schemars(length(min = 1, max = 500))]
    prefixes: Vec<At<String>>,
    /// How many routes it may announce before its session is closed; by default twice as many as
    /// there are prefixes, and 8 more. Only with BGP.
    #[schemars(range(min = 1, max = 10_000))]
    max_routes: Option<At<u32>>,
}

/// What is behind attached routers, by virtual network: each prefix with its router.
pub(crate) type Behind = BTreeMap<String, BTreeMap<Prefix, String>>;

impl Services {
    pub(crate) fn add_attached_router(
        &mut self,
        report: &mut Report<'_>,
        network: &Network,
        sites: &Sites,
        shape: &AttachedRouterShape,
    ) {
        let place = shape.name.place();
        let name = &shape.name.value;
        if !check_slug(report, place, "attached router", name) {
            return;
        }
        if network.routers.contains_key(name) || name.starts_with("site-") {
            report
                .error(place, format!("attached router `{name}` has the name of another router"))
                .allow("a name that no core router has, and that does not begin with `site-`");
        }
        let owner = self.member(report, sites, &shape.virtual_network, &shape.site);
        let address = address(report, owner, &shape.address);
        if let (Some(owner), Some(address)) = (owner, address) {
            check_host(report, shape.address.place(), owner, address);
        }
        let texts = shape.prefixes.iter();
        let read: Vec<(Place, Prefix)> = texts
            .filter_map(|text| Some((text.place(), prefix(report, network, owner, text)?)))
            .collect();
        let prefixes: Vec<Prefix> = read.iter().map(|(_, prefix)| *prefix).collect();
        let behind = self.behind.entry(shape.virtual_network.value.clone()).or_default();
        for (place, prefix) in read {
            claim(report, place, behind, prefix, name);
        }
        let routing = routing(report, network, shape, &prefixes);
        let Some(address) = address else { return };
        let router = AttachedRouter {
            name: name.clone(),
            virtual_network: shape.virtual_network.value.clone(),
            site: shape.site.value.clone(),
            address,
            prefixes,
            routing,
        };
        self.attached_routers.add(report, place, name, router);
    }

    /// Reports addresses that are given twice, or that are behind an attached router.
    pub(crate) fn check_addresses(&self, report: &mut Report<'_>) {
        let mut taken = BTreeMap::new();
        for (place, application) in &self.applications.items {
            let Some(address) = application.address else { continue };
            let what = format!("application `{}`", application.name);
            self.check_before(report, *place, &application.virtual_network, &what, address);
            taken.insert((application.virtual_network.as_str(), address), what);
        }
        for (place, router) in &self.attached_routers.items {
            let (network, address) = (router.virtual_network.as_str(), router.address);
            let what = format!("attached router `{}`", router.name);
            self.check_before(report, *place, network, &what, address);
            if let Some(other) = taken.get(&(network, address)) {
                report.error(*place, format!("{what} has {address}, which {other} has"));
            }
            taken.insert((network, address), what);
        }
    }

    fn check_before(
        &self,
        report: &mut Report<'_>,
        place: Place,
        network: &str,
        what: &str,
        address: Ipv4Addr,
    ) {
        let host = Prefix::host(address.into());
        let behind = self.behind.get(network);
        if let Some((prefix, router)) = behind.and_then(|behind| overlapping(behind, host)) {
            let message =
                format!("{what} has {address}, which is behind attached router `{router}`");
            report.error(place, message).allow(format!("a LAN's address, outside {prefix}"));
        }
    }
}

/// An address that a LAN of that network has for itself is no other router's.
fn check_host(report: &mut Report<'_>, place: Place, network: &VirtualNetwork, address: Ipv4Addr) {
    let Some(lan) = Ipv4Prefix::new(address, network.lan_length) else { return };
    let last = lan.addr().to_bits() | u32::MAX.checked_shr(lan.len().into()).unwrap_or(0);
    let what = match address.to_bits() {
        bits if bits == last => "broadcast address",
        bits if bits == lan.addr().to_bits() => "network address",
        bits if bits == lan.addr().to_bits() + 1 => "site router's own",
        _ => return,
    };
    let message = format!("`{address}` is the {what} on LAN {lan}");
    report.error(place, message).allow("any other host of the LAN");
}

/// A prefix behind a router, where it is one; says so where the virtual network cannot have it.
fn prefix(
    report: &mut Report<'_>,
    network: &Network,
    owner: Option<&VirtualNetwork>,
    text: &At<String>,
) -> Option<Prefix> {
    let v4 = text.value.parse().ok().map(Prefix::V4);
    let Some(prefix) = v4.or_else(|| text.value.parse().ok().map(Prefix::V6)) else {
        report
            .error(text.place(), format!("`{}` is not a prefix", shown(&text.value)))
            .allow("an IPv4 or IPv6 prefix, with no bits set beyond its length");
        return None;
    };
    let pools: Option<Vec<Prefix>> = match prefix {
        Prefix::V4(_) => {
            owner.map(|owner| owner.addresses.iter().map(|pool| (*pool).into()).collect())
        }
        Prefix::V6(_) => network.pools.as_ref().map(|p| vec![p.virtual_networks_v6.into()]),
    };
    if let Some(pools) = pools.filter(|pools| !pools.iter().any(|pool| pool.covers(prefix))) {
        let pools: Vec<_> = pools.iter().map(Prefix::to_string).collect();
        report
            .error(text.place(), format!("`{prefix}` is outside the virtual network"))
            .allow(list(pools.iter().map(String::as_str)));
    }
    Some(prefix)
}

/// Notes what is behind a router, unless something of it is behind one already.
fn claim(
    report: &mut Report<'_>,
    place: Place,
    behind: &mut BTreeMap<Prefix, String>,
    prefix: Prefix,
    router: &str,
) {
    if let Some((other, holder)) = overlapping(behind, prefix) {
        let message = if holder == router {
            format!("`{prefix}` overlaps `{other}` of the same router")
        } else {
            format!("`{prefix}` overlaps `{other}` of attached router `{holder}`")
        };
        report.error(place, message);
        return;
    }
    behind.insert(prefix, router.to_owned());
}

/// What a prefix has addresses in common with; there are no overlaps among those in the map.
fn overlapping(behind: &BTreeMap<Prefix, String>, prefix: Prefix) -> Option<(Prefix, &str)> {
    // Whatever a prefix covers comes right after it; whatever covers it is one of its beginnings.
    let within = behind.range(prefix..).next().filter(|(other, _)| prefix.covers(**other));
    let mut around = (0..prefix.len())
        .filter_map(|length| Prefix::new(prefix.addr(), length))
        .filter_map(|other| behind.get_key_value(&other));
    within.or_else(|| around.next()).map(|(other, router)| (*other, router.as_str()))
}

fn routing(
    report: &mut Report<'_>,
    network: &Network,
    shape: &AttachedRouterShape,
    prefixes: &[Prefix],
) -> Routing {
    let Some(as_number) = &shape.as_number else {
        return Routing::Static { address_v6: static_v6(report, shape, prefixes) };
    };
    check_as_number(report, network, as_number);
    if let Some(text) = &shape.address_v6 {
        let message = "`address_v6` of a router that announces its routes";
        report.error(text.place(), message).help("leave it out: BGP says where they lead");
    }
    let count = u32::try_from(shape.prefixes.len()).unwrap_or(u32::MAX);
    if let Some(most) = shape.max_routes.as_ref().filter(|most| most.value < count) {
        let message = format!("`max_routes` is {}, and there are {count} prefixes", most.value);
        report.error(most.place(), message).allow(format!("{count} or more"));
    }
    // As much above the plan as at an uplink: a change that is under way on one side only closes
    // no session, a leak of many routes does.
    let usual = count.saturating_mul(2).saturating_add(8);
    Routing::Bgp {
        as_number: AsNumber(as_number.value),
        max_routes: shape.max_routes.as_ref().map_or(usual, |most| most.value),
    }
}

/// The next hop of static IPv6 routes.
fn static_v6(
    report: &mut Report<'_>,
    shape: &AttachedRouterShape,
    prefixes: &[Prefix],
) -> Option<Ipv6Addr> {
    if let Some(most) = &shape.max_routes {
        let message = "`max_routes` of a router without an `as_number`";
        report.error(most.place(), message).help("leave it out: static routes are not announced");
    }
    let first = prefixes.iter().find(|prefix| matches!(prefix, Prefix::V6(_)));
    let Some(text) = &shape.address_v6 else {
        if let Some(first) = first {
            let message = format!("no `address_v6`, and `{first}` is behind the router");
            report.error(shape.name.place(), message).allow("its IPv6 address on the LAN");
        }
        return None;
    };
    if first.is_none() && prefixes.len() == shape.prefixes.len() {
        let message = "`address_v6` of a router with no IPv6 prefix behind it";
        report.error(text.place(), message);
    }
    let address = text.value.parse().ok();
    if address.is_none() {
        let message = format!("`{}` is not an IPv6 address", shown(&text.value));
        report.error(text.place(), message);
    }
    address
}

fn check_as_number(report: &mut Report<'_>, network: &Network, as_number: &At<u32>) {
    let number = as_number.value;
    let region = network.region.as_ref().map(|region| region.as_number.0);
    let whose = if region == Some(number) {
        "the region's own"
    } else if SITE_AS_NUMBERS.contains(&number) {
        "one of the site routers'"
    } else if AS_RESERVED.contains(&number) {
        "reserved"
    } else {
        return;
    };
    let (first, last) = (SITE_AS_NUMBERS.start(), SITE_AS_NUMBERS.end());
    report
        .error(as_number.place(), format!("AS number {number} is {whose}"))
        .allow(format!("the owner's AS number, or a private one outside {first} to {last}"));
}
