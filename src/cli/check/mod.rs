//! `fatum check`: sweeps scenarios, tells what broke, and compares with what the files expect.
//!
//! The arguments and the order of things stand here; what is printed per scenario in `page`, at the end in `summary`.

mod flags;
mod page;
mod summary;

pub(super) use flags::{Arguments, strategy};

use super::progress::Board;
use super::{OK, UNEXPECTED, find, json, output};
use crate::Error;
use crate::check::parallel;
use crate::scenario::{Judgement, Registry, Scenario};
use std::ops::ControlFlow;
use std::path::PathBuf;

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let mut scenarios = self.scenarios(registry)?;
        self.refuse_shared_resume(&scenarios)?;
        let threads = share_threads(&mut scenarios);
        if let Some(path) = &self.json {
            json::probe(path)?;
        }
        if let Some(page) = self.seed_base_page() {
            output::note(&page);
        }
        let judgements = sweep_all(&scenarios, threads, self.verbose)?;
        let sweeps: Vec<_> = scenarios.into_iter().zip(judgements).collect();
        for (scenario, judgement) in &sweeps {
            page::unexpected(scenario, judgement).iter().for_each(|line| output::say(line));
        }
        if self.verbose {
            sweeps
                .iter()
                .flat_map(|sweep| summary::choice_points(sweep, registry))
                .for_each(|line| output::say(&line));
        }
        for (scenario, judgement) in &sweeps {
            page::warning(scenario, judgement).iter().for_each(|line| output::say(line));
        }
        summary::lines(&sweeps).iter().for_each(|line| output::say(line));
        if let Some(path) = &self.json {
            json::write(path, &sweeps)?;
        }
        Ok(if sweeps.iter().all(|(_, judgement)| judgement.is_as_expected()) { OK } else { UNEXPECTED })
    }

    /// One file holds one search.
    fn refuse_shared_resume(&self, scenarios: &[Scenario]) -> Result<(), Error> {
        if scenarios.len() < 2 || scenarios.iter().all(|scenario| scenario.check.resume.is_none()) {
            return Ok(());
        }
        let message = format!("--resume takes one scenario, and there are {}", scenarios.len());
        Err(Error::input(message).help("name one scenario file"))
    }

    /// All scenarios, or else every mistake in every file but the last, which is the error.
    fn scenarios(&self, registry: &Registry) -> Result<Vec<Scenario>, Error> {
        let paths = if self.paths.is_empty() { vec![PathBuf::from("scenarios")] } else { self.paths.clone() };
        let (mut scenarios, mut mistakes) = (Vec::new(), Vec::new());
        for path in find::scenarios(&paths)? {
            match Scenario::read(&path, registry) {
                Ok(mut scenario) => {
                    self.apply(&mut scenario)?;
                    scenarios.push(scenario);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let Some(last) = mistakes.pop() else {
            return Ok(scenarios);
        };
        mistakes.iter().for_each(output::complain);
        Err(last)
    }
}

/// How many scenarios are swept at a time, each with its share of the threads. Many are spread over the cores whole, so
/// that none waits while a failure is shrunk; where wall time bounds a sweep, each has the machine for itself.
fn share_threads(scenarios: &mut [Scenario]) -> usize {
    if scenarios.iter().any(|scenario| scenario.check.wall_max.is_some()) {
        return 1;
    }
    let jobs = scenarios.iter().map(|scenario| parallel::threads(scenario.check.jobs)).max();
    let threads = jobs.unwrap_or(1).min(scenarios.len().max(1));
    for scenario in scenarios {
        scenario.check.jobs = (parallel::threads(scenario.check.jobs) / threads).max(1);
    }
    threads
}

/// The sweeps of all scenarios, told in their order.
fn sweep_all(scenarios: &[Scenario], threads: usize, verbose: bool) -> Result<Vec<Judgement>, Error> {
    let board = Board::new(scenarios.len());
    let (mut judgements, mut failed) = (Vec::new(), None);
    let sweep = |nth, scenario: &Scenario| sweep(scenario, &board, nth);
    parallel::in_order(threads, scenarios, sweep, |nth, judgement| match judgement {
        Ok(judgement) => {
            tell(&scenarios[nth], &judgement, verbose, &board, nth);
            judgements.push(judgement);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    failed.map_or(Ok(judgements), Err)
}

fn sweep(scenario: &Scenario, board: &Board, nth: usize) -> Result<Judgement, Error> {
    let check = &scenario.check;
    let is_bounded = check.exhaustive.is_none() && check.points.is_none() && check.wall_max.is_none();
    let runs = is_bounded.then_some(check.runs / check.shard.1);
    let progress = board.begin(&scenario.name, nth, runs);
    let judgement = scenario.sweep(&|done| progress.done(done));
    progress.end();
    judgement
}

fn tell(scenario: &Scenario, judgement: &Judgement, verbose: bool, board: &Board, nth: usize) {
    board.ended(&scenario.name, nth, &page::outcome(judgement));
    let report = &judgement.report;
    let named = |line: String| format!("{}: {line}", scenario.name);
    let points = report.points.iter().map(|points| named(points.to_string()));
    let guidance = report.guidance.iter().map(|guidance| named(guidance.to_string()));
    let mut lines: Vec<String> = points.chain(guidance).collect();
    lines.extend(report.exhaustive_verdict().map(named));
    lines.extend(page::expected(scenario, judgement, verbose));
    board.say(&lines);
}
