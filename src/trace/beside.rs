//! A failing run beside one that passes and differs by a single deviation: which, and what came of it. It knows no run.

use super::text::{time, what};
use super::{Event, Kind, Trace, diff};

/// Characters of a line.
const WIDTH_MAX: usize = 140;

/// What a failing trace has that the passing one lacks, in at most three lines: the first difference, and the first
/// thing that the programs told differently after it. Empty where the traces are equal.
pub fn lines(failing: &Trace, passing: &Trace) -> Vec<String> {
    let Some(difference) = diff::first(failing, passing) else {
        return Vec::new();
    };
    let mut lines =
        vec![format!("a run that passes lacks only:  {}", told(difference.left.first().copied()))];
    let (here, there) = (records(failing), records(passing));
    let same = here.iter().zip(&there).take_while(|(here, there)| says(here) == says(there)).count();
    let (here, there) = (here.get(same), there.get(same));
    if here.is_some() || there.is_some() {
        lines.push(format!("  what came of it:  {}", told(here.copied())));
        lines.push(format!("  and where it passes:  {}", told(there.copied())));
    }
    lines
}

/// What the program and the properties said.
fn records(trace: &Trace) -> Vec<&Event> {
    let telling = |event: &&Event| matches!(event.kind, Kind::Record { .. } | Kind::Violated { .. });
    trace.events.iter().filter(telling).collect()
}

/// Who said what, whenever.
fn says(event: &Event) -> (Option<&str>, &Kind) {
    (event.task.as_deref(), &event.kind)
}

fn told(event: Option<&Event>) -> String {
    let Some(event) = event else { return "the end".to_owned() };
    let task = event.task.as_deref().unwrap_or("-");
    let line = format!("{}  {task}: {}", time(event.at), what(&event.kind));
    match line.char_indices().nth(WIDTH_MAX) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, task: &str, kind: Kind) -> Event {
        Event { at, task: Some(task.into()), kind }
    }

    fn record(at: u64, task: &str, name: &'static str) -> Event {
        event(at, task, Kind::Record { name, fields: Vec::new() })
    }

    fn turn(task: &str, instead_of: Option<&str>) -> Event {
        let instead_of = instead_of.map(Into::into);
        event(0, task, Kind::Turn { turn: 1, ready: 2, instead_of })
    }

    #[test]
    fn the_deviation_is_named_and_what_the_programs_said_after_it() {
        let failing =
            Trace { events: vec![turn("a", None), turn("c", Some("b")), record(2_000, "c", "lost")] };
        let passing = Trace {
            events: vec![turn("a", None), turn("b", None), record(5_000, "b", "saved"), turn("c", None)],
        };
        assert_eq!(
            lines(&failing, &passing),
            [
                "a run that passes lacks only:  0ns  c: turn 1 of 2 ready, instead of b",
                "  what came of it:  2µs  c: lost",
                "  and where it passes:  5µs  b: saved",
            ]
        );
    }

    #[test]
    fn programs_that_say_the_same_at_other_times_differ_by_the_deviation_alone() {
        let failing = Trace { events: vec![turn("c", Some("b")), record(2_000, "c", "done")] };
        let passing = Trace { events: vec![turn("b", None), record(9_000, "c", "done")] };
        let told = lines(&failing, &passing);
        assert_eq!(told, ["a run that passes lacks only:  0ns  c: turn 1 of 2 ready, instead of b"]);
        assert!(lines(&passing, &passing).is_empty());
    }
}
