//! What happens in a store, as events for traces, digests and properties. Plain data, cheap to build.

use super::entry::Key;
use super::event::Topic;
use super::state::Write;
use crate::trace::{Record, Value};
use std::sync::Arc;

/// Something that happened in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// An entry was created.
    Created {
        /// Which.
        key: Key,
        /// The index.
        index: u64,
        /// Who did.
        writer: Arc<str>,
    },
    /// An entry was overwritten.
    Updated {
        /// Which.
        key: Key,
        /// The index.
        index: u64,
        /// Who did.
        writer: Arc<str>,
    },
    /// An entry was deleted.
    Deleted {
        /// Which.
        key: Key,
        /// The index.
        index: u64,
        /// Who did.
        writer: Arc<str>,
    },
    /// The store went back to an older snapshot.
    Restored {
        /// The index that it was at.
        from: u64,
        /// The index that it is at.
        index: u64,
    },
    /// The past before an index was forgotten.
    Compacted {
        /// The index.
        index: u64,
    },
    /// A watch was opened.
    WatchOpened {
        /// Its number.
        watch: u64,
        /// What it is about.
        topic: Topic,
        /// The index that it begins at.
        index: u64,
        /// Who watches.
        client: Arc<str>,
    },
    /// A watch ended.
    WatchClosed {
        /// Its number.
        watch: u64,
        /// What it is about.
        topic: Topic,
        /// Why.
        cause: Arc<str>,
    },
}

impl Record for StoreEvent {
    fn name(&self) -> &'static str {
        match self {
            StoreEvent::Created { .. } => "store.created",
            StoreEvent::Updated { .. } => "store.updated",
            StoreEvent::Deleted { .. } => "store.deleted",
            StoreEvent::Restored { .. } => "store.restored",
            StoreEvent::Compacted { .. } => "store.compacted",
            StoreEvent::WatchOpened { .. } => "watch.opened",
            StoreEvent::WatchClosed { .. } => "watch.closed",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            StoreEvent::Created { key, index, writer }
            | StoreEvent::Updated { key, index, writer }
            | StoreEvent::Deleted { key, index, writer } => {
                visit("key", Value::Str(&key.to_string()));
                visit("index", Value::U64(*index));
                visit("writer", Value::Str(writer));
            }
            StoreEvent::Restored { from, index } => {
                visit("from", Value::U64(*from));
                visit("index", Value::U64(*index));
            }
            StoreEvent::Compacted { index } => visit("index", Value::U64(*index)),
            StoreEvent::WatchOpened { watch, topic, index, client } => {
                visit("watch", Value::U64(*watch));
                visit("topic", Value::Str(&topic.to_string()));
                visit("index", Value::U64(*index));
                visit("client", Value::Str(client));
            }
            StoreEvent::WatchClosed { watch, topic, cause } => {
                visit("watch", Value::U64(*watch));
                visit("topic", Value::Str(&topic.to_string()));
                visit("cause", Value::Str(cause));
            }
        }
    }
}

impl StoreEvent {
    /// The record of one change.
    pub(super) fn of(write: &Write) -> StoreEvent {
        let (key, index, writer) = (write.key().clone(), write.index, write.writer.clone());
        match (&write.before, &write.after) {
            (None, _) => StoreEvent::Created { key, index, writer },
            (Some(_), Some(_)) => StoreEvent::Updated { key, index, writer },
            (Some(_), None) => StoreEvent::Deleted { key, index, writer },
        }
    }
}
