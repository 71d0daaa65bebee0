//! The step loop: takes the next task out of the world, polls it with no borrow held, and puts it back.

use super::boxes::{Boxed, payload_box};
use super::current;
use super::end::End;
use super::hosts::Main;
use super::panics;
use super::tasks::Ending;
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

/// A task that had its turn.
enum Polled {
    /// None, or one that ended in one of the rarer ways.
    Nothing,
    /// It goes on.
    Pending(WakeId, Boxed),
    /// Its box holds the output.
    Finished(WakeId, Boxed),
}

impl Polled {
    /// Puts the task back into its world; what is left of one that ended, if there is anything to be done for it.
    #[inline(always)]
    fn put_back(self, world: &mut World) -> Option<Next> {
        match self {
            Polled::Nothing => None,
            Polled::Pending(id, boxed) => {
                world.pending(id.slot(), boxed);
                None
            }
            Polled::Finished(id, boxed) => {
                world.tasks.at(id.slot()).boxed = Some(boxed);
                let boxed = world.ended(id.slot(), Ending::Finished);
                (boxed.is_some() || world.keeps_foreign()).then_some(Next::Ended { boxed })
            }
        }
    }
}

/// One step of the running world; time may move up to `limit`.
pub(crate) fn step(limit: u64) -> Stepped {
    match current::with(|world| world.next(limit)) {
        Next::Poll { boxed, id } => {
            let polled = poll(boxed, id);
            current::with(|world| polled.put_back(world)).into_iter().for_each(do_rarer);
            Stepped::Turn
        }
        next @ (Next::Cancel { .. } | Next::Ended { .. }) => {
            do_rarer(next);
            Stepped::Turn
        }
        next @ (Next::Time | Next::Foreign) => {
            do_rarer(next);
            Stepped::Time
        }
        Next::Idle => Stepped::Idle,
        Next::Attention => Stepped::Attention,
    }
}

/// Steps until there is something for the driver, who looks at nothing in between: one borrow of the world ends a
/// turn and begins the next.
pub(crate) fn run(limit: u64) -> Stepped {
    let mut next = current::with(|world| world.next(limit));
    loop {
        match next {
            Next::Poll { boxed, id } => {
                let polled = poll(boxed, id);
                next = current::with(|world| match polled.put_back(world) {
                    Some(ended) => ended,
                    None => world.next(limit),
                });
                continue;
            }
            Next::Idle => return Stepped::Idle,
            Next::Attention => return Stepped::Attention,
            Next::Time => {}
            rarer => do_rarer(rarer),
        }
        next = current::with(|world| world.next(limit));
    }
}

/// What stands between two polls, out of their way.
#[inline(never)]
fn do_rarer(next: Next) {
    match next {
        Next::Cancel { boxed, id } => cancel(id.slot(), boxed),
        Next::Ended { boxed } => finish(boxed),
        Next::Foreign => wake_foreign(),
        Next::Time | Next::Poll { .. } | Next::Idle | Next::Attention => {}
    }
}

#[cold]
fn wake_foreign() {
    current::with(World::due_foreign).into_iter().for_each(Waker::wake);
}

/// User code runs here, with no world borrowed.
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
    finish(current::with(|world| {
        world.tasks.at(slot).boxed = boxed;
        world.ended(slot, ending)
    }));
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

/// Drops what an ended task left for nobody, and wakes who waited for it.
fn finish(boxed: Option<Boxed>) {
    boxed.into_iter().for_each(discard);
    if current::with(|world| world.keeps_foreign()) {
        wake_foreign();
    }
}

/// Does what is due for hosts: drops the tasks of those that crashed, in spawn order, and begins the mains of those that
/// start again. A destructor that panics on a host that is gone harms nobody.
pub(crate) fn settle_hosts() {
    while let Some(step) = current::with(World::next_host_move) {
        match step {
            HostStep::Drop { slot, boxed } => {
                let _ = panics::catch(|| drop(boxed));
                finish(current::with(|world| world.ended(slot, Ending::Cancelled)));
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
        world.close();
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
