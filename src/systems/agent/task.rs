//! A task as agents know it: what it is, what is desired, how far it has come. Plain data.

use super::state::{DesiredState, TaskState};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The identity of a task. It is never used again.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// It as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for TaskId {
    fn from(text: T) -> TaskId {
        TaskId(Arc::from(text.as_ref()))
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> String {
        id.as_str().to_owned()
    }
}

impl Borrow<str> for TaskId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// What runs in its container.
    pub image: String,
    /// What changes without another container.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// The ids of the secrets that it may see.
    #[serde(default)]
    pub secrets: BTreeSet<String>,
    /// The ids of the configs that it may see.
    #[serde(default)]
    pub configs: BTreeSet<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its identity.
    pub id: TaskId,
    /// The version of its definition in the manager's store.
    pub version: u64,
    /// What it is.
    pub spec: TaskSpec,
    /// What is desired.
    pub desired: DesiredState,
    /// How far it has come.
    pub status: TaskStatus,
}

impl Task {
    /// A task that was just assigned and is to run.
    pub fn new(id: impl Into<TaskId>, image: &str) -> Task {
        Task {
            id: id.into(),
            version: 0,
            spec: TaskSpec { image: image.to_owned(), ..TaskSpec::default() },
            desired: DesiredState::RUNNING,
            status: TaskStatus { state: TaskState::Assigned, ..TaskStatus::default() },
        }
    }

    /// The same task with another desire.
    pub fn desiring(mut self, desired: impl Into<DesiredState>) -> Task {
        self.desired = desired.into();
        self
    }

    /// The same task in another state.
    pub fn at(mut self, state: TaskState) -> Task {
        self.status.state = state;
        self
    }

    /// Whether both are the same but for their status and version.
    pub fn is_stable_equal(&self, other: &Task) -> bool {
        self.id == other.id && self.spec == other.spec && self.desired == other.desired
    }
}

/// How far a task has come, and what is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// When it last changed: wall time in nanoseconds since 1970. It does not go back.
    pub timestamp: Option<u64>,
    /// The state.
    pub state: TaskState,
    /// What brought it there.
    pub message: String,
    /// What went wrong; none after a transition that succeeded.
    pub err: Option<String>,
    /// Its container, if it has come so far.
    pub container: Option<ContainerStatus>,
    /// Its ports.
    pub ports: Option<PortStatus>,
    /// The node that a manager had it from.
    #[serde(default)]
    pub applied_by: Option<String>,
    /// When the manager recorded it.
    #[serde(default)]
    pub applied_at: Option<u64>,
}

impl TaskStatus {
    /// A status in a state.
    pub fn of(state: TaskState, message: &str) -> TaskStatus {
        TaskStatus { state, message: message.to_owned(), ..TaskStatus::default() }
    }

    /// Whether both say the same, whenever they said it.
    pub fn is_stable_equal(&self, other: &TaskStatus) -> bool {
        let TaskStatus { timestamp: _, state, message, err, container, ports, applied_by, applied_at: _ } =
            self;
        (*state, message, err, container) == (other.state, &other.message, &other.err, &other.container)
            && (ports, applied_by) == (&other.ports, &other.applied_by)
    }

    /// The exit code of its container, if there is one.
    pub fn exit_code(&self) -> Option<i32> {
        self.container.as_ref().map(|container| container.exit_code)
    }
}

/// A container, as its runtime tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Its id at the runtime.
    pub id: String,
    /// Its process, 0 if it has none.
    pub pid: u32,
    /// How it exited, 0 as long as it did not.
    pub exit_code: i32,
}

/// The ports of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStatus {
    /// The ports that are published.
    pub published: Vec<u16>,
}
