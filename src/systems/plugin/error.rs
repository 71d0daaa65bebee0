//! Why something did not go well: outcomes of tasks, which are data, and system errors, which discard a round. Separate
//! because every part speaks of both and must not mix them up.

use serde::{Deserialize, Serialize};
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A cause, shared.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Who is to blame for a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The task's author.
    #[default]
    User,
    /// The platform.
    System,
}

impl ErrorKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::User => "USER",
            ErrorKind::System => "SYSTEM",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a failed task says: the outcome of an attempt, not an error of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TaskError {
    /// What kind of failure, as one word.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Who is to blame.
    #[serde(default)]
    pub kind: ErrorKind,
}

/// The codes that the engine itself uses.
pub mod codes {
    /// Something that the engine needed failed; the message tells what.
    pub const CAUSED_BY: &str = "CausedByError";
    /// A node's specification cannot be used.
    pub const BAD_SPECIFICATION: &str = "BadSpecificationError";
    /// Nobody executes tasks of that type.
    pub const UNSUPPORTED_TASK_TYPE: &str = "UnsupportedTaskTypeError";
    /// The task succeeded and its outputs are not there.
    pub const OUTPUTS_NOT_FOUND: &str = "OutputsNotFound";
    /// The outputs are larger than allowed.
    pub const OUTPUT_SIZE_EXCEEDED: &str = "OutputSizeExceeded";
    /// An event of a failure whose error says no code.
    pub const UNKNOWN_TASK: &str = "UnknownTaskError";
    /// A plugin reported too many versions of one phase.
    pub const TOO_MANY_VERSIONS: &str = "TooManyPluginPhaseVersions";
    /// An attempt ran for too long.
    pub const TIMEOUT_EXPIRED: &str = "TimeoutExpired";
    /// An attempt was the last one; the code of its failure follows.
    pub const RETRIES_EXHAUSTED: &str = "RetriesExhausted";
    /// The control plane has another opinion of how it ended.
    pub const ILLEGAL_STATE: &str = "IllegalStateError";
}

impl TaskError {
    /// A failure that the user is to blame for.
    pub fn user(code: impl Into<String>, message: impl Into<String>) -> TaskError {
        TaskError { code: code.into(), message: message.into(), kind: ErrorKind::User }
    }

    /// A failure that the platform is to blame for.
    pub fn system(code: impl Into<String>, message: impl Into<String>) -> TaskError {
        TaskError { code: code.into(), message: message.into(), kind: ErrorKind::System }
    }

    /// A failure of which nothing is known.
    pub fn unknown() -> TaskError {
        TaskError::user(codes::UNKNOWN_TASK, "unknown reason")
    }

    /// What an error says of a task: the task error that it is or wraps, or its text under the code for what is unknown.
    pub fn of(error: &(dyn Error + 'static)) -> TaskError {
        TaskError::unwrapped(error).unwrap_or_else(|| TaskError::user(codes::UNKNOWN_TASK, error.to_string()))
    }

    /// The task error that an error is or wraps, however deep; one that wraps none keeps its text alone.
    pub fn unwrapped(error: &(dyn Error + 'static)) -> Option<TaskError> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<TaskError>() {
                return Some(found.clone());
            }
            next = error.source();
        }
        None
    }
}

/// What makes a round be thrown away and done again: no outcome of a task.
#[derive(Clone, Debug)]
pub struct SystemError {
    message: String,
    cause: Option<Cause>,
    panicked: bool,
}

impl SystemError {
    /// An error of these words.
    pub fn new(message: impl Into<String>) -> SystemError {
        SystemError { message: message.into(), cause: None, panicked: false }
    }

    /// An error with another behind it.
    pub fn caused_by(
        message: impl Into<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> SystemError {
        let cause: Box<dyn Error + Send + Sync> = cause.into();
        SystemError { message: message.into(), cause: Some(Arc::from(cause)), panicked: false }
    }

    /// The error of a panic that was caught.
    pub(super) fn of_panic(what: &str, payload: &(dyn Any + Send)) -> SystemError {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let text = text.unwrap_or_else(|| "a value that is no text".to_owned());
        SystemError { panicked: true, ..SystemError::new(format!("panic when {what}: {text}")) }
    }

    /// Whether a panic is behind it.
    pub fn is_panic(&self) -> bool {
        let behind = self.cause.as_ref().and_then(|cause| cause.downcast_ref::<SystemError>());
        self.panicked || behind.is_some_and(SystemError::is_panic)
    }

    /// Several errors as one, in their order.
    pub fn joined(errors: Vec<SystemError>) -> Option<SystemError> {
        if errors.len() < 2 {
            return errors.into_iter().next();
        }
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let panicked = errors.iter().any(SystemError::is_panic);
        Some(SystemError { panicked, ..SystemError::new(said.join("; ")) })
    }
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            None => f.write_str(&self.message),
            Some(cause) => write!(f, "{}: {cause}", self.message),
        }
    }
}

impl Error for SystemError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

/// A phase that means nothing to the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("received unknown task phase. [{name}]")]
pub struct UnknownPhase {
    /// The name of the phase.
    pub name: &'static str,
}

/// Why a task has no context to be called in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The node names no task.
    #[error("BadSpecificationError: node [{node}] has no task id")]
    NoTaskId {
        /// The node.
        node: String,
    },
    /// The workflow has no such task.
    #[error("BadSpecificationError: node [{node}]: task [{task}] not found in the workflow")]
    NoTask {
        /// The node.
        node: String,
        /// The task that it names.
        task: String,
    },
    /// Nobody executes it.
    #[error("UnsupportedTaskTypeError: node [{node}]: {source}")]
    Unsupported {
        /// The node.
        node: String,
        /// What the registry says.
        source: RegistryError,
    },
}

impl ContextError {
    /// Its code.
    pub fn code(&self) -> &'static str {
        match self {
            ContextError::NoTaskId { .. } | ContextError::NoTask { .. } => codes::BAD_SPECIFICATION,
            ContextError::Unsupported { .. } => codes::UNSUPPORTED_TASK_TYPE,
        }
    }
}

/// Why the registry refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// Two executors for one type.
    #[error(
        "an Executor already exists for TaskType [{task_type}]: [{existing}], so [{given}] cannot be registered"
    )]
    Duplicate {
        /// The type.
        task_type: String,
        /// The executor that has it.
        existing: String,
        /// The other.
        given: String,
    },
    /// Two defaults.
    #[error("a default Executor already exists: [{existing}], so [{given}] cannot be registered")]
    DuplicateDefault {
        /// The default.
        existing: String,
        /// The other.
        given: String,
    },
    /// Two executors of one id.
    #[error("an Executor of the id [{id}] is registered already, and is another one")]
    DuplicateId {
        /// The id.
        id: String,
    },
    /// A plugin whose names would not tell attempts apart.
    #[error("plugin [{id}] asks for names of at most {asked} letters: at least 8 are needed")]
    NameTooShort {
        /// The id.
        id: String,
        /// What it asks for.
        asked: usize,
    },
    /// None for that type.
    #[error("No Executor defined for TaskType [{task_type}] and no default executor is configured.")]
    NoExecutor {
        /// The type.
        task_type: String,
    },
}

/// Why outputs were not resolved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OutputsError {
    /// The store did not answer.
    #[error("failed to read data from dataDir [{file}]. Error: {cause}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        cause: SystemError,
    },
    /// There is no such file.
    #[error("outputs from Task [{task}] not found at [{file}]")]
    NotFound {
        /// The name of the attempt.
        task: String,
        /// The file.
        file: String,
    },
    /// The file does not hold the variable.
    #[error("failed to find [{task}].[{variable}]")]
    NoVariable {
        /// The name of the attempt.
        task: String,
        /// The variable.
        variable: String,
    },
}

/// What an event recorder refuses.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EventError {
    /// It was recorded before.
    #[error("the event was recorded already")]
    AlreadyExists,
    /// What it is about has ended otherwise.
    #[error("the execution is in a terminal state already")]
    AlreadyInTerminalState,
    /// Nobody knows what it is about.
    #[error("there is no such execution")]
    NotFound,
    /// What it is about runs elsewhere.
    #[error("the execution is another cluster's")]
    IncompatibleCluster,
    /// It was not recorded.
    #[error(transparent)]
    Failed(#[from] SystemError),
}

/// Why a catalog has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CatalogError {
    /// It was never put.
    #[error("there is no such entry in the catalog")]
    NotFound,
    /// The catalog failed.
    #[error(transparent)]
    Failed(#[from] SystemError),
}
