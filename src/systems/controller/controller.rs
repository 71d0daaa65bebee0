//! A controller and its handle: one run, from the first task to the last. Separate from the tasks, which it starts,
//! watches and joins; it must not know what they do.
//!
//! # The end of a run
//! Whoever runs it chooses. *Drop*: reconciles in flight are told and awaited, what is queued is dropped. *Drain*: what
//! is queued is still reconciled, and no reconcile is told anything, until the longest time for it is over; then drop.
//! (Consul returns at once, and its workers go on to drain the queue with a cancelled context.) However it ends, when
//! `run` has returned no task of the controller is left.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::{CancellationToken, watch};
use crate::task::{JoinHandle, spawn_named};
use crate::time::timeout;

use super::builder::{Begin, Builder};
use super::context::Reconciler;
use super::error::{BoxError, Recovered, RunError};
use super::guarded::guarded;
use super::metrics::Metrics;
use super::publisher::Publisher;
use super::record::ControllerEvent;
use super::request::Request;
use super::subscription::Supervised;
use super::trigger::{Repeat, TriggerId, Triggers};
use super::variant::Variant;
use super::work_queue::{Shutdown, WorkQueue};
use super::worker::Worker;

/// How a run ended whose future was dropped, in its event.
pub(super) const DROPPED: &str = "the run was dropped";

/// A controller that waits to be run.
pub struct Controller {
    settings: Builder,
    handle: Handle,
}

/// Reaches a controller from outside and from its reconciles; clones are one handle. What it is asked before the run
/// begins is done then, and after its end nothing is.
#[derive(Clone)]
pub struct Handle {
    intake: Arc<Mutex<Intake>>,
    triggers: Arc<Triggers>,
}

/// Where requests go.
enum Intake {
    /// The run has not begun.
    Early(Vec<Request>),
    Open(Arc<dyn WorkQueue<Request>>),
}

/// What a run has started; ends it all when it is dropped.
struct Run {
    settings: RunSettings,
    queue: Arc<dyn WorkQueue<Request>>,
    handle: Handle,
    /// Ends subscriptions.
    stop: CancellationToken,
    /// What reconciles look at.
    cancel: CancellationToken,
    fatal: Fatal,
    subscriptions: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    has_ended: bool,
}

struct RunSettings {
    drain_max: Option<crate::time::Duration>,
    variant: Variant,
}

/// The first cause to end a run, from whichever task has it.
#[derive(Clone)]
struct Fatal {
    first: Arc<Mutex<Option<RunError>>>,
    stop: CancellationToken,
}

impl Controller {
    /// A controller in the making: one worker, backoffs from 5 ms to 1000 s, no subscriptions.
    pub fn builder(publisher: Arc<dyn Publisher>, reconciler: impl Reconciler) -> Builder {
        Builder::new(publisher, reconciler)
    }

    pub(super) fn new(settings: Builder) -> (Controller, Handle) {
        let handle = Handle {
            intake: Arc::new(Mutex::new(Intake::Early(Vec::new()))),
            triggers: Arc::new(Triggers::new(settings.queue.variant)),
        };
        (Controller { settings, handle: handle.clone() }, handle)
    }

    /// Runs it until `token` is cancelled, or until a subscription is given up or a task of its own panics. When this
    /// has returned no reconcile runs, and none will. Dropping the future aborts all tasks.
    ///
    /// # Errors
    /// The first cause that ended the run, if it was not the token.
    pub async fn run(self, token: CancellationToken, shutdown: Shutdown) -> Result<(), RunError> {
        let mut run = Run::start(self.settings, self.handle).await;
        let stop = run.stop.clone();
        crate::select! {
            biased;
            () = token.cancelled() => {}
            () = stop.cancelled() => {}
        }
        run.stop(shutdown).await;
        run.end()
    }
}

impl Handle {
    /// Adds requests; those that are wanted already are one.
    pub async fn enqueue(&self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            let queue = match &mut *self.intake() {
                Intake::Early(early) => {
                    early.push(request);
                    continue;
                }
                Intake::Open(queue) => Arc::clone(queue),
            };
            queue.add(request).await;
        }
    }

    /// Calls `call`, and enqueues the request when its future ends, whether well or not. It takes the place of the
    /// trigger that the request has, which enqueues nothing once this has returned. The token that `call` is given is
    /// cancelled when the trigger is removed or replaced; the future is dropped then.
    pub async fn add_trigger<F, Fut>(&self, request: Request, call: F, repeat: Repeat) -> TriggerId
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.triggers.add(request, call, repeat).await
    }

    /// Removes the trigger of a request, if it has one. Once this has returned it enqueues nothing.
    pub async fn remove_trigger(&self, request: &Request) {
        self.triggers.remove(request).await;
    }

    /// As [`Handle::remove_trigger`], and waits until its task has ended.
    pub async fn remove_trigger_and_join(&self, request: &Request) {
        self.triggers.remove_and_join(request).await;
    }

    /// What the queue measured, if it measures and the run has begun.
    pub fn metrics(&self) -> Option<Metrics> {
        self.queue()?.metrics()
    }

    /// The queue, once the run has begun.
    pub fn queue(&self) -> Option<Arc<dyn WorkQueue<Request>>> {
        match &*self.intake() {
            Intake::Early(_) => None,
            Intake::Open(queue) => Some(Arc::clone(queue)),
        }
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run begins: what came before goes into the queue.
    async fn open(&self, queue: &Arc<dyn WorkQueue<Request>>) {
        let before = std::mem::replace(&mut *self.intake(), Intake::Open(Arc::clone(queue)));
        self.triggers.open(queue);
        if let Intake::Early(early) = before {
            for request in early {
                queue.add(request).await;
            }
        }
    }
}

impl Run {
    async fn start(settings: Builder, handle: Handle) -> Run {
        let variant = settings.queue.variant;
        let queue = (settings.factory)(settings.queue);
        emit(ControllerEvent::RunStarted {
            queue: queue.number(),
            workers: settings.workers,
            primed: settings.begin == Begin::Primed,
            subscriptions: u32::try_from(settings.wanted.len()).unwrap_or(u32::MAX),
        });
        let stop = CancellationToken::new();
        let mut run = Run {
            settings: RunSettings { drain_max: settings.drain_max, variant },
            queue: Arc::clone(&queue),
            handle: handle.clone(),
            cancel: CancellationToken::new(),
            fatal: Fatal { first: Arc::default(), stop: stop.clone() },
            stop,
            subscriptions: Vec::new(),
            workers: Vec::new(),
            has_ended: false,
        };
        handle.open(&queue).await;
        let (unprimed, snapshots) = watch::channel(settings.wanted.len());
        for wanted in settings.wanted {
            let name = format!("subscription-{}", wanted.topic);
            let supervised = Supervised {
                wanted,
                publisher: Arc::clone(&settings.publisher),
                queue: Arc::clone(&queue),
                policy: settings.supervision,
                variant,
                stop: run.stop.clone(),
                unprimed: unprimed.clone(),
            };
            run.subscriptions.push(run.fatal.spawn(name, supervised.run()));
        }
        for number in 0..settings.workers {
            let worker = Worker {
                number,
                queue: Arc::clone(&queue),
                reconciler: Arc::clone(&settings.reconciler),
                handle: handle.clone(),
                cancel: run.cancel.clone(),
                stop: run.stop.clone(),
                unprimed: (settings.begin == Begin::Primed).then(|| snapshots.clone()),
                variant,
            };
            run.workers.push(run.fatal.spawn(format!("worker-{number}"), worker.run()));
        }
        run
    }

    /// Ends all tasks. The queue is first, so that whatever else ends ends after the stop.
    async fn stop(&mut self, shutdown: Shutdown) {
        self.queue.stop(shutdown);
        if shutdown == Shutdown::Drop {
            self.cancel.cancel();
        }
        self.stop.cancel();
        self.handle.triggers.close();
        join(&mut self.subscriptions).await;
        self.handle.triggers.join().await;
        if self.settings.variant == Variant::RunEndsUnjoined {
            return;
        }
        match self.settings.drain_max {
            Some(limit) if shutdown == Shutdown::Drain => {
                if timeout(limit, join(&mut self.workers)).await.is_err() {
                    self.queue.stop(Shutdown::Drop);
                    self.cancel.cancel();
                }
            }
            Some(_) | None => {}
        }
        join(&mut self.workers).await;
        self.queue.ended().await;
    }

    fn end(mut self) -> Result<(), RunError> {
        self.has_ended = true;
        let first = self.fatal.first().take();
        let error = first.as_ref().map(|error| Arc::from(error.to_string()));
        emit(ControllerEvent::RunEnded { queue: self.queue.number(), error });
        first.map_or(Ok(()), Err)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.queue.stop(Shutdown::Drop);
        self.cancel.cancel();
        self.stop.cancel();
        self.handle.triggers.abort();
        self.subscriptions.iter().chain(&self.workers).for_each(JoinHandle::abort);
        emit(ControllerEvent::RunEnded { queue: self.queue.number(), error: Some(DROPPED.into()) });
    }
}

/// Waits for tasks; those that were awaited are gone when it is cut short.
async fn join(tasks: &mut Vec<JoinHandle<()>>) {
    while let Some(task) = tasks.last_mut() {
        // A task tells itself how it ended, also when it was aborted.
        drop(task.await);
        tasks.pop();
    }
}

impl Fatal {
    /// Starts a task whose error, panic or abort ends the run.
    fn spawn<F>(&self, name: String, future: F) -> JoinHandle<()>
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

    fn end_run(&self, error: RunError) {
        tracing::error!(%error, "the controller ends");
        self.first().get_or_insert(error);
        self.stop.cancel();
    }

    fn first(&self) -> MutexGuard<'_, Option<RunError>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
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
