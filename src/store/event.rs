//! What a watch hears: plain data. Separate from the watch, so that who passes events on need not know it.

use super::entry::{Entry, Key};
use super::state::Write;
use std::fmt;
use std::sync::Arc;

/// What a watch is about: a kind, or one entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// The kind.
    pub kind: Arc<str>,
    /// The name; `None` is every entry of the kind.
    pub name: Option<Arc<str>>,
}

impl Topic {
    /// Every entry of a kind.
    pub fn kind(kind: impl Into<Arc<str>>) -> Topic {
        Topic { kind: kind.into(), name: None }
    }

    /// Whether it is about this entry.
    pub fn covers(&self, key: &Key) -> bool {
        self.kind == key.kind && self.name.as_ref().is_none_or(|name| *name == key.name)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if self.kind.is_empty() => f.write_str(name),
            Some(name) => write!(f, "{}/{name}", self.kind),
            None => f.write_str(&self.kind),
        }
    }
}

impl From<&str> for Topic {
    fn from(kind: &str) -> Topic {
        Topic::kind(kind)
    }
}

impl From<Key> for Topic {
    fn from(key: Key) -> Topic {
        Topic { kind: key.kind, name: Some(key.name) }
    }
}

impl From<&Topic> for Topic {
    fn from(topic: &Topic) -> Topic {
        topic.clone()
    }
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFrom {
    /// With all entries there are, framed by [`Payload::EndOfSnapshot`].
    Snapshot,
    /// After this index, which must not be compacted.
    Index(u64),
    /// After this index; where that is compacted or no more, with [`Payload::NewSnapshotToFollow`] and a snapshot.
    Resume(u64),
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The index: of the snapshot, or of the transaction.
    pub index: u64,
    /// What happened.
    pub payload: Payload,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// All changes of one transaction on the topic, or the entries of a snapshot; never empty.
    Batch(Vec<Change>),
    /// The snapshot is complete; what follows is live.
    EndOfSnapshot,
    /// What was heard before is void: a snapshot follows.
    NewSnapshotToFollow,
}

/// One entry's change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which entry.
    pub key: Key,
    /// What it is now; `None` when it was deleted.
    pub value: Option<Entry>,
}

impl Change {
    pub(super) fn present(entry: &Entry) -> Change {
        Change { key: entry.key.clone(), value: Some(entry.clone()) }
    }

    pub(super) fn of(write: &Write) -> Change {
        Change { key: write.key().clone(), value: write.after.as_deref().cloned() }
    }
}
