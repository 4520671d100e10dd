//! What a router process may do, and giving it up.
//!
//! Opening ports needs rights that forwarding does not. Once they are open the process becomes an
//! ordinary user for good: whoever breaks into it through a frame holds the ports that it has and
//! nothing else of the machine.

use std::io;

use crate::ffi;

/// An ordinary user to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    number: u32,
    group: u32,
}

impl User {
    /// The user of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> io::Result<Self> {
        let (number, group) = ffi::user(name)?;
        Ok(Self { number, group })
    }
}

/// Whether this process is the machine's administrator.
#[must_use]
pub fn is_root() -> bool {
    user_number() == 0
}

/// The number of the user that this process acts for.
#[must_use]
pub fn user_number() -> u32 {
    ffi::effective_user()
}

/// Gives up every right for good: becomes the user where one is given, has no capability any more,
/// and gains nothing by any program it starts. To be called before other threads are started.
///
/// # Errors
/// No right to become that user.
pub fn give_up(user: Option<User>) -> io::Result<()> {
    if let Some(user) = user {
        ffi::become_user(user.number, user.group)?;
    }
    ffi::drop_capabilities()?;
    ffi::gain_nothing()
}

/// A number that nobody can guess.
///
/// # Errors
/// The kernel has no randomness.
pub fn random() -> io::Result<u64> {
    let mut octets = [0; 8];
    ffi::random(&mut octets)?;
    Ok(u64::from_ne_bytes(octets))
}
