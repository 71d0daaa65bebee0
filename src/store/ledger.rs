//! What a store remembers for ever, for oracles: how often each entry was created and deleted, and who made an entry go.
//!
//! Separate from the log, which compaction shortens.

use super::entry::{Entry, Key};
use super::state::Write;
use crate::time::Instant;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Who wrote, when, at which index.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The client.
    pub writer: Arc<str>,
    /// When.
    pub at: Instant,
    /// The store's index.
    pub index: u64,
}

impl Written {
    fn of(entry: &Entry) -> Written {
        Written { writer: entry.writer.clone(), at: entry.at, index: entry.version }
    }
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Written { writer, at, index } = self;
        write!(f, "by {writer} at {:?}, index {index}", at.since_start())
    }
}

/// How often each entry was created and deleted: equal for two runs that did the same work, in whatever order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Creations.
    pub creates: BTreeMap<Key, u64>,
    /// Deletions.
    pub deletes: BTreeMap<Key, u64>,
}

impl Ledger {
    /// Where `found` is not as this one, in words; empty when it is.
    pub fn differences(&self, found: &Ledger) -> Vec<String> {
        let mut differences = counts(&self.creates, &found.creates, "created");
        differences.extend(counts(&self.deletes, &found.deletes, "deleted"));
        differences
    }
}

fn counts(expected: &BTreeMap<Key, u64>, found: &BTreeMap<Key, u64>, done: &str) -> Vec<String> {
    let of = |map: &BTreeMap<Key, u64>, key| map.get(key).copied().unwrap_or(0);
    let only_found = found.keys().filter(|key| !expected.contains_key(*key));
    let keys = expected.keys().chain(only_found);
    let pairs = keys.map(|key| (key, of(expected, key), of(found, key)));
    let different = pairs.filter(|(_, expected, found)| expected != found);
    different.map(|(key, expected, found)| format!("{key} {done} {found}x instead of {expected}x")).collect()
}

/// The ledger, and the last deletion of each entry that is gone.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) ledger: Ledger,
    gone: BTreeMap<Key, Written>,
}

impl Book {
    pub(super) fn note(&mut self, write: &Write) {
        match (&write.before, &write.after) {
            (None, Some(entry)) => {
                *self.ledger.creates.entry(entry.key.clone()).or_default() += 1;
                self.gone.remove(&entry.key);
            }
            (Some(entry), None) => {
                *self.ledger.deletes.entry(entry.key.clone()).or_default() += 1;
                let by = Written { writer: write.writer.clone(), at: write.at, index: write.index };
                self.gone.insert(entry.key.clone(), by);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// The entry was lost without being deleted.
    pub(super) fn lose(&mut self, key: &Key, by: &Written) {
        self.gone.insert(key.clone(), by.clone());
    }

    pub(super) fn gone(&self, key: &Key) -> Option<&Written> {
        self.gone.get(key)
    }
}

/// One entry that is not as it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// It should be there.
    Missing {
        /// Which.
        key: Key,
        /// Who deleted it, if it was ever there.
        deleted: Option<Written>,
    },
    /// It should not be there.
    Unexpected {
        /// Which.
        key: Key,
        /// Who wrote it last.
        written: Written,
    },
    /// It holds something else.
    Differs {
        /// Which.
        key: Key,
        /// What it should hold.
        expected: Value,
        /// What it holds.
        found: Arc<Value>,
        /// Who wrote it last.
        written: Written,
    },
}

impl Difference {
    /// What is wrong with an entry, if anything.
    pub(super) fn of(key: &Key, expected: Option<&Value>, found: Option<&Entry>) -> Option<Difference> {
        let key = key.clone();
        match (expected, found) {
            (Some(expected), Some(entry)) if *entry.value != *expected => Some(Difference::Differs {
                key,
                expected: expected.clone(),
                found: entry.value.clone(),
                written: Written::of(entry),
            }),
            (Some(_), None) => Some(Difference::Missing { key, deleted: None }),
            (None, Some(entry)) => Some(Difference::Unexpected { key, written: Written::of(entry) }),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// Which entry.
    pub fn key(&self) -> &Key {
        match self {
            Difference::Missing { key, .. }
            | Difference::Unexpected { key, .. }
            | Difference::Differs { key, .. } => key,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { key, deleted: Some(by) } => write!(f, "{key} is missing: deleted {by}"),
            Difference::Missing { key, deleted: None } => {
                write!(f, "{key} is missing: it was never written")
            }
            Difference::Unexpected { key, written } => {
                write!(f, "{key} should not be there: written {written}")
            }
            Difference::Differs { key, expected, found, written } => {
                write!(f, "{key} is {found} and should be {expected}: written {written}")
            }
        }
    }
}
