//! What comes, goes, or becomes something else: sites and their LANs, virtual networks, applications,
//! communities, links, points of presence.

use core::fmt::Display;
use std::collections::{BTreeMap, BTreeSet};

use model::plan::{
    Application, Community, Link, LinkKind, Plan, Pop, Position, Site, VirtualNetwork,
};

use crate::words::Sites;
use crate::words::text::{NAMED_MAX, a_premises, and, few, number, ports, premises, sites};

/// A kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThingKind {
    /// A site.
    Site,
    /// A site's LAN in a virtual network.
    Lan,
    /// A virtual network.
    VirtualNetwork,
    /// An application.
    Application,
    /// A community.
    Community,
    /// A site router's link to a core router.
    Uplink,
    /// A link between core routers.
    CoreLink,
    /// A point of presence.
    Pop,
}

impl ThingKind {
    /// As data says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Lan => "lan",
            Self::VirtualNetwork => "virtual_network",
            Self::Application => "application",
            Self::Community => "community",
            Self::Uplink => "uplink",
            Self::CoreLink => "core_link",
            Self::Pop => "pop",
        }
    }
}

/// Things of one kind to which the same happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// The kind.
    pub kind: ThingKind,
    /// Their names or codes.
    pub names: Vec<String>,
    /// What happens to them.
    pub sentence: String,
}

/// Things of one kind by name, in both plans.
fn pairs<'a, T>(
    old: &'a [T],
    new: &'a [T],
    name: impl Fn(&'a T) -> &'a str,
) -> BTreeMap<&'a str, (Option<&'a T>, Option<&'a T>)> {
    let mut pairs: BTreeMap<&str, (Option<&T>, Option<&T>)> = BTreeMap::new();
    for one in old {
        pairs.entry(name(one)).or_default().0 = Some(one);
    }
    for one in new {
        pairs.entry(name(one)).or_default().1 = Some(one);
    }
    pairs
}

/// `organisation A becomes B`, where they differ.
fn becomes<T: PartialEq + Display>(what: &str, old: T, new: T) -> Option<String> {
    (old != new).then(|| format!("{what} {old} becomes {new}"))
}

/// `members a and b are added`, `member c is removed`.
fn comes_and_goes(singular: &str, plural: &str, old: &[String], new: &[String]) -> Vec<String> {
    let beyond = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    let tell = |names: Vec<String>, verb: &str| {
        let is = if names.len() == 1 { "is" } else { "are" };
        (!names.is_empty()).then(|| format!("{} {is} {verb}", few(&names, singular, plural)))
    };
    let (added, removed) = (beyond(new, old), beyond(old, new));
    tell(added, "added").into_iter().chain(tell(removed, "removed")).collect()
}

/// Everything that is different but routers, rights and identifiers.
pub(crate) fn things(old: &Plan, new: &Plan, all: &Sites<'_>) -> Vec<Thing> {
    let mut things = of_sites(old, new, all);
    things.extend(lans(old, new, all));
    let names = pairs(&old.virtual_networks, &new.virtual_networks, |one| &one.name);
    things.extend(one_by_one(ThingKind::VirtualNetwork, names, network));
    let names = pairs(&old.applications, &new.applications, |one| &one.name);
    things.extend(one_by_one(ThingKind::Application, names, |old, new| application(old, new, all)));
    let names = pairs(&old.communities, &new.communities, |one| &one.name);
    things.extend(one_by_one(ThingKind::Community, names, community));
    things.extend(links(old, new));
    let names = pairs(&old.pops, &new.pops, |one| &one.name);
    things.extend(one_by_one(ThingKind::Pop, names, pop));
    things
}

/// A sentence for each thing that is different.
fn one_by_one<'a, T: PartialEq>(
    kind: ThingKind,
    pairs: BTreeMap<&'a str, (Option<&'a T>, Option<&'a T>)>,
    sentence: impl Fn(Option<&T>, Option<&T>) -> String,
) -> Vec<Thing> {
    let different = pairs.into_iter().filter(|(_, (old, new))| old != new);
    let thing = |(name, (old, new)): (&str, (Option<&T>, Option<&T>))| {
        let names = vec![name.to_owned()];
        Thing { kind, names, sentence: sentence(old, new) }
    };
    different.map(thing).collect()
}

/// What happens to a site.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OfSite<'a> {
    Added(&'a str, &'a str),
    Removed(&'a str, &'a str),
    Changed(Vec<String>),
}

fn of_sites(old: &Plan, new: &Plan, all: &Sites<'_>) -> Vec<Thing> {
    let mut groups: BTreeMap<OfSite<'_>, Vec<&str>> = BTreeMap::new();
    for (code, pair) in pairs(&old.sites, &new.sites, |site| &site.code) {
        let what = match pair {
            (None, Some(site)) => OfSite::Added(&site.organisation, &site.kind),
            (Some(site), None) => OfSite::Removed(&site.organisation, &site.kind),
            (Some(old), Some(new)) if old != new => OfSite::Changed(site(old, new)),
            (Some(_), Some(_)) | (None, None) => continue,
        };
        groups.entry(what).or_default().push(code);
    }
    let thing = |(what, codes): (OfSite<'_>, Vec<&str>)| {
        let who = sites(all, codes.iter().copied());
        let is = if codes.len() == 1 { "is" } else { "are" };
        // Where they are counted, kind and organisation are said already.
        let of = |organisation: &str, kind: &str| match codes.len() {
            1 => format!(", {} of {organisation}", a_premises(kind)),
            few if few <= NAMED_MAX => format!(", {} of {organisation}", premises(kind, few)),
            _ => String::new(),
        };
        let sentence = match what {
            OfSite::Added(organisation, kind) => {
                format!("{who} {is} added{}", of(organisation, kind))
            }
            OfSite::Removed(organisation, kind) => {
                format!("{who} {is} removed{}", of(organisation, kind))
            }
            OfSite::Changed(parts) => format!("{who}: {}", parts.join("; ")),
        };
        let names = codes.into_iter().map(str::to_owned).collect();
        Thing { kind: ThingKind::Site, names, sentence }
    };
    groups.into_iter().map(thing).collect()
}

fn site(old: &Site, new: &Site) -> Vec<String> {
    let resilient = |site: &Site| if site.resilient { "resilient" } else { "not resilient" };
    let parts = [
        becomes("name", &old.name, &new.name),
        becomes("kind", &old.kind, &new.kind),
        becomes("organisation", &old.organisation, &new.organisation),
        becomes("router", &old.router, &new.router),
        becomes("what was", resilient(old), resilient(new)),
        moved(old.position, new.position),
    ];
    parts.into_iter().flatten().collect()
}

fn moved(old: Option<Position>, new: Option<Position>) -> Option<String> {
    let degrees = |at: Position| {
        let [north, east] = [at.latitude_e6, at.longitude_e6].map(|e6| f64::from(e6) / 1e6);
        format!("{north:.6}, {east:.6}")
    };
    match (old, new) {
        (Some(old), Some(new)) => becomes("place on the map", degrees(old), degrees(new)),
        (None, Some(_)) => Some("the place on the map is known".to_owned()),
        (Some(_), None) => Some("the place on the map is not known any more".to_owned()),
        (None, None) => None,
    }
}

/// Sites that join and leave virtual networks.
fn lans(old: &Plan, new: &Plan, all: &Sites<'_>) -> Vec<Thing> {
    let of = |plan: &Plan| -> BTreeSet<(String, String)> {
        let lans = plan.attachments.iter();
        lans.map(|lan| (lan.virtual_network.clone(), lan.site.clone())).collect()
    };
    let (was, is) = (of(old), of(new));
    let mut total: BTreeMap<&str, usize> = BTreeMap::new();
    for (network, _) in &is {
        *total.entry(network).or_default() += 1;
    }
    let mut groups: BTreeMap<(&str, bool), Vec<&str>> = BTreeMap::new();
    for (network, site) in is.difference(&was) {
        groups.entry((network, true)).or_default().push(site);
    }
    for (network, site) in was.difference(&is) {
        groups.entry((network, false)).or_default().push(site);
    }
    let thing = |((network, joins), codes): ((&str, bool), Vec<&str>)| {
        let verb = match (joins, codes.len()) {
            (true, 1) => "joins",
            (true, _) => "join",
            (false, 1) => "leaves",
            (false, _) => "leave",
        };
        let who = sites(all, codes.iter().copied());
        let others = total.get(network).map_or(0, |total| total.saturating_sub(codes.len()));
        let others = match (joins, others) {
            (true, 1) => ", with its 1 other site".to_owned(),
            (true, many @ 2..) => format!(", with its {} other sites", number(many)),
            (_, _) => String::new(),
        };
        let names = codes.iter().map(|code| (*code).to_owned()).collect();
        let sentence = format!("{who} {verb} virtual network {network}{others}");
        Thing { kind: ThingKind::Lan, names, sentence }
    };
    groups.into_iter().map(thing).collect()
}

fn network(old: Option<&VirtualNetwork>, new: Option<&VirtualNetwork>) -> String {
    let addresses = |one: &VirtualNetwork| {
        and(&one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    match (old, new) {
        (Some(old), Some(new)) => {
            let parts = [
                becomes("organisation", &old.organisation, &new.organisation),
                becomes("addresses", &addresses(old), &addresses(new)),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("virtual network {}: {}", new.name, parts.join("; "))
        }
        (None, Some(new)) => format!(
            "virtual network {} of {} is added, with {}",
            new.name,
            new.organisation,
            addresses(new)
        ),
        (Some(old), None) => {
            format!("virtual network {} of {} is removed", old.name, old.organisation)
        }
        (None, None) => String::new(),
    }
}

fn application(old: Option<&Application>, new: Option<&Application>, all: &Sites<'_>) -> String {
    let addresses =
        |one: &Application| and(&one.addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
    let at = |one: &Application| sites(all, [one.site.as_str()]);
    match (old, new) {
        (Some(old), Some(new)) => {
            let parts = [
                becomes("virtual network", &old.virtual_network, &new.virtual_network),
                becomes("site", &at(old), &at(new)),
                becomes("addresses", &addresses(old), &addresses(new)),
                becomes("what it listens on,", &ports(&old.listens), &ports(&new.listens)),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            format!("application {}: {}", new.name, parts.join("; "))
        }
        (None, Some(new)) => format!(
            "application {} of {} is published at {}, on {}",
            new.name,
            new.virtual_network,
            at(new),
            ports(&new.listens)
        ),
        (Some(old), None) => {
            format!("application {} of {} is no longer published", old.name, old.virtual_network)
        }
        (None, None) => String::new(),
    }
}

fn community(old: Option<&Community>, new: Option<&Community>) -> String {
    let end = |one: &Community| one.expires.clone().unwrap_or_else(|| "without an end".to_owned());
    let until = |one: &Community| match &one.expires {
        Some(date) => format!("until {date}"),
        None => "without an end".to_owned(),
    };
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut parts = comes_and_goes("member", "members", &old.members, &new.members);
            let applications = (&old.applications, &new.applications);
            let (singular, plural) = ("application", "applications");
            parts.extend(comes_and_goes(singular, plural, applications.0, applications.1));
            parts.extend(becomes("purpose", quoted(&old.purpose), quoted(&new.purpose)));
            parts.extend(becomes("last day", end(old), end(new)));
            if parts.is_empty() {
                parts.push("the order of its lines".to_owned());
            }
            format!("community {}: {}", new.name, parts.join("; "))
        }
        (None, Some(new)) => {
            let reach = if new.members.len() == 1 { "reaches" } else { "reach" };
            format!(
                "community {} begins, {}: {} {reach} {}, {}",
                new.name,
                quoted(&new.purpose),
                few(&new.members, "virtual network", "virtual networks"),
                and(&new.applications),
                until(new)
            )
        }
        (Some(old), None) => {
            format!("community {} ends; it was in force {}", old.name, until(old))
        }
        (None, None) => String::new(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn pop(old: Option<&Pop>, new: Option<&Pop>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => {
            let mut parts = comes_and_goes("router", "routers", &old.routers, &new.routers);
            let (singular, plural) = ("shared risk", "shared risks");
            parts.extend(comes_and_goes(singular, plural, &old.shared_risks, &new.shared_risks));
            parts.extend(moved(old.position, new.position));
            format!("point of presence {}: {}", new.name, parts.join("; "))
        }
        (None, Some(new)) => {
            let routers = few(&new.routers, "core router", "core routers");
            format!("point of presence {} is added, with {routers}", new.name)
        }
        (Some(old), None) => format!("point of presence {} is removed", old.name),
        (None, None) => String::new(),
    }
}

/// Links, those to which the same happens together.
fn links(old: &Plan, new: &Plan) -> Vec<Thing> {
    let kind = |link: &Link| match link.kind {
        LinkKind::Core => ThingKind::CoreLink,
        LinkKind::Uplink => ThingKind::Uplink,
    };
    let mut groups: BTreeMap<(ThingKind, String), Vec<String>> = BTreeMap::new();
    for (name, pair) in pairs(&old.links, &new.links, |link| &link.name) {
        let (kind, what) = match pair {
            (None, Some(new)) => (kind(new), "added".to_owned()),
            (Some(old), None) => (kind(old), "removed".to_owned()),
            (Some(old), Some(new)) if old != new => (kind(new), link(old, new)),
            (Some(_), Some(_)) | (None, None) => continue,
        };
        groups.entry((kind, what)).or_default().push(name.to_owned());
    }
    let thing = |((kind, what), names): ((ThingKind, String), Vec<String>)| {
        let (singular, plural) = if kind == ThingKind::CoreLink {
            ("core link", "core links")
        } else {
            ("uplink", "uplinks")
        };
        let who = few(&names, singular, plural);
        let is = if names.len() == 1 { "is" } else { "are" };
        let sentence = match what.as_str() {
            "added" | "removed" => format!("{who} {is} {what}"),
            changes => format!("{who}: {changes}"),
        };
        Thing { kind, names, sentence }
    };
    groups.into_iter().map(thing).collect()
}

fn link(old: &Link, new: &Link) -> String {
    let ends = |link: &Link| {
        let [a, b] = &link.ends;
        format!("{} port {} to {} port {}", a.router, a.port, b.router, b.port)
    };
    let rate =
        |kbps: u32| format!("{} kbit/s", number(usize::try_from(kbps).unwrap_or(usize::MAX)));
    let rates = |link: &Link| match link.rate_kbps == link.rate_back_kbps {
        true => rate(link.rate_kbps),
        false => format!("{} and {} back", rate(link.rate_kbps), rate(link.rate_back_kbps)),
    };
    let medium = |link: &Link| match link.medium {
        model::config::Medium::Ethernet => "Ethernet",
        model::config::Medium::Secure => "a secure link",
    };
    let parts = [
        becomes("what joined", ends(old), ends(new)),
        becomes("what was", medium(old), medium(new)),
        becomes("rate", rates(old), rates(new)),
        becomes("delay", format!("{} us", old.delay_us), format!("{} us", new.delay_us)),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    let (singular, plural) = ("shared risk", "shared risks");
    parts.extend(comes_and_goes(singular, plural, &old.shared_risks, &new.shared_risks));
    parts.join("; ")
}
