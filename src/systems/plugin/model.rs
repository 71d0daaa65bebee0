//! The phases of tasks, nodes and workflows, and which follows which: total functions on plain data. It must not know
//! executors, stores or time.

mod nodes;

pub use nodes::{Answer, Asked, NodePhase, Predicate, WorkflowPhase, downstream, predicate, transition};

use super::error::{TaskError, UnknownPhase};
use super::state::CustomState;
use crate::time::Duration;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The phase that an executor reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskPhase {
    /// Accepted, and not running yet.
    #[default]
    Queued,
    /// It runs.
    Running,
    /// This attempt is dead; another may be made.
    RetryableFailure,
    /// It failed for good.
    PermanentFailure,
    /// It is done.
    Succeeded,
    /// The executor cannot say.
    Undefined,
    /// Not accepted, as for want of quota: to be started again later. No attempt.
    NotReady,
    /// A number that is no phase.
    Unknown,
}

impl TaskPhase {
    /// All of them, by value.
    pub const ALL: [TaskPhase; 8] = [
        TaskPhase::Queued,
        TaskPhase::Running,
        TaskPhase::RetryableFailure,
        TaskPhase::PermanentFailure,
        TaskPhase::Succeeded,
        TaskPhase::Undefined,
        TaskPhase::NotReady,
        TaskPhase::Unknown,
    ];

    /// The phase of a number; what is no phase is unknown.
    pub fn from_value(value: u8) -> TaskPhase {
        TaskPhase::ALL.get(usize::from(value)).copied().unwrap_or(TaskPhase::Unknown)
    }

    /// Its number.
    pub fn value(self) -> u8 {
        match self {
            TaskPhase::Queued => 0,
            TaskPhase::Running => 1,
            TaskPhase::RetryableFailure => 2,
            TaskPhase::PermanentFailure => 3,
            TaskPhase::Succeeded => 4,
            TaskPhase::Undefined => 5,
            TaskPhase::NotReady => 6,
            TaskPhase::Unknown => 7,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            TaskPhase::Queued => "Queued",
            TaskPhase::Running => "Running",
            TaskPhase::RetryableFailure => "RetryableFailure",
            TaskPhase::PermanentFailure => "PermanentFailure",
            TaskPhase::Succeeded => "Succeeded",
            TaskPhase::Undefined => "Undefined",
            TaskPhase::NotReady => "NotReady",
            TaskPhase::Unknown => "Unknown",
        }
    }

    /// Whether the task as a whole has ended: no further attempt is made.
    pub fn is_terminal(self) -> bool {
        matches!(self, TaskPhase::Succeeded | TaskPhase::PermanentFailure)
    }

    /// Whether this attempt has ended: as [`TaskPhase::is_terminal`], or another attempt follows.
    pub fn ends_attempt(self) -> bool {
        self.is_terminal() || self == TaskPhase::RetryableFailure
    }

    /// Whether it is [`TaskPhase::Succeeded`].
    pub fn is_success(self) -> bool {
        self == TaskPhase::Succeeded
    }

    /// Whether it is [`TaskPhase::PermanentFailure`].
    pub fn is_permanent_failure(self) -> bool {
        self == TaskPhase::PermanentFailure
    }

    /// Whether it is [`TaskPhase::RetryableFailure`].
    pub fn is_retryable_failure(self) -> bool {
        self == TaskPhase::RetryableFailure
    }

    /// What it means for the node.
    ///
    /// # Errors
    /// It means nothing.
    pub fn asked(self) -> Result<Asked, UnknownPhase> {
        Ok(match self {
            TaskPhase::Queued | TaskPhase::Running => Asked::Running,
            TaskPhase::RetryableFailure => Asked::RetryableFailure,
            TaskPhase::PermanentFailure => Asked::Failed,
            TaskPhase::Succeeded => Asked::Success,
            TaskPhase::NotReady => Asked::Queued,
            TaskPhase::Undefined | TaskPhase::Unknown => return Err(UnknownPhase { name: self.name() }),
        })
    }

    /// What events say.
    pub fn event_phase(self) -> EventPhase {
        match self {
            TaskPhase::Queued => EventPhase::Queued,
            TaskPhase::Running => EventPhase::Running,
            TaskPhase::RetryableFailure | TaskPhase::PermanentFailure => EventPhase::Failed,
            TaskPhase::Succeeded => EventPhase::Succeeded,
            TaskPhase::Undefined | TaskPhase::NotReady | TaskPhase::Unknown => EventPhase::Undefined,
        }
    }

    /// The same phase in the successor's words.
    pub fn core(self) -> CorePhase {
        match self {
            TaskPhase::Queued => CorePhase::Queued,
            TaskPhase::Running => CorePhase::Running,
            TaskPhase::RetryableFailure => CorePhase::RetryableFailure,
            TaskPhase::PermanentFailure => CorePhase::PermanentFailure,
            TaskPhase::Succeeded => CorePhase::Success,
            TaskPhase::NotReady => CorePhase::NotReady,
            TaskPhase::Undefined | TaskPhase::Unknown => CorePhase::Undefined,
        }
    }
}

impl fmt::Display for TaskPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The phase that a plugin of the successor reports, and that is stored for both generations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CorePhase {
    /// The plugin cannot say.
    #[default]
    Undefined,
    /// Not accepted: to be handled again later.
    NotReady,
    /// Not accepted for want of resources.
    WaitingForResources,
    /// Accepted.
    Queued,
    /// It is being prepared.
    Initializing,
    /// It runs.
    Running,
    /// It is done.
    Success,
    /// This attempt is dead; another may be made.
    RetryableFailure,
    /// It failed for good.
    PermanentFailure,
    /// Another execution computes the same.
    WaitingForCache,
    /// It was aborted.
    Aborted,
}

impl CorePhase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            CorePhase::Undefined => "Undefined",
            CorePhase::NotReady => "NotReady",
            CorePhase::WaitingForResources => "WaitingForResources",
            CorePhase::Queued => "Queued",
            CorePhase::Initializing => "Initializing",
            CorePhase::Running => "Running",
            CorePhase::Success => "Success",
            CorePhase::RetryableFailure => "RetryableFailure",
            CorePhase::PermanentFailure => "PermanentFailure",
            CorePhase::WaitingForCache => "WaitingForCache",
            CorePhase::Aborted => "Aborted",
        }
    }

    /// Whether the attempt has ended, in the successor's sense of the word.
    pub fn is_terminal(self) -> bool {
        self.is_failure() || matches!(self, CorePhase::Success | CorePhase::Aborted)
    }

    /// Whether the attempt failed.
    pub fn is_failure(self) -> bool {
        matches!(self, CorePhase::RetryableFailure | CorePhase::PermanentFailure)
    }

    /// How far the attempt has come: it never goes back.
    pub fn rank(self) -> u8 {
        match self {
            CorePhase::Undefined
            | CorePhase::NotReady
            | CorePhase::WaitingForResources
            | CorePhase::WaitingForCache => 0,
            CorePhase::Queued => 1,
            CorePhase::Initializing => 2,
            CorePhase::Running => 3,
            CorePhase::Success
            | CorePhase::RetryableFailure
            | CorePhase::PermanentFailure
            | CorePhase::Aborted => 4,
        }
    }

    /// What events say.
    pub fn event_phase(self) -> EventPhase {
        match self {
            CorePhase::Undefined | CorePhase::NotReady | CorePhase::WaitingForCache => EventPhase::Undefined,
            CorePhase::WaitingForResources => EventPhase::WaitingForResources,
            CorePhase::Queued => EventPhase::Queued,
            CorePhase::Initializing => EventPhase::Initializing,
            CorePhase::Running => EventPhase::Running,
            CorePhase::Success => EventPhase::Succeeded,
            CorePhase::RetryableFailure | CorePhase::PermanentFailure => EventPhase::Failed,
            CorePhase::Aborted => EventPhase::Aborted,
        }
    }

    /// The same phase in the words of the first generation; what it has no word for is as near as can be.
    pub fn task(self) -> TaskPhase {
        match self {
            CorePhase::Undefined | CorePhase::Aborted => TaskPhase::Undefined,
            CorePhase::NotReady | CorePhase::WaitingForResources | CorePhase::WaitingForCache => {
                TaskPhase::NotReady
            }
            CorePhase::Queued | CorePhase::Initializing => TaskPhase::Queued,
            CorePhase::Running => TaskPhase::Running,
            CorePhase::Success => TaskPhase::Succeeded,
            CorePhase::RetryableFailure => TaskPhase::RetryableFailure,
            CorePhase::PermanentFailure => TaskPhase::PermanentFailure,
        }
    }
}

impl fmt::Display for CorePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells reports of one phase apart; a new phase begins at 0 again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhaseVersion(pub u32);

impl PhaseVersion {
    /// The highest that a plugin may report.
    pub const MAX: PhaseVersion = PhaseVersion(100_000);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> PhaseVersion {
        PhaseVersion(self.0.saturating_add(1))
    }
}

impl fmt::Display for PhaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the start or the check of a task found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskStatus {
    /// The phase.
    pub phase: TaskPhase,
    /// The report within the phase.
    pub phase_version: PhaseVersion,
    /// Why it failed, if it did and says so.
    pub err: Option<TaskError>,
    /// What the executor is to be handed next time; none erases what is stored.
    pub state: Option<CustomState>,
    /// When, since the Unix epoch.
    pub occurred_at: Option<Duration>,
}

impl TaskStatus {
    /// It is not accepted.
    pub const NOT_READY: TaskStatus = TaskStatus::of(TaskPhase::NotReady);
    /// It is accepted.
    pub const QUEUED: TaskStatus = TaskStatus::of(TaskPhase::Queued);
    /// It runs.
    pub const RUNNING: TaskStatus = TaskStatus::of(TaskPhase::Running);
    /// It is done.
    pub const SUCCEEDED: TaskStatus = TaskStatus::of(TaskPhase::Succeeded);
    /// Nobody can say.
    pub const UNDEFINED: TaskStatus = TaskStatus::of(TaskPhase::Undefined);
    /// No phase.
    pub const UNKNOWN: TaskStatus = TaskStatus::of(TaskPhase::Unknown);

    /// A phase alone.
    pub const fn of(phase: TaskPhase) -> TaskStatus {
        TaskStatus { phase, phase_version: PhaseVersion(0), err: None, state: None, occurred_at: None }
    }

    /// Not accepted, and why.
    pub fn not_ready_failure(err: TaskError) -> TaskStatus {
        TaskStatus { err: Some(err), ..TaskStatus::NOT_READY }
    }

    /// This attempt is dead, and why.
    pub fn retryable_failure(err: TaskError) -> TaskStatus {
        TaskStatus { err: Some(err), ..TaskStatus::of(TaskPhase::RetryableFailure) }
    }

    /// It failed for good, and why.
    pub fn permanent_failure(err: TaskError) -> TaskStatus {
        TaskStatus { err: Some(err), ..TaskStatus::of(TaskPhase::PermanentFailure) }
    }

    /// With this version.
    #[must_use]
    pub fn with_phase_version(self, phase_version: PhaseVersion) -> TaskStatus {
        TaskStatus { phase_version, ..self }
    }

    /// With this state.
    #[must_use]
    pub fn with_state(self, state: CustomState) -> TaskStatus {
        TaskStatus { state: Some(state), ..self }
    }

    /// With this time.
    #[must_use]
    pub fn with_occurred_at(self, occurred_at: Duration) -> TaskStatus {
        TaskStatus { occurred_at: Some(occurred_at), ..self }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{Phase: {}, Version: {}, At: ", self.phase, self.phase_version)?;
        match self.occurred_at {
            Some(at) => write!(f, "{at:?}")?,
            None => f.write_str("unset")?,
        }
        if let Some(err) = &self.err {
            write!(f, ", Err: {err}")?;
        }
        write!(f, ", CustomStateLen: {}}}", self.state.as_ref().map_or(0, CustomState::len))
    }
}

/// What an event says of a task, a node or a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventPhase {
    /// Nothing that has a name.
    Undefined,
    /// There is no room for it.
    WaitingForResources,
    /// It waits.
    Queued,
    /// It is being prepared.
    Initializing,
    /// It runs.
    Running,
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
    /// It was passed over.
    Skipped,
    /// It took too long.
    TimedOut,
    /// It was aborted.
    Aborted,
}

impl EventPhase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            EventPhase::Undefined => "UNDEFINED",
            EventPhase::WaitingForResources => "WAITING_FOR_RESOURCES",
            EventPhase::Queued => "QUEUED",
            EventPhase::Initializing => "INITIALIZING",
            EventPhase::Running => "RUNNING",
            EventPhase::Succeeded => "SUCCEEDED",
            EventPhase::Failed => "FAILED",
            EventPhase::Skipped => "SKIPPED",
            EventPhase::TimedOut => "TIMED_OUT",
            EventPhase::Aborted => "ABORTED",
        }
    }

    /// Whether nothing may follow.
    pub fn is_terminal(self) -> bool {
        self.rank() == 4
    }

    /// How far it has come.
    pub fn rank(self) -> u8 {
        match self {
            EventPhase::Undefined | EventPhase::WaitingForResources => 0,
            EventPhase::Queued => 1,
            EventPhase::Initializing => 2,
            EventPhase::Running => 3,
            EventPhase::Succeeded
            | EventPhase::Failed
            | EventPhase::Skipped
            | EventPhase::TimedOut
            | EventPhase::Aborted => 4,
        }
    }
}
