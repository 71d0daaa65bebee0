//! A controller whose misuse is told at run time instead of by the compiler, for callers that share one before it runs.
//! Separate because the builder makes most of this impossible; it must not know what a run does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sync::CancellationToken;
use crate::time::Duration;

use super::builder::{Builder, QueueSettings};
use super::controller::Handle;
use super::error::{AlreadyRunning, RunError};
use super::limiter::LimiterError;
use super::publisher::Topic;
use super::request::Request;
use super::subscription::Transformer;
use super::work_queue::{Shutdown, WorkQueue};

/// A builder that can be shared; clones are one. Once it runs, its settings are fixed, and it runs once.
#[derive(Clone)]
pub struct Checked {
    builder: Arc<Mutex<Option<Builder>>>,
}

impl Checked {
    /// Shares a builder.
    pub fn new(builder: Builder) -> Checked {
        Checked { builder: Arc::new(Mutex::new(Some(builder))) }
    }

    /// As [`Builder::subscribe_with`].
    ///
    /// # Errors
    /// It runs, or has run.
    pub fn subscribe(
        &self,
        topic: Topic,
        transformers: impl IntoIterator<Item = Transformer>,
    ) -> Result<(), AlreadyRunning> {
        self.change(|builder| builder.subscribe_with(topic, transformers))
    }

    /// As [`Builder::backoff`]. Of two errors it is the first that is told.
    ///
    /// # Errors
    /// It runs, or has run; inside, what is wrong with the backoff.
    pub fn backoff(&self, base: Duration, max: Duration) -> Result<Result<(), LimiterError>, AlreadyRunning> {
        super::limiter::Exponential::<Request>::new(base, max).map_or_else(
            |error| self.change(|builder| builder).map(|()| Err(error)),
            |_| {
                self.change(|builder| builder.backoff(base, max).expect("the limiter took them just now"))
                    .map(Ok)
            },
        )
    }

    /// As [`Builder::workers`].
    ///
    /// # Errors
    /// It runs, or has run.
    pub fn workers(&self, workers: u32) -> Result<(), AlreadyRunning> {
        self.change(|builder| builder.workers(workers))
    }

    /// As [`Builder::queue_factory`].
    ///
    /// # Errors
    /// It runs, or has run.
    pub fn queue_factory(
        &self,
        factory: impl FnOnce(QueueSettings) -> Arc<dyn WorkQueue<Request>> + Send + 'static,
    ) -> Result<(), AlreadyRunning> {
        self.change(|builder| builder.queue_factory(factory))
    }

    /// Runs it; `begun` is handed its handle first.
    ///
    /// # Errors
    /// As [`Controller::run`](super::Controller::run), and that it runs or has run.
    pub async fn run(
        &self,
        token: CancellationToken,
        shutdown: Shutdown,
        begun: impl FnOnce(Handle),
    ) -> Result<(), RunError> {
        let builder = self.builder().take().ok_or(RunError::AlreadyRunning)?;
        let (controller, handle) = builder.build();
        begun(handle);
        controller.run(token, shutdown).await
    }

    /// Changes the settings in one critical section, so that none slips past the begin of the run.
    fn change(&self, change: impl FnOnce(Builder) -> Builder) -> Result<(), AlreadyRunning> {
        let mut builder = self.builder();
        *builder = Some(change(builder.take().ok_or(AlreadyRunning)?));
        Ok(())
    }

    fn builder(&self) -> MutexGuard<'_, Option<Builder>> {
        self.builder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
