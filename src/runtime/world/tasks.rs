//! Tasks coming and going: spawn, wake, abort, end, and what a handle may still ask.

use super::{HOLD, Held, STALL, Woken, World};
use crate::choice::Notice;
use crate::runtime::current::{Leftovers, Message};
use crate::runtime::end::End;
use crate::runtime::tasks::{Boxed, NewTask, TaskId};
use crate::runtime::timers::{NOBODY, TimerKey};
use crate::runtime::waker::WakeId;
use crate::trace::Kind;
use std::task::Waker;

impl World {
    /// Begins a task; the id of its slot. The box comes back when the world is closing or frozen.
    pub(crate) fn spawn(&mut self, new: NewTask) -> Result<TaskId, Boxed> {
        if self.closing || self.frozen.is_some() {
            return Err(new.boxed);
        }
        let (host, parent_serial, required) = (new.host, new.parent, new.required);
        let segment = self.names.is_some().then(|| new.name.segment().to_owned());
        let id = self.tasks.insert(new);
        self.required_left += u32::from(required);
        let serial = self.tasks.at(id.slot).serial;
        self.digests.event(1 << 62 | u64::from(serial));
        self.progress_at = self.now;
        if let Some(segment) = segment {
            self.name_task(id.slot, host, &segment);
        }
        if self.listens {
            self.notice(Notice::Spawned { task: serial, parent: parent_serial });
        }
        self.tasks.at(id.slot).queued = true;
        self.woken.push(Woken { serial, slot: id.slot });
        Ok(id)
    }

    #[cold]
    pub(super) fn name_task(&mut self, slot: u32, host: u16, segment: &str) {
        let running = self.running;
        let host = self.hosts[usize::from(host)].clone();
        let Some(names) = &mut self.names else { return };
        let path = match running {
            Some(parent) => {
                let parent = names.path(parent).clone();
                names.spawn(slot, Some(&parent), segment)
            }
            None if segment == "main" => names.spawn(slot, None, &host),
            None => names.spawn(slot, Some(&host), segment),
        };
        self.record(Kind::Spawned { path });
    }

    /// Marks a task ready. A stale id, an ended task, a queued one and a frozen world ignore it.
    #[inline]
    pub(crate) fn wake(&mut self, id: WakeId) {
        if self.frozen.is_some() {
            return;
        }
        let id = TaskId { slot: id.slot(), generation: id.generation() };
        if let Some(task) = self.tasks.get_mut(id)
            && task.live
            && !task.queued
        {
            task.queued = true;
            self.woken.push(Woken { serial: task.serial, slot: id.slot });
        }
    }

    /// Flags a task for dropping and queues it.
    pub(crate) fn abort(&mut self, id: TaskId) {
        let epoch = self.epoch;
        if let Some(task) = self.tasks.get_mut(id)
            && task.live
            && !task.aborted
        {
            task.aborted = true;
            self.wake(WakeId::new(epoch, id.generation, id.slot));
        }
    }

    /// Moves the tasks woken since the last poll into the ready set, in spawn order.
    #[inline]
    pub(super) fn flush_woken(&mut self) {
        match *self.woken {
            [] => {}
            [woken] => {
                self.woken.clear();
                self.enqueue(woken);
            }
            [..] => self.flush_many(),
        }
    }

    #[inline(never)]
    fn flush_many(&mut self) {
        let mut woken = std::mem::take(&mut self.woken);
        woken.sort_unstable();
        for &woken in &woken {
            self.enqueue(woken);
        }
        woken.clear();
        self.woken = woken;
    }

    #[inline]
    pub(super) fn enqueue(&mut self, Woken { serial, slot }: Woken) {
        if self.holds_tasks && self.hold_task(slot, serial) {
            return;
        }
        self.push_ready(slot, serial);
    }

    #[inline]
    pub(super) fn push_ready(&mut self, slot: u32, serial: u32) {
        self.ready.push(slot, serial);
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
        let deadlines = self.choose_for(Some(slot), STALL, "", 8, HOLD) as u8;
        if deadlines > 0 {
            self.held.push((deadlines, Held::Task { slot, serial }));
        }
        deadlines > 0
    }

    /// Carries out a message; what is left over is dropped by the caller when no world is borrowed.
    pub(crate) fn apply(&mut self, message: Message) -> Leftovers {
        match message {
            Message::Wake(id) => self.wake(id),
            Message::Abort(id) => self.abort(id),
            Message::Detach(id) => return self.detach(id),
            Message::CancelTimer(key) => {
                return Leftovers { boxed: None, waker: self.timers.cancel(key) };
            }
        }
        Leftovers::default()
    }

    pub(super) fn detach(&mut self, id: TaskId) -> Leftovers {
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.handle) else {
            return Leftovers::default();
        };
        task.handle = false;
        let waker = task.joiner.take();
        let (live, boxed) = (task.live, if task.live { None } else { task.boxed.take() });
        if !live {
            self.tasks.release(id.slot);
            self.unobserved(id);
        }
        Leftovers { boxed, waker }
    }

    /// A panic that no join will see.
    pub(super) fn unobserved(&mut self, id: TaskId) {
        let found = self.unjoined_panics.iter().position(|(task, _, _)| *task == id);
        if let Some(index) = found {
            let (_, task, message) = self.unjoined_panics.remove(index);
            self.end_with(End::Panicked { task, message });
        }
    }

    /// A panic was seen by a join.
    pub(crate) fn observed(&mut self, id: TaskId) {
        self.unjoined_panics.retain(|(task, _, _)| *task != id);
    }

    pub(crate) fn timer(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        let owner = self.running.unwrap_or(NOBODY);
        self.timers.insert(self.now, deadline, owner, waker)
    }
}
