//! The successor's plugin for clusters: an object per attempt, looked at by handle, stopped by abort, let go by finalize.
//! It must not know the engine.

use super::job;
use crate::systems::plugin::BoxFuture;
use crate::systems::plugin::context::TaskContext;
use crate::systems::plugin::core::{PhaseInfo, Plugin, PluginCall, Transition};
use crate::systems::plugin::error::{SystemError, TaskError};
use crate::systems::plugin::executor::InitializationParameters;
use crate::systems::plugin::model::CorePhase;
use crate::systems::plugin::outside::{Kube, KubeError, Object, ObjectPhase};
use crate::systems::plugin::state::CustomState;
use serde_json::Value;
use std::sync::Arc;

/// Under which name the state says that the object was launched.
const LAUNCHED: &str = "launched";

/// What an abort does to an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbortBehavior {
    /// Deletes it; one that is gone is done with.
    #[default]
    Default,
    /// Patches it; one that is gone is an error.
    Patch,
    /// Updates it; one that is gone is an error.
    Update,
    /// Deletes it; one that is gone is an error.
    Delete,
}

/// What the plugin does beside what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerOptions {
    /// An object goes when its attempt is over; else it only loses its finalizers.
    pub delete_on_finalize: bool,
    /// What an abort does.
    pub abort: AbortBehavior,
}

impl Default for ManagerOptions {
    fn default() -> ManagerOptions {
        ManagerOptions { delete_on_finalize: true, abort: AbortBehavior::Default }
    }
}

/// The plugin.
pub struct Manager {
    id: String,
    cluster: Arc<dyn Kube>,
    options: ManagerOptions,
}

impl Manager {
    /// A plugin on this cluster.
    pub fn new(id: &str, cluster: Arc<dyn Kube>, options: ManagerOptions) -> Manager {
        Manager { id: id.to_owned(), cluster, options }
    }

    async fn launch(&self, call: PluginCall<'_>) -> Result<Transition, SystemError> {
        let info =
            match self.cluster.create(&call.context.generated_name, job(call.context, call.template)).await {
                Ok(()) | Err(KubeError::AlreadyExists) => return Ok(launched()),
                Err(error) if error.is_quota() || is_insufficient(&error) => {
                    // The quota is looked at before the name: an earlier call may have made the object.
                    if self.get(call.context).await?.is_some() {
                        return Ok(launched());
                    }
                    PhaseInfo::of(CorePhase::WaitingForResources).with_reason(error.to_string())
                }
                Err(error @ KubeError::Forbidden(_)) => {
                    let error = TaskError::user("RuntimeFailure", error.to_string());
                    PhaseInfo::failed(CorePhase::RetryableFailure, error)
                }
                Err(error) => return Err(SystemError::caused_by("failed to create resource", error)),
            };
        Ok(info.into())
    }

    async fn get(&self, context: &TaskContext) -> Result<Option<Object>, SystemError> {
        let failed = |error| SystemError::caused_by("failed to look up resource", error);
        self.cluster.get(&context.generated_name).await.map_err(failed)
    }

    async fn look(&self, context: &TaskContext) -> Result<Transition, SystemError> {
        let state = context.custom_state.clone();
        let Some(object) = self.get(context).await? else {
            let message =
                format!("resource not found, name [{}]. reason: it was deleted", context.generated_name);
            let error = TaskError::system("ResourceDeletedExternally", message);
            return Ok(PhaseInfo::failed(CorePhase::RetryableFailure, error).into());
        };
        Ok(Transition { info: bumped(context, mapped(&object)), state })
    }

    async fn stop(&self, name: &str) -> Result<(), SystemError> {
        let failed = |error| SystemError::caused_by("failed to abort resource", error);
        match self.options.abort {
            AbortBehavior::Default => {
                for stopped in [self.cluster.clear_finalizers(name).await, self.cluster.delete(name).await] {
                    done(stopped)?;
                }
                Ok(())
            }
            AbortBehavior::Patch | AbortBehavior::Update => self.cluster.stop(name).await.map_err(failed),
            AbortBehavior::Delete => self.cluster.delete(name).await.map_err(failed),
        }
    }
}

fn launched() -> Transition {
    let state = Some(CustomState::new().with(LAUNCHED, true));
    Transition { info: PhaseInfo::of(CorePhase::Queued), state }
}

fn is_insufficient(error: &KubeError) -> bool {
    matches!(error, KubeError::Forbidden(message) if message.contains("insufficient resource"))
}

/// What is gone needs nothing more.
fn done(result: Result<(), KubeError>) -> Result<(), SystemError> {
    match result {
        Ok(()) | Err(KubeError::NotFound) => Ok(()),
        Err(error) => Err(SystemError::caused_by("failed to change resource", error)),
    }
}

/// What an object says of its task.
fn mapped(object: &Object) -> PhaseInfo {
    let info = match object.phase {
        _ if object.deleting => {
            let error = TaskError::system("ResourceDeletedExternally", "object was deleted by somebody else");
            PhaseInfo::failed(CorePhase::RetryableFailure, error)
        }
        ObjectPhase::Pending => PhaseInfo::of(CorePhase::Initializing),
        ObjectPhase::Running => PhaseInfo::of(CorePhase::Running),
        ObjectPhase::Succeeded => PhaseInfo::of(CorePhase::Success),
        ObjectPhase::Failed => {
            let message = object.reason.clone().unwrap_or_else(|| "the object failed".to_owned());
            PhaseInfo::failed(CorePhase::RetryableFailure, TaskError::system("ObjectFailed", message))
        }
    };
    PhaseInfo { reason: object.reason.clone(), ..info.with_version(object.version) }
}

/// A new reason is a new version, or nobody would hear of it; what is told and what is stored are the same.
fn bumped(context: &TaskContext, info: PhaseInfo) -> PhaseInfo {
    let is_same_phase = context.phase == Some(info.phase);
    if !is_same_phase || info.version > context.phase_version {
        return info;
    }
    match context.reason == info.reason {
        true => info.with_version(context.phase_version),
        false => info.with_version(context.phase_version.next()),
    }
}

impl Plugin for Manager {
    fn id(&self) -> &str {
        &self.id
    }

    fn initialize<'a>(&'a self, _: &'a InitializationParameters) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn handle<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<Transition, SystemError>> {
        Box::pin(async move {
            let state = call.context.custom_state.as_ref();
            let is_launched = state.and_then(|state| state.get(LAUNCHED)).and_then(Value::as_bool);
            match is_launched {
                Some(true) => self.look(call.context).await,
                Some(false) | None => self.launch(call).await,
            }
        })
    }

    fn abort<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(self.stop(&call.context.generated_name))
    }

    fn finalize<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(async move {
            let name = &call.context.generated_name;
            done(self.cluster.clear_finalizers(name).await)?;
            match self.options.delete_on_finalize {
                true => done(self.cluster.delete(name).await),
                false => Ok(()),
            }
        })
    }
}
