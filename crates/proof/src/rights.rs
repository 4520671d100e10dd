//! Who may reach whom: from virtual networks, applications and communities alone.
//!
//! Everything may pass within a virtual network. A member of a community reaches the addresses of
//! the community's applications on what they listen on, and is answered. Nothing else.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::Prefix;
use model::plan::{Application, Listen, Plan};

/// A virtual network, by its place in [`Plan::virtual_networks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network(pub(crate) usize);

/// A member may use an application.
#[derive(Debug)]
struct Grant {
    consumer: Network,
    provider: Network,
    /// The code of the site that it is at.
    site: String,
    hosts: Vec<Prefix>,
    listens: Vec<Listen>,
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
    grants: Vec<Grant>,
    /// The prefixes that routes from one virtual network into another may have.
    routes: BTreeMap<(Network, Network), BTreeSet<Prefix>>,
}

impl<'a> Rights<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let names = plan.virtual_networks.iter().enumerate();
        let names = names.map(|(place, one)| (one.name.as_str(), Network(place))).collect();
        let mut rights = Self { plan, names, grants: Vec::new(), routes: BTreeMap::new() };
        for community in &plan.communities {
            for name in &community.applications {
                let application = plan.applications.iter().find(|one| one.name == *name);
                let members = community.members.iter();
                let grants = members
                    .filter_map(|member| rights.grant(application?, member))
                    .collect::<Vec<_>>();
                rights.grants.extend(grants);
            }
        }
        for grant in &rights.grants {
            let (consumer, provider) = (grant.consumer, grant.provider);
            rights.routes.entry((consumer, provider)).or_default().extend(&grant.hosts);
            let back = plan.virtual_networks.get(consumer.0);
            let back = back.map_or(&[][..], |network| &network.addresses);
            rights.routes.entry((provider, consumer)).or_default().extend(back);
        }
        rights
    }

    fn grant(&self, application: &Application, member: &str) -> Option<Grant> {
        let provider = self.network(&application.virtual_network)?;
        let consumer = self.network(member).filter(|consumer| *consumer != provider)?;
        Some(Grant {
            consumer,
            provider,
            site: application.site.clone(),
            hosts: application.addresses.iter().copied().map(Prefix::host).collect(),
            listens: application.listens.clone(),
        })
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

    /// Whether packets of one virtual network to these addresses may end in another.
    pub(crate) fn may_lead(&self, from: Network, to: Network, prefix: Prefix) -> bool {
        from == to
            || self
                .routes
                .get(&(from, to))
                .is_some_and(|all| all.contains(&prefix) || all.iter().any(|p| p.covers(prefix)))
    }

    /// Whether any packets of one virtual network may end in another.
    pub(crate) fn may_meet(&self, from: Network, to: Network) -> bool {
        from == to || self.routes.contains_key(&(from, to))
    }

    /// Addresses outside its own that a virtual network was promised: applications.
    pub(crate) fn reached(&self, network: Network) -> impl Iterator<Item = Prefix> {
        let grants = self.grants.iter().filter(move |grant| grant.consumer == network);
        grants.flat_map(|grant| grant.hosts.iter().copied())
    }

    /// What may cross the boundary of a virtual network at a router that serves these sites.
    pub(crate) fn crossings(
        &self,
        network: Network,
        is_here: impl Fn(&str) -> bool,
    ) -> BTreeSet<Crossing> {
        let mut all = BTreeSet::new();
        for grant in &self.grants {
            let hosts = grant.hosts.as_slice();
            let (is_provider, local, remote) = if grant.consumer == network {
                (false, self.addresses(network), hosts)
            } else if grant.provider == network && is_here(&grant.site) {
                (true, hosts, self.addresses(grant.consumer))
            } else {
                continue;
            };
            for listen in &grant.listens {
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
