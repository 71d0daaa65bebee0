//! SCTBench circular_buffer: a receiver numbers its attempts, and takes them for the numbers of what it received.

use super::super::rt::{self, Lock, Shared, Twin};

const ROUNDS: usize = 7;

#[derive(Clone)]
struct Buffer {
    lock: Lock,
    entries: Shared<Vec<usize>>,
    first: Shared<usize>,
    may_send: Shared<bool>,
    may_receive: Shared<bool>,
}

async fn sends(buffer: Buffer) {
    for round in 0..ROUNDS {
        let _guard = buffer.lock.lock().await;
        if buffer.may_send.get().await {
            buffer.entries.update(|entries| entries.push(round)).await;
            buffer.may_send.set(false).await;
            buffer.may_receive.set(true).await;
        }
    }
}

async fn receives(buffer: Buffer, twin: Twin) {
    let mut expected = 0;
    for round in 0..ROUNDS {
        let _guard = buffer.lock.lock().await;
        if buffer.may_receive.get().await {
            let first = buffer
                .first
                .update(|first| {
                    *first += 1;
                    *first - 1
                })
                .await;
            let received = buffer.entries.get().await[first];
            if rt::is_buggy(twin) {
                rt::check(received == round, "what is received in a round was sent in that round");
            }
            rt::check(received >= expected, "what is received was sent in that order");
            expected = received + 1;
            buffer.may_receive.set(false).await;
            buffer.may_send.set(true).await;
        }
    }
}

/// Mended, the receiver expects what comes in the order in which it was sent.
pub async fn circular_buffer(twin: Twin) {
    let buffer = Buffer {
        lock: Lock::new(),
        entries: Shared::new("entries", Vec::new()),
        first: Shared::new("first", 0),
        may_send: Shared::new("may_send", true),
        may_receive: Shared::new("may_receive", false),
    };
    let handles = vec![
        rt::spawn("sends", sends(buffer.clone())).await,
        rt::spawn("receives", receives(buffer, twin)).await,
    ];
    rt::join_all(handles).await;
}
