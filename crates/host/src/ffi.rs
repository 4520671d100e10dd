//! Calls to the kernel that the standard library does not make: the one place with unsafe code.
//!
//! Every function here is safe to call: what it takes is owned or borrowed by Rust types, what it
//! returns is an error or an owned value. What the kernel shares with us (packet rings) is behind
//! [`Ring`], which checks every offset.

#![expect(unsafe_code, reason = "system calls; each block says why it is sound")]

mod ingress;
mod interface;
mod packet;
mod process;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr;
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

pub(crate) use self::ingress::*;
pub(crate) use self::interface::*;
pub(crate) use self::packet::*;
pub(crate) use self::process::*;

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
