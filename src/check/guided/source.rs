//! The source of a guided run: it answers from recorded answers as long as they last, then from a seed, and notes every
//! answer and what the run got to.
//!
//! An answer is played where its site asks: what the run does not ask any more is skipped. A fault is played only where
//! a rule of the plan allows it, in its window and within its budget, as with a seed.

use super::{ANSWERS_MAX, Answer, Feature, Recipe, SCHEDULE};
use crate::choice::{Access, Ask, Names, Notice, Reached, Ready, Source, Weights, fold, hash_bytes};
use crate::strategy::seed::SeedSource;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Recorded answers, shared by the runs that play them.
pub(in crate::check) type Answers = Arc<[Answer]>;

/// Recorded answers that are skipped at a time, at most, to find one of the site that asks.
const SKIPPED_MAX: usize = 16;
/// Features that one run notes, at most.
const NOTED_MAX: usize = 8_192;

/// What was noted of a run.
#[derive(Debug, Default)]
pub(in crate::check) struct Notes {
    /// Its answers, from the first on.
    pub(super) answers: Vec<Answer>,
    /// What it got to, and how many answers had been given by then.
    pub(super) reached: BTreeMap<Feature, u32>,
    asked: u32,
    /// An access whose scheduling point is still to come.
    access: Option<(u32, u64)>,
    /// The last scheduling point: whose, and which.
    last: Option<(u32, u64)>,
}

impl Notes {
    fn answer(&mut self, site: u64, value: u64) {
        self.asked = self.asked.saturating_add(1);
        if self.answers.len() < ANSWERS_MAX {
            self.answers.push(Answer { site, value });
        }
    }

    fn reach(&mut self, feature: Feature) {
        if self.reached.len() < NOTED_MAX {
            self.reached.entry(feature).or_insert(self.asked);
        }
    }

    /// A task is at a scheduling point.
    fn visit(&mut self, task: u32, site: u64) {
        if let Some((other, before)) = self.last
            && other != task
        {
            self.reach(Feature::Pair(fold(before, site)));
        }
        self.last = Some((task, site));
    }
}

/// What stands in the recipe for a question.
enum Played {
    /// Nothing: the seed answers.
    Nothing,
    /// This answer.
    Recorded(u64),
    /// Another answer, by this draw.
    Changed(u64),
}

/// See the module.
pub(in crate::check) struct GuidedSource {
    recipe: Recipe,
    /// How many recorded answers were played or skipped.
    at: usize,
    rest: SeedSource,
    notes: Notes,
}

impl GuidedSource {
    /// Follows the recipe; `rest` answers from its seed.
    pub(in crate::check) fn new(recipe: Recipe, rest: SeedSource) -> GuidedSource {
        GuidedSource { recipe, at: 0, rest, notes: Notes::default() }
    }

    /// What was noted.
    pub(in crate::check) fn into_notes(self) -> Notes {
        self.notes
    }

    fn played(&mut self, site: u64) -> Played {
        let left = &self.recipe.answers[self.at..self.recipe.length];
        let Some(skipped) = left.iter().take(SKIPPED_MAX).position(|answer| answer.site == site) else {
            return Played::Nothing;
        };
        let index = self.at + skipped;
        self.at = index + 1;
        match self.recipe.change {
            Some((changed, draw)) if changed == index => Played::Changed(draw),
            Some(_) | None => Played::Recorded(self.recipe.answers[index].value),
        }
    }

    /// The recorded option, or the one that is drawn; 0 where the site or the plan has no such option now.
    fn option(&mut self, ask: &Ask<'_>, wanted: u64) -> u64 {
        let fault = matches!(ask.weights, Weights::Fault(_));
        let allowed = wanted != 0 && ask.exists(wanted) && (!fault || self.rest.claim(ask, wanted));
        if allowed { wanted } else { 0 }
    }

    fn answer(&mut self, ask: &Ask<'_>, fresh: impl FnOnce(&mut SeedSource) -> u64) -> u64 {
        let site = ask.label.hash();
        let value = match self.played(site) {
            Played::Nothing => fresh(&mut self.rest),
            Played::Recorded(value) => self.option(ask, value),
            Played::Changed(draw) => self.option(ask, drawn(ask, draw)),
        };
        self.notes.answer(site, value);
        value
    }
}

/// An option of the site, each as likely as any other.
fn drawn(ask: &Ask<'_>, draw: u64) -> u64 {
    match ask.weights {
        Weights::Fault(_) => {
            let options = ask.landmarks();
            options.get(share(draw, options.len() as u64) as usize).copied().unwrap_or(0)
        }
        Weights::Uniform | Weights::Rare { .. } if ask.arity == u64::MAX => draw,
        Weights::Uniform | Weights::Rare { .. } => share(draw, ask.arity),
    }
}

/// A number below `bound`, by multiply-shift.
fn share(draw: u64, bound: u64) -> u64 {
    ((u128::from(draw) * u128::from(bound)) >> 64) as u64
}

fn at_rank(ready: &Ready, rank: u64) -> usize {
    match rank {
        0 => ready.oldest(),
        rank => ready.nth_oldest(rank.min(ready.len() as u64 - 1) as usize),
    }
}

impl Source for GuidedSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        self.answer(ask, |rest| rest.choose(ask))
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        let index = match self.played(SCHEDULE) {
            Played::Nothing => self.rest.pick(ready, names),
            Played::Recorded(rank) => at_rank(ready, rank),
            Played::Changed(draw) => at_rank(ready, share(draw, ready.len() as u64)),
        };
        self.notes.answer(SCHEDULE, ready.rank(index) as u64);
        index
    }

    fn yields(&mut self, ask: &Ask<'_>, task: u32, ready: &Ready) -> u64 {
        let access = self.notes.access.take().filter(|(who, _)| *who == task);
        self.notes.visit(task, fold(ask.label.hash(), access.map_or(0, |(_, object)| object)));
        self.answer(ask, |rest| rest.yields(ask, task, ready))
    }

    fn listens(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        if let Notice::Access { task, object, access } = notice {
            if let Some((task, object)) = self.notes.access.take() {
                self.notes.visit(task, object);
            }
            self.notes.access = Some((task, object ^ u64::from(access == Access::Read)));
        }
        self.rest.notice(notice);
    }

    fn follows_coverage(&self) -> bool {
        true
    }

    fn reached(&mut self, what: Reached) {
        self.notes.reach(match what {
            Reached::State(state) => Feature::State(state),
            Reached::Property(name) => Feature::Property(hash_bytes(name.as_bytes())),
        });
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Label;
    use crate::choice::fault::{FaultKind, FaultPlan, FaultRule};
    use crate::strategy::{Calibration, StrategyKind};

    const COIN: Label = Label::new("coin");
    const DISK: Label = Label::new("disk");

    fn ask(label: Label, weights: Weights) -> Ask<'static> {
        Ask { label, object: "", arity: 8, weights, host: "", task: "", occurrence: 0, now: 0 }
    }

    fn source(recipe: Recipe, plan: FaultPlan) -> GuidedSource {
        let rest = SeedSource::new(recipe.seed, StrategyKind::OldestFirst, &Calibration::default(), plan);
        GuidedSource::new(recipe, rest)
    }

    fn recipe(answers: &[(Label, u64)], change: Option<(usize, u64)>) -> Recipe {
        let answers: Vec<Answer> =
            answers.iter().map(|(label, value)| Answer { site: label.hash(), value: *value }).collect();
        Recipe { number: 0, seed: 1, length: answers.len(), answers: answers.into(), change }
    }

    #[test]
    fn answers_are_played_where_their_site_asks_and_one_is_changed() {
        // Of 8 options the draw 2^63 is the 4th from 0.
        let recipe = recipe(&[(COIN, 7), (DISK, 1), (COIN, 5), (COIN, 6)], Some((3, 1 << 63)));
        let mut source = source(recipe, FaultPlan::none());
        let coins: Vec<u64> = (0..3).map(|_| source.choose(&ask(COIN, Weights::Uniform))).collect();
        assert_eq!(coins, [7, 5, 4], "the disk was not asked, and is skipped");
    }

    #[test]
    fn a_fault_is_played_only_within_the_budget_of_its_rule() {
        let rule = FaultRule { budget: Some(1), ..FaultRule::new("disk", FaultKind::Error, 0.0) };
        let recipe = recipe(&[(DISK, 1), (DISK, 2), (DISK, 1)], None);
        let mut source = source(recipe, FaultPlan::none().with(rule));
        let mask = Weights::Fault(0b0000_0111);
        let faults: Vec<u64> = (0..3).map(|_| source.choose(&ask(DISK, mask))).collect();
        assert_eq!(faults, [1, 0, 0], "no rule hangs, and the one error is spent");
    }

    #[test]
    fn without_recorded_answers_it_is_the_seed() {
        let mut alone =
            SeedSource::new(9, StrategyKind::OldestFirst, &Calibration::default(), FaultPlan::none());
        let mut guided = source(Recipe::fresh(3, 9), FaultPlan::none());
        for _ in 0..20 {
            let ask = ask(COIN, Weights::Uniform);
            assert_eq!(alone.choose(&ask), guided.choose(&ask));
        }
        assert_eq!(guided.into_notes().answers.len(), 20);
    }
}
