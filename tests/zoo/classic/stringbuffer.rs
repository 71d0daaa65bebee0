//! stringbuffer-jdk1.4 (SCTBench): append asks another buffer for its length, and then for that many characters.
//!
//! In between, a third party erases them.

use super::super::rt::{self, Lock, Shared, Twin};

const LENGTH: usize = 3;

#[derive(Clone)]
struct Text {
    lock: Lock,
    count: Shared<usize>,
}

impl Text {
    fn new(name: &'static str, count: usize) -> Text {
        Text { lock: Lock::new(), count: Shared::new(name, count) }
    }

    async fn append(&self, other: &Text, twin: Twin) {
        let _own = self.lock.lock().await;
        let guard = other.lock.lock().await;
        let length = other.count.get().await;
        let guard = if rt::is_buggy(twin) {
            drop(guard);
            other.lock.lock().await
        } else {
            guard
        };
        rt::check(length <= other.count.get().await, "the characters that were counted are there");
        drop(guard);
        let count = self.count.get().await;
        self.count.set(count + length).await;
    }
}

async fn rewrites(text: Text) {
    for change in [0, LENGTH] {
        let _guard = text.lock.lock().await;
        text.count.get().await;
        text.count.set(change).await;
    }
}

/// Mended, the other buffer stays locked for both questions.
pub async fn stringbuffer(twin: Twin) {
    let (text, all) = (Text::new("text", LENGTH), Text::new("all", 0));
    let rewriter = rt::spawn("rewrites", rewrites(text.clone())).await;
    all.append(&text, twin).await;
    rewriter.join().await;
}
