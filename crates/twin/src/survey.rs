//! Every promise of a plan, tested with packets.
//!
//! A survey sends real packets from hosts on LANs through the forwarding path and looks at where
//! they come out:
//! - every ordered pair of LANs of one virtual network, in IPv4 and in IPv6: a datagram must arrive;
//! - every LAN of every member of a community, on the first and last port of every range of every
//!   application: a connection (or datagram) must reach the application and be answered;
//! - the same members on the ports beside those ranges, in the other protocol, and with an echo
//!   request: nothing may arrive;
//! - every virtual network towards every other one without a community between them: nothing may
//!   arrive.
//!
//! LANs with real hosts are left out: nobody knows who is there. Under faults, only what the remaining topology can connect is expected to arrive, and everything
//! that must not arrive still must not.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant};
use model::plan::{Application, Listen};
use packet::{tcp, udp};
use serde::Serialize;

use crate::Twin;
use crate::lan::Lan;
use crate::probe::{Flow, icmp_protocol};

/// Between two probes from one LAN: a small packet takes less on the slowest line.
const SPACING: Duration = Duration::from_millis(1);
/// How long the last probe and its answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The port that datagrams between hosts of one virtual network go to.
const DISCARD: u16 = 9;
/// How many failures are described; all are counted.
const FAILURES_MAX: usize = 20;

/// How many were tested, and how many arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// How many were tested.
    pub tested: u64,
    /// For how many of these every packet arrived (or, where none may, any did).
    pub delivered: u64,
}

/// The result for communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CommunityTally {
    /// How many combinations of member LAN, application and port were tested.
    pub tested: u64,
    /// For how many of these every packet was answered by the application.
    pub delivered: u64,
    /// How many packets were sent to what is not published.
    pub wrong_port_tested: u64,
    /// How many of these arrived.
    pub wrong_port_delivered: u64,
}

/// The result of a survey.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Survey {
    /// Ordered pairs of LANs of one virtual network.
    pub same_network: Tally,
    /// Members and applications of communities.
    pub community: CommunityTally,
    /// Ordered pairs of virtual networks without a community.
    pub separate: Tally,
    /// Packets sent.
    pub packets: u64,
    /// Combinations left out because a fault makes them impossible.
    pub impossible: u64,
    /// Packets that ran out of time to live: a loop.
    pub expired: u64,
    /// The longest one-way time of a packet in microseconds.
    pub slowest_us: u64,
    /// The first failures, in words.
    pub failures: Vec<String>,
}

impl Survey {
    /// Whether every promise was kept.
    #[must_use]
    pub const fn kept(&self) -> bool {
        self.same_network.tested == self.same_network.delivered
            && self.community.tested == self.community.delivered
            && self.community.wrong_port_delivered == 0
            && self.separate.delivered == 0
            && self.expired == 0
    }
}

/// What a combination is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    SameNetwork,
    Community,
    WrongPort,
    Separate,
}

/// One combination: it holds when all of its packets do what they should.
#[derive(Debug)]
struct Combination {
    claim: Claim,
    from: usize,
    to: usize,
    flows: Vec<Flow>,
    probes: Vec<u64>,
}

/// Which combinations to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    Full,
    /// About one of so many pairs of one virtual network; everything else in full.
    OneIn(u64),
}

impl Twin {
    /// Tests the plan's promises with packets, in virtual time.
    pub fn survey(&mut self, extent: Extent) -> Survey {
        let mut combinations = Vec::new();
        self.add_same_network(extent, &mut combinations);
        self.add_communities(&mut combinations);
        self.add_separate(&mut combinations);
        let mut survey = Survey::default();
        self.leave_out_impossible(&mut combinations, &mut survey);
        let expired = self.expired();
        self.send_all(&mut combinations, &mut survey);
        for combination in &combinations {
            self.judge(combination, &mut survey);
        }
        survey.expired = self.expired() - expired;
        survey
    }

    fn expired(&self) -> u64 {
        self.engine.routers().map(|(_, router)| router.packets_expired()).sum()
    }

    fn add_same_network(&self, extent: Extent, combinations: &mut Vec<Combination>) {
        let mut networks: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, lan) in self.simulated_lans() {
            networks.entry(&lan.network).or_default().push(number);
        }
        let share = match extent {
            Extent::Full => 1,
            Extent::OneIn(share) => share.max(1),
        };
        let pairs = networks.values().flat_map(|lans| {
            lans.iter().flat_map(move |&from| {
                lans.iter().filter(move |&&to| to != from).map(move |&to| (from, to))
            })
        });
        for ((from, to), turn) in pairs.zip(1_u64..) {
            if turn.is_multiple_of(share) {
                let flows = self.host_flows(from, to, udp::PROTOCOL, DISCARD);
                combinations.push(Combination::new(Claim::SameNetwork, from, to, flows));
            }
        }
    }

    /// Flows from a host of one LAN to a host of another, in both families.
    fn host_flows(&self, from: usize, to: usize, protocol: u8, port: u16) -> Vec<Flow> {
        [false, true]
            .into_iter()
            .filter_map(|v6| Some(flow(self.host(from, v6)?, self.host(to, v6)?, protocol, port)))
            .collect()
    }

    fn application_lan(&self, application: &Application) -> Option<usize> {
        let lan = self.lan(&application.site, Some(&application.virtual_network))?;
        (!self.is_attached(lan)).then_some(lan)
    }

    fn simulated_lans(&self) -> impl Iterator<Item = (usize, &Lan)> {
        self.engine.lans.iter().enumerate().filter(|(_, lan)| lan.is_simulated())
    }

    fn add_communities(&self, combinations: &mut Vec<Combination>) {
        let plan = self.plan();
        let applications: BTreeMap<&str, &Application> =
            plan.applications.iter().map(|a| (a.name.as_str(), a)).collect();
        let offered: BTreeSet<(&str, &str)> = plan
            .communities
            .iter()
            .flat_map(|community| {
                let members = community.members.iter();
                members.flat_map(|member| {
                    community.applications.iter().map(move |name| (name.as_str(), member.as_str()))
                })
            })
            .collect();
        for (name, member) in offered {
            let Some(application) = applications.get(name) else { continue };
            let Some(to) = self.application_lan(application) else { continue };
            if member == application.virtual_network {
                continue;
            }
            for (from, lan) in self.simulated_lans() {
                if lan.network == member {
                    self.add_member(from, to, application, combinations);
                }
            }
        }
    }

    fn add_member(
        &self,
        from: usize,
        to: usize,
        application: &Application,
        combinations: &mut Vec<Combination>,
    ) {
        let published = self.published(application);
        for listen in &application.listens {
            let ports = BTreeSet::from([listen.port_first, listen.port_last]);
            for port in ports {
                let flows = self.flows_to(from, application, listen.protocol, port);
                combinations.push(Combination::new(Claim::Community, from, to, flows));
            }
            for (protocol, port) in beside(*listen) {
                let wrong = !published.iter().any(|l| {
                    l.protocol == protocol && (l.port_first..=l.port_last).contains(&port)
                });
                if wrong {
                    let flows = self.flows_to(from, application, protocol, port);
                    combinations.push(Combination::new(Claim::WrongPort, from, to, flows));
                }
            }
        }
        let echoes = application
            .addresses
            .iter()
            .filter_map(|&address| {
                let source = self.host(from, address.is_ipv6())?;
                Some(flow(source, address, icmp_protocol(address), 0))
            })
            .collect();
        combinations.push(Combination::new(Claim::WrongPort, from, to, echoes));
    }

    /// Everything that listens at an application's addresses, by any application.
    fn published(&self, application: &Application) -> Vec<Listen> {
        self.plan()
            .applications
            .iter()
            .filter(|other| {
                other.virtual_network == application.virtual_network
                    && other.addresses.iter().any(|a| application.addresses.contains(a))
            })
            .flat_map(|other| other.listens.iter().copied())
            .collect()
    }

    fn flows_to(
        &self,
        from: usize,
        application: &Application,
        protocol: u8,
        port: u16,
    ) -> Vec<Flow> {
        application
            .addresses
            .iter()
            .filter_map(|&address| {
                Some(flow(self.host(from, address.is_ipv6())?, address, protocol, port))
            })
            .collect()
    }

    fn add_separate(&self, combinations: &mut Vec<Combination>) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, lan) in self.simulated_lans() {
            first.entry(&lan.network).or_insert(number);
        }
        for (network, &from) in &first {
            for (other, &to) in &first {
                if network == other {
                    continue;
                }
                let related = self.related(network, other);
                let claim = if related { Claim::WrongPort } else { Claim::Separate };
                let mut flows = self.host_flows(from, to, udp::PROTOCOL, DISCARD);
                flows.extend(self.host_flows(from, to, tcp::PROTOCOL, 443));
                combinations.push(Combination::new(claim, from, to, flows));
            }
        }
    }

    /// Whether a community relates two virtual networks, either way round.
    fn related(&self, a: &str, b: &str) -> bool {
        let plan = self.plan();
        let owner = |name: &String| {
            let application = plan.applications.iter().find(|one| one.name == *name);
            application.map(|one| one.virtual_network.as_str())
        };
        plan.communities.iter().any(|community| {
            let member = |network: &str| community.members.iter().any(|m| m == network);
            community
                .applications
                .iter()
                .filter_map(owner)
                .any(|owner| (owner == a && member(b)) || (owner == b && member(a)))
        })
    }

    /// Leaves out what cannot arrive with the routers and links that are alive.
    fn leave_out_impossible(&self, combinations: &mut Vec<Combination>, survey: &mut Survey) {
        let expected = self.engine.expected();
        let router = |lan: usize| self.engine.lans.get(lan).map_or(usize::MAX, |lan| lan.router);
        let runs = |router: usize| self.engine.router(router).is_some();
        combinations.retain(|combination| {
            let (a, b) = (router(combination.from), router(combination.to));
            let possible = match combination.claim {
                Claim::SameNetwork | Claim::Community => {
                    runs(a) && runs(b) && expected.connects(a, b)
                }
                Claim::WrongPort | Claim::Separate => true,
            };
            survey.impossible += u64::from(!possible);
            possible
        });
    }

    fn send_all(&mut self, combinations: &mut [Combination], survey: &mut Survey) {
        let start = self.now();
        let mut last = start;
        let mut free: BTreeMap<usize, Instant> = BTreeMap::new();
        let mut arrivals: BTreeMap<usize, Instant> = BTreeMap::new();
        for combination in combinations {
            for &flow in &combination.flows {
                let slot = free.get(&combination.from).copied().unwrap_or(start);
                let there = arrivals.get(&combination.to).copied().unwrap_or(start);
                let at = slot.max(there);
                free.insert(combination.from, at + SPACING);
                arrivals.insert(combination.to, at + SPACING / 8);
                last = last.max(at);
                combination.probes.push(self.send_probe(combination.from, flow, at));
                survey.packets += 1;
            }
        }
        self.run_until(last + PATIENCE);
    }

    fn judge(&self, combination: &Combination, survey: &mut Survey) {
        let states = || combination.probes.iter().filter_map(|&number| self.probe(number));
        let arrived = states()
            .filter(|state| state.arrived.is_some_and(|(lan, _)| lan == combination.to))
            .count();
        let all = !combination.probes.is_empty() && arrived == combination.probes.len();
        let answered =
            all && states().all(|state| state.answered.is_some_and(|(refused, _)| !refused));
        for state in states() {
            if let Some((_, at)) = state.arrived {
                let took = u64::try_from((at - state.sent).as_micros()).unwrap_or(u64::MAX);
                survey.slowest_us = survey.slowest_us.max(took);
            }
        }
        let (kept, what) = match combination.claim {
            Claim::SameNetwork => {
                survey.same_network.tested += 1;
                survey.same_network.delivered += u64::from(all);
                (all, "did not arrive")
            }
            Claim::Community => {
                survey.community.tested += 1;
                survey.community.delivered += u64::from(answered);
                (answered, "was not answered by the application")
            }
            Claim::WrongPort => {
                survey.community.wrong_port_tested += combination.probes.len() as u64;
                survey.community.wrong_port_delivered += arrived as u64;
                (arrived == 0, "arrived though it is not published")
            }
            Claim::Separate => {
                survey.separate.tested += 1;
                survey.separate.delivered += u64::from(arrived > 0);
                (arrived == 0, "arrived in another virtual network")
            }
        };
        if !kept && survey.failures.len() < FAILURES_MAX {
            survey.failures.push(self.describe(combination, what));
        }
    }

    fn describe(&self, combination: &Combination, what: &str) -> String {
        let lan = |number: usize| {
            self.engine
                .lans
                .get(number)
                .map_or_else(String::new, |lan| format!("{} in {}", lan.site, lan.network))
        };
        let flow = combination.flows.first().map_or_else(String::new, |flow| {
            format!(
                "{} to {} protocol {} port {}",
                flow.source, flow.destination, flow.protocol, flow.destination_port
            )
        });
        format!("{} to {}: {flow} {what}", lan(combination.from), lan(combination.to))
    }
}

impl Combination {
    const fn new(claim: Claim, from: usize, to: usize, flows: Vec<Flow>) -> Self {
        Self { claim, from, to, flows, probes: Vec::new() }
    }
}

const fn flow(source: IpAddr, destination: IpAddr, protocol: u8, port: u16) -> Flow {
    Flow { source, destination, protocol, source_port: 49_152, destination_port: port }
}

/// Ports next to a range, and the range's own ports in the other protocol.
fn beside(listen: Listen) -> Vec<(u8, u16)> {
    let other = if listen.protocol == tcp::PROTOCOL { udp::PROTOCOL } else { tcp::PROTOCOL };
    let mut beside = vec![(other, listen.port_first)];
    beside.extend(listen.port_first.checked_sub(1).map(|port| (listen.protocol, port)));
    beside.extend(listen.port_last.checked_add(1).map(|port| (listen.protocol, port)));
    beside
}
