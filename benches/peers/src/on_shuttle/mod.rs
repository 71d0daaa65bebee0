//! The programs under shuttle, and its strategies.
#![expect(unreachable_pub, reason = "the programs are part of several crates")]

use crate::outcome::{Outcome, caught};
use crate::zoo::Twin;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler, UrwRandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub mod engine;
#[macro_use]
#[path = "../rt.rs"]
pub mod rt;
#[path = "../../../../tests/zoo/classic/mod.rs"]
pub mod classic;
#[path = "../../../../tests/zoo/ownership/mod.rs"]
pub mod ownership;

/// How shuttle schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Any runnable task, at each point.
    Random,
    /// By priorities, with two changes of them.
    Pct,
    /// All interleavings alike, by the events that each task has left.
    Urw,
}

const DEPTH: usize = 3;

/// Runs a program until it fails, at most `budget` times.
pub fn explore(strategy: Strategy, name: &str, twin: Twin, seed: u64, budget: u64) -> Outcome {
    let program = classic::ALL.iter().chain(ownership::ALL).find(|program| program.name == name);
    let main = program.expect("the zoo's list is this one").main;
    let most = budget as usize;
    match strategy {
        Strategy::Random => run(RandomScheduler::new_from_seed(seed, most), main, twin),
        Strategy::Pct => run(PctScheduler::new_from_seed(seed, DEPTH, most), main, twin),
        Strategy::Urw => run(UrwRandomScheduler::new_from_seed(seed, most), main, twin),
    }
}

fn run(scheduler: impl Scheduler + 'static, main: rt::Main, twin: Twin) -> Outcome {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let runs = Arc::new(AtomicU64::new(0));
    let counted = runs.clone();
    let runner = Runner::new(scheduler, config);
    let end = caught(|| {
        runner.run(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            shuttle::future::block_on(main(twin));
        });
    });
    Outcome { runs: runs.load(Ordering::Relaxed), end }
}
