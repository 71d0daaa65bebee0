//! The task table: a slab of slots, each with one box that holds the future and then, in its place, the output.
//!
//! It polls nothing and drops nothing: whatever holds user values is handed out, to be polled or dropped while no
//! world is borrowed.

use super::waker::{SLOT_MAX, WakeId};
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pin_project_lite::pin_project! {
    /// A future, and then its output.
    #[project = StageProjection]
    pub(crate) enum Stage<F: Future> {
        Running { #[pin] future: F },
        Finished { output: Option<F::Output> },
    }
}

/// A task's box, without its type.
pub(crate) trait TaskBox {
    /// Polls the future; when it is ready, its output takes its place.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;

    /// The output, as `Option<T>`; empty when the future did not finish or the output was taken.
    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any>;
}

impl<F> TaskBox for Stage<F>
where
    F: Future,
    F::Output: 'static,
{
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let StageProjection::Running { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let Poll::Ready(output) = future.poll(context) else {
            return Poll::Pending;
        };
        self.set(Stage::Finished { output: Some(output) });
        Poll::Ready(())
    }

    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        match self.project() {
            StageProjection::Running { .. } => None,
            StageProjection::Finished { output } => Some(output),
        }
    }
}

pub(crate) type Boxed = Pin<Box<dyn TaskBox>>;

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

/// What is left of a task that panicked.
struct Payload(Option<Box<dyn Any + Send>>);

/// A box whose output is the payload of a panic.
pub(crate) fn payload_box(payload: Box<dyn Any + Send>) -> Boxed {
    Box::pin(Payload(Some(payload)))
}

impl TaskBox for Payload {
    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn output(self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        Some(&mut self.get_mut().0)
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

/// What a world keeps of a task.
pub(crate) struct Slot {
    pub(crate) generation: u16,
    pub(crate) host: u16,
    pub(crate) serial: u32,
    pub(crate) name: TaskName,
    pub(crate) boxed: Option<Boxed>,
    pub(crate) ending: Option<Ending>,
    pub(crate) joiner: Option<Waker>,
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

/// No slot: it is beyond them all.
const NONE: u32 = u32::MAX;

/// What is known of a task when it begins.
pub(crate) struct NewTask {
    pub(crate) host: u16,
    pub(crate) parent: Option<u32>,
    pub(crate) name: TaskName,
    pub(crate) boxed: Boxed,
    pub(crate) handle: bool,
    pub(crate) required: bool,
    pub(crate) daemon: bool,
}

pub(crate) struct Tasks {
    slots: Vec<Slot>,
    /// The slot that was freed last: the free ones are a stack.
    free: u32,
    serial_next: u32,
    live: u32,
}

impl Tasks {
    /// No tasks, in the memory of others.
    pub(crate) fn in_memory(slots: Vec<Slot>) -> Tasks {
        Tasks { slots, free: NONE, serial_next: 0, live: 0 }
    }

    /// Its memory.
    pub(crate) fn into_memory(self) -> Vec<Slot> {
        self.slots
    }

    /// A task in a slot that is free; its fields are set one by one, so that nothing is moved.
    #[inline(always)]
    pub(crate) fn insert(&mut self, new: NewTask) -> TaskId {
        let serial = self.serial_next;
        self.serial_next += 1;
        self.live += 1;
        let index = self.free;
        let Some(slot) = self.slots.get_mut(index as usize) else { return self.grow(serial, new) };
        self.free = slot.next_free;
        slot.generation += 1;
        slot.host = new.host;
        slot.serial = serial;
        slot.name = new.name;
        slot.boxed = Some(new.boxed);
        slot.ending = None;
        slot.polled_at = 0;
        slot.live = true;
        slot.queued = false;
        slot.aborted = false;
        slot.owes_yield = false;
        slot.handle = new.handle;
        slot.required = new.required;
        slot.daemon = new.daemon;
        slot.main = new.parent.is_none();
        slot.once = false;
        TaskId { slot: index, generation: slot.generation }
    }

    #[cold]
    fn grow(&mut self, serial: u32, new: NewTask) -> TaskId {
        let index = self.slots.len() as u32;
        assert!(index < SLOT_MAX, "a simulation can hold {SLOT_MAX} tasks");
        self.slots.push(Slot {
            generation: 0,
            host: new.host,
            serial,
            name: new.name,
            boxed: Some(new.boxed),
            ending: None,
            joiner: None,
            polled_at: 0,
            live: true,
            queued: false,
            aborted: false,
            owes_yield: false,
            handle: new.handle,
            required: new.required,
            daemon: new.daemon,
            main: new.parent.is_none(),
            once: false,
            next_free: NONE,
        });
        TaskId { slot: index, generation: 0 }
    }

    /// Marks a task as ended; its output waits if a handle may take it.
    #[inline]
    pub(crate) fn end(&mut self, slot: u32, ending: Ending) -> &mut Slot {
        self.live -= 1;
        let task = &mut self.slots[slot as usize];
        task.live = false;
        task.ending = Some(ending);
        task
    }

    /// Gives a slot back; whatever held user values was taken out. A slot whose generations are used up is retired.
    pub(crate) fn release(&mut self, slot: u32) {
        let freed = &mut self.slots[slot as usize];
        if freed.generation < u16::MAX {
            freed.next_free = self.free;
            self.free = slot;
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: TaskId) -> Option<&Slot> {
        self.slots.get(id.slot as usize).filter(|slot| slot.generation == id.generation)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot as usize).filter(|slot| slot.generation == id.generation)
    }

    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> &mut Slot {
        &mut self.slots[slot as usize]
    }

    /// The id of the task in a slot.
    pub(crate) fn id(&self, slot: u32) -> TaskId {
        TaskId { slot, generation: self.slots[slot as usize].generation }
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
        self.live
    }

    /// How many tasks were ever spawned.
    pub(crate) fn spawned(&self) -> u32 {
        self.serial_next
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
