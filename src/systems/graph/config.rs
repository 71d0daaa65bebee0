//! The options of a run, with their defaults. Separate so that a reader finds every knob in one place; it must not
//! know what the engine does with them.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::{Duration, Instant};

use super::tracer::Tracer;
use super::variant::Variant;

/// What a failing action means to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorStrategy {
    /// Nothing starts after the first failure.
    StopOnError,
    /// Everything that does not depend on the failed action still runs.
    ContinueOnError,
}

/// Whether a failed action signals the events that it would have emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalOnError {
    /// A failure unblocks nobody.
    #[default]
    Never,
    /// As the reference's serial executor does while it continues: dependents run as if it had succeeded.
    Always,
}

/// What happens at the stop to the actions in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnStop {
    /// They are awaited, up to the orphan timeout.
    #[default]
    Await,
    /// Their futures are dropped.
    Abort,
}

/// Which of several runnable actions starts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The one that became runnable first.
    #[default]
    Fifo,
    /// The first in the list.
    List,
    /// The one of the highest priority.
    Priority,
    /// The one with the longest chain of dependents.
    CriticalPath,
    /// One that chance picks.
    Seeded,
}

/// What of the reference's behaviour can be asked for where it is not what is right. Its parallel executor is
/// [`Config::parallel`]: what it does beyond that is to lose actions and causes, and nobody relies on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// One worker, list order, stop on error, failures signal, blocked actions are no error. The rest is as in every
    /// run: a cancelled run starts nothing, and an orphan timeout counts if it is set.
    Serial,
}

/// The options of a run. Every value is valid.
#[derive(Clone, Debug)]
pub struct Config {
    /// Actions in flight at most.
    pub workers: NonZeroUsize,
    /// Which runnable action starts first.
    pub order: Order,
    /// What a failing action means to the run.
    pub error_strategy: ErrorStrategy,
    /// Whether a failed action signals.
    pub signal_on_error: SignalOnError,
    /// What happens at the stop to the actions in flight.
    pub on_stop: OnStop,
    /// Blocked actions without any failure or stop are no error.
    pub allow_blocked: bool,
    /// Actions only say what they would emit.
    pub dry_run: bool,
    /// The graph is checked for what cannot end well before anything runs.
    pub strict: bool,
    /// How long the run may take.
    pub timeout: Option<Duration>,
    /// When the run must be over; the earlier of this and the timeout counts.
    pub deadline: Option<Instant>,
    /// How long actions in flight are awaited after the stop; without it, until they end.
    pub orphan_timeout: Option<Duration>,
    /// Who is told what happened.
    pub tracer: Option<Arc<dyn Tracer>>,
    /// A planted bug.
    #[doc(hidden)]
    pub variant: Variant,
}

impl Config {
    /// One action at a time, in list order; stops on errors.
    pub fn serial() -> Self {
        Config {
            workers: NonZeroUsize::MIN,
            order: Order::List,
            error_strategy: ErrorStrategy::StopOnError,
            ..Config::parallel()
        }
    }

    /// Two actions at a time, first come first served; continues on errors.
    pub fn parallel() -> Self {
        Config {
            workers: NonZeroUsize::MIN.saturating_add(1),
            order: Order::Fifo,
            error_strategy: ErrorStrategy::ContinueOnError,
            signal_on_error: SignalOnError::Never,
            on_stop: OnStop::Await,
            allow_blocked: false,
            dry_run: false,
            strict: false,
            timeout: None,
            deadline: None,
            orphan_timeout: None,
            tracer: None,
            variant: Variant::Correct,
        }
    }

    /// What one of the reference's executors does, where that is not what is right.
    pub fn parity(with: Parity) -> Self {
        match with {
            Parity::Serial => {
                Config { signal_on_error: SignalOnError::Always, allow_blocked: true, ..Config::serial() }
            }
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::parallel()
    }
}
