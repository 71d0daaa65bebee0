//! What is to be added later: a heap of (deadline, order of registration), and an index by key. Pure data, without
//! a clock; separate from the queues that wait for the deadlines.

use super::Item;
use crate::time::Instant;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Outdated heads that the heap may hold beside as many as there are live ones.
const OUTDATED_MAX: usize = 64;

/// Which of two times stands when a key is deferred already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// The earlier one; of two equal ones the first.
    Earlier,
    /// The new one.
    Always,
    /// The later one: a planted bug.
    #[doc(hidden)]
    Later,
}

/// Deferred items, one per key. The item of the first deferral is kept when the time changes.
#[derive(Clone, Debug)]
pub struct Deferrals<T: Item> {
    /// An entry counts only while the index agrees with it; its head always does.
    heap: BinaryHeap<Reverse<(Instant, u64, T::Key)>>,
    index: BTreeMap<T::Key, Pending<T>>,
    order_next: u64,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    until: Instant,
    order: u64,
    item: T,
}

impl<T: Item> Deferrals<T> {
    /// None.
    pub fn new() -> Self {
        Deferrals { heap: BinaryHeap::new(), index: BTreeMap::new(), order_next: 0 }
    }

    /// Defers an item; false when a deferral of its key stands instead.
    pub fn defer(&mut self, item: T, until: Instant, replace: Replace) -> bool {
        let order = self.order_next;
        let key = item.key();
        match self.index.get_mut(&key) {
            Some(pending) => {
                let takes_over = match replace {
                    Replace::Earlier => until < pending.until,
                    Replace::Always => true,
                    Replace::Later => until > pending.until,
                };
                if !takes_over {
                    return false;
                }
                (pending.until, pending.order) = (until, order);
            }
            None => {
                self.index.insert(key.clone(), Pending { until, order, item });
            }
        }
        self.order_next += 1;
        self.heap.push(Reverse((until, order, key)));
        self.settle();
        true
    }

    /// Takes out the first item whose time has come by `now`: earliest first, then in order of registration.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        let Reverse((_, _, key)) = self.heap.pop()?;
        let item = self.index.remove(&key)?.item;
        self.settle();
        Some(item)
    }

    /// Takes the deferral of a key out.
    pub fn cancel(&mut self, key: &T::Key) -> Option<T> {
        let pending = self.index.remove(key)?;
        self.settle();
        Some(pending.item)
    }

    /// Takes all out, in the order of keys.
    pub fn clear(&mut self) -> Vec<T> {
        self.heap.clear();
        std::mem::take(&mut self.index).into_values().map(|pending| pending.item).collect()
    }

    /// The earliest time.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((until, _, _))| *until)
    }

    /// When the item of a key is due.
    pub fn until(&self, key: &T::Key) -> Option<Instant> {
        self.index.get(key).map(|pending| pending.until)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Drops outdated heads; and all outdated entries once they are many, so that memory follows what is deferred.
    fn settle(&mut self) {
        let index = &self.index;
        let is_live = |(_, order, key): &(Instant, u64, T::Key)| {
            index.get(key).is_some_and(|pending| pending.order == *order)
        };
        if self.heap.len() == index.len() {
            return;
        }
        while self.heap.peek().is_some_and(|Reverse(head)| !is_live(head)) {
            self.heap.pop();
        }
        if self.heap.len() > 2 * index.len() + OUTDATED_MAX {
            self.heap.retain(|Reverse(entry)| is_live(entry));
        }
    }
}

impl<T: Item> Default for Deferrals<T> {
    fn default() -> Self {
        Deferrals::new()
    }
}
