//! The first of its shape: two seeds that meet one bug by deviations of the same sorts end in the same tape.
//!
//! Of all runs that deviate as a shrunk tape does, and no oftener, the first that fails in the same way is taken: those
//! with the fewest deviations of the schedule first. A turn that is overtaken and a yield at a scheduling point are of one sort; every other site is a
//! sort of its own, so that two faults that break one property stay two failures. The enumeration is done once per
//! shape and kept for the other seeds of a sweep.

use super::Shrinker;
use crate::choice::enumerate::{Enumerator, Shape, StepsSource};
use crate::choice::tape::{Tape, TapeSource};
use crate::choice::{Ask, Names, Ready, Source, hash_bytes};
use std::collections::{BTreeMap, BTreeSet};

/// Runs that one enumeration may take.
const RUNS_MAX: u64 = 20_000;
/// Polls that all enumerations for a tape that cannot be cut any more may take.
pub(super) const STEPS_MAX: u64 = 1_000_000;
/// Deviations that an enumeration goes up to.
const DEPTH_MAX: u64 = 3;

/// What enumerations of a sweep have found, by kind, property and shape.
#[derive(Debug, Default)]
pub struct Canonical {
    found: BTreeMap<(String, Shape), Option<Tape>>,
}

/// The first failing tape of the same shape, if enumerations of so many polls meet one.
pub(super) fn first_of_shape(
    shrinker: &mut Shrinker<'_>,
    tape: &Tape,
    canonical: &mut Canonical,
    steps_max: u64,
) -> Option<Tape> {
    if tape.is_empty() {
        return None;
    }
    let (yields, steps_max) = (yields(shrinker, tape), shrinker.part(steps_max));
    shrinker.steps = 0;
    for shape in shapes(tape, &yields) {
        if shrinker.steps >= steps_max {
            break;
        }
        let key = (format!("{:?}", shrinker.end.signature()), shape.clone());
        let found = match canonical.found.get(&key) {
            Some(found) => found.clone(),
            None => {
                let depth = tape.deviations().min(DEPTH_MAX);
                let found = enumerate(shrinker, &shape, depth, steps_max);
                canonical.found.insert(key, found.clone());
                found
            }
        };
        if let Some(first) = found.filter(|first| first.deviations() <= tape.deviations()) {
            return Some(first);
        }
    }
    None
}

/// The shapes to try: the other sites with ever more of the schedule, then with each yield at its own site.
fn shapes(tape: &Tape, yields: &BTreeSet<String>) -> Vec<Shape> {
    let whole = shape(tape, Some(yields));
    let others: u32 = whole.sites.values().sum();
    let fewer = (0..whole.schedule).take_while(|schedule| u64::from(schedule + others) <= DEPTH_MAX);
    let mut shapes: Vec<Shape> = fewer.map(|schedule| Shape { schedule, ..whole.clone() }).collect();
    shapes.extend([whole, shape(tape, None)]);
    shapes
}

/// The shape of a tape; with `yields`, the sites whose deviations belong to the schedule.
fn shape(tape: &Tape, yields: Option<&BTreeSet<String>>) -> Shape {
    let picks: usize = tape.schedule.iter().map(|entry| entry.by.len()).sum();
    let mut shape = Shape { schedule: picks as u32, yields: yields.is_some(), sites: BTreeMap::new() };
    for deviation in &tape.choice {
        if yields.is_some_and(|yields| yields.contains(&deviation.site)) {
            shape.schedule += 1;
        } else {
            *shape.sites.entry(hash_bytes(deviation.site.as_bytes())).or_insert(0) += 1;
        }
    }
    shape
}

/// The sites of a tape's run that are scheduling points.
pub(super) fn yields(shrinker: &mut Shrinker<'_>, tape: &Tape) -> BTreeSet<String> {
    shrinker.runs += 1;
    let source = YieldSites { tape: TapeSource::new(tape), sites: BTreeSet::new() };
    shrinker.check.run_with(source, shrinker.program).1.sites
}

/// Plays a tape and notes which sites are scheduling points.
struct YieldSites {
    tape: TapeSource,
    sites: BTreeSet<String>,
}

impl Source for YieldSites {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        if ask.is_yield() && !self.sites.contains(ask.label.name()) {
            self.sites.insert(ask.label.name().to_owned());
        }
        self.tape.choose(ask)
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        self.tape.pick(ready, names)
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

fn enumerate(shrinker: &mut Shrinker<'_>, shape: &Shape, depth: u64, steps_max: u64) -> Option<Tape> {
    let mut enumerator = Enumerator::new(depth as usize);
    let runs_max = shrinker.runs + shrinker.part(RUNS_MAX);
    while let Some(next) = enumerator.advance() {
        shrinker.runs += 1;
        let source = StepsSource::shaped(next.steps.clone(), shape.clone());
        let (run, asked) = shrinker.check.run_steps(source, false, shrinker.program);
        if !next.seen && shrinker.fails(&run) {
            return Some(shrinker.check.record_steps(&next.steps, shrinker.program).tape);
        }
        shrinker.steps += run.steps;
        if shrinker.runs >= runs_max || shrinker.steps >= steps_max {
            return None;
        }
        enumerator.ran(asked);
    }
    None
}
