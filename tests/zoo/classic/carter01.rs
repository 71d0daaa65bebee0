//! SCTBench carter01: two classes share one lock for their counts, and the first of a class waits for the other class
//! while it holds it.

use super::super::rt::{self, Lock, Shared, Twin};

/// Enters a class, and leaves it.
async fn visits(counting: Lock, count: Shared<u32>, exclusive: Lock) {
    let mut held = None;
    {
        let _guard = counting.lock().await;
        if count
            .update(|count| {
                *count += 1;
                *count
            })
            .await
            == 1
        {
            held = Some(exclusive.lock().await);
        }
    }
    let _guard = counting.lock().await;
    if count
        .update(|count| {
            *count -= 1;
            *count
        })
        .await
        == 0
    {
        drop(held);
    }
}

async fn idles() {}

/// Mended, each class counts under a lock of its own.
pub async fn carter01(twin: Twin) {
    let (exclusive, of_a) = (Lock::new(), Lock::new());
    let of_b = if rt::is_buggy(twin) { of_a.clone() } else { Lock::new() };
    let (a, b) = (Shared::new("a", 0), Shared::new("b", 0));
    let handles = vec![
        rt::spawn("a", visits(of_a, a, exclusive.clone())).await,
        rt::spawn("b", visits(of_b, b, exclusive)).await,
        rt::spawn("idles", idles()).await,
        rt::spawn("idles", idles()).await,
    ];
    rt::join_all(handles).await;
}
