//! What the proof says can talk is what can talk in the twin, and nothing else.

use crate::agreement::{Compared, agree, draw};

#[test]
fn pairs_that_can_talk_are_those_whose_packets_arrive_in_every_single_failure() {
    const SEEDS: u64 = 16;
    let mut all = Compared::default();
    for seed in 0..SEEDS {
        let plan = draw(seed).expect("a region");
        let compared = agree(&plan, seed);
        let one = compared.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        all.states += one.states;
        all.packets += one.packets;
        all.answered += one.answered;
    }
    assert!(all.states > 200 && all.answered > 1_000 && all.packets > 2 * all.answered, "{all:?}");
}
