//! The planted lock-and-channel deadlock of the work queue, and nothing when it is not planted. Separate so that
//! the queue reads without it; it must not hold items.
//!
//! With the bug, adding an item sends a wake token on a channel of 100 while holding the lock that the receiver
//! needs before it takes further tokens out.

use crate::sync::{Mutex, MutexGuard, Semaphore};

use super::variant::Variant;

/// Tokens that the channel holds.
const CAPACITY: usize = 100;

pub(crate) struct TokenGate {
    planted: Option<Planted>,
}

struct Planted {
    lock: Mutex<()>,
    slots: Semaphore,
    tokens: Semaphore,
}

impl TokenGate {
    pub(crate) fn new(variant: Variant) -> Self {
        let planted = (variant == Variant::TokenUnderLock).then(|| Planted {
            lock: Mutex::new(()),
            slots: Semaphore::new(CAPACITY),
            tokens: Semaphore::new(0),
        });
        TokenGate { planted }
    }

    /// Takes the lock.
    pub(crate) async fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        match &self.planted {
            Some(planted) => Some(planted.lock.lock().await),
            None => None,
        }
    }

    /// Sends a token; waits while the channel is full.
    pub(crate) async fn send_token(&self) {
        let Some(planted) = &self.planted else { return };
        if let Ok(slot) = planted.slots.acquire().await {
            slot.forget();
        }
        planted.tokens.add_permits(1);
    }

    /// Waits for a token; false at once without the bug.
    pub(crate) async fn recv_token(&self) -> bool {
        let Some(planted) = &self.planted else { return false };
        if let Ok(token) = planted.tokens.acquire().await {
            token.forget();
        }
        planted.slots.add_permits(1);
        true
    }

    /// Takes out all tokens.
    pub(crate) fn drain_tokens(&self) {
        let Some(planted) = &self.planted else { return };
        while let Ok(token) = planted.tokens.try_acquire() {
            token.forget();
            planted.slots.add_permits(1);
        }
    }

    /// Wakes every receiver.
    pub(crate) fn close(&self, receivers: usize) {
        if let Some(planted) = &self.planted {
            planted.tokens.add_permits(receivers);
        }
    }
}
