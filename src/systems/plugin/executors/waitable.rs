//! Waits until other executions have ended, then hands its task to another executor. While it waits, a kill terminates
//! those that run. It must not know the engine.

use super::{parsed, recorder, stored, tell};
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::context::TaskContext;
use crate::systems::plugin::error::{SystemError, TaskError};
use crate::systems::plugin::events::{EventRecorder, OccurredAt, Recorded};
use crate::systems::plugin::executor::{Executor, ExecutorProperties, InitializationParameters};
use crate::systems::plugin::model::{TaskPhase, TaskStatus};
use crate::systems::plugin::outputs::LiteralMap;
use crate::systems::plugin::outside::{ExecutionPhase, Executions};
use crate::systems::plugin::state::CustomState;
use crate::systems::plugin::workflow::TaskTemplate;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// The input that holds the names of the executions to wait for.
pub const WAIT_FOR: &str = "wait-for";

#[derive(Default, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    waits_for: Vec<String>,
    /// What the other executor is to read.
    #[serde(default)]
    inputs: LiteralMap,
    /// The other executor has accepted the task.
    #[serde(default)]
    handed_over: bool,
    /// The other executor's own state.
    #[serde(default)]
    inner: Option<CustomState>,
}

/// The executor.
pub struct Waitable {
    id: String,
    inner: Arc<dyn Executor>,
    executions: Executions,
    recorder: OnceLock<Arc<dyn EventRecorder>>,
}

impl Waitable {
    /// An executor that hands over to `inner`.
    pub fn new(id: &str, inner: Arc<dyn Executor>, executions: Executions) -> Waitable {
        Waitable { id: id.to_owned(), inner, executions, recorder: OnceLock::new() }
    }

    async fn told(&self, context: &TaskContext, status: TaskStatus) -> Result<TaskStatus, SystemError> {
        let none = || SystemError::new(format!("executor [{}] is not initialized", self.id));
        let recorder = self.recorder.get().ok_or_else(none)?;
        match tell(&**recorder, context, &status, OccurredAt::Status).await? {
            Recorded::Yes => Ok(status),
            Recorded::Conflict => {
                let message = "the control plane says that the task has ended";
                Ok(TaskStatus::permanent_failure(TaskError::system("PhaseMismatch", message)))
            }
        }
    }

    async fn look(&self, context: &TaskContext, template: &TaskTemplate) -> Result<TaskStatus, SystemError> {
        let mut state: State = parsed(context)?;
        if !state.handed_over {
            for name in &state.waits_for {
                match self.executions.phase(name).await? {
                    Some(ExecutionPhase::Running) => return Ok(self.waits(context, &state)),
                    Some(ExecutionPhase::Failed | ExecutionPhase::Aborted) => {
                        let error = TaskError::user("WaitedForFailed", format!("execution [{name}] failed"));
                        return self.told(context, TaskStatus::retryable_failure(error)).await;
                    }
                    Some(ExecutionPhase::Succeeded) | None => {}
                }
            }
        }
        let inner = TaskContext { custom_state: state.inner.take(), ..context.clone() };
        let status = match state.handed_over {
            true => self.inner.check(&inner, template).await?,
            false => self.inner.start(&inner, template, &state.inputs).await?,
        };
        if status.phase == TaskPhase::NotReady {
            // It was accepted here, and is handed over again later.
            return Ok(self.waits(context, &state));
        }
        let state = State { handed_over: true, inner: status.state.clone(), ..state };
        Ok(status.with_state(stored(&state)))
    }

    fn waits(&self, context: &TaskContext, state: &State) -> TaskStatus {
        TaskStatus::QUEUED.with_phase_version(context.phase_version).with_state(stored(state))
    }
}

impl Executor for Waitable {
    fn id(&self) -> &str {
        &self.id
    }

    fn properties(&self) -> ExecutorProperties {
        self.inner.properties()
    }

    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let _ = self.recorder.set(recorder(parameters)?);
            self.inner.initialize(parameters).await
        })
    }

    fn start<'a>(
        &'a self,
        context: &'a TaskContext,
        _: &'a TaskTemplate,
        inputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(async move {
            let names = inputs.get(WAIT_FOR).and_then(|names| serde_json::from_value(names.clone()).ok());
            let waits_for = names.unwrap_or_default();
            let state = State { waits_for, inputs: inputs.clone(), ..State::default() };
            self.told(context, TaskStatus::QUEUED.with_state(stored(&state))).await
        })
    }

    fn check<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(self.look(context, template))
    }

    fn kill<'a>(
        &'a self,
        context: &'a TaskContext,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let state: State = parsed(context)?;
            if !state.handed_over {
                for name in &state.waits_for {
                    self.executions.terminate(name).await?;
                }
            }
            // It may have been handed over without that being stored.
            let inner = TaskContext { custom_state: state.inner, ..context.clone() };
            self.inner.kill(&inner, reason).await
        })
    }
}
