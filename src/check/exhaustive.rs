//! Exhaustive search: every run with at most so many deviations, or every run; and a run for each point.
//!
//! On one thread, since which run comes next depends on what the last one was asked. It may be stopped and resumed.

use super::config::Check;
use super::determinism::{Differing, Recheck, Rechecks, Take, is_due};
use super::points::Points;
use super::program::Program;
use super::resume::{self, Standing};
use super::tally::{Origin, Tally};
use crate::Error;
use crate::choice::enumerate::{Asked, Enumerator, Step, StepsSource};
use crate::choice::explore::Explorer;
use crate::sim::Run;
use crate::trace::text::number;
use crate::wall::Stopwatch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How often the state of a search is written, at most.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// How far an exhaustive search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Every run with at most this many deviations, fewer first.
    Deviations(usize),
    /// Every run, depth first: for small models.
    All,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Deviations(most) => write!(f, "{most}"),
            Bound::All => f.write_str("all"),
        }
    }
}

impl FromStr for Bound {
    type Err = Error;

    fn from_str(text: &str) -> Result<Bound, Error> {
        if text == "all" {
            return Ok(Bound::All);
        }
        let most = text.parse().map(Bound::Deviations);
        most.map_err(|_| Error::input("neither a number of deviations nor `all`"))
    }
}

/// What an exhaustive search came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// How far it was to go.
    pub bound: Bound,
    /// Whether the user stated that all accesses are declared, so that one order stands for all that commute.
    pub assumes_declared: bool,
    /// Whether every run was made.
    pub is_whole: bool,
    /// The runs, those before a resumption included.
    pub runs: u64,
    /// Runs that were made and only repeated others, up to the order of accesses that commute. Not among the runs.
    pub repeated: u64,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = number(self.runs);
        match (self.is_whole, self.bound) {
            (false, _) => write!(f, "stopped after {runs} runs, before all were made")?,
            (true, Bound::All) => write!(f, "all {runs} runs were made")?,
            (true, Bound::Deviations(1)) => write!(f, "all {runs} runs with at most 1 deviation were made")?,
            (true, Bound::Deviations(most)) => {
                write!(f, "all {runs} runs with at most {most} deviations were made")?;
            }
        }
        if self.assumes_declared {
            f.write_str(", one for each order of declared accesses that do not commute")?;
        }
        Ok(())
    }
}

/// The order in which runs are listed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Search {
    Few(Enumerator),
    All(Explorer),
}

/// A run that the search made.
struct Made {
    run: Run,
    origin: Origin,
    /// Not one that was made before, or stands for one that was.
    is_new: bool,
    rechecked: bool,
}

/// The search of one check.
struct Searching<'a> {
    check: &'a Check,
    program: &'a dyn Program,
    begins: &'a (dyn Fn(&Origin) + Sync),
    /// Where it stands.
    at: Standing,
    covered: BTreeSet<u64>,
}

impl Searching<'_> {
    /// The next run, or `None` when all were made.
    fn advance(&mut self) -> Option<Made> {
        let due = is_due(self.at.tally.runs, self.check.recheck_one_in);
        match &mut self.at.search {
            Search::Few(enumerator) => {
                let next = enumerator.advance()?;
                let origin = Origin::Steps(next.steps.clone());
                (self.begins)(&origin);
                let source = match self.check.points {
                    Some(points) => StepsSource::shaped(next.steps.clone(), points.shape()),
                    None => StepsSource::new(next.steps.clone()),
                };
                let rechecked = due && !next.seen;
                let (run, asked) = self.check.run_steps(source, rechecked, self.program);
                self.note_point(&next.steps, &asked);
                if let Search::Few(enumerator) = &mut self.at.search {
                    enumerator.ran(asked);
                }
                Some(Made { run, origin, is_new: !next.seen, rechecked })
            }
            Search::All(explorer) => {
                if explorer.is_done() {
                    return None;
                }
                (self.begins)(&Origin::Explored(Box::new(explorer.clone())));
                let (run, mut source) = self.check.run_exploring(explorer.clone(), due, self.program);
                let explored = source.ran();
                *explorer = source;
                self.at.repeated += u64::from(explored.is_redundant);
                let is_new = !explored.is_redundant;
                Some(Made { run, origin: Origin::Steps(explored.steps), is_new, rechecked: due && is_new })
            }
        }
    }

    fn note_point(&mut self, steps: &[Step], asked: &Asked) {
        if let (Some(kind), [] | [_]) = (self.check.points, steps) {
            self.at.tally.points.get_or_insert(Points { kind, found: asked.open(), covered: 0 });
            self.covered.extend(steps.first().map(|step| step.position));
        }
    }

    /// Makes run after run until all are made or the time is over; `save` hears of each.
    fn search(
        &mut self,
        rechecks: &Rechecks,
        progress: &(dyn Fn(u64) + Sync),
        mut save: impl FnMut(&Standing, Duration) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let clock = Stopwatch::start();
        while !self.at.is_done {
            let Some(made) = self.advance() else {
                self.at.is_done = true;
                break;
            };
            let index = self.at.tally.runs;
            if made.rechecked {
                let (origin, digests) = (made.origin.clone(), made.run.digests.clone());
                rechecks.add([Recheck { job: 0, index, origin, digests }]);
                self.check.recheck(rechecks, Take::Surplus, self.begins, self.program);
            }
            if made.is_new {
                self.at.tally.add(index, || made.origin, made.run, self.check.shrunk_max);
                progress(self.at.tally.runs);
            }
            if self.check.wall_max.is_some_and(|max| clock.elapsed() > max) {
                // The last point may have options left.
                self.covered.pop_last();
                break;
            }
            save(&self.at, clock.elapsed())?;
        }
        Ok(())
    }

    /// The tally, with what the search as a whole came to.
    fn into_tally(self, bound: Bound) -> Tally {
        let Standing { mut tally, repeated, is_done: is_whole, .. } = self.at;
        let covered = self.covered.len() as u64;
        tally.points = tally.points.map(|points| Points { covered, ..points });
        let (assumes_declared, runs) = (self.check.assumes_declared_accesses, tally.runs);
        if self.check.points.is_none() {
            tally.exhausted = Some(Exhausted { bound, assumes_declared, is_whole, runs, repeated });
        }
        tally
    }
}

impl Check {
    /// Every run within `bound`, on this thread; second runs on another.
    ///
    /// # Errors
    /// A file to resume that cannot be read or written, or is of another search.
    pub(super) fn search_all(
        &self,
        bound: Bound,
        begins: &(dyn Fn(&Origin) + Sync),
        program: &dyn Program,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Tally, Vec<Differing>), Error> {
        let search = match bound {
            Bound::Deviations(most) => Search::Few(Enumerator::new(most)),
            Bound::All => Search::All(Explorer::new(self.assumes_declared_accesses)),
        };
        let at = Standing { search, tally: Tally::default(), repeated: 0, is_done: false };
        let mut searching = Searching { check: self, program, begins, at, covered: BTreeSet::new() };
        let rechecks = Rechecks::default();
        match &self.resume {
            None => searching.search(&rechecks, progress, |_, _| Ok(()))?,
            Some(path) => {
                let baseline = self.baseline(begins, program);
                if let Some(found) = resume::read(path, self, bound, baseline)? {
                    searching.at = found;
                    progress(searching.at.tally.runs);
                }
                let write = |at: &Standing| resume::write(path, self, bound, baseline, at);
                let mut saved_at = Duration::ZERO;
                searching.search(&rechecks, progress, |at, elapsed| {
                    if elapsed < saved_at + SAVE_EVERY {
                        return Ok(());
                    }
                    saved_at = elapsed;
                    write(at)
                })?;
                write(&searching.at)?;
            }
        }
        super::sweep::on_another_thread(|| self.recheck(&rechecks, Take::Any, begins, program));
        Ok((searching.into_tally(bound), rechecks.into_differing()))
    }

    /// The digests of the baseline run, which tell whether the program is still the one that was searched.
    fn baseline(&self, begins: &(dyn Fn(&Origin) + Sync), program: &dyn Program) -> (u64, u64) {
        let origin = Origin::Steps(Vec::new());
        begins(&origin);
        let digests = self.sweep_origin(&origin, false, program).digests;
        (digests.choice, digests.trace)
    }
}
