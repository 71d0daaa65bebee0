//! A channel for one value: tokio's, with a scheduling point before the wait.

use super::operation::Wait;
use super::site::{Handle, Site};
use crate::choice::{Access, Label};
use crate::runtime::current::is_cut;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot as inner;

pub use inner::error;

const SEND: Label = Label::new("sync.send");
const RECV: Label = Label::new("sync.recv");
const TRY_RECV: Label = Label::new("sync.try_recv");
const CLOSE: Label = Label::new("sync.close");
const CLOSED: Label = Label::new("sync.closed");

/// A channel for one value.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let site = Site::new("oneshot channel");
    let (sender, receiver) = inner::channel();
    let receiver = Receiver { site, wait: site.wait(&RECV, Access::Write), inner: receiver };
    (Sender { site, inner: sender, _handle: Handle::of(&site) }, receiver)
}

/// Sends the value.
pub struct Sender<T> {
    site: Site,
    inner: inner::Sender<T>,
    _handle: Handle,
}

impl<T> Sender<T> {
    /// Sends the value.
    ///
    /// # Errors
    /// With the value, when the receiver is gone.
    #[track_caller]
    pub fn send(self, value: T) -> Result<(), T> {
        if is_cut() {
            // A host that crashed says nothing to others any more.
            return Err(value);
        }
        let (site, inner) = (self.site, self.inner);
        site.signal(&SEND, "send", || inner.send(value))
    }

    /// Waits until the receiver is gone. Safe to cancel.
    #[track_caller]
    pub fn closed(&mut self) -> impl Future<Output = ()> {
        self.site.reading(&CLOSED, self.inner.closed())
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// As [`Sender::closed`], by polling.
    #[track_caller]
    pub fn poll_closed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.site.polled(&CLOSED) {
            return Poll::Pending;
        }
        self.inner.poll_closed(context)
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Receives the value, as a future.
pub struct Receiver<T> {
    site: Site,
    wait: Wait,
    inner: inner::Receiver<T>,
}

impl<T> Receiver<T> {
    /// Lets no value in any more; one that was sent can still be received.
    #[track_caller]
    pub fn close(&mut self) {
        self.site.mark(&CLOSE);
        self.inner.close();
    }

    /// The value, if it is there.
    ///
    /// # Errors
    /// When there is none yet, or the sender is gone.
    #[track_caller]
    pub fn try_recv(&mut self) -> Result<T, error::TryRecvError> {
        self.site.mark(&TRY_RECV);
        self.inner.try_recv()
    }

    /// Whether there is no value to receive.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Whether the value was received, or was found not to come.
    pub fn is_terminated(&self) -> bool {
        self.inner.is_terminated()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, error::RecvError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Receiver { wait, inner, .. } = self.get_mut();
        wait.at(Location::caller());
        wait.poll(context, |context| Pin::new(inner).poll(context))
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
