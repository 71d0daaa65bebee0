//! The first cause to end a run, and the tasks that may have one. Separate because workers, subscriptions and triggers
//! report to it alike; it must not know what they do.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sync::CancellationToken;
use crate::task::{JoinHandle, spawn_named};

use super::error::{Recovered, RunError};
use super::guarded::guarded;

/// The first cause to end a run, from whichever task has it.
#[derive(Clone)]
pub(super) struct Fatal {
    cause: Arc<Mutex<Cause>>,
    /// Cancelled by the first.
    stop: CancellationToken,
}

#[derive(Default)]
struct Cause {
    first: Option<RunError>,
    /// The run ends its tasks itself: that they end is no cause.
    is_expected: bool,
}

impl Fatal {
    /// None so far; the first will cancel `stop`.
    pub(super) fn new(stop: CancellationToken) -> Fatal {
        Fatal { cause: Arc::default(), stop }
    }

    /// Starts a task whose error, panic or abort ends the run.
    pub(super) fn spawn<F>(&self, name: String, future: F) -> JoinHandle<()>
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        let name: Arc<str> = name.into();
        let mut task = Watched { name: Arc::clone(&name), fatal: self.clone(), has_ended: false };
        spawn_named(name, async move {
            let result = guarded(future).await;
            task.has_ended = true;
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => task.fatal.end_run(error),
                Err(payload) => {
                    let Recovered(text) = Recovered::from_panic(&*payload);
                    task.fatal.end_run(RunError::Panicked { task: Arc::clone(&task.name), text });
                }
            }
        })
    }

    /// From now on the tasks are aborted on purpose.
    pub(super) fn expect_aborts(&self) {
        self.cause().is_expected = true;
    }

    /// Takes out the first cause, if there was one.
    pub(super) fn take(&self) -> Option<RunError> {
        self.cause().first.take()
    }

    fn end_run(&self, error: RunError) {
        {
            let mut cause = self.cause();
            if cause.is_expected {
                return;
            }
            tracing::error!(%error, "the controller ends");
            cause.first.get_or_insert(error);
        }
        self.stop.cancel();
    }

    fn cause(&self) -> MutexGuard<'_, Cause> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells when a task of a run is dropped before it has ended: without it the run would go on and lack it.
struct Watched {
    name: Arc<str>,
    fatal: Fatal,
    has_ended: bool,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.has_ended {
            self.fatal.end_run(RunError::Aborted { task: Arc::clone(&self.name) });
        }
    }
}
