//! Checksums that a sender on this machine left for a card to fill in.
//!
//! Such a frame carries the sum of its pseudo-header where the checksum of TCP or UDP belongs.

use packet::checksum::Checksum;
use packet::ethernet::{self, Kind, TYPE_IPV4, TYPE_IPV6};
use packet::ip::Fragment;
use packet::{ip, tcp, udp};

/// Where the checksum stands in a header of TCP.
const IN_TCP: usize = 16;
/// Where it stands in a header of UDP.
const IN_UDP: usize = 6;

/// Fills in the checksum of a TCP or UDP packet; anything else is left as it is.
pub(crate) fn finish(frame: &mut [u8]) {
    let Some((at, sum)) = missing(frame) else { return };
    if let Some(field) = frame.get_mut(at..at + size_of::<u16>()) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

/// Where a checksum belongs, and what it is.
fn missing(frame: &[u8]) -> Option<(usize, u16)> {
    let (header, packet) = ethernet::Header::decode(frame).ok()?;
    if !matches!(header.kind, Kind::Type(TYPE_IPV4 | TYPE_IPV6)) {
        return None;
    }
    let ip = ip::Packet::decode(packet).ok()?;
    let field = match ip.protocol {
        tcp::PROTOCOL => IN_TCP,
        udp::PROTOCOL => IN_UDP,
        _ => return None,
    };
    let segment = ip.payload(packet);
    let after = segment.get(field + size_of::<u16>()..)?;
    if ip.fragment != Fragment::Whole {
        return None;
    }
    let mut sum = Checksum::pseudo(ip.source, ip.destination, ip.protocol, segment.len());
    sum.add(segment.get(..field)?);
    sum.add(after);
    // RFC 768: a sum of zero goes out as all ones; zero says that there is none.
    let sum = if sum.value() == 0 && ip.protocol == udp::PROTOCOL { 0xffff } else { sum.value() };
    let start = segment.as_ptr().addr() - frame.as_ptr().addr();
    Some((start + field, sum))
}

#[cfg(test)]
mod tests {
    use super::finish;
    use core::net::{IpAddr, Ipv4Addr};
    use packet::{ethernet, udp};

    #[test]
    fn a_datagram_with_the_sum_of_its_pseudo_header_is_finished() {
        let (source, destination) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let ip = |address: [u8; 4]| IpAddr::V4(Ipv4Addr::from(address));
        let datagram = [0x30, 0x39, 0, 53, 0, 12, 0xde, 0xad, 1, 2, 3, 4];
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        let mut header = vec![0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0];
        header.extend(source.iter().chain(&destination));
        let sum = packet::checksum::of(&header);
        header.splice(10..12, sum.to_be_bytes());
        frame.extend(header);
        frame.extend(datagram);
        finish(&mut frame);
        let datagram = frame.get(ethernet::HEADER_LEN + 20..).unwrap();
        assert!(udp::checksum_is_right(ip(source), ip(destination), datagram));
    }

    #[test]
    fn what_is_no_datagram_stays_as_it_is() {
        for len in [0, 13, 14, 40] {
            let mut frame = vec![0x45; len];
            finish(&mut frame);
            assert_eq!(frame, vec![0x45; len]);
        }
    }
}
