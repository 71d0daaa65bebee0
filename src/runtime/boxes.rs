//! A task's box: it holds the future, and then, in its place, what the future left.
//!
//! Boxes are handed from task to task of one type: where tasks come and go, asking for memory is much of what a spawn
//! costs.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project_lite::pin_project! {
    /// A future, and then its output.
    #[project = StageProjection]
    pub(crate) enum Stage<F: Future> {
        Running { #[pin] future: F },
        Finished { output: Option<F::Output> },
    }
}

impl<F: Future> Stage<F> {
    fn is_empty(&self) -> bool {
        matches!(self, Stage::Finished { output: None })
    }
}

/// A task's box, without its type.
pub(crate) trait TaskBox {
    /// Polls the future; when it is ready, its output takes its place.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;

    /// Moves the output into `place`, an `Option` of its type; whether there was one and the type is right.
    fn give(self: Pin<&mut Self>, place: &mut dyn Any) -> bool;

    /// Takes a future out of `place`, an `Option` of its type; whether the type is right. The box must be empty: what it
    /// held finished and was given.
    fn refill(self: Pin<&mut Self>, place: &mut dyn Any) -> bool;
}

impl<F> TaskBox for Stage<F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let StageProjection::Running { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let Poll::Ready(output) = future.poll(context) else {
            return Poll::Pending;
        };
        self.set(Stage::Finished { output: Some(output) });
        Poll::Ready(())
    }

    fn give(self: Pin<&mut Self>, place: &mut dyn Any) -> bool {
        let (StageProjection::Finished { output }, Some(place)) = (self.project(), place.downcast_mut())
        else {
            return false;
        };
        *place = output.take();
        place.is_some()
    }

    fn refill(mut self: Pin<&mut Self>, place: &mut dyn Any) -> bool {
        let Some(future) = place.downcast_mut::<Option<F>>().and_then(Option::take) else { return false };
        debug_assert!(self.is_empty(), "only an empty box is handed on");
        self.set(Stage::Running { future });
        true
    }
}

pub(crate) type Boxed = Pin<Box<dyn TaskBox>>;

/// The future of a task that is about to begin.
pub(crate) struct Body<'a> {
    /// An `Option` of it, or of its box.
    pub(crate) place: &'a mut dyn Any,
    /// Takes it out into a box: [`box_taken`], or [`taken`] where it has one.
    pub(crate) boxes: fn(&mut dyn Any) -> Boxed,
}

impl Body<'_> {
    /// Moves it into a slot: into the box that an earlier task of its type left there, or into one of its own.
    #[inline]
    pub(super) fn fill(self, slot: &mut Option<Boxed>) {
        let refilled = slot.as_mut().is_some_and(|boxed| boxed.as_mut().refill(self.place));
        if !refilled {
            *slot = Some((self.boxes)(self.place));
        }
    }
}

/// A future in a box of its own.
pub(crate) fn boxed<F>(future: F) -> Boxed
where
    F: Future + 'static,
    F::Output: 'static,
{
    Box::pin(Stage::Running { future })
}

/// As [`boxed`], of the future that an `Option` of its type holds.
pub(crate) fn box_taken<F>(place: &mut dyn Any) -> Boxed
where
    F: Future + 'static,
    F::Output: 'static,
{
    boxed(taken::<F>(place))
}

/// What an `Option` of this type holds.
pub(crate) fn taken<T: 'static>(place: &mut dyn Any) -> T {
    place.downcast_mut::<Option<T>>().and_then(Option::take).expect("a task has one body")
}

/// What is left of a task that panicked.
struct Payload(Option<Box<dyn Any + Send>>);

/// A box whose output is the payload of a panic.
pub(crate) fn payload_box(payload: Box<dyn Any + Send>) -> Boxed {
    Box::pin(Payload(Some(payload)))
}

impl TaskBox for Payload {
    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn give(self: Pin<&mut Self>, place: &mut dyn Any) -> bool {
        let Some(place) = place.downcast_mut() else { return false };
        *place = self.get_mut().0.take();
        place.is_some()
    }

    fn refill(self: Pin<&mut Self>, _place: &mut dyn Any) -> bool {
        false
    }
}
