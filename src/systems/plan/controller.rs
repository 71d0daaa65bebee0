//! The controller around the engine: loads an instance, carries its plan on by one pass, stores what came of it, and says
//! when to look again.
//!
//! A plan's end is stored in two writes: first spec and metadata, by which the plan is scheduled no more, then the status.
//! What the second is to say goes along with the first ([`InstanceMetadata::ended`]), so that a crash between the two
//! loses nothing: the next look at the instance finishes the write, and runs nothing again.
//!
//! [`InstanceMetadata::ended`]: super::instance::InstanceMetadata::ended

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;

use crate::emit;
use crate::store::{Client, Entry, Key, Op, StoreError, Transaction};
use crate::time::Duration;

use super::admission::{self, Denied};
use super::definition::{ActivePlan, Metadata, Task};
use super::engine::execute;
use super::error::{EventName, ExecutionError, PassError, Unprepared};
use super::instance::{INSTANCE, Instance, OPERATOR_VERSION, OperatorVersion, PlanExecution};
use super::model::{OnUnready, Options};
use super::object::{OBJECT, Object};
use super::parsed::{Parsed, lock};
use super::record::PlanEvent;
use super::status::{ExecutionStatus, PlanStatus, Timestamp};
use super::task::{Kinds, Memory, OwnerLabel, TaskContext, Tasks};
use super::variant::Variant;

/// The choices of a controller.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The namespace of its instances.
    pub namespace: String,
    /// How often all instances are looked at, whatever was heard of them.
    pub resync: Duration,
    /// The first delay after a failure; it doubles up to a minute.
    pub backoff: Duration,
    /// What a pass does about children that are not ready.
    pub on_unready: OnUnready,
    /// The kinds that the cluster knows; none: all.
    pub discovery: Option<BTreeSet<String>>,
    /// A planted bug.
    #[doc(hidden)]
    pub variant: Variant,
}

impl Default for ControllerOptions {
    fn default() -> ControllerOptions {
        ControllerOptions {
            namespace: "default".to_owned(),
            resync: Duration::from_secs(30),
            backoff: Duration::from_millis(500),
            on_unready: OnUnready::default(),
            discovery: None,
            variant: Variant::Correct,
        }
    }
}

/// Why an instance is looked at again.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store did not take or give something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The write of a spec was not taken.
    #[error("the spec was not taken: {0}")]
    Denied(#[from] Denied),
    /// The operator version is not there.
    #[error("there is no operator version {0}")]
    NoOperatorVersion(String),
    /// An entry is not what it should be.
    #[error("{key} cannot be read: {message}")]
    Unreadable {
        /// Which.
        key: String,
        /// Why.
        message: String,
    },
}

/// What a controller knows of an operator version; read once per write of its entry.
#[derive(Debug, Deserialize)]
#[serde(from = "OperatorVersion")]
pub(super) struct Known {
    pub(super) operator: OperatorVersion,
    tasks: Arc<Vec<Task>>,
    templates: Arc<BTreeMap<String, String>>,
    dependencies: BTreeSet<String>,
}

impl From<OperatorVersion> for Known {
    fn from(operator: OperatorVersion) -> Known {
        Known {
            tasks: Arc::new(operator.tasks.clone()),
            templates: Arc::new(operator.templates.clone()),
            dependencies: operator.dependencies(),
            operator,
        }
    }
}

/// What passes over one plan of an instance need, while neither operator nor parameters change.
struct Prepared {
    known: Arc<Known>,
    plan: String,
    given: BTreeMap<String, Value>,
    params: Arc<BTreeMap<String, Value>>,
    pipes: Arc<BTreeMap<String, String>>,
    memory: Memory,
}

/// One incarnation of a controller.
pub struct PlanController {
    /// Reads the present: a pass over an old view would run what is done.
    pub(super) client: Client,
    pub(super) options: ControllerOptions,
    kinds: Kinds,
    operators: Parsed<Known>,
    instances: Parsed<Instance>,
    objects: Arc<Parsed<Object>>,
    /// What passes need, by instance.
    prepared: Mutex<BTreeMap<String, Arc<Prepared>>>,
    /// The executions that people were told of.
    announced: Mutex<BTreeSet<String>>,
    /// What a planted bug takes for the statuses of an instance, with the version that it was read at.
    shared: Mutex<BTreeMap<String, (u64, PlanStatus)>>,
}

/// An instance as it was read.
struct Read {
    name: String,
    version: u64,
    instance: Arc<Instance>,
}

impl PlanController {
    /// A controller that has seen nothing yet.
    pub fn new(client: Client, kinds: Kinds, options: ControllerOptions) -> PlanController {
        PlanController {
            client: client.consistent(),
            options,
            kinds,
            operators: Parsed::default(),
            instances: Parsed::default(),
            objects: Arc::default(),
            prepared: Mutex::default(),
            announced: Mutex::default(),
            shared: Mutex::default(),
        }
    }

    /// Makes known what operator versions say, so that they need not be read.
    pub(super) fn knowing(self, operators: &[(Arc<Value>, Arc<Known>)]) -> PlanController {
        for (value, known) in operators {
            let key = Key::new(OPERATOR_VERSION, known.operator.name.as_str());
            self.operators.know(key, value.clone(), known.clone());
        }
        self
    }

    fn has(&self, variant: Variant) -> bool {
        self.options.variant == variant
    }

    /// Carries the plan of an instance on by one pass; when to look again, if nothing changes.
    ///
    /// # Errors
    /// It is to be tried again soon.
    pub async fn reconcile(&self, name: &str) -> Result<Option<Duration>, ReconcileError> {
        let Some(entry) = self.client.entry((INSTANCE, name)).await? else { return Ok(None) };
        let instance = self.instances.of(&entry).map_err(|error| unreadable(&entry, &error))?;
        let mut read = Read { name: name.to_owned(), version: entry.version, instance };
        self.finish_what_was_begun(&mut read).await?;
        let operator = self.operator(&read).await?;
        let before = read.instance.clone();
        let mut instance = Instance::clone(&before);
        instance.ensure_plan_status_initialized(&operator.operator);
        instance.try_add_finalizer(&operator.operator);
        let uid = || format!("{name}-cleanup-{}", read.version);
        let restarts = self.has(Variant::CleanupRestarts);
        let Some(execution) = instance.scheduled_plan(&operator.operator, uid, restarts) else {
            return self.rest(&mut read, &before, instance, &operator).await;
        };
        instance.spec.plan_execution = execution.clone();
        let status = self.carry_on(&mut read, &before, instance, &execution, &operator).await?;
        let again = status.requeue(Timestamp::now());
        let scheduled = if status.status.is_terminal() { "" } else { &execution.name };
        self.reconciled(name, scheduled, again);
        Ok(again)
    }

    /// No plan is scheduled: what is left is whether the instance can be used, and whether it may go.
    async fn rest(
        &self,
        read: &mut Read,
        before: &Instance,
        mut instance: Instance,
        known: &Known,
    ) -> Result<Option<Duration>, ReconcileError> {
        instance.try_remove_finalizer(&known.operator, false);
        let mut objects = Vec::new();
        for entry in self.client.list(OBJECT).await? {
            objects.push(self.objects.of(&entry).map_err(|error| unreadable(&entry, &error))?);
        }
        let own = objects.iter().filter(|object| object.owner == read.name);
        instance.refresh_ready(own.map(|object| &**object));
        let is_changed = instance != *before;
        self.store(read, before, instance, None).await?;
        if is_changed {
            self.reconciled(&read.name, "", None);
        }
        Ok(None)
    }

    /// One pass, and the storing of what came of it.
    async fn carry_on(
        &self,
        read: &mut Read,
        before: &Instance,
        mut instance: Instance,
        execution: &PlanExecution,
        known: &Arc<Known>,
    ) -> Result<PlanStatus, ReconcileError> {
        let now = Timestamp::now();
        self.begin(read, &mut instance, execution, now);
        let (mut status, error) = match self.prepare(read, &instance, execution, known).await? {
            Ok((prepared, plan)) => self.pass(read, &plan, &prepared.memory).await,
            Err(_) if instance.status.plans[&execution.name].status.is_terminal() => {
                // It has ended; only its name is still there.
                (PlanStatus::clone(&instance.status.plans[&execution.name]), None)
            }
            Err(error) => {
                let mut status = PlanStatus::clone(&instance.status.plans[&execution.name]);
                status.set_with_message(ExecutionStatus::FatalError, error.to_string(), now);
                (status, Some(error.into()))
            }
        };
        let has_error = status.steps().any(|step| step.status == ExecutionStatus::Error);
        if self.has(Variant::StampedAtErrors) && has_error {
            status.last_updated = Some(now);
        }
        if self.has(Variant::SharedStatus) {
            lock(&self.shared).insert(read.name.clone(), (read.version, status.clone()));
        }
        let was_terminal = before.status.plans.get(&execution.name).is_some_and(|before| **before == status);
        let status = Arc::new(status);
        instance.update_plan_status(status.clone());
        instance.try_remove_finalizer(&known.operator, self.has(Variant::FinalizerOnTerminal));
        self.store(read, before, instance, Some(&status)).await?;
        if let Some((event, error)) = error.and_then(|error: PassError| Some((error.event()?, error))) {
            self.warn(&read.name, event, &error.to_string());
        }
        if status.status.is_terminal() && !was_terminal {
            self.finished(&read.name, &status);
        }
        Ok(Arc::unwrap_or_clone(status))
    }

    /// Makes the plan pending if its execution is new, and says so. A plan that there is not has a status all the same: it
    /// says so in the end.
    fn begin(&self, read: &Read, instance: &mut Instance, execution: &PlanExecution, now: Timestamp) {
        let plan = &execution.name;
        if !instance.status.plans.contains_key(plan) {
            let (name, status) = (plan.clone(), ExecutionStatus::NeverRun);
            let unknown = PlanStatus { name, status, ..PlanStatus::default() };
            instance.status.plans.insert(plan.clone(), unknown.into());
        }
        let steps =
            self.has(Variant::StepsNotReset).then(|| instance.status.plans.get(plan).cloned()).flatten();
        let reset = instance.reset_plan_status_if_plan_is_new(plan, &execution.uid, now);
        let (Ok(is_new), Some(status)) = (reset, instance.plan_mut(plan)) else { return };
        if let Some(left) = steps.filter(|_| is_new) {
            let left = left.phases.clone();
            let found = status.phases.iter_mut().zip(left).filter(|(_, left)| !left.status.is_never_run());
            found.for_each(|(phase, left)| phase.steps = left.steps);
        }
        if self.has(Variant::StatusBeforeSpec) && status.status.is_terminal() {
            status.reset(&execution.uid, now);
        }
        status.normalise();
        let is_told = lock(&self.announced).contains(&execution.uid);
        if status.status == ExecutionStatus::Pending && !is_told {
            lock(&self.announced).insert(execution.uid.clone());
            let (plan, uid) = (plan.clone(), execution.uid.clone());
            emit(PlanEvent::PlanStarted { instance: read.name.as_str().into(), plan, uid });
        }
    }

    /// All that the pass needs, or why there can be none.
    async fn prepare(
        &self,
        read: &Read,
        instance: &Instance,
        execution: &PlanExecution,
        known: &Arc<Known>,
    ) -> Result<Result<(Arc<Prepared>, ActivePlan), ExecutionError>, ReconcileError> {
        if let Some(circle) = self.circle(known).await? {
            let cause = format!("operators depend on each other: {}", circle.join(" -> "));
            return Ok(Err(ExecutionError::new(EventName::CircularDependency, Unprepared(cause))));
        }
        let prepared = match self.prepared(&read.name, instance, &execution.name, known) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(error)),
        };
        let shared = (known.tasks.clone(), known.templates.clone());
        let (params, pipes) = (prepared.params.clone(), prepared.pipes.clone());
        let active = instance.active_plan(&execution.name, &known.operator, shared, params, pipes);
        let active = active.map_err(|error| ExecutionError::new(EventName::InvalidPlan, error));
        Ok(active.map(|active| (prepared, active)))
    }

    /// What passes over a plan need: as it was, where nothing has changed.
    fn prepared(
        &self,
        name: &str,
        instance: &Instance,
        plan: &str,
        known: &Arc<Known>,
    ) -> Result<Arc<Prepared>, ExecutionError> {
        let given = &instance.spec.params;
        let is_same = |found: &&Arc<Prepared>| {
            Arc::ptr_eq(&found.known, known) && found.plan == *plan && found.given == *given
        };
        if let Some(found) = lock(&self.prepared).get(name).filter(is_same) {
            return Ok(found.clone());
        }
        let failed = |event: EventName, cause: String| ExecutionError::new(event, Unprepared(cause));
        if !known.operator.plans.contains_key(plan) {
            return Err(failed(EventName::InvalidPlan, format!("could not find required plan: '{plan}'")));
        }
        let params = known.operator.values(given);
        let params = params.map_err(|error| {
            failed(EventName::InvalidParams, format!("could not parse parameters: {error}"))
        })?;
        let pipes = known.operator.pipes(plan, name);
        let pipes = pipes
            .map_err(|error| failed(EventName::InvalidPlan, format!("could not make task pipes: {error}")))?;
        let prepared = Arc::new(Prepared {
            known: known.clone(),
            plan: plan.to_owned(),
            given: given.clone(),
            params: params.into(),
            pipes: pipes.into(),
            memory: Memory::new(self.objects.clone()),
        });
        lock(&self.prepared).insert(name.to_owned(), prepared.clone());
        Ok(prepared)
    }

    async fn pass(&self, read: &Read, plan: &ActivePlan, memory: &Memory) -> (PlanStatus, Option<PassError>) {
        let metadata = Metadata { namespace: self.options.namespace.clone(), instance: read.name.clone() };
        let context = TaskContext {
            client: &self.client,
            metadata: &metadata,
            place: ["", "", "", ""],
            params: &plan.params,
            templates: &plan.templates,
            pipes: &plan.pipes,
            enhancer: &OwnerLabel,
            discovery: self.options.discovery.as_ref(),
            memory: Some(memory),
            variant: self.options.variant,
        };
        let options = Options { on_unready: self.options.on_unready, variant: self.options.variant };
        let tasks = Tasks { kinds: &self.kinds, context };
        let outcome = match self.shared_with(read, &plan.status) {
            None => execute(plan, &metadata, &tasks, options).await,
            Some(status) => {
                let plan = ActivePlan { status, ..plan.clone() };
                execute(&plan, &metadata, &tasks, options).await
            }
        };
        (outcome.status, outcome.error)
    }

    /// The status that a planted bug works on: as the last pass left it, while the store's is none newer.
    fn shared_with(&self, read: &Read, stored: &PlanStatus) -> Option<PlanStatus> {
        let shared = lock(&self.shared);
        let (version, status) = shared.get(&read.name)?;
        let is_current = *version == read.version && status.uid == stored.uid && status.name == stored.name;
        is_current.then(|| status.clone())
    }

    /// The first circle of nested operators, if any.
    async fn circle(&self, known: &Known) -> Result<Option<Vec<String>>, ReconcileError> {
        if known.dependencies.is_empty() {
            return Ok(None);
        }
        let mut path = vec![(known.operator.name.clone(), known.dependencies.clone())];
        let mut done = BTreeSet::new();
        while let Some((name, left)) = path.last_mut() {
            let Some(next) = left.pop_first() else {
                done.insert(name.clone());
                path.pop();
                continue;
            };
            if let Some(start) = path.iter().position(|(name, _)| *name == next) {
                let names = path[start..].iter().map(|(name, _)| name.clone());
                return Ok(Some(names.chain([next]).collect()));
            }
            if done.contains(&next) {
                continue;
            }
            let found = self.client.entry((OPERATOR_VERSION, next.as_str())).await?;
            let found = found.map(|entry| self.known(&entry)).transpose()?;
            path.push((next, found.map(|found| found.dependencies.clone()).unwrap_or_default()));
        }
        Ok(None)
    }

    // Storing.

    /// Stores spec and metadata, then the status; nothing that is as it was. An instance that nothing holds any more goes
    /// with the first write, and its status with it.
    async fn store(
        &self,
        read: &mut Read,
        before: &Instance,
        mut after: Instance,
        ended: Option<&Arc<PlanStatus>>,
    ) -> Result<(), ReconcileError> {
        if self.has(Variant::StatusBeforeSpec) && !after.metadata.deleting {
            let status = Instance { status: after.status.clone(), ..before.clone() };
            self.write(read, before, &status).await?;
            let spec = self
                .admitted(read, before, Instance { status: before.status.clone(), ..after.clone() })
                .await?;
            return self.write(read, &status, &Instance { status: after.status, ..spec }).await;
        }
        after.metadata.ended = ended.filter(|status| status.status.is_terminal()).cloned();
        let spec = Instance { status: before.status.clone(), ..after.clone() };
        let spec = self.admitted(read, before, spec).await?;
        if spec.is_released() {
            self.client.delete_at((INSTANCE, read.name.as_str()), read.version).await?;
            return Ok(());
        }
        let is_status_same = after.status == before.status;
        let mut spec = spec;
        if is_status_same {
            spec.metadata.ended = None;
        }
        self.write(read, before, &spec).await?;
        let mut whole = Instance { status: after.status, ..spec.clone() };
        whole.metadata.ended = None;
        if self.has(Variant::BlindStatus) && whole != spec {
            self.client.put((INSTANCE, read.name.as_str()), &whole).await?;
            return Ok(());
        }
        let has_let_go = before.has_finalizer() && !spec.has_finalizer() && spec.metadata.deleting;
        match self.write(read, &spec, &whole).await {
            // It may be gone by now; whoever still holds it finds the status with the spec.
            Err(_) if has_let_go => Ok(()),
            written => written,
        }
    }

    /// Writes an instance as it was read, if it is not as before.
    async fn write(
        &self,
        read: &mut Read,
        before: &Instance,
        after: &Instance,
    ) -> Result<(), ReconcileError> {
        if before == after {
            return Ok(());
        }
        let key = Key::new(INSTANCE, read.name.as_str());
        let value = serde_json::to_value(after);
        let value = value.map_err(|error| StoreError::Value { key: key.clone(), message: error.to_string() });
        let (version, value) = (read.version, Arc::new(value?));
        self.instances.know(key.clone(), value.clone(), Arc::new(after.clone()));
        let update = Transaction::new().with(Op::Update { key, version, value });
        read.version = self.client.transact(update).await?;
        Ok(())
    }

    /// A spec as admission has it. What did not change passes.
    async fn admitted(
        &self,
        read: &Read,
        before: &Instance,
        after: Instance,
    ) -> Result<Instance, ReconcileError> {
        if before.spec == after.spec {
            return Ok(after);
        }
        let execution = &after.spec.plan_execution;
        if before.spec.plan_execution.uid != execution.uid {
            // The clean-up that the controller schedules itself.
            return Ok(after);
        }
        let known = self.operator(read).await?;
        let uid = execution.uid.clone();
        Ok(admission::admit_update(before, after, (&known.operator, &known.operator), uid)?)
    }

    /// Writes the status that belongs to a spec that was written before a crash.
    async fn finish_what_was_begun(&self, read: &mut Read) -> Result<(), ReconcileError> {
        let Some(ended) = read.instance.metadata.ended.clone() else { return Ok(()) };
        crate::property::reachable("write-finished-later");
        let before = read.instance.clone();
        let mut after = Instance::clone(&before);
        after.metadata.ended = None;
        let execution = after.spec.plan_execution.clone();
        after.update_plan_status(ended.clone());
        after.spec.plan_execution = execution;
        self.write(read, &before, &after).await?;
        read.instance = Arc::new(after);
        self.finished(&read.name, &ended);
        Ok(())
    }

    // Reading.

    async fn operator(&self, read: &Read) -> Result<Arc<Known>, ReconcileError> {
        let name = read.instance.spec.operator_version.clone();
        let found = self.client.entry((OPERATOR_VERSION, name.as_str())).await?;
        let Some(entry) = found else {
            self.warn(&read.name, EventName::InvalidOperatorVersion, &format!("there is no {name}"));
            return Err(ReconcileError::NoOperatorVersion(name));
        };
        self.known(&entry)
    }

    fn known(&self, entry: &Entry) -> Result<Arc<Known>, ReconcileError> {
        self.operators.of(entry).map_err(|error| unreadable(entry, &error))
    }

    // Telling.

    fn warn(&self, name: &str, event: EventName, message: &str) {
        let event = event.name();
        emit(PlanEvent::Warned { instance: name.into(), event, message: message.to_owned() });
    }

    fn finished(&self, name: &str, status: &PlanStatus) {
        let (plan, uid, status) = (status.name.clone(), status.uid.clone(), status.status);
        emit(PlanEvent::PlanFinished { instance: name.into(), plan, uid, status });
    }

    fn reconciled(&self, name: &str, scheduled: &str, again: Option<Duration>) {
        let again_ns = again.map(|again| u64::try_from(again.as_nanos()).unwrap_or(u64::MAX));
        emit(PlanEvent::Reconciled { instance: name.into(), scheduled: scheduled.to_owned(), again_ns });
    }
}

fn unreadable(entry: &Entry, error: &serde_json::Error) -> ReconcileError {
    ReconcileError::Unreadable { key: entry.key.to_string(), message: error.to_string() }
}
