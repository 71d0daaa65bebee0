//! A point, a task and its handle under madsim.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// madsim's spawn goes on at once.
pub const SPAWN_IS_A_POINT: bool = false;

/// A scheduling point: the task lets another go on, any that is ready, and may be it itself.
#[derive(Clone)]
pub struct Point;

impl Point {
    /// madsim knows no objects.
    pub fn new() -> Point {
        Point
    }

    /// Is woken, and waits once.
    pub async fn reach(&self) {
        let mut yielded = false;
        poll_fn(|context| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// A spawned task.
pub type Handle = madsim::task::JoinHandle<()>;

/// Spawns a task.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Handle {
    madsim::task::spawn(future)
}

/// Waits for its end.
pub async fn join(handle: Handle) {
    if let Err(error) = handle.await {
        panic!("a task that nobody aborts ended by itself: {error}");
    }
}
