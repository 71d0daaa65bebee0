//! The keys of the two files, as they are written. Data with places; what it means is checked elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_saphyr::Spanned;

/// `operator.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OperatorFile {
    pub(super) name: Spanned<String>,
    pub(super) operator_version: Spanned<String>,
    #[serde(default)]
    pub(super) app_version: Option<String>,
    #[serde(default)]
    pub(super) tasks: Option<Vec<TaskFile>>,
    pub(super) plans: Spanned<BTreeMap<String, Spanned<PlanFile>>>,
    #[serde(default, rename = "apiVersion")]
    pub(super) api_version: Option<Spanned<String>>,
    #[serde(default, rename = "kind")]
    _kind: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "kudoVersion")]
    _kudo_version: Option<String>,
    #[serde(default, rename = "kubernetesVersion")]
    _kubernetes_version: Option<String>,
    #[serde(default, rename = "maintainers")]
    _maintainers: Option<Vec<Maintainer>>,
    #[serde(default, rename = "url")]
    _url: Option<String>,
    #[serde(default, rename = "namespaceManifest")]
    _namespace_manifest: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Maintainer {
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "email")]
    _email: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskFile {
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<String>,
    #[serde(default)]
    pub(super) spec: Option<BTreeMap<String, Spanned<Value>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanFile {
    pub(super) strategy: Spanned<String>,
    pub(super) phases: Spanned<Vec<PhaseFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhaseFile {
    pub(super) name: Spanned<String>,
    pub(super) strategy: Spanned<String>,
    pub(super) steps: Spanned<Vec<StepFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) name: Spanned<String>,
    pub(super) tasks: Spanned<Vec<Spanned<String>>>,
    /// The reference's engine does not look at it.
    #[serde(default, rename = "delete")]
    _delete: Option<bool>,
}

/// `params.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParamsFile {
    #[serde(default, rename = "apiVersion")]
    _api_version: Option<String>,
    #[serde(default, rename = "groups")]
    _groups: Option<Vec<GroupFile>>,
    #[serde(default)]
    pub(super) parameters: Option<Vec<ParameterFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    #[serde(rename = "name")]
    _name: String,
    #[serde(default, rename = "displayName")]
    _display_name: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "priority")]
    _priority: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterFile {
    pub(super) name: Spanned<String>,
    /// Absent is another thing than empty.
    #[serde(default, deserialize_with = "present")]
    pub(super) default: Option<Spanned<Value>>,
    #[serde(default)]
    pub(super) required: Option<bool>,
    #[serde(default)]
    pub(super) trigger: Option<Spanned<String>>,
    #[serde(default, rename = "type")]
    pub(super) kind: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) immutable: Option<bool>,
    #[serde(default, rename = "enum")]
    pub(super) allowed: Option<Vec<Value>>,
    #[serde(default, rename = "displayName")]
    _display_name: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "advanced")]
    _advanced: Option<bool>,
    #[serde(default, rename = "hint")]
    _hint: Option<String>,
    #[serde(default, rename = "group")]
    _group: Option<String>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Spanned<Value>>, D::Error> {
    Spanned::deserialize(from).map(Some)
}
