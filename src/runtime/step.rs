//! The step loop: takes the next task out of the world, polls it with no borrow held, and puts it back.

use super::current::{self, Leftovers};
use super::end::End;
use super::hosts::Main;
use super::panics;
use super::tasks::{Boxed, Ending, payload_box};
use super::waker::WakeId;
use super::world::{HostStep, Next, World};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::task::{Context, Poll, Waker};

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

/// A task that was taken out of its slot to be polled.
enum Polled {
    /// None, or one that ended in one of the rarer ways.
    Nothing,
    /// It goes on.
    Pending(WakeId, Boxed),
    /// Its box holds the output.
    Finished(WakeId, Boxed),
}

impl Polled {
    /// Puts the task back into its world; what an ended one left over.
    #[inline(always)]
    fn put_back(self, world: &mut World) -> Option<Leftovers> {
        match self {
            Polled::Nothing => None,
            Polled::Pending(id, boxed) => {
                world.pending(id.slot(), boxed);
                None
            }
            Polled::Finished(id, boxed) => {
                let left = world.ended(id.slot(), Some(boxed), Ending::Finished);
                (left.boxed.is_some() || left.waker.is_some()).then_some(left)
            }
        }
    }
}

/// One step of the running world; time may move up to `limit`.
pub(crate) fn step(limit: u64) -> Stepped {
    let next = current::with(|world| world.next(limit));
    let stepped = stepped(&next);
    let polled = carry_out(next);
    current::with(|world| polled.put_back(world)).into_iter().for_each(finish);
    stepped
}

/// Steps until there is something for the driver, who looks at nothing in between: one borrow of the world ends a
/// turn and begins the next.
pub(crate) fn run(limit: u64) -> Stepped {
    let mut polled = Polled::Nothing;
    loop {
        let before = std::mem::replace(&mut polled, Polled::Nothing);
        let next = current::with(|world| match before.put_back(world) {
            Some(leftovers) => Err(leftovers),
            None => Ok(world.next(limit)),
        });
        match next {
            Err(leftovers) => finish(leftovers),
            Ok(Next::Idle) => return Stepped::Idle,
            Ok(Next::Attention) => return Stepped::Attention,
            Ok(next) => polled = carry_out(next),
        }
    }
}

#[inline]
fn stepped(next: &Next) -> Stepped {
    match next {
        Next::Poll { .. } | Next::Cancel { .. } => Stepped::Turn,
        Next::Time | Next::Foreign(_) => Stepped::Time,
        Next::Idle => Stepped::Idle,
        Next::Attention => Stepped::Attention,
    }
}

/// User code runs here, with no world borrowed.
#[inline(always)]
fn carry_out(next: Next) -> Polled {
    match next {
        Next::Poll { boxed, id } => return poll(boxed, id),
        Next::Cancel { slot, boxed } => cancel(slot as u32, boxed),
        Next::Foreign(wakers) => wake(wakers),
        Next::Time | Next::Idle | Next::Attention => {}
    }
    Polled::Nothing
}

#[cold]
fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

#[inline(always)]
fn poll(mut boxed: Boxed, id: WakeId) -> Polled {
    // Our wakers own nothing, so there is nothing to drop.
    let waker = ManuallyDrop::new(id.waker());
    let mut context = Context::from_waker(&waker);
    match panics::catch(|| boxed.as_mut().poll(&mut context)) {
        Ok(Poll::Pending) => Polled::Pending(id, boxed),
        Ok(Poll::Ready(())) => Polled::Finished(id, boxed),
        Err(payload) => {
            panicked(id.slot(), boxed, payload);
            Polled::Nothing
        }
    }
}

#[cold]
fn panicked(slot: u32, boxed: Boxed, payload: Box<dyn Any + Send>) {
    let message = panics::said(&*payload);
    discard(boxed);
    end_in_panic(slot, message, payload);
}

fn end_in_panic(slot: u32, message: String, payload: Box<dyn Any + Send>) {
    let boxed = payload_box(payload);
    current::with(|world| world.note_panic(slot, message));
    end(slot, Some(boxed), Ending::Panicked);
}

/// Ends a task in one of the rarer ways.
#[cold]
fn end(slot: u32, boxed: Option<Boxed>, ending: Ending) {
    finish(current::with(|world| world.ended(slot, boxed, ending)));
}

/// Drops an aborted task as the running one, so that its destructors act on its behalf.
#[cold]
fn cancel(slot: u32, boxed: Boxed) {
    match panics::catch(|| drop(boxed)) {
        Ok(()) => end(slot, None, Ending::Cancelled),
        Err(payload) => {
            let message = panics::said(&*payload);
            end_in_panic(slot, message, payload);
        }
    }
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

/// Does what is due for hosts: drops the tasks of those that crashed, in spawn order, and begins the mains of those that
/// start again. A destructor that panics on a host that is gone harms nobody.
pub(crate) fn settle_hosts() {
    while let Some(step) = current::with(World::next_host_move) {
        match step {
            HostStep::Drop { slot, boxed } => {
                let _ = panics::catch(|| drop(boxed));
                finish(current::with(|world| world.ended(slot, None, Ending::Cancelled)));
            }
            HostStep::Start { host, mains } => mains.iter().for_each(|main| start(host, main)),
        }
    }
}

fn start(host: u16, main: &Main) {
    match panics::catch(|| (main.again)()) {
        Ok(boxed) => drop(current::with(|world| world.begin_main(host, boxed, main.daemon, true))),
        Err(payload) => {
            let message = panics::said(&*payload);
            current::with(|world| {
                let task = world.machine(host).name.to_string();
                world.end_with(End::Panicked { task, message });
            });
        }
    }
}

/// Drops user values; a panic there fails the run.
pub(crate) fn discard<T>(value: T) {
    if let Some(end) = dropped(value) {
        current::with(|world| world.end_with(end));
    }
}

/// Ends all tasks of the running world, in spawn order, and drops the folds; the first panic of a destructor.
pub(crate) fn close() -> Option<End> {
    panics::forget();
    let (boxes, observers) = current::with(|world| {
        world.closing = true;
        (world.tasks.take_boxes(), std::mem::take(&mut world.observers))
    });
    let mut first = None;
    for (_, slot, boxed) in boxes {
        current::with(|world| world.running = Some(slot));
        let dropped = panics::catch(|| drop(boxed));
        current::with(|world| world.running = None);
        if let Err(payload) = dropped {
            let message = panics::said(&*payload);
            first.get_or_insert_with(|| {
                let task = current::with(|world| world.task_label(slot));
                End::Panicked { task, message }
            });
        }
    }
    if observers.is_empty() { first } else { first.or(dropped(observers)) }
}

/// Drops user values; the end that a panic there makes.
pub(crate) fn dropped<T>(value: T) -> Option<End> {
    let payload = panics::catch(|| drop(value)).err()?;
    Some(End::Panicked { task: "a destructor".to_owned(), message: panics::said(&*payload) })
}
