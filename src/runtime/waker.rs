//! Wakers that carry an id, not a pointer: the only file with `unsafe`.
//!
//! The data word is epoch 24 | generation 16 | slot 24. Clone and drop do nothing; wake hands the id to the
//! thread's current world. No pointer is dereferenced, so a waker that outlives its task or its world is harmless:
//! a stale generation is at worst a spurious poll, a stale epoch is ignored.
#![expect(unsafe_code, reason = "a RawWaker can be built in no other way")]

use super::{current, wait};
use std::task::{RawWaker, RawWakerVTable, Waker};

const _: () = assert!(
    usize::BITS == 64,
    "fatum needs a 64-bit target: a waker's word holds epoch, generation and slot"
);

/// Slots that one world can have: the number of each is less.
pub(crate) const SLOT_MAX: u32 = (1 << 24) - 1;

/// Which task of which world, packed into a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WakeId(u64);

impl WakeId {
    /// No task: it is in a slot that no world has.
    pub(crate) const NOBODY: WakeId = WakeId(u64::MAX);

    /// Packs the three; each must fit its bits.
    #[inline]
    pub(crate) fn new(epoch: u32, generation: u16, slot: u32) -> WakeId {
        debug_assert!(epoch < 1 << 24 && slot <= SLOT_MAX, "epoch {epoch}, slot {slot}");
        WakeId(u64::from(epoch) << 40 | u64::from(generation) << 24 | u64::from(slot))
    }

    #[inline]
    pub(crate) fn epoch(self) -> u32 {
        (self.0 >> 40) as u32
    }

    #[inline]
    pub(crate) fn generation(self) -> u16 {
        (self.0 >> 24) as u16
    }

    /// The next task in the same slot, whose generations must not be used up.
    #[inline]
    pub(crate) fn next(self) -> WakeId {
        debug_assert!(self.generation() < u16::MAX, "a slot whose generations are used up is retired");
        WakeId(self.0 + (1 << 24))
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32 & SLOT_MAX
    }

    /// The waker that wakes this task.
    #[inline]
    pub(crate) fn waker(self) -> Waker {
        // SAFETY: the vtable's functions take the data word as a number and never dereference it, they are
        // thread-safe (see `wake_by_ref`), and clone and drop own nothing, so every contract of RawWaker holds.
        unsafe { Waker::from_raw(raw(self)) }
    }

    /// The task that a waker of ours wakes; `None` for anybody else's.
    #[inline]
    pub(crate) fn of(waker: &Waker) -> Option<WakeId> {
        std::ptr::eq(waker.vtable(), &VTABLE).then(|| WakeId(waker.data().addr() as u64))
    }
}

/// A waker that wakes nobody and tells [`wait::note_clone`] when it is cloned.
pub(crate) fn probe_waker() -> Waker {
    // SAFETY: the data word is never used; clone calls a safe function, wake and drop do nothing.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &PROBE)) }
}

static PROBE: RawWakerVTable = RawWakerVTable::new(clone_probe, drop_nothing, drop_nothing, drop_nothing);

fn clone_probe(data: *const ()) -> RawWaker {
    wait::note_clone();
    RawWaker::new(data, &PROBE)
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake_by_ref, wake_by_ref, drop_nothing);

#[inline]
fn raw(id: WakeId) -> RawWaker {
    RawWaker::new(std::ptr::without_provenance(id.0 as usize), &VTABLE)
}

fn clone(data: *const ()) -> RawWaker {
    raw(WakeId(data.addr() as u64))
}

/// Safe on any thread: it looks the world up in a thread-local, and another thread's goes to the escape log.
fn wake_by_ref(data: *const ()) {
    current::wake(WakeId(data.addr() as u64));
}

fn drop_nothing(_data: *const ()) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_packing() {
        for (epoch, generation, slot) in [(0, 0, 0), (1, 2, 3), ((1 << 24) - 1, u16::MAX, SLOT_MAX)] {
            let id = WakeId::new(epoch, generation, slot);
            assert_eq!((id.epoch(), id.generation(), id.slot()), (epoch, generation, slot));
            assert_eq!(WakeId::of(&id.waker().clone()), Some(id));
        }
    }

    #[test]
    fn foreign_wakers_are_not_taken_for_ours() {
        assert_eq!(WakeId::of(Waker::noop()), None);
    }
}
