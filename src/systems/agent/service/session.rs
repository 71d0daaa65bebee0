//! Sessions with the manager, one after the other: each is opened, told everything, and served until it ends. Separate
//! from the agent's life; it must not know what assignments mean.

use super::super::assignment::{Assignments, DispatchError, Extent, Message, Session};
use super::super::controller::BoxFuture;
use super::super::error::BoxError;
use super::super::executor::{EncryptionKey, Node, NodeDescription};
use super::super::record::AgentEvent;
use super::super::reporter::{Reporter, StatusSender};
use super::super::task::{TaskId, TaskStatus};
use super::super::variant::Variant;
use super::super::worker::Worker;
use super::{AgentConfig, CALL_TIMEOUT, DESCRIBE_EVERY, Started, next_backoff};
use crate::emit;
use crate::rand::rng_at;
use crate::select;
use crate::sync::{CancellationToken, watch};
use crate::task::spawn_named;
use crate::time::{Duration, Instant, sleep, sleep_until, timeout};
use std::sync::Arc;

/// Why a session ends when its agent is stopped.
const STOPPED: &str = "the agent is stopped";

/// Opens sessions.
pub(super) struct Sessions {
    config: AgentConfig,
    worker: Worker,
    /// The session that is registered. Statuses wait for one.
    gate: Arc<watch::Sender<Option<Registered>>>,
    applied: Applied,
}

/// What the manager said of the node that was passed on.
#[derive(Default)]
struct Applied {
    node: Option<Node>,
    keys: Vec<EncryptionKey>,
}

#[derive(Clone)]
struct Registered {
    session: u64,
    /// A call in this session failed: it is to end.
    broken: CancellationToken,
}

impl Sessions {
    pub(super) fn new(config: AgentConfig, worker: Worker) -> Sessions {
        Sessions { config, worker, gate: Arc::new(watch::Sender::new(None)), applied: Applied::default() }
    }

    /// Sends statuses in whatever session there is.
    pub(super) fn sender(&self) -> Arc<dyn StatusSender> {
        Arc::new(InSession { config: self.config.clone(), gate: self.gate.clone() })
    }

    /// Serves sessions until the agent is stopped.
    pub(super) async fn serve(mut self, reporter: &Reporter, handle: &Started) -> Result<(), String> {
        let mut backoff = Duration::ZERO;
        while !handle.stop.is_cancelled() {
            select! {
                biased;
                () = handle.stop.cancelled() => break,
                () = pause(backoff) => {}
            }
            let (is_registered, reason) = self.session(reporter, handle).await;
            backoff = next_backoff(if is_registered { Duration::ZERO } else { backoff });
            if handle.stop.is_cancelled() {
                break;
            }
            if let Some(tracker) = &self.config.tracker {
                tracker.session_error(&reason);
                tracker.session_closed()?;
            }
        }
        Ok(())
    }

    /// One session; whether it was registered, and why it ended.
    async fn session(&mut self, reporter: &Reporter, handle: &Started) -> (bool, String) {
        let opened = select! {
            biased;
            () = handle.stop.cancelled() => Err(STOPPED.to_owned()),
            opened = self.opened() => opened,
        };
        let (mut session, description) = match opened {
            Ok(opened) => opened,
            Err(reason) => return (false, reason),
        };
        let registered = Registered { session: session.id(), broken: CancellationToken::new() };
        self.tell_opened(&registered);
        // Whatever is under way is dropped when the agent stops.
        let reason = select! {
            biased;
            () = handle.stop.cancelled() => STOPPED.to_owned(),
            reason = async {
                // What was sent in earlier sessions may be lost: all is said again.
                self.worker.report(reporter).await;
                self.served(&mut *session, &registered, &description).await
            } => reason,
        };
        self.gate.send_replace(None);
        emit(AgentEvent::SessionClosed {
            node: self.config.node.clone(),
            session: registered.session,
            reason: reason.clone(),
        });
        (true, reason)
    }

    /// Describes the node and opens a session; or why not.
    async fn opened(&self) -> Result<(Box<dyn Session>, NodeDescription), String> {
        let described = self.config.executor.describe().await;
        let description = described.map_err(|error| format!("the node is not described: {error}"))?;
        let opening = self.config.dispatcher.open(&self.config.node, &description);
        match timeout(CALL_TIMEOUT, opening).await {
            Ok(Ok(session)) => Ok((session, description)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(elapsed) => Err(elapsed.to_string()),
        }
    }

    fn tell_opened(&self, registered: &Registered) {
        self.gate.send_replace(Some(registered.clone()));
        emit(AgentEvent::SessionOpened { node: self.config.node.clone(), session: registered.session });
        if let Some(tracker) = &self.config.tracker {
            tracker.session_established();
        }
    }

    /// Serves a session; why it ended.
    async fn served(
        &mut self,
        session: &mut dyn Session,
        registered: &Registered,
        description: &NodeDescription,
    ) -> String {
        let mut sequence = None;
        let mut describe_at = Instant::now() + DESCRIBE_EVERY;
        loop {
            select! {
                biased;
                () = registered.broken.cancelled() => return "a call failed".to_owned(),
                message = session.next() => match message {
                    Err(error) => return error.to_string(),
                    Ok(message) => {
                        if let Err(reason) = self.take(message, &mut sequence).await {
                            return reason;
                        }
                    }
                },
                () = sleep_until(describe_at) => {
                    describe_at = Instant::now() + DESCRIBE_EVERY;
                    if self.has_changed(description).await {
                        return "the node has changed".to_owned();
                    }
                }
            }
        }
    }

    async fn has_changed(&self, description: &NodeDescription) -> bool {
        match self.config.executor.describe().await {
            Ok(now) => !now.is_same(description),
            Err(error) => {
                tracing::warn!("the node is not described: {error}");
                false
            }
        }
    }

    // Messages.

    /// Passes a message on.
    async fn take(&mut self, message: Message, sequence: &mut Option<u64>) -> Result<(), String> {
        match message {
            Message::Assignments(assignments) => self.assign(assignments, sequence).await,
            Message::Node(node) if self.applied.node.as_ref() == Some(&node) => Ok(()),
            Message::Node(node) => {
                let configured = self.config.executor.configure(&node).await;
                configured.map_err(|error| format!("the node is not configured: {error}"))?;
                self.applied.node = Some(node);
                Ok(())
            }
            Message::NetworkKeys(keys) if self.applied.keys == keys => Ok(()),
            Message::NetworkKeys(keys) => {
                let set = self.config.executor.set_network_keys(&keys).await;
                set.map_err(|error| format!("the network keys are not set: {error}"))?;
                self.applied.keys = keys;
                Ok(())
            }
        }
    }

    async fn assign(&self, assignments: Assignments, sequence: &mut Option<u64>) -> Result<(), String> {
        let follows = assignments.extent == Extent::Complete || *sequence == Some(assignments.applies_to);
        if !follows && !self.config.options.has(Variant::GapUnnoticed) {
            return Err(format!("a message was missed before {}", assignments.results_in));
        }
        *sequence = Some(assignments.results_in);
        let worker = self.worker.clone();
        let apply = async move {
            let applied = match assignments.extent {
                Extent::Complete => worker.assign(&assignments.changes).await,
                Extent::Incremental if assignments.changes.is_empty() => Ok(()),
                Extent::Incremental => worker.update(&assignments.changes).await,
            };
            applied.map_err(|error| error.to_string())
        };
        if self.config.options.has(Variant::AssignedConcurrently) {
            spawn_named("assign", async move { apply.await.ok() });
            return Ok(());
        }
        apply.await
    }
}

/// Waits a part of the back-off.
async fn pause(backoff: Duration) {
    let nanos = u64::try_from(backoff.as_nanos()).expect("a back-off is short");
    if nanos > 0 {
        sleep(Duration::from_nanos(rng_at("session.backoff").below(nanos))).await;
    }
}

/// Sends statuses in the session that is registered.
struct InSession {
    config: AgentConfig,
    gate: Arc<watch::Sender<Option<Registered>>>,
}

impl InSession {
    async fn registered(&self) -> Registered {
        let mut gate = self.gate.subscribe();
        let found = gate.wait_for(Option::is_some).await.expect("the sender is here");
        found.clone().expect("it was waited for")
    }

    async fn call(&self, session: u64, task: &TaskId, status: &TaskStatus) -> Result<(), DispatchError> {
        let call = self.config.dispatcher.update_status(&self.config.node, session, task, status);
        match timeout(CALL_TIMEOUT, call).await {
            Ok(Err(DispatchError::NotFound(_))) => Ok(()),
            Ok(answer) => answer,
            Err(elapsed) => Err(DispatchError::Unavailable(Box::new(elapsed))),
        }
    }
}

impl StatusSender for InSession {
    /// An error ends the session.
    fn send<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            let registered = self.registered().await;
            let sent = self.call(registered.session, task, status).await;
            if sent.is_err() {
                registered.broken.cancel();
                self.gate.send_if_modified(|gate| {
                    let is_this = gate.as_ref().is_some_and(|now| now.session == registered.session);
                    if is_this {
                        *gate = None;
                    }
                    is_this
                });
            }
            Ok(sent?)
        })
    }
}
