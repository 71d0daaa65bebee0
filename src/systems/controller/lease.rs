//! Leases: an item in somebody's hands, given back exactly once. On top of the raw operations, so that a missing, a
//! double and a foreign `done` cannot be written.

use super::{Item, Variant, WorkQueue};
use crate::task::yield_point;
use crate::time::Duration;
use std::fmt;
use std::sync::Arc;

/// When an item comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// As soon as this lease is done.
    Now,
    /// After this time.
    After(Duration),
    /// After the time that the limiter says; counts as a failure.
    RateLimited,
}

/// An item in somebody's hands. Dropping it is `done`.
#[must_use = "a lease that is dropped at once was taken for nothing"]
pub struct Lease<T: Item> {
    queue: Arc<dyn WorkQueue<T>>,
    item: T,
    variant: Variant,
    is_done: bool,
}

/// Waits for an item and takes it; `None` once the queue hands out no more.
pub async fn lease<T: Item>(queue: &Arc<dyn WorkQueue<T>>) -> Option<Lease<T>> {
    lease_planted(queue, Variant::Correct).await
}

/// As [`lease`], with a planted bug.
#[doc(hidden)]
pub async fn lease_planted<T: Item>(queue: &Arc<dyn WorkQueue<T>>, variant: Variant) -> Option<Lease<T>> {
    let item = queue.get().await?;
    Some(Lease { queue: Arc::clone(queue), item, variant, is_done: false })
}

impl<T: Item> Lease<T> {
    /// The item.
    pub fn item(&self) -> &T {
        &self.item
    }

    /// Gives the item back.
    pub fn done(self) {}

    /// Forgets the failures of the item; it stays in hand.
    pub fn forget(&self) {
        self.queue.forget(&self.item.key());
    }

    /// Wants the item again, then gives it back: in this order, so that it is never neither wanted nor held. Not safe to
    /// cancel: if this future is dropped before it has returned, the item is given back, and may not be wanted again.
    pub async fn requeue(mut self, when: Requeue) {
        if self.variant == Variant::DoneBeforeRequeue {
            self.give_back();
            yield_point("queue.requeue").await;
        }
        let item = self.item.clone();
        match when {
            Requeue::Now => self.queue.add(item).await,
            Requeue::After(delay) => self.queue.add_after(item, delay, false).await,
            Requeue::RateLimited => self.queue.add_rate_limited(item).await,
        }
        yield_point("queue.requeue").await;
    }

    fn give_back(&mut self) {
        if !std::mem::replace(&mut self.is_done, true) {
            // Refused only when somebody gave it back by the raw operation, behind this lease's back.
            let _ = self.queue.done(&self.item.key());
        }
    }
}

impl<T: Item> Drop for Lease<T> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl<T: Item + fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("item", &self.item).finish_non_exhaustive()
    }
}
