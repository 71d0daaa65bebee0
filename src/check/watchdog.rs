//! The watchdog: a poll that never returns cannot be ended from inside, so a clock outside the run ends the process,
//! with the seed and the task.

use super::config::Check;
use super::program::Program;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The exit code of a process that the watchdog ended.
pub const EXIT_HANG: i32 = 40;
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What each thread is at.
pub(super) struct Watchdog {
    jobs: Vec<Job>,
    /// The thread that watches.
    watcher: std::thread::Thread,
}

#[derive(Default)]
struct Job {
    seed: AtomicU64,
    /// Grows with every run that begins.
    runs: AtomicU64,
    retired: AtomicBool,
}

impl Watchdog {
    /// For this many threads; the calling thread is the one that will watch.
    pub(super) fn new(jobs: usize) -> Watchdog {
        Watchdog { jobs: (0..jobs).map(|_| Job::default()).collect(), watcher: std::thread::current() }
    }

    /// A thread begins a seed.
    pub(super) fn begin(&self, job: usize, seed: u64) {
        self.jobs[job].seed.store(seed, Ordering::Relaxed);
        self.jobs[job].runs.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread has no more seeds.
    pub(super) fn retire(&self, job: usize) {
        self.jobs[job].retired.store(true, Ordering::Release);
        self.watcher.unpark();
    }

    /// Looks until all threads retired; a run that takes too long ends the process.
    pub(super) fn watch(&self, check: &Check, program: &dyn Program) {
        let mut seen: Vec<(u64, crate::wall::Stopwatch)> =
            self.jobs.iter().map(|_| (0, crate::wall::Stopwatch::start())).collect();
        while !self.jobs.iter().all(|job| job.retired.load(Ordering::Acquire)) {
            std::thread::park_timeout(LOOK_EVERY);
            for (job, (runs, since)) in self.jobs.iter().zip(&mut seen) {
                let now = job.runs.load(Ordering::Relaxed);
                if now != *runs {
                    (*runs, *since) = (now, crate::wall::Stopwatch::start());
                } else if now > 0
                    && !job.retired.load(Ordering::Acquire)
                    && since.elapsed() > check.hang_after
                {
                    hang(check, job.seed.load(Ordering::Relaxed), program);
                }
            }
        }
    }
}

/// Runs the seed again with its tasks named, to learn which one hangs; then ends the process.
#[cold]
#[expect(clippy::print_stderr, reason = "the process ends here; this is its last word")]
#[expect(
    clippy::disallowed_methods,
    reason = "the second run hangs like the first: it needs a thread to be left in"
)]
fn hang(check: &Check, seed: u64, program: &dyn Program) -> ! {
    let running = Arc::new(Mutex::new(String::new()));
    std::thread::scope(|scope| {
        let running = &running;
        let again = scope.spawn(move || check.run_watched(seed, running.clone(), program));
        std::thread::sleep(check.hang_after.min(Duration::from_secs(5)));
        let task = running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let name = &check.name;
        if again.is_finished() {
            eprintln!("{name}: seed {seed} takes longer than {:?} of wall time", check.hang_after);
        } else {
            eprintln!(
                "{name}: a poll of task {task} never returns (seed {seed}, after {:?})",
                check.hang_after
            );
        }
        eprintln!("repeat it with FATUM_SEED={seed} FATUM_RUNS=1");
        std::process::exit(EXIT_HANG);
    })
}
