//! Check: a sweep of runs, and what comes of a failure: tape, shrink, story, file, replay.
//!
//! It knows no system and no scenario; a program is a function that sets up a [`Sim`]. Nothing here prints but
//! [`check`], through [`report`].

mod config;
mod determinism;
mod env;
mod exhaustive;
pub mod file;
mod findings;
mod fuzzed;
mod guided;
mod nearest;
pub(crate) mod parallel;
mod program;
mod rate;
mod regressions;
mod points;
pub mod report;
mod resume;
mod shrink;
mod story;
mod sweep;
mod tally;
mod watchdog;

pub use config::{Check, Effort, RUNS_DEFAULT, Reproduce};
pub use env::{Environment, TraceFormat, shard};
pub use exhaustive::{Bound, Exhausted};
pub use fuzzed::TapeFuzzer;
pub use guided::{ANSWERS_IN_ALL_MAX, ANSWERS_MAX, ENTRIES_MAX, FEATURES_MAX, Guidance};
pub use nearest::Nearest;
pub use points::{Perturbation, Points};
pub use program::Program;
pub use rate::Rate;
pub use regressions::{replay_page, replay_verdict, tape_page};
pub use report::{Failure, FoundBy, Inconclusive, Report, Verdict};
pub use shrink::{Canonical, Shrunk, shrink};
pub use story::story;
pub use watchdog::EXIT_HANG;

use crate::sim::Sim;

/// Sweeps a program over seeds, with the defaults of [`Check`] and what the [`Environment`] says.
///
/// Files under `tests/regressions` that bear the name are replayed first; `FATUM_REPLAY` replays one file instead.
///
/// # Panics
/// With the failure report, when a run fails or the environment cannot be read.
pub fn check(name: &str, program: impl Fn(&mut Sim) + Send + Sync) {
    Check::new(name).assert_passes(program);
}

/// Drives one run of a program from a fuzzer's bytes.
///
/// A failure is shrunk and saved. The file replays in a test that checks the same program by the name `fuzz`.
///
/// # Panics
/// With the failure report, when the run fails.
pub fn fuzz(data: &[u8], program: impl Fn(&mut Sim) + Send + Sync) {
    let mut sim = Sim::builder().bytes(data).build();
    program(&mut sim);
    if sim.finish().end.is_failure() {
        let failure = Check::new("fuzz").failure_of_bytes(data, &program);
        panic!("{}", report::render_failure(&failure));
    }
}
