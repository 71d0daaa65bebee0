//! The queue that is shipped: the model under a lock, whoever waits on it, and the task that delivers deferrals.
//!
//! Each operation is one critical section: the state changes, the event is emitted and whoever must know is woken
//! before the lock is released. Whoever finds nothing joins the waiters in the critical section in which it looked. So
//! no wake-up falls between a look and a wait. It must not know controllers.

use super::limiter::{self, Exponential, Limiter};
use super::model::{AddPolicy, Added, Deferred, Model, Phase};
use super::request::text;
use super::{BoxFuture, ControllerEvent, Item, Lease, Metrics, NotHeld, Shutdown, Variant, WorkQueue};
use crate::sync::Notify;
use crate::sync::futures::Notified;
use crate::task::{spawn_named, waiting_for, yield_point};
use crate::time::{Duration, Instant, sleep_until};
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// What every operation of a queue reads and writes, in the words of a tape.
const STATE: &str = "queue.state";

/// A work queue; clones are the same queue. It is stopped when the last clone is dropped.
///
/// ```
/// use fatum::systems::controller::{Queue, Request, Requeue, Shutdown, WorkQueue};
/// use fatum::time::Duration;
///
/// fatum::check("a request comes again", |sim| {
///     sim.run(async {
///         let queue = Queue::start();
///         queue.add(Request::new("route", "a")).await;
///         queue.add(Request::new("route", "a")).await;
///         let lease = queue.lease().await.expect("it is not stopped");
///         lease.requeue(Requeue::After(Duration::from_secs(3600))).await;
///         let again = queue.lease().await.expect("it is not stopped");
///         assert_eq!(again.item().name.as_ref(), "a");
///         queue.stop(Shutdown::Drain);
///         assert!(queue.lease().await.is_none());
///     });
/// });
/// ```
pub struct Queue<T: Item> {
    shared: Arc<Shared<T>>,
    owner: Arc<Owner<T>>,
}

/// What a queue is made with.
pub struct QueueBuilder<T: Item> {
    limiter: Box<dyn Limiter<T::Key>>,
    policy: AddPolicy,
    variant: Variant,
}

struct Shared<T: Item> {
    variant: Variant,
    state: Mutex<State<T>>,
    /// One permit for each item that is queued while somebody waits.
    queued: Notify,
    /// Wakes whoever waits for the queue to be empty, or for the task of deferrals to end.
    idle: Notify,
    /// Wakes the task that delivers deferrals: another one is first now, or the queue was stopped.
    deferred: Notify,
}

struct State<T: Item> {
    model: Model<T>,
    limiter: Box<dyn Limiter<T::Key>>,
    metrics: Metrics,
    stopped_at: Option<Instant>,
    /// The task that delivers deferrals has ended.
    is_over: bool,
}

/// Stops the queue when it is dropped.
struct Owner<T: Item>(Arc<Shared<T>>);

impl<T: Item> QueueBuilder<T> {
    /// Sets the limiter; 5 ms doubling to 1000 s unless told otherwise.
    pub fn limiter(mut self, limiter: impl Limiter<T::Key> + 'static) -> Self {
        self.limiter = Box::new(limiter);
        self
    }

    /// Sets what an add does to a pending deferral of its key.
    pub fn policy(mut self, policy: AddPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Plants a bug.
    #[doc(hidden)]
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Makes the queue, and spawns the task that delivers deferrals; it ends with the queue.
    ///
    /// # Panics
    /// As [`spawn_named`].
    pub fn start(self) -> Queue<T> {
        let limiter = match self.variant {
            Variant::LimiterShared => Box::new(limiter::Shared { limiter: self.limiter, first: None }),
            _ => self.limiter,
        };
        let state = State {
            model: Model::new(self.policy, self.variant),
            limiter,
            metrics: Metrics::default(),
            stopped_at: None,
            is_over: false,
        };
        let shared = Arc::new(Shared {
            variant: self.variant,
            state: Mutex::new(state),
            queued: Notify::new(),
            idle: Notify::new(),
            deferred: Notify::new(),
        });
        spawn_named("defer", deliver(Arc::clone(&shared)));
        Queue { owner: Arc::new(Owner(Arc::clone(&shared))), shared }
    }
}

impl<T: Item> Queue<T> {
    /// A queue with every default; see [`QueueBuilder::start`].
    pub fn start() -> Queue<T> {
        Queue::builder().start()
    }

    /// What a queue is made with.
    pub fn builder() -> QueueBuilder<T> {
        QueueBuilder {
            limiter: Box::new(Exponential::consul_default()),
            policy: AddPolicy::default(),
            variant: Variant::Correct,
        }
    }

    /// Waits for an item and takes it; `None` once the queue hands out no more.
    pub async fn lease(&self) -> Option<Lease<T>> {
        let queue: Arc<dyn WorkQueue<T>> = Arc::new(self.clone());
        super::lease_planted(&queue, self.shared.variant).await
    }

    /// Drops the deferral of a key; whether there was one.
    pub async fn cancel(&self, key: &T::Key) -> bool {
        yield_point(STATE).await;
        let mut state = self.shared.lock();
        let next = state.model.deferred().next();
        let is_cancelled = state.model.cancel(key);
        if is_cancelled {
            self.shared.emit(|queue| ControllerEvent::DeferralDropped { queue, key: text(key) });
        }
        self.shared.tell_next(&state, next);
        is_cancelled
    }

    /// Waits until the queue is stopped and its own task has ended.
    pub async fn ended(&self) {
        self.shared.wait_idle(|state| state.is_over).await;
    }

    /// Whether the queue was stopped.
    pub fn is_stopped(&self) -> bool {
        self.shared.lock().model.phase() != Phase::Open
    }

    /// How many items are deferred.
    pub fn deferred(&self) -> usize {
        self.shared.lock().model.deferred().len()
    }

    /// The invariants of its state; see [`Model::check`].
    ///
    /// # Errors
    /// The one that is broken, in words.
    pub fn check(&self) -> Result<(), String> {
        self.shared.lock().model.check()
    }

    /// What its events call it.
    pub fn number(&self) -> u64 {
        self.shared.number()
    }
}

impl<T: Item> WorkQueue<T> for Queue<T> {
    fn get(&self) -> BoxFuture<'_, Option<T>> {
        Box::pin(self.shared.get())
    }

    fn add(&self, item: T) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            yield_point(STATE).await;
            let mut state = self.shared.lock();
            self.shared.add(&mut state, item);
        })
    }

    fn add_after(&self, item: T, delay: Duration, overrides: bool) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            yield_point(STATE).await;
            let mut state = self.shared.lock();
            if state.model.phase() == Phase::Open {
                state.metrics.retries += 1;
            }
            self.shared.add_after(&mut state, item, delay, overrides);
        })
    }

    fn add_rate_limited(&self, item: T) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            yield_point(STATE).await;
            let mut state = self.shared.lock();
            self.shared.add_rate_limited(&mut state, item);
        })
    }

    fn forget(&self, key: &T::Key) {
        let mut state = self.shared.lock();
        if self.shared.variant != Variant::ForgetMissing {
            state.limiter.forget(key);
        }
        self.shared.emit(|queue| ControllerEvent::Forgot { queue, key: text(key) });
    }

    fn done(&self, key: &T::Key) -> Result<(), NotHeld> {
        self.shared.done(key)
    }

    fn stop(&self, how: Shutdown) {
        self.shared.stop(how);
    }

    fn drained(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.drained())
    }

    fn len(&self) -> usize {
        self.shared.lock().model.len()
    }

    fn num_requeues(&self, key: &T::Key) -> u32 {
        self.shared.lock().limiter.num_requeues(key)
    }

    fn number(&self) -> u64 {
        self.shared.number()
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(Queue::ended(self))
    }

    fn metrics(&self) -> Option<Metrics> {
        Some(self.shared.measure())
    }
}

impl<T: Item> Shared<T> {
    async fn get(&self) -> Option<T> {
        yield_point(STATE).await;
        let mut parked = pin!(self.queued.notified());
        loop {
            if let Poll::Ready(taken) = self.take_or_park(parked.as_mut()) {
                return taken;
            }
            if self.variant == Variant::LostWakeUpAtStop {
                yield_point("queue.park").await;
                parked.set(self.queued.notified());
                if !self.park_unless_queued(parked.as_mut()) {
                    continue;
                }
            }
            waiting_for("the next item of the work queue", parked.as_mut()).await;
            // Nothing is awaited from here to the look: a wake-up that a dropped future had used would be lost.
            parked.set(self.queued.notified());
        }
    }

    /// Takes the first item, or joins those who wait for one, in one critical section.
    fn take_or_park(&self, parked: Pin<&mut Notified<'_>>) -> Poll<Option<T>> {
        let mut state = self.lock();
        let now = Instant::now();
        if let Some(taken) = state.model.take(now) {
            state.metrics.latency.observe(taken.waited);
            self.emit(|queue| ControllerEvent::Taken { queue, key: text(&taken.item.key()) });
            return Poll::Ready(Some(taken.item));
        }
        if state.model.phase() != Phase::Open {
            return Poll::Ready(None);
        }
        if self.variant != Variant::LostWakeUpAtStop {
            parked.enable();
        }
        Poll::Pending
    }

    /// A planted bug: the stop flag was looked at before, and is not looked at again.
    fn park_unless_queued(&self, parked: Pin<&mut Notified<'_>>) -> bool {
        let state = self.lock();
        let is_empty = state.model.is_empty();
        if is_empty {
            parked.enable();
        }
        is_empty
    }

    fn add(&self, state: &mut State<T>, item: T) {
        let key = item.key();
        let next = state.model.deferred().next();
        let (added, supersedes) = state.model.add(item, Instant::now());
        if supersedes {
            self.emit(|queue| ControllerEvent::DeferralDropped { queue, key: text(&key) });
            self.tell_next(state, next);
        }
        self.added(state, &key, added);
    }

    /// Says what became of an add, and wakes one who waits for it.
    fn added(&self, state: &mut State<T>, key: &T::Key, added: Added) {
        state.metrics.adds += u64::from(matches!(added, Added::Queued | Added::Dirty));
        self.emit(|queue| match added {
            Added::Queued => ControllerEvent::Added { queue, key: text(key), dirty: false },
            Added::Dirty => ControllerEvent::Added { queue, key: text(key), dirty: true },
            Added::Coalesced => ControllerEvent::Coalesced { queue, key: text(key) },
            Added::Rejected => ControllerEvent::Rejected { queue, key: text(key) },
        });
        if added == Added::Queued {
            self.queued.notify_one();
        }
    }

    fn add_after(&self, state: &mut State<T>, item: T, delay: Duration, overrides: bool) {
        if delay.is_zero() {
            return self.add(state, item);
        }
        let key = item.key();
        let until = Instant::now().saturating_add(delay);
        let next = state.model.deferred().next();
        let deferred = state.model.defer(item, until, overrides);
        self.emit(|queue| match deferred {
            Deferred::Set => ControllerEvent::Deferred { queue, key: text(&key), delay, kept: false },
            Deferred::Kept => ControllerEvent::Deferred { queue, key: text(&key), delay, kept: true },
            Deferred::Rejected => ControllerEvent::Rejected { queue, key: text(&key) },
        });
        self.tell_next(state, next);
    }

    /// Wakes the task that delivers deferrals, if its timer is set to a time that is first no more.
    fn tell_next(&self, state: &State<T>, before: Option<Instant>) {
        if state.model.deferred().next() != before {
            self.deferred.notify_one();
        }
    }

    fn add_rate_limited(&self, state: &mut State<T>, item: T) {
        let key = item.key();
        if state.model.phase() != Phase::Open {
            self.emit(|queue| ControllerEvent::Rejected { queue, key: text(&key) });
            return;
        }
        let failures = state.limiter.num_requeues(&key);
        let delay = state.limiter.next_retry(&key);
        state.metrics.retries += 1;
        let curve = state.limiter.curve();
        self.emit(|queue| ControllerEvent::Backoff { queue, key: text(&key), failures, delay, curve });
        self.add_after(state, item, delay, false);
    }

    fn done(&self, key: &T::Key) -> Result<(), NotHeld> {
        let mut state = self.lock();
        let finished = state.model.done(key, Instant::now()).ok_or_else(|| NotHeld::new(key))?;
        state.metrics.work.observe(finished.took);
        self.emit(|queue| ControllerEvent::Done { queue, key: text(key), requeued: finished.requeued });
        if finished.requeued {
            self.queued.notify_one();
        } else if state.model.is_idle() {
            self.idle.notify_waiters();
        }
        Ok(())
    }

    fn stop(&self, how: Shutdown) {
        let mut state = self.lock();
        let Some(dropped) = state.model.stop(how) else { return };
        state.stopped_at.get_or_insert_with(Instant::now);
        self.emit(|queue| ControllerEvent::QueueStopped { queue, drain: how == Shutdown::Drain });
        for key in &dropped {
            self.emit(|queue| ControllerEvent::DeferralDropped { queue, key: text(key) });
        }
        if self.variant == Variant::WakeOneAtStop {
            self.queued.notify_one();
        } else {
            self.queued.notify_waiters();
        }
        self.deferred.notify_one();
        self.idle.notify_waiters();
    }

    async fn drained(&self) {
        if self.variant == Variant::DrainInPieces {
            return self.drained_in_pieces().await;
        }
        self.wait_idle(|state| state.model.is_idle() || state.model.phase() == Phase::Dropped).await;
    }

    /// Waits until a condition holds that is looked at whenever the queue gets empty, is stopped or is over.
    async fn wait_idle(&self, holds: impl Fn(&State<T>) -> bool) {
        yield_point(STATE).await;
        let mut parked = pin!(self.idle.notified());
        while !self.holds_or_park(&holds, parked.as_mut()) {
            parked.as_mut().await;
            parked.set(self.idle.notified());
        }
    }

    fn holds_or_park(&self, holds: &impl Fn(&State<T>) -> bool, parked: Pin<&mut Notified<'_>>) -> bool {
        let state = self.lock();
        let is_met = holds(&state);
        if !is_met {
            parked.enable();
        }
        is_met
    }

    /// A planted bug: the forced stop is looked at under one lock, and what is in flight under the next.
    async fn drained_in_pieces(&self) {
        loop {
            yield_point(STATE).await;
            if self.lock().model.phase() == Phase::Dropped {
                return;
            }
            yield_point(STATE).await;
            let mut parked = pin!(self.idle.notified());
            if self.holds_or_park(&|state| state.model.is_idle(), parked.as_mut()) {
                return;
            }
            parked.await;
        }
    }

    /// Adds one item whose time has come; whether there was one.
    fn fire(&self, state: &mut State<T>, now: Instant) -> bool {
        let Some((key, added)) = state.model.fire(now) else { return false };
        self.emit(|queue| ControllerEvent::Fired { queue, key: text(&key) });
        self.added(state, &key, added);
        true
    }

    fn measure(&self) -> Metrics {
        let state = self.lock();
        let now = state.stopped_at.unwrap_or_else(Instant::now);
        let mut metrics = Metrics { depth: state.model.wanted() as u64, ..state.metrics };
        metrics.age(state.model.processing().map(|(_, since)| since), now);
        metrics
    }

    /// Builds an event where somebody hears it.
    fn emit(&self, event: impl FnOnce(u64) -> ControllerEvent) {
        if crate::is_simulated() {
            crate::emit(event(self.number()));
        }
    }

    fn number(&self) -> u64 {
        self.queued.number()
    }

    /// No waiting and no user's operation happens under the lock, so a poisoned one only means that a fold panicked.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers what is deferred, each at its time, until the queue is stopped.
async fn deliver<T: Item>(shared: Arc<Shared<T>>) {
    loop {
        yield_point(STATE).await;
        let next = {
            let mut state = shared.lock();
            if state.model.phase() != Phase::Open {
                state.is_over = true;
                shared.idle.notify_waiters();
                return;
            }
            let now = Instant::now();
            let is_due = state.model.deferred().next().is_some_and(|next| next <= now);
            if is_due && shared.variant == Variant::DeferralEarly {
                while shared.fire(&mut state, now.saturating_add(Duration::MAX)) {}
            }
            if shared.fire(&mut state, now) {
                continue;
            }
            state.model.deferred().next()
        };
        match next {
            None => waiting_for("the next deferral", shared.deferred.notified()).await,
            Some(next) => crate::select! {
                biased;
                () = shared.deferred.notified() => {}
                () = sleep_until(next) => {}
            },
        }
    }
}

impl<T: Item> Drop for Owner<T> {
    fn drop(&mut self) {
        self.0.stop(Shutdown::Drop);
    }
}

impl<T: Item> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue { shared: Arc::clone(&self.shared), owner: Arc::clone(&self.owner) }
    }
}

impl<T: Item> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Queue").field("queued", &state.model.len()).finish_non_exhaustive()
    }
}
