//! Whole networks in virtual time: coming up, failing, and being lied to.

mod bring_up;
mod failures;
mod misbehaviour;
mod mistakes;
mod region;
