//! Where two traces first differ, with what came before and what came next in each. It knows no run.

use super::text::{time, what};
use super::{Event, Kind, Trace};

/// Events of each side that are shown.
const CONTEXT: usize = 5;

/// The first difference of two traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference<'a> {
    /// How many events are equal.
    pub common: usize,
    /// The last of these.
    pub before: Vec<&'a Event>,
    /// What comes next in the first trace; empty where it ends.
    pub left: Vec<&'a Event>,
    /// What comes next in the second trace; empty where it ends.
    pub right: Vec<&'a Event>,
}

/// The first difference; `None` where the traces are equal. What the program logged does not count, as in the digests.
pub fn first<'a>(left: &'a Trace, right: &'a Trace) -> Option<Difference<'a>> {
    let (left, right) = (events(left), events(right));
    let common = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    if common == left.len() && common == right.len() {
        return None;
    }
    let next = |events: &[&'a Event]| events[common..].iter().copied().take(CONTEXT).collect();
    let before = left[common.saturating_sub(CONTEXT)..common].to_vec();
    Some(Difference { common, before, left: next(&left), right: next(&right) })
}

fn events(trace: &Trace) -> Vec<&Event> {
    trace.events.iter().filter(|event| !matches!(event.kind, Kind::Log { .. })).collect()
}

impl Difference<'_> {
    /// The lines of a page; the two sides are called `left` and `right`.
    pub fn lines(&self, left: &str, right: &str) -> Vec<String> {
        let mut lines = vec![format!("equal for {} events, the last of them:", self.common)];
        lines.extend(self.before.iter().map(|event| format!("    {}", told(event))));
        for (name, events) in [(left, &self.left), (right, &self.right)] {
            lines.push(format!("{name}:"));
            lines.extend(events.iter().map(|event| format!("    {}", told(event))));
            if events.len() < CONTEXT {
                lines.push("    the end".to_owned());
            }
        }
        lines
    }
}

/// One event on a line.
fn told(event: &Event) -> String {
    let task = event.task.as_deref().unwrap_or("-");
    format!("{}  {task}  {}", time(event.at), what(&event.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn trace(names: &[&'static str]) -> Trace {
        let event = |(at, name): (u64, &&'static str)| Event {
            at: at * 1_000_000,
            task: Some(Arc::from("main")),
            kind: Kind::Record { name, fields: Vec::new() },
        };
        Trace { events: (0..).zip(names).map(event).collect() }
    }

    #[test]
    fn equal_traces_do_not_differ() {
        assert_eq!(first(&trace(&["a", "b"]), &trace(&["a", "b"])), None);
        assert_eq!(first(&trace(&[]), &trace(&[])), None);
    }

    #[test]
    fn the_first_difference_stands_between_what_is_equal_and_both_sides() {
        let (left, right) = (trace(&["a", "b", "c", "d"]), trace(&["a", "b", "x"]));
        let found = first(&left, &right).expect("they differ");
        let expected = "equal for 2 events, the last of them:\n    0ns  main  a\n    1ms  main  b\n\
                        failing:\n    2ms  main  c\n    3ms  main  d\n    the end\n\
                        passing:\n    2ms  main  x\n    the end";
        assert_eq!(found.lines("failing", "passing").join("\n"), expected);
    }

    #[test]
    fn a_trace_that_goes_on_differs_from_one_that_ends() {
        let (left, right) = (trace(&["a"]), trace(&["a", "b"]));
        let found = first(&left, &right).expect("they differ");
        assert_eq!((found.common, found.left.len(), found.right.len()), (1, 0, 1));
    }

    #[test]
    fn logs_do_not_count() {
        let mut left = trace(&["a", "b"]);
        let log = Kind::Log { level: "INFO", target: "t".to_owned(), message: "m".to_owned() };
        left.events.insert(1, Event { at: 0, task: None, kind: log });
        assert_eq!(first(&left, &trace(&["a", "b"])), None);
    }
}
