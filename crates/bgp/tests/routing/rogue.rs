//! A site that says whatever it likes: a bare session against one core router.

use std::net::{IpAddr, Ipv4Addr};

use base::{AsNumber, Duration, Instant, Label, Rng, RouterId};
use bgp::nlri::{Membership, VpnNlri};
use bgp::policy::RejectReason;
use bgp::route::{AsSegment, Family, PathAttributes, VpnPrefix};
use bgp::session::{self, Event, Session};
use bgp::update::{Writer, encode_end_of_rib};
use bgp::{Config, Instance, LabelBlock, Neighbour, NeighbourKind, Output, SiteFilter};

use super::network::id;
use super::region::{REGION, rd, target};

pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2));
const CORE: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 1));
pub(crate) const SITE_AS: AsNumber = AsNumber(4_200_000_001);

pub(crate) struct Rogue {
    pub(crate) now: Instant,
    pub(crate) core: Instance,
    pub(crate) session: Session,
    pub(crate) outputs: Vec<Output>,
}

pub(crate) fn key(number: u8) -> VpnPrefix {
    VpnPrefix { rd: rd(1, 0, 0), prefix: format!("10.0.{number}.0/24").parse().unwrap() }
}

/// What the site may announce: prefixes 0 to 9 in network 7.
pub(crate) fn filter() -> SiteFilter {
    let accept =
        (0..10).map(|number| bgp::Accept { key: key(number), targets: vec![target(7)] }).collect();
    let port = base::PortId(0);
    SiteFilter { port, local_pref: 100, accept, max_routes: 20, send: [target(7)].into() }
}

pub(crate) fn config(filter: SiteFilter) -> Config {
    Config {
        as_number: REGION,
        router_id: RouterId(Ipv4Addr::new(10, 255, 0, 1)),
        cluster_id: None,
        hold_time: 90,
        connect_retry: Duration::from_secs(5),
        local_address: Some(Ipv4Addr::new(10, 255, 0, 1)),
        labels: LabelBlock { first: Label::FIRST_FREE, last: Label::MAX },
        neighbours: vec![Neighbour {
            id: id(0),
            name: "site".to_owned(),
            address: PEER,
            local_address: CORE,
            as_number: SITE_AS,
            families: vec![Family::VpnIpv4],
            passive: true,
            kind: NeighbourKind::Site(filter),
        }],
        vrfs: Vec::new(),
    }
}

/// Attributes as an honest site sends them.
pub(crate) fn honest() -> PathAttributes {
    let mut attributes = PathAttributes::originated();
    attributes.as_path = vec![AsSegment::Sequence(vec![SITE_AS])];
    attributes.extended_communities = vec![target(7).0];
    attributes
}

impl Rogue {
    pub(crate) fn new(config: Config) -> Self {
        Self::of_as(SITE_AS, config)
    }

    /// Speaks whatever families the core router speaks.
    pub(crate) fn of_as(local_as: AsNumber, config: Config) -> Self {
        Self::that_restarts(false, local_as, config)
    }

    /// The same, and may speak of restarts.
    pub(crate) fn that_restarts(
        graceful_restart: bool,
        local_as: AsNumber,
        config: Config,
    ) -> Self {
        let settings = session::Config {
            local_as,
            peer_as: REGION,
            router_id: RouterId(Ipv4Addr::new(10, 255, 0, 2)),
            hold_time: 90,
            connect_retry: Duration::from_secs(5),
            families: config.neighbours[0].families.clone(),
            passive: false,
            graceful_restart,
        };
        let now = Instant::ZERO;
        let mut rogue = Self {
            now,
            core: Instance::new(now, 1, config),
            session: Session::new(settings, Rng::new(2)),
            outputs: Vec::new(),
        };
        rogue.session.start(now);
        rogue.run(Duration::from_secs(1));
        assert!(rogue.session.negotiated().is_some());
        rogue
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.exchange();
            let timers = [self.core.poll_timeout(), self.session.poll_timeout()];
            let Some(at) = timers.iter().flatten().map(|deadline| deadline.at).min() else { break };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now);
            self.session.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        loop {
            let mut quiet = true;
            let (mut connect, mut close) = (false, false);
            while let Some(event) = self.session.poll_event(self.now) {
                quiet = false;
                connect |= matches!(event, Event::Connect);
                close |= matches!(event, Event::Close);
            }
            if connect {
                self.core.handle_connected(self.now, id(0));
                self.session.handle_connected(self.now);
            }
            let mut bytes = Vec::new();
            if self.session.take_transmit(&mut bytes) {
                quiet = false;
                self.core.handle_bytes(self.now, id(0), &bytes);
            }
            if close {
                self.core.handle_closed(self.now, id(0));
            }
            while let Some(output) = self.core.poll_output() {
                quiet = false;
                self.obey(&output);
                self.outputs.push(output);
            }
            if quiet {
                return;
            }
        }
    }

    fn obey(&mut self, output: &Output) {
        match output {
            Output::Transmit(_) => {
                let mut bytes = Vec::new();
                self.core.transmit(self.now, id(0), &mut bytes, 4096);
                self.session.receive(self.now, &bytes);
                while self.session.poll_event(self.now).is_some() {}
            }
            Output::Close(_) => {
                self.session.handle_closed(self.now);
                self.core.handle_closed(self.now, id(0));
            }
            Output::Connect(_)
            | Output::Vrf { .. }
            | Output::Label { .. }
            | Output::Session { .. }
            | Output::Rejected { .. } => {}
        }
    }

    pub(crate) fn announce(
        &mut self,
        keys: &[VpnPrefix],
        attributes: &PathAttributes,
        next_hop: IpAddr,
        label: u32,
    ) {
        let mut bytes = Vec::new();
        let mut writer =
            Writer::announce(Family::VpnIpv4, attributes, next_hop, true, &mut bytes).unwrap();
        for &key in keys {
            writer.push_vpn(&VpnNlri { key, label: Label::new(label) });
        }
        writer.finish();
        self.send(&bytes);
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.core.handle_bytes(self.now, id(0), bytes);
        self.run(Duration::from_millis(10));
    }

    pub(crate) fn ask(&mut self, membership: Membership, local_as: AsNumber) {
        let mut attributes = PathAttributes::originated();
        if local_as == REGION {
            attributes.local_pref = Some(100);
        } else {
            attributes.as_path = vec![AsSegment::Sequence(vec![local_as])];
        }
        let mut bytes = Vec::new();
        let family = Family::RouteTargetConstrain;
        let mut writer = Writer::announce(family, &attributes, PEER, true, &mut bytes).unwrap();
        writer.push_membership(membership);
        writer.finish();
        self.send(&bytes);
    }

    pub(crate) fn end_of_rib(&mut self, family: Family) {
        let mut bytes = Vec::new();
        encode_end_of_rib(family, &mut bytes);
        self.send(&bytes);
    }

    /// How many routes it was sent.
    pub(crate) fn sent(&self) -> usize {
        self.core.neighbour(id(0)).unwrap().sent
    }

    pub(crate) fn rejected(&self, reason: RejectReason) -> u64 {
        let view = self.core.neighbour(id(0)).unwrap();
        view.counters.rejected.get(&reason).copied().unwrap_or(0)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.core.neighbour(id(0)).unwrap().accepted
    }

    pub(crate) fn is_up(&self) -> bool {
        self.core.neighbour(id(0)).unwrap().not_up.is_none()
    }
}
