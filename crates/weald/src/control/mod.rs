//! Between the process that runs a network and everybody who asks it something.
//!
//! One JSON request on a line, one JSON response on a line, over a Unix socket that only its owner
//! may use. [`request`] is what can be asked, [`response`] what comes back, [`socket`] where they
//! meet, [`place`] where that is and whose it may be, [`listener`] the threads that accept and hand
//! over, [`client`] the other side, and [`serve`] the loop that paces the network by the wall clock
//! and answers.

pub(crate) mod client;
pub(crate) mod listener;
mod place;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod serve;
pub(crate) mod socket;
