//! Packet sockets: a ring that receives, shared with the kernel, and many frames sent at once.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, c_void};

use super::{check, len_of, owned, set_option};

/// A raw packet socket that is bound to nothing yet.
///
/// # Errors
/// No right to (`CAP_NET_RAW`).
pub(crate) fn packet_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain numbers.
    owned(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })
}

/// Lets a packet socket receive everything of an interface, and send there.
///
/// # Errors
/// What the kernel says.
pub(crate) fn bind_packet(socket: BorrowedFd<'_>, index: c_int) -> io::Result<()> {
    // SAFETY: all zeroes is a valid `sockaddr_ll`.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
    address.sll_ifindex = index;
    let pointer = ptr::from_ref(&address).cast::<libc::sockaddr>();
    // SAFETY: the pointer is to a `sockaddr_ll`, which lives through the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), pointer, len_of::<libc::sockaddr_ll>()) })?;
    Ok(())
}

/// Also receive frames for other stations: the port's address is the plan's, not the card's.
///
/// # Errors
/// What the kernel says.
pub(crate) fn be_promiscuous(socket: BorrowedFd<'_>, index: c_int) -> io::Result<()> {
    // SAFETY: all zeroes is a valid `packet_mreq`.
    let mut request: libc::packet_mreq = unsafe { mem::zeroed() };
    request.mr_ifindex = index;
    request.mr_type = u16::try_from(libc::PACKET_MR_PROMISC).unwrap_or_default();
    set_option(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
}

/// The layout of the ring of a packet socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RingShape {
    /// Octets of a slot: a power of two, at least 256.
    pub(crate) slot: u32,
    /// Slots.
    pub(crate) count: u32,
}

/// Slots of a ring are laid out in blocks of this many octets.
const BLOCK: u32 = 1 << 16;

/// The VLAN in a tag; 0 is none, the tag speaks of priority only (IEEE 802.1Q §9.6).
const VLAN: u16 = 0xfff;

/// Received frames, shared with the kernel.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: NonNull<u8>,
    shape: RingShape,
}

// SAFETY: the mapping belongs to the ring alone, and may be used by whatever thread owns that.
unsafe impl Send for Ring {}

/// A received frame in its slot.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    /// The frame's octets, as far as they fit into the slot.
    pub(crate) bytes: &'a mut [u8],
    /// The frame was longer than its slot.
    pub(crate) cut: bool,
    /// It came with a tag, which is not among the octets any more and says that it belongs to a
    /// VLAN.
    pub(crate) tagged: bool,
    /// Its transport checksum was left for a card to fill in.
    pub(crate) unfinished: bool,
}

impl Ring {
    /// Sets up the ring of a packet socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn new(socket: BorrowedFd<'_>, shape: RingShape) -> io::Result<Self> {
        let version = libc::tpacket_versions::TPACKET_V2 as c_int;
        set_option(socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK,
            tp_block_nr: shape.count * shape.slot / BLOCK,
            tp_frame_size: shape.slot,
            tp_frame_nr: shape.count,
        };
        set_option(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let (len, raw) = (shape.octets(), socket.as_raw_fd());
        // SAFETY: a new mapping at an address of the kernel's choice, of the ring's length.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), len, protection, libc::MAP_SHARED, raw, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory, shape })
    }

    /// The slot of this number.
    fn slot(&self, number: u32) -> NonNull<u8> {
        let offset = (number % self.shape.count) as usize * self.shape.slot as usize;
        // SAFETY: the offset is below the length of the mapping.
        unsafe { self.memory.add(offset) }
    }

    /// The word by which we and the kernel hand a slot to each other.
    fn status(&self, number: u32) -> &AtomicU32 {
        // SAFETY: a slot starts with this word and is aligned to it; both sides only ever touch it
        // as a whole, and it lives as long as the mapping, which `self` owns.
        unsafe { self.slot(number).cast::<AtomicU32>().as_ref() }
    }

    /// Hands over the frame in a slot, and gives the slot back to the kernel; false
    /// where there is none.
    pub(crate) fn receive(&mut self, number: u32, each: &mut dyn FnMut(Received<'_>)) -> bool {
        let status = self.status(number).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return false;
        }
        let slot = self.slot(number);
        // SAFETY: the slot is ours while its status says so, and starts with this header.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        let start = (header.tp_mac as usize).min(self.shape.slot as usize);
        let len = (header.tp_snaplen as usize).min(self.shape.slot as usize - start);
        // SAFETY: start and length lie within the slot, which is ours until the status is given
        // back below; nothing else refers to it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(slot.add(start).as_ptr(), len) };
        each(Received {
            bytes,
            cut: header.tp_snaplen < header.tp_len,
            tagged: status & libc::TP_STATUS_VLAN_VALID != 0 && header.tp_vlan_tci & VLAN != 0,
            unfinished: status & libc::TP_STATUS_CSUMNOTREADY != 0,
        });
        self.status(number).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        true
    }
}

impl RingShape {
    /// Octets of the ring.
    const fn octets(self) -> usize {
        self.slot as usize * self.count as usize
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this mapping was made in `new`, with this length, and is not used any more.
        let _ = unsafe { libc::munmap(self.memory.as_ptr().cast(), self.shape.octets()) };
    }
}

/// Options of a packet socket that only make it cheaper: not seeing what we send ourselves, and
/// no queueing discipline between us and the card.
pub(crate) fn be_direct(socket: BorrowedFd<'_>) {
    const PACKET_IGNORE_OUTGOING: c_int = 23;
    let _ = set_option::<c_int>(socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1);
    let _ = set_option::<c_int>(socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1);
}

/// Sends frames, and says how many left before the kernel refused one, and why it did.
pub(crate) fn send_frames(socket: BorrowedFd<'_>, frames: &[&[u8]]) -> (usize, Option<io::Error>) {
    let mut parts: Vec<libc::iovec> = frames
        .iter()
        .map(|frame| libc::iovec {
            iov_base: frame.as_ptr().cast_mut().cast(),
            iov_len: frame.len(),
        })
        .collect();
    let mut messages: Vec<libc::mmsghdr> = parts
        .iter_mut()
        .map(|part| {
            // SAFETY: all zeroes is a valid `mmsghdr`: no address, no parts, no control data.
            let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let count = libc::c_uint::try_from(messages.len()).unwrap_or_default();
    let (raw, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
    // SAFETY: as many messages as are said, each of one part, which points to a frame; all of them
    // live through the call, and the kernel only reads the frames.
    let sent = unsafe { libc::sendmmsg(raw, messages.as_mut_ptr(), count, flags) };
    match usize::try_from(sent) {
        Ok(sent) => (sent, None),
        Err(_) => (0, Some(io::Error::last_os_error())),
    }
}

/// Frames that found the receive ring full since this was last asked.
///
/// # Errors
/// What the kernel says.
pub(crate) fn take_lost(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut statistics = MaybeUninit::<libc::tpacket_stats>::zeroed();
    let mut len = len_of::<libc::tpacket_stats>();
    let pointer = statistics.as_mut_ptr().cast::<c_void>();
    let (raw, level, name) = (socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
    // SAFETY: the pointer is to a `tpacket_stats` of the length given.
    check(unsafe { libc::getsockopt(raw, level, name, pointer, &raw mut len) })?;
    // SAFETY: it was all zeroes, which is valid, and the kernel has filled it in.
    Ok(u64::from(unsafe { statistics.assume_init() }.tp_drops))
}
