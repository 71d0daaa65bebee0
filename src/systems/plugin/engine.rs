//! The engine: rounds over workflows. A round is a function of a stored state and the effects that it may have; what it
//! changes is written by one conditional write, or thrown away. Separate from executors, which it calls, and from the
//! store, which only `propeller.rs` knows.
//!
//! | file | what it is |
//! |---|---|
//! | `call.rs` | one call for one attempt: its context, its guard against panics, its records |
//! | `first.rs` | the task handler of the first generation: start, check, kill |
//! | `second.rs` | the task handler of the successor: handle, abort, finalize |
//! | `node.rs` | the node executor: depth first, each node once per round |
//! | `round.rs` | the round over a workflow: phases, aborts, finalizers |
//! | `propeller.rs` | reading, the memory of versions, the one write, and the loop around it |

mod call;
mod guarded;
mod first;
mod second;
mod node;
mod round;
mod propeller;

pub use call::{NodeCall, Outcome, write_inputs};
pub use first::TaskHandler;
pub use propeller::{HandleError, Handled, Propeller, VersionCache};
pub use round::{Next, RoundError};
pub use second::{CoreHandler, validate_output};

use super::catalog::Catalog;
use super::events::{EventRecorder, OccurredAt};
use super::outputs::DataStore;
use super::registry::Registry;
use super::retry::{Deadlines, Limits};
use super::variant::Variant;
use crate::time::Duration;
use std::fmt;
use std::sync::Arc;

/// System errors of a workflow until it is given up.
pub const WORKFLOW_RETRIES_MAX: u32 = 50;

/// Whose rules attempts follow, and which calls executors get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Generation {
    /// Start, check, kill.
    #[default]
    First,
    /// Handle, abort, finalize; executors of the first generation through the adapter.
    Successor,
}

/// How long an abort that is not complete holds its workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aborts {
    /// Until all is released. Nothing is stored of one that is not complete.
    #[default]
    Held,
    /// As in the reference's last version: each that is not complete is counted as a failed round, and when there are
    /// more of them than this, only executors that ask for the finalizer are waited for.
    GivenUp {
        /// So many.
        after: u32,
    },
    /// As in the reference's first version: that something was not released is logged, and the workflow goes.
    Logged,
}

/// What an engine is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose rules.
    pub generation: Generation,
    /// System errors of a workflow until it is given up.
    pub workflow_retries_max: u32,
    /// How many attempts a node has that does not say so (successor).
    pub limits: Limits,
    /// One attempt, asked for explicitly, is one attempt; as in the reference it is the default (successor).
    pub honours_one: bool,
    /// How long nodes and attempts may take that do not say so (successor).
    pub deadlines: Deadlines,
    /// How long an abort that is not complete holds its workflow.
    pub aborts: Aborts,
    /// How often a workflow is looked at though nothing was heard of it.
    pub resync: Duration,
    /// Which time events say.
    pub occurred_at: OccurredAt,
    /// The bug that is planted.
    #[doc(hidden)]
    pub variant: Variant,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            generation: Generation::First,
            workflow_retries_max: WORKFLOW_RETRIES_MAX,
            limits: Limits { attempts_max: 1, system_failures_max: 3, ignores_cause: false },
            honours_one: false,
            deadlines: Deadlines::default(),
            aborts: Aborts::Held,
            resync: Duration::from_secs(10),
            occurred_at: OccurredAt::Status,
            variant: Variant::Correct,
        }
    }
}

/// All that a round may have an effect on.
#[derive(Clone)]
pub struct Effects {
    /// Who executes tasks.
    pub registry: Registry,
    /// Where events go.
    pub recorder: Arc<dyn EventRecorder>,
    /// Results of the past, if there are any.
    pub catalog: Option<Arc<dyn Catalog>>,
    /// Where files lie.
    pub data: Arc<dyn DataStore>,
    /// What the engine was told.
    pub config: Config,
}

impl Effects {
    fn has(&self, variant: Variant) -> bool {
        self.config.variant == variant
    }
}

impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").field("registry", &self.registry).field("config", &self.config).finish()
    }
}
