//! Oldest first: the baseline schedule, fair and without draws.

use super::Strategy;
use crate::choice::Ready;

/// The baseline strategy.
#[derive(Clone, Copy, Debug, Default)]
pub struct OldestFirst;

impl Strategy for OldestFirst {
    fn pick(&mut self, ready: &Ready) -> usize {
        ready.oldest()
    }

    fn lets_sites_yield(&self) -> bool {
        false
    }
}
