//! What a synchronization object is to a simulation: its number, its kind, where it was created, and who holds it.
//!
//! It does not know what the object does. An object of a simulation has its number from there. One that was created
//! outside, as before `Sim::run`, has an id that differs from run to run; each simulation that uses it gives it a
//! number at the first use, so that no id can enter a run.

use super::operation::{Operation, Wait};
use crate::choice::{Access, Label};
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
        let number = current::try_with(|world| world.objects.number());
        let id = number.unwrap_or_else(|| OUTSIDE_NEXT.fetch_add(1, Ordering::Relaxed));
        Site { kind, created: Location::caller(), id }
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
        current::try_with(|world| world.objects.foreign(self.id)).unwrap_or(STATIC)
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

    /// Begins a synchronous operation, which writes the object.
    #[inline]
    pub(super) fn mark(&self, label: &Label) {
        if current::is_simulated() {
            task::mark_on(*label, self.object());
        }
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
            since: None,
        });
        if !reported {
            self.mark(label);
        }
        reported
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
            world.objects.hold(object, serial, daemon);
            Some(Hold { object, epoch: world.epoch, serial })
        });
        held.flatten().unwrap_or(Hold::NONE)
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
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if self.object == STATIC {
            return;
        }
        current::try_with(|world| {
            if world.epoch == self.epoch {
                world.objects.unhold(self.object, self.serial);
            }
        });
    }
}
