//! Signed regions: who gets in and who does not.

use isis::{Algorithm, Authentication, Lsp, LspId, NotUpReason, Pdu, RejectReason, Tlv};

use crate::network::{Network, PAIR, RING, loopback, system_id};

fn key(algorithm: Algorithm, key: &[u8]) -> Option<Authentication> {
    Some(Authentication { algorithm, key_id: 1, key: key.to_vec() })
}

#[test]
fn a_region_with_one_key_comes_into_step() {
    for algorithm in [Algorithm::HmacMd5, Algorithm::HmacSha256] {
        let mut network = Network::new(4, &RING, |_, config| {
            config.authentication = key(algorithm, b"the region's key");
        });
        network.seconds(5);
        assert!(network.in_step());
        assert_eq!(network.ports(0, 2), [0, 3]);
        network.restart(1);
        network.seconds(5);
        assert!(network.in_step());
        for router in &network.routers {
            assert_eq!(router.counters().rejections().count(), 0);
        }
    }
}

#[test]
fn a_wrong_key_is_refused_and_said_so() {
    let cases = [
        (key(Algorithm::HmacSha256, b"another"), RejectReason::AuthenticationDigest),
        (key(Algorithm::HmacMd5, b"the key"), RejectReason::AuthenticationType),
        (None, RejectReason::AuthenticationMissing),
    ];
    for (theirs, reason) in cases {
        let mut network = Network::new(2, &PAIR, |router, config| {
            let ours = key(Algorithm::HmacSha256, b"the key");
            config.authentication = if router == 0 { ours } else { theirs.clone() };
        });
        network.seconds(10);
        assert_eq!(network.changes, []);
        let view = network.routers[0].adjacencies().next().unwrap();
        assert_eq!(view.not_up, Some(NotUpReason::HelloRejected(reason)));
        assert!(network.routers[0].counters().rejected(reason) >= 3);
    }
}

#[test]
fn a_key_changed_everywhere_at_once_costs_no_adjacency() {
    let mut network = Network::new(4, &RING, |_, config| {
        config.authentication = key(Algorithm::HmacMd5, b"old");
    });
    network.seconds(5);
    network.changes.clear();
    for router in 0..4 {
        network.configure(router, |config| {
            config.authentication = key(Algorithm::HmacSha256, b"new");
        });
    }
    network.seconds(60);
    assert_eq!(network.changes, []);
    assert!(network.in_step());
    network.restart(2);
    network.seconds(5);
    assert!(network.in_step());
    assert_eq!(network.ports(0, 2), [0, 3]);
}

#[test]
fn a_purge_that_still_has_a_body_is_refused() {
    // A copy of a signed link-state PDU whose lifetime, which no signature covers, was set to 0.
    let mut network = Network::new(2, &PAIR, |_, config| {
        config.authentication = key(Algorithm::HmacSha256, b"the key");
    });
    let stolen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let copy = stolen.clone();
    network.loss = Some(Box::new(move |from, _, pdu| {
        if let (1, Pdu::Lsp(lsp)) = (from, pdu)
            && lsp.id.system_id == system_id(1)
        {
            copy.replace(Lsp { lifetime: 0, ..lsp.clone() }.encode());
        }
        false
    }));
    network.seconds(5);
    let forged = stolen.borrow().clone();
    network.inject(0, 0, &forged);
    let counters = network.routers[0].counters();
    assert_eq!(counters.rejected(RejectReason::PurgeContents), 1);
    assert!(network.route(0, loopback(1)).is_some());
}

#[test]
fn purges_are_signed_and_say_who_made_them() {
    let mut network = Network::new(2, &PAIR, |_, config| {
        config.authentication = key(Algorithm::HmacSha256, b"the key");
        config.lsp_lifetime = base::Duration::from_secs(60);
    });
    network.seconds(5);
    network.cut(0);
    network.seconds(70);
    let gone = LspId { system_id: system_id(1), pseudonode: 0, fragment: 0 };
    let tlvs = network.routers[0].lsp(gone).unwrap();
    let [Tlv::Authentication { .. }, Tlv::PurgeOriginator(by, None), Tlv::Hostname(name)] = tlvs
    else {
        panic!("{tlvs:?}")
    };
    assert_eq!((*by, name.as_str()), (system_id(0), "r1"));
}
