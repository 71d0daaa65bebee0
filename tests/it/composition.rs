//! The five systems together: planted bugs between them, and a crash at any point.

use fatum::check::{Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Expect, Registry, Scenario};
use fatum::sim::Keep;
use std::path::Path;

fn scenario(path: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path);
    let mut scenario = Scenario::read(&path, &Registry::shipped()).unwrap_or_else(|error| panic!("{error}"));
    scenario.check.failures_dir = None;
    scenario.check.shrunk_max = 1;
    scenario
}

fn sweep(scenario: &Scenario) -> Report {
    scenario.check.sweep(scenario.program(), &|_| {}).unwrap()
}

#[test]
fn each_planted_bug_is_found_and_sleeps_in_the_run_without_faults() {
    for bug in ["bugs/composition/site-goes-first.toml", "bugs/composition/half-removed.toml"] {
        let scenario = scenario(bug);
        let quiet = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(quiet.end, End::Passed, "{bug}");
        let Expect::Ends { kind, property } = &scenario.expect else { panic!("{bug} expects a failure") };
        let report = sweep(&scenario);
        let found: Vec<_> = report.failures.iter().map(|failure| failure.end.signature()).collect();
        assert_eq!(found, [(*kind, *property)], "{bug}");
    }
}

#[test]
fn nothing_is_found_without_a_bug() {
    let mut whole = scenario("composition/site.toml");
    whole.check.runs = 150;
    let report = sweep(&whole);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    assert!(report.coverage.values().all(|runs| *runs > 0), "{:?}", report.coverage);
}

fn points(path: &str, kind: Perturbation) -> Points {
    let mut scenario = scenario(path);
    scenario.check.points = Some(kind);
    let report = sweep(&scenario);
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let points = report.points.unwrap();
    assert_eq!(points.covered, points.found, "{points}");
    points
}

#[test]
fn a_crash_after_any_write_or_effect_of_any_host_is_survived() {
    // The controller creates the instance and changes its version. The planner makes five parts of the first version and
    // four of the second, takes seven things of the first away (three tasks stopped and deleted, one workflow deleted),
    // and writes spec and status of the instance for each of the two plans.
    let upgraded = 2 + 5 + 4 + 7 + 4;
    assert_eq!(points("composition/half-removed.toml", Perturbation::Crash).found, upgraded);
    // The controller creates the instance, marks it as going, and deletes the site at the end. The planner makes five
    // parts with two writes of the instance, takes them away (three tasks stopped and deleted, two workflows deleted), and
    // deletes the instance.
    let removed = 3 + 5 + 2 + 6 + 2 + 1;
    assert_eq!(points("composition/site-goes-first.toml", Perturbation::Crash).found, removed);
}

#[test]
fn any_event_may_be_missed() {
    assert!(points("composition/site.toml", Perturbation::Missed).found > 5);
}
