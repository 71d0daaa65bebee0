//! The one wrapper of all operations that may wait: first a scheduling point, then tokio's future; and in a frozen
//! world the report of what it waits for.
//!
//! It does not know which operation it wraps. Outside a simulation it costs one thread-local read a poll.

use super::site::Site;
use crate::choice::{Access, Label};
use crate::runtime::current;
use crate::runtime::wait::{self, Report};
use crate::task::Point;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Not waiting yet.
const NOT_YET: u64 = u64::MAX;

/// What an operation keeps while it waits: no bookkeeping in the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    site: Site,
    label: &'static Label,
    place: &'static Location<'static>,
    since: u64,
    access: Access,
    asked: bool,
}

impl Wait {
    pub(super) fn new(
        site: Site,
        label: &'static Label,
        access: Access,
        place: &'static Location<'static>,
    ) -> Wait {
        Wait { site, label, place, since: NOT_YET, access, asked: false }
    }

    /// Moves the await's place: for futures that are created far from where they are awaited.
    pub(super) fn at(&mut self, place: &'static Location<'static>) {
        self.place = place;
    }

    /// One poll of the operation, of which `future` is the part that waits.
    #[inline]
    pub(super) fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        future: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        if !current::is_simulated() {
            return future(context);
        }
        ready!(self.begin(context));
        let polled = future(context);
        if polled.is_pending() && self.since == NOT_YET {
            let (now, notes) =
                current::try_with(|world| (world.now, world.notes.is_some())).unwrap_or((NOT_YET, false));
            self.since = now;
            if notes {
                let object = self.site.object();
                current::try_with(|world| world.note_wait(object));
            }
        }
        polled
    }

    /// The scheduling point, once; pending also when the world is frozen and this wait was reported.
    #[inline]
    pub(super) fn begin(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.asked, true) {
            let mut point = Point::operation(*self.label, self.site.object(), self.access, self.place);
            ready!(Pin::new(&mut point).poll(context));
        }
        let reported = wait::report(|| Report {
            operation: self.label.name(),
            resource: self.site.words(),
            place: self.place,
            object: self.site.object(),
            joins: None,
            since: (self.since != NOT_YET).then_some(self.since),
        });
        if reported { Poll::Pending } else { Poll::Ready(()) }
    }
}

pin_project_lite::pin_project! {
    /// A future of tokio's as an operation of the simulation.
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub(super) struct Operation<F> {
        #[pin]
        future: F,
        wait: Wait,
    }
}

impl<F> Operation<F> {
    pub(super) fn new(wait: Wait, future: F) -> Operation<F> {
        Operation { future, wait }
    }

    /// The future inside, for what it offers beside polling.
    pub(super) fn inner(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().future
    }
}

impl<F: Future> Future for Operation<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        this.wait.poll(context, |context| future.poll(context))
    }
}

impl<F> fmt::Debug for Operation<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("wait", &self.wait).finish_non_exhaustive()
    }
}
