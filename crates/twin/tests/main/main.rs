//! Whole networks in virtual time: coming up, failing, being lied to, and joined to the outside.

mod bring_up;
mod failures;
mod halves;
mod misbehaviour;
mod mistakes;
mod outside;
mod region;
mod rehearsal;
