//! Events to the control plane: what they say, how they are built, and what may come back. Separate because executors and
//! engine both send them; it must not know who listens.

use super::BoxFuture;
use super::context::TaskContext;
use super::error::{EventError, TaskError};
use super::model::{EventPhase, PhaseVersion, TaskStatus};
use crate::time::Duration;
use serde_json::Value;
use std::sync::Arc;

/// Takes events.
pub trait EventRecorder: Send + Sync {
    /// Records what became of an attempt.
    ///
    /// # Errors
    /// It was recorded before, contradicts what is recorded, or was not recorded.
    fn record_task<'a>(&'a self, event: &'a TaskEvent) -> BoxFuture<'a, Result<(), EventError>>;

    /// Records what became of a node.
    ///
    /// # Errors
    /// As for tasks.
    fn record_node<'a>(&'a self, event: &'a NodeEvent) -> BoxFuture<'a, Result<(), EventError>>;
}

/// Where a task's log can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskLog {
    /// Its name.
    pub name: String,
    /// Where.
    pub uri: String,
}

/// What a finished attempt left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutputResult {
    /// Outputs, at this place.
    Outputs(String),
    /// An error.
    Error {
        /// Its code.
        code: String,
        /// What happened.
        message: String,
        /// Where it says more.
        uri: String,
    },
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEvent {
    /// The workflow.
    pub workflow: String,
    /// The node.
    pub node: String,
    /// The attempt, from 0.
    pub retry_attempt: u32,
    /// The name of what was made outside.
    pub generated_name: Arc<str>,
    /// The phase.
    pub phase: EventPhase,
    /// The report within the phase.
    pub phase_version: PhaseVersion,
    /// When, since the Unix epoch.
    pub occurred_at: Duration,
    /// What it left, if it has ended.
    pub output: Option<OutputResult>,
    /// Whatever the executor adds.
    pub custom_info: Option<Value>,
    /// Its logs.
    pub logs: Vec<TaskLog>,
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEvent {
    /// The workflow.
    pub workflow: String,
    /// The node.
    pub node: String,
    /// The phase.
    pub phase: EventPhase,
    /// When, since the Unix epoch.
    pub occurred_at: Duration,
    /// The error, of one that failed.
    pub error: Option<TaskError>,
    /// The workflow that it launched, if it launches one.
    pub child_workflow: Option<String>,
}

/// Which time an event says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OccurredAt {
    /// The one that the status says, if it says one.
    #[default]
    Status,
    /// Always the present: as in the reference, where an inverted condition drops the given time.
    Now,
}

/// Builds an event.
#[derive(Clone, Debug)]
pub struct EventBuilder<'a> {
    context: &'a TaskContext,
    status: &'a TaskStatus,
    occurred_at: OccurredAt,
    failure: Option<TaskError>,
    custom_info: Option<Value>,
    logs: Vec<TaskLog>,
}

impl<'a> EventBuilder<'a> {
    /// An event of a status.
    pub fn new(context: &'a TaskContext, status: &'a TaskStatus) -> EventBuilder<'a> {
        let (occurred_at, failure) = (OccurredAt::Status, status.err.clone());
        EventBuilder { context, status, occurred_at, failure, custom_info: None, logs: Vec::new() }
    }

    /// Why it failed, where the status does not say so: code and message are those of the task error that `error` is or
    /// wraps.
    #[must_use]
    pub fn caused_by(self, error: &(dyn std::error::Error + 'static)) -> EventBuilder<'a> {
        EventBuilder { failure: Some(TaskError::of(error)), ..self }
    }

    /// Which time it says.
    #[must_use]
    pub fn occurred_at(self, occurred_at: OccurredAt) -> EventBuilder<'a> {
        EventBuilder { occurred_at, ..self }
    }

    /// Adds what the executor wants to say.
    #[must_use]
    pub fn custom_info(self, info: Value) -> EventBuilder<'a> {
        EventBuilder { custom_info: Some(info), ..self }
    }

    /// Adds a log.
    #[must_use]
    pub fn log(mut self, name: &str, uri: &str) -> EventBuilder<'a> {
        self.logs.push(TaskLog { name: name.to_owned(), uri: uri.to_owned() });
        self
    }

    /// The event, built at this time since the Unix epoch.
    pub fn build(self, now: Duration) -> TaskEvent {
        let EventBuilder { context, status, occurred_at, failure, custom_info, logs } = self;
        let phase = status.phase.event_phase();
        let occurred_at = match occurred_at {
            OccurredAt::Status => status.occurred_at.unwrap_or(now),
            OccurredAt::Now => now,
        };
        TaskEvent {
            workflow: context.owner.name.clone(),
            node: context.id.node.clone(),
            retry_attempt: context.id.retry_attempt,
            generated_name: Arc::clone(&context.generated_name),
            phase,
            phase_version: status.phase_version,
            occurred_at,
            output: output(phase, failure, context),
            custom_info,
            logs,
        }
    }
}

fn output(phase: EventPhase, err: Option<TaskError>, context: &TaskContext) -> Option<OutputResult> {
    match phase {
        EventPhase::Succeeded => Some(OutputResult::Outputs(context.paths.outputs.clone())),
        EventPhase::Failed => {
            let TaskError { code, message, .. } = err.unwrap_or_else(TaskError::unknown);
            Some(OutputResult::Error { code, message, uri: context.paths.error.clone() })
        }
        EventPhase::Undefined
        | EventPhase::WaitingForResources
        | EventPhase::Queued
        | EventPhase::Initializing
        | EventPhase::Running
        | EventPhase::Skipped
        | EventPhase::TimedOut
        | EventPhase::Aborted => None,
    }
}

/// What a recorder's answer means to its caller.
#[derive(Debug)]
pub enum Recorded {
    /// It is recorded, now or before.
    Yes,
    /// It contradicts what is recorded: what it is about has ended.
    Conflict,
}

/// Takes a recorder's answer: what was recorded before is recorded.
///
/// # Errors
/// It was not recorded.
pub fn recorded(answer: Result<(), EventError>) -> Result<Recorded, super::error::SystemError> {
    match answer {
        Ok(()) | Err(EventError::AlreadyExists) => Ok(Recorded::Yes),
        Err(EventError::AlreadyInTerminalState) => Ok(Recorded::Conflict),
        Err(error @ (EventError::Failed(_) | EventError::NotFound | EventError::IncompatibleCluster)) => {
            Err(super::error::SystemError::caused_by("failed to record event", error))
        }
    }
}
