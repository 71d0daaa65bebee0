//! What must hold in every run of a graph, as a fold over its events; and over the runs of a sweep. Separate from the
//! engine, of which it sees only what was recorded; it must not know how events reach it.
//!
//! | property | holds when |
//! |---|---|
//! | `conservation` | at the end every action is in exactly one set, the one that its history says |
//! | `at-most-once` | an action starts at most once, and ends only after it started |
//! | `causality` | an action starts only after successful actions emitted all that it waits for |
//! | `completeness` | without failure and stop, all that can be reached completes |
//! | `honest-verdict` | no error means that everything completed, and an error names its true cause |
//! | `minimal-blockage` | a run that continues leaves only what really lacks an event, whatever the schedule |
//! | `concurrency-cap` | no more actions are in flight than there are workers |
//! | `work-conserving` | no worker is idle while an action is runnable |
//! | `stop` | nothing starts at or after the stop |
//! | `liveness` | the run returns with its last action, or within its timeout and its orphan timeout |
//! | `frozen-result` | a returned outcome does not change |
//! | `trace` | one entry per action that ended, true to what happened, and one end |
//! | `signal-multiplicity` | an event counts once for each action that waits for it |
//! | `dry-run` | a dry run has no effect, and completes what a real one would |
//! | `inputs-untouched` | the action list and its wants stay as they were |
//! | `retry` | one question to the policy per failure, its delay kept, nothing after the cancel |
//! | `determinism` | without failure and stop, all schedules complete the same actions |
//! | `queue` | a queue takes items until it has ended, and starts them in order |

mod end;
mod history;
mod queue_rules;
mod sweep;
mod install;

use std::sync::Arc;

use super::outcome::OutcomeIndices;
use super::record::GraphEvent;

pub use install::{Facts, install};
pub use sweep::{RunFacts, judge_sweep};

use history::History;
use queue_rules::QueueRules;

/// The names of all properties.
pub const NAMES: [&str; 18] = [
    "conservation",
    "at-most-once",
    "causality",
    "completeness",
    "honest-verdict",
    "minimal-blockage",
    "concurrency-cap",
    "work-conserving",
    "stop",
    "liveness",
    "frozen-result",
    "trace",
    "signal-multiplicity",
    "dry-run",
    "inputs-untouched",
    "retry",
    "determinism",
    "queue",
];

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{property}: {detail}")]
pub struct Violation {
    /// Its stable name.
    pub property: &'static str,
    /// What happened, in words.
    pub detail: String,
}

pub(crate) fn broken(property: &'static str, detail: impl Into<String>) -> Result<(), Violation> {
    Err(Violation { property, detail: detail.into() })
}

/// Whether the simulation may hold back tasks and timers. If it may, a worker can be late through no fault of the
/// engine, and nothing is said about idle workers and the time of the return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Punctuality {
    /// Tasks run and timers fire when they are due.
    #[default]
    Exact,
    /// They may be held back.
    Late,
}

/// The fold: one run after the other, in one simulation.
#[derive(Clone, Debug, Default)]
pub struct GraphProperties {
    punctuality: Punctuality,
    run: Option<History>,
    queue: QueueRules,
    returned: Option<Arc<OutcomeIndices>>,
    facts: Vec<RunFacts>,
}

impl GraphProperties {
    /// The fold before any event.
    pub fn new(punctuality: Punctuality) -> Self {
        GraphProperties { punctuality, ..GraphProperties::default() }
    }

    /// Takes in one event at its virtual time.
    ///
    /// # Errors
    /// The first property that the event shows broken.
    pub fn observe(&mut self, at_ns: u64, event: &GraphEvent) -> Result<(), Violation> {
        self.queue.observe(event)?;
        match event {
            GraphEvent::RunStarted(settings) => {
                if self.run.is_some() {
                    return broken("liveness", "a run began before the one before it returned");
                }
                self.returned = None;
                self.run = Some(History::new(Arc::clone(settings), at_ns, self.punctuality));
                Ok(())
            }
            GraphEvent::Overdue => {
                self.run = None;
                broken("liveness", "the run had not returned when its caller gave up on it")
            }
            GraphEvent::RunDropped => {
                self.run = None;
                Ok(())
            }
            GraphEvent::OutcomeRead { sets } => self.outcome_read(sets),
            GraphEvent::RunFinished { error, sets, inputs_kept } => {
                let Some(mut run) = self.run.take() else {
                    return broken("liveness", "a run returned that had not begun");
                };
                run.advance(at_ns)?;
                self.returned = Some(Arc::clone(sets));
                self.facts.push(run.facts(*error, sets));
                end::judge(&run, *error, sets, *inputs_kept)
            }
            GraphEvent::QueueAdded { .. }
            | GraphEvent::QueueStarted { .. }
            | GraphEvent::QueueDone { .. }
            | GraphEvent::QueueRunAgain { .. } => Ok(()),
            other => match &mut self.run {
                None => Ok(()),
                Some(run) => {
                    run.advance(at_ns)?;
                    run.observe(at_ns, other)
                }
            },
        }
    }

    /// The host of the run crashed, and with it the run: nothing more of it is owed.
    pub fn crashed(&mut self) {
        self.run = None;
        self.queue = QueueRules::default();
    }

    /// No more events will come.
    ///
    /// # Errors
    /// A run did not return.
    pub fn finish(&self) -> Result<(), Violation> {
        match &self.run {
            None => Ok(()),
            Some(run) => broken("liveness", format!("the run never returned; {}", run.standing())),
        }
    }

    /// What each run that returned came to, for a judgement over a sweep.
    pub fn facts(&self) -> &[RunFacts] {
        &self.facts
    }

    fn outcome_read(&self, sets: &OutcomeIndices) -> Result<(), Violation> {
        match &self.returned {
            Some(returned) if **returned != *sets => {
                broken("frozen-result", format!("the run returned {returned:?} and now reads {sets:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }
}
