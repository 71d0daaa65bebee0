//! boundedBuffer (Inspect, as in PERIOD): a consumer that waited until there is something gives the lock back before it
//! takes it.

use super::super::rt::{self, Lock, Shared, Signal, Twin};

const PLACES: usize = 3;
const ITEMS: usize = 4;
const OF_EACH: usize = 2;

#[derive(Clone)]
struct Buffer {
    lock: Lock,
    not_full: Signal,
    not_empty: Signal,
    producers_waiting: Shared<u32>,
    consumers_waiting: Shared<u32>,
    head: Shared<usize>,
    rear: Shared<usize>,
}

impl Buffer {
    async fn is_full(&self) -> bool {
        (self.rear.get().await + 1) % PLACES == self.head.get().await
    }

    async fn is_empty(&self) -> bool {
        self.head.get().await == self.rear.get().await
    }

    async fn put(&self) {
        let mut guard = self.lock.lock().await;
        if self.is_full().await {
            self.producers_waiting.update(|waiting| *waiting += 1).await;
            while self.is_full().await {
                guard = self.not_full.wait(guard).await;
            }
            self.producers_waiting.update(|waiting| *waiting -= 1).await;
        }
        self.rear.update(|rear| *rear = (*rear + 1) % PLACES).await;
        if self.consumers_waiting.get().await > 0 {
            self.not_empty.notify_one().await;
        }
        drop(guard);
    }

    async fn take(&self, twin: Twin) {
        let mut guard = self.lock.lock().await;
        if self.is_empty().await {
            self.consumers_waiting.update(|waiting| *waiting += 1).await;
            while self.is_empty().await {
                guard = self.not_empty.wait(guard).await;
            }
            self.consumers_waiting.update(|waiting| *waiting -= 1).await;
        }
        if rt::is_buggy(twin) {
            drop(guard);
            guard = self.lock.lock().await;
        }
        rt::check(!self.is_empty().await, "what was waited for is there");
        self.head.update(|head| *head = (*head + 1) % PLACES).await;
        if self.producers_waiting.get().await > 0 {
            self.not_full.notify_one().await;
        }
        drop(guard);
    }
}

async fn produces(buffer: Buffer) {
    for _ in 0..ITEMS {
        buffer.put().await;
    }
}

async fn consumes(buffer: Buffer, twin: Twin) {
    for _ in 0..ITEMS {
        buffer.take(twin).await;
    }
}

/// Mended, the consumer keeps the lock.
pub async fn bounded_buffer(twin: Twin) {
    let buffer = Buffer {
        lock: Lock::new(),
        not_full: Signal::new(),
        not_empty: Signal::new(),
        producers_waiting: Shared::new("producers_waiting", 0),
        consumers_waiting: Shared::new("consumers_waiting", 0),
        head: Shared::new("head", 0),
        rear: Shared::new("rear", 0),
    };
    let mut handles = Vec::new();
    for _ in 0..OF_EACH {
        handles.push(rt::spawn("produces", produces(buffer.clone())).await);
    }
    for _ in 0..OF_EACH {
        handles.push(rt::spawn("consumes", consumes(buffer.clone(), twin)).await);
    }
    rt::join_all(handles).await;
}
