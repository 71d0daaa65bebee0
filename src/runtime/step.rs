//! The step loop: takes the next task out of the world, polls it with no borrow held, and puts it back.

use super::current::{self, Leftovers};
use super::panics;
use super::tasks::{Boxed, Ending};
use super::waker::WakeId;
use super::world::Next;
use std::task::{Context, Poll};

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// A task took a turn.
    Turn,
    /// Time moved to a deadline.
    Time,
    /// Nothing can happen at or before the limit.
    Idle,
    /// The driver has to decide something first.
    Attention,
}

/// One step of the running world; time may move up to `limit`.
#[inline]
pub(crate) fn step(limit: u64) -> Stepped {
    match current::with(|world| world.next(limit)) {
        Next::Poll { slot, boxed, id } => poll(slot, boxed, id),
        Next::Cancel { slot, boxed } => cancel(slot, boxed),
        Next::Time(foreign) => {
            for waker in foreign {
                waker.wake();
            }
            return Stepped::Time;
        }
        Next::Idle => return Stepped::Idle,
        Next::Attention => return Stepped::Attention,
    }
    Stepped::Turn
}

#[inline]
fn poll(slot: u32, mut boxed: Boxed, id: WakeId) {
    let waker = id.waker();
    let mut context = Context::from_waker(&waker);
    match panics::catch(|| boxed.as_mut().poll(&mut context)) {
        Ok(Poll::Pending) => current::with(|world| world.pending(slot, boxed)),
        Ok(Poll::Ready(())) => {
            finish(current::with(|world| world.ended(slot, Some(boxed), Ending::Finished)))
        }
        Err(payload) => {
            discard(boxed);
            finish(current::with(|world| world.ended(slot, None, Ending::Panicked(payload))));
        }
    }
}

/// Drops an aborted task as the running one, so that its destructors act on its behalf.
#[cold]
fn cancel(slot: u32, boxed: Boxed) {
    let ending = match panics::catch(|| drop(boxed)) {
        Ok(()) => Ending::Cancelled,
        Err(payload) => Ending::Panicked(payload),
    };
    finish(current::with(|world| world.ended(slot, None, ending)));
}

/// Drops and wakes what an ended task left over.
#[inline]
fn finish(leftovers: Leftovers) {
    if let Some(boxed) = leftovers.boxed {
        discard(boxed);
    }
    if let Some(waker) = leftovers.waker {
        waker.wake();
    }
}

/// Drops user values; a panic there fails the run.
pub(crate) fn discard<T>(value: T) {
    if let Err(payload) = panics::catch(|| drop(value)) {
        let message = panics::take_last().unwrap_or_else(|| panics::message(&*payload));
        current::with(|world| {
            world.end_with(super::End::Panicked { task: "a destructor".to_owned(), message });
        });
    }
}

/// Ends all tasks of the running world, in spawn order.
pub(crate) fn close() {
    let boxes = current::with(|world| {
        world.closing = true;
        world.tasks.take_boxes()
    });
    for (slot, boxed) in boxes {
        current::with(|world| world.running = Some(slot));
        let _ = panics::catch(|| drop(boxed));
        current::with(|world| world.running = None);
    }
}
