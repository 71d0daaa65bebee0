//! What the operators of this tier have in common: a pass after each event of a watch that is opened again when it
//! breaks, and longer and longer pauses after a pass that failed. It knows no operator.

use fatum::store::{Client, StoreError, WatchFrom};
use fatum::time::{Duration, sleep};
use std::future::Future;

/// Seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Makes a pass after each event of the kind, for ever.
pub async fn level_triggered<P, F>(store: Client, kind: &'static str, mut pass: P)
where
    P: FnMut() -> F,
    F: Future<Output = Result<(), StoreError>>,
{
    loop {
        if let Ok(mut watch) = store.watch(kind, WatchFrom::Snapshot).await {
            while watch.next().await.is_ok() {
                until_done(&mut pass).await;
            }
        }
        sleep(secs(1)).await;
    }
}

/// Makes a pass, and again while it fails.
pub async fn until_done<P, F>(pass: &mut P)
where
    P: FnMut() -> F,
    F: Future<Output = Result<(), StoreError>>,
{
    let mut pause = secs(1);
    while pass().await.is_err() {
        sleep(pause).await;
        pause *= 2;
    }
}
