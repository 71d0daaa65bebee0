//! Tapes: the deviations of a run from its baseline, keyed by who made them, and the source that plays them back.
//!
//! A tape survives edits of the program because it says who deviated and not when. Playing one realigns by key and
//! counts what it met.

use super::{Ask, Entry, Matched, Names, Ready, Source, hash_bytes};
use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The deviations of a run. The empty tape is the baseline run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tape {
    /// Turns that were overtaken, in the order of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Overtaken>,
    /// Every other choice that was not 0, in the order of the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<Deviation>,
}

/// A schedule deviation: tasks that ran before the turn of the oldest ready task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overtaken {
    /// Path of the task that was the oldest.
    pub task: String,
    /// Which of its turns, counted from 1.
    pub turn: u32,
    /// Paths of the tasks that ran before it, in order.
    pub by: Vec<String>,
}

/// Any other deviation: a site's answer that was not 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The site's label.
    pub site: String,
    /// Who asked: a task path, or `object@host` where the site names an object.
    pub owner: String,
    /// Which of that owner's questions at that site, counted from 1.
    pub occurrence: u32,
    /// The answer.
    #[serde(with = "wide")]
    pub option: u64,
}

/// Numbers beyond what TOML can hold are written as texts.
pub(crate) mod wide {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*number) {
            Ok(small) => serializer.serialize_i64(small),
            Err(_) => serializer.serialize_str(&number.to_string()),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a whole number of at most 64 bits, or one as a text")]
    enum Wide {
        Number(u64),
        Text(String),
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        match Wide::deserialize(deserializer)? {
            Wide::Number(number) => Ok(number),
            Wide::Text(text) => {
                text.parse().map_err(|_| D::Error::custom(format!("`{text}` is no whole number")))
            }
        }
    }
}

impl Tape {
    /// How many choices deviate: each overtaking and each other answer that is not 0.
    pub fn deviations(&self) -> u64 {
        let overtakings: usize = self.schedule.iter().map(|entry| entry.by.len()).sum();
        (overtakings + self.choice.len()) as u64
    }

    /// Whether this is the baseline.
    pub fn is_empty(&self) -> bool {
        self.schedule.is_empty() && self.choice.is_empty()
    }

    /// The tape as a text of its own: `[[schedule]]` and `[[choice]]` tables, as below `[tape]` in a failure file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a tape holds only what TOML can hold")
    }

    /// Parses the text of a tape; `path` is for errors. The empty text is the baseline run.
    ///
    /// # Errors
    /// Text that is no tape, with line and column; an impossible tape.
    pub fn parse(text: &str, path: &Path) -> Result<Tape, Error> {
        let tape: Tape = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            Error::input(format!("this is no tape: {}", error.message())).at(path, text, start)
        })?;
        let impossible = |problem| Error::input(format!("{}: impossible tape: {problem}", path.display()));
        tape.validate().map_err(impossible)?;
        Ok(tape)
    }

    /// Checks what the shape alone cannot say.
    ///
    /// # Errors
    /// Counts that begin at 1 and are 0, answers that are the baseline, entries that stand twice.
    pub fn validate(&self) -> Result<(), String> {
        let mut turns = BTreeSet::new();
        for entry in &self.schedule {
            let place = format!("schedule entry for turn {} of `{}`", entry.turn, entry.task);
            check(entry.turn > 0, || format!("{place}: turns are counted from 1"))?;
            check(!entry.by.is_empty(), || format!("{place}: `by` names no task"))?;
            check(turns.insert((&entry.task, entry.turn)), || format!("{place}: stands twice"))?;
        }
        let mut asked = BTreeSet::new();
        for entry in &self.choice {
            let place = format!("choice {} of `{}` at `{}`", entry.occurrence, entry.owner, entry.site);
            check(entry.occurrence > 0, || format!("{place}: occurrences are counted from 1"))?;
            check(entry.option > 0, || format!("{place}: option 0 is the baseline and no deviation"))?;
            check(asked.insert((&entry.site, &entry.owner, entry.occurrence)), || {
                format!("{place}: stands twice")
            })?;
        }
        Ok(())
    }

    /// The tape without `count` of its deviations from the `start`-th on: overtakings first, then the other choices.
    pub fn without(&self, start: usize, count: usize) -> Tape {
        let mut tape = Tape::default();
        let mut index = 0..;
        let mut stays = || index.next().is_none_or(|index: usize| index < start || index >= start + count);
        for entry in &self.schedule {
            for by in entry.by.iter().filter(|_| stays()) {
                tape.note_overtaking(&entry.task, entry.turn, by);
            }
        }
        tape.choice = self.choice.iter().filter(|_| stays()).cloned().collect();
        tape
    }

    /// Notes that `by` ran before the turn of `task`, which was the oldest.
    pub fn note_overtaking(&mut self, task: &str, turn: u32, by: &str) {
        match self.schedule.last_mut() {
            Some(last) if last.task == task && last.turn == turn => last.by.push(by.to_owned()),
            _ => self.schedule.push(Overtaken { task: task.to_owned(), turn, by: vec![by.to_owned()] }),
        }
    }
}

fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

/// Answers from a tape; 0 where the tape is silent.
#[derive(Clone, Debug)]
pub struct TapeSource {
    schedule: BTreeMap<String, BTreeMap<u32, Vec<String>>>,
    /// By the hash of the site's label and the number of the question.
    choices: BTreeMap<(u64, u32), Vec<Deviation>>,
    total: u64,
    met: u64,
}

impl TapeSource {
    /// Plays `tape`.
    pub fn new(tape: &Tape) -> TapeSource {
        let mut source = TapeSource {
            schedule: BTreeMap::new(),
            choices: BTreeMap::new(),
            total: tape.deviations(),
            met: 0,
        };
        for entry in &tape.schedule {
            let by: Vec<String> = entry.by.iter().rev().cloned().collect();
            source.schedule.entry(entry.task.clone()).or_default().insert(entry.turn, by);
        }
        for entry in &tape.choice {
            let key = (hash_bytes(entry.site.as_bytes()), entry.occurrence);
            source.choices.entry(key).or_default().push(entry.clone());
        }
        source
    }

    /// The next task of the tape that is ready and is to run before this turn of `oldest`.
    fn overtaker(&mut self, ready: &[Entry], names: &Names, oldest: Entry) -> Option<usize> {
        let turns = self.schedule.get_mut(&**names.path(oldest.slot))?;
        let by = turns.get_mut(&names.next_turn(oldest.slot))?;
        while let Some(path) = by.pop() {
            let found =
                ready.iter().position(|entry| entry.slot != oldest.slot && **names.path(entry.slot) == *path);
            if let Some(index) = found {
                self.met += 1;
                return Some(index);
            }
        }
        None
    }
}

impl Source for TapeSource {
    fn choose(&mut self, ask: &Ask<'_>) -> u64 {
        let Some(deviations) = self.choices.get(&(ask.label.hash(), ask.occurrence)) else { return 0 };
        let asked = |deviation: &&Deviation| {
            deviation.site == ask.label.name()
                && ask.is_owner(&deviation.owner)
                && ask.exists(deviation.option)
        };
        let Some(deviation) = deviations.iter().rev().find(asked) else { return 0 };
        self.met += 1;
        deviation.option
    }

    fn pick(&mut self, ready: &Ready, names: Option<&Names>) -> usize {
        let oldest = ready.oldest();
        let names = names.expect("a run that plays a tape keeps names");
        self.overtaker(ready.entries(), names, ready.entries()[oldest]).unwrap_or(oldest)
    }

    fn needs_names(&self) -> bool {
        true
    }

    fn matched(&self) -> Matched {
        Matched { met: self.met, unmatched: self.total - self.met }
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overtaken(task: &str, turn: u32, by: &[&str]) -> Overtaken {
        Overtaken { task: task.into(), turn, by: by.iter().map(|path| (*path).to_owned()).collect() }
    }

    #[test]
    fn overtakings_of_one_turn_are_one_entry_and_count_each() {
        let mut tape = Tape::default();
        for (task, turn, by) in [("a", 1, "b"), ("a", 1, "c"), ("a", 2, "b")] {
            tape.note_overtaking(task, turn, by);
        }
        assert_eq!(tape.schedule, [overtaken("a", 1, &["b", "c"]), overtaken("a", 2, &["b"])]);
        assert_eq!(tape.deviations(), 3);
    }

    #[test]
    fn impossible_tapes_are_told_where() {
        let zero = Deviation { site: "s".into(), owner: "o".into(), occurrence: 1, option: 0 };
        for (tape, expected) in [
            (Tape { schedule: vec![overtaken("a", 0, &["b"])], choice: vec![] }, "counted from 1"),
            (Tape { schedule: vec![overtaken("a", 1, &[])], choice: vec![] }, "names no task"),
            (Tape { schedule: vec![overtaken("a", 1, &["b"]); 2], choice: vec![] }, "stands twice"),
            (Tape { schedule: vec![], choice: vec![zero] }, "option 0 is the baseline"),
        ] {
            let message = tape.validate().expect_err(expected);
            assert!(message.contains(expected), "{message}");
        }
    }
}
