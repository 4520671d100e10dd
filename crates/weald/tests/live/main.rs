//! Live: `weald router` on real interfaces beside other people's routers.
//!
//! Every test has network namespaces, folders and programs of its own, so that all of them may run
//! at once; all of it goes when the test ends, however it ends. They need root and a few packages
//! of Debian, and say which one is missing instead of passing without it. So they are not among
//! the tests that run by themselves; they are asked for by name:
//!
//! ```text
//! cargo nextest run --release -p weald --test live
//! cargo test --release -p weald --test live
//! ```
//!
//! [`net`] makes namespaces and links, [`daemon`] runs our router, [`frr`] FRR, [`plan`] has
//! configurations of core routers. `WEALD_LIVE_CAPTURE=DIR` keeps what [`capture`] sees.

#![expect(clippy::print_stdout, reason = "figures are a part of the result")]
#![expect(clippy::result_large_err, reason = "what was seen last is shown once")]

mod bfd;
mod bgp_frr;
mod bgp_gobgp;
mod bgp_reflect;
mod bgp_restart;
mod bird;
mod borders;
mod capture;
mod customer;
mod daemon;
mod frames;
mod frr;
mod gobgp;
mod hostile;
mod hosts;
mod isis;
mod lab;
mod machine;
mod net;
mod plan;
mod process;
mod programs;
mod region;
mod scene;
mod servers;
mod tables;
mod vpn;
mod wait;
mod wireguard;
mod workload;
