//! A trace for people: one aligned line per event.

use super::{Event, Field, Kind, Trace};
use std::fmt::Write;

/// Virtual time with as many digits as it needs: `1.25s`, `300ms`, `0s`.
pub fn time(nanos: u64) -> String {
    format!("{:?}", std::time::Duration::from_nanos(nanos))
}

/// A number with its thousands apart: `1,234,567`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The whole trace.
pub fn render(trace: &Trace) -> String {
    let times: Vec<String> = trace.events.iter().map(|event| time(event.at)).collect();
    let times_width = times.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let tasks_width = trace.events.iter().map(|event| task(event).chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for (event, at) in trace.events.iter().zip(&times) {
        let line = format!("{at:>times_width$}  {:tasks_width$}  {}", task(event), what(&event.kind));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn task(event: &Event) -> &str {
    event.task.as_deref().unwrap_or("-")
}

/// What happened, in words.
pub fn what(kind: &Kind) -> String {
    match kind {
        Kind::Spawned { path } => format!("spawn {path}"),
        Kind::Turn { turn, ready, instead_of: None } => format!("turn {turn} of {ready} ready"),
        Kind::Turn { turn, ready, instead_of: Some(oldest) } => {
            format!("turn {turn} of {ready} ready, instead of {oldest}")
        }
        Kind::Ended { path, how } => format!("{how} {path}"),
        Kind::Choice { site, owner, occurrence, option, yields, meaning, .. } => match meaning {
            None if *yields => format!("yield {site} {owner} #{occurrence}"),
            Some(meaning) => format!("fault {site} {owner} #{occurrence}: {meaning}"),
            None => format!("choice {site} {owner} #{occurrence}: {option}"),
        },
        Kind::Record { name, fields } => record(name, fields, usize::MAX),
        Kind::Log { level, target, message } => format!("{level} {target}: {message}"),
        Kind::Quiet => "quiet phase: no more faults".to_owned(),
        Kind::Violated { property, detail } => format!("VIOLATED {property}: {detail}"),
    }
}

/// A record in words; of a field that stands there several times, at most `most` values and how many there are.
pub(crate) fn record(name: &str, fields: &[Field], most: usize) -> String {
    let mut words = name.to_owned();
    for same in fields.chunk_by(|a, b| a.key == b.key) {
        let values: Vec<String> = same.iter().take(most).map(|field| field.value.to_string()).collect();
        let _ = write!(words, " {}={}", same[0].key, values.join(","));
        if same.len() > most {
            let _ = write!(words, ",… ({} in all)", same.len());
        }
    }
    words
}
