//! SCTBench stack: who pops trusts a flag that says that something was pushed once.

use super::super::rt::{self, Lock, Shared, Twin};

const SIZE: usize = 10;

#[derive(Clone)]
struct Stack {
    lock: Lock,
    entries: Shared<Vec<usize>>,
    top: Shared<usize>,
    pushed: Shared<bool>,
}

async fn pushes(stack: Stack) {
    for number in 0..SIZE {
        let _guard = stack.lock.lock().await;
        let top = stack.top.get().await;
        rt::check(top < SIZE, "the stack has room");
        stack.entries.update(|entries| entries[top] = number).await;
        stack.top.set(top + 1).await;
        stack.pushed.set(true).await;
    }
}

async fn pops(stack: Stack, twin: Twin) {
    for _ in 0..SIZE {
        let _guard = stack.lock.lock().await;
        let some = if rt::is_buggy(twin) { stack.pushed.get().await } else { stack.top.get().await > 0 };
        if some {
            let top = stack.top.get().await;
            rt::check(top > 0, "the stack is not empty");
            stack.top.set(top - 1).await;
            stack.entries.get().await;
        }
    }
}

/// Mended, it looks at the stack itself.
pub async fn stack(twin: Twin) {
    let stack = Stack {
        lock: Lock::new(),
        entries: Shared::new("entries", vec![0; SIZE]),
        top: Shared::new("top", 0),
        pushed: Shared::new("pushed", false),
    };
    let handles =
        vec![rt::spawn("pushes", pushes(stack.clone())).await, rt::spawn("pops", pops(stack, twin)).await];
    rt::join_all(handles).await;
}
