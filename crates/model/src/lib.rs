//! What a router is told and what it tells: configurations, plans, and views of state.
//!
//! [`config`] is everything one router needs to run, complete and numbered: whoever executes it
//! makes no choice. [`plan`] is a region's worth of such configurations together with the links
//! between them and the facts that checkers compare the network with. [`view`] is a router's state
//! as the command line, the portal and checkers read it; [`tables`] is what it forwards by, in full.
//!
//! All of it is plain data that can be written to a file and read back.

pub mod config;
pub mod plan;
pub mod tables;
pub mod view;
