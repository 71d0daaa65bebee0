//! The receiving ends of both channels, which offer the same but for the capacity.

use super::error::TryRecvError;
use crate::choice::Label;
use crate::sync::site::Site;
use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};
use tokio::sync::mpsc as inner;

const RECV: Label = Label::new("sync.recv");
const TRY_RECV: Label = Label::new("sync.try_recv");
const CLOSE: Label = Label::new("sync.close");

/// Receives from a bounded channel.
pub struct Receiver<T> {
    pub(super) site: Site,
    pub(super) inner: inner::Receiver<T>,
}

/// Receives from an unbounded channel.
pub struct UnboundedReceiver<T> {
    pub(super) site: Site,
    pub(super) inner: inner::UnboundedReceiver<T>,
}

macro_rules! receives {
    ($receiver:ident) => {
        impl<T> $receiver<T> {
            /// Waits for the next value; none when the channel is closed and empty. Safe to cancel.
            #[track_caller]
            pub fn recv(&mut self) -> impl Future<Output = Option<T>> {
                self.site.writing(&RECV, self.inner.recv())
            }

            /// Waits for a value and takes up to `limit` of those that are there; how many, 0 when the channel is
            /// closed and empty. Safe to cancel.
            #[track_caller]
            pub fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> impl Future<Output = usize> {
                self.site.writing(&RECV, self.inner.recv_many(buffer, limit))
            }

            /// The next value, if it is there.
            ///
            /// # Errors
            /// When the channel is empty, or closed and empty.
            #[track_caller]
            pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
                self.site.mark(&TRY_RECV);
                self.inner.try_recv()
            }

            /// Lets no value in any more; what is there can still be received.
            #[track_caller]
            pub fn close(&mut self) {
                self.site.mark(&CLOSE);
                self.inner.close();
            }

            /// Whether nothing can be sent any more.
            pub fn is_closed(&self) -> bool {
                self.inner.is_closed()
            }

            /// Whether no value is there.
            pub fn is_empty(&self) -> bool {
                self.inner.is_empty()
            }

            /// How many values are there.
            pub fn len(&self) -> usize {
                self.inner.len()
            }

            /// As `recv`, by polling.
            #[track_caller]
            pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
                if self.site.polled(&RECV) {
                    return Poll::Pending;
                }
                self.inner.poll_recv(context)
            }

            /// As `recv_many`, by polling.
            #[track_caller]
            pub fn poll_recv_many(
                &mut self,
                context: &mut Context<'_>,
                buffer: &mut Vec<T>,
                limit: usize,
            ) -> Poll<usize> {
                if self.site.polled(&RECV) {
                    return Poll::Pending;
                }
                self.inner.poll_recv_many(context, buffer, limit)
            }

            /// How many senders there are.
            pub fn sender_strong_count(&self) -> usize {
                self.inner.sender_strong_count()
            }

            /// How many weak senders there are.
            pub fn sender_weak_count(&self) -> usize {
                self.inner.sender_weak_count()
            }
        }

        impl<T> fmt::Debug for $receiver<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.fmt(f)
            }
        }
    };
}

receives!(Receiver);
receives!(UnboundedReceiver);

impl<T> Receiver<T> {
    /// How many values can be sent without waiting.
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    /// The capacity that the channel was created with.
    pub fn max_capacity(&self) -> usize {
        self.inner.max_capacity()
    }
}
