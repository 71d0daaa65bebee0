//! What there must be at the end: computed from what the user asked for and from the operator alone, and from nothing that
//! the controller has done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::store::Store;
use crate::systems::plan::definition::Task;
use crate::systems::plan::instance::{INSTANCE, Instance, OperatorVersion};
use crate::systems::plan::object::{Health, OBJECT, Object, render};
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
    pub(super) fn carry_out(&self, plan: &str, operator: &OperatorVersion, params: &BTreeMap<String, Value>) {
        let Some(spec) = operator.plans.get(plan) else { return };
        let values = operator.values(params).unwrap_or_default();
        let tasks = spec.steps().flat_map(|(_, step)| &step.tasks);
        let tasks = tasks.filter_map(|name| operator.tasks.iter().find(|task| task.name == *name));
        for task in tasks {
            self.asked().demand(task, operator, &values);
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
    pub(super) fn check(&self, store: &Store, name: &str) -> Result<(), String> {
        let asked = self.asked();
        let instance: Option<Instance> = store.peek((INSTANCE, name));
        match instance {
            Some(_) if asked.deleted => return Err(format!("instance {name} is to be deleted and is there")),
            None if !asked.deleted => {
                return Err(format!("instance {name} is gone, and nobody asked for that"));
            }
            Some(instance) => asked.check_instance(&instance)?,
            None => {}
        }
        asked.check_objects(store)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn demand(&mut self, task: &Task, operator: &OperatorVersion, values: &BTreeMap<String, Value>) {
        let settings = Settings::of(task).unwrap_or_default();
        let is_on = values.get(&settings.parameter).and_then(Value::as_str) == Some("true");
        let objects =
            settings.resources.iter().filter_map(|name| render(name, &operator.templates, values).ok());
        for object in objects {
            let name = object.key().name.to_string();
            match task.kind.as_str() {
                "Apply" => self.objects.insert(name, object.spec),
                "Toggle" if is_on => self.objects.insert(name, object.spec),
                "Toggle" | "Delete" => self.objects.remove(&name),
                _ => None,
            };
        }
    }

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

    fn check_objects(&self, store: &Store) -> Result<(), String> {
        let mut missing: BTreeMap<&str, &Value> =
            self.objects.iter().map(|(name, spec)| (name.as_str(), spec)).collect();
        for entry in store.list(OBJECT) {
            let object: Object = entry.parse().map_err(|error| format!("{}: {error}", entry.key))?;
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
