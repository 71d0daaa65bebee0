//! CVE-2016-1973 (Firefox, WebRTC): an instance is counted, and stored only afterwards; who counts itself in between
//! gets none. Who lost the race to create it has one that is not counted. Null dereference, or use after free.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Instance {
    heap: Heap,
    count: Shared<i32>,
    stored: Shared<Option<Pointer>>,
    /// What mends it.
    lock: Option<Lock>,
}

impl Instance {
    async fn count(&self, change: i32) -> i32 {
        self.count
            .update(|count| {
                *count += change;
                *count
            })
            .await
    }

    async fn get(&self) -> Option<Pointer> {
        let _guard = rt::lock_if(self.lock.as_ref()).await;
        let mut creates = self.count.get().await == 0;
        if !creates && self.count(1).await == 1 {
            self.count(-1).await;
            creates = true;
        }
        if creates {
            let created = self.heap.allocate().await;
            if self.count(1).await == 1 {
                self.stored.set(Some(created)).await;
            } else {
                self.count(-1).await;
                self.heap.free(created).await;
            }
        }
        self.stored.get().await
    }

    async fn release(&self) {
        let _guard = rt::lock_if(self.lock.as_ref()).await;
        if self.count(-1).await == 0
            && let Some(instance) = self.stored.update(Option::take).await
        {
            self.heap.free(instance).await;
        }
    }
}

async fn uses(instance: Instance) {
    let pointer = instance.get().await;
    instance.heap.touch_at(pointer).await;
}

async fn uses_and_releases(instance: Instance) {
    uses(instance.clone()).await;
    instance.release().await;
}

/// Mended, both verbs are one step each, under a lock.
pub async fn static_instance(twin: Twin) {
    let instance = Instance {
        heap: Heap::new(),
        count: Shared::new("count", 0),
        stored: Shared::new("stored", None),
        lock: (!rt::is_buggy(twin)).then(Lock::new),
    };
    let handles = vec![
        rt::spawn("uses", uses(instance.clone())).await,
        rt::spawn("uses and releases", uses_and_releases(instance)).await,
    ];
    rt::join_all(handles).await;
}
