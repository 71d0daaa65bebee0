//! The records of a worker's tasks with those who want to hear of them: a status is durable before it is told. Separate
//! from the worker, whose tasks report while it waits for them; it must not know controllers.

use super::super::controller::BoxFuture;
use super::super::manager::StatusReporter;
use super::super::record::AgentEvent;
use super::super::storage::{Records, TaskRecord};
use super::super::task::{Task, TaskId, TaskStatus};
use super::super::variant::Variant;
use crate::emit;
use crate::sync::Mutex;
use std::sync::Arc;

pub(super) struct Statuses {
    node: Arc<str>,
    kept: Mutex<Kept>,
    variant: Variant,
}

struct Kept {
    records: Records,
    listeners: Vec<Arc<dyn StatusReporter>>,
}

impl Statuses {
    pub(super) fn new(node: Arc<str>, records: Records, variant: Variant) -> Statuses {
        Statuses { node, kept: Mutex::new(Kept { records, listeners: Vec::new() }), variant }
    }

    pub(super) async fn records(&self) -> Vec<(TaskId, TaskRecord)> {
        let kept = self.kept.lock().await;
        kept.records.all().map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    pub(super) async fn of(&self, id: &TaskId) -> Option<TaskStatus> {
        self.kept.lock().await.records.status(id).ok().cloned()
    }

    pub(super) async fn is_removing(&self, id: &TaskId) -> bool {
        self.kept.lock().await.records.is_removing(id)
    }

    pub(super) async fn assign(&self, task: &Task) {
        let mut kept = self.kept.lock().await;
        kept.records.assign(task).await;
        self.tell_assigned(task);
    }

    fn tell_assigned(&self, task: &Task) {
        emit(AgentEvent::Assigned {
            node: self.node.clone(),
            task: task.id.clone(),
            desired: task.desired,
            needs: Arc::new(task.spec.secrets.union(&task.spec.configs).cloned().collect()),
        });
    }

    /// Says what was durable at the start.
    pub(super) fn tell_restored(&self, records: &[(TaskId, TaskRecord)]) {
        emit(AgentEvent::Restored { node: self.node.clone() });
        for (id, record) in records {
            let (node, task) = (self.node.clone(), id.clone());
            record.task.iter().for_each(|task| self.tell_assigned(task));
            if let Some(status) = &record.status {
                emit(AgentEvent::Stored { node: node.clone(), task: task.clone(), state: status.state });
            }
            if record.removing {
                emit(AgentEvent::Unassigned { node, task });
            }
        }
    }

    pub(super) async fn set_removing(&self, id: &TaskId) {
        let mut kept = self.kept.lock().await;
        kept.records.set_removing(id).await;
    }

    pub(super) async fn delete(&self, id: &TaskId) {
        let mut kept = self.kept.lock().await;
        kept.records.delete(id).await;
        emit(AgentEvent::RecordDeleted { node: self.node.clone(), task: id.clone() });
    }

    pub(super) async fn listen(&self, listener: Arc<dyn StatusReporter>) {
        let mut kept = self.kept.lock().await;
        // Without it, what was not sent before a restart is never sent.
        if self.variant != Variant::NotReportedAgain {
            self.tell_stored(&kept, &*listener).await;
        }
        kept.listeners.push(listener);
    }

    pub(super) async fn tell_all(&self, listener: &dyn StatusReporter) {
        if self.variant != Variant::NotReportedAgain {
            let kept = self.kept.lock().await;
            self.tell_stored(&kept, listener).await;
        }
    }

    async fn tell_stored(&self, kept: &Kept, listener: &dyn StatusReporter) {
        for (id, record) in kept.records.all().filter(|(_, record)| !record.removing) {
            if let Some(status) = &record.status {
                self.tell_heard(id, status);
                listener.report(id, status).await;
            }
        }
    }

    fn tell_heard(&self, id: &TaskId, status: &TaskStatus) {
        emit(AgentEvent::Heard { node: self.node.clone(), task: id.clone(), state: status.state });
    }

    /// Stores a status; whether there is a record of its task.
    async fn store(&self, kept: &mut Kept, id: &TaskId, status: &TaskStatus) -> bool {
        let is_known = kept.records.has(id) || self.variant == Variant::LateStatusRecreates;
        if is_known {
            kept.records.put_status(id, status).await;
            let (node, task) = (self.node.clone(), id.clone());
            emit(AgentEvent::Stored { node, task, state: status.state });
        }
        is_known
    }

    async fn tell(&self, kept: &Kept, id: &TaskId, status: &TaskStatus) {
        self.tell_heard(id, status);
        for listener in &kept.listeners {
            listener.report(id, status).await;
        }
    }
}

impl StatusReporter for Statuses {
    /// A status of a task that is not kept any more is dropped.
    fn report<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut kept = self.kept.lock().await;
            if self.variant == Variant::StatusNotStored {
                if kept.records.has(task) {
                    self.tell(&kept, task, status).await;
                    self.store(&mut kept, task, status).await;
                }
                return;
            }
            if self.store(&mut kept, task, status).await {
                self.tell(&kept, task, status).await;
            }
        })
    }
}
