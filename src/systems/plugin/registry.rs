//! Who executes which type of tasks: executors by type, one default, and which of them are enabled. A value that the
//! caller makes; there is no global one. It must not know what executors do.

use super::context::{GENERATED_NAME_MIN, TaskContext};
use super::core::{ExecutorAdapter, Plugin};
use super::error::{OutputsError, RegistryError, SystemError};
use super::executor::{Executor, InitializationParameters};
use super::outputs::LiteralMap;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Stands for all executors, as the first of an enabled list.
pub const ALL_ENABLED: &str = "*";

/// An executor of either generation.
#[derive(Clone)]
pub enum Registered {
    /// Of the first.
    Executor(Arc<dyn Executor>),
    /// Of the successor.
    Plugin(Arc<dyn Plugin>),
}

impl Registered {
    /// Its id.
    pub fn id(&self) -> &str {
        match self {
            Registered::Executor(executor) => executor.id(),
            Registered::Plugin(plugin) => plugin.id(),
        }
    }

    /// Whether both are the same executor.
    fn is(&self, other: &Registered) -> bool {
        match (self, other) {
            (Registered::Executor(one), Registered::Executor(other)) => Arc::ptr_eq(one, other),
            (Registered::Plugin(one), Registered::Plugin(other)) => Arc::ptr_eq(one, other),
            (Registered::Executor(_), Registered::Plugin(_))
            | (Registered::Plugin(_), Registered::Executor(_)) => false,
        }
    }

    /// Whether a workflow may not vanish before its tasks are killed.
    pub fn requires_finalizer(&self) -> bool {
        match self {
            Registered::Executor(executor) => executor.properties().requires_finalizer,
            Registered::Plugin(plugin) => plugin.properties().requires_finalizer,
        }
    }

    /// Whether the catalog is left alone.
    pub fn disable_node_level_caching(&self) -> bool {
        match self {
            Registered::Executor(executor) => executor.properties().disable_node_level_caching,
            Registered::Plugin(plugin) => plugin.properties().disable_node_level_caching,
        }
    }

    /// As a plugin: an executor of the first generation through the adapter.
    pub fn as_plugin(&self) -> Arc<dyn Plugin> {
        match self {
            Registered::Executor(executor) => Arc::new(ExecutorAdapter::new(Arc::clone(executor))),
            Registered::Plugin(plugin) => Arc::clone(plugin),
        }
    }

    /// Outputs of an attempt that succeeded.
    ///
    /// # Errors
    /// They cannot be read, or one of them is not there.
    pub async fn resolve_outputs(
        &self,
        context: &TaskContext,
        variables: &[&str],
    ) -> Result<LiteralMap, OutputsError> {
        match self {
            Registered::Executor(executor) => executor.resolve_outputs(context, variables).await,
            Registered::Plugin(_) => context.outputs.resolve(context, variables).await,
        }
    }

    async fn initialize(&self, parameters: &InitializationParameters) -> Result<(), SystemError> {
        match self {
            Registered::Executor(executor) => executor.initialize(parameters).await,
            Registered::Plugin(plugin) => plugin.initialize(parameters).await,
        }
    }
}

impl From<Arc<dyn Executor>> for Registered {
    fn from(executor: Arc<dyn Executor>) -> Registered {
        Registered::Executor(executor)
    }
}

impl From<Arc<dyn Plugin>> for Registered {
    fn from(plugin: Arc<dyn Plugin>) -> Registered {
        Registered::Plugin(plugin)
    }
}

/// Executors by type.
#[derive(Clone, Default)]
pub struct Registry {
    enabled: Option<Vec<String>>,
    by_type: BTreeMap<String, Registered>,
    default: Option<Registered>,
}

impl Registry {
    /// No executors yet, all enabled.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Only executors with these ids are registered, all if the first is [`ALL_ENABLED`]; others are passed over silently.
    #[must_use]
    pub fn enabled(self, ids: impl IntoIterator<Item = impl Into<String>>) -> Registry {
        Registry { enabled: Some(ids.into_iter().map(Into::into).collect()), ..self }
    }

    /// Registers an executor for types of tasks.
    ///
    /// # Errors
    /// One of them has one. Nothing is registered then.
    pub fn register(
        &mut self,
        registered: impl Into<Registered>,
        task_types: &[&str],
    ) -> Result<(), RegistryError> {
        let registered = registered.into();
        if !self.is_enabled(registered.id()) {
            return Ok(());
        }
        self.admit(&registered)?;
        let taken = task_types.iter().find_map(|of| Some((*of, self.by_type.get(*of)?)));
        if let Some((task_type, existing)) = taken {
            let (task_type, existing) = (task_type.to_owned(), existing.id().to_owned());
            return Err(RegistryError::Duplicate { task_type, existing, given: registered.id().to_owned() });
        }
        self.by_type.extend(task_types.iter().map(|of| ((*of).to_owned(), registered.clone())));
        Ok(())
    }

    /// Registers the executor of all types that have none.
    ///
    /// # Errors
    /// There is one.
    pub fn register_default(&mut self, registered: impl Into<Registered>) -> Result<(), RegistryError> {
        let registered = registered.into();
        if !self.is_enabled(registered.id()) {
            return Ok(());
        }
        self.admit(&registered)?;
        if let Some(existing) = &self.default {
            let (existing, given) = (existing.id().to_owned(), registered.id().to_owned());
            return Err(RegistryError::DuplicateDefault { existing, given });
        }
        self.default = Some(registered);
        Ok(())
    }

    /// The executor of a type.
    ///
    /// # Errors
    /// There is none, and no default.
    pub fn executor(&self, task_type: &str) -> Result<&Registered, RegistryError> {
        let none = || RegistryError::NoExecutor { task_type: task_type.to_owned() };
        self.by_type.get(task_type).or(self.default.as_ref()).ok_or_else(none)
    }

    /// Prepares all executors, each once, in the order of their ids.
    ///
    /// # Errors
    /// The first that cannot be used; nothing must run then.
    pub async fn initialize(&self, parameters: &InitializationParameters) -> Result<(), SystemError> {
        let all = self.by_type.values().chain(&self.default);
        let by_id: BTreeMap<&str, &Registered> =
            all.map(|registered| (registered.id(), registered)).collect();
        for (id, registered) in by_id {
            let failed =
                |error| SystemError::caused_by(format!("Failed to Initialize TaskExecutor [{id}]"), error);
            registered.initialize(parameters).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Refuses another executor of a known id, and a plugin whose names would be too short.
    fn admit(&self, registered: &Registered) -> Result<(), RegistryError> {
        let mut known = self.by_type.values().chain(&self.default);
        if known.any(|known| known.id() == registered.id() && !known.is(registered)) {
            return Err(RegistryError::DuplicateId { id: registered.id().to_owned() });
        }
        match registered {
            Registered::Plugin(plugin) if plugin.properties().generated_name_max < GENERATED_NAME_MIN => {
                let (id, asked) = (plugin.id().to_owned(), plugin.properties().generated_name_max);
                Err(RegistryError::NameTooShort { id, asked })
            }
            Registered::Plugin(_) | Registered::Executor(_) => Ok(()),
        }
    }

    fn is_enabled(&self, id: &str) -> bool {
        match &self.enabled {
            None => true,
            Some(ids) => {
                ids.first().is_some_and(|first| first == ALL_ENABLED) || ids.iter().any(|own| own == id)
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.by_type.iter().map(|(of, registered)| (of, registered.id()));
        f.debug_map().entries(types).finish()
    }
}
