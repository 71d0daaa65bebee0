//! Sleeping. A timer is registered at the first pending poll and cancelled on drop.

use super::Instant;
use crate::runtime::current;
use crate::runtime::timers::{NEVER, Owner, TimerKey, Wakes};
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
    /// The simulation that it is of; 0 and without a meaning outside.
    epoch: u32,
    timer: Timer,
}

enum Timer {
    /// Of a simulation; not registered yet.
    New,
    /// Registered there.
    Registered { key: TimerKey, since: u64 },
    /// Fired or outdated: nothing to cancel.
    Over,
    #[cfg(feature = "tokio")]
    Tokio(Pin<Box<tokio::time::Sleep>>),
}

/// What a poll in a simulation comes to.
enum Slept {
    /// Over, at this local time.
    Over(u64),
    /// The timer wakes the running task.
    Waits,
    /// Whoever polls has another waker than the running task: it is to be kept.
    Keeps,
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
    #[inline]
    pub(super) fn new(deadline: Instant, place: &'static Location<'static>) -> Sleep {
        match current::try_with(|world| world.epoch) {
            Some(epoch) => Sleep { deadline, place, epoch, timer: Timer::New },
            None => Sleep { deadline, place, epoch: 0, timer: outside(deadline) },
        }
    }

    /// As [`Sleep::new`], until a duration from now.
    #[inline]
    pub(super) fn after(duration: Duration, place: &'static Location<'static>) -> Sleep {
        match current::try_with(|world| (world.epoch, world.local_now())) {
            Some((epoch, now)) => {
                let deadline = Instant::from_nanos(now).saturating_add(duration);
                Sleep { deadline, place, epoch, timer: Timer::New }
            }
            None => {
                let deadline = Instant::now().saturating_add(duration);
                Sleep { deadline, place, epoch: 0, timer: outside(deadline) }
            }
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
            Timer::Registered { .. } => {
                current::try_with(|world| world.epoch == self.epoch && self.is_late(world)).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Sleeps until another instant.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.get_mut().set(deadline);
    }

    #[inline(never)]
    fn set(&mut self, deadline: Instant) {
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
            Timer::Over | Timer::New => {
                self.timer = Timer::New;
                self.deadline = deadline;
            }
            _ => self.set(deadline),
        }
    }

    /// As [`Sleep::poll_at`]; when it is over, the present.
    #[inline]
    pub(super) fn poll_for_now(
        &mut self,
        context: &mut Context<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Instant> {
        #[cfg(feature = "tokio")]
        if let Timer::Tokio(sleep) = &mut self.timer {
            if current::is_simulated() {
                let created = self.place;
                panic!(
                    "a fatum Sleep created at {created} outside a simulation was polled at {place} inside one"
                )
            }
            return sleep.as_mut().poll(context).map(|()| Instant::now());
        }
        self.poll_simulated(context, place)
    }

    fn poll_simulated(&mut self, context: &Context<'_>, polled: &'static Location<'static>) -> Poll<Instant> {
        let waker = context.waker();
        let slept = current::try_with(|world| match world.epoch == self.epoch && world.is_punctual() {
            true => self.poll_punctually(world, waker),
            false => None,
        });
        match slept.flatten() {
            Some(Slept::Over(now)) => Poll::Ready(Instant::from_nanos(now)),
            Some(Slept::Waits) => Poll::Pending,
            _ => self.poll_with_care(waker, polled),
        }
    }

    /// Polls where every timer fires at its deadline and nobody asks what it was: by far the most polls. Nothing, where
    /// there is another waker to mind than the running task's, or memory to be asked for.
    #[inline(always)]
    fn poll_punctually(&mut self, world: &mut World, waker: &Waker) -> Option<Slept> {
        let now = world.now;
        if now >= self.deadline.nanos() {
            if now == NEVER {
                return None;
            }
            // It fired, if it was registered.
            self.timer = Timer::Over;
            return Some(Slept::Over(now));
        }
        let owner = world.owner();
        if WakeId::of(waker) != Some(owner.task) {
            return None;
        }
        if let Timer::Registered { key, .. } = self.timer {
            return world.timers.wakes(key, owner).then_some(Slept::Waits);
        }
        let key = world.timers.register(now, owner, Wakes::Owner)?;
        self.timer = Timer::Registered { key, since: now };
        world.timers.place(self.deadline.nanos(), key);
        Some(Slept::Waits)
    }

    /// Polls in any world.
    #[inline(never)]
    fn poll_with_care(&mut self, waker: &Waker, polled: &'static Location<'static>) -> Poll<Instant> {
        // The foreign waker that the timer woke: it is dropped with no world borrowed.
        let mut before = None;
        let slept = current::try_with(|world| match world.epoch == self.epoch {
            true => self.poll_in(world, waker, &mut before),
            false => Slept::Elsewhere,
        });
        drop(before);
        match slept.unwrap_or(Slept::Elsewhere) {
            Slept::Over(now) => return Poll::Ready(Instant::from_nanos(now)),
            Slept::Waits => {}
            Slept::Keeps => self.wait_by(waker),
            Slept::Reports => self.report(),
            Slept::Elsewhere => {
                let place = self.place;
                panic!("a fatum Sleep created at {place} in a simulation was polled at {polled} outside it")
            }
        }
        Poll::Pending
    }

    fn poll_in(&mut self, world: &mut World, waker: &Waker, before: &mut Option<Waker>) -> Slept {
        let now = world.local_now();
        if now >= self.deadline.nanos() && !self.is_late(world) {
            *before = self.cancel_in(world);
            return Slept::Over(now);
        }
        if world.frozen.is_some() {
            return Slept::Reports;
        }
        let owner = world.owner();
        if WakeId::of(waker) != Some(owner.task) {
            return Slept::Keeps;
        }
        *before = self.wait(world, owner, Wakes::Owner).1;
        Slept::Waits
    }

    fn is_late(&self, world: &World) -> bool {
        matches!(self.timer, Timer::Registered { key, .. } if world.is_late(key))
    }

    /// Lets the timer wake by a waker that is not the running task's: it is cloned and dropped with no world borrowed.
    #[inline(never)]
    fn wait_by(&mut self, waker: &Waker) {
        let waker = waker.clone();
        drop(current::with(|world| {
            let (key, before) = self.wait(world, world.owner(), Wakes::Other);
            (before, world.wake_by(key, waker))
        }));
    }

    /// Lets the timer wake; its key, and the foreign waker that it woke before and does no more, to be dropped with no world
    /// borrowed.
    fn wait(&mut self, world: &mut World, owner: Owner, wakes: Wakes) -> (TimerKey, Option<Waker>) {
        // The clock may have changed its rate: the deadline is somewhere else now.
        let before = if world.drifts() { self.cancel_in(world) } else { None };
        if let Timer::Registered { key, .. } = self.timer
            && let Some(woke) = world.renew_timer(key, owner, wakes)
        {
            let is_left = woke == Wakes::Other && wakes == Wakes::Owner;
            return (key, if is_left { world.forget_waker(key) } else { None });
        }
        // If it fired, the clock of the host has changed its rate since and is not there yet.
        let deadline = world.global(self.deadline.nanos());
        let key = world.timers.insert(world.now, deadline, owner, wakes);
        world.note_timer(key, self.place);
        self.timer = Timer::Registered { key, since: world.now };
        (key, before)
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

    /// Takes the timer out of the world at hand; the foreign waker that it woke, to be dropped with no world borrowed.
    fn cancel_in(&mut self, world: &mut World) -> Option<Waker> {
        let Timer::Registered { key, .. } = self.timer else { return None };
        self.timer = Timer::Over;
        world.cancel_timer(key)
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
        if let Timer::Registered { key, .. } = self.timer {
            current::cancel_timer(self.epoch, key);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

// What a new timer is made of is handed on in registers: a `Sleep` that went through memory on its way to its future would
// keep that waiting.

#[cfg(feature = "tokio")]
#[inline]
#[track_caller]
fn outside(deadline: Instant) -> Timer {
    Timer::Tokio(boxed(deadline))
}

#[cfg(feature = "tokio")]
#[inline(never)]
#[track_caller]
fn boxed(deadline: Instant) -> Pin<Box<tokio::time::Sleep>> {
    let until = super::instant::anchor() + deadline.since_start();
    Box::pin(tokio::time::sleep_until(until))
}

#[cfg(not(feature = "tokio"))]
#[inline]
#[track_caller]
fn outside(_deadline: Instant) -> Timer {
    current::outside("fatum::time::sleep")
}
