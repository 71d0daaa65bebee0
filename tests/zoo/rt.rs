//! The few verbs that the programs are written with, over fatum. Other tools have an `rt` of the same names and
//! signatures, so that a program is one source for all.
//!
//! Each access to what is shared, each lock and each spawn is one scheduling point *before* it happens, as in the
//! originals each is one step of a thread. It knows no program.

use super::Twin;
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

/// Spawns a task; others may run before the spawner goes on.
#[track_caller]
pub fn spawn(
    name: &'static str,
    future: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = Handle> {
    let goes_on = task::yield_point("spawned");
    async move {
        let inner = task::spawn_named(name, future);
        goes_on.await;
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
