//! BGP for VPNv4 and VPNv6, and for the routers inside VPNs: bytes in, bytes out.
//!
//! [`Instance`] is one speaker: it owns a [`session::Session`] per neighbour, the routes heard from
//! each, the decision process, the VRFs that import and export, the labels it hands out, and what
//! it owes every neighbour. It has no socket and no clock: whoever drives it carries the bytes of
//! each session over a TCP connection and says what time it is.
//!
//! The wire is in [`message`], [`open`], [`update`], [`attributes`], [`nlri`] and
//! [`notification`]; the connection in [`session`] and [`fsm`], and what outlives it in
//! [`graceful_restart`]; routes and policy in the rest.
//!
//! Standards: RFC 4271, RFC 4760, RFC 5492, RFC 6793, RFC 4364, RFC 4659, RFC 8277, RFC 4684,
//! RFC 4456, RFC 2918, RFC 4724, RFC 7606, RFC 8212; each file says which part.
//! Not implemented: RFC 9494, RFC 7911, RFC 9234.

pub mod adj_out;
mod announce;
pub mod attributes;
pub mod codepoints;
pub mod config;
mod configure;
pub mod customer;
pub mod decision;
pub mod error;
pub mod fsm;
pub mod graceful_restart;
pub mod instance;
pub mod labels;
pub mod membership;
pub mod message;
pub mod neighbour;
pub mod next_hop;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod policy;
pub mod rib;
pub mod route;
pub mod session;
mod tables;
pub mod update;
pub mod views;
pub mod vrf;

pub use config::{
    Accept, Config, CustomerFilter, Export, LabelBlock, Neighbour, NeighbourId, NeighbourKind,
    SiteFilter, Vrf,
};
pub use instance::{Instance, LabelBinding, Output, Source, VrfPath};
