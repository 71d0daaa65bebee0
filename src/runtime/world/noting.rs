//! Noting what a report may want to say, in a run that keeps its events; elsewhere each of these is one branch.

use super::World;
use crate::choice::Label;
use crate::runtime::notes::{Place, TimerNote};
use crate::runtime::timers::TimerKey;

impl World {
    /// The spawn serial of the running task.
    fn running_serial(&self) -> Option<u32> {
        self.running.map(|slot| self.tasks.peek(slot).serial)
    }

    /// The number of a new object.
    #[inline]
    pub(crate) fn new_object(&mut self, kind: &'static str, created: Place) -> u64 {
        let number = self.objects.number();
        if let Some(notes) = &mut self.notes {
            notes.created(number, kind, created);
        }
        number
    }

    /// The number of an object that was created outside.
    pub(crate) fn foreign_object(&mut self, id: u64, kind: &'static str, created: Place) -> u64 {
        let number = self.objects.foreign(id);
        if let Some(notes) = &mut self.notes {
            notes.created(number, kind, created);
        }
        number
    }

    /// The running task begins an operation on an object; how many tasks were woken in its turn so far, in a run that
    /// keeps its events.
    #[inline]
    pub(crate) fn note_asked(&mut self, label: Label, object: u64, place: Option<Place>) -> Option<usize> {
        if self.notes.is_none() { None } else { self.note_asked_by_name(label, object, place) }
    }

    #[cold]
    fn note_asked_by_name(&mut self, label: Label, object: u64, place: Option<Place>) -> Option<usize> {
        let (task, now) = (self.running_serial()?, self.now);
        if self.is_deaf() {
            return None;
        }
        self.notes.as_mut()?.asked(task, label.name(), object, place, now);
        Some(self.ready.fresh().len())
    }

    /// An operation that could wake who waits for the object is done; `before` is what [`World::note_asked`] said.
    #[cold]
    pub(crate) fn note_signal(&mut self, object: u64, operation: &'static str, before: usize) {
        let (by, now) = (self.running_serial(), self.now);
        let readied = self.ready.fresh().len().saturating_sub(before);
        if let Some(notes) = &mut self.notes {
            notes.signalled(object, operation, by, now, Some(readied));
        }
    }

    /// The running task waits for an object.
    #[cold]
    pub(crate) fn note_wait(&mut self, object: u64) {
        if let (false, Some(task), Some(notes)) = (self.is_deaf(), self.running_serial(), &mut self.notes) {
            notes.waits(task, object);
        }
    }

    /// The running task holds an object from now on.
    #[inline]
    pub(crate) fn hold(&mut self, object: u64, task: u32, daemon: bool) {
        self.objects.hold(object, task, daemon);
        if let Some(notes) = &mut self.notes {
            notes.took(object, task, self.now);
        }
    }

    /// Undoes one [`World::hold`].
    #[inline]
    pub(crate) fn unhold(&mut self, object: u64, task: u32) {
        self.objects.unhold(object, task);
        if self.notes.is_some() && self.frozen.is_none() {
            let (by, now) = (self.running_serial(), self.now);
            if let Some(notes) = &mut self.notes {
                notes.gave(object, task, by, now);
            }
        }
    }

    /// The running task, which is dropped as the run is over, had a way to end waits for an object.
    #[cold]
    pub(crate) fn note_kept(&mut self, object: u64) {
        if let (true, Some(task), Some(notes)) = (self.closing, self.running_serial(), &mut self.notes) {
            notes.kept(object, task);
        }
    }

    /// Permits of a semaphore were added by hand, or taken away for ever.
    pub(crate) fn note_permits(&mut self, object: u64, added: i64) {
        if let (false, Some(notes)) = (self.closing, &mut self.notes) {
            notes.added(object, added);
        }
    }

    /// The running task waits for a timer.
    #[inline]
    pub(crate) fn note_timer(&mut self, key: TimerKey, place: Place) {
        if self.notes.is_some() {
            self.note_timer_by_name(key, place);
        }
    }

    #[cold]
    fn note_timer_by_name(&mut self, key: TimerKey, place: Place) {
        let (Some(task), Some(notes)) = (self.running_serial(), &mut self.notes) else { return };
        let timers = &self.timers;
        notes.asked(task, "time.sleep", 0, Some(place), self.now);
        notes.timer(TimerNote { key, task, place }, |key| timers.is_waiting(key));
    }
}
