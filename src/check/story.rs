//! The story of a run: at most ten lines, in virtual time, naming hosts, tasks, objects and faults.
//!
//! Each deviation is a line ("instead of X, Y"); equal ones share a line when there are too many, and lines are packed
//! when that is not enough: who deviated, where and when is never cut short. The other lines are the records that say
//! most: of what the verdict names, of what the faults struck, those unlike any other, and the last before the verdict.

mod records;

use crate::choice::fault::{SITE_CLOCK, SITE_CRASH, SITE_CRASH_AFTER, SITE_PAUSE};
use crate::runtime::End;
use crate::sim::Run;
use crate::trace::{Event, Kind, text};

/// Lines of a story.
const LINES_MAX: usize = 10;
/// Characters of a line, unless who, where and when take more.
const WIDTH_MAX: usize = 160;

/// Tells a run that was recorded with its trace.
pub fn story(run: &Run) -> Vec<String> {
    let events = &run.trace.events;
    let verdict = format!("{}  {}", text::time(run.time.as_nanos() as u64), run.end.sentence());
    let room = LINES_MAX - 1;
    let mut lines = tell(&deviations(events), room);
    let left = room.saturating_sub(lines.len());
    lines.extend(records::telling(events, &subject(&run.end), left));
    lines.sort_by_key(|(index, _)| *index);
    let mut told: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    told.push(clip(&verdict, WIDTH_MAX));
    told
}

/// The text that says what the verdict is about: not the property's name, which is of every run.
fn subject(end: &End) -> String {
    match end {
        End::Violated { detail, .. } | End::NotConverged { detail, .. } => detail.clone(),
        other => other.sentence(),
    }
}

/// Lines, each with the place in the trace where it begins.
type Lines = Vec<(usize, String)>;

/// One deviation.
struct Deviation {
    index: usize,
    at: u64,
    /// Who did what, and where: the same for equal ones.
    what: String,
    /// Which of equal ones it is.
    which: String,
    /// What came of it: the first to be cut short.
    detail: String,
    /// How the line of the one before goes on, if this one overtook the same turn.
    then: Option<String>,
}

impl Deviation {
    fn line(&self) -> String {
        let line = format!("{}  {}{}", text::time(self.at), self.what, self.which);
        let left = WIDTH_MAX.saturating_sub(line.chars().count());
        line + &clip(&self.detail, left)
    }
}

/// All deviations, in at most `room` lines.
fn tell(deviations: &[Deviation], room: usize) -> Lines {
    let lines = one_by_one(deviations);
    if lines.len() <= room {
        return lines;
    }
    let groups = groups(deviations);
    if groups.len() <= room {
        return groups.iter().map(|group| (group[0].index, together(group))).collect();
    }
    packed(&groups, room)
}

/// A line each; what overtook one turn shares one.
fn one_by_one(deviations: &[Deviation]) -> Lines {
    let mut lines: Lines = Vec::new();
    for deviation in deviations {
        match (&deviation.then, lines.last_mut()) {
            (Some(then), Some((_, line))) if width(line) + width(then) <= WIDTH_MAX => line.push_str(then),
            _ => lines.push((deviation.index, deviation.line())),
        }
    }
    lines
}

/// Equal deviations, in the order of their first.
fn groups(deviations: &[Deviation]) -> Vec<Vec<&Deviation>> {
    let mut groups: Vec<Vec<&Deviation>> = Vec::new();
    for deviation in deviations {
        match groups.iter_mut().find(|group| group[0].what == deviation.what) {
            Some(group) => group.push(deviation),
            None => groups.push(vec![deviation]),
        }
    }
    groups
}

/// One line for equal deviations.
fn together(group: &[&Deviation]) -> String {
    match group {
        [alone] => alone.line(),
        [first, .., last] => {
            let mut times: Vec<String> = group.iter().map(|deviation| text::time(deviation.at)).collect();
            times.dedup();
            let what = format!("{}, {} times", first.what, group.len());
            let all = times.join(", ");
            if width(&all) + 2 + width(&what) <= WIDTH_MAX {
                return format!("{all}  {what}");
            }
            format!("{} to {}  {what}", text::time(first.at), text::time(last.at))
        }
        [] => String::new(),
    }
}

/// Several groups a line; what does not fit is counted.
fn packed(groups: &[Vec<&Deviation>], room: usize) -> Lines {
    let mut lines: Lines = Vec::new();
    for (told, group) in groups.iter().enumerate() {
        let piece = match group.as_slice() {
            [alone] => format!("{}  {}{}", text::time(alone.at), alone.what, alone.which),
            group => together(group),
        };
        let count = lines.len();
        match lines.last_mut() {
            Some((_, line)) if width(line) + 2 + width(&piece) <= WIDTH_MAX => {
                line.push_str("; ");
                line.push_str(&piece);
            }
            _ if count + 1 < room || told + 1 == groups.len() => lines.push((group[0].index, piece)),
            _ => {
                lines.push((group[0].index, rest(&groups[told..])));
                break;
            }
        }
    }
    lines
}

/// What is left over, in numbers.
fn rest(groups: &[Vec<&Deviation>]) -> String {
    let all = || groups.iter().flatten();
    let count = all().count();
    let first = all().map(|deviation| deviation.at).min().unwrap_or(0);
    let last = all().map(|deviation| deviation.at).max().unwrap_or(0);
    let (first, last) = (text::time(first), text::time(last));
    format!("… and {count} deviations more of {} sorts, from {first} to {last}", groups.len())
}

fn deviations(events: &[Event]) -> Vec<Deviation> {
    let mut deviations = Vec::new();
    let mut overtaken: Option<&str> = None;
    for (index, event) in events.iter().enumerate() {
        match &event.kind {
            Kind::Turn { turn, instead_of: Some(oldest), .. } => {
                let task = event.task.as_deref().unwrap_or("-");
                let detail = during(events, index);
                let then = (overtaken == Some(&**oldest)).then(|| format!(", then {task}{detail}"));
                deviations.push(Deviation {
                    index,
                    at: event.at,
                    what: format!("instead of {oldest}, {task} took its turn"),
                    which: format!(" {turn}"),
                    detail,
                    then,
                });
                overtaken = Some(oldest);
            }
            Kind::Turn { .. } => overtaken = None,
            Kind::Choice { .. } => {
                deviations.extend(choice(index, event, &events[index + 1..]));
                overtaken = None;
            }
            Kind::Spawned { .. }
            | Kind::Ended { .. }
            | Kind::Record { .. }
            | Kind::Log { .. }
            | Kind::Quiet
            | Kind::Violated { .. } => {}
        }
    }
    deviations
}

/// What the turn that begins at `index` did first, in brackets.
fn during(events: &[Event], index: usize) -> String {
    let turn = events[index + 1..].iter().take_while(|event| !matches!(event.kind, Kind::Turn { .. }));
    let record = turn.into_iter().find(|event| matches!(event.kind, Kind::Record { .. }));
    record.map_or_else(String::new, |event| format!(" ({})", records::words(&event.kind)))
}

fn choice(index: usize, event: &Event, after: &[Event]) -> Option<Deviation> {
    let Kind::Choice { site, owner, occurrence, option, yields, meaning, place } = &event.kind else {
        return None;
    };
    let task = event.task.as_deref().unwrap_or("-");
    let nth = ordinal(*occurrence);
    let (what, which, detail) = match meaning {
        Some(meaning) if event.task.is_none() || *site == SITE_CRASH_AFTER => {
            (harm(site, owner, meaning), format!(", {nth} time"), String::new())
        }
        Some(meaning) if owner == task => {
            let place = place.as_ref().map_or(String::new(), |place| format!(", {place}"));
            (format!("fault: {meaning} at {site}, in {task}"), format!(", {nth} time{place}"), String::new())
        }
        Some(meaning) => (
            format!("fault: {meaning} at {site} on {owner}, in {task}"),
            format!(", {nth} time"),
            String::new(),
        ),
        None if *yields => {
            let place = place.as_ref().map_or(String::new(), |place| format!(", {place}"));
            let detail = meanwhile(task, after);
            (format!("{task} let others run at {site}"), format!(" ({nth} time{place})"), detail)
        }
        None => (format!("{task} drew {option} at {site}"), format!(" ({nth} time)"), String::new()),
    };
    Some(Deviation { index, at: event.at, what, which, detail, then: None })
}

/// Harm to a host, or to something on it, that no task asked about.
fn harm(site: &str, owner: &str, meaning: &str) -> String {
    match (site, owner.rsplit_once('@')) {
        (SITE_CRASH_AFTER, Some((effect, host))) => {
            format!("fault: {meaning} of host {host} at {site}, right after its effect on {effect}")
        }
        (SITE_CLOCK, _) => format!("fault: the clock of host {owner} {meaning} at {site}"),
        (SITE_CRASH | SITE_PAUSE, _) => {
            format!("fault: {meaning} of host {owner} at {site}, as a timer of its is due")
        }
        _ => format!("fault: {meaning} at {site} on {owner}"),
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

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn width(line: &str) -> usize {
    line.chars().count()
}

/// At most `most` characters of a text.
fn clip(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    match most {
        0 => String::new(),
        _ => text.chars().take(most - 1).collect::<String>() + "…",
    }
}
