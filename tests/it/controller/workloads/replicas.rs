//! Replicas: every variant breaks the property that its file names, and the correct one survives every point.

use fatum::check::{Perturbation, Points};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Controller, Document, Expect, Registry, Scenario};
use fatum::sim::Keep;
use fatum::systems::controller::workload::Replicas;
use std::fs;
use std::path::Path;

/// Seeds until a bug must have shown.
const SEEDS_MAX: u64 = 400;
/// Seeds that the correct one survives here; the scenario files have more.
const SEEDS: u64 = 60;

/// A bug, its property, and whether it is an end that did not converge.
const BUGS: [(&str, &str, &str); 7] = [
    ("no-fence", "fenced", "violated"),
    ("wall-clock-lease", "lease-kept", "violated"),
    ("roll-on-error", "needed", "violated"),
    ("status-as-truth", "converges", "not-converged"),
    ("deletion-heard", "converges", "not-converged"),
    ("owner-by-name", "converges", "not-converged"),
    ("exit-untagged", "leader-works", "violated"),
];

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn scenario(text: &str) -> Scenario {
    let registry = Registry::new().with(Controller::<Replicas>::default());
    let scenario = Scenario::parse(&Document::new("replicas.toml", text), &registry);
    scenario.unwrap_or_else(|error| panic!("{error}"))
}

fn points(text: &str, kind: Perturbation) -> Points {
    let scenario = scenario(text);
    let check = scenario.check.clone().points(kind).failures_dir(None);
    let report = check.sweep(scenario.program(), &|_| {}).unwrap();
    let ends: Vec<String> = report.failures.iter().map(|failure| failure.end.sentence()).collect();
    assert!(ends.is_empty(), "{}: {ends:?}", kind.name());
    report.points.unwrap()
}

#[test]
fn every_bug_is_found_under_its_name() {
    for (variant, property, kind) in BUGS {
        let scenario = scenario(&text(&format!("scenarios/bugs/controller/replicas-{variant}.toml")));
        assert_eq!(scenario.variant, variant);
        assert_eq!(scenario.expect, Expect::Ends { kind, property: Some(property) }, "{variant}");
        let mut ends = (0..SEEDS_MAX).map(|seed| scenario.run_seed(seed).end);
        let found = ends.find(|end| !end.is_passed());
        let found = found.unwrap_or_else(|| panic!("{variant} was not found"));
        assert_eq!(found.signature(), (kind, Some(property)), "{variant}: {}", found.sentence());
    }
}

#[test]
fn every_bug_passes_without_faults() {
    for (variant, ..) in BUGS {
        let scenario = scenario(&text(&format!("scenarios/bugs/controller/replicas-{variant}.toml")));
        let run = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(run.end, End::Passed, "{variant}");
    }
}

#[test]
fn the_correct_one_is_silent_under_all_faults() {
    let scenario = scenario(&text("scenarios/controller/replicas.toml"));
    for seed in 0..SEEDS {
        let end = scenario.run_seed(seed).end;
        assert_eq!(end, End::Passed, "seed {seed}: {}", end.sentence());
    }
}

#[test]
fn the_correct_one_survives_every_write_view_and_event() {
    let text = text("scenarios/controller/replicas.toml");
    for kind in [Perturbation::Crash, Perturbation::Stale, Perturbation::Missed] {
        let Points { found, covered, .. } = points(&text, kind);
        assert!(found > 20 && covered == found, "{}: {covered} of {found}", kind.name());
    }
}

/// Three pods and three rolled, one scaled up again by two, two and two of later sets: twelve creations.
#[test]
fn a_write_more_per_created_pod_is_a_point_more_each() {
    let text = text("scenarios/controller/replicas.toml");
    let noted = text.replace("hosts = 3", "hosts = 3\nnotes = true");
    assert_ne!(text, noted);
    let (before, after) = (points(&text, Perturbation::Crash), points(&noted, Perturbation::Crash));
    assert_eq!(after.found - before.found, 12);
}
