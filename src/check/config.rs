//! Check, the builder: what is swept, how, and what becomes of a failure.

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
    /// Every run with at most this many deviations, in place of seeds: on one thread, and in one shard.
    pub exhaustive: Option<usize>,
    /// One run for each place at which the fault-free run could be harmed in this way, in place of seeds: on one thread,
    /// and in one shard.
    pub points: Option<Perturbation>,
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
    /// A quarter of that at most: for one that was expected, and is only shown.
    Brief,
}

impl Effort {
    /// The part of a budget that may be used.
    pub(super) fn of(self, budget: u64) -> u64 {
        match self {
            Effort::Full => budget,
            Effort::Brief => budget / 4,
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
            points: None,
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
        self.exhaustive = Some(deviations);
        self
    }

    /// Harms the fault-free run at every point where it can be harmed in this way, in place of seeds.
    pub fn points(mut self, kind: Perturbation) -> Check {
        self.points = Some(kind);
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
