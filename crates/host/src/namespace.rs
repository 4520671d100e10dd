//! Network namespaces that exist as long as somebody holds them.
//!
//! A [`Namespace`] has no name and is mounted nowhere: it is a descriptor. When the process that
//! made it ends, however it ends, the namespace goes, and its interfaces with it, once no program
//! runs in it any more: nothing is left to clean.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::ffi;

/// A network namespace.
#[derive(Debug)]
pub struct Namespace {
    descriptor: OwnedFd,
}

impl Namespace {
    /// Makes one, empty but for a loopback interface that is up.
    ///
    /// # Errors
    /// No right to (`CAP_SYS_ADMIN`).
    pub fn new() -> io::Result<Self> {
        let made = aside(|| {
            ffi::leave(libc::CLONE_NEWNET)?;
            let control = ffi::control_socket()?;
            ffi::set_up(control.as_fd(), "lo", true)?;
            own()
        });
        made.map(|descriptor| Self { descriptor })
    }

    /// The one that the calling thread is in.
    ///
    /// # Errors
    /// `/proc` is not mounted.
    pub fn current() -> io::Result<Self> {
        own().map(|descriptor| Self { descriptor })
    }

    /// The one behind a path: of a process under `/proc`, or one with a name under `/run/netns`.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { descriptor: File::open(path.into())?.into() })
    }

    /// Runs something on a thread of its own that is in this namespace. What it opens stays there.
    ///
    /// # Errors
    /// No right to enter, or what it returns itself.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        aside(|| {
            ffi::enter(self.descriptor.as_fd(), libc::CLONE_NEWNET)?;
            work()
        })
    }

    /// A path to it, for as long as this process holds it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let (process, descriptor) = (std::process::id(), self.descriptor.as_raw_fd());
        PathBuf::from(format!("/proc/{process}/fd/{descriptor}"))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn own() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// Runs something on a thread that ends with it, so that the namespace of nobody else changes.
fn aside<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().name("namespace".to_owned()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("thread has panicked")))
    })
}

impl Namespace {
    /// Has a program run in this namespace, and end when the calling thread ends, however that
    /// ends.
    pub fn hold(&self, command: &mut Command) {
        ffi::prepare(command, Some(self.descriptor.as_raw_fd()), true);
    }

    /// Has a program run in this namespace, for as long as it likes.
    pub fn lend(&self, command: &mut Command) {
        ffi::prepare(command, Some(self.descriptor.as_raw_fd()), false);
    }
}
