//! The sweep: seeds over all cores with ordinary threads, merged in seed order, so that a report depends on neither
//! the number of jobs nor the order in which seeds were run.

use super::config::Check;
use super::determinism::{Recheck, Rechecks, is_due};
use super::program::Program;
use super::report::Report;
use super::tally::{Origin, Tally};
use super::watchdog::Watchdog;
use crate::Error;
use crate::choice::enumerate::{Enumerator, StepsSource};
use crate::sim::Sim;
use crate::strategy::Calibration;
use crate::wall::Stopwatch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds that a thread takes at a time.
const CHUNK: u64 = 32;

/// What the threads of a sweep share.
struct Shared<'a> {
    next: AtomicU64,
    done: AtomicU64,
    merged: Mutex<Merged>,
    rechecks: Rechecks,
    watchdog: &'a Watchdog,
    clock: Stopwatch,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Shared<'a> {
    fn new(check: &Check, watchdog: &'a Watchdog, progress: &'a (dyn Fn(u64) + Sync)) -> Shared<'a> {
        Shared {
            next: AtomicU64::new(check.shard.0),
            done: AtomicU64::new(0),
            merged: Mutex::new(Merged { next: check.shard.0, ..Merged::default() }),
            rechecks: Rechecks::default(),
            watchdog,
            clock: Stopwatch::start(),
            progress,
        }
    }
}

/// The tally of all chunks from the first on, and those that came before their turn.
#[derive(Default)]
struct Merged {
    prefix: Tally,
    next: u64,
    early: BTreeMap<u64, Tally>,
}

impl Merged {
    fn add(&mut self, chunk: u64, tally: Tally, check: &Check) {
        self.early.insert(chunk, tally);
        while let Some(tally) = self.early.remove(&self.next) {
            self.prefix.merge(tally, check.shrunk_max);
            self.next += check.shard.1;
        }
    }
}

impl Check {
    /// Runs the sweep and shrinks what fails. `progress` hears how many runs are done.
    ///
    /// # Errors
    /// A shard that is none, or a failure file that cannot be written.
    #[expect(clippy::disallowed_methods, reason = "the calling thread watches the one that sweeps")]
    pub fn sweep(&self, program: impl Program, progress: &(dyn Fn(u64) + Sync)) -> Result<Report, Error> {
        let (shard, shards) = self.shard;
        if shard >= shards {
            return Err(Error::input(format!(
                "there is no shard {shard} of {shards}: shards are counted from 0"
            )));
        }
        let watchdog = Watchdog::new(self.threads_max());
        std::thread::scope(|scope| {
            let sweep = scope.spawn(|| {
                let _retires = watchdog.retire_later(watchdog.driver());
                self.sweep_watched(&program, &watchdog, progress)
            });
            watchdog.watch(self, &program);
            sweep.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        })
    }

    /// All phases; the runs of each are told to the watchdog.
    fn sweep_watched(
        &self,
        program: &dyn Program,
        watchdog: &Watchdog,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Report, Error> {
        let watched = |sim: &mut Sim| {
            watchdog.begin_by_driver(sim);
            program(sim);
        };
        let check = self.calibrated(&watched);
        if let Some(depth) = check.exhaustive {
            let tally = check.enumerate(depth, &watched, progress);
            return check.report(tally, Vec::new(), &watched);
        }
        let shared = Shared::new(&check, watchdog, progress);
        check.threads(|job| check.work(job, &shared, program));
        // What the threads left over runs here, which is another thread.
        check.recheck(&shared.rechecks, None, &|_| {}, &watched);
        let merged = shared.merged.into_inner().unwrap_or_else(PoisonError::into_inner);
        check.report(merged.prefix, shared.rechecks.into_differing(), &watched)
    }

    /// The check with what strategies estimate from, measured by the baseline run.
    fn calibrated(&self, program: &dyn Program) -> Check {
        let mut check = self.clone();
        if check.calibration == Calibration::default() {
            let (baseline, _) = check.run_steps(StepsSource::new(Vec::new()), program);
            check.calibration = baseline.calibration();
        }
        check
    }

    fn threads_max(&self) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            jobs => jobs,
        }
    }

    /// Runs `work` on each of this check's threads.
    #[expect(
        clippy::disallowed_methods,
        reason = "a sweep uses the cores with ordinary threads; a run never does"
    )]
    fn threads(&self, work: impl Fn(usize) + Sync) {
        std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (0..self.threads_max()).map(|job| scope.spawn(move || work(job))).collect();
            for thread in threads {
                thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
            }
        });
    }

    /// One thread: chunk after chunk, and between them the seeds that another thread wants run again.
    fn work(&self, job: usize, shared: &Shared<'_>, program: &dyn Program) {
        let _retires = shared.watchdog.retire_later(job);
        let chunks = self.runs.div_ceil(CHUNK);
        let begins = |seed| shared.watchdog.begin(job, seed);
        let others = (self.threads_max() > 1).then_some(job);
        loop {
            let chunk = shared.next.fetch_add(self.shard.1, Ordering::Relaxed);
            if chunk >= chunks || self.wall_max.is_some_and(|max| shared.clock.elapsed() > max) {
                return;
            }
            let tally = self.sweep_chunk(chunk, job, shared, program);
            let runs = tally.runs;
            shared.merged.lock().unwrap_or_else(PoisonError::into_inner).add(chunk, tally, self);
            (shared.progress)(shared.done.fetch_add(runs, Ordering::Relaxed) + runs);
            self.recheck(&shared.rechecks, others, &begins, program);
        }
    }

    /// Runs the waiting seeds a second time, but for those of the thread `not_of`.
    fn recheck(
        &self,
        rechecks: &Rechecks,
        not_of: Option<usize>,
        begins: &dyn Fn(u64),
        program: &dyn Program,
    ) {
        while let Some(recheck) = rechecks.take(not_of) {
            begins(recheck.seed);
            rechecks.compare(&recheck, &self.sweep_seed(recheck.seed, true, program));
        }
    }

    fn sweep_chunk(&self, chunk: u64, job: usize, shared: &Shared<'_>, program: &dyn Program) -> Tally {
        let mut tally = Tally::default();
        let mut rechecks = Vec::new();
        for index in chunk * CHUNK..((chunk + 1) * CHUNK).min(self.runs) {
            let seed = self.seed_base.wrapping_add(index);
            shared.watchdog.begin(job, seed);
            let recheck = is_due(seed, self.recheck_one_in);
            let run = self.sweep_seed(seed, recheck, program);
            if recheck {
                rechecks.push(Recheck { job, seed, digests: run.digests.clone() });
            }
            tally.add(index, || Origin::Seed(seed), run, self.shrunk_max);
        }
        shared.rechecks.add(rechecks);
        tally
    }

    /// Every run with at most `depth` deviations.
    fn enumerate(&self, depth: usize, program: &dyn Program, progress: &(dyn Fn(u64) + Sync)) -> Tally {
        let mut tally = Tally::default();
        let mut enumerator = Enumerator::new(depth);
        let clock = Stopwatch::start();
        while let Some(next) = enumerator.advance() {
            if self.wall_max.is_some_and(|max| clock.elapsed() > max) {
                break;
            }
            let (run, asked) = self.run_steps(StepsSource::new(next.steps.clone()), program);
            enumerator.ran(asked);
            if !next.seen {
                let index = tally.runs;
                tally.add(index, || Origin::Steps(next.steps), run, self.shrunk_max);
                progress(tally.runs);
            }
        }
        tally
    }
}
