//! The swarm: its planted bugs are found under their properties, it is silent without them, and a crash after any one
//! effect does not harm it.

use fatum::Sim;
use fatum::check::{Perturbation, Points, Report, Verdict};
use fatum::choice::tape::Tape;
use fatum::runtime::End;
use fatum::scenario::{Document, Expect, Registry, Scenario, WorkloadSystem};
use fatum::sim::Keep;
use fatum::systems::agent::Swarm;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn registry() -> Registry {
    Registry::new().with(WorkloadSystem::<Swarm>::default())
}

fn parse(text: &str) -> Scenario {
    let mut scenario = Scenario::parse(&Document::new("swarm.toml", text), &registry()).unwrap();
    scenario.check.failures_dir = None;
    scenario
}

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(path)).unwrap()
}

/// The files of a folder.
fn files(dir: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(dir);
    let paths: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    let names = paths.iter().map(|path| format!("{dir}/{}", path.file_name().unwrap().to_str().unwrap()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// In so many runs each bug shows.
const RUNS: u64 = 2000;

fn sweep(scenario: &Scenario) -> Report {
    scenario.check.sweep(scenario.program(), &|_| {}).unwrap()
}

/// How the run of a seed ends.
fn end(scenario: &Scenario, seed: u64) -> End {
    let check = &scenario.check;
    let mut sim = Sim::builder()
        .seed(seed)
        .faults(check.faults.clone())
        .budget(check.budget)
        .panics(check.panics)
        .leaks(check.leaks)
        .build();
    scenario.set_up(&mut sim);
    sim.finish().end
}

#[test]
fn each_planted_bug_is_what_fails_first() {
    let mut mistakes = Vec::new();
    for bug in files("bugs/agent") {
        let scenario = parse(&text(&bug));
        let Expect::Ends { kind, property } = &scenario.expect else {
            panic!("{bug}: {:?}", scenario.expect)
        };
        let first = (0..RUNS).map(|seed| (seed, end(&scenario, seed))).find(|(_, end)| *end != End::Passed);
        let is_right = first.as_ref().is_some_and(|(_, end)| end.signature() == (*kind, property.as_deref()));
        if !is_right {
            mistakes.push(format!("{bug}: {first:?}"));
        }
    }
    assert!(mistakes.is_empty(), "{mistakes:#?}");
}

#[test]
fn each_planted_bug_sleeps_in_the_run_without_faults() {
    let bugs = files("bugs/agent");
    assert!(bugs.len() >= 8, "{bugs:?}");
    let ends = bugs.iter().map(|bug| {
        let scenario = parse(&text(bug));
        (bug, scenario.check.replay(&Tape::default(), Keep::default(), scenario.program()).end)
    });
    let awake: Vec<_> = ends.filter(|(_, end)| *end != End::Passed).collect();
    assert!(awake.is_empty(), "{awake:#?}");
}

#[test]
fn nothing_is_found_without_a_bug() {
    for file in files("agent") {
        let mut scenario = parse(&text(&file));
        scenario.check.runs = 100;
        let report = sweep(&scenario);
        assert_eq!(report.verdict, Verdict::Passed, "{file}: {:#?}", report.failures);
    }
}

/// One node, on which the user does this; only its crashes are asked about.
fn quiet(acts: &str) -> String {
    let crash = "[[faults.rule]]\nkind = \"crash\"\nby = \"4s\"\nhost = \"node-*\"\nprobability = 0.1";
    format!(
        "system = \"agent\"\ndescription = \"x\"\nexpect = \"passed\"\n\n[workload]\nacts = [{acts}]\n\n{crash}\n\n\
         [budget]\nquiet = \"40s\"\n"
    )
}

/// Crashes the agent's host after every one of its effects; how many there are.
fn crashes(text: &str) -> u64 {
    let mut scenario = parse(text);
    scenario.check = scenario.check.points(Perturbation::Crash);
    let report = sweep(&scenario);
    assert_eq!(report.verdict, Verdict::Passed, "{:#?}", report.failures);
    let points: Points = report.points.unwrap();
    assert_eq!(points.covered, points.found, "{points}");
    points.found
}

#[test]
fn a_crash_after_any_effect_is_survived() {
    assert_eq!(crashes(&quiet("\"run\"")), RUN);
    assert_eq!(crashes(&quiet("\"finish\"")), FINISH);
    assert_eq!(crashes(&quiet("\"run\", \"finish\"")), RUN + FINISH);
    // A definition that changes is written once more for each change.
    assert_eq!(crashes(&quiet("\"relabel\"")), RUN + RELABEL);
    // A label is one definition, and a job that fails is one that ends.
    assert_eq!(crashes(&text("agent/swarm.toml")), RUN + RELABEL / 2 + FINISH + FINISH);
}

/// What an agent does of a server that is run and stopped, in the run without faults:
///
/// * on its disk: the assignment; ACCEPTED twice, as the second has a time; PREPARING, READY, STARTING, RUNNING; the
///   definition with the desire to stop; SHUTDOWN; that it is being removed; and nothing of it any more;
/// * at the runtime: pull, create, start, stop, remove;
/// * at the manager: the states from ACCEPTED to SHUTDOWN, ACCEPTED twice for the same reason, as far as one was not
///   overtaken by the next before it was sent.
const RUN: u64 = 11 + 5 + 7;
/// As a server; a job ends by itself and is not stopped. It is deleted as soon as it has ended, so that the desire to stop
/// never comes to its node.
const FINISH: u64 = 10 + 4 + 7;
/// Two definitions more.
const RELABEL: u64 = 2;
