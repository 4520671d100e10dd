//! Proofs over a region's forwarding tables.
//!
//! [`isolation`] follows every entry of every VRF on every router, through each label table to the
//! VRF at the end, and holds each end against what owners agreed to. It knows the plan's promises
//! ([`model::plan`]) and the tables ([`model::tables`]), and nothing of how configurations are made:
//! it is to find the mistakes of whoever makes them.
//!
//! [`converged`] works out from the configurations of a plan the tables that its routers come to,
//! with everything up or something [`Gone`], so that a plan can be proved before it runs.
//!
//! Assumed, and not proved: that tables are what routers forward by; that links lead where the plan
//! says; that a router checks sources and access rules as its own tests show.
//!
//! Standards: RFC 4364 §10 (isolation of VPNs), RFC 3031 §3.10 (what labels lead to).
//! Not implemented: survival, capacity, proofs of changes alone.

mod converged;
mod crossing;
mod failure;
mod incremental;
mod isolation;
mod region;
mod rights;
mod trail;
mod violation;
mod walk;

pub use crate::converged::converged;
pub use crate::failure::Gone;
pub use crate::incremental::Incremental;
pub use crate::isolation::{Isolation, VIOLATIONS_MAX, isolation};
pub use crate::violation::{Breach, Fault, Place, Violation, Witness};
