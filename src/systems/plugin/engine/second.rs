//! The task handler of the successor: handle, abort, finalize, the events and the catalog around them. Separate from the
//! node executor, which decides what becomes of the node; it must not change what is stored.

use super::call::{NodeCall, Outcome, Ready, outputs_not_found, write_inputs};
use super::first::caused_by;
use crate::emit;
use crate::systems::plugin::catalog::{Catalog, Reservation, cache_step};
use crate::systems::plugin::context::TaskContext;
use crate::systems::plugin::core::{PhaseInfo, PluginCall, Transition, usable_catalog};
use crate::systems::plugin::error::{CatalogError, EventError, SystemError, TaskError, codes};
use crate::systems::plugin::events::{EventBuilder, Recorded, recorded};
use crate::systems::plugin::model::{Asked, CorePhase, EventPhase, NodePhase, PhaseVersion, TaskStatus};
use crate::systems::plugin::outputs::{
    DataStore, ERROR_FILE_MAX, ErrorDocument, LiteralMap, OUTPUTS_MAX, read_literals, write_literals,
};
use crate::systems::plugin::record::{Call, PluginEvent};
use crate::systems::plugin::status::{TaskRecord, wall_ns};
use crate::systems::plugin::workflow::TaskTemplate;
use crate::time::Duration;
use std::sync::Arc;

/// Handles the tasks of nodes.
#[derive(Clone, Copy, Debug)]
pub struct CoreHandler<'a>(pub NodeCall<'a>);

impl CoreHandler<'_> {
    /// Brings the task forward, and tells the control plane.
    ///
    /// # Errors
    /// A system error: the round is to be thrown away.
    pub async fn handle(&self) -> Result<Outcome, SystemError> {
        let ready = match self.0.ready() {
            Ok(ready) => ready,
            Err(error) => return Ok(caused_by(&error)),
        };
        let inputs = self.0.inputs().await?;
        if self.0.status.phase != NodePhase::Running {
            write_inputs(&*self.0.effects.data, Some(&ready.context.paths.inputs), &inputs).await?;
            if let Some(outcome) = self.look_up(&ready, &inputs).await? {
                return Ok(outcome);
            }
        }
        let plugin = ready.registered.as_plugin();
        let handled = plugin.handle(call(&ready, &inputs));
        let failed = |error| SystemError::caused_by("failed to handle task", error);
        let transition = self.0.call(&ready, Call::Handle, handled).await.map_err(failed)?;
        let transition = self.judged(&ready, transition).await?;
        if transition.info.phase == CorePhase::Success {
            self.put(&ready, &inputs).await;
        }
        self.told(&ready, transition).await
    }

    /// Stops the task, unless it has ended and holds nothing.
    ///
    /// # Errors
    /// It was not stopped, or nobody can.
    pub async fn abort(&self) -> Result<(), SystemError> {
        let context =
            self.0.context().map_err(|error| SystemError::caused_by("failed to abort task", error))?;
        if self.has_nothing_to_abort() {
            return Ok(());
        }
        self.stop().await?;
        self.tell_aborted(&context).await
    }

    /// Stops the task, and tells nobody.
    pub(super) async fn stop(&self) -> Result<(), SystemError> {
        let failed = |error: SystemError| SystemError::caused_by("failed to abort task", error);
        let no_context = |error| SystemError::caused_by("failed to abort task", error);
        let ready = self.0.ready().map_err(no_context)?;
        let inputs = LiteralMap::new();
        let plugin = ready.registered.as_plugin();
        self.0.call(&ready, Call::Abort, plugin.abort(call(&ready, &inputs))).await.map_err(failed)
    }

    /// Tells the control plane of a failure that the engine found out itself.
    pub(super) async fn tell(&self, info: &PhaseInfo) -> Result<Recorded, SystemError> {
        let no_context = |error| SystemError::caused_by("failed to record event", error);
        self.record(&self.0.context().map_err(no_context)?, info).await
    }

    /// The outcome of a node that has not been queued, if the catalog has its outputs.
    ///
    /// # Errors
    /// A system error: the round is to be thrown away.
    pub async fn cached(&self) -> Result<Option<Outcome>, SystemError> {
        let Ok(ready) = self.0.ready() else { return Ok(None) };
        if self.catalog(&ready).is_none() {
            return Ok(None);
        }
        let inputs = self.0.inputs().await?;
        self.look_up(&ready, &inputs).await
    }

    /// Releases what the task held.
    ///
    /// # Errors
    /// It was not released, or nobody can.
    pub async fn finalize(&self) -> Result<(), SystemError> {
        let failed = |error: SystemError| SystemError::caused_by("failed to finalize task", error);
        let no_context = |error| SystemError::caused_by("failed to finalize task", error);
        let ready = self.0.ready().map_err(no_context)?;
        let inputs = LiteralMap::new();
        let plugin = ready.registered.as_plugin();
        self.0.call(&ready, Call::Finalize, plugin.finalize(call(&ready, &inputs))).await.map_err(failed)?;
        match self.catalog(&ready).filter(|_| ready.template.cache_serializable) {
            None => Ok(()),
            Some(catalog) => catalog
                .release(&ready.attempt.name)
                .await
                .map_err(|error| SystemError::caused_by("failed to release reservation", error)),
        }
    }

    fn has_nothing_to_abort(&self) -> bool {
        self.0.status.task.as_ref().is_some_and(|task| {
            task.phase.is_terminal() && !(task.phase.is_failure() && task.cleanup_on_failure)
        })
    }

    fn catalog(&self, ready: &Ready<'_>) -> Option<Arc<dyn Catalog>> {
        let disabled = ready.registered.disable_node_level_caching();
        usable_catalog(self.0.effects.catalog.as_ref(), disabled, ready.template)
    }

    /// What the catalog says before the plugin is called: the outputs, or that another computes them.
    async fn look_up(&self, ready: &Ready<'_>, inputs: &LiteralMap) -> Result<Option<Outcome>, SystemError> {
        let Some(catalog) = self.catalog(ready) else { return Ok(None) };
        let found = catalog.get(ready.template, inputs).await;
        emit(PluginEvent::CatalogAsked {
            attempt: ready.attempt.clone(),
            hit: matches!(found, Ok(Some(_))),
            disabled: ready.registered.disable_node_level_caching(),
        });
        let outputs = match found {
            Ok(Some(outputs)) => Some(outputs),
            Ok(None) => {
                return Err(SystemError::new("Nil catalog response, although it says that it succeeded"));
            }
            Err(CatalogError::NotFound) => None,
            Err(CatalogError::Failed(error)) => {
                tracing::warn!(%error, "the catalog failed, the task is run");
                None
            }
        };
        let phase = self.0.status.phase;
        let is_reserved = ready.template.cache_serializable && phase != NodePhase::NotYetStarted;
        let reservation = match is_reserved && outputs.is_none() {
            false => None,
            true => Some(self.reserve(&*catalog, ready, inputs).await?),
        };
        match cache_step(phase, outputs.is_some(), reservation.as_ref()) {
            NodePhase::Succeeded => {
                let outputs = outputs.unwrap_or_default();
                write_literals(&*self.0.effects.data, &ready.context.paths.outputs, &outputs).await?;
                let task = Some(TaskRecord { phase: CorePhase::Success, ..TaskRecord::default() });
                Ok(Some(Outcome { task, cached: true, ..Outcome::of(Asked::Success) }))
            }
            NodePhase::Queued | NodePhase::RetryableFailure if phase != NodePhase::NotYetStarted => {
                let task = Some(TaskRecord { phase: CorePhase::WaitingForCache, ..TaskRecord::default() });
                Ok(Some(Outcome { task, ..Outcome::of(Asked::Queued) }))
            }
            _ => Ok(None),
        }
    }

    async fn reserve(
        &self,
        catalog: &dyn Catalog,
        ready: &Ready<'_>,
        inputs: &LiteralMap,
    ) -> Result<Reservation, SystemError> {
        let reserved =
            catalog.reserve(ready.template, inputs, &ready.context.owner, &ready.attempt.name).await;
        reserved.map_err(|error| SystemError::caused_by("failed to reserve", error))
    }

    /// What a transition is once its version and its outputs are judged.
    async fn judged(&self, ready: &Ready<'_>, transition: Transition) -> Result<Transition, SystemError> {
        let Transition { info, state } = transition;
        if info.phase == CorePhase::Undefined {
            return Err(SystemError::new("error converting plugin phase, received [Undefined]"));
        }
        if info.version > PhaseVersion::MAX {
            let message =
                format!("Total version sent [{}], max allowed [{}]", info.version, PhaseVersion::MAX);
            let error = TaskError::user(codes::TOO_MANY_VERSIONS, message);
            // The plugin goes on, and has to be stopped.
            let failed = PhaseInfo::failed(CorePhase::PermanentFailure, error).cleaned_up();
            return Ok(Transition { info: failed, state });
        }
        if info.phase != CorePhase::Success {
            return Ok(Transition { info, state });
        }
        let failure = validate_output(&*self.0.effects.data, &ready.context, ready.template).await?;
        Ok(Transition { info: failure.unwrap_or(info), state })
    }

    /// Tells the control plane what is new, and what it means for the node.
    async fn told(&self, ready: &Ready<'_>, transition: Transition) -> Result<Outcome, SystemError> {
        let Transition { info, state } = transition;
        let seen = self.0.status.task.as_ref().map(|task| (task.phase, task.version));
        if seen != Some((info.phase, info.version))
            && let Recorded::Conflict = self.record(&ready.context, &info).await?
        {
            let message = "phase mismatch between propeller and control plane; Propeller State: the task event \
                           was refused";
            // What it holds is in its state, and has to be released whatever it says of itself.
            let PhaseInfo { phase, version, reason, .. } = info;
            let task = TaskRecord { phase, version, state, reason, cleanup_on_failure: true };
            let failed = Outcome::failed(Asked::Failed, TaskError::user(codes::ILLEGAL_STATE, message));
            return Ok(Outcome { task: Some(task), ..failed });
        }
        let asked = match info.phase {
            CorePhase::Success => Asked::Success,
            CorePhase::RetryableFailure => Asked::RetryableFailure,
            CorePhase::PermanentFailure | CorePhase::Aborted => Asked::Failed,
            _ => Asked::Running,
        };
        let PhaseInfo { phase, version, error, cleanup_on_failure, reason } = info;
        let task = Some(TaskRecord { phase, version, state, reason, cleanup_on_failure });
        Ok(Outcome { task, error, ..Outcome::of(asked) })
    }

    async fn record(&self, context: &TaskContext, info: &PhaseInfo) -> Result<Recorded, SystemError> {
        let status = TaskStatus {
            phase_version: info.version,
            err: info.error.clone(),
            ..TaskStatus::of(info.phase.task())
        };
        let mut event = EventBuilder::new(context, &status).build(Duration::from_nanos(wall_ns()));
        event.phase = info.phase.event_phase();
        recorded(self.0.effects.recorder.record_task(&event).await)
    }

    /// That it has ended otherwise, is unknown or another cluster's does not keep an abort from being complete.
    async fn tell_aborted(&self, context: &TaskContext) -> Result<(), SystemError> {
        let status = TaskStatus::UNDEFINED;
        let mut event = EventBuilder::new(context, &status).build(Duration::from_nanos(wall_ns()));
        event.phase = EventPhase::Aborted;
        match self.0.effects.recorder.record_task(&event).await {
            Err(EventError::Failed(error)) => Err(SystemError::caused_by("failed to record event", error)),
            Ok(())
            | Err(
                EventError::AlreadyExists
                | EventError::AlreadyInTerminalState
                | EventError::NotFound
                | EventError::IncompatibleCluster,
            ) => Ok(()),
        }
    }

    async fn put(&self, ready: &Ready<'_>, inputs: &LiteralMap) {
        let Some(catalog) = self.catalog(ready) else { return };
        let outputs = read_literals(&*self.0.effects.data, &ready.context.paths.outputs).await;
        let Ok(Some(outputs)) = outputs else { return };
        emit(PluginEvent::CatalogPut {
            attempt: ready.attempt.clone(),
            disabled: ready.registered.disable_node_level_caching(),
        });
        if let Err(error) = catalog.put(ready.template, &ready.context.id, inputs, &outputs).await {
            tracing::warn!(%error, "the outputs are not in the catalog");
        }
    }
}

fn call<'a>(ready: &'a Ready<'_>, inputs: &'a LiteralMap) -> PluginCall<'a> {
    PluginCall { context: &ready.context, template: ready.template, inputs }
}

/// What a task that says it succeeded left: none if that is as it should be, else the failure.
///
/// # Errors
/// The store failed, or the error file is corrupt.
pub async fn validate_output(
    data: &dyn DataStore,
    context: &TaskContext,
    template: &TaskTemplate,
) -> Result<Option<PhaseInfo>, SystemError> {
    if let Some(failure) = error_file(data, &context.paths.error).await? {
        return Ok(Some(failure));
    }
    if template.outputs.is_empty() {
        return Ok(None);
    }
    let path = &context.paths.outputs;
    Ok(match data.head(path).await? {
        None => Some(PhaseInfo::failed(CorePhase::RetryableFailure, outputs_not_found(path))),
        Some(info) if info.size > OUTPUTS_MAX => {
            let message = format!("outputs of {} bytes at [{path}], at most {OUTPUTS_MAX}", info.size);
            let error = TaskError::user(codes::OUTPUT_SIZE_EXCEEDED, message);
            Some(PhaseInfo::failed(CorePhase::PermanentFailure, error))
        }
        Some(_) => None,
    })
}

async fn error_file(data: &dyn DataStore, path: &str) -> Result<Option<PhaseInfo>, SystemError> {
    let Some(info) = data.head(path).await? else { return Ok(None) };
    if info.size > ERROR_FILE_MAX {
        let error = TaskError::user("ErrorFileTooLarge", format!("error file of {} bytes", info.size));
        return Ok(Some(PhaseInfo::failed(CorePhase::PermanentFailure, error)));
    }
    let Some(content) = data.read(path).await? else { return Ok(None) };
    let corrupt = |error| SystemError::caused_by(format!("[{path}] is corrupt"), error);
    let document: ErrorDocument = serde_json::from_str(&content).map_err(corrupt)?;
    let Some(found) = document.error else {
        let error = TaskError::system("EmptyErrorFile", format!("error file [{path}] is empty"));
        return Ok(Some(PhaseInfo::failed(CorePhase::RetryableFailure, error)));
    };
    Ok(Some({
        let phase = if found.recoverable { CorePhase::RetryableFailure } else { CorePhase::PermanentFailure };
        PhaseInfo::failed(phase, TaskError { code: found.code, message: found.message, kind: found.origin })
    }))
}
