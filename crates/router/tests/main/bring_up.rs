//! Routers come up, and packets pass.

use base::{Duration, Label, LabelSpace};
use router::tables::LabelAction;

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1, SITE_2};
use crate::plan::{LAN, TO_CORE, mac};
use crate::wire::{HOST, arp_reply, data, datagram, ip_frame};

#[test]
fn two_core_routers_have_bfd_an_adjacency_and_a_session_within_two_seconds() {
    let mut lab = Lab::pair(1);
    lab.run_until(Duration::from_secs(2), |lab| lab.session(CORE_1, 0) && lab.session(CORE_2, 0));
    for number in [CORE_1, CORE_2] {
        let view = lab.router(number).view();
        assert_eq!(view.ports[0].bfd.as_deref(), Some("up"), "{view:#?}");
        assert!(view.ports[0].up && view.adjacencies[0].up, "{view:#?}");
        assert_eq!(lab.router(number).adjacencies_up(), 1);
        assert_eq!(lab.router(number).sessions_up(), 1);
    }
}

#[test]
fn a_core_router_knows_its_own_segment_its_neighbours_and_its_links() {
    let mut lab = Lab::pair(2);
    lab.run_for(Duration::from_secs(2));
    let tables = lab.router(CORE_1).tables();
    let action = |label| tables.label(LabelSpace::Platform, Label::masked(label));
    assert_eq!(action(16_001), Some(&LabelAction::Pop));
    for (label, name) in [(16_002, "the neighbour's segment"), (15_000, "the link's")] {
        let Some(LabelAction::Transit(via)) = action(label) else { panic!("{name}") };
        let hops: Vec<_> = tables.usable_hops(*via).collect();
        assert_eq!(hops.len(), 1, "{name}");
        assert_eq!(hops[0].port, TO_CORE);
        assert_eq!(hops[0].labels, [], "the neighbour is the end: nothing is pushed");
    }
    assert_eq!(tables.labels().count(), 3);
}

/// Sends a datagram from the LAN of site 1 to that of site 2 and answers for the host there.
fn crosses(lab: &mut Lab) -> bool {
    lab.left.clear();
    let packet = datagram("10.1.1.9", "10.1.2.9", (4000, 7), 64, b"across");
    lab.inject(SITE_1, LAN, &ip_frame(mac(11, 1), HOST, &packet));
    lab.run_for(Duration::from_millis(20));
    lab.inject(SITE_2, LAN, &arp_reply((HOST, "10.1.2.9"), (mac(12, 1), "10.1.2.1")));
    let left = lab.take_left(SITE_2, LAN);
    data(&left) == [b"across".to_vec()]
}

#[test]
fn a_packet_crosses_from_site_to_site() {
    let mut lab = Lab::converged(3);
    assert!(crosses(&mut lab));
    for core in [CORE_1, CORE_2] {
        let in_space = |port| {
            let labels = lab.router(core).tables().labels();
            labels.filter(move |(space, ..)| *space == LabelSpace::Port(port)).count()
        };
        assert_eq!(in_space(crate::plan::TO_SITE), 1, "one label for all of the other site");
        assert_eq!(in_space(crate::plan::SPARE), 0);
    }
}

#[test]
fn a_region_comes_up_over_links_that_lose_a_fifth_of_everything() {
    for seed in 0..4 {
        let mut lab = Lab::region(seed);
        lab.loss_per_million = 200_000;
        lab.run_for(Duration::from_secs(20));
        lab.loss_per_million = 0;
        lab.run_until(Duration::from_secs(20), |lab| {
            (CORE_1..=SITE_2).all(|one| {
                let router = lab.router(one);
                router.sessions_up() == router.config().neighbours.len()
            })
        });
        lab.run_for(Duration::from_secs(10));
        assert!(crosses(&mut lab), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_frames_and_another_seed_others() {
    let trace = |seed| {
        let mut lab = Lab::region(seed);
        lab.run_for(Duration::from_secs(3));
        lab.trace.value()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn a_port_without_carrier_is_silent() {
    let mut lab = Lab::new(4, vec![crate::plan::core(1), crate::plan::site(1)]);
    lab.run_for(Duration::from_secs(30));
    assert_eq!(lab.left, Vec::new());
}
