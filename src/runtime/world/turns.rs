//! Turns: who is polled next, and what a poll leaves behind.

use super::{Next, World};
use crate::choice::fault::SITE_CANCEL;
use crate::choice::{Entry, Label, Notice, Weights};
use crate::runtime::current::Leftovers;
use crate::runtime::end::{End, PanicPolicy};
use crate::runtime::leftovers::Cancels;
use crate::runtime::tasks::{Boxed, Ending};
use crate::runtime::waker::WakeId;
use crate::trace::{Event, Kind};
use std::sync::PoisonError;

const CANCEL: Label = Label::new(SITE_CANCEL);

impl World {
    /// What to do next; time may move up to `limit`. What is rare stands in functions of its own, out of the way.
    #[inline(always)]
    pub(crate) fn next(&mut self, limit: u64) -> Next {
        self.order_woken();
        if self.attention || self.steps >= self.steps_limit {
            self.attention = false;
            self.ready.settle();
            return Next::Attention;
        }
        if self.ready.is_empty() {
            return self.advance(limit);
        }
        let (slot, serial) = self.pick();
        self.steps += 1;
        self.running = Some(slot);
        self.last_polled = self.running;
        // Jumps fold the time too; time that passed by hand shows here. No bit of it is lost.
        self.digests.event(self.now.rotate_left(32) ^ u64::from(serial));
        let task = self.tasks.at(slot);
        task.queued = false;
        task.polled_at = self.now;
        let boxed = task.boxed.take().expect("a ready task has its future");
        if task.aborted {
            return Next::Cancel { slot: slot.into(), boxed };
        }
        let id = WakeId::new(self.epoch, task.generation, slot);
        Next::Poll { boxed, id }
    }

    /// The slot and the serial of the task that is next.
    #[inline(always)]
    pub(super) fn pick(&mut self) -> (u32, u32) {
        if self.ready.len() == 1 && self.names.is_none() {
            return self.only();
        }
        let entry = if self.names.is_some() { self.pick_named() } else { self.pick_among() };
        (entry.slot, entry.serial)
    }

    fn pick_among(&mut self) -> Entry {
        let count = self.ready.len();
        let index = if self.quiet { self.oldest() } else { self.source.pick(&self.ready, None) };
        self.digests.pick(count, index);
        self.counts.picks += 1;
        self.ready.take(index)
    }

    #[inline]
    fn only(&mut self) -> (u32, u32) {
        let (slot, serial) = self.ready.take_only();
        if self.listens && !self.quiet {
            self.notice(Notice::Alone { task: serial });
        }
        (slot, serial)
    }

    /// Out of the way of the other picks.
    #[inline(never)]
    fn oldest(&self) -> usize {
        self.ready.oldest()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn pick_named(&mut self) -> Entry {
        let count = self.ready.len();
        let oldest = self.ready.oldest();
        let mut index = oldest;
        if count > 1 {
            if !self.quiet {
                index = self.source.pick(&self.ready, self.names.as_deref());
            }
            self.digests.pick(count, index);
            self.counts.picks += 1;
        } else if self.listens && !self.quiet {
            self.notice(Notice::Alone { task: self.ready.entries()[index].serial });
        }
        let overtaken = (index != oldest).then(|| self.ready.entries()[oldest].slot);
        let entry = self.ready.take(index);
        self.note_turn(entry.slot, overtaken, count);
        entry
    }

    pub(super) fn note_turn(&mut self, slot: u32, overtaken: Option<u32>, count: usize) {
        let Some(names) = &mut self.names else { return };
        if let Some(oldest) = overtaken {
            self.tape.note_overtaking(names.path(oldest), names.next_turn(oldest), names.path(slot));
        }
        names.took_turn(slot);
        if let Some(notes) = &mut self.notes {
            notes.turn(self.tasks.peek(slot).serial, self.progress_at);
        }
        if let Some(watch) = &self.watch {
            names.path(slot).as_ref().clone_into(&mut watch.lock().unwrap_or_else(PoisonError::into_inner));
        }
        if let Some(events) = &mut self.events {
            let instead_of = overtaken.map(|oldest| names.path(oldest).clone());
            let kind = Kind::Turn { turn: names.next_turn(slot) - 1, ready: count as u32, instead_of };
            events.push(Event { at: self.now, task: Some(names.path(slot).clone()), kind });
        }
    }

    /// The poll of `slot` is over and the task goes on.
    #[inline(always)]
    pub(crate) fn pending(&mut self, slot: u32, boxed: Boxed) {
        self.running = None;
        let task = self.tasks.at(slot);
        task.boxed = Some(boxed);
        if task.queued {
            self.ready.yields(task.serial);
        }
        if self.cancels != Cancels::Nothing {
            self.ask_cancel(slot);
        }
    }

    /// The await that a turn ended at is one where its task may be cancelled: as by an abort, it is dropped at its next
    /// turn.
    #[cold]
    fn ask_cancel(&mut self, slot: u32) {
        let task = self.tasks.peek(slot);
        if task.aborted || (task.main && self.cancels != Cancels::Mains) {
            return;
        }
        self.asking_at = self.notes.as_ref().and_then(|notes| notes.place(task.serial));
        let answer = self.choose_for(Some(slot), CANCEL, "", 2, Weights::Fault(0b11));
        self.asking_at = None;
        if answer == 1 {
            self.abort(self.tasks.id(slot));
        }
    }

    /// The task in `slot` ended; what is left of it is returned, to be dropped and woken by the caller. `boxed` holds
    /// the output, or the payload of a panic.
    #[inline(always)]
    pub(crate) fn ended(&mut self, slot: u32, boxed: Option<Boxed>, ending: Ending) -> Leftovers {
        self.running = None;
        self.progress_at = self.now;
        if self.tasks.at(slot).queued {
            self.forget(slot);
        }
        let task = self.tasks.end(slot, ending);
        let (serial, required, handle, joiner) =
            (task.serial, task.required, task.handle, task.joiner.take());
        self.digests.event(2 << 62 | (ending as u64) << 32 | u64::from(serial));
        if required {
            self.main_ended(slot, ending);
        }
        if self.listens {
            self.notice(Notice::Done { task: serial });
        }
        if self.names.is_some() {
            self.record_end(slot, ending);
        }
        let mut leftovers = Leftovers { boxed, waker: None };
        if handle {
            self.tasks.at(slot).boxed = leftovers.boxed.take();
        } else {
            self.tasks.release(slot);
        }
        if let Some(waker) = joiner {
            match WakeId::of(&waker) {
                Some(id) if id.epoch() == self.epoch => self.wake(id),
                Some(_) | None => leftovers.waker = Some(waker),
            }
        }
        leftovers
    }

    /// The task in `slot` is about to end in a panic that said `message`.
    #[cold]
    pub(crate) fn note_panic(&mut self, slot: u32, message: String) {
        if self.is_cut {
            return;
        }
        let (id, handle) = (self.tasks.id(slot), self.tasks.at(slot).handle);
        let path = self.task_label(slot);
        if handle && self.panics == PanicPolicy::FailUnlessJoined {
            self.unjoined_panics.push((id, path, message));
        } else {
            self.end_with(End::Panicked { task: path, message });
        }
    }

    /// A required task ended; one that a crash ended is still owed.
    #[cold]
    fn main_ended(&mut self, slot: u32, ending: Ending) {
        if self.owes(slot) {
            return;
        }
        if ending == Ending::Cancelled && !self.is_cut && self.cancels != Cancels::Mains {
            self.undone(slot);
        }
        self.required_left -= 1;
        self.attention |= self.required_left == 0;
    }

    /// A main was cancelled: its work is not done, so the run does not pass.
    #[cold]
    fn undone(&mut self, slot: u32) {
        let host = self.hosts[usize::from(self.tasks.peek(slot).host)].name.to_string();
        let message = "it was cancelled before its end (a `cancel` fault drops the whole task)".to_owned();
        self.end_with(End::Failed { host, message });
    }

    #[cold]
    fn record_end(&mut self, slot: u32, ending: Ending) {
        let (path, serial) = (self.path(slot), self.tasks.peek(slot).serial);
        if let Some(notes) = &mut self.notes {
            notes.ended(serial, self.now);
        }
        self.record(Kind::Ended { path, how: ending.name() });
    }

    /// Takes an ended task out of the queues that its last poll may have put it in.
    #[cold]
    pub(super) fn forget(&mut self, slot: u32) {
        self.ready.forget(slot);
        if self.hosts_out > 0 {
            self.unpark(slot);
        }
        self.tasks.at(slot).queued = false;
    }
}
