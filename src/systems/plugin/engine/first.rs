//! The task handler of the first generation: start, check, kill, and the catalog around them. Separate from the node
//! executor, which decides what becomes of the node; it must not change what is stored.

use super::call::{NodeCall, Outcome, Ready, outputs_not_found, write_inputs};
use crate::emit;
use crate::systems::plugin::catalog::Catalog;
use crate::systems::plugin::core::usable_catalog;
use crate::systems::plugin::error::{CatalogError, ContextError, SystemError, TaskError, codes};
use crate::systems::plugin::executor::{Executor, KILL_REASON};
use crate::systems::plugin::model::{Asked, CorePhase, TaskPhase, TaskStatus};
use crate::systems::plugin::outputs::{LiteralMap, read_literals, write_literals};
use crate::systems::plugin::record::{Call, PluginEvent};
use crate::systems::plugin::registry::Registered;
use crate::systems::plugin::status::TaskRecord;
use std::sync::Arc;

/// Handles the tasks of nodes.
#[derive(Clone, Copy, Debug)]
pub struct TaskHandler<'a>(pub NodeCall<'a>);

impl TaskHandler<'_> {
    /// Starts the task, or takes its outputs from the catalog.
    ///
    /// # Errors
    /// A system error: the round is to be thrown away.
    pub async fn start_node(&self) -> Result<Outcome, SystemError> {
        let ready = match self.0.ready() {
            Ok(ready) => ready,
            Err(error) => return Ok(caused_by(&error)),
        };
        let executor = executor(&ready)?;
        let inputs = self.0.inputs().await?;
        write_inputs(&*self.0.effects.data, Some(&ready.context.paths.inputs), &inputs).await?;
        if let Some(hit) = self.look_up(&ready, &inputs).await? {
            return Ok(hit);
        }
        let started = executor.start(&ready.context, ready.template, &inputs);
        let failed = |error| {
            let message = format!("failed to start task [retry attempt: {}]", ready.attempt.number);
            SystemError::caused_by(message, error)
        };
        let status = self.0.call(&ready, Call::Start, started).await.map_err(failed)?;
        self.outcome(&ready, status).await
    }

    /// Looks at the task.
    ///
    /// # Errors
    /// A system error: the round is to be thrown away.
    pub async fn check_node_status(&self) -> Result<Outcome, SystemError> {
        let ready = match self.0.ready() {
            Ok(ready) => ready,
            Err(error) => return Ok(caused_by(&error)),
        };
        let executor = executor(&ready)?;
        let checked = executor.check(&ready.context, ready.template);
        let failed = |error| SystemError::caused_by("failed to check status", error);
        let status = self.0.call(&ready, Call::Check, checked).await.map_err(failed)?;
        self.outcome(&ready, status).await
    }

    /// What becomes of a task that succeeded: its outputs must be there, and go to the catalog.
    ///
    /// # Errors
    /// A system error: the round is to be thrown away.
    pub async fn handle_node_success(&self) -> Result<Outcome, SystemError> {
        let ready = match self.0.ready() {
            Ok(ready) => ready,
            Err(error) => return Ok(caused_by(&error)),
        };
        self.succeeded(&ready).await
    }

    /// What becomes of a node that fails: it has failed.
    pub fn handle_failing_node(&self) -> Outcome {
        let error = self.0.status.error.clone();
        Outcome::failed(
            Asked::Failed,
            error.unwrap_or_else(|| TaskError::user(codes::CAUSED_BY, "the node failed")),
        )
    }

    /// Kills the task.
    ///
    /// # Errors
    /// It was not killed, or nobody can.
    pub async fn abort_node(&self) -> Result<(), SystemError> {
        let ready = self.0.ready().map_err(|error| SystemError::caused_by("failed to abort task", error))?;
        let executor = executor(&ready)?;
        let killed = executor.kill(&ready.context, KILL_REASON);
        let failed = |error| SystemError::caused_by("failed to abort task", error);
        self.0.call(&ready, Call::Kill, killed).await.map_err(failed)
    }

    /// The catalog's answer, if there is one: nothing then has to run.
    async fn look_up(&self, ready: &Ready<'_>, inputs: &LiteralMap) -> Result<Option<Outcome>, SystemError> {
        let Some(catalog) = self.catalog(ready) else { return Ok(None) };
        let found = catalog.get(ready.template, inputs).await;
        emit(PluginEvent::CatalogAsked {
            attempt: ready.attempt.clone(),
            hit: matches!(found, Ok(Some(_))),
            disabled: ready.registered.disable_node_level_caching(),
        });
        match found {
            Err(CatalogError::NotFound) => Ok(None),
            Err(CatalogError::Failed(error)) => {
                tracing::warn!(%error, "the catalog failed, the task is run");
                Ok(None)
            }
            Ok(None) => Err(SystemError::new("Nil catalog response, although it says that it succeeded")),
            Ok(Some(outputs)) => {
                let path = &ready.context.paths.outputs;
                write_literals(&*self.0.effects.data, path, &outputs).await?;
                let task = Some(TaskRecord { phase: CorePhase::Success, ..TaskRecord::default() });
                Ok(Some(Outcome { task, cached: true, ..Outcome::of(Asked::Success) }))
            }
        }
    }

    fn catalog(&self, ready: &Ready<'_>) -> Option<Arc<dyn Catalog>> {
        let disabled = ready.registered.disable_node_level_caching();
        usable_catalog(self.0.effects.catalog.as_ref(), disabled, ready.template)
    }

    /// What a status means for the node.
    async fn outcome(&self, ready: &Ready<'_>, status: TaskStatus) -> Result<Outcome, SystemError> {
        let unknown = |error| SystemError::caused_by("IllegalState", error);
        let asked = status.phase.asked().map_err(unknown)?;
        let task = TaskRecord {
            phase: status.phase.core(),
            version: status.phase_version,
            state: status.state,
            ..TaskRecord::default()
        };
        let outcome = Outcome { task: Some(task), error: status.err, ..Outcome::of(asked) };
        match status.phase {
            TaskPhase::Succeeded => {
                let succeeded = self.succeeded(ready).await?;
                Ok(Outcome { task: outcome.task, ..succeeded })
            }
            _ => Ok(outcome),
        }
    }

    async fn succeeded(&self, ready: &Ready<'_>) -> Result<Outcome, SystemError> {
        if ready.template.outputs.is_empty() {
            return Ok(Outcome::of(Asked::Success));
        }
        let (data, path) = (&*self.0.effects.data, &ready.context.paths.outputs);
        if data.head(path).await?.is_none() {
            return Ok(Outcome::failed(Asked::RetryableFailure, outputs_not_found(path)));
        }
        if let Some(catalog) = self.catalog(ready)
            && let Err(error) = self.put(&*catalog, ready).await
        {
            tracing::warn!(%error, "the outputs are not in the catalog");
        }
        Ok(Outcome::of(Asked::Success))
    }

    async fn put(&self, catalog: &dyn Catalog, ready: &Ready<'_>) -> Result<(), SystemError> {
        let outputs = read_literals(&*self.0.effects.data, &ready.context.paths.outputs).await?;
        let inputs = self.0.inputs().await?;
        emit(PluginEvent::CatalogPut {
            attempt: ready.attempt.clone(),
            disabled: ready.registered.disable_node_level_caching(),
        });
        let put = catalog.put(ready.template, &ready.context.id, &inputs, &outputs.unwrap_or_default()).await;
        put.map_err(|error| SystemError::caused_by("the catalog did not take the outputs", error))
    }
}

/// A node that cannot be called for has failed.
pub(super) fn caused_by(error: &ContextError) -> Outcome {
    Outcome::failed(Asked::Failed, TaskError::user(codes::CAUSED_BY, error.to_string()))
}

fn executor<'a>(ready: &Ready<'a>) -> Result<&'a Arc<dyn Executor>, SystemError> {
    match ready.registered {
        Registered::Executor(executor) => Ok(executor),
        Registered::Plugin(plugin) => Err(SystemError::new(format!(
            "plugin [{}] is of the successor, and the engine runs the first generation",
            plugin.id()
        ))),
    }
}
