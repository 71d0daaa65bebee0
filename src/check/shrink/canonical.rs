//! The first of its shape: two seeds that meet one bug by deviations at the same sites end in the same tape.
//!
//! Of all runs that deviate at the sites of a shrunk tape, and no oftener there, the first that fails in the same way
//! is taken, fewer deviations first. The enumeration is done once per shape and kept for the other seeds of a sweep.

use super::Shrinker;
use crate::choice::enumerate::{Enumerator, Shape, StepsSource};
use crate::choice::hash_bytes;
use crate::choice::tape::Tape;
use std::collections::BTreeMap;

/// Runs that one enumeration may take.
const RUNS_MAX: u64 = 20_000;
/// Deviations beyond which a shape is not enumerated.
const DEVIATIONS_MAX: u64 = 3;

/// What enumerations of a sweep have found, by kind, property and shape.
#[derive(Debug, Default)]
pub struct Canonical {
    found: BTreeMap<(String, Shape), Option<Tape>>,
}

/// The first failing tape of the same shape, or the tape itself.
pub(super) fn first_of_shape(shrinker: &mut Shrinker<'_>, tape: Tape, canonical: &mut Canonical) -> Tape {
    if tape.is_empty() || tape.deviations() > DEVIATIONS_MAX {
        return tape;
    }
    let shape = shape(&tape);
    let key = (format!("{:?}", shrinker.end.signature()), shape.clone());
    let found = match canonical.found.get(&key) {
        Some(found) => found.clone(),
        None => {
            let found = enumerate(shrinker, &shape, tape.deviations());
            canonical.found.insert(key, found.clone());
            found
        }
    };
    found.filter(|first| first.deviations() <= tape.deviations()).unwrap_or(tape)
}

fn shape(tape: &Tape) -> Shape {
    let picks: usize = tape.schedule.iter().map(|entry| entry.by.len()).sum();
    let mut sites = BTreeMap::new();
    for deviation in &tape.choice {
        *sites.entry(hash_bytes(deviation.site.as_bytes())).or_insert(0) += 1;
    }
    Shape { picks: picks as u32, sites }
}

fn enumerate(shrinker: &mut Shrinker<'_>, shape: &Shape, depth: u64) -> Option<Tape> {
    let mut enumerator = Enumerator::new(depth as usize);
    let limit = shrinker.runs + RUNS_MAX;
    while let Some(next) = enumerator.advance() {
        shrinker.runs += 1;
        let source = StepsSource::shaped(next.steps.clone(), shape.clone());
        let (run, asked) = shrinker.check.run_steps(source, shrinker.program);
        if !next.seen && shrinker.fails(&run) {
            return Some(shrinker.check.record_steps(&next.steps, shrinker.program).tape);
        }
        if shrinker.runs >= limit {
            return None;
        }
        enumerator.ran(asked);
    }
    None
}
