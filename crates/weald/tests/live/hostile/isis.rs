//! IS-IS of a neighbour that has gone mad: its own protocol data units, changed.

use base::MacAddr;

use super::flood::Attacker;
use super::trial::Stop;
use crate::frames;
use crate::region::Region;

/// Octets of an Ethernet header, its length field among them, and of LLC.
const LINK_HEADER: usize = 17;
/// The type of a protocol data unit: its place, and that of a link-state PDU of level 2.
const KIND_AT: usize = 4;
const LINK_STATE: u8 = 20;
/// Places in a link-state PDU (ISO 10589 §9.9): from where the checksum is, and it itself.
const SUMMED_FROM: usize = 12;
const CHECKSUM_AT: usize = 24;

/// What the far end of east's core link has said: hellos, link-state PDUs, and both kinds of sequence
/// numbers.
pub(crate) fn overheard(region: &Region) -> Vec<Vec<u8>> {
    let units = region.overheard.iter().filter_map(|frame| frame.get(LINK_HEADER..));
    let units: Vec<Vec<u8>> =
        units.filter(|unit| unit.first() == Some(&0x83)).map(<[u8]>::to_vec).collect();
    for kind in [17, LINK_STATE, 25, 27] {
        let found = units.iter().any(|unit| unit.get(KIND_AT) == Some(&kind));
        assert!(found, "a protocol data unit of type {kind} among {}", units.len());
    }
    units
}

/// Writes the checksum that fits a link-state PDU (ISO 10589 §7.3.11, ISO 8473 annex C).
fn sum(unit: &mut [u8]) {
    let Some(place) = unit.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) else { return };
    place.fill(0);
    let summed = unit.get(SUMMED_FROM..).unwrap_or_default();
    let (mut c0, mut c1) = (0_i64, 0_i64);
    for octet in summed {
        c0 = (c0 + i64::from(*octet)) % 255;
        c1 = (c1 + c0) % 255;
    }
    let behind = i64::try_from(summed.len() - (CHECKSUM_AT - SUMMED_FROM)).unwrap_or(0);
    let octet = |value: i64| match u8::try_from(value.rem_euclid(255)) {
        Ok(0) | Err(_) => 255,
        Ok(value) => value,
    };
    let x = octet((behind - 1) * c0 - c1);
    let y = octet(c1 - behind * c0);
    if let Some(place) = unit.get_mut(CHECKSUM_AT..CHECKSUM_AT + 2) {
        place.copy_from_slice(&[x, y]);
    }
}

/// Changed PDUs; those that carry a checksum are given the right one every other time.
pub(crate) fn changed(
    attacker: &mut Attacker,
    units: &[Vec<u8>],
    stop: &Stop<'_>,
    rate: u64,
) -> u64 {
    attacker.flood(stop, rate, |attacker, number| {
        let choice = attacker.below(units.len());
        let unit = units.get(choice).map_or(&[][..], Vec::as_slice);
        let mut unit = attacker.mutated(unit, KIND_AT);
        if unit.get(KIND_AT) == Some(&LINK_STATE) && number.is_multiple_of(2) {
            sum(&mut unit);
        }
        frames::iso(MacAddr::ALL_IS, attacker.far_mac, &unit)
    })
}

/// Link-state PDUs of routers that do not exist, as long as they may be, with everything right but
/// a signature.
pub(crate) fn strangers(attacker: &mut Attacker, stop: &Stop<'_>, rate: u64) -> u64 {
    attacker.flood(stop, rate, |attacker, number| {
        let mut unit = vec![0x83, 27, 1, 0, LINK_STATE, 1, 0, 0];
        // Its length, twenty minutes to live, and who it is from.
        unit.extend([5, 0xd4, 4, 0xb0, 0x66, 0x66]);
        unit.extend(number.to_be_bytes().get(4..).unwrap_or_default());
        // A fragment, sequence 1, no checksum yet, level 2.
        unit.extend([0, 0, 0, 0, 0, 1, 0, 0, 3]);
        // Extended reachability of others that do not exist, eleven octets each.
        while unit.len() + 244 <= 1_492 {
            unit.extend([22, 242]);
            for _ in 0..22 {
                let mut neighbour = attacker.octets(10);
                neighbour.push(0);
                unit.extend(neighbour);
            }
        }
        let [high, low] = u16::try_from(unit.len()).unwrap_or(0).to_be_bytes();
        if let Some(place) = unit.get_mut(8..10) {
            place.copy_from_slice(&[high, low]);
        }
        sum(&mut unit);
        frames::iso(MacAddr::ALL_IS, attacker.far_mac, &unit)
    })
}
