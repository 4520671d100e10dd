//! Proofs over the tables of networks that have come up, and over tables with one mistake.

mod converged;
mod incremental;
mod meaning;
mod mutations;
mod networks;
mod region;
