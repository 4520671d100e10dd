//! Interfaces: what they are called, whether they carry frames, and how they are set.

use std::ffi::{CStr, CString};
use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use libc::c_int;

use super::{check, owned};

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
