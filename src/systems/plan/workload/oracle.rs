//! What there must be at the end: computed from what the user asked for and from the operator alone, and from nothing that
//! the controller has done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::versions::Versions;
use super::view::View;
use crate::systems::plan::definition::DEPLOY;
use crate::systems::plan::instance::{Instance, OperatorVersion};
use crate::systems::plan::object::{Health, OBJECT, Values, fill, render};
use crate::systems::plan::status::ExecutionStatus;
use crate::systems::plan::task::Settings;

/// What the user asked for so far. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    /// The uid that each plan was asked for under last.
    uids: BTreeMap<String, String>,
    /// The objects that the plans leave behind, with what is asked of each.
    objects: BTreeMap<String, Value>,
    deleted: bool,
}

impl Orders {
    /// A plan was asked for.
    pub(super) fn plan(&self, plan: &str, uid: &str) {
        self.asked().uids.insert(plan.to_owned(), uid.to_owned());
    }

    /// What a plan, carried out, makes of the objects.
    pub(super) fn carry_out(&self, demands: &[Demand]) {
        let mut asked = self.asked();
        for Demand { object, spec } in demands {
            match spec {
                Some(spec) => asked.objects.insert(object.clone(), spec.clone()),
                None => asked.objects.remove(object),
            };
        }
    }

    /// The instance is to go.
    pub(super) fn delete(&self) {
        self.asked().deleted = true;
    }

    /// Whether all of it is so.
    ///
    /// # Errors
    /// What is not.
    pub(super) fn check(&self, view: &View, name: &str) -> Result<(), String> {
        let asked = self.asked();
        match view.instance(name) {
            Some(_) if asked.deleted => return Err(format!("instance {name} is to be deleted and is there")),
            None if !asked.deleted => {
                return Err(format!("instance {name} is gone, and nobody asked for that"));
            }
            Some(instance) => asked.check_instance(&instance)?,
            None => {}
        }
        asked.check_objects(view)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a plan asks of one object: that it is so, or that it is not there.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    object: String,
    spec: Option<Value>,
}

/// What a plan of an operator asks for, task by task in its order, and the deployment of what is inside it.
pub(super) fn demands(
    plan: &str,
    operator: &OperatorVersion,
    params: &BTreeMap<String, Value>,
    versions: &Versions,
) -> Vec<Demand> {
    let params = operator.values(params).unwrap_or_default();
    let pipes = BTreeMap::new();
    let values = Values { params: &params, pipes: &pipes };
    let tasks = operator.plans.get(plan).into_iter().flat_map(|plan| plan.steps());
    let tasks = tasks.flat_map(|(_, step)| &step.tasks);
    let tasks = tasks.filter_map(|name| operator.tasks.iter().find(|task| task.name == *name));
    let mut demands = Vec::new();
    for task in tasks {
        let settings = Settings::of(task).unwrap_or_default();
        if task.kind == "KudoOperator" {
            let file = operator.templates.get(&settings.parameter_file);
            let filled = file.and_then(|file| fill("", file, values).ok());
            let given = filled.and_then(|filled| serde_json::from_str(&filled).ok()).unwrap_or_default();
            demands.extend(self::demands(DEPLOY, versions.named(&settings.dependency()), &given, versions));
            continue;
        }
        let is_on = params.get(&settings.parameter).and_then(Value::as_str) == Some("true");
        let is_there = match task.kind.as_str() {
            "Apply" => true,
            "Toggle" => is_on,
            "Delete" => false,
            _ => continue,
        };
        let objects = settings.resources.iter();
        let objects = objects.filter_map(|name| render(name, &operator.templates, values).ok());
        demands.extend(objects.map(|object| Demand {
            object: object.key().name.to_string(),
            spec: is_there.then_some(object.spec),
        }));
    }
    demands
}

impl Asked {
    fn check_instance(&self, instance: &Instance) -> Result<(), String> {
        let scheduled = &instance.spec.plan_execution.name;
        if !scheduled.is_empty() {
            return Err(format!("plan {scheduled} is still scheduled"));
        }
        for (plan, uid) in &self.uids {
            let status = instance.status.plans.get(plan);
            let found = status.map(|status| (status.status, status.uid.as_str()));
            if found != Some((ExecutionStatus::Complete, uid)) {
                return Err(format!("execution {uid} of plan {plan} is to be COMPLETE, and it is {found:?}"));
            }
        }
        Ok(())
    }

    fn check_objects(&self, view: &View) -> Result<(), String> {
        let mut missing: BTreeMap<&str, &Value> =
            self.objects.iter().map(|(name, spec)| (name.as_str(), spec)).collect();
        for (entry, object) in view.objects() {
            let object = object.ok_or_else(|| format!("{} is no object", entry.key))?;
            match missing.remove(&*entry.key.name) {
                // What pipes make is named by their places, and stays.
                None if object.spec.get("data").is_some() => {}
                None => return Err(format!("{} is there, and no plan leaves it behind", entry.key)),
                Some(spec) if object.spec != *spec => {
                    return Err(format!("{} is {}, and should be {spec}", entry.key, object.spec));
                }
                Some(_) if object.deleting || object.health() != Health::Healthy => {
                    return Err(format!("{} is not healthy: {:?}", entry.key, object.health()));
                }
                Some(_) => {}
            }
        }
        match missing.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{OBJECT}/{name} is missing, and a plan that is complete makes it")),
        }
    }
}
