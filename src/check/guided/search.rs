//! The search: batches of runs, made from the corpus in order, run in parallel, and merged in order.
//!
//! So it is a function of (program, seed base, runs), whatever the number of jobs. The determinism check makes its second
//! runs in the batch after, on threads that are new.

use super::corpus::Corpus;
use super::{Notes, Recipe};
use crate::check::config::Check;
use crate::check::determinism::{Differing, Recheck, Rechecks, Take, is_due};
use crate::check::parallel;
use crate::check::program::Program;
use crate::check::tally::{Origin, Tally};
use crate::check::watchdog::Watchdog;
use crate::sim::Run;
use crate::wall::Stopwatch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs of a batch: what they reach guides the next one.
const BATCH: u64 = 64;

/// A run of a batch that was made, and by which thread.
struct Made {
    run: Run,
    notes: Notes,
    job: usize,
}

impl Check {
    /// The runs of a guided search.
    pub(in crate::check) fn search(
        &self,
        watchdog: &Watchdog,
        program: &dyn Program,
        progress: &(dyn Fn(u64) + Sync),
    ) -> (Tally, Vec<Differing>) {
        let threads = parallel::threads(self.jobs);
        let _retire: Vec<_> = (0..threads).map(|job| watchdog.retire_later(job)).collect();
        let (mut tally, mut corpus, rechecks) = (Tally::default(), Corpus::default(), Rechecks::default());
        let clock = Stopwatch::start();
        while tally.runs < self.runs && self.wall_max.is_none_or(|max| clock.elapsed() <= max) {
            let lots = corpus.lots();
            let numbers = tally.runs..self.runs.min(tally.runs + BATCH);
            let recipe = |number| lots.recipe(number, self.seed_base.wrapping_add(number));
            let batch: Vec<Arc<Recipe>> = numbers.map(recipe).map(Arc::new).collect();
            let made = self.make(&batch, &rechecks, watchdog, program);
            for (recipe, made) in batch.into_iter().zip(made) {
                self.merge(&recipe, made, &mut tally, &mut corpus, &rechecks);
            }
            progress(tally.runs);
        }
        self.make(&[], &rechecks, watchdog, program);
        tally.guidance = Some(corpus.guidance());
        (tally, rechecks.into_differing())
    }

    /// The runs of a batch, in order; and the second runs that wait.
    fn make(
        &self,
        batch: &[Arc<Recipe>],
        rechecks: &Rechecks,
        watchdog: &Watchdog,
        program: &dyn Program,
    ) -> Vec<Made> {
        let (next, all) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        parallel::on_each(parallel::threads(self.jobs), |job| {
            loop {
                let nth = next.fetch_add(1, Ordering::Relaxed);
                let Some(recipe) = batch.get(nth) else { break };
                watchdog.begin_run(job, recipe.origin());
                let is_due = is_due(recipe.seed, self.recheck_one_in);
                let (run, notes) = self.run_guided(recipe, is_due, program);
                let made = Made { run, notes, job };
                all.lock().unwrap_or_else(PoisonError::into_inner).insert(nth, made);
            }
            let begins = |origin: &Origin| watchdog.begin_run(job, origin.clone());
            self.recheck(rechecks, Take::Any, &begins, program);
        });
        all.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    fn merge(
        &self,
        recipe: &Arc<Recipe>,
        made: Made,
        tally: &mut Tally,
        corpus: &mut Corpus,
        rechecks: &Rechecks,
    ) {
        let Made { run, notes, job } = made;
        if is_due(recipe.seed, self.recheck_one_in) {
            let (index, origin, digests) = (recipe.number, recipe.origin(), run.digests.clone());
            rechecks.add([Recheck { job, index, origin, digests }]);
        }
        corpus.add(notes);
        tally.add(recipe.number, || recipe.origin(), run, self.shrunk_max);
    }
}

impl Recipe {
    /// What the run was made from; one without recorded answers is an ordinary run of its seed.
    fn origin(self: &Arc<Recipe>) -> Origin {
        match self.length {
            0 => Origin::Seed(self.seed),
            _ => Origin::Guided(self.clone()),
        }
    }
}
