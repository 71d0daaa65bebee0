//! Every planted bug is caught by the property that its documentation names, on a workload that the engine without
//! it passes under all schedules tried.

use fatum::systems::graph::workload::{Workload, WorkloadResult, run};
use fatum::systems::graph::{Variant, properties};

use super::{Observed, simulate_seeded};

/// When a planted bug shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shows {
    /// In every run of the workload.
    Always,
    /// Only when something goes wrong: the workload without its overrides passes.
    Harmed,
    /// Only under some schedules: the baseline passes.
    Stirred,
    /// Only when something goes wrong, and only under some schedules.
    HarmedAndStirred,
}

struct Planted {
    variant: Variant,
    property: &'static str,
    shows: Shows,
    workload: &'static str,
}

const SEEDS: u64 = 300;

fn planted() -> Vec<Planted> {
    let row = |variant, property, shows, workload| Planted { variant, property, shows, workload };
    vec![
        row(Variant::QueuedVanish, "conservation", Shows::Harmed, FAILING_STAR),
        row(Variant::TokenUnderLock, "liveness", Shows::Stirred, WIDE_STAR),
        row(Variant::UnvisitedDropped, "conservation", Shows::HarmedAndStirred, TWO_ROOTS_ONE_FAILS),
        row(Variant::AddAfterDone, "queue", Shows::Harmed, ORPHAN_UNBLOCKS),
        row(Variant::OrphanErrorEndsWait, "conservation", Shows::Harmed, ORPHAN_FAILS),
        row(Variant::CountBeforeRecord, "conservation", Shows::Always, PAIR),
        row(Variant::QueueBeforeRemoving, "at-most-once", Shows::Stirred, TWO_ROOTS),
        row(Variant::SuccessBeforeErrorCheck, "causality", Shows::Harmed, CHAIN_FAILS),
        row(Variant::PassSkippedWhenBusy, "work-conserving", Shows::Stirred, ONE_EACH),
        row(Variant::QueueBeforeSignal, "completeness", Shows::Always, CHAIN),
        row(Variant::HollowVerdict, "honest-verdict", Shows::Harmed, STUCK),
        row(Variant::OrphansUnderRunDeadline, "honest-verdict", Shows::Harmed, SLOW_ORPHAN),
        row(Variant::StopDespiteContinue, "minimal-blockage", Shows::Harmed, CHAIN_FAILS),
        row(Variant::ExtraWorker, "concurrency-cap", Shows::Always, STAR),
        row(Variant::WakeDroppedWhenBusy, "work-conserving", Shows::Always, STAR),
        row(Variant::StartAfterStop, "stop", Shows::HarmedAndStirred, TIED_FAILURE),
        row(Variant::LiveResult, "frozen-result", Shows::HarmedAndStirred, TIED_ORPHAN),
        row(Variant::FailureUnrecorded, "trace", Shows::Harmed, FAILING_STAR),
        row(Variant::SignalTwice, "signal-multiplicity", Shows::Always, CHAIN),
        row(Variant::DryRunIgnored, "dry-run", Shows::Always, DRY_RUN),
        row(Variant::RetryAfterCancel, "retry", Shows::Harmed, RETRY_AT_DEADLINE),
        row(Variant::RetrySwallowsError, "retry", Shows::Harmed, RETRY_GIVES_UP),
        row(Variant::NewestFirst, "queue", Shows::Always, STAR),
    ]
}

const STAR: &str = r#"
behaviour = { duration = "10ms" }
graph.star = { fan-out = 5 }
"#;

const CHAIN: &str = r#"
behaviour = { duration = "10ms" }
graph.chain = { length = 4 }
"#;

const CHAIN_FAILS: &str = r#"
behaviour = { duration = "10ms" }
graph.chain = { length = 4 }
overrides.link-1 = { ends = "error" }
"#;

const FAILING_STAR: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "200ms" }
graph.star = { fan-out = 6 }
overrides.leaf-0 = { duration = "50ms", ends = "error" }
"#;

const WIDE_STAR: &str = r#"
overdue-after = "60s"
graph.star = { fan-out = 150 }
"#;

const PAIR: &str = r#"
behaviour = { duration = "10ms" }
graph.actions = [{ name = "a" }, { name = "b" }]
"#;

const ONE_EACH: &str = r#"
behaviour = { duration = "10ms" }
graph.actions = [{ name = "a" }, { name = "b" }, { name = "a1", wants = ["a"] }, { name = "b1", wants = ["b"] }]
"#;

const TWO_ROOTS: &str = r#"
behaviour = { duration = "10ms" }
graph.actions = [
  { name = "a" }, { name = "b" },
  { name = "a1", wants = ["a"] }, { name = "a2", wants = ["a"] }, { name = "a3", wants = ["a"] },
  { name = "b1", wants = ["b"] }, { name = "b2", wants = ["b"] }, { name = "b3", wants = ["b"] },
]
"#;

const TWO_ROOTS_ONE_FAILS: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "10ms" }
graph.actions = [
  { name = "a" }, { name = "b" },
  { name = "a1", wants = ["a"] }, { name = "a2", wants = ["a"] }, { name = "a3", wants = ["a"] },
]
overrides.b = { duration = "10ms", ends = "error" }
"#;

const ORPHAN_UNBLOCKS: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "50ms" }
graph.actions = [{ name = "a" }, { name = "b" }, { name = "d", wants = ["b"] }]
overrides.a = { duration = "10ms", ends = "error" }
"#;

const ORPHAN_FAILS: &str = r#"
executor = { error-strategy = "stop-on-error", workers = 3 }
behaviour = { duration = "50ms" }
graph.actions = [{ name = "a" }, { name = "b" }, { name = "c" }]
overrides.a = { duration = "10ms", ends = "error" }
overrides.b = { duration = "20ms", ends = "error" }
"#;

const STUCK: &str = r#"
executor = { timeout = "100ms", orphan-timeout = "100ms", workers = 1 }
behaviour = { duration = "10ms" }
graph.actions = [{ name = "a" }, { name = "b" }]
overrides.a = { ends = "hang", ignores-cancel = true }
"#;

const SLOW_ORPHAN: &str = r#"
executor = { timeout = "2s", orphan-timeout = "5s" }
behaviour = { duration = "500ms" }
graph.actions = [{ name = "a" }, { name = "b", wants = ["a"] }, { name = "c" }]
overrides.c = { duration = "5s", ignores-cancel = true }
"#;

const TIED_FAILURE: &str = r#"
executor = { error-strategy = "stop-on-error" }
behaviour = { duration = "10ms" }
graph.actions = [{ name = "a" }, { name = "b" }, { name = "c" }, { name = "d" }]
overrides.a = { duration = "10ms", ends = "error" }
"#;

const TIED_ORPHAN: &str = r#"
executor = { timeout = "1s", orphan-timeout = "1s" }
behaviour = { duration = "100ms" }
graph.actions = [{ name = "a" }, { name = "b", wants = ["a"] }]
overrides.a = { duration = "2s", ignores-cancel = true }
"#;

const DRY_RUN: &str = r#"
executor = { dry-run = true }
behaviour = { duration = "10ms" }
graph.chain = { length = 3 }
"#;

const RETRY_AT_DEADLINE: &str = r#"
executor = { timeout = "100ms" }
graph.actions = [{ name = "a" }]
overrides.a = { ends = "error", retry = { delay = "100ms" } }
"#;

const RETRY_GIVES_UP: &str = r#"
graph.actions = [{ name = "a" }, { name = "b", wants = ["a"] }]
overrides.a = { ends = "error", retry = { delay = "10ms", attempts-max = 2 } }
"#;

fn workload(text: &str, variant: Variant, harmed: bool) -> Workload {
    let mut workload: Workload = toml::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    workload.executor.variant = variant;
    if !harmed {
        workload.overrides.clear();
    }
    workload
}

fn observe(workload: &Workload, seed: u64) -> Observed<WorkloadResult> {
    let workload = workload.clone();
    simulate_seeded(seed, move || async move { run(&workload).await })
}

/// The property broken under this seed, if any.
fn broken(workload: &Workload, seed: u64) -> Option<&'static str> {
    observe(workload, seed).judge().err().map(|violation| violation.property)
}

#[test]
fn the_correct_engine_passes_every_workload_of_a_planted_bug() {
    for row in planted() {
        for harmed in [false, true] {
            let workload = workload(row.workload, Variant::Correct, harmed);
            let seeds = if row.workload == WIDE_STAR { 20 } else { SEEDS };
            for seed in 0..seeds {
                let seen = observe(&workload, seed);
                if let Err(violation) = seen.judge() {
                    panic!("{}, harmed: {harmed}, seed {seed}: {violation}\n{}", row.variant, seen.listing());
                }
            }
        }
    }
}

#[test]
fn every_planted_bug_is_caught_by_its_property() {
    for row in planted() {
        let workload = workload(row.workload, row.variant, true);
        let found = (0..SEEDS).find_map(|seed| broken(&workload, seed));
        assert_eq!(found, Some(row.property), "{}", row.variant);
    }
}

#[test]
fn a_planted_bug_hides_where_it_should() {
    for row in planted() {
        let baseline = broken(&workload(row.workload, row.variant, false), 0);
        let harmed = broken(&workload(row.workload, row.variant, true), 0);
        let is_always = row.shows == Shows::Always;
        assert_eq!(baseline.is_some(), is_always, "{} in the baseline run: {baseline:?}", row.variant);
        if matches!(row.shows, Shows::Always | Shows::Harmed) {
            assert_eq!(harmed, Some(row.property), "{} harmed", row.variant);
        }
    }
}

#[test]
fn every_variant_is_planted_somewhere() {
    let mut planted: Vec<Variant> = planted().iter().map(|row| row.variant).collect();
    planted.push(Variant::Correct);
    planted.sort();
    let mut all = Variant::ALL.to_vec();
    all.sort();
    assert_eq!(planted, all);
}

#[test]
fn every_property_named_exists() {
    assert!(planted().iter().all(|row| properties::NAMES.contains(&row.property)));
}

#[test]
fn variants_are_read_by_name() {
    for variant in Variant::ALL {
        assert_eq!(variant.name().parse(), Ok(variant));
        let json = serde_json::to_string(&variant).expect("a unit variant is a text");
        assert_eq!(json, format!("{:?}", variant.name()));
    }
    let error = "queued-vanishes".parse::<Variant>().expect_err("it is misspelt").to_string();
    assert!(
        error.starts_with("no variant is called `queued-vanishes`; allowed are correct, queued-vanish, ")
    );
}
