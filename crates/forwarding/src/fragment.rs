//! Fragmentation of IPv4 packets that may be fragmented.
//!
//! It happens in front of a link that is too narrow, beneath the labels too (RFC 3032 §3.4):
//! whoever must, takes the labels off, fragments, and puts the same labels on every fragment.
//!
//! Standards: RFC 791 §3.2 (fragmentation, which options are copied).
//! Not implemented: reassembly; fragmentation of IPv6, which routers never do.

use packet::PacketBuf;
use packet::ipv4::{Header, Options};

/// RFC 791 §3.2: every link carries 68 octets without further fragmentation.
pub(crate) const MTU_MIN: usize = 68;

/// The options that every fragment carries: those with the copied flag (RFC 791 §3.1).
fn copied(options: Options) -> Options {
    let mut kept = Vec::new();
    let mut rest = options.as_slice();
    while let [kind, len, ..] = rest {
        if *kind == 0 {
            break;
        }
        let len = if *kind == 1 { 1 } else { usize::from(*len).max(2) };
        let Some((option, after)) = rest.split_at_checked(len) else { break };
        if kind & 0x80 != 0 {
            kept.extend(option);
        }
        rest = after;
    }
    Options::new(&kept).unwrap_or(Options::NONE)
}

/// The fragments of a packet, none longer than `mtu`; `None` where it cannot be done.
pub(crate) fn fragments(bytes: &[u8], mtu: usize) -> Option<Vec<PacketBuf>> {
    let (header, payload) = Header::decode(bytes).ok()?;
    // An end beyond the largest packet has no offset that could be written.
    let end = usize::from(header.fragment_offset) * 8 + payload.len();
    if header.dont_fragment || mtu < MTU_MIN || end > usize::from(u16::MAX) {
        return None;
    }
    let mut fragments = Vec::new();
    let (mut options, mut rest, mut offset) = (header.options, payload, header.fragment_offset);
    while !rest.is_empty() {
        let fixed = Header { options, ..header };
        let room = (mtu - fixed.len()) / 8 * 8;
        let last = rest.len() <= mtu - fixed.len();
        let (piece, after) = rest.split_at_checked(if last { rest.len() } else { room })?;
        let fragment = Header {
            payload_len: u16::try_from(piece.len()).ok()?,
            more_fragments: header.more_fragments || !last,
            fragment_offset: offset,
            ..fixed
        };
        let mut octets = Vec::with_capacity(mtu);
        fragment.encode(&mut octets);
        octets.extend(piece);
        fragments.push(PacketBuf::from_slice(&octets));
        offset += u16::try_from(piece.len() / 8).ok()?;
        options = copied(header.options);
        rest = after;
    }
    Some(fragments)
}

#[cfg(test)]
mod tests {
    use super::fragments;
    use packet::ipv4::{Header, Options};
    use proptest::prelude::*;

    fn header(options: Options) -> Header {
        Header {
            traffic_class: 0,
            payload_len: 0,
            identification: 7,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 9,
            protocol: 17,
            source: "192.0.2.1".parse().unwrap(),
            destination: "192.0.2.2".parse().unwrap(),
            options,
        }
    }

    fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let payload_len = u16::try_from(payload.len()).unwrap();
        Header { payload_len, ..header }.encode(&mut bytes);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn only_copied_options_are_on_later_fragments() {
        let options = Options::new(&[7, 4, 4, 0, 148, 4, 0, 0]).unwrap();
        let pieces = fragments(&packet(header(options), &[1; 100]), 68).unwrap();
        let found: Vec<_> =
            pieces.iter().map(|piece| Header::decode(piece.bytes()).unwrap().0.options).collect();
        assert_eq!(found[0], options);
        assert_eq!(found[1].as_slice(), [148, 4, 0, 0]);
    }

    #[test]
    fn nothing_is_done_against_the_senders_will_or_below_the_least_mtu() {
        let unwilling = Header { dont_fragment: true, ..header(Options::NONE) };
        assert_eq!(fragments(&packet(unwilling, &[1; 100]), 68), None);
        assert_eq!(fragments(&packet(header(Options::NONE), &[1; 100]), 67), None);
    }

    proptest! {
        #[test]
        fn fragments_fit_and_join_to_the_whole(
            len in 1_usize..3000, mtu in 68_usize..1500, offset in 0_u16..1000, more: bool,
        ) {
            let len = if more { len.next_multiple_of(8) } else { len };
            let payload: Vec<u8> = (0..len).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let whole = Header {
                fragment_offset: offset, more_fragments: more, ..header(Options::NONE)
            };
            let mut joined: Vec<u8> = Vec::new();
            let mut last_more = true;
            for fragment in fragments(&packet(whole, &payload), mtu).unwrap() {
                prop_assert!(fragment.len() <= mtu);
                let (header, piece) = Header::decode(fragment.bytes()).unwrap();
                prop_assert_eq!(usize::from(header.fragment_offset - offset) * 8, joined.len());
                joined.extend(piece);
                last_more = header.more_fragments;
            }
            prop_assert_eq!(last_more, more);
            prop_assert_eq!(joined, payload);
        }
    }
}
