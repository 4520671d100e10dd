//! Hostile streams: each is sent to one port of a running router, while hosts behind other ports
//! talk through it.
//!
//! Whatever comes, the router runs on, no other link and no other session notices, its memory and
//! its log stay within bounds, what it drops it counts by reason, and the hosts' packets arrive in
//! time. The figures are printed: one row for a stream.
//!
//! Broken on purpose, to see what the tests say:
//! - IS-IS looked through its whole database for every PDU: "lsps of strangers: bystanders notice",
//!   half of the packets after 14 ms, one in a hundred after 39 to 167 ms.
//! - Every event was told: "changed is-is pdus: the log is not flooded", 2,540 lines in a second.
//! - Timers did not wait for frames ([`host::Driver`]): the router that had stood still told "bfd on
//!   to-site-c is down: control detection time expired".

mod bgp;
mod flood;
mod insider;
mod isis;
mod probe;
mod trial;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base::MacAddr;
use host::device::Device as _;
use host::secure::{PrivateKey, SecureConfig, SecureLink};
use model::config::PortKind;

use self::bgp::Impostor;
use self::flood::Attacker;
use self::insider::Insider;
use self::probe::Probe;
use self::trial::{Stop, Target, Wanted, head, trial};
use crate::frames::{self, Wire};
use crate::region::Region;

/// Frames a second of a flood.
const FLOOD: u64 = 100_000;
/// Frames a second where each is a protocol's own.
const STREAM: u64 = 20_000;
/// What a router may grow by, where a stream is not meant to fill anything.
const BOUNDED: Wanted<'_> = Wanted { growth_mib: 8, reason: None, told: None, quiet: false };
const LIMITED: Wanted<'_> = dropped("too many packets for the router itself");

/// The same where packets are to be dropped for a reason.
const fn dropped(reason: &str) -> Wanted<'_> {
    Wanted { reason: Some(reason), ..BOUNDED }
}

/// Where a session is to end over it, and people are to be told why.
const ENDED: Wanted<'_> = Wanted { told: Some("session"), ..BOUNDED };

/// East's core link.
const CORE: Target<'_> =
    Target { router: "east-1", port: "to-west-1", far: Some("west-1"), spared: false };
/// East's uplink to site C.
const UPLINK: Target<'_> =
    Target { router: "east-1", port: "to-site-c", far: Some("site-c"), spared: false };
/// East's secure uplink to site S.
const SECURE: Target<'_> = Target { router: "east-1", port: "to-site-s", far: None, spared: true };
/// The second LAN of site A.
const LAN: Target<'_> = Target { router: "site-a", port: "lan-a-two", far: None, spared: true };

#[test]
fn core_neighbour_that_has_gone_mad_costs_the_sites_nothing() {
    let region = Region::start(false, &[]);
    let units = isis::overheard(&region);
    let probe = Probe::new(&region, "A", "B");
    let mut attacker = Attacker::new(&region, CORE.router, CORE.port);
    head("streams to a core link without authentication");
    trial(&region, &probe, CORE, ("nothing", Wanted { quiet: true, ..BOUNDED }), |stop| {
        attacker.flood(stop, 0, |_, _| Vec::new())
    });
    trial(&region, &probe, CORE, ("changed is-is pdus", dropped("is-is: malformed")), |stop| {
        isis::changed(&mut attacker, &units, stop, STREAM)
    });
    // A database that is full, and what is computed from it.
    let full = Wanted { growth_mib: 64, ..dropped("link-state database is full") };
    trial(&region, &probe, CORE, ("lsps of strangers", full), |stop| {
        isis::strangers(&mut attacker, stop, STREAM)
    });
    // A core link may bring more for the router itself than this: it is looked at, and refused.
    trial(&region, &probe, CORE, ("punts", dropped("nobody that it speaks with")), |stop| {
        attacker.flood(stop, FLOOD, Attacker::punt)
    });
}

#[test]
fn core_neighbour_without_the_key_costs_the_sites_nothing() {
    let region = Region::start(true, &[]);
    let units = isis::overheard(&region);
    let probe = Probe::new(&region, "A", "B");
    let mut attacker = Attacker::new(&region, CORE.router, CORE.port);
    head("streams to a core link with authentication");
    trial(
        &region,
        &probe,
        CORE,
        ("changed is-is pdus", dropped("is-is: wrong signature")),
        |stop| isis::changed(&mut attacker, &units, stop, STREAM),
    );
    trial(&region, &probe, CORE, ("lsps of strangers", dropped("is-is: not signed")), |stop| {
        isis::strangers(&mut attacker, stop, FLOOD / 2)
    });
}

#[test]
fn site_router_that_speaks_bgp_out_of_its_mind_costs_other_sites_nothing() {
    let region = Region::start(true, &["site-c"]);
    let probe = Probe::new(&region, "A", "B");
    let mut impostor = Impostor::new(&region);
    head("bgp over an uplink");
    let bgp = |name, wanted, stream: &mut (dyn FnMut(&Stop<'_>) -> u64 + Send)| {
        trial(&region, &probe, UPLINK, (name, wanted), stream);
    };
    bgp("silent connections", BOUNDED, &mut |stop| impostor.silent(stop));
    impostor.prepare();
    bgp("garbage after open", ENDED, &mut |stop| impostor.garbage(stop));
    impostor.prepare();
    bgp("mutated updates", ENDED, &mut |stop| impostor.mutated(stop));
    impostor.prepare();
    bgp("stolen routes", ENDED, &mut |stop| impostor.thief(stop));
}

#[test]
fn site_router_in_the_wrong_hands_costs_other_sites_nothing() {
    let region = Region::start(true, &["site-c"]);
    let probe = Probe::new(&region, "A", "B");
    let mut attacker = Attacker::new(&region, UPLINK.router, UPLINK.port);
    let mut impostor = Impostor::new(&region);
    head("streams to an uplink");
    let uplink = |name, wanted, stream: &mut (dyn FnMut(&Stop<'_>) -> u64 + Send)| {
        trial(&region, &probe, UPLINK, (name, wanted), stream);
    };
    impostor.prepare();
    uplink("bgp: restless route", ENDED, &mut |stop| impostor.restless(stop));
    uplink("tcp: connection requests", LIMITED, &mut |stop| {
        attacker.flood(stop, FLOOD / 2, |a, _| {
            let segment = frames::tcp((a.far, a.port()), (a.own, 179), (2, 1));
            a.frame(frames::IPV4, &segment)
        })
    });
    uplink("bfd: garbage from the link", LIMITED, &mut |stop| {
        attacker.flood(stop, STREAM, |a, number| bfd(a, number, 255))
    });
    uplink("bfd: garbage from afar", LIMITED, &mut |stop| {
        attacker.flood(stop, STREAM, |a, number| bfd(a, number, 254))
    });
    uplink("bfd: in others' names", LIMITED, &mut |stop| {
        attacker.flood(stop, STREAM, |a, number| {
            a.far = Ipv4Addr::new(100, 64, 32, [1, 3, 5][a.below(3)]);
            bfd(a, number, 255)
        })
    });
    attacker.far = Ipv4Addr::new(100, 64, 32, 5);
    uplink("labels that nobody gave", dropped("label was not advertised"), &mut |stop| {
        attacker.flood(stop, FLOOD, |a, _| {
            let [x, y, z, ..] = a.rng.next_u64().to_be_bytes();
            let label = [&[x, y, z | 1, 64][..], &[0x45; 64]].concat();
            a.frame(0x8847, &label)
        })
    });
    uplink("punts", LIMITED, &mut |stop| attacker.flood(stop, FLOOD, Attacker::punt));
}

/// A datagram to the BFD port: of random octets, or the form is right and everything says down.
fn bfd(attacker: &mut Attacker, number: u64, ttl: u8) -> Vec<u8> {
    let mut control = attacker.octets(24);
    if number.is_multiple_of(2) {
        let form = [0x20, 0x40, 3, 24];
        if let Some(place) = control.get_mut(..4) {
            place.copy_from_slice(&form);
        }
    }
    let ends = ((attacker.far, 49_152), (attacker.own, frames::BFD));
    let packet = frames::udp(ends.0, ends.1, ttl, &control);
    attacker.frame(frames::IPV4, &packet)
}

#[test]
fn noise_at_a_secure_port_costs_neither_others_nor_the_link_anything() {
    let region = Region::start(true, &[]);
    let probe = Probe::new(&region, "A", "B");
    let (space, interface) = region.far_end(SECURE.router, SECURE.port);
    let mut recorder = Wire::open(&region.net, "east-1", "u4");
    let through = Probe::new(&region, "A", "S");
    through.run(Duration::from_secs(1));
    let recorded: Vec<_> = recorder.heard().into_iter().filter(|frame| is_secure(frame)).collect();
    assert!(!recorded.is_empty(), "the tunnel is used");
    let calls = calls(&region);
    let mut attacker = Attacker::new(&region, SECURE.router, SECURE.port);
    attacker.wire = Wire::open(&region.net, &space, &interface);
    let header = recorded[0][..14].to_vec();
    head("noise at a secure port");
    let refused = dropped("refused by the link");
    let stray = |payload: &[u8], port| {
        let (own, far) = (Ipv4Addr::new(198, 18, 0, 0), Ipv4Addr::new(198, 18, 0, 1));
        [&header[..], &frames::udp((far, port), (own, 51_820), 64, payload)].concat()
    };
    for (probed, probe) in [("", &probe), (" (the link)", &through)] {
        trial(&region, probe, SECURE, (&format!("random octets{probed}"), refused), |stop| {
            attacker.flood(stop, FLOOD / 2, |a, _| {
                let len = a.below(200);
                let (octets, port) = (a.octets(len), a.port());
                stray(&octets, port)
            })
        });
    }
    trial(&region, &through, SECURE, ("mangled calls", refused), |stop| {
        attacker.flood(stop, FLOOD / 2, |a, number| {
            let len = if number.is_multiple_of(2) { 148 } else { a.below(148) };
            let mut call = vec![1, 0, 0, 0];
            call.extend(a.octets(len.max(4) - 4));
            stray(&call, a.port())
        })
    });
    trial(&region, &through, SECURE, ("strangers' calls", refused), |stop| {
        attacker.flood(stop, STREAM, |a, _| {
            let choice = a.below(calls.len());
            stray(&calls[choice], a.port())
        })
    });
    trial(&region, &through, SECURE, ("what was said before", refused), |stop| {
        attacker.flood(stop, FLOOD / 2, |a, _| {
            let choice = a.below(recorded.len());
            recorded[choice].clone()
        })
    });
}

#[test]
fn far_end_of_a_secure_link_in_the_wrong_hands_costs_other_sites_nothing() {
    let region = Region::start(true, &["site-s"]);
    let probe = Probe::new(&region, "A", "B");
    let mut insider = Insider::new(&region);
    let target = Target { far: Some("site-s"), spared: false, ..SECURE };
    head("what is sealed with the right key");
    trial(&region, &probe, target, ("gre: garbage", dropped("link header")), |stop| {
        insider.garbage(stop)
    });
    trial(&region, &probe, target, ("gre: garbage in it", dropped("ip header")), |stop| {
        insider.payloads(stop)
    });
}

/// Whether a frame is a datagram to the secure port.
fn is_secure(frame: &[u8]) -> bool {
    frame.get(23) == Some(&frames::UDP) && frame.get(36..38) == Some(&51_820_u16.to_be_bytes())
}

/// Calls to the secure port by strangers who know its public key.
fn calls(region: &Region) -> Vec<Vec<u8>> {
    let target = region.secure_key();
    let listener = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let endpoint = listener.local_addr().expect("an address");
    (0..64)
        .map(|_| {
            let config = SecureConfig {
                private_key: PrivateKey::generate(),
                peer_public_key: target,
                preshared_key: None,
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
                endpoint: Some(endpoint),
                inner_local: Ipv4Addr::new(10, 0, 0, 1).into(),
                inner_remote: Ipv4Addr::new(10, 0, 0, 2).into(),
                keepalive_s: None,
            };
            let socket = config.open().expect("a socket");
            let mut stranger = SecureLink::new(&config, socket).expect("a link");
            stranger.handle_timeout(std::time::Instant::now());
            let mut call = vec![0; 2_048];
            let len = listener.recv(&mut call).expect("it calls at once");
            call.truncate(len);
            call
        })
        .collect()
}

#[test]
fn router_that_stood_still_reads_what_waits_before_it_takes_anybody_for_silent() {
    // East's neighbours wait long for it, and it no longer for them than ever.
    let region = Region::start_with(true, &[], |config| {
        for port in config.ports.iter_mut().filter(|_| config.name == "east-1") {
            if let PortKind::CoreLink { bfd, .. } | PortKind::Uplink { bfd, .. } = &mut port.kind {
                bfd.multiplier = 40;
            }
        }
    });
    let probe = Probe::new(&region, "A", "B");
    let east = region.process("east-1");
    let mut attackers: Vec<Attacker> = ["to-site-a", "to-site-b", "to-site-c", "to-west-1"]
        .map(|port| Attacker::new(&region, "east-1", port))
        .into();
    let since = Instant::now();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for attacker in &mut attackers {
            // As many as its ring holds while it stands still.
            scope.spawn(|| {
                attacker.flood(&Stop::new(&over), 700, |a, _| {
                    a.frame(0x8847, &[[0, 0, 1, 64].as_slice(), &[0x45; 64]].concat())
                })
            });
        }
        for _ in 0..5 {
            east.stand_still(Duration::from_millis(600));
            thread::park_timeout(Duration::from_millis(500));
        }
        over.store(true, Ordering::Relaxed);
    });
    for (name, daemon) in region.routers() {
        let lines = daemon.lines().into_iter().filter(|line| line.at >= since);
        let told: Vec<_> = lines.map(|line| line.fields.to_string()).collect();
        assert!(told.is_empty(), "{name}: {told:#?}");
    }
    assert_eq!(probe.run(Duration::from_secs(1)).lost, 0);
}

#[test]
fn flooded_lan_costs_the_other_lan_of_its_site_nothing() {
    let region = Region::start(true, &[]);
    let probe = Probe::new(&region, "A", "B");
    let mut attacker = Attacker::new(&region, LAN.router, LAN.port);
    head("streams to a site's lan");
    let lan = |name, wanted, stream: &mut (dyn FnMut(&Stop<'_>) -> u64 + Send)| {
        trial(&region, &probe, LAN, (name, wanted), stream);
    };
    lan("arp: random stations", LIMITED, &mut |stop| {
        attacker.flood(stop, FLOOD / 2, |a, _| {
            let (mac, last) = (a.station(), a.below(256));
            let from = Ipv4Addr::new(10, 2, 0, u8::try_from(last).unwrap_or(0));
            frames::ethernet(MacAddr::BROADCAST, mac, frames::ARP, &frames::arp((mac, from), a.own))
        })
    });
    lan("nd: random stations", LIMITED, &mut |stop| {
        attacker.flood(stop, FLOOD / 2, |a, number| {
            let (mac, gateway) = (a.station(), "fd00:100:1::1".parse().expect("an address"));
            let from = (0xfd00_0100_0001_u128 << 80 | u128::from(number)).into();
            let packet = frames::solicitation((mac, from), gateway);
            frames::ethernet(a.mac, mac, frames::IPV6, &packet)
        })
    });
    lan("dhcp: random stations", LIMITED, &mut |stop| {
        attacker.flood(stop, STREAM, |a, number| {
            let mac = a.station();
            let discover = frames::discover(mac, u32::try_from(number).unwrap_or(0));
            frames::ethernet(MacAddr::BROADCAST, mac, frames::IPV4, &discover)
        })
    });
    lan("spoofed sources", dropped("source address does not belong"), &mut |stop| {
        attacker.flood(stop, FLOOD, |a, _| {
            let from = Ipv4Addr::from_bits(u32::try_from(a.rng.next_u64() >> 32).unwrap_or(0));
            let packet =
                frames::udp((from, 5_000), (Ipv4Addr::new(10, 1, 1, 10), 7_007), 64, &[0; 32]);
            a.frame(frames::IPV4, &packet)
        })
    });
    lan("punts", LIMITED, &mut |stop| attacker.flood(stop, FLOOD, Attacker::punt));
}
