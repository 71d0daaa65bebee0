//! Turns: who is polled next, and what a poll leaves behind.

use super::clock::Passage;
use super::{Next, What, World};
use crate::choice::fault::SITE_CANCEL;
use crate::choice::{Entry, Label, Notice, Weights};
use crate::runtime::boxes::Boxed;
use crate::runtime::end::{End, PanicPolicy};
use crate::runtime::leftovers::Cancels;
use crate::runtime::tasks::{Ended, Ending, Joiner};
use crate::trace::{Event, Kind};
use std::sync::PoisonError;

const CANCEL: Label = Label::new(SITE_CANCEL);

impl World {
    /// What to do next; time may move up to `limit`. What is rare stands in functions of its own, out of the way.
    #[inline(always)]
    pub(crate) fn next(&mut self, limit: u64) -> Next {
        if self.attention || self.steps >= self.steps_limit {
            self.attend();
            return Next::only(What::Attention);
        }
        let (slot, serial) = match self.ready.len() {
            0 => return self.wait(limit),
            1 if self.plain => self.ready.take_only(),
            _ if self.plain => self.pick_among(),
            _ => match self.pick() {
                Some(entry) => (entry.slot, entry.serial),
                None => return self.wait(limit),
            },
        };
        self.steps += 1;
        self.running = Some(slot);
        self.last_polled = slot;
        // Jumps fold the time too; time that passed by hand shows here. No bit of it is lost.
        self.digests.event(self.now.rotate_left(32) ^ u64::from(serial));
        let task = self.tasks.at(slot);
        task.queued = false;
        task.polled_at = self.now;
        let what = if task.aborted { What::Cancel } else { What::Poll };
        Next { what, boxed: task.boxed.take(), id: task.id }
    }

    #[inline(always)]
    fn wait(&mut self, limit: u64) -> Next {
        Next::only(match self.advance(limit) {
            Passage::Time => What::Time,
            Passage::Foreign => What::Foreign,
            Passage::Idle => What::Idle,
        })
    }

    /// The driver decides; what was woken is in its order by then.
    #[cold]
    fn attend(&mut self) {
        self.order_woken();
        self.attention = false;
        self.ready.settle();
    }

    /// Which of two ready tasks or more is next in a plain run.
    #[inline(always)]
    fn pick_among(&mut self) -> (u32, u32) {
        if self.ready.fresh_count() > 1 {
            self.order_many();
        }
        let count = self.ready.len();
        let index = self.source.pick(&self.ready, None);
        self.count_pick(count, index);
        let entry = self.ready.take(index);
        (entry.slot, entry.serial)
    }

    #[inline(always)]
    fn count_pick(&mut self, count: usize, index: usize) {
        self.digests.pick(count, index);
        self.counts.picks += 1;
    }

    /// Which of two ready tasks or more is next.
    fn pick_index(&mut self) -> usize {
        let count = self.ready.len();
        let index =
            if self.quiet { self.oldest() } else { self.source.pick(&self.ready, self.names.as_deref()) };
        self.count_pick(count, index);
        index
    }

    /// Out of the way of the other picks.
    #[inline(never)]
    fn oldest(&self) -> usize {
        self.ready.oldest()
    }

    /// The task that is next in a run that is not plain; none where all that became ready are kept back.
    #[inline(never)]
    fn pick(&mut self) -> Option<Entry> {
        self.order_woken();
        let count = self.ready.len();
        if count == 0 {
            return None;
        }
        let index = if count > 1 { self.pick_index() } else { 0 };
        if count == 1 && self.listens && !self.quiet {
            self.notice(Notice::Alone { task: self.ready.entries()[0].serial });
        }
        if self.names.is_none() {
            return Some(self.ready.take(index));
        }
        let oldest = self.ready.oldest();
        let overtaken = (index != oldest).then(|| self.ready.entries()[oldest].slot);
        let entry = self.ready.take(index);
        self.note_turn(entry.slot, overtaken, count);
        Some(entry)
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
        // The place is empty: to drop what is there is left out.
        std::mem::forget(task.boxed.replace(boxed));
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

    /// The task in `slot` ended and left this. What nobody will take is returned, for the caller to drop; those whose wakers
    /// are not ours are for the caller to wake.
    #[inline(always)]
    pub(crate) fn ended(&mut self, slot: u32, left: Option<Boxed>, ending: Ending) -> Option<Boxed> {
        self.running = None;
        self.progress_at = self.now;
        let Ended { serial, required, queued, handle, joiner } = self.tasks.end(slot, left, ending);
        if queued {
            self.forget(slot);
        }
        self.digests.event(2 << 62 | (ending as u64) << 32 | u64::from(serial));
        if required {
            self.main_ended(slot, ending);
        }
        if !self.plain {
            self.tell_ended(slot, serial, ending);
        }
        match joiner {
            Joiner::Task(id) => {
                if !self.wake(id) {
                    self.let_wake(id.waker());
                }
            }
            Joiner::Foreign => self.end_foreign(slot),
            Joiner::Nobody => {}
        }
        if handle {
            return None;
        }
        self.tasks.release(slot);
        self.tasks.at(slot).boxed.take()
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
    fn tell_ended(&mut self, slot: u32, serial: u32, ending: Ending) {
        if self.listens {
            self.notice(Notice::Done { task: serial });
        }
        if self.names.is_none() {
            return;
        }
        let path = self.path(slot);
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
