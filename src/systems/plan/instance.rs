//! Instances of operators, as the store holds them: what is asked for, how far it has come, and the rules that a controller
//! applies before and after a pass. Pure; it must not know who calls it, nor the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::time::Duration;

use super::definition::{ActivePlan, CLEANUP, DEPLOY, Phase, Plan, Task, UPDATE, UPGRADE};
use super::object::{Health, Object};
use super::status::{ExecutionStatus, PhaseStatus, PlanStatus, StepStatus, Timestamp};
use super::task::{Settings, artefact_name};

/// The kind of store entries that instances are.
pub const INSTANCE: &str = "instance";
/// The kind of store entries that operator versions are.
pub const OPERATOR_VERSION: &str = "operator-version";
/// The finalizer that holds an instance until its clean-up is done.
pub const FINALIZER: &str = "kudo.dev.instance.cleanup";

/// A version of an operator: what its package says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperatorVersion {
    /// Its name: operator, version of the application, version of the operator.
    pub name: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its plans.
    #[serde(serialize_with = "shared_out", deserialize_with = "shared_in")]
    pub plans: BTreeMap<String, Arc<Plan>>,
    /// Its tasks.
    pub tasks: Vec<Task>,
    /// Its templates.
    pub templates: BTreeMap<String, String>,
}

/// A parameter of an operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The value that it has where the instance says none.
    pub default: Option<Value>,
    /// It has to have a value.
    pub required: bool,
    /// The plan that a change of it triggers.
    pub trigger: Option<String>,
    /// What its values are.
    pub kind: ParameterKind,
    /// It cannot be changed.
    pub immutable: bool,
    /// The values that it may have; empty: all.
    pub allowed: Vec<Value>,
}

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// Texts.
    #[default]
    String,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// Yes and no.
    Boolean,
    /// Lists.
    Array,
    /// Maps.
    Map,
}

/// An instance of an operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// What is asked for.
    pub spec: InstanceSpec,
    /// What holds it.
    pub metadata: InstanceMetadata,
    /// How far it has come.
    pub status: InstanceStatus,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// The operator version.
    pub operator_version: String,
    /// The values that differ from the defaults.
    pub params: BTreeMap<String, Value>,
    /// The plan that is to be carried out.
    pub plan_execution: PlanExecution,
    /// The instance that this one is a part of, or the empty text.
    pub parent: String,
}

/// A plan that is to be carried out; without a name, none is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanExecution {
    /// Which plan.
    pub name: String,
    /// Which execution of it.
    pub uid: String,
    /// Where it stands, as a mirror of the status.
    pub status: ExecutionStatus,
}

/// What holds an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceMetadata {
    /// Who has something to do before it may go.
    pub finalizers: Vec<String>,
    /// Its deletion was asked for.
    pub deleting: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The status of a plan that has ended, between the write of the spec and the write of the status: a controller that
    /// crashes there finds it, and finishes what it had begun.
    #[serde(
        default,
        serialize_with = "ended_out",
        deserialize_with = "ended_in",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended: Option<Arc<PlanStatus>>,
}

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// The statuses of its plans.
    #[serde(serialize_with = "shared_out", deserialize_with = "shared_in")]
    pub plans: BTreeMap<String, Arc<PlanStatus>>,
    /// Whether it can be used.
    pub ready: Ready,
}

/// Whether an instance can be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ready {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It can.
    True,
    /// It cannot: one of its objects is not as it should be.
    False,
    /// Nothing is known, as a plan is under way.
    PlanInProgress,
    /// Nothing is known, as a plan has failed for good.
    PlanInFatalError,
}

/// A plan that is not known where its status is asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to find planStatus for plan '{0}'")]
pub struct NoPlanStatus(pub String);

/// Two pipe files of an operator have one key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("duplicated pipe key {0}")]
pub struct DuplicatePipeKey(pub String);

/// Parameters without a value that have to have one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("missing required parameters: {}", .0.join(", "))]
pub struct MissingParameters(pub Vec<String>);

impl OperatorVersion {
    /// The first of these plans that there is.
    pub fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find(|name| self.plans.contains_key(**name)).map(|name| (*name).to_owned())
    }

    /// The plan of an upgrade to this version.
    pub fn upgrade_plan(&self) -> Option<String> {
        self.first_of(&[UPGRADE, UPDATE, DEPLOY])
    }

    /// The parameter of that name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The values of all parameters: the instance's, else the defaults. What has neither is absent.
    ///
    /// # Errors
    /// A parameter has to have a value and has none.
    pub fn values(
        &self,
        given: &BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Value>, MissingParameters> {
        let value =
            |parameter: &Parameter| given.get(&parameter.name).or(parameter.default.as_ref()).cloned();
        let is_missing = |parameter: &&Parameter| parameter.required && value(parameter).is_none();
        let missing: Vec<String> =
            self.parameters.iter().filter(is_missing).map(|parameter| parameter.name.clone()).collect();
        if !missing.is_empty() {
            return Err(MissingParameters(missing));
        }
        let named = |parameter: &Parameter| {
            (parameter.name.clone(), value(parameter).unwrap_or_else(|| Value::String(String::new())))
        };
        Ok(self.parameters.iter().map(named).collect())
    }

    /// The names of the artefacts that the pipes of a plan make, by key.
    ///
    /// # Errors
    /// Two have one key.
    pub fn pipes(&self, plan: &str, instance: &str) -> Result<BTreeMap<String, String>, DuplicatePipeKey> {
        let mut pipes = BTreeMap::new();
        let Some(spec) = self.plans.get(plan) else { return Ok(pipes) };
        for (phase, step) in spec.steps() {
            for name in &step.tasks {
                let Some(task) = self.tasks.iter().find(|task| task.name == *name && task.kind == "Pipe")
                else {
                    continue;
                };
                for file in Settings::of(task).unwrap_or_default().pipe {
                    let made = artefact_name(instance, [plan, &phase.name, &step.name, name], &file.key);
                    if pipes.insert(file.key.clone(), made).is_some() {
                        return Err(DuplicatePipeKey(file.key));
                    }
                }
            }
        }
        Ok(pipes)
    }

    /// The names of the operator versions that tasks of this one make instances of.
    pub fn dependencies(&self) -> BTreeSet<String> {
        let nested = self.tasks.iter().filter(|task| task.kind == "KudoOperator");
        let settings = nested.filter_map(|task| Settings::of(task).ok());
        settings.map(|settings| settings.dependency()).collect()
    }
}

impl Settings {
    /// The operator version that a KudoOperator task names.
    pub fn dependency(&self) -> String {
        let parts = [&self.package, &self.app_version, &self.operator_version];
        parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("-")
    }
}

impl Instance {
    /// An instance of an operator version, with nothing scheduled.
    pub fn new(operator_version: &str, params: BTreeMap<String, Value>) -> Instance {
        let operator_version = operator_version.to_owned();
        Instance {
            spec: InstanceSpec { operator_version, params, ..InstanceSpec::default() },
            ..Instance::default()
        }
    }

    /// The plan that was executed last: one that runs, else the one whose status is the newest.
    pub fn last_executed_plan(&self) -> Option<&PlanStatus> {
        let executed =
            self.status.plans.values().map(|plan| &**plan).filter(|plan| !plan.status.is_never_run());
        self.plan_in_progress().or_else(|| executed.max_by_key(|plan| plan.last_updated))
    }

    /// The plan that runs: the first by name, if there are several.
    pub fn plan_in_progress(&self) -> Option<&PlanStatus> {
        self.status.plans.values().map(|plan| &**plan).find(|plan| plan.status.is_running())
    }

    /// Whether no plan was ever asked for.
    pub fn no_plan_ever_executed(&self) -> bool {
        self.status.plans.values().all(|plan| plan.status.is_never_run())
    }

    fn has_run_cleanup(&self) -> bool {
        self.status.plans.get(CLEANUP).is_some_and(|plan| !plan.status.is_never_run())
    }

    /// The plan to be carried out, if any: the one that is scheduled; or, as the instance is deleted, the clean-up, which
    /// takes over from whatever runs and begins once only. `uid` is that of a clean-up that begins now.
    pub fn scheduled_plan(
        &self,
        operator: &OperatorVersion,
        uid: impl FnOnce() -> String,
        cleanup_restarts: bool,
    ) -> Option<PlanExecution> {
        let scheduled = &self.spec.plan_execution;
        let cleanup = self.status.plans.get(CLEANUP).map(|plan| plan.status).unwrap_or_default();
        let is_due = if cleanup_restarts {
            cleanup.is_never_run() || cleanup == ExecutionStatus::FatalError
        } else {
            cleanup.is_never_run() && scheduled.name != CLEANUP
        };
        if self.metadata.deleting && operator.plans.contains_key(CLEANUP) && is_due {
            return Some(PlanExecution {
                name: CLEANUP.to_owned(),
                uid: uid(),
                status: ExecutionStatus::NeverRun,
            });
        }
        (!scheduled.name.is_empty()).then(|| scheduled.clone())
    }

    /// Rebuilds the statuses of every plan of the operator version in the order of its phases and steps: what is known by
    /// name is kept, what is new has never run, what has vanished is dropped. Plans of other versions are left alone.
    pub fn ensure_plan_status_initialized(&mut self, operator: &OperatorVersion) {
        for (name, plan) in &operator.plans {
            match self.status.plans.get_mut(name) {
                Some(status) if status.is_laid_out_as(plan) => {}
                Some(status) => Arc::make_mut(status).lay_out(plan),
                None => {
                    let (name, status) = (name.clone(), ExecutionStatus::NeverRun);
                    let mut never_run = PlanStatus { name, status, ..PlanStatus::default() };
                    never_run.lay_out(plan);
                    self.status.plans.insert(never_run.name.clone(), never_run.into());
                }
            }
        }
    }

    /// The status of a plan, to be changed.
    pub fn plan_mut(&mut self, name: &str) -> Option<&mut PlanStatus> {
        self.status.plans.get_mut(name).map(Arc::make_mut)
    }

    /// Makes a plan pending as a whole if this is a new execution of it; whether it is.
    ///
    /// # Errors
    /// The plan has no status.
    pub fn reset_plan_status_if_plan_is_new(
        &mut self,
        plan: &str,
        uid: &str,
        now: Timestamp,
    ) -> Result<bool, NoPlanStatus> {
        let status = self.status.plans.get_mut(plan).ok_or_else(|| NoPlanStatus(plan.to_owned()))?;
        if status.uid == uid {
            return Ok(false);
        }
        Arc::make_mut(status).reset(uid, now);
        Ok(true)
    }

    /// Notes the status of a plan, and mirrors it in the plan execution if that is of this plan.
    pub fn update_plan_status(&mut self, status: impl Into<Arc<PlanStatus>>) {
        let status = status.into();
        let execution = &mut self.spec.plan_execution;
        if execution.name == status.name {
            execution.status = status.status;
        }
        self.status.ready = match status.status {
            ExecutionStatus::Complete => Ready::True,
            ExecutionStatus::FatalError => Ready::PlanInFatalError,
            _ if [DEPLOY, UPGRADE, UPDATE].contains(&status.name.as_str()) => Ready::PlanInProgress,
            _ => self.status.ready,
        };
        self.status.plans.insert(status.name.clone(), status);
    }

    /// While no plan is scheduled: whether those of its objects that run something are as they should be. What is about to
    /// go does not count.
    pub fn refresh_ready<'o>(&mut self, objects: impl IntoIterator<Item = &'o Object>) {
        let runs = |object: &&Object| ["Deployment", "StatefulSet", "Pod"].contains(&object.kind.as_str());
        let mut counted = objects.into_iter().filter(|object| !object.deleting).filter(runs);
        let is_ready = counted.all(|object| object.health() == Health::Healthy);
        self.status.ready = if is_ready { Ready::True } else { Ready::False };
    }

    /// Whether it is as it should be, as a part of another: no plan is scheduled, and none has failed for good.
    pub fn health(&self, name: &str) -> Health {
        let scheduled = &self.spec.plan_execution.name;
        if !scheduled.is_empty() {
            return Health::Unhealthy(format!("instance {name} has plan {scheduled} scheduled"));
        }
        match self.last_executed_plan() {
            Some(last) if last.status == ExecutionStatus::FatalError => {
                Health::Failed(format!("plan {} of instance {name} has failed for good", last.name))
            }
            Some(_) | None => Health::Healthy,
        }
    }

    /// Adds the finalizer, where there is a clean-up plan that never ran; whether it did.
    pub fn try_add_finalizer(&mut self, operator: &OperatorVersion) -> bool {
        let is_wanted = operator.plans.contains_key(CLEANUP) && !self.has_run_cleanup();
        let adds = is_wanted && !self.metadata.deleting && !self.has_finalizer();
        if adds {
            self.metadata.finalizers.push(FINALIZER.to_owned());
        }
        adds
    }

    /// Removes the finalizer once the clean-up is complete, or where there is none; whether it did. A clean-up that has
    /// failed for good keeps it: somebody has to look. What an operator version before this one would have done, and never
    /// began, is none.
    pub fn try_remove_finalizer(&mut self, operator: &OperatorVersion, on_any_end: bool) -> bool {
        let removes = self.has_finalizer()
            && match self.status.plans.get(CLEANUP) {
                None => true,
                Some(cleanup) if cleanup.status.is_never_run() => !operator.plans.contains_key(CLEANUP),
                Some(cleanup) if on_any_end => cleanup.status.is_terminal(),
                Some(cleanup) => cleanup.status.is_finished(),
            };
        if removes {
            self.metadata.finalizers.retain(|finalizer| finalizer != FINALIZER);
        }
        removes
    }

    /// Whether the finalizer is on it.
    pub fn has_finalizer(&self) -> bool {
        self.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    }

    /// Whether nothing holds it any more and it is to go.
    pub fn is_released(&self) -> bool {
        self.metadata.deleting && self.metadata.finalizers.is_empty()
    }

    /// All that a pass over a plan needs.
    ///
    /// # Errors
    /// The plan has no status.
    pub fn active_plan(
        &self,
        name: &str,
        operator: &OperatorVersion,
        shared: (Arc<Vec<Task>>, Arc<BTreeMap<String, String>>),
        params: Arc<BTreeMap<String, Value>>,
        pipes: Arc<BTreeMap<String, String>>,
    ) -> Result<ActivePlan, NoPlanStatus> {
        let status = self.status.plans.get(name).ok_or_else(|| NoPlanStatus(name.to_owned()))?;
        Ok(ActivePlan {
            name: name.to_owned(),
            status: (**status).clone(),
            spec: operator.plans.get(name).cloned(),
            tasks: shared.0,
            templates: shared.1,
            params,
            pipes,
        })
    }
}

impl PlanStatus {
    /// Whether its phases and steps are those of the plan, in its order.
    fn is_laid_out_as(&self, plan: &Plan) -> bool {
        let steps = |status: &PhaseStatus, phase: &Phase| {
            status.steps.iter().map(|step| &step.name).eq(phase.steps.iter().map(|step| &step.name))
        };
        self.phases.len() == plan.phases.len()
            && self
                .phases
                .iter()
                .zip(&plan.phases)
                .all(|(status, phase)| status.name == phase.name && steps(status, phase))
    }

    /// Gives it the phases and steps of the plan: what is known by name is kept, what is new has never run.
    fn lay_out(&mut self, plan: &Plan) {
        let phases = plan.phases.iter().map(|phase| {
            let old = self.phase(&phase.name);
            let steps = phase.steps.iter().map(|step| {
                let known = old.and_then(|old| old.step(&step.name)).cloned();
                known.unwrap_or_else(|| StepStatus {
                    name: step.name.clone(),
                    status: ExecutionStatus::NeverRun,
                    message: String::new(),
                })
            });
            let steps = steps.collect();
            let known = old.map(|old| (old.status, old.message.clone()));
            let (status, message) = known.unwrap_or((ExecutionStatus::NeverRun, String::new()));
            PhaseStatus { name: phase.name.clone(), status, message, steps }
        });
        self.phases = phases.collect();
    }

    /// Makes the plan, its phases and its steps pending, under a new uid.
    pub fn reset(&mut self, uid: &str, now: Timestamp) {
        uid.clone_into(&mut self.uid);
        self.set(ExecutionStatus::Pending, now);
        for phase in &mut self.phases {
            phase.set(ExecutionStatus::Pending);
            phase.steps.iter_mut().for_each(|step| step.set(ExecutionStatus::Pending));
        }
    }

    /// Makes the phases and steps pending that were never asked for, in a plan that runs: an operator that was changed
    /// under way brought them.
    pub fn normalise(&mut self) {
        if !self.status.is_running() {
            return;
        }
        for phase in &mut self.phases {
            if phase.status.is_never_run() {
                phase.set(ExecutionStatus::Pending);
            }
            let never_run = phase.steps.iter_mut().filter(|step| step.status.is_never_run());
            never_run.for_each(|step| step.set(ExecutionStatus::Pending));
        }
    }

    /// When the plan is looked at again: never, once it is terminal; else after a second, and one more for each whole
    /// minute that nothing has changed, a minute at most.
    pub fn requeue(&self, now: Timestamp) -> Option<Duration> {
        if self.status.is_terminal() {
            return None;
        }
        let minutes = self.last_updated.map_or(0, |updated| now.since(updated).as_secs() / 60);
        Some(Duration::from_secs(1 + minutes.min(59)))
    }
}

fn shared_out<T: Serialize, S: Serializer>(
    plans: &BTreeMap<String, Arc<T>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_map(plans.iter().map(|(name, plan)| (name, &**plan)))
}

fn shared_in<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Arc<T>>, D::Error> {
    let plans = BTreeMap::<String, T>::deserialize(from)?;
    Ok(plans.into_iter().map(|(name, plan)| (name, Arc::new(plan))).collect())
}

fn ended_out<S: Serializer>(ended: &Option<Arc<PlanStatus>>, to: S) -> Result<S::Ok, S::Error> {
    ended.as_deref().serialize(to)
}

fn ended_in<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<PlanStatus>>, D::Error> {
    Ok(Option::<PlanStatus>::deserialize(from)?.map(Arc::new))
}
