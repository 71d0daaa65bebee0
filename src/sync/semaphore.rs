//! A counting semaphore: tokio's, first come, first served, with the holders of its permits registered.

use super::site::{Hold, Site};
use crate::choice::Label;
use std::future::Future;
use std::sync::Arc;
use tokio::sync as inner;
use tokio::sync::{AcquireError, TryAcquireError};

const ACQUIRE: Label = Label::new("sync.acquire");
const TRY_ACQUIRE: Label = Label::new("sync.try_acquire");
const ADD_PERMITS: Label = Label::new("sync.add_permits");
const CLOSE: Label = Label::new("sync.close");

/// Permits that tasks take and give back.
#[derive(Debug)]
pub struct Semaphore {
    site: Site,
    inner: inner::Semaphore,
}

impl Semaphore {
    /// The most permits that a semaphore can hold.
    pub const MAX_PERMITS: usize = inner::Semaphore::MAX_PERMITS;

    /// With this many permits.
    ///
    /// # Panics
    /// With more than [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    pub fn new(permits: usize) -> Semaphore {
        Semaphore { site: Site::new("Semaphore"), inner: inner::Semaphore::new(permits) }
    }

    /// As [`Semaphore::new`], for a static, which belongs to no simulation.
    ///
    /// # Panics
    /// With more than [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    pub const fn const_new(permits: usize) -> Semaphore {
        Semaphore { site: Site::fixed("Semaphore"), inner: inner::Semaphore::const_new(permits) }
    }

    /// How many permits are free.
    pub fn available_permits(&self) -> usize {
        self.inner.available_permits()
    }

    /// Adds permits.
    ///
    /// # Panics
    /// When there would be more than [`Semaphore::MAX_PERMITS`].
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        self.site.signal(&ADD_PERMITS, "add_permits", || self.inner.add_permits(n));
        self.site.added(n as i64);
    }

    /// Takes up to `n` free permits away for ever; how many.
    #[track_caller]
    pub fn forget_permits(&self, n: usize) -> usize {
        self.site.mark(&TRY_ACQUIRE);
        let taken = self.inner.forget_permits(n);
        self.site.added(-(taken as i64));
        taken
    }

    /// Waits for a permit; an error when the semaphore is closed. Safe to cancel.
    #[track_caller]
    pub fn acquire(&self) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.acquire_many(1)
    }

    /// Waits for `n` permits at once.
    #[track_caller]
    pub fn acquire_many(&self, n: u32) -> impl Future<Output = Result<SemaphorePermit<'_>, AcquireError>> {
        self.site.writing(&ACQUIRE, async move {
            let permit = self.inner.acquire_many(n).await?;
            Ok(self.permit(permit))
        })
    }

    /// As [`Semaphore::acquire`], with a permit that keeps the semaphore alive.
    #[track_caller]
    pub fn acquire_owned(
        self: Arc<Self>,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        self.acquire_many_owned(1)
    }

    /// As [`Semaphore::acquire_many`], with permits that keep the semaphore alive.
    #[track_caller]
    pub fn acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> {
        let site = self.site;
        site.writing(&ACQUIRE, async move {
            self.inner.acquire_many(n).await?.forget();
            Ok(self.owned(n as usize))
        })
    }

    /// Takes a permit if that needs no wait.
    ///
    /// # Errors
    /// When it does, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if that needs no wait.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    #[track_caller]
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.site.mark(&TRY_ACQUIRE);
        Ok(self.permit(self.inner.try_acquire_many(n)?))
    }

    /// As [`Semaphore::try_acquire`], with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`Semaphore::try_acquire_many`], with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`Semaphore::try_acquire`].
    #[track_caller]
    pub fn try_acquire_many_owned(self: Arc<Self>, n: u32) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.site.mark(&TRY_ACQUIRE);
        self.inner.try_acquire_many(n)?.forget();
        Ok(self.owned(n as usize))
    }

    /// Closes it: whoever waits, and whoever comes later, gets an error.
    #[track_caller]
    pub fn close(&self) {
        self.site.signal(&CLOSE, "close", || self.inner.close());
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn permit<'a>(&'a self, inner: inner::SemaphorePermit<'a>) -> SemaphorePermit<'a> {
        SemaphorePermit { inner, semaphore: self, hold: self.site.hold() }
    }

    fn owned(self: Arc<Self>, permits: usize) -> OwnedSemaphorePermit {
        OwnedSemaphorePermit { hold: self.site.hold(), semaphore: self, permits }
    }
}

/// Permits of a [`Semaphore`]; given back on drop.
#[derive(Debug)]
#[must_use]
#[clippy::has_significant_drop]
pub struct SemaphorePermit<'a> {
    inner: inner::SemaphorePermit<'a>,
    semaphore: &'a Semaphore,
    hold: Hold,
}

impl SemaphorePermit<'_> {
    /// Never gives the permits back.
    pub fn forget(mut self) {
        self.hold.forget();
        self.semaphore.site.added(-(self.inner.num_permits() as i64));
        self.inner.forget();
    }

    /// Takes over another's permits.
    ///
    /// # Panics
    /// When the other is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, other: Self) {
        self.inner.merge(other.inner);
    }

    /// Gives `n` permits away, if there are as many.
    pub fn split(&mut self, n: usize) -> Option<Self> {
        let inner = self.inner.split(n)?;
        Some(self.semaphore.permit(inner))
    }

    /// The semaphore.
    pub fn semaphore(&self) -> &Semaphore {
        self.semaphore
    }

    /// How many permits.
    pub fn num_permits(&self) -> usize {
        self.inner.num_permits()
    }
}

/// Permits of a [`Semaphore`] that they keep alive; given back on drop.
#[derive(Debug)]
#[must_use]
#[clippy::has_significant_drop]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    permits: usize,
    hold: Hold,
}

impl OwnedSemaphorePermit {
    /// Never gives the permits back.
    pub fn forget(mut self) {
        self.hold.forget();
        self.semaphore.site.added(-(self.permits as i64));
        self.permits = 0;
    }

    /// Takes over another's permits.
    ///
    /// # Panics
    /// When the other is of another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "merging permits from different semaphore instances"
        );
        self.permits += std::mem::take(&mut other.permits);
    }

    /// Gives `n` permits away, if there are as many.
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(self.semaphore.clone().owned(n))
    }

    /// The semaphore.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// How many permits.
    pub fn num_permits(&self) -> usize {
        self.permits
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.inner.add_permits(self.permits);
    }
}
