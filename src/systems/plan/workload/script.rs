//! What the user does: asks for plans, one after the other, waits for each, and helps where one has failed for good. It
//! writes as the store's server, without faults, and what it writes passes admission as anybody's.

use serde_json::Value;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::oracle::Orders;
use super::versions::Versions;
use super::view::View;
use crate::property::reachable;
use crate::store::{Key, Op, StoreError, Transaction};
use crate::systems::plan::admission::{Denied, admit_create, admit_update};
use crate::systems::plan::definition::{CLEANUP, DEPLOY};
use crate::systems::plan::instance::{
    INSTANCE, Instance, OPERATOR_VERSION, OperatorVersion, Parameter, PlanExecution,
};
use crate::systems::plan::status::ExecutionStatus;
use crate::time::{Duration, sleep};

/// How often the user looks.
const LOOK: Duration = Duration::from_secs(2);
/// How far a plan gets that the user does not wait for.
const SOON: Duration = Duration::from_secs(3);
/// How often a plan that has failed for good is asked for again, at most.
const RETRIES_MAX: u32 = 40;
/// How long the user waits for one thing before going on all the same, in looks.
const PATIENCE: u32 = 900;
/// How long a person who changed a status by hand waits for what comes of it.
const HOPE: Duration = Duration::from_secs(10);

/// Something that the user asks for beside plans.
pub(super) const NEW_VERSION: &str = "new-version";
/// A parameter is changed.
pub(super) const NEW_PARAMETER: &str = "new-parameter";
/// The instance is deleted.
pub(super) const DELETE: &str = "delete";
/// The instance is deleted while the plan before is under way.
pub(super) const DELETE_SOON: &str = "delete-soon";
/// All of them.
pub(super) const ACTS: [&str; 4] = [NEW_VERSION, NEW_PARAMETER, DELETE, DELETE_SOON];

/// The user of one instance.
#[derive(Clone)]
pub(super) struct User {
    pub(super) view: View,
    pub(super) name: String,
    pub(super) orders: Orders,
    /// The operator versions, the one to begin with first.
    pub(super) versions: Arc<Versions>,
    /// The parameter that is changed.
    pub(super) parameter: (String, Value),
    /// Before a fatal plan is asked for again, its status is set to running by hand.
    pub(super) unwedges: bool,
}

/// Why the user gave up.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScriptError {
    #[error("the change was not taken: {0}")]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("plan {0} was asked for {RETRIES_MAX} times and fails for good")]
    Fails(String),
}

impl User {
    /// Does all of it.
    pub(super) async fn run(self, acts: Vec<String>) -> Result<(), ScriptError> {
        for (value, version) in self.versions.all() {
            let key = Key::new(OPERATOR_VERSION, version.operator.name.as_str());
            self.view.store.transact(Transaction::new().with(Op::Put { key, value: value.clone() }))?;
        }
        let mut counted = 0;
        for (place, act) in acts.iter().enumerate() {
            counted += 1;
            let uid = format!("{act}-{counted}");
            let is_cut = acts.get(place + 1).is_some_and(|next| next == DELETE_SOON);
            match act.as_str() {
                DEPLOY if place == 0 => self.install(&uid)?,
                NEW_VERSION => self.change(&uid, |instance, user| {
                    instance.spec.operator_version.clone_from(&user.versions.last().name);
                })?,
                NEW_PARAMETER => self.change(&uid, |instance, user| {
                    let (name, value) = user.parameter.clone();
                    instance.spec.params.insert(name, value);
                })?,
                DELETE | DELETE_SOON => {
                    self.delete().await?;
                    continue;
                }
                plan => self.change(&uid, |instance, _| {
                    instance.spec.plan_execution = PlanExecution {
                        name: plan.to_owned(),
                        uid: uid.clone(),
                        status: ExecutionStatus::NeverRun,
                    };
                })?,
            }
            if is_cut {
                sleep(SOON).await;
                continue;
            }
            self.until_complete(&mut counted).await?;
        }
        Ok(())
    }

    fn instance(&self) -> Option<Arc<Instance>> {
        self.view.instance(&self.name)
    }

    fn key(&self) -> Key {
        Key::new(INSTANCE, self.name.as_str())
    }

    fn operator(&self, instance: &Instance) -> &OperatorVersion {
        self.versions.named(&instance.spec.operator_version)
    }

    fn ordered_plan(&self, plan: &str, instance: &Instance) {
        self.orders.carry_out(&self.versions.demands(plan, &instance.spec));
    }

    /// Creates the instance, with a value for each parameter that has to have one and has no default.
    fn install(&self, uid: &str) -> Result<(), ScriptError> {
        let operator = self.versions.first();
        let needed = operator.parameters.iter().filter(|known| known.required && known.default.is_none());
        let params: BTreeMap<_, _> = needed.map(|known| (known.name.clone(), some(known))).collect();
        let instance = admit_create(Instance::new(&operator.name, params), operator, uid.to_owned())?;
        self.view.store.create(self.key(), &instance)?;
        self.ordered(&instance);
        Ok(())
    }

    /// Changes the instance as admission has it, at once: nobody comes between.
    fn change(&self, uid: &str, change: impl FnOnce(&mut Instance, &User)) -> Result<(), ScriptError> {
        let Some(old) = self.instance() else { return Ok(()) };
        let mut new = Instance::clone(&old);
        change(&mut new, self);
        let versions = (self.operator(&old), self.operator(&new));
        let admitted = admit_update(&old, new, versions, uid.to_owned())?;
        self.view.store.put(self.key(), &admitted)?;
        self.ordered(&admitted);
        Ok(())
    }

    fn ordered(&self, instance: &Instance) {
        let execution = &instance.spec.plan_execution;
        self.orders.plan(&execution.name, &execution.uid);
        self.ordered_plan(&execution.name, instance);
    }

    /// Waits until nothing is scheduled, and asks again for what has failed for good.
    async fn until_complete(&self, counted: &mut u32) -> Result<(), ScriptError> {
        for _ in 0..RETRIES_MAX {
            let Some(failed) = self.until_idle().await else { return Ok(()) };
            reachable("plan-fatal");
            self.remove_failed()?;
            if self.unwedges && self.unwedge(&failed)? {
                sleep(HOPE).await;
                self.until_idle().await;
            }
            *counted += 1;
            let uid = format!("{failed}-again-{counted}");
            self.change(&uid, |instance, _| {
                instance.spec.plan_execution = PlanExecution {
                    name: failed.clone(),
                    uid: uid.clone(),
                    status: ExecutionStatus::NeverRun,
                };
            })?;
            reachable("asked-again");
        }
        Err(ScriptError::Fails(self.name.clone()))
    }

    /// Waits until nothing is scheduled or under way; the plan that has failed for good, if the last one did.
    async fn until_idle(&self) -> Option<String> {
        for _ in 0..PATIENCE {
            let instance = self.instance()?;
            let is_idle = instance.spec.plan_execution.name.is_empty() && instance.metadata.ended.is_none();
            let last = instance.last_executed_plan().map(|plan| (plan.name.clone(), plan.status));
            match last {
                Some((plan, ExecutionStatus::FatalError)) if is_idle => return Some(plan),
                Some((_, ExecutionStatus::Complete)) if is_idle => {
                    reachable("plan-complete");
                    return None;
                }
                _ => sleep(LOOK).await,
            }
        }
        None
    }

    /// Removes the jobs and pods that have failed for good, as one has to before they can be made again.
    fn remove_failed(&self) -> Result<(), StoreError> {
        for (entry, object) in self.view.objects() {
            if object.is_some_and(|object| object.has_failed()) {
                self.view.store.delete(entry.key)?;
            }
        }
        Ok(())
    }

    /// Sets the plan to running by hand and schedules it again, as people do who do not know better.
    fn unwedge(&self, plan: &str) -> Result<bool, StoreError> {
        let Some(mut instance) = self.instance().map(Arc::unwrap_or_clone) else { return Ok(false) };
        let Some(status) = instance.plan_mut(plan) else { return Ok(false) };
        status.status = ExecutionStatus::InProgress;
        let (name, uid) = (plan.to_owned(), status.uid.clone());
        instance.spec.plan_execution = PlanExecution { name, uid, status: ExecutionStatus::InProgress };
        self.view.store.put(self.key(), &instance)?;
        reachable("unwedged");
        Ok(true)
    }

    /// Deletes the instance and waits until it is gone; a clean-up that has failed for good is asked for again.
    async fn delete(&self) -> Result<(), ScriptError> {
        let Some(mut instance) = self.instance().map(Arc::unwrap_or_clone) else { return Ok(()) };
        self.orders.delete();
        self.ordered_plan(CLEANUP, &instance);
        if instance.metadata.finalizers.is_empty() {
            self.view.store.delete(self.key())?;
            return Ok(());
        }
        instance.metadata.deleting = true;
        self.view.store.put(self.key(), &instance)?;
        for attempt in 0..RETRIES_MAX {
            let is_gone = self.until_gone_or_fatal().await;
            if is_gone {
                if self.instance().is_none() {
                    reachable("deleted");
                }
                return Ok(());
            }
            reachable("cleanup-fatal");
            sleep(HOPE).await;
            self.remove_failed()?;
            let uid = format!("cleanup-again-{attempt}");
            self.clean_up(&uid)?;
        }
        Err(ScriptError::Fails(self.name.clone()))
    }

    fn clean_up(&self, uid: &str) -> Result<(), ScriptError> {
        let Some(old) = self.instance() else { return Ok(()) };
        let mut new = Instance::clone(&old);
        new.spec.plan_execution = PlanExecution {
            name: CLEANUP.to_owned(),
            uid: uid.to_owned(),
            status: ExecutionStatus::NeverRun,
        };
        let operator = self.operator(&old);
        let admitted = admit_update(&old, new, (operator, operator), uid.to_owned())?;
        self.view.store.put(self.key(), &admitted)?;
        Ok(())
    }

    /// Whether it is gone; also when the user's patience is.
    async fn until_gone_or_fatal(&self) -> bool {
        for _ in 0..PATIENCE {
            let Some(instance) = self.instance() else { return true };
            let cleanup = instance.status.plans.get(CLEANUP).map(|plan| plan.status);
            let is_told = instance.spec.plan_execution.status == ExecutionStatus::FatalError;
            if cleanup == Some(ExecutionStatus::FatalError) && is_told {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }
}

/// A value that a parameter can have.
fn some(parameter: &Parameter) -> Value {
    parameter.allowed.first().cloned().unwrap_or_else(|| parameter.kind.sample())
}
