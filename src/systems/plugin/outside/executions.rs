//! Executions of other workflows, which some tasks wait for. They must not know who waits.

use super::{after, before, look};
use crate::emit;
use crate::systems::plugin::error::SystemError;
use crate::systems::plugin::record::{Made, PluginEvent};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far an execution has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionPhase {
    /// It runs.
    Running,
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
    /// It was terminated.
    Aborted,
}

/// Executions by name. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Executions(Arc<Mutex<BTreeMap<String, ExecutionPhase>>>);

impl Executions {
    /// None.
    pub fn new() -> Executions {
        Executions::default()
    }

    /// Sets how far an execution has come.
    pub fn set(&self, name: &str, phase: ExecutionPhase) {
        self.all().insert(name.to_owned(), phase);
    }

    /// How far an execution has come, at once.
    pub fn get(&self, name: &str) -> Option<ExecutionPhase> {
        self.all().get(name).copied()
    }

    /// Looks at an execution; none if there is no such.
    ///
    /// # Errors
    /// A fault.
    pub async fn phase(&self, name: &str) -> Result<Option<ExecutionPhase>, SystemError> {
        look("execution", name).await?;
        Ok(self.get(name))
    }

    /// Terminates an execution, unless it has ended.
    ///
    /// # Errors
    /// A fault.
    pub async fn terminate(&self, name: &str) -> Result<(), SystemError> {
        before("terminate", name).await?;
        if self.get(name) != Some(ExecutionPhase::Running) {
            return Ok(());
        }
        self.set(name, ExecutionPhase::Aborted);
        let text: Arc<str> = Arc::from(name);
        emit(PluginEvent::Freed { what: Made::Execution, name: Arc::clone(&text), workflow: text });
        after("terminate", name).await
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, ExecutionPhase>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
