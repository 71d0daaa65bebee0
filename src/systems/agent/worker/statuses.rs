//! The records of a worker's tasks with those who want to hear of them: a status is durable before it is told. Separate
//! from the worker, whose tasks report while it waits for them; it must not know controllers.
//!
//! Two locks: one of the records, held while something is written, and one of telling, held while listeners hear. Who
//! listens may ask for the records; what all were told before, one that begins to listen hears first.

use super::super::controller::BoxFuture;
use super::super::manager::StatusReporter;
use super::super::options::AgentOptions;
use super::super::record::AgentEvent;
use super::super::storage::{Records, TaskRecord};
use super::super::task::{Task, TaskId, TaskStatus};
use super::super::variant::Variant;
use crate::emit;
use crate::sync::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};

pub(super) struct Statuses {
    node: Arc<str>,
    records: Mutex<Records>,
    /// Held while something is told.
    telling: Mutex<()>,
    listeners: Arc<Listeners>,
    options: AgentOptions,
}

/// Those who listen.
#[derive(Default)]
struct Listeners(std::sync::Mutex<Held>);

#[derive(Default)]
struct Held {
    last: u64,
    by_number: BTreeMap<u64, Arc<dyn StatusReporter>>,
}

impl Listeners {
    fn add(&self, listener: Arc<dyn StatusReporter>) -> u64 {
        let mut held = self.lock();
        held.last += 1;
        let number = held.last;
        held.by_number.insert(number, listener);
        number
    }

    fn remove(&self, number: u64) -> Option<Arc<dyn StatusReporter>> {
        self.lock().by_number.remove(&number)
    }

    fn all(&self) -> Vec<Arc<dyn StatusReporter>> {
        self.lock().by_number.values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody listens to a worker, until this is dropped.
#[must_use = "dropped, it ends the listening at once"]
pub struct Listening {
    listeners: Arc<Listeners>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It is dropped when the lock is free: it may listen to others itself.
        let gone = self.listeners.remove(self.number);
        drop(gone);
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Statuses {
    pub(super) fn new(node: Arc<str>, records: Records, options: AgentOptions) -> Statuses {
        let (records, telling) = (Mutex::new(records), Mutex::new(()));
        Statuses { node, records, telling, listeners: Arc::default(), options }
    }

    pub(super) async fn all(&self) -> Vec<(TaskId, TaskRecord)> {
        self.records.lock().await.all().map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// The tasks that are not being removed.
    pub(super) async fn staying(&self) -> Vec<TaskId> {
        let records = self.records.lock().await;
        records.all().filter(|(_, record)| !record.removing).map(|(id, _)| id.clone()).collect()
    }

    pub(super) async fn record(&self, id: &TaskId) -> Option<TaskRecord> {
        self.records.lock().await.get(id).cloned()
    }

    /// Keeps that a task is assigned. It is not where it is being removed, or where more of it is desired already.
    pub(super) async fn assign(&self, task: &Task) -> Assigned {
        let mut records = self.records.lock().await;
        if records.is_removing(&task.id) {
            return Assigned::Removing;
        }
        let is_lower = records.task(&task.id).is_some_and(|known| task.desired < known.desired);
        if is_lower && !self.options.has(Variant::LowerDesireTaken) {
            tracing::warn!("ignoring an assignment of {} with invalid desired state", task.id);
        } else {
            records.assign(task).await;
            self.tell_assigned(task);
        }
        let known = records.task(&task.id).cloned().unwrap_or_else(|| task.clone());
        let status = records.status(&task.id).cloned().unwrap_or_default();
        Assigned::Known(Box::new(Task { status, ..known }))
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
        self.records.lock().await.set_removing(id).await;
    }

    pub(super) async fn delete(&self, id: &TaskId) {
        let mut records = self.records.lock().await;
        records.delete(id).await;
        emit(AgentEvent::RecordDeleted { node: self.node.clone(), task: id.clone() });
    }

    /// Tells what is stored, and then whatever comes.
    pub(super) async fn listen(&self, listener: Arc<dyn StatusReporter>) -> Listening {
        let _telling = self.telling.lock().await;
        // Without it, what was not sent before a restart is never sent.
        if !self.options.has(Variant::NotReportedAgain) {
            self.tell_stored(&*listener).await;
        }
        let number = self.listeners.add(listener);
        Listening { listeners: self.listeners.clone(), number }
    }

    pub(super) async fn tell_all(&self, listener: &dyn StatusReporter) {
        if !self.options.has(Variant::NotReportedAgain) {
            let _telling = self.telling.lock().await;
            self.tell_stored(listener).await;
        }
    }

    /// Tells what is stored now. Nothing older is told after it, as whoever has stored something waits to tell it.
    async fn tell_stored(&self, listener: &dyn StatusReporter) {
        let records = self.records.lock().await;
        let staying = records.all().filter(|(_, record)| !record.removing);
        let statuses = staying.filter_map(|(id, record)| Some((id.clone(), record.status.clone()?)));
        let statuses: Vec<(TaskId, TaskStatus)> = statuses.collect();
        drop(records);
        for (id, status) in statuses {
            self.tell_heard(&id, &status);
            listener.report(&id, &status).await;
        }
    }

    fn tell_heard(&self, id: &TaskId, status: &TaskStatus) {
        emit(AgentEvent::Heard { node: self.node.clone(), task: id.clone(), state: status.state });
    }

    /// Stores a status; whether there is a record of its task.
    async fn store(&self, id: &TaskId, status: &TaskStatus) -> bool {
        let mut records = self.records.lock().await;
        let is_known = records.has(id) || self.options.has(Variant::LateStatusRecreates);
        if is_known && records.status(id) != Ok(status) {
            records.put_status(id, status).await;
            let (node, task) = (self.node.clone(), id.clone());
            emit(AgentEvent::Stored { node, task, state: status.state });
        }
        is_known
    }

    async fn tell(&self, id: &TaskId, status: &TaskStatus) {
        let _telling = self.telling.lock().await;
        self.tell_heard(id, status);
        for listener in self.listeners.all() {
            listener.report(id, status).await;
        }
    }
}

/// What became of an assignment.
pub(super) enum Assigned {
    /// The task as it is known now, with what is known of its status.
    Known(Box<Task>),
    /// It is being removed, and has to come again.
    Removing,
}

impl StatusReporter for Statuses {
    /// A status of a task that is not kept any more is dropped.
    fn report<'a>(&'a self, task: &'a TaskId, status: &'a TaskStatus) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if self.options.has(Variant::StatusNotStored) {
                if self.record(task).await.is_some() {
                    self.tell(task, status).await;
                    self.store(task, status).await;
                }
                return;
            }
            if self.store(task, status).await {
                self.tell(task, status).await;
            }
        })
    }
}
