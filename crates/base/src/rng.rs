//! The only source of randomness of the pure tier: seeded, portable, and split per owner.
//!
//! The generator is xoshiro256**, its state filled by `SplitMix64`, as its authors recommend.
//! It is for jitter and for searches, never for keys.

use core::time::Duration;

/// A deterministic random number generator.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A generator that gives the same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut seed = seed;
        Self { state: core::array::from_fn(|_| split_mix(&mut seed)) }
    }

    /// A generator for a part of the owner, independent of what the owner draws later.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s1.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= t;
        *s3 = s3.rotate_left(45);
        result
    }

    /// A number from `0` to `bound - 1`; `0` where `bound` is `0`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True in `per_million` of a million draws.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// `interval` made shorter by up to `percent` per cent, so that periodic work does not align.
    pub fn jitter(&mut self, interval: Duration, percent: u32) -> Duration {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let span = nanos / 100 * u64::from(percent.min(100));
        Duration::from_nanos(nanos - self.below(span.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;
    use core::time::Duration;

    #[test]
    fn same_seed_same_numbers_and_forks_differ() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        assert_eq!(a.next_u64(), b.next_u64());
        let (mut fork, mut again) = (a.fork(), b.fork());
        assert_eq!(fork.next_u64(), again.next_u64());
        assert_ne!(a.next_u64(), fork.next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut rng = Rng::new(1);
        let mut seen = [false; 5];
        for _ in 0..200 {
            let value = usize::try_from(rng.below(5)).unwrap();
            seen[value] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn jitter_only_shortens_and_within_its_share() {
        let mut rng = Rng::new(3);
        let interval = Duration::from_millis(100);
        for _ in 0..100 {
            let jittered = rng.jitter(interval, 25);
            assert!(jittered <= interval && jittered >= Duration::from_millis(75));
        }
    }
}
