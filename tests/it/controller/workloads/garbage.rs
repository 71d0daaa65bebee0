//! The collector of garbage: its planted bugs are found under their properties, it is silent without them, and a crash,
//! an old view or a missed event at any one place does not harm it.

use fatum::check::{Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Controller, Document, Expect, Registry, Scenario};
use fatum::sim::Keep;
use fatum::systems::controller::workload::Garbage;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn parse(text: &str) -> Scenario {
    let registry = Registry::new().with(Controller::<Garbage>::default());
    let mut scenario = Scenario::parse(&Document::new("garbage.toml", text), &registry).unwrap();
    scenario.check.failures_dir = None;
    scenario
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)).unwrap()
}

/// The files of the planted bugs.
fn bugs() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bugs/controller");
    let paths: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let names = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("garbage-")).collect();
    names.sort();
    names
}

fn sweep(scenario: &Scenario) -> Report {
    scenario.check.sweep(scenario.program(), &|_| {}).unwrap()
}

/// Harms the fault-free run of the whole scenario at every place in one way; what was found, all of it silent.
fn points(text: &str, kind: Perturbation) -> Points {
    let mut scenario = parse(text);
    scenario.check = scenario.check.points(kind);
    let report = sweep(&scenario);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    let points = report.points.unwrap();
    assert_eq!(points.covered, points.found, "{points}");
    points
}

/// The whole scenario, which notes each disk that it releases.
fn reporting() -> String {
    text("controller/garbage.toml").replace("resync = \"30s\"", "resync = \"30s\"\nreports = true")
}

#[test]
fn each_planted_bug_is_found_under_its_property_and_nothing_else_is() {
    assert_eq!(bugs().len(), 9, "{:?}", bugs());
    for bug in bugs() {
        let mut scenario = parse(&text(&format!("bugs/controller/{bug}")));
        scenario.check.runs = if bug.contains("foreground") { 1000 } else { 200 };
        scenario.check.shrunk_max = 1;
        let report = sweep(&scenario);
        let Expect::Ends { kind, property } = &scenario.expect else {
            panic!("{bug}: {:?}", scenario.expect)
        };
        let ends = report.failures.iter().map(|failure| (failure.run.end.kind(), failure.run.end.property()));
        let ends: BTreeSet<_> = ends.collect();
        assert_eq!(ends, BTreeSet::from([(*kind, property.as_deref())]), "{bug}");
    }
}

#[test]
fn each_planted_bug_sleeps_in_the_run_without_faults() {
    for bug in bugs() {
        let scenario = parse(&text(&format!("bugs/controller/{bug}")));
        let run = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(run.end, End::Passed, "{bug}");
    }
}

#[test]
fn nothing_is_found_without_a_bug() {
    let mut scenario = parse(&text("controller/garbage.toml"));
    scenario.check.runs = 500;
    let report = sweep(&scenario);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    assert!(report.coverage.values().all(|runs| *runs > 0), "{:?}", report.coverage);
}

#[test]
fn a_crash_after_any_write_or_release_is_survived() {
    let quiet = points(&text("controller/garbage.toml"), Perturbation::Crash);
    // Four disks are released, and each release is noted once.
    assert_eq!((quiet.found, points(&reporting(), Perturbation::Crash).found), (CRASHES, CRASHES + 4));
}

#[test]
fn any_view_may_be_old_and_any_event_missed() {
    let whole = text("controller/garbage.toml");
    assert!(points(&whole, Perturbation::Stale).found > 50);
    assert!(points(&whole, Perturbation::Missed).found > 20);
}

/// What the collector does in the run without faults, by act:
///
/// * recreate: marks the volume, releases its disk, deletes the volume and the backup;
/// * share: removes a reference to the first owner, and deletes the secret after the other;
/// * foreground: marks the volume, releases its disk, deletes the volume, the backup and the database;
/// * attach: marks the volume, releases its disk, deletes the volume and the database;
/// * orphan: removes the reference from the backup and deletes the database;
/// * hold: releases the disk and removes the finalizer.
const CRASHES: u64 = 4 + 2 + 5 + 4 + 2 + 2;
