//! What the files of a package mean, and whether they fit: names are unique, what is named is there, values are of their
//! kinds. It reads no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::format::{OperatorFile, ParameterFile, ParamsFile, PhaseFile, PlanFile, StepFile, TaskFile};
use super::{Package, Texts, yaml};
use crate::Error;
use crate::systems::plan::definition::{DEPLOY, Phase, Plan, Step, Strategy, Task};
use crate::systems::plan::instance::{Parameter, ParameterKind};
use crate::systems::plan::task::{Kinds, SETTINGS, Settings};

/// Longest names, in characters.
const NAME_MAX: usize = 253;
const API_VERSIONS: [&str; 1] = ["kudo.dev/v1beta1"];
const REFERENCE_KINDS: [&str; 6] = ["Apply", "Delete", "Dummy", "KudoOperator", "Pipe", "Toggle"];

/// The packages that tasks name, with the byte of each name.
pub(super) type Nested = Vec<(String, usize)>;

/// A file and its text: where mistakes are placed.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn at(&self, location: &Location, error: Error) -> Error {
        error.at(self.path, self.text, yaml::offset(self.text, location))
    }

    /// Refuses the second of two that have one name, and names that are none.
    fn unique<'n>(&self, what: &str, names: impl Iterator<Item = &'n Spanned<String>>) -> Result<(), Error> {
        let mut known: BTreeMap<&str, u64> = BTreeMap::new();
        for name in names {
            let (text, place) = (name.value.as_str(), &name.referenced);
            if text.trim().is_empty() || text.chars().count() > NAME_MAX {
                let message = format!("a {what} needs a name of 1 to {NAME_MAX} characters");
                return Err(self.at(place, Error::input(message)));
            }
            if let Some(line) = known.insert(text, place.line()) {
                let message = format!("there are two {what}s `{text}`: the other is in line {line}");
                return Err(self.at(place, Error::input(message)));
            }
        }
        Ok(())
    }

    fn strategy(&self, text: &Spanned<String>) -> Result<Strategy, Error> {
        let names = Strategy::ALL.map(Strategy::name);
        text.value
            .parse()
            .map_err(|_| self.at(&text.referenced, Error::one_of("strategy", &text.value, &names)))
    }

    fn filled<T>(&self, what: &str, list: &Spanned<Vec<T>>) -> Result<(), Error> {
        match list.value.is_empty() {
            false => Ok(()),
            true => Err(self.at(&list.referenced, Error::input(format!("this needs at least one {what}")))),
        }
    }
}

/// A package from its texts, and the packages that it names.
pub(super) fn package(texts: &Texts<'_>, kinds: &Kinds) -> Result<(Package, Nested), Error> {
    let source = Source { path: texts.operator_path, text: texts.operator };
    let file: OperatorFile = yaml::parse(source.path, source.text)?;
    if let Some(version) = file.api_version.filter(|version| !API_VERSIONS.contains(&version.value.as_str()))
    {
        return Err(
            source.at(&version.referenced, Error::one_of("apiVersion", &version.value, &API_VERSIONS))
        );
    }
    source.unique("operator", [&file.name].into_iter())?;
    source.unique("version", [&file.operator_version].into_iter())?;
    let tasks = file.tasks.unwrap_or_default();
    source.unique("task", tasks.iter().map(|task| &task.name))?;
    let (mut checked, mut nested) = (Vec::new(), Nested::new());
    for task in &tasks {
        let built = source.task(task, kinds)?;
        if built.kind == "KudoOperator" {
            nested.push((
                Settings::of(&built).unwrap_or_default().package,
                yaml::offset(source.text, &task.name.referenced),
            ));
        }
        checked.push(built);
    }
    let names: Vec<&str> = tasks.iter().map(|task| task.name.value.as_str()).collect();
    let mut plans = BTreeMap::new();
    for (name, plan) in &file.plans.value {
        plans.insert(name.clone(), source.plan(&plan.value, &names)?);
    }
    if !plans.contains_key(DEPLOY) {
        let error = Error::input(format!("there is no plan `{DEPLOY}`, which every operator needs"));
        return Err(source.at(&file.plans.referenced, error));
    }
    let parameters = match texts.params {
        Some(text) => parameters(&Source { path: texts.params_path, text }, &plans)?,
        None => Vec::new(),
    };
    source.toggles(&tasks, &checked, &parameters)?;
    let package = Package {
        name: file.name.value,
        operator_version: file.operator_version.value,
        app_version: file.app_version.unwrap_or_default(),
        plans,
        tasks: checked,
        parameters,
        nested: BTreeMap::new(),
    };
    Ok((package, nested))
}

impl Source<'_> {
    fn task(&self, file: &TaskFile, kinds: &Kinds) -> Result<Task, Error> {
        let kind = &file.kind.value;
        if !kinds.names().contains(&kind.as_str()) {
            return Err(self.at(&file.kind.referenced, Error::one_of("task kind", kind, &kinds.names())));
        }
        let settings = file.spec.iter().flatten();
        if REFERENCE_KINDS.contains(&kind.as_str()) {
            let unknown = settings.clone().find(|(key, _)| !SETTINGS.contains(&key.as_str()));
            if let Some((key, value)) = unknown {
                return Err(self.at(&value.referenced, Error::one_of("setting of a task", key, &SETTINGS)));
            }
        }
        let spec = settings.map(|(key, value)| (key.clone(), value.value.clone())).collect();
        let mut task = Task { name: file.name.value.clone(), kind: kind.clone(), spec };
        is_done_unless_said(&mut task);
        match kinds.build(&task) {
            Ok(_) => Ok(task),
            Err(error) => {
                let message = format!("task `{}` cannot be built: {error}", task.name);
                Err(self.at(&file.name.referenced, Error::input(message)))
            }
        }
    }

    fn plan(&self, file: &PlanFile, tasks: &[&str]) -> Result<Plan, Error> {
        self.filled("phase", &file.phases)?;
        self.unique("phase", file.phases.value.iter().map(|phase| &phase.name))?;
        let phases = file.phases.value.iter().map(|phase| self.phase(phase, tasks));
        Ok(Plan { strategy: self.strategy(&file.strategy)?, phases: phases.collect::<Result<_, _>>()? })
    }

    fn phase(&self, file: &PhaseFile, tasks: &[&str]) -> Result<Phase, Error> {
        self.filled("step", &file.steps)?;
        self.unique("step", file.steps.value.iter().map(|step| &step.name))?;
        let steps = file.steps.value.iter().map(|step| self.step(step, tasks));
        let strategy = self.strategy(&file.strategy)?;
        Ok(Phase { name: file.name.value.clone(), strategy, steps: steps.collect::<Result<_, _>>()? })
    }

    fn step(&self, file: &StepFile, tasks: &[&str]) -> Result<Step, Error> {
        self.filled("task", &file.tasks)?;
        for task in &file.tasks.value {
            if !tasks.contains(&task.value.as_str()) {
                return Err(self.at(&task.referenced, Error::one_of("task", &task.value, tasks)));
            }
        }
        self.unique("task", file.tasks.value.iter())?;
        let tasks = file.tasks.value.iter().map(|task| task.value.clone()).collect();
        Ok(Step { name: file.name.value.clone(), tasks })
    }

    /// Toggles name parameters that there are.
    fn toggles(&self, files: &[TaskFile], tasks: &[Task], parameters: &[Parameter]) -> Result<(), Error> {
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        for (file, task) in files.iter().zip(tasks).filter(|(_, task)| task.kind == "Toggle") {
            let parameter = Settings::of(task).unwrap_or_default().parameter;
            if !names.contains(&parameter.as_str()) {
                let written = file.spec.iter().flatten().find(|(key, _)| *key == "parameter");
                let place = written.map_or(&file.name.referenced, |(_, value)| &value.referenced);
                return Err(
                    self.at(place, Error::one_of("parameter", &parameter, &nearest(&parameter, &names)))
                );
            }
        }
        Ok(())
    }
}

/// A dummy that says neither whether it is done nor that it fails is done. The reference takes it for one that is never
/// done, and a published package has one: its plan would run for ever.
fn is_done_unless_said(task: &mut Task) {
    let says = |key: &str| task.spec.contains_key(key);
    if task.kind == "Dummy" && !says("done") && !says("wantErr") {
        task.spec.insert("done".to_owned(), Value::Bool(true));
    }
}

/// The names that an error lists: all of a few, else the nearest.
fn nearest<'n>(found: &str, names: &[&'n str]) -> Vec<&'n str> {
    const LISTED_MAX: usize = 12;
    if names.len() <= LISTED_MAX {
        return names.to_vec();
    }
    let mut scored: Vec<&str> = names.to_vec();
    scored.sort_by(|a, b| strsim::jaro_winkler(found, b).total_cmp(&strsim::jaro_winkler(found, a)));
    scored.truncate(LISTED_MAX);
    scored
}

fn parameters(source: &Source<'_>, plans: &BTreeMap<String, Plan>) -> Result<Vec<Parameter>, Error> {
    let file: ParamsFile = yaml::parse(source.path, source.text)?;
    let files = file.parameters.unwrap_or_default();
    source.unique("parameter", files.iter().map(|parameter| &parameter.name))?;
    let plans: BTreeSet<&str> = plans.keys().map(String::as_str).collect();
    files.iter().map(|file| source.parameter(file, &plans)).collect()
}

impl Source<'_> {
    fn parameter(&self, file: &ParameterFile, plans: &BTreeSet<&str>) -> Result<Parameter, Error> {
        let kinds = ParameterKind::ALL.map(ParameterKind::name);
        let kind = match &file.kind {
            None => ParameterKind::String,
            Some(text) => ParameterKind::ALL
                .into_iter()
                .find(|kind| kind.name() == text.value)
                .ok_or_else(|| self.at(&text.referenced, Error::one_of("type", &text.value, &kinds)))?,
        };
        if let Some(trigger) = file.trigger.as_ref().filter(|trigger| !plans.contains(trigger.value.as_str()))
        {
            let plans: Vec<&str> = plans.iter().copied().collect();
            return Err(self.at(&trigger.referenced, Error::one_of("plan", &trigger.value, &plans)));
        }
        let parameter = Parameter {
            name: file.name.value.clone(),
            default: file.default.as_ref().and_then(|default| of_kind(kind, &default.value)),
            // A default that is written as nothing is one.
            required: file.required.unwrap_or(true) && file.default.is_none(),
            trigger: file.trigger.as_ref().map(|trigger| trigger.value.clone()),
            kind,
            immutable: file.immutable.unwrap_or(false),
            allowed: file.allowed.iter().flatten().filter_map(|value| of_kind(kind, value)).collect(),
        };
        if let (Some(written), Some(value)) = (&file.default, &parameter.default) {
            parameter.check(value).map_err(|why| {
                let message = format!("parameter `{}` cannot be {value}: {why}", parameter.name);
                self.at(&written.referenced, Error::input(message))
            })?;
        }
        Ok(parameter)
    }
}

/// A value as it is written where texts are meant: numbers and yes or no are the texts that say them.
fn of_kind(kind: ParameterKind, value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Number(_) | Value::Bool(_) if kind == ParameterKind::String => {
            Some(Value::String(value.to_string()))
        }
        other => Some(other.clone()),
    }
}
