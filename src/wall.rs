//! Wall time, for the driver around runs only: progress, `--for`, the watchdog. Never seen by a run.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "wall time bounds a sweep and enters no run"
)]

use std::time::Duration;

/// Measures wall time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    started: std::time::Instant,
}

impl Stopwatch {
    /// From now on.
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { started: std::time::Instant::now() }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
