//! One call of an executor for one attempt: the context that it gets, the guard against its panics, the records of it.
//! Separate because both generations are called alike; it must not decide what follows.

use super::Effects;
use super::guarded::guarded;
use crate::emit;
use crate::systems::plugin::context::{
    GENERATED_NAME_MAX, Overrides, OwnerId, Paths, TaskContext, TaskExecutionId, generated_name_within,
};
use crate::systems::plugin::core::Transition;
use crate::systems::plugin::error::{ContextError, SystemError, TaskError, codes};
use crate::systems::plugin::model::{Asked, CorePhase, PhaseVersion, TaskStatus};
use crate::systems::plugin::outputs::{DataStore, LiteralMap, OutputsResolver, write_literals};
use crate::systems::plugin::record::{Attempt, Call, PluginEvent, Returned};
use crate::systems::plugin::registry::Registered;
use crate::systems::plugin::state::CustomState;
use crate::systems::plugin::status::{NodeStatus, TaskRecord, Workflow};
use crate::systems::plugin::variant::Variant;
use crate::systems::plugin::workflow::{NodeSpec, TaskTemplate};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

/// A node that a handler is called for, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct NodeCall<'a> {
    /// What may be changed outside.
    pub effects: &'a Effects,
    /// The workflow, as it is stored.
    pub workflow: &'a Workflow,
    /// The node.
    pub node: &'a NodeSpec,
    /// How far it has come.
    pub status: &'a NodeStatus,
}

/// What a handler found out about its node.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What it asks for.
    pub asked: Asked,
    /// What is to be stored of the attempt.
    pub task: Option<TaskRecord>,
    /// Why it failed.
    pub error: Option<TaskError>,
    /// The outputs come from the catalog.
    pub cached: bool,
    /// What the attempt held was released just now.
    pub released: bool,
}

impl Outcome {
    /// This and nothing else.
    pub fn of(asked: Asked) -> Outcome {
        Outcome { asked, task: None, error: None, cached: false, released: false }
    }

    /// This, for that reason.
    pub fn failed(asked: Asked, error: TaskError) -> Outcome {
        Outcome { error: Some(error), ..Outcome::of(asked) }
    }
}

/// A node that can be called for.
pub(super) struct Ready<'a> {
    pub(super) registered: &'a Registered,
    pub(super) template: &'a TaskTemplate,
    pub(super) context: TaskContext,
    pub(super) attempt: Attempt,
}

/// What a result of a call is in the log.
pub(super) trait Told {
    fn told(&self) -> Returned;
}

impl Told for TaskStatus {
    fn told(&self) -> Returned {
        returned(self.phase.core(), self.phase_version, self.err.as_ref())
    }
}

impl Told for Transition {
    fn told(&self) -> Returned {
        returned(self.info.phase, self.info.version, self.info.error.as_ref())
    }
}

impl Told for () {
    fn told(&self) -> Returned {
        Returned::Done
    }
}

fn returned(phase: CorePhase, version: PhaseVersion, error: Option<&TaskError>) -> Returned {
    match phase.is_failure() {
        true => Returned::Failed(phase, version, error.map(|error| error.kind).unwrap_or_default()),
        false => Returned::Phase(phase, version),
    }
}

impl<'a> NodeCall<'a> {
    /// The context of the present attempt, and who executes it.
    ///
    /// # Errors
    /// The node names no task, or one that there is not, or that nobody executes.
    pub fn context(&self) -> Result<TaskContext, ContextError> {
        self.ready().map(|ready| ready.context)
    }

    pub(super) fn ready(&self) -> Result<Ready<'a>, ContextError> {
        let NodeCall { effects, workflow, node, status } = *self;
        let name = || node.name.clone();
        let task = node.task.as_ref().ok_or_else(|| ContextError::NoTaskId { node: name() })?;
        let no_task = || ContextError::NoTask { node: name(), task: task.clone() };
        let template = workflow.spec.task(task).ok_or_else(no_task)?;
        let registered = effects.registry.executor(&template.task_type);
        let registered = registered.map_err(|source| ContextError::Unsupported { node: name(), source })?;
        let generated_name = self.generated_name(registered);
        let attempt = Attempt {
            name: Arc::clone(&generated_name),
            workflow: Arc::from(workflow.spec.name.as_str()),
            node: Arc::from(node.name.as_str()),
            number: status.attempts,
        };
        let record = status.task.as_ref();
        let context = TaskContext {
            owner: OwnerId { namespace: workflow.spec.namespace.clone(), name: workflow.spec.name.clone() },
            generated_name,
            id: TaskExecutionId { task: task.clone(), node: name(), retry_attempt: status.attempts },
            paths: self.paths(),
            labels: self.labels(),
            annotations: workflow.spec.annotations.clone(),
            overrides: Overrides { resources: node.resources.clone(), config: node.config.clone() },
            service_account: workflow.spec.service_account.clone(),
            custom_state: record.and_then(|task| task.state.clone()),
            phase: record.map(|task| task.phase),
            phase_version: record.map_or(PhaseVersion(0), |task| task.version),
            reason: record.and_then(|task| task.reason.clone()),
            outputs: OutputsResolver::new(Arc::clone(&effects.data)),
        };
        Ok(Ready { registered, template, context, attempt })
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.workflow.spec.labels.clone();
        labels.insert("node".to_owned(), self.node.name.clone());
        labels
    }

    /// Where the files of the present attempt are.
    pub(super) fn paths(&self) -> Paths {
        let spec = &self.workflow.spec;
        if self.effects.has(Variant::SharedDataDir) {
            let node_dir = format!("{}/{}/{}", spec.namespace, spec.name, self.node.name);
            return Paths::in_dirs(&node_dir, "all");
        }
        Paths::of(&spec.namespace, &spec.name, &self.node.name, self.status.attempts)
    }

    fn generated_name(&self, registered: &Registered) -> Arc<str> {
        let number = if self.effects.has(Variant::NameWithoutAttempt) { 0 } else { self.status.attempts };
        let max = match registered {
            Registered::Executor(_) => GENERATED_NAME_MAX,
            Registered::Plugin(plugin) => plugin.properties().generated_name_max,
        };
        generated_name_within(&self.workflow.spec.name, &self.node.name, number, max)
    }

    /// Calls an executor; a panic is an error.
    pub(super) async fn call<T: Told>(
        &self,
        ready: &Ready<'_>,
        call: Call,
        future: impl Future<Output = Result<T, SystemError>>,
    ) -> Result<T, SystemError> {
        let attempt = ready.attempt.clone();
        emit(PluginEvent::Called {
            attempt: attempt.clone(),
            call,
            state: CustomState::fingerprint(ready.context.custom_state.as_ref()),
            requires_finalizer: ready.registered.requires_finalizer(),
        });
        let result = guarded(future).await.unwrap_or_else(|payload| {
            let what = format!("calling {} of executor [{}]", call.name(), ready.registered.id());
            Err(SystemError::of_panic(&what, &*payload))
        });
        let told = match &result {
            Ok(value) => value.told(),
            Err(error) => Returned::Error(Arc::from(error.to_string())),
        };
        emit(PluginEvent::Returned { attempt, call, result: told });
        result
    }

    /// What the parents put out, under their names (`parent.variable`), as those who executed them say.
    pub(super) async fn inputs(&self) -> Result<LiteralMap, SystemError> {
        let NodeCall { effects, workflow, node, .. } = *self;
        let mut inputs = LiteralMap::new();
        for upstream in &node.upstream {
            let parent = workflow.spec.node(upstream);
            let Some(parent) = parent.filter(|parent| has_outputs(workflow, parent)) else { continue };
            let status = workflow.status.node(&parent.name);
            let ready = NodeCall { effects, workflow, node: parent, status: &status }.ready();
            let ready = ready.map_err(|error| SystemError::caused_by("failed to resolve inputs", error))?;
            let variables: Vec<&str> = ready.template.outputs.iter().map(String::as_str).collect();
            let found = ready.registered.resolve_outputs(&ready.context, &variables).await;
            let found = found.map_err(|error| SystemError::caused_by("failed to resolve inputs", error))?;
            inputs.extend(found.into_iter().map(|(name, value)| (format!("{upstream}.{name}"), value)));
        }
        Ok(inputs)
    }
}

fn has_outputs(workflow: &Workflow, node: &NodeSpec) -> bool {
    workflow.spec.task_of(node).is_some_and(|task| !task.outputs.is_empty())
}

/// Writes what a node reads; nothing if it reads nothing.
///
/// # Errors
/// There is no place for it, or the store failed.
pub async fn write_inputs(
    store: &dyn DataStore,
    path: Option<&str>,
    inputs: &LiteralMap,
) -> Result<(), SystemError> {
    if inputs.is_empty() {
        return Ok(());
    }
    let path = path.ok_or_else(|| SystemError::new("no data-dir set, cannot store inputs"))?;
    let failed = |error| SystemError::caused_by("failed to store inputs", error);
    write_literals(store, path, inputs).await.map_err(failed)
}

/// Outputs were declared and are not there.
pub(super) fn outputs_not_found(path: &str) -> TaskError {
    TaskError::user(codes::OUTPUTS_NOT_FOUND, format!("outputs not found at [{path}]"))
}
