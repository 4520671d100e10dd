//! What a process is: its namespaces, its user and rights, its signals.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

use libc::c_int;

use super::{check, owned};

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
