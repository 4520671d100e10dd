//! Whatever comes in at whatever moment: no panic, no end of talking, no wake-up in the past.

use base::{Duration, PortId, Rng};
use model::config::RouterConfig;
use proptest::prelude::*;

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1, SITE_2};
use crate::plan::{LAN, TO_CORE, TO_SITE, core, mac, site};

/// Random octets, most of them behind a header that gets them past the first checks.
fn random_frame(rng: &mut Rng, to: base::MacAddr) -> Vec<u8> {
    let len = usize::try_from(rng.below(200)).unwrap_or(0);
    let mut frame: Vec<u8> = (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
    let kinds: [&[u8]; 6] = [
        &[8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 255, 6],
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255],
        &[0x88, 0x47, 0x01, 0xf4, 0x01, 255],
        &[0, 100, 0xfe, 0xfe, 3, 0x83, 27, 1],
        &[],
    ];
    let pick = usize::try_from(rng.below(6)).unwrap_or(0);
    let kind = kinds.get(pick).copied().unwrap_or_default();
    let header = to.0.iter().chain(&[6, 0, 0, 0, 0, 1]).chain(kind);
    for (slot, octet) in frame.iter_mut().zip(header) {
        *slot = *octet;
    }
    frame
}

fn address_of(router: usize, port: u8) -> base::MacAddr {
    let numbers = [1, 2, 11, 12];
    mac(numbers.get(router).copied().unwrap_or(0), port)
}

fn ordinary(router: usize) -> RouterConfig {
    match router {
        CORE_1 => core(1),
        CORE_2 => core(2),
        SITE_1 => site(1),
        _ => site(2),
    }
}

/// A configuration that differs a little from the ordinary one, or not at all.
fn variant(router: usize, rng: &mut Rng) -> RouterConfig {
    let mut config = ordinary(router);
    match rng.below(8) {
        0 => config.ports.truncate(if config.vrfs.is_empty() { 2 } else { config.ports.len() }),
        1 => config.bgp.hold_time_s = 30,
        2 => config.labels.count = 900,
        3 if config.vrfs.is_empty() => config.neighbours.reverse(),
        4 => config.neighbours.truncate(if config.vrfs.is_empty() { 1 } else { 0 }),
        5 => config.ports.iter_mut().for_each(|port| port.mtu = 1500),
        _ => {}
    }
    if config.neighbours.is_empty() {
        config.vrfs.iter_mut().for_each(|vrf| vrf.import.clear());
        config.neighbours = ordinary(router).neighbours;
    }
    config
}

#[test]
fn ten_thousand_random_steps_lead_nowhere_bad() {
    // The lab itself holds that every drain ends and that no wake-up stays in the past.
    let mut lab = Lab::converged(1);
    let sizes =
        |lab: &Lab| (CORE_1..=SITE_2).map(|one| lab.router(one).sizes()).collect::<Vec<_>>();
    let before = sizes(&lab);
    let mut rng = Rng::new(99);
    for _ in 0..10_000 {
        let router = usize::try_from(rng.below(4)).unwrap_or(0);
        let port = u8::try_from(rng.below(4)).unwrap_or(0);
        let id = PortId(port.into());
        match rng.below(20) {
            0 => lab.port(router, id, rng.chance(700_000)),
            1 => lab.wake(router),
            2..=11 => {
                let frame = random_frame(&mut rng, address_of(router, port));
                lab.inject(router, id, &frame);
            }
            12 => lab.set_config(router, variant(router, &mut rng)),
            13 => lab.loss_per_million = u32::try_from(rng.below(300_000)).unwrap_or(0),
            _ => lab.run_for(Duration::from_micros(rng.below(20_000))),
        }
    }
    lab.loss_per_million = 0;
    for router in 0..4 {
        lab.set_config(router, ordinary(router));
        for port in (0..3).map(PortId) {
            lab.port(router, port, true);
        }
    }
    lab.run_until(Duration::from_secs(120), |lab| sizes(lab) == before);
}

#[test]
fn a_frame_of_every_length_and_of_its_own_kind_is_survived_with_one_octet_changed() {
    let mut lab = Lab::region(2);
    lab.record_frames = true;
    lab.run_for(Duration::from_secs(2));
    lab.record_frames = false;
    let recorded = core::mem::take(&mut lab.recorded);
    assert!(recorded.len() > 100);
    let mut rng = Rng::new(5);
    for ((router, port), frame) in recorded {
        let mut bent = frame.clone();
        let at = usize::try_from(rng.below(bent.len() as u64)).unwrap_or(0);
        bent[at] ^= 1 << rng.below(8);
        lab.inject(router, port, &bent);
        lab.inject(router, port, &frame[..at]);
    }
    lab.run_for(Duration::from_secs(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_on_any_port_are_survived(
        frames in proptest::collection::vec((0_u8..5, proptest::collection::vec(any::<u8>(), 0..120)), 1..8),
        addressed: bool,
    ) {
        let mut lab = Lab::new(1, vec![core(1), site(1)]);
        for port in [TO_CORE, TO_SITE, LAN] {
            lab.port(0, port, true);
            lab.port(1, port, true);
        }
        for (port, mut frame) in frames {
            for (router, number) in [(0, 1), (1, 11)] {
                if addressed && frame.len() > 6 {
                    frame[..6].copy_from_slice(&mac(number, port).0);
                }
                lab.inject(router, PortId(port.into()), &frame);
            }
        }
        lab.run_for(Duration::from_millis(10));
    }
}
