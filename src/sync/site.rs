//! What a synchronization object is to a simulation: its number, its kind, where it was created, and who holds it.
//!
//! It does not know what the object does. An object of a simulation has its number from there. One that was created
//! outside, as before `Sim::run`, has an id that differs from run to run; each simulation that uses it gives it a
//! number at the first use, so that no id can enter a run.

use super::operation::{Operation, Wait};
use crate::choice::{Access, Label};
use crate::runtime::LeakPolicy;
use crate::runtime::current;
use crate::runtime::wait::{self, Report};
use crate::task;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers the objects created outside; part of no trace.
static OUTSIDE_NEXT: AtomicU64 = AtomicU64::new(OUTSIDE);
/// Set in the ids of objects created outside.
const OUTSIDE: u64 = 1 << 63;
/// The object that every static is.
const STATIC: u64 = 0;

/// An object's identity, kind and place of creation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    kind: &'static str,
    created: &'static Location<'static>,
    id: u64,
}

impl Site {
    /// The site of an object that the caller creates now.
    #[track_caller]
    pub(super) fn new(kind: &'static str) -> Site {
        let created = Location::caller();
        let number = current::try_with(|world| world.new_object(kind, created));
        let id = number.unwrap_or_else(|| OUTSIDE_NEXT.fetch_add(1, Ordering::Relaxed));
        Site { kind, created, id }
    }

    /// The site of a static, which belongs to no simulation.
    #[track_caller]
    pub(super) const fn fixed(kind: &'static str) -> Site {
        Site { kind, created: Location::caller(), id: STATIC }
    }

    /// The number in the running simulation.
    #[inline]
    pub(super) fn object(&self) -> u64 {
        if self.id & OUTSIDE == 0 {
            return self.id;
        }
        let number = current::try_with(|world| world.foreign_object(self.id, self.kind, self.created));
        number.unwrap_or(STATIC)
    }

    /// The object in words.
    pub(super) fn words(&self) -> String {
        let Site { kind, created, .. } = self;
        format!("{kind} created at {}:{}", created.file(), created.line())
    }

    /// An operation that may write the object, awaited by the caller.
    #[track_caller]
    pub(super) fn writing<F>(&self, label: &'static Label, future: F) -> Operation<F> {
        Operation::new(self.wait(label, Access::Write), future)
    }

    /// An operation that only reads the object, awaited by the caller.
    #[track_caller]
    pub(super) fn reading<F>(&self, label: &'static Label, future: F) -> Operation<F> {
        Operation::new(self.wait(label, Access::Read), future)
    }

    /// The bookkeeping of one operation.
    #[track_caller]
    pub(super) fn wait(&self, label: &'static Label, access: Access) -> Wait {
        Wait::new(*self, label, access, Location::caller())
    }

    /// Begins a synchronous operation, which writes the object; in a run that keeps its events, how many tasks were woken in
    /// this turn so far.
    #[inline]
    #[track_caller]
    pub(super) fn mark(&self, label: &Label) -> Option<usize> {
        if current::is_simulated() { task::mark_on(*label, self.object(), Location::caller()) } else { None }
    }

    /// A synchronous operation, `name` in tokio's words, that may wake who waits for the object.
    #[inline]
    #[track_caller]
    pub(super) fn signal<R>(&self, label: &Label, name: &'static str, act: impl FnOnce() -> R) -> R {
        let before = self.mark(label);
        let done = act();
        if let Some(before) = before {
            let object = self.object();
            current::try_with(|world| world.note_signal(object, name, before));
        }
        done
    }

    /// Begins an operation in the form of a `poll_` function; true when it was to report and must be pending.
    #[track_caller]
    pub(super) fn polled(&self, label: &'static Label) -> bool {
        let place = Location::caller();
        let reported = wait::report(|| Report {
            operation: label.name(),
            resource: self.words(),
            place,
            object: self.object(),
            joins: None,
            since: None,
        });
        if !reported {
            self.mark(label);
        }
        reported
    }

    /// Permits were added by hand, or taken away for ever: noted in a run that keeps its events.
    pub(super) fn added(&self, permits: i64) {
        if current::try_with(|world| world.notes.is_some()) == Some(true) {
            let object = self.object();
            current::try_with(|world| world.note_permits(object, permits));
        }
    }

    /// Registers the running task as a holder, until the answer is dropped.
    #[inline]
    pub(super) fn hold(&self) -> Hold {
        if self.id == STATIC || !current::is_simulated() {
            return Hold::NONE;
        }
        let object = self.object();
        let held = current::try_with(|world| {
            let task = world.tasks.peek(world.running?);
            let (serial, daemon) = (task.serial, task.daemon);
            world.hold(object, serial, daemon);
            Some(Hold { object, epoch: world.epoch, serial })
        });
        held.flatten().unwrap_or(Hold::NONE)
    }
}

/// A way to end waits for an object, as a sender. In a run that keeps its events its drop at the end of the run tells whose it
/// was; it costs nothing in a sweep but to find that out when the object is made.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    object: u64,
    epoch: u32,
}

impl Handle {
    /// Of an object that is used or made now.
    pub(super) fn of(site: &Site) -> Handle {
        let epoch = current::try_with(|world| world.notes.as_ref().map(|_| world.epoch)).flatten();
        match epoch {
            Some(epoch) => Handle { object: site.object(), epoch },
            None => Handle { object: STATIC, epoch: 0 },
        }
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        if self.object != STATIC {
            current::try_with(|world| {
                if world.epoch == self.epoch {
                    world.note_kept(self.object);
                }
            });
        }
    }
}

/// The registration of a holder. Its drop does nothing unless the world that it was made in runs.
#[derive(Debug)]
pub(super) struct Hold {
    object: u64,
    epoch: u32,
    serial: u32,
}

impl Hold {
    const NONE: Hold = Hold { object: STATIC, epoch: 0, serial: 0 };

    /// What was held is given up for ever: under the strict policy for leaks it stays registered.
    pub(super) fn forget(&mut self) {
        let epoch = self.epoch;
        let stays = current::try_with(|world| world.epoch == epoch && world.leaks == LeakPolicy::Strict);
        if stays == Some(true) {
            self.object = STATIC;
        }
    }
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if self.object == STATIC {
            return;
        }
        current::try_with(|world| {
            if world.epoch == self.epoch {
                world.unhold(self.object, self.serial);
            }
        });
    }
}
