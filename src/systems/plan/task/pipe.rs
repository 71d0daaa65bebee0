//! Pipe: a pod makes files, which become secrets and config maps that later templates name.
//!
//! Files are taken one after the other, in the order that they are listed in. What a file holds the pod's own spec says,
//! under `files`; the pods of a real cluster would be asked.

use std::path::Path;

use serde_json::{Value, json};

use super::resources::{completed, delete_asked, put, rendered};
use super::{BuildError, PipeSettings, Settings, TaskContext, TaskRun};
use crate::emit;
use crate::store::Key;
use crate::systems::plan::definition::Task;
use crate::systems::plan::engine::BoxFuture;
use crate::systems::plan::error::{Answer, EventName};
use crate::systems::plan::object::{Health, OBJECT, Object};
use crate::systems::plan::record::PlanEvent;

/// The largest file that is taken, in bytes.
const FILE_MAX: usize = 1024 * 1024;
/// The last part of the names of pods.
const PIPE_POD: &str = "pipepod";

struct Pipe {
    pod: String,
    files: Vec<PipeSettings>,
}

/// Builds it.
pub(super) fn pipe(task: &Task) -> Result<Box<dyn TaskRun>, BuildError> {
    let Settings { pod, pipe: files, .. } = Settings::of(task)?;
    let invalid = |why: String| BuildError(format!("task validation error: {why}"));
    if files.is_empty() {
        return Err(invalid("pipe task has no pipe files".to_owned()));
    }
    for file in &files {
        if file.file.is_empty() == file.env_file.is_empty() {
            return Err(invalid("pipe task needs exactly one of file and envFile".to_owned()));
        }
        if !["Secret", "ConfigMap"].contains(&file.kind.as_str()) {
            return Err(invalid(format!("invalid pipe kind (must be Secret or ConfigMap): {}", file.kind)));
        }
        if !is_key(&file.key) {
            let why = "invalid pipe key (only letters, numbers and _ and - are allowed)";
            return Err(invalid(format!("{why}: {}", file.key)));
        }
    }
    Ok(Box::new(Pipe { pod, files }))
}

fn is_key(key: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !key.is_empty() && key.chars().all(is_allowed)
}

impl PipeSettings {
    fn path(&self) -> &str {
        if self.file.is_empty() { &self.env_file } else { &self.file }
    }
}

impl TaskRun for Pipe {
    fn run<'a>(&'a self, context: &'a TaskContext<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move { self.carried_out(context).await.unwrap_or_else(|answer| answer) })
    }
}

impl Pipe {
    async fn carried_out(&self, context: &TaskContext<'_>) -> Result<Answer, Answer> {
        let mut pod = rendered(&self.pod, context)?;
        if let Some(problem) = pod_problem(&pod, &self.files) {
            return Err(Answer::fatal(EventName::ResourceValidationError, problem));
        }
        let name = |key: &str| artefact_name(&context.metadata.instance, context.place, key);
        pod.name = name(PIPE_POD);
        let pod = put(completed(pod, context)?, context).await?;
        if pod.has_failed() {
            let instance = context.metadata.instance.as_str().into();
            emit(PlanEvent::PermanentFailure { instance, object: pod.key().to_string() });
            let why = format!("pod {} has failed", pod.name);
            return Err(Answer::fatal(EventName::PipeTaskError, why));
        }
        if pod.deleting || pod.health() != Health::Healthy {
            return Ok(Answer::Pending);
        }
        for file in &self.files {
            let content = content(&pod, file.path())?;
            let spec = data(file, &content)?;
            let made = Object {
                kind: file.kind.clone(),
                name: name(&file.key),
                spec,
                generation: 1,
                ..Object::default()
            };
            put(completed(made, context)?, context).await?;
        }
        delete_asked(&pod, context).await?;
        Ok(Answer::Done)
    }
}

fn content(pod: &Object, path: &str) -> Result<String, Answer> {
    let fatal = |why: String| Answer::fatal(EventName::PipeTaskError, why);
    let text = match pod.spec.get("files") {
        None => format!("made by {}", pod.name),
        Some(files) => match files.get(path).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => return Err(fatal(format!("command failed with exit code 1: no file {path}"))),
        },
    };
    let size = text.len();
    if size > FILE_MAX {
        let why = format!("pipe file {path} size {size} exceeds maximum file size of {FILE_MAX} bytes");
        return Err(fatal(why));
    }
    Ok(text)
}

/// A file as it is, or an environment file as its pairs.
fn data(file: &PipeSettings, content: &str) -> Result<Value, Answer> {
    if file.env_file.is_empty() {
        let name = Path::new(&file.file).file_name().unwrap_or_default().to_string_lossy();
        return Ok(json!({ "data": { &*name: content } }));
    }
    let mut pairs = serde_json::Map::new();
    for line in content.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let Some((name, value)) = line.split_once('=') else {
            let why = format!("{} has a line that is no pair: {line}", file.env_file);
            return Err(Answer::fatal(EventName::PipeTaskError, why));
        };
        pairs.insert(name.trim().to_owned(), json!(value));
    }
    Ok(json!({ "data": pairs }))
}

/// What keeps a pod from being one that files can be taken from: one init container and no other, one empty volume that
/// it mounts, and the files below the mount.
pub fn pod_problem(pod: &Object, files: &[PipeSettings]) -> Option<String> {
    let listed =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    if pod.kind != "Pod" {
        return Some(format!("a pipe needs a Pod, and this is a {}", pod.kind));
    }
    if !listed(&pod.spec, "containers").is_empty() {
        return Some(
            "pipe pod should not have containers: artefacts are made in the init container".to_owned(),
        );
    }
    let init = listed(&pod.spec, "initContainers");
    if init.len() != 1 {
        return Some("pipe pod should define one init container".to_owned());
    }
    if !["", "OnFailure"].contains(&text(&pod.spec, "restartPolicy").as_str()) {
        return Some("pipe pod RestartPolicy should be OnFailure".to_owned());
    }
    let volumes = listed(&pod.spec, "volumes");
    let shared: Vec<&Value> = volumes.iter().filter(|volume| volume.get("emptyDir").is_some()).collect();
    let [shared] = shared[..] else {
        return Some("pipe pod should define one emptyDir shared volume".to_owned());
    };
    let name = text(shared, "name");
    let mounts = listed(&init[0], "volumeMounts");
    let Some(mount) = mounts.iter().find(|mount| text(mount, "name") == name) else {
        return Some(format!("pipe pod should save generated artefacts in {name}"));
    };
    let mount = text(mount, "mountPath");
    let is_below = |file: &&PipeSettings| {
        let below = Path::new(file.path()).strip_prefix(&mount);
        below
            .is_ok_and(|below| below.components().all(|part| matches!(part, std::path::Component::Normal(_))))
    };
    let outside = files.iter().find(|file| !is_below(file))?;
    Some(format!("pipe file {} should be a child of {mount} mount path", outside.path()))
}

/// The name of what a pipe makes, also as templates name it: instance, plan, phase, step, task and key, each without all
/// that is no small letter or digit.
pub fn artefact_name(instance: &str, [plan, phase, step, task]: [&str; 4], key: &str) -> String {
    [instance, plan, phase, step, task, key].map(sanitised).join(".")
}

/// Whether an entry is the pod of a pipe. A pipe deletes its pod as it ends; who looked again at that would take the files
/// twice.
pub fn is_pipe_pod(key: &Key) -> bool {
    let ending = key.name.strip_prefix("Pod/").and_then(|name| name.rsplit_once('.'));
    *key.kind == *OBJECT && ending.is_some_and(|(_, ending)| ending == PIPE_POD)
}

fn sanitised(part: &str) -> String {
    part.to_lowercase().chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit()).collect()
}
