//! Timers: the first of them, and a heap of the others with lazy deletion and compaction, ordered by (deadline,
//! registration). Where few wait, as in most simulations, nothing goes through the heap.
//!
//! It knows tasks by their ids alone, no wakers and no clock: it hands back those whose deadline has come.

use super::waker::WakeId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Dead entries that the heap may hold beyond as many as live ones.
const DEAD_SLACK: usize = 64;

/// A registered timer. Not reused: a key that was cancelled or has fired means nothing. Packed, as every sleep has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(Rust, packed(4))]
pub(crate) struct TimerKey {
    cell: u32,
    seq: u64,
}

impl TimerKey {
    /// The number of the registration: no two timers of a world share it.
    #[inline]
    pub(crate) fn seq(self) -> u64 {
        self.seq
    }
}

/// Who waits for a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Or [`WakeId::NOBODY`].
    pub(crate) task: WakeId,
    /// Whether that task serves for ever.
    pub(crate) daemon: bool,
}

/// Whom a timer wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wakes {
    /// Who waits for it.
    Owner,
    /// Whom the waker wakes that the world keeps under the timer's number.
    Other,
}

/// A timer that waits, or is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    seq: u64,
    /// When it was registered.
    registered: u64,
    /// The owner's task.
    pub(crate) task: WakeId,
    daemon: bool,
    pub(crate) wakes: Wakes,
}

impl Due {
    #[inline(always)]
    fn new(seq: u64, registered: u64, owner: Owner, wakes: Wakes) -> Due {
        Due { seq, registered, task: owner.task, daemon: owner.daemon, wakes }
    }

    /// Sets who waits and who is woken; whom it woke before.
    pub(crate) fn renew(&mut self, owner: Owner, wakes: Wakes) -> Wakes {
        let before = self.wakes;
        *self = Due::new(self.seq, self.registered, owner, wakes);
        before
    }

    /// Who waits.
    pub(crate) fn owner(&self) -> Owner {
        Owner { task: self.task, daemon: self.daemon }
    }

    /// Whether this is the timer with that key.
    pub(crate) fn is(&self, key: TimerKey) -> bool {
        self.seq == key.seq
    }

    /// Its number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
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

#[derive(Clone, Copy, Debug)]
enum Cell {
    Free {
        /// The free cell below this one.
        next: u32,
    },
    Waits(Due),
}

/// No cell: it is beyond them all.
const NONE: u32 = u32::MAX;

impl Timers {
    /// No timers.
    pub(crate) fn new() -> Timers {
        Timers { first: None, heap: BinaryHeap::new(), cells: Vec::new(), free: NONE, live: 0, seq_next: 0 }
    }

    /// Registers a timer at `now`.
    pub(crate) fn insert(&mut self, now: u64, deadline: u64, owner: Owner, wakes: Wakes) -> TimerKey {
        let key = loop {
            match self.register(now, owner, wakes) {
                Some(key) => break key,
                None => self.grow(),
            }
        };
        self.place(deadline, key);
        key
    }

    /// The first half of [`Timers::insert`], if a cell is free. Who stores the key before [`Timers::place`] has few values to
    /// keep across that.
    #[inline(always)]
    pub(crate) fn register(&mut self, now: u64, owner: Owner, wakes: Wakes) -> Option<TimerKey> {
        let (cell, seq) = (self.free, self.seq_next);
        let place = self.cells.get_mut(cell as usize)?;
        if let Cell::Free { next } = *place {
            self.free = next;
        }
        *place = Cell::Waits(Due::new(seq, now, owner, wakes));
        self.seq_next += 1;
        self.live += 1;
        Some(TimerKey { cell, seq })
    }

    #[cold]
    fn grow(&mut self) {
        self.free = self.cells.len() as u32;
        self.cells.push(Cell::Free { next: NONE });
    }

    /// Puts the timer that was registered last in its place in the order. Its parts are handed on in registers: what was
    /// just written to the stack in parts and is read from there as a whole keeps the processor waiting.
    #[inline(always)]
    pub(crate) fn place(&mut self, deadline: u64, TimerKey { cell, seq }: TimerKey) {
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
            Cell::Waits(due) if due.is(key) => Some(due),
            Cell::Waits(_) | Cell::Free { .. } => None,
        }
    }

    /// Frees a cell that waits; what it held.
    #[inline(always)]
    fn take(&mut self, cell: u32) -> Option<Due> {
        let place = self.cells.get_mut(cell as usize)?;
        let Cell::Waits(due) = *place else { unreachable!("only a cell that waits is taken") };
        *place = Cell::Free { next: self.free };
        self.free = cell;
        self.live -= 1;
        Some(due)
    }

    /// Takes a timer out, if it waits.
    #[inline]
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<Due> {
        // Both, as a key may be of a world that is gone.
        if self.first.is_some_and(|first| first.seq == key.seq && first.cell == key.cell) {
            self.first = None;
            return self.take(key.cell);
        }
        self.cancel_among(key)
    }

    #[inline(never)]
    fn cancel_among(&mut self, key: TimerKey) -> Option<Due> {
        if !self.is_waiting(key) {
            return None;
        }
        let due = self.take(key.cell);
        if self.heap.len() > 2 * self.live as usize + DEAD_SLACK {
            self.compact();
        }
        due
    }

    /// Whether the timer with that key waits.
    pub(crate) fn is_waiting(&self, key: TimerKey) -> bool {
        self.is_live(key.cell, key.seq)
    }

    /// Whether the timer with that key waits and wakes its owner, who is this one.
    pub(crate) fn wakes(&self, key: TimerKey, owner: Owner) -> bool {
        self.live(key.cell, key.seq).is_some_and(|due| due.wakes == Wakes::Owner && due.owner() == owner)
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

    /// Who waits.
    pub(crate) fn owners(&self) -> impl Iterator<Item = Owner> {
        self.waiting().map(|(_, due)| due.owner())
    }

    /// How long those timers were set for that wait and end.
    pub(crate) fn spans(&self) -> impl Iterator<Item = u64> {
        let ending = self.waiting().filter(|(entry, _)| entry.deadline != NEVER);
        ending.map(|(entry, due)| entry.deadline - due.registered)
    }

    /// The timers that wait, in no meaningful order.
    fn waiting(&self) -> impl Iterator<Item = (&Entry, &Due)> {
        let entries = self.first.iter().chain(self.heap.iter().map(|Reverse(entry)| entry));
        entries.filter_map(|entry| Some((entry, self.live(entry.cell, entry.seq)?)))
    }

    fn live(&self, cell: u32, seq: u64) -> Option<&Due> {
        match self.cells.get(cell as usize)? {
            Cell::Waits(due) if due.seq == seq => Some(due),
            Cell::Waits(_) | Cell::Free { .. } => None,
        }
    }

    fn is_live(&self, cell: u32, seq: u64) -> bool {
        self.live(cell, seq).is_some()
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
        let owner = Owner { task: WakeId::new(0, 0, slot), daemon: false };
        timers.insert(0, deadline, owner, Wakes::Owner)
    }

    fn fire(timers: &mut Timers, now: u64) -> Vec<u32> {
        std::iter::from_fn(|| timers.pop_due(now)).map(|due| due.task.slot()).collect()
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
    fn a_key_of_another_world_cancels_nothing() {
        let mut others = Timers::new();
        insert(&mut others, 5, 1);
        let stale = insert(&mut others, 5, 2);
        let mut timers = Timers::new();
        let first = insert(&mut timers, 5, 1);
        timers.cancel(first);
        // The number of the stale key, in another cell.
        insert(&mut timers, 7, 3);
        insert(&mut timers, 8, 4);
        assert!(timers.cancel(stale).is_none());
        assert_eq!((fire(&mut timers, 9), timers.is_empty()), (vec![3, 4], true));
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
