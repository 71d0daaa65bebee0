//! Deterministic simulation testing for control planes: executors, work queues, controllers.
//!
//! A virtual clock and a seeded scheduler replace tokio, faults are injected, every run leaves a trace, and a failing
//! run shrinks to the few decisions that matter and replays from one file. The same code runs on tokio in production,
//! with no `cfg` and no rebuild: [`task`], [`time`], [`sync`] and [`rand`] have tokio's names and shapes and decide where
//! a value is created.
//!
//! ```
//! use fatum::time::{Duration, sleep};
//!
//! fatum::check("the slow one comes last", |sim| {
//!     sim.run(async {
//!         let slow = fatum::task::spawn(async {
//!             sleep(Duration::from_secs(3600)).await;
//!             fatum::time::Instant::now()
//!         });
//!         let quick = fatum::time::Instant::now();
//!         assert!(slow.await.is_ok_and(|slow| slow > quick));
//!     });
//! });
//! ```
//!
//! # The nouns
//!
//! * A **choice** is one nondeterministic outcome: at a *site*, one of `n` options. Option 0 is always the baseline.
//! * A **source** answers choices: a seed, a tape, a fuzzer's bytes, an enumerator. Nothing else is random.
//! * A **tape** holds the deviations of a run from its baseline, keyed by who made them, so it survives edits.
//! * A [`Sim`] is one simulated world: clock, tasks, hosts, faults, properties, trace. A [`Run`] is what became of it.
//! * A **host** is a machine in that world: tasks and a clock of its own, what a crash destroys, and a disk that it does
//!   not.
//! * A **store** is what control planes keep their state in: versioned entries, transactions, watches.
//! * A **fault** is harm, as data; a *plan* says which, where, when, how likely. A **swarm** has a random half of it on.
//! * A **property** is what must hold: always, eventually, after healing; or somewhere in a sweep.
//! * A **trace** is the ordered events of a run, with two digests that are folded in every run.
//! * A **strategy** is how a seed explores schedules.
//! * A [`Check`] is a sweep of runs, and what comes of a failure: tape, shrink, story, file, replay.
//! * A **system** is something that a scenario file can put into a Sim; a **scenario** is that file.
//!
//! # The modules, in rank order
//!
//! A file uses earlier modules only (a test holds this). Up to `runtime` the modules know no tasks of a user; from
//! `time` to `property` they are what the program under test calls; from `sim` on they drive it; `systems` are written
//! on the facade alone; only `cli` and the panic of [`check()`] print.
//!
//! # Where this differs from the plan it was built to
//!
//! * The seed source lives in [`strategy`], because it asks a strategy; [`choice`] knows none.
//! * A deviation of the schedule is counted per overtaking, also where one turn was overtaken several times: that is
//!   what the enumerator counts, so "nothing smaller" means the same for both.
//! * Shrinking tries the answers of the failing run by the clock before single rules: they cost less, and lead to as
//!   few deviations.
//! * Shrinking ends with the first failing run of the same shape (sites and counts) in enumeration order, so that
//!   different seeds that meet one bug end in one tape.
//! * A synchronous operation (`notify_one`, `spawn`, `try_send`) cannot yield: the yield that it was chosen to make is
//!   owed to the task's next scheduling point.
//! * No run ends as *starved*: the schedule of the quiet phase and tokio's locks and channels serve the oldest first, so
//!   a task that starves does so by rules of the program's own. Keys that starve in a queue, storms and ping-pong are
//!   properties of controllers.
//! * A crash is asked about when a timer of the host is due and after each of its effects, not at every turn: what
//!   happens in between nobody outside could see.
//! * A store's default latency is none at the baseline, so that a program that is right there passes there.
//! * A `Sim` inside a tokio task without the cargo feature `tokio` panics once the task's budget is spent: only tokio's
//!   own `unconstrained` leads out of it, and tokio has that under a feature only.
//! * `buggify!` is the program's own: no plan turns it off, and only a seed says how often.
//! * The default strategy of a [`Check`] is the portfolio. A [`Sim`] by hand walks randomly unless told otherwise, since
//!   nobody has made the calibration run.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on should panic"))]

mod error;
mod text;
pub mod span;
pub mod choice;
pub mod strategy;
pub mod trace;
pub mod runtime;
pub mod time;
pub mod task;
pub mod sync;
mod emit;
mod cover;
pub mod rand;
pub mod fault;
pub mod host;
pub mod property;
pub mod store;
pub mod sim;
pub mod log;
mod wall;
pub mod check;
#[cfg(feature = "proptest")]
pub mod prop;
pub mod systems;
pub mod scenario;
#[cfg(feature = "cli")]
pub mod cli;

pub use check::{Check, check, fuzz};
pub use emit::emit;
pub use error::Error;
pub use runtime::current::is_simulated;
pub use sim::{Run, Sim};
pub use tokio::{join, try_join};

#[doc(hidden)]
pub mod __private {
    pub use crate::cover::cover;
    pub use crate::emit::Adhoc;
    pub use crate::sync::select_start;
    pub use tokio;
}
