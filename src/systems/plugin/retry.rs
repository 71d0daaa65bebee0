//! Whether an attempt is followed by another, in the rules of both generations, and when one has taken too long. Pure;
//! separate because off-by-one errors live here and each row of the tables is a call.

use super::error::{ErrorKind, TaskError, codes};
use super::workflow::NodeKind;
use crate::time::Duration;
use serde::{Deserialize, Serialize};

/// How often a node is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryStrategy {
    /// Attempts in all; 0 is one attempt, as is 1.
    pub min_attempts: Option<u32>,
}

/// What follows a retryable failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The attempts that failed, this one included.
    pub attempts: u32,
    /// Whether another one is made; else why not.
    pub decision: Result<(), TaskError>,
}

/// The first generation's rule: as many attempts as the strategy says, none repeated without one.
pub fn retry(strategy: Option<RetryStrategy>, attempts: u32, error: &TaskError) -> Retry {
    let max = strategy.and_then(|strategy| strategy.min_attempts).unwrap_or(0);
    let attempts = attempts + 1;
    let exhausted =
        || TaskError { message: format!("Retries [{attempts}/{max}], {}", error.message), ..error.clone() };
    Retry { attempts, decision: if attempts >= max { Err(exhausted()) } else { Ok(()) } }
}

/// What the successor counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts that failed before this one, whoever was to blame.
    pub attempts: u32,
    /// Those of them that the platform was to blame for.
    pub system_failures: u32,
}

/// How many attempts the successor makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts that the user may use up.
    pub attempts_max: u32,
    /// Failures that the platform may use up.
    pub system_failures_max: u32,
    /// All failures count alike.
    pub ignores_cause: bool,
}

impl Limits {
    /// The limits of a node: its strategy counts unless it is absent or exactly 1, for which the default stands. With
    /// `honours_one`, 1 means 1.
    pub fn of(strategy: Option<RetryStrategy>, defaults: Limits, honours_one: bool) -> Limits {
        let own = strategy.and_then(|strategy| strategy.min_attempts);
        let own = own.filter(|attempts| honours_one || *attempts != 1);
        Limits { attempts_max: own.unwrap_or(defaults.attempts_max), ..defaults }
    }
}

/// The successor's rule: whether another attempt is made, and the numbers that its message names.
pub fn eligible(counts: Counts, limits: Limits, kind: ErrorKind) -> (bool, u32, u32) {
    let (current, max) = match (limits.ignores_cause, kind) {
        (true, _) => (counts.attempts + 1, limits.attempts_max),
        (false, ErrorKind::System) => (counts.system_failures, limits.system_failures_max),
        (false, ErrorKind::User) => {
            ((counts.attempts + 1).saturating_sub(counts.system_failures), limits.attempts_max)
        }
    };
    (current < max, current, max)
}

/// What a failure becomes that no attempt follows.
pub fn exhausted(error: &TaskError, current: u32, max: u32) -> TaskError {
    let TaskError { code, message, kind } = error;
    let message = format!("[{current}/{max}] currentAttempt done. Last Error: {kind}::{message}");
    TaskError::user(format!("{}|{code}", codes::RETRIES_EXHAUSTED), message)
}

/// How long a node and each of its attempts may take; zero is the default, and a default of zero is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Since the node was queued.
    pub active: Duration,
    /// Since the attempt began.
    pub execution: Duration,
}

/// What has taken too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// The node, after so long.
    Active(Duration),
    /// The attempt, after so long.
    Execution(Duration),
}

impl Deadlines {
    /// These, or the defaults where they are zero.
    #[must_use]
    pub fn or(self, defaults: Deadlines) -> Deadlines {
        let or = |own: Duration, default| if own.is_zero() { default } else { own };
        Deadlines {
            active: or(self.active, defaults.active),
            execution: or(self.execution, defaults.execution),
        }
    }

    /// What is over, for a node queued so long ago with an attempt begun so long ago. An attempt that has not begun
    /// takes no time.
    pub fn expired(self, queued_for: Option<Duration>, running_for: Option<Duration>) -> Option<Expired> {
        let over = |limit: Duration, for_: Option<Duration>| {
            !limit.is_zero() && for_.is_some_and(|passed| passed >= limit)
        };
        if over(self.active, queued_for) {
            return Some(Expired::Active(self.active));
        }
        over(self.execution, running_for).then_some(Expired::Execution(self.execution))
    }
}

/// Whether no further node may start: so many run, and so many may. A limit of 0 is none.
pub fn max_parallelism_achieved(kind: NodeKind, limit: u32, current: u32) -> bool {
    is_limited(kind) && limit > 0 && current >= limit
}

/// Whether a node counts where the number of those that run is bounded.
pub fn is_limited(kind: NodeKind) -> bool {
    match kind {
        NodeKind::Task | NodeKind::LaunchPlan => true,
        NodeKind::Start | NodeKind::End | NodeKind::Branch | NodeKind::SubWorkflow => false,
    }
}
