//! `fatum merge`: joins the reports of the shards of one sweep, and judges them as one.
//!
//! What must be reached somewhere is judged only here: a shard alone may miss it.

use super::table::{Align, Table, duration, number};
use super::{OK, UNEXPECTED, json, output};
use crate::Error;
use crate::check::file::read_text;
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest report that is read.
const SIZE_MAX: u64 = 256 << 20;
/// Runs above which what must be reached is judged, as in a sweep.
const RUNS_MIN: u64 = 100;

/// Joins reports of `fatum check --json` and compares how the sweeps as wholes end with what their files expect
#[derive(Args)]
pub(super) struct Arguments {
    /// Reports of the shards
    #[arg(required = true)]
    reports: Vec<PathBuf>,
    /// Writes the joined report to a file, for machines
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A report, as far as it is joined.
#[derive(Deserialize)]
struct Report {
    version: u32,
    scenarios: Vec<Entry>,
}

/// What a sweep of a scenario came to.
#[derive(Clone, Deserialize)]
struct Entry {
    scenario: String,
    system: String,
    #[serde(default)]
    shard: Option<String>,
    runs: u64,
    steps: u64,
    virtual_seconds: f64,
    distinct_traces: u64,
    faults_fired: u64,
    failing_runs: u64,
    coverage: Vec<Met>,
    verdict: String,
    expected: String,
    failure: Value,
}

/// In how many runs something was met.
#[derive(Clone, Deserialize)]
struct Met {
    name: String,
    hits: u64,
}

impl Arguments {
    pub(super) fn carry_out(self) -> Result<u8, Error> {
        if let Some(path) = &self.json {
            json::probe(path)?;
        }
        let mut joined: BTreeMap<String, Joined> = BTreeMap::new();
        for path in &self.reports {
            for entry in read(path)? {
                joined.entry(entry.scenario.clone()).or_default().add(entry, path)?;
            }
        }
        let sums: Vec<Sum> = joined.into_iter().map(|(scenario, joined)| joined.sum(scenario)).collect();
        table(&sums).iter().for_each(|line| output::say(line));
        if let Some(path) = &self.json {
            let scenarios: Vec<Value> = sums.iter().map(Sum::to_json).collect();
            json::write_entries(path, &scenarios)?;
        }
        Ok(if sums.iter().all(Sum::is_as_expected) { OK } else { UNEXPECTED })
    }
}

fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = read_text(path, SIZE_MAX)?;
    let report: Report = serde_json::from_str(&text).map_err(|error| {
        Error::input(format!("{} is no report of `fatum check --json`: {error}", path.display()))
    })?;
    if report.version != json::VERSION {
        let (found, known) = (report.version, json::VERSION);
        let message = format!("{} is a report of format {found}, and this is {known}", path.display());
        return Err(Error::input(message).help("make all reports with one version of fatum"));
    }
    Ok(report.scenarios)
}

/// The shards of one scenario.
#[derive(Default)]
struct Joined {
    entries: Vec<Entry>,
    shards: BTreeSet<String>,
}

impl Joined {
    fn add(&mut self, entry: Entry, path: &Path) -> Result<(), Error> {
        if let Some(shard) = &entry.shard
            && !self.shards.insert(shard.clone())
        {
            let (scenario, path) = (&entry.scenario, path.display());
            let message = format!("{path}: shard {shard} of {scenario} was joined already");
            return Err(Error::input(message).help("name the report of each shard once"));
        }
        if let Some(first) = self.entries.first().filter(|first| first.expected != entry.expected) {
            let (scenario, path) = (&entry.scenario, path.display());
            let (one, other) = (&first.expected, &entry.expected);
            let message = format!("{path}: {scenario} expects `{other}`, and in another report `{one}`");
            return Err(Error::input(message).help("join the reports of one version of the scenarios"));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn sum(self, scenario: String) -> Sum {
        let mut coverage: BTreeMap<String, u64> = BTreeMap::new();
        for met in self.entries.iter().flat_map(|entry| &entry.coverage) {
            *coverage.entry(met.name.clone()).or_insert(0) += met.hits;
        }
        let total = |of: fn(&Entry) -> u64| self.entries.iter().map(of).sum();
        let mut sum = Sum {
            scenario,
            runs: total(|entry| entry.runs),
            steps: total(|entry| entry.steps),
            seconds: self.entries.iter().map(|entry| entry.virtual_seconds).sum(),
            traces_max: total(|entry| entry.distinct_traces),
            faults: total(|entry| entry.faults_fired),
            failing: total(|entry| entry.failing_runs),
            coverage,
            verdict: String::new(),
            first: self.entries[0].clone(),
        };
        let failed = |entry: &&Entry| !entry.failure.is_null();
        let worst = self.entries.iter().filter(failed).find(|entry| entry.verdict != entry.expected);
        let worst = worst.or_else(|| self.entries.iter().find(failed));
        sum.verdict = match worst {
            Some(worst) => {
                sum.first = worst.clone();
                worst.verdict.clone()
            }
            None if sum.runs == 0 => "no runs".to_owned(),
            None if self.entries.iter().any(|entry| entry.verdict == "out-of-budget") => {
                "out-of-budget".to_owned()
            }
            None if sum.runs >= RUNS_MIN && sum.coverage.values().any(|hits| *hits == 0) => {
                "uncovered".to_owned()
            }
            None => "passed".to_owned(),
        };
        sum
    }
}

/// All shards of a scenario as one.
struct Sum {
    scenario: String,
    runs: u64,
    steps: u64,
    seconds: f64,
    /// Distinct traces, at most: shards may have met the same.
    traces_max: u64,
    faults: u64,
    failing: u64,
    coverage: BTreeMap<String, u64>,
    verdict: String,
    /// The shard that failed, or else the first.
    first: Entry,
}

impl Sum {
    fn is_as_expected(&self) -> bool {
        self.verdict == self.first.expected
    }

    fn row(&self) -> Vec<String> {
        let reached = self.coverage.values().filter(|hits| **hits > 0).count();
        let sometimes = match self.coverage.len() {
            0 => "-".to_owned(),
            all => format!("{reached}/{all}"),
        };
        let expected = &self.first.expected;
        vec![
            self.scenario.clone(),
            number(self.runs),
            number(self.steps),
            duration(Duration::try_from_secs_f64(self.seconds).unwrap_or(Duration::MAX)),
            number(self.faults),
            sometimes,
            self.verdict.clone(),
            if self.is_as_expected() { "yes".to_owned() } else { format!("NO: {expected}") },
        ]
    }

    fn to_json(&self) -> Value {
        let coverage: Vec<Value> =
            self.coverage.iter().map(|(name, hits)| json!({ "name": name, "hits": hits })).collect();
        let rate = crate::check::Rate { failed: self.failing, runs: self.runs };
        json!({
            "scenario": self.scenario,
            "system": self.first.system,
            "runs": self.runs,
            "steps": self.steps,
            "virtual_seconds": self.seconds,
            "distinct_traces": self.traces_max,
            "faults_fired": self.faults,
            "failing_runs": self.failing,
            "failure_rate_95": rate.interval(),
            "coverage": coverage,
            "verdict": self.verdict,
            "expected": self.first.expected,
            "as_expected": self.is_as_expected(),
            "failure": self.first.failure,
        })
    }
}

fn table(sums: &[Sum]) -> Vec<String> {
    let mut table = Table::new(&[
        ("scenario", Align::Left),
        ("runs", Align::Right),
        ("steps", Align::Right),
        ("virtual time", Align::Right),
        ("faults", Align::Right),
        ("sometimes", Align::Right),
        ("verdict", Align::Left),
        ("as expected", Align::Left),
    ]);
    sums.iter().for_each(|sum| table.row(sum.row()));
    let mut lines = table.lines();
    let unexpected = sums.iter().filter(|sum| !sum.is_as_expected()).count();
    let runs = number(sums.iter().map(|sum| sum.runs).sum());
    lines.push(String::new());
    lines.push(match unexpected {
        0 => format!("{runs} runs: all as expected"),
        _ => format!("{runs} runs: {unexpected} NOT as expected"),
    });
    lines
}
