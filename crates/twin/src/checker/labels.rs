//! Labels end where the tables say.
//!
//! After convergence, every path of every VRF route is followed through the label tables of the
//! routers that run, to the VRF at its end: every label must be known where it arrives, every
//! transport must lead on, and the VRF at the end must belong to the same virtual network or to one
//! that a community relates. A label that nobody knows is a black hole; one that ends elsewhere is
//! a leak.

use core::net::IpAddr;
use std::collections::BTreeMap;

use base::{Label, LabelSpace, PortId, Prefix, VrfId};
use model::plan::{Application, Community};
use router::tables::{Hop, LabelAction, Path, VrfRoute};
use router::{Router, tables};

use crate::Twin;

/// The longest way that is followed: more than twice across any region.
const STEPS_MAX: usize = 32;
/// How many problems are described.
const PROBLEMS_MAX: usize = 20;

/// Where a packet is, and under which labels (outermost first).
#[derive(Debug, Clone)]
struct Place {
    router: usize,
    port: PortId,
    stack: Vec<Label>,
}

/// What is wrong; empty where every label ends where it should.
#[must_use]
pub fn check(twin: &Twin) -> Vec<String> {
    let walker = Walker { twin };
    let routers = twin.engine.routers();
    let problems = routers.flat_map(|(number, router)| {
        paths(router).filter_map(move |(vrf, prefix, path)| {
            let problem = walker.follow(number, router, vrf, prefix, path).err()?;
            Some(format!("{}: route {prefix}: {problem}", router.config().name))
        })
    });
    problems.take(PROBLEMS_MAX).collect()
}

/// Every path of every VRF route of a router.
fn paths(router: &Router) -> impl Iterator<Item = (VrfId, Prefix, &Path)> {
    router.tables().vrfs().flat_map(|(id, vrf)| {
        vrf.routes.iter().flat_map(move |(prefix, route)| {
            let paths = match route {
                VrfRoute::Remote { paths } => paths.as_slice(),
                VrfRoute::Attached { .. } | VrfRoute::Local => &[],
            };
            paths.iter().map(move |path| (id, prefix, path))
        })
    })
}

#[derive(Clone, Copy)]
struct Walker<'a> {
    twin: &'a Twin,
}

impl Walker<'_> {
    fn follow(
        &self,
        number: usize,
        router: &Router,
        vrf: VrfId,
        prefix: Prefix,
        path: &Path,
    ) -> Result<(), String> {
        let mut places = self.hops(number, router, path.via, &[path.label])?;
        let mut ends = BTreeMap::new();
        for _ in 0..STEPS_MAX {
            let Some(place) = places.pop() else { break };
            match self.step(&place)? {
                Step::On(next) => places.extend(next),
                Step::End(end_router, end_vrf) => {
                    ends.insert((end_router, end_vrf), ());
                }
            }
        }
        if !places.is_empty() {
            return Err(format!("label {} has no end within {STEPS_MAX} steps", path.label));
        }
        for (end_router, end_vrf) in ends.into_keys() {
            self.check_end(router, vrf, prefix, end_router, end_vrf)?;
        }
        Ok(())
    }

    fn check_end(
        &self,
        router: &Router,
        vrf: VrfId,
        prefix: Prefix,
        end: usize,
        end_vrf: VrfId,
    ) -> Result<(), String> {
        let end = self.twin.engine.router(end).ok_or("ends at a router that is down")?;
        let network =
            |router: &Router, vrf: VrfId| router.vrf_of(vrf).map(|vrf| vrf.virtual_network.clone());
        let (from, to) = (network(router, vrf), network(end, end_vrf));
        let holds = end.tables().vrf(end_vrf).is_some_and(|vrf| {
            matches!(
                vrf.routes.longest_match(prefix.addr()),
                Some((_, VrfRoute::Attached { .. } | VrfRoute::Local))
            )
        });
        if !holds {
            return Err(format!("ends at {} where it is not attached", end.config().name));
        }
        if from == to || from.as_ref().zip(to.as_ref()).is_some_and(|(a, b)| self.related(a, b)) {
            return Ok(());
        }
        Err(format!("leads from {from:?} into {to:?}"))
    }

    /// Whether one community touches both virtual networks.
    fn related(&self, a: &str, b: &str) -> bool {
        let plan = self.twin.plan();
        let touches = |community: &Community, network: &str| {
            let offers = |application: &Application| {
                application.virtual_network == network
                    && community.applications.contains(&application.name)
            };
            community.members.iter().any(|member| member == network)
                || plan.applications.iter().any(offers)
        };
        plan.communities.iter().any(|community| touches(community, a) && touches(community, b))
    }

    fn hops(
        &self,
        number: usize,
        router: &Router,
        via: tables::TransportId,
        beneath: &[Label],
    ) -> Result<Vec<Place>, String> {
        let name = router.config().name.as_str();
        let usable: Vec<&Hop> = router.tables().usable_hops(via).collect();
        if usable.is_empty() {
            return Err(format!("no usable hop at {name}"));
        }
        usable.into_iter().map(|hop| self.across(number, router, hop, beneath)).collect()
    }

    fn across(
        &self,
        number: usize,
        router: &Router,
        hop: &Hop,
        beneath: &[Label],
    ) -> Result<Place, String> {
        let name = router.config().name.as_str();
        let (far_router, far_port) = self
            .twin
            .engine
            .far_end(number, hop.port)
            .ok_or_else(|| format!("no link behind {} of {name}", hop.port))?;
        let far = self.twin.engine.router(far_router).ok_or("next router is down")?;
        let owns = far.tables().port(far_port).is_some_and(|port| match hop.neighbour {
            IpAddr::V4(v4) => port.v4 == Some(v4),
            IpAddr::V6(v6) => port.v6.contains(&v6),
        });
        if !owns {
            return Err(format!(
                "{} is not at the far end of {} of {name}",
                hop.neighbour, hop.port
            ));
        }
        let stack = hop.labels.iter().chain(beneath).copied().collect();
        Ok(Place { router: far_router, port: far_port, stack })
    }

    fn step(&self, place: &Place) -> Result<Step, String> {
        let router = self.twin.engine.router(place.router).ok_or("router is down")?;
        let name = router.config().name.as_str();
        let (label, beneath) = place.stack.split_first().ok_or("no label is left")?;
        let space = match router.tables().port(place.port).map(|port| &port.kind) {
            Some(tables::PortKind::Uplink { space, .. }) => *space,
            Some(tables::PortKind::Core) => LabelSpace::Platform,
            Some(tables::PortKind::Attachment { .. }) | None => {
                return Err(format!("label {label} arrives at a port of {name} without labels"));
            }
        };
        let action = router
            .tables()
            .label(space, *label)
            .ok_or_else(|| format!("label {label} is not known at {name}"))?;
        match action {
            LabelAction::Vrf(vrf) => Ok(Step::End(place.router, *vrf)),
            LabelAction::Pop => {
                let place = Place { stack: beneath.to_vec(), ..place.clone() };
                Ok(Step::On(vec![place]))
            }
            LabelAction::Transit(via) => {
                Ok(Step::On(self.hops(place.router, router, *via, beneath)?))
            }
            LabelAction::Swap { paths } => {
                let path = paths.first().ok_or("a swap without paths")?;
                Ok(Step::On(self.hops(place.router, router, path.via, &[path.label])?))
            }
        }
    }
}

enum Step {
    On(Vec<Place>),
    End(usize, VrfId),
}
