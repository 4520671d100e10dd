//! Intent and lock compiled to one complete configuration per router.
//!
//! [`compile`] is a function of what was asked for and of the numbers already allotted: the same
//! intent and lock give the same plan, byte for byte. It allots what is missing and changes nothing
//! that was allotted, so that adding a site touches the configurations of its own router and of
//! the core routers that its uplinks go to, and no other. [`difference`] says which routers a new
//! plan touches, [`words::changes`] what it changes for the people it concerns, and [`rings`] in
//! which order routers change.
//!
//! Two ways lead from the intent to the plan. The configurations come through `core_router`
//! (core routers and links), `homing` (which core routers a site's uplinks go to), `access` (uplinks),
//! `service` (virtual networks, applications, communities) and `site`. The promises, which
//! checkers compare the running network with, come through `promises`, which knows only the intent
//! and the numbers.

mod access;
mod compile;
mod core_router;
mod difference;
mod homing;
mod lan;
mod numbers;
mod ports;
mod promises;
mod rings;
mod service;
mod site;
pub mod words;

pub use compile::compile;
pub use difference::{Difference, difference};
pub use rings::{Ring, Stage, Step, rings};
