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

/// The ready tasks. Those that became ready since the last pick stand last, and are put in order before the next: the
/// order in which they were spawned, but that a task which made itself ready, as one does that yields, comes last.
#[derive(Debug, Default)]
pub struct Ready {
    entries: Vec<Entry>,
    /// How many entries are in order.
    settled: usize,
    seq_next: u64,
    /// The serial of the task that had the last turn, where it made itself ready in it.
    yielded: Option<u32>,
}

impl Ready {
    /// An empty set in the memory of another.
    pub(crate) fn in_memory(entries: Vec<Entry>) -> Ready {
        Ready { entries, ..Ready::default() }
    }

    /// Its memory.
    pub(crate) fn into_memory(self) -> Vec<Entry> {
        self.entries
    }

    /// Adds a task as the youngest.
    #[inline]
    pub fn push(&mut self, slot: u32, serial: u32) {
        self.entries.push(Entry { slot, serial, seq: self.seq_next });
        self.seq_next += 1;
    }

    /// As [`Ready::push`], where [`Ready::make_room`] made room.
    ///
    /// # Panics
    /// When there is none. To grow here would cost every wake the saving of registers.
    #[inline]
    pub(crate) fn push_within(&mut self, slot: u32, serial: u32) {
        assert!(self.entries.len() < self.entries.capacity(), "there is room for every task");
        self.push(slot, serial);
    }

    /// Makes room for this many entries in all.
    #[cold]
    pub(crate) fn make_room(&mut self, entries: usize) {
        self.entries.reserve(entries.saturating_sub(self.entries.len()));
    }

    /// The task that has its turn made itself ready in it.
    #[inline]
    pub fn yields(&mut self, serial: u32) {
        self.yielded = Some(serial);
    }

    /// The entries that came since the last [`Ready::settle`].
    #[inline]
    pub fn fresh(&self) -> &[Entry] {
        &self.entries[self.settled..]
    }

    /// How many they are.
    #[inline]
    pub(crate) fn fresh_count(&self) -> usize {
        self.entries.len() - self.settled
    }

    /// Takes the fresh entries out, in their order.
    pub fn take_fresh(&mut self) -> Vec<Entry> {
        let mut fresh = self.entries.split_off(self.settled);
        sort(&mut fresh, self.yielded);
        fresh
    }

    /// Gives the fresh entries the ages of their order.
    pub fn sort_fresh(&mut self) {
        let fresh = &mut self.entries[self.settled..];
        sort(fresh, self.yielded);
        for (entry, seq) in fresh.iter_mut().rev().zip((0..self.seq_next).rev()) {
            entry.seq = seq;
        }
    }

    /// All entries stand as they are.
    #[inline]
    pub fn settle(&mut self) {
        self.settled = self.entries.len();
    }

    /// Forgets the entry of a task.
    pub fn forget(&mut self, slot: u32) {
        if let Some(index) = self.entries.iter().position(|entry| entry.slot == slot) {
            self.entries.remove(index);
            self.settled -= usize::from(index < self.settled);
        }
    }

    /// Takes the task at `index` out.
    ///
    /// # Panics
    /// When there is no such index.
    #[inline]
    pub fn take(&mut self, index: usize) -> Entry {
        let entry = self.entries.swap_remove(index);
        self.settled = self.entries.len();
        self.yielded = None;
        entry
    }

    /// Takes the only task out; its slot and serial. They were stored one by one a moment ago: to load the entry as one
    /// word would wait for the stores.
    #[inline]
    pub(crate) fn take_only(&mut self) -> (u32, u32) {
        let (slot, serial) = (self.entries[0].slot, self.entries[0].serial);
        self.clear();
        self.yielded = None;
        (slot, serial)
    }

    /// Takes out the entries that `wanted` names: the oldest first, and then the fresh ones in their order.
    pub fn extract(&mut self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut taken_fresh: Vec<Entry> = self.fresh().iter().copied().filter(&wanted).collect();
        let mut taken: Vec<Entry> = self.entries[..self.settled].iter().copied().filter(&wanted).collect();
        taken.sort_unstable_by_key(|entry| entry.seq);
        sort(&mut taken_fresh, self.yielded);
        self.settled -= taken.len();
        taken.append(&mut taken_fresh);
        self.entries.retain(|entry| !wanted(entry));
        taken
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.settled = 0;
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

/// Puts fresh entries in order.
fn sort(fresh: &mut [Entry], yielded: Option<u32>) {
    fresh.sort_unstable_by_key(|entry| (Some(entry.serial) == yielded, entry.serial));
}
