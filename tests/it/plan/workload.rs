//! Plans in their world: each planted bug is found under its property, the correct controller is silent, and a crash after
//! any write does not harm it.

use fatum::check::{Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Document, Expect, Registry, Scenario};
use fatum::sim::Keep;
use fatum::systems::plan::Variant;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn parse(text: &str) -> Scenario {
    let mut scenario = Scenario::parse(&Document::new("plan.toml", text), &Registry::shipped()).unwrap();
    scenario.check.failures_dir = None;
    scenario
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)).unwrap()
}

fn sweep(scenario: &Scenario) -> Report {
    scenario.check.sweep(scenario.program(), &|_| {}).unwrap()
}

/// All variants but the correct one: each has a file of its name.
fn bugs() -> Vec<&'static str> {
    Variant::NAMES[1..].to_vec()
}

#[test]
fn each_planted_bug_is_found_under_its_property_and_nothing_else_is() {
    for bug in bugs() {
        let mut scenario = parse(&text(&format!("bugs/plan/{bug}.toml")));
        scenario.check.runs = 250;
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
        let scenario = parse(&text(&format!("bugs/plan/{bug}.toml")));
        let run = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(run.end, End::Passed, "{bug}");
    }
}

#[test]
fn nothing_is_found_without_a_bug() {
    for name in ["database", "broker"] {
        let mut scenario = parse(&text(&format!("plan/{name}.toml")));
        scenario.check.runs = 60;
        let report = sweep(&scenario);
        assert_eq!(report.verdict, Verdict::Passed, "{name}: {:#?}", report.failures);
    }
}

/// Crashes the controller after each write of the fault-free run, one run for each; how many there are.
fn crashes(text: &str) -> u64 {
    let mut scenario = parse(text);
    scenario.check = scenario.check.points(Perturbation::Crash);
    let report = sweep(&scenario);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    let Points { found, covered, .. } = report.points.unwrap();
    assert_eq!(covered, found);
    found
}

#[test]
fn a_crash_after_any_write_is_survived() {
    let one = text("plan/status-before-spec.toml");
    let deploy = one.replace("acts = [\"deploy\", \"backup\"]", "acts = [\"deploy\"]");
    assert_eq!(crashes(&deploy), DEPLOY);
    assert_eq!(crashes(&one), DEPLOY + BACKUP, "a plan more is its writes more");
}

/// What the controller writes while a database is deployed without faults.
///
/// * Objects: 2 volumes, a map of settings and a role; the pod of certificates, its 2 artefacts, and the pod's removal; the
///   primary, its service and the replicas; the schema's job and its removal; the exporter.
/// * The instance: its spec as the plan begins and as it ends, and its status after each pass that changed it.
const DEPLOY: u64 = 4 + 4 + 3 + 2 + 1 + 2 + 6;
/// The backup's job; spec and status at the beginning, and at the end.
const BACKUP: u64 = 1 + 4;
