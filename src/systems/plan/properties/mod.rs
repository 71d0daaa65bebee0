//! What must hold of plans in every run, as a fold over their events. Separate from engine and controller, of which it
//! sees only what was recorded and what the store holds; it must not know how events reach it.
//!
//! | property | holds when |
//! |---|---|
//! | `input-kept` | a pass leaves the status that it begins with as it is |
//! | `terminal-untouched` | a plan that has ended comes out of a pass as it is, and runs no task |
//! | `spec-order` | tasks run in the order of the plan, and none of a step that is complete |
//! | `serial` | what runs after another in a serial plan or phase runs once that is complete |
//! | `parallel` | every open step of a parallel phase, and every open phase of a parallel plan, is tried in a pass |
//! | `fatal-stops` | after a fatal answer no task runs in the pass |
//! | `fatal-never-again` | a fatal step is never run again in its execution |
//! | `fatal-shape` | a fatal error is on step, phase and plan, its message on the step alone; the rest is as it was |
//! | `error-iff-fatal` | a pass has an error if, and only if, it made the plan `FATAL_ERROR` |
//! | `honest-steps` | a step is complete if, and only if, all of its tasks were done in one pass |
//! | `complete-iff-children` | a phase is complete with its steps, a plan with its phases |
//! | `messages` | `ERROR` is on steps only and names the task in full; what goes well says nothing |
//! | `outcome` | a pass leaves a plan in progress, complete or fatal |
//! | `no-regress` | what is complete stays so in its execution, and what is fatal |
//! | `progress` | the number of complete steps does not fall |
//! | `bounded-passes` | a pass in which all is done completes a step |
//! | `fresh-start` | a new execution begins with all of it pending, and leaves other plans alone |
//! | `timestamps` | the time of a status never goes back, and changes with the status only, in a pass and in the store |
//! | `one-plan` | one plan of an instance at a time; the clean-up takes over from others as the instance is deleted |
//! | `finalizer` | the finalizer goes once the clean-up is complete; one that has failed is not begun again |
//! | `no-re-execution` | a plan that is stored as ended does not begin again in its execution |
//! | `plan-events` | a plan's start and end are told once, in this order, and the end once it is stored |
//! | `no-stall` | what is not at an end is looked at again |
//! | `determinism` | from equal statuses, equal answers lead to equal runs and equal messages |
//! | `rerun-safe` | a pass begins with what the store holds, also after one that was not stored |
//! | `permanent-is-fatal` | what has failed for good is no reason to try again |

mod across;
mod pass;
mod install;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::definition::{CLEANUP, Plan};
use super::record::{PlanEvent, StoredState};
use super::status::{ExecutionStatus, PlanStatus};

pub(super) use install::install_with;
pub use install::{install, stored_state};

/// The names of all properties.
pub const NAMES: [&str; 26] = [
    "input-kept",
    "terminal-untouched",
    "spec-order",
    "serial",
    "parallel",
    "fatal-stops",
    "fatal-never-again",
    "fatal-shape",
    "error-iff-fatal",
    "honest-steps",
    "complete-iff-children",
    "messages",
    "outcome",
    "no-regress",
    "progress",
    "bounded-passes",
    "fresh-start",
    "timestamps",
    "one-plan",
    "finalizer",
    "no-re-execution",
    "plan-events",
    "no-stall",
    "determinism",
    "rerun-safe",
    "permanent-is-fatal",
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

type Judged = Result<(), Violation>;

fn broken(property: &'static str, detail: impl Into<String>) -> Judged {
    Err(Violation { property, detail: detail.into() })
}

fn check(property: &'static str, holds: bool, detail: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { broken(property, detail()) }
}

/// One run of a task.
#[derive(Clone, Debug)]
struct TaskRan {
    place: Arc<[String; 3]>,
    answer: Option<(&'static str, String)>,
}

impl TaskRan {
    fn is(&self, answer: &str) -> bool {
        self.answer.as_ref().is_some_and(|(given, _)| *given == answer)
    }

    fn is_fatal(&self) -> bool {
        self.is("fatal error") || self.is("not built")
    }

    fn is_of(&self, phase: &str, step: &str) -> bool {
        self.place[0] == phase && self.place[1] == step
    }
}

/// A pass under way.
#[derive(Clone, Debug)]
struct PassSeen {
    spec: Option<Arc<Plan>>,
    input: Arc<PlanStatus>,
    runs: Vec<TaskRan>,
    /// Where in the plan the last task stands.
    reached: usize,
    failed_for_good: Option<String>,
}

/// What was seen of one instance.
#[derive(Clone, Debug, Default)]
struct InstanceSeen {
    pass: Option<PassSeen>,
    stored: Option<Arc<StoredState>>,
    /// Executions whose plan was stored as ended, and steps that were stored as fatal.
    ended: BTreeMap<(String, String), ExecutionStatus>,
    fatal: BTreeSet<(String, String, String, String)>,
    /// How often each end was stored and is still to be told: a person may take one back before it is.
    ends: BTreeMap<(String, String, ExecutionStatus), u64>,
    /// What the last pass over the clean-up came to.
    cleanup: Option<ExecutionStatus>,
    started: BTreeSet<String>,
    finished: BTreeSet<String>,
}

/// The fold: the events of one simulation, in order.
#[derive(Clone, Debug, Default)]
pub struct PlanProperties {
    instances: BTreeMap<Arc<str>, InstanceSeen>,
    /// What passes came to, by what they began with and heard.
    known: BTreeMap<u64, u64>,
    /// A host crashed: what it told of is told again.
    has_crashed: bool,
}

impl PlanProperties {
    /// The fold before any event.
    pub fn new() -> PlanProperties {
        PlanProperties::default()
    }

    /// A host crashed.
    pub fn crash(&mut self) {
        self.has_crashed = true;
        self.instances.values_mut().for_each(|seen| seen.pass = None);
    }

    /// Takes in one event.
    ///
    /// # Errors
    /// The first property that the event shows broken.
    pub fn observe(&mut self, event: &PlanEvent) -> Judged {
        let (PlanEvent::PassStarted { instance, .. }
        | PlanEvent::TaskStarted { instance, .. }
        | PlanEvent::TaskAnswered { instance, .. }
        | PlanEvent::PermanentFailure { instance, .. }
        | PlanEvent::PassFinished { instance, .. }
        | PlanEvent::PlanStarted { instance, .. }
        | PlanEvent::PlanFinished { instance, .. }
        | PlanEvent::Warned { instance, .. }
        | PlanEvent::Reconciled { instance, .. }
        | PlanEvent::Stored { instance, .. }) = event;
        let seen = self.instances.entry(instance.clone()).or_default();
        match event {
            PlanEvent::PassStarted { spec, input, .. } => seen.pass_started(spec, input),
            PlanEvent::TaskStarted { place, .. } => seen.task_started(place),
            PlanEvent::TaskAnswered { place, answer, cause, .. } => seen.task_answered(place, answer, cause),
            PlanEvent::PermanentFailure { object, .. } => {
                seen.pass.iter_mut().for_each(|pass| pass.failed_for_good = Some(object.clone()));
                Ok(())
            }
            PlanEvent::PassFinished { output, error, input_kept, .. } => {
                let Some(pass) = seen.pass.take() else { return Ok(()) };
                if output.name == CLEANUP {
                    seen.cleanup = Some(output.status);
                }
                check("input-kept", *input_kept, || {
                    "the status that the pass began with has changed".to_owned()
                })?;
                pass.finished(output, error.as_deref())?;
                let (key, came_to) = pass.digest(instance, output);
                let known = *self.known.entry(key).or_insert(came_to);
                check("determinism", known == came_to, || {
                    format!("two passes over {} heard the same and differ", output.name)
                })
            }
            PlanEvent::PlanStarted { uid, .. } => {
                let is_first = seen.started.insert(uid.clone());
                check("plan-events", is_first || self.has_crashed, || {
                    format!("the start of {uid} was told twice")
                })
            }
            PlanEvent::PlanFinished { plan, uid, status, .. } => {
                seen.plan_finished(plan, uid, *status, self.has_crashed)
            }
            PlanEvent::Reconciled { scheduled, again_ns, .. } => {
                let is_left = !scheduled.is_empty() && again_ns.is_none();
                check("no-stall", !is_left, || {
                    format!("plan {scheduled} has not ended, and nobody looks again")
                })
            }
            PlanEvent::Stored { state, .. } => seen.stored(state),
            PlanEvent::Warned { .. } => Ok(()),
        }
    }
}
