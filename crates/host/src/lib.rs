//! A router on Linux: ports, secure links, and the loop that drives them.

pub mod device;
