//! SCTBench twostage_N: a writer changes one value under one lock and another under another; a reader looks in between.

use super::super::rt::{self, Lock, Shared, Twin};

#[derive(Clone)]
struct Stages {
    first: Lock,
    second: Lock,
    data: Shared<i32>,
    next: Shared<i32>,
}

async fn writes(stages: Stages, twin: Twin) {
    let guard = stages.first.lock().await;
    stages.data.set(1).await;
    // Given back too early, or kept for both stages.
    let _kept = if rt::is_buggy(twin) {
        drop(guard);
        None
    } else {
        Some(guard)
    };
    let _second = stages.second.lock().await;
    let data = stages.data.get().await;
    stages.next.set(data + 1).await;
}

async fn reads(stages: Stages) {
    let data = {
        let _first = stages.first.lock().await;
        if stages.data.get().await == 0 {
            return;
        }
        stages.data.get().await
    };
    let _second = stages.second.lock().await;
    rt::check(stages.next.get().await == data + 1, "the second stage follows the first");
}

/// Mended, the first lock is held for both stages.
pub async fn twostage(writers: usize, readers: usize, twin: Twin) {
    let stages = Stages {
        first: Lock::new(),
        second: Lock::new(),
        data: Shared::new("data", 0),
        next: Shared::new("next", 0),
    };
    let mut handles = Vec::new();
    for _ in 0..writers {
        handles.push(rt::spawn("writes", writes(stages.clone(), twin)).await);
    }
    for _ in 0..readers {
        handles.push(rt::spawn("reads", reads(stages.clone())).await);
    }
    rt::join_all(handles).await;
}
