//! Pieces of work for a fixed number of workers, each piece once. Beside the queues because client-go has it there;
//! it must not know them.

use crate::sync::CancellationToken;
use crate::task::{JoinSet, yield_point};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// How many work on pieces, and how many pieces each takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallel {
    /// Workers at most.
    pub workers: NonZeroU64,
    /// Pieces that a worker takes at a time.
    pub chunk: NonZeroU64,
}

/// The pieces that nobody has taken.
struct Left {
    next: u64,
    pieces: u64,
}

/// Does each of `pieces` pieces of work once, and returns when all are done; once the token is cancelled no more begins.
/// Dropping it aborts what is under way.
///
/// # Panics
/// With what a piece panicked with.
pub async fn parallelize<F, Fut>(pieces: u64, how: Parallel, token: &CancellationToken, work: F)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let left = Arc::new(Mutex::new(Left { next: 0, pieces }));
    let work = Arc::new(work);
    let mut workers = JoinSet::new();
    for _ in 0..how.workers.get().min(pieces.div_ceil(how.chunk.get())) {
        workers.spawn(pieces_of(Arc::clone(&left), how.chunk, token.clone(), Arc::clone(&work)));
    }
    while let Some(ended) = workers.join_next().await {
        if let Err(Ok(panic)) = ended.map_err(crate::task::JoinError::try_into_panic) {
            std::panic::resume_unwind(panic);
        }
    }
}

async fn pieces_of<F, Fut>(left: Arc<Mutex<Left>>, chunk: NonZeroU64, token: CancellationToken, work: Arc<F>)
where
    F: Fn(u64) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    loop {
        yield_point("parallelize.left").await;
        let taken = take(&left, chunk);
        if taken.is_empty() {
            return;
        }
        for piece in taken {
            if token.is_cancelled() {
                return;
            }
            work(piece).await;
        }
    }
}

fn take(left: &Mutex<Left>, chunk: NonZeroU64) -> Range<u64> {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    let begin = left.next;
    left.next = begin.saturating_add(chunk.get()).min(left.pieces);
    begin..left.next
}
