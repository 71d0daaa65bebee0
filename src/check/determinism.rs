//! The determinism check: a share of the runs is made a second time, later, on another thread, after other runs.
//!
//! A difference means that something outside the simulation got in: a static, the host's clock, hash order, a
//! `tokio::select!` that was called directly.

use super::tally::Origin;
use crate::choice::hash_bytes;
use crate::sim::Run;
use crate::trace::Digests;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Runs that wait for another thread, at most, where there is none as long as the sweep lasts.
const WAITING_MAX: usize = 4_096;

/// A run that is to be made again.
#[derive(Clone, Debug)]
pub(super) struct Recheck {
    /// The thread that made it.
    pub(super) job: usize,
    /// Which run of the sweep, from 0.
    pub(super) index: u64,
    pub(super) origin: Origin,
    pub(super) digests: Digests,
}

/// A run that was another one the second time.
#[derive(Clone, Debug)]
pub(super) struct Differing {
    /// Which run of the sweep, from 0.
    pub(super) index: u64,
    pub(super) origin: Origin,
    /// The number of events that had agreed.
    pub(super) agreed: u64,
}

/// Which of the waiting runs a thread takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Take {
    /// Those of other threads, the latest first, so that the order is another too.
    NotOf(usize),
    /// The oldest of those that are too many to wait.
    Surplus,
    /// Any, the latest first.
    Any,
}

/// Whether a seed, or a number of a run, belongs to the share.
pub(super) fn is_due(number: u64, one_in: u64) -> bool {
    one_in > 0 && hash_bytes(&number.to_le_bytes()).is_multiple_of(one_in)
}

/// The runs that wait to be made again, and those that differed.
#[derive(Default)]
pub(super) struct Rechecks {
    waiting: Mutex<VecDeque<Recheck>>,
    differing: Mutex<Vec<Differing>>,
}

impl Rechecks {
    /// Runs that are done.
    pub(super) fn add(&self, rechecks: impl IntoIterator<Item = Recheck>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(rechecks);
    }

    /// The next run to make again.
    pub(super) fn take(&self, which: Take) -> Option<Recheck> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match which {
            Take::NotOf(job) => {
                let index = waiting.iter().rposition(|recheck| recheck.job != job)?;
                waiting.remove(index)
            }
            Take::Surplus if waiting.len() > WAITING_MAX => waiting.pop_front(),
            Take::Surplus => None,
            Take::Any => waiting.pop_back(),
        }
    }

    /// Compares the second run with the first.
    pub(super) fn compare(&self, first: Recheck, second: &Run) {
        if let Some(agreed) = first.digests.first_difference(&second.digests) {
            let differing = Differing { index: first.index, origin: first.origin, agreed };
            self.differing.lock().unwrap_or_else(PoisonError::into_inner).push(differing);
        }
    }

    /// The runs that differed, in order.
    pub(super) fn into_differing(self) -> Vec<Differing> {
        let mut differing = self.differing.into_inner().unwrap_or_else(PoisonError::into_inner);
        differing.sort_unstable_by_key(|differing| differing.index);
        differing
    }
}
