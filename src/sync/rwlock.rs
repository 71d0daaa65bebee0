//! A lock for many readers or one writer: tokio's, fair, with its holders registered.

use super::site::{Hold, Site};
use crate::choice::Label;
use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::sync as inner;
use tokio::sync::TryLockError;

const READ: Label = Label::new("sync.read");
const WRITE: Label = Label::new("sync.write");
const TRY_READ: Label = Label::new("sync.try_read");
const TRY_WRITE: Label = Label::new("sync.try_write");

/// A lock for many readers or one writer. First come, first served: a waiting writer holds back later readers.
pub struct RwLock<T: ?Sized> {
    site: Site,
    /// Shared, because tokio's owned guards want an `Arc` of tokio's lock.
    inner: Arc<inner::RwLock<T>>,
}

impl<T> RwLock<T> {
    /// An unlocked lock.
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        RwLock { site: Site::new("RwLock"), inner: Arc::new(inner::RwLock::new(value)) }
    }

    /// An unlocked lock for at most this many readers at a time.
    ///
    /// # Panics
    /// With more than `u32::MAX >> 3` readers.
    #[track_caller]
    pub fn with_max_readers(value: T, max_reads: u32) -> RwLock<T> {
        RwLock {
            site: Site::new("RwLock"),
            inner: Arc::new(inner::RwLock::with_max_readers(value, max_reads)),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        Arc::into_inner(self.inner)
            .expect("guards and waiters keep the lock itself alive, so nobody else has this")
            .into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no writer holds the lock or waits before us. Safe to cancel.
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        self.site.writing(&READ, async move { self.reader(self.inner.read().await) })
    }

    /// As [`RwLock::read`], with a guard that keeps the lock alive.
    #[track_caller]
    pub fn read_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockReadGuard<T>> {
        let site = self.site;
        site.writing(&READ, async move {
            let guard = self.inner.clone().read_owned().await;
            self.owned_reader(guard)
        })
    }

    /// Waits until nobody holds the lock. Safe to cancel.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        self.site.writing(&WRITE, async move { self.writer(self.inner.write().await) })
    }

    /// As [`RwLock::write`], with a guard that keeps the lock alive.
    #[track_caller]
    pub fn write_owned(self: Arc<Self>) -> impl Future<Output = OwnedRwLockWriteGuard<T>> {
        let site = self.site;
        site.writing(&WRITE, async move {
            let guard = self.inner.clone().write_owned().await;
            self.owned_writer(guard)
        })
    }

    /// Takes the lock for reading if that needs no wait.
    ///
    /// # Errors
    /// When it does.
    #[track_caller]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.site.mark(&TRY_READ);
        Ok(self.reader(self.inner.try_read()?))
    }

    /// As [`RwLock::try_read`], with a guard that keeps the lock alive.
    ///
    /// # Errors
    /// When it needs a wait.
    #[track_caller]
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.site.mark(&TRY_READ);
        let guard = self.inner.clone().try_read_owned()?;
        Ok(self.owned_reader(guard))
    }

    /// Takes the lock for writing if that needs no wait.
    ///
    /// # Errors
    /// When it does.
    #[track_caller]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.site.mark(&TRY_WRITE);
        Ok(self.writer(self.inner.try_write()?))
    }

    /// As [`RwLock::try_write`], with a guard that keeps the lock alive.
    ///
    /// # Errors
    /// When it needs a wait.
    #[track_caller]
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.site.mark(&TRY_WRITE);
        let guard = self.inner.clone().try_write_owned()?;
        Ok(self.owned_writer(guard))
    }

    /// The value, without a lock: the borrow proves that there is no guard.
    pub fn get_mut(&mut self) -> &mut T {
        Arc::get_mut(&mut self.inner)
            .expect("guards and waiters keep the lock itself alive, so nobody else has this")
            .get_mut()
    }

    fn reader<'a>(&self, guard: inner::RwLockReadGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { inner: guard, _hold: self.site.hold() }
    }

    fn writer<'a>(&self, guard: inner::RwLockWriteGuard<'a, T>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard { inner: guard, hold: self.site.hold() }
    }

    fn owned_reader(self: Arc<Self>, guard: inner::OwnedRwLockReadGuard<T>) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard { inner: guard, _hold: self.site.hold(), lock: self }
    }

    fn owned_writer(self: Arc<Self>, guard: inner::OwnedRwLockWriteGuard<T>) -> OwnedRwLockWriteGuard<T> {
        OwnedRwLockWriteGuard { inner: guard, hold: self.site.hold(), lock: self }
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A reader's lock of an [`RwLock`]; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    inner: inner::RwLockReadGuard<'a, T>,
    _hold: Hold,
}

/// The writer's lock of an [`RwLock`]; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    inner: inner::RwLockWriteGuard<'a, T>,
    hold: Hold,
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Becomes a reader, with no other writer in between.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard { inner: self.inner.downgrade(), _hold: self.hold }
    }
}

/// A reader's lock of an [`RwLock`] that it keeps alive; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct OwnedRwLockReadGuard<T: ?Sized> {
    // Dropped before `lock`, so that the lock is alone with its content when nobody has a guard.
    inner: inner::OwnedRwLockReadGuard<T>,
    lock: Arc<RwLock<T>>,
    _hold: Hold,
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// The lock.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

/// The writer's lock of an [`RwLock`] that it keeps alive; given back on drop.
#[clippy::has_significant_drop]
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    inner: inner::OwnedRwLockWriteGuard<T>,
    lock: Arc<RwLock<T>>,
    hold: Hold,
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The lock.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }

    /// Becomes a reader, with no other writer in between.
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard { inner: self.inner.downgrade(), lock: self.lock, _hold: self.hold }
    }
}

super::guard::derefs!([T: ?Sized] RwLockReadGuard<'_, T> => T);
super::guard::derefs!([T: ?Sized] RwLockWriteGuard<'_, T> => T, mut);
super::guard::derefs!([T: ?Sized] OwnedRwLockReadGuard<T> => T);
super::guard::derefs!([T: ?Sized] OwnedRwLockWriteGuard<T> => T, mut);
