//! Points in time: one type in both worlds.

use crate::runtime::current;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::OnceLock;
use std::time::Duration;

/// Wall time at the start of a run: 2020-01-01T00:00:00Z, in nanoseconds since the Unix epoch.
const EPOCH: u64 = 1_577_836_800_000_000_000;

/// A point in monotonic time: u64 nanoseconds since an anchor, which is the start of the run in a simulation and the
/// first use in this process outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    nanos: u64,
}

impl Instant {
    /// The present.
    pub fn now() -> Instant {
        Instant { nanos: current::try_with(|world| world.local_now()).unwrap_or_else(outside_now) }
    }

    pub(crate) fn from_nanos(nanos: u64) -> Instant {
        Instant { nanos }
    }

    pub(crate) fn nanos(self) -> u64 {
        self.nanos
    }

    /// Time since the anchor.
    pub fn since_start(self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// Time since an earlier instant; zero when it is later.
    pub fn duration_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }

    /// Time since an earlier instant; `None` when it is later.
    pub fn checked_duration_since(self, earlier: Instant) -> Option<Duration> {
        self.nanos.checked_sub(earlier.nanos).map(Duration::from_nanos)
    }

    /// As [`Instant::duration_since`].
    pub fn saturating_duration_since(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }

    /// Time since this instant.
    pub fn elapsed(self) -> Duration {
        Instant::now().duration_since(self)
    }

    /// This much later; `None` beyond what an instant can hold.
    pub fn checked_add(self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.nanos.checked_add(nanos).map(Instant::from_nanos)
    }

    /// This much earlier; `None` before the anchor.
    pub fn checked_sub(self, duration: Duration) -> Option<Instant> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.nanos.checked_sub(nanos).map(Instant::from_nanos)
    }

    /// This much later, or the last instant, which never comes.
    pub(crate) fn saturating_add(self, duration: Duration) -> Instant {
        self.checked_add(duration).unwrap_or(Instant { nanos: u64::MAX })
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration).expect("an instant plus a duration stays within 584 years of the start")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration).expect("an instant minus a duration is not before the start")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({:?})", self.since_start())
    }
}

/// Wall time: a fixed date at the start of a run plus virtual time in a simulation, the machine's outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemTime {
    nanos: u64,
}

impl SystemTime {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: SystemTime = SystemTime { nanos: 0 };

    /// The present.
    pub fn now() -> SystemTime {
        let simulated =
            current::try_with(|world| (EPOCH + world.local_now()).saturating_add_signed(world.wall_ahead()));
        SystemTime { nanos: simulated.unwrap_or_else(outside_wall) }
    }

    /// Time since an earlier one.
    ///
    /// # Errors
    /// How much later the other is, when it is.
    pub fn duration_since(self, earlier: SystemTime) -> Result<Duration, Duration> {
        match self.nanos.checked_sub(earlier.nanos) {
            Some(nanos) => Ok(Duration::from_nanos(nanos)),
            None => Err(Duration::from_nanos(earlier.nanos - self.nanos)),
        }
    }

    /// As the standard library's type.
    #[expect(clippy::disallowed_types, reason = "this is the way out")]
    pub fn into_std(self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH + Duration::from_nanos(self.nanos)
    }
}

impl Add<Duration> for SystemTime {
    type Output = SystemTime;

    fn add(self, duration: Duration) -> SystemTime {
        let nanos = u64::try_from(duration.as_nanos()).ok().and_then(|nanos| self.nanos.checked_add(nanos));
        SystemTime { nanos: nanos.expect("a date stays before the year 2554") }
    }
}

impl fmt::Debug for SystemTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemTime({:?} since 1970)", Duration::from_nanos(self.nanos))
    }
}

#[cfg(feature = "tokio")]
type Clock = tokio::time::Instant;
#[cfg(not(feature = "tokio"))]
#[expect(clippy::disallowed_types, reason = "outside a simulation the machine's clock is the clock")]
type Clock = std::time::Instant;

/// The anchor of instants outside.
static ANCHOR: OnceLock<Clock> = OnceLock::new();

/// The anchor, as the clock outside counts.
pub(super) fn anchor() -> Clock {
    #[cfg_attr(
        not(feature = "tokio"),
        expect(clippy::disallowed_methods, reason = "outside a simulation the machine's clock is the clock")
    )]
    *ANCHOR.get_or_init(Clock::now)
}

fn outside_now() -> u64 {
    anchor().elapsed().as_nanos() as u64
}

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "outside a simulation the date is the machine's"
)]
fn outside_wall() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
