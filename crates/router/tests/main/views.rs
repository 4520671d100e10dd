//! What people read about a small region.

use std::fmt::Write;

use base::Duration;
use model::view::HopView;
use router::Router;

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1};
use crate::plan::{TO_CORE, TO_SITE};

fn or_dash(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

fn ports(hops: &[HopView]) -> String {
    let names: Vec<&str> = hops.iter().map(|hop| hop.port.as_str()).collect();
    format!("[{}]", names.join(", "))
}

/// The views of a router in words, without times and counters.
fn in_words(router: &Router) -> String {
    let view = router.view();
    let mut text = format!("{} generation {}\n", view.name, view.generation);
    let mut line = |args: core::fmt::Arguments<'_>| writeln!(text, "{args}").expect("a string");
    for port in &view.ports {
        let up = if port.up { "up" } else { "down" };
        let (bfd, reason) = (or_dash(port.bfd.as_deref()), or_dash(port.reason.as_deref()));
        line(format_args!("port {} {up}, bfd {bfd}, {reason}", port.name));
    }
    for one in &view.adjacencies {
        line(format_args!("adjacency {} {}", one.neighbour, one.state));
    }
    for one in &view.sessions {
        let (accepted, sent, reason) = (one.accepted, one.sent, or_dash(one.reason.as_deref()));
        let (name, state) = (&one.neighbour, &one.state);
        line(format_args!("session {name} {state}, accepted {accepted}, sent {sent}, {reason}"));
    }
    for route in router.global_routes() {
        line(format_args!(
            "global {} metric {} {}",
            route.prefix,
            route.metric,
            ports(&route.hops)
        ));
    }
    for one in router.label_views() {
        // Where dynamic labels begin is drawn from the seed.
        let label = match one.label.value() {
            24_000..25_000 => "dynamic".to_owned(),
            fixed => fixed.to_string(),
        };
        let action = one.action.split(' ').next().unwrap_or_default();
        let (space, hops) = (one.space, ports(&one.hops));
        line(format_args!("label {space:?} {label} {action} {hops}"));
    }
    for route in router.vrf_routes(Some("vn-a")) {
        let way = route.forwarding.split_whitespace();
        let way: Vec<&str> = way.filter(|word| word.parse::<u32>().is_err()).collect();
        line(format_args!("{} {} {}", route.vrf, route.prefix, way.join(" ")));
        for path in &route.paths {
            let (neighbour, as_path) = (&path.neighbour, &path.as_path);
            line(format_args!("- {} of {neighbour}, {as_path}, {}", path.rd, path.reason));
        }
    }
    text
}

const CORE: &str = "\
core-1 generation 1
port to-core-2 up, bfd up, -
port to-site-1 up, bfd up, -
port spare down, bfd down, no carrier
adjacency core-2 up
session core-2 established, accepted 4, sent 4, -
session site-1 established, accepted 4, sent 4, -
global 10.255.0.1/32 metric 0 []
global 10.255.0.2/32 metric 10 [to-core-2]
label Platform 15000 transit [to-core-2]
label Platform 16001 pop []
label Platform 16002 transit [to-core-2]
label Platform dynamic swap [to-site-1]
label Port(PortId(1)) dynamic swap [to-core-2]
";

const SITE: &str = "\
site-1 generation 1
port uplink-1 up, bfd up, -
port lan up, bfd -, -
port lan-b up, bfd -, -
session core-1 established, accepted 4, sent 4, -
label Platform dynamic vrf []
vn-a 10.1.1.0/24 attached lan
vn-a 10.1.1.1/32 local
vn-a 10.1.2.0/24 label via uplink-1
- 0:64512:2 of core-1, 64512 4200000002, best
vn-a 10.2.1.0/24 attached lan-b
vn-a 10.2.1.1/32 local
vn-a 10.2.2.0/24 label via uplink-1
- 0:64512:2 of core-1, 64512 4200000002, best
vn-a fd00:1:1::/64 attached lan
vn-a fd00:1:1::1/128 local
vn-a fd00:1:2::/64 label via uplink-1
- 0:64512:2 of core-1, 64512 4200000002, best
vn-a fd00:2:1::/64 attached lan-b
vn-a fd00:2:1::1/128 local
vn-a fd00:2:2::/64 label via uplink-1
- 0:64512:2 of core-1, 64512 4200000002, best
";

const TROUBLE: &str = "\
core-1 generation 1
port to-core-2 down, bfd down, neighbour has fallen silent
port to-site-1 down, bfd down, no carrier
port spare down, bfd down, no carrier
adjacency nobody down
session core-2 active, accepted 0, sent 0, connection lost
session site-1 idle, accepted 0, sent 0, stopped: BFD down
global 10.255.0.1/32 metric 0 []
label Platform 15000 transit [to-core-2]
label Platform 16001 pop []
";

#[test]
fn a_core_router_in_words() {
    let lab = Lab::converged(1);
    assert_eq!(in_words(lab.router(CORE_1)), CORE);
}

#[test]
fn a_site_router_in_words() {
    let lab = Lab::converged(1);
    assert_eq!(in_words(lab.router(SITE_1)), SITE);
}

#[test]
fn a_router_in_trouble_says_why() {
    let mut lab = Lab::converged(1);
    lab.mute((CORE_2, TO_CORE), true);
    for (router, port) in [(CORE_1, TO_SITE), (SITE_1, crate::plan::UPLINK)] {
        lab.port(router, port, false);
    }
    lab.run_for(Duration::from_secs(40));
    assert_eq!(in_words(lab.router(CORE_1)), TROUBLE);
}

#[test]
fn refused_isis_packets_are_counted_by_reason() {
    let mut lab = Lab::converged(1);
    assert!(lab.router(CORE_1).view().refusals.is_empty());
    let header = [0x01, 0x80, 0xc2, 0, 0, 0x15, 2, 0, 0, 0, 0, 9, 0, 4, 0xfe, 0xfe, 3, 0x83];
    for _ in 0..2 {
        lab.inject(CORE_1, TO_CORE, &header);
    }
    let refused: Vec<_> = lab.router(CORE_1).view().refusals.into_iter().collect();
    assert_eq!(refused, [("is-is: malformed: ends too early".to_owned(), 2)]);
}

#[test]
fn forwarding_tables_are_told_in_full() {
    let lab = Lab::converged(1);
    for router in [CORE_1, CORE_2, SITE_1] {
        let router = lab.router(router);
        let (own, told) = (router.tables(), router.forwarding_tables());
        assert_eq!((told.router.as_str(), told.generation), (router.config().name.as_str(), 1));
        let routes: usize = told.vrfs.iter().map(|vrf| vrf.routes.len()).sum();
        let sizes = (routes, told.global.len(), told.labels.len(), told.ports.len());
        let own_routes: usize = own.vrfs().map(|(_, vrf)| vrf.routes.iter().count()).sum();
        let (global, labels) = (own.global().iter().count(), own.labels().count());
        assert_eq!(sizes, (own_routes, global, labels, own.ports().count()));
        for entry in told.vrfs.iter().flat_map(|vrf| &vrf.routes) {
            let model::tables::VrfRoute::Remote(paths) = &entry.to else { continue };
            for path in paths {
                let via = usize::try_from(path.via).expect("a number");
                let hops = &told.transports[via].hops;
                assert!(hops.iter().all(|hop| told.ports.iter().any(|port| port.id == hop.port)));
                assert!(!hops.is_empty(), "{}", entry.prefix);
            }
        }
        let text = serde_json::to_string(&told).expect("data");
        assert_eq!(serde_json::from_str::<model::tables::RouterTables>(&text).expect("data"), told);
    }
}
