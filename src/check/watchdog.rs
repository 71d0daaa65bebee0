//! The watchdog: a poll that never returns cannot be ended from inside, so a clock outside the run ends the process,
//! with what was run and the task. It watches every run: of a sweep (seeds, the baseline, second runs, shrinking), and
//! the single ones of a seed or a file.

use super::config::Check;
use super::program::Program;
use super::tally::Origin;
use crate::sim::Sim;
use crate::wall::Stopwatch;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The exit code of a process that the watchdog ended.
pub const EXIT_HANG: i32 = 40;
/// How often it looks, at the least.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is being run.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A run of a sweep, or one that stems from it.
    Of(Origin),
    /// A tape of the caller's.
    Tape,
    /// A failure file.
    File(PathBuf),
}

impl Subject {
    /// The run of which all choices are the baseline.
    pub(super) fn baseline() -> Subject {
        Subject::Of(Origin::Steps(Vec::new()))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Of(origin) => origin.fmt(f),
            Subject::Tape => f.write_str("the run of a tape"),
            Subject::File(path) => write!(f, "the run of {}", path.display()),
        }
    }
}

/// What each thread is at.
pub(super) struct Watchdog {
    /// Of the threads that sweep; then the driver's, for the runs of every other phase.
    jobs: Vec<Job>,
    /// What the driver is at.
    driven: Mutex<Subject>,
    /// The thread that watches.
    watcher: std::thread::Thread,
    /// The task that takes its turn in the driver's run, where that run keeps names.
    running: Arc<Mutex<String>>,
}

#[derive(Default)]
struct Job {
    seed: AtomicU64,
    /// What it runs, where a seed does not say that.
    origin: Mutex<Option<Origin>>,
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

impl Check {
    /// Makes runs of a subject on a thread of their own, which the calling thread watches. A `tracing` subscriber of
    /// the calling thread listens there too.
    pub(super) fn guarded<T: Send>(
        &self,
        subject: Subject,
        program: &dyn Program,
        work: impl FnOnce(&dyn Program, &Watchdog) -> T + Send,
    ) -> T {
        let watchdog = Watchdog::new(0, subject);
        let listener = tracing::dispatcher::get_default(Clone::clone);
        watchdog.over(self, program, || {
            let watched = |sim: &mut Sim| {
                watchdog.begin_by_driver(sim);
                program(sim);
            };
            if listener.is::<tracing::subscriber::NoSubscriber>() {
                return work(&watched, &watchdog);
            }
            tracing::dispatcher::with_default(&listener, || work(&watched, &watchdog))
        })
    }
}

impl Watchdog {
    /// For this many sweeping threads and the driver, which begins with `driven`; the calling thread is the one that
    /// will watch.
    pub(super) fn new(jobs: usize, driven: Subject) -> Watchdog {
        Watchdog {
            jobs: (0..=jobs).map(|_| Job::default()).collect(),
            driven: Mutex::new(driven),
            watcher: std::thread::current(),
            running: Arc::default(),
        }
    }

    /// Does the driver's work on a thread of its own, and watches until it is done. A thread of its own, so that
    /// runs stay out of a tokio task that calls this, and of its budget.
    #[expect(clippy::disallowed_methods, reason = "the calling thread watches the one that runs")]
    pub(super) fn over<T: Send>(
        &self,
        check: &Check,
        program: &dyn Program,
        work: impl FnOnce() -> T + Send,
    ) -> T {
        std::thread::scope(|scope| {
            let working = scope.spawn(|| {
                let _retires = self.retire_later(self.driver());
                work()
            });
            self.watch(check, program);
            working.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        })
    }

    /// The driver's job: calibration, enumeration, second runs, recording and shrinking.
    fn driver(&self) -> usize {
        self.jobs.len() - 1
    }

    /// A thread begins a seed.
    pub(super) fn begin(&self, job: usize, seed: u64) {
        self.jobs[job].seed.store(seed, Ordering::Relaxed);
        self.jobs[job].runs.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread begins a run of a guided search.
    pub(super) fn begin_run(&self, job: usize, origin: Origin) {
        *self.jobs[job].origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin);
        self.jobs[job].runs.fetch_add(1, Ordering::Relaxed);
    }

    /// What the driver's next runs stem from.
    pub(super) fn drive(&self, origin: &Origin) {
        *self.driven.lock().unwrap_or_else(PoisonError::into_inner) = Subject::Of(origin.clone());
    }

    /// The driver begins a run.
    pub(super) fn begin_by_driver(&self, sim: &mut Sim) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clear();
        sim.watch(self.running.clone());
        self.jobs[self.driver()].runs.fetch_add(1, Ordering::Relaxed);
    }

    /// A thread has no more runs once what is returned is dropped.
    pub(super) fn retire_later(&self, job: usize) -> Retires<'_> {
        Retires { job: &self.jobs[job], watcher: &self.watcher }
    }

    /// Looks until all threads retired; a run that takes too long ends the process.
    fn watch(&self, check: &Check, program: &dyn Program) {
        let mut seen: Vec<(u64, Stopwatch)> = self.jobs.iter().map(|_| (0, Stopwatch::start())).collect();
        let driver = &self.jobs[self.driver()];
        while !driver.retired.load(Ordering::Acquire) {
            std::thread::park_timeout(LOOK_EVERY.min(check.hang_after));
            for (job, (runs, since)) in self.jobs.iter().zip(&mut seen) {
                let now = job.runs.load(Ordering::Relaxed);
                let waits = std::ptr::eq(job, driver) && self.is_sweeping();
                if now != *runs || waits {
                    (*runs, *since) = (now, Stopwatch::start());
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
        if !std::ptr::eq(job, &self.jobs[self.driver()]) {
            let origin = job.origin.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let origin = origin.unwrap_or_else(|| Origin::Seed(job.seed.load(Ordering::Relaxed)));
            run_again(check, &origin, program);
        }
        let subject = self.driven.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match subject {
            Subject::Of(origin) if known.is_empty() => run_again(check, &origin, program),
            subject => give_up(check, &subject, &known),
        }
    }
}

/// Makes a run again with its tasks named, to learn which one hangs; then ends the process.
#[expect(
    clippy::disallowed_methods,
    reason = "the second run hangs like the first: it needs a thread to be left in"
)]
fn run_again(check: &Check, origin: &Origin, program: &dyn Program) -> ! {
    let running = Arc::new(Mutex::new(String::new()));
    std::thread::scope(|scope| {
        let watch = running.clone();
        let again = scope.spawn(move || check.run_watched(origin, watch, program));
        std::thread::sleep(check.hang_after.min(Duration::from_secs(5)));
        let task = running.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = if again.is_finished() { "" } else { &task };
        give_up(check, &Subject::Of(origin.clone()), known)
    })
}

#[expect(clippy::print_stderr, reason = "the process ends here; this is its last word")]
fn give_up(check: &Check, subject: &Subject, task: &str) -> ! {
    let (name, after) = (&check.name, check.hang_after);
    match task {
        "" => eprintln!("{name}: {subject} takes longer than {after:?} of wall time"),
        task => eprintln!("{name}: a poll of task {task} never returns ({subject}, after {after:?})"),
    }
    let command = match subject {
        Subject::Of(origin) => Some(check.command_of(origin)),
        Subject::File(path) => Some(check.command_of_file(path)),
        Subject::Tape => None,
    };
    if let Some(command) = command {
        eprintln!("repeat it: {command}");
    }
    std::process::exit(EXIT_HANG)
}
