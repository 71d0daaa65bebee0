//! A service that runs queries, the pool of tokens that gates it, and the buffer that remembers what was launched. All
//! outlive the engine; they must not know executors.

use super::{Files, Job, after, before, leave, look};
use crate::emit;
use crate::systems::plugin::error::SystemError;
use crate::systems::plugin::record::{Made, PluginEvent};
use crate::systems::plugin::workflow::Ends;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a query has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryStatus {
    /// It runs.
    Running,
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
    /// It was killed.
    Killed,
}

/// Queries by command id. Clones are one service.
#[derive(Clone, Debug)]
pub struct Queries {
    commands: Arc<Mutex<Vec<Command>>>,
    asked: Arc<Mutex<Asked>>,
    files: Files,
}

/// How often the service was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// To launch a query, though it may have been launched before.
    pub launches: u32,
    /// How far a query has come.
    pub polls: u32,
}

#[derive(Clone, Debug)]
struct Command {
    name: String,
    job: Job,
    status: QueryStatus,
    ends_at: Option<Instant>,
}

impl Queries {
    /// A service without queries.
    pub fn new(files: Files) -> Queries {
        Queries { commands: Arc::default(), asked: Arc::default(), files }
    }

    /// Launches a query; its command id, from 1. One that was launched under this name is not launched again.
    ///
    /// # Errors
    /// A fault.
    pub async fn launch(&self, name: &str, job: Job) -> Result<u64, SystemError> {
        before("launch", name).await?;
        self.asking().launches += 1;
        let (id, workflow) = {
            let mut commands = self.commands();
            if let Some(at) = commands.iter().position(|command| command.name == name) {
                return Ok(at as u64 + 1);
            }
            let ends_at = (job.ends != Ends::Never).then(|| Instant::now() + job.takes);
            let workflow: Arc<str> = Arc::from(job.owner.as_str());
            let status = QueryStatus::Running;
            commands.push(Command { name: name.to_owned(), job, status, ends_at });
            (commands.len() as u64, workflow)
        };
        emit(PluginEvent::Made { what: Made::Command, name: Arc::from(name), workflow });
        after("launch", name).await?;
        Ok(id)
    }

    /// Looks at a query.
    ///
    /// # Errors
    /// There is none; or a fault.
    pub async fn status(&self, id: u64) -> Result<QueryStatus, SystemError> {
        look("poll", &id.to_string()).await?;
        self.asking().polls += 1;
        let no_command = || SystemError::new(format!("there is no command [{id}]"));
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1)).ok_or_else(no_command)?;
        self.settle(at);
        self.commands().get(at).map(|command| command.status).ok_or_else(no_command)
    }

    /// Kills the query of a name, if it runs.
    ///
    /// # Errors
    /// A fault.
    pub async fn kill(&self, name: &str) -> Result<(), SystemError> {
        before("kill", name).await?;
        let found = self.commands().iter().position(|command| command.name == name);
        let Some(at) = found else { return Ok(()) };
        self.settle(at);
        let killed = {
            let mut commands = self.commands();
            let command = &mut commands[at];
            let is_running = command.status == QueryStatus::Running;
            if is_running {
                command.status = QueryStatus::Killed;
            }
            is_running.then(|| command.job.owner.clone())
        };
        if let Some(owner) = killed {
            freed(Made::Command, name, &owner);
            after("kill", name).await?;
        }
        Ok(())
    }

    /// How often it was asked.
    pub fn asked(&self) -> Asked {
        *self.asking()
    }

    fn asking(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many queries were launched, ever.
    pub fn launched(&self) -> usize {
        self.commands().len()
    }

    /// Ends a query whose time has come.
    fn settle(&self, at: usize) {
        let ended = {
            let mut commands = self.commands();
            let Some(command) = commands.get_mut(at) else { return };
            let is_due = command.ends_at.is_some_and(|at| at <= Instant::now());
            if !is_due || command.status != QueryStatus::Running {
                return;
            }
            let fails = !matches!(command.job.ends, Ends::Ok | Ends::NoOutputs);
            command.status = if fails { QueryStatus::Failed } else { QueryStatus::Succeeded };
            command.clone()
        };
        leave(&self.files, &ended.job, ended.job.ends);
        freed(Made::Command, &ended.name, &ended.job.owner);
    }

    fn commands(&self) -> MutexGuard<'_, Vec<Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn freed(what: Made, name: &str, owner: &str) {
    emit(PluginEvent::Freed { what, name: Arc::from(name), workflow: Arc::from(owner) });
}

/// A pool of tokens, each held under a namespace and a key. Clones are one pool.
#[derive(Clone, Debug)]
pub struct Tokens {
    capacity: usize,
    held: Arc<Mutex<BTreeMap<(String, String), String>>>,
}

impl Tokens {
    /// A pool of so many.
    pub fn new(capacity: usize) -> Tokens {
        Tokens { capacity, held: Arc::default() }
    }

    /// Takes a token for a key, for a workflow; whether there was one. A key that has one keeps it.
    ///
    /// # Errors
    /// A fault.
    pub async fn allocate(&self, namespace: &str, key: &str, owner: &str) -> Result<bool, SystemError> {
        before("allocate", key).await?;
        let place = (namespace.to_owned(), key.to_owned());
        {
            let mut held = self.held();
            if held.contains_key(&place) {
                return Ok(true);
            }
            if held.len() >= self.capacity {
                return Ok(false);
            }
            held.insert(place, owner.to_owned());
        }
        emit(PluginEvent::Made { what: Made::Token, name: Arc::from(key), workflow: Arc::from(owner) });
        after("allocate", key).await?;
        Ok(true)
    }

    /// Gives the token of a key back, if it has one.
    ///
    /// # Errors
    /// A fault.
    pub async fn release(&self, namespace: &str, key: &str) -> Result<(), SystemError> {
        before("release", key).await?;
        let held = self.held().remove(&(namespace.to_owned(), key.to_owned()));
        if let Some(owner) = held {
            freed(Made::Token, key, &owner);
            after("release", key).await?;
        }
        Ok(())
    }

    /// How many are held.
    pub fn in_use(&self) -> usize {
        self.held().len()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Remembers the command ids of what was launched, so that it is not launched again. Clones are one buffer.
#[derive(Clone, Debug, Default)]
pub struct Lookaside(Arc<Mutex<BTreeMap<String, u64>>>);

impl Lookaside {
    /// An empty one.
    pub fn new() -> Lookaside {
        Lookaside::default()
    }

    /// What is remembered of a name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.ids().get(name).copied()
    }

    /// Remembers a command.
    pub fn put(&self, name: &str, id: u64) {
        self.ids().insert(name.to_owned(), id);
    }

    /// Forgets a command.
    pub fn remove(&self, name: &str) {
        self.ids().remove(name);
    }

    /// How much is remembered.
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ids(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
