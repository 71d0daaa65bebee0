//! A controller and its handle: one run, from the first task to the last. Separate from the tasks, which it starts,
//! watches and joins; it must not know what they do.
//!
//! # The end of a run
//! Whoever runs it chooses. *Drop*: reconciles in flight are told and awaited, what is queued is dropped. *Drain*: what
//! is queued is still reconciled, and no reconcile is told anything, until the longest time for it is over; then drop.
//! (Consul returns at once, and its workers go on to drain the queue with a cancelled context.) However it ends, when
//! `run` has returned no task of the controller is left.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::{CancellationToken, Notify, watch};
use crate::task::JoinHandle;
use crate::time::timeout;

use super::builder::{Begin, Builder};
use super::context::Reconciler;
use super::error::{BoxError, RunError};
use super::fatal::Fatal;
use super::metrics::Metrics;
use super::publisher::Publisher;
use super::record::ControllerEvent;
use super::request::Request;
use super::subscription::Supervised;
use super::trigger::{Home, Repeat, TriggerId, Triggers};
use super::variant::Variant;
use super::work_queue::{Shutdown, WorkQueue};
use super::worker::Worker;

/// How a run ended whose future was dropped, in its event.
pub(super) const DROPPED: &str = "the run was dropped";

/// A controller that waits to be run.
pub struct Controller {
    settings: Builder,
    unrun: Unrun,
}

/// Tells the handles of a controller that is dropped before it runs that it never will.
struct Unrun(Handle);

/// Reaches a controller from outside and from its reconciles; clones are one handle. What it is asked before the run
/// begins is done then, and after its end, or once the controller was dropped without a run, nothing is.
#[derive(Clone)]
pub struct Handle {
    intake: Arc<Mutex<Intake>>,
    triggers: Arc<Triggers>,
}

/// Where requests go.
enum Intake {
    /// The run has not begun.
    Early(Early),
    Open(Arc<dyn WorkQueue<Request>>),
    /// The controller was dropped, and no run begins any more.
    Closed,
}

/// Requests of the time before the run, each once.
#[derive(Default)]
struct Early {
    ordered: Vec<Request>,
    known: BTreeSet<Request>,
}

/// What a run has started; ends it all when it is dropped.
struct Run {
    settings: RunSettings,
    /// What events call it: the number of the queue, or one of its own if the queue has none.
    scope: u64,
    queue: Arc<dyn WorkQueue<Request>>,
    handle: Handle,
    /// Ends everything; the other two are its children.
    root: CancellationToken,
    /// Ends subscriptions and triggers.
    stop: CancellationToken,
    /// What reconciles look at.
    cancel: CancellationToken,
    /// Cancelled when the queue is stopped, and it is decided what becomes of what is queued.
    decided: CancellationToken,
    /// How many first snapshots are not in the queue.
    unprimed: watch::Receiver<usize>,
    fatal: Fatal,
    subscriptions: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    has_ended: bool,
}

struct RunSettings {
    begin: Begin,
    drain_max: Option<crate::time::Duration>,
    variant: Variant,
}

impl Controller {
    /// A controller in the making: one worker, backoffs from 5 ms to 1000 s, no subscriptions.
    pub fn builder(publisher: Arc<dyn Publisher>, reconciler: impl Reconciler) -> Builder {
        Builder::new(publisher, reconciler)
    }

    pub(super) fn new(settings: Builder) -> (Controller, Handle) {
        let handle = Handle {
            intake: Arc::new(Mutex::new(Intake::Early(Early::default()))),
            triggers: Arc::new(Triggers::new(settings.queue.variant)),
        };
        (Controller { settings, unrun: Unrun(handle.clone()) }, handle)
    }

    /// Runs it until `token` is cancelled, or until a subscription is given up or a task of its own panics. When this
    /// has returned no reconcile runs, and none will. Dropping the future aborts all tasks.
    ///
    /// # Errors
    /// The first cause that ended the run, if it was not the token.
    pub async fn run(self, token: CancellationToken, shutdown: Shutdown) -> Result<(), RunError> {
        let mut run = Run::start(self.settings, self.unrun.0.clone()).await;
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
                    early.add(request);
                    continue;
                }
                Intake::Open(queue) => Arc::clone(queue),
                Intake::Closed => return,
            };
            queue.add(request).await;
        }
    }

    /// Calls `call`, and enqueues the request when its future ends, whether well or not. It takes the place of the
    /// trigger that the request has, which enqueues nothing once this has returned. The token that `call` is given is
    /// cancelled when the trigger is removed or replaced; the future is dropped then. None when the run is over: nothing
    /// is registered.
    ///
    /// Not safe to cancel: if this future is dropped before it has returned, the older trigger may be gone, and the new
    /// one not registered.
    pub async fn add_trigger<F, Fut>(&self, request: Request, call: F, repeat: Repeat) -> Option<TriggerId>
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.triggers.add(request, call, repeat).await
    }

    /// Removes the trigger of a request, if it has one. Once this has returned it enqueues nothing. Safe to cancel; it may
    /// be removed then, or not.
    pub async fn remove_trigger(&self, request: &Request) {
        self.triggers.remove(request).await;
    }

    /// As [`Handle::remove_trigger`], and waits until its task has ended, and those of all that were removed before it.
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
            Intake::Early(_) | Intake::Closed => None,
            Intake::Open(queue) => Some(Arc::clone(queue)),
        }
    }

    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run begins: what came before goes into the queue.
    async fn open(&self, home: &Home) {
        let before = std::mem::replace(&mut *self.intake(), Intake::Open(Arc::clone(&home.sink)));
        self.triggers.open(home);
        if let Intake::Early(early) = before {
            for request in early.ordered {
                home.sink.add(request).await;
            }
        }
    }
}

impl Early {
    fn add(&mut self, request: Request) {
        if self.known.insert(request.clone()) {
            self.ordered.push(request);
        }
    }
}

impl Drop for Unrun {
    fn drop(&mut self) {
        let Unrun(handle) = self;
        let is_early = matches!(*handle.intake(), Intake::Early(_));
        if is_early {
            *handle.intake() = Intake::Closed;
            handle.triggers.close();
        }
    }
}

impl Run {
    async fn start(settings: Builder, handle: Handle) -> Run {
        let variant = settings.queue.variant;
        let queue = (settings.factory)(settings.queue);
        // Two runs on queues without numbers are told apart.
        let scope =
            Some(queue.number()).filter(|number| *number > 0).unwrap_or_else(|| Notify::new().number());
        emit(ControllerEvent::RunStarted {
            queue: scope,
            workers: settings.workers,
            primed: settings.begin == Begin::Primed,
            subscriptions: u32::try_from(settings.wanted.len()).unwrap_or(u32::MAX),
        });
        let root = CancellationToken::new();
        let (stop, cancel) = (root.child_token(), root.child_token());
        let (unprimed, snapshots) = watch::channel(settings.wanted.len());
        let mut run = Run {
            settings: RunSettings { begin: settings.begin, drain_max: settings.drain_max, variant },
            scope,
            queue: Arc::clone(&queue),
            handle: handle.clone(),
            root,
            fatal: Fatal::new(stop.clone()),
            stop,
            cancel,
            decided: CancellationToken::new(),
            unprimed: snapshots.clone(),
            subscriptions: Vec::new(),
            workers: Vec::new(),
            has_ended: false,
        };
        handle.open(&run.home()).await;
        for (number, wanted) in (0..).zip(settings.wanted) {
            let name = format!("subscription-{}", wanted.topic);
            let supervised = Supervised {
                scope,
                number,
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
                scope,
                number,
                queue: Arc::clone(&queue),
                reconciler: Arc::clone(&settings.reconciler),
                handle: handle.clone(),
                cancel: run.cancel.clone(),
                decided: run.decided.clone(),
                unprimed: (settings.begin == Begin::Primed).then(|| snapshots.clone()),
                variant,
            };
            run.workers.push(run.fatal.spawn(format!("worker-{number}"), worker.run()));
        }
        run
    }

    fn home(&self) -> Home {
        let (sink, stop) = (Arc::clone(&self.queue), self.stop.clone());
        Home { scope: self.scope, sink, stop, fatal: self.fatal.clone() }
    }

    /// Whether work has not begun, as not all of the first snapshots are in the queue.
    fn is_unprimed(&self) -> bool {
        self.settings.begin == Begin::Primed && *self.unprimed.borrow() > 0
    }

    /// Ends all tasks. The queue is first, so that whatever else ends ends after the stop.
    async fn stop(&mut self, shutdown: Shutdown) {
        // Nothing may be reconciled before the snapshots are complete, and now they never are.
        let shutdown = if self.is_unprimed() { Shutdown::Drop } else { shutdown };
        self.queue.stop(shutdown);
        if shutdown == Shutdown::Drop {
            self.root.cancel();
        }
        self.stop.cancel();
        self.handle.triggers.close();
        self.decided.cancel();
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
        let first = self.fatal.take();
        let error = first.as_ref().map(|error| Arc::from(error.to_string()));
        emit(ControllerEvent::RunEnded { queue: self.scope, error });
        first.map_or(Ok(()), Err)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.fatal.expect_aborts();
        self.queue.stop(Shutdown::Drop);
        self.root.cancel();
        self.handle.triggers.abort();
        self.subscriptions.iter().chain(&self.workers).for_each(JoinHandle::abort);
        emit(ControllerEvent::RunEnded { queue: self.scope, error: Some(DROPPED.into()) });
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
