//! Faults in what was promised, and in what is there: configurations stay as they are.

use std::collections::BTreeSet;

use base::Prefix;
use model::config::Role;
use model::plan::{LinkKind, Plan};

use super::{Kind, Plant, choose};

type Planted = Result<(), usize>;

const fn kind(
    name: &'static str,
    plant: fn(&mut Plan, usize) -> Planted,
    called: &'static [&'static str],
) -> Kind {
    Kind { name, plant: Plant::Plan(plant), called, in_failures: false }
}

const fn in_failures(kind: Kind) -> Kind {
    Kind { in_failures: true, ..kind }
}

const NO_RIGHT: &[&str] = &["leak", "wider"];
const NO_WAY: &[&str] = &["missing", "narrower", "lacking"];
const CUT_OFF: &[&str] = &["not resilient", "cut off", "missing", "lacking"];

pub(super) const KINDS: &[Kind] = &[
    kind("promise: consent withdrawn", consent_withdrawn, NO_RIGHT),
    kind("promise: consent only in the plan", consent_given, NO_WAY),
    kind("promise: community expired", community_expired, NO_RIGHT),
    kind("promise: application not in the community", application_withdrawn, NO_RIGHT),
    kind("promise: application listens on less", listens_less, &["wider"]),
    kind("promise: application listens on more", listens_more, &["narrower"]),
    kind(
        "promise: application at another address",
        application_moved,
        &["leak", "wider", "missing"],
    ),
    kind("promise: application of another network", application_given_away, &["leak", "wider"]),
    kind("promise: LAN of nobody", lan_of_nobody, &["stranger"]),
    kind("promise: LAN of another network", lan_given_away, &["mixed", "leak", "foreign source"]),
    kind("promise: LAN at another port", lan_moved, &["no LAN", "stranger", "mixed"]),
    kind("promise: LAN with more addresses", lan_widened, &["missing"]),
    kind("promise: network with less addresses", network_narrowed, &["wider", "foreign source"]),
    kind("promise: configurations of another generation", other_generation, &["generation"]),
    in_failures(kind("topology: core link removed", core_link_removed, CUT_OFF)),
    in_failures(kind("topology: uplink removed", uplink_removed, CUT_OFF)),
    in_failures(kind("topology: two uplinks in one duct", one_duct, &["not resilient"])),
    in_failures(kind("topology: two core links in one duct", one_core_duct, &["not resilient"])),
    in_failures(kind(
        "topology: both uplinks to one point of presence",
        one_pop,
        &["not resilient"],
    )),
    in_failures(kind(
        "topology: one uplink, promised as resilient",
        promised_too_much,
        &["not resilient"],
    )),
    in_failures(kind(
        "topology: core router without reflection",
        no_reflector,
        &["missing", "lacking"],
    )),
];

fn members(plan: &Plan) -> Vec<(usize, usize)> {
    let all = plan.communities.iter().enumerate();
    all.flat_map(|(at, one)| (0..one.members.len()).map(move |member| (at, member))).collect()
}

fn consent_withdrawn(plan: &mut Plan, place: usize) -> Planted {
    let (at, member) = choose(members(plan), place)?;
    plan.communities.get_mut(at).into_iter().for_each(|one| {
        one.members.remove(member);
    });
    Ok(())
}

fn consent_given(plan: &mut Plan, place: usize) -> Planted {
    let names = || plan.virtual_networks.iter().map(|one| one.name.clone());
    let owners: BTreeSet<&str> =
        plan.applications.iter().map(|one| one.virtual_network.as_str()).collect();
    let all = plan.communities.iter().enumerate().flat_map(|(at, one)| {
        let new =
            names().filter(|name| !one.members.contains(name) && !owners.contains(name.as_str()));
        new.map(move |name| (at, name))
    });
    let (at, name) = choose(all.collect(), place)?;
    plan.communities.get_mut(at).into_iter().for_each(|one| one.members.push(name.clone()));
    Ok(())
}

fn community_expired(plan: &mut Plan, place: usize) -> Planted {
    let at = choose((0..plan.communities.len()).collect(), place)?;
    plan.communities.remove(at);
    Ok(())
}

fn application_withdrawn(plan: &mut Plan, place: usize) -> Planted {
    let all = plan.communities.iter().enumerate();
    let all = all.flat_map(|(at, one)| (0..one.applications.len()).map(move |app| (at, app)));
    let (at, application) = choose(all.collect(), place)?;
    let one = plan.communities.get_mut(at);
    one.into_iter().for_each(|one| {
        one.applications.remove(application);
    });
    Ok(())
}

fn listens(plan: &Plan) -> Vec<(usize, usize)> {
    let all = plan.applications.iter().enumerate();
    all.flat_map(|(at, one)| (0..one.listens.len()).map(move |listen| (at, listen))).collect()
}

fn listens_less(plan: &mut Plan, place: usize) -> Planted {
    let (at, listen) = choose(listens(plan), place)?;
    plan.applications.get_mut(at).into_iter().for_each(|one| {
        one.listens.remove(listen);
    });
    Ok(())
}

fn listens_more(plan: &mut Plan, place: usize) -> Planted {
    let (at, listen) = choose(listens(plan), place)?;
    let one = plan.applications.get_mut(at).and_then(|one| one.listens.get_mut(listen));
    one.into_iter().for_each(|one| one.port_last += 1);
    Ok(())
}

fn application_moved(plan: &mut Plan, place: usize) -> Planted {
    let application = choose(plan.applications.iter_mut().collect(), place)?;
    for address in &mut application.addresses {
        let next = Prefix::new(*address, if address.is_ipv4() { 24 } else { 64 });
        *address = next.and_then(|prefix| prefix.nth(77)).expect("an address");
    }
    Ok(())
}

fn application_given_away(plan: &mut Plan, place: usize) -> Planted {
    let names: Vec<String> = plan.virtual_networks.iter().map(|one| one.name.clone()).collect();
    let all = plan.applications.iter().enumerate().flat_map(|(at, one)| {
        let others = names.iter().filter(|name| **name != one.virtual_network);
        others.map(move |name| (at, name.clone()))
    });
    let (at, name) = choose(all.collect(), place)?;
    plan.applications.get_mut(at).into_iter().for_each(|one| one.virtual_network.clone_from(&name));
    Ok(())
}

fn lan_of_nobody(plan: &mut Plan, place: usize) -> Planted {
    let at = choose((0..plan.attachments.len()).collect(), place)?;
    plan.attachments.remove(at);
    Ok(())
}

fn lan_given_away(plan: &mut Plan, place: usize) -> Planted {
    let names: Vec<String> = plan.virtual_networks.iter().map(|one| one.name.clone()).collect();
    let all = plan.attachments.iter().enumerate().flat_map(|(at, one)| {
        let others = names.iter().filter(|name| **name != one.virtual_network);
        others.map(move |name| (at, name.clone()))
    });
    let (at, name) = choose(all.collect(), place)?;
    plan.attachments.get_mut(at).into_iter().for_each(|one| one.virtual_network.clone_from(&name));
    Ok(())
}

fn lan_moved(plan: &mut Plan, place: usize) -> Planted {
    let lan = choose(plan.attachments.iter_mut().collect(), place)?;
    lan.port.0 += 1;
    Ok(())
}

fn lan_widened(plan: &mut Plan, place: usize) -> Planted {
    let all = plan.attachments.iter().enumerate().flat_map(|(at, lan)| {
        let wider = |prefix: &Prefix| Prefix::new(prefix.addr(), prefix.len() - 1);
        let all = lan.prefixes.iter().enumerate();
        all.filter_map(move |(number, prefix)| Some((at, number, wider(prefix)?)))
    });
    let (at, number, prefix) = choose(all.collect(), place)?;
    let own = plan.attachments.get_mut(at).and_then(|lan| lan.prefixes.get_mut(number));
    own.into_iter().for_each(|own| *own = prefix);
    Ok(())
}

fn network_narrowed(plan: &mut Plan, place: usize) -> Planted {
    let all = plan.virtual_networks.iter_mut().flat_map(|one| &mut one.addresses);
    let own = choose(all.collect(), place)?;
    *own = Prefix::new(own.addr(), own.len() + 12).expect("a prefix");
    Ok(())
}

fn other_generation(plan: &mut Plan, place: usize) -> Planted {
    let router = choose(plan.routers.iter_mut().collect(), place)?;
    router.generation += 1;
    Ok(())
}

fn links(plan: &Plan, kind: LinkKind) -> Vec<usize> {
    let all = plan.links.iter().enumerate().filter(|(_, link)| link.kind == kind);
    all.map(|(place, _)| place).collect()
}

fn core_link_removed(plan: &mut Plan, place: usize) -> Planted {
    let at = choose(links(plan, LinkKind::Core), place)?;
    plan.links.remove(at);
    Ok(())
}

fn uplink_removed(plan: &mut Plan, place: usize) -> Planted {
    let at = choose(links(plan, LinkKind::Uplink), place)?;
    plan.links.remove(at);
    Ok(())
}

/// The uplinks of the site routers that have two.
fn pairs(plan: &Plan) -> Vec<[usize; 2]> {
    let sites = plan.routers.iter().filter(|router| router.role == Role::Site);
    let pair = |name: &String| {
        let mut own = links(plan, LinkKind::Uplink).into_iter().filter(|at| {
            plan.links.get(*at).is_some_and(|link| link.ends.iter().any(|end| end.router == *name))
        });
        Some([own.next()?, own.next()?])
    };
    sites.filter_map(|router| pair(&router.name)).collect()
}

fn share_a_risk(plan: &mut Plan, both: [usize; 2]) {
    for at in both {
        let link = plan.links.get_mut(at);
        link.into_iter().for_each(|link| link.shared_risks.push("a duct".to_owned()));
    }
}

fn one_duct(plan: &mut Plan, place: usize) -> Planted {
    let both = choose(pairs(plan), place)?;
    share_a_risk(plan, both);
    Ok(())
}

fn one_core_duct(plan: &mut Plan, place: usize) -> Planted {
    let all = links(plan, LinkKind::Core);
    let pairs = all.iter().flat_map(|a| all.iter().filter(move |b| a < *b).map(move |b| [*a, *b]));
    let both = choose(pairs.collect(), place)?;
    share_a_risk(plan, both);
    Ok(())
}

/// The second core router of a site is found to be in the same place as the first.
fn one_pop(plan: &mut Plan, place: usize) -> Planted {
    let [first, second] = choose(pairs(plan), place)?;
    let core = |at: usize| plan.links.get(at).map(|link| link.ends[0].router.clone());
    let (Some(first), Some(second)) = (core(first), core(second)) else { return Ok(()) };
    for pop in &mut plan.pops {
        let has_first = pop.routers.contains(&first);
        pop.routers.retain(|name| *name != second);
        if has_first {
            pop.routers.push(second.clone());
        }
    }
    Ok(())
}

fn promised_too_much(plan: &mut Plan, place: usize) -> Planted {
    let sites = plan.sites.iter_mut().filter(|site| !site.resilient);
    let site = choose(sites.collect(), place)?;
    site.resilient = true;
    Ok(())
}

fn no_reflector(plan: &mut Plan, place: usize) -> Planted {
    let routers = plan.routers.iter_mut().filter(|router| router.bgp.cluster_id.is_some());
    let router = choose(routers.collect(), place)?;
    router.bgp.cluster_id = None;
    Ok(())
}
