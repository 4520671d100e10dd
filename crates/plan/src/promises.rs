//! What people were promised, straight from the intent.
//!
//! Checkers compare the running network with this. So it is worked out a second time, from the
//! intent's own words and the allotted numbers alone: nothing here looks at a VRF, a route target, an
//! access rule or a configuration.

use std::collections::BTreeMap;

use base::Prefix;
use intent::{Date, Intent, Site};
use model::plan::{
    Application, Attachment, Class, Community, Demand, Site as PromisedSite, Traffic,
    VirtualNetwork,
};

use crate::numbers::Numbers;

/// The promises of a plan.
#[derive(Debug)]
pub(crate) struct Promises {
    pub(crate) sites: Vec<PromisedSite>,
    pub(crate) virtual_networks: Vec<VirtualNetwork>,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) applications: Vec<Application>,
    pub(crate) communities: Vec<Community>,
    pub(crate) classes: Vec<Class>,
    pub(crate) demands: Vec<Demand>,
}

/// The sites of an intent by their codes.
type ByCode<'a> = BTreeMap<&'a str, &'a Site>;

/// Every list is in the order of its names, but for classes and demands, which are in the intent's.
pub(crate) fn promises<'a>(
    intent: &'a Intent,
    as_of: Option<Date>,
    numbers: &mut Numbers<'a>,
) -> Promises {
    let by_code: ByCode<'a> = intent.sites.iter().map(|site| (site.code.as_str(), site)).collect();
    let mut sites: Vec<_> = intent.sites.iter().map(|site| promised_site(&by_code, site)).collect();
    sites.sort_by(|a, b| a.code.cmp(&b.code));
    let mut virtual_networks = virtual_networks(intent, numbers);
    virtual_networks.sort_by(|a, b| a.name.cmp(&b.name));
    let mut attachments = attachments(intent, &by_code, numbers);
    attachments.sort_by(|a, b| (&a.site, &a.virtual_network).cmp(&(&b.site, &b.virtual_network)));
    let mut applications = applications(intent, numbers);
    applications.sort_by(|a, b| a.name.cmp(&b.name));
    let mut communities = communities(intent, as_of);
    communities.sort_by(|a, b| a.name.cmp(&b.name));
    let (classes, demands) = (classes(intent), demands(intent));
    Promises { sites, virtual_networks, attachments, applications, communities, classes, demands }
}

/// A site without a router of its own is as resilient as the site whose router serves it.
fn promised_site(by_code: &ByCode<'_>, site: &Site) -> PromisedSite {
    let host = site.router_of.as_ref().and_then(|code| by_code.get(code.as_str())).unwrap_or(&site);
    PromisedSite {
        code: site.code.clone(),
        name: site.name.clone(),
        kind: site.kind.clone(),
        organisation: site.organisation.clone(),
        router: host.router_name(),
        resilient: host.backup.is_some(),
        position: Some(site.position.into()),
    }
}

fn virtual_networks<'a>(intent: &'a Intent, numbers: &mut Numbers<'a>) -> Vec<VirtualNetwork> {
    let promised = |network: &'a intent::VirtualNetwork| {
        let v4 = network.addresses.iter().copied().map(Prefix::V4);
        let v6 = numbers.network_v6(&network.name).map(Prefix::V6);
        VirtualNetwork {
            name: network.name.clone(),
            organisation: network.organisation.clone(),
            addresses: v4.chain(v6).collect(),
        }
    };
    intent.virtual_networks.iter().map(promised).collect()
}

fn attachments<'a>(
    intent: &'a Intent,
    by_code: &ByCode<'a>,
    numbers: &mut Numbers<'a>,
) -> Vec<Attachment> {
    let mut attachments = Vec::new();
    for network in &intent.virtual_networks {
        for code in &network.sites {
            let Some(site) = by_code.get(code.as_str()) else { continue };
            let (lan, port) = (numbers.lan(network, code), numbers.lan_port(site, &network.name));
            let (Some(lan), Some(port)) = (lan, port) else { continue };
            attachments.push(Attachment {
                site: code.clone(),
                virtual_network: network.name.clone(),
                router: site.router_name(),
                port,
                prefixes: lan.prefixes().to_vec(),
                gateways: lan.gateways(),
            });
        }
    }
    attachments
}

fn applications<'a>(intent: &'a Intent, numbers: &mut Numbers<'a>) -> Vec<Application> {
    let promised = |application: &'a intent::Application| {
        Some(Application {
            name: application.name.clone(),
            virtual_network: application.virtual_network.clone(),
            site: application.site.clone(),
            addresses: numbers.application(application)?.to_vec(),
            listens: application.listens.clone(),
        })
    };
    intent.applications.iter().filter_map(promised).collect()
}

fn communities(intent: &Intent, as_of: Option<Date>) -> Vec<Community> {
    let in_force = |community: &&intent::Community| match (community.expires, as_of) {
        (Some(last), Some(today)) => today <= last,
        (None, _) | (_, None) => true,
    };
    let promised = |community: &intent::Community| Community {
        name: community.name.clone(),
        purpose: community.purpose.clone(),
        applications: community.applications.clone(),
        members: community.members.clone(),
        expires: community.expires.map(|date| date.to_string()),
    };
    intent.communities.iter().filter(in_force).map(promised).collect()
}

fn classes(intent: &Intent) -> Vec<Class> {
    let promised = |class: &intent::Class| Class {
        name: class.name.to_string(),
        share_percent: class.share_percent,
    };
    intent.classes.iter().map(promised).collect()
}

fn demands(intent: &Intent) -> Vec<Demand> {
    let traffic = |traffic: &intent::Traffic| match traffic.clone() {
        intent::Traffic::Towards { application, kind, down_kbps, up_kbps } => {
            Traffic::Towards { application, kind, down_kbps, up_kbps }
        }
        intent::Traffic::Within { virtual_network, kbps } => {
            Traffic::Within { virtual_network, kbps }
        }
    };
    let promised = |demand: &intent::Demand| Demand {
        class: demand.class.to_string(),
        assumed: demand.assumed,
        traffic: traffic(&demand.traffic),
    };
    intent.demands.iter().map(promised).collect()
}
