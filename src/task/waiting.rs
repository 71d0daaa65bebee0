//! Saying what a task waits for, in the words of the program: shown where a report says who waits on what.

use crate::runtime::current;
use crate::runtime::wait::{self, Report};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// See [`waiting_for`].
    #[derive(Debug)]
    pub struct WaitingFor<F> {
        #[pin]
        future: F,
        what: &'static str,
        place: &'static Location<'static>,
        since: Option<u64>,
    }
}

/// Awaits `future`, which a report of blocked tasks then calls `what`, as in "the next request", with the place of this
/// call and the time since which it waits, in place of the primitives inside. Does nothing else, in either world.
#[track_caller]
pub fn waiting_for<F: Future>(what: &'static str, future: F) -> WaitingFor<F> {
    WaitingFor { future, what, place: Location::caller(), since: None }
}

impl<F: Future> Future for WaitingFor<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (operation, place, since) = (*this.what, *this.place, *this.since);
        if wait::report(|| Report {
            operation,
            resource: String::new(),
            place,
            object: 0,
            joins: None,
            since,
        }) {
            return Poll::Pending;
        }
        let polled = this.future.poll(context);
        if polled.is_pending() && this.since.is_none() {
            *this.since = current::try_with(|world| world.now);
        }
        polled
    }
}
