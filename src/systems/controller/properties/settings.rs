//! What a fold may take for granted, and when its detectors speak. Data only.

use crate::time::Duration;

/// Whether the simulation may hold back tasks and timers. If it may, things can be late through no fault of the
/// controller, and nothing is said about lateness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Punctuality {
    /// Tasks run and timers fire when they are due.
    #[default]
    Exact,
    /// They may be held back, or their host may crash.
    Late,
    /// As late, and timers may also fire early in true time, as the clock of their host is wrong.
    Drifting,
}

/// What is known of the delays of the limiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delays {
    /// They do not shrink from one failure to the next; where the limiter says what it computes them from, they are that.
    #[default]
    Growing,
    /// They are `min(base * 2^n, max)` after `n` failures.
    Exponential {
        /// The first.
        base: Duration,
        /// The longest.
        max: Duration,
    },
    /// Nothing, as with jitter or a bucket.
    Any,
}

/// In which order items are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they were queued.
    #[default]
    Fifo,
    /// As the queue likes.
    Any,
}

/// Whether deferrals may replace earlier ones by a later time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overrides {
    /// Nobody asks for that.
    #[default]
    Absent,
    /// Somebody does.
    Used,
}

/// When the detectors speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// So many reconciles of one key in a window are no storm; so many more for each change from outside in it.
    pub storm_reconciles: u32,
    /// The window.
    pub storm_window: Duration,
    /// A key that is queued for longer is starved, if others are taken.
    pub starved_after: Duration,
    /// A key that is behind for longer, and neither queued, processed nor deferred, is lost.
    pub lost_after: Duration,
    /// So many reconciles per key may follow the last change from outside; those after a deferral or a trigger do not
    /// count, and one per key for each subscription that is opened again.
    pub settling_reconciles: u32,
    /// A subscription may take so long to open.
    pub opening: Duration,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            storm_reconciles: 500,
            storm_window: Duration::from_secs(10),
            starved_after: Duration::from_secs(600),
            lost_after: Duration::from_secs(600),
            settling_reconciles: 50,
            opening: Duration::from_secs(300),
        }
    }
}

/// What a fold may take for granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether things may be late.
    pub punctuality: Punctuality,
    /// What the limiter does.
    pub delays: Delays,
    /// What the queue does.
    pub order: Order,
    /// What deferrals do.
    pub overrides: Overrides,
    /// When the detectors speak.
    pub thresholds: Thresholds,
}

impl Settings {
    /// Whether a host's time is not that of the events, so that nothing is said about when deferrals are due.
    pub(super) fn drifts(&self) -> bool {
        self.punctuality == Punctuality::Drifting
    }
}
