//! What should work: adjacencies, sessions and pairs of LANs that the remaining topology can
//! connect.
//!
//! It is worked out from the plan's links and the faults alone, never from the routers' state, so
//! that a router that believes something else is found out.

use std::collections::BTreeMap;

use base::PortId;
use model::config::{Neighbour, NeighbourKind, Role, RouterConfig};
use model::plan::{Link as PlannedLink, LinkKind, Plan};

use crate::link::LinkState;

/// The plan's graph by router number.
#[derive(Debug)]
pub(crate) struct Topology {
    roles: Vec<Role>,
    reflectors: Vec<usize>,
    links: Vec<(LinkKind, usize, usize)>,
    /// Interior sessions by router numbers, each once.
    internal: Vec<(usize, usize)>,
    /// Numbers of the uplinks of each site router.
    uplinks: Vec<Vec<usize>>,
}

/// Which routers run and which links carry frames.
pub(crate) struct Alive<'a> {
    /// Whether a router belongs to this twin; what is elsewhere is not counted.
    pub(crate) here: &'a dyn Fn(usize) -> bool,
    pub(crate) routers: &'a dyn Fn(usize) -> bool,
    pub(crate) links: &'a dyn Fn(usize) -> LinkState,
}

/// What should be up under some faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// IS-IS adjacencies, counted at both ends that are here.
    pub(crate) adjacencies: usize,
    /// BGP sessions, counted at both ends that are here.
    pub(crate) sessions: usize,
    /// The part of the core that each router is in; none where it is down.
    component: Vec<Option<usize>>,
    /// Parts of the core with a reflector.
    reflected: Vec<usize>,
    /// Live core routers above each site router.
    above: Vec<Vec<usize>>,
}

impl Topology {
    pub(crate) fn new(routers: &[&RouterConfig], planned: &[PlannedLink]) -> Self {
        let numbers: BTreeMap<&str, usize> =
            routers.iter().enumerate().map(|(i, r)| (r.name.as_str(), i)).collect();
        let number = |name: &str| numbers.get(name).copied();
        let mut uplinks = vec![Vec::new(); routers.len()];
        let mut links = Vec::new();
        for (index, link) in planned.iter().enumerate() {
            let [a, b] = link.ends.each_ref().map(|end| number(&end.router).unwrap_or(usize::MAX));
            links.push((link.kind, a, b));
            if link.kind == LinkKind::Uplink
                && let Some(list) = uplinks.get_mut(b)
            {
                list.push(index);
            }
        }
        let mut internal = Vec::new();
        for (index, router) in routers.iter().enumerate() {
            for neighbour in router.neighbours.iter().filter(|one| is_internal(one)) {
                let Some(other) = number(&neighbour.name) else { continue };
                // While a change rolls out, one side may know of the session and the other not.
                let known = routers.get(other).is_some_and(|other| {
                    other.neighbours.iter().any(|one| is_internal(one) && one.name == router.name)
                });
                if known && index < other {
                    internal.push((index, other));
                }
            }
        }
        let reflectors = (0..routers.len())
            .filter(|&i| routers.get(i).is_some_and(|r| r.bgp.cluster_id.is_some()))
            .collect();
        let roles = routers.iter().map(|router| router.role).collect();
        Self { roles, reflectors, links, internal, uplinks }
    }

    /// What should be up while only these routers and links live.
    pub(crate) fn expected(&self, alive: &Alive<'_>) -> Expected {
        let live_link = |index: usize| {
            let (_, a, b) = *self.links.get(index)?;
            let lives =
                (alive.links)(index) == LinkState::Up && (alive.routers)(a) && (alive.routers)(b);
            lives.then_some((a, b))
        };
        let mut component = self.components(alive, &live_link);
        let mut adjacencies = 0;
        let mut sessions = 0;
        let ends_here =
            |a: usize, b: usize| usize::from((alive.here)(a)) + usize::from((alive.here)(b));
        for (index, (kind, ..)) in self.links.iter().enumerate() {
            let ends = live_link(index).map_or(0, |(a, b)| ends_here(a, b));
            match kind {
                LinkKind::Core => adjacencies += ends,
                LinkKind::Uplink => sessions += ends,
            }
        }
        let part = |router: usize| component.get(router).copied().flatten();
        sessions += self
            .internal
            .iter()
            .filter(|(a, b)| part(*a).is_some() && part(*a) == part(*b))
            .map(|(a, b)| ends_here(*a, *b))
            .sum::<usize>();
        let reflected = self.reflectors.iter().filter_map(|&router| part(router)).collect();
        let above = self
            .uplinks
            .iter()
            .map(|list| list.iter().filter_map(|&l| live_link(l)).map(|(core, _)| core).collect())
            .collect();
        for (router, role) in self.roles.iter().enumerate() {
            if *role == Role::Site
                && let Some(slot) = component.get_mut(router)
            {
                *slot = None;
            }
        }
        Expected { adjacencies, sessions, component, reflected, above }
    }

    fn components(
        &self,
        alive: &Alive<'_>,
        live_link: &dyn Fn(usize) -> Option<(usize, usize)>,
    ) -> Vec<Option<usize>> {
        let mut part: Vec<Option<usize>> =
            (0..self.roles.len()).map(|router| (alive.routers)(router).then_some(router)).collect();
        let core: Vec<(usize, usize)> = (0..self.links.len())
            .filter(|&index| self.links.get(index).is_some_and(|l| l.0 == LinkKind::Core))
            .filter_map(live_link)
            .collect();
        // Every pass carries the least number one link further, so there are at most as many
        // passes as routers.
        while core.iter().filter(|link| join(&mut part, **link)).count() > 0 {}
        part
    }
}

const fn is_internal(neighbour: &Neighbour) -> bool {
    matches!(neighbour.kind, NeighbourKind::Internal { .. })
}

/// Puts both ends of a link into the part with the lesser number; whether anything changed.
fn join(part: &mut [Option<usize>], (a, b): (usize, usize)) -> bool {
    let of = |router: usize| part.get(router).copied().flatten();
    let least = of(a).min(of(b));
    let mut changed = false;
    for router in [a, b] {
        if let Some(slot) = part.get_mut(router) {
            changed |= *slot != least;
            *slot = least;
        }
    }
    changed
}

impl Expected {
    /// Whether packets between LANs of these two site routers should arrive.
    pub(crate) fn connects(&self, a: usize, b: usize) -> bool {
        if a == b {
            return true;
        }
        let above = |router: usize| self.above.get(router).map_or(&[][..], Vec::as_slice);
        above(a).iter().any(|core_a| {
            above(b).iter().any(|core_b| {
                let part = |router: &usize| self.component.get(*router).copied().flatten();
                core_a == core_b
                    || part(core_a)
                        .is_some_and(|p| part(core_b) == Some(p) && self.reflected.contains(&p))
            })
        })
    }
}

/// Numbers of the ports' owners: which link or LAN is behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// A link, and which end of it the port is.
    Link(usize, usize),
    /// A LAN.
    Lan(usize),
    /// Nothing.
    Nothing,
}

/// What is behind every port of every router.
pub(crate) fn wiring(plan: &Plan) -> Vec<Vec<Behind>> {
    let numbers: BTreeMap<&str, usize> =
        plan.routers.iter().enumerate().map(|(i, r)| (r.name.as_str(), i)).collect();
    let mut wiring: Vec<Vec<Behind>> =
        plan.routers.iter().map(|r| vec![Behind::Nothing; r.ports.len()]).collect();
    let mut set = |router: &str, port: PortId, behind: Behind| {
        let slot = numbers
            .get(router)
            .and_then(|&number| wiring.get_mut(number))
            .and_then(|ports| ports.get_mut(usize::try_from(port.0).unwrap_or(usize::MAX)));
        if let Some(slot) = slot {
            *slot = behind;
        }
    };
    for (index, link) in plan.links.iter().enumerate() {
        for (side, end) in link.ends.iter().enumerate() {
            set(&end.router, end.port, Behind::Link(index, side));
        }
    }
    for (index, attachment) in plan.attachments.iter().enumerate() {
        set(&attachment.router, attachment.port, Behind::Lan(index));
    }
    wiring
}
