//! The far end of a secure link in the wrong hands: it has the key, and seals what it likes.

use std::time::{Duration, Instant};

use base::Rng;
use host::device::Device as _;
use host::secure::SecureLink;

use super::flood::{changed, octets, paced};
use super::trial::Stop;
use crate::frames;
use crate::region::Region;
use crate::wait::wait_for;

/// Frames a second: each costs the attacker a seal, and the router another.
const RATE: u64 = 50_000;
/// A handshake is tried again after five seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a link carries, and what it does not: ARP, and Ethernet itself.
const KINDS: [u16; 7] =
    [frames::IPV4, frames::IPV6, 0x8847, 0x8848, frames::ISO, frames::ARP, 0x6558];

/// In the place of site S's router, which is not there.
pub(crate) struct Insider {
    link: SecureLink,
    rng: Rng,
}

impl Insider {
    pub(crate) fn new(region: &Region) -> Self {
        let config = region.secure_far_end();
        let socket = region.net.space("site-s").run(|| config.open());
        let link = SecureLink::new(&config, socket.expect("a socket")).expect("a link");
        let mut insider = Self { link, rng: Rng::new(1) };
        wait_for("session", PATIENCE, || {
            insider.attend();
            if insider.link.carrier() { Ok(()) } else { Err(insider.link.counters()) }
        });
        insider
    }

    /// Takes what the router says, and does what is due.
    fn attend(&mut self) {
        self.link.handle_timeout(Instant::now());
        self.link.receive(64, &mut |_| {}).expect("the socket is there");
    }

    fn flood(&mut self, stop: &Stop<'_>, mut make: impl FnMut(&mut Rng) -> Vec<u8>) -> u64 {
        paced(stop, RATE, |burst| {
            for _ in burst {
                let frame = make(&mut self.rng);
                self.link.send(&frame);
            }
            self.attend();
        })
    }

    /// Octets where GRE is to be; how many packets.
    pub(crate) fn garbage(&mut self, stop: &Stop<'_>) -> u64 {
        self.flood(stop, |rng| {
            let len = usize::try_from(rng.below(200)).unwrap_or(0);
            octets(rng, len)
        })
    }

    /// Octets where packets are to be, under a right header that is changed now and then.
    pub(crate) fn payloads(&mut self, stop: &Stop<'_>) -> u64 {
        self.flood(stop, |rng| {
            let choice = usize::try_from(rng.below(7)).unwrap_or(0);
            let kind = KINDS.get(choice).copied().unwrap_or(frames::IPV4);
            let payload = octets(rng, 100);
            let packet = frames::gre(kind, &payload);
            if rng.below(4) == 0 { changed(rng, packet, 0) } else { packet }
        })
    }
}
