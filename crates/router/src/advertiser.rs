//! When and what the router advertises to the IPv6 hosts of its attachments.
//!
//! An attachment that comes up is advertised three times soon after one another and then every few
//! minutes; a host that asks is answered within half a second, to all hosts, so that many that come
//! up at once cost one answer. Advertisements of a link are never less than three seconds apart.
//! When an attachment ceases to be advertised, its hosts are told that nothing there is valid any
//! more.
//!
//! Standards: RFC 4861 §6.2 (sending), §10 (constants), RFC 4862 §5.5.3 (prefixes for addresses),
//! RFC 8106 §5.1 (resolvers), RFC 9096 §3.2 (nothing outlives the link's prefix).
//! Not implemented: RFC 4861 §6.2.7 (consistency of several routers on a link: a LAN has one), DHCPv6,
//! MLD (RFC 3810: a switch that snoops must let groups of routers and neighbours through).

use core::net::Ipv6Addr;
use std::collections::BTreeMap;

use base::{Deadline, Duration, Instant, Ipv6Prefix, MacAddr, PortId, Rng};
use packet::router_discovery::{ALL_NODES, Advertisement, PrefixInformation};
use packet::{icmp, ip, ndp};

/// Between unsolicited advertisements, at least and at most (RFC 4861 §6.2.1: MinRtrAdvInterval and
/// MaxRtrAdvInterval).
const INTERVAL_MIN: Duration = Duration::from_secs(200);
const INTERVAL_MAX: Duration = Duration::from_secs(600);
/// The first few come faster (RFC 4861 §10: MAX_INITIAL_RTR_ADVERTISEMENTS and
/// MAX_INITIAL_RTR_ADVERT_INTERVAL).
const INITIAL_COUNT: u8 = 3;
const INITIAL_INTERVAL: Duration = Duration::from_secs(16);
/// The longest that an answer waits (RFC 4861 §10: MAX_RA_DELAY_TIME).
const ANSWER_DELAY_MAX: Duration = Duration::from_millis(500);
/// Between any two advertisements (RFC 4861 §10: MIN_DELAY_BETWEEN_RAS).
const APART_MIN: Duration = Duration::from_secs(3);
/// Seconds that hosts use the router without hearing of it (RFC 4861 §6.2.1: AdvDefaultLifetime,
/// three times the longest interval), and what it says of resolvers (RFC 8106 §5.1).
const ROUTER_LIFETIME: u16 = 1800;
/// Seconds that a prefix is valid and preferred: days, so that an outage ends no address, but not
/// weeks, so that one that is gone is forgotten (RFC 9096 §3.3).
const PREFIX_VALID: u32 = 86_400;
const PREFIX_PREFERRED: u32 = 14_400;
/// The hop limit that hosts are told, as RFC 1700 recommends.
const HOP_LIMIT: u8 = 64;
/// The length of prefixes from which hosts make addresses (RFC 4862 §5.5.3 d, RFC 2464 §4).
const AUTONOMOUS_LEN: u8 = 64;

/// What is said of one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    /// The address from which it is said (RFC 4861 §4.2).
    pub(crate) source: Ipv6Addr,
    pub(crate) mac: MacAddr,
    pub(crate) mtu: u16,
    pub(crate) prefixes: Vec<Ipv6Prefix>,
    pub(crate) resolvers: Vec<Ipv6Addr>,
}

impl Content {
    /// The IP packet to all nodes; a last one says that nothing is valid any more.
    pub(crate) fn packet(&self, last: bool) -> Option<Vec<u8>> {
        let lasting = |time: u32| if last { 0 } else { time };
        let prefixes = self.prefixes.iter().map(|prefix| PrefixInformation {
            prefix: *prefix,
            on_link: true,
            autonomous: prefix.len() == AUTONOMOUS_LEN,
            valid: lasting(PREFIX_VALID),
            preferred: lasting(PREFIX_PREFERRED),
        });
        let advertisement = Advertisement {
            hop_limit: HOP_LIMIT,
            managed: false,
            other: false,
            router_lifetime: if last { 0 } else { ROUTER_LIFETIME },
            reachable_time: 0,
            retransmit_time: 0,
            prefixes: prefixes.collect(),
            resolvers: self.resolvers.clone(),
            resolvers_lifetime: lasting(ROUTER_LIFETIME.into()),
            mtu: Some(self.mtu.into()),
            link_layer: Some(self.mac),
        };
        let upper = advertisement.encode(self.source, ALL_NODES);
        let ends = (self.source.into(), ALL_NODES.into());
        ip::encode(ends, icmp::PROTOCOL_V6, (0, ndp::HOP_LIMIT), &upper)
    }
}

#[derive(Debug)]
struct Sender {
    content: Content,
    /// When the next one leaves; none while the port is down.
    next: Option<Instant>,
    last: Option<Instant>,
    /// How many of the first few are still to be sent.
    initial: u8,
}

/// The advertised attachments.
#[derive(Debug)]
pub(crate) struct Advertiser {
    rng: Rng,
    ports: BTreeMap<PortId, Sender>,
}

impl Advertiser {
    pub(crate) const fn new(rng: Rng) -> Self {
        Self { rng, ports: BTreeMap::new() }
    }

    /// Sets what is said of an attachment, or that nothing is; returns what was said so far, if
    /// hosts are to be told that it is over.
    pub(crate) fn set(
        &mut self,
        now: Instant,
        port: PortId,
        content: Option<Content>,
        up: bool,
    ) -> Option<Content> {
        let Some(content) = content else {
            let gone = self.ports.remove(&port)?;
            return gone.next.map(|_| gone.content);
        };
        if self.ports.get(&port).is_some_and(|sender| sender.content == content) {
            return None;
        }
        let last = self.ports.get(&port).and_then(|sender| sender.last);
        self.ports.insert(port, Sender { content, next: None, last, initial: 0 });
        self.handle_port(now, port, up);
        None
    }

    /// A port came up or went down.
    pub(crate) fn handle_port(&mut self, now: Instant, port: PortId, up: bool) {
        let Some(sender) = self.ports.get_mut(&port) else { return };
        if !up {
            sender.next = None;
        } else if sender.next.is_none() {
            sender.initial = INITIAL_COUNT;
            let soon = now + self.rng.jitter(ANSWER_DELAY_MAX, 100);
            sender.next = Some(sender.not_before(soon));
        }
    }

    /// A host asks; it hears within half a second, or three seconds after the last.
    pub(crate) fn handle_solicitation(&mut self, now: Instant, port: PortId) {
        let Some(sender) = self.ports.get_mut(&port) else { return };
        let soon = sender.not_before(now + self.rng.jitter(ANSWER_DELAY_MAX, 100));
        sender.next = sender.next.map(|next| next.min(soon));
    }

    /// When the next one leaves.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let next = self.ports.values().filter_map(|sender| sender.next).min()?;
        Some(Deadline { at: next, why: "router advertisement" })
    }

    /// Takes an advertisement that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(PortId, Vec<u8>)> {
        let is_due = |sender: &Sender| sender.next.is_some_and(|next| next <= now);
        let (port, sender) = self.ports.iter_mut().find(|(_, sender)| is_due(sender))?;
        sender.last = Some(now);
        sender.initial = sender.initial.saturating_sub(1);
        // RFC 4861 §6.2.4 and §6.2.6: anew after every one, whatever made it leave.
        let span = (INTERVAL_MAX - INTERVAL_MIN).as_millis();
        let span = self.rng.below(u64::try_from(span).unwrap_or(0));
        let interval = INTERVAL_MIN + Duration::from_millis(span);
        let wait = if sender.initial > 0 { interval.min(INITIAL_INTERVAL) } else { interval };
        sender.next = Some(now + wait);
        sender.content.packet(false).map(|packet| (*port, packet))
    }
}

impl Sender {
    fn not_before(&self, soon: Instant) -> Instant {
        self.last.map_or(soon, |last| soon.max(last + APART_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ANSWER_DELAY_MAX, APART_MIN, Advertiser, Content, INITIAL_INTERVAL, INTERVAL_MAX,
        INTERVAL_MIN,
    };
    use base::{Duration, Instant, MacAddr, PortId, Rng};

    const PORT: PortId = PortId(1);

    fn content() -> Content {
        Content {
            source: "fe80::1".parse().unwrap(),
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            mtu: 1420,
            prefixes: vec!["fd00:1:1::/64".parse().unwrap()],
            resolvers: Vec::new(),
        }
    }

    fn advertiser(seed: u64) -> Advertiser {
        let mut advertiser = Advertiser::new(Rng::new(seed));
        assert_eq!(advertiser.set(Instant::ZERO, PORT, Some(content()), true), None);
        advertiser
    }

    /// Takes the next advertisement; when that is.
    fn next(advertiser: &mut Advertiser) -> Instant {
        let at = advertiser.poll_timeout().unwrap().at;
        assert!(advertiser.take_due(at).is_some_and(|(port, _)| port == PORT));
        assert_eq!(advertiser.take_due(at), None);
        at
    }

    #[test]
    fn three_come_soon_after_one_another_and_then_one_every_few_minutes() {
        for seed in 0..20 {
            let mut advertiser = advertiser(seed);
            let times: Vec<Instant> = (0..10).map(|_| next(&mut advertiser)).collect();
            assert!(times[0] - Instant::ZERO <= ANSWER_DELAY_MAX);
            for (number, pair) in times.windows(2).enumerate() {
                let between = pair[1] - pair[0];
                if number < 2 {
                    assert_eq!(between, INITIAL_INTERVAL);
                } else {
                    assert!((INTERVAL_MIN..=INTERVAL_MAX).contains(&between), "{between:?}");
                }
            }
        }
    }

    #[test]
    fn hosts_that_ask_are_answered_soon_and_together_and_never_within_three_seconds() {
        for seed in 0..20 {
            let mut advertiser = advertiser(seed);
            let mut last = (0..4).map(|_| next(&mut advertiser)).last().unwrap();
            for wait in [1, 2, 10, 100] {
                let asked = last + Duration::from_secs(wait);
                for _ in 0..50 {
                    advertiser.handle_solicitation(asked, PORT);
                }
                let answered = next(&mut advertiser);
                let earliest = asked.max(last + APART_MIN);
                assert!(answered >= last + APART_MIN && answered >= asked);
                assert!(answered <= earliest + ANSWER_DELAY_MAX, "{answered} after {asked}");
                last = answered;
            }
        }
    }

    #[test]
    fn a_port_that_is_down_or_not_advertised_is_silent() {
        let mut advertiser = advertiser(1);
        advertiser.handle_port(Instant::ZERO, PORT, false);
        advertiser.handle_solicitation(Instant::ZERO, PORT);
        advertiser.handle_solicitation(Instant::ZERO, PortId(9));
        assert_eq!(advertiser.poll_timeout(), None);
        assert_eq!(advertiser.set(Instant::ZERO, PORT, None, false), None, "nobody to be told");
        advertiser.set(Instant::ZERO, PORT, Some(content()), true);
        assert_eq!(advertiser.set(Instant::ZERO, PORT, None, true), Some(content()));
        assert_eq!(advertiser.poll_timeout(), None);
    }

    #[test]
    fn a_port_that_flaps_does_not_flood_its_link() {
        let mut advertiser = advertiser(1);
        let mut last = next(&mut advertiser);
        for _ in 0..20 {
            advertiser.handle_port(last, PORT, false);
            advertiser.handle_port(last, PORT, true);
            let soon = next(&mut advertiser);
            assert!(soon - last >= APART_MIN);
            last = soon;
        }
    }
}
