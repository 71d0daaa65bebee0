//! Timers: a heap with lazy deletion and compaction, ordered by (deadline, registration).
//!
//! It knows tasks by their ids alone, and no clock: it keeps wakers and hands back those whose deadline has come.

use super::tasks::TaskId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

/// A deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Dead entries that the heap may hold beyond as many as live ones.
const DEAD_SLACK: usize = 64;

/// A registered timer. Not reused: a key that was cancelled or has fired means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey {
    cell: u32,
    seq: u64,
}

/// Who waits for a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// `None` is no task.
    pub(crate) task: Option<TaskId>,
    /// Whether that task serves for ever.
    pub(crate) daemon: bool,
}

/// A timer that is due.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) waker: Waker,
    pub(crate) owner: Owner,
    seq: u64,
}

impl Due {
    /// Sets who waits; gives back the waker of before.
    pub(crate) fn renew(&mut self, owner: Owner, waker: Waker) -> Waker {
        self.owner = owner;
        std::mem::replace(&mut self.waker, waker)
    }

    /// Whether this is the timer with that key.
    pub(crate) fn is(&self, key: TimerKey) -> bool {
        self.seq == key.seq
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(u64, u64, u32)>>,
    cells: Vec<Cell>,
    free: Vec<u32>,
    live: usize,
    seq_next: u64,
}

#[derive(Debug)]
struct Cell {
    deadline: u64,
    registered: u64,
    due: Option<Due>,
}

impl Cell {
    fn due(&mut self, key: TimerKey) -> Option<&mut Due> {
        self.due.as_mut().filter(|due| due.is(key))
    }
}

impl Timers {
    /// Registers a timer at `now`.
    #[inline]
    pub(crate) fn insert(&mut self, now: u64, deadline: u64, owner: Owner, waker: Waker) -> TimerKey {
        let seq = self.seq_next;
        self.seq_next += 1;
        let due = Some(Due { waker, owner, seq });
        let cell = match self.free.pop() {
            Some(cell) => {
                let free = &mut self.cells[cell as usize];
                (free.deadline, free.registered, free.due) = (deadline, now, due);
                cell
            }
            None => {
                self.cells.push(Cell { deadline, registered: now, due });
                (self.cells.len() - 1) as u32
            }
        };
        self.live += 1;
        self.heap.push(Reverse((deadline, seq, cell)));
        TimerKey { cell, seq }
    }

    /// The timer with that key, while it waits.
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut Due> {
        self.cells.get_mut(key.cell as usize).and_then(|cell| cell.due(key))
    }

    /// Takes a timer out; its waker, to be dropped by the caller.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Waker> {
        let due = self.cells.get_mut(key.cell as usize)?.due.take_if(|due| due.is(key))?;
        self.free.push(key.cell);
        self.live -= 1;
        if self.heap.len() > 2 * self.live + DEAD_SLACK {
            self.compact();
        }
        Some(due.waker)
    }

    /// Whether the timer with that key waits.
    pub(crate) fn is_waiting(&self, key: TimerKey) -> bool {
        self.is_live(key.cell, key.seq)
    }

    /// The next deadline that comes.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        loop {
            let &Reverse((deadline, seq, cell)) = self.heap.peek()?;
            if self.is_live(cell, seq) {
                return (deadline != NEVER).then_some(deadline);
            }
            self.heap.pop();
        }
    }

    /// Takes the first timer that is due at `now`, in the order (deadline, registration).
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Due> {
        if self.next_deadline()? > now {
            return None;
        }
        let Reverse((_, _, cell)) = self.heap.pop()?;
        self.live -= 1;
        self.free.push(cell);
        self.cells[cell as usize].due.take()
    }

    /// Whether no timer waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The timers that wait: owner, registration and deadline of each.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Owner, u64, u64)> {
        let waiting = self.cells.iter().filter_map(|cell| cell.due.as_ref().map(|due| (due, cell)));
        waiting.map(|(due, cell)| (due.owner, cell.registered, cell.deadline))
    }

    fn is_live(&self, cell: u32, seq: u64) -> bool {
        self.cells[cell as usize].due.as_ref().is_some_and(|due| due.seq == seq)
    }

    #[cold]
    fn compact(&mut self) {
        let heap = std::mem::take(&mut self.heap);
        self.heap = heap.into_iter().filter(|&Reverse((_, seq, cell))| self.is_live(cell, seq)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(timers: &mut Timers, deadline: u64, slot: u32) -> TimerKey {
        let owner = Owner { task: Some(TaskId { slot, generation: 0 }), daemon: false };
        timers.insert(0, deadline, owner, Waker::noop().clone())
    }

    fn fire(timers: &mut Timers, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| timers.pop_due(now))
            .filter_map(|due| due.owner.task)
            .map(|task| task.slot)
            .collect()
    }

    #[test]
    fn equal_deadlines_fire_in_registration_order() {
        let mut timers = Timers::default();
        for (deadline, owner) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            insert(&mut timers, deadline, owner);
        }
        assert_eq!(fire(&mut timers, 2), [0u32; 0]);
        assert_eq!(fire(&mut timers, 5), [2, 4, 1, 3]);
    }

    #[test]
    fn cancelled_timers_neither_fire_nor_hold_time() {
        let mut timers = Timers::default();
        let first = insert(&mut timers, 1, 1);
        insert(&mut timers, 2, 2);
        assert!(timers.cancel(first).is_some());
        assert!(timers.cancel(first).is_none());
        insert(&mut timers, 4, 3);
        assert!(timers.cancel(first).is_none(), "a reused cell does not revive an old key");
        assert_eq!(timers.next_deadline(), Some(2));
        assert_eq!(fire(&mut timers, 9), [2, 3]);
    }

    #[test]
    fn a_deadline_at_the_maximum_is_no_timer() {
        let mut timers = Timers::default();
        insert(&mut timers, NEVER, 1);
        assert_eq!(timers.next_deadline(), None);
    }

    #[test]
    fn cancelled_timers_do_not_pile_up() {
        let mut timers = Timers::default();
        insert(&mut timers, 1_000_000, 0);
        for round in 0..10_000 {
            let key = insert(&mut timers, 500_000 + round, 1);
            timers.cancel(key);
        }
        assert!(timers.heap.len() <= 2 + DEAD_SLACK + 1, "{} entries", timers.heap.len());
        assert_eq!(timers.cells.len(), 2);
    }
}
