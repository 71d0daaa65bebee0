//! What goes wrong: with one action, and with a whole run. Separate so that causes are typed in one place; it
//! must not know how the engine comes to them.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::task::AbortHandle;
use crate::time::Duration;

use super::model::ActionRef;
use super::outcome::Outcome;

/// Why an action failed. Cheap to clone, because the outcome and the error of a run both hold it.
#[derive(Clone, Debug)]
pub enum ActionError {
    /// It returned an error.
    Failed(Arc<dyn Error + Send + Sync>),
    /// Its own timeout passed; its future was dropped.
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// It saw the cancellation and gave up.
    Cancelled,
    /// It panicked.
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Its task was dropped from outside before it ended.
    Aborted,
    /// It was retried, and this is how it ended.
    Retried {
        /// The error of the last attempt.
        last: Box<ActionError>,
        /// How many attempts were made.
        attempts: u32,
        /// A further attempt was due and the cancellation prevented it.
        cancelled: bool,
    },
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActionError::Failed(error) => write!(f, "{error}"),
            ActionError::TimedOut { after } => write!(f, "timed out after {after:?}"),
            ActionError::Cancelled => f.write_str("cancelled"),
            ActionError::Panicked { message } => write!(f, "panicked: {message}"),
            ActionError::Aborted => f.write_str("aborted"),
            ActionError::Retried { last, attempts, cancelled } => {
                let then = if *cancelled { ", then cancelled" } else { "" };
                write!(f, "{last} (attempt {attempts}{then})")
            }
        }
    }
}

/// Written out because the source of a failure is the error itself, not the `Arc` around it: who looks for a type in
/// the chain finds it.
impl Error for ActionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ActionError::Failed(error) => Some(&**error),
            ActionError::Retried { last, .. } => Some(&**last),
            ActionError::TimedOut { .. }
            | ActionError::Cancelled
            | ActionError::Panicked { .. }
            | ActionError::Aborted => None,
        }
    }
}

impl ActionError {
    /// Wraps any error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ActionError::Failed(Arc::from(error.into()))
    }

    /// From what a panic left.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        ActionError::Panicked { message: text.unwrap_or_else(|| "not a text".to_owned()) }
    }

    /// The cancellation had a part in it.
    pub fn is_cancelled(&self) -> bool {
        match self {
            ActionError::Cancelled | ActionError::Retried { cancelled: true, .. } => true,
            ActionError::Retried { last, cancelled: false, .. } => last.is_cancelled(),
            ActionError::Failed(_)
            | ActionError::TimedOut { .. }
            | ActionError::Panicked { .. }
            | ActionError::Aborted => false,
        }
    }
}

/// The options and the action list do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid graph: {}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig {
    /// All problems found, in a stable order.
    pub problems: Vec<super::validate::Problem>,
}

/// Why a run did not complete every action.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Cause {
    /// An action failed and the run stops on errors.
    #[error("stopped because {action} failed: {source}")]
    Stopped {
        /// The action.
        action: ActionRef,
        /// Its error.
        source: ActionError,
    },
    /// An action panicked and the run stops on errors.
    #[error("stopped because {action} panicked: {message}")]
    Panicked {
        /// The action.
        action: ActionRef,
        /// What the panic said.
        message: String,
    },
    /// The timeout or the deadline passed.
    #[error("timed out after {after:?}")]
    TimedOut {
        /// Virtual time from the start of the run to its deadline.
        after: Duration,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Something that must not panic did while a worker was in it: a gate or a tracer.
    #[error("a worker was lost: a gate or a tracer panicked")]
    WorkerLost,
    /// The run had stopped, and the actions still in flight did not end in time.
    #[error("{cause}; gave up waiting for {}", names(.abandoned))]
    OrphansTimedOut {
        /// Why the run had stopped.
        #[source]
        cause: Box<Cause>,
        /// Who was still in flight.
        abandoned: Vec<ActionRef>,
    },
    /// Nothing stopped the run, and yet some actions failed or never became runnable.
    #[error("{} failed, {} blocked", .failed.len(), .blocked.len())]
    Incomplete {
        /// Who failed.
        failed: Vec<ActionRef>,
        /// Who waits for an event that did not come.
        blocked: Vec<ActionRef>,
    },
}

impl Cause {
    /// A short, stable name of the kind of cause.
    pub fn kind(&self) -> &'static str {
        match self {
            Cause::Stopped { .. } => "stopped",
            Cause::Panicked { .. } => "panicked",
            Cause::TimedOut { .. } => "timed-out",
            Cause::Cancelled => "cancelled",
            Cause::WorkerLost => "worker-lost",
            Cause::OrphansTimedOut { .. } => "orphans-timed-out",
            Cause::Incomplete { .. } => "incomplete",
        }
    }
}

fn names(actions: &[ActionRef]) -> String {
    actions.iter().map(|action| &*action.name).collect::<Vec<_>>().join(", ")
}

/// A run that did not complete every action: why, and where every action stands.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct RunError {
    /// Why.
    #[source]
    pub cause: Cause,
    /// Where every action stands.
    pub outcome: Box<Outcome>,
    /// The tasks of the abandoned actions; they go on until they end or are aborted.
    pub orphans: Orphans,
}

/// The tasks of actions that a run gave up waiting for.
#[derive(Clone, Debug, Default)]
pub struct Orphans {
    tasks: Arc<Vec<AbortHandle>>,
}

impl Orphans {
    pub(crate) fn new(tasks: Vec<AbortHandle>) -> Self {
        Orphans { tasks: Arc::new(tasks) }
    }

    /// Drops their futures.
    pub fn abort(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// How many were left.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// None were left.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
