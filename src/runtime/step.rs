//! The step loop: takes the next task out of the world, polls it with no borrow held, and puts it back.

use super::boxes::{Boxed, payload_box};
use super::current;
use super::end::End;
use super::hosts::Main;
use super::panics;
use super::tasks::Ending;
use super::waker::WakeId;
use super::world::{HostStep, Next, What, World};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::task::{Context, Waker};

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
pub(crate) fn step(limit: u64) -> Stepped {
    let next = current::with(|world| world.next(limit));
    match next.what {
        What::Poll => {
            let id = next.id;
            let left = poll(next).and_then(|polled| current::with(|world| put_back(world, id, polled)));
            if let Some(left) = left {
                do_rarer(left);
            }
            Stepped::Turn
        }
        What::Cancel | What::Ended => {
            do_rarer(next);
            Stepped::Turn
        }
        What::Time | What::Foreign => {
            do_rarer(next);
            Stepped::Time
        }
        What::Idle => Stepped::Idle,
        What::Attention => Stepped::Attention,
    }
}

/// Steps until there is something for the driver, who looks at nothing in between: one borrow of the world ends a
/// turn, moves time where nothing is ready, and begins the next turn.
#[inline(never)]
pub(crate) fn run(limit: u64) -> Stepped {
    'rarer: loop {
        let mut next = current::with(|world| next_but_time(world, limit));
        while next.what == What::Poll {
            let id = next.id;
            let Some(polled) = poll(next) else { continue 'rarer };
            next = current::with(|world| match put_back(world, id, polled) {
                Some(left) => left,
                None => next_but_time(world, limit),
            });
        }
        match next.what {
            What::Idle => return Stepped::Idle,
            What::Attention => return Stepped::Attention,
            What::Cancel | What::Ended | What::Time | What::Foreign | What::Poll => do_rarer(next),
        }
    }
}

/// What is next, but that time moved.
#[inline(always)]
fn next_but_time(world: &mut World, limit: u64) -> Next {
    loop {
        let next = world.next(limit);
        if next.what != What::Time {
            return next;
        }
    }
}

/// What stands between two polls, out of their way.
fn do_rarer(next: Next) {
    rarer(next.what, next.boxed, next.id);
}

#[inline(never)]
fn rarer(what: What, boxed: Option<Boxed>, id: WakeId) {
    match what {
        What::Cancel => cancel(id.slot(), boxed.expect("a ready task has its future")),
        What::Ended => finish(boxed),
        What::Foreign => wake_due(),
        What::Time | What::Poll | What::Idle | What::Attention => {}
    }
}

/// Wakes those whose wakers are not ours and whose time has come.
pub(crate) fn wake_due() {
    if current::with(|world| world.has_due()) {
        current::with(World::take_due).into_iter().for_each(Waker::wake);
    }
}

/// The box of a task that had its turn.
struct Polled {
    boxed: Boxed,
    finished: bool,
}

/// Puts a task that had its turn back into its world; what is left of one that finished, if it is to be seen to.
#[inline(always)]
fn put_back(world: &mut World, id: WakeId, Polled { boxed, finished }: Polled) -> Option<Next> {
    if !finished {
        world.pending(id.slot(), boxed);
        return None;
    }
    let boxed = world.ended(id.slot(), Some(boxed), Ending::Finished);
    (boxed.is_some() || world.has_due()).then_some(Next { what: What::Ended, boxed, id })
}

/// Polls a task, with no world borrowed; nothing, if it panicked and is over.
#[inline(always)]
fn poll(Next { boxed, id, .. }: Next) -> Option<Polled> {
    let mut boxed = boxed.expect("a ready task has its future");
    // Our wakers own nothing, so there is nothing to drop.
    let waker = ManuallyDrop::new(id.waker());
    let mut context = Context::from_waker(&waker);
    match panics::catch(|| boxed.as_mut().poll(&mut context)) {
        Ok(polled) => Some(Polled { boxed, finished: polled.is_ready() }),
        Err(payload) => {
            panicked(id, boxed, payload);
            None
        }
    }
}

#[cold]
fn panicked(id: WakeId, boxed: Boxed, payload: Box<dyn Any + Send>) {
    let message = panics::said(&*payload);
    discard(boxed);
    end_in_panic(id.slot(), message, payload);
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

/// Drops what an ended task left for nobody, and wakes who waited for it.
fn finish(boxed: Option<Boxed>) {
    boxed.into_iter().for_each(discard);
    wake_due();
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
