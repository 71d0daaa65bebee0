//! The engine in its world: its planted bugs are found under their properties, it is silent without them, and a crash
//! after any write or effect does not harm it.

use fatum::check::{Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Document, Expect, Registry, Scenario, WorkloadSystem};
use fatum::sim::Keep;
use fatum::systems::plugin::{Plugins, Variant};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn parse(text: &str) -> Scenario {
    let registry = Registry::new().with(WorkloadSystem::<Plugins>::default());
    let mut scenario = Scenario::parse(&Document::new("plugin.toml", text), &registry).unwrap();
    scenario.check.failures_dir = None;
    scenario
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)).unwrap()
}

fn sweep(scenario: &Scenario) -> Report {
    scenario.check.sweep(scenario.program(), &|_| {}).unwrap()
}

/// The scenarios without a bug that are no twins of one with.
const WHOLE: [&str; 8] =
    ["plugin", "adapted", "successor", "catalog", "ended", "ended-adapted", "diamond", "diamond-successor"];

/// The planted bugs.
fn planted() -> impl Iterator<Item = Variant> {
    Variant::ALL.into_iter().filter(|variant| *variant != Variant::Correct)
}

#[test]
fn each_planted_bug_is_found_under_its_property_and_nothing_else_is() {
    for variant in planted() {
        let mut scenario = parse(&text(&format!("bugs/plugin/{variant}.toml")));
        scenario.check.runs = if variant == Variant::NoVersionCache { 400 } else { 100 };
        scenario.check.shrunk_max = 1;
        let report = sweep(&scenario);
        let Expect::Ends { kind, property } = &scenario.expect else {
            panic!("{variant}: {:?}", scenario.expect)
        };
        assert_eq!(property.as_deref(), variant.breaks(), "{variant}");
        let ends = report.failures.iter().map(|failure| (failure.run.end.kind(), failure.run.end.property()));
        let ends: BTreeSet<_> = ends.collect();
        assert_eq!(ends, BTreeSet::from([(*kind, property.as_deref())]), "{variant}");
    }
}

#[test]
fn each_planted_bug_sleeps_in_the_run_without_faults() {
    for variant in planted() {
        let scenario = parse(&text(&format!("bugs/plugin/{variant}.toml")));
        let run = scenario.check.replay(&Tape::default(), Keep::default(), scenario.program());
        assert_eq!(run.end, End::Passed, "{variant}");
    }
}

#[test]
fn nothing_is_found_without_a_bug() {
    for name in WHOLE {
        let mut scenario = parse(&text(&format!("plugin/{name}.toml")));
        scenario.check.runs = 100;
        let report = sweep(&scenario);
        assert_eq!(report.verdict, Verdict::Passed, "{name}: {:#?}", report.failures);
    }
}

/// Crashes the engine after every write and effect of the fault-free run; what was found, all of it silent.
fn crashes(text: &str) -> u64 {
    let mut scenario = parse(text);
    scenario.check = scenario.check.points(Perturbation::Crash);
    let report = sweep(&scenario);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    let points: Points = report.points.unwrap();
    assert_eq!(points.covered, points.found, "{points}");
    points.found
}

/// What one node's task costs that succeeds, in effects and writes:
///
/// * the workflow begins: a write;
/// * the node is queued: its event and a write;
/// * it starts: the object, the task's event, the node's event and a write;
/// * it runs: the task's event and a write;
/// * it is done: a write, then the finalizer, the object, the task's event, the node's event and a write;
/// * the workflow is done: a write.
const ONE: u64 = 1 + 2 + 4 + 2 + 1 + 5 + 1;

/// What an attempt more costs: the failed one is stored, then its finalizer, its object, its event and a write; the next
/// is an object, an event and a write, and runs with an event and a write. The node's events are known.
const ATTEMPT: u64 = 1 + 4 + 3 + 2;

/// What it costs to begin with two nodes and to be deleted: as above, and for each node the finalizer, the object, and one
/// write that the workflow vanishes with.
const DELETED: u64 = 1 + 3 + 7 + 3 + 5;

#[test]
fn a_crash_after_any_write_or_effect_is_survived() {
    let one = text("plugin/name-without-attempt.toml");
    let again = one
        .replace("work = { takes = \"2s\" }", "work = { takes = \"2s\", ends = [\"recoverable\", \"ok\"] }");
    assert_eq!((crashes(&one), crashes(&again)), (ONE, ONE + ATTEMPT));
    assert_eq!(crashes(&text("plugin/abort-error-logged.toml")), DELETED);
}

#[test]
fn whole_scenarios_survive_a_crash_anywhere() {
    for name in WHOLE {
        assert!(crashes(&text(&format!("plugin/{name}.toml"))) > 10, "{name}");
    }
}

#[test]
fn mistakes_in_a_scenario_are_placed() {
    let whole = text("plugin/name-without-attempt.toml");
    let registry = Registry::new().with(WorkloadSystem::<Plugins>::default());
    let node = "name = \"fetch\"\ntask = \"fetch\"\n";
    let waits = |on: &str| format!("{node}upstream = [\"{on}\"]\n");
    let two = format!(
        "{}\n[[workload.workflow.node]]\nname = \"fit\"\ntask = \"fetch\"\nupstream = [\"fetch\"]\n",
        waits("fit")
    );
    for (from, to, said) in [
        (node, waits("nobody").as_str(), "node `fetch` waits for `nobody`, which is no node"),
        (node, two.as_str(), "nodes wait for each other"),
        ("resync = \"10s\"", "resync = \"10s\"\nrules = \"second\"", "there is no value `second`"),
    ] {
        let text = whole.replacen(from, to, 1);
        let error = Scenario::parse(&Document::new("s.toml", text), &registry).unwrap_err().to_string();
        assert!(error.starts_with("s.toml:") && error.contains(said), "{error}");
    }
}
