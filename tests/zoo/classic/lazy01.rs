//! SCTBench lazy01: a checker that must not see what two others add together, and does when it comes last.
//!
//! It is spawned first here, so that the baseline passes.

use super::super::rt::{self, Lock, Shared, Twin};

async fn adds(lock: Lock, data: Shared<i32>, amount: i32) {
    let _guard = lock.lock().await;
    let before = data.get().await;
    data.set(before + amount).await;
}

async fn checks(lock: Lock, data: Shared<i32>, most: i32) {
    let _guard = lock.lock().await;
    rt::check(data.get().await <= most, "there is no more than can be");
}

/// Mended, the checker knows what the two add up to.
pub async fn lazy01(twin: Twin) {
    let (lock, data) = (Lock::new(), Shared::new("data", 0));
    let most = if rt::is_buggy(twin) { 2 } else { 3 };
    let handles = vec![
        rt::spawn("checks", checks(lock.clone(), data.clone(), most)).await,
        rt::spawn("adds one", adds(lock.clone(), data.clone(), 1)).await,
        rt::spawn("adds two", adds(lock, data, 2)).await,
    ];
    rt::join_all(handles).await;
}
