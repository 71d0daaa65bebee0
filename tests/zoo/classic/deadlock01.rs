//! SCTBench deadlock01: two locks, taken in two orders.

use super::super::rt::{self, Lock, Shared, Twin};

async fn counts(first: Lock, second: Lock, counter: Shared<i32>, change: i32) {
    let _first = first.lock().await;
    let _second = second.lock().await;
    counter.update(|counter| *counter += change).await;
}

/// Mended, both take them in one order.
pub async fn deadlock01(twin: Twin) {
    let (a, b, counter) = (Lock::new(), Lock::new(), Shared::new("counter", 1));
    let (first, second) = if rt::is_buggy(twin) { (b.clone(), a.clone()) } else { (a.clone(), b.clone()) };
    let handles = vec![
        rt::spawn("ups", counts(a, b, counter.clone(), 1)).await,
        rt::spawn("downs", counts(first, second, counter, -1)).await,
    ];
    rt::join_all(handles).await;
}
