//! A mutex that is held across awaits: tokio's, with a scheduling point before each lock and its holder registered.

use super::site::{Hold, Site};
use crate::choice::Label;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::sync as inner;
use tokio::sync::TryLockError;

const LOCK: Label = Label::new("sync.lock");
const TRY_LOCK: Label = Label::new("sync.try_lock");

/// Mutual exclusion for tasks. First come, first served.
pub struct Mutex<T: ?Sized> {
    site: Site,
    /// Shared, because tokio's owned guard wants an `Arc` of tokio's mutex.
    inner: Arc<inner::Mutex<T>>,
}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    #[track_caller]
    pub fn new(value: T) -> Mutex<T> {
        Mutex { site: Site::new("Mutex"), inner: Arc::new(inner::Mutex::new(value)) }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        Arc::into_inner(self.inner)
            .expect("guards and waiters keep the mutex itself alive, so nobody else has this")
            .into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock. Safe to cancel; that gives up the place in the queue.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        self.site.writing(&LOCK, async move { self.guard(self.inner.lock().await) })
    }

    /// As [`Mutex::lock`], with a guard that keeps the mutex alive.
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> {
        let site = self.site;
        site.writing(&LOCK, async move {
            let guard = self.inner.clone().lock_owned().await;
            self.owned(guard)
        })
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// When it is not.
    #[track_caller]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        self.site.mark(&TRY_LOCK);
        Ok(self.guard(self.inner.try_lock()?))
    }

    /// As [`Mutex::try_lock`], with a guard that keeps the mutex alive.
    ///
    /// # Errors
    /// When the lock is not free.
    #[track_caller]
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        self.site.mark(&TRY_LOCK);
        let guard = self.inner.clone().try_lock_owned()?;
        Ok(self.owned(guard))
    }

    /// The value, without a lock: the borrow proves that there is no guard.
    pub fn get_mut(&mut self) -> &mut T {
        Arc::get_mut(&mut self.inner)
            .expect("guards and waiters keep the mutex itself alive, so nobody else has this")
            .get_mut()
    }

    fn guard<'a>(&'a self, guard: inner::MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        MutexGuard { inner: guard, lock: self, _hold: self.site.hold() }
    }

    fn owned(self: Arc<Self>, guard: inner::OwnedMutexGuard<T>) -> OwnedMutexGuard<T> {
        OwnedMutexGuard { inner: guard, _hold: self.site.hold(), lock: self }
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The lock of a [`Mutex`]; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct MutexGuard<'a, T: ?Sized> {
    inner: inner::MutexGuard<'a, T>,
    lock: &'a Mutex<T>,
    _hold: Hold,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex.
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.lock
    }
}

/// The lock of a [`Mutex`] that it keeps alive; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct OwnedMutexGuard<T: ?Sized> {
    // Dropped before `lock`, so that the mutex is alone with its content when nobody has a guard.
    inner: inner::OwnedMutexGuard<T>,
    lock: Arc<Mutex<T>>,
    _hold: Hold,
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The mutex.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.lock
    }
}

super::guard::derefs!([T: ?Sized] MutexGuard<'_, T> => T, mut);
super::guard::derefs!([T: ?Sized] OwnedMutexGuard<T> => T, mut);
