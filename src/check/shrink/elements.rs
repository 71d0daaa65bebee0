//! Delta debugging over the single deviations of a tape, and lowering of their values.

use super::Shrinker;
use crate::choice::landmarks;
use crate::choice::tape::Tape;

/// Removes ever smaller chunks for as long as the run still fails.
pub(super) fn reduce(shrinker: &mut Shrinker<'_>, mut best: Tape) -> Tape {
    let mut chunk = (best.deviations() as usize).div_ceil(2);
    while chunk > 0 {
        match without_some_chunk(shrinker, &best, chunk) {
            Some(smaller) => best = smaller,
            None if chunk == 1 => break,
            None => chunk = chunk.div_ceil(2),
        }
        chunk = chunk.min(best.deviations() as usize);
    }
    best
}

/// The first removal of a chunk after which the run still fails, from the last chunk to the first.
fn without_some_chunk(shrinker: &mut Shrinker<'_>, best: &Tape, chunk: usize) -> Option<Tape> {
    let starts = (0..best.deviations() as usize).step_by(chunk.max(1)).rev();
    starts.into_iter().find_map(|start| smaller(shrinker, &best.without(start, chunk), best))
}

/// The recorded tape of a candidate that fails with fewer deviations than the best so far.
pub(super) fn smaller(shrinker: &mut Shrinker<'_>, candidate: &Tape, best: &Tape) -> Option<Tape> {
    shrinker.attempt(candidate).filter(|recorded| recorded.deviations() < best.deviations())
}

/// Removes single deviations until none can go.
pub(super) fn minimize(shrinker: &mut Shrinker<'_>, mut best: Tape) -> Tape {
    while let Some(smaller) = without_some_chunk(shrinker, &best, 1) {
        best = smaller;
    }
    best
}

/// Lowers each value to the least that still fails.
pub(super) fn lower(shrinker: &mut Shrinker<'_>, mut best: Tape) -> Tape {
    for index in 0..best.choice.len() {
        let Some(value) = best.choice.get(index).map(|deviation| deviation.option) else {
            break;
        };
        let lower =
            landmarks(value.saturating_add(1)).into_iter().filter(|option| (1..value).contains(option));
        for option in lower {
            let mut candidate = best.clone();
            candidate.choice[index].option = option;
            let recorded = shrinker.attempt(&candidate).filter(|tape| tape.deviations() <= best.deviations());
            if let Some(recorded) = recorded {
                best = recorded;
                break;
            }
        }
    }
    best
}
