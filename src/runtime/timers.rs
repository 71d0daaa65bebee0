//! Timers: the first of them, and a heap of the others with lazy deletion and compaction, ordered by (deadline,
//! registration). Where few wait, as in most simulations, nothing goes through the heap.
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

#[derive(Debug)]
pub(crate) struct Timers {
    /// One that waits, and is before all of the heap. There may be none while the heap has some.
    first: Option<Entry>,
    heap: BinaryHeap<Reverse<Entry>>,
    cells: Vec<Cell>,
    /// The cell that became free last: the free ones are a stack.
    free: u32,
    live: u32,
    seq_next: u64,
}

/// A timer in its order, and where it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    deadline: u64,
    seq: u64,
    cell: u32,
}

#[derive(Debug)]
enum Cell {
    Free {
        /// The free cell below this one.
        next: u32,
    },
    Waits {
        deadline: u64,
        registered: u64,
        due: Due,
    },
}

/// No cell: it is beyond them all.
const NONE: u32 = u32::MAX;

impl Timers {
    /// No timers.
    pub(crate) fn new() -> Timers {
        Timers { first: None, heap: BinaryHeap::new(), cells: Vec::new(), free: NONE, live: 0, seq_next: 0 }
    }

    /// Registers a timer at `now`.
    #[inline(always)]
    pub(crate) fn insert(&mut self, now: u64, deadline: u64, owner: Owner, waker: Waker) -> TimerKey {
        let seq = self.seq_next;
        self.seq_next += 1;
        let waits = Cell::Waits { deadline, registered: now, due: Due { waker, owner, seq } };
        let cell = match self.cells.get_mut(self.free as usize) {
            Some(free) => {
                let cell = self.free;
                if let Cell::Free { next } = std::mem::replace(free, waits) {
                    self.free = next;
                }
                cell
            }
            None => self.grow(waits),
        };
        self.live += 1;
        self.place(deadline, seq, cell);
        TimerKey { cell, seq }
    }

    #[cold]
    fn grow(&mut self, cell: Cell) -> u32 {
        self.cells.push(cell);
        (self.cells.len() - 1) as u32
    }

    /// Puts the entry that was registered last in its place. Its parts are handed on in registers: what was just written
    /// to the stack in parts and is read from there as a whole keeps the processor waiting.
    #[inline(always)]
    fn place(&mut self, deadline: u64, seq: u64, cell: u32) {
        if self.first.is_none() && self.heap.is_empty() {
            self.first = Some(Entry { deadline, seq, cell });
        } else {
            self.place_among(deadline, seq, cell);
        }
    }

    #[inline(never)]
    fn place_among(&mut self, deadline: u64, seq: u64, cell: u32) {
        let entry = Entry { deadline, seq, cell };
        let next = self.first.or_else(|| self.heap.peek().map(|Reverse(next)| *next));
        if next.is_some_and(|next| next.deadline <= entry.deadline) {
            self.heap.push(Reverse(entry));
        } else if let Some(second) = self.first.replace(entry) {
            self.heap.push(Reverse(second));
        }
    }

    /// The timer with that key, while it waits.
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut Due> {
        match self.cells.get_mut(key.cell as usize)? {
            Cell::Waits { due, .. } if due.is(key) => Some(due),
            Cell::Waits { .. } | Cell::Free { .. } => None,
        }
    }

    /// Frees a cell that waits; what it held.
    #[inline]
    fn take(&mut self, cell: u32) -> Option<Due> {
        match std::mem::replace(self.cells.get_mut(cell as usize)?, Cell::Free { next: self.free }) {
            Cell::Waits { due, .. } => {
                self.free = cell;
                self.live -= 1;
                Some(due)
            }
            Cell::Free { .. } => unreachable!("only a cell that waits is taken"),
        }
    }

    /// Takes a timer out; its waker, to be dropped by the caller.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Waker> {
        if !self.is_waiting(key) {
            return None;
        }
        let due = self.take(key.cell)?;
        if self.first.is_some_and(|first| first.seq == key.seq) {
            self.first = None;
        } else if self.heap.len() > 2 * self.live as usize + DEAD_SLACK {
            self.compact();
        }
        Some(due.waker)
    }

    /// Whether the timer with that key waits.
    pub(crate) fn is_waiting(&self, key: TimerKey) -> bool {
        self.is_live(key.cell, key.seq)
    }

    /// The next deadline that comes.
    #[inline]
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        if self.first.is_none() && !self.heap.is_empty() {
            self.find_first();
        }
        self.first.map(|first| first.deadline).filter(|&deadline| deadline != NEVER)
    }

    #[inline(never)]
    fn find_first(&mut self) {
        while self.first.is_none() {
            let Some(Reverse(entry)) = self.heap.pop() else { return };
            self.first = Some(entry).filter(|entry| self.is_live(entry.cell, entry.seq));
        }
    }

    /// Takes the first timer that is due at `now`, in the order (deadline, registration).
    #[inline]
    pub(crate) fn pop_due(&mut self, now: u64) -> Option<Due> {
        if self.next_deadline()? > now {
            return None;
        }
        let first = self.first.take()?;
        self.take(first.cell)
    }

    /// Whether no timer waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The timers that wait: owner, registration and deadline of each.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Owner, u64, u64)> {
        self.cells.iter().filter_map(|cell| match cell {
            Cell::Waits { deadline, registered, due } => Some((due.owner, *registered, *deadline)),
            Cell::Free { .. } => None,
        })
    }

    fn is_live(&self, cell: u32, seq: u64) -> bool {
        matches!(self.cells.get(cell as usize), Some(Cell::Waits { due, .. }) if due.seq == seq)
    }

    #[cold]
    fn compact(&mut self) {
        let heap = std::mem::take(&mut self.heap);
        self.heap = heap.into_iter().filter(|Reverse(entry)| self.is_live(entry.cell, entry.seq)).collect();
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
        let mut timers = Timers::new();
        for (deadline, owner) in [(5, 1), (3, 2), (5, 3), (3, 4)] {
            insert(&mut timers, deadline, owner);
        }
        assert_eq!(fire(&mut timers, 2), [0u32; 0]);
        assert_eq!(fire(&mut timers, 5), [2, 4, 1, 3]);
    }

    #[test]
    fn cancelled_timers_neither_fire_nor_hold_time() {
        let mut timers = Timers::new();
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
        let mut timers = Timers::new();
        insert(&mut timers, NEVER, 1);
        assert_eq!(timers.next_deadline(), None);
    }

    /// Numbers that look random: SplitMix64.
    fn numbers(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |below| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let word = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (word ^ (word >> 31)) % below
        }
    }

    #[test]
    fn timers_fire_as_from_a_sorted_list() {
        for seed in 0..500 {
            let mut number = numbers(seed);
            let mut timers = Timers::new();
            // Deadline, registration, key: ascending is the order in which they fire.
            let mut list: Vec<(u64, u32, TimerKey)> = Vec::new();
            let mut now = 0;
            for nth in 0..60 {
                match number(5) {
                    0..=2 => {
                        let deadline = if number(20) == 0 { NEVER } else { now + number(8) };
                        list.push((deadline, nth, insert(&mut timers, deadline, nth)));
                        list.sort_by_key(|&(deadline, nth, _)| (deadline, nth));
                    }
                    3 if !list.is_empty() => {
                        let (_, _, key) = list.remove(number(list.len() as u64) as usize);
                        assert!(timers.cancel(key).is_some() && timers.cancel(key).is_none());
                    }
                    _ => {
                        now += number(6);
                        let due = list.iter().take_while(|(deadline, _, _)| *deadline <= now).count();
                        let due: Vec<u32> = list.drain(..due).map(|(_, nth, _)| nth).collect();
                        assert_eq!(fire(&mut timers, now), due, "seed {seed}, at {now}");
                    }
                }
                // To look is to move: it is not always done.
                if number(2) == 0 {
                    continue;
                }
                let next = list.first().map(|(deadline, _, _)| *deadline).filter(|&next| next != NEVER);
                assert_eq!(timers.next_deadline(), next, "seed {seed}, at {now}");
                assert_eq!(timers.is_empty(), list.is_empty());
                assert_eq!(timers.waiting().count(), list.len());
            }
        }
    }

    #[test]
    fn cancelled_timers_do_not_pile_up() {
        let mut timers = Timers::new();
        insert(&mut timers, 1_000_000, 0);
        for round in 0..10_000 {
            let key = insert(&mut timers, 500_000 + round, 1);
            timers.cancel(key);
        }
        assert!(timers.heap.len() <= 2 + DEAD_SLACK + 1, "{} entries", timers.heap.len());
        assert_eq!(timers.cells.len(), 2);
    }
}
