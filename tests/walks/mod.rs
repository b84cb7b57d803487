//! Random walks through the session's machine, from fixed seeds: what nobody thought of. What must always hold stands in
//! `testkit::judge`; a failure names its seed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use twoport_testkit::pair;
use twoport_testkit::random::Random;
use twoport_testkit::walk::session_walk;

/// The bytes of the walk with this number: mostly short, so that what fails is easy to read.
fn path_of(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let length = 8 + random.below(120);
    random.bytes(length)
}

#[test]
fn twenty_thousand_walks_break_no_rule() {
    let (mut finals, mut transfers) = (0, 0);
    for seed in 0..20_000 {
        let bytes = path_of(seed);
        match catch_unwind(AssertUnwindSafe(|| session_walk(&bytes))) {
            Ok(went) => {
                finals += went.finals;
                transfers += went.transfers;
            }
            Err(_) => panic!("walk {seed} broke a rule (above); its bytes: {bytes:?}"),
        }
    }
    // Walks that never get anywhere would break no rule either.
    assert!(finals > 200_000 && transfers > 10_000, "{finals} final replies, {transfers} transfers");
}

#[test]
fn three_thousand_pairs_end_in_step() {
    let mut codes = BTreeMap::new();
    for seed in 0..3000 {
        let (asks, weather) = pair::from_seed(seed);
        match catch_unwind(|| pair::play(&asks, weather, seed)) {
            Ok(outcome) => outcome.finals.iter().for_each(|(_, code)| *codes.entry(*code).or_insert(0) += 1),
            Err(_) => panic!("pair {seed} fell out of step (above): {weather:?}, {asks:?}"),
        }
    }
    // Every way in which a transfer ends was met.
    for code in [211, 225, 226, 425, 426, 500, 550] {
        assert!(codes.get(&code).is_some_and(|times| *times > 20), "{code} in {codes:?}");
    }
}
