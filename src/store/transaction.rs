//! Transactions: several operations that take effect together, at one index, or not at all. Plain data.

use super::entry::Key;
use super::error::StoreError;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Writes an entry that must not be there.
    Create {
        /// Which.
        key: Key,
        /// What it is to hold.
        value: Arc<Value>,
    },
    /// Writes an entry, blindly: whatever it held.
    Put {
        /// Which.
        key: Key,
        /// What it is to hold.
        value: Arc<Value>,
    },
    /// Writes an entry that must be at a version.
    Update {
        /// Which.
        key: Key,
        /// The version that it must be at.
        version: u64,
        /// What it is to hold.
        value: Arc<Value>,
    },
    /// Deletes an entry that must be there, at a version if one is given.
    Delete {
        /// Which.
        key: Key,
        /// The version that it must be at.
        version: Option<u64>,
    },
    /// Changes nothing: the entry must be at a version, or must not be there.
    Check {
        /// Which.
        key: Key,
        /// The version that it must be at; `None` when it must not be there.
        version: Option<u64>,
    },
}

impl Op {
    /// What it is about.
    pub fn key(&self) -> &Key {
        match self {
            Op::Create { key, .. }
            | Op::Put { key, .. }
            | Op::Update { key, .. }
            | Op::Delete { key, .. }
            | Op::Check { key, .. } => key,
        }
    }

    /// The version that it expects, if any.
    pub fn expected(&self) -> Option<u64> {
        match self {
            Op::Update { version, .. } => Some(*version),
            Op::Delete { version, .. } | Op::Check { version, .. } => *version,
            Op::Create { .. } | Op::Put { .. } => None,
        }
    }
}

/// Operations that take effect together, or not at all. Each sees what those before it did.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    pub(super) ops: Vec<Op>,
    /// A value that cannot be stored: told when the transaction is committed.
    pub(super) invalid: Option<StoreError>,
}

impl Transaction {
    /// Without operations.
    pub fn new() -> Transaction {
        Transaction::default()
    }

    /// Writes an entry that must not be there.
    pub fn create(self, key: impl Into<Key>, value: impl Serialize) -> Transaction {
        self.writing(key.into(), value, |key, value| Op::Create { key, value })
    }

    /// Writes an entry, blindly.
    pub fn put(self, key: impl Into<Key>, value: impl Serialize) -> Transaction {
        self.writing(key.into(), value, |key, value| Op::Put { key, value })
    }

    /// Writes an entry that must be at `version`.
    pub fn update(self, key: impl Into<Key>, version: u64, value: impl Serialize) -> Transaction {
        self.writing(key.into(), value, |key, value| Op::Update { key, version, value })
    }

    /// Deletes an entry that must be there.
    pub fn delete(self, key: impl Into<Key>) -> Transaction {
        self.with(Op::Delete { key: key.into(), version: None })
    }

    /// Deletes an entry that must be at `version`.
    pub fn delete_at(self, key: impl Into<Key>, version: u64) -> Transaction {
        self.with(Op::Delete { key: key.into(), version: Some(version) })
    }

    /// Demands that an entry is at `version`, as a fence does; with `None`, that it is not there.
    pub fn check(self, key: impl Into<Key>, version: Option<u64>) -> Transaction {
        self.with(Op::Check { key: key.into(), version })
    }

    /// Adds an operation.
    pub fn with(mut self, op: Op) -> Transaction {
        self.ops.push(op);
        self
    }

    /// The operations.
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    fn writing(
        mut self,
        key: Key,
        value: impl Serialize,
        op: impl FnOnce(Key, Arc<Value>) -> Op,
    ) -> Transaction {
        match serde_json::to_value(value) {
            Ok(value) => self.ops.push(op(key, Arc::new(value))),
            Err(error) => {
                self.invalid.get_or_insert(StoreError::Value { key, message: error.to_string() });
            }
        }
        self
    }
}
