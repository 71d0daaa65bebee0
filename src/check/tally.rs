//! Tallies: what runs came to, added up. Order does not matter but for the first failures, and memory is bounded
//! whatever the number of runs.

use super::exhaustive::Exhausted;
use super::guided::{Guidance, Recipe};
use super::points::Points;
use crate::choice::enumerate::Step;
use crate::choice::explore::Explorer;
use crate::choice::fold;
use crate::runtime::{End, SiteStats};
use crate::sim::Run;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Kind and property.
pub(super) type Signature = (&'static str, Option<String>);

/// What the runs of one chunk, or of all, came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) runs: u64,
    pub(super) steps: u64,
    pub(super) time: Duration,
    pub(super) picks: u64,
    pub(super) faults_fired: u64,
    pub(super) inconclusive: u64,
    pub(super) inconclusive_first: Option<Failing>,
    pub(super) traces: Distinct,
    pub(super) states: Distinct,
    pub(super) coverage: BTreeMap<&'static str, u64>,
    pub(super) sites: BTreeMap<&'static str, SiteStats>,
    pub(super) failing: BTreeMap<Signature, FailingRuns>,
    /// Where this was a sweep over points.
    pub(super) points: Option<Points>,
    /// Where this was an exhaustive search.
    pub(super) exhausted: Option<Exhausted>,
    /// Where this was a guided search.
    pub(super) guidance: Option<Guidance>,
}

/// The runs that failed with one kind and property: how many, and the first of them.
#[derive(Debug, Default)]
pub(super) struct FailingRuns {
    pub(super) count: u64,
    pub(super) first: Vec<Failing>,
}

/// A run that did not pass.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    /// Which run of the sweep, from 0.
    pub(super) index: u64,
    pub(super) origin: Origin,
    pub(super) digests: (u64, u64),
}

/// What a run was made from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Seed(u64),
    Steps(Vec<Step>),
    /// A run of a search through all, as it stands before the run.
    Explored(Box<Explorer>),
    Guided(Arc<Recipe>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Seed(seed) => write!(f, "seed {seed}"),
            Origin::Explored(_) => f.write_str("a run of the exhaustive search"),
            Origin::Guided(recipe) => write!(f, "run {} of the guided search", recipe.number + 1),
            Origin::Steps(steps) if steps.is_empty() => f.write_str("the baseline run"),
            Origin::Steps(steps) if steps.len() == 1 => f.write_str("a run with 1 deviation"),
            Origin::Steps(steps) => write!(f, "a run with {} deviations", steps.len()),
        }
    }
}

impl Tally {
    /// Adds a run; of those that fail in one way, the first `failing_max` are kept.
    pub(super) fn add(&mut self, index: u64, origin: impl FnOnce() -> Origin, run: Run, failing_max: usize) {
        self.runs += 1;
        self.steps += run.steps;
        self.time += run.time;
        self.picks += run.picks;
        self.faults_fired += run.faults_fired;
        self.traces.insert(run.digests.trace);
        run.states.iter().for_each(|state| self.states.insert(*state));
        for (name, hits) in run.coverage {
            *self.coverage.entry(name).or_insert(0) += u64::from(hits > 0);
        }
        for site in run.sites {
            add_site(&mut self.sites, site);
        }
        let digests = (run.digests.choice, run.digests.trace);
        let failing = || Failing { index, origin: origin(), digests };
        if matches!(run.end, End::OutOfBudget { .. }) {
            self.inconclusive += 1;
            self.inconclusive_first.get_or_insert_with(failing);
        } else if run.end.is_failure() {
            let (kind, property) = run.end.signature();
            let runs = self.failing.entry((kind, property.map(str::to_owned))).or_default();
            runs.count += 1;
            if runs.first.len() < failing_max {
                runs.first.push(failing());
            }
        }
    }

    /// Adds the tally of later runs.
    pub(super) fn merge(&mut self, later: Tally, failing_max: usize) {
        self.runs += later.runs;
        self.steps += later.steps;
        self.time += later.time;
        self.picks += later.picks;
        self.faults_fired += later.faults_fired;
        self.inconclusive += later.inconclusive;
        self.inconclusive_first = self.inconclusive_first.take().or(later.inconclusive_first);
        self.traces.merge(later.traces);
        self.states.merge(later.states);
        for (name, hits) in later.coverage {
            *self.coverage.entry(name).or_insert(0) += hits;
        }
        for site in later.sites.into_values() {
            add_site(&mut self.sites, site);
        }
        for (signature, runs) in later.failing {
            let failing = self.failing.entry(signature).or_default();
            failing.count += runs.count;
            let room = failing_max.saturating_sub(failing.first.len());
            failing.first.extend(runs.first.into_iter().take(room));
        }
    }

    /// Runs that failed, in any way.
    pub(super) fn failing_runs(&self) -> u64 {
        self.failing.values().map(|runs| runs.count).sum()
    }

    /// The `sometimes` and `reachable` that no run met.
    pub(super) fn uncovered(&self) -> Vec<String> {
        let never = self.coverage.iter().filter(|&(_, hits)| *hits == 0);
        never.map(|(name, _)| (*name).to_owned()).collect()
    }
}

fn add_site(sites: &mut BTreeMap<&'static str, SiteStats>, site: SiteStats) {
    let sum = sites.entry(site.site).or_insert(SiteStats { asked: 0, fired: 0, ..site });
    sum.asked += site.asked;
    sum.fired += site.fired;
}

/// Distinct values from which on their number is an estimate.
const EXACT_MAX: usize = super::report::DISTINCT_ESTIMATED as usize;

/// Counts distinct values in bounded memory: exactly below 32,768, then from the smallest hashes (the error is below
/// 2 %). A function of the set of values, whatever their order.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    smallest: BTreeSet<u64>,
}

impl Distinct {
    fn insert(&mut self, value: u64) {
        let hash = fold(0x6469_7374_696e_6374, value);
        if self.smallest.len() < EXACT_MAX {
            self.smallest.insert(hash);
        } else if self.smallest.last().is_some_and(|largest| hash < *largest) && self.smallest.insert(hash) {
            self.smallest.pop_last();
        }
    }

    fn merge(&mut self, other: Distinct) {
        self.smallest.extend(other.smallest);
        while self.smallest.len() > EXACT_MAX {
            self.smallest.pop_last();
        }
    }

    /// The hashes that are kept.
    pub(super) fn hashes(&self) -> Vec<u64> {
        self.smallest.iter().copied().collect()
    }

    /// What was kept before.
    pub(super) fn of_hashes(hashes: Vec<u64>) -> Distinct {
        Distinct { smallest: hashes.into_iter().collect() }
    }

    /// How many there were: [`EXACT_MAX`] or more where this is an estimate.
    pub(super) fn count(&self) -> u64 {
        match self.smallest.last() {
            Some(&largest) if self.smallest.len() == EXACT_MAX => {
                let estimate = (EXACT_MAX as u128 - 1) * u128::from(u64::MAX) / u128::from(largest);
                (estimate as u64).max(EXACT_MAX as u64)
            }
            Some(_) | None => self.smallest.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_values_are_counted_exactly_while_few_and_closely_when_many() {
        for (values, repeats, error) in [(0u64, 1, 0), (1, 5, 0), (30_000, 2, 0), (300_000, 2, 6_000)] {
            let mut distinct = Distinct::default();
            for value in (0..values).chain((0..values).filter(|_| repeats > 1)) {
                distinct.insert(value.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
            assert!(
                distinct.count().abs_diff(values) <= error,
                "{values} were counted as {}",
                distinct.count()
            );
        }
    }

    #[test]
    fn an_estimate_is_told_from_a_count() {
        for (values, is_estimate) in [(32_767, false), (32_768, true), (33_000, true)] {
            let mut distinct = Distinct::default();
            (0..values).for_each(|value| distinct.insert(value));
            assert_eq!(distinct.count() >= super::super::report::DISTINCT_ESTIMATED, is_estimate, "{values}");
        }
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let part = |range: std::ops::Range<u64>| {
            let mut distinct = Distinct::default();
            range.for_each(|value| distinct.insert(value));
            distinct
        };
        let (mut ab, mut ba) = (part(0..40_000), part(20_000..90_000));
        ab.merge(part(20_000..90_000));
        ba.merge(part(0..40_000));
        assert_eq!(ab.count(), ba.count());
    }
}
