//! The few verbs that the programs are written with, over fatum. Other tools have an `rt` of the same names and
//! signatures, so that a program is one source for all.
//!
//! Each access to what is shared and each lock is one scheduling point *before* it happens, as in the originals each is
//! one step of a thread; a spawn is three. It knows no program.

pub use super::Twin;

use fatum::sync::{Mutex, Notify, OwnedMutexGuard};
use fatum::task::{self, JoinHandle};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex as Cell, PoisonError};

/// A program of a tier that is written against `rt`: name, source, the kinds of end that are its bug, and its main.
macro_rules! program {
    ($tier:ident, $name:literal, $source:literal, $expects:literal, |$twin:ident| $main:expr) => {
        super::Program {
            name: $name,
            tier: super::Tier::$tier,
            source: $source,
            expects: &[$expects],
            set_up: |sim, $twin| sim.run($main),
            faults: fatum::fault::FaultPlan::none,
        }
    };
}

/// What a program is in the list of its tier.
pub type Program = super::Program;

/// A spawned task.
pub struct Handle {
    inner: JoinHandle<()>,
}

/// Spawns a task in three steps of the spawner: the call, the return, and the keeping of the handle.
///
/// A thread in C begins at its first access; a task has a turn before that, which is one more event for the schedule.
/// The steps make up for it: they are what instrumentation sees of `pool[i] = create(..)`. With one step only, searches
/// by random priorities of events meet `reorder_10` thirty times as often as in the literature.
#[track_caller]
pub fn spawn(
    name: &'static str,
    future: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = Handle> {
    let calls = task::yield_point("spawn");
    let returns = task::yield_point("spawned");
    let keeps = task::yield_point("handle");
    async move {
        calls.await;
        let inner = task::spawn_named(name, future);
        returns.await;
        keeps.await;
        Handle { inner }
    }
}

impl Handle {
    /// Waits for the task's end; a failed check in it is one of the caller's too.
    pub async fn join(self) {
        if let Err(error) = self.inner.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Waits for all of them, in their order.
pub async fn join_all(handles: Vec<Handle>) {
    for handle in handles {
        handle.join().await;
    }
}

/// What a run that meets the bug fails at.
#[track_caller]
pub fn check(holds: bool, message: &str) {
    assert!(holds, "{message}");
}

/// Whether the program has its bug.
pub fn is_buggy(twin: Twin) -> bool {
    twin == Twin::Buggy
}

/// A shared variable: each access is one scheduling point, and then one step.
pub struct Shared<T> {
    name: &'static str,
    row: u64,
    value: Arc<Cell<T>>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared { name: self.name, row: self.row, value: self.value.clone() }
    }
}

impl<T: Clone + Send> Shared<T> {
    /// The variable of that name.
    pub fn new(name: &'static str, value: T) -> Shared<T> {
        Shared::row(name, 0, value)
    }

    /// One row of an array of that name.
    pub fn row(name: &'static str, row: u64, value: T) -> Shared<T> {
        Shared { name, row, value: Arc::new(Cell::new(value)) }
    }

    /// Reads it.
    #[track_caller]
    pub fn get(&self) -> impl Future<Output = T> {
        let point = task::yield_read_on(self.name, self.row);
        async move {
            point.await;
            self.with(|value| value.clone())
        }
    }

    /// Writes it.
    #[track_caller]
    pub fn set(&self, new: T) -> impl Future<Output = ()> {
        self.update(move |value| *value = new)
    }

    /// Changes it in one step, as an atomic instruction does.
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> impl Future<Output = R> {
        let point = task::yield_point_on(self.name, self.row);
        async move {
            point.await;
            self.with(change)
        }
    }

    fn with<R>(&self, access: impl FnOnce(&mut T) -> R) -> R {
        access(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A lock apart from what it protects, as in C. Taking it is a scheduling point; giving it back is none.
#[derive(Clone)]
pub struct Lock {
    inner: Arc<Mutex<()>>,
}

/// A lock that is held until this is dropped.
pub struct Guard {
    lock: Lock,
    inner: OwnedMutexGuard<()>,
}

impl Lock {
    /// A free lock.
    #[track_caller]
    pub fn new() -> Lock {
        Lock { inner: Arc::new(Mutex::new(())) }
    }

    /// Waits for it.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = Guard> {
        let taken = self.inner.clone().lock_owned();
        async move { Guard { lock: self.clone(), inner: taken.await } }
    }
}

/// Takes the lock, if there is one: what a mended twin has and the other has not.
pub async fn lock_if(lock: Option<&Lock>) -> Option<Guard> {
    match lock {
        Some(lock) => Some(lock.lock().await),
        None => None,
    }
}

/// A condition variable: it wakes who waits, and forgets.
#[derive(Clone)]
pub struct Signal {
    waiting: Arc<AtomicU32>,
    inner: Arc<Notify>,
}

impl Signal {
    /// Nobody waits.
    #[track_caller]
    pub fn new() -> Signal {
        Signal { waiting: Arc::default(), inner: Arc::new(Notify::new()) }
    }

    /// Gives the lock back, waits, and takes it again. The first two are one step.
    #[track_caller]
    pub fn wait(&self, guard: Guard) -> impl Future<Output = Guard> {
        let told = self.inner.notified();
        async move {
            let mut told = pin!(told);
            told.as_mut().enable();
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let Guard { lock, inner } = guard;
            drop(inner);
            told.await;
            lock.lock().await
        }
    }

    /// Wakes the task that has waited longest, if one waits.
    pub async fn notify_one(&self) {
        let waited =
            self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| waiting.checked_sub(1));
        if waited.is_ok() {
            self.inner.notify_one();
        }
    }

    /// Wakes all that wait.
    pub async fn notify_all(&self) {
        self.waiting.store(0, Ordering::Relaxed);
        self.inner.notify_waiters();
    }
}
