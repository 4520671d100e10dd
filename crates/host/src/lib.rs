//! A router on Linux: ports, secure links, and the loop that drives them.
//!
//! A router takes frames and the time; this crate brings both. [`Driver`] is the loop; a
//! [`device::Device`] is what stands behind a port: [`ethernet::Ethernet`], [`tap::Tap`] or
//! [`secure::SecureLink`]. [`namespace`] makes networks of namespaces to try it all in, [`rights`]
//! gives up what forwarding does not need.
//!
//! All unsafe code is in one module, `ffi`.

mod checksum;
pub mod device;
mod driver;
pub mod ethernet;
mod exclusive;
mod ffi;
mod grace;
pub mod namespace;
pub mod rights;
pub mod secure;
mod signals;
pub mod tap;
mod telling;
mod waiting;

pub use crate::driver::{Driver, Master, Next};
pub use crate::signals::{Signal, Signals};
pub use crate::waiting::{wait_for, wait_for_end};
