//! Moves deviations to where they first matter: each in turn is taken out and put back at the earliest place at which
//! the run fails in the same way. For tapes of more deviations than an enumeration goes up to.

use super::Shrinker;
use crate::choice::enumerate::Step;
use crate::choice::tape::{Tape, TapeSource};
use crate::choice::{Ask, Names, Ready, Source, landmarks};
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

/// Runs a source; whether the run fails in the same way, and what the source noted.
pub(super) fn play(shrinker: &mut Shrinker<'_>, source: Replaying) -> (bool, Replaying) {
    shrinker.runs += 1;
    let (run, source) = shrinker.check.run_with(source, shrinker.program);
    shrinker.steps += run.steps;
    (shrinker.fails(&run), source)
}

/// What a choice is about: the schedule, which yields belong to, or a site by the hash of its label.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Schedule,
    Site(u64),
}

/// Plays a tape and deviates at one position more; notes where it deviated and where it could have.
pub(super) struct Replaying {
    tape: TapeSource,
    more: Option<Step>,
    position: u64,
    taken: Vec<Step>,
    sorts: Vec<Sort>,
    /// Where it could have deviated further, and how.
    pub(super) open: Vec<(Step, Sort)>,
}

impl Replaying {
    pub(super) fn new(tape: &Tape, more: Option<Step>) -> Replaying {
        let tape = TapeSource::new(tape);
        Replaying { tape, more, position: 0, taken: Vec::new(), sorts: Vec::new(), open: Vec::new() }
    }

    /// How often it deviated.
    pub(super) fn deviations(&self) -> u64 {
        self.taken.len() as u64
    }

    /// What the deviation at this position is about.
    fn sort_at(&self, position: u64) -> Option<Sort> {
        let index = self.taken.iter().position(|step| step.position == position)?;
        Some(self.sorts[index])
    }

    /// The answer at the next position, given the tape's.
    fn answer(&mut self, from_tape: u64, sort: Sort, options: impl FnOnce() -> Vec<u64>) -> u64 {
        let position = self.position;
        self.position += 1;
        let more = self.more.filter(|step| step.position == position);
        let option = more.map_or(from_tape, |step| step.option);
        if option > 0 {
            self.taken.push(Step { position, option });
            self.sorts.push(sort);
        } else if self.more.is_none() {
            let options = options().into_iter().filter(|&option| option > 0);
            self.open.extend(options.map(|option| (Step { position, option }, sort)));
        }
        option
    }
}

impl Source for Replaying {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let from_tape = self.tape.choose(ask);
        let sort = if ask.is_yield() { Sort::Schedule } else { Sort::Site(ask.label.hash()) };
        self.answer(from_tape, sort, || ask.landmarks())
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        let from_tape = self.tape.pick(ready, names);
        let arity = ready.len() as u64;
        let rank = self.answer(ready.rank(from_tape) as u64, Sort::Schedule, || landmarks(arity));
        ready.nth_oldest(rank.min(arity - 1) as usize)
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
