//! The agent: keeps a session with its manager, hands assignments to its worker, and sends what becomes of the tasks.
//! Separate from the worker, which knows no sessions, and from the manager, which is behind a trait.

mod session;

use super::assignment::Dispatcher;
use super::error::AgentError;
use super::executor::Executor;
use super::options::AgentOptions;
use super::record::AgentEvent;
use super::reporter::Reporter;
use super::storage::Storage;
use super::worker::Worker;
use crate::emit;
use crate::select;
use crate::sync::{CancellationToken, watch};
use crate::task::spawn_named;
use crate::time::Duration;
use session::Sessions;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How long a call of the manager may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the agent looks whether its node has changed.
pub const DESCRIBE_EVERY: Duration = Duration::from_secs(20);
/// The first back-off between sessions, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(8));

/// The longest that is waited before the next session, after a session that ended and this back-off before it.
pub fn next_backoff(previous: Duration) -> Duration {
    (BACKOFF.0 + previous * 2).min(BACKOFF.1)
}

/// Hears of sessions, and may stop the agent.
pub trait SessionTracker: Send + Sync {
    /// A session is registered.
    fn session_established(&self) {}

    /// A session ended for this reason.
    fn session_error(&self, reason: &str) {
        let _ = reason;
    }

    /// A session is closed; an error stops the agent.
    ///
    /// # Errors
    /// Why the agent is to stop.
    fn session_closed(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What an agent is made of.
#[derive(Clone)]
pub struct AgentConfig {
    /// The id of its node.
    pub node: Arc<str>,
    /// What makes controllers there.
    pub executor: Arc<dyn Executor>,
    /// What lasts over restarts.
    pub storage: Arc<dyn Storage>,
    /// The manager.
    pub dispatcher: Arc<dyn Dispatcher>,
    /// Who hears of sessions.
    pub tracker: Option<Arc<dyn SessionTracker>>,
    /// What it does otherwise than by default.
    pub options: AgentOptions,
}

impl AgentConfig {
    /// An agent of a node.
    pub fn new(
        node: impl Into<Arc<str>>,
        executor: Arc<dyn Executor>,
        storage: Arc<dyn Storage>,
        dispatcher: Arc<dyn Dispatcher>,
    ) -> AgentConfig {
        let node = node.into();
        AgentConfig { node, executor, storage, dispatcher, tracker: None, options: AgentOptions::default() }
    }

    /// The same agent, with somebody who hears of sessions.
    pub fn tracked_by(mut self, tracker: Arc<dyn SessionTracker>) -> AgentConfig {
        self.tracker = Some(tracker);
        self
    }

    /// The same agent, which does these things otherwise.
    pub fn with_options(mut self, options: AgentOptions) -> AgentConfig {
        self.options = options;
        self
    }
}

/// An agent. It runs from [`Agent::start`] to [`Agent::stop`], once.
pub struct Agent {
    config: AgentConfig,
    started: Mutex<Option<Started>>,
}

#[derive(Clone)]
struct Started {
    stop: CancellationToken,
    leave: CancellationToken,
    left: CancellationToken,
    ended: watch::Receiver<Option<Result<(), String>>>,
}

impl Agent {
    /// An agent that does not run yet.
    pub fn new(config: AgentConfig) -> Agent {
        Agent { config, started: Mutex::new(None) }
    }

    /// Starts it.
    ///
    /// # Errors
    /// It was started before.
    pub fn start(&self) -> Result<(), AgentError> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if started.is_some() {
            return Err(AgentError::Started);
        }
        let (end, ended) = watch::channel(None);
        let handle = Started {
            stop: CancellationToken::new(),
            leave: CancellationToken::new(),
            left: CancellationToken::new(),
            ended,
        };
        *started = Some(handle.clone());
        let config = self.config.clone();
        spawn_named("agent", async move {
            let result = run(&config, &handle).await;
            end.send(Some(result)).ok();
        });
        Ok(())
    }

    /// Stops it: no task is managed any more, though what runs goes on to run. Again: as before.
    ///
    /// # Errors
    /// It was not started.
    pub async fn stop(&self) -> Result<(), AgentError> {
        let started = self.handle()?;
        started.stop.cancel();
        self.ended().await.map(drop)
    }

    /// Removes all tasks from the node, ignores assignments from now on, and returns when nothing is left.
    ///
    /// # Errors
    /// It was not started, or ended before everything was removed.
    pub async fn leave(&self) -> Result<(), AgentError> {
        let started = self.handle()?;
        started.leave.cancel();
        select! {
            biased;
            () = started.left.cancelled() => Ok(()),
            _ = self.ended() => Err(AgentError::Closed),
        }
    }

    /// Waits until it has ended; why it did, where that was not by [`Agent::stop`].
    ///
    /// # Errors
    /// It was not started.
    pub async fn ended(&self) -> Result<Result<(), String>, AgentError> {
        let mut ended = self.handle()?.ended;
        let result = ended.wait_for(Option::is_some).await;
        Ok(result.map_or_else(|_| Ok(()), |result| result.clone().unwrap_or(Ok(()))))
    }

    fn handle(&self) -> Result<Started, AgentError> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.clone().ok_or(AgentError::NotStarted)
    }
}

/// The life of an agent.
async fn run(config: &AgentConfig, handle: &Started) -> Result<(), String> {
    let (node, executor, storage) = (config.node.clone(), config.executor.clone(), config.storage.clone());
    let worker = Worker::open_with(node, executor, storage, config.options).await;
    worker.init().await;
    let sessions = Sessions::new(config.clone(), worker.clone());
    let reporter = Arc::new(Reporter::start_with(sessions.sender(), config.options));
    let listening = worker.listen(reporter.clone()).await;
    let over = CancellationToken::new();
    spawn_named("leaving", leave_when_asked(worker.clone(), handle.clone(), over.clone()));
    let result = sessions.serve(&reporter, handle).await;
    emit(AgentEvent::Closing { node: config.node.clone(), what: "agent".into() });
    over.cancel();
    worker.close().await;
    reporter.close();
    drop(listening);
    emit(AgentEvent::Closed { node: config.node.clone(), what: "agent".into() });
    result
}

/// Leaves beside sessions, which go on meanwhile: what becomes of the tasks is reported in them.
async fn leave_when_asked(worker: Worker, handle: Started, over: CancellationToken) {
    let left = async {
        handle.leave.cancelled().await;
        if worker.leave().await.is_ok() {
            handle.left.cancel();
        }
    };
    select! {
        biased;
        () = over.cancelled() => {}
        () = left => {}
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("node", &self.config.node).finish_non_exhaustive()
    }
}
