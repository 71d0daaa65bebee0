//! The verbs that the programs are written with, over another engine: the names, signatures and scheduling points of
//! `tests/zoo/rt.rs`.
//!
//! It is compiled once for each engine, which gives it a point, `spawn` and its handle. It knows no program.

use super::engine::{self, Point};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Cell, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

pub use crate::zoo::Twin;

/// A program of a tier: its main; the rest is in the zoo's list.
macro_rules! program {
    ($tier:ident, $name:literal, $source:literal, $expects:literal, |$twin:ident| $main:expr) => {
        super::rt::Program { name: $name, main: |$twin| Box::pin($main) }
    };
}

/// What a program is in the list of its tier.
pub struct Program {
    /// Its name in the zoo's list.
    pub name: &'static str,
    /// What its first task does.
    pub main: Main,
}

/// Makes the future of a program's first task.
pub type Main = fn(Twin) -> Pin<Box<dyn Future<Output = ()>>>;

fn open<T>(cell: &Cell<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A spawned task.
pub struct Handle {
    inner: engine::Handle,
}

/// Spawns a task in three steps of the spawner, as in the zoo: the call, the return, and the keeping of the handle.
pub async fn spawn(_name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Handle {
    let steps = Point::new();
    // The engine's own spawn may be a point already.
    if !engine::SPAWN_IS_A_POINT {
        steps.reach().await;
    }
    let inner = engine::spawn(future);
    steps.reach().await;
    steps.reach().await;
    Handle { inner }
}

impl Handle {
    /// Waits for the task's end.
    pub async fn join(self) {
        engine::join(self.inner).await;
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
    point: Point,
    value: Arc<Cell<T>>,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared { point: self.point.clone(), value: self.value.clone() }
    }
}

impl<T: Clone + Send> Shared<T> {
    /// The variable of that name.
    pub fn new(name: &'static str, value: T) -> Shared<T> {
        Shared::row(name, 0, value)
    }

    /// One row of an array of that name.
    pub fn row(_name: &'static str, _row: u64, value: T) -> Shared<T> {
        Shared { point: Point::new(), value: Arc::new(Cell::new(value)) }
    }

    /// Reads it.
    pub async fn get(&self) -> T {
        self.point.reach().await;
        open(&self.value).clone()
    }

    /// Writes it.
    pub async fn set(&self, new: T) {
        self.update(move |value| *value = new).await;
    }

    /// Changes it in one step, as an atomic instruction does.
    pub async fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.point.reach().await;
        change(&mut open(&self.value))
    }
}

/// Who waits, in the order of arrival.
#[derive(Default)]
struct Queue {
    waiting: Cell<VecDeque<Arc<Waiter>>>,
}

#[derive(Default)]
struct Waiter {
    told: AtomicBool,
    waker: Cell<Option<Waker>>,
}

impl Waiter {
    fn tell(&self) {
        self.told.store(true, Ordering::Relaxed);
        let waker = open(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|context| {
            if self.told.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *open(&self.waker) = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Queue {
    fn enter(&self) -> Arc<Waiter> {
        let waiter = Arc::<Waiter>::default();
        open(&self.waiting).push_back(waiter.clone());
        waiter
    }

    fn tell_first(&self) {
        let first = open(&self.waiting).pop_front();
        if let Some(first) = first {
            first.tell();
        }
    }

    fn tell_all(&self) {
        let all = std::mem::take(&mut *open(&self.waiting));
        for waiter in all {
            waiter.tell();
        }
    }
}

/// A lock apart from what it protects. Taking it is a scheduling point; giving it back is none. Whoever comes first takes
/// it.
#[derive(Clone)]
pub struct Lock {
    point: Point,
    held: Arc<AtomicBool>,
    freed: Arc<Queue>,
}

/// A lock that is held until this is dropped.
pub struct Guard {
    lock: Lock,
}

impl Lock {
    /// The free lock of that name.
    pub fn new(name: &'static str) -> Lock {
        Lock::row(name, 0)
    }

    /// One of many locks of that name.
    pub fn row(_name: &'static str, _row: u64) -> Lock {
        Lock { point: Point::new(), held: Arc::default(), freed: Arc::default() }
    }

    /// Waits for it.
    pub async fn lock(&self) -> Guard {
        self.point.reach().await;
        while self.held.load(Ordering::Relaxed) {
            self.freed.enter().wait().await;
        }
        self.held.store(true, Ordering::Relaxed);
        Guard { lock: self.clone() }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lock.held.store(false, Ordering::Relaxed);
        // A failed check ends the run; there is nobody to wake.
        if !std::thread::panicking() {
            self.lock.freed.tell_all();
        }
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
    waiting: Arc<Queue>,
}

impl Signal {
    /// Nobody waits.
    pub fn new() -> Signal {
        Signal { waiting: Arc::default() }
    }

    /// Gives the lock back, waits, and takes it again. The first two are one step.
    pub async fn wait(&self, guard: Guard) -> Guard {
        let told = self.waiting.enter();
        let lock = guard.lock.clone();
        drop(guard);
        told.wait().await;
        lock.lock().await
    }

    /// Wakes the task that has waited longest, if one waits.
    pub async fn notify_one(&self) {
        self.waiting.tell_first();
    }

    /// Wakes all that wait.
    pub async fn notify_all(&self) {
        self.waiting.tell_all();
    }
}
