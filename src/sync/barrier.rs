//! A meeting point of n tasks. Outside a simulation tokio's; inside one its own, because tokio's wakes through
//! `watch` in an order drawn from the operating system's entropy.

use super::site::Site;
use crate::choice::Label;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tokio::sync as inner;

const WAIT: Label = Label::new("sync.wait");

/// Lets tasks go on when n of them have come.
pub struct Barrier {
    site: Site,
    inner: Inner,
}

enum Inner {
    Tokio(inner::Barrier),
    Simulated(Meeting),
}

/// A barrier that wakes in the order of arrival.
struct Meeting {
    size: usize,
    arrivals: Mutex<Arrivals>,
    opened: inner::Notify,
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
        let site = Site::new("Barrier");
        let inner = if site.is_simulated() {
            Inner::Simulated(Meeting {
                size: n.max(1),
                arrivals: Mutex::default(),
                opened: inner::Notify::new(),
            })
        } else {
            Inner::Tokio(inner::Barrier::new(n))
        };
        Barrier { site, inner }
    }

    /// Waits until n tasks wait. Not safe to cancel: an arrival stays counted.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = BarrierWaitResult> {
        self.site.writing(&WAIT, async move {
            BarrierWaitResult(match &self.inner {
                Inner::Tokio(barrier) => barrier.wait().await.is_leader(),
                Inner::Simulated(meeting) => meeting.wait().await,
            })
        })
    }
}

impl Meeting {
    async fn wait(&self) -> bool {
        let Some(generation) = self.arrive() else {
            self.opened.notify_waiters();
            return true;
        };
        loop {
            let opened = self.opened.notified();
            if self.generation() > generation {
                return false;
            }
            opened.await;
        }
    }

    /// The generation to wait for the end of; none for the last to come.
    fn arrive(&self) -> Option<u64> {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        arrivals.count += 1;
        if arrivals.count < self.size {
            return Some(arrivals.generation);
        }
        arrivals.count = 0;
        arrivals.generation += 1;
        None
    }

    fn generation(&self) -> u64 {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .generation
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("site", &self.site)
            .finish_non_exhaustive()
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
