//! `fatum check`: sweeps scenarios, tells what broke, and compares with what the files expect.
//!
//! The arguments and the order of things stand here; what is printed per scenario in `page`, at the end in `summary`.

mod flags;
mod page;
mod summary;

pub(super) use flags::{Arguments, strategy};

use super::progress::Progress;
use super::{OK, UNEXPECTED, find, json, output};
use crate::Error;
use crate::scenario::{Judgement, Registry, Scenario};
use std::path::PathBuf;

impl Arguments {
    pub(super) fn carry_out(self, registry: &Registry) -> Result<u8, Error> {
        let scenarios = self.scenarios(registry)?;
        if let Some(path) = &self.json {
            json::probe(path)?;
        }
        if let Some(page) = self.seed_base_page() {
            output::note(&page);
        }
        let mut sweeps = Vec::new();
        let of = scenarios.len();
        for (scenario, nth) in scenarios.into_iter().zip(1..) {
            let judgement = self.sweep(&scenario, (nth, of))?;
            sweeps.push((scenario, judgement));
        }
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

    fn sweep(&self, scenario: &Scenario, place: (usize, usize)) -> Result<Judgement, Error> {
        let check = &scenario.check;
        let is_bounded = check.exhaustive.is_none() && check.points.is_none() && check.wall_max.is_none();
        let runs = is_bounded.then_some(check.runs / check.shard.1);
        let progress = Progress::begin(&scenario.name, place, runs);
        let judgement = scenario.sweep(&|done| progress.done(done))?;
        progress.end(&page::outcome(&judgement));
        if let Some(points) = judgement.report.points {
            output::say(&format!("{}: {points}", scenario.name));
        }
        page::expected(scenario, &judgement, self.verbose).iter().for_each(|line| output::say(line));
        Ok(judgement)
    }
}
