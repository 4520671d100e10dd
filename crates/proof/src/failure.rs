//! What may fail.

use std::collections::BTreeSet;

/// What is not there, by its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gone {
    /// Routers.
    pub routers: BTreeSet<usize>,
    /// Links.
    pub links: BTreeSet<usize>,
}
