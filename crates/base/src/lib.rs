//! The small types that everything else is written in.
//!
//! Identifiers ([`PortId`], [`VrfId`], [`Label`], [`RouteDistinguisher`], [`RouteTarget`], …), the
//! region's own clock ([`Instant`], [`Deadline`]), the only source of randomness of the pure tier
//! ([`Rng`]), address prefixes ([`Prefix`]) and a map from prefixes that answers longest-match
//! queries ([`PrefixMap`]).
//!
//! Nothing here knows a protocol, and nothing here does I/O.
//!
//! Standards: RFC 3032 (label values), RFC 4360 and RFC 4364 §4.2 (route targets and route
//! distinguishers, their text form), RFC 4632 and RFC 4291 (prefixes).
//! Not implemented: none.

mod hash;
mod ids;
mod prefix;
mod prefix_map;
mod rng;
mod time;
mod vpn;

pub use hash::TraceHash;
pub use ids::{AsNumber, Label, LabelSpace, MacAddr, PortId, RouterId, SystemId, VrfId};
pub use prefix::{Ipv4Prefix, Ipv6Prefix, ParsePrefixError, Prefix};
pub use prefix_map::PrefixMap;
pub use rng::Rng;
pub use time::{Deadline, Instant};
pub use vpn::{ParseVpnIdError, RouteDistinguisher, RouteTarget};

pub use core::time::Duration;
