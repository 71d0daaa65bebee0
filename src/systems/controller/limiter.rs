//! Rate limiters: how long to wait before a key is tried again. Each counts for itself and is asked under the lock
//! of its queue; it must not know queues.

use super::Variant;
use crate::time::{Duration, Instant};
use std::collections::BTreeMap;

/// The first delay of a controller, unless told otherwise.
pub const BASE_DEFAULT: Duration = Duration::from_millis(5);
/// Its longest delay.
pub const MAX_DEFAULT: Duration = Duration::from_secs(1000);
/// Retries a second, of all keys together, that client-go allows by default.
const RATE_DEFAULT: u32 = 10;
/// Retries that client-go allows at once.
const BURST_DEFAULT: u32 = 100;
/// Parts that the spread of a jitter is divided into.
const JITTER_PARTS: u64 = 1 << 10;

/// Says how long to wait before a key is tried again.
pub trait Limiter<K>: Send {
    /// The delay before the next try, which counts as a failure.
    fn next_retry(&mut self, key: &K) -> Duration;

    /// Forgets the failures of a key; of an unknown one is fine.
    fn forget(&mut self, key: &K);

    /// The failures of a key since they were forgotten.
    fn num_requeues(&self, key: &K) -> u32;

    /// What every delay can be computed from, if it can: each delay is judged by it then.
    fn curve(&self) -> Option<Curve> {
        None
    }
}

/// The delay after `n` failures is `base · 2ⁿ`, at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    /// The first delay.
    pub base: Duration,
    /// The longest.
    pub max: Duration,
}

/// A limiter that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimiterError {
    /// The first delay is zero: every retry would be immediate.
    #[error("the base delay is 0, so every retry would be immediate: give one above 0")]
    ZeroBase,
    /// The first delay is above the longest.
    #[error("the base delay {base:?} is above the longest delay {max:?}: every delay would be the longest")]
    BaseAboveMax {
        /// The first delay.
        base: Duration,
        /// The longest.
        max: Duration,
    },
    /// The quick delay is above the slow one.
    #[error("the fast delay {fast:?} is above the slow delay {slow:?}")]
    FastAboveSlow {
        /// The delay of the first retries.
        fast: Duration,
        /// The delay of the others.
        slow: Duration,
    },
    /// No tokens ever come, or none fit.
    #[error("a bucket needs a rate and a burst of at least 1, and a rate of at most 1000000000 a second")]
    EmptyBucket,
    /// There is no limiter to ask.
    #[error("the longest of no delays was asked for: give at least one limiter")]
    NoLimiters,
    /// The spread is zero or above the delay itself.
    #[error("a jitter of {percent} % was asked for: give 1 to 100")]
    Jitter {
        /// What was given.
        percent: u32,
    },
}

/// Failures by key.
#[derive(Clone, Debug)]
struct Failures<K> {
    counts: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Failures<K> {
    fn new() -> Self {
        Failures { counts: BTreeMap::new() }
    }

    /// Counts one more; how many there were before.
    fn count(&mut self, key: &K) -> u32 {
        if let Some(count) = self.counts.get_mut(key) {
            *count = count.saturating_add(1);
            return *count - 1;
        }
        self.counts.insert(key.clone(), 1);
        0
    }

    fn forget(&mut self, key: &K) {
        self.counts.remove(key);
    }

    fn of(&self, key: &K) -> u32 {
        self.counts.get(key).copied().unwrap_or(0)
    }
}

/// The n-th delay of a key is `base · 2ⁿ`, at most `max`.
#[derive(Clone, Debug)]
pub struct Exponential<K> {
    base: Duration,
    max: Duration,
    arithmetic: Arithmetic,
    failures: Failures<K>,
}

#[derive(Clone, Copy, Debug)]
enum Arithmetic {
    Saturating,
    Float,
}

impl<K: Ord + Clone> Exponential<K> {
    /// From `base`, doubling, to `max`.
    ///
    /// # Errors
    /// `base` is zero or above `max`.
    pub fn new(base: Duration, max: Duration) -> Result<Self, LimiterError> {
        if base.is_zero() {
            return Err(LimiterError::ZeroBase);
        }
        if base > max {
            return Err(LimiterError::BaseAboveMax { base, max });
        }
        Ok(Exponential::unchecked(base, max))
    }

    /// As [`Exponential::new`] without validation, as Consul and client-go do: a base of zero never waits, and one
    /// above `max` always waits `max`.
    pub fn unchecked(base: Duration, max: Duration) -> Self {
        Exponential { base, max, arithmetic: Arithmetic::Saturating, failures: Failures::new() }
    }

    /// As [`Exponential::unchecked`], computed in floating point as Consul and client-go do on amd64: the delay that is
    /// exactly 2⁶³ ns passes the guard, turns negative, and the retry is immediate.
    pub fn float_parity(base: Duration, max: Duration) -> Self {
        Exponential { base, max, arithmetic: Arithmetic::Float, failures: Failures::new() }
    }

    /// As [`Exponential::unchecked`], with a planted bug.
    #[doc(hidden)]
    pub fn planted(base: Duration, max: Duration, variant: Variant) -> Self {
        match variant {
            Variant::NegativeBackoff => Exponential::float_parity(base, max),
            _ => Exponential::unchecked(base, max),
        }
    }

    /// Consul's defaults: 5 ms to 1000 s.
    pub fn consul_default() -> Self {
        Exponential::unchecked(BASE_DEFAULT, MAX_DEFAULT)
    }
}

impl<K: Ord + Clone + Send> Limiter<K> for Exponential<K> {
    fn next_retry(&mut self, key: &K) -> Duration {
        let before = self.failures.count(key);
        match self.arithmetic {
            Arithmetic::Saturating => saturating(self.base, self.max, before),
            Arithmetic::Float => float(self.base, self.max, before),
        }
    }

    fn forget(&mut self, key: &K) {
        self.failures.forget(key);
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.failures.of(key)
    }

    fn curve(&self) -> Option<Curve> {
        match self.arithmetic {
            Arithmetic::Saturating => Some(Curve { base: self.base, max: self.max }),
            Arithmetic::Float => None,
        }
    }
}

/// `base · 2ⁿ`, at most `max`.
fn saturating(base: Duration, max: Duration, failures: u32) -> Duration {
    let delay = 1_u128.checked_shl(failures).and_then(|factor| base.as_nanos().checked_mul(factor));
    match delay {
        Some(nanos) if nanos < max.as_nanos() => Duration::from_nanos_u128(nanos),
        Some(_) => max,
        None if base.is_zero() => Duration::ZERO,
        None => max,
    }
}

/// The same in floating point; a negative result waits not at all. Multiplying by two is exact, so this is what every
/// machine computes.
fn float(base: Duration, max: Duration, failures: u32) -> Duration {
    const TOO_MUCH: f64 = 9_223_372_036_854_775_808.0;
    let mut delay = base.as_nanos() as f64;
    for _ in 0..failures.min(2_000) {
        delay *= 2.0;
    }
    if delay > TOO_MUCH {
        return max;
    }
    if delay == TOO_MUCH {
        return Duration::ZERO;
    }
    Duration::from_nanos(delay as u64).min(max)
}

/// The first retries of a key are fast, the others slow.
#[derive(Clone, Debug)]
pub struct FastSlow<K> {
    fast: Duration,
    slow: Duration,
    fast_max: u32,
    failures: Failures<K>,
}

impl<K: Ord + Clone> FastSlow<K> {
    /// `fast` for the first `fast_max` retries, then `slow`.
    ///
    /// # Errors
    /// `fast` is above `slow`.
    pub fn new(fast: Duration, slow: Duration, fast_max: u32) -> Result<Self, LimiterError> {
        if fast > slow {
            return Err(LimiterError::FastAboveSlow { fast, slow });
        }
        Ok(FastSlow::unchecked(fast, slow, fast_max))
    }

    /// As [`FastSlow::new`] without validation.
    pub fn unchecked(fast: Duration, slow: Duration, fast_max: u32) -> Self {
        FastSlow { fast, slow, fast_max, failures: Failures::new() }
    }
}

impl<K: Ord + Clone + Send> Limiter<K> for FastSlow<K> {
    fn next_retry(&mut self, key: &K) -> Duration {
        if self.failures.count(key) < self.fast_max { self.fast } else { self.slow }
    }

    fn forget(&mut self, key: &K) {
        self.failures.forget(key);
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.failures.of(key)
    }
}

/// A token bucket for all keys together: `burst` retries at once, then `rate` a second. It counts no failures.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Between two tokens.
    every: u64,
    burst: u32,
    /// When the bucket will be full; in nanoseconds, because that may lie before the start.
    full_at: i128,
}

impl Bucket {
    /// `burst` retries at once, then `rate` a second.
    ///
    /// # Errors
    /// One of them is zero, or the rate is above one a nanosecond.
    pub fn new(rate: u32, burst: u32) -> Result<Self, LimiterError> {
        if burst == 0 || rate == 0 || rate > 1_000_000_000 {
            return Err(LimiterError::EmptyBucket);
        }
        Ok(Bucket { every: 1_000_000_000 / u64::from(rate), burst, full_at: i128::MIN })
    }
}

impl<K> Limiter<K> for Bucket {
    fn next_retry(&mut self, _key: &K) -> Duration {
        let now = Instant::now().since_start().as_nanos() as i128;
        let every = i128::from(self.every);
        self.full_at = self.full_at.max(now) + every;
        let missing = self.full_at - now - every * i128::from(self.burst);
        Duration::from_nanos(u64::try_from(missing.max(0)).unwrap_or(u64::MAX))
    }

    fn forget(&mut self, _key: &K) {}

    fn num_requeues(&self, _key: &K) -> u32 {
        0
    }
}

/// The longest delay of several limiters; each of them is asked.
pub struct MaxOf<K> {
    limiters: Vec<Box<dyn Limiter<K>>>,
}

impl<K: Ord + Clone + Send + 'static> MaxOf<K> {
    /// The longest delay of these.
    ///
    /// # Errors
    /// There is none.
    pub fn new(limiters: Vec<Box<dyn Limiter<K>>>) -> Result<Self, LimiterError> {
        if limiters.is_empty() { Err(LimiterError::NoLimiters) } else { Ok(MaxOf { limiters }) }
    }

    /// client-go's defaults: 5 ms to 1000 s by key, and for all together 10 a second and 100 at once.
    pub fn client_go_default() -> Self {
        let bucket = Bucket::new(RATE_DEFAULT, BURST_DEFAULT).expect("the defaults are above zero");
        MaxOf { limiters: vec![Box::new(Exponential::consul_default()), Box::new(bucket)] }
    }
}

impl<K> Limiter<K> for MaxOf<K> {
    fn next_retry(&mut self, key: &K) -> Duration {
        self.limiters.iter_mut().map(|limiter| limiter.next_retry(key)).max().unwrap_or(Duration::ZERO)
    }

    fn forget(&mut self, key: &K) {
        self.limiters.iter_mut().for_each(|limiter| limiter.forget(key));
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.limiters.iter().map(|limiter| limiter.num_requeues(key)).max().unwrap_or(0)
    }
}

/// Another limiter, but no delay is above a longest.
#[derive(Clone, Debug)]
pub struct MaxWait<L> {
    limiter: L,
    max: Duration,
}

impl<L> MaxWait<L> {
    /// The delays of `limiter`, at most `max`.
    pub fn new(limiter: L, max: Duration) -> Self {
        MaxWait { limiter, max }
    }
}

impl<K, L: Limiter<K>> Limiter<K> for MaxWait<L> {
    fn next_retry(&mut self, key: &K) -> Duration {
        self.limiter.next_retry(key).min(self.max)
    }

    fn forget(&mut self, key: &K) {
        self.limiter.forget(key);
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.limiter.num_requeues(key)
    }
}

/// Another limiter, each delay longer by a random part of it. In a simulation the part is a choice; none is the baseline.
#[derive(Clone, Debug)]
pub struct Jittered<L> {
    limiter: L,
    percent: u32,
}

impl<L> Jittered<L> {
    /// The delays of `limiter`, each up to `percent` longer.
    ///
    /// # Errors
    /// The percentage is not 1 to 100.
    pub fn new(limiter: L, percent: u32) -> Result<Self, LimiterError> {
        if !(1..=100).contains(&percent) {
            return Err(LimiterError::Jitter { percent });
        }
        Ok(Jittered { limiter, percent })
    }
}

impl<K, L: Limiter<K>> Limiter<K> for Jittered<L> {
    fn next_retry(&mut self, key: &K) -> Duration {
        let delay = self.limiter.next_retry(key);
        let part = crate::rand::rng_at("limiter.jitter").below(JITTER_PARTS);
        let spread = delay.as_nanos() * u128::from(self.percent) * u128::from(part);
        let extra = spread / (100 * u128::from(JITTER_PARTS));
        delay.saturating_add(Duration::from_nanos_u128(extra))
    }

    fn forget(&mut self, key: &K) {
        self.limiter.forget(key);
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.limiter.num_requeues(key)
    }
}

impl<K> Limiter<K> for Box<dyn Limiter<K>> {
    fn next_retry(&mut self, key: &K) -> Duration {
        (**self).next_retry(key)
    }

    fn forget(&mut self, key: &K) {
        (**self).forget(key);
    }

    fn num_requeues(&self, key: &K) -> u32 {
        (**self).num_requeues(key)
    }

    fn curve(&self) -> Option<Curve> {
        (**self).curve()
    }
}

/// A planted bug: every key is counted as the first that was seen.
pub(super) struct Shared<K> {
    pub(super) limiter: Box<dyn Limiter<K>>,
    pub(super) first: Option<K>,
}

impl<K: Clone + Send> Limiter<K> for Shared<K> {
    fn next_retry(&mut self, key: &K) -> Duration {
        let first = self.first.get_or_insert_with(|| key.clone());
        self.limiter.next_retry(first)
    }

    fn forget(&mut self, key: &K) {
        self.limiter.forget(self.first.as_ref().unwrap_or(key));
    }

    fn num_requeues(&self, key: &K) -> u32 {
        self.limiter.num_requeues(self.first.as_ref().unwrap_or(key))
    }
}
