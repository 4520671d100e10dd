//! `network.toml`: the region, its PoPs and links, access types, kinds of premises, and classes.
//!
//! The types here are the file's shape, from which the JSON Schema is made; what they do not say is
//! checked below them, one function per table.

use std::collections::{BTreeMap, BTreeSet};

use base::AsNumber;
use model::config::{Authentication, AuthenticationAlgorithm, Bfd, Medium};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::names::{Named, check_slug, shown};
use crate::pools::{PoolPlaces, PoolsShape};
use crate::problem::{Place, Report};
use crate::shape::{At, Read};
use crate::{
    Access, Class, ClassName, Files, Isis, Kind, Link, Pools, Pop, Position, Region, Timers,
};

/// The region: PoPs, core links, access types, kinds of premises, classes of service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "network.toml")]
pub(crate) struct NetworkFile {
    /// The region.
    #[schemars(required)]
    region: Option<At<RegionShape>>,
    /// Where addresses come from.
    #[schemars(required)]
    pools: Option<PoolsShape>,
    /// How fast failures are seen.
    timers: Option<TimersShape>,
    /// The interior gateway protocol.
    isis: Option<At<IsisShape>>,
    /// Points of presence.
    #[schemars(required, length(min = 1, max = 5000))]
    pop: Option<Vec<At<PopShape>>>,
    /// Core links.
    #[serde(default)]
    #[schemars(length(max = 20_000))]
    link: Vec<At<LinkShape>>,
    /// Access types, by name.
    #[schemars(required)]
    access: Option<BTreeMap<At<String>, AccessShape>>,
    /// Kinds of premises, by the name that `sites.csv` uses.
    #[schemars(required)]
    kind: Option<BTreeMap<At<String>, KindShape>>,
    /// The six classes of service.
    #[schemars(required)]
    class: Option<Vec<At<ClassShape>>>,
}

/// The region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Region")]
struct RegionShape {
    /// A slug.
    name: At<String>,
    /// What it is.
    description: Option<String>,
    /// The core's AS number: private, two octets (RFC 6996).
    #[schemars(range(min = 64512, max = 65534))]
    as_number: u32,
    /// Whether one failure may cut off no PoP, and there must be two reflectors; true by default.
    resilient: Option<bool>,
}

/// How fast failures are seen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Timers")]
struct TimersShape {
    /// Milliseconds between BFD packets on core links; 50 by default.
    #[schemars(range(min = 3, max = 10000))]
    core_bfd_ms: Option<u32>,
    /// How many BFD packets may be missed on core links; 3 by default.
    #[schemars(range(min = 1, max = 50))]
    core_bfd_multiplier: Option<u8>,
    /// Milliseconds between BFD packets on uplinks; 150 by default.
    #[schemars(range(min = 3, max = 10000))]
    uplink_bfd_ms: Option<u32>,
    /// How many BFD packets may be missed on uplinks; 3 by default.
    #[schemars(range(min = 1, max = 50))]
    uplink_bfd_multiplier: Option<u8>,
    /// Seconds without a message until a BGP session is given up; 90 by default.
    #[schemars(range(min = 3, max = 3600))]
    bgp_hold_s: Option<u16>,
    /// Milliseconds between attempts to connect a BGP session; 5000 by default.
    #[schemars(range(min = 100, max = 120_000))]
    bgp_connect_retry_ms: Option<u32>,
    /// Milliseconds between IS-IS hellos; 3000 by default.
    #[schemars(range(min = 100, max = 60000))]
    isis_hello_ms: Option<u32>,
    /// How many IS-IS hellos may be missed; 3 by default.
    #[schemars(range(min = 2, max = 100))]
    isis_hello_multiplier: Option<u16>,
}

/// The interior gateway protocol.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Isis")]
struct IsisShape {
    /// The area address, 1 to 13 octets in hexadecimal; `49.0001` by default.
    area: Option<At<String>>,
    /// How link-state PDUs and hellos are authenticated; not at all by default.
    authentication: Option<At<AuthenticationShape>>,
}

/// Cryptographic authentication of IS-IS. Either `key` or `key_file`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Authentication")]
struct AuthenticationShape {
    /// The algorithm: RFC 5304 or RFC 5310.
    algorithm: AlgorithmShape,
    /// The key's number on the wire (RFC 5310); 1 by default.
    #[schemars(range(min = 1, max = 65535))]
    key_id: Option<u16>,
    /// The key itself: for examples and rehearsals only.
    key: Option<String>,
    /// A file in this folder, named `….key`, that holds the key.
    key_file: Option<At<String>>,
}

impl core::fmt::Debug for AuthenticationShape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AuthenticationShape")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// The algorithm: RFC 5304 or RFC 5310.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[schemars(rename = "Algorithm")]
enum AlgorithmShape {
    #[serde(rename = "hmac-md5")]
    Md5,
    #[serde(rename = "hmac-sha-256")]
    Sha256,
}

/// A point of presence. Its core routers are named after it: `lewes-1`, `lewes-2`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pop")]
struct PopShape {
    /// A slug.
    name: At<String>,
    /// The town it is in; the name by default.
    town: Option<String>,
    /// Degrees north of the equator.
    #[schemars(range(min = -90, max = 90))]
    latitude: At<f64>,
    /// Degrees east of Greenwich.
    #[schemars(range(min = -180, max = 180))]
    longitude: f64,
    /// How many core routers it has; 1 by default.
    #[schemars(range(min = 1, max = 2))]
    routers: Option<u8>,
    /// Whether its first router is a route reflector; false by default.
    reflector: Option<bool>,
    /// What it can fail with: a building, a power feed.
    #[serde(default)]
    shared_risks: Vec<String>,
}

/// A link between two core routers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Link")]
struct LinkShape {
    /// Two core routers; a PoP's name stands for its first router.
    #[schemars(length(min = 2, max = 2))]
    between: Vec<At<String>>,
    /// Committed rate in both directions, in megabits per second.
    #[schemars(range(min = 1, max = 1_000_000))]
    rate_mbps: u32,
    /// IS-IS metric; by default one per kilometre of fibre.
    #[schemars(range(min = 1, max = 16_777_214))]
    metric: Option<u32>,
    /// Shared-risk groups: what it can fail with.
    #[serde(default)]
    shared_risks: Vec<String>,
}

/// An access type: what an uplink is made of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Access")]
struct AccessShape {
    /// How frames look.
    medium: MediumShape,
    /// Megabits per second towards the site.
    #[schemars(range(min = 1, max = 1_000_000))]
    down_mbps: u32,
    /// Megabits per second from the site.
    #[schemars(range(min = 1, max = 1_000_000))]
    up_mbps: u32,
    /// One-way delay in milliseconds.
    #[schemars(range(min = 0, max = 2000))]
    delay_ms: u32,
    /// The largest IP packet in octets; 1500 by default. That of a secure link has the labels in
    /// it, too: of a line's 1500 octets, WireGuard and GRE leave 1416 over IPv4 and 1396 over IPv6,
    /// and 8 less over PPPoE. 1400 and 1380 are good figures.
    #[schemars(range(min = 1280, max = 9216))]
    mtu: Option<u16>,
    /// Whether it is assumed rather than known; false by default.
    assumed: Option<bool>,
    /// What it is.
    description: Option<String>,
}

/// How frames look: Ethernet, or GRE in a WireGuard tunnel over any IP network.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Medium")]
enum MediumShape {
    Ethernet,
    Secure,
}

/// A kind of premises: what a site has where its row does not say otherwise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Kind")]
struct KindShape {
    /// The access type of the uplink.
    access: At<String>,
    /// The access type of a second uplink, to another PoP; none by default.
    backup: Option<At<String>>,
    /// The length of a LAN's IPv4 prefix; 24 by default.
    #[schemars(range(min = 16, max = 29))]
    lan_length: Option<u8>,
}

/// A class of service.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Class")]
struct ClassShape {
    /// Which of the six.
    name: ClassName,
    /// The code point.
    #[schemars(range(min = 0, max = 63))]
    dscp: u8,
    /// Guaranteed share of a link's committed rate, in per cent.
    #[schemars(range(min = 0, max = 100))]
    share_percent: u8,
    /// What it is for.
    description: Option<String>,
}

/// `network.toml`, as far as it could be read.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) region: Option<Region>,
    pub(crate) pools: Option<Pools>,
    pub(crate) pool_places: PoolPlaces,
    pub(crate) timers: Timers,
    pub(crate) isis: Isis,
    pub(crate) pops: Named<Pop>,
    /// The PoP of every core router.
    pub(crate) routers: BTreeMap<String, String>,
    pub(crate) links: Named<Link>,
    pub(crate) access: Named<Access>,
    pub(crate) kinds: Named<Kind>,
    pub(crate) classes: Named<Class>,
}

impl Network {
    /// Checks what was read of the file.
    pub(crate) fn read(
        report: &mut Report<'_>,
        files: &Files,
        read: Option<Read<NetworkFile>>,
    ) -> Self {
        let complete = |key: &str| read.as_ref().is_some_and(|read| read.is_complete(key));
        let mut network = Self {
            region: None,
            pools: None,
            pool_places: PoolPlaces::default(),
            timers: timers(&TimersShape::default()),
            isis: Isis { area: AREA_DEFAULT.to_vec(), authentication: None },
            pops: Named::new("PoP", complete("pop")),
            routers: BTreeMap::new(),
            links: Named::new("link", complete("link")),
            access: Named::new("access type", complete("access")),
            kinds: Named::new("kind", complete("kind")),
            classes: Named::new("class", complete("class")),
        };
        let Some(Read { content: file, .. }) = read else { return network };
        network.region = file.region.and_then(|shape| region(report, shape.value));
        network.pools = file.pools.and_then(|shape| {
            network.pool_places.read(report, &shape);
            network.pool_places.pools()
        });
        network.pool_places.check_overlaps(report);
        if let Some(shape) = file.timers {
            network.timers = timers(&shape);
        }
        if let Some(shape) = file.isis {
            network.isis = isis(report, files, shape.value);
        }
        for shape in file.pop.into_iter().flatten() {
            network.add_pop(report, shape.value);
        }
        for shape in file.link {
            network.add_link(report, shape);
        }
        for (name, shape) in file.access.into_iter().flatten() {
            network.add_access(report, &name, shape);
        }
        for (name, shape) in file.kind.into_iter().flatten() {
            network.add_kind(report, &name, &shape);
        }
        for shape in file.class.into_iter().flatten() {
            network.add_class(report, &shape);
        }
        network.check_classes(report);
        network
    }

    fn add_pop(&mut self, report: &mut Report<'_>, shape: PopShape) {
        let place = shape.name.place();
        let name = shape.name.value;
        if !check_slug(report, place, "PoP", &name) {
            self.pops.complete = false;
            return;
        }
        // Six decimals, a tenth of a metre, are all that a position keeps.
        let degrees = |value: f64| format!("{value:.6}");
        let position = Position::parse(&degrees(shape.latitude.value), &degrees(shape.longitude));
        let Ok(position) = position else {
            report.error(shape.latitude.place(), "not a place on the globe");
            self.pops.complete = false;
            return;
        };
        let pop = Pop {
            town: shape.town.unwrap_or_else(|| name.clone()),
            position,
            routers: shape.routers.unwrap_or(1),
            reflector: shape.reflector.unwrap_or(false),
            shared_risks: shape.shared_risks,
            name: name.clone(),
        };
        let known = self.pops.find(&name).is_some();
        for router in pop.router_names().filter(|_| !known) {
            if self.pops.find(&router).is_some() {
                report.error(place, format!("core router `{router}` has the name of a PoP"));
            }
            self.routers.insert(router, name.clone());
        }
        if let Some(other) = self.routers.get(&name) {
            report.error(place, format!("PoP `{name}` has the name of a core router of `{other}`"));
        }
        self.pops.add(report, place, &name, pop);
    }

    /// The core router that one end of a link names, and its PoP's position.
    fn resolve_end(&self, report: &mut Report<'_>, end: &At<String>) -> Option<(String, Position)> {
        if let Some(pop) = self.pops.find(&end.value) {
            return Some((format!("{}-1", pop.name), pop.position));
        }
        if let Some(pop) = self.routers.get(&end.value).and_then(|pop| self.pops.find(pop)) {
            return Some((end.value.clone(), pop.position));
        }
        if self.pops.complete {
            let names = self.pops.items.iter().map(|(_, pop)| pop.name.as_str());
            let names = names.chain(self.routers.keys().map(String::as_str));
            report.unknown(end.place(), "PoP or core router", &shown(&end.value), names);
        }
        None
    }

    fn add_link(&mut self, report: &mut Report<'_>, shape: At<LinkShape>) {
        let place = shape.place();
        let shape = shape.value;
        let ends: Vec<_> =
            shape.between.iter().filter_map(|end| self.resolve_end(report, end)).collect();
        let [(first, from), (second, to)] = ends.as_slice() else {
            self.links.complete = false;
            return;
        };
        if first == second {
            report.error(place, format!("link from `{first}` to itself"));
            return;
        }
        let metres = from.distance_m(*to);
        let link = Link {
            ends: [first.clone(), second.clone()],
            rate_mbps: shape.rate_mbps,
            metric: shape.metric.unwrap_or_else(|| metric(metres)),
            delay_us: delay_us(metres),
            shared_risks: shape.shared_risks,
        };
        let mut name = [first.as_str(), second.as_str()];
        name.sort_unstable();
        self.links.add(report, place, &name.join("--"), link);
    }

    fn add_access(&mut self, report: &mut Report<'_>, name: &At<String>, shape: AccessShape) {
        check_slug(report, name.place(), "access type", &name.value);
        let access = Access {
            name: name.value.clone(),
            medium: match shape.medium {
                MediumShape::Ethernet => Medium::Ethernet,
                MediumShape::Secure => Medium::Secure,
            },
            down_mbps: shape.down_mbps,
            up_mbps: shape.up_mbps,
            delay_ms: shape.delay_ms,
            mtu: shape.mtu.unwrap_or(1500),
            assumed: shape.assumed.unwrap_or(false),
            description: shape.description.unwrap_or_default(),
        };
        self.access.add(report, name.place(), &name.value, access);
    }

    fn add_kind(&mut self, report: &mut Report<'_>, name: &At<String>, shape: &KindShape) {
        check_slug(report, name.place(), "kind", &name.value);
        for access in core::iter::once(&shape.access).chain(&shape.backup) {
            self.access.resolve(report, access.place(), &access.value);
        }
        let kind = Kind {
            name: name.value.clone(),
            access: shape.access.value.clone(),
            backup: shape.backup.as_ref().map(|access| access.value.clone()),
            lan_length: shape.lan_length.unwrap_or(24),
        };
        self.kinds.add(report, name.place(), &name.value, kind);
    }

    fn add_class(&mut self, report: &mut Report<'_>, shape: &At<ClassShape>) {
        let place = shape.place();
        let shape = &shape.value;
        let same = self.classes.items.iter().find(|(_, class)| class.dscp == shape.dscp);
        if let Some((_, other)) = same.filter(|(_, other)| other.name != shape.name) {
            let message = format!("DSCP {} is already that of class `{}`", shape.dscp, other.name);
            report.error(place, message);
        }
        let class = Class {
            name: shape.name,
            dscp: shape.dscp,
            share_percent: shape.share_percent,
            description: shape.description.clone().unwrap_or_default(),
        };
        self.classes.add(report, place, &shape.name.to_string(), class);
    }

    fn check_classes(&self, report: &mut Report<'_>) {
        let shares = self.classes.items.iter().map(|(_, class)| u32::from(class.share_percent));
        let sum: u32 = shares.sum();
        if let Some((place, _)) = self.classes.items.last().filter(|_| sum > 100) {
            report
                .error(*place, format!("the classes' guaranteed shares add up to {sum} per cent"))
                .allow("100 at most");
        }
        let named: BTreeSet<_> = self.classes.items.iter().map(|(_, class)| class.name).collect();
        if self.classes.complete && !named.is_empty() {
            for name in ClassName::ALL.into_iter().filter(|name| !named.contains(name)) {
                report.error(Place::File, format!("missing class `{name}`"));
            }
        }
    }
}

/// `49.0001`: the private format (AFI 49), area 1.
const AREA_DEFAULT: [u8; 3] = [0x49, 0, 1];

/// Fibre follows roads: half as long again as the crow flies.
fn fibre_m(metres: u32) -> u32 {
    metres.saturating_add(metres / 2)
}

/// One per kilometre of fibre, so that the shortest path is the fastest; at least one.
fn metric(metres: u32) -> u32 {
    (fibre_m(metres).saturating_add(500) / 1000).max(1)
}

/// Light takes 5 µs for a kilometre of fibre; equipment at both ends takes 10 µs.
fn delay_us(metres: u32) -> u32 {
    10 + fibre_m(metres) / 200
}

fn region(report: &mut Report<'_>, shape: RegionShape) -> Option<Region> {
    check_slug(report, shape.name.place(), "region", &shape.name.value).then(|| Region {
        name: shape.name.value,
        description: shape.description.unwrap_or_default(),
        as_number: AsNumber(shape.as_number),
        resilient: shape.resilient.unwrap_or(true),
    })
}

fn timers(shape: &TimersShape) -> Timers {
    Timers {
        core_bfd: Bfd {
            interval_ms: shape.core_bfd_ms.unwrap_or(50),
            multiplier: shape.core_bfd_multiplier.unwrap_or(3),
        },
        uplink_bfd: Bfd {
            interval_ms: shape.uplink_bfd_ms.unwrap_or(150),
            multiplier: shape.uplink_bfd_multiplier.unwrap_or(3),
        },
        bgp_hold_s: shape.bgp_hold_s.unwrap_or(90),
        bgp_connect_retry_ms: shape.bgp_connect_retry_ms.unwrap_or(5000),
        isis_hello_ms: shape.isis_hello_ms.unwrap_or(3000),
        isis_hello_multiplier: shape.isis_hello_multiplier.unwrap_or(3),
    }
}

fn isis(report: &mut Report<'_>, files: &Files, shape: IsisShape) -> Isis {
    let area = shape.area.and_then(|area| {
        let octets = area_octets(&area.value);
        if octets.is_none() {
            let message = format!("`{}` is not an area address", shown(&area.value));
            report.error(area.place(), message).allow("1 to 13 octets in hexadecimal: `49.0001`");
        }
        octets
    });
    let authentication = shape.authentication.and_then(|shape| {
        let place = shape.place();
        authentication(report, files, place, shape.value)
    });
    Isis { area: area.unwrap_or_else(|| AREA_DEFAULT.to_vec()), authentication }
}

/// The octets of an area address (ISO 10589 §7.1.1); dots may stand between octets.
fn area_octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for part in text.split('.') {
        let (pairs, rest) = part.as_bytes().as_chunks::<2>();
        if pairs.is_empty() || !rest.is_empty() {
            return None;
        }
        for pair in pairs {
            let digit = |b: u8| char::from(b).to_digit(16);
            let [high, low] = *pair;
            octets.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
        }
    }
    (octets.len() <= 13).then_some(octets)
}

fn authentication(
    report: &mut Report<'_>,
    files: &Files,
    place: Place,
    shape: AuthenticationShape,
) -> Option<Authentication> {
    let key = match (shape.key, shape.key_file) {
        (Some(key), None) => Some(key),
        (None, Some(file)) => {
            let key = files.keys.get(&file.value).map(|text| text.trim().to_owned());
            if key.as_ref().is_none_or(String::is_empty) {
                let name = shown(&file.value);
                report
                    .error(file.place(), format!("no key in file `{name}`"))
                    .allow("a file beside this one whose name ends in `.key`");
            }
            key.filter(|key| !key.is_empty())
        }
        (Some(_), Some(_)) | (None, None) => {
            let message = "authentication needs exactly one of `key` and `key_file`";
            report.error(place, message);
            None
        }
    }?;
    let algorithm = match shape.algorithm {
        AlgorithmShape::Md5 => AuthenticationAlgorithm::HmacMd5,
        AlgorithmShape::Sha256 => AuthenticationAlgorithm::HmacSha256,
    };
    Some(Authentication { algorithm, key_id: shape.key_id.unwrap_or(1), key })
}
