//! A port on an Ethernet interface: a packet socket with memory shared with the kernel.
//!
//! Frames are read from a ring of fixed slots, without a system call for each, and sent many at a
//! time. The ring and the kernel's send buffer are the port's queues and bound its memory: what
//! finds them full is dropped and counted. (A ring that sends was tried: a frame that the card
//! refuses stays at its head and blocks the port.) The interface has no address; it is made
//! promiscuous, because the port's Ethernet address is the plan's, and is kept from this machine's
//! own network stack.
//!
//! A port has no VLANs. Linux takes a tag off a frame before anybody sees it and tells of it
//! beside: a frame of a VLAN looks like any other, and is refused here, or what somebody keeps in a
//! VLAN would enter the port's virtual network. A tag inside a tag stays in the frame, and is no
//! protocol that the router knows. A VLAN that is to be a port is an interface of its own,
//! `eth0.42`.
//!
//! A frame that another namespace of this machine sends may arrive with its checksum left for a
//! card to fill in; it is filled in here, so that what goes on over a real link is whole.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::checksum;
use crate::device::{Counters, Device};
use crate::exclusive::Exclusive;
use crate::ffi::{self, Ring, RingShape};

/// Slots that receive: at 64 octets a frame a gigabit line fills them in a third of a millisecond
/// and more, which is what a busy loop may take to come round.
const RECEIVE_SLOTS: u32 = 512;
/// What a slot holds beside a packet of the port's size: the kernel's header, a link header with
/// a tag, and a stack of labels.
const SLOT_OVERHEAD: u32 = 160;
/// Frames that are sent at a time.
const SEND_BATCH: usize = 32;

/// What offloads of `linux/ethtool.h` would hand us frames that were never on a wire: receive
/// checksums, segmentation both ways.
const OFFLOADS: [u32; 5] = [
    0x17, // ETHTOOL_STXCSUM
    0x1f, // ETHTOOL_STSO
    0x24, // ETHTOOL_SGSO
    0x2c, // ETHTOOL_SGRO
    0x22, // ETHTOOL_SUFO
];

/// An Ethernet interface behind a port.
pub struct Ethernet {
    name: String,
    /// Dropped before the socket that it was mapped from.
    ring: Ring,
    socket: OwnedFd,
    control: OwnedFd,
    exclusive: Option<Exclusive>,
    next_received: u32,
    /// Frames that wait to be sent, one behind the other, and where each ends.
    waiting: Vec<u8>,
    ends: Vec<usize>,
    counters: Counters,
    /// The kernel has said that the interface is gone.
    gone: bool,
}

impl fmt::Debug for Ethernet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ethernet").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Has an interface of the calling thread's network namespace send frames as they are on a wire:
/// of the link's size and with their checksums.
///
/// # Errors
/// No descriptor is left.
pub fn send_whole_frames(name: &str) -> io::Result<()> {
    let control = ffi::control_socket()?;
    for offload in OFFLOADS {
        ffi::turn_off(control.as_fd(), name, offload);
    }
    Ok(())
}

impl Ethernet {
    /// Takes an interface of the calling thread's network namespace for a port whose packets have
    /// at most `mtu` octets. It stays where it was opened when the thread goes elsewhere. This
    /// machine's own network stack does not hear it any more.
    ///
    /// # Errors
    /// There is no such interface, it has an address, or no right to use it (`CAP_NET_RAW`,
    /// `CAP_NET_ADMIN`, and `CAP_BPF`).
    pub fn open(name: &str, mtu: u16) -> io::Result<Self> {
        let control = ffi::control_socket()?;
        // Before anything is done to it.
        let exclusive = Exclusive::take(control.as_fd(), ffi::interface_index(name)?)?;
        Ok(Self { exclusive: Some(exclusive), ..Self::beside(name, mtu)? })
    }

    /// Listens and speaks at an interface beside this machine's own network stack, which goes on
    /// using it.
    ///
    /// # Errors
    /// There is no such interface, or no right to use it (`CAP_NET_RAW`).
    pub fn beside(name: &str, mtu: u16) -> io::Result<Self> {
        let index = ffi::interface_index(name)?;
        let control = ffi::control_socket()?;
        send_whole_frames(name)?;
        make_room(control.as_fd(), name, mtu)?;
        let socket = ffi::packet_socket()?;
        let slot = (u32::from(mtu) + SLOT_OVERHEAD).next_power_of_two();
        let shape = RingShape { slot, count: RECEIVE_SLOTS };
        let ring = Ring::new(socket.as_fd(), shape)?;
        ffi::be_direct(socket.as_fd());
        ffi::be_promiscuous(socket.as_fd(), index)?;
        ffi::bind_packet(socket.as_fd(), index)?;
        Ok(Self {
            name: name.to_owned(),
            ring,
            socket,
            control,
            exclusive: None,
            next_received: 0,
            waiting: Vec::new(),
            ends: Vec::with_capacity(SEND_BATCH),
            counters: Counters::default(),
            gone: false,
        })
    }
}

/// Has an interface carry the port's largest packet.
fn make_room(control: BorrowedFd<'_>, name: &str, mtu: u16) -> io::Result<()> {
    let (has, wanted) = (ffi::mtu(control, name)?, i32::from(mtu));
    if has >= wanted {
        return Ok(());
    }
    ffi::set_mtu(control, name, wanted).map_err(|error| {
        let what = format!("packets of {wanted} octets are wanted, it carries {has}: {error}");
        io::Error::new(error.kind(), what)
    })
}

impl Device for Ethernet {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn receive(&mut self, budget: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        let (mut taken, mut refused) = (0, 0);
        while taken < budget {
            let mut hand_over = |frame: ffi::Received<'_>| {
                if frame.cut || frame.tagged {
                    refused += 1;
                    return;
                }
                if frame.unfinished {
                    checksum::finish(frame.bytes);
                }
                each(frame.bytes);
            };
            if !self.ring.receive(self.next_received, &mut hand_over) {
                break;
            }
            self.next_received = self.next_received.wrapping_add(1);
            taken += 1;
        }
        self.counters.received += taken as u64 - refused;
        self.counters.refused += refused;
        if taken == 0 {
            // Nothing in the ring, and yet readable: there is an error to fetch, or it was just
            // taken.
            let mut nothing = [0; 1];
            match ffi::read(self.socket.as_fd(), &mut nothing) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(taken)
    }

    fn send(&mut self, frame: &[u8]) {
        self.waiting.extend_from_slice(frame);
        self.ends.push(self.waiting.len());
        if self.ends.len() >= SEND_BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let starts = core::iter::once(&0).chain(&self.ends);
        let frames: Vec<&[u8]> = starts
            .zip(&self.ends)
            .map(|(start, end)| self.waiting.get(*start..*end).unwrap_or_default())
            .collect();
        let mut rest = frames.as_slice();
        while !rest.is_empty() {
            let (sent, error) = ffi::send_frames(self.socket.as_fd(), rest);
            self.counters.sent += sent as u64;
            // One that is refused does not keep the others.
            let refused = usize::from(error.is_some());
            self.counters.lost_out += refused as u64;
            let gone = [libc::ENXIO, libc::ENODEV].map(Some);
            self.gone |= error.is_some_and(|error| gone.contains(&error.raw_os_error()));
            rest = rest.get((sent + refused).max(1)..).unwrap_or_default();
        }
        self.waiting.clear();
        self.ends.clear();
    }

    fn carrier(&mut self) -> bool {
        !self.gone && ffi::is_running(self.control.as_fd(), &self.name).unwrap_or(false)
    }

    fn note(&self) -> Option<&str> {
        self.exclusive.as_ref().and_then(Exclusive::note)
    }

    fn counters(&mut self) -> Counters {
        self.counters.lost_in += ffi::take_lost(self.socket.as_fd()).unwrap_or(0);
        self.counters
    }
}
