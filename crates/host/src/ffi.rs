//! Calls to the kernel that the standard library does not make: the one place with unsafe code.
//!
//! Every function here is safe to call: what it takes is owned or borrowed by Rust types, what it
//! returns is an error or an owned value. What the kernel shares with us (packet rings) is behind
//! [`Ring`], which checks every offset.

#![expect(unsafe_code, reason = "system calls; each block says why it is sound")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

/// The size of a structure, as socket calls want it.
fn len_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(result: c_int) -> io::Result<OwnedFd> {
    let descriptor = check(result)?;
    // SAFETY: the kernel has just returned it to us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Sets a socket option to a plain structure or number.
fn set_option<T>(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let value = ptr::from_ref(value).cast::<c_void>();
    // SAFETY: the pointer is to a `T`, which lives through the call, and the length is that of `T`.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value, len_of::<T>()) })?;
    Ok(())
}

/// The number of an interface of this network namespace.
///
/// # Errors
/// There is none of that name.
pub(crate) fn interface_index(name: &str) -> io::Result<c_int> {
    let name = CString::new(name)?;
    // SAFETY: a string that ends with a zero octet.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    match c_int::try_from(index) {
        Ok(index) if index > 0 => Ok(index),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The name of an interface of this network namespace.
///
/// # Errors
/// There is none of that number.
pub(crate) fn interface_name(index: c_int) -> io::Result<String> {
    let index = libc::c_uint::try_from(index).unwrap_or_default();
    let mut name = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: there is room for the longest name, which is what this call asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() {
        return Err(io::Error::last_os_error());
    }
    let name = CStr::from_bytes_until_nul(&name).map_err(io::Error::other)?;
    name.to_str().map(str::to_owned).map_err(io::Error::other)
}

fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all zeroes is a valid `ifreq`: it holds numbers and unions of numbers.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    let octets = name.as_bytes();
    if octets.len() >= request.ifr_name.len() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "interface name is too long"));
    }
    for (slot, octet) in request.ifr_name.iter_mut().zip(octets) {
        *slot = libc::c_char::from_ne_bytes([*octet]);
    }
    Ok(request)
}

/// A socket for questions about interfaces.
///
/// # Errors
/// No descriptor is left.
pub(crate) fn control_socket() -> io::Result<OwnedFd> {
    // SAFETY: plain numbers.
    owned(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })
}

/// Whether an interface is up and its link carries frames. The socket may be of another namespace
/// than the calling thread: the interface is looked up in the socket's.
///
/// # Errors
/// There is no such interface.
pub(crate) fn is_running(control: BorrowedFd<'_>, name: &str) -> io::Result<bool> {
    // `ETHTOOL_GLINK` of `linux/ethtool.h`: the driver's word. The interface's flags are up to a
    // second behind it, because the kernel takes such news in bundles.
    if let Ok(link) = ethtool(control, name, 0x0a, 0) {
        return Ok(link != 0);
    }
    let mut request = interface_request(name)?;
    // SAFETY: the request is an `ifreq` that lives through the call.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: this call fills in the flags of the union.
    let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    let wanted = libc::IFF_UP | libc::IFF_RUNNING;
    Ok(flags & wanted == wanted)
}

/// Brings an interface up or down.
///
/// # Errors
/// There is no such interface, or no right to do so.
pub(crate) fn set_up(control: BorrowedFd<'_>, name: &str, up: bool) -> io::Result<()> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is an `ifreq` that lives through the call.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: this call fills in the flags of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let bit = libc::c_short::try_from(libc::IFF_UP).unwrap_or_default();
    request.ifr_ifru.ifru_flags = if up { flags | bit } else { flags & !bit };
    // SAFETY: as above.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) })?;
    Ok(())
}

/// The largest packet of an interface, without its link header.
///
/// # Errors
/// There is no such interface.
pub(crate) fn mtu(control: BorrowedFd<'_>, name: &str) -> io::Result<c_int> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is an `ifreq` that lives through the call.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFMTU, &raw mut request) })?;
    // SAFETY: this call fills in the size of the union.
    Ok(unsafe { request.ifr_ifru.ifru_mtu })
}

/// The IPv4 address of an interface, if it has one.
///
/// # Errors
/// There is no such interface.
pub(crate) fn ipv4_address(control: BorrowedFd<'_>, name: &str) -> io::Result<Option<Ipv4Addr>> {
    let mut request = interface_request(name)?;
    // SAFETY: the request is an `ifreq` that lives through the call.
    let asked =
        check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFADDR, &raw mut request) });
    match asked {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => return Ok(None),
        Err(error) => return Err(error),
    }
    let address = (&raw const request.ifr_ifru).cast::<libc::sockaddr_in>();
    // SAFETY: this call fills in the address of the union with one of IPv4, which is as long as the
    // one of no family that the union has.
    let address = unsafe { address.read_unaligned() };
    Ok(Some(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes())))
}

/// Sets the largest packet of an interface.
///
/// # Errors
/// The interface cannot have it, or no right to do so.
pub(crate) fn set_mtu(control: BorrowedFd<'_>, name: &str, mtu: c_int) -> io::Result<()> {
    let mut request = interface_request(name)?;
    request.ifr_ifru.ifru_mtu = mtu;
    // SAFETY: the request is an `ifreq` that lives through the call.
    check(unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCSIFMTU, &raw mut request) })?;
    Ok(())
}

/// Asks or tells an interface one thing (`struct ethtool_value` of `linux/ethtool.h`).
fn ethtool(control: BorrowedFd<'_>, name: &str, command: u32, data: u32) -> io::Result<u32> {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let mut request = interface_request(name)?;
    let mut value = Value { command, data };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    // SAFETY: the request points to an `ethtool_value`, and both live through the call.
    check(unsafe { libc::ioctl(control.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) })?;
    Ok(value.data)
}

/// Turns one offload of an interface off (`ETHTOOL_S…` in `linux/ethtool.h`); an interface that
/// does not have it is as good.
pub(crate) fn turn_off(control: BorrowedFd<'_>, name: &str, offload: u32) {
    let _ = ethtool(control, name, offload, 0);
}

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

/// An instruction of `linux/bpf.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

impl Instruction {
    const fn new(code: u8, (to, from): (u8, u8), offset: i16, value: i32) -> Self {
        let registers =
            if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        Self { code, registers, offset, value }
    }
}

/// Drops every frame (`TCX_DROP`) but those of VLANs, about which others may decide (`TCX_NEXT`).
/// The places in `__sk_buff`: 20 whether there is a tag, 24 the tag.
const DROP_ALL: [Instruction; 8] = [
    Instruction::new(0xb7, (0, 0), 0, 2),
    Instruction::new(0x61, (2, 1), 20, 0),
    Instruction::new(0x15, (2, 0), 4, 0),
    Instruction::new(0x61, (2, 1), 24, 0),
    Instruction::new(0x57, (2, 0), 0, 0xfff),
    Instruction::new(0x15, (2, 0), 1, 0),
    Instruction::new(0xb7, (0, 0), 0, -1),
    Instruction::new(0x95, (0, 0), 0, 0),
];

/// One call of `bpf`. It returns a descriptor.
///
/// # Safety
/// The attributes are laid out as the command wants them, and what they point to lives.
unsafe fn bpf<T>(command: c_int, attributes: &T) -> io::Result<OwnedFd> {
    let pointer = ptr::from_ref(attributes);
    // SAFETY: the pointer is to a `T`, which lives through the call, and the length is that of `T`;
    // the caller answers for the rest.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    owned(c_int::try_from(result).unwrap_or(-1))
}

/// Has an interface of this network namespace drop what it receives once packet sockets have seen
/// it, for as long as what this returns is there.
///
/// # Errors
/// A kernel before 6.6, or no right to (`CAP_BPF` and `CAP_NET_ADMIN`).
pub(crate) fn drop_at_ingress(index: c_int) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u64; 2],
        version: u32,
        flags: u32,
        name: [u8; 16],
    }
    #[repr(C)]
    struct Link {
        program: u32,
        interface: u32,
        place: u32,
        flags: u32,
    }
    const PROG_LOAD: c_int = 5;
    const LINK_CREATE: c_int = 28;
    const SCHED_CLS: u32 = 3;
    const TCX_INGRESS: u32 = 46;
    let license = c"MIT";
    let load = Load {
        kind: SCHED_CLS,
        count: u32::try_from(DROP_ALL.len()).unwrap_or_default(),
        instructions: DROP_ALL.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log: [0; 2],
        version: 0,
        flags: 0,
        name: *b"weald_port\0\0\0\0\0\0",
    };
    // SAFETY: the attributes of this command up to the name; instructions and license are constants.
    let program = unsafe { bpf(PROG_LOAD, &load)? };
    let link = Link {
        program: u32::try_from(program.as_raw_fd()).unwrap_or_default(),
        interface: u32::try_from(index).unwrap_or_default(),
        place: TCX_INGRESS,
        flags: 0,
    };
    // SAFETY: the attributes of this command up to the flags, which point to nothing.
    unsafe { bpf(LINK_CREATE, &link) }
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

/// Opens a TAP of this name, and makes it where there is none.
///
/// # Errors
/// No right to (`CAP_NET_ADMIN`), or somebody else has it.
pub(crate) fn open_tap(name: &str) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let path: &CStr = c"/dev/net/tun";
    // SAFETY: a string that ends with a zero octet, and plain numbers.
    let tap = owned(unsafe { libc::open(path.as_ptr(), flags) })?;
    let mut request = interface_request(name)?;
    let kind = libc::IFF_TAP | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(kind).unwrap_or_default();
    // SAFETY: the request is an `ifreq` that lives through the call.
    check(unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(tap)
}

/// A descriptor to wait for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    /// The descriptor.
    pub(crate) descriptor: BorrowedFd<'a>,
    /// Whether it can be read, or has an error to tell; set by [`wait`].
    pub(crate) ready: bool,
}

/// Waits until one of them can be read or the time is up.
///
/// # Errors
/// What the kernel says; a signal is none.
pub(crate) fn wait(all: &mut [Waiting<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = all
        .iter()
        .map(|one| libc::pollfd {
            fd: one.descriptor.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or_default();
    // SAFETY: as many `pollfd` as are said, and a time or none; both live through the call.
    let result = unsafe { libc::ppoll(polled.as_mut_ptr(), count, timeout, ptr::null()) };
    if result < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
    }
    for (one, polled) in all.iter_mut().zip(&polled) {
        one.ready = polled.revents != 0;
    }
    Ok(())
}

/// A descriptor that becomes readable when a process has ended.
///
/// # Errors
/// There is no such process.
pub(crate) fn process_watch(process: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, process, 0) };
    owned(c_int::try_from(result).unwrap_or(-1))
}

/// A socket that becomes readable when an interface of this namespace changes.
///
/// # Errors
/// What the kernel says.
pub(crate) fn link_watch() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: plain numbers.
    let socket = owned(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) })?;
    // SAFETY: all zeroes is a valid `sockaddr_nl`.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = u16::try_from(libc::AF_NETLINK).unwrap_or_default();
    address.nl_groups = u32::try_from(libc::RTMGRP_LINK).unwrap_or_default();
    let pointer = ptr::from_ref(&address).cast::<libc::sockaddr>();
    // SAFETY: the pointer is to a `sockaddr_nl`, which lives through the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), pointer, len_of::<libc::sockaddr_nl>()) })?;
    Ok(socket)
}

/// Reads from a descriptor.
///
/// # Errors
/// What the kernel says; `WouldBlock` where nothing waits.
pub(crate) fn read(descriptor: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let pointer = buffer.as_mut_ptr().cast::<c_void>();
    // SAFETY: the buffer is as long as is said.
    let read = unsafe { libc::read(descriptor.as_raw_fd(), pointer, buffer.len()) };
    usize::try_from(read).map_err(|_| io::Error::last_os_error())
}

/// Writes to a descriptor.
///
/// # Errors
/// What the kernel says; `WouldBlock` where there is no room.
pub(crate) fn write(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let pointer = bytes.as_ptr().cast::<c_void>();
    // SAFETY: the buffer is as long as is said.
    let written = unsafe { libc::write(descriptor.as_raw_fd(), pointer, bytes.len()) };
    usize::try_from(written).map_err(|_| io::Error::last_os_error())
}

/// Lets the kernel cut datagrams of a socket that are too long for the way, instead of refusing
/// them.
///
/// # Errors
/// What the kernel says.
pub(crate) fn allow_fragments(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    if v6 {
        let dont = libc::IPV6_PMTUDISC_DONT;
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, &dont)?;
    }
    // A socket of IPv6 may speak to mapped addresses, and then this one counts.
    let dont = libc::IP_PMTUDISC_DONT;
    set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, &dont)
}

/// Lets a socket keep this much until it is read, or as much as the machine allows.
pub(crate) fn make_room(socket: BorrowedFd<'_>, octets: c_int) {
    // The kernel takes the double of what it is told, for what it keeps beside the octets.
    let octets = octets / 2;
    let forced = set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &octets);
    if forced.is_err() {
        let _ = set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &octets);
    }
}

/// Datagrams that the kernel has dropped at a socket since it was opened, for want of room or for
/// a wrong checksum; the count wraps.
///
/// # Errors
/// What the kernel says.
pub(crate) fn datagrams_lost(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // `SK_MEMINFO_DROPS` of `linux/sock_diag.h`, the last of nine.
    const DROPS: usize = 8;
    let mut figures = [0_u32; DROPS + 1];
    let mut len = len_of::<[u32; DROPS + 1]>();
    let pointer = figures.as_mut_ptr().cast::<c_void>();
    let (raw, level, name) = (socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO);
    // SAFETY: the pointer is to as many octets as are said, and any octets are numbers.
    check(unsafe { libc::getsockopt(raw, level, name, pointer, &raw mut len) })?;
    let [.., drops] = figures;
    Ok(drops)
}

/// Makes the descriptor's network namespace the calling thread's.
///
/// # Errors
/// No right to, or the descriptor is none of a namespace.
pub(crate) fn enter(namespace: BorrowedFd<'_>, kind: c_int) -> io::Result<()> {
    // SAFETY: plain numbers; only the calling thread changes.
    check(unsafe { libc::setns(namespace.as_raw_fd(), kind) })?;
    Ok(())
}

/// Gives the calling thread namespaces of its own.
///
/// # Errors
/// No right to.
pub(crate) fn leave(kinds: c_int) -> io::Result<()> {
    // SAFETY: plain numbers; for network namespaces only the calling thread changes, and a user
    // namespace is refused by the kernel unless there is one thread.
    check(unsafe { libc::unshare(kinds) })?;
    Ok(())
}

/// Has a program that is about to be started enter a network namespace, hear the signals that end
/// it, and end with the thread that starts it where `bound`.
pub(crate) fn prepare(command: &mut Command, namespace: Option<RawFd>, bound: bool) {
    let parent = std::process::id();
    let ready = move || {
        if let Some(namespace) = namespace {
            // SAFETY: plain numbers; the caller keeps the descriptor open until the program runs,
            // and a wrong one is refused.
            check(unsafe { libc::setns(namespace, libc::CLONE_NEWNET) })?;
        }
        hear_signals()?;
        if !bound {
            return Ok(());
        }
        let signal = libc::c_ulong::try_from(libc::SIGKILL).unwrap_or_default();
        // SAFETY: plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) })?;
        // SAFETY: it takes nothing and cannot fail.
        let still = u32::try_from(unsafe { libc::getppid() }) == Ok(parent);
        // The one that starts it may have ended in between.
        if still { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: between fork and exec it makes system calls only and allocates nothing.
    unsafe { command.pre_exec(ready) };
}

/// The effective user.
pub(crate) fn effective_user() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The number and group of a user, by name.
///
/// # Errors
/// There is no such user.
pub(crate) fn user(name: &str) -> io::Result<(u32, u32)> {
    let name = CString::new(name)?;
    let mut entry = MaybeUninit::<libc::passwd>::zeroed();
    let mut buffer = vec![libc::c_char::default(); 16_384];
    let mut found = ptr::null_mut();
    let (pointer, room) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: a string that ends with a zero octet, an entry to fill in, a buffer of the length
    // given, and where to say whether there is one; all live through the call.
    let code = unsafe {
        libc::getpwnam_r(name.as_ptr(), entry.as_mut_ptr(), pointer, room, &raw mut found)
    };
    if found.is_null() {
        return Err(match code {
            0 => io::Error::new(io::ErrorKind::NotFound, "there is no such user"),
            code => io::Error::from_raw_os_error(code),
        });
    }
    // SAFETY: the entry was filled in: `found` points to it.
    let entry = unsafe { entry.assume_init() };
    Ok((entry.pw_uid, entry.pw_gid))
}

/// Becomes another user for good, without groups and without a way to gain rights again. One that
/// was to end with the process that started it still does.
///
/// # Errors
/// No right to, or the process that it was to end with has ended.
pub(crate) fn become_user(user: u32, group: u32) -> io::Result<()> {
    let mut signal: c_int = 0;
    // SAFETY: plain numbers; the list of groups is empty, and the kernel writes one number to
    // where there is room for it. `getppid` takes nothing and cannot fail.
    unsafe {
        let parent = libc::getppid();
        check(libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal))?;
        check(libc::setgroups(0, ptr::null()))?;
        check(libc::setresgid(group, group, group))?;
        check(libc::setresuid(user, user, user))?;
        // The kernel forgets this of a process that becomes another user.
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::c_ulong::try_from(signal).unwrap_or(0)))?;
        if signal != 0 && libc::getppid() != parent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
    }
    Ok(())
}

/// Gives up every capability of the calling thread, and of those that it starts from now on.
///
/// # Errors
/// What the kernel says.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    #[repr(C)]
    struct Header {
        version: u32,
        process: c_int,
    }
    /// Effective, permitted and inheritable ones, in two words each.
    type Sets = [[u32; 3]; 2];
    /// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`.
    const VERSION: u32 = 0x2008_0522;
    let (header, none) = (Header { version: VERSION, process: 0 }, Sets::default());
    // SAFETY: header and sets are laid out as this version wants them, and live through the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const none) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// No program that this process starts has more rights than it.
///
/// # Errors
/// What the kernel says.
pub(crate) fn gain_nothing() -> io::Result<()> {
    let (yes, no): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, no, no, no) })?;
    Ok(())
}

/// Blocks the signals that ask a process to end, and returns a descriptor that becomes readable
/// when one comes. Threads that start later do not get them either.
///
/// # Errors
/// What the kernel says.
pub(crate) fn end_signals() -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is emptied before anything is added, and lives through the calls.
    unsafe {
        check(libc::sigemptyset(set.as_mut_ptr()))?;
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            check(libc::sigaddset(set.as_mut_ptr(), signal))?;
        }
        check(libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut()))?;
        owned(libc::signalfd(-1, set.as_ptr(), libc::SFD_NONBLOCK | libc::SFD_CLOEXEC))
    }
}

/// Lets the calling thread hear the signals that end a process again.
fn hear_signals() -> io::Result<()> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is emptied, and lives through the calls.
    unsafe {
        check(libc::sigemptyset(set.as_mut_ptr()))?;
        check(libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut()))?;
    }
    Ok(())
}

/// Random octets of the kernel.
///
/// # Errors
/// What the kernel says.
pub(crate) fn random(buffer: &mut [u8]) -> io::Result<()> {
    // SAFETY: the buffer is as long as is said.
    let filled = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    match usize::try_from(filled) {
        Ok(filled) if filled == buffer.len() => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
