//! WSQ (CHESS WorkStealQueue, as in SCTBench): the owner pushes and pops at the tail, a thief takes from the head.
//!
//! A push must leave one place free, as a thief may have moved the head and not taken its element yet. This one does not.

use super::super::rt::{self, Lock, Shared, Twin};

const ITEMS: usize = 4;
const ATTEMPTS: usize = 2;

/// The array; its length is a power of two.
type Elements = Vec<usize>;

#[derive(Clone)]
struct Deque {
    /// Of thieves, and of the owner when the two ends meet.
    lock: Lock,
    head: Shared<i64>,
    tail: Shared<i64>,
    elements: Shared<Elements>,
    twin: Twin,
}

fn place(elements: &Elements, index: i64) -> usize {
    index.rem_euclid(elements.len() as i64) as usize
}

impl Deque {
    async fn read(&self, index: i64) -> usize {
        let elements = self.elements.get().await;
        elements[place(&elements, index)]
    }

    async fn write(&self, index: i64, item: usize) {
        self.elements
            .update(|elements| {
                let place = place(elements, index);
                elements[place] = item
            })
            .await;
    }

    async fn steal(&self) -> Option<usize> {
        let _guard = self.lock.lock().await;
        let head = self.head.get().await;
        self.head.set(head + 1).await;
        if head < self.tail.get().await {
            return Some(self.read(head).await);
        }
        self.head.set(head).await;
        None
    }

    async fn pop(&self) -> Option<usize> {
        let tail = self.tail.get().await - 1;
        self.tail.set(tail).await;
        if self.head.get().await <= tail {
            return Some(self.read(tail).await);
        }
        self.tail.set(tail + 1).await;
        let _guard = self.lock.lock().await;
        let tail = self.tail.get().await - 1;
        self.tail.set(tail).await;
        let found = match self.head.get().await <= tail {
            true => Some(self.read(tail).await),
            false => {
                self.tail.set(tail + 1).await;
                None
            }
        };
        if self.head.get().await > tail {
            self.head.set(0).await;
            self.tail.set(0).await;
            return None;
        }
        found
    }

    async fn push(&self, item: usize) {
        let tail = self.tail.get().await;
        let size = self.elements.get().await.len() as i64;
        let kept_free = if rt::is_buggy(self.twin) { 0 } else { 1 };
        if tail < self.head.get().await + size - kept_free {
            self.write(tail, item).await;
            self.tail.set(tail + 1).await;
            return;
        }
        self.push_alone(item).await;
    }

    /// Without thieves: makes room if there is none.
    async fn push_alone(&self, item: usize) {
        let _guard = self.lock.lock().await;
        let head = self.head.get().await;
        let count = self.tail.get().await - head;
        let elements = self.elements.get().await;
        let size = elements.len() as i64;
        let head = head.rem_euclid(size);
        self.head.set(head).await;
        self.tail.set(head + count).await;
        if count >= size - 1 {
            let kept = (0..count).map(|nth| elements[place(&elements, head + nth)]);
            let mut larger: Elements = kept.collect();
            larger.resize(2 * elements.len(), 0);
            self.elements.set(larger).await;
            self.head.set(0).await;
            self.tail.set(count).await;
        }
        let tail = self.tail.get().await;
        self.write(tail, item).await;
        self.tail.set(tail + 1).await;
    }
}

async fn done(items: &[Shared<u32>], item: Option<usize>) {
    if let Some(item) = item {
        items[item].update(|times| *times += 1).await;
    }
}

async fn steals(deque: Deque, items: Vec<Shared<u32>>) {
    for _ in 0..ATTEMPTS {
        done(&items, deque.steal().await).await;
    }
}

/// Mended, a push leaves one place free.
pub async fn wsq(twin: Twin) {
    let items: Vec<Shared<u32>> = (0..ITEMS).map(|row| Shared::row("item", row as u64, 0)).collect();
    let deque = Deque {
        lock: Lock::new(),
        head: Shared::new("head", 0),
        tail: Shared::new("tail", 0),
        elements: Shared::new("elements", vec![0; 2]),
        twin,
    };
    let thief = rt::spawn("steals", steals(deque.clone(), items.clone())).await;
    for pair in 0..ITEMS / 2 {
        deque.push(2 * pair).await;
        deque.push(2 * pair + 1).await;
        done(&items, deque.pop().await).await;
    }
    for _ in 0..ITEMS / 2 {
        done(&items, deque.pop().await).await;
    }
    thief.join().await;
    for item in &items {
        rt::check(item.get().await == 1, "each item is worked on once");
    }
}
