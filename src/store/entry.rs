//! What the store holds: keys, and entries as they were at an index. Plain data; it must not know who watches.

use crate::time::Instant;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// The identity of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its kind; may be empty.
    pub kind: Arc<str>,
    /// Its name within the kind.
    pub name: Arc<str>,
}

impl Key {
    /// The key of a kind and a name.
    pub fn new(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Key {
        Key { kind: kind.into(), name: name.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.kind, self.name) }
    }
}

impl From<&str> for Key {
    fn from(name: &str) -> Key {
        Key::new("", name)
    }
}

impl<K: Into<Arc<str>>, N: Into<Arc<str>>> From<(K, N)> for Key {
    fn from((kind, name): (K, N)) -> Key {
        Key::new(kind, name)
    }
}

/// An entry as it was when it was last written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its identity.
    pub key: Key,
    /// What it holds.
    pub value: Arc<Value>,
    /// The store's index at its last write: what compare-and-swap compares.
    pub version: u64,
    /// The store's index at its creation: tells a name that was used again from the one before.
    pub created: u64,
    /// The client that wrote it last.
    pub writer: Arc<str>,
    /// When.
    pub at: Instant,
}

impl Entry {
    /// The value as a `T`.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&*self.value)
    }
}
