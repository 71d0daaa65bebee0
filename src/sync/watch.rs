//! A channel that keeps the last value only: tokio's value, versions and counts.
//!
//! In a simulation the waiting for a change is not tokio's: that picks one of eight wait lists with the operating
//! system's entropy, so two receivers in one task could wake in an order that no seed repeats. There one list of our own wakes
//! in the order of waiting. A sender wakes both, as it may stand outside.

use super::site::{Handle, Site};
use crate::choice::Label;
use crate::runtime::current;
use crate::runtime::current::is_cut;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::sync::watch as inner;

pub use inner::{Ref, error};

const SEND: Label = Label::new("sync.send");
const CHANGED: Label = Label::new("sync.changed");
const WAIT_FOR: Label = Label::new("sync.wait_for");
const CLOSED: Label = Label::new("sync.closed");

/// A channel that holds `init` until something is sent. The receiver has seen it.
#[track_caller]
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(init);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// A sender's way to the receivers that wait in a simulation. It wakes them when its sender is gone: they see
/// whether it was the last.
#[derive(Clone, Default)]
struct Waiters(Arc<Notify>);

impl Waiters {
    fn wake(&self) {
        self.0.notify_waiters();
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Sends values.
pub struct Sender<T> {
    site: Site,
    // Dropped before `waiters`, so that who is woken finds the channel closed.
    inner: inner::Sender<T>,
    waiters: Waiters,
    handle: Handle,
}

impl<T> Sender<T> {
    /// A sender without receivers.
    #[track_caller]
    pub fn new(init: T) -> Sender<T> {
        let site = Site::new("watch channel");
        let handle = Handle::of(&site);
        Sender { site, inner: inner::Sender::new(init), waiters: Waiters::default(), handle }
    }

    /// Sends a value.
    ///
    /// # Errors
    /// With the value, when there is no receiver.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), error::SendError<T>> {
        if is_cut() {
            // A host that crashed says nothing to others any more.
            return Err(error::SendError(value));
        }
        self.site.signal(&SEND, "send", || {
            let sent = self.inner.send(value);
            if sent.is_ok() {
                self.waiters.wake();
            }
            sent
        })
    }

    /// Changes the value, also when there is no receiver.
    pub fn send_modify<F: FnOnce(&mut T)>(&self, modify: F) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value; receivers see a change if `modify` says so. Whether it did.
    #[track_caller]
    pub fn send_if_modified<F: FnOnce(&mut T) -> bool>(&self, modify: F) -> bool {
        if is_cut() {
            return false;
        }
        self.site.signal(&SEND, "send", || {
            let modified = self.inner.send_if_modified(modify);
            if modified {
                self.waiters.wake();
            }
            modified
        })
    }

    /// Sends a value, also when there is no receiver; the old one.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|old| std::mem::swap(old, &mut value));
        value
    }

    /// The value. Sending waits while it is borrowed: keep it short, and never across an await.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until there is no receiver. Safe to cancel.
    #[track_caller]
    pub fn closed(&self) -> impl Future<Output = ()> {
        self.site.reading(&CLOSED, self.inner.closed())
    }

    /// A receiver that has seen the value.
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver { site: self.site, inner: self.inner.subscribe(), sent: self.waiters.0.clone() }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.inner.receiver_count()
    }

    /// How many senders there are.
    pub fn sender_count(&self) -> usize {
        self.inner.sender_count()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        let (inner, waiters, handle) = (self.inner.clone(), self.waiters.clone(), self.handle.clone());
        Sender { site: self.site, inner, waiters, handle }
    }
}

impl<T: Default> Default for Sender<T> {
    #[track_caller]
    fn default() -> Sender<T> {
        Sender::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Sees the last value.
pub struct Receiver<T> {
    site: Site,
    inner: inner::Receiver<T>,
    /// Where it waits in a simulation.
    sent: Arc<Notify>,
}

impl<T> Receiver<T> {
    /// The value. Sending waits while it is borrowed: keep it short, and never across an await.
    pub fn borrow(&self) -> Ref<'_, T> {
        self.inner.borrow()
    }

    /// The value, which counts as seen from now on.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        self.inner.borrow_and_update()
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    /// When there is no sender.
    pub fn has_changed(&self) -> Result<bool, error::RecvError> {
        self.inner.has_changed()
    }

    /// Whether there is no sender.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Makes the value count as not seen.
    pub fn mark_changed(&mut self) {
        self.inner.mark_changed();
    }

    /// Makes the value count as seen.
    pub fn mark_unchanged(&mut self) {
        self.inner.mark_unchanged();
    }

    /// Waits for a value that was not seen, which then counts as seen; an error when there is none and no sender.
    /// Safe to cancel.
    #[track_caller]
    pub fn changed(&mut self) -> impl Future<Output = Result<(), error::RecvError>> {
        let site = self.site;
        site.reading(&CHANGED, async move {
            if !current::is_simulated() {
                return self.inner.changed().await;
            }
            changed(&mut self.inner, &self.sent).await
        })
    }

    /// Waits for a value that fulfils the condition, the present one included; an error when there is none and no
    /// sender. Safe to cancel.
    #[track_caller]
    pub fn wait_for(
        &mut self,
        condition: impl FnMut(&T) -> bool,
    ) -> impl Future<Output = Result<Ref<'_, T>, error::RecvError>> {
        let site = self.site;
        site.reading(&WAIT_FOR, async move {
            if !current::is_simulated() {
                return self.inner.wait_for(condition).await;
            }
            wait_for(&mut self.inner, &self.sent, condition).await
        })
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.inner.same_channel(&other.inner)
    }
}

async fn changed<T>(receiver: &mut inner::Receiver<T>, sent: &Notify) -> Result<(), error::RecvError> {
    loop {
        let notified = sent.notified();
        if receiver.borrow_and_update().has_changed() {
            return Ok(());
        }
        receiver.has_changed()?;
        notified.await;
    }
}

async fn wait_for<'a, T>(
    receiver: &'a mut inner::Receiver<T>,
    sent: &Notify,
    mut condition: impl FnMut(&T) -> bool,
) -> Result<Ref<'a, T>, error::RecvError> {
    // Nothing is sent between the condition and the borrow that is returned: a simulation is one thread.
    while !condition(&receiver.borrow()) {
        receiver.mark_unchanged();
        changed(receiver, sent).await?;
    }
    Ok(receiver.borrow_and_update())
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver { site: self.site, inner: self.inner.clone(), sent: self.sent.clone() }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
