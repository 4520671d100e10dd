//! The link-state database: the newest known version of every link-state PDU.
//!
//! A PDU is kept as it came, so that it is passed on octet for octet, and decoded, so that paths
//! are computed without decoding again. When its lifetime has run out only its header stays, for a
//! minute, so that an older copy cannot come back.
//!
//! Standards: ISO 10589 §7.3.16.4 (ageing, `ZeroAgeLifetime`), §7.3.14.
//! Not implemented: RFC 7987 (guard against corrupted lifetimes).

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant};

use crate::lsp::{LIFETIME_AT, Lsp, Version};
use crate::snp::{LspEntry, LspId};
use crate::tlv::Tlv;

/// A region of 30 routers has some 60; this many is far beyond any and still small.
pub(crate) const LSPS_MAX: usize = 4096;
/// ISO 10589 §7.3.16.4: how long the header of a purged PDU is kept.
pub(crate) const ZERO_AGE_LIFETIME: Duration = Duration::from_secs(60);

/// One link-state PDU.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) lsp: Lsp,
    bytes: Vec<u8>,
    /// When a live one expires, when a purged one is forgotten.
    until: Instant,
    pub(crate) purged: bool,
}

impl Entry {
    /// An entry for a PDU as it is on the wire and decoded.
    pub(crate) fn new(now: Instant, bytes: Vec<u8>, lsp: Lsp) -> Self {
        let purged = lsp.lifetime == 0;
        let lasts =
            if purged { ZERO_AGE_LIFETIME } else { Duration::from_secs(u64::from(lsp.lifetime)) };
        Self { lsp, bytes, until: now + lasts, purged }
    }

    /// Whole seconds of life left, rounded up: only what is purged has none.
    pub(crate) fn remaining(&self, now: Instant) -> u16 {
        if self.purged {
            return 0;
        }
        let nanos = self.until.since(now).as_nanos();
        u16::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u16::MAX).max(1)
    }

    pub(crate) const fn version(&self) -> Version {
        Version { sequence: self.lsp.sequence, expired: self.purged, checksum: self.lsp.checksum }
    }

    pub(crate) fn summary(&self, now: Instant) -> LspEntry {
        LspEntry {
            lifetime: self.remaining(now),
            id: self.lsp.id,
            sequence: self.lsp.sequence,
            checksum: self.lsp.checksum,
        }
    }

    /// The octets to send now.
    pub(crate) fn wire(&self, now: Instant) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(slot) = bytes.get_mut(LIFETIME_AT..LIFETIME_AT + 2) {
            slot.copy_from_slice(&self.remaining(now).to_be_bytes());
        }
        bytes
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn hostname(&self) -> Option<&str> {
        self.lsp.tlvs.iter().find_map(|tlv| {
            let Tlv::Hostname(name) = tlv else { return None };
            Some(name.as_str())
        })
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    entries: BTreeMap<LspId, Entry>,
    /// When each expires or is forgotten.
    ends: BTreeSet<(Instant, LspId)>,
}

impl Database {
    pub(crate) fn get(&self, id: LspId) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= LSPS_MAX
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LspId, &Entry)> {
        self.entries.iter()
    }

    pub(crate) fn range(&self, start: LspId, end: LspId) -> impl Iterator<Item = &Entry> {
        // The map panics at a range whose ends are the wrong way round.
        let range = (start <= end).then(|| self.entries.range(start..=end));
        range.into_iter().flatten().map(|(_, entry)| entry)
    }

    /// Stores a PDU. Returns whether paths may differ now.
    pub(crate) fn insert(&mut self, entry: Entry) -> bool {
        let id = entry.lsp.id;
        let same_contents = |old: &Entry| {
            old.purged == entry.purged
                && old.lsp.flags == entry.lsp.flags
                && contents(&old.lsp).eq(contents(&entry.lsp))
        };
        let unchanged = match self.entries.get(&id) {
            Some(old) => same_contents(old),
            None => entry.purged,
        };
        self.remove(id);
        self.ends.insert((entry.until, id));
        self.entries.insert(id, entry);
        !unchanged
    }

    pub(crate) fn remove(&mut self, id: LspId) {
        if let Some(old) = self.entries.remove(&id) {
            self.ends.remove(&(old.until, id));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// When the next entry expires or is forgotten.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// The entries that have expired or are to be forgotten.
    pub(crate) fn ended(&self, now: Instant) -> Vec<(LspId, bool)> {
        let ended = self.ends.iter().take_while(|(at, _)| *at <= now);
        let mut ended: Vec<LspId> = ended.map(|(_, id)| *id).collect();
        ended.sort_unstable();
        let entry = |id| self.entries.get(&id).map(|entry| (id, entry.purged));
        ended.into_iter().filter_map(entry).collect()
    }
}

/// The TLVs that say something: a new signature is not a change.
fn contents(lsp: &Lsp) -> impl Iterator<Item = &Tlv> {
    lsp.tlvs.iter().filter(|tlv| !matches!(tlv, Tlv::Authentication { .. }))
}

/// A link-state PDU in the database, as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LspView {
    /// Which.
    pub id: LspId,
    /// Its version.
    pub sequence: u32,
    /// Its checksum.
    pub checksum: u16,
    /// Seconds that it remains valid; 0: purged.
    pub lifetime: u16,
    /// Its octets.
    pub len: usize,
    /// The router asks for no transit traffic.
    pub overload: bool,
    /// The name of the router that originated it.
    pub hostname: Option<String>,
}
