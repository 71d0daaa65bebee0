//! The executor's options as a scenario file says them: a mode, and what differs from its defaults. Separate so that
//! a file lists only what it changes; it must not hold defaults of its own.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::span::Span;
use crate::systems::graph::config::{Config, ErrorStrategy, OnStop, Order, Parity, SignalOnError};
use crate::systems::graph::variant::Variant;

/// Where the defaults come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Two workers, first come first served, continue on errors.
    #[default]
    Parallel,
    /// One worker, list order, stop on errors.
    Serial,
    /// As the reference's serial executor, where it is wrong too.
    SerialParity,
}

/// What a file says about the executor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ExecutorOptions {
    /// Where the defaults come from.
    pub mode: Mode,
    /// Actions in flight at most.
    #[serde(deserialize_with = "super::bounds::workers", skip_serializing_if = "Option::is_none")]
    pub workers: Option<NonZeroUsize>,
    /// Which runnable action starts first.
    pub order: Option<Order>,
    /// What a failing action means to the run.
    pub error_strategy: Option<ErrorStrategy>,
    /// Whether a failed action signals.
    pub signal_on_error: Option<SignalOnError>,
    /// What happens at the stop to the actions in flight.
    pub on_stop: Option<OnStop>,
    /// Blocked actions alone are no error.
    pub allow_blocked: Option<bool>,
    /// Nothing is really done.
    pub dry_run: bool,
    /// The graph is checked before anything runs.
    pub strict: bool,
    /// How long a run may take.
    pub timeout: Option<Span>,
    /// How long actions in flight are awaited after the stop.
    pub orphan_timeout: Option<Span>,
    /// A planted bug.
    pub variant: Variant,
}

impl ExecutorOptions {
    /// The engine's options.
    pub fn config(&self) -> Config {
        let base = match self.mode {
            Mode::Parallel => Config::parallel(),
            Mode::Serial => Config::serial(),
            Mode::SerialParity => Config::parity(Parity::Serial),
        };
        Config {
            workers: self.workers.unwrap_or(base.workers),
            order: self.order.unwrap_or(base.order),
            error_strategy: self.error_strategy.unwrap_or(base.error_strategy),
            signal_on_error: self.signal_on_error.unwrap_or(base.signal_on_error),
            on_stop: self.on_stop.unwrap_or(base.on_stop),
            allow_blocked: self.allow_blocked.unwrap_or(base.allow_blocked),
            dry_run: self.dry_run,
            strict: self.strict,
            timeout: self.timeout.map(|span| span.0),
            orphan_timeout: self.orphan_timeout.map(|span| span.0),
            variant: self.variant,
            ..base
        }
    }
}
