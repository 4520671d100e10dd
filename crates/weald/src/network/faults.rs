//! Cuts and mends by name, and whom they affect.

use serde::Serialize;
use twin::LinkState;
use twin::fault::Fault;

use crate::failure::Failure;
use crate::network::Network;
use crate::network::names::{self, Thing};
use crate::network::reach::{Alive, Reach};

/// A fault that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InForce {
    /// The link or router.
    pub(crate) name: String,
    /// In words.
    pub(crate) fault: &'static str,
}

impl Network {
    /// The faults that cut what a name means.
    pub(crate) fn cuts(&self, name: &str, silent: bool) -> Result<Vec<Fault>, Failure> {
        let state = if silent { LinkState::Silent } else { LinkState::Cut };
        let faults = match names::find(self.plan(), name)? {
            Thing::Link(number) => vec![Fault::Link(number, state)],
            _ if silent => {
                return Err(Failure::input(format!("`{name}` is no link"))
                    .hint("only a link can be cut so that its ports do not notice"));
            }
            Thing::Router(number) => vec![Fault::RouterDown(number)],
            Thing::Site(number) => vec![Fault::RouterDown(self.router_of_site(number)?)],
            Thing::Pop(_, routers) => routers.into_iter().map(Fault::RouterDown).collect(),
            Thing::VirtualNetwork(_) => return Err(not_a_thing_to_cut(name)),
        };
        Ok(faults)
    }

    /// The faults that mend what a name means.
    pub(crate) fn mends(&self, name: &str) -> Result<Vec<Fault>, Failure> {
        let mends = self.cuts(name, false)?.into_iter().map(|fault| match fault {
            Fault::Link(number, _) => Fault::Link(number, LinkState::Up),
            Fault::RouterDown(number) | Fault::RouterUp(number) => Fault::RouterUp(number),
            Fault::Impair(number, _) => Fault::Impair(number, twin::Impairment::default()),
        });
        Ok(mends.collect())
    }

    /// The faults that mend everything that is cut.
    pub(crate) fn mends_of_all(&self) -> Vec<Fault> {
        let links = (0..self.plan().links.len())
            .filter(|&number| self.link_state(number) != LinkState::Up)
            .map(|number| Fault::Link(number, LinkState::Up));
        let routers = (0..self.plan().routers.len())
            .filter(|&number| !self.router_runs(number))
            .map(Fault::RouterUp);
        links.chain(routers).collect()
    }

    fn router_of_site(&self, site: usize) -> Result<usize, Failure> {
        let site = self.plan().sites.get(site);
        let router = site.and_then(|site| self.twin.router_number(&site.router));
        router.ok_or_else(|| Failure::network("the site has no router"))
    }

    /// Whether a fault would change nothing.
    pub(crate) fn is_in_force(&self, fault: Fault) -> bool {
        match fault {
            Fault::Link(number, state) => self.link_state(number) == state,
            Fault::RouterDown(number) => !self.router_runs(number),
            Fault::RouterUp(number) => self.router_runs(number),
            Fault::Impair(..) => false,
        }
    }

    pub(crate) fn strike(&mut self, fault: Fault) -> Result<(), Failure> {
        self.twin.strike(fault).map_err(|errors| Failure::network(errors.to_string()))
    }

    pub(crate) fn describe(&self, fault: Fault) -> String {
        self.twin.describe_fault(fault)
    }

    /// The faults that are in force.
    pub(crate) fn faults(&self) -> Vec<InForce> {
        let links = self.plan().links.iter().enumerate().filter_map(|(number, link)| {
            let fault = match self.link_state(number) {
                LinkState::Up => return None,
                LinkState::Cut => "cut",
                LinkState::Silent => "cut silently",
            };
            Some(InForce { name: link.name.clone(), fault })
        });
        let routers = self.plan().routers.iter().enumerate();
        let routers = routers.filter(|(number, _)| !self.router_runs(*number));
        let routers = routers
            .map(|(_, router)| InForce { name: router.name.clone(), fault: "without power" });
        links.chain(routers).collect()
    }

    /// How every site is connected now.
    pub(crate) fn reach(&self) -> Reach {
        self.reach_without(&[], &[])
    }

    /// How every site would be connected if these routers and links failed too.
    pub(crate) fn reach_without(&self, routers: &[usize], links: &[usize]) -> Reach {
        Reach::new(
            self.plan(),
            &Alive {
                router: &|number| self.router_runs(number) && !routers.contains(&number),
                link: &|number| {
                    self.link_state(number) == LinkState::Up && !links.contains(&number)
                },
            },
        )
    }
}

fn not_a_thing_to_cut(name: &str) -> Failure {
    Failure::input(format!("`{name}` is a virtual network"))
        .hint("links, routers, sites and points of presence can be cut")
}
