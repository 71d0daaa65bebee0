//! CVE-2016-1972 (Firefox, libvpx `once`): a lock is freed by the last who waits for it, and a thread that has looked
//! whether all is done counts itself only then. Use after free.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Once {
    heap: Heap,
    done: Shared<bool>,
    waiters: Shared<i32>,
    /// The object that the lock is part of.
    section: Shared<Option<Pointer>>,
    lock: Lock,
    twin: Twin,
}

impl Once {
    /// Counts the caller in or out, as `++` and `--` do in C: a read and a write.
    async fn count(&self, change: i32) -> i32 {
        if rt::is_buggy(self.twin) {
            let waiters = self.waiters.get().await + change;
            self.waiters.set(waiters).await;
            return waiters;
        }
        self.waiters
            .update(|waiters| {
                *waiters += change;
                *waiters
            })
            .await
    }

    async fn enter_and_do(&self) {
        let section = self.section.get().await;
        self.heap.touch_at(section).await;
        let _guard = self.lock.lock().await;
        self.heap.touch_at(section).await;
        if !self.done.get().await {
            self.done.set(true).await;
        }
    }

    async fn leave(&self) {
        if self.count(-1).await == 0
            && let Some(section) = self.section.update(Option::take).await
        {
            self.heap.free(section).await;
        }
    }
}

async fn once(once: Once) {
    if rt::is_buggy(once.twin) {
        if once.done.get().await {
            return;
        }
        once.count(1).await;
        once.enter_and_do().await;
        return once.leave().await;
    }
    once.count(1).await;
    if !once.done.get().await {
        once.enter_and_do().await;
    }
    once.leave().await;
}

/// Mended, a thread counts itself in one step, and before it looks.
pub async fn lock_of_once(twin: Twin) {
    let heap = Heap::new();
    let section = Some(heap.allocate().await);
    let shared = Once {
        heap,
        done: Shared::new("done", false),
        waiters: Shared::new("waiters", 0),
        section: Shared::new("section", section),
        lock: Lock::new(),
        twin,
    };
    let handles = vec![rt::spawn("once", once(shared.clone())).await, rt::spawn("once", once(shared)).await];
    rt::join_all(handles).await;
}
