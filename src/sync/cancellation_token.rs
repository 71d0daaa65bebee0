//! A token that asks tasks to stop: tokio_util's, with a scheduling point before each wait.

use super::operation::Operation;
use super::site::Site;
use crate::choice::{Access, Label};
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio_util::sync as inner;

const CANCEL: Label = Label::new("sync.cancel");
const CANCELLED: Label = Label::new("sync.cancelled");

/// Asks tasks to stop. Clones are one token; a child is cancelled with its parent.
pub struct CancellationToken {
    site: Site,
    inner: inner::CancellationToken,
}

impl CancellationToken {
    /// Not cancelled.
    #[track_caller]
    pub fn new() -> CancellationToken {
        CancellationToken { site: Site::new("CancellationToken"), inner: inner::CancellationToken::new() }
    }

    /// A token that is cancelled with this one, but not the other way round.
    #[track_caller]
    pub fn child_token(&self) -> CancellationToken {
        CancellationToken { site: Site::new("CancellationToken"), inner: self.inner.child_token() }
    }

    /// Cancels it and its children.
    #[track_caller]
    pub fn cancel(&self) {
        self.site.signal(&CANCEL, "cancel", || self.inner.cancel());
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    /// Waits until it is cancelled. Safe to cancel.
    #[track_caller]
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        let wait = self.site.wait(&CANCELLED, Access::Read);
        WaitForCancellationFuture { operation: Operation::new(wait, self.inner.cancelled()) }
    }

    /// As [`CancellationToken::cancelled`], with the token in the future.
    #[track_caller]
    pub fn cancelled_owned(self) -> WaitForCancellationFutureOwned {
        let wait = self.site.wait(&CANCELLED, Access::Read);
        WaitForCancellationFutureOwned { operation: Operation::new(wait, self.inner.cancelled_owned()) }
    }

    /// Cancels when the guard is dropped.
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    /// As [`CancellationToken::drop_guard`], by reference.
    pub fn drop_guard_ref(&self) -> DropGuardRef<'_> {
        DropGuardRef { token: Some(self) }
    }

    /// Runs a future until it is over, or until the token is cancelled, which drops it; what is over is preferred.
    /// A token that is cancelled before does not let it begin.
    #[track_caller]
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        let cancelled = self.cancelled();
        async move {
            if self.is_cancelled() {
                return None;
            }
            RunUntil { future, cancelled }.await
        }
    }

    /// As [`CancellationToken::run_until_cancelled`], with the token in the future.
    #[track_caller]
    pub fn run_until_cancelled_owned<F: Future>(self, future: F) -> impl Future<Output = Option<F::Output>> {
        let cancelled = self.clone().cancelled_owned();
        async move {
            if self.is_cancelled() {
                return None;
            }
            RunUntil { future, cancelled }.await
        }
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> CancellationToken {
        CancellationToken { site: self.site, inner: self.inner.clone() }
    }
}

impl Default for CancellationToken {
    #[track_caller]
    fn default() -> CancellationToken {
        CancellationToken::new()
    }
}

impl PartialEq for CancellationToken {
    fn eq(&self, other: &CancellationToken) -> bool {
        self.inner == other.inner
    }
}

impl Eq for CancellationToken {}

impl Hash for CancellationToken {
    /// By identity: the hash differs from run to run.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

macro_rules! waits {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)?) => {
        pin_project_lite::pin_project! {
            $(#[$doc])*
            #[derive(Debug)]
            #[must_use = "futures do nothing unless polled"]
            pub struct $name $(<$life>)? {
                #[pin]
                operation: Operation<inner::$name $(<$life>)?>,
            }
        }

        impl$(<$life>)? Future for $name $(<$life>)? {
            type Output = ();

            fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
                self.project().operation.poll(context)
            }
        }
    };
}

waits! {
    /// What [`CancellationToken::cancelled`] returns.
    WaitForCancellationFuture<'a>
}

waits! {
    /// What [`CancellationToken::cancelled_owned`] returns.
    WaitForCancellationFutureOwned
}

pin_project_lite::pin_project! {
    /// A future and what ends it.
    struct RunUntil<F, C> {
        #[pin]
        future: F,
        #[pin]
        cancelled: C,
    }
}

impl<F: Future, C: Future<Output = ()>> Future for RunUntil<F, C> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(context) {
            return Poll::Ready(Some(output));
        }
        this.cancelled.poll(context).map(|()| None)
    }
}

/// Cancels its token when it is dropped.
#[derive(Debug)]
pub struct DropGuard {
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// The token.
    pub fn token(&self) -> &CancellationToken {
        self.token.as_ref().expect("only `disarm` takes it, and that ends the guard")
    }

    /// The token, which is not cancelled.
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("only `disarm` takes it, and that ends the guard")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

/// Cancels its token when it is dropped.
#[derive(Debug)]
pub struct DropGuardRef<'a> {
    token: Option<&'a CancellationToken>,
}

impl<'a> DropGuardRef<'a> {
    /// The token.
    pub fn token(&self) -> &CancellationToken {
        self.token.expect("only `disarm` takes it, and that ends the guard")
    }

    /// The token, which is not cancelled.
    pub fn disarm(mut self) -> &'a CancellationToken {
        self.token.take().expect("only `disarm` takes it, and that ends the guard")
    }
}

impl Drop for DropGuardRef<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            token.cancel();
        }
    }
}
