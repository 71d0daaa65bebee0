//! CVE-2013-1792 (Linux keys): two key rings are installed one after the other, and whoever looks in between takes the
//! first for both. Null dereference.

use super::super::rt::{self, Lock, Shared, Twin};
use super::heap::{Heap, Pointer};

#[derive(Clone)]
struct User {
    heap: Heap,
    lock: Lock,
    uid_keyring: Shared<Option<Pointer>>,
    session_keyring: Shared<Option<Pointer>>,
    twin: Twin,
}

impl User {
    async fn is_installed(&self) -> bool {
        let uid = self.uid_keyring.get().await.is_some();
        uid && (rt::is_buggy(self.twin) || self.session_keyring.get().await.is_some())
    }

    async fn install(&self) {
        if self.is_installed().await {
            return;
        }
        let _guard = self.lock.lock().await;
        if self.uid_keyring.get().await.is_none() {
            let (uid, session) = (self.heap.allocate().await, self.heap.allocate().await);
            self.uid_keyring.set(Some(uid)).await;
            self.session_keyring.set(Some(session)).await;
        }
    }
}

async fn looks_up(user: User) {
    if user.session_keyring.get().await.is_none() {
        user.install().await;
    }
    let session = user.session_keyring.get().await;
    user.heap.touch_at(session).await;
}

async fn installs(user: User) {
    user.install().await;
}

/// Mended, both rings must be there.
pub async fn keys_of_user(twin: Twin) {
    let user = User {
        heap: Heap::new(),
        lock: Lock::new(),
        uid_keyring: Shared::new("uid_keyring", None),
        session_keyring: Shared::new("session_keyring", None),
        twin,
    };
    let handles = vec![
        rt::spawn("looks up", looks_up(user.clone())).await,
        rt::spawn("installs", installs(user)).await,
    ];
    rt::join_all(handles).await;
}
