//! Which of the library's sessions is in use, and whether the next would take its place.
//!
//! The library keeps eight sessions, each at its index modulo eight, and gives every handshake of
//! ours and every answer of ours the next index. Whoever recorded handshakes of the peer before
//! this end was started has as many answered as there are recordings, because nothing tells them
//! from the peer's: the eighth answer would take the place of the session in use, whose keys are
//! gone then, while the library goes on sealing with the new ones, which nobody has. So the ring
//! is followed here, by the library's own rules, and before an answer would take that place a
//! handshake of our own takes the index; that one takes no place before the peer has answered it.

/// Sessions that the library keeps: `N_SESSIONS`.
const SLOTS: usize = 8;
/// The types of messages by which an index is given away.
const HANDSHAKES: [u8; 2] = [1, 2];

/// The library's ring of sessions.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The index given last.
    newest: u32,
    /// That of the session under which the library seals.
    current: u32,
    /// At which reading of its clock the library made the session of each place.
    made: [u64; SLOTS],
    clock: u64,
}

/// The index by which the sender of a handshake message wants to be addressed.
pub(super) fn sender_index(message: &[u8]) -> u32 {
    let octets = message.get(4..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u32::from_le_bytes(*octets))
}

/// The place of an index.
const fn place(index: u32) -> usize {
    index as usize % SLOTS
}

impl Slots {
    /// The library has read the clock. Sessions that it makes between two readings are of one age.
    pub(super) const fn ticked(&mut self) {
        self.clock += 1;
    }

    /// The library wrote this message.
    pub(super) fn wrote(&mut self, message: &[u8]) {
        if message.first().is_some_and(|kind| HANDSHAKES.contains(kind)) {
            self.newest = sender_index(message);
        }
    }

    /// The library made a session.
    pub(super) fn made(&mut self, index: u32) {
        if let Some(made) = self.made.get_mut(place(index)) {
            *made = self.clock;
        }
    }

    /// The peer used a session. The library seals under the youngest of those.
    pub(super) fn used(&mut self, index: u32) {
        if self.made.get(place(index)) >= self.made.get(place(self.current)) {
            self.current = index;
        }
    }

    /// Whether a session of the next index would take the place of the one in use.
    pub(super) const fn is_next_in_use(&self) -> bool {
        place(self.newest.wrapping_add(1)) == place(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    fn answer(slots: &mut Slots, index: u32) {
        let [a, b, c, d] = index.to_le_bytes();
        slots.wrote(&[2, 0, 0, 0, a, b, c, d]);
        slots.made(index);
    }

    #[test]
    fn eighth_index_from_the_one_in_use_takes_its_place() {
        let mut slots = Slots::default();
        answer(&mut slots, 1);
        slots.used(1);
        for index in 2..=7 {
            answer(&mut slots, index);
            assert!(!slots.is_next_in_use(), "{index}");
        }
        // A handshake of our own has an index too.
        slots.wrote(&[1, 0, 0, 0, 8, 0, 0, 0]);
        assert!(slots.is_next_in_use());
        slots.wrote(&[4, 0, 0, 0, 9, 0, 0, 0]);
        assert!(slots.is_next_in_use(), "data has the peer's index");
        slots.wrote(&[1, 0, 0, 0, 9, 0, 0, 0]);
        assert!(!slots.is_next_in_use());
    }

    #[test]
    fn what_is_used_is_the_youngest_that_the_peer_used() {
        let mut slots = Slots::default();
        answer(&mut slots, 1);
        slots.used(1);
        slots.ticked();
        answer(&mut slots, 2);
        assert_eq!(slots.current, 1, "nobody has used it");
        slots.used(2);
        slots.used(1);
        assert_eq!(slots.current, 2, "a straggler");
        answer(&mut slots, 3);
        slots.used(3);
        slots.used(2);
        assert_eq!(slots.current, 2, "of one age");
    }
}
