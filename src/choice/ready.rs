//! The ready set: tasks that can be polled, each with the sequence number that tells its age.
//!
//! A plain vector: a pick is a `swap_remove`, so the layout depends on the picks alone and is the same in a
//! sweep, a recording and a replay.

/// A task that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The task's slot.
    pub slot: u32,
    /// The task's spawn serial, counted from 0 in each run.
    pub serial: u32,
    /// Grows with every entry: the smallest is the oldest.
    pub seq: u64,
}

/// The ready tasks.
#[derive(Debug, Default)]
pub struct Ready {
    entries: Vec<Entry>,
    seq_next: u64,
}

impl Ready {
    /// Adds a task as the youngest.
    #[inline]
    pub fn push(&mut self, slot: u32, serial: u32) {
        self.entries.push(Entry { slot, serial, seq: self.seq_next });
        self.seq_next += 1;
    }

    /// Takes the task at `index` out.
    ///
    /// # Panics
    /// When there is no such index.
    #[inline]
    pub fn take(&mut self, index: usize) -> Entry {
        self.entries.swap_remove(index)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many are ready.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in no meaningful order.
    #[inline]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The index of the oldest entry.
    ///
    /// # Panics
    /// When nothing is ready.
    pub fn oldest(&self) -> usize {
        let (index, _) = self
            .entries
            .iter()
            .enumerate()
            .min_by_key(|(_, entry)| entry.seq)
            .expect("the ready set is not empty");
        index
    }

    /// The index of the entry that `rank` others are older than.
    ///
    /// # Panics
    /// When `rank` is not below the length.
    pub fn nth_oldest(&self, rank: usize) -> usize {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_unstable_by_key(|&index| self.entries[index].seq);
        order[rank]
    }

    /// How many entries are older than the one at `index`.
    pub fn rank(&self, index: usize) -> usize {
        let seq = self.entries[index].seq;
        self.entries.iter().filter(|entry| entry.seq < seq).count()
    }
}
