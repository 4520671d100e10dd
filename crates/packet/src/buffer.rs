//! An owned packet with room in front, so that labels and link headers are put on and taken off
//! without moving what follows them.

use core::fmt;

/// Room in front of a fresh packet: an Ethernet header (14 octets) and twelve label stack
/// entries (48), which is more than any stack that the region pushes.
pub const HEADROOM: usize = 64;

/// A packet: owned octets with headroom.
#[derive(Clone, Default)]
pub struct PacketBuf {
    storage: Vec<u8>,
    start: usize,
}

impl PacketBuf {
    /// A packet without octets and with the usual headroom.
    #[must_use]
    pub fn new() -> Self {
        Self::with_headroom(HEADROOM, &[])
    }

    /// A copy of `bytes` behind the usual headroom.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self::with_headroom(HEADROOM, bytes)
    }

    /// A copy of `bytes` behind `headroom` octets.
    #[must_use]
    pub fn with_headroom(headroom: usize, bytes: &[u8]) -> Self {
        let mut storage = Vec::with_capacity(headroom + bytes.len());
        storage.resize(headroom, 0);
        storage.extend_from_slice(bytes);
        Self { storage, start: headroom }
    }

    /// Makes this packet a copy of `bytes` behind the usual headroom, keeping its memory.
    pub fn refill(&mut self, bytes: &[u8]) {
        self.storage.clear();
        self.storage.resize(HEADROOM, 0);
        self.storage.extend_from_slice(bytes);
        self.start = HEADROOM;
    }

    /// The octets of the packet.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.storage.get(self.start..).unwrap_or_default()
    }

    /// The octets of the packet, to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.start..).unwrap_or_default()
    }

    /// The number of octets.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.storage.len() - self.start
    }

    /// Whether there is no octet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many octets can be put in front without moving the packet.
    #[must_use]
    pub const fn headroom(&self) -> usize {
        self.start
    }

    /// Puts `count` zero octets in front and returns them; moves the packet only where the
    /// headroom is used up.
    pub fn push_front(&mut self, count: usize) -> &mut [u8] {
        if count > self.start {
            let more = count - self.start + HEADROOM;
            self.storage.splice(0..0, core::iter::repeat_n(0, more));
            self.start += more;
        }
        self.start -= count;
        let front = self.storage.get_mut(self.start..self.start + count).unwrap_or_default();
        front.fill(0);
        front
    }

    /// Puts a header in front.
    pub fn push(&mut self, header: &[u8]) {
        self.push_front(header.len()).copy_from_slice(header);
    }

    /// Takes `count` octets off the front; all there are where there are fewer.
    pub fn pull_front(&mut self, count: usize) {
        self.start += count.min(self.len());
    }

    /// Puts octets behind.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.storage.extend_from_slice(bytes);
    }

    /// Keeps the first `len` octets; all where there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.storage.truncate(self.start.saturating_add(len));
    }

    /// The octets of the packet alone, in the memory of this packet.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        self.storage.drain(..self.start);
        self.storage
    }
}

impl From<&[u8]> for PacketBuf {
    fn from(bytes: &[u8]) -> Self {
        Self::from_slice(bytes)
    }
}

impl AsRef<[u8]> for PacketBuf {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// Two packets are equal where their octets are; headroom does not count.
impl PartialEq for PacketBuf {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for PacketBuf {}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketBuf({} octets:", self.len())?;
        for byte in self.bytes() {
            write!(f, " {byte:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADROOM, PacketBuf};

    #[test]
    fn headers_go_on_and_come_off_without_moving_the_rest() {
        let mut packet = PacketBuf::from_slice(b"payload");
        packet.push(b"inner ");
        packet.push_front(2).copy_from_slice(b"o ");
        assert_eq!(packet.bytes(), b"o inner payload");
        assert_eq!(packet.headroom(), HEADROOM - 8);
        packet.pull_front(8);
        assert_eq!(packet, PacketBuf::with_headroom(0, b"payload"));
        packet.truncate(3);
        assert_eq!(packet.into_vec(), b"pay");
    }

    #[test]
    fn more_than_the_headroom_is_still_put_in_front() {
        let mut packet = PacketBuf::with_headroom(1, b"x");
        packet.push(&[7; 100]);
        assert_eq!(packet.len(), 101);
        assert_eq!(packet.bytes().first(), Some(&7));
        assert_eq!(packet.bytes().last(), Some(&b'x'));
        assert_eq!(packet.headroom(), HEADROOM);
    }

    #[test]
    fn taking_off_or_keeping_more_than_there_is_leaves_what_there_is() {
        let mut packet = PacketBuf::from_slice(b"abc");
        packet.truncate(9);
        assert_eq!(packet.bytes(), b"abc");
        packet.pull_front(9);
        assert!(packet.is_empty());
        packet.truncate(usize::MAX);
        packet.refill(b"next");
        assert_eq!((packet.bytes(), packet.headroom()), (&b"next"[..], HEADROOM));
    }

    #[test]
    fn pushed_room_is_zero_even_where_a_header_was_before() {
        let mut packet = PacketBuf::from_slice(&[0xff; 8]);
        packet.pull_front(4);
        assert_eq!(packet.push_front(4), [0; 4]);
    }
}
