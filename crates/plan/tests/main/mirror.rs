//! Both ends of everything agree.

use model::config::{Medium, NeighbourKind, PortKind, Role};
use model::plan::LinkKind;

use crate::invariants;
use crate::support::{EXAMPLES, compile, example, grown, router};

#[test]
fn both_ends_of_every_session_and_link_agree_in_the_examples() {
    for name in EXAMPLES {
        invariants::check(&compile(&example(name), &mut intent::Lock::default()));
    }
}

#[test]
fn both_ends_agree_in_a_region_of_four_hundred_sites() {
    let plan = compile(&grown(400), &mut intent::Lock::default());
    invariants::check(&plan);
    assert_eq!(plan.routers.iter().filter(|router| router.role == Role::Site).count(), 400);
}

#[test]
fn every_core_router_has_a_session_with_every_reflector() {
    let plan = compile(&example("six-sites"), &mut intent::Lock::default());
    let internal = |name: &str| {
        let neighbours = router(&plan, name).neighbours.iter();
        let internal = neighbours.filter_map(|neighbour| match neighbour.kind {
            NeighbourKind::Internal { client } => Some((neighbour.name.clone(), client)),
            NeighbourKind::Site { .. }
            | NeighbourKind::Core { .. }
            | NeighbourKind::Customer { .. } => None,
        });
        internal.collect::<Vec<_>>()
    };
    let named = |name: &str, client| (name.to_owned(), client);
    let to_reflectors = [named("brighton-1", false), named("crawley-1", false)];
    assert_eq!(internal("lewes-1"), to_reflectors);
    assert_eq!(internal("worthing-1"), to_reflectors);
    let of_brighton =
        [named("crawley-1", false), named("lewes-1", true), named("worthing-1", true)];
    assert_eq!(internal("brighton-1"), of_brighton);
    let cluster = router(&plan, "brighton-1").bgp.cluster_id;
    assert_eq!(cluster, Some(router(&plan, "brighton-1").router_id));
    assert_ne!(cluster, router(&plan, "crawley-1").bgp.cluster_id);
    assert_eq!(router(&plan, "lewes-1").bgp.cluster_id, None);
}

#[test]
fn without_a_reflector_every_core_router_has_a_session_with_every_other() {
    let mut intent = example("six-sites");
    for pop in &mut intent.pops {
        pop.reflector = false;
    }
    let plan = compile(&intent, &mut intent::Lock::default());
    invariants::check(&plan);
    let cores = plan.routers.iter().filter(|router| router.role == Role::Core);
    for core in cores {
        let peers = core.neighbours.iter();
        let internal = peers.filter(|peer| matches!(peer.kind, NeighbourKind::Internal { .. }));
        assert_eq!(internal.count(), 3);
    }
}

#[test]
fn labelled_packets_of_a_lan_fit_every_uplink_of_its_router() {
    let plan = compile(&example("six-sites"), &mut intent::Lock::default());
    let mtus =
        |name: &str| router(&plan, name).ports.iter().map(|port| port.mtu).collect::<Vec<_>>();
    assert_eq!(mtus("site-h1"), [1512, 1512, 1500], "two Ethernet uplinks and a LAN");
    assert_eq!(mtus("site-g1"), [1512, 1400, 1388], "one Ethernet, one secure, and a LAN");
    let core = router(&plan, "brighton-1");
    for port in core.ports.iter().filter(|port| matches!(port.kind, PortKind::CoreLink { .. })) {
        assert_eq!(port.mtu, 9000);
    }
}

#[test]
fn uplinks_have_the_rates_of_their_access_type_from_core_to_site() {
    let plan = compile(&example("two-pops"), &mut intent::Lock::default());
    let uplink = |site: &str| {
        plan.links.iter().find(|link| link.ends[1].router == site && link.kind == LinkKind::Uplink)
    };
    let broadband = uplink("site-g1").unwrap();
    assert_eq!(broadband.medium, Medium::Secure);
    assert_eq!((broadband.rate_kbps, broadband.rate_back_kbps), (80_000, 20_000));
    assert_eq!(broadband.delay_us, 8000);
    assert_eq!(broadband.name, "lewes-1--site-g1");
}

#[test]
fn routers_of_one_pop_are_joined_and_parallel_links_have_names_of_their_own() {
    let mut intent = example("six-sites");
    intent.pops[0].routers = 2;
    let again = intent.links[0].clone();
    intent.links.push(again);
    let plan = compile(&intent, &mut intent::Lock::default());
    invariants::check(&plan);
    let names: Vec<_> = plan.links.iter().map(|link| link.name.as_str()).collect();
    for name in ["brighton-1--brighton-2", "brighton-1--lewes-1", "brighton-1--lewes-1-2"] {
        assert!(names.contains(&name), "{name}");
    }
    let ports: Vec<_> =
        router(&plan, "lewes-1").ports.iter().map(|port| port.name.as_str()).collect();
    assert!(ports.contains(&"to-brighton-1") && ports.contains(&"to-brighton-1-2"), "{ports:?}");
}

#[test]
fn both_routers_of_a_pop_have_a_link_to_another_pop() {
    let intent = example("sussex");
    let plan = compile(&intent, &mut intent::Lock::default());
    for pop in intent.pops.iter().filter(|pop| pop.routers == 2) {
        let names: Vec<String> = pop.router_names().collect();
        for name in &names {
            let mut core = plan.links.iter().filter(|link| link.kind == LinkKind::Core);
            let outside = core.any(|link| {
                let [a, b] = link.ends.each_ref().map(|end| &end.router);
                (a == name && !names.contains(b)) || (b == name && !names.contains(a))
            });
            assert!(outside, "{name}");
        }
    }
}
