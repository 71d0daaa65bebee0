//! Programs, and the ways to run one: from a seed, a tape, or positions.

use super::Check;
use super::file::FailureFile;
use super::guided::{GuidedSource, Notes, Recipe};
use super::points::Perturbation;
use super::tally::Origin;
use super::watchdog::Subject;
use crate::choice::Source;
use crate::choice::asked::{AskedSource, Place};
use crate::choice::enumerate::{Asked, Step, StepsSource};
use crate::choice::explore::Explorer;
use crate::choice::tape::{Tape, TapeSource};
use crate::runtime::{Cancels, End};
use crate::sim::{Keep, Run, Sim, SimBuilder};
use crate::strategy::seed::SeedSource;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What is checked: it sets up a world.
pub trait Program: Fn(&mut Sim) + Send + Sync {}

impl<F: Fn(&mut Sim) + Send + Sync> Program for F {}

impl Check {
    /// A world for this check; the source is the caller's to set.
    fn builder(&self) -> SimBuilder {
        let builder = Sim::builder().faults(self.faults.clone()).budget(self.budget);
        builder.panics(self.panics).leaks(self.leaks).cancels(self.cancels())
    }

    /// Which tasks the runs may cancel.
    fn cancels(&self) -> Cancels {
        self.points.map_or(Cancels::Nothing, Perturbation::cancels)
    }

    /// The check with what the fault-free run leaves behind, where runs are compared with it.
    pub(super) fn with_leftovers(&self, program: &dyn Program) -> Check {
        let mut check = self.clone();
        if self.cancels() != Cancels::Nothing && check.leftovers.is_none() {
            check.leftovers = Some(run(self.builder().tape(&Tape::default()), program).leftovers);
        }
        check
    }

    /// The check under which a tape was recorded: one that cancels tasks asks where no other does.
    fn of_tape(&self, tape: &Tape, program: &dyn Program) -> Check {
        let points = Perturbation::of_tape(tape).filter(|_| self.cancels() == Cancels::Nothing);
        Check { points: points.or(self.points), ..self.clone() }.with_leftovers(program)
    }

    /// A run that passes has leaked if it left behind what the fault-free run does not.
    fn judged(&self, mut run: Run) -> Run {
        if let (Some(reference), End::Passed) = (&self.leftovers, &run.end) {
            let more = run.leftovers.more_than(reference);
            if !more.is_empty() {
                let detail = format!("a cancelled task left something behind: {}", more.join("; "));
                run.end = End::Leaked { detail };
            }
        }
        run
    }

    /// The run of a world of this check.
    fn run(&self, builder: SimBuilder, program: &dyn Program) -> Run {
        self.judged(run(builder, program))
    }

    /// As [`Check::run`], and its source back.
    fn run_back<S: Source + 'static>(
        &self,
        builder: SimBuilder,
        source: S,
        program: &dyn Program,
    ) -> (Run, S) {
        let mut sim = builder.source(Box::new(source)).build();
        program(&mut sim);
        let (run, source) = sim.finish_with_source();
        (self.judged(run), source)
    }

    /// The run of a seed, with nothing kept but digests.
    pub(super) fn sweep_seed(&self, seed: u64, checkpoints: bool, program: &dyn Program) -> Run {
        let builder = self.builder().seed(seed).strategy(self.strategy, self.calibration.clone());
        self.run(builder.checkpoints(checkpoints), program)
    }

    /// The run of a seed as a sweep makes it, with its tape and trace, for snapshots.
    ///
    /// The baseline runs first, for what strategies estimate from, unless [`Check::calibration`] is set. A poll that
    /// never returns ends the process after [`Check::hang_after`].
    pub fn run_seed(&self, seed: u64, program: impl Program) -> Run {
        self.guarded(Subject::baseline(), &program, |program, watchdog| {
            let (check, origin) = (self.calibrated(program), Origin::Seed(seed));
            watchdog.drive(&origin);
            check.record_origin(&origin, Keep::Trace, program)
        })
    }

    /// A run of a guided search, and what was noted of it.
    pub(super) fn run_guided(
        &self,
        recipe: &Recipe,
        checkpoints: bool,
        program: &dyn Program,
    ) -> (Run, Notes) {
        let builder = self.builder().seed(recipe.seed).checkpoints(checkpoints);
        let (run, source) = self.run_back(builder, self.guided_source(recipe), program);
        (run, source.into_notes())
    }

    fn guided_source(&self, recipe: &Recipe) -> GuidedSource {
        let rest = SeedSource::new(recipe.seed, self.strategy, &self.calibration, self.faults.clone());
        GuidedSource::new(recipe.clone(), rest)
    }

    /// The run of a seed, of steps, or of a recipe.
    fn builder_of(&self, origin: &Origin) -> SimBuilder {
        match origin {
            Origin::Seed(seed) => {
                self.builder().seed(*seed).strategy(self.strategy, self.calibration.clone())
            }
            Origin::Explored(explorer) => self.builder().source(explorer.clone()),
            Origin::Guided(recipe) => {
                self.builder().seed(recipe.seed).source(Box::new(self.guided_source(recipe)))
            }
            Origin::Steps(steps) => self.builder().source(Box::new(StepsSource::new(steps.clone()))),
        }
    }

    /// A run of a sweep once more, with nothing kept but digests.
    pub(super) fn sweep_origin(&self, origin: &Origin, checkpoints: bool, program: &dyn Program) -> Run {
        self.run(self.builder_of(origin).checkpoints(checkpoints), program)
    }

    pub(super) fn record_origin(&self, origin: &Origin, keep: Keep, program: &dyn Program) -> Run {
        self.run(self.builder_of(origin).keep(keep), program)
    }

    /// A run of a sweep once more, in which `running` always names the task that takes its turn.
    pub(super) fn run_watched(
        &self,
        origin: &Origin,
        running: Arc<Mutex<String>>,
        program: &dyn Program,
    ) -> Run {
        let watched = |sim: &mut Sim| {
            sim.watch(running.clone());
            program(sim);
        };
        self.record_origin(origin, Keep::Tape, &watched)
    }

    /// The run of a tape; the empty one is the baseline. A poll that never returns ends the process after
    /// [`Check::hang_after`].
    pub fn replay(&self, tape: &Tape, keep: Keep, program: impl Program) -> Run {
        self.guarded(Subject::Tape, &program, |program, _| self.replay_tape(tape, keep, program))
    }

    /// The run of the failure file at `path`, with its trace and the lines of `tracing`.
    pub fn replay_file(&self, path: &Path, file: &FailureFile, program: impl Program) -> Run {
        self.replay_bare(path, &file.tape, program)
    }

    /// As [`Check::replay_file`], of a tape that stands in a file of its own.
    pub fn replay_bare(&self, path: &Path, tape: &Tape, program: impl Program) -> Run {
        self.guarded(Subject::File(path.to_owned()), &program, |program, _| {
            crate::log::captured(|| self.replay_tape(tape, Keep::Trace, program))
        })
    }

    /// The run of a tape, and where else it could have deviated.
    pub(super) fn run_asked(&self, tape: &Tape, program: &dyn Program) -> (Run, Vec<Place>) {
        let (run, source) = self.run_with(AskedSource::new(TapeSource::new(tape)), program);
        (run, source.into_places())
    }

    pub(super) fn replay_tape(&self, tape: &Tape, keep: Keep, program: &dyn Program) -> Run {
        let check = self.of_tape(tape, program);
        check.run(check.builder().tape(tape).keep(keep), program)
    }

    /// The run of a source of the caller's.
    pub fn run_source(&self, source: Box<dyn Source>, keep: Keep, program: impl Program) -> Run {
        self.run(self.builder().source(source).keep(keep), &program)
    }

    pub(super) fn record_source(&self, source: Box<dyn Source>, keep: Keep, program: &dyn Program) -> Run {
        self.run(self.builder().source(source).keep(keep), program)
    }

    /// The run that deviates at these positions, and what it was asked after the last; noting where its digests stood
    /// if it is to be made a second time.
    pub(super) fn run_steps(&self, source: StepsSource, again: bool, program: &dyn Program) -> (Run, Asked) {
        let (run, source) = self.run_back(self.builder().checkpoints(again), source, program);
        (run, source.into_asked())
    }

    /// The next run of a search through all, and the search after it.
    pub(super) fn run_exploring(
        &self,
        explorer: Explorer,
        again: bool,
        program: &dyn Program,
    ) -> (Run, Explorer) {
        self.run_back(self.builder().checkpoints(again), explorer, program)
    }

    /// A run, and its source back.
    pub(super) fn run_with<S: Source + 'static>(&self, source: S, program: &dyn Program) -> (Run, S) {
        self.run_back(self.builder(), source, program)
    }

    /// The same run with its tape.
    pub(super) fn record_steps(&self, steps: &[Step], program: &dyn Program) -> Run {
        self.run(self.builder().source(Box::new(StepsSource::new(steps.to_vec()))).keep(Keep::Tape), program)
    }
}

fn run(builder: SimBuilder, program: &dyn Program) -> Run {
    let mut sim = builder.build();
    program(&mut sim);
    sim.finish()
}
