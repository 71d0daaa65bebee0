//! A wake-up without data: tokio's, with a scheduling point before each wait.

use super::operation::Operation;
use super::site::Site;
use crate::choice::{Access, Label};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync as inner;

const NOTIFIED: Label = Label::new("sync.notified");
const NOTIFY: Label = Label::new("sync.notify");

/// Wakes tasks, and keeps one permit when nobody waits.
pub struct Notify {
    site: Site,
    inner: inner::Notify,
}

impl Notify {
    /// Without a permit.
    #[track_caller]
    pub fn new() -> Notify {
        Notify { site: Site::new("Notify"), inner: inner::Notify::new() }
    }

    /// As [`Notify::new`], for a static, which belongs to no simulation.
    #[track_caller]
    pub const fn const_new() -> Notify {
        Notify { site: Site::fixed("Notify"), inner: inner::Notify::const_new() }
    }

    /// Its number in the running simulation, for events about what it belongs to; 0 outside.
    pub(crate) fn number(&self) -> u64 {
        self.site.object()
    }

    /// Waits for a permit. It hears [`Notify::notify_waiters`] from now on, and [`Notify::notify_one`] from its first
    /// poll or [`Notified::enable`] on. Safe to cancel.
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        let wait = self.site.wait(&NOTIFIED, Access::Write);
        Notified { operation: Operation::new(wait, self.inner.notified()) }
    }

    /// Wakes the task that has waited longest, or keeps a permit for the next.
    #[track_caller]
    pub fn notify_one(&self) {
        self.site.signal(&NOTIFY, "notify_one", || self.inner.notify_one());
    }

    /// Wakes the task that has waited least, or keeps a permit for the next.
    #[track_caller]
    pub fn notify_last(&self) {
        self.site.signal(&NOTIFY, "notify_last", || self.inner.notify_last());
    }

    /// Wakes every task that waits, and keeps no permit.
    #[track_caller]
    pub fn notify_waiters(&self) {
        self.site.signal(&NOTIFY, "notify_waiters", || self.inner.notify_waiters());
    }
}

impl Default for Notify {
    #[track_caller]
    fn default() -> Notify {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

pin_project_lite::pin_project! {
    /// What [`Notify::notified`] returns.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Notified<'a> {
        #[pin]
        operation: Operation<inner::futures::Notified<'a>>,
    }
}

impl Notified<'_> {
    /// Joins the waiters without being polled; whether a permit was there. Without a scheduling point.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.project().operation.inner().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.project().operation.poll(context)
    }
}
