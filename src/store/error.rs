//! Why the store refused: typed, with the entry, the versions and what to do. Separate because the pure state, the calls
//! and the watches all speak of it; it knows none of them.

use super::entry::Key;
use crate::fault::Injected;

/// Why a call on the store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such entry.
    #[error("there is no {key}")]
    NotFound {
        /// Which.
        key: Key,
    },
    /// There is one already.
    #[error("{key} exists already, at version {version}: read it and update it, or take another name")]
    AlreadyExists {
        /// Which.
        key: Key,
        /// Its version.
        version: u64,
    },
    /// The entry is not at the version that the write expects: another write came first.
    #[error("conflict on {key}: version {expected} was expected, {}: read it again and redo the change",
        found.map_or("and it is gone".to_owned(), |found| if found == *expected { "and the store says that another \
        write came first".to_owned() } else { format!("and it is at {found}") }))]
    Conflict {
        /// Which.
        key: Key,
        /// The version that the write expects.
        expected: u64,
        /// The version that it is at, if it is there. The expected one when a fault refused the write.
        found: Option<u64>,
    },
    /// The past that was asked for is gone.
    #[error("index {asked} was compacted, the oldest is {oldest}: list again and watch from there")]
    Compacted {
        /// The index that was asked for.
        asked: u64,
        /// The oldest that can be read.
        oldest: u64,
    },
    /// The index that was asked for is not reached (any more: a restore leads back).
    #[error("index {asked} is ahead of the store, which is at {index}: it was restored; list again")]
    Ahead {
        /// The index that was asked for.
        asked: u64,
        /// The store's.
        index: u64,
    },
    /// The store has no entries of that kind, ever.
    #[error("unknown topic {0}")]
    UnknownTopic(String),
    /// A fault came before the call took effect: nothing was done.
    #[error(transparent)]
    Injected(#[from] Injected),
    /// The write took effect and its answer was lost: for the client it is unknown whether it did.
    #[error("no answer to the write of {key}: it may have taken effect; read again before it is repeated")]
    Unanswered {
        /// Which; the first of a transaction.
        key: Key,
    },
    /// A value is not of the type that was asked for, or cannot be stored.
    #[error("the value of {key} does not fit its type: {message}")]
    Value {
        /// Which.
        key: Key,
        /// What does not fit.
        message: String,
    },
}

impl StoreError {
    /// Whether another write came first.
    pub fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict { .. })
    }

    /// Whether there is no such entry.
    pub fn is_not_found(&self) -> bool {
        matches!(self, StoreError::NotFound { .. })
    }

    /// Whether the entry to be created is there.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, StoreError::AlreadyExists { .. })
    }

    /// Whether the past that was asked for is gone.
    pub fn is_compacted(&self) -> bool {
        matches!(self, StoreError::Compacted { .. })
    }

    /// Whether a fault came before the call took effect.
    pub fn is_injected(&self) -> bool {
        matches!(self, StoreError::Injected(_))
    }

    /// Whether the write took effect and its answer was lost.
    pub fn is_unanswered(&self) -> bool {
        matches!(self, StoreError::Unanswered { .. })
    }
}

/// Why a watch ended. It stays ended: every further event is the same error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The server closed it, as on a restore.
    #[error("subscription closed by server, client must reset state and resubscribe")]
    ForceClosed,
    /// Its own side closed it.
    #[error("subscription was closed by unsubscribe")]
    Unsubscribed,
    /// It lagged behind, and what it had yet to hear was compacted.
    #[error("the watch of {topic} lags behind a compaction, the oldest index is {oldest}: list again")]
    Compacted {
        /// Its topic, in words.
        topic: String,
        /// The oldest index that can be read.
        oldest: u64,
    },
    /// Events were lost on the way.
    #[error("events of {topic} were lost: list again and watch from there")]
    Lost {
        /// Its topic, in words.
        topic: String,
    },
    /// A fault broke it.
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl WatchError {
    /// Whether the server closed it, as on a restore.
    pub fn is_force_closed(&self) -> bool {
        matches!(self, WatchError::ForceClosed)
    }

    /// Whether its own side closed it.
    pub fn is_unsubscribed(&self) -> bool {
        matches!(self, WatchError::Unsubscribed)
    }

    /// Whether events were missed, so that a new list is needed.
    pub fn is_missed(&self) -> bool {
        matches!(self, WatchError::Lost { .. } | WatchError::Compacted { .. })
    }
}
