//! Waiting for descriptors, where there is no router to drive.

use std::io;
use std::os::fd::BorrowedFd;
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
