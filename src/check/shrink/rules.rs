//! Rules: single causes read off a failing run, each tried alone and in pairs from the baseline.
//!
//! A random schedule deviates almost everywhere, and delta debugging of its tape gets stuck; the cause is mostly one
//! turn that came early or late, and one fault.

use super::Shrinker;
use crate::choice::tape::{Deviation, Tape};
use crate::choice::{Ask, Names, Ready, Source};
use crate::sim::Run;
use crate::trace::Kind;

/// Runs that the search for pairs may take.
const PAIRS_MAX: u64 = 2_000;
/// Polls that the runs of single rules may take, and those of pairs.
const STEPS_MAX: u64 = 600_000;
/// Rules of one failing run that are tried.
const RULES_MAX: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// This answer, nothing else.
    Answer(Deviation),
    /// This turn comes as soon as the task is ready.
    Early { task: String, turn: u32 },
    /// This turn comes when nothing else is ready.
    Late { task: String, turn: u32 },
}

/// The least tape that rules of the failing run lead to, if any of them fails and it is less than the run's own.
pub(super) fn shrink(shrinker: &mut Shrinker<'_>, failing: &Run) -> Option<Tape> {
    let rules = read(failing);
    let single = least(shrinker, rules.iter().map(|rule| vec![rule.clone()]));
    let found = single.or_else(|| {
        shrinker.steps = 0;
        let mut pairs = pairs(&rules).take(shrinker.part(PAIRS_MAX) as usize);
        pairs.find_map(|pair| {
            let allowed = shrinker.steps < shrinker.part(STEPS_MAX);
            allowed.then(|| shrinker.attempt_source(Box::new(RuleSource::new(pair)))).flatten()
        })
    });
    found.filter(|tape| tape.deviations() < failing.tape.deviations())
}

fn least(shrinker: &mut Shrinker<'_>, candidates: impl Iterator<Item = Vec<Rule>>) -> Option<Tape> {
    let mut best: Option<Tape> = None;
    shrinker.steps = 0;
    for rules in candidates {
        if shrinker.steps >= shrinker.part(STEPS_MAX) {
            break;
        }
        let found = shrinker.attempt_source(Box::new(RuleSource::new(rules)));
        if let Some(tape) = found
            && best.as_ref().is_none_or(|best| tape.deviations() < best.deviations())
        {
            let least = tape.deviations() <= 1;
            best = Some(tape);
            if least {
                break;
            }
        }
    }
    best
}

/// The rules that a failing run suggests: its answers, then the turns that came early, then those that came late.
fn read(failing: &Run) -> Vec<Rule> {
    let mut rules: Vec<Rule> = failing.tape.choice.iter().cloned().map(Rule::Answer).collect();
    for event in &failing.trace.events {
        if let (Kind::Turn { turn, instead_of: Some(_), .. }, Some(task)) = (&event.kind, &event.task) {
            rules.push(Rule::Early { task: task.to_string(), turn: *turn });
        }
    }
    let late = failing.tape.schedule.iter();
    rules.extend(late.map(|entry| Rule::Late { task: entry.task.clone(), turn: entry.turn }));
    rules.truncate(RULES_MAX);
    rules
}

fn pairs(rules: &[Rule]) -> impl Iterator<Item = Vec<Rule>> {
    rules.iter().enumerate().flat_map(move |(index, first)| {
        rules.iter().skip(index + 1).map(move |second| vec![first.clone(), second.clone()])
    })
}

/// The baseline, but for a few rules.
struct RuleSource {
    rules: Vec<Rule>,
}

impl RuleSource {
    fn new(rules: Vec<Rule>) -> RuleSource {
        RuleSource { rules }
    }

    fn is_early(&self, path: &str, next: u32) -> bool {
        self.rules
            .iter()
            .any(|rule| matches!(rule, Rule::Early { task, turn } if *turn == next && task == path))
    }

    fn is_late(&self, path: &str, next: u32) -> bool {
        self.rules
            .iter()
            .any(|rule| matches!(rule, Rule::Late { task, turn } if *turn == next && task == path))
    }
}

impl Source for RuleSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let asked = |deviation: &Deviation| {
            deviation.occurrence == ask.occurrence
                && deviation.site == ask.label.name()
                && ask.is_owner(&deviation.owner)
        };
        let answer = self.rules.iter().find_map(|rule| match rule {
            Rule::Answer(deviation) if asked(deviation) => Some(deviation.option),
            Rule::Answer(_) | Rule::Early { .. } | Rule::Late { .. } => None,
        });
        answer.filter(|&option| ask.exists(option)).unwrap_or(0)
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        let names = names.expect("a run that is shrunk keeps names");
        let key = |index: usize| {
            let slot = ready.entries()[index].slot;
            (names.path(slot), names.next_turn(slot))
        };
        let indices = 0..ready.len();
        if let Some(early) = indices.clone().find(|&index| self.is_early(key(index).0, key(index).1)) {
            return early;
        }
        let timely = indices.filter(|&index| !self.is_late(key(index).0, key(index).1));
        timely.min_by_key(|&index| ready.entries()[index].seq).unwrap_or_else(|| ready.oldest())
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
