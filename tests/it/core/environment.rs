//! What a Rust test says beside passing, and what the environment changes: each a child process that runs one test of
//! this file.

use fatum::check::{Check, file};
use fatum::sim::Keep;
use fatum::{Sim, rand};
use std::path::PathBuf;
use std::process::{Command, Output};

/// The variable that tells a child what to check.
const CHILD: &str = "FATUM_TEST_CHECKS";

fn no_choices(sim: &mut Sim) {
    sim.run(async {});
}

fn draws(sim: &mut Sim) {
    sim.run(async {
        fatum::event!("drawn", number = rand::rng().below(2));
    });
}

fn fails_on_one(sim: &mut Sim) {
    sim.run(async { assert_eq!(rand::rng().below(2), 0) });
}

/// The directory of a test.
fn place(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("environment").join(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

/// A failure file of the check `child`, in which one draw is 1.
fn failure_file(name: &str) -> PathBuf {
    let check = Check::new("child").failures_dir(Some(place(name)));
    let report = check.sweep(fails_on_one, &|_| {}).unwrap();
    report.failures[0].file.clone().unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the parent tells its child what to do")]
fn child() {
    let Ok(program) = std::env::var(CHILD) else { return };
    match &*program {
        "no choices" => fatum::check("child", no_choices),
        "draws" => fatum::check("child", draws),
        other => panic!("there is no program {other}"),
    }
}

/// Runs a child as `cargo test` runs it: what it prints by macros is not seen.
fn run_child(program: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["core::environment::child", "--exact"]).env(CHILD, program);
    command.envs(variables.iter().copied()).output().unwrap()
}

/// What a child that passes says on stderr.
fn said(program: &str, variables: &[(&str, &str)]) -> String {
    let output = run_child(program, variables);
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_sweep_without_choice_points_passes_with_a_warning() {
    let warning = "child: warning: no choice points were seen: every run was the same run\n";
    assert_eq!(said("no choices", &[]), warning);
    assert_eq!(said("draws", &[]), "");
}

#[test]
fn a_replay_that_passes_says_so_and_prints_its_trace_on_demand() {
    let file = failure_file("replay");
    let file = file.to_str().unwrap();
    let page = said("draws", &[("FATUM_REPLAY", file)]);
    assert!(page.contains("passes now (1 of 1 deviations met)"), "{page}");
    assert!(!page.contains("spawn main"), "{page}");
    for (format, part) in [("text", "spawn main"), ("jsonl", "\"event\":\"spawned\"")] {
        let page = said("draws", &[("FATUM_REPLAY", file), ("FATUM_TRACE", format)]);
        assert!(page.contains(part), "{format}: {page}");
    }
}

#[test]
fn no_runs_are_refused() {
    let output = run_child("draws", &[("FATUM_RUNS", "0")]);
    assert!(!output.status.success());
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("FATUM_RUNS=0: this is no whole number from 1"), "{page}");
}

#[test]
fn fuzz_fails_with_the_whole_report() {
    let bytes = [0xff; 64];
    let payload = std::panic::catch_unwind(|| fatum::fuzz(&bytes, fails_on_one)).unwrap_err();
    let page = payload.downcast_ref::<String>().unwrap();
    for part in
        ["FAILED after", "found by run 1 (a fuzzer's bytes)", "to 1 in", "repeat it: run the fuzz target"]
    {
        assert!(page.contains(part), "{part} in\n{page}");
    }
    let saved = page.lines().find_map(|line| line.strip_prefix("saved to ")).unwrap();
    let saved = file::read(saved.as_ref()).unwrap();
    assert_eq!((saved.name.as_str(), saved.seed), ("fuzz", None));
    let again = Check::new("fuzz").replay(&saved.tape, Keep::Tape, fails_on_one);
    assert!(saved.has_digests_of(&again));
    fatum::fuzz(&[], fails_on_one);
}
