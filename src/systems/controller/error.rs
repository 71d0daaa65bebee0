//! What a reconciler says when it is not done, and why a run ended. Separate so that the outcomes are read in one
//! place; it must not know queues or tasks.

pub use crate::systems::BoxError;
use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::publisher::{SubscriptionError, Topic};
use crate::time::Duration;

/// A request to reconcile again after a while, as an error: it may be wrapped by others, which name it as their source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requeue at {0:?}")]
pub struct RequeueAfterError(pub Duration);

/// Why a reconcile is to be repeated. No `std::error::Error` itself, so that `?` makes one of any error.
#[derive(Debug)]
pub enum ReconcileError {
    /// All is well; again after this time, and at once when it is zero.
    RequeueAfter(Duration),
    /// It failed; again after the backoff of its failures. An error with a [`RequeueAfterError`] among its sources
    /// counts as that.
    Failed(BoxError),
}

/// Again after this time; what failed before is forgotten.
pub fn requeue_after(delay: Duration) -> ReconcileError {
    ReconcileError::RequeueAfter(delay)
}

/// Again at once; what failed before is forgotten.
pub fn requeue_now() -> ReconcileError {
    requeue_after(Duration::ZERO)
}

impl ReconcileError {
    /// It failed, with these words.
    pub fn failed(text: impl Into<String>) -> ReconcileError {
        ReconcileError::Failed(text.into().into())
    }

    /// After which time to reconcile again, if that is all it says: it or the first such error among its sources.
    pub fn requeue_delay(&self) -> Option<Duration> {
        match self {
            ReconcileError::RequeueAfter(delay) => Some(*delay),
            ReconcileError::Failed(error) => {
                let mut link: Option<&(dyn Error + 'static)> = Some(&**error);
                while let Some(error) = link {
                    if let Some(RequeueAfterError(delay)) = error.downcast_ref() {
                        return Some(*delay);
                    }
                    link = error.source();
                }
                None
            }
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ReconcileError {
    fn from(error: E) -> ReconcileError {
        let error: BoxError = Box::new(error);
        match error.downcast::<RequeueAfterError>() {
            Ok(after) => ReconcileError::RequeueAfter(after.0),
            Err(error) => ReconcileError::Failed(error),
        }
    }
}

impl fmt::Display for ReconcileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconcileError::RequeueAfter(delay) => RequeueAfterError(*delay).fmt(f),
            ReconcileError::Failed(error) => error.fmt(f),
        }
    }
}

/// A panic of a reconciler or a trigger that was caught: an ordinary failure of that one request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panic [recovered]: {0}")]
pub struct Recovered(pub String);

impl Recovered {
    /// What the panic said; a value that is no text is lost, also one that says when to requeue.
    pub(super) fn from_panic(payload: &(dyn Any + Send)) -> Recovered {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Recovered(text.unwrap_or_else(|| "a value that is no text".to_owned()))
    }
}

/// A controller runs, or has run: its settings are fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot configure controller once Run is called")]
pub struct AlreadyRunning;

/// Why a run ended, when nobody asked for its end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// It ran before.
    #[error("Run cannot be called more than once")]
    AlreadyRunning,
    /// A subscription failed as often as its supervision lets it.
    #[error("the subscription to {topic} failed: {error}")]
    Subscription {
        /// What was subscribed to.
        topic: Topic,
        /// Its last error.
        error: SubscriptionError,
    },
    /// A task of the controller panicked outside of a reconcile, such as a transformer.
    #[error("{task} panicked: {text}")]
    Panicked {
        /// The task.
        task: Arc<str>,
        /// What the panic said.
        text: String,
    },
    /// A task of the controller was aborted from outside.
    #[error("{task} was aborted")]
    Aborted {
        /// The task.
        task: Arc<str>,
    },
}
