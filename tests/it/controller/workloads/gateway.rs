//! The gateway workload: silent when it is correct, each planted bug found with its property, and every point covered.

use fatum::check::{Perturbation, Points, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Document, Expect, Registry, Scenario};
use fatum::sim::{Keep, Run};
use std::fs;
use std::path::{Path, PathBuf};

/// Seeds that suffice for the rarest bug.
const SEEDS: u64 = 400;

/// The scenario files of the workload below a directory, sorted.
fn files(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("gateway"));
    files.sort();
    files
}

fn bugs() -> Vec<Scenario> {
    let read = |path: &PathBuf| Scenario::read(path, &Registry::shipped()).unwrap();
    files("scenarios/bugs/controller").iter().map(read).collect()
}

/// The scenario with all faults, edited.
fn whole(edit: impl Fn(String) -> String) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/controller/gateway.toml");
    let text = edit(fs::read_to_string(path).unwrap());
    let mut scenario = Scenario::parse(&Document::new("gateway.toml", &text), &Registry::shipped()).unwrap();
    scenario.check.failures_dir = None;
    scenario
}

fn baseline(scenario: &Scenario) -> Run {
    scenario.check.replay(&Tape::default(), Keep::default(), scenario.program())
}

/// The points of a kind, of a sweep over them that passes.
fn points(kind: Perturbation, edit: impl Fn(String) -> String) -> Points {
    let mut scenario = whole(edit);
    scenario.check.points = Some(kind);
    let report = scenario.check.sweep(scenario.program(), &|_| {}).unwrap();
    let failures: Vec<&End> = report.failures.iter().map(|failure| &failure.end).collect();
    assert!(failures.is_empty(), "{failures:?}");
    assert!(!matches!(report.verdict, Verdict::Failed), "{:?}", report.verdict);
    report.points.unwrap()
}

#[test]
fn the_correct_controller_is_silent_under_all_faults() {
    let scenario = whole(|text| text);
    for seed in 0..60 {
        let run = scenario.run_seed(seed);
        assert_eq!(run.end, End::Passed, "seed {seed}");
    }
}

#[test]
fn each_bug_passes_its_baseline_and_is_found_with_its_property_alone() {
    let bugs = bugs();
    assert_eq!(bugs.len(), 7);
    for scenario in bugs {
        assert_eq!(baseline(&scenario).end, End::Passed, "{}", scenario.name);
        let ends = (0..SEEDS).map(|seed| scenario.run_seed(seed).end);
        let found = ends.into_iter().find(|end| !end.is_passed());
        let found = found.unwrap_or_else(|| panic!("{} was not found", scenario.name));
        let Expect::Ends { kind, property } = scenario.expect else { panic!("{}", scenario.name) };
        assert_eq!(found.signature(), (kind, property), "{}: {}", scenario.name, found.sentence());
    }
}

#[test]
fn each_bug_is_another_variant() {
    let variants: Vec<&str> = bugs().iter().map(|scenario| scenario.variant).collect();
    let mut distinct = variants.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), variants.len(), "{variants:?}");
}

#[test]
fn a_crash_after_any_write_is_survived_and_further_writes_are_further_points() {
    let few = points(Perturbation::Crash, |text| text);
    assert_eq!(few.found, few.covered);
    let noted = |text: String| text.replace("[workload]", "[workload]\nnotes = 2");
    let many = points(Perturbation::Crash, noted);
    assert_eq!(many.found, many.covered);
    assert_eq!(many.found, few.found + 2 * bound_writes(), "two notes follow each write of what is bound");
}

/// How often what is bound is created or updated in the fault-free run.
fn bound_writes() -> u64 {
    let scenario = whole(|text| text);
    let run = scenario.check.replay(&Tape::default(), Keep::Trace, scenario.program());
    let lines = run.trace.to_string();
    let is_bound = |line: &&str| {
        (line.contains("store.created") || line.contains("store.updated"))
            && line.contains("bound-api-gateway")
    };
    lines.lines().filter(is_bound).count() as u64
}

#[test]
fn an_old_view_and_a_missed_event_are_survived_wherever_they_can_be() {
    for kind in [Perturbation::Stale, Perturbation::Missed] {
        let points = points(kind, |text| text);
        assert!(points.found > 20, "{points}");
        assert_eq!(points.found, points.covered, "{points}");
    }
}
