//! Deviations by the clock: each answer of the failing run is given at the first question of its kind from its virtual
//! time on, however many came before.
//!
//! A tape counts questions, which an edit of the program leaves alone; but a latency or a retry that is cut out moves all
//! that is counted after it. By the clock what does not matter can go, as what matters stays where it was.

use super::Shrinker;
use crate::choice::tape::{Tape, TapeSource};
use crate::choice::{Ask, Names, Ready, Source};
use crate::sim::Run;
use crate::trace::Kind;

/// Runs that this may take.
const RUNS_MAX: u64 = 2_000;
/// Polls that it may take.
const STEPS_MAX: u64 = 1_000_000;

/// An answer that is no pick.
#[derive(Clone, Debug)]
struct Answer {
    at: u64,
    site: &'static str,
    owner: String,
    option: u64,
    sort: Sort,
}

/// What an answer is, the weightier first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Fault,
    Draw,
    Yield,
}

/// A lesser tape, if answers of the failing run by the clock fail in the same way without any of its picks: of as few
/// sorts as do.
pub(super) fn shrink(shrinker: &mut Shrinker<'_>, failing: &Run) -> Option<Tape> {
    let all = read(failing);
    let of_sorts = |least| all.iter().filter(|answer| answer.sort <= least).cloned().collect();
    let mut tries: Vec<Vec<Answer>> = [Sort::Fault, Sort::Draw, Sort::Yield].map(of_sorts).into();
    // Without answers it is the baseline, which does not fail.
    tries.dedup_by_key(|answers| answers.len());
    tries.retain(|answers| !answers.is_empty());
    tries.into_iter().find_map(|answers| lesser(shrinker, failing, answers, &Tape::default()))
}

/// As [`shrink`], with all picks of the failing run.
pub(super) fn shrink_with_picks(shrinker: &mut Shrinker<'_>, failing: &Run) -> Option<Tape> {
    let answers = read(failing);
    if answers.is_empty() || failing.tape.schedule.is_empty() {
        return None;
    }
    let picks = Tape { schedule: failing.tape.schedule.clone(), choice: Vec::new() };
    lesser(shrinker, failing, answers, &picks)
}

/// The tape of as few of the answers as fail, with these picks, if all do and it is less than the failing run's.
fn lesser(shrinker: &mut Shrinker<'_>, failing: &Run, answers: Vec<Answer>, picks: &Tape) -> Option<Tape> {
    let limit = shrinker.runs + shrinker.part(RUNS_MAX);
    shrinker.steps = 0;
    let mut clocked = Clocked { answers, picks: TapeSource::new(picks) };
    let tape = attempt(shrinker, &clocked)?;
    let tape = reduce(shrinker, &mut clocked, tape, limit);
    Some(tape).filter(|tape| tape.deviations() < failing.tape.deviations())
}

fn read(failing: &Run) -> Vec<Answer> {
    let events = failing.trace.events.iter();
    let answers = events.filter_map(|event| match &event.kind {
        Kind::Choice { site, owner, option, yields, meaning, .. } => {
            let sort = match (meaning, yields) {
                (Some(_), _) => Sort::Fault,
                (None, false) => Sort::Draw,
                (None, true) => Sort::Yield,
            };
            Some(Answer { at: event.at, site, owner: owner.clone(), option: *option, sort })
        }
        _ => None,
    });
    answers.collect()
}

/// Delta debugging: ever smaller chunks of the answers go, for as long as the rest fails.
fn reduce(shrinker: &mut Shrinker<'_>, clocked: &mut Clocked, mut tape: Tape, limit: u64) -> Tape {
    let mut chunk = clocked.answers.len().div_ceil(2);
    while chunk > 0 {
        let before = clocked.answers.len();
        let mut end = before;
        while end > 0 {
            if shrinker.runs >= limit || shrinker.steps >= shrinker.part(STEPS_MAX) {
                return tape;
            }
            let start = end.saturating_sub(chunk);
            let answers = [&clocked.answers[..start], &clocked.answers[end..]].concat();
            let rest = Clocked { answers, picks: clocked.picks.clone() };
            if let Some(smaller) = attempt(shrinker, &rest) {
                (*clocked, tape) = (rest, smaller);
            }
            end = start;
        }
        if clocked.answers.len() == before {
            chunk /= 2;
        }
        chunk = chunk.min(clocked.answers.len().div_ceil(2));
    }
    tape
}

fn attempt(shrinker: &mut Shrinker<'_>, clocked: &Clocked) -> Option<Tape> {
    shrinker.attempt_source(Box::new(clocked.clone()))
}

/// Answers that are due, each once, and picks of a tape; else the baseline.
#[derive(Clone)]
struct Clocked {
    answers: Vec<Answer>,
    picks: TapeSource,
}

impl Source for Clocked {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let due = |answer: &Answer| {
            answer.at <= ask.now && answer.site == ask.label.name() && ask.is_owner(&answer.owner)
        };
        let Some(index) = self.answers.iter().position(due) else { return 0 };
        let option = self.answers.remove(index).option;
        if ask.exists(option) { option } else { 0 }
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        self.picks.pick(ready, names)
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
