//! Which routers a new plan touches.
//!
//! The plan's number is in every configuration and is left out of the comparison: a router whose
//! configuration differs in nothing else needs no new one.

use core::fmt;
use std::collections::BTreeMap;

use model::config::RouterConfig;
use model::plan::Plan;

/// The names of the routers that two plans differ in, each list in the order of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Only in the new plan.
    pub added: Vec<String>,
    /// In both, with different configurations.
    pub changed: Vec<String>,
    /// Only in the old plan.
    pub removed: Vec<String>,
}

impl Difference {
    /// Whether no router needs a new configuration.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// One router per line: `+ site-g81001`, `~ lewes-1`, `- site-y00001`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, names) in [("+", &self.added), ("~", &self.changed), ("-", &self.removed)] {
            for name in names {
                writeln!(f, "{sign} {name}")?;
            }
        }
        Ok(())
    }
}

/// Which routers the plan `new` adds, changes and removes.
#[must_use]
pub fn difference(old: &Plan, new: &Plan) -> Difference {
    let before = by_name(old);
    let after = by_name(new);
    let mut difference = Difference::default();
    for (name, config) in &after {
        match before.get(name) {
            None => difference.added.push((*name).to_owned()),
            Some(old) if !same(old, config) => difference.changed.push((*name).to_owned()),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    difference.removed = gone.map(|name| (*name).to_owned()).collect();
    difference
}

fn by_name(plan: &Plan) -> BTreeMap<&str, &RouterConfig> {
    plan.routers.iter().map(|config| (config.name.as_str(), config)).collect()
}

fn same(old: &RouterConfig, new: &RouterConfig) -> bool {
    RouterConfig { generation: new.generation, ..old.clone() } == *new
}
