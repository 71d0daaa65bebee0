//! The states of a task, as observed by an agent and as desired by a manager: two types, since some states can only be
//! desired. Separate because everything else speaks of them; it must not know who moves a task.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How far a task has come: a clock that only goes forward. The gaps between the values are for later insertions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[repr(u16)]
pub enum TaskState {
    /// It was made.
    #[default]
    New = 0,
    /// It waits for a node.
    Pending = 64,
    /// It has a node, which may not know yet.
    Assigned = 192,
    /// The node has taken it. A pause: nothing happens unless more is desired.
    Accepted = 256,
    /// All that it needs is being acquired. Active: it goes on past what is desired.
    Preparing = 320,
    /// All that it needs is there. A pause.
    Ready = 384,
    /// It is being started. Active.
    Starting = 448,
    /// It runs. Active.
    Running = 512,
    /// It ended well by itself.
    Complete = 576,
    /// It was stopped as desired.
    Shutdown = 640,
    /// It failed after it had begun to start.
    Failed = 704,
    /// It failed before that.
    Rejected = 768,
}

impl TaskState {
    /// All of them, in order.
    pub const ALL: [TaskState; 12] = [
        TaskState::New,
        TaskState::Pending,
        TaskState::Assigned,
        TaskState::Accepted,
        TaskState::Preparing,
        TaskState::Ready,
        TaskState::Starting,
        TaskState::Running,
        TaskState::Complete,
        TaskState::Shutdown,
        TaskState::Failed,
        TaskState::Rejected,
    ];

    /// The number that it has on the wire.
    pub const fn value(self) -> u16 {
        self as u16
    }

    /// The state of a number; none for one that cannot be observed, such as that of [`DesiredState::REMOVE`].
    pub fn from_value(value: u16) -> Option<TaskState> {
        TaskState::ALL.into_iter().find(|state| state.value() == value)
    }

    /// Whether nothing comes after it.
    pub fn is_terminal(self) -> bool {
        self >= TaskState::Complete
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            TaskState::New => "NEW",
            TaskState::Pending => "PENDING",
            TaskState::Assigned => "ASSIGNED",
            TaskState::Accepted => "ACCEPTED",
            TaskState::Preparing => "PREPARING",
            TaskState::Ready => "READY",
            TaskState::Starting => "STARTING",
            TaskState::Running => "RUNNING",
            TaskState::Complete => "COMPLETE",
            TaskState::Shutdown => "SHUTDOWN",
            TaskState::Failed => "FAILED",
            TaskState::Rejected => "REJECTED",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How far a manager wants a task to come: a state, or [`DesiredState::REMOVE`]. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DesiredState(u16);

/// A desired state that is lower than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ignoring task update with invalid desired state: {to} after {from}")]
pub struct LowerDesiredState {
    /// What was desired.
    pub from: DesiredState,
    /// What was asked for.
    pub to: DesiredState,
}

/// The number of a state that only a manager records: the node was lost.
const ORPHANED: u16 = 832;

impl DesiredState {
    /// The task is to run.
    pub const RUNNING: DesiredState = DesiredState::of(TaskState::Running);
    /// The task is to be stopped.
    pub const SHUTDOWN: DesiredState = DesiredState::of(TaskState::Shutdown);
    /// The task is to be stopped, and its record deleted then. No task is ever observed so.
    pub const REMOVE: DesiredState = DesiredState(800);

    /// A state as a desire.
    pub const fn of(state: TaskState) -> DesiredState {
        DesiredState(state.value())
    }

    /// The number that it has on the wire.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Wants more.
    ///
    /// # Errors
    /// It is less; nothing changes.
    pub fn raise(&mut self, to: DesiredState) -> Result<(), LowerDesiredState> {
        if to < *self {
            return Err(LowerDesiredState { from: *self, to });
        }
        *self = to;
        Ok(())
    }

    /// Whether a task in this state has come far enough.
    pub fn is_reached_by(self, state: TaskState) -> bool {
        state.value() >= self.0
    }

    /// Whether a task in this state has come further.
    pub fn is_passed_by(self, state: TaskState) -> bool {
        state.value() > self.0
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TaskState::from_value(self.0).map_or("REMOVE", TaskState::name)
    }
}

impl From<TaskState> for DesiredState {
    fn from(state: TaskState) -> DesiredState {
        DesiredState::of(state)
    }
}

impl fmt::Display for DesiredState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<DesiredState> for String {
    fn from(desired: DesiredState) -> String {
        desired.name().to_owned()
    }
}

/// A text that names no state that can be desired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no desired state\nhelp: a state such as \"READY\", \"RUNNING\", \"SHUTDOWN\", or \"REMOVE\""
)]
pub struct UnknownDesiredState {
    /// The text.
    pub given: String,
}

impl TryFrom<String> for DesiredState {
    type Error = UnknownDesiredState;

    fn try_from(given: String) -> Result<DesiredState, UnknownDesiredState> {
        if given == DesiredState::REMOVE.name() {
            return Ok(DesiredState::REMOVE);
        }
        let found = TaskState::ALL.into_iter().find(|state| state.name() == given);
        found.map(DesiredState::of).ok_or(UnknownDesiredState { given })
    }
}

impl TryFrom<u16> for DesiredState {
    type Error = UnknownDesiredState;

    fn try_from(value: u16) -> Result<DesiredState, UnknownDesiredState> {
        let is_known = TaskState::from_value(value).is_some() || value == DesiredState::REMOVE.0;
        match is_known && value != ORPHANED {
            true => Ok(DesiredState(value)),
            false => Err(UnknownDesiredState { given: value.to_string() }),
        }
    }
}
