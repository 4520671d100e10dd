//! Two plans as one network: what is in either, and when it is there.
//!
//! Everything of the old plan keeps its number; what only the new one has comes after it. A link is
//! the same one where it joins the same ports by the same medium, a LAN where nothing about it
//! differs. Another one at the same port takes its place when the routers at its ends have been
//! given what they need for it.

use std::collections::{BTreeMap, BTreeSet};

use model::config::{Port, PortKind, RouterConfig};
use model::plan::{Application, Attachment, Community, Link, LinkEnd, LinkKind, Plan};

use crate::Twin;
use crate::lan::Lan;
use crate::promises::Promises;

/// Both plans in one.
#[derive(Debug)]
pub(crate) struct Union {
    old: Promised,
    new: Promised,
    /// Everything of both.
    plan: Plan,
    routers: BTreeMap<String, usize>,
    links: Vec<Wanted>,
    lans: Vec<Held>,
    /// Whether the change concerns a virtual network.
    concerned: BTreeSet<String>,
}

/// What a plan says of services.
#[derive(Debug)]
struct Promised {
    plan: Plan,
    /// The virtual network of each LAN of the union; none where the plan does not have it.
    networks: Vec<Option<String>>,
}

/// A link of either plan.
#[derive(Debug)]
struct Wanted {
    is_old: bool,
    is_new: bool,
    plugged: bool,
    /// Its ends as the plans want them, by router number.
    old_ports: [Option<Port>; 2],
    new_ports: [Option<Port>; 2],
    routers: [usize; 2],
}

/// A LAN of either plan.
#[derive(Debug)]
struct Held {
    is_old: bool,
    is_new: bool,
    plugged: bool,
}

impl Union {
    pub(crate) fn new(old: &Plan, new: &Plan) -> Self {
        let mut plan = old.clone();
        let known: BTreeSet<&str> = old.routers.iter().map(|one| one.name.as_str()).collect();
        let added = new.routers.iter().filter(|one| !known.contains(one.name.as_str()));
        plan.routers.extend(added.cloned());
        // Ports' Ethernet addresses are the same in both, and the new plan has more ports.
        let after: BTreeMap<&str, &RouterConfig> =
            new.routers.iter().map(|one| (one.name.as_str(), one)).collect();
        for router in &mut plan.routers {
            if let Some(config) = after.get(router.name.as_str()) {
                router.clone_from(config);
            }
        }
        let routers: BTreeMap<String, usize> =
            plan.routers.iter().enumerate().map(|(i, one)| (one.name.clone(), i)).collect();
        add_missing(&mut plan.links, &new.links, same_link);
        add_missing(&mut plan.attachments, &new.attachments, |a, b| a == b);
        add_missing(&mut plan.applications, &new.applications, |a, b| a == b);
        add_missing(&mut plan.communities, &new.communities, |a, b| a == b);
        add_missing(&mut plan.virtual_networks, &new.virtual_networks, |a, b| a.name == b.name);
        let links: Vec<Wanted> =
            plan.links.iter().map(|link| wanted(link, old, new, &routers)).collect();
        let new_lans: BTreeMap<_, &Attachment> =
            new.attachments.iter().map(|lan| (key(lan), lan)).collect();
        let held = |(number, lan): (usize, &Attachment)| Held {
            is_old: number < old.attachments.len(),
            is_new: new_lans.get(&key(lan)).is_some_and(|new| *new == lan),
            plugged: number < old.attachments.len(),
        };
        let lans: Vec<Held> = plan.attachments.iter().enumerate().map(held).collect();
        let of = |of: &Plan, has: &dyn Fn(&Held) -> bool| Promised {
            plan: promised_only(of),
            networks: plan
                .attachments
                .iter()
                .zip(&lans)
                .map(|(lan, held)| has(held).then(|| lan.virtual_network.clone()))
                .collect(),
        };
        let (of_old, of_new) = (of(old, &|held| held.is_old), of(new, &|held| held.is_new));
        let mut concerned = concerned(old, new, &plan.attachments, &lans);
        // A site whose uplink becomes another one is concerned, and so is whoever talks with it.
        let moved: BTreeSet<&str> = plan
            .links
            .iter()
            .zip(&links)
            .filter(|(link, wanted)| {
                link.kind == LinkKind::Uplink && wanted.is_old != wanted.is_new
            })
            .map(|(link, _)| link.ends[1].router.as_str())
            .collect();
        let moved = plan.attachments.iter().filter(|lan| moved.contains(lan.router.as_str()));
        concerned.extend(moved.map(|lan| lan.virtual_network.clone()));
        Self { old: of_old, new: of_new, plan, routers, links, lans, concerned }
    }

    pub(crate) fn router(&self, name: &str) -> Option<usize> {
        self.routers.get(name).copied()
    }

    /// Everything of both plans.
    pub(crate) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn is_concerned(&self, network: &str) -> bool {
        self.concerned.contains(network)
    }

    /// Whether a LAN is there now.
    pub(crate) fn has_lan(&self, number: usize) -> bool {
        self.lans.get(number).is_some_and(|lan| lan.plugged)
    }

    /// Whether a LAN is in both plans.
    pub(crate) fn stays(&self, number: usize) -> bool {
        self.lans.get(number).is_some_and(|lan| lan.is_old && lan.is_new)
    }

    /// The promises of the old plan (0) or of the new one (1).
    pub(crate) fn promises(&self, which: usize) -> Promises {
        let promised = if which == 0 { &self.old } else { &self.new };
        super::promises(&promised.plan, promised.networks.clone())
    }

    /// The twin of the old plan gets what only the new one has: routers without power, links and
    /// LANs that are plugged in nowhere.
    pub(crate) fn join(&self, twin: &mut Twin) {
        let engine = &mut twin.engine;
        for config in self.plan.routers.iter().skip(twin.plan.routers.len()) {
            engine.add_router(config.clone());
        }
        for (number, link) in self.plan.links.iter().enumerate() {
            let ends = link
                .ends
                .each_ref()
                .map(|end| (self.router(&end.router).unwrap_or(usize::MAX), end.port));
            match engine.link_mut(number) {
                Some(old) => old.retune(link),
                None => engine.add_link(link, ends),
            }
        }
        // Hosts listen on what either plan publishes: it is the network that refuses.
        for (number, lan) in self.plan.attachments.iter().enumerate() {
            let router = self.router(&lan.router).unwrap_or(usize::MAX);
            let lan = Lan::new(&self.plan, lan, router);
            match engine.lans.get_mut(number) {
                Some(old) => *old = lan,
                None => engine.lans.push(lan),
            }
        }
        twin.plan = self.plan.clone();
        twin.engine.set_topology(&twin.plan.links);
    }

    /// The new plan is all that counts: labels too are held against it.
    pub(crate) fn arrive(&self, twin: &mut Twin) {
        twin.plan.applications.clone_from(&self.new.plan.applications);
        twin.plan.communities.clone_from(&self.new.plan.communities);
    }

    /// Plugs in and pulls out what the configurations of now call for; `gone` are the routers that
    /// are about to be switched off.
    pub(crate) fn rewire(
        &mut self,
        twin: &mut Twin,
        served: &BTreeSet<usize>,
        touched: &BTreeSet<usize>,
        gone: &[usize],
    ) {
        let ready = |router: usize| served.contains(&router) || !touched.contains(&router);
        let mut taken = BTreeSet::new();
        let mut plugged = vec![false; self.links.len()];
        let planned: Vec<&Link> = self.plan.links.iter().collect();
        // New ones first: an old one gives up its port to them.
        for only_old in [false, true] {
            for ((link, planned), plugged) in self.links.iter().zip(&planned).zip(&mut plugged) {
                if only_old == link.is_new {
                    continue;
                }
                let free = planned.ends.iter().all(|end| !taken.contains(end));
                let fits = |wanted: &[Option<Port>; 2]| {
                    let ends = planned.ends.iter().zip(wanted).zip(link.routers);
                    ends.into_iter().all(|((end, wanted), router)| fits(twin, router, end, wanted))
                };
                let is_ready = link.routers.iter().all(|router| ready(*router));
                *plugged = match (link.is_old, link.is_new) {
                    (true, true) => true,
                    (false, _) => is_ready && fits(&link.new_ports),
                    (true, false) => free && fits(&link.old_ports),
                };
                if *plugged {
                    taken.extend(planned.ends.iter().cloned());
                }
            }
        }
        for only_unplug in [true, false] {
            for ((number, link), wanted) in self.links.iter_mut().enumerate().zip(&plugged) {
                if link.plugged == *wanted || *wanted == only_unplug {
                    continue;
                }
                link.plugged = *wanted;
                if *wanted {
                    twin.engine.plug_link(number);
                } else {
                    twin.engine.unplug_link(number);
                }
            }
        }
        self.rewire_lans(twin, served, gone);
    }

    fn rewire_lans(&mut self, twin: &mut Twin, served: &BTreeSet<usize>, gone: &[usize]) {
        let number_of = |lan: &Attachment| self.routers.get(&lan.router).copied();
        for only_unplug in [true, false] {
            for (number, (held, lan)) in
                self.lans.iter_mut().zip(&self.plan.attachments).enumerate()
            {
                let router = number_of(lan).unwrap_or(usize::MAX);
                let is_served = served.contains(&router);
                let wanted =
                    (if is_served { held.is_new } else { held.is_old }) && !gone.contains(&router);
                if held.plugged == wanted || wanted == only_unplug {
                    continue;
                }
                held.plugged = wanted;
                if wanted {
                    twin.engine.plug_lan(number);
                } else {
                    twin.engine.unplug_lan(number);
                }
            }
        }
    }
}

/// A LAN by its place.
fn key(lan: &Attachment) -> (&str, &str, &str, u32) {
    (&lan.site, &lan.virtual_network, &lan.router, lan.port.0)
}

fn same_link(a: &Link, b: &Link) -> bool {
    a.ends == b.ends && a.medium == b.medium && a.kind == b.kind
}

/// Appends what `new` has and `all` has not.
fn add_missing<T: Clone>(all: &mut Vec<T>, new: &[T], same: impl Fn(&T, &T) -> bool) {
    let known = all.len();
    for one in new {
        if !all.iter().take(known).any(|other| same(other, one)) {
            all.push(one.clone());
        }
    }
}

fn wanted(link: &Link, old: &Plan, new: &Plan, routers: &BTreeMap<String, usize>) -> Wanted {
    let has = |plan: &Plan| plan.links.iter().any(|other| same_link(other, link));
    let ports = |plan: &Plan| link.ends.each_ref().map(|end| port(&plan.routers, end).cloned());
    let number = |end: &LinkEnd| routers.get(&end.router).copied().unwrap_or(usize::MAX);
    Wanted {
        is_old: has(old),
        is_new: has(new),
        plugged: has(old),
        old_ports: ports(old),
        new_ports: ports(new),
        routers: link.ends.each_ref().map(number),
    }
}

fn port<'a>(routers: &'a [RouterConfig], end: &LinkEnd) -> Option<&'a Port> {
    let router = routers.iter().find(|router| router.name == end.router)?;
    router.ports.get(usize::try_from(end.port.0).ok()?)
}

/// Whether a router's port is now what a link needs.
fn fits(twin: &Twin, router: usize, end: &LinkEnd, wanted: &Option<Port>) -> bool {
    let peer = |port: &Port| match port.kind {
        PortKind::CoreLink { peer, .. } | PortKind::Uplink { peer, .. } => Some(peer),
        PortKind::Attachment { .. } | PortKind::Unused => None,
    };
    let index = usize::try_from(end.port.0).unwrap_or(usize::MAX);
    let is = twin.engine.config(router).and_then(|config| config.ports.get(index));
    is.zip(wanted.as_ref()).is_some_and(|(is, wanted)| {
        peer(is).is_some()
            && is.medium == wanted.medium
            && is.addresses == wanted.addresses
            && peer(is) == peer(wanted)
    })
}

/// A plan without its routers and links: its promises.
fn promised_only(plan: &Plan) -> Plan {
    Plan { routers: Vec::new(), links: Vec::new(), ..plan.clone() }
}

/// The virtual networks that gain or lose a LAN or a right, or in which an application changes.
fn concerned(old: &Plan, new: &Plan, lans: &[Attachment], held: &[Held]) -> BTreeSet<String> {
    let mut concerned = BTreeSet::new();
    let changed = lans.iter().zip(held).filter(|(_, held)| held.is_old != held.is_new);
    concerned.extend(changed.map(|(lan, _)| lan.virtual_network.clone()));
    let rights = |plan: &Plan| -> BTreeSet<(String, String)> {
        let mut rights = BTreeSet::new();
        for Community { applications, members, .. } in &plan.communities {
            let offered = plan.applications.iter().filter(|one| applications.contains(&one.name));
            for application in offered {
                let what = described(application);
                rights.extend(members.iter().map(|member| (member.clone(), what.clone())));
                rights.insert((application.virtual_network.clone(), what));
            }
        }
        rights
    };
    let (before, after) = (rights(old), rights(new));
    let moved = before.symmetric_difference(&after);
    concerned.extend(moved.map(|(network, _)| network.clone()));
    concerned
}

/// An application with everything that a right to it depends on.
fn described(application: &Application) -> String {
    format!("{application:?}")
}
