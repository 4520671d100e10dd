//! Waiting for descriptors and for processes, where there is no router to drive.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::Child;
use std::time::Duration;

use crate::ffi::{self, Waiting};

/// Waits until one of them can be read or the time is up; says which can.
///
/// # Errors
/// What the kernel says; a signal is none.
pub fn wait_for(all: &[BorrowedFd<'_>], timeout: Duration) -> io::Result<Vec<bool>> {
    let mut waiting: Vec<_> =
        all.iter().map(|&descriptor| Waiting { descriptor, ready: false }).collect();
    ffi::wait(&mut waiting, Some(timeout))?;
    Ok(waiting.into_iter().map(|one| one.ready).collect())
}

/// Waits until a process that this one has started ends, and says whether it has.
///
/// # Errors
/// What the kernel says.
pub fn wait_for_end(child: &mut Child, timeout: Duration) -> io::Result<bool> {
    let watch = ffi::process_watch(child.id())?;
    wait_for(&[watch.as_fd()], timeout)?;
    Ok(child.try_wait()?.is_some())
}
