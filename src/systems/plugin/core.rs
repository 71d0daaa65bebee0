//! The successor's interface: one call that handles, one that aborts, one that always comes last. And the adapter that
//! makes a plugin of an executor of the first generation, so that both run on one engine. It must not know the engine.

use super::BoxFuture;
use super::catalog::Catalog;
use super::context::{GENERATED_NAME_MAX, TaskContext};
use super::error::{ErrorKind, SystemError, TaskError};
use super::executor::{Executor, InitializationParameters, KILL_REASON};
use super::model::{CorePhase, PhaseVersion, TaskPhase};
use super::outputs::LiteralMap;
use super::state::CustomState;
use super::workflow::TaskTemplate;
use std::sync::Arc;

/// What a plugin is like, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PluginProperties {
    /// The catalog is not asked for its tasks.
    pub disable_node_level_caching: bool,
    /// The longest name that it can give to what it makes.
    pub generated_name_max: usize,
    /// The workflow may not vanish until the abort of each of its tasks succeeded.
    pub requires_finalizer: bool,
}

impl Default for PluginProperties {
    fn default() -> PluginProperties {
        PluginProperties {
            disable_node_level_caching: false,
            generated_name_max: GENERATED_NAME_MAX,
            requires_finalizer: false,
        }
    }
}

/// A phase with all that is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseInfo {
    /// The phase.
    pub phase: CorePhase,
    /// The report within the phase.
    pub version: PhaseVersion,
    /// The failure, if it is one.
    pub error: Option<TaskError>,
    /// What it holds must be aborted although it failed.
    pub cleanup_on_failure: bool,
    /// Why it is in this phase.
    pub reason: Option<String>,
}

impl PhaseInfo {
    /// A phase alone.
    pub fn of(phase: CorePhase) -> PhaseInfo {
        PhaseInfo { phase, ..PhaseInfo::default() }
    }

    /// A failure.
    pub fn failed(phase: CorePhase, error: TaskError) -> PhaseInfo {
        PhaseInfo { phase, error: Some(error), ..PhaseInfo::default() }
    }

    /// With another version; all else stays.
    #[must_use]
    pub fn with_version(self, version: PhaseVersion) -> PhaseInfo {
        PhaseInfo { version, ..self }
    }

    /// With a reason.
    #[must_use]
    pub fn with_reason(self, reason: impl Into<String>) -> PhaseInfo {
        PhaseInfo { reason: Some(reason.into()), ..self }
    }

    /// With what it holds to be aborted although it failed.
    #[must_use]
    pub fn cleaned_up(self) -> PhaseInfo {
        PhaseInfo { cleanup_on_failure: true, ..self }
    }

    /// Who is to blame for the failure.
    pub fn kind(&self) -> ErrorKind {
        self.error.as_ref().map_or(ErrorKind::User, |error| error.kind)
    }
}

/// What a call of a plugin came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transition {
    /// Where the task is now.
    pub info: PhaseInfo,
    /// What the plugin is to be handed next time; none keeps nothing.
    pub state: Option<CustomState>,
}

impl From<PhaseInfo> for Transition {
    fn from(info: PhaseInfo) -> Transition {
        Transition { info, state: None }
    }
}

/// What a plugin is called with.
#[derive(Clone, Copy, Debug)]
pub struct PluginCall<'a> {
    /// What is stored of the attempt.
    pub context: &'a TaskContext,
    /// The task.
    pub template: &'a TaskTemplate,
    /// What it reads.
    pub inputs: &'a LiteralMap,
}

/// Executes tasks of some types. An error is one of the system: the round is thrown away and done again.
pub trait Plugin: Send + Sync {
    /// Tells it from others.
    fn id(&self) -> &str;

    /// What it is like.
    fn properties(&self) -> PluginProperties {
        PluginProperties::default()
    }

    /// Prepares it, once, before all else.
    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>>;

    /// Brings an attempt forward: launches it, looks at it.
    fn handle<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<Transition, SystemError>>;

    /// Stops an attempt; also one that has stopped or never began.
    fn abort<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>>;

    /// Releases what an attempt held, after success, failure or abort; also if it was called before.
    fn finalize<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>>;
}

/// An executor of the first generation as a plugin of the successor.
#[derive(Clone)]
pub struct ExecutorAdapter {
    executor: Arc<dyn Executor>,
}

impl ExecutorAdapter {
    /// Adapts an executor.
    pub fn new(executor: Arc<dyn Executor>) -> ExecutorAdapter {
        ExecutorAdapter { executor }
    }

    /// Whether an attempt was accepted: then it is looked at, else it is started (again).
    fn is_accepted(context: &TaskContext) -> bool {
        context.phase.is_some_and(|phase| phase.rank() > 0)
    }
}

impl Plugin for ExecutorAdapter {
    fn id(&self) -> &str {
        self.executor.id()
    }

    fn properties(&self) -> PluginProperties {
        let properties = self.executor.properties();
        PluginProperties {
            disable_node_level_caching: properties.disable_node_level_caching,
            requires_finalizer: properties.requires_finalizer,
            ..PluginProperties::default()
        }
    }

    fn initialize<'a>(
        &'a self,
        parameters: &'a InitializationParameters,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        self.executor.initialize(parameters)
    }

    fn handle<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<Transition, SystemError>> {
        Box::pin(async move {
            let PluginCall { context, template, inputs } = call;
            let status = match ExecutorAdapter::is_accepted(context) {
                true => self.executor.check(context, template).await?,
                false => self.executor.start(context, template, inputs).await?,
            };
            let cleanup_on_failure = status.phase == TaskPhase::RetryableFailure;
            let info = PhaseInfo {
                phase: status.phase.core(),
                version: status.phase_version,
                error: status.err,
                // A dead attempt may still hold something, and the first generation has no call for that but kill.
                cleanup_on_failure,
                reason: None,
            };
            Ok(Transition { info, state: status.state })
        })
    }

    fn abort<'a>(&'a self, call: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        self.executor.kill(call.context, KILL_REASON)
    }

    fn finalize<'a>(&'a self, _: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The catalog that a plugin's tasks may use, if they may.
pub(super) fn usable_catalog(
    catalog: Option<&Arc<dyn Catalog>>,
    disabled: bool,
    template: &TaskTemplate,
) -> Option<Arc<dyn Catalog>> {
    let is_wanted = !disabled && template.discoverable && !template.outputs.is_empty();
    catalog.filter(|_| is_wanted).cloned()
}
