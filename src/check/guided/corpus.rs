//! The corpus: runs that got somewhere new, and what the next run is made of.
//!
//! An entry is chosen the more often the fewer runs got where it was the first: with the inverse square of their number,
//! so that a search climbs, and leaves a place that leads nowhere once it was tried often.

use super::{
    ANSWERS_IN_ALL_MAX, Answer, Answers, ENTRIES_MAX, FEATURES_MAX, Feature, Guidance, Notes, Recipe,
};
use crate::strategy::Stream;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of what an entry was the first to reach, so much is remembered.
const NEWS_MAX: usize = 16;
/// Of so many places around one of interest a run is cut off at one, where it is not right there.
const AROUND: u64 = 16;
/// So many of them are behind it.
const AFTER: u64 = 3;

/// A kept run.
#[derive(Debug)]
struct Entry {
    answers: Answers,
    /// What it was the first to reach, and after how many answers.
    news: Vec<(Feature, u32)>,
}

/// The kept runs, and how many runs got where.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    entries: Vec<Entry>,
    hits: BTreeMap<Feature, u64>,
    /// Answers of all entries.
    answers: usize,
}

/// The entries, and how likely each is: a batch is drawn from one of these.
pub(super) struct Lots<'a> {
    entries: &'a [Entry],
    hits: &'a BTreeMap<Feature, u64>,
    /// The sum of the weights up to and with each entry.
    sums: Vec<u64>,
}

impl Corpus {
    /// Counts what a run got to, and keeps it if some of that is new.
    pub(super) fn add(&mut self, notes: Notes) {
        let mut news = Vec::new();
        for (feature, place) in notes.reached {
            if let Some(hits) = self.hits.get_mut(&feature) {
                *hits += 1;
            } else if self.hits.len() < FEATURES_MAX {
                self.hits.insert(feature, 1);
                news.push((feature, place));
            }
        }
        if news.is_empty() {
            return;
        }
        let news = spread(news);
        self.answers += notes.answers.len();
        self.entries.push(Entry { answers: notes.answers.into(), news });
        while self.entries.len() > ENTRIES_MAX || self.answers > ANSWERS_IN_ALL_MAX {
            self.forget();
        }
    }

    /// Drops the entry that is least likely to be chosen; of equals the oldest.
    fn forget(&mut self) {
        let weights = self.entries.iter().map(|entry| weight(entry, &self.hits));
        let least = weights.enumerate().min_by_key(|(index, weight)| (*weight, *index));
        if let Some((index, _)) = least {
            let gone = self.entries.remove(index);
            self.answers -= gone.answers.len();
        }
    }

    /// What the next batch is drawn from.
    pub(super) fn lots(&self) -> Lots<'_> {
        let weights = self.entries.iter().map(|entry| weight(entry, &self.hits));
        let sums = weights.scan(0u64, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Lots { entries: &self.entries, hits: &self.hits, sums: sums.collect() }
    }

    /// What is known by now.
    pub(super) fn guidance(&self) -> Guidance {
        let count = |is: fn(&Feature) -> bool| self.hits.keys().filter(|feature| is(feature)).count() as u64;
        Guidance {
            states: count(|feature| matches!(feature, Feature::State(_))),
            pairs: count(|feature| matches!(feature, Feature::Pair(_))),
            properties: count(|feature| matches!(feature, Feature::Property(_))),
            entries: self.entries.len() as u64,
        }
    }
}

/// As much as is remembered, in order of place: states and properties, which say more than pairs, if there are any; of
/// too many those at even distances, the first and the last included.
fn spread(mut news: Vec<(Feature, u32)>) -> Vec<(Feature, u32)> {
    let is_pair = |(feature, _): &(Feature, u32)| matches!(feature, Feature::Pair(_));
    if !news.iter().all(is_pair) {
        news.retain(|reached| !is_pair(reached));
    }
    news.sort_by_key(|(feature, place)| (*place, *feature));
    match news.len() {
        many if many > NEWS_MAX => (0..NEWS_MAX).map(|nth| news[nth * (many - 1) / (NEWS_MAX - 1)]).collect(),
        _ => news,
    }
}

/// How likely an entry is to be chosen: by the rarest of what it was the first to reach.
fn weight(entry: &Entry, hits: &BTreeMap<Feature, u64>) -> u64 {
    let rarest = entry.news.iter().filter_map(|(feature, _)| hits.get(feature)).min();
    let rarest = rarest.copied().unwrap_or(u64::MAX).min(1 << 16);
    ((1u64 << 40) / (rarest * rarest)).max(1)
}

impl Lots<'_> {
    /// What a run is made of: a function of the entries, the number and the seed. One run in eight begins anew.
    pub(super) fn recipe(&self, number: u64, seed: u64) -> Recipe {
        let mut stream = Stream::new(seed, "guided");
        let Some(entry) = self.entry(&mut stream).filter(|_| stream.below(8) > 0) else {
            return Recipe::fresh(number, seed);
        };
        let place = self.place(entry, &mut stream).min(entry.answers.len());
        let answers = entry.answers.clone();
        let cut = |length: usize, answers: Answers| Recipe { number, seed, answers, length, change: None };
        match stream.below(8) {
            0..=4 => cut(near(place, entry.answers.len(), &mut stream), answers),
            5 | 6 => {
                let anywhere = stream.below(entry.answers.len() as u64) as usize;
                let at = if stream.below(2) == 0 { place } else { anywhere };
                let length = answers.len();
                Recipe { change: Some((at, stream.word())), ..cut(length, answers) }
            }
            _ => match self.entry(&mut stream) {
                Some(other) => {
                    let spliced = splice(&entry.answers[..place], other, &mut stream);
                    cut(spliced.len(), spliced)
                }
                None => cut(place, answers),
            },
        }
    }

    /// One of the entries.
    fn entry(&self, stream: &mut Stream) -> Option<&Entry> {
        let ticket = stream.below(self.sums.last().copied()?);
        self.entries.get(self.sums.partition_point(|sum| *sum <= ticket))
    }

    /// Where something new came up in an entry: the first of it, the rarest, or any.
    fn place(&self, entry: &Entry, stream: &mut Stream) -> usize {
        let any = stream.below(entry.news.len() as u64) as usize;
        let chosen = match stream.below(3) {
            0 => entry.news.first(),
            1 => entry.news.iter().min_by_key(|(feature, _)| self.hits.get(feature).copied()),
            _ => entry.news.get(any),
        };
        chosen.map_or(0, |(_, place)| *place as usize)
    }
}

/// The place itself one time in two; else some place around it, rather before, where what it led to was still open.
fn near(place: usize, length: usize, stream: &mut Stream) -> usize {
    match stream.below(2) {
        0 => place,
        _ => (place + AFTER as usize).saturating_sub(stream.below(AROUND) as usize).min(length),
    }
}

/// The head of one run, and the tail of another from some place on.
fn splice(head: &[Answer], other: &Entry, stream: &mut Stream) -> Answers {
    let from = stream.below(other.answers.len() as u64 + 1) as usize;
    let room = super::ANSWERS_MAX - head.len();
    let tail = other.answers[from..].iter().take(room);
    let spliced: Vec<Answer> = head.iter().chain(tail).copied().collect();
    Arc::from(spliced)
}

#[cfg(test)]
mod tests {
    use super::super::{ANSWERS_MAX, SCHEDULE};
    use super::*;

    fn notes(answers: usize, reached: &[(Feature, u32)]) -> Notes {
        let answers = vec![Answer { site: SCHEDULE, value: 1 }; answers];
        let mut notes = Notes::default();
        (notes.answers, notes.reached) = (answers, reached.iter().copied().collect());
        notes
    }

    #[test]
    fn only_what_is_new_is_kept() {
        let mut corpus = Corpus::default();
        let (state, pair) = ((Feature::State(1), 2), (Feature::Pair(1), 3));
        for reached in [vec![], vec![state], vec![state], vec![state, pair], vec![pair]] {
            corpus.add(notes(5, &reached));
        }
        let expected = Guidance { states: 1, pairs: 1, properties: 0, entries: 2 };
        assert_eq!(corpus.guidance(), expected);
        assert_eq!(corpus.hits, BTreeMap::from([(Feature::State(1), 3), (Feature::Pair(1), 2)]));
    }

    #[test]
    fn the_corpus_is_bounded_in_entries_answers_and_features() {
        let mut corpus = Corpus::default();
        for state in 0..600 {
            corpus.add(notes(1, &[(Feature::State(state), 0)]));
        }
        assert_eq!((corpus.entries.len(), corpus.answers), (512, 512));
        for state in 600..900 {
            corpus.add(notes(ANSWERS_MAX, &[(Feature::State(state), 0)]));
        }
        assert!(corpus.answers <= 4_194_304, "{}", corpus.answers);
        assert!(corpus.entries.len() >= 256, "256 runs of 16,384 answers have room");
        let many: Vec<_> = (1_000..70_000).map(|state| (Feature::State(state), 0)).collect();
        corpus.add(notes(1, &many));
        assert_eq!(corpus.hits.len(), 65_536);
    }

    #[test]
    fn rarer_entries_are_chosen_more_often() {
        let mut corpus = Corpus::default();
        for state in [1, 2] {
            corpus.add(notes(10, &[(Feature::State(state), 4)]));
        }
        for _ in 0..9 {
            corpus.add(notes(10, &[(Feature::State(1), 4)]));
        }
        // Ten runs reached the one, one the other: 1/100 to 1.
        let lots = corpus.lots();
        let ratio = lots.sums[1] as f64 / lots.sums[0] as f64;
        assert!((100.9..101.1).contains(&ratio), "{:?}", lots.sums);
    }

    #[test]
    fn a_recipe_is_a_function_of_the_entries_and_the_seed() {
        let mut corpus = Corpus::default();
        assert_eq!(corpus.lots().recipe(3, 7).length, 0, "nothing is kept: it begins anew");
        corpus.add(notes(100, &[(Feature::State(1), 40)]));
        let lots = corpus.lots();
        let told = |seed| format!("{:?}", lots.recipe(0, seed));
        let recipes: Vec<Recipe> = (0..1_000).map(|seed| lots.recipe(0, seed)).collect();
        assert!((0..50).all(|seed| told(seed) == format!("{:?}", recipes[seed as usize])));
        let share = |is: fn(&Recipe) -> bool| recipes.iter().filter(|recipe| is(recipe)).count();
        let anew = share(|recipe| recipe.length == 0);
        let there = share(|recipe| recipe.length == 40 && recipe.change.is_none());
        let changed = share(|recipe| recipe.change.is_some());
        // One in eight; of the others five in eight are cut off, 17 in 32 of them right there; two in eight change.
        assert!((85..165).contains(&anew), "{anew}");
        assert!((240..340).contains(&there), "{there}");
        assert!((165..275).contains(&changed), "{changed}");
    }
}
