//! Where frames enter and leave the machine.
//!
//! A [`Device`] is what stands behind one port of a router: an Ethernet interface, a TAP, or a
//! secure link. All look alike to the loop that drives them: a descriptor that becomes readable,
//! frames in batches, a bounded queue out.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// One port's device.
pub trait Device {
    /// Becomes readable when frames wait.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Hands over frames that wait, at most `budget` of them, and says how many it has taken: those
    /// that it refused count too, because they cost as much. Fewer than `budget` means that no
    /// more wait.
    ///
    /// # Errors
    /// What the kernel says; the device is to be closed then.
    fn receive(&mut self, budget: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<usize>;

    /// Queues a frame. Where the queue is full the frame is dropped and counted.
    fn send(&mut self, frame: &[u8]);

    /// Gives what was queued to the kernel; called after every batch.
    fn flush(&mut self);

    /// Whether the link carries frames, as far as this end can tell.
    fn carrier(&mut self) -> bool;

    /// Whether the carrier has changed since it was last asked for; false where the device cannot
    /// tell without asking the kernel.
    fn has_news(&self) -> bool {
        false
    }

    /// When [`Device::handle_timeout`] is wanted.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Acts on what is due.
    fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// What whoever runs the router should know of this device, and do about it.
    fn note(&self) -> Option<&str> {
        None
    }

    /// What was counted so far.
    fn counters(&mut self) -> Counters;
}

/// Frames of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Received, and handed over.
    pub received: u64,
    /// Sent.
    pub sent: u64,
    /// Dropped by the kernel on the way in: the receive queue was full.
    pub lost_in: u64,
    /// Dropped on the way out: the send queue was full, or the kernel refused the frame.
    pub lost_out: u64,
    /// Refused: not from the far end of a secure link, or not what it may carry; of a VLAN, or longer
    /// than the port's packets may be.
    pub refused: u64,
}
