//! Logs of tasks: messages, and who they are published to. Separate because controllers publish and agents provide; it
//! must not know either.

use super::controller::BoxFuture;
use super::error::TaskError;
use super::task::TaskId;
use crate::sync::CancellationToken;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Where a line was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// To the standard output.
    Stdout,
    /// To the standard error.
    Stderr,
}

/// A line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// The task.
    pub task: TaskId,
    /// Where it was written.
    pub stream: LogStream,
    /// The line.
    pub line: String,
}

/// What of a log is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether lines that are still to come are wanted too.
    pub follow: bool,
}

/// Takes the messages of a subscription.
pub trait LogPublisher: Send + Sync {
    /// Publishes a message.
    fn publish(&self, message: LogMessage) -> BoxFuture<'_, Result<(), TaskError>>;
}

/// A function as a publisher.
pub struct LogPublisherFn<F>(pub F);

impl<F> LogPublisher for LogPublisherFn<F>
where
    F: Fn(LogMessage) -> Result<(), TaskError> + Send + Sync,
{
    fn publish(&self, message: LogMessage) -> BoxFuture<'_, Result<(), TaskError>> {
        let published = (self.0)(message);
        Box::pin(async move { published })
    }
}

impl<F> fmt::Debug for LogPublisherFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogPublisherFn").finish_non_exhaustive()
    }
}

/// A publisher for one subscription. Dropping it cancels what publishes there.
pub struct Subscribed {
    /// Where its messages go.
    pub publisher: Arc<dyn LogPublisher>,
    /// Cancelled when it is dropped.
    pub cancel: CancellationToken,
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl fmt::Debug for Subscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribed").finish_non_exhaustive()
    }
}

/// Makes publishers.
pub trait LogPublisherProvider: Send + Sync {
    /// The publisher of a subscription.
    fn publisher(&self, subscription: &str) -> BoxFuture<'_, Result<Subscribed, TaskError>>;
}

/// A wish for the logs of tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// The tasks.
    pub tasks: BTreeSet<TaskId>,
    /// What of their logs.
    pub options: LogOptions,
}
