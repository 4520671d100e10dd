//! An interface that is a port's alone: this machine's own network stack neither hears what comes
//! there nor says anything there.
//!
//! Linux has an interface that is up take part in its networks by itself. It answers for every
//! address of the machine, whichever interface that is on, listens to IPv6 at an address that it
//! makes itself, and believes router advertisements: whoever is on a site's LAN would reach the
//! services of the router's machine past every virtual network, and could move its default route.
//! A port needs none of that, because a packet socket sees a frame before all of it. So two things
//! are done, each of which does without the other:
//!
//! - A program at the interface's ingress drops every frame (TCX, Linux 6.6). It goes when the
//!   process ends. Frames of VLANs pass, because each VLAN is an interface of its own, if it is
//!   one; for the port itself they are none (see [`crate::ethernet`]).
//! - The interface's settings have the kernel do without IPv6, answer no ARP, forward nothing, and
//!   accept packets only from where it would send to, which is nowhere without an address. They
//!   stay when the process ends, so that the time until it is started again is no gap. What the
//!   kernel still hears then is broadcasts from nobody's address, and what is not IP.
//!
//! One of the two must be. An interface at which people may want to reach the machine itself is
//! refused before anything is done to it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use crate::ffi;

/// The settings of an interface, by family: `Documentation/networking/ip-sysctl.rst` of Linux.
const SETTINGS: [(&str, &str, &str); 4] = [
    ("ipv6", "disable_ipv6", "1"),
    // No answer for any address.
    ("ipv4", "arp_ignore", "8"),
    ("ipv4", "forwarding", "0"),
    // RFC 3704 §2.2: without an address of the interface's own nothing passes.
    ("ipv4", "rp_filter", "1"),
];

/// Holds an interface for a port.
#[derive(Debug)]
pub(crate) struct Exclusive {
    _filter: Option<OwnedFd>,
    note: Option<String>,
}

impl Exclusive {
    /// Takes the interface of this index of the calling thread's network namespace.
    ///
    /// # Errors
    /// There is none, it has an address of the machine's own, or neither is possible.
    pub(crate) fn take(control: BorrowedFd<'_>, index: i32) -> io::Result<Self> {
        // It may have been asked for by another of its names.
        let name = ffi::interface_name(index)?;
        if let Some(address) = own_address(control, &name, index)? {
            return Err(io::Error::other(format!(
                "it has the address {address}, at which this machine itself could not be reached \
                 any more: a port's interface has no address (`ip addr flush dev {name}`)"
            )));
        }
        Self::with(&name, ffi::drop_at_ingress(index), settle(&name))
    }

    /// What is to be made of what was possible.
    fn with(name: &str, filter: io::Result<OwnedFd>, settled: io::Result<()>) -> io::Result<Self> {
        let (filter, note) = match (filter, settled) {
            (Ok(filter), Ok(())) => (Some(filter), None),
            (Ok(filter), Err(error)) => {
                let note = format!(
                    "this machine's own network stack may send on `{name}`: {error}; `/proc/sys` \
                     must be writable"
                );
                (Some(filter), Some(note))
            }
            (Err(error), Ok(())) => {
                let note = format!(
                    "this machine's own network stack hears broadcasts on `{name}`: {error}; \
                     Linux 6.6 and `CAP_BPF` are wanted, or a network namespace with nothing but \
                     ports"
                );
                (None, Some(note))
            }
            (Err(filter), Err(settled)) => {
                return Err(io::Error::other(format!(
                    "this machine's own network stack cannot be kept off it: {filter} (Linux 6.6 \
                     and `CAP_BPF` are wanted), and {settled}"
                )));
            }
        };
        Ok(Self { _filter: filter, note })
    }

    /// What whoever runs the router should know of this interface.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

/// An address at which people may want to reach this machine. What it made itself, or was told to
/// by advertisements, is none: anybody on the LAN could have seen to that.
fn own_address(control: BorrowedFd<'_>, name: &str, index: i32) -> io::Result<Option<IpAddr>> {
    if let Some(address) = ffi::ipv4_address(control, name)? {
        return Ok(Some(address.into()));
    }
    match fs::read_to_string("/proc/thread-self/net/if_inet6") {
        Ok(text) => Ok(text.lines().find_map(|line| lasting_ipv6(line, index)).map(IpAddr::V6)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The address of a line of `if_inet6`, where it is of this interface, is seen beyond the link and
/// was given to last: `fd00…01 02 40 00 80 eth0`.
fn lasting_ipv6(line: &str, index: i32) -> Option<std::net::Ipv6Addr> {
    /// `IFA_F_PERMANENT` of `linux/if_addr.h`.
    const PERMANENT: u32 = 0x80;
    const LINK: u32 = 0x20;
    let mut words = line.split_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    let mut number = || u32::from_str_radix(words.next()?, 16).ok();
    let (of, _length, scope, flags) = (number()?, number()?, number()?, number()?);
    let is_one = i32::try_from(of) == Ok(index) && scope != LINK && flags & PERMANENT != 0;
    is_one.then_some(address.into())
}

/// Writes the settings of an interface, as far as they are not so already.
fn settle(name: &str) -> io::Result<()> {
    for (family, setting, value) in SETTINGS {
        let path = Path::new("/proc/sys/net").join(family).join("conf").join(name).join(setting);
        let error = match fs::read_to_string(&path) {
            Ok(text) if text.trim() == value => continue,
            Ok(_) => fs::write(&path, value).err(),
            // A kernel without this family.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            return Err(io::Error::new(error.kind(), format!("`{}`: {error}", path.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::fd::OwnedFd;

    use super::{Exclusive, lasting_ipv6};

    fn filter() -> OwnedFd {
        crate::ffi::control_socket().unwrap()
    }

    fn refused() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    #[test]
    fn one_of_the_two_must_be_possible_and_one_alone_is_told() {
        assert_eq!(Exclusive::with("p0", Ok(filter()), Ok(())).unwrap().note(), None);
        let no_filter = Exclusive::with("p0", Err(refused()), Ok(())).unwrap();
        assert!(no_filter.note().unwrap().contains("hears broadcasts on `p0`"), "{no_filter:?}");
        let no_settings = Exclusive::with("p0", Ok(filter()), Err(refused())).unwrap();
        assert!(no_settings.note().unwrap().contains("may send on `p0`"), "{no_settings:?}");
        assert!(Exclusive::with("p0", Err(refused()), Err(refused())).is_err());
    }

    #[test]
    fn only_addresses_that_were_given_to_last_are_the_machines_own() {
        let line = |scope, flags| {
            format!("fd000000000000000000000000000001 0a 40 {scope} {flags}     eth0")
        };
        assert_eq!(lasting_ipv6(&line("00", "80"), 10), Some("fd00::1".parse().unwrap()));
        assert_eq!(lasting_ipv6(&line("00", "80"), 16), None, "of another interface");
        assert_eq!(lasting_ipv6(&line("00", "00"), 10), None, "from an advertisement");
        assert_eq!(lasting_ipv6(&line("20", "80"), 10), None, "of the link");
        assert_eq!(lasting_ipv6("", 10), None);
    }
}
