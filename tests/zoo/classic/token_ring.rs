//! SCTBench token_ring: each stage copies from the stage before, and is right only if that one came first.

use super::super::rt::{self, Lock, Shared, Twin};

#[derive(Clone)]
struct Ring {
    atomic: Lock,
    tokens: [Shared<i32>; 3],
    done: [Shared<bool>; 3],
}

/// The first adds one to the last's token; the others copy.
async fn passes(ring: Ring, stage: usize, twin: Twin) {
    let _guard = ring.atomic.lock().await;
    if stage > 0 && !rt::is_buggy(twin) && !ring.done[stage - 1].get().await {
        return;
    }
    let before = ring.tokens[(stage + 2) % 3].get().await;
    let token = if stage == 0 { (before + 1) % 4 } else { before };
    ring.tokens[stage].set(token).await;
    ring.done[stage].set(true).await;
}

async fn checks(ring: Ring) {
    let _guard = ring.atomic.lock().await;
    for done in &ring.done {
        if !done.get().await {
            return;
        }
    }
    let [first, second, third] = &ring.tokens;
    let equal = first.get().await == second.get().await && second.get().await == third.get().await;
    rt::check(equal, "the token went round");
}

/// Mended, a stage whose predecessor has not passed the token has none to pass.
pub async fn token_ring(twin: Twin) {
    let token = |row: u64, value| Shared::row("token", row, value);
    let ring = Ring {
        atomic: Lock::new(),
        tokens: [token(0, 1), token(1, 2), token(2, 1)],
        done: [0, 1, 2].map(|row| Shared::row("done", row, false)),
    };
    let mut handles = Vec::new();
    for stage in 0..3 {
        handles.push(rt::spawn("passes", passes(ring.clone(), stage, twin)).await);
    }
    handles.push(rt::spawn("checks", checks(ring)).await);
    rt::join_all(handles).await;
}
