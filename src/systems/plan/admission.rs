//! What may be asked of an instance, and which plan that schedules: the rules that every write of a spec passes, the
//! user's and the controller's. Pure; it must not know who writes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::definition::{CLEANUP, DEPLOY, UPDATE};
use super::instance::{Instance, OperatorVersion, Parameter, ParameterKind, PlanExecution};
use super::status::ExecutionStatus;

/// Why a change is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no such plan.
    #[error("there is no plan {0}")]
    UnknownPlan(String),
    /// There is no such parameter.
    #[error("there is no parameter {0}")]
    UnknownParameter(String),
    /// A parameter has a value that it cannot have.
    #[error("parameter {name} cannot be {value}: {why}")]
    InvalidParameter {
        /// Which.
        name: String,
        /// What it was to be.
        value: String,
        /// Why not.
        why: String,
    },
    /// A parameter cannot be changed.
    #[error("parameter {0} is immutable")]
    Immutable(String),
    /// A new or newly immutable parameter has no value of the instance's own.
    #[error("parameter {0} is immutable in the new version and has no explicit value")]
    ImmutableWithoutValue(String),
    /// Parameters that trigger different plans changed together.
    #[error("parameters that trigger different plans changed together: {}", .0.join(", "))]
    SeveralPlans(Vec<String>),
    /// The instance is being deleted.
    #[error("the instance is being deleted: {0}")]
    Deleting(&'static str),
    /// A plan runs.
    #[error("plan {running} is running: {what}")]
    Running {
        /// Which.
        running: String,
        /// What cannot be done meanwhile.
        what: &'static str,
    },
    /// An upgrade comes with something else.
    #[error("an upgrade cannot come with {0}")]
    Upgrade(&'static str),
    /// Parameters and a plan were given together.
    #[error("a parameter change and a plan cannot be asked for together")]
    ParameterAndPlan,
    /// The clean-up is the controller's.
    #[error("plan cleanup is triggered by a deletion only")]
    Cleanup,
    /// There is no plan that could be triggered.
    #[error("there is no plan for that: none of {0}")]
    NoPlan(&'static str),
}

/// Parameters that were added or changed, and those that were removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterDiff {
    /// Added or changed, with the new value.
    pub changed: BTreeMap<String, Value>,
    /// Removed, with the old value.
    pub removed: BTreeMap<String, Value>,
}

impl ParameterDiff {
    /// What is different.
    pub fn of(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>) -> ParameterDiff {
        let pick = |from: &BTreeMap<String, Value>, keep: &dyn Fn(&String, &Value) -> bool| {
            let kept = from.iter().filter(|(name, value)| keep(name, value));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        ParameterDiff {
            changed: pick(new, &|name, value| old.get(name) != Some(value)),
            removed: pick(old, &|name, _| !new.contains_key(name)),
        }
    }

    /// Nothing is different.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.changed.keys().chain(self.removed.keys())
    }
}

/// The plan that a change of these parameters triggers: the one that they name, else update, else deploy; none without
/// parameters. A parameter that the operator does not have says nothing.
///
/// # Errors
/// They name several plans, or one that there is not.
pub fn triggered_by_parameter_update<'a>(
    names: impl Iterator<Item = &'a String>,
    operator: &OperatorVersion,
) -> Result<Option<String>, Denied> {
    let mut plans: Vec<String> = Vec::new();
    for name in names {
        let Some(parameter) = operator.parameter(name) else { continue };
        let fallback = || operator.first_of(&[UPDATE, DEPLOY]).ok_or(Denied::NoPlan("update, deploy"));
        let plan = parameter.trigger.clone().map_or_else(fallback, Ok)?;
        if !operator.plans.contains_key(&plan) {
            return Err(Denied::UnknownPlan(plan));
        }
        if !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    if plans.len() > 1 {
        plans.sort();
        return Err(Denied::SeveralPlans(plans));
    }
    Ok(plans.pop())
}

/// An instance as it is created: its deployment is scheduled under `uid`, and its finalizer is on it.
///
/// # Errors
/// There is no deployment plan, or a parameter is not one that there can be.
pub fn admit_create(mut new: Instance, operator: &OperatorVersion, uid: String) -> Result<Instance, Denied> {
    check_parameters(&new, operator)?;
    if !operator.plans.contains_key(DEPLOY) {
        return Err(Denied::UnknownPlan(DEPLOY.to_owned()));
    }
    new.spec.plan_execution = triggered(DEPLOY.to_owned(), uid);
    new.try_add_finalizer(operator);
    Ok(new)
}

/// The change of an instance as it is taken: with the plan that it triggers, under `uid`.
///
/// A plan is asked for by its name and any uid that is another; the uid that it gets is this one.
///
/// # Errors
/// It is not taken.
pub fn admit_update(
    old: &Instance,
    mut new: Instance,
    (before, after): (&OperatorVersion, &OperatorVersion),
    uid: String,
) -> Result<Instance, Denied> {
    let change = Change::of(old, &new);
    if !change.next.name.is_empty() && !after.plans.contains_key(&change.next.name) {
        return Err(Denied::UnknownPlan(change.next.name));
    }
    check_parameters(&new, after)?;
    if new.metadata.deleting {
        change.check_deleting()?;
        if change.is_novel || change.is_retriggered {
            new.spec.plan_execution = triggered(change.next.name, uid);
        }
        return Ok(new);
    }
    let by_parameters = triggered_by_parameter_update(change.diff.names(), after)?;
    change.check_normal(by_parameters.as_deref())?;
    check_immutable(old, &new, &change, (before, after))?;
    new.spec.plan_execution = match change.plan(by_parameters, after)? {
        Scheduled::New(plan) => triggered(plan, uid),
        Scheduled::None => PlanExecution::default(),
        Scheduled::AsItIs => new.spec.plan_execution,
    };
    Ok(new)
}

fn triggered(name: String, uid: String) -> PlanExecution {
    PlanExecution { name, uid, status: ExecutionStatus::NeverRun }
}

/// What is different, in the words of the rules.
struct Change {
    last: PlanExecution,
    next: PlanExecution,
    diff: ParameterDiff,
    /// A plan is scheduled and not terminal.
    is_running: bool,
    is_upgrade: bool,
    /// Another plan is asked for than the one that is scheduled.
    is_novel: bool,
    /// The plan that is scheduled is asked for again.
    is_retriggered: bool,
}

/// What a change schedules.
enum Scheduled {
    New(String),
    None,
    AsItIs,
}

impl Change {
    fn of(old: &Instance, new: &Instance) -> Change {
        let (last, next) = (old.spec.plan_execution.clone(), new.spec.plan_execution.clone());
        let is_novel = !next.name.is_empty() && next.name != last.name;
        let is_retriggered = !next.name.is_empty() && next.name == last.name && next.uid != last.uid;
        Change {
            diff: ParameterDiff::of(&old.spec.params, &new.spec.params),
            is_running: !last.name.is_empty() && !last.status.is_terminal(),
            is_upgrade: old.spec.operator_version != new.spec.operator_version,
            is_novel,
            is_retriggered,
            last,
            next,
        }
    }

    fn check_deleting(&self) -> Result<(), Denied> {
        let is_cleanup = self.next.name == CLEANUP;
        if self.last.name == CLEANUP && !is_cleanup {
            return Err(Denied::Deleting("the clean-up cannot be left"));
        }
        if !self.diff.is_empty() || self.is_upgrade {
            return Err(Denied::Deleting("neither parameters nor version can be changed"));
        }
        if self.is_novel && !is_cleanup {
            return Err(Denied::Deleting("only the clean-up can be scheduled"));
        }
        Ok(())
    }

    fn check_normal(&self, by_parameters: Option<&str>) -> Result<(), Denied> {
        let running = |what| Err(Denied::Running { running: self.last.name.clone(), what });
        let triggers_other = by_parameters.is_some_and(|plan| plan != self.last.name);
        if self.is_running && triggers_other && !self.is_upgrade {
            return running("parameters that trigger another plan cannot be changed");
        }
        if self.is_upgrade {
            if self.is_running {
                return running("the operator version cannot be changed");
            }
            if self.is_novel || self.is_retriggered {
                return Err(Denied::Upgrade("a plan"));
            }
            if by_parameters.is_some_and(|plan| plan != DEPLOY) {
                return Err(Denied::Upgrade("parameters that trigger another plan than deploy"));
            }
        }
        if self.is_running && self.is_novel {
            return running("it cannot be overridden");
        }
        if self.is_running && self.next.name.is_empty() {
            return running("it cannot be cancelled");
        }
        if !self.diff.is_empty() && (self.is_novel || self.is_retriggered) {
            return Err(Denied::ParameterAndPlan);
        }
        if self.is_novel && self.next.name == CLEANUP {
            return Err(Denied::Cleanup);
        }
        Ok(())
    }

    fn plan(&self, by_parameters: Option<String>, after: &OperatorVersion) -> Result<Scheduled, Denied> {
        if self.is_upgrade {
            let plan = after.upgrade_plan().ok_or(Denied::NoPlan("upgrade, update, deploy"))?;
            return Ok(Scheduled::New(plan));
        }
        if let Some(plan) = by_parameters {
            return Ok(Scheduled::New(plan));
        }
        if self.is_novel || self.is_retriggered {
            return Ok(Scheduled::New(self.next.name.clone()));
        }
        Ok(if self.next.status.is_terminal() { Scheduled::None } else { Scheduled::AsItIs })
    }
}

fn check_parameters(new: &Instance, operator: &OperatorVersion) -> Result<(), Denied> {
    for (name, value) in &new.spec.params {
        let parameter = operator.parameter(name).ok_or_else(|| Denied::UnknownParameter(name.clone()))?;
        parameter.check(value).map_err(|why| Denied::InvalidParameter {
            name: name.clone(),
            value: value.to_string(),
            why,
        })?;
    }
    Ok(())
}

fn check_immutable(
    old: &Instance,
    new: &Instance,
    change: &Change,
    (before, after): (&OperatorVersion, &OperatorVersion),
) -> Result<(), Denied> {
    let was_immutable = |name: &str| before.parameter(name).is_some_and(|parameter| parameter.immutable);
    for parameter in after.parameters.iter().filter(|parameter| parameter.immutable) {
        let name = &parameter.name;
        let is_new = change.is_upgrade && !was_immutable(name);
        let value = |instance: &Instance, operator: &OperatorVersion| {
            let default = operator.parameter(name).and_then(|parameter| parameter.default.clone());
            instance.spec.params.get(name).cloned().or(default)
        };
        if is_new && !new.spec.params.contains_key(name) {
            return Err(Denied::ImmutableWithoutValue(name.clone()));
        }
        if !is_new && value(old, before) != value(new, after) {
            return Err(Denied::Immutable(name.clone()));
        }
    }
    Ok(())
}

impl Parameter {
    /// Whether it may have this value.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if !self.kind.takes(value) {
            return Err(format!("it is no {}", self.kind.name()));
        }
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            return Err(format!("allowed are {}", allowed.join(", ")));
        }
        Ok(())
    }
}

impl ParameterKind {
    /// All of them.
    pub const ALL: [ParameterKind; 6] = [
        ParameterKind::String,
        ParameterKind::Integer,
        ParameterKind::Number,
        ParameterKind::Boolean,
        ParameterKind::Array,
        ParameterKind::Map,
    ];

    /// Its name in packages.
    pub fn name(self) -> &'static str {
        match self {
            ParameterKind::String => "string",
            ParameterKind::Integer => "integer",
            ParameterKind::Number => "number",
            ParameterKind::Boolean => "boolean",
            ParameterKind::Array => "array",
            ParameterKind::Map => "map",
        }
    }

    /// The value that says nothing.
    pub fn empty(self) -> Value {
        match self {
            ParameterKind::String => Value::String(String::new()),
            ParameterKind::Integer | ParameterKind::Number => Value::from(0),
            ParameterKind::Boolean => Value::Bool(false),
            ParameterKind::Array => Value::Array(Vec::new()),
            ParameterKind::Map => Value::Object(serde_json::Map::new()),
        }
    }

    /// Whether a value is of this kind; texts that say one count.
    pub fn takes(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            ParameterKind::String => text.is_some(),
            ParameterKind::Integer => {
                value.is_i64() || value.is_u64() || text.is_some_and(|text| text.parse::<i64>().is_ok())
            }
            ParameterKind::Number => {
                value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok())
            }
            ParameterKind::Boolean => {
                value.is_boolean() || text.is_some_and(|text| text.parse::<bool>().is_ok())
            }
            ParameterKind::Array => value.is_array(),
            ParameterKind::Map => value.is_object(),
        }
    }
}
