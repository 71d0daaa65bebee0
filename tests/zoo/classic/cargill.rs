//! Cargill's buffer: producers and consumers wait on one condition, and each change wakes one of them.
//!
//! The one that is woken may be of the sort that cannot go on, and then nobody ever does (Extreme Programming Challenge
//! 14; Coyote and shuttle demonstrate themselves on it).

use super::super::rt::{self, Lock, Shared, Signal, Twin};

#[derive(Clone)]
struct Buffer {
    lock: Lock,
    changed: Signal,
    filled: Shared<usize>,
    places: usize,
    twin: Twin,
}

impl Buffer {
    async fn put(&self) {
        let mut guard = self.lock.lock().await;
        while self.filled.get().await == self.places {
            guard = self.changed.wait(guard).await;
        }
        self.filled.update(|filled| *filled += 1).await;
        self.tell().await;
        drop(guard);
    }

    async fn take(&self) {
        let mut guard = self.lock.lock().await;
        while self.filled.get().await == 0 {
            guard = self.changed.wait(guard).await;
        }
        self.filled.update(|filled| *filled -= 1).await;
        self.tell().await;
        drop(guard);
    }

    async fn tell(&self) {
        if rt::is_buggy(self.twin) {
            self.changed.notify_one().await;
        } else {
            self.changed.notify_all().await;
        }
    }
}

async fn produces(buffer: Buffer, items: usize) {
    for _ in 0..items {
        buffer.put().await;
    }
}

async fn consumes(buffer: Buffer, items: usize) {
    for _ in 0..items {
        buffer.take().await;
    }
}

/// So many places, producers and consumers, each of so many items. Mended, each change wakes all.
pub async fn cargill(places: usize, of_each: usize, items: usize, twin: Twin) {
    let (filled, changed) = (Shared::new("filled", 0), Signal::new());
    let buffer = Buffer { lock: Lock::new(), changed, filled, places, twin };
    let mut handles = Vec::new();
    for _ in 0..of_each {
        handles.push(rt::spawn("produces", produces(buffer.clone(), items)).await);
        handles.push(rt::spawn("consumes", consumes(buffer.clone(), items)).await);
    }
    rt::join_all(handles).await;
}
