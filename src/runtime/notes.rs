//! What a run that keeps its events remembers for its report: what was done last to each object, and by whom; who took what,
//! where; and whose turns they were since time, or the work, last went on.
//!
//! It decides nothing and no digest knows of it. A run of a sweep keeps none of this.

use super::timers::TimerKey;
use crate::trace::Labels;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;
use std::sync::Arc;

/// A line of the program.
pub(crate) type Place = &'static Location<'static>;

/// Timers that may be remembered beyond those that wait.
const TIMERS_SLACK: usize = 64;

/// A task, by its spawn serial.
pub(crate) struct TaskNote {
    pub(crate) path: Arc<str>,
    /// Virtual time of its end.
    pub(crate) ended: Option<u64>,
}

/// An object of synchronization, by its number.
pub(crate) struct ObjectNote {
    pub(crate) kind: &'static str,
    pub(crate) created: Place,
}

/// Something that was done to an object and could have woken who waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal {
    /// In tokio's words: `notify_waiters`, `send`.
    pub(crate) operation: &'static str,
    /// The task that did it, if one did.
    pub(crate) by: Option<u32>,
    pub(crate) at: u64,
    /// How many tasks it made ready, where that is known.
    pub(crate) readied: Option<usize>,
    /// Its place among all that was noted.
    pub(crate) order: u64,
}

/// An operation of a task on an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) operation: &'static str,
    pub(crate) place: Option<Place>,
}

/// A lock or a permit that a task took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) at: u64,
    pub(crate) by: Option<Asked>,
}

/// A timer that a task waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimerNote {
    pub(crate) key: TimerKey,
    pub(crate) task: u32,
    pub(crate) place: Place,
}

/// What one task did in a window.
#[derive(Default)]
pub(crate) struct Share {
    pub(crate) turns: u64,
    /// How often it asked for an operation on an object, and where last.
    pub(crate) asked: BTreeMap<(&'static str, u64), (u64, Option<Place>)>,
}

/// The turns since something last went on.
#[derive(Default)]
pub(crate) struct Window {
    pub(crate) since: u64,
    pub(crate) turns: u64,
    pub(crate) shares: BTreeMap<u32, Share>,
}

impl Window {
    fn restart(&mut self, since: u64) {
        *self = Window { since, ..Window::default() };
    }

    fn turn(&mut self, task: u32) {
        self.turns += 1;
        self.shares.entry(task).or_default().turns += 1;
    }

    fn asked(&mut self, task: u32, operation: &'static str, object: u64, place: Option<Place>) {
        let asked = self.shares.entry(task).or_default().asked.entry((operation, object)).or_default();
        *asked = (asked.0 + 1, place);
    }
}

/// All of it.
#[derive(Default)]
pub(crate) struct Notes {
    order: u64,
    tasks: BTreeMap<u32, TaskNote>,
    objects: BTreeMap<u64, ObjectNote>,
    signals: BTreeMap<u64, Signal>,
    /// The last operation of a task on an object.
    asked: BTreeMap<(u32, u64), Asked>,
    /// Where a task last asked for anything.
    places: BTreeMap<u32, Place>,
    /// When a task began its wait for an object, as a place among all that was noted.
    waits: BTreeMap<(u32, u64), u64>,
    taken: BTreeMap<(u64, u32), Vec<Taken>>,
    /// Permits that were added to a semaphore by hand, less those taken away for ever.
    permits: BTreeMap<u64, i64>,
    /// The tasks that had a sender when the run was over.
    kept: BTreeSet<(u64, u32)>,
    timers: Vec<TimerNote>,
    timers_max: usize,
    /// Since time last moved.
    pub(crate) still: Window,
    /// Since the work last went on.
    pub(crate) idle: Window,
    /// What the keys of records stand for.
    pub(crate) labels: Labels,
}

/// Whether an operation may wake those who wait for its object.
fn signals(operation: &str) -> bool {
    const SIGNALS: [&str; 5] =
        ["sync.send", "sync.try_send", "sync.add_permits", "sync.close", "sync.cancel"];
    SIGNALS.contains(&operation)
}

impl Notes {
    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(crate) fn spawned(&mut self, task: u32, path: Arc<str>) {
        self.tasks.insert(task, TaskNote { path, ended: None });
    }

    pub(crate) fn ended(&mut self, task: u32, at: u64) {
        if let Some(note) = self.tasks.get_mut(&task) {
            note.ended = Some(at);
        }
        // What is asked of a live task only.
        self.places.remove(&task);
        let objects: Vec<u64> =
            self.asked.range((task, 0)..=(task, u64::MAX)).map(|(key, _)| key.1).collect();
        for object in objects {
            self.asked.remove(&(task, object));
            self.waits.remove(&(task, object));
        }
    }

    pub(crate) fn created(&mut self, object: u64, kind: &'static str, created: Place) {
        self.objects.entry(object).or_insert(ObjectNote { kind, created });
    }

    /// A turn of a task begins; `progress` is when the work last went on.
    pub(crate) fn turn(&mut self, task: u32, progress: u64) {
        if self.idle.since != progress {
            self.idle.restart(progress);
        }
        self.still.turn(task);
        self.idle.turn(task);
    }

    /// Time moved to `now`.
    pub(crate) fn moved(&mut self, now: u64) {
        self.still.restart(now);
    }

    /// A task begins an operation on an object.
    pub(crate) fn asked(
        &mut self,
        task: u32,
        operation: &'static str,
        object: u64,
        place: Option<Place>,
        now: u64,
    ) {
        self.still.asked(task, operation, object, place);
        self.idle.asked(task, operation, object, place);
        if let Some(place) = place {
            self.places.insert(task, place);
        }
        self.asked.insert((task, object), Asked { operation, place });
        if signals(operation) {
            let operation = operation.trim_start_matches("sync.");
            self.signalled(object, operation, Some(task), now, None);
        }
    }

    /// Something was done that could wake who waits for the object.
    pub(crate) fn signalled(
        &mut self,
        object: u64,
        operation: &'static str,
        by: Option<u32>,
        at: u64,
        readied: Option<usize>,
    ) {
        let order = self.next();
        self.signals.insert(object, Signal { operation, by, at, readied, order });
    }

    /// A task waits for an object from now on.
    pub(crate) fn waits(&mut self, task: u32, object: u64) {
        let order = self.next();
        self.waits.insert((task, object), order);
    }

    /// A task holds an object, once more.
    pub(crate) fn took(&mut self, object: u64, task: u32, at: u64) {
        let by = self.asked.get(&(task, object)).copied();
        self.taken.entry((object, task)).or_default().push(Taken { at, by });
    }

    /// A task, `holder`, holds an object once less; `by` gave it back.
    pub(crate) fn gave(&mut self, object: u64, holder: u32, by: Option<u32>, at: u64) {
        if let Some(taken) = self.taken.get_mut(&(object, holder)) {
            taken.pop();
        }
        self.signalled(object, "release", by, at, None);
    }

    /// A task waits for a timer.
    pub(crate) fn timer(&mut self, note: TimerNote, is_waiting: impl Fn(TimerKey) -> bool) {
        self.timers.push(note);
        if self.timers.len() > self.timers_max.max(TIMERS_SLACK) {
            self.timers.retain(|timer| is_waiting(timer.key));
            self.timers_max = 2 * self.timers.len();
        }
    }

    /// Permits were added to a semaphore by hand, or taken away for ever.
    pub(crate) fn added(&mut self, object: u64, permits: i64) {
        *self.permits.entry(object).or_insert(0) += permits;
    }

    /// A task had a sender of the object when the run was over.
    pub(crate) fn kept(&mut self, object: u64, task: u32) {
        self.kept.insert((object, task));
    }

    // Looking.

    pub(crate) fn task(&self, task: u32) -> Option<&TaskNote> {
        self.tasks.get(&task)
    }

    /// The path of a task, also of one that ended.
    pub(crate) fn path(&self, task: u32) -> &str {
        self.tasks.get(&task).map_or("no task", |task| &*task.path)
    }

    /// An object in words; nothing for what is none.
    pub(crate) fn words(&self, object: u64) -> Option<String> {
        let ObjectNote { kind, created } = self.objects.get(&object)?;
        Some(format!("{kind} created at {}", line(created)))
    }

    pub(crate) fn signal(&self, object: u64) -> Option<Signal> {
        self.signals.get(&object).copied()
    }

    /// Where a task last asked for anything.
    pub(crate) fn place(&self, task: u32) -> Option<Place> {
        self.places.get(&task).copied()
    }

    /// Whether the signal came before the task began its wait for the object.
    pub(crate) fn came_before(&self, signal: &Signal, task: u32, object: u64) -> bool {
        self.waits.get(&(task, object)).is_some_and(|began| signal.order < *began)
    }

    /// What a task took of an object and did not give back.
    pub(crate) fn taken(&self, object: u64, task: u32) -> &[Taken] {
        self.taken.get(&(object, task)).map_or(&[], Vec::as_slice)
    }

    /// The permits that each semaphore has more by hand, or less.
    pub(crate) fn permits(&self) -> impl Iterator<Item = (u64, i64)> {
        self.permits.iter().map(|(object, permits)| (*object, *permits))
    }

    /// The paths of the tasks that had a sender of the object when the run was over.
    pub(crate) fn keepers(&self, object: u64) -> Vec<String> {
        let keepers = self.kept.range((object, 0)..=(object, u32::MAX));
        keepers.map(|(_, task)| self.path(*task).to_owned()).collect()
    }

    pub(crate) fn timers(&self) -> &[TimerNote] {
        &self.timers
    }
}

/// A place as reports write it.
pub(crate) fn line(place: &Location<'_>) -> String {
    format!("{}:{}", place.file(), place.line())
}
