//! A cloud in memory: resources that refer to each other. Creating needs the references to exist, deleting needs
//! that nobody refers. Separate because it is the environment that actions change; it must not know actions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::emit;
use crate::fault::failpoint_on;
use crate::systems::graph::action::BoxFuture;
use crate::systems::graph::event::Id;
use crate::systems::graph::planner::{BoxError, Fetch, Ownership, Resource};
use crate::systems::graph::record::GraphEvent;

/// What the cloud refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// It is there already.
    #[error("{0} exists already")]
    Exists(Id),
    /// It is not there.
    #[error("{0} does not exist")]
    Missing(Id),
    /// It was to refer to something that is not there.
    #[error("{from} refers to {to}, which does not exist")]
    DanglingRef {
        /// Who refers.
        from: Id,
        /// To what.
        to: Id,
    },
    /// Somebody refers to it.
    #[error("{id} is still referred to by {by}")]
    InUse {
        /// What was to be deleted.
        id: Id,
        /// Who refers to it.
        by: Id,
    },
}

/// The resources and their references.
#[derive(Debug, Default)]
pub struct Cloud {
    resources: Mutex<BTreeMap<Id, Resource>>,
}

impl Cloud {
    /// A cloud without resources.
    pub fn new() -> Self {
        Cloud::default()
    }

    fn resources(&self) -> MutexGuard<'_, BTreeMap<Id, Resource>> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a resource.
    ///
    /// # Errors
    /// It exists, or one of its references does not.
    pub fn create(&self, resource: &Resource) -> Result<(), CloudError> {
        let mut resources = self.resources();
        if resources.contains_key(&resource.id) {
            return Err(CloudError::Exists(resource.id.clone()));
        }
        put(&mut resources, resource)?;
        changed("create", &resource.id);
        Ok(())
    }

    /// Replaces the values and references of a resource.
    ///
    /// # Errors
    /// It does not exist, or one of its references does not.
    pub fn update(&self, resource: &Resource) -> Result<(), CloudError> {
        let mut resources = self.resources();
        if !resources.contains_key(&resource.id) {
            return Err(CloudError::Missing(resource.id.clone()));
        }
        put(&mut resources, resource)?;
        changed("update", &resource.id);
        Ok(())
    }

    /// Deletes a resource.
    ///
    /// # Errors
    /// It does not exist, or somebody refers to it.
    pub fn delete(&self, id: &Id) -> Result<(), CloudError> {
        let mut resources = self.resources();
        if !resources.contains_key(id) {
            return Err(CloudError::Missing(id.clone()));
        }
        if let Some((by, _)) = resources.iter().find(|(_, other)| other.refs.contains(id)) {
            return Err(CloudError::InUse { id: id.clone(), by: by.clone() });
        }
        resources.remove(id);
        changed("delete", id);
        Ok(())
    }

    /// Does something that only counts as done.
    pub fn touch(&self, id: &Id) {
        changed("touch", id);
    }

    /// The resources and their references.
    pub fn snapshot(&self) -> BTreeMap<Id, BTreeSet<Id>> {
        self.resources().iter().map(|(id, resource)| (id.clone(), resource.refs.clone())).collect()
    }
}

impl Fetch for Cloud {
    fn fetch<'a>(&'a self, id: &'a Id) -> BoxFuture<'a, Result<Option<Resource>, BoxError>> {
        Box::pin(async move {
            failpoint_on("cloud.get", id.as_str()).await?;
            let there = self.resources().get(id).cloned();
            // Whose it is, is what the caller wants to be told, not what it said last.
            Ok(there.map(|resource| Resource { ownership: Ownership::Unknown, ..resource }))
        })
    }
}

fn put(resources: &mut BTreeMap<Id, Resource>, resource: &Resource) -> Result<(), CloudError> {
    if let Some(to) = resource.refs.iter().find(|to| !resources.contains_key(*to)) {
        return Err(CloudError::DanglingRef { from: resource.id.clone(), to: to.clone() });
    }
    resources.insert(resource.id.clone(), resource.clone());
    Ok(())
}

fn changed(op: &'static str, id: &Id) {
    emit(GraphEvent::Effect { op, object: Arc::from(id.as_str()) });
}
