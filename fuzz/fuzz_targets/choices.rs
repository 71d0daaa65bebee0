//! The fuzzer's bytes are the choices: schedule, faults and drawn graphs of a simulation of action graphs.
//!
//! The first byte picks the scenario; the correct engine must pass under whatever the others say, and the run's tape
//! must repeat it.
#![no_main]

use fatum::check::Check;
use fatum::choice::bytes::BytesSource;
use fatum::scenario::{Document, Registry, Scenario};
use fatum::sim::Keep;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static SCENARIOS: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../scenarios/graph/lb-create.toml"),
        include_str!("../../scenarios/graph/ties.toml"),
        include_str!("../../scenarios/graph/orphans.toml"),
        include_str!("../../scenarios/graph/random-dag.toml"),
    ];
    let registry = Registry::shipped();
    let parse = |text: &str| Scenario::parse(&Document::new("scenario.toml", text), &registry);
    texts.iter().map(|text| parse(text).expect("the scenario can be read")).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((first, choices)) = data.split_first() else { return };
    let scenario = &SCENARIOS[usize::from(*first) % SCENARIOS.len()];
    let check: &Check = &scenario.check;
    let run = check.run_source(Box::new(BytesSource::new(choices)), Keep::Tape, scenario.program());
    assert!(!run.end.is_failure(), "{}", run.end.sentence());
    let again = check.replay(&run.tape, Keep::Tape, scenario.program());
    assert!(run.is_same(&again), "the tape of a run repeats it");
    assert_eq!(again.matched.unmatched, 0);
});
