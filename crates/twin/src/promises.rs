//! Who may reach whom: read from the plan's promises, independently of how routers are configured.
//!
//! Two LANs of one virtual network may exchange anything. A LAN of a member of a community may
//! reach the addresses of the community's applications on what they listen on, and be answered.
//! Nothing else may arrive anywhere.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use model::plan::{Application, Attachment, Plan};

use crate::probe::Flow;

/// The promises of a plan, by number of LAN.
#[derive(Debug)]
pub(crate) struct Promises {
    /// The virtual network of each LAN; none where the plan does not have it.
    networks: Vec<Option<String>>,
    applications: Vec<Application>,
    /// Virtual networks that may reach each application.
    consumers: Vec<BTreeSet<String>>,
}

impl Promises {
    pub(crate) fn new(plan: &Plan) -> Self {
        let of = |lan: &Attachment| Some(lan.virtual_network.clone());
        Self::with_lans(plan, plan.attachments.iter().map(of).collect())
    }

    /// The promises of a plan whose LANs have other numbers.
    pub(crate) fn with_lans(plan: &Plan, networks: Vec<Option<String>>) -> Self {
        let mut members: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for community in &plan.communities {
            for application in &community.applications {
                members.entry(application).or_default().extend(community.members.iter().cloned());
            }
        }
        let consumers = plan
            .applications
            .iter()
            .map(|application| members.remove(application.name.as_str()).unwrap_or_default())
            .collect();
        Self { networks, applications: plan.applications.clone(), consumers }
    }

    fn network(&self, lan: usize) -> Option<&str> {
        self.networks.get(lan)?.as_deref()
    }

    /// Whether `consumer` may use `flow`'s server side at `provider`, which has `server` address.
    fn offers(
        &self,
        consumer: usize,
        provider: usize,
        server: IpAddr,
        protocol: u8,
        port: u16,
    ) -> bool {
        let (Some(consumer), Some(provider)) = (self.network(consumer), self.network(provider))
        else {
            return false;
        };
        self.applications.iter().zip(&self.consumers).any(|(application, consumers)| {
            application.virtual_network == provider
                && consumers.contains(consumer)
                && application.addresses.contains(&server)
                && application.listens.iter().any(|listen| {
                    listen.protocol == protocol
                        && (listen.port_first..=listen.port_last).contains(&port)
                })
        })
    }

    /// Whether a packet of this flow from one LAN may arrive at another.
    pub(crate) fn permit(&self, from: usize, to: usize, flow: &Flow) -> bool {
        let same = self.network(from).is_some() && self.network(from) == self.network(to);
        same || self.offers(from, to, flow.destination, flow.protocol, flow.destination_port)
            || self.offers(to, from, flow.source, flow.protocol, flow.source_port)
    }
}
