//! Whole routers, wired back to back in virtual time.

mod boundary;
mod bring_up;
mod configuration;
mod customer;
mod hosts;
mod lab;
mod lasting;
mod liveness;
mod plan;
mod probes;
mod resolution;
mod restart;
mod robustness;
mod views;
mod wire;
