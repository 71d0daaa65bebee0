//! What an executor of tasks must offer (the first generation's interface), and nothing of how. It must not know the
//! engine.

use super::BoxFuture;
use super::catalog::Catalog;
use super::context::TaskContext;
use super::enqueue::EnqueueOwner;
use super::error::{OutputsError, SystemError};
use super::events::EventRecorder;
use super::model::TaskStatus;
use super::outputs::{DataStore, LiteralMap};
use super::workflow::TaskTemplate;
use std::fmt;
use std::sync::Arc;

/// Why a task is killed.
pub const KILL_REASON: &str = "Node aborted";

/// What an executor is like, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorProperties {
    /// The workflow may not vanish until the kill of each of its tasks that has not ended succeeded.
    pub requires_finalizer: bool,
    /// The catalog is not asked for its tasks.
    pub disable_node_level_caching: bool,
}

/// What an executor may need; what it does need it says when it is initialized.
#[derive(Clone, Default)]
pub struct InitializationParameters {
    /// Results of the past.
    pub catalog: Option<Arc<dyn Catalog>>,
    /// Where events go.
    pub recorder: Option<Arc<dyn EventRecorder>>,
    /// Where files lie.
    pub data: Option<Arc<dyn DataStore>>,
    /// Asks for another round of a workflow.
    pub enqueue_owner: Option<EnqueueOwner>,
    /// The kind of owners.
    pub owner_kind: String,
    /// Under which name it measures.
    pub metrics_scope: String,
}

impl fmt::Debug for InitializationParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitializationParameters")
            .field("owner_kind", &self.owner_kind)
            .finish_non_exhaustive()
    }
}

/// Executes tasks of some types.
///
/// An error is one of the system: the round is thrown away and done again. That a task failed is no error but a status.
/// Futures may be dropped at any await; what they did until then stays, so every operation must bear to be repeated.
pub trait Executor: Send + Sync {
    /// Tells it from others.
    fn id(&self) -> &str;

    /// What it is like.
    fn properties(&self) -> ExecutorProperties {
        ExecutorProperties::default()
    }

    /// Prepares it, once, before all else.
    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>>;

    /// Launches an attempt. Called again for the same name if its effect was not stored, if it was not accepted, or
    /// after an error: there must be one execution for one name.
    fn start<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
        inputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>>;

    /// Looks at an attempt that was accepted.
    fn check<'a>(
        &'a self,
        context: &'a TaskContext,
        template: &'a TaskTemplate,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>>;

    /// Releases all that an attempt holds, also when it holds nothing (any more). Only when its workflow is aborted.
    fn kill<'a>(
        &'a self,
        context: &'a TaskContext,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), SystemError>>;

    /// Reads outputs of an attempt that succeeded.
    fn resolve_outputs<'a>(
        &'a self,
        context: &'a TaskContext,
        variables: &'a [&'a str],
    ) -> BoxFuture<'a, Result<LiteralMap, OutputsError>> {
        Box::pin(async move { context.outputs.resolve(context, variables).await })
    }
}
