//! Programs, and the ways to run one: from a seed, a tape, or positions.

use super::Check;
use crate::choice::Source;
use crate::choice::enumerate::{Asked, Step, StepsSource};
use crate::choice::tape::Tape;
use crate::sim::{Keep, Run, Sim, SimBuilder};
use std::sync::{Arc, Mutex};

/// What is checked: it sets up a world.
pub trait Program: Fn(&mut Sim) + Send + Sync {}

impl<F: Fn(&mut Sim) + Send + Sync> Program for F {}

impl Check {
    /// A world for this check; the source is the caller's to set.
    fn builder(&self) -> SimBuilder {
        Sim::builder().faults(self.faults.clone()).budget(self.budget).panics(self.panics).leaks(self.leaks)
    }

    /// The run of a seed, with nothing kept but digests.
    pub(super) fn sweep_seed(&self, seed: u64, checkpoints: bool, program: &dyn Program) -> Run {
        let builder = self.builder().seed(seed).strategy(self.strategy, self.calibration);
        run(builder.checkpoints(checkpoints), program)
    }

    /// The run of a seed with its tape and trace, for snapshots.
    pub fn run_seed(&self, seed: u64, program: impl Program) -> Run {
        self.record_seed(seed, Keep::Trace, &program)
    }

    pub(super) fn record_seed(&self, seed: u64, keep: Keep, program: &dyn Program) -> Run {
        let builder = self.builder().seed(seed).strategy(self.strategy, self.calibration);
        run(builder.keep(keep), program)
    }

    /// The run of a seed, or of the baseline, in which `running` always names the task that takes its turn.
    pub(super) fn run_watched(
        &self,
        seed: Option<u64>,
        running: Arc<Mutex<String>>,
        program: &dyn Program,
    ) -> Run {
        let builder = self.builder().strategy(self.strategy, self.calibration);
        let builder = match seed {
            Some(seed) => builder.seed(seed),
            None => builder.tape(&Tape::default()),
        };
        let watched = |sim: &mut Sim| {
            sim.watch(running.clone());
            program(sim);
        };
        run(builder.keep(Keep::Tape), &watched)
    }

    /// The run of a tape; the empty one is the baseline.
    pub fn replay(&self, tape: &Tape, keep: Keep, program: impl Program) -> Run {
        self.replay_tape(tape, keep, &program)
    }

    pub(super) fn replay_tape(&self, tape: &Tape, keep: Keep, program: &dyn Program) -> Run {
        run(self.builder().tape(tape).keep(keep), program)
    }

    /// The run of a source of the caller's.
    pub fn run_source(&self, source: Box<dyn Source>, keep: Keep, program: impl Program) -> Run {
        run(self.builder().source(source).keep(keep), &program)
    }

    pub(super) fn record_source(&self, source: Box<dyn Source>, keep: Keep, program: &dyn Program) -> Run {
        run(self.builder().source(source).keep(keep), program)
    }

    /// The run that deviates at these positions, and what it was asked after the last.
    pub(super) fn run_steps(&self, source: StepsSource, program: &dyn Program) -> (Run, Asked) {
        let (run, source) = self.run_with(source, program);
        (run, source.into_asked())
    }

    /// A run, and its source back.
    pub(super) fn run_with<S: Source + 'static>(&self, source: S, program: &dyn Program) -> (Run, S) {
        let mut sim = self.builder().source(Box::new(source)).build();
        program(&mut sim);
        sim.finish_with_source()
    }

    /// The same run with its tape.
    pub(super) fn record_steps(&self, steps: &[Step], program: &dyn Program) -> Run {
        run(self.builder().source(Box::new(StepsSource::new(steps.to_vec()))).keep(Keep::Tape), program)
    }
}

fn run(builder: SimBuilder, program: &dyn Program) -> Run {
    let mut sim = builder.build();
    program(&mut sim);
    sim.finish()
}
