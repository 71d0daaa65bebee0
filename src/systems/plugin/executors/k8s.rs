//! An object in a cluster per attempt. It is held by a finalizer until what became of it is stored; then it is deleted.
//! It must not know the engine.

use super::{job, recorder, tell};
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::context::TaskContext;
use crate::systems::plugin::error::{SystemError, TaskError};
use crate::systems::plugin::events::{EventRecorder, OccurredAt, Recorded};
use crate::systems::plugin::executor::{Executor, InitializationParameters};
use crate::systems::plugin::model::{TaskPhase, TaskStatus};
use crate::systems::plugin::outputs::{DataStore, ERROR_FILE_MAX, ErrorDocument, LiteralMap};
use crate::systems::plugin::outside::{Kube, KubeError, Object, ObjectPhase};
use crate::systems::plugin::state::CustomState;
use crate::systems::plugin::workflow::TaskTemplate;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Under which name the state says that the object is to go, and under which what became of the task.
const OBJECT_STATUS: &str = "os";
const TERMINAL_PHASE: &str = "tp";
const TERMINAL_ERROR: &str = "err";
const DELETED: &str = "deleted";

/// What the executor does beside what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct K8sOptions {
    /// An object goes once its task has ended, in two rounds: the first stores what became of it.
    pub delete_on_terminal: bool,
    /// An object goes when its task is killed; else it only loses its finalizers.
    pub delete_on_abort: bool,
    /// As in the reference: that what is to be deleted is gone is an error.
    pub not_found_fails: bool,
    /// As in the reference: the error of a failure is not stored over the two rounds.
    pub forgets_error: bool,
    /// Which time events say.
    pub occurred_at: OccurredAt,
}

impl Default for K8sOptions {
    fn default() -> K8sOptions {
        K8sOptions {
            delete_on_terminal: true,
            delete_on_abort: true,
            not_found_fails: false,
            forgets_error: false,
            occurred_at: OccurredAt::Status,
        }
    }
}

/// The executor.
pub struct K8s {
    id: String,
    cluster: Arc<dyn Kube>,
    options: K8sOptions,
    started: OnceLock<Started>,
}

struct Started {
    recorder: Arc<dyn EventRecorder>,
    data: Arc<dyn DataStore>,
}

impl K8s {
    /// An executor on this cluster.
    pub fn new(id: &str, cluster: Arc<dyn Kube>, options: K8sOptions) -> K8s {
        K8s { id: id.to_owned(), cluster, options, started: OnceLock::new() }
    }

    fn started(&self) -> Result<&Started, SystemError> {
        self.started
            .get()
            .ok_or_else(|| SystemError::new(format!("executor [{}] is not initialized", self.id)))
    }

    async fn launch(
        &self,
        context: &TaskContext,
        template: &TaskTemplate,
    ) -> Result<TaskStatus, SystemError> {
        let started = self.started()?;
        match self.cluster.create(&context.generated_name, job(context, template)).await {
            // One that is to be deleted is no other: the check finds it so, and the next attempt has a name of its own.
            Ok(()) | Err(KubeError::AlreadyExists) => {}
            // The quota is looked at before the name: an earlier start may have made the object.
            Err(error) if error.is_quota() => {
                if self.get(context).await?.is_none() {
                    let error = TaskError::system("ResourceQuotaExceeded", error.to_string());
                    return Ok(TaskStatus::not_ready_failure(error));
                }
            }
            Err(error @ KubeError::Forbidden(_)) => {
                let error = TaskError::user("RuntimeFailure", error.to_string());
                return Ok(TaskStatus::permanent_failure(error));
            }
            Err(error) => return Err(SystemError::caused_by("failed to create resource", error)),
        }
        let status = TaskStatus::QUEUED;
        self.told(started, context, status).await
    }

    /// A status that the control plane was told of; one that it refuses means that the task has ended there.
    async fn told(
        &self,
        started: &Started,
        context: &TaskContext,
        status: TaskStatus,
    ) -> Result<TaskStatus, SystemError> {
        match tell(&*started.recorder, context, &status, self.options.occurred_at).await? {
            Recorded::Yes => Ok(status),
            Recorded::Conflict => {
                self.release(context).await?;
                let message = "the control plane says that the task has ended";
                Ok(TaskStatus::permanent_failure(TaskError::system("PhaseMismatch", message)))
            }
        }
    }

    async fn look(&self, context: &TaskContext) -> Result<TaskStatus, SystemError> {
        let started = self.started()?;
        if let Some(status) = self.second_round(context)? {
            self.release(context).await?;
            return self.told(started, context, status).await;
        }
        let Some(object) = self.get(context).await? else {
            let message = format!("resource not found, name [{}]", context.generated_name);
            let gone = TaskStatus::retryable_failure(TaskError::system("ResourceDeletedExternally", message));
            return self.told(started, context, gone).await;
        };
        let is_over = object.phase == ObjectPhase::Succeeded || object.phase == ObjectPhase::Failed;
        if object.deleting && object.has_finalizers && !is_over {
            self.done(self.cluster.clear_finalizers(&context.generated_name).await)?;
            let message = "object was deleted by somebody else";
            let error = TaskError::system("ResourceDeletedExternally", message);
            return self.told(started, context, TaskStatus::retryable_failure(error)).await;
        }
        let status = self.mapped(started, context, &object).await?;
        if status.phase.ends_attempt() && self.options.delete_on_terminal {
            return Ok(self.first_round(context, status));
        }
        if Some(status.phase.core()) == context.phase {
            return Ok(status);
        }
        let has_ended = status.phase.ends_attempt();
        let status = self.told(started, context, status).await?;
        if has_ended {
            self.done(self.cluster.clear_finalizers(&context.generated_name).await)?;
        }
        Ok(status)
    }

    /// What an object says of its task.
    async fn mapped(
        &self,
        started: &Started,
        context: &TaskContext,
        object: &Object,
    ) -> Result<TaskStatus, SystemError> {
        Ok(match object.phase {
            ObjectPhase::Pending => TaskStatus::QUEUED.with_phase_version(object.version),
            ObjectPhase::Running => TaskStatus::RUNNING.with_phase_version(object.version),
            ObjectPhase::Failed => {
                let message = object.reason.clone().unwrap_or_else(|| "the object failed".to_owned());
                TaskStatus::retryable_failure(TaskError::system("ObjectFailed", message))
            }
            ObjectPhase::Succeeded => handle_task_success(&*started.data, &context.paths.error).await?,
        })
    }

    /// Stores what became of the task, before the object goes.
    fn first_round(&self, context: &TaskContext, status: TaskStatus) -> TaskStatus {
        let error = status.err.as_ref().filter(|_| !self.options.forgets_error);
        let state = CustomState::new()
            .with(OBJECT_STATUS, DELETED)
            .with(TERMINAL_PHASE, status.phase.value())
            .with(TERMINAL_ERROR, error.map_or(Value::Null, |error| json!(error)));
        let phase = context.phase.map_or(TaskPhase::Running, |phase| phase.task());
        TaskStatus::of(phase).with_phase_version(context.phase_version).with_state(state)
    }

    /// What the first round stored, if there was one.
    fn second_round(&self, context: &TaskContext) -> Result<Option<TaskStatus>, SystemError> {
        let Some(state) = &context.custom_state else { return Ok(None) };
        if state.get(OBJECT_STATUS).and_then(Value::as_str) != Some(DELETED) {
            return Ok(None);
        }
        let value =
            state.get(TERMINAL_PHASE).and_then(Value::as_u64).and_then(|value| u8::try_from(value).ok());
        let phase = value.map_or(TaskPhase::Unknown, TaskPhase::from_value);
        if !phase.ends_attempt() {
            return Err(SystemError::new(format!("the stored phase [{phase}] is not the end of a task")));
        }
        let error = state.get(TERMINAL_ERROR).filter(|error| !error.is_null());
        let error = error.and_then(|error| serde_json::from_value(error.clone()).ok());
        let lost = || TaskError::system("UnknownError", "k8s task failed, error info not available");
        let err = if phase.is_success() { None } else { Some(error.unwrap_or_else(lost)) };
        Ok(Some(TaskStatus { err, ..TaskStatus::of(phase) }))
    }

    /// Takes the object away, if it is there.
    async fn release(&self, context: &TaskContext) -> Result<(), SystemError> {
        let name = &context.generated_name;
        self.done(self.cluster.clear_finalizers(name).await)?;
        self.done(self.cluster.delete(name).await)
    }

    async fn get(&self, context: &TaskContext) -> Result<Option<Object>, SystemError> {
        let failed = |error| SystemError::caused_by("failed to look up resource", error);
        self.cluster.get(&context.generated_name).await.map_err(failed)
    }

    /// What is gone needs nothing more.
    fn done(&self, result: Result<(), KubeError>) -> Result<(), SystemError> {
        match result {
            Ok(()) | Err(KubeError::NotFound) => Ok(()),
            Err(error) => Err(SystemError::caused_by("failed to change resource", error)),
        }
    }
}

/// What a task that ended left: its error file decides.
async fn handle_task_success(data: &dyn DataStore, path: &str) -> Result<TaskStatus, SystemError> {
    let unreadable = |error: &SystemError| {
        TaskStatus::retryable_failure(TaskError::system("ErrorFileUnreadable", error.to_string()))
    };
    let info = match data.head(path).await {
        Ok(None) => return Ok(TaskStatus::SUCCEEDED),
        Err(error) => return Ok(unreadable(&error)),
        Ok(Some(info)) => info,
    };
    if info.size > ERROR_FILE_MAX {
        let message = format!("error file of {} bytes, at most {ERROR_FILE_MAX}", info.size);
        return Ok(TaskStatus::permanent_failure(TaskError::user("ErrorFileTooLarge", message)));
    }
    let Some(content) = data.read(path).await? else { return Ok(TaskStatus::SUCCEEDED) };
    let corrupt = |error| SystemError::caused_by(format!("error file [{path}] is corrupt"), error);
    let document: ErrorDocument = serde_json::from_str(&content).map_err(corrupt)?;
    Ok(match document.error {
        None => {
            let message = format!("error file [{path}] is empty");
            TaskStatus::retryable_failure(TaskError::system("EmptyErrorFile", message))
        }
        Some(found) => {
            let error = TaskError { code: found.code, message: found.message, kind: found.origin };
            match found.recoverable {
                true => TaskStatus::retryable_failure(error),
                false => TaskStatus::permanent_failure(error),
            }
        }
    })
}

impl Executor for K8s {
    fn id(&self) -> &str {
        &self.id
    }

    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let recorder = recorder(parameters)?;
            let data = parameters.data.clone().expect("it was looked at when the recorder was");
            // A second engine on the same executor finds it ready.
            let _ = self.started.set(Started { recorder, data });
            Ok(())
        })
    }

    fn start<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
        _: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(self.launch(context, template))
    }

    fn check<'a>(
        &'a self,
        context: &'a TaskContext,
        _: &'a TaskTemplate,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        Box::pin(self.look(context))
    }

    fn kill<'a>(&'a self, context: &'a TaskContext, _: &'a str) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let name = &context.generated_name;
            if !self.options.not_found_fails && self.get(context).await?.is_none() {
                return Ok(());
            }
            self.done(self.cluster.clear_finalizers(name).await)?;
            if !self.options.delete_on_abort {
                return Ok(());
            }
            match self.cluster.delete(name).await {
                Err(error @ KubeError::NotFound) if self.options.not_found_fails => {
                    Err(SystemError::caused_by("failed to delete resource", error))
                }
                result => self.done(result),
            }
        })
    }
}
