//! The real topology of a plan: core routers with the links between them, and the site routers that
//! hang on them by uplinks.
//!
//! Only core routers and core links connect: a site router never carries what is not its own. What
//! a link is follows from the routers at its ends. Core routers are nodes, numbered in the order of
//! the plan.
//!
//! After a failure the **main part** of the core is the connected part that the most site routers
//! have an uplink to; of equals the one with the first router. A failure that leaves the core as it
//! was leaves its main part too, however many uplinks it takes. Whoever has no uplink into the main
//! part is cut off.
//!
//! Single links and routers whose loss splits the core are found all at once (Tarjan's bridges and
//! cut nodes, without recursion: a core may be a chain of thousands); only then, and for groups, is
//! the core searched. Site routers are looked at only where something of theirs is gone or outside
//! the part that has most uplinks.
#![expect(
    clippy::indexing_slicing,
    reason = "nodes, links, uplinks and site routers are places in vectors made here together"
)]

use std::collections::BTreeMap;

use model::config::Role;
use model::plan::Plan;

use crate::failure::Gone;

/// A node without a part: it is gone.
const NOWHERE: usize = usize::MAX;

/// A link between core routers.
#[derive(Debug)]
pub(crate) struct CoreLink {
    /// Its place in the plan.
    pub(crate) place: usize,
    /// Its nodes, in the plan's order of ends.
    pub(crate) ends: [usize; 2],
}

/// A site router's link to a core router.
#[derive(Debug)]
pub(crate) struct Uplink {
    /// Its place in the plan.
    pub(crate) place: usize,
    pub(crate) node: usize,
    pub(crate) site_router: usize,
}

/// A site router.
#[derive(Debug)]
pub(crate) struct SiteRouter {
    /// Its place in the plan.
    pub(crate) place: usize,
    pub(crate) uplinks: Vec<usize>,
    /// The sites that it serves, by place in the plan.
    pub(crate) sites: Vec<usize>,
}

/// What a router of the plan is here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RouterIs {
    Node(usize),
    SiteRouter(usize),
}

/// What a link of the plan is here.
#[derive(Debug, Clone, Copy)]
pub(crate) enum LinkIs {
    Core(usize),
    Uplink(usize),
    /// It joins nothing that anybody could use.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Topology<'a> {
    /// Places of routers in the plan, by name.
    pub(crate) places: BTreeMap<&'a str, usize>,
    /// By place in the plan.
    pub(crate) routers: Vec<RouterIs>,
    /// By place in the plan.
    pub(crate) links: Vec<LinkIs>,
    /// Places of core routers in the plan, by node.
    pub(crate) nodes: Vec<usize>,
    pub(crate) core_links: Vec<CoreLink>,
    /// Neighbouring nodes, each with the core link that leads there, by node.
    pub(crate) neighbours: Vec<Vec<(usize, usize)>>,
    pub(crate) uplinks: Vec<Uplink>,
    pub(crate) site_routers: Vec<SiteRouter>,
    /// Uplinks by node.
    uplinks_of: Vec<Vec<usize>>,
    /// Sites whose router is not one of the plan's site routers.
    pub(crate) homeless: Vec<usize>,
    /// How many site routers have an uplink.
    attached: usize,
}

/// What a core is after a failure.
#[derive(Debug)]
pub(crate) struct After {
    /// The part of each node.
    part: Vec<usize>,
    /// How many parts there are.
    parts: usize,
    main: usize,
    /// Site routers that something may have changed for; all others reach the main part as before.
    pub(crate) touched: Vec<usize>,
}

/// Links and routers of the core whose loss splits it.
#[derive(Debug)]
pub(crate) struct WeakPoints {
    /// By core link.
    pub(crate) bridges: Vec<bool>,
    /// By node.
    pub(crate) cut_nodes: Vec<bool>,
}

impl<'a> Topology<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let (mut nodes, mut site_routers) = (Vec::new(), Vec::new());
        let mut places = BTreeMap::new();
        let mut routers = Vec::with_capacity(plan.routers.len());
        for (place, router) in plan.routers.iter().enumerate() {
            places.insert(router.name.as_str(), place);
            routers.push(match router.role {
                Role::Core => {
                    nodes.push(place);
                    RouterIs::Node(nodes.len() - 1)
                }
                Role::Site => {
                    let (uplinks, sites) = (Vec::new(), Vec::new());
                    site_routers.push(SiteRouter { place, uplinks, sites });
                    RouterIs::SiteRouter(site_routers.len() - 1)
                }
            });
        }
        let mut topology = Self {
            places,
            routers,
            links: Vec::with_capacity(plan.links.len()),
            neighbours: vec![Vec::new(); nodes.len()],
            uplinks_of: vec![Vec::new(); nodes.len()],
            nodes,
            core_links: Vec::new(),
            uplinks: Vec::new(),
            site_routers,
            homeless: Vec::new(),
            attached: 0,
        };
        topology.join(plan);
        topology
    }

    fn join(&mut self, plan: &Plan) {
        for (place, link) in plan.links.iter().enumerate() {
            let [a, b] = link.ends.each_ref().map(|end| self.router(&end.router));
            let is = match (a, b) {
                (Some(RouterIs::Node(a)), Some(RouterIs::Node(b))) if a != b => {
                    let core_link = self.core_links.len();
                    self.core_links.push(CoreLink { place, ends: [a, b] });
                    self.neighbours[a].push((b, core_link));
                    self.neighbours[b].push((a, core_link));
                    LinkIs::Core(core_link)
                }
                (Some(RouterIs::Node(node)), Some(RouterIs::SiteRouter(site_router)))
                | (Some(RouterIs::SiteRouter(site_router)), Some(RouterIs::Node(node))) => {
                    let uplink = self.uplinks.len();
                    self.uplinks.push(Uplink { place, node, site_router });
                    self.uplinks_of[node].push(uplink);
                    self.site_routers[site_router].uplinks.push(uplink);
                    LinkIs::Uplink(uplink)
                }
                _ => LinkIs::Nothing,
            };
            self.links.push(is);
        }
        for (site, promised) in plan.sites.iter().enumerate() {
            match self.router(&promised.router) {
                Some(RouterIs::SiteRouter(number)) => self.site_routers[number].sites.push(site),
                Some(RouterIs::Node(_)) | None => self.homeless.push(site),
            }
        }
        self.attached = self.site_routers.iter().filter(|one| !one.uplinks.is_empty()).count();
    }

    /// The router of that name.
    fn router(&self, name: &str) -> Option<RouterIs> {
        self.places.get(name).map(|place| self.routers[*place])
    }

    /// Bridges and cut nodes.
    pub(crate) fn weak_points(&self) -> WeakPoints {
        let count = self.nodes.len();
        let mut descent = Descent {
            topology: self,
            clock: 0,
            seen: vec![0; count],
            low: vec![0; count],
            found: WeakPoints {
                bridges: vec![false; self.core_links.len()],
                cut_nodes: vec![false; count],
            },
        };
        for root in 0..count {
            if descent.seen[root] == 0 {
                descent.from(root);
            }
        }
        descent.found
    }

    /// The core with nothing gone.
    pub(crate) fn intact(&self) -> After {
        let gone = Gone::default();
        let (part, parts) = self.search(&gone);
        self.weigh(part, parts, &gone)
    }

    /// The core after a failure.
    pub(crate) fn after(&self, gone: &Gone, intact: &After, weak: &WeakPoints) -> After {
        let nodes: Vec<usize> = gone.routers.iter().filter_map(|at| self.node(*at)).collect();
        let links = gone.links.iter().filter_map(|at| self.core_link(*at));
        let links: Vec<usize> = links.collect();
        if nodes.is_empty() && links.is_empty() {
            let (part, touched) = (intact.part.clone(), self.touched(gone, &[]));
            return After { part, parts: intact.parts, main: intact.main, touched };
        }
        let holds = match (nodes.as_slice(), links.as_slice()) {
            ([node], []) => !weak.cut_nodes[*node],
            ([], [link]) => !weak.bridges[*link],
            _ => false,
        };
        if holds && intact.parts == 1 {
            let mut part = intact.part.clone();
            nodes.iter().for_each(|node| part[*node] = NOWHERE);
            let touched = self.touched(gone, &nodes);
            return After { part, parts: 1, main: intact.main, touched };
        }
        let (part, parts) = self.search(gone);
        self.weigh(part, parts, gone)
    }

    pub(crate) fn node(&self, place: usize) -> Option<usize> {
        match self.routers.get(place)? {
            RouterIs::Node(node) => Some(*node),
            RouterIs::SiteRouter(_) => None,
        }
    }

    pub(crate) fn core_link(&self, place: usize) -> Option<usize> {
        match self.links.get(place)? {
            LinkIs::Core(link) => Some(*link),
            LinkIs::Uplink(_) | LinkIs::Nothing => None,
        }
    }

    /// Site routers that are gone, or with an uplink that is gone or leads to one of these nodes.
    fn touched(&self, gone: &Gone, nodes: &[usize]) -> Vec<usize> {
        let ends = nodes.iter().flat_map(|node| &self.uplinks_of[*node]);
        let lost = gone.links.iter().filter_map(|place| match self.links.get(*place)? {
            LinkIs::Uplink(uplink) => Some(uplink),
            LinkIs::Core(_) | LinkIs::Nothing => None,
        });
        let by_uplink = ends.chain(lost).map(|uplink| self.uplinks[*uplink].site_router);
        let dead = gone.routers.iter().filter_map(|place| match self.routers.get(*place)? {
            RouterIs::SiteRouter(number) => Some(*number),
            RouterIs::Node(_) => None,
        });
        let mut touched: Vec<usize> = by_uplink.chain(dead).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The connected parts of what is left of the core, in the order of their first nodes.
    fn search(&self, gone: &Gone) -> (Vec<usize>, usize) {
        let dead: Vec<bool> = self.nodes.iter().map(|place| gone.routers.contains(place)).collect();
        let cut: Vec<bool> =
            self.core_links.iter().map(|link| gone.links.contains(&link.place)).collect();
        let mut part = vec![NOWHERE; self.nodes.len()];
        let mut parts = 0;
        for start in 0..part.len() {
            if dead[start] || part[start] != NOWHERE {
                continue;
            }
            part[start] = parts;
            let mut waiting = vec![start];
            while let Some(node) = waiting.pop() {
                let whole = self.neighbours[node].iter().filter(|(_, link)| !cut[*link]);
                let alive = whole.map(|(far, _)| *far).filter(|far| !dead[*far]);
                let new: Vec<usize> = alive.filter(|far| part[*far] == NOWHERE).collect();
                new.iter().for_each(|far| part[*far] = parts);
                waiting.extend(new);
            }
            parts += 1;
        }
        (part, parts)
    }

    /// Finds the main part.
    fn weigh(&self, part: Vec<usize>, parts: usize, gone: &Gone) -> After {
        let mut uplinks = vec![0; parts];
        for (node, part) in part.iter().enumerate().filter(|(_, part)| **part != NOWHERE) {
            uplinks[*part] += self.uplinks_of[node].len();
        }
        let large = first_of_the_largest(&uplinks);
        let outside =
            part.iter().enumerate().filter(|(_, part)| large == NOWHERE || **part != large);
        let outside: Vec<usize> = outside.map(|(node, _)| node).collect();
        let touched = self.touched(gone, &outside);
        // Who is not touched has all its uplinks in the large part.
        let mut weights = vec![0; parts];
        let has_uplinks = |number: &&usize| !self.site_routers[**number].uplinks.is_empty();
        if let Some(weight) = weights.get_mut(large) {
            *weight = self.attached - touched.iter().filter(has_uplinks).count();
        }
        for number in &touched {
            let mut reached: Vec<usize> =
                self.left(*number, gone).map(|uplink| part[self.uplinks[uplink].node]).collect();
            reached.sort_unstable();
            reached.dedup();
            for part in reached.into_iter().filter(|part| *part != NOWHERE) {
                weights[part] += 1;
            }
        }
        let main = first_of_the_largest(&weights);
        let touched = if main == large { touched } else { (0..self.site_routers.len()).collect() };
        After { part, parts, main, touched }
    }

    /// The uplinks that a site router has left, wherever they lead.
    fn left<'t>(&'t self, number: usize, gone: &'t Gone) -> impl Iterator<Item = usize> + 't {
        let router = &self.site_routers[number];
        let alive = !gone.routers.contains(&router.place);
        let uplinks = router.uplinks.iter().copied().filter(move |_| alive);
        uplinks.filter(|uplink| !gone.links.contains(&self.uplinks[*uplink].place))
    }

    /// The uplinks of a site router that lead into the main part.
    pub(crate) fn leading<'t>(
        &'t self,
        number: usize,
        gone: &'t Gone,
        after: &'t After,
    ) -> impl Iterator<Item = usize> + 't {
        self.left(number, gone).filter(|uplink| after.is_main(self.uplinks[*uplink].node))
    }

    /// The parts of the core besides the main one, by place in the plan.
    pub(crate) fn islands(&self, after: &After) -> Vec<Vec<usize>> {
        let mut islands = vec![Vec::new(); after.parts];
        for (node, part) in after.part.iter().enumerate() {
            if *part != NOWHERE && *part != after.main {
                islands[*part].push(self.nodes[node]);
            }
        }
        islands.retain(|island| !island.is_empty());
        islands
    }
}

impl After {
    pub(crate) fn is_main(&self, node: usize) -> bool {
        let part = self.part[node];
        part != NOWHERE && part == self.main
    }

    /// Whether routers that were joined are not any more.
    pub(crate) fn splits(&self, intact: &Self) -> bool {
        let mut now = vec![NOWHERE; intact.parts];
        let both = intact.part.iter().zip(&self.part);
        let mut left = both.filter(|(_, part)| **part != NOWHERE);
        left.any(|(before, part)| {
            let first = core::mem::replace(&mut now[*before], *part);
            first != NOWHERE && first != *part
        })
    }

    /// Whether the core is in one part.
    pub(crate) const fn is_whole(&self) -> bool {
        self.parts == 1
    }

    /// Whether no failed link or router keeps these nodes apart.
    pub(crate) fn joins(&self, a: usize, b: usize) -> bool {
        self.part[a] != NOWHERE && self.part[a] == self.part[b]
    }
}

/// Tarjan's descent through the core, which finds bridges and cut nodes.
struct Descent<'t, 'a> {
    topology: &'t Topology<'a>,
    clock: usize,
    /// When each node was first seen, from 1.
    seen: Vec<usize>,
    /// The earliest node that each node's branch leads back to.
    low: Vec<usize>,
    found: WeakPoints,
}

impl Descent<'_, '_> {
    fn from(&mut self, root: usize) {
        let mut branches = 0;
        // The way down: a node, the link that it was entered by, its next neighbour.
        let mut way = vec![(root, NOWHERE, 0)];
        self.enter(root);
        while let Some((node, by, next)) = way.last_mut() {
            let (node, by) = (*node, *by);
            let Some(&(far, link)) = self.topology.neighbours[node].get(*next) else {
                way.pop();
                if let Some(&(above, ..)) = way.last() {
                    self.leave(node, by, above, root);
                }
                continue;
            };
            *next += 1;
            if self.seen[far] == 0 {
                branches += usize::from(node == root);
                self.enter(far);
                way.push((far, link, 0));
            } else if link != by {
                self.low[node] = self.low[node].min(self.seen[far]);
            }
        }
        self.found.cut_nodes[root] = branches > 1;
    }

    fn enter(&mut self, node: usize) {
        self.clock += 1;
        (self.seen[node], self.low[node]) = (self.clock, self.clock);
    }

    fn leave(&mut self, node: usize, by: usize, above: usize, root: usize) {
        self.low[above] = self.low[above].min(self.low[node]);
        self.found.bridges[by] |= self.low[node] > self.seen[above];
        self.found.cut_nodes[above] |= above != root && self.low[node] >= self.seen[above];
    }
}

/// The first place of the largest number; [`NOWHERE`] where there is none.
fn first_of_the_largest(numbers: &[usize]) -> usize {
    let largest = numbers.iter().max();
    largest.and_then(|largest| numbers.iter().position(|one| one == largest)).unwrap_or(NOWHERE)
}
