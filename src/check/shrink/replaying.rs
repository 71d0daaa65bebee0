//! Plays a tape, with one deviation more if wanted, and notes the places: for passes that put deviations elsewhere. It
//! decides nothing about them.

use super::Shrinker;
use crate::choice::enumerate::Step;
use crate::choice::tape::{Tape, TapeSource};
use crate::choice::{Ask, Names, Ready, Source, landmarks};

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
    /// Where it deviated, and how.
    pub(super) taken: Vec<Step>,
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
    pub(super) fn sort_at(&self, position: u64) -> Option<Sort> {
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
