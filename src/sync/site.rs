//! What a synchronization object is to a simulation: its number, its kind, where it was created, and who holds it.
//!
//! It does not know what the object does. Outside a simulation the number is 0 and nobody is registered.

use super::operation::{Operation, Wait};
use crate::choice::{Access, Label};
use crate::runtime::current;
use crate::runtime::wait::{self, Report};
use crate::task;
use std::panic::Location;

/// An object's number, kind and place of creation; 0 is the number of every object made outside a simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    kind: &'static str,
    created: &'static Location<'static>,
    object: u64,
}

impl Site {
    /// The site of an object that the caller creates now.
    #[track_caller]
    pub(crate) fn new(kind: &'static str) -> Site {
        Site {
            kind,
            created: Location::caller(),
            object: current::try_with(|world| world.new_object()).unwrap_or(0),
        }
    }

    /// The site of an object that belongs to no simulation, such as a static.
    #[track_caller]
    pub(crate) const fn outside(kind: &'static str) -> Site {
        Site {
            kind,
            created: Location::caller(),
            object: 0,
        }
    }

    /// Whether the object was created in a simulation.
    pub(super) fn is_simulated(&self) -> bool {
        self.object != 0
    }

    /// The number, for the strategies' accesses and the holders.
    pub(super) fn object(&self) -> u64 {
        self.object
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
        task::mark_on(*label, self.object);
    }

    /// Begins an operation in the form of a `poll_` function; true when it was to report and must be pending.
    #[track_caller]
    pub(super) fn polled(&self, label: &'static Label) -> bool {
        let place = Location::caller();
        let reported = wait::report(|| Report {
            operation: label.name(),
            resource: self.words(),
            place,
            object: self.object,
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
        if self.object == 0 {
            return Hold::NONE;
        }
        let object = self.object;
        let held = current::try_with(|world| {
            let serial = world.hold(object)?;
            let epoch = world.epoch;
            Some(Hold { object, epoch, serial })
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
    const NONE: Hold = Hold {
        object: 0,
        epoch: 0,
        serial: 0,
    };
}

impl Drop for Hold {
    #[inline]
    fn drop(&mut self) {
        if self.object == 0 {
            return;
        }
        current::try_with(|world| {
            if world.epoch == self.epoch {
                world.unhold(self.object, self.serial);
            }
        });
    }
}
