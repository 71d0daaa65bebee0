//! The flags of `fatum check`, and what they change in a sweep.

use crate::Error;
use crate::check::{Bound, Check, Effort, Environment, Perturbation, shard};
use crate::cli::invoked::invoked_as;
use crate::scenario::{Expect, Scenario};
use crate::span::{BadSpan, Span};
use crate::strategy::StrategyKind;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
#[command(
    after_help = "Exits with 0 when all ended as their files expect, 1 when not, 2 when a flag or file is wrong."
)]
pub(in crate::cli) struct Arguments {
    /// Scenario files, or directories of them [default: scenarios]
    pub(super) paths: Vec<PathBuf>,
    /// Runs per scenario [default: as each scenario says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// Wall time per scenario, as in 30s, instead of a number of runs
    #[arg(long = "for", value_name = "TIME", conflicts_with = "runs", value_parser = span)]
    wall: Option<Span>,
    /// How seeds explore schedules [default: as each scenario says]
    #[arg(long, value_name = "STRATEGY", value_parser = strategy)]
    strategy: Option<StrategyKind>,
    /// Threads; 0 is one per core [default: 0]
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// This machine's part of the seeds: 0/4 is the first of four
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<(u64, u64)>,
    /// Every run with at most D deviations, or `all` runs of a small model, in place of seeds; on one thread
    #[arg(long, value_name = "D", value_parser = bound, conflicts_with_all = ["runs", "seed_base", "shard", "strategy"])]
    exhaustive: Option<Bound>,
    /// With --exhaustive all: one run of those that differ only in the order of accesses that commute. Sound only if tasks
    /// share nothing but what they declare at scheduling points
    #[arg(long, requires = "exhaustive")]
    assume_declared_accesses: bool,
    /// With --exhaustive: writes to FILE how far the search of one scenario is, and goes on from there
    #[arg(long, value_name = "FILE", requires = "exhaustive")]
    resume: Option<PathBuf>,
    /// One run for each place at which the fault-free run can be harmed in this way: crash (after each write), stale,
    /// missed, cancel (each spawned task at each await), cancel-mains (mains too); in place of seeds, on one thread
    #[arg(long, value_name = "KIND", value_parser = perturbation, conflicts_with_all = ["runs", "seed_base", "shard", "strategy", "exhaustive"])]
    points: Option<Perturbation>,
    /// Runs that reach something new are kept, and the next runs begin as they did: finds what is many unlikely steps away
    #[arg(long, conflicts_with_all = ["exhaustive", "points", "shard"])]
    guided: bool,
    /// The first seed, or `random`, which prints what it drew [default: 0]
    #[arg(long, value_name = "SEED", value_parser = seed_base)]
    seed_base: Option<SeedBase>,
    /// Writes the report to a file, for machines
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Prints choice points per site, and the whole page of expected failures
    #[arg(short, long)]
    pub(super) verbose: bool,
}

/// The first seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeedBase {
    Given(u64),
    Drawn(u64),
}

/// A strategy by name.
pub(in crate::cli) fn strategy(name: &str) -> Result<StrategyKind, Error> {
    name.parse()
}

fn bound(text: &str) -> Result<Bound, Error> {
    text.parse()
}

fn perturbation(name: &str) -> Result<Perturbation, Error> {
    name.parse()
}

fn span(text: &str) -> Result<Span, BadSpan> {
    text.parse()
}

fn seed_base(text: &str) -> Result<SeedBase, Error> {
    if text == "random" {
        return Ok(SeedBase::Drawn(draw()));
    }
    let given = text.parse().map(SeedBase::Given);
    given.map_err(|_| Error::input("neither a number nor `random`"))
}

/// A number that differs from process to process: kept small, so that it can be read aloud.
#[expect(
    clippy::disallowed_types,
    reason = "drawn before any run, and printed so that all runs can be repeated"
)]
fn draw() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000
}

impl Arguments {
    /// Changes the scenario's sweep as the environment and then the flags say, which go before it.
    pub(super) fn apply(&self, scenario: &mut Scenario) -> Result<(), Error> {
        scenario.check = self.check(&Environment::read()?, scenario.check.clone());
        if scenario.expect != Expect::Passed {
            // A failure that is expected is shown once: the first is enough.
            scenario.check.shrunk_max = 1;
            scenario.check.effort = Effort::Brief;
        }
        Ok(())
    }

    fn check(&self, environment: &Environment, check: Check) -> Check {
        let mut check = environment.apply(check.jobs(0));
        check.invoked_as = invoked_as();
        check.jobs = self.jobs.unwrap_or(check.jobs);
        check.runs = self.runs.unwrap_or(check.runs);
        if let Some(wall) = self.wall {
            (check.wall_max, check.runs) = (Some(wall.0), u64::MAX);
        }
        check.strategy = self.strategy.unwrap_or(check.strategy);
        check.shard = self.shard.unwrap_or(check.shard);
        check.exhaustive = self.exhaustive.or(check.exhaustive);
        check.assumes_declared_accesses |= self.assume_declared_accesses;
        check.resume = self.resume.clone().or(check.resume);
        check.points = self.points.or(check.points);
        check.guided |= self.guided;
        check.seed_base = match self.seed_base {
            Some(SeedBase::Given(seed) | SeedBase::Drawn(seed)) => seed,
            None => check.seed_base,
        };
        check
    }

    /// What the random seed base is, if it was drawn.
    pub(super) fn seed_base_page(&self) -> Option<String> {
        match self.seed_base {
            Some(SeedBase::Drawn(seed)) => Some(format!("seed base {seed}: repeat with --seed-base {seed}")),
            Some(SeedBase::Given(_)) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: Arguments,
    }

    #[test]
    fn a_flag_goes_before_its_variable() {
        let environment = Environment {
            seed: Some(5),
            runs: Some(10),
            shard: Some((1, 2)),
            jobs: Some(1),
            ..Environment::default()
        };
        let sweep = |flags: &str| {
            let line = Line::try_parse_from(format!("check {flags}").split_whitespace()).unwrap();
            let check = line.flags.check(&environment, Check::new("s.toml"));
            (check.seed_base, check.runs, check.shard, check.jobs)
        };
        assert_eq!(sweep(""), (5, 10, (1, 2), 1));
        assert_eq!(sweep("--jobs 4 --runs 20 --shard 0/3 --seed-base 7"), (7, 20, (0, 3), 4));
    }
}
