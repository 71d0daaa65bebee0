//! Uniform walk: at each scheduling point each task that can run, the running one too, is as likely as any other.
//!
//! What the literature calls naive random. Unlike the random walk, which asks each site how often it yields, it gives
//! every interleaving of marked accesses a chance that does not depend on the sites.

use super::{Strategy, Stream};
use crate::choice::Ready;

/// The strategy.
#[derive(Debug)]
pub struct UniformWalk {
    stream: Stream,
    /// Who was drawn at the point where the running task yields.
    drawn: Option<u32>,
}

impl UniformWalk {
    /// A walk along `stream`.
    pub fn new(stream: Stream) -> UniformWalk {
        UniformWalk { stream, drawn: None }
    }
}

impl Strategy for UniformWalk {
    fn pick(&mut self, ready: &Ready) -> usize {
        let drawn = self.drawn.take();
        let drawn = drawn.and_then(|task| ready.entries().iter().position(|entry| entry.serial == task));
        drawn.unwrap_or_else(|| self.stream.below_u32(ready.len() as u32) as usize)
    }

    fn yields(&mut self, task: u32, ready: &Ready) -> Option<bool> {
        let others = ready.entries().iter().filter(|entry| entry.serial != task);
        let drawn = self.stream.below_u32(1 + others.clone().count() as u32) as usize;
        self.drawn =
            drawn.checked_sub(1).and_then(|drawn| others.clone().nth(drawn)).map(|entry| entry.serial);
        Some(drawn > 0)
    }

    fn listens(&self) -> bool {
        true
    }
}
