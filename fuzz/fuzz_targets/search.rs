//! Any scenario, by the fuzzer's own guidance: FATUM_SCENARIO names its file. The fuzzer's bytes are a tape in fatum's
//! own text, and stay one when they are mutated, so an entry of the corpus replays with `fatum replay --scenario`.
#![no_main]

use fatum::check::TapeFuzzer;
use fatum::scenario::{Registry, Scenario};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

static SCENARIO: LazyLock<Scenario> = LazyLock::new(|| {
    let path = std::env::var_os("FATUM_SCENARIO")
        .expect("FATUM_SCENARIO is not set: name the scenario file that is to be fuzzed");
    Scenario::read(Path::new(&path), &Registry::shipped()).unwrap_or_else(|error| panic!("{error}"))
});

static FUZZER: LazyLock<Mutex<TapeFuzzer>> =
    LazyLock::new(|| Mutex::new(TapeFuzzer::new(SCENARIO.check.clone())));

fuzz_target!(|data: &[u8]| {
    let mut fuzzer = FUZZER.lock().unwrap_or_else(PoisonError::into_inner);
    fuzzer.run(data, SCENARIO.program());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let fuzzer = FUZZER.lock().unwrap_or_else(PoisonError::into_inner);
    let mutated = fuzzer.mutate(&data[..size], max_size, u64::from(seed));
    data[..mutated.len()].copy_from_slice(&mutated);
    mutated.len()
});
