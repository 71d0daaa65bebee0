//! The story of a run: at most ten lines, in virtual time, naming hosts, tasks, objects and faults.
//!
//! Each deviation is a line ("instead of X, Y"); then the last records before the verdict; then the verdict.

use crate::sim::Run;
use crate::trace::{Event, Kind, text};

/// Lines of a story.
const LINES_MAX: usize = 10;
/// Characters of a line.
const WIDTH_MAX: usize = 160;

/// Tells a run that was recorded with its trace.
pub fn story(run: &Run) -> Vec<String> {
    let events = &run.trace.events;
    let deviations = deviations(events);
    let verdict = format!("{}  {}", text::time(run.time.as_nanos() as u64), run.end.sentence());
    let room = LINES_MAX - 1;
    let mut lines: Vec<(usize, String)> = deviations.iter().take(room).cloned().collect();
    if deviations.len() > room {
        let rest = deviations.len() - room + 1;
        lines.truncate(room - 1);
        lines.push((usize::MAX, format!("… and {rest} deviations more")));
    }
    for (index, line) in records_before_the_end(events) {
        if lines.len() == room {
            break;
        }
        lines.push((index, line));
    }
    lines.sort_by_key(|(index, _)| *index);
    let mut told: Vec<String> = lines.into_iter().map(|(_, line)| clip(line)).collect();
    told.push(clip(verdict));
    told
}

/// A line per deviation: overtakings of one turn are one line.
fn deviations(events: &[Event]) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for (index, event) in events.iter().enumerate() {
        match &event.kind {
            Kind::Turn { turn, instead_of: Some(oldest), .. } => {
                let task = event.task.as_deref().unwrap_or("-");
                let during = during(events, index);
                match (previous, lines.last_mut()) {
                    (Some((_, overtaken)), Some((_, line)))
                        if overtaken == &**oldest && line.len() < WIDTH_MAX =>
                    {
                        line.push_str(&format!(", then {task}{during}"));
                    }
                    _ => {
                        let at = text::time(event.at);
                        lines.push((
                            index,
                            format!("{at}  instead of {oldest}, {task} took its turn {turn}{during}"),
                        ));
                    }
                }
                previous = Some((index, oldest));
            }
            Kind::Turn { .. } => previous = None,
            Kind::Choice { .. } => lines.push((index, choice(event, &events[index + 1..]))),
            Kind::Spawned { .. }
            | Kind::Ended { .. }
            | Kind::Record { .. }
            | Kind::Log { .. }
            | Kind::Quiet
            | Kind::Violated { .. } => {}
        }
    }
    lines
}

/// What the turn that begins at `index` did first, in brackets.
fn during(events: &[Event], index: usize) -> String {
    let turn = events[index + 1..].iter().take_while(|event| !matches!(event.kind, Kind::Turn { .. }));
    let record = turn.into_iter().find(|event| matches!(event.kind, Kind::Record { .. }));
    record.map_or_else(String::new, |event| format!(" ({})", text::what(&event.kind)))
}

fn choice(event: &Event, after: &[Event]) -> String {
    let Kind::Choice { site, owner, occurrence, option, meaning, place } = &event.kind else {
        return String::new();
    };
    let at = text::time(event.at);
    let task = event.task.as_deref().unwrap_or("-");
    let nth = ordinal(*occurrence);
    match meaning {
        Some(meaning) if owner == task => format!("{at}  fault: {meaning} at {site}, {nth} time, in {task}"),
        Some(meaning) => format!("{at}  fault: {meaning} at {site} on {owner}, {nth} time, in {task}"),
        None if is_yield(site, *option) => {
            let place = place.as_ref().map_or(String::new(), |place| format!(", {place}"));
            format!("{at}  {task} let others run at {site} ({nth} time{place}){}", meanwhile(task, after))
        }
        None => format!("{at}  {task} drew {option} at {site} ({nth} time)"),
    }
}

/// Who took turns before the task's next one.
fn meanwhile(task: &str, after: &[Event]) -> String {
    const NAMED_MAX: usize = 3;
    let mut others: Vec<&str> = Vec::new();
    for event in after.iter().filter(|event| matches!(event.kind, Kind::Turn { .. })) {
        let other = event.task.as_deref().unwrap_or("-");
        if other == task {
            break;
        }
        if !others.contains(&other) {
            others.push(other);
        }
    }
    match others.len() {
        0 => String::new(),
        count if count > NAMED_MAX => {
            format!(": {} and {} more ran first", others[..NAMED_MAX].join(", "), count - NAMED_MAX)
        }
        _ => format!(": {} ran first", others.join(", ")),
    }
}

fn is_yield(site: &str, option: u64) -> bool {
    option == 1 && site != "rand" && site != "select"
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// The last records, the latest first.
fn records_before_the_end(events: &[Event]) -> impl Iterator<Item = (usize, String)> {
    let end =
        events.iter().position(|event| matches!(event.kind, Kind::Violated { .. })).unwrap_or(events.len());
    let records =
        events[..end].iter().enumerate().rev().filter(|(_, event)| matches!(event.kind, Kind::Record { .. }));
    records.map(|(index, event)| {
        let task = event.task.as_deref().unwrap_or("-");
        (index, format!("{}  {task}: {}", text::time(event.at), text::what(&event.kind)))
    })
}

fn clip(line: String) -> String {
    if line.chars().count() <= WIDTH_MAX {
        return line;
    }
    line.chars().take(WIDTH_MAX - 1).collect::<String>() + "…"
}
