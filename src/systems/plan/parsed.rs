//! What entries of a store say, read once per write. Separate because controller, tasks and the world around them read the
//! same entries again and again; it must not know what the entries mean.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

use crate::store::{Entry, Key};

/// Entries that are remembered at most: all are forgotten then.
const KNOWN_MAX: usize = 4096;

/// A value that was read, and what it says.
type Said<T> = (Arc<Value>, Arc<T>);

/// Entries and what they said. What is remembered is that of one value: another write is read anew.
#[derive(Debug)]
pub struct Parsed<T>(Mutex<BTreeMap<Key, Said<T>>>);

impl<T> Default for Parsed<T> {
    fn default() -> Parsed<T> {
        Parsed(Mutex::default())
    }
}

impl<T> Parsed<T> {
    /// Remembers what a value says.
    pub fn know(&self, key: Key, value: Arc<Value>, said: Arc<T>) {
        let mut known = lock(&self.0);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, (value, said));
    }
}

impl<T: DeserializeOwned> Parsed<T> {
    /// What an entry says.
    ///
    /// # Errors
    /// It is something else.
    pub fn of(&self, entry: &Entry) -> Result<Arc<T>, Error> {
        // The value is held here, so that no other can be at its place.
        if let Some((value, said)) = lock(&self.0).get(&entry.key)
            && Arc::ptr_eq(value, &entry.value)
        {
            return Ok(said.clone());
        }
        let said: Arc<T> = Arc::new(entry.parse()?);
        self.know(entry.key.clone(), entry.value.clone(), said.clone());
        Ok(said)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
