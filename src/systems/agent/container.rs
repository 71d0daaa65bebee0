//! A simulated container runtime: a node's containers, which know no agent and survive its crashes. Separate from the
//! controllers that drive it.
//!
//! What takes time is told by deadlines and not by tasks: a process ends, a pull is complete and a health check fails at
//! a time that is known when it begins, whoever waits for it. Each call from an agent may fail before its effect, as the
//! plan of faults says (`container.pull`, `container.create`, `container.start`, `container.stop`, `container.remove`,
//! `container.inspect`, `container.update`), and the agent's host may crash after it.

use super::record::{AgentEvent, ContainerChange};
use super::task::TaskId;
use crate::emit;
use crate::span::Span;
use crate::sync::Notify;
use crate::time::{Duration, Instant};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How a container of an image behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Image {
    /// How long it takes to pull.
    pub pull: Span,
    /// How long its process takes to start.
    pub start: Span,
    /// How long its process runs; without it, until it is stopped.
    pub run: Option<Span>,
    /// What its process exits with when it ends by itself.
    pub exit: i32,
    /// How long its process takes to end when it is asked to.
    pub stop: Span,
    /// When its health check begins to fail.
    pub unhealthy: Option<Span>,
    /// No registry has it.
    pub missing: bool,
    /// The executor cannot run it.
    pub unsupported: bool,
    /// The port that it serves.
    pub port: Option<u16>,
}

/// What a container's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It was not started.
    Created,
    /// It runs, until then if that is known, and is healthy until then.
    Running {
        /// When it ends, and how.
        ends: Option<(Instant, i32)>,
        /// When its health check begins to fail.
        unhealthy: Option<Instant>,
    },
    /// It has ended.
    Exited {
        /// How.
        code: i32,
        /// Whether its health check had failed before: then it did not end well, whatever its code.
        sick: bool,
    },
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// What runs in it.
    pub image: String,
    /// What its process does.
    pub process: Process,
    /// The number of its process; 0 if it has none.
    pub pid: u32,
}

/// The containers of a node. Clones are the same runtime.
#[derive(Clone)]
pub struct Runtime {
    node: Arc<str>,
    images: Arc<BTreeMap<String, Image>>,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    containers: BTreeMap<TaskId, Container>,
    /// When each pull is complete.
    pulls: BTreeMap<String, Instant>,
    pids: u32,
}

impl Runtime {
    /// A runtime without containers that can get these images.
    pub fn new(node: impl Into<Arc<str>>, images: Arc<BTreeMap<String, Image>>) -> Runtime {
        Runtime { node: node.into(), images, state: Arc::default(), changed: Arc::default() }
    }

    /// Its node.
    pub fn node(&self) -> &Arc<str> {
        &self.node
    }

    /// How containers of an image behave. Of one that nobody described nothing takes time.
    pub fn image(&self, name: &str) -> Image {
        self.images.get(name).cloned().unwrap_or_default()
    }

    /// Whoever waits for a change.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// The container of a task, as it is now.
    pub fn container(&self, task: &TaskId) -> Option<Container> {
        let mut state = self.lock();
        let container = state.containers.get_mut(task)?;
        container.settle();
        Some(container.clone())
    }

    /// The tasks that have a container.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.lock().containers.keys().cloned().collect()
    }

    // What agents ask for.

    /// Begins to pull, unless it was begun already; when it is complete, and whether it begins now.
    pub(super) fn pull(&self, image: &str) -> (Instant, bool) {
        let done = Instant::now() + self.image(image).pull.0;
        let mut state = self.lock();
        let begins = !state.pulls.contains_key(image);
        (*state.pulls.entry(image.to_owned()).or_insert(done), begins)
    }

    /// Makes a container; whether there was none.
    pub(super) fn create(&self, task: &TaskId, image: &str) -> bool {
        let container = Container { image: image.to_owned(), process: Process::Created, pid: 0 };
        let mut state = self.lock();
        if state.containers.contains_key(task) {
            return false;
        }
        state.containers.insert(task.clone(), container);
        drop(state);
        self.tell(task, ContainerChange::Created);
        true
    }

    /// Starts the process of a container that has none; whether it did.
    pub(super) fn start(&self, task: &TaskId) -> bool {
        let mut state = self.lock();
        let pid = state.pids + 1;
        let Some(container) = state.containers.get_mut(task) else { return false };
        if container.process != Process::Created {
            return false;
        }
        let image = self.image(&container.image);
        let after = |span: Span| Instant::now() + span.0;
        container.process = Process::Running {
            ends: image.run.map(|run| (after(run), image.exit)),
            unhealthy: image.unhealthy.map(after),
        };
        container.pid = pid;
        state.pids = pid;
        drop(state);
        self.tell(task, ContainerChange::Started);
        true
    }

    /// Asks a process to end, soon or at once; whether it runs and was not asked before.
    pub(super) fn stop(&self, task: &TaskId, grace: Option<Duration>) -> bool {
        let mut state = self.lock();
        let Some(container) = state.containers.get_mut(task) else { return false };
        container.settle();
        let Process::Running { ends, .. } = &mut container.process else { return false };
        let at = Instant::now() + grace.unwrap_or_default();
        if ends.is_some_and(|(ends, _)| ends <= at) {
            return false;
        }
        *ends = Some((at, 0));
        drop(state);
        self.tell(task, ContainerChange::Stopped);
        true
    }

    /// Deletes a container; whether there was one.
    pub(super) fn remove(&self, task: &TaskId) -> bool {
        let found = self.lock().containers.remove(task).is_some();
        if found {
            self.tell(task, ContainerChange::Removed);
        }
        found
    }

    pub(super) fn tell(&self, task: &TaskId, change: ContainerChange) {
        emit(AgentEvent::Container { node: self.node.clone(), task: task.clone(), change });
        self.changed.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Container {
    /// What time has done to it.
    fn settle(&mut self) {
        if let Process::Running { ends: Some((at, code)), unhealthy } = self.process
            && at <= Instant::now()
        {
            self.process = Process::Exited { code, sick: unhealthy.is_some_and(|since| since <= at) };
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("node", &self.node).finish_non_exhaustive()
    }
}
