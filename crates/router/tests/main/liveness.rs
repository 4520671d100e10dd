//! BFD at work: who is believed, and what follows from silence.

use base::Duration;
use bfd::{ControlPacket, Diagnostic, State};

use crate::lab::{CORE_1, CORE_2, Lab, SITE_1};
use crate::plan::{TO_CORE, TO_SITE, UPLINK, address, mac};
use crate::wire::{HOST, datagram, ip_frame};

/// A packet that would take the session of core router 1 down.
fn goodbye() -> [u8; 24] {
    ControlPacket {
        diagnostic: Diagnostic::None,
        state: State::Down,
        poll: false,
        final_bit: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: 3,
        my_discriminator: 1,
        your_discriminator: 1,
        desired_min_tx_micros: 50_000,
        required_min_rx_micros: 50_000,
        required_min_echo_rx_micros: 0,
    }
    .encode()
}

fn bfd(lab: &Lab, router: usize, port: usize) -> String {
    let view = lab.router(router).view();
    view.ports.get(port).and_then(|port| port.bfd.clone()).unwrap_or_default()
}

#[test]
fn a_bfd_packet_is_believed_from_the_far_end_of_the_link_only() {
    let mut lab = Lab::pair(1);
    lab.run_for(Duration::from_secs(2));
    let (peer, own) = ("10.0.0.1", "10.0.0.0");
    let ports = (50_000, 3784);
    let mut wrong_sum = datagram(peer, own, ports, 255, &goodbye());
    wrong_sum[26] ^= 1;
    let mut fragment = datagram(peer, own, ports, 255, &goodbye());
    fragment[6] |= 0x20;
    packet::ipv4::refresh_checksum(&mut fragment);
    let cases = [
        ("a time to live of 254", datagram(peer, own, ports, 254, &goodbye())),
        ("another source", datagram("10.255.0.2", own, ports, 255, &goodbye())),
        ("another port", datagram(peer, own, (50_000, 4784), 255, &goodbye())),
        ("a wrong checksum", wrong_sum),
        ("a fragment", fragment),
    ];
    for (number, (case, packet)) in (1..).zip(&cases) {
        lab.inject(CORE_1, TO_CORE, &ip_frame(mac(1, 0), mac(2, 0), packet));
        assert_eq!(bfd(&lab, CORE_1, 0), "up", "{case}");
        let drops: Vec<_> = lab.router(CORE_1).drops().collect();
        let uninvited = drops.iter().find(|(reason, _)| reason.contains("nobody"));
        assert_eq!(uninvited.map(|(_, count)| *count), Some(number), "{case}: {drops:?}");
    }
    let mut version = goodbye();
    version[0] = 0;
    let other = datagram(peer, own, ports, 255, &version);
    lab.inject(CORE_1, TO_CORE, &ip_frame(mac(1, 0), mac(2, 0), &other));
    assert_eq!(bfd(&lab, CORE_1, 0), "up", "another version");
    let refused: Vec<_> = lab.router(CORE_1).refusals().into_iter().collect();
    assert!(
        matches!(refused.as_slice(), [(("bfd", reason), 1)] if reason.contains("version")),
        "{refused:?}"
    );
    let good = datagram(peer, own, ports, 255, &goodbye());
    lab.inject(CORE_1, TO_CORE, &ip_frame(mac(1, 0), mac(2, 0), &good));
    assert_eq!(bfd(&lab, CORE_1, 0), "down");
}

#[test]
fn a_silent_core_link_is_noticed_within_three_intervals_and_carries_nothing_more() {
    let mut lab = Lab::converged(2);
    lab.mute((CORE_2, TO_CORE), true);
    let took = lab.run_until(Duration::from_secs(1), |lab| bfd(lab, CORE_1, 0) == "down");
    assert!(took <= Duration::from_millis(151), "{took:?}");
    lab.run_for(Duration::from_millis(100));
    let router = lab.router(CORE_1);
    assert!(!router.tables().port(TO_CORE).unwrap().up);
    assert_eq!(router.adjacencies_up(), 0);
    assert!(!router.view().ports[0].up);
    assert_eq!(router.global_routes().iter().filter(|route| !route.hops.is_empty()).count(), 0);
}

#[test]
fn a_silent_uplink_ends_its_session_and_empties_its_labels_and_comes_back_by_itself() {
    let mut lab = Lab::converged(3);
    lab.mute((SITE_1, UPLINK), true);
    lab.run_until(Duration::from_millis(300), |lab| !lab.session(CORE_1, 1));
    lab.run_until(Duration::from_millis(300), |lab| !lab.session(SITE_1, 0));
    let router = lab.router(CORE_1);
    assert!(!router.tables().port(TO_SITE).unwrap().up);
    let space = base::LabelSpace::Port(TO_SITE);
    assert_eq!(router.tables().labels().filter(|(of, ..)| *of == space).count(), 0);
    lab.mute((SITE_1, UPLINK), false);
    lab.run_until(Duration::from_secs(5), |lab| lab.session(CORE_1, 1) && lab.session(SITE_1, 0));
}

#[test]
fn a_core_link_whose_far_end_gave_up_bfd_is_used_again_once_is_is_trusts_it() {
    let mut lab = Lab::pair(4);
    lab.run_for(Duration::from_secs(2));
    // The far end hears everything and loses BFD's packets alone: stand-in for one without BFD.
    let without_bfd = |lab: &mut Lab, duration: Duration| {
        let until = lab.now + duration;
        lab.deaf_to_bfd = true;
        while lab.step(until) {}
        lab.deaf_to_bfd = false;
    };
    without_bfd(&mut lab, Duration::from_secs(5));
    assert_eq!(lab.router(CORE_1).adjacencies_up(), 0);
    assert!(!lab.router(CORE_1).tables().port(TO_CORE).unwrap().up);
    without_bfd(&mut lab, Duration::from_secs(40));
    assert_eq!(lab.router(CORE_1).adjacencies_up(), 1);
    assert!(lab.router(CORE_1).tables().port(TO_CORE).unwrap().up);
}

#[test]
fn a_forged_is_is_frame_does_not_keep_the_far_ends_place() {
    let mut lab = Lab::pair(5);
    lab.run_for(Duration::from_secs(2));
    for router in [CORE_1, CORE_2] {
        lab.port(router, TO_CORE, false);
    }
    lab.port(CORE_1, TO_CORE, true);
    let mut forged = vec![0x01, 0x80, 0xc2, 0, 0, 0x15];
    forged.extend(HOST.0);
    forged.extend([0, 10, 0xfe, 0xfe, 3, 0x83, 27, 1, 0, 17, 1, 0]);
    lab.inject(CORE_1, TO_CORE, &forged);
    let far_end = |lab: &Lab| lab.router(CORE_1).tables().neighbour(TO_CORE, address("10.0.0.1"));
    assert_eq!(far_end(&lab), Some(HOST), "better than nothing");
    lab.port(CORE_2, TO_CORE, true);
    lab.run_for(Duration::from_secs(2));
    assert_eq!(far_end(&lab), Some(mac(2, 0)));
    assert_eq!(bfd(&lab, CORE_1, 0), "up");
}
