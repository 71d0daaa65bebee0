//! Check, the builder: what is swept, how, and what becomes of a failure.

use super::exhaustive::Bound;
use super::points::Perturbation;
use crate::choice::fault::FaultPlan;
use crate::runtime::{Budget, LeakPolicy, Leftovers, PanicPolicy};
use crate::strategy::{Calibration, StrategyKind};
use std::path::PathBuf;
use std::time::Duration;

/// Runs of a sweep, unless told otherwise.
pub const RUNS_DEFAULT: u64 = 1_000;

/// How a reader repeats a failure: the command that a report prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reproduce {
    /// A Rust test of this name: `FATUM_REPLAY=file cargo test name`.
    Test(String),
    /// A scenario file: `fatum replay file`.
    Scenario(PathBuf),
}

/// A sweep of runs over one program.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name: of the test, or of the scenario.
    pub name: String,
    /// How a failure is repeated.
    pub reproduce: Reproduce,
    /// What calls the command line, in the commands that are printed for scenarios.
    pub invoked_as: String,
    /// Seeds to run.
    pub runs: u64,
    /// The first seed.
    pub seed_base: u64,
    /// How seeds explore schedules.
    pub strategy: StrategyKind,
    /// What strategies estimate from; measured by a run of the baseline unless given.
    pub calibration: Calibration,
    /// The faults that may happen.
    pub faults: FaultPlan,
    /// What one run may cost.
    pub budget: Budget,
    /// What a panic in a task means.
    pub panics: PanicPolicy,
    /// What a task that is alive at the end means.
    pub leaks: LeakPolicy,
    /// Threads that run seeds; 0 is one per core.
    pub jobs: usize,
    /// This machine's part of the seeds: the i-th of n, from 0.
    pub shard: (u64, u64),
    /// Stops after this much wall time, at the longest complete prefix of seeds.
    pub wall_max: Option<Duration>,
    /// Every run with at most so many deviations, or every run, in place of seeds: on one thread, and in one shard.
    pub exhaustive: Option<Bound>,
    /// Whether tasks share nothing but what they declare at scheduling points: then an exhaustive search of all runs
    /// makes one of those that differ only in the order of accesses that commute.
    pub assumes_declared_accesses: bool,
    /// Where an exhaustive search writes how far it is, and goes on from.
    pub resume: Option<PathBuf>,
    /// One run for each place at which the fault-free run could be harmed in this way, in place of seeds: on one thread,
    /// and in one shard.
    pub points: Option<Perturbation>,
    /// Whether runs are guided by what earlier ones reached: see [`Check::guided`].
    pub guided: bool,
    /// What the fault-free run leaves behind, which a sweep over cancellations compares each run with; measured by a run
    /// of the baseline unless given.
    pub leftovers: Option<Leftovers>,
    /// One run in this many is made a second time; 0 is none.
    pub recheck_one_in: u64,
    /// Runs above which `sometimes` and `reachable` are judged.
    pub runs_min: u64,
    /// Failing seeds that are shrunk, per kind and property.
    pub shrunk_max: usize,
    /// How much is done to shrink one.
    pub effort: Effort,
    /// Where failure files go; `None` writes none.
    pub failures_dir: Option<PathBuf>,
    /// Where files lie that are replayed first.
    pub regressions_dir: Option<PathBuf>,
    /// Wall time after which a poll that never returns ends the process.
    pub hang_after: Duration,
}

/// How much is done to shrink a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// All that is worth it for a failure that somebody has to understand.
    #[default]
    Full,
    /// A sixteenth of that at most: for one that was expected, and is only shown.
    Brief,
}

impl Effort {
    /// The part of a budget that may be used.
    pub(super) fn of(self, budget: u64) -> u64 {
        match self {
            Effort::Full => budget,
            Effort::Brief => budget / 16,
        }
    }
}

impl Check {
    /// A sweep with every default.
    pub fn new(name: impl Into<String>) -> Check {
        let name = name.into();
        Check {
            reproduce: Reproduce::Test(name.clone()),
            name,
            invoked_as: "fatum".to_owned(),
            runs: RUNS_DEFAULT,
            seed_base: 0,
            strategy: StrategyKind::default(),
            calibration: Calibration::default(),
            faults: FaultPlan::none(),
            budget: Budget::default(),
            panics: PanicPolicy::default(),
            leaks: LeakPolicy::default(),
            jobs: 2,
            shard: (0, 1),
            wall_max: None,
            exhaustive: None,
            assumes_declared_accesses: false,
            resume: None,
            points: None,
            guided: false,
            leftovers: None,
            recheck_one_in: 20,
            runs_min: 100,
            shrunk_max: 10,
            effort: Effort::Full,
            failures_dir: Some(PathBuf::from("fatum-failures")),
            regressions_dir: Some(PathBuf::from("tests/regressions")),
            hang_after: Duration::from_secs(60),
        }
    }

    /// Sets the number of seeds; at least one.
    pub fn runs(mut self, runs: u64) -> Check {
        self.runs = runs;
        self
    }

    /// Sets the first seed.
    pub fn seed_base(mut self, seed: u64) -> Check {
        self.seed_base = seed;
        self
    }

    /// Sets how seeds explore schedules.
    pub fn strategy(mut self, strategy: StrategyKind) -> Check {
        self.strategy = strategy;
        self
    }

    /// Sets the faults that may happen.
    pub fn faults(mut self, plan: FaultPlan) -> Check {
        self.faults = plan;
        self
    }

    /// Sets what one run may cost.
    pub fn budget(mut self, budget: Budget) -> Check {
        self.budget = budget;
        self
    }

    /// Sets the number of threads; 0 is one per core.
    pub fn jobs(mut self, jobs: usize) -> Check {
        self.jobs = jobs;
        self
    }

    /// Runs everything with at most `deviations` deviations, in place of seeds.
    pub fn exhaustive(mut self, deviations: usize) -> Check {
        self.exhaustive = Some(Bound::Deviations(deviations));
        self
    }

    /// Runs everything, depth first, in place of seeds: for models of a few tasks and a few steps.
    ///
    /// Sites with more than eight options are searched at eight landmarks.
    pub fn exhaustive_all(mut self) -> Check {
        self.exhaustive = Some(Bound::All);
        self
    }

    /// States that the tasks share nothing but what they declare: with [`crate::task::yield_point`] and
    /// [`crate::task::yield_read`], or by an operation of [`crate::sync`]. From one scheduling point to the next a task
    /// touches only what it declared at the first, and before its first nothing.
    ///
    /// Then [`Check::exhaustive_all`] makes one run for each order of accesses that do not commute. That is sound under
    /// the statement alone: where it is wrong, runs that fail may be left out. What is judged must not depend on the
    /// order of accesses that commute either.
    pub fn assume_declared_accesses(mut self) -> Check {
        self.assumes_declared_accesses = true;
        self
    }

    /// Writes to `file` how far an exhaustive search is, every five seconds and when it stops, and goes on from there
    /// if the file is there.
    pub fn resume(mut self, file: PathBuf) -> Check {
        self.resume = Some(file);
        self
    }

    /// Harms the fault-free run at every point where it can be harmed in this way, in place of seeds.
    pub fn points(mut self, kind: Perturbation) -> Check {
        self.points = Some(kind);
        self
    }

    /// Searches with guidance, in this many runs: runs that reach a new `sometimes` or `reachable`, a new state that
    /// [`crate::cover!`] declared, or a new ordered pair of consecutive scheduling points of different tasks are kept,
    /// and the next runs begin as they did and then go on by another seed.
    ///
    /// This finds what is many unlikely steps away, if each step shows as something new; a bug that one unlikely choice
    /// brings about is found sooner by a sweep. What is found is a function of the program, the seed base and the number
    /// of runs, whatever the number of jobs; but a run is no function of its number alone, so shards are refused: give
    /// each machine a seed base of its own. Run n is the n-th seed from the seed base on, where nothing is repeated.
    ///
    /// Memory is bounded: 512 runs are kept of at most 16,384 answers each and 4,194,304 in all (64 MiB), and 65,536
    /// features are known ([`crate::check::ENTRIES_MAX`] and the others). The rest of a longer run is up to its seed.
    pub fn guided(mut self, runs: u64) -> Check {
        (self.guided, self.runs) = (true, runs);
        self
    }

    /// Cancels each task that the program spawns at each of its awaits in turn, in place of seeds: one run for each turn of
    /// the fault-free run that ends pending, in which the task is dropped there, as by an abort, and whoever joins it hears
    /// that it was cancelled. A run fails as any other, and as *leaked* also when it leaves behind what the fault-free run
    /// does not: tasks, timers and locks that outlive their tasks, permits taken by hand, and what
    /// [`crate::Sim::leftover`] counts. Mains of hosts are not cancelled: [`Perturbation::CancelMains`] does that too.
    pub fn cancellations(self) -> Check {
        self.points(Perturbation::Cancel)
    }

    /// Sets what a panic in a task means.
    pub fn panics(mut self, policy: PanicPolicy) -> Check {
        self.panics = policy;
        self
    }

    /// Sets what a task that is alive at the end means.
    pub fn leaks(mut self, policy: LeakPolicy) -> Check {
        self.leaks = policy;
        self
    }

    /// Sets where failure files go; `None` writes none.
    pub fn failures_dir(mut self, dir: Option<PathBuf>) -> Check {
        self.failures_dir = dir;
        self
    }
}
