//! Periodic ticks, with tokio's three answers to a missed one.

use super::{Instant, Sleep};
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// What happens when ticks were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// The missed ticks come at once, until it has caught up.
    #[default]
    Burst,
    /// The next tick is one period after the late one.
    Delay,
    /// The next tick is the next multiple of the period.
    Skip,
}

/// A tick that is not later than these nanoseconds was not missed, as in tokio.
const MISSED_AFTER: u64 = Duration::from_millis(5).as_nanos() as u64;

/// Ticks with a period.
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    /// The period in nanoseconds, which instants count: `u64::MAX` is never.
    nanos: u64,
    missed: MissedTickBehavior,
}

/// Ticks every `period`, first at once.
///
/// # Panics
/// When `period` is zero, and as [`super::sleep`].
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks every `period`, first at `start`.
///
/// # Panics
/// When `period` is zero, and as [`super::sleep`].
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "the period of an interval is not zero");
    Interval {
        sleep: Sleep::new(start, Location::caller()),
        period,
        nanos: u64::try_from(period.as_nanos()).unwrap_or(u64::MAX),
        missed: MissedTickBehavior::default(),
    }
}

impl Interval {
    /// Waits for the next tick: the instant at which it was due. Safe to cancel.
    #[track_caller]
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        let place = Location::caller();
        poll_fn(move |context| self.poll_tick_at(context, place))
    }

    /// As [`Interval::tick`], by polling.
    #[track_caller]
    pub fn poll_tick(&mut self, context: &mut Context<'_>) -> Poll<Instant> {
        self.poll_tick_at(context, Location::caller())
    }

    fn poll_tick_at(
        &mut self,
        context: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Instant> {
        let Poll::Ready(now) = self.sleep.poll_for_now(context, place) else { return Poll::Pending };
        let due = self.sleep.deadline();
        let next = self.after(due, now);
        self.sleep.begin_again(next);
        Poll::Ready(due)
    }

    fn after(&self, due: Instant, now: Instant) -> Instant {
        let (due, now) = (due.nanos(), now.nanos());
        let late = now.saturating_sub(due);
        let periods = match self.missed {
            _ if late <= MISSED_AFTER => 1,
            MissedTickBehavior::Burst => 1,
            MissedTickBehavior::Delay => return Instant::from_nanos(now.saturating_add(self.nanos)),
            MissedTickBehavior::Skip => late / self.nanos + 1,
        };
        Instant::from_nanos(due.saturating_add(self.nanos.saturating_mul(periods)))
    }

    /// Starts the period anew: the next tick is one period from now.
    pub fn reset(&mut self) {
        let next = Instant::now().saturating_add(self.period);
        Pin::new(&mut self.sleep).reset(next);
    }

    /// The period.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens when ticks were missed.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets what happens when ticks were missed.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }
}
