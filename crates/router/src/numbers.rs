//! Numbers that last, for what a configuration knows by its place.
//!
//! In a configuration, neighbours and VRFs are known by their places; when one goes, those behind
//! it move up. What runs must not move with them: a session would restart, and a label would mean
//! another VRF. So a running router gives each neighbour and each VRF a number, and BGP, the
//! connections and the forwarding tables know them by that. Only what comes from people and what
//! they are told goes by place or by name.
//!
//! - A neighbour is the same one as long as it is on the same port, or in the interior, and both
//!   ends have the same address; a VRF, as long as it has the same name.
//! - The numbers of a router that starts are the places.
//! - A newcomer gets the lowest number that nobody has and nobody had before the change: what is
//!   still said to those that go never reaches one who comes. So there are never more numbers than
//!   two configurations in a row have neighbours or VRFs.
//!
//! Standards: none of its own.
//! Not implemented: none; a router that starts anew may number differently, and nobody notices.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{PortId, VrfId};
use bgp::NeighbourId;
use model::config::{Neighbour, RouterConfig, Vrf};

use crate::translate;

/// Where a neighbour is, our address and its own.
type Ends = (Option<PortId>, Ipv4Addr, Ipv4Addr);

/// The numbers of one configuration's neighbours and VRFs.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    neighbours: Lasting<Ends>,
    vrfs: Lasting<String>,
}

impl Numbers {
    /// The numbers of the next configuration: who is in both keeps its own.
    pub(crate) fn renumbered(&self, next: &RouterConfig) -> Self {
        let ends =
            |one: &Neighbour| (translate::neighbour_port(one), one.local_address, one.address);
        Self {
            neighbours: self.neighbours.renumbered(next.neighbours.iter().map(ends)),
            vrfs: self.vrfs.renumbered(next.vrfs.iter().map(|vrf| vrf.name.clone())),
        }
    }

    /// The neighbours in the order of their places.
    pub(crate) fn neighbours<'a>(
        &self,
        config: &'a RouterConfig,
    ) -> impl Iterator<Item = (NeighbourId, &'a Neighbour)> {
        self.neighbours.numbers.iter().copied().map(NeighbourId).zip(&config.neighbours)
    }

    /// The VRFs in the order of their places.
    pub(crate) fn vrfs<'a>(
        &self,
        config: &'a RouterConfig,
    ) -> impl Iterator<Item = (VrfId, &'a Vrf)> {
        self.vrfs.numbers.iter().copied().map(VrfId).zip(&config.vrfs)
    }

    /// The neighbour of a number.
    pub(crate) fn neighbour<'a>(
        &self,
        config: &'a RouterConfig,
        id: NeighbourId,
    ) -> Option<&'a Neighbour> {
        config.neighbours.get(self.neighbours.place(id.0)?)
    }

    /// The VRF of a number.
    pub(crate) fn vrf<'a>(&self, config: &'a RouterConfig, id: VrfId) -> Option<&'a Vrf> {
        config.vrfs.get(self.vrfs.place(id.0)?)
    }

    /// Whether a neighbour has this number.
    pub(crate) fn has_neighbour(&self, id: NeighbourId) -> bool {
        self.neighbours.place(id.0).is_some()
    }

    /// The number of the neighbour at a place.
    pub(crate) fn neighbour_at(&self, place: u32) -> Option<NeighbourId> {
        self.neighbours.number(place).map(NeighbourId)
    }

    /// The number of the VRF at a place.
    pub(crate) fn vrf_at(&self, place: VrfId) -> Option<VrfId> {
        self.vrfs.number(place.0).map(VrfId)
    }

    /// The place of the VRF of a number.
    pub(crate) fn vrf_place(&self, id: VrfId) -> Option<VrfId> {
        u32::try_from(self.vrfs.place(id.0)?).ok().map(VrfId)
    }
}

/// Numbers for things that are known by something of theirs that no other has.
#[derive(Debug)]
struct Lasting<K> {
    /// By place.
    numbers: Vec<u32>,
    /// By number: what has it, and at which place that is.
    holders: BTreeMap<u32, (K, usize)>,
}

impl<K> Default for Lasting<K> {
    fn default() -> Self {
        Self { numbers: Vec::new(), holders: BTreeMap::new() }
    }
}

impl<K: Ord> Lasting<K> {
    fn renumbered(&self, all: impl Iterator<Item = K>) -> Self {
        let known: BTreeMap<&K, u32> =
            self.holders.iter().map(|(number, (one, _))| (one, *number)).collect();
        let mut free = (0..).filter(|number| !self.holders.contains_key(number));
        let mut next = Self::default();
        for (place, one) in all.enumerate() {
            let Some(number) = known.get(&one).copied().or_else(|| free.next()) else { break };
            next.numbers.push(number);
            next.holders.insert(number, (one, place));
        }
        next
    }

    fn place(&self, number: u32) -> Option<usize> {
        self.holders.get(&number).map(|(_, place)| *place)
    }

    fn number(&self, place: u32) -> Option<u32> {
        self.numbers.get(usize::try_from(place).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Lasting;
    use base::Rng;

    fn numbers(all: &str, former: &Lasting<char>) -> Lasting<char> {
        former.renumbered(all.chars())
    }

    #[test]
    fn who_starts_is_numbered_by_place_and_keeps_that_wherever_it_moves() {
        let first = numbers("abcd", &Lasting::default());
        assert_eq!(first.numbers, [0, 1, 2, 3]);
        let moved = numbers("dca", &first);
        assert_eq!(moved.numbers, [3, 2, 0]);
        assert_eq!(
            [0, 1, 2, 3].map(|number| moved.place(number)),
            [Some(2), None, Some(1), Some(0)]
        );
        assert_eq!((moved.number(1), moved.number(3)), (Some(2), None));
    }

    #[test]
    fn a_freed_number_is_given_again_but_not_by_the_change_that_frees_it() {
        let first = numbers("abc", &Lasting::default());
        let second = numbers("axc", &first);
        assert_eq!(second.numbers, [0, 3, 2]);
        let third = numbers("ayxc", &second);
        assert_eq!(third.numbers, [0, 1, 3, 2]);
    }

    #[test]
    fn numbers_are_unique_and_stay_below_those_of_two_configurations_in_a_row() {
        let mut rng = Rng::new(5);
        let mut former = Lasting::<u64>::default();
        for _ in 0..500 {
            let all = (0..40_u64).filter(|_| rng.chance(300_000)).collect::<Vec<_>>();
            let next = former.renumbered(all.iter().copied());
            let bound = former.numbers.len() + next.numbers.len();
            assert_eq!(next.holders.len(), all.len(), "unique");
            for (one, number) in all.iter().zip(&next.numbers) {
                let had = former.holders.iter().find(|(_, (other, _))| other == one);
                assert!(had.is_none_or(|(had, _)| had == number));
                assert!(had.is_some() || usize::try_from(*number).unwrap() < bound);
                assert!(had.is_some() || !former.holders.contains_key(number));
            }
            former = next;
        }
    }
}
