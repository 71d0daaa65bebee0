//! Objects of the cluster, as the store holds them, and when one is healthy. Pure rules, separate from the tasks that wait
//! for them and from the cluster that makes them so.
//!
//! | kind | healthy when |
//! |---|---|
//! | CustomResourceDefinition | it is established |
//! | StatefulSet, Deployment | the rollout of the generation that was asked for is done |
//! | Job | it has succeeded; failed, it is so for good |
//! | Pod | it runs and is ready |
//! | Namespace | it is active |
//! | Service | it has an address |
//! | Instance | no plan is scheduled |
//! | any other | always |
//!
//! What the cluster says counts for the generation that it is about: of an object that was changed it says nothing yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::Key;

/// The kind of store entries that objects are.
pub const OBJECT: &str = "object";

/// An object: what was asked for, and what the cluster says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its kind.
    pub kind: String,
    /// Its name within the kind.
    pub name: String,
    /// What is asked for.
    #[serde(default)]
    pub spec: Value,
    /// The instance that it belongs to.
    #[serde(default)]
    pub owner: String,
    /// How often something else was asked for, from 1.
    #[serde(default)]
    pub generation: u64,
    /// Its deletion was asked for.
    #[serde(default)]
    pub deleting: bool,
    /// What the cluster says.
    #[serde(default)]
    pub status: ObjectStatus,
}

/// What the cluster says of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectStatus {
    /// The generation that this is about.
    pub observed: u64,
    /// Rolled out, succeeded, running, active, established or addressed: by kind.
    pub ready: bool,
    /// A job or a pod that has failed for good.
    pub failed: bool,
}

/// Whether an object is as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is.
    Healthy,
    /// Not yet, and why.
    Unhealthy(String),
    /// It never will be, and why.
    Failed(String),
}

/// Why a template made no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no template of that name.
    #[error("error rendering template: no template called {0}")]
    NoTemplate(String),
    /// It names a parameter or a pipe that there is not.
    #[error("error rendering template {template}: there is no {name}")]
    NoValue {
        /// Which.
        template: String,
        /// What it names.
        name: String,
    },
    /// What it says is no object.
    #[error("error parsing {template}: {message}")]
    NoObject {
        /// Which.
        template: String,
        /// Why.
        message: String,
    },
}

impl Object {
    /// The key of its entry.
    pub fn key(&self) -> Key {
        Key::new(OBJECT, format!("{}/{}", self.kind, self.name))
    }

    /// Whether it is as it should be.
    pub fn health(&self) -> Health {
        let why = |what: &str| Health::Unhealthy(format!("{} {} {what}", self.kind, self.name));
        if self.kind == "Instance" {
            let scheduled = self.spec.pointer("/plan_execution/name").and_then(Value::as_str);
            let scheduled = scheduled.filter(|plan| !plan.is_empty());
            return scheduled.map_or(Health::Healthy, |plan| why(&format!("has plan {plan} scheduled")));
        }
        if !Object::has_health(&self.kind) || self.is_current() && self.status.ready {
            return Health::Healthy;
        }
        match self.kind.as_str() {
            "Job" if self.has_failed() => Health::Failed(format!("Job {} has failed", self.name)),
            "Job" => why("has not succeeded yet"),
            "Pod" => why("is not ready"),
            "CustomResourceDefinition" => why("is not established"),
            "Namespace" => why("is not active"),
            "Service" => why("has no address"),
            _ => why("is being rolled out"),
        }
    }

    /// Whether it has failed for good, as it is asked for now.
    pub fn has_failed(&self) -> bool {
        self.status.failed && self.is_current() && !self.status.ready
    }

    fn is_current(&self) -> bool {
        self.status.observed == self.generation
    }

    /// Whether the cluster says anything about the health of the kind.
    pub fn has_health(kind: &str) -> bool {
        let kinds =
            ["StatefulSet", "Deployment", "Job", "Pod", "CustomResourceDefinition", "Namespace", "Service"];
        kinds.contains(&kind)
    }
}

/// What can be named in templates.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// Parameters: `{{ .Params.NAME }}`.
    pub params: &'a BTreeMap<String, Value>,
    /// The names of what pipes make: `{{ .Pipes.KEY }}`.
    pub pipes: &'a BTreeMap<String, String>,
}

/// Fills the values into a template and reads the object that it says, as JSON.
///
/// # Errors
/// The template is missing, names what there is not, or says no object.
pub fn render(
    template: &str,
    templates: &BTreeMap<String, String>,
    values: Values<'_>,
) -> Result<Object, RenderError> {
    let text = templates.get(template).ok_or_else(|| RenderError::NoTemplate(template.to_owned()))?;
    let filled = fill(template, text, values)?;
    let object: Object = serde_json::from_str(&filled).map_err(|error| RenderError::NoObject {
        template: template.to_owned(),
        message: error.to_string(),
    })?;
    Ok(Object { generation: 1, deleting: false, status: ObjectStatus::default(), ..object })
}

/// Replaces each `{{ .Params.NAME }}` and `{{ .Pipes.KEY }}` by the value, as it stands inside a JSON text.
///
/// # Errors
/// There is no such value.
pub fn fill(template: &str, text: &str, values: Values<'_>) -> Result<String, RenderError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        let value = values.text(name.trim()).ok_or_else(|| RenderError::NoValue {
            template: template.to_owned(),
            name: name.trim().to_owned(),
        })?;
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

impl Values<'_> {
    fn text(&self, name: &str) -> Option<String> {
        if let Some(key) = name.strip_prefix(".Pipes.") {
            return self.pipes.get(key).map(|name| escaped(name));
        }
        let value = self.params.get(name.strip_prefix(".Params.")?)?;
        Some(value.as_str().map_or_else(|| value.to_string(), escaped))
    }
}

/// A text as it stands between the quotes of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}
