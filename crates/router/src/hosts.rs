//! What the router does for the hosts of its attachments: addresses, advertisements, and who has
//! what.
//!
//! Standards: RFC 2131 §4.1 (UDP ports and addresses of answers), RFC 4861 §6.2.5 (ceasing to
//! advertise), §6.2.6 (solicitations).
//! Not implemented: see `dhcp` and `advertiser`.

use core::net::IpAddr;

use base::{Instant, PortId, Prefix};
use forwarding::LinkProtocol;
use model::config::{DhcpPool, HostService, NeighbourKind, Port, RouterConfig};
use model::view::LeaseView;
use packet::dhcp::{CLIENT_PORT, Message, SERVER_PORT};
use packet::ip::Fragment;
use packet::{PacketBuf, icmp, ip, ndp, router_discovery, udp};

use crate::advertiser::Content;
use crate::dhcp::{Answer, Pool, Settings};
use crate::timers::Timer;
use crate::{Event, Router, translate};

/// The largest packet that hosts are told of, however much more the router takes: what every station
/// and switch of an Ethernet carries, and the most that hosts believe (RFC 894, RFC 2464 §2).
const HOSTS_MTU_MAX: u16 = 1500;
/// The time to live of answers to hosts, which are on the link.
const ANSWER_TTL: u8 = 64;

/// The addresses of routers on an attachment, ours among them: no host's.
fn taken(config: &RouterConfig, id: PortId, port: &Port) -> Vec<IpAddr> {
    let own = port.addresses.iter().map(|own| own.address);
    let neighbours = config.neighbours.iter().filter_map(|one| match one.kind {
        NeighbourKind::Customer { port, .. } if port == id => Some(IpAddr::V4(one.address)),
        NeighbourKind::Customer { .. }
        | NeighbourKind::Internal { .. }
        | NeighbourKind::Site { .. }
        | NeighbourKind::Core { .. } => None,
    });
    let routes = config.vrfs.iter().flat_map(|vrf| &vrf.export).filter(|route| route.port == id);
    own.chain(neighbours).chain(routes.filter_map(|route| route.next_hop)).collect()
}

fn v4s(addresses: &[IpAddr]) -> impl Iterator<Item = core::net::Ipv4Addr> {
    addresses.iter().filter_map(|address| match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    })
}

fn v6s(addresses: &[IpAddr]) -> impl Iterator<Item = core::net::Ipv6Addr> {
    addresses.iter().filter_map(|address| match address {
        IpAddr::V6(v6) => Some(*v6),
        IpAddr::V4(_) => None,
    })
}

fn pool(config: &RouterConfig, id: PortId, port: &Port) -> Option<Settings> {
    let HostService { dhcp, dns, .. } = translate::port_hosts(port)?;
    let DhcpPool { first, last, lease_s } = (*dhcp)?;
    let (gateway, prefix) = translate::port_v4_prefix(port)?;
    let taken = v4s(&taken(config, id, port)).collect();
    let (lease, mtu) = (lease_s, port.mtu.min(HOSTS_MTU_MAX));
    Some(Settings { gateway, prefix, first, last, taken, lease, dns: v4s(dns).collect(), mtu })
}

fn content(port: &Port) -> Option<Content> {
    let HostService { advertise, dns, .. } = translate::port_hosts(port)?;
    let source = translate::port_link_local(port).filter(|_| *advertise)?;
    let mut prefixes = Vec::new();
    for own in &port.addresses {
        if let Some(Prefix::V6(prefix)) = Prefix::new(own.address, own.length)
            && !prefix.addr().is_unicast_link_local()
            && !prefixes.contains(&prefix)
        {
            prefixes.push(prefix);
        }
    }
    let (mac, mtu) = (port.mac, port.mtu.min(HOSTS_MTU_MAX));
    Some(Content { source, mac, mtu, prefixes, resolvers: v6s(dns).collect() })
}

impl Router {
    /// Brings what is done for hosts up to date with the configuration.
    pub(crate) fn occupy_hosts(&mut self, now: Instant) {
        let mut goodbyes = Vec::new();
        for (id, port) in self.config.ports() {
            match (pool(&self.config, id, port), self.pools.get_mut(&id)) {
                (Some(settings), Some(pool)) => pool.set(settings),
                (Some(settings), None) => {
                    self.pools.insert(id, Pool::new(settings));
                }
                (None, _) => {
                    self.pools.remove(&id);
                }
            }
            let up = self.carrier.get(&id).copied().unwrap_or(false);
            let former = self.advertiser.set(now, id, content(port), up);
            goodbyes.extend(former.map(|former| (id, former)));
        }
        let count = self.config.ports.len();
        self.pools.retain(|port, _| usize::try_from(port.0).is_ok_and(|place| place < count));
        for (port, former) in goodbyes {
            self.say_goodbye(now, port, &former);
        }
        self.arm(Timer::Advertiser);
    }

    /// Ceases to advertise a port, before it becomes another one.
    pub(crate) fn cease_advertising(&mut self, now: Instant, port: PortId) {
        let former = self.advertiser.set(now, port, None, false);
        if let Some(former) = former {
            self.say_goodbye(now, port, &former);
        }
        self.arm(Timer::Advertiser);
    }

    fn say_goodbye(&mut self, now: Instant, port: PortId, former: &Content) {
        if let Some(packet) = former.packet(true) {
            self.send_on(now, port, router_discovery::ALL_NODES.into(), &packet);
        }
    }

    /// Sends the advertisements that are due.
    pub(crate) fn advertise(&mut self, now: Instant) {
        while let Some((port, packet)) = self.advertiser.take_due(now) {
            self.send_on(now, port, router_discovery::ALL_NODES.into(), &packet);
        }
        self.arm(Timer::Advertiser);
    }

    /// A packet of router discovery, from its IPv6 header on; false where it is none.
    pub(crate) fn handle_router_discovery(
        &mut self,
        now: Instant,
        port: PortId,
        bytes: &[u8],
    ) -> bool {
        let Ok(header) = ip::Packet::decode(bytes) else { return false };
        let upper = header.payload(bytes);
        if upper.first() != Some(&router_discovery::SOLICITATION)
            || header.protocol != icmp::PROTOCOL_V6
        {
            return false;
        }
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (header.source, header.destination)
        else {
            return false;
        };
        let is_sound = router_discovery::Solicitation::decode(source, destination, upper).is_ok();
        if is_sound && header.ttl == ndp::HOP_LIMIT {
            self.advertiser.handle_solicitation(now, port);
            self.arm(Timer::Advertiser);
        }
        true
    }

    /// A packet for the DHCP server of an attachment; false where there is none or it is no such
    /// packet.
    pub(crate) fn handle_dhcp(&mut self, now: Instant, port: PortId, packet: &[u8]) -> bool {
        let Some(pool) = self.pools.get_mut(&port) else { return false };
        let Ok(header) = ip::Packet::decode(packet) else { return false };
        let datagram = header.payload(packet);
        let is_sound = header.protocol == udp::PROTOCOL
            && header.fragment == Fragment::Whole
            && udp::checksum_is_right(header.source, header.destination, datagram);
        let Ok((_, payload)) = udp::Header::decode(datagram) else { return false };
        let Some(message) = Message::decode(payload).ok().filter(|_| is_sound) else {
            return false;
        };
        let tables = &self.install.tables;
        let answer = pool.handle(now, &message, |address| tables.neighbour(port, address.into()));
        if pool.take_exhausted(now) {
            let port = self.port_name(port);
            self.outputs.push_back(crate::Output::Event(Event::PoolExhausted { port }));
        }
        if let Some(answer) = answer {
            self.send_answer(now, port, &answer);
        }
        true
    }

    fn send_answer(&mut self, now: Instant, port: PortId, answer: &Answer) {
        let Some(server) = answer.message.options.server else { return };
        let ends = (IpAddr::V4(server), IpAddr::V4(answer.to));
        let payload = answer.message.encode();
        let datagram = udp::encode((ends.0, SERVER_PORT), (ends.1, CLIENT_PORT), &payload);
        let Some(packet) = ip::encode(ends, udp::PROTOCOL, (0, ANSWER_TTL), &datagram) else {
            return;
        };
        let packet = PacketBuf::from_slice(&packet);
        let to = (port, answer.station);
        let tables = &self.install.tables;
        self.lane.originate_link(tables, to, LinkProtocol::Ipv4, packet, &mut self.verdicts);
        self.act_on_verdicts(now);
    }

    /// The IPv4 addresses that are lent to hosts. One that has ended stays until the next message
    /// of a host of its attachment.
    #[must_use]
    pub fn leases(&self) -> Vec<LeaseView> {
        let mut views = Vec::new();
        for (port, pool) in &self.pools {
            views.extend(pool.leases().map(|lease| LeaseView {
                port: self.port_name(*port),
                address: lease.address,
                mac: lease.mac,
                client: lease.client.iter().map(|octet| format!("{octet:02x}")).collect(),
                expires: lease.until,
            }));
        }
        views
    }
}
