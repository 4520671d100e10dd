//! The decision process: which of several paths to one destination is used, and why not the rest.
//!
//! [`rank`] is set-based, as the standard is: each step removes the paths that lose it against
//! *some* remaining path, so the outcome does not depend on the order of arrival. MED is compared
//! only among paths of one neighbouring AS; with pairwise comparison that alone would make the
//! outcome depend on the order ("non-deterministic MED"), with elimination by steps it cannot.
//!
//! Each path that is not the best keeps the step that removed it, for `show` and for checkers.
//! [`compare`] is the same ladder for two.
//!
//! The caller leaves out what cannot be used at all (refused by policy, next hop unreachable).
//!
//! Before the standard's ladder comes one step of our own: what is attached to this router goes
//! before what others announce. This router announces it under its VRF's label whatever else there
//! is, and a packet that came under that label does not go back into the core.
//!
//! Standards: RFC 4271 §9.1.1 (LOCAL_PREF), §9.1.2.2 a to g, RFC 4456 §9 (ORIGINATOR_ID in place
//! of the BGP identifier, then the shorter CLUSTER_LIST).
//! Not implemented: RFC 5004 (prefer the older external path): the outcome would depend on
//! history.

use core::fmt;
use core::net::IpAddr;

use base::{AsNumber, RouteDistinguisher, RouterId};

use crate::route::{AsSegment, Origin, PathAttributes};

/// How near the place is that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// Attached: to the VRF whose routes are compared, or to some VRF where those of all are.
    Attached,
    /// Attached to another VRF of this router.
    Here,
    /// Anywhere else.
    Away,
}

/// The step of the ladder that two paths differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// What is attached here goes before what was heard from afar: a packet that comes with a VRF's
    /// label must find its way out here.
    Nearness,
    /// Higher LOCAL_PREF (RFC 4271 §9.1.1).
    LocalPref,
    /// Shorter AS path (step a).
    AsPathLength,
    /// Lower ORIGIN (step b).
    Origin,
    /// Lower MED from the same neighbouring AS (step c).
    Med,
    /// Heard from another AS before heard inside (step d).
    External,
    /// Nearer next hop (step e).
    IgpMetric,
    /// Lower originator or BGP identifier (step f).
    RouterId,
    /// Shorter CLUSTER_LIST (RFC 4456 §9).
    ClusterList,
    /// Lower peer address (step g).
    PeerAddress,
    /// Lower route distinguisher: only between routes imported into one VRF.
    RouteDistinguisher,
    /// Lower VRF number: only between routes of the own VRFs.
    Vrf,
}

impl Reason {
    const LADDER: [Self; 12] = [
        Self::Nearness,
        Self::LocalPref,
        Self::AsPathLength,
        Self::Origin,
        Self::Med,
        Self::External,
        Self::IgpMetric,
        Self::RouterId,
        Self::ClusterList,
        Self::PeerAddress,
        Self::RouteDistinguisher,
        Self::Vrf,
    ];
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nearness => "another is attached nearer",
            Self::LocalPref => "lower local preference",
            Self::AsPathLength => "longer AS path",
            Self::Origin => "higher origin",
            Self::Med => "higher MED",
            Self::External => "internal, another is external",
            Self::IgpMetric => "next hop is farther",
            Self::RouterId => "higher originator or router id",
            Self::ClusterList => "longer cluster list",
            Self::PeerAddress => "higher peer address",
            Self::RouteDistinguisher => "higher route distinguisher",
            Self::Vrf => "higher VRF number",
        })
    }
}

/// What the decision looks at in a path.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// How near it is.
    pub nearness: Nearness,
    /// The attributes as received.
    pub attributes: &'a PathAttributes,
    /// The degree of preference.
    pub local_pref: u32,
    /// Whether it was heard from another AS.
    pub external: bool,
    /// The IGP metric to the next hop.
    pub metric: u32,
    /// The sender's BGP identifier.
    pub router_id: RouterId,
    /// The sender's address.
    pub peer: IpAddr,
    /// The route distinguisher.
    pub rd: RouteDistinguisher,
    /// The own VRF's number; 0 for what was heard.
    pub vrf: u32,
}

impl Candidate<'_> {
    fn neighbouring_as(&self) -> Option<AsNumber> {
        match self.attributes.as_path.first() {
            Some(AsSegment::Sequence(numbers)) => numbers.first().copied(),
            Some(AsSegment::Set(_)) | None => None,
        }
    }

    fn originator(&self) -> RouterId {
        self.attributes.originator_id.unwrap_or(self.router_id)
    }

    /// Whether this path is removed at `step` because `other` is still there.
    fn loses(&self, other: &Self, step: Reason) -> bool {
        match step {
            Reason::Nearness => self.nearness > other.nearness,
            Reason::LocalPref => self.local_pref < other.local_pref,
            Reason::AsPathLength => {
                self.attributes.as_path_length() > other.attributes.as_path_length()
            }
            Reason::Origin => self.origin() > other.origin(),
            Reason::Med => {
                self.neighbouring_as() == other.neighbouring_as()
                    && self.attributes.med.unwrap_or(0) > other.attributes.med.unwrap_or(0)
            }
            Reason::External => other.external && !self.external,
            Reason::IgpMetric => self.metric > other.metric,
            Reason::RouterId => self.originator() > other.originator(),
            Reason::ClusterList => {
                self.attributes.cluster_list.len() > other.attributes.cluster_list.len()
            }
            Reason::PeerAddress => self.peer > other.peer,
            Reason::RouteDistinguisher => self.rd > other.rd,
            Reason::Vrf => self.vrf > other.vrf,
        }
    }

    const fn origin(&self) -> Origin {
        self.attributes.origin
    }
}

/// The step that decides between two paths, and whether the first one wins; `None` where no step
/// tells them apart.
#[must_use]
pub fn compare(a: &Candidate<'_>, b: &Candidate<'_>) -> Option<(bool, Reason)> {
    Reason::LADDER.into_iter().find_map(|step| {
        if b.loses(a, step) {
            Some((true, step))
        } else if a.loses(b, step) {
            Some((false, step))
        } else {
            None
        }
    })
}

/// The position of the best path, and for every path the step that removed it (`None`: the best).
///
/// Empty input has no best.
#[must_use]
pub fn rank(candidates: &[Candidate<'_>]) -> (Option<usize>, Vec<Option<Reason>>) {
    let mut reasons: Vec<Option<Reason>> = vec![None; candidates.len()];
    let mut left: Vec<(usize, &Candidate<'_>)> = candidates.iter().enumerate().collect();
    for step in Reason::LADDER {
        if left.len() <= 1 {
            break;
        }
        let rivals = rivals(&left, step);
        left.retain(|(position, candidate)| {
            let stays = !rivals.iter().any(|other| candidate.loses(other, step));
            if !stays && let Some(reason) = reasons.get_mut(*position) {
                *reason = Some(step);
            }
            stays
        });
    }
    // Two paths that no step tells apart cannot come from one table; the first is as good.
    for (position, _) in left.iter().skip(1) {
        if let Some(reason) = reasons.get_mut(*position) {
            *reason = Some(Reason::Vrf);
        }
    }
    (left.first().map(|(position, _)| *position), reasons)
}

/// The paths that others are to be measured by: all of them where the step compares only within
/// groups, otherwise one that loses to none.
fn rivals<'c, 'a>(left: &[(usize, &'c Candidate<'a>)], step: Reason) -> Vec<&'c Candidate<'a>> {
    let all = left.iter().map(|(_, candidate)| *candidate);
    if step == Reason::Med {
        let any = all.clone().any(|candidate| candidate.attributes.med.is_some());
        return if any { all.collect() } else { Vec::new() };
    }
    all.reduce(|champion, other| if champion.loses(other, step) { other } else { champion })
        .into_iter()
        .collect()
}

/// The position of the best path alone; what [`rank`] says without its reasons.
#[must_use]
pub fn best(candidates: &[Candidate<'_>]) -> Option<usize> {
    match candidates {
        [] => None,
        [_] => Some(0),
        [a, b] => Some(match compare(a, b) {
            Some((false, _)) => 1,
            Some((true, _)) | None => 0,
        }),
        [_, _, _, ..] => rank(candidates).0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Nearness, Reason, best, compare, rank};
    use crate::route::{AsSegment, Origin, PathAttributes};
    use base::{AsNumber, RouteDistinguisher, RouterId};
    use core::net::{IpAddr, Ipv4Addr};
    use proptest::prelude::*;

    fn candidate(attributes: &PathAttributes) -> Candidate<'_> {
        Candidate {
            nearness: Nearness::Away,
            attributes,
            local_pref: 100,
            external: false,
            metric: 10,
            router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
            peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            rd: RouteDistinguisher::with_as(65000, 1),
            vrf: 0,
        }
    }

    fn attributes(path: &[u32]) -> PathAttributes {
        let mut attributes = PathAttributes::originated();
        attributes.as_path =
            vec![AsSegment::Sequence(path.iter().map(|&number| AsNumber(number)).collect())];
        attributes
    }

    #[test]
    fn each_step_decides_when_the_earlier_ones_tie() {
        let plain = attributes(&[1]);
        let long = attributes(&[1, 1]);
        let egp = PathAttributes { origin: Origin::Egp, ..plain.clone() };
        let med = PathAttributes { med: Some(5), ..plain.clone() };
        let id = |last| RouterId(Ipv4Addr::new(192, 0, 2, last));
        let clusters = PathAttributes { cluster_list: vec![id(9)], ..plain.clone() };
        let originator = PathAttributes { originator_id: Some(id(7)), ..plain.clone() };
        let base = candidate(&plain);
        let worse = [
            (Candidate { local_pref: 99, ..base }, Reason::LocalPref),
            (Candidate { attributes: &long, ..base }, Reason::AsPathLength),
            (Candidate { attributes: &egp, ..base }, Reason::Origin),
            (Candidate { attributes: &med, ..base }, Reason::Med),
            (Candidate { metric: 11, ..base }, Reason::IgpMetric),
            (Candidate { router_id: id(2), ..base }, Reason::RouterId),
            (Candidate { attributes: &originator, ..base }, Reason::RouterId),
            (Candidate { attributes: &clusters, ..base }, Reason::ClusterList),
            (
                Candidate { peer: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), ..base },
                Reason::PeerAddress,
            ),
            (
                Candidate { rd: RouteDistinguisher::with_as(65000, 2), ..base },
                Reason::RouteDistinguisher,
            ),
            (Candidate { vrf: 1, ..base }, Reason::Vrf),
        ];
        for (loser, reason) in worse {
            assert_eq!(compare(&base, &loser), Some((true, reason)));
            assert_eq!(compare(&loser, &base), Some((false, reason)));
            assert_eq!(rank(&[loser, base]), (Some(1), vec![Some(reason), None]));
        }
        let external = Candidate { external: true, metric: 99, ..base };
        assert_eq!(compare(&external, &base), Some((true, Reason::External)));
        let here = Candidate { nearness: Nearness::Here, local_pref: 1, ..base };
        assert_eq!(compare(&here, &base), Some((true, Reason::Nearness)));
        let attached = Candidate { nearness: Nearness::Attached, local_pref: 0, ..here };
        assert_eq!(compare(&attached, &here), Some((true, Reason::Nearness)));
        assert_eq!(compare(&base, &base), None);
    }

    #[test]
    fn med_is_only_compared_within_one_neighbouring_as_whatever_the_order() {
        // The classic example: pairwise comparison cycles, elimination does not.
        let one = PathAttributes { med: Some(10), ..attributes(&[1]) };
        let two = PathAttributes { med: Some(20), ..attributes(&[2]) };
        let one_low = PathAttributes { med: Some(5), ..attributes(&[1]) };
        let paths = [
            Candidate { metric: 1, ..candidate(&one) },
            Candidate { metric: 2, ..candidate(&two) },
            Candidate { metric: 3, ..candidate(&one_low) },
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let shuffled = order.map(|position| paths[position]);
            let (winner, reasons) = rank(&shuffled);
            assert_eq!(shuffled[winner.unwrap()].metric, 2);
            let removed = order.iter().position(|&position| position == 0).unwrap();
            assert_eq!(reasons[removed], Some(Reason::Med));
        }
    }

    proptest! {
        #[test]
        fn the_best_path_does_not_depend_on_the_order(
            paths in prop::collection::vec(
                (0_u32..3, 1_u32..3, 0_u32..3, any::<bool>(), 0_u32..3, 0_u8..4), 1..7),
            turn in 0_usize..7,
        ) {
            let stored: Vec<PathAttributes> = paths
                .iter()
                .map(|&(_, asn, med, ..)| PathAttributes { med: Some(med), ..attributes(&[asn]) })
                .collect();
            let candidates: Vec<Candidate<'_>> = paths
                .iter()
                .zip(&stored)
                .enumerate()
                .map(|(position, (&(pref, _, _, external, metric, id), attributes))| Candidate {
                    local_pref: pref,
                    external,
                    metric,
                    router_id: RouterId(Ipv4Addr::new(10, 0, 0, id)),
                    peer: IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(position).unwrap())),
                    ..candidate(attributes)
                })
                .collect();
            let winner = candidates[best(&candidates).unwrap()].peer;
            let mut turned = candidates.clone();
            let steps = turn % candidates.len();
            turned.rotate_left(steps);
            prop_assert_eq!(turned[best(&turned).unwrap()].peer, winner);
            let (ranked, reasons) = rank(&turned);
            prop_assert_eq!(turned[ranked.unwrap()].peer, winner);
            prop_assert_eq!(reasons.iter().filter(|reason| reason.is_none()).count(), 1);
        }
    }
}
