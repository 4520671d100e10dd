//! Networks of instances in virtual time.

mod authentication;
mod database;
mod handshake;
mod network;
mod routing;
