//! SCTBench wronglock: one task protects a value with one lock, the others with another.

use super::super::rt::{self, Lock, Shared, Twin};

async fn checks(lock: Lock, value: Shared<i32>) {
    let _guard = lock.lock().await;
    let before = value.get().await;
    let again = value.get().await;
    value.set(again + 1).await;
    rt::check(value.get().await == before + 1, "nobody else changed it");
}

async fn changes(lock: Lock, value: Shared<i32>) {
    let _guard = lock.lock().await;
    let before = value.get().await;
    value.set(before + 1).await;
}

/// Mended, all use the same lock.
pub async fn wronglock(others: usize, twin: Twin) {
    let (right, value) = (Lock::new(), Shared::new("value", 0));
    let wrong = if rt::is_buggy(twin) { Lock::new() } else { right.clone() };
    let mut handles = vec![rt::spawn("checks", checks(right, value.clone())).await];
    for _ in 0..others {
        handles.push(rt::spawn("changes", changes(wrong.clone(), value.clone())).await);
    }
    rt::join_all(handles).await;
}
