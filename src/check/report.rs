//! Reports: the result of a sweep, data only, and its page for people.

use super::config::Check;
use super::exhaustive::Exhausted;
use super::guided::Guidance;
use super::points::Points;
use super::rate::Rate;
use crate::choice::tape::Tape;
use crate::runtime::{End, SiteStats};
use crate::sim::Run;
use crate::strategy::{Calibration, Chosen, StrategyKind};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The number of distinct traces from which on it is an estimate, within 2 %.
pub const DISTINCT_ESTIMATED: u64 = 32_768;

/// What a sweep found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The name of the check.
    pub name: String,
    /// Runs made.
    pub runs: u64,
    /// Polls in all.
    pub steps: u64,
    /// Virtual time in all.
    pub time: Duration,
    /// Distinct trace digests: counted below [`DISTINCT_ESTIMATED`], estimated from there on.
    pub distinct_traces: u64,
    /// Faults that fired in all.
    pub faults_fired: u64,
    /// Picks among two ready tasks or more, in all.
    pub picks: u64,
    /// Runs in which each `sometimes` and `reachable` was met.
    pub coverage: BTreeMap<String, u64>,
    /// Distinct states that [`crate::cover!`] declared: counted below [`DISTINCT_ESTIMATED`], estimated from there on.
    pub states: u64,
    /// Counts per site.
    pub sites: Vec<SiteStats>,
    /// What the strategy estimated from.
    pub calibration: Calibration,
    /// Runs that failed.
    pub failing_runs: u64,
    /// Runs that spent their budget.
    pub inconclusive_runs: u64,
    /// The first run that spent its budget.
    pub inconclusive: Option<Inconclusive>,
    /// The failures, one per signature, in the order of their first seeds.
    pub failures: Vec<Failure>,
    /// The verdict.
    pub verdict: Verdict,
    /// The points, where this was a sweep over points.
    pub points: Option<Points>,
    /// How far it went, where this was an exhaustive search.
    pub exhausted: Option<Exhausted>,
    /// What was known in the end, where this was a guided search.
    pub guidance: Option<Guidance>,
}

/// The verdict of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No run failed, and all that must be met was met.
    Passed,
    /// A run failed: see [`Report::failures`].
    Failed,
    /// No run failed, but some spent their budget, or none was made.
    Inconclusive,
    /// No run failed, but these `sometimes` or `reachable` were never met.
    Uncovered(Vec<String>),
}

impl Verdict {
    /// The name used in tables and files.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Uncovered(_) => "uncovered",
        }
    }
}

/// What found a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// A seed.
    Seed(u64),
    /// The exhaustive search.
    Exhaustive,
    /// A fuzzer's bytes.
    Bytes,
    /// A guided search, in a run that no seed alone repeats.
    Guided,
}

impl FoundBy {
    /// The seed, if it was one.
    pub fn seed(self) -> Option<u64> {
        match self {
            FoundBy::Seed(seed) => Some(seed),
            FoundBy::Exhaustive | FoundBy::Bytes | FoundBy::Guided => None,
        }
    }

    fn text(self, strategy: StrategyKind) -> String {
        match self {
            FoundBy::Seed(seed) => format!("seed {seed}, {}", Chosen::of(strategy, seed)),
            FoundBy::Exhaustive => "exhaustive".to_owned(),
            FoundBy::Bytes => "a fuzzer's bytes".to_owned(),
            FoundBy::Guided => "guided search".to_owned(),
        }
    }
}

/// A run that spent its budget.
#[derive(Clone, Debug)]
pub struct Inconclusive {
    /// What found it.
    pub found_by: FoundBy,
    /// How that seed explored.
    pub strategy: StrategyKind,
    /// Which run of the sweep it was, from 1.
    pub found_at: u64,
    /// The run, without tape and trace.
    pub run: Run,
    /// The command that repeats it.
    pub command: String,
}

/// A failure: how a run failed, and the least that makes it fail.
#[derive(Clone, Debug)]
pub struct Failure {
    /// How the shrunk run ends.
    pub end: End,
    /// What found it: the first seed that failed so.
    pub found_by: FoundBy,
    /// How that seed explored.
    pub strategy: StrategyKind,
    /// What the strategy estimated from.
    pub calibration: Calibration,
    /// Which run of the sweep it was, from 1.
    pub found_at: u64,
    /// Runs of the sweep that failed with this kind and property.
    pub runs: u64,
    /// Runs of the sweep.
    pub of_runs: u64,
    /// Deviations of the seed's own tape.
    pub deviations: u64,
    /// The shrunk tape.
    pub tape: Tape,
    /// The run of the shrunk tape, with its trace.
    pub run: Run,
    /// Runs that shrinking took.
    pub shrink_runs: u64,
    /// The story, line by line.
    pub story: Vec<String>,
    /// What the nearest run that passes has otherwise, line by line.
    pub beside: Vec<String>,
    /// The file it was saved to.
    pub file: Option<PathBuf>,
    /// The command that repeats it.
    pub command: String,
    /// Which fault rules the swarm of its seed had on.
    pub swarm: Option<String>,
}

impl Failure {
    /// How many runs failed so; of seeds also how often that is.
    pub fn how_often(&self) -> String {
        let (failed, runs) = (self.runs, self.of_runs);
        let count = format!("{failed} run{} failed so", if failed == 1 { "" } else { "s" });
        match self.found_by {
            FoundBy::Seed(_) if runs > 1 => format!("{count}, {}", Rate { failed, runs }),
            _ => count,
        }
    }
}

impl Report {
    /// How often a run fails, in whatever way: an estimate where some did, a bound where none did.
    pub fn rate(&self) -> Rate {
        Rate { failed: self.failing_runs, runs: self.runs }
    }

    /// Whether nothing is wrong.
    pub fn is_passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }

    /// What one should know even of a sweep that ended as it should: that it had nothing to explore.
    pub fn no_choices(&self) -> Option<String> {
        let asked: u64 = self.sites.iter().map(|site| site.asked).sum();
        let none = self.runs > 0 && asked + self.picks == 0;
        none.then(|| "no choice points were seen: every run was the same run".to_owned())
    }

    /// What an exhaustive search proves: no violation in so many runs, or the smallest counterexample.
    pub fn exhaustive_verdict(&self) -> Option<String> {
        let exhausted = self.exhausted?;
        let smallest = self.failures.iter().map(|failure| failure.tape.deviations()).min();
        Some(match smallest {
            None if self.inconclusive_runs > 0 => format!("no violation found, and {exhausted}"),
            None => format!("no violation: {exhausted}"),
            Some(1) => format!("the smallest counterexample has 1 deviation; {exhausted}"),
            Some(least) => format!("the smallest counterexample has {least} deviations; {exhausted}"),
        })
    }

    /// What one should know beside the verdict.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.no_choices().into_iter().collect();
        if self.runs == 0 {
            warnings.push("no run was made, and nothing is proved".to_owned());
        }
        if let Some(points) = self.points.filter(|points| points.found == 0 || points.covered < points.found)
        {
            warnings.push(format!("{points}: what was not harmed is not proved"));
        }
        if self.exhausted.is_some_and(|exhausted| !exhausted.is_whole) {
            let runs = self.runs;
            warnings.push(format!("the search stopped after {runs} runs: what was not run is not proved"));
        }
        if let Verdict::Uncovered(names) = &self.verdict {
            warnings.push(format!("never met in {} runs: {}", self.runs, names.join(", ")));
        }
        if self.inconclusive_runs > 0 {
            warnings.push(format!("{} runs spent their budget and prove nothing", self.inconclusive_runs));
        }
        warnings
    }
}

impl Check {
    /// The page that tells of a sweep that did not pass.
    pub fn render(&self, report: &Report) -> String {
        let mut page: Vec<String> = report.failures.iter().map(render_failure).collect();
        page.extend(report.inconclusive.as_ref().map(render_inconclusive));
        page.extend(report.warnings());
        page.join("\n")
    }
}

/// The page of one failure: what broke, the story, how it was found, the file, the command.
pub fn render_failure(failure: &Failure) -> String {
    let mut page =
        vec![format!("FAILED after {:?}: {}", failure.run.time, failure.end.sentence()), String::new()];
    page.extend(failure.story.iter().map(|line| format!("  {line}")));
    page.push(String::new());
    if !failure.beside.is_empty() {
        page.extend(failure.beside.iter().cloned());
        page.push(String::new());
    }
    page.extend(render_blocked(&failure.run));
    let (at, by) = (failure.found_at, failure.found_by.text(failure.strategy));
    let found = match failure.found_by {
        FoundBy::Guided => format!("{by} (run {at})"),
        FoundBy::Seed(_) | FoundBy::Exhaustive | FoundBy::Bytes => format!("run {at} ({by})"),
    };
    page.push(format!("found by {found}; {}", failure.how_often()));
    page.extend(failure.swarm.iter().map(|swarm| format!("swarm: {swarm}")));
    page.push(format!(
        "shrunk from {} deviations to {} in {} runs",
        failure.deviations,
        failure.tape.deviations(),
        failure.shrink_runs
    ));
    if let Some(file) = &failure.file {
        page.push(format!("saved to {}", file.display()));
    }
    page.push(format!("repeat it: {}", failure.command));
    page.join("\n") + "\n"
}

/// The page of a run that spent its budget: which, who waits on what, how it was found, the command.
pub fn render_inconclusive(inconclusive: &Inconclusive) -> String {
    let run = &inconclusive.run;
    let mut page = vec![format!("INCONCLUSIVE after {:?}: {}", run.time, run.end.sentence()), String::new()];
    page.extend(render_blocked(run));
    let (at, by) = (inconclusive.found_at, inconclusive.found_by.text(inconclusive.strategy));
    page.push(format!("first in run {at} ({by})"));
    page.push(format!("repeat it: {}", inconclusive.command));
    page.join("\n") + "\n"
}

/// Who waits on what, for a run that left tasks behind, and what the detectors say.
pub fn render_blocked(run: &Run) -> Vec<String> {
    let mut lines = if run.blocked.is_empty() { Vec::new() } else { render_waits(run) };
    if !run.diagnosis.is_empty() {
        lines.push("diagnosis:".to_owned());
        lines.extend(run.diagnosis.iter().map(|diagnosis| format!("  {diagnosis}")));
        lines.push(String::new());
    }
    lines
}

fn render_waits(run: &Run) -> Vec<String> {
    let mut lines = vec!["who waits on what:".to_owned()];
    for blocked in &run.blocked {
        let since = crate::trace::text::time(blocked.since);
        let required = if blocked.required { " (required)" } else { "" };
        if blocked.waits.is_empty() {
            lines.push(format!("  {}{required}, since {since}: on nothing that can wake it", blocked.task));
        }
        for wait in &blocked.waits {
            let since = wait.since.map_or(since.clone(), crate::trace::text::time);
            let place = wait.place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
            let resource =
                if wait.resource.is_empty() { String::new() } else { format!(" on {}", wait.resource) };
            let holders = match wait.holders.as_slice() {
                [] => String::new(),
                holders => format!(", held by {}", holders.join(", ")),
            };
            let signalled = wait.signalled.as_ref().map_or(String::new(), |last| format!(", {last}"));
            let senders = match wait.senders.as_slice() {
                [] => String::new(),
                senders => format!(", senders with {}", senders.join(", ")),
            };
            let operation = &wait.operation;
            lines.push(format!(
                "  {}{required}, since {since}: {operation}{place}{resource}{holders}{signalled}{senders}",
                blocked.task
            ));
        }
    }
    if run.unexamined > 0 {
        lines.push(format!("  and {} more, not examined", run.unexamined));
    }
    lines.push(String::new());
    lines
}
