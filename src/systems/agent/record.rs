//! What happened on the nodes and at their manager, as one ordered event log: for properties, stories and timelines. It
//! judges nothing.

use super::controller::Op;
use super::model::Next;
use super::state::{DesiredState, TaskState};
use super::task::{TaskId, TaskStatus};
use crate::trace::{Record, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How an operation of a controller ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpEnd {
    /// Well.
    Done,
    /// It had been done before.
    Already,
    /// A new definition was refused.
    Refused,
    /// It was interrupted, as whoever asked for it had cancelled it.
    Interrupted,
    /// It was cut short, and not by whoever asked for it: it took too long.
    Expired,
    /// It failed, and may not fail again.
    Temporary,
    /// It failed; with the code that a process exited with, if that was it.
    Failed(Option<i32>),
    /// Whoever had asked for it stopped waiting.
    Dropped,
}

impl OpEnd {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            OpEnd::Done => "ok",
            OpEnd::Already => "already",
            OpEnd::Refused => "refused",
            OpEnd::Interrupted => "interrupted",
            OpEnd::Expired => "expired",
            OpEnd::Temporary => "temporary",
            OpEnd::Failed(_) => "failed",
            OpEnd::Dropped => "dropped",
        }
    }
}

/// What became of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerChange {
    /// Its image is there.
    Pulled,
    /// It is there.
    Created,
    /// Its process runs.
    Started,
    /// Its process is to end.
    Stopped,
    /// It is gone.
    Removed,
}

impl ContainerChange {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ContainerChange::Pulled => "pulled",
            ContainerChange::Created => "created",
            ContainerChange::Started => "started",
            ContainerChange::Stopped => "stopped",
            ContainerChange::Removed => "removed",
        }
    }
}

/// Something that happened. `node` is where.
#[expect(missing_docs, reason = "the fields are what the sentence of their event calls them")]
#[derive(Clone, Debug, PartialEq)]
pub enum AgentEvent {
    /// The manager wants a task on the node, and so far.
    Wanted { node: Arc<str>, task: TaskId, desired: DesiredState },
    /// The manager wants nothing of the task any more.
    Unwanted { node: Arc<str>, task: TaskId },
    /// The manager recorded a status of a task.
    Recorded { node: Arc<str>, task: TaskId, state: TaskState },
    /// A session with the manager began.
    SessionOpened { node: Arc<str>, session: u64 },
    /// It ended.
    SessionClosed { node: Arc<str>, session: u64, reason: String },
    /// The agent has read what is durable on its node: the records that follow, and no others.
    Restored { node: Arc<str> },
    /// The agent has the record of a task that refers to these secrets and configs.
    Assigned { node: Arc<str>, task: TaskId, desired: DesiredState, needs: Arc<BTreeSet<String>> },
    /// The agent is to remove the task.
    Unassigned { node: Arc<str>, task: TaskId },
    /// What the node holds of secrets and configs.
    Holds { node: Arc<str>, dependencies: Arc<BTreeSet<String>> },
    /// A task asked for a secret or config; under which key it was found, and which id it had there.
    Looked { node: Arc<str>, task: TaskId, asked: String, key: String, held: String },
    /// The executor was asked for the controller of a task; why there is none, if so.
    Resolved { node: Arc<str>, task: TaskId, state: TaskState, err: Option<String> },
    /// The status of a task is durable on the node.
    Stored { node: Arc<str>, task: TaskId, state: TaskState },
    /// The status of a task was told to those who listen.
    Heard { node: Arc<str>, task: TaskId, state: TaskState },
    /// The agent has no record of the task any more.
    RecordDeleted { node: Arc<str>, task: TaskId },
    /// All that the task used is free.
    Removed { node: Arc<str>, task: TaskId },
    /// A task's manager took a definition.
    Accepted { node: Arc<str>, task: TaskId, desired: DesiredState, version: u64 },
    /// A task's manager did not take a definition, which is for the task `about`.
    Ignored { node: Arc<str>, task: TaskId, about: TaskId, reason: &'static str },
    /// A step of the task began.
    DoBegan { node: Arc<str>, task: TaskId, step: u64, state: TaskState, desired: DesiredState },
    /// It ended.
    DoEnded {
        node: Arc<str>,
        task: TaskId,
        step: u64,
        desired: DesiredState,
        from: Arc<TaskStatus>,
        to: Arc<TaskStatus>,
        next: Next,
    },
    /// A controller began an operation. An update is `about` a task at a version.
    OpBegan { node: Arc<str>, task: TaskId, controller: u64, op: Op, about: TaskId, version: u64 },
    /// It ended.
    OpEnded { node: Arc<str>, task: TaskId, controller: u64, op: Op, end: OpEnd },
    /// Something is to end: `what`.
    Closing { node: Arc<str>, what: Arc<str> },
    /// It has ended.
    Closed { node: Arc<str>, what: Arc<str> },
    /// Something became of the container of a task.
    Container { node: Arc<str>, task: TaskId, change: ContainerChange },
}

impl AgentEvent {
    /// Where.
    pub fn node(&self) -> &Arc<str> {
        match self {
            AgentEvent::Restored { node }
            | AgentEvent::Wanted { node, .. }
            | AgentEvent::Unwanted { node, .. }
            | AgentEvent::Recorded { node, .. }
            | AgentEvent::SessionOpened { node, .. }
            | AgentEvent::SessionClosed { node, .. }
            | AgentEvent::Assigned { node, .. }
            | AgentEvent::Unassigned { node, .. }
            | AgentEvent::Holds { node, .. }
            | AgentEvent::Looked { node, .. }
            | AgentEvent::Resolved { node, .. }
            | AgentEvent::Stored { node, .. }
            | AgentEvent::Heard { node, .. }
            | AgentEvent::RecordDeleted { node, .. }
            | AgentEvent::Removed { node, .. }
            | AgentEvent::Accepted { node, .. }
            | AgentEvent::Ignored { node, .. }
            | AgentEvent::DoBegan { node, .. }
            | AgentEvent::DoEnded { node, .. }
            | AgentEvent::OpBegan { node, .. }
            | AgentEvent::OpEnded { node, .. }
            | AgentEvent::Closing { node, .. }
            | AgentEvent::Closed { node, .. }
            | AgentEvent::Container { node, .. } => node,
        }
    }

    /// Which task it is about, if it is about one.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            AgentEvent::Wanted { task, .. }
            | AgentEvent::Unwanted { task, .. }
            | AgentEvent::Recorded { task, .. }
            | AgentEvent::Assigned { task, .. }
            | AgentEvent::Unassigned { task, .. }
            | AgentEvent::Looked { task, .. }
            | AgentEvent::Resolved { task, .. }
            | AgentEvent::Stored { task, .. }
            | AgentEvent::Heard { task, .. }
            | AgentEvent::RecordDeleted { task, .. }
            | AgentEvent::Removed { task, .. }
            | AgentEvent::Accepted { task, .. }
            | AgentEvent::Ignored { task, .. }
            | AgentEvent::DoBegan { task, .. }
            | AgentEvent::DoEnded { task, .. }
            | AgentEvent::OpBegan { task, .. }
            | AgentEvent::OpEnded { task, .. }
            | AgentEvent::Container { task, .. } => Some(task),
            AgentEvent::SessionOpened { .. }
            | AgentEvent::SessionClosed { .. }
            | AgentEvent::Restored { .. }
            | AgentEvent::Holds { .. }
            | AgentEvent::Closing { .. }
            | AgentEvent::Closed { .. } => None,
        }
    }
}

impl Record for AgentEvent {
    fn name(&self) -> &'static str {
        match self {
            AgentEvent::Wanted { .. } => "manager.wants",
            AgentEvent::Unwanted { .. } => "manager.wants-no-more",
            AgentEvent::Recorded { .. } => "manager.recorded",
            AgentEvent::SessionOpened { .. } => "session.opened",
            AgentEvent::SessionClosed { .. } => "session.closed",
            AgentEvent::Restored { .. } => "agent.restored",
            AgentEvent::Assigned { .. } => "agent.assigned",
            AgentEvent::Unassigned { .. } => "agent.unassigned",
            AgentEvent::Holds { .. } => "agent.holds",
            AgentEvent::Looked { .. } => "agent.looked",
            AgentEvent::Resolved { .. } => "agent.resolved",
            AgentEvent::Stored { .. } => "agent.stored",
            AgentEvent::Heard { .. } => "agent.told",
            AgentEvent::RecordDeleted { .. } => "agent.record-deleted",
            AgentEvent::Removed { .. } => "agent.removed",
            AgentEvent::Accepted { .. } => "task.accepted",
            AgentEvent::Ignored { .. } => "task.ignored",
            AgentEvent::DoBegan { .. } => "task.step",
            AgentEvent::DoEnded { .. } => "task.stepped",
            AgentEvent::OpBegan { .. } => "controller.began",
            AgentEvent::OpEnded { .. } => "controller.ended",
            AgentEvent::Closing { .. } => "agent.closing",
            AgentEvent::Closed { .. } => "agent.closed",
            AgentEvent::Container { change, .. } => match change {
                ContainerChange::Pulled => "container.pulled",
                ContainerChange::Created => "container.created",
                ContainerChange::Started => "container.started",
                ContainerChange::Stopped => "container.stopped",
                ContainerChange::Removed => "container.removed",
            },
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        if let Some(task) = self.task() {
            visit("task", Value::Str(task.as_str()));
        }
        visit("node", Value::Str(self.node()));
        self.own_fields(visit);
    }
}

impl AgentEvent {
    fn own_fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            AgentEvent::Wanted { desired, .. } => visit("desired", Value::Str(desired.name())),
            AgentEvent::Assigned { desired, needs, .. } => {
                visit("desired", Value::Str(desired.name()));
                visit("needs", Value::U64(needs.len() as u64));
            }
            AgentEvent::Accepted { desired, version, .. } => {
                visit("desired", Value::Str(desired.name()));
                visit("version", Value::U64(*version));
            }
            AgentEvent::Recorded { state, .. }
            | AgentEvent::Stored { state, .. }
            | AgentEvent::Heard { state, .. } => visit("state", Value::Str(state.name())),
            AgentEvent::SessionOpened { session, .. } => visit("session", Value::U64(*session)),
            AgentEvent::SessionClosed { session, reason, .. } => {
                visit("session", Value::U64(*session));
                visit("reason", Value::Str(reason));
            }
            AgentEvent::Holds { dependencies, .. } => {
                let all = dependencies.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                visit("dependencies", Value::Str(&all));
            }
            AgentEvent::Looked { asked, key, held, .. } => {
                visit("asked", Value::Str(asked));
                visit("key", Value::Str(key));
                visit("held", Value::Str(held));
            }
            AgentEvent::Resolved { state, err, .. } => {
                visit("state", Value::Str(state.name()));
                visit("err", Value::Str(err.as_deref().unwrap_or_default()));
            }
            AgentEvent::Ignored { about, reason, .. } => {
                visit("about", Value::Str(about.as_str()));
                visit("reason", Value::Str(reason));
            }
            AgentEvent::DoBegan { step, state, desired, .. } => {
                visit("step", Value::U64(*step));
                visit("state", Value::Str(state.name()));
                visit("desired", Value::Str(desired.name()));
            }
            AgentEvent::DoEnded { step, to, next, .. } => {
                visit("step", Value::U64(*step));
                visit("state", Value::Str(to.state.name()));
                visit("err", Value::Str(to.err.as_deref().unwrap_or_default()));
                visit("exit-code", Value::I64(i64::from(to.exit_code().unwrap_or(0))));
                visit("next", Value::Str(next_name(*next)));
            }
            AgentEvent::OpBegan { controller, op, version, .. } => {
                visit("controller", Value::U64(*controller));
                visit("op", Value::Str(op.name()));
                visit("version", Value::U64(*version));
            }
            AgentEvent::OpEnded { controller, op, end, .. } => {
                visit("controller", Value::U64(*controller));
                visit("op", Value::Str(op.name()));
                visit("end", Value::Str(end.name()));
            }
            AgentEvent::Closing { what, .. } | AgentEvent::Closed { what, .. } => {
                visit("what", Value::Str(what));
            }
            AgentEvent::Restored { .. }
            | AgentEvent::Unwanted { .. }
            | AgentEvent::Unassigned { .. }
            | AgentEvent::RecordDeleted { .. }
            | AgentEvent::Removed { .. }
            | AgentEvent::Container { .. } => {}
        }
    }
}

fn next_name(next: Next) -> &'static str {
    match next {
        Next::Advance => "advance",
        Next::Noop => "noop",
        Next::Retry => "retry",
    }
}
