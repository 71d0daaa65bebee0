//! Which records a story tells: those that say most about the verdict, as many as there is room for.
//!
//! Separate because it weighs and the story lays out; it knows no system, only names that occur in both.

use super::{Lines, WIDTH_MAX, clip};
use crate::trace::{Event, Field, Kind, Owned, text};
use std::collections::{BTreeMap, BTreeSet};

/// Records of one name that are told for nothing but their place at the end or for what the faults struck.
const ALIKE_MAX: usize = 3;
/// Values that are told of a field that stands there several times.
const VALUES_MAX: usize = 4;

/// How much a record says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// It stands there.
    Plain,
    /// It is about what a fault struck.
    Struck,
    /// No other record has its name.
    Single,
    /// It is about what the verdict names.
    Named,
    /// The verdict came upon it.
    Last,
}

/// The records before the verdict that say most, `room` at most, the later first among equals.
pub(super) fn telling(events: &[Event], verdict: &str, room: usize) -> Lines {
    let end = events.iter().position(|event| matches!(event.kind, Kind::Violated { .. }));
    let before = &events[..end.unwrap_or(events.len())];
    let (named, struck) = (subjects(before, verdict), subjects(before, &struck(before)));
    let counts = counts(before);
    let mut weighed: Vec<(Weight, usize)> = Vec::new();
    for (index, event) in before.iter().enumerate() {
        if let Kind::Record { name, fields } = &event.kind {
            let weight = match () {
                () if is_about(fields, &named) => Weight::Named,
                () if counts[name] == 1 => Weight::Single,
                () if is_about(fields, &struck) => Weight::Struck,
                () => Weight::Plain,
            };
            weighed.push((weight, index));
        }
    }
    if let Some((weight, _)) = weighed.last_mut() {
        *weight = Weight::Last;
    }
    weighed.sort_by_key(|entry| std::cmp::Reverse(*entry));
    chosen(before, &weighed, room)
}

/// The first of them, without too many alike.
fn chosen(events: &[Event], weighed: &[(Weight, usize)], room: usize) -> Lines {
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines = Lines::new();
    for (weight, index) in weighed {
        let event = &events[*index];
        let Kind::Record { name, .. } = &event.kind else { continue };
        let count = alike.entry(name).or_insert(0);
        *count += 1;
        if lines.len() < room && (*weight >= Weight::Named || *count <= ALIKE_MAX) {
            lines.push((*index, line(event)));
        }
    }
    lines
}

fn line(event: &Event) -> String {
    let who = event.task.as_ref().map_or(String::new(), |task| format!("{task}: "));
    clip(&format!("{}  {who}{}", text::time(event.at), words(&event.kind)), WIDTH_MAX)
}

/// What happened, without lists of which only the beginning is telling.
pub(super) fn words(kind: &Kind) -> String {
    match kind {
        Kind::Record { name, fields } => text::record(name, fields, VALUES_MAX),
        other => text::what(other),
    }
}

/// How often each name of a record occurs.
fn counts(events: &[Event]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        if let Kind::Record { name, .. } = &event.kind {
            *counts.entry(*name).or_insert(0) += 1;
        }
    }
    counts
}

/// Whom faults struck, as one text.
fn struck(events: &[Event]) -> String {
    let owner = |event: &Event| match &event.kind {
        Kind::Choice { owner, meaning: Some(_), .. } => Some(owner.clone()),
        _ => None,
    };
    events.iter().filter_map(owner).collect::<Vec<_>>().join(" ")
}

/// The values that a text names as words, but for those that are only part of another: of `create` and `create fr` the
/// latter.
fn subjects<'a>(events: &'a [Event], text: &str) -> BTreeSet<&'a str> {
    let fields = events.iter().filter_map(|event| match &event.kind {
        Kind::Record { fields, .. } => Some(fields),
        _ => None,
    });
    let values: BTreeSet<&str> = fields.flatten().filter_map(word).collect();
    let named: BTreeSet<&str> = values.into_iter().filter(|value| has_word(text, value)).collect();
    let is_part = |value: &str| named.iter().any(|other| *other != value && has_word(other, value));
    named.iter().copied().filter(|value| !is_part(value)).collect()
}

/// The text of a field, or the name that its key stands for.
fn word(field: &Field) -> Option<&str> {
    match &field.value {
        Owned::Str(value) | Owned::Key(_, Some(value)) => Some(value),
        Owned::Key(_, None) | Owned::U64(_) | Owned::I64(_) | Owned::Bool(_) => None,
    }
}

fn is_about(fields: &[Field], subjects: &BTreeSet<&str>) -> bool {
    fields.iter().filter_map(word).any(|word| subjects.contains(word))
}

/// Whether a text has this word, with no letter or digit right before or after it.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    !word.is_empty()
        && text.match_indices(word).any(|(start, _)| {
            let before = text[..start].chars().next_back();
            let after = text[start + word.len()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        })
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn a_word_stands_alone() {
        for (text, word, expected) in [
            ("create fr was started", "create fr", true),
            ("no action emitted Exists(addr)", "Exists(addr)", true),
            ("b1 was runnable", "b", false),
            ("leaf-10 was started twice", "leaf-1", false),
            ("a was started", "a", true),
            ("anything", "", false),
        ] {
            assert_eq!(has_word(text, word), expected, "{word} in {text}");
        }
    }
}
