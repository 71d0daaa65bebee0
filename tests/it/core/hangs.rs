//! Polls that never return: the watchdog ends the process, so each is a child process that runs one test of this file.

use super::sweeps::quiet;
use fatum::check::{Canonical, Check, EXIT_HANG, shrink};
use fatum::choice::tape::{Deviation, Tape};
use fatum::sim::Keep;
use fatum::{Sim, rand, task};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The variable that tells a child which program to hang in.
const CHILD: &str = "FATUM_TEST_HANGS";

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

fn in_every_run(sim: &mut Sim) {
    sim.host("node").run(|_| async {
        task::spawn_named("spinner", async { spin() });
    });
}

fn in_some_seeds(sim: &mut Sim) {
    sim.host("node").run(|_| async {
        task::spawn_named("spinner", async {
            if rand::rng().below(20) == 19 {
                spin();
            }
        });
    });
}

/// Fails when both draws deviate; hangs when one of them is taken back.
fn while_shrinking(sim: &mut Sim) {
    sim.host("node").run(|_| async {
        let drawn = [rand::rng().below(2), rand::rng().below(2)];
        match drawn {
            [0, 0] => {}
            [1, 1] => panic!("both"),
            [0, _] | [_, 0] => task::spawn_named("spinner", async { spin() }).await.unwrap(),
            _ => unreachable!("a draw below two is nought or one"),
        }
    });
}

/// Hangs where three draws of fifty are right: once in 125,000 runs of seeds, and soon in a guided search.
fn in_the_third_of_three(sim: &mut Sim) {
    sim.host("node").run(|_| async {
        task::spawn_named("spinner", async {
            for right in [17, 34, 1] {
                if rand::rng().below(50) != right {
                    return;
                }
                fatum::cover!("right", right);
            }
            spin();
        });
    });
}

/// Hangs from the second run of seed 0 on: the runs before are the baseline, which has no seed, and the sweep's.
fn second_time(sim: &mut Sim) {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let hangs = sim.seed() == 0 && RUNS.fetch_add(1, Ordering::Relaxed) >= 2;
    sim.host("node").run(move |_| async move {
        task::spawn_named("spinner", async move {
            if hangs {
                spin();
            }
        });
    });
}

/// A tape that gives the first of two draws a 1.
fn tape_of_one() -> Tape {
    let run = quiet("hangs").run_seed(seed_of_both(), draws);
    let first = run.tape.choice.into_iter().next().unwrap();
    Tape { choice: vec![Deviation { occurrence: 1, ..first }], ..Tape::default() }
}

fn child_check(seed_base: u64, runs: u64) -> Check {
    let check = quiet("hangs").jobs(1).runs(runs).seed_base(seed_base);
    Check { hang_after: Duration::from_millis(300), ..check }
}

/// The first seed for which both draws are 1: the sweep itself then does not hang.
fn seed_of_both() -> u64 {
    let both = |seed: &u64| quiet("hangs").run_seed(*seed, draws).end.kind() == "panicked";
    (1..100).find(both).unwrap()
}

fn draws(sim: &mut Sim) {
    sim.host("node").run(|_| async {
        let drawn = [rand::rng().below(2), rand::rng().below(2)];
        assert_ne!(drawn, [1, 1]);
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the parent tells its child what to do")]
fn child() {
    let Ok(program) = std::env::var(CHILD) else { return };
    let swept = match &*program {
        "in every run" => child_check(1, 100).sweep(in_every_run, &|_| {}),
        "in some seeds" => child_check(1, 100).sweep(in_some_seeds, &|_| {}),
        "while shrinking" => child_check(seed_of_both(), 1).sweep(while_shrinking, &|_| {}),
        "in a second run" => {
            let check = Check { recheck_one_in: 1, ..child_check(0, 2) };
            check.sweep(second_time, &|_| {})
        }
        "in an exhaustive search" => child_check(1, 1).exhaustive(1).sweep(while_shrinking, &|_| {}),
        "in a guided search" => child_check(1, 1).guided(2_000).sweep(in_the_third_of_three, &|_| {}),
        "in no run" => child_check(1, 100).sweep(|_: &mut Sim| {}, &|_| {}),
        other => panic!("there is no program {other}"),
    };
    swept.unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the parent tells its child what to do")]
fn child_of_one_run() {
    let Ok(program) = std::env::var(CHILD) else { return };
    let check = child_check(0, 1);
    match &*program {
        "seed" => check.run_seed(seed_of_both() + 1_000, in_every_seed),
        "baseline" => check.run_seed(7, in_every_run),
        "tape" => check.replay(&tape_of_one(), Keep::Trace, while_shrinking),
        "file" => {
            let report = quiet("hangs").sweep(draws, &|_| {}).unwrap();
            let mut file = fatum::check::file::FailureFile::new(&check, &report.failures[0]);
            file.tape = tape_of_one();
            check.replay_file(Path::new("some/file.toml"), &file, while_shrinking)
        }
        "shrink" => {
            let failing = check.run_seed(seed_of_both(), draws);
            shrink(&check, &while_shrinking, &failing, &mut Canonical::default()).run
        }
        other => panic!("there is no program {other}"),
    };
}

/// Hangs in the runs of seeds, and not in the baseline.
fn in_every_seed(sim: &mut Sim) {
    if sim.seed() != 0 {
        in_every_run(sim);
    }
}

#[test]
fn a_single_run_that_never_ends_is_watched_like_a_sweep() {
    for (program, of, command) in [
        ("seed", "(seed 10", "FATUM_SEED=10"),
        ("baseline", "(the baseline run, ", "cargo test hangs"),
        ("tape", "(the run of a tape, ", ""),
        ("file", "(the run of some/file.toml, ", "FATUM_REPLAY=some/file.toml cargo test hangs"),
        ("shrink", "(the run of a tape, ", ""),
    ] {
        hangs(program, "core::hangs::child_of_one_run", of, command);
    }
}

fn run_child(test: &str, program: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]).env(CHILD, program);
    command.output().unwrap()
}

/// The child's process ends and says which task hangs, in what, and how to repeat it.
fn hangs(program: &str, test: &str, of: &str, command: &str) {
    let output = run_child(test, program);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EXIT_HANG), "{program}: {said}");
    assert!(said.contains(&format!("a poll of task node/spinner never returns {of}")), "{program}: {said}");
    let repeat = said.lines().find_map(|line| line.strip_prefix("repeat it: "));
    assert!(repeat.unwrap_or_default().starts_with(command), "{program}: {said}");
}

#[test]
fn a_poll_that_never_returns_ends_the_process_with_seed_and_task() {
    for (program, of, command) in [
        ("in every run", "(the baseline run, ", "cargo test hangs"),
        ("in some seeds", "(seed ", "FATUM_SEED="),
        ("while shrinking", "(seed ", "FATUM_SEED="),
        ("in a second run", "(seed 0, ", "FATUM_SEED=0 cargo test hangs"),
        ("in an exhaustive search", "(a run with 1 deviation, ", "cargo test hangs"),
        ("in a guided search", "(run ", "cargo test hangs"),
    ] {
        hangs(program, "core::hangs::child", of, command);
    }
    assert_eq!(EXIT_HANG, 40);
}

#[test]
fn a_check_that_does_not_hang_is_left_alone() {
    let output = run_child("core::hangs::child", "in no run");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_program_that_panics_while_it_is_set_up_ends_the_sweep_with_that_panic() {
    let swept = std::panic::catch_unwind(|| {
        quiet("set-up").sweep(|_: &mut Sim| panic!("no such host"), &|_| {}).map(|_| ())
    });
    assert_eq!(*swept.unwrap_err().downcast::<&str>().unwrap(), "no such host");
}
