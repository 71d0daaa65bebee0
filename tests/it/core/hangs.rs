//! Polls that never return: the watchdog ends the process, so each is a child process that runs one test of this file.

use super::sweeps::quiet;
use fatum::check::{Check, EXIT_HANG};
use fatum::{Sim, rand, task};
use std::process::{Command, Output};
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
        "in no run" => child_check(1, 100).sweep(|_: &mut Sim| {}, &|_| {}),
        other => panic!("there is no program {other}"),
    };
    swept.unwrap();
}

fn run_child(program: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["core::hangs::child", "--exact", "--nocapture"]).env(CHILD, program);
    command.output().unwrap()
}

#[test]
fn a_poll_that_never_returns_ends_the_process_with_seed_and_task() {
    for program in ["in every run", "in some seeds", "while shrinking"] {
        let output = run_child(program);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(EXIT_HANG), "{program}: {said}");
        assert!(said.contains("a poll of task node/spinner never returns (seed "), "{program}: {said}");
        assert!(said.contains("repeat it with FATUM_SEED="), "{program}: {said}");
    }
    assert_eq!(EXIT_HANG, 40);
}

#[test]
fn a_check_that_does_not_hang_is_left_alone() {
    let output = run_child("in no run");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_program_that_panics_while_it_is_set_up_ends_the_sweep_with_that_panic() {
    let swept = std::panic::catch_unwind(|| {
        quiet("set-up").sweep(|_: &mut Sim| panic!("no such host"), &|_| {}).map(|_| ())
    });
    assert_eq!(*swept.unwrap_err().downcast::<&str>().unwrap(), "no such host");
}
