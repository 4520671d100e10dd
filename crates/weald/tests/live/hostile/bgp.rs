//! BGP of a site's router in the wrong hands: over the kernel's TCP, one connection after another.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::Duration;

use base::{AsNumber, Rng};
use host::ethernet;

use super::flood::changed;
use super::trial::Stop;
use crate::region::Region;
use crate::wait::wait_for;

/// How long it may take until it is heard again: whoever announces too much is kept out for 30 s.
const UNTIL_TAKEN: Duration = Duration::from_secs(40);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// Octets of a message's header, and of the longest message (RFC 4271 §4.1).
const HEADER: usize = 19;
const MESSAGE_MAX: usize = 4_096;
const OPEN: u8 = 1;
const UPDATE: u8 = 2;
const KEEPALIVE: u8 = 4;

/// The router of site C, or who says so.
#[derive(Debug)]
pub(crate) struct Impostor<'a> {
    region: &'a Region,
    own: Ipv4Addr,
    core: Ipv4Addr,
    as_number: AsNumber,
    rng: Rng,
    /// A session that nothing was said on yet.
    ready: Option<TcpStream>,
}

/// A message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + body.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0xff; 16][..], &length, &[kind], body].concat()
}

/// A path attribute (RFC 4271 §4.3).
fn attribute(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[flags | 0x10, kind, high, low], value].concat()
}

impl<'a> Impostor<'a> {
    /// Takes the place of site C's router, which is not there.
    pub(crate) fn new(region: &'a Region) -> Self {
        let (own, core) = (Ipv4Addr::new(100, 64, 32, 5), Ipv4Addr::new(100, 64, 32, 4));
        let (_, port) = region.port("east-1", "to-site-c");
        assert!(port.addresses.iter().any(|one| one.address == core), "the plan is as ever");
        region.net.address("site-c", "p0", &format!("{own}/31"));
        let whole = region.net.space("site-c").run(|| ethernet::send_whole_frames("p0"));
        whole.expect("the kernel is told");
        // RFC 5082: from further away nobody is heard.
        let path = "/proc/sys/net/ipv4/ip_default_ttl";
        let told = region.net.space("site-c").run(|| std::fs::write(path, "255"));
        told.expect("the kernel is told");
        Self {
            region,
            own,
            core,
            as_number: AsNumber(4_200_000_002),
            rng: Rng::new(7),
            ready: None,
        }
    }

    /// A TCP connection to the core router.
    fn connect(&self) -> io::Result<TcpStream> {
        let address = (self.core, 179).into();
        let space = self.region.net.space("site-c");
        let stream = space.run(|| TcpStream::connect_timeout(&address, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn open_message(&self) -> Vec<u8> {
        let [a, b, c, d] = self.as_number.0.to_be_bytes();
        // VPN routes of both families, route refresh, an AS number of four octets.
        let capabilities = [1, 4, 0, 1, 0, 128, 1, 4, 0, 2, 0, 128, 2, 0, 65, 4, a, b, c, d];
        let length = u8::try_from(capabilities.len()).unwrap_or(0);
        // Version 4, AS_TRANS, and the shortest hold time: nobody else is heard before it is over
        // where the router does not see the end of a connection among what it drops.
        let head = [4, 0x5b, 0xa0, 0, 3];
        let body =
            [&head[..], &self.own.octets(), &[length + 2, 2, length], &capabilities].concat();
        message(OPEN, &body)
    }

    /// Waits until a session is established: the router has to see that the last one is over.
    pub(crate) fn prepare(&mut self) {
        let stream = wait_for("session", UNTIL_TAKEN, || self.establish().map_err(|e| e.kind()));
        self.ready = Some(stream);
    }

    /// The session that waits, or another.
    fn session(&mut self) -> io::Result<TcpStream> {
        self.ready.take().map_or_else(|| self.establish(), Ok)
    }

    /// A session that is established; nothing where it is refused.
    fn establish(&self) -> io::Result<TcpStream> {
        let mut stream = self.connect()?;
        stream.write_all(&self.open_message())?;
        for _ in 0..2 {
            let kind = heard(&mut stream)?;
            match kind {
                OPEN => stream.write_all(&message(KEEPALIVE, &[]))?,
                KEEPALIVE => return Ok(stream),
                _ => break,
            }
        }
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    /// An announcement of the site's own prefix: what it would say itself.
    fn announcement(&self, discriminator: u32) -> Vec<u8> {
        let prefix = [10, 1, 2];
        self.announcement_of(&[prefix], discriminator)
    }

    /// An announcement of `/24` prefixes under the site's distinguisher and target.
    fn announcement_of(&self, prefixes: &[[u8; 3]], discriminator: u32) -> Vec<u8> {
        let path = [&[2, 1][..], &self.as_number.0.to_be_bytes()].concat();
        let rd = [0, 0, 0xfd, 0xe8, 0, 0, 0, 3];
        let target = [0, 2, 0xfd, 0xe8, 0, 0, 0, 1];
        let mut reach = vec![0, 1, 128, 12, 0, 0, 0, 0, 0, 0, 0, 0];
        reach.extend(self.own.octets());
        reach.push(0);
        for prefix in prefixes {
            // A label, the distinguisher, the prefix.
            reach.extend([112, 0x06, 0x40, 0x01]);
            reach.extend(rd);
            reach.extend(prefix);
        }
        let attributes = [
            attribute(0x40, 1, &[0]),
            attribute(0x40, 2, &path),
            attribute(0x80, 4, &discriminator.to_be_bytes()),
            attribute(0xc0, 16, &target),
            attribute(0x80, 14, &reach),
        ]
        .concat();
        let length = u16::try_from(attributes.len()).unwrap_or(u16::MAX).to_be_bytes();
        message(UPDATE, &[&[0, 0][..], &length, &attributes].concat())
    }

    /// Announcements with some octets changed, on one session after the other; how many.
    pub(crate) fn mutated(&mut self, stop: &Stop<'_>) -> u64 {
        let mut sent = 0;
        while !stop.is_wanted() {
            let Ok(mut stream) = self.session() else { continue };
            while !stop.is_wanted() {
                let update = self.announcement(0);
                let update = changed(&mut self.rng, update, HEADER);
                if stream.write_all(&update).is_err() {
                    break;
                }
                sent += 1;
            }
        }
        sent
    }

    /// Octets that mean nothing, after an OPEN that does; how many sessions.
    pub(crate) fn garbage(&mut self, stop: &Stop<'_>) -> u64 {
        let mut sessions = 0;
        while !stop.is_wanted() {
            let Ok(mut stream) = self.session() else { continue };
            sessions += 1;
            let octets: Vec<u8> =
                (0..MESSAGE_MAX / 8).flat_map(|_| self.rng.next_u64().to_be_bytes()).collect();
            while !stop.is_wanted() && stream.write_all(&octets).is_ok() {}
        }
        sessions
    }

    /// The site's own prefix, better and worse in turn, as fast as it is taken; how often.
    pub(crate) fn restless(&mut self, stop: &Stop<'_>) -> u64 {
        self.steadily(stop, |own, number| own.announcement(u32::try_from(number % 2).unwrap_or(0)))
    }

    /// Hundreds of other people's prefixes, again and again; how many messages.
    pub(crate) fn thief(&mut self, stop: &Stop<'_>) -> u64 {
        let stolen: Vec<[u8; 3]> = (0..200).map(|third| [10, 1, third]).collect();
        self.steadily(stop, |own, number| {
            own.announcement_of(&stolen, u32::try_from(number % 2).unwrap_or(0))
        })
    }

    fn steadily(&mut self, stop: &Stop<'_>, message: impl Fn(&Self, u64) -> Vec<u8>) -> u64 {
        let mut sent = 0;
        while !stop.is_wanted() {
            let Ok(mut stream) = self.session() else { continue };
            while !stop.is_wanted() && stream.write_all(&message(self, sent)).is_ok() {
                sent += 1;
            }
        }
        sent
    }

    /// Connections on which nothing is said; how many.
    pub(crate) fn silent(&self, stop: &Stop<'_>) -> u64 {
        let mut held = Vec::new();
        let mut made = 0;
        while !stop.is_wanted() {
            held.extend(self.connect());
            made += 1;
            if held.len() > 200 {
                held.clear();
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        made
    }
}

/// Reads a message, and says of which type.
fn heard(stream: &mut TcpStream) -> io::Result<u8> {
    let mut head = [0; HEADER];
    stream.read_exact(&mut head)?;
    let [.., high, low, kind] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let mut body = vec![0; length.saturating_sub(HEADER)];
    stream.read_exact(&mut body)?;
    Ok(kind)
}
