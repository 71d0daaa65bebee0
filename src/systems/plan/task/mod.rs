//! The kinds of tasks: what each is built from, and what it does once per pass.
//!
//! A task is idempotent, and only its answer `Done` is success. Kinds stand in a table by name, to which users add their
//! own. A task sees the world through its [`TaskContext`] alone.

mod dummy;
mod resources;
mod pipe;
mod operator;

pub use pipe::{artefact_name, is_pipe_pod, pod_problem};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::Value;

use crate::store::{Client, Entry};

use super::definition::{Metadata, Task};
use super::engine::{BoxFuture, Runner};
use super::error::Answer;
use super::model::Run;
use super::object::{Object, RenderError, Values, render};
use super::parsed::{Parsed, lock};
use super::variant::Variant;

/// A task, ready to be run.
pub trait TaskRun: Send + Sync {
    /// Runs it once.
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer>;
}

/// What a rendered resource gets before it is applied or deleted: labels, an owner.
pub trait Enhance: Send + Sync {
    /// Completes it.
    ///
    /// # Errors
    /// It cannot be completed; whether trying again would help.
    fn enhance(&self, object: &mut Object, context: &TaskContext<'_>) -> Result<(), EnhanceError>;
}

/// Why a resource was not completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnhanceError {
    /// Why.
    pub message: String,
    /// Trying again does not help.
    pub is_fatal: bool,
}

/// All that a task may know and use.
#[derive(Clone, Copy)]
pub struct TaskContext<'a> {
    /// The store, as called from the controller's host. Its reads are of the present.
    pub client: &'a Client,
    /// Whose plan it is.
    pub metadata: &'a Metadata,
    /// Plan, phase, step and task.
    pub place: [&'a str; 4],
    /// The parameters and their values.
    pub params: &'a BTreeMap<String, Value>,
    /// The templates.
    pub templates: &'a BTreeMap<String, String>,
    /// The names of what pipe tasks make, by key.
    pub pipes: &'a BTreeMap<String, String>,
    /// Completes resources.
    pub enhancer: &'a dyn Enhance,
    /// The kinds that the cluster knows; none: it knows all.
    pub discovery: Option<&'a BTreeSet<String>>,
    /// What was rendered and read before; none: all is rendered and read anew.
    pub memory: Option<&'a Memory>,
    /// A planted bug.
    #[doc(hidden)]
    pub variant: Variant,
}

/// What the tasks of a plan of an instance have rendered and read, so that a pass need not do it again. It changes nothing,
/// as long as it is of the same plan, templates, parameters and pipes.
#[derive(Debug, Default)]
pub struct Memory {
    rendered: Mutex<BTreeMap<String, Arc<Object>>>,
    objects: Arc<Parsed<Object>>,
}

impl Memory {
    /// Without anything rendered; what was read is shared with others.
    pub fn new(objects: Arc<Parsed<Object>>) -> Memory {
        Memory { rendered: Mutex::default(), objects }
    }
}

impl TaskContext<'_> {
    /// What templates can name.
    pub fn values(&self) -> Values<'_> {
        Values { params: self.params, pipes: self.pipes }
    }

    /// The object that a template says.
    ///
    /// # Errors
    /// The template is missing, names an unknown parameter, or says no object.
    pub fn render(&self, template: &str) -> Result<Arc<Object>, RenderError> {
        if let Some(known) = self.memory.and_then(|memory| lock(&memory.rendered).get(template).cloned()) {
            return Ok(known);
        }
        let object = Arc::new(render(template, self.templates, self.values())?);
        if let Some(memory) = self.memory {
            lock(&memory.rendered).insert(template.to_owned(), object.clone());
        }
        Ok(object)
    }

    /// The object that an entry holds.
    ///
    /// # Errors
    /// It holds something else.
    pub fn object(&self, entry: &Entry) -> Result<Arc<Object>, serde_json::Error> {
        self.memory.map_or_else(|| entry.parse().map(Arc::new), |memory| memory.objects.of(entry))
    }
}

/// Why a task cannot be built, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

type Build = dyn Fn(&Task) -> Result<Box<dyn TaskRun>, BuildError> + Send + Sync;

/// The kinds of tasks that there are, by name.
#[derive(Clone)]
pub struct Kinds(BTreeMap<String, Arc<Build>>);

impl Kinds {
    /// The kinds of the reference: Apply, Delete, Dummy, KudoOperator, Pipe, Toggle.
    pub fn reference() -> Kinds {
        Kinds(BTreeMap::new())
            .with("Apply", resources::apply)
            .with("Delete", resources::delete)
            .with("Toggle", resources::toggle)
            .with("Dummy", dummy::dummy)
            .with("Pipe", pipe::pipe)
            .with("KudoOperator", operator::operator)
    }

    /// Adds a kind; it takes the place of one of the same name.
    pub fn with(
        mut self,
        kind: &str,
        build: impl Fn(&Task) -> Result<Box<dyn TaskRun>, BuildError> + Send + Sync + 'static,
    ) -> Kinds {
        self.0.insert(kind.to_owned(), Arc::new(build));
        self
    }

    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Builds a task.
    ///
    /// # Errors
    /// There is no such kind, or its settings are not what the kind takes.
    pub fn build(&self, task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
        match self.0.get(&task.kind) {
            Some(build) => build(task),
            None => Err(BuildError(format!("unknown task kind {}", task.kind))),
        }
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Runs the tasks of a pass by their kinds.
#[derive(Clone, Copy)]
pub struct Tasks<'a> {
    /// The kinds.
    pub kinds: &'a Kinds,
    /// What the tasks see; the place in it is set for each.
    pub context: TaskContext<'a>,
}

impl Runner for Tasks<'_> {
    fn run<'a>(&'a self, run: Run<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let built = match self.kinds.build(run.task) {
                Ok(built) => built,
                Err(error) => return Answer::Unbuilt(error.to_string()),
            };
            let place = [run.plan, run.phase, run.step, run.task.name.as_str()];
            let context = TaskContext { place, ..self.context };
            built.run(&context).await
        })
    }
}

/// Marks resources with the instance that owns them.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnerLabel;

impl Enhance for OwnerLabel {
    fn enhance(&self, object: &mut Object, context: &TaskContext<'_>) -> Result<(), EnhanceError> {
        object.owner.clone_from(&context.metadata.instance);
        Ok(())
    }
}

/// The settings of the reference's kinds. A task may have settings of another kind, which say nothing, as in the
/// reference.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Apply, Delete, Toggle: the templates.
    #[serde(default, deserialize_with = "or_default")]
    pub resources: Vec<String>,
    /// Toggle: the parameter that decides.
    #[serde(default, deserialize_with = "or_default")]
    pub parameter: String,
    /// Dummy: it is done.
    #[serde(default, deserialize_with = "or_default")]
    pub done: bool,
    /// Dummy: it fails.
    #[serde(default, deserialize_with = "or_default")]
    pub want_err: bool,
    /// Dummy: it fails for good.
    #[serde(default, deserialize_with = "or_default")]
    pub fatal: bool,
    /// Pipe: the template of the pod.
    #[serde(default, deserialize_with = "or_default")]
    pub pod: String,
    /// Pipe: what is taken from it.
    #[serde(default, deserialize_with = "or_default")]
    pub pipe: Vec<PipeSettings>,
    /// KudoOperator: the child's package.
    #[serde(default, deserialize_with = "or_default")]
    pub package: String,
    /// KudoOperator: the child's instance; named after its package if not said.
    #[serde(default, deserialize_with = "or_default")]
    pub instance_name: String,
    /// KudoOperator: the version of the application.
    #[serde(default, deserialize_with = "or_default")]
    pub app_version: String,
    /// KudoOperator: the version of the operator.
    #[serde(default, deserialize_with = "or_default")]
    pub operator_version: String,
    /// KudoOperator: the template of the child's parameters.
    #[serde(default, deserialize_with = "or_default")]
    pub parameter_file: String,
}

/// One file that a pipe takes from its pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipeSettings {
    /// The file, as it is.
    #[serde(default)]
    pub file: String,
    /// The file, as lines of `NAME=value`.
    #[serde(default)]
    pub env_file: String,
    /// Secret or ConfigMap.
    #[serde(default)]
    pub kind: String,
    /// The key that templates name it by.
    #[serde(default)]
    pub key: String,
}

/// The names of all settings of the reference's kinds.
pub const SETTINGS: [&str; 12] = [
    "resources",
    "parameter",
    "done",
    "wantErr",
    "fatal",
    "pod",
    "pipe",
    "package",
    "instanceName",
    "appVersion",
    "operatorVersion",
    "parameterFile",
];

impl Settings {
    /// The settings of a task.
    ///
    /// # Errors
    /// One is not of its type.
    pub fn of(task: &Task) -> Result<Settings, BuildError> {
        let settings = task.spec.iter().map(|(key, value)| (key.as_str(), value));
        let settings = Settings::deserialize(MapDeserializer::new(settings));
        settings.map_err(|error: serde_json::Error| BuildError(error.to_string()))
    }
}

/// A value that is written as nothing is the default.
fn or_default<'de, T: DeserializeOwned + Default, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}
