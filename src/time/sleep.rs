//! Sleeping. A timer is registered at the first pending poll and cancelled on drop.

use super::Instant;
use crate::runtime::current::{self, Message};
use crate::runtime::timers::TimerKey;
use crate::runtime::wait::{self, Report};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Waits until a point in time. Small and `Unpin`.
pub struct Sleep {
    deadline: Instant,
    place: &'static Location<'static>,
    timer: Timer,
}

enum Timer {
    /// Of a simulation; not registered yet.
    New { epoch: u32 },
    /// Registered there.
    Registered { epoch: u32, key: TimerKey, since: u64 },
    /// Fired or outdated: nothing to cancel.
    Over { epoch: u32 },
    #[cfg(feature = "tokio")]
    Tokio(Pin<Box<tokio::time::Sleep>>),
}

/// Waits for a duration.
///
/// # Panics
/// Outside a simulation without the cargo feature `tokio`, or outside a tokio runtime with it.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(Instant::now().saturating_add(duration), Location::caller())
}

/// Waits until an instant; one in the past is over at once.
///
/// # Panics
/// As [`sleep`].
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(deadline, Location::caller())
}

impl Sleep {
    pub(super) fn new(deadline: Instant, place: &'static Location<'static>) -> Sleep {
        let timer = match current::try_with(|world| world.epoch) {
            Some(epoch) => Timer::New { epoch },
            None => outside(deadline),
        };
        Sleep { deadline, place, timer }
    }

    /// When it is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is over.
    pub fn is_elapsed(&self) -> bool {
        Instant::now() >= self.deadline && !self.is_held()
    }

    /// Whether a fault makes the timer late.
    fn is_held(&self) -> bool {
        match self.timer {
            Timer::Registered { epoch, key, .. } => {
                current::try_with(|world| world.epoch == epoch && world.is_late(key)).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Sleeps until another instant.
    pub fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        *self = Sleep::new(deadline, self.place);
    }

    /// Polls; `place` is where, for who uses it in the other world.
    #[inline]
    pub(super) fn poll_at(
        &mut self,
        context: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<()> {
        match &mut self.timer {
            Timer::New { epoch } | Timer::Registered { epoch, .. } | Timer::Over { epoch } => {
                let epoch = *epoch;
                self.poll_simulated(epoch, context, place)
            }
            #[cfg(feature = "tokio")]
            Timer::Tokio(_) if current::is_simulated() => {
                let created = self.place;
                panic!(
                    "a fatum Sleep created at {created} outside a simulation was polled at {place} inside one"
                )
            }
            #[cfg(feature = "tokio")]
            Timer::Tokio(sleep) => sleep.as_mut().poll(context),
        }
    }

    fn poll_simulated(
        &mut self,
        epoch: u32,
        context: &Context<'_>,
        polled: &'static Location<'static>,
    ) -> Poll<()> {
        let place = self.place;
        let deadline = self.deadline.nanos();
        let over = current::try_with(|world| {
            let late = || matches!(self.timer, Timer::Registered { key, .. } if world.is_late(key));
            (world.epoch == epoch).then(|| world.local_now() >= deadline && !late())
        });
        let Some(over) = over.flatten() else {
            panic!("a fatum Sleep created at {place} in a simulation was polled at {polled} outside it")
        };
        if over {
            self.cancel();
            return Poll::Ready(());
        }
        let since = match self.timer {
            Timer::Registered { since, .. } => Some(since),
            _ => None,
        };
        let resource = || format!("virtual time {:?}", self.deadline.since_start());
        if wait::report(|| Report {
            operation: "time.sleep",
            resource: resource(),
            place,
            object: 0,
            joins: None,
            since,
        }) {
            return Poll::Pending;
        }
        self.register(epoch, deadline, context);
        Poll::Pending
    }

    fn register(&mut self, epoch: u32, deadline: u64, context: &Context<'_>) {
        let waker = context.waker().clone();
        if current::with(|world| world.drifts()) {
            // The clock may have changed its rate: the deadline is somewhere else now.
            self.cancel();
        }
        let waker = match self.timer {
            Timer::Registered { key, .. } => match current::with(|world| world.renew_timer(key, waker)) {
                Ok(before) => return drop(before),
                // It fired, but the clock of the host has changed its rate since and is not there yet.
                Err(waker) => waker,
            },
            _ => waker,
        };
        let (key, since) = current::with(|world| {
            let key = world.timer(world.global(deadline), waker);
            world.note_timer(key, self.place);
            (key, world.now)
        });
        self.timer = Timer::Registered { epoch, key, since };
    }

    fn cancel(&mut self) {
        if let Timer::Registered { epoch, key, .. } = self.timer {
            self.timer = Timer::Over { epoch };
            current::send(epoch, Message::CancelTimer(key));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.poll_at(context, Location::caller())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

#[cfg(feature = "tokio")]
#[track_caller]
fn outside(deadline: Instant) -> Timer {
    let until = super::instant::anchor() + deadline.since_start();
    Timer::Tokio(Box::pin(tokio::time::sleep_until(until)))
}

#[cfg(not(feature = "tokio"))]
#[track_caller]
fn outside(_deadline: Instant) -> Timer {
    current::outside("fatum::time::sleep")
}
