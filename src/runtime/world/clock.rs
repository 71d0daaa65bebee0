//! Time: jumps to the next deadline, what is due, and what faults hold back.

use super::{HOLD, Held, LATE, World};
use crate::choice::{Label, Notice, Weights};
use crate::runtime::tasks::{Slot, TaskId};
use crate::runtime::timers::{Due, Owner, TimerKey, Wakes};
use crate::trace::Kind;
use std::task::Waker;

/// Tells a jump from other events in the digest.
const JUMP: u64 = 0x9d39_247e_3377_6d41;

/// How time went on. Without fields, so that it is handed on in a register.
pub(super) enum Passage {
    /// It moved.
    Time,
    /// It moved, and wakers that are not ours are due.
    Foreign,
    /// It did not: nothing is ready, and no deadline is at or before the limit.
    Idle,
}

impl World {
    /// Moves time to the next deadline, if it is within `limit`, and fires what is due.
    #[inline(never)]
    pub(super) fn advance(&mut self, limit: u64) -> Passage {
        match self.next_time() {
            Some(deadline) if deadline <= limit => self.jump(deadline),
            None if !self.held.is_empty() => self.release_held(),
            Some(_) | None => Passage::Idle,
        }
    }

    /// When something happens next by itself: a timer is due, or a host is back.
    #[inline(always)]
    fn next_time(&mut self) -> Option<u64> {
        let timer = self.timers.next_deadline();
        if self.hosts_out == 0 {
            return timer;
        }
        [timer, self.next_return()].into_iter().flatten().min()
    }

    #[inline(always)]
    pub(super) fn jump(&mut self, deadline: u64) -> Passage {
        if deadline > self.now {
            self.steps_at_jump = self.steps;
            self.limit_steps();
            if let Some(notes) = &mut self.notes {
                notes.moved(deadline);
            }
        }
        self.now = deadline;
        self.digests.event(JUMP ^ deadline);
        self.attention |= self.required_left > 0 && self.is_stale();
        if self.heeds_time || self.hosts_out > 0 || !self.held.is_empty() {
            self.fire_heeded(deadline);
        } else {
            self.fire_due(deadline);
        }
        self.moved()
    }

    #[inline(always)]
    fn fire_due(&mut self, deadline: u64) {
        while let Some(due) = self.timers.pop_due(deadline) {
            self.fire(due);
        }
    }

    /// Fires what is due where faults hold timers back, hosts are away, or the source listens.
    #[inline(never)]
    fn fire_heeded(&mut self, deadline: u64) {
        if self.listens {
            self.notice(Notice::Idle);
        }
        if self.holds_timers || self.harms_hosts || !self.held.is_empty() {
            self.fire_with_faults(deadline);
        } else {
            self.fire_due(deadline);
        }
        if self.hosts_out > 0 {
            self.return_hosts(deadline);
        }
    }

    fn moved(&self) -> Passage {
        if self.has_due() { Passage::Foreign } else { Passage::Time }
    }

    /// Fires what is due and not late, and then what was held until after this deadline.
    #[cold]
    fn fire_with_faults(&mut self, deadline: u64) {
        let mut late = Vec::new();
        // What is held by what is due now counts the deadlines after this one.
        let waiting = std::mem::take(&mut self.held);
        if self.harms_hosts && !self.quiet {
            let due: Vec<Due> = std::iter::from_fn(|| self.timers.pop_due(deadline)).collect();
            self.harm_hosts(&due);
            due.into_iter().for_each(|due| self.fire_or_hold(due, &mut late));
        }
        while let Some(due) = self.timers.pop_due(deadline) {
            self.fire_or_hold(due, &mut late);
        }
        let fresh = std::mem::take(&mut self.held);
        for (left, held) in waiting {
            match left - 1 {
                0 => self.let_go(held),
                left => self.held.push((left, held)),
            }
        }
        self.held.extend(fresh);
        self.held.extend(late);
    }

    fn fire_or_hold(&mut self, due: Due, late: &mut Vec<(u8, Held)>) {
        match self.lateness(&due) {
            0 => self.fire(due),
            deadlines => late.push((deadlines, Held::Timer(due))),
        }
    }

    /// With no deadline left to wait for, what is held is late enough.
    #[cold]
    pub(super) fn release_held(&mut self) -> Passage {
        for (_, held) in std::mem::take(&mut self.held) {
            self.let_go(held);
        }
        self.moved()
    }

    pub(super) fn lateness(&mut self, due: &Due) -> u8 {
        if !self.holds_timers || self.quiet {
            return 0;
        }
        let can_hold = |task: &Slot| task.live && !self.is_down(task.host);
        let owner = due.task;
        let may_hold = self.tasks.get(TaskId::of(owner)).is_some_and(can_hold);
        if may_hold { self.ask_hold(owner.slot(), LATE) } else { 0 }
    }

    /// How many deadlines a task or its timer is held for; not asked where the plan leaves the host alone.
    pub(super) fn ask_hold(&mut self, slot: u32, label: Label) -> u8 {
        let host = self.tasks.peek(slot).host;
        match self.options_on(host, label, "") & HOLD {
            1 => 0,
            mask => self.choose_for(Some(slot), label, "", 8, Weights::Fault(mask)) as u8,
        }
    }

    /// The late timers, due and held back.
    pub(super) fn late_timers(&self) -> impl Iterator<Item = &Due> {
        self.held.iter().filter_map(|(_, held)| match held {
            Held::Timer(due) => Some(due),
            Held::Task { .. } => None,
        })
    }

    /// Whether timers fire at their deadlines, by clocks that are true, and nobody asks or is told about them.
    #[inline(always)]
    pub(crate) fn is_punctual(&self) -> bool {
        !self.drifts && self.held.is_empty() && self.frozen.is_none() && self.notes.is_none()
    }

    /// Whether a timer is due and held back.
    pub(crate) fn is_late(&self, key: TimerKey) -> bool {
        self.late_timers().any(|due| due.is(key))
    }

    fn late_timer(&mut self, key: TimerKey) -> Option<&mut Due> {
        self.held.iter_mut().find_map(|(_, held)| match held {
            Held::Timer(due) if due.is(key) => Some(due),
            Held::Timer(_) | Held::Task { .. } => None,
        })
    }

    /// The running task waits for a timer from now on: whom it woke before. Nothing, when it is gone.
    pub(crate) fn renew_timer(&mut self, key: TimerKey, owner: Owner, wakes: Wakes) -> Option<Wakes> {
        let late = if self.held.is_empty() { None } else { self.late_timer(key) };
        let due = match late {
            Some(due) => due,
            None => self.timers.get_mut(key)?,
        };
        Some(due.renew(owner, wakes))
    }

    /// Takes a timer out, also a late one; the foreign waker that it woke, to be dropped by the caller.
    #[inline]
    pub(crate) fn cancel_timer(&mut self, key: TimerKey) -> Option<Waker> {
        let due = if self.held.is_empty() { self.timers.cancel(key) } else { self.cancel_late(key) };
        match due?.wakes {
            Wakes::Owner => None,
            Wakes::Other => self.forget_waker(key),
        }
    }

    #[cold]
    fn cancel_late(&mut self, key: TimerKey) -> Option<Due> {
        let late = self.held.iter().position(|(_, held)| matches!(held, Held::Timer(due) if due.is(key)));
        match late.map(|index| self.held.remove(index)) {
            Some((_, Held::Timer(due))) => Some(due),
            Some((_, Held::Task { .. })) | None => self.timers.cancel(key),
        }
    }

    pub(super) fn let_go(&mut self, held: Held) {
        match held {
            Held::Task { slot, serial } => {
                let task = self.tasks.at(slot);
                let is_same = task.live && task.serial == serial;
                if is_same && !(self.hosts_out > 0 && self.park(slot, serial)) {
                    self.push_ready(slot, serial);
                }
            }
            Held::Timer(due) => self.fire(due),
        }
    }

    /// Own wakers enter the ready set here, in firing order; others are due.
    #[inline(always)]
    pub(super) fn fire(&mut self, due: Due) {
        let id = match due.wakes {
            Wakes::Owner => due.task,
            Wakes::Other => match self.fire_other(due.seq()) {
                Some(id) => id,
                None => return,
            },
        };
        let Some(serial) = self.tasks.queue(id) else { return };
        if self.plain {
            self.ready.push_within(id.slot(), serial);
            self.ready.settle();
        } else {
            self.enqueue(id.slot(), serial);
        }
    }

    /// Moves time to `to` without an event; for a limit that no deadline reaches.
    pub(crate) fn wait_until(&mut self, to: u64) {
        self.now = self.now.max(to);
    }

    /// Whether nothing can ever happen any more.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.ready.is_empty() && self.held.is_empty() && self.next_time().is_none()
    }

    /// Ends the fault phase: nothing is held back any more. Wakers that are not ours are for the caller to wake.
    pub(crate) fn begin_quiet(&mut self) {
        if self.quiet {
            return;
        }
        self.quiet = true;
        self.not_plain();
        if self.listens {
            self.notice(Notice::Quiet);
        }
        self.digests.event(3 << 62 ^ self.now);
        self.record_by(None, Kind::Quiet);
        self.heal_hosts();
        for (_, held) in std::mem::take(&mut self.held) {
            self.let_go(held);
        }
    }
}
