//! Who is told what a run did: one entry per action that ended, and the end exactly once. Separate because traces
//! are for people; it must not influence the run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::time::Duration;

use super::action::ActionType;
use super::error::ActionError;
use super::model::{ActionRef, Signal};
use super::outcome::Outcome;

/// One action that was started and ended. Times count from the start of the run.
#[derive(Clone, Debug)]
pub struct TraceEntry {
    /// Which.
    pub action: ActionRef,
    /// Its kind.
    pub kind: ActionType,
    /// The line about it.
    pub summary: Arc<str>,
    /// When it started.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
    /// Why it failed, if it did.
    pub error: Option<ActionError>,
    /// Who accepted its signals, in the order they were given.
    pub signalled: Vec<Signal>,
}

/// Is told what a run did.
pub trait Tracer: fmt::Debug + Send + Sync {
    /// Once per action that was started and ended before the run was over, after its signals were given.
    fn record(&self, entry: &TraceEntry);

    /// Exactly once, at the end of the run, `at` counting from its start.
    fn finish(&self, outcome: &Outcome, at: Duration);
}

/// Writes one line per event; equal runs give equal text.
#[derive(Debug, Default)]
pub struct TextTracer {
    lines: Mutex<String>,
}

impl TextTracer {
    /// The text so far.
    pub fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
}

impl Tracer for TextTracer {
    fn record(&self, entry: &TraceEntry) {
        let result = match &entry.error {
            None => "ok".to_owned(),
            Some(error) => format!("failed: {error}"),
        };
        let (start, end) = (entry.start, entry.end);
        self.line(format_args!("{end:?} {} {result} (started {start:?})", entry.action));
        for signal in &entry.signalled {
            self.line(format_args!("  {} -> {}", signal.event, signal.to));
        }
    }

    fn finish(&self, outcome: &Outcome, at: Duration) {
        self.line(format_args!("{at:?} finished"));
        for blocked in &outcome.blocked {
            let missing: Vec<String> = blocked.missing.iter().map(ToString::to_string).collect();
            self.line(format_args!("  {} blocked on {}", blocked.action, missing.join(", ")));
        }
        for action in &outcome.not_started {
            self.line(format_args!("  {action} not started"));
        }
        for action in &outcome.abandoned {
            self.line(format_args!("  {action} abandoned"));
        }
    }
}
