//! What a work queue must offer, and nothing of how: the boundary between queues and the controller that runs on
//! one. It must not know the queue that is shipped.

use super::request::text;
use super::{Item, Metrics};
pub use crate::systems::BoxFuture;
use crate::time::Duration;
use std::fmt;
use std::sync::Arc;

/// How a queue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shutdown {
    /// What is queued is still handed out, and what is wanted again is queued again. Deferrals are dropped.
    Drain,
    /// What is queued is dropped.
    Drop,
}

/// The key was given to `done` although nobody holds it: it was never taken, or is done already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is not being processed: it was not taken, or is done already")]
pub struct NotHeld {
    /// The text of the key.
    pub key: Arc<str>,
}

impl NotHeld {
    /// For this key.
    pub fn new(key: &impl fmt::Display) -> NotHeld {
        NotHeld { key: text(key) }
    }
}

/// The raw operations of a queue, for factories and for wrappers that count. Use a [`Lease`](super::Lease) on top.
///
/// Every operation that adds has a scheduling point before its critical section, and is therefore asynchronous.
pub trait WorkQueue<T: Item>: Send + Sync {
    /// Waits for an item and takes it; `None` once the queue is stopped and hands out no more. Safe to cancel.
    fn get(&self) -> BoxFuture<'_, Option<T>>;

    /// Queues an item, unless its key is wanted already; while the key is processed, when that is done.
    fn add(&self, item: T) -> BoxFuture<'_, ()>;

    /// Adds an item later, at once when `delay` is zero. Of several deferrals of a key the earliest stands, or the
    /// latest request with `overrides`.
    fn add_after(&self, item: T, delay: Duration, overrides: bool) -> BoxFuture<'_, ()>;

    /// Adds an item after the delay that its limiter says, which counts as a failure of its key.
    fn add_rate_limited(&self, item: T) -> BoxFuture<'_, ()>;

    /// Forgets the failures of a key. Neither a deferral nor what is queued is touched.
    fn forget(&self, key: &T::Key);

    /// Says that processing ended; queues the item again if it was wanted meanwhile.
    ///
    /// # Errors
    /// Nobody holds the key. Nothing changes then.
    fn done(&self, key: &T::Key) -> Result<(), NotHeld>;

    /// Takes no more items, and wakes everybody who waits. Repeatable; of two the harder counts.
    fn stop(&self, how: Shutdown);

    /// Waits until nothing is queued and nothing is processed, or until a stop that drops.
    fn drained(&self) -> BoxFuture<'_, ()>;

    /// How many items are queued; what is deferred or processed does not count.
    fn len(&self) -> usize;

    /// Whether nothing is queued.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The failures of a key since they were forgotten.
    fn num_requeues(&self, key: &T::Key) -> u32;

    /// What events call it; 0 for a queue that emits none.
    fn number(&self) -> u64 {
        0
    }

    /// Waits until the queue is stopped and no task of its own is left.
    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What the queue measured, if it measures.
    fn metrics(&self) -> Option<Metrics> {
        None
    }
}
