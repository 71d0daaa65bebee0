//! The worker: keeps what the manager assigned, has one task manager for each task, and frees what a task used when it
//! is gone. Separate from the agent, which only hands it assignments; it must not know sessions.
//!
//! A task that is not assigned any more goes in this order, and a record says so until it is done: its manager is
//! closed, its controller removes and closes, its record is deleted. So a crash in between is made up for at the next
//! start.

mod removal;
mod statuses;

pub use statuses::Listening;

use super::assignment::{Action, AssignmentChange, Item};
use super::dependencies::{Dependency, DependencyKind};
use super::engine::{Resolved, resolve_with};
use super::error::{AgentError, TaskError};
use super::executor::Executor;
use super::manager::{StatusReporter, TaskManager};
use super::options::AgentOptions;
use super::record::AgentEvent;
use super::state::{DesiredState, TaskState};
use super::storage::{Records, Storage};
use super::task::{Task, TaskId};
use super::variant::Variant;
use super::watched::Watched;
use crate::emit;
use crate::sync::{CancellationToken, Mutex, broadcast, watch};
use statuses::{Assigned, Statuses};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError};

/// How many starts of tasks a log subscriber may fall behind.
const STARTS_MAX: usize = 256;

/// The tasks of a node. Clones are the same worker.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    node: Arc<str>,
    executor: Arc<dyn Executor>,
    statuses: Arc<Statuses>,
    running: Mutex<Running>,
    /// The tasks that were assigned again while they are being removed: they begin when that is done.
    coming: std::sync::Mutex<BTreeMap<TaskId, Task>>,
    /// How many tasks are being removed.
    removals: watch::Sender<u64>,
    /// The tasks that were started, for those who want their logs.
    started: broadcast::Sender<TaskId>,
    closing: CancellationToken,
    options: AgentOptions,
}

#[derive(Default)]
struct Running {
    managers: BTreeMap<TaskId, Managed>,
    /// How many controllers there were.
    controllers: u64,
    /// No assignment counts any more.
    has_left: bool,
    closed: bool,
}

struct Managed {
    manager: TaskManager,
    controller: Arc<Watched>,
}

impl Worker {
    /// A worker over what a storage holds. [`Worker::init`] starts it.
    pub async fn open(
        node: impl Into<Arc<str>>,
        executor: Arc<dyn Executor>,
        storage: Arc<dyn Storage>,
    ) -> Worker {
        Worker::open_with(node.into(), executor, storage, AgentOptions::default()).await
    }

    /// As [`Worker::open`], with these options.
    pub async fn open_with(
        node: Arc<str>,
        executor: Arc<dyn Executor>,
        storage: Arc<dyn Storage>,
        options: AgentOptions,
    ) -> Worker {
        let records = Records::open(storage).await;
        let shared = Shared {
            statuses: Arc::new(Statuses::new(node.clone(), records, options)),
            node,
            executor,
            running: Mutex::default(),
            coming: std::sync::Mutex::default(),
            removals: watch::Sender::new(0),
            started: broadcast::channel(STARTS_MAX).0,
            closing: CancellationToken::new(),
            options,
        };
        Worker { shared: Arc::new(shared) }
    }

    /// Starts what was assigned before a restart, deletes what was not, and goes on with what was being removed. A task
    /// whose secrets or configs it still needs waits for the first assignment, which brings them.
    pub async fn init(&self) {
        let mut running = self.shared.running.lock().await;
        let records = self.shared.statuses.all().await;
        self.shared.statuses.tell_restored(&records);
        for (task, record) in records {
            if record.removing {
                self.shared.free(&mut running, task, record);
                continue;
            }
            match record.task {
                Some(mut task) if record.assigned => {
                    task.status = record.status.unwrap_or_default();
                    if !self.shared.lacks(&task) {
                        self.shared.begin(&mut running, task).await;
                    }
                }
                Some(_) | None => self.shared.statuses.delete(&task).await,
            }
        }
    }

    /// Takes all that the node has: what is not listed goes.
    ///
    /// # Errors
    /// The worker is closed.
    pub async fn assign(&self, changes: &[AssignmentChange]) -> Result<(), AgentError> {
        let mut running = self.shared.running.lock().await;
        running.refuse_closed()?;
        if running.has_left {
            return Ok(());
        }
        self.shared.take_all(&mut running, &Changes::sort(changes)).await;
        Ok(())
    }

    /// Takes what is other than before. Of one batch what goes is gone before what comes is there.
    ///
    /// # Errors
    /// The worker is closed.
    pub async fn update(&self, changes: &[AssignmentChange]) -> Result<(), AgentError> {
        let mut running = self.shared.running.lock().await;
        running.refuse_closed()?;
        if running.has_left {
            return Ok(());
        }
        let (listed, gone) = (Changes::sort(changes), Changes::sort_removed(changes));
        self.shared.interrupt(&running, &gone.task_ids());
        self.shared.hold(DependencyKind::Secret, Some(&gone), &listed);
        self.shared.hold(DependencyKind::Config, Some(&gone), &listed);
        self.shared.tell_held();
        self.shared.apply(&mut running, &gone.task_ids(), &listed).await;
        Ok(())
    }

    /// Removes all tasks, takes no assignment from now on, and returns when nothing is left.
    ///
    /// # Errors
    /// The worker was closed before.
    pub async fn leave(&self) -> Result<(), AgentError> {
        let mut running = self.shared.running.lock().await;
        running.refuse_closed()?;
        running.has_left = true;
        self.shared.take_all(&mut running, &Changes::sort(&[])).await;
        drop(running);
        self.wait().await;
        match self.shared.statuses.all().await.is_empty() {
            true => Ok(()),
            false => Err(AgentError::Closed),
        }
    }

    /// Tells all statuses that are stored, and every one that comes, until what it returns is dropped.
    pub async fn listen(&self, listener: Arc<dyn StatusReporter>) -> Listening {
        self.shared.statuses.listen(listener).await
    }

    /// Tells a listener all statuses that are stored, once more.
    pub async fn report(&self, listener: &dyn StatusReporter) {
        self.shared.statuses.tell_all(listener).await;
    }

    /// Waits until all tasks that were removed are gone.
    pub async fn wait(&self) {
        let mut removals = self.shared.removals.subscribe();
        removals.wait_for(|left| *left == 0).await.expect("the worker has the other end");
    }

    /// Ends all managers and takes no more assignments. Tasks that run go on to run; what is being removed is removed
    /// after the next start.
    pub async fn close(&self) {
        self.shared.tell_closing("worker");
        let mut running = self.shared.running.lock().await;
        running.closed = true;
        self.shared.closing.cancel();
        for managed in running.managers.values() {
            managed.manager.close().await;
        }
        running.managers.clear();
        self.shared.coming().clear();
        drop(running);
        self.wait().await;
        self.shared.tell_closed("worker");
    }

    // Looking.

    /// The tasks that have a manager.
    pub async fn managed(&self) -> Vec<TaskId> {
        self.shared.running.lock().await.managers.keys().cloned().collect()
    }

    /// The tasks that are assigned, in order: also those that are to come when they have been removed.
    pub async fn recorded(&self) -> Vec<TaskId> {
        let mut recorded: BTreeSet<TaskId> = self.shared.statuses.staying().await.into_iter().collect();
        recorded.extend(self.shared.coming().keys().cloned());
        recorded.into_iter().collect()
    }

    /// The controllers of these tasks, as far as they have any; and who hears of those that start later.
    pub(super) async fn controllers(
        &self,
        tasks: &BTreeSet<TaskId>,
    ) -> (Vec<Arc<Watched>>, broadcast::Receiver<TaskId>) {
        // Nothing starts while this is locked: each task is met once, here or there.
        let running = self.shared.running.lock().await;
        let wanted = running.managers.iter().filter(|(id, _)| tasks.contains(*id));
        let controllers = wanted.map(|(_, managed)| managed.controller.clone());
        (controllers.collect(), self.shared.started.subscribe())
    }
}

impl Running {
    fn manages(&self, id: &TaskId) -> bool {
        self.managers.contains_key(id)
    }

    fn refuse_closed(&self) -> Result<(), AgentError> {
        if self.closed { Err(AgentError::Closed) } else { Ok(()) }
    }
}

/// The changes of a message, by what they are about.
struct Changes<'a> {
    tasks: Vec<&'a Task>,
    dependencies: Vec<&'a Dependency>,
}

impl<'a> Changes<'a> {
    fn sort(changes: &'a [AssignmentChange]) -> Changes<'a> {
        Changes::with(changes, Action::Update)
    }

    fn sort_removed(changes: &'a [AssignmentChange]) -> Changes<'a> {
        Changes::with(changes, Action::Remove)
    }

    fn with(changes: &'a [AssignmentChange], action: Action) -> Changes<'a> {
        let mut sorted = Changes { tasks: Vec::new(), dependencies: Vec::new() };
        for change in changes.iter().filter(|change| change.action == action) {
            match &change.item {
                Item::Task(task) => sorted.tasks.push(task),
                Item::Dependency(dependency) => sorted.dependencies.push(dependency),
            }
        }
        sorted
    }

    fn has_task(&self, id: &TaskId) -> bool {
        self.tasks.iter().any(|task| task.id == *id)
    }

    fn task_ids(&self) -> Vec<TaskId> {
        self.tasks.iter().map(|task| task.id.clone()).collect()
    }

    fn of(&self, kind: DependencyKind) -> impl Iterator<Item = &'a Dependency> {
        self.dependencies.iter().copied().filter(move |dependency| dependency.kind == kind)
    }
}

impl Shared {
    fn coming(&self) -> std::sync::MutexGuard<'_, BTreeMap<TaskId, Task>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has exactly what is listed.
    async fn take_all(self: &Arc<Self>, running: &mut Running, listed: &Changes<'_>) {
        self.coming().retain(|id, _| listed.has_task(id));
        let known = self.known(running).await;
        let gone: Vec<TaskId> = known.into_iter().filter(|id| !listed.has_task(id)).collect();
        self.interrupt(running, &gone);
        self.hold(DependencyKind::Secret, None, listed);
        self.hold(DependencyKind::Config, None, listed);
        self.tell_held();
        self.apply(running, &gone, listed).await;
    }

    /// What is to go begins nothing any more, before what it needs goes.
    fn interrupt(&self, running: &Running, gone: &[TaskId]) {
        if self.options.has(Variant::LateStatusRecreates) {
            return;
        }
        for managed in gone.iter().filter_map(|id| running.managers.get(id)) {
            managed.manager.interrupt();
        }
    }

    /// The tasks that a full assignment has to list for them to stay: also those whose controller was not found.
    async fn known(&self, running: &Running) -> Vec<TaskId> {
        if self.options.has(Variant::UnresolvedForgotten) {
            return running.managers.keys().cloned().collect();
        }
        self.statuses.staying().await
    }

    /// Takes secrets or configs: in place of all there were, or after some went.
    fn hold(&self, kind: DependencyKind, gone: Option<&Changes<'_>>, listed: &Changes<'_>) {
        let Some(dependencies) = self.executor.dependencies() else {
            if listed.of(kind).next().is_some() {
                tracing::warn!("the executor takes no {kind}s: the update is ignored");
            }
            return;
        };
        let manager = dependencies.of(kind);
        let add = || manager.add(listed.of(kind).cloned());
        match gone {
            None => {
                manager.reset();
                add();
            }
            Some(gone) if self.options.has(Variant::AddBeforeRemove) => {
                add();
                manager.remove(gone.of(kind).map(|dependency| &*dependency.id));
            }
            Some(gone) => {
                manager.remove(gone.of(kind).map(|dependency| &*dependency.id));
                add();
            }
        }
    }

    fn tell_held(&self) {
        if let Some(dependencies) = self.executor.dependencies() {
            let held = dependencies.secrets.ids().union(&dependencies.configs.ids()).cloned().collect();
            emit(AgentEvent::Holds { node: self.node.clone(), dependencies: Arc::new(held) });
        }
    }

    async fn apply(self: &Arc<Self>, running: &mut Running, gone: &[TaskId], listed: &Changes<'_>) {
        for id in gone {
            self.remove(running, id.clone()).await;
        }
        for task in &listed.tasks {
            let task = match listed.tasks.last() {
                Some(last) if self.options.has(Variant::UpdateOfAnother) && running.manages(&task.id) => {
                    self.hand_over(running, &task.id, (*last).clone()).await;
                    continue;
                }
                Some(_) | None => task,
            };
            self.start(running, task).await;
        }
    }

    /// Keeps a task and hands it to its manager, or makes one.
    async fn start(self: &Arc<Self>, running: &mut Running, task: &Task) {
        match self.statuses.assign(task).await {
            Assigned::Removing => {
                self.coming().insert(task.id.clone(), task.clone());
            }
            Assigned::Known(_) if running.manages(&task.id) => {
                self.hand_over(running, &task.id, task.clone()).await;
            }
            Assigned::Known(known) => self.begin(running, *known).await,
        }
    }

    /// Hands a definition to the manager of a task.
    async fn hand_over(&self, running: &Running, id: &TaskId, task: Task) {
        let Some(managed) = running.managers.get(id) else { return };
        if managed.manager.update(task).await.is_err() {
            tracing::warn!("the manager of {id} is closed: its update is ignored");
        }
    }

    /// A task that was assigned again while it was being removed comes now.
    async fn come(self: &Arc<Self>, id: &TaskId) {
        let mut running = self.running.lock().await;
        let task = self.coming().remove(id);
        if let Some(task) = task.filter(|_| !running.closed) {
            self.start(&mut running, &task).await;
        }
    }

    /// Finds the controller of a task that is kept, and starts its manager. Where there is no controller, the next
    /// assignment tries again.
    async fn begin(self: &Arc<Self>, running: &mut Running, task: Task) {
        let Resolved { controller, status } = resolve_with(&task, &*self.executor, self.options).await;
        let (node, id) = (self.node.clone(), task.id.clone());
        emit(AgentEvent::Resolved {
            node: node.clone(),
            task: id.clone(),
            state: status.state,
            err: controller.as_ref().err().map(TaskError::text),
        });
        self.statuses.report(&id, &status).await;
        let Ok(controller) = controller else { return };
        running.controllers += 1;
        let controller = Arc::new(Watched::new(controller, node.clone(), id.clone(), running.controllers));
        let reporter = self.statuses.clone();
        let manager = TaskManager::start_with(node, task, controller.clone(), reporter, self.options);
        running.managers.insert(id.clone(), Managed { manager, controller });
        // There is somebody to ask for logs before anybody hears of it.
        self.started.send(id).ok();
    }

    /// Whether a task still needs something that is not there.
    fn lacks(&self, task: &Task) -> bool {
        let needs = task.desired < DesiredState::SHUTDOWN && task.status.state < TaskState::Ready;
        needs && self.executor.dependencies().is_some_and(|dependencies| !dependencies.has_all_of(task))
    }

    fn tell_closing(&self, what: &str) {
        emit(AgentEvent::Closing { node: self.node.clone(), what: what.into() });
    }

    fn tell_closed(&self, what: &str) {
        emit(AgentEvent::Closed { node: self.node.clone(), what: what.into() });
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("node", &self.shared.node).finish_non_exhaustive()
    }
}
