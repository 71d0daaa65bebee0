//! Building a Sim: everything has a default.

use super::{Keep, Sim};
use crate::choice::Source;
use crate::choice::bytes::BytesSource;
use crate::choice::fault::FaultPlan;
use crate::choice::tape::{Tape, TapeSource};
use crate::runtime::world::{Config, World};
use crate::runtime::{Budget, Cancels, LeakPolicy, PanicPolicy};
use crate::strategy::seed::SeedSource;
use crate::strategy::{Calibration, StrategyKind};

/// Makes a [`Sim`].
pub struct SimBuilder {
    seed: u64,
    strategy: StrategyKind,
    calibration: Calibration,
    faults: FaultPlan,
    source: Option<Box<dyn Source>>,
    budget: Budget,
    panics: PanicPolicy,
    leaks: LeakPolicy,
    keep: Keep,
    checkpoints: bool,
    cancels: Cancels,
}

impl SimBuilder {
    pub(super) fn new() -> SimBuilder {
        SimBuilder {
            seed: 0,
            strategy: StrategyKind::RandomWalk,
            calibration: Calibration::default(),
            faults: FaultPlan::none(),
            source: None,
            budget: Budget::default(),
            panics: PanicPolicy::default(),
            leaks: LeakPolicy::default(),
            keep: Keep::default(),
            checkpoints: false,
            cancels: Cancels::default(),
        }
    }

    /// Answers choices from this seed.
    pub fn seed(mut self, seed: u64) -> SimBuilder {
        (self.seed, self.source) = (seed, None);
        self
    }

    /// How the seed explores schedules. Unless told otherwise it walks randomly: a portfolio needs the calibration that a
    /// [`crate::Check`] measures.
    pub fn strategy(mut self, strategy: StrategyKind, calibration: Calibration) -> SimBuilder {
        (self.strategy, self.calibration) = (strategy, calibration);
        self
    }

    /// Answers choices from a tape; the empty tape is the baseline run.
    pub fn tape(self, tape: &Tape) -> SimBuilder {
        self.source(Box::new(TapeSource::new(tape)))
    }

    /// Answers choices from bytes.
    pub fn bytes(self, bytes: &[u8]) -> SimBuilder {
        self.source(Box::new(BytesSource::new(bytes)))
    }

    /// Answers choices from a source of the caller's.
    pub fn source(mut self, source: Box<dyn Source>) -> SimBuilder {
        self.source = Some(source);
        self
    }

    /// The faults that may happen. [`SimBuilder::build`] panics for a plan that is not valid.
    pub fn faults(mut self, plan: FaultPlan) -> SimBuilder {
        self.faults = plan;
        self
    }

    /// What the run may cost.
    pub fn budget(mut self, budget: Budget) -> SimBuilder {
        self.budget = budget;
        self
    }

    /// What a panic in a task means.
    pub fn panics(mut self, policy: PanicPolicy) -> SimBuilder {
        self.panics = policy;
        self
    }

    /// What a task that is alive at the end means.
    pub fn leaks(mut self, policy: LeakPolicy) -> SimBuilder {
        self.leaks = policy;
        self
    }

    /// What is kept of the run.
    pub fn keep(mut self, keep: Keep) -> SimBuilder {
        self.keep = keep;
        self
    }

    /// Keeps the trace digest every 1,024 events, so that the first difference of two runs can be placed.
    pub fn checkpoints(mut self, keep: bool) -> SimBuilder {
        self.checkpoints = keep;
        self
    }

    /// Which tasks may be cancelled at their awaits, as the source says at the site `task.cancel`; the run then also says
    /// what it leaves behind.
    pub fn cancels(mut self, which: Cancels) -> SimBuilder {
        self.cancels = which;
        self
    }

    /// The world.
    ///
    /// # Panics
    /// When the plan of faults is not valid: see [`FaultPlan::validate`].
    pub fn build(self) -> Sim {
        if let Err(clash) = self.faults.validate() {
            panic!("{clash}");
        }
        let (seed, strategy, calibration) = (self.seed, self.strategy, &self.calibration);
        let plan = self.faults.clone();
        let source =
            self.source.unwrap_or_else(|| Box::new(SeedSource::new(seed, strategy, calibration, plan)));
        let world = World::new(Config {
            source,
            plan: self.faults,
            budget: self.budget,
            panics: self.panics,
            leaks: self.leaks,
            keep: self.keep,
            checkpoints: self.checkpoints,
            cancels: self.cancels,
        });
        Sim::with_world(world, seed)
    }
}
