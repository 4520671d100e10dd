//! Who may reach whom: from virtual networks, applications and communities alone.
//!
//! Everything may pass within a virtual network. A member of a community reaches the addresses of
//! the community's applications on what they listen on, and is answered from the sites that have
//! them. Nothing else.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use model::plan::{Application, Listen, Plan};

/// A virtual network, by its place in [`Plan::virtual_networks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network(pub(crate) usize);

/// A member may use an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant<'a> {
    pub(crate) consumer: Network,
    pub(crate) provider: Network,
    /// The code of the site that it is at.
    pub(crate) site: &'a str,
    pub(crate) hosts: Vec<Prefix>,
    pub(crate) listens: &'a [Listen],
}

/// Packets that may cross the boundary of a virtual network: between these addresses, on what is
/// listened on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crossing {
    pub(crate) is_provider: bool,
    pub(crate) protocol: u8,
    pub(crate) ports: (u16, u16),
    pub(crate) local: Prefix,
    pub(crate) remote: Prefix,
}

/// All rights of a region.
#[derive(Debug)]
pub(crate) struct Rights<'a> {
    plan: &'a Plan,
    names: BTreeMap<&'a str, Network>,
    grants: Vec<Grant<'a>>,
    /// Those of each virtual network, by place: as consumer, and as provider.
    of: Vec<[Vec<usize>; 2]>,
}

const CONSUMER: usize = 0;
const PROVIDER: usize = 1;

impl<'a> Rights<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let names = plan.virtual_networks.iter().enumerate();
        let names = names.map(|(place, one)| (one.name.as_str(), Network(place))).collect();
        let of = vec![[Vec::new(), Vec::new()]; plan.virtual_networks.len()];
        let mut rights = Self { plan, names, grants: Vec::new(), of };
        let applications: BTreeMap<&str, &Application> =
            plan.applications.iter().map(|one| (one.name.as_str(), one)).collect();
        for community in &plan.communities {
            for name in &community.applications {
                let Some(application) = applications.get(name.as_str()) else { continue };
                for member in &community.members {
                    rights.grant(application, member);
                }
            }
        }
        rights
    }

    fn grant(&mut self, application: &'a Application, member: &str) {
        let provider = self.network(&application.virtual_network);
        let (Some(provider), Some(consumer)) = (provider, self.network(member)) else { return };
        if consumer == provider {
            return;
        }
        for (network, role) in [(consumer, CONSUMER), (provider, PROVIDER)] {
            let all = self.of.get_mut(network.0).and_then(|roles| roles.get_mut(role));
            all.into_iter().for_each(|all| all.push(self.grants.len()));
        }
        self.grants.push(Grant {
            consumer,
            provider,
            site: &application.site,
            hosts: application.addresses.iter().copied().map(Prefix::host).collect(),
            listens: &application.listens,
        });
    }

    pub(crate) fn network(&self, name: &str) -> Option<Network> {
        self.names.get(name).copied()
    }

    pub(crate) fn name(&self, network: Network) -> &'a str {
        self.plan.virtual_networks.get(network.0).map_or("", |network| &network.name)
    }

    pub(crate) fn addresses(&self, network: Network) -> &'a [Prefix] {
        self.plan.virtual_networks.get(network.0).map_or(&[], |network| &network.addresses)
    }

    fn grants(&self, network: Network, role: usize) -> impl Iterator<Item = &Grant<'a>> {
        let all = self.of.get(network.0).and_then(|roles| roles.get(role)).into_iter().flatten();
        all.filter_map(|number| self.grants.get(*number))
    }

    /// The grants that a virtual network has as consumer.
    pub(crate) fn used_by(&self, network: Network) -> impl Iterator<Item = &Grant<'a>> {
        self.grants(network, CONSUMER)
    }

    /// The grants that a virtual network has given.
    pub(crate) fn given_by(&self, network: Network) -> impl Iterator<Item = &Grant<'a>> {
        self.grants(network, PROVIDER)
    }

    /// Whether packets of one virtual network to these addresses may end in another, from a
    /// router that has LANs of these sites.
    pub(crate) fn may_lead(
        &self,
        (from, to): (Network, Network),
        prefix: Prefix,
        sites: &BTreeSet<&str>,
    ) -> bool {
        let covers = |outer: &Prefix| outer.covers(prefix);
        from == to
            || self
                .used_by(from)
                .any(|grant| grant.provider == to && grant.hosts.iter().any(covers))
            || (self.addresses(to).iter().any(covers)
                && self
                    .given_by(from)
                    .any(|grant| grant.consumer == to && sites.contains(grant.site)))
    }

    /// Whether any packets of one virtual network may end in another.
    pub(crate) fn may_meet(&self, from: Network, to: Network) -> bool {
        from == to
            || self.used_by(from).any(|grant| grant.provider == to)
            || self.given_by(from).any(|grant| grant.consumer == to)
    }

    /// Addresses outside its own that a virtual network was promised: applications.
    pub(crate) fn reached(&self, network: Network) -> impl Iterator<Item = Prefix> {
        self.used_by(network).flat_map(|grant| grant.hosts.iter().copied())
    }

    /// What may cross the boundary of a virtual network at a router that serves these sites.
    pub(crate) fn crossings(&self, network: Network, sites: &BTreeSet<&str>) -> BTreeSet<Crossing> {
        let own = self.addresses(network);
        let used = self.used_by(network).map(|grant| (grant, false, own, &*grant.hosts));
        let given = self.given_by(network).filter(|grant| sites.contains(grant.site));
        let given = given.map(|grant| (grant, true, &*grant.hosts, self.addresses(grant.consumer)));
        let mut all = BTreeSet::new();
        for (grant, is_provider, local, remote) in used.chain(given) {
            for listen in grant.listens {
                let ports = (listen.port_first, listen.port_last);
                all.extend(crossings(is_provider, (listen.protocol, ports), local, remote));
            }
        }
        all
    }
}

/// What crosses between each of these addresses here and there.
pub(crate) fn crossings(
    is_provider: bool,
    (protocol, ports): (u8, (u16, u16)),
    local: &[Prefix],
    remote: &[Prefix],
) -> impl Iterator<Item = Crossing> {
    local.iter().flat_map(move |&local| {
        let remote = remote.iter().filter(move |remote| same_family(**remote, local));
        remote.map(move |&remote| Crossing { is_provider, protocol, ports, local, remote })
    })
}

/// Whether two prefixes are of one address family.
const fn same_family(a: Prefix, b: Prefix) -> bool {
    matches!((a.addr(), b.addr()), (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)))
}
