//! The sweep: seeds over all cores with ordinary threads, merged in seed order, so that a report depends on neither
//! the number of jobs nor the order in which seeds were run.

use super::config::{Check, Reproduce};
use super::determinism::{self, Recheck};
use super::file::{self, FailureFile};
use super::program::Program;
use super::report::{Failure, Report, Verdict};
use super::shrink::{Canonical, shrink};
use super::story::story;
use super::watchdog::Watchdog;
use crate::Error;
use crate::choice::enumerate::{Enumerator, Step, StepsSource};
use crate::runtime::{End, SiteStats};
use crate::sim::{Keep, Run, Sim};
use crate::strategy::Calibration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seeds that a thread takes at a time.
const CHUNK: u64 = 32;
/// Failure files that one sweep writes.
const FILES_MAX: usize = 10;

/// What the runs of one chunk, or of all, came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    steps: u64,
    time: Duration,
    picks: u64,
    faults_fired: u64,
    inconclusive: u64,
    traces: Vec<u64>,
    coverage: BTreeMap<&'static str, u64>,
    sites: BTreeMap<&'static str, SiteStats>,
    pub(super) failing: Vec<Failing>,
    pub(super) rechecks: Vec<Recheck>,
}

/// A run that failed.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// Which run of the sweep, from 0.
    index: u64,
    origin: Origin,
    signature: (&'static str, Option<String>),
    digests: (u64, u64),
}

/// What a run was made from.
#[derive(Clone, Debug)]
enum Origin {
    Seed(u64),
    Steps(Vec<Step>),
}

impl Tally {
    fn add(&mut self, index: u64, origin: impl FnOnce() -> Origin, run: Run) {
        self.runs += 1;
        self.steps += run.steps;
        self.time += run.time;
        self.picks += run.picks;
        self.faults_fired += run.faults_fired;
        self.traces.push(run.digests.trace);
        for (name, hits) in run.coverage {
            *self.coverage.entry(name).or_insert(0) += u64::from(hits > 0);
        }
        for site in run.sites {
            add_site(&mut self.sites, site);
        }
        self.inconclusive += u64::from(matches!(run.end, End::OutOfBudget { .. }));
        if run.end.is_failure() {
            let (kind, property) = run.end.signature();
            let signature = (kind, property.map(str::to_owned));
            let digests = (run.digests.choice, run.digests.trace);
            self.failing.push(Failing { index, origin: origin(), signature, digests });
        }
    }

    fn merge(&mut self, other: Tally) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.time += other.time;
        self.picks += other.picks;
        self.faults_fired += other.faults_fired;
        self.inconclusive += other.inconclusive;
        self.traces.extend(other.traces);
        for (name, hits) in other.coverage {
            *self.coverage.entry(name).or_insert(0) += hits;
        }
        for site in other.sites.into_values() {
            add_site(&mut self.sites, site);
        }
        self.failing.extend(other.failing);
        self.rechecks.extend(other.rechecks);
    }
}

fn add_site(sites: &mut BTreeMap<&'static str, SiteStats>, site: SiteStats) {
    let sum = sites.entry(site.site).or_insert(SiteStats { asked: 0, fired: 0, ..site });
    sum.asked += site.asked;
    sum.fired += site.fired;
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
        let mut tally = match check.exhaustive {
            Some(depth) => check.enumerate(depth, &watched, progress),
            None => check.sweep_seeds(program, watchdog, progress),
        };
        let diverged = determinism::recheck(&check, std::mem::take(&mut tally.rechecks), &watched);
        check.report(tally, diverged, &watched)
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

    pub(super) fn threads_max(&self) -> usize {
        match self.jobs {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            jobs => jobs,
        }
    }

    fn sweep_seeds(
        &self,
        program: &dyn Program,
        watchdog: &Watchdog,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Tally {
        let chunks = self.runs.div_ceil(CHUNK);
        let shared = Shared {
            next: AtomicU64::new(self.shard.0),
            done: AtomicU64::new(0),
            tallies: Mutex::new(BTreeMap::new()),
        };
        let clock = crate::wall::Stopwatch::start();
        self.threads(|job| {
            let _retires = watchdog.retire_later(job);
            loop {
                let chunk = shared.next.fetch_add(self.shard.1, Ordering::Relaxed);
                if chunk >= chunks || self.wall_max.is_some_and(|max| clock.elapsed() > max) {
                    return;
                }
                let tally = self.sweep_chunk(chunk, job, watchdog, program);
                progress(shared.done.fetch_add(tally.runs, Ordering::Relaxed) + tally.runs);
                let mut tallies = shared.tallies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                tallies.insert(chunk, tally);
            }
        });
        let tallies = shared.tallies.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        longest_prefix(tallies, self.shard)
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

    fn sweep_chunk(&self, chunk: u64, job: usize, watchdog: &Watchdog, program: &dyn Program) -> Tally {
        let mut tally = Tally::default();
        for index in chunk * CHUNK..((chunk + 1) * CHUNK).min(self.runs) {
            let seed = self.seed_base.wrapping_add(index);
            watchdog.begin(job, seed);
            let recheck = determinism::is_due(seed, self.recheck_one_in);
            let run = self.sweep_seed(seed, recheck, program);
            if recheck {
                tally.rechecks.push(Recheck { job, seed, digests: run.digests.clone() });
            }
            tally.add(index, || Origin::Seed(seed), run);
        }
        tally
    }

    /// Every run with at most `depth` deviations.
    fn enumerate(&self, depth: usize, program: &dyn Program, progress: &(dyn Fn(u64) + Sync)) -> Tally {
        let mut tally = Tally::default();
        let mut enumerator = Enumerator::new(depth);
        let clock = crate::wall::Stopwatch::start();
        while let Some(next) = enumerator.advance() {
            if self.wall_max.is_some_and(|max| clock.elapsed() > max) {
                break;
            }
            let (run, asked) = self.run_steps(StepsSource::new(next.steps.clone()), program);
            enumerator.ran(asked);
            if !next.seen {
                let index = tally.runs;
                tally.add(index, || Origin::Steps(next.steps), run);
                progress(tally.runs);
            }
        }
        tally
    }

    // From the tally to the report.

    fn report(
        &self,
        mut tally: Tally,
        diverged: Vec<Failure>,
        program: &dyn Program,
    ) -> Result<Report, Error> {
        tally.traces.sort_unstable();
        tally.traces.dedup();
        let mut failures = diverged;
        failures.extend(self.failures(&tally.failing, program)?);
        let uncovered: Vec<String> = tally
            .coverage
            .iter()
            .filter(|&(_, hits)| *hits == 0 && tally.runs >= self.runs_min)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        let verdict = if !failures.is_empty() {
            Verdict::Failed
        } else if tally.inconclusive > 0 {
            Verdict::Inconclusive
        } else if !uncovered.is_empty() {
            Verdict::Uncovered(uncovered)
        } else {
            Verdict::Passed
        };
        Ok(Report {
            name: self.name.clone(),
            runs: tally.runs,
            steps: tally.steps,
            time: tally.time,
            distinct_traces: tally.traces.len() as u64,
            faults_fired: tally.faults_fired,
            picks: tally.picks,
            coverage: tally.coverage.into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect(),
            sites: tally.sites.into_values().collect(),
            calibration: self.calibration,
            failing_runs: tally.failing.len() as u64,
            inconclusive_runs: tally.inconclusive,
            failures,
            verdict,
        })
    }

    /// Confirms, shrinks and tells the first failing runs of each kind and property.
    fn failures(&self, failing: &[Failing], program: &dyn Program) -> Result<Vec<Failure>, Error> {
        let mut groups: Vec<Vec<&Failing>> = Vec::new();
        for run in failing {
            match groups.iter_mut().find(|group| group[0].signature == run.signature) {
                Some(group) => group.push(run),
                None => groups.push(vec![run]),
            }
        }
        let mut failures: Vec<Failure> = Vec::new();
        let mut canonical = Canonical::default();
        for group in groups {
            let mut seen = BTreeSet::new();
            for failing in group.iter().take(self.shrunk_max) {
                let failure = self.failure(failing, group.len() as u64, program, &mut canonical);
                if seen.insert(failure.tape.clone()) && failures.len() < FILES_MAX {
                    failures.push(self.save(failure)?);
                }
            }
        }
        Ok(failures)
    }

    /// Confirms a failing run, shrinks it, and tells its story.
    fn failure(
        &self,
        failing: &Failing,
        runs: u64,
        program: &dyn Program,
        canonical: &mut Canonical,
    ) -> Failure {
        let recorded = match &failing.origin {
            Origin::Seed(seed) => self.record_seed(*seed, Keep::Trace, program),
            Origin::Steps(steps) => {
                self.record_source(Box::new(StepsSource::new(steps.clone())), Keep::Trace, program)
            }
        };
        let seed = match failing.origin {
            Origin::Seed(seed) => seed,
            Origin::Steps(_) => 0,
        };
        let confirmed = (recorded.digests.choice, recorded.digests.trace) == failing.digests;
        let deviations = recorded.tape.deviations();
        let (end, tape, run, shrink_runs) = if confirmed {
            let shrunk = shrink(self, program, &recorded, canonical);
            (shrunk.run.end.clone(), shrunk.tape, shrunk.run, shrunk.runs)
        } else {
            let detail = format!("seed {seed} failed in the sweep and ran differently when it was recorded");
            (End::Diverged { detail }, recorded.tape.clone(), recorded, 0)
        };
        Failure {
            end,
            seed,
            strategy: self.strategy,
            calibration: self.calibration,
            found_at: failing.index + 1,
            runs,
            deviations,
            story: story(&run),
            tape,
            run,
            shrink_runs,
            file: None,
            command: String::new(),
        }
    }

    /// Writes the failure's file, if files are wanted, and fills in the command.
    pub(super) fn save(&self, mut failure: Failure) -> Result<Failure, Error> {
        if let Some(dir) = &self.failures_dir {
            failure.file = Some(file::write(dir, &FailureFile::new(self, &failure))?);
        }
        failure.command = self.command(&failure);
        Ok(failure)
    }

    fn command(&self, failure: &Failure) -> String {
        match (&self.reproduce, &failure.file) {
            (Reproduce::Test(test), Some(file)) => {
                format!("FATUM_REPLAY={} cargo test {test}", file.display())
            }
            (Reproduce::Test(test), None) => format!("FATUM_SEED={} cargo test {test}", failure.seed),
            (Reproduce::Scenario(_), Some(file)) => format!("fatum replay {}", file.display()),
            (Reproduce::Scenario(scenario), None) => {
                format!("fatum run {} --seed {}", scenario.display(), failure.seed)
            }
        }
    }
}

/// What the threads of a sweep share.
struct Shared {
    next: AtomicU64,
    done: AtomicU64,
    tallies: Mutex<BTreeMap<u64, Tally>>,
}

/// The chunks from the first on, as far as all are done.
fn longest_prefix(tallies: BTreeMap<u64, Tally>, (shard, shards): (u64, u64)) -> Tally {
    let mut whole = Tally::default();
    let complete =
        tallies.into_iter().zip(0u64..).take_while(|((chunk, _), nth)| *chunk == shard + nth * shards);
    for ((_, tally), _) in complete {
        whole.merge(tally);
    }
    whole
}
