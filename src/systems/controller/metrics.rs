//! What a queue measures, as client-go names it. Counters follow each operation; what ages by itself is computed
//! when it is read, so that nothing ticks in an idle world. It must not know the queue.

use crate::time::{Duration, Instant};

/// Upper bounds of the buckets of a [`Distribution`], in nanoseconds: 10 ns to 10 s by tens; above is one more.
const BOUNDS: [u64; 10] =
    [10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000];

/// Durations that were observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: Duration,
    /// The longest.
    pub max: Duration,
    /// The one observed last.
    pub last: Duration,
    /// How many were at most 10 ns, 100 ns … 10 s, and longer; each counts once.
    pub buckets: [u64; BOUNDS.len() + 1],
}

impl Distribution {
    /// Counts a duration.
    pub fn observe(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count += 1;
        self.sum = self.sum.saturating_add(duration);
        self.max = self.max.max(duration);
        self.last = duration;
        self.buckets[BOUNDS.partition_point(|bound| *bound < nanos)] += 1;
    }
}

/// What a queue measured, at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Keys that are wanted and not taken: queued, or dirty while they are processed.
    pub depth: u64,
    /// Adds that made a key wanted; one that was wanted already is not counted.
    pub adds: u64,
    /// Adds that were asked to happen later.
    pub retries: u64,
    /// From wanted to taken.
    pub latency: Distribution,
    /// From taken to done.
    pub work: Distribution,
    /// How long all that is being processed has been, in sum. Stands still once the queue is stopped.
    pub unfinished: Duration,
    /// How long the oldest of it has been. Stands still once the queue is stopped.
    pub longest_running: Duration,
}

impl Metrics {
    /// Fills in what ages: `since` is when each key in somebody's hands was taken.
    pub(super) fn age(&mut self, since: impl Iterator<Item = Instant>, now: Instant) {
        let ages = since.map(|since| now.duration_since(since));
        (self.unfinished, self.longest_running) = ages
            .fold((Duration::ZERO, Duration::ZERO), |(sum, longest), age| {
                (sum.saturating_add(age), longest.max(age))
            });
    }
}
