//! The sweep: seeds over all cores with ordinary threads, merged in seed order, so that a report depends on neither
//! the number of jobs nor the order in which seeds were run.

use super::config::Check;
use super::determinism::{Differing, Recheck, Rechecks, Take, is_due};
use super::exhaustive::Bound;
use super::parallel;
use super::program::Program;
use super::report::Report;
use super::tally::{Origin, Tally};
use super::watchdog::{Subject, Watchdog};
use crate::Error;
use crate::sim::Sim;
use crate::strategy::Calibration;
use crate::strategy::profile::Profiler;
use crate::wall::Stopwatch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds that a thread takes at a time, at most.
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
    /// No runs; a shard that is none, or one of an exhaustive search; a failure file that cannot be written.
    pub fn sweep(&self, program: impl Program, progress: &(dyn Fn(u64) + Sync)) -> Result<Report, Error> {
        self.validate()?;
        let watchdog = Watchdog::new(parallel::threads(self.jobs), Subject::baseline());
        watchdog.over(self, &program, || self.sweep_watched(&program, &watchdog, progress))
    }

    /// Refuses what would be a sweep of nothing, or of something else than was asked for.
    fn validate(&self) -> Result<(), Error> {
        let (shard, shards) = self.shard;
        if shard >= shards {
            let message = format!("there is no shard {shard} of {shards}: shards are counted from 0");
            return Err(Error::input(message));
        }
        if let Some(points) = self.points {
            points.validate(&self.faults)?;
        }
        if self.resume.is_some() && self.exhaustive.is_none() {
            return Err(Error::input("only an exhaustive search can be resumed").help("say how far it goes"));
        }
        if self.exhaustive.is_some() || self.points.is_some() {
            return if shards == 1 {
                Ok(())
            } else {
                Err(Error::input("an exhaustive search cannot be split into shards")
                    .help("leave the shard out: FATUM_SHARD, --shard or Check::shard"))
            };
        }
        if self.guided && shards != 1 {
            return Err(Error::input("a guided search cannot be split into shards")
                .help("leave the shard out, and give each machine a seed base of its own: --seed-base or Check::seed_base"));
        }
        if self.runs == 0 {
            return Err(Error::input("a sweep of 0 runs proves nothing").help("sweep at least one"));
        }
        Ok(())
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
        let begins = |origin: &Origin| watchdog.drive(origin);
        let check = self.calibrated(&watched);
        let (tally, differing) = match (check.points, check.exhaustive) {
            (Some(_), _) => check.search_all(Bound::Deviations(1), &begins, &watched, progress)?,
            (None, Some(bound)) => check.search_all(bound, &begins, &watched, progress)?,
            (None, None) if check.guided => check.search(watchdog, program, progress),
            (None, None) => check.sweep_seeds(watchdog, &begins, &watched, program, progress),
        };
        check.report(tally, &differing, &begins, &watched)
    }

    /// The seeds of this shard, and the second runs of a share of them.
    fn sweep_seeds(
        &self,
        watchdog: &Watchdog,
        begins: &dyn Fn(&Origin),
        watched: &dyn Program,
        program: &dyn Program,
        progress: &(dyn Fn(u64) + Sync),
    ) -> (Tally, Vec<Differing>) {
        let shared = Shared::new(self, watchdog, progress);
        parallel::on_each(parallel::threads(self.jobs), |job| self.work(job, &shared, program));
        // What the threads left over runs here, which is another thread.
        self.recheck(&shared.rechecks, Take::Any, begins, watched);
        let merged = shared.merged.into_inner().unwrap_or_else(PoisonError::into_inner);
        (merged.prefix, shared.rechecks.into_differing())
    }

    /// The check with what strategies estimate from, measured by the baseline run.
    pub(super) fn calibrated(&self, program: &dyn Program) -> Check {
        let mut check = self.with_leftovers(program);
        if check.calibration == Calibration::default() {
            let (baseline, profiler) = check.run_with(Profiler::default(), program);
            check.calibration =
                profiler.into_calibration(baseline.steps, u64::from(baseline.tasks), self.strategy);
        }
        check
    }

    /// Seeds of a chunk: fewer where there would be none for some shard.
    fn chunk(&self) -> u64 {
        (self.runs / self.shard.1).clamp(1, CHUNK)
    }

    /// One thread: chunk after chunk, and between them the seeds that another thread wants run again. A single thread
    /// leaves them to the driver's, as long as they are not too many.
    fn work(&self, job: usize, shared: &Shared<'_>, program: &dyn Program) {
        let _retires = shared.watchdog.retire_later(job);
        let chunks = self.runs.div_ceil(self.chunk());
        let begins = |origin: &Origin| {
            if let Origin::Seed(seed) = origin {
                shared.watchdog.begin(job, *seed);
            }
        };
        let which = if parallel::threads(self.jobs) > 1 { Take::NotOf(job) } else { Take::Surplus };
        loop {
            let chunk = shared.next.fetch_add(self.shard.1, Ordering::Relaxed);
            if chunk >= chunks || self.wall_max.is_some_and(|max| shared.clock.elapsed() > max) {
                return;
            }
            let tally = self.sweep_chunk(chunk, job, shared, program);
            let runs = tally.runs;
            shared.merged.lock().unwrap_or_else(PoisonError::into_inner).add(chunk, tally, self);
            (shared.progress)(shared.done.fetch_add(runs, Ordering::Relaxed) + runs);
            self.recheck(&shared.rechecks, which, &begins, program);
        }
    }

    /// Makes waiting runs a second time.
    pub(super) fn recheck(
        &self,
        rechecks: &Rechecks,
        which: Take,
        begins: &dyn Fn(&Origin),
        program: &dyn Program,
    ) {
        while let Some(recheck) = rechecks.take(which) {
            begins(&recheck.origin);
            let again = self.sweep_origin(&recheck.origin, true, program);
            rechecks.compare(recheck, &again);
        }
    }

    fn sweep_chunk(&self, chunk: u64, job: usize, shared: &Shared<'_>, program: &dyn Program) -> Tally {
        let mut tally = Tally::default();
        let mut rechecks = Vec::new();
        let size = self.chunk();
        for index in chunk * size..((chunk + 1) * size).min(self.runs) {
            let seed = self.seed_base.wrapping_add(index);
            shared.watchdog.begin(job, seed);
            let recheck = is_due(seed, self.recheck_one_in);
            let run = self.sweep_seed(seed, recheck, program);
            if recheck {
                rechecks.push(Recheck {
                    job,
                    index,
                    origin: Origin::Seed(seed),
                    digests: run.digests.clone(),
                });
            }
            tally.add(index, || Origin::Seed(seed), run, self.shrunk_max);
        }
        shared.rechecks.add(rechecks);
        tally
    }
}

#[expect(clippy::disallowed_methods, reason = "second runs of a sweep are made on another thread")]
pub(super) fn on_another_thread(work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(work).join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task;
    use std::sync::Arc;

    /// Two tasks of which one loses an update under some schedules.
    fn lost_update(sim: &mut Sim) {
        let counter = Arc::new(AtomicU64::new(0));
        for name in ["a", "b"] {
            let counter = counter.clone();
            sim.host(name).run(|_| async move {
                let seen = counter.load(Ordering::Relaxed);
                task::yield_point("counter").await;
                counter.store(seen + 1, Ordering::Relaxed);
            });
        }
        sim.sometimes("a lost update", {
            let counter = counter.clone();
            move || counter.load(Ordering::Relaxed) == 1
        });
        sim.eventually("counter == 2", move || counter.load(Ordering::Relaxed) == 2);
    }

    /// The report of a sweep whose chunks are made in this order, each on a thread of its own.
    #[expect(clippy::disallowed_methods, reason = "chunks are made on different threads")]
    fn report(check: &Check, order: &[u64]) -> String {
        let watchdog = Watchdog::new(order.len(), Subject::baseline());
        let shared = Shared::new(check, &watchdog, &|_| {});
        for (job, &chunk) in order.iter().enumerate() {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let tally = check.sweep_chunk(chunk, job, &shared, &lost_update);
                    shared.merged.lock().unwrap().add(chunk, tally, check);
                });
            });
        }
        check.recheck(&shared.rechecks, Take::Any, &|_| {}, &lost_update);
        let merged = shared.merged.into_inner().unwrap();
        assert!(merged.early.is_empty(), "all chunks were merged");
        let report = check.report(merged.prefix, &shared.rechecks.into_differing(), &|_| {}, &lost_update);
        format!("{:#?}", report.unwrap())
    }

    #[test]
    fn seeds_in_another_order_give_the_same_report() {
        let check = Check { failures_dir: None, ..Check::new("order").runs(5 * CHUNK).seed_base(7) };
        let in_order = report(&check, &[0, 1, 2, 3, 4]);
        for order in [[4, 2, 0, 1, 3], [4, 3, 2, 1, 0], [1, 0, 3, 2, 4]] {
            assert_eq!(report(&check, &order), in_order, "{order:?}");
        }
        assert!(in_order.contains("runs: 160"), "{in_order}");
        assert!(in_order.contains("verdict: Failed"), "{in_order}");
    }
}
