//! The unbounded channel's senders: sending never waits.

use super::UnboundedReceiver;
use super::error::SendError;
use crate::choice::Label;
use crate::runtime::current::is_cut;
use crate::sync::site::{Handle, Site};
use std::fmt;
use std::future::Future;
use tokio::sync::mpsc as inner;

const SEND: Label = Label::new("sync.send");
const CLOSED: Label = Label::new("sync.closed");

/// A channel of any length.
#[track_caller]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let site = Site::new("unbounded mpsc channel");
    let (sender, receiver) = inner::unbounded_channel();
    (
        UnboundedSender { site, inner: sender, handle: Handle::of(&site) },
        UnboundedReceiver { site, inner: receiver },
    )
}

/// Sends to an unbounded channel.
pub struct UnboundedSender<T> {
    site: Site,
    inner: inner::UnboundedSender<T>,
    handle: Handle,
}

impl<T> UnboundedSender<T> {
    /// Sends a value.
    ///
    /// # Errors
    /// With the value, when the receiver is gone or closed.
    #[track_caller]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        if is_cut() {
            // A host that crashed says nothing to others any more.
            return Err(SendError(message));
        }
        self.site.signal(&SEND, "send", || self.inner.send(message))
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

    /// A handle that does not keep the channel open.
    #[must_use = "Downgrade creates a WeakSender without destroying the original non-weak sender."]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { site: self.site, inner: self.inner.downgrade() }
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

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> UnboundedSender<T> {
        UnboundedSender { site: self.site, inner: self.inner.clone(), handle: self.handle.clone() }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A sender that does not keep the channel open.
pub struct WeakUnboundedSender<T> {
    site: Site,
    inner: inner::WeakUnboundedSender<T>,
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, while there is another.
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        let inner = self.inner.upgrade()?;
        Some(UnboundedSender { site: self.site, inner, handle: Handle::of(&self.site) })
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

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender { site: self.site, inner: self.inner.clone() }
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
