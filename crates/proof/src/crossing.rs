//! Whether access rules admit exactly what was published.
//!
//! Both are sets of boxes: a side, a protocol, ports, addresses here and addresses there. Where
//! they are written alike they are alike. Where they are not, the boxes' edges cut the space into
//! atoms within which every box is all or nothing, and one point of each atom decides.

use std::collections::BTreeSet;

use base::Prefix;
use model::config::Side;
use model::tables::Rule;

use crate::rights::{Crossing, crossings};

/// What access rules let cross.
pub(crate) fn admitted(rules: &[Rule]) -> BTreeSet<Crossing> {
    let of_rule = |rule: &Rule| -> Vec<Crossing> {
        let (is_provider, ports) = (rule.side == Side::Provider, (rule.port_first, rule.port_last));
        crossings(is_provider, (rule.protocol, ports), &rule.local, &rule.remote).collect()
    };
    rules.iter().flat_map(of_rule).collect()
}

/// A packet that one set lets cross and the other does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Whether it is the first set that lets it cross.
    pub(crate) first: bool,
    pub(crate) is_provider: bool,
    pub(crate) protocol: u8,
    pub(crate) port: u16,
    pub(crate) local: Prefix,
    pub(crate) remote: Prefix,
}

/// The first difference between two sets, where there is one of each kind.
pub(crate) fn differences(a: &BTreeSet<Crossing>, b: &BTreeSet<Crossing>) -> Vec<Difference> {
    if a == b {
        return Vec::new();
    }
    let mut found: Vec<Difference> = Vec::new();
    let kinds: BTreeSet<(bool, u8)> =
        a.iter().chain(b).map(|one| (one.is_provider, one.protocol)).collect();
    for kind in kinds {
        let of_kind = |set: &BTreeSet<Crossing>| -> Vec<Crossing> {
            set.iter().filter(|one| (one.is_provider, one.protocol) == kind).cloned().collect()
        };
        let (a, b) = (of_kind(a), of_kind(b));
        if a != b {
            compare(&a, &b, &mut found);
        }
    }
    found
}

/// An edge of a prefix: family and address.
type Edge = (bool, u128);

fn span(prefix: Prefix) -> (Edge, u128) {
    let (v6, bits, width) = match prefix {
        Prefix::V4(prefix) => (false, u128::from(prefix.addr().to_bits()), 32),
        Prefix::V6(prefix) => (true, prefix.addr().to_bits(), 128),
    };
    let host = width - u32::from(prefix.len());
    let mask = u128::MAX.checked_shl(host).map_or(u128::MAX, |high| !high);
    ((v6, bits), bits | mask)
}

fn contains(prefix: Prefix, (v6, at): Edge) -> bool {
    let ((family, first), last) = span(prefix);
    family == v6 && (first..=last).contains(&at)
}

/// The first point of every atom that the prefixes cut.
fn edges(prefixes: impl Iterator<Item = Prefix>) -> BTreeSet<Edge> {
    let mut edges = BTreeSet::new();
    for prefix in prefixes {
        let ((v6, first), last) = span(prefix);
        edges.insert((v6, first));
        edges.extend(last.checked_add(1).map(|next| (v6, next)));
    }
    edges
}

fn host((v6, at): Edge) -> Option<Prefix> {
    let address = if v6 {
        core::net::Ipv6Addr::from_bits(at).into()
    } else {
        core::net::Ipv4Addr::from_bits(u32::try_from(at).ok()?).into()
    };
    Some(Prefix::host(address))
}

fn compare(a: &[Crossing], b: &[Crossing], found: &mut Vec<Difference>) {
    let both = || a.iter().chain(b);
    let locals = edges(both().map(|one| one.local));
    let remotes = edges(both().map(|one| one.remote));
    let mut ports: BTreeSet<u16> = both().map(|one| one.ports.0).collect();
    ports.extend(both().filter_map(|one| one.ports.1.checked_add(1)));
    for &local in &locals {
        let at_local = |set: &[Crossing]| -> Vec<Crossing> {
            set.iter().filter(|one| contains(one.local, local)).cloned().collect()
        };
        let (a, b) = (at_local(a), at_local(b));
        if a == b {
            continue;
        }
        let points =
            remotes.iter().flat_map(|remote| ports.iter().map(move |port| (*remote, *port)));
        for (remote, port) in points {
            let (first, second) = (admits(&a, remote, port), admits(&b, remote, port));
            let Some(one) = a.first().or(b.first()) else { continue };
            if first == second || found.iter().any(|other| other.first == first) {
                continue;
            }
            if let (Some(local), Some(remote)) = (host(local), host(remote)) {
                let (is_provider, protocol) = (one.is_provider, one.protocol);
                found.push(Difference { first, is_provider, protocol, port, local, remote });
            }
        }
    }
}

fn admits(set: &[Crossing], remote: Edge, port: u16) -> bool {
    set.iter()
        .any(|one| contains(one.remote, remote) && (one.ports.0..=one.ports.1).contains(&port))
}

#[cfg(test)]
mod tests {
    use super::{Crossing, differences};
    use base::Prefix;
    use std::collections::BTreeSet;

    fn crossing(local: &str, remote: &str, ports: (u16, u16)) -> Crossing {
        let prefix = |text: &str| -> Prefix { text.parse().expect("a prefix") };
        let (local, remote) = (prefix(local), prefix(remote));
        Crossing { is_provider: false, protocol: 6, ports, local, remote }
    }

    fn set(all: &[Crossing]) -> BTreeSet<Crossing> {
        all.iter().cloned().collect()
    }

    #[test]
    fn sets_that_are_written_otherwise_are_the_same() {
        let whole = set(&[crossing("10.0.0.0/8", "10.9.0.1/32", (80, 443))]);
        let parts = set(&[
            crossing("10.0.0.0/9", "10.9.0.1/32", (80, 300)),
            crossing("10.128.0.0/9", "10.9.0.1/32", (80, 443)),
            crossing("10.0.0.0/9", "10.9.0.1/32", (200, 443)),
        ]);
        assert_eq!(differences(&whole, &parts), []);
        assert_eq!(differences(&parts, &whole), []);
    }

    #[test]
    fn every_way_to_be_wider_is_found_with_a_packet() {
        let narrow = set(&[crossing("10.0.0.0/8", "10.9.0.1/32", (443, 443))]);
        for wider in [
            crossing("10.0.0.0/8", "10.9.0.1/32", (443, 444)),
            crossing("10.0.0.0/8", "10.9.0.0/31", (443, 443)),
            crossing("10.0.0.0/7", "10.9.0.1/32", (443, 443)),
            Crossing { protocol: 17, ..crossing("10.0.0.0/8", "10.9.0.1/32", (443, 443)) },
            Crossing { is_provider: true, ..crossing("10.0.0.0/8", "10.9.0.1/32", (443, 443)) },
        ] {
            let both: BTreeSet<Crossing> = narrow.iter().cloned().chain([wider.clone()]).collect();
            let found = differences(&both, &narrow);
            assert_eq!(found.len(), 1, "{wider:?}");
            let one = &found[0];
            assert!(one.first && wider.local.covers(one.local) && wider.remote.covers(one.remote));
            assert!((wider.ports.0..=wider.ports.1).contains(&one.port), "{one:?}");
            let found = differences(&narrow, &both);
            assert!(found.len() == 1 && !found[0].first);
        }
    }
}
