//! Cuts out what only carries a fault to its place. A fault is known by how many questions its site was asked before; a
//! latency that makes a timer more moves it, so that no latency can go while the fault stays where it counts from the
//! start. So some of the deviations go together, and one of the rare ones is tried at each other place of its site.

use super::replaying::{Replaying, Sort, play};
use super::{Shrinker, canonical};
use crate::choice::enumerate::Step;
use crate::choice::hash_bytes;
use crate::choice::tape::Tape;
use std::collections::BTreeSet;

/// Deviations that are few enough.
const ENOUGH: u64 = 4;
/// A site with more deviations than this has none that is aimed.
const RARE: usize = 2;
/// Deviations that are aimed, each in turn, at most.
const AIMED_MAX: usize = 3;
/// Runs that aiming may take.
const RUNS_MAX: u64 = 6_000;
/// Polls that it may take.
const STEPS_MAX: u64 = 800_000;

/// The tape with fewer deviations, as far as aiming makes it so.
pub(super) fn aim(shrinker: &mut Shrinker<'_>, mut best: Tape) -> Tape {
    let limit = shrinker.runs + shrinker.part(RUNS_MAX);
    shrinker.steps = 0;
    let mut chunk = best.deviations() as usize / 2;
    let yields = canonical::yields(shrinker, &best);
    while best.deviations() > ENOUGH && chunk > 0 && allows(shrinker, limit) {
        match carried(shrinker, &best, &yields, chunk, limit) {
            Some(smaller) => best = super::elements::reduce(shrinker, smaller, 1),
            None => chunk /= 2,
        }
        chunk = chunk.min(best.deviations() as usize / 2);
    }
    best
}

fn allows(shrinker: &Shrinker<'_>, limit: u64) -> bool {
    shrinker.runs < limit && shrinker.steps < shrinker.part(STEPS_MAX)
}

/// The tape without a chunk and with one deviation elsewhere, if it fails in the same way.
fn carried(
    shrinker: &mut Shrinker<'_>,
    best: &Tape,
    yields: &BTreeSet<String>,
    chunk: usize,
    limit: u64,
) -> Option<Tape> {
    let count = best.deviations() as usize;
    (0..count).step_by(chunk).rev().find_map(|start| {
        let rest = best.without(start, chunk);
        rare(&rest, yields).into_iter().find_map(|index| aimed(shrinker, best, &rest, index, limit))
    })
}

/// Choices of a tape, by their index there, whose site deviates seldom and is no scheduling point.
fn rare(tape: &Tape, yields: &BTreeSet<String>) -> Vec<usize> {
    let of_site = |site: &str| tape.choice.iter().filter(|other| other.site == site).count();
    let choices = tape.choice.iter().enumerate();
    choices
        .filter(|(_, choice)| !yields.contains(&choice.site) && of_site(&choice.site) <= RARE)
        .map(|(index, _)| index)
        .take(AIMED_MAX)
        .collect()
}

/// The tape `rest` with its choice `index` at another place of its site.
fn aimed(shrinker: &mut Shrinker<'_>, best: &Tape, rest: &Tape, index: usize, limit: u64) -> Option<Tape> {
    if !allows(shrinker, limit) {
        return None;
    }
    let overtakings = rest.deviations() as usize - rest.choice.len();
    let sort = Sort::Site(hash_bytes(rest.choice[index].site.as_bytes()));
    let option = rest.choice[index].option;
    let others = rest.without(overtakings + index, 1);
    let places = play(shrinker, Replaying::new(&others, None)).1.open;
    let places = places.into_iter().filter(|(step, of)| *of == sort && step.option == option);
    places
        .map(|(step, _)| step)
        .find_map(|step| if allows(shrinker, limit) { recorded(shrinker, best, &others, step) } else { None })
}

/// The recorded tape of these deviations, if it fails in the same way and has fewer than the best so far.
fn recorded(shrinker: &mut Shrinker<'_>, best: &Tape, others: &Tape, step: Step) -> Option<Tape> {
    let source = || Replaying::new(others, Some(step));
    let (fails, played) = play(shrinker, source());
    if !fails || played.deviations() >= best.deviations() {
        return None;
    }
    shrinker.attempt_source(Box::new(source()))
}
