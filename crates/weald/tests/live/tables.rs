//! What two routers say of the ways they know, brought into one form.
//!
//! FRR's is read from `show isis route level-2 prefix-sid`, which is what `isisd` itself has
//! computed, whether the kernel can push labels or not:
//!
//! ```text
//!  Prefix         Metric  Interface  Nexthop   SID  Label Op.
//!  -------------------------------------------------------------------
//!  10.1.2.0/24    0       -          -         -    -
//!  10.255.0.2/32  20      to-r2      10.1.2.2  2    Pop(16002)
//!  10.255.0.5/32  37      to-r2      10.1.2.2  5    Swap(16005, 16005)
//!                         to-r3      10.1.3.3  5    Swap(16005, 20005)
//! ```

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use base::LabelSpace;
use model::view::HopView;

use crate::daemon::Daemon;

/// The port, the neighbour, and the label that is sent there, if any.
pub(crate) type Hop = (String, IpAddr, Option<u32>);

/// The ways that a router knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// The metric and the hops of every prefix that is reached over a neighbour.
    pub(crate) prefixes: BTreeMap<String, (u32, BTreeSet<Hop>)>,
    /// The hops of every label of the global block that leads to a neighbour.
    pub(crate) labels: BTreeMap<u32, BTreeSet<Hop>>,
}

/// Where our global block begins; adjacency-SIDs are below.
const GLOBAL_BLOCK: u32 = 16_000;

impl Ways {
    /// Those of our router.
    pub(crate) fn of_weald(daemon: &Daemon, name: &str) -> Self {
        let hops = |hops: &[HopView]| -> BTreeSet<Hop> {
            let label = |hop: &HopView| hop.labels.first().map(|label| label.value());
            hops.iter().map(|hop| (hop.port.clone(), hop.neighbour, label(hop))).collect()
        };
        let mut ways = Self::default();
        for route in daemon.global_routes(name).iter().filter(|route| !route.hops.is_empty()) {
            let way = (route.metric, hops(&route.hops));
            ways.prefixes.insert(route.prefix.to_string(), way);
        }
        for label in daemon.labels(name).iter().filter(|label| !label.hops.is_empty()) {
            if label.space == LabelSpace::Platform && label.label.value() >= GLOBAL_BLOCK {
                ways.labels.insert(label.label.value(), hops(&label.hops));
            }
        }
        ways
    }

    /// Those of FRR.
    pub(crate) fn of_frr(table: &str) -> Self {
        let mut ways = Self::default();
        let mut prefix = ("", 0);
        let rows = table.lines().skip_while(|line| !line.starts_with(" ---")).skip(1);
        for row in rows {
            let mut cells: Vec<&str> = row.split_whitespace().collect();
            if let Some((first, metric)) = cells.first().zip(cells.get(1))
                && first.contains('/')
            {
                prefix = (first, metric.parse().expect("a metric"));
                cells.drain(..2);
            }
            let [interface, next_hop, _sid, operation @ ..] = cells.as_slice() else { continue };
            let Ok(next_hop) = next_hop.parse() else { continue };
            let (incoming, outgoing) = read_operation(&operation.concat());
            let hop: Hop = ((*interface).to_owned(), next_hop, outgoing);
            let way = ways.prefixes.entry(prefix.0.to_owned()).or_default();
            way.0 = prefix.1;
            way.1.insert(hop.clone());
            if let Some(label) = incoming {
                ways.labels.entry(label).or_default().insert(hop);
            }
        }
        ways
    }
}

/// The label before and the label after: `Pop(16002)`, `Swap(16003,16003)`, `Swap(16004,null)`
/// with explicit null, `-` without labels.
fn read_operation(text: &str) -> (Option<u32>, Option<u32>) {
    let label = |text: &str| match text {
        "null" => 0,
        number => number.parse().expect("a label"),
    };
    let inside = |name| text.strip_prefix(name).and_then(|rest: &str| rest.strip_suffix(')'));
    if let Some(popped) = inside("Pop(") {
        return (Some(label(popped)), None);
    }
    let swapped = inside("Swap(").and_then(|pair| pair.split_once(','));
    swapped.map_or((None, None), |(before, after)| (Some(label(before)), Some(label(after))))
}
