//! Whole speakers against each other: what is carried, refused, kept apart, repaired and cleaned up.

mod carries;
mod churn;
mod configures;
mod constrains;
mod customer;
mod customer_refused;
mod customer_region;
mod limits;
mod network;
mod refuses;
mod region;
mod rogue;
mod scripted;
mod stale;
