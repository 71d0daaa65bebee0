//! What happens to plans, as events for traces, digests and properties. Separate because engine and controller write them
//! and the properties read them, and neither may know the other; plain data.

use std::sync::Arc;

use crate::trace::{Record, Value};

use super::definition::Plan;
use super::status::{ExecutionStatus, PlanStatus};

/// One event of plans. All but `Stored` are said by engine and controller; that one is what the store holds, for
/// properties alone.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanEvent {
    /// A pass begins, from this status.
    PassStarted {
        /// Whose.
        instance: Arc<str>,
        /// The plan, if it is known.
        spec: Option<Arc<Plan>>,
        /// The status that it begins with.
        input: Arc<PlanStatus>,
    },
    /// A task is run.
    TaskStarted {
        /// Whose.
        instance: Arc<str>,
        /// Its place: phase, step and name.
        place: Arc<[String; 3]>,
    },
    /// A task answered.
    TaskAnswered {
        /// Whose.
        instance: Arc<str>,
        /// Its place: phase, step and name.
        place: Arc<[String; 3]>,
        /// What.
        answer: &'static str,
        /// Why, if it failed.
        cause: String,
    },
    /// A job that a task looks at has failed for good.
    PermanentFailure {
        /// Whose.
        instance: Arc<str>,
        /// What has failed.
        object: String,
    },
    /// A pass ended.
    PassFinished {
        /// Whose.
        instance: Arc<str>,
        /// The status that it came to.
        output: Arc<PlanStatus>,
        /// Its error.
        error: Option<String>,
        /// The status that it began with is as it was.
        input_kept: bool,
    },
    /// A plan was begun: people are told.
    PlanStarted {
        /// Whose.
        instance: Arc<str>,
        /// Which.
        plan: String,
        /// Which execution.
        uid: String,
    },
    /// A plan has ended, and that is stored: people are told.
    PlanFinished {
        /// Whose.
        instance: Arc<str>,
        /// Which.
        plan: String,
        /// Which execution.
        uid: String,
        /// How.
        status: ExecutionStatus,
    },
    /// Something is wrong: people are warned.
    Warned {
        /// Whose.
        instance: Arc<str>,
        /// Under which name.
        event: &'static str,
        /// What.
        message: String,
    },
    /// A reconcile ended in which something was done or is left; when the instance is looked at again.
    Reconciled {
        /// Whose.
        instance: Arc<str>,
        /// The plan that is still to be carried on, or none.
        scheduled: String,
        /// Nanoseconds until then; none for never, unless something changes.
        again_ns: Option<u64>,
    },
    /// What the store holds of an instance now; none when it is gone.
    Stored {
        /// Whose.
        instance: Arc<str>,
        /// What.
        state: Option<Arc<StoredState>>,
    },
}

/// What the store holds of an instance, as far as properties speak of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    /// The statuses of its plans.
    pub plans: Vec<Arc<PlanStatus>>,
    /// The plan that is scheduled, or the empty text.
    pub scheduled: String,
    /// The uid that it is scheduled under.
    pub uid: String,
    /// Its deletion was asked for.
    pub deleting: bool,
    /// The controller's finalizer is on it.
    pub has_finalizer: bool,
    /// It has a clean-up plan.
    pub has_cleanup: bool,
    /// The controller wrote it, and not a person.
    pub by_controller: bool,
}

impl Record for PlanEvent {
    fn name(&self) -> &'static str {
        match self {
            PlanEvent::PassStarted { .. } => "plan.pass-started",
            PlanEvent::TaskStarted { .. } => "plan.task-started",
            PlanEvent::TaskAnswered { .. } => "plan.task-answered",
            PlanEvent::PermanentFailure { .. } => "plan.failed-for-good",
            PlanEvent::PassFinished { .. } => "plan.pass-finished",
            PlanEvent::PlanStarted { .. } => "plan.started",
            PlanEvent::PlanFinished { .. } => "plan.finished",
            PlanEvent::Warned { .. } => "plan.warning",
            PlanEvent::Reconciled { .. } => "plan.reconciled",
            PlanEvent::Stored { .. } => "plan.stored",
        }
    }

    fn fields(&self, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        match self {
            PlanEvent::PassStarted { instance, spec: _, input } => {
                visit("instance", Value::Str(instance));
                standing(input, visit);
            }
            PlanEvent::TaskStarted { instance, place } => {
                visit("instance", Value::Str(instance));
                visit("task", Value::Str(&place.join(".")));
            }
            PlanEvent::TaskAnswered { instance, place, answer, cause } => {
                visit("instance", Value::Str(instance));
                visit("task", Value::Str(&place.join(".")));
                visit("answer", Value::Str(answer));
                visit("cause", Value::Str(cause));
            }
            PlanEvent::PermanentFailure { instance, object } => {
                visit("instance", Value::Str(instance));
                visit("object", Value::Str(object));
            }
            PlanEvent::PassFinished { instance, output, error, input_kept } => {
                visit("instance", Value::Str(instance));
                standing(output, visit);
                visit("error", Value::Str(error.as_deref().unwrap_or_default()));
                visit("input_kept", Value::Bool(*input_kept));
            }
            PlanEvent::PlanStarted { instance, plan, uid } => {
                visit("instance", Value::Str(instance));
                visit("plan", Value::Str(plan));
                visit("uid", Value::Str(uid));
            }
            PlanEvent::PlanFinished { instance, plan, uid, status } => {
                visit("instance", Value::Str(instance));
                visit("plan", Value::Str(plan));
                visit("uid", Value::Str(uid));
                visit("status", Value::Str(status.name()));
            }
            PlanEvent::Warned { instance, event, message } => {
                visit("instance", Value::Str(instance));
                visit("event", Value::Str(event));
                visit("message", Value::Str(message));
            }
            PlanEvent::Reconciled { instance, scheduled, again_ns } => {
                visit("instance", Value::Str(instance));
                visit("scheduled", Value::Str(scheduled));
                if let Some(again_ns) = again_ns {
                    visit("again_ns", Value::U64(*again_ns));
                }
            }
            PlanEvent::Stored { instance, state } => {
                visit("instance", Value::Str(instance));
                visit("is_there", Value::Bool(state.is_some()));
            }
        }
    }
}

/// The plan, its uid, where it stands, and how many of its steps are complete.
fn standing(status: &PlanStatus, visit: &mut dyn FnMut(&'static str, Value<'_>)) {
    visit("plan", Value::Str(&status.name));
    visit("uid", Value::Str(&status.uid));
    visit("status", Value::Str(status.status.name()));
    visit("steps_complete", Value::U64(status.steps_complete()));
}
