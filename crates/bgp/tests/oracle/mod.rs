//! Other people's codecs as oracles: each reads what this crate writes, and the other way round.

mod netgauze;
mod rustbgpd;
