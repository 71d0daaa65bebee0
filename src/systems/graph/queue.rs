//! A work queue: items are added at any time, a fixed number of workers runs an operation on each, and it ends
//! when nothing is left. Separate because walking a graph of resources needs it as much as running actions; it
//! must not know actions. States: not started, running, done, never back. A list that is first in, first out and has no
//! workers is `std::collections::VecDeque`, and there is none here.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::sync::Notify;
use crate::task::{spawn_named, yield_point};
use crate::time::Instant;

use super::record::GraphEvent;
use super::stop::{Stop, StopCause};
use super::token_gate::TokenGate;
use super::variant::Variant;

/// The item that a queue did not take because it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue has ended and takes no more items")
    }
}

impl<T: fmt::Debug> std::error::Error for Closed<T> {}

/// Where a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Items can be added, nothing runs.
    NotStarted,
    /// Items can be added, workers run them.
    Running,
    /// Nothing can be added, nothing starts; what is in flight goes on.
    Done,
}

/// Why a queue ended before everything ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError<X> {
    /// An operation failed.
    #[error("an operation failed: {0}")]
    Failed(X),
    /// The operation of a worker panicked or its task was dropped.
    #[error("a worker was lost")]
    WorkerLost,
    /// The stop was due first.
    #[error("stopped before everything ran: {0:?}")]
    Stopped(StopCause),
    /// `run` was called before.
    #[error("run can only be called once (the queue is {0:?})")]
    AlreadyRun(Phase),
    /// `drain` was called before `run` had ended.
    #[error("drain was called while the queue is {0:?}")]
    NotDone(Phase),
}

/// One operation that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// The number of the item in the order of adding.
    pub item: u64,
    /// When it was added.
    pub queued: Instant,
    /// When its operation started.
    pub start: Instant,
    /// When its operation ended.
    pub end: Instant,
    /// The operation failed.
    pub failed: bool,
}

/// The queue; clones are the same queue.
pub struct WorkQueue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    workers: NonZeroUsize,
    traced: bool,
    variant: Variant,
    gate: TokenGate,
    state: Mutex<State<T>>,
    /// Wakes one worker; who takes an item while more are left, or ends, wakes the next.
    wake: Notify,
    /// Wakes whoever runs or drains.
    changed: Notify,
}

struct State<T> {
    phase: Phase,
    failed: bool,
    orphan_failed: bool,
    pending: BTreeMap<(i64, u64), Waiting<T>>,
    active: usize,
    offered: u64,
    infos: Vec<RunInfo>,
}

struct Waiting<T> {
    item: T,
    queued: Instant,
}

/// An item in the hands of a worker; counts it as ended when dropped.
struct Active<T> {
    shared: Arc<Shared<T>>,
    number: u64,
    queued: Instant,
    start: Instant,
    result: Option<bool>,
}

impl<T> Clone for WorkQueue<T> {
    fn clone(&self) -> Self {
        WorkQueue { shared: Arc::clone(&self.shared) }
    }
}

impl<T: Send + 'static> WorkQueue<T> {
    /// A queue of so many workers.
    pub fn new(workers: NonZeroUsize) -> Self {
        WorkQueue::planted(workers, false, Variant::Correct)
    }

    /// A queue that keeps a [`RunInfo`] of each operation that ended before the queue did.
    pub fn traced(workers: NonZeroUsize) -> Self {
        WorkQueue::planted(workers, true, Variant::Correct)
    }

    /// A queue with a planted bug.
    #[doc(hidden)]
    pub fn planted(workers: NonZeroUsize, traced: bool, variant: Variant) -> Self {
        let state = State {
            phase: Phase::NotStarted,
            failed: false,
            orphan_failed: false,
            pending: BTreeMap::new(),
            active: 0,
            offered: 0,
            infos: Vec::new(),
        };
        let shared = Shared {
            workers,
            traced,
            variant,
            gate: TokenGate::new(variant),
            state: Mutex::new(state),
            wake: Notify::new(),
            changed: Notify::new(),
        };
        WorkQueue { shared: Arc::new(shared) }
    }

    /// Adds an item behind those already waiting.
    ///
    /// # Errors
    /// Hands the item back when the queue has ended.
    pub async fn add(&self, item: T) -> Result<(), Closed<T>> {
        self.add_ranked(item, 0).await
    }

    /// Adds an item behind those waiting with the same or a lower rank.
    ///
    /// # Errors
    /// Hands the item back when the queue has ended.
    pub async fn add_ranked(&self, item: T, rank: i64) -> Result<(), Closed<T>> {
        yield_point("queue.state").await;
        let _gate = self.shared.gate.enter().await;
        let is_running = self.shared.push(item, rank)?;
        if is_running {
            self.shared.gate.send_token().await;
        }
        Ok(())
    }

    /// As `add_ranked`, where nothing can be awaited.
    pub(crate) fn add_at_once(&self, item: T, rank: i64) -> Result<(), Closed<T>> {
        self.shared.push(item, rank).map(drop)
    }

    /// Runs the operation on every item until nothing waits and nothing is in flight, an operation fails, or the
    /// stop is due. Nothing starts once the stop is due. What is in flight at an early end goes on: see `drain`.
    ///
    /// # Errors
    /// Why it ended early, or that it was run before.
    pub async fn run<F, Fut, X>(&self, stop: &Stop, op: F) -> Result<(), QueueError<X>>
    where
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), X>> + Send + 'static,
        X: Send + 'static,
    {
        let shared = &self.shared;
        if let Err(phase) = shared.begin() {
            emit(GraphEvent::QueueRunAgain { queue: shared.number(), refused: true });
            return Err(QueueError::AlreadyRun(phase));
        }
        let _closer = CloseOnDrop(shared);
        let first_error = Arc::new(Mutex::new(None));
        let mut op = Some(Arc::new(op));
        let end = loop {
            yield_point("queue.state").await;
            {
                let _gate = shared.gate.enter().await;
                if let Some(end) = shared.end(stop) {
                    break end;
                }
            }
            if let Some(op) = op.take() {
                self.spawn_workers(stop, op, &first_error);
            }
            crate::select! {
                biased;
                _ = stop.wait() => {}
                () = shared.changed.notified() => {}
            }
        };
        match end {
            End::AllDone => Ok(()),
            End::Stopped(cause) => Err(QueueError::Stopped(cause)),
            End::Failed => Err(match lock(&first_error).take() {
                Some(error) => QueueError::Failed(error),
                None => QueueError::WorkerLost,
            }),
        }
    }

    /// Waits, after an early end, until nothing is in flight.
    ///
    /// # Errors
    /// The stop was due first, or `run` has not ended.
    pub async fn drain(&self, stop: &Stop) -> Result<(), QueueError<std::convert::Infallible>> {
        loop {
            {
                let state = lock(&self.shared.state);
                if state.phase != Phase::Done {
                    return Err(QueueError::NotDone(state.phase));
                }
                let gives_up = self.shared.variant == Variant::OrphanErrorEndsWait && state.orphan_failed;
                if state.active == 0 || gives_up {
                    // Others may drain too, and one permit is all that the last operation left.
                    self.shared.changed.notify_one();
                    return Ok(());
                }
            }
            if let Some(cause) = stop.due() {
                return Err(QueueError::Stopped(cause));
            }
            crate::select! {
                biased;
                _ = stop.wait() => {}
                () = self.shared.changed.notified() => {}
            }
        }
    }

    /// Takes out the items that never started, in the order they would have.
    pub fn unstarted(&self) -> Vec<T> {
        let pending = std::mem::take(&mut lock(&self.shared.state).pending);
        pending.into_values().map(|waiting| waiting.item).collect()
    }

    /// Ends the queue: nothing starts any more. A run of it that is under way returns as if it had been cancelled,
    /// unless nothing is left to do.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        lock(&self.shared.state).phase
    }

    /// Operations in flight.
    pub fn active(&self) -> usize {
        lock(&self.shared.state).active
    }

    /// The operations that ended before the queue did, in their order; empty unless the queue is traced.
    pub fn infos(&self) -> Vec<RunInfo> {
        lock(&self.shared.state).infos.clone()
    }

    fn spawn_workers<F, Fut, X>(&self, stop: &Stop, op: Arc<F>, first_error: &Arc<Mutex<Option<X>>>)
    where
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), X>> + Send + 'static,
        X: Send + 'static,
    {
        let extra = usize::from(self.shared.variant == Variant::ExtraWorker);
        for _ in 0..self.shared.workers.get() + extra {
            let (shared, stop, op) = (Arc::clone(&self.shared), stop.clone(), Arc::clone(&op));
            let first_error = Arc::clone(first_error);
            drop(spawn_named("worker", async move {
                while let Some((item, mut active)) = Shared::next(&shared, &stop).await {
                    let result = op(item).await;
                    active.result = Some(result.is_ok());
                    if let Err(error) = result {
                        lock(&first_error).get_or_insert(error);
                    }
                }
            }));
        }
    }
}

enum End {
    AllDone,
    Failed,
    Stopped(StopCause),
}

impl<T> Shared<T> {
    /// Puts the item in; true when a worker has to be told through the planted channel.
    fn push(&self, item: T, rank: i64) -> Result<bool, Closed<T>> {
        let mut state = lock(&self.state);
        let number = state.offered;
        state.offered += 1;
        let done = state.phase == Phase::Done;
        let accepted = !done || self.variant == Variant::AddAfterDone;
        emit(GraphEvent::QueueAdded { queue: self.number(), item: number, rank, accepted, done });
        if !accepted {
            return Err(Closed(item));
        }
        state.pending.insert((rank, number), Waiting { item, queued: Instant::now() });
        let is_running = state.phase == Phase::Running;
        if is_running && !(self.variant == Variant::WakeDroppedWhenBusy && state.active > 0) {
            self.wake.notify_one();
        }
        Ok(is_running)
    }

    /// The next item for a worker; none when the queue has ended or is about to, because an operation failed.
    async fn next(shared: &Arc<Self>, stop: &Stop) -> Option<(T, Active<T>)> {
        loop {
            yield_point("queue.state").await;
            {
                let _gate = shared.gate.enter().await;
                shared.gate.drain_tokens();
                let mut state = lock(&shared.state);
                let starts_late = shared.variant == Variant::StartAfterStop && !state.pending.is_empty();
                let is_over = state.phase == Phase::Done || state.failed;
                if is_over && !starts_late {
                    // The last wake is handed from one ending worker to the next.
                    shared.wake.notify_one();
                    return None;
                }
                if (stop.due().is_none() || starts_late)
                    && let Some(((_, number), waiting)) = shared.take(&mut state)
                {
                    state.active += 1;
                    if !state.pending.is_empty() && shared.variant != Variant::WakeDroppedWhenBusy {
                        shared.wake.notify_one();
                    }
                    drop(state);
                    emit(GraphEvent::QueueStarted { queue: shared.number(), item: number });
                    let (queued, start) = (waiting.queued, Instant::now());
                    let active = Active { shared: Arc::clone(shared), number, queued, start, result: None };
                    return Some((waiting.item, active));
                }
            }
            if !shared.gate.recv_token().await {
                shared.wake.notified().await;
            }
        }
    }

    fn take(&self, state: &mut State<T>) -> Option<((i64, u64), Waiting<T>)> {
        if self.variant == Variant::NewestFirst {
            state.pending.pop_last()
        } else {
            state.pending.pop_first()
        }
    }

    fn begin(&self) -> Result<(), Phase> {
        let mut state = lock(&self.state);
        if state.phase != Phase::NotStarted {
            return Err(state.phase);
        }
        state.phase = Phase::Running;
        Ok(())
    }

    /// Ends the queue if it is time to, and says why: both in one, so that nothing is added in between.
    fn end(&self, stop: &Stop) -> Option<End> {
        let state = lock(&self.state);
        let end = if state.failed {
            End::Failed
        } else if state.pending.is_empty() && state.active == 0 {
            End::AllDone
        } else if state.phase == Phase::Done {
            End::Stopped(StopCause::Cancelled)
        } else {
            End::Stopped(stop.due()?)
        };
        self.finish(state);
        Some(end)
    }

    fn close(&self) {
        self.finish(lock(&self.state));
        self.changed.notify_one();
    }

    fn finish(&self, mut state: MutexGuard<'_, State<T>>) {
        if state.phase == Phase::Done {
            return;
        }
        state.phase = Phase::Done;
        let unstarted = state.pending.len() as u64;
        let early = unstarted > 0 || state.active > 0 || state.failed;
        drop(state);
        emit(GraphEvent::QueueDone { queue: self.number(), unstarted, early });
        self.wake.notify_one();
        self.gate.close(self.workers.get());
    }

    /// What its events call it.
    fn number(&self) -> u64 {
        self.changed.number()
    }
}

impl<T> Drop for Active<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.active -= 1;
        let ok = self.result == Some(true);
        let is_orphan = state.phase == Phase::Done;
        state.orphan_failed |= !ok && is_orphan;
        state.failed |= !ok;
        if self.shared.traced && self.result.is_some() && !is_orphan {
            let info = RunInfo {
                item: self.number,
                queued: self.queued,
                start: self.start,
                end: Instant::now(),
                failed: !ok,
            };
            state.infos.push(info);
        }
        drop(state);
        self.shared.changed.notify_one();
    }
}

/// Ends the queue when the future that runs it is dropped.
struct CloseOnDrop<'q, T>(&'q Arc<Shared<T>>);

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// No operation runs under a lock, so a poisoned one only means that some thread died elsewhere.
fn lock<S>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
