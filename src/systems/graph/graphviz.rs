//! A run as a Graphviz drawing: a box per action, arrows from the actions to the events they signalled and on to who
//! waited for them. Separate because drawing is a language of its own; it must not compute anything about the run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::time::Duration;

use super::action::ActionType;
use super::event::Event;
use super::model::ActionRef;
use super::outcome::Outcome;
use super::tracer::{TraceEntry, Tracer};

/// Collects a run and draws it. Boxes are keyed by the action's place in the list, so two actions of one name stay
/// two boxes; labels are escaped; times count from the start of the run.
#[derive(Debug, Default)]
pub struct GraphvizTracer {
    drawing: Mutex<Drawing>,
}

#[derive(Debug, Default)]
struct Drawing {
    boxes: Vec<String>,
    edges: Vec<String>,
    events: BTreeMap<Event, usize>,
    runs: u32,
}

impl GraphvizTracer {
    /// The drawing so far.
    pub fn dot(&self) -> String {
        let drawing = self.drawing();
        let mut dot = String::from("digraph {\n  rankdir=LR\n");
        drawing.boxes.iter().for_each(|line| push(&mut dot, line));
        for (event, number) in &drawing.events {
            push(&mut dot, &format!("e{number} [label=\"{}\", shape=ellipse]", text(&event.to_string())));
        }
        drawing.edges.iter().for_each(|line| push(&mut dot, line));
        dot.push_str("}\n");
        dot
    }

    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracer for GraphvizTracer {
    fn record(&self, entry: &TraceEntry) {
        let mut drawing = self.drawing();
        let id = drawing.id(&entry.action);
        let label = label(entry);
        drawing.boxes.push(format!("{id} [shape=plain, label=<{label}>]"));
        let mut from_drawn = Vec::new();
        for signal in &entry.signalled {
            let event = drawing.event(&signal.event);
            let to = drawing.id(&signal.to);
            if !from_drawn.contains(&event) {
                from_drawn.push(event);
                drawing.edges.push(format!("{id} -> e{event}"));
            }
            drawing.edges.push(format!("e{event} -> {to}"));
        }
    }

    fn finish(&self, outcome: &Outcome, _: Duration) {
        let mut drawing = self.drawing();
        for blocked in &outcome.blocked {
            let id = drawing.plain(&blocked.action, "blocked");
            for missing in &blocked.missing {
                let event = drawing.event(missing);
                drawing.edges.push(format!("e{event} -> {id} [style=dashed]"));
            }
        }
        for action in &outcome.not_started {
            drawing.plain(action, "not started");
        }
        for action in &outcome.abandoned {
            drawing.plain(action, "abandoned");
        }
        drawing.runs += 1;
    }
}

impl Drawing {
    /// The box of an action; those of later runs on the same tracer get ids of their own.
    fn id(&self, action: &ActionRef) -> String {
        format!("r{}a{}", self.runs, action.index)
    }

    fn event(&mut self, event: &Event) -> usize {
        let next = self.events.len();
        *self.events.entry(event.clone()).or_insert(next)
    }

    fn plain(&mut self, action: &ActionRef, state: &str) -> String {
        let id = self.id(action);
        let name = text(&action.name);
        self.boxes.push(format!("{id} [shape=box, style=dashed, label=\"{name}\\n{state}\"]"));
        id
    }
}

fn push(dot: &mut String, line: &str) {
    dot.push_str("  ");
    dot.push_str(line);
    dot.push('\n');
}

fn label(entry: &TraceEntry) -> String {
    let mut label = format!("<table bgcolor=\"{}\">", fill(entry.kind));
    let mut row = |text: &str| {
        // Writing to a string cannot fail.
        let _ = write!(label, "<tr><td>{}</td></tr>", html(text));
    };
    row(&entry.action.name);
    row(&entry.summary);
    row(&format!("Start {:?}", entry.start));
    row(&format!("Duration {:?}", entry.end.saturating_sub(entry.start)));
    if let Some(error) = &entry.error {
        row(&format!("Error {error}"));
    }
    label.push_str("</table>");
    label
}

fn fill(kind: ActionType) -> &'static str {
    match kind {
        ActionType::Create => "palegreen",
        ActionType::Custom => "khaki",
        ActionType::Delete => "pink",
        ActionType::Meta => "gray90",
        ActionType::Update => "khaki1",
    }
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("<br/>"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn text(text: &str) -> Arc<str> {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into()
}
