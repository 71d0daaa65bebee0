//! A queue of what is due later: items and their times in, each handed to a sink when its time has come. By itself,
//! for periodic work; a work queue keeps its deferrals in its own state, so that an add can drop one. It must not
//! know work queues.

use super::Item;
use super::deferrals::{Deferrals, Replace};
use crate::sync::{CancellationToken, Notify};
use crate::task::yield_point;
use crate::time::{Duration, Instant, sleep_until};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

const STATE: &str = "defer.state";

/// Items that are due later, one per key. Anybody adds; one task processes.
pub struct DeferQueue<T: Item> {
    state: Mutex<Deferrals<T>>,
    /// Another time is first now.
    changed: Notify,
    tick: Option<Duration>,
}

/// What became of one look at what is deferred.
enum Look<T> {
    Due(T),
    Next(Option<Instant>),
}

impl<T: Item> DeferQueue<T> {
    /// An empty one.
    pub fn new() -> Self {
        DeferQueue { state: Mutex::new(Deferrals::new()), changed: Notify::new(), tick: None }
    }

    /// As [`DeferQueue::new`]; while something is deferred it is looked at once a tick, whatever the timers say. That is
    /// insurance against timers that fail, which Consul takes every 500 ms; zero is none.
    pub fn with_tick(tick: Duration) -> Self {
        DeferQueue { tick: Some(tick).filter(|tick| !tick.is_zero()), ..DeferQueue::new() }
    }

    /// Hands an item to the sink at `until`, at once when that is past. Of several times of a key the earliest stands, or
    /// the one given last with `overrides`. False when another stands.
    pub async fn defer(&self, item: T, until: Instant, overrides: bool) -> bool {
        yield_point(STATE).await;
        let replace = if overrides { Replace::Always } else { Replace::Earlier };
        let mut state = self.lock();
        let before = state.next();
        let is_set = state.defer(item, until, replace);
        if state.next() != before {
            self.changed.notify_one();
        }
        is_set
    }

    /// Drops what is deferred for a key; whether there was something.
    pub async fn cancel(&self, key: &T::Key) -> bool {
        yield_point(STATE).await;
        let mut state = self.lock();
        let before = state.next();
        let is_cancelled = state.cancel(key).is_some();
        if state.next() != before {
            self.changed.notify_one();
        }
        is_cancelled
    }

    /// How many items are deferred.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands each item to `sink` when its time has come, those of one instant in the order in which they were deferred,
    /// until the token is cancelled. What is left stays. To be called by one task at a time.
    pub async fn process(&self, token: &CancellationToken, mut sink: impl FnMut(T)) {
        loop {
            yield_point(STATE).await;
            // After the scheduling point, so that nothing is handed out once the token is cancelled.
            if token.is_cancelled() {
                return;
            }
            match self.look() {
                Look::Due(item) => sink(item),
                Look::Next(next) => self.wait(token, next).await,
            }
        }
    }

    fn look(&self) -> Look<T> {
        let mut state = self.lock();
        match state.pop(Instant::now()) {
            Some(item) => Look::Due(item),
            None => Look::Next(state.next()),
        }
    }

    async fn wait(&self, token: &CancellationToken, next: Option<Instant>) {
        let until = next.map(|next| match self.tick {
            Some(tick) => next.min(Instant::now().saturating_add(tick)),
            None => next,
        });
        let timer = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        crate::select! {
            biased;
            () = token.cancelled() => {}
            () = self.changed.notified() => {}
            () = timer => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Deferrals<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Item> Default for DeferQueue<T> {
    fn default() -> Self {
        DeferQueue::new()
    }
}

impl<T: Item> fmt::Debug for DeferQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferQueue").field("deferred", &self.len()).finish_non_exhaustive()
    }
}
