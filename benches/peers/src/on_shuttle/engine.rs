//! A point, a task and its handle under shuttle.

use shuttle::sync::atomic::{AtomicBool, Ordering};
use std::future::Future;
use std::sync::Arc;

/// shuttle's spawn lets the scheduler choose before the task is there.
pub const SPAWN_IS_A_POINT: bool = true;

/// A scheduling point of one object: a read of an atomic of its own, before which shuttle chooses who goes on. Its
/// `yield_now` would not do: it takes the task's priority away.
#[derive(Clone)]
pub struct Point {
    touched: Arc<AtomicBool>,
}

impl Point {
    /// That of another object than all before.
    pub fn new() -> Point {
        Point { touched: Arc::new(AtomicBool::new(false)) }
    }

    /// Lets the scheduler choose.
    pub async fn reach(&self) {
        self.touched.load(Ordering::SeqCst);
    }
}

/// A spawned task.
pub type Handle = shuttle::future::JoinHandle<()>;

/// Spawns a task.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Handle {
    shuttle::future::spawn(future)
}

/// Waits for its end.
pub async fn join(handle: Handle) {
    if let Err(error) = handle.await {
        panic!("a task that nobody aborts ended by itself: {error}");
    }
}
