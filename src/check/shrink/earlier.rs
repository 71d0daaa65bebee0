//! Moves deviations to where they first matter: each in turn is taken out and put back at the earliest place at which
//! the run fails in the same way. For tapes of more deviations than an enumeration goes up to.

use super::Shrinker;
use super::replaying::{Replaying, play};
use crate::choice::enumerate::Step;
use crate::choice::tape::Tape;
use crate::sim::Keep;

/// Runs that moving the deviations of one tape may take.
const RUNS_MAX: u64 = 4_000;
/// Polls that it may take.
const STEPS_MAX: u64 = 1_000_000;

/// A tape and the positions at which its run deviates.
struct Placed {
    tape: Tape,
    taken: Vec<Step>,
}

/// The tape after each deviation was moved to the earliest place of its sort, again until none moves.
pub(super) fn earlier(shrinker: &mut Shrinker<'_>, tape: Tape) -> Tape {
    let limit = shrinker.runs + shrinker.part(RUNS_MAX);
    shrinker.steps = 0;
    let taken = play(shrinker, Replaying::new(&tape, None)).1.taken;
    let mut best = Placed { tape, taken };
    while shrinker.runs < limit && shrinker.steps < shrinker.part(STEPS_MAX) {
        let Some(next) = swapped(shrinker, &best).or_else(|| one_moved(shrinker, &best, limit)) else {
            break;
        };
        best = next;
    }
    best.tape
}

/// The tape with two neighbours that overtake one turn the other way round, if that is earlier.
fn swapped(shrinker: &mut Shrinker<'_>, best: &Placed) -> Option<Placed> {
    let entries = best.tape.schedule.iter().enumerate();
    let mut pairs = entries.flat_map(|(entry, overtaken)| (1..overtaken.by.len()).map(move |by| (entry, by)));
    pairs.find_map(|(entry, by)| {
        let mut tape = best.tape.clone();
        tape.schedule[entry].by.swap(by - 1, by);
        accepted(shrinker, best, &tape, None)
    })
}

fn one_moved(shrinker: &mut Shrinker<'_>, best: &Placed, limit: u64) -> Option<Placed> {
    (0..best.tape.deviations() as usize).rev().find_map(|index| moved(shrinker, best, index, limit))
}

/// The recorded run of a tape and one deviation more, if it fails in the same way and deviates earlier.
fn accepted(shrinker: &mut Shrinker<'_>, best: &Placed, tape: &Tape, more: Option<Step>) -> Option<Placed> {
    let (fails, played) = play(shrinker, Replaying::new(tape, more));
    if !fails || (played.taken.len(), &played.taken) >= (best.taken.len(), &best.taken) {
        return None;
    }
    let source = Box::new(Replaying::new(tape, more));
    let tape = shrinker.check.record_source(source, Keep::Tape, shrinker.program).tape;
    Some(Placed { tape, taken: played.taken })
}

/// The tape with its `index`-th deviation at an earlier place, if there is one.
fn moved(shrinker: &mut Shrinker<'_>, best: &Placed, index: usize, limit: u64) -> Option<Placed> {
    let rest = best.tape.without(index, 1);
    let asked = play(shrinker, Replaying::new(&rest, None)).1;
    let same = asked.taken.iter().zip(&best.taken).take_while(|(a, b)| a == b).count();
    let bound = *best.taken.get(same)?;
    let sort = play(shrinker, Replaying::new(&best.tape, None)).1.sort_at(bound.position)?;
    let mut earlier = asked.open.into_iter().filter(|(step, of)| *step < bound && *of == sort);
    earlier.find_map(|(step, _)| {
        let allowed = shrinker.runs < limit && shrinker.steps < shrinker.part(STEPS_MAX);
        allowed.then(|| accepted(shrinker, best, &rest, Some(step))).flatten()
    })
}
