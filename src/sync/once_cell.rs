//! A cell that is initialized once, by one task while the others wait.
//!
//! The value lives in tokio's cell. The permit to initialize is ours, so that a task that waits for the permit
//! reports the cell, and one that runs the initializer reports what the initializer waits for.

use super::site::Site;
use crate::choice::Label;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use tokio::sync as inner;
use tokio::sync::{SemaphorePermit, SetError, TryAcquireError};

const INIT: Label = Label::new("sync.init");
const SET: Label = Label::new("sync.set");

/// A value that is set once.
pub struct OnceCell<T> {
    site: Site,
    /// One permit: the right to initialize. Closed once there is a value.
    gate: inner::Semaphore,
    inner: inner::OnceCell<T>,
}

impl<T> OnceCell<T> {
    /// Empty.
    #[track_caller]
    pub fn new() -> OnceCell<T> {
        OnceCell::new_with(None)
    }

    /// With a value, perhaps.
    #[track_caller]
    pub fn new_with(value: Option<T>) -> OnceCell<T> {
        OnceCell {
            site: Site::new("OnceCell"),
            gate: gate(value.is_some()),
            inner: inner::OnceCell::new_with(value),
        }
    }

    /// As [`OnceCell::new`], for a static, which belongs to no simulation.
    #[track_caller]
    pub const fn const_new() -> OnceCell<T> {
        OnceCell {
            site: Site::fixed("OnceCell"),
            gate: inner::Semaphore::const_new(1),
            inner: inner::OnceCell::const_new(),
        }
    }

    /// Whether there is a value.
    pub fn initialized(&self) -> bool {
        self.inner.initialized()
    }

    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        self.inner.get()
    }

    /// The value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.inner.get_mut()
    }

    /// Sets the value.
    ///
    /// # Errors
    /// When there is a value or a task initializes it; the error gives the value back.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        self.site.mark(&SET);
        if self.initialized() {
            return Err(SetError::AlreadyInitializedError(value));
        }
        match self.gate.try_acquire() {
            Ok(permit) => {
                self.fill(value, permit);
                Ok(())
            }
            Err(TryAcquireError::NoPermits) => Err(SetError::InitializingError(value)),
            Err(TryAcquireError::Closed) => Err(SetError::AlreadyInitializedError(value)),
        }
    }

    /// The value; the first to come makes it, the others wait. When the first is cancelled, the next makes it.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, f: F) -> impl Future<Output = &T>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        let got = self.get_or_try_init(|| async { Ok::<T, Infallible>(f().await) });
        async move {
            let Ok(value) = got.await;
            value
        }
    }

    /// As [`OnceCell::get_or_init`]; when making the value fails, the next that waits tries.
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, f: F) -> impl Future<Output = Result<&T, E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let turn = self.site.writing(&INIT, self.turn());
        async move {
            if let Some(permit) = turn.await {
                let _hold = self.site.hold();
                let value = f().await?;
                self.fill(value, permit);
            }
            Ok(self.inner.get().expect("the gate is closed once there is a value"))
        }
    }

    /// Waits for the right to initialize; none when there is a value.
    async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if self.initialized() {
            return None;
        }
        self.gate.acquire().await.ok()
    }

    fn fill(&self, value: T, permit: SemaphorePermit<'_>) {
        let set = self.inner.set(value);
        assert!(set.is_ok(), "the one permit to set the value was held");
        permit.forget();
        self.gate.close();
    }

    /// The value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.inner.into_inner()
    }

    /// Takes the value out; the cell is empty again.
    pub fn take(&mut self) -> Option<T> {
        self.gate = gate(false);
        self.inner.take()
    }
}

fn gate(closed: bool) -> inner::Semaphore {
    let gate = inner::Semaphore::new(1);
    if closed {
        gate.close();
    }
    gate
}

impl<T> Default for OnceCell<T> {
    #[track_caller]
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    #[track_caller]
    fn from(value: T) -> OnceCell<T> {
        OnceCell::new_with(Some(value))
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    #[track_caller]
    fn clone(&self) -> OnceCell<T> {
        OnceCell::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &OnceCell<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
