//! What changes from one plan to another, in the words of the people it concerns.
//!
//! [`changes`] compares two plans in five ways and keeps them apart, because different people ask:
//!
//! - [`Right`]: which sites gain or lose which applications, on which ports and by which community.
//!   It is worked out from the promises alone, as a person would: the members of a virtual network
//!   that a community admits reach the community's applications. Configurations are not looked at;
//!   that they do the same is the proofs' matter;
//! - [`Thing`]: sites, virtual networks, applications, communities, uplinks, core links and points of
//!   presence that come, go, or become something else;
//! - [`Moved`]: addresses, labels and other identifiers that are not what they were. There should be
//!   none: what was allotted stays;
//! - [`Identifier`]: those that are new;
//! - [`RouterChange`]: what is different in each router's configuration.
//!
//! Sentences stay short when many are concerned: up to three sites are named, more are counted by
//! kind and organisation. Keys are never in a sentence.

mod identifiers;
mod rights;
mod routers;
mod text;
mod things;

use std::collections::BTreeMap;

use model::plan::{Plan, Site};

pub use identifiers::{Identifier, Moved};
pub use rights::{Right, Service};
pub use routers::{RouterChange, Step};
pub use things::{Thing, ThingKind};

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Who gains or loses what.
    pub rights: Vec<Right>,
    /// What comes, goes, or becomes something else.
    pub things: Vec<Thing>,
    /// Identifiers that are not what they were.
    pub moved: Vec<Moved>,
    /// Identifiers that are new.
    pub allotted: Vec<Identifier>,
    /// Routers that need another configuration, by name.
    pub routers: Vec<RouterChange>,
}

/// What changes from the plan `old`, or from nothing at all, to the plan `new`.
#[must_use]
pub fn changes(old: Option<&Plan>, new: &Plan) -> Changes {
    let nothing = Plan {
        region: new.region.clone(),
        generation: 0,
        pops: Vec::new(),
        routers: Vec::new(),
        links: Vec::new(),
        sites: Vec::new(),
        virtual_networks: Vec::new(),
        attachments: Vec::new(),
        applications: Vec::new(),
        communities: Vec::new(),
        classes: Vec::new(),
        demands: Vec::new(),
    };
    let old = old.unwrap_or(&nothing);
    let sites = Sites::of(old, new);
    let (moved, allotted) = identifiers::identifiers(old, new);
    Changes {
        rights: rights::rights(old, new, &sites),
        things: things::things(old, new, &sites),
        moved,
        allotted,
        routers: routers::routers(old, new),
    }
}

impl Changes {
    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rights.is_empty()
            && self.things.is_empty()
            && self.moved.is_empty()
            && self.allotted.is_empty()
            && self.routers.is_empty()
    }

    /// What else there is to say of rights and identifiers: that it was all.
    #[must_use]
    pub fn closing(&self) -> String {
        let any = |gained: bool| self.rights.iter().any(|right| right.gained == gained);
        let whom = |any: bool| if any { "nobody else" } else { "nobody" };
        let moved = match self.moved.len() {
            0 => "no address or label moves".to_owned(),
            many => text::count(many, "identifier MOVES", "identifiers MOVE"),
        };
        format!("{} gains anything; {} loses anything; {moved}", whom(any(true)), whom(any(false)))
    }
}

/// Every site of either plan, by its code; as the new plan has it where both do.
#[derive(Debug)]
pub(crate) struct Sites<'a>(BTreeMap<&'a str, &'a Site>);

impl<'a> Sites<'a> {
    fn of(old: &'a Plan, new: &'a Plan) -> Self {
        let all = old.sites.iter().chain(&new.sites);
        Self(all.map(|site| (site.code.as_str(), site)).collect())
    }
}
