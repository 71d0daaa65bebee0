//! The parts of sites as they are: tasks at the manager of the agents, workflows in the store. What there is can be
//! fetched, made and removed, again and again with the same outcome. It must not know plans.

use super::layout::{self, Part};
use super::variant::Variant;
use crate::fault::{crash_point, failpoint_on};
use crate::store::{Client, StoreError};
use crate::systems::agent::dispatcher::{Manager, TASK};
use crate::systems::agent::{DesiredState, TaskId, TaskState};
use crate::systems::graph::action::BoxFuture;
use crate::systems::graph::planner::{BoxError, Fetch, Operation, Resource};
use crate::systems::graph::{ActionError, Id};
use crate::systems::plugin::model::WorkflowPhase;
use crate::systems::plugin::status::{WORKFLOW, Workflow};
use crate::time::{Duration, sleep};

/// How often an action looks whether a part has come so far.
const LOOK: Duration = Duration::from_millis(500);
/// How often it looks until it gives up for this pass.
const LOOKS_MAX: u32 = 120;

/// The world of an action graph.
#[derive(Clone)]
pub(super) struct Platform {
    manager: Manager,
    client: Client,
    variant: Variant,
}

/// Why a part is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    #[error("{0} has ended as {1}")]
    Ended(String, String),
    #[error("{0} is being removed")]
    Going(String),
    #[error("{0} takes longer than this pass does")]
    Slow(String),
}

type Done = Result<(), BoxError>;

impl Platform {
    pub(super) fn new(manager: Manager, client: Client, variant: Variant) -> Platform {
        Platform { manager, client: client.consistent(), variant }
    }

    /// The parts of a site that there are, in whatever state.
    pub(super) async fn parts_of(&self, site: &str) -> Result<Vec<String>, StoreError> {
        let mut parts = Vec::new();
        for kind in [TASK, WORKFLOW] {
            let listing = self.client.list(kind).await?;
            let names = listing.entries.iter().map(|entry| entry.key.name.to_string());
            parts.extend(names.filter(|name| layout::site(name) == site));
        }
        Ok(parts)
    }

    /// Does what an action is for.
    pub(super) async fn apply(&self, operation: &Operation) -> Result<(), ActionError> {
        let done = match operation {
            Operation::Signal | Operation::Touch(_) => Ok(()),
            Operation::Create(resource) | Operation::Update(resource) => {
                self.ensure(resource.id.as_str()).await
            }
            Operation::Delete(id) => self.remove(id.as_str()).await,
        };
        done.map_err(ActionError::new)
    }

    async fn ensure(&self, id: &str) -> Done {
        match layout::part(id) {
            Part::Task { node } => self.ensure_task(id, node).await,
            Part::Workflow => self.ensure_workflow(id).await,
        }
    }

    async fn remove(&self, id: &str) -> Done {
        match layout::part(id) {
            Part::Task { .. } => self.remove_task(id).await,
            Part::Workflow => self.remove_workflow(id).await,
        }
    }

    async fn ensure_task(&self, id: &str, node: &'static str) -> Done {
        let task = TaskId::from(id);
        failpoint_on("manager.call", id).await?;
        match self.manager.entry(&task) {
            None => {
                self.manager.create(node, &task, layout::task(), DesiredState::RUNNING);
                crash_point(&format!("create {id}")).await;
            }
            Some(entry) if entry.desired >= DesiredState::SHUTDOWN => return Err(going(id)),
            Some(_) => {}
        }
        for _ in 0..LOOKS_MAX {
            match self.manager.status(&task).map(|status| status.state) {
                Some(TaskState::Running) => return Ok(()),
                Some(state) if state > TaskState::Running => {
                    // It makes room for another: the next pass makes it again.
                    self.manager.delete(&task);
                    crash_point(&format!("clear {id}")).await;
                    return Err(Box::new(PartError::Ended(id.to_owned(), state.to_string())));
                }
                _ => sleep(LOOK).await,
            }
        }
        Err(slow(id))
    }

    async fn remove_task(&self, id: &str) -> Done {
        let task = TaskId::from(id);
        failpoint_on("manager.call", id).await?;
        if self.manager.entry(&task).is_some_and(|entry| entry.desired < DesiredState::SHUTDOWN) {
            self.manager.desire(&task, DesiredState::SHUTDOWN);
            crash_point(&format!("stop {id}")).await;
        }
        for _ in 0..LOOKS_MAX {
            let state = self.manager.status(&task).map(|status| status.state);
            if self.manager.entry(&task).is_none() {
                return Ok(());
            }
            if state.is_some_and(|state| state > TaskState::Running) {
                self.manager.delete(&task);
                crash_point(&format!("delete {id}")).await;
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(slow(id))
    }

    async fn ensure_workflow(&self, id: &str) -> Done {
        if self.client.entry((WORKFLOW, id)).await?.is_none() {
            match self.client.create((WORKFLOW, id), Workflow::new(layout::workflow(id))).await {
                // The answer to an earlier attempt was lost.
                Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for _ in 0..LOOKS_MAX {
            let Some(workflow) = self.workflow(id).await? else { return Err(going(id)) };
            if workflow.metadata.deleting {
                return Err(going(id));
            }
            match workflow.status.phase {
                WorkflowPhase::Success => return Ok(()),
                phase @ (WorkflowPhase::Failed | WorkflowPhase::Aborted) => {
                    self.remove_workflow(id).await?;
                    return Err(Box::new(PartError::Ended(id.to_owned(), phase.name().to_owned())));
                }
                _ => sleep(LOOK).await,
            }
        }
        Err(slow(id))
    }

    async fn workflow(&self, id: &str) -> Result<Option<Workflow>, StoreError> {
        self.client.get((WORKFLOW, id)).await
    }

    /// Asks for its deletion, and waits until it is gone: the engine lets go of it when nothing of it is left.
    async fn remove_workflow(&self, id: &str) -> Done {
        for _ in 0..LOOKS_MAX {
            let Some(entry) = self.client.entry((WORKFLOW, id)).await? else { return Ok(()) };
            let mut workflow: Workflow = entry.parse()?;
            if !workflow.metadata.is_held() {
                self.client.delete_at((WORKFLOW, id), entry.version).await?;
            } else if !workflow.metadata.deleting {
                workflow.metadata.deleting = true;
                self.client.update((WORKFLOW, id), entry.version, workflow).await?;
            }
            sleep(LOOK).await;
        }
        Err(slow(id))
    }

    /// Whether a part is there, and does what it is for.
    async fn is_ready(&self, id: &str) -> Result<Option<bool>, BoxError> {
        match layout::part(id) {
            Part::Task { .. } => {
                failpoint_on("manager.call", id).await?;
                let task = TaskId::from(id);
                let Some(entry) = self.manager.entry(&task) else {
                    return Ok(None);
                };
                let runs =
                    self.manager.status(&task).is_some_and(|status| status.state == TaskState::Running);
                Ok(Some(runs && entry.desired == DesiredState::RUNNING))
            }
            Part::Workflow => {
                let workflow = self.workflow(id).await?;
                let is_done = |workflow: Workflow| {
                    workflow.status.phase == WorkflowPhase::Success && !workflow.metadata.deleting
                };
                Ok(workflow.map(is_done))
            }
        }
    }
}

fn going(id: &str) -> BoxError {
    Box::new(PartError::Going(id.to_owned()))
}

fn slow(id: &str) -> BoxError {
    Box::new(PartError::Slow(id.to_owned()))
}

impl Fetch for Platform {
    fn fetch<'a>(&'a self, id: &'a Id) -> BoxFuture<'a, Result<Option<Resource>, BoxError>> {
        Box::pin(async move {
            let mut ready = self.is_ready(id.as_str()).await?;
            if self.variant == Variant::HalfRemovedIsGone {
                ready = ready.filter(|is_ready| *is_ready);
            }
            Ok(ready.map(|is_ready| layout::resource(id.as_str(), is_ready)))
        })
    }
}
