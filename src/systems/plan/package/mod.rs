//! Operator packages of the KUDO format: a directory with `operator.yaml` (plans and tasks) and `params.yaml` (parameters).
//!
//! Separate because it is the one door for files that people wrote for something else: bounded, never a panic, each
//! mistake with its file, line and column, what is allowed, and the nearest word. Templates are not read: each has a
//! stand-in of a kind that its file name suggests.

mod yaml;
mod format;
mod check;
mod stand_in;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use crate::Error;
use crate::text;

use super::definition::{Plan, Task};
use super::instance::{OperatorVersion, Parameter};
use super::task::{Kinds, Settings};

pub use stand_in::stand_in;
pub use yaml::SIZE_MAX;

/// The file of plans and tasks.
pub const OPERATOR_FILE: &str = "operator.yaml";
/// The file of parameters.
pub const PARAMS_FILE: &str = "params.yaml";
/// Packages inside each other, at most.
const DEPTH_MAX: usize = 16;

/// A package: what its two files say, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    /// The operator's name.
    pub name: String,
    /// Its version.
    pub operator_version: String,
    /// The version of what it operates.
    pub app_version: String,
    /// Its plans.
    pub plans: BTreeMap<String, Plan>,
    /// Its tasks, in order.
    pub tasks: Vec<Task>,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The packages that tasks make instances of, by the name that the tasks use.
    pub nested: BTreeMap<String, Package>,
}

/// The texts of a package, and the paths that errors name.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// Where `operator.yaml` is.
    pub operator_path: &'a Path,
    /// What it says.
    pub operator: &'a str,
    /// Where `params.yaml` is.
    pub params_path: &'a Path,
    /// What it says; a package without parameters may lack it.
    pub params: Option<&'a str>,
}

impl Package {
    /// Reads the package in a directory, and the packages beside and below it that its tasks name.
    ///
    /// # Errors
    /// A file is missing, too large, no YAML or no package; or packages name each other in a circle.
    pub fn read(dir: &Path, kinds: &Kinds) -> Result<Package, Error> {
        Package::read_below(dir, kinds, &mut Vec::new())
    }

    /// Reads a package from texts; no package that its tasks name is looked for.
    ///
    /// # Errors
    /// A text is no YAML or no package.
    pub fn parse(texts: &Texts<'_>, kinds: &Kinds) -> Result<Package, Error> {
        check::package(texts, kinds).map(|(package, _)| package)
    }

    fn read_below(dir: &Path, kinds: &Kinds, path: &mut Vec<PathBuf>) -> Result<Package, Error> {
        let (operator_path, params_path) = (dir.join(OPERATOR_FILE), dir.join(PARAMS_FILE));
        let operator = text::read(&operator_path, "operator")?;
        let has_params = params_path.try_exists().unwrap_or(false);
        let params = if has_params { Some(text::read(&params_path, "parameter")?) } else { None };
        let texts = Texts {
            operator_path: &operator_path,
            operator: &operator,
            params_path: &params_path,
            params: params.as_deref(),
        };
        let (mut package, nested) = check::package(&texts, kinds)?;
        path.push(dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
        for (name, place) in nested {
            let at = |error: Error| error.at(&operator_path, &operator, place);
            let below = found(dir, &name).ok_or_else(|| {
                let help = format!("it is looked for in {} and beside it", dir.display());
                at(Error::input(format!("there is no package `{name}`")).help(help))
            })?;
            let real = below.canonicalize().unwrap_or_else(|_| below.clone());
            if path.contains(&real) {
                return Err(at(Error::input(format!(
                    "operators depend on each other in a circle: {}",
                    circle(path, &real)
                ))));
            }
            if path.len() == DEPTH_MAX {
                return Err(at(Error::input(format!("more than {DEPTH_MAX} packages inside each other"))));
            }
            let read = Package::read_below(&below, kinds, path)?;
            package.nested.insert(name, read);
        }
        path.pop();
        Ok(package)
    }

    /// The name of the operator version that it is installed as.
    pub fn version_name(&self) -> String {
        let parts = [&self.name, &self.app_version, &self.operator_version];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("-")
    }

    /// The operator version, with a stand-in for each template.
    pub fn operator_version(&self) -> OperatorVersion {
        let plans = self.plans.iter().map(|(name, plan)| (name.clone(), Arc::new(plan.clone())));
        OperatorVersion {
            name: self.version_name(),
            parameters: self.parameters.clone(),
            plans: plans.collect(),
            tasks: self.tasks.clone(),
            templates: self.templates(),
        }
    }

    /// Its operator version and those of the packages that it names, each under the name that tasks look for.
    pub fn operator_versions(&self) -> Vec<OperatorVersion> {
        let mut versions = vec![self.operator_version()];
        for task in self.tasks.iter().filter(|task| task.kind == "KudoOperator") {
            let settings = Settings::of(task).unwrap_or_default();
            let Some(nested) = self.nested.get(&settings.package) else { continue };
            let mut below = nested.operator_versions();
            if let Some(first) = below.first_mut() {
                first.name = settings.dependency();
            }
            versions.extend(below);
        }
        versions
    }

    /// A stand-in for each template that a task names.
    fn templates(&self) -> BTreeMap<String, String> {
        let mut templates = BTreeMap::new();
        for task in &self.tasks {
            let settings = Settings::of(task).unwrap_or_default();
            for template in settings.resources {
                templates.entry(template.clone()).or_insert_with(|| stand_in(&template, &self.parameters));
            }
            if !settings.pod.is_empty() {
                templates.insert(settings.pod.clone(), stand_in::pod(&settings.pod, &settings.pipe));
            }
            if !settings.parameter_file.is_empty() {
                templates.insert(settings.parameter_file, Value::Object(serde_json::Map::new()).to_string());
            }
        }
        templates
    }
}

/// The directory of a package that a task names: below the one it is named in, or beside it.
fn found(dir: &Path, name: &str) -> Option<PathBuf> {
    let beside = dir.canonicalize().ok().and_then(|dir| dir.parent().map(|parent| parent.join(name)));
    [Some(dir.join(name)), beside].into_iter().flatten().find(|dir| dir.join(OPERATOR_FILE).is_file())
}

fn circle(path: &[PathBuf], again: &Path) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let from = path.iter().position(|known| known == again).unwrap_or(0);
    let names: Vec<String> = path[from..].iter().map(|path| name(path)).chain([name(again)]).collect();
    names.join(" -> ")
}
