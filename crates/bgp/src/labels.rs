//! The labels that this speaker hands out: which are bound to what, and when one may be used again.
//!
//! A label means something in one [`LabelSpace`]: the platform's, met on every core link, or one
//! uplink's. In each space there is one label per distinct [`LabelBinding`], counted by
//! references; whoever advertises a route with it holds one.
//!
//! What happens when the last reference goes:
//! - in the platform space the label *lingers*: it stays bound to the same thing for [`LINGER`],
//!   so that packets sent before the withdrawal was read still arrive, and a route that flaps
//!   keeps its label;
//! - in an uplink's space it is unbound at once: what a site may no longer reach, it may not reach
//!   a moment longer, and packets from there are not owed a soft landing.
//!
//! An unbound label then *rests* for [`QUARANTINE`] before it may be bound to something else, so
//! that a stale packet meets no new meaning. Where in the block a space starts is drawn from the
//! seed: a restarted router does not hand out its first labels with other meanings.
//!
//! Labels that the configuration fixes (VRFs) are bound and unbound here too, uncounted.
//!
//! Standards: RFC 3031 §3.14 (label spaces), RFC 8277 §3 (a new label where the next hop changes).
//! Not implemented: one label per route or per destination; only per next hop and per VRF.

use std::collections::{BTreeMap, VecDeque};

use base::{Deadline, Duration, Instant, Label, LabelSpace, Rng, VrfId};

use crate::config::LabelBlock;
use crate::route::LabelledNextHop;

/// How long a platform label outlives its last advertisement: as long as a slow neighbour may take
/// to read a withdrawal.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long an unbound label rests: twice the usual hold time of 90 s, because until then a router
/// that is cut off may still send by a route that was withdrawn.
pub const QUARANTINE: Duration = Duration::from_secs(180);

/// What a label means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelBinding {
    /// Pop it and look the packet up in this VRF.
    Vrf(VrfId),
    /// Swap it and send on.
    Swap(LabelledNextHop),
}

/// A binding that came or went (`None`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelChange {
    /// Where.
    pub space: LabelSpace,
    /// Which label.
    pub label: Label,
    /// Its meaning now.
    pub binding: Option<LabelBinding>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Given by the configuration.
    Fixed(LabelBinding),
    /// Advertised by `references` holders.
    Bound { binding: LabelBinding, references: u32 },
    /// Unbound by force; `references` holders have yet to let go.
    Revoked { references: u32 },
    /// Still bound, advertised by nobody.
    Lingering { binding: LabelBinding, until: Instant },
    /// Unbound, not to be used again yet.
    Resting { until: Instant },
}

#[derive(Debug)]
struct Space {
    labels: BTreeMap<Label, State>,
    by_binding: BTreeMap<LabelBinding, Label>,
    /// Offset in the block of the next label that was never used, and how many are left.
    next: u32,
    unused: u32,
    lingering: VecDeque<(Instant, Label)>,
    resting: VecDeque<(Instant, Label)>,
    rested: VecDeque<Label>,
}

impl Space {
    fn new(size: u32, rng: &mut Rng) -> Self {
        Self {
            labels: BTreeMap::new(),
            by_binding: BTreeMap::new(),
            next: u32::try_from(rng.below(u64::from(size))).unwrap_or(0),
            unused: size,
            lingering: VecDeque::new(),
            resting: VecDeque::new(),
            rested: VecDeque::new(),
        }
    }

    fn allot(&mut self, block: LabelBlock) -> Option<Label> {
        while let Some(label) = self.rested.pop_front() {
            let inside = block.first <= label && label <= block.last;
            if inside && !self.labels.contains_key(&label) {
                return Some(label);
            }
        }
        let size = block_size(block);
        while self.unused > 0 {
            let label = Label::new(block.first.value() + self.next)?;
            self.next = if self.next + 1 >= size { 0 } else { self.next + 1 };
            self.unused -= 1;
            if !self.labels.contains_key(&label) {
                return Some(label);
            }
        }
        None
    }

    fn rest(&mut self, now: Instant, label: Label) {
        let until = now + QUARANTINE;
        self.labels.insert(label, State::Resting { until });
        self.resting.push_back((until, label));
    }

    fn wake_rested(&mut self, now: Instant) {
        while let Some((_, label)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            // A label that the configuration gave again meanwhile does not rest any more.
            if matches!(self.labels.get(&label), Some(State::Resting { until }) if *until <= now) {
                self.labels.remove(&label);
                self.rested.push_back(label);
            }
        }
    }
}

const fn block_size(block: LabelBlock) -> u32 {
    (block.last.value() + 1).saturating_sub(block.first.value())
}

/// All labels of one speaker.
#[derive(Debug)]
pub struct LabelTable {
    block: LabelBlock,
    rng: Rng,
    spaces: BTreeMap<LabelSpace, Space>,
    changes: VecDeque<LabelChange>,
    /// Somebody was refused a label since one last became free.
    starved: bool,
}

impl LabelTable {
    /// A table that hands out the labels of `block`.
    #[must_use]
    pub const fn new(block: LabelBlock, rng: Rng) -> Self {
        Self { block, rng, spaces: BTreeMap::new(), changes: VecDeque::new(), starved: false }
    }

    /// Hands out of another block from now on; labels in use stay in use.
    pub fn set_block(&mut self, block: LabelBlock) {
        if block == self.block {
            return;
        }
        self.block = block;
        for space in self.spaces.values_mut() {
            space.next = 0;
            space.unused = block_size(block);
            space.rested.clear();
        }
    }

    /// One more reference to the label of `binding` in `space`; `None` where all labels are in use
    /// or rest.
    pub fn acquire(
        &mut self,
        now: Instant,
        space: LabelSpace,
        binding: LabelBinding,
    ) -> Option<Label> {
        let (block, rng) = (self.block, &mut self.rng);
        let table = self.spaces.entry(space).or_insert_with(|| Space::new(block_size(block), rng));
        table.wake_rested(now);
        if let Some(&label) = table.by_binding.get(&binding) {
            let state = table.labels.get_mut(&label)?;
            match state {
                State::Bound { references, .. } => *references += 1,
                State::Lingering { binding, .. } => {
                    *state = State::Bound { binding: *binding, references: 1 };
                }
                State::Fixed(_) | State::Revoked { .. } | State::Resting { .. } => {}
            }
            return Some(label);
        }
        let Some(label) = table.allot(block) else {
            self.starved = true;
            return None;
        };
        table.labels.insert(label, State::Bound { binding, references: 1 });
        table.by_binding.insert(binding, label);
        self.changes.push_back(LabelChange { space, label, binding: Some(binding) });
        Some(label)
    }

    /// One reference less.
    pub fn release(&mut self, now: Instant, space: LabelSpace, label: Label) {
        let Some(table) = self.spaces.get_mut(&space) else { return };
        match table.labels.get_mut(&label) {
            Some(State::Bound { references, .. } | State::Revoked { references })
                if *references > 1 =>
            {
                *references -= 1;
            }
            Some(state @ State::Bound { .. }) => {
                let State::Bound { binding, .. } = *state else { return };
                match space {
                    LabelSpace::Platform => {
                        let until = now + LINGER;
                        *state = State::Lingering { binding, until };
                        table.lingering.push_back((until, label));
                    }
                    LabelSpace::Port(_) => self.unbind(now, space, label, binding),
                }
            }
            Some(State::Revoked { .. }) => table.rest(now, label),
            Some(State::Fixed(_) | State::Lingering { .. } | State::Resting { .. }) | None => {}
        }
    }

    fn unbind(&mut self, now: Instant, space: LabelSpace, label: Label, binding: LabelBinding) {
        if let Some(table) = self.spaces.get_mut(&space) {
            table.by_binding.remove(&binding);
            table.rest(now, label);
        }
        self.changes.push_back(LabelChange { space, label, binding: None });
    }

    /// Unbinds the labels of `binding` on every uplink at once, whoever still refers to them.
    pub fn revoke(&mut self, now: Instant, binding: LabelBinding) {
        let mut gone = Vec::new();
        for (&space, table) in &mut self.spaces {
            if space == LabelSpace::Platform {
                continue;
            }
            let Some(label) = table.by_binding.remove(&binding) else { continue };
            match table.labels.get(&label) {
                Some(&State::Bound { references, .. }) => {
                    table.labels.insert(label, State::Revoked { references });
                }
                Some(State::Lingering { .. }) => table.rest(now, label),
                Some(State::Fixed(_) | State::Revoked { .. } | State::Resting { .. }) | None => {}
            }
            gone.push(LabelChange { space, label, binding: None });
        }
        self.changes.extend(gone);
    }

    fn platform(&mut self) -> &mut Space {
        let (block, rng) = (self.block, &mut self.rng);
        self.spaces
            .entry(LabelSpace::Platform)
            .or_insert_with(|| Space::new(block_size(block), rng))
    }

    /// Binds a platform label for as long as the configuration says so: the one that it gives, or
    /// one of the block; `None` where that is used up.
    pub fn fix(
        &mut self,
        now: Instant,
        given: Option<Label>,
        binding: LabelBinding,
    ) -> Option<Label> {
        let block = self.block;
        let table = self.platform();
        table.wake_rested(now);
        let label = match given {
            Some(label) => label,
            None => table.allot(block)?,
        };
        table.labels.insert(label, State::Fixed(binding));
        table.by_binding.insert(binding, label);
        let space = LabelSpace::Platform;
        self.changes.push_back(LabelChange { space, label, binding: Some(binding) });
        Some(label)
    }

    /// Gives a fixed label another meaning of the same kind: a VRF that kept its name under a new
    /// id.
    pub fn refix(&mut self, label: Label, old: LabelBinding, new: LabelBinding) {
        let table = self.platform();
        if table.by_binding.get(&old) == Some(&label) {
            table.by_binding.remove(&old);
        }
        table.by_binding.insert(new, label);
        table.labels.insert(label, State::Fixed(new));
        let space = LabelSpace::Platform;
        self.changes.push_back(LabelChange { space, label, binding: Some(new) });
    }

    /// Ends what [`Self::fix`] began; the label rests.
    pub fn unfix(&mut self, now: Instant, label: Label) {
        let table = self.platform();
        let Some(&State::Fixed(binding)) = table.labels.get(&label) else { return };
        if table.by_binding.get(&binding) == Some(&label) {
            table.by_binding.remove(&binding);
        }
        table.rest(now, label);
        let space = LabelSpace::Platform;
        self.changes.push_back(LabelChange { space, label, binding: None });
    }

    /// What a label means now.
    #[must_use]
    pub fn binding(&self, space: LabelSpace, label: Label) -> Option<LabelBinding> {
        match self.spaces.get(&space)?.labels.get(&label)? {
            State::Fixed(binding)
            | State::Bound { binding, .. }
            | State::Lingering { binding, .. } => Some(*binding),
            State::Revoked { .. } | State::Resting { .. } => None,
        }
    }

    /// Every label that means something.
    pub fn bindings(&self) -> impl Iterator<Item = (LabelSpace, Label, LabelBinding)> {
        self.spaces.iter().flat_map(|(&space, table)| {
            table.by_binding.iter().map(move |(&binding, &label)| (space, label, binding))
        })
    }

    /// Ends lingering that is over; says whether somebody who was refused may try again.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let mut over = Vec::new();
        let mut room = false;
        for (&space, table) in &mut self.spaces {
            while let Some((_, label)) = table.lingering.pop_front_if(|(until, _)| *until <= now) {
                match table.labels.get(&label) {
                    Some(&State::Lingering { binding, until }) if until <= now => {
                        over.push((space, label, binding));
                    }
                    Some(_) | None => {}
                }
            }
            table.wake_rested(now);
            room |= !table.rested.is_empty();
        }
        for (space, label, binding) in over {
            self.unbind(now, space, label, binding);
        }
        let retry = room && self.starved;
        self.starved &= !retry;
        retry
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.spaces.values().fold(None, |earliest, table| {
            let lingering = table.lingering.front();
            let lingering = lingering.map(|&(at, _)| Deadline { at, why: "label lingers" });
            let resting = table.resting.front().filter(|_| self.starved);
            let resting = resting.map(|&(at, _)| Deadline { at, why: "label rests" });
            Deadline::earlier(earliest, Deadline::earlier(lingering, resting))
        })
    }

    /// The next binding that came or went.
    pub fn poll_change(&mut self) -> Option<LabelChange> {
        self.changes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::{LINGER, LabelBinding, LabelTable, QUARANTINE};
    use crate::config::LabelBlock;
    use crate::route::LabelledNextHop;
    use base::{Instant, Label, LabelSpace, PortId, Rng, VrfId};
    use core::net::{IpAddr, Ipv4Addr};

    fn table(size: u32) -> LabelTable {
        let label = |value| Label::new(value).unwrap();
        LabelTable::new(LabelBlock { first: label(100), last: label(99 + size) }, Rng::new(1))
    }

    fn swap(label: u32) -> LabelBinding {
        LabelBinding::Swap(LabelledNextHop {
            next_hop: IpAddr::V4(Ipv4Addr::LOCALHOST),
            label: Label::masked(label),
        })
    }

    const PORT: LabelSpace = LabelSpace::Port(PortId(1));
    const PLATFORM: LabelSpace = LabelSpace::Platform;

    #[test]
    fn equal_bindings_share_a_label_and_spaces_do_not() {
        let (mut labels, now) = (table(4), Instant::ZERO);
        let first = labels.acquire(now, PLATFORM, swap(1)).unwrap();
        assert_eq!(labels.acquire(now, PLATFORM, swap(1)), Some(first));
        assert_ne!(labels.acquire(now, PLATFORM, swap(2)), Some(first));
        labels.acquire(now, PORT, swap(1)).unwrap();
        labels.release(now, PLATFORM, first);
        assert_eq!(labels.binding(PLATFORM, first), Some(swap(1)));
        assert_eq!(labels.bindings().count(), 3);
    }

    #[test]
    fn platform_labels_linger_and_come_back_unchanged() {
        let (mut labels, now) = (table(4), Instant::ZERO);
        let label = labels.acquire(now, PLATFORM, swap(1)).unwrap();
        labels.release(now, PLATFORM, label);
        assert_eq!(labels.binding(PLATFORM, label), Some(swap(1)));
        let soon = now + LINGER / 2;
        assert_eq!(labels.acquire(soon, PLATFORM, swap(1)), Some(label));
        labels.handle_timeout(now + LINGER);
        assert_eq!(labels.binding(PLATFORM, label), Some(swap(1)));
        labels.release(soon, PLATFORM, label);
        assert_eq!(labels.poll_timeout().unwrap().at, soon + LINGER);
        labels.handle_timeout(soon + LINGER);
        assert_eq!(labels.binding(PLATFORM, label), None);
        assert_eq!(labels.poll_timeout(), None);
    }

    #[test]
    fn uplink_labels_end_at_once_and_rest_before_reuse() {
        let (mut labels, now) = (table(1), Instant::ZERO);
        let label = labels.acquire(now, PORT, swap(1)).unwrap();
        labels.release(now, PORT, label);
        assert_eq!(labels.binding(PORT, label), None);
        assert_eq!(labels.acquire(now, PORT, swap(2)), None);
        assert_eq!(labels.poll_timeout().unwrap().at, now + QUARANTINE);
        assert!(labels.handle_timeout(now + QUARANTINE));
        assert_eq!(labels.acquire(now + QUARANTINE, PORT, swap(2)), Some(label));
    }

    #[test]
    fn revoked_labels_mean_nothing_at_once_and_rest_when_the_last_holder_lets_go() {
        let (mut labels, now) = (table(2), Instant::ZERO);
        let vrf = LabelBinding::Vrf(VrfId(0));
        let label = labels.acquire(now, PORT, vrf).unwrap();
        labels.revoke(now, vrf);
        assert_eq!(labels.binding(PORT, label), None);
        let other = labels.acquire(now, PORT, vrf).unwrap();
        assert_ne!(label, other);
        assert_eq!(labels.acquire(now + QUARANTINE, PORT, swap(1)), None);
        labels.release(now, PORT, label);
        assert!(labels.handle_timeout(now + QUARANTINE));
        assert_eq!(labels.acquire(now + QUARANTINE, PORT, swap(1)), Some(label));
    }

    #[test]
    fn a_seed_chooses_where_the_block_begins() {
        let first = |seed| {
            let last = Label::MAX;
            let block = LabelBlock { first: Label::FIRST_FREE, last };
            LabelTable::new(block, Rng::new(seed)).acquire(Instant::ZERO, PLATFORM, swap(1))
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn a_fixed_label_survives_the_rest_that_it_was_called_back_from() {
        let (mut labels, now) = (table(4), Instant::ZERO);
        let vrf = LabelBinding::Vrf(VrfId(0));
        let given = Label::new(50);
        let label = labels.fix(now, given, vrf).unwrap();
        labels.unfix(now, label);
        assert_eq!(labels.binding(PLATFORM, label), None);
        assert_eq!(labels.fix(now, given, vrf), given);
        labels.handle_timeout(now + QUARANTINE);
        assert_eq!(labels.binding(PLATFORM, label), Some(vrf));
    }

    #[test]
    fn fixed_labels_that_trade_meanings_are_both_right_afterwards() {
        let (mut labels, now) = (table(4), Instant::ZERO);
        let (one, two) = (LabelBinding::Vrf(VrfId(1)), LabelBinding::Vrf(VrfId(2)));
        let a = labels.fix(now, None, one).unwrap();
        let b = labels.fix(now, None, two).unwrap();
        labels.refix(a, one, two);
        labels.refix(b, two, one);
        assert_eq!(labels.binding(PLATFORM, a), Some(two));
        assert_eq!(labels.binding(PLATFORM, b), Some(one));
        let all: Vec<_> = labels.bindings().collect();
        assert_eq!(all, [(PLATFORM, b, one), (PLATFORM, a, two)]);
    }
}
