//! SCTBench reorder_N: N - 1 setters write `a`, then `b`; a checker that runs last sees the one write and not the other.
//!
//! It needs every setter to have begun no more than its first write when the checker looks: depth two in priorities, and
//! all but impossible for a walk when there are many setters.

use super::super::Twin;
use super::super::rt::{self, Lock, Shared};

async fn set(a: Shared<i32>, b: Shared<i32>, together: Option<Lock>) {
    let _guard = match &together {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    a.set(1).await;
    b.set(-1).await;
}

async fn look(a: Shared<i32>, b: Shared<i32>, together: Option<Lock>) {
    let _guard = match &together {
        Some(lock) => Some(lock.lock().await),
        None => None,
    };
    let seen = (a.get().await, b.get().await);
    rt::check(seen == (0, 0) || seen == (1, -1), "a and b are written together");
}

/// So many setters, and one checker. Mended, a lock makes the two writes and the two reads one step each.
pub async fn reorder(setters: usize, twin: Twin) {
    let (a, b) = (Shared::new("a", 0), Shared::new("b", 0));
    let together = (!rt::is_buggy(twin)).then(Lock::new);
    let mut handles = Vec::new();
    for _ in 0..setters {
        handles.push(rt::spawn("setter", set(a.clone(), b.clone(), together.clone())).await);
    }
    handles.push(rt::spawn("checker", look(a, b, together)).await);
    rt::join_all(handles).await;
}
