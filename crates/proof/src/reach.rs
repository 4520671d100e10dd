//! Who can talk with whom, by the tables alone.
//!
//! For every pair of LANs, and for every LAN and application, packets are sent through the tables
//! and their answers back: the port believes the source, access rules let it out, a route leads
//! somewhere, the label is followed to a VRF, which has the destination on an attachment, whose
//! rules let it in. Whole prefixes go at once, and of every route that some of them may take all
//! must lead there; ports go in the ranges that access rules cut.
//!
//! This is what hosts would find, whoever promised what: it is compared with what packets do in
//! the twin, and [`Reach::lacks`] holds it against the promises. With the tables of
//! [`crate::converged`] it says so for every failure.
//!
//! Standards: RFC 4364 §5 (forwarding in VRFs).
//! Not implemented: ICMP across the boundary of a virtual network, protocols without ports.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{PortId, Prefix};
use model::config::Side;
use model::plan::{Application, Attachment, Plan};
use model::tables::{Accepts, Path, RouterTables, Rule, Vrf, VrfRoute};

use crate::region::{Region, RouterId, within};
use crate::walk::Walker;

/// Hosts of one LAN reach those of another one, and are answered, on whatever protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Place in [`Plan::attachments`].
    pub from: usize,
    /// Place in [`Plan::attachments`].
    pub to: usize,
    /// Whether it is so in IPv6, or else in IPv4.
    pub v6: bool,
}

/// Hosts of a LAN reach an application of another virtual network, and are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Served {
    /// Place in [`Plan::attachments`].
    pub from: usize,
    /// Place in [`Plan::applications`].
    pub application: usize,
    /// Which of its addresses.
    pub address: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// The first and the last port of a range.
    pub ports: (u16, u16),
}

/// Who can talk with whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// LANs, of the same virtual network or not.
    pub pairs: BTreeSet<Pair>,
    /// Applications of other virtual networks, in ranges that do not touch.
    pub served: BTreeSet<Served>,
}

/// Something that was promised and that the tables do not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Between two LANs of one virtual network.
    Pair(Pair),
    /// On one of the ranges that an application listens on.
    Served(Served),
}

/// What these tables let hosts do.
#[must_use]
pub fn reach(plan: &Plan, tables: &[RouterTables]) -> Reach {
    let region = Region::new(plan, tables, &mut Vec::new());
    let numbers: BTreeMap<&str, usize> =
        plan.routers.iter().enumerate().map(|(place, one)| (one.name.as_str(), place)).collect();
    let lans: Vec<Lan<'_>> = plan
        .attachments
        .iter()
        .enumerate()
        .filter_map(|(number, attachment)| {
            let router = RouterId(*numbers.get(attachment.router.as_str())?);
            Some(Lan { number, at: (router, attachment.port), attachment })
        })
        .collect();
    let mut carrier = Carrier { region: &region, walker: Walker::of_packets(&region) };
    let mut reach = Reach::default();
    for from in &lans {
        let others = lans.iter().filter(|to| to.number != from.number);
        for (to, v6) in others.flat_map(|to| [(to, false), (to, true)]) {
            if carrier.talk(from, to, v6) {
                reach.pairs.insert(Pair { from: from.number, to: to.number, v6 });
            }
        }
        for (number, application) in plan.applications.iter().enumerate() {
            let network = &application.virtual_network;
            let is_its_own = |lan: &&Lan<'_>| {
                let Attachment { site, virtual_network, .. } = lan.attachment;
                *site == application.site && virtual_network == network
            };
            if from.attachment.virtual_network != *network
                && let Some(to) = lans.iter().find(is_its_own)
            {
                let served = carrier.served((from, to), application);
                let served = served.into_iter().map(|one| Served { application: number, ..one });
                reach.served.extend(served);
            }
        }
    }
    reach
}

impl Reach {
    /// Whether hosts of a LAN reach an application's address on a port.
    #[must_use]
    pub fn serves(
        &self,
        (from, application): (usize, usize),
        (address, protocol, port): (IpAddr, u8, u16),
    ) -> bool {
        let first = Served { from, application, address, protocol, ports: (0, 0) };
        let last = Served { ports: (port, u16::MAX), ..first };
        let range = self.served.range(first..=last).next_back();
        range.is_some_and(|one| (one.ports.0..=one.ports.1).contains(&port))
    }

    /// What was promised between sites that are not cut off (places in [`Plan::sites`]) and is not
    /// so, in order.
    #[must_use]
    pub fn lacks(&self, plan: &Plan, cut_off: &BTreeSet<usize>) -> Vec<Lack> {
        let cut_off: BTreeSet<&str> = cut_off
            .iter()
            .filter_map(|place| Some(plan.sites.get(*place)?.code.as_str()))
            .collect();
        let mut networks: BTreeMap<&str, Vec<(usize, &Attachment)>> = BTreeMap::new();
        for (number, lan) in plan.attachments.iter().enumerate() {
            if !cut_off.contains(lan.site.as_str()) {
                networks.entry(&lan.virtual_network).or_default().push((number, lan));
            }
        }
        let mut lacks = BTreeSet::new();
        for lans in networks.values() {
            let pairs = lans.iter().flat_map(|from| lans.iter().map(move |to| (*from, *to)));
            for ((from, near), (to, far)) in pairs.filter(|(from, to)| from.0 != to.0) {
                let has = |v6| [near, far].iter().all(|lan| of_family(lan, v6).next().is_some());
                let wanted = [false, true].into_iter().filter(|v6| has(*v6));
                let wanted = wanted.map(|v6| Pair { from, to, v6 });
                lacks.extend(wanted.filter(|pair| !self.pairs.contains(pair)).map(Lack::Pair));
            }
        }
        for (application, member) in offered(plan) {
            let Some(offer) = plan.applications.get(application) else { continue };
            let is_away = offer.virtual_network == member || cut_off.contains(offer.site.as_str());
            let members = networks.get(member).into_iter().flatten().filter(|_| !is_away);
            for (from, lan) in members {
                lacks.extend(self.unserved((*from, lan), (application, offer)).map(Lack::Served));
            }
        }
        lacks.into_iter().collect()
    }

    /// What an application listens on, as a member's LAN does not reach it.
    fn unserved<'a>(
        &'a self,
        (from, lan): (usize, &'a Attachment),
        (application, offer): (usize, &'a Application),
    ) -> impl Iterator<Item = Served> + 'a {
        let addresses = offer.addresses.iter().copied();
        let addresses =
            addresses.filter(|address| of_family(lan, address.is_ipv6()).next().is_some());
        let wanted = addresses.flat_map(move |address| {
            offer.listens.iter().map(move |listen| Served {
                from,
                application,
                address,
                protocol: listen.protocol,
                ports: (listen.port_first, listen.port_last),
            })
        });
        wanted.filter(move |one| {
            let (first, last) = one.ports;
            let mut all = self.served.iter().filter(|other| {
                (other.from, other.application, other.address, other.protocol)
                    == (from, application, one.address, one.protocol)
            });
            !all.any(|other| other.ports.0 <= first && last <= other.ports.1)
        })
    }
}

/// Applications, each with the virtual networks that may use it.
fn offered(plan: &Plan) -> BTreeSet<(usize, &str)> {
    let numbers: BTreeMap<&str, usize> =
        plan.applications.iter().enumerate().map(|(at, one)| (one.name.as_str(), at)).collect();
    let of_community = plan.communities.iter().flat_map(|community| {
        let all = community.applications.iter().filter_map(|name| numbers.get(name.as_str()));
        all.flat_map(|number| community.members.iter().map(|member| (*number, member.as_str())))
    });
    of_community.collect()
}

fn of_family(lan: &Attachment, v6: bool) -> impl Iterator<Item = Prefix> {
    lan.prefixes.iter().copied().filter(move |prefix| prefix.addr().is_ipv6() == v6)
}

/// A LAN and the port that it is on.
#[derive(Debug, Clone, Copy)]
struct Lan<'a> {
    number: usize,
    at: (RouterId, PortId),
    attachment: &'a Attachment,
}

/// Packets that go the same way as far as anybody can tell.
#[derive(Debug, Clone, Copy)]
struct Packets {
    source: Prefix,
    destination: Prefix,
    upper: Upper,
}

/// What is in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upper {
    /// Whatever hosts of one virtual network say.
    Anything,
    /// Protocol and the application's ports: to the application.
    Ask(u8, (u16, u16)),
    /// And from it.
    Answer(u8, (u16, u16)),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Outbound,
    Inbound,
}

struct Carrier<'r, 'a> {
    region: &'r Region<'a>,
    walker: Walker<'r, 'a>,
}

impl<'r, 'a> Carrier<'r, 'a> {
    /// Whether all packets arrive, from everywhere in a LAN to everywhere in another, and back.
    fn talk(&mut self, from: &Lan<'_>, to: &Lan<'_>, v6: bool) -> bool {
        let sources = of_family(from.attachment, v6);
        let mut pairs =
            sources.flat_map(|one| of_family(to.attachment, v6).map(move |other| (one, other)));
        let mut talk = |(source, destination)| {
            let there = Packets { source, destination, upper: Upper::Anything };
            let back = Packets { source: destination, destination: source, ..there };
            self.carries(from.at, to.at, there) && self.carries(to.at, from.at, back)
        };
        pairs.next().is_some_and(&mut talk) && pairs.all(talk)
    }

    /// On what an application is reached from a LAN; the application's number is left open.
    fn served(
        &mut self,
        (from, to): (&Lan<'_>, &Lan<'_>),
        application: &Application,
    ) -> Vec<Served> {
        let mut found: Vec<Served> = Vec::new();
        let cuts = self.cuts([from, to], application);
        for address in &application.addresses {
            let destination = Prefix::host(*address);
            let sources: Vec<Prefix> = of_family(from.attachment, address.is_ipv6()).collect();
            for (protocol, ports) in cuts.iter().flat_map(|(protocol, cuts)| {
                let ranges = cuts.iter().zip(cuts.iter().skip(1).map(Some).chain([None]));
                ranges.map(|(first, next)| {
                    (*protocol, (*first, next.map_or(u16::MAX, |next| next - 1)))
                })
            }) {
                let mut served = |source: &Prefix| {
                    let upper = Upper::Ask(protocol, ports);
                    let ask = Packets { source: *source, destination, upper };
                    let upper = Upper::Answer(protocol, ports);
                    let answer = Packets { source: destination, destination: *source, upper };
                    self.carries(from.at, to.at, ask) && self.carries(to.at, from.at, answer)
                };
                if sources.is_empty() || !sources.iter().all(&mut served) {
                    continue;
                }
                let next = Served {
                    from: from.number,
                    application: usize::MAX,
                    address: *address,
                    protocol,
                    ports,
                };
                match found.last_mut() {
                    Some(last) if last.is_followed_by(&next) => last.ports.1 = ports.1,
                    Some(_) | None => found.push(next),
                }
            }
        }
        found
    }

    /// Where access rules and what is listened on cut the ports of each protocol.
    fn cuts(&self, lans: [&Lan<'_>; 2], application: &Application) -> BTreeMap<u8, BTreeSet<u16>> {
        let of_lan = |lan: &Lan<'_>| {
            let router = self.region.router(lan.at.0)?;
            let Accepts::Attachment { vrf, .. } = &router.port(lan.at.1)?.accepts else {
                return None;
            };
            Some(&router.vrf(*vrf)?.vrf.rules)
        };
        let of_rule = |rule: &Rule| (rule.protocol, rule.port_first, rule.port_last);
        let rules = lans.into_iter().filter_map(of_lan).flatten().map(of_rule);
        let listens = application.listens.iter();
        let listens = listens.map(|one| (one.protocol, one.port_first, one.port_last));
        let mut cuts: BTreeMap<u8, BTreeSet<u16>> = BTreeMap::new();
        for (protocol, first, last) in rules.chain(listens) {
            let cuts = cuts.entry(protocol).or_default();
            cuts.extend([0, first]);
            cuts.extend(last.checked_add(1));
        }
        cuts
    }

    /// Whether all packets that enter at one attachment leave at another one.
    fn carries(
        &mut self,
        from: (RouterId, PortId),
        to: (RouterId, PortId),
        packets: Packets,
    ) -> bool {
        let region = self.region;
        let Some(router) = region.router(from.0) else { return false };
        let Some(port) = router.port(from.1) else { return false };
        let Accepts::Attachment { vrf, sources } = &port.accepts else { return false };
        let Some(table) = router.vrf(*vrf) else { return false };
        if !within(sources, packets.source) || !passes(table.vrf, Direction::Outbound, &packets) {
            return false;
        }
        let (routes, is_whole) = table.taken(packets.destination, 0);
        let mut arrives = false;
        for route in routes {
            match route {
                VrfRoute::Local => continue,
                VrfRoute::Attached { port, .. } if self.leaves((from.0, *port), to, &packets) => {}
                VrfRoute::Remote(paths) if self.crosses(from.0, paths, to, &packets) => {}
                VrfRoute::Attached { .. } | VrfRoute::Remote(_) => return false,
            }
            arrives = true;
        }
        is_whole && arrives
    }

    /// Whether packets leave by the attachment that they should.
    fn leaves(&self, at: (RouterId, PortId), to: (RouterId, PortId), packets: &Packets) -> bool {
        let port = self.region.router(at.0).and_then(|router| router.port(at.1));
        let Some(port) = port.filter(|port| at == to && port.up) else { return false };
        let Accepts::Attachment { vrf, .. } = &port.accepts else { return false };
        let table = self.region.router(at.0).and_then(|router| router.vrf(*vrf));
        table.is_some_and(|table| passes(table.vrf, Direction::Inbound, packets))
    }

    /// Whether packets get through the core by the first path that is usable.
    fn crosses(
        &mut self,
        from: RouterId,
        paths: &[Path],
        to: (RouterId, PortId),
        packets: &Packets,
    ) -> bool {
        let Some(path) = self.walker.usable_path(from, paths) else { return false };
        if !self.is_believed(from, path, packets.source) {
            return false;
        }
        let number = self.walker.path(from, path);
        let outcome = self.walker.outcome(number);
        if !outcome.faults.is_empty() || outcome.ends.is_empty() {
            return false;
        }
        outcome.ends.iter().all(|(at, vrf)| {
            let table = self.region.router(*at).and_then(|router| router.vrf(*vrf));
            let Some(table) = table else { return false };
            let (routes, is_whole) = table.taken(packets.destination, 0);
            let mut arrives = false;
            for route in routes {
                match route {
                    VrfRoute::Local => continue,
                    VrfRoute::Attached { port, .. } if self.leaves((*at, *port), to, packets) => {}
                    // It is not sent back into the core.
                    VrfRoute::Attached { .. } | VrfRoute::Remote(_) => return false,
                }
                arrives = true;
            }
            is_whole && arrives
        })
    }

    /// Whether core routers believe these sources of the uplinks that a path begins with.
    fn is_believed(&self, from: RouterId, path: Path, source: Prefix) -> bool {
        let router = self.region.router(from);
        let mut hops = self.walker.usable_hops(from, path.via).into_iter();
        hops.all(|hop| {
            let far = router.and_then(|router| router.far(hop.port));
            let far = far.and_then(|(far, port)| self.region.router(far)?.port(port));
            match far.map(|port| &port.accepts) {
                Some(Accepts::Uplink { sources: Some(sources), .. }) => within(sources, source),
                Some(_) | None => true,
            }
        })
    }
}

impl Served {
    /// Whether another one is the same, on the ports that come next.
    fn is_followed_by(&self, next: &Self) -> bool {
        let Self { from, application, address, protocol, ports } = *self;
        ports.1.checked_add(1) == Some(next.ports.0)
            && (from, application, address, protocol)
                == (next.from, next.application, next.address, next.protocol)
    }
}

/// Whether packets may cross the boundary of the virtual network.
fn passes(vrf: &Vrf, direction: Direction, packets: &Packets) -> bool {
    let Packets { source, destination, upper } = *packets;
    if within(&vrf.own, source) && within(&vrf.own, destination) {
        return true;
    }
    let (local, remote) = match direction {
        Direction::Outbound => (source, destination),
        Direction::Inbound => (destination, source),
    };
    vrf.rules.iter().any(|rule| {
        // The consumer's side asks, the provider's side answers.
        let asks = (rule.side == Side::Provider) == (direction == Direction::Inbound);
        let (protocol, (first, last)) = match upper {
            Upper::Ask(protocol, ports) if asks => (protocol, ports),
            Upper::Answer(protocol, ports) if !asks => (protocol, ports),
            Upper::Anything | Upper::Ask(..) | Upper::Answer(..) => return false,
        };
        rule.protocol == protocol
            && rule.port_first <= first
            && last <= rule.port_last
            && within(&rule.local, local)
            && within(&rule.remote, remote)
    })
}
