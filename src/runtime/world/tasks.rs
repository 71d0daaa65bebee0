//! Tasks coming and going: spawn, wake, abort, end, and what a handle may still ask.

use super::{Held, STALL, World};
use crate::choice::Notice;
use crate::runtime::boxes::Body;
use crate::runtime::current::{Message, Remains};
use crate::runtime::end::End;
use crate::runtime::tasks::{Joiner, NewTask, Slot, TaskId};
use crate::runtime::timers::Owner;
use crate::runtime::waker::WakeId;
use crate::trace::Kind;

impl World {
    /// Begins a task; its id. A world that is deaf takes none, and leaves the body as it is.
    #[inline(always)]
    pub(crate) fn spawn(&mut self, new: NewTask, body: Body<'_>) -> Option<WakeId> {
        if !self.plain && self.is_deaf() {
            return None;
        }
        let (host, required) = (new.host, new.required);
        // The parent is the task whose turn it is, which is folded already.
        let serial = self.tasks.spawned();
        // A loop of one turn tells the compiler that there is a slot then.
        while self.tasks.is_full() {
            self.make_slot();
        }
        let id = self.tasks.insert(new, body);
        self.required_left += u32::from(required);
        self.digests.event(1 << 62 | u64::from(host) << 32 | u64::from(serial));
        self.progress_at = self.now;
        if !self.plain {
            self.tell_spawned(id.slot(), host);
        }
        self.ready.push_within(id.slot(), serial);
        Some(id)
    }

    /// One more slot, and room for its task among the ready ones.
    #[cold]
    fn make_slot(&mut self) {
        self.tasks.grow();
        self.ready.make_room(self.tasks.slots());
    }

    #[cold]
    fn tell_spawned(&mut self, slot: u32, host: u16) {
        if self.names.is_some() {
            self.name_task(slot, host);
        }
        if self.listens {
            let Slot { serial: task, main, .. } = *self.tasks.peek(slot);
            let parent = self.running.filter(|_| !main).map(|parent| self.tasks.peek(parent).serial);
            self.notice(Notice::Spawned { task, parent });
        }
    }

    #[cold]
    pub(super) fn name_task(&mut self, slot: u32, host: u16) {
        let serial = self.tasks.peek(slot).serial;
        let segment = self.tasks.at(slot).name.segment().to_owned();
        let segment = segment.as_str();
        let running = self.running;
        let host = self.hosts[usize::from(host)].name.clone();
        let Some(names) = &mut self.names else { return };
        let path = match running {
            Some(parent) => {
                let parent = names.path(parent).clone();
                names.spawn(slot, Some(&parent), segment)
            }
            None if segment == "main" => names.spawn(slot, None, &host),
            None => names.spawn(slot, Some(&host), segment),
        };
        if let Some(notes) = &mut self.notes {
            notes.spawned(serial, path.clone());
        }
        self.record(Kind::Spawned { path });
    }

    /// Marks a task ready. A stale id, an ended task, a queued one and a frozen world ignore it. Whether the id is one of
    /// this world.
    #[inline]
    pub(crate) fn wake(&mut self, id: WakeId) -> bool {
        if !self.plain && self.frozen.is_some() {
            return id.epoch() == self.epoch;
        }
        let Some(serial) = self.tasks.queue(id) else { return id.epoch() == self.epoch };
        self.ready.push_within(id.slot(), serial);
        true
    }

    /// Flags a task for dropping and queues it.
    pub(crate) fn abort(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.get_mut(id)
            && task.live
            && !task.aborted
        {
            task.aborted = true;
            let id = task.id;
            self.wake(id);
        }
    }

    /// Puts the tasks that were woken since the last poll in the order that [`crate::choice::Ready`] tells.
    #[inline]
    pub(super) fn order_woken(&mut self) {
        if self.ready.fresh_count() > 1 || self.follows_ready {
            self.order_many();
        }
    }

    #[inline(never)]
    pub(super) fn order_many(&mut self) {
        if !self.follows_ready {
            return self.ready.sort_fresh();
        }
        for entry in self.ready.take_fresh() {
            self.enqueue(entry.slot, entry.serial);
        }
    }

    /// Makes a task ready, unless a fault holds it back.
    #[inline(never)]
    pub(super) fn enqueue(&mut self, slot: u32, serial: u32) {
        let kept = (self.hosts_out > 0 && self.park(slot, serial))
            || (self.holds_tasks && self.hold_task(slot, serial));
        if !kept {
            self.push_ready(slot, serial);
        }
    }

    /// Makes a task ready whose place in the order is known.
    #[inline]
    pub(super) fn push_ready(&mut self, slot: u32, serial: u32) {
        self.ready.push_within(slot, serial);
        self.ready.settle();
        if self.listens {
            self.notice(Notice::Ready { task: serial });
        }
    }

    /// Tells a source that listens; few do.
    #[cold]
    pub(super) fn notice(&mut self, notice: Notice) {
        self.source.notice(notice);
    }

    #[cold]
    pub(super) fn hold_task(&mut self, slot: u32, serial: u32) -> bool {
        if self.quiet || self.timers.next_deadline().is_none() {
            return false;
        }
        let deadlines = self.ask_hold(slot, STALL);
        if deadlines > 0 {
            self.held.push((deadlines, Held::Task { slot, serial }));
        }
        deadlines > 0
    }

    /// Carries out a message; what is left over is dropped by the caller when no world is borrowed.
    pub(crate) fn apply(&mut self, message: Message) -> Remains {
        match message {
            Message::Wake(id) => drop(self.wake(id)),
            Message::Abort(id) => self.abort(id),
            Message::Detach(id) => return self.detach(id),
            Message::CancelTimer(key) => {
                return (None, self.cancel_timer(key));
            }
        }
        Remains::default()
    }

    pub(super) fn detach(&mut self, id: TaskId) -> Remains {
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.handle) else {
            return Remains::default();
        };
        task.handle = false;
        let joiner = std::mem::replace(&mut task.joiner, Joiner::Nobody);
        let (live, boxed) = (task.live, if task.live { None } else { task.boxed.take() });
        if !live {
            self.tasks.release(id.slot);
            self.unobserved(id);
        }
        let waker = if joiner == Joiner::Foreign { self.forget_joiner(id.slot) } else { None };
        (boxed, waker)
    }

    /// A panic that no join will see.
    pub(super) fn unobserved(&mut self, id: TaskId) {
        let found = self.unjoined_panics.iter().position(|(task, _, _)| *task == id);
        if let Some(index) = found {
            let (_, task, message) = self.unjoined_panics.remove(index);
            // It panicked before its host crashed, if that is what drops its handle.
            self.verdict.get_or_insert(End::Panicked { task, message });
            self.attention = true;
        }
    }

    /// The running task, as the one that waits for a timer.
    #[inline(always)]
    pub(crate) fn owner(&self) -> Owner {
        match self.running.map(|slot| self.tasks.peek(slot)) {
            Some(task) => Owner { task: task.id, daemon: task.daemon },
            None => Owner { task: WakeId::NOBODY, daemon: false },
        }
    }
}
