//! The machines of a world: whether they are up, what runs on them, and what their clocks show. Pure state: it moves no
//! task and asks nobody.

use super::boxes::Boxed;
use std::rc::Rc;
use std::sync::Arc;

/// Makes a main again, for a host that returns.
pub(crate) type Again = Rc<dyn Fn() -> Boxed>;

/// The name of the tasks that mains are.
pub(crate) const MAIN: &str = "main";

/// What runs on a host, each time that it starts.
#[derive(Clone)]
pub(crate) struct Main {
    pub(crate) again: Again,
    pub(crate) daemon: bool,
}

/// Something that befell a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostChange {
    /// It crashed.
    Crashed,
    /// It started again after a crash.
    Started,
    /// It stands still.
    Paused,
    /// It goes on.
    Resumed,
    /// Its wall clock jumped.
    ClockJumped,
    /// Its clock runs at another rate.
    ClockDrifts,
}

/// Whether a host works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    /// Its tasks exist and take no turns; up again at this time, if it is known.
    Paused {
        until: Option<u64>,
    },
    /// It has no tasks; back at this time, if it is known.
    Down {
        until: Option<u64>,
    },
}

/// A machine.
pub(crate) struct Machine {
    pub(crate) name: Arc<str>,
    pub(crate) state: State,
    /// How often it has started, from 1.
    pub(crate) incarnation: u32,
    pub(crate) clock: Clock,
    pub(crate) mains: Vec<Main>,
    /// Required mains that a crash ended and that run again when it returns.
    pub(crate) owed: u32,
    /// How many required mains it has that are never begun again.
    pub(crate) once: u32,
    /// Tasks that are ready and have to wait until it goes on.
    pub(crate) parked: Vec<(u32, u32)>,
}

impl Machine {
    pub(crate) fn new(name: &str) -> Machine {
        Machine {
            name: Arc::from(name),
            state: State::Up,
            incarnation: 1,
            clock: Clock::default(),
            mains: Vec::new(),
            owed: 0,
            once: 0,
            parked: Vec::new(),
        }
    }

    /// When it is up again, for one that is not and knows.
    pub(crate) fn until(&self) -> Option<u64> {
        match self.state {
            State::Up => None,
            State::Paused { until } | State::Down { until } => until,
        }
    }
}

/// The clocks of a machine, against virtual time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// How far the wall clock is ahead of the monotonic one, in nanoseconds.
    pub(crate) ahead: i64,
    /// How many parts in a million the clock is too fast.
    ppm: i32,
    /// Virtual time of the last change of its rate.
    since: u64,
    /// What it showed then.
    shown: u64,
}

/// A million.
const PARTS: i128 = 1_000_000;
/// A clock runs at half speed at least, and at twice the speed at most.
const PPM_MAX: i32 = 500_000;

impl Clock {
    /// What the monotonic clock shows at `now`.
    pub(crate) fn shows(&self, now: u64) -> u64 {
        let passed = i128::from(now.saturating_sub(self.since));
        let local = passed + passed * i128::from(self.ppm) / PARTS;
        self.shown.saturating_add(u64::try_from(local).unwrap_or(u64::MAX))
    }

    /// The virtual time at which it shows `local`; never too early.
    pub(crate) fn reaches(&self, local: u64) -> u64 {
        if local == u64::MAX {
            return u64::MAX;
        }
        let left = i128::from(local.saturating_sub(self.shown));
        let rate = PARTS + i128::from(self.ppm);
        let passed = (left * PARTS + rate - 1) / rate;
        self.since.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// From `now` on the clock is this much too fast.
    pub(crate) fn drift(&mut self, now: u64, ppm: i32) {
        self.shown = self.shows(now);
        self.since = now;
        self.ppm = ppm.clamp(-PPM_MAX, PPM_MAX);
    }

    /// Whether it runs at the rate of virtual time and always has.
    pub(crate) fn is_true(&self) -> bool {
        *self == Clock { ahead: self.ahead, ..Clock::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_clock_shows_virtual_time() {
        let clock = Clock::default();
        assert_eq!((clock.shows(7), clock.reaches(7), clock.reaches(u64::MAX)), (7, 7, u64::MAX));
    }

    #[test]
    fn a_fast_clock_reaches_a_deadline_early_and_never_before_it_shows_it() {
        let mut clock = Clock::default();
        clock.drift(1_000, 250_000);
        assert_eq!((clock.shows(1_000), clock.shows(1_400)), (1_000, 1_500));
        assert_eq!(clock.reaches(1_500), 1_400);
        for local in 1_000..1_100 {
            let at = clock.reaches(local);
            assert!(clock.shows(at) >= local, "{local} at {at}");
            assert!(at == 1_000 || clock.shows(at - 1) < local, "{local} at {at}");
        }
        clock.drift(1_400, -500_000);
        assert_eq!((clock.shows(1_400), clock.shows(1_500)), (1_500, 1_550));
        clock.drift(1_500, 0);
        assert_eq!(clock.shows(1_600), 1_650, "what it gained or lost stays");
        assert!(!clock.is_true());
    }
}
