//! The signals that ask a process to end, or to read its configuration again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::ffi;

/// What a process is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To end.
    End,
    /// To read its configuration again.
    Reload,
}

/// Becomes readable when the process is asked for something.
#[derive(Debug)]
pub struct Signals {
    descriptor: OwnedFd,
}

impl Signals {
    /// From now on, in this thread and those it starts, the signals that end a process are heard
    /// here and do nothing by themselves.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hear() -> io::Result<Self> {
        Ok(Self { descriptor: ffi::end_signals()? })
    }

    /// The signal that has come, if one has since this was last asked.
    #[must_use]
    pub fn take(&self) -> Option<Signal> {
        let mut one = [0; size_of::<libc::signalfd_siginfo>()];
        ffi::read(self.descriptor.as_fd(), &mut one).ok()?;
        let (number, _) = one.split_first_chunk()?;
        let reload = i32::try_from(u32::from_ne_bytes(*number)) == Ok(libc::SIGHUP);
        Some(if reload { Signal::Reload } else { Signal::End })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
