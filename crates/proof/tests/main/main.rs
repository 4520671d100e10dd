//! Proofs over the tables of networks that have come up, over tables with one mistake, and over
//! regions drawn at random.

mod agreement;
mod capacity;
mod converged;
mod incremental;
mod meaning;
mod mutants;
mod mutations;
mod networks;
mod proof_and_twin_agree;
mod region;
mod repairs;
mod sketch;
mod survival;
mod sussex;
mod topologies;
