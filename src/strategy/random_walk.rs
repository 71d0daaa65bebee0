//! Random walk: each ready task is as likely as any other.

use super::{Strategy, Stream};
use crate::choice::Ready;

/// The uniform strategy.
#[derive(Debug)]
pub struct RandomWalk {
    stream: Stream,
}

impl RandomWalk {
    /// A walk along `stream`.
    pub fn new(stream: Stream) -> RandomWalk {
        RandomWalk { stream }
    }

    /// The walk of a seed.
    pub(super) fn of(seed: u64) -> RandomWalk {
        RandomWalk::new(Stream::new(seed, "strategy.random-walk"))
    }
}

impl Strategy for RandomWalk {
    #[inline]
    fn pick(&mut self, ready: &Ready) -> usize {
        self.stream.below_u32(ready.len() as u32) as usize
    }
}
