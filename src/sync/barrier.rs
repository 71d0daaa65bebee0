//! A meeting point of n tasks, which wakes in the order of arrival.
//!
//! Its counting is its own, because tokio's wakes through `watch`, in an order drawn from the operating system's
//! entropy; the waiting is tokio's.

use super::site::Site;
use crate::choice::Label;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

const WAIT: Label = Label::new("sync.wait");

/// Lets tasks go on when n of them have come.
pub struct Barrier {
    site: Site,
    size: usize,
    arrivals: Mutex<Arrivals>,
    opened: Notify,
}

#[derive(Default)]
struct Arrivals {
    count: usize,
    generation: u64,
}

impl Barrier {
    /// For `n` tasks; 0 counts as 1.
    #[track_caller]
    pub fn new(n: usize) -> Barrier {
        Barrier {
            site: Site::new("Barrier"),
            size: n.max(1),
            arrivals: Mutex::default(),
            opened: Notify::new(),
        }
    }

    /// Waits until n tasks wait. Not safe to cancel: an arrival stays counted.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = BarrierWaitResult> {
        self.site.writing(&WAIT, async move {
            let Some(generation) = self.arrive() else {
                self.opened.notify_waiters();
                return BarrierWaitResult(true);
            };
            loop {
                let opened = self.opened.notified();
                if self.arrivals().generation > generation {
                    return BarrierWaitResult(false);
                }
                opened.await;
            }
        })
    }

    /// The generation to wait for the end of; none for the last to come.
    fn arrive(&self) -> Option<u64> {
        let mut arrivals = self.arrivals();
        arrivals.count += 1;
        if arrivals.count < self.size {
            return Some(arrivals.generation);
        }
        arrivals.count = 0;
        arrivals.generation += 1;
        None
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Whether this task was the last to come.
#[derive(Clone, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for exactly one of the n.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
