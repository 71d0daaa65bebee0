//! The programs under madsim, whose one strategy is any ready task at each point.
#![expect(unreachable_pub, reason = "the programs are part of several crates")]

use crate::outcome::{Outcome, caught};
use crate::zoo::Twin;
use madsim::Config;
use madsim::runtime::Runtime;

pub mod engine;
#[macro_use]
#[path = "../rt.rs"]
pub mod rt;
#[path = "../../../../tests/zoo/classic/mod.rs"]
pub mod classic;
#[path = "../../../../tests/zoo/ownership/mod.rs"]
pub mod ownership;

/// Runs a program until it fails, at most `budget` times: each run is a runtime of its own seed, as madsim's tests are.
pub fn explore(name: &str, twin: Twin, first_seed: u64, budget: u64) -> Outcome {
    let program = classic::ALL.iter().chain(ownership::ALL).find(|program| program.name == name);
    let main = program.expect("the zoo's list is this one").main;
    for run in 0..budget {
        let runtime = Runtime::with_seed_and_config(first_seed + run, Config::default());
        let end = caught(|| runtime.block_on(main(twin)));
        if end.is_some() {
            return Outcome { runs: run + 1, end };
        }
    }
    Outcome { runs: budget, end: None }
}
