//! How a subscription that failed is opened again: a policy as a value, and the failures so far. Pure; separate
//! because its arithmetic is tested without any task.

use super::publisher::SubscriptionError;
use crate::time::{Duration, Instant};

/// What to do with an event of an unknown type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unhandled {
    /// The subscription fails with `unhandled event type: <T>` and is opened again like after any error.
    #[default]
    Restart,
    /// The event is logged and passed over.
    Skip,
}

/// When a subscription that failed is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// The shortest wait after a failure.
    pub wait_min: Duration,
    /// The longest.
    pub wait_max: Duration,
    /// The wait after the first failure beyond `failures_min`; it doubles with each further one.
    pub factor: Duration,
    /// So many failures are followed by the shortest wait.
    pub failures_min: u32,
    /// A failure that comes this long after the one before it counts as the first.
    pub reset_after: Duration,
    /// The wait after the publisher closed the subscription, which is no failure. Zero opens it again at once; a floor
    /// keeps a publisher that closes what it just opened from a storm.
    pub force_closed_wait: Duration,
    /// What to do with an event of an unknown type.
    pub unhandled: Unhandled,
    /// So many failures in a row are forgiven; the next one ends the run with its error. None forgives all.
    pub failures_max: Option<u32>,
}

impl Default for Supervision {
    /// Consul's: 1, 1, 2, 4, 8, 16, 20, 20 … seconds; at once after a close; for ever.
    fn default() -> Supervision {
        Supervision {
            wait_min: Duration::from_secs(1),
            wait_max: Duration::from_secs(20),
            factor: Duration::from_secs(1),
            failures_min: 1,
            reset_after: Duration::from_secs(600),
            force_closed_wait: Duration::ZERO,
            unhandled: Unhandled::Restart,
            failures_max: None,
        }
    }
}

impl Supervision {
    /// The wait after the `failures`-th failure in a row, from 1.
    pub fn wait(&self, failures: u32) -> Duration {
        let beyond = failures.saturating_sub(self.failures_min);
        if beyond == 0 {
            return self.wait_min.min(self.wait_max);
        }
        doubled(self.factor, beyond - 1).max(self.wait_min).min(self.wait_max)
    }
}

/// `base * 2^times`, or the longest there is.
pub(super) fn doubled(base: Duration, times: u32) -> Duration {
    let nanos = base.as_nanos().saturating_mul(1 << times.min(127));
    match u64::try_from(nanos / 1_000_000_000) {
        Ok(secs) => Duration::new(secs, u32::try_from(nanos % 1_000_000_000).expect("below a billion")),
        Err(_) => Duration::MAX,
    }
}

/// What follows the end of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is opened again after this time.
    Reopen(Duration),
    /// It is given up, and the run ends.
    Fatal,
}

/// The failures of one subscription so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    /// Takes in an end.
    pub(super) fn judge(&mut self, policy: &Supervision, error: &SubscriptionError, now: Instant) -> Verdict {
        if matches!(error, SubscriptionError::ForceClosed) {
            return Verdict::Reopen(policy.force_closed_wait);
        }
        if self.last.is_some_and(|last| now.saturating_duration_since(last) > policy.reset_after) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
        match policy.failures_max {
            Some(most) if self.count > most => Verdict::Fatal,
            Some(_) | None => Verdict::Reopen(policy.wait(self.count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<u64> =
            (1..10).map(|failures| Supervision::default().wait(failures).as_secs()).collect();
        assert_eq!(waits, [1, 1, 2, 4, 8, 16, 20, 20, 20]);
        assert_eq!(Supervision::default().wait(u32::MAX).as_secs(), 20);
        let slow = Supervision {
            wait_min: Duration::ZERO,
            wait_max: Duration::from_secs(3600),
            factor: Duration::from_nanos(1),
            ..Supervision::default()
        };
        assert_eq!(slow.wait(34), Duration::from_nanos(1 << 32), "far below the longest");
    }

    #[test]
    fn failures_count_anew_after_a_long_calm_and_a_close_is_none() {
        let policy = Supervision { failures_max: Some(2), ..Supervision::default() };
        let (mut failures, broken) = (Failures::default(), SubscriptionError::other("broken"));
        let at = |secs: u64| Instant::from_nanos(secs * 1_000_000_000);
        let second = Verdict::Reopen(Duration::from_secs(1));
        assert_eq!(failures.judge(&policy, &broken, at(0)), second);
        assert_eq!(
            failures.judge(&policy, &SubscriptionError::ForceClosed, at(1)),
            Verdict::Reopen(Duration::ZERO)
        );
        assert_eq!(failures.judge(&policy, &broken, at(600)), second);
        assert_eq!(failures.judge(&policy, &broken, at(1201)), second, "counted anew");
        assert_eq!(failures.judge(&policy, &broken, at(1202)), second);
        assert_eq!(failures.judge(&policy, &broken, at(1203)), Verdict::Fatal);
    }
}
