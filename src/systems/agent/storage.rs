//! What an agent keeps over a restart: for each task its definition, its status, whether it is assigned, and whether it
//! is being removed. Separate because the worker decides and this only keeps; it must not know why.
//!
//! A record is a text, written whole or not at all, and what cannot be written is written again after a while.

use super::controller::BoxFuture;
use super::error::{AgentError, BoxError};
use super::state::TaskState;
use super::task::{Task, TaskId, TaskStatus};
use crate::host::Disk;
use crate::time::{Duration, sleep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How long before what could not be read or written is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The folder of the records. Another form of them gets another one.
const FOLDER: &str = "v1/tasks/";

/// Where texts are kept by name, over restarts.
pub trait Storage: Send + Sync {
    /// The names that begin so, in order.
    fn names<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, BoxError>>;

    /// The text of a name, if it was written.
    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>>;

    /// Writes a text: it is durable when this returns.
    fn write<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), BoxError>>;

    /// Removes a text, if there is one.
    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BoxError>>;
}

impl Storage for Disk {
    fn names<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, BoxError>> {
        Box::pin(async move { Ok(Disk::names(self, prefix).await?) })
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>> {
        Box::pin(async move { Ok(Disk::read(self, name).await?) })
    }

    fn write<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move { Ok(Disk::write(self, name, &text).await?) })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move { Ok(Disk::remove(self, name).await?) })
    }
}

/// A storage that lasts as long as its clones do: for tests, and for agents that need not survive.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<Mutex<BTreeMap<String, String>>>);

impl MemoryStorage {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for MemoryStorage {
    fn names<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, BoxError>> {
        let found = self.lock().keys().filter(|name| name.starts_with(prefix)).cloned().collect();
        Box::pin(async move { Ok(found) })
    }

    fn read<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<String>, BoxError>> {
        let found = self.lock().get(name).cloned();
        Box::pin(async move { Ok(found) })
    }

    fn write<'a>(&'a self, name: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        self.lock().insert(name.to_owned(), text.to_owned());
        Box::pin(async move { Ok(()) })
    }

    fn remove<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        self.lock().remove(name);
        Box::pin(async move { Ok(()) })
    }
}

/// What is kept of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// Its definition, with a blank status.
    pub task: Option<Task>,
    /// Its status.
    pub status: Option<TaskStatus>,
    /// Whether the manager assigned it.
    pub assigned: bool,
    /// Whether it is being removed: what it uses may not all be free yet.
    pub removing: bool,
    /// Whether its controller was to prepare it: before that it uses nothing.
    #[serde(default)]
    pub prepared: bool,
}

impl TaskRecord {
    /// Notes a status. A task is PREPARING before its controller prepares; one that is REJECTED may never have been.
    fn set_status(&mut self, status: &TaskStatus) {
        self.prepared |= status.state >= TaskState::Preparing && status.state != TaskState::Rejected;
        self.status = Some(status.clone());
    }
}

/// The records of a node's tasks, and what of them is durable: the same.
pub struct Records {
    storage: Arc<dyn Storage>,
    held: BTreeMap<TaskId, TaskRecord>,
}

impl Records {
    /// The records in a storage. They can be opened again.
    pub async fn open(storage: Arc<dyn Storage>) -> Records {
        let mut held = BTreeMap::new();
        for name in until_done(|| storage.names(FOLDER)).await {
            let Some(text) = until_done(|| storage.read(&name)).await else { continue };
            match serde_json::from_str(&text) {
                Ok(record) => {
                    held.insert(TaskId::from(&name[FOLDER.len()..]), record);
                }
                Err(error) => tracing::error!("{name} holds no record of a task: {error}"),
            }
        }
        Records { storage, held }
    }

    /// The definition of a task, with a blank status.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.held.get(id)?.task.as_ref()
    }

    /// The status of a task.
    ///
    /// # Errors
    /// None was stored: the task is unknown.
    pub fn status(&self, id: &TaskId) -> Result<&TaskStatus, AgentError> {
        self.held.get(id).and_then(|record| record.status.as_ref()).ok_or(AgentError::TaskUnknown)
    }

    /// Whether a task is assigned.
    pub fn is_assigned(&self, id: &TaskId) -> bool {
        self.held.get(id).is_some_and(|record| record.assigned)
    }

    /// Whether a task is being removed.
    pub fn is_removing(&self, id: &TaskId) -> bool {
        self.held.get(id).is_some_and(|record| record.removing)
    }

    /// Whether there is a record of a task.
    pub fn has(&self, id: &TaskId) -> bool {
        self.held.contains_key(id)
    }

    /// The record of a task.
    pub fn get(&self, id: &TaskId) -> Option<&TaskRecord> {
        self.held.get(id)
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = (&TaskId, &TaskRecord)> {
        self.held.iter()
    }

    /// Keeps a definition; its status is left out.
    pub async fn put_task(&mut self, task: &Task) {
        let task = Task { status: TaskStatus::default(), ..task.clone() };
        self.change(&task.id.clone(), |record| record.task = Some(task)).await;
    }

    /// Keeps a status.
    pub async fn put_status(&mut self, id: &TaskId, status: &TaskStatus) {
        if self.status(id) != Ok(status) {
            self.change(id, |record| record.set_status(status)).await;
        }
    }

    /// Keeps whether a task is assigned.
    pub async fn set_assigned(&mut self, id: &TaskId, assigned: bool) {
        self.change(id, |record| record.assigned = assigned).await;
    }

    /// Keeps that a task is being removed.
    pub async fn set_removing(&mut self, id: &TaskId) {
        self.change(id, |record| record.removing = true).await;
    }

    /// Keeps, in one, that a task is assigned with this definition; and its status if there is none yet.
    pub async fn assign(&mut self, task: &Task) {
        let definition = Task { status: TaskStatus::default(), ..task.clone() };
        let change = |record: &mut TaskRecord| {
            record.task = Some(definition);
            if record.status.is_none() {
                record.set_status(&task.status);
            }
            record.assigned = true;
        };
        self.change(&task.id, change).await;
    }

    /// Forgets a task.
    pub async fn delete(&mut self, id: &TaskId) {
        let name = name(id);
        until_done(|| self.storage.remove(&name)).await;
        self.held.remove(id);
    }

    async fn change(&mut self, id: &TaskId, change: impl FnOnce(&mut TaskRecord)) {
        let before = self.held.get(id);
        let mut record = before.cloned().unwrap_or_default();
        change(&mut record);
        if before == Some(&record) {
            return;
        }
        let (name, text) = (name(id), serde_json::to_string(&record).expect("a record is plain data"));
        until_done(|| self.storage.write(&name, &text)).await;
        self.held.insert(id.clone(), record);
    }
}

fn name(id: &TaskId) -> String {
    format!("{FOLDER}{id}")
}

async fn until_done<'a, T>(mut tried: impl FnMut() -> BoxFuture<'a, Result<T, BoxError>>) -> T {
    loop {
        match tried().await {
            Ok(done) => return done,
            Err(error) => tracing::warn!("the storage failed and is tried again: {error}"),
        }
        sleep(AGAIN_AFTER).await;
    }
}
