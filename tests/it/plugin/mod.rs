//! Tests of `systems::plugin`: the acceptance tables of its specification row by row, each property with a sequence that
//! breaks it, and the scenarios. Here: executors, recorders, catalogs and clusters that answer as a test says.

mod files;
mod handler;
mod k8s;
mod nodes;
#[cfg(feature = "tokio")]
mod on_tokio;
mod others;
mod properties;
mod registry;
mod rounds;
mod successor;
mod types;
mod workloads;

use fatum::systems::plugin::BoxFuture;
use fatum::systems::plugin::catalog::{Catalog, Reservation};
use fatum::systems::plugin::context::{OwnerId, TaskContext, TaskExecutionId};
use fatum::systems::plugin::core::{Plugin, PluginCall, PluginProperties, Transition};
use fatum::systems::plugin::engine::NodeCall;
use fatum::systems::plugin::error::{CatalogError, EventError, OutputsError, SystemError};
use fatum::systems::plugin::events::{EventRecorder, NodeEvent, TaskEvent};
use fatum::systems::plugin::executor::{Executor, ExecutorProperties, InitializationParameters};
use fatum::systems::plugin::model::TaskStatus;
use fatum::systems::plugin::outputs::LiteralMap;
use fatum::systems::plugin::outside::Files;
use fatum::systems::plugin::registry::{Registered, Registry};
use fatum::systems::plugin::status::{NodeStatus, Workflow};
use fatum::systems::plugin::workflow::{NodeSpec, TaskTemplate, WorkflowSpec};
use fatum::systems::plugin::{Config, Effects};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// The result of a future that has nothing to wait for.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// What a scripted call does.
#[derive(Clone)]
pub(crate) enum Does<T> {
    Returns(T),
    Fails,
    Panics,
}

impl<T: Clone> Does<T> {
    fn result(&self, what: &str) -> Result<T, SystemError> {
        match self {
            Does::Returns(value) => Ok(value.clone()),
            Does::Fails => Err(SystemError::new(format!("{what} failed"))),
            Does::Panics => panic!("{what} panicked"),
        }
    }
}

/// An executor that does as it is told, and remembers its calls.
pub(crate) struct Scripted {
    pub(crate) id: &'static str,
    pub(crate) properties: ExecutorProperties,
    pub(crate) start: Does<TaskStatus>,
    pub(crate) check: Does<TaskStatus>,
    pub(crate) kill: Does<()>,
    /// Kills of these names fail.
    pub(crate) unkillable: Vec<&'static str>,
    /// What it says that its tasks put out, in place of what their files say.
    pub(crate) outputs: Option<LiteralMap>,
    /// What starts were handed.
    pub(crate) inputs: Mutex<Vec<LiteralMap>>,
    pub(crate) calls: Mutex<Vec<String>>,
}

impl Default for Scripted {
    fn default() -> Scripted {
        Scripted {
            id: "scripted",
            properties: ExecutorProperties { requires_finalizer: true, disable_node_level_caching: false },
            start: Does::Returns(TaskStatus::RUNNING),
            check: Does::Returns(TaskStatus::RUNNING),
            kill: Does::Returns(()),
            unkillable: Vec::new(),
            outputs: None,
            inputs: Mutex::default(),
            calls: Mutex::default(),
        }
    }
}

impl Scripted {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn called(&self, what: &str, context: &TaskContext) {
        self.calls.lock().unwrap().push(format!("{what} {}", context.generated_name));
    }
}

impl Executor for Scripted {
    fn id(&self) -> &str {
        self.id
    }

    fn properties(&self) -> ExecutorProperties {
        self.properties
    }

    fn initialize<'a>(&'a self, _: &'a InitializationParameters) -> BoxFuture<'a, Result<(), SystemError>> {
        self.calls.lock().unwrap().push("initialize".to_owned());
        Box::pin(std::future::ready(Ok(())))
    }

    fn start<'a>(
        &'a self,
        context: &'a TaskContext,
        _: &'a TaskTemplate,
        inputs: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        self.called("start", context);
        self.inputs.lock().unwrap().push(inputs.clone());
        Box::pin(async { self.start.result("start") })
    }

    fn check<'a>(
        &'a self,
        context: &'a TaskContext,
        _: &'a TaskTemplate,
    ) -> BoxFuture<'a, Result<TaskStatus, SystemError>> {
        self.called("check", context);
        Box::pin(async { self.check.result("check") })
    }

    fn kill<'a>(
        &'a self,
        context: &'a TaskContext,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<(), SystemError>> {
        assert_eq!(reason, "Node aborted");
        self.called("kill", context);
        Box::pin(async {
            let name = &*context.generated_name;
            if self.unkillable.contains(&name) {
                return Err(SystemError::new(format!("{name} cannot be killed")));
            }
            self.kill.result("kill")
        })
    }

    fn resolve_outputs<'a>(
        &'a self,
        context: &'a TaskContext,
        variables: &'a [&'a str],
    ) -> BoxFuture<'a, Result<LiteralMap, OutputsError>> {
        Box::pin(async move {
            match &self.outputs {
                Some(outputs) => Ok(outputs.clone()),
                None => context.outputs.resolve(context, variables).await,
            }
        })
    }
}

/// A plugin of the successor that does as it is told, and remembers its calls.
pub(crate) struct ScriptedPlugin {
    pub(crate) properties: PluginProperties,
    pub(crate) handle: Does<Transition>,
    pub(crate) abort: Does<()>,
    pub(crate) finalize: Does<()>,
    pub(crate) calls: Mutex<Vec<String>>,
}

impl Default for ScriptedPlugin {
    fn default() -> ScriptedPlugin {
        ScriptedPlugin {
            properties: PluginProperties::default(),
            handle: Does::Returns(Transition::default()),
            abort: Does::Returns(()),
            finalize: Does::Returns(()),
            calls: Mutex::default(),
        }
    }
}

impl ScriptedPlugin {
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn called(&self, what: &str) {
        self.calls.lock().unwrap().push(what.to_owned());
    }
}

impl Plugin for ScriptedPlugin {
    fn id(&self) -> &str {
        "scripted"
    }

    fn properties(&self) -> PluginProperties {
        self.properties
    }

    fn initialize<'a>(&'a self, _: &'a InitializationParameters) -> BoxFuture<'a, Result<(), SystemError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn handle<'a>(&'a self, _: PluginCall<'a>) -> BoxFuture<'a, Result<Transition, SystemError>> {
        self.called("handle");
        Box::pin(async { self.handle.result("handle") })
    }

    fn abort<'a>(&'a self, _: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        self.called("abort");
        Box::pin(async { self.abort.result("abort") })
    }

    fn finalize<'a>(&'a self, _: PluginCall<'a>) -> BoxFuture<'a, Result<(), SystemError>> {
        self.called("finalize");
        Box::pin(async { self.finalize.result("finalize") })
    }
}

/// A recorder that answers all events alike, and remembers them.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) answer: Option<EventError>,
    pub(crate) tasks: Mutex<Vec<TaskEvent>>,
    pub(crate) nodes: Mutex<Vec<NodeEvent>>,
}

impl Recorder {
    pub(crate) fn answering(answer: EventError) -> Recorder {
        Recorder { answer: Some(answer), ..Recorder::default() }
    }

    /// The phases of the events of tasks.
    pub(crate) fn task_phases(&self) -> Vec<&'static str> {
        self.tasks.lock().unwrap().iter().map(|event| event.phase.name()).collect()
    }

    /// The phases of the events of nodes.
    pub(crate) fn node_phases(&self) -> Vec<&'static str> {
        self.nodes.lock().unwrap().iter().map(|event| event.phase.name()).collect()
    }
}

impl EventRecorder for Recorder {
    fn record_task<'a>(&'a self, event: &'a TaskEvent) -> BoxFuture<'a, Result<(), EventError>> {
        self.tasks.lock().unwrap().push(event.clone());
        Box::pin(async { self.answer.clone().map_or(Ok(()), Err) })
    }

    fn record_node<'a>(&'a self, event: &'a NodeEvent) -> BoxFuture<'a, Result<(), EventError>> {
        self.nodes.lock().unwrap().push(event.clone());
        Box::pin(async { self.answer.clone().map_or(Ok(()), Err) })
    }
}

/// A catalog that answers all alike, and remembers what it was asked.
pub(crate) struct FixedCatalog {
    pub(crate) get: Result<Option<LiteralMap>, CatalogError>,
    pub(crate) put: Result<(), CatalogError>,
    pub(crate) reservation: Reservation,
    pub(crate) calls: Mutex<Vec<&'static str>>,
}

impl FixedCatalog {
    pub(crate) fn getting(get: Result<Option<LiteralMap>, CatalogError>) -> Arc<FixedCatalog> {
        Arc::new(FixedCatalog { get, put: Ok(()), reservation: Reservation::Own, calls: Mutex::default() })
    }
}

impl Catalog for FixedCatalog {
    fn get<'a>(
        &'a self,
        _: &'a TaskTemplate,
        _: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<Option<LiteralMap>, CatalogError>> {
        self.calls.lock().unwrap().push("get");
        Box::pin(async { self.get.clone() })
    }

    fn put<'a>(
        &'a self,
        _: &'a TaskTemplate,
        _: &'a TaskExecutionId,
        _: &'a LiteralMap,
        _: &'a LiteralMap,
    ) -> BoxFuture<'a, Result<(), CatalogError>> {
        self.calls.lock().unwrap().push("put");
        Box::pin(async { self.put.clone() })
    }

    fn reserve<'a>(
        &'a self,
        _: &'a TaskTemplate,
        _: &'a LiteralMap,
        _: &'a OwnerId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Reservation, CatalogError>> {
        Box::pin(async { Ok(self.reservation.clone()) })
    }

    fn release<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), CatalogError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The effects of an engine with one executor for tasks of type `type`, and what they are made of.
pub(crate) struct Bench {
    pub(crate) effects: Effects,
    pub(crate) files: Files,
    pub(crate) recorder: Arc<Recorder>,
}

pub(crate) fn bench(registered: Option<Registered>) -> Bench {
    bench_with(registered, Recorder::default())
}

pub(crate) fn bench_with(registered: Option<Registered>, recorder: Recorder) -> Bench {
    let (files, recorder) = (Files::new(), Arc::new(recorder));
    let mut registry = Registry::new();
    if let Some(registered) = registered {
        registry.register(registered, &["type"]).unwrap();
    }
    let effects = Effects {
        registry,
        recorder: recorder.clone(),
        catalog: None,
        data: Arc::new(files.clone()),
        config: Config::default(),
    };
    Bench { effects, files, recorder }
}

pub(crate) fn v1(executor: &Arc<Scripted>) -> Option<Registered> {
    Some(Registered::Executor(executor.clone()))
}

pub(crate) fn v2(plugin: &Arc<ScriptedPlugin>) -> Option<Registered> {
    Some(Registered::Plugin(plugin.clone()))
}

/// A task of type `type` without outputs.
pub(crate) fn task(name: &str) -> TaskTemplate {
    TaskTemplate {
        name: name.to_owned(),
        task_type: "type".to_owned(),
        outputs: Vec::new(),
        discoverable: false,
        cache_serializable: false,
        work: Default::default(),
    }
}

pub(crate) fn node(name: &str, upstream: &[&str]) -> NodeSpec {
    NodeSpec {
        name: name.to_owned(),
        task: Some("t".to_owned()),
        upstream: upstream.iter().map(|name| (*name).to_owned()).collect(),
        ..NodeSpec::default()
    }
}

/// A workflow `execName1` of these nodes, which all run the task `t`.
pub(crate) fn workflow(nodes: Vec<NodeSpec>) -> Workflow {
    Workflow::new(WorkflowSpec {
        name: "execName1".to_owned(),
        namespace: "default".to_owned(),
        service_account: Some("account".to_owned()),
        tasks: vec![task("t")],
        nodes,
        ..WorkflowSpec::default()
    })
}

/// A call for the node `n1` of a workflow.
pub(crate) fn call<'a>(effects: &'a Effects, workflow: &'a Workflow, status: &'a NodeStatus) -> NodeCall<'a> {
    NodeCall { effects, workflow, node: workflow.spec.node("n1").unwrap(), status }
}
