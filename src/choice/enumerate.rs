//! Exhaustive search: every run with at most `d` deviations, each once, fewer deviations first.
//!
//! A run is a list of (position, option) pairs; it is extended only after its last pair, at positions that the run
//! itself reached, with options that exist there.

use super::{Ask, Names, Ready, Source, landmarks};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A deviation by position: the n-th choice of the run, counted from 0, is `option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Which choice of the run.
    pub position: u64,
    /// Its answer.
    pub option: u64,
}

/// What a run was asked after its last deviation: the options above 0, by position.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Asked {
    first: u64,
    options: Vec<Vec<u64>>,
}

impl Asked {
    /// At how many positions the run may deviate.
    pub fn open(&self) -> u64 {
        self.options.iter().filter(|options| !options.is_empty()).count() as u64
    }
}

/// Where a run may deviate, and how often: limits an enumeration to the sites of one tape.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Picks that are not the oldest, and yields where `yields` says so.
    pub schedule: u32,
    /// Whether any yield at a scheduling point counts as `schedule`; otherwise each belongs to its site.
    pub yields: bool,
    /// Other choices, by the hash of their site's label.
    pub sites: BTreeMap<u64, u32>,
}

impl Shape {
    fn left(&mut self, site: Option<u64>) -> Option<&mut u32> {
        match site {
            None => Some(&mut self.schedule),
            Some(site) => self.sites.get_mut(&site),
        }
    }
}

/// Answers 0, except at the given positions.
#[derive(Clone, Debug)]
pub struct StepsSource {
    steps: Vec<Step>,
    met: usize,
    position: u64,
    asked: Asked,
    shape: Option<Shape>,
}

impl StepsSource {
    /// The source that deviates at `steps`, which ascend.
    pub fn new(steps: Vec<Step>) -> StepsSource {
        let first = steps.last().map_or(0, |step| step.position + 1);
        let asked = Asked { first, options: Vec::new() };
        StepsSource { steps, met: 0, position: 0, asked, shape: None }
    }

    /// As [`StepsSource::new`], and only deviations that keep the run within `shape` are noted as possible.
    pub fn shaped(steps: Vec<Step>, shape: Shape) -> StepsSource {
        StepsSource { shape: Some(shape), ..StepsSource::new(steps) }
    }

    /// What the run was asked after the last deviation.
    pub fn into_asked(self) -> Asked {
        self.asked
    }

    /// The answer at the next position; `site` is `None` for the schedule.
    fn answer(&mut self, site: Option<u64>, options: impl FnOnce() -> Vec<u64>) -> u64 {
        let position = self.position;
        self.position += 1;
        let left = self.shape.as_mut().map(|shape| shape.left(site));
        if let Some(step) = self.steps.get(self.met).filter(|step| step.position == position) {
            self.met += 1;
            if let Some(Some(left)) = left {
                *left = left.saturating_sub(1);
            }
            return step.option;
        }
        if position >= self.asked.first {
            let open = left.is_none_or(|left| left.is_some_and(|left| *left > 0));
            self.asked.options.push(if open { options() } else { Vec::new() });
        }
        0
    }
}

impl Source for StepsSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let schedules = ask.is_yield() && self.shape.as_ref().is_some_and(|shape| shape.yields);
        let site = (!schedules).then(|| ask.label.hash());
        self.answer(site, || ask.landmarks().into_iter().filter(|&option| option > 0).collect())
    }

    fn pick(&mut self, ready: &Ready, _names: Option<&Names>) -> usize {
        let arity = ready.len() as u64;
        let rank = self.answer(None, || landmarks(arity).into_iter().filter(|&rank| rank > 0).collect());
        if rank == 0 { ready.oldest() } else { ready.nth_oldest(rank.min(arity - 1) as usize) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

/// One run of an enumeration.
#[derive(Clone, Debug)]
pub struct Next {
    /// Its deviations.
    pub steps: Vec<Step>,
    /// Whether it was run before, and is run again only for the positions that it reaches.
    pub seen: bool,
}

/// Lists the runs with at most `depth` deviations, by iterative deepening.
#[derive(Debug, Serialize, Deserialize)]
pub struct Enumerator {
    depth: usize,
    level: usize,
    frames: Vec<Frame>,
    steps: Vec<Step>,
    started: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Frame {
    asked: Asked,
    position: usize,
    option: usize,
}

impl Enumerator {
    /// All runs with at most `depth` deviations.
    pub fn new(depth: usize) -> Enumerator {
        Enumerator { depth, level: 0, frames: Vec::new(), steps: Vec::new(), started: false }
    }

    /// The next run, or `None` when all were listed. Call [`Enumerator::ran`] after each.
    pub fn advance(&mut self) -> Option<Next> {
        if !self.started {
            self.started = true;
            return Some(Next { steps: Vec::new(), seen: false });
        }
        loop {
            if self.frames.is_empty() {
                self.level += 1;
                if self.level > self.depth {
                    return None;
                }
                self.steps.clear();
                return Some(Next { steps: Vec::new(), seen: true });
            }
            self.steps.truncate(self.frames.len() - 1);
            let Some(step) = self.frames.last_mut().and_then(Frame::next) else {
                self.frames.pop();
                continue;
            };
            self.steps.push(step);
            return Some(Next { steps: self.steps.clone(), seen: self.steps.len() < self.level });
        }
    }

    /// Tells what the run that [`Enumerator::advance`] gave last was asked.
    pub fn ran(&mut self, asked: Asked) {
        if self.steps.len() < self.level {
            self.frames.push(Frame { asked, position: 0, option: 0 });
        }
    }
}

impl Frame {
    fn next(&mut self) -> Option<Step> {
        while let Some(options) = self.asked.options.get(self.position) {
            if let Some(&option) = options.get(self.option) {
                self.option += 1;
                return Some(Step { position: self.asked.first + self.position as u64, option });
            }
            (self.position, self.option) = (self.position + 1, 0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program of `choices` questions with `arity` options each.
    fn runs(depth: usize, choices: usize, arity: u64) -> Vec<Vec<Step>> {
        let mut enumerator = Enumerator::new(depth);
        let mut all = Vec::new();
        while let Some(next) = enumerator.advance() {
            let mut source = StepsSource::new(next.steps.clone());
            for _ in 0..choices {
                source.answer(None, || (1..arity).collect());
            }
            enumerator.ran(source.into_asked());
            if !next.seen {
                all.push(next.steps);
            }
        }
        all
    }

    #[test]
    fn lists_each_run_once_and_fewer_deviations_first() {
        for (depth, choices, arity, expected) in [
            (0, 3, 2, 1),
            (1, 3, 2, 4),
            (2, 3, 2, 7),
            (3, 3, 2, 8),
            (4, 3, 2, 8),
            (1, 3, 3, 7),
            (2, 3, 3, 19),
        ] {
            let mut all = runs(depth, choices, arity);
            assert_eq!(all.len(), expected, "depth {depth}, {choices} choices of {arity}");
            assert!(all.is_sorted_by_key(Vec::len));
            all.sort_by_key(|steps| format!("{steps:?}"));
            all.dedup();
            assert_eq!(all.len(), expected, "none twice");
        }
    }
}
