//! Flooding: every router gets every link-state PDU, reliably, and only the newest.
//!
//! A newer one than ours goes to all other neighbours and is acknowledged to the one that it came
//! from; an older one is answered with ours. What a sequence-numbers PDU names is compared in the
//! same way: we send what the neighbour lacks and ask for what we lack.
//!
//! Standards: ISO 10589 §7.3.14 to §7.3.17 (point-to-point circuits), RFC 6233 §2.
//! Not implemented: flooding reduction, pacing by congestion (RFC 9681).

use base::{Instant, PortId};

use crate::authentication;
use crate::checksum;
use crate::circuit::{BURST_INTERVAL, BURST_LEN, CSNP_INTERVAL, RETRANSMIT_INTERVAL};
use crate::codepoints as cp;
use crate::database::{Entry, LSPS_MAX};
use crate::error::RejectReason;
use crate::instance::{Instance, Output};
use crate::lsp::{Comparison, Lsp, Version, compare};
use crate::snp::{Csnp, ENTRY_LEN, LspEntry, LspId, Psnp, entries};
use crate::tlv::Tlv;

/// Retransmissions and comparisons are early by up to this share, so that they do not align.
const JITTER_PERCENT: u32 = 25;
/// Sequence-numbers PDUs are kept to the size of link-state PDUs.
const SNP_LEN_MAX: usize = 1492;

impl Instance {
    /// ISO 10589 §7.3.15.1.
    pub(crate) fn handle_lsp(
        &mut self,
        now: Instant,
        port: PortId,
        bytes: &[u8],
        lsp: Lsp,
    ) -> Result<(), RejectReason> {
        if !self.circuits.get(&port).is_some_and(crate::circuit::ActiveCircuit::is_up) {
            return Err(RejectReason::NoAdjacency);
        }
        let expired = lsp.lifetime == 0;
        // ISO 10589 §7.3.14.2: what has expired is not judged by its checksum.
        if !expired && !checksum::verify(bytes) {
            return Err(RejectReason::LspChecksum);
        }
        if lsp.sequence == 0 {
            return Err(RejectReason::SequenceZero);
        }
        let signed = self.config.authentication.is_some();
        if expired && signed && !lsp.tlvs.iter().all(Tlv::is_allowed_in_purge) {
            return Err(RejectReason::PurgeContents);
        }
        let heard = Version { sequence: lsp.sequence, expired, checksum: lsp.checksum };
        let comparison = match self.database.get(lsp.id) {
            Some(held) => compare(heard, held.version()),
            // ISO 10589 §7.3.16.4: a purge of what we do not have is acknowledged, no more.
            None if expired => Comparison::Same,
            None => Comparison::Newer,
        };
        let own = lsp.id.system_id == self.config.system_id;
        match comparison {
            Comparison::Newer | Comparison::Conflict if own => {
                self.exceed(now, lsp.id, lsp.sequence);
            }
            Comparison::Newer => {
                if self.database.is_full() && self.database.get(lsp.id).is_none() {
                    return Err(RejectReason::DatabaseFull);
                }
                self.install(now, Entry::new(now, bytes.to_vec(), lsp), Some(port));
            }
            // ISO 10589 §7.3.16.2: two PDUs of one number, and nobody can tell which is right;
            // a purge makes their originator send a third.
            Comparison::Conflict => self.purge(now, lsp.id, lsp.sequence),
            Comparison::Same => self.acknowledge(now, port, &lsp),
            Comparison::Older => self.send_instead(now, port, lsp.id),
        }
        Ok(())
    }

    /// Stores a link-state PDU and has it sent to every neighbour but the one it came from.
    pub(crate) fn install(&mut self, now: Instant, entry: Entry, from: Option<PortId>) {
        let (id, summary) = (entry.lsp.id, entry.summary(now));
        if self.database.insert(entry) {
            self.request_spf(now);
        }
        for (port, circuit) in &mut self.circuits {
            circuit.ssn.remove(&id);
            if Some(*port) == from {
                circuit.srm.remove(id);
                circuit.report(now, summary);
            } else {
                circuit.send_at(id, now);
            }
        }
    }

    fn acknowledge(&mut self, now: Instant, port: PortId, lsp: &Lsp) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        circuit.srm.remove(lsp.id);
        let Lsp { lifetime, id, sequence, checksum, .. } = *lsp;
        circuit.report(now, LspEntry { lifetime, id, sequence, checksum });
    }

    fn send_instead(&mut self, now: Instant, port: PortId, id: LspId) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        circuit.ssn.remove(&id);
        circuit.send_at(id, now);
    }

    /// ISO 10589 §7.3.15.2.
    pub(crate) fn handle_csnp(
        &mut self,
        now: Instant,
        port: PortId,
        csnp: &Csnp,
    ) -> Result<(), RejectReason> {
        self.check_snp(port, csnp.source)?;
        let mut listed = entries(&csnp.tlvs);
        self.compare_entries(now, port, &listed);
        listed.sort_unstable_by_key(|entry| entry.id);
        let lacks = |entry: &&Entry| {
            !entry.purged && listed.binary_search_by_key(&entry.lsp.id, |entry| entry.id).is_err()
        };
        let missing = self.database.range(csnp.start, csnp.end).filter(lacks);
        let missing: Vec<LspId> = missing.map(|entry| entry.lsp.id).collect();
        if let Some(circuit) = self.circuits.get_mut(&port) {
            for id in missing {
                circuit.srm.set_if_absent(id, now);
            }
        }
        Ok(())
    }

    /// ISO 10589 §7.3.15.2.
    pub(crate) fn handle_psnp(
        &mut self,
        now: Instant,
        port: PortId,
        psnp: &Psnp,
    ) -> Result<(), RejectReason> {
        self.check_snp(port, psnp.source)?;
        self.compare_entries(now, port, &entries(&psnp.tlvs));
        Ok(())
    }

    fn check_snp(&self, port: PortId, source: base::SystemId) -> Result<(), RejectReason> {
        let adjacency = self.circuits.get(&port).and_then(|circuit| circuit.adjacency.as_ref());
        match adjacency.filter(|adjacency| adjacency.up) {
            None => Err(RejectReason::NoAdjacency),
            Some(adjacency) if adjacency.neighbour != source => Err(RejectReason::NotFromNeighbour),
            Some(_) => Ok(()),
        }
    }

    fn compare_entries(&mut self, now: Instant, port: PortId, listed: &[LspEntry]) {
        for entry in listed {
            let expired = entry.lifetime == 0;
            let heard = Version { sequence: entry.sequence, expired, checksum: entry.checksum };
            let Some(held) = self.database.get(entry.id) else {
                self.ask_for_unknown(now, port, entry);
                continue;
            };
            let comparison = compare(heard, held.version());
            let summary = held.summary(now);
            let own = entry.id.system_id == self.config.system_id;
            let Some(circuit) = self.circuits.get_mut(&port) else { return };
            match comparison {
                Comparison::Same => {
                    circuit.srm.remove(entry.id);
                }
                Comparison::Older => {
                    circuit.ssn.remove(&entry.id);
                    // What is already on its way is left to retransmission.
                    circuit.srm.set_if_absent(entry.id, now);
                }
                Comparison::Newer => {
                    circuit.srm.remove(entry.id);
                    circuit.report(now, summary);
                }
                Comparison::Conflict if own => self.exceed(now, entry.id, entry.sequence),
                Comparison::Conflict => self.purge(now, entry.id, entry.sequence),
            }
        }
    }

    /// ISO 10589 §7.3.15.2 c: an entry of sequence number 0 asks for the link-state PDU.
    fn ask_for_unknown(&mut self, now: Instant, port: PortId, entry: &LspEntry) {
        let real = entry.lifetime != 0 && entry.sequence != 0 && entry.checksum != 0;
        if !real || self.database.is_full() {
            return;
        }
        if let Some(circuit) = self.circuits.get_mut(&port)
            && circuit.ssn.len() < LSPS_MAX
        {
            circuit.report(now, LspEntry { sequence: 0, checksum: 0, lifetime: 0, ..*entry });
        }
    }

    /// Has everything sent to a neighbour that has come up.
    pub(crate) fn send_database(&mut self, now: Instant, port: PortId) {
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        let mut at = now;
        for (index, (id, _)) in self.database.iter().enumerate() {
            if index > 0 && index % BURST_LEN == 0 {
                at = at + BURST_INTERVAL;
            }
            circuit.send_at(*id, at);
        }
    }

    /// Purges what has expired, forgets what has long been purged.
    pub(crate) fn expire_lsps(&mut self, now: Instant) {
        for (id, purged) in self.database.ended(now) {
            if purged {
                self.database.remove(id);
                for circuit in self.circuits.values_mut() {
                    circuit.srm.remove(id);
                }
            } else {
                let sequence = self.database.get(id).map_or(0, |entry| entry.lsp.sequence);
                self.purge(now, id, sequence);
            }
        }
    }

    /// Sends what a circuit's timers ask for.
    pub(crate) fn send_due(&mut self, now: Instant, port: PortId) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        let (hello, csnp) = (is_due(circuit.hello_at), is_due(circuit.csnp_at));
        let psnp = is_due(circuit.psnp_at);
        if csnp {
            circuit.csnp_at = Some(now + self.rng.jitter(CSNP_INTERVAL, JITTER_PERCENT));
        }
        if hello {
            self.send_hello(now, port);
        }
        if csnp {
            self.send_csnps(now, port);
        }
        if psnp {
            self.send_psnps(port);
        }
    }

    /// Sends the link-state PDUs that are due on every circuit.
    pub(crate) fn flush(&mut self, now: Instant) {
        for (port, circuit) in &mut self.circuits {
            for (id, sent) in circuit.srm.take_due(now) {
                let Some(entry) = self.database.get(id) else { continue };
                if entry.len() > circuit.pdu_len_max() {
                    self.counters.lsps_too_large += 1;
                    continue;
                }
                self.counters.sent.lsps += 1;
                self.counters.lsps_retransmitted += u64::from(sent);
                self.outputs.push_back(Output::Pdu { port: *port, bytes: entry.wire(now) });
                let again = now + self.rng.jitter(RETRANSMIT_INTERVAL, JITTER_PERCENT);
                circuit.srm.set(id, again, true);
            }
        }
    }

    /// Sends the database in short, in as many PDUs as it takes.
    pub(crate) fn send_csnps(&mut self, now: Instant, port: PortId) {
        let per_pdu = self.entries_per_pdu(port, cp::CSNP_HEADER_LEN);
        let all: Vec<LspEntry> =
            self.database.iter().map(|(_, entry)| entry.summary(now)).collect();
        let mut start = LspId::FIRST;
        let mut chunks = all.chunks(per_pdu).peekable();
        while let Some(chunk) = chunks.next() {
            let last = chunk.last().filter(|_| chunks.peek().is_some());
            let end = last.map_or(LspId::LAST, |entry| entry.id);
            let (source, tlvs) = (self.config.system_id, self.snp(chunk));
            let csnp = Csnp { source, circuit: 0, start, end, tlvs };
            self.send_snp(port, csnp.encode());
            self.counters.sent.csnps += 1;
            start = end.next().unwrap_or(LspId::LAST);
        }
    }

    fn send_psnps(&mut self, port: PortId) {
        let per_pdu = self.entries_per_pdu(port, cp::PSNP_HEADER_LEN);
        let Some(circuit) = self.circuits.get_mut(&port) else { return };
        circuit.psnp_at = None;
        let all: Vec<LspEntry> = core::mem::take(&mut circuit.ssn).into_values().collect();
        for chunk in all.chunks(per_pdu) {
            let (source, tlvs) = (self.config.system_id, self.snp(chunk));
            let psnp = Psnp { source, circuit: 0, tlvs };
            self.send_snp(port, psnp.encode());
            self.counters.sent.psnps += 1;
        }
    }

    fn snp(&self, chunk: &[LspEntry]) -> Vec<Tlv> {
        let signature = self.config.authentication.as_ref().map(authentication::placeholder);
        let mut tlvs: Vec<Tlv> = signature.into_iter().collect();
        tlvs.push(Tlv::LspEntries(chunk.to_vec()));
        tlvs
    }

    fn send_snp(&mut self, port: PortId, mut bytes: Vec<u8>) {
        if let Some(authentication) = &self.config.authentication {
            authentication::sign(&mut bytes, authentication);
        }
        self.outputs.push_back(Output::Pdu { port, bytes });
    }

    /// How many entries a PDU has room for beside its header and signature.
    fn entries_per_pdu(&self, port: PortId, header_len: u8) -> usize {
        let circuit = self.circuits.get(&port);
        let len_max = circuit.map_or(SNP_LEN_MAX, |c| c.pdu_len_max().min(SNP_LEN_MAX));
        let mut signature = Vec::new();
        for tlv in self.snp(&[]) {
            tlv.encode(&mut signature);
        }
        let room = len_max.saturating_sub(usize::from(header_len) + signature.len());
        // Fifteen entries fill one TLV.
        let entries = room / (2 + 15 * ENTRY_LEN) * 15;
        let rest = (room % (2 + 15 * ENTRY_LEN)).saturating_sub(2) / ENTRY_LEN;
        (entries + rest).max(1)
    }
}
