//! From the tally to the report: failing runs are confirmed, shrunk, told, grouped by signature and saved.

use super::config::{Check, Reproduce};
use super::file::{self, FailureFile};
use super::program::Program;
use super::report::{Failure, Report, Verdict};
use super::shrink::{Canonical, shrink};
use super::story::story;
use super::tally::{Failing, Origin, Tally};
use crate::Error;
use crate::choice::enumerate::StepsSource;
use crate::runtime::End;
use crate::sim::{Keep, Run};
use std::collections::BTreeSet;

/// Failure files that one sweep writes.
const FILES_MAX: usize = 10;

impl Check {
    /// The report of a tally; `diverged` are the seeds that ran differently a second time.
    pub(super) fn report(
        &self,
        tally: Tally,
        diverged: Vec<(u64, u64)>,
        program: &dyn Program,
    ) -> Result<Report, Error> {
        let mut failures: Vec<Failure> = self.diverged(&diverged, program).into_iter().collect();
        failures.extend(self.failures(&tally, program)?);
        let uncovered = if tally.runs >= self.runs_min { tally.uncovered() } else { Vec::new() };
        let verdict = match () {
            () if !failures.is_empty() => Verdict::Failed,
            () if tally.inconclusive > 0 => Verdict::Inconclusive,
            () if !uncovered.is_empty() => Verdict::Uncovered(uncovered),
            () => Verdict::Passed,
        };
        Ok(Report {
            name: self.name.clone(),
            runs: tally.runs,
            steps: tally.steps,
            time: tally.time,
            distinct_traces: tally.traces.count(),
            faults_fired: tally.faults_fired,
            picks: tally.picks,
            failing_runs: tally.failing_runs(),
            coverage: tally.coverage.into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect(),
            sites: tally.sites.into_values().collect(),
            calibration: self.calibration,
            inconclusive_runs: tally.inconclusive,
            failures,
            verdict,
        })
    }

    /// Shrinks the first failing runs of each kind and property; one failure per shrunk tape.
    fn failures(&self, tally: &Tally, program: &dyn Program) -> Result<Vec<Failure>, Error> {
        let mut groups: Vec<_> = tally.failing.values().collect();
        groups.sort_by_key(|runs| runs.first.first().map_or(u64::MAX, |failing| failing.index));
        let mut failures: Vec<Failure> = Vec::new();
        let mut canonical = Canonical::default();
        for runs in groups {
            let mut seen = BTreeSet::new();
            for failing in &runs.first {
                let failure = self.failure(failing, runs.count, program, &mut canonical);
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
        let (seed, recorded) = match &failing.origin {
            Origin::Seed(seed) => (*seed, self.record_seed(*seed, Keep::Trace, program)),
            Origin::Steps(steps) => {
                let source = Box::new(StepsSource::new(steps.clone()));
                (0, self.record_source(source, Keep::Trace, program))
            }
        };
        let deviations = recorded.tape.deviations();
        if (recorded.digests.choice, recorded.digests.trace) != failing.digests {
            let detail = format!("seed {seed} failed in the sweep and ran differently when it was recorded");
            let run = Run { end: End::Diverged { detail }, ..recorded };
            return self.told(run, seed, failing.index + 1, runs, deviations, 0);
        }
        let shrunk = shrink(self, program, &recorded, canonical);
        let run = Run { tape: shrunk.tape, ..shrunk.run };
        self.told(run, seed, failing.index + 1, runs, deviations, shrunk.runs)
    }

    /// The first seed that ran differently a second time, as a failure.
    fn diverged(&self, diverged: &[(u64, u64)], program: &dyn Program) -> Option<Failure> {
        let &(seed, agreed) = diverged.first()?;
        let detail = format!(
            "seed {seed} was run twice and differed after event {agreed}; something outside the simulation gets in: \
             a static, the host's clock, a HashMap's order, or tokio::select! called directly (use fatum::select!)"
        );
        let recorded = self.record_seed(seed, Keep::Trace, program);
        let deviations = recorded.tape.deviations();
        let run = Run { end: End::Diverged { detail }, ..recorded };
        let found_at = seed.wrapping_sub(self.seed_base).wrapping_add(1);
        Some(self.told(run, seed, found_at, diverged.len() as u64, deviations, 0))
    }

    /// A failure with its story, not saved yet.
    fn told(
        &self,
        run: Run,
        seed: u64,
        found_at: u64,
        runs: u64,
        deviations: u64,
        shrink_runs: u64,
    ) -> Failure {
        let mut failure = Failure {
            end: run.end.clone(),
            seed,
            strategy: self.strategy,
            calibration: self.calibration,
            found_at,
            runs,
            deviations,
            story: story(&run),
            tape: run.tape.clone(),
            run,
            shrink_runs,
            file: None,
            command: String::new(),
        };
        failure.command = self.command(&failure);
        failure
    }

    /// Writes the failure's file, if files are wanted.
    fn save(&self, mut failure: Failure) -> Result<Failure, Error> {
        if let Some(dir) = &self.failures_dir {
            failure.file = Some(file::write(dir, &FailureFile::new(self, &failure))?);
            failure.command = self.command(&failure);
        }
        Ok(failure)
    }

    /// The command that repeats a failure.
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
