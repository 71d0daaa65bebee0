//! What goes wrong with a task, as one type: what a controller says decides whether the task failed, is tried again, or
//! was only interrupted. Separate because controllers, the model and the agent all speak of it.

use super::task::ContainerStatus;
use crate::fault::Injected;
pub use crate::systems::BoxError;
use crate::time::Elapsed;
use std::error::Error;
use std::fmt;

/// What an error is, by identity: one that wraps another is not the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The executor cannot run this runtime.
    RuntimeUnsupported,
    /// The answer of a `prepare` that has nothing to do.
    TaskPrepared,
    /// The answer of a `start` that has nothing to do; whether the task still runs it does not say.
    TaskStarted,
    /// The controller refuses the new definition.
    TaskUpdateRejected,
    /// The controller was closed.
    ControllerClosed,
    /// Something that the task needs is not there yet.
    DependencyNotReady,
    /// The operation was cancelled by whoever asked for it.
    Cancelled,
    /// The operation took longer than it may.
    DeadlineExceeded,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// The text of an error of this kind that nobody gave another one.
    pub fn text(self) -> &'static str {
        match self {
            ErrorKind::RuntimeUnsupported => "exec: unsupported runtime",
            ErrorKind::TaskPrepared => "exec: task already prepared",
            ErrorKind::TaskStarted => "exec: task already started",
            ErrorKind::TaskUpdateRejected => "exec: task update rejected",
            ErrorKind::ControllerClosed => "exec: controller closed",
            ErrorKind::DependencyNotReady => "dependency not ready",
            ErrorKind::Cancelled => "context canceled",
            ErrorKind::DeadlineExceeded => "context deadline exceeded",
            ErrorKind::Other => "unknown error",
        }
    }
}

/// An error of any type that says whether trying again may help: [`TaskError::telling`] passes that on.
pub trait Temporary: Error + Send + Sync + 'static {
    /// Whether it may.
    fn is_temporary(&self) -> bool;
}

/// Why an operation on a task did not succeed.
#[derive(Debug)]
pub struct TaskError {
    kind: ErrorKind,
    message: String,
    /// Whether it says that trying again may help; none if it does not say.
    temporary: Option<bool>,
    /// How the task's process exited, if that is the error.
    exit_code: Option<i32>,
    /// The container as it was then.
    container: Option<ContainerStatus>,
    source: Option<BoxError>,
}

impl TaskError {
    /// An error with a text.
    pub fn new(message: impl Into<String>) -> TaskError {
        TaskError { message: message.into(), ..TaskError::from(ErrorKind::Other) }
    }

    /// An error that adds what was tried to its cause: `message: cause`.
    pub fn wrap(message: &str, source: impl Into<BoxError>) -> TaskError {
        let source = source.into();
        TaskError { source: Some(source), ..TaskError::new(message) }
    }

    /// The error of a process that exited with this code: `task: non-zero exit (N)`, and the cause if there is one.
    pub fn exit(code: i32, cause: Option<BoxError>) -> TaskError {
        let message = format!("task: non-zero exit ({code})");
        TaskError { exit_code: Some(code), source: cause, ..TaskError::new(message) }
    }

    /// An error with the text of another one, which is its cause and says whether trying again may help.
    pub fn telling(source: impl Temporary) -> TaskError {
        let temporary = source.is_temporary();
        TaskError::wrap("", source).temporary(temporary)
    }

    /// This error, as one that says whether trying again may help.
    pub fn temporary(mut self, temporary: bool) -> TaskError {
        self.temporary = Some(temporary);
        self
    }

    /// This error with the code that a process exited with.
    pub fn with_exit_code(mut self, code: i32) -> TaskError {
        self.exit_code = Some(code);
        self
    }

    /// This error with the container as it was.
    pub fn with_container(mut self, container: ContainerStatus) -> TaskError {
        self.container = Some(container);
        self
    }

    /// What it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The exit code that it carries itself, wherever its causes have one.
    pub fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }

    /// The container status that it carries itself.
    pub fn container(&self) -> Option<&ContainerStatus> {
        self.container.as_ref()
    }

    /// Whether trying again may help: the nearest in the chain that says so or not decides.
    pub fn is_temporary(&self) -> bool {
        is_temporary(Some(self))
    }

    /// Whether the root of the chain is a cancellation or a deadline: then nothing failed.
    pub fn is_interruption(&self) -> bool {
        matches!(self.root_kind(), Some(ErrorKind::Cancelled | ErrorKind::DeadlineExceeded))
    }

    /// What the root of the chain is, where that is known.
    pub fn root_kind(&self) -> Option<ErrorKind> {
        let root = chain(self).last().expect("a chain begins with its error");
        let elapsed = root.is::<Elapsed>().then_some(ErrorKind::DeadlineExceeded);
        root.downcast_ref::<TaskError>().map(TaskError::kind).or(elapsed)
    }

    /// Its text, which always says something.
    pub fn text(&self) -> String {
        match self.to_string() {
            text if text.is_empty() => ErrorKind::Other.text().to_owned(),
            text => text,
        }
    }
}

/// Whether trying again may help: the nearest in the chain that says so or not decides. `None` is no error.
pub fn is_temporary(error: Option<&(dyn Error + 'static)>) -> bool {
    let Some(error) = error else { return false };
    let said = chain(error).find_map(|error| error.downcast_ref::<TaskError>()?.temporary);
    said.unwrap_or(false)
}

/// Makes an error one that says that trying again may help. One that says so is returned as it is; any other is wrapped
/// once, with its text and as the cause.
pub fn make_temporary(error: TaskError) -> TaskError {
    if error.is_temporary() {
        return error;
    }
    TaskError { source: Some(Box::new(error)), ..TaskError::new("").temporary(true) }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (**error).source())
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.message, &self.source) {
            ("", Some(source)) => source.fmt(f),
            ("", None) => f.write_str(self.kind.text()),
            (message, Some(source)) => write!(f, "{message}: {source}"),
            (message, None) => f.write_str(message),
        }
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl From<ErrorKind> for TaskError {
    fn from(kind: ErrorKind) -> TaskError {
        TaskError {
            kind,
            message: String::new(),
            temporary: None,
            exit_code: None,
            container: None,
            source: None,
        }
    }
}

impl From<Elapsed> for TaskError {
    fn from(elapsed: Elapsed) -> TaskError {
        let _ = elapsed;
        TaskError::from(ErrorKind::DeadlineExceeded)
    }
}

/// What a plan of faults makes up passes.
impl From<Injected> for TaskError {
    fn from(injected: Injected) -> TaskError {
        TaskError { source: Some(Box::new(injected)), ..TaskError::new("").temporary(true) }
    }
}

/// Why an agent did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// It was closed.
    #[error("agent: closed")]
    Closed,
    /// It was not started.
    #[error("agent: not started")]
    NotStarted,
    /// It was started before.
    #[error("agent: already started")]
    Started,
    /// There is no such task.
    #[error("agent: task unknown")]
    TaskUnknown,
}
