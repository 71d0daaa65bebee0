//! A channel whose every receiver gets every value, unless it lags: tokio's, which wakes in the order of waiting.

use super::site::{Handle, Site};
use crate::choice::Label;
use crate::runtime::current::is_cut;
use std::fmt;
use std::future::Future;
use tokio::sync::broadcast as inner;

pub use inner::error;
use inner::error::{RecvError, SendError, TryRecvError};

const SEND: Label = Label::new("sync.send");
const RECV: Label = Label::new("sync.recv");
const TRY_RECV: Label = Label::new("sync.try_recv");
const CLOSED: Label = Label::new("sync.closed");

/// A channel that keeps the last `capacity` values, rounded up to a power of two.
///
/// # Panics
/// When `capacity` is 0 or more than `usize::MAX / 2`.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let site = Site::new("broadcast channel");
    let (sender, receiver) = inner::channel(capacity);
    (Sender { site, inner: sender, handle: Handle::of(&site) }, Receiver { site, inner: receiver })
}

/// Sends values.
pub struct Sender<T> {
    site: Site,
    inner: inner::Sender<T>,
    handle: Handle,
}

impl<T> Sender<T> {
    /// A sender without receivers.
    ///
    /// # Panics
    /// As [`channel`].
    #[track_caller]
    pub fn new(capacity: usize) -> Sender<T> {
        let site = Site::new("broadcast channel");
        Sender { site, inner: inner::Sender::new(capacity), handle: Handle::of(&site) }
    }

    /// Sends a value to every receiver; how many there are.
    ///
    /// # Errors
    /// With the value, when there is none.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        if is_cut() {
            // A host that crashed says nothing to others any more.
            return Err(SendError(value));
        }
        self.site.signal(&SEND, "send", || self.inner.send(value))
    }

    /// A receiver of what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { site: self.site, inner: self.inner.subscribe() }
    }

    /// A handle that does not keep the channel open.
    #[must_use = "Downgrade creates a WeakSender without destroying the original non-weak sender."]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { site: self.site, inner: self.inner.downgrade() }
    }

    /// How many values are kept for some receiver.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether every receiver has got every value.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// Waits until there is no receiver. Safe to cancel.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        self.site.reading(&CLOSED, self.inner.closed())
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
    #[must_use]
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

/// Receives every value that was sent since it subscribed.
pub struct Receiver<T> {
    site: Site,
    inner: inner::Receiver<T>,
}

impl<T> Receiver<T> {
    /// How many values it has not got yet.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether it has got every value.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }

    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        self.inner.sender_strong_count()
    }

    /// How many weak senders there are.
    pub fn sender_weak_count(&self) -> usize {
        self.inner.sender_weak_count()
    }

    /// Whether there is no sender.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
}

impl<T: Clone> Receiver<T> {
    /// A receiver of what is sent from now on.
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver { site: self.site, inner: self.inner.resubscribe() }
    }

    /// Waits for the next value; an error when it lagged or there is no sender. Safe to cancel.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Result<T, RecvError>> {
        self.site.writing(&RECV, self.inner.recv())
    }

    /// The next value, if there is one.
    ///
    /// # Errors
    /// When there is none, it lagged, or there is no sender.
    #[track_caller]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.site.mark(&TRY_RECV);
        self.inner.try_recv()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
