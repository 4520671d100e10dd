//! The direction of dependencies between the crates: the architecture, as a table.

use super::Problem;
use crate::workspace::Package;

/// Which crates a crate may depend on.
#[derive(Clone, Copy)]
enum May {
    Only(&'static [&'static str]),
    Any,
}

/// Every crate of the workspace, from the ground up. Protocols never see each other nor the model;
/// the proofs never see the planner, whose mistakes they are to find; this program sees nobody.
const TABLE: [(&str, May); 16] = [
    ("base", May::Only(&[])),
    ("packet", May::Only(&["base"])),
    ("model", May::Only(&["base"])),
    ("isis", May::Only(&["base", "packet"])),
    ("bgp", May::Only(&["base", "packet"])),
    ("bfd", May::Only(&["base", "packet"])),
    ("forwarding", May::Only(&["base", "packet"])),
    ("router", May::Only(&["base", "packet", "model", "isis", "bgp", "bfd", "forwarding"])),
    ("intent", May::Only(&["base", "model"])),
    ("plan", May::Only(&["base", "model", "intent"])),
    ("proof", May::Only(&["base", "model"])),
    ("twin", May::Only(&["base", "packet", "model", "router"])),
    ("host", May::Only(&["base", "packet", "model", "router"])),
    ("controller", May::Only(&["intent", "plan", "proof", "twin", "model"])),
    ("weald", May::Any),
    ("xtask", May::Only(&[])),
];

/// Edges that the table does not have. Development dependencies may go anywhere.
pub(super) fn problems(packages: &[Package]) -> Vec<Problem> {
    packages.iter().flat_map(of_package).collect()
}

fn of_package(package: &Package) -> Vec<Problem> {
    let path = format!("crates/{}/Cargo.toml", package.name);
    let problem = |what: String| Problem { path: path.clone(), line: 0, what };
    let Some((_, may)) = TABLE.iter().find(|(name, _)| *name == package.name) else {
        return vec![problem(format!("`{}` is not in the table of crates", package.name))];
    };
    let May::Only(allowed) = may else {
        return Vec::new();
    };
    let own = package.dependencies.iter().filter(|edge| edge.path.is_some());
    own.filter(|edge| edge.kind.as_deref() != Some("dev"))
        .filter(|edge| !allowed.contains(&edge.name.as_str()))
        .map(|edge| problem(format!("`{}` may not depend on `{}`", package.name, edge.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{May, TABLE, problems};
    use crate::workspace::{Dependency, Package};

    fn package(name: &str, edges: &[(&str, Option<&str>)]) -> Package {
        let edge = |&(name, kind): &(&str, Option<&str>)| Dependency {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            path: Some("somewhere".into()),
        };
        Package {
            name: name.to_owned(),
            version: "0.0.0".to_owned(),
            license: None,
            source: None,
            dependencies: edges.iter().map(edge).collect(),
        }
    }

    #[test]
    fn the_table_itself_has_no_cycle() {
        for (position, (name, may)) in TABLE.iter().enumerate() {
            let May::Only(allowed) = may else { continue };
            for below in *allowed {
                let found = TABLE.iter().position(|(other, _)| other == below);
                assert!(found.is_some_and(|found| found < position), "{name} on {below}");
            }
        }
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let found = problems(&[package("bgp", &[("base", None), ("isis", None)])]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].what, "`bgp` may not depend on `isis`");
        assert_eq!(problems(&[package("proof", &[("plan", Some("build"))])]).len(), 1);
    }

    #[test]
    fn development_edges_and_allowed_ones_pass() {
        let fine = [
            package("bgp", &[("base", None), ("isis", Some("dev"))]),
            package("weald", &[("twin", None)]),
        ];
        assert_eq!(problems(&fine), []);
    }

    #[test]
    fn a_crate_that_is_not_in_the_table_is_found() {
        assert_eq!(problems(&[package("util", &[])]).len(), 1);
    }
}
