//! New versions of our own link-state PDUs, and purges.
//!
//! A router that starts anew begins at sequence number 1; what it said before it restarted comes
//! back from its neighbours with a higher number, and it goes one higher. A fragment that is no
//! longer needed is purged, as is one of ours that we never made.
//!
//! Standards: ISO 10589 §7.3.16.1 (sequence numbers, the last one), §7.3.16.4 (purges), RFC 5304
//! §2 and RFC 6233 (signed purges carry no body), RFC 6232 (who purged).
//! Not implemented: adding our name to purges that others started (RFC 6232 §3, optional).

use base::{Duration, Instant};

use crate::authentication;
use crate::checksum;
use crate::codepoints::SEQUENCE_MAX;
use crate::database::{Entry, ZERO_AGE_LIFETIME};
use crate::instance::Instance;
use crate::lsp::Lsp;
use crate::origination::{Fragment, REFRESH_JITTER_PERCENT, contents, purge_contents};
use crate::snp::LspId;
use crate::tlv::Tlv;

/// A lifetime below this would have every router refresh all the time.
const LIFETIME_MIN: Duration = Duration::from_secs(10);

impl Instance {
    const fn own_id(&self, fragment: u8) -> LspId {
        LspId { system_id: self.config.system_id, pseudonode: 0, fragment }
    }

    /// When [`Self::generate`] next has something to do.
    pub(crate) fn generation_due(&self) -> Option<Instant> {
        let of_fragments = self.own.values().filter_map(|fragment| {
            let used = fragment.contents.is_some().then_some(fragment.refresh_at);
            fragment.silent_until.or(used)
        });
        of_fragments.chain(self.generation.due()).min()
    }

    /// Makes every fragment anew whose contents differ, whose refresh is due, or that came back
    /// newer than we made it; all of them where they are to be signed anew.
    pub(crate) fn generate(&mut self, now: Instant, resign: bool) {
        let (wanted, left_out) = contents(&self.config, self.circuits.values());
        self.counters.entries_left_out += left_out;
        let mut used = 0_usize;
        for (number, wanted) in (0..=u8::MAX).zip(wanted) {
            used += 1;
            if self.is_stale(now, number, &wanted, resign) {
                self.originate(now, number, wanted);
            }
        }
        let unused = self.own.iter().filter(|(number, fragment)| {
            usize::from(**number) >= used && fragment.contents.is_some()
        });
        let unused: Vec<u8> = unused.map(|(number, _)| *number).collect();
        for number in unused {
            self.withdraw(now, number);
        }
        for fragment in self.own.values_mut() {
            // Not to be asked for again by a fragment that stays unused.
            fragment.silent_until = fragment.silent_until.filter(|until| *until > now);
        }
    }

    fn is_stale(&self, now: Instant, number: u8, wanted: &(u8, Vec<Tlv>), resign: bool) -> bool {
        let Some(fragment) = self.own.get(&number) else { return true };
        if fragment.silent_until.is_some_and(|until| now < until) {
            return false;
        }
        let same = fragment.contents.as_ref() == Some(wanted);
        !same || resign || fragment.exceed || fragment.refresh_at <= now
    }

    fn originate(&mut self, now: Instant, number: u8, (flags, tlvs): (u8, Vec<Tlv>)) {
        let before = self.own.get(&number).map_or(0, |fragment| fragment.sequence);
        let Some(sequence) = before.checked_add(1) else {
            self.fall_silent(now, number);
            return;
        };
        let lifetime = self.config.lsp_lifetime.max(LIFETIME_MIN);
        // A refresh after the end of the lifetime would leave us out of everybody's database.
        let refresh = self.config.lsp_refresh.min(lifetime * 3 / 4).max(LIFETIME_MIN / 2);
        let refresh_at = now + self.rng.jitter(refresh, REFRESH_JITTER_PERCENT);
        let lsp = Lsp {
            lifetime: u16::try_from(lifetime.as_secs()).unwrap_or(u16::MAX),
            id: self.own_id(number),
            sequence,
            checksum: 0,
            flags,
            tlvs: tlvs.clone(),
        };
        let contents = Some((flags, tlvs));
        let fragment =
            Fragment { sequence, contents, refresh_at, exceed: false, silent_until: None };
        self.own.insert(number, fragment);
        self.counters.lsps_originated += 1;
        self.publish(now, lsp);
    }

    /// ISO 10589 §7.3.16.1: after the last number the fragment is purged, and starts from the
    /// first once every copy is gone.
    fn fall_silent(&mut self, now: Instant, number: u8) {
        self.withdraw(now, number);
        let silent = self.config.lsp_lifetime.max(LIFETIME_MIN) + ZERO_AGE_LIFETIME;
        if let Some(fragment) = self.own.get_mut(&number) {
            fragment.sequence = 0;
            fragment.silent_until = Some(now + silent);
        }
    }

    /// Purges one of our own fragments.
    pub(crate) fn withdraw(&mut self, now: Instant, number: u8) {
        let Some(fragment) = self.own.get_mut(&number) else { return };
        fragment.contents = None;
        fragment.exceed = false;
        let sequence = fragment.sequence;
        self.purge(now, self.own_id(number), sequence);
    }

    /// Another version of one of our own was heard of, not older than ours and not the same: a
    /// newer one is made, or what we do not say (any more) is purged.
    pub(crate) fn exceed(&mut self, now: Instant, id: LspId, sequence: u32) {
        self.counters.own_lsps_exceeded += 1;
        if id.pseudonode != 0 {
            self.purge(now, id, sequence);
            return;
        }
        let fragment = self.own.entry(id.fragment).or_insert(Fragment {
            sequence,
            contents: None,
            refresh_at: Instant::MAX,
            exceed: false,
            silent_until: None,
        });
        if fragment.silent_until.is_none() {
            fragment.sequence = fragment.sequence.max(sequence);
        }
        if fragment.contents.is_none() {
            self.purge(now, id, sequence);
        } else if sequence == SEQUENCE_MAX {
            self.fall_silent(now, id.fragment);
        } else {
            fragment.exceed = true;
            self.request_generation(now);
        }
    }

    /// Takes a link-state PDU out of the region: its header alone, without lifetime, to all.
    pub(crate) fn purge(&mut self, now: Instant, id: LspId, sequence: u32) {
        self.counters.purges += 1;
        let flags = self.database.get(id).map_or(0, |entry| entry.lsp.flags);
        let tlvs = purge_contents(&self.config, self.config.system_id);
        self.publish(now, Lsp { lifetime: 0, id, sequence, checksum: 0, flags, tlvs });
    }

    /// Signs a link-state PDU, stores it and has it sent to every neighbour.
    fn publish(&mut self, now: Instant, mut lsp: Lsp) {
        let mut bytes = lsp.encode();
        if let Some(authentication) = &self.config.authentication {
            authentication::sign(&mut bytes, authentication);
        }
        lsp.checksum = checksum::set(&mut bytes);
        self.install(now, Entry::new(now, bytes, lsp), None);
    }
}
