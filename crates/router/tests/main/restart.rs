//! Routers that lose their memory, and sessions that have to outlive quiet and notice loss.

use base::Duration;

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1, SITE_2};
use crate::plan::{self, TO_CORE};

fn whole(lab: &Lab) -> bool {
    (CORE_1..=SITE_2).all(|one| {
        let router = lab.router(one);
        router.sessions_up() == router.config().neighbours.len() && router.is_settled()
    })
}

/// Restarts a router while its neighbours hold on to their connections; how long until everything
/// is whole again.
fn recovery(router: usize, seed: u64) -> Duration {
    let mut lab = Lab::converged(seed);
    let routes = |lab: &Lab| lab.router(SITE_1).sizes().vrf_routes;
    let before = routes(&lab);
    lab.restart(router);
    assert!(!whole(&lab));
    lab.run_until(Duration::from_secs(30), |lab| whole(lab) && routes(lab) == before)
}

#[test]
fn a_restarted_router_is_whole_again_within_fifteen_seconds_whoever_connects() {
    // Core router 1 waits for core router 2, core routers wait for their sites.
    for router in [CORE_1, CORE_2, SITE_1] {
        for seed in 0..3 {
            let took = recovery(router, seed);
            assert!(took < Duration::from_secs(15), "router {router}, seed {seed}: {took:?}");
        }
    }
}

#[test]
fn a_neighbour_that_connects_anew_does_not_wait_for_the_old_connection_to_end() {
    for seed in 0..3 {
        let mut lab = Lab::pair(seed);
        lab.run_for(Duration::from_secs(2));
        lab.restart(CORE_2);
        assert!(lab.session(CORE_1, 0), "core router 1 has not noticed yet");
        let took = lab.run_until(Duration::from_secs(10), |lab| lab.session(CORE_2, 0));
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[test]
fn a_quiet_session_with_a_long_hold_time_stays_up() {
    let slow = |number| {
        let mut config = plan::core(number);
        config.bgp.hold_time_s = 3600;
        config
    };
    let mut lab = Lab::new(1, vec![slow(1), slow(2)]);
    lab.wire((CORE_1, TO_CORE), (CORE_2, TO_CORE));
    lab.run_for(Duration::from_secs(5));
    assert!(lab.session(CORE_1, 0) && lab.session(CORE_2, 0));
    lab.told.clear();
    lab.run_for(Duration::from_secs(120));
    assert_eq!(lab.told_by(CORE_1), Vec::<String>::new());
}

#[test]
fn a_session_whose_far_end_is_cut_off_without_a_word_ends() {
    let slow = |number| {
        let mut config = plan::core(number);
        config.bgp.hold_time_s = 3600;
        config
    };
    let mut lab = Lab::new(1, vec![slow(1), slow(2)]);
    lab.wire((CORE_1, TO_CORE), (CORE_2, TO_CORE));
    lab.run_for(Duration::from_secs(5));
    lab.port(CORE_1, TO_CORE, false);
    lab.port(CORE_2, TO_CORE, false);
    let took = lab.run_until(Duration::from_secs(60), |lab| !lab.session(CORE_1, 0));
    assert!(took <= Duration::from_secs(31), "{took:?}");
}

#[test]
fn an_uplink_that_flaps_comes_back_every_time() {
    let mut lab = Lab::converged(5);
    for round in 1..10 {
        for (router, port) in [(CORE_1, plan::TO_SITE), (SITE_1, plan::UPLINK)] {
            lab.port(router, port, false);
        }
        lab.run_for(Duration::from_millis(37 * round));
        for (router, port) in [(CORE_1, plan::TO_SITE), (SITE_1, plan::UPLINK)] {
            lab.port(router, port, true);
        }
        lab.run_for(Duration::from_millis(111 * round));
    }
    lab.run_until(Duration::from_secs(10), whole);
}
