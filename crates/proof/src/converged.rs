//! The tables that a plan converges to, worked out from its configurations alone.
//!
//! No protocol runs here: what IS-IS and BGP agree on in the end is said directly. The interior
//! routes are shortest paths with every equal hop ([`interior`]). A route of a site is heard by
//! every core router that a chain of sessions leads to, and offered to every uplink that asks for
//! one of its targets ([`announced`]). A VRF is given the best way and the best one in reserve
//! ([`site`]). Labels have numbers of their own, different from router to router as in life; every
//! other entry is what routers would have, and tests compare the two.
//!
//! With something [`Gone`], they are the tables of those that remain, once they have noticed.
//!
//! Taken for granted: every session whose ends fit comes up, third parties announce all that they
//! may, and no two sites announce one prefix under one route distinguisher.
//!
//! Standards: RFC 4364 §4.3 (import by route target), RFC 4271 §9.1.2.2 (the way in use), RFC 4456
//! §6 (who hears what through a reflector), RFC 8660 §2 (labels of prefix segments).
//! Not implemented: MED, IGP metrics in the choice of ways: plans have neither where ways differ.

mod announced;
mod core_router;
mod interior;
mod net;
mod site;

use model::plan::Plan;
use model::tables::RouterTables;

use self::announced::Announced;
use self::interior::Interior;
use self::net::Net;
use crate::failure::Gone;

/// The tables of every router that is not gone, in the order of the plan.
#[must_use]
pub fn converged(plan: &Plan, gone: &Gone) -> Vec<RouterTables> {
    let net = Net::new(plan, gone);
    let interior = Interior::new(&net);
    let announced = Announced::new(&net, &interior);
    let tables = plan.routers.iter().enumerate().filter(|(place, _)| net.is_there(*place));
    tables
        .map(|(place, config)| match interior.core(place) {
            Some(core) => core_router::tables(&net, &interior, &announced, (place, core)),
            None => site::tables(&net, &announced, (place, config)),
        })
        .collect()
}
