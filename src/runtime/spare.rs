//! Memory that one world leaves to the next of its thread: most worlds are small, and asking for memory is much of what
//! they cost. Nothing of a world is in it.

use super::hosts::Machine;
use super::tasks::Slot;
use crate::choice::Entry;

/// Elements that a vector may have room for and still be kept: a thread does not hold the memory of its largest world.
const ROOM_MAX: usize = 64;

/// Empty vectors.
pub(crate) struct Spare {
    pub(crate) slots: Vec<Slot>,
    pub(crate) ready: Vec<Entry>,
    pub(crate) hosts: Vec<Machine>,
}

impl Spare {
    pub(crate) const fn new() -> Spare {
        Spare { slots: Vec::new(), ready: Vec::new(), hosts: Vec::new() }
    }

    /// The memory of these vectors; what they hold, which may be a user's, is dropped.
    pub(crate) fn of(slots: Vec<Slot>, ready: Vec<Entry>, hosts: Vec<Machine>) -> Spare {
        Spare { slots: emptied(slots), ready: emptied(ready), hosts: emptied(hosts) }
    }
}

fn emptied<T>(mut all: Vec<T>) -> Vec<T> {
    if all.capacity() > ROOM_MAX {
        return Vec::new();
    }
    all.clear();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_is_kept_and_much_is_given_back() {
        let entry = |slot| Entry { slot, serial: slot, seq: 0 };
        let kept = emptied((0..60).map(entry).collect());
        assert!(kept.is_empty() && kept.capacity() >= 60);
        assert_eq!(emptied((0..65).map(entry).collect()).capacity(), 0);
    }
}
