//! SCTBench reorder_N: setters write `a`, then `b`; a checker sees the one write and not the other.
//!
//! It needs a setter between its two writes while no other has come further, and the checker there just then: depth two
//! in priorities, and all but impossible for a walk when there are many setters.

use super::super::rt::{self, Lock, Shared, Twin};

async fn sets(a: Shared<i32>, b: Shared<i32>, together: Option<Lock>) {
    let _guard = rt::lock_if(together.as_ref()).await;
    a.set(1).await;
    b.set(-1).await;
}

async fn checks(a: Shared<i32>, b: Shared<i32>, together: Option<Lock>) {
    let _guard = rt::lock_if(together.as_ref()).await;
    let both = (a.get().await == 0 && b.get().await == 0) || (a.get().await == 1 && b.get().await == -1);
    rt::check(both, "both were written, or none");
}

/// Mended, a lock makes one step of the two writes, and of the looks.
pub async fn reorder(setters: usize, checkers: usize, twin: Twin) {
    let (a, b) = (Shared::new("a", 0), Shared::new("b", 0));
    let together = (!rt::is_buggy(twin)).then(Lock::new);
    let mut handles = Vec::new();
    for _ in 0..setters {
        handles.push(rt::spawn("sets", sets(a.clone(), b.clone(), together.clone())).await);
    }
    for _ in 0..checkers {
        handles.push(rt::spawn("checks", checks(a.clone(), b.clone(), together.clone())).await);
    }
    rt::join_all(handles).await;
}
