//! What may be asked of an instance, and which plan that schedules: the rules that every write of a spec passes, the
//! user's and the controller's. Pure; it must not know who writes.

use std::collections::{BTreeMap, BTreeSet};

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
    /// A plan is scheduled.
    #[error("plan {plan} is scheduled: {what}")]
    Scheduled {
        /// Which.
        plan: String,
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
}

/// The plan that a change of these parameters triggers: the one that they name; where none of them names one, update, else
/// deploy; none without parameters. A parameter that the operator does not have says nothing.
///
/// # Errors
/// They name several plans, or one that there is not; or there is no plan for them.
pub fn triggered_by_parameter_update<'a>(
    names: impl Iterator<Item = &'a String>,
    operator: &OperatorVersion,
) -> Result<Option<String>, Denied> {
    let changed: Vec<&Parameter> = names.filter_map(|name| operator.parameter(name)).collect();
    let named = changed.iter().filter_map(|parameter| parameter.trigger.as_deref());
    let plans: BTreeSet<&str> = named.filter(|plan| !plan.is_empty()).collect();
    if let Some(unknown) = plans.iter().find(|plan| !operator.plans.contains_key(**plan)) {
        return Err(Denied::UnknownPlan((*unknown).to_owned()));
    }
    if plans.len() > 1 {
        return Err(Denied::SeveralPlans(plans.into_iter().map(str::to_owned).collect()));
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let named = plans.first().map(|plan| (*plan).to_owned());
    let fallback = || operator.first_of(&[UPDATE, DEPLOY]);
    named.or_else(fallback).map(Some).ok_or(Denied::NoPlan("update, deploy"))
}

/// An instance as it is created: its deployment is scheduled under `uid`, its finalizer is on it, and what cannot be
/// changed later has a value of its own, so that another default changes nothing.
///
/// # Errors
/// There is no deployment plan, or a parameter is not one that there can be.
pub fn admit_create(mut new: Instance, operator: &OperatorVersion, uid: String) -> Result<Instance, Denied> {
    if !operator.plans.contains_key(DEPLOY) {
        return Err(Denied::UnknownPlan(DEPLOY.to_owned()));
    }
    for parameter in operator.parameters.iter().filter(|parameter| parameter.immutable) {
        if let Some(default) = &parameter.default {
            new.spec.params.entry(parameter.name.clone()).or_insert_with(|| default.clone());
        }
    }
    check_known(new.spec.params.keys(), operator)?;
    check_values(&new, operator)?;
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
    if old.spec == new.spec && old.status == new.status {
        // Metadata is anybody's.
        return Ok(new);
    }
    let change = Change::of(old, &new);
    if change.is_asked() && !after.plans.contains_key(&change.next.name) {
        return Err(Denied::UnknownPlan(change.next.name));
    }
    check_known(change.diff.changed.keys(), after)?;
    match change.is_upgrade {
        false => check_unchanged(&change, after)?,
        true => {
            check_given(&new, (before, after))?;
            let is_gone = |name: &str| before.parameter(name).is_some() && after.parameter(name).is_none();
            new.spec.params.retain(|name, _| !is_gone(name));
        }
    }
    // That a plan came to its end is taken even of an instance that lacks a value: the plan says so.
    if change.is_upgrade || change.is_asked() || !change.diff.is_empty() {
        check_values(&new, after)?;
    }
    let by_parameters = triggered_by_parameter_update(change.judged(before), after)?;
    if new.metadata.deleting {
        change.check_deleting(by_parameters.is_some())?;
        if change.is_asked() {
            new.spec.plan_execution = triggered(change.next.name, uid);
        }
        return Ok(new);
    }
    change.check_normal(by_parameters.as_deref())?;
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
    is_upgrade: bool,
}

/// What a change schedules.
enum Scheduled {
    New(String),
    None,
    AsItIs,
}

impl Change {
    fn of(old: &Instance, new: &Instance) -> Change {
        Change {
            last: old.spec.plan_execution.clone(),
            next: new.spec.plan_execution.clone(),
            diff: ParameterDiff::of(&old.spec.params, &new.spec.params),
            is_upgrade: old.spec.operator_version != new.spec.operator_version,
        }
    }

    /// A plan is scheduled, also one that has ended: only the write that says so takes its name away.
    fn is_scheduled(&self) -> bool {
        !self.last.name.is_empty()
    }

    /// A plan is asked for where none is scheduled.
    fn is_novel(&self) -> bool {
        !self.is_scheduled() && !self.next.name.is_empty()
    }

    /// The plan that is scheduled is asked for again.
    fn is_retriggered(&self) -> bool {
        self.is_scheduled() && self.next.name == self.last.name && self.next.uid != self.last.uid
    }

    /// A plan is asked for that was not.
    fn is_asked(&self) -> bool {
        !self.next.name.is_empty() && (&self.next.name, &self.next.uid) != (&self.last.name, &self.last.uid)
    }

    /// The parameters whose change counts. One that the version before did not have was not changed.
    fn judged<'a>(&'a self, before: &'a OperatorVersion) -> impl Iterator<Item = &'a String> {
        let changed = self.diff.changed.keys().filter(|name| before.parameter(name).is_some());
        changed.chain(self.diff.removed.keys())
    }

    fn check_deleting(&self, changes_parameters: bool) -> Result<(), Denied> {
        let is_cleanup = self.next.name == CLEANUP;
        if self.last.name == CLEANUP && !is_cleanup {
            return Err(Denied::Deleting("the clean-up cannot be left"));
        }
        if changes_parameters || self.is_upgrade {
            return Err(Denied::Deleting("neither parameters nor version can be changed"));
        }
        if self.is_asked() && !is_cleanup {
            return Err(Denied::Deleting("only the clean-up can be scheduled"));
        }
        Ok(())
    }

    fn check_normal(&self, by_parameters: Option<&str>) -> Result<(), Denied> {
        let scheduled = |what| Err(Denied::Scheduled { plan: self.last.name.clone(), what });
        let triggers_other = by_parameters.is_some_and(|plan| plan != self.last.name);
        if self.is_scheduled() && triggers_other {
            return scheduled("parameters that trigger another plan cannot be changed");
        }
        if self.is_upgrade {
            if self.is_scheduled() {
                return scheduled("the operator version cannot be changed");
            }
            if self.is_novel() {
                return Err(Denied::Upgrade("a plan"));
            }
            if by_parameters.is_some_and(|plan| plan != DEPLOY) {
                return Err(Denied::Upgrade("parameters that trigger another plan than deploy"));
            }
        }
        if self.is_scheduled() && self.next.name.is_empty() {
            return scheduled("it cannot be cancelled");
        }
        if self.is_scheduled() && self.next.name != self.last.name {
            return scheduled("it cannot be overridden");
        }
        if by_parameters.is_some() && self.is_novel() {
            return Err(Denied::ParameterAndPlan);
        }
        if self.next.name == CLEANUP {
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
        let asked = || Scheduled::New(self.next.name.clone());
        Ok(match self {
            change if change.is_novel() => asked(),
            change if change.next.status.is_terminal() => Scheduled::None,
            change if change.is_retriggered() => asked(),
            _ => Scheduled::AsItIs,
        })
    }
}

/// What is given anew has to be known; what an instance has had all along is not judged again.
fn check_known<'a>(
    names: impl Iterator<Item = &'a String>,
    operator: &OperatorVersion,
) -> Result<(), Denied> {
    let mut names = names;
    match names.find(|name| operator.parameter(name).is_none()) {
        Some(name) => Err(Denied::UnknownParameter(name.clone())),
        None => Ok(()),
    }
}

/// Every parameter of the operator has a value that it can have, or none where it needs none.
fn check_values(new: &Instance, operator: &OperatorVersion) -> Result<(), Denied> {
    for parameter in &operator.parameters {
        let invalid = |value: String, why: String| Denied::InvalidParameter {
            name: parameter.name.clone(),
            value,
            why,
        };
        // An empty text is no value.
        let given = new.spec.params.get(&parameter.name).filter(|value| value.as_str() != Some(""));
        match given {
            None if parameter.required && parameter.default.is_none() => {
                return Err(invalid("left out".to_owned(), "it has to have a value".to_owned()));
            }
            None => {}
            Some(value) => parameter.check(value).map_err(|why| invalid(value.to_string(), why))?,
        }
    }
    Ok(())
}

/// What is immutable was neither changed nor added. A value may be taken away.
fn check_unchanged(change: &Change, operator: &OperatorVersion) -> Result<(), Denied> {
    let is_immutable = |name: &str| operator.parameter(name).is_some_and(|parameter| parameter.immutable);
    match change.diff.changed.keys().find(|name| is_immutable(name)) {
        Some(name) => Err(Denied::Immutable(name.clone())),
        None => Ok(()),
    }
}

/// What is immutable in the version after, and was not before, has a value of the instance's own.
fn check_given(new: &Instance, (before, after): (&OperatorVersion, &OperatorVersion)) -> Result<(), Denied> {
    let was_immutable = |name: &str| before.parameter(name).is_some_and(|parameter| parameter.immutable);
    let mut lacking = after.parameters.iter().filter(|parameter| {
        parameter.immutable
            && !was_immutable(&parameter.name)
            && !new.spec.params.contains_key(&parameter.name)
    });
    match lacking.next() {
        Some(parameter) => Err(Denied::ImmutableWithoutValue(parameter.name.clone())),
        None => Ok(()),
    }
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

    /// A value of this kind.
    pub fn sample(self) -> Value {
        match self {
            ParameterKind::String => Value::String("some".to_owned()),
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
