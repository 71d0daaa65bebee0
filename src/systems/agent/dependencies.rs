//! Secrets and configs: what a node holds for its tasks, and what of that each task may see. Separate because the agent
//! writes them and controllers read them; it must not know either.

use super::options::AgentOptions;
use super::record::AgentEvent;
use super::task::{Task, TaskId};
use super::variant::Variant;
use crate::emit;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Which of the two something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    /// A secret.
    Secret,
    /// A config.
    Config,
}

impl fmt::Display for DependencyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DependencyKind::Secret => "secret",
            DependencyKind::Config => "config",
        })
    }
}

/// A secret or a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Which of the two.
    pub kind: DependencyKind,
    /// Its id.
    pub id: String,
    /// What it holds.
    pub data: String,
}

/// Why a secret or config is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// The node does not hold it.
    #[error("{kind} {id} not found")]
    NotFound {
        /// Which of the two.
        kind: DependencyKind,
        /// Its id.
        id: String,
    },
    /// The task does not refer to it.
    #[error("task not authorized to access {kind} {id}")]
    NotAuthorized {
        /// Which of the two.
        kind: DependencyKind,
        /// Its id.
        id: String,
    },
}

/// The secrets, or the configs, of a node. Clones are the same.
#[derive(Clone, Debug)]
pub struct DependencyManager {
    kind: DependencyKind,
    held: Arc<Mutex<BTreeMap<String, Dependency>>>,
}

impl DependencyManager {
    /// One that holds nothing.
    pub fn new(kind: DependencyKind) -> DependencyManager {
        DependencyManager { kind, held: Arc::default() }
    }

    /// A copy of the one with this id.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, id: &str) -> Result<Dependency, DependencyError> {
        let found = self.lock().get(id).cloned();
        found.ok_or_else(|| DependencyError::NotFound { kind: self.kind, id: id.to_owned() })
    }

    /// Holds these; one of the same id is replaced.
    pub fn add(&self, added: impl IntoIterator<Item = Dependency>) {
        self.lock().extend(added.into_iter().map(|one| (one.id.clone(), one)));
    }

    /// Lets go of these; ids that it does not know do not matter.
    pub fn remove<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        let mut held = self.lock();
        for id in ids {
            held.remove(id);
        }
    }

    /// Lets go of all.
    pub fn reset(&self) {
        self.lock().clear();
    }

    /// The ids of what it holds.
    pub fn ids(&self) -> BTreeSet<String> {
        self.lock().keys().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Dependency>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secrets and configs of a node.
#[derive(Clone, Debug)]
pub struct Dependencies {
    /// Its secrets.
    pub secrets: DependencyManager,
    /// Its configs.
    pub configs: DependencyManager,
}

impl Default for Dependencies {
    fn default() -> Dependencies {
        Dependencies {
            secrets: DependencyManager::new(DependencyKind::Secret),
            configs: DependencyManager::new(DependencyKind::Config),
        }
    }
}

impl Dependencies {
    /// The manager of this kind.
    pub fn of(&self, kind: DependencyKind) -> &DependencyManager {
        match kind {
            DependencyKind::Secret => &self.secrets,
            DependencyKind::Config => &self.configs,
        }
    }

    /// What of them a task may see.
    pub fn restricted(&self, task: &Task) -> TaskDependencies {
        self.restricted_with(task, AgentOptions::default())
    }

    pub(super) fn restricted_with(&self, task: &Task, options: AgentOptions) -> TaskDependencies {
        TaskDependencies {
            all: self.clone(),
            task: task.id.clone(),
            secrets: task.spec.secrets.clone(),
            configs: task.spec.configs.clone(),
            node: None,
            options,
        }
    }

    /// Whether all that a task refers to is there.
    pub fn has_all_of(&self, task: &Task) -> bool {
        let restricted = self.restricted(task);
        let secrets =
            task.spec.secrets.iter().all(|id| restricted.found(DependencyKind::Secret, id).is_some());
        secrets && task.spec.configs.iter().all(|id| self.configs.get(id).is_ok())
    }
}

/// What one task may see of the secrets and configs of its node: what it refers to. Looking changes nothing.
#[derive(Clone, Debug)]
pub struct TaskDependencies {
    all: Dependencies,
    task: TaskId,
    secrets: BTreeSet<String>,
    configs: BTreeSet<String>,
    node: Option<Arc<str>>,
    options: AgentOptions,
}

impl TaskDependencies {
    /// Says on which node it is, for the event log.
    pub fn on(mut self, node: Arc<str>) -> TaskDependencies {
        self.node = Some(node);
        self
    }

    /// A secret: the clone that was made for this task if there is one, under the secret's own id.
    ///
    /// # Errors
    /// The task does not refer to it, or there is none.
    pub fn secret(&self, id: &str) -> Result<Dependency, DependencyError> {
        self.get(DependencyKind::Secret, id)
    }

    /// A config.
    ///
    /// # Errors
    /// The task does not refer to it, or there is none.
    pub fn config(&self, id: &str) -> Result<Dependency, DependencyError> {
        self.get(DependencyKind::Config, id)
    }

    fn get(&self, kind: DependencyKind, id: &str) -> Result<Dependency, DependencyError> {
        let own = match kind {
            DependencyKind::Secret => &self.secrets,
            DependencyKind::Config => &self.configs,
        };
        if !own.contains(id) {
            return Err(DependencyError::NotAuthorized { kind, id: id.to_owned() });
        }
        let found = self.found(kind, id);
        let mut found = found.ok_or_else(|| DependencyError::NotFound { kind, id: id.to_owned() })?;
        let key = found.0;
        if let Some(node) = &self.node {
            let (node, task, held) = (node.clone(), self.task.clone(), found.1.id.clone());
            emit(AgentEvent::Looked { node, task, asked: id.to_owned(), key: key.clone(), held });
        }
        found.1.id = id.to_owned();
        if self.options.has(Variant::SecretRenamed) && key != id {
            self.all.of(kind).lock().insert(key, found.1.clone());
        }
        Ok(found.1)
    }

    /// What there is for the task, with the key that it was found under.
    fn found(&self, kind: DependencyKind, id: &str) -> Option<(String, Dependency)> {
        let clone = format!("{id}.{}", self.task);
        let keys = match kind {
            DependencyKind::Secret => vec![clone, id.to_owned()],
            DependencyKind::Config => vec![id.to_owned()],
        };
        keys.into_iter().find_map(|key| Some((key.clone(), self.all.of(kind).get(&key).ok()?)))
    }
}
