//! The bounded channel's senders: a send waits for a place, first come, first served.

use super::error::{SendError, SendTimeoutError, TrySendError};
use super::{OwnedPermit, Permit, PermitIterator, Receiver};
use crate::choice::Label;
use crate::runtime::current::is_cut;
use crate::sync::site::{Handle, Site};
use crate::time::{Duration, timeout};
use std::fmt;
use std::future::Future;
use tokio::sync::mpsc as inner;

const SEND: Label = Label::new("sync.send");
const TRY_SEND: Label = Label::new("sync.try_send");
const RESERVE: Label = Label::new("sync.reserve");
const TRY_RESERVE: Label = Label::new("sync.try_reserve");
const CLOSED: Label = Label::new("sync.closed");

/// A channel with `buffer` places.
///
/// # Panics
/// With none, or more than a semaphore has permits.
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    let site = Site::new("mpsc channel");
    let (sender, receiver) = inner::channel(buffer);
    (Sender { site, inner: sender, handle: Handle::of(&site) }, Receiver { site, inner: receiver })
}

/// Sends to a bounded channel.
pub struct Sender<T> {
    pub(super) site: Site,
    pub(super) inner: inner::Sender<T>,
    pub(super) handle: Handle,
}

impl<T> Sender<T> {
    /// Waits for a place and sends; an error with the value when the receiver is gone or closed. A cancelled send
    /// drops the value and gives up the place in the queue.
    #[track_caller]
    pub fn send(&self, value: T) -> impl Future<Output = Result<(), SendError<T>>> {
        self.site.writing(&SEND, self.inner.send(value))
    }

    /// As [`Sender::send`], for at most this long.
    ///
    /// # Panics
    /// As [`crate::time::timeout`].
    #[track_caller]
    pub fn send_timeout(
        &self,
        value: T,
        duration: Duration,
    ) -> impl Future<Output = Result<(), SendTimeoutError<T>>> {
        let reserved = self.site.writing(&SEND, self.inner.reserve());
        let reserved = timeout(duration, reserved);
        async move {
            match reserved.await {
                Ok(Ok(permit)) => {
                    permit.send(value);
                    Ok(())
                }
                Ok(Err(_)) => Err(SendTimeoutError::Closed(value)),
                Err(_) => Err(SendTimeoutError::Timeout(value)),
            }
        }
    }

    /// Sends if there is a place.
    ///
    /// # Errors
    /// With the value, when there is none, or the receiver is gone or closed.
    #[track_caller]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        if is_cut() {
            // A host that crashed says nothing to others any more.
            return Err(TrySendError::Closed(message));
        }
        self.site.signal(&TRY_SEND, "try_send", || self.inner.try_send(message))
    }

    /// Waits for a place and keeps it; an error when the receiver is gone or closed. Safe to cancel.
    #[track_caller]
    pub fn reserve(&self) -> impl Future<Output = Result<Permit<'_, T>, SendError<()>>> {
        self.site.writing(&RESERVE, async move {
            let permit = self.inner.reserve().await?;
            Ok(Permit::new(self.site, permit))
        })
    }

    /// Waits for `n` places at once and keeps them.
    #[track_caller]
    pub fn reserve_many(
        &self,
        n: usize,
    ) -> impl Future<Output = Result<PermitIterator<'_, T>, SendError<()>>> {
        self.site.writing(&RESERVE, async move {
            let permits = self.inner.reserve_many(n).await?;
            Ok(PermitIterator::new(self.site, permits))
        })
    }

    /// As [`Sender::reserve`], with a place that has the sender in it.
    #[track_caller]
    pub fn reserve_owned(self) -> impl Future<Output = Result<OwnedPermit<T>, SendError<()>>> {
        let site = self.site;
        site.writing(&RESERVE, async move {
            let permit = self.inner.reserve_owned().await?;
            Ok(OwnedPermit::new(site, permit))
        })
    }

    /// Keeps a place if there is one.
    ///
    /// # Errors
    /// When there is none, or the receiver is gone or closed.
    #[track_caller]
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.site.mark(&TRY_RESERVE);
        Ok(Permit::new(self.site, self.inner.try_reserve()?))
    }

    /// Keeps `n` places if there are as many.
    ///
    /// # Errors
    /// As [`Sender::try_reserve`].
    #[track_caller]
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.site.mark(&TRY_RESERVE);
        Ok(PermitIterator::new(self.site, self.inner.try_reserve_many(n)?))
    }

    /// As [`Sender::try_reserve`], with a place that has the sender in it.
    ///
    /// # Errors
    /// With the sender, as [`Sender::try_reserve`].
    #[track_caller]
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        self.site.mark(&TRY_RESERVE);
        let (site, handle) = (self.site, self.handle);
        match self.inner.try_reserve_owned() {
            Ok(permit) => Ok(OwnedPermit::new(site, permit)),
            Err(TrySendError::Full(inner)) => Err(TrySendError::Full(Sender { site, inner, handle })),
            Err(TrySendError::Closed(inner)) => Err(TrySendError::Closed(Sender { site, inner, handle })),
        }
    }

    /// Waits until the receiver is gone or closed. Safe to cancel.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        self.site.reading(&CLOSED, self.inner.closed())
    }

    /// Whether the receiver is gone or closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// How many values can be sent without waiting.
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// The capacity that the channel was created with.
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// A handle that does not keep the channel open.
    #[must_use = "Downgrade creates a WeakSender without destroying the original non-weak sender."]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { site: self.site, inner: self.inner.downgrade() }
    }

    /// How many senders there are.
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { site: self.site, inner: self.inner.clone(), handle: self.handle.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A sender that does not keep the channel open.
pub struct WeakSender<T> {
    site: Site,
    inner: inner::WeakSender<T>,
}

impl<T> WeakSender<T> {
    /// A sender, while there is another.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let inner = self.inner.upgrade()?;
        Some(Sender { site: self.site, inner, handle: Handle::of(&self.site) })
    }

    /// How many senders there are.
    pub fn strong_count(&self) -> usize {
        self.inner.strong_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.inner.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> WeakSender<T> {
        WeakSender { site: self.site, inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
