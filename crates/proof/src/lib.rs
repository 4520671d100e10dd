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
//! [`path`] follows one packet, for people who ask why it arrives or does not.
//!
//! [`survival`] says whom every single failure cuts off, [`repairs`] which ways have another one
//! installed already, [`capacity`] how full links get. [`Incremental`] keeps a proof up to date, and
//! a [`certificate`] says what was proved, signed.
//!
//! Assumed, and not proved: that tables are what routers forward by; that links lead where the plan
//! says; that a router checks sources and access rules as its own tests show.
//!
//! Standards: RFC 4364 §10 (isolation of VPNs), RFC 3031 §3.10 (what labels lead to).
//! Not implemented: failures of more than one thing at once that share no risk.

mod capacity;
pub mod certificate;
mod converged;
mod crossing;
mod demand;
mod failure;
mod incremental;
mod isolation;
pub mod path;
mod reach;
mod region;
mod repair;
mod rights;
mod routing;
mod survival;
mod topology;
mod trail;
mod violation;
mod walk;

pub use crate::capacity::{Capacity, Excess, HIGH_PERCENT, LinkLoad, Overload, Peak, capacity};
pub use crate::converged::converged;
pub use crate::failure::{Failure, Gone};
pub use crate::incremental::Incremental;
pub use crate::isolation::{Isolation, VIOLATIONS_MAX, isolation};
pub use crate::reach::{Lack, Pair, Reach, Served, reach};
pub use crate::repair::{FAULTY_NAMED_MAX, FaultyRepair, RepairFault, Repairs, repairs};
pub use crate::survival::{Cut, Examined, Loss, NAMED_MAX, NotResilient, Survival, survival};
pub use crate::violation::{Breach, Fault, Place, Violation, Witness};
