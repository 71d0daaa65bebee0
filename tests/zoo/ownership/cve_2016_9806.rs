//! CVE-2016-9806 (Linux netlink): two dumps store their buffer in one place under a lock, and free what is stored there
//! without it. Double free.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct Socket {
    heap: Heap,
    lock: Lock,
    buffer: Shared<Option<Pointer>>,
}

impl Socket {
    async fn free_buffer(&self) {
        if let Some(buffer) = self.buffer.get().await {
            self.heap.free(buffer).await;
        }
    }
}

async fn dumps(socket: Socket, twin: Twin) {
    let guard = socket.lock.lock().await;
    let buffer = socket.heap.allocate().await;
    socket.buffer.set(Some(buffer)).await;
    let _kept = if rt::is_buggy(twin) {
        drop(guard);
        None
    } else {
        Some(guard)
    };
    socket.free_buffer().await;
}

/// Mended, the buffer is freed under the lock.
pub async fn netlink_dump(twin: Twin) {
    let socket = Socket { heap: Heap::new(), lock: Lock::new(), buffer: Shared::new("buffer", None) };
    let handles = vec![
        rt::spawn("dumps", dumps(socket.clone(), twin)).await,
        rt::spawn("dumps", dumps(socket, twin)).await,
    ];
    rt::join_all(handles).await;
}
