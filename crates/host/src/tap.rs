//! A port on a TAP: the other end is an interface of this machine, for its own programs to use.

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use crate::device::{Counters, Device};
use crate::ffi;

/// Octets of the longest frame that is read.
const FRAME_MAX: usize = 9_216;

/// A TAP behind a port. It is gone when it is dropped, unless it was there before.
pub struct Tap {
    name: String,
    file: OwnedFd,
    control: OwnedFd,
    buffer: Box<[u8]>,
    counters: Counters,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Tap {
    /// Opens a TAP of this name in the calling thread's network namespace, and makes it where
    /// there is none.
    ///
    /// # Errors
    /// No right to (`CAP_NET_ADMIN`), no `/dev/net/tun`, or somebody else has it.
    pub fn open(name: &str) -> io::Result<Self> {
        let file = ffi::open_tap(name)?;
        let control = ffi::control_socket()?;
        ffi::set_up(control.as_fd(), name, true)?;
        Ok(Self {
            name: name.to_owned(),
            file,
            control,
            buffer: vec![0; FRAME_MAX].into_boxed_slice(),
            counters: Counters::default(),
        })
    }
}

impl Device for Tap {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn receive(&mut self, budget: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        for taken in 0..budget {
            match ffi::read(self.file.as_fd(), &mut self.buffer) {
                Ok(len) => {
                    self.counters.received += 1;
                    each(self.buffer.get(..len).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
        Ok(budget)
    }

    fn send(&mut self, frame: &[u8]) {
        match ffi::write(self.file.as_fd(), frame) {
            Ok(_) => self.counters.sent += 1,
            Err(_) => self.counters.lost_out += 1,
        }
    }

    fn flush(&mut self) {}

    fn carrier(&mut self) -> bool {
        ffi::is_running(self.control.as_fd(), &self.name).unwrap_or(false)
    }

    fn counters(&mut self) -> Counters {
        self.counters
    }
}
