//! CVE-2016-7911 (Linux block layer): a pointer is tested, and read again to be followed. Null dereference.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Task {
    heap: Heap,
    lock: Lock,
    context: Shared<Option<Pointer>>,
}

async fn asks(task: Task, twin: Twin) {
    let lock = (!rt::is_buggy(twin)).then_some(&task.lock);
    let _guard = rt::lock_if(lock).await;
    if task.context.get().await.is_some() {
        let context = task.context.get().await;
        task.heap.touch_at(context).await;
    }
}

async fn exits(task: Task) {
    let context = {
        let _guard = task.lock.lock().await;
        let context = task.context.get().await;
        task.context.set(None).await;
        context
    };
    task.heap.touch_at(context).await;
}

/// Mended, who asks takes the task's lock.
pub async fn io_priority(twin: Twin) {
    let heap = Heap::new();
    let context = Some(heap.allocate().await);
    let task = Task { heap, lock: Lock::new(), context: Shared::new("context", context) };
    let handles =
        vec![rt::spawn("asks", asks(task.clone(), twin)).await, rt::spawn("exits", exits(task)).await];
    rt::join_all(handles).await;
}
