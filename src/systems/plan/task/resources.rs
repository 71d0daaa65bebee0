//! Apply, Delete and Toggle: objects of the cluster that there are to be, or not to be. They are applied and deleted in the
//! order that the task lists them in.

use std::sync::Arc;

use serde_json::Value;

use super::{BuildError, Settings, TaskContext, TaskRun};
use crate::emit;
use crate::systems::plan::definition::Task;
use crate::systems::plan::engine::BoxFuture;
use crate::systems::plan::error::{Answer, EventName};
use crate::systems::plan::object::{Health, Object, RenderError};
use crate::systems::plan::record::PlanEvent;
use crate::systems::plan::variant::Variant;

struct Apply(Vec<String>);
struct Delete(Vec<String>);
struct Toggle {
    parameter: String,
    resources: Vec<String>,
}

/// Builds an Apply.
pub(super) fn apply(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    Ok(Box::new(Apply(listed(task)?)))
}

/// Builds a Delete.
pub(super) fn delete(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    Ok(Box::new(Delete(listed(task)?)))
}

/// Builds a Toggle.
pub(super) fn toggle(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    let parameter = Settings::of(task)?.parameter;
    if parameter.is_empty() {
        return Err(BuildError("task validation error: Missing parameter to toggle".to_owned()));
    }
    Ok(Box::new(Toggle { parameter, resources: listed(task)? }))
}

fn listed(task: &Task) -> Result<Vec<String>, BuildError> {
    let resources = Settings::of(task)?.resources;
    match resources.is_empty() {
        false => Ok(resources),
        true => Err(BuildError(format!(
            "task validation error: {} task '{}' has an empty resource list. if that's what you need, use a Dummy task instead",
            task.kind, task.name
        ))),
    }
}

impl TaskRun for Apply {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(applied(&self.0, context))
    }
}

impl TaskRun for Delete {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(deleted(&self.0, context))
    }
}

impl TaskRun for Toggle {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match self.is_on(context) {
                Ok(true) => applied(&self.resources, context).await,
                Ok(false) => deleted(&self.resources, context).await,
                Err(cause) => Answer::fatal(EventName::ToggleTaskError, cause),
            }
        })
    }
}

impl Toggle {
    fn is_on(&self, context: &TaskContext<'_>) -> Result<bool, String> {
        let parameter = &self.parameter;
        match context.params.get(parameter) {
            None => Err(format!("no value for parameter {parameter} found")),
            Some(Value::String(text)) => match text.as_str() {
                // The words that the reference's parser of booleans takes.
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
                other => Err(format!("could not parse value {other:?} of parameter {parameter} as a bool")),
            },
            Some(other) => Err(format!("value {other} of parameter {parameter} is not a string")),
        }
    }
}

async fn applied(resources: &[String], context: &TaskContext<'_>) -> Answer {
    let objects = match prepared(resources, context) {
        Ok(objects) => objects,
        Err(answer) => return answer,
    };
    let mut after = Vec::new();
    for object in objects {
        match put(object, context).await {
            Ok(object) => after.push(object),
            Err(answer) => return answer,
        }
    }
    judged(&after, context)
}

/// What the health of all of them makes of the answer: what has failed for good comes first.
pub(super) fn judged(objects: &[Arc<Object>], context: &TaskContext<'_>) -> Answer {
    for object in objects {
        if let Health::Failed(why) = object.health() {
            let instance = context.metadata.instance.as_str().into();
            emit(PlanEvent::PermanentFailure { instance, object: object.key().to_string() });
            return match context.variant {
                Variant::FailedJobRetried => Answer::transient(why),
                _ => Answer::fatal(EventName::FailedTerminalStateError, why),
            };
        }
    }
    let is_healthy = |object: &Arc<Object>| !object.deleting && object.health() == Health::Healthy;
    if objects.iter().all(is_healthy) { Answer::Done } else { Answer::Pending }
}

/// The objects of a task, rendered, known to the cluster, and completed.
pub(super) fn prepared(resources: &[String], context: &TaskContext<'_>) -> Result<Vec<Object>, Answer> {
    resources.iter().map(|template| completed(rendered(template, context)?, context)).collect()
}

/// One template as an object.
pub(super) fn rendered(template: &str, context: &TaskContext<'_>) -> Result<Object, Answer> {
    context.render(template).map(Arc::unwrap_or_clone).map_err(|error| {
        let event = match error {
            RenderError::NoTemplate(_) | RenderError::NoValue { .. } => EventName::TaskRenderingError,
            RenderError::NoObject { .. } => EventName::ResourceUnmarshalError,
        };
        Answer::fatal(event, error)
    })
}

/// An object with labels and owner, as the enhancer has it.
pub(super) fn completed(mut object: Object, context: &TaskContext<'_>) -> Result<Object, Answer> {
    match context.enhancer.enhance(&mut object, context) {
        Ok(()) => Ok(object),
        Err(error) if error.is_fatal => Err(Answer::fatal(EventName::TaskEnhancementError, error)),
        Err(error) => Err(Answer::transient(error)),
    }
}

fn is_known(object: &Object, context: &TaskContext<'_>) -> bool {
    context.discovery.is_none_or(|kinds| kinds.contains(&object.kind))
}

/// Creates an object, or changes it to what is asked for; what it is then. One that is about to go is left alone.
pub(super) async fn put(object: Object, context: &TaskContext<'_>) -> Result<Arc<Object>, Answer> {
    if !is_known(&object, context) {
        let cause = format!("no matches for kind {}", object.kind);
        return Err(Answer::fatal(EventName::ResourceValidationError, cause));
    }
    let key = object.key();
    let found = context.client.entry(key.clone()).await.map_err(Answer::transient)?;
    let Some(entry) = found else {
        context.client.create(key, &object).await.map_err(Answer::transient)?;
        return Ok(object.into());
    };
    let there = context
        .object(&entry)
        .map_err(|error| Answer::fatal(EventName::ResourceUnmarshalError, format!("{key}: {error}")))?;
    if there.deleting || (there.spec == object.spec && there.owner == object.owner) {
        return Ok(there);
    }
    let changed = Object { generation: there.generation + 1, status: there.status, ..object };
    context.client.update(key, entry.version, &changed).await.map_err(Answer::transient)?;
    Ok(changed.into())
}

async fn deleted(resources: &[String], context: &TaskContext<'_>) -> Answer {
    let objects = match prepared(resources, context) {
        Ok(objects) => objects,
        Err(answer) => return answer,
    };
    let mut asked = Vec::new();
    for object in objects.iter().filter(|object| is_known(object, context)) {
        match delete_asked(object, context).await {
            Ok(true) => {}
            Ok(false) => asked.push(object.key()),
            Err(answer) => return answer,
        }
    }
    for key in asked {
        // An object that cannot be looked at is not known to be gone.
        if !matches!(context.client.entry(key).await, Ok(None)) {
            return Answer::Pending;
        }
    }
    Answer::Done
}

/// Asks for the deletion of an object; whether there is none.
pub(super) async fn delete_asked(object: &Object, context: &TaskContext<'_>) -> Result<bool, Answer> {
    let key = object.key();
    let Some(entry) = context.client.entry(key.clone()).await.map_err(Answer::transient)? else {
        return Ok(true);
    };
    let there = context
        .object(&entry)
        .map_err(|error| Answer::fatal(EventName::ResourceUnmarshalError, format!("{key}: {error}")))?;
    if !there.deleting {
        let going = Object { deleting: true, ..Object::clone(&there) };
        match context.client.update(key, entry.version, going).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(true),
            Err(error) => return Err(Answer::transient(error)),
        }
    }
    Ok(false)
}
