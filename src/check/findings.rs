//! From the tally to the report: failing runs are confirmed, shrunk, told, grouped by signature and saved.

use super::config::{Check, Reproduce};
use super::determinism::Differing;
use super::exhaustive::Bound;
use super::file::{self, FailureFile};
use super::program::Program;
use super::report::{Failure, FoundBy, Inconclusive, Report, Verdict};
use super::shrink::{self, Canonical};
use super::story::story;
use super::tally::{Failing, Origin, Tally};
use crate::Error;
use crate::choice::bytes::BytesSource;
use crate::choice::tape::Tape;
use crate::runtime::End;
use crate::sim::{Keep, Run};
use crate::strategy::seed::describe_swarm;
use crate::trace::beside;
use std::collections::BTreeSet;
use std::path::Path;

/// Failure files that one sweep writes.
const FILES_MAX: usize = 10;

/// How a failure was found.
struct Found {
    by: FoundBy,
    /// Which run of the sweep, from 1.
    at: u64,
    /// Runs that failed so.
    runs: u64,
    /// Runs of the sweep.
    of_runs: u64,
    /// Deviations of the tape before it was shrunk.
    deviations: u64,
}

impl Check {
    /// The report of a tally; `differing` are the runs that were others a second time. `begins` hears what is recorded
    /// and shrunk.
    pub(super) fn report(
        &self,
        tally: Tally,
        differing: &[Differing],
        begins: &dyn Fn(&Origin),
        program: &dyn Program,
    ) -> Result<Report, Error> {
        let mut failures: Vec<Failure> = self.diverged(differing, begins, program).into_iter().collect();
        failures.extend(self.failures(&tally, begins, program)?);
        let inconclusive = tally.inconclusive_first.as_ref();
        let inconclusive = inconclusive.map(|first| self.inconclusive(first, begins, program));
        let uncovered =
            if tally.runs >= self.runs_min && self.points.is_none() { tally.uncovered() } else { Vec::new() };
        let verdict = match () {
            () if !failures.is_empty() => Verdict::Failed,
            () if tally.inconclusive > 0 || tally.runs == 0 => Verdict::Inconclusive,
            () if tally.points.is_some_and(|points| points.found == 0 || points.covered < points.found) => {
                Verdict::Inconclusive
            }
            () if !uncovered.is_empty() => Verdict::Uncovered(uncovered),
            () => Verdict::Passed,
        };
        Ok(Report {
            name: self.name.clone(),
            runs: tally.runs,
            steps: tally.steps,
            time: tally.time,
            distinct_traces: tally.traces.count(),
            states: tally.states.count(),
            faults_fired: tally.faults_fired,
            picks: tally.picks,
            failing_runs: tally.failing_runs(),
            coverage: tally.coverage.into_iter().map(|(name, hits)| (name.to_owned(), hits)).collect(),
            sites: tally.sites.into_values().collect(),
            calibration: self.calibration.clone(),
            inconclusive_runs: tally.inconclusive,
            inconclusive,
            failures,
            verdict,
            points: tally.points,
            exhausted: tally.exhausted,
            guidance: tally.guidance,
        })
    }

    /// Shrinks the first failing runs of each kind and property; one failure per keys of the shrunk tape.
    fn failures(
        &self,
        tally: &Tally,
        begins: &dyn Fn(&Origin),
        program: &dyn Program,
    ) -> Result<Vec<Failure>, Error> {
        let mut groups: Vec<_> = tally.failing.values().collect();
        groups.sort_by_key(|runs| runs.first.first().map_or(u64::MAX, |failing| failing.index));
        let mut failures: Vec<Failure> = Vec::new();
        let mut canonical = Canonical::default();
        for runs in groups {
            let mut seen = BTreeSet::new();
            for failing in &runs.first {
                begins(&failing.origin);
                let failure = self.failure(failing, (runs.count, tally.runs), program, &mut canonical);
                if seen.insert(keys(&failure.tape)) && failures.len() < FILES_MAX {
                    failures.push(self.save(failure)?);
                }
            }
        }
        Ok(failures)
    }

    /// Confirms a failing run, shrinks it, and tells its story. `runs` are those that failed so, and all.
    fn failure(
        &self,
        failing: &Failing,
        runs: (u64, u64),
        program: &dyn Program,
        canonical: &mut Canonical,
    ) -> Failure {
        let origin = &failing.origin;
        let recorded = self.record_origin(origin, Keep::Trace, program);
        let deviations = recorded.tape.deviations();
        let (runs, of_runs) = runs;
        let found = Found { by: origin.found_by(), at: failing.index + 1, runs, of_runs, deviations };
        if (recorded.digests.choice, recorded.digests.trace) != failing.digests {
            let detail = format!("{origin} failed in the sweep and ran differently when it was recorded");
            let run = Run { end: End::Diverged { detail }, ..recorded };
            return self.told(run, found, 0);
        }
        let shrunk = shrink::shrink_watched(self, program, &recorded, canonical);
        let run = Run { tape: shrunk.tape, ..shrunk.run };
        let nearest = self.nearest(&run, program);
        let beside = nearest.map_or_else(Vec::new, |nearest| beside::lines(&run.trace, &nearest.run.trace));
        Failure { beside, ..self.told(run, found, shrunk.runs) }
    }

    /// The first run that was another a second time, as a failure.
    fn diverged(
        &self,
        differing: &[Differing],
        begins: &dyn Fn(&Origin),
        program: &dyn Program,
    ) -> Option<Failure> {
        let Differing { index, origin, agreed } = differing.first()?;
        let detail = format!(
            "{origin} was run twice and differed after event {agreed}; something outside the simulation gets in: \
             a static, the host's clock, a HashMap's order, or tokio::select! called directly (use fatum::select!)"
        );
        begins(origin);
        let recorded = self.record_origin(origin, Keep::Trace, program);
        let deviations = recorded.tape.deviations();
        let run = Run { end: End::Diverged { detail }, ..recorded };
        let runs = differing.len() as u64;
        let found = Found { by: origin.found_by(), at: index + 1, runs, of_runs: 0, deviations };
        Some(self.told(run, found, 0))
    }

    /// The first run that spent its budget, with who waits on what. Its tape is long and proves nothing.
    fn inconclusive(&self, first: &Failing, begins: &dyn Fn(&Origin), program: &dyn Program) -> Inconclusive {
        begins(&first.origin);
        let recorded = self.record_origin(&first.origin, Keep::Tape, program);
        Inconclusive {
            found_by: first.origin.found_by(),
            strategy: self.strategy,
            found_at: first.index + 1,
            run: Run { tape: Tape::default(), ..recorded },
            command: self.command_of(&first.origin),
        }
    }

    /// The failure of a fuzzer's bytes: shrunk, told, and saved if it can be.
    pub(super) fn failure_of_bytes(&self, data: &[u8], program: &dyn Program) -> Failure {
        let recorded = self.record_source(Box::new(BytesSource::new(data)), Keep::Trace, program);
        let failure = self.fuzzed(&recorded, program);
        let command = self.command_of_found(FoundBy::Bytes);
        Failure { command, ..failure }
    }

    /// The failure of a fuzzer's tape: shrunk, told, and saved if it can be.
    pub(super) fn failure_of_tape(&self, tape: &Tape, program: &dyn Program) -> Failure {
        self.fuzzed(&self.replay_tape(tape, Keep::Trace, program), program)
    }

    fn fuzzed(&self, recorded: &Run, program: &dyn Program) -> Failure {
        let deviations = recorded.tape.deviations();
        let shrunk = shrink::shrink_watched(self, program, recorded, &mut Canonical::default());
        let run = Run { tape: shrunk.tape, ..shrunk.run };
        let found = Found { by: FoundBy::Bytes, at: 1, runs: 1, of_runs: 1, deviations };
        let failure = self.told(run, found, shrunk.runs);
        // A fuzzer may run where nothing can be written; its page then still says all.
        self.save(failure.clone()).unwrap_or(failure)
    }

    /// A failure with its story, not saved yet.
    fn told(&self, run: Run, found: Found, shrink_runs: u64) -> Failure {
        let mut failure = Failure {
            end: run.end.clone(),
            found_by: found.by,
            strategy: self.strategy,
            calibration: self.calibration.clone(),
            found_at: found.at,
            runs: found.runs,
            of_runs: found.of_runs,
            deviations: found.deviations,
            story: story(&run),
            beside: Vec::new(),
            tape: run.tape.clone(),
            run,
            shrink_runs,
            file: None,
            command: String::new(),
            swarm: found.by.seed().and_then(|seed| describe_swarm(seed, &self.faults)),
        };
        failure.command = self.command_of_found(failure.found_by);
        failure
    }

    /// Writes the failure's file, if files are wanted.
    fn save(&self, mut failure: Failure) -> Result<Failure, Error> {
        if let Some(dir) = &self.failures_dir {
            let file = file::write(dir, &FailureFile::new(self, &failure))?;
            failure.command = self.command_of_file(&file);
            failure.file = Some(file);
        }
        Ok(failure)
    }

    /// The command that repeats a failure file.
    pub(super) fn command_of_file(&self, file: &Path) -> String {
        match &self.reproduce {
            Reproduce::Test(test) => format!("FATUM_REPLAY={} cargo test {test}", file.display()),
            Reproduce::Scenario(_) => format!("{} replay {}", self.invoked_as, file.display()),
        }
    }

    /// The command that repeats a run of a sweep.
    pub(super) fn command_of(&self, origin: &Origin) -> String {
        match (&self.reproduce, origin) {
            (Reproduce::Scenario(scenario), Origin::Steps(steps)) if steps.is_empty() => {
                format!("{} run {}", self.invoked_as, scenario.display())
            }
            _ => self.command_of_found(origin.found_by()),
        }
    }

    /// The command that finds something once more.
    fn command_of_found(&self, found_by: FoundBy) -> String {
        match (&self.reproduce, found_by) {
            (_, FoundBy::Bytes) => "run the fuzz target on the input that it saved".to_owned(),
            (Reproduce::Test(test), FoundBy::Seed(seed)) => format!("FATUM_SEED={seed} cargo test {test}"),
            (Reproduce::Test(test), FoundBy::Exhaustive | FoundBy::Guided) => format!("cargo test {test}"),
            (Reproduce::Scenario(scenario), FoundBy::Seed(seed)) => {
                format!("{} run {} --seed {seed}", self.invoked_as, scenario.display())
            }
            (Reproduce::Scenario(scenario), FoundBy::Guided) => {
                let base = if self.seed_base == 0 {
                    String::new()
                } else {
                    format!(" --seed-base {}", self.seed_base)
                };
                format!("{} check {} --guided --runs N{base}", self.invoked_as, scenario.display())
            }
            (Reproduce::Scenario(scenario), FoundBy::Exhaustive) => {
                let flag = match self.points {
                    Some(points) => format!("--points {}", points.name()),
                    None => format!("--exhaustive {}", self.exhaustive.unwrap_or(Bound::Deviations(0))),
                };
                format!("{} check {} {flag}", self.invoked_as, scenario.display())
            }
        }
    }
}

impl Origin {
    fn found_by(&self) -> FoundBy {
        match self {
            Origin::Seed(seed) => FoundBy::Seed(*seed),
            Origin::Steps(_) | Origin::Explored(_) => FoundBy::Exhaustive,
            Origin::Guided(_) => FoundBy::Guided,
        }
    }
}

/// The tape without its values: who deviates where. Two failures of the same keys are one.
pub(super) fn keys(tape: &Tape) -> Tape {
    let mut keys = tape.clone();
    keys.schedule.iter_mut().for_each(|entry| entry.by.clear());
    keys.choice.iter_mut().for_each(|entry| entry.option = 0);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::tape::Deviation;

    fn tape(turn: u32, by: &[&str], option: u64) -> Tape {
        let choice = Deviation { site: "disk".into(), owner: "a".into(), occurrence: 1, option };
        let mut tape = Tape { choice: vec![choice], ..Tape::default() };
        by.iter().for_each(|by| tape.note_overtaking("a", turn, by));
        tape
    }

    #[test]
    fn tapes_have_the_same_keys_when_the_same_deviate_at_the_same_places() {
        assert_eq!(keys(&tape(1, &["b"], 1)), keys(&tape(1, &["c", "b"], 3)));
        assert_ne!(keys(&tape(1, &["b"], 1)), keys(&tape(2, &["b"], 1)));
        assert_ne!(keys(&tape(1, &["b"], 1)), keys(&Tape::default()));
    }
}
