//! What goes wrong: with one task, with a pass, with what is around it. Typed in one place, with the texts of the
//! reference; it must not know how the engine comes to them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The name under which something is told to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventName {
    /// A step names a task that there is not.
    UnknownTaskName,
    /// A task could not be built from its settings.
    TaskBuildError,
    /// A phase of the plan has no status.
    MissingPhaseStatus,
    /// A step of the plan has no status.
    MissingStepStatus,
    /// A template is missing or cannot be rendered.
    TaskRenderingError,
    /// What was rendered could not be completed with labels and owners.
    TaskEnhancementError,
    /// A dummy failed as it was told to.
    DummyTaskError,
    /// What was rendered is no resource.
    ResourceUnmarshalError,
    /// A resource is one that the cluster does not take.
    ResourceValidationError,
    /// A resource has failed for good.
    FailedTerminalStateError,
    /// A pipe failed.
    PipeTaskError,
    /// A toggle's parameter is missing or no yes or no.
    ToggleTaskError,
    /// A plan is one that cannot be carried out.
    InvalidPlan,
    /// Parameters are missing or not of their kind.
    InvalidParams,
    /// Operators depend on each other in a circle.
    CircularDependency,
    /// The operator version of an instance is not there.
    InvalidOperatorVersion,
    /// A child is not to be run, inside a plan that runs.
    UnreadyChild,
    /// A plan began.
    PlanStarted,
    /// A plan ended.
    PlanFinished,
}

impl EventName {
    /// Its text.
    pub fn name(self) -> &'static str {
        match self {
            EventName::UnknownTaskName => "UnknownTaskName",
            EventName::TaskBuildError => "TaskBuildError",
            EventName::MissingPhaseStatus => "MissingPhaseStatus",
            EventName::MissingStepStatus => "MissingStepStatus",
            EventName::TaskRenderingError => "TaskRenderingError",
            EventName::TaskEnhancementError => "TaskEnhancementError",
            EventName::DummyTaskError => "DummyTaskError",
            EventName::ResourceUnmarshalError => "ResourceUnmarshalError",
            EventName::ResourceValidationError => "ResourceValidationError",
            EventName::FailedTerminalStateError => "FailedTerminalStateError",
            EventName::PipeTaskError => "PipeTaskError",
            EventName::ToggleTaskError => "ToggleTaskError",
            EventName::InvalidPlan => "InvalidPlan",
            EventName::InvalidParams => "InvalidParams",
            EventName::CircularDependency => "CircularDependency",
            EventName::InvalidOperatorVersion => "InvalidOperatorVersion",
            EventName::UnreadyChild => "UnreadyChild",
            EventName::PlanStarted => "PlanStarted",
            EventName::PlanFinished => "PlanFinished",
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The mark of errors that are not tried again. An error is fatal if this is anywhere in its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fatal error: ")]
pub struct FatalExecution;

/// The error of one task, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatalTask {
    /// Namespace and name of the instance.
    pub instance: String,
    /// Plan, phase, step and task.
    pub place: String,
    /// What happened: formatted, and not part of the chain.
    pub cause: String,
}

impl fmt::Display for FatalTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FatalExecution}{} failed in {}: {}", self.instance, self.place, self.cause)
    }
}

impl Error for FatalTask {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&FatalExecution)
    }
}

/// A plan that does not fit its status, its tasks or its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatalPlan {
    /// Namespace and name of the instance.
    pub instance: String,
    /// What does not fit.
    pub cause: String,
}

impl fmt::Display for FatalPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two blanks after the colon: the reference's mark ends in one.
        write!(f, "{} {FatalExecution} {}", self.instance, self.cause)
    }
}

impl Error for FatalPlan {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&FatalExecution)
    }
}

/// An error and the name of the event that tells of it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Error during execution: {source}")]
pub struct ExecutionError {
    /// The error.
    pub source: Arc<dyn Error + Send + Sync>,
    /// The event's name.
    pub event: EventName,
}

impl ExecutionError {
    /// An error told under that name.
    pub fn new(event: EventName, source: impl Error + Send + Sync + 'static) -> ExecutionError {
        ExecutionError { source: Arc::new(source), event }
    }

    /// Whether it is not tried again.
    pub fn is_fatal(&self) -> bool {
        is_fatal(self)
    }
}

/// Why a pass made its plan `FATAL_ERROR`: an error as it came, which may have a name to be told under.
#[derive(Clone, Debug)]
pub struct PassError(Arc<dyn Error + Send + Sync>);

impl PassError {
    /// An error as it is.
    pub fn new(error: impl Error + Send + Sync + 'static) -> PassError {
        PassError(Arc::new(error))
    }

    /// The name that it is told under: that of the first [`ExecutionError`] in its chain.
    pub fn event(&self) -> Option<EventName> {
        chain(&*self.0).find_map(|error| error.downcast_ref::<ExecutionError>()).map(|error| error.event)
    }

    /// Whether it is not tried again.
    pub fn is_fatal(&self) -> bool {
        is_fatal(&*self.0)
    }
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for PassError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl From<ExecutionError> for PassError {
    fn from(error: ExecutionError) -> PassError {
        PassError::new(error)
    }
}

/// Two are one that say the same under the same name.
impl PartialEq for PassError {
    fn eq(&self, other: &PassError) -> bool {
        (self.event(), self.to_string()) == (other.event(), other.to_string())
    }
}

impl Eq for PassError {}

/// What keeps a plan from being carried out at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprepared(pub String);

impl fmt::Display for Unprepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FatalExecution}{}", self.0)
    }
}

impl Error for Unprepared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&FatalExecution)
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        error.source()
    })
}

/// Whether an error is not to be tried again: the mark is anywhere in its chain.
pub fn is_fatal(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| error.is::<FatalExecution>())
}

/// What a task answers, once per pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is not done yet, and nothing is wrong.
    Pending,
    /// It failed, and is tried again in the next pass.
    Transient(String),
    /// It failed for good.
    Fatal {
        /// The name that it is told under.
        event: EventName,
        /// Why.
        cause: String,
    },
    /// It failed for good with an error of its own, which is told as it is.
    Failed(PassError),
    /// It could not be built.
    Unbuilt(String),
}

impl Answer {
    /// It failed for good.
    pub fn fatal(event: EventName, cause: impl fmt::Display) -> Answer {
        Answer::Fatal { event, cause: cause.to_string() }
    }

    /// It failed, and is tried again.
    pub fn transient(cause: impl fmt::Display) -> Answer {
        Answer::Transient(cause.to_string())
    }

    /// The word for it in records.
    pub fn name(&self) -> &'static str {
        match self {
            Answer::Done => "done",
            Answer::Pending => "not done",
            Answer::Transient(_) => "transient error",
            Answer::Fatal { .. } | Answer::Failed(_) => "fatal error",
            Answer::Unbuilt(_) => "not built",
        }
    }
}

/// The reference's form of an answer: whether it is done, and an error. An error wins; one that has the mark of
/// [`FatalExecution`] in its chain is fatal, and stays as it is.
impl<E: Error + Send + Sync + 'static> From<(bool, Result<(), E>)> for Answer {
    fn from((done, result): (bool, Result<(), E>)) -> Answer {
        match result {
            Err(error) if is_fatal(&error) => Answer::Failed(PassError::new(error)),
            Err(error) => Answer::transient(error),
            Ok(()) if done => Answer::Done,
            Ok(()) => Answer::Pending,
        }
    }
}
