//! What a run asked while a tape played: the places at which its tape could say something else.
//!
//! Separate from the tape, which needs none of this to be played.

use super::tape::TapeSource;
use super::{Ask, Matched, Names, Ready, Source};

/// Places that one run notes, at most.
pub const PLACES_MAX: usize = 4_096;
/// Tasks that a place names, at most.
const OVERTAKERS_MAX: usize = 8;

/// A place where a run can deviate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A turn of the oldest ready task, which others could have overtaken.
    Turn {
        /// The path of the task.
        task: String,
        /// Which of its turns, counted from 1.
        turn: u32,
        /// Paths of tasks that were ready too, at most eight.
        by: Vec<String>,
    },
    /// A question of a site.
    Choice {
        /// The site's label.
        site: String,
        /// Who asked.
        owner: String,
        /// Which of that owner's questions at that site, counted from 1.
        occurrence: u32,
        /// Options above 0, at most eight.
        options: Vec<u64>,
    },
}

/// Plays a tape, and notes what is asked.
#[derive(Debug)]
pub struct AskedSource {
    tape: TapeSource,
    places: Vec<Place>,
}

impl AskedSource {
    /// Plays what `tape` plays.
    pub fn new(tape: TapeSource) -> AskedSource {
        AskedSource { tape, places: Vec::new() }
    }

    /// What was asked, in order: the first 4,096 places.
    pub fn into_places(self) -> Vec<Place> {
        self.places
    }

    fn has_room(&self) -> bool {
        self.places.len() < PLACES_MAX
    }

    fn note_turn(&mut self, ready: &Ready, names: &Names) {
        let oldest = ready.entries()[ready.oldest()];
        let (task, turn) = (names.path(oldest.slot).to_string(), names.next_turn(oldest.slot));
        if matches!(self.places.last(), Some(Place::Turn { task: last, turn: same, .. }) if *last == task && *same == turn)
        {
            return;
        }
        let others = ready.entries().iter().filter(|entry| entry.slot != oldest.slot);
        let by = others.take(OVERTAKERS_MAX).map(|entry| names.path(entry.slot).to_string()).collect();
        self.places.push(Place::Turn { task, turn, by });
    }
}

impl Source for AskedSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        if self.has_room() && ask.occurrence > 0 {
            let options: Vec<u64> = ask.landmarks().into_iter().filter(|option| *option > 0).collect();
            if !options.is_empty() {
                let (site, owner) = (ask.label.name().to_owned(), ask.owner());
                self.places.push(Place::Choice { site, owner, occurrence: ask.occurrence, options });
            }
        }
        self.tape.choose(ask)
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        if let Some(names) = names.filter(|_| self.has_room()) {
            self.note_turn(ready, names);
        }
        self.tape.pick(ready, names)
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn matched(&self) -> Matched {
        self.tape.matched()
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}
