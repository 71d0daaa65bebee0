//! Delta debugging over the single deviations of a tape, and lowering of their values.

use super::Shrinker;
use crate::choice::landmarks;
use crate::choice::tape::Tape;

/// Chunks of which each can be tried again after every one that goes.
const FEW_CHUNKS: usize = 32;

/// Removes ever smaller chunks, down to this size, for as long as the run still fails.
pub(super) fn reduce(shrinker: &mut Shrinker<'_>, mut best: Tape, least: usize) -> Tape {
    let mut chunk = (best.deviations() as usize).div_ceil(2);
    while chunk >= least.max(1) {
        let smaller = without_chunks(shrinker, best.clone(), chunk);
        if smaller.deviations() == best.deviations() {
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
        best = smaller;
        chunk = chunk.min(best.deviations() as usize);
    }
    best
}

/// One pass from the last chunk to the first: each goes if the run still fails without it. What has to stay may be free
/// to go after another has gone; as long as chunks are few, the pass begins again then.
fn without_chunks(shrinker: &mut Shrinker<'_>, mut best: Tape, chunk: usize) -> Tape {
    let mut end = best.deviations() as usize;
    while end > 0 {
        let start = end.saturating_sub(chunk);
        if let Some(smaller) = smaller(shrinker, &best.without(start, end - start), &best) {
            best = smaller;
            if best.deviations() as usize <= chunk * FEW_CHUNKS {
                end = best.deviations() as usize;
                continue;
            }
        }
        end = start.min(best.deviations() as usize);
    }
    best
}

/// The recorded tape of a candidate that fails with fewer deviations than the best so far.
pub(super) fn smaller(shrinker: &mut Shrinker<'_>, candidate: &Tape, best: &Tape) -> Option<Tape> {
    shrinker.attempt(candidate).filter(|recorded| recorded.deviations() < best.deviations())
}

/// Lowers each value to the least that still fails, as far as failing is a matter of size.
pub(super) fn lower(shrinker: &mut Shrinker<'_>, mut best: Tape) -> Tape {
    let mut index = 0;
    while index < best.choice.len() {
        best = lower_one(shrinker, best, index);
        index += 1;
    }
    best
}

/// The least landmark that fails, and then halves of the way down to the greatest that does not.
fn lower_one(shrinker: &mut Shrinker<'_>, mut best: Tape, index: usize) -> Tape {
    let value = best.choice[index].option;
    let mut passing = 0;
    let landmarks = landmarks(value.saturating_add(1));
    for option in landmarks.into_iter().filter(|option| (1..value).contains(option)) {
        match with_value(shrinker, &best, index, option) {
            Some(lowered) => {
                best = lowered;
                break;
            }
            None => passing = option,
        }
    }
    while let Some(failing) = best.choice.get(index).map(|deviation| deviation.option)
        && failing.saturating_sub(passing) > 1
    {
        let middle = passing + (failing - passing) / 2;
        match with_value(shrinker, &best, index, middle) {
            Some(lowered) => best = lowered,
            None => passing = middle,
        }
    }
    best
}

/// The recorded tape with this value there, if it still fails, deviates no oftener and is lower.
fn with_value(shrinker: &mut Shrinker<'_>, best: &Tape, index: usize, option: u64) -> Option<Tape> {
    let mut candidate = best.clone();
    candidate.choice[index].option = option;
    let recorded = shrinker.attempt(&candidate)?;
    let fewer = recorded.deviations() < best.deviations();
    let lower = recorded.choice.get(index).is_some_and(|deviation| deviation.option <= option);
    (fewer || (lower && recorded.deviations() == best.deviations())).then_some(recorded)
}
