//! Who gains and who loses which application, on which ports and by which community.

use std::collections::{BTreeMap, BTreeSet};

use model::plan::{Listen, Plan};

use crate::words::Sites;
use crate::words::text::{and, ports, sites};

/// An application and the ports of it that are concerned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The application.
    pub application: String,
    /// The virtual network that offers it.
    pub virtual_network: String,
    /// The ports.
    pub listens: Vec<Listen>,
}

/// The same gain or loss of some sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// A gain, else a loss.
    pub gained: bool,
    /// Whose it is: virtual network and code of the site.
    pub consumers: Vec<(String, String)>,
    /// The communities that give it, or gave it.
    pub communities: Vec<String>,
    /// What.
    pub services: Vec<Service>,
    /// All of it for people.
    pub sentence: String,
}

/// A virtual network's right to an application.
#[derive(Debug)]
struct Granted<'a> {
    communities: BTreeSet<&'a str>,
    listens: &'a [Listen],
}

/// Consumer, application and the virtual network that offers it.
type Key<'a> = (&'a str, &'a str, &'a str);

fn granted(plan: &Plan) -> BTreeMap<Key<'_>, Granted<'_>> {
    let applications = plan.applications.iter().map(|one| (one.name.as_str(), one));
    let applications: BTreeMap<_, _> = applications.collect();
    let mut all: BTreeMap<Key<'_>, Granted<'_>> = BTreeMap::new();
    for community in &plan.communities {
        let offered = community
            .applications
            .iter()
            .filter_map(|name| applications.get(name.as_str()).copied());
        for application in offered {
            let provider = application.virtual_network.as_str();
            for member in community.members.iter().filter(|member| *member != provider) {
                let key = (member.as_str(), application.name.as_str(), provider);
                let none = Granted { communities: BTreeSet::new(), listens: &application.listens };
                all.entry(key).or_insert(none).communities.insert(&community.name);
            }
        }
    }
    all
}

/// The sites of each virtual network.
fn members(plan: &Plan) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut members: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for lan in &plan.attachments {
        members.entry(&lan.virtual_network).or_default().insert(&lan.site);
    }
    members
}

/// The ports in `these` and in none of `those`, as few ranges as possible.
fn beyond(these: &[Listen], those: &[Listen]) -> Vec<Listen> {
    let mut rest: Vec<Listen> = Vec::new();
    for range in joined(these) {
        let mut from = u32::from(range.port_first);
        let of_protocol = joined(those).into_iter().filter(|one| one.protocol == range.protocol);
        for taken in of_protocol.filter(|one| one.port_last >= range.port_first) {
            let before = u32::from(taken.port_first.min(range.port_last.saturating_add(1)));
            rest.extend(listen(range.protocol, from, before));
            from = from.max(u32::from(taken.port_last) + 1);
        }
        rest.extend(listen(range.protocol, from, u32::from(range.port_last) + 1));
    }
    rest
}

/// The ports from `first` on, before `end`; none where there are none.
fn listen(protocol: u8, first: u32, end: u32) -> Option<Listen> {
    let last = end.checked_sub(1).filter(|last| *last >= first)?;
    let (port_first, port_last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    Some(Listen { protocol, port_first, port_last })
}

/// The same ports in order, ranges that touch made one.
fn joined(listens: &[Listen]) -> Vec<Listen> {
    let mut sorted = listens.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<Listen> = Vec::new();
    for one in sorted {
        match joined.last_mut() {
            Some(last)
                if last.protocol == one.protocol
                    && u32::from(one.port_first) <= u32::from(last.port_last) + 1 =>
            {
                last.port_last = last.port_last.max(one.port_last);
            }
            Some(_) | None => joined.push(one),
        }
    }
    joined
}

/// What goes together in a sentence: gained or not, by which communities, which services.
type Together<'a> = (bool, Vec<&'a str>, Vec<Service>);

/// What sites gain and lose: whether it is a gain, and by which communities.
#[derive(Debug, Default)]
struct Group<'a> {
    services: BTreeMap<(bool, Vec<&'a str>), Vec<Service>>,
}

impl<'a> Group<'a> {
    fn add(&mut self, key: Key<'a>, listens: Vec<Listen>, by: Option<&Granted<'a>>, gained: bool) {
        if listens.is_empty() {
            return;
        }
        let communities = by.into_iter().flat_map(|by| by.communities.iter().copied()).collect();
        let (_, application, provider) = key;
        self.services.entry((gained, communities)).or_default().push(Service {
            application: application.to_owned(),
            virtual_network: provider.to_owned(),
            listens,
        });
    }
}

/// What a virtual network's sites gain and lose: those that stay, those that join, those that leave.
fn of_network<'a>(
    network: &'a str,
    before: &BTreeMap<Key<'a>, Granted<'a>>,
    after: &BTreeMap<Key<'a>, Granted<'a>>,
) -> [Group<'a>; 3] {
    let [mut stay, mut join, mut leave] = [(); 3].map(|()| Group::default());
    let own = (network, "", "");
    let of_this = |all: &BTreeMap<Key<'a>, Granted<'a>>| -> BTreeSet<Key<'a>> {
        all.range(own..).map(|(key, _)| *key).take_while(|(one, ..)| *one == network).collect()
    };
    for key in of_this(before).union(&of_this(after)) {
        let (old, new) = (before.get(key), after.get(key));
        let of = |one: Option<&Granted<'a>>| one.map_or(&[][..], |one| one.listens);
        stay.add(*key, beyond(of(new), of(old)), new, true);
        stay.add(*key, beyond(of(old), of(new)), old, false);
        join.add(*key, joined(of(new)), new, true);
        leave.add(*key, joined(of(old)), old, false);
    }
    [stay, join, leave]
}

/// All gains and losses; gains first.
pub(crate) fn rights(old: &Plan, new: &Plan, all: &Sites<'_>) -> Vec<Right> {
    let (before, after) = (granted(old), granted(new));
    let (sites_before, sites_after) = (members(old), members(new));
    let none = BTreeSet::new();
    let networks: BTreeSet<&str> = sites_before.keys().chain(sites_after.keys()).copied().collect();
    let mut together: BTreeMap<Together<'_>, Vec<(String, String)>> = BTreeMap::new();
    for network in networks {
        let was = sites_before.get(network).unwrap_or(&none);
        let is = sites_after.get(network).unwrap_or(&none);
        let sets: [Vec<&str>; 3] = [
            was.intersection(is).copied().collect(),
            is.difference(was).copied().collect(),
            was.difference(is).copied().collect(),
        ];
        for (codes, group) in sets.iter().zip(of_network(network, &before, &after)) {
            if codes.is_empty() {
                continue;
            }
            for ((gained, communities), services) in group.services {
                let consumers = together.entry((gained, communities, services)).or_default();
                consumers.extend(codes.iter().map(|code| (network.to_owned(), (*code).to_owned())));
            }
        }
    }
    let mut rights: Vec<Right> =
        together.into_iter().map(|(key, consumers)| right(key, consumers, all)).collect();
    rights.sort_by_key(|right| !right.gained);
    rights
}

fn right(
    (gained, by, services): Together<'_>,
    who: Vec<(String, String)>,
    all: &Sites<'_>,
) -> Right {
    let verb = match (gained, who.len()) {
        (true, 1) => "gains",
        (true, _) => "gain",
        (false, 1) => "loses",
        (false, _) => "lose",
    };
    let service = |one: &Service| format!("{} on {}", one.application, ports(&one.listens));
    let what: Vec<String> = services.iter().map(service).collect();
    let communities: Vec<String> = by.iter().map(|name| (*name).to_owned()).collect();
    let word = if communities.len() == 1 { "community" } else { "communities" };
    let sentence = format!(
        "{} {verb} {} by {word} {}",
        sites(all, who.iter().map(|(_, code)| code.as_str())),
        and(&what),
        and(&communities),
    );
    Right { gained, consumers: who, communities, services, sentence }
}

#[cfg(test)]
mod tests {
    use super::beyond;
    use model::plan::Listen;

    fn tcp(ranges: &[(u16, u16)]) -> Vec<Listen> {
        let one =
            |&(port_first, port_last): &(u16, u16)| Listen { protocol: 6, port_first, port_last };
        ranges.iter().map(one).collect()
    }

    #[test]
    fn ports_are_taken_from_ports() {
        for (these, those, rest) in [
            (&[(1, 10)][..], &[][..], &[(1, 10)][..]),
            (&[(1, 10)], &[(1, 10)], &[]),
            (&[(1, 10)], &[(4, 6)], &[(1, 3), (7, 10)]),
            (&[(1, 10)], &[(0, 4), (9, 20)], &[(5, 8)]),
            (&[(1, 5), (6, 10)], &[(2, 2), (4, 4)], &[(1, 1), (3, 3), (5, 10)]),
            (&[(65_535, 65_535)], &[(1, 65_534)], &[(65_535, 65_535)]),
            (&[(0, 65_535)], &[(65_535, 65_535)], &[(0, 65_534)]),
            (&[(0, 65_535)], &[(0, 65_535)], &[]),
            (&[(5, 5)], &[(10, 20)], &[(5, 5)]),
        ] {
            assert_eq!(beyond(&tcp(these), &tcp(those)), tcp(rest), "{these:?} {those:?}");
        }
        let udp = [Listen { protocol: 17, port_first: 1, port_last: 10 }];
        assert_eq!(beyond(&tcp(&[(1, 10)]), &udp), tcp(&[(1, 10)]));
    }

    #[test]
    fn every_small_set_of_ports_is_taken_from_every_other() {
        let ranges: Vec<(u16, u16)> =
            (0..5).flat_map(|first| (first..5).map(move |last| (first, last))).collect();
        let has = |listens: &[Listen], port| {
            listens.iter().any(|one| (one.port_first..=one.port_last).contains(&port))
        };
        for a in &ranges {
            for (b, c) in ranges.iter().flat_map(|b| ranges.iter().map(move |c| (b, c))) {
                let (these, those) = (tcp(&[*a]), tcp(&[*b, *c]));
                let rest = beyond(&these, &those);
                for port in 0..6 {
                    let wanted = has(&these, port) && !has(&those, port);
                    assert_eq!(has(&rest, port), wanted, "{a:?} {b:?} {c:?} {port}");
                }
            }
        }
    }
}
