//! Objects of the cluster, as the store holds them, and when one is healthy. Pure rules, separate from the tasks that wait
//! for them and from the cluster that makes them so.
//!
//! | kind | healthy when |
//! |---|---|
//! | CustomResourceDefinition | it is established |
//! | StatefulSet, Deployment | the rollout of the generation that was asked for is done |
//! | Job | it has succeeded; failed, it is so for good |
//! | Pod | it runs and is ready; failed, it is so for good |
//! | Namespace | it is active |
//! | Service | it has an address |
//! | any other | always |

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
    /// It names a parameter that there is not.
    #[error("error rendering template {template}: no parameter {parameter}")]
    NoParameter {
        /// Which.
        template: String,
        /// The parameter that it names.
        parameter: String,
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
        let failed = |what: &str| Health::Failed(format!("{} {} {what}", self.kind, self.name));
        let is_current = self.status.observed == self.generation && self.status.ready;
        match self.kind.as_str() {
            "Job" if self.status.failed => failed("has failed"),
            "Pod" if self.status.failed => failed("has failed"),
            "StatefulSet" | "Deployment" if !is_current => why("is being rolled out"),
            "Job" if !self.status.ready => why("has not succeeded yet"),
            "Pod" if !self.status.ready => why("is not ready"),
            "CustomResourceDefinition" if !self.status.ready => why("is not established"),
            "Namespace" if !self.status.ready => why("is not active"),
            "Service" if !self.status.ready => why("has no address"),
            _ => Health::Healthy,
        }
    }

    /// Whether the kind says anything about health.
    pub fn has_health(kind: &str) -> bool {
        let kinds =
            ["StatefulSet", "Deployment", "Job", "Pod", "CustomResourceDefinition", "Namespace", "Service"];
        kinds.contains(&kind)
    }
}

/// Fills the parameters into a template and reads the object that it says, as JSON.
///
/// # Errors
/// The template is missing, names an unknown parameter, or says no object.
pub fn render(
    template: &str,
    templates: &BTreeMap<String, String>,
    params: &BTreeMap<String, Value>,
) -> Result<Object, RenderError> {
    let text = templates.get(template).ok_or_else(|| RenderError::NoTemplate(template.to_owned()))?;
    let filled = fill(template, text, params)?;
    let object: Object = serde_json::from_str(&filled).map_err(|error| RenderError::NoObject {
        template: template.to_owned(),
        message: error.to_string(),
    })?;
    Ok(Object { generation: 1, deleting: false, status: ObjectStatus::default(), ..object })
}

/// Replaces each `{{ .Params.NAME }}` by the value, as it stands inside a JSON text.
pub fn fill(template: &str, text: &str, params: &BTreeMap<String, Value>) -> Result<String, RenderError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        filled.push_str(before);
        let name = name.trim().trim_start_matches(".Params.");
        let value = params.get(name).ok_or_else(|| RenderError::NoParameter {
            template: template.to_owned(),
            parameter: name.to_owned(),
        })?;
        match value {
            Value::String(text) => {
                filled.push_str(serde_json::to_string(text).unwrap_or_default().trim_matches('"'))
            }
            other => filled.push_str(&other.to_string()),
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
