//! Stand-ins for templates: an object of the kind that the file's name suggests. A simulation of a plan needs to know what
//! is waited for, not what containers run.

use std::path::Path;

use serde_json::{Value, json};

use crate::systems::plan::instance::{Parameter, ParameterKind};
use crate::systems::plan::task::PipeSettings;

/// Parameters that the stand-in of a workload shows: a change of one of them is a rollout.
const SHOWN_MAX: usize = 8;

/// Words of file names and the kinds that they suggest; the first that fits counts.
const KINDS: [(&[&str], &str); 14] = [
    (&["crd"], "CustomResourceDefinition"),
    (&["namespace"], "Namespace"),
    (&["monitor"], "ServiceMonitor"),
    (&["pv", "pvc", "storage", "volume"], "PersistentVolumeClaim"),
    (&["sa", "serviceaccount", "rbac", "role", "rolebinding", "clusterrole", "clusterrolebinding"], "Role"),
    (&["pdb"], "PodDisruptionBudget"),
    (&["secret", "credentials", "certificate", "tls"], "Secret"),
    (&["config", "properties", "sh", "ini", "yml", "yaml", "options"], "ConfigMap"),
    (&["statefulset", "stateful", "sts"], "StatefulSet"),
    (&["deployment"], "Deployment"),
    (&["service", "services", "svc"], "Service"),
    (&["job", "backup", "restore", "repair", "validation", "setup", "migration", "snapshot"], "Job"),
    (&["init"], "Job"),
    (&["pod"], "Pod"),
];

/// The kind that a file's name suggests; a deployment where it suggests none.
fn kind_of(stem: &str) -> &'static str {
    let stem = stem.to_lowercase();
    let words: Vec<&str> = stem.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let fits = |(known, _): &&(&[&str], &'static str)| known.iter().any(|word| words.contains(word));
    KINDS.iter().find(fits).map_or("Deployment", |(_, kind)| kind)
}

/// The stand-in for a template, as JSON with the parameters that it shows left open.
pub fn stand_in(template: &str, parameters: &[Parameter]) -> String {
    let stem = stem(template);
    let kind = kind_of(&stem);
    let shows = ["StatefulSet", "Deployment"].contains(&kind);
    let is_text = |parameter: &&Parameter| parameter.kind == ParameterKind::String;
    let shown = parameters.iter().filter(is_text).take(if shows { SHOWN_MAX } else { 0 });
    let spec: serde_json::Map<String, Value> = shown
        .map(|parameter| {
            let open = format!("{{{{ .Params.{} }}}}", parameter.name);
            (parameter.name.clone(), Value::String(open))
        })
        .collect();
    json!({ "kind": kind, "name": stem, "spec": spec }).to_string()
}

/// The stand-in for the pod of a pipe.
pub(super) fn pod(template: &str, files: &[PipeSettings]) -> String {
    let path = files
        .first()
        .map_or("/tmp/file", |file| if file.file.is_empty() { &file.env_file } else { &file.file });
    let mount = Path::new(path).parent().unwrap_or(Path::new("/tmp")).to_string_lossy().into_owned();
    json!({
        "kind": "Pod",
        "name": stem(template),
        "spec": {
            "volumes": [{ "name": "shared", "emptyDir": {} }],
            "initContainers": [{ "volumeMounts": [{ "name": "shared", "mountPath": mount }] }],
        },
    })
    .to_string()
}

fn stem(template: &str) -> String {
    let stem = Path::new(template).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}
