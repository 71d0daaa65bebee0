//! The failures of the planted bugs: shrunk to one tape each, replayed after the files were printed and read again, in
//! any order, and in a world to which something unrelated was added.

use super::{files, registry};
use crate::core::shrinking::{Fails, nothing_less_fails, shrinks_well};
use fatum::check::file::FailureFile;
use fatum::check::{Canonical, Check, Failure, shrink};
use fatum::scenario::{Expect, Scenario};
use fatum::sim::Keep;
use fatum::{Sim, rand, task};
use std::path::{Path, PathBuf};

/// The scenarios with a planted bug, which 300 runs suffice to find.
fn planted() -> Vec<Scenario> {
    let read = |path: &PathBuf| Scenario::read(path, &registry()).unwrap();
    let mut scenarios: Vec<Scenario> = files("scenarios/bugs/graph").iter().map(read).collect();
    for scenario in &mut scenarios {
        scenario.check.failures_dir = None;
        scenario.check.runs = 300;
    }
    scenarios
}

fn fails(scenario: &Scenario) -> Fails<'_> {
    match &scenario.expect {
        Expect::Ends { kind, property } => (kind, property.as_deref()),
        other => panic!("{}: {other:?}", scenario.name),
    }
}

fn failures(scenario: &Scenario, check: &Check) -> Vec<Failure> {
    check.sweep(scenario.program(), &|_| {}).unwrap().failures
}

/// A host with tasks and choices of its own. It sets no timers: stalls and late timers are late by so many deadlines,
/// so that one deadline more does concern them.
fn unrelated(sim: &mut Sim, name: &str) {
    sim.host(name).run(|_| async {
        let tasks: Vec<_> = (0..3).map(|number| task::spawn_named("unrelated", busy(number))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn busy(number: u64) {
    for _ in 0..=number {
        task::yield_point("unrelated").await;
        if rand::rng_at("unrelated").below(5) == 3 || fatum::buggify!("unrelated") {
            task::yield_now().await;
        }
    }
}

/// The program of a scenario, edited.
fn edited(scenario: &Scenario) -> impl Fn(&mut Sim) + Send + Sync + '_ {
    let program = scenario.program();
    move |sim| {
        unrelated(sim, "before");
        program(sim);
        unrelated(sim, "zz-after");
    }
}

#[test]
fn a_failure_file_printed_and_read_again_repeats_the_run() {
    let mut all = Vec::new();
    for scenario in planted() {
        for failure in failures(&scenario, &scenario.check) {
            let text = FailureFile::new(&scenario.check, &failure).to_toml();
            let file = FailureFile::parse(&text, Path::new("f.toml")).unwrap();
            assert_eq!(file.to_toml(), text, "{}", scenario.name);
            all.push((scenario.name.clone(), file));
        }
    }
    let scenarios = planted();
    for (name, file) in all.iter().chain(all.iter().rev()) {
        let scenario = scenarios.iter().find(|scenario| scenario.name == *name).unwrap();
        let run = scenario.check.replay(&file.tape, Keep::Tape, scenario.program());
        assert_eq!(run.end, file.end, "{name}");
        assert!(file.has_digests_of(&run), "{name}");
        assert_eq!((run.matched.unmatched, &run.tape), (0, &file.tape), "{name}");
    }
}

#[test]
fn a_failure_is_the_same_whatever_the_order_of_seeds_and_the_number_of_jobs() {
    for scenario in planted() {
        let told = |check: &Check| -> Vec<String> {
            let failures = failures(&scenario, check);
            failures.iter().map(|failure| FailureFile::new(check, failure).to_toml()).collect()
        };
        let one = told(&Check { jobs: 1, ..scenario.check.clone() });
        assert!(!one.is_empty(), "{}", scenario.name);
        assert_eq!(told(&Check { jobs: 2, ..scenario.check.clone() }), one);
    }
}

#[test]
fn a_failure_survives_unrelated_tasks_and_choices() {
    for scenario in planted() {
        let program = edited(&scenario);
        for failure in failures(&scenario, &scenario.check) {
            let run = scenario.check.replay(&failure.tape, Keep::Trace, &program);
            let context = || format!("{}: {:?}\n{:#?}", scenario.name, run.end, failure.tape);
            assert_eq!((run.end.kind(), run.end.property()), fails(&scenario), "{}", context());
            assert_eq!((run.matched.unmatched, &run.tape), (0, &failure.tape), "{}", context());
            assert!(run.steps > failure.run.steps, "the edit added something");
            let again = shrink(&scenario.check, &program, &run, &mut Canonical::default());
            assert_eq!(again.tape.deviations(), failure.tape.deviations(), "{}", context());
        }
    }
}

/// The first failing seeds of a bug end in one tape, and nothing less fails. Two hundred of them with optimizations, as
/// in `cargo test --release`; `few` without, which a small machine does in seconds.
fn ends_in_one_tape(name: &str, few: usize) {
    let all = planted();
    let scenario = all.iter().find(|scenario| scenario.name.ends_with(&format!("/{name}.toml"))).unwrap();
    let shrunk = shrinks_well(
        &scenario.check,
        &scenario.program(),
        fails(scenario),
        if cfg!(debug_assertions) { few } else { 200 },
    );
    println!("{}", shrunk.line);
    nothing_less_fails(&scenario.check, &scenario.program(), fails(scenario), shrunk.commonest.deviations());
}

macro_rules! one_tape {
    ($($test:ident: $name:literal, $few:literal;)*) => {
        $(#[test]
        fn $test() {
            ends_in_one_tape($name, $few);
        })*

        #[test]
        fn each_planted_bug_is_shrunk_above() {
            let names = [$($name),*].map(|name| format!("{name}.toml"));
            let file = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(files("scenarios/bugs/graph").iter().map(file).collect::<Vec<_>>(), names);
        }
    };
}

one_tape! {
    a_verdict_without_abandoned_actions_ends_in_one_tape: "deep-chain", 20;
    a_stop_despite_continue_ends_in_one_tape: "failing-star", 100;
    a_vanished_action_ends_in_one_tape: "lb-create", 20;
    a_signal_of_a_failure_ends_in_one_tape: "lb-retarget", 200;
    a_retry_after_the_cancel_ends_in_one_tape: "lb-retries", 20;
    an_addition_after_the_end_ends_in_one_tape: "orphans", 200;
    a_skipped_pass_ends_in_one_tape: "pool", 60;
    an_action_queued_twice_ends_in_one_tape: "ties", 60;
    a_token_sent_under_a_lock_ends_in_one_tape: "wide-star", 10;
}
