//! Executors of the reference: one that runs an object in a cluster, one that runs queries of a service under tokens, one
//! that waits for other executions first; and the successor's plugin for clusters. Separate from the engine, which knows
//! none of them.

mod k8s;
mod hive;
mod waitable;
mod manager;

pub use hive::{Hive, POLL_EVERY, QueryState, combine};
pub use k8s::{K8s, K8sOptions};
pub use manager::{AbortBehavior, Manager, ManagerOptions};
pub use waitable::{WAIT_FOR, Waitable};

use super::context::TaskContext;
use super::error::SystemError;
use super::events::{EventBuilder, EventRecorder, OccurredAt, Recorded, recorded};
use super::executor::InitializationParameters;
use super::model::TaskStatus;
use super::outside::Job;
use super::state::CustomState;
use super::status::wall_ns;
use super::workflow::{Ends, TaskTemplate};
use crate::time::Duration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What the executor was initialized with.
fn recorder(parameters: &InitializationParameters) -> Result<Arc<dyn EventRecorder>, SystemError> {
    let empty =
        |what: &str| SystemError::new(format!("Failed to initialize plugin, {what} cannot be nil or empty."));
    if parameters.data.is_none() {
        return Err(empty("data store"));
    }
    if parameters.enqueue_owner.is_none() {
        return Err(empty("enqueue owner"));
    }
    parameters.recorder.clone().ok_or_else(|| empty("event recorder"))
}

/// Tells the control plane of a status.
async fn tell(
    recorder: &dyn EventRecorder,
    context: &TaskContext,
    status: &TaskStatus,
    occurred_at: OccurredAt,
) -> Result<Recorded, SystemError> {
    let event = EventBuilder::new(context, status).occurred_at(occurred_at);
    recorded(recorder.record_task(&event.build(Duration::from_nanos(wall_ns()))).await)
}

/// What is to be run for an attempt.
fn job(context: &TaskContext, template: &TaskTemplate) -> Job {
    Job {
        owner: context.owner.name.clone(),
        takes: template.work.takes.0,
        ends: template.work.end(context.id.retry_attempt),
        data_dir: context.paths.data_dir.clone(),
        outputs: template.outputs.clone(),
    }
}

/// One query of several ends as the task says, the others well and without outputs.
fn query_job(context: &TaskContext, template: &TaskTemplate, at: usize) -> Job {
    let job = job(context, template);
    let ends = if at == 0 || job.ends == Ends::Never { job.ends } else { Ends::NoOutputs };
    Job { ends, ..job }
}

/// What the executor keeps of an execution between its calls.
///
/// # Errors
/// It is another executor's.
fn parsed<S: DeserializeOwned + Default>(context: &TaskContext) -> Result<S, SystemError> {
    let Some(state) = &context.custom_state else { return Ok(S::default()) };
    state.parse().map_err(|error| SystemError::caused_by("the custom state is corrupt", error))
}

/// The same as it is kept.
///
/// # Panics
/// When it is no struct with named fields.
fn stored<S: Serialize>(state: &S) -> CustomState {
    CustomState::of(state).expect("the state is an object")
}
