//! The IPv4 addresses of an attachment's hosts: which are lent to whom, and what is answered.
//!
//! A [`Pool`] is the DHCP server of one attachment. Whoever drives it hands it the messages of
//! hosts, with the time and what is known of the link's neighbours, and sends the answers.
//!
//! Leases are in memory alone. They outlive a restart all the same: a client looks for its address
//! at a place that follows from its name, and one that asks to keep a free address is granted it
//! whether the router remembers or not. The router is the only server of its pool, so it refuses
//! where another server would have to be silent.
//!
//! A flood of hosts that only look costs nothing that is lent: an offer is held for a minute, and
//! where nothing else is free the oldest offer makes way for the newest.
//!
//! Standards: RFC 2131 §3 (exchanges), §4.1 (where answers go), §4.3 (server), §4.4.5 (renewal
//! times), RFC 2132, RFC 6842 (the client's name is returned).
//! Not implemented: probing an address before it is offered (RFC 2131 §3.1: clients check
//! themselves and decline, and what the neighbour table knows is passed over), relay agents, BOOTP,
//! fixed addresses, lease times by the client's wish, leases on disk.
//!
//! Deviation from RFC 2131 §4.3.2: a client without a record that asks for a pool address of
//! another's, or for one of another link, is refused and not passed over, because there is no other
//! server that could know of it.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant, Ipv4Prefix, MacAddr, TraceHash};
use packet::dhcp::{Kind, Message, Options};

/// How long an offer is held: clients choose within seconds.
const OFFER_HOLD: Duration = Duration::from_secs(60);
/// How long a declined address is set aside: long enough for its other holder to be found, short
/// enough that a host that declines everything does not empty the pool for the day.
const DECLINE_HOLD: Duration = Duration::from_secs(600);
/// How often people are told that there is no address left.
const EXHAUSTED_EVENT_INTERVAL: Duration = Duration::from_secs(300);
/// Addresses of a pool: a /16.
pub(crate) const ADDRESSES_MAX: u32 = 65_536;

/// What a pool hands out and says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Our own address on the link: server and default router.
    pub(crate) gateway: Ipv4Addr,
    /// The link's prefix.
    pub(crate) prefix: Ipv4Prefix,
    pub(crate) first: Ipv4Addr,
    pub(crate) last: Ipv4Addr,
    /// Addresses that routers have.
    pub(crate) taken: BTreeSet<Ipv4Addr>,
    /// Seconds that an address is lent for.
    pub(crate) lease: u32,
    pub(crate) dns: Vec<Ipv4Addr>,
    pub(crate) mtu: u16,
}

impl Settings {
    /// The addresses that can be lent, in order.
    fn candidates(&self) -> impl Iterator<Item = Ipv4Addr> {
        let size = u64::from(ADDRESSES_MAX);
        let host_bits = 32 - u32::from(self.prefix.len());
        let hosts = u32::MAX.checked_shr(32 - host_bits).unwrap_or(0);
        let is_host = move |address: &Ipv4Addr| {
            // RFC 3021: with two addresses on a link both are hosts'.
            host_bits < 2 || (address.to_bits() & hosts != 0 && address.to_bits() & hosts != hosts)
        };
        let all = (self.first.to_bits()..=self.last.to_bits()).zip(0..size);
        all.map(|(bits, _)| Ipv4Addr::from_bits(bits))
            .filter(is_host)
            .filter(|address| !self.taken.contains(address))
    }

    fn is_in_pool(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

/// What an address is held for; ends are looked for in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Offered,
    /// Somebody else seems to have it.
    SetAside,
    Bound,
}

#[derive(Debug, Clone)]
struct Holding {
    stage: Stage,
    until: Instant,
    client: Vec<u8>,
    mac: MacAddr,
}

/// An address that is lent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease<'a> {
    pub(crate) address: Ipv4Addr,
    pub(crate) mac: MacAddr,
    pub(crate) client: &'a [u8],
    pub(crate) until: Instant,
}

/// A message to a client, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) message: Message,
    pub(crate) to: Ipv4Addr,
    pub(crate) station: MacAddr,
}

/// The addresses of one attachment.
#[derive(Debug)]
pub(crate) struct Pool {
    settings: Settings,
    free: BTreeSet<Ipv4Addr>,
    held: BTreeMap<Ipv4Addr, Holding>,
    /// What each client holds.
    clients: BTreeMap<Vec<u8>, Ipv4Addr>,
    ends: BTreeSet<(Stage, Instant, Ipv4Addr)>,
    exhausted: bool,
    told_at: Option<Instant>,
}

/// What a client calls itself: by the option, or else by its hardware (RFC 2131 §4.2).
fn client_of(message: &Message) -> Vec<u8> {
    if message.options.client.is_empty() {
        return [&[1], &message.hardware.0[..]].concat();
    }
    message.options.client.clone()
}

impl Pool {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            free: settings.candidates().collect(),
            settings,
            held: BTreeMap::new(),
            clients: BTreeMap::new(),
            ends: BTreeSet::new(),
            exhausted: false,
            told_at: None,
        }
    }

    /// Takes over other settings; what is lent and still in the pool stays so.
    pub(crate) fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.free = settings.candidates().collect();
        self.settings = settings;
        let gone: Vec<Ipv4Addr> =
            self.held.keys().filter(|address| !self.free.contains(address)).copied().collect();
        for address in gone {
            self.let_go(address);
            self.free.remove(&address);
        }
        for address in self.held.keys() {
            self.free.remove(address);
        }
    }

    /// What is lent, by address; what has ended is gone at the next message.
    pub(crate) fn leases(&self) -> impl Iterator<Item = Lease<'_>> {
        let bound = self.held.iter().filter(|(_, one)| one.stage == Stage::Bound);
        bound.map(|(address, Holding { mac, client, until, .. })| Lease {
            address: *address,
            mac: *mac,
            client,
            until: *until,
        })
    }

    /// Whether people are to be told now that somebody found no address.
    pub(crate) fn take_exhausted(&mut self, now: Instant) -> bool {
        let is_new = core::mem::take(&mut self.exhausted)
            && self.told_at.is_none_or(|told| now.since(told) >= EXHAUSTED_EVENT_INTERVAL);
        if is_new {
            self.told_at = Some(now);
        }
        is_new
    }

    /// Takes in a client's message; `known` tells which station has an address, as far as that is
    /// known.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        message: &Message,
        known: impl Fn(Ipv4Addr) -> Option<MacAddr>,
    ) -> Option<Answer> {
        let MacAddr(hardware) = message.hardware;
        let is_station = !message.hardware.is_multicast() && hardware != [0; 6];
        if !message.relay.is_unspecified() || !is_station {
            return None;
        }
        self.expire(now);
        let others = |address| known(address).is_some_and(|mac| mac != message.hardware);
        match message.kind {
            Kind::Discover => self.discover(now, message, others),
            Kind::Request => self.request(now, message, others),
            Kind::Decline => {
                self.decline(now, message);
                None
            }
            Kind::Release => {
                self.release(message);
                None
            }
            Kind::Inform => self.inform(message),
            // What servers say is nothing to a server.
            Kind::Offer | Kind::Ack | Kind::Nak => None,
        }
    }

    fn discover(
        &mut self,
        now: Instant,
        message: &Message,
        others: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Answer> {
        let client = client_of(message);
        let Some(address) = self.choose(&client, message, others) else {
            self.exhausted = true;
            return None;
        };
        // RFC 2131 §4.3.1: what the client has stays lent, whether it takes the offer or not.
        if self.bound(&client) != Some(address) {
            self.hold(address, client, (Stage::Offered, now + OFFER_HOLD), message.hardware);
        }
        Some(self.answer(Kind::Offer, message, Some(address)))
    }

    /// RFC 2131 §4.3.1: what the client has, else what it asks for, else what is free, near a place
    /// that is the client's own.
    fn choose(
        &self,
        client: &[u8],
        message: &Message,
        others: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Ipv4Addr> {
        if let Some(address) = self.clients.get(client) {
            return Some(*address);
        }
        let is_good = |address: &Ipv4Addr| self.free.contains(address) && !others(*address);
        let asked = message.options.requested.filter(is_good);
        let mut hash = TraceHash::new();
        hash.bytes(client);
        let (first, last) = (self.settings.first.to_bits(), self.settings.last.to_bits());
        let size = u64::from(last.saturating_sub(first)) + 1;
        let offset = u32::try_from(hash.value() % size).unwrap_or(0);
        let start = Ipv4Addr::from_bits(first.saturating_add(offset));
        let found = || {
            let mut round = self.free.range(start..).chain(self.free.range(..start));
            round.find(|address| !others(**address)).copied()
        };
        let oldest = || self.first_end(Stage::Offered).map(|(_, address)| address);
        asked.or_else(found).or_else(oldest)
    }

    fn request(
        &mut self,
        now: Instant,
        message: &Message,
        others: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Answer> {
        let client = client_of(message);
        let (server, held) = (message.options.server, self.clients.get(&client).copied());
        if server.is_some_and(|server| server != self.settings.gateway) {
            // The client took another server's offer.
            if let Some(address) = held.filter(|_| self.bound(&client).is_none()) {
                self.let_go(address);
            }
            return None;
        }
        let has = Some(message.client_address).filter(|address| !address.is_unspecified());
        let address = message.options.requested.or(has)?;
        let is_bound_elsewhere = self.bound(&client).is_some_and(|bound| bound != address);
        let is_adopted = self.free.contains(&address) && !others(address) && !is_bound_elsewhere;
        if held == Some(address) || is_adopted {
            let until = now + Duration::from_secs(self.settings.lease.into());
            self.hold(address, client, (Stage::Bound, until), message.hardware);
            return Some(self.answer(Kind::Ack, message, Some(address)));
        }
        let is_elsewhere = !self.settings.prefix.contains(address);
        let is_ours = self.settings.is_in_pool(address) || is_elsewhere || server.is_some();
        is_ours.then(|| self.answer(Kind::Nak, message, None))
    }

    fn decline(&mut self, now: Instant, message: &Message) {
        let client = client_of(message);
        let Some(address) = self.clients.get(&client).copied() else { return };
        if message.options.requested == Some(address) {
            let aside = (Stage::SetAside, now + DECLINE_HOLD);
            self.hold(address, Vec::new(), aside, message.hardware);
        }
    }

    fn release(&mut self, message: &Message) {
        let client = client_of(message);
        if self.clients.get(&client) == Some(&message.client_address) {
            self.let_go(message.client_address);
        }
    }

    /// RFC 2131 §4.3.5: everything but an address.
    fn inform(&self, message: &Message) -> Option<Answer> {
        let is_here = self.settings.prefix.contains(message.client_address);
        is_here.then(|| self.answer(Kind::Ack, message, None))
    }

    fn bound(&self, client: &[u8]) -> Option<Ipv4Addr> {
        let address = self.clients.get(client)?;
        self.held.get(address).filter(|one| one.stage == Stage::Bound).map(|_| *address)
    }

    /// Notes that a client holds an address, and nothing else any more.
    fn hold(
        &mut self,
        address: Ipv4Addr,
        client: Vec<u8>,
        (stage, until): (Stage, Instant),
        mac: MacAddr,
    ) {
        self.let_go(address);
        if let Some(former) = self.clients.get(&client).copied() {
            self.let_go(former);
        }
        self.free.remove(&address);
        self.ends.insert((stage, until, address));
        if stage != Stage::SetAside {
            self.clients.insert(client.clone(), address);
        }
        self.held.insert(address, Holding { stage, until, client, mac });
    }

    fn let_go(&mut self, address: Ipv4Addr) {
        let Some(Holding { stage, until, client, .. }) = self.held.remove(&address) else { return };
        self.ends.remove(&(stage, until, address));
        if stage != Stage::SetAside {
            self.clients.remove(&client);
        }
        self.free.insert(address);
    }

    /// What ends first of what is held at this stage.
    fn first_end(&self, stage: Stage) -> Option<(Instant, Ipv4Addr)> {
        let mut ends = self.ends.range((stage, Instant::ZERO, Ipv4Addr::UNSPECIFIED)..);
        let (of, until, address) = ends.next()?;
        (*of == stage).then_some((*until, *address))
    }

    fn expire(&mut self, now: Instant) {
        for stage in [Stage::Offered, Stage::SetAside, Stage::Bound] {
            while let Some((until, address)) = self.first_end(stage)
                && until <= now
            {
                self.let_go(address);
            }
        }
    }

    /// The answer to a message; `address` is what is lent or offered.
    fn answer(&self, kind: Kind, message: &Message, address: Option<Ipv4Addr>) -> Answer {
        let settings = &self.settings;
        let client = message.options.client.clone();
        let mut options = Options { server: Some(settings.gateway), client, ..Options::default() };
        if kind != Kind::Nak {
            let mask = u32::MAX.checked_shl(32 - u32::from(settings.prefix.len())).unwrap_or(0);
            options.subnet_mask = Some(Ipv4Addr::from_bits(mask));
            options.routers = vec![settings.gateway];
            options.dns.clone_from(&settings.dns);
            options.mtu = Some(settings.mtu);
        }
        if address.is_some() {
            // RFC 2131 §4.4.5: half of the time, and seven eighths of it.
            options.lease = Some(settings.lease);
            options.renewal = Some(settings.lease / 2);
            options.rebinding = Some(settings.lease - settings.lease / 8);
        }
        // What it says it has counts where it is what it is lent: nothing is sent to anybody else.
        let has = Some(message.client_address)
            .filter(|has| address.is_none_or(|lent| lent == *has))
            .unwrap_or(Ipv4Addr::UNSPECIFIED);
        let (to, station) = match address {
            // RFC 2131 §4.1: the client may have no right to its address.
            _ if kind == Kind::Nak => (Ipv4Addr::BROADCAST, MacAddr::BROADCAST),
            _ if !has.is_unspecified() => (has, message.hardware),
            Some(address) if !message.broadcast => (address, message.hardware),
            Some(_) | None => (Ipv4Addr::BROADCAST, MacAddr::BROADCAST),
        };
        let answer = Message {
            kind,
            transaction: message.transaction,
            seconds: 0,
            broadcast: message.broadcast,
            client_address: if kind == Kind::Ack { has } else { Ipv4Addr::UNSPECIFIED },
            your_address: address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            boot_server: Ipv4Addr::UNSPECIFIED,
            relay: Ipv4Addr::UNSPECIFIED,
            hardware: message.hardware,
            options,
        };
        Answer { message: answer, to, station }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Answer, DECLINE_HOLD, EXHAUSTED_EVENT_INTERVAL, OFFER_HOLD, Pool, Settings, client_of,
    };
    use base::{Duration, Instant, MacAddr};
    use core::net::Ipv4Addr;
    use packet::dhcp::{Kind, Message, Options};
    use std::collections::{BTreeMap, BTreeSet};

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
    const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

    fn host(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 1, 1, last)
    }

    fn settings(first: u8, last: u8) -> Settings {
        Settings {
            gateway: GATEWAY,
            prefix: "10.1.1.0/24".parse().unwrap(),
            first: host(first),
            last: host(last),
            taken: BTreeSet::from([GATEWAY, host(2)]),
            lease: 3600,
            dns: vec![Ipv4Addr::new(10, 9, 0, 53)],
            mtu: 1420,
        }
    }

    fn message(kind: Kind, number: u16) -> Message {
        let [a, b] = number.to_be_bytes();
        Message {
            kind,
            transaction: number.into(),
            seconds: 0,
            broadcast: false,
            client_address: NOBODY,
            your_address: NOBODY,
            boot_server: NOBODY,
            relay: NOBODY,
            hardware: MacAddr([6, 0, 0, 0, a, b]),
            options: Options::default(),
        }
    }

    /// A pool, its clock, and what is known of the link's neighbours.
    struct Bench {
        pool: Pool,
        now: Instant,
        known: BTreeMap<Ipv4Addr, MacAddr>,
    }

    impl Bench {
        fn new(first: u8, last: u8) -> Self {
            let pool = Pool::new(settings(first, last));
            Self { pool, now: Instant::ZERO, known: BTreeMap::new() }
        }

        fn say(&mut self, message: &Message) -> Option<Answer> {
            let known = &self.known;
            self.pool.handle(self.now, message, |address| known.get(&address).copied())
        }

        fn kind(&mut self, message: &Message) -> Option<Kind> {
            self.say(message).map(|answer| answer.message.kind)
        }

        fn discover(&mut self, number: u16) -> Option<Ipv4Addr> {
            let offer = self.say(&message(Kind::Discover, number))?.message;
            assert_eq!(offer.kind, Kind::Offer);
            Some(offer.your_address)
        }

        /// What is said to a request to have or to keep an address, under no server's name.
        fn ask(&mut self, number: u16, address: Ipv4Addr) -> Option<Kind> {
            let mut request = message(Kind::Request, number);
            request.options.requested = Some(address);
            self.kind(&request)
        }

        fn take(&mut self, number: u16, address: Ipv4Addr) -> Option<Kind> {
            let mut request = message(Kind::Request, number);
            request.options.requested = Some(address);
            request.options.server = Some(GATEWAY);
            self.kind(&request)
        }

        fn lend(&mut self, number: u16) -> Ipv4Addr {
            let offered = self.discover(number).expect("a free address");
            assert_eq!(self.take(number, offered), Some(Kind::Ack));
            offered
        }

        fn leases(&self) -> Vec<Ipv4Addr> {
            self.pool.leases().map(|lease| lease.address).collect()
        }
    }

    #[test]
    fn a_client_is_offered_and_lent_an_address_with_all_that_goes_with_it() {
        let mut bench = Bench::new(10, 99);
        let mut discover = message(Kind::Discover, 7);
        discover.options.client = vec![1, 2, 3];
        let offer = bench.say(&discover).unwrap();
        let address = offer.message.your_address;
        assert!((host(10)..=host(99)).contains(&address));
        assert_eq!((offer.to, offer.station), (address, discover.hardware));
        assert!(bench.leases().is_empty(), "an offer is no lease");
        let mut request = Message { kind: Kind::Request, ..discover };
        request.options.requested = Some(address);
        request.options.server = Some(GATEWAY);
        let ack = bench.say(&request).unwrap().message;
        let expected = Options {
            subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            routers: vec![GATEWAY],
            dns: vec![Ipv4Addr::new(10, 9, 0, 53)],
            mtu: Some(1420),
            lease: Some(3600),
            server: Some(GATEWAY),
            renewal: Some(1800),
            rebinding: Some(3150),
            client: vec![1, 2, 3],
            ..Options::default()
        };
        assert_eq!((ack.kind, ack.your_address, ack.transaction), (Kind::Ack, address, 7));
        assert_eq!(ack.options, expected);
        assert_eq!(bench.leases(), [address]);
    }

    #[test]
    fn routers_and_the_ends_of_the_prefix_are_nobodys() {
        let mut bench = Bench::new(0, 255);
        let all: BTreeSet<Ipv4Addr> = (0..252).map(|number| bench.lend(number)).collect();
        let expected: BTreeSet<Ipv4Addr> = (3..=254).map(host).collect();
        assert_eq!(all, expected);
        for forbidden in [0, 1, 2, 255] {
            assert_eq!(bench.ask(500, host(forbidden)), Some(Kind::Nak), "{forbidden}");
        }
        assert_eq!(bench.discover(500), None);
    }

    #[test]
    fn a_restarted_router_offers_a_client_the_same_address_and_lets_others_keep_theirs() {
        let mut before = Bench::new(10, 250);
        let lent: Vec<Ipv4Addr> = (0..20).map(|number| before.lend(number)).collect();
        let mut after = Bench::new(10, 250);
        for (number, address) in (0..).zip(&lent) {
            let mut renewal = message(Kind::Request, number);
            renewal.client_address = *address;
            let ack = after.say(&renewal).unwrap();
            assert_eq!((ack.message.kind, ack.to), (Kind::Ack, *address));
        }
        assert_eq!(after.leases().len(), 20);
        let mut again = Bench::new(10, 250);
        assert_eq!(again.discover(3), Some(lent[3]));
    }

    #[test]
    fn what_is_asked_for_is_given_where_it_is_free_and_refused_where_it_is_anothers() {
        let mut bench = Bench::new(10, 99);
        let mut discover = message(Kind::Discover, 1);
        discover.options.requested = Some(host(77));
        assert_eq!(bench.say(&discover).unwrap().message.your_address, host(77));
        assert_eq!(bench.take(1, host(77)), Some(Kind::Ack));
        assert_eq!(bench.ask(2, host(77)), Some(Kind::Nak), "held by another");
        assert_eq!(bench.ask(2, Ipv4Addr::new(10, 7, 7, 7)), Some(Kind::Nak), "another link's");
        assert_eq!(bench.ask(2, host(200)), None, "not the pool's: not ours to say");
        assert_eq!(bench.ask(2, host(30)), Some(Kind::Ack));
        assert_eq!(bench.ask(2, host(31)), Some(Kind::Nak), "a client has one address");
        assert_eq!(bench.leases(), [host(30), host(77)]);
    }

    #[test]
    fn a_client_that_takes_another_servers_offer_frees_ours() {
        let mut bench = Bench::new(10, 10);
        assert_eq!(bench.discover(1), Some(host(10)));
        let mut request = message(Kind::Request, 1);
        request.options.requested = Some(host(99));
        request.options.server = Some(host(5));
        assert_eq!(bench.say(&request), None);
        assert_eq!(bench.ask(2, host(10)), Some(Kind::Ack));
    }

    #[test]
    fn a_lease_ends_when_its_time_is_up_and_a_renewal_moves_that() {
        let mut bench = Bench::new(10, 10);
        bench.lend(1);
        bench.now = bench.now + Duration::from_secs(1800);
        assert_eq!(bench.ask(1, host(10)), Some(Kind::Ack));
        bench.now = bench.now + Duration::from_secs(3599);
        assert_eq!(bench.discover(2), None);
        bench.now = bench.now + Duration::from_secs(1);
        assert_eq!(bench.discover(2), Some(host(10)));
    }

    #[test]
    fn a_released_address_is_free_and_nobody_releases_anothers() {
        let mut bench = Bench::new(10, 10);
        bench.lend(1);
        for (number, left) in [(2, 1), (1, 0)] {
            let mut release = message(Kind::Release, number);
            release.client_address = host(10);
            assert_eq!(bench.say(&release), None);
            assert_eq!(bench.leases().len(), left);
        }
        assert_eq!(bench.discover(2), Some(host(10)));
    }

    #[test]
    fn a_declined_address_is_set_aside_for_a_time_and_nobody_declines_anothers() {
        let mut bench = Bench::new(10, 11);
        let address = bench.lend(1);
        let decline = |number| {
            let mut decline = message(Kind::Decline, number);
            decline.options.requested = Some(address);
            decline
        };
        assert_eq!(bench.say(&decline(2)), None);
        assert_eq!(bench.leases(), [address]);
        assert_eq!(bench.say(&decline(1)), None);
        assert!(bench.leases().is_empty());
        assert_eq!(bench.ask(1, address), Some(Kind::Nak));
        let other = bench.lend(1);
        assert_ne!(other, address);
        assert_eq!(bench.discover(2), None);
        bench.now = bench.now + DECLINE_HOLD;
        assert_eq!(bench.discover(2), Some(address));
    }

    #[test]
    fn an_address_that_another_station_answers_for_is_passed_over() {
        let mut bench = Bench::new(10, 11);
        bench.known.insert(host(10), MacAddr([6, 9, 9, 9, 9, 9]));
        assert_eq!(bench.discover(1), Some(host(11)));
        assert_eq!(bench.ask(2, host(10)), Some(Kind::Nak));
        bench.known.insert(host(10), message(Kind::Discover, 2).hardware);
        assert_eq!(bench.ask(2, host(10)), Some(Kind::Ack), "it is the asker's own");
    }

    #[test]
    fn a_flood_of_looking_hosts_takes_nothing_that_is_lent_and_keeps_nobody_out() {
        let mut bench = Bench::new(10, 29);
        let lent: BTreeSet<Ipv4Addr> = (0..10).map(|number| bench.lend(number)).collect();
        for number in 1000..3000 {
            assert!(bench.discover(number).is_some_and(|offered| !lent.contains(&offered)));
        }
        assert!(!bench.pool.take_exhausted(bench.now));
        assert_eq!(bench.pool.held.len(), 20);
        let late = bench.lend(20);
        assert!(!lent.contains(&late));
        bench.now = bench.now + OFFER_HOLD;
        bench.lend(21);
        assert_eq!(bench.pool.held.len(), 12, "offers end after a minute");
        assert_eq!(bench.pool.clients.len(), 12);
        assert_eq!(bench.pool.ends.len(), 12);
        assert_eq!(bench.pool.free.len(), 8);
    }

    #[test]
    fn people_are_told_once_in_a_while_that_all_is_lent() {
        let mut bench = Bench::new(10, 10);
        bench.lend(1);
        assert_eq!((bench.discover(2), bench.discover(3)), (None, None));
        assert!(bench.pool.take_exhausted(bench.now));
        assert_eq!(bench.discover(2), None);
        assert!(!bench.pool.take_exhausted(bench.now));
        bench.now = bench.now + EXHAUSTED_EVENT_INTERVAL;
        assert_eq!(bench.discover(2), None);
        assert!(bench.pool.take_exhausted(bench.now));
    }

    #[test]
    fn answers_go_where_the_client_hears_them() {
        let mut bench = Bench::new(10, 10);
        let address = bench.lend(1);
        let mut request = message(Kind::Request, 1);
        request.options.requested = Some(address);
        request.broadcast = true;
        let everybody = (Ipv4Addr::BROADCAST, MacAddr::BROADCAST);
        let ends = |answer: Answer| (answer.to, answer.station);
        assert_eq!(bench.say(&request).map(ends), Some(everybody));
        let mut renewal = message(Kind::Request, 1);
        renewal.client_address = address;
        renewal.broadcast = true;
        assert_eq!(bench.say(&renewal).map(ends), Some((address, renewal.hardware)));
        request.client_address = Ipv4Addr::new(10, 7, 7, 7);
        request.broadcast = false;
        assert_eq!(bench.say(&request).map(ends), Some((address, request.hardware)));
        let mut wrong = message(Kind::Request, 2);
        wrong.client_address = address;
        let nak = bench.say(&wrong).unwrap();
        assert_eq!((nak.message.kind, ends(nak)), (Kind::Nak, everybody));
    }

    #[test]
    fn a_host_with_an_address_of_its_own_is_told_the_rest() {
        let mut bench = Bench::new(10, 99);
        let mut inform = message(Kind::Inform, 1);
        inform.client_address = host(200);
        let ack = bench.say(&inform).unwrap();
        assert_eq!((ack.to, ack.message.kind), (host(200), Kind::Ack));
        assert_eq!((ack.message.your_address, ack.message.options.lease), (NOBODY, None));
        assert_eq!(ack.message.options.routers, [GATEWAY]);
        assert!(bench.leases().is_empty());
        inform.client_address = Ipv4Addr::new(10, 7, 7, 7);
        assert_eq!(bench.say(&inform), None);
    }

    #[test]
    fn relays_servers_and_groups_are_not_answered() {
        let mut bench = Bench::new(10, 99);
        let relayed = Message { relay: host(9), ..message(Kind::Discover, 1) };
        let group = Message { hardware: MacAddr::BROADCAST, ..message(Kind::Discover, 1) };
        let nobody = Message { hardware: MacAddr([0; 6]), ..message(Kind::Discover, 1) };
        for ignored in [relayed, group, nobody] {
            assert_eq!(bench.say(&ignored), None, "{ignored:?}");
        }
        for kind in [Kind::Offer, Kind::Ack, Kind::Nak] {
            assert_eq!(bench.say(&message(kind, 1)), None);
        }
        assert_eq!(bench.pool.held.len(), 0);
    }

    #[test]
    fn a_client_is_known_by_its_name_or_else_by_its_hardware() {
        let plain = message(Kind::Discover, 1);
        let mut named = message(Kind::Discover, 2);
        named.options.client = client_of(&plain);
        let mut bench = Bench::new(10, 99);
        let address = bench.lend(1);
        assert_eq!(bench.say(&named).map(|offer| offer.message.your_address), Some(address));
        assert_eq!(bench.leases(), [address], "looking around ends no lease");
    }

    #[test]
    fn another_pool_keeps_what_is_lent_within_it() {
        let mut bench = Bench::new(10, 19);
        for number in 0..10 {
            bench.lend(number);
        }
        bench.pool.set(settings(15, 24));
        assert_eq!(bench.leases(), (15..=19).map(host).collect::<Vec<_>>());
        assert_eq!(bench.pool.free.len(), 5);
        assert_eq!(bench.pool.ends.len(), 5);
        assert_eq!(bench.pool.clients.len(), 5);
    }
}
