//! Why somebody can reach something, or cannot: every link of the chain, from a line of the intent to
//! the LAN where the packet comes out.
//!
//! Who agreed is read in the intent, what came of it in the plan's configurations ([`planned`]), and
//! what a packet then does in forwarding tables. The three come from each other by different ways, so
//! that the first link which does not hold says where the chain breaks.

mod planned;

use core::net::IpAddr;

use intent::{Community, Intent, Source, Sources};
use model::plan::{Application, Listen, Plan};
use model::tables::RouterTables;
use proof::path::{End, Lan, Packet, Path, path};
use serde::Serialize;

use crate::load::Loaded;
use crate::network::explain::{self, listens};
use crate::network::probe::{Aim, Place};
use crate::screen::list;

/// Where a link of the chain is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Intent,
    Plan,
    Tables,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    pub(crate) stage: Stage,
    pub(crate) holds: bool,
    pub(crate) words: String,
    /// The line that says so, as `services.toml:12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<String>,
    /// What there would have to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) needs: Option<String>,
}

impl Reason {
    fn new(stage: Stage, words: impl Into<String>) -> Self {
        Self { stage, holds: true, words: words.into(), line: None, needs: None }
    }

    fn missing(stage: Stage, words: impl Into<String>) -> Self {
        Self { holds: false, ..Self::new(stage, words) }
    }

    fn needs(self, needs: impl Into<String>) -> Self {
        Self { needs: Some(needs.into()), ..self }
    }
}

/// The whole chain.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) reasons: Vec<Reason>,
    pub(crate) there: Path,
    /// The answer's; none: nothing arrived.
    pub(crate) back: Option<Path>,
    /// Whether those whose it is agreed.
    pub(crate) agreed: bool,
    /// Whether packet and answer arrive.
    pub(crate) arrives: bool,
}

impl Chain {
    /// Whether it is possible and was agreed to.
    pub(crate) const fn is_good(&self) -> bool {
        self.agreed && self.arrives
    }

    /// The first link that does not hold.
    pub(crate) fn missing(&self) -> Option<&Reason> {
        self.reasons.iter().find(|reason| !reason.holds)
    }
}

/// Works the chain out for a packet.
pub(crate) fn chain(loaded: &Loaded, tables: &[RouterTables], aim: &Aim) -> Chain {
    let asked = Asked {
        intent: &loaded.intent,
        sources: &loaded.sources,
        plan: &loaded.plan,
        granting: granting(&loaded.plan, aim),
        aim,
    };
    let mut reasons = asked.agreed();
    let agreed = reasons.iter().all(|reason| reason.holds);
    if agreed && let Some(to) = asked.wanted_lan() {
        reasons.extend(planned::reasons(&loaded.plan, aim, &to));
    }
    let packet = packet(aim);
    let there = path(&loaded.plan, tables, &packet);
    let came_out = there.lan().filter(|lan| asked.is_meant(lan));
    let back = came_out.map(|lan| path(&loaded.plan, tables, &packet.answered_from(lan)));
    let arrives = back.as_ref().is_some_and(|back| is_at(back, &aim.from));
    reasons.push(asked.outcome("the packet", &there, came_out.is_some()));
    reasons.extend(back.as_ref().map(|back| asked.outcome("the answer", back, arrives)));
    Chain { reasons, there, back, agreed, arrives }
}

/// The packet that is asked about.
fn packet(aim: &Aim) -> Packet {
    Packet {
        site: aim.from.site.clone(),
        virtual_network: aim.from.network.clone(),
        source: aim.flow.source,
        destination: aim.flow.destination,
        protocol: aim.flow.protocol,
        source_port: aim.flow.source_port,
        destination_port: aim.flow.destination_port,
        is_answer: false,
    }
}

fn is_at(path: &Path, place: &Place) -> bool {
    path.lan().is_some_and(|lan| (&lan.site, &lan.virtual_network) == (&place.site, &place.network))
}

/// The application by which a member of a community may send the packet.
fn granting<'a>(plan: &'a Plan, aim: &Aim) -> Option<&'a Application> {
    let wanted = aim.wanted();
    let fits = |listen: &Listen| {
        listen.protocol == wanted.protocol
            && (listen.port_first..=listen.port_last).contains(&wanted.port)
    };
    let shared = plan
        .communities
        .iter()
        .filter(|community| community.members.iter().any(|member| member == wanted.network));
    let names: Vec<&str> =
        shared.flat_map(|community| community.applications.iter().map(String::as_str)).collect();
    plan.applications.iter().find(|application| {
        names.contains(&application.name.as_str())
            && wanted.to_network.is_none_or(|to| to == application.virtual_network)
            && application.addresses.contains(&wanted.destination)
            && application.listens.iter().any(fits)
    })
}

/// What is asked about.
struct Asked<'a> {
    intent: &'a Intent,
    sources: &'a Sources,
    plan: &'a Plan,
    granting: Option<&'a Application>,
    aim: &'a Aim,
}

impl Asked<'_> {
    /// Where the packet is to come out, as far as anybody knows.
    fn wanted_lan(&self) -> Option<Place> {
        let of_application = || {
            let application = self.granting?;
            let (site, network) = (&application.site, &application.virtual_network);
            Some(Place { site: site.clone(), network: network.clone() })
        };
        self.aim.to.clone().or_else(of_application)
    }

    fn is_meant(&self, lan: &Lan) -> bool {
        self.wanted_lan()
            .is_none_or(|to| (&to.site, &to.network) == (&lan.site, &lan.virtual_network))
    }

    fn said(&self, source: &Source, words: impl Into<String>) -> Reason {
        let line = self.sources.line(source).map(ToString::to_string);
        Reason { line, ..Reason::new(Stage::Intent, words) }
    }

    fn site(&self, code: &str) -> Option<Reason> {
        let site = self.intent.sites.iter().find(|site| site.code == code)?;
        let words = format!("site {code}, {} of {}", site.name, site.organisation);
        Some(self.said(&Source::Site(code.to_owned()), words))
    }

    fn network(&self, name: &str, site: &str) -> Option<Reason> {
        let network = self.intent.virtual_networks.iter().find(|one| one.name == name)?;
        let words = format!("virtual network `{name}` of {}, with {site}", network.organisation);
        Some(self.said(&Source::VirtualNetwork(name.to_owned()), words))
    }

    /// Who agreed, or which agreement there is none of.
    fn agreed(&self) -> Vec<Reason> {
        let from = &self.aim.from;
        let mut reasons = Vec::new();
        reasons.extend(self.site(&from.site));
        reasons.extend(self.network(&from.network, &from.site));
        let to = self.wanted_lan();
        if let Some(to) = &to {
            if to.site != from.site {
                reasons.extend(self.site(&to.site));
            }
            if to.network != from.network {
                reasons.extend(self.network(&to.network, &to.site));
            }
        }
        if to.is_some_and(|to| to.network == from.network) {
            let words = format!("within `{}` everybody may reach everybody", from.network);
            reasons.push(Reason::new(Stage::Intent, words));
            return reasons;
        }
        match (self.granting, explain::refusal(self.plan, &self.aim.wanted())) {
            (Some(application), None) => self.granted(application, &mut reasons),
            (_, refusal) => reasons.push(self.refused(refusal.unwrap_or_default())),
        }
        reasons
    }

    /// The communities that let the packet pass, and who agreed to them.
    fn granted(&self, application: &Application, reasons: &mut Vec<Reason>) {
        let name = &application.name;
        let words = format!(
            "application `{name}` at {}, on {}",
            application.site,
            listens(&application.listens)
        );
        reasons.push(self.said(&Source::Application(name.clone()), words));
        let member = &self.aim.from.network;
        let in_force = |community: &&Community| {
            community.applications.contains(name)
                && community.members.contains(member)
                && self.plan.communities.iter().any(|one| one.name == community.name)
        };
        for community in self.intent.communities.iter().filter(in_force) {
            self.community(community, name, reasons);
        }
    }

    fn community(&self, community: &Community, application: &str, reasons: &mut Vec<Reason>) {
        let (name, member) = (&community.name, &self.aim.from.network);
        let words = format!("community `{name}` offers `{application}`: {}", community.purpose);
        reasons.push(self.said(&Source::Community(name.clone()), words));
        let source = Source::Member { community: name.clone(), member: member.clone() };
        let members = list(&community.members);
        reasons.push(self.said(&source, format!("its members: {members}")));
        for organisation in self.owners(application) {
            let Some(day) = community.consents.get(organisation) else { continue };
            let organisation = organisation.to_owned();
            let words = format!("{organisation} agreed on {day}");
            let source = Source::Consent { community: name.clone(), organisation };
            reasons.push(self.said(&source, words));
        }
        let words = match community.expires {
            Some(day) => format!("it is in force until {day}"),
            None => "it does not expire".to_owned(),
        };
        reasons.push(self.said(&Source::Expiry(name.clone()), words));
    }

    /// The organisations that have to agree: of the application's network and of the sender's.
    fn owners(&self, application: &str) -> Vec<&str> {
        let applications = self.intent.applications.iter();
        let provider = applications.filter(|one| one.name == application);
        let names = provider.map(|one| &one.virtual_network).chain([&self.aim.from.network]);
        let mut owners: Vec<&str> = names
            .filter_map(|name| self.intent.virtual_networks.iter().find(|one| one.name == *name))
            .map(|network| network.organisation.as_str())
            .collect();
        owners.dedup();
        owners
    }

    /// The agreement that there is none of, and what it would take.
    fn refused(&self, refusal: String) -> Reason {
        let wanted = self.aim.wanted();
        let is_there = |one: &&Application| {
            one.addresses.contains(&wanted.destination)
                && wanted.to_network.is_none_or(|to| to == one.virtual_network)
        };
        let member = wanted.network;
        let Some(application) = self.plan.applications.iter().find(is_there) else {
            return Reason::missing(Stage::Intent, refusal).needs(format!(
                "an application at {} in `services.toml`, and a community that offers it to \
                 `{member}`",
                wanted.destination
            ));
        };
        let name = &application.name;
        let joins = |community: &&Community| {
            community.applications.contains(name) && community.members.iter().any(|m| m == member)
        };
        let Some(community) = self.intent.communities.iter().find(joins) else {
            return Reason::missing(Stage::Intent, refusal).needs(format!(
                "a community in `services.toml` with `{name}` among its applications and \
                 `{member}` among its members, and the consent of {}",
                self.owners(name).join(" and of ")
            ));
        };
        let is_in_force = self.plan.communities.iter().any(|one| one.name == community.name);
        match community.expires.filter(|_| !is_in_force) {
            Some(day) => {
                let words = format!("community `{}` expired after {day}", community.name);
                let source = Source::Expiry(community.name.clone());
                let reason = Reason { holds: false, ..self.said(&source, words) };
                reason.needs("a later day, to which all its owners agree")
            }
            None => {
                let source = Source::Application(name.clone());
                let reason = Reason { holds: false, ..self.said(&source, refusal) };
                if wanted.port == 0 {
                    return reason.needs("one of these ports: choose it with `--port`");
                }
                reason.needs(format!(
                    "the port among what `{name}` listens on: it is then open to every member of \
                     its communities"
                ))
            }
        }
    }

    /// What becomes of a packet.
    fn outcome(&self, what: &str, path: &Path, is_meant: bool) -> Reason {
        let stage = Stage::Tables;
        let routers = path.steps.len();
        match &path.end {
            End::Delivered { lan: Some(Lan { site, virtual_network }), .. } if is_meant => {
                Reason::new(
                    stage,
                    format!(
                        "{what} comes out at {site} in `{virtual_network}`, by {routers} routers"
                    ),
                )
            }
            End::Delivered { lan: Some(Lan { site, virtual_network }), .. } => Reason::missing(
                stage,
                format!(
                    "{what} comes out at {site} in `{virtual_network}`, which has that address too"
                ),
            ),
            End::Delivered { router, lan: None } => {
                Reason::missing(stage, format!("{what} comes out at nobody's LAN at {router}"))
            }
            End::Router(router) => {
                Reason::missing(stage, format!("{what} is for router {router} itself"))
            }
            End::Refused { at, why } => {
                Reason::missing(stage, format!("{what} is dropped at {at}: {why}"))
            }
        }
    }
}

/// The address of a LAN's host, for a packet that is not sent.
pub(crate) fn host_address(plan: &Plan, lan: usize, v6: bool) -> Option<IpAddr> {
    let attachment = plan.attachments.get(lan)?;
    let addresses = crate::lan::addresses(plan, attachment);
    addresses.into_iter().find(|address| address.is_ipv6() == v6)
}
