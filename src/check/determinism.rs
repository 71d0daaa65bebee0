//! The determinism check: a share of the seeds is run a second time, later, on another thread, after other seeds.
//!
//! A difference means that something outside the simulation got in: a static, the host's clock, hash order, a
//! `tokio::select!` that was called directly.

use crate::choice::hash_bytes;
use crate::sim::Run;
use crate::trace::Digests;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// A seed that is to be run again.
#[derive(Clone, Debug)]
pub(super) struct Recheck {
    /// The thread that ran it.
    pub(super) job: usize,
    pub(super) seed: u64,
    pub(super) digests: Digests,
}

/// Whether a seed belongs to the share.
pub(super) fn is_due(seed: u64, one_in: u64) -> bool {
    one_in > 0 && hash_bytes(&seed.to_le_bytes()).is_multiple_of(one_in)
}

/// The seeds that wait for their second run, and those that differed.
#[derive(Default)]
pub(super) struct Rechecks {
    waiting: Mutex<VecDeque<Recheck>>,
    differing: Mutex<Vec<(u64, u64)>>,
}

impl Rechecks {
    /// The seeds of a chunk that is done.
    pub(super) fn add(&self, rechecks: Vec<Recheck>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(rechecks);
    }

    /// A seed that a thread other than `not_of` has run; the latest first, so that the order is another too.
    pub(super) fn take(&self, not_of: Option<usize>) -> Option<Recheck> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let index = waiting.iter().rposition(|recheck| Some(recheck.job) != not_of)?;
        waiting.remove(index)
    }

    /// Compares the second run with the first.
    pub(super) fn compare(&self, first: &Recheck, second: &Run) {
        if let Some(agreed) = first.digests.first_difference(&second.digests) {
            self.differing.lock().unwrap_or_else(PoisonError::into_inner).push((first.seed, agreed));
        }
    }

    /// The seeds that differed, in order, each with the number of events that had agreed.
    pub(super) fn into_differing(self) -> Vec<(u64, u64)> {
        let mut differing = self.differing.into_inner().unwrap_or_else(PoisonError::into_inner);
        differing.sort_unstable();
        differing
    }
}
