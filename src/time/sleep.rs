//! Sleeping. A timer is registered at the first pending poll and cancelled on drop.

use super::Instant;
use crate::runtime::current;
use crate::runtime::timers::{NEVER, TimerKey};
use crate::runtime::wait::{self, Report};
use crate::runtime::waker::WakeId;
use crate::runtime::world::World;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
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

/// What a poll in a simulation comes to. The wakers are those that the timer had before.
enum Slept {
    /// Over, at this local time.
    Over(u64, Option<Waker>),
    Waits(Option<Waker>),
    /// A waker that is not ours is to be kept.
    WaitsForeign,
    /// The world is frozen: the wait is to be reported.
    Reports,
    /// Another simulation runs, or none.
    Elsewhere,
}

/// Waits for a duration.
///
/// # Panics
/// Outside a simulation without the cargo feature `tokio`, or outside a tokio runtime with it.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::after(duration, Location::caller())
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

    /// As [`Sleep::new`], until a duration from now.
    #[inline]
    pub(super) fn after(duration: Duration, place: &'static Location<'static>) -> Sleep {
        match current::try_with(|world| (world.epoch, world.local_now())) {
            Some((epoch, now)) => {
                let deadline = Instant::from_nanos(now).saturating_add(duration);
                Sleep { deadline, place, timer: Timer::New { epoch } }
            }
            None => Sleep::new(Instant::now().saturating_add(duration), place),
        }
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
            Timer::Registered { epoch, .. } => {
                current::try_with(|world| world.epoch == epoch && self.is_late(world)).unwrap_or(false)
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
        self.poll_for_now(context, place).map(|_now| ())
    }

    /// One that is over begins again, until another instant.
    #[inline]
    pub(super) fn begin_again(&mut self, deadline: Instant) {
        match self.timer {
            Timer::Over { epoch } | Timer::New { epoch } => {
                self.timer = Timer::New { epoch };
                self.deadline = deadline;
            }
            _ => Pin::new(self).reset(deadline),
        }
    }

    /// As [`Sleep::poll_at`]; when it is over, the present.
    #[inline]
    pub(super) fn poll_for_now(
        &mut self,
        context: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Instant> {
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
            Timer::Tokio(sleep) => sleep.as_mut().poll(context).map(|()| Instant::now()),
        }
    }

    fn poll_simulated(
        &mut self,
        epoch: u32,
        context: &Context<'_>,
        polled: &'static Location<'static>,
    ) -> Poll<Instant> {
        // A waker of ours owns nothing, so it may be made anew while the world is borrowed.
        let own = WakeId::of(context.waker());
        let slept = current::try_with(|world| match world.epoch == epoch {
            true => self.poll_in(world, own),
            false => Slept::Elsewhere,
        });
        match slept.unwrap_or(Slept::Elsewhere) {
            Slept::Over(now, before) => {
                drop(before);
                return Poll::Ready(Instant::from_nanos(now));
            }
            Slept::Waits(before) => drop(before),
            Slept::WaitsForeign => self.wait_foreign(context.waker()),
            Slept::Reports => self.report(),
            Slept::Elsewhere => {
                let place = self.place;
                panic!("a fatum Sleep created at {place} in a simulation was polled at {polled} outside it")
            }
        }
        Poll::Pending
    }

    #[inline]
    fn poll_in(&mut self, world: &mut World, own: Option<WakeId>) -> Slept {
        let now = world.local_now();
        if now >= self.deadline.nanos() {
            if !world.may_wait_on() && self.deadline.nanos() != NEVER {
                // It fired, if it was registered.
                self.timer = Timer::Over { epoch: world.epoch };
                return Slept::Over(now, None);
            }
            if !self.is_late(world) {
                return Slept::Over(now, self.cancel_in(world));
            }
        }
        match own {
            _ if world.frozen.is_some() => Slept::Reports,
            Some(own) => Slept::Waits(self.wait(world, own.waker())),
            None => Slept::WaitsForeign,
        }
    }

    fn is_late(&self, world: &World) -> bool {
        matches!(self.timer, Timer::Registered { key, .. } if world.is_late(key))
    }

    /// Lets the timer wake by a waker that is not ours: it is cloned and dropped with no world borrowed.
    #[cold]
    fn wait_foreign(&mut self, waker: &Waker) {
        let waker = waker.clone();
        drop(current::with(|world| self.wait(world, waker)));
    }

    /// Lets the timer wake; the waker that it had before, to be dropped with no world borrowed.
    #[inline(always)]
    fn wait(&mut self, world: &mut World, waker: Waker) -> Option<Waker> {
        // The clock may have changed its rate: the deadline is somewhere else now.
        let before = if world.drifts() { self.cancel_in(world) } else { None };
        let waker = match self.timer {
            Timer::Registered { key, .. } => match world.renew_timer(key, waker) {
                Ok(before) => return Some(before),
                // It fired, but the clock of the host has changed its rate since and is not there yet.
                Err(waker) => waker,
            },
            _ => waker,
        };
        let key = world.timer(world.global(self.deadline.nanos()), waker);
        world.note_timer(key, self.place);
        self.timer = Timer::Registered { epoch: world.epoch, key, since: world.now };
        before
    }

    #[cold]
    fn report(&self) {
        let since = match self.timer {
            Timer::Registered { since, .. } => Some(since),
            _ => None,
        };
        wait::report(|| Report {
            operation: "time.sleep",
            resource: format!("virtual time {:?}", self.deadline.since_start()),
            place: self.place,
            object: 0,
            joins: None,
            since,
        });
    }

    /// As [`Sleep::cancel`], in the world at hand; the waker, to be dropped with no world borrowed.
    fn cancel_in(&mut self, world: &mut World) -> Option<Waker> {
        let Timer::Registered { epoch, key, .. } = self.timer else { return None };
        self.timer = Timer::Over { epoch };
        world.cancel_timer(key)
    }

    fn cancel(&mut self) {
        if let Timer::Registered { epoch, key, .. } = self.timer {
            self.timer = Timer::Over { epoch };
            current::cancel_timer(epoch, key);
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
