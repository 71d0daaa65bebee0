//! The end of a task on its node: interrupted, freed, forgotten, in that order. Separate because it goes on beside the
//! worker, and after a restart without it; it must not know assignments.

use super::super::controller::Controller;
use super::super::error::TaskError;
use super::super::manager::RETRY_AFTER;
use super::super::record::AgentEvent;
use super::super::storage::TaskRecord;
use super::super::task::{Task, TaskId};
use super::super::variant::Variant;
use super::super::watched::Watched;
use super::{Managed, Running, Shared};
use crate::emit;
use crate::select;
use crate::task::spawn_named;
use crate::time::sleep;
use std::sync::Arc;

/// The worker was closed before a task was gone: it goes after the next start.
struct Interrupted;

impl Shared {
    /// Keeps that a task goes, and has it go.
    pub(super) async fn remove(self: &Arc<Self>, running: &mut Running, id: TaskId) {
        self.coming().remove(&id);
        let Some(record) = self.statuses.record(&id).await else { return };
        if record.removing {
            return;
        }
        match self.forgets_first() {
            true => self.statuses.delete(&id).await,
            false => self.statuses.set_removing(&id).await,
        }
        emit(AgentEvent::Unassigned { node: self.node.clone(), task: id.clone() });
        self.free(running, id, record);
    }

    fn forgets_first(&self) -> bool {
        [Variant::RecordDeletedFirst, Variant::LateStatusRecreates]
            .into_iter()
            .any(|one| self.options.has(one))
    }

    /// Has a task go that is kept as one that goes.
    pub(super) fn free(self: &Arc<Self>, running: &mut Running, id: TaskId, record: TaskRecord) {
        let managed = running.managers.remove(&id);
        running.controllers += 1;
        let number = running.controllers;
        self.removals.send_modify(|left| *left += 1);
        let shared = self.clone();
        spawn_named("removal", async move {
            let left = Left(shared.clone());
            if shared.removed(&id, managed, record, number).await.is_ok() {
                emit(AgentEvent::Removed { node: shared.node.clone(), task: id.clone() });
                if !shared.forgets_first() {
                    shared.statuses.delete(&id).await;
                }
                shared.come(&id).await;
            }
            drop(left);
        });
    }

    /// Frees what a task uses; the task itself says what that is where it has no manager.
    async fn removed(
        &self,
        id: &TaskId,
        managed: Option<Managed>,
        record: TaskRecord,
        number: u64,
    ) -> Result<(), Interrupted> {
        match (managed, record.task) {
            (Some(Managed { manager, controller }), _) if self.options.has(Variant::RemoveBesideClose) => {
                let (_, freed) = crate::join!(manager.close(), self.freed(&controller));
                freed
            }
            (Some(Managed { manager, controller }), _) => {
                let what = format!("manager of {id}");
                self.tell_closing(&what);
                manager.close().await;
                self.tell_closed(&what);
                self.freed(&controller).await
            }
            (None, Some(task)) => match self.found(&task, record.prepared).await? {
                Some(controller) => {
                    let controller = Watched::new(controller, self.node.clone(), id.clone(), number);
                    self.freed(&controller).await
                }
                None => Ok(()),
            },
            (None, None) => Ok(()),
        }
    }

    /// The controller of a task that has none yet. Where none can be had, and none was ever to prepare the task, there is
    /// nothing to free; otherwise there may be, and it is tried again.
    async fn found(
        &self,
        task: &Task,
        was_prepared: bool,
    ) -> Result<Option<Arc<dyn Controller>>, Interrupted> {
        loop {
            match self.executor.controller(task).await {
                Ok(controller) => return Ok(Some(controller)),
                Err(error) if !was_prepared && !error.is_temporary() => return Ok(None),
                Err(error) => self.pause(&error).await?,
            }
        }
    }

    async fn freed(&self, controller: &Watched) -> Result<(), Interrupted> {
        while let Err(error) = controller.remove(&self.closing).await {
            if self.options.has(Variant::RemoveErrorForgotten) {
                tracing::error!("not removed: {error}");
                break;
            }
            self.pause(&error).await?;
        }
        if let Err(error) = controller.close().await {
            tracing::error!("not closed: {error}");
        }
        Ok(())
    }

    async fn pause(&self, error: &TaskError) -> Result<(), Interrupted> {
        tracing::warn!("not removed yet: {error}");
        select! {
            () = self.closing.cancelled() => Err(Interrupted),
            () = sleep(RETRY_AFTER) => Ok(()),
        }
    }
}

/// A removal that is under way.
struct Left(Arc<Shared>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.removals.send_modify(|left| *left -= 1);
    }
}
