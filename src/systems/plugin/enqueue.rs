//! Asking the engine for another round of a workflow, at any time and from anywhere; what is asked twice is done once.
//! Separate because executors hold one end before the engine runs; it must not know either.

use crate::sync::Notify;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Asks for rounds. Clones ask the same engine.
#[derive(Clone, Default)]
pub struct EnqueueOwner(Arc<Pending>);

#[derive(Default)]
struct Pending {
    names: Mutex<BTreeSet<String>>,
    bell: Notify,
}

impl EnqueueOwner {
    /// Nobody has asked yet.
    pub fn new() -> EnqueueOwner {
        EnqueueOwner::default()
    }

    /// Asks for a round of the workflow of this name; whether nobody had yet.
    pub fn enqueue(&self, name: &str) -> bool {
        let is_new = self.names().insert(name.to_owned());
        self.0.bell.notify_one();
        is_new
    }

    /// Waits until somebody has asked; all names, each once.
    pub async fn asked(&self) -> BTreeSet<String> {
        loop {
            let names = std::mem::take(&mut *self.names());
            if !names.is_empty() {
                return names;
            }
            self.0.bell.notified().await;
        }
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for EnqueueOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EnqueueOwner").field(&*self.names()).finish()
    }
}
