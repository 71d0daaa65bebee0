//! The status reporter: sends the latest status of each task, one at a time, until it is sent. Separate from sessions,
//! which come and go; it must not know who takes the statuses.

use super::controller::BoxFuture;
use super::error::BoxError;
use super::manager::StatusReporter;
use super::options::AgentOptions;
use super::task::{TaskId, TaskStatus};
use super::variant::Variant;
use crate::select;
use crate::sync::{CancellationToken, DropGuard, Notify};
use crate::task::{spawn_named, yield_now, yield_point};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Sends a status to a manager.
pub trait StatusSender: Send + Sync {
    /// Sends it; when this returns well it is recorded, or of no use.
    fn send<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, Result<(), BoxError>>;
}

/// Sends statuses. What is dropped, or closed, sends no more: what was not sent by then is reported again by whoever
/// stored it.
pub struct Reporter {
    queue: Arc<Queue>,
    closing: CancellationToken,
    _guard: DropGuard,
}

#[derive(Default)]
struct Queue {
    /// The latest status of each task that is not being sent.
    waiting: Mutex<BTreeMap<TaskId, TaskStatus>>,
    more: Notify,
}

impl Reporter {
    /// Starts to send.
    pub fn start(sender: Arc<dyn StatusSender>) -> Reporter {
        Reporter::start_with(sender, AgentOptions::default())
    }

    /// Starts to send, with these options.
    pub fn start_with(sender: Arc<dyn StatusSender>, options: AgentOptions) -> Reporter {
        let (queue, closing) = (Arc::<Queue>::default(), CancellationToken::new());
        let (sending, stop) = (queue.clone(), closing.clone());
        spawn_named("reporter", async move {
            select! {
                biased;
                () = stop.cancelled() => {}
                () = sending.send_all(&*sender, options) => {}
            }
        });
        Reporter { queue, closing: closing.clone(), _guard: closing.drop_guard() }
    }

    /// Sends no more. What waits is not sent.
    pub fn close(&self) {
        self.closing.cancel();
    }
}

impl StatusReporter for Reporter {
    /// Queues a status, unless one that is equal or further is queued.
    fn report<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            yield_point("reporter").await;
            let mut waiting = self.queue.lock();
            let is_old =
                waiting.get(task).is_some_and(|queued| queued == status || queued.state > status.state);
            if !is_old {
                waiting.insert(task.clone(), status.clone());
                drop(waiting);
                self.queue.more.notify_one();
            }
        })
    }
}

impl Queue {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TaskId, TaskStatus>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_all(&self, sender: &dyn StatusSender, options: AgentOptions) {
        loop {
            let tasks: Vec<TaskId> = self.lock().keys().cloned().collect();
            if tasks.is_empty() {
                self.more.notified().await;
            }
            for task in tasks {
                let Some(status) = self.lock().remove(&task) else { continue };
                if let Err(error) = sender.send(&task, &status).await {
                    tracing::warn!("the status of {task} was not sent: {error}");
                    self.queue_again(task, status, options);
                    // A sender that fails at once leaves room for others, and for being stopped.
                    yield_now().await;
                }
            }
        }
    }

    /// Queues what was not sent, unless there is something newer.
    fn queue_again(&self, task: TaskId, status: TaskStatus, options: AgentOptions) {
        let mut waiting = self.lock();
        let is_newer = |queued: &TaskStatus| queued.state >= status.state;
        if options.has(Variant::StaleRequeued) || !waiting.get(&task).is_some_and(is_newer) {
            waiting.insert(task, status);
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").finish_non_exhaustive()
    }
}
