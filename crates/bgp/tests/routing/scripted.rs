//! One core router whose neighbours follow a script: a reflector, two customers' routers in one
//! VRF, and a site. What each was told is kept as it would understand it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Duration, Instant, Label, PortId, Prefix, RouteTarget, RouterId, VrfId};
use bgp::graceful_restart::GracefulRestart;
use bgp::message::{self, Kind};
use bgp::nlri::{Membership, Nlri, Routes, VpnNlri};
use bgp::notification::{ErrorCode, Notification};
use bgp::open::{self, Open};
use bgp::policy::RejectReason;
use bgp::route::{AsSegment, Family, FamilySet, PathAttributes, VpnPrefix};
use bgp::update::{self, Context, Writer, encode_end_of_rib};
use bgp::{
    Config, CustomerFilter, Instance, LabelBlock, Neighbour, NeighbourId, NeighbourKind, Output,
    SiteFilter, Vrf, VrfPath,
};

use super::network::id;
use super::region::{REGION, VPN, rd, target};

pub(crate) const REFLECTOR: usize = 0;
pub(crate) const CE: usize = 1;
/// In the same VRF, and of another AS.
pub(crate) const OTHER_CE: usize = 2;
pub(crate) const SITE: usize = 3;
/// A client of this router, where it reflects; see [`reflecting`].
pub(crate) const CLIENT: usize = 4;

pub(crate) const LOOPBACK: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 1);
pub(crate) const VRF: VrfId = VrfId(0);
/// What the first customer's router may announce, besides an IPv6 prefix.
pub(crate) const ACCEPTED: [&str; 3] = ["203.0.113.0/24", "192.0.2.0/24", "198.51.100.0/24"];
pub(crate) const ACCEPTED_V6: &str = "2001:db8:77::/48";

/// A route as a neighbour was told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) attributes: PathAttributes,
    pub(crate) next_hop: IpAddr,
    pub(crate) label: Option<Label>,
}

/// What a neighbour was told on its session.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) open: Option<Open>,
    pub(crate) routes: BTreeMap<VpnPrefix, Told>,
    pub(crate) memberships: BTreeSet<Membership>,
    pub(crate) ends: FamilySet,
    pub(crate) announcements: usize,
    pub(crate) last_word: Option<ErrorCode>,
    context: Option<Context>,
    unread: Vec<u8>,
}

pub(crate) struct Scripted {
    pub(crate) now: Instant,
    pub(crate) core: Instance,
    pub(crate) config: Config,
    pub(crate) vrfs: BTreeMap<(VrfId, Prefix), Vec<VrfPath>>,
    pub(crate) outputs: Vec<Output>,
    peers: BTreeMap<NeighbourId, Peer>,
}

pub(crate) fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// The prefix under the route distinguisher of the core router's VRF.
pub(crate) fn in_vrf(text: &str) -> VpnPrefix {
    VpnPrefix { rd: rd(1, 0, 0), prefix: prefix(text) }
}

/// The prefix under the route distinguisher of another router's VRF.
pub(crate) fn elsewhere(text: &str) -> VpnPrefix {
    VpnPrefix { rd: rd(2, 0, 0), prefix: prefix(text) }
}

pub(crate) fn address(neighbour: usize) -> IpAddr {
    let last = u8::try_from(neighbour).unwrap();
    match neighbour {
        REFLECTOR => IpAddr::V4(Ipv4Addr::new(10, 255, 0, 9)),
        CE => IpAddr::V4(Ipv4Addr::new(172, 16, 2, 2)),
        _ => IpAddr::V4(Ipv4Addr::new(100, 64, last, 2)),
    }
}

/// The core router's own address there.
pub(crate) fn local(neighbour: usize) -> IpAddr {
    let last = u8::try_from(neighbour).unwrap();
    match neighbour {
        REFLECTOR => IpAddr::V4(LOOPBACK),
        CE => IpAddr::V4(Ipv4Addr::new(172, 16, 2, 1)),
        _ => IpAddr::V4(Ipv4Addr::new(100, 64, last, 1)),
    }
}

pub(crate) fn as_number(neighbour: usize) -> AsNumber {
    match neighbour {
        REFLECTOR | CLIENT => REGION,
        CE => AsNumber(65102),
        OTHER_CE => AsNumber(65103),
        _ => AsNumber(4_200_000_003),
    }
}

pub(crate) fn ce_filter() -> CustomerFilter {
    let accept = ACCEPTED.iter().chain([&ACCEPTED_V6]);
    CustomerFilter {
        vrf: VRF,
        accept: accept.map(|text| prefix(text)).collect(),
        targets: [target(7)].into(),
        max_routes: 10,
        local_v6: Some("2001:db8:2::1".parse().unwrap()),
        on_link: ["172.16.2.0/24", "2001:db8:2::/64"].map(prefix).to_vec(),
    }
}

fn neighbour(number: usize, families: &[Family], kind: NeighbourKind) -> Neighbour {
    Neighbour {
        id: id(number),
        name: format!("neighbour {number}"),
        address: address(number),
        local_address: local(number),
        as_number: as_number(number),
        families: families.to_vec(),
        passive: true,
        kind,
    }
}

pub(crate) fn config() -> Config {
    let plain = [Family::Ipv4Unicast, Family::Ipv6Unicast];
    let on_link = vec![Prefix::new(address(OTHER_CE), 24).expect("a length")];
    let accept = [prefix("203.0.113.0/24")].into();
    let other = CustomerFilter { accept, on_link, ..ce_filter() };
    let core = [Family::VpnIpv4, Family::VpnIpv6, Family::RouteTargetConstrain];
    let send = [target(7)].into();
    let (port, accept) = (PortId(3), Vec::new());
    let site = SiteFilter { port, local_pref: 200, accept, max_routes: 10, send };
    Config {
        as_number: REGION,
        router_id: RouterId(LOOPBACK),
        cluster_id: None,
        // The script keeps nothing alive.
        hold_time: 0,
        connect_retry: Duration::from_secs(5),
        local_address: Some(LOOPBACK),
        labels: LabelBlock { first: Label::new(1000).unwrap(), last: Label::new(9999).unwrap() },
        neighbours: vec![
            neighbour(REFLECTOR, &core, NeighbourKind::Internal { client: false }),
            neighbour(CE, &plain, NeighbourKind::Customer(ce_filter())),
            neighbour(OTHER_CE, &plain, NeighbourKind::Customer(other)),
            neighbour(SITE, &VPN, NeighbourKind::Site(site)),
        ],
        vrfs: vec![Vrf {
            id: VRF,
            name: "network 7".to_owned(),
            label: None,
            import: [target(7)].into(),
            export: vec![bgp::Export {
                prefix: prefix("10.7.0.0/24"),
                targets: [target(7)].into(),
            }],
            rds: BTreeMap::new(),
            rd: rd(1, 0, 0),
        }],
    }
}

/// The same with a client to reflect for.
pub(crate) fn reflecting() -> Config {
    let mut config = config();
    let core = [Family::VpnIpv4, Family::VpnIpv6, Family::RouteTargetConstrain];
    config.neighbours.push(neighbour(CLIENT, &core, NeighbourKind::Internal { client: true }));
    config
}

/// The filter of the first customer's router in a configuration.
pub(crate) fn filter_of(config: &mut Config, number: usize) -> &mut CustomerFilter {
    match &mut config.neighbours[number].kind {
        NeighbourKind::Customer(filter) => filter,
        NeighbourKind::Internal { .. } | NeighbourKind::Site(_) | NeighbourKind::Core { .. } => {
            panic!("not a customer's router")
        }
    }
}

/// The OPEN message of a neighbour that speaks all that it may.
pub(crate) fn open(number: usize) -> Open {
    let families = match number {
        REFLECTOR | CLIENT => FamilySet::ALL.difference(FamilySet::UNICAST),
        CE | OTHER_CE => FamilySet::UNICAST,
        _ => VPN.into_iter().collect(),
    };
    let IpAddr::V4(router_id) = address(number) else { panic!("an IPv4 address") };
    Open {
        local_as: as_number(number),
        hold_time: 90,
        router_id: RouterId(router_id),
        families,
        route_refresh: true,
        four_octet_as: true,
        graceful_restart: None,
        other_capabilities: Vec::new(),
    }
}

/// The same of one that goes on forwarding over a restart, and did so over the last.
pub(crate) fn open_that_restarts(number: usize, time: u16) -> Open {
    let open = open(number);
    let families = open.families;
    let restart = GracefulRestart { restarting: true, time, families, preserved: families };
    Open { graceful_restart: Some(restart), ..open }
}

/// Attributes as a customer's router sends them, with its AS and then these.
pub(crate) fn heard_from(number: usize, further: &[u32]) -> PathAttributes {
    let mut path = vec![as_number(number)];
    path.extend(further.iter().map(|&number| AsNumber(number)));
    let as_path = vec![AsSegment::Sequence(path)];
    PathAttributes { as_path, ..PathAttributes::originated() }
}

/// Attributes as the reflector sends them, in network 7.
pub(crate) fn reflected() -> PathAttributes {
    PathAttributes {
        as_path: vec![AsSegment::Sequence(vec![AsNumber(64999)])],
        local_pref: Some(100),
        med: Some(5),
        originator_id: Some(RouterId(Ipv4Addr::new(10, 255, 0, 2))),
        cluster_list: vec![RouterId(Ipv4Addr::new(10, 255, 0, 9))],
        extended_communities: vec![target(7).0, [0x03, 0x0c, 0, 0, 0, 0, 0, 1]],
        communities: vec![0xfde8_0001],
        ..PathAttributes::originated()
    }
}

/// The UPDATE messages that announce plain prefixes of one family.
pub(crate) fn plain_update(
    prefixes: &[&str],
    attributes: &PathAttributes,
    next_hop: IpAddr,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let family = Family::unicast(prefix(prefixes[0]));
    let mut writer = Writer::announce(family, attributes, next_hop, true, &mut bytes).unwrap();
    prefixes.iter().for_each(|text| writer.push_prefix(prefix(text)));
    writer.finish();
    bytes
}

impl Scripted {
    /// All neighbours are up and have said that they have nothing to say; the reflector wants
    /// everything.
    pub(crate) fn new(config: Config) -> Self {
        let mut scripted = Self::silent(config);
        for number in [REFLECTOR, CE, OTHER_CE, SITE] {
            scripted.connect(number, &open(number));
            scripted.end_of_ribs(number);
        }
        scripted
    }

    /// Nobody is up yet.
    pub(crate) fn silent(config: Config) -> Self {
        let now = Instant::ZERO;
        let mut core = Instance::new(now, 1, config.clone());
        let reachable = [Ipv4Addr::new(10, 255, 0, 2), Ipv4Addr::new(10, 255, 0, 9)];
        core.handle_next_hops(now, reachable.map(|hop| (IpAddr::V4(hop), 10)).into());
        let mut scripted = Self {
            now,
            core,
            config,
            vrfs: BTreeMap::new(),
            outputs: Vec::new(),
            peers: BTreeMap::new(),
        };
        scripted.run(Duration::from_millis(200));
        scripted
    }

    /// The neighbour comes up, as soon as the core router would listen to anybody again.
    pub(crate) fn connect(&mut self, number: usize, open: &Open) {
        self.run(Duration::from_secs(60));
        self.connect_now(number, open);
    }

    pub(crate) fn connect_now(&mut self, number: usize, open: &Open) {
        self.core.handle_connected(self.now, id(number));
        self.drain();
        let context = Context {
            local_as: as_number(number),
            peer_as: self.config.as_number,
            four_octet_as: true,
            families: FamilySet::ALL,
        };
        let open_was = self.peers.remove(&id(number)).and_then(|peer| peer.open);
        let peer = Peer { context: Some(context), open: open_was, ..Peer::default() };
        self.peers.insert(id(number), peer);
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        message::encode_keepalive(&mut bytes);
        self.send(number, &bytes);
        assert!(self.is_up(number), "{number} is not up");
    }

    pub(crate) fn end_of_ribs(&mut self, number: usize) {
        let mut bytes = Vec::new();
        if number == REFLECTOR {
            let attributes =
                PathAttributes { local_pref: Some(100), ..PathAttributes::originated() };
            let family = Family::RouteTargetConstrain;
            let next_hop = address(number);
            let mut writer =
                Writer::announce(family, &attributes, next_hop, true, &mut bytes).unwrap();
            writer.push_membership(Membership::DEFAULT);
            writer.finish();
        }
        for family in open(number).families.iter() {
            encode_end_of_rib(family, &mut bytes);
        }
        self.send(number, &bytes);
    }

    /// The connection goes away without a word.
    pub(crate) fn lose(&mut self, number: usize) {
        self.core.handle_closed(self.now, id(number));
        self.run(Duration::from_millis(20));
    }

    pub(crate) fn send(&mut self, number: usize, bytes: &[u8]) {
        self.core.handle_bytes(self.now, id(number), bytes);
        self.run(Duration::from_millis(20));
    }

    pub(crate) fn send_update(&mut self, number: usize, body: &[u8]) {
        self.send(number, &crate::wire::framed(2, body));
    }

    /// A customer's router announces IPv4 prefixes as it should.
    pub(crate) fn announce(&mut self, number: usize, prefixes: &[&str]) {
        let bytes = plain_update(prefixes, &heard_from(number, &[]), address(number));
        self.send(number, &bytes);
    }

    pub(crate) fn withdraw(&mut self, number: usize, text: &str) {
        let mut bytes = Vec::new();
        let mut writer = Writer::withdraw(Family::unicast(prefix(text)), &mut bytes);
        writer.push_prefix(prefix(text));
        writer.finish();
        self.send(number, &bytes);
    }

    /// A router of the region wants routes with this target.
    pub(crate) fn ask(&mut self, number: usize, wanted: RouteTarget) {
        let mut bytes = Vec::new();
        let attributes = PathAttributes { local_pref: Some(100), ..PathAttributes::originated() };
        let (family, next_hop) = (Family::RouteTargetConstrain, address(number));
        let mut writer = Writer::announce(family, &attributes, next_hop, true, &mut bytes).unwrap();
        writer.push_membership(Membership::new(REGION, wanted));
        writer.finish();
        self.send(number, &bytes);
    }

    /// The reflector announces a VPN route of another core router.
    pub(crate) fn reflect(&mut self, key: VpnPrefix, attributes: &PathAttributes) {
        let mut bytes = Vec::new();
        let next_hop = IpAddr::V4(Ipv4Addr::new(10, 255, 0, 2));
        let family = Family::vpn(key.prefix);
        let mut writer = Writer::announce(family, attributes, next_hop, true, &mut bytes).unwrap();
        writer.push_vpn(&VpnNlri { key, label: Label::new(500) });
        writer.finish();
        self.send(REFLECTOR, &bytes);
    }

    pub(crate) fn set_config(&mut self, config: &Config) {
        self.config = config.clone();
        self.core.set_config(self.now, config.clone());
        self.run(Duration::from_millis(20));
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.drain();
            let Some(deadline) = self.core.poll_timeout().filter(|due| due.at <= end) else {
                break;
            };
            self.now = self.now.max(deadline.at);
            self.core.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match &output {
                Output::Transmit(to) => self.transmit(*to),
                Output::Vrf { vrf, prefix, paths } if paths.is_empty() => {
                    assert!(self.vrfs.remove(&(*vrf, *prefix)).is_some(), "nothing to remove");
                }
                Output::Vrf { vrf, prefix, paths } => {
                    self.vrfs.insert((*vrf, *prefix), paths.clone());
                }
                Output::Connect(_)
                | Output::Close(_)
                | Output::Label { .. }
                | Output::Session { .. }
                | Output::Rejected { .. } => {}
            }
            self.outputs.push(output);
        }
    }

    fn transmit(&mut self, to: NeighbourId) {
        let mut bytes = Vec::new();
        self.core.transmit(self.now, to, &mut bytes, 16 * 1024);
        let peer = self.peers.entry(to).or_default();
        peer.unread.extend_from_slice(&bytes);
        while let Some(message) = message::split(&peer.unread).unwrap() {
            let (kind, body) = (message.kind, message.body.to_vec());
            peer.unread.drain(..message.len_on_wire());
            peer.read(kind, &body);
        }
    }

    pub(crate) fn peer(&self, number: usize) -> &Peer {
        &self.peers[&id(number)]
    }

    /// What a neighbour was told about a prefix in its VRF.
    pub(crate) fn told(&self, number: usize, text: &str) -> Option<&Told> {
        self.peer(number).routes.get(&VpnPrefix::plain(prefix(text)))
    }

    /// The prefixes that a customer's router was told of.
    pub(crate) fn told_prefixes(&self, number: usize) -> BTreeSet<String> {
        self.peer(number).routes.keys().map(|key| key.prefix.to_string()).collect()
    }

    pub(crate) fn is_up(&self, number: usize) -> bool {
        self.core.neighbour(id(number)).unwrap().not_up.is_none()
    }

    pub(crate) fn rejected(&self, number: usize, reason: RejectReason) -> u64 {
        let view = self.core.neighbour(id(number)).unwrap();
        view.counters.rejected.get(&reason).copied().unwrap_or(0)
    }

    /// The way in use to a prefix of the VRF.
    pub(crate) fn way(&self, text: &str) -> Option<VrfPath> {
        self.vrfs.get(&(VRF, prefix(text)))?.first().copied()
    }

    pub(crate) fn vrf_label(&self) -> Label {
        self.core.vrf(VRF).unwrap().label.unwrap()
    }

    /// Nothing is left of what came from the customers' routers: in no table, and with nobody.
    pub(crate) fn assert_forgotten(&self, text: &str) {
        let prefix = prefix(text);
        assert!(self.core.routes().all(|route| route.key.prefix != prefix), "{text} is a route");
        assert!(self.vrfs.keys().all(|(_, other)| *other != prefix), "{text} is in a VRF");
        for (id, peer) in &self.peers {
            assert!(peer.routes.keys().all(|key| key.prefix != prefix), "{id} knows {text}");
        }
    }
}

impl Peer {
    fn read(&mut self, kind: Kind, body: &[u8]) {
        match kind {
            Kind::Open => self.open = Some(open::decode(body).unwrap()),
            Kind::Notification => self.last_word = Some(Notification::decode(body).error),
            Kind::Update => self.read_update(body),
            Kind::Keepalive | Kind::RouteRefresh => {}
        }
    }

    fn read_update(&mut self, body: &[u8]) {
        let update = update::decode(body, &self.context.unwrap()).unwrap();
        if let Some(family) = update.end_of_rib() {
            self.ends = self.ends.with(family);
        }
        for nlri in update.withdrawn() {
            for membership in memberships(nlri) {
                assert!(self.memberships.remove(&membership), "{membership} was never asked for");
            }
            for (key, _) in keys(nlri) {
                assert!(self.routes.remove(&key).is_some(), "{key} was never announced");
            }
        }
        for reach in update.announced() {
            self.memberships.extend(memberships(reach.nlri));
            for (key, label) in keys(reach.nlri) {
                let attributes = update.attributes.clone().unwrap();
                let told = Told { attributes, next_hop: reach.next_hop, label };
                self.routes.insert(key, told);
                self.announcements += 1;
            }
        }
    }
}

fn memberships(nlri: Nlri<'_>) -> Vec<Membership> {
    match nlri.routes() {
        Routes::Membership(routes) => routes.flatten().collect(),
        Routes::Vpn(_) | Routes::Unicast(_) => Vec::new(),
    }
}

fn keys(nlri: Nlri<'_>) -> Vec<(VpnPrefix, Option<Label>)> {
    match nlri.routes() {
        Routes::Vpn(routes) => routes.flatten().map(|route| (route.key, route.label)).collect(),
        Routes::Unicast(routes) => {
            routes.flatten().map(|prefix| (VpnPrefix::plain(prefix), None)).collect()
        }
        Routes::Membership(_) => Vec::new(),
    }
}
