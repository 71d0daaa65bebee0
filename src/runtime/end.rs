//! How a run ends, and what it may cost before it does.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a run ended. Every kind but `Passed` is reported, each with an exit code of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum End {
    /// All required tasks ended and no property was broken.
    Passed,
    /// A property was broken.
    Violated {
        /// Its name.
        property: String,
        /// Why.
        detail: String,
    },
    /// A task panicked and nobody's join saw it.
    Panicked {
        /// Path or name of the task.
        task: String,
        /// The message and its place.
        message: String,
    },
    /// A host's main returned an error.
    Failed {
        /// The host.
        host: String,
        /// The error.
        message: String,
    },
    /// A required task can never go on.
    Deadlock {
        /// What was waited for.
        detail: String,
    },
    /// Tasks ran without end and time stood still.
    ZeroTimeLoop {
        /// The task that ran most of late.
        task: String,
    },
    /// The system did not come back to the state that the property wants, or did not stay there.
    NotConverged {
        /// The property.
        property: String,
        /// Why.
        detail: String,
    },
    /// Something was alive at the end that descends from no daemon.
    Leaked {
        /// What.
        detail: String,
    },
    /// A task was woken from another thread.
    Escaped {
        /// The task.
        task: String,
    },
    /// A replay was not the run that it repeats.
    Diverged {
        /// Where.
        detail: String,
    },
    /// The budget was spent: inconclusive, never passed.
    OutOfBudget {
        /// Which.
        detail: String,
    },
}

impl End {
    /// The name of the kind, as in files and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            End::Passed => "passed",
            End::Violated { .. } => "violated",
            End::Panicked { .. } => "panicked",
            End::Failed { .. } => "failed",
            End::Deadlock { .. } => "deadlock",
            End::ZeroTimeLoop { .. } => "zero-time-loop",
            End::NotConverged { .. } => "not-converged",
            End::Leaked { .. } => "leaked",
            End::Escaped { .. } => "escaped",
            End::Diverged { .. } => "diverged",
            End::OutOfBudget { .. } => "out-of-budget",
        }
    }

    /// The names of all kinds.
    pub const KINDS: [&'static str; 11] = [
        "passed",
        "violated",
        "panicked",
        "failed",
        "deadlock",
        "zero-time-loop",
        "not-converged",
        "leaked",
        "escaped",
        "diverged",
        "out-of-budget",
    ];

    /// The exit code of `replay` for this end: 0 when passed, from 10 on for the others.
    pub fn exit_code(&self) -> u8 {
        let index = End::KINDS.iter().position(|kind| *kind == self.kind()).expect("every kind is listed");
        if index == 0 { 0 } else { 9 + index as u8 }
    }

    /// The property that was broken, if that is how the run ended.
    pub fn property(&self) -> Option<&str> {
        match self {
            End::Violated { property, .. } | End::NotConverged { property, .. } => Some(property),
            _ => None,
        }
    }

    /// Kind and property: what two failures must share to be the same one.
    pub fn signature(&self) -> (&'static str, Option<&str>) {
        (self.kind(), self.property())
    }

    /// Whether nothing is wrong.
    pub fn is_passed(&self) -> bool {
        matches!(self, End::Passed)
    }

    /// Whether something is wrong: neither passed nor inconclusive.
    pub fn is_failure(&self) -> bool {
        !matches!(self, End::Passed | End::OutOfBudget { .. })
    }

    /// What happened, in a sentence.
    pub fn sentence(&self) -> String {
        match self {
            End::Passed => "passed".to_owned(),
            End::Violated { property, detail } => format!("property `{property}` was broken: {detail}"),
            End::Panicked { task, message } => format!("task {task} panicked: {message}"),
            End::Failed { host, message } => format!("the main of host {host} failed: {message}"),
            End::Deadlock { detail } => format!("deadlock: {detail}"),
            End::ZeroTimeLoop { task } => {
                format!("zero-time loop: tasks ran without end while time stood still, {task} among the last")
            }
            End::NotConverged { property, detail } => {
                format!("`{property}` did not come to hold and stay: {detail}")
            }
            End::Leaked { detail } => format!("leaked: {detail}"),
            End::Escaped { task } => {
                format!("task {task} was woken from another thread: outside the simulation")
            }
            End::Diverged { detail } => format!("the replay diverged: {detail}"),
            End::OutOfBudget { detail } => format!("out of budget, nothing proved: {detail}"),
        }
    }
}

/// What a run may cost. Every loop is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Polls in all.
    pub steps_max: u64,
    /// Virtual time in all.
    pub time_max: Duration,
    /// Polls without time moving: more is a zero-time loop.
    pub zero_time_steps_max: u64,
    /// Virtual time without a world event after which a required task that waits for no long timer is stuck.
    pub stuck_after: Duration,
    /// Virtual time that the quiet phase may take to satisfy `eventually` and `converges`.
    pub quiet_max: Duration,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            steps_max: 10_000_000,
            time_max: Duration::from_secs(400 * 24 * 3600),
            zero_time_steps_max: 100_000,
            stuck_after: Duration::from_secs(24 * 3600),
            quiet_max: Duration::from_secs(3600),
        }
    }
}

/// What a panic in a task means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PanicPolicy {
    /// It fails the run unless a join sees it.
    #[default]
    FailUnlessJoined,
    /// It fails the run.
    FailAlways,
}

/// What a task that is alive at the end means, when it descends from no daemon, and what outlives its task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeakPolicy {
    /// The run failed; so it did when a lock, a permit or a timer outlives the task that took it, unless the permit was
    /// given up by `forget`, as tokio documents for permits that are not to come back.
    #[default]
    Fail,
    /// As `Fail`, and a permit that was given up by `forget` still belongs to the task that took it.
    Strict,
    /// Nothing.
    Allow,
}
