//! The operator versions of a world, and what each plan of theirs asks for: made once for all runs of a scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::oracle::{Demand, demands};
use crate::systems::plan::controller::Known;
use crate::systems::plan::definition::DEPLOY;
use crate::systems::plan::instance::{InstanceSpec, OperatorVersion};
use crate::systems::plan::package::Package;
use crate::systems::plan::parsed::lock;

/// Which version, which plan of it, and with which parameters.
type Asked = (String, String, String);

/// Operator versions, the one to begin with first and the newest last.
#[derive(Debug)]
pub(super) struct Versions {
    /// As they are stored, and as a controller knows them.
    all: Vec<(Arc<Value>, Arc<Known>)>,
    /// What stands for a version that there is not.
    none: OperatorVersion,
    /// What plans ask for.
    demands: Mutex<BTreeMap<Asked, Arc<Vec<Demand>>>>,
}

impl Versions {
    /// The versions of a package, and one that comes after them.
    pub(super) fn of(package: &Package) -> Versions {
        let stored = |version: OperatorVersion| {
            let value = serde_json::to_value(&version).expect("an operator version is plain data");
            (Arc::new(value), Arc::new(Known::from(version)))
        };
        let first = package.operator_versions();
        let next = next(&first[0]);
        let all = first.into_iter().chain([next]).map(stored).collect();
        Versions { all, none: OperatorVersion::default(), demands: Mutex::default() }
    }

    pub(super) fn all(&self) -> &[(Arc<Value>, Arc<Known>)] {
        &self.all
    }

    pub(super) fn first(&self) -> &OperatorVersion {
        &self.all[0].1.operator
    }

    pub(super) fn last(&self) -> &OperatorVersion {
        &self.all[self.all.len() - 1].1.operator
    }

    /// The version of that name; without anything in it, if there is none.
    pub(super) fn named(&self, name: &str) -> &OperatorVersion {
        let known = self.all.iter().map(|(_, known)| &known.operator);
        known.into_iter().find(|operator| operator.name == name).unwrap_or(&self.none)
    }

    /// What a plan asks for, of an instance of which this is asked.
    pub(super) fn demands(&self, plan: &str, spec: &InstanceSpec) -> Arc<Vec<Demand>> {
        let params = serde_json::to_string(&spec.params).unwrap_or_default();
        let key = (spec.operator_version.clone(), plan.to_owned(), params);
        let mut known = lock(&self.demands);
        let found = known
            .entry(key)
            .or_insert_with(|| demands(plan, self.named(&spec.operator_version), &spec.params, self).into());
        found.clone()
    }
}

/// The version after another: of another application, and with a phase more in its first plan.
fn next(first: &OperatorVersion) -> OperatorVersion {
    let mut next = first.clone();
    next.name = format!("{}-next", next.name);
    if let Some(parameter) = next.parameters.iter_mut().find(|parameter| parameter.name == "VERSION") {
        parameter.default = Some(Value::String("next".to_owned()));
    }
    if let Some(plan) = next.plans.get_mut(DEPLOY) {
        let mut longer = (**plan).clone();
        if let Some(mut phase) = longer.phases.first().cloned() {
            phase.name = format!("{}-again", phase.name);
            // What pipes make has one place.
            let is_pipe =
                |name: &String| next.tasks.iter().any(|task| task.name == *name && task.kind == "Pipe");
            phase.steps.retain(|step| !step.tasks.iter().any(is_pipe));
            longer.phases.insert(1, phase);
        }
        *plan = longer.into();
    }
    next
}
