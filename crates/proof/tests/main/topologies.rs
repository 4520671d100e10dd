//! Well-known research networks, from the plain text files beside this one: a node or a link a
//! line, with what they were drawn from.

use crate::sketch::{Core, Home, Sketch};

const TEXTS: [(&str, &str); 6] = [
    ("abilene", include_str!("topologies/abilene.txt")),
    ("arpanet-1970", include_str!("topologies/arpanet-1970.txt")),
    ("geant-2004", include_str!("topologies/geant-2004.txt")),
    ("janet-like", include_str!("topologies/janet-like.txt")),
    ("nsfnet-t1", include_str!("topologies/nsfnet-t1.txt")),
    ("cesnet-like", include_str!("topologies/cesnet-like.txt")),
];

/// The networks by name: a site with one uplink at every node, one with two at every fifth.
pub(crate) fn all() -> Vec<(&'static str, Sketch)> {
    TEXTS.iter().map(|(name, text)| (*name, sketch(text))).collect()
}

fn sketch(text: &str) -> Sketch {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    assert!(lines().next().is_some_and(|line| line.starts_with("# Origin: ")));
    let lines = || lines().filter(|line| !line.starts_with('#'));
    let nodes: Vec<&str> = lines().filter_map(|line| line.strip_prefix("node ")).collect();
    let node = |name: &str| nodes.iter().position(|one| *one == name).expect(name);
    let links = lines().filter_map(|line| line.strip_prefix("link "));
    let links = links.map(|line| {
        let ends: Vec<&str> = line.split(" -- ").collect();
        let [a, b] = ends.as_slice() else { unreachable!("two ends: {line}") };
        Core { ends: [node(a), node(b)], metric: 10, rate_kbps: 1_000_000, risks: Vec::new() }
    });
    let single =
        (0..nodes.len()).map(|core| Home { uplinks: vec![(core, Vec::new())], resilient: false });
    let double = (0..nodes.len()).step_by(5).map(|core| Home {
        uplinks: vec![(core, Vec::new()), ((core + 3) % nodes.len(), Vec::new())],
        resilient: true,
    });
    Sketch {
        pops: (0..nodes.len()).map(|core| vec![core]).collect(),
        pop_risks: Vec::new(),
        cores: nodes.len(),
        links: links.collect(),
        homes: single.chain(double).collect(),
        applications: vec![0],
        networks: Vec::new(),
    }
}
