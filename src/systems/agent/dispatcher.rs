//! The manager's side in a simulated world: tasks, secrets and configs as entries of the simulation's store, sessions
//! with agents, and the statuses that they send. Separate from agents, which know it as a trait only. It never crashes.
//!
//! Its calls may fail or be slow before their effect at the sites `dispatcher.session` and `dispatcher.status`, and
//! their answers be lost at `dispatcher.answer`; at `dispatcher.stream` a session ends, at `dispatcher.message` one of
//! its messages is lost, at `dispatcher.desire` the first message of one says less than is desired, as it was before.
//! A recorded status is an effect after which the agent's host may crash.

use super::assignment::{
    AssignmentChange, Assignments, DispatchError, Dispatcher, Extent, Item, Message, Session,
};
use super::controller::BoxFuture;
use super::dependencies::{Dependency, DependencyKind};
use super::executor::{EncryptionKey, Node, NodeDescription};
use super::record::AgentEvent;
use super::state::{DesiredState, TaskState};
use super::task::{Task, TaskId, TaskSpec, TaskStatus};
use crate::emit;
use crate::fault::{Injected, crash_point, failpoint_on};
use crate::store::{Key, Store};
use crate::sync::watch;
use crate::time::{Duration, Instant, sleep, timeout_at};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The kind of the entries that tasks are.
pub const TASK: &str = "task";
/// The kind of the entries that statuses are.
pub const STATUS: &str = "status";
/// How long changes are collected before a message.
const BATCH: Duration = Duration::from_millis(100);
/// How often a session says that it is there, with the number of its last message.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A task in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskEntry {
    /// Its node.
    pub node: String,
    /// The version of its definition.
    pub version: u64,
    /// What it is.
    pub spec: TaskSpec,
    /// What is desired.
    pub desired: DesiredState,
}

/// The status of a task in the store: what does not depend on when things happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusEntry {
    /// The state.
    pub state: TaskState,
    /// Why it failed, if it has.
    pub err: Option<String>,
    /// How its process exited.
    pub exit_code: i32,
}

/// The manager. Clones are the same.
#[derive(Clone)]
pub struct Manager {
    store: Store,
    shared: Arc<Shared>,
}

struct Shared {
    /// Which change of the store was the last.
    changed: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session of each node that counts.
    sessions: BTreeMap<String, u64>,
    opened: u64,
    dependencies: BTreeMap<(DependencyKind, String), Dependency>,
    keys: Vec<EncryptionKey>,
    statuses: BTreeMap<TaskId, TaskStatus>,
    /// What was desired before, of the tasks of which more is desired now.
    desired_before: BTreeMap<TaskId, DesiredState>,
}

impl Manager {
    /// The manager over a store.
    pub fn new(store: Store) -> Manager {
        let shared = Shared { changed: watch::Sender::new(0), state: Mutex::default() };
        Manager { store, shared: Arc::new(shared) }
    }

    // What its users do.

    /// Assigns a task to a node.
    pub fn create(&self, node: &str, task: &TaskId, spec: TaskSpec, desired: DesiredState) {
        let entry = TaskEntry { node: node.to_owned(), version: 1, spec, desired };
        self.put(task, entry);
    }

    /// Changes the definition of a task, if it is there.
    pub fn change(&self, task: &TaskId, change: impl FnOnce(&mut TaskEntry)) {
        if let Some(mut entry) = self.entry(task) {
            change(&mut entry);
            entry.version += 1;
            self.put(task, entry);
        }
    }

    /// Wants a task to come this far.
    pub fn desire(&self, task: &TaskId, desired: DesiredState) {
        if let Some(entry) = self.entry(task) {
            self.state().desired_before.insert(task.clone(), entry.desired);
        }
        self.change(task, |entry| {
            if let Err(lower) = entry.desired.raise(desired) {
                tracing::warn!("{lower}");
            }
        });
    }

    /// Deletes a task, with its status.
    pub fn delete(&self, task: &TaskId) {
        let Some(entry) = self.entry(task) else { return };
        self.store.delete((TASK, task.as_str())).expect("the task is there");
        let mut state = self.state();
        state.statuses.remove(task);
        state.desired_before.remove(task);
        drop(state);
        if self.store.entry((STATUS, task.as_str())).is_some() {
            self.store.delete((STATUS, task.as_str())).expect("the status is there");
        }
        emit(AgentEvent::Unwanted { node: Arc::from(&*entry.node), task: task.clone() });
        self.tell();
    }

    /// Has a secret or config, or another version of it.
    pub fn hold(&self, dependency: Dependency) {
        self.state().dependencies.insert((dependency.kind, dependency.id.clone()), dependency);
        self.tell();
    }

    /// Has these keys for the network.
    pub fn set_keys(&self, keys: Vec<EncryptionKey>) {
        self.state().keys = keys;
        self.tell();
    }

    /// What it recorded of a task.
    pub fn status(&self, task: &TaskId) -> Option<TaskStatus> {
        self.state().statuses.get(task).cloned()
    }

    /// The definition of a task.
    pub fn entry(&self, task: &TaskId) -> Option<TaskEntry> {
        self.store.peek((TASK, task.as_str()))
    }

    fn put(&self, task: &TaskId, entry: TaskEntry) {
        let (node, desired) = (Arc::from(&*entry.node), entry.desired);
        self.store.put((TASK, task.as_str()), entry).expect("a task is plain data");
        emit(AgentEvent::Wanted { node, task: task.clone(), desired });
        self.tell();
    }

    fn tell(&self) {
        self.shared.changed.send_modify(|change| *change += 1);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What its sessions say.

    /// The tasks of a node, as they are to be assigned.
    fn tasks_of(&self, node: &str) -> BTreeMap<TaskId, Task> {
        let mut tasks = BTreeMap::new();
        for entry in self.store.list(TASK) {
            let task: TaskEntry = entry.parse().expect("the manager writes nothing but tasks here");
            if task.node == node {
                let id = TaskId::from(&entry.key.name);
                let status = self.status(&id);
                let status = status.unwrap_or_else(|| TaskStatus::of(TaskState::Assigned, "assigned"));
                let TaskEntry { version, spec, desired, .. } = task;
                tasks.insert(id.clone(), Task { id, version, spec, desired, status });
            }
        }
        tasks
    }

    /// What a task refers to: also the clones of secrets that were made for it.
    fn needs(&self, task: &Task) -> Vec<Dependency> {
        let state = self.state();
        let find = |kind, id: &str| state.dependencies.get(&(kind, id.to_owned())).cloned();
        let secrets = task.spec.secrets.iter().flat_map(|id| {
            [find(DependencyKind::Secret, id), find(DependencyKind::Secret, &format!("{id}.{}", task.id))]
        });
        let configs = task.spec.configs.iter().map(|id| find(DependencyKind::Config, id));
        secrets.chain(configs).flatten().collect()
    }

    fn record(&self, node: &str, task: &TaskId, status: &TaskStatus) -> bool {
        let mut state = self.state();
        let bare = |status: &TaskStatus| TaskStatus { applied_by: None, applied_at: None, ..status.clone() };
        match state.statuses.get(task) {
            Some(known) if known.state > status.state => {
                tracing::error!(
                    "task status invalid transition: {task} is {}, not {}",
                    known.state,
                    status.state
                );
                return false;
            }
            Some(known) if bare(known) == bare(status) => return false,
            Some(_) | None => {}
        }
        let now = super::engine::now();
        let recorded =
            TaskStatus { applied_by: Some(node.to_owned()), applied_at: Some(now), ..status.clone() };
        state.statuses.insert(task.clone(), recorded);
        drop(state);
        let entry = StatusEntry {
            state: status.state,
            err: status.err.clone().filter(|_| status.state >= TaskState::Failed),
            exit_code: status.exit_code().unwrap_or(0),
        };
        self.store.put(Key::new(STATUS, task.as_str()), entry).expect("a status is plain data");
        emit(AgentEvent::Recorded { node: Arc::from(node), task: task.clone(), state: status.state });
        true
    }
}

impl From<Injected> for DispatchError {
    fn from(injected: Injected) -> DispatchError {
        DispatchError::Unavailable(Box::new(injected))
    }
}

impl Dispatcher for Manager {
    fn open<'a>(
        &'a self,
        node: &'a str,
        _description: &'a NodeDescription,
    ) -> BoxFuture<'a, Result<Box<dyn Session>, DispatchError>> {
        Box::pin(async move {
            failpoint_on("dispatcher.session", node).await?;
            let mut state = self.state();
            state.opened += 1;
            let id = state.opened;
            state.sessions.insert(node.to_owned(), id);
            drop(state);
            // Earlier sessions of the node hear that they are over.
            self.tell();
            let session = Serving {
                manager: self.clone(),
                node: node.to_owned(),
                id,
                changes: self.shared.changed.subscribe(),
                heartbeat: Instant::now() + HEARTBEAT,
                known: None,
                is_behind: true,
                pending: None,
                said: Said::default(),
            };
            Ok(Box::new(session) as Box<dyn Session>)
        })
    }

    fn update_status<'a>(
        &'a self,
        node: &'a str,
        session: u64,
        task: &'a TaskId,
        status: &'a TaskStatus,
    ) -> BoxFuture<'a, Result<(), DispatchError>> {
        Box::pin(async move {
            failpoint_on("dispatcher.status", task.as_str()).await?;
            if self.state().sessions.get(node) != Some(&session) {
                return Err(DispatchError::SessionInvalid);
            }
            let entry = self.entry(task).ok_or_else(|| DispatchError::NotFound(task.clone()))?;
            if entry.node != node {
                return Err(DispatchError::PermissionDenied(task.clone()));
            }
            if self.record(node, task, status) {
                crash_point(&format!("status {task} {}", status.state)).await;
            }
            failpoint_on("dispatcher.answer", task.as_str()).await?;
            Ok(())
        })
    }
}

/// A session of a node.
struct Serving {
    manager: Manager,
    node: String,
    id: u64,
    changes: watch::Receiver<u64>,
    heartbeat: Instant,
    /// What the node has, when it has heard everything; `None` before the first message.
    known: Option<Known>,
    /// Whether there may be more to say than it knows.
    is_behind: bool,
    /// The message that is on its way.
    pending: Option<Assignments>,
    said: Said,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    tasks: BTreeMap<TaskId, Task>,
    dependencies: BTreeMap<(DependencyKind, String), Dependency>,
}

#[derive(Default)]
struct Said {
    sequence: u64,
    node: bool,
    keys: Vec<EncryptionKey>,
}

impl Serving {
    fn current(&self) -> Known {
        let tasks = self.manager.tasks_of(&self.node);
        let needs = tasks.values().flat_map(|task| self.manager.needs(task));
        let dependencies = needs.map(|one| ((one.kind, one.id.clone()), one)).collect();
        Known { tasks, dependencies }
    }

    /// The message that brings a node from what it knows to what there is; none where that is the same.
    fn message(&mut self, is_old: bool) -> Option<Assignments> {
        let mut now = self.current();
        if is_old {
            let state = self.manager.state();
            for (id, desired) in &state.desired_before {
                now.tasks.entry(id.clone()).and_modify(|task| task.desired = *desired);
            }
        }
        let (extent, changes) = match &self.known {
            None => (Extent::Complete, now.all()),
            Some(known) => (Extent::Incremental, known.changes_to(&now)),
        };
        if extent == Extent::Incremental && changes.is_empty() {
            return None;
        }
        self.known = Some(now);
        let applies_to = self.said.sequence;
        self.said.sequence += 1;
        Some(Assignments { extent, applies_to, results_in: self.said.sequence, changes })
    }

    /// What is to be said beside assignments.
    fn beside(&mut self) -> Option<Message> {
        if !self.said.node {
            self.said.node = true;
            return Some(Message::Node(Node { id: self.node.clone(), labels: BTreeSet::new() }));
        }
        let keys = self.manager.state().keys.clone();
        (keys != self.said.keys).then(|| {
            self.said.keys.clone_from(&keys);
            Message::NetworkKeys(keys)
        })
    }

    async fn say_next(&mut self) -> Result<Message, DispatchError> {
        loop {
            if self.manager.state().sessions.get(&self.node) != Some(&self.id) {
                return Err(DispatchError::SessionInvalid);
            }
            if let Some(message) = self.beside() {
                return Ok(message);
            }
            if self.pending.is_none() && self.is_behind {
                let is_first = self.known.is_none();
                let is_old = is_first && failpoint_on("dispatcher.desire", &self.node).await.is_err();
                self.is_behind = is_old;
                self.pending = self.message(is_old);
            }
            if let Some(message) = &self.pending {
                let extent = message.extent;
                failpoint_on("dispatcher.stream", &self.node).await?;
                // The first message is part of the answer to the call that opened the session.
                let arrives = extent == Extent::Complete
                    || failpoint_on("dispatcher.message", &self.node).await.is_ok();
                let message = self.pending.take().filter(|_| arrives);
                match message {
                    Some(message) => return Ok(Message::Assignments(message)),
                    None => continue,
                }
            }
            match timeout_at(self.heartbeat, self.changes.changed()).await {
                Ok(_) => {
                    self.is_behind = true;
                    sleep(BATCH).await;
                }
                Err(_) => {
                    self.heartbeat = Instant::now() + HEARTBEAT;
                    let at = self.said.sequence;
                    let (extent, changes) = (Extent::Incremental, Vec::new());
                    let nothing = Assignments { extent, applies_to: at, results_in: at, changes };
                    return Ok(Message::Assignments(nothing));
                }
            }
        }
    }
}

impl Known {
    fn all(&self) -> Vec<AssignmentChange> {
        let dependencies = self.dependencies.values().cloned().map(Item::Dependency);
        let tasks = self.tasks.values().cloned().map(|task| Item::Task(Box::new(task)));
        dependencies.chain(tasks).map(AssignmentChange::update).collect()
    }

    /// In the order in which it came about: what a task that is gone had is gone before another task has it again.
    fn changes_to(&self, now: &Known) -> Vec<AssignmentChange> {
        let gone: Vec<&Task> = self.tasks.values().filter(|task| !now.tasks.contains_key(&task.id)).collect();
        let stay: Vec<&Task> = self.tasks.values().filter(|task| now.tasks.contains_key(&task.id)).collect();
        let needed = |id: &str| stay.iter().any(|task| refers(task, id));
        let freed = |id: &str| gone.iter().any(|task| refers(task, id)) && !needed(id);
        let lost: BTreeSet<_> = self.dependencies.keys().filter(|(_, id)| freed(id)).collect();
        let removed = lost.iter().map(|key| Item::Dependency(self.dependencies[*key].clone()));
        let removed = removed.chain(gone.iter().map(|task| Item::Task(Box::new((*task).clone()))));
        let is_new = |(key, one): &(&(DependencyKind, String), &Dependency)| {
            lost.contains(key) || self.dependencies.get(*key) != Some(one)
        };
        let added = now.dependencies.iter().filter(is_new).map(|(_, one)| Item::Dependency(one.clone()));
        let differs =
            |task: &&Task| self.tasks.get(&task.id).is_none_or(|known| !known.is_stable_equal(task));
        let added =
            added.chain(now.tasks.values().filter(differs).map(|task| Item::Task(Box::new(task.clone()))));
        removed.map(AssignmentChange::remove).chain(added.map(AssignmentChange::update)).collect()
    }
}

/// Whether a task refers to a secret or config, or to the clone of one for it.
fn refers(task: &Task, id: &str) -> bool {
    let own = id.strip_suffix(&format!(".{}", task.id)).unwrap_or(id);
    task.spec.secrets.contains(own) || task.spec.configs.contains(own)
}

impl Session for Serving {
    fn id(&self) -> u64 {
        self.id
    }

    fn next(&mut self) -> BoxFuture<'_, Result<Message, DispatchError>> {
        Box::pin(self.say_next())
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").finish_non_exhaustive()
    }
}
