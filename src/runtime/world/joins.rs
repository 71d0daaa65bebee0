//! Joins: how they stand, and the wakers that are not ours, of those who wait for tasks and for timers.

use super::World;
use crate::runtime::tasks::{Joiner, Joining, TaskId};
use crate::runtime::timers::TimerKey;
use crate::runtime::waker::WakeId;
use std::any::Any;
use std::collections::BTreeMap;
use std::task::Waker;

/// Wakers that are not ours.
#[derive(Default)]
pub(super) struct Foreign {
    /// Each by the slot of the task that it waits for.
    joiners: BTreeMap<u32, Waker>,
    /// Each by the number of the timer that it waits for.
    timers: BTreeMap<u64, Waker>,
    /// Their time has come.
    due: Vec<Waker>,
}

impl World {
    /// How the join of a task stands: see [`crate::runtime::tasks::Tasks::join`].
    #[inline(always)]
    pub(crate) fn join(&mut self, task: WakeId, waker: &Waker, place: &mut dyn Any) -> Joining {
        if !self.plain && self.frozen.is_some() && self.epoch == task.epoch() {
            return Joining::Reports;
        }
        self.tasks.join(task, waker, place)
    }

    /// Takes what a task that panicked left for its handle: the panic was seen.
    #[cold]
    pub(crate) fn take_payload(&mut self, task: WakeId) -> Box<dyn Any + Send> {
        let id = TaskId::of(task);
        self.unjoined_panics.retain(|(unjoined, _, _)| *unjoined != id);
        self.tasks.take_payload(id)
    }

    /// Lets a waker be woken when a task that lives ends; the foreign one of before, for the caller to drop.
    pub(crate) fn join_by(&mut self, slot: u32, waker: Waker) -> Option<Waker> {
        let before = self.forget_joiner(slot);
        self.tasks.at(slot).joiner = match WakeId::of(&waker) {
            Some(own) => Joiner::Task(own),
            None => {
                self.foreign.get_or_insert_default().joiners.insert(slot, waker);
                Joiner::Foreign
            }
        };
        before
    }

    /// The foreign waker that waits for a task is not told of its end any more; the waker, for the caller to drop.
    pub(super) fn forget_joiner(&mut self, slot: u32) -> Option<Waker> {
        self.foreign.as_mut()?.joiners.remove(&slot)
    }

    /// The task ended that a foreign waker waits for.
    #[cold]
    pub(super) fn end_foreign(&mut self, slot: u32) {
        if let Some(waker) = self.forget_joiner(slot) {
            self.let_wake(waker);
        }
    }

    /// Lets a timer that wakes `Wakes::Other` wake by this; the waker of before, for the caller to drop.
    #[cold]
    pub(crate) fn wake_by(&mut self, timer: TimerKey, waker: Waker) -> Option<Waker> {
        self.foreign.get_or_insert_default().timers.insert(timer.seq(), waker)
    }

    /// The waker that a timer woke, which it does no more.
    #[cold]
    pub(crate) fn forget_waker(&mut self, timer: TimerKey) -> Option<Waker> {
        self.foreign.as_mut()?.timers.remove(&timer.seq())
    }

    /// The timer of that number is due: the task that it wakes, if its waker is one of this world's. Others are due.
    #[cold]
    pub(super) fn fire_other(&mut self, timer: u64) -> Option<WakeId> {
        let waker = self.foreign.as_mut()?.timers.remove(&timer)?;
        let own = WakeId::of(&waker).filter(|id| id.epoch() == self.epoch);
        if own.is_none() {
            self.let_wake(waker);
        }
        own
    }

    /// The time of a foreign waker has come.
    #[cold]
    pub(super) fn let_wake(&mut self, waker: Waker) {
        self.foreign.get_or_insert_default().due.push(waker);
    }

    /// Whether [`World::take_due`] has any.
    #[inline]
    pub(crate) fn has_due(&self) -> bool {
        self.foreign.as_ref().is_some_and(|foreign| !foreign.due.is_empty())
    }

    /// The foreign wakers whose time has come, in order, for the caller to wake.
    pub(crate) fn take_due(&mut self) -> Vec<Waker> {
        self.foreign.as_mut().map(|foreign| std::mem::take(&mut foreign.due)).unwrap_or_default()
    }
}
