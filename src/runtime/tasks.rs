//! The task table: a slab of slots, each with the box of its task.
//!
//! It polls nothing and drops nothing of the user's: whatever holds user values is handed out, to be polled or dropped
//! while no world is borrowed.

use super::boxes::{Body, Boxed};
use super::waker::{SLOT_MAX, WakeId};
use std::any::Any;
use std::sync::Arc;
use std::task::Waker;

/// A task of one world, while it lives or its output waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskId {
    pub(crate) slot: u32,
    pub(crate) generation: u16,
}

impl TaskId {
    /// The task that an id with its world names.
    #[inline]
    pub(crate) fn of(id: WakeId) -> TaskId {
        TaskId { slot: id.slot(), generation: id.generation() }
    }
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its box holds the output.
    Finished,
    Cancelled,
    /// Its box holds the payload.
    Panicked,
}

impl Ending {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ending::Finished => "finished",
            Ending::Cancelled => "cancelled",
            Ending::Panicked => "panicked",
        }
    }
}

/// The name of a task: the user's, or its future's type. Two words, so that a spawn hands it on in registers.
#[derive(Clone, Debug)]
pub(crate) enum TaskName {
    Type(fn() -> &'static str),
    Given(Box<Arc<str>>),
}

impl TaskName {
    pub(crate) fn segment(&self) -> &str {
        match self {
            TaskName::Type(type_name) => crate::choice::segment(type_name()),
            TaskName::Given(name) => name,
        }
    }
}

/// Who is woken when a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joiner {
    Nobody,
    Task(WakeId),
    /// Whom a waker wakes that is not ours: the world keeps it.
    Foreign,
}

/// What a world keeps of a task.
pub(crate) struct Slot {
    /// The task; a free slot has that of its last one, or of generation 0, which no task has.
    pub(crate) id: WakeId,
    pub(crate) host: u16,
    pub(crate) serial: u32,
    pub(crate) name: TaskName,
    /// The future or what it left. A free slot may keep an empty box for the next task of the same type.
    pub(crate) boxed: Option<Boxed>,
    pub(crate) ending: Option<Ending>,
    pub(crate) joiner: Joiner,
    /// Virtual time of the last turn.
    pub(crate) polled_at: u64,
    pub(crate) live: bool,
    pub(crate) queued: bool,
    pub(crate) aborted: bool,
    /// A synchronous operation was chosen to yield: the next scheduling point does.
    pub(crate) owes_yield: bool,
    /// A handle that may still take the output.
    pub(crate) handle: bool,
    pub(crate) required: bool,
    /// It, or one that it descends from, serves for ever.
    pub(crate) daemon: bool,
    /// It is no task's child: what a host begins with.
    pub(crate) main: bool,
    /// A required main that is never begun again.
    pub(crate) once: bool,
    /// The free slot below this one, while it is free itself.
    next_free: u32,
}

/// Bytes of a box that a free slot keeps, at most.
const KEPT_MAX: usize = 256;

impl Slot {
    /// Moves what the task left into `place`, an `Option` of its type. A small box stays for the next task.
    ///
    /// # Panics
    /// When it left nothing, or something of another type.
    #[inline(always)]
    fn give(&mut self, place: &mut dyn Any) {
        let boxed = self.boxed.as_mut().expect("an ended task keeps what it left for its handle");
        assert!(boxed.as_mut().give(place), "what a task left has its handle's type and was not taken");
        if size_of_val(&**boxed) > KEPT_MAX {
            self.boxed = None;
        }
    }

    /// As [`Tasks::join`], of the task in this slot, which ended.
    #[inline(never)]
    fn join_ended(&mut self, index: u32, place: &mut dyn Any, free: &mut u32) -> Joining {
        let joining = match self.ending {
            Some(Ending::Panicked) if self.boxed.is_some() => return Joining::Panicked,
            Some(Ending::Finished) if self.boxed.is_some() => {
                self.give(place);
                Joining::Finished
            }
            _ => Joining::Cancelled,
        };
        self.close(index, free);
        joining
    }

    /// The handle has what the task left: the slot is free.
    #[inline]
    fn close(&mut self, index: u32, free: &mut u32) {
        self.handle = false;
        self.free(index, free);
    }

    /// Puts this slot, whose index is told, on the stack of free ones. One whose generations are used up is retired.
    #[inline]
    fn free(&mut self, index: u32, free: &mut u32) {
        if self.id.generation() < u16::MAX {
            self.next_free = *free;
            *free = index;
        }
    }
}

/// No slot: it is beyond them all.
const NONE: u32 = u32::MAX;

/// What is known of a task when it begins.
pub(crate) struct NewTask {
    pub(crate) host: u16,
    /// See [`Slot`].
    pub(crate) main: bool,
    pub(crate) name: TaskName,
    pub(crate) handle: bool,
    pub(crate) required: bool,
    pub(crate) daemon: bool,
}

/// How a join stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// The task finished and gave its output.
    Finished,
    Cancelled,
    Panicked,
    /// It goes on, and wakes the task that joins.
    Waits,
    /// It goes on, and a waker that is not ours is to be kept, or was.
    Keeps,
    /// The world is frozen: the wait is to be reported.
    Reports,
    /// Another simulation runs, or none.
    Elsewhere,
}

/// What there is to do for a task that ended.
pub(crate) struct Ended {
    pub(crate) serial: u32,
    pub(crate) required: bool,
    /// It is in the ready set, or kept from it.
    pub(crate) queued: bool,
    /// Somebody may take what it left; nobody else frees its slot.
    pub(crate) handle: bool,
    pub(crate) joiner: Joiner,
}

pub(crate) struct Tasks {
    epoch: u32,
    slots: Vec<Slot>,
    /// The slot that was freed last: the free ones are a stack.
    free: u32,
    /// How many were ever spawned.
    spawned: u32,
    /// How many of them ended.
    ended: u32,
}

impl Tasks {
    /// No tasks of a world, in the memory of others.
    pub(crate) fn in_memory(epoch: u32, slots: Vec<Slot>) -> Tasks {
        Tasks { epoch, slots, free: NONE, spawned: 0, ended: 0 }
    }

    /// Its memory.
    pub(crate) fn into_memory(self) -> Vec<Slot> {
        self.slots
    }

    /// A task in a slot that is free, about to be queued; its fields are set one by one, so that nothing is moved.
    ///
    /// # Panics
    /// When no slot is free: [`Tasks::grow`] makes one.
    #[inline(always)]
    pub(crate) fn insert(&mut self, new: NewTask, body: Body<'_>) -> WakeId {
        let slot = &mut self.slots[self.free as usize];
        self.free = slot.next_free;
        slot.id = slot.id.next();
        slot.host = new.host;
        slot.serial = self.spawned;
        self.spawned += 1;
        slot.name = new.name;
        body.fill(&mut slot.boxed);
        slot.ending = None;
        slot.polled_at = 0;
        slot.live = true;
        slot.queued = true;
        slot.aborted = false;
        slot.owes_yield = false;
        slot.handle = new.handle;
        slot.required = new.required;
        slot.daemon = new.daemon;
        slot.main = new.main;
        slot.once = false;
        slot.id
    }

    /// Makes one more slot, which is free.
    pub(crate) fn grow(&mut self) {
        let index = self.slots.len() as u32;
        assert!(index < SLOT_MAX, "a simulation can hold {SLOT_MAX} tasks");
        self.slots.push(Slot {
            id: WakeId::new(self.epoch, 0, index),
            host: 0,
            serial: 0,
            name: TaskName::Type(|| ""),
            boxed: None,
            ending: None,
            joiner: Joiner::Nobody,
            polled_at: 0,
            live: false,
            queued: false,
            aborted: false,
            owes_yield: false,
            handle: false,
            required: false,
            daemon: false,
            main: false,
            once: false,
            next_free: self.free,
        });
        self.free = index;
    }

    /// Ends a task, whose box is not in its slot: what it left stands there.
    #[inline(always)]
    pub(crate) fn end(&mut self, slot: u32, left: Option<Boxed>, ending: Ending) -> Ended {
        self.ended += 1;
        let task = &mut self.slots[slot as usize];
        // The place is empty: to drop what is there is left out.
        std::mem::forget(std::mem::replace(&mut task.boxed, left));
        task.live = false;
        task.ending = Some(ending);
        Ended {
            serial: task.serial,
            required: task.required,
            queued: task.queued,
            handle: task.handle,
            joiner: std::mem::replace(&mut task.joiner, Joiner::Nobody),
        }
    }

    /// How the join of a task stands. The task that joins is woken at the end, where its waker is one of ours. The output is
    /// moved into `place`, an `Option` of its type, and the slot is free; a task that panicked keeps its payload until
    /// [`Tasks::take_payload`]. What a closing world has dropped counts as cancelled.
    #[inline(always)]
    pub(crate) fn join(&mut self, id: WakeId, waker: &Waker, place: &mut dyn Any) -> Joining {
        let Some(task) = self.slots.get_mut(id.slot() as usize).filter(|task| task.id == id) else {
            return if id.epoch() == self.epoch { Joining::Cancelled } else { Joining::Elsewhere };
        };
        if task.ending.is_some() {
            return task.join_ended(id.slot(), place, &mut self.free);
        }
        // A waker of ours owns nothing, so it may be made anew.
        let Some(own) = WakeId::of(waker).filter(|_| task.joiner != Joiner::Foreign) else {
            return Joining::Keeps;
        };
        task.joiner = Joiner::Task(own);
        Joining::Waits
    }

    /// Takes the payload of a task that panicked, whose box has no other use, and frees its slot.
    #[cold]
    pub(crate) fn take_payload(&mut self, id: TaskId) -> Box<dyn Any + Send> {
        let task = &mut self.slots[id.slot as usize];
        let mut payload: Option<Box<dyn Any + Send>> = None;
        if let Some(mut boxed) = task.boxed.take() {
            boxed.as_mut().give(&mut payload);
        }
        task.close(id.slot, &mut self.free);
        payload.expect("a task that panicked leaves its payload")
    }

    /// Gives a slot back; whatever held user values was taken out.
    pub(crate) fn release(&mut self, slot: u32) {
        self.slots[slot as usize].free(slot, &mut self.free);
    }

    #[inline]
    pub(crate) fn get(&self, id: TaskId) -> Option<&Slot> {
        self.slots.get(id.slot as usize).filter(|slot| slot.id.generation() == id.generation)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.id.generation() == id.generation)
    }

    /// Counts the task that a waker of ours wakes as queued; its serial. Nothing where it is of another world, has ended or
    /// is queued.
    #[inline]
    pub(crate) fn queue(&mut self, id: WakeId) -> Option<u32> {
        let task = self.slots.get_mut(id.slot() as usize)?;
        if task.id != id || !task.live || task.queued {
            return None;
        }
        task.queued = true;
        Some(task.serial)
    }

    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    /// The id of the task in a slot.
    pub(crate) fn id(&self, slot: u32) -> TaskId {
        TaskId::of(self.slots[slot as usize].id)
    }

    #[inline]
    pub(crate) fn peek(&self, slot: u32) -> &Slot {
        &self.slots[slot as usize]
    }

    /// The live tasks, in no meaningful order.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u32, &Slot)> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.live).map(|(index, slot)| (index as u32, slot))
    }

    pub(crate) fn live_count(&self) -> u32 {
        self.spawned - self.ended
    }

    /// Whether the next task needs one more slot.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.free as usize >= self.slots.len()
    }

    /// How many slots there are: no more tasks are queued at once.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many tasks were ever spawned.
    pub(crate) fn spawned(&self) -> u32 {
        self.spawned
    }

    /// Lets every live task of a host count as queued.
    pub(crate) fn mark_queued(&mut self, host: u16) {
        for slot in self.slots.iter_mut().filter(|slot| slot.live && slot.host == host) {
            slot.queued = true;
        }
    }

    /// Takes the box of the first live task of a host, in spawn order.
    pub(crate) fn first_box_of(&mut self, host: u16) -> Option<(u32, Boxed)> {
        let of_host = |slot: &Slot| slot.live && slot.host == host && slot.boxed.is_some();
        let slots = self.slots.iter_mut().enumerate().filter(|(_, slot)| of_host(slot));
        let (index, slot) = slots.min_by_key(|(_, slot)| slot.serial)?;
        slot.boxed.take().map(|boxed| (index as u32, boxed))
    }

    /// Takes every box that is left, in spawn order: serial, slot and box.
    pub(crate) fn take_boxes(&mut self) -> Vec<(u32, u32, Boxed)> {
        let mut boxes = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(boxed) = slot.boxed.take() {
                boxes.push((slot.serial, index as u32, boxed));
            }
        }
        boxes.sort_by_key(|(serial, _, _)| *serial);
        boxes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::boxes::box_taken;
    use std::future::Future;
    use std::task::Context;

    const NEW: NewTask = NewTask {
        host: 0,
        main: true,
        name: TaskName::Type(|| "test"),
        handle: true,
        required: false,
        daemon: false,
    };

    fn insert<F: Future<Output = u64> + 'static>(tasks: &mut Tasks, future: F) -> WakeId {
        let mut place = Some(future);
        if tasks.is_full() {
            tasks.grow();
        }
        let id = tasks.insert(NEW, Body { place: &mut place, boxes: box_taken::<F> });
        assert!(place.is_none(), "the future went into the box");
        id
    }

    /// Polls the task to its end, and joins it; the number that it leaves.
    fn run(tasks: &mut Tasks, id: WakeId) -> Option<u64> {
        let mut boxed = tasks.at(id.slot()).boxed.take().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        assert!(boxed.as_mut().poll(&mut context).is_ready());
        tasks.end(id.slot(), Some(boxed), Ending::Finished);
        let mut place = None;
        assert_eq!(tasks.join(id, Waker::noop(), &mut place), Joining::Finished);
        place
    }

    fn address(tasks: &Tasks, id: WakeId) -> usize {
        std::ptr::from_ref(&**tasks.peek(id.slot()).boxed.as_ref().unwrap()).addr()
    }

    #[test]
    fn a_box_is_handed_on_to_the_next_task_of_its_type() {
        let mut tasks = Tasks::in_memory(7, Vec::new());
        let again = |number: u64| async move { number };
        let first = insert(&mut tasks, again(1));
        let place = address(&tasks, first);
        assert_eq!(run(&mut tasks, first), Some(1));
        let second = insert(&mut tasks, again(2));
        assert_eq!((second, address(&tasks, second)), (first.next(), place));
        assert_eq!(run(&mut tasks, second), Some(2));
        let other = insert(&mut tasks, async { 3 });
        assert_eq!((other, run(&mut tasks, other)), (second.next(), Some(3)));
        assert_eq!((tasks.spawned(), tasks.live_count()), (3, 0));
    }

    #[test]
    fn a_large_box_is_not_kept() {
        let mut tasks = Tasks::in_memory(7, Vec::new());
        for (words, kept) in [(8, true), (64, false)] {
            let id = match words {
                8 => insert(&mut tasks, holding([1u64; 8])),
                _ => insert(&mut tasks, holding([1u64; 64])),
            };
            assert_eq!(run(&mut tasks, id), Some(words));
            assert_eq!(tasks.peek(id.slot()).boxed.is_some(), kept);
        }
    }

    async fn holding<const N: usize>(words: [u64; N]) -> u64 {
        std::hint::black_box(&words).iter().sum()
    }

    #[test]
    fn who_has_gone_is_not_woken_nor_joined() {
        let mut tasks = Tasks::in_memory(7, Vec::new());
        let first = insert(&mut tasks, async { 1 });
        assert_eq!(tasks.queue(first), None, "it is queued from the first");
        tasks.at(first.slot()).queued = false;
        assert_eq!((tasks.queue(first), tasks.queue(first)), (Some(0), None));
        run(&mut tasks, first);
        let second = insert(&mut tasks, async { 2 });
        tasks.at(second.slot()).queued = false;
        let elsewhere = WakeId::new(8, second.generation(), second.slot());
        assert_eq!((tasks.queue(first), tasks.queue(elsewhere)), (None, None));
        assert_eq!(tasks.queue(second), Some(1));
        let mut place: Option<u64> = None;
        assert_eq!(tasks.join(first, Waker::noop(), &mut place), Joining::Cancelled);
        assert_eq!(tasks.join(elsewhere, Waker::noop(), &mut place), Joining::Elsewhere);
        assert_eq!(tasks.join(second, Waker::noop(), &mut place), Joining::Keeps);
    }
}
