//! CVE-2017-6346 (Linux packet sockets): two calls put their object into one place, and clean up what they find there.
//! Use after free, double free, or null dereference.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Socket {
    heap: Heap,
    rollover: Shared<Option<Pointer>>,
    /// What mends it, held over the whole call; the other is held where nothing is shared.
    call: Option<Lock>,
    fanout: Lock,
}

async fn adds(socket: Socket) {
    let _call = rt::lock_if(socket.call.as_ref()).await;
    let rollover = socket.heap.allocate().await;
    socket.rollover.set(Some(rollover)).await;
    socket.heap.touch_at(socket.rollover.get().await).await;
    // The call finds that it is not allowed.
    drop(socket.fanout.lock().await);
    if let Some(rollover) = socket.rollover.get().await {
        socket.heap.free(rollover).await;
    }
    socket.rollover.set(None).await;
}

/// Mended, a lock is held over the call.
pub async fn fanout_add(twin: Twin) {
    let socket = Socket {
        heap: Heap::new(),
        rollover: Shared::new("rollover", None),
        call: (!rt::is_buggy(twin)).then(Lock::new),
        fanout: Lock::new(),
    };
    let handles = vec![rt::spawn("adds", adds(socket.clone())).await, rt::spawn("adds", adds(socket)).await];
    rt::join_all(handles).await;
}
