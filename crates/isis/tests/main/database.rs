//! The link-state database: flooding, loss, ageing, purges, sequence numbers, fragments.

use std::cell::Cell;
use std::rc::Rc;

use base::Duration;
use isis::{Csnp, Lsp, LspEntry, LspId, Pdu, RejectReason, Tlv};

use crate::network::{Network, PAIR, RING, loopback, system_id};

fn id(router: usize, fragment: u8) -> LspId {
    LspId { system_id: system_id(router), pseudonode: 0, fragment }
}

fn held(network: &Network, at: usize, id: LspId) -> Option<isis::LspView> {
    network.routers.get(at)?.database(network.now).find(|lsp| lsp.id == id)
}

/// A link-state PDU with the right checksum, as a router of this name would send it.
fn lsp(id: LspId, lifetime: u16, sequence: u32, name: &str) -> Vec<u8> {
    let tlvs = vec![Tlv::Hostname(name.to_owned())];
    let mut lsp = Lsp { lifetime, id, sequence, checksum: 0, flags: 3, tlvs };
    // Both sums are zero where the check octets are right: there are few enough to try.
    let right = (0x0101..=u16::MAX).find(|checksum| {
        lsp.checksum = *checksum;
        let sums = lsp.encode().iter().skip(12).fold((0_u32, 0_u32), |(c0, c1), octet| {
            let c0 = (c0 + u32::from(*octet)) % 255;
            (c0, (c1 + c0) % 255)
        });
        sums == (0, 0) && !checksum.to_be_bytes().contains(&0)
    });
    lsp.checksum = right.expect("a checksum for every contents");
    lsp.encode()
}

#[test]
fn a_lost_link_state_pdu_is_sent_again_until_it_is_acknowledged() {
    let mut network = Network::new(3, &[(0, 1, 10), (1, 2, 10)], |_, _| {});
    network.seconds(5);
    let lost = Rc::new(Cell::new(0));
    let counter = lost.clone();
    network.loss = Some(Box::new(move |from, link, pdu| {
        let lose = from == 1 && link == 1 && matches!(pdu, Pdu::Lsp(_)) && counter.get() < 2;
        counter.set(counter.get() + u32::from(lose));
        lose
    }));
    network.configure(0, |config| config.circuits[0].metric = 55);
    network.seconds(3);
    assert!(!network.in_step());
    network.seconds(12);
    assert!(network.in_step());
    assert_eq!(lost.get(), 2);
    assert!(network.routers[1].counters().lsps_retransmitted >= 2);
}

#[test]
fn lost_acknowledgements_only_cost_retransmissions() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.loss = Some(Box::new(|_, _, pdu| matches!(pdu, Pdu::Psnp(_))));
    network.seconds(20);
    assert!(network.in_step());
    let again = network.routers[0].counters().lsps_retransmitted;
    assert!(again > 0);
    network.loss = None;
    network.seconds(10);
    let settled = network.routers[0].counters().lsps_retransmitted;
    network.seconds(30);
    assert_eq!(network.routers[0].counters().lsps_retransmitted, settled);
}

#[test]
fn a_region_that_is_in_step_is_quiet() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(60);
    let sent = |network: &Network| -> u64 {
        network.routers.iter().map(|r| r.counters().sent.lsps + r.counters().sent.psnps).sum()
    };
    let before = sent(&network);
    network.seconds(120);
    assert_eq!(sent(&network), before);
}

#[test]
fn a_router_that_restarted_exceeds_what_it_said_before() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(2);
    for metric in [11, 12, 13, 14] {
        network.configure(1, |config| config.circuits[0].metric = metric);
        network.seconds(1);
    }
    let before = held(&network, 3, id(1, 0)).unwrap().sequence;
    assert!(before >= 5);
    network.restart(1);
    network.seconds(1);
    let after = held(&network, 3, id(1, 0)).unwrap().sequence;
    assert!(after > before, "{after} {before}");
    assert!(network.in_step());
    assert_eq!(network.ports(0, 1), [0]);
    assert!(network.routers[1].counters().own_lsps_exceeded > 0);
}

#[test]
fn fragments_of_an_earlier_life_are_purged() {
    let many = |config: &mut isis::Config| {
        config.loopbacks.extend((0..200_u32).map(|n| isis::Loopback {
            prefix: base::Ipv4Prefix::host((0x0a10_0000 + n).into()).into(),
            sid_index: None,
        }));
    };
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.configure(0, many);
    network.seconds(5);
    assert!(held(&network, 1, id(0, 1)).unwrap().lifetime > 0);
    let prefixes = network.routers[1].routes().len();
    assert_eq!(prefixes, 4 + 200);
    network.config(0).loopbacks.truncate(2);
    network.restart(0);
    network.seconds(5);
    assert_eq!(held(&network, 1, id(0, 1)).unwrap().lifetime, 0);
    assert_eq!(network.routers[1].routes().len(), 4);
    // The header goes after a minute.
    network.seconds(70);
    assert_eq!(held(&network, 1, id(0, 1)), None);
    assert_eq!(held(&network, 0, id(0, 1)), None);
}

#[test]
fn fragments_come_and_go_with_what_there_is_to_say() {
    let mut network = Network::new(3, &[(0, 1, 10), (1, 2, 10)], |_, _| {});
    network.seconds(5);
    network.configure(0, |config| {
        config.loopbacks.extend((0..600_u32).map(|n| isis::Loopback {
            prefix: base::Ipv4Prefix::host((0x0a10_0000 + n).into()).into(),
            sid_index: Some(1000 + n),
        }));
    });
    network.seconds(5);
    let fragments = network.routers[2].database(network.now);
    let lens: Vec<usize> =
        fragments.filter(|lsp| lsp.id.system_id == system_id(0)).map(|lsp| lsp.len).collect();
    assert!(lens.len() > 5 && lens.iter().all(|len| *len <= 1492), "{lens:?}");
    assert_eq!(network.routers[2].routes().len(), 606);
    network.configure(0, |config| config.loopbacks.truncate(2));
    network.seconds(5);
    assert_eq!(network.routers[2].routes().len(), 6);
    assert!(network.in_step());
}

#[test]
fn a_router_that_is_gone_is_purged_when_its_lifetime_ends() {
    let mut network = Network::new(3, &[(0, 1, 10), (1, 2, 10)], |_, config| {
        config.lsp_lifetime = Duration::from_secs(60);
        config.lsp_refresh = Duration::from_secs(40);
    });
    network.seconds(5);
    network.cut(1);
    network.seconds(1);
    assert_eq!(network.ports(0, 2), []);
    assert!(held(&network, 0, id(2, 0)).is_some());
    network.seconds(65);
    assert_eq!(held(&network, 0, id(2, 0)).unwrap().lifetime, 0);
    let tlvs = network.routers[0].lsp(id(2, 0)).unwrap();
    assert!(matches!(tlvs, [Tlv::PurgeOriginator(..), Tlv::Hostname(_)]), "{tlvs:?}");
    network.seconds(65);
    assert_eq!(held(&network, 0, id(2, 0)), None);
    // Those that are there were refreshed.
    assert!(held(&network, 0, id(1, 0)).unwrap().lifetime > 0);
    network.mend(1);
    network.seconds(5);
    assert_eq!(network.ports(0, 2), [0]);
    assert!(network.in_step());
}

#[test]
fn a_forged_purge_is_answered_by_the_router_that_it_names() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    let sequence = held(&network, 0, id(2, 0)).unwrap().sequence;
    network.inject(0, 0, &lsp(id(2, 0), 0, sequence + 5, "x"));
    network.seconds(1);
    let now = held(&network, 0, id(2, 0)).unwrap();
    assert!(now.sequence > sequence + 5 && now.lifetime > 0);
    assert!(network.in_step());
    assert_eq!(network.ports(0, 2), [0, 3]);
}

#[test]
fn two_pdus_of_one_number_make_their_originator_send_a_third() {
    let mut network = Network::new(4, &RING, |_, _| {});
    network.seconds(5);
    let sequence = held(&network, 0, id(2, 0)).unwrap().sequence;
    network.inject(0, 0, &lsp(id(2, 0), 1000, sequence, "x"));
    network.seconds(1);
    assert!(held(&network, 0, id(2, 0)).unwrap().sequence > sequence);
    assert!(network.in_step());
    assert_eq!(network.ports(0, 2), [0, 3]);
}

#[test]
fn after_the_last_sequence_number_a_router_is_silent_and_starts_from_the_first() {
    let mut network = Network::new(2, &PAIR, |_, config| {
        config.lsp_lifetime = Duration::from_secs(60);
        config.lsp_refresh = Duration::from_secs(40);
    });
    network.seconds(5);
    network.inject(0, 0, &lsp(id(0, 0), 50, u32::MAX, "x"));
    network.seconds(5);
    assert_eq!(held(&network, 1, id(0, 0)).unwrap().lifetime, 0);
    assert_eq!(network.ports(1, 0), []);
    network.seconds(130);
    let now = held(&network, 1, id(0, 0)).unwrap();
    assert!(now.lifetime > 0 && now.sequence < 10, "{now:?}");
    assert_eq!(network.ports(1, 0), [0]);
}

#[test]
fn a_purge_of_what_is_not_there_is_acknowledged_and_not_kept() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.seconds(5);
    let acknowledged = network.routers[0].counters().sent.psnps;
    network.inject(0, 0, &lsp(id(7, 0), 0, 3, "x"));
    network.seconds(1);
    assert_eq!(held(&network, 0, id(7, 0)), None);
    assert_eq!(network.routers[0].counters().sent.psnps, acknowledged + 1);
}

#[test]
fn what_a_neighbour_names_and_we_lack_is_asked_for() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.seconds(5);
    let asked = Rc::new(Cell::new(false));
    let flag = asked.clone();
    network.loss = Some(Box::new(move |from, _, pdu| {
        if let (0, Pdu::Psnp(psnp)) = (from, pdu) {
            let wanted = LspEntry { lifetime: 0, id: id(7, 0), sequence: 0, checksum: 0 };
            flag.set(psnp.tlvs.contains(&Tlv::LspEntries(vec![wanted])));
        }
        false
    }));
    let entry = LspEntry { lifetime: 100, id: id(7, 0), sequence: 3, checksum: 9 };
    let (start, end) = (LspId::FIRST, LspId::LAST);
    let tlvs = vec![Tlv::LspEntries(vec![entry])];
    let csnp = Csnp { source: system_id(1), circuit: 0, start, end, tlvs };
    let sent = network.routers[0].counters().sent.lsps;
    network.inject(0, 0, &csnp.encode());
    network.seconds(1);
    assert!(asked.get());
    // And both of ours, which it did not name, were sent.
    assert_eq!(network.routers[0].counters().sent.lsps, sent + 2);
}

#[test]
fn faulty_database_pdus_are_refused_each_for_its_reason() {
    let mut network = Network::new(2, &PAIR, |_, _| {});
    network.inject(0, 0, &lsp(id(7, 0), 100, 1, "x"));
    network.seconds(5);
    let mut wrong = lsp(id(7, 0), 100, 1, "x");
    wrong[29] ^= 1;
    network.inject(0, 0, &wrong);
    network.inject(0, 0, &lsp(id(7, 0), 100, 0, "x"));
    let (start, end) = (LspId::FIRST, LspId::LAST);
    let csnp = Csnp { source: system_id(5), circuit: 0, start, end, tlvs: Vec::new() };
    network.inject(0, 0, &csnp.encode());
    let swapped =
        Csnp { source: system_id(1), circuit: 0, start: end, end: start, tlvs: Vec::new() };
    network.inject(0, 0, &swapped.encode());
    let counters = network.routers[0].counters();
    for reason in [
        RejectReason::NoAdjacency,
        RejectReason::LspChecksum,
        RejectReason::SequenceZero,
        RejectReason::NotFromNeighbour,
    ] {
        assert_eq!(counters.rejected(reason), 1, "{reason}");
    }
    assert_eq!(held(&network, 0, id(7, 0)), None);
}

#[test]
fn a_region_of_many_routers_comes_into_step() {
    // A ring of 30 with ten chords.
    let mut links: Vec<_> = (0..30).map(|router| (router, (router + 1) % 30, 10)).collect();
    links.extend((0..10).map(|n| (n, n + 15, 15)));
    let mut network = Network::new(30, &links, |_, _| {});
    network.seconds(2);
    assert!(network.in_step());
    assert!(network.routers.iter().all(|router| router.routes().len() == 60));
    network.cut(0);
    network.millis(300);
    assert!(network.in_step());
    assert_eq!(network.route(0, loopback(1)).unwrap().hops.len(), 1);
}

#[test]
fn heavy_loss_does_not_keep_a_region_from_coming_into_step() {
    for seed in 0..5 {
        let mut network = Network::with_seed(4, &RING, seed, |_, _| {});
        let mut rng = base::Rng::new(seed);
        network.loss = Some(Box::new(move |_, _, _| rng.chance(300_000)));
        network.seconds(60);
        network.loss = None;
        network.seconds(40);
        assert!(network.in_step(), "seed {seed}");
        assert_eq!(network.ports(0, 2), [0, 3], "seed {seed}");
    }
}

#[test]
fn nothing_that_a_neighbour_sends_upsets_an_instance() {
    let heard = Rc::new(std::cell::RefCell::new(Vec::new()));
    let tap = heard.clone();
    let mut network = Network::new(4, &RING, |_, _| {});
    network.loss = Some(Box::new(move |_, _, pdu| {
        tap.borrow_mut().push(match pdu {
            Pdu::Hello(hello) => hello.encode(None),
            Pdu::Lsp(lsp) => lsp.encode(),
            Pdu::Csnp(csnp) => csnp.encode(),
            Pdu::Psnp(psnp) => psnp.encode(),
        });
        false
    }));
    network.seconds(40);
    network.loss = None;
    let mut rng = base::Rng::new(5);
    let pdus = heard.borrow().clone();
    for round in 0..20_000 {
        let below = |rng: &mut base::Rng, bound: usize| {
            usize::try_from(rng.below(bound.try_into().unwrap())).unwrap()
        };
        let mut bytes = pdus[below(&mut rng, pdus.len())].clone();
        for _ in 0..rng.below(4) {
            let at = below(&mut rng, bytes.len());
            bytes[at] = rng.next_u64().to_be_bytes()[0];
        }
        network.inject(0, 3 * below(&mut rng, 2), &bytes);
        if round % 100 == 0 {
            network.millis(50);
        }
    }
    assert!(network.routers[0].counters().rejections().count() > 5);
    // Forged fragments of routers that do not exist stay until they expire; the routes recover.
    network.seconds(60);
    for router in 0..4 {
        network.restart(router);
    }
    network.seconds(30);
    assert_eq!(network.ports(0, 2), [0, 3]);
}
