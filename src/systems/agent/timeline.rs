//! The life of one task as an aligned text: what was desired, how far it came, what its controller did, what became of
//! its container. Separate from the events that it draws; it judges nothing.

use super::record::AgentEvent;
use super::task::TaskId;
use crate::time::Duration;
use std::fmt::Write as _;

/// The columns after the time.
const COLUMNS: [&str; 5] = ["desired", "state", "operation", "container", "manager"];

/// Draws the events of one task, oldest first: a line for each that says something new.
///
/// ```
/// use fatum::systems::agent::{AgentEvent, DesiredState, TaskState, timeline};
/// use std::time::Duration;
///
/// let (node, task) = ("n1".into(), "web".into());
/// let wanted = AgentEvent::Wanted { node, task, desired: DesiredState::RUNNING };
/// let (node, task) = ("n1".into(), "web".into());
/// let stored = AgentEvent::Stored { node, task, state: TaskState::Accepted };
/// let events = [(Duration::ZERO, wanted), (Duration::from_millis(100), stored)];
/// let lines = ["task web on n1", "       time  desired  state", "     0.000s  RUNNING", "     0.100s           ACCEPTED"];
/// assert_eq!(timeline(&events, &"web".into()), lines.map(|line| format!("{line}\n")).concat());
/// ```
pub fn timeline(events: &[(Duration, AgentEvent)], task: &TaskId) -> String {
    let own: Vec<&(Duration, AgentEvent)> =
        events.iter().filter(|(_, event)| event.task() == Some(task)).collect();
    let mut before: [String; 5] = Default::default();
    let mut lines = Vec::new();
    for (at, event) in &own {
        let Some((column, cell)) = cell(event) else { continue };
        let says_again = matches!(COLUMNS[column], "desired" | "state" | "manager") && before[column] == cell;
        if !says_again {
            before[column].clone_from(&cell);
            lines.push((*at, column, cell));
        }
    }
    let node = own.first().map_or("no node", |(_, event)| event.node());
    draw(&format!("task {task} on {node}\n"), &lines)
}

fn draw(title: &str, lines: &[(Duration, usize, String)]) -> String {
    let used = |column: usize| lines.iter().any(|(_, of, _)| *of == column);
    let columns: Vec<usize> = (0..COLUMNS.len()).filter(|column| used(*column)).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter(|(_, of, _)| *of == column).map(|(_, _, cell)| cell.len());
        cells.chain([COLUMNS[column].len()]).max().unwrap_or(0)
    };
    let row = |time: &str, cell: &dyn Fn(usize) -> String| {
        let mut line = format!("  {time:>9}");
        for column in &columns {
            write!(line, "  {:width$}", cell(*column), width = width(*column)).expect("a text takes a text");
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = title.to_owned() + &row("time", &|column| COLUMNS[column].to_owned());
    for (at, of, said) in lines {
        let time = format!("{}.{:03}s", at.as_secs(), at.subsec_millis());
        text += &row(&time, &|column| if column == *of { said.clone() } else { String::new() });
    }
    text
}

/// In which column an event stands, and what it says there.
fn cell(event: &AgentEvent) -> Option<(usize, String)> {
    Some(match event {
        AgentEvent::Wanted { desired, .. } => (0, desired.to_string()),
        AgentEvent::Unwanted { .. } => (0, "nothing".to_owned()),
        AgentEvent::Stored { state, .. } => (1, state.to_string()),
        AgentEvent::RecordDeleted { .. } => (1, "forgotten".to_owned()),
        AgentEvent::OpBegan { op, .. } => (2, format!("{} ..", op.name())),
        AgentEvent::OpEnded { op, end, .. } => (2, format!("{} {}", op.name(), end.name())),
        AgentEvent::Container { change, .. } => (3, change.name().to_owned()),
        AgentEvent::Recorded { state, .. } => (4, state.to_string()),
        _ => return None,
    })
}
