//! Time, with tokio's names: virtual inside a simulation, tokio's outside (cargo feature `tokio`).
//!
//! Virtual time is u64 nanoseconds since the start of the run; it moves only when nothing is ready, and then to the
//! next deadline. Part of the facade.

mod instant;
mod interval;
mod sleep;
mod timeout;

pub use instant::{Instant, SystemTime};
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
