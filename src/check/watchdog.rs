//! The watchdog: a poll that never returns cannot be ended from inside, so a clock outside the run ends the process,
//! with the seed and the task. It watches every run of a sweep: seeds, the baseline, second runs, and shrinking.

use super::config::Check;
use super::program::Program;
use crate::sim::Sim;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The exit code of a process that the watchdog ended.
pub const EXIT_HANG: i32 = 40;
/// How often it looks, at the least.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What each thread is at.
pub(super) struct Watchdog {
    /// Of the threads that sweep; then the driver's, for the runs of every other phase.
    jobs: Vec<Job>,
    /// The thread that watches.
    watcher: std::thread::Thread,
    /// The task that takes its turn in the driver's run, where that run keeps names.
    running: Arc<Mutex<String>>,
}

#[derive(Default)]
struct Job {
    seed: AtomicU64,
    /// Grows with every run that begins.
    runs: AtomicU64,
    retired: AtomicBool,
}

/// Retires a job when dropped, be it by a panic.
pub(super) struct Retires<'a> {
    job: &'a Job,
    watcher: &'a std::thread::Thread,
}

impl Drop for Retires<'_> {
    fn drop(&mut self) {
        self.job.retired.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}

impl Watchdog {
    /// For this many sweeping threads and the driver; the calling thread is the one that will watch.
    pub(super) fn new(jobs: usize) -> Watchdog {
        Watchdog {
            jobs: (0..=jobs).map(|_| Job::default()).collect(),
            watcher: std::thread::current(),
            running: Arc::default(),
        }
    }

    /// The driver's job: calibration, enumeration, second runs, recording and shrinking.
    pub(super) fn driver(&self) -> usize {
        self.jobs.len() - 1
    }

    /// A thread begins a seed.
    pub(super) fn begin(&self, job: usize, seed: u64) {
        self.jobs[job].seed.store(seed, Ordering::Relaxed);
        self.jobs[job].runs.fetch_add(1, Ordering::Relaxed);
    }

    /// The driver begins a run; one of no seed belongs to the last seed that was recorded.
    pub(super) fn begin_by_driver(&self, sim: &mut Sim) {
        let job = &self.jobs[self.driver()];
        if sim.seed() != 0 {
            job.seed.store(sim.seed(), Ordering::Relaxed);
        }
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clear();
        sim.watch(self.running.clone());
        job.runs.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread has no more runs once what is returned is dropped.
    pub(super) fn retire_later(&self, job: usize) -> Retires<'_> {
        Retires { job: &self.jobs[job], watcher: &self.watcher }
    }

    /// Looks until all threads retired; a run that takes too long ends the process.
    pub(super) fn watch(&self, check: &Check, program: &dyn Program) {
        let mut seen: Vec<(u64, crate::wall::Stopwatch)> =
            self.jobs.iter().map(|_| (0, crate::wall::Stopwatch::start())).collect();
        let driver = &self.jobs[self.driver()];
        while !driver.retired.load(Ordering::Acquire) {
            std::thread::park_timeout(LOOK_EVERY);
            for (job, (runs, since)) in self.jobs.iter().zip(&mut seen) {
                let now = job.runs.load(Ordering::Relaxed);
                let waits = std::ptr::eq(job, driver) && self.is_sweeping();
                if now != *runs || waits {
                    (*runs, *since) = (now, crate::wall::Stopwatch::start());
                } else if now > 0
                    && !job.retired.load(Ordering::Acquire)
                    && since.elapsed() > check.hang_after
                {
                    self.hang(check, job, program);
                }
            }
        }
    }

    /// Whether seeds are being swept: the driver waits then.
    fn is_sweeping(&self) -> bool {
        let mut sweeping = self.jobs.iter().take(self.driver());
        sweeping.any(|job| job.runs.load(Ordering::Relaxed) > 0 && !job.retired.load(Ordering::Acquire))
    }

    /// Says which task hangs, and ends the process.
    #[cold]
    fn hang(&self, check: &Check, job: &Job, program: &dyn Program) -> ! {
        let seed = job.seed.load(Ordering::Relaxed);
        let known = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (std::ptr::eq(job, &self.jobs[self.driver()]), known.is_empty()) {
            (true, false) => give_up(check, seed, Some(&known)),
            (true, true) => run_again(check, None, seed, program),
            (false, _) => run_again(check, Some(seed), seed, program),
        }
    }
}

/// Runs a seed, or the baseline, again with its tasks named, to learn which one hangs; then ends the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the second run hangs like the first: it needs a thread to be left in"
)]
fn run_again(check: &Check, again: Option<u64>, seed: u64, program: &dyn Program) -> ! {
    let running = Arc::new(Mutex::new(String::new()));
    std::thread::scope(|scope| {
        let watch = running.clone();
        let again = scope.spawn(move || check.run_watched(again, watch, program));
        std::thread::sleep(check.hang_after.min(Duration::from_secs(5)));
        let task = running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        give_up(check, seed, (!again.is_finished()).then_some(&*task))
    })
}

#[expect(clippy::print_stderr, reason = "the process ends here; this is its last word")]
fn give_up(check: &Check, seed: u64, task: Option<&str>) -> ! {
    let (name, after) = (&check.name, check.hang_after);
    match task {
        Some(task) => eprintln!("{name}: a poll of task {task} never returns (seed {seed}, after {after:?})"),
        None => eprintln!("{name}: seed {seed} takes longer than {after:?} of wall time"),
    }
    eprintln!("repeat it with FATUM_SEED={seed} FATUM_RUNS=1");
    std::process::exit(EXIT_HANG)
}
