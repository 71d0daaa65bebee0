//! Futures of executors, whose panics are errors. Separate because every call of every executor is guarded alike; it must
//! not know what they do.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future; its panic is an error. Nothing of the future is touched after that.
pub(super) async fn guarded<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    Guarded { future: Box::pin(future) }.await
}

struct Guarded<F> {
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}
