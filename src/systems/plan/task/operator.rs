//! KudoOperator: an instance of another operator, as a task. It is done when that instance has no plan left; if its plan has
//! failed for good, so has the task.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{BuildError, Settings, TaskContext, TaskRun};
use crate::emit;
use crate::store::Entry;
use crate::systems::plan::admission;
use crate::systems::plan::definition::Task;
use crate::systems::plan::engine::BoxFuture;
use crate::systems::plan::error::{Answer, EventName};
use crate::systems::plan::instance::{INSTANCE, Instance, OPERATOR_VERSION, OperatorVersion};
use crate::systems::plan::object::{Health, fill};
use crate::systems::plan::record::PlanEvent;

struct Operator(Settings);

/// Builds it.
pub(super) fn operator(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    let settings = Settings::of(task)?;
    let missing = |what: &str| {
        BuildError(format!("task validation error: kudo operator task '{}' has an empty {what}", task.name))
    };
    if settings.package.is_empty() {
        return Err(missing("package name"));
    }
    if settings.operator_version.is_empty() {
        return Err(missing("operatorVersion"));
    }
    Ok(Box::new(Operator(settings)))
}

impl TaskRun for Operator {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.carried_out(context).await.unwrap_or_else(|answer| answer) })
    }
}

impl Operator {
    /// The child's instance: as the task says, or the parent's name and the package's.
    fn instance(&self, context: &TaskContext<'_>) -> String {
        match self.0.instance_name.as_str() {
            "" => format!("{}-{}", context.metadata.instance, self.0.package),
            name => name.to_owned(),
        }
    }

    fn version(&self) -> String {
        let parts = [&self.0.package, &self.0.app_version, &self.0.operator_version];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("-")
    }

    /// The child's parameters: what the parameter file says, filled in.
    fn params(&self, context: &TaskContext<'_>) -> Result<BTreeMap<String, Value>, Answer> {
        let file = &self.0.parameter_file;
        if file.is_empty() {
            return Ok(BTreeMap::new());
        }
        let fatal = |why: String| Answer::fatal(EventName::TaskRenderingError, why);
        let text = context.templates.get(file).ok_or_else(|| fatal(format!("no parameter file {file}")))?;
        let filled = fill(file, text, context.values()).map_err(|error| fatal(error.to_string()))?;
        serde_json::from_str(&filled).map_err(|error| fatal(format!("parameter file {file}: {error}")))
    }

    async fn carried_out(&self, context: &TaskContext<'_>) -> Result<Answer, Answer> {
        let name = self.instance(context);
        let params = self.params(context)?;
        let key = (INSTANCE, name.as_str());
        let uid = format!("{}.{}", context.metadata.instance, context.place.join("."));
        match context.client.entry(key).await.map_err(Answer::transient)? {
            None => self.create(context, &name, params, uid).await,
            Some(entry) => self.look_after(context, &name, entry, params, uid).await,
        }
    }

    async fn operator_version(&self, context: &TaskContext<'_>) -> Result<OperatorVersion, Answer> {
        let version = self.version();
        let found = context.client.get((OPERATOR_VERSION, version.as_str())).await;
        found
            .map_err(Answer::transient)?
            .ok_or_else(|| Answer::transient(format!("no operator version {version}")))
    }

    async fn create(
        &self,
        context: &TaskContext<'_>,
        name: &str,
        params: BTreeMap<String, Value>,
        uid: String,
    ) -> Result<Answer, Answer> {
        let operator = self.operator_version(context).await?;
        let mut child = Instance::new(&self.version(), params);
        child.spec.parent.clone_from(&context.metadata.instance);
        let child = admission::admit_create(child, &operator, uid)
            .map_err(|denied| Answer::fatal(EventName::InvalidPlan, denied))?;
        context.client.create((INSTANCE, name), child).await.map_err(Answer::transient)?;
        Ok(Answer::Pending)
    }

    async fn look_after(
        &self,
        context: &TaskContext<'_>,
        name: &str,
        entry: Entry,
        params: BTreeMap<String, Value>,
        uid: String,
    ) -> Result<Answer, Answer> {
        let child: Instance = entry.parse().map_err(Answer::transient)?;
        let version = self.version();
        // What the task does not give is the child's own.
        let mut params = params;
        for (name, value) in &child.spec.params {
            params.entry(name.clone()).or_insert_with(|| value.clone());
        }
        if child.spec.operator_version == version && child.spec.params == params {
            return Ok(judged(&child, name, context));
        }
        let found = context.client.get((OPERATOR_VERSION, child.spec.operator_version.as_str())).await;
        let before: OperatorVersion = found.map_err(Answer::transient)?.unwrap_or_default();
        let after = self.operator_version(context).await?;
        let mut wanted = child.clone();
        (wanted.spec.operator_version, wanted.spec.params) = (version, params);
        let uid = format!("{uid}.{}", entry.version);
        let admitted =
            admission::admit_update(&child, wanted, (&before, &after), uid).map_err(Answer::transient)?;
        context.client.update((INSTANCE, name), entry.version, admitted).await.map_err(Answer::transient)?;
        Ok(Answer::Pending)
    }
}

fn judged(child: &Instance, name: &str, context: &TaskContext<'_>) -> Answer {
    match child.health(name) {
        Health::Healthy => Answer::Done,
        Health::Unhealthy(_) => Answer::Pending,
        Health::Failed(why) => {
            let instance = context.metadata.instance.as_str().into();
            emit(PlanEvent::PermanentFailure { instance, object: format!("{INSTANCE}/{name}") });
            Answer::fatal(EventName::FailedTerminalStateError, why)
        }
    }
}
