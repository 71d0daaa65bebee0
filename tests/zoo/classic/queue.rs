//! SCTBench queue: a consumer numbers its attempts, and looks up under that number what it should have taken.

use super::super::rt::{self, Lock, Shared, Twin};

const ROUNDS: usize = 20;

#[derive(Clone)]
struct Queue {
    lock: Lock,
    elements: Shared<Vec<usize>>,
    head: Shared<usize>,
    /// What was stored in each round of the producer.
    stored: Shared<[Option<usize>; ROUNDS]>,
    may_enqueue: Shared<bool>,
    may_dequeue: Shared<bool>,
}

impl Queue {
    async fn enqueue(&self, value: usize, round: usize) {
        self.elements.update(|elements| elements.push(value)).await;
        self.stored.update(|stored| stored[round] = Some(value)).await;
    }
}

async fn produces(queue: Queue) {
    let mut value = 0;
    {
        let _guard = queue.lock.lock().await;
        queue.enqueue(value, 0).await;
    }
    for round in 1..ROUNDS {
        let _guard = queue.lock.lock().await;
        if queue.may_enqueue.get().await {
            value += 1;
            queue.enqueue(value, round).await;
            queue.may_enqueue.set(false).await;
            queue.may_dequeue.set(true).await;
        }
    }
}

async fn consumes(queue: Queue, twin: Twin) {
    for round in 0..ROUNDS {
        let _guard = queue.lock.lock().await;
        if queue.may_dequeue.get().await {
            let head = queue
                .head
                .update(|head| {
                    *head += 1;
                    *head - 1
                })
                .await;
            let taken = queue.elements.get().await[head];
            let stored = queue.stored.get().await;
            let expected =
                if rt::is_buggy(twin) { stored[round] } else { stored.into_iter().flatten().nth(head) };
            rt::check(Some(taken) == expected, "what is taken is what was stored");
            queue.may_dequeue.set(false).await;
            queue.may_enqueue.set(true).await;
        }
    }
}

/// Mended, the consumer looks up the number of what it takes.
pub async fn queue(twin: Twin) {
    let queue = Queue {
        lock: Lock::new(),
        elements: Shared::new("elements", Vec::new()),
        head: Shared::new("head", 0),
        stored: Shared::new("stored", [None; ROUNDS]),
        may_enqueue: Shared::new("may_enqueue", true),
        may_dequeue: Shared::new("may_dequeue", false),
    };
    let handles = vec![
        rt::spawn("produces", produces(queue.clone())).await,
        rt::spawn("consumes", consumes(queue, twin)).await,
    ];
    rt::join_all(handles).await;
}
