//! The state of a store: entries, one index for all of them, and enough of the past to read it and to watch it.
//!
//! Pure and total: it knows no task, no clock, no watch and no fault. A transaction is one step of the index.

use super::entry::{Entry, Key};
use super::error::StoreError;
use super::ledger::{Book, Written};
use super::transaction::Op;
use crate::time::Instant;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Changes that are kept, unless the store is told otherwise.
pub const HISTORY_MAX: usize = 4096;

type Entries = BTreeMap<Key, Arc<Entry>>;

/// Who writes, and when.
#[derive(Clone, Debug)]
pub(super) struct Pen {
    pub(super) writer: Arc<str>,
    pub(super) at: Instant,
}

/// One entry's change, as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The index of the transaction.
    pub index: u64,
    /// The entry before; `None` when it was created.
    pub before: Option<Arc<Entry>>,
    /// The entry after; `None` when it was deleted.
    pub after: Option<Arc<Entry>>,
    /// Who wrote.
    pub writer: Arc<str>,
    /// When.
    pub at: Instant,
}

impl Write {
    /// Which entry.
    pub fn key(&self) -> &Key {
        let entry = self.after.as_ref().or(self.before.as_ref());
        &entry.expect("a change is from or to an entry").key
    }
}

/// The whole store as it was at an index.
#[derive(Clone, Debug)]
pub struct Snapshot {
    index: u64,
    entries: Arc<Entries>,
}

impl Snapshot {
    /// The index that it was taken at.
    pub fn index(&self) -> u64 {
        self.index
    }
}

/// All of the store that is not about who calls or watches.
#[derive(Debug)]
pub(super) struct State {
    entries: Entries,
    index: u64,
    /// The oldest index that can be read: the log holds all changes after it.
    oldest: u64,
    log: VecDeque<Write>,
    pub(super) history_max: usize,
    pub(super) book: Book,
}

impl Default for State {
    fn default() -> State {
        State {
            entries: Entries::new(),
            index: 0,
            oldest: 0,
            log: VecDeque::new(),
            history_max: HISTORY_MAX,
            book: Book::default(),
        }
    }
}

impl State {
    /// Commits the operations at one new index, or none of them; how many changes that made. What changes nothing,
    /// such as checks alone, leaves the index where it is.
    pub(super) fn commit(&mut self, ops: &[Op], pen: &Pen) -> Result<usize, StoreError> {
        let mut changes = 0;
        for op in ops {
            match self.apply(op, pen) {
                Ok(changed) => changes += usize::from(changed),
                Err(error) => {
                    self.undo(changes);
                    return Err(error);
                }
            }
        }
        self.index += u64::from(changes > 0);
        self.note(changes);
        Ok(changes)
    }

    /// Applies one operation at the index that the transaction will have; whether it changed anything.
    fn apply(&mut self, op: &Op, pen: &Pen) -> Result<bool, StoreError> {
        let found = self.entries.get(op.key()).map(|entry| entry.version);
        match op {
            Op::Create { key, value } => match found {
                Some(version) => return Err(StoreError::AlreadyExists { key: key.clone(), version }),
                None => self.write(key, value, pen),
            },
            Op::Put { key, value } => self.write(key, value, pen),
            Op::Update { key, version, value } => {
                agree(key, *version, found)?;
                self.write(key, value, pen);
            }
            Op::Delete { key, version } => {
                match (version, found) {
                    (Some(version), found) => agree(key, *version, found)?,
                    (None, None) => return Err(StoreError::NotFound { key: key.clone() }),
                    (None, Some(_)) => {}
                }
                self.remove(key, pen);
            }
            Op::Check { key, version: Some(version) } => {
                agree(key, *version, found)?;
                return Ok(false);
            }
            Op::Check { key, version: None } => {
                return match found {
                    Some(version) => Err(StoreError::AlreadyExists { key: key.clone(), version }),
                    None => Ok(false),
                };
            }
        }
        Ok(true)
    }

    fn write(&mut self, key: &Key, value: &Arc<Value>, pen: &Pen) {
        let index = self.index + 1;
        let (slot, before) = match self.entries.get_mut(key) {
            Some(slot) => {
                let before = slot.clone();
                (Some(slot), Some(before))
            }
            None => (None, None),
        };
        // The key of the entry before is shared, so that names are kept once.
        let key = before.as_ref().map_or(key, |before| &before.key).clone();
        let created = before.as_ref().map_or(index, |before| before.created);
        let (value, writer, at) = (value.clone(), pen.writer.clone(), pen.at);
        let after = Arc::new(Entry { key, value, version: index, created, writer, at });
        match slot {
            Some(slot) => *slot = after.clone(),
            None => {
                self.entries.insert(after.key.clone(), after.clone());
            }
        }
        self.keep(before, Some(after), pen);
    }

    fn remove(&mut self, key: &Key, pen: &Pen) {
        let before = self.entries.remove(key);
        self.keep(before, None, pen);
    }

    fn keep(&mut self, before: Option<Arc<Entry>>, after: Option<Arc<Entry>>, pen: &Pen) {
        let (index, writer) = (self.index + 1, pen.writer.clone());
        self.log.push_back(Write { index, before, after, writer, at: pen.at });
    }

    /// Takes back the last changes, of a transaction that is not committed.
    fn undo(&mut self, changes: usize) {
        for _ in 0..changes {
            let Some(write) = self.log.pop_back() else { return };
            step_back(&mut self.entries, &write);
        }
    }

    /// Enters the last changes in the book, which never forgets.
    fn note(&mut self, changes: usize) {
        for write in self.log.range(self.log.len() - changes..) {
            self.book.note(write);
        }
    }

    /// Keeps the log at its bound. A transaction is forgotten whole.
    pub(super) fn forget_oldest(&mut self) {
        while self.log.len() > self.history_max {
            let index = self.log[0].index;
            self.compact(index).expect("the index of a change has been reached");
        }
    }

    /// Forgets the past before index `to`: it is the oldest that can be read from now on.
    pub(super) fn compact(&mut self, to: u64) -> Result<(), StoreError> {
        if to > self.index {
            return Err(StoreError::Ahead { asked: to, index: self.index });
        }
        while self.log.front().is_some_and(|write| write.index <= to) {
            self.log.pop_front();
        }
        self.oldest = self.oldest.max(to);
        Ok(())
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { index: self.index, entries: Arc::new(self.entries.clone()) }
    }

    /// Makes the store what it was, index included. What was before is forgotten.
    pub(super) fn restore(&mut self, snapshot: &Snapshot, pen: &Pen) {
        let lost = self.entries.keys().filter(|key| !snapshot.entries.contains_key(*key));
        let by = Written { writer: pen.writer.clone(), at: pen.at, index: snapshot.index };
        for key in lost {
            self.book.lose(key, &by);
        }
        self.entries = (*snapshot.entries).clone();
        (self.index, self.oldest) = (snapshot.index, snapshot.index);
        self.log.clear();
    }

    pub(super) fn index(&self) -> u64 {
        self.index
    }

    /// The oldest index that can be read.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// The entry as it was at an index.
    pub(super) fn get_at(&self, key: &Key, index: u64) -> Result<Option<&Arc<Entry>>, StoreError> {
        let mut later = self.since(index)?;
        match later.find(|write| write.key() == key) {
            Some(write) => Ok(write.before.as_ref()),
            None => Ok(self.entries.get(key)),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    /// The entries of a kind, in the order of their names.
    pub(super) fn list<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Arc<Entry>> {
        let range = self.entries.range(Key::new(kind, "")..);
        range.map(|(_, entry)| entry).take_while(move |entry| *entry.key.kind == *kind)
    }

    /// The entries of a kind as they were at an index.
    pub(super) fn list_at(&self, kind: &str, index: u64) -> Result<Vec<Arc<Entry>>, StoreError> {
        let later = self.since(index)?;
        if later.len() == 0 {
            return Ok(self.list(kind).cloned().collect());
        }
        let mut entries: Entries = self.list(kind).map(|entry| (entry.key.clone(), entry.clone())).collect();
        for write in later.rev().filter(|write| *write.key().kind == *kind) {
            step_back(&mut entries, write);
        }
        Ok(entries.into_values().collect())
    }

    /// The changes after an index, oldest first.
    pub(super) fn since(
        &self,
        index: u64,
    ) -> Result<impl DoubleEndedIterator<Item = &Write> + ExactSizeIterator, StoreError> {
        if index < self.oldest {
            return Err(StoreError::Compacted { asked: index, oldest: self.oldest });
        }
        if index > self.index {
            return Err(StoreError::Ahead { asked: index, index: self.index });
        }
        let first = self.log.partition_point(|write| write.index <= index);
        Ok(self.log.range(first..))
    }

    /// The last changes, oldest first.
    pub(super) fn last(&self, changes: usize) -> impl Iterator<Item = &Write> {
        self.log.range(self.log.len().saturating_sub(changes)..)
    }
}

/// Whether an entry is at the version that a write expects.
fn agree(key: &Key, expected: u64, found: Option<u64>) -> Result<(), StoreError> {
    if found == Some(expected) {
        return Ok(());
    }
    Err(StoreError::Conflict { key: key.clone(), expected, found })
}

/// Takes back one change.
fn step_back(entries: &mut Entries, write: &Write) {
    match &write.before {
        Some(before) => entries.insert(before.key.clone(), before.clone()),
        None => entries.remove(write.key()),
    };
}
