//! CVE-2015-7550 (Linux keys): a key is validated, then locked and read; in between it is revoked. Null dereference.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Key {
    heap: Heap,
    lock: Lock,
    revoked: Shared<bool>,
    keys: Shared<Option<Pointer>>,
}

async fn reads(key: Key, twin: Twin) {
    if rt::is_buggy(twin) {
        if key.revoked.get().await {
            return;
        }
        let _guard = key.lock.lock().await;
        return key.heap.touch_at(key.keys.get().await).await;
    }
    let _guard = key.lock.lock().await;
    if !key.revoked.get().await {
        key.heap.touch_at(key.keys.get().await).await;
    }
}

async fn revokes(key: Key) {
    let _guard = key.lock.lock().await;
    key.revoked.set(true).await;
    key.keys.set(None).await;
}

/// Mended, the key is validated under its lock.
pub async fn key_revoked(twin: Twin) {
    let heap = Heap::new();
    let keys = Some(heap.allocate().await);
    let key = Key {
        heap,
        lock: Lock::new(),
        revoked: Shared::new("revoked", false),
        keys: Shared::new("keys", keys),
    };
    let handles =
        vec![rt::spawn("reads", reads(key.clone(), twin)).await, rt::spawn("revokes", revokes(key)).await];
    rt::join_all(handles).await;
}
