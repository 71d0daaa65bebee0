//! A queue that counts, as the acceptance table wants it behind a queue factory: what it counts, and that leases work
//! over it.

use super::{Work, ms, simulate, work};
use fatum::systems::controller::{
    BoxFuture, Item, Metrics, NotHeld, Queue, Requeue, Shutdown, WorkQueue, lease,
};
use fatum::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What went through a queue.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    dones: AtomicU64,
    add_afters: AtomicU64,
    add_rate_limiteds: AtomicU64,
}

/// A queue around another that counts.
pub(crate) struct Counting<T: Item> {
    pub(crate) queue: Arc<dyn WorkQueue<T>>,
    pub(crate) counts: Arc<Counts>,
}

impl Counts {
    pub(crate) fn dones(&self) -> u64 {
        self.dones.load(Ordering::Relaxed)
    }

    pub(crate) fn add_afters(&self) -> u64 {
        self.add_afters.load(Ordering::Relaxed)
    }

    pub(crate) fn add_rate_limiteds(&self) -> u64 {
        self.add_rate_limiteds.load(Ordering::Relaxed)
    }

    /// Adds that come later, of either kind.
    pub(crate) fn requeues(&self) -> u64 {
        self.add_afters() + self.add_rate_limiteds()
    }
}

impl<T: Item> WorkQueue<T> for Counting<T> {
    fn get(&self) -> BoxFuture<'_, Option<T>> {
        self.queue.get()
    }

    fn add(&self, item: T) -> BoxFuture<'_, ()> {
        self.queue.add(item)
    }

    fn add_after(&self, item: T, delay: Duration, overrides: bool) -> BoxFuture<'_, ()> {
        self.counts.add_afters.fetch_add(1, Ordering::Relaxed);
        self.queue.add_after(item, delay, overrides)
    }

    fn add_rate_limited(&self, item: T) -> BoxFuture<'_, ()> {
        self.counts.add_rate_limiteds.fetch_add(1, Ordering::Relaxed);
        self.queue.add_rate_limited(item)
    }

    fn forget(&self, key: &T::Key) {
        self.queue.forget(key);
    }

    fn done(&self, key: &T::Key) -> Result<(), NotHeld> {
        self.counts.dones.fetch_add(1, Ordering::Relaxed);
        self.queue.done(key)
    }

    fn stop(&self, how: Shutdown) {
        self.queue.stop(how);
    }

    fn drained(&self) -> BoxFuture<'_, ()> {
        self.queue.drained()
    }

    fn len(&self) -> usize {
        self.queue.len()
    }

    fn num_requeues(&self, key: &T::Key) -> u32 {
        self.queue.num_requeues(key)
    }

    fn number(&self) -> u64 {
        self.queue.number()
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.queue.ended()
    }

    fn metrics(&self) -> Option<Metrics> {
        self.queue.metrics()
    }
}

#[test]
fn leases_work_over_any_queue() {
    let seen = simulate(|| async {
        let counts = Arc::new(Counts::default());
        let inner: Queue<Work> = Queue::start();
        let counting = Counting { queue: Arc::new(inner), counts: Arc::clone(&counts) };
        let queue: Arc<dyn WorkQueue<Work>> = Arc::new(counting);
        queue.add(work("a")).await;
        for when in [Requeue::RateLimited, Requeue::After(ms(1)), Requeue::Now] {
            lease(&queue).await.unwrap().requeue(when).await;
        }
        let last = lease(&queue).await.unwrap();
        last.forget();
        last.done();
        queue.stop(Shutdown::Drain);
        assert!(lease(&queue).await.is_none());
        (counts.dones(), counts.add_afters(), counts.add_rate_limiteds(), counts.requeues())
    });
    assert_eq!(seen.value, (4, 1, 1, 2));
    assert_eq!(seen.took, ms(6));
}
